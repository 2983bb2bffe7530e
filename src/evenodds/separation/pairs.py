"""What pairs of classes tell of the directions that separate several: a space that these lie in.

The rows of the classes a and b see nothing but the difference of their parts, d_a - d_b, and leave it a cone of its
own. Where they balance, for one, it is zero, and the two classes move as one. To know that of a pair takes a fit of as
many coefficients as there are columns, where all classes together have K - 1 times as many: for all pairs a K-th of the
work.

The differences along the edges of a forest, whose nodes are the classes, can be chosen freely of one another. So where
each lies in a space of its own, the directions lie in the sum of these, and no rank has to be told from rounding.
"""

import itertools

import numpy as np

from ..arrays import Array, Mask
from ..data import Data
from ..objective.softmax import dense_design
from .cone import span_of
from .sides import ManySides

_ROWS = 30  # a coefficient: the fits on fewer are often separated
_MOST_ENTRIES = 20_000_000


def span_of_pairs(data: Data, sides: ManySides, exact: float) -> Array:
    """Orthonormal directions (n_coef, q) of a space that the cone of all rows lies in."""
    K, k = sides.n_classes, sides.n_columns
    block = data.sample(min(data.n_rows, _ROWS * k * K, _MOST_ENTRIES // k), 0)
    D = dense_design(sides.coordinates, block)
    rows = [D[block.y == own] for own in range(K)]
    together = np.eye(K, dtype=bool)  # the classes of a tree, for each in it
    edges: list[tuple[Mask, Array]] = []  # the classes on one side of it, and what the difference across it lies in
    for a, b in itertools.combinations(range(K), 2):
        if together[a, b]:
            continue
        space = span_of(np.vstack([rows[a], -rows[b]]), exact)
        if space.shape[1] == k:
            continue
        for side, _ in edges:
            side |= together[b] if side[a] else together[a] if side[b] else False
        edges.append((together[b].copy(), space))
        joined = together[a] | together[b]
        together[joined] = joined
    parts = [(side ^ together[0] if side[0] else side, space) for side, space in edges]
    parts += [(tree, np.eye(k)) for tree in np.unique(together, axis=0) if not (sides.baseline and tree[0])]
    moves = [np.kron(moving[sides.baseline :, None], space) for moving, space in parts]
    basis: Array = np.linalg.qr(np.hstack([np.zeros((sides.n_coef, 0)), *moves]))[0]
    return basis
