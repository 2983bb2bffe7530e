"""What rows are measured in, so that a cone of them is not narrow beside what a fit can see.

A cone is the same for rows of any length, and its directions are so in any basis. A basis in which rows that lie near
its boundary are orthonormal measures what sets them apart. Where all do, and a few of them are far from the others in
some direction, these alone would be measured: `evenly` takes the rows as directions only.
"""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ..arrays import Array

_EVEN = 0.5  # the least singular value beside the largest, from which rows are even enough
_ROUNDS = 60  # towards that
_MANY = 100  # columns from which products of rows are tried before a singular value decomposition
_TINY = 1e-200  # a square whose parts may be less than numbers go
ROOMY = 1e-8  # beside the largest, the least eigenvalue of products that are exact enough


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
    if (found := _by_products(rows, exact)) is not None:
        size, right, null = found
        return rows @ (right.T / size), size, right, null
    left, size, right = scipy.linalg.svd(rows, full_matrices=m < k)
    rank = int(np.count_nonzero(size > exact * size[0]))
    return left[:, :rank], size[:rank], right[:rank], right[rank:].T


def spectrum(rows: Array, exact: float) -> tuple[Array, Array, Array]:
    """The same without what the rows are in it."""
    found = _by_products(rows, exact) if len(rows) else None
    return decomposed(rows, exact)[1:] if found is None else found


def _by_products(rows: Array, exact: float) -> tuple[Array, Array, Array] | None:
    """The same of many columns by the products of the rows, at a fifth of the cost; None where these lose digits.

    They lose none of the singular values that are large. The null space is only near, and is set right by the rows.
    """
    m, k = rows.shape
    if k < _MANY or m < k:
        return None
    square, vectors = np.linalg.eigh(rows.T @ rows)
    square, vectors = square[::-1], vectors[:, ::-1]
    if not square[0] > _TINY:
        return None
    rank = int(np.count_nonzero(square > ROOMY * square[0]))
    size, right, null = np.sqrt(square[:rank]), vectors[:, :rank].T, vectors[:, rank:]
    if rank < k:
        scaled = right.T / size
        null = scipy.linalg.qr(null - scaled @ (scaled.T @ (rows.T @ (rows @ null))), mode="economic")[0]
        if not np.linalg.norm(rows @ null, 2) <= exact * size[0]:
            return None
    return size, right, null


def whitening(rows: Array, exact: float) -> tuple[Array, NDArray[np.bool_]]:
    """The change of basis that makes the columns of rows orthonormal or zero, and which are not zero."""
    m, k = rows.shape
    if m == 0 or k == 0:
        return np.eye(k), np.zeros(k, dtype=bool)
    size, right, null = spectrum(rows, exact)
    return np.hstack([right.T / size, null]), np.arange(k) < size.size


def normalised(rows: Array) -> Array:
    """Each row over its largest entry."""
    size = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
    return np.asarray(rows / np.where(size > 0, size, 1.0))


def rounding(k: int) -> float:
    """A margin below this share of sum |x_j d_j|, of k terms, is zero but for rounding."""
    return 2.0**-52 * (k + 4)
