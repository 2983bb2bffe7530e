"""How a delimited file is laid out, seen from its first rows: what is above the header, separator, quotes, names.

A title above the header is left out where it cannot be the header: see `_titles`.

The separator is the one by which all rows have as many cells as the header. Where two do, nobody knows which is meant.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

from ..exceptions import EvenOddsError
from .encoding import Bytes
from .spelling import MISSING_TEXTS, Habit, Spelling, shown

_SAMPLE = 1 << 18  # bytes that are looked at
_ROWS = 500  # and rows of them
_BLANK = " \t\r\n,;|"
SEPARATORS = ("\t", ";", ",", "|")
# Quotes: doubled within quotes; after spaces, too; or escaped by a backslash.
QUOTES = ("doubled", "spaced", "escaped")
Rows = list[list[str]]


class NotRead(EvenOddsError):
    """A file cannot be read; the message lacks its name."""


@dataclass(frozen=True)
class Dialect:
    """A layout.

    quotes : one of `QUOTES`
    names : of the columns, "" for one without a name
    start : the byte at which the rows begin
    line : the number of the line at which they begin, counted from 1
    no_header : whether the names are made up
    title : what stands above the names and is no part of the table, but for comments
    """

    separator: str
    quotes: str
    names: tuple[str, ...]
    start: int
    line: int
    no_header: bool = False
    title: str = ""

    def is_comment(self, row: Sequence[str]) -> bool:
        """Whether a row is a line that begins with #, and is no row of the table."""
        return is_comment(row, len(self.names))

    def reader(self, lines: Iterable[str], strict: bool = False) -> Any:
        """A reader of Python for it."""
        return reader(lines, self.separator, self.quotes, strict)


def reader(lines: Iterable[str], separator: str, quotes: str, strict: bool = False) -> Any:
    """A reader of Python, which reads what the parser of Arrow does not."""
    escaped = quotes == "escaped"
    return csv.reader(
        lines,
        delimiter=separator,
        skipinitialspace=quotes == "spaced",
        escapechar="\\" if escaped else None,
        doublequote=not escaped,
        strict=strict,
    )


class _Lines:
    """The lines of a text, and how much of it they were."""

    def __init__(self, text: str) -> None:
        self._lines, self.characters, self.count = io.StringIO(text, newline=""), 0, 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.characters += len(line)
            self.count += 1
            yield line


def dialect_of(data: Bytes, spelling: Spelling) -> Dialect:
    """The layout of a file.

    data : its text in UTF-8

    Raises
    ------
    NotRead
        If it is empty, or if more than one separator is possible.
    """
    text = bytes(data[:_SAMPLE]).decode("utf-8", "ignore")
    whole = len(data) <= _SAMPLE
    above, header, named = _above(text, spelling.no_header)
    if not text[len(above) :].strip() and not header:
        raise NotRead("is empty.")
    given = spelling.character or named
    titles = "" if spelling.no_header or header else _titles(text[len(above) :], given, whole)
    above += titles
    body = header + text[len(above) :]
    given = given or _usual(body, spelling.habit, whole)
    layouts = {(sep, quotes): _rows(body, sep, quotes, whole) for sep, quotes in _possible(body, given)}
    separator, quotes = _chosen(layouts, given, body)
    lines = _Lines(body)
    try:
        head = next((row for row in reader(iter(lines), separator, quotes) if not is_blank(row)), None)
    except csv.Error:
        head = None
    if head is None:
        raise NotRead("has no header that ends: a quote in it is never closed.")
    title, rows = body[: lines.characters], layouts.get((separator, quotes)) or _rows(body, separator, quotes, whole)
    habit = spelling.habit
    no_header = spelling.no_header or (habit.no_header and not habit.names & {name.strip() for name in head})
    if no_header:
        names, skipped = _made_up(rows), above
    else:
        names, skipped = _names(head, title, rows[1:]), above + body[len(header) : lines.characters]
    line = 1 + len(io.StringIO(skipped, newline="").readlines())
    return Dialect(separator, quotes, names, len(skipped.encode()), line, no_header, titles.strip(_BLANK))


