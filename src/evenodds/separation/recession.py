"""The directions in which the likelihood of a home of data rises for ever, and the coefficients they carry to infinity.

These are the d with s_i x_i d >= 0 on all rows and > 0 on some (s = 2y - 1; Albert and Anderson, Biometrika 71, 1984;
Konis, Oxford thesis, 2007). A bound on a coefficient is one more row, which d may not cross; whether d crosses only
bounds does not matter. `cone` finds them for rows in memory. Of many rows it is given a few hundred, and then those
that its answer is wrong about: cutting planes. That a few rows balance proves it for all (`balance`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from ..coordinates import Coordinates
from ..data import Array, Block, Sums
from ..data.memory import one_blas_thread
from ..exceptions import EvenOddsError
from .cone import Face, Mask, fitted, normalised, rounding, support
from .sides import EXACT, Dense, Sides, Signed, exactness

_MOST_COEF = 1000
_MOST_WIDE = 3000  # up to which a proof that the classes overlap is tried
_FEW_ROWS = 2000  # taken as they are
_MOST_SIGNS = 200  # dimensions of the cone up to which signs are looked for
_SAMPLE_ROWS = 4096
_SAMPLE_ENTRIES = 20_000_000
_ROUNDS = 100
_MOST_CUTS = 100  # rows at once
_ON = 100  # times what is rounding: how far off the boundary a row may seem that lies on it


@dataclass(frozen=True)
class Recession:
    """What separates the classes of a home.

    Coefficients are those of the raw columns: the intercept first, if there is one, then all columns (k,); or what
    `separation_of` was asked about.

    kind : "overlap", "quasi-complete" or "complete"
    infinite : (k,) inf or -inf where a coefficient goes there, nan where it goes to either (and, in a cone of more than
        200 dimensions, where the sign was not looked for), 0 where it stays finite
    direction : (k,) a direction that is positive on the rows of `separated`, zero on the others; 0 for aliased columns
    separated : (n_rows,) the rows of the home that some direction makes positive
    rows : their numbers in what the user gave
    null : (q, d) orthonormal, the changes of theta that are zero on all other rows
    alone : (k,) 1 or -1 for a column whose high (low) values alone are of the second class and never of the first
    rest : whether some rows are separated by columns together only
    """

    kind: str
    infinite: Array
    direction: Array
    separated: Mask
    rows: NDArray[np.intp]
    null: Array
    alone: Array
    rest: bool


def separation_of(sides: Sides, functionals: Array | None = None, bounds: Array | None = None) -> Recession:
    """What separates the classes of a home. Its coordinates leave out aliased columns, as they do without a penalty.

    functionals : (k, q) the coefficients that are asked about, as functions of theta; of two classes those of the raw
        columns if None
    bounds : (q,) 1 where an entry of theta has a lower bound, so that it cannot fall for ever, -1 where it has an upper
        one, else 0

    Raises
    ------
    EvenOddsError
        If rounding leaves no certain answer, or there are too many columns or classes for one.
    """
    data, coordinates = sides.data, sides.coordinates
    if sides.n_coef > _MOST_WIDE:
        raise _too_wide(sides.n_coef)
    with one_blas_thread:
        home = _Home(sides, bounds)
        face = _face(home)
        every = functionals is None
        asked, places = _coefficients(coordinates) if functionals is None else _all_of(functionals)
        infinite = np.zeros(int(coordinates.intercept) + data.n_columns if every else len(asked))
        separated = home.strict(face) if face.direction.any() else np.zeros(sides.n_rows, dtype=bool)
        if not separated.any():
            nothing = np.empty(0, dtype=np.intp)
            return Recession("overlap", infinite, infinite, separated, nothing, face.null, infinite, False)
        infinite[places] = _signs(home, face, asked)
        for group in _collinear(home) if every and infinite.size > home.n_coef else ():
            infinite[group] = np.nan if infinite[group].any() else 0.0
        direction = np.zeros_like(infinite)
        direction[places] = _values(asked, face.direction / np.abs(face.direction).max(), home.exact)
        rows = np.array([sides.original_row(int(k)) for k in np.flatnonzero(separated)], dtype=np.intp)
        alone, rest = np.zeros_like(infinite), True
        if every:
            alone[places], rest = _alone(home, separated)
    kind = "complete" if separated.all() else "quasi-complete"
    return Recession(kind, infinite, direction, separated, rows, face.null, alone, rest)


class _Home:
    """The signed rows of a home, and of bounds: all in memory if they are few, else `known`, those that matter."""

    def __init__(self, sides: Sides, bounds: Array | None) -> None:
        self.sides, self.n_coef = sides, sides.n_coef
        self.bounds = np.zeros((0, self.n_coef)) if bounds is None else np.diag(bounds)[bounds != 0]
        self.exact = exactness(sides.coordinates)
        self.on = _ON * self.exact
        self.few = sides.n_rows <= _FEW_ROWS
        enough = min(30 * self.n_coef, _SAMPLE_ENTRIES // max(self.n_coef, 1))  # the fits on fewer are often separated
        rows = sides.sample(sides.n_rows if self.few else max(_SAMPLE_ROWS, enough))
        self.sample = np.vstack([rows, self.bounds])
        self.known = self.sample

    def read(self, function: Callable[[Signed], Sums]) -> Sums:
        """Join the lists that the function makes of tiles of all rows."""
        sides = self.sides

        def over(block: Block) -> Sums:
            return sides.over_tiles(block, lambda tile: function(sides.signed(tile)))

        return sides.data.reduce(over)

    def over_rows(self, function: Callable[[Array], Sums]) -> Sums:
        """Join the lists that the function makes of all rows, a tile at a time if they are many."""
        if self.few:
            return function(self.sample[: self.sides.n_rows])
        return self.read(lambda tile: function(tile.rows(slice(None))))

    def learn(self, rows: Array) -> bool:
        """Add rows to those known; False if all are."""
        new = _unknown(self.known, rows)
        self.known = np.concatenate([self.known, new]) if new else self.known
        return bool(new)

    def strict(self, face: Face) -> Mask:
        """The rows on which the face's direction is positive."""
        if self.few:
            return face.strict[: self.sides.n_rows]
        (masks,) = self.read(lambda tile: ([~_on_boundary(tile, face, self.on)],))
        return np.concatenate(masks)

    def strict_of_known(self, face: Face) -> Array:
        """Those of the rows known on which it is positive."""
        return self.known[face.strict if self.few else ~_on_boundary(Dense(self.known), face, self.on)]

    def within(self, face: Face, direction: Array) -> Sums:
        """`_within` for all rows off the boundary."""
        if self.few:
            return _within(Dense(self.strict_of_known(face)), face, direction)

        def off(tile: Signed) -> Sums:
            return _within(tile, face, direction, self.on)

        return tuple(found + more for found, more in zip(self.read(off), off(Dense(self.bounds)), strict=True))


