"""A model file against the published schema, `docs/model-schema.json`: what is wrong is said in the schema's own words.

The validator is jsonschema's. Of long lists of numbers it would take minutes to look at one by one: those that are as
they should be are seen as a whole, and only others go to it.
"""

import functools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from ..exceptions import EvenOddsError

_NUMBERS = frozenset({"#/$defs/number", "#/$defs/coefficients", "#/$defs/bound", "#/$defs/measure"})
_LEVELS = {"#/$defs/level": {str, int, float, bool, type(None)}, "#/$defs/label": {str, int, float, bool}}
_PLAIN = _NUMBERS | _LEVELS.keys()
_OTHER_KINDS = ("type", "enum", "const", "maximum", "minimum", "anyOf")  # where a value is none of the kind at all
_LARGEST = sys.float_info.max


def require_valid(record: object) -> None:
    """An error where a record is not what the schema says; it names the place, what is there and what should be.

    Raises
    ------
    EvenOddsError
    """
    try:
        error = next(_validator().iter_errors(record), None)
        if error is not None:
            raise EvenOddsError(_words(_chosen(error)))
    except RecursionError:
        raise EvenOddsError("it is nested more deeply than any model.") from None


@functools.cache
def _validator() -> Any:
    here = Path(__file__).parent
    packed = here / "model-schema.json"  # in a wheel; in a checkout it is at home
    path = packed if packed.exists() else here.parents[2] / "docs" / "model-schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    checked = {key: _quick(Draft202012Validator.VALIDATORS[key]) for key in ("items", "additionalProperties")}
    checked["anyOf"] = _any_of
    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)  # 1.0 is none
    return extend(Draft202012Validator, checked, type_checker=types)(schema)


Keyword = Callable[[Any, Any, Any, Any], Iterable[ValidationError] | None]


def _quick(slow: Keyword) -> Keyword:
    """A keyword about the values of a list or object, which does not look at each where all are plain numbers."""

    def check(validator: Validator, schema: object, instance: object, parent: object) -> Iterator[ValidationError]:
        where = schema.get("$ref") if isinstance(schema, dict) else None
        if where not in _PLAIN or not isinstance(instance, list | dict):
            yield from slow(validator, schema, instance, parent) or ()
        elif not _all_plain(where, list(instance.values() if isinstance(instance, dict) else instance)):
            for key, value in instance.items() if isinstance(instance, dict) else enumerate(instance):
                if not _all_plain(where, [value]):
                    yield from validator.descend(value, schema, path=key)

    return check


def _any_of(
    validator: Validator, ways: Sequence[object], instance: object, parent: object
) -> Iterator[ValidationError]:
    """As jsonschema's, but that each way ends with its first error: of a long list there would be a million."""
    errors = []
    for k, way in enumerate(ways):
        error = next(validator.descend(instance, way, schema_path=k), None)
        if error is None:
            return
        errors.append(error)
    yield ValidationError("", context=errors)


def _all_plain(where: str, values: list[Any]) -> bool:
    """Whether values are finite numbers, or lists of them where these may be, or levels where they may be."""
    if where in _LEVELS:
        return {*map(type, values)} <= _LEVELS[where]
    if not values:
        return True
    kinds = {*map(type, values)}
    if kinds == {list} and where == "#/$defs/coefficients":
        return all(_all_plain("#/$defs/number", value) for value in values)
    return kinds <= {int, float} and min(values) >= -_LARGEST and max(values) <= _LARGEST


def _chosen(error: ValidationError) -> ValidationError:
    """The error within, if what is there is of the kind of one of several ways: of the way that came furthest."""
    ways: dict[Any, ValidationError] = {}
    for inner in error.context or ():
        ways.setdefault(inner.schema_path[0], inner)
    depth = len(error.absolute_path)
    tried = [way for way in ways.values() if len(way.absolute_path) > depth or way.validator not in _OTHER_KINDS]
    if not tried:
        return error
    return _chosen(
        max(tried, key=lambda way: [(isinstance(key, int), str(key).zfill(20)) for key in way.absolute_path])
    )


def _words(error: ValidationError) -> str:
    place = [f'"{key}"' if isinstance(key, str) else f"number {key}" for key in error.absolute_path]
    if error.validator == "required":
        lost = next(key for key in error.validator_value if key not in error.instance)
        return f"{', '.join([*place, _quoted(lost)])} is missing."
    where = ", ".join(place) or "it"
    if error.validator in ("minProperties", "minItems") and not error.instance:
        return f"{where} is empty."
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        extra = next(key for key in error.instance if key not in known)
        what = "parameter" if place == ['"parameters"'] else "entry"
        return f"{where}, {_quoted(extra)}: this evenodds has no such {what}. A newer one may have written the file."
    what = error.schema.get("description") or f"{error.validator} {_short(error.validator_value)}"
    return f"{where} is {_short(error.instance)}, and should be {what}."


def _quoted(key: str) -> str:
    return f'"{key[:80]}"'


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
