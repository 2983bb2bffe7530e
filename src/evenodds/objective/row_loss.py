"""What is known of a loss: how it adds up over the rows of a block, at one theta.

A `RowLoss` holds coordinates and theta and never data, so that it can go to where rows are. A row has one score, or
one for each class that has coefficients; all of them have the same design x_i.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..arrays import Array, Real
from ..coordinates import Coordinates
from ..data import Block, Sums
from ..kernels.newton import Limits, Steps, newton
from .row_sums import linear_predictor


class Fitted(NamedTuple):
    """Rows as inference sees them, F the sets of coefficients.

    D : (m, k) the design of one set, dense or CSR; of one score with the sign of the label
    loss : (m,) of each row, without its weight
    residual : (m, F) the negative gradient of the loss by the scores
    W : (m, F, F) the covariance of the residuals if the model is right
    """

    D: Any
    loss: Array
    residual: Array
    W: Array


@dataclass(frozen=True)
class RowLoss(ABC):
    """The loss of rows at theta, and its derivatives: `Binary` and `Softmax` are two.

    theta : (k,) of one score; of several (F, k)
    baseline : whether the first class has no coefficients
    single : whether `first` multiplies in single precision, where `has_single`
    """

    has_single: ClassVar[bool] = False

    coordinates: Coordinates
    theta: Array
    baseline: bool = True
    single: bool = False

    @abstractmethod
    def first(self, block: Block, room: Array | None = None) -> Sums:
        """Sums: the loss, the odds against the labels (NaN if that takes more), and the gradient, see `gradient`.

        room : for what else the read makes of each row, of sparse rows in memory: see the loss
        """

    def gradient(self, by_intercept: float | Array, by_coef: Array) -> Array:
        """The gradient by theta from the ones by the intercepts and by the centred columns that `first` has summed."""
        return self.coordinates.gradient(by_intercept, by_coef)

    @abstractmethod
    def second(self, block: Block, dtype: Real = np.float64) -> Sums:
        """Sums: the Hessian by theta; and the loss and its gradient by theta, where the same read gives them.

        dtype : of products of many columns
        """

    @abstractmethod
    def squares(self, block: Block) -> Sums:
        """Sums for the diagonal of the Hessian: of h, and of h x^2 of the centred columns."""

    def moves(self, block: Block) -> Array:
        """The scores of the rows (m,) or (m, F) without their offsets: if theta is a step, what it moves them by."""
        return linear_predictor(block, self.coordinates, self.theta)

    def scores(self, block: Block) -> Array:
        """The scores with their offsets."""
        z = self.moves(block)
        return z if block.offset is None else z + block.offset

    @abstractmethod
    def multipliers(self, block: Block) -> Array:
        """(m,) or (m, K - 1) what balances the signed rows at an optimum: see `separation.balance`."""

    def least_bend(self, block: Block) -> float:
        """A number that the second derivative of no row's loss by its score, with its weight, is below; 0 always is."""
        return 0.0

    @abstractmethod
    def fitted(self, block: Block) -> Fitted:
        """The rows as inference sees them."""

    def columns(self, block: Block, bends: Array | None = None) -> Sums:
        """Of one score sums of the loss, its gradient, and of h, h x and h x^2 of the centred columns.

        bends : (n_rows,) room for h of all rows
        """
        raise AssertionError("columns have a curvature each where a row has one score")

    def coded(self, block: Block) -> Sums:
        """Of coded rows what `first` gives and the products for the Hessian, of each two scores (see `class_arrow`)."""
        raise AssertionError("this loss has no Hessian by its parts")

    def newton(self, block: Block, pull: Array, total_weight: float, limits: Limits) -> Steps | None:
        """The points of Newton's method over few dense columns in one call, if there is a loop for it."""
        return None

    def best_length(self, block: Block, step: Array, slopes: tuple[float, float], total_weight: float) -> float:
        """The factor on a step at which J is least, if the scores tell it cheaply, else 1.

        slopes : the first and second derivative of the penalty along the step
        """
        return 1.0


def in_one_call(loss: RowLoss, block: Block, pull: Array, total_weight: float, limits: Limits) -> Steps:
    """The points of Newton's method from the theta of a loss of two classes or more.

    The loop takes all columns: those that have no coefficients are held at 0.
    """
    coordinates, theta = loss.coordinates, loss.theta
    size = coordinates.center.size + int(coordinates.intercept)
    given = (block.X, block.y, block.weight, block.offset)
    units = (coordinates.center, coordinates.inverse)
    baseline = None if theta.ndim == 1 else loss.baseline
    if theta.shape[-1] == size:
        return newton(*given, theta, *units, pull, total_weight, limits, baseline)
    every, places = np.zeros((*theta.shape[:-1], size)), coordinates.places
    every[..., places] = theta
    at = (size * np.arange(theta.size // theta.shape[-1])[:, None] + places).ravel()
    held = np.ones(every.size)
    held[at] = pull
    found = newton(*given, every, *units, held, total_weight, limits, baseline)
    hessian = None if found.hessian is None else found.hessian[np.ix_(at, at)]
    end = None if found.end is None else found.end[at]
    return replace(found, thetas=found.thetas[:, at], gradient=found.gradient[at], hessian=hessian, end=end)
