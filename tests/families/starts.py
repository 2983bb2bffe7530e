"""Starts: offsets that put every row far from even odds, last coefficients of other columns, scales at the ends.

The oracle is the condition of optimality itself, in long double: J is convex, so a point where no direction gains
anything is the optimum, wherever the fit has started.
"""

import contextlib
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from evenodds import LogisticRegression, infer, path
from evenodds.exceptions import EvenOddsError
from evenodds.solvers import Status

from . import Family, Problem, quietly

_L = np.longdouble
_ENOUGH = 3e-6  # standard errors
FLAT = 1e-13  # a curvature beside that of even odds


def left(problem: Problem, model: LogisticRegression) -> tuple[float, bool]:
    """How far a fit is from its optimum, in standard errors: what a Newton step in all that is free to move would gain.

    And whether J is so flat in some direction that rounding decides where the optimum is.

    What is at rest has to be held there by its penalty or bound: else the answer is infinite.
    """
    X, K = np.asarray(_dense(problem.X), _L), model.classes_.size
    codes = np.searchsorted(model.classes_, problem.y)
    n, p = X.shape
    weight = np.ones(n, _L) if problem.sample_weight is None else np.asarray(problem.sample_weight, _L)
    offset = np.zeros((n, K), _L)
    W = np.concatenate([np.asarray(model.intercept_, _L)[:, None], np.asarray(model.coef_, _L)], axis=1)
    if K == 2:
        W = np.vstack([np.zeros_like(W), W])
    if problem.offset is not None:
        offset[:, 1 if K == 2 else slice(None)] = np.asarray(problem.offset, _L)
    D = np.column_stack([np.ones(n, _L), X])
    Z = D @ W.T + offset
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    # Exact where the probability of the own class is nearly 1: what is missing is the sum of the others.
    R = P.copy()
    own = (np.arange(n), codes)
    R[own] = 0
    R[own] = -R.sum(axis=1)
    pull = _penalty(problem, model, p, K)
    free_classes = np.arange(1, K) if K == 2 or pull is None else np.arange(K)
    place = [(k, j) for k in free_classes for j in range(p + 1) if j or problem.settings.get("fit_intercept", True)]
    g = np.array([weight @ (R[:, k] * D[:, j]) for k, j in place])
    size = np.array([weight @ np.abs(R[:, k] * D[:, j]) for k, j in place])
    w = np.array([W[k, j] for k, j in place])
    l1, l2, low, high = (np.array([one[j] for _, j in place]) for one in pull or _nothing(p))
    v = g + l2 * w
    up, down = np.where(w >= 0, v + l1, v - l1), np.where(w > 0, v + l1, v - l1)
    inside = ((w != 0) | (l1 == 0)) & (w > low) & (w < high)
    wrong = np.maximum(np.where(w < high, -up, 0), np.where(w > low, down, 0))
    if (wrong > 1e-7 * (size + l1 + l2 * abs(w)))[~inside].any():
        return np.inf, False
    at = np.flatnonzero(inside)
    if not at.size:
        return 0.0, False
    H = np.empty((at.size, at.size), _L)
    for a, i in enumerate(at):
        for b, j in enumerate(at):
            (k, c), (m, d) = place[i], place[j]
            h = P[:, k] * ((k == m) - P[:, m]) if k != m else P[:, k] * np.delete(P, k, axis=1).sum(axis=1)
            H[a, b] = weight @ (h * D[:, c] * D[:, d]) + (l2[i] if i == j else 0)
    slope = np.where(w > 0, v + l1, np.where(w < 0, v - l1, v))[at]
    squares = np.array([weight @ D[:, j] ** 2 for _, j in place])[at]
    unit = 1 / np.sqrt(np.where(squares > 0, squares, 1))
    curvature, directions = np.linalg.eigh(np.asarray(H * np.outer(unit, unit), float))
    along = directions.T @ np.asarray(slope * unit, float)
    flat = curvature < FLAT  # the kinks are so far away that rounding is all that is left of them
    if (np.abs(along[flat]) > 1e-10 * np.sqrt(float(weight.sum()))).any():
        return np.inf, False
    return float(np.sqrt(np.sum(along[~flat] ** 2 / curvature[~flat]))), bool(flat.any())


def _nothing(p: int) -> Any:
    return np.zeros(p + 1), np.zeros(p + 1), np.full(p + 1, -np.inf), np.full(p + 1, np.inf)


