"""Rows as plain NumPy works on them: of two classes, each times the sign of its label."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..arrays import Array, Real, Which
from ..coordinates import Coordinates
from ..data import Block
from ..kernels.algebra import dot, product

_FEW_ENTRIES = 1 << 15  # of at most so many columns: BLAS takes longer over their symmetric product than over the plain
_NARROW = 40


@dataclass(frozen=True, slots=True)
class SignedRows:
    """Rows as plain NumPy works on them: margins v = D theta + offset, large where the row is well classified.

    D : (m, k) the columns of theta, the intercept's first, each row times s = 2y - 1; dense or CSR
    work : room for a scaled copy of a dense D, as the allocation would take as long as the scaling
    """

    D: Any
    weight: Array | None
    offset: Array | None
    work: Array | None

    def take(self, k: Which) -> "SignedRows":
        """Some of the rows, by number."""
        weight = None if self.weight is None else self.weight[k]
        return SignedRows(self.D[k], weight, None if self.offset is None else self.offset[k], None)

    @classmethod
    def of(cls, block: Block, coordinates: Coordinates, room: Array | None = None) -> "SignedRows":
        """The rows of a block; dense ones in `room` (m, k), if there is some."""
        sign = np.where(block.y > 0, 1.0, -1.0)
        first = int(coordinates.intercept)
        if sp.issparse(block.X):
            D = coordinates.design(block)
            D = sp.hstack([np.ones((block.n_rows, 1)), D], format="csr") if first else D
            D = sp.diags_array(sign) @ D
        else:
            D = np.empty((block.n_rows, first + coordinates.columns.size)) if room is None else room
            D[:, :first] = 1.0
            coordinates.design(block, out=D[:, first:])
            D *= sign[:, None]
        offset = None if block.offset is None else block.offset * sign
        return cls(D, block.weight, offset, None if sp.issparse(D) or room is not None else np.empty_like(D))

    def margins(self, theta: Array) -> Array:
        """The v of each row."""
        v = product(self.D, theta)
        if self.offset is not None:
            v += self.offset
        return np.asarray(v)

    def losses(self, theta: Array) -> tuple[float, Array, Array]:
        """The loss, -log(sigmoid(v)), summed, and sigmoid(-v) and sigmoid(v) of each row, all exact at any v."""
        v = self.margins(theta)
        t = np.exp(-np.abs(v))
        losses = np.log1p(t) - np.minimum(v, 0.0)
        larger = 1.0 / (1.0 + t)
        smaller = t * larger
        loss = float(losses.sum() if self.weight is None else dot(self.weight, losses))
        return loss, np.where(v < 0, larger, smaller), np.where(v < 0, smaller, larger)

    def weighted_product(self, h: Array, dtype: Real = np.float64) -> Array:
        """D' diag(h) D, (k, k)."""
        D = self.D
        if sp.issparse(D):
            return np.asarray((D.T @ (sp.diags_array(h) @ D)).toarray())
        if dtype == np.float64 and D.size <= _FEW_ENTRIES and D.shape[1] <= _NARROW:
            return np.asarray(np.multiply(D, h[:, None], out=self.work).T @ D)
        root = np.sqrt(h)[:, None]
        scaled = np.multiply(D, root, out=self.work) if dtype == np.float64 else np.multiply(D, root, dtype=dtype)
        return np.asarray(scaled.T @ scaled, dtype=np.float64)
