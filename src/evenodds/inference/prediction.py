"""Probabilities with intervals, made on the scale of the log odds.

Two classes have the scores 0 and z, so that they need no formula of their own. The log odds of class c against the
others, z_c - log sum_{k != c} e^z_k, have the derivative 1 by z_c and minus the share of k among the others by z_k.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from scipy.special import expit, ndtri

from ..advice import listed
from ..data import Array, Block, as_data, require_finite
from ..data.memory import one_blas_thread
from ..exceptions import EvenOddsError
from ..labels import row_offsets
from ..softmax import dense_design
from ..table import is_frame, require_same_order

if TYPE_CHECKING:
    from .record import Inference

_TILE_ENTRIES = 1 << 18


def predict(result: "Inference", X: Any, offset: ArrayLike | None) -> dict[str, Array]:
    """The columns probability, se, lower, upper; of more than two classes four for each."""
    require_same_order(X=X, offset=offset)
    require_finite_coef(result)
    shift = shifts(result, offset, X)
    quantile = float(ndtri(0.5 + result.level / 2))
    parts, start = [], 0
    with one_blas_thread:
        for D in tiles(result, read(result, X)):
            Z = scores(result, D)
            Z += shift[start : start + len(Z)]
            start += len(Z)
            parts.append(_log_odds(Z, variances(result, D)))
    z, se = (np.concatenate(values) for values in zip(*parts, strict=True))
    p = expit(z)
    slope = p * expit(-z)
    table = {
        "probability": p,
        "se": slope * np.where(slope > 0, se, 0.0),
        "lower": expit(z - quantile * se),
        "upper": expit(z + quantile * se),
    }
    if len(result.classes) == 2:
        return {name: values[:, 0] for name, values in table.items()}
    each = [(c, label, name) for c, label in enumerate(result.classes) for name in table]
    return {f"{name}_{label}": table[name][:, c] for c, label, name in each}


def _log_odds(Z: Array, V: Array) -> tuple[Array, Array]:
    """Of each class against all others (n, K), of two the second (n, 1), and their standard errors."""
    shown = range(int(Z.shape[1] == 2), Z.shape[1])
    odds, se = np.empty((len(Z), len(shown))), np.empty((len(Z), len(shown)))
    for j, c in enumerate(shown):
        others = np.delete(Z, c, axis=1)
        top = others.max(axis=1, keepdims=True)
        share = np.exp(others - top)
        total = share.sum(axis=1, keepdims=True)
        odds[:, j] = Z[:, c] - (top + np.log(total))[:, 0]
        slope = np.insert(-share / total, c, 1.0, axis=1)[:, -V.shape[1] :]
        se[:, j] = np.sqrt(np.maximum(np.einsum("ia,iab,ib->i", slope, V, slope), 0.0))
    return odds, se


def require_finite_coef(result: "Inference") -> None:
    """An error where the classes are separated."""
    if not np.isfinite(result.coef).all():
        cure = "with a ridge, for example C=1" if result.problem.several else "with LogisticRegression(firth=True)"
        raise EvenOddsError(
            "The classes are separated, so that the estimate is infinite and probabilities have no intervals or "
            f"effects. Fit {cure}."
        )


def read(result: "Inference", X: Any) -> Any:
    """X checked against the model's columns, and finite. A frame may have others beside them."""
    names = _columns_of(result)
    by_name = is_frame(X) and hasattr(result.model, "feature_names_in_")
    X = chosen(result, X)
    if not by_name and len(getattr(X, "shape", ())) == 2 and X.shape[1] != len(names):
        raise EvenOddsError(
            f"X has {X.shape[1]} features, and this result is about {listed(names)}: pass "
            f"{'this one' if len(names) == 1 else 'these, in this order'}."
        )
    array = result.model._array(X, reset=False)
    result.model._guarded(require_finite, as_data(array, np.zeros(array.shape[0], np.uint8)))
    return array


def _columns_of(result: "Inference") -> Sequence[str]:
    return result.names[int(bool(result.model.fit_intercept)) :]


def chosen(result: "Inference", X: Any) -> Any:
    """The columns of the model, if X is a frame that has them all and others beside them; else X as it is."""
    if not is_frame(X):
        return X
    names = _columns_of(result)
    try:
        columns = nw.from_native(X, eager_only=True)
        return columns.select(names).to_native() if set(names) < set(columns.columns) else X
    except nw.exceptions.DuplicateError:  # which the check of X puts in words
        return X


def shifts(result: "Inference", offset: ArrayLike | None, X: Any) -> Array:
    """The offset of each class's score (n, K); a number a row, of two classes, is the second one's."""
    n, K = X.shape[0] if hasattr(X, "shape") else len(X), len(result.classes)
    if offset is None:
        return np.zeros((n, K))
    values = row_offsets(offset, n, K)
    return values if values.ndim == 2 else np.column_stack([np.zeros(n), values])


def tiles(result: "Inference", X: Any) -> Iterator[Array]:
    """Some rows after others, dense, as the design of one class in the coordinates of the fit."""
    coordinates = result.problem.objective.coordinates
    rows = max(1, _TILE_ENTRIES // X.shape[1])
    for k in range(0, X.shape[0], rows):
        tile = X[k : k + rows]
        tile = tile.toarray() if sp.issparse(tile) else np.asarray(tile)
        yield dense_design(coordinates, Block(tile, np.zeros(len(tile), dtype=np.uint8)))


def scores(result: "Inference", D: Array) -> Array:
    """The scores of all classes (n, K), that of a baseline 0, without offsets."""
    theta = result.problem.theta.reshape(len(result.listed), -1)
    return np.pad(D @ theta.T, ((0, 0), (len(result.classes) - len(theta), 0)))


def variances(result: "Inference", D: Array) -> Array:
    """The covariance of the scores of the classes that are listed (n, m, m)."""
    m, k = len(result.listed), D.shape[1]
    V = result.theta_covariance.reshape(m, k, m, k)
    found = np.empty((len(D), m, m))
    for a in range(m):
        for b in range(m):
            found[:, a, b] = np.einsum("ij,ij->i", D @ V[a, :, b], D)
    return found
