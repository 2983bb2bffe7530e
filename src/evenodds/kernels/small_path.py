"""Proximal Newton for the whole path of small data, where calls of NumPy would cost more than their sums.

It runs without the GIL, so that threads can work on one path each. `small_path.inc` tells how a fit goes.
"""

import numpy as np

from ..arrays import Array
from .library import function, pointer, vector


class SmallPath:
    """The fits of one path: where they stand between two calls.

    D : (n, k) rows times the signs of their labels; offset : (n,) times the signs, or None
    weight : (n,) adding up to 1
    l1, l2 : (m, k) of each fit; lower, upper : (k,)
    further : (m,) how far the start of each is beyond the last optimum, in units of its distance from the one before
    start : (k,)

    thetas : (m + 2, k) the optima, from row 2 on; losses, gaps : (m,), infinite before
    """

    def __init__(
        self,
        D: Array,
        weight: Array,
        offset: Array | None,
        penalties: tuple[Array, Array, Array, Array],
        further: Array,
        start: Array,
    ) -> None:
        n, self.k = D.shape
        self.n = (n + 7) // 8 * 8  # rows of weight 0 fill them up
        l1, l2, lower, upper = penalties
        m = len(l1)
        self._D, (self._weight, self._offset) = np.zeros((self.k, self.n)), np.zeros((2, self.n))
        self._D[:, :n], self._weight[:n] = D.T, weight
        if offset is not None:
            self._offset[:n] = offset
        sizes = ((l1, m * self.k), (l2, m * self.k), (lower, self.k), (upper, self.k), (further, m))
        self._given = [vector(part, size) for part, size in sizes]
        self._H, self.thetas = np.zeros((self.k, self.k)), np.empty((m + 2, self.k))
        self.thetas[:2] = start
        self.losses, self.gaps = np.full(m, np.inf), np.full(m, np.inf)
        self._work, self._at = np.empty(3 * self.n + self.k * (self.k + 4)), np.empty(self.k, np.int32)

    def fit(self, begin: int, stop: int, *, aim: float, target: float, rounds: int) -> int:
        """Fits `begin` to `stop`; the number of evaluations.

        aim : the gap to come to; `target` is enough where it falls no more
        rounds : evaluations of a fit at the most
        """
        if not 0 <= begin <= stop <= len(self.losses):
            raise ValueError(f"Fits {begin} to {stop} of {len(self.losses)}.")
        given = map(pointer, (self._weight, self._offset, *self._given))
        state = (self._H, self.thetas, self.losses, self.gaps, self._work, self._at)
        loop = function("path_fits")
        numbers = (begin, stop, aim, target, rounds, *map(pointer, state))
        return int(loop(pointer(self._D), self.n, self.k, *given, *numbers))
