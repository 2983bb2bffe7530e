"""The command line, as its users meet it: what goes to stdout, to stderr and into files, and the exit status."""

import csv
import gzip
import io
import json
import os
import re
import select
import signal
import subprocess
import sys
from contextlib import suppress
from decimal import Decimal
from importlib.metadata import entry_points

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import log_loss, roc_auc_score

from evenodds import LogisticRegression, __version__, fit_table, infer
from evenodds.cli import main
from evenodds.export import load, save
from evenodds.inference.display import digits_of
from machine import needs_posix

rng = np.random.default_rng(3)
N = 200
FRAME = pd.DataFrame(
    {
        "age": rng.integers(18, 80, N),
        "fare": rng.lognormal(3, 1, N).round(2),
        "first class": rng.random(N) < 0.3,
        "n": rng.integers(1, 4, N),
    }
)
FRAME["survived"] = np.where(FRAME["age"] / 30 + FRAME["first class"] + rng.logistic(size=N) > 2, "yes", "no")
FEATURES = ["age", "fare", "first class"]
NAMES = ["age", "fare", "first class[True]"]  # of what has a coefficient
POSITIVE = FRAME["survived"] == "yes"
FIT = ("--target", "survived", "--drop", "n")

WRITERS = {
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    ".parquet": lambda frame, path: frame.to_parquet(path, index=False),
    ".feather": lambda frame, path: frame.to_feather(path),
    ".arrow": lambda frame, path: frame.to_feather(path, compression="uncompressed"),
}
READERS = {
    ".csv": pd.read_csv,
    ".csv.gz": pd.read_csv,
    ".parquet": pd.read_parquet,
    ".feather": pd.read_feather,
    ".arrow": pd.read_feather,
}


class Never:
    """A timer that is never up, so that no test depends on how long something takes."""

    def __init__(self, seconds, function, args, kwargs):
        assert seconds == 1

    def start(self):
        pass

    cancel = start


class AtOnce(Never):
    """A timer that is up as soon as it is started."""

    def __init__(self, seconds, function, args, kwargs):
        self.start = lambda: function(*args, **kwargs)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command line in an empty folder that holds people.csv: the exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setattr("evenodds.cli.terminal.Timer", Never)
    FRAME.to_csv("people.csv", index=False)

    def call(*args):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(arg) for arg in args])
        assert list(tmp_path.glob(".*")) == [], "a temporary file was left behind"
        return (stop.value.code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def model(run):
    """model.json, fitted on people.csv."""
    status, _, _ = run("fit", "people.csv", *FIT, "--model", "model.json")
    assert status == 0
    return load("model.json")


def facts(run, *args):
    status, out, err = run("fit", *args, "--json")
    assert (status, without_notes(err)) == (0, "")
    return json.loads(out, parse_constant=lambda token: pytest.fail(f"{token} is not JSON"))


def without_notes(err):
    """Without what is said of how text was read."""
    return re.sub("^Note: .*\n", "", err, flags=re.MULTILINE)


def problem(result):
    """The one line of a run that failed with status 1."""
    status, out, err = result
    err = without_notes(err)
    assert (status, out) == (1, "")
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    return err.strip()


def reference(frame=FRAME, y=FRAME["survived"], weight=None, **parameters):
    return LogisticRegression(**parameters).fit(frame[FEATURES], y, weight)


# fit


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ((), {}),
        (("--C", "0.5"), {"C": 0.5}),
        (("--C", "0.5", "--standardize"), {"C": 0.5, "standardize": True}),
        (("--C", "0.5", "--l1-ratio", "0"), {"C": 0.5}),
        (("--C", "0.5", "--l1-ratio", "0.7"), {"C": 0.5, "l1_ratio": 0.7}),
        (("--C", "0.1", "--l1-ratio", "1", "--standardize"), {"C": 0.1, "l1_ratio": 1.0, "standardize": True}),
        (("--C", "2", "--solver", "quasi-newton"), {"C": 2, "solver": "quasi-newton"}),
        (("--C", "1", "--solver", "sgd"), {"C": 1, "solver": "sgd"}),
        (("--firth",), {"firth": True}),
    ],
)
def test_fit_finds_what_the_estimator_finds(run, options, parameters):
    found = facts(run, "people.csv", *FIT, *options)
    expected = reference(**parameters)
    assert_allclose(found["coef_"], expected.coef_, rtol=1e-10)
    assert_allclose(found["intercept_"], expected.intercept_, rtol=1e-10)
    assert found["classes_"] == ["no", "yes"]
    assert found["feature_names_in_"] == FEATURES
    assert found["n_features_in_"] == 3
    assert_allclose(found["n_iter_"], expected.n_iter_, atol=1)  # a table's rows may lie otherwise, and round otherwise
    assert found["aliased_"] == []
    assert found["names"] == ["(intercept)", *NAMES]
    assert_allclose(found["odds_ratio"], np.exp([*expected.intercept_, *expected.coef_[0]]), rtol=1e-10)
    assert found["solution_"]["status"] == str(expected.solution_.status)
    assert found["solution_"]["solver"] == expected.solution_.solver
    assert_allclose(found["solution_"]["passes"], expected.solution_.passes, atol=1)
    assert_allclose(found["solution_"]["loss"], expected.solution_.loss, rtol=1e-12)
    training = found["training"]
    assert training["rows"] == N
    assert training["rows_of_class"] == [(~POSITIVE).sum(), POSITIVE.sum()]
    assert_allclose(training["accuracy"], expected.score(FRAME[FEATURES], FRAME["survived"]))
    assert_allclose(training["auc"], roc_auc_score(POSITIVE, expected.predict_proba(FRAME[FEATURES])[:, 1]))
    assert_allclose(training["log_loss"], log_loss(POSITIVE, expected.predict_proba(FRAME[FEATURES])))
    assert found["C"] == parameters.get("C", "inf")
    assert found["l1_ratio"] == parameters.get("l1_ratio", 0)
    names = ("coef", "se", "z", "p_value", "conf_int")
    if parameters.get("solver") == "sgd" or "l1_ratio" in parameters:
        assert [found[name] for name in names] == [None] * 5
    else:
        result = infer(expected, FRAME[FEATURES], FRAME["survived"])
        for name in names:
            assert_allclose(found[name], getattr(result, name), rtol=1e-7)


