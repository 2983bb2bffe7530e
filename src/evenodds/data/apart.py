"""Rows whose columns lie apart, as batches of files bring them: what reads them column by column needs no copy."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, Which


class Apart:
    """Columns of one length, all float64 or all float32, each in one piece.

    room : a buffer for the columns, one after another; None for a new one
    """

    def __init__(self, columns: Sequence[NDArray[Any]], room: Callable[[], Array] | None = None) -> None:
        self.columns, self._room = columns, room
        self.shape = columns[0].size, len(columns)
        self._array: Array | None = None

    def array(self) -> Array:
        """The rows as one array in column order: a copy, which is made once."""
        if self._array is None:
            room = np.empty(self.shape[::-1]) if self._room is None else self._room()
            for into, column in zip(room, self.columns, strict=True):
                into[:] = column
            self._array = room.T
        return self._array

    def __getitem__(self, k: Which) -> "Apart":
        return Apart([column[k] for column in self.columns])
