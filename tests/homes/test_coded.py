"""Factors that stay codes: the same fits, standard errors and names of aliased columns as of a dense design."""

import warnings

import numpy as np
import pandas as pd
import pytest
from coded_tables import COVARIANCES, draw, optimum
from scipy.special import expit

import evenodds.data.coded
from evenodds import EvenOddsError, LogisticRegression, SeparationWarning, fit_table, infer, load, save
from evenodds.coordinates import choose_coordinates
from evenodds.data.memory import Memory
from evenodds.design import learn
from evenodds.objective import Objective
from evenodds.solvers import Status
from homes import Blocks, Remote

pytest.importorskip("formulaic")


def fitted(table, formula, C, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeparationWarning)
        warnings.filterwarnings("ignore", "Aliased|.*combination")
        warnings.filterwarnings("ignore", category=UserWarning)
        return fit_table(formula, table, weight="w", offset="o", C=C, tol=1e-9, **more)


def dense(model, table):
    X = model.design_.read(table).matrix()
    X = X.toarray() if hasattr(X, "toarray") else X
    first = np.ones((len(X), int(model.fit_intercept)))
    return np.hstack([first, X]), np.concatenate([np.zeros(first.shape[1]), np.ones(X.shape[1])])


@pytest.mark.parametrize("how", ["codes", "wide"])
@pytest.mark.parametrize("seeds", [range(0, 12), range(12, 24)], ids=["first", "second"])
def test_fits_are_the_optimum(how, seeds, held):
    for seed in seeds:
        table, formula, C = draw(seed)
        held(how)
        model = fitted(table, formula, C)
        if model.solution_.status is Status.SEPARATED:
            continue
        X, ridge = dense(model, table)
        if X.shape[1] > 300:  # for which long doubles take long
            continue
        kept = table.w.to_numpy() > 0
        y, weight, offset = (table[name].to_numpy()[kept] for name in "ywo")
        strength = 0.0 if np.isinf(C) else 1 / (C * weight.sum())
        least, scores = optimum(X[kept], y, weight, offset, strength, ridge)
        assert model.solution_.status is Status.CONVERGED, (seed, formula, C)
        assert model.solution_.loss == pytest.approx(least, rel=1e-11), (seed, formula, C)
        found = model.decision_function(table)[kept] + offset
        assert np.abs(expit(found) - expit(scores)).max() < 1e-6, (seed, formula, C)


@pytest.mark.parametrize("how", ["codes", "wide"])
def test_standard_errors_are_those_of_the_dense_design(how, held):
    for seed in range(30, 55):
        table, formula, C = draw(seed)
        rng = np.random.default_rng(seed)
        asked = {"cov": COVARIANCES[seed % 6], "weights": str(rng.choice(["frequency", "sampling", "precision"]))}
        asked["groups"] = rng.integers(8, size=len(table)) if asked["cov"] == "cluster" else None
        held("dense")
        model = fitted(table, formula, C)
        if model.solution_.status is not Status.CONVERGED:
            continue
        try:
            expected = infer(model, table, **asked)
        except EvenOddsError:
            continue
        held(how)
        coded = fitted(table, formula, C)
        result = infer(coded, table, **asked)
        assert coded.aliased_ == model.aliased_, (seed, formula)
        assert result.notes == expected.notes
        known = np.isfinite(expected.se)
        assert (known == np.isfinite(result.se)).all()
        assert result.se[known] == pytest.approx(expected.se[known], rel=1e-8), (seed, formula, asked["cov"])
        size = np.outer(expected.se, expected.se)[known][:, known] + 1e-300
        apart = (result.covariance - expected.covariance)[known][:, known]
        assert np.abs(apart / size).max() < 1e-8
        assert result.certificate.proved == expected.certificate.proved