def test_fit_prints_a_table_and_says_how_good_it_is(run):
    status, out, err = run("fit", "people.csv", *FIT)
    assert (status, err) == (0, "")
    expected = reference()
    assert out.splitlines()[0] == "Log odds of survived = yes against no"
    result = infer(expected, FRAME[FEATURES], FRAME["survived"])
    assert re.search(r"^ +coef +se +z +p +95% lower +95% upper +odds ratio *$", out, re.MULTILINE)
    truth = np.column_stack([result.coef, result.se, result.z, result.p_value, result.conf_int, result.odds_ratio])
    for name, row in zip(["(intercept)", *NAMES], truth, strict=True):
        (shown,) = re.findall(rf"^{re.escape(name)} +(-?\d.*?) *$", out, re.MULTILINE)
        values = [float(cell) for cell in shown.split()]
        assert len(values) == 7
        assert_allclose(values, row[: len(values)], rtol=2e-3, atol=1e-4)
    solution, accuracy = expected.solution_, expected.score(FRAME[FEATURES], FRAME["survived"])
    assert f"rows      {N} (yes: {POSITIVE.sum()}, no: {(~POSITIVE).sum()})" in out
    assert f"converged: {solution.iterations} iterations, {solution.passes} passes, newton" in out
    assert f"loss      {solution.loss:.8g}, the mean log loss" in out
    assert f"accuracy  {accuracy:.4f} on the training data" in out
    assert re.search(r"AUC       0\.\d{4} on the training data", out)
    assert "penalty" not in out
    assert "log loss" not in out.replace("mean log loss", "")
    ridge = run("fit", "people.csv", *FIT, "--C", "1")[1]
    assert "penalty   ridge, C=1\n" in re.sub(" +\n", "\n", ridge)
    assert "mean log loss with its penalty" in ridge
    assert "Ridge fit, C=1: the coefficients are shrunken" in ridge
    assert re.search(r"log loss  0\.\d+ on the training data", ridge)
    plain = run("fit", "people.csv", *FIT, "--solver", "sgd")[1]
    assert re.search(r"^ +coefficient +odds ratio *$", plain, re.MULTILINE)
    assert "There are no standard errors: they belong to an optimum" in plain
    firth = run("fit", "people.csv", *FIT, "--firth")[1]
    assert re.search(r"penalty   Firth's *$", firth, re.MULTILINE)
    assert "mean log loss with its penalty" in firth


@pytest.mark.parametrize("options", [(), ("--C", "1"), ("--C", "1", "--l1-ratio", "1"), ("--solver", "sgd")])
def test_decimal_points_stand_below_each_other(run, options):
    out = run("fit", "people.csv", *FIT, *options)[1]
    rows = [line for name in ("(intercept)", *NAMES) for line in re.findall(f"^{re.escape(name)} .*", out, re.M)]
    assert len(rows) == 4
    points = [row.index(first[1]) + first[1].index(".") for row in rows if (first := re.search(r" (-?\d+\.\d+) ", row))]
    assert len(points) >= 2
    assert len(set(points)) == 1


@pytest.mark.parametrize(
    ("ratio", "name"), [("1", "lasso, C=0.1"), ("0.5", "elastic net, l1_ratio=0.5, C=0.1")], ids=["lasso", "net"]
)
def test_an_l1_penalty_shows_what_it_leaves_out_and_promises_no_standard_errors(run, ratio, name):
    status, out, err = run("fit", "people.csv", *FIT, "--C", "0.1", "--l1-ratio", ratio, "--standardize")
    assert (status, err) == (0, "")
    expected = reference(C=0.1, l1_ratio=float(ratio), standardize=True)
    count = np.count_nonzero(expected.coef_)
    assert 0 < count < len(FEATURES), "this test needs some columns in and some out"
    assert re.search(r"^ +coefficient +odds ratio *$", out, re.MULTILINE)
    for feature, coef in zip(NAMES, expected.coef_[0], strict=True):
        cells = re.escape(f"{coef:#.5g}") + " +" + re.escape(f"{np.exp(coef):#.5g}") if coef else "0 +1"
        assert re.search(rf"^{re.escape(feature)} +{cells} *$", out, re.MULTILINE)
    text = " ".join(out.split())
    assert "There are no standard errors: an L1 penalty chooses columns" in text
    assert f"penalty {name}, in standard deviations of the columns" in text
    assert f"columns {count} of 3 are in; the others have the coefficient 0 fit" in text
    assert "proximal newton loss" in text
    assert "the mean log loss with its penalty gap at most" in text
    strong = run("fit", "people.csv", *FIT, "--C", "1e-9", "--l1-ratio", ratio)[1]
    assert "columns   0 of 3 are in" in strong
    weak = run("fit", "people.csv", *FIT, "--C", "1e6", "--l1-ratio", ratio)[1]
    assert re.search(r"columns   3 of 3 are in *$", weak, re.MULTILINE)


def test_a_model_with_an_l1_penalty_is_saved_and_predicts(run):
    status, _, _ = run("fit", "people.csv", *FIT, "--C", "0.2", "--l1-ratio", "0.5", "--model", "model.json")
    assert status == 0
    model, expected = load("model.json"), reference(C=0.2, l1_ratio=0.5)
    assert (model.C, model.l1_ratio) == (0.2, 0.5)
    assert_allclose(model.coef_, expected.coef_, rtol=1e-10)
    status, out, err = run("predict", "model.json", "people.csv")
    assert (status, err) == (0, "")
    scored = pd.read_csv(io.StringIO(out))
    assert_allclose(scored["probability"], expected.predict_proba(FRAME[FEATURES])[:, 1], rtol=1e-12)


def test_too_many_coefficients_for_standard_errors_are_said_so(run, monkeypatch):
    monkeypatch.setattr("evenodds.cli.facts._MOST_INFERRED", 2)
    status, out, err = run("fit", "people.csv", *FIT)
    assert (status, err) == (0, "")
    assert "There are no standard errors: 3 coefficients are too many" in out


def test_weights_are_repeated_rows(run):
    weighted = facts(run, "people.csv", "--target", "survived", "--weight", "n")
    FRAME.loc[FRAME.index.repeat(FRAME["n"])].to_csv("repeated.csv", index=False)
    repeated = facts(run, "repeated.csv", *FIT)
    assert_allclose(weighted["coef_"], repeated["coef_"], rtol=1e-9)
    for name in ("accuracy", "auc"):
        assert_allclose(weighted["training"][name], repeated["training"][name])
    assert "weight    n" in run("fit", "people.csv", "--target", "survived", "--weight", "n")[1]


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_fit(run, suffix):
    WRITERS[suffix](FRAME, f"table{suffix}")
    assert facts(run, f"table{suffix}", *FIT) == facts(run, "people.csv", *FIT)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (POSITIVE, [False, True]),
        (POSITIVE.astype(int), [0, 1]),
        (POSITIVE * 2**40, [0, 2**40]),
        (FRAME["survived"], ["no", "yes"]),
        (FRAME["survived"].map({"no": "nö, 1", "yes": 'a "b"'}), ['a "b"', "nö, 1"]),
        (FRAME["survived"].astype("category"), ["no", "yes"]),
        (pd.array([Decimal(int(one)) for one in POSITIVE], dtype=pd.ArrowDtype(pa.decimal128(3, 1))), [0.0, 1.0]),
    ],
    ids=lambda value: value if isinstance(value, list) else "",
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_labels_are_numbers_booleans_or_text(run, labels, classes, suffix):
    WRITERS[suffix](FRAME.assign(survived=labels), f"table{suffix}")
    found = facts(run, f"table{suffix}", *FIT)
    assert found["classes_"] == classes
    status, _, _ = run("fit", f"table{suffix}", *FIT, "--model", "model.json")
    assert (status, run("predict", "model.json", f"table{suffix}", "--out", "scored.parquet")[0]) == (0, 0)
    scored = pd.read_parquet("scored.parquet")
    assert_array_equal(scored["label"], np.array(classes)[(scored["probability"] > 0.5).astype(int)])


