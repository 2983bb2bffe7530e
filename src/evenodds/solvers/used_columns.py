"""A wide sparse fit in the columns that have entries: with a penalty the coefficients of the others are 0."""

from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Array
from ..coordinates import Coordinates
from ..data import Block
from ..data.used import Used
from ..objective import Objective
from . import Report


@dataclass(frozen=True)
class UsedColumns:
    """The problem without the columns that have no entry.

    objective, sample : as they were, in the columns that are left
    used : these columns
    """

    objective: Objective
    sample: Block
    used: Used

    @classmethod
    def of(cls, objective: Objective, sample: Block) -> "UsedColumns | None":
        """The problem, if all columns are penalised and many have no entry, and the rows are here and finite."""
        data, coordinates = objective.data, objective.coordinates
        used = Used.of(data) if (objective.ridge > 0).all() else None
        if used is None:
            return None
        part = replace(objective, data=used.data)
        center, scale = coordinates.center[used.columns], coordinates.scale[used.columns]
        part.coordinates = Coordinates(center, scale, np.arange(used.columns.size), coordinates.intercept)
        part.ridge = objective.ridge[used.columns]
        whole = used.data.whole() if sample.n_rows == data.n_rows else None
        return cls(part, whole or used.block(sample), used)

    @property
    def _first(self) -> int:
        return int(self.objective.coordinates.intercept)

    def inside(self, theta: Array) -> Array:
        """Theta of the columns that are left."""
        return self.used.inside_theta(theta, self._first)

    def outside(self, theta: Array) -> Array:
        """Theta of all columns."""
        return self.used.outside_theta(theta, self._first)

    def reported(self, report: Report | None) -> Report | None:
        """A report that is told of all columns."""
        if report is None:
            return None
        return lambda iteration, loss, error, theta: report(iteration, loss, error, self.outside(theta))
