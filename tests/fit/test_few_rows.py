"""Few rows with many columns and a ridge: dense and sparse, from a strong penalty to hardly one.

The oracle shares no code with the library: in the basis of the rows, which a singular value decomposition gives, the
problem has as many columns as rows, and Newton's method in long double solves it.
"""

import numpy as np
import pytest
from few_rows import home, table

from evenodds import LogisticRegression
from evenodds.solvers import Status
from oracle import newton


def member(seed):
    """A problem of the family: X dense or CSR, labels, weights, offsets and C."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(12, 60))
    p = n * int(rng.integers(3, 12))
    kind = seed % 4
    X = table(rng, n, p, kind)
    y = (X @ rng.normal(size=p) / X.std() / np.sqrt(p) + rng.logistic(size=n) > 0).astype(int)
    y[:2] = 0, 1
    weight, offset = (rng.uniform(0.3, 3, n), rng.normal(size=n)) if rng.random() < 0.5 else (None, None)
    return X, home(rng, X, kind), y, weight, offset, 10.0 ** rng.uniform(-4, 5)


def cost(X, y, weight, offset, C, intercept, coef):
    """J, by NumPy alone."""
    z = X @ coef + intercept + (0 if offset is None else offset)
    s = np.ones(len(y)) if weight is None else weight
    return (s @ np.logaddexp(0, np.where(y == 1, -z, z)) + coef @ coef / (2 * C)) / s.sum()


@pytest.mark.parametrize("start", range(0, 60, 20))
def test_the_ridge_of_few_rows_is_that_of_the_basis_of_the_rows(start):
    for seed in range(start, start + 20):
        X, data, y, weight, offset, C = member(seed)
        model = LogisticRegression(C=C).fit(data, y, weight, offset)
        assert model.solution_.status is Status.CONVERGED, seed
        basis = np.linalg.svd(X, full_matrices=False)[2].T
        inside = newton(X @ basis, y, weight=weight, offset=offset, ridge=1 / C)
        known = X, y, weight, offset, C
        best = cost(*known, inside.intercept, basis @ inside.coef)
        found = cost(*known, model.intercept_[0], model.coef_[0])
        assert found - best <= 1e-8 / len(y), seed  # tol^2 / (2 N) and no more
        assert model.solution_.loss == pytest.approx(found, abs=1e-8 / len(y)), seed


def middling(seed):
    """More rows, with products in single precision: of unequal scales far from 0, of few factors, near twins."""
    rng = np.random.default_rng(1000 + seed)
    n = int(rng.integers(130, 400))
    p = n * int(rng.integers(2, 5))
    X = rng.normal(size=(n, p))
    if seed % 4 == 1:
        X = X * 10 ** rng.uniform(-3, 3, p) + 10 ** rng.uniform(-2, 3, p)
    elif seed % 4 == 2:
        X = rng.normal(size=(n, 5)) @ rng.normal(size=(5, p)) + 0.2 * X
    elif seed % 4 == 3:
        X[n // 2 :] = X[: n - n // 2] + 1e-3 * X[n // 2 :]
    X = X.astype(np.float32) if rng.random() < 0.3 else X
    scores = X @ rng.normal(size=p)
    y = (2 * (scores - scores.mean()) / scores.std() + rng.logistic(size=n) > 0).astype(int)
    weight, offset = (rng.uniform(0.3, 3, n), rng.normal(size=n)) if rng.random() < 0.4 else (np.ones(n), np.zeros(n))
    return X, y, weight, offset, 10.0 ** rng.uniform(-5, 5), bool(rng.random() < 0.8)


def most_above(X, y, weight, offset, C, intercept, coef, free):
    """The most that the sum of losses can be above its minimum, in long double: its curvature is no less than 1 / C.

    The intercept is moved to its best first.
    """
    X, coef, shift = X.astype(np.longdouble), coef.astype(np.longdouble), np.longdouble(0.0)
    s, z = np.where(y > 0, 1.0, -1.0), X @ coef + intercept + offset
    for _ in range(5 * free):
        q = weight / (1 + np.exp(s * (z + shift)))
        h = q / (1 + np.exp(-s * (z + shift)))
        shift += (s * q).sum() / h.sum()
    gradient = coef / C - X.T @ (s * weight / (1 + np.exp(s * (z + shift))))
    return float(C * gradient @ gradient / 2), abs(float(shift))


@pytest.mark.parametrize("seed", range(12))
def test_the_ridge_of_some_hundred_rows_is_within_what_the_penalty_proves(seed):
    X, y, weight, offset, C, free = middling(seed)
    given = {} if (weight == 1).all() else {"sample_weight": weight, "offset": offset}
    offset = offset if given else 0.0
    for tol in (1e-4, 1e-1):
        model = LogisticRegression(C=C, fit_intercept=free, tol=tol).fit(X, y, **given)
        assert model.solution_.status is Status.CONVERGED
        above, shift = most_above(X, y, weight, offset, C, model.intercept_[0], model.coef_[0], free)
        size = max(weight.sum(), len(y)) / weight.sum()
        assert above <= 2 * tol**2 / (2 * size), (seed, above)
        assert shift <= tol
