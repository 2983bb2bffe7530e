"""Where a fit starts changes nothing: far offsets, warm starts, columns at the ends of the scale."""

import numpy as np
import pytest

from evenodds import EvenOddsError, LogisticRegression, Status, infer, path


def test_an_offset_that_saturates_every_row():
    y = np.repeat([1, 0], [10, 30])
    for shift in (30.0, -200.0, 600.0):
        for solver in ("auto", "newton", "quasi-newton"):
            model = LogisticRegression(solver=solver, fit_intercept=False).fit(
                np.ones((40, 1)), y, offset=np.full(40, shift)
            )
            assert model.solution_.status is Status.CONVERGED
            assert model.coef_[0, 0] == pytest.approx(np.log(1 / 3) - shift, abs=1e-6)


@pytest.mark.parametrize("far", [[30.0, 120.0, 210.0, 300.0], [-600.0, 0.0, 250.0, 600.0]])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"solver": "quasi-newton"},
        {"lower": -1000.0},
        {"penalty_factor": [0.0, 0.0, 0.0, 0.0], "C": 1.0},
        {"C": 1e12, "l1_ratio": 1.0},
    ],
)
def test_campaigns_with_offsets_of_their_own(far, parameters):
    group = np.repeat(np.arange(4), 40)
    y = (np.tile(np.arange(40), 4) < np.repeat([10, 13, 8, 20], 40)).astype(int)
    shares = np.array([10, 13, 8, 20]) / 40
    X, offset = np.eye(4)[group], np.array(far)[group]
    model = LogisticRegression(fit_intercept=False, **parameters).fit(X, y, offset=offset)
    np.testing.assert_allclose(model.coef_[0], np.log(shares / (1 - shares)) - far, atol=1e-6)
    found = path(X, y, fit_intercept=False, offset=offset, Cs=[1e12], tol=1e-14)
    np.testing.assert_allclose(found.coefs[0], np.log(shares / (1 - shares)) - far, atol=1e-6)


def test_three_classes_with_offsets_of_their_own():
    y = np.repeat([0, 1, 2], [10, 20, 30])
    for shift in (40.0, 300.0):
        offset = np.tile([0.0, shift, -shift], (60, 1))
        for parameters in ({}, {"penalty_factor": [0.0], "C": 1.0}, {"lower": -1000.0}):
            model = LogisticRegression(fit_intercept=False, **parameters).fit(np.ones((60, 1)), y, offset=offset)
            found = model.coef_[:, 0] - model.coef_[0, 0]
            np.testing.assert_allclose(found, [0, np.log(2) - shift, np.log(3) + shift], atol=1e-6)


@pytest.mark.parametrize("unit", [1e-6, 1e3, 1e6, np.array([1e-6, 1.0, 1e6])])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"C": 1.0}, {"C": 1.0, "l1_ratio": 1.0}, {"lower": -np.inf}, {"penalty_factor": [0.0, 1.0, 1.0], "C": 1.0}],
)
def test_a_warm_start_in_other_units_ends_where_a_cold_one_does(unit, n_classes, parameters):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.integers(0, n_classes, 60)
    cold = LogisticRegression(**parameters).fit(X * unit, y)
    warm = LogisticRegression(warm_start=True, **parameters).fit(X, y).fit(X * unit, y)
    assert warm.solution_.status is Status.CONVERGED
    np.testing.assert_allclose(warm.coef_ * unit, cold.coef_ * unit, atol=1e-6)
    np.testing.assert_allclose(warm.intercept_, cold.intercept_, atol=1e-6)


@pytest.mark.parametrize("unit", [2.0**-461, 2.0**460, 2.0**-990])
@pytest.mark.parametrize(
    "parameters", [{}, {"C": 1.0, "standardize": True}, {"C": 1.0, "l1_ratio": 1.0, "standardize": True}]
)
def test_columns_of_any_size_beside_an_offset(unit, parameters):
    rng = np.random.default_rng(0)
    X, y, offset = rng.normal(size=(40, 1)), rng.integers(0, 2, 40), 30 * rng.normal(size=40)
    usual = LogisticRegression(tol=1e-6, **parameters).fit(X, y, offset=offset)
    model = LogisticRegression(tol=1e-6, **parameters).fit(X * unit, y, offset=offset)
    np.testing.assert_allclose(model.coef_ * unit, usual.coef_, rtol=1e-6)
    assert np.isfinite(model.predict_proba(X * unit)).all()


@pytest.mark.parametrize("unit", [1e210, 1e-210])
def test_a_variance_that_no_number_holds_is_refused(unit):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 1)), rng.integers(0, 2, 40)
    model = LogisticRegression().fit(X * unit, y)
    with pytest.raises(EvenOddsError, match="divide the column by"):
        infer(model, X * unit, y)
