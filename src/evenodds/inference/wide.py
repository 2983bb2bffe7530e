"""Inference where one factor has most of many columns: what would be matrices of all columns, by their parts.

The inverse of the information is a diagonal, or blocks of the classes along it, and a matrix of low rank (see `arrow`),
and so is every sandwich of it, so that standard errors, tests of some coefficients and the certificate need no matrix
of all columns with all. Whoever needs one, such as `Inference.covariance`, takes it by `np.asarray`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg
from numpy.typing import NDArray

from ..arrays import CSR, Array, Matrix
from ..arrow import Arrow, by_level, has_most, inverse_levels
from ..class_arrow import class_arrow, pair_products, pairs
from ..coordinates import Coordinates
from ..data import Block, Sums
from ..data.coded import Coded
from ..design import Factor
from ..exceptions import EvenOddsError
from ..kernels.coded import coded_products
from ..objective import Objective
from ..objective.row_sums import coded_gradient, linear_predictor

if TYPE_CHECKING:
    from ..model import LogisticRegression
    from .problem import Problem

MANY = 1000  # restrictions that share coefficients, beyond which no matrix is made of them
TILE_ROWS = 8192  # of which a wide design has products with all that are few
_SINGULAR = 1e-6  # beside columns of length 1, what of one is left without those before it: rounding, squared, is less
_TINY = float(np.finfo(float).tiny)
SINGULAR = (
    "The information is singular at these coefficients, so there are no standard errors: the fit is far "
    "from an optimum, or its probabilities are all 0 or 1. Look at model.solution_.status. Of two classes "
    "LogisticRegression(firth=True) always has standard errors."
)


@dataclass(frozen=True)
class LowRank:
    """The symmetric matrix (q, q) with blocks along its diagonal and a matrix of low rank, U C U'.

    blocks : (q, q) CSR: of two classes diagonal, of more with a block for each level of the wide factor
    C : dense, or sparse where it is diagonal
    """

    blocks: Any
    U: Array
    C: Any

    __array_ufunc__ = None  # so that an array times this is asked of `__rmatmul__`

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix."""
        return (len(self.U), len(self.U))

    def __matmul__(self, x: Matrix) -> Array:
        return np.asarray(self.blocks @ x + self.U @ (self.C @ (self.U.T @ x)))

    def __rmatmul__(self, x: Matrix) -> Array:
        return np.asarray((self @ x.T).T)

    def __array__(self, dtype: np.dtype[Any] | None = None, copy: object = None) -> Array:
        found: Array = self.blocks.toarray() + (self.U @ self.C) @ self.U.T
        return found if dtype is None else found.astype(dtype)

    def reshape(self, *shape: int) -> Array:
        """As an array of another shape."""
        return np.asarray(self).reshape(*shape)

    def diagonal(self) -> Array:
        """Its diagonal."""
        return np.asarray(self.blocks.diagonal() + np.einsum("ij,ij->i", self.U @ self.C, self.U))

    def times(self, number: float) -> "LowRank":
        """A multiple."""
        return LowRank(self.blocks * number, self.U, self.C * number)

    def seen(self, rows: CSR) -> "LowRank":
        """R V R' of some rows R (r, q), CSR."""
        return LowRank(sp.csr_array(rows @ self.blocks @ rows.T), np.asarray(rows @ self.U), self.C)

    def variances(self, rows: Matrix) -> Array:
        """The diagonal of the same, of rows dense or CSR."""
        rows = sp.csr_array(rows)
        low = np.asarray(rows @ self.U)
        own = np.asarray((rows @ self.blocks).multiply(rows).sum(axis=1)).ravel()
        return np.asarray(np.maximum(own + np.einsum("ij,ij->i", low @ self.C, low), 0.0))

    def spread(self, D: CSR, n_free: int) -> Array:
        """(I (x) x') V (I (x) x) of each row x of D (n, k), CSR, with one level each: (n, F, F)."""
        F = n_free
        parts = [slice(a * D.shape[1], (a + 1) * D.shape[1]) for a in range(F)]
        lows, squares, found = [D @ self.U[part] for part in parts], D.power(2), np.empty((D.shape[0], F, F))
        for a, b in pairs(F):
            own = squares @ self.blocks[parts[a], parts[b]].diagonal()
            found[:, a, b] = found[:, b, a] = own + np.einsum("ij,ij->i", lows[a] @ self.C, lows[b])
        return found

    def largest(self) -> float:
        """No less than its largest eigenvalue, of a matrix without negative ones."""
        R = np.asarray(np.linalg.qr(self.U, mode="r"))
        low = np.linalg.eigvalsh(R @ self.C @ R.T)
        return float(np.asarray(abs(self.blocks).sum(axis=1)).max(initial=0.0) + low.max(initial=0.0))

    def distance(self, x: Array) -> float:
        """x' V^-1 x, NaN of a singular one; by the formula of Woodbury where the blocks have inverses."""
        own, size = self.blocks.diagonal(), np.sqrt(self.diagonal())
        if self.C.shape[0] + np.count_nonzero(own) < len(own) or not (size > 0).all():
            return np.nan
        if not (own > 0).all():
            factor, failed = scipy.linalg.lapack.dpotrf(np.asarray(self) / np.outer(size, size), lower=1)
            if failed or np.diag(factor).min() < _SINGULAR:
                return np.nan
            return float(np.square(scipy.linalg.solve_triangular(factor, x / size, lower=True)).sum())
        of_blocks = scipy.sparse.linalg.splu(sp.csc_array(self.blocks))
        near = of_blocks.solve(x)
        along, inner = self.U.T @ near, np.eye(len(self.C)) + self.C @ (self.U.T @ of_blocks.solve(self.U))
        return float(x @ near - along @ np.linalg.solve(inner, self.C @ along))


