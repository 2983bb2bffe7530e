"""Rows in files, and whatever else gives Arrow batches: the same answers as in memory, or one error that says where."""

import gzip
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from evenodds import (
    EvenOddsError,
    LogisticRegression,
    LogisticRegressionCV,
    find_separation,
    fit_table,
    infer,
    path,
    scan,
)
from homes import SCANNED
from machine import needs_posix

RNG = np.random.default_rng(4)
N, P = 3000, 5
SPARSE_CUTS = (1, 7, 7, 900, 2900)
NAMES = [f"x{j}" for j in range(P)]


def table_of(n=N, labels=("no", "yes"), seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, P)) * [1, 1e3, 1e-3, 1, 1] + [0, 5, 0, -3, 0]
    X[:, 4] = rng.integers(0, 4, n)
    K = len(labels)
    eta = (X / [1, 1e3, 1e-3, 1, 1]) @ rng.normal(size=(P, K)) * 0.5
    y = (eta + rng.gumbel(size=(n, K))).argmax(axis=1)
    columns = {name: X[:, j] for j, name in enumerate(NAMES)}
    return pa.table(columns | {"y": np.array(labels)[y], "w": rng.integers(0, 3, n) * 0.5, "o": rng.normal(0, 0.3, n)})


def both(table, what, memory, spill=False, tol=1e-9, C=np.inf, **roles):
    """The fit and the inference in memory, and of what is scanned."""
    beside = [table[name].to_numpy() if name else None for name in (roles.get("weight"), roles.get("offset"))]
    X, y = table.select(NAMES), table["y"]
    here = LogisticRegression(tol=tol, C=C).fit(X, y, *beside)
    scanned = scan(what, target="y", columns=NAMES, memory=memory, spill=spill, **roles)
    there = LogisticRegression(tol=tol, C=C).fit(scanned)
    return (here, infer(here, X, y, *beside, cov="HC1")), (there, infer(there, scanned, cov="HC1"))


def require_equal(here, there, rtol=1e-10):
    (model, result), (other, its) = here, there
    assert model.classes_.tolist() == other.classes_.tolist()
    assert other.feature_names_in_.tolist() == NAMES
    np.testing.assert_allclose(other.coef_, model.coef_, rtol=rtol, atol=1e-13)
    np.testing.assert_allclose(other.intercept_, model.intercept_, rtol=rtol, atol=1e-13)
    np.testing.assert_allclose(its.se, result.se, rtol=rtol)
    np.testing.assert_allclose(its.log_likelihood, result.log_likelihood, rtol=rtol)


WRITERS = {name: made._write for name, made in SCANNED.items() if name != "spilled"}


@pytest.mark.parametrize("format", WRITERS)
@pytest.mark.parametrize(("memory", "spill"), [("1GB", False), (1, False), (1, True)])
def test_a_table_in_any_format_has_the_same_fit(format, memory, spill, tmp_path):
    table = table_of()
    what = WRITERS[format](table, SPARSE_CUTS, tmp_path)
    require_equal(*both(table, what, memory, spill))


@pytest.mark.parametrize("memory", [1, "100MB"])
def test_weights_and_offsets_are_columns(memory, tmp_path):
    table = table_of()
    what = WRITERS["parquet"](table, SPARSE_CUTS, tmp_path)
    require_equal(*both(table, what, memory, weight="w", offset="o"))


@pytest.mark.parametrize(
    "labels",
    [(False, True), (-1, 1), (3, 7), (0.0, 1.0), ("", "ä b"), ("b", "a"), (1, 2, 3), ("x", "y", "z")],
    ids=str,
)
@pytest.mark.parametrize("format", ["parquet", "csv", "arrow"])
def test_labels_of_any_type(labels, format, tmp_path):
    if format == "csv" and "" in labels:
        return  # it is a missing value there
    table = table_of(800, labels)
    what = WRITERS[format](table, (300,), tmp_path)
    here, there = both(table, what, 1)
    require_equal(here, there, rtol=1e-9)
    scanned = scan(what, memory=1)
    assert there[0].predict(scanned).tolist() == here[0].predict(table.select(NAMES)).tolist()
    np.testing.assert_allclose(there[0].predict_proba(scanned), here[0].predict_proba(table.select(NAMES)), rtol=1e-8)
    assert there[0].score(scan(what, "y", memory=1)) == here[0].score(table.select(NAMES), table["y"])


def test_dictionaries_and_views_of_text_are_labels(tmp_path):
    table = table_of(800)
    for k, kind in enumerate((pa.dictionary(pa.int8(), pa.string()), pa.string_view(), pa.large_string())):
        other = table.set_column(table.column_names.index("y"), "y", table["y"].cast(kind))
        require_equal(*both(table, lambda other=other: other, 1), rtol=1e-9)
        assert k < 3


