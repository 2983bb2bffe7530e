"""Polynomials and splines: the bases and what they remember are formulaic's.

`poly` is R's (orthogonal on the rows of the fit), `bs` a B-spline as in R's package splines, and `cr` a natural cubic
regression spline as in mgcv, whose columns add up to 1.
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array
from ..exceptions import EvenOddsError

if TYPE_CHECKING:
    from .expressions import Expression


# The options that each takes, in the order in which they may be given without a name.
OPTIONS: dict[str, tuple[str, ...]] = {
    "poly": ("degree", "raw"),
    "bs": ("df", "knots", "degree", "include_intercept", "lower_bound", "upper_bound", "extrapolation"),
    "cr": ("df", "knots", "lower_bound", "upper_bound", "extrapolation"),
}

_STRAIGHT = 1e-9  # of columns of size 1: what rounding leaves of a straight line beside it


def formulaic(module: str) -> Any:
    """A module of formulaic, or an error that says how to get it."""
    try:
        return importlib.import_module(f"formulaic{module}")
    except ImportError:
        raise EvenOddsError('Formulas need the package formulaic: pip install "evenodds[tables]".') from None


def learnt_basis(expression: "Expression", x: Array) -> Mapping[str, Any]:
    """The state of a basis on the rows of a fit."""
    distinct = np.unique(x).size
    least = expression.options.get("degree", 1) if expression.operation == "poly" else 1
    if distinct <= least:
        raise EvenOddsError(
            f"{_named(expression)} cannot be made: the column has {distinct} different values, and it needs "
            f"{least + 1} or more."
        )
    state: dict[str, Any] = {}
    _formulaic_basis(expression, x, state)
    return _plain(state)


def width_of(expression: "Expression") -> int:
    """How many columns a basis has that has learnt."""
    return int(basis_of(expression, np.array([expression.state.get("lower_bound", 0.0)])).shape[1])


def basis_of(expression: "Expression", x: Array) -> Array:
    """The basis (n, k) at the values x."""
    state: dict[str, Any]
    if expression.operation == "poly":
        state = {key: dict(enumerate(values)) for key, values in expression.state.items()}
    else:
        state = {k: np.array(v) if isinstance(v, list) else v for k, v in expression.state.items()}
    return _formulaic_basis(expression, x, state)


def bends(expression: "Expression", first: int, count: int) -> Array:
    """Combinations (r, count) of the coefficients of some columns that are 0 where the function is a straight line.

    A function is one where it has no rest beside 1 and x at as many points as tell its pieces apart. No combinations,
    where the columns are straight already, or hold no straight line but a level one.
    """
    state = expression.state
    if "lower_bound" in state:
        ends = np.unique([state["lower_bound"], *state["knots"], state["upper_bound"]])
    elif state:
        ends = state["alpha"][0] + np.sqrt(state["norms2"][1] / state["norms2"][0]) * np.array([-2.0, 2.0])
    else:
        ends = np.array([-1.0, 1.0])
    x = np.unique(np.linspace(ends[:-1], ends[1:], max(9, 2 * count)))
    B = basis_of(expression, x)[:, first : first + count]
    size = np.abs(B).max(axis=0)
    if not size.all():
        return np.zeros((0, count))
    B = B / size
    line = np.column_stack([np.ones_like(x), (x - ends[0]) / (ends[-1] - ends[0])])
    _, spread, ways = np.linalg.svd(B - line @ np.linalg.lstsq(line, B, rcond=None)[0], full_matrices=False)
    bent = spread > _STRAIGHT
    return np.asarray(ways[bent] * size) if bent.sum() < count else np.zeros((0, count))


def _formulaic_basis(expression: "Expression", x: Array, state: dict[str, Any]) -> Array:
    transforms = formulaic(".transforms")
    function = {"poly": transforms.poly, "bs": transforms.basis_spline, "cr": transforms.TRANSFORMS["cr"]}
    try:
        with np.errstate(all="ignore"):  # of values that are no numbers, which are looked for in what is found
            found = function[expression.operation](x, **expression.options, _state=state)
        found = getattr(found, "__wrapped__", found)
        columns = np.column_stack([found[key] for key in found]) if isinstance(found, Mapping) else found
        return np.asarray(columns, dtype=np.float64)
    except Exception as error:  # of whatever kind, about the options or the values
        advice = " With extrapolation='clip' those beyond are taken for the ends." if "extrapol" in str(error) else ""
        why = str(error).split(", which can result")[0].rstrip(".")
        raise EvenOddsError(f"{_named(expression)} cannot be made: {why}.{advice}") from None


def _plain(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """A state as JSON can hold it: numbers by degree become lists."""
    found: dict[str, Any] = {}
    for key, value in state.items():
        if isinstance(value, Mapping):
            found[key] = [float(value[k]) for k in sorted(value)]
        elif isinstance(value, list | np.ndarray):
            found[key] = np.asarray(value, dtype=np.float64).tolist()
        else:
            found[key] = value
    return found


def _named(expression: "Expression") -> str:
    return f"{expression.operation}({', '.join(expression.columns())})"
