"""Inference where one factor has most of many columns: what would be matrices of all columns, by their parts.

The inverse of the information is a diagonal and a matrix of low rank (see `arrow`), and so is every sandwich of it, so
that standard errors, tests of some coefficients and the certificate need no matrix of all columns with all. Whoever
needs one, such as `Inference.covariance`, takes it by `np.asarray`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from ..arrow import Arrow, products
from ..coordinates import Coordinates
from ..data import Array, Block, Sums
from ..data.coded import Coded
from ..exceptions import EvenOddsError
from ..kernels.coded import coded_products
from ..objective import Objective
from ..objective.row_sums import coded_gradient, linear_predictor

MANY = 1000  # coefficients of a term, beyond which no matrix is made of them
TILE_ROWS = 8192  # of which a wide design has products with all that are few
_TINY = float(np.finfo(float).tiny)
SINGULAR = (
    "The information is singular at these coefficients, so there are no standard errors: the fit is far "
    "from an optimum, or its probabilities are all 0 or 1. Look at model.solution_.status. Of two classes "
    "LogisticRegression(firth=True) always has standard errors."
)


@dataclass(frozen=True)
class LowRank:
    """The symmetric matrix (q, q) with a diagonal and a matrix of low rank, U C U'."""

    diagonal_part: Array
    U: Array
    C: Array

    __array_ufunc__ = None  # so that an array times this is asked of `__rmatmul__`

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix."""
        return (self.diagonal_part.size, self.diagonal_part.size)

    def __matmul__(self, x: Any) -> Array:
        D = self.diagonal_part if x.ndim == 1 else self.diagonal_part[:, None]
        return np.asarray(D * x + self.U @ (self.C @ (self.U.T @ x)))

    def __rmatmul__(self, x: Any) -> Array:
        return np.asarray((self @ x.T).T)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        found: Array = np.diag(self.diagonal_part) + (self.U @ self.C) @ self.U.T
        return found if dtype is None else found.astype(dtype)

    def reshape(self, *shape: int) -> Array:
        """As an array of another shape."""
        return np.asarray(self).reshape(*shape)

    def diagonal(self) -> Array:
        """Its diagonal."""
        return np.asarray(self.diagonal_part + np.einsum("ij,ij->i", self.U @ self.C, self.U))

    def times(self, number: float) -> "LowRank":
        """A multiple."""
        return LowRank(self.diagonal_part * number, self.U, self.C * number)

    def largest(self) -> float:
        """No less than its largest eigenvalue, of a matrix without negative ones."""
        low = np.linalg.eigvals(self.C @ (self.U.T @ self.U)).real
        return float(self.diagonal_part.max(initial=0.0) + low.max(initial=0.0))


@dataclass(frozen=True)
class RawMap:
    """The matrix that takes theta to the intercept and the coefficients of the raw columns, without its zeros.

    entries : (k, q) CSR
    """

    entries: Any

    __array_ufunc__ = None

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix."""
        rows, columns = self.entries.shape
        return (int(rows), int(columns))

    def __len__(self) -> int:
        return self.shape[0]

    def __matmul__(self, x: Any) -> Array:
        return np.asarray(self.entries @ x)

    def __rmatmul__(self, x: Any) -> Array:
        return np.asarray((self.entries.T @ x.T).T)

    def __getitem__(self, k: Any) -> Array:
        if isinstance(k, int | np.integer):
            return np.asarray(self.entries[[int(k)]].toarray()[0])
        return np.asarray(self.entries[k].toarray())

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        found: Array = self.entries.toarray()
        return found if dtype is None else found.astype(dtype)

    def reshape(self, *shape: int) -> Array:
        """As an array of another shape."""
        return np.asarray(self).reshape(*shape)

    def estimated(self) -> NDArray[np.bool_]:
        """The rows that are not 0."""
        found: NDArray[np.bool_] = np.diff(self.entries.indptr) > 0
        return found

    def variances(self, V: LowRank) -> Array:
        """The diagonal of the covariance of the raw coefficients."""
        rows = self.entries
        low = rows @ V.U
        found = rows.power(2) @ V.diagonal_part + np.einsum("ij,ij->i", low @ V.C, low)
        return np.asarray(np.maximum(found, 0.0))


def raw_map_of(coordinates: Coordinates) -> RawMap:
    """See `RawMap`."""
    first, scale, columns = int(coordinates.intercept), coordinates.scale, coordinates.columns
    k, q = first + scale.size, first + columns.size
    rows, places, values = first + columns, first + np.arange(columns.size), 1 / scale[columns]
    if first:
        moved = -coordinates.center[columns] / scale[columns]
        far = np.flatnonzero(moved)
        rows = np.concatenate([rows, np.zeros(1 + far.size, np.intp)])
        places = np.concatenate([places, [0], first + far])
        values = np.concatenate([values, [1.0], moved[far]])
    return RawMap(sp.csr_array((values, (rows, places)), shape=(k, q)))


def wide_term(problem: Any, V: LowRank, columns: NDArray[np.intp]) -> tuple[float, int]:
    """Wald's statistic of the hypothesis that all coefficients of a term are 0, and how many are estimated.

    The covariance of many levels is inverted as a diagonal and a matrix of low rank (Woodbury).
    """
    columns, entries = columns[problem.estimated[columns]], problem.to_raw.entries
    at = entries.indices[entries.indptr[columns]]  # of a slope there is one entry; its size is of no account
    theta, U, D = problem.theta[at], V.U[at], V.diagonal_part[at]
    if not (D > 0).all():
        return float(theta @ np.linalg.solve(np.diag(D) + U @ V.C @ U.T, theta)), at.size
    along = U.T @ (theta / D)
    inner = np.eye(len(V.C)) + V.C @ (U.T @ (U / D[:, None]))
    return float(theta @ (theta / D) - along @ np.linalg.solve(inner, V.C @ along)), at.size


