"""Newton's method by conjugate gradients: for a wide sparse X with a penalty, whose Hessian is not made.

A product of the Hessian with a vector is a read of the rows without their exponentials, and Newton's step is found by
few of them, as far as it is worth (Dembo, Eisenstat and Steihaug, SIAM J. Numer. Anal. 19, 1982). The intercept is
eliminated: columns are seen less their means, weighted by the curvature of the rows.

The products are those of a Hessian scaled by D, about its diagonal. Where columns are many more than rows, a word of
one text has next to no curvature, and its text is fitted by many such: to be treated alike, as the penalty does, they
have at least the curvature that a row has for each column, in units of the penalty.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..arrays import Array
from ..data import Block, Sums
from ..kernels.algebra import dot
from ..kernels.rows import sparse_curved
from ..objective import Objective
from . import Metric, Solution
from .metrics import least_total
from .quasi_newton import State, minimize
from .running import Goal, record, still_moves

_FAR = 0.3  # how much of the gradient is left, in the norm of D^-1, by a step far from the optimum
_MOST = 200  # products for a step
_USUAL = 0.99  # of the columns: those with more curvature do not tell what is usual
_SOME = 2048  # columns that tell
_LEAST = 1e-12  # of the second moment, a variance
_LITTLE = 0.1  # of the target, what a bound may leave open

Times = Callable[[Array], Array]


class ByProducts(Metric, Protocol):
    """The Hessian at a point as a metric, which is solved with by products; J and its gradient there."""

    value: float
    gradient: Array

    def missed(self) -> float:
        """What the last step has left to gain (see `left_to_gain`)."""


class ConjugateGradients:
    """The Hessian at theta as a metric: solved with to a part of the gradient that suits the distance to the optimum.

    target : of the decrement, at which the fit ends
    """

    def __init__(self, objective: Objective, theta: Array, target: float) -> None:
        self._objective, self._target = objective, target
        coordinates, total_weight = objective.coordinates, objective.total_weight
        self._bends, self._rest = np.empty(objective.data.n_rows), np.empty(0)
        total, first, second = objective.column_curvature(theta, self._bends)
        self.value, self.gradient, _ = objective.value_grad(theta)  # of the same read
        total, inverse = max(float(total), least_total(objective)), coordinates.inverse
        means = first / total if coordinates.intercept else np.zeros(first.size)
        variance = np.maximum(second - total * np.square(means), _LEAST * second) / total_weight * np.square(inverse)
        by_row = usual_sum(variance / objective.ridge) / objective.data.n_rows
        self._diagonal = variance + objective.ridge
        self._scaled = 1 / (self._diagonal + by_row * objective.ridge)
        self._means, self._total, self._inverse = means * inverse, total / total_weight, inverse

    def solve(self, g: Array) -> Array:
        """About H^-1 g."""
        first = int(self._objective.coordinates.intercept)
        rest = g[first:] - self._means * g[0] if first else g.copy()
        step = self._slopes(rest)
        return np.concatenate([[g[0] / self._total - dot(self._means, step)], step]) if first else step

    def _slopes(self, gradient: Array) -> Array:
        """The step of the slopes from their gradient."""
        step, self._rest = conjugate_gradients(
            self._product, self._scale, gradient, until_accurate(gradient, self._scale, self.value, self._target)
        )
        return step

    def _scale(self, rest: Array) -> Array:
        return np.asarray(self._scaled * rest)

    def missed(self) -> float:
        """See `ByProducts`."""
        return left_to_gain(self._product, self._scale, self._rest, self._objective.ridge, self._diagonal, self._target)

    def _product(self, direction: Array) -> Array:
        """The Hessian, without the intercept, times a vector: one read of the data."""
        objective, bends, shift = self._objective, self._bends, -dot(self._means, direction)
        raw = direction * self._inverse

        def sums(block: Block) -> Sums:
            return sparse_curved(block.X, bends[block.first : block.first + block.n_rows], shift, raw)

        _, found = objective.reduce(sums)
        return np.asarray(found * (self._inverse / objective.total_weight) + objective.ridge * direction)


def conjugate_gradients(
    product: Times, scaled: Times, gradient: Array, enough: Callable[[Array, float], bool]
) -> tuple[Array, Array]:
    """About H^-1 g, and what of g is left.

    product : H times a vector; scaled : D^-1 times a vector
    enough : of what is left and the square of its norm, that of D^-1: whether it is little enough
    """
    step, rest, direction = np.zeros(gradient.size), gradient.copy(), scaled(gradient)
    size = dot(direction, rest)
    first = direction
    for _ in range(_MOST):
        curved = product(direction)
        bend = dot(direction, curved)
        if not 0 < bend < math.inf:
            break
        length = size / bend
        step += length * direction
        rest -= length * curved
        along = scaled(rest)
        before, size = size, dot(along, rest)
        if enough(rest, size):
            break
        direction = along + (size / before) * direction
    return (step if step.any() else first), rest


def until_accurate(gradient: Array, scaled: Times, value: float, target: float) -> Callable[[Array, float], bool]:
    """What ends a step where it is as accurate as is worth at J = `value`, for a decrement of `target` at the end."""
    size = dot(gradient, scaled(gradient))
    least = size * _accuracy(0.5 * size, value, target) ** 2
    return lambda rest, size: size <= least


def left_to_gain(product: Times, scaled: Times, rest: Array, ridge: Array, diagonal: Array, target: float) -> float:
    """rest' H^-1 rest / 2: what a step has not gained of the decrement, from above but for columns without a ridge.

    H is no less than the ridge, which bounds it at no cost. Where the bound says too much, as of columns that nearly
    repeat one another, the step is taken further: what that gains is known, and less is left to the bound. If it
    has to be given up, what is then left is told by the diagonal of H.
    """
    least, little = np.where(ridge > 0, ridge, diagonal), _LITTLE * target

    def bound(rest: Array) -> float:
        return 0.5 * dot(rest, rest / least)

    if bound(rest) <= little:
        return bound(rest)
    more, left = conjugate_gradients(product, scaled, rest, lambda rest, size: bound(rest) <= little)
    gained = 0.5 * dot(rest + left, more)
    return gained + (bound(left) if bound(left) <= little else 0.5 * dot(left, left / diagonal))


def _accuracy(decrement: float, value: float, target: float) -> float:
    """How much of the gradient may be left: less where Newton's method is near, no less than the target asks."""
    if not 0 < decrement < math.inf:
        return _FAR
    near = 2 * math.sqrt(decrement / max(value, decrement))
    return min(_FAR, max(near, 0.3 * math.sqrt(target / decrement)))


