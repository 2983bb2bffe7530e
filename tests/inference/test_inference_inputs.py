"""What `infer` refuses, what it proves of the fit, and what its record keeps."""

import dataclasses
import pickle
import warnings

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from draws import drawn, fitted, shapes
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

from evenodds import SGD, EvenOddsError, LogisticRegression, infer, load, save
from oracle import newton, quiet

INTERCEPT = "(intercept)"


def draw(n=150, p=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.5 * rng.normal(size=(n, 1))
    return X, (rng.random(n) < expit(0.8 * X[:, 0] - 0.4 * X[:, -1] - 0.2)).astype(int), rng


# The certificate


@settings(max_examples=20)
@given(shapes, st.sampled_from([np.inf, 100.0, 1.0, 0.01]), st.booleans(), st.booleans())
def test_the_certificate_holds(shape, C, intercept, weighted):
    X, y, rng = drawn(shape)
    X = X * np.exp(rng.normal(size=X.shape[1]) * 2) + rng.normal()
    weight = rng.uniform(0.2, 3, len(y)) if weighted else np.ones(len(y))
    truth = newton(X, y, weight=weight, ridge=1 / C, intercept=intercept)
    optimum = np.array([*[truth.intercept] * intercept, *truth.coef])
    D = np.column_stack([np.ones(len(X)), X]) if intercept else X
    for stop in ({"max_iter": 0}, {"max_iter": 1}, {"max_iter": 2}, {"max_iter": 3}, {"tol": 0.1}, {"tol": 1e-3}):
        solver = "quasi-newton" if "tol" in stop else "newton"
        model, _ = quiet(LogisticRegression(C=C, fit_intercept=intercept, solver=solver, **stop).fit, X, y, weight)
        result, caught = quiet(infer, model, X, y, weight)
        found = result.certificate
        assert any(w.category is ConvergenceWarning for w in caught) == (not found.error <= 0.01)
        if not found.proved:
            assert np.isinf([found.gap, found.error, *found.coef_error]).all()
            continue
        z = D @ result.coef
        loss = (weight @ np.logaddexp(0, np.where(y == 1, -z, z)) + (model.coef_**2).sum() / (2 * C)) / weight.sum()
        assert loss - truth.objective <= found.gap * (1 + 1e-6) + 1e-15
        far = np.abs(result.coef - optimum)
        assert (far <= found.coef_error * (1 + 1e-6) + 1e-12 * (1 + np.abs(optimum))).all()
        H = D.T @ ((weight * expit(z) * expit(-z))[:, None] * D) + np.diag([0] * intercept + [1 / C] * X.shape[1])
        assert (far <= found.error * np.sqrt(np.diag(np.linalg.inv(H))) * (1 + 1e-6) + 1e-11).all()
        if 1e-7 < found.decrement < 1e-3:
            assert found.gap <= 1.2 * (loss - truth.objective) + 1e-15
            assert (found.coef_error <= 2 * far + 0.05 * far.max() + 1e-9).any()


def test_nothing_is_proved_far_from_the_optimum():
    X, y, _ = draw()
    model, _ = quiet(LogisticRegression(max_iter=0, solver="newton").fit, 1000 * X, y)
    model.coef_ = np.array([[0.1, -0.1, 0.1]])
    saved = dataclasses.replace(model.solution_, loss=_loss(1000 * X, y, model), gap=np.inf)
    model.solution_ = saved
    with pytest.warns(ConvergenceWarning, match="unknown distance"):
        result = infer(model, 1000 * X, y)
    assert not result.certificate.proved
    assert np.isinf(result.certificate.gap)
    assert "nothing is proved" in str(result.certificate)


def _loss(X, y, model):
    z = X @ model.coef_[0] + model.intercept_[0]
    return np.logaddexp(0, np.where(y == 1, -z, z)).mean()


def test_a_fit_that_ended_early_is_warned_of_in_the_users_file():
    X, y, _ = draw()
    model, _ = quiet(LogisticRegression(max_iter=1, solver="newton").fit, X, y)
    with pytest.warns(ConvergenceWarning, match="standard errors from the optimum") as caught:
        infer(model, X, y)
    assert caught[0].filename == __file__


def test_an_error_in_standard_errors_is_in_those_of_the_table():
    """Of a ridge fit the table's standard errors are smaller than those of the curvature."""
    X, y, _ = draw(60)
    truth = newton(X, y, ridge=50.0)
    model, _ = quiet(LogisticRegression(C=1 / 50, max_iter=2, solver="quasi-newton").fit, X, y)
    result, _ = quiet(infer, model, X, y)
    far = np.abs(result.coef - [truth.intercept, *truth.coef])
    assert (far <= result.certificate.error * result.se).all()


# A refit, a copy, a file


def test_a_refit_does_not_change_the_record():
    X, y, _ = draw()
    model = LogisticRegression(C=2.0).fit(X, y)
    result = infer(model, X, y)

    def everything():
        return (
            str(result),
            result.predict(X).to_numpy(),
            result.margins(X).to_numpy(),
            result.influence(X, y).to_numpy(),
            result.hosmer_lemeshow(X, y).statistic,
            result.calibration(X, y).to_numpy(),
            result.vif().to_numpy(),
            result.test("x0 = x1").statistic,
        )

    before = everything()
    model.set_params(C=0.001, fit_intercept=False, standardize=True)
    model.fit(X[:, :2], np.where(y == 1, "a", "b"))
    for one, two in zip(before, everything(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_record_is_frozen():
    X, y, _ = draw()
    result = fitted(X, y)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.coef = None
    model = LogisticRegression().fit(X, y)
    model_coef = model.coef_.copy()
    with pytest.raises(ValueError, match="read-only"):
        infer(model, X, y).coef[1] = 0
    np.testing.assert_array_equal(model.coef_, model_coef)


def test_a_pickle_of_the_record_answers_as_before():
    X, y, _ = draw()
    for model in ({}, {"firth": True}, {"C": 1.0}):
        result = fitted(X, y, model=model)
        back = pickle.loads(pickle.dumps(result))
        np.testing.assert_array_equal(back.covariance, result.covariance)
        assert str(back) == str(result)
        assert back.test("x0 = 0") == result.test("x0 = 0")
        np.testing.assert_array_equal(back.margins(X).to_numpy(), result.margins(X).to_numpy())


@pytest.mark.parametrize("firth", [False, True, "flic", "flac"])
def test_a_model_from_a_file(firth, tmp_path):
    X, y, _ = draw()
    frame = pd.DataFrame(X, columns=["a b", "c", "d"])
    model = LogisticRegression(firth=firth).fit(frame, y)
    save(model, tmp_path / "model.json")
    one, two = infer(model, frame, y), infer(load(tmp_path / "model.json"), frame, y)
    np.testing.assert_array_equal(one.covariance, two.covariance)
    assert one.names == two.names == (INTERCEPT, "a b", "c", "d")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert str(one) == str(two)


# What is refused

X0, Y0, _ = draw()
FRAME = pd.DataFrame(X0, columns=["a", "b", "c"])
ROW, LABEL, OTHER = X0.copy(), Y0.copy(), X0[::-1].copy()
ROW[5, 1] += 1
LABEL[3] = 1 - LABEL[3]
WITH_NAN = X0.copy()
WITH_NAN[7, 2] = np.nan

ASKED = {
    "unknown cov": ({"cov": "HC4"}, "cov is one of 'model'.*'HC4'"),
    "cov of another kind": ({"cov": None}, "cov is one of"),
    "cov as a list": ({"cov": ["HC0"]}, "cov is one of"),
    "clusters without groups": ({"cov": "cluster"}, "needs groups"),
    "groups without clusters": ({"groups": Y0}, "groups are only for"),
    "groups with HC0": ({"groups": Y0, "cov": "HC0"}, "groups are only for"),
    "few groups": ({"cov": "cluster", "groups": Y0[:-1]}, r"\(149,\).*150 rows"),
    "groups in two columns": ({"cov": "cluster", "groups": np.stack([Y0, Y0], 1)}, r"\(150, 2\)"),
    "one cluster": ({"cov": "cluster", "groups": ["a"] * 150}, "one cluster, 'a'"),
    "level 0": ({"level": 0}, "level is a number between 0 and 1"),
    "level 1": ({"level": 1}, "level is"),
    "level 95": ({"level": 95}, "level is.*95"),
    "level NaN": ({"level": np.nan}, "level is"),
    "level True": ({"level": True}, "level is"),
    "level as text": ({"level": "0.95"}, "level is"),
    "unknown weights": ({"weights": "importance"}, "weights is 'frequency', 'sampling' or 'precision'"),
    "no weights": ({"weights": None}, "weights is"),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_does_not_exist(name):
    asked, words = ASKED[name]
    with pytest.raises(EvenOddsError, match=words):
        infer(LogisticRegression().fit(X0, Y0), X0, Y0, **asked)


LABELS = [f"g{k % 40}" for k in range(150)]
MISSING = {
    "NaN": pd.Series(np.arange(150) % 40).where(lambda s: s != 7),
    "NaN among strings": [np.nan if k == 7 else name for k, name in enumerate(LABELS)],
    "None among strings": [None if k == 7 else name for k, name in enumerate(LABELS)],
    "strings of pandas": pd.Series(LABELS).where(pd.Series(LABELS) != "g7"),
    "a nullable Int64": pd.Series(np.arange(150) % 40, dtype="Int64").where(lambda s: s != 7),
    "NaT": pd.Series(pd.to_datetime("2020-01-01") + pd.to_timedelta(np.arange(150) % 40, unit="D")).where(
        np.arange(150) != 7
    ),
    "a category": pd.Series(pd.Categorical(LABELS)).where(pd.Series(LABELS) != "g7"),
}


@pytest.mark.parametrize("name", MISSING)
def test_missing_groups_are_named_by_row(name):
    with pytest.raises(EvenOddsError, match="groups has a missing value, first in row 7 "):
        infer(LogisticRegression().fit(X0, Y0), X0, Y0, cov="cluster", groups=MISSING[name])


def test_groups_of_every_kind():
    model = LogisticRegression().fit(X0, Y0)
    codes = np.arange(150) % 40
    truth = infer(model, X0, Y0, cov="cluster", groups=codes).covariance
    for groups in (
        LABELS,
        np.array(LABELS, dtype=object),
        codes * 1.5,
        codes.tolist(),
        pd.Series(codes, dtype="Int64"),
        pd.Series(pd.Categorical(LABELS)),
        pd.Series(codes, index=codes[::-1]),
        np.datetime64("2020-01-01") + codes,
        2**62 + codes,
    ):
        np.testing.assert_allclose(infer(model, X0, Y0, cov="cluster", groups=groups).covariance, truth, rtol=1e-9)


def test_groups_of_two_kinds_are_not_one():
    groups = np.array([1 if k % 2 else "1" for k in range(150)], dtype=object)
    result = infer(LogisticRegression().fit(X0, Y0), X0, Y0, cov="cluster", groups=groups)
    assert "2 clusters" in " ".join(result.remarks)


def test_a_cluster_without_weight_is_none():
    weight, groups = np.ones(150), np.arange(150) % 30
    weight[groups == 29] = 0
    result = fitted(X0, Y0, weight, cov="cluster", groups=groups)
    assert "29 clusters" in " ".join(result.remarks)
    kept = groups < 29
    twin = fitted(X0[kept], Y0[kept], cov="cluster", groups=groups[kept])
    np.testing.assert_allclose(result.covariance, twin.covariance, rtol=1e-9)


UNFITTED = {
    "unfitted": (LogisticRegression, "not fitted: call fit"),
    "partial fit": (lambda: LogisticRegression().partial_fit(X0, Y0), "partial_fit ends at no optimum"),
    "another class": (lambda: "model", "takes a fitted evenodds.LogisticRegression, got a str"),
    "fitted, then partial": (lambda: LogisticRegression().fit(X0, Y0).partial_fit(X0, Y0), "partial_fit ends"),
}


@pytest.mark.parametrize("name", UNFITTED)
def test_models_that_have_no_optimum(name):
    make, words = UNFITTED[name]
    with pytest.raises(EvenOddsError, match=words):
        infer(make(), X0, Y0)


DATA = {
    "a row changed": (ROW, Y0, {}, "not the rows"),
    "a label changed": (X0, LABEL, {}, "not the rows"),
    "rows in another order": (OTHER, Y0, {}, "not the rows"),
    "another X": (np.random.default_rng(5).normal(size=X0.shape), Y0, {}, "not the rows"),
    "columns in another order": (X0[:, ::-1], Y0, {}, "not the rows"),
    "a scaled column": (X0 * [1, 2, 1], Y0, {}, "not the rows"),
    "rows left out": (X0[1:], Y0[1:], {}, "saw 150 rows.*149"),
    "an offset that was not there": (X0, Y0, {"offset": np.full(150, 0.1)}, "not the rows"),
    "weights that were not there": (X0, Y0, {"sample_weight": 1 + Y0}, "not the rows"),
    "equal weights that were not there": (X0, Y0, {"sample_weight": np.full(150, 2.0)}, "not the rows"),
    "one class": (X0, np.ones(150, int), {}, "one class only"),
    "other labels": (X0, np.where(Y0, "a", "b"), {}, "not in classes"),
    "no labels": (X0, None, {}, "requires y"),
    "NaN": (WITH_NAN, Y0, {}, "X contains NaN.*column 2, row 7"),
    "fewer columns": (X0[:, :2], Y0, {}, "2 features.*expecting 3"),
}


@pytest.mark.parametrize("name", DATA)
def test_other_rows_than_those_of_the_fit(name):
    X, y, given_too, words = DATA[name]
    with pytest.raises(ValueError, match=f"(?s){words}"):
        infer(LogisticRegression().fit(X0, Y0), X, y, **given_too)


@pytest.mark.parametrize("weight", [np.linspace(0.5, 2, 150), np.full(150, 2.0)], ids=["uneven", "even"])
def test_weights_that_were_forgotten(weight):
    with pytest.raises(EvenOddsError, match=r"(?s)not the rows.*sample_weight"):
        infer(LogisticRegression().fit(X0, Y0, weight), X0, Y0)


@pytest.mark.parametrize("other", ["names", "order"])
def test_frames_with_other_names(other):
    changed = FRAME.rename(columns={"a": "z"}) if other == "names" else FRAME[["b", "a", "c"]]
    with pytest.raises(EvenOddsError, match=r"(?i)feature names"):
        infer(LogisticRegression().fit(FRAME, Y0), changed, Y0)


@pytest.mark.parametrize("C", [np.inf, 0.1])
@pytest.mark.parametrize("stop", [{"max_iter": 0}, {"max_iter": 1}, {"tol": 10.0}, {"solver": SGD(epochs=3)}])
@pytest.mark.parametrize("solver", ["newton", "quasi-newton"])
def test_rows_of_a_fit_that_ended_early_are_known_again(C, stop, solver):
    for data in (X0, 100 * X0, X0 + 1e4):
        model, _ = quiet(LogisticRegression(**{"C": C, "solver": solver, **stop}).fit, data, Y0)
        result, _ = quiet(infer, model, data, Y0)
        assert np.isfinite(result.se).all()


@pytest.mark.parametrize("firth", ["flic", "flac"])
@pytest.mark.parametrize("ones", [3, 8, 30])
def test_rows_of_a_corrected_firth_fit_are_known_again(firth, ones):
    """The correction moves the intercept, by the more the rarer a class is."""
    y = (np.arange(150) < ones).astype(int)
    result = fitted(X0, y, model={"firth": firth})
    mean = result.predict(X0)["probability"].mean()
    assert mean == pytest.approx(ones / 150, rel=1e-6)
    assert np.isfinite(result.se).all()


def test_labels_of_every_kind():
    for labels in (["no", "yes"], [False, True], [-1.0, 1.0]):
        result = fitted(X0, np.array(labels)[Y0])
        assert result.classes == tuple(labels)
        np.testing.assert_allclose(result.se, fitted(X0, Y0).se, rtol=1e-12)


def test_class_weights_are_weights():
    weight = np.where(Y0 == 1, 3.0, 0.5)
    for kind in ("model", "HC0"):
        one = fitted(X0, Y0, model={"class_weight": {0: 0.5, 1: 3.0}}, cov=kind)
        np.testing.assert_allclose(one.covariance, fitted(X0, Y0, weight, cov=kind).covariance, rtol=1e-9)


def test_weights_made_up_of_factors_are_no_counts():
    """Class weights shift the share of a class on purpose: rows stay single observations."""
    y = (np.random.default_rng(0).random(150) < expit(X0[:, 0] - 2)).astype(int)
    result = fitted(X0, y, model={"class_weight": "balanced"})
    assert any("class_weight" in remark for remark in result.remarks)


def test_aliased_columns_have_no_statistics():
    frame = FRAME.assign(sum=FRAME["a"] + FRAME["b"], one=3.0)[["a", "one", "b", "sum", "c"]]
    model, _ = quiet(LogisticRegression().fit, frame, Y0)
    result, truth = infer(model, frame, Y0, cov="HC3"), fitted(FRAME, Y0, cov="HC3")
    known, lost = [0, 1, 3, 5], [2, 4]
    np.testing.assert_allclose(result.se[known], truth.se, rtol=1e-9)
    np.testing.assert_allclose(result.coef[known], truth.coef, rtol=1e-9)
    assert (result.coef[lost] == 0).all()
    for values in (result.se, result.z, result.p_value, result.conf_int[:, 0], np.diag(result.covariance)):
        assert np.isnan(values[lost]).all()
    assert set(result.notes) == {"one", "sum"}
    assert np.isnan(result.certificate.coef_error[lost]).all()
    assert (result.n_coef, result.likelihood_ratio.df) == (4, 3)
    with pytest.raises(EvenOddsError, match=r"^'sum' has no standard error.*aliased"):
        result.test("a = sum")
    np.testing.assert_allclose(result.margins(frame)["se"][[0, 2, 4]], truth.margins(FRAME)["se"], rtol=1e-9)
    table = result.influence(frame, Y0)
    assert table["dfbeta_sum"].isna().all()
    twin = truth.influence(FRAME, Y0)
    np.testing.assert_allclose(table["cooks_distance"], twin["cooks_distance"], rtol=1e-8)
    assert np.isnan(result.profile().set_index("term").loc["sum", "lower"])
    assert "aliased" in str(result)
    assert result.compare(fitted(FRAME[["a", "b"]], Y0)).df == 1


def test_a_column_that_is_called_intercept():
    frame = FRAME.rename(columns={"a": INTERCEPT})
    truth = fitted(FRAME, Y0, model={"firth": True})
    result = fitted(frame, Y0, model={"firth": True})
    np.testing.assert_allclose(result.p_value, truth.p_value, rtol=1e-9)
    np.testing.assert_allclose(result.conf_int, truth.conf_int, rtol=1e-9)
    np.testing.assert_allclose(result.profile()["lower"], truth.profile()["lower"], rtol=1e-9)
    assert len(set(result.names)) == 4


def test_the_names_of_clusters_do_not_matter_where_rows_drop_out():
    rare = np.arange(150) < 12
    X, y = np.column_stack([X0[:, 0], rare]), np.where(rare, 1, Y0)
    groups = np.where(rare, 0, 1 + np.arange(150) % 9)
    model, _ = quiet(LogisticRegression().fit, X, y)
    one = infer(model, X, y, cov="cluster", groups=groups)
    two = infer(model, X, y, cov="cluster", groups=9 - groups)
    np.testing.assert_allclose(one.se, two.se, rtol=1e-9)


def test_a_separated_fit_counts_the_clusters_and_rows_that_are_left():
    rare = np.arange(150) < 12
    X, y = np.column_stack([X0[:, 0], rare]), np.where(rare, 1, Y0)
    groups = np.where(rare, 100 + np.arange(150), np.arange(150) % 50)
    model, _ = quiet(LogisticRegression().fit, X, y)
    for asked in ({"cov": "cluster"}, {"cov": "HC1"}):
        given = [asked | ({"groups": g} if "cluster" in asked.values() else {}) for g in (groups, groups[~rare])]
        result, rest = infer(model, X, y, **given[0]), fitted(X[~rare, :1], y[~rare], **given[1])
        np.testing.assert_allclose(result.se[:2], rest.se, rtol=1e-7)
        assert result.n_obs == 150
        if "groups" in given[0]:
            assert "50 clusters; covariance times 50/49" in str(result)
    for one, words in ((np.where(rare, 1, 0), "one cluster, which has no covariance"), (groups, "50 clusters")):
        assert words in " ".join(str(infer(model, X, y, cov="cluster", groups=one)).split())
    whole = np.arange(6.0)[:, None]
    apart, _ = quiet(LogisticRegression().fit, whole, whole[:, 0] > 2)
    assert "clusters;" not in str(infer(apart, whole, whole[:, 0] > 2, cov="cluster", groups=whole[:, 0]))


THREE_GROUPS = np.repeat(["a", "b", "c"], 50)


@pytest.mark.parametrize(
    "make", [list, pd.Series, pd.Categorical, pl.Series, pa.array, lambda g: pa.chunked_array([g])]
)
def test_groups_of_all_kinds(make):
    model = LogisticRegression().fit(X0, Y0)
    known = infer(model, X0, Y0, cov="cluster", groups=THREE_GROUPS)
    np.testing.assert_array_equal(infer(model, X0, Y0, cov="cluster", groups=make(THREE_GROUPS)).se, known.se)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (pd.Series([1, None, 2] * 50, dtype="Int64"), "missing value, first in row 1"),
        (pd.Series(["a", "b", None] * 50, dtype="string"), "missing value, first in row 2"),
        (pa.array(["a", None, "b"] * 50), "missing value, first in row 1"),
        (3, r"shape \(\), and X has 150 rows"),
    ],
    ids=["pandas numbers", "pandas strings", "Arrow", "one number"],
)
def test_groups_that_are_none(groups, words):
    with pytest.raises(EvenOddsError, match=words):
        fitted(X0, Y0, cov="cluster", groups=groups)


def test_hc1_of_more_coefficients_than_rows_is_refused_in_words():
    rng = np.random.default_rng(0)
    result = fitted(rng.normal(size=(20, 30)), np.arange(20) % 2, model={"C": 1.0}, cov="HC1")
    assert np.isnan(result.se).all()
    assert "HC1 does not exist: n/(n-k) has no meaning for 20 observations and 31 coefficients" in result.remarks[-1]
    assert not any("HC1" in remark for remark in fitted(X0, Y0, cov="HC1").remarks)


def test_two_peaks_have_their_intervals_and_are_told():
    """An offset gives the penalised likelihood of these rows a second peak, and higher."""
    X = [[-1.796, -1.92, 0.631, -0.011, 1.527, 0.111, 0.603, -0.014, -1.487, -0.688]]
    X += [[0.255, 1.81, -0.603, -0.488, 1.106, -0.472, 0.285, -0.478, -1.308, -1.574]]
    offset = [1.922, -0.88, -0.294, 0.515, -0.062, 0.478, 2.16, -0.265, 0.297, -0.481]
    y, weight = [1, 1, 1, 0, 1, 0, 1, 0, 0, 0], [3.0, 1, 3, 2, 2, 3, 3, 3, 1, 2]
    result = fitted(np.transpose(X), y, weight, offset, model={"firth": True})
    assert np.isfinite(result.conf_int).all()
    assert (result.conf_int[:, 0] < result.coef).all()
    assert (result.coef < result.conf_int[:, 1]).all()
    assert "2 maxima were found" in result.remarks[-1]
    assert not any("maxima" in remark for remark in fitted(X0, Y0, model={"firth": True}).remarks)


def test_two_columns_that_take_both_names_of_the_intercept():
    frame = pd.DataFrame(X0, columns=["(intercept)", "(constant)", "x"])
    with pytest.raises(EvenOddsError, match=r"the name '\(constant\)': rename"):
        fitted(frame, Y0)


# After selection


@pytest.fixture(scope="module")
def split():
    """What is inferred of b and e, which a lasso chose among eight columns, and all columns."""
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.normal(size=(400, 8)), columns=list("abcdefgh"))
    y = (rng.random(400) < expit(X["b"] - X["e"])).astype(int)
    half = np.arange(400) < 200
    result = infer(LogisticRegression(0.05, 1.0).fit(X[half], y[half]), X[~half], y[~half], post_selection="split")
    assert result.names == ("(intercept)", "b", "e")
    return result, X, X[~half], y[~half]


@pytest.mark.parametrize("method", ["predict", "margins"])
@pytest.mark.parametrize("kind", [pd.DataFrame, pl.from_pandas, pa.Table.from_pandas])
def test_chosen_columns_are_taken_from_a_frame_of_all_by_name(split, method, kind):
    result, X, _, _ = split
    ask = getattr(result, method)
    truth = nw.from_native(ask(kind(X[["b", "e"]])), eager_only=True).to_dict(as_series=False)
    for frame in (X, X[list("hgfedcba")]):
        assert nw.from_native(ask(kind(frame)), eager_only=True).to_dict(as_series=False) == truth


@pytest.mark.parametrize("method", ["influence", "calibration"])
def test_so_they_are_for_diagnostics_of_the_rows(split, method):
    result, _, rows, y = split
    ask = getattr(result, method)
    pd.testing.assert_frame_equal(ask(rows, y), ask(rows[["b", "e"]], y))
    assert result.hosmer_lemeshow(rows, y) == result.hosmer_lemeshow(rows[["b", "e"]], y)


def test_of_an_array_the_columns_that_are_wanted_are_named(split):
    result, X, _, _ = split
    for rows in (X.to_numpy(), sp.csr_array(X.to_numpy())):
        for ask in (result.predict, result.margins):
            with pytest.raises(
                EvenOddsError, match=r"X has 8 features, .* columns 'b', 'e': pass these, in this order"
            ):
                ask(rows)
    with pytest.raises(EvenOddsError, match=r"now missing:\n- e"):
        result.predict(X[["a", "b"]])
    with pytest.raises(EvenOddsError, match="unique"):
        result.predict(X.set_axis(list("abbdefgh"), axis=1))


def test_of_gradient_descent_another_solver_is_advised():
    X, y, _ = draw()
    model = LogisticRegression(solver=SGD(epochs=1)).fit(X, y)
    with pytest.warns(ConvergenceWarning, match='from the optimum, .*: fit with solver="auto" before infer'):
        infer(model, X, y)


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 1.0, 1: 3.0}])
def test_the_rows_that_chose_are_known_again(class_weight):
    X, y, rng = draw(n=300)
    weight = rng.uniform(0.5, 2.0, 300)
    lasso = LogisticRegression(0.1, 1.0, class_weight=class_weight).fit(X, y, weight)
    with pytest.raises(EvenOddsError, match="rows that chose the columns"):
        infer(lasso, X, y, weight, post_selection="split")


