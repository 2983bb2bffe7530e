"""Penalised fits of dense rows with 50 to 340 columns: two classes and more, any penalty, columns of any likeness.

The oracle shares no code with the library: the Newton decrement by NumPy's own gradient and Hessian, and how far that
step moves a score, as a decrement says how far the minimum is where the curvature stays what it is.
"""

import numpy as np
import pytest

from evenodds import LogisticRegression
from evenodds.solvers import Status

KINDS = ("even", "factors", "neighbours", "scales", "far", "turns")


def member(seed, kinds=5, columns=(257, 340), rows=(1 / 3, 2)):
    """A problem of the family: X, labels, weights and C.

    columns, rows : the least and the most of columns, and of rows a column
    """
    rng = np.random.default_rng(seed)
    kind, p = KINDS[seed % kinds], int(rng.integers(*columns))
    n = int(rng.integers(int(rows[0] * p), int(rows[1] * p)))
    X = rng.normal(size=(n, p))
    if kind == "factors":
        X = rng.normal(size=(n, 6)) @ rng.normal(size=(6, p)) + 0.3 * X
    elif kind == "neighbours":
        X = np.cumsum(X, axis=1) / 10
    elif kind == "scales":
        X *= 10.0 ** rng.uniform(-2, 2, p)
    elif kind == "far":
        X += 20 * rng.normal(size=p)
    elif kind == "turns":  # half of the columns tell of every other row, the others of the rest
        X[::2, ::2] = X[1::2, 1::2] = 0
    K = 2 + int(rng.integers(0, 2)) * (seed % 3 == 0)
    scores = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.normal(size=(p, K)) / np.sqrt(p)
    y = (2 * scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    y[:K] = np.arange(K)
    weight = rng.uniform(0.3, 3, n) if rng.random() < 0.3 else None
    return np.asfortranarray(X) if rng.random() < 0.3 else X, y, weight, 10.0 ** rng.uniform(-4, 4)


def decrement(X, y, weight, C, model):
    """How far the loss is above its minimum, by Newton, and by how much that step moves a score."""
    s = np.ones(len(y)) if weight is None else weight
    s = s / s.sum()
    K = len(model.classes_)
    D = np.column_stack([np.ones(len(X)), X - X.mean(axis=0)])
    W = model.coef_ if K > 2 else np.vstack([0 * model.coef_, model.coef_])
    b = model.intercept_ if K > 2 else np.array([0.0, model.intercept_[0]])
    Z = X @ W.T + b
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    R = (P - np.eye(K)[y]) * s[:, None]
    free = range(1, K) if K == 2 else range(K)
    ridge = 1 / (C * (len(y) if weight is None else weight.sum()))
    pull = np.diag(np.r_[0.0, np.full(X.shape[1], ridge)])
    g = np.concatenate([D.T @ R[:, k] + ridge * np.r_[0.0, W[k]] for k in free])
    H = np.block(
        [[(D * (s * P[:, i] * ((i == j) - P[:, j]))[:, None]).T @ D + (i == j) * pull for j in free] for i in free]
    )
    if K > 2:  # along what all intercepts share nothing changes: any curvature will do
        shared = np.arange(K) * D.shape[1]
        H[np.ix_(shared, shared)] += 1 / K
    step = np.linalg.solve(H, g)
    return 0.5 * g @ step, np.abs(D @ step.reshape(len(free), -1).T).max()


@pytest.mark.parametrize("start", range(0, 40, 10))
def test_dense_fits_of_many_columns_are_at_the_optimum(start):
    for seed in range(start, start + 10):
        X, y, weight, C = member(seed)
        model = LogisticRegression(C=C).fit(X, y, weight)
        assert model.solution_.status is Status.CONVERGED, seed
        gap, move = decrement(X, y, weight, C, model)
        assert gap <= 1e-8 / (2 * len(y)), (seed, gap)  # tol^2 / (2 N)
        assert move < 0.1, seed


@pytest.mark.parametrize("start", range(0, 24, 6))
def test_dense_fits_of_some_columns_are_at_the_optimum(start):
    for seed in range(start, start + 6):
        X, y, weight, C = member(seed, 6, (50, 257), (3, 50))
        model = LogisticRegression(C=C).fit(X, y, weight)
        assert model.solution_.status is Status.CONVERGED, seed
        gap, move = decrement(X, y, weight, C, model)
        assert gap <= 1e-8 / (2 * len(y)), (seed, gap)
        assert move < 0.1, seed
