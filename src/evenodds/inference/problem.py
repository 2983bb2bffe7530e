"""A fitted model with the rows it was fitted on: what every part of inference reads.

Sums over rows are taken in the objective's coordinates, where they keep their digits, and carried over to the
coefficients of the raw columns by the linear map `to_raw`.

Classes are an axis: of two classes one has coefficients, of more than two `listed` have them, one class after another.
Which class the others are seen from is a matter of `to_raw` alone: theta and its covariance do not know.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..arrays import Array, dense
from ..arrow import Arrow, is_wide
from ..coordinates import Coordinates, choose_coordinates
from ..data import Block, Data, Sums
from ..exceptions import EvenOddsError
from ..firth import FirthObjective
from ..fitting import objective_of
from ..model import LogisticRegression
from ..objective import Objective
from ..settings import Settings
from ..solvers.eliminated import eliminates
from .wide import RawMap, raw_map_of

INTERCEPT = "(intercept)"
_ENOUGH_ROWS = 4096  # to choose coordinates from


@dataclass(frozen=True)
class Problem:
    """The rows, the objective that was minimised on them, and where.

    names : (k,) "(intercept)", if there is one, and all columns
    listed : (m,) the classes that have coefficients: of two the second, of more all but the baseline, or all
    theta : (q,) in the objective's coordinates
    to_raw : (m k, q) coefficients = to_raw @ theta; rows of aliased columns are 0; `RawMap` where a factor is wide
    gauge : (q, g) orthonormal directions of theta that change no probability, so that the likelihood has no curvature
        there; theta is 0 along them; CSR where a factor is wide
    n_coef : how many coefficients are free of one another
    full : whether matrices are whole although a factor is wide
    """

    data: Data
    objective: Objective
    theta: Array
    names: tuple[str, ...]
    listed: tuple[Any, ...]
    to_raw: Array | RawMap
    gauge: Any
    n_coef: int
    full: bool = False

    @property
    def several(self) -> bool:
        """Whether there are more than two classes."""
        return len(self.listed) > 1

    @property
    def n_free(self) -> int:
        """How many classes theta is of, one after another; `listed` are as many or, from a baseline, one less."""
        return self.objective.n_free

    @property
    def wide(self) -> bool:
        """Whether one factor has most of many columns, so that matrices are held by their parts."""
        return not self.full and eliminates(self.objective)

    def in_full(self) -> "Problem":
        """The same with whole matrices."""
        if not self.wide:
            return self
        gauge = dense(self.gauge)
        return replace(self, to_raw=np.asarray(self.to_raw), gauge=gauge, full=True)

    @functools.cached_property
    def keys(self) -> tuple[str, ...]:
        """(m k,) what tells all coefficients apart: their names; of more than two classes, name[class]."""
        if not self.several:
            return self.names
        return tuple(f"{name}[{label}]" for label in self.listed for name in self.names)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the table: (k,); of more than two classes (m, k)."""
        return (len(self.listed), len(self.names)) if self.several else (len(self.names),)

    def labels(self, places: Iterable[int]) -> dict[str, list[Any]]:
        """The first columns of a table of some coefficients: term; of more than two classes class, term."""
        k, places = len(self.names), list(places)
        terms = {"term": [self.names[j % k] for j in places]}
        return {"class": [self.listed[j // k] for j in places], **terms} if self.several else terms

    @property
    def coef(self) -> Array:
        """The coefficients of the raw columns (m k,), the intercept of a class first."""
        return np.asarray(self.to_raw @ self.theta)

    @property
    def estimated(self) -> NDArray[np.bool_]:
        """(m k,) the coefficients that are not aliased."""
        return self.to_raw.estimated() if isinstance(self.to_raw, RawMap) else np.asarray(self.to_raw.any(axis=1))

    def curved(self, information: object) -> Any:
        """An information with some curvature in the directions that have none, which changes nothing else."""
        if isinstance(information, Arrow):
            shared = self.objective.total_weight if self.gauge.shape[1] else 0.0
            return information.plus_shared(shared) if shared else information
        return information + self.objective.total_weight * (self.gauge @ self.gauge.T)

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

    def require_one_meaning(self, name: str) -> None:
        """An error where a name is that of a column, and of another column in a class."""
        if self.several and name in self.names and name in self.keys:
            raise EvenOddsError(f"{name!r} is a column, and reads as that of another column in a class: rename it.")

    def row_of(self, name: str) -> Array:
        """The row of `to_raw` of a coefficient."""
        return np.asarray(self.to_raw[self.keys.index(name)])


def pose(model: LogisticRegression, data: Data, strength: float, baseline: object = None) -> Problem:
    """The problem of a fitted model, on the rows that it was fitted on.

    strength : the penalty's lam, 1 / (C S) with the weights of the fit
    baseline : the label that coefficients are against; None: that of the fit
    """
    settings = Settings.of(model)
    sample = data.sample(max(_ENOUGH_ROWS, 0 if is_wide(data.layout) else 16 * data.n_columns), 0)
    chosen = choose_coordinates(
        data,
        sample,
        intercept=settings.fit_intercept,
        standardize=settings.standardize and strength > 0,
        strength=strength,
    )
    coordinates = replace(chosen, columns=_solved_columns(model))
    objective = objective_of(settings, data, coordinates, strength)
    theta = objective.from_coef(model.intercept_, model._coef)
    problem = posed(objective, theta, names_of(model), model.classes_.tolist(), baseline)
    keys = problem.keys
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise EvenOddsError(f"Two coefficients would have the name {twice!r}: rename a column or a class.")
    return problem


def posed(objective: Objective, theta: Array, names: tuple[str, ...], classes: list[Any], baseline: object) -> Problem:
    """The problem of an objective and a place."""
    coordinates, data, wide = objective.coordinates, objective.data, eliminates(objective)
    first = int(objective.classes.baseline)
    m, k = objective.n_free, theta.size // objective.n_free
    of_classes = np.eye(len(classes), m, -first)  # theta's class of each class; a baseline's is 0
    if baseline is None and first:
        baseline = classes[0]
    listed = tuple(label for label in classes if baseline is None or label != baseline)
    if len(listed) < len(classes):
        place = classes.index(baseline)
        of_classes = np.delete(of_classes, place, axis=0) - of_classes[place]
    if wide:
        to_raw: Any = raw_map_of(coordinates, of_classes)
    else:
        to_raw = np.asarray(np.kron(of_classes, raw_map(coordinates)), dtype=np.float64)
    gauge: Any = np.zeros((theta.size, 0))
    if not first:
        alike = np.full((m, 1), m**-0.5)  # added to all classes
        gauge = sp.csr_array(sp.kron(alike, sp.eye_array(k))) if wide else np.kron(alike, np.eye(k))
    return Problem(data, objective, theta, names, listed, to_raw, gauge, k * (len(classes) - 1))


def _solved_columns(model: LogisticRegression) -> Any:
    """The columns that are not aliased, by number."""
    names: list[Any] = model._names or list(range(model.n_features_in_))
    aliased = set(model.aliased_)
    return np.array([j for j, name in enumerate(names) if name not in aliased], dtype=np.intp)


def names_of(model: LogisticRegression) -> tuple[str, ...]:
    """ "(intercept)", if there is one, and the columns; x0, x1, ... where they have no names."""
    columns = tuple(map(str, model._names or [f"x{j}" for j in range(model.n_features_in_)]))
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


def fingerprint(data: Data) -> int:
    """Of the labels and weights of the rows, in their order: a sum of hashes, which no cut into blocks changes."""
    return int(data.reduce(_hashes)[0][0])


def _hashes(block: Block) -> Sums:
    weight = np.ones(block.n_rows) if block.weight is None else block.weight
    found = np.arange(block.first, block.first + block.n_rows, dtype=np.uint64)
    for values in (block.y.astype(np.uint64), np.ascontiguousarray(weight).view(np.uint64)):
        found = _mixed(_mixed(found) ^ values)
    return (found.sum(keepdims=True),)


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Whole numbers, all bits of each mixed (splitmix64: Steele, Lea and Flood, OOPSLA 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
