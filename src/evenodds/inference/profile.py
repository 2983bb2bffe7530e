"""Profile likelihood: the best likelihood for each value of a coefficient, and the values where it has fallen too far.

An interval's end is where 2 (max l - profile l) is the quantile of chi-squared. It is found by the algorithm of
Venzon and Moolgavkar (Applied Statistics 37, 1988): Newton's method for the system "l has fallen by so much, and its
gradient along all other coefficients is zero". Where that strays, as with Firth's fit of a handful of rows, the profile
itself is followed, from one maximum to the next. For Firth's fit l is the penalised likelihood, with all columns kept
in the penalty (Heinze and Schemper, Statistics in Medicine 21, 2002). That can have several maxima, under restrictions
too: each restricted maximum is looked for as the free one was (`peaks`), with fewer starts, from the highest that is
next to one of the free ones; an interval holds all values that are not rejected, and a restricted maximum above the
free one is a `HigherMaximum`, from where the free one is found anew.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

from .. import firth
from ..arrays import Array
from ..exceptions import EvenOddsError
from .covariance import Inverse
from .problem import Problem
from .wide import WideInverse

_STEPS = 100
_SCORING = 2000  # where the information is far from the Hessian, steps are many and small
_FALL = 1e-9  # of l, to which the end of an interval is found
_STRETCH = 2.0  # the longest step, in standard errors
_PARTS = 200  # of the way onto constraints
_PEAK = 1e-6  # standard errors to which a maximum of Firth's likelihood is found on large data
_ROUNDED = 1e-12  # of l: a step that promises less, and no less than half of the last one, is rounding
_LAST = 1e-8  # of l: a step that promises no more, or than l is rounded by, and leads no higher is the last one
_BRANCH = 1e-6  # of l, by which one branch of a profile is above another
_BRANCHES = 10  # of a profile, of several maxima, that are followed one after another


@dataclass(frozen=True)
class Point:
    """A place on the profile.

    theta : the coefficients; value : the (penalised) log-likelihood; score : its gradient
    inverse : of the information
    """

    theta: Array
    value: float
    score: Array
    inverse: Inverse | WideInverse


def at(problem: Problem, theta: Array) -> Point | None:
    """Evaluate; None where the likelihood or the information is not finite."""
    S = problem.objective.total_weight
    if problem.wide:
        curvature = problem.objective.arrow(theta)
        value, gradient, _ = problem.objective.value_grad(theta)
        return Point(theta, -S * value, -S * gradient, WideInverse(problem.curved(curvature.times(S))))
    value, gradient, hessian = problem.objective.value_grad_hess(theta)
    if not (math.isfinite(value) and np.isfinite(hessian).all()):
        return None
    try:
        return Point(theta, -S * value, -S * gradient, Inverse.at(problem.at(theta), problem.curved(S * hessian)))
    except EvenOddsError:
        return None


def constrained_maximum(
    problem: Problem,
    fixed: Array | None = None,
    values: Array | None = None,
    start: Point | None = None,
    tops: Sequence[Point] = (),
) -> Point:
    """The maximum of l where fixed @ theta = values; fixed (m, q), values (m,). Without constraints, that of l.

    tops : the maxima of l, the highest first: of Firth's, the search starts from the highest that is next to one

    Where the way onto the constraints is too long for one step, it is taken in parts.
    """
    if problem.firth:
        return peaks(problem, fixed, values, _nearest(problem, fixed, values, tops) or start)[0]
    fixed = np.empty((0, problem.theta.size)) if fixed is None else fixed
    values = np.zeros(len(fixed)) if values is None else values
    point = start or at(problem, problem.theta)
    if point is None:
        raise EvenOddsError("The likelihood is not finite at the fitted coefficients.")
    here, share = fixed @ point.theta, 1.0
    for _ in range(_PARTS):
        goal = values if share == 1 else here + share * (values - here)
        moved = _climb(problem, fixed, goal, point)
        if moved is None and not fixed.size:
            break
        if moved is None:
            share /= 2
        elif share == 1:
            return moved
        else:
            point, here, share = moved, goal, min(1.0, 2 * share)
    raise EvenOddsError("The profile likelihood could not be followed: the information became singular on the way.")


def maxima(problem: Problem) -> list[Point]:
    """The maxima of l, which are several for Firth's fit only; the highest is the one that the problem is posed at."""
    if not problem.firth:
        return [constrained_maximum(problem)]
    (best,) = peaks(problem, search=False)
    tops = peaks(problem, start=best)
    require_lower(problem, best, tops[0])
    return tops


