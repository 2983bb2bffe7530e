"""The smooth loop run to its end on an objective: single precision first where it serves, a last look, the record."""

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Array
from ..kernels.algebra import LastSteps, dot
from ..kernels.newton import Limits, Steps
from ..objective import Objective
from . import Metric, Report, Solution, Status
from .costs import choose, hessian_reads
from .eliminated import eliminates, exact_metric
from .metrics import Cholesky
from .quasi_newton import FAR, NOTHING_LEFT, POLISH, Remake, State, Watch, minimize

_ROUGH = 1e-8  # the decrement, in units of the loss, from which single precision does not show the way
_SINGLE_SIZE = 1e5  # how much larger its rounding errors are
PATIENCE = 8  # iterations without a tenfold fall of the decrement, after which a better metric may pay
_PROOF = 1 / 8  # of the reads of a fit is what a look at its end may cost
ONE_CALL = 4000  # rows up to which one call saves more than the loops for single evaluations are faster
IN_ONE_CALL = 13  # points: a fit that takes more is looked at by whoever watches for separation
_LEAST_MEMORY, _MOST_MEMORY = 20, 100  # steps
_WHOLE = 1000  # coefficients up to which a whole Hessian, which keeps more digits, takes no longer than a few reads
_DIAGONAL = 2  # reads that the diagonal of the Hessian takes

Derivatives = tuple[float, Array, Array | Metric | None]  # J, its gradient, and its Hessian or None


@dataclass(frozen=True)
class Goal:
    """What a fit is asked for.

    tol : how far from the optimum it may end, in standard errors
    max_iter : steps, at the most
    watch : called each iteration; a status that it returns ends the fit
    report : told of each iteration, see `Report`
    """

    tol: float
    max_iter: int
    watch: Watch | None = None
    report: Report | None = None

    def gap(self, objective: Objective) -> float:
        """How far J may be above its minimum at the end."""
        return self.tol**2 / (2 * objective.observations)

    def look(self, objective: Objective, state: State) -> Status | None:
        """Report where the loop is; a status where that is to be its end."""
        if self.report is not None and self.report(
            state.iteration, state.value, error(objective, state.gap), state.theta
        ):
            return Status.STOPPED
        return self.watch(state) if self.watch is not None else None


def run(
    name: str,
    objective: Objective,
    theta: Array,
    metric: Metric | None,
    remake: Remake | None,
    goal: Goal,
) -> Solution:
    """Run the loop and make the record. A metric that does not contract gives way to the exact Hessian."""
    theta = objective.centred(theta)
    small = choose(objective) == "newton"  # its rows may be taken as a whole
    exact = metric is None
    begun = _begun(objective, theta, goal) if exact and small else None
    if begun is not None and begun.end is not None:
        return record(name, objective, _ended(begun, begun.end, goal), begun.values.tolist())
    history: list[float] = []
    single = not exact and objective.may_be_single()
    patience = np.inf if exact else max(PATIENCE, 0.5 * hessian_reads(objective))

    def evaluate(theta: Array, first_order: bool = False) -> Derivatives:
        hessian = _hessian(objective, theta) if exact and not first_order else None
        value, gradient, _ = objective.value_grad(theta, single=single and hessian is None)
        history.append(value)
        return value, gradient, hessian

    def look(state: State) -> Status | None:
        nonlocal exact
        exact = exact or state.slow > patience
        return goal.look(objective, state)

    def look_roughly(state: State) -> Status | None:
        done = exact or state.decrement < _ROUGH * state.value
        return look(state) or (Status.STALLED if done else None)

    loop = functools.partial(
        minimize,
        evaluate,
        from_hessian=lambda H: Cholesky(objective.anchored(H)) if isinstance(H, np.ndarray) else H,
        polish=functools.partial(evaluate, first_order=True),
        still_moves=functools.partial(still_moves, objective),
        centred=objective.centred if objective.shares else None,
        best_length=objective.best_length if small and not objective.classes.several else None,
        remake=remake,
        confirm=functools.partial(_confirm, objective),
    )
    done, most, memory = 0, goal.max_iter, _memory(objective)
    if single:
        state = loop(theta, metric, target=0.0, max_iter=most, watch=look_roughly, blur=_SINGLE_SIZE, memory=memory)
        single = False
        if state.status not in (Status.STALLED, Status.MAX_ITER):
            return record(name, objective, state, history)
        theta, metric, done = state.theta, state.metric, state.iteration
    target = goal.gap(objective)
    if begun is not None:
        history.extend(begun.values[: None if begun.hessian is not None else -1].tolist())  # it is evaluated again
        theta, done = begun.thetas[-1], len(begun.thetas) - 1
    state = loop(theta, metric, target=target, max_iter=most, watch=look, memory=memory, done=done, begun=begun)
    return record(name, objective, state, history)


