"""Newton's method by conjugate gradients for several classes, of a sparse X with a penalty: see `conjugate`.

A product of the Hessian with a vector is a read of the rows: the change U of their scores, P (U - sum_k p_k u_k), and
its sums over the rows. They are scaled by the metric of classes and single columns (`kronecker`), made anew at each
point.
"""

import numpy as np

from ..arrays import Array
from ..data import Block, Sums
from ..kernels.algebra import product
from ..objective import Objective
from .conjugate import conjugate_gradients, left_to_gain, until_accurate
from .kronecker import kronecker, sample_probabilities


class ClassProducts:
    """The Hessian at theta as a metric, by products: see `conjugate.ByProducts`."""

    def __init__(self, objective: Objective, theta: Array, sample: Block, target: float) -> None:
        self._objective, self._theta, self._target = objective, theta, target
        self._P = np.empty((objective.data.n_rows, objective.n_free))
        self.value, self.gradient, _ = objective.first_order(theta, self._P)
        every = sample.n_rows == objective.data.n_rows
        P = self._P if every else sample_probabilities(objective, theta, sample)
        self._scaled = kronecker(objective, P, sample, together=False, alike=True)
        self._rest = self.gradient

    def solve(self, g: Array) -> Array:
        """About H^-1 g."""
        scaled = self._scaled.solve
        enough = until_accurate(g, scaled, self.value, self._target)
        step, self._rest = conjugate_gradients(self._product, scaled, g, enough)
        return step

    def missed(self) -> float:
        """See `ByProducts`; one read of the data for the diagonal of the Hessian."""
        diagonal = np.maximum(self._objective.diagonal(self._theta), 1e-300)
        pull, target = self._objective.pull, self._target
        return left_to_gain(self._product, self._scaled.solve, self._rest, pull, diagonal, target)

    def _product(self, direction: Array) -> Array:
        objective, probabilities = self._objective, self._P
        change = objective.row_loss(direction)

        def sums(tile: Block) -> Sums:
            U = change.moves(tile)
            P = probabilities[tile.first : tile.first + tile.n_rows]
            U -= np.einsum("ij,ij->i", P, U)[:, None]
            U *= P if tile.weight is None else P * tile.weight[:, None]
            return U.sum(axis=0), np.asarray(product(tile.X.T, U).T)

        curved = change.gradient(*objective.over_tiles(sums)) / objective.total_weight
        return np.asarray(curved + objective.pull * direction)