def level_blocks(many: NDArray[np.intp], D: Array, q: int) -> Any:
    """Blocks (L, F, F) at the places (L, F), as a CSR array (q, q)."""
    rows, columns = np.broadcast_arrays(many[:, :, None], many[:, None, :])
    return sp.csr_array((D.ravel(), (rows.ravel(), columns.ravel())), shape=(q, q))


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

    def __matmul__(self, x: object) -> Array:
        return np.asarray(self.entries @ x)

    def __rmatmul__(self, x: Matrix) -> Array:
        return np.asarray((self.entries.T @ x.T).T)

    def __getitem__(self, k: object) -> Array:
        if isinstance(k, int | np.integer):
            return np.asarray(self.entries[[int(k)]].toarray()[0])
        return np.asarray(self.entries[k].toarray())

    def __array__(self, dtype: np.dtype[Any] | None = None, copy: object = None) -> Array:
        found: Array = self.entries.toarray()
        return found if dtype is None else found.astype(dtype)

    def reshape(self, *shape: int) -> Array:
        """As an array of another shape."""
        return np.asarray(self).reshape(*shape)

    def estimated(self) -> NDArray[np.bool_]:
        """The rows that are not 0."""
        found: NDArray[np.bool_] = np.diff(self.entries.indptr) > 0
        return found


def in_matrices(model: "LogisticRegression") -> int:
    """How many coefficients of a model `infer` makes matrices of: without those of a factor that is eliminated."""
    slopes, K = int(model.coef_.shape[1]), int(model.classes_.size)
    design, most = getattr(model, "design_", None), 0
    if design is not None and not model.firth:
        blocks = [block for term in design.terms for block in term.blocks]
        factors = [[part for part in block if isinstance(design.atoms[part.atom], Factor)] for block in blocks]
        most = max((design.size_of(parts) for parts in factors if parts), default=0)
    return (slopes - most if has_most(slopes, most, K if K > 2 else 1) else slopes) * (K - 1)


def raw_map_of(coordinates: Coordinates, of_classes: Array) -> RawMap:
    """See `RawMap`. of_classes : (m, F) the coefficients of the classes that are listed from those that theta is of."""
    first, scale, columns = int(coordinates.intercept), coordinates.scale, coordinates.columns
    k, q = first + scale.size, first + columns.size
    rows, places, values = first + columns, first + np.arange(columns.size), 1 / scale[columns]
    if first:
        moved = -coordinates.center[columns] / scale[columns]
        far = np.flatnonzero(moved)
        rows = np.concatenate([rows, np.zeros(1 + far.size, np.intp)])
        places = np.concatenate([places, [0], first + far])
        values = np.concatenate([values, [1.0], moved[far]])
    one = sp.csr_array((values, (rows, places)), shape=(k, q))
    return RawMap(sp.csr_array(sp.kron(sp.csr_array(of_classes), one)))


