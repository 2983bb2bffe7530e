"""What a fit should have found, in long double, for every smooth or penalised objective of the library.

The objective is stated once more, of K classes with scores z_ik = offset_ik + b_k + x_i w_k:

    F(b, W) = sum_i s_i [ log sum_k exp(z_ik) - z_i,y(i) ] + sum_kj [ l1_j |w_kj| + l2_j w_kj^2 / 2 ]

within bounds on w. Two classes have one score, that of the second; of more, without any penalty, the first has none.
Firth's penalty, less half the logarithm of the determinant of the information, is another term. The weights are scaled
so that they sum to the number of rows where they sum to less: `error`, the square root of 2 (F - min F), then is a
distance in standard errors that a multiple of all weights does not change.

F at the library's own point less F at any other point is how far the library is from the optimum *at least*. So what
accuses is an inequality between two numbers of long double, whatever the search did that found the other point.
"""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from . import Problem
from ._long_double import cholesky, orthogonal, substitute, wide

_EPS = float(np.finfo(float).eps)
_WORK = 2e7  # products of long doubles that a Hessian may take: beyond, they are doubles


@dataclass(frozen=True)
class Question:
    """The objective of a problem.

    X : (n, p) long double, rows with a weight only; y : (n,) numbers of classes; s : (n,); offset : (n, K)
    l1, l2, lower, upper : (p,), of raw coefficients; free : the classes that have coefficients
    center, scale : (p,); firth : the strength of Firth's penalty; unit : the factor on weights
    """

    X: np.ndarray
    y: np.ndarray
    s: np.ndarray
    offset: np.ndarray
    l1: np.ndarray
    l2: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    free: np.ndarray
    intercept: bool
    center: np.ndarray
    scale: np.ndarray
    firth: np.longdouble
    unit: np.longdouble

    @classmethod
    def of(cls, problem: Problem) -> "Question":
        """From what a user gives."""
        given = problem.settings
        classes, y = np.unique(np.asarray(problem.y), return_inverse=True)
        X = np.asarray(problem.dense(), wide)
        n, K = len(X), classes.size
        s = np.ones(n, wide) if problem.sample_weight is None else np.asarray(problem.sample_weight, wide)
        offset = np.zeros((n, K), wide)
        if problem.offset is not None:
            offset[:, 1 - (K > 2) :] = np.asarray(problem.offset, wide).reshape(n, -1)
        keep = s > 0
        X, y, s, offset = X[keep], y[keep], s[keep], offset[keep]
        intercept = given.get("fit_intercept", True)
        center = s @ X / s.sum() if intercept else np.zeros(X.shape[1], wide)
        deviation = np.sqrt(s @ (X - center) ** 2 / s.sum())
        flat = deviation <= 1e-15 * np.abs(X).max(axis=0)
        scale = np.where(flat, 1, deviation)
        # weights as numbers of rows, where they are less than that
        unit = max(wide(1), len(X) / s.sum())
        unit_of_penalty = unit / wide(given.get("C", np.inf))
        pull = unit_of_penalty * np.broadcast_to(np.asarray(given.get("penalty_factor", 1.0), wide), X.shape[1])
        about_mean = np.sqrt(s @ (X - s @ X / s.sum()) ** 2 / s.sum())
        unit_of_column = np.where(about_mean > 1e-14 * scale, about_mean, scale)
        size = unit_of_column if given.get("standardize") else np.ones_like(scale)
        ratio = wide(given.get("l1_ratio", 0.0))
        lower, upper = (
            np.broadcast_to(np.asarray(given.get(name, end), wide), X.shape[1])
            for name, end in (("lower", -np.inf), ("upper", np.inf))
        )
        plain = not pull.any() and not {"lower", "upper", "penalty_factor"} & set(given)
        free = np.arange(int(K == 2 or plain), K)
        l1, l2 = pull * ratio * size, pull * (1 - ratio) * size**2
        l2 = np.where(pull > 0, l2, problem.facts.get("held", 0) * s.sum() * unit * scale**2)
        firth = unit if given.get("firth") else wide(0)
        return cls(X, y, s * unit, offset, l1, l2, lower, upper, free, intercept, center, scale, firth, unit)

    @property
    def smooth(self) -> bool:
        """Whether neither an L1 part nor a bound is there."""
        return not self.l1.any() and not np.isfinite(self.lower).any() and not np.isfinite(self.upper).any()

    def theta(self, intercepts, coefs):
        """(classes, 1 + p): raw coefficients to those of centred and scaled columns, the intercept's first."""
        b, W = np.asarray(intercepts, wide), np.asarray(coefs, wide)
        if len(b) == len(self.free) + 1 > 2:  # a baseline
            b, W = b[1:] - b[0], W[1:] - W[0]
        return np.column_stack([b + W @ self.center, W * self.scale])

    def design(self):
        """(n, 1 + p)."""
        ones = np.full(len(self.X), wide(self.intercept))
        return np.column_stack([ones, (self.X - self.center) / self.scale])

    def parts(self):
        """The penalty and the box of theta, each (1 + p,), and which entries there are."""
        zero, end = wide(0), wide(np.inf)
        join = np.concatenate
        return SimpleNamespace(
            l1=join([[zero], self.l1 / self.scale]),
            l2=join([[zero], self.l2 / self.scale**2]),
            lower=join([[-end], self.lower * self.scale]),
            upper=join([[end], self.upper * self.scale]),
            there=join([[self.intercept], np.ones(len(self.scale), bool)]),
        )


