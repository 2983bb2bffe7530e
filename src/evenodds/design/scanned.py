"""Rows that are scanned by a design: what it is learnt from, and how it makes rows of their batches."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..data.batches import Roles
from ..data.folding import Tables, listed
from ..data.scan import Scan
from ..exceptions import EvenOddsError
from .columns import Place, Table, kind_of, no_kind
from .design import Design
from .facts import Asked, Facts, merged
from .learning import all_columns, learnt
from .terms import block_shape

_MOST_NUMBERS = 1 << 20  # of which splines and polynomials are learnt exactly


@dataclass(frozen=True)
class Encoded:
    """The rows of batches as a design makes them; see `batches.Encoding`.

    multiplied : whether factors are columns of 0 and 1, not codes
    """

    design: Design
    multiplied: bool = False

    @cached_property
    def reads(self) -> Sequence[str]:
        """The columns that it takes."""
        return list(self.design.kinds)

    @property
    def names(self) -> Sequence[str]:
        """Of the columns that it makes."""
        return self.design.names

    @cached_property
    def entries(self) -> int:
        """That a row has."""
        return sum(block_shape(block, self.design.atoms)[0] for term in self.design.terms for block in term.blocks)

    @property
    def drops(self) -> bool:
        """Whether rows without a value are left out."""
        return self.design.missing == "drop"

    @property
    def centres(self) -> bool:
        """Whether there is an intercept, which makes up for what is taken off numbers."""
        return self.design.intercept

    def rows(self, table: pa.Table, place: Place, left_out: NDArray[np.bool_] | None) -> tuple[Any, NDArray[np.bool_]]:
        """The rows of an Arrow table, and which of them have no numbers: those that are left out among them."""
        rows = self.design.read(Table(table, place), left_out)
        return rows.matrix() if self.multiplied else rows.for_stream(), rows.gone


class Scanned:
    """Rows that are scanned, from which a design is learnt; see `facts.Source`.

    beside : the columns of labels, weights and offsets
    """

    def __init__(self, scan: Scan, beside: Iterable[str | None], n_jobs: int | None) -> None:
        self._scan, self._n_jobs, self._now = scan, n_jobs, scan
        self._beside = [name for name in beside if name is not None]
        self.names: Sequence[str] = scan.roles.every

    def kind(self, name: str) -> tuple[str, bool]:
        """See `facts.Source`."""
        if name not in self._scan.known:
            raise EvenOddsError(f"There is no column {name!r} in what is scanned.")
        categorical, inner, kind = kind_of(self._scan.source.types[name])
        if kind is None:
            raise no_kind(name, inner)
        return kind, categorical

    def read(self, asked: Asked) -> Facts:
        """See `facts.Source`. Rows are kept for the next read where they fit, or are text."""
        columns, scan = list(dict.fromkeys([*asked.columns, *self._beside])), self._scan
        stash = scan.stash(columns) if self._now is scan else None
        most = max(1, _MOST_NUMBERS // max(1, len(asked.waiting)))

        def one(k: int, tables: Tables) -> Facts:
            facts = Facts(asked, k, most)
            for table, where in tables:
                facts.add(Table(table, where.row))
            return facts

        found = self._now.fold(columns, one, merged, self._n_jobs, stash) if scan.source.units else None
        if found is None or found.n_rows == 0:
            raise EvenOddsError("There are no rows in what is scanned.")
        if stash is not None:
            self._now = scan.reread(stash, columns)
        return found


def encoded(scan: Scan, design: Design, multiplied: bool) -> Scan:
    """Rows that are scanned as a design makes them, with what it knows of the columns beside X."""
    at = scan.roles
    weight, target = at.weight or design.weight, at.target or design.target
    offset = at.offset or (() if design.offset is None else (design.offset,))
    plain = replace(design, positive=None, rest=False)  # which labels are of which class is no matter of the rows
    roles = Roles(tuple(design.kinds), target, weight, offset)
    return scan.encode(Encoded(plain, multiplied), roles, design.label if design.rest else None)


def learn_all(scan: Scan, n_jobs: int | None, intercept: bool) -> Design:
    """The design of all columns of X."""
    at = scan.roles
    beside = [name for name in (at.target, at.weight, *at.offset) if name is not None]
    source = Scanned(scan, beside, n_jobs)
    return learnt(source, all_columns([name for name in source.names if name not in beside], intercept))


def of_tables(scan: Scan, design: Design, function: Callable[[Table], Any]) -> list[Any]:
    """What a function makes of the tables of the columns that a design takes, one after another."""

    def one(_: int, tables: Tables) -> list[Any]:
        return [function(Table(table, where.row)) for table, where in tables]

    return scan.fold(list(design.kinds), one, listed)
