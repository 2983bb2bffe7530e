"""The mean loss F and its gradient at one point or many: one read of the data for all of them.

Many points turn two products with a vector into two with a matrix, which are bound by arithmetic and not by memory.
"""

import functools
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..arrays import Array, Real
from ..coordinates import Coordinates
from ..data import Block, Data, Sums, require_finite
from ..kernels.algebra import dot, product
from ..kernels.descent import many_rows
from ..kernels.rows import AT_ONCE
from ..objective import Classes, Objective
from ..scores import linear_scores, log_probabilities

_TILE_ROWS = 512
_HESSIAN_ROWS = 2048
_IMPOSSIBLE = 1e-30  # a probability that no coefficient makes anything of
_FEW = 4  # points up to which the kernels for one point are faster


@dataclass
class MeanLoss:
    """F over a home of data, in given coordinates, of all classes. Its Objective counts the reads.

    sample : rows that stand for all where a figure need not be exact
    """

    data: Data
    coordinates: Coordinates
    sample: Block
    objective: Objective = field(init=False)
    _last: tuple[Array, tuple[Array, Array, Array]] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        classes = Classes.of(self.data, baseline=False)
        self.objective = Objective(self.data, self.coordinates, np.zeros(self.coordinates.columns.size), classes)

    @property
    def several(self) -> bool:
        """Whether there are more than two classes."""
        return self.objective.classes.several

    @property
    def n_classes(self) -> int:
        """Classes that have coefficients: one of two, all of more."""
        return self.objective.n_free

    @property
    def n_coef(self) -> int:
        """The length of theta."""
        return self.objective.n_coef

    @property
    def total_weight(self) -> float:
        """S, the sum of the weights of the rows."""
        return self.objective.total_weight

    @property
    def observations(self) -> float:
        """What a gap is multiplied by in standard errors."""
        return self.objective.observations

    def reach(self, theta: Array, some: NDArray[np.intp], step: Array) -> float:
        """By how much a step of some coefficients changes a score at the most, beside the row's other scores.

        Rows are only read where it is not of intercepts alone. Where a step goes far, labels that are as good as
        impossible at theta are left out: a far row may be moved by more than 1 and be as certain as before.
        """
        first = int(self.objective.coordinates.intercept)
        whole = np.zeros(self.n_coef)
        whole[some] = step
        by_class = whole.reshape(-1, first + self.objective.coordinates.columns.size)
        if by_class[:, first:].any():
            one = self.objective.largest_move(whole) * (1 + self.several)
            return one if one <= 1 else min(one, self._possible_move(theta, whole))
        return float(np.ptp(np.append(by_class, 0.0)))

    def _possible_move(self, theta: Array, step: Array) -> float:
        """The largest change of the score of a label, less their mean, that is not as good as impossible."""
        at, by = self.objective.row_loss(theta), self.objective.row_loss(step)

        def largest(tile: Block) -> Sums:
            Z, D = (
                a if a.ndim > 1 else np.column_stack([np.zeros_like(a), a]) for a in (at.scores(tile), by.moves(tile))
            )
            P = np.exp(log_probabilities(Z))
            turn = np.abs(D - (P * D).sum(axis=1, keepdims=True))
            return ([float(turn[P * (1 + turn) > _IMPOSSIBLE].max(initial=0.0))],)

        return float(max(self.objective.over_tiles(largest)[0]))

    def at(self, thetas: Array, dtype: Real = np.float64, *, exact: bool = False) -> tuple[Array, Array, Array]:
        """F, its gradient, and the mean odds against the labels, at each row of `thetas`: (m,), (m, k), (m,).

        Of a few points the odds are those of the sample, unless they are to be exact; see `odds`.

        dtype : of the products of many dense rows with many points
        """
        if self.several:
            return self._each(thetas)
        if not exact and self._last is not None and np.array_equal(thetas, self._last[0]):
            return self._last[1]
        if len(thetas) <= _FEW and not exact:
            self._last = thetas.copy(), self._one_by_one(thetas)
            return self._last[1]
        else:
            coordinates = self.coordinates
            sums = self.objective.reduce(lambda block: _tiles(block, coordinates, thetas, dtype))
        losses, gradients, odds = (total / self.total_weight for total in sums)
        if not (np.isfinite(losses).all() and np.isfinite(gradients).all()):
            require_finite(self.data)
            losses = np.where(np.isfinite(losses) & np.isfinite(gradients).all(axis=1), losses, np.inf)
        return losses, gradients, odds

    def hessian(self, theta: Array) -> Array:
        """The Hessian of F, as it is but for what all intercepts share, along which F does not change."""
        return self.objective.hessian(theta)

    def hessians(self, thetas: Array) -> Array:
        """The Hessians of F at several points: (m, k, k). Of many dense columns by one read, in single precision."""
        if self.data.sparse or self.data.n_columns <= AT_ONCE:
            return np.array([self.objective.hessian(theta, np.float32) for theta in thetas])
        coordinates = self.coordinates
        (total,) = self.objective.reduce(lambda block: _hessian_tiles(block, coordinates, thetas))
        return np.asarray(total) / self.total_weight

    def _each(self, thetas: Array) -> tuple[Array, Array, Array]:
        """Of more than two classes, one point after another; the odds come with the loss, and are exact."""
        losses, gradients, odds = zip(*map(self.objective.first_order, thetas), strict=True)
        return np.array(losses), np.array(gradients), np.array(odds)

    def _one_by_one(self, thetas: Array) -> tuple[Array, Array, Array]:
        values = [self.objective.value_grad(theta)[:2] for theta in thetas]
        odds = [_odds(self.sample, self.coordinates, theta) / self._odds_weight for theta in thetas]
        return np.array([loss for loss, _ in values]), np.array([gradient for _, gradient in values]), np.array(odds)

    def odds(self, theta: Array) -> float:
        """The mean over all rows of (1 - p)/p, p the probability of the label that was seen. One read of the data."""
        coordinates = self.coordinates
        (total,) = self.objective.reduce(lambda block: (_odds(block, coordinates, theta),))
        return float(total) / self.total_weight

    @functools.cached_property
    def _odds_weight(self) -> float:
        return float(self.sample.n_rows if self.sample.weight is None else self.sample.weight.sum())


