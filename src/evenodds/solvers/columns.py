"""Data in memory as their columns are taken one by one, and a bound on what most of them can be worth."""

from collections.abc import Callable
from weakref import WeakKeyDictionary

import numpy as np
import scipy.sparse as sp

from ..arrays import Array, Mask, Numbers
from ..coordinates import Coordinates, about_mean
from ..data import Data, require_finite, whole_rows
from ..data.memory import Memory, count_threads, mapped
from ..kernels.algebra import gram, product
from ..kernels.csc import Csc
from ..kernels.descent import all_products, beyond_bounds, some_products
from ..kernels.rows import moment_sums
from .mean_loss import MeanLoss

_REFERENCES = 8  # vectors whose products with all columns are kept
_MANY = 0.15  # of the columns, from which products with all of them are cheaper
_ALIKE = 1e-12  # of the largest eigenvalue: what is less tells kept vectors apart by rounding alone
_PIECE = 1 << 18  # entries that keep a thread busy
_MANY_BY_ROWS = 0.03  # the same where the entries of a column lie far apart
_FEW_ENTRIES = 24  # of a sparse row, up to which a read of all columns costs less than a bound on their products
_FEW_CHECKED = 8  # of a sparse column, the same for a fit alone, which checks its set a few times
_FEW_DENSE = 128  # of a dense row, with what it costs to measure the columns


