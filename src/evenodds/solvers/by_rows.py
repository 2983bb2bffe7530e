"""Penalised fits of few rows and many columns: metrics by the products of the rows, and the fit in their space.

The Hessian is the penalty plus a matrix of rank n, so that its inverse is had by a matrix of the rows (the Woodbury
identity). The products of the rows, D ridge^-1 D', are made once; at a theta there is only a matrix to be scaled and
factored. Rows are seen less their mean, weighted by their curvature, so that the intercept stands alone.

Of more than two classes each has its own curvature of the rows, p (1 - p), and so its own matrix. The optimum is in
the space of the rows, ridge^-1 D' A, which has n coefficients a class however many columns there are: with L L' the
products, it is ridge^-1 D' L'^-1 V, V the optimum of the n rows of L under a ridge of 1. That is where it is looked
for; a few reads of the data then make good what rounding has left.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..arrays import Array, Real
from ..coordinates import Coordinates
from ..data import Block
from ..data.memory import count_threads, mapped
from ..kernels.algebra import dot, gram, product, solve_lower
from ..objective import Objective
from ..objective.row_sums import curvature
from ..objective.softmax import Softmax
from . import Metric
from .metrics import Centred, Cholesky, least_total
from .quasi_newton import Remake, State

_MOST_DOUBLE = 192  # rows whose products cost little, and have the same bits everywhere
_SINGLE = 1e4  # the largest entry beside 1 of a matrix in single precision
_ROUGH = 1e6  # the same where its rounding is made good, see `row_space`
_SOME_ROWS = 8  # that tell
_FACTOR_READS = 300.0  # rows^2 / columns, for each of which a factor costs some reads
_LEAST_TOTAL = 1e-9  # of the weight of a class: what keeps the curvature of its intercept from vanishing
_CLOSE = 1e-5  # the decrement, in units of the loss, from which an exact Hessian serves to the end
_COLUMNS = 512  # at a time: what is copied of them stays near
_TOGETHER = 4  # parts whose products are made at once


def some_of(sample: Block) -> Block:
    """A few of the rows, evenly spread."""
    return sample.take(slice(None, None, max(1, sample.n_rows // _SOME_ROWS)))


def stiffness(objective: Objective, sample: Block) -> float:
    """The most curvature that the loss of a row may add to the penalty's, in units of the latter."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # infinite, or not a number, is too much
        squares, inverse = np.zeros(sample.n_rows), 1 / objective.ridge
        for columns in parts(sample, inverse.size):
            D = part_of(objective, sample, columns)
            squares += product(D.multiply(D) if sp.issparse(D) else np.square(D), inverse[columns])
    return 0.25 * float(squares.max(initial=0.0)) / objective.total_weight


