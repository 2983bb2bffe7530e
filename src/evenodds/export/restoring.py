"""A model back from the text of its file: every value is checked, and nothing in it is evaluated. See `export`."""

import functools
import json
import math
import re
from collections.abc import Callable
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

FORMAT, VERSION = "evenodds model", 2  # version 1 had no "design"

# The labels' dtypes: text of any length is "str", and objects are Python's own booleans, numbers and strings.
_DTYPES = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)|str|object")

# The parameters that LogisticRegression itself checks only in parts, and the Python types they may have.
_PARAMETERS = {
    "fit_intercept": (bool, int),
    "standardize": (bool, int),
    "firth": (bool, str),
    "warm_start": (bool, int),
    "verbose": (bool, int),
    "max_iter": (int,),
    "n_jobs": (int, type(None)),
    "random_state": (int, type(None)),
}


def restored(text: bytes) -> LogisticRegression:
    """The fitted estimator in the text of a file; an error says what is wrong with it, and where."""
    return _model(_parse(text))


def _parse(text: bytes) -> dict[str, Any]:
    """The JSON object in `text`, if it is of this format and not from the future."""
    try:
        record = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except EvenOddsError:
        raise
    except (ValueError, RecursionError) as error:
        raise EvenOddsError(f"it is not JSON ({error}).") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise EvenOddsError(f'it has no "format": "{FORMAT}".')
    version = _count(record, "version")
    if version > VERSION:
        raise EvenOddsError(
            f"it has version {version} of the format, and this evenodds reads version {VERSION}: "
            f"upgrade evenodds (the file was written by {record.get('evenodds')})."
        )
    if version < 1:
        raise EvenOddsError(f'"version" is {version}, and the first version is 1.')
    return record


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise EvenOddsError(f'the key "{twice}" is there twice.')
    return found


def _no_constant(token: str) -> Any:
    raise EvenOddsError(f"it holds {token}, which is not JSON and not a number to predict with.")


def _model(record: dict[str, Any]) -> LogisticRegression:
    """The fitted estimator of a record."""
    model = LogisticRegression(**_parameters(_get(record, "parameters", dict)))
    Settings.of(model)
    model.classes_ = _classes(_get(record, "classes", dict))
    coef = _get(record, "coef", dict, list)
    names = list(coef) if isinstance(coef, dict) else None
    columns = list(coef.values()) if isinstance(coef, dict) else coef
    if not columns:
        raise EvenOddsError('"coef" is empty.')
    of_class = _one if model.classes_.size == 2 else functools.partial(_one_a_class, n_classes=model.classes_.size)
    rows = zip(*(of_class(value, f'"coef", number {k}') for k, value in enumerate(columns)), strict=True)
    model.coef_ = np.array(list(rows))
    model.intercept_ = np.array(of_class(_get(record, "intercept"), '"intercept"', _bound))
    model.n_iter_ = np.array([_count(record, "n_iter")], dtype=np.int64)
    found = _get(record, "design", dict, type(None)) if record["version"] > 1 else None
    features: Any = names
    if found is not None:
        from ..design.record import restored as restored_design  # here, as it needs pyarrow, and other models do not

        model.design_ = restored_design(found)
        _require_design(model.design_, names, len(columns))
        features = list(model.design_.kinds)
    model.n_features_in_ = len(columns) if features is None else len(features)
    if features is not None:
        model.feature_names_in_ = np.array(features, dtype=object)
    aliased = _get(record, "aliased", list, type(None))
    if aliased is not None:
        model.aliased_ = _aliased(aliased, names, len(columns))
    fit = _get(record, "fit", dict, type(None))
    if fit is not None:
        model.solution_ = _solution(fit)
    return model


def _require_design(design: "Design", names: list[str] | None, n_columns: int) -> None:
    """An error where the columns of a design are not those that have coefficients."""
    count = sum(map(len, design.columns_of.values()))
    if count != n_columns or list(design.names) != names:
        raise EvenOddsError(f'"design" makes {count} columns, and not those of "coef", which has {n_columns}.')


def _classes(found: dict[str, Any]) -> NDArray[Any]:
    kind, labels = _get(found, "dtype", str), _get(found, "labels", list)
    if _DTYPES.fullmatch(kind) is None:
        raise EvenOddsError(f'"classes", "dtype" is {_short(kind)}, which labels cannot have.')
    if not all(isinstance(label, bool | int | float | str) for label in labels):
        raise EvenOddsError(f'"classes", "labels" is {_short(labels)}, and not of dtype {kind}.')
    if len(labels) < 2 or len(set(labels)) < len(labels):
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
    known = LogisticRegression().get_params(deep=False)
    for name, value in found.items():
        where = f'"parameters", "{name}"'
        if name not in known:
            raise EvenOddsError(f"{where}: this evenodds has no such parameter. A newer one may have written the file.")
        if type(value) not in _PARAMETERS.get(name, (type(value),)):
            raise EvenOddsError(f"{where} is {value!r}.")
    read = dict(found)
    if read.get("C") == "inf":
        read["C"] = math.inf
    elif "C" in read:
        _number(read["C"], '"parameters", "C"')
    if "l1_ratio" in read:
        _number(read["l1_ratio"], '"parameters", "l1_ratio"')
    for name in ("penalty_factor", "lower", "upper"):
        if name in read:
            read[name] = _per_column(read[name], f'"parameters", "{name}"')
    if isinstance(read.get("solver"), dict):
        read["solver"] = _sgd(read["solver"])
    if read.get("class_weight") is not None:
        read["class_weight"] = _class_weight(read["class_weight"])
    return read


