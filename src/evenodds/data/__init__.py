"""Data is where rows live. A home answers one question: add up this function over your row blocks.

`Block` is a few rows as the kernels read them, `Data` the contract of a home, `as_data` the way in.
Solvers and inference see only the contract, so a new home is one file and one line in `as_data`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..exceptions import NonFiniteError

Array = NDArray[np.float64]
Sums = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows: the unit that functions given to `reduce` work on.

    X : (m, p) array of float32 or float64 with one contiguous axis, or a CSR array
    y : (m,) class codes, 0 for the first class
    weight : (m,) finite and positive, or None for all one
    offset : (m,) added to the scores, of more than two classes (m, K), or None
    """

    X: Any
    y: NDArray[np.integer[Any]]
    weight: Array | None = None
    offset: Array | None = None

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return int(self.X.shape[0])

    @property
    def middle(self) -> Any:
        """The median of the offset; of more than two classes (K,)."""
        return 0.0 if self.offset is None else np.median(self.offset, axis=0)

    def take(self, k: Any) -> "Block":
        """Some of the rows, by number."""
        weight = None if self.weight is None else self.weight[k]
        return Block(self.X[k], self.y[k], weight, None if self.offset is None else self.offset[k])

    def at(self, temperature: float) -> "Block":
        """The rows with their offsets divided by a temperature (see `solvers.cooling`)."""
        return self if self.offset is None else Block(self.X, self.y, self.weight, self.offset / temperature)


class Data(Protocol):
    """A home of rows.

    n_rows, n_columns : the shape of X
    size : entries stored, (n_rows * n_columns, or the non-zeros of a sparse X)
    sparse : whether blocks hold CSR arrays
    center : (p,) what has been taken off the columns of X in the blocks; 0 unless they are sparse, see `sparse.held`
    present : (K,) which of the classes have rows here; those that have none may be left out (see `absent`)
    class_weights : total weight of each class that is not left out; their sum is S in the objective
    n_jobs : threads for work on a sample, as for `LogisticRegression`
    """

    n_rows: int
    n_columns: int
    size: int
    sparse: bool
    center: Array
    present: NDArray[np.bool_]
    class_weights: Array
    n_jobs: int | None

    def reduce(self, function: Callable[[Block], Sums]) -> Sums:
        """Sum `function(block)`, a tuple of floats or arrays, over all rows; a full read of the data."""

    def blocks(self) -> Iterator[Block]:
        """All rows, in order, as one block or more."""

    def original_row(self, k: int) -> int:
        """The number, in what the user gave, of row `k` here."""

    def sample(self, n: int, rng: int | np.random.Generator) -> Block:
        """At most about `n` rows in one block, weighted to stand for all (all of them if there are few).

        rng : a seed or a generator, as for `numpy.random.default_rng`

        A rare class is sampled more densely, with smaller weights.
        """


def as_data(
    X: Any,
    codes: NDArray[np.integer[Any]],
    weight: Array | None = None,
    offset: Array | None = None,
    *,
    n_jobs: int | None = None,
    n_classes: int = 2,
    intercept: bool = False,
    every: bool = True,
) -> Data:
    """The home of `X`: a checked 2-d array or sparse matrix in memory.

    Rows of weight zero do not belong to the data and are left out.

    intercept : whether the scores have one, which makes up for what is taken off sparse columns that are far from zero
    every : whether classes without a row belong to the data
    """
    from .memory import Memory
    from .sparse import held

    kept = None
    if weight is not None and not weight.all():
        kept = np.flatnonzero(weight)
        X = (X.tocsr() if sp.issparse(X) else X)[kept]
        codes, weight = codes[kept], weight[kept]
        offset = None if offset is None else offset[kept]
    present = None
    if kept is not None and not every:
        present = np.bincount(codes, minlength=n_classes) > 0
        codes = (np.cumsum(present) - 1).astype(codes.dtype)[codes]
        offset = offset if offset is None or offset.ndim == 1 else offset[:, present]
    X, center = held(X, intercept) if sp.issparse(X) else (X, None)
    own: dict[str, Any] = {"n_jobs": n_jobs, "n_classes": n_classes, "present": present}
    return Memory(X, codes, weight, offset, center=center, kept=kept, **own)


def nonzero_weights(data: Data) -> Array:
    """The weights of the classes, from which fits start; one without rows is taken for half a row."""
    weights = data.class_weights
    return weights if weights.all() else np.asarray(np.where(weights > 0, weights, 0.5 * weights.sum() / data.n_rows))


def require_finite(data: Data) -> None:
    """Raise an error that names the first column and row with NaN or infinity in X, if there is one."""
    first_row = 0
    for block in data.blocks():
        values = block.X.data if sp.issparse(block.X) else block.X
        bad = ~np.isfinite(values)
        if bad.any():
            k = int(np.flatnonzero(bad.any(axis=1) if bad.ndim == 2 else bad)[0])
            if sp.issparse(block.X):
                row, column = int(np.searchsorted(block.X.indptr, k, "right")) - 1, int(block.X.indices[k])
                value = values[k]
            else:
                row, column = k, int(np.flatnonzero(bad[k])[0])
                value = values[row, column]
            raise NonFiniteError(data.original_row(first_row + row), column, float(value))
        first_row += block.n_rows


__all__ = ["Array", "Block", "Data", "Sums", "as_data", "nonzero_weights", "require_finite"]
