"""Lasso and elastic net on sparse rows with many columns, held in memory.

Too many columns are in play for a Hessian of them. Proximal Newton then takes its steps by coordinate descent on the
columns of X themselves: the model's change of each row's score is kept, and a coefficient reads and writes it where its
column has entries (Yuan, Ho and Lin, J. Mach. Learn. Res. 13, 2012). The intercept is not one coefficient among
others: it follows each of them to where the model is least, as rows hold many positive entries, which together look
like it. Steps only touch columns that have a coefficient or are further from 0 than the penalty allows.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..data import Array, Block, whole_rows
from ..kernels.algebra import dot, product
from ..kernels.descent import descend_sparse
from . import Status
from .mean_loss import MeanLoss
from .penalty import Penalty
from .proximal_newton import ROUNDING, Look, Point, credible
from .quasi_newton import ARMIJO
from .working_set import Stop, extrapolated

Numbers = NDArray[np.intp]

_SWEEPS = 30
_ACCURACY = 1e-4  # of a step: the square of the last changes over that of the largest


class SparseColumns:
    """A sparse X by columns, and what proximal Newton knows at a point."""

    def __init__(self, loss: MeanLoss) -> None:
        self.loss, self.first = loss, int(loss.coordinates.intercept)
        self.block = _summed(loss)
        X = sp.csc_array(self.block.X)
        X = X if X.shape[1] == loss.coordinates.columns.size else X[:, loss.coordinates.columns]
        self._csc = X
        self._unit = 1 / loss.coordinates.scale[loss.coordinates.columns]
        weight = np.ones(X.shape[0]) if self.block.weight is None else self.block.weight
        self._share = weight / loss.total_weight
        self._sign = np.where(self.block.y > 0, 1.0, -1.0)

    def scores(self, theta: Array) -> Array:
        """The score of each row."""
        intercept, coef = self.loss.coordinates.for_block(self.block, theta)
        z = np.asarray(product(self.block.X, coef) + intercept)
        return z if self.block.offset is None else z + self.block.offset

    def mean_loss(self, z: Array) -> float:
        """F, from scores."""
        v = self._sign * z
        return dot(self._share, np.log1p(np.exp(-np.abs(v))) - np.minimum(v, 0.0))

    def mean_odds(self, z: Array) -> float:
        """The mean over rows of (1 - p)/p, p the probability of the label that was seen."""
        with np.errstate(over="ignore"):
            return dot(self._share, np.exp(-self._sign * z))

    def row_curvature(self, z: Array) -> Array:
        """The second derivative of F by each row's score."""
        t = np.exp(-np.abs(z))
        return np.asarray(self._share * t / (1 + t) ** 2)

    def moments(self, theta: Array) -> tuple[float, Array, Array]:
        """Of the rows' curvature: the sum, and for each column the means and the second moments about them."""
        coordinates = self.loss.coordinates
        sums = self.loss.objective.column_curvature(theta)
        total, first, second = (np.asarray(part) / self.loss.total_weight for part in sums)
        first, second = first[coordinates.columns] * self._unit, second[coordinates.columns] * self._unit**2
        if not self.first:
            return float(total), np.zeros_like(first), second
        means = first / total
        return float(total), means, np.maximum(second - means * first, 1e-12 * second)

    def hessian(self, theta: Array, moments: tuple[float, Array, Array], free: Numbers) -> Array:
        """Some columns of the Hessian of F."""
        total, means, _ = moments
        if self.first and free.size == 1 and free[0] == 0:
            return np.concatenate([[total], means * total])[:, None]
        A = np.ones((self.block.n_rows, free.size))
        slopes = free >= self.first
        which = free[slopes] - self.first
        A[:, slopes] = self._csc[:, which].toarray() * self._unit[which]
        A *= self.row_curvature(self.scores(theta))[:, None]
        found = (product(self._csc.T, A)) * self._unit[:, None]
        return np.concatenate([A.sum(axis=0)[None, :], found]) if self.first else np.asarray(found)

    def step(
        self, penalty: Penalty, theta: Array, gradient: Array, z: Array, moments: tuple[float, Array, Array]
    ) -> tuple[Array, Array]:
        """The end of a step, and the change of each row's score on the way."""
        total, means, curvature = moments
        slopes = slice(self.first, None)
        x, g = theta[slopes].copy(), gradient[slopes]
        away = penalty.violation(theta, gradient)[slopes] > 0
        columns = np.flatnonzero((x != 0) | away)
        rows = np.stack([self.row_curvature(z), np.zeros(z.size)], axis=1)
        shift = -float(gradient[0]) / total if self.first else 0.0
        bounds = (penalty.l1[slopes], penalty.l2[slopes], penalty.lower[slopes], penalty.upper[slopes])
        shift = descend_sparse(
            self._csc, self._unit, columns, rows, means, shift, g, curvature, bounds, x, _ACCURACY, _SWEEPS
        )
        end = np.concatenate([[theta[0] + shift], x]) if self.first else x
        return end, rows[:, 1] + shift


