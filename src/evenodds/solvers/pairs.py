"""The memory of the smooth loop: the last steps and changes of the gradient, and the step that they make of a metric's.

What L-BFGS's two loops do pair by pair (Nocedal and Wright, Numerical Optimization, algorithm 7.4) is done for all
pairs at once: what the pairs have to do with each other is a small triangle, R_ij = s_i y_j for i <= j, so that each
loop is two products of a matrix with a vector and a triangular solve (the compact form of Byrd, Nocedal and Schnabel,
Mathematical Programming 63, 1994). Each matrix is read twice a step and nothing is written.
"""

import numpy as np
import scipy.linalg

from ..data import Array
from . import Metric

_LEAST_BEND = 1e-290  # below, squares of a change of the gradient have lost their digits
_ROOM = 20  # pairs that there is room for to begin with


class Pairs:
    """At most `most` pairs, the last of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._steps: Array = np.empty((0, 0))
        self._turns: Array = np.empty((0, 0))
        self.clear()

    def __len__(self) -> int:
        return len(self._order)

    def clear(self) -> None:
        """Forget all."""
        self._order: list[int] = []  # the rows of the pairs, in the order of time
        self._triangle: Array = np.empty((0, 0))

    def add(self, step: Array, turn: Array, curvature: float) -> None:
        """Remember a step, the change of the gradient along it, and their product, which is above 0."""
        kept = self._order[1:] if len(self) == self._most else self._order
        row = self._order[0] if len(self) == self._most else len(self)
        self._make_room(row, step.size)
        m, dropped = len(kept), len(self) - len(kept)
        triangle = np.zeros((m + 1, m + 1), order="F")
        triangle[:m, :m] = self._triangle[dropped:, dropped:]
        triangle[:m, m] = (self._steps[: len(self)] @ turn)[kept]
        triangle[m, m] = curvature
        self._steps[row], self._turns[row] = step, turn
        self._order, self._triangle = [*kept, row], triangle

    def _make_room(self, row: int, size: int) -> None:
        if row == len(self._steps):
            room = min(max(_ROOM, 2 * row), self._most)
            steps, turns = np.empty((room, size)), np.empty((room, size))
            if row:
                steps[:row], turns[:row] = self._steps, self._turns
            self._steps, self._turns = steps, turns

    def solve(self, g: Array, metric: Metric) -> Array:
        """The metric's step for g, times the factor that the last pair tells, corrected by all pairs."""
        m = len(self)
        if not m:
            return metric.solve(g)
        steps, turns, order = self._steps[:m], self._turns[:m], self._order
        last = turns[order[-1]]
        bend = float(last @ metric.solve(last))
        factor = self._triangle[-1, -1] / bend if bend > _LEAST_BEND else 1.0
        before = scipy.linalg.blas.dtrsv(self._triangle, (steps @ g)[order])
        by_row = np.empty(m)
        by_row[order] = before
        step = factor * metric.solve(g - by_row @ turns)
        rest = self._triangle.diagonal() * before - (turns @ step)[order]
        by_row[order] = scipy.linalg.blas.dtrsv(self._triangle, rest, trans=1)
        step += by_row @ steps
        return np.asarray(step)
