"""Compiled loops of the elastic net: coordinate descent on a quadratic, and rows at many points at once.

It imports numba, and is itself imported only where that pays.
"""

from typing import Any

import numpy as np

from ..kernels import exp_minus, jit

A = Any


@jit
def best(q: float, h: float, x: float, l1: float, l2: float, lower: float, upper: float) -> Any:
    """The best value of one coefficient: q is the slope of the quadratic at x, h its curvature."""
    if h + l2 <= 0.0 or l1 == np.inf:
        return x
    u = h * x - q
    size = abs(u) - l1
    new = 0.0 if size <= 0.0 else (size if u > 0 else -size) / (h + l2)
    return min(max(new, lower), upper)


@jit
def descend(H: A, q: A, l1: A, l2: A, lower: A, upper: A, x: A, accuracy: float, sweeps: int) -> Any:
    """Coordinate descent on x, in place; q = H x + c is kept.

    Sweeps over the coefficients that are not settled at 0, and one over all when these have come to rest. True if a
    sweep over all changes nothing by more than `accuracy` times the largest change of the first, measured by h dx^2.
    """
    k = x.size
    active = np.empty(k, np.int64)
    largest = 0.0
    full = True
    n_active = k
    for _ in range(sweeps):
        change = 0.0
        count = 0
        for a in range(k if full else n_active):
            j = a if full else active[a]
            old = x[j]
            new = best(q[j], H[j, j], old, l1[j], l2[j], lower[j], upper[j])
            if new != old:
                d = new - old
                x[j] = new
                change = max(change, (H[j, j] + l2[j]) * d * d)
                row = H[j]
                for i in range(k):
                    q[i] += d * row[i]
            if full and (new != 0.0 or new != old):
                active[count] = j
                count += 1
        if full:
            n_active = count
        if change > largest:
            largest = change
        if change <= accuracy * largest:
            if full:
                return True
            full = True
        else:
            full = False
    return False


@jit
def descend_sparse(
    data: A,
    indices: A,
    indptr: A,
    unit: A,
    columns: A,
    rows: A,
    means: A,
    shift: float,
    g: A,
    curvature: A,
    l1: A,
    l2: A,
    lower: A,
    upper: A,
    x: A,
    accuracy: float,
    sweeps: int,
) -> Any:
    """Coordinate descent on the quadratic model of F, in the columns of a CSC matrix, x in place.

    rows : (n, 2), the curvature of each row beside the change of its score, which is kept
    means : of the columns, weighted by the rows' curvature; zeros without an intercept
    shift : the change of the intercept so far; it follows every other coefficient, which `curvature` and `g` allow for
    unit : (p,) factors on the columns

    Returns the change of the intercept.
    """
    largest = 0.0
    active = columns.copy()
    n_active = active.size
    full = True
    for _ in range(sweeps):
        change = 0.0
        count = 0
        source = columns if full else active
        for a in range(columns.size if full else n_active):
            j = source[a]
            total = 0.0
            start = np.uint64(indptr[j])
            stop = np.uint64(indptr[j + 1])
            for e in range(start, stop):
                i = indices[e]
                total += data[e] * rows[i, 0] * (rows[i, 1] + shift)
            old = x[j]
            new = best(g[j] + unit[j] * total, curvature[j], old, l1[j], l2[j], lower[j], upper[j])
            if new != old:
                d = new - old
                x[j] = new
                change = max(change, (curvature[j] + l2[j]) * d * d)
                shift -= d * means[j]
                weight = d * unit[j]
                for e in range(start, stop):
                    rows[indices[e], 1] += weight * data[e]
            if new != 0.0 or new != old:
                active[count] = j
                count += 1
        n_active = count
        largest = max(largest, change)
        if change <= accuracy * largest:
            if full:
                break
            full = True
        else:
            full = False
    return shift


@jit
def some_products(flat: A, ld: int, by_rows: bool, n: int, columns: A, r: A, out: A) -> None:
    """The products of some columns of a dense matrix with r; `by_rows` for C order."""
    if by_rows:
        out[:] = 0.0
        for i in range(n):
            row = flat[i * ld :]
            ri = r[i]
            for k in range(columns.size):
                out[k] += row[columns[k]] * ri
        return
    for k in range(columns.size):
        x = flat[columns[k] * ld : columns[k] * ld + n]
        total = 0.0
        for i in range(n):
            total += x[i] * r[i]
        out[k] = total


@jit
def row_terms(v: A, sign: A, weight: A, residual: A, curvature: A) -> tuple[float, float]:
    """From scores v: each row's weighted residual and curvature; the loss and the odds, summed."""
    loss = 0.0
    odds = 0.0
    for i in range(v.size):
        s = sign[i]
        u = s * v[i]
        t = np.exp(-abs(u))
        q = 1.0 / (1.0 + t)
        wrong = u < 0
        w = weight[i]
        residual[i] = -s * w * (q if wrong else t * q)
        curvature[i] = w * t * q * q
        loss += w * (np.log1p(t) + (-u if wrong else 0.0))
        odds += w * (1.0 / t if wrong else t)
    return loss, odds


@jit
def many_rows(Z: A, y: A, weight: A | None, offset: A | None, losses: A, odds: A) -> None:
    """Turn scores Z (rows, points) into weighted residuals, in place; add up each point's loss and odds.

    At most 1000 rows: the product of that many factors 1 + e^-|v| is finite, and needs one logarithm.
    """
    rows, points = Z.shape
    product = np.ones(points)
    for i in range(rows):
        s = 1.0 if y[i] > 0 else -1.0
        shift = 0.0 if offset is None else offset[i]
        w = 1.0 if weight is None else weight[i]
        z = Z[i]
        for j in range(points):
            v = s * (z[j] + shift)
            a = min(abs(v), 708.0)
            t = exp_minus(a)
            u = 1.0 / (1.0 + t)
            wrong = v < 0
            z[j] = -s * w * (u if wrong else t * u)
            losses[j] += w * (-v if wrong else 0.0)
            odds[j] += w * (1.0 / t if wrong else t)
            if weight is None:
                product[j] *= 1.0 + t
            else:
                losses[j] += w * np.log1p(t)
    if weight is None:
        for j in range(points):
            losses[j] += np.log(product[j])
