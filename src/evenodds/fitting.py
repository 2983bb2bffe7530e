"""One fit: from the estimator's parameters and a home of rows to coefficients. The estimator sets its attributes.

What is minimised decides how: J with a ridge or no penalty by the smooth loop or SGD, Firth's J_F by its own
steps, and a penalty with corners or bounds (`penalised`) by proximal Newton. What few fits need is imported where it is
used, so that a new process that fits once starts quickly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import Array
from .coordinates import Coordinates, choose_coordinates
from .data import Block, Data
from .data.memory import one_blas_thread
from .exceptions import EvenOddsError, require_range
from .objective import Classes, Objective
from .separation.verdict import OVERLAP, Verdict
from .settings import Settings
from .solvers import Report, Solution, Status, costs, regimes
from .solvers.running import Goal
from .solvers.sgd import sgd
from .solvers.small_fit import fit_at_once

if TYPE_CHECKING:
    from .firth import FirthObjective
    from .separation.watch import Watch

Coefs = tuple[Array, Array]  # intercepts and slopes: (1,) and (1, p), or by class (K,) and (K, p)
ToCoefs = Callable[[Array], Coefs]  # from theta
# From the solver's name and the most iterations; None where nobody looks on
Reporter = Callable[[str, int, ToCoefs | None], Report | None] | None


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

    def judged(self, verdict: Verdict) -> Fit:
        """The fit with a verdict. Without an optimum it has not converged, and if that is open it is not known to."""
        status = self.solution.status
        if verdict.separating is not None and status is not Status.EPOCHS:
            status = Status.SEPARATED
        elif verdict.doubt and status is Status.CONVERGED:
            status = Status.STALLED
        if status is self.solution.status and verdict is self.verdict:
            return self
        return replace(self, solution=replace(self.solution, status=status), verdict=verdict)


def fit(settings: Settings, data: Data, *, last: Coefs | None, reporter: Reporter) -> Fit:
    """Fit as the settings say.

    last : the coefficients of an earlier fit to start from
    """
    found = _at_once(settings, data) if last is None and reporter is None else None
    if found is None:
        # Threads are ours: BLAS has small products only, where its own threads cost more than they give.
        with one_blas_thread:
            found = _in_parts(settings, data, last, reporter)
        steep = settings.sgd is not None  # steps that are too long, which a warning tells
        require_range(*found.coefs, *([] if steep else [np.array(found.solution.loss)]))
    return found


def _in_parts(settings: Settings, data: Data, last: Coefs | None, reporter: Reporter) -> Fit:
    if settings.composite:
        from . import penalised

        report = reporter and reporter("proximal newton", settings.max_iter + 1, None)
        coefs, solution, aliased, verdict = penalised.fit(settings, data, last=last, report=report)
        return Fit(coefs, solution, aliased).judged(verdict)
    sample = data.sample(_sample_rows(settings, data), settings.seed)
    strength = settings.strength(data)
    coordinates = choose_coordinates(
        data,
        sample,
        intercept=settings.fit_intercept,
        standardize=settings.standardize,
        strength=strength,
        exact_mean=settings.sgd is not None,
    )
    if coordinates.columns.size + coordinates.intercept == 0:
        raise EvenOddsError("No column is left to fit: without an intercept, all of X is zero.")
    objective = objective_of(settings, data, coordinates, strength)
    objective.passes = coordinates.reads
    way = _fit_firth if settings.firth else _fit_smooth
    return way(settings, objective, sample, last, reporter)


def _at_once(settings: Settings, data: Data) -> Fit | None:
    """A smooth fit of few rows, if it comes to its end in one call and proves that it has an optimum."""
    if settings.firth or settings.composite or settings.solver not in ("auto", "newton"):
        return None
    strength = settings.strength(data)
    found = fit_at_once(
        data,
        intercept=settings.fit_intercept,
        standardize=settings.standardize,
        strength=strength,
        tol=settings.tol,
        max_iter=settings.max_iter,
    )
    if found is None:
        return None
    if strength == 0:
        from .separation.balance import is_sure

        if not is_sure(found.sure):
            return None
    return Fit((found.intercepts, found.slopes), found.solution)


def _sample_rows(settings: Settings, data: Data) -> int:
    if not settings.firth:
        return costs.sample_rows(data)
    from . import firth

    return firth.sample_rows(data)


def _watch_of(objective: Objective, sample: Block) -> Watch | None:
    """Who looks on for separation; None where a penalty holds every column."""
    if (objective.ridge > 0).all():
        return None
    from .separation.question import Question
    from .separation.watch import Watch

    question = Question.of(objective, sample)
    return None if question is None else Watch(question)


def objective_of(settings: Settings, data: Data, coordinates: Coordinates, strength: float) -> Any:
    """What is minimised: J for two classes or more with a ridge of strength lam, or Firth's J_F."""
    if settings.firth:
        from .firth import FirthObjective

        return FirthObjective(data, coordinates)
    scale = coordinates.scale[coordinates.columns]
    ridge = np.full(scale.size, strength) if settings.standardize else np.square(math.sqrt(strength) / scale)
    return Objective(data, coordinates, ridge, Classes.of(data, baseline=not ridge.any()))