NUMBERS = [pa.int8(), pa.uint64(), pa.float32(), pa.decimal128(30, 3), pa.bool_(), pa.float16()]


@pytest.mark.parametrize("kind", NUMBERS, ids=str)
def test_numbers_of_any_type(kind):
    table = table_of(600)
    values = table["x4"].to_numpy() > 1 if kind == pa.bool_() else table["x4"].to_numpy()
    typed = pa.array(np.float16(values)) if kind == pa.float16() else pa.array(values).cast(kind)
    plain = table.set_column(4, "x4", pa.array(values.astype(float)))
    require_equal(*both(plain, lambda: table.set_column(4, "x4", typed), 1), rtol=1e-9)


@pytest.mark.parametrize("kinds", ["ffffff", "fdfd", "fid", "iiii"])
def test_columns_of_single_precision_are_read_as_they_are(kinds, tmp_path):
    """The sums are those of the same numbers as doubles, to the last bit, whatever types stand beside one another."""
    rng = np.random.default_rng(6)
    n, names = 4000, [f"x{j}" for j in range(len(kinds))]
    types = {"f": np.float32, "d": np.float64, "i": np.int16}
    X = [np.round(rng.normal(size=n) * 100, 1 if kind != "i" else 0).astype(types[kind]) for kind in kinds]
    y = (sum(x / 100 for x in X) + rng.logistic(size=n) > 1).astype(int)
    found = set()
    for k, columns in enumerate((X, [x.astype(np.float64) for x in X])):
        table = pa.table([*columns, y], names=[*names, "y"])
        what = WRITERS["parquet"](table, SPARSE_CUTS, (tmp_path / str(k)).mkdir() or tmp_path / str(k))
        for spill in (False, True):
            model = LogisticRegression().fit(scan(what, "y", names, memory=1, spill=spill))
            found.add((model.coef_.tobytes(), model.intercept_.tobytes(), model.solution_.passes))
    assert len(found) == 1


def test_threads_do_not_change_the_bits(tmp_path):
    table = table_of(40_000)
    what = WRITERS["parquet"](table, tuple(range(1500, 40_000, 3333)), tmp_path)
    for spill in (False, True):
        found = set()
        for n_jobs in (1, 2, 7):
            model = LogisticRegression(n_jobs=n_jobs).fit(scan(what, "y", NAMES, memory=300_000, spill=spill))
            found.add((model.coef_.tobytes(), model.intercept_.tobytes(), model.solution_.passes))
        assert len(found) == 1


def test_orders_of_rows_take_at_most_two_reads_more(tmp_path):
    rng = np.random.default_rng(8)
    n, p = 60_000, 30
    X, level = rng.normal(size=(n, p)), rng.integers(0, 12, n)
    X[:, 1] += 0.3 * level
    y = (X @ rng.normal(size=p) * 0.4 + rng.logistic(size=n) > 3).astype(int)
    passes = []
    by_label, by_level = np.argsort(y, kind="stable"), np.argsort(level, kind="stable")
    orders = (np.arange(n), by_label, np.argsort(X[:, 0]), by_level, np.lexsort((X[:, 0], level)))
    for k, order in enumerate(orders):
        file = tmp_path / f"{k}.parquet"
        table = pa.table({f"x{j}": X[order, j] for j in range(p)} | {"y": y[order]})
        parquet.write_table(table, file, row_group_size=5000)
        model = LogisticRegression().fit(scan(file, "y", memory="2MB"))
        assert str(model.solution_.status) == "converged"
        passes.append(model.solution_.passes)
    assert max(passes) <= passes[0] + 2


def test_folders_tell_columns(tmp_path):
    table = table_of(900)
    years = np.arange(900) % 3
    for year in range(3):
        folder = tmp_path / f"year={2000 + year}" / "kind=a%20b"
        folder.mkdir(parents=True)
        parquet.write_table(table.filter(pa.array(years == year)), folder / "part.parquet")
        (folder / "_SUCCESS").touch()
    order = np.argsort(years, kind="stable")
    X = table.select(NAMES).take(order).append_column("year", pa.array(2000 + years[order]))
    here = LogisticRegression(tol=1e-9).fit(X, table["y"].take(order))
    for what in (tmp_path, f"{tmp_path}/*/*/*.parquet", f"{tmp_path}/year=*", tmp_path.as_uri()):
        for memory in (1, "1GB"):
            there = LogisticRegression(tol=1e-9).fit(scan(what, "y", [*NAMES, "year"], memory=memory))
            np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-7)
    with pytest.raises(EvenOddsError, match="one class only, 'a b' in all 900 rows"):
        LogisticRegression().fit(scan(tmp_path, "kind", NAMES))


