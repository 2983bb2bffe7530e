"""Labels of two values as codes, in one read of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .library import function, pointer

_SIZES = (1, 2, 4, 8)  # bytes


def two_labels(y: NDArray[Any]) -> tuple[int, NDArray[np.uint8]] | None:
    """Of labels (m,), alike where their bytes are, the place of the first unlike y[0], and which are so; else None.

    None where there are not two kinds, or they are of a type that the loop does not take.
    """
    if y.dtype.itemsize not in _SIZES or y.ndim != 1 or not y.size:
        return None
    if not (y.flags.c_contiguous and y.flags.aligned):
        y = np.array(y, order="C")
    codes = np.empty(y.size, np.uint8)
    other = function("two_labels")(pointer(y), y.dtype.itemsize, y.size, pointer(codes))
    return (other, codes) if other else None
