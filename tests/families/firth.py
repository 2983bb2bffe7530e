"""Firth's likelihood where it has several maxima: far and skewed values, weights and offsets that are far apart.

The oracle climbs from many starts at once, with and without restrictions, by Newton's method in plain NumPy (leverages
by a QR factorisation), and compares heights in long double.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import expit

from evenodds import Status, infer

from . import Family, Problem, quietly

_STARTS = 45
_LEVEL = 3.841458820694124  # of chi-squared on 1 df, 95%


def draw(rng: np.random.Generator) -> Problem:
    """Few rows, of which some may be far away."""
    n, p = int(rng.integers(6, 61)), int(rng.integers(1, 5))
    p = min(p, n - 4)
    kind = rng.choice(["far", "lognormal", "cauchy", "counts", "normal", "weights", "offset"])
    X = rng.normal(size=(n, p))
    if kind == "lognormal":
        X = np.exp(X * rng.uniform(0.7, 3))
    elif kind == "cauchy":
        X = rng.standard_cauchy((n, p))
    elif kind == "counts":
        X = rng.poisson(1, (n, p)) + (np.arange(p) == 0) * X
    far = int(rng.integers(1, 5)) if kind == "far" else int(kind in ("weights", "offset") and rng.random() < 0.5)
    for _ in range(far):
        X[rng.integers(n), rng.integers(p)] = rng.choice([-1, 1]) * 10 ** rng.uniform(0.7, 3)
    z = np.clip((X - np.median(X, axis=0)) / _spread(X), -1e3, 1e3) @ (rng.normal(size=p) * rng.choice([0, 0.5, 1, 2]))
    z += rng.normal()
    y = (z > 0).astype(int) if rng.random() < 0.3 else (rng.random(n) < expit(z)).astype(int)
    y[:2] = 0, 1
    weight = np.exp(rng.normal(0, rng.uniform(0.5, 4), n)) if kind == "weights" else None
    offset = rng.normal(0, rng.uniform(0.5, 5), n) if kind == "offset" else None
    return Problem(X, y, weight, offset, {"firth": True}, {"starts": int(rng.integers(2**31))})


def draw_weights(rng: np.random.Generator) -> Problem:
    """A few rows whose weights are far apart."""
    n, p = int(rng.integers(5, 13)), int(rng.integers(1, 4))
    y = rng.integers(0, 2, n)
    y[:2] = 0, 1
    weight = np.exp(rng.normal(0, rng.uniform(2, 5), n))
    return Problem(rng.normal(size=(n, min(p, n - 3))), y, weight, None, {"firth": True}, {"starts": 0})


def draw_wide(rng: np.random.Generator) -> Problem:
    """Many columns for the rows: normal, alike, with far values in some or all, heavy-tailed."""
    n = int(rng.integers(30, 121))
    p = min(int(rng.integers(5, 16)), n // 3)
    X, kind = rng.normal(size=(n, p)), rng.choice(["normal", "alike", "cauchy", "lognormal", "far", "all far"])
    if kind == "alike":
        X = X @ rng.normal(size=(p, p))
    elif kind == "cauchy":
        X = rng.standard_cauchy((n, p))
    elif kind == "lognormal":
        X = np.exp(X * rng.uniform(0.7, 2))
    for j in range({"far": 1, "all far": p}.get(str(kind), 0)):
        X[rng.integers(n), j] = 10 ** rng.uniform(0.7, 3)
    return _labelled(rng, X, rng.choice([0.3, 1, 2]) / np.sqrt(p))


def draw_hard(rng: np.random.Generator) -> Problem:
    """Several far rows, columns nearly alike or nearly separating, weights and offsets that are far apart."""
    n = int(rng.integers(5, 201))
    p = min(int(rng.integers(1, 6)), n - 3)
    X, kind = rng.normal(size=(n, p)), rng.choice(["rows", "twins", "weights", "offset", "nearly separated"])
    for _ in range(int(rng.integers(2, 6)) if kind == "rows" or (kind == "weights" and rng.random() < 0.5) else 0):
        X[rng.integers(n), rng.integers(p)] = rng.choice([-1, 1]) * 10 ** rng.uniform(0.7, 4)
    if kind == "twins":
        X[:, -1] = X[:, 0] + 10 ** rng.uniform(-4, -1) * rng.normal(size=n)
    problem = _labelled(rng, X, rng.choice([0, 0.5, 1, 2]))
    if kind == "nearly separated":
        y = (X[:, 0] > 0).astype(int)
        y[rng.integers(n)] ^= 1
        y[:2] = 0, 1
        return replace(problem, y=y)
    weight = np.round(10 ** rng.uniform(0, 5, n)) if kind == "weights" else None
    offset = np.clip(rng.normal(0, 10 ** rng.uniform(0, 2), n), -300, 300) if kind == "offset" else None
    return replace(problem, sample_weight=weight, offset=offset)


def _labelled(rng: np.random.Generator, X: Any, size: float) -> Problem:
    z = np.clip((X - np.median(X, axis=0)) / _spread(X), -1e3, 1e3) @ (rng.normal(size=X.shape[1]) * size)
    z += rng.normal()
    y = (z > 0).astype(int) if rng.random() < 0.3 else (rng.random(len(X)) < expit(z)).astype(int)
    y[:2] = 0, 1
    return Problem(X, y, None, None, {"firth": True}, {"starts": int(rng.integers(2**31))})


def check(problem: Problem) -> None:
    """The fit is at a maximum, and none is higher."""
    rows, (model, _) = _rows(problem), problem.fit()
    if rows is None:
        return
    theta = np.concatenate([model.intercept_, model.coef_[0]])
    height = _exactly(rows, theta)
    assert model.solution_.status is Status.CONVERGED, model.solution_.status
    assert _decrement(rows, theta) < 1e-7, "not at a maximum"
    assert abs(height + model.solution_.loss * rows[1].sum()) < 1e-6 * (1 + abs(height)), "not the height it says"
    best = max(_exactly(rows, one) for one in _tops(rows, _starts(problem, rows)))
    assert height > best - 1e-5, f"{best - height:.3g} below another maximum"


def check_inference(problem: Problem) -> None:
    """No restricted maximum is above what a test or an interval says it is."""
    rows, (model, _) = _rows(problem), problem.fit()
    if rows is None:
        return
    result, _ = quietly(infer, model, problem.X, problem.y, problem.sample_weight, problem.offset)
    np.testing.assert_array_equal(result.coef, np.concatenate([model.intercept_, model.coef_[0]]))
    top = _exactly(rows, result.coef)
    starts = _starts(problem, rows)
    for j in range(result.coef.size):
        for value, most in ((0.0, result.z[j] ** 2), *((end, _LEVEL) for end in result.conf_int[j])):
            if not np.isfinite(value):
                continue
            held = starts.copy()
            held[:, j] = value
            free = np.flatnonzero(np.arange(result.coef.size) != j)
            fallen = 2 * (top - max(_exactly(rows, one) for one in _tops(rows, held, free)))
            assert fallen > -1e-6, f"a restricted maximum is above the free one by {-fallen / 2:.3g}"
            assert fallen > most - 1e-3 * (1 + most), f"{j} at {value:.6g}: fallen by {fallen:.6g}, not by {most:.6g}"


FAMILIES = [
    Family("several maxima of Firth's likelihood", draw, check, 40),
    Family("Firth's fit with weights that are far apart", draw_weights, check, 15),
    Family("several maxima of Firth's likelihood of many columns", draw_wide, check, 3),
    Family("several maxima of Firth's likelihood: far rows, twins, weights and offsets", draw_hard, check, 15),
    Family("tests and intervals of several maxima", draw, check_inference, 4),
]


def _spread(X: Any) -> Any:
    middle = np.median(np.abs(X - np.median(X, axis=0)), axis=0)
    return np.where(middle > 0, middle, np.abs(X).mean(axis=0) + 1e-9)


def _rows(problem: Problem) -> Any:
    """Columns with the intercept, weights, offsets and labels; None where columns are dependent."""
    n = len(problem.y)
    D = np.column_stack([np.ones(n), problem.X]).astype(float)
    if np.linalg.matrix_rank(D / np.maximum(np.abs(D).max(axis=0), 1e-300)) < D.shape[1]:
        return None
    weight = np.ones(n) if problem.sample_weight is None else problem.sample_weight
    return D, weight, np.zeros(n) if problem.offset is None else problem.offset, problem.y


def _starts(problem: Problem, rows: Any) -> Any:
    """Zero, and scores of all sizes, in units of the middle of the rows and of their standard deviation."""
    rng, D = np.random.default_rng(problem.facts["starts"]), rows[0]
    X, size = D[:, 1:], rng.choice([0.3, 1, 2, 4, 8, 16], (_STARTS, 1))
    unit = np.where(np.arange(_STARTS)[:, None] % 3, _spread(X), X.std(axis=0))
    slopes = rng.normal(size=(_STARTS, X.shape[1])) * size / unit
    shift = rng.normal(size=_STARTS) * size[:, 0] - slopes @ np.median(X, axis=0)
    return np.vstack([np.zeros(D.shape[1]), np.column_stack([shift, slopes])])


def _exactly(rows: Any, theta: Any) -> float:
    """The penalised log-likelihood in long double, by a Cholesky factorisation; -inf where that is rounding."""
    D, s, o, y = (np.asarray(a, dtype=np.longdouble) for a in rows)
    z = D @ np.asarray(theta, dtype=np.longdouble) + o
    t = np.exp(-np.abs(z))
    G = (D.T * (s * t / (1 + t) ** 2)) @ D
    half = np.longdouble(0)
    for j in range(len(G)):
        if not G[j, j] > 0:
            return -np.inf
        half += np.log(G[j, j]) / 2
        G = G - np.outer(G[:, j], G[j]) / G[j, j]
    return float(s @ (np.minimum(np.where(y > 0, z, -z), 0) - np.log1p(t)) + half)


def _look(rows: Any, thetas: Any) -> Any:
    """At each theta: the height, its gradient, minus its Hessian, and what is positive of that."""
    D, s, o, y = rows
    z = thetas @ D.T + o
    t = np.exp(-np.abs(z))
    p, v = np.where(z >= 0, 1 / (1 + t), t / (1 + t)), t / (1 + t) ** 2
    A = np.sqrt(s * v)[:, :, None] * D
    size = np.maximum(np.sqrt((A * A).sum(axis=1)), 1e-150)
    Q, R = np.linalg.qr(A / size[:, None, :])
    h = (Q * Q).sum(axis=2)
    diagonal = np.abs(np.einsum("mii->mi", R))
    with np.errstate(divide="ignore"):
        half = (np.log(diagonal) + np.log(size)).sum(axis=1)
    value = (np.minimum(np.where(y > 0, z, -z), 0) - np.log1p(t)) @ s + half
    a = 1 - 2 * p
    M = np.einsum("ni,mn,nj->mij", D, (s + h) * v, D)
    X, H = a[:, :, None] * D, np.square(Q @ Q.transpose(0, 2, 1))
    spread = np.einsum("mni,mn,mnj->mij", X, h, X) - X.transpose(0, 2, 1) @ H @ X
    return np.where(np.isfinite(value), value, -np.inf), (s * (y - p) + h * a / 2) @ D, M - spread / 2, M


def _step(look: Any, free: Any) -> Any:
    """Newton's step of the free coefficients in the metric of M, of directions that curve the wrong way as well."""
    _, g, H, M = look
    H, M, g = H[:, free][:, :, free], M[:, free][:, :, free], g[:, free]
    size = np.sqrt(np.maximum(np.einsum("mii->mi", M), 1e-290))
    L = np.linalg.inv(np.linalg.cholesky(M / size[:, :, None] / size[:, None, :] + 1e-13 * np.eye(len(free))))
    curve, U = np.linalg.eigh(L @ (H / size[:, :, None] / size[:, None, :]) @ L.transpose(0, 2, 1))
    inner = np.einsum("mji,mj->mi", U, np.einsum("mij,mj->mi", L, g / size))
    step = np.einsum("mji,mj->mi", L, np.einsum("mij,mj->mi", U, inner / np.maximum(np.abs(curve), 0.05))) / size
    return step, (step * g).sum(axis=1)


