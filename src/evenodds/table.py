"""Columns as people have them, made into numeric columns.

Frames of pandas, polars and Arrow are read through narwhals.
"""

import datetime
import decimal
import numbers
from collections.abc import Iterator, Sized
from typing import Any, Protocol, SupportsFloat, TypeGuard

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from narwhals.typing import IntoDataFrame
from numpy.typing import NDArray

from .arrays import CSR, Matrix
from .exceptions import EvenOddsError, KindError
from .naming import listed

_NUMBERS = (numbers.Real, decimal.Decimal, np.bool_)
_AS_OBJECTS = (nw.Object, nw.Unknown, nw.Decimal, nw.Int128, nw.UInt128)
_PLAIN = frozenset(
    ["Boolean", "Float32", "Float64", *(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))]
)
_TIMES = (np.datetime64, np.timedelta64, datetime.date, datetime.timedelta)


class _Values(Protocol):
    def to_numpy(self) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...


def is_convertible(values: object) -> TypeGuard[_Values]:
    """Whether it is a column, or a frame, of another package."""
    return hasattr(values, "to_numpy")


def is_frame(X: object) -> TypeGuard[IntoDataFrame]:
    """Whether `X` is an eager data frame or table that narwhals knows."""
    return bool(nw.dependencies.is_into_dataframe(X))


def count_rows(X: object) -> int:
    """The rows of an array, a frame or a list."""
    if hasattr(X, "shape"):
        return int(X.shape[0])
    return len(X) if isinstance(X, Sized) else len(np.asarray(X))


def require_same_order(**given: object) -> None:
    """An error where the pandas index of one thing holds the rows of another in another order.

    Rows belong together by their place, here and in scikit-learn, and by their index in pandas. Where the two say
    different things nobody knows which is meant. An index of other rows says nothing.
    """
    told = [(name, values) for name, values in given.items() if values is not None and type(values) is not np.ndarray]
    if len(told) < 2:
        return
    indexed = [(name, _index(values)) for name, values in told]
    (first, index), *others = [(name, index) for name, index in indexed if index is not None] or [("", None)]
    for name, other in others:
        if other.equals(index) or len(other) != len(index):
            continue
        if other.isin(index).all() and index.isin(other).all():
            raise EvenOddsError(
                f"The index of {name} has the rows of {first} in another order. Put them in one order, such as "
                f"{name}.loc[{first}.index], or take them as they stand, with {name}.to_numpy()."
            )


def _index(values: object) -> Any:
    if nw.dependencies.is_pandas_dataframe(values) or nw.dependencies.is_pandas_series(values):
        return values.index
    return None


def numbered_columns(X: object) -> tuple[Any, ...] | None:
    """The names of the columns of a frame, if they are no strings, as pandas has numbers."""
    names = tuple(X.columns) if nw.dependencies.is_pandas_dataframe(X) else ()
    return None if any(isinstance(name, str) for name in names) or not names else names


def require_same_columns(fitted: tuple[Any, ...] | None, given: tuple[Any, ...] | None) -> None:
    """An error where a frame has other numbers as names than that of the fit, or the same in another order.

    The numbers 0, 1, ..., which pandas gives to columns without names, stand for any others.
    """
    if fitted is None or given is None or fitted == given:
        return
    if set(fitted) == set(given):
        raise EvenOddsError(f"The columns of X are those of the fit in another order: take X[{list(fitted)[:10]}].")
    if tuple(range(len(given))) not in (fitted, given):
        raise EvenOddsError(f"The columns of X are {list(given)[:10]}, and those of the fit were {list(fitted)[:10]}.")


def require_some(array: Matrix) -> None:
    """An error for a table without rows or columns."""
    if 0 in array.shape:
        raise EvenOddsError(f"Found a frame of shape {array.shape}: at least one row and column are required.")


def numeric_rows(X: object) -> Any:
    """X, no frame, for scikit-learn's checks: what these would read as other numbers than the user sees is an error."""
    if not (isinstance(X, list | tuple) or hasattr(X, "shape") or hasattr(X, "__array__")):
        raise EvenOddsError(
            f"X is a {type(X).__name__}: give an array, a frame or a sparse matrix, one row an observation."
        )
    if isinstance(X, list | tuple):
        X = np.asarray(X)
    if isinstance(X, np.matrix):
        raise KindError("np.matrix is not supported: make it an array, with np.asarray.")
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        row, column = np.argwhere(np.ma.getmaskarray(X))[0][[0, -1]]
        raise EvenOddsError(
            f"Input X contains masked values, first in column {column}, row {row} (counted from 0). "
            "Drop or impute such rows before fitting, for example with sklearn.impute.SimpleImputer."
        )
    if isinstance(X, np.ndarray) and X.dtype.kind in "mM":
        raise EvenOddsError(f"X holds dates or durations ({X.dtype}): turn them into numbers first.")
    if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 2:
        return np.array([[_number(value, i, j) for j, value in enumerate(row)] for i, row in enumerate(X)]).reshape(
            X.shape
        )
    return _sound(X) if sp.issparse(X) else X


def _number(value: SupportsFloat, row: int, column: object) -> float:
    """An object as a float, NaN if it is missing."""
    if isinstance(value, _TIMES):
        raise EvenOddsError(
            f"X holds dates or durations, first in column {column!r}, row {row}: make them numbers first."
        )
    try:
        return np.nan if is_missing(value) else float(value)
    except TypeError as error:
        raise KindError(f"X holds {value!r} in column {column!r}, row {row} (counted from 0): {error}.") from None
    except (ValueError, OverflowError) as error:
        raise EvenOddsError(f"X holds a value in column {column!r}, row {row} (counted from 0): {error}.") from None


