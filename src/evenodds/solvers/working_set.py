"""Lasso and elastic net where columns are many: nearly all coefficients stay at 0, and their columns are seldom read.

Proximal Newton goes on in a working set of columns (`dense_set`, `sparse_set`), which grows by the strong rule
(Tibshirani et al., J. R. Stat. Soc. B 74, 2012, section 5) and by what the check of all columns finds.

The check seldom multiplies all columns with the residuals r. On the span of a few earlier ones, whose products are
known, r is a combination sum_k a_k r_k and a remainder e, so that |x_j'r| <= |sum_k a_k x_j'r_k| + ||x_j|| ||e||: exact
products are needed only of the columns for which this is more than the penalty allows (in the spirit of the safe rules
of El Ghaoui, Viallon and Rabbani, Pacific J. Optim. 8, 2012); nothing is left to chance. When a path does read all
columns it also takes their products with the residuals of the set at a weaker penalty, which saves half of the reads.

Columns are needed one by one, so the data are in memory.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ..arrays import Array, Numbers
from ..kernels.algebra import dot, product
from ..kernels.descent import row_sums
from . import Status
from .columns import Columns
from .mean_loss import MeanLoss
from .penalty import Penalty, freed_gap
from .proximal_newton import ROUNDING, Point, credible
from .quasi_newton import ARMIJO

_DRIFT = 0.03  # of the weights of the rows, beside their sum, from which the Hessian is made again
_SLOW = 0.2  # steps that leave more of the gap, two in a row, ask for a better Hessian
_LEAST_STEP = 1e-8
_INNER = 0.8  # of the gap is left to the working set
_CHECKS = 200
_NEW = 100  # columns that the set takes in at once, at the least; the others wait for the next check
ROUGHLY = 0.1  # of the gap over all columns is left to the set while it still grows
_AHEAD_STEPS = 3
_ROUGH = 1e-4  # the gap to which it does
LEAST = 0.9  # of the penalty: what the strong rule is not to go below, as after a long step it would take in all

Stop = Callable[[Sequence[Point]], bool]
Result = TypeVar("Result")
OfStep = Callable[[Numbers, Array], Result]  # in some columns, by their place


@dataclass(frozen=True)
class Rows:
    """At some scores: F, its derivatives by each row's score, first and second, and the odds (see `Penalty.gap`)."""

    scores: Array
    loss: float
    r: Array
    h: Array
    odds: float


@dataclass(frozen=True)
class At:
    """A point of the set: coefficients, J, its rows, and the gap over the set.

    dual : the residuals after a step in the coefficients without penalty, to first order: orthogonal to their columns
    near, gradient : the point after this step, and the gradient of F there, the products of the set with `dual`
    base : what the step is worth
    """

    theta: Array
    value: float
    rows: Rows
    dual: Array
    near: Array
    gradient: Array
    base: float
    gap: float


