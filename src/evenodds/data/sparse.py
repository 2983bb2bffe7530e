"""A sparse X as it is best held: dense where that takes no more room, else its columns far from zero less a centre.

Zeros that are not stored are what makes a sparse X small, and what forbids to centre it. A column that is far from
zero has hardly any: with a share q of zeros the mean is at most sqrt((1 - q) / q) standard deviations. Such a column
is stored less a value in its midst, the few zeros of it written out. Without that, products of it with residuals
would cancel and variances vanish; the intercept makes up for what is taken off (see `Coordinates`).
"""

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..arrays import CSR, Array

_FAR = 30.0  # times the mean deviation of a column: nearer to zero, a sum of squares loses three digits at the most
_ROWS = 15  # that tell where the midst of a column is
_TILE_COLUMNS = 16


def held(X: CSR, intercept: bool) -> tuple[Any, Array | None]:
    """The rows, dense or CSR, and what has been taken off the columns, which is nothing without an intercept."""
    X = sp.csr_array(X)
    if X.data.nbytes + X.indices.nbytes >= X.shape[0] * X.shape[1] * X.data.itemsize:
        return X.toarray(), None
    far, middle = _far_columns(X) if intercept else (np.empty(0, np.intp), np.empty(0))
    if not far.size:
        return X, None
    n, m = X.shape[0], far.size
    off = sp.csr_array((np.tile(middle, n), np.tile(far, n), np.arange(0, n * m + 1, m)), shape=X.shape)
    center = np.zeros(X.shape[1])
    center[far] = middle
    return X - off, center


def _far_columns(X: CSR) -> tuple[Any, Array]:
    """The columns most of whose values are close together and far from zero, by number, and a value amid these."""
    rows = X[:: max(1, X.shape[0] // _ROWS)]
    filled = np.flatnonzero(np.bincount(rows.indices, minlength=X.shape[1]) * 2 > rows.shape[0])
    some = rows[:, filled].toarray().astype(np.float64)
    middle = np.sort(some, axis=0)[(len(some) - 1) // 2]
    chosen = np.flatnonzero(_is_far(some, middle, constant=True))
    tiles = [chosen[k : k + _TILE_COLUMNS] for k in range(0, chosen.size, _TILE_COLUMNS)]
    sure = [tile[_is_far(X[:, filled[tile]].toarray(), middle[tile])] for tile in tiles]
    far = np.concatenate([np.empty(0, np.intp), *sure])
    return filled[far], middle[far]


def _is_far(D: Array, middle: Array, constant: bool = False) -> Any:
    """Whether the values near the middle one are more than half of a column, and closer to it than it is to zero.

    constant : whether that may also be said of equal values beside others; 0 and 1 are not far from zero
    """
    with np.errstate(over="ignore", invalid="ignore"):
        apart = np.abs(D - middle)
        near = apart < 0.5 * np.abs(middle)
        count = near.sum(axis=0)
        spread = np.where(near, apart, 0.0).sum(axis=0)
        moved = (spread > 0) | (count == len(D)) | constant
        return np.isfinite(middle) & (2 * count > len(D)) & (_FAR * spread < count * np.abs(middle)) & moved
