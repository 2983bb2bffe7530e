"""The smallest problem that still fails: rows, columns and parameters are left out while the failure stays."""

import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from . import Family, Problem

SECONDS = 60


def failure(family: Family, problem: Problem) -> str | None:
    """What is wrong, in words; None if nothing is."""
    try:
        with _limited():
            family.check(problem)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


@contextmanager
def _limited() -> Iterator[None]:
    """An error where a member takes more than `SECONDS` of work, as far as the platform can interrupt it."""
    if not hasattr(signal, "SIGPROF") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise AssertionError(f"a member takes more than {SECONDS} s of work")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def shrunk(family: Family, problem: Problem, seconds: float = 120) -> Problem:
    """A smaller problem with the same failure: what is found in so many seconds."""
    end = time.monotonic() + seconds
    kind = _kind(failure(family, problem))
    going = True
    while going:
        going = False
        for smaller in _smaller(problem):
            if time.monotonic() > end:
                return problem
            if _kind(failure(family, smaller)) == kind:
                problem, going = smaller, True
                break
    return problem


def _kind(words: str | None) -> str | None:
    """The failure without its numbers."""
    return None if words is None else re.split(r"[\d\[(]", words, maxsplit=1)[0]


def _smaller(problem: Problem) -> Iterator[Problem]:
    if problem.form != "given":
        yield replace(problem, form="given")
    for name in ("sample_weight", "offset"):
        if getattr(problem, name) is not None:
            yield replace(problem, **{name: None})
    for name in problem.settings:
        yield replace(problem, settings={k: v for k, v in problem.settings.items() if k != name})
    n, p = problem.X.shape
    for size in (n // 2, n // 4, n // 8, 1):
        for start in range(0, n, size) if 0 < size < n and n // size <= 64 else ():
            yield problem.rows(np.delete(np.arange(n), slice(start, start + size)))
    for j in range(p) if p > 1 else ():
        yield problem.columns(np.delete(np.arange(p), j))
    for name in ("X", "sample_weight", "offset"):
        for digits in (1, 2, 4):
            rounded = _rounded(getattr(problem, name), digits)
            if rounded is not None:
                yield replace(problem, **{name: rounded})


def _rounded(values: Any, digits: int) -> Any:
    """Numbers with few digits, if that changes them."""
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
        return None
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        unit = 10.0 ** (np.floor(np.log10(np.abs(values))) - digits + 1)
        new = np.where(values == 0, 0, np.round(values / unit) * unit).astype(values.dtype)
    return new if np.isfinite(new).all() and not np.allclose(new, values, rtol=1e-12, atol=0) else None
