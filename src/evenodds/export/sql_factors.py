"""The factors of a model in SQL: a number by the level of each row."""

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..arrays import Array
from ..design import Factor, Level
from ..design.expressions import number_of
from ..exceptions import EvenOddsError
from .sql_language import Sql

if TYPE_CHECKING:
    from sqlglot import exp

    E = exp.Expression

_EXACT = 2**53  # the whole numbers below are doubles
_PARTS = {"year": "YEAR", "quarter": "QUARTER", "month": "MONTH", "day": "DAY", "hour": "HOUR", "minute": "MINUTE"}
_WEEKDAYS = {"bigquery": ("DAYOFWEEK", 2), "snowflake": ("DAYOFWEEKISO", 1)}  # the part, and its number of Monday
_STRFTIME = {"year": "%Y", "quarter": "%m", "month": "%m", "day": "%d", "weekday": "%w", "hour": "%H", "minute": "%M"}


def looked_up(sql: Sql, factors: Sequence[Factor], weights: Array) -> "E":
    """A number by the levels of factors, one axis of the array each; NULL for levels that give none."""
    if not factors:
        return sql.number(float(weights))
    factor, rest = factors[0], factors[1:]
    gone, new = _instead(sql, factor)
    levels = {k: level for k, level in enumerate(factor.levels) if level is not None}
    if new is not None:  # what all others count as need not be told apart from them
        levels = {k: level for k, level in levels.items() if weights[k].tobytes() != weights[new].tobytes()}
    held = _held(sql, factor, exact=any(isinstance(v, int) and abs(v) >= _EXACT for v in levels.values()))
    default = sql.nothing() if new is None else looked_up(sql, rest, weights[new])
    ifs = [
        sql.exp.If(this=_level(sql, factor, level), true=looked_up(sql, rest, weights[k]))
        for k, level in levels.items()
    ]
    found = sql.exp.Case(this=held, ifs=ifs, default=default) if ifs else default
    if gone is None and new is None:  # NULL is equal to no level
        return found
    instead = sql.nothing() if gone is None else looked_up(sql, rest, weights[gone])
    return sql.case([(sql.is_null(held.copy()), instead)], found)


def _instead(sql: Sql, factor: Factor) -> tuple[int | None, int | None]:
    """The places of the levels that missing values and unseen levels count as."""
    assert sql.design is not None
    gone = factor.levels.index(None) if None in factor.levels else None
    policy = sql.design.unseen
    new = {"error": None, "reference": factor.levels.index(factor.reference), "missing": gone}[policy]
    return gone, new


def _held(sql: Sql, factor: Factor, exact: bool) -> "E":
    """What levels are compared with. exact : whether some are whole numbers that doubles do not hold"""
    kind = sql.kind_of(factor.source)
    if factor.is_part:
        return _part(sql, factor)
    if kind == "text":
        found: E = sql.exp.cast(sql.name(factor.source), sql.exp.DataType.Type.TEXT)
        return found
    if exact:
        return sql.name(factor.source)
    return sql.whole(sql.name(factor.source)) if kind == "boolean" else sql.known(factor.source)


def _part(sql: Sql, factor: Factor) -> "E":
    """A part of dates as a whole number, as Arrow counts it: weekdays from Monday, which is 0."""
    exp, part, a = sql.exp, factor.expression.operation, sql.name(factor.source)
    if sql.dialect.name == "sqlite":
        text = exp.Anonymous(this="STRFTIME", expressions=[exp.Literal.string(_STRFTIME[part]), a])
        value, monday = sql.whole(text), 1
    else:
        day, monday = _WEEKDAYS.get(sql.dialect.name, ("ISODOW", 1))
        value = sql.whole(exp.Extract(this=exp.Var(this=_PARTS.get(part, day)), expression=a))
    found: E = value
    if part == "weekday":
        shifted = exp.Paren(this=exp.Add(this=value, expression=_int(exp, 7 - monday)))
        found = exp.Mod(this=shifted, expression=_int(exp, 7))
    elif part == "quarter" and sql.dialect.name == "sqlite":  # which has the month
        found = exp.IntDiv(this=exp.Paren(this=exp.Add(this=value, expression=_int(exp, 2))), expression=_int(exp, 3))
    return found


def _level(sql: Sql, factor: Factor, level: Level) -> "E":
    """A level as it is compared."""
    exp = sql.exp
    found: E
    if factor.is_part:
        found = _int(exp, number_of(factor.expression.operation, level))
    elif isinstance(level, str):
        if "\0" in level:
            raise EvenOddsError(f"{factor.name} has a level with a NUL character, {level!r}: SQL cannot hold it.")
        found = exp.Literal.string(level)
    elif isinstance(level, float):
        found = sql.number(level)
    else:
        exact = sql.kind_of(factor.source) == "boolean" or abs(int(level or 0)) >= _EXACT
        found = _int(exp, int(level or 0)) if exact else sql.number(float(level or 0))
    return found


def _int(exp: ModuleType, value: int) -> Any:
    literal = exp.Literal.number(abs(value))
    return exp.Neg(this=literal) if value < 0 else literal
