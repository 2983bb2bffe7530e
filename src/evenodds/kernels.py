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

# Rows of a tile, small enough to stay in the cache between its two uses. A tile in F order is taller,
# since its columns lie far apart. At most 1000: the product of that many factors 1 + e^-|v| is finite.
_TILE_C = 64
_TILE_F = 256
_LONG = 128
_COLUMNS = 512  # of a tile at a time: with those of all classes they stay near
_SUMMED = 512  # rows whose gradient is summed in the precision of the products


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
        if product > 1.5:
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
    z = np.empty(_TILE_C)
    r = np.empty(_TILE_C)
    loss = 0.0
    residual_sum = 0.0
    for start in range(0, m, _TILE_C):
        k = min(_TILE_C, m - start)
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


# Several classes. A tile of rows is copied, less the center and in the precision of the coefficients, and used for the
# scores of all classes and for all their gradients. Two classes and four rows at a time share what is loaded.


@jit
def softmax_residuals(Z: A, y: A, weight: A | None, baseline: bool) -> tuple[float, float]:
    """Turn the scores (m, F) of the classes into weighted residuals s (p - 1{own class}).

    Returns the weighted loss, and the weighted odds (1 - p)/p against the own class. With `baseline` class 0 has the
    score 0 and no column.
    """
    m, classes = Z.shape
    loss = 0.0
    odds = 0.0
    for i in range(m):
        z = Z[i]
        own = np.int64(y[i]) - np.int64(baseline)
        top = 0.0 if baseline else z[0]
        for k in range(classes):
            top = z[k] if z[k] > top else top
        score = z[own] if own >= 0 else 0.0
        others = exp_minus(min(top, 708.0)) if baseline else 0.0
        mine = others
        for k in range(classes):
            a = top - z[k]
            z[k] = exp_minus(708.0 if a > 708.0 else a)
            if k == own:
                mine = z[k]
            else:
                others += z[k]
        if own < 0:
            others -= mine
        total = mine + others
        w = 1.0 if weight is None else weight[i]
        odds += w * (others / mine)
        for k in range(classes):
            z[k] *= w / total
        if own >= 0:
            z[own] -= w
        loss += w * (math.log(total) - (score - top))
    return loss, odds


@inner
def centred_rows(flat: A, ld: int, by_rows: bool, start: int, k: int, center: A, tile: A) -> None:
    """Copy `k` rows from row `start`, less the center."""
    p = center.size
    if by_rows:
        for i in range(k):
            o = (start + i) * ld
            x = flat[o : o + p]
            row = tile[i]
            for j in range(p):
                row[j] = x[j] - center[j]
        return
    for j in range(p):
        o = j * ld + start
        x = flat[o : o + k]
        for i in range(k):
            tile[i, j] = x[i] - center[j]


