"""Other homes of data than `Memory`: a list of uneven blocks, one whose rows are elsewhere, and files."""

import io
import itertools
import pickle
import shutil
import tempfile
import warnings
import weakref
from dataclasses import replace
from pathlib import Path

import cloudpickle
import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from pyarrow import csv, parquet

from evenodds import scan
from evenodds.coordinates import choose_coordinates
from evenodds.data import Block
from evenodds.data.memory import IN_MEMORY, add_up, part_of
from evenodds.data.views import joined
from evenodds.objective import Classes, Objective
from evenodds.solvers import costs, regimes
from evenodds.solvers.running import Goal


class Blocks:
    """What files and clusters will be. `reads` counts the full reads."""

    n_jobs, names, kept, read_cost = 1, None, None, IN_MEMORY

    def __init__(self, X, y, weight=None, offset=None, cuts=(), n_classes=2):
        self.reads = 0
        edges = [0, *cuts, X.shape[0]]

        def part(values, a, b):
            return None if values is None else values[a:b]

        self._blocks = [
            Block(X[a:b], y[a:b], part(weight, a, b), part(offset, a, b), a) for a, b in itertools.pairwise(edges)
        ]
        self.n_rows, self.n_columns = X.shape
        self.center = np.zeros(self.n_columns)
        self.layout = getattr(X, "layout", None)
        self.sparse = bool(sp.issparse(X)) or self.layout is not None
        self.size = X.nnz if sp.issparse(X) else X.size
        self.present = np.ones(n_classes, dtype=bool)
        self.class_weights = np.bincount(y, weights=weight, minlength=n_classes).astype(float)

    def reduce(self, function):
        self.reads += 1
        return add_up(map(function, self._blocks))

    def blocks(self):
        yield from self._blocks

    def whole(self):
        return None

    def where(self, k):
        return f"row {k} (counted from 0)"

    def part(self, block):
        return part_of(self, block)

    def sample(self, n, rng):
        """Rows drawn with equal chances; all of them if there are few."""
        rng = np.random.default_rng(rng)
        share = min(1.0, n / self.n_rows)
        picked = [np.flatnonzero(rng.random(block.n_rows) < share) for block in self._blocks]
        if share == 1.0:
            picked = [np.arange(block.n_rows) for block in self._blocks]
        count = sum(map(len, picked))
        parts = [block.take(rows) for block, rows in zip(self._blocks, picked, strict=True)]
        sample = joined(parts)
        if count < self.n_rows:
            weight = np.ones(count) if sample.weight is None else sample.weight
            sample = replace(sample, weight=weight * (self.n_rows / count))
        return sample


class Courier(cloudpickle.Pickler):
    """Takes a function to where the rows are, and no home along with it."""

    def reducer_override(self, what):
        assert not hasattr(type(what), "reduce") or not hasattr(what, "n_rows"), f"a function carries a {type(what)}"
        return super().reducer_override(what)


def parcel_of(function):
    """What goes to where the rows are."""
    parcel = io.BytesIO()
    with warnings.catch_warnings():  # it looks for ufuncs in all modules there are, and mpmath has some that warn
        warnings.simplefilter("ignore", DeprecationWarning)
        Courier(parcel).dump(function)
    return parcel.getvalue()


def counted_reads(monkeypatch, cluster):
    """A list in which the reads of a class of `Cluster` are counted: small functions go there, and carry no home."""
    made, run = [], cluster.run

    def strict(self, work, *args):
        assert len(parcel_of(work)) < 20_000
        made.append(work)
        return run(self, work, *args)

    monkeypatch.setattr(cluster, "run", strict)
    return made


class Remote(Blocks):
    """What a cluster will be: functions travel, rows do not, but for samples of large data."""

    FEW = 1 << 20  # entries that may be brought as a whole

    def reduce(self, function):
        self.reads += 1
        parcel = parcel_of(function)

        def there(block):
            coded = hasattr(block.rows, "layout")
            lent = replace(block, rows=block.rows[np.arange(block.n_rows)] if coded else block.rows.copy())
            found = pickle.loads(parcel)(lent)
            rows = lent.rows.numbers if coded else lent.rows.data if sp.issparse(lent.rows) else lent.rows
            rows[:] = np.nan  # as the next block takes its place
            return found

        return add_up(map(there, self._blocks))

    def blocks(self):
        raise AssertionError("all rows are brought to the driver")

    def sample(self, n, rng):
        assert n < self.n_rows or self.size <= self.FEW, "all rows are brought to the driver"
        return super().sample(n, rng)


# Files: rows beyond a budget of one byte, in uneven units


def to_parquet(table, path, cuts):
    with parquet.ParquetWriter(path, table.schema) as writer:
        for a, b in itertools.pairwise([0, *cuts, table.num_rows]):
            writer.write_table(table[a:b])
            writer.write_table(table[:0])


