"""Probabilities with intervals, made on the scale of the log odds."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from scipy.special import expit, ndtri

from ..data import Array, as_data, require_finite
from ..exceptions import EvenOddsError
from ..labels import row_numbers

if TYPE_CHECKING:
    from .record import Inference

_TILE_ENTRIES = 1 << 18


def predict(result: "Inference", X: Any, offset: ArrayLike | None) -> dict[str, Array]:
    """The columns probability, se, lower, upper."""
    require_finite_coef(result)
    quantile = float(ndtri(0.5 + result.level / 2))
    scores, errors = [], []
    for D in tiles(result, read(result, X)):
        scores.append(D @ result.coef)
        errors.append(np.sqrt(variances(result, D)))
    z, se = np.concatenate(scores), np.concatenate(errors)
    if offset is not None:
        z = z + row_numbers(offset, "offset", z.size)
    p = expit(z)
    slope = p * expit(-z)
    return {
        "probability": p,
        "se": slope * np.where(slope > 0, se, 0.0),
        "lower": expit(z - quantile * se),
        "upper": expit(z + quantile * se),
    }


def require_finite_coef(result: "Inference") -> None:
    """An error where the classes are separated."""
    if not np.isfinite(result.coef).all():
        raise EvenOddsError(
            "The classes are separated, so that the estimate is infinite and probabilities have no intervals or "
            "effects. Fit with LogisticRegression(firth=True)."
        )


def read(result: "Inference", X: Any) -> Any:
    """X checked against the model's columns, and finite."""
    array = result.model._array(X, reset=False)
    result.model._guarded(require_finite, as_data(array, np.zeros(array.shape[0], np.uint8)))
    return array


def tiles(result: "Inference", X: Any) -> Iterator[Array]:
    """Some rows after others as a dense design with the intercept's column."""
    first = int(bool(result.model.fit_intercept))
    rows = max(1, _TILE_ENTRIES // X.shape[1])
    for k in range(0, X.shape[0], rows):
        tile = X[k : k + rows]
        tile = tile.toarray() if sp.issparse(tile) else np.asarray(tile)
        D = np.ones((tile.shape[0], first + tile.shape[1]))
        D[:, first:] = tile
        yield D


def variances(result: "Inference", D: Array) -> Array:
    """x V x' of each row: by the columns in the problem's own coordinates, where they do not cancel."""
    problem = result.problem
    coordinates = problem.objective.coordinates
    first = int(coordinates.intercept)
    columns = coordinates.columns
    scaled = (D[:, first:][:, columns] - coordinates.center[columns]) / coordinates.scale[columns]
    scaled = np.column_stack([np.ones(len(D)), scaled]) if first else scaled
    return np.asarray(np.maximum(np.einsum("ij,ij->i", scaled @ result.theta_covariance, scaled), 0.0))
