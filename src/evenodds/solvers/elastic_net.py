"""Lasso, elastic net and bounds for one strength of the penalty.

Where columns are few the model of proximal Newton is a Hessian of all of them: exact for small data, else of a sample
of the rows, whose own optimum is the start. That needs of the data what the smooth solvers need (`reduce`, `sample`).
Where they are many, `working_set` holds most of the coefficients at 0.
"""

import math
from collections.abc import Sequence

import numpy as np

from ..arrays import Array
from ..coordinates import Coordinates
from ..data import Block, Data
from ..data.memory import one_blas_thread
from . import Report, Solution, Status
from .class_pairs import pairs_fit, takes_pairs
from .class_penalty import anchored, centred
from .cooling import cooled
from .costs import choose, sample_rows
from .mean_loss import MeanLoss
from .penalty import Penalty
from .proximal_newton import Look, Model, Models, Point, minimize_all
from .small_path import is_small, small_fit
from .wide import wide_fit

_MOST_FULL = 1000  # columns up to which a Hessian of all of them is the model
_MOST_FULL_SPARSE = 300
_SOME_COLUMNS = 250  # dense columns from which working sets are tried; measured: at 2,000 x 500 as fast or twice
_FEW_ROWS = 10.0  # each, of a single fit: at 10,000 x 500 a model of all columns takes two thirds of the time
_FEW_IN_PLAY = 0.3  # of dense columns, that the penalty does not hold at the start: so many are cheaper on their own
_TOLD_BY = 4096  # rows, that tell how many they are
_POLISHED = 1e-20  # a gap that is one in name only
_ENOUGH = 16  # rows a coefficient from which the sample's optimum is a good start


def elastic_net(
    data: Data,
    coordinates: Coordinates,
    penalty: Penalty,
    sample: Block,
    *,
    tol: float,
    max_iter: int = 100,
    last: Array | None = None,
    report: Report | None = None,
) -> Solution:
    """Minimise J = F + Omega, F the mean loss; of more than two classes the softmax loss.

    Parameters
    ----------
    data, coordinates
        Where the rows live, and the coordinates of theta, none of whose columns needs to be left out.
    penalty
        Omega in these coordinates: `for_classes` of `Penalty.of`.
    sample
        Some rows or all, from `data.sample`.
    tol
        In standard errors: the gap at the end is at most tol^2 / (2 N), N the larger of total weight and rows.
    max_iter
        Steps at the most.
    last : ndarray of shape (k,), optional
        Theta of an earlier fit: the start, if it is better than a cold one.
    report
        Called once a round with the loss J, on small data at the end alone, by working sets not at all.

    Returns
    -------
    Solution
        Its `gap` is the duality gap of J at theta (see `Penalty.gap`). Coefficients at 0 or at a bound are exactly so.
    """
    loss = MeanLoss(data, coordinates, sample)
    target = tol**2 / (2 * loss.observations)
    history: list[float] = []

    def look(points: Sequence[Point]) -> bool:
        point = points[0]
        history.append(point.value)
        error = math.sqrt(2 * loss.observations * point.gap)
        return report is not None and report(point.iterations, point.value, error, point.theta)

    with one_blas_thread:
        point = optimum(loss, penalty, target=target, max_iter=max_iter, last=last, look=look)
        if not history:
            history.append(point.value)
    return Solution(
        theta=point.theta,
        loss=point.value,
        gap=point.gap,
        error=math.sqrt(2 * loss.observations * point.gap),
        passes=loss.objective.passes,
        iterations=point.iterations,
        status=point.status or Status.STALLED,
        history=np.array(history),
        solver="proximal newton",
        n_rows=data.n_rows,
        total_weight=loss.total_weight,
    )


def optimum(
    loss: MeanLoss,
    penalty: Penalty,
    *,
    target: float,
    max_iter: int,
    last: Array | None = None,
    look: Look | None = None,
) -> Point:
    """What `elastic_net` finds, to a gap of `target`."""
    theta, warm = _start(loss, penalty, last)
    return _fit(loss, penalty, theta, warm, target, max_iter, look)


def _start(loss: MeanLoss, penalty: Penalty, last: Array | None) -> tuple[Array, bool]:
    """Where the fit starts, and whether that is better than what it would find on the sample."""
    first = penalty.nearest(loss.objective.start(loss.sample))

    def solve(T: float, phi: Array) -> Array:
        part = on_rows(loss, loss.sample.at(T))
        phi = sample_optimum(part, penalty.at(T), phi)
        loss.objective.passes += part.objective.passes if loss.sample.n_rows == loss.data.n_rows else 0
        return phi

    cold = cooled(first, loss.objective.reach(first, loss.sample), solve)
    if last is None:
        return cold, cold is not first
    theta = penalty.nearest(last)
    J = [float(loss.at(x[None, :])[0][0]) + penalty.value(x) for x in (theta, cold)]
    return (theta, True) if J[0] <= J[1] else (cold, cold is not first)


def _fit(
    loss: MeanLoss, penalty: Penalty, theta: Array, warm: bool, target: float, max_iter: int, look: Look | None
) -> Point:
    """The optimum, by what suits the data. A start gives way to the optimum on the sample if it is not `warm`."""
    if loss.several:
        return _of_classes(loss, penalty, theta, warm, target, max_iter, look)
    if takes_sets(loss.data, _FEW_ROWS if penalty.l1.any() else 0.0):
        return wide_fit(loss, penalty, theta, warm=warm, target=target, max_iter=max_iter)
    if is_small(loss, 1) and loss.data.whole() is not None and not penalty.bare[1:].any():
        point = small_fit(loss, penalty, theta, target=target, max_iter=max_iter)
        if point.status is not None:
            if look is not None:
                look([point])
            return point
    if _few_in_play(loss, penalty, theta):
        return wide_fit(loss, penalty, theta, warm=warm, target=target, max_iter=max_iter)
    return _few_columns(loss, penalty, theta, warm, target, max_iter, look)


