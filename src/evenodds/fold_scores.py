"""How good the fits of a path are on rows that a fold leaves out, and which of them is chosen."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit
from sklearn.metrics import get_scorer, roc_auc_score

from .arrays import Array, Values, Which
from .data.elsewhere import Predictor
from .exceptions import EvenOddsError
from .model import LogisticRegression
from .paths import Path
from .scores import linear_scores, log_probabilities

_LEAST = np.log(np.finfo(np.float64).eps)  # what scikit-learn's log loss takes for a probability of 0


@dataclass(frozen=True)
class Rows:
    """Rows and what belongs to columns, as arrays."""

    X: Any
    codes: NDArray[Any]
    weight: Array | None
    offset: Array | None
    classes: NDArray[Any]
    factor: Array | None
    lower: Array | None
    upper: Array | None

    def training(self, k: Which) -> Rows:
        """Rows to learn from: if they lack a class, it is kept in rows of weight 0, and is fitted as one of them."""
        if np.unique(self.codes[k]).size == self.classes.size:
            return self.take(k)
        weight = np.zeros(self.codes.size)
        weight[k] = 1.0 if self.weight is None else self.weight[k]
        return replace(self, weight=weight)

    def take(self, k: Which) -> Rows:
        """Some of the rows."""
        weight, offset = (None if values is None else values[k] for values in (self.weight, self.offset))
        return replace(self, X=self.X[k], codes=self.codes[k], weight=weight, offset=offset)


def certain(whole: Path, code: int) -> Path:
    """The fits where one class is left: its probability is 1."""
    intercepts = np.full_like(whole.intercepts, -np.inf)
    if whole.classes.size > 2:
        intercepts[:, code] = 0.0
    elif code == 1:
        intercepts[:] = np.inf
    return replace(whole, intercepts=intercepts, coefs=np.zeros_like(whole.coefs), passes=0)


def score(scoring: object, fits: Path, test: Rows, more: Mapping[str, Any]) -> Array:
    """The score of each fit of a path on some rows, larger is better; NaN where it does not exist."""
    if test.weight is not None:
        test = test.take(np.flatnonzero(test.weight))  # a row of weight 0 is none
    if test.codes.size == 0:
        return np.full(fits.Cs.size, np.nan)
    if test.classes.size > 2:
        return _score_classes(scoring, fits, test, more)
    Z = linear_scores(test.X, fits.intercepts, fits.coefs.T)
    Z += 0.0 if test.offset is None else test.offset[:, None]
    weight = np.ones(len(Z)) if test.weight is None else test.weight
    if scoring in (None, "neg_log_loss"):
        return np.asarray(
            np.average(_finite(log_expit(np.where(test.codes[:, None] > 0, Z, -Z))), axis=0, weights=weight)
        )
    if scoring == "accuracy":
        return np.asarray(np.average((Z > 0) == (test.codes[:, None] > 0), axis=0, weights=weight))
    if scoring == "roc_auc":
        if np.unique(test.codes).size < 2:
            return np.full(Z.shape[1], np.nan)
        return np.array([roc_auc_score(test.codes, z, sample_weight=test.weight) for z in Z.T])
    return _by_scorer(scoring, fits, test, more)


def _score_classes(scoring: object, fits: Path, test: Rows, more: Mapping[str, Any]) -> Array:
    """The same for more than two classes."""
    lacks = np.unique(test.codes).size < test.classes.size
    if lacks and isinstance(scoring, str) and scoring.startswith("roc_auc"):
        return np.full(fits.Cs.size, np.nan)
    if scoring not in (None, "neg_log_loss", "accuracy"):
        return _by_scorer(scoring, fits, test, more)
    scores = []
    for intercept, coef in zip(fits.intercepts, fits.coefs, strict=True):
        Z = linear_scores(test.X, intercept, coef.T)
        Z += 0.0 if test.offset is None else test.offset
        if scoring == "accuracy":
            values = Z.argmax(axis=1) == test.codes
        else:
            values = _finite(log_probabilities(Z)[np.arange(len(Z)), test.codes])
        scores.append(float(np.average(values, weights=test.weight)))
    return np.array(scores)


def _finite(logs: Array) -> Array:
    """Logarithms of probabilities, of which those of 0 are as in scikit-learn's log loss."""
    return np.where(np.isneginf(logs), _LEAST, logs)


