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
def softmax_residuals(Z: A, m: int, y: A, weight: A | None, baseline: bool) -> tuple[float, float]:
    """Turn the scores (F, m or more) of the classes for `m` rows into weighted residuals s (p - 1{own class}).

    Returns the weighted loss, and the weighted odds (1 - p)/p against the own class. With `baseline` class 0 has the
    score 0 and no row of Z. At most 64 rows: the product of that many sums of F + 1 exponentials is finite.
    """
    classes = len(Z)
    own, top = np.empty(m, np.int64), np.empty(m)
    mine, others = np.empty(m), np.empty(m)  # e^(score - top): of the own class, and the sum over the others
    loss = 0.0
    for i in range(m):
        own[i] = np.int64(y[i]) - np.int64(baseline)
        top[i] = 0.0 if baseline else Z[0, i]
    for k in range(classes):
        z = Z[k]
        for i in range(m):
            top[i] = z[i] if z[i] > top[i] else top[i]
    for i in range(m):
        score = Z[own[i], i] if own[i] >= 0 else 0.0
        loss += (1.0 if weight is None else weight[i]) * (top[i] - score)
        zero = exp_minus(min(top[i], 708.0)) if baseline else 0.0
        mine[i] = zero if own[i] < 0 else 0.0
        others[i] = 0.0 if own[i] < 0 else zero
    for k in range(classes):
        z = Z[k]
        for i in range(m):
            a = top[i] - z[i]
            z[i] = exp_minus(708.0 if a > 708.0 else a)
            mine[i] += z[i] if own[i] == k else 0.0
            others[i] += 0.0 if own[i] == k else z[i]
    odds = 0.0
    product = 1.0
    for i in range(m):
        total = mine[i] + others[i]
        if weight is None:
            odds += others[i] / mine[i]
            product *= total
            top[i] = 1.0 / total
        else:
            odds += weight[i] * (others[i] / mine[i])
            loss += weight[i] * math.log(total)
            top[i] = weight[i] / total
    for k in range(classes):
        z = Z[k]
        for i in range(m):
            z[i] = top[i] * (-others[i] if own[i] == k else z[i])
    return loss + math.log(product), odds


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
    """Write the scores of `k` rows, without offset, into Z (F, k)."""
    F, p = coef.shape
    zero = coef.dtype.type(0)
    fours = k // 4 * 4
    for i in range(k):
        for c in range(F):
            Z[c, i] = intercept[c]
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
                Z[c, i] += a0
                Z[c, i + 1] += a1
                Z[c, i + 2] += a2
                Z[c, i + 3] += a3
                Z[c + 1, i] += b0
                Z[c + 1, i + 1] += b1
                Z[c + 1, i + 2] += b2
                Z[c + 1, i + 3] += b3
        for i in range(k):
            for c in range(F // 2 * 2 if i < fours else 0, F):
                x, u = tile[i, start:stop], coef[c, start:stop]
                a = zero
                for j in range(stop - start):
                    a += x[j] * u[j]
                Z[c, i] += a


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
                r0, r1, r2, r3 = R[c, i], R[c, i + 1], R[c, i + 2], R[c, i + 3]
                s0, s1, s2, s3 = R[c + 1, i], R[c + 1, i + 1], R[c + 1, i + 2], R[c + 1, i + 3]
                for j in range(stop - start):
                    g[j] += (r0 * x0[j] + r1 * x1[j]) + (r2 * x2[j] + r3 * x3[j])
                    h[j] += (s0 * x0[j] + s1 * x1[j]) + (s2 * x2[j] + s3 * x3[j])
            if F % 2:
                g = gradient[F - 1, start:stop]
                r0, r1, r2, r3 = R[F - 1, i], R[F - 1, i + 1], R[F - 1, i + 2], R[F - 1, i + 3]
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
    rows = 32 if by_rows else 64
    tile = np.zeros((rows, p), coef.dtype)
    Z = np.empty((F, rows))
    R = np.zeros((F, rows), coef.dtype)
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
                    Z[c, i] += offset[start + i, c + 1] - offset[start + i, 0] if baseline else offset[start + i, c]
        own = None if weight is None else weight[start : start + k]
        more, against = softmax_residuals(Z, k, y[start : start + k], own, baseline)
        loss += more
        odds += against
        R[:, k:] = 0.0
        for c in range(F):
            for i in range(k):
                R[c, i] = Z[c, i]
                by_intercept[c] += Z[c, i]
        class_gradients(tile, (k + 3) // 4 * 4, R, part)
        summed += k
        if summed >= _SUMMED or start + k == m:
            for c in range(F):
                for j in range(p):
                    by_coef[c, j] += part[c, j]
                    part[c, j] = 0.0
            summed = 0
    return loss, odds
