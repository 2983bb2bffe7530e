"""Lasso and elastic net where columns are many: nearly all coefficients stay at 0, and their columns are seldom read.

A working set of columns is held as a dense matrix of its own; proximal Newton on it keeps one Hessian while the weights
of the rows stay close to those it was made with. The set grows by the strong rule (Tibshirani et al., J. R. Stat. Soc.
B 74, 2012, section 5) and by what the check of all columns finds.

The check seldom multiplies all columns with the residuals r. On the span of a few earlier ones, whose products are
known, r is a combination sum_k a_k r_k and a remainder e, so that |x_j'r| <= |sum_k a_k x_j'r_k| + ||x_j|| ||e||: exact
products are needed only of the columns for which this is more than the penalty allows (in the spirit of the safe rules
of El Ghaoui, Viallon and Rabbani, Pacific J. Optim. 8, 2012); nothing is left to chance.

Columns are needed one by one, so the data are in memory.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..data import Array
from . import Status
from .columns import Columns
from .mean_loss import MeanLoss
from .penalty import Penalty
from .proximal_newton import Models, Point, minimize_all

Numbers = NDArray[np.intp]

_DRIFT = 0.04  # of the weights of the rows, beside their mean, from which the Hessian is made again
_INNER = 0.8  # of the gap is left to the working set
_CHECKS = 50
_STRIDE = 2.0  # between the strengths on the way to one
ROUGH = 1e-4  # the gap there

Stop = Callable[[Sequence[Point]], bool]


class WorkingSet:
    """Some columns of theta, what is known of F on them, and the last point."""

    def __init__(self, loss: MeanLoss) -> None:
        self.columns = Columns(loss)
        self.S = loss.total_weight
        self.compiled = loss.compiled
        self.numbers = np.empty(0, np.intp)
        self.inside = np.zeros(loss.n_coef, bool)
        self._room = np.empty((self.columns.n_rows, 0), order="F")
        self.D = self._room
        self.H = np.empty((0, 0))
        self._base: Array | None = None
        self._last: Penalty | None = None
        self._share = self.columns.weight / self.S
        self._sign = np.where(self.columns.y > 0, 1.0, -1.0)

    def add(self, numbers: Numbers) -> None:
        """Take columns into the set, and into the Hessian."""
        new = numbers[~self.inside[numbers]]
        if new.size == 0:
            return
        D = self.columns.take(new)
        if self._base is not None:
            scaled = self._base[:, None] * D
            cross = self.D.T @ scaled
            self.H = np.block([[self.H, cross], [cross.T, D.T @ scaled]])
        have, need = self.numbers.size, self.numbers.size + new.size
        if need > self._room.shape[1]:
            room = np.empty((len(D), 2 * need), order="F")
            room[:, :have] = self.D
            self._room = room
        self._room[:, have:need] = D
        self.D = self._room[:, :need]
        self.numbers = np.concatenate([self.numbers, new])
        self.inside[new] = True

    def rows(self, theta: Array) -> tuple[float, Array, Array, float]:
        """At coefficients of the set: F, its derivatives by each row's score, first and second, and the odds."""
        v = self.D @ theta
        if self.columns.offset is not None:
            v += self.columns.offset
        if self.compiled:
            from .descent import row_terms

            r, h = np.empty_like(v), np.empty_like(v)
            loss, odds = row_terms(v, self._sign, self._share, r, h)
            return loss, r, h, odds
        v *= self._sign
        t = np.exp(-np.abs(v))
        weight = self._share
        loss = float(weight @ (np.log1p(t) - np.minimum(v, 0.0)))
        wrong = np.where(v < 0, 1.0, t) / (1.0 + t)
        with np.errstate(divide="ignore", over="ignore"):
            odds = float(weight @ np.where(v < 0, 1.0 / t, t))
        return loss, -self._sign * weight * wrong, weight * t / (1.0 + t) ** 2, odds

    def evaluate(self, thetas: Array) -> tuple[Array, Array, Array]:
        """What `minimize_all` asks for."""
        values = [self.rows(theta) for theta in thetas]
        gradients = np.array([r @ self.D for _, r, _, _ in values])
        return np.array([value[0] for value in values]), gradients, np.array([value[3] for value in values])

    def hessian(self, point: Point) -> Array:
        """The Hessian on the set, or that of an earlier point where the rows weighed nearly the same."""
        h = self.rows(point.theta)[2]
        base = self._base
        if base is None or np.abs(h - base).sum() > _DRIFT * base.sum():
            self._base = h
            root = np.multiply(self.D, np.sqrt(h)[:, None], dtype=np.float32, casting="same_kind")
            self.H = (root.T @ root).astype(np.float64)
        return self.H

    def exact(self, point: Point) -> Array:
        """The Hessian at the point."""
        self._base = None
        return self.hessian(point)

    def step(self, penalty: Penalty, theta: Array, target: float, max_iter: int) -> Point:
        """The optimum for one penalty, from a point near that for a stronger one: by the strong rule first."""
        self.add(np.flatnonzero(theta))
        _, r, _, _ = self.rows(theta[self.numbers])
        guess, _ = self.columns.estimates(r)
        before = penalty.l1 if self._last is None else self._last.l1
        strong = np.abs(guess) > 2 * penalty.l1 - before
        self.add(np.flatnonzero(strong & ~np.isinf(penalty.l1)))
        self._last = penalty
        return self.solve(penalty, theta, target, max_iter)

    def solve(self, penalty: Penalty, theta: Array, target: float, max_iter: int) -> Point:
        """The optimum for one penalty, over all columns: theta, J, F and the gap.

        The set grows until the check finds no other column that moves.
        """
        for _ in range(_CHECKS):
            point = Point(penalty.on(self.numbers), theta[self.numbers])
            models = Models(self.hessian, better=self.exact, learn=False)
            minimize_all(
                self.evaluate,
                [point],
                models,
                target=_INNER * target,
                max_iter=max_iter,
                compiled=self.compiled,
                accuracy=1e-6,
            )
            theta = np.zeros(theta.size)
            theta[self.numbers] = point.theta
            inner = point.status
            found = self.check(penalty, theta, point)
            if point.gap <= target or inner is not Status.CONVERGED or not found.size:
                break
            self.add(found)
        point.theta, point.penalty = theta, penalty
        point.status = Status.CONVERGED if point.gap <= target else inner
        return point

    def check(self, penalty: Penalty, theta: Array, point: Point) -> Numbers:
        """Set the gap over all columns; the columns outside the set that are further than the penalty allows."""
        _, r, h, odds = self.rows(point.theta)
        part = point.penalty
        free = np.flatnonzero((part.l1 == 0) & (part.l2 == 0) & (point.theta > part.lower) & (point.theta < part.upper))
        base = 0.0
        if free.size:  # the dual point is orthogonal to them
            A = self.D[:, free]
            gradient = A.T @ r
            step = np.linalg.lstsq(A.T @ (h[:, None] * A), gradient, rcond=1e-14)[0]
            r = r - h * (A @ step)
            base = max(0.5 * float(step @ gradient), 0.0)
        limit = np.where(self.inside | np.isinf(penalty.l1), np.inf, penalty.l1)
        outside, products = self.columns.beyond(r, limit)
        numbers = np.concatenate([self.numbers, outside])
        gradient = np.concatenate([r @ self.D, products])
        gradient[free] = 0.0
        full = penalty.on(numbers)
        point.gap = base + full.gap(theta[numbers], point.loss, gradient, _none, odds)
        moves = full.violation(theta[numbers], gradient)[self.numbers.size :] > 0
        return outside[moves]


