"""The first read of a source: how many rows and labels there are, a sample of them, and where rows stay for the next.

What fits the budget stays in memory. Of what does not, text is spilled as numbers, and all else read again.
"""

import functools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, Mask, Values
from ..exceptions import EvenOddsError
from . import Block, is_coded
from .batches import Reading, Where, stopping
from .memory import mapped
from .sampling import Sample
from .spilled import Spill
from .stash import Stash
from .telling import told
from .units import Source, Unit
from .views import joined

_OF_SAMPLE = 32  # part of the budget that the sample may take
_LEAST_SAMPLE = 1 << 21  # entries
_LONGEST = 1 << 40  # rows of a unit
_SEED = 0


@dataclass
class Found:
    """What was found in one unit.

    n_rows : those that have weight, of the `read` ones
    kept : which of them these are, as bits; None if all
    stays : its blocks in memory, or their places in a file
    """

    read: int = 0
    n_rows: int = 0
    kept: NDArray[np.uint8] | None = None
    counts: Any = None
    totals: Any = None
    stays: Any = None


@dataclass(frozen=True)
class Survey:
    """What a source holds.

    places : of the units, for whoever names a row
    found : in each of them
    labels : the target's, in the order of their numbers
    counts, totals : (K,) rows and weight of each
    sample : of the rows, y the numbers of their labels; of rows in memory nothing
    whole : all rows with weight, if they are in memory
    source : where the rows are read from now on
    middle : what has been taken off the numbers of coded rows, here, and is to be elsewhere
    spill : the file in which their blocks stay, if there is one
    """

    places: tuple[Where, ...]
    found: tuple[Found, ...]
    labels: tuple[Any, ...]
    counts: NDArray[np.int64]
    totals: Array
    sample: Block
    whole: Block | None
    spill: Spill | None
    source: Source
    middle: Array | None = None

    @property
    def n_rows(self) -> int:
        """Rows with weight."""
        return int(self.counts.sum())

    @property
    def read(self) -> int:
        """All rows."""
        return sum(found.read for found in self.found)

    def kept(self) -> NDArray[np.intp] | None:
        """The numbers of the rows with weight, None if all have some."""
        if all(found.kept is None for found in self.found):
            return None
        parts, first = [], 0
        for found in self.found:
            mask = np.ones(found.read, bool) if found.kept is None else np.unpackbits(found.kept, count=found.read)
            parts.append(first + np.flatnonzero(mask))
            first += found.read
        return np.concatenate(parts)


class Surveyor:
    """Reads all units once."""

    def __init__(self, source: Source, reading: Reading, memory: int, spill: bool | str) -> None:
        self._source, self._reading, self._memory = source, reading, memory
        roles, self._width = reading.roles, _width(reading)
        self._sample = Sample(most_of_sample(reading, memory))
        self._lock, self._bytes, self._spill_to = threading.Lock(), 0, spill
        known = [unit.n_rows for unit in source.units]
        self._n_rows = None if None in known else sum(n or 0 for n in known)
        self._fits = self._n_rows is None or self._n_rows * self._width <= memory
        self._keeps = (source.parsed or bool(spill)) and reading.encoding is None
        # What is encoded stays as it was before, not to be parsed anew.
        again = reading.encoding is not None and (source.parsed or bool(spill))
        self._stash = Stash(source, roles.every, memory, spill) if again else None
        self._spill: Spill | None = None

    def survey(self, n_threads: int) -> Survey:
        """What the units hold."""
        labels = self._reading.labels
        self._source.require_unchanged()
        with told(self._n_rows, self._reading.entries) as step, stopping() as stop:
            jobs = [(k, unit, stop, step) for k, unit in enumerate(self._source.units)]
            every = list(mapped(lambda job: self._unit(*job), jobs, n_threads))
        self._source.require_unchanged()
        require_rows(every)
        for one in every:
            self._move(one)
        if labels is not None:
            labels.complete = True
        whole = _joined([one for one in every if one.n_rows]) if self._fits else None
        places = tuple(Where(unit.name, unit.first) for unit in self._source.units)
        numbers = None if labels is None else tuple(labels.numbers)
        survey = surveyed(self._source, self._reading, places, tuple(every), numbers, self._sample, whole)
        if self._stash is not None and whole is None:
            survey = replace(survey, source=self._stash.source())
        return replace(survey, spill=self._spill)

    def _unit(self, k: int, unit: Unit, stop: threading.Event, step: Callable[[int], None]) -> Found:
        keep = None if self._stash is None else functools.partial(self._stash.keep, k)

        def each(found: Found, block: Block) -> None:
            self._stay(found, block)
            step(block.n_rows)

        return looked_at(k, self._reading.blocks(unit, stop, keep), self._sample, each)

    def _stay(self, found: Found, block: Block) -> None:
        """Keep the rows of a block where they are to stay."""
        with self._lock:
            self._bytes += block.n_rows * self._width
            self._fits = self._fits and self._bytes <= self._memory
            if not self._fits and self._keeps and self._spill is None:
                folder = self._spill_to if isinstance(self._spill_to, str) else None
                self._spill = Spill(folder, block.rows.shape[1], block.weight is not None)
        if self._fits:
            rows = block.rows if is_coded(block.rows) else np.array(block.X, order="C")
            found.stays.append(Block(rows, block.y, block.weight, block.offset))
            return
        self._move(found)
        if self._spill is not None:
            found.stays.append(self._spill.write(block))

    def _move(self, found: Found) -> None:
        """What a unit has in memory goes to the file, if there is one, or is let go, where not all fits."""
        if self._fits:
            return
        write = None if self._spill is None else self._spill.write
        stays = [one for one in found.stays if write is not None or not isinstance(one, Block)]
        found.stays = [write(one) if write is not None and isinstance(one, Block) else one for one in stays]