def _penalty(problem: Problem, model: LogisticRegression, p: int, K: int) -> Any:
    """l1, l2, lower and upper of the intercept and the columns; None if there is no penalty of any kind."""
    s = problem.settings
    if not np.isfinite(s.get("C", np.inf)) and "lower" not in s and "penalty_factor" not in s:
        return None
    l1, l2, low, high = _nothing(p)
    factor = np.asarray(s.get("penalty_factor", np.ones(p)), float) / s.get("C", np.inf)
    a = s.get("l1_ratio", 0.0)
    l1[1:], l2[1:] = a * factor, (1 - a) * factor
    low[1:], high[1:] = s.get("lower", -np.inf), s.get("upper", np.inf)
    return l1, l2, low, high


def _dense(X: Any) -> Any:
    return X.toarray() if sp.issparse(X) else X


def rows_of_both(rng: np.random.Generator, n: int, p: int, K: int) -> tuple[Any, Any]:
    """Rows with dummies or numbers, and labels: a few rows bear every label, so that the classes overlap."""
    X = rng.normal(size=(n, p))
    dummies = rng.random(p) < 0.4
    group = rng.integers(0, max(p, 1), n)
    X = np.where(dummies, group[:, None] == np.arange(p), X).astype(float)
    y = rng.integers(0, K, n)
    few = rng.permutation(n)[: 2 * p + 2]
    design = np.column_stack([np.ones(n), X])
    if np.linalg.matrix_rank(design[few]) < np.linalg.matrix_rank(design):
        few = np.arange(n)
    every = [few] * K
    y = np.concatenate([y, *(np.full(len(few), k) for k in range(K))])
    return np.concatenate([X, *(X[i] for i in every)]), y


def settings_of(rng: np.random.Generator, p: int, K: int) -> dict[str, Any]:
    """Parameters of a fit."""
    s: dict[str, Any] = {"tol": 1e-6, "fit_intercept": bool(rng.random() < 0.6)}
    kind = rng.integers(0, 6)
    if kind in (1, 2, 3):
        s["C"] = float(10.0 ** rng.uniform(-2, 5))
    if kind == 2:
        s["l1_ratio"] = float(rng.choice([0.3, 1.0]))
    if kind == 3:
        s |= {"penalty_factor": rng.choice([0.0, 1.0, 3.0], p), "l1_ratio": float(rng.choice([0.0, 1.0]))}
    if kind == 4:
        middle = rng.normal(size=p) * 10 ** rng.uniform(-1, 2)
        s |= {"lower": middle - rng.random(p), "upper": np.where(rng.random(p) < 0.5, np.inf, middle + rng.random(p))}
    if kind < 2:
        s["solver"] = str(rng.choice(["auto", "newton", "quasi-newton"]))
    return s


def draw_offsets(rng: np.random.Generator) -> Problem:
    """Rows with offsets of any size, of each row or of groups of rows."""
    K = int(rng.choice([2, 2, 2, 3, 4]))
    p, n = int(rng.integers(1, 6)), int(rng.integers(10, 120))
    X, y = rows_of_both(rng, n, p, K)
    size = 10 ** rng.uniform(0, 2.8)
    shape = (len(y), K) if K > 2 else (len(y),)
    if rng.random() < 0.5:
        offset = np.clip(rng.normal(size=shape) * size, -600, 600)
    else:
        groups = int(rng.integers(1, 6))
        offset = rng.uniform(-size, size, (groups, *shape[1:]))[(X[:, 0] * 7).astype(int) % groups]
    weight = None if rng.random() < 0.6 else np.exp(rng.normal(size=len(y)))
    X = sp.csr_array(X) if rng.random() < 0.15 else X
    return Problem(X, y, weight, offset, settings_of(rng, p, K))


def check_offsets(problem: Problem) -> None:
    """The fit ends at its optimum, and says so."""
    model, _ = problem.fit()
    _require_optimum(problem, model)


def _require_optimum(problem: Problem, model: LogisticRegression) -> None:
    status, (away, flat) = model.solution_.status, left(problem, model)
    # With corners a gap is proved, and rounding may keep it from being proved as small as it is.
    bounded = flat or any(name in problem.settings for name in ("C", "lower", "penalty_factor"))
    assert np.isfinite([*model.coef_.ravel(), *model.intercept_]).all(), "a coefficient is not finite"
    assert status is Status.CONVERGED or (bounded and status in (Status.STALLED, Status.MAX_ITER)), f"status {status}"
    assert away < (_ENOUGH if status is Status.CONVERGED else 3 * _ENOUGH), f"standard errors left: {away}"


