"""Rows at the fitted coefficients, in one form for two classes and for more.

A row has one design x_i for all classes and F scores, of the classes that have coefficients. Everything that is asked
of it is made of three things: the residual r_i (F,), 1 for its own class less the probabilities; their
covariance W_i (F, F) if the model is right; and x_i. Its score is r_i (x) x_i and its information W_i (x) x_i x_i', (x)
the Kronecker product. Of two classes F is 1, and x_i is taken times the sign of the label.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..arrays import Array
from ..data import Block, Sums
from ..data.groups import Groups
from ..objective import RowLoss
from .problem import Problem
from .wide import WideInverse

if TYPE_CHECKING:
    from .covariance import Inverse

_ALONE = 1e-15  # the least that is left of 1 - leverage


@dataclass(frozen=True)
class FittedRows:
    """Some rows.

    first : the number of the first row in the home
    y : (n,) codes of the classes
    D : (n, k) the design of one class, dense or CSR
    weight : (n,) or None
    loss : (n,) of each row, without its weight
    residual : (n, F)
    W : (n, F, F) covariance of the residuals
    groups : see `Block`
    """

    first: int
    y: Any
    D: Any
    weight: Array | None
    loss: Array
    residual: Array
    W: Array
    groups: Groups | None = None

    @classmethod
    def at(cls, problem: Problem) -> "Callable[[Block], FittedRows]":
        """What makes the rows of a block."""
        return functools.partial(cls._of, problem.objective.row_loss(problem.theta))

    @classmethod
    def _of(cls, row_loss: RowLoss, block: Block) -> "FittedRows":
        D, loss, residual, W = row_loss.fitted(block)
        return cls(block.first, block.y, D, block.weight, loss, residual, W, block.groups)

    def weighted(self, values: Array, root: bool = False) -> Array:
        """Values (n, F) times the weights of the rows, or their roots."""
        if self.weight is None:
            return values
        return np.asarray(values * (np.sqrt(self.weight) if root else self.weight)[:, None])

    def outer(self, residual: Array) -> Any:
        """The scores (n, F k) of the rows with these residuals."""
        if sp.issparse(self.D):
            return sp.hstack([sp.diags_array(r) @ self.D for r in residual.T], format="csr")
        return np.asarray((residual[:, :, None] * self.D[:, None, :]).reshape(len(residual), -1))

    def spread(self, inverse: "Inverse | WideInverse") -> Array:
        """Q_i = (I (x) x_i') A^-1 (I (x) x_i), (n, F, F): the covariance of the scores z_i if A^-1 is that of theta."""
        if isinstance(inverse, WideInverse):
            return inverse.full.spread(self.D, self.residual.shape[1])
        halves = np.split(inverse.half, self.residual.shape[1], axis=1)
        parts = np.stack([np.asarray(self.D @ half.T) for half in halves], axis=1)
        if parts.shape[1] == 1:
            return np.asarray(np.einsum("ij,ij->i", parts[:, 0], parts[:, 0])[:, None, None])
        return np.asarray(parts @ parts.transpose(0, 2, 1))

    def enlarged(self, Q: Array, power: int, repeats: bool) -> Array:
        """(I - H_i)^(-power / 2) r_i with the leverage H_i = W_i Q_i; of a row of weight s, s times that.

        Of two classes r / (1 - h)^(power / 2), as HC2 and HC3 have it. The matrix form is that of Kauermann and
        Carroll, JASA 96, 2001 (power 1: unbiased if the model is right) and Mancl and DeRouen, Biometrics 57, 2001
        (power 2: the jackknife, to first order). With Q = L L' it is r + W L g(L' W L) L' r, where
        g(c) = ((1 - c)^(-power / 2) - 1) / c.
        """
        W = self.W if repeats or self.weight is None else self.W * self.weight[:, None, None]
        if W.shape[1] == 1:
            return np.asarray(self.residual / np.maximum(1 - W[:, 0] * Q[:, 0], _ALONE) ** (power / 2))
        values, vectors = np.linalg.eigh(Q)
        L = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        c, U = np.linalg.eigh(L.transpose(0, 2, 1) @ W @ L)
        c = np.clip(c, 1e-300, 1 - _ALONE)
        growth = np.expm1(-0.5 * power * np.log1p(-c)) / c
        along = L @ U
        grown = growth[:, :, None] * (along.transpose(0, 2, 1) @ self.residual[:, :, None])
        return np.asarray(self.residual + (W @ (along @ grown))[:, :, 0])


def sum_rows(problem: Problem, function: Callable[[FittedRows], Sums]) -> Sums:
    """One read: the sum of a function of tiles of the rows."""
    fitted = FittedRows.at(problem)
    return problem.objective.over_tiles(lambda tile: function(fitted(tile)))
