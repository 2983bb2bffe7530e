"""Which metric for which data, and the smooth solvers that follow from it. What is cheap is told by `costs`.

- Newton's method where exact Hessians are cheap.
- The Hessian of a sample where rows are many. Where the sample has many rows a coefficient, its own optimum, found the
  same way, is also the start.
- The curvature of even odds where rows are dense, penalised and not many more than columns; a better metric is bought
  where the decrement falls slowly.
- The exact Hessian, with the widest factor eliminated, where that has most of many columns.
- Products with the Hessian where a sparse X is wide, or head and diagonal where the penalty holds many rows.
- The Kronecker product, or the space of the rows, of several classes.
"""

import functools
from dataclasses import replace

import numpy as np

from ..arrays import Array
from ..data import Block
from ..data.memory import one_blas_thread
from ..kernels.algebra import dot
from ..objective import Objective
from . import Metric, Solution, Status, cooling
from .by_rows import ByRows, where_far
from .class_products import ClassProducts
from .conjugate import ByProducts, ConjugateGradients, newton_by_products
from .costs import (
    LONG_PATIENCE,
    START_ROWS,
    choose,
    factor_is_dear,
    has_few_rows,
    is_held,
    most_full,
    patience_with_begun,
    patience_with_columns,
    rows_of_metric,
    sample_rows,
    sample_spares,
    starts_even,
    starts_from_some,
    takes_products,
)
from .eliminated import eliminates, exact_metric
from .kronecker import curvature, kronecker, sample_probabilities
from .low_rank import low_rank
from .metrics import Cholesky, even_odds, head_and_diagonal
from .quasi_newton import Remake, State
from .row_space import solved_inside
from .running import PATIENCE, Goal, run
from .used_columns import UsedColumns

_OTHER_ROWS = 0.5  # of the curvature at the start is left where the rows that have any are others
_ENOUGH = 16  # rows a coefficient from which the sample's optimum is a good start
_SINGLE = 150  # columns from which a metric is computed in single precision
_REFRESH = 1e-2  # the decrement, in units of the mean loss, at which a metric made far from the optimum is made again
_MOVED = 0.7  # of the loss at the start
_FAR_OFF = 1e-5  # the decrement, in units of the loss, above which few directions are looked for
_SHORT_PATIENCE = 4  # in the place of PATIENCE where the Hessian costs little beside the fit


def newton(
    objective: Objective,
    theta: Array,
    sample: Block,
    goal: Goal,
    *,
    warm: bool = False,
) -> Solution:
    """The smooth loop with the exact Hessian at every step; its first steps are one call where they can be.

    Of many rows it starts where some of them have their optimum, which spares about half of the reads.
    """
    with one_blas_thread:  # threads only slow small products down
        if not objective.classes.several and starts_from_some(objective, sample) and not warm:
            part = objective.on(objective.data.sample(START_ROWS, 0))
            part.ridge = part.ridge + 1e-6
            theta = sample_optimum(part, theta)
        return run("newton", objective, theta, None, None, goal)


def quasi_newton(
    objective: Objective,
    theta: Array,
    sample: Block,
    goal: Goal,
    *,
    warm: bool = False,
) -> Solution:
    """The smooth loop with the metric that suits the data. A start gives way to the sample's optimum if not `warm`."""
    if (used := UsedColumns.of(objective, sample)) is not None and goal.watch is None:
        told = replace(goal, report=used.reported(goal.report))
        solution = quasi_newton(used.objective, used.inside(theta), used.sample, told, warm=warm)
        objective.passes += used.objective.passes
        return replace(solution, theta=used.outside(solution.theta))
    metric: Metric
    remake: Remake | None = None
    if eliminates(objective) and not (objective.classes.several and takes_products(objective)):
        metric, remake = exact_metric(objective, theta), _exact_again(objective)
    elif has_few_rows(objective, sample):
        return _of_few_rows(objective, theta, sample, goal)
    elif objective.classes.several and takes_products(objective):

        def at(theta: Array, target: float) -> ByProducts:
            return ClassProducts(objective, theta, sample, target)

        return newton_by_products(objective, theta, at, goal)
    elif objective.classes.several:
        metric, remake = _of_classes(objective, theta, sample)
    elif starts_even(objective, sample):
        metric, remake = even_odds(objective), _better(objective)
    elif objective.data.n_columns > most_full(objective.data) and takes_products(objective):
        at = functools.partial(ConjugateGradients, objective)
        return newton_by_products(objective, theta, at, goal)
    elif objective.data.n_columns > most_full(objective.data):
        metric = head_and_diagonal(objective, theta, sample)
        remake = _once(lambda state: head_and_diagonal(objective, state.theta, sample))
    elif sample_spares(objective, sample):
        part = objective.on(sample)
        part.ridge = part.ridge + 1e-6
        if sample.n_rows >= _ENOUGH * objective.n_coef:
            theta = theta if warm and _is_near(objective, part, theta) else sample_optimum(part, theta)
        metric = _hessian_metric(part, theta)
    else:
        metric = _hessian_at_start(objective, theta, sample)
        remake = _where_slow(lambda state: _hessian_metric(objective, state.theta), _SHORT_PATIENCE)
    return run("quasi-newton", objective, theta, metric, remake, goal)


