"""A family of files and of what happens to them: the fit of the same rows in memory, or one error that names the file.

Rows are written in any format, in one file or many, uneven or empty, their columns in any order and of any type; then
disks are full, files change, and users press Ctrl-C. Walk further with `python tests/homes/test_files.py 40 1000`.
"""

import gc
import gzip
import io
import itertools
import os
import signal
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from evenodds import EvenOddsError, LogisticRegression, fit_table, infer, scan
from evenodds.data.telling import listening
from machine import needs_posix

FLOATS = (pa.float64(), pa.float64(), pa.float32(), pa.decimal128(20, 4))
WHOLE = (pa.int8(), pa.uint16(), pa.int64(), pa.float64())
LABELS = (("no", "yes"), (False, True), (3, -1), ("b", "a", "né"))
FORMATS = ("parquet", "parquet", "arrow", "arrows", "csv", "csv.gz")


def drawn(rng):
    """Columns of numbers that all types hold, labels, and what beside them is given: as Arrow and as arrays."""
    n, p = int(rng.integers(80, 2500)), int(rng.integers(1, 6))
    X = np.empty((n, p))
    for j in range(p):
        X[:, j] = rng.integers(0, 9, n) if j % 2 else np.float32(rng.integers(-40, 41, n) / 8)
    labels = LABELS[rng.integers(len(LABELS))]
    spread = X.std(axis=0) + 1e-9
    code = ((X / spread) @ rng.normal(size=(p, len(labels))) * 0.4 + rng.gumbel(size=(n, len(labels)))).argmax(axis=1)
    beside = {"w": rng.choice([0, 0.5, 1, 2], n)} if rng.random() < 0.3 else {}
    beside |= {"o": rng.normal(0, 0.4, n)} if rng.random() < 0.3 and len(labels) == 2 else {}
    return X, np.array(labels)[code], beside


def typed(rng, values, whole, kind):
    """A column in some type that can hold it; files of text know no types."""
    column = pa.array(values).cast(rng.choice(WHOLE if whole else FLOATS))
    return column.dictionary_encode() if kind == "parquet" and rng.random() < 0.15 else column


def write(rng, kind, table, file):
    """A file in one of the ways in which its format can be written."""
    if kind == "parquet":
        own = {"compression": str(rng.choice(["none", "snappy", "zstd"])), "use_dictionary": bool(rng.random() < 0.5)}
        parquet.write_table(table, file, row_group_size=int(rng.integers(20, 3000)), data_page_size=500, **own)
    elif kind in ("arrow", "arrows"):
        options = pa.ipc.IpcWriteOptions(compression=rng.choice([None, "lz4", "zstd"]))
        make = pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream
        with make(file, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=int(rng.integers(20, 3000)))
    else:
        text = io.BytesIO()
        csv.write_csv(table, text)
        Path(file).write_bytes(gzip.compress(text.getvalue()) if kind == "csv.gz" else text.getvalue())


def files_of(rng, columns, folder):
    """Rows in one file or many, some of them empty: what is given to scan, and the order of the rows."""
    kind, n = str(rng.choice(FORMATS)), len(columns["y"])
    cuts = np.sort(rng.integers(0, n + 1, rng.integers(0, 5)))
    if kind.startswith("csv"):
        cuts = cuts[(cuts > 20) & (cuts < n - 20)]  # a file of a few rows may be one of other types
    edges = [0, *cuts.tolist(), n]
    is_whole = {name: values.dtype.kind == "f" and (values % 1 == 0).all() for name, values in columns.items()}
    for k, (a, b) in enumerate(itertools.pairwise(edges)):
        part = {}
        for name in rng.permutation(list(columns)).tolist():
            values = columns[name][a:b]
            numbers = name.startswith("x")
            part[name] = typed(rng, values, is_whole[name], kind) if numbers else pa.array(values)
        write(rng, kind, pa.table(part), folder / f"{k}.{kind}")
    return folder / f"0.{kind}" if len(edges) == 2 and rng.random() < 0.5 else folder


