"""What a fit is told of separation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from .cuts import Cut


@dataclass(frozen=True)
class Verdict:
    """Whether the classes are separated by what a fit leaves free.

    separating : (F, p) slopes of a direction that separates them, None if there is none: of two classes of the second,
        and zero where the cuts tell all, else of all but the first, or of all where there are bounds
    cuts : columns that separate by themselves
    certain : of two classes, whether rows of each are separated by columns together only
    apart : (K, K) of more, which two are told apart by columns together on some rows; None if all are
    doubt : why it was not decided; empty if it was
    """

    separating: Array | None = None
    cuts: tuple[Cut, ...] = ()
    certain: tuple[bool, bool] = (True, True)
    apart: NDArray[np.bool_] | None = None
    doubt: str = ""


OVERLAP = Verdict()
