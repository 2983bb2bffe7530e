"""The cells of a delimited file as columns of Arrow, by its layout."""

import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
from pyarrow import csv as pa_csv

from .dialect import Dialect, NotRead
from .encoding import Bytes
from .rows import mended

_BLOCK = 8 << 20  # bytes that are parsed at a time
_MOST = (1 << 31) - 1  # bytes of a block


class Cells:
    """The rows of a file in memory.

    data : its text in UTF-8
    """

    def __init__(self, data: Bytes, dialect: Dialect) -> None:
        self._body, self.dialect, self._plain = memoryview(data)[dialect.start :], dialect, False
        self._data, self._quotes = data, _quotes(self._body)
        self.left_out = False  # whether there may be comments between the rows
        # Within cells without quotes one may stand alone; else an odd number of them leaves one open.
        if dialect.quotes == "spaced" or (dialect.quotes == "doubled" and self._quotes % 2):
            self._mend()

    def columns(
        self, places: Sequence[int], *, text: Sequence[int] | None, decimal: str = ".", markers: Sequence[str] = ("",)
    ) -> list[Any]:
        """Columns by their places, each of the type that all of its cells have.

        text : those that are text whatever is in them; None for all
        markers : texts that stand for missing values in columns that are no text
        """
        given = (places, places if text is None else text, decimal, markers)
        if not len(places):
            return []
        if not len(self._body):
            return _nothing(places, text)
        try:
            return self._read(*given)
        except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
            if self._plain:
                raise NotRead(f"cannot be read: {error}") from error
        self._mend()
        if not len(self._body):
            return _nothing(places, text)
        try:
            return self._read(*given)
        except pa.ArrowException as error:
            raise NotRead(f"cannot be read: {error}") from error

    def _mend(self) -> None:
        self.left_out = re.search(rb"(?:^|\r)[ \t]*#", self._body, re.MULTILINE) is not None
        self._body, self._plain = memoryview(mended(self._data, self.dialect)), True
        self._quotes = _quotes(self._body)

    def _read(self, places: Sequence[int], text: Sequence[int], decimal: str, markers: Sequence[str]) -> list[Any]:
        escaped = self.dialect.quotes == "escaped" and not self._plain
        size = min(max(_BLOCK, len(self._body) + 1), _MOST) if self._plain else _BLOCK  # of a row that is longer
        table = _aside(
            pa_csv.read_csv,
            pa.BufferReader(self._body),
            pa_csv.ReadOptions(column_names=list(map(str, range(len(self.dialect.names)))), block_size=size),
            pa_csv.ParseOptions(
                delimiter="," if self._plain else self.dialect.separator,
                double_quote=not escaped,
                escape_char="\\" if escaped else False,
                newlines_in_values=self._quotes > 0,
            ),
            pa_csv.ConvertOptions(
                include_columns=list(map(str, places)),
                column_types={str(place): pa.string() for place in text},
                null_values=list(markers),
                strings_can_be_null=False,
                decimal_point=decimal,
            ),
        )
        return list(table.columns)


def _aside(function: Callable[..., Any], *given: object) -> Any:
    """The value of a function in a thread of its own: in the main one Arrow takes Ctrl-C to itself, and can lose it."""
    if threading.current_thread() is not threading.main_thread():
        return function(*given)
    with ThreadPoolExecutor(1) as one:
        return one.submit(function, *given).result()


def _nothing(places: Sequence[int], text: Sequence[int] | None) -> list[Any]:
    """Columns without rows."""
    return [pa.chunked_array([], pa.string() if text is None or k in text else pa.null()) for k in places]


def _quotes(body: memoryview) -> int:
    """How many quotes there are, within which lines may break."""
    step = 1 << 20
    return sum(body[start : start + step].tobytes().count(b'"') for start in range(0, len(body), step))
