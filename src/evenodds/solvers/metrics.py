"""Metrics for the smooth loop: cheap, and close to the Hessian of J in theta.

`Cholesky` factors a Hessian, exact or of a sample of the rows; it serves where the columns are few.
`head_and_diagonal` serves wide data: the columns of most curvature, which are the frequent ones of a sparse
X, are treated together, the others one by one.
"""

from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from ..data import Array, Block, Sums
from ..objective import Objective, curvature_sums
from . import Metric


class Cholesky:
    """A symmetric positive definite matrix, factored after scaling to a unit diagonal.

    What is not positive definite in floating point is made so by the least ridge, in steps of a hundred,
    on the scaled matrix.
    """

    def __init__(self, H: Array) -> None:
        diagonal = np.diag(H)
        least = 1e-300 + 1e-30 * float(diagonal.max(initial=0.0))
        self._size = 1 / np.sqrt(np.maximum(diagonal, least))
        scaled = H * self._size
        scaled *= self._size[:, None]
        factor, failed = scipy.linalg.lapack.dpotrf(scaled, lower=1)
        ridge = 1e-14
        while failed:
            factor, failed = scipy.linalg.lapack.dpotrf(scaled + ridge * np.eye(len(H)), lower=1)
            ridge *= 100
        self._factor = factor

    def solve(self, g: Array) -> Array:
        """H^-1 g."""
        half, _ = scipy.linalg.lapack.dpotrs(self._factor, g * self._size, lower=1)
        return np.asarray(half) * self._size


class HeadAndDiagonal:
    """A matrix that is full on the first coordinates of `order` and diagonal on the rest."""

    def __init__(self, head: Any, H: Array, diagonal: Array) -> None:
        self._head, self._inverse = head, 1 / diagonal
        self._block = Cholesky(H)

    def solve(self, g: Array) -> Array:
        """P^-1 g."""
        result = g * self._inverse
        result[self._head] = self._block.solve(g[self._head])
        return result


def head_and_diagonal(objective: Objective, theta: Array, sample: Block, n_head: int = 200) -> Metric:
    """The Hessian of the intercept and the `n_head` columns of most curvature, on `sample`; the exact diagonal of all.

    One read of the data.
    """
    coordinates = objective.coordinates
    first = int(coordinates.intercept)
    by_column, total = _diagonal(objective, theta)
    curvature = by_column[coordinates.columns] / coordinates.scale[coordinates.columns] ** 2
    diagonal = curvature / objective.total_weight + objective.ridge
    n_head = min(n_head, diagonal.size)
    head = np.sort(np.argpartition(diagonal, diagonal.size - n_head)[diagonal.size - n_head :])
    H = _head_hessian(objective, theta, sample, head, diagonal[head])
    # A column without entries has no curvature: whatever stands here is multiplied by a zero gradient.
    diagonal = np.where(diagonal > 0, diagonal, 1.0)
    if first:
        diagonal = np.concatenate([[max(total / objective.total_weight, 1e-300)], diagonal])
        head = np.concatenate([[0], head + 1])
    return HeadAndDiagonal(head, H, diagonal)


def _diagonal(objective: Objective, theta: Array) -> tuple[Array, float]:
    """The diagonal of X'hX in the (centred) columns (p,), and sum(h)."""
    intercept, coef = objective.coordinates.split(theta)
    center = objective.coordinates.center
    if objective.data.sparse and objective.compiled:
        diagonal, total = objective.reduce(lambda block: curvature_sums(block, intercept, coef))
        return diagonal, float(total)

    def sums(block: Block) -> Sums:
        X = block.X if sp.issparse(block.X) else block.X - center
        h = _curvature(block, X @ coef + intercept)
        return h @ (X.multiply(X) if sp.issparse(X) else X * X), h.sum()

    diagonal, total = objective.reduce(sums)
    return diagonal, float(total)


def _head_hessian(objective: Objective, theta: Array, sample: Block, head: Any, diagonal: Array) -> Array:
    """The sampled Hessian of the intercept and the columns `head`, rescaled to the exact `diagonal`."""
    coordinates = objective.coordinates
    first = int(coordinates.intercept)
    intercept, coef = coordinates.split(theta)
    columns = coordinates.columns[head]
    if sp.issparse(sample.X):
        h = _curvature(sample, sample.X @ coef + intercept)
        D = _dense_columns(sample.X, columns)
    else:
        X = sample.X - coordinates.center
        h = _curvature(sample, X @ coef + intercept)
        D = X[:, columns]
    D = D / coordinates.scale[columns]
    D = np.column_stack([np.ones(len(h)), D]) if first else D
    D *= np.sqrt(h / objective.total_weight)[:, None]
    H = D.T @ D
    ridge = objective.ridge[head]
    sampled = np.diag(H)[first:] + ridge
    ratio = np.sqrt(np.divide(diagonal, sampled, out=np.ones_like(sampled), where=sampled > 0))
    H[np.arange(first, len(H)), np.arange(first, len(H))] = sampled
    H[first:, first:] *= np.outer(ratio, ratio)
    if first:
        H[0, 1:] *= ratio
        H[1:, 0] *= ratio
    return H


def _dense_columns(X: Any, columns: Any) -> Array:
    """Some columns of a CSR array as a dense one; faster than fancy indexing when X is wide."""
    position = np.full(X.shape[1], -1)
    position[columns] = np.arange(len(columns))
    at = position[X.indices]
    wanted = at >= 0
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))[wanted]
    return np.asarray(
        sp.coo_array((X.data[wanted], (rows, at[wanted])), shape=(X.shape[0], len(columns))).toarray(),
        np.float64,
    )


def _curvature(block: Block, z: Array) -> Array:
    """s p (1 - p) of each row, from the scores without the offset."""
    if block.offset is not None:
        z = z + block.offset
    t = np.exp(-np.abs(z))
    h = t / (1.0 + t) ** 2
    return h if block.weight is None else h * block.weight
