"""The loss of several classes, the softmax of one score a class: log sum_k e^z_ik - z_i,y(i).

Theta has a row for each class that has coefficients. Small and sparse data are multiplied by BLAS and SciPy, on tiles
of rows that stay in the cache. Large dense data have a kernel of their own: BLAS copies both matrices of a product,
which costs as much as to multiply by a handful of classes.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from ..arrays import Array, Matrix, Real, dense
from ..arrow import is_wide
from ..class_arrow import pair_products, pair_weights
from ..coordinates import Coordinates
from ..data import Block, Sums, is_coded
from ..kernels.algebra import dot, grams, product
from ..kernels.newton import Limits, Steps
from ..kernels.rows import AT_ONCE
from ..kernels.softmax import softmax_second_sums, softmax_sums
from ..scores import log_probabilities, other_classes, softmax
from .row_loss import Fitted, RowLoss, in_one_call
from .row_sums import coded_gradient, coded_scores
from .tiles import class_tiles


@dataclass(frozen=True)
class Softmax(RowLoss):
    """See the module. Sums of many columns are over tiles, so that it takes whole blocks; `tile` is one of them."""

    has_single: ClassVar[bool] = True

    @functools.cached_property
    def _intercept(self) -> Array:
        """(F,) at the centre."""
        return self.theta[:, 0].copy() if self.coordinates.intercept else np.zeros(len(self.theta))

    @functools.cached_property
    def _coef(self) -> Array:
        """(F, p) of the centred columns."""
        return np.array([self.coordinates.split(one)[1] for one in self.theta])

    def _over_tiles(self, block: Block, function: Callable[[Block], Sums]) -> Sums:
        return class_tiles(block, len(self.theta), function)

    @functools.cached_property
    def _by_column(self) -> Array:
        """The coefficients (p, F) in one piece, as SciPy would copy them for each product."""
        return np.ascontiguousarray(self._coef.T)

    def _as_it_is(self, X: Matrix) -> bool:
        """Whether X is multiplied as it is, and centred after the fact."""
        return bool(sp.issparse(X) or (self.coordinates.near and X.dtype == np.float64))

    def moves(self, block: Block) -> Array:
        """See `RowLoss`."""
        if is_coded(block.rows):
            return coded_scores(block.rows, self._intercept, self._coef.T)
        X, center = block.X, self.coordinates.center
        if self._as_it_is(X):
            Z = product(X, self._by_column)
            Z += self._intercept if sp.issparse(X) else self._intercept - product(self._coef, center)
        else:
            Z = product(X - center, self._coef.T)
            Z += self._intercept
        return np.asarray(Z)

    def scores(self, block: Block) -> Array:
        """See `RowLoss`."""
        Z = self.moves(block)
        if block.offset is not None:
            Z += block.offset[:, int(self.baseline) :] - (block.offset[:, :1] if self.baseline else 0.0)
        return Z

    def _of_all(self, block: Block) -> Array:
        """The scores of all classes, that of a baseline 0."""
        Z = self.scores(block)
        return np.column_stack([np.zeros(len(Z)), Z]) if self.baseline else Z

    def probabilities(self, block: Block) -> tuple[Array, Array, Array]:
        """The loss of each row, its probabilities and its residuals, of all classes: see `softmax`."""
        return softmax(self._of_all(block), block.y.astype(np.intp))

    def multipliers(self, block: Block) -> Array:
        """See `RowLoss`: s p of each row and class other than its own."""
        Z = self._of_all(block)
        others = np.arange(Z.shape[1]) != block.y[:, None]
        P = np.exp(log_probabilities(Z)[others]).reshape(block.n_rows, -1)
        return np.asarray(P if block.weight is None else P * block.weight[:, None])

    def fitted(self, block: Block) -> Fitted:
        """See `RowLoss`."""
        first, logs = int(self.baseline), log_probabilities(self._of_all(block))
        P = np.exp(logs)
        rest = other_classes(P)
        own = block.y.astype(np.intp)[:, None] == np.arange(P.shape[1])
        residual = np.where(own, rest, -P)[:, first:]
        W = -P[:, first:, None] * P[:, None, first:]
        np.einsum("iaa->ia", W)[:] = (P * rest)[:, first:]
        wide = is_coded(block.rows) and is_wide(block.rows.layout, len(self.theta))
        D = (sparse_design if wide else dense_design)(self.coordinates, block)
        return Fitted(D, -logs[own], residual, W)

    def first(self, block: Block, room: Array | None = None) -> Sums:
        """See `RowLoss`; `room` (n_rows, K) is for the probabilities."""
        if block.sparse:
            return self._over_tiles(block, functools.partial(self._first_order, room=room))
        rows = (block.X, block.y, block.weight, block.offset, self.baseline)
        dtype = np.float32 if self.single else np.float64
        return softmax_sums(*rows, self.coordinates.center, self._coef, self._intercept, dtype)

    def _first_order(self, tile: Block, room: Array | None) -> Sums:
        losses, P, R = self.probabilities(tile)
        if room is not None:
            room[tile.first : tile.first + tile.n_rows] = P
        R = self._weighted(tile, R)
        if is_coded(tile.rows):
            return *_loss_and_odds(tile, losses), R.sum(axis=0), coded_gradient(tile.rows, R)[1].T
        return *_loss_and_odds(tile, losses), R.sum(axis=0), np.asarray((product(tile.X.T, R)).T)

    def coded(self, block: Block) -> Sums:
        """See `RowLoss`; products for each two classes."""
        losses, P, R = self.probabilities(block)
        total, by_coef = coded_gradient(block.rows, self._weighted(block, R))
        weights = pair_weights(P, other_classes(P), block.weight, len(self.theta))
        return *_loss_and_odds(block, losses), total, by_coef.T, *pair_products(block.rows, weights)

    def gradient(self, by_intercept: float | Array, by_coef: Array) -> Array:
        """See `RowLoss`."""
        return self.coordinates.gradient(by_intercept, np.asarray(by_coef)).ravel()

    def second(self, block: Block, dtype: Real = np.float64) -> Sums:
        """See `RowLoss`."""
        if self.coordinates.center.size > AT_ONCE or block.sparse:
            loss, gradient, hessian = self._over_tiles(block, self.second_order)
        else:
            loss, gradient, hessian = self._at_once(block)
        return hessian, loss, gradient.ravel()

    def second_order(self, tile: Block) -> Sums:
        """Loss, its gradient (F, k) and Hessian (F k, F k) by theta."""
        losses, P, R = self.probabilities(tile)
        D = dense_design(self.coordinates, tile)
        weight = np.ones(tile.n_rows) if tile.weight is None else tile.weight
        free = slice(int(self.baseline), None)
        P, rest = P[:, free], other_classes(P)[:, free]
        F, k = P.shape[1], D.shape[1]
        hessian = np.empty((F, k, F, k))
        first, second = np.triu_indices(F)
        others = np.where((first == second)[:, None], rest.T[first], -P.T[second])
        for a, b, products in zip(first, second, grams(D, weight * P.T[first] * others), strict=True):
            hessian[a, :, b] = hessian[b, :, a] = products
        gradient = product(self._weighted(tile, R).T, D)
        return dot(weight, losses), np.asarray(gradient), hessian.reshape(F * k, F * k)

    def _at_once(self, block: Block) -> Sums:
        """The same in one read of a block of few dense columns."""
        places, F, p = self.coordinates.places, len(self.theta), self.coordinates.center.size
        size, every = p + int(self.coordinates.intercept), self.theta
        if places.size < size:
            every = np.zeros((F, size))
            every[:, places] = self.theta
        rows = (block.X, block.y, block.weight, block.offset, self.baseline)
        loss, gradient, hessian = softmax_second_sums(*rows, self.coordinates.center, self.coordinates.inverse, every)
        if places.size < size:
            at = (np.arange(F)[:, None] * size + places).ravel()
            gradient, hessian = gradient[:, places], hessian[np.ix_(at, at)]
        return loss, gradient, hessian

    def newton(self, block: Block, pull: Array, total_weight: float, limits: Limits) -> Steps:
        """See `RowLoss`."""
        return in_one_call(self, block, pull, total_weight, limits)

    def curvature(self, block: Block) -> Array:
        """(m, F) s p (1 - p) of each row and class that is free."""
        P = self.probabilities(block)[1]
        return self._weighted(block, P * other_classes(P))

    def squares(self, block: Block) -> Sums:
        """See `RowLoss`: (F,) and (F, p)."""
        return self._over_tiles(block, self._squares)

    def _squares(self, tile: Block) -> Sums:
        H = self.curvature(tile)
        if is_coded(tile.rows):
            squares = coded_gradient(tile.rows, H, power=2)[1]
        elif sp.issparse(tile.X):
            squares = product((tile.X.multiply(tile.X)).T, H)
        else:
            D = tile.X - self.coordinates.center
            squares = product(np.square(D, out=D).T, H)
        return H.sum(axis=0), np.asarray(squares).T

    def _weighted(self, block: Block, values: Array) -> Array:
        """Values (m, K) of the classes that are free, times the weights of the rows."""
        values = values[:, int(self.baseline) :]
        return values if block.weight is None else values * block.weight[:, None]


def _loss_and_odds(block: Block, losses: Array) -> tuple[float, float]:
    """The sums over rows of the loss and of the odds against the labels."""
    weight = np.ones(block.n_rows) if block.weight is None else block.weight
    with np.errstate(over="ignore", invalid="ignore"):
        return dot(weight, losses), dot(weight, np.expm1(losses))


def sparse_design(coordinates: Coordinates, block: Block) -> Any:
    """The columns of theta of one class, the intercept's first, as CSR."""
    D = coordinates.design(block)
    return sp.hstack([np.ones((block.n_rows, 1)), D], format="csr") if coordinates.intercept else D


def dense_design(coordinates: Coordinates, block: Block) -> Array:
    """The columns of theta of one class, the intercept's first, dense."""
    D = coordinates.design(block)
    D = dense(D)
    return np.column_stack([np.ones(block.n_rows), D]) if coordinates.intercept else np.asarray(D)
