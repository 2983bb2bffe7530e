"""The command line on tables as people have them: real ones, hostile ones, through pipes, and models that are shown."""

import csv
import io
import json
import os
import random
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pyarrow import parquet
from scipy.special import expit
from sklearn import datasets

from evenodds import fit_table, infer, load
from evenodds.cli.commands import cli
from machine import needs_posix

rng = np.random.default_rng(11)
N = 120
FRAME = pd.DataFrame(
    {
        "zip": rng.choice(["01", "02", "A3"], N),
        "rhesus": rng.choice(["+", "-"], N),
        "age": rng.integers(18, 80, N),
        "fare": rng.lognormal(7, 1, N).round(2),
        "shift": rng.normal(size=N).round(3),
        "ward": rng.choice(["a", "b", "c", "d", "e", "f"], N),
        "day": pd.date_range("2024-01-01", periods=N),
    }
)
FRAME["late"] = np.where(FRAME["age"] / 30 + (FRAME["rhesus"] == "+") + rng.logistic(size=N) > 2, "yes", "no")


def problem(result):
    status, out, err = result
    assert (status, out) == (1, "")
    (line,) = [line for line in err.splitlines() if not line.startswith("Note: ")]
    assert line.startswith("Error: ")
    return line


def without_progress(err):
    """What was said beside the lines that come after a second on a busy machine."""
    return re.sub(r"^[A-Z][a-z ]+ \.\.\.\n", "", err, flags=re.MULTILINE)


def german(frame, path):
    """As a spreadsheet in Germany saves it."""
    frame = frame.assign(day=frame["day"].dt.strftime("%d.%m.%Y")) if "day" in frame else frame
    shown = {name: [f"{x:,.2f}".translate(str.maketrans(",.", ".,")) for x in frame[name]] for name in ("fare",)}
    frame.assign(**shown).to_csv(path, index=False, sep=";", decimal=",", encoding="utf-16")


# Real tables


def real_tables():
    import statsmodels.api as sm

    fair = sm.datasets.fair.load_pandas().data
    yield "fair", fair.assign(affair=(fair["affairs"] > 0).astype(int)).drop(columns="affairs")[::10], "affair"
    yield "anes96", sm.datasets.anes96.load_pandas().data, "vote"
    yield "heart", sm.datasets.heart.load_pandas().data, "censors"
    for name in ("iris", "wine"):
        bunch = getattr(datasets, f"load_{name}")(as_frame=True)
        yield name, bunch.frame.assign(target=np.array(bunch.target_names)[bunch.target]), "target"


