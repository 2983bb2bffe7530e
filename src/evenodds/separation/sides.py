"""What rows say of a direction: on which side of the boundary they have to be.

A row of two classes says s_i x_i d >= 0, with s = 2y - 1: `TwoSides`. A row of more classes says it of each class k
other than its own, x_i (d_y(i) - d_k) >= 0 (Albert and Anderson, Biometrika 71, 1984, section 3): `ManySides`, which
makes such rows only where they are asked for. The judge (`recession`) and the proof that spares it (`balance`) see
either as the signed rows of one home.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, Real, Which, dense
from ..coordinates import Coordinates
from ..data import Block, Data, Sums
from ..exceptions import EvenOddsError
from ..objective.signed import SignedRows
from ..objective.softmax import dense_design
from ..objective.tiles import over_tiles

if TYPE_CHECKING:
    from ..objective import Objective

EXACT = 1e-14  # what is smaller, beside rows of size 1, is rounding: about 50 units in the last place
_TILE_ENTRIES = 1 << 18
_NOTHING = 1e-16  # of directions of length 1
_EVERY = slice(None)

Reduce = Callable[[Callable[[Block], Sums]], Sums]


class Signed(Protocol):
    """Some signed rows."""

    def dot(self, direction: Array, k: Which = _EVERY) -> Array:
        """How far each row of k is on its side (m,); of several directions (n_coef, q) it is (m, q)."""

    def terms(self, direction: Array) -> Array:
        """The sum of the sizes of what `dot` adds up."""

    def norms(self, view: Array, k: Which) -> Array:
        """Of each row of k its products with orthonormal directions, as `Sides.view_of` prepares them: their norm."""

    def size(self) -> Array:
        """The largest entry of each row."""

    def rows(self, k: Which) -> Array:
        """Some of the rows themselves, dense."""


@dataclass(frozen=True, slots=True)
class Dense:
    """Signed rows as they are."""

    D: Array

    def dot(self, direction: Array, k: Which = _EVERY) -> Array:
        """See `Signed`."""
        return np.asarray(self.D[k] @ direction)

    def terms(self, direction: Array) -> Array:
        """See `Signed`."""
        return np.asarray(np.abs(self.D) @ np.abs(direction))

    def norms(self, view: Array, k: Which) -> Array:
        """See `Signed`."""
        return np.asarray(np.linalg.norm(self.D[k] @ view, axis=1))

    def size(self) -> Array:
        """See `Signed`."""
        return np.asarray(np.abs(self.D).max(axis=1, initial=0.0))

    def rows(self, k: Which) -> Array:
        """See `Signed`."""
        return np.asarray(self.D[k])


@dataclass(frozen=True, slots=True)
class Pairs:
    """K - 1 rows x_i (e_y(i) - e_k) for each row x_i of D (m, p), in the order of the classes.

    baseline : 1 if a direction has no part for the first class, else 0
    """

    D: Array
    own: NDArray[np.intp]
    n_classes: int
    baseline: int

    def dot(self, direction: Array, k: Which = _EVERY) -> Array:
        """See `Signed`."""
        if not isinstance(k, slice) and np.count_nonzero(k) * self.n_classes < len(self.D):
            return np.asarray(self.rows(k) @ direction)
        own, others = self._scores(self.D, direction)
        return np.asarray((own - others).reshape(-1, *direction.shape[1:])[k])

    def terms(self, direction: Array) -> Array:
        """See `Signed`."""
        own, others = self._scores(np.abs(self.D), np.abs(direction))
        return np.asarray((own + others).reshape(-1, *direction.shape[1:]))

    def norms(self, view: Array, k: Which) -> Array:
        """See `Signed`."""
        i, other = self._classes(k)
        norms, pair = np.empty(i.size), self.own[i] * self.n_classes + other
        for each in np.unique(pair):
            at = np.flatnonzero(pair == each)
            a, b = divmod(int(each), self.n_classes)
            norms[at] = np.linalg.norm(self.D[i[at]] @ view[a, b], axis=1)
        return norms

    def size(self) -> Array:
        """See `Signed`."""
        return np.repeat(np.abs(self.D).max(axis=1, initial=0.0), self.n_classes - 1)

    def rows(self, k: Which) -> Array:
        """See `Signed`."""
        i, other = self._classes(k)
        pairs = np.zeros((i.size, self.n_classes, self.D.shape[1]))
        each = np.arange(i.size)
        pairs[each, self.own[i]] = self.D[i]
        pairs[each, other] = -self.D[i]
        return pairs[:, self.baseline :].reshape(i.size, (self.n_classes - self.baseline) * self.D.shape[1])

    def _classes(self, k: Which) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The row of D and the class, other than its own, that each row of k is made from."""
        i, other = np.divmod(np.arange(len(self.D) * (self.n_classes - 1))[k], self.n_classes - 1)
        return i, other + (other >= self.own[i])

    def _scores(self, D: Array, direction: Array) -> tuple[Array, Array]:
        """Each row's score of its own class, (m, 1) or (m, 1, q), and of the others, (m, K - 1) or (m, K - 1, q)."""
        free = self.n_classes - self.baseline
        parts = np.moveaxis(direction.reshape(free, D.shape[1], -1), 0, 1)  # columns, classes, directions
        scores = np.zeros((len(D), self.n_classes, parts.shape[2]))
        scores[:, self.baseline :] = (D @ parts.reshape(D.shape[1], -1)).reshape(len(D), free, -1)
        scores = scores.reshape(len(D), self.n_classes, *direction.shape[1:])
        others = np.arange(self.n_classes) != self.own[:, None]
        own = scores[np.arange(len(D)), self.own][:, None]
        return own, scores[others].reshape(len(D), self.n_classes - 1, *direction.shape[1:])


