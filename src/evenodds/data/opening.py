"""`scan`: what is to be read, looked at and checked. No row is read yet."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..delimited import Spelling
from ..exceptions import EvenOddsError, texts_of
from ..naming import known_column
from .batches import Roles, require_numbers
from .budget import bytes_of, folder_of, names_of
from .scan import MEMORY, Scan
from .units import is_read, source_of


def scan(
    path: object,
    target: str | None = None,
    columns: Sequence[str] | None = None,
    weight: str | None = None,
    offset: str | Sequence[str] | None = None,
    memory: str | float = MEMORY,
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
        The columns of X; by default all but the target, the weight and the offset. Text is a factor, as in a frame.
    weight : str, optional
        The column of the weights. Rows of weight 0 are left out.
    offset : str or sequence of str, optional
        The column of the offset; of more than two classes one for each class, in the order of the sorted labels.
    memory : str or number, default="1GB"
        Bytes that rows may take, such as ``"500MB"``. A table that is smaller as numbers is read once and stays in
        memory; a thirtysecond of it, or 17 MB, is for the sample from which a fit starts.
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
    return open_scan(path, target, columns, weight, offset, memory, spill)


def open_scan(
    path: object,
    target: str | None,
    columns: Sequence[str] | None,
    weight: str | None,
    offset: str | Sequence[str] | None,
    memory: str | float,
    spill: bool | str | Path,
    spelling: Spelling | None = None,
) -> Scan:
    """See `scan`. spelling : what its user says of delimited text."""
    beside = () if offset is None else (offset,) if isinstance(offset, str) else tuple(texts_of("offset", offset))
    own = None if columns is None else names_of(columns)
    asked = [name for name in (target, weight, *beside) if name is not None]
    source = source_of(path, None if own is None else [*own, *asked], spelling)
    for name in [*(own or ()), *asked]:
        known_column(name, list(source.types))
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
    other = tuple(name for name in chosen if not is_read(source.types[name]))
    require_numbers(source, replace(roles, columns=other))
    return Scan(source, roles, bytes_of(memory), folder_of(spill))