def many_levels(n=6000, levels=700, seed=3, classes=2):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"x": rng.normal(size=n) + 1e6, "few": rng.choice(list("abc"), n)})
    table["city"] = rng.integers(levels, size=n).astype(str)
    effect = rng.normal(size=levels)[table.city.astype(int)]
    table["y"] = (rng.random(n) < expit(0.5 * (table.x - 1e6) + 0.3 * effect)).astype(int)
    if classes > 2:
        table["y"] += rng.random(n) < 0.3
    return table


def test_no_matrix_is_made_of_a_factor_of_many_levels(monkeypatch):
    made = []
    made_csr = evenodds.data.coded.Coded._as_csr
    monkeypatch.setattr(
        evenodds.data.coded.Coded, "_as_csr", lambda self: (made.append(self.shape[0]), made_csr(self))[1]
    )
    monkeypatch.setattr("evenodds.coordinates._ENOUGH_ROWS", 100)
    table = many_levels(40_000)
    model = fit_table("y", table, C=1.0)
    result = infer(model, table)
    assert model.solution_.status is Status.CONVERGED
    assert max(made) < 20_000  # of samples alone
    assert result.raw_covariance is None
    model.predict_proba(table)
    assert result.covariance.shape == (704 - 1, 704 - 1)
    assert np.sqrt(result.covariance.diagonal()) == pytest.approx(result.se, rel=1e-10)


def test_a_factor_of_many_levels_without_a_penalty_is_proved_to_overlap_or_named():
    table = many_levels()
    table.loc[table.city == "17", "y"] = 1
    with pytest.warns(SeparationWarning, match=r"city\[17\]"):
        model = fit_table("y", table)
    assert model.solution_.status is Status.SEPARATED
    kept = table[table.groupby("city").y.transform("nunique") == 2]
    model = fit_table("y", kept)
    assert model.solution_.status is Status.CONVERGED
    assert infer(model, kept).certificate.proved


def test_the_reference_alone_can_separate():
    table = many_levels()
    table = table[table.groupby("city").y.transform("nunique") == 2].copy()
    table.loc[table.city == sorted(table.city)[0], "y"] = 0
    with pytest.warns(SeparationWarning):
        assert fit_table("y", table).solution_.status is Status.SEPARATED


def test_bits_do_not_depend_on_threads():
    table = many_levels(150_000)
    one, two = (fit_table("y", table, C=1.0, n_jobs=k) for k in (1, 2))
    assert (one.coef_ == two.coef_).all()
    assert (infer(one, table).se == infer(two, table).se).all()