def _sound(X: CSR) -> Any:
    """A sparse X whose indices are within it, which SciPy does not look at, and of a kind that SciPy computes with."""
    X = X.tocsr() if X.ndim == 2 and X.format not in ("csr", "csc") else X
    if X.ndim != 2:
        return X
    ends, inner = X.indptr, X.shape[X.format == "csr"]
    whole = (
        ends.size == X.shape[X.format == "csc"] + 1 and ends[0] == 0 and ends[-1] <= min(X.indices.size, X.data.size)
    )
    if (
        not whole
        or (ends[1:] < ends[:-1]).any()
        or (X.indices.size and not 0 <= X.indices.min() <= X.indices.max() < inner)
    ):
        raise EvenOddsError(
            "X is not a sound sparse matrix: its indices are not those of rows and columns of its shape."
        )
    if X.indices.dtype == ends.dtype and ends.dtype in (np.int32, np.int64):
        return X
    return type(X)((X.data, X.indices.astype(np.int64), ends.astype(np.int64)), shape=X.shape)


def is_missing(value: object) -> bool:
    """Whether a value is None, NaN or another that equals nothing."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA says neither yes nor no
        return True
    except ValueError:  # an array says both
        return False


def unique_names(frame: IntoDataFrame) -> tuple[nw.DataFrame[IntoDataFrame], list[Any]]:
    """A frame as narwhals has it, and the names of its columns."""
    try:
        table = nw.from_native(frame, eager_only=True)
        return table, list(table.columns)
    except nw.exceptions.DuplicateError as error:
        raise EvenOddsError(f"Names of columns must be unique. {error}") from None


def is_all_numeric(frame: IntoDataFrame) -> bool:
    """Whether a frame, or a table that cannot be read as one, has columns of numbers and booleans only."""
    if _is_plain(frame):
        return True
    table, _ = unique_names(frame)
    return all(_is_numeric(column) for column in table.iter_columns())


def numeric_array(frame: IntoDataFrame) -> tuple[NDArray[Any], list[Any]]:
    """The columns of a frame as one array, and their names; float32 if all are, otherwise numbers become float64.

    Columns of NumPy's kinds are brought over at once; others, and those with missing values, one by one.

    Raises
    ------
    EvenOddsError
        If a column is not numeric or boolean, or has missing values: the message names it.
    """
    table, names = unique_names(frame)
    if len(set(map(type, names))) > 1 and len({isinstance(name, str) for name in names}) > 1:
        one = next(name for name in names if not isinstance(name, str))
        raise KindError(f"Names of columns are strings or none of them is: {one!r} is a {type(one).__name__}.")
    if _is_plain(frame):
        array: NDArray[Any] = table.to_numpy()
        if array.dtype.kind in "biu" or (array.dtype.kind == "f" and not _has_nan(array)):
            return array, names
    return _by_column(table, names), names


def _is_plain(frame: object) -> bool:
    """Whether the columns of a frame of pandas or polars are all of numbers or booleans of NumPy's kinds."""
    if not (nw.dependencies.is_polars_dataframe(frame) or nw.dependencies.is_pandas_dataframe(frame)):
        return False
    some = {type(dtype): dtype for dtype in frame.dtypes}
    return all(map(_is_plain_kind, some.values()))


def _is_plain_kind(dtype: object) -> bool:
    if isinstance(dtype, np.dtype):
        return dtype.kind in "biuf"
    kind = type(dtype)
    return kind.__module__.startswith("polars.") and kind.__name__ in _PLAIN


def _has_nan(array: NDArray[Any]) -> bool:
    """Whether a value is NaN, or infinite ones of both signs look so."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isnan(array.sum()))


def _by_column(table: nw.DataFrame[Any], names: list[Any]) -> NDArray[Any]:
    """The columns of a frame as one array; an error names the one that is not numeric, or has missing values."""
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
    if any(column.dtype in _AS_OBJECTS for _, column in columns):
        return np.column_stack([doubles(values_of(column.to_native()), name) for name, column in columns])
    array: NDArray[Any] = table.to_numpy()
    return array if array.dtype.kind in "biuf" else array.astype(np.float64)


def doubles(values: NDArray[Any], name: str) -> NDArray[np.float64]:
    """A column of numbers as doubles; objects that are missing are NaN."""
    if values.dtype == object:
        return np.array([_number(value, row, name) for row, value in enumerate(values)])
    return values.astype(np.float64)


def values_of(column: _Values) -> NDArray[Any]:
    """A column, or a frame, of another package as an array; values that NumPy has no type for are objects."""
    if str(getattr(column, "dtype", "")) in ("Int128", "UInt128"):  # at whose `to_numpy` older polars panics
        return np.array(list(column), dtype=object)
    arrow = nw.dependencies.get_pyarrow()
    if arrow is not None and isinstance(column, arrow.ChunkedArray) and arrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)  # whose `to_numpy` takes the last of the dictionary for a null
    try:
        return np.asarray(column.to_numpy())
    except Exception as error:  # of a package that need not be installed here
        try:
            return np.array(column.to_pylist() if hasattr(column, "to_pylist") else list(column), dtype=object)
        except Exception:
            raise EvenOddsError(f"A {type(column).__name__} cannot be read: {error}") from error


def _is_numeric(column: nw.Series[Any]) -> bool:
    dtype = column.dtype
    if dtype.is_numeric() or dtype == nw.Boolean:
        return True
    # pandas keeps plain numbers in object columns after some operations, and has kinds that narwhals does not know.
    if dtype not in (nw.Object, nw.Unknown):
        return False
    values = values_of(column.to_native())
    if values.dtype != object:
        return values.dtype.kind in "biuf"
    return all(is_missing(v) or (isinstance(v, _NUMBERS) and not isinstance(v, _TIMES)) for v in values.tolist())
