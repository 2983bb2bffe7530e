"""Rows in files, or in a file between them: each read goes through the units once more, one thread a unit."""

import bisect
import functools
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, Numbers
from . import Block, Data, Sums, is_coded
from .batches import Reading, stopping
from .coded import Layout
from .folding import in_a_tree
from .memory import Memory, add_up, count_threads, mapped, one_blas_thread, part_of
from .room import take_buffers
from .sampling import drawn_of
from .survey import Found, Survey
from .telling import told
from .units import Unit, other_rows

_PARSED = 256.0  # what a read of an entry costs, see `Data`: decoded from Parquet
_MAPPED = 64.0  # mapped from a file of numbers


@dataclass(frozen=True)
class Classes:
    """What the numbers of labels mean.

    codes : (L,) the class of each label that has rows
    factors : (K,) on the weights of the rows of each class; None if all are 1
    present : which of all classes those are that have a number here
    """

    codes: NDArray[np.intp]
    factors: Array | None
    present: NDArray[np.bool_]

    @classmethod
    def of_labels(
        cls, codes: NDArray[np.intp], counts: Numbers, n_classes: int, factors: Array | None, every: bool
    ) -> "Classes":
        """The classes of labels with so many rows.

        every : whether classes without a row belong to the data
        """
        found = np.bincount(codes, counts, n_classes) > 0
        present = np.ones(n_classes, dtype=np.bool_) if every or found.all() else found
        if not present.all():
            codes = np.maximum(np.cumsum(present) - 1, 0)[codes]
            factors = None if factors is None else factors[present]
        return cls(codes, factors, present)

    @property
    def n(self) -> int:
        """How many there are here."""
        return int(self.present.sum())

    def by_class(self, values: Array | Numbers) -> Any:
        """Sums over the classes of what each label has."""
        return np.bincount(self.codes, values, self.n)

    def weights(self, totals: Array) -> Array:
        """The weight of each class from that of each label."""
        found = np.asarray(self.by_class(totals), dtype=np.float64)
        return found if self.factors is None else found * self.factors

    def of(self, block: Block, first: int = 0) -> Block:
        """A block whose y were the numbers of labels."""
        second = np.flatnonzero(self.codes)
        if self.n == 2 and second.size == 1:  # faster than a table
            y: Any = (block.y == second[0]).view(np.uint8)
        else:
            y = self.codes.astype(np.min_scalar_type(self.n - 1))[block.y]
        weight, offset = block.weight, block.offset
        if self.factors is not None:
            own = self.factors[y]
            weight = own if weight is None else weight * own
        if offset is not None and offset.ndim == 2 and not self.present.all():
            offset = offset[:, self.present]
        return Block(block.rows, y, weight, offset, first, block.groups)


def home_of(reading: Reading, survey: Survey, classes: Classes, n_jobs: int | None) -> Data:
    """The home of rows that have been surveyed: `Memory`, if they fit the budget."""
    if survey.whole is None:
        rows = Streamed(reading, survey, classes, n_jobs)
        take_buffers(rows.n_threads)
        return rows
    return Loaded(survey, survey.whole, classes, n_jobs, reading.names)


def place_of(survey: Survey, k: int) -> str:
    """The file and the row of row k of those that have weight."""
    ends = list(itertools.accumulate(found.n_rows for found in survey.found))
    at = bisect.bisect_right(ends, k)
    found = survey.found[at]
    k -= ends[at] - found.n_rows
    if found.kept is not None:
        k = int(np.flatnonzero(np.unpackbits(found.kept, count=found.read))[k])
    return survey.places[at].row(k)


class Loaded(Memory):
    """Rows of files that fit the budget, in memory."""

    def __init__(
        self, survey: Survey, whole: Block, classes: Classes, n_jobs: int | None, names: Sequence[str]
    ) -> None:
        whole = classes.of(whole)
        own: dict[str, Any] = {"n_jobs": n_jobs, "names": list(names), "kept": survey.kept()}
        own |= {"n_classes": classes.present.size, "present": classes.present}
        own["center"] = whole.rows.full_center() if is_coded(whole.rows) else None
        super().__init__(whole.rows, whole.y, whole.weight, whole.offset, **own)
        self._survey = survey

    def where(self, k: int) -> str:
        """The file and the row."""
        return place_of(self._survey, k)


