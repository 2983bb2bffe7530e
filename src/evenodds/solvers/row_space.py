"""Penalised fits of two classes and few dense rows, in the space of the rows: no step reads X.

The optimum is ridge^-1 D' a with one number a row, so that J is a problem of n columns, those of the L with L L' the
products D ridge^-1 D', under a ridge of 1 (see `by_rows`). The products take as long as some reads of X; with them, a
step takes n^2 in the place of n p. In single precision they move the scores: X is read at what has been found, and
the difference is made an offset of the problem inside, whose next optimum is that much closer.

What is left is told by the ridge alone. It bounds the curvature from below, so that no metric has to be believed.
"""

from dataclasses import replace

import numpy as np

from ..arrays import Array
from ..kernels.algebra import dot, product
from ..kernels.rows import AT_ONCE
from ..objective import Objective
from ..objective.row_sums import curvature
from . import Metric, Report, Solution, Status
from .by_rows import ByRows, RowSpace, where_slow
from .metrics import Diagonal, even_odds, least_total
from .quasi_newton import Remake, State
from .running import PATIENCE, Goal, record, run

_FALL = 0.1  # of the bound in a turn, or rounding has the better of it
_LITTLE = 0.25  # of the target, what may be left inside


def solved_inside(objective: Objective, by_rows: ByRows, theta: Array, goal: Goal) -> Solution:
    """The fit; STALLED where rounding keeps it from the target, and another metric has to go on from there."""
    target, least, done = goal.gap(objective), np.inf, 0
    space, history = by_rows.inside(theta), list[float]()
    phi = space.start
    while True:
        found = _optimum(space, phi, _LITTLE * target, goal.max_iter - done, _told(space, goal.report, done))
        phi, done = found.theta, done + found.iterations
        theta = space.outside(phi)
        value, gradient, _ = objective.value_grad(theta)
        objective.passes += 1  # for theta itself
        history.append(value)
        gap = _bound(space, phi, gradient, objective)
        status = Status.CONVERGED if gap <= target else found.status
        if status is not Status.STALLED or not gap < _FALL * least:
            break
        least, space = gap, _as_outside(space, phi, theta)
        objective.passes += 1
    state = State(theta, value, gradient, even_odds(objective), np.zeros_like(theta), gap, done, theta, status=status)
    return record("quasi-newton", objective, state, history)


def _told(space: RowSpace, report: Report | None, done: int) -> Report | None:
    """A report that is told of theta in the place of phi."""
    return None if report is None else lambda k, value, error, phi: report(done + k, value, error, space.outside(phi))


def _optimum(space: RowSpace, phi: Array, enough: float, max_iter: int, report: Report | None) -> Solution:
    """The optimum inside, as near as the bound says; STALLED where it is that near."""
    objective = space.objective

    def watch(state: State) -> Status | None:
        left = 0.5 * dot(state.gradient, state.gradient)
        return Status.STALLED if left <= enough else None

    metric: Metric | None = None
    remake: Remake | None = None
    if phi.size > AT_ONCE:
        metric, remake = _even(space), where_slow(space.metrics, PATIENCE)
    return run("quasi-newton", objective, phi, metric, remake, Goal(0.0, max_iter, watch, report))


def _even(space: RowSpace) -> Metric:
    """The curvature of even odds of all rows, the same in each direction."""
    objective = space.objective
    negative, positive = objective.data.class_weights / objective.total_weight
    odds, n = float(negative * positive), objective.ridge.size
    diagonal = np.full(n, 1.0 + odds * float(np.square(space.sample.X).sum()) / (n * n))
    return Diagonal(np.concatenate([[odds], diagonal]) if objective.coordinates.intercept else diagonal)


def _scores(space: RowSpace, phi: Array) -> Array:
    """Of the rows inside, without their offset."""
    first = int(space.objective.coordinates.intercept)
    return np.asarray(product(space.sample.X, phi[first:]) + (phi[0] if first else 0.0))


def _bound(space: RowSpace, phi: Array, gradient: Array, objective: Objective) -> float:
    """How far J can be above its least value at theta, with a gradient: its curvature is no less than the ridge.

    The slopes are seen with the intercept at its best, which adds its gradient times the mean of the rows, weighted by
    their curvature; rounding inside hardly changes that. (u + v)^2 is no more than 2 u^2 + 2 v^2.
    """
    if not objective.coordinates.intercept:
        return 0.5 * dot(gradient, gradient / objective.ridge)
    h = curvature(space.sample, _scores(space, phi))
    total = max(float(h.sum()), least_total(objective))
    mean = product(h, space.sample.X) / total
    by_intercept = float(gradient[0]) ** 2
    alone = 0.5 * by_intercept * objective.total_weight / total
    return alone + dot(gradient[1:], gradient[1:] / objective.ridge) + by_intercept * dot(mean, mean)


def _as_outside(space: RowSpace, phi: Array, theta: Array) -> RowSpace:
    """The problem with an offset that makes its scores at phi those of the rows at theta."""
    first, sample = int(space.objective.coordinates.intercept), space.sample
    true = space.by_rows.scores(theta[first:, None])[:, 0] + (theta[0] if first else 0.0)
    offset = true - _scores(space, phi) + (0.0 if space.by_rows.offset is None else space.by_rows.offset)
    moved = replace(sample, offset=offset)
    objective = space.objective.on(moved)
    return replace(space, objective=objective, sample=moved)
