"""Many strengths of the penalty, where columns are few: at once where rows are many, in turn on small data.

All points of the path take their steps together, so that a round is one read of the data and two products of
matrices. Hessians are made at a few points of the path and interpolated between: first on a sample of the rows, from
whose optima the points start; and once more on all rows, when all points are close.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ..arrays import Array
from .costs import choose
from .elastic_net import hessian_of, on_sample
from .mean_loss import MeanLoss
from .penalty import Penalty
from .proximal_newton import ROUNDING, Models, Optimum, Point, minimize_all
from .small_path import is_small, small_path

Look = Callable[[int, Sequence[Optimum]], None]

_SPACING = 25  # points of the path between two Hessians
_SINGLE = 1e-3  # the gap down to which products in single precision are good enough
_NOISE = 1e-6  # of J by these
_SAMPLE_ERROR = 0.02  # the gap on the sample, in units of what it can tell


def tall_path(
    loss: MeanLoss,
    penalties: Sequence[Penalty],
    theta: Array,
    *,
    target: float,
    max_iter: int,
    stop: Callable[[Sequence[Optimum]], bool] | None = None,
    look: Look | None = None,
) -> Sequence[Optimum]:
    """The optimum for each penalty, from the strongest to the weakest.

    stop : whether the path ends with the last of some points
    look : if they are found together, called after each round with the number of rows that were read, and all points
    """
    if is_small(loss, len(penalties)):
        return small_path(loss, penalties, theta, target=target, max_iter=max_iter, stop=stop)
    if choose(loss.objective) == "newton":
        return _in_turn(loss, penalties, theta, target, max_iter, stop)
    starts = [theta] * len(penalties)
    part = None
    if loss.sample.n_rows < loss.data.n_rows:
        part = on_sample(loss)
        rough = _SAMPLE_ERROR * loss.n_coef / part.data.n_rows
        starts = [point.theta for point in _together(part, None, penalties, starts, rough, max_iter, look)]
    points = _together(loss, part, penalties, starts, target, max_iter, look)
    ends = [k for k in range(1, len(points) + 1) if stop is not None and stop(points[:k])]
    return points[: ends[0]] if ends else points


def _in_turn(
    loss: MeanLoss,
    penalties: Sequence[Penalty],
    theta: Array,
    target: float,
    max_iter: int,
    stop: Callable[[Sequence[Optimum]], bool] | None,
) -> list[Point]:
    """Small data: each point from the one before it, with exact Hessians."""
    points: list[Point] = []
    for penalty in penalties:
        point = Point(penalty, theta)
        models = Models(hessian_of(loss), every=True, reach=loss.reach)
        minimize_all(loss.at, [point], models, target=target, max_iter=max_iter)
        points.append(point)
        theta = point.theta
        if stop is not None and stop(points):
            break
    return points


class _Reference:
    """Hessians at a few of the points, and between them what they make of it."""

    def __init__(self, points: Sequence[Point], loss: MeanLoss, part: MeanLoss | None) -> None:
        self._points, self._loss, self._part = points, loss, part
        count = -(-(len(points) - 1) // _SPACING) + 1
        self._places = np.unique(np.linspace(0, len(points) - 1, count).round().astype(int))
        self._place = {id(point): place for place, point in enumerate(points)}
        self._round = 0
        self._hessians: Array | None = None
        self.single = True

    def prepare(self) -> None:
        """Make the Hessians anew: each round on a sample; where they are a sample's, once on all rows."""
        self._round += 1
        if self._part is None or self._round == 2:
            self._make(self._loss)

    def _make(self, loss: MeanLoss) -> Array:
        hessians = loss.hessians(np.array([self._points[place].theta for place in self._places]))
        for point in self._points:
            point.H = None
        self._hessians = hessians
        return hessians

    def make(self, point: Point) -> Array:
        """The matrix at a point, linear in its place between two references."""
        H = self._make(self._part or self._loss) if self._hessians is None else self._hessians
        place = self._place[id(point)]
        k = int(np.clip(np.searchsorted(self._places, place, "right") - 1, 0, max(len(self._places) - 2, 0)))
        if len(self._places) == 1 or place == self._places[k]:
            return np.asarray(H[k])
        share = (place - self._places[k]) / (self._places[k + 1] - self._places[k])
        return np.asarray((1 - share) * H[k] + share * H[k + 1])


def _together(
    loss: MeanLoss,
    part: MeanLoss | None,
    penalties: Sequence[Penalty],
    starts: Sequence[Array],
    target: float,
    max_iter: int,
    look: Look | None,
) -> list[Point]:
    points = [Point(penalty, start) for penalty, start in zip(penalties, starts, strict=True)]
    reference = _Reference(points, loss, part)

    def evaluate(thetas: Array) -> tuple[Array, Array, Array]:
        far = max(point.gap for point in points if point.status is None) > _SINGLE
        for point in points:  # the last values of J may still be of single precision
            point.noise = _NOISE if far or reference.single else ROUNDING
        reference.single = far
        return loss.at(thetas, np.float32 if far else np.float64, exact=True)

    def told(points: Sequence[Point]) -> bool:
        if look is not None:
            look(loss.data.n_rows, points)
        return False

    minimize_all(
        evaluate,
        points,
        Models(reference.make, better=hessian_of(loss), reach=loss.reach),
        target=target,
        max_iter=max_iter,
        prepare=reference.prepare,
        look=told,
    )
    return points