def _few_in_play(loss: MeanLoss, penalty: Penalty, theta: Array) -> bool:
    """Whether an L1 part holds so many of dense columns, as some rows tell, that a working set is all that counts."""
    if loss.data.sparse or not penalty.l1.any() or loss.data.whole() is None:
        return False
    some = loss.sample.take(slice(None, None, 1 + loss.sample.n_rows // _TOLD_BY))
    gradient = loss.objective.on(some).value_grad(theta)[1]
    in_play = (theta != 0) | (np.abs(gradient) > penalty.l1)
    return bool(np.count_nonzero(in_play) <= _FEW_IN_PLAY * theta.size)


def is_wide(data: Data) -> bool:
    """Whether a model of all columns would cost too much."""
    return data.n_columns > (_MOST_FULL_SPARSE if data.sparse else _MOST_FULL) or (
        data.n_columns > data.n_rows and data.size > 10_000
    )


def takes_sets(data: Data, most_rows: float) -> bool:
    """Whether working sets of columns are best: a model of all costs too much, or more than few rows are worth.

    most_rows : a dense column, up to which they pay; 0 where no L1 part holds coefficients at 0
    """
    some = data.n_columns > _SOME_COLUMNS and data.n_rows <= most_rows * data.n_columns
    return is_wide(data) or (some and not data.sparse and data.whole() is not None)


def _of_classes(
    loss: MeanLoss, penalty: Penalty, theta: Array, warm: bool, target: float, max_iter: int, look: Look | None
) -> Point:
    """Of more than two classes, with the shifts of columns that the penalty leaves open as `centred` has them."""
    theta = centred(penalty, theta, loss.n_classes)
    if takes_pairs(loss):
        point = pairs_fit(loss, penalty, theta, warm=warm, target=target, max_iter=max_iter)
    else:
        point = _few_columns(loss, penalty, theta, warm, target, max_iter, look)
    point.theta = centred(penalty, point.theta, loss.n_classes)
    return point


def _few_columns(
    loss: MeanLoss,
    penalty: Penalty,
    theta: Array,
    warm: bool,
    target: float,
    max_iter: int,
    look: Look | None,
) -> Point:
    """Proximal Newton with a Hessian of all columns."""
    point = Point(penalty, theta)
    cheap = choose(loss.objective) == "newton"
    odds = None if cheap or loss.several else loss.odds
    # With the exact Hessian at every step, the digits that are left cost nothing.
    polished = _POLISHED if cheap else math.inf
    models = Models(
        hessian_of(loss),
        better=None if cheap else hessian_of(loss),
        every=cheap,
        odds=odds,
        reach=loss.reach,
        polished=polished,
        attained=_has_optimum(loss, penalty),
    )
    if not cheap and loss.sample.n_rows < loss.data.n_rows:
        part = on_sample(loss)
        if not warm and loss.sample.n_rows >= _ENOUGH * loss.n_coef:
            point = Point(penalty, sample_optimum(part, penalty, theta))
        models = Models(hessian_of(part), better=hessian_of(loss), odds=odds, reach=loss.reach)
    minimize_all(loss.at, [point], models, target=target, max_iter=max_iter, look=look)
    if point.gap <= target and point.status is not Status.STOPPED:
        point.status = Status.CONVERGED
    return point


def _has_optimum(loss: MeanLoss, penalty: Penalty) -> bool:
    """Whether it is certain: only the intercepts have neither a penalty nor two bounds."""
    first = int(loss.coordinates.intercept)
    n_intercepts = first * (loss.n_coef // (first + loss.coordinates.columns.size))
    return bool((penalty.bare & (np.isinf(penalty.lower) | np.isinf(penalty.upper))).sum() == n_intercepts)


def hessian_of(loss: MeanLoss) -> Model:
    """The Hessian of F at a point."""
    if not loss.several:
        return lambda point: loss.hessian(point.theta)
    columns = np.tile(np.arange(loss.n_coef // loss.n_classes), loss.n_classes)
    return lambda point: anchored(loss.hessian(point.theta), point.penalty, columns)


def on_sample(loss: MeanLoss) -> MeanLoss:
    """F over the sample alone."""
    return on_rows(loss, loss.sample)


def on_rows(loss: MeanLoss, block: Block) -> MeanLoss:
    """F over some rows alone."""
    rows = loss.data.part(block)
    part = MeanLoss(rows, loss.coordinates, rows.sample(sample_rows(rows), 0))
    part.objective = loss.objective.on(block)
    return part


def sample_optimum(part: MeanLoss, penalty: Penalty, theta: Array) -> Array:
    """The optimum on the sample, as far as it can tell."""
    target = 0.05 * part.n_coef / part.data.n_rows
    if is_wide(part.data) or (part.several and takes_pairs(part)):
        return _fit(part, penalty, theta, True, target, 15, None).theta
    point = Point(penalty, theta)
    models = Models(hessian_of(part), every=True)
    minimize_all(part.at, [point], models, target=target, max_iter=15)
    return point.theta
