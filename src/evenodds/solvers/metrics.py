"""Metrics for the smooth loop: cheap, and close to the Hessian of J in theta.

`Cholesky` factors a Hessian, exact or of a sample of the rows; it serves where the columns are few.
`head_and_diagonal` serves wide data: the columns of most curvature, which are the frequent ones of a sparse
X, are treated together, the others one by one. They are seen less their means, weighted by the curvature of the rows,
so that the intercept stands alone (`Centred`). Few rows with many columns have metrics of their own, in `by_rows`.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.linalg import blas, lapack

from ..arrays import CSR, Array, Numbers
from ..data import Block
from ..kernels.algebra import cholesky, dot, solve
from ..objective import Objective
from ..objective.row_sums import curvature
from . import Metric

_ROUNDING = 2e-15  # of an entry of the diagonal, what is left of it by the columns before
_OWN = 512  # columns up to which our own factorisation takes no longer than LAPACK's


class Cholesky:
    """A symmetric positive definite matrix, factored, after scaling to a unit diagonal where that is uneven.

    What is not positive definite in floating point is made so by the least ridge, in steps of a hundred,
    on the scaled matrix. A matrix in single precision is factored in it, which takes half the time. Up to `_OWN`
    columns the factor has the same bits on every machine, beyond that it is LAPACK's.
    """

    def __init__(self, H: Array) -> None:
        self._single = H.dtype == np.float32
        self._own = not self._single and len(H) <= _OWN
        diagonal = H.diagonal()
        self._size: Any = 1.0
        largest = float(diagonal.max(initial=0.0))
        if not diagonal.min(initial=largest) > 1e-4 * largest:
            self._size = 1 / np.sqrt(np.maximum(diagonal, 1e-300 + 1e-30 * largest))
            H = H * self._size * self._size[:, None]
            largest = 1.0
        factor = self._factored(H)
        if factor is not None and (np.square(factor.diagonal()) <= _ROUNDING * H.diagonal()).any():
            factor = None  # such a pivot is rounding: whether it came out positive is chance
        self._exact = None if factor is None else H
        ridge = 1e-6 if self._single else 1e-14
        while factor is None and ridge < 1e6:
            factor = self._factored(H + ridge * largest * np.eye(len(H), dtype=H.dtype))
            ridge *= 100
        if factor is None:  # not finite: any step will do, as the line search looks after it
            factor = self._factored(np.eye(len(H), dtype=H.dtype))
        self._factor: Any = factor

    def _factored(self, H: Array) -> Array | None:
        if self._own:
            return cholesky(H)
        factor, failed = (lapack.spotrf if self._single else lapack.dpotrf)(H, lower=1)
        return None if failed else factor

    @property
    def _lower(self) -> Array:
        """L of the scaled matrix, with anything above its diagonal."""
        return np.asarray(self._factor[:, : len(self._factor)].T if self._own else self._factor)

    def least(self) -> float:
        """About the least eigenvalue, and hardly more, as a share of the largest entry of the diagonal; 0 with a ridge.

        By the estimate of the inverse's largest sum of a row (Higham, ACM Trans. Math. Softw. 14, 1988).
        """
        if self._exact is None:
            return 0.0
        size = np.abs(self._exact).sum(axis=0).max()
        condition = lapack.spocon if self._single else lapack.dpocon
        return float(condition(self._lower, size, uplo="L")[0] * size / self._exact.diagonal().max())

    def root(self) -> Array:
        """L, lower triangular, with L L' = H and what was added to it."""
        return np.asarray(np.tril(self._lower), np.float64) / np.reshape(self._size, (-1, 1))

    def solve(self, g: Array) -> Array:
        """H^-1 g."""
        if self._own:
            return np.asarray(solve(self._factor, g * self._size) * self._size)
        unit = float(np.abs(g).max()) or 1.0  # a gradient can be below what single precision knows
        solved = blas.strsv if self._single else blas.dtrsv  # a fifth of the time of LAPACK's for many right sides
        half = solved(self._factor, g / unit * self._size, lower=1)
        return np.asarray(solved(self._factor, half, lower=1, trans=1) * self._size, np.float64) * unit


