"""Dense penalised fits between the shapes of the benchmark, where a poor choice of the metric costs most.

The oracle is a theorem: J has at least the curvature of its penalty, so that its gradient, taken here by NumPy alone,
bounds how far it is above its least value. Beside it, how many reads a fit may take.
"""

import numpy as np
import pytest

from evenodds import LogisticRegression, Status


def member(n, p, classes, alike, seed):
    """X with columns correlated by `alike`, or with ten factors behind them if that is None, and labels by it."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    if alike is None:
        X = rng.normal(size=(n, 10)) @ rng.normal(size=(10, p)) + 0.5 * X
        X /= X.std(axis=0)
    else:
        X[:, 1:] = alike * X[:, :-1] + np.sqrt(1 - alike**2) * X[:, 1:]
    Z = X @ rng.normal(size=(p, classes)) / np.sqrt(p)
    return X, (Z / Z.std() + rng.gumbel(size=Z.shape)).argmax(axis=1)


def bound(X, y, C, model):
    """By how much the slopes can leave J, a mean over rows, above its least; J, and the gradient of the intercepts."""
    n, W = len(y), model.coef_
    Z = X @ W.T + model.intercept_
    Z = np.hstack([np.zeros((n, 1)), Z]) if len(W) == 1 else Z
    Z -= Z.max(axis=1, keepdims=True)
    P = np.exp(Z)
    P /= P.sum(axis=1, keepdims=True)
    residuals = (P - np.eye(Z.shape[1])[y])[:, -len(W) :] / n
    gradient = residuals.T @ X + W / (C * n)
    value = -np.log(P[np.arange(n), y]).mean() + np.square(W).sum() / (2 * C * n)
    return 0.5 * np.square(gradient).sum() * C * n, value, np.abs(residuals.sum(axis=0)).max()


@pytest.mark.parametrize(
    ("n", "p", "classes", "alike", "most"),
    [
        (6_000, 1_200, 2, 0.95, 60),
        (6_000, 1_200, 2, None, 30),
        (3_100, 3_050, 2, None, 120),  # not at its end after 1,000 steps where nothing told of the few directions
        (700, 1_600, 5, 0.5, 80),
        (700, 1_600, 5, 0.95, 80),
        (700, 1_600, 5, None, 80),
        (540, 1_100, 4, 0.5, 80),
    ],
)
def test_fits_between_the_usual_shapes_take_few_reads(n, p, classes, alike, most):
    X, y = member(n, p, classes, alike, seed=n + p)
    model = LogisticRegression(C=1.0).fit(X, y)
    gap, value, left = bound(X, y, 1.0, model)
    assert model.solution_.status is Status.CONVERGED
    assert gap < 1e-6 * value
    assert left < 1e-6
    assert model.solution_.passes <= most


def test_its_bits_do_not_depend_on_threads_where_few_directions_are_looked_for():
    X, y = member(3_050, 3_010, 2, None, seed=1)
    coef = [LogisticRegression(C=1.0, n_jobs=n_jobs).fit(X, y).coef_ for n_jobs in (1, 2)]
    assert np.array_equal(*coef)
