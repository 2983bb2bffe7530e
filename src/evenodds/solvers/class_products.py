"""Newton's method by conjugate gradients for several classes, of sparse rows: see `conjugate`.

A product of the Hessian with a vector is a read of the rows: the change U of their scores, P (U - sum_k p_k u_k), and
its sums over the rows. They are scaled by the metric of classes and single columns (`kronecker`), or, where factors are
codes, by the blocks that each level has of the classes, made anew at each point: of factors whose levels are well mixed
what is left to the products takes a handful of them.
"""

import numpy as np

from ..arrays import Array
from ..data import Block, Sums, is_coded
from ..kernels.algebra import product
from ..objective import Objective
from ..objective.row_sums import coded_gradient
from . import Metric
from .conjugate import conjugate_gradients, left_to_gain, until_accurate
from .eliminated import Eliminated
from .kronecker import kronecker, sample_probabilities

_LEAST = 1e-4  # of the curvature of a level: about what directions of several have at the least


class ClassProducts:
    """The Hessian at theta as a metric, by products: see `conjugate.ByProducts`."""

    def __init__(self, objective: Objective, theta: Array, sample: Block, target: float) -> None:
        self._objective, self._theta, self._target = objective, theta, target
        first = int(objective.classes.baseline)
        P = np.empty((objective.data.n_rows, objective.n_free + first))
        self.value, self.gradient, _ = objective.first_order(theta, P)
        self._P = P[:, first:]
        self._scaled: Metric
        self._pull = objective.pull
        if objective.data.layout is not None:
            blocks = objective.blocks(P)
            self._scaled = Eliminated(blocks if objective.classes.baseline else blocks.anchored())
            self._least = np.maximum(self._pull, _LEAST * blocks.diagonal())
        else:
            every = sample.n_rows == objective.data.n_rows
            P = self._P if every else sample_probabilities(objective, theta, sample)
            self._scaled = kronecker(objective, P, sample, together=False, alike=True)
            self._least = self._pull
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
        return left_to_gain(self._product, self._scaled.solve, self._rest, self._least, diagonal, self._target)

    def _product(self, direction: Array) -> Array:
        objective, probabilities = self._objective, self._P
        change = objective.row_loss(direction)

        def sums(tile: Block) -> Sums:
            U = change.moves(tile)
            P = probabilities[tile.first : tile.first + tile.n_rows]
            U -= np.einsum("ij,ij->i", P, U)[:, None]
            U *= P if tile.weight is None else P * tile.weight[:, None]
            by_coef = coded_gradient(tile.rows, U)[1] if is_coded(tile.rows) else product(tile.X.T, U)
            return U.sum(axis=0), np.asarray(by_coef.T)

        curved = change.gradient(*objective.over_tiles(sums)) / objective.total_weight
        return np.asarray(curved + self._pull * direction)
