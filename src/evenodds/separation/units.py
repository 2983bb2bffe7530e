"""What rows are measured in, so that a cone of them is not narrow beside the tolerance of a programme or a fit.

A cone is the same for rows of any length, and its directions are so in any basis. A basis in which rows that lie near
its boundary are orthonormal measures what sets them apart. Where all do, and a few of them are far from the others in
some direction, these alone would be measured: `evenly` takes the rows as directions only.
"""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ..data import Array

_EVEN = 0.5  # the least singular value beside the largest, from which rows are even enough
_ROUNDS = 60  # towards that


def in_units_of(rows: Array, near: NDArray[np.bool_], exact: float) -> tuple[Array, Array, float]:
    """A basis in which some rows are orthonormal, and what they leave free is so for the others.

    And all rows in it, with what is rounding in them.
    """
    left, size, right, null = decomposed(rows[near], exact)
    change, seen_there = whitening(rows[~near] @ null, exact)
    free = null @ change[:, seen_there]
    basis = np.hstack([right.T / size, free])
    seen = rows @ basis
    seen[near] = np.hstack([left, np.zeros((len(left), free.shape[1]))])
    return basis, normalised(seen), noise_of(size, exact)


def evenly(rows: Array, exact: float) -> tuple[Array, Array, float]:
    """The same in a basis that spreads the directions of all rows evenly (Tyler, Annals of Statistics 15, 1987)."""
    basis = in_units_of(rows, np.ones(len(rows), dtype=bool), exact)[0]
    for _ in range(_ROUNDS):
        seen = rows @ basis
        seen /= np.linalg.norm(seen, axis=1, keepdims=True)
        _, size, right = scipy.linalg.svd(seen, full_matrices=False)
        if not size[-1] > exact * size[0]:
            break
        basis = basis @ (right.T / size)
        basis /= np.abs(basis).max()
        if size[-1] > _EVEN * size[0]:
            break
    seen = rows @ basis
    terms = np.abs(rows) @ np.abs(basis)
    noise = exact * (terms.max(axis=1) / np.abs(seen).max(axis=1)).max()
    return basis, normalised(seen), float(max(exact, noise))


def noise_of(size: Array, exact: float) -> float:
    """What is rounding in units of the least of singular values."""
    return float(max(exact, 0.02 * exact * size[0] / size[-1])) if size.size else exact


def decomposed(rows: Array, exact: float) -> tuple[Array, Array, Array, Array]:
    """The singular value decomposition without what is rounding, and an orthonormal basis of the null space."""
    m, k = rows.shape
    if m == 0:
        return np.empty((0, 0)), np.empty(0), np.empty((0, k)), np.eye(k)
    left, size, right = scipy.linalg.svd(rows, full_matrices=m < k)
    rank = int(np.count_nonzero(size > exact * size[0]))
    return left[:, :rank], size[:rank], right[:rank], right[rank:].T


def whitening(rows: Array, exact: float) -> tuple[Array, NDArray[np.bool_]]:
    """The change of basis that makes the columns of rows orthonormal or zero, and which are not zero."""
    m, k = rows.shape
    if m == 0 or k == 0:
        return np.eye(k), np.zeros(k, dtype=bool)
    _, size, right = scipy.linalg.svd(rows, full_matrices=m < k)
    scale = np.zeros(k)
    scale[: size.size] = size
    seen = scale > exact * size[0]
    return right.T / np.where(seen, scale, 1.0), seen


def normalised(rows: Array) -> Array:
    """Each row over its largest entry."""
    size = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
    return np.asarray(rows / np.where(size > 0, size, 1.0))


def rounding(k: int) -> float:
    """A margin below this share of sum |x_j d_j|, of k terms, is zero but for rounding."""
    return 2.0**-52 * (k + 4)
