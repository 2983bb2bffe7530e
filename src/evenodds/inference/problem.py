"""A fitted model with the rows it was fitted on: what every part of inference reads.

Sums over rows are taken in the objective's coordinates, where they keep their digits, and carried over to the
coefficients of the raw columns by the linear map `to_raw`.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..coordinates import Coordinates, choose_coordinates
from ..data import Array, Data
from ..firth import FirthObjective
from ..model import LogisticRegression
from ..objective import Objective

INTERCEPT = "(intercept)"
_ENOUGH_ROWS = 4096  # to choose coordinates from


@dataclass(frozen=True)
class Problem:
    """The rows, the objective that was minimised on them, and where.

    names : (k,) "(intercept)", if there is one, and all columns
    theta : (q,) in the objective's coordinates
    to_raw : (k, q) coefficients = to_raw @ theta; rows of aliased columns are 0
    digest : of labels and weights in the order of the rows
    """

    data: Data
    objective: Objective
    theta: Array
    names: tuple[str, ...]
    to_raw: Array
    digest: str

    @property
    def coef(self) -> Array:
        """The coefficients of the raw columns, the intercept first."""
        return np.asarray(self.to_raw @ self.theta)

    @property
    def penalised(self) -> bool:
        """Whether there is a ridge."""
        return bool(self.objective.ridge.any())

    @property
    def firth(self) -> bool:
        """Whether the likelihood has Firth's penalty."""
        return isinstance(self.objective, FirthObjective)

    def at(self, theta: Array) -> "Problem":
        """The same problem at other coefficients."""
        return replace(self, theta=theta)

    def row_of(self, name: str) -> Array:
        """The row of `to_raw` of a coefficient."""
        return np.asarray(self.to_raw[self.names.index(name)])


def pose(model: LogisticRegression, data: Data, strength: float) -> Problem:
    """The problem of a fitted model, on the rows that it was fitted on.

    strength : the penalty's lam, 1 / (C S) with the weights of the fit
    """
    sample = data.sample(max(_ENOUGH_ROWS, 16 * data.n_columns), 0)
    chosen = choose_coordinates(
        data,
        sample,
        intercept=bool(model.fit_intercept),
        standardize=bool(model.standardize) and strength > 0,
        strength=strength,
    )
    coordinates = replace(chosen, columns=_solved_columns(model))
    scale = coordinates.scale[coordinates.columns]
    ridge = np.full(scale.size, strength) if model.standardize else np.square(np.sqrt(strength) / scale)
    objective = FirthObjective(data, coordinates) if model.firth else Objective(data, coordinates, ridge)
    theta = coordinates.from_coef(float(model.intercept_[0]), model.coef_[0])
    return Problem(data, objective, theta, names_of(model), raw_map(coordinates), digest(data))


def _solved_columns(model: LogisticRegression) -> Any:
    """The columns that are not aliased, by number."""
    names = list(getattr(model, "feature_names_in_", range(model.n_features_in_)))
    aliased = set(model.aliased_)
    return np.array([j for j, name in enumerate(names) if name not in aliased], dtype=np.intp)


def names_of(model: LogisticRegression) -> tuple[str, ...]:
    """ "(intercept)", if there is one, and the columns; x0, x1, ... where they have no names."""
    columns = getattr(model, "feature_names_in_", None)
    if columns is None:
        columns = [f"x{j}" for j in range(model.n_features_in_)]
    columns = tuple(map(str, columns))
    constant = "(constant)" if INTERCEPT in columns else INTERCEPT
    return (constant, *columns) if model.fit_intercept else columns


def raw_map(coordinates: Coordinates) -> Array:
    """The matrix (k, q) that takes theta to the intercept and the coefficients of the raw columns."""
    first, scale, columns = int(coordinates.intercept), coordinates.scale, coordinates.columns
    matrix = np.zeros((first + scale.size, first + columns.size))
    matrix[first + columns, first + np.arange(columns.size)] = 1 / scale[columns]
    if first:
        matrix[0, 0] = 1.0
        matrix[0, 1:] = -coordinates.center[columns] / scale[columns]
    return matrix


def digest(data: Data) -> str:
    """A fingerprint of the rows without their columns: labels and weights, in order. Weights of 1 are none."""
    found = hashlib.blake2b(digest_size=16)
    for block in data.blocks():
        found.update(np.ascontiguousarray(block.y, dtype=np.uint8).tobytes())
        if block.weight is not None and (block.weight != 1).any():
            found.update(np.ascontiguousarray(block.weight, dtype=np.float64).tobytes())
    return found.hexdigest()
