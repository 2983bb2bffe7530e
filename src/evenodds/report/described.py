"""The data of a report in words: columns, classes, what is missing and what was left out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
import scipy.sparse as sp

from ..arrays import Array, dense
from ..design import Column, Table
from ..exceptions import EvenOddsError
from ..inference.display import printable, shortened
from ..table import is_frame
from .rows import Model, Rows

MOST_COLUMNS = 50
_MOST_SHOWN = 4  # levels that are named
_WIDTH = 60
_KINDS = {"number": "number", "boolean": "yes or no", "text": "text", "date": "date", "nothing": "nothing"}


@dataclass(frozen=True)
class Described:
    """A column: its name, what it holds, how many values are missing, and which there are."""

    name: str
    kind: str
    missing: str
    values: str


@dataclass(frozen=True)
class Data:
    """What is told of the data.

    facts : names and values
    classes : label, rows and share of each
    columns : those that the model takes, the first of them
    n_columns : how many there are
    notes : in words, what happened to rows
    """

    facts: list[tuple[str, str]]
    classes: list[tuple[str, str, str]]
    columns: list[Described]
    n_columns: int
    notes: list[str]


def described(model: Model, rows: Rows) -> Data:
    """The data of some rows."""
    columns = list(_columns(model, rows))
    names = _names(model)
    n_columns = len(names) if names is not None else int(model.n_features_in_)
    facts = [("rows", f"{rows.n_given:,}"), ("columns of the model", f"{n_columns:,}")]
    if rows.kept.size < rows.n_given:
        facts.insert(1, ("rows used", f"{rows.kept.size:,}"))
    if rows.target is not None:
        facts.append(("target", printable(rows.target)))
    if rows.weighted:
        facts.append(("sum of the weights", f"{rows.weight.sum():,.6g}"))
    return Data(facts, _classes(model, rows), columns, n_columns, list(_notes(model, rows)))


def _classes(model: Model, rows: Rows) -> list[tuple[str, str, str]]:
    counts = np.bincount(rows.codes, minlength=model.classes_.size)
    share = np.bincount(rows.codes, weights=rows.weight, minlength=counts.size) / rows.weight.sum()
    labels = [shortened(printable(label), _WIDTH) for label in model.classes_.tolist()]
    return [(label, f"{n:,}", percent(part)) for label, n, part in zip(labels, counts, share, strict=True)]


def _notes(model: Model, rows: Rows) -> Iterator[str]:
    design = getattr(model, "design_", None)
    lost = rows.n_given - rows.kept.size
    if lost:
        one = lost == 1
        yield (
            f"{lost:,} of {rows.n_given:,} rows {'is' if one else 'are'} left out: a value is missing in a column of "
            "the model, the label is missing, or the weight is 0."
        )
    if design is not None and design.missing == "indicator" and design.counts:
        yield "Missing values have a coefficient of their own: numbers stand at their mean then, factors have a level."
    if design is not None and design.unseen != "error":
        instead = "count as the reference" if design.unseen == "reference" else "count as missing"
        yield f"Levels that the fit has not seen {instead}."
    if rows.weighted:
        name = "" if design is None or design.weight is None else f", from the column {printable(design.weight)}"
        yield f"Rows have weights{name}: shares, areas and means count them."
    if rows.offset is not None:
        name = "" if design is None or design.offset is None else f", from the column {printable(design.offset)}"
        yield f"Scores have offsets{name}."


def _names(model: Model) -> list[str] | None:
    """The names of the columns that the model takes from a table."""
    design = getattr(model, "design_", None)
    if design is not None:
        return list(design.kinds)
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else list(map(str, names))


def _columns(model: Model, rows: Rows) -> Iterator[Described]:
    names = _names(model)
    if names is None or not is_frame(rows.X):
        yield from _of_array(rows.X, names)
        return
    table = Table(rows.X)
    for name in names[:MOST_COLUMNS]:
        shown = shortened(printable(name), _WIDTH)
        try:
            column = table.column(name)
        except EvenOddsError:  # of a kind that has no name here: the model has read it all the same
            yield Described(shown, "other", "", "")
            continue
        missing = int(np.count_nonzero(column.missing))
        is_factor = column.categorical or column.kind in ("text", "boolean")
        kind = "category" if column.categorical else _KINDS[column.kind]
        yield Described(
            shown, kind, f"{missing:,}" if missing else "", _levels(column) if is_factor else _range(column)
        )


def _levels(column: Column) -> str:
    """How many levels, and the most frequent."""
    levels = column.levels()
    codes = column.codes(levels)
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    order = np.argsort(-counts, kind="stable")[:_MOST_SHOWN].tolist()
    total = max(int(counts.sum()), 1)
    shown = ", ".join(f"{shortened(printable(levels[k]), 24)} ({percent(counts[k] / total)})" for k in order)
    return shown if len(levels) <= _MOST_SHOWN else f"{len(levels):,} levels: {shown}, …"


def _range(column: Column) -> str:
    if column.kind == "date":
        ends = pc.min_max(column.values)
        return f"{ends['min']} to {ends['max']}" if ends["min"].is_valid else ""
    if column.kind != "number":
        return ""
    values = column.numbers()
    return _numbers(values[np.isfinite(values)])


def _of_array(X: object, names: list[str] | None) -> Iterator[Described]:
    array: Any = X if sp.issparse(X) else np.asarray(X)
    for j in range(min(array.shape[1], MOST_COLUMNS)):
        column = array[:, [j]]
        values = dense(column).astype(np.float64).ravel()
        yield Described(f"x{j}" if names is None else printable(names[j]), "number", "", _numbers(values))


def _numbers(values: Array) -> str:
    if not values.size:
        return ""
    return f"{values.min():.4g} to {values.max():.4g}, mean {values.mean():.4g}"


def percent(share: float) -> str:
    """A share as per cent, with the digits that tell it from 0 and 1."""
    hundred = 100 * float(share)
    if 0 < hundred < 0.1 or 99.9 < hundred < 100:
        return f"{hundred:.2g}%" if hundred < 50 else f"{hundred:.4g}%"
    return f"{hundred:.1f}%"
