"""Newton's method on few dense rows in one call, as far as it goes without trouble."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..arrays import Array, Codes, Floats
from .library import function, pointer, vector
from .rows import layout, padded, rows_as_read
from .softmax import rows_of_classes


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
        largest entry, from below; what no row's `multipliers` are below at the point of number `exact`; and the most
        that a score moves from there to the end, or in the last step. NaN where each slope has a pull
    """

    thetas: Array
    values: Array
    decrements: Array
    gradient: Array
    hessian: Array | None
    exact: int
    reads: int
    end: Array | None
    sure: tuple[float, ...] | None


class SmallFit(NamedTuple):
    """A fit that has come to its end in one call.

    intercepts, slopes : (sets,), (sets, p) of the columns as they are
    theta : (sets k,) where nothing is left; values : (m,) J at the points on the way; decrement : the last
    reads : of the rows
    sure : see `Steps`
    """

    intercepts: Array
    slopes: Array
    theta: Array
    values: Array
    decrement: float
    reads: int
    sure: tuple[float, ...]


def newton(
    X: Floats,
    y: Codes,
    weight: Array | None,
    offset: Array | None,
    theta: Array,
    center: Array,
    inverse: Array,
    pull: Array,
    total: float,
    limits: Limits,
    baseline: bool | None = None,
) -> Steps:
    """Minimise loss / total + sum_j pull_j theta_j^2 / 2 over dense rows (m, p).

    theta : as for `rows.second_order_sums`; of more than two classes for `softmax.softmax_second_sums`, as one vector
    baseline : of more than two classes, whether class 0 has no coefficients; None of two
    """
    by_rows, kind, ld = layout(X)
    (m, p), most, two = X.shape, limits.points, baseline is None
    F, k = (1, theta.size) if two else theta.shape
    n = F * k
    rows = rows_as_read(m, y, weight, offset) if two else rows_of_classes(m, F + bool(baseline), y, weight, offset)
    center, inverse, pull, theta = vector(center, p), vector(inverse, p), vector(pull, n), vector(theta, n)
    thetas, along = np.empty((most + 1, n)), np.full(2 * most + 3, np.nan)
    out = np.empty(_room(m, F, k, n))
    numbers = np.array([limits.polish, limits.target, limits.nothing, limits.far])
    near, far = (1, ld) if by_rows else (ld, 1)
    told = np.zeros(3, np.int64)  # the reads, the number of the point that the Hessian is of, and whether it is the end
    values, decrements, sure = along[:most], along[most : 2 * most], along[2 * most :]
    shape = (near, far, m, p, k - p, 0 if two else F, bool(baseline))
    given, room = (*rows, center, inverse, theta, pull), (thetas, values, decrements, sure, out, told)
    loop = function("newton", kind)
    found = loop(pointer(X), *shape, *map(pointer, given), total, pointer(numbers), most, 0.0, *map(pointer, room))
    reads, exact, ended = told.tolist()
    hessian = out[1 + n : 1 + n + n * n].reshape(n, n).copy() if exact >= 0 else None
    end, sure_of = (thetas[found], tuple(sure.tolist())) if ended else (None, None)
    return Steps(
        thetas[:found], values[:found], decrements[:found], out[1 : n + 1].copy(), hessian, exact, reads, end, sure_of
    )


def small_fit(
    X: Floats,
    y: Codes,
    weight: Array | None,
    total: float,
    level: Array,
    limits: Limits,
    *,
    intercept: bool,
    strength: float,
    standardize: bool,
    least: float,
    baseline: bool | None,
) -> SmallFit | None:
    """The fit of a ridge, or without a penalty, to dense rows (m, p) with an end in sight; None where it is not.

    level : (sets,) the intercepts to start from
    strength : of the penalty, on the slopes in units of the columns where it is to `standardize`
    least : what its pull on a slope has to be above
    baseline : as for `newton`
    """
    by_rows, kind, ld = layout(X)
    (m, p), most, sets, two = X.shape, limits.points, level.size, baseline is None
    k, n = p + intercept, sets * (p + intercept)
    y, weight, _ = (
        rows_as_read(m, y, weight, None) if two else rows_of_classes(m, sets + bool(baseline), y, weight, None)
    )
    out = np.empty(sets * (p + 1) + 4 + 2 * most + 7 * p + (most + 3) * n + _room(m, sets, k, n))
    out[:sets] = level
    near, far = (1, ld) if by_rows else (ld, 1)
    shape = (near, far, m, p, intercept, 0 if two else sets, bool(baseline))
    numbers = (total, strength, standardize, least, limits.polish, limits.target, limits.nothing, limits.far, most)
    found = function("small_fit", kind)(pointer(X), *shape, pointer(y), pointer(weight), *numbers, pointer(out))
    if not found:
        return None
    known, values = sets * (p + 1), sets * (p + 1) + 4 + n
    *sure, reads = out[known : known + 4].tolist()
    kept, decrement = out[: values + found].copy(), out[values + most + found - 1].item()
    intercepts, slopes = kept[:sets], kept[sets:known].reshape(sets, p)
    return SmallFit(intercepts, slopes, kept[known + 4 : values], kept[values:], decrement, int(reads), tuple(sure))


def _room(m: int, sets: int, k: int, n: int) -> int:
    """The doubles that the loop of Newton's method asks for; see newton_call.inc."""
    q = padded(k)
    work = (
        (padded(m) + sets * (sets + 1) // 2 * q + 2 * sets) * q
        + (2 * n + 8) * padded(n)
        + 2 * m
        + 64 * (2 * sets + 1)
        + 8
    )
    return 1 + n + n * n + work
