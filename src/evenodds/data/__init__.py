"""Data is where rows live. A home answers one question: add up this function over your row blocks.

`Block` is a few rows as the kernels read them, `Data` the contract of a home, `as_data` the way in.
Solvers and inference see only the contract, so a new home is one file and
one line: in `as_data` if rows are given, in `Scan.home` if they are scanned.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..arrays import CSR, Array, Matrix, Which
from ..exceptions import EvenOddsError, NonFiniteError
from .apart import Apart

if TYPE_CHECKING:
    from .coded import Coded, Layout
    from .groups import Groups

Sums = tuple[Any, ...]
FLOATS = frozenset({np.dtype(np.float32), np.dtype(np.float64)})  # what loops read as it is, in native byte order


def is_coded(rows: object) -> "TypeGuard[Coded]":
    """Whether rows are numbers and codes; see `coded`."""
    return hasattr(rows, "layout")


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows: the unit that functions given to `reduce` work on.

    rows : (m, p) array of float32 or float64 with one contiguous axis, a CSR array, `Coded`, or columns `Apart`
    y : (m,) class codes, 0 for the first class
    weight : (m,) finite and positive, or None for all one
    offset : (m,) added to the scores, of more than two classes (m, K), or None
    first : the number of the first row in the home, which the others follow; of a sample it says nothing
    groups : of the rows, where they are read with them, or None
    """

    rows: Any
    y: NDArray[np.integer[Any]]
    weight: Array | None = None
    offset: Array | None = None
    first: int = 0
    groups: "Groups | None" = None

    @property
    def X(self) -> Any:
        """The rows as an array or a CSR array, for what has no loop for codes, nor for columns that lie apart."""
        rows = self.rows
        return rows.csr() if is_coded(rows) else rows.array() if isinstance(rows, Apart) else rows

    @property
    def sparse(self) -> bool:
        """Whether X is a CSR array."""
        return is_coded(self.rows) or bool(sp.issparse(self.rows))

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return int(self.rows.shape[0])

    @property
    def middle(self) -> Array | None:
        """The median of the offset, if there is one: (), or of more than two classes (K,)."""
        return None if self.offset is None else np.asarray(np.median(self.offset, axis=0))

    def take(self, k: Which) -> "Block":
        """Some of the rows, by number."""
        weight = None if self.weight is None else self.weight[k]
        first = self.first + (k.start or 0) if type(k) is slice else 0
        rows = csr_rows(self.rows, k) if type(k) is slice and sp.issparse(self.rows) else self.rows[k]
        offset = None if self.offset is None else self.offset[k]
        return Block(rows, self.y[k], weight, offset, first, None if self.groups is None else self.groups[k])

    def at(self, temperature: float) -> "Block":
        """The rows with their offsets divided by a temperature (see `solvers.cooling`)."""
        return self if self.offset is None else replace(self, offset=self.offset / temperature)


def csr_rows(X: CSR, which: slice) -> Any:
    """Rows of a CSR array, without a copy of their entries where they follow one another."""
    start, stop, step = which.indices(X.shape[0])
    if step != 1:
        return X[which]
    stop = max(start, stop)
    low, high = X.indptr[start], X.indptr[stop]
    rows = sp.csr_array((stop - start, X.shape[1]), dtype=X.dtype)
    rows.data, rows.indices = X.data[low:high], X.indices[low:high]
    rows.indptr = X.indptr[start : stop + 1] - low
    return rows


class Data(Protocol):
    """A home of rows.

    n_rows, n_columns : the shape of X
    size : entries stored, (n_rows * n_columns, or the non-zeros of a sparse X)
    sparse : whether blocks hold CSR arrays, or `Coded` rows, which can be had as such
    layout : of such rows which columns are coded; None if the blocks hold none, or not all of them
    center : (p,) what has been taken off the columns of X in the blocks; 0 unless they are sparse, see `sparse.held`
    names : of the columns; None if they have none
    present : (K,) which of the classes have rows here; those that have none may be left out (see `absent`)
    class_weights : total weight of each class that is not left out; their sum is S in the objective
    kept : (n_rows,) the numbers of the rows in what the user gave; None if all of these are here
    n_jobs : threads for work on a sample, as for `LogisticRegression`
    read_cost : what a read of all rows costs for each entry, in multiplications of a Hessian in memory
    """

    n_rows: int
    n_columns: int
    size: int
    sparse: bool
    layout: "Layout | None"
    center: Array
    names: Sequence[str] | None
    present: NDArray[np.bool_]
    class_weights: Array
    n_jobs: int | None
    read_cost: float

    @property
    def kept(self) -> NDArray[np.intp] | None:
        """See above."""

    def reduce(self, function: Callable[[Block], Sums]) -> Sums:
        """Sum `function(block)`, a tuple of numbers, arrays and lists (which are joined), over all rows, in order.

        A full read of the data. The rows may be elsewhere: a function holds what it computes with and never a home,
        changes nothing, and can be pickled (by cloudpickle). The X of a block may be gone when the function has
        returned: what it gives back is not a view of it.
        """

    def blocks(self) -> Iterator[Block]:
        """All rows, in order, as one block or more, brought here: for what goes through them one after another."""

    def whole(self) -> Block | None:
        """All rows as one block, where they are in memory: for loops that go through them again and again."""

    def where(self, k: int) -> str:
        """What the user calls row `k`."""

    def sample(self, n: int, rng: int | np.random.Generator) -> Block:
        """At most about `n` rows in one block, weighted to stand for all (all of them if there are few).

        rng : a seed or a generator, as for `numpy.random.default_rng`

        A rare class is sampled more densely, with smaller weights.
        """

    def part(self, block: Block) -> "Data":
        """A home of a block that is in memory, such as a sample."""