def _above(text: str, no_header: bool) -> tuple[str, str, str]:
    """What is above the header; a header that is a comment; and a separator that a first line names, as Excel does.

    The last comment is the header if the first row is one of numbers, and has as many cells.
    """
    above, separator, comment = "", "", ""
    for line in io.StringIO(text, newline=""):
        bare = line.strip()
        if bare.lower().startswith("sep=") and len(bare) == 5 and not separator:
            separator = bare[4]
        elif bare.lower() == "sep=" and "\t" in line:
            separator = "\t"
        elif bare.startswith("#"):
            comment = line
        elif bare:
            title = comment.lstrip().lstrip("#").lstrip()
            is_header = not no_header and any(_alike(title, line, sep) for sep in SEPARATORS)
            return above, title if is_header else "", separator
        above += line
    return above, "", separator


def _titles(text: str, given: str, whole: bool) -> str:
    """The lines of a title above the header, as spreadsheets have: with one cell at the most.

    Only where below them is a header of three names or more, and as many cells in all rows, some of which are numbers.
    """
    for separator in (given,) if given else SEPARATORS:
        lines, rows, ends = _Lines(text), [], []
        with suppress(csv.Error):
            for row in islice(reader(iter(lines), separator, "doubled"), _ROWS):
                rows.append(row)
                ends.append(lines.characters)
        if not whole and len(rows) < _ROWS:  # the sample may end within the last one
            del rows[-1:]
        above = list(takewhile(lambda row: sum(bool(cell.strip()) for cell in row) <= 1, rows))
        names, *body = [row for row in rows[len(above) :] if not is_blank(row)] or [[]]
        named = len(names) > 2 and all(name.strip() and not is_number(name) for name in names)
        alike = len(body) > 1 and all(len(row) == len(names) for row in body)
        if any(map(any, above)) and named and alike and any(is_number(cell) for row in body for cell in row):
            return text[: ends[len(above) - 1]]
    return ""


def _alike(header: str, line: str, separator: str) -> bool:
    """Whether a line has as many cells as a header, and a number among them, of which the header has none."""
    names, cells = next(csv.reader([header], delimiter=separator), []), next(csv.reader([line], delimiter=separator))
    return len(names) == len(cells) > 1 and any(map(is_number, cells)) and not any(map(is_number, names))


def is_number(cell: str) -> bool:
    """Whether a cell is a number, with a decimal point or comma."""
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def is_blank(row: Sequence[str]) -> bool:
    """Whether a row is an empty line, or one of spaces."""
    return not row or (len(row) == 1 and not row[0].strip())


def is_comment(row: Sequence[str], many: int) -> bool:
    """Whether a row is a comment: it begins with #, and has not as many cells as the others."""
    first = row[0].strip()
    return first.startswith("#") and first not in MISSING_TEXTS and (len(row) < many or any(map(str.strip, row[many:])))


def _possible(body: str, given: str) -> Iterator[tuple[str, str]]:
    """The layouts to look at."""
    separators = [given] if given else [sep for sep in SEPARATORS if sep in body] or [","]
    for separator in separators:
        yield separator, "spaced" if separator == " " else "doubled"
        if f'{separator} "' in body or f'{separator}\t"' in body:
            yield separator, "spaced"
        if '\\"' in body:
            yield separator, "escaped"
    if not given:
        yield " ", "spaced"


def _usual(body: str, habit: Habit, whole: bool) -> str:
    """The separator of earlier files, if it is that of this one too: by it all rows are alike, and have their names."""
    if habit.separator is None:
        return ""
    for separator, quotes in _possible(body, habit.separator):
        rows = _rows(body, separator, quotes, whole)
        known = habit.no_header or (rows and habit.names & {name.strip() for name in rows[0]})
        if rows and len(rows[0]) > 1 and _share(rows) == 1 and known:
            return separator
    return ""


def _rows(text: str, separator: str, quotes: str, whole: bool) -> Rows:
    """The first rows, the header among them, without blank lines."""
    rows: Rows = []
    lines = _Lines(text)
    try:
        for row in reader(iter(lines), separator, quotes):
            if not is_blank(row):
                rows.append(row)
            if len(rows) > _ROWS:
                return rows
    except csv.Error:  # a cell that does not end
        return rows
    return rows if whole or len(rows) < 2 else rows[:-1]  # the sample may end within the last one