@pytest.mark.parametrize(
    "parameters",
    [
        {"C": 0.5, "l1_ratio": 1.0, "standardize": True},
        {"C": 5.0, "lower": 0.0},
        {"C": 5.0, "fit_intercept": False},
        {"C": 2.0, "solver": "newton"},
        {"firth": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("classes", [2, 3])
def test_what_has_no_loop_for_codes_takes_them_as_well(parameters, classes, held):
    if classes == 3 and "firth" in parameters:
        pytest.skip("Firth's fit is of two classes")
    table = many_levels(500, 12, seed=5, classes=classes)
    X, y = table.drop(columns="y"), table.y
    found = []
    for how in ("dense", "codes", "wide"):
        held(how)
        model = LogisticRegression(**{"tol": 1e-7, **parameters}).fit(X, y)
        assert model.solution_.status is Status.CONVERGED
        found.append(model.predict_proba(X))
    assert found[1] == pytest.approx(found[0], abs=1e-6)
    assert found[2] == pytest.approx(found[0], abs=1e-6)


def test_rows_with_missing_values_are_left_out(held):
    table = many_levels(800, 20)
    table.loc[::7, "few"] = None
    table.loc[::11, "x"] = np.nan
    found = []
    for how in ("dense", "codes", "wide"):
        held(how)
        model = fit_table("y", table, C=1.0, missing="drop", tol=1e-8)
        found.append(model.coef_)
        assert model.solution_.n_rows == len(table.dropna())
    assert found[1] == pytest.approx(found[0], abs=1e-7)
    assert found[2] == pytest.approx(found[0], abs=1e-7)


def test_influence_of_rows_beside_a_wide_factor(held):
    table = many_levels(500, 12)
    expected, found = [], []
    for how, into in (("dense", expected), ("wide", found)):
        held(how)
        into.append(infer(fit_table("y", table, tol=1e-9), table).influence(table))
    assert not any(name.startswith("dfbeta") for name in found[0].columns)
    for name in found[0].columns:
        assert found[0][name].to_numpy() == pytest.approx(expected[0][name].to_numpy(), rel=1e-7)


@pytest.mark.parametrize("cov", ["model", "HC1", "cluster"])
@pytest.mark.parametrize("C", [np.inf, 1.0])
def test_the_joint_test_of_many_levels_makes_no_matrix_of_them(cov, C, held):
    table = many_levels(1500, 60)
    table = table[table.groupby("city").y.transform("nunique") == 2]
    groups = np.arange(len(table)) % 200 if cov == "cluster" else None
    found = []
    for how in ("dense", "wide"):
        held(how)
        result = infer(fit_table("y", table, C=C, tol=1e-9), table, cov=cov, groups=groups)
        found.append(result)
    (expected, test) = (result.test("city") for result in found)
    assert (test.df, test.hypothesis) == (expected.df, expected.hypothesis)
    assert test.statistic == pytest.approx(expected.statistic, rel=1e-8)
    assert found[1].test("few").statistic == pytest.approx(found[0].test("few").statistic, rel=1e-8)


def test_a_joint_test_of_more_levels_than_clusters_is_refused(held):
    table = many_levels(1500, 60)
    table = table[table.groupby("city").y.transform("nunique") == 2]
    for how in ("dense", "wide"):
        held(how)
        for count in (5, 55):
            groups = np.arange(len(table)) % count
            result = infer(fit_table("y", table, C=1.0), table, cov="cluster", groups=groups)
            with pytest.raises(EvenOddsError, match="covariance of these 59 restrictions is singular"):
                result.test("city")
            assert result.test("x").df == 1


@pytest.mark.parametrize("home", [Blocks, Remote])
def test_rows_that_are_elsewhere(home):
    table = many_levels(900, 30)
    rng = np.random.default_rng(0)
    coded = learn(table, target="y").read(table).coded().centred()
    y, weight, offset = table.y.to_numpy().astype(np.uint8), rng.random(900) + 0.1, rng.normal(size=900)
    data, far = Memory(coded, y, weight, offset), home(coded, y, weight, offset, cuts=(1, 130, 500))
    coordinates = choose_coordinates(data, data.sample(900, 0), intercept=True, standardize=False, strength=0.0)
    found = [Objective(one, coordinates, np.full(coordinates.columns.size, 0.1)) for one in (data, far)]
    theta = 0.1 * rng.normal(size=found[0].n_coef)
    for ask in ("value_grad", "hessian", "diagonal", "column_curvature", "largest_move", "least_multiplier"):
        one, other = (getattr(objective, ask)(theta) for objective in found)
        for a, b in zip(one, other, strict=True) if isinstance(one, tuple) else [(one, other)]:
            assert a is b is None or b == pytest.approx(a, rel=1e-12, abs=1e-12)
    assert (
        choose_coordinates(far, far.sample(900, 0), intercept=True, standardize=False, strength=0.0).columns.tolist()
        == coordinates.columns.tolist()
    )


def test_a_covariance_that_is_too_large_for_a_file_is_refused(held, monkeypatch, tmp_path):
    table = many_levels(500, 12)
    held("wide")
    model = fit_table("y", table, C=1.0)
    result = infer(model, table)
    save(result, tmp_path / "model.json")
    assert load(tmp_path / "model.json").inference_.se == pytest.approx(result.se, rel=1e-15)
    monkeypatch.setattr("evenodds.inference.saved._MOST", 10)
    with pytest.raises(EvenOddsError, match="too large for a model file"):
        save(infer(model, table), tmp_path / "model.json")
