"""The cone {d : rows @ d >= 0} of a few rows in memory: which of them a direction in it can make positive.

By Tucker's theorem the rows fall into two parts. Some d of the cone is positive on all rows of the first part and zero
on the second; and the second part balances: lambda' rows = 0 for some positive lambda, so that no d of the cone is
other than zero there. Both are looked for, and an answer is given only where both are found.

A linear programme (HiGHS) guesses the parts. Its tolerance is far above rounding, so that rows which seem to lie on
the boundary may be apart by less. These are taken as the unit of measure, by a singular value decomposition of their
own, and the programme is asked again, until the parts are proved. Where it tells none from the others, the unit is
the directions of all rows (`units`). Least squares take the place of a programme that fails.

That rows balance is proved by a logistic fit, whose gradient is sum_i lambda_i rows_i with lambda = sigmoid(-margin).
Regress 1 on the rows with weights lambda: where all fitted values are below 1, the lambda_i (1 - fitted_i) are positive
and balance the rows exactly.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from ..arrays import Array, Mask, Matrix
from ..exceptions import EvenOddsError
from ..solvers.metrics import Cholesky
from .balance import ROUGH, SINGLE
from .sides import EXACT
from .units import ROOMY, decomposed, evenly, in_units_of, noise_of, normalised, rounding, spectrum, whitening

_CLEAR = 1e-3  # a margin above it is beyond the tolerance of the programme, 1e-7
_BEYOND = 100  # times what is rounding
_NEAREST = 1e-9  # what rounding leaves of an angle, times weights
_ROOM = 1e-3  # beside a length of 1, what rounding may add up to in a proof
_BOX = 1e4  # the largest entry of a direction in the programme
_SMALL = (1e-3, 1e-3, 1.0, 1.0, 30.0, 1e-1)  # up to which a margin is small, one attempt after another
_QUICK = 30  # steps of a fit that most rows that balance need less of
_PATIENT = 60  # classes that overlap by 1e-14 only have a fit with margins of 35, about a step each
_MOVED = 0.1  # the move from which a row is certainly on its way out: some that others draw along are slow
_SHORT = 3.0  # the move of a margin from which a fit is too far from its end for the proof to be tried


class Undecided(EvenOddsError):
    """Rounding leaves no certain answer."""


@dataclass(frozen=True, slots=True)
class Face:
    """A direction of the cone that is positive on as many rows as any can be.

    direction : (k,) zero if none is
    strict : (m,) the rows on which it is positive
    null : (k, q) orthonormal, the directions that are zero on all other rows; the cone lies in their span
    basis : (k, q) of the same span, in which the cone is not narrow
    """

    direction: Array
    strict: Mask
    null: Array
    basis: Array


def support(rows: Array, exact: float = EXACT, guess: Array | None = None) -> Face:
    """The face of the rows, each of which may be repeated.

    exact : the share of a row's size below which its entries are rounding
    guess : a direction that may be that of the face

    Raises
    ------
    Undecided
    """
    strict = np.asarray(rows.any(axis=1))
    unique, inverse = _unique(normalised(rows[strict]))
    if len(unique) == 0:
        free = np.eye(rows.shape[1])
        return Face(np.zeros(rows.shape[1]), strict, free, free)
    face = None if guess is None else _proved(unique, unique @ guess <= _CLEAR, guess, exact, programme=False)
    face = face or _support(unique, exact)
    strict[strict] = face.strict[inverse]
    return Face(face.direction, strict, face.null, face.basis)


def _unique(rows: Array) -> tuple[Array, NDArray[np.intp]]:
    """The different rows, as they come, and the place of each row among them."""
    rows = rows + 0.0  # a zero has one sign
    places: dict[bytes, int] = {}
    inverse = np.array([places.setdefault(row.tobytes(), len(places)) for row in rows], dtype=np.intp)
    return rows[np.unique(inverse, return_index=True)[1]], inverse


def span_of(rows: Array, exact: float = EXACT) -> Array:
    """Orthonormal directions (k, q) that span a space which the cone lies in: all, where no quick fit shows less."""
    rows = normalised(rows[rows.any(axis=1)])
    every = np.ones(len(rows), dtype=bool)
    face = _fitted_face(rows, in_units_of(rows, every, exact), exact, programme=False) if len(rows) else None
    return np.eye(rows.shape[1]) if face is None else face.null


def reach(rows: Array, aim: Array, inside: Array, exact: float) -> Array | None:
    """A d of the cone that `aim`, of length 1, is positive on; zero if it is proved that none is, None if unknown.

    What non-negative multiples of the rows leave of -aim is zero, or makes such a d (Farkas): all rows are positive on
    its negative, or zero. Least squares with non-negative weights (Lawson and Hanson, 1974) say which.

    inside : a direction that is positive on all rows, and negative on the aim
    """
    weight = _multiples(rows, -aim)
    if weight is None:
        return None
    left = _left(rows[weight > 0], aim)
    value, back = float(aim @ left), -float(aim @ inside)
    d = left + 0.5 * value / max(back, value) * inside
    if _is_beyond(np.vstack([rows, aim]), d, exact):
        return d
    size, sums = np.linalg.norm(left), 1 + weight.sum()
    is_way = (rows @ left).min() > -_CLEAR * np.abs(left).max() and size > rounding(aim.size) * sums
    room = _BEYOND * exact * sums
    return None if is_way or not size < room < _ROOM else np.zeros_like(aim)


def _left(rows: Array, v: Array) -> Array:
    """What a vector has that is orthogonal to the rows."""
    basis = scipy.linalg.qr(rows.T, mode="economic", check_finite=False)[0]
    for _ in range(2):  # so that it is exact beside itself, however little it is
        v = v - basis @ (basis.T @ v)
    return v


def _multiples(rows: Array, target: Array) -> Array | None:
    """The non-negative multiples of rows whose sum is nearest to a target of length 1; None if they are not found.

    What is left is orthogonal to the rows that are used, and to no row at an acute angle. That is looked at, as SciPy's
    `nnls` can turn in circles, or end with weights that are no such thing.
    """
    from scipy.optimize import lsq_linear, nnls

    ways: list[Callable[[], Any]] = [
        lambda: nnls(rows.T, target)[0],
        lambda: lsq_linear(rows.T, target, (0, np.inf), "bvls", 1e-15).x,
    ]
    for solve in ways:
        with contextlib.suppress(RuntimeError):
            weight = np.maximum(solve(), 0.0)
            left = target - rows.T @ weight
            pull, room = rows @ left, _NEAREST * (1 + weight.sum())
            if pull.max(initial=0.0) <= room and np.abs(pull[weight > 0]).max(initial=0.0) <= room:
                return np.asarray(weight)
    return None


def _is_beyond(rows: Array, d: Array, exact: float) -> bool:
    """Whether all rows are positive, and clear of rounding."""
    return bool((rows @ d).min() > _BEYOND * exact * np.abs(d).sum())


def _support(rows: Array, exact: float) -> Face:
    units = np.ones(len(rows), dtype=bool)
    for attempt, small in enumerate(_SMALL):
        alike = attempt > 0 and units.all()  # nothing was told apart
        basis, seen, noise = view = evenly(rows, exact) if alike else in_units_of(rows, units, exact)
        face = _fitted_face(rows, view, exact, again=attempt > 0)
        if face is not None:
            return face
        guess, weight = _widest(seen)
        near = seen @ guess <= _CLEAR
        if near.all() and _proves_balance(seen, weight, noise):
            return _none(rows, exact)
        for inward in (False, True):
            inside = _most_inward(seen, near) if inward and not near.all() else guess
            face = _proved(rows, near, basis @ inside, exact)
            if face is not None:
                return face
        units = seen @ guess <= small
    raise Undecided(
        "Whether the classes are separated cannot be told: rows of both are closer to one another than the numbers "
        "are exact. Round the columns to the digits that mean something, or drop columns that nearly repeat others."
    )


def _fitted_face(
    rows: Array, view: tuple[Array, Array, float], exact: float, *, again: bool = False, programme: bool = True
) -> Face | None:
    """The face, if a fit of the rows in a basis shows it."""
    basis, seen, noise = view
    fit = fitted(seen, _PATIENT if again else _QUICK, noise, alert=True, careful=again)
    if fit.guess is not None:
        face = _proved(rows, seen @ fit.guess <= _CLEAR, basis @ fit.guess, exact, programme)
        if face is not None or not programme:
            return face
        fit = fitted(seen, _PATIENT, noise, careful=True)
    return _none(rows, exact) if fit.balanced else None


def _none(rows: Array, exact: float) -> Face:
    """The face of rows that balance."""
    null = spectrum(rows, exact)[2]
    return Face(np.zeros(rows.shape[1]), np.zeros(len(rows), dtype=bool), null, null)


def _balances(rows: Array, exact: float, programme: bool) -> bool:
    """Whether the rows are proved to balance: by a fit, or by the multipliers of the programme."""
    if fitted(rows, _PATIENT, exact).balanced:
        return True
    if not programme:
        return False
    _, even, noise = evenly(rows, exact)
    return any(_proves_balance(seen, _widest(seen)[1], blur) for seen, blur in ((rows, exact), (even, noise)))


def _proved(rows: Array, near: Mask, guess: Array, exact: float, programme: bool = True) -> Face | None:
    """The face with the rows `near` on the boundary and the others off it, if it is one."""
    if near.all():
        return None
    left, size, _, null = decomposed(rows[near], exact)
    if null.shape[1] == 0 or (near.any() and not _balances(left, noise_of(size, exact), programme)):
        return None
    whole = null @ (null.T @ guess)
    for least in (1e-9, 1e-12, 0.0):  # zeros that rounding hides are made zeros, if that is right
        direction = np.where(np.abs(whole) > least * np.abs(whole).max(), whole, 0.0)
        margins, room = rows @ direction, rounding(rows.shape[1]) * (np.abs(rows) @ np.abs(direction))
        if (margins[~near] > room[~near]).all():
            return Face(direction, ~near, null, null @ whitening(rows[~near] @ null, exact)[0])
    return None


def _widest(rows: Array) -> tuple[Array, Array]:
    """A d in the cone that is clearly positive on as many rows as can be; and multipliers of the rows.

    One programme may leave rows out for the sake of others where the cone is narrow, so these are asked for again.
    """
    d = np.zeros(rows.shape[1])
    left = np.ones(len(rows), dtype=bool)
    while True:
        more, weight = _programme(rows, left)
        gained = left & (rows @ more > _CLEAR)
        d, left = d + more, left & ~gained
        if not (gained.any() and left.any()):
            return d, weight


def _programme(rows: Array, wanted: Mask) -> tuple[Array, Array]:
    """A d in the cone, in a box, with the largest sum of min(rows @ d, 1) over the rows that are wanted.

    The multipliers are at least 1 for the rows that cannot be positive.
    """
    k, m = rows.shape[1], np.count_nonzero(wanted)
    reach = sp.eye_array(len(rows), format="csc")[:, wanted]
    d, weight = _solved(
        np.repeat([0.0, -1.0], [k, m]),
        sp.hstack([sp.csr_array(-rows), reach], format="csr"),
        np.repeat([[-_BOX, _BOX], [0.0, 1.0]], [k, m], axis=0),
    )
    return (d[:k], weight) if d.any() or weight.any() else _by_squares(rows, wanted)


def _by_squares(rows: Array, wanted: Mask) -> tuple[Array, Array]:
    """The same, but for the largest sum, by least squares; zeros if they fail.

    The rows that are wanted and non-negative multiples of all rows, at their shortest sum, balance; or the sum is a d
    of the cone that is positive on a row that is wanted.
    """
    once = wanted.astype(float)
    sum_of = once @ rows
    size = float(np.linalg.norm(sum_of))
    more = _multiples(rows, -sum_of / size) if size > 0 else np.zeros_like(once)
    if more is None:
        return np.zeros(rows.shape[1]), np.zeros_like(once)
    d = _left(rows[more > 0], sum_of / (size or 1.0))
    if not np.linalg.norm(d) > rounding(d.size) * (1 + more.sum()):
        return np.zeros_like(d), once + size * more
    return d * (_BOX / np.abs(d).max()), once + size * more


def _most_inward(rows: Array, near: Mask) -> Array:
    """A d in the cone, in a box, with the largest margin on the rows that are not near."""
    k = rows.shape[1]
    d, _ = _solved(
        np.repeat([0.0, -1.0], [k, 1]),
        np.hstack([-rows, ~near[:, None]]),
        np.repeat([[-_BOX, _BOX], [0.0, np.inf]], [k, 1], axis=0),
    )
    return d[:k]


def _solved(cost: Array, matrix: Matrix, bounds: Array) -> tuple[Array, Array]:
    """The x of least cost with matrix @ x <= 0, and the multipliers of that; zeros if the programme fails.

    It has a solution, but may not find it where its numbers differ by many powers of ten. All is proved afterwards.
    """
    from scipy.optimize import linprog

    zeros, most = np.zeros(matrix.shape[0]), {"maxiter": 100 + 10 * sum(matrix.shape)}  # it may turn in circles
    tight = most | {"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9}  # another way round
    for method, options in (("highs", most), ("highs", tight), ("highs-ipm", most)):
        answer = linprog(cost, A_ub=matrix, b_ub=zeros, bounds=bounds, method=method, options=options)
        if answer.status == 0:
            return np.asarray(answer.x), -np.asarray(answer.ineqlin.marginals)
    return np.zeros_like(cost), zeros


@dataclass(frozen=True, slots=True)
class Fit:
    """How a logistic fit ended.

    balanced : with the proof that the rows, of full column rank, balance
    guess : or at the sight of rows that are separated, by this direction; None if there were none
    """

    direction: Array
    balanced: bool = False
    guess: Array | None = None


def fitted(
    rows: Array, steps: int = _QUICK, exact: float = EXACT, *, alert: bool = False, careful: bool = False
) -> Fit:
    """A logistic fit by Newton's method, until it shows something.

    alert : end where it seems that some rows are separated. Far out, where the loss of a row is exp(-margin), a step
        moves these by 1 or more, and the others no longer.
    careful : find steps from the rows themselves, which keeps the digits that their products lose
    """
    d = np.zeros(rows.shape[1])
    single = rows.astype(np.float32) if d.size >= SINGLE and not careful else None
    for _ in range(steps):
        margins = rows @ d
        if margins.min(initial=np.inf) > _CLEAR:
            return Fit(d, guess=d)
        wrong, right = expit(-margins), expit(margins)
        step = None if single is None else _rough_step(rows, single, wrong, right)
        if step is None:
            single, step = None, (_careful_step if careful else _newton_step)(rows, wrong, right)
        moves = rows @ step
        if moves.max(initial=0.0) < _SHORT and _proves_balance(rows, wrong, exact):
            return Fit(d, balanced=True)
        if alert and _parts(moves, wrong):
            return Fit(d, guess=step)
        loss = -float(log_expit(margins).sum())
        while np.abs(step).max() > 1e-12 and -float(log_expit(rows @ (d + step)).sum()) > loss:
            step = step / 2
        d = d + step
    return Fit(d)


def _parts(moves: Array, wrong: Array) -> bool:
    """Whether Newton's step moves some rows, which are classified well, and leaves the others where they are."""
    on = moves > _MOVED
    return bool(on.any() and wrong[on].max() < 0.1 and (np.abs(moves[~on]) < _CLEAR).all())


