"""Covariances of the estimated coefficients.

With A the information (of a penalised fit: plus the penalty's curvature) and u_i the score of row i, all have
the form A^-1 M A^-1, a sandwich.

    model    M = the information, so that without a penalty the covariance is its inverse
    HC0      M = sum u_i u_i' (White, Econometrica 48, 1980; Huber, 1967)
    HC1      HC0 times n / (n - k)
    HC2      u_i u_i' / (1 - h_i), h_i the leverage of the row
    HC3      u_i u_i' / (1 - h_i)^2 (MacKinnon and White, Journal of Econometrics 29, 1985)
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
from scipy.special import expit

from ..data import Array, Block, Sums
from ..exceptions import EvenOddsError
from ..objective import SignedRows, over_tiles
from .evidence import Evidence
from .problem import Problem

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
            raise EvenOddsError(
                "The information is singular at these coefficients, so there are no standard errors: the fit is far "
                "from an optimum, or its probabilities are all 0 or 1. Look at model.solution_.status; "
                "LogisticRegression(firth=True) always has standard errors."
            )
        half, _ = scipy.linalg.lapack.dtrtri(factor, lower=1)
        self.half = np.tril(half) * size  # L^-1, so that A^-1 = half' half
        self.full = self.half.T @ self.half


def covariance(
    problem: Problem, evidence: Evidence, inverse: Inverse, kind: str, groups: NDArray[np.intp] | None, by: Weighting
) -> Array:
    """The covariance of theta (q, q)."""
    if problem.theta.size == 0:
        return inverse.full
    if kind == "model" and by.kind != "sampling":
        if not problem.penalised:
            return inverse.full
        meat = evidence.information
    elif kind == "cluster":
        if groups is None:
            raise AssertionError("clusters need groups")
        meat = _cluster_meat(problem, groups)
    else:
        lost = {"HC1": problem.theta.size, "model": 1}.get(kind, 0)
        meat = _row_meat(problem, inverse, kind, by) * (by.n / (by.n - lost) if by.n > lost else np.nan)
    return np.asarray(inverse.full @ meat @ inverse.full)


def row_scores(rows: SignedRows, theta: Array) -> tuple[Array, Array]:
    """Of each row: -residual in the direction of its class, so that its score is this times D's row; p (1 - p)."""
    v = rows.D @ theta
    if rows.offset is not None:
        v = v + rows.offset
    wrong = expit(-v)
    return wrong, wrong * expit(v)


def squared_norms(D: Any, inverse: Inverse) -> Array:
    """x_i' A^-1 x_i of each row of a design."""
    spread = np.asarray(D @ inverse.half.T)
    return np.asarray(np.einsum("ij,ij->i", spread, spread))


def _row_meat(problem: Problem, inverse: Inverse, kind: str, by: Weighting) -> Array:
    coordinates, theta = problem.objective.coordinates, problem.theta
    power = {"HC2": 1, "HC3": 2}.get(kind, 0)

    def sums(block: Block) -> Sums:
        rows = SignedRows.of(block, coordinates)
        wrong, curvature = row_scores(rows, theta)
        weight = 1.0 if rows.weight is None else rows.weight
        square = (weight if by.repeats else np.square(weight)) * np.square(wrong)
        if power:
            leverage = curvature * squared_norms(rows.D, inverse) * (1.0 if by.repeats else weight)
            square = square / np.maximum(1 - leverage, 1e-15) ** power
        return (rows.weighted_product(square),)

    (meat,) = problem.objective.reduce(lambda block: over_tiles(block, sums))
    return np.asarray(meat)


def _cluster_meat(problem: Problem, groups: NDArray[np.intp]) -> Array:
    """Blocks in order, as the groups are known by the numbers of the rows."""
    coordinates, theta = problem.objective.coordinates, problem.theta
    count = int(groups.max()) + 1
    total = np.zeros((count, theta.size))
    start = 0
    for block in problem.data.blocks():
        for first in range(0, block.n_rows, 1 << 14):
            tile = block.take(slice(first, first + (1 << 14)))
            rows = SignedRows.of(tile, coordinates)
            wrong, _ = row_scores(rows, theta)
            weighted = wrong if rows.weight is None else rows.weight * wrong
            mine = groups[start : start + tile.n_rows]
            member = sp.csr_array((weighted, (mine, np.arange(mine.size))), shape=(count, mine.size))
            scores = member @ rows.D
            total += scores.toarray() if sp.issparse(scores) else scores
            start += tile.n_rows
    return total.T @ total * (count / (count - 1) if count > 1 else np.nan)
