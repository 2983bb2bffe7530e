"""Columns without a penalty that repeat each other: left out, and told, as of a fit without any penalty."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from evenodds import CollinearWarning, LogisticRegression, LogisticRegressionCV, path

KEPT = [0, 1, 2, 5]


def data(n_classes, scale=1.0):
    """Six columns: the fourth is the third but for 3e-13 of it, the fifth a combination of free ones."""
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(120, 6)) * scale
    X[:, 3] = X[:, 2] * (1 + 3e-13 * rng.normal(size=120))
    X[:, 4] = 2 * X[:, 1] - X[:, 2] + 5 * scale
    return X, rng.permutation(np.arange(120) % n_classes), np.array([1.0, 0.0, 0.0, 0.0, 0.0, 2.0])


FORMS = {"dense": np.asarray, "Fortran": np.asfortranarray, "sparse": sp.csr_array}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_fit_is_that_without_them(n_classes, l1_ratio, form):
    for scale in (1e-5, 1.0, 1e4):
        X, y, factor = data(n_classes, scale)
        with pytest.warns(CollinearWarning, match="Columns 3, 4 are"):
            model = LogisticRegression(0.3, l1_ratio, penalty_factor=factor, tol=1e-7).fit(FORMS[form](X), y)
        assert model.aliased_ == (3, 4)
        assert not model.coef_[:, [3, 4]].any()
        plain = LogisticRegression(0.3, l1_ratio, penalty_factor=factor[KEPT], tol=1e-7).fit(X[:, KEPT], y)
        size = np.abs(plain.coef_).max()
        np.testing.assert_allclose(model.coef_[:, KEPT], plain.coef_, rtol=1e-6, atol=1e-6 * size)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_path_and_a_cross_validation_are_those_without_them(n_classes, l1_ratio, form):
    X, y, factor = data(n_classes)
    with pytest.warns(CollinearWarning, match="Columns 3, 4 are"):
        fits = path(FORMS[form](X), y, l1_ratio, 5, penalty_factor=factor)
    assert not fits.coefs[..., [3, 4]].any()
    plain = path(X[:, KEPT], y, l1_ratio, 5, penalty_factor=factor[KEPT])
    np.testing.assert_allclose(fits.coefs[..., KEPT], plain.coefs, atol=1e-3)
    np.testing.assert_allclose(fits.deviance_ratio, plain.deviance_ratio, atol=1e-6)
    with pytest.warns(CollinearWarning, match="Columns 3, 4 are"):
        model = LogisticRegressionCV(5, [l1_ratio], cv=3, penalty_factor=factor).fit(FORMS[form](X), y)
    assert model.aliased_ == (3, 4)
    assert not model.coefs_paths_[..., [3, 4]].any()


def test_beside_bounds_a_column_with_none_is_left_out():
    X, y, _ = data(2)
    with pytest.warns(CollinearWarning, match="Column 3 is"):
        model = LogisticRegression(lower=[-np.inf, 0, -np.inf, -np.inf, -9, -np.inf]).fit(X, y)
    assert model.aliased_ == (3,)


def test_a_constant_is_told_where_nothing_holds_it():
    X, y, factor = data(2)
    X[:, 4] = 3.0
    X[:, 3] = X[::-1, 3]
    with pytest.warns(CollinearWarning, match="Column 4 is constant"):
        assert LogisticRegression(1.0, penalty_factor=factor).fit(X, y).aliased_ == (4,)
    with pytest.warns(CollinearWarning, match="Column 4 is constant"):
        path(X, y, n_C=3, penalty_factor=factor)


def test_what_a_penalty_decides_on_is_kept():
    X, y, _ = data(2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LogisticRegression(1.0, penalty_factor=[1, 0, 0, 1, 1, 2.0]).fit(X, y)
        path(X, y, n_C=3, penalty_factor=[1, 0, 0, 1, 1, 2.0])
    assert model.aliased_ == ()
    assert model.coef_.all()
