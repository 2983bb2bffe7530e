"""What a fit is told of separation."""

from dataclasses import dataclass

from ..data import Array

Coefs = tuple[Array, Array]  # intercepts and slopes: (1,) and (1, p), or by class (F,) and (F, p)


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
