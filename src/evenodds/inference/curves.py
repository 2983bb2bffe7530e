"""Probabilities along one column of a table, the others held: numbers at their means, factors at their references.

What is drawn is what `predict` gives of such rows. They are made of the design's memory, not of a frame, so that parts
of dates can be set one by one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array, Mask
from ..design import Column, Design, Factor, Number, Table
from ..exceptions import EvenOddsError, is_one_of, within_range
from ..labels import row_numbers
from ..naming import known_column, nearest
from ..table import is_frame
from .margins_table import number_at
from .prediction import columns_of, probabilities, read
from .table_places import called, number_sources
from .wide import centred

if TYPE_CHECKING:
    from .record import Inference

_POINTS = 101
_MOST_LEVELS = 8  # of a column that has a curve each
_QUARTERS = (0.25, 0.5, 0.75)
Value = float | str


@dataclass(frozen=True)
class Curve:
    """Probabilities along a column.

    by : the name and value of the column that has a curve for each, if one was asked for
    values : (n,) numbers, or the labels of levels
    is_number : whether values between these have probabilities too
    probability, lower, upper : (n, c) of the second of two classes, or of each of more; the ends are NaN where
        separated classes leave no doubt, as each would take a search
    """

    by: tuple[str, Value] | None
    values: tuple[Value, ...]
    is_number: bool
    probability: Array
    lower: Array
    upper: Array


class Ground:
    """A result and the rows that set ranges and means, read once for any number of curves."""

    @within_range()
    def __init__(self, result: "Inference", X: object = None) -> None:
        self.result = result
        X = result.given if X is None else X
        design: Design | None = getattr(result.model, "design_", None)
        self.columns: _Columns | _Table = _Columns(result, X) if design is None else _Table(design, X)

    @within_range()
    def curves(self, column: str, at: Mapping[str, Any] | None = None, by: str | None = None) -> list[Curve]:
        """The curves along a column: one, or one for each value of another."""
        if not isinstance(at, Mapping | None):
            raise EvenOddsError(f"at holds values by column, such as {{'age': 40}}, not a {type(at).__name__}.")
        known, at = self.columns, dict(at or {})
        name = known.named(column)
        held = {known.named(one): known.value(known.named(one), value, "at") for one, value in at.items()}
        if name in held:
            raise EvenOddsError(f"at holds {name!r}, along which the curve goes: leave it out.")
        values, is_number = known.along(name)
        if by is None:
            return [self._curve(None, name, values, is_number, held)]
        other = known.named(by)
        if other in (name, *held):
            raise EvenOddsError(f"by names {other!r}, which is the column of the curve, or held by at.")
        pairs = [(other, value) for value in known.few(other)]
        return [self._curve(pair, name, values, is_number, {**held, other: pair[1]}) for pair in pairs]

    def _curve(
        self,
        by: tuple[str, Value] | None,
        name: str,
        values: Sequence[Value],
        is_number: bool,
        held: Mapping[str, Value],
    ) -> Curve:
        rows = self.columns.rows(self.result, name, values, held)
        if rows is None:
            raise EvenOddsError(f"The model has no finite numbers for {name!r} along its range with {dict(held)!r}.")
        shift = np.zeros((len(values), len(self.result.classes)))
        found = probabilities(self.result, rows, shift, searched=False)
        return Curve(by, tuple(values), is_number, found["probability"], found["lower"], found["upper"])


class _Columns:
    """A model of columns of numbers."""

    def __init__(self, result: "Inference", X: object) -> None:
        self.names, self._X = list(map(str, columns_of(result))), read(result, X)
        self._means: Array = np.asarray(self._X.mean(axis=0, dtype=np.float64)).ravel()

    def named(self, name: object) -> str:
        """A column that there is."""
        return known_column(str(name), self.names, " in the model")

    def value(self, name: str, value: object, what: str) -> Value:
        """A value that a column is held at."""
        return number_at(name, value)

    def numbers(self, name: str) -> Array:
        """A column."""
        column = self._X[:, [self.names.index(name)]]
        dense = column if isinstance(column, np.ndarray) else column.toarray()
        return np.asarray(dense, dtype=np.float64).ravel()

    def along(self, name: str) -> tuple[list[Value], bool]:
        """The values along a column."""
        return _along(self.numbers(name))

    def few(self, name: str) -> list[Value]:
        """Some values that stand for a column."""
        return _few(self.numbers(name))

    def rows(self, result: "Inference", name: str, values: Sequence[Value], held: Mapping[str, Value]) -> Array | None:
        """The rows with these values; None if some number is not finite."""
        rows = np.tile(self._means, (len(values), 1))
        for one, value in {**held, name: values}.items():
            rows[:, self.names.index(one)] = value
        return rows if np.isfinite(rows).all() else None


class _Table:
    """A model of a table, by its design."""

    def __init__(self, design: Design, frame: object) -> None:
        if not is_frame(frame):
            raise EvenOddsError(f"Curves need the frame that the model was fitted on, not a {type(frame).__name__}.")
        self._design, self._table = design, Table(frame)
        self._sources = number_sources(design)
        self._known: dict[str, Array] = {}
        table, weight = self._table, design.weight
        known = weight is not None and weight in table.names
        self._weight = row_numbers(table.native(str(weight)), str(weight), table.n_rows) if known else None
        self._kept = self._rows_of_fit()
        self._atoms = {atom.name: atom for atom in design.atoms}
        self.names = list(dict.fromkeys([*self._sources, *(factor.name for factor in design.factors)]))

    def _rows_of_fit(self) -> Mask:
        """Which rows are none that a fit leaves out."""
        design, table = self._design, self._table
        if design.missing != "drop":
            return np.ones(table.n_rows, dtype=bool)
        gone = [table.column(name).missing for name in design.kinds]
        if design.target is not None and design.target in table.names:
            left_out = design.without_label(table.native(design.target))
            gone += [] if left_out is None else [left_out]
        return np.asarray(~np.logical_or.reduce(gone))

    def named(self, name: str) -> str:
        """A column that there is, or the one that a term is made of."""
        sources = [factor.source for factor in self._design.factors if not factor.is_part]
        if is_one_of(name, [*self.names, *sources]):
            return str(name)
        atom = self._atoms.get(str(name))
        if atom is not None and len(atom.expression.columns()) == 1 and atom.expression.columns()[0] in self.names:
            return atom.expression.columns()[0]
        known = list(dict.fromkeys([*self.names, *sources]))
        return known_column(name, known, " in the model")

    def factors(self, name: str) -> list[Factor]:
        """The factors that a column is."""
        return [factor for factor in self._design.factors if name in called(factor)]

    def value(self, name: str, value: object, what: str) -> Value:
        """A value that a column is held at: a number, or the label of a level."""
        factors = self.factors(name)
        if not factors:
            return number_at(name, value)
        labels = [factors[0].label(level) for level in factors[0].levels]
        if str(value) not in labels:
            close = nearest(str(value), labels, "The levels are")
            raise EvenOddsError(f"{what}[{name!r}] is {value!r}, which is no level of it. {close}")
        return str(value)

    def numbers(self, name: str) -> Array:
        """A column in the rows of a fit that have a value."""
        if name not in self._known:
            values = self._design.numbers(self._table, name)
            self._known[name] = values[np.isfinite(values) & self._kept]
        return self._known[name]

    def mean(self, name: str) -> float:
        """The mean of a column, by the weights of the rows where the design knows them."""
        values = self._design.numbers(self._table, name)
        there = np.isfinite(values) & self._kept
        weight = None if self._weight is None or not self._weight[there].any() else self._weight[there]
        return float(np.average(values[there], weights=weight))

    def along(self, name: str) -> tuple[list[Value], bool]:
        """The values along a column."""
        factors = self.factors(name)
        return (self._labels(factors[0]), False) if factors else _along(self.numbers(name))

    def few(self, name: str) -> list[Value]:
        """Some values that stand for a column: of a factor all levels."""
        factors = self.factors(name)
        if not factors:
            return _few(self.numbers(name))
        if len(factors[0].levels) > _MOST_LEVELS:
            raise EvenOddsError(
                f"{name!r} has {len(factors[0].levels):,} levels, too many to have a curve each (at most "
                f"{_MOST_LEVELS}): hold it with at={{{name!r}: ...}}."
            )
        return self._labels(factors[0])

    def _labels(self, factor: Factor) -> list[Value]:
        """Of the levels; without that of missing values where the column is a number as well."""
        is_number = factor.source in self._sources and not factor.is_part
        return [factor.label(level) for level in factor.levels if not (is_number and level is None)]

    def rows(self, result: "Inference", name: str, values: Sequence[Value], held: Mapping[str, Value]) -> Any:
        """The rows with these values, as columns of the design: coded beside a wide factor; None as above."""
        n, wanted = len(values), {**{one: [value] * len(values) for one, value in held.items()}, name: list(values)}
        atoms: dict[int, Any] = {}
        numbers = _Held({source: self._held(source, wanted, n) for source in self._sources}, n)
        for k, atom in enumerate(self._design.atoms):
            if isinstance(atom, Factor):
                asked = next((wanted[one] for one in called(atom) if one in wanted), [atom.label(atom.reference)] * n)
                labels = {atom.label(level): place for place, level in enumerate(atom.levels)}
                atoms[k] = np.array([labels[str(value)] for value in asked], dtype=np.int32)
            else:
                atoms[k] = numbers.of(atom)
        made = self._design.rows_of(atoms, np.zeros(n, dtype=bool))
        if not all(piece.values is None or np.isfinite(piece.values).all() for piece in made.pieces):
            return None
        if result.whole.wide:
            return centred(result.problem, made.coded())
        found = made.matrix()
        return np.asarray(found if isinstance(found, np.ndarray) else found.toarray())

    def _held(self, source: str, wanted: Mapping[str, Sequence[Value]], n: int) -> Array:
        """A number in each row: as asked for, else its mean; of one that is a factor as well, the reference."""
        factors = self.factors(source)
        numbers = {factor.label(level): level for factor in factors for level in factor.levels if level is not None}
        if source not in wanted:
            middle = factors[0].reference if factors else self.mean(source)
            return np.full(n, float(middle or 0.0))
        return np.array([float(numbers.get(str(value), value)) for value in wanted[source]])


@dataclass(frozen=True)
class _Held:
    """Rows of which the numbers are given, from which expressions take them."""

    given: Mapping[str, Array]
    n_rows: int

    def numbers(self, name: str) -> Array:
        """A column of numbers."""
        return self.given[name]

    def column(self, name: str) -> Column:
        """No column of another kind enters a number."""
        raise EvenOddsError(f"{name!r} is no column of numbers.")

    def complete(self, values: Array) -> Array:
        """All rows: nothing is learnt here."""
        return values

    def of(self, atom: Number) -> Array:
        """The values (n, columns) of an atom; none is missing."""
        if atom.expression.operation == "missing":
            return np.zeros((self.n_rows, 1))
        found = atom.expression.values(self)
        found = found[:, None] if found.ndim == 1 else found
        return np.broadcast_to(found[:, atom.first : atom.first + atom.columns], (self.n_rows, atom.columns))


def _along(values: Array) -> tuple[list[Value], bool]:
    """Points from the smallest to the largest value; two values are by themselves."""
    low, high = float(values.min()), float(values.max())
    if low == high or ((values == low) | (values == high)).all():
        return sorted({low, high}), False
    return np.linspace(low, high, _POINTS).tolist(), True


def _few(values: Array) -> list[Value]:
    """The values, where they are few; else the quartiles."""
    distinct = np.unique(values)
    found: list[Value] = (distinct if distinct.size <= len(_QUARTERS) else np.quantile(values, _QUARTERS)).tolist()
    return list(dict.fromkeys(found))
