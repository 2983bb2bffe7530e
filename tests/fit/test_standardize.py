"""`standardize=True`: the penalty in units of the deviation about the mean, also without an intercept, as in glmnet."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from evenodds import LogisticRegression, LogisticRegressionCV, infer, path

FITS = {
    "ridge": {"C": 0.1},
    "quasi-newton": {"C": 0.1, "solver": "quasi-newton"},
    "lasso": {"C": 0.1, "l1_ratio": 1.0},
    "elastic net": {"C": 0.1, "l1_ratio": 0.5, "penalty_factor": [0.0, 1.0, 2.0, 1.0, 1.0]},
}
FORMS = {"dense": np.asarray, "F": np.asfortranarray, "CSR": sp.csr_array, "float32": np.float32}


def draw(n=200, p=5, K=2, zeros=0.0):
    """Columns of many units, most of them far from zero; labels, weights."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(n, p)) + np.arange(p)) * 4.0 ** np.arange(-1, p - 1) * (rng.random((n, p)) >= zeros)
    y = ((X - X.mean(axis=0)) / X.std(axis=0) @ rng.normal(size=(p, K)) + 2 * rng.gumbel(size=(n, K))).argmax(axis=1)
    return np.float32(X).astype(float), y, rng.integers(1, 4, n).astype(float)


def deviations(X, weight):
    mean = weight @ X / weight.sum()
    return np.sqrt(weight @ (X - mean) ** 2 / weight.sum())


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("settings", FITS.values(), ids=FITS)
def test_without_an_intercept_it_is_the_deviation_about_the_mean(settings, form, K):
    X, y, weight = draw(K=K, zeros=0.7 if form == "CSR" else 0.0)
    sd = deviations(X, weight)
    given = {**settings, "fit_intercept": False, "tol": 1e-5}
    model = LogisticRegression(**given, standardize=True).fit(FORMS[form](X), y, weight)
    plain = LogisticRegression(**given).fit(X / sd, y, weight)
    np.testing.assert_allclose(model.coef_ * sd, plain.coef_, rtol=2e-5, atol=2e-6)


def test_the_formula_itself():
    X, y, weight = draw()
    sd, sign = deviations(X, weight), 2 * y - 1

    def objective(b):
        return weight @ np.logaddexp(0, -sign * (X @ (b / sd))) + b @ b / (2 * 0.1)

    best = minimize(objective, np.zeros(5), method="BFGS", options={"gtol": 1e-6})
    model = LogisticRegression(0.1, fit_intercept=False, standardize=True).fit(X, y, weight)
    np.testing.assert_allclose(model.coef_[0] * sd, best.x, atol=1e-6)


@pytest.mark.parametrize(("n", "p"), [(150_000, 8), (60, 300)], ids=["compiled", "wide"])
@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_many_rows_and_many_columns(n, p, ratio):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, p)) + rng.choice([0.0, 3.0], p)
    y = (X[:, 0] - X[:, 1] + 2 * rng.logistic(size=n) > 0).astype(int)
    sd = deviations(X, np.ones(n))
    given = {"C": 0.05, "l1_ratio": ratio, "fit_intercept": False, "tol": 1e-6}
    model = LogisticRegression(**given, standardize=True).fit(X, y)
    plain = LogisticRegression(**given).fit(X / sd, y)
    np.testing.assert_allclose(model.coef_ * sd, plain.coef_, rtol=1e-4, atol=1e-6)
    if ratio:
        one = path(X, y, ratio, n_C=4, standardize=True, fit_intercept=False)
        two = path(X / sd, y, ratio, n_C=4, fit_intercept=False)
        np.testing.assert_allclose(one.Cs, two.Cs, rtol=1e-9)
        np.testing.assert_allclose(one.coefs * sd, two.coefs, atol=1e-3)


@pytest.mark.parametrize("K", [2, 3])
def test_paths_cross_validation_and_inference(K):
    X, y, weight = draw(K=K)
    sd = deviations(X, weight)
    one = path(X, y, n_C=6, standardize=True, fit_intercept=False, sample_weight=weight)
    two = path(X / sd, y, n_C=6, fit_intercept=False, sample_weight=weight)
    np.testing.assert_allclose(one.Cs, two.Cs, rtol=1e-9)
    np.testing.assert_allclose(one.coefs * sd, two.coefs, atol=1e-3)
    cv = LogisticRegressionCV(3, cv=3, standardize=True, fit_intercept=False).fit(X, y, weight)
    last = LogisticRegression(cv.C_, 1.0, standardize=True, fit_intercept=False).fit(X, y, weight)
    np.testing.assert_array_equal(cv.coef_, last.coef_)
    ridge = {"C": 0.1, "fit_intercept": False}
    se = infer(LogisticRegression(**ridge, standardize=True).fit(X, y, weight), X, y, weight).se
    plain = infer(LogisticRegression(**ridge).fit(X / sd, y, weight), X / sd, y, weight).se
    np.testing.assert_allclose(se * sd, plain, rtol=1e-6)


def test_a_constant_column_has_its_size_as_the_unit():
    X, y, _ = draw()
    X = np.column_stack([X, np.full(len(X), 7.0)])
    sd = np.append(X[:, :5].std(axis=0), 7.0)
    for form in (np.asarray, sp.csr_array):
        model = LogisticRegression(0.1, fit_intercept=False, standardize=True).fit(form(X), y)
        plain = LogisticRegression(0.1, fit_intercept=False).fit(X / sd, y)
        np.testing.assert_allclose(model.coef_ * sd, plain.coef_, rtol=1e-6, atol=1e-9)


def test_some_rows_at_a_time():
    X, y, _ = draw()
    sd = X.std(axis=0)
    given = {"C": 0.05, "fit_intercept": False, "random_state": 0}
    model = LogisticRegression(**given, standardize=True).partial_fit(X, y)
    plain = LogisticRegression(**given, standardize=True).partial_fit(X / sd, y)
    np.testing.assert_allclose(model.coef_ * sd, plain.coef_, rtol=1e-9)
