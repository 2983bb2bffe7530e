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
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..coordinates import Coordinates
from ..data import Array, Block
from ..kernels.algebra import dot, product, solve_lower
from ..objective import Objective
from ..objective.row_sums import curvature
from ..objective.softmax import Scores, SoftmaxObjective
from . import Metric
from .metrics import Centred, Cholesky, least_total

_MOST_DOUBLE = 192  # rows whose products cost little, and have the same bits everywhere
_SINGLE = 1e4  # the largest entry beside 1 of a matrix in single precision
_FACTOR_READS = 300.0  # rows^2 / columns, for each of which a factor costs some reads
_LEAST_TOTAL = 1e-9  # of the weight of a class: what keeps the curvature of its intercept from vanishing


def stiffness(objective: Objective | SoftmaxObjective, D: Any) -> float:
    """The most curvature that the loss of a row of the design D may add to the penalty's, in units of the latter."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # infinite, or not a number, is too much
        squares = product(D.multiply(D) if sp.issparse(D) else np.square(D), 1 / objective.ridge)
    return 0.25 * float(squares.max(initial=0.0)) / objective.total_weight


class ByRows:
    """The Hessian by the rows, sum_i h_i d_i d_i' / S + diag(ridge): of two classes exact, of more class by class.

    The products are made, when they are asked for, in single precision where the identity that is added to them is not
    lost in their rounding.
    """

    def __init__(self, objective: Objective | SoftmaxObjective, sample: Block) -> None:
        self._objective, self._sample = objective, sample
        self._D = objective.coordinates.design(sample)
        self._inverse = 1 / objective.ridge
        self.stiffness = stiffness(objective, self._D)

    @functools.cached_property
    def _products(self) -> Array:
        weight = 1.0 if self._sample.weight is None else float(self._sample.weight.max())
        many = self._sample.n_rows > _MOST_DOUBLE and weight * self.stiffness < _SINGLE
        root = np.sqrt(self._inverse)
        scaled = self._D.multiply(root).tocsr() if sp.issparse(self._D) else self._D * root
        scaled = scaled.astype(np.float32 if many else np.float64, copy=False)
        products = product(scaled, scaled.T)
        return np.asarray(products.toarray() if sp.issparse(products) else products)

    @property
    def patience(self) -> int:
        """The iterations without a tenfold fall after which a matrix is factored again, as it costs so many reads."""
        n, p = self._D.shape
        return int(1 + n * n / max(p, 1) / _FACTOR_READS)

    def at(self, theta: Array) -> Metric:
        """The metric at theta."""
        objective = self._objective
        if isinstance(objective, SoftmaxObjective):
            # On changes that sum to 0, even odds of K classes have K / (K - 1) of the curvature of each on its own.
            h = Scores.of(objective, theta).curvature(self._sample) * (objective.n_free / (objective.n_free - 1))
            least = _LEAST_TOTAL * objective.data.class_weights
            return ByClass([self._of(*each) for each in zip(h.T, least, strict=True)])
        first = int(objective.coordinates.intercept)
        h = curvature(self._sample, product(self._D, theta[first:]) + (theta[0] if first else 0.0))
        return self._of(h, least_total(objective))

    def _of(self, h: Array, least: float) -> Metric:
        """The metric where the rows have curvature h, and all together no less than `least`."""
        total, total_weight = max(float(h.sum()), least), self._objective.total_weight
        dtype = np.float64 if isinstance(self._objective, Objective) else self._products.dtype  # need not be exact
        root, products = np.sqrt(h / total_weight), self._products.astype(dtype)
        means = np.zeros(self._D.shape[1])
        intercept = self._objective.coordinates.intercept
        if intercept:  # of the rows less their mean
            means = np.asarray(product(h, self._D)) / total
            with_mean = product(self._products, h) / total
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
        if not isinstance(objective, SoftmaxObjective):
            raise AssertionError("two classes have the exact Hessian by their rows, and no need of their space")
        L = Cholesky(self._products).root()
        n, first = len(L), int(objective.coordinates.intercept)
        rows = Block(L, block.y, block.weight, block.offset)
        part = objective.on(rows)
        part.coordinates = Coordinates(np.zeros(n), np.ones(n), np.arange(n), bool(first))
        part.ridge = np.ones(n)
        table = theta.reshape(objective.n_free, -1)
        slopes = solve_lower(L, product(self._D, table[:, first:].T)).T
        start = np.concatenate([table[:, :first], slopes], axis=1).ravel()
        return RowSpace(part, rows, start, self._D, self._inverse)


@dataclass(frozen=True)
class RowSpace:
    """The problem in the space of the rows.

    objective, sample, start : of the rows of L, which are the columns too
    """

    objective: SoftmaxObjective
    sample: Block
    start: Array
    design: Any
    inverse: Array

    def outside(self, phi: Array) -> Array:
        """Theta of all columns."""
        first = int(self.objective.coordinates.intercept)
        table = phi.reshape(self.objective.n_free, -1)
        A = solve_lower(self.sample.X, table[:, first:].T, transposed=True)
        slopes = np.asarray(product(self.design.T, A)).T * self.inverse
        return np.concatenate([table[:, :first], slopes], axis=1).ravel()


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
