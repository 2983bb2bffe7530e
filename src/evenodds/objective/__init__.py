"""The one function that everything fits, certifies or explains.

    J(b, w) = (1/S) sum_i s_i [ log(1 + e^z_i) - y_i z_i ] + (lam/2) ||w||^2,    z_i = b + x_i w + offset_i

with S = sum_i s_i and lam = 1/(C S); the intercept b is never penalised. The bracket is the textbook's
binary cross-entropy. Of more classes it is that of the softmax of one score a class,

    log sum_k e^z_ik - z_i,y(i),    z_ik = b_k + x_i w_k + offset_ik

and the penalty sums over the classes as well. Two classes are a special case of more; only the loops over their rows
are others. The bracket is a `RowLoss`, what is summed over rows at one theta, and `Classes` tells which it is.

Solvers see theta, the coefficients in `Coordinates` where the columns are alike, those of one class after another, and
X only where they go through rows or columns one by one.
"""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np

from ..arrays import Array, Real, Which
from ..arrow import Arrow, anchor
from ..class_arrow import class_arrow, class_blocks, pair_weights
from ..coordinates import Coordinates
from ..data import Block, Data, Sums, require_finite, total_weight
from ..kernels.algebra import dot
from ..kernels.newton import Limits, Steps
from ..kernels.rows import AT_ONCE
from ..scores import other_classes
from .classes import TWO, Classes
from .row_loss import RowLoss
from .row_sums import coded_blocks

__all__ = ["SLIGHT", "TWO", "Classes", "Objective", "RowLoss"]

_SINGLE_FROM = 1 << 20  # entries of X from which single precision pays
SLIGHT = 1e-6  # a penalty's curvature, beside that of columns of unit size, from which it has its digits
_MOST_SHARED = 1e5  # of the intercepts' curvature, that along what they share


class _Known(NamedTuple):
    """J at theta, and the odds against the labels if they were asked for."""

    theta: Array
    single: bool
    value: float
    gradient: Array
    odds: float | None


