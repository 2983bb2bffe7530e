"""Coordinates in which columns are alike, and which columns there are to solve for.

Solvers work with theta = (b', w'), w'_j = scale_j w_j and the intercept taken at `center`, so that
z = b' + sum_j w'_j (x_j - center_j) / scale_j. This is an affine change of the coefficients: X is never
scaled or copied, and any center and scale give the same optimum. They only keep the digits, so a sample
of the rows is enough to choose them, except where the penalty is to be taken in units of the scale.

Without a penalty a column that is a linear combination of earlier ones (or constant beside an intercept)
has no coefficient of its own. It is aliased: left out of theta, as R's `lm` does with its pivoted QR
factorisation, tolerance 1e-7 included.
"""

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from .arrays import Array, Mask, Matrix, dense
from .arrow import is_wide, null_space, products
from .data import Block, Data, Sums, require_finite
from .data.coded import Layout
from .exceptions import EvenOddsError
from .kernels.algebra import cholesky, dot, product
from .kernels.coded import coded_products
from .kernels.rows import AT_ONCE, centres, second_order_sums
from .moments import Moments, exact_moments, moments_of

_DEPENDENT = 1e-7  # a column this close to its span, beside its own size, is a combination of the others
_NO_LENGTH = 1e-10  # the square of a length, beside a size of 1, that rounding of products may hide
_NOTHING = 1e-6  # of a combination of columns, a part that is none
_LEAST = 1e-303  # a deviation below it is none: the coefficient could not be represented
_LIGHT = 1e-8  # of the heaviest row: the least weight where only digits are at stake
_ENOUGH_ROWS = 1024  # for a centre and a scale
_NEAR = 30.0  # means up to so many deviations from 0 cost a sum no more than two digits
_CLOSE = 3.0  # and up to so many hardly any
_MOST_COLUMNS = 3000  # beyond which only constant columns are looked for: the factorisation would cost too much


@dataclass(frozen=True)
class Coordinates:
    """The affine change between coefficients and theta.

    center, scale : (p,), of all columns; the scale of one that has nothing to tell, but is not left out, is infinite
    columns : (k,) the columns that are solved for; the others are aliased, with coefficient 0
    intercept : whether theta[0] is an intercept
    reads : of all data, that it took to find them
    """

    center: Array
    scale: Array
    columns: Any
    intercept: bool
    reads: int = 0

    def aliased(self) -> list[int]:
        """The columns that are not solved for."""
        if self.columns.size == self.center.size:
            return []
        return [int(column) for column in np.setdiff1d(np.arange(self.center.size), self.columns)]

    def told_nothing(self, free: Mask) -> list[int]:
        """The `free` columns that are not left out and stay at 0: they are aliased too."""
        return [int(column) for column in np.flatnonzero(free & np.isinf(self.scale))]

    @functools.cached_property
    def inverse(self) -> Array:
        """(p,) 1 / scale of the columns that are solved for, 0 of the others."""
        if self.columns.size == self.scale.size:
            return 1 / self.scale
        found = np.zeros(self.scale.size)
        found[self.columns] = 1 / self.scale[self.columns]
        return found

    @functools.cached_property
    def places(self) -> NDArray[np.intp]:
        """(k,) where the entries of theta stand among those of an intercept, if there is one, and of all columns."""
        first = int(self.intercept)
        return np.concatenate([np.arange(first), self.columns + first])

    @functools.cached_property
    def _solved(self) -> Any:
        """The columns that are solved for, as an index: of all of them one that takes no copy."""
        return slice(None) if self.columns.size == self.scale.size else self.columns

    def square(self, matrix: Array) -> Array:
        """The rows and columns for theta of a matrix for an intercept, if there is one, and all columns."""
        every = self.columns.size == self.scale.size
        return matrix if every else matrix[np.ix_(self.places, self.places)]

    @functools.cached_property
    def near(self) -> bool:
        """Whether the columns' means are so near 0 that X can be multiplied as it is, and centred after the fact."""
        return bool((np.abs(self.center) <= _NEAR * self.scale).all())

    @functools.cached_property
    def close(self) -> bool:
        """The same, where hardly any digits are lost: for sums whose rounding errors have to be small."""
        return bool((np.abs(self.center) <= _CLOSE * self.scale).all())

    def split(self, theta: Array) -> tuple[float, Array]:
        """The intercept at `center`, and the coefficients (p,)."""
        slopes, shift = (theta[1:], float(theta[0])) if self.intercept else (theta, 0.0)
        if self.columns.size == self.scale.size:
            return shift, slopes / self.scale
        coef = np.zeros(self.center.size)
        coef[self.columns] = slopes / self.scale[self.columns]
        return shift, coef

    def join(self, intercept: object, coef: Array) -> Array:
        """Theta from the intercept at `center` and numbers a column (p,), multiplied by the scale."""
        scale = self.scale[self._solved]
        slopes = np.where(np.isinf(scale), 0.0, coef[self._solved]) * np.where(np.isinf(scale), 1.0, scale)
        return np.concatenate([[intercept], slopes]) if self.intercept else slopes

    def for_block(self, block: Block, theta: Array) -> tuple[float, Array]:
        """The intercept and the coefficients (p,) for the rows of a block as they are: sparse ones are centred."""
        return self.split(theta) if block.sparse else self.to_coef(theta)

    def to_coef(self, theta: Array) -> tuple[float, Array]:
        """The intercept and the coefficients (p,) of the raw columns."""
        intercept, coef = self.split(theta)
        return intercept - dot(coef, self.center), coef

    def to_coefs(self, thetas: Array) -> tuple[Array, Array]:
        """The same for each row of `thetas`: (m,) and (m, p)."""
        coefs = np.zeros((len(thetas), self.center.size))
        slopes = thetas[:, int(self.intercept) :]
        away = np.flatnonzero(slopes.any(axis=0))  # of a path of many columns few
        columns = self.columns[away]
        some = slopes[:, away] / self.scale[columns]
        coefs[:, columns] = some
        return (thetas[:, 0] if self.intercept else 0.0) - product(some, self.center[columns]), coefs

    def from_coef(self, intercept: float, coef: Array) -> Array:
        """Theta for an intercept and coefficients of the raw columns."""
        return self.join(intercept + dot(coef, self.center), coef)

    def gradient(self, by_intercept: object, by_coef: Array) -> Array:
        """A gradient by theta from the ones by the intercept and by the (centred) coefficients; of tables each row."""
        slopes = by_coef[..., self._solved] / self.scale[self._solved]
        first = np.asarray(by_intercept, np.float64)[..., None]
        return np.concatenate([first, slopes], axis=-1) if self.intercept else slopes

    def design(self, block: Block, out: Array | None = None) -> Any:
        """The columns of a block in these coordinates, without the intercept: (m, k), dense or CSR."""
        every = self.columns.size == self.scale.size
        X = block.X if every else block.X[:, self.columns]
        scale = self.scale[self._solved]
        if sp.issparse(X):
            return X @ sp.diags_array(1 / scale)
        X = np.subtract(X, self.center[self._solved], out=out)
        X /= scale
        return X


