"""The least of a quadratic with the penalty of an elastic net: what each step of proximal Newton solves.

    min_x  c'x + x'Hx / 2 + Omega(x)

Small ones are solved by projected Newton steps on the coefficients that are free to move (Bertsekas, SIAM J. Control
Optim. 20, 1982, with the signs as bounds: Andrew and Gao, ICML 2007), or along one face of them at a time (Lee, Battle,
Raina and Ng, NIPS 2006, algorithm 1): plain NumPy, exact once signs and bounds are found. Larger ones by coordinate
descent (Friedman, Hastie and Tibshirani, J. Stat. Softw. 33, 2010, section 2), and by the same steps where
that is slow.
"""

import numpy as np

from ..arrays import Array, Mask, Numbers
from ..kernels.algebra import dot, product
from ..kernels.descent import descend
from .faces import Faces
from .metrics import Cholesky
from .penalty import Penalty

MOST_FACTORED = 2000  # coefficients; a factorisation of more costs as much as many sweeps
_SWEEPS = 500  # and turns of conjugate gradients
_STEPS = 300
_SINGLE = 1e-8  # rounding of H in single precision, of an entry of its diagonal, for each coefficient
_ROUNDING = 1e-15  # in double
_MANY = 1000  # coefficients from which a matrix of those in play pays
_MOST_IN_PLAY = 0.7  # of them
_ROUNDS = 20
_IDLE = 5  # steps in a row that neither the value nor the conditions of optimality gain by
_SWEPT = 60  # coefficients from which coordinate descent comes first
_SWEPT_EXACT = 500  # where every digit counts, or slopes have no penalty: they may be nearly collinear


def minimize_quadratic(
    H: Array,
    c: Array,
    penalty: Penalty,
    x: Array,
    *,
    exact: bool = False,
    accuracy: float = 1e-8,
    intercepts: int = 1,
) -> Array:
    """The minimiser, from a start within the bounds.

    exact : whether digits count more than time: coordinate descent is slow to tell nearly equal columns apart
    accuracy : of coordinate descent: the square of the last changes over that of the first; of Newton's steps: how far
        the conditions of optimality may be from holding, over how far they were
    intercepts : so many without a penalty are no slopes, which may be nearly collinear
    """
    settled = False
    hard = exact or np.count_nonzero((penalty.l1 == 0) & (penalty.l2 == 0)) > intercepts
    if x.size >= (_SWEPT_EXACT if hard else _SWEPT):
        x = x.copy()
        bounds = (penalty.l1, penalty.l2, penalty.lower, penalty.upper)
        settled = descend(np.ascontiguousarray(H), product(H, x) + c, bounds, x, accuracy, _SWEEPS)
    if settled or x.size > MOST_FACTORED:
        return x
    left = accuracy * float(penalty.violation(x, product(H, x) + c).max())
    return newton_steps(H, c, penalty, x, left)


def newton_steps(H: Array, c: Array, penalty: Penalty, x: Array, left: float = 0.0) -> Array:
    """The minimiser by steps that factor H, from a start within the bounds.

    left : how far the conditions of optimality may be from holding
    """
    with np.errstate(over="ignore", invalid="ignore"):  # where H is next to nothing a step may leave the numbers
        if penalty.violation(x, product(H, x) + c).max() <= left:
            return x
        if is_singular(H, penalty):  # what rounding has made of it may have no least value: it is held at x by as much
            held = _ROUNDING * x.size * H.diagonal()
            H, c = H + np.diag(held), c - held * x
        return (_in_play if x.size >= _MANY else _newton)(H, c, penalty, x, left)


def is_singular(H: Array, penalty: Penalty) -> bool:
    """Whether H with the ridge of the penalty is, to rounding: of the numbers of its type."""
    ridged = H + np.diag(penalty.l2.astype(H.dtype))
    return Cholesky(ridged).least() <= (0.0 if H.dtype == np.float64 else _SINGLE * len(H))


def _in_play(H: Array, c: Array, penalty: Penalty, x: Array, left: float) -> Array:
    """`_newton` on the coefficients that are not settled at 0 or at a bound, as long as others come into play."""
    some = np.empty(0, np.intp)
    for _ in range(_ROUNDS):
        q = product(H, x) + c
        now = np.flatnonzero(penalty.inside(x) | (penalty.violation(x, q) > 0))
        if np.isin(now, some, assume_unique=True).all() and some.size:
            return x
        some = np.union1d(now, some)
        if some.size > _MOST_IN_PLAY * x.size:
            break
        part, at = H[np.ix_(some, some)], x[some]
        x = x.copy()
        x[some] = _newton(part, q[some] - product(part, at), penalty.on(some), at, left)
    return _newton(H, c, penalty, x, left)


