"""The report: what a strict parser of HTML finds in it, for models and tables of many kinds, and its numbers."""

import random
import re
import warnings

import html5lib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from markupsafe import Markup
from sklearn.datasets import load_iris
from sklearn.metrics import average_precision_score, roc_auc_score

from evenodds import (
    SGD,
    EvenOddsError,
    LogisticRegression,
    LogisticRegressionCV,
    fit_table,
    infer,
    to_sql,
    write_report,
)
from signs import SIGNS

SECTIONS = ["data", "coefficients", "quality", "calls", "trust", "optimum", "score"]
HOSTILE = [*SIGNS, "<script>alert(1)</script>", "</style>", "</svg>", "x" * 300, "{{ 7 * 7 }}", "{% raw %}", " id='a'"]
HOSTILE += ["&#106;", "javascript:", "#000000", 'a id="b"', "\u202e", "\ud800", "$x^2$"]


def table(seed=0, n=300, labels=("no", "yes")):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": rng.normal(50, 10, n), "carrier": rng.choice(["AA", "DL", "UA"], n)})
    score = (frame["age"] - 50) / 10 + (frame["carrier"] == "DL") + rng.logistic(size=n)
    frame["late"] = np.array(labels)[np.digitize(score, np.quantile(score, np.arange(1, len(labels)) / len(labels)))]
    return frame


def read(path):
    """The page, once it is sure that it is one: valid, of itself alone, and each name there once."""
    text = path.read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    names = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(set(names)) == len(names)
    for element in page.iter():
        tag = str(element.tag).rpartition("}")[2]
        assert tag not in ("script", "img", "iframe", "object", "embed", "base", "form", "input", "video", "audio")
        for name, value in element.attrib.items():
            name = str(name).rpartition("}")[2]
            assert not name.startswith("on")
            assert name not in ("src", "srcset", "action", "xlink")
            if name == "href":
                assert value == "data:," or value[1:] in names
            for target in re.findall(r"url\((.*?)\)", value):
                assert target.strip("\"'")[1:] in names
        if tag == "style":
            assert "url(" not in element.text
            assert "@import" not in element.text
        if tag == "svg":
            assert element.get("role") == "img"
            assert element.get("aria-label")
        if tag == "text":
            assert "font-family" not in element.get("style", "")
    return page


def grids(page):
    """The tables by their captions, as rows of text."""
    found = {}
    for grid in page.iter("table"):
        rows = [
            [" ".join("".join(cell.itertext()).split()) for cell in row if cell.tag in ("th", "td")]
            for row in grid.iter("tr")
        ]
        found[" ".join("".join(grid.find("caption").itertext()).split())] = rows
    return found


def text(element):
    return " ".join("".join(element.itertext()).split())


def words(page):
    return text(page.find("body"))


@pytest.fixture
def undrawn(monkeypatch):
    """Pages whose pictures are empty, for tests of numbers alone."""
    blank = Markup('<svg role="img" aria-label="none"></svg>')
    monkeypatch.setattr("evenodds.report.pictures.drawn", lambda *args: blank)


def written(tmp_path, *args, **options):
    return read(write_report(*args, path=tmp_path / "report.html", **options))