def _by_scorer(scoring: object, fits: Path, test: Rows, more: Mapping[str, Any]) -> Array:
    """By one of scikit-learn's scorers, or a function (model, X, y) -> number."""
    labels = test.classes[test.codes]
    metadata = more if test.weight is None else {"sample_weight": test.weight, **more}
    scores = []
    for intercept, coef in zip(fits.intercepts, fits.coefs, strict=True):
        model = _Shifted()
        model.offset_ = 0.0 if test.offset is None else test.offset
        model.classes_, model.n_features_in_ = test.classes, coef.shape[-1]
        model.coef_, model.intercept_ = np.atleast_2d(coef), np.atleast_1d(intercept)
        scores.append(score_of(model, scoring, test.X, labels, metadata))
    return np.array(scores)


class _Shifted(LogisticRegression):
    """A fit that scorers ask for predictions of the rows which a fold leaves out, and which knows their offsets."""

    offset_: Any

    def decision_function(self, X: object) -> Array:
        scores = super().decision_function(X)
        if np.ndim(self.offset_) and len(self.offset_) != len(scores):
            raise EvenOddsError(
                f"scoring asks for predictions of {len(scores)} rows, and {len(self.offset_)} are left out: beside "
                "offsets a scorer has to ask for all of them at once, in their order."
            )
        return np.asarray(scores + self.offset_)


def score_of(model: Predictor, scoring: object, X: object, labels: Values, metadata: Mapping[str, Any]) -> float:
    """What a scorer says of a fitted model and some rows."""
    scorer = _told(get_scorer(scoring) if isinstance(scoring, str) else scoring, model.classes_)
    try:
        return float(scorer(model, X, labels, **metadata))
    except (ValueError, TypeError) as error:
        raise EvenOddsError(f"scoring={scoring!r} has no score for these {len(labels)} rows: {error}") from error


def _told(scorer: object, classes: NDArray[Any]) -> Any:
    """A scorer, told what it would guess from the labels that it sees: the classes, and which one is positive.

    A fold may lack a class, which counts in a score of probabilities all the same; and where no label is 1, the second
    class is the positive one, as in the coefficients.
    """
    if not (hasattr(scorer, "_kwargs") and hasattr(scorer, "_score_func") and hasattr(scorer, "_response_method")):
        return scorer  # a function of the user's
    known = scorer._kwargs
    takes, more = inspect.signature(scorer._score_func).parameters, {}
    if "labels" in takes and "labels" not in known and scorer._response_method != "predict":
        more["labels"] = classes
    of_two = classes.size == 2 and known.get("average", "binary") == "binary"
    if of_two and "pos_label" in takes and known.get("pos_label", takes["pos_label"].default) not in classes.tolist():
        more["pos_label"] = classes[1]
    told: Any = copy.copy(scorer)
    told._kwargs = {**known, **more}
    return told


def choose(scores: Array, rule: str) -> tuple[int, int]:
    """The mixture and the C, by position."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of means of nothing, where a path ended early
        mean = np.nanmean(scores, axis=2)
        error = np.nanstd(scores, axis=2, ddof=1) / np.sqrt((~np.isnan(scores)).sum(axis=2))
        error = np.nan_to_num(error)  # of a single fold there is none
    if np.isnan(mean).all():
        raise EvenOddsError(
            "No score exists in any fold: for AUC, each fold needs all classes among the rows left out."
        )
    a, c = divmod(int(np.nanargmax(mean)), mean.shape[1])
    return a, int(np.argmax(mean[a] >= mean[a, c] - error[a, c])) if rule == "1se" else c
