"""FLIC and FLAC: Firth's fit with the mean probability set right (Puhr and others, see the top of the package)."""

import functools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from ..arrays import Array
from ..coordinates import Coordinates
from ..data import Block
from ..data.views import View
from ..objective import Objective
from ..solvers import Solution, Status, costs, regimes
from ..solvers.running import Goal
from .climbing import DIGITS, descend
from .objective import FirthObjective, Point, Whitened


def corrected(
    objective: FirthObjective, solution: Solution, kind: bool | str, *, tol: float, max_iter: int
) -> tuple[Array, Solution]:
    """Theta as "flic" or "flac" has it (for True as it is), and Firth's solution with the reads counted on.

    Where a further fit does not reach its optimum, its status is that of the whole.
    """
    theta = solution.theta
    if kind == "flic":
        theta = flic(objective, theta)
    elif kind == "flac":
        final = flac(objective, theta, tol=tol, max_iter=max_iter)
        theta = final.theta[:-1]
        if final.status is not Status.CONVERGED:
            solution = replace(solution, status=final.status, error=final.error)
    return theta, replace(solution, passes=objective.passes)


def flic(objective: FirthObjective, theta: Array) -> Array:
    """Theta with the intercept of maximum likelihood beside these slopes."""
    point = objective.at(theta)
    white = np.full((1, 1), 1 / math.sqrt(point.information[0, 0]))
    likelihood = Objective(objective.data, objective.coordinates, objective.ridge)

    def shifted(shift: Array) -> tuple[float, Array, None]:
        value, gradient, _ = likelihood.value_grad(np.concatenate([theta[:1] + shift, theta[1:]]))
        return value, gradient[:1], None

    state = descend(objective, shifted, np.zeros(1), Whitened(white, objective.total_weight), DIGITS, 50)
    objective.passes += likelihood.passes
    return np.concatenate([theta[:1] + state.theta, theta[1:]])


def flac(objective: FirthObjective, theta: Array, *, tol: float, max_iter: int) -> Solution:
    """The fit of maximum likelihood to the rows and their pseudo-observations (see `PseudoRows`).

    Its theta has one coefficient more, of the column that tells them apart.
    """
    data = PseudoRows(objective, objective.at(theta))
    known = objective.coordinates
    coordinates = Coordinates(
        np.append(known.center, 0.0), np.append(known.scale, 1.0), np.append(known.columns, known.center.size), True
    )
    augmented = Objective(data, coordinates, np.zeros(theta.size))
    method = regimes.newton if costs.choose(augmented) == "newton" else regimes.quasi_newton
    sample = data.sample(costs.sample_rows(data), 0)
    solution = method(augmented, np.append(theta, 0.0), sample, Goal(tol, max_iter), warm=True)
    objective.passes += solution.passes
    return solution


class PseudoRows(View):
    """A home of rows and two pseudo-observations for each, of either class, weighted by half its leverage.

    Firth's fit is one of maximum likelihood to such rows. Here a last column is 1 for pseudo-observations and 0 for
    rows, so that the intercept is that of the rows.
    """

    def __init__(self, objective: FirthObjective, point: Point) -> None:
        data = objective.data
        super().__init__(
            data,
            functools.partial(_augmented, objective.leverages(point)),
            center=np.append(data.center, 0.0),
        )
        self.n_rows = 3 * data.n_rows
        self.size = 3 * data.size + 2 * data.n_rows if data.sparse else self.n_rows * self.n_columns
        self.class_weights = data.class_weights + objective.n_coef / 2  # the leverages' sum

    def sample(self, n: int, rng: int | np.random.Generator) -> Block:
        """A sample of the rows, with their pseudo-observations."""
        return self._change(self._data.sample(-(-n // 3), rng))


def _augmented(leverages: Callable[[Block], Array], block: Block) -> Block:
    """A block with its pseudo-observations."""
    m = block.n_rows
    half = leverages(block) / 2
    flag = np.repeat(np.array([0, 1, 1], block.X.dtype), m)[:, None]
    X = [block.X] * 3
    return Block(
        sp.hstack([sp.vstack(X), flag], format="csr") if sp.issparse(block.X) else np.hstack([np.vstack(X), flag]),
        np.concatenate([block.y, np.ones_like(block.y), np.zeros_like(block.y)]),
        np.concatenate([np.ones(m) if block.weight is None else block.weight, half, half]),
        None if block.offset is None else np.tile(block.offset, 3),
        3 * block.first,
    )
