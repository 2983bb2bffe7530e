"""A graph of ONNX gives the probabilities of `predict_proba` in onnxruntime, and its labels."""

import sys

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest

import leaving
from evenodds import CollinearWarning, EvenOddsError, LogisticRegression, LogisticRegressionCV, fit_table, to_onnx
from leaving import ODD, draw

rng = np.random.default_rng(5)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


def run(model, rows, kinds, path):
    to_onnx(model, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    types = {"text": object, "date": "datetime64[s]"}
    feed = {n: np.array(v, dtype=types.get(kinds[n], float)).reshape(-1, 1) for n, v in rows.items()}
    feed |= {n: feed[n].astype(np.int64) for n in rows if kinds[n] == "date"}
    return session.run(["label", "probabilities"], feed)


def require_same(member, path):
    labels, found = run(member.model, member.rows, member.kinds, path)
    np.testing.assert_allclose(found, member.expected, rtol=0, atol=1e-12)
    known = ~np.isnan(member.expected[:, 0])
    np.testing.assert_array_equal(labels[known], member.model.classes_[member.expected[known].argmax(axis=1)])


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_random_models_score_the_same(first, path):
    for seed in range(first, first + 10):
        member = draw(seed)
        if member is not None:
            require_same(member, path)


def table(n, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.normal(40, 10, n),
            "carrier": rng.choice(["AA", "BB", "it's 🎈"], n),
            "flag": rng.random(n) < 0.5,
            "late": rng.choice(["early", "in time", "late"], n),
        }
    )


def test_the_graph_is_sound_and_says_what_it_takes(path):
    to_onnx(fit_table("late ~ bs(age, df=5) + carrier*flag", table(200), C=1), path)
    graph = onnx.load(path)
    onnx.checker.check_model(graph, full_check=True)
    session = onnxruntime.InferenceSession(path)
    assert [(one.name, one.type, one.shape) for one in session.get_inputs()] == [
        ("age", "tensor(double)", ["N", 1]),
        ("carrier", "tensor(string)", ["N", 1]),
        ("flag", "tensor(double)", ["N", 1]),
    ]
    assert [(one.name, one.type, one.shape) for one in session.get_outputs()] == [
        ("label", "tensor(string)", ["N"]),
        ("probabilities", "tensor(double)", ["N", 3]),
    ]


@pytest.mark.parametrize("n", [0, 1, 2, 1000])
def test_a_batch_may_have_any_number_of_rows(n, path):
    model = fit_table("late ~ bs(age, df=5, extrapolation='clip') + carrier*flag", table(200), C=1)
    rows = table(n, 1)[["age", "carrier", "flag"]]
    kinds = {"age": "number", "carrier": "text", "flag": "boolean"}
    labels, found = run(model, {name: rows[name].tolist() for name in rows}, kinds, path)
    assert labels.shape == (n,)
    assert found.shape == (n, 3)
    if n:
        np.testing.assert_allclose(found, model.predict_proba(rows), rtol=0, atol=1e-12)


@pytest.mark.parametrize("missing", ["drop", "indicator"])
@pytest.mark.parametrize("gone", [None, float("nan"), ""])
def test_missing_text_is_none_nan_or_empty(missing, gone, path):
    frame = table(200).astype({"carrier": object})
    frame.loc[::9, "carrier"] = None
    model = fit_table("late ~ carrier", frame, missing=missing, C=1)
    _, found = run(model, {"carrier": ["AA", gone]}, {"carrier": "text"}, path)
    expected = model.predict_proba(pd.DataFrame({"carrier": ["AA", None]}))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "labels",
    [["a", "b"], ["x'", "é", "🎈"], [0, 1], [-1, 5, 7], [False, True], [-1.0, 1.0], np.array([1, 2], dtype=np.int8)],
    ids=str,
)
def test_labels_are_those_of_the_fit(labels, path):
    X, y = rng.normal(size=(90, 2)), np.resize(np.array(labels), 90)
    model = LogisticRegression(C=1).fit(X, y)
    found, probabilities = run(model, {"x0": X[:, 0], "x1": X[:, 1]}, {"x0": "number", "x1": "number"}, path)
    assert found.tolist() == model.predict(X).tolist()
    np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e4, -1e4])
