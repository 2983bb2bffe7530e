"""Separated or nearly so beside far values: a few rows that lie 10 to 1e7 times as far out as the others.

Measured by these, what sets the classes apart can be 1e-9 of a column: not to be told by a linear programme with its
tolerance of 1e-7, but well within the digits of the numbers. What is true is found in rational numbers.
"""

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from evenodds import SeparationWarning, Status, find_separation, path

from . import Family, Problem, quietly
from ._exact import separated

_DIGITS = 1e-9  # of a column's largest value; what is less is made 0


def draw(rng):
    """A column that separates, but for some zeros and some rows on the wrong side; levels, numbers, and far values."""
    n, p = int(rng.integers(10, 70)), int(rng.integers(2, 6))
    numbers = np.round(rng.normal(size=(n, p)) * 2**20) / 2**20
    X = np.where(rng.random(p) < 0.5, rng.random((n, p)) < 0.3, numbers) * 1.0
    y = rng.integers(0, 2, n)
    y[:2] = 0, 1
    j = rng.integers(p)
    size = np.abs(rng.normal(size=n)) if rng.random() < 0.5 else np.exp(rng.normal(size=n) * rng.choice([1, 3, 6]))
    X[:, j] = np.where(y == 1, size, -size)
    X[rng.random(n) < 0.1, j] = 0
    X[rng.integers(0, n, rng.integers(3)), j] *= -(10.0 ** rng.uniform(-6, 0))
    X[rng.integers(0, n, rng.integers(4)), j] *= 10.0 ** rng.integers(1, 8)
    if rng.random() < 0.3:
        X[:, (j + 1) % p] *= np.exp(rng.normal(size=n) * 3)
    X[np.abs(X) < _DIGITS * np.abs(X).max(axis=0)] = 0
    return Problem(X, y)


def check(problem):
    """`find_separation`, the fit and the path say what is true; a fit that rounding keeps from its end says that."""
    X, y = problem.X, problem.y
    if np.unique(y).size < 2 or not X.any():
        return  # made too small
    truth = separated(X, y, intercept=True)
    found, _ = quietly(find_separation, X, y)
    assert (found.kind != "overlap") == truth, f"{'separated' if truth else 'overlap'}, and it says {found.kind}"
    model, told = problem.fit()
    status = model.solution_.status
    assert (SeparationWarning in told) == truth, f"the fit {'is silent' if truth else 'warns'}: {status.name}"
    rounded = status is Status.STALLED and ConvergenceWarning in told
    assert status is (Status.SEPARATED if truth else Status.CONVERGED) or (rounded and not truth), status.name
    _, told = quietly(path, X, y, Cs=[1.0], penalty_factor=np.zeros(X.shape[1]))
    assert (SeparationWarning in told) == truth, f"the path {'is silent' if truth else 'warns'}"


FAMILIES = [Family("separation beside far values", draw, check, 24)]
