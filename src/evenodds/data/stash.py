"""Batches of a first read that are read again in the place of their source: from memory, where they fit, or a file.

They stay as they came, text as codes, so that what is learnt from the first read can be used in the next.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from .spilled import HiddenFile
from .units import Batches, Source

Stay = Any  # a batch in memory, or where it is in the file


class Stash:
    """Some columns of the units of a source."""

    def __init__(self, source: Source, columns: Sequence[str], memory: int, spill: bool | str) -> None:
        self._source, self._columns, self._memory, self._spill_to = source, list(columns), memory, spill
        self._stays: list[list[Stay]] = [[] for _ in source.units]
        self._lock, self._bytes, self._fits = threading.Lock(), 0, True
        self._file: HiddenFile | None = None
        known = [unit.n_rows for unit in source.units]
        if None not in known and 4 * len(self._columns) * sum(n or 0 for n in known) > memory:
            self._let_go()

    def keep(self, k: int, batch: pa.RecordBatch) -> None:
        """Keep a batch of a unit, if it is to stay. Those of a unit come in their order."""
        with self._lock:  # another thread may be about to make the file
            if not self._fits and self._file is None:
                return
        batch = _in_codes(batch, self._source.units[k].fixed)
        with self._lock:
            self._bytes += batch.nbytes
            if self._fits and self._bytes > self._memory:
                self._let_go()
            if self._fits:
                self._stays[k].append(batch)
                return
        if self._file is not None:
            self._stays[k].append(_written(self._file, batch))

    def _let_go(self) -> None:
        """What is in memory goes to a file, if text is parsed anew else, or there is to be one."""
        self._fits = False
        if self._source.parsed or self._spill_to:
            file = HiddenFile(self._spill_to if isinstance(self._spill_to, str) else None)
            self._stays = [[_written(file, batch) for batch in some] for some in self._stays]
            self._file = file
        else:
            self._stays = [[] for _ in self._stays]

    def source(self) -> Source:
        """What is to be read from now on."""
        if not self._fits and self._file is None:
            return self._source
        units = [replace(unit, open=self._opener(k)) for k, unit in enumerate(self._source.units)]
        return replace(self._source, units=tuple(units), parsed=False)

    def _opener(self, k: int) -> Any:
        stays, file = self._stays[k], self._file

        def read(columns: list[str], rows: int) -> Batches:
            for stay in stays:
                yield (stay if file is None else _read(file, stay)).select(columns)

        return read


def _in_codes(batch: pa.RecordBatch, fixed: Mapping[str, Any]) -> Any:
    """A batch by itself, its text as codes."""
    columns = {name: batch.column(name) for name in batch.schema.names if name not in fixed}
    for name, column in columns.items():
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            columns[name] = column.dictionary_encode()
    return pa.RecordBatch.from_pydict(columns)


def _written(file: HiddenFile, batch: pa.RecordBatch) -> tuple[int, int]:
    """Where a batch is in a file, as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    packed = sink.getvalue()
    return file.write([packed]), packed.size


def _read(file: HiddenFile, stay: tuple[int, int]) -> Any:
    at, size = stay
    with pa.ipc.open_stream(pa.py_buffer(file.mapped())[at : at + size]) as stream:
        return stream.read_next_batch()
