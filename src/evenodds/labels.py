"""One number a row: labels to class codes, weights, offsets; each checked, with the row named when it is wrong."""

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from .arrays import Array, Codes
from .exceptions import EvenOddsError, words_of
from .kernels.labels import two_labels
from .table import is_convertible, is_missing, values_of

_KINDS = "numbers, strings or booleans"
_NEVER_MISSING = frozenset([str, bytes, bool, int])


def one_class(label: object, n_rows: int) -> EvenOddsError:
    """The error for labels that are all the same."""
    rows = f"all {n_rows:,} rows" if n_rows > 1 else "the only row"
    return EvenOddsError(
        f"y holds one class only, {label!r} in {rows}: two classes are needed. Check the target column, or how the "
        "rows were filtered."
    )


def encode_labels(y: object, n_rows: int, classes: ArrayLike | None = None) -> tuple[NDArray[Any], Codes]:
    """The classes, sorted, and each row's code, 0 for the first.

    classes : the classes to expect, in the order that they shall have; `y` need not hold them all
    """
    y = plain_labels(y)
    if y.shape[0] != n_rows:
        raise EvenOddsError(
            f"Found input variables with inconsistent numbers of samples: X has {n_rows} rows, y {y.shape[0]}."
        )
    _require_finite(y)
    quick = _two_numbers(y)
    if quick is not None and (classes is None or np.array_equal(quick[0], classes)):
        return quick
    found = np.unique(y)
    known_kind = _is_exact(y) or _is_beyond_integers(found) or (y.dtype.kind in "iu" and 2 * found.size <= y.size)
    if not known_kind:  # else it would only take time, or casts would lose what numbers are
        try:
            with np.errstate(invalid="ignore"):
                check_classification_targets(y)
        except (TypeError, ValueError) as error:
            raise EvenOddsError(f"y does not hold classes. {_not_labels(y) or error}") from None
    known = found if classes is None else plain_labels(classes)
    if classes is not None and not np.isin(found, known).all():
        unknown = found[~np.isin(found, known)]
        raise EvenOddsError(f"y holds labels that are not in classes: {unknown.tolist()}.")
    if known.size < 2:
        raise one_class(known.tolist()[0], n_rows)
    if known.size == 2:  # beside an array a string is one of NumPy's, which ends before a NUL
        return known, (y == known[1:]).astype(np.uint8)
    order = np.argsort(known)
    codes = order[np.searchsorted(known, y, sorter=order)]
    return known, codes.astype(np.min_scalar_type(known.size - 1))


def _not_labels(y: NDArray[Any]) -> str:
    """Why numbers with decimals are no labels, in words."""
    if y.dtype.kind != "f" or y.ndim != 1:
        return ""
    values = np.unique(y)
    some = next(float(value) for value in values if not float(value).is_integer())
    return (
        f"It is numbers with decimals, of {values.size:,} different values, such as {some:.6g} (an Unknown label type: "
        "continuous). A logistic regression is about classes: make some of it, as y > 0 does, or "
        'positive="> 0" in fit_table.'
    )


def encode_kept(
    y: object, kept: NDArray[np.bool_], classes: ArrayLike | None = None
) -> tuple[NDArray[Any], Codes, NDArray[np.bool_] | None]:
    """`encode_labels` of the rows that are kept and have a label, with code 0 for the others; and which they are.

    These are None if they are all.
    """
    labels = labels_of(y)
    if labels.shape == kept.shape:
        kept = kept & ~missing_labels(labels)
    if kept.all() or labels.shape != kept.shape:
        return *encode_labels(y, kept.size, classes), None
    if not kept.any():
        raise EvenOddsError("No row is left: each has a missing value, or no label.")
    found, some = encode_labels(labels[kept], int(np.count_nonzero(kept)), classes)
    codes = np.zeros(kept.size, dtype=some.dtype)
    codes[kept] = some
    return found, codes, kept


