"""Symmetric matrices that are full on some columns and diagonal on the many of one factor, as its levels share no row.

    H = [ A  B' ]      S = A - B' D^-1 B      W = D^-1 B      H^-1 = [ 0  0    ] + [  I ] S^-1 [ I  -W' ]
        [ B  D  ]                                                    [ 0  D^-1 ]   [ -W ]

`Arrow` is such a matrix, `Inverse` what is left when the wide factor is eliminated: k columns beside L levels take
k^2 L multiplications in the place of (k + L)^3, and k L numbers in the place of (k + L)^2.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .data import Array
from .data.coded import Layout
from .kernels.rows import padded

Places = NDArray[np.intp]

_WIDE = 500  # columns up to which a full matrix serves
_MOST_FEW = 3000  # columns that are left when the widest factor is eliminated, up to which they have a full matrix


@dataclass(frozen=True)
class Arrow:
    """A symmetric matrix (k + L, k + L).

    few, many : the places of its k full columns, and of the L that are diagonal among themselves
    A, B, D : (k, k), (L, k) and (L,), see the module
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
        found[self.few], found[self.many] = self.A.diagonal(), self.D
        return found

    def times(self, number: float) -> "Arrow":
        """A multiple."""
        return replace(self, A=self.A * number, B=self.B * number, D=self.D * number)

    def plus(self, diagonal: Array) -> "Arrow":
        """With more on its diagonal."""
        return replace(self, A=self.A + np.diag(diagonal[self.few]), D=self.D + diagonal[self.many])

    def dense(self) -> Array:
        """As an array."""
        found = np.zeros((len(self), len(self)))
        found[np.ix_(self.few, self.few)] = self.A
        found[np.ix_(self.many, self.few)] = self.B
        found[np.ix_(self.few, self.many)] = self.B.T
        found[self.many, self.many] = self.D
        return found

    def __matmul__(self, x: Array) -> Array:
        """Products with columns (k + L,) or (k + L, q)."""
        found, D = np.empty_like(x), self.D if x.ndim == 1 else self.D[:, None]
        found[self.few] = self.A @ x[self.few] + self.B.T @ x[self.many]
        found[self.many] = self.B @ x[self.few] + D * x[self.many]
        return found


def null_space(matrix: Arrow, least: float) -> Array:
    """Orthogonal directions (k + L, q), of columns of size 1, along which the matrix is at most `least`.

    Levels have rows, so that all such directions have a part among the few columns.
    """
    size = np.sqrt(np.maximum(matrix.diagonal(), np.finfo(float).tiny))
    W = matrix.B / np.maximum(matrix.D, np.finfo(float).tiny)[:, None]
    of_few = size[matrix.few]
    values, vectors = np.linalg.eigh((matrix.A - W.T @ matrix.B) / of_few / of_few[:, None])
    found = np.zeros((len(matrix), int(np.count_nonzero(values <= least))))
    found[matrix.few] = vectors[:, : found.shape[1]]
    found[matrix.many] = -(W * size[matrix.many, None] / of_few) @ found[matrix.few]
    return found


def is_wide(layout: Layout | None) -> bool:
    """Whether one factor has most of many columns, so that it is to be eliminated."""
    if layout is None or layout.n_columns <= _WIDE:
        return False
    return bool(layout.n_columns - layout.counts.max() <= _MOST_FEW)


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
    pairs = np.triu(table[:, q:])
    square[q:, q:] = pairs + np.triu(pairs, 1).T
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
        many[to],
        square[np.ix_(at, at)] * x[at] * x[at, None],
        border[np.ix_(to, at)] * x[at] * of_wide[to, None],
        squares[to] * of_wide[to] ** 2,
    )


def _ranges(layout: Layout) -> list[tuple[int, int]]:
    return list(zip(layout.starts[:-1].tolist(), layout.starts[1:].tolist(), strict=True))
