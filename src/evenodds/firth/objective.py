"""J_F in the contract of the objective: its value, gradient and I at theta, for small data and for large."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..arrays import Array
from ..data import Block, Sums
from ..data.memory import add_up
from ..exceptions import EvenOddsError
from ..kernels.algebra import gram, product
from ..objective import Objective
from ..objective.signed import SignedRows
from ..objective.tiles import over_tiles
from ..solvers.metrics import Cholesky
from .leverages import WeighedRows, inverse_root, likelihood_score, room_for

_PART_ENTRIES = 1 << 17  # few, as new memory can cost more than the arithmetic in it
_PREPARED = 1 << 20  # entries of rows that are kept ready
_MOST_COEF = 3000  # beyond which a factorisation would cost too much


class Whitened:
    """A metric in the basis where I is the identity: root shape^-1 root', with root root' = I^-1 or a part of it."""

    def __init__(self, root: Array, total_weight: float, shape: Array | None = None) -> None:
        self._root, self._total = root, total_weight
        self._shape = None if shape is None else Cholesky(shape)

    def solve(self, g: Array) -> Array:
        """(I / S)^-1 g, or what the shape makes of it."""
        inner = product(g, self._root)
        step = product(self._root, inner if self._shape is None else self._shape.solve(inner))
        return np.asarray(self._total * step)


@dataclass(frozen=True, slots=True)
class Point:
    """J_F at theta: its value, its gradient, I, and an inverse root of I: white @ white.T is I^-1.

    score : the gradient of J, without the penalty
    largest : the largest v_i = x_i' I^-1 x_i, the variance of a row's score
    stretch : the largest h_i / s_i: by what share the penalty's own curvature can be beyond I
    loosest : the largest v_i of rows with leverage: how far the score of a row that counts moves with theta
    mass : the sum of s_i v_i / 4
    """

    theta: Array
    value: float
    gradient: Array
    information: Array
    white: Array
    score: Array
    largest: float
    stretch: float
    loosest: float
    mass: float

    def metric(self, objective: Objective) -> Whitened:
        """The metric I / S."""
        return Whitened(self.white, objective.total_weight)


@dataclass
class FirthObjective(Objective):
    """J_F, with the I of the raw columns, in the contract of `Objective`.

    Its "Hessian" is I / S, the expected one of J: positive definite everywhere, and close to that of J_F where rows
    are many a coefficient.
    """

    ridge: Array = field(init=False)
    _point: Point | None = field(init=False, default=None, repr=False)
    _held: tuple[Array, list[WeighedRows]] | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.observations = self.total_weight  # the prior stands beside it, and is not weighted
        columns = self.coordinates.columns
        self.ridge = np.zeros(columns.size)
        self._log_scales = float(np.log(self.coordinates.scale[columns]).sum())
        self._part_rows = max(_PART_ENTRIES // max(self.n_coef, 1), 256)
        self.prepared = self.data.n_rows * self.n_coef <= _PREPARED
        if self.n_coef > _MOST_COEF:
            raise EvenOddsError(
                f"firth=True is for {_MOST_COEF:,} coefficients at the most, and here are {self.n_coef:,}: "
                "it needs a square matrix of that size. Use a ridge (for example C=1)."
            )

    def score(self, theta: Array) -> Array:
        """The gradient of J, without the penalty: a cheap read."""
        if not self.prepared:
            return super().value_grad(theta)[1]
        self.passes += 1
        return np.asarray(sum(likelihood_score(rows, theta) for rows in self._parts) / self.total_weight)

    def value_grad(self, theta: Array, *, single: bool = False) -> tuple[float, Array, None]:
        """J_F and its gradient (no Hessian), always in double precision."""
        point = self.at(theta)
        return point.value, point.gradient, None

    def value_grad_hess(self, theta: Array) -> tuple[float, Array, Array]:
        """J_F, its gradient and I / S."""
        point = self.at(theta)
        return point.value, point.gradient, point.information / self.total_weight

    def hessian(self, theta: Array, dtype: object = np.float64) -> Array:
        """I / S."""
        return self.at(theta).information / self.total_weight

    def penalized_log_likelihood(self, theta: Array) -> float:
        """The log-likelihood plus half of log det I, I that of the raw columns."""
        return -self.total_weight * self.at(theta).value

    @property
    def latest(self) -> Point:
        """All about J_F where it was asked for last."""
        if self._point is None:
            raise AssertionError("J_F has not been asked for yet")
        return self._point

    def at(self, theta: Array) -> Point:
        """All about J_F at theta. Asked again for the same theta, it does not read the data again."""
        if self._point is None or not np.array_equal(self._point.theta, theta):
            self._point = self._look(theta.copy())
        return self._point

    def _look(self, theta: Array) -> Point:
        sums = self._weighed(theta)
        loss, information = sums(lambda rows: (rows.loss, rows.gram()))
        white, log_det = inverse_root(information, lambda white: sums(lambda rows: (rows.gram(white),))[0])
        pulls, most, mass = sums(lambda rows: rows.pulls(white))
        largest, stretch, loosest = (max(values) for values in zip(*most, strict=True))
        value, gradient = self._finish(theta, loss - 0.5 * log_det - self._log_scales, pulls.sum(axis=0))
        score = pulls[0] / self.total_weight
        return Point(theta, value, gradient, information, white, score, largest, stretch, loosest, mass)

    def convex(self, point: Point, far: bool = False) -> Array:
        """The curvature of maximum likelihood on the rows and their pseudo-observations, in the basis of `white`.

        That likelihood is a bound on the penalised one which touches it at the point: 1/2 log det I is the logarithm of
        a sum of log-concave terms (see `search`), whose shares are held in it. If `far`, it is such that steps are safe
        far from a maximum (see `safe_curvature`).
        """
        (shape,) = self._weighed(point.theta)(lambda rows: (rows.curvature(point.white, far),))
        return np.asarray(shape)

    def bent(self, point: Point, convex: Array) -> Array:
        """The Hessian of S J_F in the basis of `white`, from what is convex of it; it costs n k^3.

        With a = 1 - 2p, q a row in that basis and u the same times sqrt(s p (1 - p)), differentiating twice gives

            convex - U' diag(v a^2/2) U + T T'/2,     T = sum_i a_i q_i (u_i u_i')
        """
        diagonal, T = self._weighed(point.theta)(lambda rows: rows.bend(point.white))
        return np.asarray(convex - diagonal + 0.5 * gram(T.T))

    def _weighed(self, theta: Array) -> Callable[[Callable[[WeighedRows], Sums]], Sums]:
        """What sums a function over the rows at theta; small data are weighed once for all functions."""
        if not self.prepared:
            return lambda function: self.reduce(self._tiled(theta, function))
        if self._held is None or self._held[0] is not theta:
            self.passes += 1
            self._held = theta, [WeighedRows.at(rows, theta) for rows in self._parts]
        weighed = self._held[1]
        return lambda function: add_up(map(function, weighed))

    def _tiled(self, theta: Array, function: Callable[[WeighedRows], Sums]) -> Callable[[Block], Sums]:
        coordinates, dense, n_coef, most = self.coordinates, not self.data.sparse, self.n_coef, self._part_rows

        def tile(block: Block) -> Sums:
            room = room_for("rows", (block.n_rows, n_coef)) if dense else None
            return function(WeighedRows.at(SignedRows.of(block, coordinates, room), theta))

        return lambda block: over_tiles(block, tile, most)

    @functools.cached_property
    def _parts(self) -> list[SignedRows]:
        """All rows of small data, prepared once, in parts that leave room for work beside them in the cache."""
        block, m = self.data.sample(self.data.n_rows, 0), self._part_rows
        parts = [block.take(slice(k, k + m)) for k in range(0, block.n_rows, m)]
        shapes = [(part.n_rows, self.n_coef) for part in parts]
        rooms = [None if self.data.sparse else np.empty(shape, order="F") for shape in shapes]
        return [SignedRows.of(part, self.coordinates, room) for part, room in zip(parts, rooms, strict=True)]

    def leverages(self, point: Point) -> Callable[[Block], Array]:
        """What tells the h_i of the rows of a block."""
        return self._of_rows(point, lambda rows: rows.leverages(point.white))

    def variances(self, point: Point) -> Callable[[Block], Array]:
        """What tells the v_i of the rows of a block."""
        return self._of_rows(point, lambda rows: rows.variances(point.white))

    def _of_rows(self, point: Point, function: Callable[[WeighedRows], Array]) -> Callable[[Block], Array]:
        tiled = self._tiled(point.theta, lambda rows: ([function(rows)],))
        return lambda block: np.concatenate(tiled(block)[0])
