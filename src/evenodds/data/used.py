"""The columns of a sparse X that have entries: what a penalty holds at 0 has a coefficient in no other.

Words that are in none of these documents, levels that are in none of these rows: of a short text with a long
vocabulary they are most columns, and all that is done beside the reads of the data is done once for each column.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Array, Mask, Numbers
from . import Block, Data
from .memory import Memory

_MANY = 0.8  # of the columns, beyond which there is little to spare
_AT_ONCE = 2**17  # entries


@dataclass(frozen=True)
class Used:
    """Rows in memory in the columns that have entries.

    data : the home of the rows
    columns : (k,) which these are
    number : (p,) of those, how many of them come before
    """

    data: Data
    columns: Numbers
    number: Numbers

    @classmethod
    def of(cls, data: Data) -> "Used | None":
        """None if hardly a column is without an entry, or if the rows are elsewhere.

        And where the squares of the entries have no sum: what is wrong is then said of the columns as they are given.
        """
        block = data.whole() if data.sparse and data.layout is None else None
        if block is None:
            return None
        has_entries = _with_entries(block.X.indices, data.n_columns)
        with np.errstate(over="ignore", invalid="ignore"):
            if has_entries is None or not np.isfinite(np.dot(block.X.data, block.X.data)):
                return None
        columns = np.flatnonzero(has_entries)
        number = np.cumsum(has_entries, dtype=block.X.indices.dtype) - 1
        rows = _renumbered(block, number, columns.size).rows
        home = Memory(
            rows,
            block.y,
            block.weight,
            block.offset,
            n_jobs=data.n_jobs,
            present=data.present,
            center=data.center[columns],
            kept=data.kept,
            groups=block.groups,
        )
        return cls(home, columns, number)

    def block(self, block: Block) -> Block:
        """Some of the rows of the data, in these columns."""
        return _renumbered(block, self.number, self.columns.size)

    def outside(self, values: Array) -> Array:
        """Values of these columns (..., k) as values of all (..., p), 0 in the others."""
        every = np.zeros((*values.shape[:-1], self.number.size))
        every[..., self.columns] = values
        return every

    def inside_theta(self, theta: Array, first: int) -> Array:
        """Theta of these columns from that of all, the coefficients of classes one after another.

        first : how many of each class are no column's
        """
        table = theta.reshape(-1, first + self.number.size)
        return np.concatenate([table[:, :first], table[:, first:][:, self.columns]], axis=1).ravel()

    def outside_theta(self, theta: Array, first: int) -> Array:
        """Theta of all columns from that of these."""
        table = theta.reshape(-1, first + self.columns.size)
        return np.concatenate([table[:, :first], self.outside(table[:, first:])], axis=1).ravel()


def _with_entries(indices: Numbers, n_columns: int) -> Mask | None:
    """Which columns have an entry; None if none has, and as soon as they are too many."""
    found = np.zeros(n_columns, dtype=np.bool_)
    for start in range(0, len(indices), _AT_ONCE):
        found[indices[start : start + _AT_ONCE]] = True
        if np.count_nonzero(found) > _MANY * n_columns:
            return None
    return found if found.any() else None


def _renumbered(block: Block, number: Numbers, size: int) -> Block:
    X = block.X
    fewer = type(X)((X.shape[0], size), dtype=X.dtype)
    fewer.data, fewer.indices, fewer.indptr = X.data, number[X.indices], X.indptr
    return replace(block, rows=fewer)
