"""What margins of columns and margins of a table share: the places where, and the table that is made at the end."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ..arrays import Array
from ..exceptions import EvenOddsError
from .certain import warn_of_open

if TYPE_CHECKING:
    from .record import Inference


def _mean(values: Array, weight: Array) -> float:
    return float(np.average(values, weights=weight))


def _median(values: Array, weight: Array) -> float:
    """The value with half of the weight on each side, as of rows that are repeated."""
    order = np.argsort(values)
    reached = np.cumsum(weight[order])
    low, high = (np.searchsorted(reached, 0.5 * reached[-1], side=side) for side in ("left", "right"))
    return float(0.5 * (values[order[low]] + values[order[min(high, order.size - 1)]]))


MIDDLES: dict[str, Callable[[Array, Array], float]] = {"mean": _mean, "median": _median}


def require_overall(at: object) -> None:
    """An error for a place that is not known."""
    if not isinstance(at, str) or at != "overall":
        raise EvenOddsError(
            f'at is "overall", "mean", "median" or a mapping of columns to values, such as {{"age": 40}}, got {at!r}.'
        )


def number_at(name: object, value: object) -> float:
    """A value that a column is held at."""
    wrong = EvenOddsError(f"at[{name!r}] is a number, got {value!r}.")
    if not isinstance(value, float | int | np.number | np.bool_):
        raise wrong
    try:
        number = float(value)
    except (OverflowError, TypeError):  # integers go further, and NumPy's complex numbers are its numbers too
        raise wrong from None
    if not np.isfinite(number):
        raise wrong
    return number


def known_columns(result: "Inference") -> NDArray[np.bool_]:
    """Which columns have an effect that is estimated.

    Aliased columns have none of their own; nor has a constant column beside a ridge, whose error is 0.
    """
    first = int(bool(result.model.fit_intercept))
    estimated = result.whole.estimated.reshape(len(result.listed), len(result.names))[0, first:]
    constant = result.se.reshape(-1, len(result.names))[0, first:] == 0
    return np.asarray(estimated & ~constant)


def errors_of(result: "Inference", jacobian: Array) -> Array:
    """Standard errors (K, p) from derivatives by theta (K, p, m, k)."""
    K, p, m, k = jacobian.shape  # k may be 0: no intercept, and no column that tells anything
    every = jacobian.reshape(K * p, m * k)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt(result.theta_covariance.variances(every)).reshape(K, p))


def table(
    result: "Inference", names: Sequence[str], known: NDArray[np.bool_], effect: Array, se: Array
) -> dict[str, Any]:
    """The columns of the table, of effects (K, p) and their standard errors, where they are known."""
    K, classes = len(result.classes), result.classes
    se = np.where(known, se, np.nan)
    effect, se = (np.where(np.isfinite(effect), values, np.nan) for values in (effect, se))
    warn_of_open(
        [name for name, column in zip(names, effect.T, strict=True) if np.isnan(column).any()],
        "column",
        "has no marginal effect: in the limit it is infinite, or depends on how far each coefficient has grown",
    )
    if K == 2:
        effect, se, labels = effect[1], se[1], {"term": list(names)}
    else:
        every = [(label, name) for label in classes for name in names]
        labels = {"class": [label for label, _ in every], "term": [name for _, name in every]}
    effect, se = effect.ravel(), se.ravel()
    with np.errstate(divide="ignore", invalid="ignore"):
        z = effect / se
    quantile = ndtri(0.5 + result.level / 2)
    return {
        **labels,
        "effect": effect,
        "se": se,
        "z": z,
        "p_value": 2 * ndtr(-np.abs(z)),
        "lower": effect - quantile * se,
        "upper": effect + quantile * se,
    }
