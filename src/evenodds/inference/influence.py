"""Single rows: how each fits and what it does to the fit; and single columns: how much they overlap.

Leverage, residuals and Cook's distance are those of R's `glm` with the dispersion 1 (Williams, Applied Statistics 36,
1987); the change of the coefficients is one Newton step from the fit without the row (Pregibon, Annals of Statistics
9, 1981). Of more than two classes the same steps have a matrix for the leverage of a row, of which its trace is
reported (Lesaffre and Albert, Applied Statistics 38, 1989); residuals are the roots of the row's parts of Pearson's
chi-squared and of the deviance, and have no sign.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Array
from ..data import require_finite
from ..data.elsewhere import gathered
from ..data.scan import Scan
from ..exceptions import EvenOddsError
from ..objective.tiles import over_tiles
from ..reading import unpacked
from ..table import count_rows
from .certain import limit_scores
from .covariance import Inverse
from .limit import NEVER
from .prediction import chosen, complete, shifts, spread, tiles
from .rows import FittedRows
from .wide import TILE_ROWS, RawMap, WideInverse

_SINGULAR = 1e-15  # of a column beside the others

if TYPE_CHECKING:
    from .record import Inference


def influence(
    result: "Inference", X: object, y: object, sample_weight: object, offset: ArrayLike | None
) -> dict[str, Array]:
    """The columns of the table, NaN in rows of weight zero."""
    model, problem = result.model, result.problem
    X, y, sample_weight, offset = gathered(X, y, sample_weight, offset)
    if isinstance(X, Scan):
        X.require_room(len(problem.keys) + 5, "The table of influence")
    if result.limit is not None:
        X, y, sample_weight, offset = unpacked(X, y, sample_weight, offset, "Influence")
        offset = _with_certainty(result, X, offset)
    X = chosen(result, X)
    data = model._read(X, y, sample_weight, offset, classes=model.classes_, reset=False)
    require_finite(data)
    n_rows = count_rows(X)
    kept = np.arange(n_rows) if data.kept is None else data.kept
    if problem.several and not problem.theta.size:
        return {name: spread(values, kept, n_rows) for name, values in _of_certain(problem.keys, kept.size).items()}
    factor = result.whole.objective.total_weight / float(data.class_weights.sum())  # precision weights are rescaled
    measures = _Measures(
        problem.several, problem.n_coef, problem.to_raw, np.isfinite(result.se.ravel()), result.inverse, factor
    )
    fitted, rows = FittedRows.at(problem), TILE_ROWS if isinstance(result.inverse, WideInverse) else 0
    (parts,) = data.reduce(lambda block: over_tiles(block, lambda tile: ([measures.of(fitted(tile))],), rows))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if "dfbeta" in columns:
        change = columns.pop("dfbeta")
        columns |= {f"dfbeta_{key}": change[:, j] for j, key in enumerate(problem.keys)}
    if abs(columns.pop("loss").sum() + result.log_likelihood) > 1e-6 * abs(result.log_likelihood) + 1e-9:
        raise EvenOddsError(
            "These are not the rows that the model was fitted on: their log-likelihood is another one. "
            "Pass the X, y, sample_weight and offset of the fit."
        )
    return {name: spread(values, kept, n_rows) for name, values in columns.items()}


def _of_certain(keys: Sequence[str], n_rows: int) -> dict[str, Array]:
    """The table where separated classes leave no doubt about any row: none is amiss, and nothing is estimated."""
    none = dict.fromkeys(("leverage", "pearson", "deviance", "studentized"), np.zeros(n_rows))
    return none | dict.fromkeys(("cooks_distance", *(f"dfbeta_{key}" for key in keys)), np.full(n_rows, np.nan))


def _with_certainty(result: "Inference", X: object, offset: ArrayLike | None) -> Array:
    """The offsets that make rows as certain as they are in the limit of separated classes; others as they are."""
    array, kept = complete(result, X)
    shift, start, parts = shifts(result, offset, X), 0, []
    theta = result.problem.theta.reshape(result.problem.n_free, -1)
    for tile in tiles(array):
        rows = shift[kept[start : start + tile.shape[0]]]
        start += tile.shape[0]
        D, Z = limit_scores(result, tile, rows)
        far = NEVER + 2 * np.abs(D @ theta.T).max(initial=0.0) + 2 * np.abs(rows).max(initial=0.0)
        parts.append(rows - far * np.isneginf(Z))
    moved = shift.copy()
    moved[kept] = np.concatenate(parts)
    return moved if result.problem.several else np.asarray(moved[:, 1] - moved[:, 0])


@dataclass(frozen=True)
class _Measures:
    """What rows are measured with.

    known : (m k,) whether a coefficient has a standard error
    factor : what the weights of the rows are multiplied by
    """

    several: bool
    n_coef: int
    to_raw: Array | RawMap
    known: Any
    inverse: Inverse | WideInverse
    factor: float

    def of(self, rows: FittedRows) -> dict[str, Array]:
        """All measures of some rows; beside a wide factor without the changes of its many coefficients.

        The leverage of a row of weight s is that of s rows together.
        """
        sign = 1.0 if self.several else np.where(rows.y > 0, 1.0, -1.0)
        weight = np.full(rows.y.size, self.factor) if rows.weight is None else rows.weight * self.factor
        rows = replace(rows, weight=weight)
        Q = rows.spread(self.inverse)
        enlarged = rows.enlarged(Q, 2, repeats=False)
        moved = (Q @ enlarged[:, :, None])[:, :, 0]  # of the scores, by the row
        loss = weight * rows.loss
        deviance = sign * np.sqrt(2 * loss)
        changes = {}
        if isinstance(self.inverse, Inverse) and not isinstance(self.to_raw, RawMap):
            change = self.inverse.of(rows.outer(rows.weighted(enlarged))) @ self.to_raw.T
            change[:, ~self.known] = np.nan
            changes["dfbeta"] = change
        return changes | {
            "leverage": weight * np.einsum("iab,iba->i", rows.W, Q),
            "pearson": sign * np.sqrt(weight * np.expm1(np.minimum(rows.loss, 709.0))),  # e^loss is 1 / p
            "deviance": deviance,
            "studentized": sign * np.sqrt(deviance**2 + weight**2 * np.einsum("ia,ia->i", rows.residual, moved)),
            "cooks_distance": weight**2 * np.einsum("ia,ia->i", enlarged, moved) / self.n_coef,
            "loss": loss,
        }


def variance_inflation(result: "Inference") -> dict[str, Any]:
    """The table term, vif."""
    problem, first = result.problem, int(bool(result.model.fit_intercept))
    k = len(result.names)
    known = first + np.flatnonzero(np.isfinite(result.se.reshape(-1, k)[:, first:]).all(axis=0))
    # A matter of the columns: whatever covariance the table has, that of the model, against one class.
    rows = problem.to_raw.reshape(len(result.listed), k, -1)[:, known]
    rows = rows if result.baseline is not None else rows[1:] - rows[:1]
    m = len(rows)
    rows = rows.transpose(1, 0, 2).reshape(known.size * m, rows.shape[2])  # the classes of a column side by side
    if isinstance(result.inverse, Inverse):
        root = rows @ result.inverse.half.T
        root /= np.linalg.norm(root, axis=1, keepdims=True)
        R, back = root @ root.T, np.linalg.pinv(root, rcond=_SINGULAR)
        inverse = back.T @ back
    else:
        V = rows @ result.inverse.full @ rows.T
        size = np.sqrt(np.diag(V))
        R = V / np.outer(size, size)
        inverse = np.linalg.inv(R)
    vif = np.full(k - first, np.nan)
    for t, j in enumerate(known):
        own = slice(t * m, (t + 1) * m)
        # det R_own det R_rest / det R = det R_own det (R^-1)_own
        vif[j - first] = (np.linalg.det(R[own, own]) * np.linalg.det(inverse[own, own])) ** (1 / m)
    return {"term": list(result.names[first:]), "vif": vif}