def wide_term(problem: "Problem", V: LowRank, columns: NDArray[np.intp]) -> tuple[float, int]:
    """Wald's statistic of the hypothesis that all coefficients of a term are 0, and how many are estimated.

    It is NaN where their covariance is singular.
    """
    k, m = len(problem.names), len(problem.listed)
    columns = columns[problem.estimated[columns]]
    assert isinstance(problem.to_raw, RawMap)
    rows = problem.to_raw.entries[(k * np.arange(m)[:, None] + columns).ravel()]
    if m == problem.data.class_weights.size:  # without a baseline all classes together say nothing
        rows = rows[columns.size :] - sp.vstack([rows[: columns.size]] * (m - 1), format="csr")
    size = 1 / np.sqrt(V.variances(rows))
    rows = sp.csr_array(sp.diags_array(size) @ rows)
    return V.seen(rows).distance(rows @ problem.theta), rows.shape[0]


class WideInverse:
    """The inverse of an `Arrow`."""

    def __init__(self, A: Arrow) -> None:
        of_levels = inverse_levels(A.D, _TINY)
        W, many = by_level(of_levels, A.B), A.many.ravel()
        S = A.A - W.T @ A.B
        size = 1 / np.sqrt(np.maximum(np.diag(A.A), _TINY))
        factor, failed = scipy.linalg.lapack.dpotrf(S * np.outer(size, size), lower=1)
        if failed or not (np.isfinite(factor).all() and (A.diagonal() > 0).all()):
            raise EvenOddsError(SINGULAR)
        half = np.tril(scipy.linalg.lapack.dtrtri(factor, lower=1)[0]) * size
        U = np.zeros((len(A), A.few.size))
        U[A.few, np.arange(A.few.size)] = 1.0
        U[many] = -W
        self.full = LowRank(level_blocks(A.many, of_levels, len(A)), U, half.T @ half)

    def of(self, scores: Matrix) -> Array:
        """Scores (n, q), dense or CSR, times the inverse."""
        return np.asarray(np.asarray(scores @ self.full) if not sp.issparse(scores) else (self.full @ scores.T).T)

    def sandwich(self, M: Arrow) -> LowRank:
        """A^-1 M A^-1."""
        V, q = self.full, len(M)
        P = M @ V.U
        inner = V.C @ (V.U.T @ P) @ V.C
        middle = np.block([[inner, V.C], [V.C, np.zeros_like(V.C)]])
        own = V.blocks @ level_blocks(M.many, M.D, q) @ V.blocks
        return LowRank(sp.csr_array(own), np.hstack([V.U, V.blocks @ P]), middle)


def centred(problem: "Problem", rows: Coded) -> Coded:
    """Coded rows as a design gives them, less the centre of the rows of the fit, in the same memory."""
    return rows.less(problem.objective.coordinates.center[rows.layout.columns])


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
    information = class_arrow(objective.data.layout, coordinates, 1, made)
    return loss, coordinates.gradient(total, by_coef), information, by_class, max(reach), fractions


def wide_class_sums(objective: Objective, theta: Array) -> tuple[float, Array, Arrow, Array, float, int]:
    """The same of more than two classes, of which `wrong` is not known."""
    row_loss, coordinates, n_free = objective.row_loss(theta), objective.coordinates, objective.n_free

    def sums(block: Block) -> Sums:
        fractions = 0 if block.weight is None else int(np.count_nonzero(block.weight % 1))
        return *row_loss.coded(block), [_longest(block.rows, coordinates)], fractions

    loss, _, total, by_coef, *made, reach, fractions = objective.reduce(sums)
    information = class_arrow(objective.data.layout, coordinates, n_free, made)
    return loss, -row_loss.gradient(total, by_coef), information, np.full(2, np.nan), max(reach), fractions


def weighted_products(objective: Objective, n_free: int, weights: Callable[[Block], Array]) -> Arrow:
    """The products of the columns of each two classes, weighted by a function of a block: (n, pairs) numbers."""

    def sums(block: Block) -> Sums:
        return pair_products(block.rows, weights(block).T)

    return class_arrow(objective.data.layout, objective.coordinates, n_free, objective.reduce(sums))


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
