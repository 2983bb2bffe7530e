"""Whether classes are separated, decided in rational numbers, for small data."""

from fractions import Fraction

import numpy as np


def separated(X, y, *, intercept=True, free=None, lower=None, upper=None):
    """Whether some direction of the free coefficients separates classes 0..K-1, within the bounds.

    That is a linear programme: the largest sum of the margins (x_i, 1) (b_y - b_k) over all rows and classes k, none of
    which may be negative, while the sum of those that are independent is at most 1. It is solved by the simplex method
    with Bland's rule, so that it ends, and with fractions, so that its zero is zero.
    """
    X, y = np.asarray(X, dtype=float), np.asarray(y)
    p = X.shape[1]
    lower = np.full(p, -np.inf) if lower is None else np.broadcast_to(lower, p)
    upper = np.full(p, np.inf) if upper is None else np.broadcast_to(upper, p)
    held = np.isfinite(lower) & np.isfinite(upper)
    columns = [j for j in range(p) if (free is None or free[j]) and not held[j]]
    margins, fences = _rows(X[:, columns], y, intercept, lower[columns], upper[columns])
    return bool(margins) and _largest(margins, fences) > 0


def signs(X, y, *, intercept=True):
    """To which infinity each coefficient of two classes goes, the intercept first: inf, -inf, nan for either, or 0.

    None if a column is a combination of others.
    """
    X = np.asarray(X, dtype=float)
    p = X.shape[1]
    margins, _ = _rows(X, np.asarray(y), intercept, np.full(p, -np.inf), np.full(p, np.inf))
    k = p + int(intercept)
    if len(_independent(margins)[0]) < k:
        return None
    found = []
    for j in range(k):
        up, down = (_largest([[Fraction(s * (at == j)) for at in range(k)]], margins) > 0 for s in (1, -1))
        found.append(np.nan if up and down else np.inf if up else -np.inf if down else 0.0)
    return found


def _rows(X, y, intercept, lower, upper):
    """What may not be negative: the margins of the rows, and the coefficients that have a bound."""
    n_classes = int(y.max()) + 1
    first, k = int(intercept), X.shape[1] + int(intercept)
    classes = range(2) if n_classes == 2 else range(n_classes)
    blocks = 1 if n_classes == 2 else n_classes
    margins, fences = set(), []
    for x, own in zip(X, y, strict=True):
        row = [Fraction(1)] * first + [Fraction(float(v)) for v in x]
        for other in classes:
            if other == own:
                continue
            if blocks == 1:
                full = [v if own else -v for v in row]
            else:
                full = [Fraction(0)] * (blocks * k)
                full[own * k : (own + 1) * k] = row
                full[other * k : (other + 1) * k] = [-v for v in row]
            if any(full):
                margins.add(tuple(full))
    for block in range(blocks):
        for j in range(k - first):
            for bound, sign in ((lower[j], 1), (upper[j], -1)):
                if np.isfinite(bound):
                    fences.append([Fraction(sign if at == block * k + first + j else 0) for at in range(blocks * k)])
    return [list(row) for row in sorted(margins)], fences


def _largest(margins, fences):
    """The largest sum of margins over the cone, cut off where the sum of independent rows is 1."""
    rows = margins + fences
    basis, by_basis = _independent(rows)
    others = [by_basis[i] for i in range(len(rows)) if i not in basis]
    q = len(basis)
    cost = [sum((by_basis[i][j] for i in range(len(margins))), Fraction(0)) for j in range(q)]
    table = [[-v for v in row] + [Fraction(0)] for row in others] + [[Fraction(1)] * (q + 1)]
    return _simplex(table, cost)


def _independent(rows):
    """Numbers of independent rows, and each row as a combination of these."""
    reduced, basis, combinations = [], [], []
    for i, row in enumerate(rows):
        left, weights = list(row), {}
        for pivot, other, parts in reduced:
            factor = left[pivot]
            if factor:
                left = [a - factor * b for a, b in zip(left, other, strict=True)]
                for j, part in parts.items():
                    weights[j] = weights.get(j, Fraction(0)) + factor * part
        pivot = next((j for j, value in enumerate(left) if value), None)
        if pivot is None:
            combinations.append(weights)
            continue
        own = len(basis)
        parts = {j: -part / left[pivot] for j, part in weights.items()} | {own: 1 / left[pivot]}
        reduced.append((pivot, [value / left[pivot] for value in left], parts))
        basis.append(i)
        combinations.append({own: Fraction(1)})
    return basis, [[weights.get(j, Fraction(0)) for j in range(len(basis))] for weights in combinations]


def _simplex(table, cost):
    """The largest cost'z with table z <= its last column, z >= 0, from z = 0."""
    q = len(cost)
    inside, outside = list(range(q, q + len(table))), list(range(q))
    goal = [*cost, Fraction(0)]
    while True:
        entering = min((j for j in range(q) if goal[j] > 0), key=lambda j: outside[j], default=None)
        if entering is None:
            return -goal[-1]
        ratios = [(row[-1] / row[entering], inside[i], i) for i, row in enumerate(table) if row[entering] > 0]
        _, _, leaving = min(ratios)
        pivot = table[leaving][entering]
        fresh = [value / pivot for value in table[leaving]]
        fresh[entering] = 1 / pivot
        for row in [*(row for i, row in enumerate(table) if i != leaving), goal]:
            factor = row[entering]
            row[entering] = Fraction(0)
            row[:] = [a - factor * b for a, b in zip(row, fresh, strict=True)]
        table[leaving] = fresh
        inside[leaving], outside[entering] = outside[entering], inside[leaving]
