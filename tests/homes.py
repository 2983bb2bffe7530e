"""A second home of data: a plain list of uneven blocks, seen only through `reduce`, `blocks` and `sample`."""

import itertools

import numpy as np
import scipy.sparse as sp

from evenodds.coordinates import choose_coordinates
from evenodds.data import Block
from evenodds.objective import Objective
from evenodds.softmax import SoftmaxObjective
from evenodds.solvers import costs, regimes


class Blocks:
    """What files and clusters will be. `reads` counts the full reads."""

    n_jobs = 1

    def __init__(self, X, y, weight=None, offset=None, cuts=(), n_classes=2):
        self.reads = 0
        edges = [0, *cuts, X.shape[0]]

        def part(values, a, b):
            return None if values is None else values[a:b]

        self._blocks = [
            Block(X[a:b], y[a:b], part(weight, a, b), part(offset, a, b)) for a, b in itertools.pairwise(edges)
        ]
        self.n_rows, self.n_columns = X.shape
        self.center = np.zeros(self.n_columns)
        self.sparse = bool(sp.issparse(X))
        self.size = X.nnz if self.sparse else X.size
        self.present = np.ones(n_classes, dtype=bool)
        self.class_weights = np.bincount(y, weights=weight, minlength=n_classes).astype(float)

    def reduce(self, function):
        self.reads += 1
        total = None
        for block in self._blocks:
            sums = function(block)
            total = sums if total is None else tuple(a + b for a, b in zip(total, sums, strict=True))
        return total

    def blocks(self):
        yield from self._blocks

    def original_row(self, k):
        return k

    def sample(self, n, rng):
        """Rows drawn with equal chances; all of them if there are few."""
        rng = np.random.default_rng(rng)
        share = min(1.0, n / self.n_rows)
        picked = [np.flatnonzero(rng.random(block.n_rows) < share) for block in self._blocks]
        if share == 1.0:
            picked = [np.arange(block.n_rows) for block in self._blocks]
        count = sum(map(len, picked))
        parts = [block.take(rows) for block, rows in zip(self._blocks, picked, strict=True)]
        stack = sp.vstack if self.sparse else np.concatenate
        X = stack([part.X for part in parts])
        X = sp.csr_array(X) if self.sparse else X

        def joined(name):
            values = [getattr(part, name) for part in parts]
            return None if values[0] is None else np.concatenate(values)

        weight = joined("weight")
        if count < self.n_rows:
            weight = (np.ones(count) if weight is None else weight) * (self.n_rows / count)
        return Block(X, joined("y"), weight, joined("offset"))


def solve(data, solver, *, C=np.inf, standardize=False, intercept=True, tol=1e-4, max_iter=100, **kwargs):
    """Fit as the estimator does, from the contract of a home alone: the intercept, the coefficients, the solution."""
    sample = data.sample(costs.sample_rows(data), 0)
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
