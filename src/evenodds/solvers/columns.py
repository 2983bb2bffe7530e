"""Data in memory as their columns are taken one by one, and a bound on what most of them can be worth."""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..arrays import Matrix
from ..coordinates import Coordinates, about_mean
from ..data import Array, Data, require_finite, whole_rows
from ..data.memory import Memory
from ..kernels.algebra import gram, product
from ..kernels.descent import all_products, beyond_bounds, some_products
from ..kernels.rows import moment_sums
from .mean_loss import MeanLoss

Numbers = NDArray[np.intp]
Bools = NDArray[np.bool_]

_REFERENCES = 8  # vectors whose products with all columns are kept
_MANY = 0.15  # of the columns, from which products with all of them are cheaper
_PIECE = 1 << 18  # entries that keep a thread busy
_MANY_BY_ROWS = 0.03  # the same where the entries of a column lie far apart


class Columns:
    """The columns of theta over all rows: centred and scaled, the intercept's first.

    weight : (n,) of the rows, 1 where there are none
    full : how often all columns have been read
    """

    def __init__(self, loss: MeanLoss) -> None:
        block = whole_rows(loss.data, f"A lasso of {loss.data.n_columns:,} columns")
        coordinates = loss.coordinates
        every = coordinates.columns.size == coordinates.scale.size
        X = block.X if every else block.X[:, coordinates.columns]
        self._X = sp.csc_array(X) if sp.issparse(X) else X
        # A home whose rows are the columns, so that its threads share them out.
        self._home = Memory(self._X.T, np.zeros(X.shape[1], np.uint8), n_jobs=loss.data.n_jobs)
        self._columns = coordinates.columns
        self._scale = coordinates.scale[self._columns]
        self._center = np.zeros_like(self._scale) if sp.issparse(X) else coordinates.center[self._columns]
        self._first = int(coordinates.intercept)
        self.y, self.offset = block.y, block.offset
        self.weight = np.ones(block.n_rows) if block.weight is None else block.weight
        self.n_rows, self.n_coef = block.n_rows, loss.n_coef
        self.full = 0
        self._kept = 0
        self._combine: Array = np.empty((0, self.n_rows))
        self._many = _MANY_BY_ROWS if not sp.issparse(X) and X.strides[1] == X.itemsize else _MANY
        self._lengths = self._measure(loss.data)
        if not np.isfinite(self._lengths).all():
            require_finite(loss.data)
            self._lengths = np.nan_to_num(self._lengths, nan=1e300, posinf=1e300)  # the squares were too large
        self._kept_rows = np.empty((_REFERENCES, self.n_rows))
        self._kept_products = np.empty((_REFERENCES, self.n_coef))

    def take(self, numbers: Numbers) -> Array:
        """Some columns as a dense matrix, in F order."""
        out = np.ones((self.n_rows, numbers.size), order="F")
        slopes = np.flatnonzero(numbers >= self._first)
        which = numbers[slopes] - self._first
        X = self._X[:, which]
        X = X.toarray() if sp.issparse(X) else X
        out[:, slopes] = (X - self._center[which]) / self._scale[which]
        return out

    def products(self, *vectors: Array) -> Array:
        """The products of every column with each of the vectors, in one read: (m, k). They are kept for bounds."""
        R = np.array(vectors)
        sums = R.sum(axis=1)[:, None]
        slopes = (self._reduce(lambda X: self._times(X, R).T).T - self._center * sums) / self._scale
        found = np.concatenate([sums, slopes], axis=1) if self._first else slopes
        self.full += 1
        self.keep(R[::-1], found[::-1])
        return found

    def keep(self, R: Array, products: Array) -> None:
        """Take the products of all columns with the rows of R as known, in the place of the oldest."""
        for r, known in zip(R / np.sqrt(self.weight), products, strict=True):
            at = self._kept % _REFERENCES
            self._kept_rows[at], self._kept_products[at] = r, known
            self._kept += 1
        known = self._kept_rows[: self._kept]
        self._combine = np.asarray(np.linalg.pinv(known.T, rcond=1e-12), np.float64)

    def estimate(self, r: Array) -> tuple[Array, float]:
        """Factors on what is known that come nearest to r, and how far from it they stay."""
        r = r / np.sqrt(self.weight)
        a = product(self._combine, r)
        return a, float(np.linalg.norm(r - product(a, self._kept_rows[: a.size])))

    def likely(self, r: Array, limit: Array, skip: Bools) -> Numbers:
        """The columns, none in `skip`, whose product with r is estimated to be larger than `limit` (k,) in size.

        Those that are furthest beyond it come first.
        """
        a = self.estimate(r)[0]
        found = self._over(a, 0.0, limit, skip)
        over = np.abs(product(a, self._kept_products[: a.size, found])) - limit[found]
        return found[np.argsort(-over, kind="stable")]

    def beyond(
        self, r: Array, limit: Array, skip: Bools, ahead: Callable[[], Array] | None = None
    ) -> tuple[Numbers, Array]:
        """The columns, none in `skip`, whose product with r is larger than `limit` (k,) in size, and these products.

        ahead : residuals such as will be asked about later; a read of all columns tells of them too
        """
        a, rest = self.estimate(r)
        found = self._over(a, rest, limit, skip)
        if found.size <= max(self._many * self.n_coef, 1):
            products = self._some(found, r)
        else:
            every = self.products(r, *([] if ahead is None else [ahead()]))[0]
            found = np.flatnonzero(~skip)
            products = every[found]
        over = np.abs(products) > limit[found]
        return found[over], products[over]

    def _over(self, a: Array, rest: float, limit: Array, skip: Bools) -> Numbers:
        """The columns whose combination of known products, and `rest` times their length, can be over the limit."""
        known = self._kept_products[: a.size]
        return beyond_bounds(a, known, rest, self._lengths, limit, skip)

    def gram(self, D: Array) -> Array:
        """D'D, by the threads of the home."""
        pieces = np.array_split(D, min(8, 1 + D.size // _PIECE))
        return np.asarray(sum(self._home.map(gram, pieces)))

    def _some(self, numbers: Numbers, r: Array) -> Array:
        """The products of some columns with r."""
        X = self._X
        if sp.issparse(X) or numbers.size < 2:
            return np.asarray(product(self.take(numbers).T, r))
        slopes = numbers >= self._first
        which = numbers[slopes] - self._first
        pieces = np.array_split(which, 1 + which.size * X.shape[0] // _PIECE)
        sums = np.concatenate(list(self._home.map(lambda some: some_products(X, some, r), pieces)))
        found = np.full(numbers.size, r.sum())
        found[slopes] = (sums - self._center[which] * r.sum()) / self._scale[which]
        return found

    def _times(self, X: Matrix, R: Array) -> Array:
        """The products of columns, here the rows of X, with the rows of R: (m, k)."""
        if sp.issparse(X):
            return np.asarray(product(X, R.T)).T
        return all_products(X.T, R)

    def _measure(self, data: Data) -> Array:
        """The lengths of the columns, in the geometry of the weights, rounded up: (k,)."""
        weight, total = self.weight, float(self.weight.sum())
        with np.errstate(over="ignore", invalid="ignore"):
            if sp.issparse(self._X):
                squares = self._X.multiply(self._X)
                about = second = product(squares.T, weight)
            else:
                mean, square = (part[self._columns] for part in column_moments(data))
                about = second = total * (square + (mean - self._center) ** 2)
            lengths = np.sqrt(np.maximum(about, 0.0) + 1e-13 * second) / self._scale * (1 + 1e-8)
        return np.concatenate([[np.sqrt(total)], lengths]) if self._first else lengths

    def _reduce(self, function: Callable[[Any], Array]) -> Array:
        """A function of some columns, as rows of a matrix, for all columns as they are: (p,)."""
        if self._home.n_rows == 0:  # the intercept alone
            return np.empty((0, 1))
        return np.asarray(np.concatenate(self._home.reduce(lambda block: ([function(block.X)],))[0]))


_moments: WeakKeyDictionary[Data, tuple[Array, Array]] = WeakKeyDictionary()


def column_moments(data: Data) -> tuple[Array, Array]:
    """The means of dense columns, and their mean squares about these: (p,), (p,). One read, by the home's threads."""
    if data in _moments:
        return _moments[data]
    rows = whole_rows(data, f"A path of {data.n_columns:,} columns")
    share = np.full(rows.n_rows, 1 / rows.n_rows) if rows.weight is None else rows.weight / rows.weight.sum()
    heaviest = int(np.argmax(share))

    def moments(X: Array) -> Array:
        # About the heaviest row, which is no more than sqrt(n) standard deviations from the mean: n eps is lost.
        about = X[heaviest].astype(np.float64)
        _, first, second = moment_sums(X, share, about, np.ones_like(about))
        return np.stack([about + first, np.maximum(second - first**2, 0.0)], axis=1)

    home = Memory(rows.X.T, np.zeros(data.n_columns, np.uint8), n_jobs=data.n_jobs)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        parts = home.reduce(lambda columns: ([moments(columns.X.T)],))[0]
    mean, square = np.concatenate(parts).T
    _moments[data] = mean, square
    return mean, square


def column_coordinates(data: Data, *, intercept: bool, standardize: bool) -> Coordinates:
    """Means and standard deviations of the columns (about 0 without an intercept, but in the units of a penalty)."""
    mean, square = column_moments(data)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        center, scale = (mean, np.sqrt(square)) if intercept else (np.zeros_like(mean), np.sqrt(square + mean**2))
    scale = about_mean(np.sqrt(square), scale) if standardize else scale
    return Coordinates(center, scale, np.arange(data.n_columns), intercept)