def test_all_that_follows_a_fit(tmp_path):
    table = table_of(2000)
    what = WRITERS["parquet"](table, SPARSE_CUTS[:3], tmp_path)
    X, y = table.select(NAMES).to_pandas(), table["y"].to_pandas()
    groups = np.arange(2000) % 40
    grouped = WRITERS["arrow"](table.append_column("g", pa.array([f"g{k}" for k in groups])), (5, 800), tmp_path)
    few, many = scan(what, "y", NAMES, memory=1), scan(what, "y", NAMES)

    here, there = (path(X, y, n_C=5, Cs=None, tol=1e-10), path(few, n_C=5, tol=1e-10))
    np.testing.assert_allclose(there.coefs, here.coefs, rtol=1e-4, atol=1e-6)
    assert find_separation(few).kind == find_separation(X, y).kind == "overlap"
    np.testing.assert_allclose(
        LogisticRegression(firth=True, tol=1e-9).fit(few).coef_,
        LogisticRegression(firth=True, tol=1e-9).fit(X, y).coef_,
        rtol=1e-8,
    )
    model = LogisticRegression(tol=1e-9).fit(X, y)
    other = LogisticRegression(tol=1e-9).fit(few)
    result, its = (
        infer(model, X, y, cov="cluster", groups=groups),
        infer(other, scan(grouped, "y", NAMES, memory=1), cov="cluster", groups="g"),
    )
    np.testing.assert_allclose(its.covariance, result.covariance, rtol=1e-8)
    for at in ("overall", {"x3": 1.0}):
        np.testing.assert_allclose(its.margins(few, at=at).iloc[:, 1:], result.margins(X, at=at).iloc[:, 1:], rtol=1e-6)
    for answer in (
        lambda rows, labels: result.influence(rows, labels),
        lambda rows, labels: result.margins(rows, at="median"),
        lambda rows, labels: result.predict(rows),
        lambda rows, labels: result.calibration(rows, labels),
    ):
        frame = pd.DataFrame(answer(many, None))
        np.testing.assert_allclose(
            frame.select_dtypes("number"), answer(X, y).select_dtypes("number"), rtol=1e-6, atol=1e-12
        )
        with pytest.raises(EvenOddsError, match=r"more than the 1 B of memory="):
            answer(few, None)
    chosen = [LogisticRegressionCV(Cs=5, cv=3).fit(*rows).C_ for rows in ((many,), (X, y))]
    np.testing.assert_allclose(*chosen, rtol=1e-9)
    with pytest.raises(EvenOddsError, match="cross-validation needs all rows in memory"):
        LogisticRegressionCV(Cs=5, cv=3).fit(few)
    moved = LogisticRegression().partial_fit(few).partial_fit(few)
    assert np.isfinite(moved.coef_).all()
    balanced = LogisticRegression(class_weight="balanced", tol=1e-9).fit(few)
    np.testing.assert_allclose(
        balanced.coef_, LogisticRegression(class_weight="balanced", tol=1e-9).fit(X, y).coef_, rtol=1e-8
    )


def test_a_survey_is_shared_and_columns_are_found_by_name(tmp_path):
    table = table_of(500)
    what = WRITERS["parquet"](table.select([*reversed(NAMES), "y", "w"]), (100,), tmp_path)
    model = LogisticRegression().fit(table.select(NAMES), table["y"])
    np.testing.assert_allclose(
        model.decision_function(scan(what, memory=1, columns=NAMES[::-1])),
        model.decision_function(table.select(NAMES)),
        rtol=1e-12,
    )
    with pytest.raises(EvenOddsError, match="feature names"):
        model.predict(scan(lambda: table.select(["x0", "x1", "w"])))


ODD = ["a.b", "a", " x", "é", "1", 'it\'s "q", or so', "x\ny"]


@pytest.mark.parametrize("format", WRITERS)
def test_odd_names(format, tmp_path):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, len(ODD)))
    y = (X.sum(axis=1) + rng.logistic(size=400) > 0).astype(int)
    table = pa.table([*X.T.copy(), y], names=[*ODD, "Z.y"])
    model = LogisticRegression(tol=1e-9).fit(scan(WRITERS[format](table, (90,), tmp_path), "Z.y", memory=1))
    assert model.feature_names_in_.tolist() == ODD
    assert model.classes_.dtype.kind == "i"
    np.testing.assert_allclose(model.coef_, LogisticRegression(tol=1e-9).fit(X, y).coef_, rtol=1e-8)


