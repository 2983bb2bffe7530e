"""Which metric for which data: the cost model, and the smooth solvers that follow from it.

Costs are in multiplications of a Hessian, with n rows, k coefficients and `size` entries. A Hessian takes
`size * size / n`; a read of the data as long as `_READ` for each entry.

- Newton's method pays the Hessian at each of its 5 to 8 steps. It is chosen where that is little
  (`_CHEAP_HESSIAN`), as it then ends at machine precision.
- Else, up to `_MOST_FULL` columns, the metric is the Hessian of a sample of m rows. Its eigenvalues are
  within (1 +- sqrt(k/m))^2 of the true ones, so that each step divides the gap by about m/k: the m
  that makes metric and reads together cheapest is taken (`sample_rows`). Where a sample has many rows a
  coefficient, its own optimum, found the same way, is also the start.
- Else, on wide data, the exact Hessian by its rows if these are few and there is a penalty; or head and diagonal.
"""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..data import Array, Block, Data
from ..data.memory import one_blas_thread
from ..kernels.algebra import LastSteps, dot
from ..kernels.newton import Limits, Steps
from ..objective import Objective
from ..softmax import SoftmaxObjective
from . import Metric, Report, Solution, Status, cooling
from .by_rows import ByRows, stiffness
from .kronecker import curvature, kronecker, sample_probabilities
from .metrics import Cholesky, head_and_diagonal
from .quasi_newton import FAR, NOTHING_LEFT, POLISH, State, Watch, minimize

_CHEAP_HESSIAN = 6e6
_CHEAP_IN_PATH = 1e8
_CHEAP_SPARSE = 3e7  # reads of sparse data take longer for each entry
_CHEAP_COEF = 400  # a factorisation costs as much as the Hessian does
_READ = 32  # a pass is bound by memory, a Hessian by arithmetic
_SOLVE = 12  # reads of the sample: to draw it and to find its optimum
_ROUGH = 1e-8  # the decrement, in units of the loss, from which single precision does not show the way
_CLOSE = 1e-5  # the decrement, in units of the loss, from which an exact Hessian serves to the end
_SINGLE_SIZE = 1e5  # how much larger its rounding errors are
_DIGITS = np.log(1e12)  # how far a gap has to fall
_MOST_FULL = 3000
_MOST_FULL_SPARSE = 500
_FEW_ROWS = 2000  # up to which a penalised wide fit is solved by its rows
_FEW_OF_CLASSES = 1000  # the same of several classes, each of which has a matrix to be factored
_FEW_OF_CLASSES_SPARSE = 500
_LOOSE = 1.0  # curvature of a row, in units of the penalty's, from which the products of sparse rows pay
_TIGHT = 1e-20  # of dense rows; below, nothing is left of them
_LOOSEST = 1e15  # beyond, the penalty is lost in the rounding of the products
_OTHER_ROWS = 0.5  # of the curvature at the start is left where the rows that have any are others
_OF_CLASSES = 24  # rows a column of the sample for the metric of several classes
_ENOUGH = 16  # rows a coefficient from which the sample's optimum is a good start
_SINGLE = 300  # columns from which a metric is computed in single precision
_REFRESH = 1e-2  # the decrement, in units of the mean loss, at which a metric made far from the optimum is made again
_PATIENCE = 8  # iterations without a tenfold fall of the decrement, after which a better metric may pay
_LATENCY = 5  # reads that a Hessian takes beside its arithmetic
_PROOF = 1 / 8  # of the reads of a fit is what a look at its end may cost
_IN_ONE_CALL = 9  # points: a fit that takes more is looked at by whoever watches for separation
_LEAST_MEMORY, _MOST_MEMORY = 20, 100  # steps
_DIAGONAL = 2  # reads that the diagonal of the Hessian takes


