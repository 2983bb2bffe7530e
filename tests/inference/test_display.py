"""Tables: what a reader must find in the text and the HTML of each kind of result, and frames of each kind."""

import importlib.util
import io
import math
import re
import warnings
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from rich.console import Console

from evenodds import EvenOddsError, LogisticRegression, fit_table
from evenodds.inference import display, infer
from oracle import case

LONG = "grade point average over the last four semesters, as the students reported it"


def table(name, *drop):
    columns = case(name)[1]
    y = columns.pop("y").astype(int)
    return pd.DataFrame({key: values for key, values in columns.items() if key not in ("const", *drop)}), y


def fitted(X, y, asked=None, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # separated or aliased: that is what is looked at
        model = LogisticRegression(**parameters).fit(X, y)
    return infer(model, X, y, **(asked or {}))


def spector(asked=None, **parameters):
    return fitted(*table("a01_spector"), asked, **parameters)


def aliased():
    X, y = table("a01_spector")
    return fitted(X.assign(twice=2 * X["GPA"]), y)


def separated():
    return fitted(*table("b01_endometrial"))


def complete():
    X = pd.DataFrame({"dose": [1.0, 2, 3, 4, 5, 6], "age": [3.0, 1, 2, 2, 1, 3]})
    return fitted(X, ["no"] * 3 + ["yes"] * 3)


def clusters():
    X, y = table("a12_infert", "stratum")
    return fitted(X, y, {"cov": "cluster", "groups": table("a12_infert")[0]["stratum"]})


def weighted(kind):
    X, y = table("a01_spector")
    weight = 1 + np.arange(32) % 3
    return infer(LogisticRegression().fit(X, y, weight), X, y, weight, weights=kind)


KINDS = {
    "plain": spector,
    "HC1": lambda: spector({"cov": "HC1"}),
    "cluster": clusters,
    "sampling": lambda: weighted("sampling"),
    "precision": lambda: weighted("precision"),
    "ridge": lambda: spector(C=1, standardize=True),
    "Firth": lambda: fitted(*table("b01_endometrial"), firth=True),
    "separated": separated,
    "complete": complete,
    "aliased": aliased,
}


@pytest.fixture(scope="module")
def results():
    return {kind: make() for kind, make in KINDS.items()}


def line_of(text, name):
    (line,) = [line for line in text.splitlines() if re.match(rf"{re.escape(name)}(\s|$)", line)]
    return line[len(name) :].strip()


def fact(text, name):
    return re.search(rf"{re.escape(name)} +([-\d.]+)", text)[1]


# Text


def test_the_text_has_every_number_of_the_table(results):
    result = results["plain"]
    text = str(result)
    assert text.startswith("Logistic regression of 1 against 0\n")
    for j, name in enumerate(result.names):
        numbers = [float(word) for word in line_of(text, name).split()]
        truth = [result.coef[j], result.se[j], result.z[j], result.p_value[j], *result.conf_int[j]]
        np.testing.assert_allclose(numbers, [*truth, result.odds_ratio[j]], rtol=6e-3, atol=6e-4 * result.se[j])
        assert numbers[1] == pytest.approx(result.se[j], rel=5e-4)  # four digits
    assert float(fact(text, "Log-likelihood")) == pytest.approx(result.log_likelihood, abs=5e-4)
    for name, value in {"AIC": result.aic, "BIC": result.bic, "Observations": 32}.items():
        assert float(fact(text, name)) == pytest.approx(value, abs=5e-4)
    for name, key in {
        "McFadden": "mcfadden",
        "Cox-Snell": "cox_snell",
        "Nagelkerke": "nagelkerke",
        "Tjur": "tjur",
    }.items():
        assert float(fact(text, f"{name} R2")) == pytest.approx(result.pseudo_r2[key], abs=5e-5)
    assert re.search(r"Null deviance +41\.183 on 31 df", text)
    assert re.search(r"Residual deviance +25\.779 on 28 df", text)
    assert "chi-squared 15.4 on 3 df, p = 0.0015" in text
    assert "*" not in text
    assert "Proved: the mean loss is within" in text


def test_decimal_points_stand_below_each_other(results):
    text = str(results["plain"])
    lines = [line for line in text.splitlines() if re.match(r"\((intercept)|GPA|TUCE|PSI", line)]
    points = {tuple(match.start() for match in re.finditer(r"\.", line)) for line in lines}
    assert len(lines) == 4
    assert len(points) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_is_too_wide_or_says_nan(results, kind):
    for width in (80, 100, 140):
        text = display.text(results[kind], width)
        assert "nan" not in text.lower()
        assert max(map(display.cells_of, text.splitlines())) <= width
        assert not any(line.endswith(" ") for line in text.splitlines())


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("plain", ["Covariance: inverse information"]),
        ("HC1", ["Covariance: HC1", "n/(n-k)"]),
        ("cluster", ["clusters", "G/(G-1)", "83 clusters"]),
        ("sampling", ["Pseudo-log-likelihood", "n/(n-1)", "Weights: sampling"]),
        ("precision", ["Weights: precision"]),
        ("ridge", ["Ridge logistic regression (C=1, standardized) of 1 against 0", "do not exist for a ridge fit"]),
        (
            "Firth",
            ["Firth's logistic regression of 1", "LR z", "Penalised log-likelihood", "Penalised likelihood-ratio"],
        ),
        ("separated", ["The classes are separated"]),
        ("complete", ["Logistic regression of yes against no"]),
    ],
)
def test_the_text_says_what_was_fitted_and_how(results, kind, words):
    text = str(results[kind])
    for word in words:
        assert word in text
    assert ("Weights" in text) == (kind in ("sampling", "precision"))
    assert ("LR z" in text) == (kind == "Firth")