def test_an_index_that_was_saved_is_said(tmp_path):
    frame = table_of(100).to_pandas().set_index(np.arange(100) ** 2)
    frame.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(EvenOddsError, match="'__index_level_0__' looks like the index"):
        scan(tmp_path, "y")
    LogisticRegression().fit(scan(frame, "y", NAMES))


# Readers


def test_polars_and_functions():
    table = table_of(2500)
    frame = pl.from_arrow(table)
    by_codes = frame.with_columns(pl.col("y").cast(pl.Categorical))
    whats = [frame, by_codes, frame.lazy(), lambda: frame, lambda: frame.lazy(), table]
    whats.append(lambda: table.to_reader(max_chunksize=77))
    for what in whats:
        for memory in (1, "1GB"):
            require_equal(*both(table, what, memory))


def test_duckdb():
    duckdb = pytest.importorskip("duckdb")
    table = table_of(2500)
    connection = duckdb.connect()
    connection.register("rows", table)
    relation = connection.sql("SELECT * FROM rows")
    for what in (relation, lambda: connection.sql("SELECT * FROM rows"), lambda: connection.sql("FROM rows").arrow()):
        for memory in (1, "1GB"):
            require_equal(*both(table, what, memory))
    with pytest.raises(EvenOddsError, match=r"What the function gives cannot be read: .*nothing"):
        scan(lambda: connection.sql("FROM nothing").arrow(), "y")
    connection.close()


def test_text_whose_first_rows_tell_little(tmp_path):
    """Files without rows, or other orders of columns; columns whose values come late; whole numbers before others."""
    n, pad = 50_000, "p" * 190  # the first block is 8 MB
    x = np.arange(n) % 7 + np.where(np.arange(n) > 48_000, 0.5, 0.0)
    y = (np.arange(n) // 3 + x.astype(int)) % 2
    write_csv(tmp_path / "a.csv", "x,late,y\n")
    lines = (f"{v:g},{pad},{label},{k if k > 48_000 else ''}\n" for k, (v, label) in enumerate(zip(x, y, strict=True)))
    write_csv(tmp_path / "b.csv", "x,pad,y,late\n" + "".join(lines))
    there = LogisticRegression(tol=1e-9).fit(scan(tmp_path / "b.csv", "y", ["x"], memory=1))
    np.testing.assert_allclose(there.coef_, LogisticRegression(tol=1e-9).fit(x[:, None], y).coef_, rtol=1e-8)
    assert there.classes_.dtype.kind == "i"
    with pytest.raises(EvenOddsError, match=r"'late' has a missing value, first in row 0 \(counted from 0\) of"):
        LogisticRegression().fit(scan(tmp_path / "b.csv", "y", ["late"]))
    write_csv(tmp_path / "d.csv", "y,late,x\n1,2,3\n0,1,2\n1,2,2\n0,1,3\n")
    files = [tmp_path / "a.csv", tmp_path / "d.csv"]
    assert LogisticRegression(C=1.0).fit(scan(files, "y", memory=1)).feature_names_in_.tolist() == ["x", "late"]


def test_what_cannot_be_asked_again():
    table = table_of(300)
    with pytest.raises(EvenOddsError, match="gives its batches only once"):
        scan(table.to_reader(), "y")
    once = [table.to_reader()]
    with pytest.raises(EvenOddsError, match="gives no Arrow batches"):
        scan(lambda: 3, "y")
    with pytest.raises(EvenOddsError, match="scan takes a file, a folder"):
        scan(3, "y")
    with pytest.raises(EvenOddsError, match=r"gave 0 rows, and 300 when it was first read|no rows in what is scanned"):
        LogisticRegression().fit(scan(lambda: once[0], "y", NAMES, memory=1))
    tables = [table, table, table[:200]]
    with pytest.raises(EvenOddsError, match=r"gave 200 rows, and 300 when it was first read"):
        LogisticRegression().fit(scan(lambda: tables.pop(0) if len(tables) > 1 else tables[0], "y", NAMES, memory=1))


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("kept", [0, 200, 450])
def test_other_rows_at_any_read(text, kept):
    table = table_of(300).select([*NAMES, "y"])
    table = table.append_column("t", pa.array(["a", "b", "b"] * 100)) if text else table
    twice = pa.concat_tables([table, table])
    for last in range(1, 9):
        asked = []

        def rows(asked=asked, last=last):
            asked.append(0)
            return table if len(asked) <= last else twice[:kept]

        scanned = scan(rows, "y", memory=1)
        if last == 1:  # that which looks at the columns
            first = fit_table("y", scanned) if kept else None
            assert first is None or first.solution_.n_rows == kept
        elif last < 6:
            with pytest.raises(EvenOddsError, match=rf"gave {kept} rows, and 300 when|There are no rows"):
                infer(fit_table("y", scanned), scanned, cov="HC1")


@needs_posix
def test_links_to_nowhere_are_not_left_out(tmp_path):
    parquet.write_table(table_of(300), tmp_path / "a.parquet")
    (tmp_path / "notes.txt").symlink_to(tmp_path / "gone.txt")
    assert len(scan(tmp_path, "y", NAMES)) == 300
    (tmp_path / "b.parquet").symlink_to(tmp_path / "gone.parquet")
    with pytest.raises(EvenOddsError, match=r"b\.parquet is a link to a file that does not exist"):
        scan(tmp_path, "y", NAMES)


# A walk over tables, roles, budgets and fits


def walked(seed):
    """A table of columns of random types, what its fit is in memory, and how it is given to scan."""
    rng = np.random.default_rng(seed)
    n, p, K = int(rng.integers(60, 2500)), int(rng.integers(1, 7)), int(rng.choice([2, 2, 3]))
    X, columns = np.empty((n, p)), {}
    for j in range(p):
        values = [
            rng.normal(size=n) * 10.0 ** rng.integers(-3, 4),
            rng.integers(-50, 50, n) * 1.0,
            rng.integers(0, 2, n),
        ]
        X[:, j] = values[k := rng.integers(0, 3)]
        typed = pa.array(values[k] > 0) if k == 2 else pa.array(X[:, j]).cast([pa.float64(), pa.int8()][k])
        columns[f"c{j}"] = typed.dictionary_encode() if rng.random() < 0.2 else typed
    eta = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-9) @ rng.normal(size=(p, K)) * 0.4
    code = (eta + rng.gumbel(size=(n, K))).argmax(axis=1)
    y = [np.array(["b", "a", "né"]), np.array([3, -1, 7]), np.array([False, True, True])][
        rng.integers(0, 2 + (K == 2))
    ][code]
    labels = pa.array(y)
    columns["t"] = labels.dictionary_encode() if rng.random() < 0.3 else labels
    roles = {"weight": "w"} if rng.random() < 0.4 else {}
    columns |= {"w": pa.array(rng.choice([0, 0.5, 1, 2], n)), "o": pa.array(rng.normal(0, 0.4, n))}
    roles |= {"offset": "o"} if rng.random() < 0.4 and K == 2 else {}
    names = list(columns)
    rng.shuffle(names)
    settings = [{}, {"C": 1.0}, {"C": 0.1, "standardize": True}, {"fit_intercept": False}, {"class_weight": "balanced"}]
    settings += [{"solver": "newton"}] + [{"firth": True}] * (K == 2)
    beside = [columns[name].to_numpy() if name in roles.values() else None for name in ("w", "o")]
    given = pd.DataFrame(X, columns=[f"c{j}" for j in range(p)]), y, *beside
    own = {"memory": float(rng.choice([1, 20_000, 1e9])), "spill": bool(rng.random() < 0.3)}
    return (
        pa.table({name: columns[name] for name in names}),
        given,
        roles,
        settings[rng.integers(0, len(settings))],
        own,
    )


