"""A working set of columns as a dense matrix of its own, with one Hessian that is kept while it serves.

Proximal Newton keeps it while the weights of the rows, but for a common factor, stay close to those it was made with.
"""

import numpy as np

from ..arrays import Array, Numbers
from ..kernels.algebra import product
from ..kernels.descent import descend
from .columns import Columns
from .costs import choose
from .mean_loss import MeanLoss
from .penalty import Penalty
from .quadratic import MOST_FACTORED, is_singular, newton_steps
from .working_set import At, WorkingSet

_ACCURACY = 1e-4  # of a step: the square of the last changes over that of the largest
_SWEEPS = 200  # and turns of conjugate gradients
_LEFT = 0.1  # of the violation at the start, of a step that descent does not get to: more digits are lost on the next


class DenseSet(WorkingSet):
    """Some columns of theta, held as a dense matrix, and a Hessian on them."""

    def __init__(self, loss: MeanLoss, columns: Columns) -> None:
        super().__init__(loss, columns)
        self.D = self._room = np.empty((self.columns.n_rows, 0), order="F")
        self._H = np.empty((0, 0), np.float64 if choose(loss.objective) == "newton" else np.float32)
        self._root = np.empty((self.columns.n_rows, 0), self._H.dtype, order="F")
        self._base: Array | None = None
        self._factor = 1.0

    def hold(self, new: Numbers) -> None:
        """Into the matrix, and into the Hessian."""
        have, need = self.numbers.size, self.numbers.size + new.size
        if need > self._room.shape[1]:
            self._enlarge(have, 2 * need)
        self._room[:, have:need] = self.columns.take(new)
        self.D = self._room[:, :need]
        if self._base is not None:
            self._root[:, have:need] = np.sqrt(self._base)[:, None] * self.D[:, have:]
            cross = product(self._root[:, :need].T, self._root[:, have:need])
            self._H[:need, have:need], self._H[have:need, :need] = cross, cross.T

    def _enlarge(self, have: int, room: int) -> None:
        """Make room for more columns."""
        n, kept = self.columns.n_rows, (self._room, self._root, self._H)
        self._room, self._root = np.empty((n, room), order="F"), np.empty((n, room), self._H.dtype, order="F")
        self._H = np.empty((room, room), self._H.dtype)
        for new, old in zip((self._room, self._root, self._H[:have]), kept, strict=True):
            new[:, :have] = old[: len(new), :have]

    def scores(self, theta: Array) -> Array:
        """See `WorkingSet`."""
        return np.asarray(product(self.D, theta))

    def slopes(self, r: Array) -> Array:
        """See `WorkingSet`."""
        return np.asarray(product(r, self.D))

    def some(self, places: Numbers) -> Array:
        """See `WorkingSet`."""
        return np.asarray(self.D[:, places])

    def model(self, h: Array, drift: float) -> bool:
        """See `WorkingSet`."""
        base, k = self._base, self.numbers.size
        if base is not None and h.any() and base.any():
            self._factor = float(h.sum() / base.sum())
            off = float(np.abs(h - self._factor * base).sum())
            if off <= drift * float(h.sum()):
                return off == 0
        self._base, self._factor = h, 1.0
        root = np.multiply(self.D, np.sqrt(h)[:, None], out=self._root[:, :k], casting="same_kind")
        self._H[:k, :k] = self.columns.gram(root)
        return True

    def least(self, penalty: Penalty, at: At, to_the_end: bool) -> Array:
        """See `WorkingSet`."""
        x, c, k = at.near.copy(), self._factor, self.numbers.size
        bounds = (penalty.l1 / c, penalty.l2 / c, penalty.lower, penalty.upper)
        if not to_the_end and descend(self._H, at.gradient / c, bounds, x, _ACCURACY, _SWEEPS):
            return x
        x = penalty.nearest(x)
        if k > MOST_FACTORED:
            return x
        H = c * self._H[:k, :k]
        if H.dtype == np.float32 and (to_the_end or is_singular(H, penalty)):
            self._in_double(at.rows.h)
            return self.least(penalty, at, to_the_end)
        H = H.astype(np.float64, copy=False)
        slope = at.gradient - product(H, at.near)
        left = 0.0 if to_the_end else _LEFT * float(penalty.violation(at.near, at.gradient).max())
        return newton_steps(H, slope, penalty, x, left)

    def _in_double(self, h: Array) -> None:
        """From now on a Hessian in double precision: what single leaves of flat directions ends every step early."""
        self._H = np.empty(self._H.shape)
        self._root = np.empty(self._root.shape, order="F")
        self._base = None
        self.model(h, 0.0)
