"""Tables in files, read and written by their extension: delimited text, such as CSV; Parquet; Arrow.

Text is read by `delimited`, the others through pyarrow. Of standard input the first bytes say what it is.
"""

import csv
import gzip
import io
import mmap
import os
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from .delimited import NO_HEADER, Delimited, Habit, NotRead, Spelling, is_number
from .design import Table, is_index
from .exceptions import EvenOddsError
from .export import replacing
from .naming import listed, nearest

if TYPE_CHECKING:
    import pyarrow as pa

_TEXTS = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data")
_ARROW = (".feather", ".arrow")
FORMATS = (*_TEXTS, *(f"{suffix}.gz" for suffix in _TEXTS), ".parquet", *_ARROW)
_MAGIC = ((b"PAR1", ".parquet"), (b"ARROW1", ".arrow"), (b"\x1f\x8b", ".csv.gz"))
# What is given for a text file, and is none, by its first bytes in small letters.
_OTHERS = {
    b"pk\x03\x04": "a spreadsheet or a ZIP archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet or a document of Office",
    b"%pdf-": "a PDF",
    b"sqlite format 3\0": "a database of SQLite",
    b"<!doctype": "a page of HTML",
    b"<html": "a page of HTML",
    b"bzh91ay&sy": "packed by bzip2",
    b"\xfd7zxz": "packed by xz",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
}
STANDARD = Path("-")  # input or output
_ROWS = 1 << 16  # rows of a CSV written at a time


def format_of(path: Path) -> str:
    """The extension, if it is one of `FORMATS`."""
    found = [suffix for suffix in FORMATS if path.name.lower().endswith(suffix)]
    if not found:
        extra = " Save the sheet as CSV." if path.suffix.lower() in (".xlsx", ".xls", ".ods") else ""
        raise EvenOddsError(f"{path}: the extension is not one of {', '.join(FORMATS)}.{extra}")
    return max(found, key=len)


def is_text(path: Path) -> bool:
    """Whether a file is delimited text by its extension, as standard output is."""
    return path == STANDARD or format_of(path).startswith(_TEXTS)


class Source:
    """A table in a file, whose columns are read as they are asked for.

    Attributes
    ----------
    path : where it is, for messages
    names : of its columns
    text : whether it is delimited text
    """

    def __init__(self, path: Path, spelling: Spelling | None = None) -> None:
        """
        path : of the file, or "-" for standard input
        spelling : what the user says of delimited text
        """
        import pyarrow as pa

        self.path: Path | str = "standard input" if path == STANDARD else path
        self._table: Any = None
        try:
            raw, suffix = _bytes(path)
            self.text = suffix.startswith(_TEXTS)
            if self.text:
                self._delimited = Delimited(raw, spelling)
                self.names: list[str] = self._delimited.names
            else:
                self._table = _binary(raw, suffix)
                self.names = self._table.column_names
        except NotRead as error:
            raise EvenOddsError(f"{self.path} {error}") from None
        except (pa.ArrowException, OSError, EOFError, zlib.error, UnicodeDecodeError, UnicodeEncodeError) as error:
            raise EvenOddsError(f"{self.path} cannot be read: {error}") from error

    @property
    def notes(self) -> list[str]:
        """What was decided of delimited text, in words."""
        return [f"{self.path}: {note}" for note in self._delimited.notes] if self.text else []

    @property
    def habit(self) -> Habit | None:
        """How delimited text is written, once its columns are read."""
        return self._delimited.habit if self.text else None

    def table(self, wanted: Sequence[str] | None = None, needed: Sequence[str] | None = None) -> Any:
        """A pyarrow table of some columns, or of all.

        needed : those that have to be read in one way; of others text that can be read in two ways stays text
        """
        return self._checked(self.names if wanted is None else wanted, needed, verbatim=False)

    def verbatim(self) -> Any:
        """A pyarrow table of all columns; of delimited text each cell as it is written."""
        return self._checked(self.names, None, verbatim=True)

    def _checked(self, wanted: Sequence[str], needed: Sequence[str] | None, verbatim: bool) -> Any:
        there = Counter(self.names)
        twice = [name for name in dict.fromkeys(wanted) if there[name] > 1]
        if twice:
            hint = f" {NO_HEADER}" if self.text else ""
            raise EvenOddsError(
                f"{self.path} has {listed(twice)} more than once: give every column its own name.{hint}"
            )
        try:
            if not self.text:
                table = self._table.select([name for name in self.names if name in set(wanted)])
            else:
                table = self._delimited.verbatim() if verbatim else self._delimited.table(wanted, needed)
        except NotRead as error:
            raise EvenOddsError(f"{self.path} {error}") from None
        if table.num_rows == 0:
            raise EvenOddsError(f"{self.path} has no rows.")
        return table


def _bytes(path: Path) -> tuple[Any, str]:
    """What is in a file, and its format; what is no ordinary file is known by its first bytes."""
    if path == STANDARD:
        raw: Any = sys.stdin.buffer.read()
        suffix = ""
    elif path.is_file() or not path.exists():
        suffix = format_of(path)
        if not path.is_file():
            raise EvenOddsError(f"{path}: no such file.")
        raw = _mapped(path)
    elif path.is_dir():
        raise EvenOddsError(f"{path} is a folder, not a file with a table.")
    else:
        raw, suffix = path.read_bytes(), ""  # a pipe
    if suffix in ("", *_TEXTS):
        suffix = next((kind for magic, kind in _MAGIC if raw[: len(magic)] == magic), suffix or ".csv")
    raw = gzip.decompress(raw) if suffix.endswith(".gz") else raw
    if suffix.startswith(_TEXTS):
        start = raw[:16].lower()
        for magic, what in _OTHERS.items():
            if start.startswith(magic):
                raise NotRead(f"is {what}, and no table in text. Save its table as CSV.")
    return raw, suffix


