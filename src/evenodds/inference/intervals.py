"""Profile-likelihood intervals of coefficients, and of what has no limit where classes are separated.

Let l be a function of theta that some separating direction moves (`certain`). Its profile likelihood is that of the
rows which no direction with l d = 0 separates: these directions are free at any value of l, and make their rows
certain. On what is left the likelihood has a maximum for each value of l. Where l has one sign that maximum rises to
the supremum as l grows: the interval is one-sided, with the finite end where the likelihood has fallen too far. Where l
has both signs all separated rows are certain at any value of it, so that none is rejected.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.special import chdtri, logsumexp, softmax

from ..arrays import Array
from ..data import Block
from ..data.memory import Memory
from ..exceptions import EvenOddsError, is_one_of
from ..separation.rays import ROUNDING, certain_along
from ..separation.recession import Recession
from ..separation.sides import sides_of
from .limit import without
from .problem import Problem
from .profile import Point, at, constrained_maximum, interval, maxima
from .rows import FittedRows

if TYPE_CHECKING:
    from .record import Inference

_STEPS = 200
_HALVED = 10  # how often a step that leaves the likelihood's numbers is
_FALL = 1e-9  # of l, to which an end is found
_NO_SHARE = 1e-8  # of a class among the others
_SOME = 1e-3  # share of the others that is next to none
_HEAVIEST = 14.0  # the logarithm of the weight of a row that asks for a probability
_LONGEST = 3.0  # of its steps, on the way
_FLAT = 0.001  # of the curvature where there is no more
_CLOSE = 1e-12  # of the fall and of the logarithms, what there is nothing to tell between
_NEAR = 10.0  # times the fall of the end, within which the profile falls like an exponential


def intervals(result: Inference, terms: Sequence[str] | None) -> dict[str, Any]:
    """The table term, lower, upper."""
    problem = result.problem
    wanted = problem.keys if terms is None else [terms] if isinstance(terms, str) else terms
    if not np.iterable(wanted):
        raise EvenOddsError(f"terms is a name, or a list of them, got {terms!r}.")
    wanted = wanted.tolist() if isinstance(wanted, np.ndarray) else wanted
    places = [j for name in wanted for j in places_of(problem, name)]
    if problem.penalised:
        raise EvenOddsError("A ridge fit has no likelihood to profile: fit with C=inf, or with firth=True.")
    if result.weights == "sampling":
        raise EvenOddsError("With sampling weights there is no likelihood to profile: use conf_int.")
    ends, tops = np.full((len(places), 2), np.nan), maxima(problem) if problem.theta.size else []
    for k, j in enumerate(places):
        coef, row = float(result.coef.flat[j]), result.whole.to_raw[j]
        if np.isfinite(result.se.flat[j]):
            ends[k] = interval(problem, problem.to_raw[j], result.level, tops)
        elif not np.isfinite(coef) and row.any():
            ends[k] = ends_of(result, row, coef)
    return {**problem.labels(places), "lower": ends[:, 0], "upper": ends[:, 1]}


def places_of(problem: Problem, name: str) -> list[int]:
    """The numbers of the coefficients that a name stands for: name[class], or the name in all classes."""
    k = len(problem.names)
    if is_one_of(name, problem.names):
        problem.require_one_meaning(name)
    if is_one_of(name, problem.keys):
        return [problem.keys.index(name)]
    if is_one_of(name, problem.names):
        return [a * k + problem.names.index(name) for a in range(len(problem.listed))]
    raise EvenOddsError(f"There is no coefficient {name!r} in the model: {', '.join(map(repr, problem.keys))}.")


def ends_of(result: Inference, functional: Array, sign: float) -> tuple[float, float]:
    """The interval of a function of theta that goes to inf, -inf or, if the sign is NaN, has no limit.

    NaN where the sign was not looked for, or is that of another function: of an aliased column beside a coefficient.
    """
    left = _left(result, functional)
    if np.isnan(sign):
        return (-math.inf, math.inf) if left is None else (math.nan, math.nan)
    if left is None:
        return math.nan, math.nan
    end = float(functional @ finite_end(result, left, functional, float(np.sign(sign))).theta)
    return (end, math.inf) if sign > 0 else (-math.inf, end)


def finite_end(
    result: Inference, problem: Problem, functional: Array, sign: float, start: Point | None = None
) -> Point:
    """Newton's method, kept in a bracket, for the value at which the profile is so far below the supremum."""
    supremum, fall = result.log_likelihood, float(chdtri(1, 1 - result.level)) / 2
    row = functional / float(np.abs(functional).max())
    point = start or at(problem, np.zeros(problem.theta.size)) or at(problem, problem.theta)
    t = 0.0 if point is None else float(row @ point.theta)
    near, far = -math.inf, math.inf  # in the direction of growth: too low, high enough
    point = constrained_maximum(problem, row[None, :], np.array([t]), point)
    for _ in range(_STEPS):
        below = supremum - point.value
        if abs(below - fall) < _FALL * max(1.0, fall):
            break
        near, far = (max(near, sign * t), far) if below > fall else (near, min(far, sign * t))
        along = point.inverse.full @ row
        slope = sign * float(along @ point.score) / float(row @ along)
        if 0 < below < _NEAR * fall and slope > 0:
            guess = sign * t + below * math.log(below / fall) / slope
        else:
            guess = sign * t + (below - fall) / slope if slope > 0 else math.inf
        if not near < guess < far:
            guess = 0.5 * (near + far) if math.isfinite(near + far) else sign * t + (1.0 if below > fall else -1.0)
        t = sign * guess
        if far - near < 1e-14 * max(abs(near), 1.0):
            break
        point = constrained_maximum(problem, row[None, :], np.array([t]), point)
    return point


