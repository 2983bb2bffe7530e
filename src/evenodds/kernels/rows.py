"""Loss and gradient of one block of rows in one read of X, and the moments of its columns.

A dense block is read where it lies, C or F ordered, in rows or columns of any distance; a sparse one is CSR. Scores are
taken from `x - center`, as centring the sums afterwards would cancel badly when a mean is far larger than the spread;
where none is, of rows in C order the sums are centred, which is faster.
Everything is serial; threads belong to the caller.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import CSR, Array, Codes, Floats, Numbers, Values
from .library import function, pointer, vector

Sums = tuple[Any, ...]

_TILE = 1 << 10  # entries of a tile of rows, within 8 to 64 rows
_LONGEST = 1 << 12  # entries of a row, from which four are enough: eight would not fit the next cache
AT_ONCE = 128  # columns up to which `second_order_sums` is faster than products by BLAS
KINDS = {np.dtype(np.float64): "d", np.dtype(np.float32): "s"}


def dense_sums(
    X: Floats,
    y: Codes,
    weight: Array | None,
    offset: Array | None,
    intercept: float,
    coef: Array,
    center: Array,
    *,
    near: bool = False,
) -> Sums:
    """Loss, residual sum and gradient (p,) by the centred coefficients, summed over dense rows (m, p).

    near : whether the centre is so near 0 that the sums may be centred in the place of each row, which is faster
    """
    by_rows, kind, ld = layout(X)
    m, p = X.shape
    rows = rows_as_read(m, y, weight, offset)
    if not (by_rows and p):
        places = X.__array_interface__["data"][0] + ld * X.itemsize * np.arange(p)
        return _by_columns(places, kind, m, rows, intercept, coef, center)
    coef, center = vector(coef, p), vector(center, p)
    sums = np.zeros(2 + p + 3 * padded(p) + 8)  # the results, and room for work after them
    given = (*map(pointer, (*rows, center, coef)), intercept)
    function("rows_c", kind)(pointer(X), ld, m, p, *given, not near, tile_rows(p), pointer(sums))
    return float(sums[0]), float(sums[1]), sums[2 : p + 2].copy()


def apart_sums(
    columns: Sequence[Any],
    y: Codes,
    weight: Array | None,
    offset: Array | None,
    intercept: float,
    coef: Array,
    center: Array,
) -> Sums:
    """The same of columns that lie apart, all of one type, each (m,) in one piece."""
    m, dtype = columns[0].size, columns[0].dtype
    if any(column.shape != (m,) or column.dtype != dtype or not column.flags.c_contiguous for column in columns):
        raise ValueError("A loop reads columns of one length and type, each in one piece.")
    places = np.array([column.__array_interface__["data"][0] for column in columns])
    return _by_columns(places, KINDS[dtype], m, rows_as_read(m, y, weight, offset), intercept, coef, center)


def _by_columns(
    places: NDArray[np.int64],
    kind: str,
    m: int,
    rows: Sequence[Values | None],
    intercept: float,
    coef: Array,
    center: Array,
) -> Sums:
    """What `dense_sums` gives, of m entries from each of these places on."""
    p = places.size
    coef, center, sums = vector(coef, p), vector(center, p), np.zeros(2 + p)
    given = (*map(pointer, (*rows, center, coef)), intercept)
    function("rows_f", kind)(pointer(vector(places, p, np.uintp)), m, p, *given, pointer(sums))
    return float(sums[0]), float(sums[1]), sums[2:]


def second_order_sums(
    X: Floats, y: Codes, weight: Array | None, offset: Array | None, theta: Array, center: Array, inverse: Array
) -> Sums:
    """Loss, gradient and Hessian by theta, summed over dense rows (m, p).

    theta : (p,) by the columns (x - center) inverse, or (p + 1,) after an intercept
    """
    by_rows, kind, ld = layout(X)
    (m, p), k = X.shape, theta.size
    rows = rows_as_read(m, y, weight, offset)
    theta, center, inverse, q = vector(theta, k), vector(center, p), vector(inverse, p), padded(k)
    room = np.zeros(1 + k + k * k + (66 + q) * q + 8)  # the results, and room for work after them
    near, far = (1, ld) if by_rows else (ld, 1)
    numbers = map(pointer, (*rows, center, inverse, theta, room))
    function("second_order", kind)(pointer(X), near, far, m, p, k - p, *numbers)
    return float(room[0]), room[1 : k + 1].copy(), room[k + 1 : k + 1 + k * k].reshape(k, k).copy()


def sparse_sums(X: CSR, y: Codes, weight: Array | None, offset: Array | None, intercept: float, coef: Array) -> Sums:
    """The same of CSR rows."""
    table = np.stack([coef, np.zeros_like(coef)], axis=1)
    out, numbers = np.empty(3), rows_as_read(X.shape[0], y, weight, offset)
    _csr("rows_csr", X, *map(pointer, (*numbers, table)), intercept, pointer(out))
    return float(out[0]), float(out[1]), table[:, 1].copy()


def sparse_curvature(
    X: CSR,
    y: Codes,
    weight: Array | None,
    offset: Array | None,
    intercept: float,
    coef: Array,
    bends: Array | None = None,
) -> Sums:
    """What `sparse_sums` gives, and sum(h), sum(h x) and sum(h x^2) of the columns, h = s p (1 - p).

    bends : (m,) room for h itself
    """
    table = np.zeros((coef.size, 4))
    table[:, 0] = coef
    out, numbers = np.empty(3), rows_as_read(X.shape[0], y, weight, offset)
    bends = None if bends is None else vector(bends, X.shape[0])
    _csr("curvature_csr", X, *map(pointer, (*numbers, table)), intercept, *map(pointer, (out, bends)))
    return float(out[0]), float(out[1]), table[:, 1].copy(), out[2], table[:, 2].copy(), table[:, 3].copy()


def sparse_curved(X: CSR, h: Array, shift: float, direction: Array) -> Sums:
    """sum(h u) and sum(h u x) of CSR rows (m, p), u = shift + x direction of each."""
    table = np.zeros((direction.size, 2))
    table[:, 0] = direction
    h = vector(h, X.shape[0])
    return _csr("curved_csr", X, *map(pointer, (h, table)), shift), table[:, 1].copy()


def sparse_moments(X: CSR, weight: Array) -> tuple[Array, Array, Array]:
    """Of the columns of CSR rows: the largest size of an entry, or 1; sum(w v) and sum(w v^2) in this unit."""
    p, weight = X.shape[1], vector(weight, X.shape[0])
    unit, first, second = np.empty((3, p))
    _csr("moments_csr", X, pointer(weight), p, *map(pointer, (unit, first, second)))
    return unit, first, second


def by_columns(X: CSR) -> tuple[Floats, Any, Numbers, bool]:
    """CSR rows by columns: the entries, their rows in 32 bits, where columns start, and if two are in one place."""
    m, p = X.shape
    size = int(X.indptr[-1])
    if m > 2**32:
        raise ValueError(f"Rows are numbered in 32 bits, which are too few for {m:,}.")
    entries, rows, starts = np.empty(size, X.dtype), np.empty(size, np.uint32), np.empty(p + 1, np.int64)
    twice = _csr("csc_of", X, p, *map(pointer, (entries, rows, starts)))
    return entries, rows, starts, bool(twice)


def moment_sums(X: Floats, weight: Array | None, center: Array, unit: Array) -> Sums:
    """The weight of dense rows, and the weighted sums of d and d^2, d = (x - center) / unit: one read of them."""
    by_rows, kind, ld = layout(X)
    m, p = X.shape
    weight = None if weight is None else vector(weight, m)
    center, inverse = vector(center, p), 1 / vector(unit, p)
    first, second, work = np.zeros(p), np.zeros(p), np.empty(2 * p)
    loop = function("moments_c" if by_rows else "moments_f", kind)
    numbers = map(pointer, (weight, center, inverse, work, first, second))
    return loop(pointer(X), ld, m, p, *numbers), first, second


def units(X: Floats, weight: Array | None, centred: bool) -> tuple[Array, Array, bool]:
    """Mean and standard deviation of the columns of dense rows (m, p), m > 0; about 0 if not `centred`.

    And whether squares neither overflowed nor vanished, and no column is constant: else the deviations mean nothing.
    """
    by_rows, kind, ld = layout(X)
    m, p = X.shape
    if not m:
        raise ValueError("A loop over columns was given no rows.")
    weight = None if weight is None else vector(weight, m)
    room = np.empty((6, p))  # the results, and room for work
    mean, deviation = room[4], room[5]
    given = map(pointer, (room, mean, deviation))
    usual = function("units", kind)(pointer(X), ld, m, p, by_rows, pointer(weight), centred, *given)
    return mean, deviation, bool(usual)


def centres(X: Floats, mean: Array) -> Array:
    """The means of dense rows (m, p), m > 0, or, where one is far from the middle half of some rows, their median.

    A column with a few values of 1e12 has a mean among none of its rows: seen from there the others are all alike.
    """
    by_rows, kind, ld = layout(X)
    m, p = X.shape
    if not m:
        raise ValueError("A loop over columns was given no rows.")
    found = np.array(mean, np.float64)
    near, far = (1, ld) if by_rows else (ld, 1)
    function("centres", kind)(pointer(X), near, far, m, p, pointer(vector(found, p)))
    return found


def layout(X: Floats) -> tuple[bool, str, int]:
    """Whether a dense matrix is in C order, the kind of its entries, and from one row (or column) to the next."""
    by_rows = X.strides[1] == X.itemsize or (X.shape[1] <= 1 and X.strides[0] != X.itemsize)
    step = X.strides[0] if by_rows else X.strides[1]
    near = X.strides[1] if by_rows else X.strides[0]
    outer, inner = X.shape if by_rows else X.shape[::-1]
    if X.dtype not in KINDS or X.ndim != 2 or (near != X.itemsize and inner > 1) or step % X.itemsize:
        raise ValueError(f"A loop cannot read an array of {X.dtype}, shape {X.shape} and strides {X.strides}.")
    return by_rows, KINDS[X.dtype], step // X.itemsize if outer > 1 else inner


def padded(p: int) -> int:
    """The entries of a row in groups: a multiple of eight."""
    return (p + 7) // 8 * 8


def tile_rows(p: int) -> int:
    """The rows of a tile."""
    return 4 if p > _LONGEST else min(max(_TILE // padded(p) // 8 * 8, 8), 64)


def rows_as_read(m: int, y: Codes, weight: Array | None, offset: Array | None) -> tuple[Any, ...]:
    """Labels, weights and offsets of m rows as the loops read them."""
    second = y if y.dtype == np.uint8 else y > 0
    return (
        vector(second, m, np.uint8),
        None if weight is None else vector(weight, m),
        None if offset is None else vector(offset, m),
    )


def _csr(name: str, X: CSR, *given: object) -> Any:
    """What a loop over CSR rows gives back; it is given where they are and how many, and then the rest."""
    m = X.shape[0]
    indptr = vector(X.indptr, m + 1, np.int64)
    size = int(indptr[-1])
    data, indices = vector(X.data[:size], size, X.dtype), X.indices[:size]
    indices = vector(indices, size, indices.dtype)
    loop = function(name, f"{KINDS[X.dtype]}{8 * indices.itemsize}")
    return loop(*map(pointer, (data, indices, indptr)), m, *given)
