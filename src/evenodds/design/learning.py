"""A design learnt from the table of a fit: what its columns are, which levels they have, what stands for them."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..advice import warn
from ..exceptions import CollinearWarning, EvenOddsError, is_one_of
from ..naming import listed, nearest
from .columns import WORDS, Level, empty_error
from .design import MISSING, UNSEEN, Design
from .expressions import BASES, PARTS, Expression
from .facts import Asked, Source
from .formula import Formula, Wanted
from .splines import width_of
from .terms import Factor, Number, chosen_reference, coded_terms

_FEW_ROWS = 20  # in which every value can be another and still tell something


def learnt(
    source: Source,
    formula: Formula,
    *,
    text: str | None = None,
    references: Mapping[str, Any] | None = None,
    missing: str = "error",
    unseen: str = "error",
) -> Design:
    """The design of a formula on the rows of a fit, those that have a label where rows may be left out.

    text : the formula as it was written; None where all columns are taken
    references : levels by the column, or the term, that they are the reference of
    """
    _require(missing, MISSING, "missing")
    _require(unseen, UNSEEN, "unseen")
    if not isinstance(references, Mapping | None) or not all(isinstance(name, str) for name in references or ()):
        raise EvenOddsError(f"reference holds levels by column, such as {{'carrier': 'AA'}}, got {references!r:.80}.")
    learner = _Learner(source, formula, missing, chosen=text is not None)
    atoms, products = learner.atoms(dict(references or {}))
    terms = coded_terms(products, atoms, formula.intercept)
    design = Design(
        kinds={name: kind for name, (kind, _) in learner.kinds.items()},
        atoms=tuple(atoms),
        terms=tuple(terms),
        intercept=formula.intercept,
        missing=missing,
        unseen=unseen,
        fills=learner.fills,
        formula=text,
        counts={name: learner.facts.counts[name] for name in learner.kinds if name in learner.facts.counts},
        dropped=learner.facts.n_rows - learner.facts.n_kept,
    )
    _require_names(design)
    return design


def all_columns(names: Sequence[str], intercept: bool = True, target: str | None = None) -> Formula:
    """The formula of all of these columns."""
    if not names:
        raise EvenOddsError("No column is left for the features.")
    return Formula(target, [[Wanted(name, Expression("column", (name,)))] for name in names], intercept)


class _Learner:
    """What is learnt of the rows of a fit.

    kinds : of the columns that the formula takes, each with whether it is a categorical
    """

    def __init__(self, source: Source, formula: Formula, missing: str, chosen: bool) -> None:
        self.kinds = {name: source.kind(name) for name in formula.columns()}
        every = [one for term in formula.terms for one in term]
        self._bare = {one.text for one in every if one.is_column and not one.factor}
        formula = replace(formula, terms=[[self._plain(one) for one in term] for term in formula.terms])
        self._formula, self._missing, self._chosen = formula, missing, chosen
        wanted = [one for term in formula.terms for one in term]
        for one in wanted:
            self._require_kind(one)
        factors = {repr(one.expression): one.expression for one in wanted if self._is_factor(one)}
        self._learn(source, list(factors.values()), [one.expression for one in wanted if not self._is_factor(one)])
        if not self.facts.n_kept:
            worst = max(self.facts.counts, key=lambda name: self.facts.counts[name])
            raise EvenOddsError(
                f"No row is left: each has a missing value, {self.facts.counts[worst]:,} of {self.facts.n_rows:,} in "
                f"{worst!r}. {'Check the target.' if worst == formula.target else 'Leave such columns out.'}"
            )

    def _plain(self, one: Wanted) -> Wanted:
        """An atom; C(x) of what is a factor anyway, and asks for nothing else, is x."""
        bare = replace(one, text=" ".join(one.expression.columns()), factor=False)
        alike = one.expression.operation == "column" and one.reference is None and one.levels is None
        return bare if alike and self._is_factor(bare) else one

    def _learn(self, source: Source, factors: list[Expression], numbers: list[Expression]) -> None:
        """Ask all of the rows: in one read, but for what waits for what another read finds."""
        columns, self._states = list(self.kinds), dict[str, Mapping[str, Any]]()
        first = [] if self._missing == "indicator" else self._waiting(numbers)
        self.facts = source.read(Asked(columns, self._missing, factors, first, target=self._formula.target))
        for name in columns:
            if self.facts.counts.get(name) == self.facts.n_rows:
                raise empty_error(name)
        self.fills = {name: fill for name, fill in self.facts.fills().items() if name in columns}
        if not self.facts.n_kept:
            return
        self._states |= self.facts.states()
        while waiting := self._waiting(numbers):
            more = Asked(columns, self._missing, (), waiting, self.fills, self._formula.target)
            self._states |= source.read(more).states()

    def _waiting(self, numbers: list[Expression]) -> list[Expression]:
        every = [w for one in numbers for w in self._known(one).waiting(self._states)]
        return list({repr(one): one for one in every}.values())

    def _known(self, expression: Expression) -> Expression:
        return expression.with_states(self._states)

    def _require_kind(self, one: Wanted) -> None:
        for name in one.expression.columns():
            kind, _ = self.kinds[name]
            if kind == "nothing":
                raise empty_error(name)
            if kind == "date" and name in _as_they_are(one.expression):
                quoted = name if name.isidentifier() else f"`{name}`"
                raise EvenOddsError(
                    f"Column {name!r} holds dates, of which a model takes parts: name them in a formula, such as "
                    f"month({quoted}) + weekday({quoted}) (there are {', '.join(PARTS)}), or leave the column out."
                )
            if kind == "text" and not one.is_column and not one.factor:
                raise EvenOddsError(f"{one.text} is computed from numbers, and {name!r} holds {WORDS[kind]}.")

    def _is_factor(self, one: Wanted) -> bool:
        if one.factor or not one.is_column:
            return one.factor
        kind, categorical = self.kinds[one.expression.args[0]]
        return categorical or kind in ("text", "boolean")

    def atoms(self, references: dict[str, Any]) -> tuple[list[Number | Factor], list[tuple[str, tuple[int, ...]]]]:
        """The atoms, and of each term its name and the numbers of its atoms."""
        atoms: list[Number | Factor] = []
        place: dict[str, int] = {}
        products = []
        used: set[str] = set()
        for term in self._formula.terms:
            for one in term:
                if one.text not in place:
                    place[one.text] = len(atoms)
                    atoms.append(self._atom(one, references, used))
            members = tuple(dict.fromkeys(place[one.text] for one in term))
            products.append((":".join(atoms[k].name for k in members), members))
        products = list({frozenset(members): (name, members) for name, members in reversed(products)}.values())[::-1]
        unknown = [name for name in references if name not in used]
        if unknown:
            known = [atom.name for atom in atoms if isinstance(atom, Factor)]
            raise EvenOddsError(f"There is no factor {unknown[0]!r} to have a reference. {nearest(unknown[0], known)}")
        for name in self.fills:
            if any(isinstance(a, Number) and name in a.expression.columns() for a in atoms):
                products.append((f"{name}[missing]", (len(atoms),)))
                atoms.append(Number(f"{name}[missing]", Expression("missing", (name,))))
        return atoms, products

    def _atom(self, one: Wanted, references: Mapping[str, Any], used: set[str]) -> Number | Factor:
        column = one.expression.columns()[0]
        if not self._is_factor(one):
            return self._number(one)
        is_part = one.expression.operation in PARTS
        name = _part_name(one.expression) if is_part else column
        if one.factor and not is_part and column in self._bare:
            name = one.text
        levels = self._levels(one, column)
        reference: Level = next(level for level in levels if level is not None)
        if one.reference is not None:
            reference = chosen_reference(name, levels, one.reference)
        for key in dict.fromkeys((name, column)):
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

    def _levels(self, one: Wanted, column: str) -> tuple[Level, ...]:
        levels, n_kept = self.facts.levels(one.expression), self.facts.n_kept
        if not self._chosen and len(levels) > max(_FEW_ROWS, n_kept / 2):
            raise EvenOddsError(
                f"Column {column!r} has {len(levels):,} different values in {n_kept:,} rows, such as {levels[0]!r}: it "
                "tells rows apart, as a name or a number of a case does, and a model of it would only repeat them. "
                "Leave it out."
            )
        if one.levels is not None:
            lost = [level for level in levels if level not in one.levels]
            if lost:
                raise EvenOddsError(f"{one.text}: the column holds {lost[0]!r}, which is not among its levels.")
            levels = tuple(level for level in one.levels if level in levels)
        return (*levels, None) if self._missing == "indicator" and column in self.facts.counts else levels

    def _number(self, one: Wanted) -> Number:
        expression = self._known(one.expression)
        if expression.operation not in BASES:
            return Number(one.text, expression)
        count = width_of(expression)
        first = int(expression.operation == "cr" and self._formula.intercept)  # the columns of cr add up to 1
        return Number(re.sub(r"\s+", " ", one.text), expression, count - first, first)


def _as_they_are(expression: Expression) -> set[str]:
    """The columns of which an expression takes the values, not parts of dates."""
    if expression.operation == "column":
        return set(expression.args)
    inner = [arg for arg in expression.args if isinstance(arg, Expression) and expression.operation not in PARTS]
    return set().union(*map(_as_they_are, inner))


def _part_name(expression: Expression) -> str:
    return f"{expression.operation}({expression.columns()[0]})"


def _require(value: object, choices: Sequence[str], what: str) -> None:
    if not is_one_of(value, choices):
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