def test_scores_of_any_size_have_a_probability(scale, path):
    X = rng.normal(size=(60, 3))
    for y in (X[:, 0] > 0, rng.integers(0, 3, 60)):
        model = LogisticRegression(C=1).fit(X, y)
        model.coef_ = model.coef_ * scale
        rows = {f"x{k}": column for k, column in enumerate(X.T)}
        _, found = run(model, rows, dict.fromkeys(rows, "number"), path)
        np.testing.assert_allclose(found, model.predict_proba(X), rtol=0, atol=1e-12)


def test_infinity_and_nan_have_no_probability(path):
    X = rng.normal(size=(60, 2))
    model = LogisticRegression(C=1e-9, l1_ratio=1.0).fit(X, X[:, 0] > 0)
    assert not model.coef_.any()
    _, found = run(model, {"x0": [np.inf, np.nan, 1.0], "x1": [0.0] * 3}, {"x0": "number", "x1": "number"}, path)
    assert np.isnan(found).all(axis=1).tolist() == [True, True, False]


def test_a_class_without_weight_has_probability_0(path):
    X, y = rng.normal(size=(60, 1)), np.resize([0, 1, 2], 60)
    model = LogisticRegression(C=1).fit(X, y, sample_weight=(y != 1).astype(float))
    _, found = run(model, {"x0": X[:, 0]}, {"x0": "number"}, path)
    np.testing.assert_allclose(found, model.predict_proba(X), rtol=0, atol=1e-12)


def test_a_cross_validation_is_written_as_what_it_ended_with(path):
    frame = pd.DataFrame(rng.normal(size=(80, 2)), columns=["a b", '"c"'])
    model = LogisticRegressionCV(Cs=3, cv=3).fit(frame, frame["a b"] > 0)
    _, found = run(model, frame.to_dict("list"), dict.fromkeys(frame, "number"), path)
    np.testing.assert_allclose(found, model.predict_proba(frame), rtol=0, atol=1e-12)


def test_a_factor_with_one_level_adds_nothing(path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=40), "g": "only", "y": rng.integers(0, 2, 40)})
    with pytest.warns(CollinearWarning):
        model = fit_table("y ~ x + g + g:x", frame)
    to_onnx(model, path)
    given = {"x": frame[["x"]].to_numpy(), "g": frame[["g"]].to_numpy(object)}
    _, found = onnxruntime.InferenceSession(path).run(None, given)
    np.testing.assert_allclose(found, model.predict_proba(frame), atol=1e-6)


def test_names_are_kept(path):
    frame = pd.DataFrame({name: rng.normal(size=60) for name in ODD})
    model = LogisticRegression(C=1).fit(frame, frame.iloc[:, 0] > 0)
    to_onnx(model, path)
    assert [one.name for one in onnxruntime.InferenceSession(path).get_inputs()] == ODD


def test_every_day_of_the_calendar_has_its_parts(path):
    days = pd.date_range("1899-12-28", "2101-03-02", freq="29h7min")
    frame = pd.DataFrame({"day": days.astype("datetime64[s]"), "y": rng.integers(0, 2, days.size)})
    for formula in (
        "y ~ month(day) + weekday(day) + hour(day)",
        "y ~ year(day) + day(day)",
        "y ~ quarter(day) + minute(day)",
    ):
        model = fit_table(formula, frame, C=1)
        _, found = run(model, {"day": days.to_numpy()}, {"day": "date"}, path)
        np.testing.assert_allclose(found, model.predict_proba(frame), rtol=0, atol=1e-12)


MISSING = {"None": None, "nan": np.nan, "": ""}