def test_a_constant_column_is_shown_as_aliased_and_warned_of_in_one_line(run):
    FRAME.assign(one=1).to_csv("constant.csv", index=False)
    status, out, err = run("fit", "constant.csv", *FIT)
    assert status == 0
    assert re.search(r"^one +aliased: a combination of earlier columns$", out, re.MULTILINE)
    assert err.startswith("Warning: Column 'one' is constant")
    assert err.count("\n") == 1
    assert "site-packages" not in err
    assert ".py" not in err


def test_separated_classes_are_a_warning_and_no_minimum_is_claimed(run):
    FRAME.assign(survived=FRAME["age"] > 40).to_csv("separated.csv", index=False)
    status, out, err = run("fit", "separated.csv", *FIT)
    assert status == 0
    assert err.startswith("Warning: The classes are separated: high values of column 'age'")
    assert "Use Firth's fit, --firth, or a ridge (for example --C 1)" in err
    assert err.count("\n") == 1
    assert "gap       there is no minimum: the classes are separated" in out
    assert re.search(r"^age +infinite \(\+\): separated$", out, re.MULTILINE)
    assert re.search(r"^fare +infinite, of a sign that is not determined$", out, re.MULTILINE)
    assert "every row is predicted with certainty" in out
    assert "Firth's fit is finite: --firth." in " ".join(out.split())
    status, out, err = run("fit", "separated.csv", *FIT, "--json")
    found = json.loads(out)
    assert found["solution_"]["status"] == "separated"
    assert found["coef"] == ["-inf", "inf", None, None]
    assert found["se"] == found["p_value"] == [None] * 4
    assert err.startswith("Warning: ")


def test_an_odds_ratio_beyond_the_largest_number_is_still_json(run):
    pd.DataFrame({"x": np.arange(8) / 1e6, "y": [0, 0, 0, 1, 0, 1, 1, 1]}).to_csv("steep.csv", index=False)
    assert facts(run, "steep.csv", "--target", "y")["odds_ratio"][1] == "inf"
    status, out, _ = run("fit", "steep.csv", "--target", "y")
    assert status == 0
    assert re.search(r"^x +\d.* inf *$", out, re.MULTILINE)


def test_names_are_shown_whole_and_cannot_move_the_cursor(run):
    long, evil = "x" * 300, "\x1b[31m[red]"
    FRAME.rename(columns={"age": long, "fare": evil}).to_csv("names.csv", index=False)
    status, out, _ = run("fit", "names.csv", *FIT)
    assert status == 0
    assert f"\n{long} " in out
    assert r"'\x1b[31m[red]'" in out
    assert "\x1b" not in out


def test_the_model_file_gives_the_same_model(run, model):
    expected = reference()
    assert_allclose(model.coef_, expected.coef_, rtol=1e-10)
    assert model.classes_.tolist() == ["no", "yes"]
    _, out, err = run("fit", "people.csv", *FIT, "--model", "again.json")
    assert err == "Model: saved to again.json\n"
    assert "again.json" not in out


@pytest.mark.parametrize("width", [30, 60, 80, 120])
def test_a_terminal_of_any_width_shows_what_it_has_room_for(run, monkeypatch, width):
    pty = pytest.importorskip("pty")
    long = "a name that is longer than a terminal has room for"
    FRAME.rename(columns={"age": long}).to_csv("names.csv", index=False)
    ours, theirs = pty.openpty()
    with open(theirs, "w") as terminal, monkeypatch.context() as patch:
        for name, value in {"TERM": "xterm", "COLUMNS": str(width), "NO_COLOR": "1"}.items():
            patch.setenv(name, value)
        patch.setattr("sys.stdout", terminal)
        with pytest.raises(SystemExit) as stop:
            main(["fit", "names.csv", *FIT])
    written = b""
    with open(ours, "rb"), suppress(OSError):  # Linux says so that the other end is closed
        while part := os.read(ours, 1 << 16):
            written += part
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.decode())
    assert not stop.value.code
    lines = [line.rstrip() for line in shown.splitlines()]
    assert max(map(len, lines)) <= width
    (head,) = [line.split() for line in lines if line.split()[:1] == ["coef"]]
    expected = {30: 1, 60: 6, 80: 8, 120: 8}  # "95% lower" is two words
    assert len(head) == expected[width]
    if width >= 60:
        cells = next(line for line in lines if "(intercept)" in line).split()
        assert cells[1] == f"{reference().intercept_[0]:.4f}"
        assert ("a name th…room for" in shown) == (width == 60)


# Text, missing values, formulas


MIXED = FRAME.assign(
    deck=rng.choice(["A", "B", "C"], N),
    age=FRAME["age"].astype(float).mask(rng.random(N) < 0.1),
    zip=["01", "02"] * 100,
)


def test_text_columns_are_factors_with_a_reference_that_is_said(run):
    MIXED.drop(columns=["age", "n"]).to_csv("mixed.csv", index=False)
    found = facts(run, "mixed.csv", "--target", "survived", "--reference", "deck=B")
    frame = MIXED[["fare", "first class", "deck"]].assign(zip=MIXED["zip"].astype(int))
    model = fit_table("survived", frame.assign(survived=FRAME["survived"]), reference={"deck": "B"})
    assert found["names"] == ["(intercept)", *model.design_.names]
    assert model.design_.names == ("fare", "first class[True]", "deck[A]", "deck[C]", "zip")
    assert_allclose(found["coef_"], model.coef_, rtol=1e-9)
    assert found["references"] == {"first class": "False", "deck": "B"}
    out = run("fit", "mixed.csv", "--target", "survived", "--reference", "deck=B")[1]
    assert "against   first class False, deck B" in out
    assert "is no level of 'deck'" in problem(run("fit", "mixed.csv", "--target", "survived", "--reference", "deck=b"))
    status, _, err = run("fit", "mixed.csv", "--target", "survived", "--reference", "deck")
    assert status == 2
    assert "NAME=LEVEL" in err


@pytest.mark.parametrize(
    ("column", "values", "options", "named"),
    [
        ("age", [None], [], ["--missing drop", "--missing indicator"]),
        ("deck", [None], [], ["--missing drop", "--missing indicator"]),
        ("survived", [None], [], ["--missing drop"]),
        ("survived", [None], ["--missing", "drop", "--positive", "no body"], ["--positive 'no body'"]),
        ("survived", [k + 0.5 for k in range(N)], [], ["--positive"]),
        ("fare", [-1.0], ["--weight", "fare", "--missing", "drop"], ["--weight is negative"]),
        ("fare", [None], ["--offset", "fare"], ["--offset contains NaN"]),
        ("deck", ["A"], ["--reference", "deck=nothing", "--missing", "drop"], []),
    ],
)
def test_a_problem_is_told_in_terms_of_options(run, column, values, options, named):
    table = MIXED.dropna().reset_index(drop=True)
    table[column] = table[column].astype(object)
    table.loc[: len(values) - 1, column] = values[: len(table)]
    table.to_csv("mixed.csv", index=False)
    said = problem(run("fit", "mixed.csv", *FIT, *options))
    for option in named:
        assert option in said
    assert not re.search(r"\b(missing|unseen|positive|firth|l1_ratio)=|sample_weight|sklearn", said)


