"""Lassos of several classes whose rows are nearly certain: what is asked costs little, and the optimum is found.

Their Hessians are next to nothing in many directions, which offsets of the classes bring about from the start.
"""

import time

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

from evenodds import path

_LONGEST = 3.0  # seconds of work: four of these members took 3 to 12 once, and now less than 1


def drawn(seed):
    """Few rows of up to six classes, offsets that leave hardly a row in doubt, and which path is asked for."""
    rng = np.random.default_rng(seed)
    classes, n, p = int(rng.integers(3, 7)), int(rng.integers(12, 60)), int(rng.choice([3, 4, 10, 40]))
    X = rng.normal(size=(n, p)) if rng.random() < 0.5 else rng.integers(-2, 3, size=(n, p)).astype(float)
    X *= np.exp(rng.normal(size=p))
    y = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    offset = rng.choice([0.0, 5.0, 100.0]) * rng.normal(size=(n, classes))
    return X, y, offset, float(rng.choice([0.5, 1.0])), int(rng.choice([3, 8]))


def lowered(X, y, offset, ratio, C, b, W):
    """By how much a general solver comes below a point from there, beside J."""
    n, (classes, p), strength = len(y), W.shape, 1 / (C * len(y))
    own = np.eye(classes)[y]

    def J(x):
        b, (up, down) = x[:classes], x[classes:].reshape(2, classes, p)
        Z = X @ (up - down).T + b + offset
        logs = Z - logsumexp(Z, axis=1)[:, None]
        R = (np.exp(logs) - own) / n
        slope, bend = R.T @ X, (1 - ratio) * strength * (up - down)
        value = strength * (ratio * (up + down).sum() + (1 - ratio) / 2 * np.square(up - down).sum())
        parts = (R.sum(axis=0), slope + bend + ratio * strength, ratio * strength - slope - bend)
        return value - (own * logs).sum() / n, np.concatenate([part.ravel() for part in parts])

    x = np.concatenate([b, np.maximum(W, 0).ravel(), np.maximum(-W, 0).ravel()])
    bounds = [(None, None)] * classes + [(0, None)] * (2 * classes * p)
    options = {"maxiter": 60, "ftol": 1e-15, "gtol": 1e-12}
    found = minimize(J, x, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return (J(x)[0] - found.fun) / J(x)[0]


@pytest.mark.parametrize("seed", range(0, 40, 2))
def test_a_path_takes_little(seed):
    X, y, offset, ratio, steps = drawn(seed)
    start = time.process_time()
    fits = path(X, y, ratio, steps, offset=offset)
    assert time.process_time() - start < _LONGEST
    last = fits.Cs[-1], fits.intercepts[-1], fits.coefs[-1]
    assert lowered(X, y, offset, ratio, *last) < 1e-5


def test_the_oracle_sees_a_point_that_is_none():
    X, y, offset, ratio, steps = drawn(3)
    fits = path(X, y, ratio, steps, offset=offset)
    assert lowered(X, y, offset, ratio, fits.Cs[-1], fits.intercepts[-1], 0.99 * fits.coefs[-1]) > 1e-5
