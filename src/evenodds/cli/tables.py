"""The table that a command works on, read by its options."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..delimited import Habit, Spelling
from ..design import parsed
from ..files import Source, numbers, require_columns, require_named, with_labels
from .terminal import progress, say


def read(
    data: Path,
    spelling: Spelling,
    target: str,
    *,
    drop: Sequence[str] = (),
    formula: str | None = None,
    beside: Sequence[str] = (),
    more: Sequence[str] = (),
) -> tuple[Any, Habit | None]:
    """The columns of a fit as a pyarrow table, its target as labels; and how the file is written, if it is text.

    drop : columns to leave out
    formula : where there is one, columns that it does not name are left out
    beside : columns of numbers beside those that explain: weights, offsets
    more : other columns that a formula does not name
    """
    with progress("Reading the table"):
        source = Source(data, spelling)
        apart = [target, *drop, *beside, *more, *spelling.text]
        require_columns(list(dict.fromkeys(apart)), source.names, source.path)
        wanted = [name for name in source.names if name not in drop]
        if formula is not None:
            features = [name for name in wanted if name not in beside]
            taken = dict.fromkeys(parsed(formula, features, target).columns())
            require_columns([*taken], features, source.path)
            wanted = [name for name in wanted if name in taken or name in (target, *beside, *more)]
        table = with_labels(source.table(wanted), source.path, target)
        if formula is None:
            require_named(table, source.path)
        if beside:
            numbers(table.select(list(beside)), source.path, "Weights and offsets are numbers.")
    tell(source)
    return table, source.habit


def tell(source: Source) -> None:
    """Say what was decided of a file."""
    for note in source.notes:
        say("Note", note, "cyan")