def labels_of(y: object) -> NDArray[Any]:
    """Labels as an array, missing ones among them."""
    return y if type(y) is np.ndarray and y.ndim == 1 else _column(y)


def missing_labels(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """The rows without a label."""
    if labels.dtype.kind == "f":
        return np.asarray(np.isnan(labels))
    if labels.dtype.kind in "mM":
        return np.asarray(np.isnat(labels))
    if labels.dtype.kind != "O":
        return np.zeros(labels.shape, dtype=bool)
    return np.array([is_missing(label) for label in labels.tolist()], dtype=bool)


def kept_labels(y: object) -> NDArray[Any]:
    """The labels of the rows that have one."""
    labels = labels_of(y)
    return plain_labels(labels[~missing_labels(labels)])


def _is_exact(y: NDArray[Any]) -> bool:
    """Whether labels are strings or whole numbers that only objects hold as they are."""
    return y.dtype == object and all(isinstance(v, str | int) or v.is_integer() for v in y.tolist())


def _is_beyond_integers(found: NDArray[Any]) -> bool:
    """Whether labels are whole floats of which some are no 64-bit integers."""
    if found.dtype.kind != "f":
        return False
    largest = np.abs(found).max(initial=0.0).item()  # half precision does not know 2^63
    return bool(largest >= 2.0**63 and (found == np.trunc(found)).all())


def accuracy(y: object, predicted: NDArray[Any], sample_weight: object) -> float:
    """The share, by weight, of labels that are those predicted."""
    labels = plain_labels(y)
    _require_finite(labels)
    if labels.shape != predicted.shape:
        raise EvenOddsError(
            f"Found input variables with inconsistent numbers of samples: X has {predicted.size} rows, y {labels.size}."
        )
    if labels.size and isinstance(labels.tolist()[0], str) != isinstance(predicted.tolist()[0], str):
        raise EvenOddsError(
            f"y and the fit have labels of two kinds, {labels.tolist()[0]!r}, {predicted.tolist()[0]!r}."
        )
    weight = combine_weights(sample_weight, None, np.zeros(labels.size, np.uint8), predicted)
    return float(np.average(np.asarray(labels == predicted, dtype=np.float64), weights=weight))


def is_label(value: Any) -> bool:
    """Whether this is one value, which knows whether it is equal to another."""
    try:
        return np.ndim(value) == 0 and bool(value == value)
    except (TypeError, ValueError):
        return False


def require_two(classes: NDArray[Any], what: str) -> None:
    """An error where something is for two classes only."""
    if classes.size != 2:
        shown = ", ".join(map(repr, classes[:5].tolist())) + (", ..." if classes.size > 5 else "")
        raise EvenOddsError(
            f"{what} is for two classes, and y holds {classes.size}: {shown}. Only binary classification is supported."
        )  # the last sentence is what scikit-learn's checks look for


def _two_numbers(y: NDArray[Any]) -> tuple[NDArray[Any], Codes] | None:
    """The answer for whole numbers or booleans of two values, found without sorting; else None."""
    found = two_labels(y) if y.dtype.kind in "biuf" else None
    if found is None:
        return None
    other, codes = found
    pair = y[[0, other]]
    first, second = pair.tolist()
    if first == second or (y.dtype.kind == "f" and not (first.is_integer() and second.is_integer())):  # 0 is -0
        return None
    return (pair, codes) if first < second else (pair[::-1].copy(), codes ^ 1)


def plain_labels(y: object) -> NDArray[Any]:
    """Labels as a 1-d array of one kind: what frames hold as objects becomes integers, strings, ... again."""
    labels = labels_of(y)
    if labels.dtype.kind in "cVmM":
        raise EvenOddsError(f"y holds labels of dtype {labels.dtype}: make them {_KINDS}.")
    return _of_one_kind(labels.astype(object)) if labels.dtype.kind in "OT" else labels


def _column(y: object) -> NDArray[Any]:
    """The values of one column, whatever holds them."""
    _require_unmasked(y, "Input y")
    arrow = nw.dependencies.get_pyarrow()
    if arrow is not None and isinstance(y, arrow.Array):
        y = y.to_numpy(zero_copy_only=False)
    elif is_convertible(y):
        values = values_of(y)
        if values.ndim != 1 and nw.dependencies.is_into_series(y):  # of records and lists NumPy makes more columns
            raise EvenOddsError(f"y holds labels of the type {y.dtype}: make them {_KINDS}.")
        y = values
    try:
        column = np.asarray(column_or_1d(y, warn=True))
        if column.dtype.kind in "USf" and isinstance(y, list | tuple) and not {*map(type, y)} <= {float}:
            # One string in a list, and NumPy makes strings of all that is beside it; and floats of large integers.
            column = np.asarray(column_or_1d(np.array(y, dtype=object)))
    except (ValueError, TypeError) as error:
        is_column = hasattr(y, "__array__") or isinstance(y, list | tuple)
        what = "" if is_column else f" Give a list, an array or a column, one label a row, not a {type(y).__name__}."
        raise EvenOddsError(f"{error}{what}") from None
    return column


def _of_one_kind(labels: NDArray[Any]) -> NDArray[Any]:
    """An array of objects as one of numbers, strings or booleans."""
    values = labels.tolist()
    types = {*map(type, values)}  # a few, while there is a value for each row
    if types - _NEVER_MISSING:
        missing = np.array([is_missing(value) for value in values], dtype=bool)
        if missing.any():
            raise _not_finite("NaN", int(missing.argmax()))
    kinds = sorted({_kind(each) for each in types})
    if len(kinds) > 1:
        raise EvenOddsError(f"y mixes labels of several kinds: {', '.join(kinds)}.")
    if kinds and kinds[0] not in ("number", "str", "bool", "bytes"):
        raise EvenOddsError(f"y holds labels of the type {kinds[0]}: make them {_KINDS}.")
    if not values:
        return labels
    # NumPy's strings end before a NUL, and its numbers have 64 bits: objects hold what would not stay as it is.
    if any(issubclass(each, np.generic) for each in types):
        values = [value.item() if isinstance(value, np.generic) else value for value in values]
    array, objects = np.array(values), np.empty(len(values), dtype=object)
    objects[:] = values
    return array if array.dtype.kind != "O" and array.tolist() == values else objects


def _kind(of: type) -> str:
    if issubclass(of, bool | np.bool_):
        return "bool"
    for kind, name in ((str, "str"), (bytes, "bytes"), (int | float | np.number, "number")):
        if issubclass(of, kind):
            return name
    return of.__name__


def _require_finite(y: NDArray[Any]) -> None:
    with np.errstate(over="ignore"):  # the sum is finite where all labels are, or nearly so
        finite = y.dtype.kind != "f" or np.isfinite(y.sum())
    if not finite and not np.isfinite(y).all():
        row = int((~np.isfinite(y)).argmax())
        raise _not_finite("infinity" if np.isinf(y[row]) else "NaN", row)


def _not_finite(kind: str, row: int) -> EvenOddsError:
    return EvenOddsError(
        f"Input y contains {kind}, first in row {row} (counted from 0). Drop the rows without a label."
    )


def _require_unmasked(values: object, name: str) -> None:
    """An error for a masked array, whose values behind the mask NumPy would bring back."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        row = int(np.argwhere(np.ma.getmaskarray(values))[0][0])
        raise EvenOddsError(f"{name} contains a masked value, first in row {row} (counted from 0). Drop such rows.")


def _floats(values: object, name: str) -> Array:
    """Numbers of any kind as doubles, and an error for what is none."""
    _require_unmasked(values, name)
    try:
        array = values_of(values) if is_convertible(values) else np.asarray(values)
        if array.dtype.kind not in "biufO":
            raise TypeError(f"it is of dtype {array.dtype}")
        return np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise EvenOddsError(f"{name} is not numeric: {words_of(error)}") from error


def row_numbers(values: object, name: str, n_rows: int) -> Array:
    """Finite numbers, one a row; a single number stands for all rows."""
    array = _floats(values, name)
    if array.ndim == 0:
        array = np.full(n_rows, float(array))
    if array.ndim != 1:
        raise EvenOddsError(f"{name} must be 1D array or scalar, got {array.ndim} dimensions, shape {array.shape}.")
    if array.shape[0] != n_rows:
        raise EvenOddsError(f"{name}.shape == {array.shape}, expected {(n_rows,)}: one number a row.")
    bad = ~np.isfinite(array)
    if bad.any():
        row = int(bad.argmax())
        kind = "NaN" if np.isnan(array[row]) else "infinity"
        raise EvenOddsError(f"{name} contains {kind}, first in row {row} (counted from 0).")
    return array


def row_offsets(values: object, n_rows: int, n_classes: int) -> Array:
    """Offsets of the scores: one number a row for two classes, one for each class (n_rows, K) for more."""
    if n_classes == 2:
        return row_numbers(values, "offset", n_rows)
    array = _floats(values, "offset")
    if array.shape != (n_rows, n_classes):
        raise EvenOddsError(
            f"offset has shape {array.shape}, expected {(n_rows, n_classes)}: with more than two classes one number "
            "for each row and class (the same number for all classes changes nothing)."
        )
    bad = ~np.isfinite(array)
    if bad.any():
        raise EvenOddsError(f"offset is not finite, first in row {int(bad.any(axis=1).argmax())} (counted from 0).")
    return array


def combine_weights(sample_weight: object, class_weight: object, codes: Codes, classes: NDArray[Any]) -> Array | None:
    """Weights of the rows times those of their classes; None if all are 1."""
    weight = None
    if sample_weight is not None:
        weight = row_numbers(sample_weight, "sample_weight", codes.size)
        if (weight < 0).any():
            row = int((weight < 0).argmax())
            raise EvenOddsError(f"sample_weight is negative, {weight[row]:g} in row {row} (counted from 0).")
        with np.errstate(over="ignore"):
            total = weight.sum()
        if not np.isfinite(total):
            raise EvenOddsError("The sum of sample_weight is larger than numbers go: divide all of them by a constant.")
        if not weight.any():
            raise EvenOddsError("Sample weights must contain at least one non-zero number: all rows have weight 0.")
    if class_weight is None:
        return weight
    factors = class_factors(class_weight, codes, classes, weight)
    return factors[codes] if weight is None else weight * factors[codes]


def class_factors(class_weight: object, codes: Codes, classes: NDArray[Any], weight: Array | None) -> Array:
    """The factor of each class on the weights of its rows, (K,)."""
    if isinstance(class_weight, str) and class_weight == "balanced":
        totals = np.bincount(codes, weights=weight, minlength=classes.size)
        filled = totals > 0  # a class without weight is none
        return np.asarray(filled * totals.sum() / (filled.sum() * np.where(filled, totals, 1.0)))
    if not isinstance(class_weight, Mapping):
        raise EvenOddsError(f'class_weight is a dict by class, "balanced" or None, got {class_weight!r}.')
    try:
        factors = compute_class_weight(dict(class_weight), classes=classes, y=classes)
    except ValueError as error:
        raise EvenOddsError(f"class_weight: {error}") from None
    if not (np.isfinite(factors).all() and (factors >= 0).all()):
        raise EvenOddsError(f"class_weight holds a negative or infinite weight: {class_weight!r}.")
    if not factors.any():
        raise EvenOddsError(f"class_weight is 0 for each class of y: {class_weight!r}.")
    return np.asarray(factors, dtype=np.float64)