class Columns:
    """The columns of theta over all rows: centred and scaled, the intercept's first.

    weight : (n,) of the rows, 1 where there are none
    csc : the loops over the columns of a sparse X, as they are
    unit : (p,) factors on these
    full : how often all columns have been read
    of_path : whether they are asked about for many penalties
    """

    def __init__(self, loss: MeanLoss, *, of_path: bool = True) -> None:
        block = whole_rows(loss.data, f"A lasso of {loss.data.n_columns:,} columns")
        coordinates = loss.coordinates
        every = coordinates.columns.size == coordinates.scale.size
        X = block.X if every else block.X[:, coordinates.columns]
        self.csc = Csc(X) if sp.issparse(X) else None
        self._X, n_jobs = X, loss.data.n_jobs
        # A home whose rows are the dense columns, so that its threads share them out.
        of_columns = np.empty((0, block.n_rows)) if self.csc is not None else X.T
        self._home = Memory(of_columns, np.zeros(len(of_columns), np.uint8), n_jobs=n_jobs)
        pieces = 1 if self.csc is None else 1 + int(self.csc.indptr[-1]) // _PIECE
        self._threads = count_threads(n_jobs) if pieces > 1 else 1
        self._pieces = pieces
        self._columns = coordinates.columns
        self._scale = coordinates.scale[self._columns]
        self._center = np.zeros_like(self._scale) if sp.issparse(X) else coordinates.center[self._columns]
        self._first = int(coordinates.intercept)
        self.y, self.offset = block.y, block.offset
        self.weight = np.ones(block.n_rows) if block.weight is None else block.weight
        self.n_rows, self.n_coef = block.n_rows, loss.n_coef
        self.full = 0
        self._kept = 0
        self._combine: Array = np.empty((0, 0))
        self._light = loss.data.size <= (_FEW_DENSE if self.csc is None else _FEW_ENTRIES) * self.n_rows
        if self.csc is not None and not of_path:
            self._light |= loss.data.size <= _FEW_CHECKED * loss.data.n_columns
        self._many = _MANY_BY_ROWS if not sp.issparse(X) and X.strides[1] == X.itemsize else _MANY
        self._lengths = np.empty(0) if self._light else self._measure(loss.data)
        if not np.isfinite(self._lengths).all():
            require_finite(loss.data)
            self._lengths = np.nan_to_num(self._lengths, nan=1e300, posinf=1e300)  # the squares were too large
        self._kept_rows = np.empty((_REFERENCES, self.n_rows))
        self._kept_products = np.empty((_REFERENCES, self.n_coef))

    @property
    def unit(self) -> Array:
        """Factors on the columns as they are: (p,)."""
        return np.asarray(1 / self._scale)

    def take(self, numbers: Numbers) -> Array:
        """Some columns as a dense matrix, in F order."""
        out = np.ones((self.n_rows, numbers.size), order="F")
        slopes = np.flatnonzero(numbers >= self._first)
        if slopes.size:
            which = numbers[slopes] - self._first
            X = self._X[:, which]
            X = X.toarray() if sp.issparse(X) else X
            out[:, slopes] = (X - self._center[which]) / self._scale[which]
        return out

    def products(self, *vectors: Array) -> Array:
        """The products of every column with each of the vectors, in one read: (m, k). They are kept for bounds."""
        R = np.array(vectors)
        sums = R.sum(axis=1)[:, None]
        slopes = (self._times(R) - self._center * sums) / self._scale
        found = np.concatenate([sums, slopes], axis=1) if self._first else slopes
        self.full += 1
        self.keep(R[::-1], found[::-1])
        return found

    def keep(self, R: Array, products: Array) -> None:
        """Take the products of all columns with the rows of R as known, in the place of the oldest, if bounds pay."""
        if self._light:
            return
        for r, known in zip(R / np.sqrt(self.weight), products, strict=True):
            at = self._kept % _REFERENCES
            self._kept_rows[at], self._kept_products[at] = r, known
            self._kept += 1
        known = self._kept_rows[: self._kept]
        size = np.sqrt(np.maximum(np.square(known).sum(axis=1), 1e-300))
        values, vectors = np.linalg.eigh(product(known, known.T) / np.outer(size, size))
        values, vectors = values[values > _ALIKE * values[-1]], vectors[:, values > _ALIKE * values[-1]] / size[:, None]
        self._combine = product(vectors / values, vectors.T)

    def estimate(self, r: Array) -> tuple[Array, float]:
        """Factors on what is known that come nearest to r, and how far from it they stay."""
        r = r / np.sqrt(self.weight)
        known = self._kept_rows[: self._combine.shape[0]]
        a = product(self._combine, product(known, r))
        return a, float(np.linalg.norm(r - product(a, self._kept_rows[: a.size])))

    def likely(self, r: Array, limit: Array, skip: Mask) -> Numbers:
        """The columns, none in `skip`, whose product with r is estimated to be larger than `limit` (k,) in size.

        Those that are furthest beyond it come first.
        """
        if self._kept:
            a = self.estimate(r)[0]
            guess = product(a, self._kept_products[: a.size])
        else:
            guess = self.products(r)[0]
        over = np.abs(guess) - limit
        found = np.flatnonzero((over > 0) & ~skip)
        return found[np.argsort(-over[found], kind="stable")]

    def beyond(
        self, r: Array, limit: Array, skip: Mask, ahead: Callable[[], Array] | None = None
    ) -> tuple[Numbers, Array]:
        """The columns, none in `skip`, whose product with r is larger than `limit` (k,) in size, and these products.

        ahead : residuals such as will be asked about later; a read of all columns tells of them too
        """
        found = np.flatnonzero(~skip) if self._light else self._over(*self.estimate(r), limit, skip)
        if found.size <= max(self._many * self.n_coef, 1):
            products = self._some(found, r)
        else:
            every = self.products(r, *([] if ahead is None or self._light else [ahead()]))[0]
            found = np.flatnonzero(~skip)
            products = every[found]
        over = np.abs(products) > limit[found]
        return found[over], products[over]

    def _over(self, a: Array, rest: float, limit: Array, skip: Mask) -> Numbers:
        """The columns whose combination of known products, and `rest` times their length, can be over the limit."""
        known = self._kept_products[: a.size]
        return beyond_bounds(a, known, rest, self._lengths, limit, skip)

    def gram(self, D: Array) -> Array:
        """D'D, by the threads of the home."""
        pieces = np.array_split(D, min(8, 1 + D.size // _PIECE))
        return np.asarray(sum(self._home.map(gram, pieces)))

    def _some(self, numbers: Numbers, r: Array) -> Array:
        """The products of some columns with r."""
        slopes = numbers >= self._first
        which = numbers[slopes] - self._first
        if self.csc is not None:
            sums = self.products_of(self.csc, which, r)
        elif numbers.size < 2:
            return np.asarray(product(self.take(numbers).T, r))
        else:
            X = self._X
            pieces = np.array_split(which, 1 + which.size * X.shape[0] // _PIECE)
            sums = np.concatenate(list(self._home.map(lambda some: some_products(X, some, r), pieces)))
        found = np.full(numbers.size, r.sum())
        found[slopes] = (sums - self._center[which] * r.sum()) / self._scale[which]
        return found

    def products_of(self, csc: Csc, which: Numbers, r: Array) -> Array:
        """The products of some sparse columns, as they are, with r, by several threads where they are long."""
        if self._pieces == 1 or which.size < self._pieces:
            return csc.products(which, r)
        ends = csc.indptr[which + 1] - csc.indptr[which]
        cuts = np.searchsorted(np.cumsum(ends), np.linspace(0, ends.sum(), self._pieces + 1)[1:-1])
        parts = mapped(lambda some: csc.products(some, r), np.split(which, cuts), self._threads)
        return np.concatenate(list(parts))

    def _times(self, R: Array) -> Array:
        """The products of all columns, as they are, with the rows of R: (m, k)."""
        if self.csc is not None:
            every = np.arange(self._scale.size)
            return np.array([self.products_of(self.csc, every, r) for r in R])
        if self._home.n_rows == 0:  # the intercept alone
            return np.empty((len(R), 0))
        parts = self._home.reduce(lambda block: ([all_products(block.X.T, R).T],))[0]
        return np.asarray(np.concatenate(parts).T)

    def _measure(self, data: Data) -> Array:
        """The lengths of the columns, in the geometry of the weights, rounded up: (k,)."""
        weight, total = self.weight, float(self.weight.sum())
        with np.errstate(over="ignore", invalid="ignore"):
            if self.csc is not None:
                about = second = self.csc.moments(np.arange(self._scale.size), weight)[1]
            else:
                mean, square = (part[self._columns] for part in column_moments(data))
                about = second = total * (square + (mean - self._center) ** 2)
            lengths = np.sqrt(np.maximum(about, 0.0) + 1e-13 * second) / self._scale * (1 + 1e-8)
        return np.concatenate([[np.sqrt(total)], lengths]) if self._first else lengths


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
