"""Marginal effects of the columns of a table, whatever a formula makes of them.

A number moves in all terms that hold it, in products and splines as well, and each level of a factor is the factor set
to it in all rows, against its reference. With s_k the slope of the score of class k by the number in a row, the effects
are those of `effects.py`, where slopes are the same in all rows.
"""

import functools
import operator
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from ..arrays import Array, Matrix, dense
from ..data.folding import Tables, listed
from ..data.memory import one_blas_thread
from ..data.scan import Scan
from ..design import Design, DesignRows, Factor, Table
from ..exceptions import EvenOddsError
from ..reading import unpacked
from .certain import class_signs, limit_scores
from .effects import less, outcome, summed
from .level_margins import LevelEffects, alone, takes_levels
from .margins_table import MIDDLES, errors_of, known_columns, table
from .table_places import TablePlaces, Values, number_sources
from .wide import TILE_ROWS, centred

if TYPE_CHECKING:
    from .record import Inference

_TILE_ENTRIES = 1 << 18


@dataclass(frozen=True)
class Asked:
    """at : where; logs : of log p; times : by log x; discrete : whether zeros and ones are switched."""

    at: Any
    logs: bool
    times: bool
    discrete: bool


@dataclass(frozen=True)
class Subject:
    """What changes, and how: a slope, or from one set of values of atoms to another.

    slopes : the derivatives of the atoms; start, end : the values of the atoms that are switched
    values : of the number in each row
    levels : all levels of a factor beside a wide one at once: its number, and see `alone`
    """

    name: str
    slopes: Values | None = None
    start: Values | None = None
    end: Values | None = None
    values: Array | None = None
    levels: tuple[Factor, int, NDArray[np.intp]] | None = None


def table_margins(
    result: "Inference",
    frame: object,
    asked: Asked,
    sample_weight: object,
    offset: ArrayLike | None,
    binary: NDArray[np.bool_],
) -> dict[str, Any]:
    """The columns of the table. binary : which of the design's columns held zeros and ones in the fit."""
    design: Design = result.model.design_
    if isinstance(frame, Scan):
        if not (isinstance(asked.at, str) and asked.at in MIDDLES):
            return _over_scan(result, frame, asked, binary)
        columns = frame.with_columns([*design.kinds, *filter(None, (design.weight, design.offset))])
        frame, _, sample_weight, offset = unpacked(columns, None, sample_weight, offset, "A margin at the middle")
    sample_weight, offset = design.weighting(frame, sample_weight, offset)
    rows = TablePlaces(design, frame, asked.at, sample_weight, result, offset)
    switched = _switched(design, binary) | {name for name, seen in _seen(design, rows).items() if seen == {0.0, 1.0}}
    sums = _Sums(result, asked)
    sums.add_rows(design, rows, list(_subjects(design, asked, rows, switched, takes_levels(result))))
    return sums.table(result)


def _over_scan(result: "Inference", scan: Scan, asked: Asked, binary: NDArray[np.bool_]) -> dict[str, Any]:
    """The same of rows that are scanned, with the weights and offsets among their columns, part by part.

    Which numbers are switched between 0 and 1 is known when all are seen: it takes a read of its own, where a formula
    makes something else of one than the column that it is.
    """
    design: Design = result.model.design_
    weight = scan.roles.weight or design.weight
    offset = scan.roles.offset or (() if design.offset is None else (design.offset,))

    def places(table: Table) -> TablePlaces:
        shift = [np.asarray(table.native(name).to_numpy(), dtype=np.float64) for name in offset]
        own = None if weight is None else table.native(weight)
        return TablePlaces(
            design, table, asked.at, own, result, np.column_stack(shift) if len(shift) > 1 else (*shift, None)[0]
        )

    def each(function: Callable[[TablePlaces], Any]) -> Iterator[Any]:
        def one(_: int, tables: Tables) -> list[Any]:
            with np.errstate(invalid="ignore", divide="ignore"):
                rows = (places(Table(table, where.row)) for table, where in tables)
                return [function(some) for some in rows if some.kept.size]

        columns = [*design.kinds, *offset, *(() if weight is None else (weight,))]
        yield from scan.here().fold(columns, one, listed, result.model.n_jobs)  # it knows all of the result

    switched, seen = _switched(design, binary), dict[str, set[float]]()
    if asked.discrete and not asked.times and set(number_sources(design)) - set(design.names):
        for part in each(lambda rows: _seen(design, rows)):
            for name, values in part.items():
                seen.setdefault(name, set()).update(values)
    switched |= {name for name, values in seen.items() if values == {0.0, 1.0}}

    def sums_of(rows: TablePlaces) -> _Sums:
        sums = _Sums(result, asked)
        sums.add_rows(design, rows, list(_subjects(design, asked, rows, switched, takes_levels(result))))
        return sums

    total: _Sums | None = None
    with one_blas_thread:
        for sums in each(sums_of):
            total = sums if total is None else total.plus(sums)
    if total is None:
        raise EvenOddsError("There is no row to average over: each has a missing value or the weight 0.")
    return total.table(result)