def _odds(block: Block, coordinates: Coordinates, theta: Array) -> float:
    """The sum over a block of (1 - p)/p."""
    intercept, coef = coordinates.for_block(block, theta)
    z = linear_scores(block.X, intercept, coef)
    if block.offset is not None:
        z += block.offset
    with np.errstate(over="ignore"):
        odds = np.exp(np.where(block.y > 0, -z, z))
    return float(odds.sum() if block.weight is None else dot(block.weight, odds))


def _tiles(block: Block, coordinates: Coordinates, thetas: Array, dtype: Real) -> Sums:
    """The sums over a block at many points: matrix products and our own loop, a tile of rows at a time."""
    first = int(coordinates.intercept)
    sparse = sp.issparse(block.X)
    slopes = np.ascontiguousarray(thetas[:, first:].T, dtype=np.float64 if sparse else dtype)
    losses, odds = np.zeros(len(thetas)), np.zeros(len(thetas))
    gradient = np.zeros(slopes.shape)
    by_intercept = np.zeros(len(thetas))
    work = None if sparse else np.empty((_TILE_ROWS, coordinates.columns.size))
    for start in range(0, block.n_rows, _TILE_ROWS):
        tile = block.take(slice(start, start + _TILE_ROWS))
        D = coordinates.design(tile, out=None if work is None else work[: tile.n_rows])
        D = D if sparse else D.astype(dtype, copy=False)
        Z = np.ascontiguousarray(product(D, slopes), dtype=np.float64)
        if first:
            Z += thetas[:, 0]
        many_rows(Z, tile.y, tile.weight, tile.offset, losses, odds)
        gradient += product(D.T, Z if sparse else Z.astype(dtype, copy=False))
        by_intercept += Z.sum(axis=0)
    by_slopes = gradient.T
    return losses, np.column_stack([by_intercept, by_slopes]) if first else by_slopes, odds


def _hessian_tiles(block: Block, coordinates: Coordinates, thetas: Array) -> Sums:
    """Sums of h x x' at each of `thetas`, h = s p (1 - p)."""
    first = int(coordinates.intercept)
    k = thetas.shape[1]
    total = np.zeros((len(thetas), k, k))
    D = np.ones((_HESSIAN_ROWS, k))
    single, scaled = np.empty((2, _HESSIAN_ROWS, k), np.float32)
    for start in range(0, block.n_rows, _HESSIAN_ROWS):
        tile = block.take(slice(start, start + _HESSIAN_ROWS))
        m = tile.n_rows
        coordinates.design(tile, out=D[:m, first:])
        single[:m] = D[:m]
        Z = single[:m] @ thetas.T.astype(np.float32)
        if tile.offset is not None:
            Z += tile.offset[:, None]
        t = np.exp(-np.abs(Z))
        root = np.sqrt(t) / (1 + t)
        if tile.weight is not None:
            root *= np.sqrt(tile.weight)[:, None]
        for j in range(len(thetas)):
            part = np.multiply(single[:m], root[:, j, None], out=scaled[:m], casting="same_kind")
            total[j] += part.T @ part
    return (total,)
