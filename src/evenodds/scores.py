"""Scores of rows from intercepts and coefficients of the raw columns: what predictions are made of."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from .data import Array

_TILE_ENTRIES = 1 << 18


def linear_scores(X: Any, intercept: Any, coef: Array) -> Array:
    """b + x w of each row of an array or a CSR matrix, w (p,) or (p, K).

    They are not finite where they overflow, and where a row has NaN or infinity: also where the coefficient is 0, so
    that columns without one are read as well.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if sp.issparse(X) or X.dtype == np.float64:
            scores = X @ coef
        else:  # a tile at a time: X is not copied to float64 as a whole
            rows = max(1, _TILE_ENTRIES // X.shape[1])
            parts = [X[k : k + rows].astype(np.float64) @ coef for k in range(0, X.shape[0], rows)]
            scores = np.concatenate(parts)
        scores += intercept
    return np.asarray(scores)


def bounded_scores(X: Any, intercept: Any, coef: Array, scores: Array) -> Array:
    """Scores of finite rows, with those that are infinite replaced by the largest number of the right sign."""
    finite = np.isfinite(scores)
    bad = np.flatnonzero(~(finite if finite.ndim == 1 else finite.all(axis=1)))
    small = 2.0**-600
    signs = np.sign(X[bad].astype(np.float64) * small @ (coef * small))
    signs = np.where(np.isinf(intercept), np.sign(intercept), signs)
    scores[bad] = np.where(finite[bad], scores[bad], signs * np.finfo(np.float64).max)
    return scores