class Objective:
    """F in the coordinates of theta, with the rows prepared."""

    def __init__(self, question: Question) -> None:
        self.q, self.D, self.part = question, question.design(), question.parts()
        self.copies = len(question.free)
        self.shape = (self.copies, self.D.shape[1])
        self.near, self.scores = np.zeros(self.shape, wide), question.offset

    def stay_near(self, theta) -> None:
        """Sum scores from those at a point: what they have lost there is the same for all points and in no difference.

        Of scores of 1e6 a long double has 13 decimals, and with weights of 1e17 that is far more than what is judged.
        """
        self.near, self.scores = theta, self.q.offset.copy()
        self.scores[:, self.q.free] += self.D @ theta.T

    def raw_weights(self):
        """The weights as they were given."""
        return self.q.s / self.q.unit

    def losses(self, theta):
        """The loss of each row, and the probabilities of all classes, small ones exact: (n,) and (n, K)."""
        q, n = self.q, len(self.D)
        z = self.scores.copy()
        z[:, q.free] += self.D @ (theta - self.near).T
        own = np.arange(n), q.y
        beside = z - z[own][:, None]
        beside[own] = -np.inf
        most = np.maximum(beside.max(axis=1), 0)
        shifted = np.exp(beside - most[:, None]).sum(axis=1)
        loss = np.where(most == 0, np.log1p(shifted), most + np.log(np.exp(-most) + shifted))
        beside[own] = 0
        return loss, np.exp(beside - loss[:, None])

    def value(self, theta) -> np.longdouble:
        """F."""
        loss, P = self.losses(theta)
        pen = (self.part.l1 * np.abs(theta) + self.part.l2 * theta**2 / 2)[:, self.part.there]
        value = self.q.s @ loss + pen.sum()
        return value + self._jeffreys(P)[0] if self.q.firth else value

    def _jeffreys(self, P):
        """Of two classes, -log det(information) / 2 and its gradient by theta."""
        D = self.D[:, self.part.there]
        root = np.sqrt(self.q.s * P[:, 0] * P[:, 1])[:, None] * D
        Q, diagonal = orthogonal(root)
        leverage = np.square(Q).sum(axis=1)
        gradient = np.zeros(self.D.shape[1], wide)
        gradient[self.part.there] = -(leverage * (P[:, 0] - P[:, 1]) / 2) @ D
        return -self.q.firth * np.log(diagonal).sum(), self.q.firth * gradient

    def noise(self, theta) -> float:
        """What rounding leaves in F: log det has few digits where a column is nearly a combination of others."""
        _, P = self.losses(theta)
        root = np.sqrt(self.q.s * P[:, 0] * P[:, -1])[:, None] * self.D[:, self.part.there]
        lost = self.q.firth and (np.sqrt(np.square(root).sum(axis=0)) / orthogonal(root)[1]).sum()
        return 5e-18 * abs(float(self.value(theta))) + float(self.q.firth * lost * len(self.D) * np.finfo(wide).eps)

    def derivatives(self, theta):
        """Gradient and Hessian of F without its L1 part."""
        q, (K, k) = self.q, self.shape
        _, P = self.losses(theta)
        rest = np.stack([np.delete(P, a, axis=1).sum(axis=1) for a in range(P.shape[1])], axis=1)  # 1 - P, exact
        residual = np.where(np.arange(P.shape[1]) == q.y[:, None], -rest, P)[:, q.free]
        P, rest = P[:, q.free], rest[:, q.free]
        gradient = (residual * q.s[:, None]).T @ self.D + self.part.l2 * theta
        if q.firth:
            gradient += self._jeffreys(np.column_stack([rest, P]))[1]
        kind = wide if len(self.D) * (K * k) ** 2 < _WORK else float
        H = np.zeros((K, k, K, k), wide)
        D = self.D.astype(kind)
        for a in range(K):
            for b in range(a + 1):
                h = P[:, a] * (rest[:, a] if a == b else -P[:, b]) * q.s
                H[a, :, b] = H[b, :, a] = (D * h.astype(kind)[:, None]).T @ D
            H[a, np.arange(k), a, np.arange(k)] += self.part.l2
        return gradient, H.reshape(K * k, K * k)


