"""A wide sparse fit in the columns that have entries: with a penalty the coefficients of the others are 0.

Words that are in none of these documents, levels that are in none of these rows: of a short text with a long
vocabulary they are most columns, and all that is done beside the reads of the data is done once for each column.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Array, Numbers
from ..coordinates import Coordinates
from ..data import Block
from ..objective import Objective
from . import Report

_MANY = 0.8  # of the columns, beyond which there is little to spare


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
        has_entries = np.zeros(data.n_columns, dtype=np.bool_)
        has_entries[block.X.indices] = True
        used = np.flatnonzero(has_entries)
        if used.size > _MANY * data.n_columns or not np.isfinite(block.X.data).all():
            return None
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


def _renumbered(block: Block, number: Numbers, size: int) -> Block:
    X = block.X
    fewer = type(X)((X.data, number[X.indices], X.indptr), shape=(X.shape[0], size))
    return replace(block, rows=fewer)