class Streamed:
    """Rows that do not fit into memory; see `Data`."""

    def __init__(self, reading: Reading, survey: Survey, classes: Classes, n_jobs: int | None) -> None:
        self._source, self._reading, self._survey, self._classes = survey.source, reading, survey, classes
        nameless = survey.source.nameless is not None and reading.encoding is None
        self.names: Sequence[str] | None = None if nameless else reading.names
        self.n_rows, self.n_columns = survey.n_rows, len(reading.names)
        self.size, rows = self.n_rows * reading.entries, survey.sample.rows
        self.sparse = survey.sample.sparse
        self.layout: Layout | None = rows.layout if is_coded(rows) else None
        self.center = rows.full_center() if is_coded(rows) else np.zeros(self.n_columns)
        self.present, self.n_jobs = classes.present, n_jobs
        self.class_weights = classes.weights(survey.totals)
        self.read_cost = _MAPPED if survey.spill is not None else _PARSED
        firsts = itertools.accumulate((found.n_rows for found in survey.found), initial=0)
        jobs = zip(survey.source.units, survey.found, firsts, strict=False)
        self._jobs = [job for job in jobs if job[1].n_rows]
        self.n_threads = max(1, min(count_threads(n_jobs), len(self._jobs)))

    @functools.cached_property
    def kept(self) -> NDArray[np.intp] | None:
        """See `Data`."""
        return self._survey.kept()

    def reduce(self, function: Callable[[Block], Sums]) -> Sums:
        """Sum `function(block)` over all rows, unit by unit, in order."""
        self._source.require_unchanged()
        with one_blas_thread, told(self.n_rows, self._reading.entries) as step, stopping() as stop:

            def sums(block: Block) -> Sums:
                found = function(block)
                step(block.n_rows)
                return found

            def one(job: tuple[Unit, Found, int]) -> Sums | None:
                parts = map(sums, self._blocks(*job, stop))
                return add_up(parts) if not stop.is_set() else None

            total: Sums = in_a_tree(mapped(one, self._jobs, self.n_threads), add_up)
        self._source.require_unchanged()
        return total

    def _blocks(self, unit: Unit, found: Found, first: int, stop: threading.Event) -> Iterator[Block]:
        """The blocks of a unit, each until the next."""
        spill = self._survey.spill
        if spill is not None:
            blocks: Iterator[Block] = (spill.read(place) for place in found.stays)
        else:
            blocks = (block for block, _ in self._reading.blocks(unit, stop))
        yield from placed(blocks, self._classes, self._survey.middle, unit.name, found.n_rows, first, stop)

    def blocks(self) -> Iterator[Block]:
        """All rows, block by block, each until the next."""
        self._source.require_unchanged()
        with stopping() as stop:
            for job in self._jobs:
                yield from self._blocks(*job, stop)

    def whole(self) -> Block | None:
        """They do not fit."""
        return None

    def where(self, k: int) -> str:
        """The file and the row."""
        return place_of(self._survey, k)

    def sample(self, n: int, rng: int | np.random.Generator) -> Block:
        """The rows of the survey's sample with the smallest keys, whatever the seed; all rows if they are few."""
        from .views import taken

        if n >= self.n_rows > self._survey.sample.n_rows:
            return taken(self, np.arange(self.n_rows))
        sample = self._classes.of(self._survey.sample)
        if sample.n_rows == self.n_rows:  # in their order
            return self.part(sample).sample(n, rng)
        rows, stands_for = drawn_of(sample.y, self._classes.by_class(self._survey.counts), n)
        some = sample.take(rows)
        return replace(some, weight=stands_for if some.weight is None else some.weight * stands_for)

    def part(self, block: Block) -> Memory:
        """See `Data`."""
        return part_of(self, block)


def placed(
    blocks: Iterable[Block],
    classes: Classes,
    middle: Array | None,
    name: str,
    n_rows: int,
    first: int,
    stop: threading.Event,
) -> Iterator[Block]:
    """The blocks of a unit, as a survey has left them: with their classes, and after so many rows."""
    row = first
    for block in blocks:
        if stop.is_set():
            return
        if block.n_rows:
            if middle is not None:
                block = replace(block, rows=block.rows.less(middle))
            yield classes.of(block, row)
            row += block.n_rows
    if row - first != n_rows and not stop.is_set():
        raise other_rows(name, row - first, n_rows)