WAYS = [
    {},
    {"sep": ";", "decimal": ",", "encoding": "utf-16"},
    {"sep": "\t", "encoding": "cp1252", "lineterminator": "\r\n"},
    {"sep": "|", "encoding": "utf-8-sig", "quoting": csv.QUOTE_ALL},
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "frame", "target"), list(real_tables()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_real_tables_have_one_coefficient_table_however_they_are_written(run, name, frame, target):
    options = ("--C", "1") if name in ("iris", "wine") else ()
    expected = fit_table(target, frame, C=1 if options else np.inf)
    shown = set()
    for k, way in enumerate(WAYS):
        frame.to_csv(f"{name}{k}.csv", index=False, **way)
        status, out, err = run("fit", f"{name}{k}.csv", "--target", target, *options, "--json")
        assert status == 0
        assert_allclose(json.loads(out)["coef_"], expected.coef_, rtol=1e-9, atol=1e-12)
        assert all(line.startswith("Note: ") for line in err.splitlines())
        shown.add(run("fit", f"{name}{k}.csv", "--target", target, *options)[1])
    assert len(shown) == 1


def test_a_table_of_passengers_needs_one_command(run):
    ages = rng.integers(1, 80, N).astype(float)
    ages[::9] = np.nan
    frame = pd.DataFrame(
        {
            "survived": rng.random(N) < 0.4,
            "class": rng.choice(["First", "Second", "Third"], N),
            "sex": rng.choice(["male", "female"], N),
            "age": ages,
            "embarked": np.where(rng.random(N) < 0.05, "", rng.choice(["C", "Q", "S"], N)),
        }
    )
    frame.to_csv("titanic.csv", index=False)
    asked = ("--target", "survived", "--reference", "class=Third", "--missing", "drop")
    status, out, err = run("fit", "titanic.csv", *asked)
    assert (status, err) == (0, "")
    assert re.search(r"^class\[Third\] +reference$", out, re.MULTILINE)
    frame = frame.replace("", None)
    result = infer(fit_table("survived", frame, missing="drop", reference={"class": "Third"}), frame)
    assert f"{result.coef[1]:.4f}" in out
    assert " rows with missing values (age 14" in out


# One reading, and the same one in predict


def test_a_german_table_is_fitted_and_scored_as_an_english_one(run):
    FRAME.to_csv("en.csv", index=False)
    german(FRAME, "de.csv")
    fitted = []
    for name in ("en", "de"):
        status, out, _ = run(
            "fit", f"{name}.csv", "--target", "late", "--drop", "day", "--model", f"{name}.json", "--json"
        )
        assert status == 0
        fitted.append(json.loads(out))
    assert fitted[0] == fitted[1]
    scored = [run("predict", "en.json", f"{name}.csv")[1] for name in ("en", "de")]
    frames = [pd.read_csv(io.StringIO(text), dtype={"zip": str}) for text in scored]
    pd.testing.assert_frame_equal(frames[0].drop(columns="day"), frames[1].drop(columns="day"))
    assert frames[1]["day"][0] == "01.01.2024"
    assert frames[1]["fare"].dtype == float


def test_what_was_text_in_the_fit_is_text_in_every_file(run):
    FRAME.to_csv("all.csv", index=False)
    assert run("fit", "all.csv", "--target", "late", "--drop", "day", "--model", "m.json")[0] == 0
    expected = load("m.json").predict_proba(FRAME)[:, 1]
    for row in range(12):
        FRAME.iloc[[row]].to_csv("one.csv", index=False)
        status, out, _ = run("predict", "m.json", "one.csv")
        assert status == 0
        kept = next(csv.DictReader(io.StringIO(out)))
        assert (kept["zip"], kept["rhesus"]) == (FRAME["zip"][row], FRAME["rhesus"][row])
        assert_allclose(float(kept["probability"]), expected[row], rtol=1e-12)


def test_parts_of_dates_however_they_are_written(run):
    german(FRAME, "de.csv")
    FRAME.to_csv("en.csv", index=False)
    asked = ("--target", "late", "--formula", "age + weekday(day)")
    found = [json.loads(run("fit", f"{name}.csv", *asked, "--json", "--model", "m.json")[1]) for name in ("en", "de")]
    assert found[0] == found[1]
    assert "weekday(day)[Tuesday]" in found[0]["names"]
    assert "name them in a formula" in problem(run("fit", "de.csv", "--target", "late"))
    row = b"day,age\n3/1/2024,40\n"
    assert "Give it the type that it had" in problem(run("predict", "m.json", "-", stdin=row))
    said = run("predict", "m.json", "-", "--dates", "mdy", stdin=row)
    assert said[1].splitlines()[1].startswith("3/1/2024,40,0.")


# Pipes


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet", "arrow"])
def test_standard_input_is_known_by_its_first_bytes(run, kind, tmp_path):
    table = FRAME.drop(columns="day")
    {"parquet": table.to_parquet, "arrow": table.to_feather}.get(kind, lambda path: table.to_csv(path, index=False))(
        f"t.{kind}"
    )
    raw = (tmp_path / f"t.{kind}").read_bytes()
    status, out, _ = run("fit", "-", "--target", "late", "--json", "--model", "m.json", stdin=raw)
    assert status == 0
    assert json.loads(out)["training"]["rows"] == N
    status, out, err = run("predict", "m.json", "-", "--out", "-", stdin=raw)
    assert (status, err) == (0, "")
    assert_allclose(pd.read_csv(io.StringIO(out))["probability"], load("m.json").predict_proba(table)[:, 1], rtol=1e-12)
    assert run("diagnose", "-", "--target", "late", stdin=raw)[0] == 0
    assert problem(run("fit", "-", "--target", "late")) == "Error: standard input is empty."


@needs_posix
def test_a_named_pipe_is_read(run):
    FRAME.drop(columns="day").to_csv("t.csv", index=False)
    command = f"cat t.csv > pipe & {sys.executable} -m evenodds fit pipe --target late --json"
    os.mkfifo("pipe")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["training"]["rows"] == N


def test_a_model_is_saved_although_nobody_reads_the_table(run, tmp_path):
    FRAME.drop(columns="day").to_csv("t.csv", index=False)
    command = [sys.executable, "-m", "evenodds", "fit", "t.csv", "--target", "late", "--model", "m.json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
    assert process.returncode == 1
    assert load(tmp_path / "m.json").design_.target == "late"


# Without the device a disk would have to be filled.
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
def test_a_full_disk_is_one_line(run):
    FRAME.drop(columns="day").to_csv("t.csv", index=False)
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "evenodds", "fit", "t.csv", "--target", "late"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "Error: No space left on device"


# Options


def test_offsets_levels_and_covariances_are_those_of_the_library(run):
    FRAME.to_csv("t.csv", index=False)
    formula = "late ~ age + rhesus"
    asked = ("t.csv", "--formula", formula)
    model = fit_table(formula, FRAME, offset="shift")
    found = json.loads(run("fit", *asked, "--offset", "shift", "--level", "0.8", "--json", "--model", "m.json")[1])
    assert_allclose(found["coef_"], model.coef_, rtol=1e-8)
    assert_allclose(found["conf_int"], infer(model, FRAME, level=0.8).conf_int, rtol=1e-7)
    scores = model.decision_function(FRAME) + FRAME["shift"].to_numpy()
    assert_allclose(found["training"]["accuracy"], ((scores > 0) == (FRAME["late"] == "yes")).mean())
    scored = pd.read_csv(io.StringIO(run("predict", "m.json", "t.csv")[1]))
    assert_allclose(scored["probability"], expit(scores), rtol=1e-8)
    assert_array_equal(scored["label"], np.where(scores > 0, "yes", "no"))
    FRAME.drop(columns="shift").to_csv("without.csv", index=False)
    assert "no column 'shift'" in problem(run("predict", "m.json", "without.csv"))

    plain = fit_table(formula, FRAME)
    for more, own in {
        ("--cov", "HC3"): {"cov": "HC3"},
        ("--cluster", "ward"): {"cov": "cluster", "groups": FRAME["ward"]},
    }.items():
        found = json.loads(run("fit", *asked, *more, "--json")[1])
        assert_allclose(found["se"], infer(plain, FRAME, **own).se, rtol=1e-7)
    both = json.loads(run("fit", "t.csv", "--formula", "late ~ age + ward", "--cluster", "ward", "--json")[1])
    assert "ward[b]" in both["names"]
    alone = json.loads(run("fit", "t.csv", "--target", "late", "--drop", "day", "--cluster", "ward", "--json")[1])
    assert "ward" not in " ".join(alone["names"])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--level", "1"), "1 is not a number between 0 and 1"),
        (("--cov", "HC9"), "'HC9' is not one of"),
        (("--cluster", "ward", "--cov", "HC1"), "--cluster is a covariance of its own"),
        (("--offset", "late"), "--target and --offset name the same column"),
        (("--decimal", "x"), "'x' is not one of"),
        (("--separator", "::"), "--separator is one character"),
        (("--model", "-"), "--model is a file"),
    ],
)
def test_wrong_usage_has_status_2(run, args, message):
    FRAME.to_csv("t.csv", index=False)
    status, out, err = run("fit", "t.csv", "--target", "late", *args)
    assert (status, out) == (2, "")
    assert message in " ".join(err.replace("│", " ").split())


