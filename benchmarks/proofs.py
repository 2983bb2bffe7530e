"""Judges for penalties with corners, for several classes and for folds: each proves how good its optimum is.

They start from our fit at a tight tolerance and go down when a contestant finds a lower point. That nobody has to be
believed, each computes a lower bound of the minimum from its own evaluation, in plain NumPy: `unproven` is how far the
optimum could be above the minimum.

- Elastic net: the value of the dual at the residuals r = y - p. Their sum is 0 once the intercept is optimal, and
  the lasso shrinks them until |X'r|/n <= lam l1_ratio. Suboptimality is relative to the loss without columns.
- Softmax with a ridge: J is strongly convex in the coefficients with modulus lam, so that
  J - min J <= |gradient|^2 / (2 lam).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit, logsumexp, xlogy

from benchmarks.problems import Array
from benchmarks.score import CHUNK


class PathJudge:
    """The elastic net at every strength of a grid. `beta` has one row (intercept, coefficients) a strength.

    by_null : suboptimality relative to the loss without columns, else to each optimum
    """

    def __init__(self, X: Any, y: Array, strengths: Any, l1_ratio: float, start: Array, by_null: bool = True) -> None:
        self.X, self.y, self.strengths, self.l1_ratio = X, y, np.array(strengths), l1_ratio
        mean = y.mean()
        self.null = float(-xlogy(mean, mean) - xlogy(1 - mean, 1 - mean))
        self.optimum = self.loss(start)
        self.unit = self.null if by_null else self.optimum.copy()
        self.bound = self._dual(start)

    def loss(self, beta: Array) -> Array:
        if not np.isfinite(beta).all():
            return np.full(len(self.strengths), np.inf)
        total = np.zeros(len(beta), np.longdouble)
        for start in range(0, len(self.y), CHUNK):
            Z = self.X[start : start + CHUNK] @ beta[:, 1:].T + beta[:, 0]
            rows = np.log1p(np.exp(-np.abs(Z))) + np.maximum(Z, 0) - self.y[start : start + CHUNK, None] * Z
            total += rows.sum(axis=0, dtype=np.longdouble)
        a, w = self.l1_ratio, beta[:, 1:]
        penalty = a * np.abs(w).sum(axis=1) + (1 - a) / 2 * (w**2).sum(axis=1)
        return (total / len(self.y) + self.strengths * penalty).astype(float)

    def suboptimality(self, loss: Array) -> float:
        """The worst over the grid, each above the best that is known there."""
        self.optimum = np.minimum(self.optimum, loss)
        return float(((loss - self.optimum) / self.unit).max())

    def unproven(self) -> float:
        return float(((self.optimum - self.bound) / self.unit).max())

    def _dual(self, beta: Array) -> Array:
        n, a, lam = len(self.y), self.l1_ratio, self.strengths
        Z = self.X @ beta[:, 1:].T + beta[:, 0]
        for _ in range(5):  # Newton for the intercept
            P = expit(Z)
            Z += (self.y[:, None] - P).sum(axis=0) / np.maximum((P * (1 - P)).sum(axis=0), 1e-300)
        R = self.y[:, None] - expit(Z)
        V = np.abs(self.X.T @ R) / n
        if a == 1:
            R *= np.minimum(1.0, lam / np.maximum(V.max(axis=0), 1e-300))
            conjugate = 0.0
        else:
            conjugate = (np.maximum(V - lam * a, 0) ** 2).sum(axis=0) / (2 * lam * (1 - a))
        Q = self.y[:, None] - R
        return -(xlogy(Q, Q) + xlogy(1 - Q, 1 - Q)).sum(axis=0) / n - conjugate


class FoldsJudge:
    """A `PathJudge` for the training rows of each fold; `beta` has the fold in front."""

    def __init__(self, X: Array, y: Array, parts: Any, strengths: Any, l1_ratio: float, start: Array) -> None:
        # C is the same in all folds, which have fewer rows
        whole = [np.array(strengths) * len(y) / len(train) for train, _ in parts]
        self.judges = [
            PathJudge(X[train], y[train], lam, l1_ratio, beta, by_null=False)
            for (train, _), lam, beta in zip(parts, whole, start, strict=True)
        ]

    def loss(self, beta: Array) -> list[Array]:
        return [judge.loss(one) for judge, one in zip(self.judges, beta, strict=True)]

    def suboptimality(self, loss: list[Array]) -> float:
        return max(judge.suboptimality(one) for judge, one in zip(self.judges, loss, strict=True))

    def unproven(self) -> float:
        return max(judge.unproven() for judge in self.judges)


class SoftmaxJudge:
    """mean(logsumexp(z) - z_y) + lam/2 |W|^2 with z = b + W x; `beta` has one row (intercept, coefficients) a class."""

    def __init__(self, X: Array, y: Array, strength: float, start: Array) -> None:
        self.X, self.y, self.strength = X, y.astype(int), strength
        self.optimum = self.loss(start)
        gradient = self._gradient(start)
        self.bound = self.optimum - float((gradient**2).sum()) / (2 * strength)

    def loss(self, beta: Array) -> float:
        if not np.isfinite(beta).all():
            return float("inf")
        total = np.longdouble(0)
        for part, Z in self._scores(beta):
            rows = logsumexp(Z, axis=1) - np.take_along_axis(Z, self.y[part, None], 1)[:, 0]
            total += rows.sum(dtype=np.longdouble)
        penalty = self.strength * (beta[:, 1:] ** 2).sum(dtype=np.longdouble) / 2
        return float(total / len(self.y) + penalty)

    def suboptimality(self, loss: float) -> float:
        self.optimum = min(self.optimum, loss)
        return (loss - self.optimum) / self.optimum

    def unproven(self) -> float:
        return (self.optimum - self.bound) / self.optimum

    def _scores(self, beta: Array) -> Any:
        for start in range(0, len(self.y), CHUNK):
            part = slice(start, start + CHUNK)
            yield part, self.X[part] @ beta[:, 1:].T + beta[:, 0]

    def _gradient(self, beta: Array) -> Array:
        gradient = np.zeros_like(beta)
        for part, Z in self._scores(beta):
            R = np.exp(Z - logsumexp(Z, axis=1)[:, None])
            np.subtract.at(R, (np.arange(len(R)), self.y[part]), 1.0)
            gradient[:, 0] += R.sum(axis=0)
            gradient[:, 1:] += R.T @ self.X[part]
        gradient /= len(self.y)
        gradient[:, 1:] += self.strength * beta[:, 1:]
        return gradient
