"""Mean and deviation of the columns: of a block, exact where a column is constant, and of all rows in one read."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .arrays import CSR, Array
from .data import Block, Data, Sums, is_coded
from .kernels.algebra import product
from .kernels.rows import moment_sums, sparse_moments, units

_ENOUGH = 4096  # rows for a centre and a scale near those of all


@dataclass(frozen=True)
class Moments:
    """Total weight, mean and sum of squared deviations of the columns over the rows seen so far.

    Merged as Chan, Golub and LeVeque do (The American Statistician 37, 1983), which does not cancel.
    """

    total: float
    mean: Array
    squares: Array
    calls: int = 1

    @classmethod
    def of(cls, data: Data) -> "Moments":
        """The moments of all rows."""
        total = float(data.class_weights.sum())
        whole = data.whole()
        if whole is None and not data.sparse:
            center, scale = moments_of(data.sample(_ENOUGH, 0), intercept=True)
            mean, deviation = exact_moments(data, center, np.where(scale > 0, scale, 1.0), intercept=True)
        else:
            every = data.sample(data.n_rows, 0) if whole is None else whole
            mean, deviation = moments_of(every, intercept=True)
        return cls(total, data.center + mean, total * deviation**2)

    def merged(self, earlier: "Moments | None") -> "Moments":
        """The moments of both sets of rows."""
        if earlier is None:
            return self
        total = self.total + earlier.total
        shift = self.mean - earlier.mean
        mean = earlier.mean + shift * (self.total / total)
        squares = self.squares + earlier.squares + shift**2 * (self.total * earlier.total / total)
        return Moments(total, mean, squares, earlier.calls + 1)


def moments_of(block: Block, intercept: bool) -> tuple[Array, Array]:
    """Mean and standard deviation of the columns (0 for a constant one); about 0 without an intercept.

    Deviations are taken from the first row, so that a constant column gives exactly 0.
    """
    X, weight = block.X, block.weight
    sparse = sp.issparse(X)
    if not sparse:
        mean, deviation, usual = units(X, weight, intercept)
        if usual:
            return mean, deviation
    weight = np.full(block.n_rows, 1 / block.n_rows) if weight is None else weight / weight.sum()
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        if sparse:
            return _sparse_moments(X, weight, intercept)
        # Squares overflow or vanish, or a column is constant: once more in units of the largest deviation.
        first = X[0].astype(np.float64) if intercept else np.zeros(X.shape[1])
        deviation = X - first
        unit = _largest(deviation)
        mean, variance = _centred(deviation / unit, weight, intercept)
        return first + mean * unit, unit * np.sqrt(variance)


def _sparse_moments(X: CSR, weight: Array, intercept: bool) -> tuple[Array, Array]:
    """The same of the columns of a CSR array, which is left as it is, with the zeros that are not stored."""
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    unit, mean, square = sparse_moments(X, weight)
    size = X.shape[1]
    mean = mean if intercept else np.zeros(size)
    variance = square - mean**2
    far = variance < 1e-3 * square  # of which a difference keeps too few digits: few columns, with hardly a zero
    if far.any():
        of = far[X.indices]
        j, w = X.indices[of], np.repeat(weight, np.diff(X.indptr))[of]
        v = X.data[of] / unit[j]
        full = np.bincount(j, minlength=size) == X.shape[0]
        zeros = np.where(full, 0.0, np.maximum(1 - np.bincount(j, w, minlength=size), 0.0))
        exact = np.bincount(j, w * (v - mean[j]) ** 2, minlength=size) + zeros * mean**2
        exact[exact <= 1e-28 * mean**2] = 0.0  # all entries equal, none of them left out
        variance[far] = exact[far]
    return np.asarray(unit * mean), np.asarray(unit * np.sqrt(variance))


def _centred(deviation: Array, weight: Array, intercept: bool) -> tuple[Array, Array]:
    mean = product(weight, deviation) if intercept else np.zeros(deviation.shape[1])
    return mean, product(weight, np.square(deviation - mean))


def _largest(deviation: Array) -> Array:
    """The largest size in each column; 1 where all are 0."""
    largest = np.maximum(deviation.max(axis=0), -deviation.min(axis=0))
    return np.where(largest > 0, largest, 1.0)


def exact_moments(data: Data, center: Array, unit: Array, intercept: bool) -> tuple[Array, Array]:
    """Mean and standard deviation over all rows, about a centre and in a unit that are already close."""

    def sums(block: Block) -> Sums:
        if is_coded(block.rows):
            return block.rows.moments(block.weight, unit)
        if sp.issparse(block.X):
            weight = np.ones(block.n_rows) if block.weight is None else block.weight
            X = block.X @ sp.diags_array(1 / unit)
            return weight.sum(), weight @ X, weight @ X.multiply(X)
        return moment_sums(block.X, block.weight, center, unit)

    total, first, second = data.reduce(sums)
    shift = first / total if intercept else np.zeros_like(center)
    variance = second / total - shift**2
    variance[variance <= 1e-14 * second / total] = 0.0
    return center if data.sparse else center + shift * unit, np.sqrt(variance) * unit
