"""Covariances of the estimated coefficients.

With A the information (of a penalised fit: plus the penalty's curvature) and u_i the score of row i, all have
the form A^-1 M A^-1, a sandwich.

    model    M = the information, so that without a penalty the covariance is its inverse
    HC0      M = sum u_i u_i' (White, Econometrica 48, 1980; Huber, 1967)
    HC1      HC0 times n / (n - k)
    HC2      u_i u_i' / (1 - h_i), h_i the leverage of the row
    HC3      u_i u_i' / (1 - h_i)^2 (MacKinnon and White, Journal of Econometrics 29, 1985); of more than two classes
             with a matrix in the place of 1 - h_i, see `FittedRows.enlarged`
    cluster  M = sum over clusters of U_g U_g', U_g the sum of its rows' scores, times G / (G - 1)
             (Liang and Zeger, Biometrika 73, 1986)

Sampling weights know no "model": what it gives for them is HC0 times n / (n - 1), each row a cluster.

A is a sum of products, in which columns that are alike but for 1e-7 are so but for 1e-14. Where it has lost digits, a
triangle R with R'R = A has them: that of the rows, by orthogonal steps.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from ..arrays import Array, Matrix, dense
from ..arrow import Arrow
from ..class_arrow import pairs
from ..data import Block, Sums
from ..data.groups import Groups, GroupSums
from ..data.memory import one_blas_thread
from ..exceptions import EvenOddsError
from ..objective.tiles import over_tiles
from .evidence import Evidence
from .factored import Factored, Triangle
from .problem import Problem
from .rows import FittedRows, sum_rows
from .wide import SINGULAR, TILE_ROWS, LowRank, WideInverse, weighted_products

_MOST_ENTRIES = 50_000_000
_POOR = 1e-3  # the least pivot of a triangle, of columns of length 1, from which the products have lost digits
_SINGULAR = 1e-12  # and from which rounding is all that it is

KINDS = ("model", "HC0", "HC1", "HC2", "HC3", "cluster")


@dataclass(frozen=True)
class Weighting:
    """What weights of rows mean for standard errors.

    kind : "frequency", "sampling" or "precision"
    n : the number of observations: the total weight for "frequency", else of rows
    """

    kind: str
    n: float

    @property
    def repeats(self) -> bool:
        """Whether a row of weight s stands for s independent rows."""
        return self.kind == "frequency"


class Inverse:
    """The inverse of the curvature A at the optimum (q, q), as a factor: A = R'R in columns of unit diagonal.

    half : (R^-1)', so that A^-1 = half' half
    """

    def __init__(self, R: Array, size: Array) -> None:
        """Of an upper triangle R, whose columns stand for as many that are `size` as long."""
        half = scipy.linalg.lapack.dtrtri(R.T, lower=1)[0] if len(R) else R  # of R itself it costs digits of sums
        self.half = np.tril(half) / size
        self.full = self.half.T @ self.half

    @classmethod
    def at(cls, problem: Problem, A: Array) -> "Inverse":
        """Of the curvature A of a problem, which is looked for in its rows where A has lost it."""
        if not np.isfinite(A).all():
            raise EvenOddsError(SINGULAR)
        R, size = _triangle_of(A)
        if R is None:
            S, objective = problem.objective.total_weight, problem.objective
            added = np.diag(np.sqrt(S * objective.pull)), np.sqrt(S) * problem.gauge.T
            R = Triangle.of(np.vstack([_triangle(problem), *added]) / size).R
            if not np.abs(R.diagonal()).min() > _SINGULAR:
                raise EvenOddsError(SINGULAR)
        return cls(R, size)

    def of(self, scores: Matrix) -> Array:
        """Scores (n, q), dense or CSR, times the inverse."""
        return np.asarray((scores @ self.half.T) @ self.half)


def inverse_of(problem: Problem, A: Array | Arrow) -> Inverse | WideInverse:
    """The inverse of the curvature of a problem, in whichever form it is."""
    with one_blas_thread:  # more are no faster, and round in another way
        return WideInverse(A) if isinstance(A, Arrow) else Inverse.at(problem, A)


def _triangle_of(A: Array) -> tuple[Array | None, Array]:
    """R with R'R = A in columns of unit diagonal, None where A has lost digits of it; and what they were as long as."""
    size = np.sqrt(np.maximum(np.diag(A), np.finfo(float).tiny))
    if len(A) == 0:  # nothing is left to estimate
        return A, size
    R, failed = scipy.linalg.lapack.dpotrf(A / size / size[:, None])
    return (None if failed or not R.diagonal().min() > _POOR else R), size


def _triangle(problem: Problem) -> Array:
    """R with R'R the information."""

    def of(rows: FittedRows) -> Sums:
        spread = np.sqrt(np.maximum(np.einsum("naa->na", rows.W), np.finfo(float).tiny))
        values, vectors = np.linalg.eigh(rows.W / spread[:, :, None] / spread[:, None, :])
        roots = spread[:, :, None] * vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        parts = [dense(rows.outer(rows.weighted(part, root=True))) for part in np.moveaxis(roots, 2, 0)]
        return (Triangle.of(np.vstack(parts)),)

    return np.asarray(sum_rows(problem, of)[0].R)


