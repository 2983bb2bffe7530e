"""Separated classes, nearly separated and not: whether a fit, a path, `infer` and `find_separation` know.

Small problems are decided in rational numbers. Large ones are made so that the answer is known: a planted direction, or
rows that balance one another.
"""

import time
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from evenodds import CollinearWarning, SeparationWarning, Status, find_separation, infer, path

from . import Family, Problem, _draw, quietly
from ._exact import separated, signs

_LONGEST = 3.0  # seconds of work for any answer; what else the machine does is not counted


def small(rng):
    """A few rows of integers, some with twins, weights, offsets, bounds and columns that a penalty holds."""
    n_classes = int(rng.choice([2, 2, 2, 3, 5]))
    n, p = max(int(rng.integers(2, 25)), n_classes), int(rng.integers(1, 4))
    X = rng.integers(-2, 3, (n, p)).astype(float)
    if rng.random() < 0.2:
        X[:, 0] = X[:, 0] > 0
    if rng.random() < 0.2:
        X = np.column_stack([X, X[:, 0] * rng.choice([1, 2, -1])])
    if rng.random() < 0.3:
        # Powers of 2, so that what is collinear stays so in floating point.
        X = (X + rng.choice([0, 0, 100], X.shape[1])) * rng.choice([2.0**-10, 1, 128], X.shape[1])
    y = rng.integers(0, n_classes, n)
    y[:n_classes] = np.arange(n_classes)
    settings = {"fit_intercept": bool(rng.random() < 0.8)}
    kind = rng.choice(["plain", "plain", "bounds", "factors"])
    if kind == "bounds":
        settings["lower"] = np.where(rng.random(X.shape[1]) < 0.4, rng.choice([0.0, -1.0]), -np.inf)
        settings["upper"] = np.where(rng.random(X.shape[1]) < 0.3, 1.0, np.inf)
    if kind == "factors":
        settings["penalty_factor"] = rng.choice([0.0, 1.0], X.shape[1])
        settings |= {"C": float(rng.choice([1.0, 100.0])), "l1_ratio": float(rng.choice([0.0, 1.0]))}
    weight = rng.choice([0.5, 1.0, 20.0], n) if rng.random() < 0.3 else None
    offset = None
    if rng.random() < 0.3:
        offset = rng.normal(size=n if n_classes == 2 else (n, n_classes)) * rng.choice([1, 10])
    return Problem(X, y, weight, offset, settings)


def check_small(problem):
    X, y, settings = problem.X, np.asarray(problem.y), problem.settings
    labels = np.unique(y)
    if labels.size < 2 or not X.any() or np.ndim(problem.offset) == 2 > labels.size - 1:
        return  # made too small
    codes = np.searchsorted(labels, y)
    factor = settings.get("penalty_factor")
    free = None if factor is None else np.asarray(factor) == 0
    bounds = {name: settings.get(name) for name in ("lower", "upper")}
    truth = separated(X, codes, intercept=settings.get("fit_intercept", True), free=free, **bounds)
    check(problem, truth)


def check(problem, truth):
    """The fit says what is true, and so do `infer`, the path and `find_separation` where they take such a problem."""
    start = time.process_time()
    model, told = problem.fit()
    seconds = time.process_time() - start
    status = model.solution_.status
    if truth:
        assert SeparationWarning in told, (
            f"separated, and the fit says {status.name}, coef_ {np.ravel(model.coef_)[:5]}"
        )
        assert status is Status.SEPARATED, f"warned of separation, and the status is {status.name}"
    else:
        assert SeparationWarning not in told, f"overlap, and the fit says {status.name} and warns"
        assert status is Status.CONVERGED, f"overlap, and the fit ends {status.name}"
    assert seconds < _LONGEST, f"the fit took long: {seconds:.1f} s"
    settings = dict(problem.settings)
    if not settings.keys() & {"penalty_factor", "lower", "upper"} and np.unique(problem.y).size == 2:
        start = time.process_time()
        rows, intercept = (problem.X, problem.y, problem.sample_weight), settings["fit_intercept"]
        found, heard = quietly(find_separation, *rows, fit_intercept=intercept)
        assert (found.kind != "overlap") == truth, f"find_separation says {found.kind}"
        assert (CollinearWarning in heard) == (CollinearWarning in told), f"find_separation warns of {heard}"
        assert time.process_time() - start < _LONGEST, "find_separation took long"
    if not settings.keys() & {"penalty_factor", "lower", "upper"}:
        start = time.process_time()
        table = infer(model, problem.X, problem.y, problem.sample_weight, problem.offset)
        assert (table.limit is not None) == truth, f"infer {'knows no limit' if truth else 'speaks of one'}"
        assert time.process_time() - start < _LONGEST, "infer took long"
    if "penalty_factor" in settings and not np.all(settings["penalty_factor"]):
        settings["Cs"] = [settings.pop("C")]
        _, told = quietly(
            path, problem.X, problem.y, sample_weight=problem.sample_weight, offset=problem.offset, **settings
        )
        assert (SeparationWarning in told) == truth, f"the path {'is silent' if truth else 'warns'}"


