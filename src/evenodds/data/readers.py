"""Whatever gives Arrow batches as often as it is asked, as one unit: tables, relations, functions that make them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeGuard

import pyarrow as pa

from ..exceptions import EvenOddsError
from .units import Source, Unit, other_rows, unreadable

if TYPE_CHECKING:
    from polars import LazyFrame

_TAKES = (
    "scan takes a file, a folder, a pattern, a list of these, a table with __arrow_c_stream__ (such as a frame of "
    "polars or a relation of DuckDB), or a function without arguments that gives one, or a reader, anew each time"
)


def of_reader(what: object) -> Source:
    """The one unit of a table, or of a function that gives Arrow batches."""
    if _is_used_up(what):
        raise EvenOddsError(
            "A reader gives its batches only once, and a fit reads them several times: give a function that makes a "
            "fresh one, such as scan(lambda: connection.sql(query).arrow())."
        )
    if not (callable(what) or _is_lazy(what) or hasattr(what, "__arrow_c_stream__")):
        raise EvenOddsError(f"{_TAKES}; got a {type(what).__name__}.")
    make = what if callable(what) and not (_is_lazy(what) or hasattr(what, "__arrow_c_stream__")) else None
    name = f"The {type(what).__name__}" if make is None else "What the function gives"

    def ask() -> Any:
        return _reader(what if make is None else make(), name)

    with _told(name), ask() as reader:
        schema = reader.schema
    twice = sorted({column for column in schema.names if schema.names.count(column) > 1})
    if twice:
        raise EvenOddsError(f"{name} has the column {twice[0]!r} more than once: give every column its own name.")

    counts: list[int] = []  # of the rows of the first read, which all others have to have

    def read(columns: list[str], rows: int) -> Iterator[Any]:
        count = 0
        with _told(name), ask() as reader:
            missing = [column for column in columns if column not in reader.schema.names]
            if missing:
                raise EvenOddsError(f"{name} has no column {missing[0]!r} any more.")
            for batch in reader:
                yield batch.select(columns)
                count += batch.num_rows
        counts.append(count)
        if count != counts[0]:
            raise other_rows(name, count, counts[0])

    return Source((Unit(name, 0, None, read),), dict(zip(schema.names, schema.types, strict=True)))


def _is_used_up(what: object) -> bool:
    return isinstance(what, pa.RecordBatchReader) or (hasattr(what, "__next__") and not callable(what))


def _is_lazy(what: object) -> "TypeGuard[LazyFrame]":
    """Whether it is a lazy frame of polars, which is asked for its batches."""
    return hasattr(what, "collect_schema") and hasattr(what, "collect") and not hasattr(what, "__arrow_c_stream__")


def _reader(given: object, name: str) -> Any:
    """A RecordBatchReader of what was given."""
    if isinstance(given, pa.RecordBatchReader):
        return given
    if isinstance(given, pa.Table):  # of its views of text older Arrow makes a stream that it cannot read
        return given.to_reader()
    if _is_lazy(given):
        if not hasattr(given, "collect_batches"):  # older polars makes the whole frame
            return pa.RecordBatchReader.from_stream(given.collect())
        schema = pa.RecordBatchReader.from_stream(given.head(0).collect()).schema
        frames = given.collect_batches(maintain_order=True)
        batches = (batch for frame in frames for batch in pa.RecordBatchReader.from_stream(frame, schema))
        return pa.RecordBatchReader.from_batches(schema, batches)
    if type(given).__name__ == "DuckDBPyRelation" and hasattr(given, "project"):
        given = given.project("*")  # an older one is read only once, what is made of it anew each time
    if hasattr(given, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(given)
    raise EvenOddsError(f"{name} is a {type(given).__name__}, which gives no Arrow batches. {_TAKES}.")


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What goes wrong in another library is told of its reader, in its own words."""
    try:
        yield
    except EvenOddsError:
        raise
    except Exception as error:
        raise unreadable(name, error) from error