def _sgd(found: dict[str, Any]) -> SGD:
    size, epochs, rate = _count(found, "batch_size"), _count(found, "epochs"), _get(found, "learning_rate")
    return SGD(size, epochs, _number(rate, '"solver", "learning_rate"'))


def _per_column(found: Any, where: str) -> Any:
    """Numbers by column, infinite ones among them: a list, pairs of a column and a number, one for all, or null."""
    if found is None:
        return None
    if not isinstance(found, list):
        return _bound(found, where)
    if not all(isinstance(pair, list) and len(pair) == 2 and type(pair[0]) in (int, str) for pair in found):
        return [_bound(value, where) for value in found]
    return {column: _bound(value, where) for column, value in found}


def _bound(value: Any, where: str) -> float:
    return float(value) if value in ("inf", "-inf") else _number(value, where)


def _class_weight(found: Any) -> Any:
    if found == "balanced":
        return found
    where = '"parameters", "class_weight"'
    if not isinstance(found, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in found):
        raise EvenOddsError(f'{where} is neither null nor "balanced" nor pairs of a label and a weight.')
    if not all(isinstance(label, bool | int | float | str) for label, _ in found):
        raise EvenOddsError(f"{where} has a label that is neither a number nor a boolean nor a string.")
    return {label: _number(weight, where) for label, weight in found}


def _aliased(found: list[Any], names: list[str] | None, n_features: int) -> tuple[Any, ...]:
    columns = set(range(n_features)) if names is None else set(names)
    for column in found:
        if type(column) not in (int, str) or column not in columns:
            raise EvenOddsError(f'"aliased" has {column!r}, which is not a column of "coef".')
    return tuple(found)


def _solution(found: dict[str, Any]) -> Solution:
    by_name = {str(status): status for status in Status}
    status = _get(found, "status", str)
    if status not in by_name:
        raise EvenOddsError(f'"fit", "status" is {status!r}, and not one of {", ".join(by_name)}.')
    nothing = np.empty(0)
    return Solution(
        theta=nothing,
        loss=_measure(found, "loss"),
        gap=_measure(found, "gap"),
        error=_measure(found, "error"),
        passes=_count(found, "passes"),
        iterations=_count(found, "iterations"),
        status=by_name[status],
        history=nothing,
        solver=_get(found, "solver", str),
        n_rows=_count(found, "n_rows"),
        total_weight=_number(_get(found, "total_weight"), '"fit", "total_weight"'),
        lower_maxima=tuple(_number(below, '"fit", "lower_maxima"') for below in _get(found, "lower_maxima", list)),
    )


def _get(record: dict[str, Any], key: str, *kinds: type) -> Any:
    """The value of a key; of one of the types, if some are given."""
    if key not in record:
        raise EvenOddsError(f'"{key}" is missing.')
    value = record[key]
    if kinds and type(value) not in kinds:
        words = " or ".join(_WORDS[kind] for kind in kinds)
        raise EvenOddsError(f'"{key}" is {_short(value)}, and should be {words}.')
    return value


_WORDS = {dict: "an object", list: "a list", str: "a string", int: "a whole number", type(None): "null"}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _count(record: dict[str, Any], key: str) -> int:
    value: int = _get(record, key, int)
    if not 0 <= value < 2**63:
        raise EvenOddsError(f'"{key}" is {_short(value)}, and should be a whole number of 0 or more.')
    return value


def _number(value: Any, where: str) -> float:
    """A finite number."""
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise EvenOddsError(f"{where} is {_short(value)}, and should be a finite number.")
    return number


def _one(value: Any, where: str, read: Callable[[Any, str], float] = _number) -> list[float]:
    """A number, as one of two classes has it."""
    return [read(value, where)]


def _one_a_class(value: Any, where: str, read: Callable[[Any, str], float] = _number, *, n_classes: int) -> list[float]:
    if type(value) is not list or len(value) != n_classes:
        raise EvenOddsError(f"{where} is {_short(value)}, and should be a list of {n_classes} numbers, one a class.")
    return [read(one, where) for one in value]


def _measure(record: dict[str, Any], key: str) -> float:
    """A number that may be unknown (null, for NaN) or infinite."""
    value = _get(record, key)
    if value is None:
        return math.nan
    return math.inf if value == "inf" else _number(value, f'"{key}"')
