"""How far a read of rows that are elsewhere has come, told to whoever listens.

A read can take minutes. Who fits says who listens (`listening`); homes tell (`told`), and know nothing of him.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Listener(Protocol):
    """Who is told of reads, one after another."""

    def begin(self, n_rows: int | None, n_columns: int) -> None:
        """A read begins, of so many rows, if that is known."""

    def step(self, n_rows: int) -> None:
        """So many rows more have been read, by whatever thread."""

    def end(self) -> None:
        """The read has ended."""


_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Have a listener told of all reads that this thread asks for."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


@contextmanager
def told(n_rows: int | None, n_columns: int) -> Iterator[Callable[[int], None]]:
    """A read: what is given takes the rows that were read since it was last called."""
    listener = _listener.get()
    if listener is None:
        yield lambda n_rows: None
        return
    listener.begin(n_rows, n_columns)
    yield listener.step
    listener.end()
