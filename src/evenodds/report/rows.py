"""The rows that a report is about: their labels, weights and probabilities."""

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from ..arrays import Array
from ..data.scan import Scan
from ..exceptions import EvenOddsError
from ..labels import encode_kept, encode_labels, row_numbers, row_offsets
from ..naming import known_column, nearest
from ..table import is_frame, unique_names

Model = Any  # a LogisticRegression or a LogisticRegressionCV


def fit_of(model: Model) -> Model:
    """Of a cross-validation the fit that it ended with."""
    found: Model = getattr(model, "estimator_", model)
    return found


@dataclass(frozen=True)
class Rows:
    """Rows with what the model says of them.

    X, y, sample_weight, offset : as `infer` takes them
    n_given : how many rows there were
    kept : (n,) the numbers of those that have a label, all values and a weight
    codes, weight : (n,) their classes and weights
    scores : (n,) the log odds of the second of two classes, (n, K) of more a score each
    P : (n, K) their probabilities
    target : the name of the column of labels, if it has one
    weighted : whether rows have weights of their own
    """

    X: Any
    y: Any
    sample_weight: Any
    offset: Any
    n_given: int
    kept: NDArray[np.intp]
    codes: NDArray[np.intp]
    weight: Array
    scores: Array
    P: Array
    target: str | None
    weighted: bool

    @property
    def of_second(self) -> NDArray[np.bool_]:
        """Which rows are of the second of two classes."""
        return np.asarray(self.codes == 1)


def scored(model: Model, frame: object, target: object, sample_weight: object, offset: object) -> Rows:
    """The rows of a frame (or array) by a fitted model.

    target : a column of the frame, or labels; None where the model knows its column
    """
    if isinstance(frame, Scan):
        raise EvenOddsError("A report measures rows in memory, several times: give it a frame with some of the rows.")
    y, sample_weight, offset, name = _labels(model, frame, target, sample_weight, offset)
    X, design = _features(model, frame), getattr(model, "design_", None)
    if design is None:
        scores = model.decision_function(X)
    else:
        scores = model._design_scores(design.read(X, design.without_label(y)))
    n, K = len(scores), model.classes_.size
    if offset is not None:
        shift = row_offsets(offset, n, K)
        scores = scores + (shift[:, 1] - shift[:, 0] if shift.ndim == 2 and K == 2 else _as_scores(shift, K))
    there = ~np.isnan(scores if K == 2 else scores[:, 0])
    if design is not None and design.missing == "drop":
        _, codes, kept = encode_kept(y, there, model.classes_)
        there = there if kept is None else kept
    else:
        _, codes = encode_labels(y, n, model.classes_)
    weight = np.ones(n) if sample_weight is None else row_numbers(sample_weight, "sample_weight", n)
    rows = np.flatnonzero(there & (weight > 0))
    if rows.size == 0:
        raise EvenOddsError("There is no row to report on: each has a missing value, no label or the weight 0.")
    scores = scores[rows]
    P = np.stack([expit(-scores), expit(scores)], axis=1) if K == 2 else softmax(scores, axis=1)
    weighted = sample_weight is not None
    return Rows(
        X, y, sample_weight, offset, n, rows, codes[rows].astype(np.intp), weight[rows], scores, P, name, weighted
    )


def _labels(
    model: Model, frame: object, target: object, sample_weight: object, offset: object
) -> tuple[Any, Any, Any, str | None]:
    """Labels, weights, offsets, and the name of the column of labels."""
    design = getattr(model, "design_", None)
    known = None if design is None else design.target
    if design is not None and known is not None and (target is None or (isinstance(target, str) and target == known)):
        return *design.beside(frame, sample_weight, offset), known
    if target is None:
        raise EvenOddsError(
            "The model does not know where its labels are: give target=, the name of a column of the frame, or the "
            "labels themselves."
        )
    if not isinstance(target, str):
        return target, sample_weight, offset, None
    if not is_frame(frame):
        raise EvenOddsError(f"target={target!r} names a column, and a {type(frame).__name__} has none: give labels.")
    table, names = unique_names(frame)
    known_column(target, names)
    return table[target].to_native(), sample_weight, offset, target


def _features(model: Model, frame: object) -> Any:
    """What the model takes of a frame: its columns by name, whatever stands beside them."""
    names = getattr(model, "feature_names_in_", None)
    if hasattr(model, "design_") or names is None or not is_frame(frame):
        return frame
    table, found = unique_names(frame)
    if found == names.tolist():
        return frame
    lost = [name for name in names if name not in found]
    if lost:
        raise EvenOddsError(
            f"The frame has no column {lost[0]!r}, which the model was fitted on. {nearest(str(lost[0]), found)}"
        )
    return nw.to_native(table.select(names.tolist()))


def _as_scores(shift: Array, n_classes: int) -> Array:
    """Offsets in the shape of scores."""
    return shift if shift.ndim == 2 or n_classes == 2 else shift[:, None]
