"""Tables that are larger than memory, patterns and folders: read again in the place of kept."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..data.budget import said
from ..data.opening import open_scan
from ..data.scan import Scan
from ..delimited import Spelling
from ..design import parsed
from ..files import STANDARD, format_of, require_columns
from ..naming import listed
from .terminal import progress, say

_PACKED = 5  # bytes of text in one that is packed
_CODES = 8  # bytes of an entry


def is_large(data: Path, memory: int) -> bool:
    """Whether a table is to be scanned: a pattern, a folder, or a file that takes more than so many bytes."""
    if data == STANDARD:
        return False
    if not data.exists():
        return any(sign in str(data) for sign in "*?[")
    return data.is_dir() or (data.is_file() and _size(data) > memory)


def _size(data: Path) -> int:
    """About the bytes that a table takes in memory."""
    suffix, size = format_of(data), data.stat().st_size
    if suffix == ".parquet":
        from pyarrow import ArrowException, parquet

        try:
            about = parquet.read_metadata(data)
        except (ArrowException, OSError):  # which is told where it is read
            return size
        return int(about.num_rows * about.num_columns * _CODES)
    return size * _PACKED if suffix.endswith(".gz") else size


def scanned(
    data: Path,
    spelling: Spelling,
    memory: int,
    target: str,
    *,
    drop: Sequence[str] = (),
    formula: str | None = None,
    weight: str | None = None,
    offset: str | None = None,
    more: Sequence[str] = (),
) -> Scan:
    """The table of a fit, which says that it is scanned.

    drop, formula, weight, offset, more : as for `tables.read`
    """
    with progress("Looking at the files"):
        names = list(open_scan(str(data), None, None, None, None, memory, False, spelling).known)
        beside = [name for name in (target, weight, offset) if name is not None]
        require_columns(list(dict.fromkeys([*beside, *drop, *more, *spelling.text])), names, data)
        features = [name for name in names if name not in {*drop, *beside, *more}]
        index = [name for name in features if name == "" or name.startswith("__index_level_")]
        features = [name for name in features if name not in index]
        if formula is not None:
            features = list(parsed(formula, [name for name in names if name not in {*drop, *beside}], target).columns())
            require_columns(features, names, data)
        found = open_scan(str(data), target, features, weight, offset, memory, False, spelling)
    tell(found, data, memory)
    if index and formula is None:
        say("Note", f"{listed(index)} left out: it looks like the index of a data frame", "cyan")
    return found


def scanned_all(data: Path, spelling: Spelling, memory: int, needed: Sequence[str]) -> Scan:
    """All columns of a table, of text as they are written but for those that are needed; this is said."""

    def opened(spelling: Spelling) -> Scan:
        return open_scan(str(data), None, None, None, None, memory, False, spelling)

    names = list(opened(spelling).known)
    require_columns(list(needed), names, data)
    text = tuple(name for name in names if name not in needed)
    found = opened(replace(spelling, text=(*spelling.text, *text)))
    tell(found, data, memory)
    return found


def plain(table: pa.Table) -> Any:
    """A table whose text is no codes, of which each batch has its own."""
    columns = [column.cast(column.type.value_type) if _is_coded(column.type) else column for column in table.columns]
    return pa.table(columns, names=table.column_names)


def _is_coded(kind: object) -> bool:
    return bool(pa.types.is_dictionary(kind))


def tell(found: Scan, data: Path, memory: int) -> None:
    """Say how the table is read, and what was decided of it."""
    say(
        "Note", f"{data} is read batch by batch, as often as it takes; what fits {said(memory)} stays in memory", "cyan"
    )
    for unit in found.source.units[:1]:
        for note in unit.notes:
            say("Note", f"{unit.name}: {note}", "cyan")
