"""Groups of rows, such as clusters, known by their values, so that sums by group can be added wherever the rows are.

What is kept and sent is as much as there are groups: nobody holds the group of each row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..arrays import Which

_SPARE = 2  # times as many sums as there were groups are kept apart, so that adding costs no more than the sums


@dataclass(frozen=True)
class Groups:
    """The group of each of some rows.

    values : the groups, each once
    codes : (m,) the place of each row's among them
    """

    values: Sequence[Any]
    codes: NDArray[np.intp]

    @classmethod
    def numbered(cls, values: Sequence[Any], at: NDArray[Any]) -> "Groups":
        """The groups of rows whose values are at these places; values that are equal, as 0.0 and -0.0, are one."""
        numbers: dict[Any, int] = {}
        codes = np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.intp)
        return cls(list(numbers), codes[at])

    @classmethod
    def joined(cls, parts: Sequence["Groups"]) -> "Groups":
        """Those of several blocks, one after another."""
        ends = np.cumsum([0, *(len(part.values) for part in parts)])
        at = np.concatenate([part.codes + end for part, end in zip(parts, ends, strict=False)])
        return cls.numbered([value for part in parts for value in part.values], at)

    def __getitem__(self, k: Which) -> "Groups":
        return Groups(self.values, self.codes[k])


@dataclass(frozen=True)
class GroupSums:
    """Sums by group. Added to others it is their sum: parts are kept beside one another until they are many.

    parts : groups, each once, and a row of sums for each, an array or CSR
    known : how many groups there were when parts were last put together
    """

    parts: Sequence[tuple[Sequence[Any], Any]]
    known: int = 0

    def __add__(self, more: "GroupSums") -> "GroupSums":
        found = GroupSums([*self.parts, *more.parts], max(self.known, more.known))
        return found.together() if sum(len(values) for values, _ in found.parts) > _SPARE * found.known else found

    def together(self) -> "GroupSums":
        """The same with each group once."""
        numbers: dict[Any, int] = {}
        each = [numbers.setdefault(value, len(numbers)) for values, _ in self.parts for value in values]
        rows = [rows for _, rows in self.parts]
        shape = len(numbers), len(each)
        member = sp.csr_array((np.ones(len(each)), (np.array(each, dtype=np.intp), np.arange(len(each)))), shape=shape)
        total = member @ (sp.vstack(rows, format="csr") if sp.issparse(rows[0]) else np.concatenate(rows))
        return GroupSums([(list(numbers), total)], len(numbers))
