"""Compiled proximal Newton for the whole path of small data, where calls of NumPy would cost more than their sums.

Each fit starts from the last two, extended along the path. A step minimises the quadratic model of F plus the penalty;
the matrix of the model is the Hessian where it was last made, kept as long as a step still leaves less than a tenth of
the duality gap. Most evaluations are therefore gradients alone.

Rows are given as columns of `D` (k, n), those of `SignedRows.D`, so that each coefficient has its numbers in one piece;
weights add up to 1. It imports numba, and is itself imported only where that pays. Small functions keep the time to
compile them short.
"""

import math
from typing import Any

import numpy as np

from ..kernels import exp_minus, inner, jit

A = Any

_SLOW = 0.1  # a step that leaves more of the gap asks for the Hessian anew
_ACCURACY = 1e-4  # of each step: the violation that it leaves of the model's conditions of optimality
_TURNS = 100
_FACES = 20
_JITTER = 1e-10  # of the diagonal: collinear columns can be factored, and the step still points downhill


@inner
def evaluate(D: A, weight: A, offset: A, theta: A, work: A, g: A, first: A) -> Any:
    """F and the mean odds (see `Penalty.gap`) at theta; the gradient in `g`, column 0 of the Hessian in `first`.

    work : (4, n); its row 1 holds the curvature of each row afterwards
    """
    k, n = D.shape
    v, h, r, c = work[0], work[1], work[2], work[3]
    for i in range(n):
        v[i] = offset[i]
    for j in range(k):
        b = theta[j]
        if b != 0.0:
            x = D[j]
            for i in range(n):
                v[i] += b * x[i]
    loss = 0.0
    odds = 0.0
    x = D[0]
    for i in range(n):
        t = exp_minus(min(abs(v[i]), 708.0))
        u = 1.0 / (1.0 + t)
        w = weight[i]
        wrong = v[i] < 0.0
        r[i] = w * u * (1.0 if wrong else t)
        h[i] = w * t * u * u
        c[i] = h[i] * x[i]
        loss += w * (-v[i] if wrong else 0.0)
        odds += w * (1.0 / t if wrong else t)
        v[i] = 1.0 + t
    product = 1.0
    for i in range(n):  # one logarithm for many rows of one weight
        product *= v[i]
        if product > 1e250 or i == n - 1 or weight[i + 1] != weight[i]:
            loss += weight[i] * math.log(product)
            product = 1.0
    for j in range(k):
        x = D[j]
        slope = 0.0
        bend = 0.0
        for i in range(n):
            slope -= x[i] * r[i]
            bend += x[i] * c[i]
        g[j] = slope
        first[j] = bend
    return loss, odds


@inner
def hessian(D: A, h: A, scaled: A, H: A) -> None:
    """The Hessian of F for the curvatures h of the rows."""
    k, n = D.shape
    for a in range(k):
        x = D[a]
        for i in range(n):
            scaled[i] = h[i] * x[i]
        for b in range(a + 1):
            y = D[b]
            total = 0.0
            for i in range(n):
                total += scaled[i] * y[i]
            H[a, b] = total
            H[b, a] = total


@inner
def sweep(H: A, q: A, l1: A, l2: A, lower: A, upper: A, x: A) -> None:
    """Coordinate descent, once over all coefficients; q, the slopes of the quadratic at x, is kept."""
    for j in range(x.size):
        bend = H[j, j] + l2[j]
        if bend <= 0.0 or l1[j] == np.inf:
            continue
        u = H[j, j] * x[j] - q[j]
        size = abs(u) - l1[j]
        new = 0.0 if size <= 0.0 else (size if u > 0 else -size) / bend
        new = min(max(new, lower[j]), upper[j])
        d = new - x[j]
        if d != 0.0:
            x[j] = new
            row = H[j]
            for i in range(x.size):
                q[i] += d * row[i]


@inner
def violation(q: A, l1: A, l2: A, lower: A, upper: A, x: A) -> float:
    """The largest of `Penalty.violation`."""
    most = 0.0
    for j in range(x.size):
        slope = q[j] + l2[j] * x[j]
        right = slope + (l1[j] if x[j] >= 0.0 else -l1[j])
        left = slope + (l1[j] if x[j] > 0.0 else -l1[j])
        if l1[j] < np.inf and x[j] < upper[j]:
            most = max(most, -right)
        if l1[j] < np.inf and x[j] > lower[j]:
            most = max(most, left)
    return most


