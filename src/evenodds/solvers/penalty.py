"""The penalty of lasso and elastic net with its box, and what a point of it can still be from the optimum.

    Omega(theta) = sum_j l1_j |theta_j| + (l2_j / 2) theta_j^2      within lower_j <= theta_j <= upper_j

in the coordinates of the objective, the intercept (l1 = l2 = 0, no bounds) among them. J = F + Omega, F the mean loss.

The gap is Fenchel's (Borwein and Lewis, Convex Analysis and Nonlinear Optimization, section 3.3). At the dual point
that the residuals r of theta give it is a sum over coefficients,

    J(theta) - D(r) = sum_j [ Omega_j(theta_j) + g_j theta_j + Omega_j*(-g_j) ],     g the gradient of F,

none of whose terms is negative or has digits to lose. Where a conjugate is infinite the residuals are shrunk first, as
for the lasso (Kim, Koh, Lustig, Boyd and Gorinevsky, IEEE J. Sel. Top. Signal Process. 1, 2007, section III).

That gap falls as the distance of theta does, and the rounding of a gradient, times a coefficient, stays in it. Close to
the optimum a Newton step of the coefficients that can move both ways makes a better dual point of the residuals, and
the gap falls as the square of the distance (`every` in `Penalty.gap`).
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..coordinates import Coordinates
from ..kernels.algebra import dot, eigen, product

_UNSOLVED = 1e-8  # of a gradient, that a step may leave of it
_ROUNDING = 1e-14  # of gradients by columns of unit size
_VANISHING = 1e-10  # the strength of a ridge, of columns of unit size, where no optimum exists
_AGAIN = 2.0  # times as far from 0 as it is can the optimum be: a guess, but rounding has nothing to tell it by


@dataclass(frozen=True)
class Penalty:
    """Omega, by coefficient of theta; each field is (k,). An infinite `l1` holds one where it is nearest to 0."""

    l1: Array
    l2: Array
    lower: Array
    upper: Array

    @classmethod
    def of(
        cls,
        coordinates: Coordinates,
        strength: float,
        l1_ratio: float,
        *,
        standardize: bool = False,
        factor: Array | None = None,
        lower: Array | None = None,
        upper: Array | None = None,
    ) -> "Penalty":
        """The penalty strength * sum_j factor_j [ (1 - l1_ratio)/2 w_j^2 + l1_ratio |w_j| ] of the raw coefficients.

        strength : lam = 1 / (C S)
        standardize : w_j is in units of the scale of the coordinates instead, which has to be the exact one
        factor, lower, upper : (p,) or None for 1, -inf and inf; the bounds are of raw coefficients
        """
        columns, first = coordinates.columns, int(coordinates.intercept)
        scale = coordinates.scale[columns]
        constant = np.isinf(scale)  # it tells nothing
        scale = np.where(constant, 1.0, scale)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            unit = np.ones_like(scale) if standardize else 1 / scale
            pull = strength * (np.ones_like(scale) if factor is None else factor[columns])
            parts = l1_ratio * pull * unit, np.square(np.sqrt((1 - l1_ratio) * pull) * unit)
            l1, l2 = (np.where(np.isnan(part), 0.0, part) for part in parts)  # nothing of an infinite strength
            low = np.full(scale.size, -np.inf) if lower is None else np.where(constant, 0.0, lower[columns] * scale)
            high = np.full(scale.size, np.inf) if upper is None else np.where(constant, 0.0, upper[columns] * scale)
        held = constant | np.isinf(l2)
        l1, l2 = np.where(held, np.inf, l1), np.where(held, 0.0, l2)
        free, none = np.full(first, np.inf), np.zeros(first)
        pairs = ((none, l1), (none, l2), (-free, low), (free, high))
        return cls(*(np.concatenate(pair) for pair in pairs))

    def value(self, theta: Array) -> float:
        """Omega(theta); theta is taken to be within the bounds."""
        at = np.flatnonzero(theta)
        x = theta[at]
        with np.errstate(over="ignore"):
            return dot(self.finite_l1[at], np.abs(x)) + 0.5 * dot(self.l2[at] * x, x)

    def held(self, first: int) -> Self:
        """With a trace of a ridge on what has none, but for the `first` coefficients: where that separates the classes.

        It then has no optimum, and where steps would end is chance.
        """
        ridge = np.where(self.bare, _VANISHING, 0.0)
        ridge[:first] = 0.0
        return replace(self, l2=self.l2 + ridge)

    def nearest(self, theta: Array) -> Array:
        """Theta within the bounds, and where it has to be under an infinite penalty."""
        wanted = np.where(np.isinf(self.l1), 0.0, theta)
        return np.clip(wanted, self.lower, self.upper)

    def on(self, kept: NDArray[np.intp]) -> "Penalty":
        """The penalty of some of the coefficients, by number."""
        return Penalty(self.l1[kept], self.l2[kept], self.lower[kept], self.upper[kept])

    def times(self, strength: float) -> "Penalty":
        """The same penalty, `strength` times as strong."""
        return Penalty(strength * self.l1, strength * self.l2, self.lower, self.upper)

    def at(self, temperature: float) -> "Penalty":
        """The penalty of theta / temperature, in units of the temperature (see `cooling`)."""
        T = temperature
        with np.errstate(over="ignore"):
            return Penalty(self.l1, np.minimum(T * self.l2, np.finfo(float).max), self.lower / T, self.upper / T)

    def to_coefs(
        self, coordinates: Coordinates, thetas: Array, lower: Array | None, upper: Array | None
    ) -> tuple[Array, Array]:
        """Intercepts (m,) and coefficients (m, p) of the raw columns; those at a bound exactly at it."""
        intercepts, coefs = coordinates.to_coefs(thetas)
        columns, slopes = coordinates.columns, slice(int(coordinates.intercept), None)
        for bound, limit in ((lower, self.lower), (upper, self.upper)):
            if bound is not None:  # scaled and back, it would be off by rounding
                at = thetas[:, slopes] == limit[slopes]
                coefs[:, columns] = np.where(at, bound[columns], coefs[:, columns])
        held = columns[np.isinf(coordinates.scale[columns])]
        nearest = np.clip(np.zeros(held.size), _of(lower, held, -np.inf), _of(upper, held, np.inf))
        coefs[:, held] = nearest
        return intercepts - dot(nearest, coordinates.center[held]), coefs

    def conjugate_point(self, v: Array) -> Array:
        """The theta_j at which v_j theta_j - Omega_j(theta_j) is largest; infinite where there is no largest."""
        pull = np.sign(v) * np.maximum(np.abs(v) - self.l1, 0.0)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            at = np.where(pull == 0, 0.0, pull / self.l2)
        return np.clip(at, self.lower, self.upper)

    def violation(self, theta: Array, gradient: Array) -> Array:
        """How far each coefficient is from the condition of optimality, in units of the gradient of F.

        The least size of an element of g + d Omega, the directions that the bounds close left out.
        """
        g = gradient + np.where(theta == 0, 0.0, self.l2 * theta)
        l1 = np.where(np.isinf(self.l1), np.abs(g), self.l1)
        up = np.where(theta >= 0, g + l1, g - l1)  # the slope to the right
        down = np.where(theta > 0, g + l1, g - l1)  # and to the left
        held = np.isinf(self.l1)
        rise = np.where((theta < self.upper) & ~held, np.maximum(-up, 0.0), 0.0)
        fall = np.where((theta > self.lower) & ~held, np.maximum(down, 0.0), 0.0)
        return np.maximum(rise, fall)

    def gap(
        self,
        theta: Array,
        loss: float,
        gradient: Array,
        curvature: "Curvature",
        odds: float,
        reach: "Reach | None",
        *,
        every: bool = False,
    ) -> float:
        """How far J(theta) can be above its minimum.

        loss, gradient : F and its gradient at theta
        curvature : columns of the Hessian of F; they are asked for what is `freed`
        odds : the mean over rows of (1 - p)/p, p the probability of the label that was seen; see `_lost`
        reach : the largest change of a score by a step in what is `freed`; None for an estimate without it
        every : for a point close to the optimum: the dual point of a step in all that is `inside`
        """
        if not np.isfinite(loss):
            return np.inf
        v, free, step, left = self.freed(theta, loss, gradient, curvature, every=every)
        turn = (v + gradient)[free]  # by the step, of the slope of F
        base = left + freed_gap(step, turn, reach(theta, free, step) if reach is not None and step.any() else 0.0)
        return self.gap_at(v, theta, loss, odds, base)

    def freed(
        self, theta: Array, loss: float, gradient: Array, curvature: "Curvature", *, every: bool = False
    ) -> tuple[Array, NDArray[np.intp], Array, float]:
        """The dual point after a step in the coefficients that have no penalty and can move; these, the step, its rest.

        The dual point has to be orthogonal to them, and is so after the step: see `freed_gap`. They are those
        within their bounds, and those at a bound that the dual point points away from. (Where the coefficients of
        several classes can be shifted together, one is at its bound, and its gradient is 0 but for rounding.)

        every : the step is one of all that is `inside`, and the dual point the slope of the penalty where it ends
        """
        v, pull = -gradient, self.l2 * theta + self.finite_l1 * np.sign(theta)
        free = self.inside(theta) & (self.bare | every)
        while True:
            at = np.flatnonzero(free)
            step, slope = np.zeros(at.size), gradient[at] + pull[at]
            rest = -slope
            if slope.any():
                v, step, rest = self._stepped(curvature(at), gradient, pull, at)
            # What is left beyond rounding has no curvature: the dual point is not orthogonal to it, and proves nothing.
            # Rounding is nothing beside the gradient, yet J goes on along it as far as the coefficients may have to go.
            rounding = max(_UNSOLVED * float(np.abs(slope).max(initial=0.0)), _ROUNDING * min(1.0, loss))
            # Where a ridge holds the coefficient nearer than that, the ridge is what J loses by it: see `_terms`.
            small = (np.abs(rest) <= rounding) & (np.abs(rest) >= 2 * _AGAIN * self.l2[at] * np.abs(theta[at]))
            left = _AGAIN * abs(dot(np.where(small, rest, 0.0), theta[at]))
            v[at] = pull[at] - self.l2[at] * step + np.where(small, 0.0, rest)
            if free[self.bare].all():
                return v, at, step, left
            more = self.bare & ~free & (((v > 0) & (theta < self.upper)) | ((v < 0) & (theta > self.lower)))
            if not more.any():
                return v, at, step, left
            free |= more

    def _stepped(
        self, columns: Array, gradient: Array, pull: Array, at: NDArray[np.intp]
    ) -> tuple[Array, Array, Array]:
        """Minus the gradient after a Newton step of some coefficients, the step, and what it leaves of their slopes.

        Of those without a ridge less may be left than of the others, which have the ridge to pay with (see `_terms`):
        they take a second step, alone.
        """
        step = _least_squares(columns[at] + np.diag(self.l2[at]), gradient[at] + pull[at])
        v = product(columns, step) - gradient
        plain = np.flatnonzero(self.l2[at] == 0)
        if 0 < plain.size < at.size:
            again = _least_squares(columns[np.ix_(at[plain], plain)], (pull - v)[at[plain]])
            step[plain] += again
            v += product(columns[:, plain], again)
        return v, step, v[at] + self.l2[at] * step - pull[at]

    def gap_at(self, v: Array, theta: Array, loss: float, odds: float, base: float) -> float:
        """The gap at a dual point v: minus a gradient of F, and 0 for what has no penalty and can move.

        base : the `freed_gap`, infinite where that is no point at all: J is not below the least of Omega either
        """
        if not np.isfinite(loss):
            return np.inf
        if base == np.inf:
            return loss + self._terms(theta, np.zeros_like(v), self.rest)
        v, left = self._without_rounding(v, theta, min(1.0, loss))
        needed, all_within = self._factors(v)
        least = self._terms(theta, all_within * v, self.rest) + _lost(all_within, loss, odds)
        if needed > all_within:
            at = self.conjugate_point(needed * v)
            at = np.where(np.isfinite(at), at, 0.0)  # v is within l1 but for rounding
            least = min(least, self._terms(theta, needed * v, at) + _lost(needed, loss, odds))
        return base + left + least

    def inside(self, theta: Array) -> NDArray[np.bool_]:
        """The coefficients that can move both ways without a kink or a bound."""
        smooth = (theta != 0) | (self.l1 == 0)
        return np.asarray(smooth & (theta > self.lower) & (theta < self.upper) & ~np.isinf(self.l1))

    @functools.cached_property
    def bare(self) -> NDArray[np.bool_]:
        """The coefficients without penalty."""
        return np.asarray((self.l1 == 0) & (self.l2 == 0))

    @functools.cached_property
    def finite_l1(self) -> Array:
        """`l1`, and 0 for what is held."""
        return np.where(np.isinf(self.l1), 0.0, self.l1)

    @functools.cached_property
    def strength(self) -> float:
        """The largest pull on a coefficient, by which multiples of a penalty compare."""
        return float((self.finite_l1 + self.l2).max(initial=0.0))

    @functools.cached_property
    def rest(self) -> Array:
        """Where each coefficient is nearest to 0."""
        return np.asarray(np.clip(0.0, self.lower, self.upper))

    def _factors(self, v: Array) -> tuple[float, float]:
        """Factors on the dual point: the largest that makes conjugates finite; and one that brings v within l1."""
        size = np.abs(v)
        beyond = size > self.l1
        if not beyond.any():
            return 1.0, 1.0
        ratio = np.ones_like(v)  # exactly, where nothing is beyond: J can be many times what is left of the gap
        ratio[beyond] = np.nextafter(self.l1[beyond] / size[beyond], 0.0)
        endless = (self.l2 == 0) & np.where(v > 0, self.upper == np.inf, self.lower == -np.inf)
        return float(ratio[endless].min(initial=1.0)), float(ratio.min())

    def _without_rounding(self, v: Array, theta: Array, unit: float) -> tuple[Array, float]:
        """The dual point with what is beyond l1 by rounding put at l1, and what J may yet fall along it.

        unit : the size of gradients, of which rounding is a share
        """
        within = np.clip(v, -self.l1, self.l1)
        off = np.abs(v - within)
        off[(off > _ROUNDING * unit) | (self.l1 == 0) | (self.l2 > 0)] = 0.0
        return np.where(off > 0, within, v), _AGAIN * dot(off, np.abs(theta))

    def _terms(self, theta: Array, v: Array, at: Array) -> float:
        """The sum of Omega_j(theta_j) - v_j theta_j + Omega_j*(v_j); the conjugates are attained at `at`."""
        apart = theta - at
        terms = self.finite_l1 * (np.abs(theta) - np.abs(at)) - v * apart
        bent = apart != 0
        with np.errstate(over="ignore"):
            terms[bent] += 0.5 * (self.l2 * apart)[bent] * (theta + at)[bent]
        return float(np.maximum(terms, 0.0).sum())


def _of(bound: Array | None, columns: NDArray[np.intp], otherwise: float) -> Any:
    return otherwise if bound is None else bound[columns]


def _least_squares(H: Array, g: Array) -> Array:
    """The shortest step that comes nearest to H step = g."""
    if g.size == 1 and H[0, 0] > 0:
        return np.asarray(g / H[0, 0])
    values, vectors = eigen(H)
    turned = product(vectors.T, g)
    seen = np.abs(values) > 1e-14 * np.abs(values).max()
    return np.asarray(product(vectors, np.divide(turned, values, out=np.zeros_like(turned), where=seen)), np.float64)


def freed_gap(step: Array, slope: Array, reach: float) -> float:
    """What the dual point loses by a step d in what is `freed`, g its slope: no score changes by more than `reach`.

    It puts p_k (1 + t_k) in the place of a row's probabilities p_k, with t_k the change of a score less their mean: an
    information of sum_k p_k [(1 + t_k) log(1 + t_k) - t_k] <= sum_k p_k t_k^2 (1 + |t_k|) / 2 for t_k >= -1, the sum of
    p_k t_k^2 over the rows being g'd.
    """
    return 0.5 * (1 + reach) * max(dot(step, slope), 0.0) if reach <= 1 else np.inf


def _lost(c: float, loss: float, odds: float) -> float:
    """What c times the dual point is worth less than to first order.

    The conjugate of a row's loss is convex and 0 at 0, hence at most c times itself; and near c = 1 it is above
    its tangent by no more than (1 - c)^2 / (2 c) odds.
    """
    return min((1 - c) * loss, 0.5 * (1 - c) ** 2 / c * odds if c > 0 else np.inf)


Curvature = Callable[[NDArray[np.intp]], Array]
"""Columns of the Hessian of F, by number: (k, m)."""

Reach = Callable[[Array, NDArray[np.intp], Array], float]
"""By how much, from theta, a step of some coefficients, by number, changes a score beside the row's others at most."""
