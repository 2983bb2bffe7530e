"""Numbers as large and as small as they go, all finite: an answer or one error, and no warning but our own.

What the answer is worth is asked elsewhere; here nothing may leave the library that a user could not make sense of.
"""

from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from evenodds import EvenOddsError, LogisticRegression, LogisticRegressionCV, find_separation, infer, path

from . import Family, Problem, quietly

PENALTIES: tuple[dict[str, Any], ...] = (
    *({}, {}, {"C": 1.0}, {"C": 1.0, "standardize": True}, {"C": 1.0, "solver": "quasi-newton"}, {"firth": True}),
    *({"C": 1.0, "l1_ratio": 1.0}, {"C": 1.0, "l1_ratio": 0.5, "standardize": True}, {"C": 1.0, "lower": 0.0}),
    *({"solver": "newton"}, {"fit_intercept": False}, {"C": 1.0, "l1_ratio": 1.0, "fit_intercept": False}),
    *({"firth": "flac"}, {"firth": "flic"}, {"C": 1.0, "solver": "sgd"}),
)


def draw(rng: np.random.Generator) -> Problem:
    """Rows with something extreme: columns, a few values, weights, offsets, or the penalty."""
    n, p, K = int(rng.integers(8, 60)), int(rng.integers(1, 5)), int(rng.choice([2, 2, 3]))
    X = rng.normal(size=(n, p)) if rng.random() < 0.7 else rng.integers(0, 3, size=(n, p)).astype(float)
    y = (X[:, :1] * np.arange(K) + 2 * rng.gumbel(size=(n, K))).argmax(axis=1)
    y[: 2 * K] = [*range(K)] * 2
    if rng.random() < 0.5:
        X *= 10.0 ** (rng.choice([0, 8, 150, 300, -8, -150, -300, -310], size=p) * (rng.random(p) < 0.5))
    if rng.random() < 0.2:
        X[rng.integers(n), rng.integers(p)] = rng.choice([1e12, -1e150, 1e300])
    weight, offset = None, None
    if rng.random() < 0.4:
        size = rng.choice([1e-300, 1e-150, 1e-10, 1e10, 1e150, 1e300])
        weight = size * (rng.uniform(0.5, 2, n) if rng.random() < 0.5 else 10.0 ** rng.uniform(-20, 5, n))
    if rng.random() < 0.4:
        offset = rng.normal(size=n if K == 2 else (n, K)) * rng.choice([1.0, 40.0, 800.0, 1e5, 1e150, 1e300])
    settings = dict(PENALTIES[rng.integers(len(PENALTIES))])
    if K > 2 and "firth" in settings:
        settings = {}
    if "C" in settings:
        settings["C"] = float(rng.choice([1e-300, 1e-12, 1e-3, 1.0, 1e6, 1e12, 1e300]))
    return Problem(X, y, weight, offset, settings, {"form": str(rng.choice(["dense", "sparse"]))})


def check(problem: Problem) -> None:
    """All public calls end in an answer, whose coefficients are finite, or an error of ours."""
    X = sp.csr_array(problem.X) if problem.facts["form"] == "sparse" else problem.X
    rows = {"sample_weight": problem.sample_weight, "offset": problem.offset}
    model = asked(LogisticRegression(**problem.settings).fit, X, problem.y, **rows)
    if model is not None:
        assert np.isfinite(model.coef_).all(), f"coefficients {model.coef_}"
        assert np.isfinite(model.intercept_).all(), f"intercepts {model.intercept_}"
        for name in ("predict", "predict_proba", "predict_log_proba"):
            asked(getattr(model, name), X)
        for cov in ("model", "HC3"):
            result = asked(infer, model, X, problem.y, **rows, cov=cov)
        if result is not None:
            asked(str, result)
            asked(result.margins, X)
            asked(result.influence, X, problem.y, **rows)
            asked(result.predict, X, problem.offset)
            if not model.firth:  # whose profiles are climbed from many starts
                asked(result.profile)
            asked(result.vif)
    asked(partial(path, n_C=4), X, problem.y, problem.settings.get("l1_ratio", 1.0), **rows)
    asked(LogisticRegressionCV(3, cv=2, standardize=bool(len(problem.y) % 2)).fit, X, problem.y, **rows)
    asked(LogisticRegression(C=1.0).partial_fit, X, problem.y, sample_weight=problem.sample_weight)
    if len(np.unique(problem.y)) == 2:
        asked(find_separation, X, problem.y, problem.sample_weight)


def asked(function: Any, *args: Any, **kwargs: Any) -> Any:
    """The answer, or None where the library says no."""
    try:
        return quietly(function, *args, **kwargs)[0]
    except EvenOddsError:
        return None


FAMILIES = [Family("extreme: an answer or one error", draw, check, 8)]
