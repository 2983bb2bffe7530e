"""One read of a source, unit by unit: what a function makes of the batches of each, in the order of the units."""

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .batches import Where, most_rows, stopping, table_of
from .memory import count_threads, mapped
from .stash import Stash
from .telling import told
from .units import Source, Unit

T = TypeVar("T")
FAN = 8  # sums that are added at once
Tables = Iterator[tuple[Any, Where]]  # Arrow tables that have rows, and where these stand


def in_a_tree(parts: Iterable[T], add: Callable[[list[T]], T]) -> T:
    """The sum of parts: of neighbours, then of such sums, so that it has the same bits wherever each is taken."""
    levels: list[list[T]] = []
    for one in parts:
        part, k = one, 0
        while k < len(levels) and len(levels[k]) == FAN - 1:
            part, levels[k], k = add([*levels[k], part]), [], k + 1
        levels += [[]] if k == len(levels) else []
        levels[k].append(part)
    rest: list[T] = []
    for level in levels:
        rest = [add([*level, *rest])] if level or rest else []
    return rest[0] if rest else add([])


def folded(
    source: Source,
    columns: Sequence[str],
    function: Callable[[int, Tables], T],
    add: Callable[[list[T]], T],
    n_jobs: int | None,
    stash: Stash | None = None,
) -> T:
    """The sum of a function of the number of each unit and of its tables, by several threads, or where they are.

    stash : where the batches are kept for the next read
    """
    names = list(dict.fromkeys(columns))
    if source.cluster is not None:
        with told(None, len(names)):
            return source.cluster.run(_Fold(function, names), names, add)
    known = [unit.n_rows for unit in source.units]
    n_rows = None if None in known else sum(n or 0 for n in known)
    threads = max(1, min(count_threads(n_jobs), len(source.units)))
    source.require_unchanged()
    with told(n_rows, len(names)) as step, stopping() as stop:

        def one(job: tuple[int, Unit]) -> T:
            return function(job[0], _tables(*job, names, stop, step, stash))

        total: T = in_a_tree(mapped(one, enumerate(source.units), threads), add)
    source.require_unchanged()
    return total


@dataclass(frozen=True)
class _Fold(Generic[T]):
    """The same of one partition, where it is."""

    function: Callable[[int, Tables], T]
    names: list[str]

    def __call__(self, k: int, unit: Unit) -> T:
        return self.function(k, _tables(k, unit, self.names, threading.Event(), lambda n_rows: None, None))


def listed(parts: list[list[T]]) -> list[T]:
    """All of several lists."""
    return [*itertools.chain.from_iterable(parts)]


def tables_of(source: Source, columns: Sequence[str]) -> Tables:
    """The tables of some columns, one unit after another."""
    source.require_unchanged()
    with stopping() as stop:
        for k, unit in enumerate(source.units):
            yield from _tables(k, unit, list(dict.fromkeys(columns)), stop, lambda n_rows: None, None)
    source.require_unchanged()


def _tables(
    k: int,
    unit: Unit,
    names: list[str],
    stop: threading.Event,
    step: Callable[[int], None],
    stash: Stash | None,
) -> Tables:
    row = unit.first
    for batch in unit.batches(names, most_rows(len(names))):
        if stop.is_set():
            return
        if batch.num_rows:
            if stash is not None:
                stash.keep(k, batch)
            yield table_of(batch, unit.fixed, names), Where(unit.name, row)
            step(batch.num_rows)
        row += batch.num_rows