def _chosen(layouts: dict[tuple[str, str], Rows], given: str, body: str) -> tuple[str, str]:
    """The layout by which rows have as many cells as the header."""
    shares = {key: _share(rows) for key, rows in layouts.items() if rows and (given or len(rows[0]) > 1)}
    words = 0.0 if given else shares.pop((" ", "spaced"), 0.0)
    if not shares:  # one column, or several with spaces between them
        return (" ", "spaced") if words == 1 else (given or ",", "doubled")
    whole = [key for key, share in shares.items() if share == 1]
    separators = _likeliest({separator: len(layouts[separator, quotes][0]) for separator, quotes in whole}, body)
    if len(separators) > 1:
        first, second = separators[:2]
        row = layouts[first, next(quotes for sep, quotes in whole if sep == first)][0]
        raise NotRead(
            f"can be read with {first!r} between its cells and with {second!r}: the header is then "
            f"{', '.join(map(shown, row))}, or else that line parted by {second!r}. Say which with "
            f"--separator '{first}' or --separator '{second}'."
        )
    if whole:
        return next(key for key in whole if key[0] == separators[0])
    return max(shares, key=lambda key: (shares[key], len(layouts[key][0])))


def _likeliest(columns: dict[str, int], body: str) -> list[str]:
    """Of separators by which all rows have as many cells as the header, those that none of the others outdoes.

    A tab does, as text has none; quotes that all stand around whole cells do; and so does what parts a row often beside
    what parts it once or twice.

    columns : how many there are by each separator
    """
    if len(columns) > 1 and "\t" in columns:
        return ["\t"]
    if len(columns) > 1 and '"' in body:
        around = [separator for separator in columns if _quotes_whole_cells(body, separator)]
        columns = {separator: columns[separator] for separator in around or columns}
    return [sep for sep, many in columns.items() if all(other - 1 <= 2 * (many - 1) for other in columns.values())]


def _quotes_whole_cells(body: str, separator: str) -> bool:
    """Whether no quote is left where cells in quotes are taken away."""
    sign = re.escape(separator)
    return '"' not in re.sub(rf'(?:^|(?<={sign}))"(?:[^"]|"")*"(?=[\r\n{sign}]|\Z)', "", body, flags=re.MULTILINE)


def _share(rows: Rows) -> float:
    """The share of rows that have as many cells as the header; empty ones at the end do not count."""
    header = rows[0]
    names = len(header)
    body = [row for row in rows[1:] if not is_comment(row, names)] or [header]
    fits = [len(row) == names or (len(row) > names and not any(row[names:])) for row in body]
    if not all(fits):
        named = [len(row) == names - 1 and not header[-1].strip() for row in body]
        unnamed = [len(row) == names + 1 for row in body]
        fits = max(fits, named, unnamed, key=sum)
    return sum(fits) / len(fits)


def _made_up(rows: Rows) -> tuple[str, ...]:
    """Names of columns that have none; still none for those without a value, which are separators at the end."""
    many = len(rows[0])
    return tuple(f"column_{k + 1}" if any("".join(row[k : k + 1]).strip() for row in rows) else "" for k in range(many))


def _names(header: Sequence[str], title: str, rows: Rows) -> tuple[str, ...]:
    """The names, of as many columns as the rows have; spaces around them are kept within quotes only.

    Where all rows have one cell more than the header, these are empty and the last, or names of rows and the first.
    """
    names = tuple(name if name.strip() and f'"{name}"' in title else name.strip() for name in header)
    rows = [row for row in rows if not is_comment(row, len(names))]
    sizes = {len(row) for row in rows}
    if sizes == {len(names) - 1} and names[-1] == "":
        return names[:-1]
    if sizes == {len(names) + 1} and not any(row[-1].strip() for row in rows):
        return (*names, "")
    if sizes == {len(names) + 1} and len(names) > 1:  # one name alone would rather be a title
        return ("", *names)
    return names
