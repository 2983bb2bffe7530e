"""Whether a fit of more than two classes is separated.

It is if some change B of the coefficients has x_i (B_y(i) - B_k) >= 0 for all rows and classes k, and > 0 for some
(Albert and Anderson, Biometrika 71, 1984, section 3). With one row x_i (e_y(i) - e_k) for each row and other class
that is the question for two classes, all rows in one of them: what answers it there answers it here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ..coordinates import Coordinates
from ..data import Array, Block, Sums
from ..data.memory import add_up
from ..exceptions import EvenOddsError
from ..objective import Objective
from ..softmax import Scores, SoftmaxObjective, dense_design
from ..solvers import Status
from .recession import Recession, separation_of
from .watch import Watch, separating_direction

_TILE_ENTRIES = 1 << 20
_MOST_COEF = 1000  # beyond which only complete separation is seen, as for two classes
_SMALL_COEF = 50  # coefficients and entries up to which the answer in full comes first
_MOST_ENTRIES = 4_000_000
_NAMED = 10


@dataclass
class ClassesWatch(Watch):
    """Looks on while a fit of more than two classes without a penalty runs; see `Watch`."""

    _overlap: bool = field(init=False, default=False)

    def search(self, theta: Array) -> Status | None:
        """Status.SEPARATED, and `direction` set, if the classes are separated."""
        if self.objective.n_coef > _MOST_COEF:
            self.direction = _largest(theta) if theta.any() and _is_complete(self.objective, theta) else None
        elif not self._overlap:
            self.direction = self._direction(_Pairs(self.objective), theta)
        return None if self.direction is None else Status.SEPARATED

    def _direction(self, pairs: "_Pairs", theta: Array) -> Array | None:
        """A linear programme is quicker on large data, but may overlook a few rows that are separated among many."""
        k = theta.size
        coordinates = _as_they_are(k)
        if k > _SMALL_COEF or pairs.size > _MOST_ENTRIES:
            objective = Objective(pairs, coordinates, np.zeros(k))
            found = separating_direction(objective, theta, pairs.some_of(self.sample))
            if found is not None:
                return found[0]
        try:
            answer = separation_of(pairs, coordinates)
        except EvenOddsError:  # too close to rounding to say
            return None
        self._overlap = answer.kind == "overlap"
        certain = np.where(np.isinf(answer.infinite), np.sign(answer.infinite), 0.0)
        return None if self._overlap else certain if certain.any() else answer.direction


def separation_of_classes(objective: SoftmaxObjective, functionals: Array) -> Recession:
    """What separates the classes, with a row for each row of the data and class other than its own.

    functionals : (k, q) the coefficients that are asked about, as functions of theta
    """
    return separation_of(_Pairs(objective), _as_they_are(objective.n_coef), functionals)


def _as_they_are(k: int) -> Coordinates:
    return Coordinates(np.zeros(k), np.ones(k), np.arange(k), False)


class _Pairs:
    """A home of the rows x_i (e_y(i) - e_k), made from those of another home as they are read.

    K - 1 rows for each row, in the order of the classes; F k columns, without the baseline's.
    """

    sparse = False

    def __init__(self, objective: SoftmaxObjective) -> None:
        self._objective, data = objective, objective.data
        self._others = data.class_weights.size - 1
        self.n_rows, self.n_columns = data.n_rows * self._others, objective.n_coef
        self.size = self.n_rows * self.n_columns
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

    def some_of(self, block: Block) -> Block:
        """Some of the rows that are made from those of a block, evenly spread."""
        most = max(1, _MOST_ENTRIES // (self._others * self.n_columns))
        chosen = block.take(slice(None, None, -(-block.n_rows // most)))
        return next(self.tiles_of(chosen, chosen.n_rows))

    def original_row(self, k: int) -> int:
        """The number of the row that row `k` is made from."""
        return self._objective.data.original_row(k // self._others)

    def tiles_of(self, block: Block, n_rows: int) -> Iterator[Block]:
        """The rows that are made from those of a block, `n_rows` of these at a time."""
        for start in range(0, max(block.n_rows, 1), max(n_rows, 1)):
            X = self._rows(block.take(slice(start, start + n_rows)))
            yield Block(X, np.ones(len(X), dtype=np.uint8))

    def _rows(self, block: Block) -> Array:
        D = dense_design(self._objective.coordinates, block)
        first, K = int(self._objective.baseline), self._others + 1
        own = block.y.astype(np.intp)
        rows = np.zeros((block.n_rows, self._others, K, D.shape[1]))
        each = np.arange(block.n_rows)
        for j in range(self._others):
            other = j + (j >= own)  # the classes without the row's own
            rows[each, j, own] = D
            rows[each, j, other] = -D
        return rows[:, :, first:].reshape(block.n_rows * self._others, self.n_columns)


def _is_complete(objective: SoftmaxObjective, theta: Array) -> bool:
    """Whether theta itself puts every row strictly into its class."""
    scores = Scores.of(objective, theta)

    def wrong(block: Block) -> Sums:
        Z = scores.of_rows(Block(block.X, block.y))
        Z = np.column_stack([np.zeros(len(Z)), Z]) if objective.baseline else Z
        each, own = np.arange(len(Z)), block.y.astype(np.intp)
        score = Z[each, own]
        Z[each, own] = -np.inf
        return (int(np.count_nonzero(score <= Z.max(axis=1))),)

    (count,) = objective.reduce(wrong)
    return bool(count == 0)


def _largest(theta: Array) -> Array:
    """Theta with all but its largest entries set to zero, to name columns by."""
    threshold = np.sort(np.abs(theta))[-min(_NAMED, theta.size)]
    return np.where(np.abs(theta) >= threshold, theta, 0.0)
