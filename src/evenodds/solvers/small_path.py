"""A path on small data in one call of a loop, as calls of NumPy would cost more than their sums.

`kernels.small_path` runs along the path without the GIL, so that threads can work on one path each. Its duality gaps
are those of `Penalty.gap` if the intercept is all that is free of penalty and bounds; otherwise they are taken again
here. What has not come to its target goes through the NumPy way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ..data import Array
from ..kernels.small_path import SmallPath
from ..objective.signed import SignedRows
from . import Status
from .elastic_net import hessian_of
from .mean_loss import MeanLoss
from .penalty import Penalty
from .proximal_newton import Models, Optimum, Point, minimize_all

_MOST_COEF = 300  # beyond which the products of NumPy make up for its calls
_ENTRIES = 1 << 20
_AT_ONCE = 20  # fits between two questions whether the path ends
_AIM = 1e-4  # of the target: the last step goes well beyond it anyway


def is_small(loss: MeanLoss, n_fits: int) -> bool:
    """Whether there is a path, and each fit of so little work that calls of NumPy would be most of it."""
    k = loss.n_coef
    return n_fits > 1 and 0 < k <= _MOST_COEF and loss.data.n_rows * k <= _ENTRIES


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
    rows = SignedRows.of(loss.data.sample(loss.data.n_rows, 0), loss.coordinates)
    D = rows.D.toarray() if sp.issparse(rows.D) else rows.D
    weight = np.full(len(D), 1 / loss.total_weight) if rows.weight is None else rows.weight / loss.total_weight
    l1, l2 = (np.array([getattr(penalty, name) for penalty in penalties]) for name in ("l1", "l2"))
    one = penalties[0]
    further = _further(np.where(np.isinf(l1), 0.0, l1).max(axis=1) + l2.max(axis=1))
    path = SmallPath(D, weight, rows.offset, (l1, l2, one.lower, one.upper), further, one.nearest(theta))
    thetas, losses, gaps = path.thetas, path.losses, path.gaps
    proven = ((l1[:, 1:] > 0) | (l2[:, 1:] > 0)).all()
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
    models = Models(hessian_of(loss), every=True, reach=loss.reach)
    minimize_all(loss.at, [point], models, target=target, max_iter=max_iter)
    return point


def _further(strength: Array) -> Array:
    """The step of each strength beside the one before it, in logarithms; 0 where there is none to speak of."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        steps = np.diff(np.log(strength))
        ratio = np.concatenate([[0.0, 0.0], steps[1:] / steps[:-1]])[: strength.size]
    return np.where((ratio > 0) & (ratio < 2), ratio, 0.0)