def test_missing_values_are_dropped_or_have_a_coefficient_and_it_is_said(run):
    MIXED.to_csv("mixed.csv", index=False)
    count = int(MIXED["age"].isna().sum())
    said = problem(run("fit", "mixed.csv", *FIT))
    assert f"Column 'age' has {count} missing values, first in row {int(MIXED['age'].isna().argmax())}" in said
    assert "--missing drop" in said
    status, out, _ = run("fit", "mixed.csv", *FIT, "--missing", "drop", "--model", "model.json")
    assert status == 0
    assert f"left out  {count} rows with missing values (age {count})" in out
    assert f"rows      {N - count} (" in out
    status, out, err = run("predict", "model.json", "mixed.csv")
    assert status == 0
    assert without_notes(err) == f"Warning: {count} rows have a missing value, and so no probability and no label\n"
    scored = pd.read_csv(io.StringIO(out))
    assert_array_equal(scored["probability"].isna(), MIXED["age"].isna())
    assert_array_equal(scored["label"].isna(), MIXED["age"].isna())
    assert_allclose(scored["probability"], load("model.json").predict_proba(pd.read_csv("mixed.csv"))[:, 1], rtol=1e-14)
    out = run("fit", "mixed.csv", *FIT, "--missing", "indicator")[1]
    assert re.search(r"^age\[missing\] +-?\d", out, re.MULTILINE)
    assert f"missing   age {count}: with a coefficient of their own" in out


def test_text_that_looks_like_numbers_is_read_as_the_model_knows_it(run):
    MIXED.assign(zip=["01", "x2"] * 100)[["zip", "fare", "survived"]].to_csv("zips.csv", index=False)
    assert run("fit", "zips.csv", "--target", "survived", "--model", "model.json")[0] == 0
    pd.DataFrame({"zip": ["01", "01"], "fare": [1, 2]}).to_csv("new.csv", index=False)
    status, out, _ = run("predict", "model.json", "new.csv")
    assert status == 0
    assert out.splitlines()[1].startswith("01,1,0.")


@pytest.mark.parametrize("formula", ["survived ~ deck * fare", "deck * fare", "~ deck * fare"])
def test_a_formula_says_what_explains_the_target(run, formula):
    MIXED.to_csv("mixed.csv", index=False)
    target = () if formula.startswith("s") else ("--target", "survived")
    found = facts(run, "mixed.csv", *target, "--formula", formula)
    assert found["names"] == ["(intercept)", "deck[B]", "deck[C]", "fare", "deck[B]:fare", "deck[C]:fare"]
    assert "Did you mean 'deck'" in problem(
        run("fit", "mixed.csv", *target, "--formula", formula.replace("deck", "dek"))
    )
    status, _, err = run("fit", "mixed.csv", "--target", "n", "--formula", "survived ~ deck")
    assert status == 2
    assert "--formula is about 'survived', and --target is 'n'" in " ".join(err.replace("│", "").split())


def test_the_positive_label_is_chosen(run):
    expected = reference()
    status, out, _ = run("fit", "people.csv", *FIT, "--positive", "no", "--model", "model.json")
    assert status == 0
    assert out.startswith("Log odds of survived = no against yes")
    assert_allclose(load("model.json").coef_, -expected.coef_, rtol=1e-6)
    assert "--positive 'maybe' is no label of 'survived'" in problem(
        run("fit", "people.csv", *FIT, "--positive", "maybe")
    )


# More than two labels


PORTS = FRAME.assign(
    port=np.array(["Cherbourg", "Queenstown", "Southampton"])[
        (
            rng.gumbel(size=(N, 3)) + np.outer(FRAME["age"] / 40, [0, 1, 0]) + np.outer(FRAME["fare"] / 40, [0, 0, 1])
        ).argmax(axis=1)
    ]
)
PORT = ("--target", "port", "--drop", "n", "--drop", "survived")


@pytest.mark.parametrize(("options", "C"), [((), np.inf), (("--C", "1"), 1.0)])
def test_fit_of_three_labels(run, options, C):
    PORTS.to_csv("ports.csv", index=False)
    found = facts(run, "ports.csv", *PORT, *options)
    expected = reference(y=PORTS["port"], C=C)
    assert_allclose(found["coef_"], expected.coef_, rtol=1e-9, atol=1e-12)
    assert_allclose(found["intercept_"], expected.intercept_, rtol=1e-9, atol=1e-12)
    assert found["classes_"] == sorted(set(PORTS["port"]))
    assert_allclose(found["odds_ratio"], np.exp(np.column_stack([expected.intercept_, expected.coef_])), rtol=1e-9)
    training, P = found["training"], expected.predict_proba(PORTS[FEATURES])
    assert training["rows_of_class"] == PORTS["port"].value_counts().sort_index().tolist()
    assert_allclose(training["accuracy"], expected.score(PORTS[FEATURES], PORTS["port"]))
    assert_allclose(training["log_loss"], log_loss(PORTS["port"], P))
    assert_allclose(training["auc"], roc_auc_score(PORTS["port"], P, multi_class="ovr"))
    result = infer(expected, PORTS[FEATURES], PORTS["port"])
    assert found["listed"] == list(result.listed)
    for name in ("coef", "se", "z", "p_value", "conf_int"):
        assert_allclose(found[name], getattr(result, name), rtol=1e-7)

    status, out, err = run("fit", "ports.csv", *PORT, *options)
    assert (status, err) == (0, "")
    ratio = " +odds ratio" if np.isinf(C) else ""
    heading = rf"^ +coef +se +z +p +95% lower +95% upper{ratio} *$"
    assert re.search(heading, out, re.MULTILINE)
    title = "Log odds of each port against Cherbourg" if np.isinf(C) else "Scores of port: the log odds of two labels"
    assert out.startswith(title)
    assert ("The baseline is Cherbourg" if np.isinf(C) else "Symmetric, without a baseline") in out
    assert ("\nCherbourg\n" in out) == np.isfinite(C)
    for label, coefs, errors in zip(result.listed, result.coef, result.se, strict=True):
        part = out[out.index(f"\n{label}\n") :]
        for name, coef, se in zip(NAMES, coefs[1:], errors[1:], strict=True):
            digits = digits_of(se)
            cells = f" +{re.escape(f'{coef:.{digits}f}')} +{se:.{digits}f} "
            assert re.search(f"^ +{re.escape(name)}{cells}", part, re.MULTILINE)
    assert re.search(r"AUC       0\.\d{4} on the training data, the mean of each label against the rest", out)
    assert "Cherbourg: " in out


