"""One fit with an L1 part, penalty factors or bounds, as the estimator asks for it.

Where the classes are separated by what has no penalty, no optimum exists, and where a fit ends would be chance. It is
given what a next to vanishing ridge makes of them: one answer, however the rows are held and weighted.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .coordinates import Coordinates, choose_coordinates
from .data import Array, Block, Data
from .objective import Objective
from .parameters import seed
from .per_column import bounds, penalty_factors
from .separation import OVERLAP, Question, Verdict
from .softmax import SoftmaxObjective
from .solvers import Report, Solution, Status, regimes
from .solvers.class_penalty import for_classes, to_coefs
from .solvers.elastic_net import elastic_net
from .solvers.penalty import Penalty

_VANISHING = 1e-10  # the strength of a ridge, of columns of unit size, where no optimum exists


@dataclass(frozen=True)
class Wanted:
    """The penalty that was asked for, in raw columns: see `LogisticRegression`."""

    strength: float
    l1_ratio: float
    standardize: bool
    factor: Array | None
    lower: Array | None
    upper: Array | None

    @classmethod
    def of(cls, model: Any, data: Data) -> "Wanted":
        """From the estimator's parameters, checked."""
        factor = penalty_factors(model.penalty_factor, data.n_columns, data.names)
        low, high = bounds(model.lower, model.upper, data.n_columns, data.names)
        strength = strength_of(model, data)
        return cls(strength, float(model.l1_ratio), bool(model.standardize), factor, low, high)


def is_composite(model: Any) -> bool:
    """Whether the penalty is more than a ridge."""
    has_l1 = model.l1_ratio > 0 and np.isfinite(model.C)
    return bool(has_l1 or any(value is not None for value in (model.penalty_factor, model.lower, model.upper)))


def strength_of(model: Any, data: Data) -> float:
    """The penalty's lam, 1 / (C S)."""
    return 1 / (float(model.C) * float(data.class_weights.sum()))


def penalty_of(model: Any, data: Data, w: Array) -> float:
    """The penalty of coefficients (K, p), in units of the mean loss."""
    wanted = Wanted.of(model, data)
    if wanted.standardize:
        scale = _coordinates(data, data.sample(data.n_rows, 0), model).scale
        w = np.where(np.isinf(scale), 0.0, w) * np.where(np.isinf(scale), 1.0, scale)
    factor = 1.0 if wanted.factor is None else wanted.factor
    a = wanted.l1_ratio
    return float(np.sum(wanted.strength * factor * (0.5 * (1 - a) * w**2 + a * np.abs(w))))


def _coordinates(data: Data, sample: Block, model: Any) -> Coordinates:
    """Coordinates of all columns; with `standardize` their scale is that of the penalty."""
    return choose_coordinates(
        data,
        sample,
        intercept=bool(model.fit_intercept),
        standardize=bool(model.standardize),
        strength=0.0,
        exact_mean=True,
        every=True,
    )


def fit(
    model: Any,
    data: Data,
    *,
    last: tuple[Array, Array] | None,
    report: Report | None,
) -> tuple[tuple[Array, Array], Solution, Verdict]:
    """The intercepts (1,) and coefficients (1, p), of K > 2 classes (K,) and (K, p), and what the solver says.

    And whether the classes are separated by columns that have no penalty.

    last : the intercepts and coefficients of an earlier fit to start from
    """
    wanted = Wanted.of(model, data)
    sample = data.sample(regimes.sample_rows(data), seed(model.random_state))
    coordinates = _coordinates(data, sample, model)
    penalty = Penalty.of(
        coordinates,
        wanted.strength,
        wanted.l1_ratio,
        standardize=wanted.standardize,
        factor=wanted.factor,
        lower=wanted.lower,
        upper=wanted.upper,
    )
    n_classes, ridge = data.class_weights.size, np.zeros(coordinates.columns.size)
    binary = data.present.size == 2
    objective = Objective(data, coordinates, ridge) if binary else SoftmaxObjective(data, coordinates, ridge, False)
    objective.passes = coordinates.reads
    with np.errstate(over="ignore", invalid="ignore"):  # the last coefficients may be of columns of another size
        start = None if last is None else objective.from_coef(*last)

    def solve(penalty: Penalty, start: Array | None, report: Report | None) -> Solution:
        whole = penalty if binary else for_classes(penalty, n_classes)
        limits = {"tol": model.tol, "max_iter": model.max_iter}
        return elastic_net(data, coordinates, whole, sample, last=start, report=report, **limits)

    solution = solve(penalty, start, report)
    question = Question.of(objective, sample, penalty)
    verdict = OVERLAP if question is None else question.verdict(solution.theta)
    if verdict.separating is not None and solution.status is not Status.STOPPED:
        ridge = np.where(penalty.bare, _VANISHING, 0.0)
        ridge[: int(coordinates.intercept)] = 0.0
        second = solve(replace(penalty, l2=penalty.l2 + ridge), solution.theta, None)
        solution = _without(ridge, solution, second, float(objective.observations))
    solution = replace(solution, passes=solution.passes + objective.passes)  # with the judge's reads
    theta = solution.theta[None, :]
    if binary:
        return penalty.to_coefs(coordinates, theta, wanted.lower, wanted.upper), solution, verdict
    intercepts, coefs = to_coefs(penalty, coordinates, theta, wanted.lower, wanted.upper)
    return (intercepts[0], coefs[0]), solution, verdict


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
