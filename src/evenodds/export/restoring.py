"""A model back from the text of its file: every value is checked, and nothing in it is evaluated. See `export`."""

import json
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import EvenOddsError
from ..model import LogisticRegression
from ..settings import Settings
from ..solvers import Solution, Status
from ..solvers.sgd import SGD

if TYPE_CHECKING:
    from ..design import Design

FORMAT, VERSION = "evenodds model", 3  # version 1 had no "design", and version 2 no "inference"
_HALVES = re.compile(rb"\\\0*u\0*[dD]\0*[89a-fA-F]")  # in UTF-16 and UTF-32, too


def restored(text: bytes) -> LogisticRegression:
    """The fitted estimator in the text of a file; an error says what is wrong with it, and where."""
    return _model(_parse(text))


def _parse(text: bytes) -> dict[str, Any]:
    """The JSON object in `text`, if it is of this format and not from the future."""
    try:
        record = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_double)
    except EvenOddsError:
        raise
    except (ValueError, RecursionError) as error:
        raise EvenOddsError(f"it is not JSON ({error}).") from None
    if _HALVES.search(text):  # of a character beyond 16 bits, which JSON may write as two
        try:
            json.dumps(record, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise EvenOddsError("it holds text that is not valid Unicode: half of a character.") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise EvenOddsError(f'it has no "format": "{FORMAT}".')
    version = record.get("version")
    if type(version) is not int:
        found = f"is {_short(version)}, and should be a whole number" if "version" in record else "is missing"
        raise EvenOddsError(f'"version" {found}.')
    if version > VERSION:
        raise EvenOddsError(
            f"it has version {version} of the format, and this evenodds reads version {VERSION}: "
            f"upgrade evenodds (the file was written by {record.get('evenodds')})."
        )
    if version < 1:
        raise EvenOddsError(f'"version" is {version}, and the first version is 1.')
    from .schema import require_valid  # here, as it needs jsonschema, and most programs load no model

    require_valid(record)
    return record


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise EvenOddsError(f'the key "{twice}" is there twice.')
    return found


def _double(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise EvenOddsError(f"it holds {digits[:60]}, which is larger than any double.")
    return number


def _no_constant(token: str) -> Any:
    raise EvenOddsError(f"it holds {token}, which is not JSON and not a number to predict with.")


def _model(record: dict[str, Any]) -> LogisticRegression:
    """The fitted estimator of a record that the schema has found valid."""
    model = LogisticRegression(**_parameters(record["parameters"]))
    Settings.of(model)
    model.classes_ = _classes(record["classes"])
    coef, n_classes = record["coef"], model.classes_.size
    names = list(coef) if isinstance(coef, dict) else None
    columns = list(coef.values()) if isinstance(coef, dict) else coef
    model.coef_ = _by_class(columns, n_classes, "coef", names).T.copy()
    model.intercept_ = _by_class([record["intercept"]], n_classes, "intercept")[0]
    model.n_iter_ = np.array([record["n_iter"]], dtype=np.int64)
    found = record["design"] if record["version"] > 1 else None
    features: Any = names
    if found is not None:
        from ..design.record import restored as restored_design  # here, as it needs pyarrow, and other models do not

        model.design_ = restored_design(found)
        _require_design(model.design_, names, len(columns))
        features = list(model.design_.kinds)
    model.n_features_in_ = len(columns) if features is None else len(features)
    if features is not None:
        model.feature_names_in_ = np.array(features, dtype=object)
    if record["aliased"] is not None:
        model.aliased_ = _aliased(record["aliased"], names, len(columns))
    if record["fit"] is not None:
        model.solution_ = _solution(record["fit"])
    if record["version"] > 2 and record["inference"] is not None:
        from ..inference.saved import restored as restored_inference  # here, as most files have none

        model.inference_ = restored_inference(record["inference"])
    return model


def _by_class(found: list[Any], n_classes: int, where: str, names: list[str] | None = None) -> NDArray[np.float64]:
    """Numbers (n, 1) of two classes, or (n, K) lists of one a class."""
    right = [not isinstance(value, list) if n_classes == 2 else _has_length(value, n_classes) for value in found]
    if not all(right):
        k = right.index(False)
        place = f'"{where}"' if where == "intercept" else f'"{where}", ' + (f'"{names[k]}"' if names else f"number {k}")
        what = "a finite number" if n_classes == 2 else f"a list of {n_classes} numbers, one a class"
        raise EvenOddsError(f"{place} is {_short(found[k])}, and should be {what}.")
    return np.array([value if isinstance(value, list) else [value] for value in found], dtype=np.float64)


def _has_length(value: object, length: int) -> bool:
    return isinstance(value, list) and len(value) == length


def _require_design(design: "Design", names: list[str] | None, n_columns: int) -> None:
    """An error where the columns of a design are not those that have coefficients."""
    from ..design.terms import block_size

    count = sum(block_size(block, design.atoms) for term in design.terms for block in term.blocks)
    if count != n_columns or list(design.names) != names:
        raise EvenOddsError(f'"design" makes {_short(count)} columns, and not those of "coef", which has {n_columns}.')


def _classes(found: dict[str, Any]) -> NDArray[Any]:
    kind, labels = found["dtype"], found["labels"]
    if len(set(labels)) < len(labels):
        raise EvenOddsError(f'"classes", "labels" is {_short(labels)}, and should be two different labels or more.')
    try:
        classes = np.array(labels, dtype=kind)
        # A dtype must not change a label: no text cut short, no 1 from True, no 44 from 300.
        same = [(type(value), value) for value in classes.tolist()] == [(type(label), label) for label in labels]
    except (ValueError, TypeError, OverflowError):
        same = False
    if not same:
        raise EvenOddsError(f'"classes", "labels" is {_short(labels)}, and not of dtype {kind}.')
    return classes


def _parameters(found: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the estimator; those that a file of this version lacks keep their defaults."""
    read = dict(found)
    if read.get("C") == "inf":
        read["C"] = math.inf
    for name in ("penalty_factor", "lower", "upper"):
        if name in read:
            read[name] = _per_column(read[name])
    if isinstance(read.get("solver"), dict):
        read["solver"] = SGD(**read["solver"])
    if isinstance(read.get("class_weight"), list):
        read["class_weight"] = {label: float(weight) for label, weight in read["class_weight"]}
    return read


def _per_column(found: list[Any] | float | None) -> Any:
    """Numbers by column, infinite ones among them: a list, pairs of a column and a number, one for all, or None."""
    if not isinstance(found, list):
        return None if found is None else float(found)
    if all(isinstance(pair, list) for pair in found):
        return {column: float(value) for column, value in found}
    return [float(value) for value in found]


def _aliased(found: list[Any], names: list[str] | None, n_features: int) -> tuple[Any, ...]:
    columns = set(range(n_features)) if names is None else set(names)
    for column in found:
        if type(column) not in (int, str) or column not in columns:
            raise EvenOddsError(f'"aliased" has {column!r}, which is not a column of "coef".')
    return tuple(found)


def _solution(found: dict[str, Any]) -> Solution:
    by_name = {str(status): status for status in Status}
    status = found["status"]
    if status not in by_name:
        raise EvenOddsError(f'"fit", "status" is {_short(status)}, and not one of {", ".join(by_name)}.')
    nothing = np.empty(0)
    return Solution(
        theta=nothing,
        loss=_measure(found["loss"]),
        gap=_measure(found["gap"]),
        error=_measure(found["error"]),
        passes=found["passes"],
        iterations=found["iterations"],
        status=by_name[status],
        history=nothing,
        solver=found["solver"],
        n_rows=found["n_rows"],
        total_weight=float(found["total_weight"]),
        lower_maxima=tuple(map(float, found["lower_maxima"])),
    )


def _measure(value: float | None) -> float:
    """A number that may be unknown (null, for NaN) or infinite."""
    return math.nan if value is None else float(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