@pytest.mark.parametrize(
    ("labels", "asked", "label"),
    [
        (["TRUE", "FALSE"], "TRUE", True),
        (["TRUE", "FALSE"], "false", False),
        (["1.0", "0.0"], "0", 0.0),
        (["1", "0"], "0.0", 0),
        (["2.00", "7.00"], "2.00", 2.0),
        (["9007199254740993", "9007199254740992"], "9007199254740993", 9007199254740993),
    ],
)
def test_labels_and_levels_are_named_as_the_file_writes_them(run, labels, asked, label):
    rows = [f"{labels[k % 2]},{labels[k % 3 > 0]},{k % 4},{k % 3}.0" for k in range(24)]
    with open("rows.csv", "w") as file:
        file.write("\n".join(["y,f,x,port", *rows]))
    status, out, _ = run(
        "fit", "rows.csv", "--formula", "y ~ x + C(f)", "--positive", asked, "--reference", f"f={asked}"
    )
    assert (status, out.splitlines()[0].split(" against ")[0]) == (0, f"Log odds of y = {label}")
    assert f"f[{label:g}]" in out if isinstance(label, float) else f"f[{label}]" in out
    status, out, _ = run("fit", "rows.csv", "--formula", "port ~ x", "--baseline", "2", "--C", "1")
    assert (status, out.splitlines()[0]) == (0, "Log odds of each port against 2.0")


@pytest.mark.parametrize(("options", "C"), [((), np.inf), (("--C", "1"), 1.0)])
def test_another_baseline_of_three_labels(run, options, C):
    PORTS.to_csv("ports.csv", index=False)
    asked = (*PORT, *options, "--baseline", "Queenstown")
    found = facts(run, "ports.csv", *asked)
    result = infer(reference(y=PORTS["port"], C=C), PORTS[FEATURES], PORTS["port"], baseline="Queenstown")
    assert found["listed"] == ["Cherbourg", "Southampton"]
    for name in ("coef", "se", "conf_int"):
        assert_allclose(found[name], getattr(result, name), rtol=1e-7)
    assert_allclose(np.array(found["odds_ratio"])[[0, 2]], result.odds_ratio, rtol=1e-7)
    out = run("fit", "ports.csv", *asked)[1]
    assert out.startswith("Log odds of each port against Queenstown")
    status, out, err = run("fit", "ports.csv", *PORT, "--baseline", "Paris")
    assert (status, out) == (1, "")
    assert "'Cherbourg', 'Queenstown', 'Southampton', got 'Paris'" in " ".join(err.split())
    status, _, err = run("fit", "ports.csv", *PORT, "--C", "1", "--l1-ratio", "1", "--baseline", "Cherbourg")
    assert (status, "tables with standard errors" in " ".join(err.split())) == (1, True)


@pytest.mark.parametrize("options", [(), ("--C", "1")])
def test_three_labels_without_an_optimum_have_coefficients_only(run, options):
    PORTS.to_csv("ports.csv", index=False)
    found = facts(run, "ports.csv", *PORT, *options, "--solver", "sgd")
    assert found["se"] is None
    out = run("fit", "ports.csv", *PORT, *options, "--solver", "sgd")[1]
    first = 0 if options else 1
    heading = "^ +coefficient *$" if options else "^ +coefficient +odds ratio *$"
    assert re.search(heading, out, re.MULTILINE)
    for k in range(first, 3):
        part = out[out.index(f"\n{found['classes_'][k]}\n") :]
        for name, coef in zip(NAMES, found["coef_"][k], strict=True):
            ratio = rf" +{np.exp(coef):#.5g}" if first else ""
            assert re.search(rf"^ +{re.escape(name)} +{re.escape(f'{coef:#.5g}')}{ratio} *$", part, re.MULTILINE)


@pytest.mark.parametrize("C", [1e-9, 0.3])
def test_an_l1_penalty_of_three_labels_even_if_nothing_is_in(run, C):
    even = PORTS.groupby("port").head(PORTS["port"].value_counts().min())  # so that all intercepts are 0 then
    even.to_csv("ports.csv", index=False)
    status, out, err = run("fit", "ports.csv", *PORT, "--C", C, "--l1-ratio", "1")
    assert (status, err) == (0, "")
    expected = reference(even, even["port"], C=C, l1_ratio=1.0)
    assert out.startswith("Scores of port: ")
    for label, coefs in zip(expected.classes_, expected.coef_, strict=True):
        part = out[out.index(f"\n{label}\n") :]
        for name, coef in zip(NAMES, coefs, strict=True):
            assert re.search(
                rf"^ +{re.escape(name)} +{re.escape(f'{coef:#.5g}') if coef else 0} *$", part, re.MULTILINE
            )
    count = np.count_nonzero(expected.coef_.any(axis=0))
    assert f"columns   {count} of 3 are in, of one label or more" in out


def test_an_aliased_column_and_weights_of_three_labels(run):
    PORTS.assign(one=1).to_csv("ports.csv", index=False)
    args = ("ports.csv", "--target", "port", "--drop", "survived", "--weight", "n")
    status, out, err = run("fit", *args)
    assert status == 0
    assert len(re.findall(r"^ +one +aliased: .*$", out, re.MULTILINE)) == 2
    assert err.startswith("Warning: Column 'one' is constant")
    training = json.loads(run("fit", *args, "--json")[1])["training"]
    expected = reference(y=PORTS["port"], weight=PORTS["n"])
    P = expected.predict_proba(PORTS[FEATURES])
    assert_allclose(training["log_loss"], log_loss(PORTS["port"], P, sample_weight=PORTS["n"]))
    assert_allclose(training["auc"], roc_auc_score(PORTS["port"], P, multi_class="ovr", sample_weight=PORTS["n"]))


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("labels", [["a", "b", "c, d"], [0, 1, 2], [-1.5, 2.0, 7.0]])
def test_predict_of_three_labels_adds_a_probability_each(run, suffix, labels):
    if isinstance(labels[0], float):
        labels = [-1.0, 2.0, 7.0]
    y = np.array(labels)[PORTS["port"].astype("category").cat.codes]
    WRITERS[suffix](PORTS.assign(port=y), f"ports{suffix}")
    assert run("fit", f"ports{suffix}", *PORT, "--model", "model.json")[0] == 0
    assert run("predict", "model.json", f"ports{suffix}", "--out", f"scored{suffix}")[0] == 0
    scored = READERS[suffix](f"scored{suffix}")
    added = [f"probability_{label}" for label in np.array(labels).tolist()]
    assert list(scored) == [*PORTS, *added, "label"]
    expected = reference(y=y)
    assert_allclose(scored[added], expected.predict_proba(PORTS[FEATURES]), rtol=1e-10)
    assert_array_equal(scored["label"], expected.predict(PORTS[FEATURES]))
    scored.drop(columns="label").to_csv("again.csv", index=False)
    assert f"columns {added[0]!r}, {added[1]!r}" in problem(run("predict", "model.json", "again.csv"))


def test_many_labels_are_counted_in_one_line(run):
    pd.DataFrame({"x": np.arange(80) % 7, "y": np.arange(80) % 8}).to_csv("many.csv", index=False)
    status, out, _ = run("fit", "many.csv", "--target", "y")
    assert status == 0
    assert "rows      80 (0: 10, 1: 10, 2: 10, 3: 10, 4: 10 and 3 more labels)" in out


# predict


