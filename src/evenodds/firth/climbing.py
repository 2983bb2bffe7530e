"""From a start to the next maximum of the penalised likelihood, among all theta or where combinations of it are held.

Steps are taken in the basis where I is the identity. On few rows they are Newton's where J_F is convex. Else they are
those of I, which is nearly the Hessian of J_F where rows are many a coefficient, or, where it is not, as with weights
that are small (leverages do not become less with them), of the curvature that the pseudo-observations have as well.
"""

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg

from ..arrays import Array
from ..kernels.algebra import cholesky, dot, product
from ..objective import Objective
from ..solvers import Metric, Report, Solution, Status, running
from ..solvers.metrics import Cholesky
from ..solvers.quasi_newton import Evaluate, Remake, State, Watch, minimize
from .objective import FirthObjective, Point, Whitened

_SMALL = 2e6  # multiplications up to which a fit goes on to machine precision
_EXACT = 2e5  # multiplications up to which the exact Hessian pays
DIGITS = 1e-9  # in standard errors, what that is before the last step
_NEWTON = 1e-3  # the decrement of S J_F above which memory misleads, as I changes from step to step
_CONVEX = 1e-3  # of the convex part, the least curvature that Newton's steps are taken with
_MOVE = 3.0  # of a score, beyond which its curvature is another
_STRETCHED = 0.5  # the share by which the curvature may be beyond I before that is no good metric


class Metrics:
    """The metrics of J_F where it was asked for last; what they solve stays where `fixed` @ theta does not change."""

    def __init__(self, objective: FirthObjective, fixed: Array | None) -> None:
        self._objective, self._fixed = objective, fixed
        self._held = None if fixed is None else scipy.linalg.qr(fixed.T, mode="economic")[0]
        self._metric: tuple[Point, Whitened] | None = None
        self._inside: tuple[Point, Array] | None = None
        self._exact = objective.prepared and objective.data.n_rows * objective.n_coef**3 <= _EXACT

    def solve(self, g: Array) -> Array:
        """(I / S)^-1 g, or with the curvature of the pseudo-observations in the place of I."""
        point = self._objective.latest
        if self._metric is None or self._metric[0] is not point:
            self._metric = point, self._at(point)
        return self._metric[1].solve(g)

    def _at(self, point: Point) -> Whitened:
        inside, far = self.inside(), self.is_far()
        shape = None
        if far or point.stretch > _STRETCHED:
            shape = _seen(self._objective.convex(point, far), inside)
        return Whitened(_along(point.white, inside), self._objective.total_weight, shape)

    def is_far(self) -> bool:
        """Whether a step by the curvature here would take a row that counts to where the curvature is another."""
        point = self._objective.latest
        slope = self._objective.total_weight * product(point.gradient, _along(point.white, self.inside()))
        return not point.loosest * dot(slope, slope) < _MOVE**2

    def hessian(self) -> Array | None:
        """The Hessian of S J_F in the basis of I, where it is of use: on few rows, near, and positive definite."""
        if not self._exact or self.is_far():
            return None
        point, inside = self._objective.latest, self.inside()
        convex = self._objective.convex(point)
        whole = _seen(self._objective.bent(point, convex), inside)
        sound = np.isfinite(whole).all() and cholesky(whole - _CONVEX * _seen(convex, inside)) is not None
        return whole if sound else None

    def of(self, hessian: Array) -> Metric:
        """The metric of what `hessian` gave."""
        return Whitened(_along(self._objective.latest.white, self.inside()), self._objective.total_weight, hessian)

    def kept(self, gradient: Array) -> Array:
        """A gradient without what would change `fixed` @ theta: differences of it have no such part to be magnified."""
        return gradient if self._held is None else gradient - self._held @ (self._held.T @ gradient)

    def inside(self) -> Array | None:
        """An orthonormal basis, where I is the identity, of the steps that change nothing that is fixed."""
        if self._fixed is None:
            return None
        point, m = self._objective.latest, len(self._fixed)
        if self._inside is None or self._inside[0] is not point:
            self._inside = point, np.asarray(scipy.linalg.qr((self._fixed @ point.white).T)[0][:, m:])
        return self._inside[1]


def _along(white: Array, inside: Array | None) -> Array:
    return white if inside is None else product(white, inside)


def _seen(shape: Array, inside: Array | None) -> Array:
    return shape if inside is None else product(product(inside.T, shape), inside)


@dataclass(frozen=True)
class Climber:
    """What is climbed, where `fixed` @ theta (m,) stays as it is, to so few standard errors, in so many steps."""

    objective: FirthObjective
    fixed: Array | None = None
    _: KW_ONLY
    tol: float
    max_iter: int

    def inside(self) -> Array | None:
        """See `Metrics.inside`, where J_F was asked for last."""
        return Metrics(self.objective, self.fixed).inside()

    def __call__(self, theta: Array, report: Report | None = None, history: list[float] | None = None) -> Solution:
        """The minimum of J_F next to theta.

        history : takes the values of J_F, after those that it holds
        """
        objective, history = self.objective, [] if history is None else history
        metrics = Metrics(objective, self.fixed)

        def evaluate(theta: Array) -> tuple[float, Array, Array | None]:
            value, gradient, _ = objective.value_grad(theta)
            history.append(value)
            return value, metrics.kept(gradient), metrics.hessian() if np.isfinite(value) else None

        def watch(state: State) -> Status | None:
            if not math.isfinite(state.value):  # from where no step leads
                return Status.STALLED
            error = running.error(objective, state.gap)
            stop = report is not None and report(state.iteration, state.value, error, state.theta)
            return Status.STOPPED if stop else None

        def remake(state: State) -> Metric | None:
            newton = objective.total_weight * state.decrement > _NEWTON and state.slow < 2
            return metrics if newton and not state.exact else None

        small = objective.data.n_rows * objective.n_coef**2 <= _SMALL
        state = descend(
            objective,
            evaluate,
            theta,
            metrics,
            min(self.tol, DIGITS) if small else self.tol,
            self.max_iter,
            from_hessian=metrics.of,
            watch=watch,
            remake=remake,
        )
        solution = running.record("fisher-scoring", objective, state, history)
        ended = math.isfinite(solution.loss) and solution.status in (Status.MAX_ITER, Status.STALLED)
        return replace(solution, status=Status.CONVERGED) if ended and solution.error <= self.tol else solution


def descend(
    objective: Objective,
    evaluate: Evaluate,
    theta: Array,
    metric: Metric,
    tol: float,
    max_iter: int,
    from_hessian: Callable[[Any], Metric] = Cholesky,
    watch: Watch | None = None,
    remake: Remake | None = None,
) -> State:
    """The smooth loop, for a gap of `tol` standard errors.

    No step is too long for its decrement to be believed: in the metric I a small decrement means that no score moves
    of a row that counts.
    """
    return minimize(
        evaluate,
        theta,
        metric,
        target=tol**2 / (2 * objective.total_weight),
        max_iter=max_iter,
        polish=evaluate,
        still_moves=lambda state: False,
        size=1.0,
        from_hessian=from_hessian,
        watch=watch,
        remake=remake,
    )
