"""Loops over some columns of a CSC matrix: their products and moments, scores of rows, coordinate descent."""

import numpy as np
import scipy.sparse as sp

from ..arrays import Array, Numbers
from .descent import Bounds
from .library import function, in_place, pointer, vector
from .rows import KINDS


class Csc:
    """A CSC matrix, whose row numbers are in range, as the loops read it."""

    def __init__(self, X: sp.csc_array) -> None:
        self.shape, size = X.shape, int(X.indptr[-1])
        self._data, self._indices = (
            vector(X.data[:size], size, X.dtype),
            vector(X.indices[:size], size, X.indices.dtype),
        )
        self.indptr = vector(X.indptr, self.shape[1] + 1, np.int64)
        self._kind = f"{KINDS[X.dtype]}{8 * self._indices.itemsize}"

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
        active = np.empty(places.size, np.int64)
        parts = [vector(part, k) for part in (unit, means, slopes, curvature, *bounds)]
        self._check(columns, self.shape[1])
        self._check(places, k)
        where = map(pointer, (self._data, self._indices, self.indptr, columns, parts[0], places, active))
        numbers = map(pointer, (in_place(rows, 2 * self.shape[0]), *parts[1:], in_place(x, k)))
        loop = function("descend_sparse", self._kind)
        return float(loop(*where, places.size, *numbers, accuracy, sweeps))

    def _call(self, name: str, columns: Numbers, *rest: object) -> None:
        columns = vector(columns, columns.size, np.int64)
        self._check(columns, self.shape[1])
        where = map(pointer, (self._data, self._indices, self.indptr, columns))
        function(name, self._kind)(*where, columns.size, *rest)

    def _check(self, numbers: Numbers, size: int) -> None:
        if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < size:
            raise ValueError(f"Columns from {numbers.min()} to {numbers.max()} of {size}.")
