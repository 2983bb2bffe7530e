"""What the first rows of a file tell of its numbers."""

import csv
import io
import re
from collections.abc import Sequence

import pyarrow as pa

from .columns import text_column
from .dialect import Dialect, is_blank
from .encoding import Bytes
from .spelling import Spelling

_SAMPLE = 1 << 16
_ROWS = 200
_PACKED = r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"


def sampled(data: Bytes, dialect: Dialect) -> list[list[str]]:
    """The cells of the first rows by column."""
    text = bytes(data[dialect.start : dialect.start + _SAMPLE]).decode("utf-8", "ignore")
    rows: list[list[str]] = []
    try:
        for row in dialect.reader(io.StringIO(text, newline="")):
            if not is_blank(row) and not dialect.is_comment(row):
                rows.append(row)
            if len(rows) > _ROWS:
                break
    except csv.Error:
        pass
    if dialect.start + _SAMPLE < len(data):
        rows = rows[:-1]
    return [[row[k] for row in rows if k < len(row)] for k in range(len(dialect.names))]


def signs_of(columns: Sequence[Sequence[str]], spelling: Spelling) -> set[str]:
    """The decimal signs of columns of numbers that can be read in one way only."""
    signs = set()
    for cells in columns:
        if any("." in cell or "," in cell for cell in cells):
            numerals = text_column("", pa.chunked_array([pa.array(cells, pa.string())]), spelling).numerals
            ways = numerals.ways() if len(numerals.texts) else []
            signs |= {ways[0]} - {""} if len(ways) == 1 else set()
    return signs


def is_row(names: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """Whether a header looks like a row: most of its cells are values of their columns."""
    values = [name.strip() in map(str.strip, cells) for name, cells in zip(names, columns, strict=True) if name]
    return sum(values) > len(values) / 2


def are_packed_dates(cells: Sequence[str]) -> bool:
    """Whether whole numbers look like years, months and days in one: 20240229."""
    there = set(filter(None, map(str.strip, cells)))
    return len(there) > 1 and all(re.fullmatch(_PACKED, cell) for cell in there)


def has_leading_zeros(cells: Sequence[str]) -> str | None:
    """The first cell that is a whole number with a zero before it."""
    return next((cell.strip() for cell in cells if re.fullmatch(r"\s*0\d+\s*", cell)), None)