def _unknown(known: Array, rows: Array) -> list[Array]:
    """The rows that are not among those known."""
    seen = {row.tobytes() for row in known}
    return [row for row in rows if row.tobytes() not in seen]


def _face(home: _Home) -> Face:
    """The face of all rows."""
    if home.n_coef == 0:
        return _overlap(0)
    wide = home.n_coef > _MOST_COEF
    if home.few and not wide:
        return support(home.known, home.exact)
    fit = fitted(normalised(home.sample), exact=home.exact, alert=True)
    if fit.balanced:
        return _overlap(home.n_coef)
    if wide:
        raise _too_wide(home.n_coef)
    nearest = np.argsort(normalised(home.sample) @ fit.direction)
    home.known = np.vstack([home.sample[nearest[: max(200, 10 * home.n_coef)]], home.bounds])
    for _ in range(_ROUNDS):
        face = support(home.known, home.exact)
        if face.null.shape[1] == 0:
            return face
        if not home.learn(_all_cuts(home, face)):
            return face
    raise EvenOddsError("Whether the classes are separated was not decided: the rows leave too many corners.")


def _all_cuts(home: _Home, face: Face) -> Array:
    """`_cuts` of all rows."""
    (cuts,) = home.read(lambda tile: ([_cuts(tile, face, home.on)],))
    return _cuts(Dense(np.concatenate(cuts)), face, home.on)  # of those of each tile the worst


def _too_wide(n_coef: int) -> EvenOddsError:
    return EvenOddsError(
        f"Whether the classes are separated is decided for up to {_MOST_COEF} coefficients, here there are {n_coef}. "
        "Take fewer columns, or add a ridge (for example C=1), which needs no answer."
    )


def _overlap(k: int) -> Face:
    return Face(np.zeros(k), np.zeros(0, dtype=bool), np.empty((k, 0)), np.empty((k, 0)))


def _doubtful(tile: Signed, direction: Array, least: float) -> Mask:
    """Rows with a margin that is negative, or small enough to be rounding."""
    return np.asarray(tile.dot(direction) <= least * np.abs(direction).max() * tile.size())