def test_a_mistyped_column_has_a_nearest_one_wherever_it_is_named(run):
    FRAME.to_csv("t.csv", index=False)
    for option in ("--drop", "--weight", "--offset", "--cluster", "--text"):
        assert "Did you mean 'fare'?" in problem(run("fit", "t.csv", "--target", "late", option, "fair"))
    assert "Did you mean 'late'?" in problem(run("fit", "t.csv", "--target", "Late"))
    assert "Did you mean 'late'?" in problem(run("diagnose", "t.csv", "--target", "latte"))
    assert "Did you mean 'fare'?" in problem(run("fit", "t.csv", "--target", "late", "--formula", "age + log(fair)"))


def test_columns_under_the_names_of_the_added_ones_can_be_replaced(run):
    FRAME.drop(columns="day").to_csv("t.csv", index=False)
    assert run("fit", "t.csv", "--target", "late", "--model", "m.json")[0] == 0
    assert run("predict", "m.json", "t.csv", "--out", "s.csv")[0] == 0
    assert "replace them with --replace" in problem(run("predict", "m.json", "s.csv"))
    status, out, _ = run("predict", "m.json", "s.csv", "--replace")
    assert status == 0
    with open("s.csv", encoding="utf-8") as file:
        assert out == file.read()


# show and completion