def _summed(loss: MeanLoss) -> Block:
    """The rows with one entry in each place, here and in the loss: sums of squares are taken entry by entry."""
    block = whole_rows(loss.data, f"A lasso of {loss.data.n_columns:,} columns")
    if not block.X.has_canonical_format:
        X = block.X.copy()
        X.sum_duplicates()
        block = replace(block, rows=X)
        loss.data = loss.objective.data = loss.data.part(block)
    return block


def minimize_sparse(
    columns: SparseColumns, penalty: Penalty, theta: Array, *, target: float, max_iter: int, look: Look | None = None
) -> Point:
    """The optimum for one penalty."""
    loss = columns.loss
    point = Point(penalty, theta)
    point.iterations = 0
    promised, before = math.inf, (point.theta, math.inf, math.inf, math.inf)
    while True:
        moments = columns.moments(point.theta)
        F, gradient, _ = loss.objective.value_grad(point.theta)  # of the same read
        point.loss, point.gradient, point.value = F, gradient, F + penalty.value(point.theta)
        z = columns.scores(point.theta)
        hessian = functools.partial(columns.hessian, point.theta, moments)
        point.gap = penalty.gap(point.theta, point.loss, gradient, hessian, columns.mean_odds(z), loss.reach)
        point.rounds += 1
        if promised <= ROUNDING * max(1.0, abs(point.value)) and not point.gap < before[-1]:
            point.theta, point.value, point.loss, point.gap = before  # what is left is rounding
            point.status = Status.STALLED
        before = (point.theta, point.value, point.loss, point.gap)
        if look is not None and look([point]):
            point.status = Status.STOPPED
        elif point.gap <= target:
            point.status = Status.CONVERGED
        elif point.iterations >= max_iter:
            point.status = Status.MAX_ITER
        elif point.status is None:
            promised = _advance(columns, point, z, moments)
            point.status = Status.STALLED if math.isnan(promised) else None
        if point.status is not None:
            return point
        point.iterations += 1


def _advance(columns: SparseColumns, point: Point, z: Array, moments: tuple[float, Array, Array]) -> float:
    """Take a step, shortened until J falls: what it promised to first order, NaN if there is none."""
    penalty, theta = point.penalty, point.theta
    end, change = columns.step(penalty, theta, point.gradient, z, moments)
    direction = end - theta
    promised = penalty.value(theta) - penalty.value(end) - dot(point.gradient, direction)
    if not direction.any():
        return math.nan
    before = columns.mean_loss(z) + penalty.value(theta)
    t = longest = credible(before, promised)
    while t > 1e-8 * longest:
        new = end if t == 1.0 else theta + t * direction
        value = columns.mean_loss(z + t * change) + penalty.value(new)
        if math.isfinite(value) and value <= before - ARMIJO * t * promised + ROUNDING * max(1.0, before):
            point.theta = new
            return promised
        t *= 0.5
    return math.nan


def sparse_fit(
    loss: MeanLoss, penalty: Penalty, theta: Array, *, warm: bool, target: float, max_iter: int, look: Look | None
) -> Point:
    """The optimum for one penalty."""
    columns = SparseColumns(loss)
    start = penalty.nearest(theta if warm else np.where(penalty.bare, theta, 0.0))
    return minimize_sparse(columns, penalty, start, target=target, max_iter=max_iter, look=look)


def sparse_path(
    loss: MeanLoss,
    penalties: Sequence[Penalty],
    theta: Array,
    *,
    target: float,
    max_iter: int,
    stop: Stop | None = None,
) -> list[Point]:
    """The optimum for each penalty, from the strongest to the weakest."""
    columns = SparseColumns(loss)
    points: list[Point] = []
    for penalty in penalties:
        start = extrapolated(points, penalty) if points else penalty.nearest(theta)
        points.append(minimize_sparse(columns, penalty, start, target=target, max_iter=max_iter))
        if stop is not None and stop(points):
            break
    return points
