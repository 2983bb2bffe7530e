"""`diagnose`: each defect planted into random tables is found and named; clean tables have no finding."""

import json
import os
import shutil
from itertools import combinations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.optimize import linprog
from scipy.special import expit

from evenodds import EvenOddsError, diagnose
from evenodds.cli import main

HOSTILE = ["x", "odd name", 'it\'s "so"', "two\nlines", "<b>`x`</b>", "π 🎲", "=1+1; DROP TABLE t"]


def clean(seed, n=None, classes=2):
    """A table without a defect: independent columns, and log odds that are a line along each number."""
    rng = np.random.default_rng(seed)
    n = n or int(rng.integers(400, 1200)) * classes
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "weight": rng.normal(70, 12, n).round(2),
            "dose": rng.gamma(3, 2, n),
            "ward": rng.choice(["east", "north", "west"], n),
            "smokes": rng.random(n) < 0.3,
        }
    )
    score = 0.02 * (frame["age"] - 54) + 0.1 * (frame["dose"] - 6) + 0.4 * (frame["ward"] == "east")
    if classes == 2:
        y = (rng.random(n) < expit(score)).astype(int)
    else:
        y = (np.outer(score, np.arange(classes)) + rng.gumbel(size=(n, classes))).argmax(axis=1)
    return frame.assign(ill=np.array(["no", "yes", "perhaps"])[y]), rng


def answer(frame):
    return (frame["ill"] == "yes").to_numpy()


def some(rng, n, share):
    rows = rng.random(n) < share
    rows[:2] = True, False
    return rows


def dates(rng, n, form):
    return pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D")).dt.strftime(form)


