"""The softmax loss of a block of dense rows and its derivatives by all classes, in one read of X."""

from typing import Any

import numpy as np

from ..arrays import Array, Codes, Matrix
from .library import function, pointer, vector
from .rows import layout, padded

_ROWS = 32  # of a tile


def softmax_sums(
    X: Matrix,
    y: Codes,
    weight: Array | None,
    offset: Array | None,
    baseline: bool,
    center: Array,
    coef: Array,
    intercept: Array,
    dtype: type[np.generic] = np.float64,
) -> tuple[float, float, Array, Array]:
    """The summed loss and odds of dense rows, and the gradients by the intercepts (F,) and the coefficients (F, p).

    y : (m,) codes of the K classes
    offset : (m, K), of all classes
    baseline : whether class 0 has no coefficients: F = K - 1, else K
    dtype : of the products
    """
    by_rows, kind, ld = layout(X)
    (m, p), F = X.shape, len(intercept)
    K = F + int(baseline)
    y, weight, offset = rows_of_classes(m, K, y, weight, offset)
    center, coef, intercept = vector(center, p), vector(coef, F * p), vector(intercept, F)
    by_intercept, by_coef, out = np.zeros(F), np.zeros((F, p)), np.empty(2)
    q = (p + 15) // 16 * 16
    work = np.empty((_ROWS + 2 * F) * q + 2 * F * _ROWS + 8)
    single = np.dtype(dtype) == np.float32
    near, far = (1, ld) if by_rows else (ld, 1)
    numbers = map(pointer, (y, weight, offset, center, coef, intercept, by_intercept, by_coef, work, out))
    function("softmax_rows", kind + ("s" if single else "d"))(pointer(X), near, far, m, p, F, int(baseline), *numbers)
    return float(out[0]), float(out[1]), by_intercept, by_coef


def softmax_second_sums(
    X: Matrix,
    y: Codes,
    weight: Array | None,
    offset: Array | None,
    baseline: bool,
    center: Array,
    inverse: Array,
    theta: Array,
) -> tuple[float, Array, Array]:
    """The summed loss of dense rows, its gradient (F, k) and its Hessian (F k, F k) by theta.

    theta : (F, p) by the columns (x - center) inverse, or (F, p + 1) after an intercept
    y, offset, baseline : as for `softmax_sums`
    """
    by_rows, kind, ld = layout(X)
    (m, p), (F, k) = X.shape, theta.shape
    y, weight, offset = rows_of_classes(m, F + int(baseline), y, weight, offset)
    center, inverse, theta, q, n = vector(center, p), vector(inverse, p), vector(theta, F * k), padded(k), F * k
    room = np.empty(1 + n + n * n + (64 + 2 * F + F * (F + 1) // 2 * q) * q + 64 * (2 * F + 1) + 8)
    near, far = (1, ld) if by_rows else (ld, 1)
    numbers = map(pointer, (y, weight, offset, center, inverse, theta, room))
    function("softmax_second", kind)(pointer(X), near, far, m, p, k - p, F, int(baseline), *numbers)
    return float(room[0]), room[1 : n + 1].reshape(F, k).copy(), room[n + 1 : n + 1 + n * n].reshape(n, n).copy()


def rows_of_classes(
    m: int, K: int, y: Codes, weight: Array | None, offset: Array | None
) -> tuple[Any, Array | None, Array | None]:
    """Codes, weights and offsets (m, K) as the loops read them; an error where a code is that of no class."""
    y = vector(y, m, np.int32)
    if m and not 0 <= int(y.min()) <= int(y.max()) < K:
        raise ValueError(f"A loop over {K} classes was given codes from {y.min()} to {y.max()}.")
    return y, None if weight is None else vector(weight, m), None if offset is None else vector(offset, m * K)
