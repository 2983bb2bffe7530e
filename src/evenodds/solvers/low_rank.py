"""A metric for dense data of which few directions hold most: these have their curvature, all others the same.

A few factors behind all columns make L-BFGS slow, and a Hessian costs far more than what tells of them: a random
subspace, multiplied by the Hessian twice (Halko, Martinsson and Tropp, SIAM Review 53, 2011), at about ten reads of X.
"""

from typing import Any

import numpy as np

from ..arrays import Array
from ..data import Block, Sums
from ..kernels.algebra import eigen, product
from ..objective import Objective
from ..objective.row_sums import curvature, linear_predictor
from ..objective.tiles import over_tiles
from . import Metric
from .metrics import Centred, least_total

_RANK = 32  # directions that are looked at
_STAND_OUT = 16.0  # times the curvature of all others, from which a direction is seen


class LowRank:
    """diag(1 / root) (rest I + U diag(own - rest) U') diag(1 / root), the columns of U orthonormal."""

    def __init__(self, root: Array, U: Array, own: Array, rest: float) -> None:
        self._root, self._U, self._own, self._rest = root, U, 1 / own - 1 / rest, 1 / rest

    def solve(self, g: Array) -> Array:
        """P^-1 g."""
        scaled = g * self._root
        found = self._rest * scaled + product(self._U, self._own * product(scaled, self._U))
        return np.asarray(found * self._root)


def low_rank(objective: Objective, theta: Array) -> Metric | None:
    """The metric at theta; None where no direction stands out. Two reads of dense rows, and the products with them."""
    k, S = objective.ridge.size, objective.total_weight
    drawn = np.random.default_rng(0).normal(size=(k, min(_RANK, k)))
    total, means, found = _times_hessian(objective, theta, drawn)
    root = 1 / np.sqrt(total / S + objective.ridge)  # columns have unit size beside the ridge
    Q = np.linalg.qr(root[:, None] * found)[0]
    own, turn = eigen(product((root[:, None] * Q).T, _times_hessian(objective, theta, root[:, None] * Q)[2]))
    share = float(np.mean(objective.ridge * root**2))  # the penalty's, of each direction
    rest = max((1 - share) * k - float(own.sum()), 1e-3 * k) / k
    seen = own > _STAND_OUT * (rest + share)
    if not seen.any():
        return None
    U = np.ascontiguousarray(product(Q, turn[:, seen]))
    metric = LowRank(root, U, own[seen] + share, rest + share)
    return Centred(metric, means, total / S) if objective.coordinates.intercept else metric


def _times_hessian(objective: Objective, theta: Array, A: Array) -> tuple[float, Array, Array]:
    """The sum of the curvatures of the rows, the means of the columns by them, and the loss's Hessian of the slopes,
    the intercept at its best, times A (k, m): one read, with products in single precision.
    """
    coordinates, single = objective.coordinates, A.astype(np.float32)

    def of(tile: Block) -> Sums:
        h = curvature(tile, linear_predictor(tile, coordinates, theta))
        D: Any = coordinates.design(tile)
        by, D = product(h, D), D.astype(np.float32)
        moved = np.matmul(D, single)
        moved *= h.astype(np.float32)[:, None]
        return float(h.sum()), by, np.matmul(D.T, moved).astype(np.float64)

    total, by, found = objective.reduce(lambda block: over_tiles(block, of))
    total = max(float(total), least_total(objective))
    if not coordinates.intercept:
        return total, np.zeros(by.size), found / objective.total_weight
    means = by / total
    return total, means, (found - total * np.outer(means, product(means, A))) / objective.total_weight
