"""What a model remembers of the table it was fitted on, and how it makes numbers of other tables by it.

A row becomes the same numbers, to the bit, alone or among others, whatever package holds it and wherever its columns
stand: each number depends on its row and the memory alone. Scores add column after column, by code where a column is a
factor, so that they too do not depend on how many rows there are.
"""

import operator
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, SupportsFloat

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..arrays import Array
from ..exceptions import EvenOddsError
from ..labels import labels_of, missing_labels
from ..naming import listed_labels, nearest
from ..table import is_frame, is_missing
from .columns import WORDS, Codes, Column, Table, coded, missing_error, without_values
from .expressions import BASES, part_level, part_of
from .rows import DesignRows
from .slopes import derivative
from .terms import Cell, Factor, Number, Part, Piece, Term, block_cells, block_names, block_pieces, block_size, subsets

MISSING = ("error", "drop", "indicator")
UNSEEN = ("error", "reference", "missing")
_SIDES = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_BOUND = re.compile(r"\s*([<>]=?)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*", re.ASCII)


@dataclass(frozen=True)
class Design:
    """The memory of a design.

    kinds : the columns that the model takes, in order, and what kind each is of
    atoms, terms : what they are made into
    intercept : whether the model has one
    missing, unseen : what happens to rows with missing values, and with levels that the fit has not seen
    fills : the means that stand for missing numbers, where an indicator says that they are missing
    formula, target, positive, weight, offset : as given to `fit_table`; `positive` may be a bound, as "> 0" is
    rest : whether the positive label is modelled against several others
    counts : of the table that it was learnt from, the missing values of each column that has some
    dropped : how many of its rows were left out because of them
    spelling : how the text file that it was learnt from is written, if it is from one; see `delimited.Habit`
    """

    kinds: Mapping[str, str]
    atoms: tuple[Number | Factor, ...]
    terms: tuple[Term, ...]
    intercept: bool = True
    missing: str = "error"
    unseen: str = "error"
    fills: Mapping[str, float] = field(default_factory=dict)
    formula: str | None = None
    target: str | None = None
    positive: Any = None
    rest: bool = False
    weight: str | None = None
    offset: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    dropped: int = 0
    spelling: Mapping[str, Any] | None = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that have coefficients."""
        return tuple(name for term in self.terms for block in term.blocks for name in block_names(block, self.atoms))

    @cached_property
    def columns_of(self) -> dict[str, range]:
        """The numbers of the columns of each term, by its name."""
        found, first = {}, 0
        for term in self.terms:
            count = sum(block_size(block, self.atoms) for block in term.blocks)
            found[term.name] = range(first, first + count)
            first += count
        return found

    def restrictions(self, dropped: Collection[str]) -> Any:
        """Combinations (r, k), CSR, of the coefficients that are 0 where the model is the one without some terms.

        Of terms without what others span of them: without ``f`` the columns of ``f:g`` still make up for ``f``.
        """
        spanned = {(frozenset[int](), frozenset[int]())} if self.intercept else set()
        for term in self.terms:
            if term.name not in dropped and term.blocks:
                spanned.update(subsets(term.members, self.atoms))
        rows: dict[Cell, dict[int, int]] = {}
        columns = [cells for term in self.terms for block in term.blocks for cells in block_cells(block, self.atoms)]
        for j, cells in enumerate(columns):
            for cell, count in cells.items():
                numbers, levels = cell
                if (frozenset(k for k, _ in numbers), frozenset(k for k, _ in levels)) not in spanned:
                    rows.setdefault(cell, {})[j] = count
        entries = [(i, j, count) for i, row in enumerate(rows.values()) for j, count in row.items()]
        at, column, value = zip(*entries, strict=True) if entries else ((), (), ())
        return sp.csr_array((np.array(value, dtype=float), (at, column)), shape=(len(rows), len(columns)))

    def containing(self, name: str) -> list[str]:
        """The terms that are products of a term and others."""
        (members,) = (term.members for term in self.terms if term.name == name)
        return [term.name for term in self.terms if term.members > members]

    @cached_property
    def bends(self) -> dict[str, tuple[str, Array]]:
        """The tests that a polynomial or spline by itself is a straight line: by name, the term and combinations (r, k)
        of the coefficients that are 0 then.
        """
        from .splines import bends

        found: dict[str, tuple[str, Array]] = {}
        for term in self.terms:
            atom = self.atoms[term.blocks[0][0].atom] if [len(block) for block in term.blocks] == [1] else None
            if not isinstance(atom, Number) or atom.expression.operation not in BASES:
                continue
            own = bends(atom.expression, atom.first, atom.columns)
            inner = atom.expression.args[0]
            name = f"{inner.args[0] if inner.operation == 'column' else term.name} (non-linear)"
            if name in found or any(other.name == name for other in self.terms):
                name = f"{term.name} (non-linear)"
            if len(own):
                found[name] = term.name, np.zeros((len(own), len(self.names)))
                found[name][1][:, list(self.columns_of[term.name])] = own
        return found

    def reference_of(self, name: str) -> str | None:
        """What the reference of a factor is called, if a term is the factor alone and has no column for it."""
        (term,) = (term for term in self.terms if term.name == name)
        if [len(block) for block in term.blocks] != [1] or term.blocks[0][0].full:
            return None
        atom = self.atoms[term.blocks[0][0].atom]
        if isinstance(atom, Factor) and len(atom.levels) > 1:
            return f"{atom.name}[{atom.label(atom.reference)}]"
        return None

    @property
    def rest_label(self) -> str:
        """The label of all that are not the positive one."""
        return f"not {self.positive}"

    def beside(self, frame: object, sample_weight: object, offset: object) -> tuple[Any, Any, Any]:
        """Labels, weights and offsets from the columns that the model has them in, where they are not given."""
        table = Table(frame) if is_frame(frame) else None
        if table is None or self.target is None:
            return None, sample_weight, offset
        y = table.native(self.target)
        if self.rest:
            labels = labels_of(y)
            y = np.array([None if is_missing(one) else self.label(one) for one in labels.tolist()], dtype=object)
        return y, *self.weighting(frame, sample_weight, offset)

    def weighting(self, frame: object, sample_weight: object, offset: object) -> tuple[Any, Any]:
        """Weights and offsets from the columns that the model has them in, where they are not given."""
        if sample_weight is None and self.weight is not None:
            sample_weight = self.table_of(frame).native(self.weight)
        if offset is None and self.offset is not None:
            offset = self.table_of(frame).native(self.offset)
        return sample_weight, offset

    def label(self, label: SupportsFloat | str) -> str:
        """The class of a label, where the positive one is modelled against several others."""
        return str(self.positive) if is_positive(label, self.positive) else self.rest_label

    @property
    def factors(self) -> list[Factor]:
        """The factors among the atoms."""
        return [atom for atom in self.atoms if isinstance(atom, Factor)]

    def table_of(self, frame: object) -> Table:
        """A frame, or some rows of one, as a table; an error if it is neither."""
        if isinstance(frame, Table):
            return frame
        if not is_frame(frame):
            raise EvenOddsError(
                f"The model was fitted on a frame with {listed_labels(list(self.kinds))}: give a frame with these "
                f"columns, not a {type(frame).__name__}."
            )
        return Table(frame)

    def without_label(self, y: object) -> NDArray[np.bool_] | None:
        """The rows that a fit leaves out as they have no label; None where no row is left out."""
        return missing_labels(labels_of(y)) if self.missing == "drop" else None

    def read(self, frame: object, left_out: NDArray[np.bool_] | None = None) -> DesignRows:
        """The rows of a frame, whose columns are found by name; others are left alone.

        left_out : rows that are not asked for, whatever they hold

        Raises
        ------
        EvenOddsError
            If a column is not there or of another kind than in the fit, or holds what the policies do not allow.
        """
        table = self.table_of(frame)
        own = left_out is not None and left_out.shape == (table.n_rows,)  # else whoever reads y says what is wrong
        values, gone = self.values(table, left_out=left_out if own else None)
        rows = self.rows_of(values, gone)
        for piece in rows.pieces:
            if piece.values is not None and not (finite := np.isfinite(piece.values) | gone).all():
                name, place = self.names[piece.first], table.place(int((~finite).argmax()))
                raise EvenOddsError(f"The product {name} is no finite number in {place}.")
        return rows

    def values(
        self, table: Table, held: Mapping[str, float] | None = None, left_out: NDArray[np.bool_] | None = None
    ) -> tuple[dict[int, Any], NDArray[np.bool_]]:
        """What each atom is in the rows of a table, numbers (n, columns) or codes (n,); and which rows are gone.

        held : numbers that columns have in all rows, instead of their own
        left_out : rows that are gone, whatever they hold
        """
        rows = _Memorised(self, table, held or {})
        factors = {k: atom for k, atom in enumerate(self.atoms) if isinstance(atom, Factor)}
        codes = {k: factor_codes(factor, rows.column(factor.source)) for k, factor in factors.items()}
        gone = rows.incomplete() if left_out is None else rows.incomplete() | left_out
        for k, found in codes.items():
            if None not in factors[k].levels:
                gone |= found == -1
        known = ~gone  # what a row that is gone holds is no matter, a level that is new among it
        for k, found in codes.items():
            codes[k] = self._places(factors[k], rows, found, known)
            if None not in factors[k].levels:
                gone |= codes[k] < 0
        if gone.any() and self.missing != "drop":
            raise self._missing_error(rows, codes)
        rows.gone = gone if gone.any() else None  # a spline refuses numbers beyond its bounds, but not of such rows
        values: dict[int, Any] = {}
        for k, atom in enumerate(self.atoms):
            values[k] = codes[k] if isinstance(atom, Factor) else _finite(atom, rows, gone)
        return values, gone

    def numbers(self, table: Table, source: str) -> Array:
        """A column of numbers (n,)."""
        return _Memorised(self, table, {}).numbers(source)

    def slopes(self, table: Table, source: str, held: Mapping[str, float] | None = None) -> dict[int, Array]:
        """The derivative of each atom of numbers by a column that it takes (n, columns)."""
        rows = _Memorised(self, table, held or {})
        found = {}
        for k, atom in enumerate(self.atoms):
            if isinstance(atom, Number) and atom.takes(source):
                slope = derivative(atom.expression, rows, source)
                slope = slope[:, None] if slope.ndim == 1 else slope
                found[k] = slope[:, atom.first : atom.first + atom.columns]
        return found

    def rows_of(self, values: dict[int, Any], gone: NDArray[np.bool_], only: int | None = None) -> DesignRows:
        """The rows whose atoms have these values; if `only`, the columns without this atom are 0."""
        pieces: list[Piece] = []
        first = 0
        for term in self.terms:
            for block in term.blocks:
                if only is None or only in (part.atom for part in block):
                    pieces += block_pieces(first, block, self.atoms, values)
                first += block_size(block, self.atoms)
        return DesignRows(gone.size, len(self.names), pieces, gone, self.missing == "drop")

    def size_of(self, block: Sequence[Part]) -> int:
        """How many columns a block of a term has."""
        return block_size(block, self.atoms)

    def _places(self, factor: Factor, rows: "_Memorised", codes: Codes, known: NDArray[np.bool_]) -> Codes:
        """The places of each row's level; -1 for a missing value that is no level.

        known : the rows in which levels that are new are judged
        """
        new = (codes == -2) & known
        if new.any():
            if self.unseen == "error":
                raise self._unseen_error(factor, rows.column(factor.source), int(new.argmax()))
            instead = -1 if self.unseen == "missing" else factor.levels.index(factor.reference)
            codes = np.where(new, np.int32(instead), codes)
        if None in factor.levels:
            codes = np.where(codes == -1, np.int32(factor.levels.index(None)), codes)
        return np.maximum(codes, np.int32(-1))

    def _unseen_error(self, factor: Factor, column: Column, row: int) -> EvenOddsError:
        value = column.value_at(row)
        known = [level for level in factor.levels if level is not None]
        return EvenOddsError(
            f"Column {factor.source!r} holds {value!r}, first in {column.place(row)}, and the fit has seen only "
            f'{listed_labels(known, 8)}. Leave such rows out, or fit with unseen="reference" or unseen="missing".'
        )

    def _missing_error(self, rows: "_Memorised", codes: Mapping[int, Codes]) -> EvenOddsError:
        """Of the first column, in the order of the model, that has no number in some row."""
        for k, atom in enumerate(self.atoms):
            if k in codes:
                missing = codes[k] < 0
            else:
                names = [name for name in atom.expression.columns() if name not in self.fills]
                missing = np.logical_or.reduce([np.zeros(rows.n_rows, bool), *(rows.column(n).missing for n in names)])
            if missing.any():
                row = int(missing.argmax())
                names = [name for name in atom.expression.columns() if k in codes or rows.column(name).missing[row]]
                return missing_error(names[0], missing, self.missing, rows.column(names[0]))
        raise AssertionError("no value is missing")


class _Memorised:
    """The columns of a table as a design remembers them.

    gone : the rows that are left out, whose numbers are NaN; None where there are none
    """

    gone: NDArray[np.bool_] | None = None

    def __init__(self, design: Design, table: Table, held: Mapping[str, float]) -> None:
        self._design, self._table, self._held, self.n_rows = design, table, held, table.n_rows
        self.place = table.place
        lost = [name for name in design.kinds if name not in table.names]
        if lost:
            raise EvenOddsError(
                f"The frame has no column {', '.join(map(repr, lost[:5]))}, which the model was fitted on. "
                f"{nearest(lost[0], table.names)}"
            )

    def column(self, name: str) -> Column:
        """A column, of the kind that it was of in the fit."""
        column, kind = self._table.column(name), self._design.kinds[name]
        alike = {column.kind, kind} == {"number", "boolean"}  # 0 is False, and 1 True
        if column.kind not in (kind, "nothing") and not alike:
            if column.missing.all():  # pandas has NaN, a number, in the place of any value
                return without_values(column)
            raise EvenOddsError(
                f"Column {name!r} held {WORDS[kind]} in the fit, and holds {WORDS[column.kind]} here, such as "
                f"{_some(column)!r}. Give it the type that it had."
            )
        return column

    def numbers(self, name: str) -> Array:
        """A column as numbers, its mean for those that are missing where an indicator says so."""
        if name in self._held:
            return np.full(self.n_rows, float(self._held[name]))
        values = self.column(name).numbers()
        fill = self._design.fills.get(name)
        values = values if fill is None else np.where(np.isnan(values), fill, values)
        return values if self.gone is None else np.where(self.gone, np.nan, values)

    def incomplete(self) -> NDArray[np.bool_]:
        """The rows in which a number is missing."""
        gone = np.zeros(self.n_rows, dtype=bool)
        for atom in self._design.atoms:
            if isinstance(atom, Number) and atom.expression.operation != "missing":
                for name in atom.expression.columns():
                    if name not in self._design.fills and name not in self._held:
                        gone |= self.column(name).missing
        return gone


def is_positive(label: SupportsFloat | str, positive: object) -> bool:
    """Whether a label is the positive one, or a number that is on the right side of a bound, such as "> 0"."""
    bound = _BOUND.fullmatch(positive) if isinstance(positive, str) else None
    if bound is None or isinstance(label, str | bool):
        return bool(label == positive)
    return bool(_SIDES[bound[1]](float(label), float(bound[2])))


def factor_codes(factor: Factor, column: Column) -> Codes:
    """Each row's place among the levels: -1 where it has no value, -2 where it has another one."""
    if not factor.is_part:
        return column.codes(factor.levels)
    operation = factor.expression.operation
    codes, values = part_codes(operation, part_of(operation, column))
    return coded(codes, values, factor.levels)