def _of_few_rows(
    objective: Objective,
    theta: Array,
    sample: Block,
    goal: Goal,
) -> Solution:
    """The fit by its rows: columns are seen one by one first where the penalty holds much."""
    by_rows = ByRows(objective, sample)
    if is_held(objective, sample):
        begun = _begun(objective, theta, sample, goal)
        if begun.status in (Status.CONVERGED, Status.STOPPED):
            return begun
        theta = begun.theta
    if objective.classes.several:
        theta = _optimum_inside(by_rows, theta, Goal(goal.tol, goal.max_iter))
    else:
        found = solved_inside(objective, by_rows, theta, goal)
        if found.status is not Status.STALLED:
            return found
        theta = found.theta
    metric, remake = by_rows.at(theta), where_far(by_rows)
    return run("quasi-newton", objective, theta, metric, remake, goal)


def _of_classes(objective: Objective, theta: Array, sample: Block) -> tuple[Metric, Remake]:
    """The metric of several classes, and how it is made again: where that is cheap, also wherever it is slow."""
    data = objective.data
    together = not data.sparse and data.n_columns <= most_full(data)
    dear = factor_is_dear(objective)
    P = sample_probabilities(objective, theta, sample)
    cheap = data.sparse and sample.n_rows == data.n_rows  # an exact diagonal, for one read
    anew = _of_other_rows(objective, P, sample, together and not dear, cheap=cheap)

    def bought(state: State) -> Metric:
        return kronecker(objective, sample_probabilities(objective, state.theta, sample), sample, True)

    again = _once(anew, _where_slow(anew) if cheap else None)
    slow = _where_slow(bought, patience_with_columns(objective))

    def remake(state: State) -> Metric | None:
        """Anew, or that of all columns together where the decrement falls slowly."""
        return (slow(state) if together and dear else None) or again(state)

    return kronecker(objective, P, sample, together and not dear), remake


def _of_other_rows(objective: Objective, P: Array, sample: Block, together: bool, *, cheap: bool = False) -> Remake:
    """The metric of classes again, if it is cheap or other rows have curvature than those of probabilities P."""
    level = _OTHER_ROWS * curvature(P, sample)

    def anew(state: State) -> Metric | None:
        P = sample_probabilities(objective, state.theta, sample)
        return kronecker(objective, P, sample, together) if cheap or curvature(P, sample) < level else None

    return anew


def _better(objective: Objective) -> Remake:
    """What the metric of even odds gives way to where it is slow: see `starts_even`.

    Of too many columns for a Hessian that of the few directions behind them all, looked for far from the optimum.
    """
    if objective.data.n_columns <= most_full(objective.data):
        return _where_slow(lambda state: _hessian_metric(objective, state.theta), LONG_PATIENCE)
    none = False

    def few(state: State) -> Metric | None:
        nonlocal none
        if none or not state.decrement > _FAR_OFF * state.value:
            return None
        metric = low_rank(objective, state.theta)
        none = metric is None
        return metric

    return _where_slow(few)


