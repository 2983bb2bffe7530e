"""Average marginal effects, with standard errors by the delta method.

With p the probabilities and w_c the slopes of class c, dp_c/dx_j = sum_k p_c (1{c=k} - p_k) w_kj. Two classes are the
case with w_0 = 0. All derivatives are by theta, in whose coordinates columns far from zero do not cancel.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, softmax

from ..data import Array, Block, Sums
from ..data.memory import one_blas_thread
from ..exceptions import EvenOddsError
from ..labels import row_numbers
from ..objective import over_tiles
from ..table import require_same_order
from .prediction import read, require_finite_coef, scores, shifts, tiles

if TYPE_CHECKING:
    from .record import Inference


def margins(
    result: "Inference", X: Any, discrete: bool, sample_weight: ArrayLike | None, offset: ArrayLike | None
) -> dict[str, Any]:
    """The columns of the table."""
    require_finite_coef(result)
    require_same_order(X=X, sample_weight=sample_weight, offset=offset)
    array = read(result, X)
    n, p = array.shape
    weight = np.ones(n) if sample_weight is None else row_numbers(sample_weight, "sample_weight", n)
    if (weight < 0).any() or not weight.any():
        raise EvenOddsError("sample_weight has to be 0 or more, and not 0 in all rows.")
    shift = shifts(result, offset, array)
    effects = _Effects(result, _binary_columns(result) if discrete else np.zeros(p, dtype=bool))
    start = 0
    with one_blas_thread:
        for D in tiles(result, array):
            rows = slice(start, start + len(D))
            start += len(D)
            effects.add(D, scores(result, D) + shift[rows], weight[rows])
    return _table(result, effects.effect / weight.sum(), effects.jacobian / weight.sum())


@dataclass
class _Effects:
    """Sums over rows, a tile after another.

    effect : (K, p) by class and column; jacobian : (K, p, m, k) its derivative by theta
    """

    result: "Inference"
    switch: Any
    effect: Array = field(init=False)
    jacobian: Array = field(init=False)

    def __post_init__(self) -> None:
        K, m, k = len(self.result.classes), len(self.result.listed), self.result.problem.theta.size
        self.effect = np.zeros((K, self.switch.size))
        self.jacobian = np.zeros((K, self.switch.size, m, k // m))
        coordinates = self.result.problem.objective.coordinates
        self.first, self.columns = int(coordinates.intercept), coordinates.columns
        self.center, self.scale = coordinates.center[self.columns], coordinates.scale[self.columns]
        theta = self.result.problem.theta.reshape(m, -1)
        self.slopes = np.pad(theta[:, self.first :] / self.scale, ((K - m, 0), (0, 0)))  # a baseline's are 0

    def add(self, D: Array, Z: Array, weight: Array) -> None:
        """Add the effects of some rows, and their derivatives."""
        places = np.flatnonzero(~self.switch[self.columns])
        self._add_slopes(D, softmax(Z, axis=1), weight, places)
        for t in np.flatnonzero(self.switch[self.columns]):
            self._add_change(D, Z, weight, int(t))

    def _add_slopes(self, D: Array, P: Array, weight: Array, places: Any) -> None:
        """dp/dx of the columns at some places of theta."""
        K, m = P.shape[1], self.jacobian.shape[2]
        W = -P[:, :, None] * P[:, None, :]
        np.einsum("icc->ic", W)[:] += P
        mean = np.einsum("i,ick->ck", weight, W)
        slopes, columns = self.slopes[:, places], self.columns[places]
        self.effect[:, columns] += mean @ slopes
        for a, c in enumerate(range(K - m, K)):
            self.jacobian[:, columns, a, self.first + places] += mean[:, c, None] / self.scale[places]
            # dW_ck / dz_c' of the rows: W_cc' (1{c=k} - p_k) - p_c W_kc'
            turn = -P[:, :, None] * W[:, None, :, c] - W[:, :, c, None] * P[:, None, :]
            np.einsum("icc->ic", turn)[:] += W[:, :, c]
            by_theta = np.tensordot(turn * weight[:, None, None], D, axes=(0, 0))
            self.jacobian[:, columns, a] += np.einsum("kj,ckt->cjt", slopes, by_theta)

    def _add_change(self, D: Array, Z: Array, weight: Array, t: int) -> None:
        """Probabilities at 1 less those at 0 of one column, whatever it is in the rows."""
        column, place = self.columns[t], self.first + t
        off = Z - np.outer(D[:, place] * self.scale[t] + self.center[t], self.slopes[:, t])
        for value in (1.0, 0.0):
            sign = 2 * value - 1
            P = softmax(off + value * self.slopes[:, t], axis=1)
            E = D.copy()
            E[:, place] = (value - self.center[t]) / self.scale[t]
            self.effect[:, column] += sign * (weight @ P)
            m = self.jacobian.shape[2]
            turn = -P[:, :, None] * P[:, None, -m:]
            K = P.shape[1]
            turn[:, np.arange(K - m, K), np.arange(m)] += P[:, -m:]
            self.jacobian[:, column] += sign * np.tensordot(turn * weight[:, None, None], E, axes=(0, 0))


def _binary_columns(result: "Inference") -> Any:
    """Which columns hold zeros and ones, and both, in the rows of the fit."""

    center = result.whole.data.center

    def sums(block: Block) -> Sums:
        X = block.X.toarray() + center if sp.issparse(block.X) else block.X
        return ((X != 0) & (X != 1)).sum(axis=0), (X == 0).sum(axis=0), (X == 1).sum(axis=0)

    others, zeros, ones = result.whole.objective.reduce(lambda block: over_tiles(block, sums))
    return (others == 0) & (zeros > 0) & (ones > 0)


def _table(result: "Inference", effect: Array, jacobian: Array) -> dict[str, Any]:
    first = int(bool(result.model.fit_intercept))
    names, classes = result.names[first:], result.classes
    jacobian = jacobian.reshape(*effect.shape, -1)
    se = np.sqrt(np.einsum("cjt,tu,cju->cj", jacobian, result.theta_covariance, jacobian, optimize=True))
    known = result.se.reshape(-1, len(result.names))[0, first:]
    se[:, ~(np.isfinite(known) & (known > 0))] = np.nan  # 0: a constant column beside a ridge
    if len(classes) == 2:
        effect, se, labels = effect[1], se[1], {"term": list(names)}
    else:
        every = [(label, name) for label in classes for name in names]
        labels = {"class": [label for label, _ in every], "term": [name for _, name in every]}
    effect, se = effect.ravel(), se.ravel()
    with np.errstate(divide="ignore", invalid="ignore"):
        z = effect / se
    quantile = ndtri(0.5 + result.level / 2)
    return {
        **labels,
        "effect": effect,
        "se": se,
        "z": z,
        "p_value": 2 * ndtr(-np.abs(z)),
        "lower": effect - quantile * se,
        "upper": effect + quantile * se,
    }
