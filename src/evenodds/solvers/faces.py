"""Newton's steps on one set of coefficients after another, where each set is nearly the one before.

    H[free, free] d = w

One set is factored. Of the sets that follow, the coefficients that have come are bordered to it, and those that have
gone are held at 0 by multipliers (Nocedal and Wright, section 16.2; Gill, Murray, Saunders and Wright, SIAM J. Matrix
Anal. Appl. 11, 1990, section 4): two triangular solves a step, and a system as large as there are changes, in the place
of a factorisation.
"""

import numpy as np

from ..arrays import Array, Numbers
from ..kernels.algebra import dot, product
from .metrics import Cholesky

_FACTORED = 128  # coefficients up to which each set is factored, with the same bits on every machine
_MOST_CHANGES = 60
_LEFT = 1e-3  # of what is wanted: more means that the borders have lost the digits


class Faces:
    """Steps under one H, with the ridge of the penalty on its diagonal."""

    def __init__(self, H: Array) -> None:
        self._H = H
        self._base: Numbers = np.empty(0, np.intp)
        self._factor: Cholesky | None = None
        self._solved: dict[int, Array] = {}  # the solutions for the columns of the border, by coefficient

    def solve(self, free: Numbers, wanted: Array) -> Array:
        """The d of the coefficients `free`, in rising order, for w; refined once, as H may be nearly singular."""
        few = free.size <= _FACTORED
        changes = np.setxor1d(self._base, free, assume_unique=True)
        if self._factor is None or changes.size > (0 if few else _MOST_CHANGES):
            changes = self._begin(free)
        step = self._bordered(free, changes, wanted)
        left = wanted - self._times(free, step)
        if changes.size and not dot(left, left) <= _LEFT**2 * dot(wanted, wanted):  # NaN is too much as well
            changes = self._begin(free)
            step = self._bordered(free, changes, wanted)
            left = wanted - self._times(free, step)
        return np.asarray(step + self._bordered(free, changes, left))

    def _begin(self, free: Numbers) -> Numbers:
        """Factor the matrix of a set; no changes are left."""
        self._base, self._solved = free, {}
        self._factor = Cholesky(self._H[np.ix_(free, free)])
        return free[:0]

    def _times(self, free: Numbers, step: Array) -> Array:
        every = np.zeros(len(self._H))
        every[free] = step
        return np.asarray(product(self._H, every)[free])

    def _bordered(self, free: Numbers, changes: Numbers, wanted: Array) -> Array:
        """d, with what has changed since the factorisation in the border."""
        factor, base = self._factor, self._base
        assert factor is not None
        if not changes.size:
            return factor.solve(wanted)
        come = changes[~np.isin(changes, base, assume_unique=True)]
        gone = changes[np.isin(changes, base, assume_unique=True)]
        at = np.searchsorted(base, gone)
        border = np.zeros((base.size, changes.size))
        border[:, : come.size] = self._H[np.ix_(base, come)]
        border[at, come.size + np.arange(gone.size)] = 1.0
        for column, number in enumerate([*come.tolist(), *gone.tolist()]):
            if number not in self._solved:
                self._solved[number] = factor.solve(border[:, column])
        V = np.column_stack([self._solved[number] for number in [*come.tolist(), *gone.tolist()]])

        every = np.zeros(len(self._H))
        every[free] = wanted
        z = factor.solve(every[base])
        corner = np.zeros((changes.size, changes.size))
        corner[: come.size, : come.size] = self._H[np.ix_(come, come)]
        rest = np.concatenate([every[come], np.zeros(gone.size)])
        try:
            y = np.linalg.solve(corner - border.T @ V, rest - border.T @ z)
        except np.linalg.LinAlgError:  # to the last bit: the set is factored anew
            return np.full(free.size, np.nan)
        every[base] = z - V @ y
        every[gone], every[come] = 0.0, y[: come.size]
        return every[free]
