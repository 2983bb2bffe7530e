"""Lassos of columns that go together, by a few factors behind them: their gap, by a dual point of the test's own."""

import numpy as np
import pytest
from scipy.special import expit, xlog1py, xlogy

from evenodds import LogisticRegression, Status
from evenodds.solvers.faces import Faces


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


def draw_counts(seed):
    """Words of few documents under a slight penalty: at the optimum rows have curvatures of 1e-18 of the largest."""
    rng = np.random.default_rng([78, seed])
    n, p = int(rng.integers(120, 260)), int(rng.integers(600, 1000))
    often = 1 / np.arange(1, p + 1) ** 1.1
    X = rng.multinomial(20, often / often.sum(), size=n).astype(float)
    score = X @ rng.normal(size=p)
    y = (score - score.mean() + 3 * score.std() * rng.logistic(size=n) > 0).astype(int)
    return X, y, float(10 ** rng.uniform(3.5, 5))


@pytest.mark.parametrize("seed", range(24))
def test_flat_directions_of_few_rows_cost_few_steps(seed):
    X, y, C = draw_counts(seed)
    model = LogisticRegression(C=C, l1_ratio=1.0, fit_intercept=False).fit(X, y)
    assert model.solution_.status is Status.CONVERGED
    assert model.solution_.iterations < 60
    assert gap(X, y, model.coef_[0], C) < 1e-7


@pytest.mark.parametrize("seed", range(12))
def test_steps_of_sets_that_change_are_those_of_each_set(seed):
    """Sets of 129 to 400 coefficients, from one of which to the next some come and some go, by NumPy's solutions."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(200, 400))
    D = rng.normal(size=(2 * k, k)) + rng.choice([0, 3]) * rng.normal(size=(2 * k, 1))
    H = D.T @ D / len(D) + 1e-6 * np.eye(k)
    faces, inside = Faces(H), rng.random(k) < 0.8
    for _ in range(40):
        free, wanted = np.flatnonzero(inside), rng.normal(size=k)
        step = faces.solve(free, wanted[free])
        np.testing.assert_allclose(step, np.linalg.solve(H[np.ix_(free, free)], wanted[free]), rtol=1e-7, atol=1e-9)
        turned = rng.permutation(k)[: int(rng.integers(0, 6))]
        inside[turned] = ~inside[turned]


@pytest.mark.parametrize("seed", range(8))
def test_columns_that_come_twice_or_hold_nothing_are_no_error(seed):
    """Of small integers, so that what borders the factor is singular to the last bit."""
    rng, k = np.random.default_rng(seed), 140
    D = rng.integers(-1, 2, (300, k)).astype(float)
    D = np.hstack([D, D[:, :30], np.zeros((300, 5))])
    faces, wanted = Faces(D.T @ D), D.T @ rng.normal(size=300)
    for free in (np.arange(k), np.arange(k + int(rng.integers(1, 35))), np.arange(3, k + 35)):
        step = faces.solve(free, wanted[free])
        np.testing.assert_allclose(D[:, free].T @ (D[:, free] @ step), wanted[free], atol=1e-6)
