"""What a fit promises: no coefficient is further from the optimum than tol standard errors; separation is never silent.

Both are tried on data that mislead: the first on metrics that are far from the Hessian, the second on rows that a
sample or a linear programme would overlook.
"""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit

from evenodds import LogisticRegression, SeparationWarning, Status
from oracle import newton, quiet

# tol


def columns_of(kind, n, rng):
    X = rng.normal(size=(n, 6))
    if kind == "correlated":
        X = rng.normal(size=(n, 1)) + 0.03 * X  # correlation 0.999
    elif kind == "rare":
        X[:, :3] = rng.random((n, 3)) < [1e-3, 3e-4, 1e-4]
    elif kind == "Cauchy":
        X = rng.standard_cauchy((n, 6))
    elif kind == "lognormal":
        X = np.exp(3 * X)
    elif kind == "t2":
        X = rng.standard_t(2, (n, 6))
    w = rng.normal(size=6) * (0.001 if kind in ("Cauchy", "lognormal") else 0.5)
    z = X @ w - (6 if kind == "imbalanced" else 0.5)
    return X, (rng.random(n) < 1 / (1 + np.exp(-z))).astype(np.uint8)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", ["plain", "correlated", "rare", "Cauchy", "lognormal", "t2", "imbalanced"])
def test_no_coefficient_is_further_than_tol_of_its_standard_error(kind, seed):
    X, y = columns_of(kind, 60_000, np.random.default_rng(seed))
    for C in (np.inf, 1e-2):
        truth = newton(X, y, ridge=1 / C)
        for tol in (1e-1, 1e-2, 1e-4):
            model = LogisticRegression(C=C, solver="quasi-newton", tol=tol, n_jobs=1).fit(X, y)
            far = np.abs(model.coef_[0] - truth.coef) / truth.se
            far = max(far.max(), abs(model.intercept_[0] - truth.intercept) / truth.se_intercept)
            assert far <= tol, (kind, C, tol, model.solution_.error)


@pytest.mark.parametrize("seed", [3, 5, 7, 8, 9, 10])  # of twelve those that came nearest to tol
@pytest.mark.parametrize("C", [1.0, 30.0, 100.0, 1000.0])
def test_tol_holds_where_the_metric_is_a_diagonal_of_correlated_columns(C, seed):
    rng = np.random.default_rng(seed)
    n, p = 3000, 600
    B = (rng.random((n, p // 2)) < 0.03) * rng.normal(1, 0.3, (n, p // 2))
    X = np.hstack([B, B * (1 + 0.02 * rng.normal(size=B.shape))])  # each column has a twin that is nearly equal
    y = (rng.random(n) < 1 / (1 + np.exp(-(X @ (rng.normal(size=p) * 0.3))))).astype(np.uint8)
    sparse = sp.csr_array(X)
    truth = LogisticRegression(C=C, solver="newton").fit(sparse, y)
    D = np.hstack([np.ones((n, 1)), X])
    prob = truth.predict_proba(sparse)[:, 1]
    H = D.T @ ((prob * (1 - prob))[:, None] * D) + np.diag([0.0] + [1 / C] * p)
    se = np.sqrt(np.diag(np.linalg.inv(H)))
    for tol in (1e-1, 1e-2, 1e-4):
        model = LogisticRegression(C=C, solver="quasi-newton", tol=tol, max_iter=1000).fit(sparse, y)
        change = np.array([*(model.intercept_ - truth.intercept_), *(model.coef_ - truth.coef_)[0]])
        assert (np.abs(change) <= tol * se).all(), (tol, np.max(np.abs(change) / se), model.solution_.error)


@pytest.mark.parametrize("seed", range(3))
def test_rounding_of_the_loss_wastes_no_passes(seed):
    """Near the optimum differences of the loss are noise; a step must not be refused, over and over, for that."""
    rng = np.random.default_rng(seed)
    n = 120_000
    X = rng.normal(size=(n, 10))
    y = (rng.random(n) < 1 / (1 + np.exp(-(X @ (rng.normal(size=10) / 2) - 1)))).astype(np.uint8)
    weight = rng.uniform(0.2, 3, n)
    for tol in (1e-5, 1e-6, 1e-7):
        model = LogisticRegression(tol=tol, solver="quasi-newton", n_jobs=1).fit(X, y, sample_weight=weight)
        assert model.solution_.status is Status.CONVERGED
        assert model.solution_.passes <= model.solution_.iterations + 4, (tol, model.solution_)


# Wide data


@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, sp.csr_array], ids=["C", "F", "CSR"])
@pytest.mark.parametrize(("n", "p"), [(60, 3001), (40, 30_000), (2500, 3200)])
@pytest.mark.parametrize("weighted", [False, True])
def test_more_columns_than_a_hessian_can_hold(weighted, n, p, make):
    """The optimum is proved by the gradient alone: J is strongly convex, so its gap is at most sum(g_j^2) / (2 lam)."""
    rng = np.random.default_rng(p)
    X = (rng.random((n, p)) < 0.05) * rng.normal(1, 1, (n, p))
    y = (X[:, 0] + 0.3 * rng.normal(size=n) > 0).astype(int)
    weight = rng.uniform(0.5, 2, n) if weighted else np.ones(n)
    offset = rng.normal(size=n) if weighted else np.zeros(n)
    model = LogisticRegression(C=1).fit(make(X), y, sample_weight=weight, offset=offset)
    assert model.solution_.status is Status.CONVERGED
    z = X @ model.coef_[0] + model.intercept_[0] + offset
    total = weight.sum()
    loss = (weight @ np.logaddexp(0, np.where(y == 1, -z, z)) + 0.5 * (model.coef_**2).sum()) / total
    residual = weight * (expit(z) - y)
    gradient = (residual @ X + model.coef_[0]) / total
    assert loss == pytest.approx(model.solution_.loss, rel=1e-8)
    assert abs(residual.sum() / total) < 1e-7
    assert gradient @ gradient * total / 2 < 1e-8
    assert model.solution_.passes <= (60 if n < 2000 else 100)  # a plain Hessian of p x p is not to be had


# Separation


@pytest.mark.parametrize("solver", ["auto", "newton", "quasi-newton"])
@pytest.mark.parametrize("ones", [1, 2, 20])
@pytest.mark.parametrize("make", [np.asarray, sp.csr_array], ids=["dense", "CSR"])
def test_a_rare_column_that_separates_is_found_among_many_rows(make, ones, solver):
    rng = np.random.default_rng(0)
    n = 20_000
    X = rng.normal(size=(n, 4))
    X[::3, 1:3] = 0
    X[:, 3] = np.arange(n) >= n - ones
    y = (X[:, 0] + rng.normal(size=n) > 0).astype(int)
    y[-ones:] = 1
    model, caught = quiet(LogisticRegression(solver=solver).fit, make(X), y)
    assert [w.category for w in caught] == [SeparationWarning]
    assert "high values of column 3 belong to class 1" in str(caught[0].message)
    assert model.solution_.status is Status.SEPARATED


@pytest.mark.parametrize("solver", ["auto", "newton", "quasi-newton"])
@pytest.mark.parametrize("gap", [1e-1, 1e-3, 1e-6, 1e-8, 1e-10, 1e-12])
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_a_narrow_gap_is_separation_and_a_narrow_overlap_is_not(shift, gap, solver):
    x = np.array([-1, -0.5, shift - gap, shift + gap, 0.7, 1.0])
    y = np.array([0, 0, 0, 1, 1, 1])
    model, caught = quiet(LogisticRegression(solver=solver).fit, x[:, None], y)
    assert [w.category for w in caught] == [SeparationWarning]
    x[2:4] = x[3], x[2]
    model, caught = quiet(LogisticRegression(solver=solver).fit, x[:, None], y)
    assert not caught
    assert model.solution_.status is Status.CONVERGED


def test_a_shifted_offset_moves_the_intercept_only():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = (X[:, 0] + rng.normal(size=60) > 0).astype(int)
    plain = LogisticRegression().fit(X, y)
    for shift in (1.0, -10.0, 30.0, -50.0, 1000.0, -1e6):
        model = LogisticRegression().fit(X, y, offset=shift)
        np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-9)
        np.testing.assert_allclose(model.intercept_, plain.intercept_ - shift, rtol=1e-9)


