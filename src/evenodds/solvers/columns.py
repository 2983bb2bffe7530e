"""Data in memory as their columns are taken one by one, and a bound on what most of them can be worth."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..compiled import flat as flat_view
from ..coordinates import Coordinates
from ..data import Array, require_finite
from ..data.memory import Memory
from ..exceptions import EvenOddsError
from .mean_loss import MeanLoss

Numbers = NDArray[np.intp]

_REFERENCES = 8  # vectors whose products with all columns are kept
_MANY = 0.15  # of the columns, from which products with all of them are cheaper
_MANY_BY_ROWS = 0.03  # the same where the entries of a column lie far apart


class Columns:
    """The columns of theta over all rows: centred and scaled, the intercept's first.

    weight : (n,) of the rows, 1 where there are none
    full : how often all columns have been read
    """

    def __init__(self, loss: MeanLoss) -> None:
        if not isinstance(loss.data, Memory):
            raise EvenOddsError(
                f"A lasso of {loss.data.n_columns:,} columns takes them one by one, which needs the data in memory. "
                "Load them as an array, or choose fewer columns."
            )
        block = next(iter(loss.data.blocks()))
        coordinates = loss.coordinates
        every = coordinates.columns.size == coordinates.scale.size
        X = block.X if every else block.X[:, coordinates.columns]
        self._X = sp.csc_array(X) if sp.issparse(X) else X
        # A home whose rows are the columns, so that its threads share them out.
        self._home = Memory(self._X.T, np.zeros(X.shape[1], np.uint8), n_jobs=loss.data.n_jobs)
        self._center, self._scale = coordinates.center[coordinates.columns], coordinates.scale[coordinates.columns]
        self._first = int(coordinates.intercept)
        self.y, self.offset = block.y, block.offset
        self.weight = np.ones(block.n_rows) if block.weight is None else block.weight
        self.n_rows, self.n_coef = block.n_rows, loss.n_coef
        self.full = 0
        self._compiled = loss.compiled
        by_rows = not sp.issparse(X) and X.strides[1] == X.itemsize
        self._many = _MANY_BY_ROWS if by_rows else _MANY
        self._lengths = self._measure()
        if not np.isfinite(self._lengths).all():
            require_finite(loss.data)
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

    def products(self, r: Array) -> Array:
        """The product of every column with r: (k,). It is kept for bounds."""
        slopes = (self._reduce(lambda X: X @ r) - self._center * r.sum()) / self._scale
        found = np.concatenate([[r.sum()], slopes]) if self._first else slopes
        self._kept_rows[self.full % _REFERENCES], self._kept_products[self.full % _REFERENCES] = r, found
        self.full += 1
        return found

    def estimates(self, r: Array) -> tuple[Array, Array]:
        """The products of all columns with r from those that are known, and how far off each can be: (k,), (k,)."""
        if self.full == 0:
            return self.products(r), np.zeros(self.n_coef)
        kept = min(self.full, _REFERENCES)
        R, root = self._kept_rows[:kept].T, np.sqrt(self.weight)
        a = np.linalg.lstsq(R / root[:, None], r / root, rcond=1e-12)[0]
        rest = float(np.linalg.norm((r - R @ a) / root))
        return a @ self._kept_products[:kept], rest * self._lengths

    def beyond(self, r: Array, limit: Array) -> tuple[Numbers, Array]:
        """The columns whose product with r can be larger than `limit` (k,) in size, and these products."""
        guess, off = self.estimates(r)
        doubtful = np.flatnonzero(np.abs(guess) + off > limit)
        if doubtful.size <= max(self._many * self.n_coef, 1):
            return doubtful, self._some(doubtful, r)
        exact = self.products(r)
        doubtful = np.flatnonzero(np.abs(exact) > limit)
        return doubtful, exact[doubtful]

    def _some(self, numbers: Numbers, r: Array) -> Array:
        """The products of some columns with r."""
        X = self._X
        if sp.issparse(X) or not self._compiled or numbers.size < 2:
            return self.take(numbers).T @ r
        from .descent import some_products

        slopes = numbers >= self._first
        which = numbers[slopes] - self._first
        found, out = np.full(numbers.size, r.sum()), np.empty(which.size)
        by_rows = X.strides[1] == X.itemsize
        flat, ld = flat_view(X if by_rows else X.T)
        some_products(flat, ld, by_rows, X.shape[0], which, r, out)
        found[slopes] = (out - self._center[which] * r.sum()) / self._scale[which]
        return found

    def _measure(self) -> Array:
        """The lengths of the columns, in the geometry of the weights, rounded up: (k,)."""
        weight, total = self.weight, float(self.weight.sum())

        def squares(X: Any) -> Array:
            return np.asarray(X.multiply(X) @ weight if sp.issparse(X) else np.einsum("ij,ij,j->i", X, X, weight))

        with np.errstate(over="ignore", invalid="ignore"):
            first, second = self._reduce(lambda X: np.stack([X @ weight, squares(X)], axis=1)).T
            about = second - self._center * (2 * first - self._center * total)
            lengths = np.sqrt(np.maximum(about, 0.0) + 1e-13 * second) / self._scale * (1 + 1e-8)
        return np.concatenate([[np.sqrt(total)], lengths]) if self._first else lengths

    def _reduce(self, function: Callable[[Any], Array]) -> Array:
        """A function of some columns, as rows of a matrix, for all columns as they are: (p,)."""
        return np.asarray(np.concatenate(self._home.reduce(lambda block: ([function(block.X)],))[0]))


def column_coordinates(data: Memory, *, intercept: bool) -> Coordinates:
    """Means and standard deviations of the columns (about 0 without an intercept), from one read by its threads."""
    block = next(iter(data.blocks()))
    weight = np.ones(block.n_rows) if block.weight is None else block.weight
    share = weight / weight.sum()

    def moments(X: Array) -> Array:
        mean = X @ share if intercept else np.zeros(len(X))
        D = X - mean[:, None]
        mean += (D @ share) if intercept else 0.0
        return np.stack([mean, np.square(D) @ share], axis=1)

    home = Memory(block.X.T, np.zeros(data.n_columns, np.uint8), n_jobs=data.n_jobs)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        parts = home.reduce(lambda columns: ([moments(columns.X)],))[0]
    mean, square = np.concatenate(parts).T
    return Coordinates(mean, np.sqrt(square), np.arange(data.n_columns), intercept)
