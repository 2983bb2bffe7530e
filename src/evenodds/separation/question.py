"""Whether a fit has an optimum: what it asks of the one judge of separation, and the proof that spares the judge.

A fit has none if the classes are separated by a direction that the fit is free to follow for ever: of columns without a
penalty, and within the bounds. Offsets, weights and what the other columns do are then of no account.

That the classes overlap is proved by positive numbers, one a row, that balance the signed rows: sum_i lambda_i x_i = 0
leaves no direction in which some x_i d is positive and none is negative (Tucker). At an optimum the derivatives of the
rows' losses are such numbers, but for rounding and for the last step. So they are corrected: regress 1 on the rows with
the weights lambda; where all fitted values are below 1, the lambda_i (1 - fitted_i) are positive and balance the rows
exactly. A column that presses against its bound needs no balance. Balanced sums of some rows prove it for all.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..coordinates import Coordinates, independent
from ..data import Array, Block, Data, Sums
from ..exceptions import EvenOddsError
from ..objective import SignedRows
from ..softmax import SoftmaxObjective
from ..solvers.metrics import Cholesky
from ..solvers.penalty import Penalty
from .classes import Pairs, unit_coordinates
from .recession import Recession, exactness, separation_of

_ROWS = 40  # a coefficient, of the sample on which the proof is tried first
_MOST_WORK = 1e11  # multiplications for the proof on all rows
_BELOW = 0.9  # the largest fitted value that is certainly below 1
_SINGLE = 300  # coefficients from which products are taken in single precision
_PIVOT = 0.03  # of such products, well above what they round, and above the trace of a ridge that a sample is given

Coefs = tuple[Array, Array]  # intercepts and slopes: (1,) and (1, p), or by class (F,) and (F, p)
Multipliers = Callable[[Block], Array]


@dataclass(frozen=True)
class Verdict:
    """Whether the classes are separated by what a fit leaves free.

    separating : intercepts and slopes of a direction that separates them, None if there is none: of two classes of the
        second, else of all but the first, or of all where there are bounds. Of more classes it holds the signs of the
        coefficients that certainly grow without end, if there are some.
    alone : (p,) of two classes, the signs of columns that separate by themselves, else 0
    certain : of two classes, whether rows of each are separated
    doubt : why it was not decided; empty if it was
    """

    separating: Coefs | None = None
    alone: Array | None = None
    certain: tuple[bool, bool] = (True, True)
    doubt: str = ""


OVERLAP = Verdict()


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
    def of(cls, objective: Any, sample: Block, penalty: Penalty | None = None) -> "Question | None":
        """None if every column is held, by a penalty or by two bounds.

        penalty : of one class, if it is not the objective's ridge
        """
        coordinates, first = objective.coordinates, int(objective.coordinates.intercept)
        if penalty is None:
            held, lower, upper = objective.ridge > 0, *np.full((2, objective.ridge.size), False)
        else:
            held = (penalty.l1 > 0)[first:] | (penalty.l2 > 0)[first:]
            lower, upper = np.isfinite(penalty.lower)[first:], np.isfinite(penalty.upper)[first:]
        free, signs = ~held & ~(lower & upper), lower.astype(float) - upper
        if not free.any():
            return None
        if penalty is None:
            columns = np.flatnonzero(free)
        else:  # what repeats other columns without a bound adds no direction to theirs
            alone = replace(coordinates, columns=coordinates.columns[free & (signs == 0)])
            kept = independent(objective.data, sample, alone).columns
            columns = np.flatnonzero(free & ((signs != 0) | np.isin(coordinates.columns, kept)))
        every = columns.size == coordinates.columns.size
        part = coordinates if every else replace(coordinates, columns=coordinates.columns[columns])
        return cls(objective, sample, part, np.concatenate([np.zeros(first), signs[columns]]))

    def verdict(self, theta: Array) -> Verdict:
        """What the judge says. At an optimum theta, classes that overlap are proved to do so without asking it."""
        if self.proves_overlap(theta):
            return OVERLAP
        rows = self._rows(theta)
        try:
            found = separation_of(rows.home, rows.coordinates, bounds=rows.bounds)
        except EvenOddsError as error:
            direction = self._restricted(theta)
            if not rows.separated_by(direction):
                return Verdict(doubt=str(error))
            return Verdict(self._split(_largest(direction)))
        return OVERLAP if found.kind == "overlap" else self._told(found)

    def proves_overlap(self, theta: Array) -> bool:
        """Whether theta proves that the classes overlap, as an optimum does but for rounding."""
        return self._rows(theta).overlap()

    @property
    def of_some_rows(self) -> bool:
        """Whether the sample is not all rows."""
        return bool(self.sample.n_rows < self.objective.data.n_rows)

    def proved_on_sample(self, theta: Array, metric: Cholesky) -> bool:
        """Whether the optimum theta of the sample, with the Hessian there, proves that the classes overlap.

        What balances the sample's rows is then sigmoid's derivative less Newton's step: s q (1 - p x delta).
        """
        objective, block = self.objective, self.sample
        if isinstance(objective, SoftmaxObjective) or self.free is not objective.coordinates or metric.pivot < _PIVOT:
            return False
        D, multipliers = SignedRows.of(block, self.free).D, objective.multipliers(block, theta)
        delta = metric.solve((multipliers @ D) / objective.total_weight)
        return float(multipliers.min()) > 1e-290 and float(np.max(D @ delta)) < _BELOW

    def _rows(self, theta: Array) -> "_Rows":
        """The signed rows of the free columns."""
        objective = self.objective
        if not isinstance(objective, SoftmaxObjective):
            return _Rows(objective.data, self.free, self.bounds, lambda block: objective.multipliers(block, theta))
        pairs = Pairs(objective, theta, self.free, baseline=not self.bounds.any())
        bounds = np.tile(self.bounds, pairs.n_free)
        return _Rows(pairs, unit_coordinates(bounds.size), bounds, lambda block: np.asarray(block.weight))

    def _restricted(self, theta: Array) -> Array:
        """The entries of theta that are free, as the rows have them."""
        objective, every = self.objective, self.objective.coordinates
        first = int(every.intercept)
        at = np.concatenate([np.arange(first), first + np.flatnonzero(np.isin(every.columns, self.free.columns))])
        parts = theta.reshape(-1, first + every.columns.size)[:, at]
        if isinstance(objective, SoftmaxObjective) and not objective.baseline and not self.bounds.any():
            parts = parts[1:] - parts[0]
        return np.asarray(parts.ravel())

    def _told(self, found: Recession) -> Verdict:
        certain = np.isinf(found.infinite)  # but a sign that a bound alone decides says nothing of the rows
        if isinstance(self.objective, SoftmaxObjective):
            certain &= np.tile(self.bounds == 0, certain.size // self.bounds.size)
            signs = np.where(certain, np.sign(found.infinite), 0.0)
            return Verdict(self._split(signs if signs.any() else found.direction))
        first = int(self.free.intercept)
        certain[first + self.free.columns] &= self.bounds[first:] == 0
        named = found.direction if found.rest else np.where(certain | (found.alone != 0), found.direction, 0.0)
        second = np.concatenate([block.y > 0 for block in self.objective.data.blocks()])[found.separated]
        sides = bool((~second).any()), bool(second.any())
        return Verdict((np.zeros(1), named[None, first:]), found.alone[first:], sides)

    def _split(self, direction: Array) -> Coefs:
        """The intercepts and slopes of a direction of the rows."""
        parts = [self.free.split(one) for one in direction.reshape(-1, self.bounds.size)]
        return np.array([shift for shift, _ in parts]), np.array([slopes for _, slopes in parts])


@dataclass(frozen=True)
class _Rows:
    """A home of rows of two classes, or of pairs, with the numbers that may balance them."""

    home: Data
    coordinates: Coordinates
    bounds: Array
    multipliers: Multipliers

    def overlap(self) -> bool:
        """Whether the multipliers prove that the classes overlap: on a sample, else on all rows."""
        k = self.bounds.size
        if _ROWS * k < self.home.n_rows:
            block = self.home.sample(_ROWS * k, 0)
            if self._balance(lambda function: function(block)):
                return True
        return self.home.n_rows * k**2 <= _MOST_WORK and self._balance(self.home.reduce)

    def _balance(self, add_up: Callable[[Callable[[Block], Sums]], Sums]) -> bool:
        """Whether the multipliers of some rows, corrected, balance these."""
        single = self.bounds.size >= _SINGLE
        dtype, least_pivot = (np.float32, _PIVOT) if single else (np.float64, 10 * np.sqrt(exactness(self.coordinates)))

        def sums(block: Block) -> Sums:
            rows, weight = self._signed(block), self.multipliers(block)
            return (
                np.asarray(weight @ rows.D),
                rows.weighted_product(weight, dtype),
                [float(weight.min(initial=np.inf))],
            )

        gradient, products, least = add_up(sums)
        size = np.sqrt(products.diagonal())
        if not min(least) > 1e-290 or not (size > 0).all() or not np.isfinite(size).all():
            return False
        gradient, products = gradient / size, products / np.outer(size, size)
        pressed = self.bounds * gradient < 0
        kept = np.flatnonzero(~pressed)
        among = products[np.ix_(kept, kept)]
        try:
            pivots = np.diag(np.linalg.cholesky(among))
        except np.linalg.LinAlgError:
            return False
        if not pivots.min(initial=1.0) > least_pivot:
            return False
        shift = np.linalg.solve(among, gradient[kept])
        left = gradient[pressed] - products[np.ix_(pressed, kept)] @ shift
        if (self.bounds[pressed] * left > 0).any():
            return False
        step = np.zeros(size.size)
        step[kept] = shift / size[kept]
        longest = np.sqrt(np.square(size).sum() / min(least))  # of the rows, as the sum of lambda_i |x_i|^2 tells
        if longest * np.linalg.norm(step) < _BELOW:
            return True
        (most,) = add_up(lambda block: ([float(np.max(self._signed(block).D @ step, initial=0.0))],))
        return bool(max(most) < _BELOW)

    def separated_by(self, direction: Array) -> bool:
        """Whether a direction puts every row strictly on its side, within the bounds."""
        if not direction.any() or (self.bounds * direction < 0).any():
            return False
        (least,) = self.home.reduce(lambda block: ([float((self._signed(block).D @ direction).min(initial=np.inf))],))
        return bool(min(least) > 1e-9 * float(np.abs(direction).max()))

    def _signed(self, block: Block) -> SignedRows:
        return SignedRows.of(block, self.coordinates)


def _largest(direction: Array, most: int = 10) -> Array:
    """The direction with all but its largest entries set to zero, to name columns by."""
    threshold = np.sort(np.abs(direction))[-min(most, direction.size)]
    return np.where(np.abs(direction) >= threshold, direction, 0.0)
