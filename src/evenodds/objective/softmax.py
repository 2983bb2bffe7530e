"""J for more than two classes: the softmax of one score a class.

    J(b, W) = (1/S) sum_i s_i [ log sum_k e^z_ik - z_i,y(i) ] + (lam/2) ||W||^2,    z_ik = b_k + x_i w_k + offset_ik

Adding the same vector to all classes changes no probability. Without a penalty the first class is therefore the
baseline, with all its coefficients 0. With one, all classes have coefficients; the penalty makes the slopes of the
optimum sum to 0 over the classes, and the intercepts, which it leaves out, are chosen so.

Theta holds the classes one after another, each as in the binary `Objective`. Small and sparse data are multiplied by
BLAS and SciPy, on tiles of rows that stay in the cache. Large dense data have a kernel of their own: BLAS copies both
matrices of a product, which costs as much as to multiply by a handful of classes.
"""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..arrow import Arrow
from ..class_arrow import class_arrow, pair_products, pair_weights
from ..coordinates import Coordinates
from ..data import Array, Block, Data, Sums, is_coded, nonzero_weights, require_finite
from ..kernels.algebra import dot, grams, product
from ..kernels.rows import AT_ONCE
from ..kernels.softmax import softmax_second_sums, softmax_sums
from ..scores import log_probabilities, other_classes, softmax
from .row_sums import coded_gradient, coded_scores
from .tiles import class_tiles

_SINGLE_FROM = 1 << 20  # entries of X from which single precision pays
_MOST_SHARED = 1e5  # of the intercepts' curvature, that along what they share