@pytest.mark.parametrize("kind", ["sampling", "ridge"])
def test_what_does_not_exist_has_no_number(results, kind):
    text = str(results[kind])
    assert not re.search(r"(AIC|BIC) +[-\d]", text)
    assert "chi-squared" not in text
    assert not re.search(r"deviance +\S+ on", text)


def test_nothing_is_printed_where_no_coefficient_is_left(capfd):
    complete()
    assert capfd.readouterr() == ("", "")


def test_coefficients_without_a_standard_error_are_said_in_words(results):
    assert line_of(str(results["aliased"]), "twice").startswith("aliased: a combination of earlier columns")
    assert line_of(str(results["separated"]), "NV") == "infinite (+): separated"
    text = str(results["complete"])
    assert line_of(text, "dose") == "infinite (+): separated"
    assert "sign that is not determined" in line_of(text, "age")
    assert not re.search(r"\bcoef\b", text)  # no headings over nothing
    unknown = replace(results["plain"], se=np.full(4, np.nan))
    assert re.fullmatch(r"2\.826, without a standard error", line_of(str(unknown), "GPA"))


def test_an_interval_may_end_at_infinity(results):
    ends = results["plain"].conf_int.copy()
    ends[1, 1] = np.inf
    assert "inf" in line_of(str(replace(results["plain"], conf_int=ends)), "GPA").split()


def test_the_level_is_in_the_headings(results):
    text = str(replace(results["plain"], level=0.999))
    assert "99.9% lower" in text
    assert "99.9% upper" in text


def test_long_names_lose_their_middle_only_where_there_is_no_room():
    X, y = table("a01_spector")
    result = fitted(X.rename(columns={"GPA": LONG, "PSI": "新しい教授法"}), y)
    wide = display.text(result, 200)
    assert LONG in wide
    assert "odds ratio" in wide
    narrow = display.text(result, 80)
    assert LONG not in narrow
    assert "odds ratio" not in narrow
    (line,) = [line for line in narrow.splitlines() if "…" in line]
    head, _, tail = line.partition("…")
    assert LONG.startswith(head)
    assert len(head) >= 6
    assert LONG.endswith(tail.split("  ")[0])
    assert max(map(display.cells_of, narrow.splitlines())) <= 80
    assert "2.826" in line
    starts = [line.index(".") for line in display.text(result, 80).splitlines() if re.match(r"TUCE|\(inter", line)]
    assert len(set(starts)) == 1


def test_names_that_differ_in_the_middle_of_a_narrow_table_keep_both_ends():
    assert display.shortened("a_long_name_of_a_column_1", 12) == "a_long…umn_1"
    assert display.shortened("short", 12) == "short"
    assert display.cells_of(display.shortened("新しい教授法の効果について", 11)) <= 11


