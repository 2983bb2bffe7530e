"""`scan`: what is to be read, and which of its columns are what. The rows are read when a fit asks for them.

It loads nothing that reads files before there is something to read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import EvenOddsError
from . import Array, Block, Data

if TYPE_CHECKING:
    from .batches import Reading, Roles
    from .survey import Survey
    from .units import Source

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def scan(
    path: Any,
    target: str | None = None,
    columns: Sequence[str] | None = None,
    weight: str | None = None,
    offset: str | Sequence[str] | None = None,
    memory: str | float = "1GB",
    spill: bool | str | Path = False,
) -> Scan:
    """Rows that are read from files, or from a database, as often as a fit needs them.

    What it returns takes the place of X, y, `sample_weight` and `offset` in ``LogisticRegression().fit(scan(...))``,
    `infer`, `path`, `find_separation` and the methods that predict. A fit reads the rows four to six times; at no time
    more than a few batches of them are in memory, unless all of them fit.

    Parameters
    ----------
    path : str, path, list of these, table or function
        A file, a folder with all its files, a pattern such as ``"flights/*.parquet"``, an address that Arrow knows
        (``"s3://..."``), or a list of these: Parquet, Arrow (file and stream) or CSV, plain or packed. Of folders such
        as ``year=2019`` the year is a column. Or a table with ``__arrow_c_stream__``, such as a relation of DuckDB or a
        lazy frame of polars; or a function without arguments that gives such a table, or a reader of Arrow batches,
        anew each time: ``scan(lambda: connection.sql("SELECT ...").arrow(), target="late")``.
    target : str, optional
        The column of the labels: numbers, text or booleans. Not needed to predict.
    columns : sequence of str, optional
        The columns of X, of numbers or booleans; by default all but the target, the weight and the offset.
    weight : str, optional
        The column of the weights. Rows of weight 0 are left out.
    offset : str or sequence of str, optional
        The column of the offset; of more than two classes one for each class, in the order of the sorted labels.
    memory : str or number, default="1GB"
        Bytes that rows may take, such as ``"500MB"``. A table that is smaller as numbers is read once and stays in
        memory; a thirtysecond of it is for the sample from which a fit starts.
    spill : bool, str or path, default=False
        Where the rows of a larger table stay between reads. False: text, whose parsing takes long, goes as numbers to a
        file among the temporary ones of the system, and all else is read again. True: all goes to such a file. A
        folder: all goes to a file there. The file has no name and is gone on every exit.

    Returns
    -------
    Scan

    Raises
    ------
    EvenOddsError
        If a file is missing or broken, or its columns are not those that are asked for: the message names the file, and
        the row and the column where it knows them. What is in the rows shows when they are read.

    Examples
    --------
    >>> import numpy as np, os, pyarrow as pa, tempfile
    >>> from pyarrow import parquet
    >>> from evenodds import LogisticRegression, scan
    >>> x = np.arange(100) % 10
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = os.path.join(folder.name, "flights.parquet")
    >>> parquet.write_table(pa.table({"x": x, "late": np.where(x > np.arange(100) % 7, "yes", "no")}), file)
    >>> model = LogisticRegression().fit(scan(file, target="late"))
    >>> model.feature_names_in_.tolist(), model.classes_.tolist(), model.coef_.round(2).tolist()
    (['x'], ['no', 'yes'], [[0.79]])
    >>> folder.cleanup()
    """
    from .batches import Roles, require_numbers
    from .units import source_of

    beside = () if offset is None else (offset,) if isinstance(offset, str) else tuple(offset)
    own = None if columns is None else _names(columns)
    asked = [name for name in (target, weight, *beside) if name is not None]
    source = source_of(path, None if own is None else [*own, *asked])
    for name in [*(own or ()), *asked]:
        _require_column(name, list(source.types))
    used = {target, weight, *beside}
    chosen = tuple(name for name in source.types if name not in used) if own is None else own
    twice = [name for name in chosen if name == target]
    if twice:
        raise EvenOddsError(f"The target {target!r} is among columns: it would explain itself.")
    if not chosen:
        raise EvenOddsError("No column is left for X.")
    roles = Roles(chosen, target, weight, beside)
    index = [name for name in chosen if name == "" or name.startswith("__index_level_")] if own is None else []
    if index:
        raise EvenOddsError(
            f"The column {index[0]!r} looks like the index of a data frame that was saved as a column: say which "
            "columns to read, with columns=."
        )
    if target is not None:
        require_numbers(source, roles)
    return Scan(source, roles, _bytes_of(memory), _folder_of(spill))


class Scan:
    """What `scan` returns: rows that are not read yet. `shape` and `len` read them once."""

    def __init__(self, source: Source, roles: Roles, memory: int, spill: bool | str, factor: float = 1.0) -> None:
        self._source, self._memory, self._spill, self._factor = source, memory, spill, factor
        self.roles = roles
        self._known: tuple[Survey, Reading] | None = None

    def __repr__(self) -> str:
        names = ", ".join(self.roles.columns[:5]) + (", ..." if len(self.roles.columns) > 5 else "")
        return f"scan of {len(self._source.units)} parts, target {self.roles.target!r}, columns {names}"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, those of weight 0 among them, and columns of X."""
        return self._surveyed(None)[0].read, len(self.roles.columns)

    def __len__(self) -> int:
        return self.shape[0]

    def labels(self, n_jobs: int | None) -> tuple[Any, ...]:
        """The labels, in the order of their numbers, of rows that have weight or not."""
        from .units import is_integer

        found, kind = self._surveyed(n_jobs)[0].labels, self._source.types[str(self.roles.target)]
        whole = is_integer(kind) and all(float(label).is_integer() for label in found)
        return tuple(map(int, found)) if whole else found  # text was parsed as doubles

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
        if self._factor != 1:
            factors = np.full(n_classes, self._factor) * (1.0 if factors is None else factors)
        classes = Classes.of_labels(codes, survey.counts, n_classes, factors, every)
        return home_of(self._source, reading, survey, classes, n_jobs)

    def times(self, factor: float) -> Scan:
        """The same rows with all weights multiplied."""
        new = Scan(self._source, self.roles, self._memory, self._spill, self._factor * factor)
        new._known = self._known
        return new

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

    def table(self, what: str) -> tuple[Any, Any, Any, Any]:
        """X as an Arrow table, and the columns of y, weights and offsets: for what needs them in memory, if they fit.

        what : needs them, for the error
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        from .units import is_integer

        roles, batches, size = self.roles, [], 0
        for unit in self._source.units:
            for batch in unit.batches(roles.every, roles.rows):
                fixed = {name: pa.array([value] * batch.num_rows) for name, value in unit.fixed.items()}
                columns = {name: fixed[name] if name in fixed else batch.column(name) for name in roles.every}
                batches.append(pa.table(columns))
                size += batches[-1].nbytes
                if size > self._memory:
                    raise EvenOddsError(
                        f"{what} needs all rows in memory, and they take more than the {_said(self._memory)} of "
                        "memory=: give scan more, or fewer rows or columns."
                    )
        if not batches:
            raise EvenOddsError("There are no rows in what is scanned.")
        table = pa.concat_tables(batches, promote_options="permissive")
        weight = None if roles.weight is None else table[roles.weight].to_numpy() * self._factor
        offset = np.column_stack([table[name].to_numpy() for name in roles.offset]) if roles.offset else None
        offset = offset[:, 0] if offset is not None and offset.shape[1] == 1 else offset
        target = None if roles.target is None else table[roles.target]
        if target is not None and is_integer(self._source.types[str(roles.target)]) and not is_integer(target.type):
            whole = pc.all(pc.equal(pc.floor(target), target)).as_py()  # text was parsed as doubles
            target = target.cast(pa.int64(), safe=False) if whole else target
        return table.select(list(roles.columns)), target, weight, offset

    def require_room(self, n_columns: int, what: str) -> None:
        """An error where a table with a row for each of these takes more than the budget."""
        size = 8 * len(self) * n_columns
        if size > self._memory:
            raise EvenOddsError(
                f"{what} has {len(self):,} rows and takes {_said(size)}, more than the {_said(self._memory)} of "
                "memory=: give scan more, or ask for a part of the rows."
            )

    def names_alone(self) -> Any:
        """A table of the columns without a row."""
        import pyarrow as pa

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

    def column(self, name: str) -> NDArray[np.intp]:
        """A column of any kind, as numbers that tell its values apart."""
        import pyarrow as pa

        from .batches import Where, decoded, require_values

        _require_column(name, self.known)
        chunks = []
        for unit in self._source.units:
            row = unit.first
            for batch in unit.batches([name], self.roles.rows):
                fixed = name in unit.fixed
                column = pa.array([unit.fixed[name]] * batch.num_rows) if fixed else batch.column(name)
                chunks.append(decoded(column))
                require_values(chunks[-1], name, Where(unit.name, row))
                row += batch.num_rows
        whole = pa.chunked_array(chunks).combine_chunks().dictionary_encode()
        return np.asarray(whole.indices.to_numpy(zero_copy_only=False), dtype=np.intp)

    def beside(self) -> tuple[Any, Array | None]:
        """The labels and the weights of all rows, as Arrow and as an array."""
        some = Scan(self._source, replace(self.roles, columns=(), offset=()), 1 << 62, False)
        return some.table("score")[1:3]

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

        if self._known is None:
            require_numbers(self._source, self.roles)
            reading = Reading(self.roles, None if self.roles.target is None else Labels(self.roles.target))
            surveyor = Surveyor(self._source, reading, self._memory, self._spill)
            threads = max(1, min(count_threads(n_jobs), len(self._source.units)))
            self._known = surveyor.survey(threads), reading
        return self._known


def _names(columns: Sequence[str]) -> tuple[str, ...]:
    names = (columns,) if isinstance(columns, str) else tuple(map(str, columns))
    twice = [name for k, name in enumerate(names) if name in names[:k]]
    if twice:
        raise EvenOddsError(f"columns has {twice[0]!r} twice.")
    return names


def _require_column(name: str, names: Sequence[str]) -> None:
    if name not in names:
        import difflib

        close = difflib.get_close_matches(str(name), names, 1)
        shown = ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
        hint = f"Is it {close[0]!r}?" if close else f"There are {shown}."
        raise EvenOddsError(f"There is no column {name!r}. {hint}")


def _bytes_of(memory: Any) -> int:
    """A number of bytes, of text such as "500MB"."""
    if isinstance(memory, int | float | np.number) and not isinstance(memory, bool) and 0 < memory < np.inf:
        return max(1, int(memory))
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([A-Za-z]*)\s*", memory) if isinstance(memory, str) else None
    if found is None or found[2].upper() not in _UNITS or not float(found[1]) > 0:
        raise EvenOddsError(f'memory is a number of bytes, or a text such as "500MB" or "2GB", got {memory!r}.')
    return max(1, int(float(found[1]) * _UNITS[found[2].upper()]))


def _said(size: float) -> str:
    """Bytes in words."""
    for unit in ("TB", "GB", "MB", "KB"):
        if size >= _UNITS[unit]:
            return f"{size / _UNITS[unit]:.3g} {unit}"
    return f"{size:.0f} B"


def _folder_of(spill: Any) -> bool | str:
    if isinstance(spill, bool):
        return spill
    if not isinstance(spill, str | Path) or not Path(spill).is_dir():
        raise EvenOddsError(f"spill is False, True or a folder that exists, got {spill!r}.")
    return str(spill)