class Diagonal:
    """A diagonal matrix."""

    def __init__(self, diagonal: Array) -> None:
        self._inverse = 1 / diagonal

    def solve(self, g: Array) -> Array:
        """P^-1 g."""
        return g * self._inverse


def even_odds(objective: Objective) -> Metric:
    """The diagonal of the Hessian where all rows have the odds of the classes, of centred columns of unit size."""
    negative, positive = objective.data.class_weights / objective.total_weight
    return Diagonal(float(negative * positive) + objective.pull)


class Centred:
    """A metric of the columns less their means, with an intercept that then stands alone.

    means : (k,); total : the intercept's curvature
    """

    def __init__(self, slopes: Metric, means: Array, total: float) -> None:
        self._slopes, self._means, self._total = slopes, means, total

    def solve(self, g: Array) -> Array:
        """P^-1 g."""
        step = self._slopes.solve(g[1:] - self._means * g[0])
        return np.concatenate([[g[0] / self._total - dot(self._means, step)], step])


class HeadAndDiagonal:
    """A matrix that is full on the columns `head` and diagonal on the others."""

    def __init__(self, head: Numbers, H: Array, diagonal: Array) -> None:
        self._head, self._block, self._inverse = head, Cholesky(H), 1 / diagonal

    def solve(self, g: Array) -> Array:
        """P^-1 g."""
        step = g * self._inverse
        step[self._head] = self._block.solve(g[self._head])
        return step


_HEAD = 64  # multiplications of a Hessian for each entry of X


def head_and_diagonal(objective: Objective, theta: Array, sample: Block, n_head: int = 200) -> Metric:
    """The Hessian of the `n_head` columns of most curvature on `sample`, and the exact diagonal of the others.

    A row of sparse data holds many columns, which together look like the intercept: a diagonal would miss that
    if they were not seen from their means. One read of the data.
    """
    coordinates = objective.coordinates
    columns = coordinates.columns
    total, first, second = objective.column_curvature(theta)
    total = max(float(total), least_total(objective))
    means = first[columns] / total if coordinates.intercept else np.zeros(columns.size)
    variance = np.maximum(second[columns] / total - means**2, 1e-12 * second[columns] / total)
    scale = coordinates.scale[columns]
    diagonal = total / objective.total_weight * variance / scale**2 + objective.ridge
    worth = int(np.sqrt(_HEAD * objective.data.size / sample.n_rows))  # the head costs about two reads
    n_head = min(worth, n_head, diagonal.size)
    head = np.sort(np.argpartition(diagonal, diagonal.size - n_head)[diagonal.size - n_head :])
    H = _head_hessian(objective, theta, sample, head, means[head], diagonal[head])
    # A column without entries has no curvature: whatever stands here is multiplied by a zero gradient.
    diagonal = np.where(diagonal > 0, diagonal, 1.0)
    metric = HeadAndDiagonal(head, H, diagonal)
    return Centred(metric, means / scale, total / objective.total_weight) if coordinates.intercept else metric


def least_total(objective: Objective) -> float:
    """What keeps the intercept's curvature from vanishing where theta happens to classify every row with certainty."""
    negative, positive = objective.data.class_weights / objective.total_weight
    return 1e-9 * objective.total_weight * float(negative * positive)


def _head_hessian(
    objective: Objective, theta: Array, sample: Block, head: Numbers, means: Array, diagonal: Array
) -> Array:
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


def _dense_columns(X: CSR, columns: Numbers) -> Array:
    """Some columns of a CSR array as a dense one; faster than fancy indexing when X is wide."""
    position = np.full(X.shape[1], -1)
    position[columns] = np.arange(len(columns))
    at = position[X.indices]
    wanted = at >= 0
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))[wanted]
    found = sp.coo_array((X.data[wanted], (rows, at[wanted])), shape=(X.shape[0], len(columns)))
    return np.asarray(found.toarray(), dtype=np.float64)
