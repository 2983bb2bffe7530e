"""The cone {d : rows @ d >= 0} of a few rows in memory: which of them a direction in it can make positive.

By Tucker's theorem the rows fall into two parts. Some d of the cone is positive on all rows of the first part and zero
on the second; and the second part balances: lambda' rows = 0 for some positive lambda, so that no d of the cone is
other than zero there. Both are looked for, and an answer is given only where both are found.

A few steps of a logistic fit guess the parts, or else an interior point (`interior`). Rows which seem to lie on the
boundary may be apart by less than these can see. They are taken as the unit of measure, by a singular value
decomposition of their own, and the guess is made again, until the parts are proved. Where it tells none from the
others, the unit is the directions of all rows (`units`).

That rows balance is proved by the gradient of the fit, sum_i lambda_i rows_i with lambda = sigmoid(-margin), or by the
multipliers of the interior point. Regress 1 on the rows with weights lambda: where all fitted values are below 1, the
lambda_i (1 - fitted_i) are positive and balance the rows exactly.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from ..arrays import Array, Mask
from ..exceptions import EvenOddsError
from ..solvers.metrics import Cholesky
from .balance import ROUGH, SINGLE
from .interior import parts_of
from .sides import EXACT
from .units import ROOMY, decomposed, evenly, in_units_of, noise_of, normalised, rounding, spectrum, whitening

_CLEAR = 1e-3  # a margin of a guess that is certainly positive
_BEYOND = 100  # times what is rounding
_NEAREST = 1e-9  # what rounding leaves of an angle, times weights
_ROOM = 1e-3  # beside a length of 1, what rounding may add up to in a proof
_ATTEMPTS = 4  # one unit of measure after another
_STEPS = 30  # of a fit that most rows that balance need less of
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
    face = None if guess is None else _proved(unique, unique @ guess <= _CLEAR, guess, exact)
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
    face = _fitted_face(rows, in_units_of(rows, every, exact), exact) if len(rows) else None
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
    near = np.ones(len(rows), dtype=bool)
    for attempt in range(_ATTEMPTS):
        alike = attempt > 0 and near.all()  # nothing was told apart
        view = evenly(rows, exact) if alike else in_units_of(rows, near, exact)
        basis, seen = view[:2]
        face = None if attempt else _fitted_face(rows, view, exact)
        if face is not None:
            return face
        parts = parts_of(seen)
        near = parts.near
        if near.all() and _are_balanced_by(rows, basis, parts.weight, exact):
            return _none(rows, exact)
        guess = basis @ parts.direction
        face = _proved(rows, near, guess, exact) or _proved(rows, _narrowed(rows, near, exact), guess, exact)
        if face is not None:
            return face
    raise Undecided(
        "Whether the classes are separated cannot be told: rows of both are closer to one another than the numbers "
        "are exact. Round the columns to the digits that mean something, or drop columns that nearly repeat others."
    )


def _narrowed(rows: Array, near: Mask, exact: float) -> Mask:
    """Of rows that are near those that still are among themselves: others hide them where a cone is narrow."""
    narrowed = near.copy()
    if near.any():
        narrowed[near] = parts_of(normalised(decomposed(rows[near], exact)[0])).near
    return narrowed


def _fitted_face(rows: Array, view: tuple[Array, Array, float], exact: float) -> Face | None:
    """The face, if a fit of the rows in a basis shows it."""
    basis, seen, noise = view
    fit = fitted(seen, noise, alert=True)
    if fit.guess is not None:
        face = _proved(rows, seen @ fit.guess <= _CLEAR, basis @ fit.guess, exact)
        if face is not None:
            return face
    return _none(rows, exact) if fit.balanced else None


def _none(rows: Array, exact: float) -> Face:
    """The face of rows that balance."""
    null = spectrum(rows, exact)[2]
    return Face(np.zeros(rows.shape[1]), np.zeros(len(rows), dtype=bool), null, null)


def _balance(rows: Array, seen: Array, basis: Array, noise: float, exact: float) -> bool:
    """Whether rows, seen so in a basis, are proved to balance: by a fit, or at the end of the path."""
    if fitted(seen, noise).balanced:
        return True
    return _are_balanced_by(rows, basis, parts_of(normalised(seen)).weight, exact)


def _are_balanced_by(rows: Array, basis: Array, weight: Array, exact: float) -> bool:
    """Whether rows of size 1, seen in a basis and normalised, are balanced by the weights, once these are corrected.

    And would be if each entry of the rows moved by `exact`. 1 is regressed on the weighted rows, which makes the
    correction the least beside each weight. Rows that move by E move the fitted values by (weighted rows)^+' E' weight,
    to first order.
    """
    seen = rows @ basis
    weight = weight / np.abs(seen).max(axis=1)
    Q, R = scipy.linalg.qr(seen * weight[:, None], mode="economic", check_finite=False)
    if not np.abs(R.diagonal()).min(initial=np.inf) > 0:
        return False
    values = Q @ Q.sum(axis=0)
    with np.errstate(all="ignore"):
        inverse = scipy.linalg.solve_triangular(R, Q.T, check_finite=False)
        moved = exact * np.abs(basis @ inverse).sum(axis=0) * weight.sum()
    return bool((values + moved < 0.9).all())


def _proved(rows: Array, near: Mask, guess: Array, exact: float) -> Face | None:
    """The face with the rows `near` on the boundary and the others off it, if it is one."""
    if near.all():
        return None
    left, size, right, null = decomposed(rows[near], exact)
    if null.shape[1] == 0:
        return None
    if near.any() and not _balance(rows[near], left, right.T / size, noise_of(size, exact), exact):
        return None
    spanned = np.linalg.norm(rows @ null, axis=1) <= noise_of(size, exact)  # what is in the span of the near is near
    for on in (near, near | spanned):
        if (on & ~near).any():  # which can have digits of the null space that the near have not
            _, size, right, null = decomposed(rows[on], exact)
        # What the null space has of rounding, as each row sees it.
        blur = rounding(len(null)) * size[:1].sum() * np.linalg.norm((rows @ right.T) / size, axis=1)
        off = rows[~on]
        change, seen_there = whitening(off @ null, exact)
        basis = null @ change
        direction = _positive(rows, on, null @ (null.T @ guess), blur)
        if direction is None and seen_there.any():
            inward = basis[:, seen_there]
            direction = _positive(rows, on, inward @ parts_of(normalised(off @ inward)).direction, blur)
        if direction is not None and direction.any():
            return Face(direction, ~on, null, basis)
    return None


def _positive(rows: Array, near: Mask, whole: Array, blur: Array) -> Array | None:
    """A direction that is zero on the rows that are near, if it is positive on the others.

    Zeros that rounding hides are made zeros, if that is right.

    blur : (m,) what each row sees of the rounding in a direction of length 1
    """
    for least in (1e-9, 1e-12, 0.0):
        direction = np.where(np.abs(whole) > least * np.abs(whole).max(), whole, 0.0)
        margins, room = rows @ direction, rounding(rows.shape[1]) * (np.abs(rows) @ np.abs(direction))
        room += blur * np.linalg.norm(direction)
        if (margins[~near] > room[~near]).all():
            return direction
    return None


@dataclass(frozen=True, slots=True)
class Fit:
    """How a logistic fit ended.

    balanced : with the proof that the rows, of full column rank, balance
    guess : or at the sight of rows that are separated, by this direction; None if there were none
    """

    direction: Array
    balanced: bool = False
    guess: Array | None = None


def fitted(rows: Array, exact: float = EXACT, *, alert: bool = False) -> Fit:
    """A logistic fit by Newton's method, until it shows something.

    alert : end where it seems that some rows are separated. Far out, where the loss of a row is exp(-margin), a step
        moves these by 1 or more, and the others no longer.
    """
    d = np.zeros(rows.shape[1])
    single = rows.astype(np.float32) if d.size >= SINGLE else None
    for _ in range(_STEPS):
        margins = rows @ d
        if margins.min(initial=np.inf) > _CLEAR:
            return Fit(d, guess=d)
        wrong, right = expit(-margins), expit(margins)
        step = None if single is None else _rough_step(rows, single, wrong, right)
        if step is None:
            single, step = None, _newton_step(rows, wrong, right)
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
    products, k = _products(rows, weight), rows.shape[1]
    factor, largest = Cholesky(products), float(products.diagonal().max(initial=0.0))
    least, needed = factor.least() * largest, 100 * exact * float(weight.sum())
    if least > max(ROOMY * largest, needed):
        return bool((rows @ factor.solve(weight @ rows) < 0.9).all())
    if np.sqrt(k) * least + k * EXACT * largest < needed:  # what the least eigenvalue is at most
        return False
    root = np.sqrt(weight)
    Q, R = scipy.linalg.qr(rows * root[:, None], mode="economic", check_finite=False)
    if not (Q @ (Q.T @ root) < 0.9 * root).all():
        return False
    least = scipy.linalg.svdvals(R, check_finite=False)[-1]  # the diagonal of R can hide it
    return bool(least**2 > needed)


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