@pytest.mark.parametrize("seed", range(30))
def test_a_walk(seed, tmp_path):
    table, given, roles, setting, own = walked(seed)
    rng = np.random.default_rng([seed, 1])
    cuts = tuple(sorted(rng.integers(0, table.num_rows, 4)))
    write = list(WRITERS.values())[seed % len(WRITERS)]
    if write in (WRITERS["csv"], WRITERS["arrow"]):  # which hold no dictionaries, or one for all batches
        table = pa.table([decode(column) for column in table.columns], names=table.column_names)
    scanned = scan(write(table, cuts, tmp_path), "t", list(given[0]), **roles, **own)
    found = []
    for rows in (given, (scanned,)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            model = LogisticRegression(**setting, tol=1e-9).fit(*rows)
            scale = given[0].to_numpy().std(axis=0)
            found.append((np.column_stack([model.intercept_, model.coef_ * scale]), infer(model, *rows).se))
            found[-1] += (model.classes_.tolist(), model.aliased_, str(model.solution_.status), model.solution_.n_rows)
    assert found[0][2:] == found[1][2:]
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-7)


def decode(column):
    return column.combine_chunks().dictionary_decode() if pa.types.is_dictionary(column.type) else column


# Faults


def write_csv(file, text):
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def many_lines(n, at, bad):
    lines = [f"{k % 13},{k % 7},{'yes' if k % 3 else 'no'}" for k in range(n)]
    lines[at] = bad
    return "a,b,y\n" + "\n".join(lines) + "\n"