class WorkingSet(ABC):
    """Some columns of theta, and a model of F on them. How they are held, what derives from it says."""

    def __init__(self, loss: MeanLoss, columns: Columns) -> None:
        self.columns = columns
        self.numbers = np.empty(0, np.intp)
        self.inside = np.zeros(loss.n_coef, bool)
        self._last: Penalty | None = None
        self._share = self.columns.weight / loss.total_weight
        self._intercept = loss.coordinates.intercept
        self._sign = np.where(self.columns.y > 0, 1.0, -1.0)

    @abstractmethod
    def hold(self, new: Numbers) -> None:
        """Take columns in, after those of `numbers`."""

    @abstractmethod
    def scores(self, theta: Array) -> Array:
        """What the columns of the set make of the score of each row."""

    @abstractmethod
    def slopes(self, r: Array) -> Array:
        """The products of the columns of the set with r."""

    @abstractmethod
    def some(self, places: Numbers) -> Array:
        """Some columns of the set, by their place in it, as a dense matrix."""

    @abstractmethod
    def model(self, h: Array, drift: float) -> bool:
        """See that there is a model: of this point, or that of rows whose weights were within `drift` of these.

        Returns whether it is that of this point.
        """

    @abstractmethod
    def least(self, penalty: Penalty, at: At, to_the_end: bool) -> Array:
        """Where the model with the penalty is least: about, or to rounding."""

    def room(self, theta: Array) -> int:
        """How many columns the set takes in at once."""
        return room_for(theta)

    def add(self, numbers: Numbers) -> None:
        """Take columns into the set."""
        new = numbers[~self.inside[numbers]]
        if new.size:
            self.hold(new)
            self.numbers = np.concatenate([self.numbers, new])
            self.inside[new] = True

    def whole(self, theta: Array) -> Array:
        """Coefficients of all columns from those of the set."""
        every = np.zeros(self.columns.n_coef)
        every[self.numbers] = theta
        return every

    def rows(self, theta: Array) -> Rows:
        """What the rows say at coefficients of the set."""
        v = self.scores(theta)
        if self.columns.offset is not None:
            v += self.columns.offset
        loss, odds, r, h = row_sums(v, self._sign, self._share)
        return Rows(v, loss, r, h, odds)

    def at(self, penalty: Penalty, theta: Array, rows: Rows) -> At:
        """A point of the set with its gap."""
        bare = np.flatnonzero(penalty.bare)
        dual, near, base, v = rows.r, theta, 0.0, np.zeros(0)
        if bare.size:
            H, slope, turned, move = self.freely(bare, rows)
            v, free, step, left = penalty.on(bare).freed(theta[bare], rows.loss, slope, lambda some: H[:, some])
            dual, near, base = (
                rows.r - turned(free, step),
                theta.copy(),
                left + freed_gap(step, slope[free], move(free, step)),
            )
            near[bare[free]] -= step
        gradient = self.slopes(dual)
        gradient[bare] = -v
        gap = penalty.gap_at(-gradient, theta, rows.loss, rows.odds, base)
        return At(theta, rows.loss + penalty.value(theta), rows, dual, near, gradient, base, gap)

    def freely(self, bare: Numbers, rows: Rows) -> tuple[Array, Array, OfStep[Array], OfStep[float]]:
        """Of the columns without penalty: the Hessian of F, its slopes, and what a step in some of them does.

        To the residuals of the rows, to first order, and to a score, at the most.
        """
        if self._intercept and bare.size == 1 and self.numbers[bare[0]] == 0:  # alone: its column is of ones
            H, slope = np.array([[rows.h.sum()]]), np.array([rows.r.sum()])
            return H, slope, lambda _, step: rows.h * step, lambda _, step: abs(float(step[0]))
        A = self.some(bare)
        W = rows.h[:, None] * A

        def move(free: Numbers, step: Array) -> float:
            return float(np.abs(product(A[:, free], step)).max(initial=0.0))

        return _crossed(A, W), product(rows.r, A), lambda free, step: product(W[:, free], step), move

    def step(self, penalty: Penalty, theta: Array, target: float, max_iter: int, after: Penalty | None = None) -> Point:
        """The optimum for one penalty, from a point near that for a stronger one: by the strong rule first.

        after : a weaker penalty that is asked for later
        """
        self.add(np.flatnonzero(theta))
        rows, rough = self.rows(theta[self.numbers]), 0.0 if self._last else ROUGHLY
        before = self._last.l1 if self._last else penalty.l1
        with np.errstate(invalid="ignore"):  # what is held has an infinite l1
            limit = np.maximum(2 * penalty.l1 - before, LEAST * penalty.l1)
            self.add(self.columns.likely(rows.r, limit, self.inside)[: self.room(theta)])
        self._last = penalty
        return self.solve(penalty, theta, rows, target, max_iter, after, rough)

    def solve(
        self,
        penalty: Penalty,
        theta: Array,
        rows: Rows,
        target: float,
        max_iter: int,
        after: Penalty | None,
        rough: float = 0.0,
    ) -> Point:
        """The optimum for one penalty, over all columns: theta, J, F and the gap.

        The set grows by what the check finds furthest from its condition, until it finds none. As long as it does, an
        optimum of the set that is more than roughly right is thrown away.

        rough : of the first gap, what is left to the first set, where there is no reason to think it complete
        """
        point = Point(penalty, theta)
        point.iterations = 0
        end = aim = _INNER * target
        for _ in range(_CHECKS):
            at = self.descend(point, rows, aim, max_iter, rough=rough)
            point.theta = self.whole(at.theta)
            point.value, point.loss, point.gap = at.value, at.rows.loss, at.gap
            found = self.check(point, at, after)
            ended = point.status is Status.MAX_ITER or not (found.size or aim > end or rough)
            if point.gap <= target or ended:
                break
            self.add(found[: self.room(point.theta)])
            rows, aim, rough = at.rows, max(end, ROUGHLY * point.gap) if found.size else end, 0.0
        if point.gap <= target:
            point.status = Status.CONVERGED
        return point

    def descend(
        self, point: Point, rows: Rows, target: float, max_iter: int, drift: float = _DRIFT, rough: float = 0.0
    ) -> At:
        """Proximal Newton on the set, to a gap of `target` over it or as near as rounding lets it.

        rough : of the first gap, what may be left
        """
        penalty = point.penalty.on(self.numbers)
        at = self.at(penalty, point.theta[self.numbers], rows)
        slow, exact, target = 0, False, max(target, rough * at.gap)
        for _ in range(max_iter):
            if at.gap <= target:
                break
            exact = self.model(at.rows.h, 0.0 if exact or slow >= 2 else drift)
            new = self.advance(penalty, at)
            if new is None and exact:  # by rounding, or as its accuracy lets the gap rise
                new = self.advance(penalty, at, to_the_end=True)
                if new is None:
                    point.status = Status.STALLED
                    return at
            point.iterations += 1
            slow = slow + 1 if new is None or new.gap > _SLOW * at.gap else 0
            exact, at = new is None, new or at
        point.status = Status.CONVERGED if at.gap <= target else Status.MAX_ITER
        return at

    def advance(self, penalty: Penalty, at: At, to_the_end: bool = False) -> At | None:
        """A step to the least value of the model with the penalty, shortened until J falls; None if it does not."""
        x = self.least(penalty, at, to_the_end)
        step = x - at.theta
        rounding = ROUNDING * max(1.0, abs(at.value))
        rows = self.rows(x)
        promised = penalty.value(at.theta) - penalty.value(x) - dot(at.rows.r, rows.scores - at.rows.scores)
        theta, t = x, 1.0
        longest = credible(at.value, promised)
        if longest < 1:
            t, theta = longest, at.theta + longest * step
            rows = self.rows(theta)
        while not rows.loss + penalty.value(theta) <= at.value - ARMIJO * t * promised + rounding:
            t *= 0.5
            if t < _LEAST_STEP * longest:
                return None
            theta = at.theta + t * step
            rows = self.rows(theta)
        new = self.at(penalty, theta, rows)
        return None if promised <= rounding and not new.gap < at.gap else new

    def ahead(self, penalty: Penalty, at: At) -> Callable[[], Array]:
        """The residuals at the optimum on the set for a weaker penalty, about."""

        def find() -> Array:
            point = Point(penalty, self.whole(at.theta))
            return self.descend(point, at.rows, _ROUGH, _AHEAD_STEPS, drift=np.inf).dual

        return find

    def check(self, point: Point, at: At, after: Penalty | None) -> Numbers:
        """Widen the gap to all columns; those outside the set that the penalty does not hold, the furthest first."""
        penalty = point.penalty
        ahead = None if after is None else self.ahead(after, at)
        outside, products = self.columns.beyond(at.dual, penalty.l1, self.inside, ahead)
        if not outside.size:
            return outside
        numbers = np.concatenate([self.numbers, outside])
        gradient = np.concatenate([at.gradient, products])
        theta, full = point.theta[numbers], penalty.on(numbers)
        point.gap = full.gap_at(-gradient, theta, point.loss, at.rows.odds, at.base)
        violation = full.violation(theta, gradient)[self.numbers.size :]
        order = np.argsort(-violation, kind="stable")
        return outside[order[: np.count_nonzero(violation > 0)]]


def _crossed(A: Array, W: Array) -> Array:
    """A'W; of one column, which is the intercept's as a rule, without what a product of matrices takes to begin."""
    return product(A.T, W) if A.shape[1] > 1 else np.array([[dot(A[:, 0], W[:, 0])]])


def room_for(theta: Array) -> int:
    """How many columns the set takes in at once: as many as have a coefficient, or a few."""
    return max(_NEW, int(np.count_nonzero(theta)))


def extrapolated(points: Sequence[Point], penalty: Penalty) -> Array:
    """The last optimum, moved on along the last two where signs are stable."""
    last = points[-1].theta
    away = np.flatnonzero(last)
    x = last[away]
    if len(points) > 1:
        before = points[-2].theta[away]
        one, two, three = (p.strength for p in (points[-2].penalty, points[-1].penalty, penalty))
        moved = x + min((two - three) / (one - two) if one > two else 0.0, 1.0) * (x - before)
        x = np.where((np.sign(x) == np.sign(before)) & (np.sign(moved) == np.sign(x)), moved, x)
    theta = penalty.rest.copy()
    theta[away] = penalty.on(away).nearest(x)
    return theta
