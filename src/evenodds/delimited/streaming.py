"""Delimited text that is too large to be looked at as a whole: read as its first rows are, block after block.

What the first rows decide (encoding, separator, decimal sign, the types of columns) holds for all; a cell that
contradicts it is an error with its row.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from . import Delimited
from .columns import TextColumn, as_text, text_column
from .dialect import NotRead
from .encoding import BOMS
from .spelling import Spelling, shown

_NUMBERS = ("integer", "floating")
_MARK = 3  # bytes of a byte-order mark in UTF-8


class Stream:
    """How a file is read by what its first rows are.

    head : its first bytes, up to the end of a row
    schema : the names and types of its columns; of whole numbers those that may follow are no whole ones
    habit : for later files of the kind
    """

    def __init__(self, head: bytes, spelling: Spelling) -> None:
        seen = Delimited(head, spelling)
        if len(set(seen.names)) < len(seen.names):  # whoever reads says so
            self.schema, self.notes = pa.schema([(name, pa.null()) for name in seen.names]), list[str]()
            self.habit = seen.habit
            return
        self.schema = seen.table(seen.names, needed=()).schema
        self.habit = seen.habit
        self.dialect, self.encoding, self.decimal, self.notes = seen.dialect, seen.encoding, seen.decimal, seen.notes
        self._spelling = spelling
        self._plain = dict(zip(seen.names, (column.type for column in seen.as_parsed()), strict=True))
        self._above = self.dialect.start + _MARK * any(head.startswith(mark) for mark, _ in BOMS)
        if self.dialect.quotes == "spaced":
            raise NotRead("has spaces before quotes, which only a small file may have. Take them out.")

    def batches(self, stream: pa.NativeFile, columns: Sequence[str], block: int, threads: bool) -> Iterator[Any]:
        """The batches of some columns.

        stream : of the bytes of the file, unpacked
        """
        if self.encoding not in ("utf-8", "ascii"):
            stream = pa.transcoding_input_stream(stream, self.encoding, "utf8")
        left = self._above
        while left and (taken := len(stream.read(left))):
            left -= taken
        names, escaped = list(self.dialect.names), self.dialect.quotes == "escaped"
        places = {name: str(names.index(name)) for name in columns}
        with csv.open_csv(
            stream,
            csv.ReadOptions(column_names=list(map(str, range(len(names)))), block_size=block, use_threads=threads),
            csv.ParseOptions(
                delimiter=self.dialect.separator,
                double_quote=not escaped,
                escape_char="\\" if escaped else False,
                newlines_in_values=True,
                invalid_row_handler=lambda row: "skip" if row.text.lstrip().startswith("#") else "error",
            ),
            csv.ConvertOptions(
                include_columns=list(places.values()),
                column_types={place: self._parsed(name) for name, place in places.items()},
                null_values=list(self._spelling.markers),
                strings_can_be_null=False,
                decimal_point=self.decimal,
            ),
        ) as reader:
            row = 0
            for batch in reader:
                arrays = [self._column(name, batch.column(k), row) for k, name in enumerate(columns)]
                yield pa.RecordBatch.from_arrays(arrays, names=list(columns))
                row += batch.num_rows

    def _parsed(self, name: str) -> Any:
        """The type that a column is parsed as."""
        kind, plain = self.schema.field(name).type, self._plain[name]
        if _is_number(kind) and (_is_number(plain) or pa.types.is_null(plain)):
            return pa.float64()
        if pa.types.is_null(kind):
            return pa.float64()
        return plain if plain == kind else pa.string()

    def _column(self, name: str, column: pa.Array, row: int) -> Any:
        """A column of a batch as what it is: parsed text may be numbers or dates, and some of it missing."""
        kind = self.schema.field(name).type
        if not pa.types.is_string(column.type):
            return column
        text = text_column(name, pa.chunked_array([column]), self._spelling)
        if pa.types.is_string(kind):
            return _in_codes(text)
        if _is_number(kind):
            numerals = text.numerals
            readable = numerals.readable[self.decimal]
            if readable.all():
                return text.of(numerals.numbers(self.decimal)).cast(pa.float64()).combine_chunks()
            bad = text.values.filter(pa.array(~text.missing))[int((~readable).argmax())].as_py()
        else:
            found = as_text(text, pa.chunked_array([column]), self._spelling).values
            if found.type == kind:
                return found.combine_chunks()
            bad = text.values[int((~text.missing).argmax())].as_py()
        raise NotRead(
            f"has in column {name!r} {shown(bad)}, first in row {row + text.first(bad)} (counted from 0), and in its "
            f"first rows it has values of type {kind}. Mend it, or leave the column out."
        )


def _is_number(kind: object) -> bool:
    return any(getattr(pa.types, f"is_{name}")(kind) for name in _NUMBERS)


def _in_codes(text: TextColumn) -> Any:
    """A column of text as codes, without those that stand for missing values."""
    places = np.full(len(text.values), -1, dtype=np.int32)
    places[~text.missing] = np.arange(np.count_nonzero(~text.missing))
    codes = places[text.codes[0]] if text.codes else np.empty(0, dtype=np.int32)
    values = text.values.filter(pa.array(~text.missing))
    unique = values.dictionary_encode()  # those that differ by spaces are one
    codes = np.append(unique.indices.to_numpy(), -1)[codes].astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), unique.dictionary)
