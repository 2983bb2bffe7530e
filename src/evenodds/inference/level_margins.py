"""Marginal effects of the levels of a factor beside a wide one, all of them together.

A factor that stands alone in one term adds one coefficient to the scores of a row, whatever else is in it. So rows are
made once, without a level, and each level moves their scores: probabilities and their sums are products of rows with
levels. The derivative of a level's sum is by its own coefficient, and by those of the other columns, which for the wide
factor are few: no row of a table is made for each level, and no matrix of levels with levels.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import logsumexp

from ..arrays import CSR, Array, Matrix
from ..data.coded import Coded
from ..design import Design, Factor
from .certain import limit_scores
from .margins_table import known_columns
from .wide import centred

if TYPE_CHECKING:
    from .record import Inference

_ENTRIES = 1 << 20  # of rows with levels at once
_DIGITS = 38.0  # the logarithm of what interpolation divides its error by: it leaves none but rounding
_FAR = 150.0  # scores of which the products of four exponentials are numbers
_FEW = 512  # other columns, up to which they are held dense


def alone(design: Design, k: int) -> tuple[int, NDArray[np.intp]] | None:
    """Of a factor that is in one term, by itself, its first column and that of each level, -1 for one without."""
    first, found = 0, []
    for term in design.terms:
        for block in term.blocks:
            if k in (part.atom for part in block):
                found.append((first, block))
            first += design.size_of(block)
    factor = design.atoms[k]
    if len(found) != 1 or len(found[0][1]) != 1 or not isinstance(factor, Factor):
        return None
    first, (part,) = found[0]
    places = factor.places(np.arange(len(factor.levels), dtype=np.int32), part.full)
    return first, np.where(places < 0, -1, first + places)


def takes_levels(result: "Inference") -> bool:
    """Whether levels are moved together: beside a wide factor, where rows without a level have finite scores."""
    limit, first = result.limit, int(bool(result.model.fit_intercept))
    return result.whole.wide and (limit is None or not limit.recession.infinite[:first].any())


@dataclass
class LevelEffects:
    """Sums over rows, a tile after another.

    first : the first column of the factor; columns : (L + 1,) those of its levels that have an effect, and of the
        reference, -1 for none
    effect : (K, L + 1) by class and level; own, others : of the classes that are shown the derivatives by the level's
        coefficient (., L + 1, m), and by theta's other entries (., L + 1, m, .)
    """

    result: "Inference"
    logs: bool
    first: int
    columns: NDArray[np.intp]
    effect: Array = field(init=False)
    own: Array = field(init=False)
    others: Array = field(init=False)

    def __post_init__(self) -> None:
        problem, coordinates = self.result.problem, self.result.problem.objective.coordinates
        K, m, count = len(self.result.classes), problem.n_free, self.columns.size
        theta, first = problem.theta.reshape(m, -1), int(coordinates.intercept)
        self._shown = np.arange(int(K == 2), K)  # of two classes the second tells of both
        place = np.full(coordinates.scale.size + 1, -1)
        place[coordinates.columns] = first + np.arange(coordinates.columns.size)
        self._places = place[self.columns]  # in theta's entries of a class; -1 of an aliased column and of none
        solved = self._places >= 0
        self._size = np.where(solved, 1 / coordinates.scale[self.columns], 0.0)
        self._moves = np.where(solved, theta[:, self._places] * self._size, 0.0)  # of the scores (m, L + 1)
        self._kept = np.setdiff1d(np.arange(theta.shape[1]), self._places[solved])
        self._between = _interpolation(self._moves[0]) if m == 1 else None
        if self._between is not None:
            self._moves, count = self._between[0][None], self._between[0].size
        self.effect = np.zeros((K, count))
        self.own = np.zeros((self._shown.size, count, m))
        self.others = np.zeros((self._shown.size, count, m, self._kept.size))

    def add(self, rows: Coded, shift: Array, weight: Array) -> None:
        """Add some rows."""
        rows.codes[np.flatnonzero(rows.layout.firsts == self.first)] = -1
        rows = centred(self.result.problem, rows)
        D, Z = limit_scores(self.result, rows, shift)
        D = sp.csr_array(D[:, self._kept])
        D = D.toarray() if self._kept.size <= _FEW else D
        count = max(1, _ENTRIES // len(Z))
        for k in range(0, self._moves.shape[1], count):
            self._add_levels(D, Z, weight, slice(k, k + count))

    def _add_levels(self, D: CSR, Z: Array, weight: Array, some: slice) -> None:
        m, K = len(self._moves), Z.shape[1]
        moved = _Moved(Z, np.pad(self._moves[:, some], ((K - m, 0), (0, 0))))
        for c in range(K):
            self.effect[c, some] += moved.logs(weight, c) if self.logs else moved.sums(weight, c)
        by, found = sp.diags_array(weight) @ D, {}
        for j, c in enumerate(self._shown.tolist()):
            for b in (b for b in range(K) if b != c):
                # p_c moves by p_c p_b with z_c, for each b, and by as much less with z_b; log p_c by p_b.
                classes = (b,) if self.logs else (min(b, c), max(b, c))
                if classes not in found:
                    found[classes] = moved.sums(weight, *classes), moved.sums(by, *classes)
                for a, sign in ((c - K + m, 1.0), (b - K + m, -1.0)):
                    if a >= 0:
                        self.own[j, some, a] += sign * found[classes][0]
                        self.others[j, some, a] += sign * found[classes][1]

    def plus(self, other: "LevelEffects") -> None:
        """Add those of other rows."""
        self.effect += other.effect
        self.own += other.own
        self.others += other.others

    def columns_of(self, weight: float) -> tuple[NDArray[np.bool_], Array, Array]:
        """Which levels have an effect against the reference that is known, the effects (K, L) and their errors."""
        if self._between is not None:
            at = self._between[1]
            self.effect, self._between = self.effect @ at.T, None
            self.own, self.others = (np.einsum("ln,cn...->cl...", at, each) for each in (self.own, self.others))
        known = np.append(known_columns(self.result), False)
        found = known[self.columns[:-1]] | known[self.columns[-1]]
        self._set_certain(weight)
        effect = (self.effect[:, :-1] - self.effect[:, -1:]) / weight
        se = np.full(effect.shape, np.nan)
        for j, jacobian in enumerate(self._jacobians()):
            se[self._shown[j]] = np.sqrt(self.result.theta_covariance.variances(jacobian)) / weight
        return found, effect, se

    def _set_certain(self, weight: float) -> None:
        """Levels that separate the classes by themselves, of two classes: a row of such a level is certain."""
        limit, first = self.result.limit, int(bool(self.result.model.fit_intercept))
        if limit is None:
            return
        sign = np.append(limit.recession.infinite[first:], 0.0)[self.columns]
        certain = sign != 0
        self.own[:, certain], self.others[:, certain] = 0.0, 0.0
        second = np.where(np.isnan(sign), np.nan, sign > 0)[certain]
        P = np.stack([1 - second, second])
        with np.errstate(divide="ignore"):
            self.effect[:, certain] = weight * (np.log(P) if self.logs else P)

    def _jacobians(self) -> Iterator[Any]:
        """Of each class that is shown the derivative (L, q) of the effects, CSR."""
        L, m, k = self.columns.size - 1, len(self._moves), self.result.problem.theta.size // len(self._moves)
        each, reference = np.arange(L), self._places[-1]
        solved = np.flatnonzero(self._places[:-1] >= 0)
        for own, others in zip(self.own * self._size[:, None], self.others, strict=True):
            parts = []
            for a in range(m):
                values, rows, places = [own[solved, a]], [solved], [self._places[solved]]
                if reference >= 0:
                    values, rows = [*values, np.full(L, -own[-1, a])], [*rows, each]
                    places.append(np.full(L, reference))
                values.append((others[:-1, a] - others[-1, a]).ravel())
                rows.append(np.repeat(each, self._kept.size))
                places.append(np.tile(self._kept, L))
                at = (np.concatenate(rows), np.concatenate(places))
                parts.append(sp.csr_array((np.concatenate(values), at), shape=(L, k)))
            yield sp.csr_array(sp.hstack(parts))


class _Moved:
    """The probabilities of rows with the scores Z (n, K), moved by those of levels (K, L), summed over the rows.

    An exponential for each row and for each level makes the sum S of a row at a level a product of two matrices, and a
    sum over rows of products of probabilities one of a power of 1/S. Scores that are far apart are taken one by one.
    """

    def __init__(self, Z: Array, moves: Array) -> None:
        self._Z, self._moves = Z - Z.max(axis=1, keepdims=True), moves - moves.max(axis=0)
        near = np.where(np.isfinite(self._Z), self._Z, 0.0)
        self._far = min(near.min(initial=0.0), self._moves.min(initial=0.0)) < -_FAR
        if self._far:
            each = self._Z.T[:, :, None] + self._moves[:, None, :]
            self._log = np.asarray(logsumexp(each, axis=0))
            self._P = np.exp(each - self._log)
        else:
            self._rows, self._levels = np.exp(self._Z), np.exp(self._moves)
            self._sum = self._rows @ self._levels
            self._inverse = [1 / self._sum]
            self._inverse.append(np.square(self._inverse[0]))

    def sums(self, values: Matrix, *classes: int) -> Array:
        """The sum over rows of some values (n, ...) times the probabilities of one class, or of two, by level."""
        c = list(classes)
        if self._far:
            return np.asarray(self._P[c].prod(axis=0).T @ values)
        of_rows, of_levels = self._rows[:, c].prod(axis=1), self._levels[c].prod(axis=0)
        found = self._inverse[len(c) - 1].T @ (sp.diags_array(of_rows) @ values)
        return np.asarray((found.T * of_levels).T)

    def logs(self, weight: Array, c: int) -> Array:
        """The weighted sum over rows of the logarithm of a class's probability, by level."""
        total = self._log if self._far else np.log(self._sum)
        return np.asarray(weight @ self._Z[:, c] + weight.sum() * self._moves[c] - weight @ total)


def _interpolation(x: Array) -> tuple[Array, Array] | None:
    """Points, and the matrix (L, n) that takes the values of a function at these to those at x; None if they are many.

    By the barycentric formula (Berrut and Trefethen, SIAM Review 46, 2004, equation 5.4).
    """
    middle, half = (x.max() + x.min()) / 2, max((x.max() - x.min()) / 2, 1.0)
    n = int(_DIGITS / np.log(np.pi / half + np.sqrt(1 + (np.pi / half) ** 2))) + 2
    if n >= x.size:
        return None
    points = middle + half * np.cos(np.pi * np.arange(n) / (n - 1))
    weight = np.where(np.arange(n) % 2, -1.0, 1.0)
    weight[[0, -1]] /= 2
    apart = x[:, None] - points
    with np.errstate(divide="ignore", invalid="ignore"):
        near = weight / apart
        matrix = near / near.sum(axis=1, keepdims=True)
    at, point = np.nonzero(apart == 0)
    matrix[at], matrix[at, point] = 0.0, 1.0
    return points, matrix
