"""A fit looks on for separation, and names the columns that tell the classes apart.

A direction d with s_i x_i d >= 0 for all rows, the least sum of |d_j| and a mean of s_i x_i d of 1 is found by a linear
programme (HiGHS, in SciPy) on a few hundred rows; the rows that it violates are added until there are none, or until
the rows at hand have no such d, which proves that the classes overlap. It is one direction of many, with few columns:
enough to stop a fit, at less cost than the answer in full (`recession`).

The programme's tolerance is far above rounding, so its answer is only a guess at which rows lie on or near
the boundary. These are settled among themselves, in units of their own differences, and the direction is
then tested on every row.

A fit asks only when something is suspicious; see `Watch`.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.linalg

from ..data import Array, Block, Sums
from ..exceptions import EvenOddsError
from ..objective import Objective, SignedRows
from ..solvers import Status
from ..solvers.quasi_newton import State
from ..solvers.regimes import still_moves
from .cone import rounding
from .recession import separation_of

_ROUNDS = 50
_MOST_COEF = 1000  # beyond which the programme would cost too much: only complete separation is seen
_SMALL = 100_000  # entries of X up to which, with `_SMALL_COEF`, the sign of every coefficient is decided
_SMALL_COEF = 50
_NAMED = 10  # columns to name where the programme cannot choose them
_FIRST, _EVERY = 8, 4  # iterations at which a fit that goes on is looked at
_FIRST_MANY, _EVERY_MANY = 32, 16  # the same where the programme has many coefficients and costs more than the fit
_MANY_COEF = 50

Certain = tuple[bool, bool]  # whether there are rows of the first class, and of the second, that are separated


@dataclass
class Watch:
    """Looks on while a fit without a penalty runs, and stops it when the classes are separated.

    Suspicious is a loss near zero, or a small decrement while scores still move: only then is the programme called.
    """

    objective: Any
    sample: Block
    tol: float
    direction: Array | None = field(init=False, default=None)
    certain: Certain = field(init=False, default=(True, True))

    def __post_init__(self) -> None:
        weights = self.objective.data.class_weights / self.objective.total_weight
        self._null_loss = -float(np.sum(weights * np.log(weights)))
        self._target = self.tol**2 / (2 * self.objective.total_weight)

    def __call__(self, state: State) -> Status | None:
        """Status.SEPARATED if the classes are; looks at the end, and in between at some iterations."""
        many = state.theta.size > _MANY_COEF
        first, every = (_FIRST_MANY, _EVERY_MANY) if many else (_FIRST, _EVERY)
        early = state.iteration >= first and state.iteration % every == 0
        if not early and state.gap > self._target:
            return None
        lossless = state.value < 1e-2 * self._null_loss
        return self.search(state.theta) if lossless or still_moves(self.objective, state) else None

    def search(self, theta: Array) -> Status | None:
        """Status.SEPARATED, and `direction` set, if the classes are separated; the screen is passed over."""
        found = separating_direction(self.objective, theta, self.sample)
        if found is None:
            return None
        self.direction, self.certain = found
        return Status.SEPARATED


def separating_direction(objective: Objective, theta: Array, sample: Block) -> tuple[Array, Certain] | None:
    """A direction of theta that separates the classes, and of which of them; None if they overlap.

    On small data its entries are the signs of the coefficients that certainly grow without end; else, or if there
    are none, it is one direction with few columns.
    """
    complete = theta.any() and _violators(objective, theta, strict=True, most=1)[1] == 0
    whole = (_largest_only(theta), (True, True)) if complete else None
    if objective.n_coef > _MOST_COEF:
        return whole
    found = _search(objective, theta, sample, np.ones(objective.n_coef, dtype=bool))
    if found is None:
        return whole
    if not objective.compiled and objective.n_coef <= _SMALL_COEF and objective.data.n_rows * found.size <= _SMALL:
        return _certain_signs(objective, found)
    few = _fewer_columns(objective, theta, sample, found)
    return few, _classes_of_strict(objective, few)


def _fewer_columns(objective: Objective, theta: Array, sample: Block, found: Array) -> Array:
    """The direction without the columns that it can spare, the least ones first."""
    first = int(objective.coordinates.intercept)
    for j in np.argsort(np.abs(found)):
        columns = found != 0
        if j < first or not columns[j] or columns[first:].sum() < 2 or columns.sum() > _NAMED:
            continue
        columns[:first] = True
        columns[j] = False
        fewer = _search(objective, theta, sample, columns)
        found = found if fewer is None else fewer
    return found


def _search(objective: Objective, theta: Array, sample: Block, columns: Any) -> Array | None:
    """The cutting planes of the module's docstring, from the rows that theta classifies worst.

    columns : (k,) booleans, the entries of the direction that may differ from 0
    """
    (total,) = objective.reduce(lambda block: (_column_sums(SignedRows.of(block, objective.coordinates).D),))
    mean = total / objective.data.n_rows
    rows = SignedRows.of(sample, objective.coordinates).D
    nearest = np.argsort(rows @ theta)[: max(200, 10 * objective.n_coef)]
    rows = _dense(rows[nearest])
    for _ in range(_ROUNDS):
        guess = _programme(rows[:, columns], mean[columns])
        part = None if guess is None else _settle(rows[:, columns], guess, mean[columns])
        if part is None:
            return None
        direction = np.zeros(len(mean))
        direction[columns] = part
        violated, count = _violators(objective, direction)
        if count == 0:
            return direction
        rows = np.concatenate([rows, violated])
    return None


def _programme(rows: Array, mean: Array) -> Array | None:
    """The d of least sum |d_j| with rows @ d >= 0 and mean @ d = 1; None if there is none."""
    from scipy.optimize import linprog

    m, k = rows.shape
    answer = linprog(
        np.ones(2 * k),
        A_ub=np.hstack([-rows, rows]),
        b_ub=np.zeros(m),
        A_eq=np.concatenate([mean, -mean])[None, :],
        b_eq=[1.0],
        method="highs",
    )
    return answer.x[:k] - answer.x[k:] if answer.status == 0 else None


def _certain_signs(objective: Objective, direction: Array) -> tuple[Array, Certain]:
    """+1 or -1 where all directions that separate have that sign or 0; if there is none, the direction given."""
    coordinates = objective.coordinates
    try:
        found = separation_of(objective.data, coordinates)
    except EvenOddsError:  # too close to rounding for an answer in full
        return direction, _classes_of_strict(objective, direction)
    first = int(coordinates.intercept)
    slopes = found.infinite[first:][coordinates.columns]
    signs = np.concatenate([np.zeros(first), np.where(np.isinf(slopes), np.sign(slopes), 0.0)])
    second = np.concatenate([block.y > 0 for block in objective.data.blocks()])[found.separated]
    certain = bool((~second).any()), bool(second.any())
    return (signs, certain) if signs.any() else (direction, certain)


def _classes_of_strict(objective: Objective, direction: Array) -> Certain:
    """Whether there are rows of each class that a direction puts strictly on their side."""

    def sums(block: Block) -> Sums:
        D = SignedRows.of(block, objective.coordinates).D
        strict = D @ direction > rounding(D) * (abs(D) @ np.abs(direction))
        return int(np.count_nonzero(strict & (block.y == 0))), int(np.count_nonzero(strict & (block.y > 0)))

    first, second = objective.reduce(sums)
    return bool(first), bool(second)


def _settle(rows: Array, guess: Array, mean: Array) -> Array | None:
    """The guess, corrected on the rows that it leaves within the programme's tolerance of the boundary; or None.

    Either these lie on the boundary together, or they are separated in their turn, by a direction that is large beside
    their differences.
    """
    near = rows[rows @ guess <= 1e-6 * (np.abs(rows) @ np.abs(guess))]
    candidates = [guess]
    if len(near):
        null = scipy.linalg.null_space(near, rcond=1e-14)
        candidates = [null @ (null.T @ guess)]
        left, size, right = scipy.linalg.svd(near, full_matrices=False)
        left, size, right = left[:, size > 1e-14 * size[0]], size[size > 1e-14 * size[0]], right[size > 1e-14 * size[0]]
        finer = _programme(left, left.mean(axis=0)) if left.mean(axis=0).any() else None
        if finer is not None:
            candidates.append(right.T @ (finer / size))
    for direction in candidates:
        direction = np.where(np.abs(direction) > 1e-9 * np.abs(direction).max(initial=0.0), direction, 0.0)
        margins, size = rows @ direction, np.abs(rows) @ np.abs(direction)
        # Strictly positive somewhere: perhaps only on rows that are not at hand, so the mean over all has to show it.
        if (margins >= -rounding(rows) * size).all() and mean @ direction > 1e-9 * (np.abs(mean) @ np.abs(direction)):
            return direction
    return None


def _column_sums(D: Any) -> Array:
    return np.asarray(D.sum(axis=0)).ravel()


def _violators(objective: Objective, direction: Array, *, strict: bool = False, most: int = 100) -> tuple[Array, int]:
    """Up to `most` rows a block that the direction puts on the wrong side, worst first, and how many there are.

    `strict` counts a row on the boundary as well.
    """

    def sums(block: Block) -> Sums:
        D = SignedRows.of(block, objective.coordinates).D
        margins = D @ direction
        size = abs(D) @ np.abs(direction)
        zero = rounding(D) * size
        bad = np.flatnonzero(margins <= zero if strict else margins < -zero)
        worst = bad[np.argsort(margins[bad])[:most]]
        return [_dense(D[worst])], bad.size

    found, count = objective.reduce(sums)
    return np.concatenate(found), int(count)


def _largest_only(theta: Array) -> Array:
    """Theta with all but its largest entries set to zero, to name columns by."""
    threshold = np.sort(np.abs(theta))[-min(_NAMED, theta.size)]
    return np.where(np.abs(theta) >= threshold, theta, 0.0)


def _dense(rows: Any) -> Array:
    return np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows, dtype=np.float64)
