"""Firth's fit: the highest maximum of the penalised likelihood that is found.

An evaluation costs two products of n k^2, so few are made: on many rows a fit starts from the optimum on a sample of
them, follows the likelihood with the sample's pull, which costs a read an evaluation, and ends with two or three
climbing steps.
"""

import math
from dataclasses import replace

from ..arrays import Array, dense
from ..data import Block, Data
from ..objective import Objective
from ..objective.signed import SignedRows
from ..solvers import Report, Solution, cooling, regimes
from ..solvers.metrics import Cholesky
from .climbing import Climber
from .objective import FirthObjective
from .search import maxima

_LEAST_SAMPLE = 512
_NEAR = 0.1  # the last step of a start, in standard errors: the sample's pull is not closer
_SHORT = 30  # iterations at a temperature


def sample_rows(data: Data) -> int:
    """Rows of the sample that coordinates and start are taken from; all of them, if a sample would not pay."""
    m = max(_LEAST_SAMPLE, 32 * (data.n_columns + 1), data.n_rows // 16)
    return m if 4 * m <= data.n_rows else data.n_rows


def solve(
    objective: FirthObjective,
    theta: Array,
    sample: Block,
    *,
    warm: bool = False,
    tol: float,
    max_iter: int,
    report: Report | None = None,
) -> Solution:
    """The least minimum of J_F that is found. A start gives way to what the sample tells if not `warm`."""
    if sample.n_rows < objective.data.n_rows and not warm:
        theta = _start(objective, theta, sample)
    top, *others = maxima(Climber(objective, tol=tol, max_iter=max_iter), theta, report)
    if not math.isfinite(top.loss):
        raise OverflowError("Fisher's information is singular where the fit starts")  # see `within_range`
    lower = tuple(objective.total_weight * (other.loss - top.loss) for other in others)
    return replace(top, passes=objective.passes, lower_maxima=lower)


def cooled(objective: FirthObjective, theta: Array, sample: Block) -> Array:
    """A start that offsets do not keep from a maximum: that of the sample, where they put rows far from even odds."""

    def solve(T: float, phi: Array) -> Array:
        part = objective.on(sample.at(T))
        phi = phi if math.isfinite(part.at(phi).value) else _level(part, sample.at(T))
        phi = Climber(part, tol=_NEAR, max_iter=_SHORT)(phi).theta
        objective.passes += part.passes if sample.n_rows == objective.data.n_rows else 0
        return phi

    return cooling.cooled(theta, objective.reach(theta, sample), solve)


def _level(objective: FirthObjective, block: Block) -> Array:
    """Theta whose scores are next to 0 in the sense of least squares: I is not singular where k rows have some."""
    rows = SignedRows.of(block, objective.coordinates)
    gram = rows.D.T @ rows.D
    return -Cholesky(dense(gram)).solve(rows.D.T @ rows.offset)


def _start(objective: FirthObjective, theta: Array, sample: Block) -> Array:
    """Near the minimiser of J with the pull that a sample has near its own optimum; theta if the sample is no help."""
    part = objective.on(sample)
    guess = regimes.sample_optimum(Objective(part.data, part.coordinates, part.ridge + 1 / part.total_weight), theta)
    point = part.at(guess)
    if not math.isfinite(point.value):  # a column that is constant in the sample
        return theta
    pull = point.score - point.gradient
    metric = point.metric(part)
    theta, last = guess, math.inf
    for _ in range(10):
        tilted = objective.score(guess) - pull
        step = metric.solve(tilted)
        distance = math.sqrt(objective.total_weight * float(tilted @ step))  # in standard errors
        if not distance < 0.7 * last:
            break
        theta, last, guess = guess, distance, guess - step
        if distance < _NEAR:
            return guess
    return theta