def sample_rows(data: Data) -> int:
    """Rows of the sample that coordinates, start and metric are taken from."""
    k = data.n_columns + 1
    if k > _most_full(data):
        return 8192
    if _work(data) <= _cheap(data):
        return data.n_rows
    if data.class_weights.size > 2:
        return min(data.n_rows, max(4096, min(_OF_CLASSES * k, data.n_rows // 4)))
    most = max(data.n_rows // 16, min(16 * k, data.n_rows // 2))  # few, as they are copied
    m = np.unique(np.geomspace(2 * k, most, 50).astype(int)) if most > 2 * k else np.array([data.n_rows])
    hessians = (1 if k >= _SINGLE else 2) * m * k
    reads = _SOLVE * m + data.n_rows * _DIGITS / np.log(m / k)
    return max(4096, int(m[np.argmin(hessians + _READ * reads)]))


def _work(data: Data) -> float:
    """The multiplications of a Hessian of two classes."""
    return data.size * (data.size / data.n_rows)


def _cheap(data: Data) -> float:
    """The work up to which exact Hessians are best."""
    return _CHEAP_SPARSE if data.sparse else _CHEAP_HESSIAN


def _most_full(data: Data) -> int:
    return _MOST_FULL_SPARSE if data.sparse else _MOST_FULL


def choose(objective: Objective | SoftmaxObjective) -> str:
    """`newton` where exact Hessians are cheap, else `quasi-newton`."""
    cheap = _all_work(objective) <= _cheap(objective.data) and objective.n_coef <= _CHEAP_COEF
    return "newton" if cheap else "quasi-newton"


def takes_exact_steps(objective: Objective | SoftmaxObjective) -> bool:
    """Whether the fits of a path are best with exact Hessians: each starts near its end, and takes few."""
    return _all_work(objective) <= _CHEAP_IN_PATH and objective.n_coef <= _CHEAP_COEF


def _all_work(objective: Objective | SoftmaxObjective) -> float:
    """The multiplications of a Hessian, of all classes."""
    return _work(objective.data) * max(1.0, objective.n_coef / (objective.data.n_columns + 1)) ** 2


def newton(
    objective: Any,
    theta: Array,
    sample: Block,
    *,
    warm: bool = False,
    tol: float,
    max_iter: int,
    watch: Watch | None = None,
    report: Report | None = None,
) -> Solution:
    """The smooth loop with the exact Hessian at every step; its first steps are one call where they can be."""
    with one_blas_thread:  # threads only slow small products down
        return _run("newton", objective, theta, None, None, tol=tol, max_iter=max_iter, watch=watch, report=report)


def quasi_newton(
    objective: Any,
    theta: Array,
    sample: Block,
    *,
    warm: bool = False,
    tol: float,
    max_iter: int,
    watch: Watch | None = None,
    report: Report | None = None,
) -> Solution:
    """The smooth loop with the metric that suits the data. A start gives way to the sample's optimum if not `warm`."""
    metric: Metric
    remake = None
    if _has_few_rows(objective, sample):
        by_rows = ByRows(objective, sample)
        if isinstance(objective, SoftmaxObjective):
            theta = _optimum_inside(by_rows, theta, tol, max_iter)
        metric, remake = by_rows.at(theta), _each(by_rows)
    elif isinstance(objective, SoftmaxObjective):
        metric, remake = _of_classes(objective, theta, sample)
    elif objective.data.n_columns > _most_full(objective.data):
        metric = head_and_diagonal(objective, theta, sample)
        remake = _once(lambda state: head_and_diagonal(objective, state.theta, sample))
    elif sample.n_rows < objective.data.n_rows:
        part = objective.on(sample)
        part.ridge = part.ridge + 1e-6
        if sample.n_rows >= _ENOUGH * objective.n_coef:
            theta = theta if warm and _is_near(objective, part, theta) else sample_optimum(part, theta)
        metric = _hessian_metric(part, theta)
    else:
        metric = _hessian_metric(objective, theta)
        remake = _once(lambda state: _hessian_metric(objective, state.theta), and_where_slow=True)
    return _run(
        "quasi-newton", objective, theta, metric, remake, tol=tol, max_iter=max_iter, watch=watch, report=report
    )


def _of_classes(
    objective: SoftmaxObjective, theta: Array, sample: Block
) -> tuple[Metric, Callable[[State], Metric | None]]:
    """The metric of several classes, and how it is made again: where that is cheap, also wherever it is slow."""
    P = sample_probabilities(objective, theta, sample)
    level = _OTHER_ROWS * curvature(P, sample)
    cheap = objective.data.sparse and sample.n_rows == objective.data.n_rows  # an exact diagonal, for one read

    def anew(state: State) -> Metric | None:
        """The metric again, if it is cheap or has become one of other rows."""
        P = sample_probabilities(objective, state.theta, sample)
        return kronecker(objective, P, sample) if cheap or curvature(P, sample) < level else None

    return kronecker(objective, P, sample), _once(anew, and_where_slow=cheap)


def _has_few_rows(objective: Objective | SoftmaxObjective, sample: Block) -> bool:
    """Whether a penalised fit has so few rows that it is best solved by their products.

    Of sparse rows these are as dense as those of dense ones, and cost hundreds of reads: they pay for several classes
    with few rows that the penalty does not hold.
    """
    data = objective.data
    most = data.n_columns // 2
    if not sample.n_rows == data.n_rows <= most or not (objective.ridge > 0).all():
        return False
    if not isinstance(objective, SoftmaxObjective):
        return data.n_rows <= _FEW_ROWS and not data.sparse
    least, few = (_LOOSE, _FEW_OF_CLASSES_SPARSE) if data.sparse else (_TIGHT, _FEW_OF_CLASSES)
    return data.n_rows <= few and least < stiffness(objective, objective.coordinates.design(sample)) < _LOOSEST


def _optimum_inside(by_rows: ByRows, theta: Array, tol: float, max_iter: int) -> Array:
    """The optimum in the space of the rows, to rounding of their products."""
    inside = by_rows.inside(theta)
    rows, start = ByRows(inside.objective, inside.sample), inside.start
    found = _run(
        "quasi-newton",
        inside.objective,
        start,
        rows.at(start),
        _each(rows),
        tol=tol,
        max_iter=max_iter,
        watch=None,
        report=None,
    )
    return inside.outside(found.theta)


def _hessian_metric(objective: Objective, theta: Array) -> Metric:
    dtype = np.float32 if objective.n_coef >= _SINGLE else np.float64
    return Cholesky(objective.hessian(theta, dtype).astype(dtype, copy=False))


def cooled(objective: Any, theta: Array, sample: Block) -> Array:
    """A start that offsets do not keep from the optimum: that of the sample, where they put rows far from even odds."""

    def solve(T: float, phi: Array) -> Array:
        part = objective.on(sample.at(T))
        part.ridge = T * (part.ridge + 1e-6)
        phi = sample_optimum(part, phi)
        objective.passes += part.passes if sample.n_rows == objective.data.n_rows else 0
        return phi

    return cooling.cooled(theta, objective.reach(theta, sample), solve)


def sample_optimum(part: Any, theta: Array) -> Array:
    """The optimum on a sample of the rows, from a start.

    The caller has added a ridge far below sampling error, which keeps a sample finite whose classes are
    separated or in which a column is constant.
    """
    solver = newton if choose(part) == "newton" else quasi_newton
    inner = part.data.sample(sample_rows(part.data), 0)
    tol = 0.5  # sampling errors are larger, and more digits no help
    enough = tol**2 / (2 * part.observations)

    def watch(state: State) -> Status | None:
        return Status.CONVERGED if state.gap <= enough else None

    return solver(part, theta, inner, tol=tol, max_iter=15, watch=watch).theta


def _is_near(objective: Objective, part: Objective, theta: Array) -> bool:
    """Whether a given start is closer to the optimum than the optimum of the sample can be expected to be."""
    gradient = objective.value_grad(theta)[1]
    decrement = 0.5 * dot(gradient, _hessian_metric(part, theta).solve(gradient))
    return decrement < part.n_coef / part.data.n_rows


def _each(by_rows: ByRows) -> Callable[[State], Metric | None]:
    """Make the metric again at every step until the optimum is close, as Newton's method does."""

    def remake(state: State) -> Metric | None:
        far = state.iteration > 0 and state.decrement > _CLOSE * state.value
        return by_rows.at(state.theta) if far else None

    return remake


def _once(make: Callable[[State], Metric | None], and_where_slow: bool = False) -> Callable[[State], Metric | None]:
    """Make the metric again once, when the decrement has come down to `_REFRESH` but is not yet small.

    and_where_slow : also wherever the decrement falls slowly from there on: one that is exact where it is made helps
    """
    done = False

    def remake(state: State) -> Metric | None:
        nonlocal done
        slow = and_where_slow and state.slow % _PATIENCE == _PATIENCE - 1
        if (done and not slow) or state.decrement > _REFRESH:
            return None
        done = True
        return make(state)

    return remake


def _run(
    name: str,
    objective: Any,
    theta: Array,
    metric: Metric | None,
    remake: Callable[[State], Metric | None] | None,
    *,
    tol: float,
    max_iter: int,
    watch: Watch | None,
    report: Report | None,
) -> Solution:
    """Run the loop and make the record. A metric that does not contract gives way to the exact Hessian."""
    history: list[float] = []
    patience = max(_PATIENCE, 0.5 * _hessian_reads(objective))
    exact = metric is None

    def first_order(theta: Array) -> tuple[float, Array, Array | None]:
        result: tuple[float, Array, Array | None] = objective.value_grad(theta)
        history.append(result[0])
        return result

    def evaluate(theta: Array) -> tuple[float, Array, Array | None]:
        if not exact:
            return first_order(theta)
        result: tuple[float, Array, Array | None] = objective.value_grad_hess(theta)
        history.append(result[0])
        return result

    def look(state: State) -> Status | None:
        nonlocal exact
        exact = exact or state.slow > patience
        if report is not None and report(state.iteration, state.value, error(objective, state.gap), state.theta):
            return Status.STOPPED
        return watch(state) if watch is not None else None

    def look_roughly(state: State) -> Status | None:
        done = exact or state.decrement < _ROUGH * state.value
        return look(state) or (Status.STALLED if done else None)

    small = isinstance(objective, Objective) and choose(objective) == "newton"  # its rows may be taken as a whole
    loop = functools.partial(
        minimize,
        evaluate,
        from_hessian=Cholesky,
        polish=first_order,
        still_moves=functools.partial(still_moves, objective),
        best_length=objective.best_length if small else None,
        remake=remake,
        confirm=functools.partial(_confirm, objective),
    )
    done, memory = 0, _memory(objective)
    if metric is not None and isinstance(objective, SoftmaxObjective) and objective.may_be_single():
        objective.single = True
        state = loop(theta, metric, target=0.0, max_iter=max_iter, watch=look_roughly, size=_SINGLE_SIZE, memory=memory)
        objective.in_double()
        if state.status not in (Status.STALLED, Status.MAX_ITER):
            return record(name, objective, state, history)
        theta, metric, done = state.theta, state.metric, state.iteration
    target = tol**2 / (2 * objective.observations)
    begun = None
    if exact and small:
        limits = Limits(POLISH, target, NOTHING_LEFT, FAR, min(max_iter + 1, _IN_ONE_CALL))
        begun = _reported(objective, objective.by_newton(theta, limits), report)
    if begun is not None:
        history.extend(begun.values[: None if begun.hessian is not None else -1].tolist())  # it is evaluated again
        theta, done = begun.thetas[-1], len(begun.thetas) - 1
    state = loop(theta, metric, target=target, max_iter=max_iter, watch=look, memory=memory, done=done, begun=begun)
    return record(name, objective, state, history)


def _reported(objective: Objective, steps: Steps | None, report: Report | None) -> Steps | None:
    """Steps that are reported, but for the last; they end with the one after which the report asks to stop."""
    if steps is None or report is None:
        return steps
    for k in range(len(steps.thetas) - 1):
        if report(k, steps.values[k], error(objective, steps.decrements[k]), steps.thetas[k]):
            return replace(steps, thetas=steps.thetas[: k + 1], values=steps.values[: k + 1], hessian=None)
    return steps


def _memory(objective: Any) -> LastSteps:
    """As many steps as cost a read of the data: each costs as much as four reads of theta."""
    return LastSteps(min(max(objective.data.size // (4 * objective.n_coef), _LEAST_MEMORY), _MOST_MEMORY))


def _hessian_reads(objective: Any) -> float:
    """The cost of an exact Hessian and its factorisation, in reads of the data."""
    data, k = objective.data, objective.n_coef
    if k > _most_full(data):
        return np.inf
    products = 4 * k / (data.n_columns + 1) * data.size / data.n_rows  # for each entry of X
    return float(_LATENCY + (products + k**3 / 6 / max(data.size, 1)) / _READ)


def _confirm(objective: Any, state: State) -> None:
    """Look at the end of a fit with what its metric does not know, as far as that costs little beside the fit.

    A direction that had curvature where the metric was made, and lost it on the way, has a small gradient and is yet
    far from its optimum. The exact Hessian knows of all such; its diagonal of columns that do so one by one.
    """
    reads = _PROOF * objective.passes
    if choose(objective) == "newton" or _hessian_reads(objective) <= reads:
        state.metric, state.exact_at = Cholesky(objective.hessian(state.theta)), state.theta
        state.forget()
    elif reads >= _DIAGONAL:
        curvature = np.maximum(objective.diagonal(state.theta), 1e-300)
        state.surprise *= max(1.0, 0.5 * dot(state.gradient, state.gradient / curvature) / state.gap)


def record(name: str, objective: Any, state: State, history: list[float]) -> Solution:
    """The solution that a loop has come to."""
    return Solution(
        theta=state.theta,
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


def still_moves(objective: Any, state: State) -> bool:
    """Whether the next step would change a score by 0.1 or more, however small the decrement.

    A decrement says how far the minimum is only where the curvature stays what it is, and the curvature of a row
    changes by a factor of e where its score changes by 1 (self-concordance; Bach, Electronic Journal of Statistics 4,
    2010). Rows are only read where the loss is nearly flat along the step, beside the loss itself.
    """
    flat = 2 * state.decrement < 1e-3 * state.value * dot(state.step, state.step)
    return flat and objective.largest_move(state.step) >= 0.1


def error(objective: Any, gap: float) -> float:
    """A gap in standard errors."""
    return float(np.sqrt(2 * objective.observations * max(gap, 0.0)))