def planted(rng):
    """Many rows among which a direction tells one class from the others, some on the boundary; or all balance.

    The direction is a column or a combination of three integers. Rows balance where each is there with every label.
    """
    K = int(rng.choice([2, 2, 3, 6]))
    n, p = int(10 ** rng.uniform(2, 4.7)), int(rng.integers(1, rng.choice([21, 51])))
    n = min(n, 800_000 // (K * p))
    X = rng.normal(size=(n, p))
    y = (X @ rng.normal(size=(p, K)) * 0.5 + rng.gumbel(size=(n, K))).argmax(axis=1)
    y[:K] = np.arange(K)
    own = y == rng.integers(K)
    zeros = rng.permutation(n)[: max(4, int(n * rng.choice([0.001, 0.01, 0.5, 0.999])))]
    score = np.where(own, 1.0, -1.0) * (rng.choice([1, 0.01]) + np.abs(rng.normal(size=n)))
    score[zeros] = 0
    kind = rng.choice(["column", "dummy", "integers"])
    if kind == "dummy":
        score = np.where(own, score != 0, 0.0)
    if kind == "integers" and p >= 3:
        X[:, :3] = rng.integers(-3, 4, (n, 3))
        X[:, 0] = np.round(3 * score) - X[:, 1] + 2 * X[:, 2]
        score = np.round(3 * score)
    else:
        X[:, 0] = score
    truth = bool((score != 0).any())
    if rng.random() < 0.3 or not truth:  # few rows can be separated by the other columns
        X, y, truth = np.vstack([X] * K), np.concatenate([(y + k) % K for k in range(K)]), False
    X = X * 10.0 ** rng.integers(-3, 4, p) if rng.random() < 0.5 else X
    offset = rng.normal(size=len(X) if K == 2 else (len(X), K)) * 3 if rng.random() < 0.2 else None
    order = rng.permutation(len(X))
    make = sp.csr_array if rng.random() < 0.15 else np.asfortranarray if rng.random() < 0.3 else np.asarray
    settings = {"fit_intercept": True, "n_jobs": 1}
    offset = None if offset is None else offset[order]
    return Problem(make(X[order]), y[order], None, offset, settings, {"separated": truth, "kind": str(kind)})


def check_planted(problem):
    check(problem, problem.facts["separated"])


def far(rng):
    """Several classes beside columns of all sizes and far values: separated in part, or as they come, or balanced."""
    K, p = int(rng.integers(3, 9)), int(rng.integers(10, 41))
    n = int(rng.integers(60, 301))
    X = _draw.columns(rng, n, p)
    if rng.random() < 0.3:
        X[:, ::2] = np.exp(3 * rng.normal(size=X[:, ::2].shape))
    X = _draw.units(rng, X)
    y = _draw.labels(rng, X, K)
    truth = None
    kind = rng.choice(["open", "planted", "balanced"])
    if kind != "open":
        X, y = np.vstack([X] * K), np.concatenate([(y + k) % K for k in range(K)])
        own, signal = y == rng.integers(K), np.zeros(len(y))
        if kind == "planted":
            some = rng.permutation(np.flatnonzero(own))[: int(rng.integers(1, 10))]
            signal[some] = 10.0 ** rng.integers(-3, 4, some.size)
        X = np.column_stack([X, signal]) if kind == "planted" else X
        truth = kind == "planted"
    weight = np.exp(rng.normal(size=len(y)) * 2) if rng.random() < 0.5 else None
    return Problem(X, y, weight, None, {"fit_intercept": True, "n_jobs": 1}, {"separated": truth})


def check_far(problem):
    """The answer in time, what is true where that is known, and the same of other units in another order."""
    start = time.process_time()
    model, _ = problem.fit()
    assert time.process_time() - start < _LONGEST, "the fit took long"
    truth, order = problem.facts["separated"], slice(None, None, -1)
    says = _verdict(model)
    assert truth is None or says is truth, f"separated: {truth}, and the fit says {model.solution_.status.name}"
    scaled = replace(problem, X=problem.X * 2.0 ** (np.arange(problem.X.shape[1]) % 7 - 3)).rows(order)
    other = _verdict(scaled.fit()[0])
    assert None in (says, other) or says is other, "another answer in other units"


def _verdict(model):
    """Whether the classes are separated, None if the fit does not know."""
    return {Status.SEPARATED: True, Status.CONVERGED: False}.get(model.solution_.status)


def tables(rng):
    """Dummies of a factor with rare levels, some without events, beside noise: the usual way to be separated."""
    n, levels, noise = int(10 ** rng.uniform(1.5, 4.5)), int(rng.integers(2, 12)), int(rng.integers(0, 4))
    shares = rng.dirichlet(np.full(levels, rng.choice([0.3, 2.0])))
    level = rng.choice(levels, n, p=shares)
    dummies = (level[:, None] == np.arange(1, levels)).astype(float)
    rate = rng.choice([0.0, 0.1, 0.4, 0.9], levels)
    y = (rng.random(n) < rate[level]).astype(int)
    y[:2] = 0, 1
    X = np.column_stack([dummies, rng.integers(0, 4, (n, noise))])
    X = X[:, X.any(axis=0)] if X.any() else np.ones((n, 1))
    offset = rng.normal(size=n) * 10 if rng.random() < 0.3 else None
    problem = Problem(X, y, None, offset, {"fit_intercept": True})
    _, at = np.unique(np.column_stack([X, y]), axis=0, return_index=True)  # what stands there twice decides nothing
    return replace(problem, facts={"separated": separated(X[at], y[at])})


def two_classes(rng):
    """Two classes of small integers, or of columns and units of all kinds."""
    while True:
        problem = small(rng) if rng.random() < 0.5 else _draw.crossed(rng, most_rows=400, classes=False, forms=False)
        n, p = problem.X.shape
        if n * p <= 400 and np.unique(problem.y).size == 2 and problem.X.any():
            settings = {"fit_intercept": problem.settings.get("fit_intercept", True)}
            return Problem(problem.X.astype(float), problem.y, settings=settings)


def check_signs(problem):
    """To which infinity `find_separation` sends each coefficient; where rounding is in the way it may say either."""
    y = np.unique(problem.y, return_inverse=True)[1]
    intercept = problem.settings["fit_intercept"]
    design = np.column_stack([problem.X, np.ones(len(y))]) if intercept else problem.X
    spread = np.linalg.svd(design / np.linalg.norm(design, axis=0).clip(1e-300), compute_uv=False)
    truth = signs(problem.X, y, intercept=intercept) if y.max() == 1 and spread[-1] > 1e-7 * spread[0] else None
    if truth is None:
        return  # made too small, or what is collinear but for rounding
    found, _ = quietly(find_separation, problem.X, y, **problem.settings)
    integers = (np.round(problem.X) == problem.X).all() and np.abs(problem.X).max() < 1000
    for name, right in zip(found.names, truth, strict=True):
        told = found.infinite.get(name, 0.0)
        either = np.isnan(told) and right != 0 and not integers
        assert either or np.array_equal(told, right, equal_nan=True), f"{name}: told {told}, it is {right}"


FAMILIES = [
    Family("separation in small integers", small, check_small, 400),
    Family("separation that is planted", planted, check_planted, 40),
    Family("separation of several classes, far values", far, check_far, 16),
    Family("separation by levels of a factor", tables, check_planted, 60),
    Family("signs of separated coefficients", two_classes, check_signs, 80),
]
