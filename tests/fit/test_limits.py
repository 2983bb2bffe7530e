"""Separated classes: all that exists in the limit, with its interval, against one-dimensional searches and ridges."""

import functools
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import optimize
from scipy.special import log_softmax
from scipy.stats import chi2

from evenodds import EvenOddsError, LogisticRegression, SeparationWarning, infer

FALL = chi2.ppf(0.95, 1) / 2
CELLS = np.repeat([[0.0], [1.0]], [50, 30], axis=0)
CASES = np.repeat([1, 0, 1], [20, 30, 30])  # 50 unexposed, 20 of them cases; 30 exposed, all cases


def quietly(X, y, *rows, **asked):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return infer(LogisticRegression().fit(X, y, *rows), X, y, *rows, **asked)


def held_at(Z, row, t, weight, offset):
    """The supremum of the log-likelihood of signed rows Z where row @ theta = t, by Newton with a vanishing ridge."""
    free = np.linalg.svd(row[None, :])[2][1:].T
    A, start, b, eps = Z @ free, Z @ (row * t / (row @ row)) + offset, np.zeros(free.shape[1]), 1e-10

    def loss(b):
        return weight @ np.logaddexp(0, -start - A @ b) + eps / 2 * b @ b

    for _ in range(200 if b.size else 0):
        p = 1 / (1 + np.exp(np.clip(start + A @ b, -700, 700)))
        g = eps * b - A.T @ (weight * p)
        step = -np.linalg.solve((A.T * (weight * p * (1 - p))) @ A + eps * np.eye(b.size), g)
        size = 1.0
        while size > 1e-9 and loss(b + size * step) > loss(b):
            size /= 2
        b = b + size * step
        if -g @ step < 1e-14:
            break
    return -(weight @ np.logaddexp(0, -start - A @ b))


def test_the_exposed_who_are_all_cases():
    result = quietly(CELLS, CASES)
    profile = result.profile().set_index("term")
    assert profile.loc["x0", "lower"] == pytest.approx(3.0475, abs=5e-5)
    assert profile.loc["x0", "upper"] == np.inf
    found = result.predict([[0.0], [1.0]])
    assert_allclose(found["probability"], [0.4, 1.0], rtol=1e-9)
    assert_allclose(found.loc[0, ["lower", "upper"]].astype(float), [0.2746, 0.5400], atol=5e-5)
    # Of 30 cases among 30 the likelihood p^30 has fallen by 3.84 / 2.
    assert_allclose(found.loc[1, ["lower", "upper"]].astype(float), [np.exp(-FALL / 30), 1.0], rtol=1e-8)
    assert np.isnan(found.loc[1, "se"])
    effect = result.margins(CELLS).iloc[0]
    assert_allclose([effect["effect"], effect["se"]], [0.6, np.sqrt(0.4 * 0.6 / 50)], rtol=1e-8)
    with pytest.warns(SeparationWarning, match="column 'x0' has no marginal effect"):
        assert np.isnan(result.margins(CELLS, discrete=False)["effect"][0])
    assert "one-sided intervals, by profile()" in " ".join(str(result).split())


@pytest.mark.parametrize(
    "asked", [{}, {"cov": "HC1"}, {"cov": "cluster", "groups": np.arange(80) % 20}, {"weights": "sampling"}], ids=str
)
def test_rows_with_an_interval_are_those_of_the_fit_without_the_certain_ones(asked):
    rest = CELLS[:, 0] == 0
    alone = {**asked, "groups": asked["groups"][rest]} if "groups" in asked else asked
    whole, part = quietly(CELLS, CASES, **asked), quietly(np.zeros((50, 1)), CASES[rest], **alone)
    one, two = whole.predict([[0.0], [1.0]]), part.predict([[0.0]])
    assert_allclose(one.iloc[0], two.iloc[0], rtol=1e-8)
    assert np.isnan(one["lower"][1]) == (asked == {"weights": "sampling"})


