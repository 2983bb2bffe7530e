"""Wide sparse X with columns that have no entry: the fit is that of the other columns, and those have coefficient 0."""

import numpy as np
import pytest
import scipy.sparse as sp
from few_rows import counts

from evenodds import EvenOddsError, LogisticRegression, path
from evenodds.data import as_data
from evenodds.data.used import Used
from evenodds.solvers import Status


def member(seed, K):
    """Counts of words of 1,200 columns, and another 2,400 that no row has, in between."""
    rng = np.random.default_rng(seed)
    n, p = 150, 1200
    few = counts(rng, n, p)
    few[0, ~few.any(axis=0)] = 1.0
    places = np.sort(rng.permutation(3 * p)[:p])
    X = np.zeros((n, 3 * p))
    X[:, places] = few
    y = (few @ rng.normal(size=(p, K)) + rng.gumbel(size=(n, K))).argmax(axis=1)
    y[:K] = np.arange(K)
    weight = rng.uniform(0.3, 3, n) if seed % 2 else None
    offset = rng.normal(size=n if K == 2 else (n, K)) if seed % 3 == 0 else None
    return few, X, places, y, weight, offset


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("C", [1e-2, 1.0, 100.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_columns_without_entries_change_nothing(K, C, intercept):
    for seed in range(4):
        few, X, places, y, weight, offset = member(seed, K)
        model = LogisticRegression(C=C, fit_intercept=intercept, tol=1e-6)
        part = model.fit(few, y, weight, offset)  # dense: another metric, the same optimum
        intercepts, slopes = part.intercept_, part.coef_
        whole = LogisticRegression(C=C, fit_intercept=intercept, tol=1e-6).fit(sp.csr_array(X), y, weight, offset)
        assert whole.solution_.status is Status.CONVERGED
        others = np.delete(whole.coef_, places, axis=1)
        assert not others.any()
        np.testing.assert_allclose(whole.coef_[:, places], slopes, atol=2e-6 * np.abs(slopes).max())
        np.testing.assert_allclose(whole.intercept_, intercepts, atol=1e-5)
        again = LogisticRegression(C=C, fit_intercept=intercept, tol=1e-6, warm_start=True)
        for _ in range(2):
            again.fit(sp.csr_array(X), y, weight, offset)
        np.testing.assert_allclose(again.coef_, whole.coef_, atol=2e-6 * np.abs(slopes).max())


def bounded(rng, size):
    """A penalty factor and bounds about 0 for each column."""
    return rng.uniform(0.5, 2, size), -rng.exponential(0.2, size), rng.exponential(0.2, size)


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
def test_with_an_l1_part_the_fit_is_that_of_the_columns_with_entries(K, l1_ratio):
    for seed in range(4):
        few, X, places, y, weight, offset = member(seed, K)
        few = sp.csr_array(few)
        of_few, of_all = {}, {}
        if seed > 1:
            every = bounded(np.random.default_rng(seed), X.shape[1])
            names = "penalty_factor", "lower", "upper"
            of_all = dict(zip(names, every, strict=True))
            of_few = {name: values[places] for name, values in of_all.items()}
        one = LogisticRegression(C=3.0, l1_ratio=l1_ratio, **of_few).fit(few, y, weight, offset)
        other = LogisticRegression(C=3.0, l1_ratio=l1_ratio, **of_all).fit(sp.csr_array(X), y, weight, offset)
        np.testing.assert_array_equal(other.coef_[:, places], one.coef_)
        np.testing.assert_array_equal(other.intercept_, one.intercept_)
        assert np.count_nonzero(other.coef_) == np.count_nonzero(one.coef_) > 0
        assert other.solution_.theta.size == other.coef_.size + other.intercept_.size
        own = {"sample_weight": weight, "offset": offset, "n_C": 4, "min_ratio": 0.2}
        fits = path(few, y, l1_ratio, **own, **of_few)
        same = path(sp.csr_array(X), y, l1_ratio, **own, **of_all)
        np.testing.assert_array_equal(same.coefs[..., places], fits.coefs)
        np.testing.assert_array_equal(same.intercepts, fits.intercepts)
        np.testing.assert_array_equal(same.Cs, fits.Cs)
        assert np.count_nonzero(same.coefs) == np.count_nonzero(fits.coefs)


def test_a_column_without_an_entry_keeps_to_its_bounds_and_its_number():
    _, X, places, y, _, _ = member(1, 2)
    unused = int(np.setdiff1d(np.arange(X.shape[1]), places)[5])
    lower = np.full(X.shape[1], -np.inf)
    lower[unused] = 0.25
    model = LogisticRegression(C=1.0, l1_ratio=1.0, lower=lower).fit(sp.csr_array(X), y)
    assert model.coef_[0, unused] == 0.25
    wrong = X.copy()
    wrong[3, places[7]] = np.inf
    with pytest.raises(EvenOddsError, match=f"column {places[7]}"):
        LogisticRegression(C=1.0, l1_ratio=1.0).fit(sp.csr_array(wrong), y)


def test_the_home_is_that_of_the_same_rows():
    few, X, places, y, weight, offset = member(3, 3)
    codes = y.astype(np.uint8)
    used = Used.of(as_data(sp.csr_array(X), codes, weight, offset, n_classes=3))
    np.testing.assert_array_equal(used.columns, places)
    rows = used.data.whole()
    assert rows.X.has_canonical_format
    np.testing.assert_array_equal(rows.X.toarray(), few)
    np.testing.assert_array_equal(rows.weight, weight)
    np.testing.assert_array_equal(rows.offset, offset)
    theta = np.arange(3.0 * (1 + places.size))
    every = used.outside_theta(theta, 1)
    assert every.size == 3 * (1 + X.shape[1])
    np.testing.assert_array_equal(used.inside_theta(every, 1), theta)
    assert Used.of(as_data(sp.csr_array(few), codes)) is None
    assert Used.of(as_data(sp.csr_array(X.shape), codes)) is None


def test_a_lasso_goes_on_from_the_last_one():
    _, X, _, y, _, _ = member(2, 3)
    model = LogisticRegression(C=1.0, l1_ratio=1.0, tol=1e-6, warm_start=True).fit(sp.csr_array(X), y)
    before = model.coef_
    assert np.count_nonzero(before) > 0
    model.fit(sp.csr_array(X), y)
    assert model.n_iter_[0] <= 1
    np.testing.assert_allclose(model.coef_, before, atol=1e-8)