def usual_sum(stiff: Array) -> float:
    """The sum of numbers, of which a few are held to what is usual."""
    some = np.sort(stiff[:: max(1, stiff.size // _SOME)])
    return float(np.minimum(stiff, some[int(_USUAL * (some.size - 1))]).sum())


def newton_by_products(
    objective: Objective,
    theta: Array,
    at: Callable[[Array, float], ByProducts],
    goal: Goal,
) -> Solution:
    """The smooth loop with such steps.

    at : the metric at theta, for a target
    """
    target, history = goal.gap(objective), list[float]()

    def evaluate(theta: Array) -> tuple[float, Array, ByProducts]:
        found = at(theta, target)
        history.append(found.value)
        return found.value, found.gradient, found

    def confirm(state: State) -> None:
        """Add to the gap what the step has left: columns that nearly repeat others have hardly any curvature apart."""
        metric: Any = state.metric
        state.surprise *= 1.0 + metric.missed() / state.gap

    state = minimize(
        evaluate,
        theta,
        None,
        target=target,
        max_iter=goal.max_iter,
        from_hessian=lambda metric: metric,
        polish=None,
        still_moves=functools.partial(still_moves, objective),
        best_length=objective.best_length,
        confirm=confirm,
        watch=functools.partial(goal.look, objective),
    )
    return record("quasi-newton", objective, state, history)
