"""The proof of `balance` over coded rows, where one factor has most of the columns and is eliminated.

A row of class y stands for x (e_y - e_k) with each other class k, so that with multipliers lambda_k the sum of these
rows is that of x times r, r_a = sum_k lambda_k for its own class and -lambda_a for another; and the sum of their
products is one of x x' for each two classes a and b, with the weight sum_k lambda_k where both are its own, lambda_a
where both are another, and -lambda_a where only b is its own. Of classes the last F have a part of a direction.
"""

from dataclasses import dataclass

import numpy as np

from ..arrays import Array
from ..arrow import is_large, is_wide
from ..class_arrow import class_arrow, pair_products, pairs
from ..coordinates import Coordinates
from ..data import Block, Data, Sums
from ..objective.row_sums import coded_gradient, coded_scores
from ..solvers.eliminated import Eliminated
from .sides import ManySides, SignedHome


@dataclass(frozen=True)
class CodedSides:
    """How coded rows are signed, of two classes or more.

    n_classes : K; n_free : F, the last of them, which a direction has a part for
    """

    coordinates: Coordinates
    n_classes: int
    n_free: int

    @classmethod
    def of(cls, signed: SignedHome) -> "CodedSides | None":
        """Of rows beside a wide factor; None of others."""
        sides = signed.sides
        n_classes = sides.n_classes if isinstance(sides, ManySides) else 2
        n_free = n_classes - sides.baseline if isinstance(sides, ManySides) else 1
        layout = signed.data.layout
        known = is_wide(layout, n_free) or (is_large(layout) and signed.data.whole() is not None)
        return cls(sides.coordinates, n_classes, n_free) if known else None

    def sums(self, block: Block, multipliers: Array) -> Sums:
        """The sum of the weighted rows, their least weight, and the sum of their products for each two classes."""
        least = [float(multipliers.min(initial=np.inf))]
        return *self.total(block, multipliers), least, *pair_products(block.rows, self.weights(block, multipliers))

    def total(self, block: Block, multipliers: Array) -> Sums:
        """The sum of the weighted rows, by the intercepts and by the coefficients (F, p)."""
        lam, own = self._of_all(block, multipliers)
        pull = np.where(own, lam.sum(axis=1)[:, None], -lam)[:, self.n_classes - self.n_free :]
        by_intercept, by_coef = coded_gradient(block.rows, pull)
        return by_intercept, by_coef.T

    def weights(self, block: Block, multipliers: Array) -> list[Array]:
        """What weighs the products of the columns of each two classes (m,)."""
        lam, own = self._of_all(block, multipliers)
        total, first = lam.sum(axis=1), self.n_classes - self.n_free
        lam, own = lam[:, first:], own[:, first:]
        return [
            np.where(own[:, a], total, lam[:, a])
            if a == b
            else -np.where(own[:, a], lam[:, b], np.where(own[:, b], lam[:, a], 0.0))
            for a, b in pairs(self.n_free)
        ]

    def _of_all(self, block: Block, multipliers: Array) -> tuple[Array, Array]:
        """The multipliers with a 0 for the own class (m, K), and where that is."""
        lam = np.zeros((block.n_rows, self.n_classes))
        own = block.y[:, None] == np.arange(self.n_classes)
        lam[~own] = multipliers.ravel()
        return lam, own

    def in_theta(self, by_intercept: Array, by_coef: Array) -> Array:
        """Such a sum as one of theta's columns, class after class."""
        return np.asarray(self.coordinates.gradient(by_intercept, by_coef).ravel())

    def margins(self, block: Block, direction: Array) -> Array:
        """How far each row of a block is on its side of each other class (m, K - 1)."""
        parts = [self.coordinates.split(one) for one in direction.reshape(self.n_free, -1)]
        shifts, coefs = np.array([shift for shift, _ in parts]), np.array([coef for _, coef in parts]).T
        scores = np.zeros((block.n_rows, self.n_classes))
        scores[:, self.n_classes - self.n_free :] = coded_scores(block.rows, shifts, np.ascontiguousarray(coefs))
        own = block.y[:, None] == np.arange(self.n_classes)
        return np.asarray(scores[own][:, None] - scores[~own].reshape(block.n_rows, -1))


def correction(data: Data, sides: CodedSides, sums: Sums, certain: float) -> Array | None:
    """What to regress 1 on the rows by; None if rounding may hide that it is not unique.

    sums : those of `CodedSides.sums`, without the least weights
    certain : an eigenvalue of the products, whose diagonal is 1, that is not rounding
    """
    by_intercept, by_coef, *made = sums
    metric = Eliminated(class_arrow(data.layout, sides.coordinates, sides.n_free, made))
    if not metric.least() > certain:
        return None
    return metric.solve(sides.in_theta(by_intercept, by_coef))
