"""The ends of log odds that levels of factors make certain, beside a factor of thousands of levels.

What separates there are directions of single levels, `separation.rays`, of which a row sees few. At a given value of
its log odds those are held that it sees, with all that share rows with these; the others are free, and make their rows
certain. On what is left the likelihood has a maximum for each value, as in `intervals`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..data.coded import Coded
from ..data.views import some_rows
from ..separation.rays import ROUNDING
from .certain import design_of
from .intervals import finite_end, recession_of
from .limit import afresh

if TYPE_CHECKING:
    from .record import Inference


def ends_of_row(result: Inference, row: Coded, sign: float) -> tuple[float, float]:
    """The interval of the log odds of a row that go to inf, -inf or, if the sign is NaN, have no limit."""
    found = recession_of(result)
    assert found.rays is not None  # only levels separate beside a wide factor
    moves = (design_of(result.whole, row) @ found.null).toarray()[0]
    moves[np.abs(moves) < ROUNDING] = 0.0
    left = found.rays.left(moves)
    if np.isnan(sign):
        return (-math.inf, math.inf) if left is None else (math.nan, math.nan)
    if left is None:
        return math.nan, math.nan
    problem = afresh(result.whole, some_rows(result.whole.data, np.flatnonzero(left)))
    functional = design_of(problem, row).toarray()[0]
    end = float(functional @ finite_end(result, problem, functional, float(np.sign(sign))).theta)
    return (end, math.inf) if sign > 0 else (-math.inf, end)
