"""The terms of a model: numbers, factors, and products of both.

A factor is held as codes, one integer a row. In a term it has a column for each level but the reference (treatment
coding), or for all of them where nothing else in the model makes up for the reference.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import numpy as np

from ..arrays import Array, Which
from ..exceptions import EvenOddsError
from ..naming import is_called, nearest
from .columns import Codes, Level
from .expressions import PARTS, Expression

_MOST_ORDERED = 6  # parts of a product that may be named in any order: of more these are too many


@dataclass(frozen=True)
class Number:
    """Numbers as they enter a model, in one column or in those of a basis.

    columns : how many
    first : the first column of the basis that is taken
    """

    name: str
    expression: Expression
    columns: int = 1
    first: int = 0

    def takes(self, source: str) -> bool:
        """Whether it is computed from the values of a column."""
        return self.expression.operation != "missing" and source in self.expression.columns()

    def names(self) -> list[str]:
        """The names of the columns."""
        if self.columns + self.first == 1 and self.expression.operation not in ("poly", "bs", "cr"):
            return [self.name]
        return [f"{self.name}[{k + 1}]" for k in range(self.first, self.first + self.columns)]


@dataclass(frozen=True)
class Factor:
    """A factor: a column, or a part of dates.

    levels : in order; None is the missing value, where it is a level
    reference : the level that the others are compared with
    """

    name: str
    expression: Expression
    levels: tuple[Level, ...]
    reference: Level

    @property
    def is_part(self) -> bool:
        """Whether it is a part of dates."""
        return self.expression.operation in PARTS

    @property
    def source(self) -> str:
        """The name of its column."""
        return self.expression.columns()[0]

    def label(self, level: Level) -> str:
        """What a level is called."""
        if level is not None:
            return str(level)
        return "(missing)" if "missing" in self.levels else "missing"

    def shown(self, full: bool) -> list[Level]:
        """The levels that have a column."""
        return [level for level in self.levels if full or level != self.reference]

    def names(self, full: bool) -> list[str]:
        """The names of the columns."""
        return [f"{self.name}[{self.label(level)}]" for level in self.shown(full)]

    def places(self, codes: Codes, full: bool) -> Codes:
        """Codes of `levels` as numbers of the columns, -1 for the reference."""
        if full:
            return codes
        reference = self.levels.index(self.reference)
        place = np.arange(len(self.levels), dtype=np.int32)
        return np.where(place == reference, np.int32(-1), place - (place > reference))[codes].astype(np.int32)


Atom = Number | Factor


@dataclass(frozen=True)
class Part:
    """An atom in a term. full : of a factor, whether all levels have a column."""

    atom: int
    full: bool = False


@dataclass(frozen=True)
class Term:
    """A product of atoms, with a name; blocks of columns that add up to it.

    blocks : each a product of parts; most terms have one
    """

    name: str
    blocks: tuple[tuple[Part, ...], ...]

    @property
    def members(self) -> frozenset[int]:
        """The atoms that it is a product of."""
        return frozenset(part.atom for block in self.blocks for part in block)


@dataclass(frozen=True)
class Piece:
    """Columns of some rows: of a factor one for each code, of numbers one.

    first : the number of the first column in the design
    count : how many columns
    codes : (n,) the column of each row, -1 for none; None where there is one column for all rows
    values : (n,) the entries; None where all are 1
    """

    first: int
    count: int
    codes: Codes | None
    values: Array | None

    def taken(self, rows: Which) -> "Piece":
        """Those of some rows."""
        codes = None if self.codes is None else self.codes[rows]
        return Piece(self.first, self.count, codes, None if self.values is None else self.values[rows])


def block_size(block: Sequence[Part], atoms: Sequence[Atom]) -> int:
    """How many columns a block has."""
    return math.prod(block_shape(block, atoms))


def block_shape(block: Sequence[Part], atoms: Sequence[Atom]) -> tuple[int, int]:
    """How many entries of a block's columns a row has, and between how many columns each chooses."""
    numbers, factors = _split(block, atoms)
    return math.prod(n.columns for _, n in numbers), math.prod(len(factor.shown(part.full)) for part, factor in factors)


def block_names(block: Sequence[Part], atoms: Sequence[Atom]) -> list[str]:
    """The names of a block's columns."""
    return [":".join(parts) for parts in _block_parts(block, atoms)]


def _block_parts(block: Sequence[Part], atoms: Sequence[Atom]) -> list[tuple[str, ...]]:
    """What a block's columns are products of: numbers change slowest, and the first factor fastest."""
    numbers, factors = _split(block, atoms)
    found = []
    order = [part.atom for part in block]
    for some in _products([number.names() for _, number in numbers]):
        for levels in _products([factor.names(part.full) for part, factor in factors]):
            by_atom = {
                **dict(zip([part.atom for part, _ in numbers], some, strict=True)),
                **dict(zip([part.atom for part, _ in factors], levels, strict=True)),
            }
            found.append(tuple(by_atom[atom] for atom in order))
    return found


def other_orders(terms: Sequence[Term], atoms: Sequence[Atom], text: str) -> dict[str, str]:
    """The names of the products that a text may ask for, terms and columns, by what they are called in other orders."""
    found: dict[str, str] = {}
    for term in terms:
        of_columns = [(":".join(parts), parts) for block in term.blocks for parts in _block_parts(block, atoms)]
        for name, parts in [(term.name, tuple(atoms[k].name for k in term.members)), *of_columns]:
            if 1 < len(parts) <= _MOST_ORDERED and all(part in text for part in parts):
                found |= {":".join(order): name for order in permutations(parts)}
    return {other: name for other, name in found.items() if other != name}


