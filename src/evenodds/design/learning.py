"""A design learnt from the table of a fit: what its columns are, which levels they have, what stands for them."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..advice import listed, nearest, warn
from ..exceptions import CollinearWarning, EvenOddsError
from .columns import WORDS, Column, Level, Table
from .design import MISSING, UNSEEN, Design, missing_error, part_codes
from .expressions import BASES, PARTS, Array, Expression, part_of
from .formula import Formula, Wanted
from .terms import Factor, Number, chosen_reference, coded_terms

_FEW_ROWS = 20  # in which every value can be another and still tell something


def learnt(
    table: Table,
    formula: Formula,
    *,
    text: str | None = None,
    references: Mapping[str, Any] | None = None,
    missing: str = "error",
    unseen: str = "error",
    **given: Any,
) -> Design:
    """The design of a formula on a table.

    text : the formula as it was written; None where all columns are taken
    references : levels by the column, or the term, that they are the reference of
    given : what the design keeps as it is: target, positive, weight, offset
    """
    _require(missing, MISSING, "missing")
    _require(unseen, UNSEEN, "unseen")
    learner = _Learner(table, formula, missing, chosen=text is not None)
    atoms, products = learner.atoms(dict(references or {}))
    terms = coded_terms(products, atoms, formula.intercept)
    design = Design(
        kinds=learner.kinds,
        atoms=tuple(atoms),
        terms=tuple(terms),
        intercept=formula.intercept,
        missing=missing,
        unseen=unseen,
        fills=learner.fills,
        formula=text,
        counts=learner.counts,
        dropped=int(np.count_nonzero(~learner.kept)),
        **given,
    )
    _require_names(design)
    return design


def all_columns(names: Sequence[str], intercept: bool = True) -> Formula:
    """The formula of all of these columns."""
    if not names:
        raise EvenOddsError("No column is left for the features.")
    return Formula(None, [[Wanted(name, Expression("column", (name,)))] for name in names], intercept)


class _Learner:
    """The rows of a fit, and what is learnt of them.

    kept : the rows that the fit takes
    """

    def __init__(self, table: Table, formula: Formula, missing: str, chosen: bool) -> None:
        self._table, self._formula, self._missing, self._chosen = table, formula, missing, chosen
        wanted = [one for term in formula.terms for one in term]
        columns = {name: table.column(name) for name in formula.columns()}
        for one in wanted:
            self._require_kind(one, columns)
        self.kinds = {name: column.kind for name, column in columns.items()}
        self.counts = {name: n for name, column in columns.items() if (n := int(np.count_nonzero(column.missing)))}
        self.kept: NDArray[np.bool_] = np.ones(table.n_rows, dtype=bool)
        self.fills: dict[str, float] = {}
        self._factor_sources = {one.expression.columns()[0] for one in wanted if self._is_factor(one, columns)}
        for name in self.counts:
            self._allow(columns[name])
        if not self.kept.any():
            worst = max(self.counts, key=lambda name: self.counts[name])
            raise EvenOddsError(
                f"No row is left: each has a missing value, {self.counts[worst]:,} of {table.n_rows:,} in {worst!r}. "
                "Leave such columns out."
            )

    def _allow(self, column: Column) -> None:
        """Take the missing values of a column as the policy has it."""
        if self._missing == "error":
            raise missing_error(column.name, column.missing, "error", column)
        if self._missing == "drop":
            self.kept &= ~column.missing
        elif column.kind in ("number", "boolean") and not column.categorical:
            values = column.numbers()
            self.fills[column.name] = float(np.mean(values[~np.isnan(values)]))

    def _require_kind(self, one: Wanted, columns: Mapping[str, Column]) -> None:
        for name in one.expression.columns():
            column = columns[name]
            if column.kind == "nothing":
                raise EvenOddsError(f"Column {name!r} has no value in any row. Leave it out.")
            is_part = one.expression.operation in PARTS
            if column.kind == "date" and (one.is_column or one.factor) and not is_part:
                quoted = name if name.isidentifier() else f"`{name}`"
                raise EvenOddsError(
                    f"Column {name!r} holds dates, of which a model takes parts: name them in a formula, such as "
                    f"month({quoted}) + weekday({quoted}) (there are {', '.join(PARTS)}), or leave the column out."
                )
            if column.kind == "text" and not one.is_column and not one.factor:
                raise EvenOddsError(f"{one.text} is computed from numbers, and {name!r} holds {WORDS[column.kind]}.")

    @staticmethod
    def _is_factor(one: Wanted, columns: Mapping[str, Column]) -> bool:
        if one.factor or not one.is_column:
            return one.factor
        column = columns[one.expression.args[0]]
        return column.categorical or column.kind in ("text", "boolean")

    # As `Rows` of expressions.

    def numbers(self, name: str) -> Array:
        """A column as numbers, its mean for those that are missing where an indicator says so."""
        values, fill = self._table.column(name).numbers(), self.fills.get(name)
        return values if fill is None else np.where(np.isnan(values), fill, values)

    def column(self, name: str) -> Column:
        """A column of any kind."""
        return self._table.column(name)

    def complete(self, values: Array) -> Array:
        """Those of the rows that the fit takes."""
        return values[self.kept]

    # What is learnt.

    def atoms(self, references: dict[str, Any]) -> tuple[list[Number | Factor], list[tuple[str, tuple[int, ...]]]]:
        """The atoms, and of each term its name and the numbers of its atoms."""
        atoms: list[Number | Factor] = []
        place: dict[str, int] = {}
        products = []
        used: set[str] = set()
        bare = {one.text for term in self._formula.terms for one in term if one.is_column and not one.factor}
        for term in self._formula.terms:
            for one in term:
                if one.text not in place:
                    place[one.text] = len(atoms)
                    atoms.append(self._atom(one, bare, references, used))
            members = tuple(dict.fromkeys(place[one.text] for one in term))
            products.append((":".join(atoms[k].name for k in members), members))
        unknown = [name for name in references if name not in used]
        if unknown:
            known = [atom.name for atom in atoms if isinstance(atom, Factor)]
            raise EvenOddsError(f"There is no factor {unknown[0]!r} to have a reference. {nearest(unknown[0], known)}")
        for name in self.fills:
            if any(isinstance(a, Number) and name in a.expression.columns() for a in atoms):
                products.append((f"{name}[missing]", (len(atoms),)))
                atoms.append(Number(f"{name}[missing]", Expression("missing", (name,))))
        return atoms, products

    def _atom(self, one: Wanted, bare: set[str], references: Mapping[str, Any], used: set[str]) -> Number | Factor:
        column = self._table.column(one.expression.columns()[0])
        if not self._is_factor(one, {column.name: column}):
            return self._number(one)
        is_part = one.expression.operation in PARTS
        name = _part_name(one.expression) if is_part else column.name
        if one.factor and not is_part and column.name in bare:
            name = one.text
        levels = self._levels(one, column)
        reference: Level = next(level for level in levels if level is not None)
        if one.reference is not None:
            reference = chosen_reference(name, levels, one.reference)
        for key in dict.fromkeys((name, column.name)):
            if key in references:
                used.add(key)
                reference = chosen_reference(name, levels, references[key])
        if len(levels) == 1:
            warn(
                f"{listed([name])} has one value only, {reference!r}, in all rows: it has no coefficient. "
                "Leave it out.",
                CollinearWarning,
            )
        return Factor(name, one.expression, levels, reference)

    def _levels(self, one: Wanted, column: Column) -> tuple[Level, ...]:
        if one.expression.operation in PARTS:
            codes, values = part_codes(one.expression.operation, part_of(one.expression.operation, column))
            there = set(codes[self.kept].tolist())
            levels: tuple[Level, ...] = tuple(value for k, value in enumerate(values) if k in there)
        else:
            levels = column.levels(self.kept)
            if not self._chosen and len(levels) > max(_FEW_ROWS, np.count_nonzero(self.kept) / 2):
                raise EvenOddsError(
                    f"Column {column.name!r} has {len(levels):,} different values in "
                    f"{np.count_nonzero(self.kept):,} rows, such as {levels[0]!r}: it tells rows apart, as a name or "
                    "a number of a case does, and a model of it would only repeat them. Leave it out."
                )
        if one.levels is not None:
            lost = [level for level in levels if level not in one.levels]
            if lost:
                raise EvenOddsError(f"{one.text}: the column holds {lost[0]!r}, which is not among its levels.")
            levels = tuple(level for level in one.levels if level in levels)
        return (*levels, None) if self._missing == "indicator" and column.missing.any() else levels

    def _number(self, one: Wanted) -> Number:
        expression = one.expression.learnt(self)
        if expression.operation not in BASES:
            return Number(one.text, expression)
        count = expression.values(self).shape[1]
        first = int(expression.operation == "cr" and self._formula.intercept)  # the columns of cr add up to 1
        return Number(re.sub(r"\s+", " ", one.text), expression, count - first, first)


def _part_name(expression: Expression) -> str:
    return f"{expression.operation}({expression.columns()[0]})"


def _require(value: Any, choices: Sequence[str], what: str) -> None:
    if value not in choices:
        raise EvenOddsError(f"{what} is one of {', '.join(map(repr, choices))}, got {value!r}.")


def _require_names(design: Design) -> None:
    """An error where two columns would have one name, or no column is left."""
    names = design.names
    if not names:
        raise EvenOddsError("No column is left to fit: name features in the formula, or check the table.")
    for what, found in (("coefficients", names), ("terms", tuple(term.name for term in design.terms))):
        twice = [name for name, times in Counter(found).items() if times > 1]
        if twice:
            raise EvenOddsError(f"Two {what} would have the name {twice[0]!r}: rename a column or a level.")
