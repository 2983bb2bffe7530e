"""The exact Hessian where one factor has most of the columns: that factor is eliminated (see `arrow`).

Among themselves the levels of a factor are diagonal, or of several classes have a small block each, so that no matrix
of all of them is made and none is factored: of 130 columns and a factor of 10,000 levels Newton's step takes a
hundredth of a second beside the read of the data.
"""

import numpy as np

from ..arrays import Array
from ..arrow import Arrow, by_level, inverse_levels, is_wide
from ..kernels.algebra import dot
from ..objective import Objective
from .metrics import Cholesky

_LEAST = 1e-30  # of the largest curvature: below it a level has none
_TRIES = 5  # of an estimate


class Eliminated:
    """An `Arrow`, factored; it is to be positive definite, or nearly so."""

    def __init__(self, H: Arrow) -> None:
        self._few, self._many, self._diagonal = H.few, H.many.ravel(), H.diagonal()
        self._of_levels = inverse_levels(H.D, 1e-300 + _LEAST * float(self._diagonal.max(initial=0.0)))
        self._W = by_level(self._of_levels, H.B)
        self._rest = Cholesky(H.A - self._W.T @ H.B)

    def solve(self, g: Array) -> Array:
        """H^-1 g."""
        step = np.empty_like(g)
        of_few = self._rest.solve(g[self._few] - self._W.T @ g[self._many])
        step[self._few] = of_few
        step[self._many] = by_level(self._of_levels, g[self._many]) - self._W @ of_few
        return step

    def least(self) -> float:
        """About the least eigenvalue, and hardly more, of the matrix with a diagonal of 1; 0 where a ridge was added.

        By the estimate of the inverse's largest sum of a row (Hager, SIAM J. Sci. Stat. Comput. 5, 1984).
        """
        if self._rest.least() == 0.0 or not (self._diagonal > 0).all():
            return 0.0
        size, n = np.sqrt(self._diagonal), self._diagonal.size
        x, most = np.full(n, 1 / n), 0.0
        for _ in range(_TRIES):
            y = self.solve(x * size) * size
            most = max(most, float(np.abs(y).sum()))
            z = self.solve(np.copysign(size, y)) * size
            at = int(np.argmax(np.abs(z)))
            if abs(z[at]) <= dot(z, x):
                break
            x = np.zeros(n)
            x[at] = 1.0
        return 1 / most


def eliminates(objective: Objective) -> bool:
    """Whether the widest factor is to be eliminated: where coded rows have most of many columns in one."""
    return is_wide(objective.data.layout, objective.n_free)


def exact_metric(objective: Objective, theta: Array) -> Cholesky | Eliminated:
    """The Hessian, factored; of a theta that is `centred`."""
    if eliminates(objective):
        H = objective.arrow(theta)
        return Eliminated(H.anchored() if objective.shares else H)
    return Cholesky(objective.anchored(objective.hessian(theta)))
