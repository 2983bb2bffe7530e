"""A smooth fit of few dense rows in one call, where nothing goes wrong: coordinates, start, steps and coefficients.

It is the fit that `regimes.newton` makes, with the same bits: what is wrong with the rows, and how a fit is led that
does not come to its end in a few steps, is known there alone.
"""

import math
from typing import NamedTuple

from ..arrays import Array
from ..data import Data, total_weight
from ..kernels.newton import Limits, small_fit
from ..kernels.rows import AT_ONCE
from ..objective import SLIGHT, Classes
from . import Solution, Status
from .costs import has_cheap_hessians
from .quasi_newton import FAR, NOTHING_LEFT, POLISH
from .running import IN_ONE_CALL, ONE_CALL


class AtOnce(NamedTuple):
    """A fit in one call.

    intercepts, slopes : as the fit tells them
    sure : of a fit without a penalty what proves that the classes overlap, see `kernels.newton.SmallFit`
    """

    intercepts: Array
    slopes: Array
    solution: Solution
    sure: tuple[float, ...]


def fit_at_once(
    data: Data, *, intercept: bool, standardize: bool, strength: float, tol: float, max_iter: int
) -> AtOnce | None:
    """The fit with a ridge of strength lam, or without a penalty; None where it takes the long way."""
    by_mean = standardize and strength > 0 and not intercept  # the unit of the penalty is not that of the fit
    if data.sparse or by_mean or data.n_rows > ONE_CALL or data.n_columns > AT_ONCE:
        return None
    classes = Classes.of(data, baseline=strength == 0)
    rows = data.whole() if has_cheap_hessians(data, classes.n_sets * (data.n_columns + intercept)) else None
    if rows is None or rows.offset is not None or not all(data.class_weights.tolist()):
        return None
    total = total_weight(data)
    observations = max(total, float(data.n_rows))
    limits = Limits(POLISH, tol**2 / (2 * observations), NOTHING_LEFT, FAR, min(max_iter + 1, IN_ONE_CALL))
    found = small_fit(
        *(rows.X, rows.y, rows.weight, total, classes.log_odds(data), limits),
        intercept=intercept,
        strength=strength,
        standardize=standardize,
        least=-1.0 if strength == 0 else 0.0 if classes.baseline else SLIGHT,
        baseline=classes.baseline if classes.several else None,
    )
    if found is None:
        return None
    solution = Solution(
        theta=found.theta,
        loss=float(found.values[-1]),
        gap=found.decrement,
        error=math.sqrt(2 * observations * found.decrement),
        passes=found.reads,
        iterations=found.values.size - 1,
        status=Status.CONVERGED,
        history=found.values,
        solver="newton",
        n_rows=data.n_rows,
        total_weight=total,
    )
    return AtOnce(*classes.whole(found.intercepts, found.slopes), solution, found.sure)
