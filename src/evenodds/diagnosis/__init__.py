"""`diagnose`: what will go wrong in a fit of a table, before it is fitted, and what to do about it.

First each column by itself; then, of those that are numbers or factors as they stand, what they show together.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..design import Table, is_index, learn
from ..exceptions import EvenOddsError
from ..labels import kept_labels, labels_of, missing_labels, plain_labels
from ..naming import known_column
from ..table import is_frame
from .columns import FEW, of_column, of_index, of_spellings, stays
from .record import Diagnosis, Finding, ordered
from .together import (
    MOST_CLASSES,
    MOST_LEVELS,
    Rows,
    leaks,
    of_bends,
    of_collinear,
    of_copies,
    of_leakage,
    of_rare,
    of_scales,
    of_separation,
)


def diagnose(frame: object, target: str) -> Diagnosis:
    """What will go wrong in a logistic regression of a table, the most harmful first, and what to do.

    Looked for are: columns that know the answer (an AUC near 1) or separate the classes; values such as -999 or "?"
    that stand for missing ones; levels and labels in several spellings; identifiers; numbers and dates as text;
    repeated rows; log odds that are no straight line along a column; missing labels and values, infinity, dates;
    classes with fewer than 10 rows a coefficient; collinear and duplicate columns; factors with many levels; constants;
    scales.

    Parameters
    ----------
    frame : frame of pandas, polars, Arrow, or another that narwhals reads
    target : str
        The column to explain; all others are taken to explain it.

    Returns
    -------
    Diagnosis
        ``print`` shows it; ``findings`` are its lines. What columns show together is read off the rows that a fit with
        ``missing="drop"`` takes, without columns that lack more than half of their values; collinearity and straight
        lines off 50,000 of them at the most, without factors of more than 100 levels.

    Raises
    ------
    EvenOddsError
        If there is no such column, or it holds fewer than two labels or no labels.

    Examples
    --------
    >>> import pandas as pd
    >>> from evenodds import diagnose
    >>> frame = pd.DataFrame({"ill": [0, 0, 1, 1, 0, 1], "age": [40, 51, -999, 42, 56, 38]})
    >>> [(finding.kind, finding.columns) for finding in diagnose(frame, "ill").findings]
    [('sentinel', ('age',)), ('rare class', ())]
    """
    if not is_frame(frame):
        raise EvenOddsError(f"diagnose takes a frame of pandas, polars or Arrow, not a {type(frame).__name__}.")
    table = Table(frame)
    known_column(target, table.names)
    labels = labels_of(table.native(target))
    unlabelled = missing_labels(labels)
    classes, counts = np.unique(kept_labels(labels), return_counts=True)
    if classes.size < 2 or classes.size > max(FEW, np.count_nonzero(~unlabelled) / 2):
        raise EvenOddsError(f"The target {target!r} holds {classes.size:,} different values: labels are two or more.")
    findings: list[Finding] = []
    if unlabelled.any():
        what = f"{target!r} has no label in {np.count_nonzero(unlabelled):,} of {labels.size:,} rows."
        findings.append(Finding("no label", (target,), what, 'Leave such rows out, or fit with missing="drop".'))
    findings += of_spellings(target, [label for label in classes.tolist() if isinstance(label, str)], "label")
    names, doubtful = [], set()
    for name in table.names:
        if name != target:
            found, stays_in = _alone(table, name)
            findings += found
            names += [name] * stays_in
            doubtful |= {name} if any(one.kind == "sentinel" for one in found) else set()
    gone = {name for one in findings if one.kind == "identifier" for name in one.columns}
    findings += _repeated(table, [name for name in table.names if name not in gone])
    findings += _together(table, names, labels, unlabelled, doubtful) if names else []
    return Diagnosis(target, labels.size, dict(zip(classes.tolist(), counts.tolist(), strict=True)), ordered(findings))


def _alone(table: Table, name: str) -> tuple[list[Finding], bool]:
    """The findings of one column, and whether it takes part in what columns show together."""
    try:
        column = table.column(name)
    except EvenOddsError as error:
        return [Finding("unreadable", (name,), str(error), "Leave it out until it is mended.")], False
    found = [of_index(name)] if is_index(table, name) else list(of_column(column, table.n_rows))
    return found, stays(column, found)


def _repeated(table: Table, names: list[str]) -> Iterator[Finding]:
    """Rows that are equal in all columns, where so many values make that no chance."""
    codes = []
    for name in names:
        try:
            column = table.column(name)
        except EvenOddsError:  # nobody knows which of its rows are equal
            return
        if column.kind == "date":
            values = column.values.to_numpy(zero_copy_only=False)
        else:
            values = column.numbers() if column.kind == "number" else column.codes(column.levels())
        codes.append(np.unique(values, return_inverse=True)[1].astype(np.int32))
    if max((int(one.max()) + 1 for one in codes), default=0) <= table.n_rows / 2:
        return
    again = table.n_rows - len(np.unique(np.column_stack(codes), axis=0))
    if again:
        what = f"{again:,} of {table.n_rows:,} rows repeat an earlier one in all columns."
        yield Finding("repeated rows", (), what, "Leave them out, unless they are cases of their own.")


def _together(
    table: Table, names: list[str], labels: NDArray[Any], unlabelled: NDArray[np.bool_], doubtful: set[str]
) -> Iterator[Finding]:
    """What the columns show together, in the rows that have all values."""
    some = table.of(names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            design = learn(some, missing="drop", unseen="missing")
            read = design.read(some)
        except EvenOddsError as error:
            yield Finding("undecided", (), f"The columns were not looked at together: {error}", "Mend this first.")
            return
    kept = ~(read.gone | unlabelled)
    own = plain_labels(labels[kept])
    if np.unique(own).size < 2:
        what = f"The {own.size:,} rows that lack no value are not of two classes: columns were not looked at together."
        yield Finding("undecided", (), what, "Leave out the columns that lack most, or fill them in.")
        return
    if (count := np.unique(own).size) > MOST_CLASSES:
        what = f"Of {count:,} labels the {MOST_CLASSES} with most rows were each looked at against the rest."
        yield Finding("undecided", (), what, "Is the target a number? A logistic regression takes it for labels.")
    rows = Rows(design, read.matrix()[np.flatnonzero(kept)], own)
    names = [name for name in names if len(design.columns_of[name])]
    areas = {name: leaks(rows, name) for name in names}
    yield from (leaking := list(of_leakage(areas)))
    narrow = [name for name in names if len(design.columns_of[name]) <= MOST_LEVELS]
    yield from (separating := list(of_separation(rows, areas, narrow)))
    yield from of_rare(rows)
    yield from of_scales(rows, [name for name in names if name not in doubtful])
    yield from (copies := list(of_copies(rows, names)))
    names = [name for name in narrow if name not in {one.columns[1] for one in copies}]
    yield from of_collinear(rows, names)
    answers = {name for one in (*leaking, *separating) for name in one.columns}
    yield from of_bends(rows, [name for name in names if name not in answers | doubtful])


__all__ = ["Diagnosis", "Finding", "diagnose"]
