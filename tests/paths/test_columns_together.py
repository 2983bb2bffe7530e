"""Lassos of columns that go together, by a few factors behind them: their gap, by a dual point of the test's own."""

import numpy as np
import pytest
from scipy.special import expit, xlog1py, xlogy

from evenodds import LogisticRegression, Status


def draw(seed):
    rng = np.random.default_rng([77, seed])
    n, p = (int(10 ** rng.uniform(1.7, most)) for most in (2.9, 2.6))
    behind = rng.normal(size=(n, max(1, p // int(rng.choice([3, 10, 50])))))
    X = behind @ rng.normal(size=(behind.shape[1], p)) / np.sqrt(behind.shape[1])
    X += rng.choice([0.03, 0.3, 1.0]) * rng.normal(size=X.shape)
    score = X @ (rng.normal(size=p) * (rng.random(p) < rng.choice([0.05, 1.0])))
    score *= rng.choice([0.5, 2.0, 10.0]) / (score.std() + 1e-9)
    return X, (score + rng.logistic(size=n) > 0).astype(int), float(10 ** rng.uniform(-1, 4))


def gap(X, y, w, C):
    """That of the sum of losses with the penalty |w|_1 / C, without an intercept, at the scaled residuals."""
    side = 2 * y - 1
    margin = side * (X @ w)
    u = expit(-margin)
    u *= min(1.0, 1 / C / np.abs(X.T @ (side * u)).max())
    dual = -(xlogy(u, u) + xlog1py(1 - u, -u)).sum()
    return np.logaddexp(0, -margin).sum() + np.abs(w).sum() / C - dual


@pytest.mark.parametrize("seed", range(40))
def test_a_lasso_of_columns_that_go_together_comes_to_its_end_in_few_steps(seed):
    X, y, C = draw(seed)
    if y.min() == y.max():
        return
    model = LogisticRegression(C=C, l1_ratio=1.0, fit_intercept=False).fit(X, y)
    solution = model.solution_
    assert solution.status is Status.CONVERGED
    assert solution.iterations < 80
    assert (
        gap(X, y, model.coef_[0], C) < 1e-7
    )  # tol**2 / 2 is 5e-9: scaled residuals hide more where rounding is in them
