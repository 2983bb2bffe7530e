"""Columns as people have them, made into numeric columns.

Frames of pandas, polars and Arrow are read through narwhals.
"""

from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from .advice import listed
from .exceptions import EvenOddsError


def is_frame(X: Any) -> bool:
    """Whether `X` is an eager data frame or table that narwhals knows."""
    return bool(nw.dependencies.is_into_dataframe(X))


def numeric_array(frame: Any) -> NDArray[Any]:
    """The columns of a frame as one array; float32 if all of them are, otherwise numbers become float64.

    Raises
    ------
    EvenOddsError
        If a column is not numeric or boolean, or has missing values: the message names it.
    """
    try:
        table = nw.from_native(frame, eager_only=True)
        names = table.columns
    except nw.exceptions.DuplicateError as error:
        raise EvenOddsError(f"Names of columns must be unique. {error}") from None
    columns = list(zip(names, table.iter_columns(), strict=True))
    other = [name for name, column in columns if not _is_numeric(column)]
    if other:
        one = len(other) == 1
        raise EvenOddsError(
            f"Not numeric: {listed(other)}. Drop {'it' if one else 'them'}, or encode {'it' if one else 'them'} as "
            "numbers first (for example with sklearn.preprocessing.OneHotEncoder)."
        )
    for name, column in columns:
        missing = column.is_null()
        if missing.any():
            row = int(missing.to_numpy().argmax())
            raise EvenOddsError(
                f"Input X contains NaN: column {name!r} has a missing value, first in row {row} (counted from 0). "
                "Drop or impute such rows before fitting, for example with sklearn.impute.SimpleImputer."
            )
    array: NDArray[Any] = table.to_numpy()
    return array if array.dtype.kind in "biuf" else array.astype(np.float64)


def _is_numeric(column: Any) -> bool:
    dtype = column.dtype
    if dtype.is_numeric() or dtype == nw.Boolean:
        return True
    # pandas keeps plain numbers in object columns after some operations, and has kinds that narwhals does not know.
    if dtype == nw.Object:
        return all(isinstance(value, int | float | np.number) for value in column)
    return bool(dtype == nw.Unknown and column.to_numpy().dtype.kind in "biuf")
