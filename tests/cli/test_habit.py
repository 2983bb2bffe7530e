"""A model remembers how the text file of its fit was written: a file of the same kind needs no option any more."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from evenodds import diagnose, fit_table, load
from evenodds.cli import main


def run(capsys, *args):
    """The exit status, stdout and stderr of a command in this process."""
    with pytest.raises(SystemExit) as stop:
        main([str(arg) for arg in args])
    return (stop.value.code or 0, *capsys.readouterr())


def drawn(rng, n):
    """Numbers with thousands, decimals, codes that look like numbers, labels beyond ASCII, dates, and their label."""
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1400, n), "D")
    frame = pd.DataFrame(
        {
            "size": rng.integers(1000, 9000, n),
            "part": rng.integers(-9999, 9999, n) / 1000,
            "code": rng.choice(["01", "02", "13"], n),
            "town": rng.choice(["Łódź", "Ústí", "plain"], n),
            "day": days,
        }
    )
    slope = frame["size"] / 4000 + frame["part"] / 5 + (frame["town"] == "plain") - 1
    return frame.assign(late=np.where(rng.random(n) < 1 / (1 + np.exp(-slope)), "yes", "no"))


SPELLINGS = list(
    itertools.product([",", ";", "\t", "^", "|"], [".", ","], ["utf-8", "cp1250", "utf-16-le"], ["dmy", "mdy"])
)


def written(frame, separator, decimal, encoding, order, missing=None):
    """The text of a file, each number with its decimal sign and the other one between thousands."""
    group = "," if decimal == "." else "."

    def number(value, digits):
        text = f"{value:,.{digits}f}".replace(",", "_").replace(".", decimal).replace("_", group)
        return f'"{text}"' if separator in text else text

    day = {"dmy": "%d/%m/%Y", "mdy": "%m/%d/%Y"}[order]
    lines = [separator.join(frame.columns)]
    for k, row in enumerate(frame.itertuples(index=False)):
        cells = [number(row.size, 0), number(row.part, 3), row.code, row.town, row.day.strftime(day)]
        if missing is not None and k == 0:
            cells[1] = missing
        lines.append(separator.join([*cells, *row[5:]]))
    return ("\n".join(lines) + "\n").encode(encoding)


@pytest.mark.parametrize(("seed", "memory"), [(0, "1KB"), (1, "1GB"), (2, "1KB"), (3, "1GB"), (4, "1GB")])
def test_a_file_of_the_kind_of_the_fit_needs_no_option(seed, memory, tmp_path, monkeypatch, capsys):
    """Read as a whole or batch by batch."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(seed)
    spelling = SPELLINGS[rng.integers(len(SPELLINGS))]
    separator, decimal, encoding, order = spelling
    frame = drawn(rng, 120)
    (tmp_path / "old.csv").write_bytes(written(frame, *spelling, missing="none told"))
    options = ["--separator", separator, "--decimal", decimal, "--encoding", encoding, "--dates", order]
    options += ["--missing-text", "none told", "--text", "code", "--missing", "drop", "--memory", memory]
    formula = "size + part + code + town + weekday(day)"
    status, _, err = run(capsys, "fit", "old.csv", "--target", "late", "--formula", formula, *options, "--model", "m")
    assert status == 0, err
    model = load("m")
    for n in (1, 3, 40):
        new = drawn(rng, n).drop(columns="late")
        (tmp_path / "new.csv").write_bytes(written(new, *spelling, missing="none told" if n > 1 else None))
        status, _, err = run(capsys, "predict", "m", "new.csv", "--out", "scored.parquet", "--memory", memory)
        assert status == 0, (spelling, err)
        assert ("batch by batch" in err) == (memory == "1KB" and n == 40)
        told = new.assign(part=new["part"].where((np.arange(n) > 0) | (n == 1)))
        np.testing.assert_allclose(
            pd.read_parquet("scored.parquet")["probability"].astype(float), model.predict_proba(told)[:, 1], rtol=1e-12
        )


def test_a_file_of_another_kind_is_seen_to_be_one_and_an_option_wins(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"x": rng.normal(size=90), "town": ["Łódź", "b", "c"] * 30, "y": [0, 1] * 45})
    german = frame.assign(x=[f"{x:.3f}".replace(".", ",") for x in frame["x"]])
    german.to_csv("german.csv", sep=";", index=False, encoding="cp1250")
    status, _, err = run(capsys, "fit", "german.csv", "--target", "y", "--encoding", "cp1250", "--model", "m")
    assert status == 0, err
    expected = load("m").predict_proba(frame.round(3))[:, 1]
    kinds = {
        "same": {"sep": ";", "decimal": ",", "encoding": "cp1250"},
        "plain": {},
        "tabs": {"sep": "\t", "encoding": "utf-16"},
        "half": {"sep": ";"},
    }
    for name, how in kinds.items():
        frame.drop(columns="y").round(3).to_csv("new.csv", index=False, **how)
        status, _, err = run(capsys, "predict", "m", "new.csv", "--out", "scored.parquet")
        assert status == 0, (name, err)
        np.testing.assert_allclose(pd.read_parquet("scored.parquet")["probability"].astype(float), expected, rtol=1e-12)
    # One row, whose number can be read in two ways: by the habit in a file of the kind, else by its user alone.
    (tmp_path / "one.csv").write_text("x;town\n1.234;b\n", encoding="cp1250")
    scores = []
    for options in ([], ["--decimal", "."]):
        assert run(capsys, "predict", "m", "one.csv", "--out", "scored.parquet", *options)[0] == 0
        scores.append(float(pd.read_parquet("scored.parquet")["probability"][0]))
    exact = load("m").predict_proba(pd.DataFrame({"x": [1234.0, 1.234], "town": "b"}))[:, 1]
    np.testing.assert_allclose(scores, exact, rtol=1e-12)
    (tmp_path / "one.csv").write_text("x,town\n1.234,b\n")
    assert run(capsys, "predict", "m", "one.csv", "--out", "scored.parquet")[0] == 0
    assert float(pd.read_parquet("scored.parquet")["probability"][0]) == pytest.approx(exact[1], rel=1e-12)


