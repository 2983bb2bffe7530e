"""Where fits end: CONVERGED is within `tol`, whatever the solver, the strength of the penalty and the unit of weights.

The oracle is the condition of optimality itself: the gradient at the coefficients in extended precision, in the norm of
the inverse of the exact Hessian there, which is the distance to the optimum in standard errors.
"""

import numpy as np

from families import Family, Problem

_TOL = 1e-4  # the library's default
_ROOM = 1.05  # the distance by the Hessian at the coefficients is that to the optimum to first order
_wide = np.longdouble


def distance(problem, model):
    """How far the coefficients of a fit with a ridge are from the optimum, in standard errors."""
    X, y = np.asarray(problem.X, _wide), np.asarray(problem.y)
    n, p = X.shape
    s = np.ones(n, _wide) if problem.sample_weight is None else np.asarray(problem.sample_weight, _wide)
    total = s.sum()
    ridge = 1 / (_wide(model.C) * total)
    mean = s @ X / total
    D = X - mean
    size = np.sqrt(s @ D**2 / total)
    size[size == 0] = 1
    D = np.column_stack([np.ones(n, _wide), D / size])
    Z = X @ np.asarray(model.coef_, _wide).T + np.asarray(model.intercept_, _wide)
    if Z.shape[1] == 1:
        Z = np.column_stack([np.zeros(n, _wide), Z])
    K = Z.shape[1]
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    R = (P - (y[:, None] == model.classes_)) * (s / total)[:, None]
    free = range(1, K) if K == 2 else range(K)
    pull = np.concatenate([[_wide(0)], ridge / size**2])
    W = np.zeros((len(free), p + 1), _wide)
    W[:, 1:] = np.asarray(model.coef_, _wide) * size
    g = (R[:, free].T @ D + pull * W).ravel().astype(float)
    D, h = D.astype(float), (s / total).astype(float)
    P = P.astype(float)
    blocks = [[D.T @ ((h * P[:, a] * ((a == b) - P[:, b]))[:, None] * D) for b in free] for a in free]
    H = np.block(blocks) + np.diag(np.tile(pull.astype(float), len(free)))
    if K > 2:  # all intercepts together change nothing
        at = np.arange(K) * (p + 1)
        H[np.ix_(at, at)] += 1 / K
    unit = np.sqrt(H.diagonal())
    step = np.linalg.solve(H / unit / unit[:, None] + 1e-15 * np.eye(unit.size), g / unit)
    return float(np.sqrt(max(float(total), np.count_nonzero(s)) * max((g / unit) @ step, 0)))


def _columns(rng, n, p):
    """Columns of one kind."""
    kind = rng.choice(["normal", "yes or no", "counts", "far", "collinear", "rare"])
    X = rng.normal(size=(n, p))
    if kind == "yes or no":
        X = (rng.random((n, p)) < rng.uniform(0.05, 0.95, p)).astype(float)
    elif kind == "counts":
        X = rng.poisson(rng.uniform(0.2, 5, p), (n, p)).astype(float)
    elif kind == "far":
        X = rng.standard_t(1.5, size=(n, p))
    elif kind == "collinear":
        X[:, -1] = X[:, 0] + 10 ** rng.uniform(-4, -1) * X[:, -1]
    elif kind == "rare":
        X = (rng.random((n, p)) < 2 / n).astype(float)
        X[:, 0] = rng.normal(size=n)
    return X


def _labels(rng, X, K):
    """Labels that the columns tell little or nearly all of; each class is there."""
    size = X.std(axis=0)
    B = rng.normal(size=(X.shape[1], K)) * 10 ** rng.uniform(-1, 1.3) / np.sqrt(X.shape[1])
    y = (X / np.where(size > 0, size, 1) @ B + rng.gumbel(size=(len(X), K))).argmax(axis=1)
    y[:K] = np.arange(K)
    return y


