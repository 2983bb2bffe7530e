"""Linear algebra of what solvers carry from step to step: vectors and small matrices, always with the same bits.

BLAS and LAPACK choose their loops by the processor, and with them the last bits of a sum. These loops are as fast on
what is small, and give the same bits on every machine.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.linalg import solve_triangular

from ..arrays import Array, Floats, Matrix, Values
from .library import function, pointer, vector
from .rows import padded

_SIZE = 8  # bytes of a number
_OWN = 192  # columns, an intercept and pseudo-columns among them: beyond, BLAS is faster
_MOST_TURNED = 256  # columns
_TOGETHER = 1 << 18  # numbers of products that stay in the cache


def dot(a: Array, b: Array) -> float:
    """a @ b of two vectors of real numbers."""
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"Shapes {a.shape} and {b.shape} have no dot product.")
    size = a.size
    a, b = vector(a, size), vector(b, size)
    return float(function("vector_product")(pointer(a), pointer(b), size))


def product(a: Matrix, b: Matrix, out: Array | None = None, *, own: bool = False) -> Any:
    """a @ b of a matrix and a vector, or of two matrices, of real numbers.

    out : room for the product of two matrices, in C order
    own : ours, however large the matrices are
    SciPy's of a sparse matrix, and BLAS's of what is in single precision or has more than `_OWN` columns.
    """
    plain = a.__class__ is b.__class__ is np.ndarray
    if (not plain and (sp.issparse(a) or sp.issparse(b))) or a.dtype.char == b.dtype.char == "f":
        return a @ b
    a, b = _real(a), _real(b)
    if a.shape[-1] != b.shape[0]:
        raise ValueError(f"Shapes {a.shape} and {b.shape} have no product.")
    if a.ndim == 1:
        return _times(b.T, a)
    return _times(a, b) if b.ndim == 1 else _matrices(a, b, out, own)


def gram(D: Floats, weight: Array | None = None) -> Array:
    """D' diag(weight) D, (k, k), of a matrix (m, k)."""
    k = D.shape[1]
    if k > _OWN or D.dtype.char == "f":
        return np.asarray(D.T @ (D if weight is None else D * weight[:, None]), np.float64)
    found: Array = _grams(D, weight, 1)[0]
    return found


