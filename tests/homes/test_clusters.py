"""Sums by cluster wherever rows are: the numbers of the same clusters in memory, and no cluster of a row sent about."""

import datetime
import pickle
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from evenodds import EvenOddsError, LogisticRegression, fit_table, infer, scan
from evenodds.data.dask import Workers
from evenodds.data.groups import Groups, GroupSums
from homes import counted_reads, to_csv, to_parquet

dask = pytest.importorskip("dask")
dd = pytest.importorskip("dask.dataframe")

KINDS = {
    "whole numbers": lambda g: g * 7 - 3,
    "numbers": lambda g: np.where(g == 1, -0.0, np.where(g == 2, 0.0, g + 0.5)),  # zeros of both signs are one
    "text": lambda g: np.array([f"g{k}" for k in g]),
    "booleans": lambda g: g % 2 == 0,
    "dates": lambda g: [datetime.date(2020, 1, 1) + datetime.timedelta(int(k)) for k in g],
}


def drawn(rng):
    """A table and the columns of X."""
    n, p, n_classes = int(rng.integers(60, 600)), int(rng.integers(1, 5)), int(rng.choice([2, 2, 3]))
    X = rng.normal(size=(n, p))
    y = (X @ rng.normal(size=(p, n_classes)) + rng.gumbel(size=(n, n_classes))).argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    if rng.random() < 0.3 and n_classes == 2:
        X[:, 0] = np.abs(X[:, 0]) * (y == 1) * (rng.random(n) < 0.2)  # separates some rows
    groups = rng.integers(int(rng.choice([3, 30, n])), size=n)
    if rng.random() < 0.3:
        groups.sort()
    columns = {f"x{j}": X[:, j] for j in range(p)} | {"y": y, "g": KINDS[str(rng.choice(list(KINDS)))](groups)}
    columns |= {"w": rng.integers(0, 3, n) / 2.0} if rng.random() < 0.5 else {}
    text = rng.random() < 0.3
    columns |= {"t": rng.choice(["a", "b", "c"], n)} if text else {}
    return pa.table(columns), [f"x{j}" for j in range(p)] + ["t"] * text


def homes_of(table, rng, folder):
    """What reads the table: from files, from text that is parsed once, and partitions of Dask."""
    cuts = sorted(rng.integers(0, table.num_rows, int(rng.integers(0, 5))).tolist())
    to_parquet(table, folder / "rows.parquet", cuts)
    to_csv(table, folder / "rows", cuts)
    frame = table.to_pandas()
    parts = [frame.iloc[a:b] for a, b in zip([0, *cuts], [*cuts, len(frame)], strict=True)]
    return folder / "rows.parquet", folder / "rows", dd.from_map(lambda part: part, parts, meta=frame.iloc[:0])