BAD_LINES = {
    "text": ("1,x,no", r"column 'b'.*'x'.*row \d+|row \d+ \(counted from 0\), column 'b': .*invalid value 'x'"),
    "short": ("1,no", r"row \d+ \(counted from 0\), Expected 3 columns, got 2|row \d+ .* 2 cells, .* 3 columns"),
    "empty": ("1,,no", r"column 'b' has a missing value, first in row \d+ \(counted from 0\)"),
    "label": ("1,2,", r"column 'y' has a missing value, first in row \d+ \(counted from 0\)"),
    "bytes": (b"1,2,\xff\xfe", r"rows.csv"),
}


@pytest.mark.parametrize(("bad", "large"), [(bad, large) for bad in BAD_LINES for large in (False, True)])
def test_a_bad_line_of_a_csv(bad, large, tmp_path, monkeypatch):
    """In a file that is looked at as a whole, and in one of which the first rows tell."""
    line, message = BAD_LINES[bad]
    if bad == "bytes" and not large:
        return  # it is Windows-1252
    if large:
        monkeypatch.setattr("evenodds.data.text._BLOCK", 4000)
    text = many_lines(3000, 2000, "@@")
    text = text.encode().replace(b"@@", line if isinstance(line, bytes) else line.encode())
    file = write_csv(tmp_path / "rows.csv", text)
    with pytest.raises(EvenOddsError, match=message) as raised:
        LogisticRegression().fit(scan(file, "y", memory="1MB"))
    assert "rows.csv" in str(raised.value)
    assert bad == "bytes" or "row 2000 (counted from 0" in str(raised.value)
    assert os.listdir(tmp_path) == ["rows.csv"]


def test_a_bad_field_in_row_1_000_000(tmp_path):
    file = write_csv(tmp_path / "rows.csv", many_lines(1_010_000, 1_000_000, "1,x,no"))
    with pytest.raises(EvenOddsError, match=r"rows\.csv has in column 'b' 'x', first in row 1000000 \(counted"):
        LogisticRegression().fit(scan(file, "y", memory="1MB"))


# How people write tables

WRITTEN = {
    "as it is": ("x,c,y\n", "{x},{c},{y}\n", ".", "utf-8"),
    "semicolons and commas": ("x;c;y\n", "{x};{c};{y}\n", ",", "utf-8"),
    "tabs and a title": ("# all of it\nx\tc\ty\n", "{x}\t{c}\t{y}\n", ".", "utf-8"),
    "Windows": ("x;c;y\r\n", "{x};{c};{y}\r\n", ",", "cp1252"),
    "a mark": ("x,c,y\n", "{x},{c},{y}\n", ".", "utf-8-sig"),
    "UTF-16": ("x,c,y\n", "{x},{c},{y}\n", ".", "utf-16"),
    "spaces": ("x,c,y\n", "{x},  {c} ,{y}\n", ".", "utf-8"),
    "quotes": ('"x","c","y"\n', '{x},"{c}","{y}"\n', ".", "utf-8"),
    "percent": ("x,c,y\n", "{x}%,{c},{y}\n", ".", "utf-8"),
    "missing": ("x,c,y\n", "{x},{c},{y}\n", ".", "utf-8"),
}


@pytest.mark.parametrize("way", WRITTEN)
@pytest.mark.parametrize("large", [False, True])
def test_text_is_read_as_people_write_it(way, large, tmp_path, monkeypatch):
    rng = np.random.default_rng(9)
    n, (header, line, sign, encoding) = 700, WRITTEN[way]
    x, c, y = rng.normal(size=n).round(3), rng.choice(["Zürich", "Bern", "x y"], n), rng.choice(["ja", "nein"], n)
    cells = [f"{v:.3f}".replace(".", sign) for v in x]
    if way == "missing":
        gone = rng.random(n) < 0.1
        cells = [rng.choice(["?", "NA", ""]) if g else cell for g, cell in zip(gone, cells, strict=True)]
        x = np.where(gone, np.nan, x)
    text = header + "".join(line.format(x=a, c=b, y=d) for a, b, d in zip(cells, c, y, strict=True))
    file = write_csv(tmp_path / "rows.csv", text.encode(encoding))
    if large:
        monkeypatch.setattr("evenodds.data.text._BLOCK", 6000)
    table = pa.table({"x": pa.array(x, from_pandas=True), "c": c, "y": y})
    here, there = (fit_table("y ~ x + c", rows, missing="drop", tol=1e-9) for rows in (table, scan(file, memory=1)))
    assert there.design_.names == here.design_.names
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-8)


