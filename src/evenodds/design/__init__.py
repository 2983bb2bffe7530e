"""Tables with text, categoricals, booleans and dates as numbers, by a design that is learnt once and remembered.

`learn` makes a `Design` of a formula, or of all columns of a frame; the design reads other frames by what it remembers.
"""

from collections.abc import Mapping
from typing import Any

from ..advice import nearest
from ..exceptions import EvenOddsError
from .columns import Column, Level, Table
from .design import MISSING, UNSEEN, Design
from .expressions import Expression
from .facts import Frame, Source
from .formula import Formula, is_formula, left_side, parsed
from .learning import all_columns, learnt
from .rows import DesignRows
from .scanned import Scanned, encoded, learn_all, of_tables
from .terms import Factor, Number, Part, Term


def learn(
    rows: Any,
    formula: str | None = None,
    *,
    target: str | None = None,
    positive: Any = None,
    weight: str | None = None,
    offset: str | None = None,
    references: Mapping[str, Any] | None = None,
    missing: str = "error",
    unseen: str = "error",
    intercept: bool = True,
) -> Design:
    """The design of a formula, or of all columns but those of target, weight and offset.

    rows : a frame, or a `Source`

    Other parameters are those of `fit_table`; the target of a formula is its left side, or `target`.
    """
    source: Source = rows if hasattr(rows, "kind") else Frame(Table(rows))
    for name in filter(None, (target, weight, offset)):
        if name not in source.names:
            raise EvenOddsError(f"There is no column {name!r}. {nearest(name, source.names)}")
    beside = [name for name in (target, weight, offset) if name is not None]
    if len(set(beside)) < len(beside):
        raise EvenOddsError("target, weight and offset name the same column.")
    if formula is None:
        found = all_columns(source, beside, intercept)
    else:
        found = parsed(formula, [name for name in source.names if name not in beside], target)
        if not intercept:
            found = Formula(found.target, found.terms, False)
        target = found.target
    return learnt(
        source,
        found,
        text=formula,
        target=target,
        positive=positive,
        weight=weight,
        offset=offset,
        references=references,
        missing=missing,
        unseen=unseen,
    )


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
    "learn",
    "learn_all",
    "left_side",
    "of_tables",
    "parsed",
]
