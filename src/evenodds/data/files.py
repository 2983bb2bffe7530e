"""Files of a name, a pattern, a folder or an address as units: row groups of Parquet, record batches of Arrow, text."""

import functools
import glob
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from pyarrow import fs, parquet

from ..delimited import Spelling
from ..exceptions import EvenOddsError
from .text import units_of_text, why_text
from .units import Batches, Source, Unit, kind_of, stamp_of, unreadable

_FORMATS = {
    "parquet": (".parquet", ".pq"),
    "arrow": (".arrow", ".feather", ".ipc", ".arrows"),
    "csv": (".csv", ".csv.gz", ".csv.bz2", ".csv.zst"),
}
_NEAR = 1 << 16  # bytes of a column of Parquet that are read ahead: they stay in the cache
_FAR = 1 << 20  # of files elsewhere: worth a request

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
_Named = tuple[Any, str, str | None]  # the file system, the path, and the folder or the start of the pattern


@dataclass(frozen=True)
class File:
    """A file, how it is opened, and the columns that its path tells."""

    system: Any
    path: str
    kind: str
    fixed: Mapping[str, Any]
    spelling: Spelling | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is on a disk of this machine."""
        return isinstance(self.system, fs.LocalFileSystem)

    def open(self) -> Any:
        """For reading anywhere in it."""
        return self.system.open_input_file(self.path)

    def mapped(self) -> Any:
        """The same, without a copy of what is read, where that is possible."""
        return pa.memory_map(self.path) if self.is_local else self.open()


def of_files(what: Paths, columns: Sequence[str] | None, spelling: Spelling | None) -> Source:
    """See `source_of`."""
    files = [replace(file, spelling=spelling) for file in _with_fixed(_found(what))]
    system = files[0].system
    stamps = tuple(stamp_of(system, file.path) for file in files)
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
        types = {name: own.get(name, kind) if pa.types.is_null(kind) else kind for name, kind in types.items()}
        units += [unit for unit in some if unit.n_rows != 0]
    if files[0].kind == "parquet" and len(units) < pa.cpu_count():  # a thread a unit leaves some without work
        units = [replace(unit, open=functools.partial(unit.open, threads=True)) for unit in units]
    parsed = files[0].kind == "csv"
    why = (lambda name: why_text(files[0], name)) if parsed else None
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


def _found(what: Paths) -> list[_Named]:
    """The files."""
    items = [what] if isinstance(what, str | os.PathLike) else list(what)
    found = [file for item in items for file in _of_name(item)]
    if not found:
        raise EvenOddsError("The list of files is empty.")
    kinds = sorted({str(_kind(path)) for _, path, _ in found})
    if len(kinds) > 1:
        raise EvenOddsError(f"There are files of several kinds, {' and '.join(kinds)}: scan one kind.")
    return found


def _of_name(item: object) -> list[_Named]:
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
        if isinstance(system, fs.LocalFileSystem):
            _require_no_dead_links(path)
        paths = [one for one in paths if _kind(one, None)]
        if not paths:
            raise EvenOddsError(f"The folder {name} holds no file whose name ends with {_endings()}.")
        return [(system, one, path) for one in paths]
    paths = sorted(glob.glob(path, recursive=True)) if isinstance(system, fs.LocalFileSystem) else []
    if not paths:
        raise EvenOddsError(f"{name}: no such file, and no file matches it as a pattern.")
    top = re.split(r"[*?\[]", path)[0].rpartition("/")[0]
    return [(own, one, top) for match in paths for own, one, _ in _of_name(match)]


def _require_no_dead_links(folder: str) -> None:
    """An error for a link to a file that is not there, which Arrow would leave out."""
    for top, _, names in os.walk(folder):
        for path in (os.path.join(top, name) for name in names):
            if not os.path.exists(path) and _kind(path, None) and not _is_hidden(path, folder):
                raise EvenOddsError(f"{path} is a link to a file that does not exist.")


def _info(system: fs.FileSystem, path: str) -> Any:
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


def _with_fixed(found: list[_Named]) -> list[File]:
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
    return [File(system, path, str(_kind(path)), one) for (system, path, _), one in zip(found, fixed, strict=True)]


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


def _parquet(file: File) -> tuple[Any, list[Unit]]:
    with file.open() as handle, parquet.ParquetFile(handle) as opened:
        about, schema = opened.metadata, opened.schema_arrow
    texts = {field.name for field in schema if kind_of(field.type) == "text" and not pa.types.is_dictionary(field.type)}
    units, first = [], 0
    for group in range(about.num_row_groups):
        n_rows = about.row_group(group).num_rows

        def read(columns: list[str], rows: int, group: int = group, *, threads: bool = False) -> Batches:
            own = {"pre_buffer": False, "buffer_size": _NEAR if file.is_local else _FAR, "metadata": about}
            own["read_dictionary"] = [name for name in columns if name in texts]
            with file.open() as handle, parquet.ParquetFile(handle, **own) as opened:
                yield from opened.iter_batches(rows, row_groups=[group], columns=columns, use_threads=threads)

        units.append(Unit(file.path, first, n_rows, read, file.fixed))
        first += n_rows
    return schema, units


def _arrow(file: File) -> tuple[Any, list[Unit]]:
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


def _stream(file: File, columns: list[str]) -> Batches:
    with file.mapped() as handle, pa.ipc.open_stream(handle) as stream:
        for batch in stream:
            yield batch.select(columns)


_UNITS: Mapping[str, Callable[[File], tuple[Any, list[Unit]]]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "csv": units_of_text,
}
