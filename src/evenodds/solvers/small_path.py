"""A path or one fit on small data in one call of a loop, as calls of NumPy would cost more than their sums.

`kernels.small_path` runs along the path without the GIL, so that threads can work on one path each. Its duality gaps
are those of `Penalty.gap` if the intercept is all that is free of penalty and bounds; otherwise they are taken again
here. What has not come to its target goes through the NumPy way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Array, dense
from ..kernels.small_path import SmallPath
from ..objective.signed import SignedRows
from . import Status
from .mean_loss import MeanLoss
from .penalty import Penalty
from .proximal_newton import Models, Optimum, Point, minimize_all

_MOST_COEF = 300  # beyond which the products of NumPy make up for its calls
_ENTRIES = 1 << 20
_MOST_WORK = 6e6  # multiplications of a Hessian, of one fit: of more the sample tells enough
_AT_ONCE = 20  # fits between two questions whether the path ends
_AIM = 1e-4  # of the target: the last step goes well beyond it anyway
_ROUNDS = 30  # evaluations of one fit, which takes 5 to 15 unless rounding keeps it from its target
_POLISHED = 1e-20  # a gap that is one in name only: for one fit, the digits that are left cost nothing


def is_small(loss: MeanLoss, n_fits: int) -> bool:
    """Whether each fit is of so little work that calls of NumPy would be most of it."""
    n, k = loss.data.n_rows, loss.n_coef
    return 0 < k <= _MOST_COEF and n * k <= _ENTRIES and (n_fits > 1 or n * k * k <= _MOST_WORK)


def small_fit(loss: MeanLoss, penalty: Penalty, theta: Array, *, target: float, max_iter: int) -> Point:
    """The optimum for one penalty, a path of one; the point has no status if the loop did not come to the target."""
    path = _prepared(loss, [penalty], theta)
    evaluations = path.fit(0, 1, aim=min(_POLISHED, target), target=target, rounds=min(_ROUNDS, max_iter))
    loss.objective.passes += evaluations
    point = Point(penalty, path.thetas[2])
    point.loss, point.gap, point.iterations = float(path.losses[0]), float(path.gaps[0]), min(evaluations, max_iter)
    point.value = point.loss + penalty.value(point.theta)
    point.status = Status.CONVERGED if point.gap <= target else None
    return point


def small_path(
    loss: MeanLoss,
    penalties: Sequence[Penalty],
    theta: Array,
    *,
    target: float,
    max_iter: int,
    stop: Callable[[Sequence[Optimum]], bool] | None = None,
) -> list[Optimum]:
    """The optimum for each penalty, from the strongest to the weakest; they differ in their strength alone.

    stop : whether the path ends with the last of some points
    """
    path = _prepared(loss, penalties, theta)
    thetas, losses, gaps = path.thetas, path.losses, path.gaps
    proven = not any(penalty.bare[1:].any() for penalty in penalties)
    fits: list[Optimum] = []
    for begin in range(0, len(penalties), _AT_ONCE):
        end = min(begin + _AT_ONCE, len(penalties))
        loss.objective.passes += path.fit(begin, end, aim=_AIM * target, target=target, rounds=max_iter)
        for m in range(begin, end):
            if proven and gaps[m] <= target:
                fits.append(_Fit(thetas[m + 2], float(losses[m]), float(gaps[m])))
            else:
                fits.append(_in_numpy(loss, penalties[m], thetas[m + 2], target, max_iter))
                thetas[m + 2], losses[m] = fits[m].theta, fits[m].loss
            if stop is not None and stop(fits):
                return fits
    return fits


def _prepared(loss: MeanLoss, penalties: Sequence[Penalty], theta: Array) -> SmallPath:
    """The rows and the penalties as the loop takes them."""
    rows = SignedRows.of(loss.data.sample(loss.data.n_rows, 0), loss.coordinates)
    D = dense(rows.D)
    weight = np.full(len(D), 1 / loss.total_weight) if rows.weight is None else rows.weight / loss.total_weight
    l1, l2 = (np.array([getattr(penalty, name) for penalty in penalties]) for name in ("l1", "l2"))
    one = penalties[0]
    further = _further(np.where(np.isinf(l1), 0.0, l1).max(axis=1) + l2.max(axis=1))
    return SmallPath(D, weight, rows.offset, (l1, l2, one.lower, one.upper), further, one.nearest(theta))


@dataclass(frozen=True)
class _Fit:
    """An `Optimum` that the loop found."""

    theta: Array
    loss: float
    gap: float
    status: Status = Status.CONVERGED


def _in_numpy(loss: MeanLoss, penalty: Penalty, theta: Array, target: float, max_iter: int) -> Point:
    """The gap at theta, and the optimum from there if that is not it."""
    point = Point(penalty, theta)
    models = Models(lambda point: loss.hessian(point.theta), every=True, reach=loss.reach)
    minimize_all(loss.at, [point], models, target=target, max_iter=max_iter)
    return point


def _further(strength: Array) -> Array:
    """The step of each strength beside the one before it, in logarithms; 0 where there is none to speak of."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        steps = np.diff(np.log(strength))
        ratio = np.concatenate([[0.0, 0.0], steps[1:] / steps[:-1]])[: strength.size]
    return np.where((ratio > 0) & (ratio < 2), ratio, 0.0)
