"""Symmetric matrices that are full on some columns and in blocks on those of one factor: its levels share no row.

    H = [ A  B' ]      S = A - B' D^-1 B      W = D^-1 B      H^-1 = [ 0  0    ] + [  I ] S^-1 [ I  -W' ]
        [ B  D  ]                                                    [ 0  D^-1 ]   [ -W ]

`Arrow` is such a matrix: k columns beside L levels take k^2 L multiplications in the place of (k + L)^3, and k L
numbers in the place of (k + L)^2. D has a block for each level: a number, or of more than two classes a matrix of the
F that have coefficients, and k then counts the columns of all classes.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from .arrays import Array
from .data.coded import Layout
from .kernels.rows import padded

Places = NDArray[np.intp]

WIDE = 500  # columns up to which a full matrix serves
_SINGULAR = 1e-14  # an eigenvalue of a block whose diagonal is 1, below which it is rounding
_CLEAR = 1e3  # times what is rounding in an eigenvalue, beyond which an estimate of it will do
_MOST_FEW = 3000  # columns that are left when the widest factor is eliminated, up to which they have a full matrix


@dataclass(frozen=True)
class Arrow:
    """A symmetric matrix (k + L F, k + L F).

    few, many : the places of its k full columns, and (L, F) of those of each level
    A, B, D : (k, k), (L F, k) and (L, F, F), see the module
    """

    few: Places
    many: Places
    A: Array
    B: Array
    D: Array

    def __len__(self) -> int:
        return self.few.size + self.many.size

    def diagonal(self) -> Array:
        """Its diagonal."""
        found = np.empty(len(self))
        found[self.few], found[self.many] = self.A.diagonal(), np.einsum("laa->la", self.D)
        return found

    def times(self, number: float) -> "Arrow":
        """A multiple."""
        return replace(self, A=self.A * number, B=self.B * number, D=self.D * number)

    def plus(self, diagonal: Array) -> "Arrow":
        """With more on its diagonal."""
        D = self.D.copy()
        np.einsum("laa->la", D)[:] += diagonal[self.many]
        return replace(self, A=self.A + np.diag(diagonal[self.few]), D=D)

    def plus_shared(self, curvature: float) -> "Arrow":
        """With some curvature where the coefficients of a column are alike in all classes."""
        F = self.many.shape[1]
        alike = np.full((F, F), curvature / F)
        return replace(self, A=self.A + np.kron(alike, np.eye(self.few.size // F)), D=self.D + alike)

    def anchored(self) -> "Arrow":
        """With usual curvature there: of each column that of its coefficients, in the mean over the classes."""
        F, A, D = self.many.shape[1], self.A.copy(), self.D.copy()
        anchor(np.einsum("ajbj->jab", A.reshape(F, -1, F, len(A) // F)))
        anchor(D)
        return replace(self, A=A, D=D)

    def dense(self) -> Array:
        """As an array."""
        found, many = np.zeros((len(self), len(self))), self.many.ravel()
        found[np.ix_(self.few, self.few)] = self.A
        found[np.ix_(many, self.few)] = self.B
        found[np.ix_(self.few, many)] = self.B.T
        found[self.many[:, :, None], self.many[:, None, :]] = self.D
        return found

    def __matmul__(self, x: Array) -> Array:
        """Products with columns (k + L F,) or (k + L F, q)."""
        found, many = np.empty_like(x), self.many.ravel()
        found[self.few] = self.A @ x[self.few] + self.B.T @ x[many]
        found[many] = self.B @ x[self.few] + by_level(self.D, x[many])
        return found


def anchor(blocks: Array) -> None:
    """Give these blocks (k, F, F) of a Hessian, each of a column, usual curvature along what all classes share."""
    blocks += (np.einsum("kaa->k", blocks) / blocks.shape[1] ** 2)[:, None, None]


def by_level(D: Array, x: Array) -> Array:
    """The product of blocks (L, F, F) with columns (L F,) or (L F, q)."""
    if D.shape[1] == 1:
        return np.asarray((D[:, 0, 0] if x.ndim == 1 else D[:, 0]) * x)
    return np.asarray((D @ x.reshape(*D.shape[:2], x.size // max(len(x), 1))).reshape(x.shape))


def inverse_levels(D: Array, least: float) -> Array:
    """The inverses of blocks (L, F, F), of which no diagonal is taken for less than `least`.

    Of blocks that are singular in floating point, what keeps them finite is added.
    """
    if D.shape[1] == 1:
        return np.asarray(1 / np.maximum(D, least))
    size = 1 / np.sqrt(np.maximum(np.einsum("laa->la", D), least))
    size = size[:, :, None] * size[:, None, :]
    values, vectors = np.linalg.eigh(D * size)
    return np.asarray((vectors / np.maximum(values, _SINGULAR)[:, None, :]) @ vectors.transpose(0, 2, 1) * size)


def null_space(matrix: Arrow, least: float) -> Array:
    """Orthogonal directions (k + L, q), of columns of size 1, along which the matrix is at most `least`.

    Levels have rows, so that all such directions have a part among the few columns.
    """
    size = np.sqrt(np.maximum(matrix.diagonal(), np.finfo(float).tiny))
    W = by_level(inverse_levels(matrix.D, float(np.finfo(float).tiny)), matrix.B)
    of_few = size[matrix.few]
    rest = (matrix.A - W.T @ matrix.B) / of_few / of_few[:, None]
    if _is_clear(rest, least):  # at a part of the cost
        return np.zeros((len(matrix), 0))
    values, vectors = np.linalg.eigh(rest)
    found = np.zeros((len(matrix), int(np.count_nonzero(values <= least))))
    found[matrix.few] = vectors[:, : found.shape[1]]
    many = matrix.many.ravel()
    found[many] = -(W * size[many, None] / of_few) @ found[matrix.few]
    return found


def _is_clear(matrix: Array, least: float) -> bool:
    """Whether the least eigenvalue is certainly above that: by the estimate of its condition from a Cholesky factor."""
    factor, failed = scipy.linalg.lapack.dpotrf(matrix, lower=1)
    if failed or not len(matrix):
        return False
    size = float(np.abs(matrix).sum(axis=0).max())
    return float(scipy.linalg.lapack.dpocon(factor, size, uplo="L")[0]) * size > _CLEAR * least


def is_large(layout: Layout | None) -> bool:
    """Whether factors are codes and columns more than a full matrix serves."""
    return layout is not None and layout.n_columns > WIDE


def is_wide(layout: Layout | None, n_free: int = 1) -> bool:
    """Whether one factor has most of many columns, so that it is to be eliminated.

    n_free : the classes that have coefficients
    """
    return layout is not None and has_most(layout.n_columns, int(layout.counts.max(initial=0)), n_free)


def has_most(n_columns: int, widest: int, n_free: int) -> bool:
    """`is_wide` by numbers. widest : how many columns the factor with the most has"""
    return n_columns > WIDE and n_free * (n_columns - widest) <= _MOST_FEW


def products(
    layout: Layout, columns: Places, inverse: Array, intercept: bool, sums: tuple[Array, Array, Array, Array]
) -> Arrow:
    """The products of some columns, after one of ones if there is an intercept, from those of `coded_products`.

    inverse : (p,) what each column is multiplied by
    """
    numbers, table, border, squares = sums
    d, wide, p = layout.columns.size, layout.wide, layout.n_columns
    q = padded(d + 1)
    square = np.zeros((q + len(table), q + len(table)))
    square[:q, :q] = np.triu(numbers) + np.triu(numbers, 1).T
    square[q:, :q] = table[:, :q]
    square[:q, q:] = table[:, :q].T
    upper = np.triu(table[:, q:])
    square[q:, q:] = upper + np.triu(upper, 1).T
    places = [layout.places[a:b] for f, (a, b) in enumerate(_ranges(layout)) if f != wide]
    column = np.concatenate([[-1], layout.columns, np.full(q - d - 1, p), *places])  # -1: of ones
    position = np.full(p + 2, -1)  # of each column in theta; of none it is -1
    position[columns] = np.arange(columns.size) + int(intercept)
    position[-1] = 0 if intercept else -1
    few, many = position[column], position[layout.places[slice(*_ranges(layout)[wide])]]
    scale = np.append(inverse, [0.0, 1.0])
    x, of_wide = scale[column], scale[layout.places[slice(*_ranges(layout)[wide])]]
    at, to = np.flatnonzero(few >= 0), np.flatnonzero(many >= 0)
    return Arrow(
        few[at],
        many[to][:, None],
        square[np.ix_(at, at)] * x[at] * x[at, None],
        border[np.ix_(to, at)] * x[at] * of_wide[to, None],
        (squares[to] * of_wide[to] ** 2)[:, None, None],
    )


def _ranges(layout: Layout) -> list[tuple[int, int]]:
    return list(zip(layout.starts[:-1].tolist(), layout.starts[1:].tolist(), strict=True))
