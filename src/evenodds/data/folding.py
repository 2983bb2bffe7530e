"""One read of a source, unit by unit: what a function makes of the batches of each, in the order of the units."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from .batches import Where, most_rows, stopping, table_of
from .memory import count_threads, mapped
from .stash import Stash
from .telling import told
from .units import Source, Unit

T = TypeVar("T")
Tables = Iterator[tuple[Any, Where]]  # Arrow tables that have rows, and where these stand


def folded(
    source: Source,
    columns: Sequence[str],
    function: Callable[[int, Tables], T],
    n_jobs: int | None,
    stash: Stash | None = None,
) -> Iterator[T]:
    """The function of the number of each unit and of its tables, by several threads.

    stash : where the batches are kept for the next read
    """
    names = list(dict.fromkeys(columns))
    known = [unit.n_rows for unit in source.units]
    n_rows = None if None in known else sum(n or 0 for n in known)
    threads = max(1, min(count_threads(n_jobs), len(source.units)))
    source.require_unchanged()
    with told(n_rows, len(names)) as step, stopping() as stop:

        def one(job: tuple[int, Unit]) -> T:
            return function(job[0], _tables(*job, names, stop, step, stash))

        yield from mapped(one, enumerate(source.units), threads)
    source.require_unchanged()


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