def require_the_same_fit(seed, folder):
    """Coefficients and standard errors of what is scanned are those in memory, to 1e-10."""
    rng = np.random.default_rng(seed)
    X, y, beside = drawn(rng)
    names = [f"x{j}" for j in range(X.shape[1])]
    columns = dict(zip(names, X.T, strict=True)) | {"y": y} | beside
    roles = dict(
        zip(("weight", "offset"), ("w" if "w" in beside else None, "o" if "o" in beside else None), strict=True)
    )
    own = {"memory": float(rng.choice([1, 30_000, 1e9])), "spill": bool(rng.random() < 0.3)}
    setting = [{}, {"C": 1.0}, {"solver": "newton"}, {"fit_intercept": False}][rng.integers(4)]
    scanned = scan(files_of(rng, columns, folder), "y", names, **roles, **own)
    rows = (X, y, beside.get("w"), beside.get("o"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        here, there = (LogisticRegression(tol=1e-9, **setting).fit(*given) for given in (rows, (scanned,)))
        result, its = infer(here, *rows), infer(there, scanned)
    assert there.classes_.tolist() == here.classes_.tolist()
    away = np.abs(its.coef - result.coef) / (np.abs(result.coef) + np.nan_to_num(result.se))
    assert np.nan_to_num(away).max() <= 1e-10, (seed, away)
    np.testing.assert_allclose(its.se, result.se, rtol=1e-10)


@pytest.mark.parametrize("seed", range(12))
def test_files_have_the_fit_of_their_rows(seed, tmp_path):
    require_the_same_fit(seed, tmp_path)


# What happens to files


class When:
    """Acts once a read has come to its kth block."""

    def __init__(self, k, act):
        self.left, self.act = k, act

    def begin(self, n_rows, n_columns):
        pass

    def step(self, n_rows):
        self.left -= 1
        if self.left == 0:
            self.act()

    def end(self):
        pass


def damage(rng, fault, file):
    size = os.path.getsize(file)
    if fault == "truncated":
        os.truncate(file, int(rng.integers(0, size)))
    elif fault == "longer":
        file.write_bytes(file.read_bytes() + b"garbage" * int(rng.integers(1, 50)))
    elif fault == "empty":
        os.truncate(file, 0)
    else:
        file.unlink()


def interrupted(rng, work):
    """Work that gets Ctrl-C at some moment."""

    def stop(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, float(rng.uniform(1e-4, 0.08)))
        return work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def on_a_full_disk(rng, size, work):
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(rng.integers(0, size)), before[1]))
    try:
        return work()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def outcome(work):
    """What work gives, or the error that ends it."""
    try:
        return work()
    except (EvenOddsError, KeyboardInterrupt) as error:
        return error


FAULTS = ("truncated", "longer", "empty", "gone", "full", "full", "ctrl-c", "ctrl-c")


def require_an_answer_or_an_error(seed, folder):
    """The bits of the fit when nothing goes wrong, or one error that names the file; and nothing is left behind."""
    rng = np.random.default_rng(seed)
    kind, text = str(rng.choice(FORMATS)), rng.random() < 0.4
    n = int(rng.integers(300, 4000))
    x = rng.normal(size=(n, 2)).round(4)
    columns = {"a": x[:, 0], "b": x[:, 1], "c": rng.integers(0, 9, n)} | (
        {"k": rng.choice(list("uvw"), n)} if text else {}
    )
    columns["y"] = np.where(x[:, 0] + rng.logistic(size=n) > 0, "yes", "no")
    file, spilled = folder / f"rows.{kind}", folder / "spilled"
    spilled.mkdir()
    write(rng, kind, pa.table(columns), file)
    own = {"memory": float(rng.choice([1, 20_000, 1e9])), "spill": [False, True, spilled][rng.integers(3)]}

    def rows():
        return scan(file, "y", **own)

    def fit(scanned):
        model = fit_table("y", scanned) if text else LogisticRegression().fit(scanned)
        return model.coef_.tobytes(), model.intercept_.tobytes()

    right, scanned = fit(rows()), rows()
    fault, moment = str(rng.choice(FAULTS)), str(rng.choice(["before", "between", "during"]))
    if kind.startswith("arrow") and moment == "during":
        moment = "between"  # a part of a mapped file that is cut off under its reader ends the process
    if moment == "between":
        fit(scanned)

    def what_happens():
        if fault == "full":
            return on_a_full_disk(rng, 50 * n, lambda: fit(scanned))
        if fault == "ctrl-c":
            return interrupted(rng, lambda: fit(scanned))
        if moment == "during":
            with listening(When(int(rng.integers(1, 12)), lambda: damage(rng, fault, file))):
                return fit(scanned)
        damage(rng, fault, file)
        return fit(rows() if moment == "before" else scanned)

    found = outcome(what_happens)
    if isinstance(found, EvenOddsError):
        assert fault != "ctrl-c"
        assert file.name in str(found) or (fault == "full" and "do not fit into the folder" in str(found))
        assert "\n" not in str(found)
    else:
        assert found == right or (fault == "ctrl-c" and isinstance(found, KeyboardInterrupt))
    if fault in ("full", "ctrl-c"):  # the same rows can be fitted when that is over
        assert fit(scanned) == right
    scanned = found = None
    gc.collect()
    assert os.listdir(spilled) == []
    assert sorted(os.listdir(folder)) == (
        ["spilled"] if fault == "gone" and not file.exists() else [file.name, "spilled"]
    )


@needs_posix
@pytest.mark.parametrize("seed", range(16))
def test_what_happens_to_files_is_told_and_leaves_nothing(seed, tmp_path):
    require_an_answer_or_an_error(seed, tmp_path)


if __name__ == "__main__":
    for seed in range(int(sys.argv[1]), int(sys.argv[2])):
        for check in (require_the_same_fit, require_an_answer_or_an_error):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    check(seed, Path(folder))
                except Exception as error:
                    print(check.__name__, seed, type(error).__name__, str(error)[:300].replace("\n", " "))
