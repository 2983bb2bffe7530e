"""What single levels of factors separate, as directions of their own (`lone_levels`): rays.

A row sees few of them. Those that share rows, if by way of others, are one group, and what one of these may do can
hang by the others: a level within another one that separates may go either way. The judge is asked about such a group
alone, which has a dimension for each ray; a ray with rows of its own only is positive.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from ..arrays import Array, Mask, Matrix, Numbers
from ..coordinates import Coordinates
from ..data import Block, Sums
from ..data.memory import Memory
from ..objective.softmax import sparse_design
from .recession import Recession, separation_of
from .sides import SignedHome, two_sided

ROUNDING = 1e-10  # of what a direction moves a row by
_MOST = 100  # rays of a group, of which the judge is asked


@dataclass(frozen=True)
class Rays:
    """The rays (q, d), and what the rows see of them.

    rows : (n, d) CSR, how much each moves a row to its own side; 0 for rows that none makes certain
    group : (d,) the number of each one's group
    separated : (n,) the rows that are certain
    """

    rows: Matrix
    group: Numbers
    separated: Mask

    @classmethod
    def of(cls, signed: SignedHome, null: Matrix, separated: Mask) -> Rays:
        """Of the rows of two classes."""
        (parts,) = signed.reduce(functools.partial(_seen, coordinates=signed.sides.coordinates, null=null))
        rows = sp.csr_array(sp.diags_array(separated.astype(float)) @ sp.vstack(parts))
        rows.data[np.abs(rows.data) < ROUNDING] = 0.0
        rows.eliminate_zeros()
        return cls(rows, connected_components(rows.T @ rows, directed=False)[1], separated)

    def left(self, moves: Array) -> Mask | None:
        """The rows that are not certain where what the rays move by so much (d,) is held; None if no more are."""
        among = np.flatnonzero(np.isin(self.group, self.group[moves != 0]))
        some, seen = self._rows_of(among)
        held, certain = scipy.linalg.null_space(moves[None, among]), np.zeros(some.size, dtype=bool)
        if held.shape[1]:
            certain = certain_along(seen, held).separated
        left = ~self.separated
        left[some] = ~certain
        return None if certain.all() else left

    def signs(self, moves: Matrix) -> Array:
        """inf, -inf or NaN for functions that the rays move by (m, d), 0 where they do not."""
        moves = sp.csr_array(moves)
        moves.data[np.abs(moves.data) < ROUNDING] = 0.0
        moves.eliminate_zeros()
        size = np.bincount(self.group, minlength=1)[self.group]
        large = (size > 1) & (size <= _MOST)
        up, down = ((moves * sign).maximum(0)[:, ~large].sum(axis=1) > 0 for sign in (1, -1))
        for each in np.unique(self.group[large]):
            among = np.flatnonzero(self.group == each)
            asked = moves[:, among]
            at = np.flatnonzero(np.diff(asked.indptr))
            if at.size:
                ways, places = np.unique(asked[at].toarray(), axis=0, return_inverse=True)
                found = _judged(self._rows_of(among)[1], ways).infinite[places.ravel()]
                up[at] |= ~(found <= 0)
                down[at] |= ~(found >= 0)
        return np.where(up & down, np.nan, np.where(up, np.inf, np.where(down, -np.inf, 0.0)))

    def _rows_of(self, among: Numbers) -> tuple[Numbers, Array]:
        """The rows that see some of the rays: their numbers, and what they see."""
        seen = sp.csr_array(self.rows[:, among])
        some = np.flatnonzero(np.diff(seen.indptr))
        return some, seen[some].toarray()


def certain_along(freely: Array, held: Array) -> Recession:
    """Which rows a direction makes certain, of those that keep a function of theta at its value.

    freely : (n, d) what separating directions move rows by; held : (d, h) the combinations of them that are looked at
    """
    moved = freely @ held
    moved[np.abs(moved) <= ROUNDING * np.linalg.norm(freely, axis=1, keepdims=True)] = 0.0
    return _judged(moved, None)  # of which no signs are asked


def _judged(rows: Array, functionals: Array | None) -> Recession:
    """What separates rows that all have to be on one side."""
    d, home = rows.shape[1], Memory(rows, np.ones(len(rows), dtype=np.uint8))
    plain = Coordinates(np.zeros(d), np.ones(d), np.arange(d), False)
    return separation_of(two_sided(home, plain), functionals, signs=functionals is not None)


def _seen(block: Block, coordinates: Coordinates, null: Matrix) -> Sums:
    sign = sp.diags_array(np.where(block.y > 0, 1.0, -1.0))
    return ([sign @ sparse_design(coordinates, block) @ null],)