def damaged_parquet(folder):
    parquet.write_table(table_of(1000), folder / "a.parquet")
    whole = (folder / "a.parquet").read_bytes()
    (folder / "b.parquet").write_bytes(whole[: len(whole) // 2])


def damaged_inside(folder):
    parquet.write_table(table_of(1000), folder / "b.parquet", compression="none", use_dictionary=False)
    whole = bytearray((folder / "b.parquet").read_bytes())
    whole[4:60] = b"\xff" * 56
    (folder / "b.parquet").write_bytes(whole)


def damaged_arrow(folder):
    SCANNED["arrow"]._write(table_of(1000), (), folder)
    whole = (folder / "rows.arrow").read_bytes()
    (folder / "rows.arrow").unlink()
    (folder / "b.arrow").write_bytes(whole[: len(whole) // 2])


def damaged_gzip(folder):
    packed = gzip.compress(many_lines(40_000, 0, "1,2,no").encode())
    (folder / "b.csv.gz").write_bytes(packed[: len(packed) // 2])


def a_column_missing(folder):
    parquet.write_table(table_of(100), folder / "a.parquet")
    parquet.write_table(table_of(100).drop_columns(["x3"]), folder / "b.parquet")


def another_type(folder):
    table = table_of(100)
    parquet.write_table(table, folder / "a.parquet")
    parquet.write_table(table.set_column(1, "x1", pa.array(["t"] * 100)), folder / "b.parquet")


def other_labels(folder):
    table = table_of(100)
    parquet.write_table(table, folder / "a.parquet")
    parquet.write_table(table.set_column(5, "y", pa.array([0, 1] * 50)), folder / "b.parquet")


def a_column_twice(folder):
    table = table_of(100)
    parquet.write_table(table, folder / "a.parquet")
    parquet.write_table(table.append_column("x1", table["x1"]), folder / "b.parquet")


def empty_csv(folder):
    write_csv(folder / "b.csv", "")


def only_a_header(folder):
    write_csv(folder / "b.csv", "a,b,y\n")


def no_rows(folder):
    parquet.write_table(table_of(100)[:0], folder / "b.parquet")


def other_kinds(folder):
    parquet.write_table(table_of(100), folder / "a.parquet")
    write_csv(folder / "b.csv", "a,b,y\n1,2,no\n")


def one_label(folder):
    parquet.write_table(table_of(100, ("no",)), folder / "b.parquet")


def continuous(folder):
    parquet.write_table(table_of(100).set_column(5, "y", pa.array(RNG.normal(size=100))), folder / "b.parquet")


def negative_weight(folder):
    table = table_of(100)
    parquet.write_table(table.set_column(6, "w", pa.array([1.0] * 77 + [-2.0] * 23)), folder / "b.parquet")


def not_finite(folder):
    values = np.ones(100)
    values[66] = np.nan
    parquet.write_table(table_of(100).set_column(2, "x2", pa.array(values)), folder / "b.parquet", row_group_size=30)


def nulls(folder):
    values = pa.array([1.0] * 66 + [None] + [3.0] * 33)
    parquet.write_table(table_of(100).set_column(2, "x2", values), folder / "b.parquet", row_group_size=30)


FAULTS = {
    damaged_parquet: r"b\.parquet cannot be read: ",
    damaged_inside: r"b\.parquet cannot be read",
    damaged_arrow: r"b\.arrow cannot be read: ",
    damaged_gzip: r"b\.csv\.gz cannot be read.*[Tt]runcated",
    a_column_missing: r"b\.parquet has no column 'x3', which .*a\.parquet has",
    another_type: r"'x1' is of type string in .*b\.parquet and of type double in .*a\.parquet",
    other_labels: r"'y' is of type int64 in .*b\.parquet and of type string in .*a\.parquet",
    a_column_twice: r"b\.parquet has the column 'x1' more than once",
    empty_csv: r"b\.csv is empty",
    only_a_header: r"There are no rows",
    no_rows: r"There are no rows",
    other_kinds: r"files of several kinds, csv and parquet",
    one_label: r"one class only, 'no' in all 100 rows|all rows that have a weight",
    continuous: r"does not hold classes",
    negative_weight: r"The weight 'w' is negative, -2, first in row 77 \(counted from 0\) of .*b\.parquet",
    not_finite: r"NaN, first in column 'x2', row 66 \(counted from 0\) of .*b\.parquet",
    nulls: r"'x2' has a missing value, first in row 66 \(counted from 0\) of .*b\.parquet",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("memory", [1, "1GB"])
def test_a_fault_is_told_with_its_file(fault, memory, tmp_path):
    fault(tmp_path)
    before = sorted(os.listdir(tmp_path))
    roles = {"weight": "w"} if fault is negative_weight else {}
    columns = None if fault in (damaged_gzip, empty_csv, only_a_header, other_kinds) else NAMES
    with pytest.raises(EvenOddsError, match=FAULTS[fault]) as raised:
        LogisticRegression().fit(scan(tmp_path, "y", columns, memory=memory, **roles))
    assert "\n" not in str(raised.value)
    assert sorted(os.listdir(tmp_path)) == before


def test_wrong_calls(tmp_path):
    table = table_of(100)
    file = tmp_path / "a.parquet"
    parquet.write_table(table, file)
    X, y = table.select(NAMES), table["y"]
    wrong = {
        "no such file": lambda: scan(tmp_path / "b.parquet", "y"),
        "no file matches": lambda: scan(f"{tmp_path}/*.csv", "y"),
        "holds no file whose name ends with": lambda: scan((tmp_path / "empty").mkdir() or tmp_path / "empty", "y"),
        "The list of files is empty": lambda: scan([], "y"),
        "the name of a file to scan ends with": lambda: scan(Path(__file__), "y"),
        "There is no column 'Y'": lambda: scan(file, "Y"),
        "There is no column 'x9'": lambda: scan(file, "y", ["x9"]),
        "columns has 'x1' twice": lambda: scan(file, "y", ["x1", "x1"]),
        "explain itself": lambda: scan(file, "x1", ["x1", "x2"]),
        "memory is a number of bytes": lambda: scan(file, "y", NAMES, memory="much"),
        "spill is False, True or a folder": lambda: scan(file, "y", NAMES, spill="/no/such"),
        "'l' is not numeric, it holds list": lambda: scan(
            lambda: table.append_column("l", pa.array([[0]] * 100)), "y", [*NAMES, "l"]
        ),
        "'y' is not numeric": lambda: LogisticRegression().fit(scan(file, "x1", ["x2"], weight="y")),
        "holds dates, of which a model takes parts": lambda: LogisticRegression().fit(
            scan(lambda: table.append_column("d", pa.array([0] * 100, pa.date32())), "y", [*NAMES, "d"])
        ),
        "The target is 'x1' here, and scan was told that it is 'y'": lambda: fit_table("x1", scan(file, "y", NAMES)),
        "tells rows apart": lambda: LogisticRegression().fit(
            scan(lambda: table.append_column("id", pa.array([f"r{k}" for k in range(100)])), "y", [*NAMES, "id"])
        ),
        "The target 'd' is of type date32": lambda: scan(
            lambda: table.append_column("d", pa.array([0] * 100, pa.date32())), "d", NAMES
        ),
        "leave out y": lambda: LogisticRegression().fit(scan(file, "y", NAMES), y),
        "leave out sample_weight": lambda: LogisticRegression().fit(scan(file, "y", NAMES), None, np.ones(100)),
        r"scan\(..., target=...\)": lambda: LogisticRegression().fit(scan(file, columns=NAMES)),
        "not those that the model|not the rows": lambda: infer(
            LogisticRegression().fit(X, y), scan(lambda: table[:90], "y", NAMES)
        ),
        "There are 2 columns of offsets; 2 classes have one": lambda: LogisticRegression().fit(
            scan(file, "y", NAMES, offset=["o", "w"])
        ),
    }
    for message, call in wrong.items():
        with pytest.raises(EvenOddsError, match=message):
            call()


def test_a_file_that_changes_between_reads(tmp_path):
    file = tmp_path / "a.parquet"
    parquet.write_table(table_of(300), file)
    scanned = scan(file, "y", NAMES, memory=1)
    LogisticRegression().fit(scanned)
    parquet.write_table(table_of(301, seed=1), file)
    with pytest.raises(EvenOddsError, match=r"a\.parquet has changed since it was first read"):
        LogisticRegression().fit(scanned)


STOPPED = """
import os, resource, sys, threading, time, signal, numpy as np
from evenodds import LogisticRegression, scan, EvenOddsError
if "full" in sys.argv:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
else:
    threading.Timer(float(sys.argv[3]), lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    while True:
        LogisticRegression().fit(scan(sys.argv[1], "y", memory=1, spill=sys.argv[2]))
except EvenOddsError as error:
    print("error:", error)
except KeyboardInterrupt:
    print("stopped")
"""


@needs_posix
@pytest.mark.parametrize("how", ["full", "0.0", "0.2", "0.5"])
def test_nothing_is_left_when_a_fit_is_stopped(how, tmp_path):
    (tmp_path / "spill").mkdir()
    write_csv(tmp_path / "rows.csv", many_lines(60_000, 0, "1,2,no"))
    arguments = [sys.executable, "-c", STOPPED, str(tmp_path / "rows.csv"), str(tmp_path / "spill"), how]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=100, check=False)
    assert os.listdir(tmp_path / "spill") == []
    if how == "full":
        assert "do not fit into the folder" in done.stdout, done.stderr
    else:
        assert done.stdout.strip() == "stopped" or "KeyboardInterrupt" in done.stderr
