"""The command line on tables that are larger than memory: the same answers, batch by batch, and never half a file."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from machine import needs_posix

N = 3000


def table_of(n=N):
    rng = np.random.default_rng(2)
    x = pa.array(rng.normal(size=n).round(3), mask=rng.random(n) < 0.02)
    carrier = rng.choice(["AA", "Zü", "b c"], n)
    late = np.where(np.nan_to_num(x.to_numpy(False)) + (carrier == "AA") + rng.logistic(size=n) > 0, "yes", "no")
    columns = {"id": [f"{k:05d}" for k in range(n)], "x": x, "carrier": carrier, "w": rng.integers(1, 3, n)}
    return pa.table(columns | {"group": rng.integers(0, 30, n), "late": late})


@pytest.fixture
def run(run):
    """Run the command line in a folder with a table in several files."""
    table = table_of()
    os.mkdir("flights")
    for k in range(3):
        parquet.write_table(table[k * 1000 : (k + 1) * 1000], f"flights/{k}.parquet", row_group_size=300)
    parquet.write_table(table, "all.parquet")
    csv.write_csv(table, "all.csv")
    return run


FIT = ("--target", "late", "--missing", "drop")
WAYS = {
    "weights": ("--drop", "id", "--drop", "group", "--weight", "w"),
    "a formula": ("--formula", "x*carrier + C(w)"),
    "clusters": ("--drop", "id", "--cluster", "group"),
    "an offset": ("--drop", "id", "--drop", "group", "--offset", "w"),
}


@pytest.mark.parametrize("way", WAYS)
def test_fit(run, way):
    told = []
    for data in ("all.parquet", "flights/*.parquet", "flights", "all.csv"):
        status, out, err = run("fit", data, *FIT, *WAYS[way], "--json", "--memory", "5KB", "--model", "m.json")
        assert status == 0, err
        assert "batch by batch" in err
        told.append(json.loads(out))
    status, out, err = run("fit", "all.parquet", *FIT, *WAYS[way], "--json", "--model", "m.json")
    assert "batch by batch" not in err
    here = json.loads(out)
    for facts in told:
        for key in ("coef", "se"):
            np.testing.assert_allclose(np.float64(facts[key]), np.float64(here[key]), rtol=1e-4, atol=1e-6)
        for key, value in here["training"].items():
            assert facts["training"][key] == (
                value if isinstance(value, dict | list) else pytest.approx(value, rel=1e-3)
            )


def test_predict(run):
    assert run("fit", "all.parquet", *FIT, "--drop", "id", "--drop", "group", "--model", "m.json")[0] == 0
    assert run("predict", "m.json", "all.csv", "--out", "here.csv")[0] == 0
    status, out, err = run("predict", "m.json", "all.csv", "--memory", "5KB")
    assert (status, out) == (0, Path("here.csv").read_text(encoding="utf-8"))  # 00017 stays as it is written
    assert "rows have a missing value" in err
    whole = csv.read_csv("here.csv")
    for data in ("flights", "flights/?.parquet", "all.parquet"):
        for out in ("there.parquet", "there.csv", "there.csv.gz", "there.arrow"):
            status, _, err = run("predict", "m.json", data, "--memory", "1KB", "--out", out)
            assert status == 0, err
            assert "of 3,000 rows saved" in err
        found = parquet.read_table("there.parquet")
        assert found.column_names == whole.column_names
        assert found["label"].to_pylist() == [label or None for label in whole["label"].to_pylist()]
        np.testing.assert_allclose(found["probability"].to_numpy(), whole["probability"].to_numpy(), rtol=1e-12)
    status, _, err = run("predict", "m.json", "here.csv", "--memory", "1KB", "--out", "again.csv")
    assert status == 1
    assert "which predict would add" in err
    assert run("predict", "m.json", "here.csv", "--memory", "1KB", "--out", "again.csv", "--replace")[0] == 0
    assert Path("again.csv").read_bytes() == Path("here.csv").read_bytes()


def test_nothing_is_left_of_what_fails(run):
    assert run("fit", "all.parquet", *FIT, "--drop", "id", "--drop", "group", "--model", "m.json")[0] == 0
    table = table_of()
    parquet.write_table(table.set_column(2, "carrier", pa.array(["AA"] * 2500 + ["new"] * 500)), "bad.parquet")
    before = sorted(os.listdir())
    for out in ("out.parquet", "out.csv"):
        status, _, err = run("predict", "m.json", "bad.parquet", "--memory", "1KB", "--out", out)
        assert status == 1
        assert "holds 'new', first in row 2500 (counted from 0) of" in err.replace("\n", " ")
    assert run("fit", "nothing/*.parquet", *FIT)[0] == 1
    assert run("fit", "all.parquet", *FIT, "--memory", "much")[0] == 2
    assert sorted(os.listdir()) == before


@needs_posix
@pytest.mark.parametrize("how", ["full", "stopped"])
def test_nothing_is_left_when_predict_ends(run, how):
    assert run("fit", "all.parquet", *FIT, "--drop", "id", "--drop", "group", "--model", "m.json")[0] == 0
    parquet.write_table(pa.concat_tables([table_of()] * 60), "many.parquet", row_group_size=3000)
    before = sorted(os.listdir())
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (99_000, 99_000)); " if how == "full" else ""
    code = limit + "from evenodds.cli import main; main()"
    command = [sys.executable, "-c", code, "predict", "m.json", "many.parquet", "--memory", "1MB", "--out", "out.csv"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if how == "stopped":
            while process.poll() is None and sorted(os.listdir()) == before:
                time.sleep(0.01)  # until there is something of it
            process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=100)
    assert process.returncode != 0
    assert "Traceback" not in err
    assert sorted(os.listdir()) == before
