"""Dates as they are written: day, month and year in an order that the dates of a column decide, or their user."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

ORDERS = {"dmy": "%d{0}%m{0}%Y", "mdy": "%m{0}%d{0}%Y", "ymd": "%Y{0}%m{0}%d"}
_LOOK = r"^\d{1,4}[./-]\d{1,2}[./-]\d{1,4}([ T]\d{1,2}:\d{2}(:\d{2})?)?$"
_TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S")


def dates_of(texts: Any, order: str | None) -> tuple[Any, list[str]]:
    """Distinct texts as dates, or None where they are none; and the orders in which all of them are dates.

    order : the one that they have, if somebody has said it
    """
    if not len(texts) or not pc.all(pc.match_substring_regex(texts, _LOOK)).as_py():
        return None, []
    found: dict[str, Any] = {}
    for name in ORDERS if order is None else (order,):
        for sign in "./-":
            if sign == "." and name == "mdy" and order is None:  # nobody writes it so
                continue
            for time in _TIMES:
                dates = pc.strptime(texts, ORDERS[name].format(sign) + time, "s", error_is_null=True)
                # A year of one or two digits would be one of the first century.
                if not dates.null_count and pc.min(pc.year(dates)).as_py() >= 1000:
                    found[name] = dates if time else dates.cast(pa.date32())
    if not found:
        return None, []
    first, *others = found.values()
    return (first if all(first.equals(other) for other in others) else None), list(found)
