"""What a running fit tells: lines on stderr for `verbose`, and scikit-learn's callbacks where it has them.

scikit-learn 1.9 brought `set_callbacks` (experimental); without it `CallbackSupport` is an empty mixin.
"""

import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from .data import Array
from .solvers import Report

try:
    from sklearn import callback as _callback
except ImportError:
    _callback = None

CallbackSupport: Any = _callback.CallbackSupportMixin if _callback else type("CallbackSupport", (), {})

Method = TypeVar("Method", bound=Callable[..., Any])


def with_callbacks(method: Method) -> Method:
    """Decorate a `fit` so that the callbacks are taken down whatever happens in it."""
    return _callback.with_callbacks(method) if _callback else method


def to_stderr(solver: str, n_rows: int, n_columns: int) -> Report:
    """A report that writes one line an iteration."""
    began = time.perf_counter()
    print(f"evenodds: {n_rows:,} rows, {n_columns:,} columns, {solver}", file=sys.stderr)

    def report(iteration: int, loss: float, error: float, theta: Array) -> bool:
        distance = "" if error != error else f"   error {error:8.1e} standard errors"
        seconds = time.perf_counter() - began
        print(f"  iteration {iteration:4d}   loss {loss:.10g}{distance}   {seconds:7.2f} s", file=sys.stderr)
        return False

    return report


def to_callbacks(
    estimator: Any, X: Any, y: Any, most: int, attributes: Callable[[Array], dict[str, Any]]
) -> Report | None:
    """A report that runs scikit-learn's callbacks, one task an iteration; None if there are none to run.

    most : iterations at the most
    attributes : theta -> the fitted attributes as if the fit ended there
    """
    if not (hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx")):
        return None
    root = estimator._init_callback_context(max_subtasks=most)
    root.call_on_fit_task_begin(estimator=estimator, X=X, y=y)

    def report(iteration: int, loss: float, error: float, theta: Array) -> bool:
        task = root.subcontext(task_name="iteration")
        task.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
        return bool(
            task.call_on_fit_task_end(estimator=estimator, X=X, y=y, reconstruction_attributes=attributes(theta))
        )

    return report


def end_callbacks(estimator: Any, X: Any, y: Any) -> None:
    """Tell the callbacks that the fit has ended."""
    if hasattr(estimator, "_callback_fit_ctx"):
        estimator._callback_fit_ctx.call_on_fit_task_end(estimator=estimator, X=X, y=y)


def both(first: Report | None, second: Report | None) -> Report | None:
    """One report that makes two; it asks to stop if either does."""
    if first is None or second is None:
        return first or second

    def report(iteration: int, loss: float, error: float, theta: Array) -> bool:
        stop = first(iteration, loss, error, theta)
        return second(iteration, loss, error, theta) or stop

    return report
