"""The mean loss F of more than two classes at points of a penalty's path: what `MeanLoss` is for two."""

from dataclasses import dataclass, field

import numpy as np

from ..coordinates import Coordinates
from ..data import Array, Block, Data
from ..objective.softmax import SoftmaxObjective
from .mean_loss import OverObjective


@dataclass
class SoftmaxLoss(OverObjective):
    """F over a home of data; theta holds the classes one after another, each with coefficients of its own.

    sample : rows that stand for all where a figure need not be exact
    """

    data: Data
    coordinates: Coordinates
    sample: Block
    objective: SoftmaxObjective = field(init=False)

    def __post_init__(self) -> None:
        ridge = np.zeros(self.coordinates.columns.size)
        self.objective = SoftmaxObjective(self.data, self.coordinates, ridge, baseline=False)

    @property
    def n_classes(self) -> int:
        """K."""
        return self.objective.n_free

    def at(self, thetas: Array) -> tuple[Array, Array, Array]:
        """F, its gradient, and the mean odds against the labels, at each row of `thetas`: (m,), (m, k), (m,)."""
        found = []
        for theta in thetas:
            value, gradient, _ = self.objective.value_grad(theta)
            found.append((value, gradient, self.objective.mean_odds))
        losses, gradients, odds = zip(*found, strict=True)
        return np.array(losses), np.array(gradients), np.array(odds)

    def hessian(self, theta: Array) -> Array:
        """The Hessian of F, as it is but for what all intercepts share, along which F does not change."""
        return self.objective.hessian(theta)