def _begun(
    objective: Objective,
    theta: Array,
    sample: Block,
    goal: Goal,
) -> Solution:
    """The fit with columns seen one by one, until it is slow."""
    remake = None
    if objective.classes.several:
        P = sample_probabilities(objective, theta, sample)
        metric = kronecker(objective, P, sample, together=False)
        remake = _once(_of_other_rows(objective, P, sample, together=False))
    else:
        metric = even_odds(objective)

    patience = patience_with_begun(objective, sample)

    def until_slow(state: State) -> Status | None:
        found = goal.watch(state) if goal.watch is not None else None
        return found or (Status.STALLED if state.slow == patience - 1 else None)

    return run("quasi-newton", objective, theta, metric, remake, replace(goal, watch=until_slow))


def _optimum_inside(by_rows: ByRows, theta: Array, goal: Goal) -> Array:
    """The optimum in the space of the rows, to rounding of their products."""
    inside = by_rows.inside(theta)
    rows, start = inside.metrics(), inside.start
    found = run("quasi-newton", inside.objective, start, rows.at(start), where_far(rows), goal)
    return inside.outside(found.theta)


def _hessian_at_start(objective: Objective, theta: Array, sample: Block) -> Metric:
    """The Hessian of as many rows as tell the curvature at the start well enough."""
    few, data = rows_of_metric(objective, sample), objective.data
    if not few:
        return _hessian_metric(objective, theta)
    every = sample.n_rows == data.n_rows  # as they came: what repeats from row to row is not to be missed
    some = data.sample(few, 0) if every else sample.take(slice(None, None, sample.n_rows // few))
    return _hessian_metric(objective.on(some), theta)


def _hessian_metric(objective: Objective, theta: Array) -> Metric:
    dtype = np.float32 if objective.n_coef >= _SINGLE else np.float64
    return Cholesky(objective.hessian(theta, dtype).astype(dtype, copy=False))


def cooled(objective: Objective, theta: Array, sample: Block) -> Array:
    """A start that offsets do not keep from the optimum: that of the sample, where they put rows far from even odds."""

    def solve(T: float, phi: Array) -> Array:
        part = objective.on(sample.at(T))
        part.ridge = T * (part.ridge + 1e-6)
        phi = sample_optimum(part, phi)
        objective.passes += part.passes if sample.n_rows == objective.data.n_rows else 0
        return phi

    return cooling.cooled(theta, objective.reach(theta, sample), solve)


def sample_optimum(part: Objective, theta: Array) -> Array:
    """The optimum on a sample of the rows, from a start.

    The caller has added a ridge far below sampling error, which keeps a sample finite whose classes are
    separated or in which a column is constant.
    """
    solver = newton if choose(part) == "newton" else quasi_newton
    inner = part.data.sample(sample_rows(part.data), 0)
    goal = Goal(tol=0.5, max_iter=15)  # sampling errors are larger, and more digits no help
    enough = goal.gap(part)

    def watch(state: State) -> Status | None:
        return Status.CONVERGED if state.gap <= enough else None

    return solver(part, theta, inner, replace(goal, watch=watch)).theta


def _is_near(objective: Objective, part: Objective, theta: Array) -> bool:
    """Whether a given start is closer to the optimum than the optimum of the sample can be expected to be."""
    gradient = objective.value_grad(theta)[1]
    decrement = 0.5 * dot(gradient, _hessian_metric(part, theta).solve(gradient))
    return decrement < part.n_coef / part.data.n_rows


def _once(make: Remake, then: Remake | None = None) -> Remake:
    """Make the metric again once, when the decrement has come down to `_REFRESH` but is not yet small.

    Not where the loss is still about what it was at the start: the curvature is, too.
    then : what is asked from there on
    """
    done, begun = False, 0.0

    def remake(state: State) -> Metric | None:
        nonlocal done, begun
        begun = begun or state.value
        if state.decrement > _REFRESH or state.value > _MOVED * begun:
            return None
        if done:
            return None if then is None else then(state)
        done = True
        return make(state)

    return remake


def _exact_again(objective: Objective) -> Remake:
    """The exact Hessian once on the way, and wherever it is slow: also where the loss as a whole hardly falls."""
    once = _once(lambda state: exact_metric(objective, state.theta))
    slow = _where_slow(lambda state: exact_metric(objective, state.theta), _SHORT_PATIENCE)
    return lambda state: once(state) or slow(state)


def _where_slow(make: Remake, patience: int = PATIENCE) -> Remake:
    """Make the metric again wherever the decrement does not fall tenfold in so many iterations."""
    return lambda state: make(state) if state.slow % patience == patience - 1 else None
