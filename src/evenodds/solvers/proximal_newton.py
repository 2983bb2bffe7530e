"""Proximal Newton at one point or many: each step minimises the model of F at hand plus the penalty itself.

    theta + d = argmin_x  g'(x - theta) + (x - theta)'H(x - theta)/2 + Omega(x)

(Lee, Sun and Saunders, SIAM J. Optim. 24, 2014), with a line search. H only has to be close to the Hessian: what it
misses costs rounds, never correctness. Where the search had to shorten a step much, the next is held back by a ridge
about theta (Levenberg and Marquardt's): where rows are nearly certain H is next to nothing in some directions, in which
steps go far beyond what it is close for, and are the hardest to find. A round evaluates F at the trial points of all
that have not converged, which is one read of the data. Each ends when its duality gap is small enough.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..arrays import Array
from ..kernels.algebra import dot, product
from . import Status
from .penalty import Penalty, Reach
from .quadratic import minimize_quadratic
from .quasi_newton import ARMIJO

ROUNDING = 1e-14  # of the loss
_SLOW = 0.2  # a step that leaves more of the gap asks for a better model
_FALLS = 0.99  # a step that leaves less of J itself is not slow
_PATIENCE = 3
_LEAST_STEP = 1e-8
_SHORT = 0.25  # of a step: what is less asks for a ridge
_CALMED = 0.1  # of the ridge is left by a whole step
_NOTHING = 1e-10  # of the curvature, from which the ridge is left out

Evaluate = Callable[[Array], tuple[Array, Array, Array]]
"""F, its gradient and the odds (see `Penalty.gap`) at each row of an array of points."""

Model = Callable[["Point"], Array]


@dataclass(frozen=True)
class Models:
    """Where matrices close to the Hessian of F come from.

    make : one for a point that has none; every : at each step anew
    better : the Hessian at the point, for one whose model does not serve
    learn : whether a model is corrected by what a step does to the gradient
    odds : the mean odds at theta, where evaluations only estimate them: the last gap is a proof
    reach : of a step in what is free of penalty, see `Penalty.gap`; asked at the end, and with `every` always
    polished : to which gap a point goes on from its target, as long as steps leave little of it
    attained : whether there is an optimum for certain; then the gap is polished as a share of J, however small J is
    intercepts : how many there are at the most: one for each class
    """

    make: Model
    better: Model | None = None
    every: bool = False
    learn: bool = True
    odds: Callable[[Array], float] | None = None
    reach: Reach | None = None
    polished: float = math.inf
    attained: bool = False
    intercepts: int = 1


@dataclass
class Point:
    """Where the search for one optimum is.

    theta, value, loss, gradient, odds, gap : the last accepted point, J, F, its gradient and the mean odds there, and
        the duality gap
    H : the model's matrix, None if it is to be made at the point
    trial : the point to be evaluated next, theta + t step
    longest : the first t of a step
    promised : what the step gains of J to first order
    damping : the ridge that holds the step back
    slow : steps in a row that gained little
    noise : rounding errors of J, beside it
    """

    penalty: Penalty
    trial: Array
    theta: Array = field(init=False)
    value: float = math.inf
    loss: float = math.inf
    gradient: Array = field(init=False)
    odds: float = math.inf
    gap: float = math.inf
    H: Array | None = None
    step: Array = field(init=False)
    t: float = 1.0
    longest: float = 1.0
    promised: float = 0.0
    damping: float = 0.0
    slow: int = 0
    rounds: int = 0
    iterations: int = -1
    status: Status | None = None
    noise: float = ROUNDING

    def __post_init__(self) -> None:
        self.theta = self.trial = self.penalty.nearest(self.trial)

    def receive(self, loss: float, gradient: Array, odds: float, models: Models, target: float) -> bool:
        """Take in F at the trial point: whether it becomes the point."""
        self.rounds += 1
        value = loss + self.penalty.value(self.trial)
        rounding = self.noise * max(1.0, abs(value))
        if math.isfinite(self.value) and not value <= self.value - ARMIJO * self.t * self.promised + rounding:
            return False
        before = None
        if self.iterations >= 0:
            before = self.theta, self.value, self.loss, self.gradient, self.odds, self.gap
        self.theta, self.value, self.loss, self.gradient, self.odds = self.trial, value, loss, gradient, odds
        self.iterations += 1
        if models.every:
            self.H = None
        elif models.learn and before is not None and self.H is not None:
            self.H = _updated(self.H, self.theta - before[0], gradient - before[3])
        self.gap = self._gap(models, target, proof=models.every)
        if self.gap <= target and not models.every:
            self.odds = odds if models.odds is None else models.odds(self.theta)
            self.gap = self._gap(models, target, proof=True)
        # Little is left but rounding: back to what was better, unless that is known in single precision only.
        at_end = self.noise == ROUNDING and self.promised <= ROUNDING * max(1.0, abs(value))
        if before is not None and at_end and not self.gap < before[-1]:
            self.theta, self.value, self.loss, self.gradient, self.odds, self.gap = before
            self.slow += 1
            self.H = None if models.every else self.H
            if models.better is None or self.slow > _PATIENCE:
                self.status = Status.STALLED
            else:
                self.H = models.better(self)
            return True
        # Where J is next to nothing, most of it goes with each step, and the gap may be J itself until near the end.
        falls = models.attained and models.every and before is not None and value < _FALLS * before[1]
        self.slow = 0 if before is None or falls or self.gap < _SLOW * before[-1] else self.slow + 1
        polished = models.polished * (min(1.0, value) if models.attained else 1.0)
        if self.gap <= target and (self.slow > models.attained or self.gap <= polished):
            self.status = Status.CONVERGED
        elif self.slow >= 2 and models.better is not None:
            self.H = models.better(self)
        return True

    def _gap(self, models: Models, target: float, *, proof: bool) -> float:
        known = self._gap_of(models, proof=proof, every=False)
        at_end = models.every and self.iterations > 0 and self.promised <= max(target, ROUNDING * max(1.0, self.value))
        return min(known, self._gap_of(models, proof=proof, every=True)) if at_end and known > target else known

    def _gap_of(self, models: Models, *, proof: bool, every: bool) -> float:
        at, reach = (self.theta, self.loss, self.gradient), models.reach if proof else None
        return self.penalty.gap(*at, lambda free: self.model(models)[:, free], self.odds, reach, every=every)

    def end(self, models: Models, target: float) -> None:
        """Where no step can be seen to gain: the gap by the dual point of a whole step, which rounding hides less."""
        known = models.every or models.better is not None
        if not (known and self.status is Status.STALLED and self.gap > target and math.isfinite(self.value)):
            return
        if models.better is not None:
            self.H = models.better(self)
            self.odds = self.odds if models.odds is None else models.odds(self.theta)
        self.gap = min(self.gap, self._gap_of(models, proof=True, every=True))

    def model(self, models: Models) -> Array:
        """The matrix of the model, made if there is none."""
        if self.H is None:
            self.H = models.make(self)
        return self.H

    def aim(self, models: Models, accuracy: float) -> None:
        """Set the step, and the next trial point at its end."""
        H = self._damped(self.model(models))
        c = self.gradient - product(H, self.theta)
        x = minimize_quadratic(
            H, c, self.penalty, self.theta, exact=models.every, accuracy=accuracy, intercepts=models.intercepts
        )
        self.step = x - self.theta
        with np.errstate(over="ignore", invalid="ignore"):
            fall = self.penalty.value(self.theta) - self.penalty.value(x)
            self.promised = fall - dot(self.gradient, self.step)
        self.t = self.longest = credible(self.value, self.promised)
        self.trial = x if self.t == 1 else self.theta + self.t * self.step
        if not self.step.any():
            self.status = Status.STALLED

    def _damped(self, H: Array) -> Array:
        """H with the ridge under which the last step would have been as long as it could be."""
        if self.t < _SHORT:
            self.damping = max(self.damping, self.promised / (self.t * dot(self.step, self.step)))
        elif self.t == 1:
            self.damping *= _CALMED
        if not self.damping > _NOTHING * H.diagonal().max():
            self.damping = 0.0
        return H + self.damping * np.eye(len(H)) if self.damping else H

    def backtrack(self) -> None:
        """Halve the step."""
        self.t *= 0.5
        self.trial = self.theta + self.t * self.step
        if self.t < _LEAST_STEP * self.longest:
            self.status = Status.STALLED


def credible(value: float, promised: float) -> float:
    """The factor on a step from which the search along it starts.

    J is not negative, so that no step gains more than its value: one that says so is shortened to what there is.
    """
    return 2 * value / promised if promised > 2 * value else 1.0


def _updated(H: Array, step: Array, turn: Array) -> Array:
    """H made right along the last step, by what it did to the gradient (BFGS; Nocedal and Wright, section 6.1)."""
    expected = product(H, step)
    curvature, modelled = dot(turn, step), dot(expected, step)
    if not 0.1 * modelled < curvature < 10 * modelled:
        return H
    return np.asarray(H + np.outer(turn / curvature, turn) - np.outer(expected / modelled, expected))


class Optimum(Protocol):
    """What a search ends with; a `Point` is one."""

    @property
    def theta(self) -> Array:
        """The coefficients."""

    @property
    def loss(self) -> float:
        """F there."""

    @property
    def gap(self) -> float:
        """The duality gap."""

    @property
    def status(self) -> Status | None:
        """How the search ended."""


Look = Callable[[Sequence[Point]], bool]


def minimize_all(
    evaluate: Evaluate,
    points: Sequence[Point],
    models: Models,
    *,
    target: float,
    max_iter: int,
    accuracy: float = 1e-8,
    prepare: Callable[[], None] | None = None,
    look: Look | None = None,
) -> None:
    """Bring every point to within `target` of its optimum, or as near as `max_iter` steps and rounding let it.

    accuracy : of each step, see `minimize_quadratic`
    prepare : called in each round before the steps are aimed
    look : called after each round; True asks to stop
    """
    waiting = [point for point in points if point.status is None]
    while waiting:
        losses, gradients, odds = evaluate(np.array([point.trial for point in waiting]))
        moved = [
            point.receive(float(loss), gradient, float(odd), models, target)
            for point, loss, gradient, odd in zip(waiting, losses, gradients, odds, strict=True)
        ]
        if prepare is not None and any(point.status is None for point in waiting):
            prepare()
        for point, accepted in zip(waiting, moved, strict=True):
            if not accepted:
                point.backtrack()
            elif point.status is None and point.iterations >= max_iter:
                point.status = Status.MAX_ITER
            elif point.status is None:
                point.aim(models, accuracy)
        if look is not None and look(points):
            for point in waiting:
                point.status = point.status or Status.STOPPED
        for point in waiting:
            point.end(models, target)
        waiting = [point for point in waiting if point.status is None]