@pytest.mark.parametrize("seed", range(24))
def test_ends_against_a_search(seed):
    """Small sets of whole numbers, weighted and with offsets: each end has the fall, and none is left out."""
    rng = np.random.default_rng(seed)
    n, p = rng.integers(6, 15), rng.integers(1, 4)
    X = rng.integers(0, rng.integers(2, 4), (n, p)).astype(float)
    y = (X[:, 0] + (rng.random(n) < 0.3) >= 1).astype(int)
    y[:2] = 0, 1
    weight = rng.integers(1, 4, n).astype(float) if seed % 2 else np.ones(n)
    offset = rng.normal(size=n) if seed % 3 == 0 else np.zeros(n)
    result = quietly(X, y, weight, offset)
    kept = [j for j, note in enumerate(map(result.notes.get, result.names)) if not (note or "").startswith("aliased")]
    sign = 2.0 * y - 1
    Z = sign[:, None] * np.column_stack([np.ones(n), X])[:, kept]
    goal = result.log_likelihood - chi2.ppf(0.95, 1) / 2

    def check(row, ends):
        for end, side in zip(ends, (-1, 1), strict=True):
            value = held_at(Z, row, end if np.isfinite(end) else side * 20.0, weight, sign * offset)
            assert value == pytest.approx(goal, abs=1e-5) if np.isfinite(end) else value > goal + 1e-3

    profile = result.profile()
    aliased = len(kept) < len(result.names)
    for k, j in enumerate(kept):
        if np.isfinite(result.coef[j]) or not aliased:
            check(np.eye(len(kept))[k], profile.iloc[j][["lower", "upper"]].astype(float))
    new = np.vstack([X[:4], X.mean(axis=0)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeparationWarning)
        found = result.predict(new)
    for i in np.flatnonzero(~found["probability"].between(0, 1, inclusive="neither")):
        ends = found.loc[i, ["lower", "upper"]].to_numpy(float)
        with np.errstate(divide="ignore"):
            ends = np.log(ends) - np.log1p(-ends)
        if np.abs(ends[np.isfinite(ends)]).max(initial=0.0) < 12:  # where 1 - p has its digits
            check(np.append(1.0, new[i])[kept], ends)


def test_a_sign_that_is_open_rejects_nothing():
    X = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]]).repeat(3, axis=0)
    y = (X.sum(axis=1) > 0).astype(int)
    y[:3] = 0
    result = quietly(X, y)
    with pytest.warns(SeparationWarning, match="row 1 has no probability"):
        found = result.predict([[1.0, 1.0], [0.4, 0.4]])
    assert found["probability"][0] == 1.0
    assert np.isnan(found.loc[1, ["probability", "se"]].astype(float)).all()
    assert found.loc[1, ["lower", "upper"]].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("seed", range(6))
def test_several_classes_are_those_of_a_vanishing_ridge(seed):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.integers(0, 3, 50), rng.integers(0, 2, 50)]).astype(float)
    y = rng.integers(0, 3, 50)
    y = np.where((X[:, 0] == 2) & (y == 2), rng.integers(0, 2, 50), y)
    result = quietly(X, y)
    ridge = LogisticRegression(C=1e9, max_iter=5000, tol=1e-8).fit(X, y)
    cells = np.unique(X, axis=0)
    found = result.predict(cells)
    assert_allclose(found[[f"probability_{c}" for c in range(3)]], ridge.predict_proba(cells), atol=1e-3)
    near = infer(ridge, X, y)
    one, two = (fit.margins(X, discrete=True) for fit in (result, near))
    binary = one["term"] == "x1"
    assert_allclose(one[binary]["effect"], two[binary]["effect"], atol=1e-3)
    assert_allclose(one[binary]["se"], two[binary]["se"], atol=1e-3)


def test_classes_that_a_group_never_has():
    counts = np.array([[10, 20, 30], [5, 0, 8], [7, 9, 0]])
    group, label = np.nonzero(counts)
    X = (group[:, None] == [1, 2]).astype(float)
    weight = counts[group, label].astype(float)
    by_group = np.random.default_rng(0).normal(size=(3, 3))  # which the intercept and the slopes take up
    for shift in (None, by_group):
        result = quietly(X, label, weight, *([] if shift is None else [shift[group]]))
        found = result.predict([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], offset=shift)
        # With no row of n in a class, (1 - p)^n has fallen by so much.
        ends = [found["upper_1"][1], found["upper_2"][2]]
        assert_allclose(ends, -np.expm1(-FALL / np.array([13.0, 16.0])), rtol=1e-7)
        assert (found["lower_1"][1], found["probability_1"][1]) == (0.0, 0.0)


def least_by_search(X, y, x, c, supremum, rng):
    """The smallest probability of class c at x where the likelihood has fallen by so much: constrained descents."""
    D, d, K = np.column_stack([np.ones(len(X)), X]), np.append(1, x), y.max() + 1

    def likelihood(t):
        logs = log_softmax(D @ t.reshape(-1, K), axis=1)
        return logs[np.arange(len(y)), y].sum() - supremum + FALL, (D.T @ (np.eye(K)[y] - np.exp(logs))).ravel()

    def wanted(t):
        logs = log_softmax(d @ t.reshape(-1, K))
        return logs[c], np.outer(d, np.eye(K)[c] - np.exp(logs)).ravel()

    inside = {"type": "ineq", "fun": lambda t: likelihood(t)[0], "jac": lambda t: likelihood(t)[1]}
    starts = 2 * rng.normal(size=(8, D.shape[1] * K))
    search = functools.partial(optimize.minimize, wanted, jac=True, method="SLSQP", constraints=inside, tol=1e-13)
    ends = [search(t, options={"maxiter": 5000}) for t in starts]
    return np.exp(min(end.fun for end in ends if inside["fun"](end.x) > -1e-7))


