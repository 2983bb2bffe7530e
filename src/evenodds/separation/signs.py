"""The signs that coefficients have in the directions of a cone: to which infinity they go.

The direction of the face is inside the cone: a coefficient that is zero there, but not everywhere, takes both signs;
else only the other sign has to be looked for. Least squares with non-negative weights of the rows tell whether these
leave a direction that has it (`reach`). They are taken of the rows known, for one coefficient after another; then one
read tells how far along all the directions that were found the other rows allow, and which rows have to be known to
say more.
"""

import numpy as np
import scipy.linalg

from ..arrays import Array, Mask
from ..data import Sums
from .cone import Face, reach
from .home import ON, Home, on_boundary, unknown
from .sides import EXACT, Dense, Signed
from .units import normalised, rounding, spectrum

_MOST_WORK = 3e8  # dimensions of the cone, cubed, times coefficients, up to which signs are looked for: 2 s
_ROUNDS = 100
_MOST_WAYS = 32  # at once
_MOST_CUTS = 100  # rows at once
_FEW_CUTS = 10  # of each of many ways
_BLUR = 10  # times what is rounding in a row: that of all of them in a direction
_CANCELLED = 1e-10  # the share of a sum that is rounding


def signs_of(home: Home, face: Face, functionals: Array, blur: Array) -> Array:
    """inf, -inf, nan or 0 for each coefficient, by its function of a direction (q, n_coef).

    Where rounding does not let the other sign be found or excluded, the sign is not determined either.
    """
    functionals = normalised(functionals)

    moves = values_of(functionals, face.null, blur).any(axis=1)
    inside = np.sign(values_of(functionals, face.direction, blur))
    both = inside == 0
    dimensions, open_ = face.null.shape[1], np.flatnonzero(moves & ~both)
    if dimensions**3 * open_.size > _MOST_WORK:
        return np.where(moves, np.nan, 0.0)
    if dimensions > 1:
        both[open_] = _are_positive(home, face, -inside[open_, None] * functionals[open_], blur)
    with np.errstate(invalid="ignore"):
        return np.where(~moves, 0.0, np.where(both, np.nan, inside * np.inf))


def blur_of(home: Home, face: Face) -> Array:
    """What rounding of the rows on the boundary may make of the entries (n_coef,) of a direction of largest entry 1.

    Such a direction is zero on these rows. Where they hardly see a change of theta, as that between columns which are
    nearly the same, a trace of rounding in them leaves much of it open.
    """
    rows = normalised(home.on_boundary_of_known(face))
    size, right, _ = spectrum(rows, EXACT)
    open_ = np.sqrt(len(rows)) * np.abs(right / size[:, None]).max(axis=0, initial=0.0)
    return np.asarray(_BLUR * EXACT * np.maximum(open_, 1.0))


def values_of(functionals: Array, direction: Array, blur: Array) -> Array:
    """Functions of a direction, or of each column, exactly zero where they are so but for rounding."""
    largest = np.abs(direction).max(axis=0)
    with np.errstate(over="ignore", under="ignore"):
        least = np.multiply.outer(blur, largest)
        direction = np.where(np.abs(direction) > least, direction, 0.0)
        values, size = functionals @ direction, np.abs(functionals) @ np.abs(direction)
        rounded = np.maximum(_CANCELLED * size, np.abs(functionals) @ least)
    return np.where(np.abs(values) <= rounded, 0.0, values)


def _are_positive(home: Home, face: Face, functionals: Array, blur: Array) -> Mask:
    """Whether some direction of the cone makes each functional positive; or rounding does not let that be excluded."""
    rows = _nearest(home.strict_of_known(face), face)
    found, excluded = np.zeros((2, len(functionals)), dtype=bool)
    asked, _, least = home.seen_from(face.basis, functionals)
    inside = scipy.linalg.lstsq(face.basis, face.direction)[0]
    for _ in range(_ROUNDS):
        seen, _, exact = home.seen_from(face.basis, rows)
        exact = min(max(exact, least), ON)
        ways: list[Array] = []
        aims: list[int] = []
        promised = found | excluded
        for j, functional in enumerate(asked):
            if promised[j] or len(ways) == _MOST_WAYS:
                continue
            way = _way(seen, functional, inside, face, exact)
            if way is None:
                found[j] = True
            elif not way.any():
                excluded[j] = True
            else:
                ways.append(way)
                aims.append(j)
                promised |= values_of(functionals, way, blur) > 0
        if not ways:
            break
        shares, cuts = _within(home, face, np.column_stack(ways))
        for way, share in zip(ways, shares.min(axis=0, initial=1.0), strict=True):
            found |= values_of(functionals, share * way + (1 - share) * face.direction, blur) > 0
        for j, stop in zip(aims, shares.T, strict=True):
            if not found[j]:
                first = np.argsort(stop)[: _most_cuts(len(ways))]
                new = unknown(rows, cuts[first[stop[first] < np.inf]])
                found[j] = not new  # it is the rounding of the last products that stops the way
                rows = np.concatenate([rows, *([new] if new else [])])
    return found | ~excluded


def _way(seen: Array, aim: Array, inside: Array, face: Face, exact: float) -> Array | None:
    """A direction that rows, seen from the basis of the face, leave, and on which the aim is positive.

    Zero if none is, None if rounding does not let it be told.

    inside : the direction of the face, seen so, on which the aim is negative
    """
    aim = normalised(aim[None])[0]  # whose squares may be less than numbers go
    way = reach(normalised(seen), aim / np.linalg.norm(aim), inside, exact) if aim.any() else np.zeros_like(aim)
    if way is None or not way.any():
        return way
    direction = face.basis @ way
    return np.asarray(direction / np.abs(direction).max())


def _nearest(rows: Array, face: Face) -> Array:
    """The rows that are likely to bound the cone."""
    margins = (rows @ face.direction) / np.linalg.norm(rows @ face.basis, axis=1)
    return np.asarray(rows[np.argsort(margins)[: max(200, 4 * face.null.shape[1])]])


def _within(home: Home, face: Face, ways: Array) -> tuple[Array, Array]:
    """The rows that stop one first on each way (n_coef, q) from the face's direction, and where each does (m, q).

    A share of the way, infinite where a row does not stop it.
    """
    if home.few:
        shares, rows = _stops(Dense(home.strict_of_known(face)), face, ways)
    else:
        view, signed = home.sides.view_of(face.null), home.signed
        parts = signed.read(lambda tile: _stops(tile, face, ways, view)), _stops(Dense(home.bounds), face, ways)
        shares, rows = (one + more for one, more in zip(*parts, strict=True))
    return np.concatenate(shares), np.concatenate(rows)


def _stops(tile: Signed, face: Face, ways: Array, view: Array | None = None) -> Sums:
    """`_within` of a tile.

    view : if rows of the tile may be on the boundary, see `on_boundary`
    """
    margins = tile.dot(ways)
    bad = margins < -rounding(len(ways)) * tile.terms(ways)
    stops = np.asarray(bad.any(axis=1))
    if view is not None:
        stops &= ~on_boundary(tile, face, view, stops)
    numbers = np.flatnonzero(stops)
    inside = tile.dot(face.direction, stops)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(bad[numbers], inside / (inside - margins[numbers]), np.inf)
    first = np.argsort(shares, axis=0)[: _most_cuts(ways.shape[1])]
    first = np.unique(first[np.take_along_axis(shares, first, axis=0) < np.inf])
    return [shares[first]], [tile.rows(numbers[first])]


def _most_cuts(ways: int) -> int:
    """Rows of each way."""
    return max(_MOST_CUTS // ways, _FEW_CUTS)
