"""Wide sparse rows under a penalty, fitted by products with the Hessian: the optimum in the space of the rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit

from evenodds import LogisticRegression
from evenodds.solvers import Status

KINDS = ("words", "levels", "scales", "far")


def member(kind, seed):
    """X (n, p), p > 500, as people have it: words of texts, levels, columns of any scale, some far from 0."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(20, 100)), int(rng.integers(520, 1200))
    often = 1 / np.arange(1, p + 1) ** 1.1
    if kind == "levels":
        X = np.zeros((n, p))
        for part in np.array_split(np.arange(p), 4):
            X[np.arange(n), rng.choice(part, n, p=often[: part.size] / often[: part.size].sum())] = 1.0
    else:
        X = rng.poisson(20 * often / often.sum(), size=(n, p)).astype(float)
    if kind == "scales":
        X *= 10 ** rng.uniform(-4, 4, p)
    if kind == "far":
        X[:, 0] = 1000 + rng.normal(size=n)
    X[0, ~X.any(axis=0)] = 0.3
    scores = X / np.maximum(X.std(axis=0), 1e-3) @ (rng.normal(size=p) / np.sqrt(10))
    y = (scores - np.median(scores) + rng.logistic(size=n) > 0).astype(int)
    y[:2] = 0, 1
    weight = rng.uniform(0.3, 3, n) if seed % 2 else None
    offset = rng.normal(size=n) if seed % 3 == 0 else None
    return X, y, weight, offset


def loss_and_slope(X, y, weight, offset, C, b, w):
    """J, and the largest entries of its gradient by the intercept and by the coefficients."""
    s = np.ones(len(y)) if weight is None else weight
    z = X @ w + b + (0 if offset is None else offset)
    r = s * (expit(z) - y) / s.sum()
    value = (s @ np.logaddexp(0, np.where(y == 1, -z, z))) / s.sum() + w @ w / (2 * C * s.sum())
    return value, abs(r.sum()), X.T @ r + w / (C * s.sum())


def optimum(X, y, weight, offset, C, intercept):
    """J at its minimum, by Newton's method on w = X'a, with plain NumPy."""
    s = np.ones(len(y)) if weight is None else weight
    n, K = len(y), X @ X.T
    values, vectors = np.linalg.eigh(K)
    R = vectors * np.sqrt(np.maximum(values, 0))  # the rows in their own space: K = R R'
    D = np.column_stack([np.ones(n), R]) if intercept else R
    pull = np.full(D.shape[1], 1 / (C * s.sum()))
    pull[:1] = 0 if intercept else pull[:1]
    theta, best = np.zeros(D.shape[1]), np.inf

    def J(theta):
        z = D @ theta + (0 if offset is None else offset)
        return (s @ np.logaddexp(0, np.where(y == 1, -z, z))) / s.sum() + theta @ (pull * theta) / 2

    for _ in range(200):
        p = expit(D @ theta + (0 if offset is None else offset))
        g = D.T @ (s * (p - y)) / s.sum() + pull * theta
        H = (D.T * (s * p * (1 - p) / s.sum())) @ D + np.diag(pull + 1e-15)
        step, t = np.linalg.solve(H, -g), 1.0
        while J(theta + t * step) > J(theta) + 1e-4 * t * (g @ step) and t > 1e-10:
            t /= 2
        theta = theta + t * step
        if best - J(theta) <= 1e-15 * best:
            break
        best = J(theta)
    return min(best, J(theta))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_optimum_of_the_rows(kind, C, intercept):
    for seed in range(3):
        X, y, weight, offset = member(kind, seed)
        model = LogisticRegression(C=C, fit_intercept=intercept).fit(sp.csr_array(X), y, weight, offset)
        assert model.solution_.status is Status.CONVERGED
        b, w = model.intercept_[0], model.coef_[0]
        value, by_intercept, by_coef = loss_and_slope(X, y, weight, offset, C, b, w)
        S = max(len(y), 0.0 if weight is None else weight.sum())
        assert value - optimum(X, y, weight, offset, C, intercept) <= 1e-8 / (2 * S) + 1e-11 * value
        assert -1e-12 * value <= model.solution_.loss - value <= model.solution_.gap + 1e-12 * value
        assert not intercept or by_intercept < 1e-4
        assert np.isfinite(by_coef).all()