def said(rows, groups):
    """Coefficients, standard errors and remarks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of separated classes
        model = fit_table("y ~ .", rows, weight="w" if "w" in rows_of(rows) else None, tol=1e-10)
        return infer(model, rows, cov="cluster", groups=groups)


def rows_of(rows):
    return rows.column_names if isinstance(rows, pa.Table) else rows.known


def by_hand(result, table, columns):
    """The covariance of clusters as the formula has it."""
    frame = table.to_pandas()
    w = frame["w"].to_numpy() if "w" in frame else np.ones(len(frame))
    D = np.column_stack([np.ones(len(frame)), frame[columns]])
    p = 1 / (1 + np.exp(-D @ result.coef))
    U = pd.DataFrame(D * (w * (frame["y"].to_numpy() - p))[:, None]).groupby(frame["g"].to_numpy()).sum()
    U = U[pd.Series(w).groupby(frame["g"].to_numpy()).sum() > 0].to_numpy()
    bread = np.linalg.inv((D * (w * p * (1 - p))[:, None]).T @ D)
    return bread @ U.T @ U @ bread * len(U) / (len(U) - 1)


@pytest.mark.parametrize("seed", range(12))
def test_walk(seed, tmp_path):
    require_same(np.random.default_rng([17, seed]), tmp_path)


def require_same(rng, folder):
    table, columns = drawn(rng)
    weight = "w" if "w" in table.column_names else None
    own = table.select([*columns, "y", *([weight] if weight else [])])
    result = said(own, table["g"].to_pandas().to_numpy())
    if result.limit is None and len(result.classes) == 2 and "t" not in columns:
        np.testing.assert_allclose(result.covariance, by_hand(result, table, columns), rtol=1e-7, atol=1e-12)
    with dask.config.set(scheduler="synchronous"):
        for rows in homes_of(table, rng, folder):
            there = said(scan(rows, "y", columns, weight, memory=1), "g")
            np.testing.assert_allclose(there.coef, result.coef, rtol=1e-6, atol=1e-8)
            np.testing.assert_allclose(there.se, result.se, rtol=1e-6, atol=1e-9)
            assert [one for one in there.remarks if "clusters" in one] == [
                one for one in result.remarks if "clusters" in one
            ]


def test_no_cluster_of_a_row_is_sent_about(monkeypatch, tmp_path):
    rng = np.random.default_rng(5)
    n = 20_000
    X = rng.normal(size=(n, 2))
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(y=(X[:, 0] > rng.logistic(size=n)) * 1, g=rng.integers(0, 40, n))
    lazy = dd.from_pandas(frame, npartitions=4)
    sent, brought = counted_reads(monkeypatch, Workers), []
    run = Workers.run

    def weighed(self, work, columns, add, numbers=None):
        found = run(self, work, columns, add, numbers)
        brought.append(len(pickle.dumps(found)))
        return found

    with dask.config.set(scheduler="synchronous"):
        rows = scan(lazy, "y", ["a", "b"])
        model = LogisticRegression().fit(rows)
        sent.clear()
        monkeypatch.setattr(Workers, "run", weighed)
        result = infer(model, rows, cov="cluster", groups="g")
        frames = infer(model, lazy[["a", "b"]], lazy["y"], cov="cluster", groups=lazy["g"])
    assert len(sent) == 2 + 3  # the table and its clusters; of what is no scan the survey, too
    assert max(brought[:2]) < 8 * n / 20  # beside 40 sums of three numbers
    here = infer(model, frame[["a", "b"]], frame["y"], cov="cluster", groups=frame["g"])
    for other in (result, frames):
        np.testing.assert_allclose(other.se, here.se, rtol=1e-9)


def test_sums_by_group_do_not_depend_on_how_they_are_added():
    rng = np.random.default_rng(0)
    values, X = rng.integers(0, 50, 3000), rng.integers(0, 9, (3000, 2)) * 1.0
    parts = [
        GroupSums([(np.unique(v).tolist(), np.array([x[v == k].sum(axis=0) for k in np.unique(v)]))])
        for v, x in zip(np.split(values, 60), np.split(X, 60), strict=True)
    ]
    every = sum(parts[1:], parts[0])
    assert sum(len(some) for some, _ in every.parts) <= 3 * 50  # as much as there are groups, not rows
    ((found, sums),) = every.together().parts
    order = np.argsort(found)
    expected = pd.DataFrame(X).groupby(values).sum()
    assert np.array(found)[order].tolist() == expected.index.tolist()
    np.testing.assert_array_equal(sums[order], expected)
    assert Groups.joined([Groups(["b", "a"], np.array([0, 1])), Groups(["a"], np.array([0]))]).codes.tolist() == [
        0,
        1,
        1,
    ]


FAULTS = {
    "missing": (lambda g: [None if k == 777 else int(v) for k, v in enumerate(g)], "row 377 .*of partition 1|row 777 "),
    "NaN": (lambda g: np.where(np.arange(1000) == 777, np.nan, g * 1.0), "row 377 .*of partition 1|row 777 "),
    "one": (lambda g: ["a"] * 1000, "All rows are in one cluster, 'a'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(fault, tmp_path):
    rng = np.random.default_rng(1)
    make, message = FAULTS[fault]
    table = pa.table({"x": rng.normal(size=1000), "y": rng.integers(0, 2, 1000), "g": make(rng.integers(0, 9, 1000))})
    to_parquet(table, tmp_path / "rows.parquet", (400,))
    lazy = dd.from_pandas(table.to_pandas(), npartitions=1).repartition(divisions=[0, 400, 999])
    with dask.config.set(scheduler="synchronous"):
        for rows in (scan(tmp_path / "rows.parquet", "y", ["x"], memory=1), scan(lazy, "y", ["x"])):
            with pytest.raises(EvenOddsError, match=message):
                infer(LogisticRegression().fit(rows), rows, cov="cluster", groups="g")
