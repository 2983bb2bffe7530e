"""The columns of a frame, whatever package holds it: each is of one kind, and knows where it has no value.

All are read through Arrow, whose encoding of text as codes takes 4 bytes a row.
"""

import datetime
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, SupportsFloat

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from narwhals.typing import IntoDataFrame
from numpy.typing import NDArray

from ..exceptions import EvenOddsError, KindError
from ..naming import known_column
from ..table import doubles, is_missing, unique_names, values_of

Level = str | int | float | bool | None  # of a factor; None stands for a missing value
Codes = NDArray[np.int32]
Place = Callable[[int], str]  # what the user calls a row

WORDS = {
    "number": "numbers",
    "boolean": "booleans",
    "text": "text",
    "date": "dates",
    "nothing": "no values",
}
_TYPES: dict[str, tuple[str, ...]] = {
    "boolean": ("boolean",),
    "number": ("integer", "floating", "decimal"),
    "text": ("string", "large_string", "string_view"),
    "date": ("date", "timestamp"),
    "nothing": ("null",),
}
# Of an index: without a name, and what pandas and Arrow call it when they read it or write it.
_INDEX_NAME = re.compile(r"|Unnamed: \d+(\.\d+)*|__index_level_\d+__", re.ASCII)
_ROW_NAME = re.compile(r"index|level_0|row[._]?names?", re.ASCII | re.IGNORECASE)  # and count all rows
_COUNTED = 0.9  # of the rows of an index have the number after that of the row before
_EXACT = 2**53  # a float that is whole and below this is one whole number


def counted(row: int) -> str:
    """The place of a row of a frame."""
    return f"row {row} (counted from 0)"


@dataclass(frozen=True)
class Column:
    """One column.

    kind : "number", "boolean", "text", "date", or "nothing" where no row has a value
    values : an Arrow array; numbers that Arrow has no type for are doubles
    levels_in_order : the levels as a categorical or an enum orders them; None where it has no order of its own
    categorical : whether it is a categorical or an enum, of whatever kind of levels
    place : what the user calls a row
    """

    name: str
    kind: str
    values: Any
    levels_in_order: tuple[Level, ...] | None = None
    categorical: bool = False
    place: Place = counted

    @cached_property
    def missing(self) -> NDArray[np.bool_]:
        """The rows without a value."""
        return np.asarray(self._coded()[0] < 0 if self.categorical else _missing(self.values))

    def numbers(self) -> NDArray[np.float64]:
        """The values as doubles, NaN where there is none."""
        values = self.values.dictionary_decode() if self.categorical else self.values
        doubles = pc.cast(values, pa.float64(), safe=False).fill_null(math.nan)
        return np.ascontiguousarray(doubles.to_numpy(zero_copy_only=False))

    def codes(self, levels: Sequence[Level]) -> Codes:
        """Each row's place in `levels`: -1 where it has no value, -2 where it has another one."""
        return coded(*self._coded(), levels)

    def levels(self, kept: NDArray[np.bool_] | None = None) -> tuple[Level, ...]:
        """The values of some rows, once each: in the order of the categorical or enum, else sorted."""
        codes, values = self._coded()
        codes = codes if kept is None else codes[kept]
        there = np.bincount(codes[codes >= 0], minlength=len(values)) > 0
        found: set[Any] = {value for value, is_there in zip(values, there, strict=True) if is_there}  # of one kind
        if self.levels_in_order is not None:
            return tuple(value for value in self.levels_in_order if value in found)
        return tuple(sorted(found))

    def value_at(self, row: int) -> Any:
        """The value in a row, for a message."""
        return self.values[row].as_py()

    def _coded(self) -> tuple[Codes, list[Level]]:
        """Codes of the rows, -1 without a value, and what they mean."""
        return self._codes_and_values

    @cached_property
    def _codes_and_values(self) -> tuple[Codes, list[Level]]:
        array = self.values if self.categorical else pc.dictionary_encode(self.values)
        values = [level_of(value) for value in array.dictionary.to_pylist()]
        codes = array.indices.cast(pa.int32()).fill_null(-1).to_numpy(zero_copy_only=False)
        gone = np.array([value is None for value in [*values, None]])
        return np.where(gone[codes], np.int32(-1), codes), values