@inner
def class_scores(tile: A, k: int, coef: A, intercept: A, Z: A) -> None:
    """Write the scores of `k` rows, without offset, into Z (k, F)."""
    F, p = coef.shape
    zero = coef.dtype.type(0)
    fours = k // 4 * 4
    for i in range(k):
        for c in range(F):
            Z[i, c] = intercept[c]
    for start in range(0, p, _COLUMNS):
        stop = min(p, start + _COLUMNS)
        for i in range(0, fours, 4):
            x0, x1 = tile[i, start:stop], tile[i + 1, start:stop]
            x2, x3 = tile[i + 2, start:stop], tile[i + 3, start:stop]
            for c in range(0, F - 1, 2):
                u, v = coef[c, start:stop], coef[c + 1, start:stop]
                a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zero
                for j in range(stop - start):
                    a0 += x0[j] * u[j]
                    a1 += x1[j] * u[j]
                    a2 += x2[j] * u[j]
                    a3 += x3[j] * u[j]
                    b0 += x0[j] * v[j]
                    b1 += x1[j] * v[j]
                    b2 += x2[j] * v[j]
                    b3 += x3[j] * v[j]
                Z[i, c] += a0
                Z[i + 1, c] += a1
                Z[i + 2, c] += a2
                Z[i + 3, c] += a3
                Z[i, c + 1] += b0
                Z[i + 1, c + 1] += b1
                Z[i + 2, c + 1] += b2
                Z[i + 3, c + 1] += b3
        for i in range(k):
            for c in range(F // 2 * 2 if i < fours else 0, F):
                x, u = tile[i, start:stop], coef[c, start:stop]
                a = zero
                for j in range(stop - start):
                    a += x[j] * u[j]
                Z[i, c] += a


@inner
def class_gradients(tile: A, k: int, R: A, gradient: A) -> None:
    """Add R' x of `k` rows, a multiple of 4, to the gradient (F, p)."""
    F, p = gradient.shape
    for start in range(0, p, _COLUMNS):
        stop = min(p, start + _COLUMNS)
        for i in range(0, k, 4):
            x0, x1 = tile[i, start:stop], tile[i + 1, start:stop]
            x2, x3 = tile[i + 2, start:stop], tile[i + 3, start:stop]
            for c in range(0, F - 1, 2):
                g, h = gradient[c, start:stop], gradient[c + 1, start:stop]
                r0, r1, r2, r3 = R[i, c], R[i + 1, c], R[i + 2, c], R[i + 3, c]
                s0, s1, s2, s3 = R[i, c + 1], R[i + 1, c + 1], R[i + 2, c + 1], R[i + 3, c + 1]
                for j in range(stop - start):
                    g[j] += (r0 * x0[j] + r1 * x1[j]) + (r2 * x2[j] + r3 * x3[j])
                    h[j] += (s0 * x0[j] + s1 * x1[j]) + (s2 * x2[j] + s3 * x3[j])
            if F % 2:
                g = gradient[F - 1, start:stop]
                r0, r1, r2, r3 = R[i, F - 1], R[i + 1, F - 1], R[i + 2, F - 1], R[i + 3, F - 1]
                for j in range(stop - start):
                    g[j] += (r0 * x0[j] + r1 * x1[j]) + (r2 * x2[j] + r3 * x3[j])


@jit
def softmax_rows(
    flat: A,
    ld: int,
    by_rows: bool,
    m: int,
    y: A,
    weight: A | None,
    offset: A | None,
    baseline: bool,
    center: A,
    coef: A,
    intercept: A,
    by_intercept: A,
    by_coef: A,
) -> tuple[float, float]:
    """The summed loss and odds of `m` dense rows; its gradients are added to `by_intercept` (F,) and `by_coef` (F, p).

    offset : (m, K), of all classes
    """
    F, p = coef.shape
    rows = 16 if by_rows else 64
    tile = np.zeros((rows, p), coef.dtype)
    Z = np.empty((rows, F))
    R = np.zeros((rows, F), coef.dtype)
    part = np.zeros((F, p), coef.dtype)
    loss = 0.0
    odds = 0.0
    summed = 0
    for start in range(0, m, rows):
        k = min(rows, m - start)
        centred_rows(flat, ld, by_rows, start, k, center, tile)
        class_scores(tile, k, coef, intercept, Z)
        if offset is not None:
            for i in range(k):
                for c in range(F):
                    Z[i, c] += offset[start + i, c + 1] - offset[start + i, 0] if baseline else offset[start + i, c]
        own = None if weight is None else weight[start : start + k]
        more, against = softmax_residuals(Z[:k], y[start : start + k], own, baseline)
        loss += more
        odds += against
        R[k:] = 0.0
        for i in range(k):
            for c in range(F):
                R[i, c] = Z[i, c]
                by_intercept[c] += Z[i, c]
        class_gradients(tile, (k + 3) // 4 * 4, R, part)
        summed += k
        if summed >= _SUMMED or start + k == m:
            for c in range(F):
                for j in range(p):
                    by_coef[c, j] += part[c, j]
                    part[c, j] = 0.0
            summed = 0
    return loss, odds