def _hessian(objective: Objective, theta: Array) -> Array | Metric:
    """The Hessian, as a metric where a factor is eliminated; J and its gradient are known of the same read."""
    parts = eliminates(objective) and objective.n_coef > _WHOLE
    return exact_metric(objective, theta) if parts else objective.hessian(theta)


def _begun(objective: Objective, theta: Array, goal: Goal) -> Steps | None:
    """The first steps, in one call, where that is worth it; reported, they end after which the report asks to stop."""
    if objective.data.n_rows > ONE_CALL:
        return None
    limits = Limits(POLISH, goal.gap(objective), NOTHING_LEFT, FAR, min(goal.max_iter + 1, IN_ONE_CALL))
    steps = objective.by_newton(theta, limits)
    if steps is None or goal.report is None:
        return steps
    last = len(steps.thetas) - (steps.end is None)  # the loop that goes on reports it
    for k in range(last):
        if goal.report(k, steps.values[k], error(objective, steps.decrements[k]), steps.thetas[k]):
            return replace(steps, thetas=steps.thetas[: k + 1], values=steps.values[: k + 1], hessian=None, end=None)
    return steps


def _ended(steps: Steps, end: Array, goal: Goal) -> State:
    """The state where nothing is left after some steps, shown to who looks on."""
    metric: Any = None  # none is needed any more
    value, decrement = float(steps.values[-1]), float(steps.decrements[-1])
    state = State(end, value, steps.gradient, metric, end - steps.thetas[-1], decrement, sure=steps.sure)
    state.iteration, state.exact_at, state.status = len(steps.thetas) - 1, steps.thetas[steps.exact], Status.CONVERGED
    if goal.watch is not None:
        goal.watch(state)
    return state


def _memory(objective: Objective) -> LastSteps:
    """As many steps as cost a read of the data: each costs as much as four reads of theta."""
    return LastSteps(min(max(objective.data.size // (4 * objective.n_coef), _LEAST_MEMORY), _MOST_MEMORY))


def _confirm(objective: Objective, state: State) -> None:
    """Look at the end of a fit with what its metric does not know, as far as that costs little beside the fit.

    A direction that had curvature where the metric was made, and lost it on the way, has a small gradient and is yet
    far from its optimum. The exact Hessian knows of all such; its diagonal of columns that do so one by one.
    """
    reads = _PROOF * objective.passes
    if choose(objective) == "newton" or hessian_reads(objective) <= reads:
        state.metric, state.exact_at = exact_metric(objective, state.theta), state.theta
        state.forget()
    elif reads >= _DIAGONAL:
        curvature = np.maximum(objective.diagonal(state.theta), 1e-300)
        state.surprise *= max(1.0, 0.5 * dot(state.gradient, state.gradient / curvature) / state.gap)


def record(name: str, objective: Objective, state: State, history: list[float]) -> Solution:
    """The solution that a loop has come to, without what rounding has put where classes share their coefficients."""
    return Solution(
        theta=objective.centred(state.theta),
        loss=state.value,
        gap=state.gap,
        error=error(objective, state.gap),
        passes=objective.passes,
        iterations=state.iteration,
        status=state.status,
        history=np.array(history),
        solver=name,
        n_rows=objective.data.n_rows,
        total_weight=objective.total_weight,
    )


def still_moves(objective: Objective, state: State) -> bool:
    """Whether the next step would change a score by 0.1 or more, however small the decrement.

    A decrement says how far the minimum is only where the curvature stays what it is, and the curvature of a row
    changes by a factor of e where its score changes by 1 (self-concordance; Bach, Electronic Journal of Statistics 4,
    2010). Rows are only read where the loss is nearly flat along the step, beside the loss itself.
    """
    flat = 2 * state.decrement < 1e-3 * state.value * dot(state.step, state.step)
    return flat and objective.largest_move(state.step) >= 0.1


def error(objective: Objective, gap: float) -> float:
    """A gap in standard errors."""
    return math.sqrt(2 * objective.observations * max(gap, 0.0))
