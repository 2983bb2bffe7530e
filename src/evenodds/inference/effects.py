"""Marginal effects summed over rows, with their derivatives by theta.

With p the probabilities and w_c the slopes of class c, dp_c/dx_j = sum_k p_c (1{c=k} - p_k) w_kj, and of log p_c it is
sum_k (1{c=k} - p_k) w_kj. Two classes are the case with w_0 = 0. All derivatives are by theta, in whose coordinates
columns far from zero do not cancel. Rows that are certain in the limit of separated classes are certain here, so that
they have no part in any derivative; where a probability is open in the limit, or a slope grows without end in a row
that is not certain, there is no effect (NaN).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from ..arrays import Array, Matrix
from ..data.coded import Coded
from .certain import class_signs, limit_scores

if TYPE_CHECKING:
    from .record import Inference

Columns = NDArray[np.intp]


@dataclass
class Effects:
    """Sums over rows, a tile after another.

    logs : whether of log p ("ey"); times : whether slopes are times x ("ex")
    cleared : of columns that are switched from 0 to 1, the columns that are 0 without it: itself, and the other levels
        of its factor. All other columns have slopes
    fixed : values that columns have in all rows
    effect : (K, p) by class and column; jacobian : (K, p, m, k) its derivative by theta
    """

    result: "Inference"
    logs: bool
    times: bool
    cleared: Mapping[int, Columns]
    fixed: Mapping[int, float]
    effect: Array = field(init=False)
    jacobian: Array = field(init=False)

    def __post_init__(self) -> None:
        problem, coordinates = self.result.problem, self.result.problem.objective.coordinates
        K, m, p = len(self.result.classes), problem.n_free, coordinates.scale.size
        theta = problem.theta.reshape(m, -1)
        self.effect, self.jacobian = np.zeros((K, p)), np.zeros((K, p, m, theta.shape[1]))
        estimated = self.result.whole.objective.coordinates.columns
        self._columns = np.array([j for j in estimated if j not in self.cleared], dtype=np.intp)
        # By how much theta's entries move the slopes; in the limit of separated classes some columns have none.
        moves = np.zeros((p, theta.shape[1]))
        moves[coordinates.columns, int(coordinates.intercept) + np.arange(coordinates.columns.size)] = 1.0
        self._moves = moves[self._columns] / coordinates.scale[self._columns, None]
        self._slopes = np.pad(theta @ self._moves.T, ((K - m, 0), (0, 0)))  # a baseline's are 0
        self._endless = class_signs(self.result, self._columns)

    def add(self, X: Array, shift: Array, weight: Array) -> None:
        """Add the effects of some dense rows, with the offsets of each class, and their derivatives."""
        if self.fixed:
            X = X.astype(np.float64)
            X[:, list(self.fixed)] = list(self.fixed.values())
        D, Z = limit_scores(self.result, X, shift)
        every = np.arange(self._columns.size)
        if self.times:
            for t in every:
                self._add_slopes(D, Z, weight * X[:, self._columns[t]], every[t : t + 1])
        elif every.size:
            self._add_slopes(D, Z, weight, every)
        bases: dict[bytes, tuple[Array, Array]] = {}
        for j, cleared in self.cleared.items():
            if cleared.tobytes() not in bases:
                bases[cleared.tobytes()] = self._outcome(_set(X, cleared), shift, weight)
            one = self._outcome(_set(X, cleared, j), shift, weight)
            without = bases[cleared.tobytes()]
            self.effect[:, j] += one[0] - without[0]
            self.jacobian[:, j] += one[1] - without[1]

    def _add_slopes(self, D: Array, Z: Array, weight: Array, some: Columns) -> None:
        """The slopes of some columns."""
        P, m = softmax(Z, axis=1), self.jacobian.shape[2]
        K, rest = P.shape[1], less(P)
        slopes, columns = self._slopes[:, some], self._columns[some]
        W = P[:, :, None] * rest
        M = np.where(P[:, :, None] == 0, np.nan, rest) if self.logs else W  # log 0 has no slope
        mean = np.einsum("i,ick->ck", weight, M)
        size = np.einsum("i,ick->ck", np.abs(weight), np.abs(M))
        self.effect[:, columns] += mean @ slopes
        for a, c in enumerate(range(K - m, K)):
            self.jacobian[:, columns, a] += mean[:, c, None, None] * self._moves[some]
            # The derivative of M_ck of the rows by z_c.
            turn = np.broadcast_to(-W[:, None, :, c], M.shape)
            if not self.logs:
                turn = P[:, :, None] * turn + W[:, :, c, None] * rest
            by_theta = np.tensordot(turn * weight[:, None, None], D, axes=(0, 0))
            self.jacobian[:, columns, a] += np.einsum("kj,ckt->cjt", slopes, by_theta)
        endless = (self._endless[:, :, some] != 0) & (size[:, :, None] > 0) & ~np.eye(K, dtype=bool)[:, :, None]
        self.effect[:, columns] += np.where(endless.any(axis=1), np.nan, 0.0)

    def _outcome(self, X: Array, shift: Array, weight: Array) -> tuple[Array, Array]:
        return outcome(self.result, X, shift, weight, self.logs)


def outcome(result: "Inference", X: Array | Coded, shift: Array, weight: Array, logs: bool) -> tuple[Array, Array]:
    """The sum of p (K,), or of log p, of some dense or coded rows, and its derivative by theta (K, m, k)."""
    D, Z = limit_scores(result, X, shift)
    P, m = softmax(Z, axis=1), result.problem.n_free
    turn, values = less(P)[:, :, -m:], log_softmax(Z, axis=1) if logs else P
    turn = turn if logs else P[:, :, None] * turn
    return weight @ values, summed(turn * weight[:, None, None], D)


def summed(values: Array, D: Matrix) -> Array:
    """The sum over rows of each of some values (n, ...) times the row of D (n, k), dense or CSR."""
    if not sp.issparse(D):
        return np.tensordot(values, D, axes=(0, 0))
    return np.asarray((D.T @ values.reshape(len(values), -1)).T).reshape(*values.shape[1:], D.shape[1])


def less(P: Array) -> Array:
    """1{c=k} - p_k (n, K, K), with all digits where p is nearly 1."""
    found = np.repeat(-P[:, None, :], P.shape[1], axis=1)
    np.einsum("icc->ic", found)[:] = P @ (1 - np.eye(P.shape[1]))
    return found


def _set(X: Array, cleared: Columns, one: int | None = None) -> Array:
    """The rows with some columns 0, and one of them 1."""
    rows = X.astype(np.float64)
    rows[:, cleared] = 0.0
    if one is not None:
        rows[:, one] = 1.0
    return rows