@dataclass
class Objective:
    """J over a home of data, in given coordinates. `passes` counts the reads of the data.

    ridge : (k,) the penalty's curvature of each slope, the same for all classes
    classes : which of them have coefficients, and the loss
    observations : what a gap is multiplied by in standard errors: S, and no less than the rows there are, as weights
        tell how rows compare, and a small total does not make an optimum worth less
    """

    data: Data
    coordinates: Coordinates
    ridge: Array
    classes: Classes = TWO
    total_weight: float = field(init=False)
    observations: float = field(init=False)
    passes: int = field(init=False, default=0)
    _last: _Known | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        self.total_weight = total_weight(self.data)
        self.observations = max(self.total_weight, float(self.data.n_rows))

    @property
    def n_free(self) -> int:
        """Sets of coefficients: one, or as many as classes have some."""
        return self.classes.n_sets

    @property
    def n_coef(self) -> int:
        """The length of theta."""
        return self.n_free * (self.ridge.size + int(self.coordinates.intercept))

    @property
    def pull(self) -> Array:
        """The penalty's curvature of each entry of theta."""
        by_class = np.zeros(self.n_coef)
        self._slopes(by_class)[:] = self.ridge
        return by_class

    def row_loss(self, theta: Array, single: bool = False) -> RowLoss:
        """The loss of rows at theta."""
        return self.classes.row_loss(self.coordinates, theta, single)

    def to_coef(self, theta: Array) -> tuple[Array, Array]:
        """The intercept (1,) and the coefficients (1, p) of the raw columns; of more classes (K,) and (K, p)."""
        if not self.classes.several:
            intercept, coef = self.coordinates.to_coef(theta)
            return np.array([intercept]), coef[None]
        pairs = [self.coordinates.to_coef(one) for one in self.classes.table(theta)]
        return self.classes.whole(np.array([b for b, _ in pairs]), np.array([w for _, w in pairs]))

    def from_coef(self, intercept: Array, coef: Array) -> Array:
        """Theta for intercepts and coefficients of the raw columns."""
        pairs = zip(*self.classes.parts(intercept, coef), strict=True)
        return np.concatenate([self.coordinates.from_coef(float(b), w) for b, w in pairs])

    def start(self, sample: Block) -> Array:
        """Theta without slopes: the log odds of the classes, less the offset of the row in the middle."""
        theta = np.zeros(self.n_coef)
        if self.coordinates.intercept:
            level, middle = self._log_odds, sample.middle
            if middle is not None:
                level = level - (self.classes.free(middle[None])[0] if self.classes.several else middle)
            theta[:: self.n_coef // self.n_free] = level
        return theta

    def reach(self, theta: Array, sample: Block) -> float:
        """How far scores are from 0, beyond the log odds of the classes; 0 without slopes and an offset."""
        if sample.offset is None and not self._slopes(theta).any():
            return 0.0
        z = self.row_loss(theta).scores(sample)
        z = z if self.classes.baseline else z - z.mean(axis=1, keepdims=True)
        return float(np.abs(z).max(initial=0.0)) - float(np.abs(self._log_odds).max())

    def _slopes(self, theta: Array) -> Array:
        """(n_free, k) the part of theta that is no intercept."""
        return self.classes.table(theta)[:, int(self.coordinates.intercept) :]

    @property
    def _log_odds(self) -> Array:
        """(n_free,) of the classes, from their weights."""
        return self.classes.log_odds(self.data)

    def parts(self) -> Iterator[tuple[int, Callable[[Any, Array], Array]]]:
        """Each block's number of rows, and a function: the gradient of the summed loss of some of its rows at theta."""

        def gradient(block: Block, k: Which, theta: Array) -> Array:
            loss = self.row_loss(theta)
            return loss.gradient(*loss.first(block.take(k))[2:])

        for block in self.data.blocks():
            yield block.n_rows, functools.partial(gradient, block)

    def on(self, block: Block) -> Self:
        """The same objective over a sample of the rows."""
        return replace(self, data=self.data.part(block))

    def reduce(self, function: Callable[[Block], Sums]) -> Sums:
        """One counted read of the data."""
        self.passes += 1
        return self.data.reduce(function)

    def over_tiles(self, function: Callable[[Block], Sums]) -> Sums:
        """The same by parts of the blocks, small enough for the copies that plain NumPy makes of them."""
        classes = self.classes
        return self.reduce(lambda block: classes.over_tiles(block, function))

    def value_grad(self, theta: Array, *, single: bool = False) -> tuple[float, Array, None]:
        """J and its gradient (no Hessian). Asked again for the same theta, it does not read the data again.

        single : in single precision, which serves far from the optimum (see `may_be_single`)
        """
        known = self._known(theta, single) or self._read(theta, single)
        return known.value, known.gradient, None

    def first_order(self, theta: Array, room: Array | None = None) -> tuple[float, Array, float]:
        """J, its gradient, and the mean over rows of (1 - p)/p, p that of the label; of two classes that is NaN.

        room : see `RowLoss.first`; the data are then read in any case
        """
        known = None if room is not None else self._known(theta, False)
        if known is None or known.odds is None:
            known = self._read(theta, False, room)
        return known.value, known.gradient, math.nan if known.odds is None else known.odds

    def _known(self, theta: Array, single: bool) -> _Known | None:
        """What is known of theta, if it was asked for last."""
        last = self._last
        if last is None or last.single != single:
            return None
        return last if last.theta is theta or np.array_equal(last.theta, theta) else None

    def _read(self, theta: Array, single: bool, room: Array | None = None) -> _Known:
        row_loss = self.row_loss(theta, single)
        loss, odds, *by = self.reduce(lambda block: row_loss.first(block, room))
        if single and not math.isfinite(loss + by[1].sum()):  # beyond the range of single precision
            return self._read(theta, False)
        return self._keep(theta, loss, row_loss.gradient(*by), float(odds) / self.total_weight, single)

    def _keep(
        self, theta: Array, loss: float, gradient: Array, odds: float | None = None, single: bool = False
    ) -> _Known:
        """Note J and its gradient from the sums over rows."""
        if odds is None and self._last is not None and self._last.odds is not None:
            before = self._known(theta, single)
            odds = None if before is None else before.odds
        self._last = _Known(theta, single, *self._finish(theta, loss, gradient), odds)
        return self._last

    def may_be_single(self) -> bool:
        """Whether single precision pays: for many products with dense columns of usual size, if the loss has it."""
        scale = self.coordinates.scale
        usual = bool(((scale > 1e-30) & (scale < 1e30)).all())
        return self.classes.loss.has_single and self.data.size >= _SINGLE_FROM and not self.data.sparse and usual

    def value_grad_hess(self, theta: Array) -> tuple[float, Array, Array]:
        """J, its gradient and its Hessian."""
        hessian = self.hessian(theta)
        value, gradient, _ = self.value_grad(theta)
        return value, gradient, hessian

    def hessian(self, theta: Array, dtype: Real = np.float64) -> Array:
        """The Hessian alone; of two classes products of many columns in `dtype`.

        If it comes with J and its gradient, these are kept for `value_grad`.
        """
        if self.data.layout is not None and not self.classes.several:
            return self.arrow(theta).dense()
        row_loss = self.row_loss(theta)
        total, *first = self.reduce(lambda block: row_loss.second(block, dtype))
        if first:
            self._keep(theta, *first)
        hessian = np.asarray(total) / self.total_weight
        np.einsum("ii->i", hessian)[:] += self.pull
        self._anchor(hessian, len(hessian) // self.n_free)
        return hessian

    def _anchor(self, hessian: Array, size: int) -> None:
        """Give a Hessian curvature along what the intercepts share, each the first of so many places.

        Without a baseline that changes nothing, and any will do. But beside what is next to nothing, where all rows are
        nearly certain, 1 would leave no digits.
        """
        if not self.classes.baseline and self.coordinates.intercept:
            shared = hessian[::size, ::size]
            shared += min(1.0, _MOST_SHARED * float(shared.diagonal().mean())) / len(shared)

    def centred(self, theta: Array) -> Array:
        """Theta less what all classes share, if all have coefficients: no probability changes, and J is no more."""
        if self.classes.baseline:
            return theta
        table = self.classes.table(theta)
        return np.asarray((table - table.sum(axis=0) / len(table)).ravel())

    def anchored(self, hessian: Array) -> Array:
        """A Hessian, with usual curvature along what the slopes of all classes share as well, for a theta without that.

        Of its own J has no more there than the penalty's. Where that is less than rounding, what a factorisation adds
        to come to its end hides how far theta is, and keeps it there.
        """
        if self.shares:
            first, F = int(self.coordinates.intercept), self.n_free
            by_class = hessian.reshape(F, -1, F, len(hessian) // F)[:, first:, :, first:]
            anchor(np.einsum("ajbj->jab", by_class))
        return hessian

    @property
    def shares(self) -> bool:
        """Whether along what the slopes of all classes share J has a curvature that is less than rounding."""
        return not self.classes.baseline and not self.ridge.min(initial=1.0) > SLIGHT

    def arrow(self, theta: Array) -> Arrow:
        """The Hessian over a home of coded rows. It comes with J and its gradient, which are kept for `value_grad`."""
        row_loss, F = self.row_loss(theta), self.n_free
        loss, odds, by_intercept, by_coef, *made = self.reduce(row_loss.coded)
        self._keep(theta, loss, row_loss.gradient(by_intercept, by_coef), float(odds) / self.total_weight)
        return self._of_sums(class_arrow(self.data.layout, self.coordinates, F, made))

    def blocks(self, P: Array) -> Arrow:
        """The blocks of the Hessian over coded rows that have the probabilities P (n_rows, K): see `class_blocks`."""
        layout, F = self.data.layout, self.n_free
        assert layout is not None

        def sums(tile: Block) -> Sums:
            own = P[tile.first : tile.first + tile.n_rows]
            return coded_blocks(tile.rows, np.array(pair_weights(own, other_classes(own), tile.weight, F)))

        return self._of_sums(class_blocks(layout, self.coordinates, F, self.over_tiles(sums)))

    def _of_sums(self, products: Arrow) -> Arrow:
        """The Hessian from products of the columns that are summed over the rows."""
        found = products.times(1 / self.total_weight).plus(self.pull)
        self._anchor(found.A, found.few.size // self.n_free)  # the intercepts come first
        return found

    def by_newton(self, theta: Array, limits: Limits) -> Steps | None:
        """The points of Newton's method from theta, in one call.

        None where there is more to do than a loop over few dense columns in memory, or theta is no point to begin at.
        """
        more = self.data.sparse or self.coordinates.center.size > AT_ONCE or self.shares
        block = None if more else self.data.whole()
        found = None if block is None else self.row_loss(theta).newton(block, self.pull, self.total_weight, limits)
        self.passes += 0 if found is None else found.reads
        return None if found is None or not len(found.thetas) else found

    def column_curvature(self, theta: Array, bends: Array | None = None) -> Sums:
        """sum(h), sum(h x) and sum(h x^2) of the centred columns at theta, h = s p (1 - p), from one read.

        The same read gives J and its gradient, which are kept for `value_grad`.

        bends : (n_rows,) room for h itself, of sparse rows in memory
        """
        row_loss = self.row_loss(theta)
        loss, residual, by_coef, *moments = self.reduce(lambda block: row_loss.columns(block, bends))
        self._keep(theta, loss, row_loss.gradient(residual, by_coef))
        return tuple(moments)

    def multipliers(self, theta: Array) -> Callable[[Block], Array]:
        """Of a block what balances the signed rows at an optimum theta: see `RowLoss`."""
        return self.row_loss(theta).multipliers

    def least_multiplier(self, theta: Array) -> float:
        """The least of all rows' `multipliers`."""
        of = self.multipliers(theta)
        return float(min(self.over_tiles(lambda tile: ([float(of(tile).min(initial=np.inf))],))[0]))

    def extremes(self, theta: Array, change: Array) -> tuple[float, float]:
        """What no row's curvature is below at theta (see `RowLoss.least_bend`), and the most a change moves a score."""
        at, by = self.row_loss(theta), self.row_loss(change)
        least, most = self.over_tiles(
            lambda tile: ([at.least_bend(tile)], [float(np.abs(by.moves(tile)).max(initial=0.0))])
        )
        return float(min(least)), float(max(most))

    def diagonal(self, theta: Array) -> Array:
        """The diagonal of the Hessian."""
        total, second = self.reduce(self.row_loss(theta).squares)
        columns = self.coordinates.columns
        slopes = np.reshape(second, (self.n_free, -1))[:, columns] / self.coordinates.scale[columns] ** 2
        table = np.column_stack([np.reshape(total, -1), slopes])[:, 1 - int(self.coordinates.intercept) :]
        return np.asarray(table.ravel() / self.total_weight + self.pull)

    def largest_move(self, step: Array) -> float:
        """The largest change of a score that a step makes."""
        if not step.any():
            return 0.0
        row_loss = self.row_loss(step)
        moves = self.over_tiles(lambda tile: ([float(np.abs(row_loss.moves(tile)).max(initial=0.0))],))
        return float(max(moves[0]))

    def best_length(self, theta: Array, step: Array) -> float:
        """The t at which J is least at theta + t step, from the rows of small data (see `RowLoss`).

        1 where rows are not in memory.
        """
        block = self.data.whole()
        if block is None:
            return 1.0
        first = int(self.coordinates.intercept)
        at, along = (self.classes.table(v)[:, first:] for v in (theta, step))
        pull = (self.ridge * along).ravel()
        slopes = dot(pull, at.ravel()), dot(pull, along.ravel())
        return self.row_loss(theta).best_length(block, step, slopes, self.total_weight)

    def _finish(self, theta: Array, loss: float, gradient: Array) -> tuple[float, Array]:
        """Means from sums, and the penalty. An error where X is not finite; J is infinite where theta is too large."""
        first = int(self.coordinates.intercept)
        with np.errstate(over="ignore", invalid="ignore"):
            value, gradient = loss / self.total_weight, gradient / self.total_weight
            slopes, by_slopes = self.classes.table(theta)[:, first:], self.classes.table(gradient)[:, first:]
            pull = self.ridge * slopes
            by_slopes += pull
            value += 0.5 * dot(pull.ravel(), slopes.ravel())
            finite = math.isfinite(value + float(gradient.sum()))
        if not finite:
            require_finite(self.data)
            value = np.inf
        return value, gradient
