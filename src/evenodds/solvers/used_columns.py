"""A wide sparse fit in the columns that have entries: with a penalty the coefficients of the others are 0.

Words that are in none of these documents, levels that are in none of these rows: of a short text with a long
vocabulary they are most columns, and all that is done beside the reads of the data is done once for each column.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Array, Mask, Numbers
from ..coordinates import Coordinates
from ..data import Block
from ..objective import Objective
from . import Report

_MANY = 0.8  # of the columns, beyond which there is little to spare
_AT_ONCE = 2**17  # entries


@dataclass(frozen=True)
class UsedColumns:
    """The problem without the columns that have no entry.

    objective, sample : as they were, in the columns that are left
    places : where those, and the intercept, are in the coefficients of a class
    size : how many coefficients a class has
    """

    objective: Objective
    sample: Block
    places: Any
    size: int

    @classmethod
    def of(cls, objective: Objective, sample: Block) -> "UsedColumns | None":
        """The problem, if all columns are penalised and many have no entry, and the rows are here and finite."""
        data, coordinates = objective.data, objective.coordinates
        plain = data.sparse and data.layout is None
        block = data.whole() if plain and (objective.ridge > 0).all() else None
        if block is None:
            return None
        has_entries = _with_entries(block.X.indices, data.n_columns)
        if has_entries is None or not np.isfinite(block.X.data).all():
            return None
        used = np.flatnonzero(has_entries)
        number = np.cumsum(has_entries, dtype=block.X.indices.dtype) - 1
        first = int(coordinates.intercept)
        rows = _renumbered(block, number, used.size)
        part = objective.on(rows)
        part.data.center, part.data.names = data.center[used], None
        center, scale = coordinates.center[used], coordinates.scale[used]
        part.coordinates = Coordinates(center, scale, np.arange(used.size), bool(first))
        part.ridge = objective.ridge[used]
        whole = sample.n_rows == data.n_rows
        some = rows if whole else _renumbered(sample, number, used.size)
        return cls(part, some, np.concatenate([np.arange(first), used + first]), objective.ridge.size + first)

    def inside(self, theta: Array) -> Array:
        """Theta of the columns that are left."""
        return theta.reshape(-1, self.size)[:, self.places].ravel()

    def outside(self, theta: Array) -> Array:
        """Theta of all columns."""
        table = theta.reshape(-1, self.places.size)
        every = np.zeros((len(table), self.size))
        every[:, self.places] = table
        return every.ravel()

    def reported(self, report: Report | None) -> Report | None:
        """A report that is told of all columns."""
        if report is None:
            return None
        return lambda iteration, loss, error, theta: report(iteration, loss, error, self.outside(theta))


def _with_entries(indices: Numbers, n_columns: int) -> Mask | None:
    """Which columns have an entry; None as soon as they are too many."""
    found = np.zeros(n_columns, dtype=np.bool_)
    for start in range(0, len(indices), _AT_ONCE):
        found[indices[start : start + _AT_ONCE]] = True
        if np.count_nonzero(found) > _MANY * n_columns:
            return None
    return found


def _renumbered(block: Block, number: Numbers, size: int) -> Block:
    X = block.X
    fewer = type(X)((X.data, number[X.indices], X.indptr), shape=(X.shape[0], size))
    return replace(block, rows=fewer)
