"""Whether a fit has an optimum: what it asks of the one judge of separation, and the proof that spares the judge.

A fit has none if the classes are separated by a direction that the fit is free to follow for ever: of columns without a
penalty, and within the bounds. Offsets, weights and what the other columns do are then of no account.

That they overlap is proved by what the fit knows at its end (`balance`), before the judge is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array, Mask
from ..arrow import is_large
from ..coordinates import Coordinates
from ..data import Block, Sums
from ..exceptions import EvenOddsError
from ..objective.row_sums import first_order, linear_predictor
from ..solvers.metrics import Cholesky
from ..solvers.quasi_newton import State
from .balance import BELOW, LEAST, ROUGH, balanced, balanced_by_newton
from .cuts import cuts_of
from .sides import SignedHome, sides_of
from .verdict import OVERLAP, Verdict

if TYPE_CHECKING:
    from ..objective import Objective
    from ..solvers.penalty import Penalty
    from .recession import Recession


_REFINED = 6  # times, at the most
_SETTLED = 1e-3  # of a score: what more refining would change
_NEAR = 1e-5  # of a step: from the slopes so far apart comes the product with the Hessian


@dataclass(frozen=True)
class Question:
    """The part of a fit that nothing but bounds keeps from growing.

    objective : with all columns; sample : some of its rows
    free : the columns that have no penalty, and the intercept
    bounds : (k,) of theta's entries that are free, of one class: 1 where there is a lower bound, -1 where an upper
    """

    objective: Any
    sample: Block
    free: Coordinates
    bounds: Array

    @classmethod
    def of(cls, objective: Objective, sample: Block, penalty: Penalty | None = None) -> Question | None:
        """None if every column is held, by a penalty or by two bounds.

        penalty : of one class, if it is not the objective's ridge
        """
        coordinates, first = objective.coordinates, int(objective.coordinates.intercept)
        if penalty is None:
            free, signs = objective.ridge == 0, np.zeros(objective.ridge.size)
        else:
            held = (penalty.l1 > 0)[first:] | (penalty.l2 > 0)[first:]
            lower, upper = np.isfinite(penalty.lower)[first:], np.isfinite(penalty.upper)[first:]
            free, signs = ~held & ~(lower & upper), lower.astype(float) - upper
        if not free.any():
            return None
        columns = np.flatnonzero(free)  # of those without a bound none repeats others: see `without_repeats`
        every = columns.size == coordinates.columns.size
        part = coordinates if every else replace(coordinates, columns=coordinates.columns[columns])
        return cls(objective, sample, part, np.concatenate([np.zeros(first), signs[columns]]))

    def verdict(self, theta: Array) -> Verdict:
        """What the judge says. At an optimum theta, classes that overlap are proved to do so without asking it."""
        if is_large(self.objective.data.layout):
            from .lone_levels import lone_levels  # here, as `_judged` does

            if (known := lone_levels(self.objective, self.free)) is not None:
                return known
        if self.proves_overlap(theta):
            return OVERLAP
        try:
            found = self._judged(theta)
        except EvenOddsError as error:
            direction = self._restricted(theta)
            if not self._separates(direction):
                return Verdict(doubt=str(error))
            return Verdict(self._slopes(_largest(direction)))
        return OVERLAP if found.kind == "overlap" else self._told(found)

    def proves_overlap(self, theta: Array) -> bool:
        """Whether theta proves that the classes overlap, as an optimum does but for rounding."""
        return balanced(self._signed, self._bounds, self.objective.multipliers(theta))

    def proved_by(self, state: State) -> bool:
        """Whether the loop of a fit has come to the proof by itself: by an exact Hessian."""
        return self._of_all and balanced_by_newton(self.objective, state)

    @property
    def of_some_rows(self) -> bool:
        """Whether the sample is not all rows."""
        return bool(self.sample.n_rows < self.objective.data.n_rows)

    def proved_on_sample(self, theta: Array, metric: Cholesky) -> bool:
        """Whether the optimum theta of the sample, with about the Hessian there, proves that the classes overlap.

        What balances the sample's rows is then sigmoid's derivative less Newton's step: s q (1 - p x delta). The metric
        may be of a theta before, where rows that are separated weigh more, so that the step is refined until it is that
        of the Hessian here.
        """
        objective = self.objective
        if objective.classes.several or not self._of_all or metric.least() < ROUGH:
            return False
        if not objective.multipliers(theta)(self.sample).min() > LEAST:
            return False

        def slope(at: Array) -> Array:
            pull = self.free.gradient(*first_order(self.sample, self.free, at)[1:])
            return np.asarray(pull / objective.total_weight)

        pull = left = slope(theta)
        step = np.zeros_like(theta)
        for _ in range(_REFINED):
            more = metric.solve(left)
            step = step + more
            if float(np.abs(linear_predictor(self.sample, self.free, more)).max()) < _SETTLED:
                moves = linear_predictor(self.sample, self.free, step)
                return float(np.max(np.where(self.sample.y > 0, -moves, moves))) < BELOW
            left = pull - (slope(theta + _NEAR * step) - pull) / _NEAR
        return False

    @property
    def _of_all(self) -> bool:
        """Whether the fit has no penalty and no bounds at all."""
        return self.free is self.objective.coordinates and not self.bounds.any()

    @property
    def _signed(self) -> SignedHome:
        return sides_of(self.objective, self.free, bounded=bool(self.bounds.any()))

    @property
    def _bounds(self) -> Array:
        """Those of a direction of the rows."""
        return np.tile(self.bounds, self._signed.sides.n_coef // self.bounds.size)

    def _judged(self, theta: Array) -> Recession:
        from .recession import separation_of  # here, as most fits prove by themselves that classes overlap

        asked = np.eye(self._bounds.size) if self.objective.classes.several else None
        return separation_of(self._signed, asked, self._bounds, self._restricted(theta), signs=False)

    def _separates(self, direction: Array) -> bool:
        """Whether a direction puts every row strictly on its side, within the bounds."""
        if not direction.any() or (self._bounds * direction < 0).any():
            return False
        if self.objective.data.layout is not None and not self.objective.classes.several:
            free = self.free

            def least_of(block: Block) -> Sums:
                moves = linear_predictor(block, free, direction)
                return ([float(np.where(block.y > 0, moves, -moves).min(initial=np.inf))],)

            return bool(min(self.objective.reduce(least_of)[0]) > 1e-9 * float(np.abs(direction).max()))
        (least,) = self._signed.read(lambda tile: ([float(tile.dot(direction).min(initial=np.inf))],))
        return bool(min(least) > 1e-9 * float(np.abs(direction).max()))

    def _restricted(self, theta: Array) -> Array:
        """The entries of theta that are free, as the rows have them."""
        objective, every = self.objective, self.objective.coordinates
        first = int(every.intercept)
        at = np.concatenate([np.arange(first), first + np.flatnonzero(np.isin(every.columns, self.free.columns))])
        parts = theta.reshape(-1, first + every.columns.size)[:, at]
        if not objective.classes.baseline and not self.bounds.any():
            parts = parts[1:] - parts[0]
        return np.asarray(parts.ravel())

    def _told(self, found: Recession) -> Verdict:
        y = np.concatenate(self.objective.reduce(_labels)[0])
        cuts, together = cuts_of(self._signed, found.separated.reshape(y.size, -1), self.bounds)
        first, rows = int(self.free.intercept), together.any(axis=1)
        if not self.objective.classes.several:
            slopes = found.direction[None, first:] * rows.any()
            return Verdict(slopes, tuple(cuts), (bool((y[rows] == 0).any()), bool((y[rows] > 0).any())))
        return Verdict(self._slopes(found.direction), tuple(cuts), apart=_told_apart(y, together))

    def _slopes(self, direction: Array) -> Array:
        """The slopes (F, p) of a direction of the rows."""
        return np.array([self.free.split(one)[1] for one in direction.reshape(-1, self.bounds.size)])


def _labels(block: Block) -> Sums:
    return ([block.y.astype(np.intp)],)


def _told_apart(y: Array, separated: Mask) -> Mask:
    """Which two classes are told apart (K, K), by the rows that are from each class other than their own (n, K - 1)."""
    found = np.zeros((separated.shape[1] + 1,) * 2, dtype=bool)
    row, k = np.nonzero(separated)
    found[y[row], k + (k >= y[row])] = True
    return found | found.T


def _largest(direction: Array, most: int = 10) -> Array:
    """The direction with all but its largest entries set to zero, to name columns by."""
    threshold = np.sort(np.abs(direction))[-min(most, direction.size)]
    return np.where(np.abs(direction) >= threshold, direction, 0.0)
