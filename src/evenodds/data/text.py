"""CSV, plain or packed, as units: a file each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import csv

from ..exceptions import EvenOddsError
from .units import Batches, Unit

if TYPE_CHECKING:
    from .files import File

_TEXT_BLOCK = 8 << 20  # bytes of a CSV parsed at a time; a row must fit into it
_IN_LINE = re.compile(r"Row #(\d+): ")  # of a CSV, its header is the first


def units_of_text(file: File) -> tuple[Any, list[Unit]]:
    """The schema of a file, and its one unit."""
    try:
        with _text(file, {}, None, threads=False) as reader:
            schema = reader.schema
    except pa.ArrowInvalid as error:
        raise bad_line(file, {}, None) from error
    # What the first block shows: whole numbers may be followed by others, and a column without a value is any.
    as_read = dict(zip(schema.names, schema.types, strict=True))

    def read(columns: list[str], rows: int) -> Batches:
        types = {name: _type_to_parse(as_read[name]) for name in columns}
        try:
            with _text(file, types, columns) as reader:
                yield from reader
        except pa.ArrowInvalid as error:
            raise bad_line(file, types, columns) from error

    return schema, [Unit(file.path, 0, None, read, file.fixed)]


def _type_to_parse(kind: Any) -> Any:
    return pa.float64() if pa.types.is_integer(kind) or pa.types.is_null(kind) else kind


def _text(file: File, types: Mapping[str, Any], columns: list[str] | None, *, threads: bool = True) -> Any:
    """A reader of a CSV, packed or not."""
    packed = pa.Codec.detect(file.path) if not file.path.lower().endswith(".csv") else None
    source = file.system.open_input_stream(file.path, compression=packed.name if packed else None)
    return csv.open_csv(
        source,
        read_options=csv.ReadOptions(block_size=_TEXT_BLOCK, use_threads=threads),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(column_types=dict(types), include_columns=columns, strings_can_be_null=True),
    )


def bad_line(file: File, types: Mapping[str, Any], columns: list[str] | None) -> EvenOddsError:
    """The error of a line that cannot be read, with its number, which only one thread by itself knows."""
    text = "it has changed while it was read"
    try:
        with _text(file, types, columns, threads=False) as reader:
            for _ in reader:
                pass
    except (pa.ArrowException, OSError) as error:
        text = " ".join(str(error).split())
    line, column = _IN_LINE.search(text), re.match(r"In CSV column #(\d+): ", text)
    row = f"row {int(line[1]) - 2} (counted from 0), " if line else ""
    name = f"column {_header(file)[int(column[1])]!r}: " if column else ""
    text = re.sub(r"^(In CSV column #\d+: )?(CSV parse error: )?(Row #\d+: )?", "", text)
    return EvenOddsError(f"{file.path} cannot be read: {row}{name}{text.rstrip('.')}.")


def _header(file: File) -> list[str]:
    """The names of the columns of a CSV, whose first block has been read."""
    with _text(file, {}, None) as reader:
        return list(reader.schema.names)
