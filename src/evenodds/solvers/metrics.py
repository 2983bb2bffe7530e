"""Metrics for the smooth loop: cheap, and close to the Hessian of J in theta.

`Cholesky` factors a Hessian, exact or of a sample of the rows; it serves where the columns are few.
`head_and_diagonal` serves wide data: the columns of most curvature, which are the frequent ones of a sparse
X, are treated together, the others one by one.
"""

from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from ..data import Array, Block
from ..objective import Objective, curvature, curvature_sums
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
        if not np.isfinite(scaled).all():
            scaled = np.eye(len(H))
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
    """A matrix that is full on the columns `head` and diagonal on the others, which are seen from their means.

    means : (k,) or None; with an intercept, the change to centred columns makes it stand alone
    """

    def __init__(self, head: Any, H: Array, diagonal: Array, means: Array | None, total: float) -> None:
        self._head, self._block = head, Cholesky(H)
        self._inverse, self._means, self._total = 1 / diagonal, means, total

    def solve(self, g: Array) -> Array:
        """P^-1 g."""
        slopes = g if self._means is None else g[1:] - self._means * g[0]
        step = slopes * self._inverse
        step[self._head] = self._block.solve(slopes[self._head])
        if self._means is None:
            return step
        return np.concatenate([[g[0] / self._total - self._means @ step], step])


def head_and_diagonal(objective: Objective, theta: Array, sample: Block, n_head: int = 200) -> Metric:
    """The Hessian of the `n_head` columns of most curvature on `sample`, and the exact diagonal of the others.

    Columns of a sparse X are not centred, and a row holds many of them: together they would look like
    the intercept, and a diagonal would miss that. The metric therefore works on columns less their
    means, weighted by the curvature of the rows, which makes the intercept independent of all of them.
    One read of the data.
    """
    coordinates = objective.coordinates
    intercept, coef = coordinates.split(theta)
    center, columns = coordinates.center, coordinates.columns
    total, first, second = objective.reduce(lambda block: curvature_sums(block, intercept, coef, center))
    total = max(float(total), 1e-300)
    means = first[columns] / total if coordinates.intercept else np.zeros(columns.size)
    variance = np.maximum(second[columns] / total - means**2, 1e-12 * second[columns] / total)
    scale = coordinates.scale[columns]
    diagonal = total / objective.total_weight * variance / scale**2 + objective.ridge
    n_head = min(n_head, diagonal.size)
    head = np.sort(np.argpartition(diagonal, diagonal.size - n_head)[diagonal.size - n_head :])
    H = _head_hessian(objective, theta, sample, head, means[head], diagonal[head])
    # A column without entries has no curvature: whatever stands here is multiplied by a zero gradient.
    diagonal = np.where(diagonal > 0, diagonal, 1.0)
    scaled_means = means / scale if coordinates.intercept else None
    return HeadAndDiagonal(head, H, diagonal, scaled_means, total / objective.total_weight)


def _head_hessian(objective: Objective, theta: Array, sample: Block, head: Any, means: Array, diagonal: Array) -> Array:
    """The sampled Hessian of the columns `head` less `means`, scaled to the exact `diagonal`."""
    coordinates = objective.coordinates
    intercept, coef = coordinates.split(theta)
    columns = coordinates.columns[head]
    if sp.issparse(sample.X):
        h = curvature(sample, sample.X @ coef + intercept)
        D = _dense_columns(sample.X, columns)
    else:
        X = sample.X - coordinates.center
        h = curvature(sample, X @ coef + intercept)
        D = X[:, columns]
    D -= means
    D /= coordinates.scale[columns]
    D *= np.sqrt(h / objective.total_weight)[:, None]
    H = D.T @ D
    sampled = np.diag(H) + objective.ridge[head]
    np.einsum("ii->i", H)[:] = sampled
    ratio = np.sqrt(np.divide(diagonal, sampled, out=np.ones_like(sampled), where=sampled > 0))
    H *= np.outer(ratio, ratio)
    return H


def _dense_columns(X: Any, columns: Any) -> Array:
    """Some columns of a CSR array as a dense one; faster than fancy indexing when X is wide."""
    position = np.full(X.shape[1], -1)
    position[columns] = np.arange(len(columns))
    at = position[X.indices]
    wanted = at >= 0
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))[wanted]
    found = sp.coo_array((X.data[wanted], (rows, at[wanted])), shape=(X.shape[0], len(columns)))
    return np.asarray(found.toarray(), dtype=np.float64)
