"""Compiled row loops: the loss and its gradient over one block of rows, in one read of X.

`X @ w` followed by `X.T @ r` reads X twice. Here a tile of rows is read once: its scores, then
its residuals and loss, then its share of the gradient, all while the tile is in the cache.
Everything is serial and releases the GIL; threads belong to the caller.

A dense block is given as BLAS does it: one flat array and a leading dimension, so that row slices
of a larger array, C or F ordered, are read where they lie. Scores are taken from `x - center`, as
centring the sums afterwards would cancel badly when a mean is far larger than the spread.

With the sign s = 2y - 1 and the margin v = s z, the loss of one row is log(1 + e^-v) and its
residual (sigmoid(z) - y) is -s / (1 + e^v); both are written with t = e^-|v|, which cannot overflow.

This module imports numba, which is slow to import: it is itself imported only where it pays.
"""

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

A = NDArray[Any]

# Only the flags that keep NaN, infinities and signed zeros right.
_FLAGS = {"contract", "reassoc"}

# Rows of a tile, small enough to stay in the cache between its two uses; long rows stay in the nearest one. A tile in F
# order is taller, since its columns lie far apart. At most 1000: the product of that many factors 1 + e^-|v| is finite.
_TILE_C = 64
_TILE_LONG = 24
_TILE_F = 256
_LONG = 128


def jit(function: Callable[..., Any], **more: bool) -> Any:
    """Compile on first call, without the GIL; cached on disk where a folder can be written."""
    options: dict[str, Any] = {"nogil": True, "fastmath": _FLAGS, "error_model": "numpy", **more}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # a read-only container
        return numba.njit(**options)(function)


def inner(function: Callable[..., Any]) -> Any:
    """The same for what only compiled functions call: with no way in from Python it compiles a third faster."""
    return jit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


# e^-a = 2^n e^r with |r| <= log(2)/2: Cody and Waite's reduction, log(2) in two parts.
_LOG2_E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10


@jit
def exp_minus(a: float) -> Any:
    """e^-a for 0 <= a <= 708 within 2 ulp: Taylor's series to r^13, the exponent put in as bits."""
    n = np.rint(-a * _LOG2_E)
    r = (-a - n * _LN2_HIGH) - n * _LN2_LOW
    p = 1.6059043836821613e-10
    p = p * r + 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 0.0001984126984126984
    p = p * r + 0.001388888888888889
    p = p * r + 0.008333333333333333
    p = p * r + 0.041666666666666664
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * np.int64((np.int64(n) + np.int64(1023)) << np.int64(52)).view(np.float64)  # 2^n


@jit
def residuals(z: A, y: A, weight: A | None, m: int, r: A) -> float:
    """Write the weighted residuals of `m` rows into `r`; return their weighted loss.

    The comparisons are written so that a NaN score stays NaN.
    """
    loss = 0.0
    product = 1.0
    if weight is None:
        # One logarithm a tile: the log of a product of factors in [1, 2].
        for i in range(m):
            s = 1.0 if y[i] > 0 else -1.0
            v = s * z[i]
            a = abs(v)
            t = exp_minus(708.0 if a > 708.0 else a)
            r[i] = -s * (t if v >= 0 else 1.0) / (1.0 + t)
            loss += -v if v < 0 else 0.0
            product *= 1.0 + t
        if product > 3.0:
            return loss + math.log(product)
        # All factors are close to 1: keep the digits that their product drops.
        for i in range(m):
            loss += math.log1p(math.exp(-abs(z[i])))
        return loss
    for i in range(m):
        s = 1.0 if y[i] > 0 else -1.0
        v = s * z[i]
        t = math.exp(-abs(v))
        r[i] = -s * weight[i] * (t if v >= 0 else 1.0) / (1.0 + t)
        loss += weight[i] * (math.log1p(t) + (-v if v < 0 else 0.0))
    return loss


@jit
def scores_c(flat: A, ld: int, start: int, k: int, center: A, coef: A, z: A) -> None:
    """Write the scores of `k` rows from row `start`, without the intercept, into `z`: four rows at a time."""
    p = coef.size
    # Long rows stream from memory faster one by one.
    together = k // 4 * 4 if p < _LONG else 0
    for i in range(0, together, 4):
        o = (start + i) * ld
        x0 = flat[o : o + p]
        x1 = flat[o + ld : o + ld + p]
        x2 = flat[o + 2 * ld : o + 2 * ld + p]
        x3 = flat[o + 3 * ld : o + 3 * ld + p]
        a0 = a1 = a2 = a3 = 0.0
        for j in range(p):
            w = coef[j]
            c = center[j]
            a0 += (x0[j] - c) * w
            a1 += (x1[j] - c) * w
            a2 += (x2[j] - c) * w
            a3 += (x3[j] - c) * w
        z[i] = a0
        z[i + 1] = a1
        z[i + 2] = a2
        z[i + 3] = a3
    for i in range(together, k):
        o = (start + i) * ld
        x0 = flat[o : o + p]
        a0 = 0.0
        for j in range(p):
            a0 += (x0[j] - center[j]) * coef[j]
        z[i] = a0


