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