# Each makes of a clean table the values of one more column, of which something is wrong.
COLUMNS = {
    "leakage": [
        lambda f, rng: answer(f) + rng.normal(0, 0.25, len(f)),
        lambda f, rng: np.where(rng.random(len(f)) < 0.002, "a", np.where(answer(f), "b", "a")),
        lambda f, rng: (answer(f) - 0.5) * rng.uniform(-1e-3, 2, len(f)) * -1,
        lambda f, rng: (1 + answer(f)) * rng.choice([-1, 1], len(f)) + rng.normal(0, 0.15, len(f)),
    ],
    "separation": [
        lambda f, rng: answer(f) & (rng.random(len(f)) < 0.2),
        lambda f, rng: np.where(~answer(f) & (rng.random(len(f)) < 0.1), "sure", rng.choice(["a", "b"], len(f))),
        lambda f, rng: answer(f) * rng.random(len(f)) + rng.integers(0, 2, len(f)) * answer(f),
    ],
    "sentinel": [
        lambda f, rng: np.where(some(rng, len(f), 0.02), -999, rng.integers(0, 50, len(f))),
        lambda f, rng: np.where(some(rng, len(f), 0.1), -99.0, rng.gamma(2, 2, len(f))),
        lambda f, rng: np.where(some(rng, len(f), 0.05), 9999, rng.normal(100, 30, len(f))),
        lambda f, rng: np.where(some(rng, len(f), 0.05), 99, rng.integers(1, 6, len(f))),
        lambda f, rng: np.where(some(rng, len(f), 0.1), "?", rng.choice(["a", "b"], len(f))),
        lambda f, rng: np.where(some(rng, len(f), 0.1), " N/A", rng.choice(["a", "b"], len(f))),
    ],
    "spelling": [
        lambda f, rng: np.where(some(rng, len(f), 0.1), "Mild ", rng.choice(["mild", "slight", "severe"], len(f))),
        lambda f, rng: rng.choice(["NEW  YORK", "New York", "Boston"], len(f)),
    ],
    "identifier": [
        lambda f, rng: np.arange(1, len(f) + 1),
        lambda f, rng: rng.permutation(len(f)) + 7_000_000,
        lambda f, rng: np.sort(rng.choice(10**9, len(f), replace=False)),
        lambda f, rng: [f"case {k:x}" for k in rng.choice(10**6, len(f), replace=False)],
    ],
    "number as text": [
        lambda f, rng: [f"{x:,.2f}" for x in rng.lognormal(8, 2, len(f))],
        lambda f, rng: [f"{x:.1f}".replace(".", ",") for x in rng.normal(0, 9, len(f))],
        lambda f, rng: [f"${x}" for x in rng.integers(1, 400, len(f))],
        lambda f, rng: [f"{x} %" for x in rng.integers(1, 100, len(f))],
        lambda f, rng: [f"{x} years" for x in rng.integers(18, 90, len(f))],
        lambda f, rng: [f"{x:.1f}kg" for x in rng.normal(70, 9, len(f))],
        lambda f, rng: np.where(some(rng, len(f), 0.1), "none given", rng.integers(1, 90, len(f)).astype(str)),
    ],
    "date as text": [
        lambda f, rng: dates(rng, len(f), "%Y-%m-%d"),
        lambda f, rng: dates(rng, len(f), "%d.%m.%Y"),
        lambda f, rng: dates(rng, len(f), "%m/%d/%y"),
        lambda f, rng: dates(rng, len(f), "%Y-%m-%dT%H:%M:%S"),
    ],
    "date": [lambda f, rng: pd.to_datetime(dates(rng, len(f), "%Y-%m-%d"))],
    "missing": [
        lambda f, rng: np.where(some(rng, len(f), 0.02), np.nan, rng.normal(size=len(f))),
        lambda f, rng: pd.Series(rng.choice(["a", "b"], len(f))).mask(some(rng, len(f), 0.2)),
        lambda f, rng: np.where(some(rng, len(f), 0.8), np.nan, rng.normal(size=len(f))),
    ],
    "infinity": [lambda f, rng: np.where(some(rng, len(f), 0.02), -np.inf, rng.normal(size=len(f)))],
    "high cardinality": [lambda f, rng: [f"city {k}" for k in rng.integers(0, len(f) // 10, len(f))]],
    "constant": [
        lambda f, rng: np.full(len(f), 3.5),
        lambda f, rng: ["same"] * len(f),
        lambda f, rng: np.full(len(f), np.nan),
    ],
    "duplicate": [lambda f, rng: f["dose"], lambda f, rng: f["ward"].str.upper()],
    "collinear": [
        lambda f, rng: 2 * f["dose"] - 3 * f["weight"] + 1,
        lambda f, rng: f["weight"] + rng.normal(0, 0.5, len(f)),
        lambda f, rng: (f["ward"] == "east").astype(int),
    ],
    "scale": [lambda f, rng: rng.normal(0, 1e7, len(f)), lambda f, rng: 1e9 + rng.normal(0, 1, len(f))],
    "unreadable": [lambda f, rng: pd.Series([1, "one"] * len(f), dtype=object)[: len(f)]],
}
PLANTED = [(kind, plant) for kind, plants in COLUMNS.items() for plant in plants]
ALSO = {  # what may be said of the same column besides
    "leakage": {"separation", "rare class"},
    "separation": {"leakage"},
    "high cardinality": {"rare class", "separation"},
    "sentinel": {"separation"},
    "missing": set(),
}


def kinds(found):
    return {one.kind for one in found.findings}


@pytest.mark.parametrize("seed", range(30))
def test_clean_tables_have_no_finding(seed):
    frame, _ = clean(seed, classes=2 + seed % 2)
    found = diagnose(frame, "ill")
    assert found.findings == ()
    assert str(found).startswith(f"No findings in {len(frame):,} rows; target 'ill': 'no' ")
    assert found.rows_of_class == frame["ill"].value_counts().sort_index().to_dict()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("place", range(len(PLANTED)), ids=lambda k: f"{PLANTED[k][0]} {k}")
def test_a_planted_column_is_found_and_named(place, seed):
    kind, plant = PLANTED[place]
    frame, rng = clean(1000 + 97 * place + seed)
    name = HOSTILE[(place + seed) % len(HOSTILE)]
    frame.insert(int(rng.integers(0, 5)), name, np.asarray(plant(frame, rng)))
    found = diagnose(frame, "ill")
    assert any(one.kind == kind and name in one.columns for one in found.findings), found
    assert kinds(found) <= {kind} | ALSO.get(kind, set()), found
    for one in found.findings:
        assert one.kind == "rare class" or name in one.columns
        assert one.advice.endswith(".")
        assert all(repr(column) in one.what or column == "ward" for column in one.columns), one
    assert all(line.isprintable() for line in str(found).split("\n"))


@pytest.mark.parametrize("seed", range(6))
def test_what_is_wrong_with_rows_and_labels(seed):
    frame, _ = clean(2000 + seed)
    again = diagnose(pd.concat([frame, frame.iloc[:7]]).sample(frac=1, random_state=seed), "ill")
    assert [(one.kind, one.what.split()[0]) for one in again.findings] == [("repeated rows", "7")]
    unlabelled = diagnose(frame.assign(ill=frame["ill"].mask(np.arange(len(frame)) < 5)), "ill")
    assert [(one.kind, one.columns) for one in unlabelled.findings] == [("no label", ("ill",))]
    rare = pd.concat([frame[frame["ill"] == "no"], frame[frame["ill"] == "yes"].iloc[: 20 + seed]])
    (one,) = [one for one in diagnose(rare, "ill").findings if one.kind == "rare class"]
    few = 20 + seed
    assert one.what == f"The rarest label, 'yes', has {few} rows, {few / 6:.2g} for each of 6 coefficients; 10 are few."


def test_levels_that_only_look_like_measures_or_twins():
    """Letters behind a number are a unit only where all are the same."""
    frame, rng = clean(7)
    for levels in (["1A", "2B", "3C"], ["1st", "2nd", "3rd"], ["type 1", "type 2"], ["2 doors", "4 doors"]):
        assert diagnose(frame.assign(kind=rng.choice(levels, len(frame))), "ill").findings == ()


@pytest.mark.parametrize("other", ["Yes", " yes", "YES "])
def test_labels_in_several_spellings(other):
    frame, rng = clean(8)
    some_yes = (frame["ill"] == "yes") & (rng.random(len(frame)) < 0.5)
    found = diagnose(frame.assign(ill=frame["ill"].mask(some_yes, other)), "ill").findings
    assert [(one.kind, one.columns) for one in found if one.kind != "rare class"] == [("spelling", ("ill",))]
    assert repr(other) in found[0].what
    assert "'yes'" in found[0].what


@pytest.mark.parametrize("seed", range(12))
def test_curves_and_directions(seed):
    frame, rng = clean(3000 + seed, n=1500)
    x = rng.normal(size=1500)
    curve = [x**2 - 1, 2 * (np.abs(x) < 0.6), 2 * np.maximum(x, 0), np.sin(3 * x)][seed % 4]
    bent = frame.assign(**{"bent x": x, "ill": rng.random(1500) < expit(1.2 * curve)})
    assert [(one.kind, one.columns) for one in diagnose(bent, "ill").findings] == [("non-linear", ("bent x",))]
    u, v = rng.normal(size=(2, 1500))
    split = frame.assign(u=u, v=v, ill=u - v + 0.1 > 0)
    (one,) = [one for one in diagnose(split, "ill").findings if one.kind == "separation"]
    assert one.columns == ("u", "v")
    assert "taken together" in one.what


def test_the_most_harmful_comes_first():
    frame, rng = clean(5)
    for place, (kind, plant) in enumerate(PLANTED):
        if kind not in ("unreadable", "leakage"):
            frame[f"{kind} {place}"] = np.asarray(plant(frame[["age", "weight", "dose", "ward", "ill"]], rng))
    text = str(diagnose(frame, "ill"))
    order = [
        text.index(word) for word in ("Wrong answers", "separation", "What a fit", "missing  ", "What makes", "scale  ")
    ]
    assert order == sorted(order)


@pytest.mark.parametrize("seed", range(8))
def test_frames_of_all_packages_say_the_same(seed):
    frame, rng = clean(4000 + seed, n=600, classes=2 + seed % 2)
    for place in rng.choice(len(PLANTED), 5, replace=False):
        if PLANTED[place][0] != "unreadable":
            frame[HOSTILE[place % len(HOSTILE)]] = np.asarray(PLANTED[place][1](frame, rng))
    table = pa.Table.from_pandas(frame, preserve_index=False)
    found = diagnose(frame, "ill")
    assert diagnose(table, "ill") == diagnose(pl.from_arrow(table), "ill") == found
    assert diagnose(frame.set_index(pd.Index(rng.permutation(len(frame)))), "ill") == found


def test_wrong_questions():
    frame, _ = clean(6)
    with pytest.raises(EvenOddsError, match="Did you mean 'ill'"):
        diagnose(frame, "il")
    with pytest.raises(EvenOddsError, match="takes a frame"):
        diagnose([[1, 2]], "ill")
    with pytest.raises(EvenOddsError, match=r"'weight' holds .* different values"):
        diagnose(frame, "weight")
    with pytest.raises(EvenOddsError, match="holds 1 different values"):
        diagnose(frame.assign(ill="no"), "ill")
    assert diagnose(frame[["ill"]], "ill").findings == ()


def test_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shutil, "get_terminal_size", lambda fallback: os.terminal_size(fallback))
    frame, rng = clean(7)
    frame["two\nlines"] = np.where(some(rng, len(frame), 0.1), np.nan, rng.normal(size=len(frame)))
    frame["k"] = 1
    frame.to_csv(path := tmp_path / "table.csv", index=False)

    def said(*args):
        with pytest.raises(SystemExit) as end:
            main(["diagnose", str(path), *args])
        return end.value.code, *capsys.readouterr()

    code, out, err = said("--target", "ill")
    assert (code, err) == (0, "")
    assert out.startswith("2 findings in ")
    assert r"'two\nlines' has no value in " in out
    assert "--missing drop or --missing indicator" in " ".join(out.split())
    code, out, _ = said("--target", "ill", "--drop", "k", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["classes"] == ["no", "yes"]
    assert facts["rows_of_class"] == frame["ill"].value_counts().sort_index().tolist()
    assert [(one["kind"], one["columns"]) for one in facts["findings"]] == [("missing", ["two\nlines"])]
    assert said("--target", "nothing")[0] == 1
    assert said("--target", "ill", "--drop", "ill")[0] == 2
    assert said()[0] == 2


def test_factors_of_very_many_levels_stand_aside():
    frame, rng = clean(8, n=24_000)
    frame["street"] = [f"s{k}" for k in rng.integers(0, 1100, len(frame))]
    found = diagnose(frame.assign(sure=answer(frame) & (rng.random(len(frame)) < 0.1)), "ill").findings
    assert {("separation", ("sure",)), ("undecided", ("street",))} <= {(one.kind, one.columns) for one in found}


def separates(frame, columns, y):
    """Albert and Anderson's linear programme: a direction that no row contradicts and some row follows."""
    rows = np.column_stack([np.ones(len(frame)), frame[list(columns)]]) * np.where(y, 1.0, -1.0)[:, None]
    found = linprog(-rows.sum(axis=0), A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=[(-1, 1)] * rows.shape[1])
    return -found.fun > 1e-7


@pytest.mark.parametrize("seed", range(40))
def test_of_a_set_that_separates_no_column_can_be_left_out(seed):
    rng = np.random.default_rng(seed)
    n, p = rng.integers(12, 60), rng.integers(2, 6)
    names = list("abcde"[:p])
    frame = pd.DataFrame(rng.integers(-2, 4, (n, p)), columns=names)
    y = frame.to_numpy() @ rng.normal(size=p) + rng.choice([0, 0.5, 1]) * rng.normal(size=n) > 0
    y[:2] = True, False
    sets = [one.columns for one in diagnose(frame.assign(y=y), "y").findings if one.kind == "separation"]
    for columns in sets:
        assert separates(frame, columns, y)
        assert not any(separates(frame, fewer, y) for fewer in combinations(columns, len(columns) - 1) if fewer)
    assert not separates(frame, [name for name in names if not any(name in columns for columns in sets)], y)
