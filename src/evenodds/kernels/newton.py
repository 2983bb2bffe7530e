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
    """

    thetas: Array
    values: Array
    decrements: Array
    gradient: Array
    hessian: Array | None
    exact: int
    reads: int


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
    thetas, along = np.empty((most, k)), np.empty((2, most))
    out = np.empty(1 + k + k * k + (64 + 2 * q + 8) * q + 2 * m + 8)  # the results, and room for work after them
    numbers = np.array([limits.polish, limits.target, limits.nothing, limits.far])
    near, far = (1, ld) if by_rows else (ld, 1)
    given = map(pointer, (*rows, center, inverse, theta, pull))
    told = np.zeros(2, np.int64)  # the reads, and the number of the point that the Hessian is of
    room = map(pointer, (thetas, along[0], along[1], out, told))
    found = function("newton", kind)(pointer(X), near, far, m, p, k - p, *given, total, pointer(numbers), most, *room)
    reads, exact = told.tolist()
    hessian = out[1 + k : 1 + k + k * k].reshape(k, k).copy() if exact >= 0 else None
    return Steps(thetas[:found], along[0, :found], along[1, :found], out[1 : k + 1].copy(), hessian, exact, reads)
