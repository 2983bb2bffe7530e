"""Average marginal effects and elasticities: what is asked, over which rows, and the table.

Standard errors are by the delta method: V is the covariance of theta and g the derivative of an effect, then g' V g.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from ..arrays import Array, Matrix, dense
from ..data import Block, Sums, is_coded
from ..data.coded import Coded
from ..data.elsewhere import gathered
from ..data.memory import one_blas_thread
from ..data.scan import Scan
from ..exceptions import EvenOddsError, is_one_of, require_flags
from ..labels import row_numbers
from ..naming import listed
from ..reading import require_finite_array, unpacked
from ..table import require_same_order
from .effects import Columns, Effects
from .margins_table import MIDDLES, errors_of, known_columns, number_at, require_overall, table
from .prediction import TILE_ENTRIES, columns_of, read, shifts, tiles

if TYPE_CHECKING:
    from .record import Inference

_KINDS = ("dydx", "eyex", "dyex", "eydx")


def margins(
    result: "Inference",
    X: object,
    *,
    at: object,
    kind: str,
    groups: object,
    discrete: bool,
    sample_weight: ArrayLike | None,
    offset: ArrayLike | None,
) -> dict[str, Any]:
    """The columns of the table."""
    require_flags(discrete=discrete)
    if not is_one_of(kind, _KINDS):
        raise EvenOddsError(f"kind is one of {', '.join(map(repr, _KINDS))}, got {kind!r}.")
    times = kind[2:] == "ex"
    if times and groups:
        raise EvenOddsError(
            f"kind={kind!r} is of a relative change in a column, which the levels of a factor do not have: with groups "
            'take "dydx" or "eydx".'
        )
    X, _, sample_weight, offset = gathered(X, None, sample_weight, offset)
    require_same_order(X=X, sample_weight=sample_weight, offset=offset)
    if hasattr(result.model, "design_"):
        if groups is not None:
            raise EvenOddsError("This model knows its factors, and their levels are taken as such: leave out groups.")
        from .table_margins import Asked, table_margins  # here, as it needs pyarrow, and arrays do not

        asked = Asked(at, kind[:2] == "ey", times, discrete)
        return table_margins(result, X, asked, sample_weight, offset, _binary_columns(result))
    if isinstance(X, Scan):
        if (isinstance(at, Mapping) or at == "overall") and not groups:
            return _over_scan(result, X, at, kind, discrete)
        X, _, sample_weight, offset = unpacked(X, None, sample_weight, offset, "What margins are asked for")
    array = read(result, X)
    n = array.shape[0]
    weight = np.ones(n) if sample_weight is None else row_numbers(sample_weight, "sample_weight", n)
    if (weight < 0).any() or not weight.any():
        raise EvenOddsError("sample_weight has to be 0 or more, and not 0 in all rows.")
    counted, shift = np.flatnonzero(weight), shifts(result, offset, array)
    if counted.size < n:
        array, weight, shift = array[counted], weight[counted], shift[counted]
    cleared = {int(j): np.array([j]) for j in np.flatnonzero(_binary_columns(result) * (discrete and not times))}
    cleared.update(_levels(result, array, groups))
    array, weight, shift, fixed = _rows(result, array, weight, shift, at)
    effects = Effects(result, kind[:2] == "ey", times, cleared, fixed)
    start = 0
    with one_blas_thread, np.errstate(invalid="ignore", divide="ignore"):
        for tile in tiles(array):
            rows = slice(start, start + len(tile))
            start += len(tile)
            effects.add(tile, shift[rows], weight[rows])
    # Aliased columns have no effect of their own; nor has a constant column beside a ridge, whose error is 0.
    total = weight.sum()
    se = errors_of(result, effects.jacobian / total)
    return table(result, columns_of(result), known_columns(result), effects.effect / total, se)


def _over_scan(result: "Inference", scan: Scan, at: object, kind: str, discrete: bool) -> dict[str, Any]:
    """The same of rows that are scanned, with the weights and offsets among their columns, in one read."""
    times = kind[2:] == "ex"
    binary = np.flatnonzero(_binary_columns(result) * (discrete and not times))
    fixed = _fixed(result, at) if isinstance(at, Mapping) else {}
    effects = Effects(result, kind[:2] == "ey", times, {int(j): np.array([j]) for j in binary}, fixed)
    total, K = 0.0, len(result.classes)
    with one_blas_thread, np.errstate(invalid="ignore", divide="ignore"):
        for block in result.model._scan_of(scan, reset=False).blocks(beside=True):
            require_finite_array(block.X, result.model._names)
            weight = np.ones(block.n_rows) if block.weight is None else block.weight
            offset = np.zeros(block.n_rows) if block.offset is None else block.offset
            shift = offset if offset.ndim == 2 else np.pad(offset[:, None], ((0, 0), (1, K - 2)))
            step = max(1, TILE_ENTRIES // block.X.shape[1])
            for k in range(0, block.n_rows, step):
                rows = slice(k, k + step)
                effects.add(block.X[rows], shift[rows], weight[rows])
            total += float(weight.sum())
    se = errors_of(result, effects.jacobian / total)
    return table(result, columns_of(result), known_columns(result), effects.effect / total, se)


def _fixed(result: "Inference", at: Mapping[Any, Any]) -> dict[int, float]:
    """The values that columns have in all rows, by number."""
    return {_number_of(result, name, "at"): number_at(name, value) for name, value in at.items()}


def _number_of(result: "Inference", name: object, what: str) -> int:
    """The number of a column."""
    names = columns_of(result)
    if name not in names:
        raise EvenOddsError(f"{what} has {name!r}, which is none of the columns of the model: {listed(names, 20)}.")
    return names.index(name)


# Factors


def _levels(result: "Inference", X: object, groups: object) -> dict[int, Columns]:
    """For each column that is a level of a factor, all columns of the factor."""
    if groups is None:
        return {}
    if not isinstance(groups, Mapping) or any(
        isinstance(of, str) or not isinstance(of, Sequence) or not of for of in groups.values()
    ):
        raise EvenOddsError(
            'groups is a mapping of factors to lists of their columns, such as {"level": ["level_2", "level_3"]}, '
            f"got {groups!r}."
        )
    found: dict[int, Columns] = {}
    for factor, names in groups.items():
        columns = np.array([_number_of(result, name, f"groups[{factor!r}]") for name in names])
        twice = [name for k, name in enumerate(names) if name in names[:k] or int(columns[k]) in found]
        if twice:
            raise EvenOddsError(f"groups names the column {twice[0]!r} twice: a column is a level of one factor.")
        _require_levels(result, X, factor, columns)
        found.update({int(j): columns for j in columns})
    return found


def _require_levels(result: "Inference", X: Matrix, factor: object, columns: Columns) -> None:
    """Columns are 0 or 1, one of them at the most 1 in a row, and no other column is made from them."""
    names = columns_of(result)
    D = X[:, columns]
    D = dense(D)
    wrong = (D != 0) & (D != 1)
    if wrong.any():
        name = names[columns[int(wrong.any(axis=0).argmax())]]
        raise EvenOddsError(
            f"The column {name!r} of groups[{factor!r}] holds other values than 0 and 1, so that it is not a level of "
            "a factor: group the columns of zeros and ones that the factor was coded by."
        )
    if (D.sum(axis=1) > 1).any():
        row = int((D.sum(axis=1) > 1).argmax())
        raise EvenOddsError(
            f"Two columns of groups[{factor!r}] are 1 in the same row, first in row {row} (counted from 0): levels of "
            "a factor exclude each other."
        )
    others = np.setdiff1d(np.arange(X.shape[1]), columns)
    for level in range(columns.size):
        on = D[:, level] != 0
        made = _product(X[np.flatnonzero(on)], X[np.flatnonzero(~on)], others) if on.any() else None
        if made is not None:
            name, by = names[made[0]], names[made[1]]
            raise EvenOddsError(
                f"The column {name!r} is {names[columns[level]]!r} times {by!r}, an interaction, which would have to "
                f"change with groups[{factor!r}]; margins knows columns, and not what they are made from. Fit without "
                "it, or take the effect at values from differences of predict."
            )


def _product(on: Matrix, off: Matrix, others: Columns) -> tuple[int, int] | None:
    """A column that is 0 where a level is off, and where it is on equal to another one, which is not so; and that."""
    on, off = (part[:, others] for part in (on, off))
    on, off = (dense(part) for part in (on, off))
    only = ~off.any(axis=0) & on.any(axis=0)
    for j in np.flatnonzero(only):
        same = np.flatnonzero((on == on[:, [j]]).all(axis=0) & ~only)
        if same.size:
            return int(others[j]), int(others[same[0]])
    return None


# Rows


def _rows(
    result: "Inference", X: object, weight: Array, shift: Array, at: object
) -> tuple[Any, Array, Array, dict[int, float]]:
    """The rows that effects are averaged over, their weights and offsets, and values that columns have in all."""
    if isinstance(at, str) and at in MIDDLES:
        middle = MIDDLES[at]
        one = np.array([[middle(column, weight) for column in _columns(X)]])
        shift = np.array([[middle(column, weight) for column in shift.T]])
        return one, np.ones(1), shift, {}
    if isinstance(at, Mapping):
        return X, weight, shift, _fixed(result, at)
    require_overall(at)
    return X, weight, shift, {}


def _columns(X: Matrix) -> Iterator[Array]:
    X = X if isinstance(X, np.ndarray) else X.tocsc()
    for j in range(X.shape[1]):
        yield dense(X[:, [j]]).ravel().astype(np.float64)


def _binary_columns(result: "Inference") -> Any:
    """Which columns hold zeros and ones, and both, in the rows of the fit."""

    center = result.whole.data.center

    def sums(block: Block) -> Sums:
        if is_coded(block.rows):
            return _coded_binary(block.rows)
        X = block.X.toarray() + center if sp.issparse(block.X) else block.X
        return ((X != 0) & (X != 1)).sum(axis=0), (X == 0).sum(axis=0), (X == 1).sum(axis=0)

    others, zeros, ones = result.whole.objective.over_tiles(sums)
    return (others == 0) & (zeros > 0) & (ones > 0)


def _coded_binary(rows: Coded) -> Sums:
    """How many entries of each column are neither 0 nor 1, are 0 and are 1."""
    X, (n, p) = rows.numbers + rows.center, rows.shape
    others, zeros, ones = np.zeros((3, p), dtype=np.intp)
    own = rows.layout.columns
    zeros[own], ones[own] = (X == 0).sum(axis=0), (X == 1).sum(axis=0)
    others[own] = n - zeros[own] - ones[own]
    for f, (first, count) in enumerate(zip(rows.layout.firsts, rows.layout.counts, strict=True)):
        entry, at, of = rows.entry(f), rows.codes[f] + 1, slice(first, first + count)
        values = np.ones(n) if entry is None else entry
        every, one, nothing = (
            np.bincount(at[kind], minlength=count + 1)[1:] for kind in (slice(None), values == 1, values == 0)
        )
        zeros[of], ones[of], others[of] = n - every + nothing, one, every - one - nothing
    return others, zeros, ones