@pytest.mark.parametrize("policy", ["error", "indicator"])
@pytest.mark.parametrize("levels", [["None"], ["nan"], [""], ["None", "nan"], ["None", "", "NaN", "<NA>", "NaT"]])
def test_a_level_that_reads_like_a_missing_value_is_that_level(levels, policy, path):
    rows = [*levels, "b", None]
    frame = pd.DataFrame({"y": [0, 1, 1, 0, 1, 1, 1] * 20, "f": pd.Series((rows * 140)[:140], dtype=object)})
    frame = frame if policy == "indicator" else frame.dropna()
    model = fit_table("y ~ f", frame, C=1, missing=policy)
    expected = [model.predict_proba(pd.DataFrame({"f": [text]}))[0] for text in rows[:-1]]
    gone = [given for text, given in MISSING.items() if text not in levels]
    absent = model.predict_proba(pd.DataFrame({"f": [None]}))[0] if policy == "indicator" else [np.nan, np.nan]
    _, found = run(model, {"f": [*rows[:-1], *gone]}, {"f": "text"}, path)
    np.testing.assert_allclose(found, [*expected, *[absent] * len(gone)], rtol=0, atol=1e-12)
    assert len(gone) > 0


def refused(formula="y ~ f", **columns):
    frame = pd.DataFrame({"y": [0, 1] * 30, **columns})
    return fit_table(formula, frame, C=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LogisticRegression(), "not fitted"),
        (lambda: None, "A NoneType cannot be written as ONNX"),
        (lambda: refused("y ~ label", label=np.arange(60.0)), "'label', which is an output in ONNX"),
        (lambda: refused(f=["a\0b", "c"] * 30), "f has a level with a NUL"),
        (lambda: refused(f=["None", "nan", "", "NaN", "<NA>", "NaT"] * 10), "ONNX has no missing text but these"),
        (lambda: refused("y ~ C(f)", f=[2**60, 2**60 + 1] * 30), "f has a level that is too large"),
        (lambda: LogisticRegression(C=1).fit(np.arange(6.0)[:, None], [2**70, 1] * 3), "cannot hold the labels"),
    ],
)
def test_what_cannot_be_written_is_an_error_and_no_file(make, message, path):
    with pytest.raises(EvenOddsError, match=message):
        to_onnx(make(), path)
    assert not path.exists()


def test_the_members_are_of_many_kinds():
    """What is drawn is worth drawing."""
    drawn = [member for seed in range(20) if (member := leaving.draw(seed)) is not None]
    kinds = {kind for member in drawn for kind in member.kinds.values()}
    assert kinds == {"number", "whole", "boolean", "text", "date"}
    assert {member.model.classes_.size for member in drawn} >= {2, 3, 4}
    assert any(np.isnan(member.expected).any() for member in drawn)


def test_without_onnx_the_error_says_what_to_install(monkeypatch, path):
    model = LogisticRegression(C=1).fit(np.arange(6.0)[:, None], [0, 1] * 3)
    monkeypatch.setitem(sys.modules, "onnx.helper", None)
    with pytest.raises(EvenOddsError, match=r'pip install "evenodds\[onnx\]"'):
        to_onnx(model, path)


@pytest.mark.parametrize("name", ["log hours", "age", 'ö"f\n🎈'])
def test_the_offset_of_the_design_is_an_input_and_added(name, path):
    frame = table(120).assign(late=lambda t: t["late"] == "late")
    frame[name] = frame["age"] / 40 if name != "age" else frame["age"]
    model = fit_table("late ~ carrier + flag", frame, C=1, offset=name)
    scores = model.decision_function(frame) + frame[name].to_numpy()
    rows = {column: frame[column].tolist() for column in ("carrier", "flag", name)}
    kinds = {"carrier": "text", "flag": "boolean", name: "number"}
    _, found = run(model, rows, kinds, path)
    np.testing.assert_allclose(found[:, 1], 1 / (1 + np.exp(-scores)), rtol=1e-12)
    to_onnx(fit_table("late ~ age", frame, C=1), path, offset="more")
    assert {one.name for one in onnxruntime.InferenceSession(path).get_inputs()} == {"age", "more"}
    three = fit_table("late ~ age", table(100), C=1)
    with pytest.raises(EvenOddsError, match="offset is one column"):
        to_onnx(three, path, offset="more")
