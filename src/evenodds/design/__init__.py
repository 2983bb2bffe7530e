"""Tables with text, categoricals, booleans and dates as numbers, by a design that is learnt once and remembered.

`learn` makes a `Design` of a formula, or of all columns of a frame; the design reads other frames by what it remembers.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from narwhals.typing import IntoDataFrame

from ..advice import warn
from ..exceptions import EvenOddsError
from ..naming import known_column, listed
from .columns import Column, Level, Table, is_index
from .design import MISSING, UNSEEN, Design, is_positive
from .expressions import Expression
from .facts import Frame, Source
from .formula import Formula, is_formula, left_side, parsed
from .learning import all_columns, learnt
from .rows import DesignRows
from .scanned import Scanned, encoded, learn_all, of_tables
from .terms import Factor, Number, Part, Term, other_orders


def learn(
    rows: IntoDataFrame | Table | Scanned,
    formula: str | None = None,
    *,
    target: str | None = None,
    positive: object = None,
    weight: str | None = None,
    offset: str | None = None,
    references: Mapping[str, Any] | None = None,
    missing: str = "error",
    unseen: str = "error",
    intercept: bool = True,
    index: bool = True,
) -> Design:
    """The design of a formula, or of all columns but those of target, weight and offset.

    rows : a frame, also as a table, or what is scanned
    index : whether the index of a data frame that was saved as a column is taken, too; a formula may name it

    Other parameters are those of `fit_table`; the target of a formula is its left side, or `target`.
    """
    rows = rows if isinstance(rows, Scanned | Table) else Table(rows)
    source: Source = Frame(rows) if isinstance(rows, Table) else rows
    beside = [known_column(name, source.names) for name in (target, weight, offset) if name is not None]
    if len(set(beside)) < len(beside):
        raise EvenOddsError("target, weight and offset name the same column.")
    others = [name for name in source.names if name not in beside]
    if not index and isinstance(source, Frame):
        others = _without_index(source.table, others, formula or "")
    if formula is None:
        found = all_columns(others, intercept, target)
    else:
        found = parsed(formula, others, target)
        if not intercept:
            found = Formula(found.target, found.terms, False)
        target = found.target
    design = learnt(source, found, text=formula, references=references, missing=missing, unseen=unseen)
    return replace(design, target=target, positive=positive, weight=weight, offset=offset)


def _without_index(table: Table, names: list[str], formula: str) -> list[str]:
    """The columns without the index of a data frame, unless a formula names it."""
    gone = [name for name in names if (not name or name not in formula) and is_index(table, name)]
    if gone:
        warn(
            f"{listed(gone)} {'is' if len(gone) == 1 else 'are'} left out: it looks like the index of a data frame "
            "that was saved as a column. Give it another name if it is none.",
            UserWarning,
        )
    return [name for name in names if name not in gone]


__all__ = [
    "MISSING",
    "UNSEEN",
    "Column",
    "Design",
    "DesignRows",
    "Expression",
    "Factor",
    "Level",
    "Number",
    "Part",
    "Scanned",
    "Table",
    "Term",
    "encoded",
    "is_formula",
    "is_index",
    "is_positive",
    "learn",
    "learn_all",
    "left_side",
    "of_tables",
    "other_orders",
    "parsed",
]
