"""What a fit is told of separation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data import Array


@dataclass(frozen=True)
class Verdict:
    """Whether the classes are separated by what a fit leaves free.

    separating : (F, p) slopes of a direction that separates them, None if there is none: of two classes of the second,
        else of all but the first, or of all where there are bounds. Of more classes it holds the signs of the
        coefficients that certainly grow without end, if there are some.
    alone : (p,) of two classes, the signs of columns that separate by themselves, else 0
    certain : of two classes, whether rows of each are separated
    apart : (K, K) of more, which two are told apart on some rows; None if all are
    doubt : why it was not decided; empty if it was
    """

    separating: Array | None = None
    alone: Array | None = None
    certain: tuple[bool, bool] = (True, True)
    apart: NDArray[np.bool_] | None = None
    doubt: str = ""


OVERLAP = Verdict()