def _table(rng, most):
    n = int(np.exp(rng.uniform(np.log(12), np.log(most))))
    X = _columns(rng, n, int(rng.integers(1, min(20, max(3, n // 2)))))
    return X, _labels(rng, X, int(rng.choice([2, 2, 2, 3, 4])))


def _weights(rng, n):
    return rng.choice([np.ones(n), rng.exponential(size=n), np.exp(2 * rng.normal(size=n))])


def draw_ending(rng):
    """Any solver, strengths from 1e-3 to 1e8, weights in any unit; nearly separated, rare and collinear columns."""
    X, y = _table(rng, 400)
    weight = None if rng.random() < 0.5 else _weights(rng, len(y)) * 10 ** rng.uniform(-9, 3)
    solver = str(rng.choice(["auto", "newton", "quasi-newton", "quasi-newton"]))
    return Problem(X, y, sample_weight=weight, settings={"C": 10 ** rng.uniform(-3, 8), "solver": solver})


def draw_large(rng):
    """So many rows and columns that exact Hessians are dear: a metric of its own for two classes and for more."""
    K = int(rng.choice([2, 3]))
    n, p = int(rng.integers(900, 4000)), int(rng.integers(60, 250) / K)
    X = _columns(rng, n, p)
    return Problem(X, _labels(rng, X, K), settings={"C": 10 ** rng.uniform(0, 8)})


def draw_wide(rng):
    """More columns than rows, or nearly so, at weak penalties: the rows are nearly separated."""
    n = int(rng.integers(60, 250))
    p = int(n * rng.uniform(0.7, 3))
    X = rng.normal(size=(n, p)) + rng.choice([0, 1.0]) * rng.normal(size=(n, 1))
    return Problem(X, _labels(rng, X, 2), settings={"C": 10 ** rng.uniform(0, 6)})


def check_ending(problem):
    """Converged, and within tol."""
    model, _ = problem.fit()
    assert model.solution_.status.name == "CONVERGED", model.solution_
    assert distance(problem, model) <= _ROOM * _TOL, (distance(problem, model), model.solution_)


def draw_units(rng):
    """A fit whose weights add up to no more than the rows, and another unit of them; any penalty."""
    X, y = _table(rng, 200)
    weight = _weights(rng, len(y))
    kind = rng.choice(["ridge", "quasi-newton", "lasso", "net", "bounds", "factors"])
    settings = {
        "ridge": {},
        "quasi-newton": {"solver": "quasi-newton"},
        "lasso": {"l1_ratio": 1.0},
        "net": {"l1_ratio": 0.3},
        "bounds": {"lower": 0.0},
        "factors": {"penalty_factor": rng.uniform(0.5, 2, X.shape[1])},
    }[kind]
    settings = {"C": 10 ** rng.uniform(-2, 3), **settings}
    return Problem(X, y, weight / max(weight.mean(), 1.0), settings=settings, facts={"power": int(rng.integers(1, 30))})


def check_units(problem):
    """Weights times 10^-k, with C to match, are the same fit."""
    model, _ = problem.fit()
    unit = 10.0 ** problem.facts["power"]
    other = Problem(problem.X, problem.y, problem.sample_weight / unit, settings=problem.settings)
    moved, _ = other.fit(C=problem.settings["C"] * unit)
    assert moved.solution_.status is model.solution_.status, (moved.solution_, model.solution_)
    assert abs(moved.solution_.loss - model.solution_.loss) <= _TOL**2 / len(problem.y)
    if problem.settings.get("l1_ratio") != 1:  # a lasso of twin columns, or of more than two classes, leaves some open
        np.testing.assert_allclose(moved.coef_, model.coef_, rtol=0, atol=1e-5 * np.abs(model.coef_).max())


def draw_rounding(rng):
    """Any smooth fit, of two classes or more, by any solver."""
    X, y = _table(rng, 2000)
    solver = str(rng.choice(["auto", "quasi-newton"]))
    return Problem(X, y, settings={"C": 10 ** rng.uniform(-2, 4), "solver": solver})


def check_rounding(problem):
    """A tolerance below rounding costs few reads more than one above it, and what the fit says of its end is true."""
    usual, _ = problem.fit(tol=1e-8)
    model, _ = problem.fit(tol=1e-13)
    assert model.solution_.status.name in ("CONVERGED", "STALLED"), model.solution_
    assert model.solution_.passes <= 2 * usual.solution_.passes + 10, (model.solution_, usual.solution_)
    reached = distance(problem, model)
    assert reached <= 1e-7, (reached, model.solution_)
    assert reached <= max(_ROOM * model.solution_.error, 1e-9), (reached, model.solution_)


FAMILIES = [
    Family("end of a fit", draw_ending, check_ending, 120),
    Family("end of a large fit", draw_large, check_ending, 16),
    Family("end of a wide fit", draw_wide, check_ending, 16),
    Family("unit of weights", draw_units, check_units, 80),
    Family("tolerance below rounding", draw_rounding, check_rounding, 40),
]
