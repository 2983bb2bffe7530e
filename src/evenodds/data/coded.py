"""Columns of factors as codes: a factor of many levels takes 4 bytes a row, and no one-hot matrix is made.

`Coded` is a third kind of X beside arrays and CSR. Like a sparse X it is not centred by whoever reads it: what has
been taken off its numbers, so that they keep their digits, is the `center` of its home. Columns of 0 and 1 need none.
What has no loop for codes takes the same rows as CSR, a block at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..arrays import Array, Which

_ROWS = 1000  # that tell where the midst of a column is


@dataclass(frozen=True)
class Layout:
    """Which columns are numbers and which are coded.

    n_columns : of all kinds
    columns : (d,) the columns of numbers
    firsts, counts : (F,) of each factor its first column, and how many it has, one after another
    which : (F,) int32, the row of values that a factor's columns hold; -1 where all of its entries are 1
    """

    n_columns: int
    columns: NDArray[np.intp]
    firsts: NDArray[np.intp]
    counts: NDArray[np.intp]
    which: NDArray[np.int32]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """(F + 1,) where each factor begins in a table of one row for no column, and one for each of its columns."""
        return np.concatenate([[0], np.cumsum(self.counts + 1)]).astype(np.int64)

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """The column that each row of such a table is of; n_columns for none."""
        parts = [
            np.concatenate([[self.n_columns], np.arange(first, first + count)])
            for first, count in zip(self.firsts, self.counts, strict=True)
        ]
        return np.concatenate(parts).astype(np.intp)

    @cached_property
    def wide(self) -> int:
        """The factor with the most columns."""
        return int(np.argmax(self.counts))

    @property
    def beside(self) -> int:
        """The columns that are none of that factor's."""
        return self.n_columns - int(self.counts.max(initial=0))


@dataclass(frozen=True)
class Coded:
    """Rows of numbers and codes, which are sliced like an array.

    numbers : (m, d) in C order, less `center`
    codes : (F, m) int32, a factor's column in each row; -1 for none
    values : (., m) what the rows have in these columns, where it is not 1
    center : (d,) what has been taken off the numbers
    """

    layout: Layout
    numbers: Array
    codes: NDArray[np.int32]
    values: Array
    center: Array
    _kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.codes.shape[1], self.layout.n_columns

    @property
    def dtype(self) -> Any:
        """Of the entries."""
        return self.numbers.dtype

    @property
    def size(self) -> int:
        """The entries that a row has, over all rows."""
        return int(self.shape[0] * (self.numbers.shape[1] + len(self.codes)))

    @property
    def which(self) -> NDArray[np.int32]:
        """See `Layout`."""
        return self.layout.which

    @property
    def starts(self) -> NDArray[np.int64]:
        """See `Layout`."""
        return self.layout.starts

    def __getitem__(self, rows: Which) -> "Coded":
        """Some of the rows: a slice, their numbers, or a mask."""
        if type(rows) is slice and rows.step in (None, 1):
            numbers, codes, values = self.numbers[rows], self.codes[:, rows], self.values[:, rows]
        else:
            numbers = np.ascontiguousarray(self.numbers[rows])
            codes, values = np.ascontiguousarray(self.codes[:, rows]), np.ascontiguousarray(self.values[:, rows])
        return Coded(self.layout, numbers, codes, values, self.center)

    def centred(self) -> "Coded":
        """The rows less what is in the midst of their numbers, in the same memory."""
        if not self.numbers.size:
            return self
        some = np.sort(self.numbers[:: max(1, len(self.numbers) // _ROWS)], axis=0)
        middle = some[(len(some) - 1) // 2]
        return self.less(np.where(np.isfinite(middle), middle, 0.0))

    def less(self, middle: Array) -> "Coded":
        """The rows less some numbers (d,), in the same memory."""
        with np.errstate(over="ignore", invalid="ignore"):
            np.subtract(self.numbers, middle, out=self.numbers)
        return replace(self, center=self.center + middle, _kept={})

    def full_center(self) -> Array:
        """(p,) what has been taken off all columns."""
        found = np.zeros(self.layout.n_columns)
        found[self.layout.columns] = self.center
        return found

    def entry(self, factor: int) -> Array | None:
        """(m,) what a factor's columns hold; None for 1."""
        which = self.layout.which[factor]
        return None if which < 0 else self.values[which]

    def csr(self) -> Any:
        """The same rows as a CSR array, which is kept as long as they are."""
        if "csr" not in self._kept:
            self._kept["csr"] = self._as_csr()
        return self._kept["csr"]

    def _as_csr(self) -> Any:
        (m, p), d, layout = self.shape, self.numbers.shape[1], self.layout
        shape = (m, d + len(self.codes))
        columns, entries = np.empty(shape, dtype=np.int32), np.ones(shape)
        columns[:, :d], entries[:, :d] = layout.columns, self.numbers
        for f, codes in enumerate(self.codes):
            columns[:, d + f] = np.where(codes < 0, p, layout.firsts[f] + codes)
            if (entry := self.entry(f)) is not None:
                entries[:, d + f] = entry
        there = columns < p
        found = sp.csr_array(
            (entries[there], columns[there], np.concatenate([[0], np.cumsum(there.sum(axis=1))])), shape=(m, p)
        )
        found.sort_indices()
        return found

    def moments(self, weight: Array | None, unit: Array) -> tuple[float, Array, Array]:
        """The total weight, and the weighted sums (p,) of x / unit and of its square."""
        weights = np.ones(self.shape[0]) if weight is None else weight
        first, second = np.zeros(self.layout.n_columns + 1), np.zeros(self.layout.n_columns + 1)
        for j, column in enumerate(self.layout.columns):
            x = self.numbers[:, j] / unit[column]
            first[column], second[column] = np.sum(weights * x), np.sum(weights * x * x)
        for f, (start, count) in enumerate(zip(self.layout.firsts, self.layout.counts, strict=True)):
            entry, at, of = self.entry(f), self.codes[f] + 1, slice(start, start + count)
            once = weights if entry is None else weights * entry
            first[of] = np.bincount(at, once, count + 1)[1:] / unit[of]
            second[of] = np.bincount(at, once if entry is None else once * entry, count + 1)[1:] / unit[of] ** 2
        return float(weights.sum()), first[:-1], second[:-1]


def concatenated(parts: Sequence[Coded]) -> Coded:
    """Rows one after another."""
    numbers = np.concatenate([part.numbers for part in parts])
    codes, values = (np.concatenate([getattr(part, name) for part in parts], axis=1) for name in ("codes", "values"))
    return replace(parts[0], numbers=numbers, codes=codes, values=values, _kept={})
