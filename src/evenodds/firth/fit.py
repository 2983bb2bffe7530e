"""Firth's fit: the minimiser of J_F.

An evaluation costs two products of n k^2, so few are made: a fit starts from the optimum on a sample of the rows,
then follows the likelihood with the sample's pull, which costs a read an evaluation, and ends with two or three steps
in the metric I. Where rows are many a coefficient, I is nearly the Hessian of J_F: these are Newton's steps.
"""

import math
from dataclasses import replace
from typing import Any

from ..data import Array, Block, Data
from ..objective import Objective
from ..solvers import Metric, Report, Solution, Status, regimes
from ..solvers.metrics import Cholesky
from ..solvers.quasi_newton import Evaluate, State, minimize
from .objective import FirthObjective

_LEAST_SAMPLE = 512
_SMALL = 2e6  # multiplications up to which a fit goes on to machine precision
DIGITS = 1e-9  # in standard errors, what that is before the last step
_NEAR = 0.1  # the last step of the start, in standard errors: the sample's pull is not closer
_NEWTON = 1e-3  # the decrement of S J_F above which memory misleads, as I changes from step to step


class Latest:
    """The metric I / S where J_F was asked for last."""

    def __init__(self, objective: FirthObjective) -> None:
        self._objective = objective

    def solve(self, g: Array) -> Array:
        """(I / S)^-1 g."""
        return self._objective.latest.metric(self._objective).solve(g)


def sample_rows(data: Data) -> int:
    """Rows of the sample that coordinates and start are taken from; all of them, if a sample would not pay."""
    m = max(_LEAST_SAMPLE, 32 * (data.n_columns + 1), data.n_rows // 16)
    return m if 4 * m <= data.n_rows else data.n_rows


def solve(
    objective: FirthObjective,
    theta: Array,
    sample: Block,
    *,
    warm: bool = False,
    tol: float,
    max_iter: int,
    report: Report | None = None,
) -> Solution:
    """The minimiser of J_F. A start gives way to what the sample tells if not `warm`."""
    if sample.n_rows < objective.data.n_rows and not warm:
        theta = _start(objective, theta, sample)
    small = objective.data.n_rows * objective.n_coef**2 <= _SMALL
    history: list[float] = []
    latest = Latest(objective)

    def evaluate(theta: Array) -> tuple[float, Array, None]:
        result = objective.value_grad(theta)
        history.append(result[0])
        return result

    def watch(state: State) -> Status | None:
        stop = report is not None and report(
            state.iteration, state.value, regimes.error(objective, state.gap), state.theta
        )
        return Status.STOPPED if stop else None

    def remake(state: State) -> Metric | None:
        newton = objective.total_weight * state.decrement > _NEWTON and state.slow < 2
        return latest if newton else None

    state = descend(
        objective, evaluate, theta, latest, min(tol, DIGITS) if small else tol, max_iter, watch=watch, remake=remake
    )
    solution = regimes.record("fisher-scoring", objective, state, history)
    ended = solution.status in (Status.MAX_ITER, Status.STALLED)
    return replace(solution, status=Status.CONVERGED) if ended and solution.error <= tol else solution


def descend(
    objective: Objective, evaluate: Evaluate, theta: Array, metric: Metric, tol: float, max_iter: int, **more: Any
) -> State:
    """The smooth loop, for a gap of `tol` standard errors.

    No step is too long for its decrement to be believed: in the metric I a small decrement means that no score moves
    of a row that counts.
    """
    return minimize(
        evaluate,
        theta,
        metric,
        target=tol**2 / (2 * objective.total_weight),
        max_iter=max_iter,
        from_hessian=Cholesky,
        polish=evaluate,
        still_moves=lambda state: False,
        size=1.0,
        **more,
    )


def _start(objective: FirthObjective, theta: Array, sample: Block) -> Array:
    """Near the minimiser of J with the pull that a sample has near its own optimum; theta if the sample is no help."""
    part = objective.on(sample)
    guess = regimes.sample_optimum(Objective(part.data, part.coordinates, part.ridge + 1 / part.total_weight), theta)
    point = part.at(guess)
    if not math.isfinite(point.value):  # a column that is constant in the sample
        return theta
    pull = part.score(guess) - point.gradient
    metric = point.metric(part)
    theta, last = guess, math.inf
    for _ in range(10):
        tilted = objective.score(guess) - pull
        step = metric.solve(tilted)
        distance = math.sqrt(objective.total_weight * float(tilted @ step))  # in standard errors
        if not distance < 0.7 * last:
            break
        theta, last, guess = guess, distance, guess - step
        if distance < _NEAR:
            return guess
    return theta
