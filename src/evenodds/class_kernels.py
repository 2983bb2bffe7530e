"""Compiled row loops of more than two classes: the softmax loss and its gradients over a block of dense rows.

A tile of rows is copied, less the center and in the precision of the coefficients, and used for the scores of all
classes and for all their gradients: X is read once. Two classes and four rows at a time share what is loaded.

As `kernels`, imported only where it pays.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels import exp_minus, inner, jit

A = NDArray[Any]

_COLUMNS = 512  # of a tile at a time: with those of all classes they stay near
_SUMMED = 512  # rows whose gradient is summed in the precision of the products


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
