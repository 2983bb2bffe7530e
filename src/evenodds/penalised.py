"""One fit with an L1 part, penalty factors or bounds, as it is asked for.

Where the classes are separated by what has no penalty, no optimum exists, and where a fit ends would be chance. It is
given what a next to vanishing ridge makes of them: one answer, however the rows are held and weighted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .arrays import Array, Mask, Numbers
from .coordinates import Coordinates, choose_coordinates, without_repeats
from .data import Block, Data
from .data.used import Used
from .objective import Classes, Objective
from .per_column import all_at_zero, bounds, free_columns, penalty_factors
from .separation.question import Question
from .separation.verdict import OVERLAP, Verdict
from .settings import Settings
from .solvers import Report, Solution, Status, costs
from .solvers.class_penalty import for_classes, to_coefs
from .solvers.elastic_net import elastic_net
from .solvers.penalty import Penalty


@dataclass(frozen=True)
class RawPenalty:
    """The penalty that is asked for, of raw columns: see `LogisticRegression`."""

    strength: float
    l1_ratio: float
    standardize: bool
    factor: Array | None
    lower: Array | None
    upper: Array | None

    @classmethod
    def of(cls, settings: Settings, data: Data) -> "RawPenalty":
        """What the settings say of the columns that there are."""
        factor = penalty_factors(settings.penalty_factor, data.n_columns, data.names)
        low, high = bounds(settings.lower, settings.upper, data.n_columns, data.names)
        return cls(settings.strength(data), settings.l1_ratio, settings.standardize, factor, low, high)

    def free(self, n_columns: int) -> Mask:
        """(p,) the columns that have neither a penalty nor a bound."""
        factor = self.factor if self.strength > 0 else np.zeros(n_columns)
        return free_columns(n_columns, factor, self.lower, self.upper)

    def on(self, columns: Numbers) -> "RawPenalty":
        """The penalty of some of the columns."""
        factor, low, high = (None if a is None else a[columns] for a in (self.factor, self.lower, self.upper))
        return replace(self, factor=factor, lower=low, upper=high)


def penalty_of(settings: Settings, data: Data, w: Array) -> float:
    """The penalty of coefficients (K, p), in units of the mean loss."""
    wanted = RawPenalty.of(settings, data)
    if wanted.standardize:
        scale = _coordinates(data, data.sample(data.n_rows, 0), settings).scale
        w = np.where(np.isinf(scale), 0.0, w) * np.where(np.isinf(scale), 1.0, scale)
    factor = 1.0 if wanted.factor is None else wanted.factor
    a = wanted.l1_ratio
    return float(np.sum(wanted.strength * factor * (0.5 * (1 - a) * w**2 + a * np.abs(w))))


def _coordinates(data: Data, sample: Block, settings: Settings) -> Coordinates:
    """Coordinates of all columns; with `standardize` their scale is that of the penalty."""
    return choose_coordinates(
        data,
        sample,
        intercept=settings.fit_intercept,
        standardize=settings.standardize,
        strength=0.0,
        every=True,
    )


def fit(
    settings: Settings,
    data: Data,
    *,
    last: tuple[Array, Array] | None,
    report: Report | None,
) -> tuple[tuple[Array, Array], Solution, Sequence[int], Verdict]:
    """The intercepts (1,) and coefficients (1, p), of K > 2 classes (K,) and (K, p), and what the solver says.

    And which columns are aliased, and whether the classes are separated by columns that have no penalty.

    last : the intercepts and coefficients of an earlier fit to start from
    """
    wanted = RawPenalty.of(settings, data)
    pull = wanted.strength * wanted.l1_ratio
    used = Used.of(data) if all_at_zero(pull, wanted.factor, wanted.lower, wanted.upper) else None
    if used is None:
        return _fit(wanted, settings, data, last, report)
    first, last = int(settings.fit_intercept), last and (last[0], last[1][:, used.columns])
    (intercepts, coefs), solution, _, verdict = _fit(wanted.on(used.columns), settings, used.data, last, report)
    return (
        (intercepts, used.outside(coefs)),
        replace(solution, theta=used.outside_theta(solution.theta, first)),
        (),  # as all have a penalty
        verdict,
    )


def _fit(
    wanted: RawPenalty,
    settings: Settings,
    data: Data,
    last: tuple[Array, Array] | None,
    report: Report | None,
) -> tuple[tuple[Array, Array], Solution, Sequence[int], Verdict]:
    """See `fit`."""
    sample = data.sample(costs.sample_rows(data), settings.seed)
    free = wanted.free(data.n_columns)
    coordinates = without_repeats(data, sample, _coordinates(data, sample, settings), free)
    penalty = Penalty.of(
        coordinates,
        wanted.strength,
        wanted.l1_ratio,
        standardize=wanted.standardize,
        factor=wanted.factor,
        lower=wanted.lower,
        upper=wanted.upper,
    )
    nothing, classes = np.zeros(coordinates.columns.size), Classes.of(data, baseline=False)
    objective = Objective(data, coordinates, nothing, classes)
    objective.passes = coordinates.reads
    with np.errstate(over="ignore", invalid="ignore"):  # the last coefficients may be of columns of another size
        start = None if last is None else objective.from_coef(*last)

    def solve(penalty: Penalty, start: Array | None, report: Report | None) -> Solution:
        whole = for_classes(penalty, classes.n_sets)
        tol, most = settings.tol, settings.max_iter
        return elastic_net(data, coordinates, whole, sample, last=start, report=report, tol=tol, max_iter=most)

    solution = solve(penalty, start, report)
    question = Question.of(objective, sample, penalty)
    verdict = OVERLAP if question is None else question.verdict(solution.theta)
    if verdict.separating is not None and solution.status is not Status.STOPPED:
        held = penalty.held(int(coordinates.intercept))
        second = solve(held, solution.theta, None)
        solution = _without(held.l2 - penalty.l2, solution, second, float(objective.observations))
    solution = replace(solution, passes=solution.passes + objective.passes)  # with the judge's reads
    intercepts, coefs = to_coefs(penalty, coordinates, solution.theta[None, :], wanted.lower, wanted.upper)
    return (intercepts[0], coefs[0]), solution, coordinates.told_nothing(free), verdict


def _without(ridge: Array, first: Solution, second: Solution, observations: float) -> Solution:
    """The second solution, told without the ridge that it has, which the first has not, and with the work of both."""
    loss = second.loss - 0.5 * float((second.theta.reshape(-1, ridge.size) ** 2 @ ridge).sum())
    gap = max(loss - first.loss, 0.0) + first.gap
    return replace(
        second,
        loss=loss,
        gap=gap,
        error=np.sqrt(2 * observations * gap),
        passes=first.passes + second.passes,
        iterations=first.iterations + second.iterations,
        history=np.concatenate([first.history, second.history]),
    )
