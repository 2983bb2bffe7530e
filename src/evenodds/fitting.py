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
from .exceptions import EvenOddsError
from .objective import Objective
from .parameters import seed
from .separation import ClassesWatch, Watch, separating_direction
from .softmax import SoftmaxObjective
from .solvers import Report, Solution, Status, regimes
from .solvers.sgd import SGD, sgd

_SUSPICIOUS = 8.0  # the largest score by columns without penalty, from which separation is looked for

Coefs = tuple[Array, Array]  # intercepts and slopes: (1,) and (1, p), or by class (K,) and (K, p)
ToCoefs = Callable[[Array], Coefs]  # from theta
Reporter = Callable[[str, int, ToCoefs | None], Report | None]  # from the solver's name and the most iterations


@dataclass(frozen=True)
class Fit:
    """What a fit has found.

    aliased : the columns, by number, that have no coefficient of their own
    separating : intercepts and slopes of a direction that separates the classes, if they are separated and there is no
        penalty: of two classes of the second, else of all but the first
    certain : of two classes, whether rows of each are separated
    """

    coefs: Coefs
    solution: Solution
    aliased: Sequence[int] = ()
    separating: Coefs | None = None
    certain: tuple[bool, bool] = (True, True)


def fit(model: Any, data: Data, *, names: Sequence[str] | None, last: Coefs | None, reporter: Reporter) -> Fit:
    """Fit a `LogisticRegression` whose parameters are checked.

    names : the columns, as penalty factors and bounds may name them
    last : the coefficients of an earlier fit to start from
    """
    if penalised.is_composite(model):
        report = reporter("proximal newton", model.max_iter + 1, None)
        coefs, solution, free = penalised.fit(model, data, names=names, last=last, report=report)
        return _looked_at(Fit(coefs, solution), free)
    sample = data.sample((firth if model.firth else regimes).sample_rows(data), seed(model.random_state))
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
    way = _fit_firth if model.firth else _fit_smooth
    return way(model, objective, sample, last, reporter)


def _looked_at(fit: Fit, free: penalised.FreePart | None) -> Fit:
    """A fit with a part that has no penalty, whose classes may be separated by it."""
    if free is None or free.objective.largest_move(free.theta) < _SUSPICIOUS:
        return fit
    found = separating_direction(free.objective, free.theta, free.sample)
    if found is None or not free.allows(found[0]):
        return fit
    separating = _split(free.objective.coordinates, found[0])
    return replace(
        fit, solution=replace(fit.solution, status=Status.SEPARATED), separating=separating, certain=found[1]
    )


def objective_of(model: Any, data: Data, coordinates: Coordinates, strength: float) -> Any:
    """What is minimised: J for two classes or more with a ridge of strength lam, or Firth's J_F."""
    if model.firth:
        return firth.FirthObjective(data, coordinates)
    scale = coordinates.scale[coordinates.columns]
    ridge = np.full(scale.size, strength) if model.standardize else np.square(np.sqrt(strength) / scale)
    if data.class_weights.size == 2:
        return Objective(data, coordinates, ridge)
    return SoftmaxObjective(data, coordinates, ridge, baseline=not ridge.any())


def _fit_smooth(model: Any, objective: Any, sample: Block, last: Coefs | None, reporter: Reporter) -> Fit:
    """By the solver that was asked for; without a penalty a `Watch` looks for separation."""
    config = SGD() if model.solver == "sgd" else model.solver
    if config == "auto":
        config = regimes.choose(objective)
    watch_of = Watch if objective.data.class_weights.size == 2 else ClassesWatch
    watch = None if objective.ridge.any() else watch_of(objective, sample, model.tol)
    if isinstance(config, SGD):
        report = reporter("sgd", config.epochs, objective.to_coef)
        start, _ = _start(objective, np.zeros(objective.n_coef), last)  # the textbook's
        solution = sgd(objective, start, config, np.random.default_rng(seed(model.random_state)), report=report)
    else:
        report = reporter(config, model.max_iter + 1, objective.to_coef)
        start, warm = _start(objective, objective.start(sample), last)
        solve = regimes.newton if config == "newton" else regimes.quasi_newton
        limits = {"tol": model.tol, "max_iter": model.max_iter}
        solution = solve(objective, start, sample, warm=warm, watch=watch, report=report, **limits)
    if watch is not None and solution.status not in (Status.CONVERGED, Status.SEPARATED):
        watch.search(solution.theta)
    separating = None
    if watch is not None and watch.direction is not None:
        separating = _split(objective.coordinates, watch.direction)
        if not isinstance(config, SGD):
            solution = replace(solution, status=Status.SEPARATED)
    certain = (True, True) if watch is None else watch.certain
    return Fit(objective.to_coef(solution.theta), solution, objective.coordinates.aliased(), separating, certain)


def _fit_firth(model: Any, objective: Any, sample: Block, last: Coefs | None, reporter: Reporter) -> Fit:
    """Firth's fit, with the correction that was asked for."""
    report = reporter("firth", model.max_iter + 1, objective.to_coef)
    start, warm = _start(objective, objective.start(sample), last)
    limits = {"tol": model.tol, "max_iter": model.max_iter}
    solution = firth.solve(objective, start, sample, warm=warm, report=report, **limits)
    theta, solution = firth.corrected(objective, solution, model.firth, **limits)
    return Fit(objective.to_coef(theta), solution, objective.coordinates.aliased())


def _start(objective: Any, cold: Array, last: Coefs | None) -> tuple[Array, bool]:
    """The last coefficients, if they are better than a cold start, and whether it is they."""
    if last is None:
        return cold, False
    with np.errstate(over="ignore", invalid="ignore"):
        theta = objective.from_coef(*last)
    better = np.isfinite(theta).all() and objective.value_grad(theta)[0] <= objective.value_grad(cold)[0]
    return (theta, True) if better else (cold, False)


def _split(coordinates: Coordinates, direction: Array) -> Coefs:
    """The intercepts and slopes of a direction."""
    parts = [coordinates.split(one) for one in direction.reshape(-1, coordinates.intercept + coordinates.columns.size)]
    return np.array([shift for shift, _ in parts]), np.array([slopes for _, slopes in parts])
