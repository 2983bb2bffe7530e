"""Probabilities with intervals, made on the scale of the log odds.

Two classes have the scores 0 and z, so that they need no formula of their own. The log odds of class c against the
others, z_c - log sum_{k != c} e^z_k, have the derivative 1 by z_c and minus the share of k among the others by z_k.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtri

from ..arrays import Array, Mask, Matrix, dense
from ..data.coded import Coded
from ..data.memory import one_blas_thread
from ..exceptions import EvenOddsError
from ..labels import row_offsets
from ..naming import listed
from ..reading import require_finite_array
from ..table import count_rows, is_frame, require_same_order
from .certain import design_of, functionals_of, limit_scores, warn_of_open
from .intervals import ends_of, least_of, most_of
from .level_ends import ends_of_row
from .wide import TILE_ROWS, LowRank, centred

if TYPE_CHECKING:
    from .record import Inference

TILE_ENTRIES = 1 << 18
Rows = NDArray[np.intp]
_OPEN = "has no probability: in the limit it is 0 or 1 or between, depending on how far each coefficient has grown"


def predict(result: "Inference", X: object, offset: ArrayLike | None) -> dict[str, Array]:
    """The columns probability, se, lower, upper; of more than two classes four for each."""
    require_same_order(X=X, offset=offset)
    X = result.model._unpacked(X, "The table of predictions")
    array, kept = complete(result, X)
    table = probabilities(result, array, shifts(result, offset, X)[kept])
    warn_of_open(kept[np.isnan(table["probability"]).any(axis=1)].tolist(), "row", _OPEN)
    table = {name: spread(values, kept, count_rows(X)) for name, values in table.items()}
    if len(result.classes) == 2:
        return {name: values[:, 0] for name, values in table.items()}
    each = [(c, label, name) for c, label in enumerate(result.classes) for name in table]
    return {f"{name}_{label}": table[name][:, c] for c, label, name in each}


def probabilities(result: "Inference", array: object, shift: Array, searched: bool = True) -> dict[str, Array]:
    """probability, se, lower and upper (n, c) of rows as the model takes them, with the offsets (n, K) of their scores.

    Of two classes of the second, of more of each.

    searched : whether the ends of rows that separated classes make certain are looked for, row by row; else NaN
    """
    quantile = float(ndtri(0.5 + result.level / 2))
    parts, start = [], 0
    with one_blas_thread:
        for tile in tiles(array):
            rows = slice(start, start + tile.shape[0])
            start += tile.shape[0]
            D, Z = limit_scores(result, tile, shift[rows])
            z, se = _log_odds(Z, variances(result, D))
            ends = np.stack([z - quantile * se, z + quantile * se], axis=2)
            if result.limit is not None and searched:
                _set_ends(result, tile, shift[rows], z, ends)
            parts.append((z, se, ends))
    z, se, ends = (np.concatenate(values) for values in zip(*parts, strict=True))
    p = expit(z)
    slope = p * expit(-z)
    se = np.where(np.isfinite(z), slope * np.where(slope > 0, se, 0.0), np.nan)
    return {"probability": p, "se": se, "lower": expit(ends[..., 0]), "upper": expit(ends[..., 1])}


def _log_odds(Z: Array, V: Array) -> tuple[Array, Array]:
    """Of each class against all others (n, K), of two the second (n, 1), and their standard errors."""
    shown = range(int(Z.shape[1] == 2), Z.shape[1])
    odds, se = np.empty((len(Z), len(shown))), np.empty((len(Z), len(shown)))
    for j, c in enumerate(shown):
        others = np.delete(Z, c, axis=1)
        top = others.max(axis=1, keepdims=True)
        share = np.exp(others - np.where(np.isfinite(top), top, 0.0))
        total = share.sum(axis=1, keepdims=True)
        odds[:, j] = Z[:, c] - (top + np.log(total))[:, 0]
        slope = np.insert(-share / total, c, 1.0, axis=1)[:, -V.shape[1] :]
        se[:, j] = np.sqrt(np.maximum(np.einsum("ia,iab,ib->i", slope, V, slope), 0.0))
    return odds, se


def _set_ends(result: "Inference", X: Array | Coded, shift: Array, z: Array, ends: Array) -> None:
    """The ends of log odds that are infinite or, of two classes, have no limit."""
    known: dict[bytes, Any] = {}
    for i, j in np.argwhere(~np.isfinite(z)):
        ends[i, j] = np.where(np.isinf(z[i, j]) & (np.sign(z[i, j]) == [-1, 1]), z[i, j], np.nan)
        if result.weights == "sampling":
            continue
        if result.problem.several and not isinstance(X, Coded):  # of wide tables only two classes have a limit
            if np.isinf(z[i, j]):
                key = X[i].tobytes() + shift[i].tobytes() + bytes([j])
                if key not in known:
                    end = functools.partial(_end_of_class, result, X[i], shift[i], int(j), z[i, j])
                    known[key] = _followed(end, math.nan)
                ends[i, j, int(z[i, j] < 0)] = known[key]
            continue
        key, ask = _ends_asked(result, X[i : i + 1], float(z[i, j]))
        if key not in known:
            known[key] = _followed(ask, (math.nan, math.nan))
        ends[i, j] = np.array(known[key]) + (shift[i, 1] - shift[i, 0])


def _ends_asked(result: "Inference", row: Array | Coded, z: float) -> tuple[bytes, Callable[[], Any]]:
    """What looks for both ends of the log odds of a row of two classes, and what tells rows with the same apart."""
    if isinstance(row, Coded):
        return design_of(result.whole, row).toarray().tobytes(), functools.partial(ends_of_row, result, row, z)
    ((first, second),) = functionals_of(result.whole, row)
    return (second - first).tobytes(), functools.partial(ends_of, result, second - first, z)


def _end_of_class(result: "Inference", x: Array, shift: Array, c: int, z: float) -> float:
    """The end, as log odds, where those of one of several classes are z, which is infinite."""
    if z < 0:
        return float(logit(most_of(result, x, shift, c)))
    (scores,) = functionals_of(result.whole, x[None, :])
    return least_of(result, np.delete(scores - scores[c], c, axis=0), np.delete(shift - shift[c], c))


def _followed(ask: Callable[[], Any], otherwise: object) -> Any:
    """An answer, or another where the likelihood cannot be followed to it: one row must not take the others along."""
    try:
        return ask()
    except EvenOddsError:
        return otherwise


def log_odds(
    result: "Inference", X: object, offset: ArrayLike | None, left_out: Mask | None = None
) -> tuple[Array, Rows]:
    """Of the second of two classes, infinite where a row is certain, and the rows that have one; else an error."""
    array, kept = complete(result, X, left_out)
    shift, start, parts = shifts(result, offset, X)[kept], 0, []
    with one_blas_thread:
        for tile in tiles(array):
            Z = limit_scores(result, tile, shift[start : start + tile.shape[0]])[1]
            start += tile.shape[0]
            parts.append(Z[:, 1] - Z[:, 0])
    z = np.concatenate(parts)
    if np.isnan(z).any():
        row = int(kept[np.isnan(z).argmax()])
        raise EvenOddsError(f"The classes are separated: row {row} (counted from 0) {_OPEN}.")
    return z, kept


def complete(result: "Inference", X: object, left_out: Mask | None = None) -> tuple[Any, Rows]:
    """X as `read` has it, less the rows that a design drops as a value is missing; and the numbers of those left.

    left_out : rows that a design drops, too

    Beside a wide factor it is coded.
    """
    design = getattr(result.model, "design_", None)
    if design is None:
        return read(result, X), np.arange(count_rows(X))
    rows = design.read(X, left_out)
    kept = np.flatnonzero(~rows.gone)
    return (centred(result.problem, rows.coded()[kept]) if result.whole.wide else rows.matrix()[kept]), kept


def spread(values: Array, kept: Rows, n_rows: int) -> Array:
    """Values of some rows among all, NaN in the others."""
    if kept.size == n_rows:
        return values
    whole = np.full((n_rows, *values.shape[1:]), np.nan)
    whole[kept] = values
    return whole


def read(result: "Inference", X: object) -> Matrix:
    """X checked against the model's columns, and finite. A frame may have others beside them."""
    names = columns_of(result)
    by_name = is_frame(X) and hasattr(result.model, "feature_names_in_")
    X = chosen(result, X)
    if not by_name and hasattr(X, "shape") and len(X.shape) == 2 and X.shape[1] != len(names):
        raise EvenOddsError(
            f"X has {X.shape[1]} features, and this result is about {listed(names)}: pass "
            f"{'this one' if len(names) == 1 else 'these, in this order'}."
        )
    array = result.model._array(X, reset=False)
    require_finite_array(array, result.model._names)
    return array


