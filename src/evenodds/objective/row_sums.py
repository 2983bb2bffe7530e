"""Sums over the rows of one block, dense, CSR or coded: loss, gradient, curvature, and scores."""

from typing import Any

import numpy as np
from scipy.special import expit

from ..arrays import Array
from ..coordinates import Coordinates
from ..data import Block, Sums, is_coded
from ..data.apart import Apart
from ..data.coded import Coded
from ..kernels.algebra import dot, grams, product
from ..kernels.coded import coded_products, coded_sums
from ..kernels.rows import apart_sums, dense_sums, second_order_sums, sparse_curvature, sparse_sums


def first_order(block: Block, coordinates: Coordinates, theta: Array) -> Sums:
    """Loss, residual sum and gradient by the (centred) coefficients (p,): one read of a block."""
    intercept, coef = coordinates.split(theta)
    if is_coded(block.rows):
        return _coded_order(block, intercept, coef, 2)[:3]
    if isinstance(block.rows, Apart):
        beside = (block.y, block.weight, block.offset)
        return apart_sums(block.rows.columns, *beside, intercept, coef, coordinates.center)
    rows = (block.X, block.y, block.weight, block.offset, intercept, coef)
    return sparse_sums(*rows) if block.sparse else dense_sums(*rows, coordinates.center, near=coordinates.close)


def second_order(block: Block, coordinates: Coordinates, theta: Array) -> Sums:
    """Loss, gradient and Hessian by theta: one read of a dense block."""
    places, p = coordinates.places, coordinates.center.size
    every = np.zeros(p + int(coordinates.intercept))
    every[places] = theta
    rows = (block.X, block.y, block.weight, block.offset)
    loss, gradient, hessian = second_order_sums(*rows, every, coordinates.center, coordinates.inverse)
    return loss, gradient[places], coordinates.square(hessian)


def _coded_order(block: Block, intercept: float, coef: Array, width: int, bend: bool = False) -> Sums:
    """Of coded rows what `curvature_sums` gives, without curvature for a width of 2; if asked h, last."""
    rows = block.rows
    layout = rows.layout
    numbers, table = np.zeros((width, 1 + layout.columns.size)), np.zeros((layout.places.size, width))
    numbers[0] = intercept, *coef[layout.columns]
    table[:, 0] = np.append(coef, 0.0)[layout.places]
    loss, h = coded_sums(rows, block.y, block.weight, block.offset, numbers, table, bend=bend)
    every = np.zeros((width, coef.size + 1))
    every[:, layout.places] = table.T
    every[:, layout.columns] = numbers[:, 1:]
    slopes = every[:, :-1]
    if width == 2:
        return (loss, numbers[1, 0], slopes[1].copy(), h)
    return loss, numbers[1, 0], slopes[1].copy(), numbers[2, 0], slopes[2].copy(), slopes[3].copy()


def coded_second_order(block: Block, coordinates: Coordinates, theta: Array) -> Sums:
    """Loss, residual sum, gradient by the coefficients, and the products for the Hessian."""
    loss, residual, by_coef, h = _coded_order(block, *coordinates.split(theta), 2, bend=True)
    return loss, residual, by_coef, *coded_products(block.rows, h, block.rows.layout.wide)


def coded_gradient(rows: Coded, r: Array, power: int = 1) -> tuple[Any, Array]:
    """The sum of r (m,) or (m, F) over coded rows, and that of r x, or for a power of 2 of r x^2: (p,) or (p, F)."""
    layout, found = rows.layout, np.zeros((rows.layout.n_columns, *r.shape[1:]))
    found[layout.columns] = product((rows.numbers if power == 1 else np.square(rows.numbers)).T, r)
    each = r[:, None] if r.ndim == 1 else r
    for f, (first, count) in enumerate(zip(layout.firsts, layout.counts, strict=True)):
        entry, at = rows.entry(f), rows.codes[f] + 1
        for k, one in enumerate(each.T):
            sums = np.bincount(at, one if entry is None else one * entry**power, count + 1)[1:]
            found.reshape(layout.n_columns, -1)[first : first + count, k] = sums
    return r.sum(axis=0), found


def coded_blocks(rows: Coded, weights: Array) -> Sums:
    """What `class_blocks` is made of, for some rows, by the weights (pairs, m) of each two classes."""
    numbers = np.column_stack([np.ones(rows.shape[0]), rows.numbers])
    return grams(numbers, weights), coded_gradient(rows, weights.T, power=2)[1]


def coded_scores(rows: Coded, intercept: object, coef: Array) -> Array:
    """The score of each coded row (m,), or the scores (m, F) by coefficients (p, F)."""
    layout = rows.layout
    scores = product(rows.numbers, coef[layout.columns]) + intercept
    for f, (first, count) in enumerate(zip(layout.firsts, layout.counts, strict=True)):
        known, entry = np.concatenate([coef[first : first + count], np.zeros((1, *coef.shape[1:]))]), rows.entry(f)
        own = known[rows.codes[f]]
        scores += own if entry is None else own * (entry if coef.ndim == 1 else entry[:, None])
    return np.asarray(scores)


def linear_predictor(block: Block, coordinates: Coordinates, theta: Array) -> Array:
    """The score of each row, without the offset."""
    intercept, coef = coordinates.split(theta)
    if is_coded(block.rows):
        return coded_scores(block.rows, intercept, coef)
    if block.sparse:
        return np.asarray(block.X @ coef + intercept)
    if coordinates.near:
        return np.asarray(product(block.X, coef) + (intercept - dot(coordinates.center, coef)))
    return np.asarray(product(block.X - coordinates.center, coef) + intercept)


def curvature_sums(block: Block, intercept: float, coef: Array, center: Array, bends: Array | None = None) -> Sums:
    """Of one read: what `first_order` gives, and sum(h), sum(h x) and sum(h x^2) of the (centred) columns,
    h = s p (1 - p).

    bends : (n_rows,) room for h itself of all rows, which are sparse
    """
    if is_coded(block.rows):
        return _coded_order(block, intercept, coef, 4)
    if block.sparse:
        own = None if bends is None else bends[block.first : block.first + block.n_rows]
        return sparse_curvature(block.X, block.y, block.weight, block.offset, intercept, coef, own)
    X = block.X - center
    z = X @ coef + intercept
    h = curvature(block, z)
    z = z if block.offset is None else z + block.offset
    weight = np.ones(block.n_rows) if block.weight is None else block.weight
    r = weight * (expit(z) - block.y)
    loss = float(weight @ np.logaddexp(0.0, np.where(block.y > 0, -z, z)))
    return loss, r.sum(), r @ X, h.sum(), h @ X, h @ np.square(X, out=X)


def curvature(block: Block, z: Array) -> Array:
    """s p (1 - p) of each row, from the scores without the offset."""
    if block.offset is not None:
        z = z + block.offset
    t = np.exp(-np.abs(z))
    h = t / (1.0 + t) ** 2
    return h if block.weight is None else h * block.weight