def _none(free: Numbers) -> Array:
    raise AssertionError("the dual point is orthogonal to the free columns already")


def wide_path(
    loss: MeanLoss,
    penalties: Sequence[Penalty],
    theta: Array,
    *,
    target: float,
    max_iter: int,
    stop: Stop | None = None,
) -> list[Point]:
    """The optimum for each penalty, from the strongest to the weakest."""
    state = WorkingSet(loss)
    first = penalties[0]
    start = first.nearest(theta)
    state.add(np.flatnonzero((start != 0) | ((first.l1 == 0) & (first.l2 == 0))))
    points: list[Point] = []
    for penalty in penalties:
        points.append(state.step(penalty, extrapolated(points, penalty) if points else start, target, max_iter))
        if stop is not None and stop(points):
            break
    loss.objective.passes += state.columns.full
    return points


def wide_fit(loss: MeanLoss, penalty: Penalty, theta: Array, *, warm: bool, target: float, max_iter: int) -> Point:
    """The optimum for one penalty: on the way to it, those of stronger ones, each not far from the last."""
    state = WorkingSet(loss)
    free = (penalty.l1 == 0) & (penalty.l2 == 0)
    start = penalty.nearest(theta if warm else np.where(free, theta, 0.0))
    state.add(np.flatnonzero((start != 0) | free))
    _, r, _, _ = state.rows(start[state.numbers])
    slope = state.columns.products(r)
    for stronger in [] if warm else on_the_way(penalty, slope):
        start = state.step(stronger, start, max(target, ROUGH), max_iter).theta
    point = state.step(penalty, start, target, max_iter)
    loss.objective.passes += state.columns.full
    return point


def on_the_way(penalty: Penalty, gradient: Array) -> list[Penalty]:
    """Stronger penalties, down to one that is not far from this; the gradient is of F at its rest."""
    size = penalty.l1 if penalty.l1.any() else penalty.l2
    ratio = np.abs(gradient) / np.where((size > 0) & ~np.isinf(size), size, np.inf)
    steps = int(np.ceil(np.log(max(float(ratio.max(initial=0.0)), 1.0)) / np.log(_STRIDE)))
    factors = [_STRIDE**k for k in range(steps, 0, -1)]
    return [Penalty(f * penalty.l1, f * penalty.l2, penalty.lower, penalty.upper) for f in factors]


def extrapolated(points: list[Point], penalty: Penalty) -> Array:
    """The last optimum, moved on along the last two where signs are stable."""
    last = points[-1].theta
    if len(points) < 2:
        return penalty.nearest(last)
    before = points[-2].theta
    at = int(np.argmax(penalty.l1 + penalty.l2))
    size = [(p.penalty.l1 + p.penalty.l2)[at] for p in points[-2:]]
    share = (size[1] - (penalty.l1 + penalty.l2)[at]) / (size[0] - size[1]) if size[0] > size[1] else 0.0
    moved = last + min(share, 1.0) * (last - before)
    return penalty.nearest(
        np.where((np.sign(last) == np.sign(before)) & (np.sign(moved) == np.sign(last)), moved, last)
    )
