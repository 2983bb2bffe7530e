"""Loops over some columns of a CSC matrix: their products and moments, scores of rows, descent and proximal Newton."""

import numpy as np
import scipy.sparse as sp

from ..arrays import CSR, Array, Numbers
from .descent import Bounds
from .library import function, in_place, pointer, vector
from .rows import KINDS, by_columns


class Csc:
    """A CSR matrix, whose column numbers are in range, by columns, with one entry in each place."""

    def __init__(self, X: CSR) -> None:
        self.shape = X.shape
        self._data, self._indices, self.indptr, twice = by_columns(X)
        if twice:  # sums of squares are taken entry by entry
            X = X.copy()
            X.sum_duplicates()
            self._data, self._indices, self.indptr, _ = by_columns(X)
        self._kind = f"{KINDS[X.dtype]}32"

    def products(self, columns: Numbers, r: Array) -> Array:
        """The products of some columns with r."""
        out = np.empty(columns.size)
        self._call("csc_products", columns, pointer(vector(r, self.shape[0])), pointer(out))
        return out

    def moments(self, columns: Numbers, h: Array) -> tuple[Array, Array]:
        """sum(h x) and sum(h x^2) of some columns."""
        first, second = np.empty(columns.size), np.empty(columns.size)
        self._call("csc_moments", columns, pointer(vector(h, self.shape[0])), pointer(first), pointer(second))
        return first, second

    def gram(self, columns: Numbers, h: Array) -> Array:
        """The sums over the rows of h x x' for some columns, a dense matrix."""
        A = sp.csc_array((self._data, self._indices, self.indptr), shape=self.shape)[:, columns].astype(np.float64)
        W = A.copy()
        W.data *= h[W.indices]
        return np.asarray((A.T @ W).toarray())

    def scores(self, columns: Numbers, coef: Array, z: Array) -> None:
        """Add to z what these columns make of the scores of the rows."""
        coef = vector(coef, columns.size)
        self._call("csc_scores", columns, pointer(coef), pointer(in_place(z, self.shape[0])))

    def descend(
        self,
        columns: Numbers,
        unit: Array,
        places: Numbers,
        rows: Array,
        means: Array,
        slopes: Array,
        curvature: Array,
        bounds: Bounds,
        x: Array,
        accuracy: float,
        sweeps: int,
    ) -> float:
        """Coordinate descent on the quadratic model of F in some columns, x in place.

        unit : factors on the columns
        places : among these columns, of those in play
        rows : (n, 2), the curvature of each row beside the change of its score, which is kept
        means : of the columns, weighted by the rows' curvature; zeros without an intercept, which otherwise follows
            every coefficient, for which `curvature` and `slopes` allow

        Returns the change of the intercept.
        """
        k = columns.size
        columns, places = vector(columns, k, np.int64), vector(places, places.size, np.int64)
        active, room = np.empty(places.size, np.int64), np.empty(3 * places.size + self.shape[0])
        parts = [vector(part, k) for part in (unit, means, slopes, curvature, *bounds)]
        self._check(columns, self.shape[1])
        self._check(places, k)
        where = map(pointer, (self._data, self._indices, self.indptr, columns, parts[0], places, active))
        numbers = map(pointer, (in_place(rows, 2 * self.shape[0]), *parts[1:], in_place(x, k)))
        loop = function("descend_sparse", self._kind)
        return float(loop(*where, places.size, self.shape[0], *numbers, accuracy, sweeps, pointer(room)))

    def newton(
        self,
        columns: Numbers,
        unit: Array,
        rows: tuple[Array, Array],
        bounds: Bounds,
        theta: Array,
        known: tuple[Array, Array, Array, Array],
        aim: float,
        rough: float,
        most: int,
    ) -> tuple[int, float, bool]:
        """Proximal Newton on some columns, theta in place, as long as its steps gain.

        rows : (n,) and (n,), their signs and shares, see `row_sums`
        bounds : of the columns; l1 is positive and finite, lower and upper are infinite
        theta : (k,) or, with an intercept before these, which has no penalty, (1 + k,)
        aim, rough : the gap to go to, and the least as a share of the first one
        known : the scores of the rows at theta, and what `row_sums` makes of them: r, h, and the loss with the odds;
            kept in place
        most : steps

        Returns how many steps it has taken, the gap that it went to, and whether the rows are those of theta.
        """
        k, n, first = columns.size, self.shape[0], theta.size - columns.size
        columns = vector(columns, k, np.int64)
        self._check(columns, self.shape[1])
        parts = [vector(part, k) for part in (unit, *bounds)]
        of_rows = [vector(part, n) for part in rows]
        end = np.array([aim, 0.0])
        kept = *(in_place(part, n) for part in known[:3]), in_place(known[3], 2)
        # Not in one piece: so much at once the system gives, and takes back.
        room = np.empty(2 * k, np.int64), np.empty(7 * k + n), np.empty(n), np.empty(n), np.empty(2 * n)
        where = map(pointer, (self._data, self._indices, self.indptr, columns, parts[0]))
        numbers = map(pointer, (*parts[1:], *of_rows, in_place(theta, first + k), *kept, end))
        loop = function("newton_sparse", self._kind)
        steps = loop(*where, k, n, first, *numbers, rough, most, *map(pointer, room))
        return int(steps), float(end[0]), not end[1]

    def _call(self, name: str, columns: Numbers, *rest: object) -> None:
        columns = vector(columns, columns.size, np.int64)
        self._check(columns, self.shape[1])
        where = map(pointer, (self._data, self._indices, self.indptr, columns))
        function(name, self._kind)(*where, columns.size, *rest)

    def _check(self, numbers: Numbers, size: int) -> None:
        if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < size:
            raise ValueError(f"Columns from {numbers.min()} to {numbers.max()} of {size}.")