def draw_warm(rng: np.random.Generator) -> Problem:
    """Rows, and what is done to them between two fits: columns rescaled, offsets or labels changed."""
    K = int(rng.choice([2, 2, 3]))
    p, n = int(rng.integers(1, 6)), int(rng.integers(10, 120))
    X, y = rows_of_both(rng, n, p, K)
    if rng.random() < 0.5:  # hardly any rows that overlap: coefficients are large
        w = rng.normal(size=(p, K)) * 20
        y[:n] = np.argmax(X[:n] @ w, axis=1)
    unit = 10.0 ** rng.choice([-6, -3, 0, 3, 6]) * np.ones(p)
    if rng.random() < 0.5:
        unit = 10.0 ** rng.uniform(-6, 6, p)
    shape = (len(y), K) if K > 2 else (len(y),)
    offset = rng.normal(size=shape) * 10 ** rng.uniform(-1, 2.5) if rng.random() < 0.3 else None
    before = rng.normal(size=shape) * 10 ** rng.uniform(-1, 2.5) if rng.random() < 0.3 else None
    settings = settings_of(rng, p, K)
    if "C" in settings and settings.get("l1_ratio", 0.0) < 1:
        settings["C"] = min(settings["C"] / float(np.median(unit)) ** 2, 1e12)
    if "lower" in settings:
        settings |= {name: settings[name] / unit for name in ("lower", "upper")}
    elif K == 2 and rng.random() < 0.1:
        settings = {"firth": True, "tol": 1e-6}
    return Problem(X * unit, y, None, offset, settings, {"unit": unit, "before": before})


def check_warm(problem: Problem) -> None:
    """A warm start ends where a cold one does."""
    unit, before = problem.facts["unit"], problem.facts["before"]
    cold, _ = problem.fit()
    model = LogisticRegression(**{**problem.settings, "warm_start": True})
    quietly(model.fit, problem.X / unit, problem.y, None, before)
    quietly(model.fit, problem.X, problem.y, None, problem.offset)
    assert model.solution_.status is cold.solution_.status or model.solution_.error < 1e-3, (
        f"status {model.solution_.status}, and {cold.solution_.status} cold"
    )
    if not problem.settings.get("firth"):
        _require_optimum(problem, cold)
        _require_optimum(problem, model)
        return
    spread = unit * np.abs(problem.X / unit).max(axis=0)
    np.testing.assert_allclose(model.coef_ * spread, cold.coef_ * spread, rtol=1e-6, atol=1e-5)


def draw_after(rng: np.random.Generator) -> Problem:
    """Rows, and a fit before theirs that has little to do with them."""
    problem = draw_offsets(rng)
    kind = str(
        rng.choice(["other labels", "more classes", "other columns", "another penalty", "no intercept", "raises"])
    )
    n, p = problem.X.shape
    before, y = problem.dense() * 10.0 ** rng.uniform(-6, 6, p), problem.y
    if kind == "other labels":
        y = np.array(["sick", "well"])[rng.permutation(np.arange(n) % 2)]
    elif kind == "more classes":
        y = rng.permutation(np.arange(n) % int(rng.integers(3, 6)))
    elif kind == "other columns":
        before = rng.normal(size=(n, p + int(rng.integers(1, 4))))
    elif kind == "raises":
        before = np.where(np.arange(n)[:, None] == rng.integers(n), np.nan, before)
    other = {"C": 10.0 ** rng.uniform(-2, 5), "l1_ratio": float(rng.choice([0.0, 1.0]))}
    own = {
        **problem.settings,
        **{name: None for name in ("lower", "upper", "penalty_factor") if name in problem.settings},
    }
    if kind in ("other columns", "another penalty"):
        own = {"tol": 1e-6} | (other if kind == "another penalty" else {})
    own["fit_intercept"] = problem.settings["fit_intercept"] != (kind == "no intercept")
    return replace(problem, facts={"X": before, "y": y, "settings": own})


def check_after(problem: Problem) -> None:
    """A warm start ends where a cold one does, whatever the model was fitted to before, or was to be."""
    f = problem.facts
    model = LogisticRegression(**{**f["settings"], "warm_start": True})
    for X, y in ((problem.X, problem.y), (f["X"], f["y"])):  # the second may raise, and leaves the first
        with contextlib.suppress(EvenOddsError):
            quietly(model.fit, X, y)
    defaults = LogisticRegression().get_params()
    quietly(
        model.set_params(**{**defaults, **problem.settings, "warm_start": True}).fit,
        problem.X,
        problem.y,
        problem.sample_weight,
        problem.offset,
    )
    assert (model.classes_ == np.unique(problem.y)).all()
    assert model.coef_.shape[1] == problem.X.shape[1]
    _require_optimum(problem, model)


