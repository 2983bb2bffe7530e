"""What nobody gives on purpose: weights at the end of numbers, the same rows of both classes, bounds that touch."""

import contextlib
from dataclasses import replace

import numpy as np

from evenodds import LogisticRegression, Status

from . import Family, Problem, _oracle, quietly
from .crossed import check_finite, check_optimum


def draw(rng):
    """A small problem with one of these."""
    n, p, K = int(rng.integers(6, 40)), int(rng.integers(1, 4)), int(rng.choice([2, 2, 3]))
    X = rng.integers(-2, 3, (n, p)) * 1.0 if rng.random() < 0.5 else np.round(rng.normal(size=(n, p)), 2)
    X[0] += 0 if np.ptp(X, axis=0).any() else 1
    y = rng.integers(0, K, n) if rng.random() < 0.5 else np.searchsorted([0.0, 1.0][: K - 1], X[:, 0])
    y[:K] = np.arange(K)
    kind = str(
        rng.choice(["opposite", "tiny weights", "touching bounds", "offsets", "class weight", "float32", "zeros"])
    )
    weight = offset = None
    settings, facts, form = {}, {"kind": kind}, "given"
    if rng.random() < 0.4:
        settings["C"] = float(10.0 ** rng.uniform(-2, 6))
    if kind == "opposite":
        X, y = np.vstack([X, X]), np.concatenate([y, (y + rng.integers(1, K, n)) % K])
        weight = np.concatenate([np.ones(n), np.full(n, 10.0 ** rng.uniform(-16, 16))])
    elif kind == "tiny weights":
        weight = np.where(rng.random(n) < 0.5, 1.0, rng.choice([5e-324, 1e-310, 1e-200, 1e-30]))
        weight[:K] = 1.0
    elif kind == "touching bounds":
        at = rng.choice([0.0, 0.5, -1.0], p)
        settings["lower"] = np.where(rng.random(p) < 0.7, at, -np.inf)
        settings["upper"] = np.where(rng.random(p) < 0.7, at, np.inf)
    elif kind == "offsets":
        shape = n if K == 2 else (n, K)
        offset = rng.normal(size=shape) * 10.0 ** rng.uniform(1, 4)
    elif kind == "class weight":
        facts["class weight"] = {k: float(10.0 ** rng.uniform(-8, 8)) for k in range(K)}
    elif kind == "float32":
        X = (X * 10.0 ** rng.integers(-6, 7) + rng.choice([0, 1000])).astype(np.float32)
    else:
        form = "stored zeros"
    if rng.random() < 0.2:
        settings["fit_intercept"] = bool(not np.any(X))
    if rng.random() < 0.2 and "lower" not in settings and "C" in settings:
        settings["penalty_factor"] = rng.choice([0.0, 1.0, 1e-6, 1e6], p)
        settings["l1_ratio"] = float(rng.choice([0.0, 0.5, 1.0]))
    return Problem(X, y, weight, offset, settings, facts, form)


def check(problem):
    """The optimum, as crossed problems are checked; weights of classes are those of their rows."""
    weights = problem.facts.get("class weight")
    if weights is None:
        check_optimum(problem)
        return
    rows = np.array([weights[label] for label in np.asarray(problem.y).tolist()])
    check_optimum(replace(problem, sample_weight=rows))
    model, _ = problem.fit(class_weight=weights)
    check_finite(problem, model)
    other, _ = replace(problem, sample_weight=rows).fit()
    assert model.solution_.status is other.solution_.status, (
        f"{model.solution_.status}, by rows {other.solution_.status}"
    )


def draw_again(rng):
    """Two problems of the same columns, of which the second follows the first in one model."""
    first = draw(rng)
    other = draw(rng)
    while other.X.shape[1] != first.X.shape[1] or np.unique(other.y).size != np.unique(first.y).size:
        other = draw(rng)
    return replace(other, facts={"first": first, "fails": bool(rng.random() < 0.3), "kind": "again"})


def check_again(problem):
    """A warm start ends where a cold one does, whatever the model has fitted, or failed to fit, before."""
    first = problem.facts["first"]
    model = LogisticRegression(warm_start=True, **problem.settings)
    quietly(model.fit, first.handed(), first.y, first.sample_weight)
    if problem.facts["fails"]:
        with contextlib.suppress(ValueError):
            quietly(model.fit, first.dense() * np.nan, first.y)
    quietly(model.fit, problem.handed(), problem.y, problem.sample_weight, problem.offset)
    cold, _ = problem.fit()
    both = {model.solution_.status, cold.solution_.status}
    if Status.STALLED in both or Status.MAX_ITER in both:
        return
    assert len(both) == 1, f"warm {model.solution_.status}, cold {cold.solution_.status}"
    if both == {Status.CONVERGED}:
        for one in (model, cold):
            error, rounding = _oracle.error(problem, one)
            assert error <= 1e-4 + rounding, f"CONVERGED {error:.2g} standard errors away"


FAMILIES = [
    Family("odd: the ends of weights, offsets and bounds", draw, check, 60),
    Family("odd: one problem after another", draw_again, check_again, 30),
]
