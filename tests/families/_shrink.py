"""The smallest problem that still fails: rows, columns and parameters are left out while the failure stays."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from . import Family, Problem


def failure(family: Family, problem: Problem) -> str | None:
    """What is wrong, in words; None if nothing is."""
    try:
        family.check(problem)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def shrunk(family: Family, problem: Problem, tries: int = 400) -> Problem:
    """A smaller problem with the same failure."""
    kind = _kind(failure(family, problem))
    going = True
    while going:
        going = False
        for smaller in _smaller(problem):
            tries -= 1
            if tries < 0:
                return problem
            if _kind(failure(family, smaller)) == kind:
                problem, going = smaller, True
                break
    return problem


def _kind(words: str | None) -> str | None:
    """The failure without its numbers."""
    return None if words is None else re.split(r"[\d\[(]", words, maxsplit=1)[0]


def _smaller(problem: Problem) -> Iterator[Problem]:
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
    for digits in (0, 2):
        rounded = _rounded(problem.X, digits)
        if rounded is not None:
            yield replace(problem, X=rounded)


def _rounded(X: Any, digits: int) -> Any:
    """X with few digits, if that changes it."""
    if not isinstance(X, np.ndarray) or X.dtype.kind != "f":
        return None
    new = np.round(X, digits)
    return None if np.array_equal(new, X) else new