def _fit_smooth(settings: Settings, objective: Objective, sample: Block, last: Coefs | None, reporter: Reporter) -> Fit:
    """By the solver that was asked for; without a penalty a `Watch` looks for separation."""
    config = settings.sgd
    watch = _watch_of(objective, sample)
    if config is not None:
        report = reporter and reporter("sgd", config.epochs + 1, objective.to_coef)
        start, _ = _better(objective, np.zeros(objective.n_coef), last)  # the textbook's
        solution = sgd(objective, start, config, np.random.default_rng(settings.seed), report=report)
    else:
        solver = costs.choose(objective) if settings.solver == "auto" else str(settings.solver)
        report = reporter and reporter(solver, settings.max_iter + 1, objective.to_coef)
        start, warm = _better(objective, regimes.cooled(objective, objective.start(sample), sample), last)
        solve = regimes.newton if solver == "newton" else regimes.quasi_newton
        goal = Goal(settings.tol, settings.max_iter, watch, report)
        solution = solve(objective, start, sample, goal, warm=warm)
    verdict = OVERLAP if watch is None else watch.at_the_end(solution.theta)
    if solution.passes != objective.passes:  # with the judge's reads
        solution = replace(solution, passes=objective.passes)
    return Fit(objective.to_coef(solution.theta), solution, objective.coordinates.aliased()).judged(verdict)


def _fit_firth(
    settings: Settings, objective: FirthObjective, sample: Block, last: Coefs | None, reporter: Reporter
) -> Fit:
    """Firth's fit, with the correction that was asked for."""
    from . import firth

    report = reporter and reporter("firth", settings.max_iter + 1, objective.to_coef)
    start, warm = _better(objective, firth.cooled(objective, objective.start(sample), sample), last)
    tol, most = settings.tol, settings.max_iter
    solution = firth.solve(objective, start, sample, warm=warm, report=report, tol=tol, max_iter=most)
    theta, solution = firth.corrected(objective, solution, settings.firth, tol=tol, max_iter=most)
    return Fit(objective.to_coef(theta), solution, objective.coordinates.aliased())


def _better(objective: Objective, cold: Array, last: Coefs | None) -> tuple[Array, bool]:
    """Where a fit starts: the last coefficients, if they are better than a cold start; and whether it is they."""
    if last is None:
        return cold, False
    with np.errstate(over="ignore", invalid="ignore"):
        theta = objective.from_coef(*last)
    better = np.isfinite(theta).all() and objective.value_grad(theta)[0] <= objective.value_grad(cold)[0]
    return (theta, True) if better else (cold, False)