class WideInverse:
    """The inverse of an `Arrow`."""

    def __init__(self, A: Arrow) -> None:
        self._arrow = A
        W = A.B / np.maximum(A.D, _TINY)[:, None]
        S = A.A - W.T @ A.B
        size = 1 / np.sqrt(np.maximum(np.diag(A.A), _TINY))
        factor, failed = scipy.linalg.lapack.dpotrf(S * np.outer(size, size), lower=1)
        if failed or not (np.isfinite(factor).all() and (A.D > 0).all()):
            raise EvenOddsError(SINGULAR)
        half = np.tril(scipy.linalg.lapack.dtrtri(factor, lower=1)[0]) * size
        U, inverse = np.zeros((len(A), A.few.size)), np.zeros(len(A))
        U[A.few, np.arange(A.few.size)] = 1.0
        U[A.many], inverse[A.many] = -W, 1 / A.D
        self.full = LowRank(inverse, U, half.T @ half)

    def of(self, scores: Any) -> Array:
        """Scores (n, q), dense or CSR, times the inverse."""
        return np.asarray(np.asarray(scores @ self.full) if not sp.issparse(scores) else (self.full @ scores.T).T)

    def leverages(self, D: Any) -> Array:
        """x' A^-1 x of each row of D (n, q), CSR."""
        full = self.full
        low = D @ full.U
        return np.asarray(D.power(2) @ full.diagonal_part + np.einsum("ij,ij->i", low @ full.C, low))

    def sandwich(self, M: Arrow) -> LowRank:
        """A^-1 M A^-1."""
        full = self.full
        U, C, D = full.U, full.C, full.diagonal_part
        P = M @ U
        inner = C @ (U.T @ P) @ C
        middle = np.block([[inner, C], [C, np.zeros_like(C)]])
        own = np.zeros_like(D)
        own[M.many] = M.D * D[M.many] ** 2
        return LowRank(own, np.hstack([U, D[:, None] * P]), middle)


def wide_sums(objective: Objective, theta: Array) -> tuple[float, Array, Arrow, Array, float, int]:
    """The loss, its score, the information, `wrong`, `reach` and `fractions` of `Evidence`, from one read."""
    coordinates = objective.coordinates

    def sums(block: Block) -> Sums:
        loss, wrong, right = _losses(block, coordinates, theta)
        h = wrong * right if block.weight is None else block.weight * wrong * right
        pull = wrong if block.weight is None else block.weight * wrong
        signed = coded_gradient(block.rows, np.where(block.y > 0, pull, -pull))
        fractions = 0 if block.weight is None else int(np.count_nonzero(block.weight % 1))
        by_class = np.bincount(block.y, weights=pull, minlength=2)
        longest = [_longest(block.rows, coordinates)]
        return loss, *signed, by_class, longest, fractions, *coded_products(block.rows, h, block.rows.layout.wide)

    loss, total, by_coef, by_class, reach, fractions, *made = objective.reduce(sums)
    score = coordinates.gradient(total, by_coef)
    return loss, score, _arrow(objective, made), by_class, max(reach), fractions


def weighted_products(objective: Any, weights: Callable[[Block], Array]) -> Arrow:
    """The products of the columns, weighted by a function of a block that gives a number for each row."""

    def sums(block: Block) -> Sums:
        return coded_products(block.rows, weights(block), block.rows.layout.wide)

    return _arrow(objective, objective.reduce(sums))


def _arrow(objective: Objective, made: Any) -> Arrow:
    layout, at = objective.data.layout, objective.coordinates
    if layout is None:
        raise AssertionError("only coded rows have a wide factor")
    return products(layout, at.columns, at.inverse, at.intercept, tuple(made))


def _losses(block: Block, coordinates: Coordinates, theta: Array) -> tuple[float, Array, Array]:
    """The loss, and each row's probability of the other class and of its own."""
    z = linear_predictor(block, coordinates, theta)
    z = z if block.offset is None else z + block.offset
    v = np.where(block.y > 0, z, -z)
    with np.errstate(over="ignore", under="ignore"):
        t = np.exp(-np.abs(v))
        losses = np.log1p(t) - np.minimum(v, 0.0)
        larger = 1 / (1 + t)
    loss = float(losses.sum() if block.weight is None else block.weight @ losses)
    return loss, np.where(v < 0, larger, t * larger), np.where(v < 0, t * larger, larger)


def _longest(rows: Coded, coordinates: Coordinates) -> float:
    """The largest norm of a row of the design."""
    layout, squares = rows.layout, coordinates.inverse**2
    found = np.square(rows.numbers) @ squares[layout.columns] + float(coordinates.intercept)
    for f, (first, count) in enumerate(zip(layout.firsts, layout.counts, strict=True)):
        own, entry = np.append(squares[first : first + count], 0.0)[rows.codes[f]], rows.entry(f)
        found = found + (own if entry is None else own * entry**2)
    return float(np.sqrt(found.max(initial=0.0)))
