"""A covariance by its factor: V = F'F.

Columns that are alike but for 1e-7 have coefficients whose variances are 1e14 times that of their sum. The product has
no digits for the sum; the factor has them, and no variance of it can come out negative.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, Matrix
from .wide import LowRank

_SINGULAR = 3e-8  # of standard errors: less of one beside the others is rounding, or what a fit leaves of its gradient


@dataclass(frozen=True)
class Triangle:
    """R with R'R = A'A for rows A; two of them add up to that of the rows of both."""

    R: Array

    @classmethod
    def of(cls, A: Array) -> "Triangle":
        """By orthogonal steps."""
        return cls(np.asarray(np.linalg.qr(A, mode="r")))

    def __add__(self, more: "Triangle") -> "Triangle":
        return Triangle.of(np.vstack([self.R, more.R]))


@dataclass(frozen=True)
class Factored:
    """The covariance F'F of theta (q, q).

    factor : F (m, q)
    """

    factor: Array

    def times(self, number: float) -> "Factored":
        """A multiple."""
        return Factored(self.factor * np.sqrt(number))

    def seen(self, rows: Matrix) -> "Factored":
        """R V R' of some rows R (r, q), dense or CSR."""
        return Factored(np.asarray(rows @ self.factor.T).T)

    def __array__(self, dtype: np.dtype[Any] | None = None, copy: object = None) -> Array:
        found: Array = self.factor.T @ self.factor
        return found if dtype is None else found.astype(dtype)

    def variances(self, rows: Matrix) -> Array:
        """The diagonal of R V R'."""
        return np.asarray(np.square(rows @ self.factor.T).sum(axis=1))

    def spread(self, D: Array, n_free: int) -> Array:
        """(I (x) x') V (I (x) x) of each row x of D (n, k): (n, F, F)."""
        parts = np.stack([D @ part.T for part in np.split(self.factor, n_free, axis=1)], axis=1)
        return np.asarray(parts @ parts.transpose(0, 2, 1))


def distance(V: Factored | LowRank, rows: Array, x: Array) -> float:
    """x' (R V R')^-1 x for some rows R (r, q) and x (r,); NaN of a singular covariance."""
    if isinstance(V, LowRank):
        seen = rows @ V @ rows.T
        size = np.sqrt(np.diag(seen))
        if not (size > 0).all() or np.linalg.matrix_rank(seen / np.outer(size, size), hermitian=True) < len(x):
            return np.nan
        return float(x / size @ np.linalg.solve(seen / np.outer(size, size), x / size))
    factor = V.seen(rows).factor
    size = np.linalg.norm(factor, axis=0)
    if not (size > 0).all():
        return np.nan
    left, spread, _ = np.linalg.svd((factor / size).T, full_matrices=False)
    if len(spread) < len(x) or not spread[-1] > _SINGULAR * spread[0]:
        return np.nan
    return float(np.square(left.T @ (x / size) / spread).sum())
