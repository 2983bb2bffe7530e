"""`Scan`: rows that are not read yet, and which of their columns are what. They are read when a fit asks for them.

It loads nothing that reads files before there is something to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..exceptions import EvenOddsError
from ..naming import known_column
from . import Block, Data
from .budget import said

if TYPE_CHECKING:
    from .batches import Encoding, Reading, Roles
    from .folding import Tables
    from .stash import Stash
    from .survey import Survey
    from .units import Source

T = TypeVar("T")
MEMORY = "1GB"


class Scan:
    """What `scan` returns: rows that are not read yet. `shape` and `len` read them once."""

    def __init__(
        self,
        source: Source,
        roles: Roles,
        memory: int,
        spill: bool | str,
        factor: float = 1.0,
        encoding: Encoding | None = None,
    ) -> None:
        self._source, self._memory, self._spill, self._factor = source, memory, spill, factor
        self.roles, self._encoding = roles, encoding
        self._label: Callable[[Any], Any] | None = None
        self._known: list[tuple[Survey, Reading]] = []  # what the first read finds, for all that have the same rows
        self._again: Scan | None = None  # the same rows as a first read has kept them
        self._encoded: Scan | None = None  # the same rows by the last encoding

    def __repr__(self) -> str:
        names = ", ".join(self.roles.columns[:5]) + (", ..." if len(self.roles.columns) > 5 else "")
        return f"scan of {len(self._source.units)} parts, target {self.roles.target!r}, columns {names}"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, those of weight 0 among them, and columns of X."""
        return len(self), len(self.roles.columns)

    def __len__(self) -> int:
        from .folding import listed

        if self._encoded is not None:
            return len(self._encoded)
        if self._encoding is not None or self._known:
            return self._surveyed(None)[0].read
        known = [unit.n_rows for unit in self._source.units]
        if None not in known and self._source.cluster is None:
            return sum(filter(None, known))

        def rows(_: int, tables: Tables) -> list[int]:
            return [int(table.num_rows) for table, _ in tables]

        counts: list[int] = self.fold(self.roles.columns[:1], rows, listed)
        return sum(counts)

    @property
    def is_numeric(self) -> bool:
        """Whether all columns of X are numbers or booleans."""
        from .batches import NUMERIC
        from .units import kind_of

        return all(kind_of(self._source.types[name]) in NUMERIC for name in self.roles.columns)

    def labels(self, n_jobs: int | None) -> tuple[Any, ...]:
        """The labels, in the order of their numbers, of rows that have weight or not."""
        from .units import is_integer

        found, kind = self._surveyed(n_jobs)[0].labels, self._source.types[str(self.roles.target)]
        if is_integer(kind) and all(float(label).is_integer() for label in found):
            found = tuple(map(int, found))  # text was parsed as doubles
        return found if self._label is None else tuple(map(self._label, found))

    def counts(self, n_jobs: int | None) -> tuple[NDArray[np.int64], Array]:
        """Of each label the rows with weight, and their weight."""
        survey = self._surveyed(n_jobs)[0]
        return survey.counts, survey.totals * self._factor

    def home(
        self, codes: NDArray[np.intp], n_classes: int, factors: Array | None, n_jobs: int | None, *, every: bool = True
    ) -> Data:
        """The home of the rows.

        codes : the class of each label
        factors : on the weights, by class
        every : whether classes without a row belong to the data
        """
        from .streamed import Classes, home_of

        survey, reading = self._surveyed(n_jobs)
        cluster = self._source.cluster
        if self._factor != 1:
            factors = np.full(n_classes, self._factor) * (1.0 if factors is None else factors)
        classes = Classes.of_labels(codes, survey.counts, n_classes, factors, every)
        if cluster is None:
            return home_of(reading, survey, classes, n_jobs)
        from .partitions import Partitions

        return Partitions(cluster, reading, survey, classes, n_jobs)

    def times(self, factor: float) -> Scan:
        """The same rows with all weights multiplied."""
        new = Scan(self._source, self.roles, self._memory, self._spill, self._factor * factor, self._encoding)
        new._known, new._again, new._label = self._known, self._again, self._label
        new._encoded = None if self._encoded is None else self._encoded.times(factor)
        return new

    # Rows that are not their columns as they are

    def fold(
        self,
        columns: Sequence[str],
        function: Callable[[int, Tables], T],
        add: Callable[[list[T]], T],
        n_jobs: int | None = None,
        stash: Stash | None = None,
    ) -> T:
        """One read: what a function makes of the tables of each part, added up in their order; see `folding`."""
        from .folding import folded

        return folded(self._source, columns, function, add, n_jobs, stash)

    def here(self) -> Scan:
        """The same rows, brought here part by part if they are elsewhere, for functions that cannot go to them."""
        return Scan(replace(self._source, cluster=None), self.roles, self._memory, self._spill, self._factor)

    @property
    def source(self) -> Source:
        """Where the rows are."""
        return self._source

    def stash(self, columns: Sequence[str]) -> Stash | None:
        """For a first read of some columns, which are to be read again; None where they stay where they are."""
        from .stash import Stash

        return None if self._source.cluster is not None else Stash(self._source, columns, self._memory, self._spill)

    def reread(self, stash: Stash, columns: Sequence[str]) -> Scan:
        """The same rows as a first read of some columns has kept them; they are taken for the encodings that follow."""
        roles = replace(self.roles, columns=tuple(columns))
        self._again = Scan(stash.source(), roles, self._memory, False, self._factor)
        self._encoded = None
        return self._again

    def encode(self, encoding: Encoding, roles: Roles, label: Callable[[Any], Any] | None = None) -> Scan:
        """The same rows by an encoding, and what stands beside them; asked again they are not surveyed again.

        label : what a label of the target is among the classes; None for itself
        """
        from .batches import require_numbers

        roles = replace(roles, groups=self.roles.groups)
        for name in roles.every:
            known_column(name, self.known)
        last = self._encoded
        if last is None or last._encoding != encoding or last.roles != roles:
            again = self._again
            kept = again is not None and set(roles.every) <= set(again.roles.every)
            source, spill = (again._source, False) if again is not None and kept else (self._source, self._spill)
            require_numbers(source, roles, encoded=True)
            last = self._encoded = Scan(source, roles, self._memory, spill, self._factor, encoding)
            self._again = None
        found = last.times(1.0)
        found._label = label
        return found

    def blocks(self, *, beside: bool = False) -> Iterator[Block]:
        """All rows of X, each block until the next: without labels, and without weights and offsets if not `beside`."""
        from .batches import Reading, Roles, require_numbers, stopping

        roles = replace(self.roles, target=None) if beside else Roles(self.roles.columns)
        require_numbers(self._source, roles)
        reading = Reading(roles, None)
        self._source.require_unchanged()
        with stopping() as stop:
            for unit in self._source.units:
                for block, _ in reading.blocks(unit, stop):
                    yield block
        self._source.require_unchanged()

    def each_block(self, function: Callable[[Block], Any], *, beside: bool = False) -> list[Any]:
        """What a function, which holds no home, makes of all blocks of X, as `blocks` gives them, where they are."""
        if self._source.cluster is None:
            return [function(block) for block in self.blocks(beside=beside)]
        from .batches import Roles, require_numbers
        from .folding import listed
        from .partitions import Mapped, Rows

        roles = replace(self.roles, target=None) if beside else Roles(self.roles.columns)
        require_numbers(self._source, roles)
        return self._source.cluster.run(Mapped(Rows(roles), function), roles.every, listed)

    def table(self, what: str) -> tuple[Any, Any, Any, Any]:
        """X as an Arrow table, and the columns of y, weights and offsets: for what needs them in memory, if they fit.

        what : needs them, for the error
        """
        from .tables import whole_table

        return whole_table(self._source, self.roles, self._memory, self._factor, what)

    def require_room(self, n_columns: int, what: str) -> None:
        """An error where a table with a row for each of these takes more than the budget."""
        size = 8 * len(self) * n_columns
        if size > self._memory:
            raise EvenOddsError(
                f"{what} has {len(self):,} rows and takes {said(size)}, more than the {said(self._memory)} of "
                "memory=: give scan more, or ask for a part of the rows."
            )

    def names_alone(self) -> Any:
        """A table of the columns without a row."""
        import pyarrow as pa

        if self._source.nameless is not None:
            return self._source.nameless
        return pa.table({name: pa.array([], pa.float64()) for name in self.roles.columns})

    def with_columns(self, columns: Sequence[str]) -> Scan:
        """The same rows with other columns of X."""
        return Scan(self._source, replace(self.roles, columns=tuple(columns)), self._memory, self._spill, self._factor)

    @property
    def n_offsets(self) -> int:
        """Columns of offsets."""
        return len(self.roles.offset)

    @property
    def known(self) -> Sequence[str]:
        """The names of all columns there are."""
        return list(self._source.types)

    def grouped(self, groups: object, n_jobs: int | None, *, here: bool, coded: bool) -> tuple[Scan, Any]:
        """The rows read with their groups, and nothing beside them; or the groups of all rows, by number.

        groups : the name of a column, or what is given beside the rows
        here : whether all are needed here
        coded : whether the rows are read by a design, which may know what to do where a value is missing
        """
        name = groups if isinstance(groups, str) else self.roles.groups
        if name is None or (name == self.roles.groups and not here):
            return self, None if name else groups
        known_column(name, self.known)
        last = self if self._encoded is None else self._encoded
        if not last._known and last._source.cluster is None and self.is_numeric and not coded:
            last._surveyed(n_jobs)
        if here or (last._source.cluster is None and not (last._source is self._source and last._is_read_again)):
            return self, self.column(name)
        return self._with_groups(name), None

    @property
    def _is_read_again(self) -> bool:
        """Whether the rows have been surveyed, and come from their source at each read."""
        survey = self._known[0][0] if self._known else None
        return survey is not None and survey.whole is None and survey.spill is None and survey.source is self._source

    def _with_groups(self, name: str) -> Scan:
        """The same rows read with their groups, as they have been surveyed."""
        from .batches import Reading

        new = self.times(1.0)
        new.roles = replace(self.roles, groups=name)
        new._known = [(survey, Reading(new.roles, old.labels, old.encoding)) for survey, old in self._known]
        new._encoded = None if self._encoded is None else self._encoded._with_groups(name)
        return new

    def column(self, name: str) -> NDArray[np.intp]:
        """A column of any kind, as numbers that tell its values apart."""
        from .tables import one_column

        known_column(name, self.known)
        return one_column(self._source, self.roles.rows, name)

    def beside(self) -> tuple[Any, Array | None]:
        """The labels and the weights of all rows, as Arrow and as an array."""
        some = Scan(self._source, replace(self.roles, columns=(), offset=()), 1 << 62, False)
        return some.table("score")[1:3]

    def require_role(self, role: str, name: str | None) -> None:
        """An error where a column is named for a role that another one has."""
        own = {"target": (self.roles.target,), "weight": (self.roles.weight,), "offset": self.roles.offset}[role]
        if name is not None and own not in ((), (None,), (name,)):
            raise EvenOddsError(f"The {role} is {name!r} here, and scan was told that it is {own[0]!r}.")

    def require_target(self, caller: str) -> None:
        """An error where nothing says what is to be explained."""
        if self.roles.target is None:
            raise EvenOddsError(
                f"{caller} requires y to be passed, and scan was not told which column that is: scan(..., target=...)."
            )

    def _surveyed(self, n_jobs: int | None) -> tuple[Survey, Reading]:
        """What the first read finds, which is kept as long as the files are what they were."""
        from .batches import Labels, Reading, require_numbers
        from .memory import count_threads
        from .survey import Surveyor

        if not self._known:
            require_numbers(self._source, self.roles, self._encoding is not None)
            labels = None if self.roles.target is None else Labels(self.roles.target)
            reading = Reading(self.roles, labels, self._encoding)
            if self._source.cluster is not None:
                from .partitions import survey_of

                survey = survey_of(self._source, self._source.cluster, reading, self._memory)
                self._known.append((survey, reading))
                return self._known[0]
            surveyor = Surveyor(self._source, reading, self._memory, self._spill)
            threads = max(1, min(count_threads(n_jobs), len(self._source.units)))
            self._known.append((surveyor.survey(threads), reading))
        return self._known[0]