def test_a_model_is_shown_by_the_names_of_its_attributes(run):
    FRAME.to_csv("t.csv", index=False)
    formula = "late ~ age + rhesus + month(day)"
    assert run("fit", "t.csv", "--formula", formula, "--unseen", "reference", "--C", "1", "--model", "m.json")[0] == 0
    status, out, err = run("show", "m.json")
    assert (status, err) == (0, "")
    assert out.startswith("Ridge logistic regression (C=1) of yes against no\n")
    assert re.search(r"^ +coef +se +z +p ", out, re.MULTILINE)  # as fit printed them
    assert re.search(r"^rhesus\[\+\] +reference$", out, re.MULTILINE)
    for words in (
        r"formula +late ~ age",
        "numbers +age",
        "text +rhesus",
        "dates +day",
        "as the reference",
        "ridge, C=1",
    ):
        assert re.search(words, out)
    found, model = json.loads(run("show", "m.json", "--json")[1]), load("m.json")
    assert found["coef_"] == model.coef_.tolist()
    assert found["classes_"] == ["no", "yes"]
    assert (found["target"], found["formula"], found["unseen"]) == ("late", formula, "reference")
    assert found["takes"] == {"numbers": ["age"], "text": ["rhesus"], "dates": ["day"]}
    assert found["levels"]["rhesus"] == ["+", "-"]
    assert found["solution_"]["status"] == "converged"
    assert "t.csv is not a model" in problem(run("show", "t.csv"))


def test_models_of_arrays_and_of_several_classes_are_shown(run):
    from evenodds import LogisticRegression, save

    X = rng.normal(size=(90, 2))
    save(LogisticRegression(C=2).fit(X, rng.choice(["a", "b", "c"], 90)), "m.json")
    status, out, _ = run("show", "m.json")
    assert status == 0
    assert re.search(r"^  column 1 +-?\d", out, re.MULTILINE)
    assert json.loads(run("show", "m.json", "--json")[1])["names"] == ["(intercept)", "column 0", "column 1"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_told_how_to_complete(run, shell):
    status, out, err = run("completion", shell)
    assert (status, err) == (0, "")
    assert "_EVENODDS_COMPLETE=" in out


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["fit", "t.csv", "--target", "l"], ["late"]),
        (["fit", "t.csv", "--target", "late", "--drop", ""], [*FRAME]),
        (["diagnose", "t.csv", "--target", "a"], ["age"]),
        (["fit", "nothing.csv", "--target", ""], []),
        (["fit", "t.csv", "--missing", "d"], ["drop"]),
        (["sh"], ["show"]),
    ],
)
def test_columns_are_completed_by_their_beginning(run, words, completed):
    from click.shell_completion import BashComplete

    FRAME.to_csv("t.csv", index=False)
    found = BashComplete(cli, {}, "evenodds", "_EVENODDS_COMPLETE").get_completions(words[:-1], words[-1])
    assert [item.value for item in found] == completed


# What leaves the house


SLOW = "Writing the model and trying it ...\n"  # said where that takes more than a second


def test_a_model_is_exported_as_a_query(run):
    duckdb = pytest.importorskip("duckdb")
    FRAME.to_csv("t.csv", index=False)
    assert run("fit", "t.csv", "--formula", "late ~ age + rhesus", "--offset", "shift", "--model", "m.json")[0] == 0
    status, query, err = run("export", "m.json", "--to", "sql", "--table", "flights")
    assert (status, err.removeprefix(SLOW)) == (0, "")
    with duckdb.connect() as connection:
        connection.register("flights", pa.Table.from_pandas(FRAME, preserve_index=False))
        found = [row[-1] for row in connection.execute(query).fetchall()]
    scored = pd.read_csv(io.StringIO(run("predict", "m.json", "t.csv")[1]))
    assert_allclose(found, scored["probability"], rtol=1e-12)
    status, out, err = run("export", "m.json", "--to", "sql", "--dialect", "postgres", "--out", "q.sql")
    assert (status, out, err.removeprefix(SLOW)) == (0, "", "Model: saved to q.sql\n")
    with open("q.sql", encoding="utf-8") as file:
        assert file.read().startswith("SELECT")


