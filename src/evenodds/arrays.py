"""The names of what holds numbers: arrays by what is in them, sparse rows, and what rows are chosen by."""

from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Array = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]  # of single precision or double
Numbers = NDArray[np.intp]
Codes = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]
Values = NDArray[Any]
CSR: TypeAlias = sp.csr_array
Matrix: TypeAlias = Floats | CSR
Real: TypeAlias = type[np.floating[Any]]
Which: TypeAlias = slice | Numbers | Mask


def dense(X: Matrix) -> Array:
    """An array as it is, sparse rows as one."""
    return np.asarray(X if isinstance(X, np.ndarray) else X.toarray())
