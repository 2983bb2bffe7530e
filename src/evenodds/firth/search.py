"""The maxima of the penalised likelihood, which can be several, and the proof that there is but one.

By Cauchy and Binet's formula det I is a sum over all sets B of k rows, so that

    exp(2 l) det I = sum_B c_B exp(2 l + sum_(i in B) log p_i (1 - p_i)),     c_B = det(X_B)^2 prod_(i in B) s_i

is a mixture. Each of its terms is log-concave, with one maximum: that of the likelihood with half an event and half a
non-event more in each row of B. h_i is the share of the terms with row i. Terms of nearly the same rows make one
maximum of the whole. Where a row is far from the others, the terms with it weigh much, det(X_B)^2, and keep it near
p = 1/2; the terms without it have their maximum where it is predicted with certainty.

Starts for all of these are found in `starts`, on a part of the rows where they are many, in rounds that go on from the
highest maximum so far. What they lead to is climbed to on all rows. No search is needed where one maximum is proved to
be the only one, `is_only`, as it is on most data with many rows a coefficient.
"""

import math
from dataclasses import replace

import numpy as np

from ..arrays import Array
from ..data import Block, Sums
from ..data.views import taken
from ..solvers import Report, Solution, Status
from .climbing import Climber
from .objective import FirthObjective, Point
from .starts import PRODUCTS, Together

HIGHER = 1e-7  # of the penalised log-likelihood, from which a maximum is higher than another
_SAME = 0.1  # standard errors within which two maxima are one
_STARTS = 512  # of a round
_RESTRICTED = 4  # times fewer where theta is restricted: the maxima that are next to free ones are known
_LOOSE = 2.0  # the v of a row from which its part of the curvature can be negative
_MANY = 5.0  # the largest v from which these are made; it was above 2 wherever several maxima were seen, but once
_ROUNDS = 8  # at the most
_QUIET = 2  # rounds without a higher maximum end a search, and one without any other does
_SHORT = 30  # iterations of a climb from a start
_FEW = 32  # starts that a part of the rows is small enough for
_WHOLE = 2  # times the rows of a part, up to which all are looked at
_ROWS = 16  # a coefficient of such a part, at the least


def is_only(objective: FirthObjective, point: Point, inside: Array | None = None) -> bool:
    """Whether a maximum is proved to be the only one.

    A better theta has a likelihood l that is lower by at most D, the half of log det I that could be gained: I is
    largest where all p are 1/2, and by the means of the eigenvalues D <= (k/2) log(sum s v / 4k). With |delta| the
    length of theta less the maximum in the norm of I, g the gradient of l there, d its length in the inverse norm
    and R^2 the largest v, self-concordance (see `inference.certificate`) tells

        l(maximum) - l(theta) >= |delta|^2 (e^-r + r - 1) / r^2 - d |delta|,      r = R |delta|

    which is convex, so that it stays above D from where it first is. The terms of the penalised curvature (see
    `FirthObjective.shapes`) are positive in sum as long as v (a^2/2 - p (1 - p)) < 1 in each row, and so while v < 2;
    on the way to theta v becomes at most e^r v.
    """
    root = point.white if inside is None else point.white @ inside
    away = objective.total_weight * float(np.linalg.norm(point.gradient @ root))  # a last step was not evaluated
    if not (0 < point.largest < _LOOSE and away < _SAME):
        return False
    k, R = objective.n_coef, math.sqrt(point.largest)
    d = objective.total_weight * float(np.linalg.norm(point.score @ root))
    most = 0.5 * k * math.log(max(point.mass / k, 1.0))
    r = math.log(_LOOSE / point.largest)
    return (math.exp(-r) + r - 1) / R**2 - d * r / R > most


def maxima(climb: Climber, theta: Array, report: Report | None = None) -> list[Solution]:
    """The maxima of the penalised likelihood that are found, the highest first.

    Of several that are as high, the one next to theta is the first.
    """
    objective, history = climb.objective, list[float]()
    short = replace(climb, max_iter=min(climb.max_iter, _SHORT))
    start, part, here = objective.at(theta), None, None
    if start.largest >= _LOOSE and math.isfinite(start.value):
        part = _few(objective, start)
        if part is not objective:  # near at a fraction of the cost
            here = replace(short, objective=part)(theta)
            theta = here.theta
    nearest = climb(theta, report, history)
    point = objective.latest
    if nearest.status is not Status.CONVERGED or is_only(objective, point, climb.inside()):
        return [nearest]
    count = _STARTS if point.largest >= _MANY else max(int(_STARTS * (point.largest / _MANY) ** 3), 1)
    count = count if climb.fixed is None else -(-count // _RESTRICTED)
    part = part or _few(objective, objective.at(nearest.theta))
    if part is objective:
        return _others(short, nearest, count, history)
    on_part = replace(short, objective=part)
    here, on_all = here or on_part(nearest.theta), [nearest]
    for one in _others(on_part, here, count, []):
        if one is not here:
            _add(objective, on_all, short(one.theta, history=history))
    return on_all


def _others(climb: Climber, nearest: Solution, count: int, history: list[float]) -> list[Solution]:
    """A maximum and others that are found on few rows, the highest first."""
    found, rng, quiet = [nearest], np.random.default_rng(0), 0
    for _ in range(_ROUNDS):
        top = found[0]
        for start in Together(climb.objective, [one.theta for one in found], climb.fixed).starts(rng, count):
            _add(climb.objective, found, climb(start, history=history))
        quiet = quiet + 1 if found[0] is top else 0
        if quiet == _QUIET or len(found) == 1:
            break
    return found


def _add(objective: FirthObjective, found: list[Solution], new: Solution) -> None:
    """Put a maximum in its place, if it is none of those that are there."""
    if new.status is not Status.CONVERGED:
        return
    total = objective.total_weight
    for old in found:
        way = new.theta - old.theta
        alike = abs(total * (new.loss - old.loss)) < _SAME**2  # slight weights may leave I next to nothing between them
        if alike and way @ objective.at(old.theta).information @ way < _SAME**2:
            return
    place = sum(total * old.loss <= total * new.loss + HIGHER for old in found)
    found.insert(place, new)


def _few(objective: FirthObjective, point: Point) -> FirthObjective:
    """J_F on so few rows that a search is cheap; itself, where there are no more.

    A row stays by the leverage that it would have with p = 1/2, and by its share in its class, and stands for others.
    """
    data = objective.data
    most = max(int(PRODUCTS / (_FEW * objective.n_coef**2)), _ROWS * objective.n_coef)
    if data.n_rows <= _WHOLE * most:
        return objective
    variances = objective.variances(point)

    def score(block: Block) -> Sums:
        could = (1.0 if block.weight is None else block.weight) * variances(block) / 4
        return [could / (1 + could)], [block.y]

    could, y = map(np.concatenate, objective.reduce(score))
    shares = np.stack([could, 0.5 / np.bincount(y, minlength=2)[y]])
    shares = (shares / shares.sum(axis=1)[:, None]).sum(axis=0)
    chance = np.minimum(most * shares / shares.sum(), 1.0)
    kept = np.flatnonzero(np.diff(np.floor(np.cumsum(chance) + 0.5), prepend=0.0))
    some, factor = taken(data, kept), 1 / chance[kept]
    return objective.on(replace(some, weight=factor if some.weight is None else some.weight * factor))
