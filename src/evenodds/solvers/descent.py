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
    """Coordinate descent on x, in place; q, the slope of the quadratic there, is kept. H may be larger than x is.

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
def all_products(flat: A, ld: int, by_rows: bool, n: int, R: A, out: A) -> None:
    """The products of all columns with the rows of R, (m, n): one read of the columns; out is (m, k)."""
    m, k = out.shape
    if not by_rows:
        for j in range(k):
            x = flat[j * ld : j * ld + n]
            for a in range(0, m - 1, 2):
                r0, r1 = R[a], R[a + 1]
                t0 = t1 = 0.0
                for i in range(n):
                    t0 += x[i] * r0[i]
                    t1 += x[i] * r1[i]
                out[a, j], out[a + 1, j] = t0, t1
            if m % 2:
                r0 = R[m - 1]
                t0 = 0.0
                for i in range(n):
                    t0 += x[i] * r0[i]
                out[m - 1, j] = t0
        return
    out[:] = 0.0
    whole = n - n % 4
    for i in range(0, whole, 4):
        x0 = flat[i * ld : i * ld + k]
        x1 = flat[(i + 1) * ld : (i + 1) * ld + k]
        x2 = flat[(i + 2) * ld : (i + 2) * ld + k]
        x3 = flat[(i + 3) * ld : (i + 3) * ld + k]
        for a in range(m):
            r0, r1, r2, r3 = R[a, i], R[a, i + 1], R[a, i + 2], R[a, i + 3]
            row = out[a]
            for j in range(k):
                row[j] += (r0 * x0[j] + r1 * x1[j]) + (r2 * x2[j] + r3 * x3[j])
    for i in range(whole, n):
        x = flat[i * ld : i * ld + k]
        for a in range(m):
            ri = R[a, i]
            row = out[a]
            for j in range(k):
                row[j] += ri * x[j]


@jit
def beyond_bounds(a: A, products: A, rest: float, lengths: A, limit: A, skip: A) -> A:
    """The columns j, not in `skip`, for which |sum_i a_i products_ij| + rest lengths_j is more than limit_j."""
    m, k = products.shape
    found = np.empty(k, np.int64)
    count = 0
    guess = np.empty(512)
    for start in range(0, k, 512):
        size = min(512, k - start)
        guess[:] = 0.0
        for i in range(m):
            row = products[i, start : start + size]
            for j in range(size):
                guess[j] += a[i] * row[j]
        for j in range(size):
            if abs(guess[j]) + rest * lengths[start + j] > limit[start + j] and not skip[start + j]:
                found[count] = start + j
                count += 1
    return found[:count]


@jit
def row_terms(v: A, sign: A, weight: A, residual: A, curvature: A) -> tuple[float, float]:
    """From scores v: each row's weighted residual and curvature; the loss and the odds, summed."""
    odds = 0.0
    for i in range(v.size):
        s = sign[i]
        u = s * v[i]
        t = exp_minus(min(abs(u), 708.0))
        q = 1.0 / (1.0 + t)
        wrong = u < 0
        w = weight[i]
        residual[i] = -s * w * (q if wrong else t * q)
        curvature[i] = w * t * q * q
        odds += w * (1.0 / t if wrong else t)
    loss = 0.0
    for i in range(v.size):
        u = sign[i] * v[i]
        loss += weight[i] * (np.log1p(exp_minus(min(abs(u), 708.0))) + max(-u, 0.0))
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