def columns_of(result: "Inference") -> Sequence[str]:
    """The names of the columns."""
    return result.names[int(bool(result.model.fit_intercept)) :]


def chosen(result: "Inference", X: object) -> Any:
    """The columns of the model, if X is a frame that has them all and others beside them; else X as it is.

    A design finds its columns by itself, and that of the labels.
    """
    if not is_frame(X) or hasattr(result.model, "design_"):
        return X
    names = columns_of(result)
    try:
        columns = nw.from_native(X, eager_only=True)
        return columns.select(names).to_native() if set(names) < set(columns.columns) else X
    except nw.exceptions.DuplicateError:  # which the check of X puts in words
        return X


def shifts(result: "Inference", offset: ArrayLike | None, X: object) -> Array:
    """The offset of each class's score (n, K); a number a row, of two classes, is the second one's."""
    n, K = count_rows(X), len(result.classes)
    if offset is None:
        return np.zeros((n, K))
    values = row_offsets(offset, n, K)
    return values if values.ndim == 2 else np.column_stack([np.zeros(n), values])


def tiles(X: Matrix | Coded) -> Iterator[Any]:
    """Some rows after others, dense or coded."""
    coded = isinstance(X, Coded)
    rows = TILE_ROWS if coded else max(1, TILE_ENTRIES // X.shape[1])
    for k in range(0, max(X.shape[0], 1), rows):
        tile = X[k : k + rows]
        yield tile if coded else dense(tile)


def variances(result: "Inference", D: Matrix) -> Array:
    """The covariance of the scores of the classes that theta is of (n, m, m)."""
    if isinstance(result.theta_covariance, LowRank):
        return result.theta_covariance.spread(D, result.problem.n_free)
    return result.theta_covariance.spread(dense(D), result.problem.n_free)
