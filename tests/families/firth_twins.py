"""Firth's fit of columns that are nearly twins: how far its end is from the maximum, by Newton's method in 40 digits.

Differences of the penalised likelihood tell a distance no better than the root of their rounding errors, of which
log det I of twins has many. Steps do.
"""

import mpmath
import numpy as np

from evenodds import Status

from . import Family, Problem, _oracle

_DIGITS = 40
_STEPS = 6
_NEAR = 1e-15  # standard errors, of differences


def draw(rng):
    """A few rows of columns, and of one or two more that are next to combinations of them."""
    n, p = int(rng.integers(10, 30)), int(rng.integers(1, 4))
    X = rng.normal(size=(n, p)) if rng.random() < 0.6 else rng.integers(-2, 4, (n, p)) * 1.0
    for _ in range(int(rng.integers(1, 3))):
        near = X[:, :p] @ (rng.integers(-1, 3, p) * (rng.random(p) < 0.6)) + (rng.random() < 0.4)
        X = np.column_stack([X, near + 10.0 ** rng.uniform(-6, -1) * rng.normal(size=n)])
    if rng.random() < 0.3:
        X[rng.integers(n), 0] = 10.0 ** rng.integers(1, 6)
    y = (rng.random(n) < 1 / (1 + np.exp(-np.clip(X[:, 0], -3, 3)))).astype(int)
    y[:2] = 0, 1
    weight = (None, rng.exponential(size=n), np.exp(rng.normal(size=n) * 3))[rng.integers(3)]
    settings = {"firth": True, "tol": float(rng.choice([1e-4, 1e-6, 1e-8]))}
    return Problem(X * 10.0 ** rng.integers(-3, 4, X.shape[1]), y, weight, None, settings)


def check(problem):
    """The fit is as near to a maximum as it says."""
    model, _ = problem.fit()
    if model.aliased_ or np.unique(problem.y).size < 2:
        return  # made smaller
    solution, tol = model.solution_, problem.settings["tol"]
    assert solution.status is Status.CONVERGED, solution.status
    objective = _oracle.Objective(_oracle.Question.of(problem))
    theta = objective.q.theta(model.intercept_, model.coef_)
    allowed = _oracle.rounding(objective, model.intercept_, model.coef_, theta)
    distance = distance_of(problem, model)
    assert distance is not None, "no maximum is near"
    assert distance <= tol + allowed, f"CONVERGED {distance:.2g} standard errors away, tol={tol:g}"
    allowed += 1e-11
    assert distance <= 3 * solution.error + allowed, f"{distance:.2g} standard errors away, said {solution.error:.2g}"


def distance_of(problem, model):
    """The distance of a fit to the maximum next to it, in standard errors; None if Newton's method finds none close by.

    The Hessian is that of the penalised likelihood: differences of its score, for which there are digits enough.
    """
    X, y = problem.dense().astype(float), np.asarray(problem.y)
    s = np.ones(len(y)) if problem.sample_weight is None else problem.sample_weight
    with mpmath.workdps(_DIGITS):
        D = mpmath.matrix(np.column_stack([np.ones(len(y)), X]).tolist())
        start = theta = mpmath.matrix([float(b) for b in (*model.intercept_, *model.coef_[0])])
        step = None
        for _ in range(_STEPS):
            score, inverse = _score(D, y, s, theta)
            curved = mpmath.matrix(D.cols, D.cols)
            for j in range(D.cols):
                moved = theta.copy()
                moved[j] += _NEAR * mpmath.sqrt(inverse[j, j])
                curved[:, j] = (score - _score(D, y, s, moved)[0]) / (moved[j] - theta[j])
            step = curved**-1 * score
            theta += step
        left, way = (abs((d.T * curved * d)[0]) for d in (step, theta - start))
        return float(mpmath.sqrt(way)) if mpmath.sqrt(left) < 1e-12 else None


def _score(D, y, s, theta):
    """The gradient of the penalised log-likelihood, and the inverse of Fisher's information."""
    P = [1 / (1 + mpmath.exp(-z)) for z in D * theta]
    h = [mpmath.mpf(float(w)) * q * (1 - q) for w, q in zip(s, P, strict=True)]
    scaled = mpmath.matrix([[h[i] * D[i, j] for j in range(D.cols)] for i in range(D.rows)])
    inverse = (D.T * scaled) ** -1
    leverage = [(scaled[i, :] * inverse * D[i, :].T)[0] for i in range(D.rows)]
    parts = zip(s, y, P, leverage, strict=True)
    pull = mpmath.matrix([float(w) * (int(own) - q) + v * (0.5 - q) for w, own, q, v in parts])
    return D.T * pull, inverse


FAMILIES = [Family("Firth's fit of near twins", draw, check, 12)]