def test_a_lasso_has_no_standard_errors_but_its_columns_do_on_other_rows():
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.normal(size=(400, 8)), columns=list("abcdefgh"))
    y = (rng.random(400) < expit(X["b"] - X["e"])).astype(int)
    half = np.arange(400) < 200
    lasso = LogisticRegression(0.1, 1.0).fit(X[half], y[half])
    chosen = X.columns[lasso.coef_[0] != 0].tolist()
    with pytest.raises(EvenOddsError, match=r"post_selection=\"split\".*debiased"):
        infer(lasso, X[half], y[half])
    with pytest.raises(EvenOddsError, match="rows that chose the columns"):
        infer(lasso, X[half], y[half], post_selection="split")
    result = infer(lasso, X[~half], y[~half], post_selection="split", cov="HC1")
    truth = fitted(X.loc[~half, chosen], y[~half], cov="HC1")
    assert result.names == truth.names
    np.testing.assert_allclose(result.covariance, truth.covariance, rtol=1e-12)
    assert "chosen by an L1 penalty on other rows" in str(result)
    array = LogisticRegression(0.1, 1.0).fit(X[half].to_numpy(), y[half])
    by_number = infer(array, X[~half].to_numpy(), y[~half], post_selection="split")
    assert by_number.names == ("(intercept)", *(f"x{list(X).index(name)}" for name in chosen))
    assert by_number.test(f"{by_number.names[1]} = 0").p_value == pytest.approx(by_number.p_value[1])
    with pytest.raises(EvenOddsError, match="no columns"):
        infer(LogisticRegression().fit(X, y), X, y, post_selection="split")
    with pytest.raises(EvenOddsError, match="post_selection is"):
        infer(lasso, X, y, post_selection="debias")
    none = LogisticRegression(1e-6, 1.0).fit(X[half], y[half])
    with pytest.raises(EvenOddsError, match="no column"):
        infer(none, X[~half], y[~half], post_selection="split")
