"""Marginal effects of the columns of a table, whatever a formula makes of them.

A number moves in all terms that hold it, in products and splines as well, and each level of a factor is the factor set
to it in all rows, against its reference. With s_k the slope of the score of class k by the number in a row, the effects
are those of `effects.py`, where slopes are the same in all rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ..advice import nearest
from ..data import Array
from ..data.memory import one_blas_thread
from ..design import Design, Factor, Number
from ..exceptions import EvenOddsError
from ..labels import row_numbers
from .certain import class_signs, limit_scores
from .effects import less, outcome
from .margins_table import MIDDLES, known_columns, number_at, require_overall, table
from .prediction import shifts

if TYPE_CHECKING:
    from .record import Inference

_TILE_ENTRIES = 1 << 18
Values = Mapping[int, Any]


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

    number : the column whose slope it is, None of a switch
    slopes : the derivatives of the atoms; start, end : the values of the atoms that are switched
    values : of the number in each row
    """

    name: str
    slopes: Values | None = None
    start: Values | None = None
    end: Values | None = None
    values: Array | None = None


def table_margins(
    result: "Inference", frame: Any, asked: Asked, sample_weight: Any, offset: Any, binary: NDArray[np.bool_]
) -> dict[str, Any]:
    """The columns of the table. binary : which of the design's columns held zeros and ones in the fit."""
    design: Design = result.model.design_
    sample_weight, offset = design.weighting(frame, sample_weight, offset)
    rows = _Places(design, frame, asked.at, sample_weight, result, offset)
    subjects = list(_subjects(design, frame, asked, rows, binary))
    if not subjects:
        raise EvenOddsError("Elasticities are of numbers, and the model has factors only.")
    sums = _Sums(result, asked, len(subjects))
    size = max(1, _TILE_ENTRIES // len(design.names))
    with one_blas_thread, np.errstate(invalid="ignore", divide="ignore"):
        for k in range(0, rows.weight.size, size):
            sums.add(design, rows, subjects, slice(k, k + size))
    known = np.asarray((sums.moved & known_columns(result)).any(axis=1))
    total = rows.weight.sum()
    return table(result, [one.name for one in subjects], known, sums.effect / total, sums.jacobian / total)


class _Places:
    """The rows that effects are averaged over, with what is held in them.

    values : of each atom; weight (n,) and shift (n, K) of the rows
    """

    def __init__(
        self, design: Design, frame: Any, at: Any, sample_weight: Any, result: "Inference", offset: Any
    ) -> None:
        self.held: dict[str, float] = {}
        self._design, self._frame = design, frame
        codes: dict[int, int] = {}
        values, gone = design.values(frame)
        n = gone.size
        weight = np.ones(n) if sample_weight is None else row_numbers(sample_weight, "sample_weight", n)
        if (weight < 0).any() or not weight[~gone].any():
            raise EvenOddsError("sample_weight has to be 0 or more, and not 0 in all rows.")
        shift = shifts(result, offset, frame)
        self.kept = np.flatnonzero((weight > 0) & ~gone)
        self.weight, self.shift = weight[self.kept], shift[self.kept]
        if isinstance(at, str) and at in MIDDLES:
            middle = MIDDLES[at]
            for source in number_sources(design):
                self.held[source] = middle(design.numbers(frame, source)[self.kept], self.weight)
            for k, atom in enumerate(design.atoms):
                if isinstance(atom, Factor):
                    codes[k] = int(np.bincount(values[k][self.kept], weights=self.weight).argmax())
            self.shift = np.array([[middle(column, self.weight) for column in self.shift.T]])
            self.kept, self.weight = self.kept[:1], np.ones(1)
        elif isinstance(at, Mapping):
            for name, value in at.items():
                self._hold(name, value, codes)
        else:
            require_overall(at)
        self.codes = codes
        self.values = self.moved({})

    def _hold(self, name: Any, value: Any, codes: dict[int, int]) -> None:
        design = self._design
        factors = [k for k, atom in enumerate(design.atoms) if isinstance(atom, Factor) and name in called(atom)]
        is_number = name in number_sources(design)
        if not factors and not is_number:
            known = [*design.kinds, *(f.name for f in design.factors if f.name not in design.kinds)]
            raise EvenOddsError(f"at has {name!r}, which the model does not have. {nearest(str(name), known)}")
        if is_number:
            self.held[name] = number_at(name, value)
        for k in factors:
            factor: Any = design.atoms[k]
            labels = [factor.label(level) for level in factor.levels]
            if str(value) not in labels:
                known_levels = nearest(str(value), labels, "The levels are")
                raise EvenOddsError(f"at[{name!r}] is {value!r}, which is no level of it. {known_levels}")
            codes[k] = labels.index(str(value))

    def moved(self, more: Mapping[str, float]) -> dict[int, Any]:
        """The values of the atoms with some numbers held, besides what is held in all rows."""
        held = {**self.held, **more}
        values, _ = self._design.values(self._frame, held)
        for k, atom in enumerate(self._design.atoms):
            if k in self.codes:
                values[k] = np.full_like(values[k], self.codes[k])
            elif (
                isinstance(atom, Number) and atom.expression.operation == "missing" and atom.expression.args[0] in held
            ):
                values[k] = np.zeros_like(values[k])
        return self.taken(values)

    def slopes(self, source: str) -> dict[int, Array]:
        """The derivatives of the atoms by a number."""
        return self.taken(self._design.slopes(self._frame, source, self.held))

    def taken(self, values: Values) -> dict[int, Any]:
        """Those of the rows that count."""
        return {k: one[self.kept] for k, one in values.items()}

    def number(self, source: str) -> Array:
        """A number in the rows that count."""
        if source in self.held:
            return np.full(self.weight.size, self.held[source])
        return self._design.numbers(self._frame, source)[self.kept]


def number_sources(design: Design) -> list[str]:
    """The columns that enter as numbers."""
    numbers = [atom.expression for atom in design.atoms if isinstance(atom, Number)]
    return list(dict.fromkeys(name for one in numbers if one.operation != "missing" for name in one.columns()))


def called(factor: Factor) -> tuple[str, ...]:
    """The names under which a factor is known; one that is a part of dates is not its column."""
    return (factor.name,) if factor.is_part else (factor.name, factor.source)


def _subjects(design: Design, frame: Any, asked: Asked, rows: _Places, binary: NDArray[np.bool_]) -> Iterable[Subject]:
    """In the order in which columns come in the model."""
    zeros_and_ones = {name for name, is_binary in zip(design.names, binary, strict=True) if is_binary}
    done: set[str] = set()
    for k, atom in enumerate(design.atoms):
        if isinstance(atom, Factor):
            if not asked.times:
                reference = np.full_like(rows.values[k], atom.levels.index(atom.reference))
                for level in atom.shown(False):
                    end = np.full_like(reference, atom.levels.index(level))
                    yield Subject(f"{atom.name}[{atom.label(level)}]", None, {k: reference}, {k: end})
            continue
        if atom.expression.operation == "missing":
            continue
        for source in atom.expression.columns():
            if source in done:
                continue
            done.add(source)
            values = rows.number(source)
            switched = source in zeros_and_ones or (source not in design.names and set(np.unique(values)) == {0.0, 1.0})
            if switched and asked.discrete and not asked.times:
                yield Subject(source, None, rows.moved({source: 0.0}), rows.moved({source: 1.0}))
            else:
                yield Subject(source, rows.slopes(source), values=values)


class _Sums:
    """Sums over rows, a tile after another: `effect` (K, p) and `jacobian` (K, p, m, k) as in `Effects`.

    moved : (p, columns) which columns of the design a subject moves
    """

    def __init__(self, result: "Inference", asked: Asked, count: int) -> None:
        problem, coordinates = result.problem, result.problem.objective.coordinates
        self._result, self._asked = result, asked
        K, m = len(result.classes), problem.n_free
        self._theta = problem.theta.reshape(m, -1)
        self.effect, self.jacobian = np.zeros((K, count)), np.zeros((K, count, m, self._theta.shape[1]))
        self.moved = np.zeros((count, coordinates.scale.size), dtype=bool)
        self._endless = class_signs(result, np.arange(coordinates.scale.size)) != 0

    def add(self, design: Design, rows: _Places, subjects: list[Subject], some: slice) -> None:
        """Add some rows."""
        values = {k: one[some] for k, one in rows.values.items()}
        weight, shift = rows.weight[some], rows.shift[some]
        outcomes: dict[Any, tuple[Array, tuple[Array, Array]]] = {}

        def matrix(more: Values, only: int | None = None) -> Array:
            none = np.zeros(weight.size, dtype=bool)
            found = design.rows_of({**values, **{k: one[some] for k, one in more.items()}}, none, only).matrix()
            return np.asarray(found if isinstance(found, np.ndarray) else found.toarray())

        def outcome_of(more: Values, key: Any) -> tuple[Array, tuple[Array, Array]]:
            if key not in outcomes:
                X = matrix(more)
                outcomes[key] = X, outcome(self._result, X, shift, weight, self._asked.logs)
            return outcomes[key]

        X = matrix({})
        D, Z = limit_scores(self._result, X, shift)
        for j, subject in enumerate(subjects):
            if subject.slopes is not None:
                slope = sum((matrix({k: one}, k) for k, one in subject.slopes.items()), np.zeros_like(X))
                times = subject.values[some] if self._asked.times and subject.values is not None else 1.0
                self._add_slope(j, D, Z, weight * times, slope)
                self.moved[j] |= slope.any(axis=0)
            elif subject.start is not None and subject.end is not None:
                # The levels of a factor have one start.
                before, (p, by) = outcome_of(subject.start, tuple(subject.start) if len(subject.start) == 1 else j)
                after, (q, b) = outcome_of(subject.end, -1 - j)
                self.effect[:, j] += q - p
                self.jacobian[:, j] += b - by
                self.moved[j] |= (before != after).any(axis=0)
                del outcomes[-1 - j]

    def _add_slope(self, j: int, D: Array, Z: Array, weight: Array, slope: Array) -> None:
        """The slopes of a number, slope (n, columns) those of the design."""
        problem = self._result.problem
        coordinates, K, m = problem.objective.coordinates, Z.shape[1], problem.n_free
        by = np.zeros_like(D)
        by[:, int(coordinates.intercept) :] = slope[:, coordinates.columns] / coordinates.scale[coordinates.columns]
        of_scores = np.pad(by @ self._theta.T, ((0, 0), (K - m, 0)))
        P = softmax(Z, axis=1)
        rest = less(P)
        W = P[:, :, None] * rest
        M = np.where(P[:, :, None] == 0, np.nan, rest) if self._asked.logs else W  # log 0 has no slope
        self.effect[:, j] += np.einsum("i,ick,ik->c", weight, M, of_scores)
        for a, c in enumerate(range(K - m, K)):
            turn = np.broadcast_to(-W[:, None, :, c], M.shape)  # the derivative of M by z_c
            if not self._asked.logs:
                turn = P[:, :, None] * turn + W[:, :, c, None] * rest
            self.jacobian[:, j, a] += (weight[:, None] * np.einsum("ick,ik->ic", turn, of_scores)).T @ D
            self.jacobian[:, j, a] += (weight[:, None] * M[:, :, c]).T @ by
        size = np.einsum("i,ick->ck", np.abs(weight), np.abs(M))
        moving = self._endless[:, :, slope.any(axis=0)].any(axis=2)
        endless = moving & (size > 0) & ~np.eye(K, dtype=bool)
        self.effect[:, j] += np.where(endless.any(axis=1), np.nan, 0.0)