@dataclass(frozen=True)
class Optimum:
    """The best point found: F, theta, and the Newton decrement there (twice what a quadratic would still fall)."""

    value: np.longdouble
    theta: np.ndarray
    decrement: float


@np.errstate(all="ignore")
def minimise(objective: Objective, start, steps: int = 100) -> Optimum:
    """A better point than the start, and the optimum where all goes well: proximal Newton steps with damping."""
    theta, best, damping, decrement = start, objective.value(start), wide(1e-18), np.inf
    for _ in range(steps):
        gradient, H = objective.derivatives(theta)
        target = _target(objective, theta, gradient, H, damping)
        move = target - theta
        part = objective.part
        pull = (part.l1 * (np.abs(target) - np.abs(theta))).sum()
        promised = -((gradient * move).sum() + pull)  # to first order; of a Newton step the decrement
        decrement = min(decrement, 1e300) if not np.isfinite(promised) else float(promised)
        if decrement <= max(1e-20, 1e-18 * best):
            break
        theta, best, t = _along(objective, theta, move, best, promised)
        damping = max(damping / 100, wide(1e-18)) if t == 1 else damping * 1000 if t == 0 else damping
        if damping > 1e3:
            break
    return Optimum(best, theta, decrement)


def _along(objective, theta, move, best, promised):
    """The first point of a segment that is lower; a far step is cut to what scores can bear."""
    far = np.abs(objective.D @ move.T).max(initial=0)
    reach = 20 + np.abs(objective.D @ theta.T).max(initial=0)
    t = first = min(wide(1), reach / far) if far > 0 else wide(1)
    for _ in range(70):
        new = theta + t * move
        value = objective.value(new)
        if value <= best - 1e-4 * t * promised or (t == first == 1 and value <= best):
            return new, value, t / first
        t /= 2
    return theta, best, wide(0)


def _target(objective, theta, gradient, H, damping):
    """The minimiser of the quadratic model with the penalty: Newton steps from kink to kink, and sweeps."""
    l1, lower, upper, there = (
        np.broadcast_to(getattr(objective.part, name), theta.shape).ravel()
        for name in ("l1", "lower", "upper", "there")
    )
    x, r = theta.ravel().copy(), gradient.ravel().copy()
    A = H + damping * np.diag(np.diag(H))
    A[~there, ~there] = 1
    curved = np.diag(A).copy()
    for _ in range(40):
        for _ in range(len(x)):
            free = there & (x > lower) & (x < upper) & ((l1 == 0) | (x != 0))
            if not _to_kink(x, r, A, l1, lower, upper, np.flatnonzero(free)):
                break
        if not (l1.any() or np.isfinite(lower).any() or np.isfinite(upper).any()):
            break
        moved = wide(0)
        for _ in range(3):
            for j in np.flatnonzero(there & (curved > 0)):
                goal = x[j] - r[j] / curved[j]
                goal = np.sign(goal) * max(abs(goal) - l1[j] / curved[j], 0)
                change = min(max(goal, lower[j]), upper[j]) - x[j]
                if change:
                    moved = max(moved, change * change * curved[j])
                    x[j] += change
                    r += A[:, j] * change
        if moved <= 1e-26:
            break
    return x.reshape(theta.shape)


def _to_kink(x, r, A, l1, lower, upper, free) -> bool:
    """A Newton step in the free coefficients, in place, up to where the first of them reaches 0 or a bound."""
    if not free.size:
        return False
    step = -_solve(A[np.ix_(free, free)], r[free] + l1[free] * np.sign(x[free]))
    ends = np.where(step > 0, upper[free], lower[free])
    ends = np.where((l1[free] > 0) & (x[free] * step < 0) & (np.sign(ends) != np.sign(x[free])), 0, ends)
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(step == 0, np.inf, (ends - x[free]) / step)
    first = int(room.argmin())
    t = min(wide(1), room[first])
    x[free] += t * step
    if t < 1:
        x[free[first]] = ends[first]
    r += A[:, free] @ (t * step)
    return bool(t < 1)


def _solve(H, g):
    """H^-1 g in units of the diagonal, with what more of it is needed to make H positive definite."""
    size = np.sqrt(np.maximum(np.diag(H), np.finfo(wide).tiny))
    A, more = H / size / size[:, None], wide(0)
    while (L := cholesky(A + more * np.eye(len(A), dtype=wide))) is None:
        more = max(100 * more, wide(1e-19))
    return substitute(L, g / size) / size


