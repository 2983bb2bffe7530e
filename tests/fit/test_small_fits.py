"""A small fit is one call where nothing goes wrong: it takes few functions, and has the bits of one that is looked on.

The functions of ours that it calls are counted, which are as many on any machine.
"""

import sys
import warnings
from types import FrameType
from typing import Any

import numpy as np
import pytest

from evenodds import LogisticRegression


def calls_of(model: LogisticRegression, X: np.ndarray, y: np.ndarray) -> int:
    """Calls of our own functions in a fit that is not the first."""
    model.fit(X, y)
    count = 0

    def tell(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_globals.get("__name__", "").startswith("evenodds.")

    before = sys.getprofile()
    sys.setprofile(tell)
    try:
        model.fit(X, y)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(("classes", "C", "most"), [(2, 1.0, 100), (2, np.inf, 100), (3, 1.0, 100), (3, np.inf, 100)])
def test_a_small_fit_takes_few_calls(classes: int, C: float, most: int) -> None:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(200, 5))
    y = np.argmax(X[:, :classes] + rng.gumbel(size=(200, classes)), axis=1)
    assert 25 < calls_of(LogisticRegression(C=C), X, y) <= most


def small_problem(seed: int) -> tuple[dict[str, Any], np.ndarray, np.ndarray, np.ndarray | None]:
    """Parameters, rows, labels and weights: columns of any size and place, some of them constant or said twice."""
    rng = np.random.default_rng([seed, 13])
    n, classes = int(rng.integers(12, 500)), int(rng.choice([2, 2, 3, 5]))
    p = int(rng.integers(1, max(2, min(20, n // 4))))
    X = rng.normal(size=(n, p))
    score = X @ rng.normal(size=(p, classes)) * rng.choice([0.3, 1.0, 3.0, 30.0]) / np.sqrt(p)
    y = np.argmax(score + rng.gumbel(size=score.shape), axis=1)
    y[:classes] = range(classes)
    X = X * 10 ** rng.uniform(-3, 3, p) + rng.choice([0.0, 1.0, 1e5]) * rng.normal(size=p)
    if seed % 7 == 0:
        X[:, -1] = X[:, 0] if p > 1 and seed % 2 else 3.0
    X = np.asarray(X, np.float32 if seed % 6 == 0 else np.float64, order="F" if seed % 5 == 0 else "C")
    weights = [None, rng.uniform(0.1, 3, n), rng.integers(0, 3, n), 10 ** rng.uniform(-12, 0, n)]
    weight = weights[int(rng.integers(4))]
    parameters = {
        "C": float(rng.choice([np.inf, 100.0, 1.0, 1e-3, 1e8])),
        "fit_intercept": bool(rng.random() < 0.8),
        "standardize": bool(rng.random() < 0.3),
        "max_iter": int(rng.choice([1000, 1000, 3])),
    }
    return parameters, X, y, weight


@pytest.mark.parametrize("first", range(0, 240, 60))
def test_a_fit_that_is_looked_on_has_the_same_bits(first: int) -> None:
    """With `verbose` each part of a fit is done by itself: units of the columns, start, steps, coefficients."""
    quick = 0
    for seed in range(first, first + 60):
        parameters, X, y, weight = small_problem(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain = LogisticRegression(**parameters).fit(X, y, weight)
            shown = LogisticRegression(verbose=1, **parameters).fit(X, y, weight)
        for name in ("coef_", "intercept_", "n_iter_"):
            assert np.array_equal(getattr(plain, name), getattr(shown, name)), (seed, name)
        one, other = vars(plain.solution_), vars(shown.solution_)
        for name, value in one.items():
            assert np.array_equal(value, other[name]), (seed, name)
        quick += plain.solution_.status.name == "CONVERGED"
    assert quick > 30
