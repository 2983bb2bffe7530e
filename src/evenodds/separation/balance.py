"""The proof that classes overlap, which spares the judge: positive numbers, one a row, that balance the signed rows.

sum_i lambda_i s_i x_i = 0 leaves no direction in which some s_i x_i d is positive and none is negative (Tucker). At an
optimum the derivatives of the rows' losses are such numbers, but for rounding and for the last step. So they are
corrected: regress 1 on the rows with the weights lambda; where all fitted values are below 1, the
lambda_i (1 - fitted_i) are positive and balance the rows exactly. A column that presses against its bound needs no
balance. Balanced sums of some rows prove it for all.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Array, Real
from ..data import Block, Sums
from ..solvers.eliminated import Eliminated
from ..solvers.metrics import Cholesky
from ..solvers.quasi_newton import State
from .coded_balance import CodedSides, correction
from .product_balance import Balance, by_products, proved
from .sides import EXACT, Reduce, Sides, SignedHome

if TYPE_CHECKING:
    from ..objective import Objective

_ROWS = 40  # a coefficient, of the sample on which the proof is tried first
LEAST = 1e-290  # a multiplier that is certainly not 0
BELOW = 0.9  # a fitted value that is certainly below 1
_CERTAIN = 100 * EXACT  # an eigenvalue of products of rows of size 1 that is not rounding: a correction moves by 1%
ROUGH = 1e-4  # an eigenvalue well above what products in single precision round, and above a trace of a ridge

_MOST_WORK = 1e11  # multiplications for the proof on all rows
_NEAR = 0.2  # the move of a score from which derivatives are what they were, but for a factor below 1.5
SINGLE = 300  # columns from which products are taken in single precision


Multipliers = Callable[[Block], Array]


def balanced(signed: SignedHome, bounds: Array, multipliers: Multipliers) -> bool:
    """Whether the multipliers of the rows prove that the classes overlap: on a sample, else on all rows.

    bounds : (n_coef,) 1 where a direction has a lower bound, so that it cannot fall, -1 where it has an upper one
    """
    data, sides = signed.data, signed.sides
    if (coded := CodedSides.of(signed)) is not None:
        return not bounds.any() and _balanced_beside_wide(signed, coded, multipliers)
    k = sides.coordinates.columns.size + 1
    if _ROWS * k < data.n_rows:
        block = data.sample(_ROWS * k, 0)
        if _balanced(sides, bounds, multipliers, lambda function: function(block)):
            return True
    work = signed.n_rows * k**2  # multiplications
    return work <= _MOST_WORK and _balanced(sides, bounds, multipliers, signed.reduce)


def _balanced(sides: Sides, bounds: Array, multipliers: Multipliers, add_up: Reduce) -> bool:
    """Whether the multipliers of some rows, corrected, balance these: in double precision where single cannot tell."""

    def over_rows(function: Callable[[Block], Sums]) -> Sums:
        return add_up(lambda block: sides.over_tiles(block, function))

    given = sides, bounds, multipliers, over_rows
    many = sides.coordinates.columns.size >= SINGLE
    found = _balanced_in(np.float32, ROUGH, *given) if many else None
    return bool(_balanced_in(np.float64, _CERTAIN, *given) if found is None else found)


def _balanced_in(
    dtype: Real,
    certain: float,
    sides: Sides,
    bounds: Array,
    multipliers: Multipliers,
    over_rows: Reduce,
) -> bool | None:
    """The same with products in `dtype`; None if their rounding, or bounds, may hide it.

    certain : see `_correction`
    """
    gradient, products, least = over_rows(lambda tile: sides.balance(tile, multipliers(tile), dtype))
    size = np.sqrt(products.diagonal())
    if not min(least) > LEAST or not (size > 0).all() or not np.isfinite(size).all():
        return False
    step = _correction(gradient / size, products / np.outer(size, size), bounds, certain)
    if step is None:
        return None
    step /= size
    longest = np.sqrt(np.square(size).sum() / min(least))  # of the rows, as the sum of lambda_i |x_i|^2 tells
    if longest * np.linalg.norm(step) < BELOW:
        return True
    (most,) = over_rows(lambda tile: ([float(sides.signed(tile).dot(step).max(initial=0.0))],))
    return bool(max(most) < BELOW)


def _balanced_beside_wide(signed: SignedHome, rows: CodedSides, multipliers: Multipliers) -> bool:
    """The same of all rows, where a factor has most of the columns."""
    if by_products(signed, rows):
        (parts,) = signed.reduce(lambda block: ([multipliers(block).reshape(block.n_rows, -1)],))
        weights = np.concatenate(parts)
        found = weights.min(initial=np.inf) > LEAST
        return found and proved(Balance(signed, rows, weights), _CERTAIN, BELOW)
    total, by_coef, least, *made = signed.reduce(lambda block: rows.sums(block, multipliers(block)))
    if not min(least) > LEAST:
        return False
    step = correction(signed.data, rows, (total, by_coef, *made), _CERTAIN)
    if step is None:
        return False
    (most,) = signed.reduce(lambda block: ([float(rows.margins(block, step).max(initial=0.0))],))
    return bool(max(most) < BELOW)


def _correction(gradient: Array, products: Array, bounds: Array, certain: float) -> Array | None:
    """What to regress 1 on the rows by, where columns that press against their bounds are left out.

    None if rounding may hide that it is not unique, or a column that was left out needs its balance.

    certain : an eigenvalue of the products, whose diagonal is 1, that is not rounding
    """
    pressed = bounds * gradient < 0
    kept = np.flatnonzero(~pressed)
    among = products[np.ix_(kept, kept)]
    step = np.zeros(gradient.size)
    if kept.size:
        factor = Cholesky(among)
        if not factor.least() > certain:
            return None
        step[kept] = factor.solve(gradient[kept])
    left = gradient[pressed] - products[np.ix_(pressed, kept)] @ step[kept]
    return None if (bounds[pressed] * left > 0).any() else step


def balanced_by_newton(objective: "Objective", state: State) -> bool:
    """Whether Newton's last step proves it: what it takes of the derivatives leaves numbers that balance all rows.

    Of a fit without a penalty and bounds. Where the step moves no score much, the numbers are certainly positive. A row
    whose score a step d moves by m adds h m^2 / S to d'H d, twice the decrement: the least curvature h bounds m.
    """
    if state.sure is not None:
        return is_sure(state.sure)
    metric, at = state.metric, state.exact_at
    if at is None or not isinstance(metric, Cholesky | Eliminated) or not metric.least() > _CERTAIN:
        return False
    if not objective.classes.several:
        least, move = objective.extremes(at, state.theta - at)
        if move < _NEAR and least > LEAST and 2 * abs(state.decrement) * objective.total_weight < _NEAR**2 * least:
            return True
    moves = (objective.largest_move(step) for step in (state.step, state.theta - at))
    return all(move < _NEAR for move in moves) and objective.least_multiplier(state.theta) > LEAST


def is_sure(sure: tuple[float, ...]) -> bool:
    """Whether the end of Newton's method in one call proves it: see `kernels.newton.Steps`."""
    least_eigenvalue, least, move = sure
    return least_eigenvalue > _CERTAIN and least > LEAST and move < _NEAR
