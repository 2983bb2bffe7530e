"""Arrow batches as blocks of numbers: what each column is for, and every value checked, with its file and row.

A block is a view of the columns of a batch. A thread has one buffer for what is to lie in one piece, and for columns
that are not float64: a block holds until the next batch.
"""

import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..arrays import Array, Mask
from ..exceptions import EvenOddsError
from . import Block
from .apart import Apart
from .groups import Groups
from .units import Source, Unit, kind_of, no_room

_ENTRIES = 1 << 20  # of a block: 8 MB
_ROWS = 1 << 15
_MOST_LABELS = 10_000
_FEW = 256
_DOUBLE = pa.float64()
NUMERIC = ("number", "boolean", "null")  # kinds of columns that are numbers as they are

Ids = NDArray[np.uint32]


@dataclass(frozen=True)
class Roles:
    """Which columns are X, and which stand beside it. Of more than two classes there can be an offset for each.

    groups : of clusters, for who asks for sums by them
    """

    columns: tuple[str, ...]
    target: str | None = None
    weight: str | None = None
    offset: tuple[str, ...] = ()
    groups: str | None = None

    @property
    def every(self) -> list[str]:
        """All columns that are read, each once."""
        beside = [name for name in (self.target, self.weight, self.groups) if name is not None]
        return list(dict.fromkeys([*self.columns, *beside, *self.offset]))

    @property
    def rows(self) -> int:
        """The rows of a block."""
        return most_rows(len(self.columns))


class Encoding(Protocol):
    """How batches become rows that are not their columns as they are, such as by a design.

    reads : the columns that it takes
    names : of the columns that it makes
    entries : that a row has
    drops : whether rows without a value, or without a label, are left out
    centres : whether something may be taken off its numbers, as there is an intercept to make up for it
    """

    @property
    def reads(self) -> Sequence[str]:
        """See above."""

    @property
    def names(self) -> Sequence[str]:
        """See above."""

    @property
    def entries(self) -> int:
        """See above."""

    @property
    def drops(self) -> bool:
        """See above."""

    @property
    def centres(self) -> bool:
        """See above."""

    def rows(self, table: pa.Table, place: Callable[[int], str], left_out: Mask | None) -> tuple[Any, Mask]:
        """The rows of an Arrow table, an array or `Coded`, and which of them have no numbers.

        place : what the user calls a row
        left_out : rows that have none whatever they hold
        """


