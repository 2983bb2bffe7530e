"""The loss of two classes: one score z a row, log(1 + e^z) - y z.

Few dense columns, CSR and codes have loops in C; many columns' products are BLAS's, of rows a tile at a time.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import expit

from ..arrays import Array, Real
from ..data import Block, Sums
from ..kernels.algebra import dot
from ..kernels.newton import Limits, Steps
from ..kernels.rows import AT_ONCE
from .row_loss import Fitted, RowLoss, in_one_call
from .row_sums import coded_second_order, curvature, curvature_sums, first_order, linear_predictor, second_order
from .signed import SignedRows
from .tiles import over_tiles

_LENGTHS = 6  # of a step are tried at the most


@dataclass(frozen=True)
class Binary(RowLoss):
    """See the module."""

    def first(self, block: Block, room: Array | None = None) -> Sums:
        """See `RowLoss`."""
        loss, *by = first_order(block, self.coordinates, self.theta)
        return loss, math.nan, *by

    def second(self, block: Block, dtype: Real = np.float64) -> Sums:
        """See `RowLoss`. Loss and gradient come with it where columns are few and dense."""
        if self.coordinates.center.size > AT_ONCE or block.sparse:
            return over_tiles(block, functools.partial(self._products, dtype=dtype))
        loss, gradient, hessian = second_order(block, self.coordinates, self.theta)
        return hessian, loss, gradient

    def _products(self, block: Block, dtype: Real) -> Sums:
        """sum(h x x') of the columns of theta: those of the slopes and, if there is an intercept, a column of ones."""
        first, D = int(self.coordinates.intercept), self.coordinates.design(block)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            h = curvature(block, D @ self.theta[first:] + (self.theta[0] if first else 0.0))
            total, by = h.sum(), h @ D
            if sp.issparse(D):
                products = (D.T @ (sp.diags_array(h) @ D)).toarray()
            else:
                scaled = np.multiply(D, np.sqrt(h)[:, None], dtype=dtype, out=D if dtype == np.float64 else None)
                products = scaled.T @ scaled
        if not first:
            return (np.asarray(products, float),)
        return (np.block([[np.full((1, 1), total), by[None]], [by[:, None], products]]),)

    def columns(self, block: Block, bends: Array | None = None) -> Sums:
        """See `RowLoss`; h = s p (1 - p)."""
        intercept, coef = self.coordinates.split(self.theta)
        return over_tiles(block, lambda tile: curvature_sums(tile, intercept, coef, self.coordinates.center, bends))

    def squares(self, block: Block) -> Sums:
        """See `RowLoss`."""
        *_, total, _, second = self.columns(block)
        return total, second

    def coded(self, block: Block) -> Sums:
        """See `RowLoss`."""
        loss, *rest = coded_second_order(block, self.coordinates, self.theta)
        return loss, math.nan, *rest

    def multipliers(self, block: Block) -> Array:
        """See `RowLoss`: s times the probability of the other class."""
        z = self.scores(block)
        q: Array = expit(np.where(block.y > 0, -z, z))
        return q if block.weight is None else q * block.weight

    def least_bend(self, block: Block) -> float:
        """See `RowLoss`: that of the largest score, times the least weight."""
        t = math.exp(-float(np.abs(self.scores(block)).max(initial=0.0)))
        weight = 1.0 if block.weight is None else float(block.weight.min(initial=np.inf))
        return weight * t / (1 + t) ** 2

    def fitted(self, block: Block) -> Fitted:
        """See `RowLoss`."""
        rows = SignedRows.of(block, self.coordinates)
        v = rows.margins(self.theta)
        wrong = expit(-v)
        W = wrong * expit(v)
        return Fitted(rows.D, np.logaddexp(0.0, -v), wrong[:, None], W[:, None, None])

    def newton(self, block: Block, pull: Array, total_weight: float, limits: Limits) -> Steps:
        """See `RowLoss`."""
        return in_one_call(self, block, pull, total_weight, limits)

    def best_length(self, block: Block, step: Array, slopes: tuple[float, float], total_weight: float) -> float:
        """See `RowLoss`: from 0.1 to 10, within 5%. Two products with the rows, and Newton's method on the margins."""
        by_pull, bend = slopes
        t, sign = 1.0, np.where(block.y > 0, 1.0, -1.0)
        with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
            v, move = (sign * linear_predictor(block, self.coordinates, x) for x in (self.theta, step))
            v = v if block.offset is None else v + sign * block.offset
            weighted = (move if block.weight is None else block.weight * move) / total_weight
            for _ in range(_LENGTHS):
                wrong = expit(-(v + t * move))
                slope = by_pull + t * bend - dot(weighted, wrong)
                curvature = bend + dot(weighted * move, wrong - wrong * wrong)
                new = min(max(t - slope / curvature, 0.25 * t, 0.1), 4 * t, 10.0) if curvature > 0 else math.nan
                if not abs(new - t) > 0.05 * t:
                    break
                t = new
        return t