@pytest.mark.parametrize("kind", KINDS)
def test_other_forms_of_the_same_rows(kind):
    X, y, weight, offset = member(kind, 3)
    model = LogisticRegression(C=2.0, tol=1e-7)
    plain = model.fit(sp.csr_array(X), y, weight, offset).coef_.copy()
    size = np.abs(plain * X.std(axis=0)).max()
    wide = sp.csr_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for form in (wide, sp.csc_array(X), sp.coo_array(X)):
        np.testing.assert_array_equal(model.fit(form, y, weight, offset).coef_, plain)
    if kind in ("words", "levels"):  # which single precision holds as they are, but for 0.3
        single = model.fit(sp.csr_array(X.astype(np.float32)), y, weight, offset).coef_
        np.testing.assert_allclose(single, plain, atol=1e-5 * np.abs(plain).max())
    again = LogisticRegression(C=2.0, tol=1e-7, warm_start=True).fit(sp.csr_array(X), y, weight, offset)
    again.fit(sp.csr_array(X), y, weight, offset)
    assert again.solution_.iterations <= 2
    np.testing.assert_allclose(again.coef_ * X.std(axis=0), plain * X.std(axis=0), atol=1e-5 * size)


def test_threads_do_not_change_bits():
    rng = np.random.default_rng(0)
    n, p = 80_000, 600  # three blocks
    X = sp.random(n, p, density=0.03, format="csr", rng=rng)
    y = (np.ravel(X[:, :20].sum(axis=1)) + 0.3 * rng.normal(size=n) > 0.2).astype(int)
    one, two, seven = (LogisticRegression(C=10.0, n_jobs=jobs).fit(X, y) for jobs in (1, 2, 7))
    np.testing.assert_array_equal(one.coef_, two.coef_)
    np.testing.assert_array_equal(one.coef_, seven.coef_)
    assert one.solution_.passes > one.solution_.iterations + 1


@pytest.mark.parametrize("K", [3, 5])
@pytest.mark.parametrize("C", [0.3, 30.0])
def test_several_classes(K, C):
    """Against the same rows as a dense table, which is fitted in another way, and as a gradient that is zero."""
    for seed, intercept in ((0, True), (1, False)):
        rng = np.random.default_rng(seed)
        n, p = 520, 300
        often = 1 / np.arange(1, p + 1) ** 1.1
        X = rng.poisson(12 * often / often.sum(), size=(n, p)).astype(float)
        y = (X @ rng.normal(size=(p, K)) * 0.5 + rng.gumbel(size=(n, K))).argmax(axis=1)
        y[:K] = np.arange(K)
        weight = rng.uniform(0.3, 3, n) if seed else None
        offset = rng.normal(size=(n, K)) if seed else None
        model = LogisticRegression(C=C, fit_intercept=intercept, tol=1e-6)
        dense = model.fit(X, y, weight, offset).coef_.copy()
        model.fit(sp.csr_array(X), y, weight, offset)
        assert model.solution_.status is Status.CONVERGED
        np.testing.assert_allclose(model.coef_, dense, atol=3e-6 * np.abs(dense).max())
        s = np.ones(n) if weight is None else weight
        Z = X @ model.coef_.T + model.intercept_ + (0 if offset is None else offset)
        P = np.exp(Z - Z.max(axis=1, keepdims=True))
        R = s[:, None] * (P / P.sum(axis=1, keepdims=True) - np.eye(K)[y])
        assert np.abs(R.T @ X + model.coef_ / C).max() < 1e-4 * np.abs(R.T @ X).max() + 1e-4
        np.testing.assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-6 * np.abs(dense).max())


@pytest.mark.parametrize("K", [2, 3, 4])
@pytest.mark.parametrize("solver", ["newton", "quasi-newton"])
def test_rows_that_come_once_with_each_label_tell_nothing(solver, K):
    """The gradient at 0 is 0 there, of two and four classes to the last bit: nothing is left to gain, nor to doubt."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n, p = int(rng.choice([6, 60, 600])), int(rng.choice([4, 30] if solver == "newton" else [4, 700]))
        X = np.tile((rng.random((n, p)) < (0.5 if n == 6 else 0.03)).astype(float), (K, 1))
        X = sp.csr_array(X) if seed % 3 else X
        model = LogisticRegression(C=1.0, solver=solver, fit_intercept=bool(seed % 2))
        model.fit(X, np.repeat(np.arange(K), n))
        assert model.solution_.status is Status.CONVERGED, seed
        assert np.abs(model.coef_).max() < 1e-9, seed
        assert model.solution_.loss == pytest.approx(np.log(K), abs=1e-14), seed