@pytest.mark.parametrize("to", WRITERS)
@pytest.mark.parametrize("suffix", WRITERS)
def test_predict_adds_what_the_estimator_predicts(run, model, suffix, to):
    new = FRAME.drop(columns="survived")[::-1].reset_index(drop=True)
    new = new[["n", "first class", "fare", "age"]]  # the order of the columns does not matter
    WRITERS[suffix](new, f"new{suffix}")
    status, out, err = run("predict", "model.json", f"new{suffix}", "--out", f"scored{to}")
    assert (status, out, err) == (0, "", f"Table: of 200 rows saved to scored{to}\n")
    scored = READERS[to](f"scored{to}")
    assert list(scored) == [*new, "probability", "label"]
    pd.testing.assert_frame_equal(scored[list(new)], new)
    assert_allclose(scored["probability"], model.predict_proba(new[FEATURES])[:, 1], rtol=1e-14)
    assert_array_equal(scored["label"], model.predict(new[FEATURES]))


def test_without_out_the_scored_table_goes_to_stdout(run, model):
    status, out, err = run("predict", "model.json", "people.csv")
    assert (status, err) == (0, "")
    scored = pd.read_csv(io.StringIO(out))
    assert_allclose(scored["probability"], model.predict_proba(FRAME[FEATURES])[:, 1], rtol=1e-14)


CELLS = [
    ["id", "zip", "age", "fare", "first class", "note, if any", "x"],
    ["12345678901234567890", "007", "30", "1.50", "true", "", "0.10"],
    ["1", "010", "41", "7", "False", "Smith, John", "NA"],
    ["2", "", "52", "1e1", "TRUE", 'he said "hi"', "nan"],
    ["2", "NULL", "+63", "10", "false", "two\nlines", "1,5"],
    ["3", "é", "74", "16.0", "true", " spaces ", "2024-01-01"],
]


@pytest.mark.parametrize("to", ["scored.csv", "scored.csv.gz", None])
@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "BOM"])
def test_from_csv_to_csv_the_kept_cells_stay_as_they_were_written(run, model, start, to):
    text = io.StringIO()
    csv.writer(text).writerows(CELLS)
    with open("new.csv", "w", encoding="utf-8", newline="") as file:
        file.write(start + text.getvalue())
    status, out, _ = run("predict", "model.json", "new.csv", *(() if to is None else ("--out", to)))
    assert status == 0
    if to is not None:
        opened = gzip.open if to.endswith("gz") else open
        with opened(to, "rt", encoding="utf-8", newline="") as file:
            out = file.read()
    rows = list(csv.reader(io.StringIO(out, newline="")))
    assert [row[:-2] for row in rows] == CELLS
    assert rows[0][-2:] == ["probability", "label"]
    assert out.splitlines()[2].startswith('1,010,41,7,False,"Smith, John",NA,0.')
    numbers = [[30, 1.5, 1], [41, 7, 0], [52, 10, 1], [63, 10, 0], [74, 16, 1]]
    expected = model.predict_proba(pd.DataFrame(numbers, columns=FEATURES))[:, 1]
    assert_allclose([float(row[-2]) for row in rows[1:]], expected, rtol=1e-14)


def test_cells_without_special_characters_are_not_quoted(run, model):
    status, out, _ = run("predict", "model.json", "people.csv")
    assert status == 0
    assert '"' not in out
    assert out.splitlines()[0] == "age,fare,first class,n,survived,probability,label"
    assert len(out.splitlines()) == N + 1


def test_a_table_can_be_scored_in_place(run, model):
    status, _, _ = run("predict", "model.json", "people.csv", "--out", "people.csv")
    assert status == 0
    assert list(pd.read_csv("people.csv"))[-2:] == ["probability", "label"]
    assert problem(run("predict", "model.json", "people.csv")) == (
        "Error: people.csv has columns 'probability', 'label', which predict would add. Rename them, or replace them "
        "with --replace."
    )


# What is wrong with the data


BAD_TABLES = {
    "empty file": (b"", "bad.csv is empty"),
    "header only": (b"x,y\n", "bad.csv has no rows"),
    "blank lines only": (b"\n\n\n", "bad.csv is empty"),
    "target missing": (b"x,Y \n1,0\n2,1\n", "has no column 'y'. Did you mean 'Y'?"),
    "no such target": (b"x,z\n1,0\n2,1\n", "has no column 'y'. It has columns 'x', 'z'."),
    "another separator": (b"x~y\n1~0\n2~1\n", "what is between its cells with --separator"),
    "two separators": (b"x,a;y\n1,2;0\n2,3;1\n", "--separator ';' or --separator ','"),
    "only the target": (b"y\n0\n1\n", "No column is left for the features"),
    "the same name twice": (b"x,x,y\n1,2,0\n3,4,1\n", "column 'x' more than once"),
    "ragged rows": (b"x,y\n1,0\n1,2,3\n", "line 3 of the file) 3 cells, and the table has 2 columns: '3' comes after"),
    "a name in every row": (
        b"x,y\n" + b"".join(b"passenger %d,%d\n" % (k, k % 2) for k in range(30)),
        "Column 'x' has 30 different values in 30 rows",
    ),
    "dates": (b"x,y\n2024-01-01,0\n2024-01-02,1\n", "Column 'x' holds dates, of which a model takes parts"),
    "missing value": (b"x,y\n1,0\n,1\n", "Column 'x' has a missing value, first in row 1"),
    "NaN": (b"x,y\n1,0\nNaN,1\n", "Column 'x' has a missing value, first in row 1"),
    "no value at all": (b"x,w,y\n,1,0\n,2,1\n", "Column 'x' has no value in any row"),
    "infinity": (b"x,y\n1,0\ninf,1\n", "Column 'x' holds infinity, first in row 1"),
    "beyond float64": (b"x,y\n1,0\n1e999,1\n", "Column 'x' holds infinity, first in row 1"),
    "one class": (b"x,y\n1,1\n2,1\n", "one class only"),
    "a continuous target": (b"x,y\n1,0.1\n2,0.2\n3,0.3\n", "continuous"),
    "a missing number as label": (b"x,y\n1,0\n2,1\n3,\n", "y contains NaN, first in row 2"),
    "a missing text as label": (b"x,y\n1,no\n2,yes\n3,\n", "y contains NaN, first in row 2"),
    "no label at all": (b"x,y\n1,\n2,\n", "the target 'y' has type null"),
    "dates as labels": (b"x,y\n1,2024-01-01\n2,2024-01-02\n", "the target 'y' has type date32"),
    "no encoding in the header": (b"x\x81,y\n1,0\n2,1\n", "has in its header 'x\\x81,y': it is neither UTF-8"),
    "no encoding in the labels": (b"x,y\n1,\x81\n2,a\n", "in column 'y', row 0 (counted from 0; line 2 of the file)"),
    "cut UTF-16": ("x,y\n1,0\n2,1\n".encode("utf-16")[:-1], "it is not utf-16-le there"),
    "a Parquet file by a wrong name": (b"PAR1\x00\x00PAR1", "cannot be read"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_bad_table_is_one_line_that_says_what_is_wrong(run, tmp_path, name):
    content, message = BAD_TABLES[name]
    (tmp_path / "bad.csv").write_bytes(content)
    assert message in problem(run("fit", "bad.csv", "--target", "y", "--model", "model.json"))
    assert not (tmp_path / "model.json").exists()


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".csv.gz"])
def test_a_damaged_binary_file_is_one_line(run, tmp_path, suffix):
    (tmp_path / f"bad{suffix}").write_bytes(b"x,y\n1,0\n2,1\n")
    assert f"bad{suffix} cannot be read" in problem(run("fit", f"bad{suffix}", "--target", "y"))