def test_a_model_is_exported_as_a_graph(run):
    onnxruntime = pytest.importorskip("onnxruntime")
    FRAME.to_csv("t.csv", index=False)
    assert run("fit", "t.csv", "--formula", "late ~ age + rhesus", "--model", "m.json")[0] == 0
    status, out, err = run("export", "m.json", "--to", "onnx", "--out", "m.onnx")
    assert (status, out, err.removeprefix(SLOW)) == (0, "", "Model: saved to m.onnx\n")
    rows = {"age": FRAME[["age"]].to_numpy(float), "rhesus": FRAME[["rhesus"]].to_numpy(object)}
    (found,) = onnxruntime.InferenceSession("m.onnx").run(["probabilities"], rows)
    assert_allclose(found, load("m.json").predict_proba(FRAME), atol=1e-6)
    status, _, err = run("export", "m.json", "--to", "onnx")
    assert (status, "Missing option '--out'" in err) == (2, True)


def test_a_fit_writes_its_report_and_says_what_it_could_not_write(run):
    FRAME.drop(columns="day").to_csv("t.csv", index=False)
    asked = ("fit", "t.csv", "--target", "late", "--model", "m.json", "--report")
    status, out, err = run(*asked, "r.html")
    assert (status, without_progress(err)) == (0, "Model: saved to m.json\nReport: saved to r.html\n")
    with open("r.html", encoding="utf-8") as file:
        assert file.read().startswith("<!DOCTYPE html>")
    status, out, err = run(*asked, "no/r.html")
    assert (status, out.startswith("Log odds of late")) == (1, True)
    assert without_progress(err) == "Model: saved to m.json\nError: no/r.html: No such file or directory\n"


def test_a_report_beside_a_factor_of_many_levels(run):
    rng = np.random.default_rng(0)
    city = rng.permutation(np.arange(3600) % 1200)
    frame = pd.DataFrame(
        {"city": [f"c{k}" for k in city], "x": rng.normal(size=3600), "late": rng.integers(0, 2, 3600)}
    )
    frame.to_csv("w.csv", index=False)
    for more in (("--C", "1"), ()):  # without a penalty levels of one class separate the two
        status, _, err = run("fit", "w.csv", "--target", "late", "--report", "w.html", *more)
        assert status == 0, err
        assert ("The classes are separated" in err) == (not more)
        with open("w.html", encoding="utf-8") as file:
            page = file.read()
        assert len(page) < 1_000_000
        assert "Coefficients of levels" in page


# Hostile names


BITS = [
    '"',
    "'",
    "\n",
    "\t",
    "[bold]",
    "[/]",
    "<script>alert(1)</script>",
    "&amp;",
    "\U0001f600",
    "é",
    "`",
    "\\",
    "{",
    "%s",
]
BITS += [
    "$(x)",
    ";",
    ",",
    "|",
    "=",
    "~",
    "+",
    "a b",
    " lead",
    "trail ",
    "\x1b[31m",
    "\u202e",
    "١٢",
    "日本語",
    "(intercept)",
]
BITS += ["C(x)", "x:y", ":good:", "\ufeff", "#c", "NA", "?", "-", "1", "__index_level_0__", "\x00"]