def test_names_and_labels_cannot_move_the_cursor():
    X, y = table("a01_spector")
    result = fitted(X.rename(columns={"GPA": "two\nlines", "PSI": "\x1b[2Jgone"}), np.where(y == 1, "y\r", "n"))
    text = str(result)
    assert r"'two\nlines'" in text
    assert "\x1b" not in text
    assert "\r" not in text


def test_names_and_labels_without_a_letter_are_seen():
    X, y = table("a01_spector")
    text = str(fitted(X.rename(columns={"GPA": "", "PSI": " "}), np.where(y == 1, "", "n")))
    assert text.startswith("Logistic regression of n against ''\n")
    assert line_of(text, "''").startswith("-2.826")
    assert "\n' ' " in text


@pytest.mark.parametrize("width", [44, 58, 70, 80, 90])
def test_a_narrow_terminal_leaves_out_what_can_be_spared_and_cuts_nothing(width):
    result = fitted(*table("a02_lbw"))
    lines = display.text(result, width).splitlines()
    (heading,) = (line.split() for line in lines if line.lstrip().startswith("coef "))
    kept = {90: "coef se z p", 80: "coef se z p", 70: "coef se p", 58: "coef p", 44: "coef p"}[width]
    assert " ".join(heading) == f"{kept} 95% lower 95% upper" + " odds ratio" * (width == 90)
    assert width == 44 or max(map(len, lines)) <= width
    console = Console(file=io.StringIO(), width=width)
    console.print(result)
    assert console.file.getvalue().split() == " ".join(lines).split()


def test_one_hundred_columns_of_all_scales():
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(600, 100)) * 10.0 ** random.integers(-9, 10, 100))
    X.columns = [f"column {j}" for j in range(100)]
    result = fitted(X, (random.random(600) < 0.5).astype(int))
    text = str(result)
    lines = [line for line in text.splitlines() if line.startswith("column ")]
    assert len(lines) == 100
    assert max(map(len, text.splitlines())) <= 100
    for line, se in zip(lines, result.se[1:], strict=True):
        assert float(line.split()[3]) == pytest.approx(se, rel=6e-4)


def test_numbers():
    assert display.p_cell(0.0) == display.p_cell(9e-17) == "<1e-16"
    assert [display.p_cell(p) for p in (1.0, 0.5, 0.02524, 2.5e-5)] == ["1.00", "0.500", "0.0252", "2.50e-05"]
    assert display.number(1.5e-9, display.digits_of(1.5e-9)) == "1.500e-09"
    assert display.number(12345678901.0, 0) == "1.235e+10"
    assert display.number(83644.2, display.digits_of(83644.2)) == "83644"
    assert display.number(math.nan, 2) == display.p_cell(math.nan) == ""
    assert display.number(-math.inf, 9) == "-inf"


# A terminal


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_text_takes_the_width_of_the_terminal(results, monkeypatch):
    monkeypatch.setenv("COLUMNS", "72")
    monkeypatch.setattr("sys.stdout", Terminal())
    assert max(map(len, str(results["ridge"]).splitlines())) <= 72
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert max(map(len, str(results["ridge"]).splitlines())) > 80
    monkeypatch.setattr("sys.stdout", None)  # where there is no console at all
    assert str(results["plain"])


def test_rich_has_the_same_words():
    result = fitted(*table("a01_spector"))
    console = Console(file=io.StringIO(), force_terminal=True, width=90, color_system="standard")
    for line in display.rich(result, 90):
        console.print(line)
    printed = console.file.getvalue()
    assert "\x1b[1m" in printed  # bold
    plain = re.sub(r"\x1b\[[\d;]*m", "", printed)
    assert [line.rstrip() for line in plain.splitlines()] == display.text(result, 90).splitlines()


# HTML


class Reader(HTMLParser):
    """Checks that elements are nested, and collects the cells of rows and the attributes of elements."""

    def __init__(self):
        super().__init__()
        self.open, self.rows, self.seen, self.words = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.seen.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        hidden = self.seen[-1][1].get("style", "") == "visibility: hidden" and self.open[-1] == "span"
        if {"td", "th"} & set(self.open) and not hidden:
            self.rows[-1][-1] += data
        self.words.append(data)


