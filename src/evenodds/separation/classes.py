"""Whether a fit of more than two classes is separated.

It is if some change B of the coefficients has x_i (B_y(i) - B_k) >= 0 for all rows and classes k, and > 0 for some
(Albert and Anderson, Biometrika 71, 1984, section 3). With one row x_i (e_y(i) - e_k) for each row and other class
that is the question for two classes, all rows in one of them: what answers it there answers it here.
"""

from collections.abc import Callable, Iterator

import numpy as np

from ..coordinates import Coordinates
from ..data import Array, Block, Sums
from ..data.memory import add_up
from ..softmax import SoftmaxObjective, dense_design
from .recession import Recession, separation_of

_TILE_ENTRIES = 1 << 20


def separation_of_classes(objective: SoftmaxObjective, functionals: Array) -> Recession:
    """What separates the classes, with a row for each row of the data and class other than its own.

    functionals : (k, q) the coefficients that are asked about, as functions of theta
    """
    pairs = Pairs(objective, np.zeros(objective.n_coef), objective.coordinates, baseline=objective.baseline)
    return separation_of(pairs, unit_coordinates(objective.n_coef), functionals)


def unit_coordinates(k: int) -> Coordinates:
    """Coordinates of rows that are taken as they are, of k columns."""
    return Coordinates(np.zeros(k), np.ones(k), np.arange(k), False)


class Pairs:
    """A home of the rows x_i (e_y(i) - e_k), made from those of another home as they are read.

    K - 1 rows for each row, in the order of the classes; F k columns, without the baseline's if there is one. The
    weight of a row is the derivative of its row's loss by the score of its class, at theta.
    """

    sparse = False

    def __init__(self, objective: SoftmaxObjective, theta: Array, coordinates: Coordinates, *, baseline: bool) -> None:
        self._objective, self._theta, data = objective, theta, objective.data
        self._coordinates, self._baseline = coordinates, int(baseline)
        n_classes = data.class_weights.size
        self._others, self.n_free = n_classes - 1, n_classes - self._baseline
        self.n_rows = data.n_rows * self._others
        self.n_columns = self.n_free * (coordinates.columns.size + int(coordinates.intercept))
        self.size, self.center = self.n_rows * self.n_columns, np.zeros(self.n_columns)
        self.class_weights = np.array([0.0, self.n_rows])
        self.n_jobs = data.n_jobs

    def reduce(self, function: Callable[[Block], Sums]) -> Sums:
        """Sum a function over tiles of these rows, in one counted read of the others."""
        tile = max(32, _TILE_ENTRIES // (self._others * self.n_columns))
        return self._objective.reduce(lambda block: add_up(map(function, self.tiles_of(block, tile))))

    def blocks(self) -> Iterator[Block]:
        """All rows."""
        for block in self._objective.data.blocks():
            yield from self.tiles_of(block, block.n_rows)

    def sample(self, n: int, rng: int | np.random.Generator) -> Block:
        """At most about `n` rows; a pair for each row of a sample of the others."""
        block = self._objective.data.sample(-(-n // self._others), rng)
        return next(self.tiles_of(block, block.n_rows))

    def original_row(self, k: int) -> int:
        """The number of the row that row `k` is made from."""
        return self._objective.data.original_row(k // self._others)

    def tiles_of(self, block: Block, n_rows: int) -> Iterator[Block]:
        """The rows that are made from those of a block, `n_rows` of these at a time."""
        for start in range(0, max(block.n_rows, 1), max(n_rows, 1)):
            tile = block.take(slice(start, start + n_rows))
            X = self._rows(tile)
            weight = self._objective.multipliers(tile, self._theta)
            yield Block(X, np.ones(len(X), dtype=np.uint8), weight.ravel())

    def _rows(self, block: Block) -> Array:
        D = dense_design(self._coordinates, block)
        K, own = self._others + 1, block.y.astype(np.intp)
        rows = np.zeros((block.n_rows, self._others, K, D.shape[1]))
        each = np.arange(block.n_rows)
        for j in range(self._others):
            other = j + (j >= own)  # the classes without the row's own
            rows[each, j, own] = D
            rows[each, j, other] = -D
        return rows[:, :, self._baseline :].reshape(block.n_rows * self._others, self.n_columns)
