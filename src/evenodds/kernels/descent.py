"""Loops of the elastic net: coordinate descent, products with columns, and rows at many points at once."""

import numpy as np

from ..arrays import Array, Codes, Floats, Mask, Numbers
from .library import function, in_place, pointer, vector
from .rows import layout

Bounds = tuple[Array, Array, Array, Array]


def descend(H: Floats, q: Array, bounds: Bounds, x: Array, accuracy: float, sweeps: int) -> bool:
    """Coordinate descent on x, in place: whether it came to rest.

    H : (k, k) or larger, float32 or float64; q : (k,) the slope of the quadratic at x, which is kept
    bounds : l1, l2, lower and upper of the penalty, (k,) each
    accuracy : the square of the last changes over that of the largest
    sweeps : how many at the most, turns of conjugate gradients among them
    """
    by_rows, kind, ld = layout(H)
    k = x.size
    if not by_rows or min(H.shape) < k:
        raise ValueError(f"Coordinate descent on {k} numbers was given a matrix of shape {H.shape}.")
    parts = [vector(part, k) for part in bounds]
    active, room = np.empty(k, np.int64), np.empty(2 * k)
    numbers = map(pointer, (vector(q, k), *parts, in_place(x, k)))
    return bool(
        function("descend", kind)(pointer(H), ld, k, *numbers, accuracy, sweeps, pointer(active), pointer(room))
    )


def some_products(X: Floats, columns: Numbers, r: Array) -> Array:
    """The products of some columns of a dense matrix with r."""
    by_rows, kind, ld = layout(X)
    columns, out = vector(columns, columns.size, np.int64), np.empty(columns.size)
    if columns.size and not 0 <= int(columns.min()) <= int(columns.max()) < X.shape[1]:
        raise ValueError(f"Columns from {columns.min()} to {columns.max()} of {X.shape[1]}.")
    r = vector(r, X.shape[0])
    loop = function("some_products", kind)
    loop(pointer(X), ld, by_rows, X.shape[0], pointer(columns), columns.size, pointer(r), pointer(out))
    return out


def all_products(X: Floats, R: Array) -> Array:
    """The products of all columns of a dense matrix with the rows of R, (m, n): one read of X; (m, k)."""
    by_rows, kind, ld = layout(X)
    n, k = X.shape
    out, R = np.empty((len(R), k)), vector(R, len(R) * n)
    function("all_products", kind)(pointer(X), ld, by_rows, n, k, pointer(R), len(out), pointer(out))
    return out


def beyond_bounds(a: Array, products: Array, rest: float, lengths: Array, limit: Array, skip: Mask) -> Numbers:
    """The columns j, not in `skip`, for which |sum_i a_i products_ij| + rest lengths_j is more than limit_j."""
    m, k = products.shape
    a, products = vector(a, m), vector(products, m * k)
    lengths, limit, skip = vector(lengths, k), vector(limit, k), vector(skip, k, np.bool_)
    found = np.empty(k, np.int64)
    rest_of = map(pointer, (lengths, limit, skip, found))
    count = function("beyond_bounds")(pointer(a), pointer(products), m, k, k, rest, *rest_of)
    return found[:count].astype(np.intp, copy=False)


def row_sums(v: Array, sign: Array, weight: Array) -> tuple[float, float, Array, Array]:
    """Of scores v, sign s = 2y - 1: the loss and the odds, summed; each row's weighted residual and curvature."""
    n = v.size
    v, sign, weight = vector(v, n), vector(sign, n), vector(weight, n)
    residual, curvature, out = np.empty(n), np.empty(n), np.empty(2)
    function("row_sums")(*map(pointer, (v, sign, weight)), n, *map(pointer, (residual, curvature, out)))
    return float(out[0]), float(out[1]), residual, curvature


def many_rows(Z: Array, y: Codes, weight: Array | None, offset: Array | None, losses: Array, odds: Array) -> None:
    """Turn scores Z (rows, points) into weighted residuals, in place; add up each point's loss and odds."""
    m, points = Z.shape
    y = vector(y if y.dtype == np.uint8 else y > 0, m, np.uint8)
    weight = None if weight is None else vector(weight, m)
    offset = None if offset is None else vector(offset, m)
    totals = (in_place(losses, points), in_place(odds, points))
    function("many_rows")(pointer(in_place(Z, m * points)), m, points, *map(pointer, (y, weight, offset, *totals)))
