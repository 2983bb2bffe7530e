"""A design as JSON can hold it, and back; every value is checked when it is read."""

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from ..exceptions import EvenOddsError
from .columns import WORDS, Level
from .design import MISSING, UNSEEN, Design
from .expressions import BASES, FUNCTIONS, LEARNING, PARTS, Expression
from .splines import OPTIONS
from .terms import Factor, Number, Part, Term

_ARITHMETIC = {"+": 2, "-": 2, "*": 2, "/": 2, "**": 2, "neg": 1}
_DEPTH = 50  # of expressions, more than any formula has
_STATE = {"center": {"mean"}, "scale": {"mean", "deviation"}}
_BASIS_STATE = {
    "poly": {"alpha", "norms2"},
    "bs": {"lower_bound", "upper_bound", "knots"},
    "cr": {"lower_bound", "upper_bound", "knots", "constraints", "cyclic"},
}


def recorded(design: Design) -> dict[str, Any]:
    """A design as JSON can hold it."""
    plain = {each.name: getattr(design, each.name) for each in fields(design)}
    return plain | {
        "kinds": dict(design.kinds),
        "fills": dict(design.fills),
        "counts": dict(design.counts),
        "atoms": [_atom(atom) for atom in design.atoms],
        "terms": [
            {"name": term.name, "blocks": [[[part.atom, part.full] for part in block] for block in term.blocks]}
            for term in design.terms
        ],
    }


def _atom(atom: Number | Factor) -> dict[str, Any]:
    own: dict[str, Any] = {"name": atom.name, "expression": _expression(atom.expression)}
    if isinstance(atom, Factor):
        return own | {"levels": list(atom.levels), "reference": atom.reference}
    return own | {"columns": atom.columns, "first": atom.first}


def _expression(expression: Expression) -> dict[str, Any]:
    args = [_expression(arg) if isinstance(arg, Expression) else arg for arg in expression.args]
    more = {"options": dict(expression.options), "state": dict(expression.state)}
    return {"operation": expression.operation, "args": args, **{key: value for key, value in more.items() if value}}


def restored(found: object) -> Design:
    """The design of a record.

    Raises
    ------
    EvenOddsError
        If it is none; the message says what is wrong.
    """
    record = _object(found, '"design"')
    kinds = _names(record, "kinds", lambda kind: isinstance(kind, str) and kind in WORDS and kind != "nothing")
    atoms = tuple(_read_atom(one, kinds) for one in _list(record, "atoms"))
    terms = tuple(_read_term(one, atoms) for one in _list(record, "terms"))
    design = Design(
        kinds=kinds,
        atoms=atoms,
        terms=terms,
        intercept=_of(record, "intercept", bool),
        missing=_of(record, "missing", str),
        unseen=_of(record, "unseen", str),
        fills=_names(record, "fills", _is_number),
        formula=_of(record, "formula", str, type(None)),
        target=_of(record, "target", str, type(None)),
        positive=_of(record, "positive", str, int, float, bool, type(None)),
        rest=_of(record, "rest", bool),
        weight=_of(record, "weight", str, type(None)),
        offset=_of(record, "offset", str, type(None)),
        counts=_names(record, "counts", lambda count: type(count) is int and count >= 0),
        dropped=_of(record, "dropped", int),
        spelling=record.get("spelling"),
    )
    if design.missing not in MISSING or design.unseen not in UNSEEN:
        raise EvenOddsError(f'"design" has a policy that there is not: {design.missing!r}, {design.unseen!r}.')
    if not set(design.fills) <= set(kinds):
        raise EvenOddsError('"design", "fills" names a column that "kinds" has not.')
    return design


def _read_atom(found: object, kinds: Mapping[str, str]) -> Number | Factor:
    record = _object(found, '"atoms"')
    name = _of(record, "name", str)
    expression = _read_expression(record.get("expression"))
    columns = expression.columns()
    lost = [column for column in columns if column not in kinds]
    if lost or not columns:
        raise EvenOddsError(f'"design": {name!r} is made of {lost or "no column"}, which "kinds" has not.')
    if "levels" not in record:
        count, first = _of(record, "columns", int), _of(record, "first", int)
        if not (0 <= first < 1000 and 0 < count < 1000):
            raise EvenOddsError(f'"design": {name!r} has {count} columns from {first}.')
        return Number(name, expression, count, first)
    levels = tuple(_level(level, name) for level in _list(record, "levels"))
    reference = _level(record.get("reference"), name)
    if len(set(map(repr, levels))) < len(levels) or reference is None or reference not in levels:
        raise EvenOddsError(f'"design": the levels of {name!r} are not different ones, the reference among them.')
    if expression.operation not in ("column", *PARTS):
        raise EvenOddsError(f'"design": {name!r} has levels, and is no column.')
    return Factor(name, expression, levels, reference)