def _width(reading: Reading) -> int:
    """The bytes of a row."""
    return 8 * (reading.entries + 1 + (reading.roles.weight is not None) + len(reading.roles.offset))


def most_of_sample(reading: Reading, memory: int) -> int:
    """The rows of the sample."""
    return max(_LEAST_SAMPLE * 8, memory // _OF_SAMPLE) // _width(reading) + 1


def looked_at(
    k: int,
    blocks: Iterable[tuple[Block, Mask | None]],
    sample: Sample,
    each: Callable[[Found, Block], None] = lambda found, block: None,
) -> Found:
    """What is found in unit k, whose rows are offered to a sample."""
    rng, found, bits = np.random.default_rng([_SEED, k]), Found(stays=[]), []
    found.counts, found.totals = np.zeros(1, np.int64), np.zeros(1)
    for block, kept in blocks:
        found.read += block.n_rows if kept is None else kept.size
        bits.append(np.broadcast_to(True, block.n_rows) if kept is None else kept)
        if block.n_rows:
            first = k * _LONGEST + found.n_rows
            sample.offer(block, rng.random(block.n_rows), np.arange(first, first + block.n_rows))
            found.n_rows += block.n_rows
            counts = np.bincount(block.y)
            found.counts = added(found.counts, counts)
            weights = counts if block.weight is None else np.bincount(block.y, block.weight)
            found.totals = added(found.totals, weights)
            each(found, block)
    if found.n_rows < found.read:
        found.kept = np.packbits(np.concatenate(bits))
    return found


def require_rows(every: Iterable[Found]) -> None:
    """An error where there is no row, or none that has weight."""
    every = list(every)
    if not any(one.read for one in every):
        raise EvenOddsError("There are no rows in what is scanned.")
    if not any(one.n_rows for one in every):
        raise EvenOddsError("Sample weights must contain at least one non-zero number: all rows have weight 0.")


def surveyed(
    source: Source,
    reading: Reading,
    places: tuple[Where, ...],
    every: tuple[Found, ...],
    labels: tuple[Any, ...] | None,
    offered: Sample,
    whole: Block | None = None,
) -> Survey:
    """What was found in all units, together.

    labels : None if there is no target
    whole : all rows, if they are in memory
    """
    n_labels = 1 if labels is None else len(labels)
    counts, totals = np.zeros(n_labels, np.int64), np.zeros(n_labels)
    for one in every:
        if one.n_rows:
            counts, totals = added(counts, one.counts), added(totals, one.totals)
    sample = offered.end(n_labels, int(counts.sum())) if whole is None else whole.take(slice(0, 0))
    middle = None
    if reading.encoding is not None and reading.encoding.centres and is_coded(sample.rows):
        if whole is None:
            sample = replace(sample, rows=sample.rows.centred())
            middle = sample.rows.center
        else:
            whole = replace(whole, rows=whole.rows.centred())
    return Survey(places, every, labels or (), counts, totals, sample, whole, None, source, middle)


def _joined(found: list[Found]) -> Block:
    """The blocks that are in memory as one; each is let go when it is copied."""
    if not isinstance(found[0].stays[0].rows, np.ndarray):
        return joined([block for one in found for block in one.stays])
    n, start = sum(one.n_rows for one in found), 0
    X = np.empty((n, found[0].stays[0].X.shape[1]))
    beside: dict[str, list[Any]] = {"y": [], "weight": [], "offset": []}
    for one in found:
        while one.stays:
            block = one.stays.pop(0)
            X[start : start + block.n_rows] = block.X
            start += block.n_rows
            for name, parts in beside.items():
                parts.append(getattr(block, name))
    y, weight, offset = (None if parts[0] is None else np.concatenate(parts) for parts in beside.values())
    assert y is not None
    return Block(X, y, weight, offset)


def added(total: Values, more: Values) -> Any:
    """The sum of two arrays, the shorter one filled up."""
    size = max(total.size, more.size)
    if total.size == more.size:  # nearly always, and a pad takes long beside a block
        return total + more
    return np.pad(total, (0, size - total.size)) + np.pad(more, (0, size - more.size))
