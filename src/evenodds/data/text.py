"""Delimited text, plain or packed, as units: a file each.

A file that is small is read as a whole, as tables in memory are; of a larger one the first rows say how.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..delimited import Delimited, NotRead, Spelling
from ..delimited.streaming import Stream
from ..exceptions import EvenOddsError
from .units import Batches, Unit

if TYPE_CHECKING:
    from .files import File

_BLOCK = 8 << 20  # bytes that are parsed at a time; a row must fit into it
_TRIES = 1000  # ends of lines, of which one is that of a row
_IN_LINE = re.compile(r"Row #(\d+): ")  # counted from 1


def units_of_text(file: File) -> tuple[Any, list[Unit]]:
    """The schema of a file, and its one unit."""
    with _told(file):
        head, whole = _head(file)
        layout = Stream(head, file.spelling or Spelling())
        schema = layout.schema

    def read(columns: list[str], rows: int) -> Batches:
        with _told(file):
            if whole:
                yield from _delimited(file).table(columns).select(columns).to_batches()
                return
            try:
                with _opened(file) as stream:
                    yield from layout.batches(stream, columns, _BLOCK, threads=True)
            except pa.ArrowInvalid as error:
                raise _bad_line(file, layout, columns) from error

    return schema, [Unit(file.path, 0, None, read, file.fixed, layout.notes, layout.habit)]


def why_text(file: File, name: str) -> EvenOddsError:
    """Why a column is not one of numbers: the value that is none."""
    try:
        _delimited(file).table([name])
    except NotRead as error:
        return _error(file, error)
    return EvenOddsError("it is text")


def _delimited(file: File) -> Delimited:
    return Delimited(_head(file)[0], file.spelling)


def _head(file: File) -> tuple[bytes, bool]:
    """The first bytes of a file up to the end of a row, and whether they are all."""
    with _opened(file) as stream:
        parts, size = [], 0
        while size <= _BLOCK and (part := stream.read(_BLOCK + 1 - size)):
            parts.append(part)
            size += len(part)
    head = b"".join(parts)
    if size <= _BLOCK:
        return head, True
    end = b"\n\x00" if head[1:4:2] == b"\x00\x00" or head[:2] == b"\xff\xfe" else b"\n"
    cut = len(head)
    for _ in range(_TRIES):  # a line may end within quotes
        cut = head.rfind(end, 0, cut)
        if cut < 0 or head.count(b'"', 0, cut) % 2 == 0:
            break
    if cut < 0:
        raise EvenOddsError(f"{file.path} has a row that is longer than {_BLOCK >> 20} MB.")
    return head[: cut + len(end)], False


@contextmanager
def _opened(file: File) -> Iterator[Any]:
    """The bytes of a file, unpacked."""
    packed = pa.Codec.detect(file.path) if not file.path.lower().endswith(".csv") else None
    with file.system.open_input_stream(file.path, compression=packed.name if packed else None) as stream:
        yield stream


@contextmanager
def _told(file: File) -> Iterator[None]:
    """What `delimited` says of a file, with its name."""
    try:
        yield
    except NotRead as error:
        raise _error(file, error) from None


def _error(file: File, error: NotRead) -> EvenOddsError:
    # What mends it in the command line has no place in Python.
    parts = re.split(r"(?<=[.:]) (?=[A-Z])", str(error))
    said = [part for part in parts if "--" not in part] if file.spelling is None else parts
    text = " ".join(said) or str(error)
    return EvenOddsError(f"{file.path} {text.rstrip('.')}.")


def _bad_line(file: File, layout: Stream, columns: list[str]) -> EvenOddsError:
    """The error of a line that cannot be read, with its number, which only one thread by itself knows."""
    text = "it has changed while it was read"
    try:
        with _opened(file) as stream:
            for _ in layout.batches(stream, columns, _BLOCK, threads=False):
                pass
    except (pa.ArrowException, OSError) as error:
        text = " ".join(str(error).split())
    line, column = _IN_LINE.search(text), re.match(r"In CSV column #(\d+): ", text)
    row = f"row {int(line[1]) - 1} (counted from 0), " if line else ""
    name = f"column {layout.dialect.names[int(column[1])]!r}: " if column else ""
    text = re.sub(r"^(In CSV column #\d+: )?(CSV parse error: )?(Row #\d+: )?", "", text)
    return EvenOddsError(f"{file.path} cannot be read: {row}{name}{text.rstrip('.')}.")
