"""The limit of the maximum-likelihood estimate where the classes are separated.

Along a separating direction the likelihood rises for ever: the strictly separated rows are predicted with certainty in
the limit, and drop out. What is left is the likelihood of the other rows, on which the classes overlap. It has a
maximum, unique in the coefficients that are not infinite (Albert and Anderson, Biometrika 71, 1984; Geyer, Electronic
Journal of Statistics 3, 2009).

Of more than two classes it is pairs that are separated: a row may be certain not to be of some class, and open between
the others. In the limit each row chooses among the classes that are left to it. The changes of theta that move no row
between these classes are the span of the separating directions: coefficients that do not change along them stay
finite, and they only are estimated.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..coordinates import Coordinates, choose_coordinates
from ..data import Block, Data
from ..data.views import some_rows
from ..exceptions import EvenOddsError
from ..objective import Objective, RowLoss
from ..separation.recession import Recession, separation_of
from ..separation.sides import sides_of
from ..solvers import cooling, costs, regimes
from ..solvers.eliminated import eliminates
from ..solvers.running import Goal
from .evidence import Evidence, gather
from .problem import Problem, raw_map
from .profile import constrained_maximum
from .wide import raw_map_of

NEVER = 1000.0  # taken off a score, it leaves a probability of exactly 0


@dataclass(frozen=True)
class Limit:
    """Where the finite coefficients are estimated.

    recession : what separates the classes; `infinite` of the coefficients: inf or -inf, NaN where the sign is not
        determined, 0 for finite ones (m k,)
    rows : the numbers, in the problem's data, of the rows that are left
    problem, evidence : on those rows
    """

    recession: Recession
    rows: NDArray[np.intp]
    problem: Problem
    evidence: Evidence


def limit_of(problem: Problem) -> Limit | None:
    """The limit, or None if the classes overlap."""
    if problem.objective.classes.several:
        return _limit_of_classes(problem)
    signed = sides_of(problem.objective, problem.objective.coordinates, bounded=False)
    found = separation_of(signed, guess=problem.theta)
    if found.kind == "overlap":
        return None
    rows = np.flatnonzero(~found.separated)
    rest = None if found.kind == "complete" else some_rows(problem.data, rows)
    if rest is None or not rest.size:
        return _complete(problem, found, rows)
    optimum = _optimum(problem, rest)
    return Limit(found, rows, optimum, gather(optimum))


def _limit_of_classes(problem: Problem) -> Limit | None:
    """The limit of more than two classes: an offset takes from each row the classes that it is certainly not of."""
    sides = sides_of(problem.objective, problem.objective.coordinates, bounded=False)
    found = separation_of(sides, np.asarray(problem.to_raw))
    if found.kind == "overlap":
        return None
    problem = problem.in_full()  # what separates pairs of classes has no parts by level
    data, n_classes = problem.data, problem.data.class_weights.size
    apart = found.separated.reshape(data.n_rows, n_classes - 1)
    rows = np.flatnonzero(~apart.all(axis=1))
    if rows.size == 0:
        return _complete(problem, found, rows)

    def solve(T: float, phi: Array) -> Array:
        return constrained_maximum(without(problem.at(T * phi), apart, found.null, T)).theta

    start = without(problem, apart, found.null)
    try:
        found_at = constrained_maximum(start)
    except EvenOddsError:  # rows are far from even odds there, and have no curvature
        cool = cooling.cooled(start.theta, _reach(problem.objective, start.theta, apart), solve)
        start = without(problem.at(cool), apart, found.null)
        found_at = constrained_maximum(start)
    optimum = start.at(found_at.theta + found_at.inverse.full @ found_at.score)
    return Limit(found, rows, optimum, gather(optimum))


def _reach(objective: Objective, theta: Array, apart: NDArray[np.bool_]) -> float:
    """How far scores are from that of the own class, of the classes that are left to a row."""
    scores, furthest = objective.row_loss(theta), 0.0
    for block in objective.data.blocks():
        Z = scores.scores(block)
        Z = np.column_stack([np.zeros(len(Z)), Z])
        own = block.y[:, None] == np.arange(Z.shape[1])
        behind = (Z - Z[own][:, None])[~own].reshape(block.n_rows, -1)
        left = ~apart[block.first : block.first + block.n_rows]
        furthest = max(furthest, float(np.abs(behind[left]).max(initial=0.0)))
    return furthest


def without(problem: Problem, separated: NDArray[np.bool_], gauge: Array, temperature: float = 1.0) -> Problem:
    """The problem without what is certain: some rows, or of more than two classes rows and a class other than theirs.

    gauge : the changes of theta that are zero on all that is left
    temperature : see `solvers.cooling`; theta is divided by it too
    """
    data, old = problem.data, problem.objective
    apart = separated.reshape(data.n_rows, -1)
    rows = np.flatnonzero(~apart.all(axis=1))
    theta = (problem.theta - gauge @ (gauge.T @ problem.theta)) / temperature  # near the optimum, whatever the offsets
    if old.classes.several:
        scores = old.row_loss(theta)
        rest = some_rows(data, rows, lambda block: _without_classes(apart[rows], scores, block.at(temperature)))
    else:
        rest = some_rows(data, rows)
    q, left = problem.theta.size, replace(old, data=rest)
    return replace(problem, data=rest, objective=left, theta=theta, gauge=gauge, n_coef=q - gauge.shape[1])


def _without_classes(apart: NDArray[np.bool_], scores: RowLoss, block: Block) -> Block:
    """Rows whose offsets make them certain not to be of the classes that they are apart from (n, K - 1).

    scores : of the theta that the limit is looked for from; along near twins they can be far beyond `NEVER`
    """
    apart = apart[block.first : block.first + block.n_rows]
    classes = np.arange(apart.shape[1])
    others = classes + (classes >= block.y[:, None])
    offset = np.zeros((block.n_rows, classes.size + 1)) if block.offset is None else block.offset.copy()
    far = NEVER + 2 * np.abs(scores.scores(block)).max(axis=1)
    each, pair = np.nonzero(apart)
    offset[each, others[each, pair]] -= far[each]
    return replace(block, offset=offset)


def _complete(problem: Problem, found: Recession, rows: NDArray[np.intp]) -> Limit:
    """All rows are certain: the same problem with no coefficient."""
    old, names = problem.objective.coordinates, problem.keys
    coordinates = Coordinates(old.center, old.scale, np.empty(0, dtype=np.intp), False)
    objective = replace(problem.objective, coordinates=coordinates, ridge=np.empty(0))
    nothing = replace(
        problem,
        objective=objective,
        theta=np.empty(0),
        to_raw=np.zeros((len(names), 0)),
        gauge=np.zeros((0, 0)),
        n_coef=0,
    )
    wrong = np.full(2, np.nan) if problem.several else np.zeros(2)
    evidence = Evidence(0.0, np.zeros(0), np.zeros((0, 0)), 0.0, wrong, 0)
    return Limit(found, rows, nothing, evidence)


def _optimum(problem: Problem, data: Data) -> Problem:
    """Maximum likelihood on some of the rows."""
    left = afresh(problem, data)
    if not left.theta.size:  # of the columns some may have nothing but zeros left
        return left
    solve = regimes.newton if costs.choose(left.objective) == "newton" else regimes.quasi_newton
    sample = data.sample(costs.sample_rows(data), 0)
    return left.at(solve(left.objective, left.theta, sample, Goal(1e-6, max_iter=100)).theta)


def afresh(problem: Problem, data: Data) -> Problem:
    """The problem on some of the rows, of two classes, at 0, with the columns that these know."""
    sample = data.sample(costs.sample_rows(data), 0)
    intercept = problem.objective.coordinates.intercept
    coordinates = choose_coordinates(data, sample, intercept=intercept, standardize=False, strength=0.0)
    objective = Objective(data, coordinates, np.zeros(coordinates.columns.size))
    theta = np.zeros(objective.n_coef)
    to_raw = raw_map_of(coordinates, np.eye(1)) if eliminates(objective) else raw_map(coordinates)
    nothing = np.zeros((theta.size, 0))
    return replace(
        problem, data=data, objective=objective, theta=theta, to_raw=to_raw, gauge=nothing, n_coef=theta.size
    )