def _switched(design: Design, binary: NDArray[np.bool_]) -> set[str]:
    """The columns of the design that held zeros and ones in the fit."""
    return {name for name, is_binary in zip(design.names, binary, strict=True) if is_binary}


def _seen(design: Design, rows: TablePlaces) -> dict[str, set[float]]:
    """Of each number that is no column of the design three of its values, which tell 0 and 1 from others."""
    names = [name for name in number_sources(design) if name not in design.names]
    return {name: set(np.unique(rows.number(name))[:3].tolist()) for name in names}


def _subjects(
    design: Design, asked: Asked, rows: TablePlaces, switched: Collection[str], wide: bool
) -> Iterable[Subject]:
    """In the order in which columns come in the model. switched : numbers that are 0 or 1."""
    numbers = number_sources(design)
    factors = [one for one in design.factors if not one.is_part]
    done = set() if asked.times else {one.source for one in factors}  # a column that is both has levels
    for k, atom in enumerate(design.atoms):
        if isinstance(atom, Factor):
            several = sum(one.source == atom.source for one in factors) > 1 or atom.source in numbers
            if not asked.times and wide and not several and (found := alone(design, k)) is not None:
                yield Subject(atom.name, levels=(atom, *found))
            elif not asked.times:
                yield from _levels(design, rows, k)
            continue
        if atom.expression.operation == "missing":
            continue
        for source in atom.expression.columns():
            if source in done:
                continue
            done.add(source)
            if source in switched and asked.discrete and not asked.times:
                yield Subject(source, None, rows.moved({source: 0.0}), rows.moved({source: 1.0}))
            else:
                yield Subject(source, rows.slopes(source), values=rows.number(source))


def _levels(design: Design, rows: TablePlaces, k: int) -> Iterable[Subject]:
    """Each level of a factor against its reference, in all that a formula makes of its column."""
    atom: Any = design.atoms[k]
    alike = {
        j: one for j, one in enumerate(design.atoms) if isinstance(one, Factor) and one.expression == atom.expression
    }
    is_number = not atom.is_part and atom.source in number_sources(design)

    def at(level: Any) -> Values:
        codes = {j: np.full_like(rows.values[j], one.levels.index(level)) for j, one in alike.items()}
        return {**rows.moved({atom.source: float(level)}), **codes} if is_number and level is not None else codes

    if k == min(alike):
        start = at(atom.reference)
        for level in atom.shown(False):
            yield Subject(f"{atom.name}[{atom.label(level)}]", None, start, at(level))


