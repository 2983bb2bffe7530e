"""A working set of the columns of a sparse X, which stay where they are.

Where rows are many, too many columns are in play for a Hessian of them. Proximal Newton then takes its steps by
coordinate descent on the columns themselves: the model's change of each row's score is kept, and a coefficient reads
and writes it where its column has entries (Yuan, Ho and Lin, J. Mach. Learn. Res. 13, 2012). The intercept is not one
coefficient among others: it follows each of them to where the model is least, as rows hold many positive entries,
which together look like it. A step touches only columns that have a coefficient or are further from 0 than the penalty
allows. Without bounds the steps are one call: where few columns are in play Python takes longer than they do. Where
that does not come to its end, as with many levels that are in few rows each, the columns in play get a Hessian.
"""

import numpy as np

from ..arrays import Array, Numbers
from ..kernels.algebra import dot, product
from ..kernels.csc import Csc
from ..kernels.descent import Bounds
from .columns import Columns
from .mean_loss import MeanLoss
from .penalty import Penalty
from .proximal_newton import Point
from .quadratic import MOST_FACTORED, newton_steps
from .working_set import At, Rows, WorkingSet

_ACCURACY, _SWEEPS = 1e-2, 30  # of a step: the square of the last changes over that of the largest; through the columns
_TO_THE_END = 1e-20, 500
_STEPS = 40  # in one call, before a Hessian is worth its time
_KEPT = 4  # steps, whose changes of the scores add up to these with no more rounding than they have themselves
_LEAST = 1e-12  # of a second moment about 0: what is left of it about the mean


class SparseSet(WorkingSet):
    """Some columns of theta by their numbers in a CSC matrix."""

    def __init__(self, loss: MeanLoss, columns: Columns, csc: Csc) -> None:
        super().__init__(loss, columns)
        self._csc, self._first = csc, int(loss.coordinates.intercept)
        self._which, self._unit = np.empty(0, np.intp), np.empty(0)  # of the columns of X that are in
        self._some: Array | None = None
        self._h, self._means, self._curvature = np.empty(0), np.empty(0), np.empty(0)
        self._hard = False

    def hold(self, new: Numbers) -> None:
        """The intercept, if there is one, is the first that comes."""
        which = new[new >= self._first] - self._first
        self._which = np.concatenate([self._which, which])
        self._unit = np.concatenate([self._unit, self.columns.unit[which]])

    def room(self, theta: Array) -> int:
        """All that the check finds: a column that is in costs next to nothing."""
        return self.columns.n_coef

    def scores(self, theta: Array) -> Array:
        """See `WorkingSet`."""
        v = np.full(self.columns.n_rows, float(theta[0]) if self._first else 0.0)
        x = theta[self._first :]
        away = np.flatnonzero(x)
        self._csc.scores(self._which[away], x[away] * self._unit[away], v)
        return v

    def slopes(self, r: Array) -> Array:
        """See `WorkingSet`."""
        found = self.columns.products_of(self._csc, self._which, r) * self._unit
        return np.concatenate([[r.sum()], found]) if self._first else found

    def some(self, places: Numbers) -> Array:
        """The columns without penalty, which were the first to come in."""
        if self._some is None:
            self._some = self.columns.take(self.numbers[places])
        return self._some

    def descend(
        self, point: Point, rows: Rows, target: float, max_iter: int, drift: float = 0.0, rough: float = 0.0
    ) -> At:
        """In one call as far as steps gain, where there are no bounds; the rest, and the gap, as in `WorkingSet`."""
        self._hard = False
        penalty = point.penalty.on(self.numbers)
        own = slice(self._first, None)
        bounds = penalty.l1[own], penalty.l2[own], penalty.lower[own], penalty.upper[own]
        if _has_corners_alone(bounds) and penalty.bare[: self._first].all():
            theta, of_rows = point.theta[self.numbers], (self._sign, self._share)
            known = rows.scores.copy(), rows.r.copy(), rows.h.copy(), np.array([rows.loss, rows.odds])
            own_columns = self._which, self._unit
            most = min(max_iter, _STEPS)
            steps, target, kept = self._csc.newton(*own_columns, of_rows, bounds, theta, known, target, rough, most)
            if steps:
                v, r, h, sums = known
                fresh = steps > _KEPT or not kept
                point.theta = self.whole(theta)
                rows = self.rows(theta) if fresh else Rows(v, float(sums[0]), r, h, float(sums[1]))
                point.iterations, max_iter = point.iterations + steps, max_iter - steps
            rough, self._hard = 0.0, True
        return super().descend(point, rows, target, max_iter, drift, rough)

    def model(self, h: Array, drift: float) -> bool:
        """The moments of the columns about their means, weighted by the curvature of the rows."""
        first, second = self._csc.moments(self._which, h)
        first, second = first * self._unit, second * self._unit**2
        self._h, self._means, self._curvature = h, np.zeros_like(first), second
        if self._first:
            self._means = first / float(h.sum())
            self._curvature = np.maximum(second - self._means * first, _LEAST * second)
        return True

    def least(self, penalty: Penalty, at: At, to_the_end: bool) -> Array:
        """See `WorkingSet`."""
        own = slice(self._first, None)
        x, away = at.near.copy(), penalty.violation(at.near, at.gradient) > 0
        places = np.flatnonzero((x[own] != 0) | away[own])
        if (self._hard or to_the_end) and 0 < places.size <= MOST_FACTORED:
            return self._by_hessian(penalty, x, at.gradient, places)
        rows = np.stack([self._h, np.zeros(self._h.size)], axis=1)
        bounds = penalty.l1[own], penalty.l2[own], penalty.lower[own], penalty.upper[own]
        slopes, until = at.gradient[own], _TO_THE_END if to_the_end else (_ACCURACY, _SWEEPS)
        moved = x[own].copy()
        shift = self._csc.descend(
            self._which, self._unit, places, rows, self._means, slopes, self._curvature, bounds, moved, *until
        )
        x[own] = moved
        x[: self._first] += shift
        return x

    def _by_hessian(self, penalty: Penalty, x: Array, gradient: Array, places: Numbers) -> Array:
        """Where the model is least, in the columns in play, by a matrix of these; the intercept follows."""
        unit, means, among = self._unit[places], self._means[places], places + self._first
        H = self._csc.gram(self._which[places], self._h)
        H *= unit
        H *= unit[:, None]
        H -= np.outer(float(self._h.sum()) * means, means)
        some = penalty.on(among)
        start = some.nearest(x[among])
        new = newton_steps(H, gradient[among] - product(H, x[among]), some, start)
        x[: self._first] -= dot(means, new - x[among])
        x[among] = new
        return x


def _has_corners_alone(bounds: Bounds) -> bool:
    """Whether there is an L1 part for every column, and no bound."""
    l1, _, lower, upper = bounds
    return bool(((l1 > 0) & (l1 < np.inf) & (lower == -np.inf) & (upper == np.inf)).all())