@pytest.mark.parametrize("size", [10, 30, 100, 700])
def test_offsets_far_apart(size):
    """Rows that the offset decides count for nothing: the others are fitted."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    y = (X[:, 0] + rng.normal(size=80) > 0).astype(int)
    offset = np.where(np.arange(80) % 2, np.where(y == 1, size, -size), 0.0).astype(float)
    model = LogisticRegression().fit(X, y, offset=offset)
    truth = newton(X, y, offset=offset)
    np.testing.assert_allclose(model.coef_[0], truth.coef, rtol=1e-8)


@pytest.mark.parametrize("C", [np.inf, 1.0])
@pytest.mark.parametrize("n", [60, 20_000])
@pytest.mark.parametrize("make", [np.asarray, sp.csr_array], ids=["dense", "CSR"])
@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e150, 1e-150])
@pytest.mark.parametrize("standardize", [False, True])
def test_columns_of_extreme_size(standardize, scale, make, n, C):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, 3))
    X[np.abs(X) < 0.7] = 0
    y = (X[:, 0] + X[:, 2] + rng.normal(size=n) > 0).astype(int)
    sizes = np.array([1, 1, scale])
    model = LogisticRegression(C=C, standardize=standardize, tol=1e-9).fit(make(X * sizes), y)
    if np.isinf(C) or standardize:
        twin = LogisticRegression(C=C, standardize=standardize, tol=1e-9).fit(make(X), y)
        np.testing.assert_allclose(model.coef_ * sizes, twin.coef_, rtol=1e-8)
    elif scale > 1:  # the penalty on that column is nothing
        ridge = np.array([1.0, 1.0, 0.0])
        np.testing.assert_allclose(model.coef_[0] * sizes, newton(X, y, ridge=ridge).coef, rtol=1e-8)
    else:  # and here it is all there is
        twin = LogisticRegression(C=C, tol=1e-9).fit(X[:, :2], y)
        np.testing.assert_allclose(model.coef_[0, :2], twin.coef_[0], rtol=1e-8)
        assert abs(model.coef_[0, 2]) <= n * scale
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("kind", ["plain", "correlated", "Cauchy", "lognormal", "t2", "imbalanced"])
def test_newton_that_starts_from_some_of_the_rows_ends_where_all_have_their_optimum(kind):
    rng = np.random.default_rng(7)
    X, y = columns_of(kind, 17_000, rng)
    weight = rng.exponential(size=len(y))
    for C in (np.inf, 1e-2):
        truth = newton(X, y, weight=weight, ridge=1 / C)
        model = LogisticRegression(C=C, n_jobs=1).fit(X, y, weight)
        assert model.solution_.solver == "newton"
        far = np.abs(model.coef_[0] - truth.coef) / truth.se
        assert max(far.max(), abs(model.intercept_[0] - truth.intercept) / truth.se_intercept) <= 1e-7, (kind, C)
