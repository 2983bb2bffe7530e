"""Single fits with an L1 part, of few columns and many, against the conditions of optimality in plain NumPy."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit

from evenodds import LogisticRegression

SHAPES = ((40, 3), (300, 30), (3_000, 12), (200, 300), (700, 270), (120, 900), (60, 2_500))


def drawn(seed):
    """A problem whose columns are alike; one of them may be there twice, and most entries be 0."""
    rng = np.random.default_rng(seed)
    n, p = SHAPES[seed % len(SHAPES)]
    alike = rng.choice([0.0, 0.5, 0.95])
    X = rng.normal(size=(n, p))
    X = alike * X[:, :1] + np.sqrt(1 - alike**2) * X
    if rng.random() < 0.3:
        X[:, -1] = X[:, 0]
    if rng.random() < 0.3:
        X[rng.random(X.shape) < 0.7] = 0.0
    y = (rng.random(n) < expit(X[:, : min(p, 5)] @ rng.normal(size=min(p, 5)) + 0.5)).astype(int)
    y[:2] = 0, 1
    weight = rng.exponential(size=n) if rng.random() < 0.4 else np.ones(n)
    return X, y, weight, 10 ** rng.uniform(-2.5, -0.1), rng.choice([1.0, 0.7])


def furthest(model, X, y, weight, strength, ratio):
    """How far the point is from its conditions, beside the strength of the penalty."""
    w = model.coef_[0]
    r = weight * (expit(X @ w + model.intercept_[0]) - y) / weight.sum()
    g = r @ X + (1 - ratio) * strength * w
    at_rest = np.maximum(np.abs(g) - ratio * strength, 0.0)
    away = np.abs(g + ratio * strength * np.sign(w))
    return max(np.where(w == 0, at_rest, away).max(), abs(r.sum())) / strength


@pytest.mark.parametrize("seed", range(70))
def test_the_conditions_hold(seed):
    X, y, weight, share, ratio = drawn(seed)
    strength = share * np.abs((weight * (np.average(y, weights=weight) - y)) @ X).max() / weight.sum() / ratio
    C = 1 / (strength * weight.sum())
    kinds = (np.ascontiguousarray, np.asfortranarray, sparse.csr_array)
    given = kinds[seed % len(kinds)](X)
    model = LogisticRegression(C=C, l1_ratio=ratio, tol=1e-5).fit(given, y, sample_weight=weight)
    assert model.solution_.status.name == "CONVERGED"
    assert furthest(model, X, y, weight, strength, ratio) < 1e-5


@pytest.mark.parametrize("seed", [4, 11, 18, 25, 5, 12])
@pytest.mark.filterwarnings("ignore:Rounding errors stopped")  # what is reached is looked at below
def test_a_tolerance_below_rounding_ends_at_rounding(seed):
    # The set of columns in play goes on growing where the optimum on it is as near as rounding lets it.
    X, y, weight, share, ratio = drawn(seed)
    strength = share * np.abs((weight * (np.average(y, weights=weight) - y)) @ X).max() / weight.sum() / ratio
    model = LogisticRegression(C=1 / (strength * weight.sum()), l1_ratio=ratio, tol=1e-10)
    model.fit(X, y, sample_weight=weight)
    assert model.solution_.error < 1e-5
    assert furthest(model, X, y, weight, strength, ratio) < 1e-6


@pytest.mark.parametrize("seed", range(0, 70, 5))
def test_few_columns_come_to_a_small_tolerance(seed):
    X, y, weight, share, ratio = drawn(seed - seed % len(SHAPES) + seed // 5 % 3)  # of the first three shapes
    strength = share * np.abs((weight * (np.average(y, weights=weight) - y)) @ X).max() / weight.sum() / ratio
    model = LogisticRegression(C=1 / (strength * weight.sum()), l1_ratio=ratio, tol=1e-9)
    model.fit(X, y, sample_weight=weight)
    assert model.solution_.passes < 200
    assert furthest(model, X, y, weight, strength, ratio) < 1e-8