def to_arrow(table, path, cuts, make=pa.ipc.new_file):
    with make(path, table.schema) as writer:
        for a, b in itertools.pairwise([0, *cuts, table.num_rows]):
            writer.write_table(table[a:b])
            writer.write_batch(pa.RecordBatch.from_pylist([], table.schema))


def to_csv(table, path, cuts):
    folder = Path(path)
    folder.mkdir()
    for k, (a, b) in enumerate(itertools.pairwise([0, *cuts, table.num_rows])):
        ending = ".csv.gz" if k % 2 else ".csv"
        with pa.output_stream(folder / f"{k}{ending}", compression="gzip" if k % 2 else None) as file:
            csv.write_csv(table[a:b], file)


def parquet_rows(table, cuts, folder):
    to_parquet(table, folder / "rows.parquet", cuts)
    return folder / "rows.parquet"


def arrow_rows(table, cuts, folder):
    to_arrow(table, folder / "rows.arrow", cuts)
    return folder / "rows.arrow"


def stream_rows(table, cuts, folder):
    to_arrow(table, folder / "rows.arrows", cuts, pa.ipc.new_stream)
    return folder / "rows.arrows"


def csv_rows(table, cuts, folder):
    to_csv(table, folder / "rows", cuts)
    return folder / "rows"


def asked_rows(table, cuts, folder):
    pieces = [table[a:b] for a, b in itertools.pairwise([0, *cuts, table.num_rows])]
    return lambda: pa.concat_tables(pieces).to_reader()


class Scanned:
    """What makes the home of rows that are scanned; `reads` counts its reads."""

    def __init__(self, write, spill=False):
        self._write, self._spill = write, spill

    def __call__(self, X, y, weight=None, offset=None, cuts=(), n_classes=2):
        X = X.toarray() if sp.issparse(X) else np.asarray(X, np.float64)
        columns = {f"x{j}": X[:, j] for j in range(X.shape[1])} | {"y": y.astype(int)}
        columns |= {} if weight is None else {"w": weight}
        shifts = [] if offset is None else list(np.atleast_2d(offset.T))
        columns |= {f"o{k}": shift for k, shift in enumerate(shifts)}
        folder = Path(tempfile.mkdtemp())
        what = self._write(pa.table(columns), cuts, folder)
        roles = {"target": "y", "weight": "w" if weight is not None else None}
        roles["offset"] = [f"o{k}" for k in range(len(shifts))] or None
        scanned = scan(what, **roles, memory=1, spill=self._spill)
        labels = scanned.labels(2)
        home = scanned.home(np.array(labels, dtype=np.intp), n_classes, None, 2)
        weakref.finalize(home, shutil.rmtree, folder)
        home.reads, reduce = 0, home.reduce

        def counted(function):
            home.reads += 1
            return reduce(function)

        home.reduce = counted
        return home


SCANNED = {
    "parquet": Scanned(parquet_rows),
    "arrow": Scanned(arrow_rows),
    "stream": Scanned(stream_rows),
    "csv": Scanned(csv_rows),
    "asked": Scanned(asked_rows),
    "spilled": Scanned(parquet_rows, spill=True),
}


def moved(memory, kind):
    """A home of the same rows as one in memory."""
    (block,) = memory.blocks()
    if isinstance(kind, Scanned) and memory.sparse:
        block = replace(block, rows=block.X.toarray() + memory.center)
    n = block.n_rows
    cuts = (1, n // 3, n // 3 + 5, n // 2)
    data = kind(block.X, block.y, block.weight, block.offset, cuts, n_classes=memory.class_weights.size)
    for name in ("present", "names", "kept", *([] if isinstance(kind, Scanned) else ["center"])):
        setattr(data, name, getattr(memory, name))
    return data


def solve(data, solver, *, C=np.inf, standardize=False, intercept=True, tol=1e-4, max_iter=100, **kwargs):
    """Fit as the estimator does, from the contract of a home alone: the intercept, the coefficients, the solution."""
    sample = data.sample(costs.sample_rows(data), 0)
    strength = 1 / (C * data.class_weights.sum())
    coordinates = choose_coordinates(data, sample, intercept=intercept, standardize=standardize, strength=strength)
    scale = coordinates.scale[coordinates.columns]
    ridge = np.full(scale.size, strength) if standardize else strength / scale**2
    objective = Objective(data, coordinates, ridge, Classes.of(data, baseline=not np.isfinite(C)))
    theta = np.zeros(objective.n_coef)
    method = {"newton": regimes.newton, "quasi-newton": regimes.quasi_newton}[solver]
    solution = method(objective, theta, sample, Goal(tol, max_iter), **kwargs)
    b, w = objective.to_coef(solution.theta)
    return (float(b[0]), w[0], solution) if data.class_weights.size == 2 else (b, w, solution)