def test_a_file_that_is_not_there_or_of_no_known_kind_is_one_line(run, tmp_path):
    assert problem(run("fit", "nothing.csv", "--target", "y")) == "Error: nothing.csv: no such file."
    assert "no such file" in problem(run("fit", f"{tmp_path}/.csv", "--target", "y"))
    assert "bad.xlsx: the extension is not one of .csv" in problem(run("fit", "bad.xlsx", "--target", "y"))


def test_columns_to_drop_and_to_weigh_by_have_to_be_there_and_be_right(run):
    assert "Did you mean 'fare'?" in problem(run("fit", "people.csv", *FIT, "--drop", "Far"))
    assert "Did you mean 'n'?" in problem(run("fit", "people.csv", "--target", "survived", "--weight", "N"))
    FRAME.assign(n="x").to_csv("text.csv", index=False)
    message = problem(run("fit", "text.csv", "--target", "survived", "--weight", "n"))
    assert "column 'n' is not numeric" in message
    FRAME.assign(n=-1).to_csv("negative.csv", index=False)
    assert "negative" in problem(run("fit", "negative.csv", "--target", "survived", "--weight", "n"))


def test_large_numbers_are_read_right(run):
    pd.DataFrame({"x": [10**19, 2 * 10**19, 3 * 10**19, 4 * 10**19], "y": [0, 1, 0, 1]}).to_csv("big.csv", index=False)
    found = facts(run, "big.csv", "--target", "y", "--C", "1", "--standardize")
    expected = LogisticRegression(C=1, standardize=True).fit([[1], [2], [3], [4]], [0, 1, 0, 1])
    assert_allclose(np.array(found["coef_"]) * 1e19, expected.coef_, rtol=1e-9)


def test_a_line_break_in_a_cell_is_no_new_row_even_where_blocks_of_the_file_meet(run, monkeypatch):
    FRAME.assign(note="a\n" * 20 + ",").to_csv("notes.csv", index=False)
    monkeypatch.setattr("evenodds.delimited.parsing._BLOCK", 100)
    assert facts(run, "notes.csv", *FIT, "--drop", "note") == facts(run, "people.csv", *FIT)


cells = st.sampled_from(["0", "1", "2.5", "-1e300", "", "NA", "a", '"', '"a,b"', "é", "inf", "true", "2024-01-01"])
tables = st.lists(st.lists(cells, min_size=1, max_size=3).map(",".join), max_size=6).map("\n".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables | st.binary(max_size=40).map(lambda raw: raw.decode("latin-1")))
def test_any_file_ends_in_a_fit_or_in_one_line(run, tmp_path, text):
    (tmp_path / "any.csv").write_text("x,y\n" + text, encoding="latin-1" if "\x80" in text else "utf-8")
    result = run("fit", "any.csv", "--target", "y", "--json")
    if result[0] == 0:
        found = json.loads(result[1])
        assert np.isfinite(found["coef_"]).all()
    else:
        problem(result)


# What is wrong with the model or the place to write to


def test_a_model_that_cannot_be_used_is_one_line(run, model, tmp_path):
    assert problem(run("predict", "nothing.json", "people.csv")) == "Error: nothing.json: No such file or directory"
    assert "people.csv is not a model" in problem(run("predict", "people.csv", "model.json"))
    (tmp_path / "cut.json").write_text((tmp_path / "model.json").read_text()[:-9])
    assert "cut.json is not a model" in problem(run("predict", "cut.json", "people.csv"))
    save(LogisticRegression(C=1).fit(FRAME[FEATURES].to_numpy(), FRAME["survived"]), "numbers.json")
    assert "without column names" in problem(run("predict", "numbers.json", "people.csv"))


def test_columns_that_the_model_needs_are_named_if_they_are_missing_or_wrong(run, model):
    FRAME.drop(columns=["age", "fare"]).to_csv("new.csv", index=False)
    assert "new.csv has no columns 'age', 'fare'" in problem(run("predict", "model.json", "new.csv"))
    FRAME.rename(columns={"age": "Age"}).to_csv("new.csv", index=False)
    assert "new.csv has no column 'age'. Did you mean 'Age'?" in problem(run("predict", "model.json", "new.csv"))
    FRAME.assign(age="old").to_csv("new.csv", index=False)
    assert "Column 'age' held numbers in the fit, and holds text here, such as 'old'" in problem(
        run("predict", "model.json", "new.csv")
    )
    FRAME.assign(age=FRAME["age"].where(FRAME.index != 5)).to_csv("new.csv", index=False)
    assert "Column 'age' has a missing value, first in row 5" in problem(run("predict", "model.json", "new.csv"))
    FRAME.assign(label=1).to_csv("new.csv", index=False)
    assert "new.csv has column 'label', which predict would add" in problem(run("predict", "model.json", "new.csv"))
    FRAME.head(0).to_csv("new.csv", index=False)
    assert "new.csv has no rows" in problem(run("predict", "model.json", "new.csv"))


def test_where_nothing_can_be_written_the_error_names_the_path(run, model, tmp_path):
    message = problem(run("predict", "model.json", "people.csv", "--out", "no/scored.csv"))
    assert message == "Error: no/scored.csv: No such file or directory"
    (tmp_path / "folder.csv").mkdir()
    assert "folder.csv: Not a file" in problem(run("predict", "model.json", "people.csv", "--out", "folder.csv"))
    status, out, err = run("fit", "people.csv", *FIT, "--model", "no/model.json")
    assert (status, err) == (1, "Error: no/model.json: No such file or directory\n")
    assert "Log odds" in out, "a fit is not lost because it cannot be saved"