def covariance(
    problem: Problem,
    evidence: Evidence,
    inverse: Inverse | WideInverse,
    kind: str,
    by: Weighting,
    scores: Matrix = None,
) -> Factored | LowRank:
    """The covariance of theta (q, q).

    scores : those of clusters, see `cluster_scores`
    """
    if isinstance(inverse, WideInverse) or isinstance(evidence.information, Arrow):
        return _wide_covariance(problem, evidence, inverse, kind, by, scores)
    if problem.theta.size == 0:
        return Factored(inverse.half)
    if kind == "model" and by.kind != "sampling":
        if not problem.penalised:
            return Factored(inverse.half)
        R, size = _triangle_of(evidence.information)
        return Factored(inverse.of(_triangle(problem) if R is None else np.triu(R) * size))
    if kind == "cluster":
        return _of_clusters(inverse, scores)
    lost = {"HC1": problem.n_coef, "model": 1}.get(kind, 0)
    return _of_rows(problem, inverse, kind, by).times(by.n / (by.n - lost) if by.n > lost else np.nan)


def _wide_covariance(
    problem: Problem, evidence: Evidence, inverse: object, kind: str, by: Weighting, scores: object
) -> LowRank:
    """The same where a factor has most of the columns."""
    if not isinstance(inverse, WideInverse) or not isinstance(evidence.information, Arrow):
        raise AssertionError("a wide factor goes with the parts of the information and of its inverse")
    if kind == "model" and by.kind != "sampling":
        return inverse.sandwich(evidence.information) if problem.penalised else inverse.full
    if kind == "cluster":
        return _wide_clusters(inverse, scores)
    power, fitted = {"HC2": 1, "HC3": 2}.get(kind, 0), FittedRows.at(problem)

    def squares(block: Block) -> Array:
        def of(tile: Block) -> Sums:
            rows = fitted(tile)
            residual = rows.residual
            if power:
                residual = rows.enlarged(rows.spread(inverse), power, by.repeats)
            scores = rows.weighted(residual, root=by.repeats)
            return ([np.stack([scores[:, a] * scores[:, b] for a, b in pairs(scores.shape[1])], axis=1)],)

        return np.concatenate(over_tiles(block, of, TILE_ROWS)[0])

    lost = {"HC1": problem.n_coef, "model": 1}.get(kind, 0)
    V = inverse.sandwich(weighted_products(problem.objective, problem.n_free, squares))
    return V.times(by.n / (by.n - lost) if by.n > lost else np.nan)


def _wide_clusters(inverse: WideInverse, scores: Matrix) -> LowRank:
    count, q = scores.shape
    if count * q > _MOST_ENTRIES:
        raise EvenOddsError(
            f"A covariance of {count:,} clusters with {q:,} coefficients takes more memory than is used for it: take "
            'fewer columns, or cov="HC1".'
        )
    moves = inverse.of(scores)
    return LowRank(
        sp.csr_array((q, q)), np.ascontiguousarray(moves.T), _growth(count) * sp.eye_array(count, format="csr")
    )


def _of_rows(problem: Problem, inverse: Inverse, kind: str, by: Weighting) -> Factored:
    """The sandwich of rows, by the triangle of what each row adds."""
    power = {"HC2": 1, "HC3": 2}.get(kind, 0)

    def sums(rows: FittedRows) -> Sums:
        residual = rows.residual
        if power:
            residual = rows.enlarged(rows.spread(inverse), power, by.repeats)
        scores = rows.outer(rows.weighted(residual, root=by.repeats))
        return (Triangle.of(scores @ inverse.half.T),)

    return Factored(sum_rows(problem, sums)[0].R @ inverse.half)


def _of_clusters(inverse: Inverse, scores: Matrix) -> Factored:
    halfway = Triangle.of(dense(scores) @ inverse.half.T)
    return Factored(halfway.R @ inverse.half).times(_growth(scores.shape[0]))


def _growth(count: int) -> float:
    return count / (count - 1) if count > 1 else np.nan


def one_cluster(group: object) -> EvenOddsError:
    """The error of rows that are all in one cluster."""
    return EvenOddsError(
        f"All rows are in one cluster, {group!r}: a cluster-robust covariance needs two or more, and is trusted from "
        "about 40."
    )


def cluster_scores(problem: Problem, codes: NDArray[np.intp] | None) -> tuple[list[Any], Any]:
    """The clusters that have rows, and the sum of the scores of each, (count, q), dense or CSR. One read.

    codes : the number of the cluster of each row; None where blocks know their groups
    """

    every = range(0 if codes is None or not codes.size else int(codes.max()) + 1)

    def sums(rows: FittedRows) -> Sums:
        n_rows = len(rows.y)
        mine = rows.groups if codes is None else Groups(every, codes[rows.first : rows.first + n_rows])
        if mine is None:
            raise AssertionError("blocks that do not know their groups")
        present, place = np.unique(mine.codes, return_inverse=True)
        each, shape = np.arange(n_rows + 1), (present.size, n_rows)
        members = [sp.csc_array((residual, place, each), shape=shape) for residual in rows.weighted(rows.residual).T]
        parts = [member @ rows.D for member in members]
        scores = sp.hstack(parts, format="csr") if sp.issparse(parts[0]) else np.hstack(parts)
        return (GroupSums([([mine.values[k] for k in present.tolist()], scores)]),)

    ((values, scores),) = sum_rows(problem, sums)[0].together().parts
    return list(values), scores
