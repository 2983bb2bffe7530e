"""A class whose rows all have weight 0: the fit is the limit of those with ever smaller weights.

Three oracles: of penalised slopes the fit with weights of 1e-11 in the place of 0 (without a penalty slopes may grow as
fast as the intercept falls, so that such weights are not small); of others the fit without these rows; and of a ridge
the softmax loss over the classes that are left, minimised by SciPy.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.optimize
from scipy.special import log_softmax, softmax

from evenodds.exceptions import SeparationWarning

from . import FORMS, Family, Problem

_SETTINGS: tuple[dict[str, Any], ...] = (
    {"C": 1.0},
    {"C": 0.3, "solver": "quasi-newton"},
    {"C": 1.0, "standardize": True},
    {"C": 1.0, "fit_intercept": False},
    {"C": 0.5, "l1_ratio": 1.0},
    {"C": 0.5, "l1_ratio": 0.4, "lower": -0.3, "upper": [0.2, 1.0, np.inf]},
    {"C": 1.0, "penalty_factor": [0.0, 1.0, 2.0]},
    {"C": 1.0, "lower": 0.1},
    {},
)


def draw(rng: np.random.Generator) -> Problem:
    """Rows of two to five classes, some of which have no weight."""
    K, n = int(rng.choice([2, 3, 3, 4, 5])), int(rng.integers(30, 120))
    X = rng.normal(size=(n, 3)) + rng.choice([0.0, 3.0])
    y = (rng.normal(size=3 * K).reshape(K, 3) @ X.T + 2 * rng.gumbel(size=(K, n))).argmax(axis=0)
    y[: 3 * K] = [*range(K)] * 3
    gone = rng.choice(K, size=int(rng.integers(1, K)), replace=False)
    weight = np.where(np.isin(y, gone), 0.0, rng.choice([1.0, 0.5, 2.0], n))
    offset = rng.normal(size=n if K == 2 else (n, K)) if rng.random() < 0.3 else None
    settings = _SETTINGS[rng.integers(len(_SETTINGS))]
    return Problem(X, y, weight, offset, settings, form=str(rng.choice([*FORMS])))


def check(problem: Problem) -> None:
    """The probability of such a class is 0 and those of the others are the limit's."""
    weight, X = np.asarray(problem.sample_weight), problem.handed()
    gone = np.bincount(problem.y, weight) == 0
    model, told = problem.fit()
    if SeparationWarning in told:
        return
    P = model.predict_proba(X)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.decision_function(X)).all()
    np.testing.assert_allclose(P.sum(axis=1), 1.0, rtol=1e-12)
    if problem.settings.get("fit_intercept", True):
        assert not P[:, gone].any()
        assert np.isinf(model.intercept_).any()
    if problem.settings and "penalty_factor" not in problem.settings:
        near, _ = replace(problem, sample_weight=np.where(weight > 0, weight, 1e-11)).fit(tol=1e-9)
        np.testing.assert_allclose(P, near.predict_proba(X), atol=1e-6)
    elif (~gone).sum() > 2:
        rest = problem.rows(weight > 0)
        rest = rest if rest.offset is None else replace(rest, offset=rest.offset[:, ~gone])
        np.testing.assert_allclose(P[:, ~gone], rest.fit()[0].predict_proba(X), atol=1e-6)
    if problem.settings == {"C": 1.0}:
        np.testing.assert_allclose(P[:, ~gone], _ridge(problem, gone), atol=1e-5)


def _ridge(problem: Problem, gone: np.ndarray) -> np.ndarray:
    """The probabilities of the classes that are left; of two classes, it is certain."""
    K, weight = int((~gone).sum()), np.asarray(problem.sample_weight)
    X, rows = problem.dense(), weight > 0
    if K == 1:
        return np.ones((len(X), 1))
    own = (np.cumsum(~gone) - 1)[problem.y[rows]]
    offset = np.zeros((len(X), gone.size)) if problem.offset is None else np.asarray(problem.offset)
    shift, s = offset[:, ~gone], weight[rows]

    D = np.column_stack([np.ones(len(X)), X])
    pull = np.r_[0.0, np.ones(X.shape[1])]

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        W = theta.reshape(K, -1)
        logs = log_softmax((D @ W.T + shift)[rows], axis=1)
        residuals = s[:, None] * (np.exp(logs) - np.eye(K)[own])
        value = 0.5 * np.sum(pull * W**2) - s @ logs[np.arange(len(own)), own]
        return float(value), (residuals.T @ D[rows] + pull * W).ravel()

    best = scipy.optimize.minimize(loss, np.zeros(K * D.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-7})
    return np.asarray(softmax(D @ best.x.reshape(K, -1).T, axis=1))


FAMILIES = [Family("absent: classes whose rows have no weight", draw, check, 40)]