def error(problem: Problem, model) -> tuple[float, float]:
    """How far a fit is from the optimum at least, in standard errors, and what rounding its coefficients may cost.

    Columns that the fit calls aliased are left out, as they are combinations of others: `check_aliased`.
    """
    objective, intercepts, coefs = _without_aliased(problem, model)
    slopes, question = np.asarray(coefs, wide), objective.q
    assert not ((slopes < question.lower) | (slopes > question.upper)).any(), "a coefficient is outside of its bounds"
    theta = _level(objective, question.theta(intercepts, coefs))
    objective.stay_near(theta)
    there, box = objective.value(theta), (objective.part.lower, objective.part.upper)
    ends = (minimise(objective, np.clip(start, *box)).theta for start in (theta, 0 * theta))
    lowest = min(objective.value(_level(objective, end)) for end in ends)
    allowed = rounding(objective, intercepts, coefs, theta) + np.sqrt(2 * objective.noise(theta))
    return float(np.sqrt(2 * max(there - lowest, wide(0)))), allowed


def _level(objective, theta):
    """The same point with intercepts about 0: what those of all classes share changes nothing but rounding."""
    every = 2 < len(theta) == objective.q.offset.shape[1]
    return theta - every * theta[:, :1].mean() * (np.arange(theta.shape[1]) == 0)


def apart(problem: Problem, model, intercepts, coefs) -> tuple[float, float]:
    """How far F at a model and at other coefficients (K or 1, p) differ, as errors, and what rounding may cost."""
    objective, *mine = _without_aliased(problem, model)
    kept = np.flatnonzero(~_aliased(problem, model))
    points = [objective.q.theta(*mine), objective.q.theta(intercepts, np.asarray(coefs)[:, kept])]
    objective.stay_near(points[0])
    a, b = map(objective.value, points)
    allowed = 2 * rounding(objective, *mine, points[0]) + np.sqrt(2 * objective.noise(points[0]))
    return float(np.sqrt(2 * abs(a - b))), allowed


def _without_aliased(problem, model):
    """The objective, the intercepts and the coefficients of the columns that a fit has kept."""
    left_out = _aliased(problem, model)
    question = Question.of(problem.columns(np.flatnonzero(~left_out)) if left_out.any() else problem)
    return Objective(question), model.intercept_, model.coef_[:, ~left_out]


def _aliased(problem, model):
    """Which columns the fit has left out; an error if one is no combination of the others, within 1e-6 of its size."""
    names = list(getattr(model, "feature_names_in_", range(model.n_features_in_)))
    left_out = np.isin(np.arange(len(names)), [names.index(name) for name in model.aliased_])
    if left_out.any():
        assert not model.coef_[:, left_out].any(), "an aliased column has a coefficient"
        require_combinations(problem, left_out)
    return left_out


def require_combinations(problem: Problem, left_out) -> None:
    """An error if a column is left out that is no combination of the others, within 1e-6 of its size."""
    question = Question.of(problem)
    D = question.design().astype(float) * np.sqrt(question.s / question.s.max()).astype(float)[:, None]
    D /= np.maximum(np.sqrt(np.square(D).sum(axis=0)), 1e-300)
    kept = D[:, np.concatenate([[question.intercept], ~left_out])]
    for column in D[:, 1:][:, left_out].T:
        rest = column - kept @ np.linalg.lstsq(kept, column, rcond=1e-15)[0] if kept.size else column
        assert np.sqrt(np.square(rest).sum()) < 1e-6, "a column is called aliased that is no combination of others"


def rounding(objective, intercepts, coefs, theta) -> float:
    """What half a unit in the last place of each raw coefficient may cost, in standard errors."""
    _, P = objective.losses(theta)
    h = (P * (1 - P)).sum(axis=1) * objective.q.s
    root = np.sqrt(h @ objective.q.X**2)
    b, W = np.abs(np.asarray(intercepts, wide)), np.abs(np.asarray(coefs, wide))
    return float(4 * _EPS * (b.sum() * np.sqrt(h.sum()) + (W @ root).sum()))


def least(problem: Problem) -> float:
    """The least mean loss."""
    objective = Objective(Question.of(problem))
    start = np.clip(np.zeros(objective.shape, wide), objective.part.lower, objective.part.upper)
    return float(minimise(objective, start).value / objective.q.s.sum())


def excess(problem: Problem, intercepts, coefs) -> tuple[float, float]:
    """How far the mean loss with its penalty is above its least at the least, and what rounding may cost."""
    objective = Objective(Question.of(problem))
    b, W = np.atleast_1d(intercepts), np.atleast_2d(coefs)
    theta = objective.q.theta(b, W)
    there, box = objective.value(theta), (objective.part.lower, objective.part.upper)
    lowest = min(minimise(objective, np.clip(start, *box)).value for start in (theta, 0 * theta))
    total = objective.q.s.sum()
    allowed = rounding(objective, b, W, theta) ** 2 + 1e-15 * abs(float(there))
    return float((there - lowest) / total), allowed / float(total)
