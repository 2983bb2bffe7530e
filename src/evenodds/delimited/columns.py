"""Columns of text that are numbers written otherwise, and what in them stands for missing values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .dates import dates_of, have_short_years
from .numerals import Written, written
from .rows import NotReadAt
from .spelling import Spelling, option, shown

_FEW_ROWS = 0.1  # of all: with texts among numbers
_FEW, _MANY = 3, 10  # distinct texts, and distinct numbers, of which the texts are no labels
_PLUS = "+"
_MINUS = ("-", "–", "—")
_ORDERS = {"dmy": "the day first", "mdy": "the month first", "ymd": "the year first"}
_OTHERS = (pa.bool_(), pa.date32(), pa.timestamp("s"))


@dataclass
class TextColumn:
    """A column of text by its distinct cells.

    codes : of each row, the place of its cell in `values`
    missing : which of the values stand for a missing one
    changed : whether the column is not as it was read: a value is missing, or has lost spaces
    is_text : whether it is text even if all of its cells are numbers
    """

    name: str
    codes: list[NDArray[np.int32]]
    values: Any
    missing: NDArray[np.bool_]
    changed: bool
    is_text: bool

    @property
    def taken(self) -> list[str]:
        """The texts that are taken for missing values, beside empty cells."""
        return [text for text in self.values.filter(pa.array(self.missing)).to_pylist() if text]

    @property
    def numerals(self) -> Written:
        """The values that are there, as numbers."""
        return written(self.values.filter(pa.array(~self.missing)))

    def first(self, text: str) -> int:
        """The first row that holds a text."""
        code, before = self.values.to_pylist().index(text), 0
        for codes in self.codes:
            found = np.flatnonzero(codes == code)
            if found.size:
                return before + int(found[0])
            before += codes.size
        raise AssertionError("no row holds the text")

    def counts(self) -> NDArray[np.int64]:
        """How many rows hold each value that is there."""
        every = np.zeros(len(self.values), dtype=np.int64)
        for codes in self.codes:
            every += np.bincount(codes, minlength=every.size)
        return every[~self.missing]

    def of(self, values: pa.Array) -> Any:
        """The rows with other values in the place of those that are there."""
        places = np.full(len(self.values), -1)
        places[~self.missing] = np.arange(np.count_nonzero(~self.missing))
        taken = [pa.array(row, mask=row < 0) for row in (places[codes] for codes in self.codes)]
        return pa.chunked_array([values.take(rows) for rows in taken], values.type)


def text_column(name: str, column: pa.ChunkedArray, spelling: Spelling) -> TextColumn:
    """A column of text: its cells without spaces around them, and those that stand for missing values."""
    encoded = column.dictionary_encode()
    raw = encoded.chunk(0).dictionary if encoded.num_chunks else pa.array([], pa.string())
    codes = [chunk.indices.to_numpy() for chunk in encoded.chunks]
    if name in spelling.as_written:
        markers: set[str] = {"", *spelling.absent}
        texts = raw
    else:
        known = pa.array(sorted(spelling.levels.get(name, ())), pa.string())
        texts = pc.if_else(pc.is_in(raw, known), raw, pc.utf8_trim_whitespace(raw))
        markers = set(spelling.markers) - set(known.to_pylist())
    if pc.any(pc.is_in(texts, pa.array([_PLUS]))).as_py():
        markers -= set(_MINUS)  # it is the other sign
    missing = np.asarray(pc.is_in(texts, pa.array(sorted(markers))).to_numpy(zero_copy_only=False), dtype=bool)
    changed = bool(missing.any()) or not texts.equals(raw)
    return TextColumn(name, codes, texts, missing, changed, name in spelling.as_written or name in spelling.levels)


@dataclass(frozen=True)
class Read:
    """A column of text as it is read: its values, what to say of it, and of dates the order in which they are."""

    values: Any
    note: str = ""
    order: str | None = None


def as_text(column: TextColumn, original: object, spelling: Spelling) -> Read:
    """The column as text, or as dates or booleans that were not seen to be some."""
    values = column.values.filter(pa.array(~column.missing))
    note = ""
    if not column.is_text:
        habit = spelling.habit.dates.get(column.name)
        dates, orders = dates_of(values, spelling.dates)
        if dates is None and habit in orders:
            dates, orders = dates_of(values, habit)
        if dates is not None:
            said = spelling.dates is not None or orders[0] in ("ymd", habit)
            note = "" if said else f"Column {column.name!r} is read as dates, {_ORDERS[orders[0]]}."
            return Read(column.of(dates), note, orders[0])
        if orders:
            either = " or ".join(f"--dates {order}" for order in orders)
            note = f"Column {column.name!r} is read as text. If it holds dates, say in which order with {either}."
        elif have_short_years(values):
            note = f"Column {column.name!r} is read as text. If it holds dates, write their years with four digits."
    if not column.changed:
        return Read(original, note)
    for kind in () if column.is_text else _OTHERS:
        try:
            return Read(column.of(pc.cast(values, kind)), note)
        except pa.ArrowInvalid:
            continue
    return Read(column.of(values), note)


def as_numbers(column: TextColumn, numerals: Written, signs: Sequence[str], spelling: Spelling) -> Any:
    """The column as numbers, or None where it is text.

    signs : the decimal signs that the file is known to have

    Raises
    ------
    NotRead
        Where its numbers can be read in two ways, or are mixed with a few texts.
    """
    ways = numerals.ways()
    if spelling.decimal is not None:
        ways = [way for way in ways if way in ("", spelling.decimal)]
    if len(ways) == 2:
        ways = [way for way in ways if way in signs] if len(signs) == 1 else ways
    if len(ways) == 2:
        raise _two_ways(column, numerals)
    if ways:
        return column.of(numerals.numbers(ways[0]))
    numbers = numerals.by_either
    if numbers.all():
        raise _other_signs(column, numerals, spelling)
    if numbers.any() and _are_mistakes(column, numerals, ~numbers):
        raise _mixed(column, numbers)
    return None


def _are_mistakes(column: TextColumn, numerals: Written, odd: NDArray[np.bool_]) -> bool:
    """Whether a few texts among numbers are mistakes, or stand for something, rather than labels among labels.

    They are if few rows have them, or if they are few beside many different numbers; but not beside "01", a label.
    """
    counts = column.counts()
    rows, distinct = int(counts[odd].sum()), np.count_nonzero(odd)
    few_rows = rows == 1 or rows <= _FEW_ROWS * counts.sum()
    few_texts = distinct <= _FEW and np.count_nonzero(~odd) > _MANY and rows < counts.sum() / 2
    codes = pc.any(pc.match_substring_regex(numerals.texts, r"^0\d+$")).as_py()
    return bool((few_rows or few_texts) and not codes)


def _cell(column: TextColumn, number: int) -> str:
    """The text of a value that is there, by its number among them."""
    return str(column.values[int(np.flatnonzero(~column.missing)[number])].as_py())


def _two_ways(column: TextColumn, numerals: Written) -> NotReadAt:
    signed = pc.match_substring_regex(numerals.texts, "[.,]").to_numpy(zero_copy_only=False)
    number = int(np.flatnonzero(signed)[0])
    text = _cell(column, number)
    point, comma = (float(pc.cast(numerals.plain(sign)[number], pa.float64()).as_py()) for sign in ".,")
    return NotReadAt(
        column.first(text),
        f"has in column {column.name!r} {shown(text)}, first in ",
        f", which is {point:.15g} with a decimal point and {comma:.15g} with a decimal comma. Say which with "
        "--decimal . or --decimal ,",
    )


def _other_signs(column: TextColumn, numerals: Written, spelling: Spelling) -> NotReadAt:
    """Numbers of which some have decimal points and others commas, or another sign than their user says."""
    point, comma = numerals.readable["."], numerals.readable[","]
    if spelling.decimal is None:
        fewer = min(comma & ~point, point & ~comma, key=np.count_nonzero)
        what = ", and other decimal signs in other rows. Write its numbers alike"
    else:
        fewer = ~numerals.readable[spelling.decimal]
        what = f", which is no number with {option('--decimal', spelling.decimal)}. Leave that out"
    text = _cell(column, int(np.flatnonzero(fewer)[0]))
    before = f"has in column {column.name!r} {shown(text)}, first in "
    return NotReadAt(column.first(text), before, f"{what}, or read it as text with {option('--text', column.name)}.")


def _mixed(column: TextColumn, numbers: NDArray[np.bool_]) -> NotReadAt:
    """A few texts among numbers."""
    text = _cell(column, int(np.flatnonzero(~numbers)[0]))
    row, last = column.first(text), sum(map(len, column.codes)) - 1
    other = " If the line is no row of the table, such as one of units or of totals, take it out."
    count = int(column.counts()[numbers].sum())
    rows = "1 other row" if count == 1 else f"{count:,} other rows"
    return NotReadAt(
        row,
        f"has in column {column.name!r} {shown(text)}, first in ",
        f", and numbers in {rows}. If it stands for a missing value, say so with {option('--missing-text', text)}; if "
        f"the column is text, with {option('--text', column.name)}.{other if row in (0, last) else ''}",
    )
