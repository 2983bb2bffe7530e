"""The proof of `balance` beside two factors of many levels, by products with the rows: no matrix is made of either.

Let G be the products of the weighted rows and g their sum, D the blocks that levels have in G (see
`class_arrow.class_blocks`), e the least eigenvalue of D^-1 G, and lambda the least weight. Where G s = g - r, fitted
values are those of s and of G^-1 r, which are at most sqrt(r' D^-1 r / (e lambda)). Often no s is needed.
"""

import numpy as np

from ..arrays import Array
from ..arrow import Arrow
from ..class_arrow import class_blocks
from ..data import Block, Sums
from ..kernels.algebra import dot
from ..objective.row_sums import coded_blocks
from ..solvers.conjugate import Times, conjugate_gradients
from ..solvers.costs import FEW_ELIMINATED
from ..solvers.eliminated import Eliminated
from .coded_balance import CodedSides
from .sides import SignedHome

_TURNS = 3  # of inverse iteration
_ROUGHLY = 1e-4  # of the square of what each of them solves for, what may be left
_SURE = 10.0  # times the least eigenvalue, what it may seem to be
_LITTLE = 0.1  # of a fitted value, what may be left


def by_products(signed: SignedHome, rows: CodedSides) -> bool:
    """Whether the proof is to be looked for so: beside the widest factor there are many columns, in memory."""
    layout = signed.data.layout
    if layout is None or signed.data.whole() is None:
        return False
    return layout.beside * rows.n_free > FEW_ELIMINATED


class Balance:
    """The products of the rows with given multipliers (n_rows, K - 1).

    least : of these
    total : the sum of the rows, in theta's columns
    """

    def __init__(self, signed: SignedHome, rows: CodedSides, multipliers: Array) -> None:
        self._signed, self._rows, self._multipliers = signed, rows, multipliers
        self.least = float(multipliers.min(initial=np.inf))

        def sums(block: Block) -> Sums:
            own = self._of(block)
            return *rows.total(block, own), *coded_blocks(block.rows, np.array(rows.weights(block, own)))

        by_intercept, by_coef, *made = signed.reduce(sums)
        layout = signed.data.layout
        assert layout is not None
        self.total = rows.in_theta(by_intercept, by_coef)
        self.blocks: Arrow = class_blocks(layout, rows.coordinates, rows.n_free, made)
        self.metric = Eliminated(self.blocks)

    def product(self, direction: Array) -> Array:
        """G times a direction: one read."""
        rows = self._rows
        found = self._signed.reduce(lambda block: rows.total(block, rows.margins(block, direction) * self._of(block)))
        return rows.in_theta(*found)

    def most(self, step: Array) -> float:
        """The largest fitted value."""
        rows = self._rows
        return float(max(self._signed.reduce(lambda block: ([float(rows.margins(block, step).max(initial=0.0))],))[0]))

    def least_eigenvalue(self) -> float:
        """About that of D^-1 G, and hardly more."""
        x = np.sqrt(self.blocks.diagonal()) * np.random.default_rng(0).choice([-1.0, 1.0], self.total.size)
        found = np.inf
        for _ in range(_TURNS):
            step, rest = self.solved(x, _ROUGHLY * dot(x, self.metric.solve(x)))
            x, curved = self.blocks @ step, dot(step, x - rest)
            found = min(found, curved / dot(step, x))
        return found

    def solved(self, g: Array, enough: float) -> tuple[Array, Array]:
        """About G^-1 g, and what of g is left, until the square of its norm is so small."""
        product: Times = self.product
        return conjugate_gradients(product, self.metric.solve, g, lambda rest, size: size <= enough)

    def _of(self, block: Block) -> Array:
        return self._multipliers[block.first : block.first + block.n_rows]


def proved(balance: Balance, certain: float, below: float) -> bool:
    """Whether the multipliers, corrected, balance the rows.

    certain : an eigenvalue of blocks, whose diagonal is 1, that is not rounding; below : a fitted value below 1
    """
    if not balance.metric.least() > certain:
        return False
    eigenvalue = balance.least_eigenvalue()
    if not eigenvalue > certain:
        return False
    unit = eigenvalue * balance.least / _SURE
    g = balance.total
    if dot(g, balance.metric.solve(g)) < below**2 * unit:
        return True
    step, rest = balance.solved(g, _LITTLE**2 * unit)
    left = np.sqrt(dot(rest, balance.metric.solve(rest)) / unit)
    return bool(balance.most(step) + left < below)