@pytest.mark.filterwarnings("ignore")
def test_hostile_names_leave_in_reports_queries_and_graphs(run):
    """One table each: its page has no element of the names', its query and its graph the numbers of predict."""
    duckdb, onnxruntime = pytest.importorskip("duckdb"), pytest.importorskip("onnxruntime")
    walked = 0
    for seed in range(6):
        pick = random.Random(seed)
        signs = [bit for bit in BITS if bit not in ("\x00", "\t", "NA", "?", "-", "1")]
        words = {f"{pick.choice(signs)}{k}{pick.choice(signs) * pick.choice([1, 1, 90])}": 0 for k in range(8)}
        number, factor, target, *rest = words
        levels, labels = rest[:3], rest[3:]
        rows = {number: [pick.gauss(0, 1) for _ in range(80)], factor: [pick.choice(levels) for _ in range(80)]}
        rows[target] = [pick.choice(labels[:2]) for _ in range(80)]
        frame = pd.DataFrame(rows)
        frame.to_csv("h.csv", index=False, quoting=csv.QUOTE_NONNUMERIC)
        told = ("--model", "h.json", "--report", "h.html", "--C", "1", "--text", factor)
        status, _, err = run("fit", "h.csv", "--target", target, *told)
        if status:
            continue
        with open("h.html", encoding="utf-8") as file:
            assert "<script" not in file.read()
        expected = load("h.json").predict_proba(frame)[:, -1]
        status, query, err = run("export", "h.json", "--to", "sql", "--table", "data")
        assert status == 0, err
        with duckdb.connect() as base:
            base.register("data", pa.Table.from_pandas(frame, preserve_index=False))
            assert_allclose([row[-1] for row in base.execute(query).fetchall()], expected, atol=1e-12)
        status, _, err = run("export", "h.json", "--to", "onnx", "--out", "h.onnx")
        assert status == 0, err
        feed = {name: frame[[name]].to_numpy(object if name == factor else float) for name in (number, factor)}
        (found,) = onnxruntime.InferenceSession("h.onnx").run(["probabilities"], feed)
        assert_allclose(found[:, -1], expected, atol=1e-6)
        walked += 1
    assert walked >= 4


@pytest.mark.filterwarnings("ignore")
def test_hostile_tables_end_in_a_table_or_in_one_line(run):
    for seed in range(25):
        pick = random.Random(seed)
        words = ["".join(pick.choices(BITS, k=pick.randint(1, 3))) for _ in range(9)]
        names, levels, labels = words[:4], words[4:7], words[7:]
        rows = [[f"{pick.gauss(0, 1):.3f}", pick.choice(levels), pick.choice(labels), str(k)] for k in range(14)]
        with open("h.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([[names[0], names[1], names[2], "row"], *rows])
        for args in (
            (
                "fit",
                "h.csv",
                "--target",
                names[2],
                "--drop",
                "row",
                "--C",
                "1",
                "--missing",
                "drop",
                "--model",
                "h.json",
            ),
            ("diagnose", "h.csv", "--target", names[2]),
            ("fit", "h.csv", "--target", names[2] + "x"),
            ("show", "h.json"),
            ("predict", "h.json", "h.csv", "--out", "s.parquet"),
        ):
            status, out, err = run(*args)
            assert status in (0, 1), (seed, args, err)
            assert "Traceback" not in err
            assert "\x1b" not in out + err, (seed, args)
            if status == 1:
                assert len([line for line in err.splitlines() if line.startswith("Error: ")]) == 1
        if os.path.exists("h.json"):
            model = load("h.json")
            shown = run("show", "h.json")[1]
            for name in model.design_.names:
                assert (name if name.isprintable() and name.strip() else repr(name)) in shown
            os.remove("h.json")


def test_a_kept_table_of_a_parquet_file_keeps_its_types(run):
    table = pa.table({"x": pa.array(range(8), pa.int8()), "keep": pa.array([[1]] * 8), "y": ["a", "b"] * 4})
    parquet.write_table(table, "t.parquet")
    assert run("fit", "t.parquet", "--target", "y", "--drop", "keep", "--model", "m.json")[0] == 0
    assert run("predict", "m.json", "t.parquet", "--out", "s.parquet")[0] == 0
    kept = parquet.read_table("s.parquet")
    assert kept.schema.types[:3] == table.schema.types


@pytest.mark.parametrize("n_labels", [2, 5, 20, 21, 40])
def test_counts_as_labels_are_said_to_be_classes(run, n_labels):
    """Each number is a class of its own, which is seldom meant, and takes long."""
    rng = np.random.default_rng(n_labels)
    counts = np.concatenate([np.arange(n_labels), rng.integers(0, n_labels, 200)])
    pd.DataFrame({"x": rng.normal(size=counts.size).round(2), "visits": counts}).to_csv("visits.csv", index=False)
    said = f"'visits' has {n_labels} different numbers, 0 to {n_labels - 1}, and each is a class. If it counts"
    for positive in ((), ("--positive", ">0")):
        status, _, err = run("fit", "visits.csv", "--target", "visits", "--C", "1", *positive)
        assert status == 0
        assert (said in " ".join(err.split())) == (n_labels > 20 and not positive)
