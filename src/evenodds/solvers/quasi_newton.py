"""The one smooth loop: L-BFGS that starts from a metric close to the Hessian, with a line search.

A step is d = -P g with P the inverse metric, times the factor that suits the last change of the gradient, and
corrected by the last few pairs of steps and gradient changes (Nocedal and Wright, Numerical Optimization, algorithm
7.4 and equation 7.20): where the classes come apart all curvature falls together, by powers of ten. What is cheap and
close to the Hessian differs by regime and lives in `metrics`; a poor metric costs passes, never correctness. Where an
evaluation brings the exact Hessian, that becomes the metric and the memory is dropped: Newton's method.

The loop ends when the decrement g'Pg/2, which estimates how far J is above its minimum, is small enough. A metric that
is not exact is blind where it has more curvature than J, so its word is not taken for it: `confirm` looks again,
with what the metric does not know. Or the loop ends when nothing is left of the gradient but its rounding errors.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import Array
from ..kernels.algebra import LastSteps, dot
from ..kernels.newton import Steps
from . import Metric, Status

ARMIJO = 1e-4  # of what a step promises to first order, that J has to fall by at least
POLISH = 1e-6  # the decrement from which steps with the last exact Hessian are as good as Newton's
NOTHING_LEFT = 1e-24  # of the loss, and no more than that: the next step cannot show in an evaluation
_LEAST_BEND = 1e-290  # below, squares of a change of the gradient have lost their digits
_EPS = float(np.finfo(np.float64).eps)
_NEAR_NOISE = 100.0  # times what rounding makes of a decrement, at which one that hardly falls has come to it
_STILL = 5  # iterations without a tenfold fall
_HOPELESS = 100  # of Newton's method
FAR = 1e-2  # the decrement, in units of J, above which Newton's steps are often too short
_ROUNDING = 1e-12  # of the loss: below it, sums over many rows may differ by rounding alone

Evaluate = Callable[[Array], tuple[float, Array, Array | Metric | None]]


@dataclass
class State:
    """Where the loop is: what `watch` sees each iteration, and what it returns at the end.

    theta, value, gradient : the last accepted point, J and its gradient there
    factor : on the metric's step, from the last pair
    step : the full step that is taken next; decrement : how much of J it promises to gain
    exact_at : where the metric is the Hessian, None where it is so nowhere that is near
    rough : whether the Hessian is solved with to a few digits only
    memory : the last steps, where the metric is not the Hessian
    fallen : the last decrements; lowest : the least ever
    surprise : by what factor the decrement has ever risen above its lowest
    slow : iterations since the decrement last fell tenfold, below `milestone`
    sure : of an end that came in one call, see `Steps`
    centred : takes from a step what J is no lower with, see `minimize`
    """

    theta: Array
    value: float
    gradient: Array
    metric: Metric
    step: Array
    decrement: float = math.inf
    iteration: int = 0
    exact_at: Array | None = None
    rough: bool = False
    status: Status = Status.MAX_ITER
    memory: LastSteps = field(default_factory=LastSteps)
    factor: float = 1.0
    fallen: deque[float] = field(default_factory=lambda: deque(maxlen=4))
    lowest: float = math.inf
    milestone: float = math.inf
    surprise: float = 1.0
    slow: int = 0
    sure: tuple[float, ...] | None = None
    centred: Callable[[Array], Array] | None = None

    @property
    def exact(self) -> bool:
        """Whether the metric is the Hessian, here or within the last few steps."""
        return self.exact_at is not None

    @property
    def gap(self) -> float:
        """How far J is above its minimum: the decrement, and with a metric that is not exact, all that are to follow.

        If each decrement is r times the one before, the distances to go, their square roots, form a geometric series
        whose sum is 1 / (1 - sqrt(r)) of the first. Where the metric misses directions in which J is flat, the
        decrement falls, and rises when they come to light: what has happened before is allowed for.
        """
        if not self.decrement >= 0:
            return math.inf  # rounding has the better of the metric
        if self.exact and not self.rough:
            return self.decrement
        r = (self.fallen[-1] / self.fallen[0]) ** (1 / (len(self.fallen) - 1)) if len(self.fallen) > 1 else 0.25
        return self.surprise * self.decrement / (1 - math.sqrt(min(r, 0.95))) ** 2

    def aim(self) -> None:
        """Set the step -P g by the two-loop recursion, and the decrement."""
        q = self.memory.before_metric(self.gradient)
        self.factor = 1.0
        if self.memory:
            turn, curvature = self.memory.last
            bend = dot(turn, self.metric.solve(turn))
            self.factor = curvature / bend if bend > _LEAST_BEND else 1.0
        q = self.memory.after_metric(self.factor * self.metric.solve(q))
        self.step = -q if self.centred is None else -self.centred(q)
        self.decrement = 0.5 * dot(q, self.gradient)

    def forget(self) -> None:
        """Aim with the metric alone."""
        self.memory.clear()
        self.aim()

    def take_stock(self) -> None:
        """Note how the decrement has fallen and risen."""
        self.fallen.append(max(self.decrement, 1e-300))
        self.surprise = max(self.surprise, self.decrement / self.lowest)
        self.lowest = min(self.lowest, self.decrement)
        self.slow += 1
        if self.decrement < 0.1 * self.milestone:
            self.slow, self.milestone = 0, self.decrement

    def is_noise(self, size: float) -> bool:
        """Whether the decrement has come to what rounding makes of it, or of steps, and falls no more.

        The gradient is a mean over rows of residuals, whose squares are about J in the mean, times columns of unit
        size: its rounding errors are about eps sqrt(J) in each entry. One draw of such errors tells their decrement.
        """
        size = max(abs(self.value), size)
        if self.exact and self.slow >= _HOPELESS:  # what Newton's steps cannot, in so many, is beyond their digits
            return True
        if self.slow < _STILL or self.decrement > _EPS * size:
            return False
        errors = _EPS * math.sqrt(size) * np.random.default_rng(0).choice([-1.0, 1.0], self.theta.size)
        return self.decrement <= _NEAR_NOISE * 0.5 * dot(errors, self.metric.solve(errors))

    def move(self, theta: Array, value: float, gradient: Array) -> None:
        """Go to a new point, and remember the way."""
        change, turn = theta - self.theta, gradient - self.gradient
        if not self.exact and (curvature := dot(change, turn)) > 0:
            self.memory.add(change, turn, curvature)
        self.theta, self.value, self.gradient = theta, value, gradient


Watch = Callable[[State], Status | None]
Remake = Callable[[State], Metric | None]
Confirm = Callable[[State], None]
BestLength = Callable[[Array, Array], float]
Evaluated = tuple[Array, float, Array, Array | Metric | None]  # theta, J, gradient, Hessian or None


def minimize(
    evaluate: Evaluate,
    theta: Array,
    metric: Metric | None,
    *,
    target: float,
    max_iter: int,
    from_hessian: Callable[[Any], Metric],
    polish: Evaluate | None,
    still_moves: Callable[[State], bool],
    best_length: BestLength | None = None,
    centred: Callable[[Array], Array] | None = None,
    remake: Remake | None = None,
    confirm: Confirm | None = None,
    watch: Watch | None = None,
    size: float = 0.0,
    blur: float = 0.0,
    memory: LastSteps | None = None,
    done: int = 0,
    begun: Steps | None = None,
) -> State:
    """Minimise J from `theta` until the gap is at most `target`.

    evaluate : theta -> J, gradient, Hessian or None
    metric : the first metric; None where `evaluate` gives Hessians, made into metrics by `from_hessian`
    polish : evaluates the last steps, taken with a Hessian that is already close; None where the Hessian is solved
        with to a few digits only, so that these steps gain no more than others
    still_moves : whether the step is too long for the decrement to mean what it says
    centred : takes from a step what the classes share, where J hardly tells it from nothing: once in theta, it stays
    best_length : theta, step -> the factor on the step at which J is least, where that costs less than an evaluation;
        asked for where steps with the exact Hessian are still far from the optimum
    remake : asked each iteration for a better metric, or None to keep the one there is
    confirm : asked before the word of a metric that is not exact is taken for the end: it raises the gap if there
        is more to it, or makes the metric exact; not where the gradient is 0, and the gap with it
    watch : called each iteration; a status that it returns ends the loop
    size : of the terms of J, where these may cancel: what its rounding errors are measured by, if larger than J
    blur : the same of terms in single precision, which yet cannot fall by more than J
    memory : to begin with; done : iterations before
    begun : the steps of Newton's method that were taken before, in another place
    """
    exact_at, value, gradient, hessian = _first(evaluate, theta, begun)
    first = metric if metric is not None else from_hessian(_given(hessian))
    memory = LastSteps() if memory is None else memory
    step = np.zeros(theta.size)
    state = State(theta, value, gradient, first, step, rough=polish is None, memory=memory, centred=centred)
    polished = math.inf
    for state.iteration in range(done, max_iter + 1):
        state.exact_at = None if hessian is None else exact_at
        if hessian is not None and state.iteration > done:
            state.metric = from_hessian(hessian)
            state.memory.clear()
        _aim(state, remake)
        if watch is not None and (verdict := watch(state)) is not None:
            state.status = verdict
            return state
        newton = hessian is not None and polish is not None
        if not newton and confirm is not None and 0 < state.gap <= target:
            confirm(state)
        noise = state.is_noise(max(size, blur))
        ended = noise
        if hessian is not None and polish is not None and not noise:
            ended, polished = _polish_from(polish, state, polished, target, max(abs(state.value), size))
        moves = None if noise else still_moves
        if _is_over(state, ended, newton, target, moves) or state.iteration == max_iter:
            return state  # its status may have become CONVERGED above
        found = _next(evaluate, state, max(abs(state.value), size), blur, best_length)
        if found is None:
            return _ended(state, confirm if hessian is None else None, target)
        exact_at, value, gradient, hessian = found
        state.move(exact_at, value, gradient)
    return state


def _first(evaluate: Evaluate, theta: Array, begun: Steps | None) -> Evaluated:
    """Where the Hessian is that of, and what is known of theta: evaluated, if the steps before do not end with it."""
    if begun is None or begun.hessian is None:
        return theta, *evaluate(theta)
    return begun.thetas[begun.exact], float(begun.values[-1]), begun.gradient, begun.hessian


def _is_over(
    state: State, ended: bool, newton: bool, target: float, still_moves: Callable[[State], bool] | None
) -> bool:
    """Whether the loop has come to its end; sets the status where that is the target, or rounding.

    still_moves : None where a step that moves scores is one of rounding errors
    """
    if not (state.gap <= target or ended) or (still_moves is not None and still_moves(state)):
        return False
    state.status = Status.CONVERGED if state.gap <= target else Status.STALLED
    if newton or state.status is Status.STALLED:
        return ended
    _last_step(state)
    return True


def _ended(state: State, confirm: Confirm | None, target: float) -> State:
    """The state where no step lowers J."""
    if confirm is not None and state.gap > 0:
        confirm(state)
    state.status = Status.CONVERGED if state.gap <= target else Status.STALLED
    return state


def _given(hessian: Array | Metric | None) -> Array | Metric:
    if hessian is None:
        raise AssertionError("a loop without a metric needs an evaluation that gives the Hessian")
    return hessian


def _aim(state: State, remake: Remake | None) -> None:
    """Set the step, with a better metric if there is one, and take stock."""
    state.aim()
    if state.memory and not state.decrement >= 0:
        state.forget()
    if remake is not None and (better := remake(state)) is not None:
        state.metric = better
        state.forget()
    state.take_stock()


def _next(
    evaluate: Evaluate, state: State, size: float, blur: float, best_length: BestLength | None
) -> Evaluated | None:
    """The next point, by the step as long as is best or by one that memory does not mislead; None if there is none.

    J is not negative, so that no step gains more than its size: one that says so is shortened to what there is.
    """
    if state.decrement == 0:
        return None
    rounding = _ROUNDING * max(size, blur)
    far = state.exact and state.decrement > FAR * abs(state.value)
    length = best_length(state.theta, state.step) if far and best_length is not None else 1.0
    found = _search(evaluate, state, rounding, min(length, size / state.decrement))
    if found is None and state.memory:
        state.forget()
        found = _search(evaluate, state, rounding, min(1.0, size / state.decrement))
    return found


def _search(evaluate: Evaluate, state: State, rounding: float, t: float = 1.0) -> Evaluated | None:
    """Backtrack from `t` times the full step until J falls enough; None if it never does.

    Where differences of J are rounding, a slope that shrinks is accepted instead (the approximate
    Wolfe conditions of Hager and Zhang, SIAM J. Optim. 16, 2005, section 4).
    """
    slope = dot(state.gradient, state.step)
    if not slope < 0:
        return None
    for _ in range(30):
        theta = state.theta + t * state.step
        value, gradient, hessian = evaluate(theta)
        if value <= state.value + ARMIJO * t * slope:
            return theta, value, gradient, hessian
        new_slope = dot(gradient, state.step) if math.isfinite(value) else math.inf
        if value <= state.value + rounding and abs(new_slope) <= 0.8 * abs(slope):
            return theta, value, gradient, hessian
        # The minimiser of the parabola through both slopes, kept within sense.
        guess = slope / (slope - new_slope) if math.isfinite(new_slope) and new_slope > slope else 0.1
        t *= min(max(guess, 0.1), 0.5)
    return None


def _last_step(state: State) -> State:
    """Take the step that is at hand: in the region of convergence it gains digits and needs no read.

    `value` and `decrement` stay those of the point before it, which bound what is left from above.
    """
    state.theta = state.theta + state.step
    return state


def _polish_from(evaluate: Evaluate, state: State, last: float, target: float, size: float) -> tuple[bool, float]:
    """Polish, where it pays: whether nothing is left, and the decrement from which it was tried.

    What is left of that from which it was tried before, with another Hessian, is rounding.
    """
    before = state.decrement
    if before > POLISH:
        return False, last
    return _polish(evaluate, state, target, size) or (before <= _ROUNDING * size and not before < 0.5 * last), before


def _polish(evaluate: Evaluate, state: State, target: float, size: float) -> bool:
    """Steps with the Hessian at hand to machine precision: while each one brings the decrement down tenfold.

    Returns whether nothing is left. The last step is not evaluated: what it leaves is told by the ones before, the last
    of which has come to the target.
    """
    ratio = 1.0
    nothing = NOTHING_LEFT * min(1.0, size)
    for _ in range(6):
        if state.decrement <= target and ratio * state.decrement <= nothing:
            _last_step(state)
            return True
        theta = state.theta + state.step
        value, gradient, _ = evaluate(theta)
        if not np.isfinite(value):
            return False
        step = -state.metric.solve(gradient)
        decrement = -0.5 * dot(step, gradient)
        ratio = decrement / state.decrement
        if not ratio < 0.1:
            return state.decrement <= min(target, nothing)
        state.theta, state.value, state.gradient, state.step, state.decrement = theta, value, gradient, step, decrement
    return False
