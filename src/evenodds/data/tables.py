"""Rows that are scanned in memory, for what needs them there: all of them, if they fit, or one column."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..exceptions import EvenOddsError
from .batches import Roles, Where, column_of, groups_of, table_of
from .budget import said
from .groups import Groups
from .units import Source, is_integer

Table = tuple[Any, Any, Any, Any]


def whole_table(source: Source, roles: Roles, memory: int, factor: float, what: str) -> Table:
    """X as an Arrow table, and the columns of y, weights and offsets, if they fit.

    factor : on the weights
    what : needs them, for the error
    """
    batches, size = [], 0
    for unit in source.units:
        for batch in unit.batches(roles.every, roles.rows):
            batches.append(table_of(batch, unit.fixed, roles.every))
            size += batches[-1].nbytes
            if size > memory:
                raise EvenOddsError(
                    f"{what} needs all rows in memory, and they take more than the {said(memory)} of "
                    "memory=: give scan more, or fewer rows or columns."
                )
    if not batches:
        raise EvenOddsError("There are no rows in what is scanned.")
    table = pa.concat_tables(batches, promote_options="permissive")
    weight = None if roles.weight is None else table[roles.weight].to_numpy() * factor
    offset = np.column_stack([table[name].to_numpy() for name in roles.offset]) if roles.offset else None
    offset = offset[:, 0] if offset is not None and offset.shape[1] == 1 else offset
    target = None if roles.target is None else table[roles.target]
    if target is not None and is_integer(source.types[str(roles.target)]) and not is_integer(target.type):
        whole = pc.all(pc.equal(pc.floor(target), target)).as_py()  # text was parsed as doubles
        target = target.cast(pa.int64(), safe=False) if whole else target
    X = table.select(list(roles.columns))
    if source.nameless is not None and roles.columns:
        X = np.column_stack([column.to_numpy() for column in X.columns])
    return X, target, weight, offset


def one_column(source: Source, rows: int, name: str) -> NDArray[np.intp]:
    """A column of any kind, as numbers that tell its values apart."""
    parts = []
    for unit in source.units:
        row = unit.first
        for batch in unit.batches([name], rows):
            parts.append(groups_of(column_of(batch, unit.fixed, name), name, Where(unit.name, row)))
            row += batch.num_rows
    if not parts:
        raise EvenOddsError("There are no rows in what is scanned.")
    return Groups.joined(parts).codes