class _Sums:
    """Sums over rows, a tile after another: `effect` (K, p) and `jacobian` (K, p, m, k) as in `Effects`.

    moved : (p, columns) which columns of the design a subject moves
    """

    def __init__(self, result: "Inference", asked: Asked) -> None:
        problem, coordinates = result.problem, result.problem.objective.coordinates
        self._result, self._asked = result, asked
        self._theta = problem.theta.reshape(problem.n_free, -1)
        self._endless = class_signs(result, np.arange(coordinates.scale.size)) != 0
        self._names: list[str] = []
        self._weight = 0.0

    def add_rows(self, design: Design, rows: TablePlaces, subjects: list[Subject]) -> None:
        """All rows of a part."""
        if not subjects:
            raise EvenOddsError("Elasticities are of numbers, and the model has factors only.")
        count, K = len(subjects), len(self._result.classes)
        self._names = [one.name for one in subjects]
        self.levels = {j: self._of_levels(*one.levels) for j, one in enumerate(subjects) if one.levels is not None}
        self.effect, self.jacobian = np.zeros((K, count)), np.zeros((K, count, *self._theta.shape))
        self.moved = np.zeros((count, self._endless.shape[-1]), dtype=bool)
        self._weight = float(rows.weight.sum())
        size = TILE_ROWS if self._result.whole.wide else max(1, _TILE_ENTRIES // len(design.names))
        with one_blas_thread, np.errstate(invalid="ignore", divide="ignore"):
            for k in range(0, rows.weight.size, size):
                self.add(design, rows, subjects, slice(k, k + size))

    def _of_levels(self, factor: Factor, first: int, columns: NDArray[np.intp]) -> tuple[list[str], LevelEffects]:
        """The names of a factor's levels, and what adds up their effects."""
        shown, place = factor.shown(False), {level: k for k, level in enumerate(factor.levels)}
        places = columns[[place[level] for level in (*shown, factor.reference)]]
        names = [f"{factor.name}[{factor.label(level)}]" for level in shown]
        return names, LevelEffects(self._result, self._asked.logs, first, places)

    def plus(self, other: "_Sums") -> "_Sums":
        """With those of another part."""
        self.effect += other.effect
        self.jacobian += other.jacobian
        self.moved |= other.moved
        for j, (_, effects) in self.levels.items():
            effects.plus(other.levels[j][1])
        self._weight += other._weight
        return self

    def table(self, result: "Inference") -> dict[str, Any]:
        """The columns of the table."""
        known = np.asarray((self.moved & known_columns(result)).any(axis=1))
        effect, se = self.effect / self._weight, errors_of(result, self.jacobian / self._weight)
        names, parts = [], []
        for j, name in enumerate(self._names):
            if j in self.levels:
                names += self.levels[j][0]
                parts.append(self.levels[j][1].columns_of(self._weight))
            else:
                names.append(name)
                parts.append((known[j : j + 1], effect[:, j : j + 1], se[:, j : j + 1]))
        known, effect, se = (np.concatenate(each, axis=-1) for each in zip(*parts, strict=True))
        return table(result, names, known, effect, se)

    def add(self, design: Design, rows: TablePlaces, subjects: list[Subject], some: slice) -> None:
        """Add some rows."""
        values = {k: one[some] for k, one in rows.values.items()}
        weight, shift = rows.weight[some], rows.shift[some]
        outcomes: dict[Any, tuple[Any, tuple[Array, Array]]] = {}
        wide = self._result.whole.wide

        def rows_of(more: Values, only: int | None = None) -> DesignRows:
            none = np.zeros(weight.size, dtype=bool)
            return design.rows_of({**values, **{k: one[some] for k, one in more.items()}}, none, only)

        def matrix(more: Values) -> Any:
            """Dense, or coded beside a wide factor."""
            found = rows_of(more)
            return centred(self._result.problem, found.coded()) if wide else dense(found.matrix())

        def slopes_of(k: int, one: Array) -> Any:
            found = rows_of({k: one}, k).matrix()
            return sp.csr_array(found) if wide else dense(found)

        def outcome_of(more: Values, key: object) -> tuple[Any, tuple[Array, Array]]:
            if key not in outcomes:
                X = matrix(more)
                outcomes[key] = X, outcome(self._result, X, shift, weight, self._asked.logs)
            return outcomes[key]

        X = matrix({})
        D, Z = limit_scores(self._result, X, shift)
        for j, subject in enumerate(subjects):
            if subject.levels is not None:
                self.levels[j][1].add(rows_of({}).coded(), shift, weight)
            elif subject.slopes is not None:
                slope = functools.reduce(operator.add, (slopes_of(k, one) for k, one in subject.slopes.items()))
                times = subject.values[some] if self._asked.times and subject.values is not None else 1.0
                self._add_slope(j, D, Z, weight * times, slope)
                self.moved[j] |= _any(slope)
            elif subject.start is not None and subject.end is not None:
                # The levels of a factor have one start.
                before, (p, by) = outcome_of(subject.start, tuple(subject.start) if len(subject.start) == 1 else j)
                after, (q, b) = outcome_of(subject.end, -1 - j)
                self.effect[:, j] += q - p
                self.jacobian[:, j] += b - by
                self.moved[j] |= _any(before.csr() != after.csr() if wide else before != after)
                del outcomes[-1 - j]

    def _add_slope(self, j: int, D: object, Z: Array, weight: Array, slope: Matrix) -> None:
        """The slopes of a number, slope (n, columns) those of the design."""
        problem = self._result.problem
        coordinates, K, m = problem.objective.coordinates, Z.shape[1], problem.n_free
        first = int(coordinates.intercept)
        by = slope[:, coordinates.columns] @ sp.diags_array(1 / coordinates.scale[coordinates.columns])
        of_scores = np.pad(by @ self._theta[:, first:].T, ((0, 0), (K - m, 0)))
        P = softmax(Z, axis=1)
        rest = less(P)
        W = P[:, :, None] * rest
        M = np.where(P[:, :, None] == 0, np.nan, rest) if self._asked.logs else W  # log 0 has no slope
        self.effect[:, j] += np.einsum("i,ick,ik->c", weight, M, of_scores)
        for a, c in enumerate(range(K - m, K)):
            turn = np.broadcast_to(-W[:, None, :, c], M.shape)  # the derivative of M by z_c
            if not self._asked.logs:
                turn = P[:, :, None] * turn + W[:, :, c, None] * rest
            self.jacobian[:, j, a] += summed(weight[:, None] * np.einsum("ick,ik->ic", turn, of_scores), D)
            self.jacobian[:, j, a, first:] += summed(weight[:, None] * M[:, :, c], by)
        size = np.einsum("i,ick->ck", np.abs(weight), np.abs(M))
        moving = self._endless[:, :, _any(slope)].any(axis=2)
        endless = moving & (size > 0) & ~np.eye(K, dtype=bool)
        self.effect[:, j] += np.where(endless.any(axis=1), np.nan, 0.0)


def _any(X: Matrix) -> NDArray[np.bool_]:
    """Which columns have an entry other than 0."""
    if not sp.issparse(X):
        return np.asarray(X.any(axis=0))
    X = sp.csr_array(X)
    return np.bincount(X.indices, X.data != 0, X.shape[1]) > 0