def coded(codes: Codes, values: Sequence[Level], levels: Sequence[Level]) -> Codes:
    """Codes of `values` as codes of `levels`: -1 where there is no value, -2 where it is none of them."""
    place: dict[Level, int] = {level: k for k, level in enumerate(levels) if level is not None}
    places = [place.get(value, -2) for value in values]
    return np.array([*places, -1], dtype=np.int32)[codes]


def level_of(value: SupportsFloat | None) -> Level:
    """A value as a level: None if it is missing; a number without a fraction is a whole number."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value
    number = float(value)
    if math.isnan(number):
        return None
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


class Table:
    """A frame whose columns are read when they are first asked for.

    place : what the user calls a row

    Raises
    ------
    EvenOddsError
        If names are not unique or no strings, or if it has no rows.
    """

    def __init__(self, frame: IntoDataFrame, place: Place = counted) -> None:
        self.place = place
        self._frame, self.names = unique_names(frame)
        odd = [name for name in self.names if not isinstance(name, str)]
        if odd:
            raise KindError(
                f"Names of columns have to be strings here, as some of these hold text or dates: {odd[0]!r} is a "
                f"{type(odd[0]).__name__}."
            )
        self.n_rows = len(self._frame)
        if self.n_rows == 0:
            raise EvenOddsError("Found a frame without rows: at least one row is required.")
        self._read: dict[str, Column] = {}

    def __len__(self) -> int:
        return self.n_rows

    def column(self, name: str) -> Column:
        """A column by its name; an error says which could have been meant."""
        if name not in self._read:
            known_column(name, self.names)
            self._read[name] = replace(_column(name, self._frame[name]), place=self.place)
        return self._read[name]

    def native(self, name: str) -> Any:
        """A column as the package that holds it has it."""
        known_column(name, self.names)
        return self._frame[name].to_native()

    def of(self, names: list[str]) -> "Table":
        """Some of its columns."""
        return Table(self._frame.select(names).to_native(), self.place)


def _column(name: str, series: nw.Series[Any]) -> Column:
    try:
        array = _plain(series).alias("").to_arrow()  # polars panics at a NUL in a name
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    except UnicodeEncodeError as error:
        raise EvenOddsError(f"Column {name!r} holds text that is not valid Unicode: {error}.") from None
    except Exception:  # of the package that holds it: it has no Arrow type
        return _objects(name, series)
    if isinstance(array, pa.ChunkedArray):  # more text than one array of 32 bits holds
        array = pa.concat_arrays([chunk.cast(pa.large_string()) for chunk in array.chunks])
    categorical, inner, kind = kind_of(array.type)
    if kind == "date" and pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if series.dtype in (nw.Decimal, nw.Object, nw.Unknown) and kind == "number":
        return Column(name, kind, pa.array(doubles(values_of(series.to_native()), name), from_pandas=True))
    if kind is None:
        raise no_kind(name, inner)
    if pa.types.is_string_view(array.type):
        array = array.cast(pa.large_string())
    return Column(name, kind, array, _order(series, array) if categorical else None, categorical)


def _plain(series: nw.Series[Any]) -> nw.Series[Any]:
    """A column in which intervals, as `pandas.cut` makes them, are text: their levels stay in order."""
    native: Any = series.to_native()
    categories: Any = getattr(getattr(native, "dtype", None), "categories", None)
    if not str(getattr(categories, "dtype", "")).startswith("interval"):
        return series
    text: Any = native.cat.rename_categories(categories.astype(str))
    return nw.from_native(text, series_only=True)


def kind_of(of: pa.DataType) -> tuple[bool, Any, str | None]:
    """Of an Arrow type whether it is a categorical, the type of its values, and their kind; None if it is no kind.

    Dates are dates, whichever way they are held: what a model takes of them is parts.
    """
    categorical = pa.types.is_dictionary(of)
    inner = of.value_type if categorical else of
    kind = next((kind for kind, names in _TYPES.items() if any(_is(inner, n) for n in names)), None)
    return categorical and kind != "date", inner, kind


def _is(kind: object, name: str) -> bool:
    return bool(getattr(pa.types, f"is_{name}")(kind))


def no_kind(name: str, of: object) -> EvenOddsError:
    """The error of a column of a type that a model does not take."""
    return EvenOddsError(
        f"Column {name!r} is of type {of}: a model takes numbers, booleans, text, categoricals and parts of "
        "dates. Leave it out, or make one of these of it."
    )


def empty_error(name: str) -> EvenOddsError:
    """The error of a column that says nothing."""
    return EvenOddsError(f"Column {name!r} has no value in any row. Leave it out.")


def missing_error(name: str, missing: NDArray[np.bool_], policy: str, column: Column) -> EvenOddsError:
    """A value is missing where none may be."""
    count, row = np.count_nonzero(missing), int(missing.argmax())
    what = "a missing value" if count == 1 or column.place is not counted else f"{count:,} missing values"
    if not column.missing[row]:
        return EvenOddsError(
            f"Column {name!r} holds {column.value_at(row)!r} in {column.place(row)}, which the fit has not seen "
            "and takes for missing; and it has no coefficient for missing values of this column. Leave such rows out."
        )
    if policy == "indicator":
        return EvenOddsError(
            f"Column {name!r} has {what}, first in {column.place(row)}: in the fit none was "
            "missing, so that the model has no coefficient for it. Leave such rows out, or fill them in."
        )
    return EvenOddsError(
        f"Column {name!r} has {what}, first in {column.place(row)}. Fill such values in, or fit "
        'with missing="drop", which leaves the rows out, or missing="indicator", which gives them a coefficient.'
    )


def _order(series: nw.Series[Any], array: pa.DictionaryArray) -> tuple[Level, ...] | None:
    """The order of a categorical's levels, if somebody chose it: pandas keeps one, polars only in enums."""
    if series.implementation.is_pandas_like() or series.dtype == nw.Enum or array.type.ordered:
        return tuple(level_of(value) for value in array.dictionary.to_pylist())
    return None


