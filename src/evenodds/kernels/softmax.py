"""The softmax loss of a block of dense rows, and its gradients by all classes, in one read of X."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .library import function, pointer, vector
from .rows import layout

Array = NDArray[np.float64]
_ROWS = 32  # of a tile


def softmax_sums(
    X: Any,
    y: Any,
    weight: Array | None,
    offset: Array | None,
    baseline: bool,
    center: Array,
    coef: Array,
    intercept: Array,
    dtype: Any = np.float64,
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
    y = vector(y, m, np.int32)
    if m and not 0 <= int(y.min()) <= int(y.max()) < K:
        raise ValueError(f"A loop over {K} classes was given codes from {y.min()} to {y.max()}.")
    weight = None if weight is None else vector(weight, m)
    offset = None if offset is None else vector(offset, m * K)
    center, coef, intercept = vector(center, p), vector(coef, F * p), vector(intercept, F)
    by_intercept, by_coef, out = np.zeros(F), np.zeros((F, p)), np.empty(2)
    q = (p + 15) // 16 * 16
    work = np.empty((_ROWS + 2 * F) * q + 2 * F * _ROWS + 8)
    single = np.dtype(dtype) == np.float32
    near, far = (1, ld) if by_rows else (ld, 1)
    numbers = map(pointer, (y, weight, offset, center, coef, intercept, by_intercept, by_coef, work, out))
    function("softmax_rows", kind + ("s" if single else "d"))(pointer(X), near, far, m, p, F, int(baseline), *numbers)
    return float(out[0]), float(out[1]), by_intercept, by_coef
