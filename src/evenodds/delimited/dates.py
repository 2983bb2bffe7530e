"""Dates as they are written: day, month and year in an order that the dates of a column decide, or their user."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

ORDERS = {"dmy": "%d{0}%m{0}%Y", "mdy": "%m{0}%d{0}%Y", "ymd": "%Y{0}%m{0}%d"}
# With the month in (English) words, which leaves no doubt.
_WORDS = {
    "dmy": ("%d %b %Y", "%d-%b-%Y", "%d. %b %Y"),
    "mdy": ("%b %d, %Y", "%b %d %Y"),
    "ymd": ("%Y-%b-%d", "%Y %b %d"),
}
_TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_TIME = r"([ T]\d{1,2}:\d{2}(:\d{2})?( [AaPp][Mm])?)?$"
_NUMBERS = r"^\d{1,4}[./-]\d{1,2}[./-]\d{1,4}" + _TIME
_MONTH = "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_NAMED = rf"^(\d{{1,4}}[.]?[ -])?{_MONTH}[ -]\d{{1,4}}(,? \d{{4}})?" + _TIME

_SHORT = r"^\d{1,2}([./-])(\d{1,2}|" + _MONTH + r")[./-]\d{2}" + _TIME


def dates_of(texts: pa.Array, order: str | None) -> tuple[Any, list[str]]:
    """Distinct texts as dates, or None where they are none; and the orders in which all of them are dates.

    order : the one that they have, if somebody has said it
    """
    if not len(texts) or not any(pc.all(pc.match_substring_regex(texts, look)).as_py() for look in (_NUMBERS, _NAMED)):
        return None, []
    found: dict[str, Any] = {}
    for name, form in _forms(order):
        for time in _TIMES:
            dates = pc.strptime(texts, form + time, "s", error_is_null=True)
            # A year of one or two digits would be one of the first century.
            if not dates.null_count and pc.min(pc.year(dates)).as_py() >= 1000:
                found[name] = dates if time else dates.cast(pa.date32())
    if not found:
        return None, []
    first, *others = found.values()
    return (first if all(first.equals(other) for other in others) else None), list(found)


def have_short_years(texts: pa.Array) -> bool:
    """Whether all texts look like dates with years of two digits, of which nobody knows the century."""
    return bool(len(texts) and pc.all(pc.match_substring_regex(texts, _SHORT)).as_py())


def _forms(order: str | None) -> Iterator[tuple[str, str]]:
    """The ways to write a day, each with its order."""
    for name in ORDERS if order is None else (order,):
        for sign in "./-":
            if sign != "." or name != "mdy" or order is not None:  # nobody writes it with points
                yield name, ORDERS[name].format(sign)
        yield from ((name, form) for form in _WORDS[name])