def choose_coordinates(
    data: Data,
    sample: Block,
    *,
    intercept: bool,
    standardize: bool,
    strength: float,
    exact_mean: bool = False,
    every: bool = False,
) -> Coordinates:
    """Coordinates from a sample of the rows; exact ones where they matter (see the module).

    strength : curvature of the penalty, lam; columns whose own curvature is less are scaled by it (unless the
        penalty is in units of the scale). Without one, aliased columns are left out.
    exact_mean : centre at the mean even where a few far rows drag it out of the midst of the others
    every : leave no column out: the penalty, or a bound, decides on them
    """
    drop_aliased = strength == 0 and not every
    whole = sample.n_rows == data.n_rows
    if not whole and sample.n_rows > 2 * _ENOUGH_ROWS and sample.n_rows > 2 * data.n_columns:
        sample = sample.take(slice(None, None, sample.n_rows // max(_ENOUGH_ROWS, data.n_columns)))
    center, scale = moments_of(sample if standardize else _levelled(sample), intercept)
    center = data.center if data.sparse else center
    reads = 0
    if not whole and (standardize or ((drop_aliased or not data.sparse) and (scale == 0).any())):
        center, scale = exact_moments(data, center, np.where(scale > 0, scale, 1.0), intercept)
        reads = 1
    if standardize and not intercept and not drop_aliased:
        around, deviation = moments_of(sample, intercept=True)
        if not whole:
            deviation = exact_moments(data, around, np.where(deviation > 0, deviation, 1.0), intercept=True)[1]
            reads = 2
        scale = about_mean(deviation, scale)
    if not np.isfinite(scale).all():
        require_finite(data)
        far = int(np.flatnonzero(~np.isfinite(scale))[0])
        raise EvenOddsError(f"The values of column {far} are further apart than numbers go: divide the column by 10.")
    if intercept and not exact_mean and not data.sparse:
        center = centres(sample.X, center)
    constant = scale < _LEAST
    scale = _usable(scale, 0.0 if standardize else strength)
    columns = np.arange(data.n_columns)
    if not drop_aliased:
        if data.sparse and (constant := constant & whole).any():  # not centred: 0 from there if it has no entry
            constant &= np.bincount(sample.X.indices, sample.X.data != 0, data.n_columns) == 0
        scale = np.where(constant, np.inf, scale) if every else scale
        return Coordinates(center, scale, columns, intercept, reads)
    return independent(data, sample, Coordinates(center, scale, columns[~constant], intercept, reads))


def coordinates_of(moments: Moments, data: Data, *, intercept: bool, standardize: bool, strength: float) -> Coordinates:
    """Coordinates of all columns from the moments of the rows so far, about zero without an intercept.

    standardize, strength : see `choose_coordinates`
    """
    center = moments.mean if intercept and not data.sparse else data.center
    deviation = np.sqrt(moments.squares / moments.total)
    scale = np.hypot(deviation, moments.mean - center)
    scale = about_mean(deviation, scale) if standardize else scale
    return Coordinates(center, _usable(scale, strength), np.arange(scale.size), intercept)


def _levelled(sample: Block) -> Block:
    """The rows, none of them so light that it has no say in the scale, or in which columns there are.

    Seen in a scale far below its own, all of a row but one entry is rounding.
    """
    weight = sample.weight
    return sample if weight is None else replace(sample, weight=np.maximum(weight, _LIGHT * weight.max(initial=0.0)))


def about_mean(deviation: Array, size: Array) -> Array:
    """The unit of a penalty without an intercept: the deviation about the mean; of a constant column its size."""
    return np.where(deviation > 1e-14 * size, deviation, size)


def independent(data: Data, sample: Block, coordinates: Coordinates) -> Coordinates:
    """The coordinates without columns that are combinations of earlier ones, if they are not too many to know."""
    columns = coordinates.columns
    if data.layout is not None and is_wide(data.layout):
        dependent, reads = _dependent_beside_wide(data, data.layout, coordinates)
        return replace(coordinates, columns=np.delete(columns, dependent), reads=coordinates.reads + reads)
    if columns.size > _MOST_COLUMNS:
        return coordinates
    dependent, reads = _dependent_columns(data, sample, coordinates)
    if not (dependent.size or reads):
        return coordinates
    return replace(coordinates, columns=np.delete(columns, dependent), reads=coordinates.reads + reads)


def without_repeats(data: Data, sample: Block, coordinates: Coordinates, free: Mask) -> Coordinates:
    """Coordinates in which `free` columns that are combinations of earlier ones stay at 0, by an infinite scale.

    free : (p,) the columns that neither a penalty nor a bound decides on; those that are left out as constant stay so
    """
    asked = free & np.isfinite(coordinates.scale)
    if not asked.any():
        return coordinates
    found = independent(data, sample, replace(coordinates, columns=np.flatnonzero(asked)))
    asked[found.columns] = False
    if not asked.any():
        return replace(coordinates, reads=found.reads)
    return replace(coordinates, scale=np.where(asked, np.inf, coordinates.scale), reads=found.reads)


def _usable(deviation: Array, strength: float) -> Array:
    """A scale from the standard deviation: with a penalty, no less than gives its own curvature the size of 1."""
    scale = np.hypot(deviation, math.sqrt(strength))
    return np.where(scale < _LEAST, 1.0, scale)


def _dependent_columns(data: Data, sample: Block, coordinates: Coordinates) -> tuple[NDArray[np.intp], int]:
    """Positions in `coordinates.columns` of those that are combinations of earlier ones, and the reads it took.

    More rows can only raise the rank, so what is independent in the sample is independent. The others
    are tested on all rows: each is predicted from the independent ones, row by row, and the residuals
    are factored in turn. A combination that holds on all rows is the one found on the sample.
    """
    sample = _levelled(sample)
    gram = _gram(sample, coordinates)
    if gram is not None and _is_well_conditioned(gram):
        return np.empty(0, dtype=np.intp), 0
    D = _with_intercept(coordinates.design(sample), coordinates.intercept)
    if sample.weight is not None:
        D *= np.sqrt(sample.weight / sample.weight.mean())[:, None]
    if gram is None and D.shape[0] >= D.shape[1] and _is_well_conditioned(D.T @ D):
        return np.empty(0, dtype=np.intp), 0
    R = scipy.linalg.qr(D, mode="r", check_finite=False)[0][: D.shape[1]]
    size = np.sqrt(np.square(R).sum(axis=0))
    size[size == 0] = 1.0  # a column that in the sample is always at its centre
    candidates, combination = _eliminate(R / size, _DEPENDENT)
    if candidates.size == 0 or sample.n_rows == data.n_rows:
        return candidates - int(coordinates.intercept), 0
    kept = np.setdiff1d(np.arange(D.shape[1]), candidates)

    def residual_products(block: Block) -> Sums:
        D = _with_intercept(coordinates.design(block), coordinates.intercept) / size
        E = D[:, candidates] - D[:, kept] @ combination
        return (E.T @ E, np.square(D[:, candidates]).sum(axis=0))

    products, squares = data.reduce(residual_products)
    scaled = products / np.sqrt(np.outer(squares, squares))
    values, vectors = np.linalg.eigh(scaled)
    root = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    dependent, _ = _eliminate(root, _DEPENDENT)
    return candidates[dependent] - int(coordinates.intercept), 1


def _dependent_beside_wide(data: Data, layout: Layout, coordinates: Coordinates) -> tuple[NDArray[np.intp], int]:
    """The same where a factor has most of the columns.

    The products of all rows tell, but for rounding, in which directions they may have no length; the rows themselves,
    in which they have none.
    """

    def sums(block: Block) -> Sums:
        return coded_products(block.rows, np.ones(block.n_rows), layout.wide)

    first = int(coordinates.intercept)
    found = products(layout, coordinates.columns, coordinates.inverse, coordinates.intercept, data.reduce(sums))
    null = null_space(found, _NO_LENGTH)
    if not null.shape[1]:
        return np.empty(0, np.intp), 1
    size = np.sqrt(found.diagonal())
    parts = [coordinates.split(one) for one in (null / size[:, None]).T]
    shifts, coefs = np.array([shift for shift, _ in parts]), np.array([coef for _, coef in parts]).T

    def residual_products(block: Block) -> Sums:
        E = block.X @ coefs + shifts
        return (E.T @ E,)

    values, vectors = np.linalg.eigh(data.reduce(residual_products)[0])
    null = null @ vectors[:, values <= _DEPENDENT**2]
    dependent: list[int] = []
    while null.shape[1]:  # the last column of a combination is one of those before it
        size = np.abs(null).max(axis=1)
        last = int(np.flatnonzero(size > _NOTHING * size.max())[-1])
        pivot = int(np.argmax(np.abs(null[last])))
        rest = np.delete(null, pivot, axis=1)
        null = rest - np.outer(null[:, pivot], rest[last] / null[last, pivot])
        null[last] = 0.0
        dependent.append(last - first)
    return np.array(dependent, dtype=np.intp), 2


def _with_intercept(D: Matrix, intercept: bool) -> Array:
    D = dense(D)
    return np.column_stack([np.ones(D.shape[0]), D]) if intercept else D


def _gram(sample: Block, coordinates: Coordinates) -> Array | None:
    """D'D of few dense columns in one read: four times the Hessian where all coefficients are 0."""
    first, p = int(coordinates.intercept), coordinates.center.size
    if sp.issparse(sample.X) or p > AT_ONCE or sample.n_rows < first + p:
        return None
    rows = (sample.X, sample.y, sample.weight, None)
    hessian = second_order_sums(*rows, np.zeros(first + p), coordinates.center, coordinates.inverse)[2]
    return 4 * coordinates.square(hessian)


def _is_well_conditioned(gram: Array) -> bool:
    """Whether a Cholesky factorisation of D'D shows, cheaply, that no column is near the span of others."""
    factor = cholesky(gram)
    return factor is not None and bool((factor.diagonal() > 1e-5 * np.sqrt(gram.diagonal())).all())


def _eliminate(R: Array, tolerance: float) -> tuple[NDArray[np.intp], Array]:
    """Columns of R within `tolerance` of the span of earlier ones, and their coefficients on the others.

    Gram-Schmidt, twice for each column as once is not enough for nearly dependent ones.
    """
    m, k = R.shape
    basis = np.empty((m, min(m, k)))
    kept: list[int] = []
    dependent: list[int] = []
    for j in range(k):
        Q = basis[:, : len(kept)]
        rest = R[:, j] - Q @ (Q.T @ R[:, j])
        rest -= Q @ (Q.T @ rest)
        length = float(np.linalg.norm(rest))
        if length <= tolerance or len(kept) == m:
            dependent.append(j)
        else:
            basis[:, len(kept)] = rest / length
            kept.append(j)
    Q = basis[:, : len(kept)]
    triangle, target = Q.T @ R[:, kept], Q.T @ R[:, dependent]
    combination = scipy.linalg.solve_triangular(triangle, target) if kept and dependent else target
    return np.array(dependent, dtype=np.intp), combination
