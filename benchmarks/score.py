"""The judge: one evaluator of the objective for everybody, and the optimum it measures from.

    J(b, w) = mean(log(1 + exp(z)) - y z) + sum_j ridge_j w_j^2 / 2,     z = b + X w,     ridge = 1 / (C n)

Losses of rows are float64, their sum is extended precision: what rounding is left is far below 1e-13 of J.
The optimum comes from a plain Newton method that shares no code with any solver in the contest, and goes down
if a contestant finds a lower point.

Firth's penalised likelihood is judged by J less the log determinant of Fisher's information over 2n.

Fits on raw columns are judged in the coordinates of the standardised twin, x_raw = scale x + mean, where z is
the same function.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import LinearOperator, cg
from scipy.special import expit

from benchmarks.problems import Array

CHUNK = 20_000  # rows whose temporaries fit in cache


def value(
    X: Any, y: Array, C: float, intercept: Any, coef: Any, weights: Array | None = None, l1_ratio: float = 0.0
) -> float:
    """J of two classes or more with the penalty that C and the ratio mean, at a model's coefficients."""
    b, W = np.ravel(intercept), np.atleast_2d(coef)
    Z = np.asarray(X @ W.T) + b
    Z = np.column_stack([np.zeros(len(Z)), Z]) if Z.shape[1] == 1 else Z
    top = Z.max(axis=1)
    losses = np.log(np.exp(Z - top[:, None]).sum(axis=1)) + top - Z[np.arange(len(y)), y]
    total = len(y) if weights is None else weights.sum()
    penalty = l1_ratio * np.abs(W).sum() + (1 - l1_ratio) / 2 * (W**2).sum()
    return float((losses.sum() if weights is None else weights @ losses) / total + penalty / (C * total))


class Judge:
    """J and its minimum for one data set and one ridge per column."""

    def __init__(self, X: Any, y: Array, ridge: Array, start: Array | None = None) -> None:
        self.X, self.y, self.ridge = X, y, ridge
        beta = np.zeros(X.shape[1] + 1) if start is None else start
        self.optimum = self.loss(self._minimise(beta))

    def loss(self, beta: Array) -> float:
        """J at beta = (intercept, coefficients)."""
        if not np.isfinite(beta).all():
            return float("inf")
        total = np.longdouble(0)
        for start in range(0, len(self.y), CHUNK):
            z = self.X[start : start + CHUNK] @ beta[1:] + beta[0]
            rows = np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0) - self.y[start : start + CHUNK] * z
            total += rows.sum(dtype=np.longdouble)
        penalty = (self.ridge * beta[1:] ** 2).sum(dtype=np.longdouble) / 2
        return float(total / len(self.y) + penalty)

    def suboptimality(self, loss: float) -> float:
        """How far above the best known point, relative to it; the evaluator's own rounding reads as 0."""
        self.optimum = min(self.optimum, loss)
        return (loss - self.optimum) / abs(self.optimum)

    def _minimise(self, beta: Array) -> Array:
        """Newton with step halving, until the decrement is below the rounding of J."""
        newton_step = self._conjugate_step if sparse.issparse(self.X) else self._exact_step
        loss = self.loss(beta)
        for _ in range(100):
            gradient, weights = self._gradient(beta)
            step = newton_step(gradient, weights)
            decrement = -gradient @ step
            if not decrement > 1e-16 * loss:
                break
            size = 1.0
            while (candidate := self.loss(beta + size * step)) > loss + 1e-15 and size > 1e-6:
                size /= 2
            beta, loss = beta + size * step, candidate
        return beta

    def _gradient(self, beta: Array) -> tuple[Array, Array]:
        p = expit(self.X @ beta[1:] + beta[0])
        residual = (p - self.y) / len(self.y)
        gradient = np.append(residual.sum(), self.X.T @ residual + self.ridge * beta[1:])
        return gradient, p * (1 - p) / len(self.y)

    def _exact_step(self, gradient: Array, weights: Array) -> Array:
        return -linalg.cho_solve(linalg.cho_factor(self._hessian(weights)), gradient)

    def _hessian(self, weights: Array) -> Array:
        hessian = np.diag(np.append(0.0, self.ridge))
        for start in range(0, len(weights), CHUNK):
            block, s = self.X[start : start + CHUNK], weights[start : start + CHUNK]
            cross = s @ block
            hessian[1:, 1:] += (block * s[:, None]).T @ block
            hessian[0, 1:] += cross
            hessian[1:, 0] += cross
            hessian[0, 0] += s.sum()
        return hessian

    def _conjugate_step(self, gradient: Array, weights: Array) -> Array:
        """The same step where the Hessian is too wide to write down."""
        X, transposed = self.X, self.X.T.tocsr()

        def hessian(v: Array) -> Array:
            u = weights * (X @ v[1:] + v[0])
            return np.append(u.sum(), transposed @ u + self.ridge * v[1:])

        diagonal = np.append(weights.sum(), transposed.power(2) @ weights + self.ridge)
        shape = (len(gradient),) * 2
        operator = LinearOperator(shape, matvec=hessian)
        jacobi = LinearOperator(shape, matvec=lambda v: v / diagonal)
        accuracy = min(0.05, np.sqrt(np.linalg.norm(gradient)))
        step, _ = cg(operator, -gradient, rtol=accuracy, maxiter=1000, M=jacobi)
        return step


class FirthJudge(Judge):
    """J with Firth's penalty: steps in the metric of Fisher's information, leverages by a QR factorisation."""

    def loss(self, beta: Array) -> float:
        _, weights = super()._gradient(beta)
        with np.errstate(divide="ignore"):
            sign, log_det = np.linalg.slogdet(len(weights) * self._hessian(weights))
        return float(super().loss(beta) - log_det / (2 * len(weights))) if sign > 0 else float("inf")

    def _gradient(self, beta: Array) -> tuple[Array, Array]:
        gradient, weights = super()._gradient(beta)
        design = np.column_stack([np.ones(len(weights)), self.X])
        Q, _ = np.linalg.qr(design * np.sqrt(weights)[:, None])
        pull = (Q * Q).sum(axis=1) * (expit(design @ beta) - 0.5) / len(weights)
        return gradient + pull @ design, weights
