"""Rows that do not have as many cells as the header: mended where nothing is lost by it, else named by their line."""

import csv
import io
from collections.abc import Iterator, Sequence

from .dialect import Dialect, NotRead, is_blank
from .encoding import Bytes
from .spelling import shown

_END = "\x00end\x00"


def mended(data: Bytes, dialect: Dialect) -> bytes:
    """The rows in the plainest layout: commas between cells, quotes doubled, each with as many cells as the header.

    Lines of spaces, comments, and empty cells beyond those of the header, are left out.

    Raises
    ------
    NotRead
        For the first row that has more cells, or fewer.
    """
    plain = io.StringIO()
    writer = csv.writer(plain, lineterminator="\n")
    many = len(dialect.names)
    for row, (line, cells) in enumerate(located_rows(data, dialect)):
        if len(cells) != many:
            cells = cells[:many] if len(cells) > many and not any(map(str.strip, cells[many:])) else cells
            if len(cells) != many:
                raise NotRead(_ragged(row, line, cells, dialect))
        writer.writerow(cells)
    return plain.getvalue().encode()


def located_rows(data: Bytes, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """The rows, each with the number of the line at which it begins.

    Raises
    ------
    NotRead
        Where a quote is opened and not closed.
    """
    text = io.StringIO(bytes(data[dialect.start :]).decode("utf-8", "replace"), newline="")

    def lines() -> Iterator[str]:
        for line in text:
            yield line if line.endswith(("\n", "\r")) else line + "\n"
        yield _END

    reader, line, row = dialect.reader(lines()), dialect.line, 0
    try:
        for cells in reader:
            if not is_blank(cells) and cells != [_END] and not dialect.is_comment(cells):
                if cells[-1].endswith(_END):
                    raise NotRead(_open(row, line, cells, dialect))
                yield line, cells
                row += 1
            line = dialect.line + reader.line_num
    except csv.Error:
        raise NotRead(_open(row, line, [], dialect)) from None


def place(row: int, line: int) -> str:
    """A row in words."""
    return f"row {row} (counted from 0; line {line} of the file)"


class NotReadAt(NotRead):
    """A cell cannot be read; `said` is the message, but for where the row is in the file."""

    def __init__(self, row: int, before: str, after: str) -> None:
        super().__init__(before + f"row {row}" + after)
        self.row, self._before, self._after = row, before, after

    def at(self, line: int) -> NotRead:
        """The same with the line of the file."""
        return NotRead(self._before + place(self.row, line) + self._after)


def _ragged(row: int, line: int, cells: Sequence[str], dialect: Dialect) -> str:
    names = dialect.names
    has = f"{len(cells)} cell{'s' * (len(cells) != 1)}, and the table has {len(names)} columns"
    if len(cells) > len(names):
        what = f"{shown(cells[len(names)])} comes after the last column, {names[-1]!r}"
    else:
        what = f"nothing is there for column {names[len(cells)]!r}, and {shown(cells[-1])} is the last"
    title = " If the first line is a title, begin it with #." if len(names) == 1 else ""
    sign = {"\t": "a tab"}.get(dialect.separator, repr(dialect.separator))
    cure = f"Put cells that hold {sign} into quotes, or, if it is not between cells, say what is with --separator."
    if len(cells) == 1:
        cure = "If the line is no row of the table, take it out, or begin it with #."
    return f"has in {place(row, line)} {has}: {what}. {cure}{title}"


def _open(row: int, line: int, cells: Sequence[str], dialect: Dialect) -> str:
    names, last = dialect.names, len(cells) - 1
    column = f", column {names[last]!r}," if 0 <= last < len(names) else ""
    text = f": {shown(cells[-1].removesuffix(_END))}" if cells else ""
    return f"has in {place(row, line)}{column} a quote that is never closed{text}. Close it, or write it twice."
