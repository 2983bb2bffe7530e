"""What a design learns of the rows of a fit: of a frame at once, of rows that are elsewhere batch after batch.

Counts, levels, means and deviations are those of all rows. Of numbers from which splines and polynomials are learnt
all are kept where they are few, else a random part.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..exceptions import EvenOddsError
from ..labels import labels_of, missing_labels
from .columns import Column, Level, Table, missing_error
from .expressions import LEARNING, PARTS, Expression, part_level, part_of
from .splines import learnt_basis

MOST_LEVELS = 1_000_000
_EVERY = 1 << 62


@dataclass(frozen=True)
class Asked:
    """What is asked of the rows.

    columns : those that a formula takes
    missing : what happens to missing values
    factors : columns, or parts of dates, that are factors
    waiting : operations that learn
    fills : what stands for missing numbers
    target : the column of the labels, without which a row is left out where missing values are dropped
    """

    columns: Sequence[str]
    missing: str
    factors: Sequence[Expression] = ()
    waiting: Sequence[Expression] = ()
    fills: Mapping[str, float] = field(default_factory=dict)
    target: str | None = None


class Source(Protocol):
    """The rows of a fit."""

    @property
    def names(self) -> Sequence[str]:
        """Of their columns."""

    def kind(self, name: str) -> tuple[str, bool]:
        """Of a column its kind, and whether it is a categorical."""

    def read(self, asked: Asked) -> "Facts":
        """What is asked, from one read."""


@dataclass(frozen=True)
class Frame:
    """The rows of a frame; see `Source`."""

    table: Table

    @property
    def names(self) -> Sequence[str]:
        """Of its columns."""
        return self.table.names

    def kind(self, name: str) -> tuple[str, bool]:
        """See `Source`."""
        column = self.table.column(name)
        return column.kind, column.categorical

    def read(self, asked: Asked) -> "Facts":
        """See `Source`."""
        facts = Facts(asked)
        facts.add(self.table)
        return facts


class Facts:
    """What has been found in some rows.

    n_rows, n_kept : rows, and those that the fit takes
    counts : the missing values of each column that has some, of the labels too where rows may be left out

    number : that of a part of the rows, from which those are drawn that stay
    most : numbers that are kept of a spline or polynomial
    """

    def __init__(self, asked: Asked, number: int = 0, most: int = _EVERY) -> None:
        self._asked = asked
        self.n_rows = self.n_kept = 0
        self.counts: dict[str, int] = {}
        self._means: dict[str, _Moments] = {}
        self._levels: dict[str, dict[Level, None]] = {repr(one): {} for one in asked.factors}
        self._orders: dict[str, dict[Level, None]] = {}
        own = np.random.default_rng([1, number])
        self._moments = {repr(one): _Moments() for one in asked.waiting if one.operation in LEARNING}
        self._numbers = {repr(one): _Numbers(most, own) for one in asked.waiting if one.operation not in LEARNING}

    def add(self, table: Table) -> None:
        """Some rows more."""
        kept, rows = self._kept(table), _Filled(table, self._asked.fills)
        self.n_rows += table.n_rows
        self.n_kept += int(np.count_nonzero(kept))
        for one in self._asked.factors:
            self._add_levels(one, table.column(one.columns()[0]), kept)
        for one in self._asked.waiting:
            self._learning(one).add(one.args[0].values(rows)[kept])

    def _kept(self, table: Table) -> NDArray[np.bool_]:
        """The rows that the fit takes; missing values are counted, and let be as the policy has it."""
        kept, policy = np.ones(table.n_rows, dtype=bool), self._asked.missing
        for name in self._asked.columns:
            column = table.column(name)
            missing = column.missing
            count = int(np.count_nonzero(missing))
            if count:
                self.counts[name] = self.counts.get(name, 0) + count
                if policy == "error":
                    raise missing_error(name, missing, "error", column)
                if policy == "drop":
                    kept &= ~missing
            if policy == "indicator" and column.kind in ("number", "boolean") and not column.categorical:
                self._means.setdefault(name, _Moments()).add(column.numbers()[~missing])
        target = self._asked.target
        if policy == "drop" and target is not None:
            missing = missing_labels(labels_of(table.native(target)))
            self.counts[target] = self.counts.get(target, 0) + int(np.count_nonzero(missing))
            kept &= ~missing
        return kept

    def _add_levels(self, factor: Expression, column: Column, kept: NDArray[np.bool_]) -> None:
        found = self._levels[repr(factor)]
        if factor.operation in PARTS:
            if column.kind != "nothing":
                numbers = part_of(factor.operation, column)[kept]
                found.update(dict.fromkeys(np.unique(numbers[~np.isnan(numbers)]).astype(int).tolist()))
            return
        if column.levels_in_order is not None:
            self._orders.setdefault(repr(factor), {}).update(dict.fromkeys(column.levels_in_order))
        levels = column.levels(kept)
        if math.inf in levels or -math.inf in levels:
            raise EvenOddsError(f"Column {column.name!r} holds infinity, which is no level. Replace it by a number.")
        found.update(dict.fromkeys(levels))
        if len(found) > MOST_LEVELS:
            raise EvenOddsError(
                f"Column {column.name!r} has more than {MOST_LEVELS:,} different values, each of which would have a "
                "coefficient. Leave it out, or group its values."
            )

    def merge(self, other: "Facts") -> None:
        """The rows that another has seen come after these."""
        self.n_rows += other.n_rows
        self.n_kept += other.n_kept
        for name, count in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        for name, moments in other._means.items():
            self._means.setdefault(name, _Moments()).merge(moments)
        for key, levels in other._levels.items():
            self._levels[key].update(levels)
        for key, levels in other._orders.items():
            self._orders.setdefault(key, {}).update(levels)
        for key, moments in other._moments.items():
            self._moments[key].merge(moments)
        for key, numbers in other._numbers.items():
            self._numbers[key].merge(numbers)

    def _learning(self, one: Expression) -> "_Moments | _Numbers":
        return self._moments.get(repr(one)) or self._numbers[repr(one)]

    def levels(self, factor: Expression) -> tuple[Level, ...]:
        """Of a factor, in the order of the categorical or enum, else sorted."""
        found, order = self._levels[repr(factor)], self._orders.get(repr(factor))
        every: Any = found  # of one kind
        if factor.operation in PARTS:
            return tuple(part_level(factor.operation, number) for number in sorted(every))
        return tuple(sorted(every)) if order is None else tuple(level for level in order if level in found)

    def fills(self) -> dict[str, float]:
        """The mean of each column of numbers in which some are missing, where an indicator says which."""
        return {name: one.mean for name, one in self._means.items() if name in self.counts}

    def states(self) -> dict[str, Mapping[str, Any]]:
        """Of each operation that was asked for what it has learnt, by what it looks like as text."""
        return {repr(one): _state(one, self._learning(one)) for one in self._asked.waiting}


def merged(parts: list[Facts]) -> Facts:
    """What has been found in parts of the rows that follow one another."""
    total = parts[0]
    for part in parts[1:]:
        total.merge(part)
    return total


def _state(one: Expression, learnt: "_Moments | _Numbers") -> Mapping[str, Any]:
    if isinstance(learnt, _Numbers):
        return learnt_basis(one, learnt.every())
    if one.operation == "center":
        return {"mean": learnt.mean}
    if learnt.deviation == 0:
        raise EvenOddsError(f"scale({', '.join(one.columns())}): the column is constant, so that it has no scale.")
    # Of what is infinite, or too large to be squared: whoever reads the rows finds no number and says where.
    return {"mean": learnt.mean, "deviation": learnt.deviation if np.isfinite(learnt.deviation) else np.nan}


@dataclass(frozen=True)
class _Filled:
    """Some rows, as expressions take them."""

    table: Table
    fills: Mapping[str, float]

    def numbers(self, name: str) -> Array:
        """A column as numbers, its mean for those that are missing where an indicator says so."""
        values, fill = self.table.column(name).numbers(), self.fills.get(name)
        return values if fill is None else np.where(np.isnan(values), fill, values)

    def column(self, name: str) -> Column:
        """A column of any kind."""
        return self.table.column(name)


@dataclass
class _Moments:
    """How many numbers there are, their mean, and the squares about it in sum."""

    n: int = 0
    mean: float = np.nan
    squares: float = 0.0

    def add(self, x: Array) -> None:
        if x.size:
            with np.errstate(over="ignore", invalid="ignore"):
                mean = float(np.mean(x))
                self.merge(_Moments(x.size, mean, float(np.square(x - mean).sum())))

    def merge(self, other: "_Moments") -> None:
        if other.n == 0:
            return
        if self.n == 0:
            self.n, self.mean, self.squares = other.n, other.mean, other.squares
            return
        n, apart = self.n + other.n, other.mean - self.mean
        self.squares += other.squares + apart * apart * self.n * other.n / n
        self.n, self.mean = n, self.mean + apart * other.n / n

    @property
    def deviation(self) -> float:
        return float(np.sqrt(self.squares / (self.n - 1))) if self.n > 1 else 0.0


class _Numbers:
    """Numbers, in their order: all of them, or the `most` that have drawn the smallest keys."""

    def __init__(self, most: int, rng: np.random.Generator) -> None:
        self._most, self._rng = most, rng
        self._x: list[Array] = []
        self._keys: list[Array] = []
        self._count = 0

    def add(self, x: Array) -> None:
        self._take(x, self._rng.random(x.size))

    def merge(self, other: "_Numbers") -> None:
        for x, keys in zip(other._x, other._keys, strict=True):
            self._take(x, keys)

    def _take(self, x: Array, keys: Array) -> None:
        self._x.append(x)
        self._keys.append(keys)
        self._count += x.size
        if self._count > 2 * self._most:
            self._shrink()

    def _shrink(self) -> None:
        x, keys = np.concatenate(self._x), np.concatenate(self._keys)
        if x.size > self._most:
            stays = np.sort(np.argpartition(keys, self._most)[: self._most])
            x, keys = x[stays], keys[stays]
        self._x, self._keys, self._count = [x], [keys], x.size

    def every(self) -> Array:
        """Those that have stayed."""
        self._shrink()
        return self._x[0]
