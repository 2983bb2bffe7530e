"""Homes made of homes: their blocks are those of another one, changed where they lie.

What changes a block goes to the rows like any function given to `reduce`. So it holds no home, and knows the rows by
their numbers.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..arrays import Array
from . import Block, Data, Sums, is_coded
from .coded import Layout, concatenated
from .groups import Groups
from .memory import Memory, drawn, part_of

_FEW = 1 << 20  # entries

Change = Callable[[Block], Block]


class View:
    """The rows of a home, each block changed; see `Data`. What has its own n_rows, size or class_weights sets them."""

    names: Sequence[str] | None = None
    layout: Layout | None = None
    kept: NDArray[np.intp] | None = None

    def __init__(self, data: Data, change: Change, *, center: Array) -> None:
        self._data, self._change = data, change
        self.n_rows, self.n_columns, self.size = data.n_rows, center.size, data.size
        self.sparse, self.n_jobs, self.center = data.sparse, data.n_jobs, center
        self.present, self.class_weights, self.read_cost = data.present, data.class_weights, data.read_cost

    def reduce(self, function: Callable[[Block], Sums]) -> Sums:
        """Sum `function(block)` over all rows."""
        change = self._change
        return self._data.reduce(lambda block: function(change(block)))

    def blocks(self) -> Iterator[Block]:
        """All rows."""
        yield from map(self._change, self._data.blocks())

    def sample(self, n: int, rng: int | np.random.Generator) -> Block:
        """A sample of the rows, changed."""
        return self._change(self._data.sample(n, rng))

    def whole(self) -> Block | None:
        """See `Data`."""
        whole = self._data.whole()
        return None if whole is None else self._change(whole)

    def where(self, k: int) -> str:
        """The user knows no such row."""
        return f"row {k} of those that were made from the rows given"

    def part(self, block: Block) -> Memory:
        """See `Data`."""
        return part_of(self, block)


def _same(block: Block) -> Block:
    return block


def some_rows(data: Data, rows: NDArray[np.intp], change: Change = _same) -> Data:
    """A home of some of the rows, whose numbers rise. Few are brought here.

    change : of a block of these rows, which are numbered anew
    """
    if rows.size * data.n_columns <= _FEW:
        return data.part(change(taken(data, rows)))
    return SomeRows(data, rows, change)


class SomeRows(View):
    """See `some_rows`."""

    def __init__(self, data: Data, rows: NDArray[np.intp], change: Change) -> None:
        super().__init__(data, _Choice(rows, change), center=data.center)
        self._rows, self.n_rows, n_classes = rows, rows.size, data.class_weights.size
        self.layout = data.layout

        def sums(block: Block) -> Sums:
            size = block.X.nnz if sp.issparse(block.X) else block.X.size
            return np.bincount(block.y, block.weight, n_classes).astype(np.float64), size, [block.y]

        self.class_weights, self.size, codes = self.reduce(sums)
        self._codes = np.concatenate(codes)

    def sample(self, n: int, rng: int | np.random.Generator) -> Block:
        """See `Data`. One read."""
        if n >= self.n_rows:
            return taken(self, np.arange(self.n_rows))
        rows, stands_for = drawn(self._codes, n, np.random.default_rng(rng))
        order = np.argsort(rows)
        block, weight = taken(self, rows[order]), stands_for[order]
        return replace(block, weight=weight if block.weight is None else weight * block.weight)

    def where(self, k: int) -> str:
        """See `Data`."""
        return self._data.where(int(self._rows[k]))


@dataclass(frozen=True)
class _Choice:
    """Takes some rows, by number, out of each block."""

    rows: NDArray[np.intp]
    change: Change

    def __call__(self, block: Block) -> Block:
        low, high = np.searchsorted(self.rows, [block.first, block.first + block.n_rows])
        some = block if high - low == block.n_rows else block.take(self.rows[low:high] - block.first)
        return self.change(replace(some, first=int(low)))


def taken(data: Data, rows: NDArray[np.intp]) -> Block:
    """Some of the rows, whose numbers rise, as one block in memory. One read of the data."""

    choice = _Choice(rows, _same)

    def some(block: Block) -> Sums:
        found = choice(block)  # a view, if it is all of a block
        return ([replace(found, rows=found.X.copy())],)

    return joined(data.reduce(some)[0])


def joined(parts: list[Block]) -> Block:
    """Several blocks as one."""

    def one(name: str) -> Any:
        values = [getattr(part, name) for part in parts if getattr(part, name) is not None]
        return np.concatenate(values) if values else None

    rows: list[Any] = [part.rows if is_coded(part.rows) else part.X for part in parts]
    if is_coded(rows[0]):
        X: Any = concatenated(rows)
    else:
        X = sp.vstack(rows, format="csr") if sp.issparse(rows[0]) else np.concatenate(rows)
    groups = [part.groups for part in parts if part.groups is not None]
    beside = Groups.joined(groups) if groups else None
    return Block(X, one("y"), one("weight"), one("offset"), groups=beside)
