"""One number a column: penalty factors and bounds, each checked, with the column named when it is wrong."""

from collections.abc import Mapping, Sequence
from typing import Any, SupportsFloat

import numpy as np

from .arrays import Array, Mask
from .exceptions import EvenOddsError, words_of

LEAST_C = 1e-300  # the inverse of a strength of a penalty has to be a number
_LEAST_PULL = 1e-100  # of an L1 part, that is one in any unit of the columns


def column_numbers(
    values: object, what: str, n_columns: int, names: Sequence[str] | None, default: float
) -> Array | None:
    """Numbers in column order, from an array, a dict by name, or one number for all; None stays None.

    default : for columns that a dict leaves out
    """
    if values is None:
        return None
    if isinstance(values, Mapping):
        values = _by_name(values, what, n_columns, names, default)
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise EvenOddsError(f"{what} is not numeric: {words_of(error)}") from None
    if array.ndim == 0:
        array = np.full(n_columns, float(array))
    if array.shape != (n_columns,):
        raise EvenOddsError(
            f"{what} has shape {array.shape}, and X {n_columns} columns: give one number a column, or a dict by name."
        )
    bad = np.isnan(array)
    if bad.any():
        raise EvenOddsError(f"{what} is NaN for {_named(int(bad.argmax()), names)}.")
    return array


def _by_name(
    values: Mapping[Any, Any], what: str, n_columns: int, names: Sequence[str] | None, default: float
) -> list[Any]:
    known: Sequence[Any] = range(n_columns) if names is None else list(names)
    unknown = [name for name in values if name not in known]
    if unknown:
        of = f"X has no names: use column numbers, 0 to {n_columns - 1}" if names is None else "X has no such column"
        raise EvenOddsError(f"{what} names {', '.join(map(repr, unknown[:5]))}: {of}.")
    return [values.get(name, default) for name in known]


def penalty_factors(values: object, n_columns: int, names: Sequence[str] | None) -> Array | None:
    """The `penalty_factor` of each column: 0 or more, 0 for a column without penalty."""
    factor = column_numbers(values, "penalty_factor", n_columns, names, 1.0)
    if factor is not None and not ((factor >= 0) & (factor < np.inf)).all():
        k = int(np.argmin((factor >= 0) & (factor < np.inf)))
        raise EvenOddsError(
            f"penalty_factor is {factor[k]:g} for {_named(k, names)}: it is a finite number, 0 or more."
        )
    return factor


def bounds(
    lower: object, upper: object, n_columns: int, names: Sequence[str] | None
) -> tuple[Array | None, Array | None]:
    """The `lower` and `upper` bound of each coefficient; None where there are none at all."""
    low = column_numbers(lower, "lower", n_columns, names, -np.inf)
    high = column_numbers(upper, "upper", n_columns, names, np.inf)
    for what, array, never in (("lower", low, np.inf), ("upper", high, -np.inf)):
        if array is not None and (array == never).any():
            k = int(np.argmax(array == never))
            raise EvenOddsError(f"{what} is {never:g} for {_named(k, names)}: no coefficient is within it.")
    if low is not None and high is not None and (low > high).any():
        k = int(np.argmax(low > high))
        raise EvenOddsError(f"The bounds cross for {_named(k, names)}: lower {low[k]:g} is above upper {high[k]:g}.")
    return low, high


def free_columns(n_columns: int, factor: Array | None, lower: Array | None, upper: Array | None) -> Mask:
    """(p,) the columns that have neither a penalty nor a bound."""
    free = np.zeros(n_columns, dtype=bool) if factor is None else factor == 0
    for bound in (lower, upper):
        free = free if bound is None else free & np.isinf(bound)
    return np.asarray(free, dtype=bool)


def all_at_zero(pull: float, factor: Array | None, lower: Array | None, upper: Array | None) -> bool:
    """Whether an L1 part pulls every coefficient to 0, where its bounds let it be: with nothing to tell, it is 0.

    pull : the strength of the L1 part, of a factor of 1
    """
    least = pull if factor is None else pull * float(factor.min(initial=1.0))
    low, high = lower is None or bool((lower <= 0).all()), upper is None or bool((upper >= 0).all())
    return least > _LEAST_PULL and low and high


def check_l1_ratio(value: SupportsFloat) -> float:
    """The `l1_ratio`, a number from 0 to 1."""
    try:
        ratio = float(value)
    except (TypeError, ValueError, OverflowError):
        ratio = np.nan
    if isinstance(value, bool) or not 0 <= ratio <= 1:
        raise EvenOddsError(f"l1_ratio is a number from 0 (ridge) to 1 (lasso), got {value!r}.")
    return ratio


def _named(k: int, names: Sequence[str] | None) -> str:
    return f"column {k}" if names is None else f"column {names[k]!r}"