class HigherMaximum(EvenOddsError):
    """A maximum of Firth's likelihood above the one that the model is fitted to, at theta."""

    def __init__(self, theta: Array, above: float) -> None:
        super().__init__(
            f"The penalised likelihood has a maximum {above:.3g} above the one that was fitted: call infer again, on "
            "the model fitted with warm_start=True from there, or with fewer columns that have far values."
        )
        self.theta, self.above = theta, above


def peaks(
    problem: Problem,
    fixed: Array | None = None,
    values: Array | None = None,
    start: Point | None = None,
    search: bool = True,
) -> list[Point]:
    """The maxima of Firth's likelihood where fixed @ theta = values, the highest first; if not `search` the nearest.

    start : from where; else from the problem's theta
    """
    objective = problem.objective
    if not isinstance(objective, firth.FirthObjective):
        raise AssertionError("only Firth's likelihood has several maxima")
    theta = problem.theta if start is None else start.theta
    if fixed is not None:
        values = np.zeros(len(fixed)) if values is None else values
        around = np.eye(theta.size) if start is None else start.inverse.full
        A = around @ fixed.T
        theta = theta + A @ np.linalg.solve(fixed @ A, values - fixed @ theta)
        if at(problem, theta) is None:
            theta = np.asarray(np.linalg.pinv(fixed) @ values)
    climb = firth.Climber(objective, fixed, tol=_PEAK, max_iter=_SCORING)
    if fixed is not None and len(fixed) == theta.size:
        places = [theta]
    elif search:
        places = [one.theta for one in firth.maxima(climb, theta)]
    else:
        places = [climb(theta).theta]
    found = [point for point in (at(problem, place) for place in places) if point is not None]
    if not found:
        raise EvenOddsError("The profile likelihood could not be followed: the information became singular on the way.")
    return found


def _nearest(problem: Problem, fixed: Array | None, values: Array | None, tops: Sequence[Point]) -> Point | None:
    """The highest of the restricted maxima next to those of l: none is above the one that it is next to."""
    near: Point | None = None
    for top in tops:
        if near is not None and near.value >= top.value:
            break
        try:
            here = peaks(problem, fixed, values, top, search=False)[0]
        except EvenOddsError:  # the way from another may not be singular
            continue
        near = here if near is None or here.value > near.value else near
    return near


def _climb(problem: Problem, fixed: Array, values: Array, point: Point) -> Point | None:
    """Newton's method under constraints: a step onto them, then steps halved until l rises. None if it fails."""
    last = math.inf
    for k in range(_SCORING):
        missing = values - fixed @ point.theta
        step = point.inverse.full @ point.score
        if len(values):
            A = point.inverse.full @ fixed.T
            step = step - A @ np.linalg.solve(fixed @ A, fixed @ step - missing)
        if k == 0 and len(values):
            onto = at(problem, point.theta + step)
            if onto is None:
                return None
            point = onto
            continue
        rise = float(step @ point.score)
        if rise < 1e-18 * max(1.0, abs(point.value)) or last / 2 < rise < _ROUNDED:
            return point
        last = rise
        moved = _rising(problem, point, step)
        if moved is None or moved.value <= point.value:
            return point if rise < max(_LAST, 2e-15 * abs(point.value)) else None
        point = moved
    return None


def _rising(problem: Problem, point: Point, step: Array) -> Point | None:
    """The point a step away, or a half, a quarter, ... of it, where l is no lower."""
    for k in range(40):
        moved = at(problem, point.theta + step / 2**k)
        if moved is not None and moved.value >= point.value:
            return moved
    return None