def _on_boundary(tile: Signed, face: Face, least: float) -> Mask:
    """The rows that every direction of the cone is zero on."""
    on = _doubtful(tile, face.direction, least)
    on[on] = np.abs(tile.dot(face.null, on)).max(axis=1, initial=0.0) <= least * tile.size()[on]
    return on


def _cuts(tile: Signed, face: Face, on: float) -> Array:
    """Rows that the face is wrong about, or that are too close to tell: the worst, and those furthest each way."""
    doubtful = _doubtful(tile, face.direction, on)
    free = tile.dot(face.null, doubtful) / np.maximum(tile.size()[doubtful], 1e-300)[:, None]
    off = np.flatnonzero(np.abs(free).max(axis=1, initial=0.0) > on)
    if not off.size:
        return tile.rows(np.empty(0, dtype=np.intp))
    free = free[off]
    worst = np.argsort(free @ (face.null.T @ face.direction))[:_MOST_CUTS]
    chosen = np.unique(np.concatenate([worst, free.argmin(axis=0), free.argmax(axis=0)]))
    return tile.rows(np.flatnonzero(doubtful)[off[chosen]])


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


def _values(functionals: Array, direction: Array, exact: float) -> Array:
    """Functions of a direction, exactly zero where they are so but for rounding."""
    direction = np.where(np.abs(direction) > 10 * exact * np.abs(direction).max(), direction, 0.0)
    with np.errstate(over="ignore", under="ignore"):
        values, size = functionals @ direction, np.abs(functionals) @ np.abs(direction)
    return np.where(np.abs(values) <= max(1e-10, 10 * exact) * size, 0.0, values)


def _signs(home: _Home, face: Face, functionals: Array) -> Array:
    """inf, -inf, nan or 0 for each coefficient.

    The direction of the face is inside the cone: a coefficient that is zero there, but not everywhere, takes both
    signs; else only the other sign has to be looked for. What is found for one coefficient may settle others. Where
    rounding does not let the other sign be found or excluded, the sign is not determined either.
    """

    def signs(direction: Array) -> Array:
        return np.sign(_values(functionals, direction, home.exact))

    functionals = normalised(functionals)
    moves = np.array([signs(column) for column in face.null.T]).any(axis=0)
    inside = signs(face.direction)
    found = [inside]
    dimensions = face.null.shape[1]
    if dimensions > _MOST_SIGNS:
        return np.where(moves, np.nan, 0.0)
    if dimensions > 1:
        rows = _nearest(home.strict_of_known(face), face)
        for j in np.flatnonzero(moves & (inside != 0)):
            if all(sign[j] != -inside[j] for sign in found):
                try:
                    direction, rows = _reach(home, face, rows, -inside[j] * functionals[j])
                except EvenOddsError:
                    found.append(np.where(np.arange(inside.size) == j, -inside[j], 0.0))
                else:
                    found += [] if direction is None else [signs(direction)]
    both = (np.max(found, axis=0) > np.min(found, axis=0) + 1) | (inside == 0)
    with np.errstate(invalid="ignore"):
        return np.where(~moves, 0.0, np.where(both, np.nan, inside * np.inf))


def _alone(home: _Home, separated: Mask) -> tuple[Array, bool]:
    """The columns that separate by themselves, with the sign that they do it by, and whether rows are left over.

    Beside an intercept a column does if the values of one class end where those of the other begin. Without one the
    signed rows are on one side of 0, which stands for the other class.
    """
    first = int(home.sides.coordinates.intercept)

    def by_class(rows: Array) -> list[Array]:
        """The columns of the rows of each class; the entry in the intercept's column is the sign of a row's label."""
        return [-rows[rows[:, 0] < 0], rows[rows[:, 0] > 0]] if first else [np.zeros((1, rows.shape[1])), rows]

    def ends(rows: Array) -> Sums:
        return tuple([(x.min(axis=0, initial=np.inf), x.max(axis=0, initial=-np.inf))] for x in by_class(rows))

    (low0, high0), (low1, high1) = (
        (np.min([low for low, _ in pairs], axis=0), np.max([high for _, high in pairs], axis=0))
        for pairs in home.over_rows(ends)
    )
    up, down = (low1 >= high0) & (high1 > low0), (high1 <= low0) & (low1 < high0)
    up[:first] = down[:first] = False
    for row in home.bounds:
        up &= row >= 0
        down &= row <= 0

    def left(rows: Array) -> Sums:
        second = rows[:, 0] > 0 if first else np.ones(len(rows), dtype=bool)
        values = np.where(second[:, None], rows, -rows)
        above = np.where(second[:, None], values > high0, values < low1)
        below = np.where(second[:, None], values < low0, values > high1)
        return ([~((above & up) | (below & down)).any(axis=1)],)

    (rest,) = home.over_rows(left)
    return up.astype(float) - down, bool((separated & np.concatenate(rest)).any())