@pytest.mark.parametrize("seed", range(8))
def test_the_lower_end_of_a_certain_class(seed):
    rng = np.random.default_rng(seed)
    K, X = 3 + seed % 2, rng.normal(size=(40, 1 + seed % 3))
    y = np.where(X[:, 0] > 0.9, K - 1, rng.integers(0, K - 1, 40))
    if seed > 5:  # separated from each other too
        y[X[:, 0] < 0.9] = (X[X[:, 0] < 0.9, 0] > -0.3) * (K - 2)
        y[X[:, 0] < -1] = 1
    result, rows = quietly(X, y), X[X[:, 0] > 0.9][:2]
    found = result.predict(rows)
    assert (found[f"probability_{K - 1}"] == 1).all()
    least = [least_by_search(X, y, x, K - 1, result.log_likelihood, rng) for x in rows]
    assert_allclose(found[f"lower_{K - 1}"], least, rtol=1e-6)
    assert (found[f"upper_{K - 1}"] == 1).all()


def test_a_group_that_is_all_of_one_of_several_classes():
    counts = np.array([[10, 20, 30, 5], [0, 0, 8, 0], [7, 9, 5, 6]])
    group, label = np.nonzero(counts)
    X, weight = (group[:, None] == [1, 2]).astype(float), counts[group, label].astype(float)
    for shift in (None, np.random.default_rng(0).normal(size=(3, 4))):
        result = quietly(X, label, weight, *([] if shift is None else [shift[group]]))
        found = result.predict([[1.0, 0.0]], offset=None if shift is None else shift[1:2])
        assert found["lower_2"][0] == pytest.approx(np.exp(-FALL / 8), rel=1e-8)  # p^8 has fallen by so much


def test_influence_and_calibration_in_the_limit():
    result, part = quietly(CELLS, CASES), quietly(np.zeros((50, 1)), CASES[:50])
    found, alone = result.influence(CELLS, CASES), part.influence(np.zeros((50, 1)), CASES[:50])
    columns = ["leverage", "pearson", "deviance", "studentized", "dfbeta_(intercept)"]
    assert_allclose(found[columns][:50], alone[columns], rtol=1e-7)
    assert not found[columns][50:].to_numpy().any()
    assert found["dfbeta_x0"].isna().all()
    with pytest.raises(EvenOddsError, match=r"log odds of row 50.*infinite"):
        result.calibration(CELLS, CASES)


def test_what_infinite_coefficients_have_in_common_is_tested():
    X = np.array([[0.0, 0], [1, 0], [0, 1]])[np.repeat([0, 1, 2], 20)]
    y = np.repeat([0, 1, 0, 1, 0], [20, 8, 12, 13, 7])
    result = quietly(X, y)
    assert result.coef.tolist() == [-np.inf, np.inf, np.inf]
    odds, variance = np.log(8 / 12) - np.log(13 / 7), 1 / 8 + 1 / 12 + 1 / 13 + 1 / 7
    assert result.test("x0 = x1").statistic == pytest.approx(odds**2 / variance, rel=1e-8)
    for restriction in ("x0 = 0", "x0 + x1 = 0"):
        with pytest.raises(EvenOddsError, match="no standard error"):
            result.test(restriction)


# Ties in the test of Hosmer and Lemeshow


@pytest.mark.parametrize("place", range(14))
def test_hosmer_lemeshow_of_fourteen_probabilities(place):
    rng = np.random.default_rng(place)
    sizes = np.insert(rng.integers(3, 8, 13), place, 900)
    X = np.repeat(np.linspace(-1, 1, 14), sizes)[:, None]
    y = (rng.random(len(X)) < 1 / (1 + np.exp(-X[:, 0]))).astype(int)
    result = infer(LogisticRegression().fit(X, y), X, y)
    test = result.hosmer_lemeshow(X, y)
    assert test.df >= 1
    order = rng.permutation(len(y))
    assert result.hosmer_lemeshow(X[order], y[order]).statistic == pytest.approx(test.statistic, rel=1e-9)
    if place == 0:  # 900 rows are the first group, and the other 13 values share what is left
        assert test.df == 8


def test_hosmer_lemeshow_of_three_probabilities():
    rng = np.random.default_rng(0)
    X = np.repeat([0.0, 1.0, 2.0], [900, 50, 50])[:, None]
    y = (rng.random(1000) < 0.3).astype(int)
    result = infer(LogisticRegression().fit(X, y), X, y)
    p = result.predict([[0.0], [1.0], [2.0]])["probability"].to_numpy()
    n, seen = (pd.Series(v).groupby(X[:, 0]).sum().to_numpy() for v in (np.ones(1000), y))
    assert result.hosmer_lemeshow(X, y).statistic == pytest.approx(
        ((seen - n * p) ** 2 / (n * p * (1 - p))).sum(), rel=1e-9
    )