def least_of(result: Inference, behind: Array, shift: Array) -> float:
    """The smallest log odds that are not rejected, for a row that is certainly of a class in the limit.

    behind : the scores of the other classes less its own (K - 1, q); shift : their offsets (K - 1,)

    These log odds are minus the logarithm of the sum of exp, which is convex. At its highest where the likelihood has
    fallen by so much their gradients are parallel, which Newton's method looks for, as there can be several, from the
    ends of means of the scores: of equal weights, and with nearly all of the weight on each class. NaN if one of these
    ends nowhere, as the lowest could be there.
    """
    K = len(behind)
    starts = np.vstack([np.full(K, 1 / K), (1 - _SOME) * np.eye(K) + _SOME / K])
    left_of = functools.cache(lambda kept: _left(result, behind[list(kept)].mean(axis=0)))
    problem, point, ends = left_of(tuple(range(K))), None, []
    for share in starts:
        if problem is None:
            return -math.inf
        point = finite_end(result, problem, share @ behind, -1.0, point)
        ends.append(_least_from(result, behind, shift, point, left_of))
    return float(np.min(ends))


def _least_from(
    result: Inference,
    behind: Array,
    shift: Array,
    point: Point | None,
    left_of: Callable[[tuple[int, ...]], Problem | None],
) -> float:
    """The log odds at the end of `least_of` that is near a place where the likelihood has fallen so far.

    left_of : the rows that are not certain where some of the scores are held. A class whose share of the others
        vanishes is left out, as its rows can be certain where the end is.
    """
    target, kept = result.log_likelihood - float(chdtri(1, 1 - result.level)) / 2, np.arange(len(behind))
    problem = left_of(tuple(kept.tolist()))
    for _ in range(_STEPS):
        if problem is None:
            return -math.inf
        if point is None:  # the information became singular on the way
            break
        share = softmax(behind[kept] @ point.theta + shift[kept])
        if share.min() < _NO_SHARE:
            kept = kept[share > _NO_SHARE]
            problem, theta = left_of(tuple(kept.tolist())), point.theta
            point = None if problem is None else at(problem, theta - problem.gauge @ (problem.gauge.T @ theta))
            continue
        missing = target - point.value
        step, gain = _to_parallel(point, behind[kept], share, missing)
        if abs(missing) + gain < _FALL:
            return -float(logsumexp(behind[kept] @ point.theta + shift[kept]))
        parts = (at(problem, point.theta + step / 2**k) for k in range(_HALVED))
        point = next((end for end in parts if end is not None), None)  # of a whole step as a rule
    return math.nan


def _to_parallel(point: Point, behind: Array, share: Array, missing: float) -> tuple[Array, float]:
    """Newton's step to where the gradient of the log-sum-exp of scores is parallel to that of the likelihood l, and
    l higher by so much; and what it promises of the former along the level of l.

    Lengths are those of the information A. Along the level the curvature is nu, how much the sum grows as l falls, less
    that of the sum: where this is not positive there is no maximum near, and the step goes up all the same.
    """
    inverse, u, v = point.inverse.full, point.score, share @ behind
    steep = inverse @ u
    length = float(u @ steep)
    nu = abs(float(v @ steep)) / length
    bent = (np.sqrt(share)[:, None] * behind) - np.outer(np.sqrt(share), v)
    normal = steep * (missing / length)
    pull = v + bent.T @ (bent @ normal)
    pull, bent = pull - u * (pull @ steep / length), bent - np.outer(bent @ steep / length, u)  # along the level
    size, ways = np.linalg.eigh(bent @ inverse @ bent.T)
    along = inverse @ (bent.T @ ways)
    some = size > ROUNDING * nu
    along, size = along[:, some], size[some]
    factor = (nu / np.maximum(np.abs(nu - size), _FLAT * nu) - 1) / size
    level = (inverse @ pull + along @ (factor * (along.T @ pull))) / nu
    gain = float(level @ pull)
    longest = max(math.sqrt(max(gain, 0.0) / nu), float(np.abs(behind @ level).max()) / _LONGEST, 1.0)
    return normal + level / longest, gain