def as_data(
    X: "Matrix | Coded",
    codes: NDArray[np.integer[Any]],
    weight: Array | None = None,
    offset: Array | None = None,
    *,
    n_jobs: int | None = None,
    n_classes: int = 2,
    names: Sequence[str] | None = None,
    intercept: bool = False,
    every: bool = True,
) -> Data:
    """The home of `X`: a checked 2-d array or sparse matrix in memory, or `Coded` rows, which it takes over.

    Rows of weight zero do not belong to the data and are left out.

    intercept : whether the scores have one, which makes up for what is taken off sparse columns that are far from zero
    every : whether classes without a row belong to the data
    """
    from .memory import Memory

    kept = None
    if weight is not None and not weight.all():
        kept = np.flatnonzero(weight)
        X = (X if isinstance(X, np.ndarray) or is_coded(X) else sp.csr_array(X))[kept]
        codes, weight = codes[kept], weight[kept]
        offset = None if offset is None else offset[kept]
    present = None
    if kept is not None and not every:
        present = np.bincount(codes, minlength=n_classes) > 0
        codes = (np.cumsum(present) - 1).astype(codes.dtype)[codes]
        offset = offset if offset is None or offset.ndim == 1 else offset[:, present]
    center = None
    if is_coded(X):
        X = X.centred() if intercept else X
        center = X.full_center()
    elif sp.issparse(X):
        from .sparse import held

        X, center = held(X, intercept)
    own: dict[str, Any] = {"n_jobs": n_jobs, "n_classes": n_classes, "present": present, "names": names}
    return Memory(X, codes, weight, offset, center=center, kept=kept, **own)


def total_weight(data: Data) -> float:
    """S, the weight of all rows."""
    return float(sum(data.class_weights.tolist()))  # of few classes a sixth of the time of NumPy's


def nonzero_weights(data: Data) -> Array:
    """The weights of the classes, from which fits start; one without rows is taken for half a row."""
    weights = data.class_weights
    return (
        weights
        if all(weights.tolist())
        else np.asarray(np.where(weights > 0, weights, 0.5 * weights.sum() / data.n_rows))
    )


def whole_rows(data: Data, what: str) -> Block:
    """All rows as one block, for what takes their columns one by one; an error where they are not in memory."""
    rows = data.whole()
    if rows is None:
        raise EvenOddsError(
            f"{what} takes them one by one, which needs the data in memory. Load them as "
            f"{'a sparse matrix' if data.sparse else 'an array'}, or choose fewer columns."
        )
    return rows


def require_finite(data: Data) -> None:
    """Raise an error that names the first column and row with NaN or infinity in X, if there is one."""
    (found,) = data.reduce(_not_finite)
    if found:
        row, column, value = found[0]
        raise NonFiniteError(data.where(row), column if data.names is None else str(data.names[column]), value)


def _not_finite(block: Block) -> Sums:
    """The row, the column and the value of the first entry that is not finite, in a list."""
    X = block.X
    values = X.data if sp.issparse(X) else X
    bad = ~np.isfinite(values)
    if not bad.any():
        return ([],)
    if sp.issparse(X):
        k = int(bad.argmax())
        row, column, value = int(np.searchsorted(X.indptr, k, "right")) - 1, int(X.indices[k]), values[k]
    else:
        row = int(bad.any(axis=1).argmax())
        column = int(bad[row].argmax())
        value = values[row, column]
    return ([(block.first + row, column, float(value))],)


__all__ = [
    "Array",
    "Block",
    "Data",
    "Sums",
    "as_data",
    "nonzero_weights",
    "require_finite",
    "total_weight",
    "whole_rows",
]