@jit
def rows_c(
    flat: A,
    ld: int,
    m: int,
    y: A,
    weight: A | None,
    offset: A | None,
    center: A,
    coef: A,
    intercept: float,
    gradient: A,
) -> tuple[float, float]:
    """Loss and residual sum of `m` rows in C order; adds to `gradient` (p,) in place."""
    p = coef.size
    rows = _TILE_C if p < 16 else _TILE_LONG
    z = np.empty(rows)
    r = np.empty(rows)
    loss = 0.0
    residual_sum = 0.0
    for start in range(0, m, rows):
        k = min(rows, m - start)
        k4 = k // 4 * 4
        scores_c(flat, ld, start, k, center, coef, z)
        for i in range(k):
            z[i] += intercept
        if offset is not None:
            for i in range(k):
                z[i] += offset[start + i]
        stop = start + k
        loss += residuals(z, y[start:stop], None if weight is None else weight[start:stop], k, r)
        for i in range(0, k4, 4):
            o = (start + i) * ld
            x0 = flat[o : o + p]
            x1 = flat[o + ld : o + ld + p]
            x2 = flat[o + 2 * ld : o + 2 * ld + p]
            x3 = flat[o + 3 * ld : o + 3 * ld + p]
            r0 = r[i]
            r1 = r[i + 1]
            r2 = r[i + 2]
            r3 = r[i + 3]
            residual_sum += (r0 + r1) + (r2 + r3)
            for j in range(p):
                c = center[j]
                gradient[j] += (r0 * (x0[j] - c) + r1 * (x1[j] - c)) + (r2 * (x2[j] - c) + r3 * (x3[j] - c))
        for i in range(k4, k):
            o = (start + i) * ld
            x0 = flat[o : o + p]
            residual_sum += r[i]
            for j in range(p):
                gradient[j] += r[i] * (x0[j] - center[j])
    return loss, residual_sum


@jit
def rows_f(
    flat: A,
    ld: int,
    m: int,
    y: A,
    weight: A | None,
    offset: A | None,
    center: A,
    coef: A,
    intercept: float,
    gradient: A,
) -> tuple[float, float]:
    """The same as `rows_c` for a block in F order: columns are added to the scores, four at a time."""
    p = coef.size
    p4 = p // 4 * 4
    z = np.empty(_TILE_F)
    r = np.empty(_TILE_F)
    loss = 0.0
    residual_sum = 0.0
    for start in range(0, m, _TILE_F):
        k = min(_TILE_F, m - start)
        stop = start + k
        for i in range(k):
            z[i] = intercept
        if offset is not None:
            for i in range(k):
                z[i] += offset[start + i]
        for j in range(0, p4, 4):
            o = j * ld
            x0 = flat[o + start : o + stop]
            x1 = flat[o + ld + start : o + ld + stop]
            x2 = flat[o + 2 * ld + start : o + 2 * ld + stop]
            x3 = flat[o + 3 * ld + start : o + 3 * ld + stop]
            w0, w1, w2, w3 = coef[j], coef[j + 1], coef[j + 2], coef[j + 3]
            if w0 == 0.0 and w1 == 0.0 and w2 == 0.0 and w3 == 0.0:  # of a lasso nearly all
                continue
            c0, c1, c2, c3 = center[j], center[j + 1], center[j + 2], center[j + 3]
            for i in range(k):
                z[i] += ((x0[i] - c0) * w0 + (x1[i] - c1) * w1) + ((x2[i] - c2) * w2 + (x3[i] - c3) * w3)
        for j in range(p4, p):
            x0 = flat[j * ld + start : j * ld + stop]
            for i in range(k):
                z[i] += (x0[i] - center[j]) * coef[j]
        loss += residuals(z, y[start:stop], None if weight is None else weight[start:stop], k, r)
        for i in range(k):
            residual_sum += r[i]
        for j in range(0, p4, 4):
            o = j * ld
            x0 = flat[o + start : o + stop]
            x1 = flat[o + ld + start : o + ld + stop]
            x2 = flat[o + 2 * ld + start : o + 2 * ld + stop]
            x3 = flat[o + 3 * ld + start : o + 3 * ld + stop]
            c0, c1, c2, c3 = center[j], center[j + 1], center[j + 2], center[j + 3]
            g0 = g1 = g2 = g3 = 0.0
            for i in range(k):
                g0 += r[i] * (x0[i] - c0)
                g1 += r[i] * (x1[i] - c1)
                g2 += r[i] * (x2[i] - c2)
                g3 += r[i] * (x3[i] - c3)
            gradient[j] += g0
            gradient[j + 1] += g1
            gradient[j + 2] += g2
            gradient[j + 3] += g3
        for j in range(p4, p):
            x0 = flat[j * ld + start : j * ld + stop]
            g0 = 0.0
            for i in range(k):
                g0 += r[i] * (x0[i] - center[j])
            gradient[j] += g0
    return loss, residual_sum