def _mapped(path: Path) -> Any:
    if os.name == "nt":  # where a file that is mapped cannot be replaced
        return path.read_bytes()
    with path.open("rb") as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # it is empty
            return b""


def _binary(raw: object, suffix: str) -> Any:
    import pyarrow as pa

    if suffix == ".parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(pa.BufferReader(raw)) as file:
            return file.read()
    return pa.ipc.open_file(pa.BufferReader(raw)).read_all()


def require_columns(names: Sequence[str], columns: Sequence[str], path: Path | str) -> None:
    """Every name is a column, or the error says which could have been meant."""
    known = set(columns)
    missing = [name for name in names if name not in known]
    if missing:
        hint = nearest(missing[0], columns, f"It has {'column' if len(columns) == 1 else 'columns'}")
        if len(columns) == 1 and any(not letter.isalnum() for letter in columns[0]):
            hint += " If that is more than one column, say what is between its cells with --separator."
        if sum(map(is_number, columns)) * 4 >= len(columns) and not str(path).endswith((".parquet", *_ARROW)):
            hint += f" {NO_HEADER}"
        raise EvenOddsError(f"{path} has no {listed(missing)}. {hint}")


def require_named(table: "pa.Table", path: Path | str) -> None:
    """An error for a column that nobody gave a name, unless it is the index of a data frame, which no fit takes."""
    if "" in table.column_names and not is_index(Table(table), ""):
        place = table.column_names.index("")
        raise EvenOddsError(
            f"{path}: column {place} (counted from 0) has no name, and holds {table[''][0].as_py()!r} in row 0. Give "
            'it a name in the header, or leave it out with --drop "".'
        )


def numbers(table: "pa.Table", path: Path | str, remedy: str) -> Any:
    """The table, if its columns are numbers or booleans."""
    import pyarrow as pa

    numeric = ("integer", "floating", "decimal", "boolean", "null")
    other = [field.name for field in table.schema if not _is(field.type, *numeric)]
    if other:
        raise EvenOddsError(f"{path}: {listed(other)} {'is' if len(other) == 1 else 'are'} not numeric. {remedy}")
    # A column without any value has no type either; as numbers it is a column of missing ones.
    types = [pa.float64() if _is(field.type, "null") else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, types, strict=True))))


def with_labels(table: "pa.Table", path: Path | str, target: str) -> Any:
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


def _is(kind: object, *names: str) -> bool:
    """Whether an Arrow type is of one of the kinds that pyarrow calls by these names."""
    import pyarrow as pa

    return any(getattr(pa.types, f"is_{name}")(kind) for name in names)


def write_table(table: object, path: Path) -> None:
    """Write a file in the format of its extension; text is UTF-8, with commas, or tabs in .tsv and .tab."""
    write_tables([table], path)


def write_tables(tables: Iterable[Any], path: Path) -> None:
    """Write tables of the same columns one after another, as `write_table` one."""
    import pyarrow as pa

    suffix = format_of(path)
    try:
        with replacing(path) as file:
            if suffix == ".parquet" or suffix in _ARROW:
                _write_binary(tables, file, suffix)
                return
            separator = "\t" if suffix.startswith((".tsv", ".tab")) else ","
            if suffix.endswith(".gz"):
                with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
                    write_csvs(tables, packed, separator)
            else:
                write_csvs(tables, file, separator)
    except pa.ArrowException as error:
        raise EvenOddsError(f"{path} cannot be written: {error}") from error


def _write_binary(tables: Iterable["pa.Table"], file: IO[bytes] | gzip.GzipFile, suffix: str) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    writer: Any = None
    try:
        for table in tables:
            if writer is None:
                made = parquet.ParquetWriter if suffix == ".parquet" else pa.ipc.new_file
                writer = made(file, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def write_csvs(tables: Iterable["pa.Table"], file: IO[bytes] | gzip.GzipFile, separator: str = ",") -> None:
    """Write tables of the same columns as one CSV."""
    for k, table in enumerate(tables):
        write_csv(table, file, separator, header=k == 0)


def write_csv(table: "pa.Table", file: IO[bytes] | gzip.GzipFile, separator: str = ",", header: bool = True) -> None:
    """Write CSV, with quotes only around the cells that need them."""
    import pyarrow as pa
    from pyarrow import csv as pa_csv

    options = pa_csv.WriteOptions(include_header=False, quoting_style="none", delimiter=separator)
    if header:
        file.write(_quoted([table.column_names], separator))
    for batch in table.to_batches(max_chunksize=_ROWS):
        buffer = io.BytesIO()
        try:
            pa_csv.write_csv(batch, buffer, options)
            rows = buffer.getvalue()
        except pa.ArrowInvalid:
            # A cell needs quotes. pyarrow would put them around every text, and kept numbers are text too.
            columns = (column.cast(pa.string()).to_pylist() for column in batch.columns)
            rows = _quoted(zip(*columns, strict=True), separator)
        file.write(rows)


def _quoted(rows: Iterable[Sequence[Any]], separator: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
