"""The one function that everything fits, certifies or explains.

    J(b, w) = (1/S) sum_i s_i [ log(1 + e^z_i) - y_i z_i ] + (lam/2) ||w||^2,    z_i = b + x_i w + offset_i

with S = sum_i s_i and lam = 1/(C S); the intercept b is never penalised. The bracket is the textbook's
binary cross-entropy.

Solvers see theta, the coefficients in `Coordinates` where the columns are alike, and never X.
"""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import expit

from ..arrow import Arrow, products
from ..coordinates import Coordinates
from ..data import Array, Block, Data, Sums, nonzero_weights, require_finite
from ..kernels.algebra import dot
from ..kernels.newton import Limits, Steps, newton
from ..kernels.rows import AT_ONCE
from .row_sums import coded_second_order, curvature, curvature_sums, first_order, linear_predictor, second_order
from .tiles import over_tiles

_LENGTHS = 6  # of a step are tried at the most


@dataclass
class Objective:
    """J over a home of data, in given coordinates. `passes` counts the reads of the data.

    ridge : (k,) the penalty's curvature of each slope of theta
    observations : what a gap is multiplied by in standard errors: S, and no less than the rows there are, as weights
        tell how rows compare, and a small total does not make an optimum worth less
    """

    data: Data
    coordinates: Coordinates
    ridge: Array
    total_weight: float = field(init=False)
    observations: float = field(init=False)
    passes: int = field(init=False, default=0)
    _last: tuple[Array, float, Array] | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        self.total_weight = float(self.data.class_weights.sum())
        self.observations = max(self.total_weight, float(self.data.n_rows))

    @property
    def n_coef(self) -> int:
        """The length of theta."""
        return self.ridge.size + int(self.coordinates.intercept)

    @property
    def pull(self) -> Array:
        """The penalty's curvature of each entry of theta."""
        return np.concatenate([np.zeros(int(self.coordinates.intercept)), self.ridge])

    def to_coef(self, theta: Array) -> tuple[Array, Array]:
        """The intercept (1,) and the coefficients (1, p) of the raw columns."""
        intercept, coef = self.coordinates.to_coef(theta)
        return np.array([intercept]), coef[None, :]

    def from_coef(self, intercept: Array, coef: Array) -> Array:
        """Theta for an intercept and coefficients of the raw columns."""
        return self.coordinates.from_coef(float(intercept[0]), coef[0])

    def start(self, sample: Block) -> Array:
        """Theta without slopes: the log odds of the classes, less the offset of the row in the middle."""
        theta = np.zeros(self.n_coef)
        theta[: int(self.coordinates.intercept)] = self._log_odds - sample.middle
        return theta

    def reach(self, theta: Array, sample: Block) -> float:
        """How far scores are from 0, beyond the log odds of the classes; 0 without slopes and an offset."""
        first = int(self.coordinates.intercept)
        if sample.offset is None and not theta[first:].any():
            return 0.0
        z = linear_predictor(sample, self.coordinates, theta)
        z = z if sample.offset is None else z + sample.offset
        return float(np.abs(z).max(initial=0.0)) - abs(self._log_odds)

    @property
    def _log_odds(self) -> float:
        return float(np.diff(np.log(nonzero_weights(self.data)))[0])

    def parts(self) -> Iterator[tuple[int, Callable[[Any, Array], Array]]]:
        """Each block's number of rows, and a function: the gradient of the summed loss of some of its rows at theta."""

        def gradient(block: Block, k: Any, theta: Array) -> Array:
            return self.coordinates.gradient(*first_order(block.take(k), self.coordinates, theta)[1:])

        for block in self.data.blocks():
            yield block.n_rows, functools.partial(gradient, block)

    def on(self, block: Block) -> "Objective":
        """The same objective over a sample of the rows."""
        return Objective(self.data.part(block), self.coordinates, self.ridge)

    def reduce(self, function: Callable[[Block], Sums]) -> Sums:
        """One counted read of the data."""
        self.passes += 1
        return self.data.reduce(function)

    def over_tiles(self, function: Callable[[Block], Sums]) -> Sums:
        """The same by parts of the blocks, small enough for the copies that plain NumPy makes of them."""
        return self.reduce(lambda block: over_tiles(block, function))

    def value_grad(self, theta: Array) -> tuple[float, Array, None]:
        """J and its gradient (no Hessian). Asked again for the same theta, it does not read the data again."""
        if self._last is not None and np.array_equal(self._last[0], theta):
            return self._last[1], self._last[2], None
        coordinates = self.coordinates
        loss, *by = self.reduce(lambda block: first_order(block, coordinates, theta))
        self._last = (theta, *self._finish(theta, loss, self.coordinates.gradient(*by)))
        return self._last[1], self._last[2], None

    def value_grad_hess(self, theta: Array) -> tuple[float, Array, Array]:
        """J, its gradient and its Hessian."""
        hessian = self.hessian(theta)
        value, gradient, _ = self.value_grad(theta)
        return value, gradient, hessian

    def hessian(self, theta: Array, dtype: Any = np.float64) -> Array:
        """The Hessian alone; products of many columns in `dtype`.

        Of few dense columns it comes with J and its gradient, which are kept for `value_grad`.
        """
        coordinates = self.coordinates
        if self.data.layout is not None:
            return self.arrow(theta).dense()
        if self.data.sparse or coordinates.center.size > AT_ONCE:
            (total,) = self.over_tiles(lambda tile: (_hessian_sum(tile, coordinates, theta, dtype),))
        else:
            loss, gradient, total = self.reduce(lambda block: second_order(block, coordinates, theta))
            self._last = (theta, *self._finish(theta, loss, gradient))
        hessian = np.asarray(total) / self.total_weight
        np.einsum("ii->i", hessian)[int(coordinates.intercept) :] += self.ridge
        return hessian

    def arrow(self, theta: Array) -> Arrow:
        """The Hessian over a home of coded rows. It comes with J and its gradient, which are kept for `value_grad`."""
        coordinates, layout = self.coordinates, self.data.layout
        if layout is None:
            raise AssertionError("rows without codes have no such Hessian")
        loss, residual, by_coef, *sums = self.reduce(lambda block: coded_second_order(block, coordinates, theta))
        self._last = (theta, *self._finish(theta, loss, coordinates.gradient(residual, by_coef)))
        found = products(layout, coordinates.columns, coordinates.inverse, coordinates.intercept, tuple(sums))
        return found.times(1 / self.total_weight).plus(self.pull)

    def by_newton(self, theta: Array, limits: Limits) -> Steps | None:
        """The points of Newton's method from theta, in one call.

        None where there is more to do than a loop over few dense columns in memory, or theta is no point to begin at.
        """
        coordinates, p = self.coordinates, self.coordinates.center.size
        block, at = None if self.data.sparse or p > AT_ONCE else self.data.whole(), coordinates.places
        if block is None:
            return None
        every, pull = np.zeros(p + int(coordinates.intercept)), np.ones(p + int(coordinates.intercept))
        every[at], pull[at] = theta, self.pull
        rows = (block.X, block.y, block.weight, block.offset)
        with np.errstate(over="ignore"):
            found = newton(*rows, every, coordinates.center, coordinates.inverse, pull, self.total_weight, limits)
        hessian = None if found.hessian is None else coordinates.square(found.hessian)
        self.passes += found.reads
        if not len(found.thetas):
            return None
        return replace(found, thetas=found.thetas[:, at], gradient=found.gradient[at], hessian=hessian)

    def column_curvature(self, theta: Array, bends: Array | None = None) -> Sums:
        """sum(h), sum(h x) and sum(h x^2) of the centred columns at theta, h = s p (1 - p), from one read.

        The same read gives J and its gradient, which are kept for `value_grad`.

        bends : (n_rows,) room for h itself, of sparse rows in memory
        """
        intercept, coef = self.coordinates.split(theta)
        center = self.coordinates.center
        loss, residual, by_coef, *moments = self.over_tiles(
            lambda tile: curvature_sums(tile, intercept, coef, center, bends)
        )
        self._last = (theta, *self._finish(theta, loss, self.coordinates.gradient(residual, by_coef)))
        return tuple(moments)

    def multipliers(self, theta: Array) -> Callable[[Block], Array]:
        """Of a block (m,) s times the probability of the other class: at an optimum they balance the signed rows."""
        return functools.partial(_multipliers, self.coordinates, theta)

    def least_multiplier(self, theta: Array) -> float:
        """The least of all rows' `multipliers`."""
        of = self.multipliers(theta)
        return float(min(self.over_tiles(lambda tile: ([float(of(tile).min(initial=np.inf))],))[0]))

    def extremes(self, theta: Array, change: Array) -> tuple[float, float]:
        """What s p (1 - p) no row has less of at theta, by its largest score, and the most a change moves a score."""
        coordinates = self.coordinates

        def of(tile: Block) -> Sums:
            z, moves = (linear_predictor(tile, coordinates, one) for one in (theta, change))
            z = z if tile.offset is None else z + tile.offset
            t = math.exp(-float(np.abs(z).max(initial=0.0)))
            weight = 1.0 if tile.weight is None else float(tile.weight.min(initial=np.inf))
            return [weight * t / (1 + t) ** 2], [float(np.abs(moves).max(initial=0.0))]

        least, most = self.over_tiles(of)
        return float(min(least)), float(max(most))

    def diagonal(self, theta: Array) -> Array:
        """The diagonal of the Hessian."""
        total, _, second = self.column_curvature(theta)
        columns = self.coordinates.columns
        slopes = np.asarray(second)[columns] / self.coordinates.scale[columns] ** 2
        return np.concatenate([np.full(int(self.coordinates.intercept), total), slopes]) / self.total_weight + self.pull

    def largest_move(self, step: Array) -> float:
        """The largest change of a score that a step makes."""
        if not step.any():
            return 0.0
        coordinates = self.coordinates

        def moves(tile: Block) -> Sums:
            return ([float(np.abs(linear_predictor(tile, coordinates, step)).max(initial=0.0))],)

        return float(max(self.over_tiles(moves)[0]))

    def best_length(self, theta: Array, step: Array) -> float:
        """The t, from 0.1 to 10, at which J is least at theta + t step, within 5%: from the rows of small data.

        It takes two products with the rows; the rest is Newton's method on the margins alone. 1 where rows are not in
        memory.
        """
        first = int(self.coordinates.intercept)
        pull = self.ridge * step[first:]
        by_pull, bend = dot(pull, theta[first:]), dot(pull, step[first:])
        t, block = 1.0, self.data.whole()
        if block is None:
            return t
        sign = np.where(block.y > 0, 1.0, -1.0)
        with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
            v, move = (sign * linear_predictor(block, self.coordinates, x) for x in (theta, step))
            v = v if block.offset is None else v + sign * block.offset
            weighted = (move if block.weight is None else block.weight * move) / self.total_weight
            for _ in range(_LENGTHS):
                wrong = expit(-(v + t * move))
                slope = by_pull + t * bend - dot(weighted, wrong)
                curvature = bend + dot(weighted * move, wrong - wrong * wrong)
                new = min(max(t - slope / curvature, 0.25 * t, 0.1), 4 * t, 10.0) if curvature > 0 else math.nan
                if not abs(new - t) > 0.05 * t:
                    break
                t = new
        return t

    def _finish(self, theta: Array, loss: float, gradient: Array) -> tuple[float, Array]:
        """Means from sums, and the penalty. An error where X is not finite; J is infinite where theta is too large."""
        first = int(self.coordinates.intercept)
        value = loss / self.total_weight
        gradient = gradient / self.total_weight
        slopes = theta[first:]
        pull = self.ridge * slopes
        gradient[first:] += pull
        value += 0.5 * dot(pull, slopes)
        if not math.isfinite(value + float(gradient.sum())):
            require_finite(self.data)
            value = np.inf
        return value, gradient


def _hessian_sum(block: Block, coordinates: Coordinates, theta: Array, dtype: Any) -> Array:
    """sum(h x x') of the columns of theta: those of the slopes and, if there is an intercept, a column of ones."""
    first, D = int(coordinates.intercept), coordinates.design(block)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        h = curvature(block, D @ theta[first:] + (theta[0] if first else 0.0))
        total, by = h.sum(), h @ D
        if sp.issparse(D):
            products = (D.T @ (sp.diags_array(h) @ D)).toarray()
        else:
            scaled = np.multiply(D, np.sqrt(h)[:, None], dtype=dtype, out=D if dtype == np.float64 else None)
            products = scaled.T @ scaled
    return (
        np.block([[np.full((1, 1), total), by[None]], [by[:, None], products]])
        if first
        else np.asarray(products, float)
    )


def _multipliers(coordinates: Coordinates, theta: Array, block: Block) -> Array:
    z = linear_predictor(block, coordinates, theta)
    z = z if block.offset is None else z + block.offset
    q: Array = expit(np.where(block.y > 0, -z, z))
    return q if block.weight is None else q * block.weight