def most_of(result: Inference, x: Array, shift: Array, c: int) -> float:
    """The largest probability of a class that is not rejected, for a row that is certainly not of it in the limit.

    Log p is concave in theta, so that it is largest, where the likelihood has fallen by so much, at the fit with one
    more row, x of class c, of some weight w. Its theta moves by w A^-1 v as log w rises, v the derivative of log p, and
    the likelihood falls by w^2 v' A^-1 v, about as a power of w: the logarithm of the fall is followed.
    """
    fall = float(chdtri(1, 1 - result.level)) / 2
    problem = _with_row(result, x, shift, c)
    block = problem.data.sample(problem.data.n_rows, 0)
    rest = np.ones(block.n_rows) if block.weight is None else block.weight
    theta, loss, t, near, far = problem.theta, math.inf, 0.0, -math.inf, math.inf
    for _ in range(_STEPS):
        weight = math.exp(t)
        weighted = _on(problem, replace(block, weight=np.append(rest[:-1], weight))).at(theta)
        point = constrained_maximum(weighted)
        row = FittedRows.at(weighted.at(point.theta))(block.take(slice(-1, None)))
        loss, v = float(row.loss[0]), row.outer(row.residual)[0]
        fallen = result.log_likelihood - point.value - weight * loss
        if abs(fallen - fall) < _CLOSE * fall:
            break
        near, far = (t, far) if fallen < fall else (near, min(far, t))
        if near >= _HEAVIEST:
            return 1.0
        along = point.inverse.full @ (weight * v)
        steep = float(weight * v @ along)
        guess = t + math.log(fall / fallen) * fallen / steep if fallen > 0 and steep > 0 else math.inf
        if not near < guess < far:
            guess = 0.5 * (near + far) if math.isfinite(near + far) else t + (1.0 if fallen < fall else -1.0)
        guess = min(guess, t + _LONGEST, _HEAVIEST)
        if far - near < _CLOSE:
            break
        t, theta = guess, point.theta + (guess - t) * along
    else:
        return math.nan  # the last weight tried is no end
    return math.exp(-loss)


def _with_row(result: Inference, x: Array, shift: Array, c: int) -> Problem:
    """The problem with one more row, at the end, without what is certain with it.

    A direction that separates these rows separates those without it, so that it is among those that are known.
    """
    whole = result.whole
    data, K = whole.data, whole.data.class_weights.size
    block = data.sample(data.n_rows, 0)
    one = x[None, :] - data.center
    X = sp.vstack([block.X, sp.csr_array(one)], format="csr") if sp.issparse(block.X) else np.vstack([block.X, one])
    weight = np.ones(block.n_rows) if block.weight is None else block.weight
    offset = np.zeros((block.n_rows, K)) if block.offset is None else block.offset
    y = np.append(block.y, block.y.dtype.type(c))
    larger = _on(whole, Block(X, y, np.append(weight, 1.0), np.vstack([offset, shift])))
    null, signed = recession_of(result).null, sides_of(larger.objective, larger.objective.coordinates, bounded=False)
    rows = signed.sample(signed.n_rows)
    freely = rows @ null
    freely[np.abs(freely) <= ROUNDING * np.linalg.norm(rows, axis=1, keepdims=True)] = 0.0
    freely[: len(rows) - K + 1][~recession_of(result).separated] = 0.0
    found = certain_along(freely, np.eye(null.shape[1]))
    if found.kind == "overlap":
        return larger.at(np.zeros(whole.theta.size))
    return without(larger, found.separated, null @ found.null)


def _on(problem: Problem, block: Block) -> Problem:
    """The problem on other rows."""
    data = Memory(
        block.X,
        block.y,
        block.weight,
        block.offset,
        n_jobs=problem.data.n_jobs,
        n_classes=problem.data.class_weights.size,
        center=problem.data.center,
    )
    return replace(problem, data=data, objective=replace(problem.objective, data=data))


def _left(result: Inference, functional: Array) -> Problem | None:
    """The rows that are not certain at a given value of the function; None if these are those that never are."""
    whole, null = result.whole, recession_of(result).null
    held = scipy.linalg.null_space((functional @ null)[None, :])
    if held.shape[1] == 0:
        return whole
    signed = sides_of(whole.objective, whole.objective.coordinates, bounded=False)
    freely = signed.sample(signed.n_rows) @ null
    freely[~recession_of(result).separated] = 0.0
    found = certain_along(freely, held)
    if found.kind == "overlap":
        return whole
    if (found.separated == recession_of(result).separated).all():
        return None
    return without(whole, found.separated, null @ held @ found.null)


def recession_of(result: Inference) -> Recession:
    """What separates the classes."""
    if result.limit is None:
        raise AssertionError("only of separated classes is there something that has no limit")
    return result.limit.recession
