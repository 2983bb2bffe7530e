"""A class whose rows all have weight 0, in all that takes weights: probability 0, the others as without its rows."""

import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier

from evenodds import EvenOddsError, LogisticRegression, LogisticRegressionCV, infer, load, path, save

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3))
Y = (np.array([[0, 0, 0], [1, -1, 0], [0, 1, 1], [1, 1, -1]]) @ X.T + 2 * RNG.gumbel(size=(4, 90))).argmax(axis=0)
WEIGHT = (Y != 2).astype(float)
LEFT = [0, 1, 3]


@pytest.mark.parametrize("settings", [{}, {"C": 1.0}, {"C": 0.5, "l1_ratio": 1.0}])
def test_the_others_are_as_without_its_rows(settings):
    model = LogisticRegression(**settings).fit(X, Y, WEIGHT)
    without = LogisticRegression(**settings).fit(X[Y != 2], Y[Y != 2])
    np.testing.assert_array_equal(model.classes_, range(4))
    np.testing.assert_allclose(model.coef_[LEFT], without.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.intercept_[LEFT], without.intercept_, rtol=1e-9, atol=1e-12)
    assert model.intercept_[2] == -np.inf
    assert not model.coef_[2].any()
    assert not model.predict_proba(X)[:, 2].any()
    assert np.isfinite(model.decision_function(X)).all()
    assert 2 not in model.predict(X)


@pytest.mark.parametrize("gone", [0, 1])
@pytest.mark.parametrize("settings", [{}, {"C": 1.0}, {"C": 1.0, "l1_ratio": 0.5, "lower": 0.25}])
def test_of_two_classes_the_other_is_certain(gone, settings):
    y = (Y > 0).astype(int)
    model = LogisticRegression(**settings).fit(X, y, (y != gone).astype(float))
    assert model.intercept_[0] == (np.inf if gone == 0 else -np.inf)
    np.testing.assert_array_equal(model.coef_, np.full((1, 3), settings.get("lower", 0.0)))
    np.testing.assert_array_equal(model.predict_proba(X)[:, gone], np.zeros(90))
    np.testing.assert_array_equal(model.predict(X), np.full(90, 1 - gone))
    assert np.isfinite(model.decision_function(X)).all()
    assert str(model.solution_.status) == "converged"
    penalty = 3 * (0.5 * 0.25**2 / 2 + 0.5 * 0.25) / np.sum(y != gone) if "lower" in settings else 0.0
    assert model.solution_.loss == pytest.approx(penalty, rel=1e-12, abs=0)


@pytest.mark.parametrize("balance", [None, "balanced"])
@pytest.mark.parametrize("rare", [np.r_[0, 1, [0] * 38], np.r_[0, 1, 2, [0] * 18, [1] * 19]], ids=["two", "three"])
def test_bootstraps_that_miss_a_class(balance, rare):
    model = LogisticRegression(C=1, class_weight=balance)
    bag = BaggingClassifier(model, n_estimators=20, random_state=0).fit(X[:40], rare)
    missed = [np.isinf(one.intercept_).any() for one in bag.estimators_]
    assert any(missed)
    assert not all(missed)
    np.testing.assert_allclose(bag.predict_proba(X).sum(axis=1), 1.0)
    AdaBoostClassifier(model, n_estimators=5, random_state=0).fit(X[:40], rare)


def test_a_path_and_a_cross_validation():
    fits, without = path(X, Y, n_C=5, sample_weight=WEIGHT), path(X[Y != 2], Y[Y != 2], n_C=5)
    np.testing.assert_allclose(fits.coefs[:, LEFT], without.coefs, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(fits.intercepts[:, 2], np.full(5, -np.inf))
    model = LogisticRegressionCV(4, cv=3).fit(X, Y, WEIGHT)
    assert np.isfinite(model.scores_).all()
    assert not model.predict_proba(X)[:, 2].any()


def test_its_file_brings_the_same_bits_back(tmp_path):
    for y in (Y, (Y == 2).astype(int)):
        model = LogisticRegression(C=1).fit(X, y, WEIGHT)
        save(model, tmp_path / "model.json")
        back = load(tmp_path / "model.json")
        np.testing.assert_array_equal(back.intercept_, model.intercept_)
        np.testing.assert_array_equal(back.predict_proba(X), model.predict_proba(X))


def test_a_warm_start_from_it_and_to_it():
    model = LogisticRegression(C=1, warm_start=True)
    cold, limit = LogisticRegression(C=1).fit(X, Y), LogisticRegression(C=1).fit(X, Y, WEIGHT)
    np.testing.assert_allclose(model.fit(X, Y, WEIGHT).fit(X, Y).coef_, cold.coef_, rtol=1e-9)
    np.testing.assert_allclose(model.fit(X, Y, WEIGHT).coef_, limit.coef_, rtol=1e-9, atol=1e-12)


def test_what_does_not_exist_is_told():
    model = LogisticRegression().fit(X, Y, WEIGHT)
    with pytest.raises(EvenOddsError, match=r"class 2 have weight 0: its coefficients have no standard errors"):
        infer(model, X, Y, WEIGHT)
    with pytest.raises(EvenOddsError, match=r"no row with a weight in the last fit"):
        model.partial_fit(X, Y)


@pytest.mark.parametrize("settings", [{"fit_intercept": False}, {"firth": True}, {"C": 1.0, "solver": "sgd"}])
def test_fits_that_take_it_as_any_other(settings):
    y = (Y > 1).astype(int)
    model = LogisticRegression(**settings).fit(X, y, (y == 0).astype(float))
    assert np.isfinite(model.intercept_).all()
    near = LogisticRegression(**settings).fit(X, y, np.where(y == 0, 1.0, 1e-9))
    np.testing.assert_allclose(model.predict_proba(X), near.predict_proba(X), atol=1e-3)