Cell = tuple[tuple[tuple[int, int], ...], frozenset[tuple[int, Level]]]  # columns of numbers, and levels of factors


def block_cells(block: Sequence[Part], atoms: Sequence[Atom]) -> list[dict[Cell, int]]:
    """A block's columns, in order, as sums of products of numbers with levels of factors, none of them a reference.

    The column of a reference, where it has one, is 1 less those of the other levels.
    """
    numbers, factors = _split(block, atoms)
    found = []
    for some in _products([[(part.atom, k) for k in range(number.columns)] for part, number in numbers]):
        shown = [[(part.atom, factor, level) for level in factor.shown(part.full)] for part, factor in factors]
        for levels in _products(shown):
            sums: dict[frozenset[tuple[int, Level]], int] = {frozenset(): 1}
            for k, factor, level in levels:
                ways = [(frozenset({(k, level)}), 1)]
                if level == factor.reference:
                    others = factor.shown(False)
                    ways = [(frozenset(), 1), *((frozenset({(k, other)}), -1) for other in others)]
                sums = {there | one: count * sign for there, count in sums.items() for one, sign in ways}
            found.append({(tuple(sorted(some)), there): count for there, count in sums.items()})
    return found


def subsets(members: Iterable[int], atoms: Sequence[Atom]) -> list[tuple[frozenset[int], frozenset[int]]]:
    """The numbers of a term, with each of the products of its factors that it spans, few factors first."""
    members = tuple(members)
    factors = [k for k in members if isinstance(atoms[k], Factor)]
    numbers = frozenset(members) - frozenset(factors)
    return [(numbers, frozenset(some)) for size in range(len(factors) + 1) for some in combinations(factors, size)]


def block_pieces(first: int, block: Sequence[Part], atoms: Sequence[Atom], values: dict[int, Any]) -> Iterable[Piece]:
    """The columns of a block, from the values of its atoms: (n, k) of numbers, codes of factors."""
    numbers, factors = _split(block, atoms)
    codes, count = None, 1
    for part, factor in factors:
        places = factor.places(values[part.atom], part.full)
        combined = places if codes is None else np.where((codes < 0) | (places < 0), -1, codes + count * places)
        codes, count = combined.astype(np.int32), count * len(factor.shown(part.full))
    for some in _products([list(range(number.columns)) for _, number in numbers]):
        entries = None
        for (part, _), k in zip(numbers, some, strict=True):
            column = values[part.atom][:, k]
            with np.errstate(over="ignore", invalid="ignore"):  # which is told with its row
                entries = column if entries is None else entries * column
        yield Piece(first, count, codes, entries)
        first += count


def _split(block: Sequence[Part], atoms: Sequence[Atom]) -> tuple[list[tuple[Part, Number]], list[tuple[Part, Factor]]]:
    pairs = [(part, atoms[part.atom]) for part in block]
    return [(part, a) for part, a in pairs if isinstance(a, Number)], [
        (part, a) for part, a in pairs if isinstance(a, Factor)
    ]


def _products(lists: Sequence[list[Any]]) -> list[tuple[Any, ...]]:
    """All combinations, the first list changing fastest."""
    found: list[tuple[Any, ...]] = [()]
    for one in lists:
        found = [(*rest, value) for value in one for rest in found]
    return found


def coded_terms(products: Sequence[tuple[str, tuple[int, ...]]], atoms: Sequence[Atom], intercept: bool) -> list[Term]:
    """Terms in which factors are coded so that no column is a combination of others.

    A factor's columns are 1 in sum, so that a product with all levels of it spans what it is without the factor. Each
    term is taken apart into products of factors without their reference; those that an earlier term with the same
    numbers spans are left out, and the others put together again (the algorithm of patsy, "Redundancy and how it
    works", in its manual).

    products : name and atoms of each term
    """
    spanned: dict[frozenset[int], set[frozenset[int]]] = {frozenset(): {frozenset()} if intercept else set()}
    terms = []
    for name, members in products:
        every = subsets(members, atoms)
        numbers = every[0][0]
        known = spanned.setdefault(numbers, set())
        fresh = [some for _, some in every if some not in known]
        known.update(fresh)
        blocks = _put_together([dict.fromkeys(some, False) for some in fresh])
        terms.append(
            Term(
                name,
                tuple(
                    tuple(Part(k, block.get(k, False)) for k in members if k in block or k in numbers)
                    for block in blocks
                ),
            )
        )
    return terms


def _put_together(blocks: list[dict[int, bool]]) -> list[dict[int, bool]]:
    """Blocks, of which two that differ by one factor without its reference become one with it."""
    for a, small in enumerate(blocks):
        for b, large in enumerate(blocks):
            more = large.keys() - small.keys()
            if len(more) == 1 and len(large) == len(small) + 1 and not large[next(iter(more))]:
                factor = next(iter(more))
                if all(large[k] == small[k] for k in small):
                    merged = {k: k == factor or full for k, full in large.items()}
                    rest = [block for k, block in enumerate(blocks) if k not in (a, b)]
                    return _put_together([*rest[: b - (a < b)], merged, *rest[b - (a < b) :]])
    return blocks


def chosen_reference(name: str, levels: Sequence[Level], wanted: object) -> Level:
    """The level that was asked for by its value or label."""
    found = [level for level in levels if level is not None and (_same(level, wanted) or is_called(level, wanted))]
    if not found:
        labels = [str(level) for level in levels if level is not None]
        raise EvenOddsError(
            f"The reference {wanted!r} is no level of {name!r}. {nearest(str(wanted), labels, 'The levels are')}"
        )
    return found[0]


def _same(level: Level, wanted: object) -> bool:
    return isinstance(level, str) == isinstance(wanted, str) and bool(level == wanted)
