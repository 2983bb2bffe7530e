"""The Hessian of several classes over coded rows, by its parts: an `Arrow` from the products of each two classes.

Of the scores z_a of the classes that have coefficients the second derivatives are s p_a (1{a=b} - p_b), so that the
Hessian is one of products of columns for each two of them. These are diagonal on the levels of the widest factor, and
together have a block (F, F) a level.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .arrays import Array
from .arrow import Arrow, products
from .coordinates import Coordinates
from .data import Sums
from .data.coded import Coded, Layout
from .kernels.coded import coded_products


def pairs(n_free: int) -> list[tuple[int, int]]:
    """Each of the classes that have coefficients with itself and with those that follow, in the order of all here."""
    return [(a, b) for a in range(n_free) for b in range(a, n_free)]


def pair_weights(P: Array, rest: Array, weight: Array | None, n_free: int) -> list[Array]:
    """The second derivatives of the rows' losses by the scores of each two classes, times the weights of the rows.

    P, rest : (m, K) the probabilities, and 1 less these, of all classes; those that have coefficients are the last
    """
    first = P.shape[1] - n_free
    scaled = P if weight is None else P * weight[:, None]
    return [scaled[:, first + a] * (rest[:, first + a] if a == b else -P[:, first + b]) for a, b in pairs(n_free)]


def pair_products(rows: Coded, weights: Iterable[Array]) -> Sums:
    """The products of the columns of coded rows by each of some weights (m,), one after another."""
    found: list[Any] = []
    for weight in weights:
        found += coded_products(rows, weight, rows.layout.wide)
    return tuple(found)


def class_arrow(layout: Layout | None, coordinates: Coordinates, n_free: int, sums: Sequence[Any]) -> Arrow:
    """The matrix of the columns of theta from what `pair_products` gives, summed over all rows."""
    if layout is None:
        raise AssertionError("only coded rows have a wide factor")
    solved = coordinates.columns, coordinates.inverse, coordinates.intercept
    four = (sums[k : k + 4] for k in range(0, len(sums), 4))
    parts = [products(layout, *solved, (a, b, c, d)) for a, b, c, d in four]
    return _of_classes(parts, n_free)


def class_blocks(layout: Layout, coordinates: Coordinates, n_free: int, sums: Sequence[Any]) -> Arrow:
    """The part of that matrix that levels of factors share with none, the intercept with the numbers only.

    sums : for each two classes the products of the numbers, after a one (pairs, 1 + d, 1 + d), and those of each column
        with itself (p, pairs), summed over all rows
    """
    solved, places, first = coordinates.columns, coordinates.places, int(coordinates.intercept)
    numbers = np.isin(solved, layout.columns)
    few = np.concatenate([np.arange(first), first + np.flatnonzero(numbers)])
    many = first + np.flatnonzero(~numbers)
    at = np.concatenate([np.arange(first), 1 + np.searchsorted(layout.columns, solved[numbers])])
    scale = np.concatenate([np.ones(first), coordinates.inverse[solved[numbers]]])
    own, nothing = places[many] - first, np.zeros((many.size, few.size))
    parts = [
        Arrow(
            few,
            many[:, None],
            products[np.ix_(at, at)] * np.outer(scale, scale),
            nothing,
            (squares[own] * coordinates.inverse[own] ** 2)[:, None, None],
        )
        for products, squares in zip(sums[0], sums[1].T, strict=True)
    ]
    return _of_classes(parts, n_free)


def _of_classes(parts: Sequence[Arrow], n_free: int) -> Arrow:
    """The matrix of all classes, whose places are one after another, from those of their `pairs`."""
    one, F = parts[0], n_free
    k, L = one.few.size, len(one.many)
    A, B, D = np.empty((F, k, F, k)), np.empty((L, F, F, k)), np.empty((L, F, F))
    for part, (a, b) in zip(parts, pairs(F), strict=True):
        A[a, :, b] = A[b, :, a] = part.A
        B[:, a, b] = B[:, b, a] = part.B
        D[:, a, b] = D[:, b, a] = part.D[:, 0, 0]
    after = len(one) * np.arange(F)
    few = (after[:, None] + one.few).ravel()
    return Arrow(few, one.many + after, A.reshape(F * k, F * k), B.reshape(L * F, F * k), D)
