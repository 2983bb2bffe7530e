"""The directions in which the likelihood of a home of data rises for ever, and the coefficients they carry to infinity.

These are the d with s_i x_i d >= 0 on all rows and > 0 on some (s = 2y - 1; Albert and Anderson, Biometrika 71, 1984;
Konis, Oxford thesis, 2007). A bound on a coefficient is one more row, which d may not cross; whether d crosses only
bounds does not matter. `cone` finds them for rows in memory. Of many rows it is given a few hundred, and then those
that its answer is wrong about: cutting planes. That a few rows balance proves it for all (`balance`), and what they
leave free is a space that the cone lies in: from then on nothing but that is looked at, and the rows that see it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from ..arrays import Array, Mask, dense
from ..arrow import is_wide
from ..coordinates import Coordinates
from ..data import Block, Sums
from ..data.memory import one_blas_thread
from ..exceptions import EvenOddsError
from ..solvers.metrics import Cholesky
from .cone import Face, fitted
from .home import ON, Home, doubtful_rows
from .pairs import span_of_pairs
from .sides import EXACT, Dense, ManySides, Signed, SignedHome, TwoSides
from .signs import blur_of, signs_of, values_of
from .units import ROOMY, normalised

if TYPE_CHECKING:
    from .rays import Rays

_MOST_COEF = 1000
_MOST_WIDE = 3000  # up to which a proof that the classes overlap is tried
_ROUNDS = 100
_MOST_CUTS = 100  # rows at once


@dataclass(frozen=True)
class Recession:
    """What separates the classes of a home.

    Coefficients are those of the raw columns: the intercept first, if there is one, then all columns (k,); or what
    `separation_of` was asked about.

    kind : "overlap", "quasi-complete" or "complete"
    infinite : (k,) inf or -inf where a coefficient goes there, nan where it goes to either (and, in a cone of some 130
        dimensions or more, where the sign was not looked for), 0 where it stays finite
    direction : (k,) a direction that is positive on the rows of `separated`, zero on the others; 0 for aliased columns
    separated : (n_rows,) the rows of the home that some direction makes positive
    null : (q, d) orthonormal, the changes of theta that are zero on all other rows; beside a wide factor the directions
        of single levels, CSR
    rays : there, what the rows see of these
    """

    kind: str
    infinite: Array
    direction: Array
    separated: Mask
    null: Any
    rays: Rays | None = None


def separation_of(
    signed: SignedHome,
    functionals: Array | None = None,
    bounds: Array | None = None,
    guess: Array | None = None,
    *,
    signs: bool = True,
) -> Recession:
    """What separates the classes of a home. Its coordinates leave out aliased columns, as they do without a penalty.

    functionals : (k, q) the coefficients that are asked about, as functions of theta; of two classes those of the raw
        columns if None
    bounds : (q,) 1 where an entry of theta has a lower bound, so that it cannot fall for ever, -1 where it has an upper
        one, else 0
    guess : (q,) a direction that nearly separates them if any does, as where a fit has come to
    signs : whether `infinite` is looked for, at the cost of a search for each coefficient; else it is nan

    Raises
    ------
    EvenOddsError
        If rounding leaves no certain answer, or there are too many columns or classes for one.
    """
    data, coordinates = signed.data, signed.sides.coordinates
    two = isinstance(signed.sides, TwoSides) and bounds is None and functionals is None
    if two and is_wide(data.layout):
        from .lone_levels import beside_wide  # which fits the rows that are left

        with one_blas_thread:
            return beside_wide(signed)
    if signed.sides.n_coef > _MOST_WIDE:
        raise _too_wide(signed.sides.n_coef)
    with one_blas_thread:
        home = Home(signed, bounds)
        face = _face(home, guess)
        every = functionals is None
        asked, places = _coefficients(coordinates) if functionals is None else _all_of(functionals)
        infinite = np.zeros(int(coordinates.intercept) + data.n_columns if every else len(asked))
        separated = home.strict(face) if face.direction.any() else np.zeros(signed.n_rows, dtype=bool)
        if not separated.any():
            return Recession("overlap", infinite, infinite, separated, face.null)
        gauge, face = face.null, _seen(home, face)
        blur = blur_of(home, face)
        infinite[places] = signs_of(home, face, asked, blur) if signs else np.nan
        if signs and every and infinite.size > home.n_coef:
            group, tied = _collinear(home)
            grows = np.bincount(group, infinite != 0)[group] > 0
            infinite[tied] = np.where(grows, np.nan, 0.0)[tied]
        direction = np.zeros_like(infinite)
        direction[places] = values_of(asked, face.direction / np.abs(face.direction).max(), blur)
    kind = "complete" if separated.all() else "quasi-complete"
    return Recession(kind, infinite, direction, separated, gauge)


def _seen(home: Home, face: Face) -> Face:
    """The face without directions that no row sees but by rounding, as nearly collinear columns leave them."""
    null = face.null

    def seen_of(rows: Array) -> Array:
        seen = normalised(rows) @ null
        return np.asarray(seen[np.linalg.norm(seen, axis=1) > ON])

    def products(rows: Array) -> Sums:
        seen = seen_of(rows)
        return (seen.T @ seen,)

    def triangle(rows: Array) -> Sums:
        seen = seen_of(rows)
        return ([scipy.linalg.qr(seen, mode="r", check_finite=False)[0][: seen.shape[1]]],)

    if Cholesky(home.over_rows(products)[0]).least() > ROOMY:  # at a part of the cost
        return face
    R = np.concatenate([*home.over_rows(triangle)[0], *triangle(home.bounds)[0]])
    _, size, right = scipy.linalg.svd(R, full_matrices=False, check_finite=False)
    moved = null @ right[size > EXACT * size[0]].T
    if moved.shape[1] == null.shape[1]:
        return face
    return replace(face, null=moved, direction=moved @ (moved.T @ face.direction))


def _face(home: Home, guess: Array | None) -> Face:
    """The face of all rows."""
    k = home.n_coef
    if k == 0:
        return _overlap(0)
    span = span_of_pairs(home.signed.data, home.sides, EXACT) if isinstance(home.sides, ManySides) else np.eye(k)
    wide = span.shape[1] > _MOST_COEF
    if span.shape[1] == 0:
        return _overlap(k)
    if home.few and not wide:
        return home.face_within(span)
    rows, seen, exact = home.sample, home.sample, EXACT
    if span.shape[1] < k:
        seen, off, exact = home.seen_from(span, home.sample)
        rows, seen = rows[off], seen[off]
    seen = normalised(seen)
    fit = fitted(seen, exact=exact, alert=True)
    if fit.balanced:
        return _overlap(k)
    if wide:
        raise _too_wide(k)
    most = max(200, 10 * span.shape[1])
    nearest = rows[np.argsort(seen @ fit.direction)[:most]] if guess is None else _nearest(home, guess, most)
    home.known = np.vstack([nearest, home.bounds])
    for turn in range(_ROUNDS):
        face = home.face_within(span, None if turn else fit.guess)
        if face.null.shape[1] == 0:
            return face
        if not home.learn(_all_cuts(home, face)):
            return face
        span = face.null if face.null.shape[1] < span.shape[1] else span
    raise EvenOddsError("Whether the classes are separated was not decided: the rows leave too many corners.")


def _nearest(home: Home, direction: Array, most: int) -> Array:
    """About the rows that a direction leaves the worst."""
    share = 4 * most / home.signed.n_rows

    def worst(tile: Signed) -> Sums:
        margins = tile.dot(direction) / np.maximum(tile.size(), 1e-300)
        return ([tile.rows(np.argsort(margins)[: math.ceil(share * margins.size)])],)

    rows = np.concatenate(home.signed.read(worst)[0])
    return np.asarray(rows[np.argsort(normalised(rows) @ direction)[:most]])


def _all_cuts(home: Home, face: Face) -> Array:
    """`_cuts` of all rows."""
    view = home.sides.view_of(face.null)
    (cuts,) = home.signed.read(lambda tile: ([_cuts(tile, face, view)],))
    return _cuts(Dense(np.concatenate(cuts)), face, face.null)  # of those of each tile the worst


def _too_wide(n_coef: int) -> EvenOddsError:
    return EvenOddsError(
        f"Whether the classes are separated is decided for up to {_MOST_COEF} coefficients, here there are {n_coef}. "
        "Take fewer columns, or add a ridge (for example C=1), which needs no answer."
    )


def _overlap(k: int) -> Face:
    return Face(np.zeros(k), np.zeros(0, dtype=bool), np.empty((k, 0)), np.empty((k, 0)))


def _cuts(tile: Signed, face: Face, view: Array) -> Array:
    """Rows that the face is wrong about, or that are too close to tell: the worst, and those furthest each way."""
    off = doubtful_rows(tile, face.direction)
    off[off] = tile.norms(view, off) > ON * tile.size()[off]
    if not off.any():
        return tile.rows(np.empty(0, dtype=np.intp))
    free = tile.dot(face.null, off) / tile.size()[off, None]
    worst = np.argsort(free @ (face.null.T @ face.direction))[:_MOST_CUTS]
    chosen = np.unique(np.concatenate([worst, free.argmin(axis=0), free.argmax(axis=0)]))
    return tile.rows(np.flatnonzero(off)[chosen])


def _coefficients(coordinates: Coordinates) -> tuple[Array, NDArray[np.intp]]:
    """The raw coefficients as functions of theta, a row each, and their places among all of them."""
    first = int(coordinates.intercept)
    columns = coordinates.columns
    with np.errstate(over="ignore", under="ignore"):
        functionals = np.diag(np.concatenate([np.ones(first), 1 / coordinates.scale[columns]]))
        if first:
            far = coordinates.center[columns] / coordinates.scale[columns]
            functionals[0, 1:] = np.where(np.abs(far) > EXACT, -far, 0.0)  # a mean of 0 may come out as 1e-17
    return functionals, np.concatenate([np.zeros(first, dtype=np.intp), columns + first])


def _all_of(functionals: Array) -> tuple[Array, NDArray[np.intp]]:
    return functionals, np.arange(len(functionals))


def _collinear(home: Home) -> tuple[NDArray[np.intp], Mask]:
    """The number of each coefficient's group, those that columns adding up to zero tie together, and which are tied.

    Each aliased column is a combination of those kept, found by least squares from the triangular factors of the
    blocks.
    """
    sides, coordinates = home.sides, home.sides.coordinates
    first = int(coordinates.intercept)
    aliased = np.array(coordinates.aliased())

    def triangle(block: Block) -> Sums:
        others = replace(coordinates, columns=aliased).design(block)
        others = dense(others)
        sign = np.where(block.y > 0, 1.0, -1.0)[:, None]
        X = np.hstack([sides.signed(block).rows(slice(None)), sign * others])
        return ([scipy.linalg.qr(X, mode="r", check_finite=False)[0][: X.shape[1]]],)

    R = np.concatenate(home.signed.reduce(triangle)[0])
    combinations = scipy.linalg.lstsq(R[:, : home.n_coef], R[:, home.n_coef :])[0]
    functionals, places = _coefficients(coordinates)
    largest = np.abs(combinations).max(axis=0, initial=0.0)
    weights = np.where(np.abs(combinations) > 1e-7 * largest, combinations, 0.0)
    of, column = np.nonzero((weights != 0) & (places >= first)[:, None])
    pairs = [(places[of], aliased[column] + first)]
    if first:
        # The intercept's weight in raw columns, in units of the scale; the centre of the aliased column is in it.
        terms = np.vstack([functionals[0][:, None] * weights, coordinates.center[aliased] / coordinates.scale[aliased]])
        found = np.abs(terms.sum(axis=0)) > 1e-7 * np.abs(terms).sum(axis=0) + 1e-12 * largest
        pairs.append((np.zeros(np.count_nonzero(found), dtype=np.intp), aliased[found] + first))
    one, other = (np.concatenate(ends) for ends in zip(*pairs, strict=True))
    n = first + coordinates.center.size
    group = connected_components(sp.coo_array((np.ones(one.size), (one, other)), (n, n)), directed=False)[1]
    tied = np.zeros(n, dtype=bool)
    tied[np.concatenate([one, aliased + first])] = True
    return group, tied