@inner
def newton_step(H: A, q: A, l1: A, l2: A, x: A, at: A, m: int, L: A, d: A) -> None:
    """The step d of the first m coefficients of `at` to the least value with their signs as they are.

    By a Cholesky factor, in `L`. What depends on others but for rounding stays where it is.
    """
    for a in range(m):
        j = at[a]
        d[a] = -(q[j] + l2[j] * x[j] + (l1[j] if x[j] > 0.0 else -l1[j]))
        for b in range(a + 1):
            total = H[j, at[b]]
            if a == b:
                total += _JITTER * total + l2[j]
            for c in range(b):
                total -= L[a, c] * L[b, c]
            if a == b:
                L[a, a] = math.sqrt(total) if total > 0.0 else np.inf
            else:
                L[a, b] = total / L[b, b]
        for c in range(a):
            d[a] -= L[a, c] * d[c]
        d[a] /= L[a, a]
    for a in range(m - 1, -1, -1):
        d[a] /= L[a, a]
        for c in range(a):
            d[c] -= L[a, c] * d[a]


@inner
def along_face(H: A, q: A, l1: A, l2: A, lower: A, upper: A, x: A, at: A, L: A, d: A) -> Any:
    """A Newton step of what is inside, which ends where the first coefficient comes to 0 or to a bound.

    True if none does.
    """
    m = np.int64(0)
    for j in range(x.size):
        if (x[j] != 0.0 or l1[j] == 0.0) and lower[j] < x[j] < upper[j] and l1[j] < np.inf:
            at[m] = j
            m += 1
    newton_step(H, q, l1, l2, x, at, m, L, d)
    t = 1.0
    first = -1
    end = 0.0
    for a in range(m):
        j = at[a]
        limit = upper[j] if d[a] > 0.0 else lower[j]
        if l1[j] > 0.0 and x[j] * d[a] < 0.0 and limit * x[j] < 0.0:
            limit = 0.0
        if abs(d[a]) * t >= abs(limit - x[j]):
            t = (limit - x[j]) / d[a]
            first = a
            end = limit
    for a in range(m):
        j = at[a]
        new = end if a == first else x[j] + t * d[a]
        step = new - x[j]
        x[j] = new
        row = H[j]
        for i in range(x.size):
            q[i] += step * row[i]
    return first < 0


@inner
def minimize_model(H: A, q: A, l1: A, l2: A, lower: A, upper: A, x: A, at: A, L: A, d: A) -> None:
    """Minimise the quadratic with slopes q at x, and the penalty, in place: descent finds signs, Newton the values."""
    goal = _ACCURACY * violation(q, l1, l2, lower, upper, x)
    for _ in range(_TURNS):
        sweep(H, q, l1, l2, lower, upper, x)
        for _ in range(_FACES):
            if along_face(H, q, l1, l2, lower, upper, x, at, L, d):
                break
        if violation(q, l1, l2, lower, upper, x) <= goal:
            break


@inner
def penalty_value(theta: A, l1: A, l2: A) -> float:
    """Omega."""
    total = 0.0
    for j in range(theta.size):
        if theta[j] != 0.0:
            total += l1[j] * abs(theta[j]) + 0.5 * l2[j] * theta[j] * theta[j]
    return total


@inner
def dual_gap(theta: A, g: A, first: A, H: A, l1: A, l2: A, lower: A, upper: A, loss: float, odds: float, v: A) -> Any:
    """`Penalty.gap` where at most coefficient 0 is without penalty and bounds; the others' share is only estimated.

    first : column 0 of the Hessian at theta; H : about the Hessian; v : (k,) room for the dual point
    """
    k = theta.size
    is_free = l1[0] == 0.0 and l2[0] == 0.0 and lower[0] < theta[0] < upper[0] and first[0] > 0.0
    step = g[0] / first[0] if is_free else 0.0
    base = 0.5 * (1.0 + abs(step)) * step * g[0] if abs(step) <= 1.0 else np.inf  # see `freed_gap`
    needed = 1.0
    within = 1.0
    for j in range(k):
        v[j] = first[j] * step - g[j]
        inside = l1[j] == 0.0 and l2[j] == 0.0 and lower[j] < theta[j] < upper[j]
        if inside and (H[j, j] > 0.0 if j > 0 else is_free):
            base += 0.5 * g[j] * g[j] / H[j, j] if j > 0 else 0.0
            v[j] = 0.0
        elif abs(v[j]) > l1[j]:
            within = min(within, l1[j] / abs(v[j]))
            if l2[j] == 0.0 and abs(upper[j] if v[j] > 0.0 else lower[j]) == np.inf:
                needed = min(needed, l1[j] / abs(v[j]))
    least = np.inf
    for c in (needed, within):
        total = min((1.0 - c) * loss, 0.5 * (1.0 - c) * (1.0 - c) / c * odds if c > 0.0 else np.inf)
        for j in range(k):
            total += conjugate_term(theta[j], c * v[j], l1[j], l2[j], lower[j], upper[j])
        least = min(least, total)
    return base + least


