"""Parts of dates in ONNX, which has no dates: of whole seconds since 1970, as NumPy's datetime64[s] holds them.

The calendar counts years from March, so that a leap day is the last of its year, in cycles of 400 years (Howard
Hinnant, "chrono-compatible low-level date algorithms", 2021). Whole cycles are added first: ONNX divides towards 0.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .onnx_language import Graph

MISSING = np.iinfo(np.int64).min  # what NaT is as a whole number
_CYCLE = 146_097  # days
_ADDED = 20_000  # cycles
_FIRST = 719_468 + _ADDED * _CYCLE  # days from the first of March of a year 0, less the cycles, to 1970


def part_of(graph: "Graph", seconds: str, part: str) -> str:
    """A part of dates (n,) as Arrow counts it: weekdays from Monday, which is 0."""
    time = graph.node("Add", seconds, _whole(graph, _FIRST * 86_400))
    if part in ("hour", "minute"):
        rest, unit = (86_400, 3_600) if part == "hour" else (3_600, 60)
        return _over(graph, _modulo(graph, time, rest), unit)
    day = _over(graph, time, 86_400)
    if part == "weekday":
        return _modulo(graph, graph.node("Add", day, _whole(graph, (3 - _FIRST) % 7)), 7)
    return _calendar(graph, day, part)


def _calendar(graph: "Graph", day: str, part: str) -> str:
    """Day, month, quarter or year of the days of the cycles."""
    add, less, times = (_with(graph, kind) for kind in ("Add", "Sub", "Mul"))
    of_cycle = _modulo(graph, day, _CYCLE)
    leap = graph.node("Sub", _over(graph, of_cycle, 36_524), _over(graph, of_cycle, 1_460))
    leap = graph.node("Sub", leap, _over(graph, of_cycle, 146_096))
    year = _over(graph, graph.node("Add", of_cycle, leap), 365)
    before = graph.node("Add", times(year, 365), graph.node("Sub", _over(graph, year, 4), _over(graph, year, 100)))
    of_year = graph.node("Sub", of_cycle, before)
    from_march = _over(graph, add(times(of_year, 5), 2), 153)
    if part == "day":
        return add(graph.node("Sub", of_year, _over(graph, add(times(from_march, 153), 2), 5)), 1)
    month = add(_modulo(graph, add(from_march, 2), 12), 1)
    if part == "month":
        return month
    if part == "quarter":
        return _over(graph, add(month, 2), 3)
    cycle = less(_over(graph, day, _CYCLE), _ADDED)
    after = graph.node("Cast", graph.node("Less", month, _whole(graph, 3)), to=7)
    return graph.node("Add", graph.node("Add", year, times(cycle, 400)), after)


def _with(graph: "Graph", kind: str) -> Callable[[str, int], str]:
    return lambda a, value: graph.node(kind, a, _whole(graph, value))


def _whole(graph: "Graph", value: int) -> str:
    return graph.constant(np.array([value], dtype=np.int64))


def _over(graph: "Graph", a: str, value: int) -> str:
    return graph.node("Div", a, _whole(graph, value))


def _modulo(graph: "Graph", a: str, value: int) -> str:
    return graph.node("Mod", a, _whole(graph, value))
