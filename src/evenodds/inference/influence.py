"""Single rows: how each fits and what it does to the fit; and single columns: how much they overlap.

Leverage, residuals and Cook's distance are those of R's `glm` with the dispersion 1 (Williams, Applied Statistics 36,
1987); the change of the coefficients is one Newton step from the fit without the row (Pregibon, Annals of Statistics
9, 1981).
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..data import Array, Block, Data
from ..exceptions import EvenOddsError
from ..objective import SignedRows
from .covariance import row_scores, squared_norms
from .prediction import require_finite_coef

if TYPE_CHECKING:
    from .record import Inference

_TILE = 1 << 14


def influence(result: "Inference", X: Any, y: Any, sample_weight: Any, offset: Any) -> dict[str, Array]:
    """The columns of the table, NaN in rows of weight zero."""
    require_finite_coef(result)
    model, problem = result.model, result.problem
    data = model._read(X, y, sample_weight, offset, classes=model.classes_, reset=False)
    factor = problem.objective.total_weight / float(data.class_weights.sum())  # precision weights are rescaled
    parts = [_measures(result, tile, factor) for tile in _tiles(data)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if abs(columns.pop("loss").sum() + result.log_likelihood) > 1e-6 * abs(result.log_likelihood) + 1e-9:
        raise EvenOddsError(
            "These are not the rows that the model was fitted on: their log-likelihood is another one. "
            "Pass the X, y, sample_weight and offset of the fit."
        )
    n_rows = int(np.shape(X)[0]) if hasattr(X, "shape") else len(X)
    if n_rows == data.n_rows:
        return columns
    kept = np.fromiter((data.original_row(k) for k in range(data.n_rows)), dtype=np.intp, count=data.n_rows)
    return {name: _spread(values, kept, n_rows) for name, values in columns.items()}


def _spread(values: Array, kept: Any, n_rows: int) -> Array:
    whole = np.full(n_rows, np.nan)
    whole[kept] = values
    return whole


def _tiles(data: Data) -> Any:
    for block in data.blocks():
        for k in range(0, block.n_rows, _TILE):
            yield block.take(slice(k, k + _TILE))


def _measures(result: "Inference", tile: Block, factor: float) -> dict[str, Array]:
    """All measures of some rows. The leverage of a row of weight s is that of s rows together."""
    problem, inverse = result.problem, result.inverse
    rows = SignedRows.of(tile, problem.objective.coordinates)
    sign = np.where(tile.y > 0, 1.0, -1.0)
    weight = np.full(tile.n_rows, factor) if rows.weight is None else rows.weight * factor
    wrong, curvature = row_scores(rows, problem.theta)
    leverage = weight * curvature * squared_norms(rows.D, inverse)
    rest = np.maximum(1 - leverage, np.finfo(float).eps)
    loss = weight * _losses(rows, problem.theta)
    pearson = sign * np.sqrt(weight * wrong / np.maximum(1 - wrong, np.finfo(float).tiny))
    deviance = sign * np.sqrt(2 * loss)
    D = rows.D.toarray() if sp.issparse(rows.D) else rows.D
    change = problem.to_raw @ (inverse.full @ (D * (weight * wrong / rest)[:, None]).T)
    change[~problem.to_raw.any(axis=1)] = np.nan
    return {
        "leverage": leverage,
        "pearson": pearson,
        "deviance": deviance,
        "studentized": sign * np.sqrt(deviance**2 + leverage * pearson**2 / rest),
        "cooks_distance": pearson**2 * leverage / (rest**2 * problem.theta.size),
        **{f"dfbeta_{name}": change[j] for j, name in enumerate(result.names)},
        "loss": loss,
    }


def _losses(rows: SignedRows, theta: Array) -> Array:
    """The loss of each row, exact where the probability is not."""
    v = rows.D @ theta if rows.offset is None else rows.D @ theta + rows.offset
    return np.asarray(np.logaddexp(0.0, -v))


def variance_inflation(result: "Inference") -> dict[str, Any]:
    """The table term, vif."""
    first = int(bool(result.model.fit_intercept))
    se = result.se[first:]
    known = np.flatnonzero(np.isfinite(se))
    # A matter of the columns: whatever covariance the table has, that of the model.
    rows = result.problem.to_raw[first:][known]
    V = rows @ result.inverse.full @ rows.T
    size = np.sqrt(np.diag(V))
    vif = np.full(se.size, np.nan)
    vif[known] = np.diag(np.linalg.inv(V / np.outer(size, size)))
    return {"term": list(result.names[first:]), "vif": vif}
