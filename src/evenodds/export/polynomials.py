"""Splines and polynomials as polynomials between breaks, exactly: what an export can compute without formulaic.

A polynomial of degree d is known by its values at d + 1 points. So those of a basis are read off the basis itself,
between each two of its knots, and compared with it at other points: what is not the same there is refused.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Array
from ..design import Expression, Number
from ..design.expressions import BASES
from ..design.splines import basis_of
from ..exceptions import EvenOddsError

__all__ = ["BASES", "Polynomials", "polynomials_of"]

_SAME = 1e-12  # of the largest value of a basis


@dataclass(frozen=True)
class Polynomials:
    """Columns that are polynomials between breaks.

    breaks : (m,) rising; piece k is where k of them are at most x
    centres : (m + 1,)
    coefs : (m + 1, d + 1, columns), of the powers of x less the centre of the piece, the constant first
    bounds : outside of which x is not within the basis; None where it has none
    outside : there "clip" takes the nearer bound for x, "zero" makes all columns 0, and "nothing" has no value
    endless : whether infinity counts as outside; else it has no value
    """

    breaks: Array
    centres: Array
    coefs: Array
    bounds: tuple[float, float] | None = None
    outside: str = "nothing"
    endless: bool = False

    def combined(self, weights: Array) -> "Polynomials":
        """One column, the sum of the columns times weights."""
        return replace(self, coefs=(self.coefs @ weights)[:, :, None])

    def values(self, x: Array) -> Array:
        """The columns (n, columns) at x within the bounds."""
        piece = np.searchsorted(self.breaks, x, side="right")
        u, found = x - self.centres[piece], np.zeros((x.size, self.coefs.shape[2]))
        for power in range(self.coefs.shape[1] - 1, -1, -1):
            found = found * u[:, None] + self.coefs[piece, power]
        return found


def polynomials_of(atom: Number) -> Polynomials:
    """The polynomials of a basis, those columns that the model takes.

    Raises
    ------
    EvenOddsError
        If they are not the basis, to rounding.
    """
    expression = atom.expression
    with np.errstate(all="ignore"):
        found = _polynomial(expression) if expression.operation == "poly" else _spline(expression)
        low, high = found.bounds or (-np.inf, np.inf)
        x = _test_points(found, low, high, _spread(expression))
        values, same = basis_of(expression, x), found.values(x)
    size = np.maximum(np.abs(values).max(axis=0), np.finfo(float).tiny)
    if not (np.abs(values - same) <= _SAME * size).all():
        raise EvenOddsError(
            f"{atom.name} cannot be exported: its polynomials do not give the same numbers as the basis itself. Fit it "
            "with fewer degrees of freedom, or with a column that is scaled to about 1."
        )
    taken = slice(atom.first, atom.first + atom.columns)
    return replace(found, coefs=found.coefs[:, :, taken])


def _spread(expression: Expression) -> float:
    """About how far the values of a polynomial's column reach from its first centre."""
    norms = expression.state.get("norms2")
    return 3 * float(np.sqrt(norms[1] / norms[0])) if norms else 1.0


def _test_points(found: Polynomials, low: float, high: float, spread: float) -> Array:
    """Some points of every piece, the breaks and the bounds among them."""
    breaks = found.breaks if found.breaks.size else found.centres
    if found.breaks.size > 1:
        spread = float(np.ptp(breaks))
    first = low if np.isfinite(low) else breaks[0] - spread
    last = high if np.isfinite(high) else breaks[-1] + spread
    ends = np.concatenate([[first], breaks, [last]])
    shares = np.array([0.0, 0.13, 0.37, 0.71, 0.94, 1.0])
    points: Array = np.unique(ends[:-1, None] + np.diff(ends)[:, None] * shares)
    return points.clip(low, high)


def _spline(expression: Expression) -> Polynomials:
    state, options = expression.state, expression.options
    default = "raise" if expression.operation == "bs" else "extend"
    outside = str(options.get("extrapolation", default)).lower()
    low, high = float(state["lower_bound"]), float(state["upper_bound"])
    knots = np.unique(np.asarray(state["knots"], dtype=np.float64))
    if outside == "extend":
        inner, bounds = knots, None
        width = knots[-1] - knots[0] if knots.size > 1 else 1.0
        ends = np.concatenate([[knots[0] - width], knots, [knots[-1] + width]])
    else:
        inner, bounds = knots[(knots > low) & (knots < high)], (low, high)
        ends = np.concatenate([[low], inner, [high]])
    degree = int(options.get("degree", 3)) if expression.operation == "bs" else 3
    centres, half = (ends[:-1] + ends[1:]) / 2, np.diff(ends) / 2
    points = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    x = centres[:, None] + half[:, None] * points  # rounded: far from 0 they are others than the points
    of_piece = basis_of(expression, x.ravel()).reshape(centres.size, degree + 1, -1)
    powers = ((x - centres[:, None]) / half[:, None])[:, :, None] ** np.arange(degree + 1)
    coefs = np.linalg.solve(powers, of_piece) / half[:, None, None] ** np.arange(degree + 1)[:, None]
    rule = outside if outside in ("clip", "zero") else "nothing"
    endless = rule != "nothing" and bool(np.isfinite(basis_of(expression, np.array([np.inf]))).all())
    return Polynomials(inner, centres, coefs, bounds, rule, endless)


def _polynomial(expression: Expression) -> Polynomials:
    """By the recursion of orthogonal polynomials, in powers of x less their first centre."""
    degree = int(expression.options.get("degree", 1))
    columns: list[Any] = []
    if expression.options.get("raw", False):
        centre = 0.0
        columns = [np.eye(degree + 1)[k] for k in range(1, degree + 1)]
    else:
        alpha, norms = (np.asarray(expression.state[key]) for key in ("alpha", "norms2"))
        centre, one = float(alpha[0]), np.polynomial.Polynomial([1.0])
        found = [one]
        for k in range(1, degree + 1):
            step = np.polynomial.Polynomial([centre - alpha[k - 1], 1.0]) * found[-1]
            found.append(step - norms[k - 1] / norms[k - 2] * found[-2] if k > 1 else step)
        for k in range(1, degree + 1):
            padded = np.zeros(degree + 1)
            padded[: found[k].coef.size] = found[k].coef / np.sqrt(norms[k])
            columns.append(padded)
    return Polynomials(np.empty(0), np.array([centre]), np.column_stack(columns)[None, :, :])