class ByRows:
    """The Hessian by the rows, sum_i h_i d_i d_i' / S + diag(ridge): of two classes exact, of more class by class.

    The products are made when they are asked for.
    """

    def __init__(self, objective: Objective, sample: Block, products: Array | None = None) -> None:
        self._objective, self._sample, self._inverse = objective, sample, 1 / objective.ridge
        self.offset = sample.offset
        if products is not None:
            self.products = products

    @functools.cached_property
    def _D(self) -> Any:
        return self._objective.coordinates.design(self._sample)

    @functools.cached_property
    def products(self) -> Array:
        """D ridge^-1 D', in single precision where there are many, unless the curvature of a row is too much for it."""
        objective, sample = self._objective, self._sample
        weight = 1.0 if sample.weight is None else float(sample.weight.max())
        most = (_SINGLE if objective.classes.several else _ROUGH) / weight  # of a mean row, then of all
        if sample.n_rows > _MOST_DOUBLE and stiffness(objective, some_of(sample)) < most:
            found = self._made(np.float32)
            if 0.25 * float(found.diagonal().max()) / objective.total_weight < most:
                return found
        return self._made(np.float64)

    def _made(self, dtype: Real) -> Array:
        objective, sample, root = self._objective, self._sample, np.sqrt(self._inverse).astype(dtype)
        if sample.sparse:
            scaled = self._D.astype(dtype).multiply(root).tocsr()
            return np.asarray((scaled @ scaled.T).toarray())

        def part(columns: slice) -> Array:
            scaled = part_of(objective, sample, columns).astype(dtype, copy=False)
            scaled *= root[columns]
            return gram(scaled.T) if dtype == np.float64 else np.asarray(product(scaled, scaled.T))

        total: Any = np.zeros((sample.n_rows, sample.n_rows), dtype)
        every = parts(sample, root.size)
        threads = min(count_threads(objective.data.n_jobs), _TOGETHER)
        for first in range(0, len(every), _TOGETHER):
            for one in mapped(part, every[first : first + _TOGETHER], threads):
                total += one
        return np.asarray(total)

    @property
    def patience(self) -> int:
        """The iterations without a tenfold fall after which a matrix is factored again, as it costs so many reads."""
        n, p = self._sample.n_rows, self._inverse.size
        return int(1 + n * n / max(p, 1) / _FACTOR_READS)

    def at(self, theta: Array) -> Metric:
        """The metric at theta."""
        objective = self._objective
        if objective.classes.several:
            # On changes that sum to 0, even odds of K classes have K / (K - 1) of the curvature of each on its own.
            scores = Softmax(objective.coordinates, objective.classes.table(theta), objective.classes.baseline)
            h = scores.curvature(self._sample) * (objective.n_free / (objective.n_free - 1))
            least = _LEAST_TOTAL * objective.data.class_weights
            return ByClass([self._of(*each) for each in zip(h.T, least, strict=True)])
        first = int(objective.coordinates.intercept)
        h = curvature(self._sample, product(self._D, theta[first:]) + (theta[0] if first else 0.0))
        return self._of(h, least_total(objective))

    def _of(self, h: Array, least: float) -> Metric:
        """The metric where the rows have curvature h, and all together no less than `least`."""
        total, total_weight = max(float(h.sum()), least), self._objective.total_weight
        dtype = self.products.dtype if self._objective.classes.several else np.float64  # it need not be exact
        root, products = np.sqrt(h / total_weight), self.products.astype(dtype)
        means = np.zeros(self._D.shape[1])
        intercept = self._objective.coordinates.intercept
        if intercept:  # of the rows less their mean
            means = np.asarray(product(h, self._D)) / total
            with_mean = product(self.products, h) / total
            with_mean -= 0.5 * dot(with_mean, h) / total
            products -= with_mean.astype(dtype)
            products -= with_mean.astype(dtype)[:, None]
        products *= root.astype(dtype)
        products *= root.astype(dtype)[:, None]
        metric = Woodbury(self._D, means, root, self._inverse, products)
        return Centred(metric, means, total / total_weight) if intercept else metric

    def inside(self, theta: Array) -> "RowSpace":
        """The fit in the space of the rows; near `theta` to begin with."""
        objective, block = self._objective, self._sample
        L = Cholesky(self.products).root()
        n, first = len(L), int(objective.coordinates.intercept)
        rows = Block(L, block.y, block.weight, block.offset)
        part = objective.on(rows)
        part.coordinates = Coordinates(np.zeros(n), np.ones(n), np.arange(n), bool(first))
        part.ridge = np.ones(n)
        table = theta.reshape(-1, first + self._inverse.size)
        slopes = solve_lower(L, self.scores(table[:, first:].T)).T
        return RowSpace(part, rows, np.concatenate([table[:, :first], slopes], axis=1).ravel(), self)

    def scores(self, slopes: Array) -> Array:
        """D times slopes (k, m)."""
        objective, sample = self._objective, self._sample
        found = np.zeros((sample.n_rows, slopes.shape[1]))
        if slopes.any():
            for columns in parts(sample, self._inverse.size):
                found += product(part_of(objective, sample, columns), slopes[columns])
        return found

    def slopes(self, A: Array) -> Array:
        """ridge^-1 D' A, (k, m), of numbers by row (n, m)."""
        objective, sample, found = self._objective, self._sample, np.empty((self._inverse.size, A.shape[1]))
        coordinates = objective.coordinates
        if A.shape[1] == 1 and coordinates.near and sample.X.__class__ is np.ndarray and sample.X.dtype == np.float64:
            by_column: Array = product(A[:, 0], sample.X) - float(A.sum()) * coordinates.center
            by_column *= coordinates.inverse
            return np.asarray(by_column[coordinates.columns] * self._inverse)[:, None]
        for columns in parts(sample, self._inverse.size):
            found[columns] = product(part_of(objective, sample, columns).T, A)
        return found * self._inverse[:, None]


