"""Text, factors, dates and missing values in what is scanned: the fit of the table in memory, or one clear error."""

import datetime
import os
import time
import warnings

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from evenodds import EvenOddsError, LogisticRegression, find_separation, fit_table, infer, load, path, save, scan
from evenodds.exceptions import CollinearWarning
from homes import SCANNED

WRITERS = {name: made._write for name, made in SCANNED.items() if name in ("parquet", "arrow", "csv")}
FORMULAS = (
    None,
    "y ~ x + z + c",
    "y ~ c + k + b",
    "y ~ bs(x, df=4) + C(z)",
    "y ~ center(x) * c",
    "y ~ scale(x) + poly(z, 2) + b:c",
    "y ~ cr(x, df=3) + month(d) + k",
    "y ~ c + weekday(d) - 1",
    "y ~ x + scale(center(z))",
)
ODD = ["AA", "a b", "é", "x,y", 'q"', "NÃ", "1a", "Zürich", "_", "[c]"]


def drawn(seed):
    """A table of numbers, text, a categorical, booleans and dates, some of them missing, with weights and an offset."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(200, 1200))
    levels = ODD[: int(rng.integers(2, len(ODD)))]
    columns = {
        "x": rng.normal(size=n) * 10.0 ** rng.integers(-2, 3) + rng.choice([0, 1e3]),
        "z": rng.integers(0, 6, n),
        "c": rng.choice(levels, n),
        "k": rng.choice(["lo", "mid", "hi"], n),
        "b": rng.random(n) < 0.4,
    }
    score = (columns["x"] - columns["x"].mean()) / columns["x"].std() + (columns["c"] == levels[0]) - 0.3 * columns["z"]
    y = np.where(score + rng.logistic(size=n) > -0.7, "yes", "no")
    gone = {name: rng.random(n) < rng.choice([0, 0, 0.05]) for name in columns}
    columns = {name: pa.array(values, mask=gone[name]) for name, values in columns.items()}
    if seed % 2:
        columns["k"] = columns["k"].dictionary_encode()
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(int(k)) for k in rng.integers(0, 400, n)]
    columns |= {"d": pa.array(days), "y": pa.array(y, mask=rng.random(n) < rng.choice([0, 0.03]))}
    columns |= {"w": pa.array(rng.integers(0, 3, n) * 0.5), "o": pa.array(rng.normal(0, 0.3, n))}
    missing = any(column.null_count for column in columns.values())
    policy = rng.choice(["drop", "indicator"]) if missing else "error"
    if policy == "indicator":
        columns["y"] = pa.array(y)
    return pa.table(columns), str(policy), rng


def fits(table, what, formula, policy, memory, spill, **roles):
    """The fit and its inference, in memory and of what is scanned."""
    own = {"missing": policy, "tol": 1e-9, **roles}
    if formula is None:
        table, what_columns = table.drop_columns(["d", *(name for name in "wo" if name not in roles.values())]), True
    else:
        what_columns = False
    formula = formula or "y"
    columns = [n for n in table.column_names if n not in ("y", *roles.values())] if what_columns else None
    scanned = scan(what, columns=columns, target="y", memory=memory, spill=spill, **roles)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollinearWarning)
        here, there = fit_table(formula, table, **own), fit_table(formula, scanned, **own)
    return here, infer(here, table), there, infer(there, scanned), scanned


def exactly(states):
    # What sums of batches tell is another number in the last digit.
    return {key: value for key, value in states.items() if key not in ("atoms", "fills")}


def as_pandas(frame):
    return frame.to_pandas() if hasattr(frame, "to_pandas") else frame


@pytest.mark.parametrize("seed", range(27))
def test_a_table_has_the_same_fit(seed, tmp_path):
    table, policy, rng = drawn(seed)
    formula = FORMULAS[seed % len(FORMULAS)]
    write = list(WRITERS.values())[seed % 3]
    if write is not WRITERS["parquet"]:  # an Arrow file holds one dictionary for all batches, and a CSV none
        table = table.set_column(3, "k", table["k"].cast(pa.string()))
    n = table.num_rows
    what = write(table, sorted(rng.integers(0, n, 3).tolist()), tmp_path) if seed % 4 else lambda: table
    roles = {"weight": "w", "offset": "o"} if seed % 5 == 0 else {}
    for memory, spill in ((1, seed % 3 > 0), ("1GB", False)):
        here, result, there, its, scanned = fits(table, what, formula, policy, memory, spill, **roles)
        away = np.abs(its.coef - result.coef) / (np.abs(result.coef) + np.nan_to_num(result.se))
        assert np.nan_to_num(away).max() <= 1e-10
        np.testing.assert_allclose(its.se, result.se, rtol=1e-10)
        assert (its.n_obs, its.names, there.aliased_) == (result.n_obs, result.names, here.aliased_)
        ours, theirs = (exactly(vars(model.design_)) for model in (there, here))
        assert {key: ours[key] for key in theirs if key in ours} == theirs
        np.testing.assert_allclose(there.predict_proba(scanned), here.predict_proba(table), rtol=1e-8)
        assert there.predict(scanned).tolist() == there.predict(table).tolist()


@pytest.mark.parametrize("policy", ["drop", "indicator"])
def test_all_that_follows_a_fit(policy, tmp_path):
    rng = np.random.default_rng(3)
    n = 900
    table = pa.table(
        {
            "x": pa.array(rng.normal(size=n), mask=rng.random(n) < 0.05),
            "z": rng.integers(0, 2, n) * 2.0 - 1,
            "c": pa.array(rng.choice(list("abc"), n), mask=rng.random(n) < 0.05),
            "w": rng.integers(0, 3, n) * 1.0,
            "g": [f"g{k % 30}" for k in range(n)],
            "y": rng.integers(0, 3, n),
        }
    )
    what = WRITERS["parquet"](table, (100, 100, 650), tmp_path)
    few, many = scan(what, memory=1), scan(what)
    own = {"missing": policy, "weight": "w", "positive": 2, "tol": 1e-10}
    formula = "y ~ scale(x) + log(z + 3) + c"
    here, there = fit_table(formula, table, **own), fit_table(formula, few, **own)
    assert there.classes_.tolist() == here.classes_.tolist() == ["not 2", "2"]
    for cov in ("HC1", "HC3", "cluster"):
        groups = (table["g"], "g") if cov == "cluster" else (None, None)
        result, its = (
            infer(m, f, cov=cov, groups=g) for m, f, g in zip((here, there), (table, few), groups, strict=True)
        )
        np.testing.assert_allclose(its.covariance, result.covariance, rtol=1e-7)
    for asked in ({}, {"at": {"c": "b"}}, {"at": {"x": 0.0}, "discrete": False}, {"kind": "eyex"}):
        every = ((result, table), (its, few), (its, many))
        effects = [as_pandas(answer.margins(rows, **asked)) for answer, rows in every]
        for other in effects[1:]:
            assert effects[0].iloc[:, 0].tolist() == other.iloc[:, 0].tolist()
            numbers = (frame.select_dtypes("number") for frame in (other, effects[0]))
            np.testing.assert_allclose(*numbers, rtol=1e-6, atol=1e-12)
    for answer in (
        lambda rows: its.influence(rows),
        lambda rows: its.margins(rows, at="mean"),
        lambda rows: its.predict(rows),
    ):
        frames = [as_pandas(answer(rows)) for rows in (many, table)]
        np.testing.assert_allclose(*(frame.select_dtypes("number") for frame in frames), rtol=1e-6, atol=1e-12)
        with pytest.raises(EvenOddsError, match=r"more than the 1 B of memory="):
            answer(few)
    save(its, tmp_path / "model.json")
    np.testing.assert_array_equal(load(tmp_path / "model.json").predict_proba(few), there.predict_proba(table))


@pytest.mark.parametrize("policy", ["drop", "indicator"])
@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_policies_hold_where_all_columns_are_numbers(policy, format, tmp_path):
    rng = np.random.default_rng(4)
    n = 300
    lost = rng.random(n) < 0.05
    table = pa.table(
        {
            "x": pa.array(rng.normal(size=n), mask=lost),
            "z": rng.normal(size=n),
            "w": rng.integers(0, 3, n) * 1.0,
            "g": np.arange(n) % 20,
            "y": rng.integers(0, 2, n),
        }
    )
    what = WRITERS[format](table, (100, 200), tmp_path)

    def rows():  # each time as if nobody had read them
        return scan(what, "y", columns=["x", "z"], weight="w")

    assert len(rows()) == n
    here, there = (fit_table("y ~ x + z", one, missing=policy, weight="w", tol=1e-10) for one in (table, rows()))
    for cov, groups in (("model", (None, None)), ("cluster", (table["g"], "g"))):
        result, its = (
            infer(m, f, cov=cov, groups=g) for m, f, g in zip((here, there), (table, rows()), groups, strict=True)
        )
        np.testing.assert_allclose(its.covariance, result.covariance, rtol=1e-7)
        for answer in ("influence", "margins", "predict", "calibration"):
            frames = [as_pandas(getattr(one, answer)(given)) for one, given in ((its, rows()), (result, table))]
            np.testing.assert_allclose(*(frame.select_dtypes("number") for frame in frames), rtol=1e-6, atol=1e-12)


def test_what_has_no_formula(tmp_path):
    rng = np.random.default_rng(5)
    n = 700
    table = pa.table({"x": rng.normal(size=n), "c": rng.choice(list("abc"), n), "y": rng.integers(0, 2, n)})
    rows, few = (table.select(["x", "c"]), table["y"]), scan(WRITERS["csv"](table, (300,), tmp_path), "y", memory=1)
    for setting in ({}, {"firth": True}, {"C": 0.5, "l1_ratio": 1.0}, {"C": 2.0, "standardize": True}):
        here, there = (LogisticRegression(**setting, tol=1e-9).fit(*given) for given in (rows, (few,)))
        np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-7, atol=1e-9)
        assert there.feature_names_in_.tolist() == ["x", "c"]
    assert find_separation(few).kind == find_separation(*rows).kind
    np.testing.assert_allclose(path(few, n_C=4).coefs, path(*rows, n_C=4).coefs, atol=1e-5)
    assert there.score(few) == there.score(*rows)
    assert len(few) == n


def test_the_reads_of_a_fit_and_its_inference(tmp_path, capsys):
    """One read learns the design, one surveys; inference takes two more, or three."""
    rng = np.random.default_rng(5)
    n = 4000
    table = pa.table({"x": rng.normal(size=n), "c": rng.choice(list("abc"), n), "y": rng.integers(0, 2, n)})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=1000)
    reads = []

    def counted():
        reads.append(1)
        return table.to_reader(max_chunksize=500)

    rows = scan(counted, "y", memory=1)
    model = LogisticRegression().fit(rows)
    assert len(reads) == 1 + 2 + model.solution_.passes  # the first looks at the names of the columns
    for cov, most in (("model", 2), ("HC1", 3)):
        before = len(reads)
        infer(model, rows, cov=cov)
        assert len(reads) - before <= most


# Faults


def written(folder, *tables):
    for k, table in enumerate(tables):
        parquet.write_table(table, folder / f"{'abc'[k]}.parquet", row_group_size=40)


def plain(n=100, **more):
    columns = {"x": np.arange(n) * 1.0, "c": ["u", "v"] * (n // 2), "y": ["no", "yes", "yes", "no"] * (n // 4)}
    return pa.table(columns | more)


LATE = pa.array(["u", "v"] * 40 + ["new"] + ["u"] * 19)
FAULTS = {
    "a missing level": (
        lambda f: written(f, plain(), plain(c=pa.array(["u"] * 66 + [None] + ["v"] * 33))),
        r"Column 'c' has a missing value, first in row 66 \(counted from 0\) of .*b\.parquet",
    ),
    "infinity": (
        lambda f: written(f, plain(x=np.where(np.arange(100) == 77, np.inf, 1.0))),
        r"'x' holds infinity, first in row 77 \(counted from 0\) of .*a\.parquet",
    ),
    "another type": (
        lambda f: written(f, plain(), plain(c=np.arange(100))),
        r"'c' is of type int64 in .*b\.parquet and of type string in .*a\.parquet",
    ),
    "a column missing": (lambda f: written(f, plain(), plain().drop_columns(["c"])), r"b\.parquet has no column 'c'"),
    "no labels": (
        lambda f: written(f, plain(y=pa.array(["no"] * 9 + [None] + ["yes"] * 90))),
        r"The column 'y' has a missing value, first in row 9 \(counted from 0\) of .*a\.parquet",
    ),
    "broken": (
        lambda f: (written(f, plain(), plain()), (f / "b.parquet").write_bytes(b"PAR1" + b"x" * 90)),
        r"b\.parquet cannot be read",
    ),
    "no rows": (lambda f: written(f, plain()[:0]), r"There are no rows"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("memory", [1, "1GB"])
def test_a_fault_is_told_with_its_file(fault, memory, tmp_path):
    make, message = FAULTS[fault]
    make(tmp_path)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(EvenOddsError, match=message) as raised:
        fit_table("y", scan(tmp_path, memory=memory))
    assert "\n" not in str(raised.value)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("unseen", ["error", "reference"])
def test_a_level_that_the_fit_has_not_seen(unseen, tmp_path):
    written(tmp_path, plain(c=LATE))
    model = fit_table("y ~ c", plain(), unseen=unseen)
    rows = scan(tmp_path, memory=1)
    if unseen == "error":
        with pytest.raises(EvenOddsError, match=r"holds 'new', first in row 80 \(counted from 0\) of .*a\.parquet"):
            model.predict_proba(rows)
    else:
        np.testing.assert_array_equal(model.predict_proba(rows), model.predict_proba(plain(c=LATE)))


def test_no_rows_are_lost_while_a_file_is_made(tmp_path, monkeypatch):
    """Threads that read on while another one makes the file for the rows."""
    from evenodds.data import stash

    made = stash.HiddenFile

    def slowly(folder):
        time.sleep(0.05)
        return made(folder)

    monkeypatch.setattr(stash, "HiddenFile", slowly)
    for name in "abc":
        csv.write_csv(plain(), tmp_path / f"{name}.csv")
    for memory in (1, 1500, 3000):
        model = fit_table("y ~ x + c", scan(tmp_path, memory=memory), n_jobs=3)
        assert model.solution_.n_rows == 300
