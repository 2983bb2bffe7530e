"""Rows between two reads: in memory where they fit, else in a file that has no name.

The file is unlinked when it is made, so that it is gone on every exit, that of a killed process too. It holds blocks as
they are computed with, columns one after another, and is mapped: reading it decodes and copies nothing.
"""

import mmap
import tempfile
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..exceptions import EvenOddsError
from . import Block
from .apart import Apart

_PAGE = 4096

Place = tuple[int, int, int]  # where a block begins, its rows, and the columns of its offset


class HiddenFile:
    """A file without a name, to which parts are added, and which is read when all are there.

    folder : where it is; None for that of the system
    """

    def __init__(self, folder: str | None) -> None:
        self._lock, self._end = threading.Lock(), 0
        self._map: Any = None
        self._folder = folder or tempfile.gettempdir()
        try:
            # Without a buffer, of which a part would be left to write when it is closed on a full disk. And without
            # `with`, which the rule asks for (SIM115): it is open as long as it is in use, and closed by the finalizer.
            self._file = tempfile.TemporaryFile(prefix="evenodds-", dir=folder, buffering=0)  # noqa: SIM115
        except OSError as error:
            raise EvenOddsError(f"No file can be made in {self._folder}: {error.strerror}.") from error
        weakref.finalize(self, self._file.close)

    def write(self, parts: Sequence[Any]) -> int:
        """Add buffers, one after another; where they begin."""
        views = [memoryview(part).cast("B") for part in parts]
        size = sum(view.nbytes for view in views)
        with self._lock:
            at, self._end = self._end, self._end + size + -size % _PAGE
            try:
                self._file.seek(at)
                for view in views:
                    while view.nbytes:
                        view = view[self._file.write(view) :]
                self._file.truncate(self._end)
            except OSError as error:
                raise EvenOddsError(
                    f"The rows that are read do not fit into the folder {self._folder}, where {at / 1e9:.2f} GB of "
                    f"them are written: {error.strerror}. Name another folder with spill=, or write the table as "
                    "Parquet, which is read again in the place of being kept."
                ) from error
        return at

    def mapped(self) -> Any:
        """All of it, mapped."""
        with self._lock:
            if self._map is None:
                self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._map


class Spill:
    """Blocks in a file."""

    def __init__(self, folder: str | None, n_columns: int, weighted: bool) -> None:
        self._p, self._weighted, self._file = n_columns, weighted, HiddenFile(folder)

    def write(self, block: Block) -> Place:
        """Add a block; where it is."""
        columns = block.rows.columns if isinstance(block.rows, Apart) else block.X.T
        columns = [np.asarray(column, dtype=np.float64) for column in columns]
        parts = [*columns, *(part for part in (block.weight, block.offset) if part is not None), block.y]
        width = 0 if block.offset is None else 1 if block.offset.ndim == 1 else block.offset.shape[1]
        return self._file.write([np.ascontiguousarray(part) for part in parts]), block.n_rows, width

    def read(self, place: Place) -> Block:
        """A block as it was written, as a view of the file."""
        whole, (at, m, width) = self._file.mapped(), place

        def take(count: int, dtype: type[np.generic] = np.float64) -> Any:
            nonlocal at
            values = np.frombuffer(whole, dtype, count, at)
            at += values.nbytes
            return values

        X = take(self._p * m).reshape(self._p, m).T
        weight = take(m) if self._weighted else None
        offset = take(m * width) if width else None
        if offset is not None and width > 1:
            offset = offset.reshape(m, width)
        return Block(X, take(m, np.uint32), weight, offset)
