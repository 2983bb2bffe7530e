"""What a running fit tells: lines on stderr for `verbose`, and scikit-learn's callbacks where it has them.

scikit-learn 1.9 brought `set_callbacks` (experimental); without it `CallbackSupport` is an empty mixin.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from .arrays import Array
from .naming import listed_labels
from .solvers import Report

try:
    from sklearn import callback as _callback
except ImportError:
    _callback = None

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from .solvers.proximal_newton import Optimum

Stop: TypeAlias = "Callable[[Sequence[Optimum]], bool]"

_INTERVAL = 1.0  # seconds between two lines of many short steps

CallbackSupport: Any = _callback.CallbackSupportMixin if _callback else type("CallbackSupport", (), {})

Method = TypeVar("Method", bound=Callable[..., Any])


def with_callbacks(method: Method) -> Method:
    """Decorate a `fit` so that the callbacks are taken down whatever happens in it."""
    return _callback.with_callbacks(method) if _callback else method


def to_stderr(solver: str, n_rows: int, n_columns: int) -> Report:
    """A report that writes one line an iteration."""
    began = perf_counter()
    print(f"evenodds: {n_rows:,} rows, {n_columns:,} columns, {solver}", file=sys.stderr)

    def report(iteration: int, loss: float, error: float, theta: Array) -> bool:
        distance = "" if error != error else f"   error {error:8.1e} standard errors"
        seconds = perf_counter() - began
        print(f"  iteration {iteration:4d}   loss {loss:.10g}{distance}   {seconds:7.2f} s", file=sys.stderr)
        return False

    return report


class Lines:
    """Lines on stderr about many steps: one at the beginning, one a second at the most, and one at the end."""

    def __init__(self, head: str) -> None:
        self._began = self._last = perf_counter()
        print(f"evenodds: {head}", file=sys.stderr)

    def say(self, text: str, *, always: bool = False) -> bool:
        """Write a line, unless the last one was a moment ago; whether it is written."""
        now = perf_counter()
        due = always or now - self._last >= _INTERVAL
        if due:
            self._last = now
            print(f"  {text}   {now - self._began:7.2f} s", file=sys.stderr)
        return due

    def end(self, text: str) -> None:
        """Write the last line."""
        print(f"evenodds: {text}, {perf_counter() - self._began:.2f} s", file=sys.stderr)


class ReadLines:
    """What is told of the reads of rows that are not in memory: the share read, the time left, and at the end a sum."""

    def __init__(self) -> None:
        self._began, self._lock = perf_counter(), threading.Lock()
        self._seconds: list[float] = []
        self._all: int | None = None
        self._rows = self._columns = 0
        self._start = self._last = self._began

    def begin(self, n_rows: int | None, n_columns: int) -> None:
        """A read begins."""
        self._all, self._rows, self._columns = n_rows, 0, n_columns
        self._start = self._last = perf_counter()

    def step(self, n_rows: int) -> None:
        """So many rows more have been read; a line of that, if the last one was not a moment ago."""
        with self._lock:
            self._rows += n_rows
            now = perf_counter()
            if now - self._last < _INTERVAL:
                return
            self._last, took = now, now - self._start
            share = f"{self._rows:,} rows"
            if self._all:
                share = f"{self._rows / self._all:4.0%}   {took * (self._all / self._rows - 1):7.1f} s left"
            print(f"  read {len(self._seconds) + 1:4d}   {share}   {took:7.2f} s", file=sys.stderr)

    def end(self) -> None:
        """The read has ended."""
        self._seconds.append(perf_counter() - self._start)

    def sum_up(self) -> None:
        """How many reads there were, of how much, and what part of the time they took."""
        if not self._seconds:
            return
        n_rows, total = self._all or self._rows, perf_counter() - self._began
        size = f" x {self._columns:,} columns, {8e-9 * n_rows * self._columns:.3g} GB as numbers" if n_rows else ""
        rows = f" of {n_rows:,} rows{size}" if n_rows else ""
        print(
            f"evenodds: {len(self._seconds)} reads{rows}: {sum(self._seconds):.2f} s of {total:.2f} s, "
            f"the first {self._seconds[0]:.2f} s",
            file=sys.stderr,
        )


class PathLines(Lines):
    """What a path tells: the fits that are done, or the rounds of all fits together."""

    def __init__(self, kind: str, n_rows: int, n_columns: int) -> None:
        super().__init__(f"{n_rows:,} rows, {n_columns:,} columns, path of {kind}")
        self._rows, self._rounds = 0, 0

    def telling(self, stop: Stop | None, Cs: Array, null: float) -> Stop:
        """The same answers as `stop`, which is asked after each fit, and a word about the fit.

        null : the loss of the intercept alone
        """

        def telling(points: Sequence[Optimum]) -> bool:
            k = len(points) - 1
            gap, ratio = points[k].gap, round(1 - points[k].loss / null, 4) + 0.0  # no -0
            text = f"fit {k + 1:4d} of {Cs.size}   C {Cs[k]:<11.5g}   deviance ratio {ratio:.4f}   gap {gap:.1e}"
            if not self._rounds:  # by which the fits were told together
                self.say(text)
            return stop is not None and stop(points)

        return telling

    def after_round(self, n_rows: int, points: Sequence[Optimum]) -> None:
        """After each round, which is one read of the data or of a sample of the rows."""
        self._rounds = self._rounds + 1 if n_rows == self._rows else 1
        self._rows = n_rows
        done = sum(point.status is not None for point in points)
        gap = max(point.gap for point in points)
        text = f"round {self._rounds:3d} on {n_rows:,} rows   {done:4d} of {len(points)} fits done   gaps to {gap:.1e}"
        self.say(text)


class FoldLines(Lines):
    """What a cross-validation tells: the folds that are done, each in one line or another."""

    def __init__(self, n_folds: int, ratios: Sequence[float]) -> None:
        self._several = len(ratios) > 1
        super().__init__(f"{n_folds} folds" + f" for each of {len(ratios)} values of l1_ratio" * self._several)
        self._all, self._done = n_folds * len(ratios), 0
        self._new: dict[float, list[int]] = {}
        self._lock = threading.Lock()

    def after_fold(self, number: int, ratio: float) -> None:
        """After each fold, in whatever thread."""
        with self._lock:
            self._done += 1
            self._new.setdefault(ratio, []).append(number)
            if self.say(self._text(), always=self._done == self._all):
                self._new.clear()

    def _text(self) -> str:
        of = {ratio: f" with l1_ratio {ratio:g}" * self._several for ratio in self._new}
        parts = "; ".join(listed_labels(sorted(folds), 10) + of[ratio] for ratio, folds in self._new.items())
        return f"folds done: {parts} ({self._done} of {self._all})"


class Callbacks:
    """scikit-learn's callbacks of one fit: a task for all of it, and in it one for each iteration, as in scikit-learn.

    The task of an iteration begins with the coefficients before it and ends with those after it. Whether there is
    another iteration is known when the fit has ended: the last task is empty.
    """

    def __init__(self, estimator: BaseEstimator, new: object, X: object, y: object) -> None:
        """
        new : the model in the making, which tasks are told of
        """
        self._estimator, self._told = estimator, {"estimator": new, "X": X, "y": y}
        self._task: Any = None
        self._iteration, self._stopped = 0, False

    @property
    def any(self) -> bool:
        """Whether there are some to run."""
        return hasattr(self._estimator, "_skl_callbacks") or hasattr(self._estimator, "_parent_callback_ctx")

    def report(self, most: int, to_coefs: Callable[[Array], tuple[Array, Array]] | None) -> Report | None:
        """A report that runs the callbacks; None if there are none to run.

        most : iterations at the most
        to_coefs : theta -> intercepts and coefficients as if the fit ended there, where that can be said
        """
        if not self.any:
            return None
        root = self._estimator._init_callback_context(max_subtasks=most)
        root.call_on_fit_task_begin(**self._told)

        def report(iteration: int, loss: float, error: float, theta: Array) -> bool:
            if self._stopped:  # Newton's steps of one call ended there, and the loop that goes on from them asks again
                return True
            given = dict(self._told)
            if to_coefs is not None:  # made only for callbacks that ask for them
                given["reconstruction_attributes"] = lambda: dict(
                    zip(("intercept_", "coef_"), to_coefs(theta), strict=True)
                )
            if self._task is not None:
                if iteration == self._iteration:  # another metric goes on from here
                    return False
                if self._task.call_on_fit_task_end(**given):
                    self._task, self._stopped = None, True
                    return True
            self._iteration = iteration
            self._task = root.subcontext(task_name="iteration").call_on_fit_task_begin(**given)
            return False

        return report

    def end(self) -> None:
        """Tell the callbacks that the fit has ended."""
        if self._task is not None:
            self._task.call_on_fit_task_end(estimator=self._told["estimator"])
        if hasattr(self._estimator, "_callback_fit_ctx"):
            self._estimator._callback_fit_ctx.call_on_fit_task_end(**self._told)


def both(first: Report | None, second: Report | None) -> Report | None:
    """One report that makes two; it asks to stop if either does."""
    if first is None or second is None:
        return first or second

    def report(iteration: int, loss: float, error: float, theta: Array) -> bool:
        stop = first(iteration, loss, error, theta)
        return second(iteration, loss, error, theta) or stop

    return report
