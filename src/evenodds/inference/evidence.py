"""What one read of the rows tells at the fitted coefficients: likelihood, score, information, the reach of rows."""

from dataclasses import dataclass

import numpy as np

from ..arrays import Array, Matrix
from ..arrow import Arrow
from ..data import Block, Sums
from ..objective import Objective
from ..objective.signed import SignedRows
from ..objective.softmax import Softmax, dense_design
from .problem import Problem
from .wide import wide_class_sums, wide_sums


@dataclass(frozen=True)
class Evidence:
    """Sums over the rows at theta, without any penalty.

    log_likelihood : sum of s_i log p(y_i)
    score : (q,) its gradient
    information : (q, q) sum of s_i p_i (1 - p_i) x_i x_i', its negative Hessian; by its parts where a factor is wide
    reach : the largest norm of a row of the design
    wrong : (2,) by class, the total weight of the probability that its rows give to the other class; NaN of
        more classes
    fractions : of how many rows the weight is no whole number
    """

    log_likelihood: float
    score: Array
    information: Array | Arrow
    reach: float
    wrong: Array
    fractions: int


def gather(problem: Problem) -> Evidence:
    """Read the rows once."""
    objective, theta = problem.objective, problem.theta
    if objective.classes.several and problem.wide:
        loss, score, products, wrong, longest, fractions = wide_class_sums(objective, theta)
        return Evidence(-loss, score, products, longest, wrong, fractions)
    if objective.classes.several:
        return _gather_classes(objective, theta)
    if problem.wide:
        loss, score, products, wrong, longest, fractions = wide_sums(objective, theta)
        return Evidence(-loss, score, products, longest, wrong, fractions)
    coordinates = objective.coordinates
    loss, score, information, wrong, reach, fractions = objective.over_tiles(
        lambda tile: _sums(SignedRows.of(tile, coordinates), theta, tile)
    )
    return Evidence(-loss, score, information, max(reach), wrong, fractions)


def _gather_classes(objective: Objective, theta: Array) -> Evidence:
    coordinates, classes = objective.coordinates, objective.classes
    scores = Softmax(coordinates, classes.table(theta), classes.baseline)

    def sums(block: Block) -> Sums:
        loss, gradient, hessian = scores.second_order(block)
        return loss, gradient, hessian, [_longest(dense_design(coordinates, block))], _fractions(block)

    loss, gradient, hessian, reach, fractions = objective.over_tiles(sums)
    return Evidence(-loss, -gradient.ravel(), hessian, max(reach), np.full(2, np.nan), fractions)


def _sums(rows: SignedRows, theta: Array, block: Block) -> Sums:
    """Of one tile; `reach` in a list, as lists are joined where numbers are added."""
    D = rows.D
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        loss, wrong, right = rows.losses(theta)
        weighted = wrong if rows.weight is None else rows.weight * wrong
        information = rows.weighted_product(weighted * right)
    wrong_by_class = np.bincount(block.y, weights=weighted, minlength=2)
    return loss, weighted @ D, information, wrong_by_class, [_longest(D)], _fractions(block)


def _fractions(block: Block) -> int:
    return 0 if block.weight is None else int(np.count_nonzero(block.weight % 1))


def _longest(D: Matrix) -> float:
    """The largest norm of a row."""
    squares = np.einsum("ij,ij->i", D, D) if isinstance(D, np.ndarray) else D.power(2).sum(axis=1)
    return float(np.sqrt(np.max(squares, initial=0.0)))
