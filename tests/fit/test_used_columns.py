"""Wide sparse X with columns that have no entry: the fit is that of the other columns, and those have coefficient 0."""

import numpy as np
import pytest
import scipy.sparse as sp
from few_rows import counts

from evenodds import LogisticRegression
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
