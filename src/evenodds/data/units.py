"""Files, and whatever gives Arrow batches, as units: parts of the rows that are read one by one, in an order.

A unit is a row group of Parquet, a record batch of an Arrow file, a text file, an Arrow stream, or all that a reader
gives. Sums are taken unit by unit, in this order, so that they have the same bits whoever reads which.
"""

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from pyarrow import csv, fs, parquet

from ..exceptions import EvenOddsError

_FORMATS = {
    "parquet": (".parquet", ".pq"),
    "arrow": (".arrow", ".feather", ".ipc", ".arrows"),
    "csv": (".csv", ".csv.gz", ".csv.bz2", ".csv.zst"),
}
_TEXT_BLOCK = 8 << 20  # bytes of a CSV parsed at a time; a row must fit into it
_BUFFER = 1 << 20  # bytes of a column of Parquet read ahead
_IN_LINE = re.compile(r"Row #(\d+): ")  # of a CSV, its header is the first

Batches = Iterator[Any]
Stamp = tuple[str, int, int]  # path, bytes, time of the last change
_Named = tuple[Any, str, str | None]  # the file system, the path, and the folder or the start of the pattern


@dataclass(frozen=True)
class Unit:
    """Some rows that follow one another.

    name : the file, for errors
    first : the number of the first row in it
    n_rows : None where it shows in the reading only
    open : the batches, from the columns that are wanted and the most rows of a batch
    fixed : columns that are the same in all rows: parts of the path
    """

    name: str
    first: int
    n_rows: int | None
    open: Callable[[list[str], int], Batches]
    fixed: Mapping[str, Any] = field(default_factory=dict)

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


@dataclass(frozen=True)
class Source:
    """The units of all that is to be read, and what their columns are.

    types : of the columns, by name; of several files those of the first
    parsed : whether reading takes the parsing of text
    stamps : of the files, which tell whether they are still what they were
    why_text : of a column that is text where numbers are needed, which value is none
    """

    units: tuple[Unit, ...]
    types: Mapping[str, Any]
    parsed: bool = False
    stamps: tuple[Stamp, ...] = ()
    system: Any = None
    why_text: Callable[[str], EvenOddsError] | None = None

    def require_unchanged(self) -> None:
        """An error if a file is no longer what it was."""
        for stamp in self.stamps:
            if stamp != _stamp(self.system, stamp[0]):
                raise EvenOddsError(
                    f"{stamp[0]} has changed since it was first read. Scan it again, when nothing writes to it."
                )


def unreadable(name: str, error: BaseException, row: int | None = None) -> EvenOddsError:
    """The error of a file or reader that cannot be read."""
    after = f" after row {row - 1} (counted from 0)" if row else ""
    text = " ".join(str(error).split()) or type(error).__name__
    return EvenOddsError(f"{name} cannot be read{after}: {text.rstrip('.')}.")


def source_of(what: Any, columns: Sequence[str] | None) -> Source:
    """The units of a file, a folder, a pattern, a list of these, or of a function that gives Arrow batches.

    columns : those that are read; all if None
    """
    if isinstance(what, str | os.PathLike) or (isinstance(what, Sequence) and not hasattr(what, "__arrow_c_stream__")):
        return _of_files(what, columns)
    from .readers import of_reader

    return of_reader(what)


# Files


@dataclass(frozen=True)
class _File:
    """A file, how it is opened, and the columns that its path tells."""

    system: Any
    path: str
    kind: str
    fixed: Mapping[str, Any]

    def open(self) -> Any:
        """For reading anywhere in it."""
        return self.system.open_input_file(self.path)

    def mapped(self) -> Any:
        """The same, without a copy of what is read, where that is possible."""
        return pa.memory_map(self.path) if isinstance(self.system, fs.LocalFileSystem) else self.open()


def _of_files(what: Any, columns: Sequence[str] | None) -> Source:
    files = _with_fixed(_found(what))
    system = files[0].system
    stamps = tuple(_stamp(system, file.path) for file in files)
    units: list[Unit] = []
    types: dict[str, Any] = {}
    for file in files:
        try:
            schema, some = _UNITS[file.kind](file)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise unreadable(file.path, error) from error
        _require_unique(schema.names, file.path)
        own = dict(zip(schema.names, schema.types, strict=True))
        own |= {name: pa.scalar(value).type for name, value in file.fixed.items()}
        types = types or own
        _require_same(types, own, columns, files[0].path, file.path)
        units += [unit for unit in some if unit.n_rows != 0]
    parsed = files[0].kind == "csv"
    why = (lambda name: _bad_line(files[0], {name: pa.float64()}, [name])) if parsed else None
    return Source(tuple(units), types, parsed, stamps, system, why)