def fitted(*args, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return fit_table(*args, **parameters)


MODELS = {
    "plain": {},
    "firth": {"firth": True},
    "ridge": {"C": 0.5},
    "lasso": {"C": 0.1, "l1_ratio": 1.0, "standardize": True},
    "no column": {"C": 1e-6, "l1_ratio": 1.0},
    "steps": {"solver": SGD(epochs=3, learning_rate=1e-4)},
    "no intercept": {"fit_intercept": False},
}


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_of_model_of_two_classes(kind, tmp_path):
    frame = table()
    page = written(tmp_path, fitted("late", frame, **MODELS[kind]), frame)
    assert [section.get("id") for section in page.iter("section") if section.get("id") != "effects"] == SECTIONS
    told = kind not in ("lasso", "no column", "steps")
    assert ("There are no standard errors" in words(page)) != told
    assert ("The most influential rows" in grids(page)) == told


def test_the_words_of_an_effect_are_of_the_class_that_changes(tmp_path, undrawn):
    """The probability of a class that a column tells by itself is 0 along all others: nothing to tell of."""
    frame = table(1, labels=("early", "late", "on time"))
    frame["known"] = (frame["late"] == "on time").astype(float)
    page = written(tmp_path, fitted("late ~ age + known", frame), frame)
    said = re.findall(r"The probability of (.*?) is lowest, (\S+), at \S+ and highest, (\S+),", words(page))
    assert said
    assert all(label != "on time" and float(low) < float(high) for label, low, high in said)


@pytest.mark.parametrize("parameters", [{}, {"C": 1.0}, {"C": 0.1, "l1_ratio": 1.0}])
def test_several_classes(parameters, tmp_path):
    frame = table(1, labels=("early", "late", "on time"))
    model = fit_table("late ~ poly(age, 2) + carrier" if "l1_ratio" not in parameters else "late", frame, **parameters)
    page = written(tmp_path, model, frame)
    rows = grids(page)["Rows by class and by call"]
    counts = pd.crosstab(frame["late"], model.predict(frame)).reindex(columns=list(model.classes_), fill_value=0)
    assert [[int(cell.replace(",", "")) for cell in row[1:]] for row in rows[1:]] == counts.to_numpy().tolist()
    areas = grids(page)["Each class against the others"]
    for row, label, p in zip(areas[1:], model.classes_, model.predict_proba(frame).T, strict=True):
        assert row[0] == label
        assert float(row[2]) == pytest.approx(roc_auc_score(frame["late"] == label, p), abs=6e-4)


@pytest.mark.parametrize("kind", [pl.DataFrame, pa.table, np.asarray, sp.csr_array])
def test_models_of_arrays_and_frames_of_numbers(kind, tmp_path, undrawn):
    data = load_iris(as_frame=True)
    X, y = kind(dict(data.data)) if kind is pa.table else kind(data.data), (data.target == 2).to_numpy()
    page = written(tmp_path, LogisticRegression(C=1.0).fit(X, y), X, target=y)
    names = [row[0] for row in grids(page)["Columns of the model"][1:]]
    assert names == (["x0", "x1", "x2", "x3"] if kind in (np.asarray, sp.csr_array) else list(data.data.columns))
    assert ("evenodds predict" in words(page)) == (names[0] != "x0")


def test_a_frame_may_have_other_columns_and_its_labels(tmp_path):
    data = load_iris(as_frame=True).frame
    model = LogisticRegression(C=1.0).fit(data.iloc[:, 1:3], data["target"])
    page = written(tmp_path, model, data, target="target", title="Irises & <more>")
    assert page.find("head/title").text == "Irises & <more>"
    assert len(grids(page)["Columns of the model"]) == 3


def test_cross_validation_says_what_was_chosen(tmp_path):
    data = load_iris(as_frame=True)
    y = data.target == 1
    model = LogisticRegressionCV(Cs=8, cv=3, l1_ratios=(0.5, 1.0)).fit(data.data, y)
    page = written(tmp_path, model, data.data, target=y)
    assert f"C = {model.C_:.4g}" in words(page)
    assert any(
        svg.get("aria-label", "").startswith("Score of the rows left out") for svg in page.iter() if svg.get("role")
    )


@pytest.mark.parametrize("formula", ["y ~ x", "y ~ x + z", "y ~ f"])
def test_separated_classes(formula, tmp_path):
    frame = pd.DataFrame({"x": [1.0, 2, 3, 4, 5, 6] * 2, "z": [3.0, 1, 2, 2, 1, 3, 2, 2, 1, 4, 0, 1]})
    frame["y"], frame["f"] = np.where(frame["x"] > 3, "b", "a"), np.where(frame["x"] > 4, "sure", "open")
    page = written(tmp_path, fitted(formula, frame), frame)
    assert "The classes are separated" in words(page)
    if formula == "y ~ f":
        assert "Infinite are the coefficients of f[sure]" in words(page)


def test_dates_levels_that_are_one_and_certain_rows_of_several_classes(tmp_path, undrawn):
    frame = pd.DataFrame({"x": np.repeat([1.0, 2, 3], 10) + np.tile([0, 0.1], 15), "day": pd.Timestamp("2024-01-05")})
    frame["y"] = np.repeat(["a", "b", "c"], 10)
    page = written(tmp_path, fitted("y ~ x + month(day)", frame), frame)
    assert "Each row is certain" in words(page)
    assert ["day", "date", "", "2024-01-05 00:00:00 to 2024-01-05 00:00:00"] in grids(page)["Columns of the model"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        ridge = infer(fit_table("y ~ x + month(day)", frame, C=1.0), frame)
    assert [row[0] for row in grids(written(tmp_path, ridge, frame))["Tests of terms"]] == ["term", "x"]
    with pytest.raises(EvenOddsError, match="There is no coefficient to test"):
        ridge.test("month(day)")


@pytest.mark.parametrize("seed", range(5))
def test_hostile_names_are_text(seed, tmp_path):
    rng, draw = random.Random(seed), np.random.default_rng(seed)

    def some(count):
        names = {}
        while len(names) < count:
            names["".join(rng.choices(HOSTILE, k=rng.randint(1, 3)))] = None
        return [name.replace("\ud800", "") or "n" for name in names]

    names, levels, labels = some(4), some(4), some(2 + seed % 2)
    if len(set(names)) < 4 or len(set(labels)) < len(set(map(str, labels))):
        pytest.skip("two names are alike")
    frame = pd.DataFrame({names[0]: draw.normal(size=150), names[1]: draw.choice(levels, 150)})
    frame[names[2]], frame[names[3]] = draw.choice(labels, 150), draw.normal(size=150)
    page = written(tmp_path, fitted(names[2], frame), frame)
    shown = [row[0] for row in grids(page)["Columns of the model"][1:]]
    for name, seen in zip([names[0], names[1], names[3]], shown, strict=True):
        whole = " ".join((name if name.isprintable() and name.strip() else repr(name)).split())
        head, _, tail = seen.partition("…")
        assert whole == seen or (whole.startswith(head) and whole.endswith(tail) and len(whole) > 60)


def test_very_many_levels_and_columns_are_folded(tmp_path):
    rng = np.random.default_rng(0)
    n = 3000
    frame = pd.DataFrame({f"x{j}": rng.normal(size=n) for j in range(70)})
    frame["f"] = rng.integers(0, 200, n).astype(str)
    frame["y"] = (frame["x3"] + rng.logistic(size=n) > 0).astype(int)
    page = written(tmp_path, fit_table("y", frame, C=1.0), frame)
    found = grids(page)
    assert len(found["Columns of the model, the first 50 of 71"]) == 51
    assert "120 more coefficients, which are nearer to no effect, are not shown" in words(page)
    assert len(list(page.iter("figure"))) < 15
    frame["f"] = (np.arange(n) % 1500).astype(str)
    again = written(tmp_path, fit_table("y ~ f", frame, C=1.0), frame)
    assert "1,499 of 1,499" in words(again)
    assert "1,350 more coefficients, which are nearer to no effect, are not shown" in words(again)


def test_columns_that_need_too_large_a_matrix_have_no_errors(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1001))
    y = (X[:, 3] + rng.logistic(size=300) > 0).astype(int)
    page = written(tmp_path, LogisticRegression(C=0.01).fit(X, y), X, target=y)
    assert "1,001 coefficients are too many for a matrix of covariances" in words(page)


@pytest.mark.parametrize("cost", [(1, 9), (0.5, 0.125)])
def test_calls_are_at_the_threshold_that_the_costs_make(cost, tmp_path, undrawn):
    frame = table(3)
    model = fit_table("late", frame)
    page = written(tmp_path, model, frame, cost=cost)
    threshold = cost[0] / sum(cost)
    called, own = model.predict_proba(frame)[:, 1] >= threshold, frame["late"] == "yes"
    rows = grids(page)["Rows by class and by call"]
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == [
        [np.sum(~own & ~called), np.sum(~own & called)],
        [np.sum(own & ~called), np.sum(own & called)],
    ]
    loss = np.mean(~own & called) * cost[0] + np.mean(own & ~called) * cost[1]
    assert f"costs {loss:.4g} a row" in words(page)
    chosen = [row for row in grids(page)["What thresholds would do"] if row[0] == f"{threshold:.3g}"]
    assert len(chosen) == 1
    assert float(chosen[0][-1]) == pytest.approx(loss, rel=1e-3)
    assert chosen[0][2] == f"{100 * np.mean(called[own]):.1f}%"


def test_the_numbers_are_those_of_the_model(tmp_path, undrawn):
    frame = table(4)
    model = fit_table("late ~ bs(age, df=4) + carrier", frame)
    result = infer(model, frame)
    page = written(tmp_path, result, frame)
    p, own = model.predict_proba(frame)[:, 1], frame["late"] == "yes"
    said = words(page)
    assert f"area {roc_auc_score(own, p):.3f} for yes" in said
    assert f"average precision {average_precision_score(own, p):.3f} for yes" in said
    assert f"{np.mean((p - own) ** 2):.4f}" in said
    assert f"{np.mean(-np.log(np.where(own, p, 1 - p))):.4f}" in said
    found = grids(page)
    rows = {row[0]: row[1:] for row in found["Logistic regression of yes against no"][1:]}
    assert rows["carrier[AA]"] == ["reference"]
    for name, ratio, se in zip(result.names, result.odds_ratio, result.se, strict=True):
        assert float(rows[name][0]) == pytest.approx(ratio, rel=0.05)
        assert float(rows[name][4]) == pytest.approx(se, rel=1e-3)
    tests = {row[0]: row[1:] for row in found["Tests of terms"][1:]}
    for name in ("carrier", "age (non-linear)"):
        assert float(tests[name][0]) == pytest.approx(result.test(name).statistic, rel=1e-3)
    curve = found["Numbers of carrier"]
    hand = pd.DataFrame({"carrier": ["AA", "DL", "UA"], "age": frame["age"].mean()})
    for row, told in zip(curve[1:], result.predict(hand).itertuples(), strict=True):
        assert row[1] == f"{told.probability:.3g} ({told.lower:.3g} to {told.upper:.3g})"
    assert " ".join(to_sql(model).split()) in said
    first = found["The most influential rows"][1]
    cook = result.influence(frame)["cooks_distance"]
    assert int(first[0]) == cook.argmax()
    assert float(first[5]) == pytest.approx(cook.max(), rel=0.01)
    bins = found["Numbers of Calibration"][1:]
    assert sum(int(row[0]) for row in bins) == len(frame)
    assert sum(int(row[0]) * float(row[2]) for row in bins) == pytest.approx(own.sum(), rel=0.01)


def test_rows_left_out_weights_and_offsets_are_told(tmp_path, undrawn):
    frame = table(5)
    frame["w"], frame["o"] = np.tile([1.0, 2.0], 150), 0.3
    frame.loc[:19, "age"], frame.loc[30:34, "late"], frame.loc[40:42, "w"] = np.nan, None, 0.0
    model = fit_table("late ~ age + carrier", frame, missing="drop", weight="w", offset="o")
    page = written(tmp_path, model, frame)
    assert "28 of 300 rows are left out" in words(page)
    assert "Rows have weights, from the column w" in words(page)
    assert "Scores have offsets, from the column o" in words(page)
    kept = frame.dropna()
    z = model.decision_function(kept) + 0.3
    area = roc_auc_score(kept["late"] == "yes", z, sample_weight=kept["w"])
    assert f"area {area:.3f} for yes" in words(page)
    rows = grids(page)["Rows by class and by call"]
    total = sum(float(cell.replace(",", "")) for row in rows[1:] for cell in row[1:])
    assert total == pytest.approx(kept["w"].sum())
    by_age = next(row for row in grids(page)["Columns of the model"] if row[0] == "age")
    assert by_age[2] == "20"


def test_the_same_fit_gives_the_same_page_and_no_half_written_file(tmp_path):
    frame = table(6)[["age", "late"]]
    model = fit_table("late", frame)
    pages = [write_report(model, frame, tmp_path / f"{k}.html").read_bytes() for k in range(2)]
    assert pages[0] == pages[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.html", "1.html"]
    with pytest.raises(OSError, match="No such file"):
        write_report(model, frame, tmp_path / "none" / "report.html")


def test_what_cannot_be_reported(tmp_path):
    frame = table(7)
    X = frame[["age"]]
    model = LogisticRegression(C=1.0).fit(X, frame["late"])
    path = tmp_path / "report.html"
    for args, options, told in (
        ((model, X), {}, "give target="),
        ((model, frame), {"target": "lat"}, "There is no column 'lat'. Did you mean 'late'"),
        ((model, frame[["late"]]), {"target": "late"}, "has no column 'age'"),
        ((model, X), {"target": frame["late"].head(7)}, "X has 300 rows, y 7"),
        ((model, X), {"target": ["no", "other"] * 150}, "labels that are not in classes"),
        ((model, frame), {"target": "late", "cost": (1, 0)}, "cost is a pair of positive numbers"),
        ((model, frame), {"target": "late", "cost": 3}, "cost is a pair of positive numbers"),
        ((LogisticRegression(), X), {}, "not fitted"),
        (("model.json", X), {}, "takes a fitted LogisticRegression, got a str"),
    ):
        with pytest.raises(EvenOddsError, match=told):
            write_report(*args, path, **options)
    several = table(8, labels=("a", "b", "c"))
    with pytest.raises(EvenOddsError, match="cost is of two classes"):
        write_report(fit_table("late", several), several, path, cost=(1, 2))
    assert not path.exists()


def test_rows_of_one_class(tmp_path, undrawn):
    frame = table(9)
    model = fit_table("late", frame)
    page = written(tmp_path, model, frame[frame["late"] == "yes"])
    assert "All rows are of one class" in words(page)


def test_levels_that_no_page_can_hold_are_written_as_text(tmp_path):
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"f": rng.choice(["\x00", "\x1b[31m", "ok"], 60), "y": rng.integers(0, 2, 60)})
    page = write_report(fit_table("y", frame, C=1), frame, path=tmp_path / "r.html").read_text(encoding="utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", page)


@pytest.mark.parametrize("labels", [("no", "yes"), ("no", "late", "yes")])
def test_a_factor_of_very_many_levels_is_summed_up(labels, tmp_path):
    rng = np.random.default_rng(0)
    frame = table(n=9000, labels=labels)
    frame["city"] = rng.integers(1200, size=len(frame)).astype(str)
    model = fit_table("late", frame, C=1.0)
    page = read(write_report(model, frame, tmp_path / "report.html"))
    (summary,) = [one for one in page.iter("table") if one.findtext("caption") == "Coefficients of levels"]
    rows = [["".join(cell.itertext()) for cell in row] for row in summary.iter("tr")][1:]
    result = infer(model, frame)
    coef = result.coef.reshape(len(result.listed), -1)
    at = [j for j, name in enumerate(result.names) if name.startswith("city[")]
    assert len(rows) == len(result.listed)
    for cells, own in zip(rows, coef, strict=True):
        assert cells[1] == f"{len(at):,} of {len(at):,}"
        assert float(cells[2]) == pytest.approx(own[at].std(), rel=0.01)
        assert cells[-1].startswith(result.names[at[int(own[at].argmax())]][5:-1])
        assert cells[-2].startswith(result.names[at[int(own[at].argmin())]][5:-1])
