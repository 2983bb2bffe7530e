"""Tables in files: CSV, Parquet and Arrow, read and written through pyarrow; the extension says which."""

import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .advice import listed, nearest
from .exceptions import EvenOddsError
from .export import replacing

FORMATS = (".csv", ".csv.gz", ".parquet", ".feather", ".arrow")
_BLOCK = 8 << 20  # bytes of a CSV parsed at a time; a row must fit into it
_ROWS = 1 << 16  # rows of a CSV written at a time


def format_of(path: Path) -> str:
    """The extension, if it is one of `FORMATS`."""
    for suffix in FORMATS:
        if path.name.lower().endswith(suffix):
            return suffix
    raise EvenOddsError(f"{path}: the extension is not one of {', '.join(FORMATS)}.")


def read_table(
    path: Path, columns: list[str] | None = None, *, verbatim: bool = False, text: Sequence[str] = ()
) -> Any:
    """A pyarrow table of a file. `verbatim` keeps each cell of a CSV as its text.

    text : columns of a CSV that are read as text, also if all of their values look like numbers
    """
    import pyarrow as pa

    suffix = format_of(path)
    if not path.is_file():
        raise EvenOddsError(f"{path}: no such file.")
    try:
        if suffix == ".parquet":
            from pyarrow import parquet

            with parquet.ParquetFile(path) as file:
                table = file.read()
        elif suffix in (".feather", ".arrow"):
            with pa.memory_map(str(path)) as file:
                table = pa.ipc.open_file(file).read_all()
        else:
            table = _read_csv(path, columns, verbatim, text)
        names = Counter(table.column_names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise EvenOddsError(f"{path} cannot be read: {error}") from error
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        raise EvenOddsError(f"{path} has {listed(twice)} more than once: give every column its own name.")
    if table.num_rows == 0:
        raise EvenOddsError(f"{path} has no rows.")
    return table


def _read_csv(path: Path, columns: list[str] | None, verbatim: bool, text: Sequence[str]) -> Any:
    import pyarrow as pa
    from pyarrow import csv as pa_csv

    read, parse = pa_csv.ReadOptions(block_size=_BLOCK), pa_csv.ParseOptions(newlines_in_values=True)
    if verbatim:
        with pa_csv.open_csv(path, read_options=read, parse_options=parse) as reader:
            types = dict.fromkeys(reader.schema.names, pa.string())
        convert = pa_csv.ConvertOptions(column_types=types)
    else:
        types = dict.fromkeys(text, pa.string())
        convert = pa_csv.ConvertOptions(include_columns=columns, strings_can_be_null=True, column_types=types)
    return pa_csv.read_csv(path, read_options=read, parse_options=parse, convert_options=convert)


def require_columns(names: Sequence[str], columns: Sequence[str], path: Path) -> None:
    """Every name is a column, or the error says which could have been meant."""
    known = set(columns)
    missing = [name for name in names if name not in known]
    if missing:
        hint = nearest(missing[0], columns, f"It has {'column' if len(columns) == 1 else 'columns'}")
        if len(columns) == 1 and (";" in columns[0] or "\t" in columns[0]):
            hint += " The columns of a CSV file have to be separated by commas."
        raise EvenOddsError(f"{path} has no {listed(missing)}. {hint}")


def require_named(table: Any, path: Path) -> None:
    """An error for a column that nobody gave a name."""
    index = [name for name in table.column_names if name == "" or name.startswith("__index_level_")]
    if index:
        raise EvenOddsError(
            f"{path}: {listed(index)} looks like the index of a data frame that was saved as a column. "
            f'Leave it out with --drop "{index[0]}", or give it a name.'
        )


def numbers(table: Any, path: Path, remedy: str) -> Any:
    """The table, if its columns are numbers or booleans."""
    import pyarrow as pa

    numeric = ("integer", "floating", "decimal", "boolean", "null")
    other = [field.name for field in table.schema if not _is(field.type, *numeric)]
    if other:
        raise EvenOddsError(f"{path}: {listed(other)} {'is' if len(other) == 1 else 'are'} not numeric. {remedy}")
    # A column without any value has no type either; as numbers it is a column of missing ones.
    types = [pa.float64() if _is(field.type, "null") else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, types, strict=True))))


def with_labels(table: Any, path: Path, target: str) -> Any:
    """The table with its target as numbers, booleans or strings."""
    import pyarrow as pa

    place, column = table.column_names.index(target), table[target]
    kind = column.type
    if _is(kind, "dictionary"):
        kind = kind.value_type
    elif _is(kind, "decimal"):
        kind = pa.float64()
    if not _is(kind, "integer", "floating", "boolean", "string", "large_string"):
        raise EvenOddsError(f"{path}: the target {target!r} has type {kind}; labels are numbers, booleans or text.")
    return table.set_column(place, target, column.cast(kind))


def _is(kind: Any, *names: str) -> bool:
    """Whether an Arrow type is of one of the kinds that pyarrow calls by these names."""
    import pyarrow as pa

    return any(getattr(pa.types, f"is_{name}")(kind) for name in names)


def write_table(table: Any, path: Path) -> None:
    """Write a file in the format of its extension."""
    import pyarrow as pa

    suffix = format_of(path)
    try:
        with replacing(path) as file:
            if suffix == ".parquet":
                from pyarrow import parquet

                parquet.write_table(table, file)
            elif suffix in (".feather", ".arrow"):
                with pa.ipc.new_file(file, table.schema) as writer:
                    writer.write_table(table)
            elif suffix == ".csv.gz":
                with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
                    write_csv(table, packed)
            else:
                write_csv(table, file)
    except pa.ArrowException as error:
        raise EvenOddsError(f"{path} cannot be written: {error}") from error


def write_csv(table: Any, file: Any) -> None:
    """Write CSV, with quotes only around the cells that need them."""
    import pyarrow as pa
    from pyarrow import csv as pa_csv

    options = pa_csv.WriteOptions(include_header=False, quoting_style="none")
    file.write(_quoted([table.column_names]))
    for batch in table.to_batches(max_chunksize=_ROWS):
        buffer = io.BytesIO()
        try:
            pa_csv.write_csv(batch, buffer, options)
            rows = buffer.getvalue()
        except pa.ArrowInvalid:
            # A cell needs quotes. pyarrow would put them around every text, and kept numbers are text too.
            rows = _quoted(zip(*(column.cast(pa.string()).to_pylist() for column in batch.columns), strict=True))
        file.write(rows)


def _quoted(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