def part_codes(operation: str, numbers: Array) -> tuple[Codes, list[Any]]:
    """A part of dates as codes, -1 where there is none, and the levels that they mean."""
    found, codes = np.unique(numbers[~np.isnan(numbers)], return_inverse=True)
    every = np.full(numbers.size, -1, dtype=np.int32)
    every[~np.isnan(numbers)] = codes
    return every, [part_level(operation, int(number)) for number in found]


def _finite(atom: Number, rows: _Memorised, gone: NDArray[np.bool_]) -> Array:
    """The values (n, columns) of an atom, or an error where one is no number."""
    values = atom.expression.values(rows)
    values = (values[:, None] if values.ndim == 1 else values)[:, atom.first : atom.first + atom.columns]
    if values.shape[1] != atom.columns:
        raise EvenOddsError(f"{atom.name} has {values.shape[1]} columns here, and had {atom.columns} in the fit.")
    bad = ~np.isfinite(values).all(axis=1) & ~gone
    if bad.any():
        row = int(bad.argmax())
        if atom.expression.operation == "column":
            raise EvenOddsError(
                f"Column {atom.name!r} holds infinity, first in {rows.place(row)}. Replace it, or leave the row out."
            )
        args = " and ".join(f"{name!r} is {rows.column(name).value_at(row)!r}" for name in atom.expression.columns())
        raise EvenOddsError(f"{atom.name} is no finite number in {rows.place(row)}, where {args}.")
    return values


def _some(column: Column) -> Any:
    return column.value_at(int((~column.missing).argmax()))