def draw_path(rng: np.random.Generator) -> Problem:
    """Rows with offsets, a penalty and a few values of C."""
    problem = draw_offsets(rng)
    while "C" not in problem.settings:
        problem = draw_offsets(rng)
    settings = {k: v for k, v in problem.settings.items() if k != "solver"}
    Cs = settings["C"] * 10.0 ** -np.sort(rng.uniform(0, 3, int(rng.choice([1, 3, 8, 60], p=[0.3, 0.3, 0.3, 0.1]))))
    return replace(problem, settings=settings, facts={"Cs": Cs})


def check_path(problem: Problem) -> None:
    """Every fit of the path is the optimum for its C."""
    s, every = problem.settings, {}
    for name in ("l1_ratio", "fit_intercept", "penalty_factor"):
        if name in s:
            every[name] = s[name]
    every["l1_ratio"] = s.get("l1_ratio", 0.0)
    found, _ = quietly(
        path,
        problem.X,
        problem.y,
        **every,
        Cs=problem.facts["Cs"],
        sample_weight=problem.sample_weight,
        offset=problem.offset,
        tol=1e-14,
    )
    for k, C in enumerate(found.Cs):
        model = LogisticRegression()
        model.classes_ = found.classes
        model.coef_, model.intercept_ = np.atleast_2d(found.coefs[k]), np.atleast_1d(found.intercepts[k])
        away, _ = left(replace(problem, settings={**s, "C": float(C)}), model)
        assert away < 1e-4, f"standard errors left at C={C:.4g}: {away}"


def draw_scales(rng: np.random.Generator) -> Problem:
    """Columns of any size that a float has."""
    K = int(rng.choice([2, 2, 3]))
    p, n = int(rng.integers(1, 5)), int(rng.integers(10, 100))
    X, y = rows_of_both(rng, n, p, K)
    unit = np.exp2(np.round(rng.uniform(-990, 990, p)))
    shape = (len(y), K) if K > 2 else (len(y),)
    offset = rng.normal(size=shape) * 10 ** rng.uniform(-1, 2.5) if rng.random() < 0.5 else None
    weight = np.exp(rng.normal(size=len(y))) if rng.random() < 0.3 else None
    settings = settings_of(rng, p, K)
    if "C" in settings:
        settings["standardize"] = bool(rng.random() < 0.5)
    elif K == 2 and "lower" not in settings and rng.random() < 0.2:
        settings = {"firth": True, "tol": 1e-6}
    return Problem(X * unit, y, weight, offset, settings, {"unit": unit})


def check_scales(problem: Problem) -> None:
    """All that comes out is finite, or refused in words; without a penalty, or in units of the scale, it is as ever."""
    s, unit = problem.settings, problem.facts["unit"]
    model, _ = problem.fit()
    numbers = [model.coef_, model.intercept_, model.predict_proba(problem.X), model.solution_.loss]
    assert all(np.isfinite(number).all() for number in numbers), "not finite"
    if "lower" in s or ("C" in s and not s["standardize"]):
        return
    usual, _ = replace(problem, X=problem.X / unit).fit()
    # (Firth's is that of the raw columns, whose volume is part of it.)
    loss, least = model.solution_.loss, usual.solution_.loss
    assert "firth" in s or loss <= least + 1e-9 * (1 + abs(least)), f"J is {loss}, and {least} in usual columns"
    if "penalty_factor" in s or s.get("l1_ratio") or model.solution_.status is Status.SEPARATED:
        return
    try:
        found, _ = quietly(infer, model, problem.X, problem.y, problem.sample_weight, problem.offset)
    except EvenOddsError:
        return
    varied = np.flatnonzero(np.ptp(_dense(problem.X / unit), axis=0))
    some = np.setdiff1d(varied, model.aliased_) + int(bool(s.get("fit_intercept", True)))
    se = np.atleast_2d(found.se)[:, some]
    assert (np.isfinite(se) & (se > 0)).all(), f"standard errors {found.se}"


FAMILIES = [
    Family("starts: offsets", draw_offsets, check_offsets, 200),
    Family("starts: warm", draw_warm, check_warm, 100),
    Family("starts: warm after another fit", draw_after, check_after, 40),
    Family("starts: path", draw_path, check_path, 40),
    Family("starts: scales", draw_scales, check_scales, 60),
]