class Sides(Protocol):
    """How rows are signed. It holds none, so that it can go where they are.

    each : signed rows of a row
    n_coef : entries of a direction
    """

    @property
    def coordinates(self) -> Coordinates:
        """Whose columns are looked at."""

    @property
    def each(self) -> int:
        """See above."""

    @property
    def n_coef(self) -> int:
        """See above."""

    def signed(self, block: Block) -> Signed:
        """The signed rows of a block."""

    def view_of(self, null: Array) -> Array:
        """Orthonormal directions (n_coef, q) as rows take the norm of their products with all of them."""

    def balance(self, block: Block, weight: Array, dtype: Real) -> Sums:
        """The sum (n_coef,) of the weighted rows of a block, that of their products, and the least weight in a list."""

    def over_tiles(self, block: Block, function: Callable[[Block], Sums]) -> Sums:
        """Sum a function over parts of a block that are small enough for copies."""


@dataclass(frozen=True)
class TwoSides:
    """Of two classes: theta's columns of each row, times the sign of its label."""

    coordinates: Coordinates

    @property
    def each(self) -> int:
        """See `Sides`."""
        return 1

    @property
    def n_coef(self) -> int:
        """See `Sides`."""
        return int(self.coordinates.columns.size) + int(self.coordinates.intercept)

    def signed(self, block: Block) -> Dense:
        """See `Sides`."""
        D = SignedRows.of(block, self.coordinates).D
        return Dense(dense(D))

    def view_of(self, null: Array) -> Array:
        """See `Sides`."""
        return null

    def balance(self, block: Block, weight: Array, dtype: Real) -> Sums:
        """See `Sides`."""
        rows = SignedRows.of(block, self.coordinates)
        return weight @ rows.D, rows.weighted_product(weight, dtype), [float(weight.min(initial=np.inf))]

    def over_tiles(self, block: Block, function: Callable[[Block], Sums]) -> Sums:
        """See `Sides`."""
        return over_tiles(block, function, max(64, _TILE_ENTRIES // max(self.n_coef, 1)))


@dataclass(frozen=True)
class ManySides:
    """Of more classes: one signed row for each row and class other than its own.

    baseline : 1 if a direction leaves the first class where it is, else 0
    """

    coordinates: Coordinates
    n_classes: int
    baseline: int

    @property
    def n_columns(self) -> int:
        """Entries of a direction for each class."""
        return int(self.coordinates.columns.size) + int(self.coordinates.intercept)

    @property
    def each(self) -> int:
        """See `Sides`."""
        return self.n_classes - 1

    @property
    def n_coef(self) -> int:
        """See `Sides`."""
        return (self.n_classes - self.baseline) * self.n_columns

    def signed(self, block: Block) -> Pairs:
        """See `Sides`."""
        D = dense_design(self.coordinates, block)
        return Pairs(D, block.y.astype(np.intp), self.n_classes, self.baseline)

    def view_of(self, null: Array) -> Array:
        """See `Sides`. For each two classes what their parts differ by (K, K, columns, r), r the largest rank."""
        parts = null.reshape(self.n_classes - self.baseline, self.n_columns, -1)
        parts = np.pad(parts, ((self.baseline, 0), (0, 0), (0, 0)))
        views = np.array([[_turned(one - other) for other in parts] for one in parts])
        return np.asarray(views[..., np.linalg.norm(views, axis=2).max(axis=(0, 1), initial=0.0) > _NOTHING])

    def balance(self, block: Block, weight: Array, dtype: Real) -> Sums:
        """See `Sides`. The product of a row goes, with its sign, to the four places of both its classes."""
        D, K = dense_design(self.coordinates, block), self.n_classes
        gradient, products = np.zeros((K, D.shape[1])), np.zeros((K, D.shape[1], K, D.shape[1]))
        for own in range(K):
            at = np.flatnonzero(block.y == own)
            rows = SignedRows(D[at], None, None, None)
            for j in range(K - 1):
                other, part = j + (j >= own), weight[at, j]
                total, product = part @ rows.D, rows.weighted_product(part, dtype)
                gradient[own] += total
                gradient[other] -= total
                for a, b, sign in ((own, own, 1), (other, other, 1), (own, other, -1), (other, own, -1)):
                    products[a, :, b] += sign * product
        first = self.baseline
        square = products[first:, :, first:].reshape(self.n_coef, self.n_coef)
        return gradient[first:].ravel(), square, [float(weight.min(initial=np.inf))]

    def over_tiles(self, block: Block, function: Callable[[Block], Sums]) -> Sums:
        """See `Sides`."""
        return over_tiles(block, function, max(64, _TILE_ENTRIES // (self.n_columns + self.n_classes)))


def _turned(matrix: Array) -> Array:
    """A matrix with the same product with its transpose, its columns by their lengths: beyond its rank they are 0."""
    left, size, _ = np.linalg.svd(matrix, full_matrices=False)
    return np.asarray(left * size)


@dataclass(frozen=True)
class SignedHome:
    """The signed rows of a home.

    reduce : a read of the data, counted by the fit that asks
    """

    data: Data
    reduce: Reduce
    sides: Sides

    @property
    def n_rows(self) -> int:
        """Signed ones."""
        return self.data.n_rows * self.sides.each

    def sample(self, n: int) -> Array:
        """About n of them, evenly spread, dense."""
        return self.sides.signed(self.data.sample(-(-n // self.sides.each), 0)).rows(_EVERY)

    def over_tiles(self, function: Callable[[Block], Sums]) -> Sums:
        """One read: the sum of a function of parts of the blocks that are small enough for copies."""
        sides = self.sides
        return self.reduce(lambda block: sides.over_tiles(block, function))

    def read(self, function: Callable[[Signed], Sums]) -> Sums:
        """The same of the signed rows of these parts."""
        sides = self.sides
        return self.over_tiles(lambda tile: function(sides.signed(tile)))


def two_sided(data: Data, coordinates: Coordinates) -> SignedHome:
    """The signed rows of two classes."""
    if data.class_weights.size != 2:
        raise EvenOddsError("Whether classes are separated is decided for two of them.")
    return SignedHome(data, data.reduce, TwoSides(coordinates))


def sides_of(objective: "Objective", coordinates: Coordinates, *, bounded: bool) -> SignedHome:
    """The rows of an objective, seen from some of its columns; bounds hold all classes, none is the baseline."""
    data = objective.data
    if not objective.classes.several:
        return SignedHome(data, objective.reduce, TwoSides(coordinates))
    return SignedHome(data, objective.reduce, ManySides(coordinates, int(data.class_weights.size), int(not bounded)))
