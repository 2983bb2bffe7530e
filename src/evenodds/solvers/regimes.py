"""Which metric for which data: the cost model, and the smooth solvers that follow from it.

Costs are counted in multiplications. With n rows, k coefficients and `size` entries, a read of the data
takes 2 size, an exact Hessian size * (size / n), a metric n_s k^2 for n_s sampled rows plus k^3 / 3.

- Newton's method pays the Hessian at each of its 5 to 8 steps. It is chosen where that is little
  (`_CHEAP_HESSIAN`), as it then ends at machine precision.
- Else, up to `_MOST_FULL` coefficients, the metric is a Hessian: of a sample of rows where there are
  many more rows than the sample needs, after solving on the sample; else of all rows, made again
  when the decrement has come down, which is a handful of times fewer than Newton's method makes it.
- Else head and diagonal.
"""

from collections.abc import Callable

import numpy as np

from ..data import Array, Block, Data
from ..objective import Objective
from . import Metric, Report, Solution, Status
from .metrics import Cholesky, head_and_diagonal
from .quasi_newton import State, Watch, minimize

_CHEAP_HESSIAN = 3e7
_MOST_FULL = 3000
_MOST_FULL_SPARSE = 500
_REFRESH = 1e-2  # the decrement, in units of the mean loss, at which a metric made far from the optimum is made again
_PATIENCE = 8  # iterations without a tenfold fall of the decrement before the exact Hessian is called in


def sample_rows(data: Data) -> int:
    """Rows of a sample that shows the Hessian within some ten per cent, or its head where columns are many."""
    return max(4096, 64 * data.n_columns) if data.n_columns <= _most_full(data) else 20_000


def _most_full(data: Data) -> int:
    return _MOST_FULL_SPARSE if data.sparse else _MOST_FULL


def choose(objective: Objective) -> str:
    """`newton` where exact Hessians are cheap, else `quasi-newton`."""
    data = objective.data
    hessian = data.size * max(data.size / data.n_rows, 1.0) + objective.n_coef**3 / 3
    return "newton" if hessian <= _CHEAP_HESSIAN else "quasi-newton"


def newton(
    objective: Objective,
    theta: Array,
    sample: Block,
    *,
    tol: float,
    max_iter: int,
    watch: Watch | None = None,
    report: Report | None = None,
) -> Solution:
    """The smooth loop with the exact Hessian at every step."""
    return _run("newton", objective, theta, None, None, tol=tol, max_iter=max_iter, watch=watch, report=report)


def quasi_newton(
    objective: Objective,
    theta: Array,
    sample: Block,
    *,
    tol: float,
    max_iter: int,
    watch: Watch | None = None,
    report: Report | None = None,
) -> Solution:
    """The smooth loop with the metric that suits the data. A start of zeros is replaced by the sample's optimum."""
    if objective.data.n_columns > _most_full(objective.data):
        metric: Metric = head_and_diagonal(objective, theta, sample)
        remake = _once(lambda state: head_and_diagonal(objective, state.theta, sample))
    elif 4 * sample.n_rows <= objective.data.n_rows:
        theta, metric = _from_sample(objective, theta, sample)
        remake = None
    else:
        metric = Cholesky(objective.value_grad_hess(theta)[2])
        remake = _once(lambda state: Cholesky(objective.value_grad_hess(state.theta)[2]))
    return _run(
        "quasi-newton",
        objective,
        theta,
        metric,
        remake,
        tol=tol,
        max_iter=max_iter,
        watch=watch,
        report=report,
    )


def _from_sample(objective: Objective, theta: Array, sample: Block) -> tuple[Array, Metric]:
    """The optimum on a sample of the rows, and the sample's Hessian there.

    A ridge far below sampling error keeps a sample finite whose classes are separated or in which a
    column is constant; a start from elsewhere (`warm_start`) is kept where it is the better one.
    """
    part = objective.on(sample)
    part.ridge = part.ridge + 1e-6
    solver = newton if choose(part) == "newton" else quasi_newton
    solved = solver(part, np.zeros_like(theta), sample, tol=0.1, max_iter=15)
    start = theta if theta.any() and part.value_grad(theta)[0] < solved.loss else solved.theta
    return start, Cholesky(part.value_grad_hess(start)[2])


def _once(make: Callable[[State], Metric]) -> Callable[[State], Metric | None]:
    """Make the metric again once, when the decrement has come down to `_REFRESH` but is not yet small."""
    done = False

    def remake(state: State) -> Metric | None:
        nonlocal done
        if done or state.decrement > _REFRESH:
            return None
        done = True
        return make(state)

    return remake


def _run(
    name: str,
    objective: Objective,
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
    rescue = objective.data.n_columns <= _most_full(objective.data)
    exact = metric is None

    def first_order(theta: Array) -> tuple[float, Array, Array | None]:
        result = objective.value_grad(theta)
        history.append(result[0])
        return result

    def evaluate(theta: Array) -> tuple[float, Array, Array | None]:
        if not exact:
            return first_order(theta)
        result = objective.value_grad_hess(theta)
        history.append(result[0])
        return result

    def look(state: State) -> Status | None:
        nonlocal exact
        exact = exact or (rescue and state.slow > _PATIENCE)
        if report is not None and report(state.iteration, state.value, _error(objective, state.decrement), state.theta):
            return Status.STOPPED
        return watch(state) if watch is not None else None

    target = tol**2 / (2 * objective.total_weight)
    state = minimize(
        evaluate,
        theta,
        metric,
        target=target,
        max_iter=max_iter,
        from_hessian=Cholesky,
        polish=first_order,
        remake=remake,
        watch=look,
    )
    gap = max(state.decrement, 0.0)
    return Solution(
        theta=state.theta,
        loss=state.value,
        gap=gap,
        error=_error(objective, gap),
        passes=objective.passes,
        iterations=state.iteration,
        status=state.status,
        history=np.array(history),
        solver=name,
    )


def _error(objective: Objective, gap: float) -> float:
    return float(np.sqrt(2 * objective.total_weight * max(gap, 0.0)))
