"""Paths of which columns without a penalty separate the classes: each fit is that of the same C alone."""

import warnings

import numpy as np
import pytest
from scipy.special import logsumexp

from evenodds import LogisticRegression, SeparationWarning, path

SHAPES = [(30, 10, 3), (60, 20, 5), (100, 50, 10)]


def draw(seed, n, p, free, classes):
    """Rows of which the first column tells one class, or some, from the others; the first `free` have no penalty."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, p)) * 10.0 ** rng.integers(-2, 3, p), rng.permutation(np.arange(n) % classes)
    told = y == rng.integers(classes) if seed % 2 else y < classes / 2
    X[:, 0] = np.where(told, 1, -1) * (np.abs(X[:, 0]) + 0.1)
    X[: n // 5, 0] *= seed % 3 > 0  # in some rows it says nothing
    return X, y, np.where(np.arange(p) < free, 0.0, rng.choice([0.5, 1, 2], p))


def objective(X, y, intercepts, coefs, penalty):
    """Mean loss and penalty, by class."""
    Z = X @ np.atleast_2d(coefs).T + intercepts
    Z = np.column_stack([np.zeros(len(X)), Z]) if Z.shape[1] == 1 else Z
    return np.mean(logsumexp(Z, axis=1) - Z[np.arange(len(y)), y]) + np.sum(penalty * np.abs(coefs))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("classes", [2, 3, 4, 6])
def test_each_fit_is_that_of_its_strength(classes, shape):
    """Steps went wherever they went: gaps of 1 and coefficients of 1e14, in up to a minute."""
    for seed in range(2):
        X, y, factor = draw(seed, *shape, classes)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fits = path(X, y, n_C=8, min_ratio=0.05, penalty_factor=factor)
        assert [one.category for one in caught] == [SeparationWarning], seed
        for k in {len(fits.Cs) // 2, len(fits.Cs) - 1}:
            model = LogisticRegression(C=fits.Cs[k], l1_ratio=1.0, penalty_factor=factor, tol=1e-6)
            with pytest.warns(SeparationWarning):
                model.fit(X, y)
            penalty = factor / (fits.Cs[k] * len(y))
            J = objective(X, y, fits.intercepts[k], fits.coefs[k], penalty)
            assert pytest.approx(objective(X, y, model.intercept_, model.coef_, penalty), abs=1e-6) == J, (seed, k)
