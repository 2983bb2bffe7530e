"""Standard errors beside columns that are nearly twins, by the formulas in 50 digits.

The information of twins whose gap is 1e-6 of their size is singular but for 1e-12. The variance of a coefficient is
not, and that of a sum of twins, of a probability and of an intercept far from the rows is none the larger for them.
"""

import mpmath
import numpy as np

from evenodds import Status, infer

from . import Family, Problem, quietly

_DIGITS = 50
_CLOSE = 1e-7  # of a standard error, a statistic or a variance inflation factor


def draw(rng):
    """A few columns and a twin of a combination of them, of two or three classes, some with a trace of a ridge."""
    K = 3 if rng.random() < 0.25 else 2
    n, p = int(rng.integers(20, 50)), int(rng.integers(1, 4))
    X = rng.normal(size=(n, p)) + rng.choice([0, 0, 1e3], p)
    way = rng.integers(-1, 3, p) * 1.0
    way[0] = 1
    gap = 10.0 ** rng.uniform(-6, -1)
    X = np.column_stack([X, X @ way + gap * np.std(X @ way) * rng.normal(size=n)])
    y = rng.integers(0, K, n)
    y[: 2 * K] = np.tile(np.arange(K), 2)
    cov = str(rng.choice(["model", "HC0", "HC1", "HC2", "HC3", "cluster"]))
    simple = cov in ("HC2", "HC3")
    weight = rng.integers(1, 5, n) * 1.0 if rng.random() < 0.3 and not simple else None
    settings = {"tol": 1e-9}
    if K == 2 and not simple and rng.random() < 0.3:
        settings["C"] = 10.0 ** rng.uniform(2, 14)
    X = X * 10.0 ** rng.integers(-3, 4, X.shape[1])
    return Problem(X, y, weight, None, settings, {"cov": "model" if simple and K > 2 else cov})


def check(problem):
    """Standard errors, of probabilities too, a test of two coefficients and inflation factors are the formulas'."""
    X, y, cov = problem.dense(), np.asarray(problem.y), problem.facts["cov"]
    if np.unique(y).size != y.max() + 1 or y.max() == 0:
        return  # made too small
    model, _ = problem.fit()
    if model.aliased_ or model.solution_.status is not Status.CONVERGED:
        return
    n = len(y)
    weight = np.ones(n) if problem.sample_weight is None else problem.sample_weight
    groups = np.arange(n) % 7
    asked = {"cov": cov, "groups": groups if cov == "cluster" else None, "weights": "frequency"}
    result, _ = quietly(infer, model, X, y, problem.sample_weight, **asked)
    with mpmath.workdps(_DIGITS):
        V = covariance(model, X, y, weight, groups, cov)
        _alike(np.sqrt(np.diag(result.covariance)), [mpmath.sqrt(V[j, j]) for j in range(V.rows)], "standard errors")
        if y.max() == 1:
            check_two_classes(model, result, X, V, cov)


def check_two_classes(model, result, X, V, cov):
    """A test of the twin and its neighbour, inflation factors, and errors of probabilities."""
    k = X.shape[1] + 1
    coef = mpmath.matrix([float(b) for b in model.coef_[0, k - 3 :]])
    found = result.test(f"x{k - 3} = 0, x{k - 2} = 0")
    _alike([found.statistic], [(coef.T * V[k - 2 :, k - 2 :] ** -1 * coef)[0]], "a test of two coefficients")
    if cov == "model" and np.isinf(model.C):
        inner = V[1:, 1:] ** -1
        _alike(result.vif()["vif"], [V[j + 1, j + 1] * inner[j, j] for j in range(k - 1)], "an inflation factor")
    D, P = mpmath.matrix(np.column_stack([np.ones(len(X)), X]).tolist()), model.predict_proba(X)
    spread = [(D[i, :] * V * D[i, :].T)[0] for i in range(5)]
    right = [mpmath.sqrt(v) * p * q for v, (p, q) in zip(spread, P[:5].tolist(), strict=True)]
    _alike(result.predict(X[:5])["se"], right, "the error of a probability")


def covariance(model, X, y, weight, groups, cov):
    """The covariance of the coefficients, those of the first class 0, one class after another, the intercepts first."""
    n, p, F = len(y), X.shape[1], int(y.max())
    coef, constant = model.coef_, model.intercept_
    if F > 1:
        coef, constant = coef[1:] - coef[0], constant[1:] - constant[0]
    theta = mpmath.matrix(np.column_stack([constant, coef]).tolist())
    D = mpmath.matrix(np.column_stack([np.ones(n), X]).tolist())
    scores = D * theta.T
    k, s = p + 1, [mpmath.mpf(float(w)) for w in weight]
    A, M = mpmath.matrix(F * k, F * k), mpmath.matrix(F * k, F * k)
    u = []
    for i in range(n):
        e = [mpmath.exp(scores[i, a]) for a in range(F)]
        P = [v / (1 + sum(e)) for v in e]
        for a in range(F):
            for b in range(F):
                w = s[i] * (P[a] * (a == b) - P[a] * P[b])
                for j in range(k):
                    for h in range(k):
                        A[a * k + j, b * k + h] += w * D[i, j] * D[i, h]
        u.append(mpmath.matrix([((y[i] == a + 1) - P[a]) * D[i, j] for a in range(F) for j in range(k)]))
    information = A.copy()
    if np.isfinite(model.C):
        for j in range(1, k):
            A[j, j] += 1 / mpmath.mpf(float(model.C))
    inverse = A**-1
    if cov == "model":
        return inverse * information * inverse
    if cov == "cluster":
        for g in range(7):
            total = sum((s[i] * u[i] for i in range(n) if groups[i] == g), mpmath.matrix(F * k, 1))
            M += total * total.T * mpmath.mpf(7) / 6
        return inverse * M * inverse
    for i in range(n):
        square = s[i] * u[i] * u[i].T
        if cov in ("HC2", "HC3"):
            q = 1 / (1 + mpmath.exp(-scores[i, 0]))
            leverage = (D[i, :] * inverse * D[i, :].T)[0] * q * (1 - q)
            square /= (1 - leverage) ** (1 if cov == "HC2" else 2)
        M += square
    total = sum(s)
    return inverse * M * inverse * (total / (total - F * k) if cov == "HC1" else 1)


def _alike(found, right, what):
    off = max(abs(float(a / mpmath.mpf(float(b)) - 1)) for a, b in zip(right, found, strict=True))
    assert off < _CLOSE, f"{what}: off by {off:.1e}"


FAMILIES = [Family("standard errors beside near twins", draw, check, 12)]