def _require_unique(names: Sequence[str], path: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise EvenOddsError(f"{path} has the column {twice[0]!r} more than once: give every column its own name.")


def _require_same(
    types: Mapping[str, Any], own: Mapping[str, Any], columns: Sequence[str] | None, first: str, path: str
) -> None:
    """The columns that are read are in every file, and of the same kind."""
    for name in types if columns is None else columns:
        if name in types and name not in own:
            raise EvenOddsError(f"{path} has no column {name!r}, which {first} has.")
        if name in types and kind_of(types[name]) != kind_of(own[name]) and "null" not in (types[name], own[name]):
            raise EvenOddsError(
                f"The column {name!r} is of type {own[name]} in {path} and of type {types[name]} in {first}: write "
                "these files anew with one type."
            )
    more = [name for name in own if name not in types]
    if columns is None and more:
        raise EvenOddsError(
            f"{path} has a column {more[0]!r}, which {first} has not: say which columns to read, with columns=."
        )


def is_integer(kind: Any) -> bool:
    """Whether an Arrow type is of whole numbers."""
    return bool(pa.types.is_integer(kind.value_type if pa.types.is_dictionary(kind) else kind))


def kind_of(kind: Any) -> str:
    """What values of an Arrow type are: "number", "boolean", "text" or the name of the type."""
    types = pa.types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_boolean(kind):
        return "boolean"
    text = types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view"
    return "text" if text else str(kind)


def _stamp(system: Any, path: str) -> Stamp:
    info = system.get_file_info(path)
    return path, info.size or 0, info.mtime_ns or 0


def _found(what: Any) -> list[_Named]:
    """The files."""
    items = [what] if isinstance(what, str | os.PathLike) else list(what)
    found = [file for item in items for file in _of_name(item)]
    if not found:
        raise EvenOddsError("The list of files is empty.")
    kinds = sorted({str(_kind(path)) for _, path, _ in found})
    if len(kinds) > 1:
        raise EvenOddsError(f"There are files of several kinds, {' and '.join(kinds)}: scan one kind.")
    return found


def _of_name(item: Any) -> list[_Named]:
    """The files of a path, a pattern, a folder or an address such as s3://..., in the order of their names."""
    if not isinstance(item, str | os.PathLike):
        raise EvenOddsError(f"scan takes names of files, got a {type(item).__name__} among them.")
    name = os.path.expanduser(os.fspath(item))
    system, path = fs.LocalFileSystem(), name
    if isinstance(name, str) and "://" in name:
        try:
            system, path = fs.FileSystem.from_uri(name)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise unreadable(name, error) from error
    info = _info(system, path)
    if info.type == fs.FileType.File:
        return [(system, path, None)]
    if info.type == fs.FileType.Directory:
        inside = system.get_file_info(fs.FileSelector(path, recursive=True))
        paths = sorted(i.path for i in inside if i.type == fs.FileType.File and not _is_hidden(i.path, path))
        paths = [one for one in paths if _kind(one, None)]
        if not paths:
            raise EvenOddsError(f"The folder {name} holds no file whose name ends with {_endings()}.")
        return [(system, one, path) for one in paths]
    paths = sorted(glob.glob(path, recursive=True)) if isinstance(system, fs.LocalFileSystem) else []
    if not paths:
        raise EvenOddsError(f"{name}: no such file, and no file matches it as a pattern.")
    top = re.split(r"[*?\[]", path)[0].rpartition("/")[0]
    return [(own, one, top) for match in paths for own, one, _ in _of_name(match)]


def _info(system: Any, path: str) -> Any:
    try:
        return system.get_file_info(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise unreadable(path, error) from error


def _is_hidden(path: str, folder: str) -> bool:
    return any(part[:1] in ("_", ".") for part in path.removeprefix(folder).split("/"))


def _kind(path: str, otherwise: str | None = "") -> str | None:
    """The format, by the ending; an error where it is none of ours, if there is nothing else to say."""
    for kind, endings in _FORMATS.items():
        if path.lower().endswith(endings):
            return kind
    if otherwise == "":
        raise EvenOddsError(f"{path}: the name of a file to scan ends with {_endings()}.")
    return otherwise


def _endings() -> str:
    return ", ".join(ending for endings in _FORMATS.values() for ending in endings)


def _with_fixed(found: list[_Named]) -> list[_File]:
    """Files with the columns that folders such as ``year=2019`` tell; numbers where all values are."""
    parts = [[part.split("=", 1) for part in path.removeprefix(top).split("/")[:-1] if "=" in part] if top else []
             for _, path, top in found]  # fmt: skip
    values: dict[str, list[str]] = {}
    for (_, path, _), pairs in zip(found, parts, strict=True):
        for name, value in pairs:
            if value == "__HIVE_DEFAULT_PARTITION__":
                raise EvenOddsError(f"{path}: the column {name!r} is missing in all of its rows.")
            values.setdefault(unquote(name), []).append(unquote(value))
    as_type = {name: _reading_of(some) for name, some in values.items()}
    fixed = [{unquote(name): as_type[unquote(name)](unquote(value)) for name, value in pairs} for pairs in parts]
    return [_File(system, path, str(_kind(path)), one) for (system, path, _), one in zip(found, fixed, strict=True)]


def _reading_of(values: Iterable[str]) -> Callable[[str], Any]:
    """The simplest type that all values have."""
    for kind in (int, float):
        try:
            for value in values:
                kind(value)
        except ValueError:
            continue
        return kind
    return str


# Formats


def _parquet(file: _File) -> tuple[Any, list[Unit]]:
    with file.open() as handle, parquet.ParquetFile(handle) as opened:
        about, schema = opened.metadata, opened.schema_arrow
    units, first = [], 0
    for group in range(about.num_row_groups):
        n_rows = about.row_group(group).num_rows

        def read(columns: list[str], rows: int, group: int = group) -> Batches:
            own = {"pre_buffer": False, "buffer_size": _BUFFER, "metadata": about}
            with file.open() as handle, parquet.ParquetFile(handle, **own) as opened:
                yield from opened.iter_batches(rows, row_groups=[group], columns=columns, use_threads=False)

        units.append(Unit(file.path, first, n_rows, read, file.fixed))
        first += n_rows
    return schema, units


def _arrow(file: _File) -> tuple[Any, list[Unit]]:
    with file.mapped() as handle:
        if handle.read(6) != b"ARROW1":
            handle.seek(0)
            with pa.ipc.open_stream(handle) as stream:
                return stream.schema, [Unit(file.path, 0, None, lambda columns, _: _stream(file, columns), file.fixed)]
        handle.seek(0)
        with pa.ipc.open_file(handle) as opened:
            schema = opened.schema
            sizes = [opened.get_batch(k).num_rows for k in range(opened.num_record_batches)]
    units, first = [], 0
    for k, n_rows in enumerate(sizes):

        def read(columns: list[str], rows: int, k: int = k) -> Batches:
            places = [schema.get_field_index(name) for name in columns]
            options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=places)
            with file.mapped() as handle, pa.ipc.open_file(handle, options=options) as opened:
                yield opened.get_batch(k)

        units.append(Unit(file.path, first, n_rows, read, file.fixed))
        first += n_rows
    return schema, units


def _stream(file: _File, columns: list[str]) -> Batches:
    with file.mapped() as handle, pa.ipc.open_stream(handle) as stream:
        for batch in stream:
            yield batch.select(columns)


def _csv(file: _File) -> tuple[Any, list[Unit]]:
    try:
        with _text(file, {}, None, threads=False) as reader:
            schema = reader.schema
    except pa.ArrowInvalid as error:
        raise _bad_line(file, {}, None) from error
    # What the first block shows: whole numbers may be followed by others, and a column without a value is any.
    as_read = dict(zip(schema.names, schema.types, strict=True))

    def read(columns: list[str], rows: int) -> Batches:
        types = {name: _type_to_parse(as_read[name]) for name in columns}
        try:
            with _text(file, types, columns) as reader:
                yield from reader
        except pa.ArrowInvalid as error:
            raise _bad_line(file, types, columns) from error

    return schema, [Unit(file.path, 0, None, read, file.fixed)]


def _type_to_parse(kind: Any) -> Any:
    return pa.float64() if pa.types.is_integer(kind) or pa.types.is_null(kind) else kind


def _text(file: _File, types: Mapping[str, Any], columns: list[str] | None, *, threads: bool = True) -> Any:
    """A reader of a CSV, packed or not."""
    packed = pa.Codec.detect(file.path) if not file.path.lower().endswith(".csv") else None
    source = file.system.open_input_stream(file.path, compression=packed.name if packed else None)
    return csv.open_csv(
        source,
        read_options=csv.ReadOptions(block_size=_TEXT_BLOCK, use_threads=threads),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(column_types=dict(types), include_columns=columns, strings_can_be_null=True),
    )


def _bad_line(file: _File, types: Mapping[str, Any], columns: list[str] | None) -> EvenOddsError:
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


def _header(file: _File) -> list[str]:
    """The names of the columns of a CSV, whose first block has been read."""
    with _text(file, {}, None) as reader:
        return list(reader.schema.names)


_UNITS: Mapping[str, Callable[[_File], tuple[Any, list[Unit]]]] = {"parquet": _parquet, "arrow": _arrow, "csv": _csv}
