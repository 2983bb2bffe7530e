"""Newton's method on few dense rows in one call, as far as it goes without trouble."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .library import function, pointer, vector
from .rows import layout, padded, rows_as_read

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Limits:
    """When the loop does what, by the decrement: how far above its minimum J is.

    polish : from which steps with the last Hessian are as good as Newton's
    target : at which the fit is good enough
    nothing : as a share of J, at which nothing is left
    far : as a share of J, above which a step is given its best length
    points : at the most
    """

    polish: float
    target: float
    nothing: float
    far: float
    points: int


@dataclass(frozen=True)
class Steps:
    """The points that Newton's method has come by, and what it knows of the last.

    thetas, values, decrements : (m, k), (m,), (m,)
    gradient : (k,)
    hessian : (k, k) at the point of number `exact`, which is so near that it serves; None where it is not known
    reads : of the rows
    end : (k,) one more step on, where nothing is left; None where there is more to do
    sure : of an end what a proof that classes overlap asks for: the least eigenvalue of the Hessian as a share of its
        largest entry, from below; the least curvature of a row at the point of number `exact`; and the most that a
        score moves from there to the end. NaN where each slope has a pull
    """

    thetas: Array
    values: Array
    decrements: Array
    gradient: Array
    hessian: Array | None
    exact: int
    reads: int
    end: Array | None
    sure: tuple[float, float, float]


def newton(
    X: Any,
    y: object,
    weight: Array | None,
    offset: Array | None,
    theta: Array,
    center: Array,
    inverse: Array,
    pull: Array,
    total: float,
    limits: Limits,
) -> Steps:
    """Minimise loss / total + sum_j pull_j theta_j^2 / 2 over dense rows (m, p); see `rows.second_order_sums`."""
    by_rows, kind, ld = layout(X)
    (m, p), k, most = X.shape, theta.size, limits.points
    rows = rows_as_read(m, y, weight, offset)
    center, inverse, pull, q = vector(center, p), vector(inverse, p), vector(pull, k), padded(k)
    theta = vector(theta, k)
    thetas, along = np.empty((most + 1, k)), np.full(2 * most + 3, np.nan)
    out = np.empty(1 + k + k * k + (64 + 2 * q + 8) * q + 2 * m + 8)  # the results, and room for work after them
    numbers = np.array([limits.polish, limits.target, limits.nothing, limits.far])
    near, far = (1, ld) if by_rows else (ld, 1)
    given = map(pointer, (*rows, center, inverse, theta, pull))
    told = np.zeros(3, np.int64)  # the reads, the number of the point that the Hessian is of, and whether it is the end
    values, decrements, sure = along[:most], along[most : 2 * most], along[2 * most :]
    room = map(pointer, (thetas, values, decrements, sure, out, told))
    found = function("newton", kind)(pointer(X), near, far, m, p, k - p, *given, total, pointer(numbers), most, *room)
    reads, exact, ended = told.tolist()
    hessian = out[1 + k : 1 + k + k * k].reshape(k, k).copy() if exact >= 0 else None
    return Steps(
        thetas[:found],
        values[:found],
        decrements[:found],
        out[1 : k + 1].copy(),
        hessian,
        exact,
        reads,
        thetas[found] if ended else None,
        tuple(sure.tolist()),
    )
