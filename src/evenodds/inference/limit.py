"""The limit of the maximum-likelihood estimate where the classes are separated.

Along a separating direction the likelihood rises for ever: the strictly separated rows are predicted with certainty in
the limit, and drop out. What is left is the likelihood of the other rows, on which the classes overlap. It has a
maximum, unique in the coefficients that are not infinite (Albert and Anderson, Biometrika 71, 1984; Geyer, Electronic
Journal of Statistics 3, 2009).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..coordinates import Coordinates, choose_coordinates
from ..data import Array, Data, as_data
from ..objective import Objective
from ..separation import separation_of
from ..solvers import regimes
from .evidence import Evidence, gather
from .problem import Problem, raw_map


@dataclass(frozen=True)
class Limit:
    """Where the finite coefficients are estimated.

    infinite : (k,) inf or -inf, NaN where the sign is not determined, 0 for finite coefficients
    complete : whether no rows are left, and so no finite coefficient
    rows : the numbers, in the problem's data, of the rows that are left
    problem, evidence : on those rows
    """

    infinite: Array
    complete: bool
    rows: NDArray[np.intp]
    problem: Problem
    evidence: Evidence


def limit_of(problem: Problem) -> Limit | None:
    """The limit, or None if the classes overlap."""
    found = separation_of(problem.data, problem.objective.coordinates)
    if found.kind == "overlap":
        return None
    rows = np.flatnonzero(~found.separated)
    part = problem.data.sample(problem.data.n_rows, 0).take(rows)
    if found.kind == "complete" or not np.any(part.X.nnz if hasattr(part.X, "nnz") else part.X.size):
        return Limit(
            found.infinite,
            True,
            rows,
            _nothing(problem),
            Evidence(0.0, np.zeros(0), np.zeros((0, 0)), 0.0, np.zeros(2)),
        )
    rest = as_data(part.X, part.y, part.weight, part.offset, n_jobs=problem.data.n_jobs)
    optimum = _optimum(problem, rest)
    return Limit(found.infinite, False, rows, optimum, gather(optimum))


def _nothing(problem: Problem) -> Problem:
    """The same problem with no coefficient."""
    old = problem.objective.coordinates
    coordinates = Coordinates(old.center, old.scale, np.empty(0, dtype=np.intp), False)
    objective = Objective(problem.data, coordinates, np.empty(0))
    return replace(problem, objective=objective, theta=np.empty(0), to_raw=np.zeros((len(problem.names), 0)))


def _optimum(problem: Problem, data: Data) -> Problem:
    """Maximum likelihood on some of the rows."""
    sample = data.sample(regimes.sample_rows(data), 0)
    intercept = problem.objective.coordinates.intercept
    coordinates = choose_coordinates(data, sample, intercept=intercept, standardize=False, strength=0.0)
    objective = Objective(data, coordinates, np.zeros(coordinates.columns.size))
    solve = regimes.newton if regimes.choose(objective) == "newton" else regimes.quasi_newton
    solution = solve(objective, np.zeros(objective.n_coef), sample, tol=1e-6, max_iter=100)
    return replace(problem, data=data, objective=objective, theta=solution.theta, to_raw=raw_map(coordinates))