@jit
def rows_csr(
    data: A, indices: A, indptr: A, y: A, weight: A | None, offset: A | None, pairs: A, intercept: float
) -> tuple[float, float]:
    """Loss and residual sum of CSR rows; `pairs` (p, 2) holds coefficients and gathers the gradient.

    A coefficient and its gradient share a cache line, as both are wanted within a few rows. The
    indices are unsigned, which spares the test for negative ones. Rows may start anywhere in `data`.
    """
    m = indptr.size - 1
    base = indptr[0]
    z = np.empty(_TILE_C)
    r = np.empty(_TILE_C)
    loss = 0.0
    residual_sum = 0.0
    for start in range(0, m, _TILE_C):
        k = min(_TILE_C, m - start)
        stop = start + k
        for i in range(k):
            a0 = intercept
            for e in range(np.uint64(indptr[start + i] - base), np.uint64(indptr[start + i + 1] - base)):
                a0 += data[e] * pairs[indices[e], 0]
            z[i] = a0
        if offset is not None:
            for i in range(k):
                z[i] += offset[start + i]
        loss += residuals(z, y[start:stop], None if weight is None else weight[start:stop], k, r)
        for i in range(k):
            residual_sum += r[i]
            ri = r[i]
            for e in range(np.uint64(indptr[start + i] - base), np.uint64(indptr[start + i + 1] - base)):
                pairs[indices[e], 1] += data[e] * ri
    return loss, residual_sum


@jit
def curvature_csr(
    data: A, indices: A, indptr: A, y: A, weight: A | None, offset: A | None, table: A, intercept: float
) -> tuple[float, float, float]:
    """Loss, residual sum and sum(h) of CSR rows, h = s p (1 - p).

    `table` (p, 4), half a cache line a column, holds coefficients and gathers the gradient, sum(h x) and sum(h x^2).
    """
    m = indptr.size - 1
    base = indptr[0]
    z = np.empty(_TILE_C)
    r = np.empty(_TILE_C)
    loss = 0.0
    residual_sum = 0.0
    total = 0.0
    for start in range(0, m, _TILE_C):
        k = min(_TILE_C, m - start)
        stop = start + k
        for i in range(k):
            z[i] = intercept + (0.0 if offset is None else offset[start + i])
            for e in range(np.uint64(indptr[start + i] - base), np.uint64(indptr[start + i + 1] - base)):
                z[i] += data[e] * table[indices[e], 0]
        loss += residuals(z, y[start:stop], None if weight is None else weight[start:stop], k, r)
        for i in range(k):
            t = math.exp(-abs(z[i]))
            h = t / ((1.0 + t) * (1.0 + t))
            if weight is not None:
                h *= weight[start + i]
            ri = r[i]
            residual_sum += ri
            total += h
            for e in range(np.uint64(indptr[start + i] - base), np.uint64(indptr[start + i + 1] - base)):
                x = data[e]
                j = indices[e]
                table[j, 1] += ri * x
                table[j, 2] += h * x
                table[j, 3] += h * x * x
    return loss, residual_sum, total


@jit
def moments_c(flat: A, ld: int, m: int, weight: A | None, center: A, unit: A, first: A, second: A) -> float:
    """Add the weighted sums of d and d^2, d = (x - center) / unit, of `m` rows in C order to `first` and `second` (p,).

    Returns the sum of the weights. A few rows are summed on their own first, so that no digits are lost with many rows.
    """
    p = center.size
    total = 0.0
    inverse = 1.0 / unit
    d1 = np.empty(p)
    d2 = np.empty(p)
    for start in range(0, m, _TILE_C):
        stop = min(start + _TILE_C, m)
        d1[:] = 0.0
        d2[:] = 0.0
        for i in range(start, stop):
            w = 1.0 if weight is None else weight[i]
            total += w
            x = flat[i * ld : i * ld + p]
            for j in range(p):
                d = (x[j] - center[j]) * inverse[j]
                d1[j] += w * d
                d2[j] += w * d * d
        for j in range(p):
            first[j] += d1[j]
            second[j] += d2[j]
    return total


@jit
def moments_f(flat: A, ld: int, m: int, weight: A | None, center: A, unit: A, first: A, second: A) -> float:
    """The same as `moments_c` for a block in F order."""
    for j in range(center.size):
        x = flat[j * ld : j * ld + m]
        c = center[j]
        inverse = 1.0 / unit[j]
        d1 = 0.0
        d2 = 0.0
        for i in range(m):
            w = 1.0 if weight is None else weight[i]
            d = (x[i] - c) * inverse
            d1 += w * d
            d2 += w * d * d
        first[j] += d1
        second[j] += d2
    total = float(m)
    if weight is not None:
        total = 0.0
        for i in range(m):
            total += weight[i]
    return total
