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
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from ..arrow import Arrow
from ..class_arrow import pairs
from ..data import Array, Block, Sums
from ..data.memory import one_blas_thread
from ..exceptions import EvenOddsError
from ..objective.tiles import over_tiles
from .evidence import Evidence
from .problem import Problem
from .rows import FittedRows, sum_rows
from .wide import SINGULAR, TILE_ROWS, LowRank, WideInverse, weighted_products

_MOST_ENTRIES = 50_000_000

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
    """The inverse of the curvature A at the optimum (q, q), as a factor: A = L L' in columns of unit diagonal."""

    def __init__(self, A: Array) -> None:
        if len(A) == 0:  # nothing is left to estimate
            self.half = self.full = A
            return
        size = 1 / np.sqrt(np.maximum(np.diag(A), np.finfo(float).tiny))
        factor, failed = scipy.linalg.lapack.dpotrf(A * np.outer(size, size), lower=1)
        if failed or not np.isfinite(factor).all():
            raise EvenOddsError(SINGULAR)
        half, _ = scipy.linalg.lapack.dtrtri(factor, lower=1)
        self.half = np.tril(half) * size  # L^-1, so that A^-1 = half' half
        self.full = self.half.T @ self.half

    def of(self, scores: Any) -> Array:
        """Scores (n, q), dense or CSR, times the inverse."""
        return np.asarray((scores @ self.half.T) @ self.half)


def inverse_of(A: Any) -> Inverse | WideInverse:
    """The inverse of a curvature, in whichever form it is."""
    if not isinstance(A, Arrow):
        return Inverse(A)
    with one_blas_thread:  # more are no faster, and round in another way
        return WideInverse(A)


def covariance(
    problem: Problem,
    evidence: Evidence,
    inverse: Inverse | WideInverse,
    kind: str,
    groups: NDArray[np.intp] | None,
    by: Weighting,
) -> Array | LowRank:
    """The covariance of theta (q, q)."""
    if isinstance(inverse, WideInverse) or isinstance(evidence.information, Arrow):
        with one_blas_thread:
            return _wide_covariance(problem, evidence, inverse, kind, groups, by)
    if problem.theta.size == 0:
        return inverse.full
    if kind == "model" and by.kind != "sampling":
        if not problem.penalised:
            return inverse.full
        return np.asarray(inverse.full @ evidence.information @ inverse.full)
    if kind == "cluster":
        if groups is None:
            raise AssertionError("clusters need groups")
        return _of_clusters(problem, inverse, groups)
    lost = {"HC1": problem.n_coef, "model": 1}.get(kind, 0)
    return _of_rows(problem, inverse, kind, by) * (by.n / (by.n - lost) if by.n > lost else np.nan)


def _wide_covariance(
    problem: Problem, evidence: Evidence, inverse: object, kind: str, groups: NDArray[np.intp] | None, by: Weighting
) -> LowRank:
    """The same where a factor has most of the columns."""
    if not isinstance(inverse, WideInverse) or not isinstance(evidence.information, Arrow):
        raise AssertionError("a wide factor goes with the parts of the information and of its inverse")
    if kind == "model" and by.kind != "sampling":
        return inverse.sandwich(evidence.information) if problem.penalised else inverse.full
    if kind == "cluster":
        if groups is None:
            raise AssertionError("clusters need groups")
        return _wide_clusters(problem, inverse, groups)
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


def _wide_clusters(problem: Problem, inverse: WideInverse, groups: NDArray[np.intp]) -> LowRank:
    count, q = int(groups.max()) + 1, problem.theta.size
    if count * q > _MOST_ENTRIES:
        raise EvenOddsError(
            f"A covariance of {count:,} clusters with {q:,} coefficients takes more memory than is used for it: take "
            'fewer columns, or cov="HC1".'
        )

    def sums(rows: FittedRows) -> Sums:
        mine = groups[rows.first : rows.first + len(rows.y)]
        each, shape = np.arange(mine.size + 1), (count, mine.size)
        members = [sp.csc_array((residual, mine, each), shape=shape) for residual in rows.weighted(rows.residual).T]
        return (sp.hstack([member @ rows.D for member in members], format="csr"),)

    moves = inverse.of(sum_rows(problem, sums)[0])
    scale = count / (count - 1) if count > 1 else np.nan
    return LowRank(sp.csr_array((q, q)), np.ascontiguousarray(moves.T), scale * sp.eye_array(count, format="csr"))


def _of_rows(problem: Problem, inverse: Inverse, kind: str, by: Weighting) -> Array:
    """The sandwich of rows, as a sum of squares of what each row adds: no variance can come out negative."""
    power = {"HC2": 1, "HC3": 2}.get(kind, 0)

    def sums(rows: FittedRows) -> Sums:
        residual = rows.residual
        if power:
            residual = rows.enlarged(rows.spread(inverse), power, by.repeats)
        scores = rows.outer(rows.weighted(residual, root=by.repeats))
        moves = inverse.of(scores)
        return (moves.T @ moves,)

    return np.asarray(sum_rows(problem, sums)[0])


def _of_clusters(problem: Problem, inverse: Inverse, groups: NDArray[np.intp]) -> Array:
    """The same of clusters, which are known by the numbers of the rows."""
    count = int(groups.max()) + 1

    def sums(rows: FittedRows) -> Sums:
        mine = groups[rows.first : rows.first + len(rows.y)]
        present = np.bincount(mine, minlength=count) > 0
        place, each = (np.cumsum(present) - 1)[mine], np.arange(mine.size + 1)
        shape = (int(present.sum()), mine.size)
        members = [sp.csc_array((residual, place, each), shape=shape) for residual in rows.weighted(rows.residual).T]
        parts = [member @ rows.D for member in members]
        scores = np.hstack([part.toarray() if sp.issparse(part) else part for part in parts])
        return ([(np.flatnonzero(present), scores)],)

    total = np.zeros((count, problem.theta.size))
    for known, scores in sum_rows(problem, sums)[0]:
        total[known] += scores
    moves = inverse.of(total)
    return np.asarray(moves.T @ moves * (count / (count - 1) if count > 1 else np.nan))