def read(result):
    reader = Reader()
    reader.feed(result._repr_html_())
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize("kind", KINDS)
def test_the_html_says_what_the_text_says(results, kind):
    result = results[kind]
    reader = read(result)
    page = display.sheet(result)
    rows = {row[0]: row[1:] for row in reader.rows if row}
    for row in page.rows:
        assert rows[row.name] == ([row.note] if row.note else list(row.cells))
    assert rows["term"] == list(page.headings)
    said = {part.strip() for part in reader.words}
    assert {page.title, *page.lines, *page.remarks} <= said
    assert {value for _, value in page.facts} <= said
    widths = {len(row) for row in reader.rows if row and row[0] in result.names and row[0] not in result.notes}
    assert widths <= {8}


def test_the_html_is_accessible_and_takes_the_colours_of_the_page(results):
    reader = read(results["aliased"])
    heads = [attrs for tag, attrs in reader.seen if tag == "th"]
    assert {attrs["scope"] for attrs in heads} == {"col", "row"}
    colours = re.findall(r"(?:color|background)[^:;]*: *([^;\"]+)", results["aliased"]._repr_html_())
    assert set(colours) <= {"inherit", "transparent"}
    assert not {"script", "style", "link", "img"} & {tag for tag, _ in reader.seen}


def test_the_html_escapes_names_and_labels():
    X, y = table("a01_spector")
    bad = '<script>alert("x")</script> & <b>'
    result = fitted(X.rename(columns={"GPA": bad}), np.where(y == 1, "<i>yes", "no"))
    markup = result._repr_html_()
    assert "<script" not in markup
    assert "<i>" not in markup
    assert bad in [row[0] for row in read(result).rows if row]


# Frames


@pytest.mark.parametrize(
    ("backend", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("pyarrow", pa.Table)]
)
def test_frames_of_each_kind(results, backend, kind):
    result = results["separated"]
    frame = result.to_frame(backend)
    assert isinstance(frame, kind)
    columns = frame.to_pydict() if kind is pa.Table else {name: list(frame[name]) for name in frame.columns}
    assert list(columns) == ["term", "coef", "se", "z", "p_value", "lower", "upper"]
    assert columns["term"] == list(result.names)
    np.testing.assert_array_equal(columns["coef"], result.coef)
    np.testing.assert_array_equal(columns["upper"], result.conf_int[:, 1])


@pytest.mark.parametrize(
    ("make", "kind"), [(pd.DataFrame, pd.DataFrame), (pl.DataFrame, pl.DataFrame), (pa.table, pa.Table)]
)
def test_answers_are_of_the_kind_of_the_question(results, make, kind):
    X, _ = table("a01_spector")
    frame = make({name: X[name].to_numpy() for name in X.columns})
    assert isinstance(results["plain"].predict(frame), kind)


def test_the_first_backend_that_is_installed(results, monkeypatch):
    assert isinstance(results["plain"].to_frame(), pd.DataFrame)
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pandas" else found(name))
    assert isinstance(results["plain"].to_frame(), pl.DataFrame)
    with pytest.raises(EvenOddsError, match="pandas is not installed: pip install pandas"):
        results["plain"].to_frame("pandas")
    with pytest.raises(EvenOddsError, match="'pandas', 'polars', 'pyarrow', got 'dask'"):
        results["plain"].to_frame("dask")


def test_references_of_factors_have_a_row():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"y": rng.integers(0, 2, 200), "c": rng.choice(list("abc"), 200), "x": rng.normal(size=200)})
    frame["k"], frame["b"] = rng.choice(list("pqr"), 200), rng.random(200) < 0.5
    result = infer(fit_table("y ~ c*x + b + k:x", frame, reference={"c": "b"}), frame)
    names = [line.split()[0] for line in str(result).splitlines() if line.endswith(" reference")]
    assert names == ["c[b]", "b[False]"]
    lines = [line.split()[0] for line in str(result).splitlines() if line.startswith(("c[", "b["))]
    assert lines == ["c[b]", "c[a]", "c[c]", "b[False]", "b[True]", "c[a]:x", "c[c]:x"]
    assert result._repr_html_().count("<em>reference</em>") == 2
    assert "reference" not in str(infer(fit_table("y ~ c - 1", frame), frame))
    several = str(infer(fit_table("k ~ c", frame), frame)).splitlines()
    assert [line for line in several if line.endswith("reference")] == ["  c[a]         reference"] * 2