def _level(value: object, name: str) -> Level:
    if value is not None and not isinstance(value, str | bool | int | float):
        raise EvenOddsError(f'"design": {value!r} is no level of {name!r}.')
    level: Level = value
    return level


def _read_expression(found: object, depth: int = 0) -> Expression:
    record = _object(found, '"expression"')
    operation, args = _of(record, "operation", str), _list(record, "args")
    options, state = _object(record.get("options", {}), '"options"'), _object(record.get("state", {}), '"state"')
    wrong = EvenOddsError(f'"design" has an expression that cannot be: {str(record)[:80]}.')
    if depth > _DEPTH:
        raise wrong
    if operation in ("column", "missing", "number"):
        kinds = (int, float) if operation == "number" else (str,)
        if len(args) != 1 or type(args[0]) not in kinds or options or state:
            raise wrong
        return Expression(operation, tuple(args))
    count = _ARITHMETIC.get(operation, 1)
    if operation not in (*_ARITHMETIC, *FUNCTIONS, *BASES, *PARTS) or len(args) != count:
        raise wrong
    inner = tuple(_read_expression(arg, depth + 1) for arg in args)
    if operation in PARTS and inner[0].operation != "column":
        raise wrong
    if operation in LEARNING and (set(state) != _STATE[operation] or not all(map(_is_number, state.values()))):
        raise wrong
    if operation in BASES:
        if depth or not set(options) <= set(OPTIONS[operation]) or not set(state) <= _BASIS_STATE[operation]:
            raise wrong
        if not all(map(_is_state, [*options.values(), *state.values()])):
            raise wrong
    elif options or (state and operation not in LEARNING):
        raise wrong
    return Expression(operation, inner, options, state)


def _is_state(value: object) -> bool:
    """Whether a value may be an option or a state of a basis: a number, a word, or a list of numbers."""
    if isinstance(value, list):
        return len(value) < 1000 and all(map(_is_number, value))
    return value is None or isinstance(value, bool | str) or _is_number(value)


def _read_term(found: object, atoms: tuple[Number | Factor, ...]) -> Term:
    record = _object(found, '"terms"')
    blocks = []
    for block in _list(record, "blocks"):
        parts = []
        for pair in block if isinstance(block, list) else [None]:
            if not isinstance(pair, list) or len(pair) != 2 or type(pair[0]) is not int or type(pair[1]) is not bool:
                raise EvenOddsError(f'"design": {str(pair)[:60]} is no part of a term.')
            if not 0 <= pair[0] < len(atoms):
                raise EvenOddsError(f'"design" has a term of atom {pair[0]}, of {len(atoms)}.')
            parts.append(Part(pair[0], pair[1]))
        blocks.append(tuple(parts))
    return Term(_of(record, "name", str), tuple(blocks))


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise EvenOddsError(f"{where} is {str(value)[:60]!r}, and should be an object.")
    return value


def _list(record: Mapping[str, Any], key: str) -> list[Any]:
    value: list[Any] = _of(record, key, list)
    return value


def _of(record: Mapping[str, Any], key: str, *kinds: type) -> Any:
    if key not in record or type(record[key]) not in kinds:
        raise EvenOddsError(f'"design", "{key}" is {str(record.get(key))[:60]!r}, which it cannot be.')
    return record[key]


def _names(record: Mapping[str, Any], key: str, is_right: Callable[[object], bool]) -> dict[str, Any]:
    """Values by the names of columns."""
    found = _object(record.get(key), f'"{key}"')
    wrong = [name for name, value in found.items() if not is_right(value)]
    if wrong:
        raise EvenOddsError(f'"design", "{key}" has for {wrong[0]!r} the value {str(found[wrong[0]])[:60]!r}.')
    return found


def _is_number(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(float(value))
    except OverflowError:
        return False
