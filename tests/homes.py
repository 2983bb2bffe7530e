"""Other homes of data than `Memory`: a list of uneven blocks, and one whose rows are elsewhere."""

import io
import itertools
import pickle
from dataclasses import replace

import cloudpickle
import numpy as np
import scipy.sparse as sp

from evenodds.coordinates import choose_coordinates
from evenodds.data import Block
from evenodds.data.memory import add_up, part_of
from evenodds.data.views import joined
from evenodds.objective import Objective
from evenodds.softmax import SoftmaxObjective
from evenodds.solvers import regimes


class Blocks:
    """What files and clusters will be. `reads` counts the full reads."""

    n_jobs, names, kept = 1, None, None

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
        self.sparse = bool(sp.issparse(X))
        self.size = X.nnz if self.sparse else X.size
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


class Remote(Blocks):
    """What a cluster will be: functions travel, rows do not, but for samples of large data."""

    FEW = 1 << 20  # entries that may be brought as a whole

    def reduce(self, function):
        self.reads += 1
        parcel = io.BytesIO()
        Courier(parcel).dump(function)
        return add_up(pickle.loads(parcel.getvalue())(block) for block in self._blocks)

    def blocks(self):
        raise AssertionError("all rows are brought to the driver")

    def sample(self, n, rng):
        assert n < self.n_rows or self.size <= self.FEW, "all rows are brought to the driver"
        return super().sample(n, rng)


def moved(memory, kind):
    """A home of the same rows as one in memory."""
    (block,) = memory.blocks()
    n = block.n_rows
    cuts = (1, n // 3, n // 3 + 5, n // 2)
    data = kind(block.X, block.y, block.weight, block.offset, cuts, n_classes=memory.class_weights.size)
    for name in ("center", "present", "names", "kept"):
        setattr(data, name, getattr(memory, name))
    return data


def solve(data, solver, *, C=np.inf, standardize=False, intercept=True, tol=1e-4, max_iter=100, **kwargs):
    """Fit as the estimator does, from the contract of a home alone: the intercept, the coefficients, the solution."""
    sample = data.sample(regimes.sample_rows(data), 0)
    strength = 1 / (C * data.class_weights.sum())
    coordinates = choose_coordinates(data, sample, intercept=intercept, standardize=standardize, strength=strength)
    scale = coordinates.scale[coordinates.columns]
    ridge = np.full(scale.size, strength) if standardize else strength / scale**2
    if data.class_weights.size == 2:
        objective = Objective(data, coordinates, ridge)
    else:
        objective = SoftmaxObjective(data, coordinates, ridge, baseline=not np.isfinite(C))
    theta = np.zeros(objective.n_coef)
    method = {"newton": regimes.newton, "quasi-newton": regimes.quasi_newton}[solver]
    solution = method(objective, theta, sample, tol=tol, max_iter=max_iter, **kwargs)
    b, w = objective.to_coef(solution.theta)
    return (float(b[0]), w[0], solution) if data.class_weights.size == 2 else (b, w, solution)
