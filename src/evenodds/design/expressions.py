"""What a formula makes of columns, as data: a tree of operations that can be saved, and gives each row the same bits
wherever it stands.

Nothing is evaluated but the operations of this module. What an operation learns from the rows of the fit (a mean, the
knots of a spline) is its state.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..arrays import Array
from ..exceptions import EvenOddsError
from .columns import WORDS, Column, Level

_BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
}
_UNARY: dict[str, Callable[[Array], Array]] = {
    "neg": np.negative,
    **{name: getattr(np, name) for name in ("log", "log2", "log10", "log1p", "exp", "exp2", "expm1", "sqrt", "abs")},
}
PARTS = {
    "year": pc.year,
    "quarter": pc.quarter,
    "month": pc.month,
    "day": pc.day,
    "weekday": pc.day_of_week,
    "hour": pc.hour,
    "minute": pc.minute,
}
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September")
PART_NAMES: dict[str, tuple[int, tuple[str, ...]]] = {  # the number of the first, and all
    "month": (1, (*_MONTHS, "October", "November", "December")),
    "weekday": (0, ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")),
}
BASES = ("poly", "bs", "cr")
LEARNING = ("center", "scale")
FUNCTIONS = (*(name for name in _UNARY if name != "neg"), *LEARNING)


class Rows(Protocol):
    """Some rows, from which expressions take columns; a missing value is NaN, or what stands for it."""

    def numbers(self, name: str) -> Array:
        """A column of numbers or booleans."""

    def column(self, name: str) -> Column:
        """A column of any kind."""


@dataclass(frozen=True)
class Expression:
    """An operation on others: their results, of one number a row, make one, or a basis of several.

    operation : "column", "missing" (1 where a column has no value), "number", one of `PARTS`, `FUNCTIONS`, `BASES`,
        or arithmetic
    args : expressions; of a column its name, of a number its value
    options : of a basis, as the formula gives them
    state : what it has learnt
    """

    operation: str
    args: tuple[Any, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)

    def columns(self) -> tuple[str, ...]:
        """The names of the columns that it takes."""
        if self.operation in ("column", "missing"):
            return self.args
        if self.operation == "number":
            return ()
        return tuple(dict.fromkeys(name for arg in self.args for name in arg.columns()))

    @property
    def learns(self) -> bool:
        """Whether it is an operation that has a state."""
        return self.operation in LEARNING or self.operation in BASES

    def waiting(self, states: Mapping[str, Any]) -> list["Expression"]:
        """What in it is to learn next from the rows of a fit: what has no state, and takes nothing that has none.

        states : those that are known, see `with_states`
        """
        if self.operation in ("column", "missing", "number"):
            return []
        inner = [one for arg in self.args for one in arg.waiting(states)]
        return inner if inner or not self.learns or self.state or repr(self) in states else [self]

    def with_states(self, states: Mapping[str, Mapping[str, Any]]) -> "Expression":
        """The same with the states that operations have learnt, by what these look like as text."""
        if self.operation in ("column", "missing", "number"):
            return self
        this = replace(self, args=tuple(arg.with_states(states) for arg in self.args))
        return replace(this, state=states.get(repr(this), self.state))

    def values(self, rows: Rows) -> Array:
        """One number a row (n,), of a basis several (n, k)."""
        name = self.operation
        if name == "column":
            return rows.numbers(self.args[0])
        if name == "missing":
            return rows.column(self.args[0]).missing.astype(np.float64)
        if name == "number":
            return np.asarray(float(self.args[0]))
        if name in PARTS:
            return part_of(name, rows.column(self.args[0].args[0]))
        with np.errstate(all="ignore"):
            args = [arg.values(rows) for arg in self.args]
            if name in _BINARY:
                return np.asarray(_BINARY[name](*args))
            if name in _UNARY:
                return np.asarray(_UNARY[name](*args))
            if name in LEARNING:
                return np.asarray((args[0] - self.state["mean"]) / self.state.get("deviation", 1.0))
        from .splines import basis_of

        return basis_of(self, args[0])


def part_of(name: str, column: Column) -> Array:
    """A part of dates, as numbers, NaN where there is none."""
    if column.kind == "nothing":
        return np.full(len(column.values), np.nan)
    if column.kind != "date":
        advice = " Make dates of it first." if column.kind == "text" else ""
        raise EvenOddsError(
            f"{name}({column.name}) is a part of dates, and the column has {WORDS[column.kind]}.{advice}"
        )
    try:
        return np.asarray(pc.cast(PARTS[name](column.values), "double").to_numpy(zero_copy_only=False))
    except pa.ArrowNotImplementedError as error:  # such as hours of dates without a time of day
        raise EvenOddsError(f"{name}({column.name}): dates of type {column.values.type} have no such part.") from error
    except pa.ArrowInvalid as error:  # of a time zone that this machine does not know
        raise EvenOddsError(f"{name}({column.name}): {error}.") from error


def part_level(name: str, number: int) -> Level:
    """The level of a part: weekdays and months by name."""
    if name not in PART_NAMES:
        return number
    first, names = PART_NAMES[name]
    return names[number - first]


def number_of(name: str, level: Level) -> int:
    """The number of a level of a part."""
    if isinstance(level, str):
        first, names = PART_NAMES[name]
        return first + names.index(level)
    return int(level or 0)