@pytest.mark.parametrize(
    "entry",
    [
        {"separator": ";;"}, {"separator": '"'}, {"separator": "\n"}, {"separator": "\t\n"}, {"decimal": ";"},
        {"dates": {"a": "ydm"}}, {"dates": []}, {"missing_text": "NA"}, {"text": [1]}, {"encoding": 8}, {"more": 1},
    ],
)  # fmt: skip
def test_a_hostile_habit_is_one_error(entry, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"x": [1.5, 2, 3, 4], "y": [0, 1, 0, 1]}).to_csv("plain.csv", index=False)
    run(capsys, "fit", "plain.csv", "--target", "y", "--model", "m")
    record = json.loads((tmp_path / "m").read_text())
    record["design"]["spelling"] |= entry
    (tmp_path / "m").write_text(json.dumps(record))
    status, out, err = run(capsys, "predict", "m", "plain.csv")
    assert (status, out) == (1, "")
    assert err.startswith('Error: m is not a model that this evenodds can read: "design", "spelling"')


SAVED = {
    "saved": lambda frame: frame,
    "of some rows": lambda frame: frame.sample(frac=0.7, random_state=1),
    "twice": lambda frame: frame.reset_index(names="Unnamed: 0"),
    "names of rows": lambda frame: frame.set_index(pd.Index([f"case {k}" for k in range(len(frame))])),
    "one below the other": lambda frame: pd.concat([frame, frame]),
    "from one": lambda frame: frame.set_index(pd.RangeIndex(1, len(frame) + 1)),
}


@pytest.mark.parametrize("how", SAVED)
def test_the_index_of_a_data_frame_is_no_predictor(how, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"x": rng.normal(size=60).round(3), "late": rng.integers(0, 2, 60)})
    saved = SAVED[how](frame)
    saved.to_csv("saved.csv")
    for formula in ([], ["--formula", "."]):
        status, out, err = run(capsys, "fit", "saved.csv", "--target", "late", *formula, "--json")
        assert status == 0, err
        assert json.loads(out)["names"] == ["(intercept)", "x"]
        assert "looks like the index of a data frame" in err
    status, out, err = run(capsys, "diagnose", "saved.csv", "--target", "late")
    assert status == 0, err
    assert "looks like the index" in " ".join(out.split())
    read = pd.read_csv("saved.csv")
    with pytest.warns(UserWarning, match="looks like the index"):
        model = fit_table("late", read)
    assert model.design_.names == ("x",)
    assert {finding.kind for finding in diagnose(read, "late").findings if "Unnamed: 0" in finding.columns} == {
        "identifier"
    }


def test_a_column_without_a_name_that_is_no_index_is_named_by_its_place(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.csv").write_text("x,,y\n1,2.5,0\n2,1.5,1\n3,2.5,0\n1,1.5,1\n")
    status, _, err = run(capsys, "fit", "odd.csv", "--target", "y")
    assert status == 1
    assert err.startswith("Error: odd.csv: column 1 (counted from 0) has no name, and holds 2.5 in row 0.")
    assert run(capsys, "fit", "odd.csv", "--target", "y", "--drop", "")[0] == 0


def test_a_formula_may_name_an_index_and_a_year_is_none():
    frame = pd.DataFrame({"Unnamed: 0": range(40), "year": range(1980, 2020), "y": [0, 1, 1, 0] * 10})
    assert fit_table("y ~ `Unnamed: 0`", frame).design_.names == ("Unnamed: 0",)
    assert fit_table("y", frame[["year", "y"]]).design_.names == ("year",)


def test_show_says_how_the_file_was_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("x;y\n1,5;0\n2,5;1\n3,5;0\nnone;1\n4,5;1\n", encoding="utf-16")
    run(capsys, "fit", "a.csv", "--target", "y", "--missing-text", "none", "--missing", "drop", "--model", "m")
    out = run(capsys, "show", "m")[1]
    assert "written  utf-16-le, ; between cells, decimal commas, 'none' for a missing value" in out
