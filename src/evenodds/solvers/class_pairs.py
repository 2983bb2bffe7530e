"""Lasso and elastic net of more than two classes where coefficients are many: nearly all of them stay at 0.

A working set holds pairs of a class and a column. Proximal Newton on it keeps one Hessian while the probabilities of
the rows stay close to those it was made with. The set grows by the strong rule (Tibshirani et al., J. R. Stat. Soc. B
74, 2012, section 7) and by the check of all pairs, one product of all columns with the residuals, which also gives the
gap over all.

Columns are needed one by one, so the data are in memory.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..arrays import Array, Matrix, Numbers, dense
from ..data import require_finite, whole_rows
from ..data.memory import Memory
from ..exceptions import EvenOddsError
from ..kernels.algebra import dot, product
from ..scores import other_classes, softmax
from . import Status
from .class_penalty import anchored, centred
from .mean_loss import MeanLoss
from .penalty import Penalty, freed_gap
from .proximal_newton import Models, Point, minimize_all
from .working_set import LEAST, ROUGHLY, extrapolated, room_for

_DRIFT = 0.15  # of the probabilities, weighted, from which the Hessian is made again
_INNER = 0.8  # of the gap is left to the working set
_ACCURACY = 1e-4  # of a step, see `minimize_quadratic`
_LEAST_INNER = 1e-3
_CHECKS = 200
_MOST_FULL = 1500  # coefficients up to which a Hessian of all of them can be the model
_FEW = 100  # coefficients up to which it also is where data are in memory
_MOST_PAIRS = 12_000  # whose Hessian takes about a gigabyte
_TILE_ROWS = 2048


def takes_pairs(loss: MeanLoss) -> bool:
    """Whether a working set beats a Hessian of all coefficients, or is all there is."""
    return loss.n_coef > _MOST_FULL or (loss.n_coef > _FEW and loss.data.whole() is not None)


class PairSet:
    """Some pairs of a class and a column of theta, and what is known of F on them.

    numbers : (m,) the pairs, by their position in theta
    D : (n, m') the columns that any of them has, dense, or CSC for a sparse X; `at` is where each pair finds its own
    """

    def __init__(self, loss: MeanLoss) -> None:
        count = f"{loss.n_coef:,} coefficients ({loss.data.n_columns:,} columns, {loss.n_classes} classes)"
        block = whole_rows(loss.data, f"A penalty on {count}")
        self.loss, self.K, self.k = loss, loss.n_classes, loss.n_coef // loss.n_classes
        coordinates = loss.coordinates
        self._first = int(coordinates.intercept)
        every = coordinates.columns.size == coordinates.scale.size
        X = block.X if every else block.X[:, coordinates.columns]
        self._X = sp.csc_array(X) if sp.issparse(X) else X
        self._scale = coordinates.scale[coordinates.columns]
        self._center = np.zeros_like(self._scale) if sp.issparse(X) else coordinates.center[coordinates.columns]
        if not sp.issparse(X) and not coordinates.near:  # a product would leave no digits to centre
            self._X, self._center = X - self._center, np.zeros_like(self._scale)
        # A home whose rows are the columns, so that its threads share them out.
        self._home = Memory(self._X.T, np.zeros(X.shape[1], np.uint8), n_jobs=loss.data.n_jobs)
        n = block.n_rows
        self._share = (np.ones(n) if block.weight is None else block.weight) / loss.total_weight
        self._own = block.y.astype(np.intp)
        self._offset = block.offset
        self.numbers = np.empty(0, np.intp)
        self.inside = np.zeros(loss.n_coef, bool)
        self.columns = np.empty(0, np.intp)
        self.D: Any = sp.csc_array((n, 0)) if sp.issparse(X) else np.empty((n, 0), order="F")
        self.at = self.classes = np.empty(0, np.intp)
        self._last: tuple[Array, tuple[float, Array, Array, float]] | None = None
        self.H = np.empty((0, 0))
        self._base: Array | None = None

    def add(self, numbers: Numbers) -> None:
        """Take pairs into the set, and into the Hessian."""
        new = numbers[~self.inside[numbers]]
        if new.size == 0:
            return
        columns = np.setdiff1d(new % self.k, self.columns)
        if columns.size:
            parts = [self.D, self._take(columns)]
            self.D = sp.hstack(parts, format="csc") if sp.issparse(self.D) else np.asfortranarray(np.hstack(parts))
            self.columns = np.concatenate([self.columns, columns])
        place = np.zeros(self.k, np.intp)
        place[self.columns] = np.arange(self.columns.size)
        before = self.numbers.size
        if before + new.size > _MOST_PAIRS:
            raise EvenOddsError(
                f"More than {_MOST_PAIRS:,} coefficients are not 0 at this penalty: too many for a fit with an L1 "
                "part, factors or bounds. Choose a smaller C, an l1_ratio nearer to 1, or a plain ridge."
            )
        self.numbers = np.concatenate([self.numbers, new])
        self.at, self.classes = place[self.numbers % self.k], self.numbers // self.k
        self._last = None
        self.inside[new] = True
        if self._base is not None:
            old, added = np.arange(before), np.arange(before, self.numbers.size)
            cross = self._curvature(self._base, old, added)
            corner = self._curvature(self._base, added, added)
            self.H = np.block([[self.H, cross], [cross.T, corner]])

    def _take(self, columns: Numbers) -> Any:
        """Columns of theta of one class, dense, or CSC for a sparse X."""
        slopes = columns[columns >= self._first] - self._first
        D = self._X[:, slopes]
        if sp.issparse(D):
            D = product(D, sp.diags_array(1 / self._scale[slopes]))
        else:
            D = (D - self._center[slopes]) / self._scale[slopes]
        if slopes.size == columns.size:
            return D
        ones = np.ones((D.shape[0], 1))  # the intercept is column 0
        return sp.hstack([ones, D], format="csc") if sp.issparse(D) else np.hstack([ones, D])

    def rows(self, x: Array) -> tuple[float, Array, Array, float]:
        """At coefficients of the set: F, its derivatives by scores (n, K), the probabilities, and the mean odds.

        Asked again for the same, it has them at hand.
        """
        if self._last is None or not np.array_equal(self._last[0], x):
            self._last = (x.copy(), self._evaluated(x))
        return self._last[1]

    def _evaluated(self, x: Array) -> tuple[float, Array, Array, float]:
        W = np.zeros((self.columns.size, self.K))
        W[self.at, self.classes] = x
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            Z = np.asarray(product(self.D, W))
            if self._offset is not None:
                Z += self._offset
            losses, P, R = softmax(Z, self._own)
            odds = dot(self._share, np.expm1(losses))
        loss = dot(self._share, losses)
        R *= self._share[:, None]
        return loss if np.isfinite(loss) else np.inf, R, P, odds

    def evaluate(self, points: Array) -> tuple[Array, Array, Array]:
        """What `minimize_all` asks for."""
        values = [self.rows(x) for x in points]
        gradients = np.array([np.asarray(product(self.D.T, R))[self.at, self.classes] for _, R, _, _ in values])
        return np.array([value[0] for value in values]), gradients, np.array([value[3] for value in values])

    def hessian(self, point: Point) -> Array:
        """The Hessian on the set, or that of an earlier point where the probabilities were nearly the same."""
        P = self.rows(point.theta)[2]
        if self._base is None or self._drift(self._base, P) > _DRIFT:
            self._base = P
            every = np.arange(self.numbers.size)
            self.H = anchored(self._curvature(P, every, every), point.penalty, self.numbers % self.k)
        return self.H

    def exact(self, point: Point) -> Array:
        """The Hessian at the point."""
        self._base = None
        return self.hessian(point)

    def _drift(self, base: Array, P: Array) -> float:
        """How far probabilities are from those that the Hessian was made with, beside the curvature of these."""
        moved = dot(self._share, np.abs(P - base).sum(axis=1))
        return float(moved) / max(float(1 - dot(self._share, np.square(base).sum(axis=1))), 1e-300)

    def _curvature(self, P: Array, left: Numbers, right: Numbers) -> Array:
        """The second derivatives by some pairs of the set and others."""
        H = np.zeros((left.size, right.size))
        own, other = self.classes[left], self.classes[right]
        same = [(np.flatnonzero(own == a), np.flatnonzero(other == a)) for a in range(self.K)]
        stride = P.shape[0] if sp.issparse(self.D) else _TILE_ROWS
        for start in range(0, P.shape[0], stride):
            rows = slice(start, start + stride)
            D, s, p = self.D[rows], self._share[rows], P[rows]
            root = np.sqrt(s)[:, None] * p
            A = D[:, self.at[left]]
            B = A if left is right else D[:, self.at[right]]
            first = _times(A, root, own)
            part = -dense(product(first.T, first if left is right else _times(B, root, other)))
            h = s[:, None] * p * other_classes(p)
            for a, (i, j) in enumerate(same):
                if i.size and j.size:
                    part[np.ix_(i, j)] = dense(product(A[:, i].T, _times(B[:, j], h, np.full(j.size, a))))
            H += part
        return H

    def products(self, R: Array) -> Array:
        """The product of every column with residuals (n, K): flat, as theta."""
        slopes = np.zeros((0, self.K))
        if self._X.shape[1]:
            slopes = np.concatenate(self._home.reduce(lambda block: ([np.asarray(product(block.X, R))],))[0])
        total = R.sum(axis=0)
        slopes = (slopes - np.outer(self._center, total)) / self._scale[:, None]
        if not np.isfinite(slopes).all():
            require_finite(self.loss.data)
        self.loss.objective.passes += 1
        return (np.vstack([total, slopes]) if self._first else slopes).T.ravel()

    def solve(
        self, penalty: Penalty, theta: Array, strong: Numbers, target: float, max_iter: int
    ) -> tuple[Point, Array]:
        """The optimum for one penalty, and the gradient of F there; the set starts from `strong` and grows.

        By what the check finds furthest from its condition, until it finds none.
        """
        self.add(strong[: room_for(theta)])
        share, aim = _INNER, 0.0
        for _ in range(_CHECKS):
            theta = centred(penalty, theta, self.K)  # in the middle of what does not matter, steps have room
            self.add(np.flatnonzero(theta))
            point = Point(penalty.on(self.numbers), theta[self.numbers])
            models = Models(self.hessian, better=self.exact, learn=False, intercepts=self._first * self.K)
            minimize_all(
                self.evaluate,
                [point],
                models,
                target=max(share * target, aim),
                max_iter=max_iter,
                accuracy=_ACCURACY,
            )
            theta = np.zeros(theta.size)
            theta[self.numbers] = point.theta
            gradient = self.check(penalty, theta, point)
            if point.gap <= target or share < _LEAST_INNER:
                break
            found = _furthest(np.where(self.inside, 0.0, penalty.violation(theta, gradient)))
            if not (found.size or aim):  # the set itself is to be solved further, with the Hessian as it is here
                share *= 0.1
                self._base = None
            aim = ROUGHLY * point.gap if found.size else 0.0
            self.add(found[: room_for(theta)])
        if point.gap > target:
            point.status = Status.MAX_ITER if point.status is Status.MAX_ITER else Status.STALLED
        else:
            point.status = Status.CONVERGED
        point.theta, point.penalty = theta, penalty
        return point, gradient

    def check(self, penalty: Penalty, theta: Array, point: Point) -> Array:
        """Set the gap over all pairs; the gradient of F by all."""
        _, R, P, odds = self.rows(point.theta)
        bare = np.flatnonzero(point.penalty.bare)
        classes, part = self.classes[bare], point.penalty.on(bare)
        slope = np.asarray(product(self.D.T, R))[self.at[bare], classes]
        H = anchored(self._curvature(P, bare, bare), part, self.numbers[bare] % self.k)
        v, free, step, left = part.freed(point.theta[bare], point.loss, slope, lambda some: H[:, some])
        reach = 0.0
        if step.any():
            W = np.zeros((self.columns.size, self.K))
            W[self.at[bare[free]], classes[free]] = step
            V = np.asarray(product(self.D, W))
            reach = float(np.ptp(V, axis=1).max())
            R = R - self._share[:, None] * P * (V - np.einsum("ik,ik->i", P, V)[:, None])
        gradient = self.products(R)
        gradient[self.numbers[bare]] = -v
        base = left + freed_gap(step, slope[free], reach)
        point.gap = penalty.gap_at(-gradient, theta, point.loss, odds, base)
        return gradient


def _times(D: Matrix, factors: Array, classes: Numbers) -> Any:
    """Each column of a dense matrix or CSC times the factors (n, K) of its class."""
    if isinstance(D, np.ndarray):
        return D * factors[:, classes]
    entries = D.data * factors[D.indices, np.repeat(classes, np.diff(D.indptr))]
    return sp.csc_array((entries, D.indices, D.indptr), shape=D.shape)


def pairs_path(
    loss: MeanLoss,
    penalties: Sequence[Penalty],
    theta: Array,
    *,
    target: float,
    max_iter: int,
    stop: Callable[[Sequence[Point]], bool] | None = None,
) -> list[Point]:
    """The optimum for each penalty, from the strongest to the weakest, each a multiple of the others."""
    start = penalties[0].nearest(theta)
    state, before, gradient = _started(loss, penalties[0], start)
    points: list[Point] = []
    for penalty in penalties:
        start = extrapolated(points, penalty) if points else start
        point, gradient = state.solve(penalty, start, _strong(penalty, before, gradient), target, max_iter)
        points.append(point)
        before = penalty
        if stop is not None and stop(points):
            break
    return points


def pairs_fit(loss: MeanLoss, penalty: Penalty, theta: Array, *, warm: bool, target: float, max_iter: int) -> Point:
    """The optimum for one penalty."""
    start = penalty.nearest(theta if warm else np.where(penalty.bare, theta, 0.0))
    if not warm:
        return pairs_path(loss, [penalty], start, target=target, max_iter=max_iter)[0]
    state, _, gradient = _started(loss, penalty, start)
    return state.solve(penalty, start, _strong(penalty, penalty, gradient), target, max_iter)[0]


def _started(loss: MeanLoss, penalty: Penalty, start: Array) -> tuple[PairSet, Penalty, Array]:
    """The pairs that are in play from the start, a penalty that holds the others at rest, and the gradient of F."""
    state = PairSet(loss)
    state.add(np.flatnonzero((start != 0) | penalty.bare))
    gradient = state.products(state.rows(start[state.numbers])[1])
    size = np.where(state.inside, 0.0, penalty.finite_l1)
    ratio = np.divide(np.abs(gradient), size, out=np.zeros_like(size), where=size > 0)
    return state, penalty.times(max(float(ratio.max(initial=0.0)), 1.0)), gradient


def _strong(penalty: Penalty, before: Penalty, gradient: Array) -> Numbers:
    """The pairs that the strong rule takes in; after a long step not all that it would."""
    limit = np.maximum(2 * penalty.finite_l1 - before.finite_l1, LEAST * penalty.l1)
    return _furthest(np.where(np.isinf(penalty.l1), 0.0, np.abs(gradient) - limit))


def _furthest(over: Array) -> Numbers:
    """Where numbers are more than 0, the largest first."""
    order = np.argsort(-over, kind="stable")
    return order[: np.count_nonzero(over > 0)]
