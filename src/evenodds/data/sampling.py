"""A sample of rows that come by: each row draws a key, and those of the smallest keys stay.

Which rows stay does not depend on the order in which units are read, nor on how many rows there will be. Of each
class a share of the sample stays whatever its rows draw, so that a rare class is sampled more densely.
"""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from . import Block, is_coded


class Sample:
    """The rows with the smallest keys, about `most` of them, among those that are offered."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._keys: list[Array] = []
        self._places: list[NDArray[np.int64]] = []
        self._blocks: list[Block] = []
        self._count = 0
        self._limit = np.inf
        self._by_class = np.full(1, np.inf)  # for each number of a label; what lies beyond has none

    def offer(self, block: Block, keys: Array, places: NDArray[np.int64]) -> None:
        """Rows, whose y are numbers of labels, their keys, and numbers in whose order they stand."""
        limits = self._by_class
        most = limits.max() if block.y.max() < limits.size else np.inf
        some = np.flatnonzero(keys <= max(most, self._limit))
        own = np.append(limits, np.inf)[np.minimum(block.y[some], limits.size)]
        some = some[keys[some] <= np.maximum(own, self._limit)]
        if some.size == 0:
            return
        taken = block.take(some)
        rows = taken.rows if is_coded(taken.rows) else np.array(taken.X, order="C")
        with self._lock:
            self._keys.append(keys[some])
            self._places.append(places[some])
            self._blocks.append(Block(rows, taken.y, taken.weight, taken.offset))
            self._count += some.size
            if self._count > 2.5 * self._most:
                self._shrink(int(max(part.y.max() for part in self._blocks)) + 1)

    def _shrink(self, n_classes: int) -> None:
        """Let those go that cannot be among the last ones."""
        keys, places, block = self._joined()
        share = max(1, self._most // (2 * n_classes))
        order = np.argsort(keys, kind="stable")
        stays = np.zeros(keys.size, dtype=np.bool_)
        stays[order[: self._most]] = True
        limits = np.full(n_classes, np.inf)
        for k in range(n_classes):
            of_class = order[block.y[order] == k]
            stays[of_class[:share]] = True
            if of_class.size >= share:
                limits[k] = keys[of_class[share - 1]]
        if keys.size >= self._most:
            self._limit = keys[order[self._most - 1]]
        order = order[stays[order]]
        self._by_class, self._count = limits, order.size
        self._keys, self._places, self._blocks = [keys[order]], [places[order]], [block.take(order)]

    def _joined(self) -> tuple[Array, NDArray[np.int64], Block]:
        from .views import joined

        keys, places, blocks = self._keys, self._places, self._blocks
        self._keys, self._places, self._blocks = [], [], []
        return np.concatenate(keys), np.concatenate(places), joined(blocks)

    def packed(self) -> tuple[Array, NDArray[np.int64], Block] | None:
        """What may be among the last ones, to be offered elsewhere; None if no row was offered."""
        if not self._blocks:
            return None
        self._shrink(int(max(part.y.max() for part in self._blocks)) + 1)
        return self._keys[0], self._places[0], self._blocks[0]

    def end(self, n_classes: int, n_rows: int) -> Block:
        """The rows that have stayed, in the order of their keys; if they are all `n_rows`, in their own order."""
        self._shrink(n_classes)
        every = self._count == n_rows
        return self._blocks[0].take(np.argsort(self._places[0])) if every else self._blocks[0]


def drawn_of(y: NDArray[np.integer[Any]], totals: NDArray[Any], n: int) -> tuple[NDArray[np.intp], Array]:
    """About n rows of a sample in the order of its keys, and how many rows of all each stands for.

    y : (m,) the classes of the rows of the sample
    totals : rows of each class in all
    """
    wanted = np.maximum(n * totals / max(int(totals.sum()), 1), np.minimum(totals, n / (2 * totals.size)))
    wanted = np.ceil(wanted * n / max(float(wanted.sum()), 1.0)).astype(np.intp)
    chosen, weight = np.zeros(y.size, dtype=np.bool_), np.zeros(y.size)
    for k, total in enumerate(totals):
        rows = np.flatnonzero(y == k)[: max(int(wanted[k]), 1)]
        chosen[rows] = True
        weight[rows] = total / max(rows.size, 1)
    found = np.flatnonzero(chosen)
    return found, weight[found]