def _objects(name: str, series: nw.Series[Any]) -> Column:
    """A column of Python's objects that Arrow cannot hold as one type."""
    values = values_of(series.to_native()).tolist()
    first: dict[str, tuple[int, Any]] = {}
    for row, value in enumerate(values):
        if not is_missing(value):
            first.setdefault(_kind_of(value), (row, value))
    if set(first) == {"number"}:
        return Column(name, "number", pa.array(doubles(np.array(values, dtype=object), name), from_pandas=True))
    if len(first) < 2:
        raise EvenOddsError(
            f"Column {name!r} cannot be read: it holds {next(iter(first), 'nothing')!r} values. Make numbers or text "
            "of them, or leave it out."
        )
    (_, (row, one)), (_, (other_row, other)), *_ = first.items()
    raise KindError(
        f"Column {name!r} mixes {one!r}, a {type(one).__name__} in row {row}, with {other!r}, a "
        f"{type(other).__name__} in row {other_row} (counted from 0): make all of it text, or all of it numbers."
    )


def _kind_of(value: SupportsFloat) -> str:
    if isinstance(value, bool | np.bool_):
        return "boolean"
    if isinstance(value, str):
        return "text"
    if isinstance(value, datetime.date | np.datetime64):
        return "date"
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return type(value).__name__
    return "number"


def _missing(values: pa.Array) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = values.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    return found


def without_values(column: Column) -> Column:
    """A column as one that has no value in any row, of whatever type it is."""
    return Column(column.name, "nothing", pa.nulls(len(column.values)), place=column.place)


def is_index(table: Table, name: str) -> bool:
    """Whether a column is the index of a data frame that was saved with it: by its name, and as it tells rows apart."""
    plain = _INDEX_NAME.fullmatch(name) is not None
    if not plain and not _ROW_NAME.fullmatch(name):
        return False
    column = table.column(name)
    if column.missing.any():
        return False
    values = column.levels()
    if not plain:
        numbers = column.numbers() if column.kind == "number" else np.array([np.nan])
        return numbers[0] in (0, 1) and bool((np.diff(numbers) == 1).all())
    if len(values) == table.n_rows:
        return column.kind != "number" or all(isinstance(value, int) for value in values)
    steps = np.diff(column.numbers()) if column.kind == "number" else np.empty(0)
    return bool(np.count_nonzero(steps == 1) >= _COUNTED * steps.size > 0)  # of several frames, one below the other
