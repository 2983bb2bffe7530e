"""Files, and whatever gives Arrow batches, as units: parts of the rows that are read one by one, in an order.

A unit is a row group of Parquet, a record batch of an Arrow file, a text file, an Arrow stream, or all that a reader
gives. Sums are taken unit by unit, in this order, so that they have the same bits whoever reads which.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import pyarrow as pa
from pyarrow import fs

from ..delimited import Habit, Spelling
from ..exceptions import EvenOddsError
from .elsewhere import is_dask, is_spark

T = TypeVar("T")
Batches = Iterator[Any]
Stamp = tuple[str, int, int]  # path, bytes, time of the last change


@dataclass(frozen=True)
class Unit:
    """Some rows that follow one another.

    name : the file, for errors
    first : the number of the first row in it
    n_rows : None where it shows in the reading only
    open : the batches, from the columns that are wanted and the most rows of a batch
    fixed : columns that are the same in all rows: parts of the path
    notes : what was decided of text that somebody might have decided otherwise
    habit : how text is written
    """

    name: str
    first: int
    n_rows: int | None
    open: Callable[..., Batches]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    habit: Habit | None = None

    def batches(self, columns: Sequence[str], rows: int) -> Batches:
        """The batches of some columns, each of at most so many rows; what goes wrong is told of this unit."""
        wanted, row = [name for name in columns if name not in self.fixed], self.first
        try:
            for batch in self.open(wanted, rows):
                for start in range(0, batch.num_rows, rows):
                    yield batch.slice(start, rows)
                row += batch.num_rows
        except EvenOddsError:
            raise
        except (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError) as error:
            raise unreadable(self.name, error, row) from error


class Cluster(Protocol):
    """Where the partitions of a table are, and what has functions of them computed there."""

    def run(
        self,
        work: Callable[[int, Unit], T],
        columns: Sequence[str],
        add: Callable[[list[T]], T],
        numbers: Sequence[int] | None = None,
    ) -> T:
        """What a function makes of partitions, by number, added up as `folding.in_a_tree` does.

        It holds what it computes with, and no home; the unit holds for as long as it runs.

        numbers : of the partitions, rising; None for all
        """


@dataclass(frozen=True)
class Source:
    """The units of all that is to be read, and what their columns are.

    types : of the columns, by name; of several files those of the first
    parsed : whether reading takes the parsing of text
    stamps : of the files, which tell whether they are still what they were
    why_text : of a column that is text where numbers are needed, which value is none
    cluster : where the rows are, if not here; the units then bring them
    nameless : an X without rows where the columns have no names, or others than text
    """

    units: tuple[Unit, ...]
    types: Mapping[str, Any]
    parsed: bool = False
    stamps: tuple[Stamp, ...] = ()
    system: Any = None
    why_text: Callable[[str], EvenOddsError] | None = None
    cluster: Cluster | None = None
    nameless: Any = None

    def require_unchanged(self) -> None:
        """An error if a file is no longer what it was."""
        for stamp in self.stamps:
            if stamp != stamp_of(self.system, stamp[0]):
                raise EvenOddsError(
                    f"{stamp[0]} has changed since it was first read. Scan it again, when nothing writes to it."
                )


def unreadable(name: str, error: BaseException, row: int | None = None) -> EvenOddsError:
    """The error of a file or reader that cannot be read."""
    after = f" after row {row - 1} (counted from 0)" if row else ""
    text = " ".join(str(error).split()) or type(error).__name__
    return EvenOddsError(f"{name} cannot be read{after}: {text.rstrip('.')}.")


def other_rows(name: str, count: int, before: int) -> EvenOddsError:
    """The error of a read that gave another number of rows than the first one."""
    return EvenOddsError(
        f"{name} gave {count:,} rows, and {before:,} when it was first read. It has to give the same rows, in the same "
        "order, each time that it is asked."
    )


def no_room(error: BaseException) -> EvenOddsError:
    """The error of a read that has no memory left."""
    return EvenOddsError(
        f"There is no memory left to read the rows: {str(error).rstrip('.')}. Let the process have more, or fewer "
        "threads (n_jobs=1)."
    )


def source_of(what: object, columns: Sequence[str] | None, spelling: Spelling | None = None) -> Source:
    """The units of a file, a folder, a pattern, a list of these, or of a function that gives Arrow batches.

    columns : those that are read; all if None
    spelling : what its user says of delimited text; None if he can say nothing
    """
    if isinstance(what, str | os.PathLike) or (isinstance(what, Sequence) and not hasattr(what, "__arrow_c_stream__")):
        from .files import of_files

        return of_files(what, columns, spelling)
    if is_dask(what):
        from .dask import source_of_frame

        return source_of_frame(what)
    if is_spark(what):
        from .spark import source_of_frame as source_of_spark

        return source_of_spark(what)
    from .readers import of_reader

    return of_reader(what)


def is_integer(kind: pa.DataType) -> bool:
    """Whether an Arrow type is of whole numbers."""
    return bool(pa.types.is_integer(kind.value_type if pa.types.is_dictionary(kind) else kind))


def kind_of(kind: pa.DataType) -> str:
    """What values of an Arrow type are: "number", "boolean", "text" or the name of the type."""
    types = pa.types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_boolean(kind):
        return "boolean"
    text = types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view"
    return "text" if text else str(kind)


def is_read(kind: object) -> bool:
    """Whether columns of an Arrow type can be numbers, factors or dates."""
    return (
        kind_of(kind) in ("number", "boolean", "text", "null") or pa.types.is_date(kind) or pa.types.is_timestamp(kind)
    )


def stamp_of(system: fs.FileSystem, path: str) -> Stamp:
    """What tells whether a file is still what it was."""
    info = system.get_file_info(path)
    return path, info.size or 0, info.mtime_ns or 0
