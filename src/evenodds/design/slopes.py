"""Derivatives of what a formula computes by a column, operation by operation.

Those of splines and orthogonal polynomials are of the parabola of fourth degree through five points around the value,
within the bounds of the spline: exact for any polynomial of that degree, and so between knots.
"""

import numpy as np

from ..arrays import Array
from .expressions import BASES, LEARNING, Expression, Rows
from .splines import basis_of

_POINTS = np.arange(5.0)
_SPLINE, _POLYNOMIAL = 1e-4, 1e-2  # the step, as a part of the range of a spline, or of a polynomial's deviation


def derivative(expression: Expression, rows: Rows, source: str) -> Array:
    """By the column `source`: one number a row (n,), of a basis several (n, k); () where it has no part."""
    name = expression.operation
    if source not in expression.columns():
        return np.asarray(0.0)
    if name == "column":
        return np.ones_like(rows.numbers(source))
    with np.errstate(all="ignore"):
        slopes = [derivative(arg, rows, source) for arg in expression.args]
        args = [arg.values(rows) for arg in expression.args]
        if name in BASES:
            return np.asarray(_basis_slope(expression, args[0]) * slopes[0][:, None])
        if name in LEARNING:
            return np.asarray(slopes[0] / expression.state.get("deviation", 1.0))
        if len(args) == 1:
            return np.asarray(_unary_slope(name, args[0]) * slopes[0])
        return _binary_slope(expression, args, slopes, source)


def _unary_slope(name: str, u: Array) -> Array:
    match name:
        case "neg":
            return np.full_like(u, -1.0)
        case "log" | "log2" | "log10":
            return np.asarray(1 / (u * {"log": 1.0, "log2": np.log(2.0), "log10": np.log(10.0)}[name]))
        case "log1p":
            return 1 / (1 + u)
        case "exp" | "expm1":
            return np.exp(u)
        case "exp2":
            return np.asarray(np.log(2.0) * np.exp2(u))
        case "sqrt":
            return 0.5 / np.sqrt(u)
        case "abs":
            return np.sign(u)
    raise AssertionError(name)


def _binary_slope(expression: Expression, args: list[Array], slopes: list[Array], source: str) -> Array:
    (u, v), (du, dv) = args, slopes
    match expression.operation:
        case "+":
            return np.asarray(du + dv)
        case "-":
            return np.asarray(du - dv)
        case "*":
            return np.asarray(du * v + u * dv)
        case "/":
            return np.asarray((du - u / v * dv) / v)
        case "**":
            found = np.asarray(v * u ** (v - 1) * du)
            return np.asarray(found + np.log(u) * u**v * dv) if source in expression.args[1].columns() else found
    raise AssertionError(expression.operation)


def _basis_slope(expression: Expression, u: Array) -> Array:
    """The derivative (n, k) of a basis at u."""
    state, n = expression.state, u.size
    if "lower_bound" in state:
        low, high = state["lower_bound"], state["upper_bound"]
        h = np.full(n, _SPLINE * (high - low))
        start = np.clip(u - 2 * h, low, high - 4 * h)
    else:
        scale = np.sqrt(state["norms2"][1] / state["norms2"][0]) if state else np.maximum(np.abs(u), 1.0)
        h = np.full(n, _POLYNOMIAL * scale)
        start = u - 2 * h
    points = start[:, None] + h[:, None] * _POINTS
    points = np.minimum(points, state["upper_bound"]) if "upper_bound" in state else points
    values = basis_of(expression, points.ravel()).reshape(n, _POINTS.size, -1)
    weights = np.stack([_lagrange_slope(j, (u - start) / h) for j in range(_POINTS.size)], axis=1)
    return np.asarray(np.einsum("ij,ijk->ik", weights, values) / h[:, None])


def _lagrange_slope(j: int, at: Array) -> Array:
    """The derivative of the polynomial that is 1 at point j and 0 at the others."""
    others = np.delete(_POINTS, j)
    polynomial = np.polynomial.Polynomial.fromroots(others) / np.prod(_POINTS[j] - others)
    return np.asarray(polynomial.deriv()(at))
