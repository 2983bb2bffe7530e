"""The signed rows of a home as the judge sees them: all of them a read at a time, a few of them in memory."""

import contextlib
from collections.abc import Callable

import numpy as np

from ..arrays import Array, Mask
from ..data import Sums
from ..exceptions import EvenOddsError
from .cone import Face, support
from .sides import EXACT, Dense, Signed, SignedHome
from .units import decomposed, noise_of, normalised

_FEW_ROWS = 2000  # taken as they are
_SAMPLE_ROWS = 4096
_SAMPLE_ENTRIES = 20_000_000
_DOUBTFUL = 1e-9  # how far off it may seem beside a basis that has lost digits
ON = 100 * EXACT  # how far off the boundary a row of size 1 may seem that lies on it


class Home:
    """The signed rows of a home, and of bounds: all in memory if they are few, else `known`, those that matter."""

    def __init__(self, signed: SignedHome, bounds: Array | None) -> None:
        self.signed, self.sides, self.n_coef = signed, signed.sides, signed.sides.n_coef
        self.bounds = np.zeros((0, self.n_coef)) if bounds is None else np.diag(bounds)[bounds != 0]
        self.few = signed.n_rows <= _FEW_ROWS
        enough = min(30 * self.n_coef, _SAMPLE_ENTRIES // max(self.n_coef, 1))  # the fits on fewer are often separated
        rows = signed.sample(signed.n_rows if self.few else max(_SAMPLE_ROWS, enough))
        self.sample = np.vstack([rows, self.bounds])
        self.known = self.sample

    def over_rows(self, function: Callable[[Array], Sums]) -> Sums:
        """Join the lists that the function makes of all rows, a tile at a time if they are many."""
        if self.few:
            return function(self.sample[: self.signed.n_rows])
        return self.signed.read(lambda tile: function(tile.rows(slice(None))))

    def learn(self, rows: Array) -> bool:
        """Add rows to those known; False if all are."""
        new = unknown(self.known, rows)
        self.known = np.concatenate([self.known, new]) if new else self.known
        return bool(new)

    def strict(self, face: Face) -> Mask:
        """The rows on which the face's direction is positive."""
        if self.few:
            return face.strict[: self.signed.n_rows]
        view = self.sides.view_of(face.null)
        (masks,) = self.signed.read(lambda tile: ([~on_boundary(tile, face, view)],))
        return np.concatenate(masks)

    def seen_from(self, basis: Array, rows: Array) -> tuple[Array, Mask, float]:
        """Rows in a basis, those of them that are not zero there, and what is rounding in the least of these."""
        seen, size = rows @ basis, np.abs(rows).max(axis=1, initial=0.0)
        off = np.abs(seen).max(axis=1, initial=0.0) > ON * size
        terms = (np.abs(rows[off]) @ np.abs(basis)).max(axis=1, initial=0.0)
        return seen, off, EXACT * float((terms / np.abs(seen[off]).max(axis=1)).max(initial=1.0))

    def settled(self, basis: Array, rows: Array) -> Array:
        """The basis, turned so that rows are zero in it that are not because of rounding in the basis.

        It was found by rows that are zero in it, and has lost the digits that the least of their singular values has.
        """
        size = np.abs(rows).max(axis=1, initial=0.0)
        share = np.abs(rows @ basis).max(axis=1, initial=0.0) / np.where(size > 0, size, 1.0)
        if not ((share > EXACT) & (share < _DOUBTFUL)).any():
            return basis
        near = normalised(rows[share < _DOUBTFUL])
        left, size, right, _ = decomposed(near, EXACT)
        turn = (right.T / size) @ (left.T @ (near @ basis))
        return basis - turn if np.abs(turn).max() <= noise_of(size, EXACT) else basis

    def face_within(self, span: Array, guess: Array | None = None) -> Face:
        """The face of the rows known, whose cone lies in the span.

        guess : a direction in the span that may be the face's
        """
        if span.shape[1] < self.n_coef:
            span = self.settled(span, self.known)
            seen, off, exact = self.seen_from(span, self.known)
            with contextlib.suppress(EvenOddsError):  # rounding may hide in few coefficients what it does not in all
                face = support(seen[off], min(exact, ON), guess)
                off[off] = face.strict
                return Face(span @ face.direction, off, span @ face.null, span @ face.basis)
        return support(self.known, EXACT, guess)

    def strict_of_known(self, face: Face) -> Array:
        """Those of the rows known on which it is positive."""
        return self.known[~self._on_boundary(face)]

    def on_boundary_of_known(self, face: Face) -> Array:
        """Those on which every direction is zero."""
        return self.known[self._on_boundary(face)]

    def _on_boundary(self, face: Face) -> Mask:
        return ~face.strict if self.few else on_boundary(Dense(self.known), face, face.null)


def unknown(known: Array, rows: Array) -> list[Array]:
    """The rows that are not among those known."""
    seen = {row.tobytes() for row in known}
    return [row for row in rows if row.tobytes() not in seen]


def doubtful_rows(tile: Signed, direction: Array) -> Mask:
    """Rows with a margin that is negative, or small enough to be rounding."""
    return np.asarray(tile.dot(direction) <= ON * np.abs(direction).max() * tile.size())


def on_boundary(tile: Signed, face: Face, view: Array, among: Mask | None = None) -> Mask:
    """The rows, of some, that every direction of the cone is zero on.

    view : of the face's null space, as the rows take it
    """
    on = doubtful_rows(tile, face.direction)
    on = on if among is None else on & among
    on[on] = tile.norms(view, on) <= ON * tile.size()[on]
    return on
