"""One fit: from the estimator's parameters and a home of rows to coefficients. The estimator sets its attributes.

What is minimised decides how: J with a ridge or no penalty by the smooth loop or SGD, Firth's J_F by its own
steps, and a penalty with corners or bounds (`penalised`) by proximal Newton.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import firth, penalised
from .coordinates import Coordinates, choose_coordinates
from .data import Array, Block, Data
from .data.memory import uncoded
from .exceptions import EvenOddsError
from .objective import Objective
from .parameters import seed
from .separation import OVERLAP, Question, Verdict, Watch
from .softmax import SoftmaxObjective
from .solvers import Report, Solution, Status, costs, regimes
from .solvers.sgd import SGD, sgd

Coefs = tuple[Array, Array]  # intercepts and slopes: (1,) and (1, p), or by class (K,) and (K, p)
ToCoefs = Callable[[Array], Coefs]  # from theta
Reporter = Callable[[str, int, ToCoefs | None], Report | None]  # from the solver's name and the most iterations


@dataclass(frozen=True)
class Fit:
    """What a fit has found.

    aliased : the columns, by number, that have no coefficient of their own
    verdict : whether the classes are separated by what has no penalty
    """

    coefs: Coefs
    solution: Solution
    aliased: Sequence[int] = ()
    verdict: Verdict = OVERLAP

    def judged(self, verdict: Verdict) -> "Fit":
        """The fit with a verdict. Without an optimum it has not converged, and if that is open it is not known to."""
        status = self.solution.status
        if verdict.separating is not None and status is not Status.EPOCHS:
            status = Status.SEPARATED
        elif verdict.doubt and status is Status.CONVERGED:
            status = Status.STALLED
        return replace(self, solution=replace(self.solution, status=status), verdict=verdict)


def fit(model: Any, data: Data, *, last: Coefs | None, reporter: Reporter) -> Fit:
    """Fit a `LogisticRegression` whose parameters are checked.

    last : the coefficients of an earlier fit to start from
    """
    if penalised.is_composite(model):
        report = reporter("proximal newton", model.max_iter + 1, None)
        coefs, solution, verdict = penalised.fit(model, uncoded(data), last=last, report=report)
        return Fit(coefs, solution).judged(verdict)
    sample = data.sample((firth if model.firth else costs).sample_rows(data), seed(model.random_state))
    strength = penalised.strength_of(model, data)
    coordinates = choose_coordinates(
        data,
        sample,
        intercept=bool(model.fit_intercept),
        standardize=bool(model.standardize),
        strength=strength,
        exact_mean=isinstance(model.solver, SGD) or model.solver == "sgd",
    )
    if coordinates.columns.size + coordinates.intercept == 0:
        raise EvenOddsError("No column is left to fit: without an intercept, all of X is zero.")
    objective = objective_of(model, data, coordinates, strength)
    objective.passes = coordinates.reads
    way = _fit_firth if model.firth else _fit_smooth
    return way(model, objective, sample, last, reporter)


def objective_of(model: Any, data: Data, coordinates: Coordinates, strength: float) -> Any:
    """What is minimised: J for two classes or more with a ridge of strength lam, or Firth's J_F."""
    if model.firth:
        return firth.FirthObjective(data, coordinates)
    scale = coordinates.scale[coordinates.columns]
    ridge = np.full(scale.size, strength) if model.standardize else np.square(np.sqrt(strength) / scale)
    if data.present.size == 2:
        return Objective(data, coordinates, ridge)
    return SoftmaxObjective(data, coordinates, ridge, baseline=not ridge.any())


def _fit_smooth(model: Any, objective: Any, sample: Block, last: Coefs | None, reporter: Reporter) -> Fit:
    """By the solver that was asked for; without a penalty a `Watch` looks for separation."""
    config = SGD() if model.solver == "sgd" else model.solver
    if config == "auto":
        config = costs.choose(objective)
    question = Question.of(objective, sample)
    watch = None if question is None else Watch(question)
    if isinstance(config, SGD):
        report = reporter("sgd", config.epochs + 1, objective.to_coef)
        start, _ = _better(objective, np.zeros(objective.n_coef), last)  # the textbook's
        solution = sgd(objective, start, config, np.random.default_rng(seed(model.random_state)), report=report)
    else:
        report = reporter(config, model.max_iter + 1, objective.to_coef)
        start, warm = _better(objective, regimes.cooled(objective, objective.start(sample), sample), last)
        solve = regimes.newton if config == "newton" else regimes.quasi_newton
        limits = {"tol": model.tol, "max_iter": model.max_iter}
        solution = solve(objective, start, sample, warm=warm, watch=watch, report=report, **limits)
    verdict = OVERLAP if watch is None else watch.at_the_end(solution.theta)
    solution = replace(solution, passes=objective.passes)  # with the judge's reads
    return Fit(objective.to_coef(solution.theta), solution, objective.coordinates.aliased()).judged(verdict)


def _fit_firth(model: Any, objective: Any, sample: Block, last: Coefs | None, reporter: Reporter) -> Fit:
    """Firth's fit, with the correction that was asked for."""
    report = reporter("firth", model.max_iter + 1, objective.to_coef)
    start, warm = _better(objective, firth.cooled(objective, objective.start(sample), sample), last)
    limits = {"tol": model.tol, "max_iter": model.max_iter}
    solution = firth.solve(objective, start, sample, warm=warm, report=report, **limits)
    theta, solution = firth.corrected(objective, solution, model.firth, **limits)
    return Fit(objective.to_coef(theta), solution, objective.coordinates.aliased())


def _better(objective: Any, cold: Array, last: Coefs | None) -> tuple[Array, bool]:
    """Where a fit starts: the last coefficients, if they are better than a cold start; and whether it is they."""
    if last is None:
        return cold, False
    with np.errstate(over="ignore", invalid="ignore"):
        theta = objective.from_coef(*last)
    better = np.isfinite(theta).all() and objective.value_grad(theta)[0] <= objective.value_grad(cold)[0]
    return (theta, True) if better else (cold, False)
