"""Scores of rows from intercepts and coefficients of the raw columns, and of several classes their probabilities."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .arrays import Array, Matrix
from .kernels.algebra import product
from .kernels.library import function, pointer, vector

_TILE_ENTRIES = 1 << 18


def linear_scores(X: Matrix, intercept: float | Array, coef: Array) -> Array:
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


def bounded_scores(X: Matrix, intercept: float | Array, coef: Array, scores: Array) -> Array:
    """Scores of finite rows, with those that are infinite replaced by the largest number of the right sign."""
    finite = np.isfinite(scores)
    bad = np.flatnonzero(~(finite if finite.ndim == 1 else finite.all(axis=1)))
    small = 2.0**-600
    signs = np.sign(X[bad].astype(np.float64) * small @ (coef * small))
    signs = np.where(np.isinf(intercept), np.sign(intercept), signs)
    scores[bad] = np.where(finite[bad], scores[bad], signs * np.finfo(np.float64).max)
    return scores


def two_probabilities(scores: Array) -> Array:
    """The probabilities (m, 2) of two classes from the scores (m,) of the second, each with all its digits."""
    P = np.empty((scores.size, 2))
    function("two_probabilities")(pointer(vector(scores, scores.size)), scores.size, pointer(P))
    return P


def softmax(scores: Array, own: NDArray[np.intp]) -> tuple[Array, Array, Array]:
    """Of rows with scores (m, K), which are overwritten, the losses, the probabilities and the residuals p - 1{own}.

    All have their digits where the own class is nearly certain: what is left of it is the sum of the others.
    """
    rows = np.arange(len(scores))
    with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
        scores -= scores.max(axis=1, keepdims=True)
        behind = scores[rows, own]
        P = np.exp(scores, out=scores)
        total = P.sum(axis=1)
        P /= total[:, None]
        R = P.copy()
        R[rows, own] = 0.0
        miss = R.sum(axis=1)
        R[rows, own] = -miss
        losses = np.where(miss < 0.5, -np.log1p(-miss), np.log(total) - behind)
    return losses, P, R


def other_classes(P: Array) -> Array:
    """1 - P, with all digits where P is nearly 1."""
    return np.asarray(product(P, 1 - np.eye(P.shape[1])))


def log_probabilities(scores: Array) -> Array:
    """The logarithm of the softmax of each row, exact where the probability is nearly 0 or 1."""
    with np.errstate(over="ignore", under="ignore"):
        Z = scores - scores.max(axis=1, keepdims=True)
        rest = np.exp(Z)
        rest[np.arange(len(Z)), Z.argmax(axis=1)] = 0.0  # the largest is 1: log(1 + rest)
        return np.asarray(Z - np.log1p(rest.sum(axis=1, keepdims=True)))
