"""Delimited text, such as CSV, as people have it: read where it can be decided how, else an error that says what to do.

`Delimited` is a file in memory: its layout is looked at once, and its columns are read as they are asked for.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .columns import TextColumn, as_numbers, as_text, text_column
from .dialect import Dialect, NotRead, dialect_of, is_number
from .encoding import Bytes, UndecidedEncoding, to_utf8
from .numerals import Written
from .parsing import Cells
from .rows import NotReadAt, located_rows, place
from .sampling import are_packed_dates, has_leading_zeros, is_row, sampled, signs_of
from .spelling import MISSING_TEXTS, NO_HEADER, Habit, Spelling, option, shown

_WORDS = {"\t": "tabs", " ": "spaces"}
_ANY = ("utf-8", "ascii")  # which need not be said


class Delimited:
    """A delimited file.

    Parameters
    ----------
    raw : bytes, or a memory map
    spelling : what its user says of it

    Attributes
    ----------
    names : of its columns, "" for one without a name
    notes : what was decided that somebody might have decided otherwise, in words
    decimal : the decimal sign of what has been read
    habit : how it is written, as far as its columns that were read tell; for later files of the kind

    Raises
    ------
    NotRead
        The message lacks the name of the file: "has in row 3 ...".
    """

    def __init__(self, raw: Bytes, spelling: Spelling | None = None) -> None:
        self._spelling = Spelling() if spelling is None else spelling
        self.notes: list[str] = []
        try:
            self._data, self._encoding = to_utf8(raw, self._spelling.encoding, self._spelling.habit.encoding)
        except UndecidedEncoding as error:
            raise _undecided(raw, error, self._spelling) from None
        self._dialect = dialect_of(self._data, self._spelling)
        self._cells = Cells(self._data, self._dialect)
        nameless = [k for k, name in enumerate(self._dialect.names) if not name]
        columns = self._cells.columns(nameless, text=())
        empty = {k for k, column in zip(nameless, columns, strict=True) if _is_empty(column)}
        # Columns with neither a name nor a value are separators at the end of each line.
        self._places = [k for k in range(len(self._dialect.names)) if k not in empty]
        self.names = [self._dialect.names[k] for k in self._places]
        self._sample = sampled(self._data, self._dialect)
        habit = self._spelling.habit
        if len(self.names) > 1 and habit.separator not in (None, self._dialect.separator):
            # It is of another kind.
            self._spelling = replace(self._spelling, habit=replace(habit, decimal=None, dates={}))
        decimal = self._spelling.decimal
        self.decimal = decimal or "."
        self._signs = {decimal} if decimal else signs_of(self._sample, self._spelling)
        self.habit = Habit()

    def verbatim(self) -> Any:
        """All columns as text, each cell as it is written; but numbers with decimal commas have points."""
        columns = self._cells.columns(self._places, text=None)
        if self._dialect.separator != ",":
            columns = [self._plain(column) for column in columns]
        return pa.table(columns, names=self.names)

    @property
    def dialect(self) -> Dialect:
        """Its layout."""
        return self._dialect

    @property
    def encoding(self) -> str:
        """That it was in."""
        return self._encoding

    def as_parsed(self) -> list[Any]:
        """All columns of the types that a parser gives them, by the decimal sign of what has been read."""
        return self._cells.columns(self._places, text=(), decimal=self.decimal, markers=self._spelling.markers)

    def table(self, wanted: Sequence[str], needed: Sequence[str] | None = None) -> Any:
        """The columns of these names, of the type that all of their cells have.

        needed : those of which it is an error if they can be read in two ways; others are text then
        """
        places = [place for place, name in zip(self._places, self.names, strict=True) if name in set(wanted)]
        names = [self._dialect.names[place] for place in places]
        try:
            return pa.table(self._columns(places, names, names if needed is None else needed), names=names)
        except NotReadAt as error:
            lines = located_rows(self._data, self._dialect)
            line = next((line for row, (line, _) in enumerate(lines) if row == error.row), self._dialect.line)
            raise error.at(line) from None

    def _columns(self, places: Sequence[int], names: Sequence[str], needed: Sequence[str]) -> list[Any]:
        """Columns by their places; those of text that are numbers in another way of writing are numbers."""
        spelling = self._spelling
        kept = {*spelling.as_written, *spelling.levels}
        text = [place for place, name in zip(places, names, strict=True) if name in kept]
        usual = set(filter(None, [spelling.habit.decimal]))
        decimal = "," if self._signs == {","} else "."
        columns = self._cells.columns(places, text=text, decimal=decimal, markers=spelling.markers)
        doubles = [k for k, column in enumerate(columns) if pa.types.is_floating(column.type)]
        texts = self._texts(columns, names)
        signs = self._signs_of(texts)
        undecided = any(numerals is not None and len(numerals.ways()) > 1 for _, numerals in texts.values())
        if len(signs) > 1 or (not signs and (undecided or usual == {","} or self._dialect.separator != ",")):
            # Doubles have been read by a decimal point that may be none: now with what is known of all columns.
            again = [places[k] for k in doubles]
            for k, column in zip(doubles, self._cells.columns(again, text=again), strict=True):
                columns[k] = column
            texts = self._texts(columns, names)
            signs = self._signs_of(texts)
        elif not signs and doubles:
            signs = {"."}
        signs = signs or usual
        said: list[str] = []
        orders: dict[str, str] = {}
        for k, (column, numerals) in texts.items():
            try:
                found = None if numerals is None else as_numbers(column, numerals, sorted(signs), spelling)
            except NotReadAt:
                if column.name in needed:
                    raise
                found = None
            if found is None:
                read = as_text(column, columns[k], spelling)
                found = read.values
                said += [read.note] if read.note else []
                orders |= {column.name: read.order} if read.order else {}
            columns[k] = found
        self.decimal = "," if signs == {","} else "."
        self.notes = [*self._of_layout(signs), *said, *self._of_columns(names, columns, texts)]
        self.habit = self._habit(signs, orders)
        return columns

    def _habit(self, signs: set[str], orders: dict[str, str]) -> Habit:
        """How the file is written; what it does not tell is as in earlier ones."""
        spelling, before = self._spelling, self._spelling.habit
        return Habit(
            before.encoding if self._encoding in _ANY else self._encoding,
            self._dialect.separator if len(self.names) > 1 else before.separator,
            next(iter(signs)) if len(signs) == 1 else before.decimal,
            {**before.dates, **orders},
            spelling.absent,
            spelling.as_written,
            self._dialect.no_header,
        )

    def _texts(self, columns: Sequence[Any], names: Sequence[str]) -> dict[int, tuple[TextColumn, Written | None]]:
        """The columns of text, and their values as numbers where they may be some."""
        texts = {
            k: text_column(names[k], column.cast(pa.string()), self._spelling)
            for k, column in enumerate(columns)
            if pa.types.is_string(column.type) or pa.types.is_binary(column.type)
        }
        return {k: (text, None if text.is_text or text.missing.all() else text.numerals) for k, text in texts.items()}

    def _signs_of(self, texts: dict[int, tuple[TextColumn, Written | None]]) -> set[str]:
        """The decimal signs that the file is known to have, by its sample and by columns with one reading."""
        if self._spelling.decimal:
            return {self._spelling.decimal}
        ways = [numerals.ways() for _, numerals in texts.values() if numerals is not None]
        return self._signs | {way[0] for way in ways if len(way) == 1 and way[0]}

    def _of_columns(
        self, names: Sequence[str], columns: Sequence[Any], texts: dict[int, tuple[TextColumn, Written | None]]
    ) -> Iterator[str]:
        """What was decided of columns."""
        for k, (text, numerals) in texts.items():
            is_text = pa.types.is_string(columns[k].type)
            if numerals is not None and numerals.unit and not is_text:
                yield f"Column {text.name!r} is read as numbers without {numerals.unit}."
            if numerals is not None and numerals.below and not is_text:
                yield f"Column {text.name!r} is read as numbers: what is in (), or has a - at its end, is below zero."
            if text.taken and is_text:
                them = " and ".join(map(shown, text.taken[:3]))
                keep = option("--text", text.name)
                yield f"In column {text.name!r} {them} is read as a missing value; {keep} keeps it as a label."
        for name, column in zip(names, columns, strict=True):
            if not pa.types.is_integer(column.type):
                continue
            cells, keep = self._sample[self._place(name)], option("--text", name)
            if code := has_leading_zeros(cells):
                yield f"Column {name!r} is read as numbers, {code} as {int(code)}; {keep} keeps it as text."
            if are_packed_dates(cells):
                yield f"Column {name!r} is read as numbers. If it holds dates, write them like 2024-02-29."

    def _place(self, name: str) -> int:
        return self._dialect.names.index(name)

    def _of_layout(self, signs: set[str]) -> Iterator[str]:
        said, before, words = self._spelling, self._spelling.habit, []
        if self._encoding not in (*_ANY, before.encoding) and not said.encoding:
            words.append(f"in {self._encoding}")
        if self._dialect.separator not in (",", before.separator) and not said.separator:
            words.append(f"with {_WORDS.get(self._dialect.separator, self._dialect.separator)} between cells")
        if signs == {","} != {before.decimal} and not said.decimal:
            words.append("with decimal commas")
        if words:
            yield f"Read {', '.join(words)}."
        if self._dialect.title:
            yield f"{shown(self._dialect.title)} above the names of the columns is taken for a title, and left out."
        if self._cells.left_out:
            yield "Lines that begin with # and have not as many cells as others are left out."
        if is_row(self._dialect.names, self._sample):
            yield f"The names of the columns look like values: {', '.join(map(shown, self.names[:3]))}. {NO_HEADER}"

    def _plain(self, column: object) -> Any:
        """A column of cells as they are written, but for numbers with decimal commas, which have points."""
        text = text_column("", column, Spelling())
        numerals = text.numerals
        ways = numerals.ways() if len(numerals.texts) else []
        if len(ways) == 2:
            signs = self._signs or {self._spelling.habit.decimal or ""}
            ways = sorted(signs) if len(signs) == 1 else []
        if ways != [","]:
            return column
        return text.of(numerals.plain(",")).fill_null("")


def _is_empty(column: pa.ChunkedArray) -> bool:
    """Whether a column has no value, but for spaces."""
    if pa.types.is_string(column.type):
        return bool(pc.all(pc.equal(pc.utf8_trim_whitespace(column), "")).as_py())
    return bool(pa.types.is_null(column.type))


def _undecided(raw: Bytes, error: UndecidedEncoding, spelling: Spelling) -> NotRead:
    """Where the byte is, by the layout of the file in an encoding that has a character for each byte."""
    text = bytes(raw).decode("latin-1")
    data, before = text.encode(), len(text[: error.place + 1].encode())
    found = shown(_around(text, error.place))
    cure = f"it {error.why}. Say in which encoding it is written with --encoding, such as --encoding cp1252."
    try:
        dialect = dialect_of(data, spelling)
        if before <= dialect.start:
            return NotRead(f"has in its header {found}: {cure}")
        row, (line, cells) = list(enumerate(located_rows(data[:before], dialect)))[-1]
    except (NotRead, IndexError):
        return NotRead(f"has {found}: {cure}")
    column = dialect.names[min(len(cells), len(dialect.names)) - 1]
    return NotRead(f"has in column {column!r}, {place(row, line)}, {found}: {cure}")


def _around(text: str, position: int) -> str:
    """What is about a place of a text, in its line."""
    return (
        re.split(r"[\r\n]", text[max(position - 15, 0) : position])[-1]
        + re.split(r"[\r\n]", text[position : position + 15])[0]
    )


__all__ = ["MISSING_TEXTS", "NO_HEADER", "Delimited", "Habit", "NotRead", "Spelling", "is_number", "option"]
