"""Rows in partitions that are elsewhere: what Dask and Spark have in common.

A partition is a unit (see `units`) on the worker that has it, and is read there as a file is read here, by the same
code, so that the same units give the same bits. Functions go to the rows, sums come back: a read is one `run` of the
cluster. Rows come here only as a sample.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from . import Block, Sums
from .batches import Encoding, Labels, Reading, Roles, Where
from .folding import listed
from .memory import add_up, one_blas_thread, quiet
from .sampling import Sample
from .streamed import Classes, Streamed, placed
from .survey import Found, Survey, looked_at, most_of_sample, require_rows, surveyed
from .telling import told
from .units import Cluster, Source, Unit


def name_of(k: int) -> str:
    """What the user calls a partition."""
    return f"partition {k}"


@dataclass(frozen=True)
class Rows:
    """How the rows of a partition are read.

    labels : the numbers of the labels; None before they are known
    """

    roles: Roles
    encoding: Encoding | None = None
    labels: dict[Any, int] | None = None

    def reading(self) -> Reading:
        """A reading, which is made where it is needed."""
        target = self.roles.target
        return Reading(self.roles, None if target is None else Labels(target, self.labels), self.encoding)


@dataclass(frozen=True)
class Seen:
    """What a survey finds in some partitions: their numbers, what is in each, the labels, and rows for the sample."""

    numbers: list[int]
    found: list[Found]
    labels: dict[Any, int]
    sample: Any


@dataclass(frozen=True)
class _Look:
    """The survey of one partition. most : rows of the sample"""

    rows: Rows
    most: int

    def __call__(self, k: int, unit: Unit) -> Seen:
        reading, sample = self.rows.reading(), Sample(self.most)
        found = looked_at(k, reading.blocks(unit, threading.Event()), sample)
        labels = {} if reading.labels is None else reading.labels.numbers
        return Seen([k], [found], labels, sample.packed())


@dataclass(frozen=True)
class _Together:
    """Several surveys as one, with the numbers that labels have in all of them."""

    most: int

    def __call__(self, parts: list[Seen]) -> Seen:
        if len(parts) == 1:
            return parts[0]
        labels: dict[Any, int] = {}
        every, sample = list[Found](), Sample(self.most)
        for part in parts:
            new = np.array([labels.setdefault(label, len(labels)) for label in part.labels] or [0], dtype=np.uint32)
            for found in part.found:
                own = new[: found.counts.size]
                every.append(replace(found, counts=_moved(found.counts, own), totals=_moved(found.totals, own)))
            if part.sample is not None:
                keys, places, block = part.sample
                sample.offer(replace(block, y=new[block.y]), keys, places)
        return Seen(listed([part.numbers for part in parts]), every, labels, sample.packed())


def _moved(values: NDArray[Any], places: NDArray[np.uint32]) -> NDArray[Any]:
    """Values at other places."""
    found = np.zeros(int(places.max(initial=0)) + 1, dtype=values.dtype)
    found[places] = values[: places.size]
    return found


def survey_of(source: Source, cluster: Cluster, reading: Reading, memory: int) -> Survey:
    """What all partitions hold, from one read; `reading` then knows the labels."""
    most = most_of_sample(reading, memory)
    rows = Rows(reading.roles, reading.encoding)
    with told(None, reading.entries):
        seen = cluster.run(_Look(rows, most), reading.roles.every, _Together(most))
    require_rows(seen.found)
    by_number = dict(zip(seen.numbers, seen.found, strict=True))
    nothing = Found(counts=np.zeros(1, np.int64), totals=np.zeros(1))
    every = tuple(by_number.get(k, nothing) for k in range(max(by_number) + 1))
    sample = Sample(most)
    if seen.sample is not None:
        keys, places, block = seen.sample
        sample.offer(block, keys, places)
    if reading.labels is not None:
        reading.labels.numbers, reading.labels.complete = seen.labels, True
    at = tuple(Where(name_of(k), 0) for k in range(len(every)))
    return surveyed(source, reading, at, every, None if reading.labels is None else tuple(seen.labels), sample)


@dataclass(frozen=True)
class _Sums:
    """A read of one partition: what a function makes of its blocks, in sum.

    counts, firsts : by partition, its rows and the number of the first
    """

    rows: Rows
    classes: Classes
    middle: Array | None
    counts: NDArray[np.int64]
    firsts: NDArray[np.int64]
    function: Callable[[Block], Sums]

    def __call__(self, k: int, unit: Unit) -> Sums:
        stop = threading.Event()
        blocks = (block for block, _ in self.rows.reading().blocks(unit, stop))
        n_rows, first = int(self.counts[k]), int(self.firsts[k])
        with one_blas_thread, quiet():
            return add_up(map(self.function, placed(blocks, self.classes, self.middle, unit.name, n_rows, first, stop)))


class Partitions(Streamed):
    """Rows on the workers of a cluster; see `Data`."""

    def __init__(
        self, cluster: Cluster, reading: Reading, survey: Survey, classes: Classes, n_jobs: int | None
    ) -> None:
        super().__init__(reading, survey, classes, n_jobs)
        labels = None if reading.labels is None else reading.labels.numbers
        self._cluster, self._rows = cluster, Rows(reading.roles, reading.encoding, labels)
        self._counts = np.array([found.n_rows for found in survey.found])
        self._firsts = np.array([*itertools.accumulate(self._counts, initial=0)][:-1])

    def reduce(self, function: Callable[[Block], Sums]) -> Sums:
        """Sum `function(block)` over all rows, where they are."""
        middle, numbers = self._survey.middle, np.flatnonzero(self._counts).tolist()
        work = _Sums(self._rows, self._classes, middle, self._counts, self._firsts, function)
        with told(self.n_rows, self._reading.entries):
            return self._cluster.run(work, self._rows.roles.every, add_up, numbers)

    def blocks(self) -> Iterator[Block]:
        """All rows, brought here partition by partition."""
        stop = threading.Event()
        found = (block for unit in self._source.units for block, _ in self._reading.blocks(unit, stop))
        yield from placed(found, self._classes, self._survey.middle, "The table", self.n_rows, 0, stop)


@dataclass(frozen=True)
class Mapped:
    """What a function makes of each block of a partition, in a list."""

    rows: Rows
    function: Callable[[Block], Any]

    def __call__(self, k: int, unit: Unit) -> list[Any]:
        """See above."""
        blocks = self.rows.reading().blocks(unit, threading.Event())
        with one_blas_thread, quiet():
            return [self.function(block) for block, _ in blocks if block.n_rows]