def _proves_balance(rows: Array, weight: Array, exact: float) -> bool:
    """Whether the weights, corrected, balance the rows; with room for rounding to change the rows by `exact`."""
    if len(rows) < rows.shape[1] or not weight.min() > 1e-290:
        return False
    products = _products(rows, weight)
    factor, largest = Cholesky(products), float(products.diagonal().max(initial=0.0))
    if factor.least() * largest > max(ROOMY * largest, 100 * exact * float(weight.sum())):
        return bool((rows @ factor.solve(weight @ rows) < 0.9).all())
    root = np.sqrt(weight)
    Q, R = scipy.linalg.qr(rows * root[:, None], mode="economic", check_finite=False)
    if not (Q @ (Q.T @ root) < 0.9 * root).all():
        return False
    least = scipy.linalg.svdvals(R, check_finite=False)[-1]  # the diagonal of R can hide it
    return bool(least > 10 * np.sqrt(exact) * np.linalg.norm(root))


def _newton_step(rows: Array, wrong: Array, right: Array) -> Array:
    """Newton's step for the loss sum(-log(right)); with a trace of a ridge, as the curvature may vanish."""
    hessian = _products(rows, wrong * right)
    np.einsum("ii->i", hessian)[:] += 1e-14 * np.trace(hessian) + 1e-300
    return Cholesky(hessian).solve(rows.T @ wrong)


def _rough_step(rows: Array, single: NDArray[np.float32], wrong: Array, right: Array) -> Array | None:
    """The same with a Hessian of rows in single precision, in half the time; None where that loses too much."""
    factor = Cholesky(_products(single, (wrong * right).astype(np.float32)))
    return factor.solve(rows.T @ wrong) if factor.least() > ROUGH else None


def _products(rows: NDArray[Any], weight: NDArray[Any]) -> Array:
    """The sum of the weighted products of the rows: with the same matrix on both sides, half the work."""
    weighted = rows * np.sqrt(weight)[:, None]
    return np.asarray(weighted.T @ weighted)


def _careful_step(rows: Array, wrong: Array, right: Array) -> Array:
    """The same by least squares."""
    root = np.sqrt(wrong * right)
    with np.errstate(divide="ignore", invalid="ignore"):
        target = np.where(root > 0, np.sqrt(wrong / right), 0.0)
    return np.asarray(scipy.linalg.lstsq(rows * root[:, None], target, cond=1e-15, lapack_driver="gelsy")[0])