def test_a_folder_that_may_not_be_written_to_is_one_line(run, model, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    if os.access("locked", os.W_OK):
        pytest.skip("the superuser may write everywhere")
    message = problem(run("predict", "model.json", "people.csv", "--out", "locked/scored.csv"))
    assert message == "Error: locked/scored.csv: Permission denied"


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_disk_that_is_full_leaves_the_old_table_and_nothing_else(run, model, tmp_path, suffix):
    resource = pytest.importorskip("resource")
    old = tmp_path / f"scored{suffix}"
    old.write_text("the old one")
    before = sorted(tmp_path.iterdir())
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limit[1]))
    try:
        result = run("predict", "model.json", "people.csv", "--out", old.name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert problem(result) == f"Error: {old.name}: File too large"
    assert old.read_text() == "the old one"
    assert sorted(tmp_path.iterdir()) == before


# Usage


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("fit",), "Missing argument 'DATA'"),
        (("fit", "people.csv"), "Missing option '--target'"),
        (("fit", "people.csv", *FIT, "--C", "0"), "0 is not a positive number"),
        (("fit", "people.csv", *FIT, "--C", "nan"), "nan is not a positive number"),
        (("fit", "people.csv", *FIT, "--C", "x"), "'x' is not a valid float"),
        (("fit", "people.csv", *FIT, "--C", "1", "--firth"), "--firth is a penalty of its own: leave out --C"),
        (("fit", "people.csv", *FIT, "--C", "1", "--l1-ratio", "1.1"), "1.1 is not a number from 0 to 1"),
        (("fit", "people.csv", *FIT, "--C", "1", "--l1-ratio", "-0.1"), "-0.1 is not a number from 0 to 1"),
        (("fit", "people.csv", *FIT, "--C", "1", "--l1-ratio", "nan"), "nan is not a number from 0 to 1"),
        (("fit", "people.csv", *FIT, "--C", "1", "--l1-ratio", "x"), "'x' is not a valid float"),
        (("fit", "people.csv", *FIT, "--l1-ratio", "1"), "--l1-ratio is a part of the penalty, and there is none"),
        (("fit", "people.csv", *FIT, "--C", "inf", "--l1-ratio", "1"), "and there is none: give its strength"),
        (("fit", "people.csv", *FIT, "--firth", "--l1-ratio", "1"), "of its own: leave out --l1-ratio"),
        (("fit", "people.csv", *FIT, "--firth", "--C", "1", "--l1-ratio", "1"), "leave out --C and --l1-ratio"),
        (
            ("fit", "people.csv", *FIT, "--C", "1", "--l1-ratio", "1", "--solver", "sgd"),
            "--l1-ratio and --solver sgd do not go together",
        ),
        (("fit", "people.csv", *FIT, "--solver", "sgd", "--firth"), "--firth and --solver sgd do not go together"),
        (("fit", "people.csv", *FIT, "--solver", "magic"), "'magic' is not one of"),
        (("fit", "people.csv", *FIT, "--drop", "survived"), "name the same column"),
        (("fit", "people.csv", *FIT, "--weight", "n"), "name the same column"),
        (("fit", "a.csv", *FIT, "--cluster", "x", "--drop", "x"), "│ --cluster and --drop name the same column: 'x'"),
        (("fit", "people.csv", *FIT, "--drop", "x", "--drop", "x"), "│ --drop and --drop name the same column: 'x'"),
        (("fit", "people.csv", *FIT, "--tarjet", "x"), "No such option"),
        (("predict", "model.json"), "Missing argument 'DATA'"),
        (("predict", "model.json", "people.csv", "--out", "scored.xlsx"), "the extension is not one of"),
        (("fot",), "No such command 'fot'"),
    ],
)
def test_wrong_usage_has_status_2(run, args, message):
    status, out, err = run(*args)
    assert (status, out) == (2, "")
    assert message in " ".join(err.split())
    assert "--help" in err


def test_help_and_version(run):
    assert run("--version") == (0, f"evenodds {__version__}\n", "")
    status, out, err = run("--help")
    assert (status, err) == (0, "")
    assert all(name in out for name in ("demo", "fit", "predict"))
    options = {
        "demo": ["--out"],
        "fit": [
            "DATA",
            "--target",
            "--drop",
            "--weight",
            "--C",
            "--l1-ratio",
            "--standardize",
            "--firth",
            "--solver",
            "--model",
            "--json",
        ],
        "predict": ["MODEL", "DATA", "--out"],
    }
    for command, names in options.items():
        status, out, err = run(command, "--help")
        assert (status, err) == (0, "")
        assert max(map(len, out.splitlines())) <= 80
        assert [name for name in names if name not in out] == []


def test_the_demo_gets_its_folder_and_a_console_on_stdout(run, monkeypatch):
    def pretend(out, console):
        console.print(f"the pictures are in {out}")

    monkeypatch.setattr("evenodds.demo.run", pretend)
    assert run("demo", "--out", "pictures")[1] == "the pictures are in pictures\n"
    status, out, err = run("demo")
    assert (status, out) == (0, "the pictures are in out\n")
    assert err.startswith("Training")


def test_what_takes_longer_than_a_second_is_said_on_stderr_and_nowhere_else(run, model, monkeypatch):
    quick = [run(*args) for args in (("fit", "people.csv", *FIT), ("predict", "model.json", "people.csv"))]
    monkeypatch.setattr("evenodds.cli.terminal.Timer", AtOnce)
    status, out, err = run("fit", "people.csv", *FIT)
    assert (status, out) == quick[0][:2]
    stages = ["Reading the table", "Fitting", "Computing standard errors", "Scoring the training data"]
    assert err.splitlines() == [f"{stage} ..." for stage in stages]
    status, out, err = run("predict", "model.json", "people.csv")
    assert (status, out, err) == (*quick[1][:2], "Scoring ...\n")
    assert [result[2] for result in quick] == ["", ""]


# As a process


def test_the_command_is_installed_under_its_name():
    (script,) = entry_points(group="console_scripts", name="evenodds")
    assert script.load() is main


COMMAND = [sys.executable, "-m", "evenodds"]


def without_progress(err):
    """What a process said beside the lines that come after a second on a busy machine."""
    return re.sub(r"^[A-Z][a-z ]+ \.\.\.\n", "", err, flags=re.MULTILINE)


def test_as_a_process_piped_output_is_plain(run):
    done = subprocess.run([*COMMAND, "fit", "people.csv", *FIT], capture_output=True, text=True, check=False)
    assert (done.returncode, without_progress(done.stderr)) == (0, "")
    assert "\x1b" not in done.stdout
    assert done.stdout == run("fit", "people.csv", *FIT)[1]


def test_with_stderr_on_a_terminal_the_progress_stays_out_of_stdout(run, model):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    with open(ours, "rb"), open(theirs, "wb") as terminal:
        environment = {**os.environ, "TERM": "xterm"}
        done = subprocess.run(
            [*COMMAND, "predict", "model.json", "people.csv"],
            stdout=subprocess.PIPE,
            stderr=terminal,
            env=environment,
            check=False,
        )
        assert select.select([ours], [], [], 0)[0], "nothing was shown"
        shown = os.read(ours, 1 << 16).decode()
    assert done.returncode == 0
    assert "Scoring ..." in shown
    assert done.stdout.decode() == run("predict", "model.json", "people.csv")[1]


def test_a_reader_that_goes_away_is_no_traceback(run, model):
    pd.concat([FRAME] * 200).to_csv("long.csv", index=False)
    with subprocess.Popen(
        [*COMMAND, "predict", "model.json", "long.csv"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.read(10)
        process.stdout.close()
        assert without_progress(process.stderr.read().decode()) == ""
    assert process.returncode == 1


def test_importing_the_command_line_waits_for_nothing_that_help_does_not_need():
    code = "import sys, evenodds.cli; print({'matplotlib', 'pyarrow.csv', 'pyarrow.parquet'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@needs_posix
@pytest.mark.parametrize("module", ["numpy", "rich_click", "sklearn.base", "evenodds.demo"])
def test_ctrl_c_ends_in_one_line_from_the_start_on(module, tmp_path):
    command = [sys.executable, "-X", "importtime", "-m", "evenodds", "demo", "--out", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        for line in process.stderr:  # each module as soon as it is loaded
            if line.startswith("import time:") and line.split("|")[-1].strip() == module:
                break
        process.send_signal(signal.SIGINT)
        rest = [line for line in process.stderr if not line.startswith("import time:")]
    assert process.returncode == 130
    assert rest[-1] == "Interrupted.\n"
    assert not any("Traceback" in line for line in rest)