@dataclass(frozen=True)
class RowSpace:
    """The problem in the space of the rows.

    objective, sample, start : of the rows of L, which are the columns too
    """

    objective: Objective
    sample: Block
    start: Array
    by_rows: ByRows

    def metrics(self) -> ByRows:
        """Those of this problem: the products are the same."""
        return ByRows(self.objective, self.sample, self.by_rows.products)

    def outside(self, phi: Array) -> Array:
        """Theta of all columns."""
        first = int(self.objective.coordinates.intercept)
        table = phi.reshape(-1, first + self.sample.n_rows)
        A = solve_lower(self.sample.X, table[:, first:].T, transposed=True)
        return np.concatenate([table[:, :first], self.by_rows.slopes(A).T], axis=1).ravel()


def parts(block: Block, k: int) -> list[slice]:
    """The k columns of a design, some at a time; sparse ones together."""
    step = k if block.sparse else _COLUMNS
    return [slice(first, min(first + step, k)) for first in range(0, k, step)]


def part_of(objective: Objective, block: Block, columns: slice) -> Any:
    """Some columns of the design of a block."""
    coordinates = objective.coordinates
    if block.sparse:
        return coordinates.design(block)
    every, at = coordinates.columns.size == coordinates.scale.size, coordinates.columns[columns]
    D = block.X[:, columns if every else at] - coordinates.center[at]
    D *= coordinates.inverse[at]
    return D


def where_far(by_rows: ByRows) -> Remake:
    """Make the metric again until the optimum is close: at each step, as Newton's method does, or where it is dear
    in reads of the data, at each that is slow.
    """
    patience = by_rows.patience

    def remake(state: State) -> Metric | None:
        far = state.iteration > 0 and state.decrement > _CLOSE * state.value
        return by_rows.at(state.theta) if far and state.slow % patience == patience - 1 else None

    return remake


def where_slow(make: Callable[[], ByRows], patience: int) -> Remake:
    """As `where_far`, from where the decrement does not fall tenfold in so many iterations."""
    anew: Remake | None = None

    def remake(state: State) -> Metric | None:
        nonlocal anew
        if anew is not None:
            return anew(state)
        if state.slow % patience != patience - 1:
            return None
        rows = make()
        anew = where_far(rows)
        return rows.at(state.theta)

    return remake


class ByClass:
    """A metric for each class, on changes that sum to 0 over the classes, as the optimum and all gradients do."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def solve(self, g: Array) -> Array:
        """P^-1 g; what the classes share is left as it is."""
        table = g.reshape(len(self._metrics), -1)
        shared = table.mean(axis=0)
        steps = np.array([metric.solve(row) for metric, row in zip(self._metrics, table - shared, strict=True)])
        return np.asarray((steps - steps.mean(axis=0) + shared).ravel())


class Woodbury:
    """diag(1 / inverse) + A'A with A = root (D - means), by `products` = A diag(inverse) A'."""

    def __init__(self, D: Array, means: Array, root: Array, inverse: Array, products: Array) -> None:
        self._D, self._means, self._root, self._inverse = D, means, root, inverse
        np.einsum("ii->i", products)[:] += 1.0
        self._small = Cholesky(products)

    def solve(self, g: Array) -> Array:
        """P^-1 g."""
        step = g * self._inverse
        rows = self._root * self._small.solve(self._root * (product(self._D, step) - dot(self._means, step)))
        return np.asarray(step - self._inverse * (product(rows, self._D) - float(rows.sum()) * self._means))