def interval(problem: Problem, row: Array, level: float, tops: Sequence[Point]) -> tuple[float, float]:
    """Both ends for the coefficient row @ theta: all that is beyond them is rejected.

    tops : the maxima of l, the highest first

    Beyond the outermost maximum that is not rejected the profile falls, if these are all: a maximum of the profile is
    one of l. So the profile is followed from there; and where an end turns out to be on a lower branch of it, on.
    """
    best, fall = tops[0], float(chdtri(1, 1 - level)) / 2
    ends = []
    for side in (-1.0, 1.0):
        kept = [best, *(top for top in tops[1:] if top.value > best.value - fall)]
        inner = max(kept, key=lambda top: side * float(row @ top.theta))
        end = _venzon_moolgavkar(problem, row, best.value - fall, inner, side)
        if end is None:
            end = _follow(problem, row, fall, best, inner, side)
        for _ in range(_BRANCHES if problem.firth else 0):
            if not math.isfinite(end):
                break
            other = constrained_maximum(problem, row[None, :], np.array([end]), inner, tops)
            require_lower(problem, best, other)
            if other.value < best.value - fall + _BRANCH:
                break
            end = _follow(problem, row, fall, best, other, side)
        ends.append(end)
    return ends[0], ends[1]


def require_lower(problem: Problem, best: Point, restricted: Point) -> None:
    """A `HigherMaximum` where a restricted maximum of Firth's likelihood is above the free one."""
    if problem.firth and restricted.value > best.value + firth.HIGHER:
        (higher,) = peaks(problem, start=restricted, search=False)
        raise HigherMaximum(higher.theta, higher.value - best.value)


def _venzon_moolgavkar(problem: Problem, row: Array, target: float, best: Point, side: float) -> float | None:
    """Newton's method for the end; each step at most `_STRETCH` standard errors long. None if it does not arrive."""
    point = best
    for _ in range(_STEPS):
        u, inverse = point.score, point.inverse.full
        along = inverse @ row
        c = float(row @ along)
        room = 2 * (point.value - target) + float(u @ inverse @ u)
        # Where the parabola has no such level, go to its top along the others, and back towards the middle.
        mu = side * math.sqrt(room / c) if room > 0 else 0.0
        step = inverse @ u + mu * along
        length = math.sqrt(max(float(step @ (u + mu * row)), 0.0))
        moved = at(problem, point.theta + step * min(1.0, _STRETCH / max(length, 1e-300)))
        if moved is None:
            return None
        if abs(float(row @ step)) <= 1e-9 * math.sqrt(c) and abs(moved.value - target) < _FALL:
            # On the profile, too: nothing is left to gain along the other coefficients.
            u, inverse = moved.score, moved.inverse.full
            beside = float(u @ inverse @ u) - float(row @ inverse @ u) ** 2 / float(row @ inverse @ row)
            right = side * float(row @ (moved.theta - best.theta)) > 0
            return float(row @ moved.theta) if beside < 1e-8 and right else None
        point = moved
    return None


def _follow(problem: Problem, row: Array, fall: float, best: Point, inner: Point, side: float) -> float:
    """Newton's method, kept in a bracket, for the signed root of 2 (max l - profile l), which is nearly straight.

    inner : where the profile is followed from, outwards
    """
    goal, middle = math.sqrt(2 * fall), float(row @ inner.theta)
    unit = math.sqrt(float(row @ inner.inverse.full @ row))
    near, outer, inside = 0.0, math.inf, inner
    distance = unit * goal
    for _ in range(_STEPS):
        try:  # from inside: a point beyond the end can be on another branch
            point = _along(problem, row[None, :], np.array([middle + side * distance]), inside)
        except EvenOddsError:
            return math.nan
        root = math.sqrt(2 * max(best.value - point.value, 0.0))
        if abs(root**2 - goal**2) < 2 * _FALL:
            return middle + side * distance
        if root < goal:
            near, inside = distance, point
        else:
            outer = distance
        along = point.inverse.full @ row
        slope = -side * float(along @ point.score) / float(row @ along) / max(root, 1e-12)
        guess = distance + (goal - root) / slope if slope > 0 else math.inf
        most = 2 * distance if math.isinf(outer) else outer
        distance = guess if near < guess < most else (most if math.isinf(outer) else 0.5 * (near + outer))
        if outer - near < 1e-12 * max(outer, unit):
            return middle + side * distance
    return math.nan


def _along(problem: Problem, fixed: Array, values: Array, point: Point) -> Point:
    """The restricted maximum on the branch of the profile that `point` is on."""
    if not problem.firth:
        return constrained_maximum(problem, fixed, values, point)
    return peaks(problem, fixed, values, point, search=False)[0]