@inner
def conjugate_term(theta: float, v: float, l1: float, l2: float, lower: float, upper: float) -> float:
    """Omega_j(theta) - v theta + Omega_j*(v), of one coefficient."""
    pull = abs(v) - l1
    at = 0.0
    if pull > 0.0:
        at = pull / l2 if l2 > 0.0 else np.inf
        at = min(at, upper) if v > 0.0 else max(-at, lower)
        at = 0.0 if abs(at) == np.inf else at  # v is within l1 but for rounding
    at = min(max(at, lower), upper)
    apart = theta - at
    term = (0.0 if l1 == np.inf else l1) * (abs(theta) - abs(at)) - v * apart
    if apart != 0.0:
        term += 0.5 * l2 * apart * (theta + at)
    return max(term, 0.0)


@inner
def extend(before: A, last: A, further: float, lower: A, upper: A, x: A, theta: A) -> None:
    """The start of a fit: x is on from the last two optima by `further` times their distance, but keeps signs.

    theta is the last optimum, to which x falls back.
    """
    for j in range(x.size):
        theta[j] = last[j]
        new = last[j] + further * (last[j] - before[j])
        same = last[j] * before[j] > 0.0 and new * last[j] > 0.0
        x[j] = min(max(new, lower[j]), upper[j]) if same else last[j]


@jit
def path_fits(
    D: A,
    weight: A,
    offset: A,
    l1: A,
    l2: A,
    lower: A,
    upper: A,
    further: A,
    begin: int,
    stop: int,
    aim: float,
    target: float,
    rounds: int,
    H: A,
    thetas: A,
    losses: A,
    gaps: A,
) -> Any:
    """Fits `begin` to `stop` of a path, whose optima stand in `thetas` from row 2 on; the number of evaluations.

    l1, l2 : (m, k), of each fit
    further : (m,) how far the start of each is beyond the last optimum, in units of its distance from the one before
    aim : the gap to come to; `target` is enough where it falls no more
    rounds : evaluations of a fit at the most
    H : (k, k) the matrix of the model, kept from call to call
    thetas : (m + 2, k), rows 0 and 1 are the start
    losses, gaps : (m,) of each fit, infinite before
    """
    k, n = D.shape
    work, square, lines, at = np.empty((4, n)), np.empty((k, k)), np.empty((4, k)), np.empty(k, np.int64)
    g, first, d, x = lines[0], lines[1], lines[2], lines[3]
    total = 0
    for m in range(begin, stop):
        pull, bend, theta = l1[m], l2[m], thetas[m + 2]
        extend(thetas[m], thetas[m + 1], further[m], lower, upper, x, theta)
        known = m > 0
        best = losses[m - 1] + penalty_value(theta, pull, bend) if known else np.inf
        gap = np.inf
        for _ in range(rounds):
            loss, odds = evaluate(D, weight, offset, x, work, g, first)
            total += 1
            value = loss + penalty_value(x, pull, bend)
            if not value <= best + 1e-14 * max(1.0, abs(value)):
                for j in range(k):  # J is convex: a shorter step goes down
                    x[j] = 0.5 * (x[j] + theta[j])
                continue
            before = gap
            gap = dual_gap(x, g, first, H, pull, bend, lower, upper, loss, odds, d) if known else np.inf
            best, losses[m], gaps[m] = value, loss, gap
            for j in range(k):
                theta[j] = x[j]
            if gap <= aim or (gap <= target and gap > 0.5 * before):
                break
            if not known or (before < np.inf and not gap < _SLOW * before):
                hessian(D, work[1], work[2], H)
                known = True
            minimize_model(H, g, pull, bend, lower, upper, x, at, square, d)
    return total