def most_rows(n_columns: int) -> int:
    """The rows of a block of so many columns."""
    return max(64, min(_ROWS, _ENTRIES // max(n_columns, 1)))


class Labels:
    """The labels that a target holds, numbered as they come; once all are known, another one is an error."""

    def __init__(self, target: str, numbers: Mapping[Any, int] | None = None) -> None:
        """numbers : all that there are, if they are known"""
        self._target, self._lock = target, threading.Lock()
        self.numbers: dict[Any, int] = dict(numbers or {})
        self.complete = numbers is not None

    def ids(self, column: object, where: "Where") -> Ids:
        """The numbers of the labels of a column."""
        values, at = _distinct(column)
        return np.asarray(np.array([self._number(value, where) for value in values], dtype=np.uint32)[at])

    def _number(self, value: object, where: "Where") -> int:
        found = self.numbers.get(value)
        if found is not None:
            return found
        if value != value or value in (np.inf, -np.inf):
            raise EvenOddsError(f"{where.name}: the target {self._target!r} holds {value}. Leave out such rows.")
        if self.complete:
            raise EvenOddsError(
                f"{where.name}: the target {self._target!r} holds {value!r}, which it did not when it was first read."
            )
        with self._lock:
            if len(self.numbers) >= _MOST_LABELS:
                raise EvenOddsError(
                    f"{where.name}: the target {self._target!r} has more than {_MOST_LABELS:,} different values: "
                    "labels are those of a few classes."
                )
            return self.numbers.setdefault(value, len(self.numbers))


def _distinct(column: pa.Array) -> tuple[list[Any], NDArray[Any]]:
    """The values of a column, each once, and the place of each row's among them."""
    kind = column.type
    if len(column) and (pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        values = column.to_numpy(zero_copy_only=False)
        values = values.view(np.uint8) if values.dtype == np.bool_ else values
        low = values.min()
        if int(values.max()) - int(low) < _FEW:  # faster than to hash
            offsets = (values - low).view(f"u{values.itemsize}").astype(np.intp)
            counts = np.bincount(offsets)
            found = (np.flatnonzero(counts) + int(low)).tolist()
            at = offsets if counts.all() else (np.cumsum(counts > 0) - 1)[offsets]
            return list(map(bool, found)) if pa.types.is_boolean(kind) else found, at
    coded = column.dictionary_encode()
    return coded.dictionary.to_pylist(), coded.indices.to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class Where:
    """Where a batch stands: in which file, after which row."""

    name: str
    first: int

    def row(self, k: int) -> str:
        """The place of row k of the batch."""
        return f"row {self.first + k} (counted from 0) of {self.name}"


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """What ends the reading in other threads when this one is stopped, by an error or by Ctrl-C.

    Where there is no memory left that is said as an error of the reading.
    """
    stop = threading.Event()
    try:
        yield stop
    except MemoryError as error:
        stop.set()
        raise no_room(error) from error
    except BaseException:
        stop.set()
        raise


class Reading:
    """Units as blocks, whose y are numbers of labels; see `Labels`."""

    def __init__(self, roles: Roles, labels: Labels | None, encoding: Encoding | None = None) -> None:
        self.roles, self.labels, self.encoding = roles, labels, encoding
        self.names = list(roles.columns if encoding is None else encoding.names)
        self.entries = len(roles.columns) if encoding is None else encoding.entries
        self._drops = encoding is not None and encoding.drops
        self._own = threading.local()

    def blocks(
        self, unit: Unit, stop: threading.Event, keep: Callable[[Any], None] | None = None
    ) -> Iterator[tuple[Block, Mask | None]]:
        """The rows of a unit that have weight, and which of the rows that were read these are; None if all.

        keep : takes each batch before
        """
        row = unit.first
        for batch in unit.batches(self.roles.every, most_rows(self.entries)):
            if stop.is_set():
                return
            if batch.num_rows:
                if keep is not None:
                    keep(batch)
                yield self._block(batch, unit.fixed, Where(unit.name, row))
            row += batch.num_rows

    def _block(self, batch: pa.RecordBatch, fixed: Mapping[str, Any], where: Where) -> tuple[Block, Mask | None]:
        m, roles = batch.num_rows, self.roles
        kept = np.ones(m, dtype=np.bool_)
        labels = None if roles.target is None else decoded(column_of(batch, fixed, roles.target))
        left_out = None
        if self._drops and labels is not None:
            left_out = pc.is_null(labels, nan_is_null=True).to_numpy(zero_copy_only=False)
        if self.encoding is None:
            rows: Any = self._columns(batch, fixed, where)
        else:
            rows, gone = self.encoding.rows(table_of(batch, fixed, self.encoding.reads), where.row, left_out)
            kept &= ~gone

        def beside(name: str) -> Array:
            given = np.full(m, fixed[name]) if name in fixed else _numbers(batch.column(name), name, where)
            return _finite(np.array(given, dtype=np.float64), name, where)

        y = np.zeros(m, dtype=np.uint32) if labels is None else self._ids(labels, where, left_out)
        weight = None if roles.weight is None else _positive(beside(roles.weight), roles.weight, where)
        offset = [beside(name) for name in roles.offset]
        shift = None if not offset else offset[0] if len(offset) == 1 else np.column_stack(offset)
        groups = None if roles.groups is None else groups_of(column_of(batch, fixed, roles.groups), roles.groups, where)
        block = Block(rows, y, weight, shift, groups=groups)
        if weight is not None:
            kept &= weight > 0
        return (block, None) if kept.all() else (block.take(kept), kept)

    def _columns(self, batch: pa.RecordBatch, fixed: Mapping[str, Any], where: Where) -> Apart:
        """The columns where they are, or if they are of several types, those that are not float64 in a buffer."""
        m = batch.num_rows
        given = [fixed[name] if name in fixed else _numbers(batch.column(name), name, where)
                 for name in self.roles.columns]  # fmt: skip
        kinds = {getattr(column, "dtype", None) for column in given}
        if kinds != {np.dtype(np.float32)}:
            for j, column in enumerate(given):
                if getattr(column, "dtype", None) != np.float64:
                    given[j] = self._room(m)[j]
                    given[j][:] = column
        return Apart(given, functools.partial(self._room, m))

    def _ids(self, column: Any, where: Where, left_out: Mask | None) -> Ids:
        """The numbers of the labels; of rows that are left out as they have none, 0."""
        target, labels = self.roles.target, self.labels
        assert target is not None
        assert labels is not None
        if left_out is None:
            require_values(column, target, where)
            return labels.ids(column, where)
        ids = np.zeros(left_out.size, dtype=np.uint32)
        ids[~left_out] = labels.ids(column.filter(pa.array(~left_out)), where)
        return ids

    def _room(self, m: int) -> Array:
        """The buffer of this thread, for m rows: (p, m)."""
        p = len(self.roles.columns)
        flat = getattr(self._own, "flat", None)
        if flat is None or flat.size < p * m:
            self._own.flat = flat = np.empty(p * max(m, most_rows(p)))
        return np.asarray(flat[: p * m].reshape(p, m))


def column_of(batch: pa.RecordBatch, fixed: Mapping[str, Any], name: str) -> Any:
    """A column of a batch, or one that is the same in all rows."""
    return pa.array([fixed[name]] * batch.num_rows) if name in fixed else batch.column(name)


def table_of(batch: object, fixed: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Some columns of a batch as a table."""
    return pa.table([column_of(batch, fixed, name) for name in names], names=list(names))


def require_numbers(source: Source, roles: Roles, encoded: bool = False) -> None:
    """An error where a column that has to be of numbers is not, or the target is of no kind that labels are.

    encoded : whether those of X need be none
    """
    beside = [roles.weight] if roles.weight is not None else []
    for name in (*(() if encoded else roles.columns), *beside, *roles.offset):
        kind = kind_of(source.types[name])
        if kind not in NUMERIC:
            why = "" if source.why_text is None or kind != "text" else f" ({str(source.why_text(name)).rstrip('.')})"
            raise EvenOddsError(
                f"The column {name!r} is not numeric, it holds {kind}{why}: name the columns to read with columns=, or "
                "make it numbers, for example in a query: scan(lambda: connection.sql(query).arrow())."
            )
    kind = "null" if roles.target is None else kind_of(source.types[roles.target])
    if kind not in ("number", "boolean", "text", "null"):
        raise EvenOddsError(
            f"The target {roles.target!r} is of type {kind} in {', '.join(unit.name for unit in source.units[:1])}: "
            "labels are numbers, text (in UTF-8) or booleans."
        )


def decoded(column: pa.Array) -> Any:
    """The values of a column that is held as a dictionary, or as views of text, of which Arrow knows few functions."""
    if pa.types.is_dictionary(column.type):
        values = decoded(column.dictionary)
        return pa.DictionaryArray.from_arrays(column.indices, values).dictionary_decode()
    return column.cast(pa.large_string()) if str(column.type) == "string_view" else column


def _numbers(column: pa.Array, name: str, where: Where) -> NDArray[Any]:
    if column.null_count == 0 and column.type == _DOUBLE:  # most columns, and there can be many in a batch
        values: Array = column.to_numpy()
        return values if values.flags.aligned else values.copy()
    column = decoded(column)
    require_values(column, name, where)
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if kind_of(column.type) not in ("number", "boolean"):
        raise EvenOddsError(f"{where.name}: the column {name!r} is not numeric, it holds {kind_of(column.type)}.")
    return np.require(column.to_numpy(zero_copy_only=False), requirements=["C", "A"])


def require_values(column: pa.Array, name: str, where: Where, *, nan: bool = False) -> None:
    """An error that names the first row without a value in a column.

    nan : whether NaN is none
    """
    if column.null_count or pa.types.is_null(column.type) or (nan and pa.types.is_floating(column.type)):
        missing = pc.is_null(column, nan_is_null=nan).to_numpy(zero_copy_only=False)
        if not missing.any():
            return
        row = int(missing.argmax())
        raise EvenOddsError(
            f"The column {name!r} has a missing value, first in {where.row(row)}. Leave out such rows, or fill "
            "them, for example in a query: scan(lambda: connection.sql(query).arrow())."
        )


def groups_of(column: object, name: str, where: Where) -> Groups:
    """The groups of the rows of a batch."""
    column = decoded(column)
    require_values(column, name, where, nan=True)
    return Groups.numbered(*_distinct(column))


def _finite(values: Array, name: str, where: Where) -> Array:
    bad = ~np.isfinite(values)
    if bad.any():
        raise EvenOddsError(f"The column {name!r} is not finite, first in {where.row(int(bad.argmax()))}.")
    return values


def _positive(values: Array, name: str, where: Where) -> Array:
    if (values < 0).any():
        row = int((values < 0).argmax())
        raise EvenOddsError(f"The weight {name!r} is negative, {values[row]:g}, first in {where.row(row)}.")
    return values