def grams(D: Floats, weights: Array) -> Array:
    """D' diag(weight) D of a matrix (m, k) for each row of `weights`, (count, m): (count, k, k)."""
    most = max(_TOGETHER // max(D.shape[1], 1) ** 2, 1)
    if D.shape[1] > _OWN or D.dtype.char == "f":
        return np.array([gram(D, one) for one in weights])
    parts = [weights[start : start + most] for start in range(0, len(weights), most)]
    return np.concatenate([_grams(D, part, len(part)) for part in parts])


def _grams(D: Floats, weights: Array | None, count: int) -> Array:
    D, (m, k) = _real(D), D.shape
    q = padded(k)
    weights = None if weights is None else vector(weights, count * m)
    out, work = np.empty((count, k, k)), np.empty((64 + count * q) * q)
    far, near = D.strides[0] // _SIZE, D.strides[1] // _SIZE
    function("weighted_grams")(pointer(D), near, far, m, k, pointer(weights), count, pointer(out), pointer(work))
    return out


def cholesky(H: object) -> Array | None:
    """R, upper triangular with R'R = H (n, n), in rows of `padded` length; None if H is not positive definite."""
    H = np.ascontiguousarray(H, np.float64)
    R = np.empty((len(H), padded(len(H))))
    return R if function("cholesky")(pointer(H), len(H), pointer(R)) == 0 else None


def solve(R: Array, b: Array) -> Array:
    """x with R'R x = b (n,), of what `cholesky` gives."""
    n, q = R.shape
    x = np.zeros(q)
    x[:n] = b
    function("solve_cholesky")(pointer(R), n, pointer(x))
    return x[:n]


def solve_lower(A: Array, B: Array, *, transposed: bool = False) -> Array:
    """X (n, m) with A X = B, or A'X = B, of a lower triangular A (n, n); LAPACK's beyond `_OWN` rows."""
    if len(A) > _OWN:
        return np.asarray(solve_triangular(A, B, lower=True, trans=int(transposed)))
    A, X = np.ascontiguousarray(A, np.float64), np.array(B, np.float64, order="C")
    function("solve_lower")(pointer(A), *X.shape, transposed, pointer(X))
    return X


def inverse_root(R: Array) -> Array:
    """W, upper triangular (n, n) with W W' = H^-1, of what `cholesky` gives of H."""
    n, q = R.shape
    W = np.empty((n, q))
    function("invert_root")(pointer(R), n, pointer(W))
    return W[:, :n]


def eigen(A: object) -> tuple[Array, Array]:
    """The eigenvalues (n,) of a symmetric matrix, from the least on, and its eigenvectors, the columns of (n, n).

    LAPACK's beyond `_MOST_TURNED`. A `LinAlgError` where the matrix is not finite.
    """
    vectors = np.array(A, np.float64, order="C")
    values, room = np.empty((2, len(vectors)))
    if len(vectors) > _MOST_TURNED:
        return np.linalg.eigh(vectors)
    if not function("eigen")(pointer(vectors), len(vectors), pointer(values), pointer(room)):
        raise np.linalg.LinAlgError("The matrix has no eigenvalues: it is not finite.")
    order = np.argsort(values, kind="stable")
    return values[order], vectors[order].T


def inverses(A: Array) -> tuple[Array, Array]:
    """The inverse of each of some positive definite matrices (m, n, n), and the logarithm of its determinant (m,).

    NaN where there is none.
    """
    (m, n, _), inverse = A.shape, np.empty(A.shape)
    pivots, work = np.empty((m, n)), np.empty((2 * n + 1) * padded(n))
    numbers = map(pointer, (inverse, pivots, work))
    function("invert_each")(pointer(np.ascontiguousarray(A)), m, n, *numbers)
    return inverse, 2 * np.log(pivots).sum(axis=1)


def solutions(A: Array, b: Array) -> Array:
    """x (m, n) with A_j x_j = b_j of each of some positive definite matrices (m, n, n); NaN where there is none."""
    (m, n, _), x = A.shape, np.array(b, np.float64, order="C")
    work = np.empty((n + 1) * padded(n))
    function("solve_each")(pointer(np.ascontiguousarray(A)), m, n, pointer(x), pointer(work))
    return x


class LastSteps:
    """The last steps (k,) of a quasi-Newton method, and how each changed the gradient: a ring of `most`.

    They are kept as they are given, not copied: whole rings would be large, and are seldom full.
    """

    def __init__(self, most: int = 100) -> None:
        self._most = most
        self._size = self._oldest = 0
        self._pairs: list[tuple[Array, Array]] = []
        self._places: Any = None  # made for the first step, as Newton's method remembers none

    def __len__(self) -> int:
        return self._size

    def clear(self) -> None:
        """Forget all."""
        self._size = self._oldest = 0
        self._pairs = []

    def add(self, change: Array, turn: Array, curvature: float) -> None:
        """Remember a step, what it did to the gradient, and their product; the oldest gives way if there is no room."""
        if self._places is None:
            self._places = np.zeros((2, self._most), np.uintp)
            self._curvatures, self._factors = np.empty(self._most), np.empty(self._most)
        pair = vector(change, change.size), vector(turn, change.size)
        at = (self._oldest + self._size) % self._most
        self._places[:, at] = [one.ctypes.data for one in pair]
        self._curvatures[at] = curvature
        if self._size < self._most:
            self._pairs.append(pair)
            self._size += 1
        else:
            self._pairs[at] = pair
            self._oldest = (at + 1) % self._most

    @property
    def last(self) -> tuple[Array, float]:
        """The last change of the gradient, and its product with the step."""
        at = (self._oldest + self._size - 1) % self._most
        return self._pairs[at][1], float(self._curvatures[at])

    def before_metric(self, gradient: Array) -> Array:
        """What the metric is applied to: the first half of the recursion (Nocedal and Wright, algorithm 7.4)."""
        q = gradient.copy()
        self._run("before_metric", q)
        return q

    def after_metric(self, q: Array) -> Array:
        """The second half: q becomes the approximate inverse of the Hessian times the gradient."""
        self._run("after_metric", q)
        return q

    def _run(self, name: str, q: Array) -> None:
        if self._size:
            arrays = map(pointer, (*self._places, self._curvatures))
            sizes = (self._most, self._oldest, self._size, q.size)
            function(name)(*arrays, *sizes, pointer(q), pointer(self._factors))


def _real(a: Values) -> Array:
    ready = a.__class__ is np.ndarray and a.dtype == np.float64 and a.flags.aligned
    return a if ready else np.require(a, np.float64, ["A"])


def _times(A: Array, x: Array) -> Array:
    """A x of a matrix whose rows or columns lie in one piece, or of a copy of it."""
    m, k = A.shape
    x = np.ascontiguousarray(x)
    by_rows = A.strides[1] == _SIZE
    A = A if (by_rows or A.strides[0] == _SIZE) and min(A.strides) >= 0 else A.copy()
    by_rows = A.strides[1] == _SIZE
    out = np.empty(m)
    ld = A.strides[0 if by_rows else 1] // _SIZE
    function("matrix_vector")(pointer(A), ld, m, k, by_rows, pointer(x), pointer(out))
    return out


def _matrices(A: Array, B: Array, out: Array | None, own: bool) -> Array:
    (m, k), n = A.shape, B.shape[1]
    if not own and sorted((m, k, n))[1] > _OWN:
        return np.matmul(A, B, out=out)
    B = np.ascontiguousarray(B)
    out, work = np.empty((m, n)) if out is None else out, np.empty(8 * k)
    far, near = A.strides[0] // _SIZE, A.strides[1] // _SIZE
    function("matrix_product")(pointer(A), near, far, pointer(B), m, k, n, pointer(out), pointer(work))
    return out
