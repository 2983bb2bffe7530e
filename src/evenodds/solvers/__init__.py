"""Solvers minimise an objective; each is a function that returns a frozen `Solution`.

    newton        the smooth loop with the exact Hessian at every step
    quasi-newton  the smooth loop with a metric: the Hessian of a sample, or head columns and a diagonal
    SGD           the textbook's mini-batch gradient descent

`solver="auto"` compares what the first two cost (see `choose`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ..arrays import Array


class Status(enum.Enum):
    """How a fit ended."""

    CONVERGED = "converged: the optimum is within tol"
    MAX_ITER = "the iteration limit was reached before the optimum"
    STALLED = "rounding errors stopped the fit before tol"
    SEPARATED = "stopped: the classes are separated, so that no finite optimum exists"
    STOPPED = "stopped by a callback"
    EPOCHS = "ran the epochs that were asked for"

    def __reduce__(self) -> tuple[type[Status], tuple[str]]:
        # As `__reduce_ex__` does, for loaders that ask for this one only (skops, and with it MLflow).
        return Status, (self.value,)

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class Solution:
    """What a solver found, and how well it knows.

    theta : the coefficients in the objective's coordinates
    loss : J, the mean loss with its penalty
    gap : how far `loss` can be above its minimum: the Newton decrement in the solver's metric; with an L1 part, penalty
        factors or bounds the duality gap, which is a proof
    error : the same in standard errors, sqrt(2 N gap), N the larger of S and `n_rows`; what `tol` bounds
    passes : full reads of the data, those for the units of columns, of a hard start and of the judge among them
    iterations : steps of the solver (epochs for SGD)
    status : a `Status`
    history : the mean loss after each read of the data (each epoch for SGD)
    solver : the solver that ran
    n_rows : rows with a weight
    total_weight : S, the sum of their weights
    lower_maxima : of Firth's fit, by how much the penalised log-likelihood is lower at each further maximum that was
        found, the highest of them first; empty where one was found, which is all there is of other losses
    """

    theta: Array = field(repr=False)
    loss: float
    gap: float
    error: float
    passes: int
    iterations: int
    status: Status
    history: Array = field(repr=False)
    solver: str
    n_rows: int
    total_weight: float
    lower_maxima: tuple[float, ...] = ()


class Metric(Protocol):
    """A symmetric positive definite matrix close to the Hessian, which can be solved with."""

    def solve(self, g: Array) -> Array:
        """P^-1 g."""


Report = Callable[[int, float, float, Array], bool]
"""Progress, called with the iteration, the loss, the error in standard errors and theta. True asks to stop."""

__all__ = ["Metric", "Report", "Solution", "Status"]
