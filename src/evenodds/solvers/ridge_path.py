"""A ridge at every strength, of many dense columns: smooth fits, each from the one before it, with their duality gaps.

A Hessian of so many columns costs as much as a whole fit. The dual point of a smooth fit needs that of the intercept
alone, which a second gradient tells. Of rows that are not in memory reads are dearer, which all points share elsewhere.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..objective import Objective
from . import Status
from .costs import choose
from .elastic_net import optimum
from .mean_loss import MeanLoss
from .penalty import Penalty
from .proximal_newton import Optimum, Point
from .regimes import newton, quasi_newton
from .running import Goal

_SHARES = (1e-2, 1e-5, 1e-8)  # of the gap asked for: what a smooth fit's own estimate of it comes down to, in turn
_NEAR = 1e-5  # of a coefficient: from the slopes so far apart comes a column of the Hessian
_COLUMNS = 250  # dense columns from which a Hessian of the path costs more than a fit


def takes_ridges(loss: MeanLoss, penalty: Penalty) -> bool:
    """Whether all coefficients but the intercept have a ridge and nothing else, and there are many of them, dense."""
    many = loss.data.n_columns > _COLUMNS and not loss.data.sparse and loss.data.whole() is not None
    bounded = np.isfinite(penalty.lower).any() or np.isfinite(penalty.upper).any()
    slopes = penalty.l2[int(loss.coordinates.intercept) :]
    return bool(many and not bounded and not penalty.l1.any() and (slopes > 0).all())


def ridge_path(
    loss: MeanLoss,
    penalties: Sequence[Penalty],
    theta: Array,
    *,
    target: float,
    max_iter: int,
    stop: Callable[[Sequence[Optimum]], bool] | None = None,
) -> Sequence[Optimum]:
    """The optimum for each penalty, from the strongest to the weakest."""
    points: list[Point] = []
    for penalty in penalties:
        points.append(_fit(loss, penalty, theta, target, max_iter))
        theta = points[-1].theta
        if stop is not None and stop(points):
            break
    return points


def _fit(loss: MeanLoss, penalty: Penalty, theta: Array, target: float, max_iter: int) -> Point:
    """The optimum of one penalty; where its smooth fits do not prove it, that of proximal Newton."""
    objective = Objective(loss.data, loss.coordinates, penalty.l2[int(loss.coordinates.intercept) :])
    solve = newton if choose(objective) == "newton" else quasi_newton
    for share in _SHARES:
        tol = math.sqrt(2 * objective.observations * share * target)
        before = objective.passes
        theta = solve(objective, theta, loss.sample, Goal(tol, 10 * max_iter), warm=True).theta
        loss.objective.passes += objective.passes - before
        point = _proved(loss, penalty, theta)
        if point.gap <= target:
            point.status = Status.CONVERGED
            return point
    return optimum(loss, penalty, target=target, max_iter=max_iter, last=theta)


def _proved(loss: MeanLoss, penalty: Penalty, theta: Array) -> Point:
    """The point at theta with its gap."""
    (value,), (gradient,), (odds,) = loss.at(theta[None, :], exact=True)

    def curvature(free: NDArray[np.intp]) -> Array:
        moved = theta + _NEAR * np.eye(theta.size)[free]
        return np.asarray((loss.at(moved, exact=True)[1] - gradient).T / _NEAR)

    point = Point(penalty, theta)
    point.loss, point.value = float(value), float(value) + penalty.value(theta)
    point.gradient, point.iterations = gradient, 0
    point.gap = penalty.gap(theta, point.loss, gradient, curvature, float(odds), loss.reach)
    return point