def _newton(H: Array, c: Array, penalty: Penalty, x: Array, left: float) -> Array:
    """Projected Newton steps, or along a face, until the conditions of optimality hold, to `left` or to rounding."""
    size = np.abs(c) + product(np.abs(H), np.abs(x)) + np.where(np.isinf(penalty.l1), 0.0, penalty.l1)
    least = np.maximum(1e-15 * size, max(left, 1e-300))
    q = product(H, x) + c
    violation = penalty.violation(x, q)
    best, worst, idle, late = x, float(violation.max()), 0, 0
    faces, rest, failed = Faces(H + np.diag(penalty.l2)), 0, 0
    for _ in range(_STEPS + 2 * x.size):
        if not (violation > least).any():
            return x
        new = None
        if not idle and not rest:  # a search goes by values: they may be rounding
            new = _search(faces, H, c, q, penalty, x, np.flatnonzero((violation > least) | penalty.inside(x)))
            failed = failed + 1 if new is None else 0
            rest = 2**failed if failed else 0
        if new is None:
            # What is at rest but for rounding, beside the worst, must not keep that waiting.
            wrong = violation > np.maximum(least, 1e-6 * violation.max())
            new = _along_face(faces, q, penalty, x, wrong, int(np.argmax(violation)))
            rest = max(rest - 1, 0)
        value = _value(c, q, penalty, x)
        rounding = 1e-15 * (abs(value) + abs(dot(c, x)))
        x, q = new, product(H, new) + c
        violation = penalty.violation(x, q)
        falls = value - _value(c, q, penalty, x) > rounding
        late = 0 if violation.max() < 0.5 * worst else late + 1
        idle = 0 if falls or late == 0 else idle + 1
        if falls or violation.max() < worst:
            best, worst = x, float(violation.max())
        if idle > _IDLE or late > _IDLE + 2 * x.size:  # what falls for so long has no bottom
            break
    return best


def _search(faces: Faces, H: Array, c: Array, q: Array, penalty: Penalty, x: Array, free: Numbers) -> Array | None:
    """A Newton step of the free coefficients, each held on its side of 0; None if it is far too long."""
    step, low, high = _newton_step(faces, q, penalty, x, free)
    value = _value(c, q, penalty, x)
    rounding = 1e-15 * (abs(value) + abs(dot(c, x)))
    for t in (1.0, 0.5, 0.25):
        new = x.copy()
        new[free] = np.clip(x[free] + t * step, low, high)
        if (new == x).all():  # every coefficient would leave 0 on the wrong side
            return None
        if _value(c, product(H, new) + c, penalty, new) < value + (rounding if t == 1.0 else 0.0):
            return new
    return None


def _along_face(faces: Faces, q: Array, penalty: Penalty, x: Array, wrong: Mask, worst: int) -> Array:
    """A Newton step that stops where the first coefficient comes to 0 or to a bound: the value falls.

    Of the coefficients inside; where these are at rest, with the one that is furthest from its condition.
    """
    inside = penalty.inside(x)
    if not (wrong & inside).any():
        inside[worst] = True
    free = np.flatnonzero(inside)
    step, low, high = _newton_step(faces, q, penalty, x, free)
    limit = np.where(step > 0, high, low)
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(step == 0, np.inf, (limit - x[free]) / step)
    first = int(np.argmin(room))
    new = x.copy()
    new[free] += min(1.0, float(room[first])) * step
    if room[first] <= 1:
        new[free[first]] = limit[first]
    return new


def _newton_step(faces: Faces, q: Array, penalty: Penalty, x: Array, free: Numbers) -> tuple[Array, Array, Array]:
    """The step of the free coefficients to the least value on their sides of 0, and the ends of those sides."""
    l1, l2, at = penalty.l1[free], penalty.l2[free], x[free]
    slope = q[free] + l2 * at
    side = np.where(at != 0, np.sign(at), -np.sign(slope))
    low = np.where((l1 > 0) & (side > 0), np.maximum(penalty.lower[free], 0.0), penalty.lower[free])
    high = np.where((l1 > 0) & (side < 0), np.minimum(penalty.upper[free], 0.0), penalty.upper[free])
    return faces.solve(free, -(slope + l1 * side)), low, high


def _value(c: Array, q: Array, penalty: Penalty, x: Array) -> float:
    """The function; q = H x + c."""
    return 0.5 * dot(x, q + c) + penalty.value(x)
