"""Average marginal effects, with standard errors by the delta method."""

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike
from scipy.special import expit, ndtr, ndtri

from ..data import Array, Block, Sums
from ..exceptions import EvenOddsError
from ..labels import row_numbers
from ..objective import over_tiles
from .prediction import read, require_finite_coef, tiles

if TYPE_CHECKING:
    from .record import Inference


def margins(
    result: "Inference", X: Any, discrete: bool, sample_weight: ArrayLike | None, offset: ArrayLike | None
) -> dict[str, Any]:
    """The columns of the table."""
    require_finite_coef(result)
    array = read(result, X)
    n, p = array.shape
    weight = np.ones(n) if sample_weight is None else row_numbers(sample_weight, "sample_weight", n)
    if (weight < 0).any() or not weight.any():
        raise EvenOddsError("sample_weight has to be 0 or more, and not 0 in all rows.")
    shift = np.zeros(n) if offset is None else row_numbers(offset, "offset", n)
    first = int(bool(result.model.fit_intercept))
    switch = _binary_columns(result) if discrete else np.zeros(p, dtype=bool)
    effect, jacobian = np.zeros(p), np.zeros((p, p + first))
    start = 0
    for D in tiles(result, array):
        rows = slice(start, start + len(D))
        start += len(D)
        _add(result.coef, D, weight[rows], shift[rows], switch, first, effect, jacobian)
    effect, jacobian = effect / weight.sum(), jacobian / weight.sum()
    return _table(result, effect, jacobian, first)


def _add(
    coef: Array, D: Array, weight: Array, offset: Array, switch: Any, first: int, effect: Array, jacobian: Array
) -> None:
    """Add the effects of some rows, and their derivatives by the coefficients."""
    z = D @ coef + offset
    p = expit(z)
    density = weight * p * (1 - p)
    bend = density * (1 - 2 * p)
    slopes = coef[first:]
    continuous = np.flatnonzero(~switch)
    effect[continuous] += density.sum() * slopes[continuous]
    jacobian[continuous] += np.outer(slopes[continuous], bend @ D)
    jacobian[continuous, first + continuous] += density.sum()
    for j in np.flatnonzero(switch):
        off = z - D[:, first + j] * slopes[j]
        high, low = expit(off + slopes[j]), expit(off)
        effect[j] += weight @ (high - low)
        turn = weight * (high * (1 - high) - low * (1 - low))
        change = turn @ D
        # The column itself is 1 in the one case and 0 in the other, whatever it is in the rows.
        change[first + j] = weight @ (high * (1 - high))
        jacobian[j] += change


def _binary_columns(result: "Inference") -> Any:
    """Which columns hold zeros and ones, and both, in the rows of the fit."""

    def sums(block: Block) -> Sums:
        X = block.X.toarray() if sp.issparse(block.X) else block.X
        return ((X != 0) & (X != 1)).sum(axis=0), (X == 0).sum(axis=0), (X == 1).sum(axis=0)

    others, zeros, ones = result.whole.objective.reduce(lambda block: over_tiles(block, sums))
    return (others == 0) & (zeros > 0) & (ones > 0)


def _table(result: "Inference", effect: Array, jacobian: Array, first: int) -> dict[str, Any]:
    names = list(result.names[first:])
    # In the coordinates of the fit, where columns far from zero do not cancel.
    jacobian = jacobian @ result.problem.to_raw
    se = np.sqrt(np.einsum("ij,ij->i", jacobian @ result.theta_covariance, jacobian))
    se[~np.isfinite(result.se[first:])] = np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        z = effect / se
    quantile = ndtri(0.5 + result.level / 2)
    return {
        "term": names,
        "effect": effect,
        "se": se,
        "z": z,
        "p_value": 2 * ndtr(-np.abs(z)),
        "lower": effect - quantile * se,
        "upper": effect + quantile * se,
    }
