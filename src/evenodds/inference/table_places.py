"""The rows of a table that something is asked of, with the columns that are held at a value in all of them.

A number is held in whatever a formula makes of it, and a factor by the code of its level.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Array
from ..design import Design, Factor, Number
from ..exceptions import EvenOddsError
from ..labels import row_numbers
from ..naming import nearest
from .margins_table import MIDDLES, number_at, require_overall
from .prediction import shifts

if TYPE_CHECKING:
    from .record import Inference

Values = Mapping[int, Any]


class TablePlaces:
    """The rows that effects are averaged over, with what is held in them.

    values : of each atom; weight (n,) and shift (n, K) of the rows
    """

    def __init__(
        self,
        design: Design,
        frame: object,
        at: object,
        sample_weight: object,
        result: "Inference",
        offset: ArrayLike | None,
    ) -> None:
        self.held: dict[str, float] = {}
        self._design, self._table = design, design.table_of(frame)
        codes: dict[int, int] = {}
        values, gone = design.values(self._table)
        n = gone.size
        weight = np.ones(n) if sample_weight is None else row_numbers(sample_weight, "sample_weight", n)
        whole = self._table is not frame  # of a part of the rows all may have weight 0
        if (weight < 0).any() or (whole and not weight[~gone].any()):
            raise EvenOddsError("sample_weight has to be 0 or more, and not 0 in all rows.")
        shift = shifts(result, offset, frame)
        self.kept = np.flatnonzero((weight > 0) & ~gone)
        self.weight, self.shift = weight[self.kept], shift[self.kept]
        if isinstance(at, str) and at in MIDDLES:
            middle = MIDDLES[at]
            for source in number_sources(design):
                self.held[source] = middle(design.numbers(self._table, source)[self.kept], self.weight)
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

    def _hold(self, name: str, value: object, codes: dict[int, int]) -> None:
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
        values, _ = self._design.values(self._table, held)
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
        return self.taken(self._design.slopes(self._table, source, self.held))

    def taken(self, values: Values) -> dict[int, Any]:
        """Those of the rows that count."""
        return {k: one[self.kept] for k, one in values.items()}

    def number(self, source: str) -> Array:
        """A number in the rows that count."""
        if source in self.held:
            return np.full(self.weight.size, self.held[source])
        return self._design.numbers(self._table, source)[self.kept]


def number_sources(design: Design) -> list[str]:
    """The columns that enter as numbers."""
    numbers = [atom.expression for atom in design.atoms if isinstance(atom, Number)]
    return list(dict.fromkeys(name for one in numbers if one.operation != "missing" for name in one.columns()))


def called(factor: Factor) -> tuple[str, ...]:
    """The names under which a factor is known; one that is a part of dates is not its column."""
    return (factor.name,) if factor.is_part else (factor.name, factor.source)