def _nearest(rows: Array, face: Face) -> Array:
    """The rows that are likely to bound the cone."""
    margins = (rows @ face.direction) / np.linalg.norm(rows @ face.basis, axis=1)
    return np.asarray(rows[np.argsort(margins)[: max(200, 4 * face.null.shape[1])]])


def _reach(home: _Home, face: Face, rows: Array, functional: Array) -> tuple[Array | None, Array]:
    """A direction of the cone with a positive value of the functional, or None; and the rows known by then."""
    for _ in range(_ROUNDS):
        inner = support(np.vstack([rows, functional]) @ face.basis, home.exact)
        if not inner.strict[-1]:
            return None, rows
        direction = face.basis @ inner.direction
        direction /= np.abs(direction).max()
        ends, cuts = home.within(face, direction)
        share = min(float(some.min(initial=1.0)) for some in ends)
        inside = share * direction + (1 - share) * face.direction
        if _values(functional[None, :], inside, home.exact)[0] > 0:
            return inside, rows
        worst = np.argsort(np.concatenate(ends))[:_MOST_CUTS]
        new = _unknown(rows, np.concatenate(cuts)[worst])
        if not new:  # it is the rounding of the last products that stops the way
            return direction, rows
        rows = np.concatenate([rows, new])
    raise EvenOddsError("The signs of the coefficients were not decided: the rows leave too many corners.")


def _within(tile: Signed, face: Face, direction: Array, on: float | None = None) -> Sums:
    """The rows that stop one on the way from the face's direction to another one first, and where they do.

    on : how far off the boundary a row of the tile may seem that lies on it, if there are some
    """
    margins, inside = tile.dot(direction), tile.dot(face.direction)
    bad = margins < -rounding(direction.size) * tile.terms(direction)
    if on is not None:
        bad &= ~_on_boundary(tile, face, on)
    numbers = np.flatnonzero(bad)
    shares = inside[numbers] / (inside[numbers] - margins[numbers])
    first = np.argsort(shares)[:_MOST_CUTS]
    return [shares[first]], [tile.rows(numbers[first])]


def _collinear(home: _Home) -> list[list[int]]:
    """Groups of coefficients, by place, that a linear combination of their columns being zero ties together.

    Each aliased column is a combination of those kept, found by least squares from the triangular factors of the
    blocks.
    """
    coordinates, first = home.sides.coordinates, int(home.sides.coordinates.intercept)
    aliased = np.array(coordinates.aliased())

    def triangle(block: Block) -> Sums:
        others = replace(coordinates, columns=aliased).design(block)
        others = others.toarray() if sp.issparse(others) else others
        sign = np.where(block.y > 0, 1.0, -1.0)[:, None]
        X = np.hstack([home.sides.signed(block).rows(slice(None)), sign * others])
        return ([scipy.linalg.qr(X, mode="r", check_finite=False)[0][: X.shape[1]]],)

    R = np.concatenate(home.sides.data.reduce(triangle)[0])
    combinations = scipy.linalg.lstsq(R[:, : home.n_coef], R[:, home.n_coef :])[0]
    functionals, places = _coefficients(coordinates)
    groups: list[set[int]] = []
    for a, weights in zip(aliased, combinations.T, strict=True):
        weights = np.where(np.abs(weights) > 1e-7 * np.abs(weights).max(initial=0.0), weights, 0.0)
        tied = {int(place) for place, weight in zip(places, weights, strict=True) if weight and place >= first}
        # The intercept's weight in raw columns, in units of the scale; the centre of the aliased column is in it.
        terms = np.append(functionals[0] * weights, coordinates.center[a] / coordinates.scale[a])
        if first and abs(terms.sum()) > 1e-7 * np.abs(terms).sum() + 1e-12 * np.abs(weights).max(initial=0.0):
            tied.add(0)
        joined = {int(a) + first} | tied
        for group in [group for group in groups if group & joined]:
            groups.remove(group)
            joined |= group
        groups.append(joined)
    return [sorted(group) for group in groups]
