"""Lasso and elastic net where columns are many: the fits and paths of working sets, dense or sparse."""

from collections.abc import Sequence

import numpy as np

from ..arrays import Array
from .columns import Columns
from .dense_set import DenseSet
from .mean_loss import MeanLoss
from .penalty import Penalty
from .proximal_newton import Point
from .sparse_set import SparseSet
from .working_set import Stop, WorkingSet, extrapolated

_MOST_DENSE = 1 << 18  # entries of a working set of sparse columns that is held as a dense matrix
_AHEAD = 0.7  # of the strength: how far a path looks ahead when all columns are read


def working_set(loss: MeanLoss, *, of_path: bool) -> WorkingSet:
    """An empty set, held as suits the data."""
    data, columns = loss.data, Columns(loss, of_path=of_path)
    if columns.csc is not None and data.n_rows * min(data.n_rows, data.n_columns) > _MOST_DENSE:
        return SparseSet(loss, columns, columns.csc)
    return DenseSet(loss, columns)


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
    state = working_set(loss, of_path=True)
    first = penalties[0]
    start = first.nearest(theta)
    state.add(np.flatnonzero((start != 0) | first.bare))
    state.columns.keep(state.rows(start[state.numbers]).r[None, :], loss.at(start[None, :])[1])
    points: list[Point] = []
    for k, penalty in enumerate(penalties):
        start = extrapolated(points, penalty) if points else start
        weaker = penalties[k + 1 :]
        later = next((p for p in weaker if p.strength <= _AHEAD * penalty.strength), weaker[-1] if weaker else None)
        points.append(state.step(penalty, start, target, max_iter, later))
        if stop is not None and stop(points):
            break
    loss.objective.passes += state.columns.full
    return points


def wide_fit(loss: MeanLoss, penalty: Penalty, theta: Array, *, warm: bool, target: float, max_iter: int) -> Point:
    """The optimum for one penalty."""
    state = working_set(loss, of_path=False)
    start = penalty.nearest(theta if warm else np.where(penalty.bare, theta, 0.0))
    state.add(np.flatnonzero((start != 0) | penalty.bare))
    point = state.step(penalty, start, target, max_iter)
    loss.objective.passes += state.columns.full
    return point
