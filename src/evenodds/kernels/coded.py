"""Sums over rows that hold each factor as codes; see `coded.inc`. Columns of factors are added by code.

A table of what is known of the factors' columns has a row for each, and before those of a factor one for no column.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, Codes, Values
from .library import function, pointer, vector
from .rows import padded, rows_as_read


class CodedRows(Protocol):
    """Some rows.

    numbers : (m, d) in C order
    codes : (count, m) of each factor the column of each row, -1 for none; rows of one length apart
    values : (., m) entries of factors' columns, as far apart as the codes
    which : (count,) int32, of each factor its row of values; -1 where all entries are 1
    starts : (count + 1,) where a factor begins in a table, and the length of a table
    """

    @property
    def numbers(self) -> Array:
        """See above."""

    @property
    def codes(self) -> NDArray[np.int32]:
        """See above."""

    @property
    def values(self) -> Array:
        """See above."""

    @property
    def which(self) -> NDArray[np.int32]:
        """See above."""

    @property
    def starts(self) -> NDArray[np.int64]:
        """See above."""


def coded_sums(
    rows: CodedRows, y: Codes, weight: Array | None, offset: Array | None, numbers: Array, table: Array, *, bend: bool
) -> tuple[float, Array | None]:
    """The loss, and if asked h = s p (1 - p) of each row; the rest is added to what is given.

    numbers : (2, 1 + d) the intercept and coefficients of the numbers; their gradient is put below
    table : (places, 2) the same of the factors' columns, across
    Of a width of 4 both gather sum(h x) and sum(h x^2) as well.
    """
    m, width = rows.codes.shape[1], table.shape[1]
    given = rows_as_read(m, y, weight, offset)
    q = padded(numbers.shape[1])
    wide = np.zeros((width, q))
    wide[:, : numbers.shape[1]] = numbers
    h, work = np.empty(m) if bend else None, np.zeros((64, q))
    loop, places = function("coded_rows"), (*map(pointer, (*given, wide, table)), width)
    loss = loop(*_read(rows), pointer(rows.starts), *places, pointer(h), pointer(work))
    numbers[:] = wide[:, : numbers.shape[1]]
    return float(loss), h


def coded_products(rows: CodedRows, h: Array, wide: int) -> tuple[Array, Array, Array, Array]:
    """Products of the columns, weighted by h (m,): of all with all but those within the factor `wide`.

    Returns those of the numbers (q, q), upper triangle; of the other factors' columns with numbers and one another
    (places, q + places), those that come before are missing; of the columns of `wide` with all of these
    (., q + places); and their squares. The numbers have a column of ones before them, and zeros after, up to q.
    """
    m, d = rows.numbers.shape
    q, sizes = padded(d + 1), np.diff(rows.starts)
    others = np.where(np.arange(sizes.size) == wide, 0, sizes)
    starts = np.concatenate([[0], np.cumsum(others)])[:-1].astype(np.int64)
    starts[wide] = 0
    p = q + int(others.sum())
    numbers, table = np.zeros((q, q)), np.zeros((p - q, p))
    border, squares, work = np.zeros((int(sizes[wide]), p)), np.zeros(int(sizes[wide])), np.zeros((64, q))
    room = map(pointer, (numbers, table, border, squares, work))
    function("coded_products")(*_read(rows), pointer(starts), pointer(vector(h, m)), wide, p, *room)
    return numbers, table, border, squares


def _read(rows: CodedRows) -> tuple[Any, ...]:
    """The rows as the loops take them, up to where factors begin."""
    numbers, codes, values = rows.numbers, rows.codes, rows.values
    (m, d), far = numbers.shape, codes.strides[0] // codes.itemsize
    ld = numbers.strides[0] // numbers.itemsize if m > 1 else d
    return (
        *(_start(numbers), ld, m, d, _start(codes), far, codes.shape[0], _start(values)),
        pointer(rows.which),
    )


def _start(array: Values) -> int:
    """Where a part of an array begins, which need not be in one piece."""
    return int(array.__array_interface__["data"][0])