@dataclass
class SoftmaxObjective:
    """J over a home of data, in given coordinates. The contract of `Objective`, for K classes.

    ridge : (k,) the penalty's curvature of each slope of a class
    baseline : whether the first class has no coefficients
    mean_odds : the mean over rows of (1 - p)/p, p that of the own class, where `value_grad` was last asked
    single : whether `value_grad` multiplies in single precision, which serves far from the optimum and is twice as fast
    """

    data: Data
    coordinates: Coordinates
    ridge: Array
    baseline: bool
    total_weight: float = field(init=False)
    observations: float = field(init=False)
    single: bool = field(init=False, default=False)
    passes: int = field(init=False, default=0)
    mean_odds: float = field(init=False, default=math.nan)
    _last: tuple[Array, float, Array] | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        self.total_weight = float(self.data.class_weights.sum())
        self.observations = max(self.total_weight, float(self.data.n_rows))

    @property
    def n_free(self) -> int:
        """Classes that have coefficients."""
        return self.data.class_weights.size - int(self.baseline)

    @property
    def n_coef(self) -> int:
        """The length of theta."""
        return self.n_free * (self.ridge.size + int(self.coordinates.intercept))

    @property
    def pull(self) -> Array:
        """The penalty's curvature of each entry of theta."""
        one = np.concatenate([np.zeros(int(self.coordinates.intercept)), self.ridge])
        return np.tile(one, self.n_free)

    def to_coef(self, theta: Array) -> tuple[Array, Array]:
        """The intercepts (K,) and the coefficients (K, p) of the raw columns, those of a baseline 0."""
        pairs = [self.coordinates.to_coef(one) for one in theta.reshape(self.n_free, -1)]
        intercept, coef = np.array([b for b, _ in pairs]), np.array([w for _, w in pairs])
        if not self.baseline:
            return intercept - intercept.mean(), coef
        return np.concatenate([[0.0], intercept]), np.concatenate([np.zeros((1, coef.shape[1])), coef])

    def from_coef(self, intercept: Array, coef: Array) -> Array:
        """Theta for intercepts and coefficients of the raw columns."""
        if self.baseline:
            intercept, coef = intercept[1:] - intercept[0], coef[1:] - coef[0]
        return np.concatenate([self.coordinates.from_coef(float(b), w) for b, w in zip(intercept, coef, strict=True)])

    def start(self, sample: Block) -> Array:
        """Theta without slopes: the log odds of the classes, less the offset of the row in the middle."""
        level = self._log_odds - sample.middle
        theta = np.zeros((self.n_free, self.n_coef // self.n_free))
        theta[:, : int(self.coordinates.intercept)] = self._free(level[None, :]).T
        return theta.ravel()

    def reach(self, theta: Array, sample: Block) -> float:
        """How far scores are from 0, beyond the log odds of the classes; 0 without slopes and an offset."""
        slopes = theta.reshape(self.n_free, -1)[:, int(self.coordinates.intercept) :]
        if sample.offset is None and not slopes.any():
            return 0.0
        Z = Scores.of(self, theta).of_rows(sample)
        Z -= 0.0 if self.baseline else Z.mean(axis=1, keepdims=True)
        return float(np.abs(Z).max(initial=0.0) - np.abs(self._free(self._log_odds[None, :])).max())

    @property
    def _log_odds(self) -> Array:
        return np.asarray(np.log(nonzero_weights(self.data) / self.total_weight))

    def _free(self, scores: Array) -> Array:
        """Scores (m, K) of all classes as those of the classes that have coefficients."""
        return scores[:, 1:] - scores[:, :1] if self.baseline else scores - scores.mean(axis=1, keepdims=True)

    def parts(self) -> Iterator[tuple[int, Callable[[Any, Array], Array]]]:
        """Each block's number of rows, and a function: the gradient of the summed loss of some of its rows at theta."""

        def gradient(block: Block, k: Any, theta: Array) -> Array:
            scores = Scores.of(self, theta)
            return scores.gradient(*scores.first_order(block.take(k))[2:])

        for block in self.data.blocks():
            yield block.n_rows, functools.partial(gradient, block)

    def on(self, block: Block) -> "SoftmaxObjective":
        """The same objective over a sample of the rows."""
        return SoftmaxObjective(self.data.part(block), self.coordinates, self.ridge, self.baseline)

    def reduce(self, function: Callable[[Block], Sums]) -> Sums:
        """One counted read of the data."""
        self.passes += 1
        return self.data.reduce(function)

    def over_tiles(self, function: Callable[[Block], Sums]) -> Sums:
        """The same by parts of the blocks whose products stay in the cache."""
        n_free = self.n_free
        return self.reduce(lambda block: class_tiles(block, n_free, function))

    def value_grad(self, theta: Array, room: Array | None = None) -> tuple[float, Array, None]:
        """J and its gradient (no Hessian). Asked again for the same theta, it does not read the data again.

        room : (n_rows, K) for the probabilities, of sparse rows in memory, which are then read
        """
        if self._last is None or room is not None or not np.array_equal(self._last[0], theta):
            self._last = (theta, *self._first_order(theta, room))
        return self._last[1], self._last[2], None

    def _first_order(self, theta: Array, room: Array | None = None) -> tuple[float, Array]:
        scores = Scores.of(self, theta)
        if not self.data.sparse:
            dtype = np.float32 if self.single else np.float64
            sums = self.reduce(lambda block: scores.first_order_at_once(block, dtype))
        else:
            sums = self.over_tiles(lambda tile: scores.first_order(tile, room))
        loss, odds, by_intercept, by_coef = sums
        if self.single and not math.isfinite(loss + by_coef.sum()):  # beyond the range of single precision
            self.single = False
            return self._first_order(theta)
        self.mean_odds = float(odds) / self.total_weight
        return self._finish(theta, loss, scores.gradient(by_intercept, by_coef))

    def may_be_single(self) -> bool:
        """Whether single precision pays: for many products with dense columns of usual size."""
        scale = self.coordinates.scale
        usual = bool(((scale > 1e-30) & (scale < 1e30)).all())
        return self.data.size >= _SINGLE_FROM and not self.data.sparse and usual

    def in_double(self) -> None:
        """Double precision from now on."""
        self.single, self._last = False, None

    def arrow(self, theta: Array) -> Arrow:
        """The Hessian over a home of coded rows. It comes with J and its gradient, which are kept for `value_grad`."""
        scores = Scores.of(self, theta)
        loss, odds, by_intercept, by_coef, *made = self.reduce(scores.coded_second_order)
        self.mean_odds = float(odds) / self.total_weight
        self._last = (theta, *self._finish(theta, loss, scores.gradient(by_intercept, by_coef)))
        found = (
            class_arrow(self.data.layout, self.coordinates, self.n_free, made)
            .times(1 / self.total_weight)
            .plus(self.pull)
        )
        if not self.baseline and self.coordinates.intercept:  # see `value_grad_hess`
            at = np.arange(self.n_free) * (found.few.size // self.n_free)  # the intercepts come first
            found.A[np.ix_(at, at)] += min(1.0, _MOST_SHARED * found.A[at, at].mean()) / self.n_free
        return found

    def value_grad_hess(self, theta: Array) -> tuple[float, Array, Array]:
        """J, its gradient and its Hessian."""
        coordinates = self.coordinates
        if self.data.sparse or coordinates.center.size > AT_ONCE:
            loss, gradient, hessian = self.over_tiles(Scores.of(self, theta).second_order)
        else:
            baseline, table = self.baseline, theta.reshape(self.n_free, -1)
            loss, gradient, hessian = self.reduce(lambda block: _at_once(block, coordinates, baseline, table))
        hessian = hessian / self.total_weight
        np.einsum("ii->i", hessian)[:] += self.pull
        if not self.baseline and self.coordinates.intercept:
            # The classes' intercepts together change nothing: any curvature will do in that direction. But beside
            # what is next to nothing, where all rows are nearly certain, 1 would leave no digits.
            at = np.arange(self.n_free) * (self.n_coef // self.n_free)
            hessian[np.ix_(at, at)] += min(1.0, _MOST_SHARED * hessian[at, at].mean()) / self.n_free
        return *self._finish(theta, loss, gradient.ravel()), hessian

    def hessian(self, theta: Array, dtype: Any = np.float64) -> Array:
        """The Hessian alone."""
        return self.value_grad_hess(theta)[2]

    def diagonal(self, theta: Array) -> Array:
        """The diagonal of the Hessian."""
        scores = Scores.of(self, theta)
        (total,) = self.over_tiles(scores.squares)
        return np.asarray(total).ravel() / self.total_weight + self.pull

    def largest_move(self, step: Array) -> float:
        """The largest change of a score that a step makes."""
        scores = Scores.of(self, step)

        def sums(block: Block) -> Sums:
            plain = Block(block.rows, block.y)
            return ([float(np.abs(scores.of_rows(plain)).max(initial=0.0))],)

        return float(max(self.over_tiles(sums)[0]))

    def multipliers(self, theta: Array) -> Callable[[Block], Array]:
        """Of a block (m, K - 1) s p of each row and class other than its own: see `separation.balance`."""
        return Scores.of(self, theta).multipliers

    def least_multiplier(self, theta: Array) -> float:
        """The least of all rows' `multipliers`."""
        of = self.multipliers(theta)
        return float(min(self.over_tiles(lambda tile: ([float(of(tile).min(initial=np.inf))],))[0]))

    def _finish(self, theta: Array, loss: float, gradient: Array) -> tuple[float, Array]:
        """Means from sums, and the penalty."""
        with np.errstate(over="ignore", invalid="ignore"):
            gradient = gradient / self.total_weight
            slopes, by_slopes = (
                v.reshape(self.n_free, -1)[:, int(self.coordinates.intercept) :] for v in (theta, gradient)
            )
            pull = self.ridge * slopes
            by_slopes += pull
            value = loss / self.total_weight + 0.5 * dot(pull.ravel(), slopes.ravel())
            finite = math.isfinite(value + float(gradient.sum()))
        if not finite:
            require_finite(self.data)
            value = np.inf
        return value, gradient


@dataclass(frozen=True)
class Scores:
    """The scores of all classes at one theta, and sums of their derivatives.

    intercept : (F,) of the classes that are free, at the centre; coef : (F, p) of the raw columns
    """

    coordinates: Coordinates
    baseline: bool
    intercept: Array
    coef: Array

    @classmethod
    def of(cls, objective: SoftmaxObjective, theta: Array) -> "Scores":
        """The scores at theta."""
        coordinates = objective.coordinates
        parts = [coordinates.split(one) for one in theta.reshape(objective.n_free, -1)]
        intercept, coef = np.array([b for b, _ in parts]), np.array([w for _, w in parts])
        return cls(coordinates, objective.baseline, intercept, coef)

    @functools.cached_property
    def _by_column(self) -> Array:
        """The coefficients (p, F) in one piece, as SciPy would copy them for each product."""
        return np.ascontiguousarray(self.coef.T)

    def _as_it_is(self, X: Any) -> bool:
        """Whether X is multiplied as it is, and centred after the fact."""
        return bool(sp.issparse(X) or (self.coordinates.near and X.dtype == np.float64))

    def of_rows(self, block: Block) -> Array:
        """The scores (m, F), with the offset of the classes that are free."""
        if is_coded(block.rows):
            Z = coded_scores(block.rows, self.intercept, self.coef.T)
            return self._with_offset(Z, block)
        X, center = block.X, self.coordinates.center
        if self._as_it_is(X):
            Z = product(X, self._by_column)
            Z += self.intercept if sp.issparse(X) else self.intercept - product(self.coef, center)
        else:
            Z = product(X - center, self.coef.T)
            Z += self.intercept
        return self._with_offset(Z, block)

    def _with_offset(self, Z: Array, block: Block) -> Array:
        if block.offset is not None:
            Z += block.offset[:, int(self.baseline) :] - (block.offset[:, :1] if self.baseline else 0.0)
        return np.asarray(Z)

    def probabilities(self, block: Block) -> tuple[Array, Array, Array]:
        """The loss of each row, its probabilities and its residuals, of all classes: see `softmax`."""
        Z = self.of_rows(block)
        if self.baseline:
            Z = np.column_stack([np.zeros(len(Z)), Z])
        return softmax(Z, block.y.astype(np.intp))

    def multipliers(self, block: Block) -> Array:
        """See `SoftmaxObjective.multipliers`."""
        Z = self.of_rows(block)
        Z = np.column_stack([np.zeros(len(Z)), Z]) if self.baseline else Z
        others = np.arange(Z.shape[1]) != block.y[:, None]
        P = np.exp(log_probabilities(Z)[others]).reshape(block.n_rows, -1)
        return np.asarray(P if block.weight is None else P * block.weight[:, None])

    def first_order(self, block: Block, room: Array | None = None) -> Sums:
        """Loss, odds, and the gradient by the intercepts (F,) and the centred coefficients (F, p).

        room : (n_rows, K) for the probabilities of all rows
        """
        losses, P, R = self.probabilities(block)
        if room is not None:
            room[block.first : block.first + block.n_rows] = P
        R = self._weighted(block, R)
        weight = np.ones(block.n_rows) if block.weight is None else block.weight
        with np.errstate(over="ignore", invalid="ignore"):
            loss, odds = dot(weight, losses), dot(weight, np.expm1(losses))
        total = R.sum(axis=0)
        if is_coded(block.rows):
            return loss, odds, total, coded_gradient(block.rows, R)[1].T
        X, center = block.X, self.coordinates.center
        if sp.issparse(X):
            return loss, odds, total, np.asarray((product(X.T, R)).T)
        if self._as_it_is(X):
            return loss, odds, total, product(R.T, X) - np.outer(total, center)
        return loss, odds, total, product(R.T, X - center)

    def coded_second_order(self, block: Block) -> Sums:
        """The same of coded rows, and their products for each two classes: see `arrow`."""
        losses, P, R = self.probabilities(block)
        R, weight = self._weighted(block, R), np.ones(block.n_rows) if block.weight is None else block.weight
        with np.errstate(over="ignore", invalid="ignore"):
            loss, odds = dot(weight, losses), dot(weight, np.expm1(losses))
        total, by_coef = coded_gradient(block.rows, R)
        weights = pair_weights(P, other_classes(P), block.weight, len(self.intercept))
        return loss, odds, total, by_coef.T, *pair_products(block.rows, weights)

    def first_order_at_once(self, block: Block, dtype: Any) -> Sums:
        """The same of dense rows in one read; products in the precision `dtype`."""
        return softmax_sums(
            block.X,
            block.y,
            block.weight,
            block.offset,
            self.baseline,
            self.coordinates.center,
            self.coef,
            self.intercept,
            dtype,
        )

    def curvature(self, block: Block) -> Array:
        """(m, F) s p (1 - p) of each row and class that is free."""
        P = self.probabilities(block)[1]
        return self._weighted(block, P * other_classes(P))

    def squares(self, block: Block) -> Sums:
        """The diagonal of the Hessian, (F, k)."""
        P = self.curvature(block)
        columns = self.coordinates.columns
        if is_coded(block.rows):
            squares = coded_gradient(block.rows, P, power=2)[1]
        elif sp.issparse(block.X):
            squares = product((block.X.multiply(block.X)).T, P)
        else:
            D = block.X - self.coordinates.center
            squares = product(np.square(D, out=D).T, P)
        slopes = (squares[columns] / self.coordinates.scale[columns, None] ** 2).T
        return (np.column_stack([P.sum(axis=0), slopes]) if self.coordinates.intercept else slopes,)

    def _weighted(self, block: Block, values: Array) -> Array:
        """Values (m, K) of the classes that are free, times the weights of the rows."""
        values = values[:, int(self.baseline) :]
        return values if block.weight is None else values * block.weight[:, None]

    def gradient(self, by_intercept: Array, by_coef: Array) -> Array:
        """A gradient by theta."""
        pairs = zip(by_intercept, by_coef, strict=True)
        return np.concatenate([self.coordinates.gradient(b, w) for b, w in pairs])

    def second_order(self, block: Block) -> Sums:
        """Loss, its gradient (F, k) and Hessian (F k, F k) by theta."""
        losses, P, R = self.probabilities(block)
        D = dense_design(self.coordinates, block)
        weight = np.ones(block.n_rows) if block.weight is None else block.weight
        free = slice(int(self.baseline), None)
        P, rest = P[:, free], other_classes(P)[:, free]
        F, k = P.shape[1], D.shape[1]
        hessian = np.empty((F, k, F, k))
        first, second = np.triu_indices(F)
        others = np.where((first == second)[:, None], rest.T[first], -P.T[second])
        for a, b, products in zip(first, second, grams(D, weight * P.T[first] * others), strict=True):
            hessian[a, :, b] = hessian[b, :, a] = products
        gradient = product(self._weighted(block, R).T, D)
        return dot(weight, losses), np.asarray(gradient), hessian.reshape(F * k, F * k)


def _at_once(block: Block, coordinates: Coordinates, baseline: bool, theta: Array) -> Sums:
    """Loss, its gradient and Hessian by theta (F, k): one read of a dense block."""
    places, p = coordinates.places, coordinates.center.size + int(coordinates.intercept)
    every = np.zeros((len(theta), p))
    every[:, places] = theta
    rows = (block.X, block.y, block.weight, block.offset, baseline)
    loss, gradient, hessian = softmax_second_sums(*rows, coordinates.center, coordinates.inverse, every)
    if places.size < p:
        at = (np.arange(len(theta))[:, None] * p + places).ravel()
        gradient, hessian = gradient[:, places], hessian[np.ix_(at, at)]
    return loss, gradient, hessian


def dense_design(coordinates: Coordinates, block: Block) -> Array:
    """The columns of theta of one class, the intercept's first, dense."""
    D = coordinates.design(block)
    D = D.toarray() if sp.issparse(D) else D
    return np.column_stack([np.ones(block.n_rows), D]) if coordinates.intercept else np.asarray(D)
