"""Which classes have coefficients, and by which loss they are told apart.

Two classes have one score. More have a score each; the same vector added to all of them changes no probability.
Without a penalty the first class is therefore the baseline, with all its coefficients 0. With one, all classes have
coefficients; the penalty makes the slopes of the optimum sum to 0 over the classes, and the intercepts, which it leaves
out, are chosen so.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import Array
from ..coordinates import Coordinates
from ..data import Block, Data, Sums, nonzero_weights
from .binary import Binary
from .row_loss import RowLoss
from .softmax import Softmax
from .tiles import class_tiles, over_tiles


@dataclass(frozen=True)
class Classes:
    """The classes of an objective.

    n_sets : sets of coefficients in theta, one after another: one, or as many as classes have coefficients
    baseline : whether the first class has none
    several : whether a row has a score for each set: of more than two labels
    loss : of the rows
    """

    n_sets: int
    baseline: bool
    several: bool
    loss: type[RowLoss]

    @classmethod
    def of(cls, data: Data, *, baseline: bool) -> "Classes":
        """Those of a home of rows. `baseline` is asked of more than two; of two the first always is."""
        if data.present.size == 2:
            return TWO
        return cls(data.class_weights.size - int(baseline), baseline, True, Softmax)

    def row_loss(self, coordinates: Coordinates, theta: Array, single: bool = False) -> RowLoss:
        """The loss at theta."""
        return self.loss(coordinates, self.table(theta) if self.several else theta, self.baseline, single)

    def table(self, theta: Array) -> Array:
        """Theta with a row for each set (n_sets, k)."""
        return theta.reshape(self.n_sets, -1)

    def log_odds(self, data: Data) -> Array:
        """(n_sets,) of the classes, from their weights."""
        logs = np.log(nonzero_weights(data))
        return np.asarray(logs[1:] - logs[:1] if self.baseline else logs - logs.mean())

    def free(self, scores: Array) -> Array:
        """Scores (m, K) of all classes as those of the sets (m, n_sets)."""
        return scores[:, 1:] - scores[:, :1] if self.baseline else scores - scores.mean(axis=1, keepdims=True)

    def whole(self, intercept: Array, coef: Array) -> tuple[Array, Array]:
        """The coefficients (n_sets, p) of the sets as a fit tells them: of several classes those of all (K, p)."""
        if not self.baseline:
            return intercept - intercept.mean(), coef
        if not self.several:
            return intercept, coef
        return np.concatenate([[0.0], intercept]), np.concatenate([np.zeros((1, coef.shape[1])), coef])

    def parts(self, intercept: Array, coef: Array) -> tuple[Array, Array]:
        """The coefficients of the sets from those that a fit tells."""
        if self.several and self.baseline:
            return intercept[1:] - intercept[0], coef[1:] - coef[0]
        return intercept, coef

    def over_tiles(self, block: Block, function: Callable[[Block], Sums]) -> Sums:
        """Sum over parts of a block, small enough for the copies that plain NumPy makes of them."""
        return class_tiles(block, self.n_sets, function) if self.several else over_tiles(block, function)


TWO = Classes(1, True, False, Binary)