def _decrement(rows: Any, theta: Any) -> float:
    return float(_step(_look(rows, theta[None]), np.arange(theta.size))[1][0])


def _tops(rows: Any, thetas: Any, free: Any = None) -> Any:
    """Where the climbs from all starts end; with the finite ones only."""
    free = np.arange(thetas.shape[1]) if free is None else free
    ends = []
    for _ in range(150 if len(free) else 0):
        look = _look(rows, thetas)
        step, gain = _step(look, free)
        going = (gain > 1e-11) & np.isfinite(look[0])
        ends.append(thetas[np.isfinite(look[0]) & ~going])
        thetas, step, gain, height = thetas[going], step[going], gain[going], look[0][going]
        if not len(thetas):
            break
        here, low, length = thetas.copy(), np.arange(len(thetas)), np.ones(len(thetas))
        for _ in range(30):
            thetas[np.ix_(low, free)] = here[np.ix_(low, free)] + length[low, None] * step[low]
            enough = height[low] + 1e-4 * length[low] * gain[low] - 1e-13 * np.abs(height[low])
            low = low[_look(rows, thetas[low])[0] < enough]
            length[low] /= 2
            if not len(low):
                break
        ends.append(here[low])
        thetas = np.delete(thetas, low, axis=0)
    ends = np.vstack([*ends, thetas])
    return ends[np.argsort(-_look(rows, ends)[0])[:3]]
