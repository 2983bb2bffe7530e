"""A fit with all that is told about it: warnings in one line each, standard errors, how good it is on its rows."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import EvenOddsError, Inference, LogisticRegression, infer
from ..advice import listed_labels
from ..export import plain, said
from .terminal import progress, say

_MOST_INFERRED = 1000  # slopes, of which a covariance still fits onto any machine


def fit_aloud(model: LogisticRegression, X: Any, y: Any, weight: Any, baseline: str | None = None) -> Inference | None:
    """Fit, ask for standard errors, and say the warnings without the line of code that they come from.

    baseline : the label, as text, of the class that the coefficients of others are against
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")  # what is meant for programmers
        warnings.simplefilter("always", UserWarning)
        try:
            with progress("Fitting"):
                model.fit(X, y, weight)
            result = _inference(model, X, y, weight, None if baseline is None else _class_of(model, baseline))
        except ValueError as error:  # from scikit-learn's checks too
            raise EvenOddsError(str(error)) from error
    for warning in caught:
        say("Warning", str(warning.message), "yellow")
    return result


def _class_of(model: LogisticRegression, text: str) -> Any:
    """The label that is written so."""
    labels = model.classes_.tolist()
    found = [label for label in labels if str(label) == text]
    if not found:
        raise EvenOddsError(
            f"--baseline is one of the labels {listed_labels(list(map(str, labels)), 50)}, got {text!r}."
        )
    return found[0]


def _inference(model: LogisticRegression, X: Any, y: Any, weight: Any, baseline: Any) -> Inference | None:
    """Standard errors, where there are any."""
    if without := without_errors(model):
        if baseline is not None:
            raise EvenOddsError(f"--baseline is for tables with standard errors. {without}")
        return None
    try:
        with progress("Computing standard errors"):
            return infer(model, X, y, weight, baseline=baseline)
    except EvenOddsError as error:
        warnings.warn(f"There are no standard errors. {error}", UserWarning, stacklevel=2)
        return None


def without_errors(model: LogisticRegression) -> str:
    """Why a fit has no standard errors, in words; empty if it can have them."""
    if model.solver == "sgd":
        return "There are no standard errors: they belong to an optimum, which sgd only approaches."
    if model.l1_ratio > 0:
        return (
            "There are no standard errors: an L1 penalty chooses columns, and the rows that chose them cannot test "
            "them as well. For tests, fit other rows without a penalty, with the columns that are in."
        )
    slopes = model.n_features_in_ * (model.classes_.size - 1)
    if slopes > _MOST_INFERRED:
        return f"There are no standard errors: {slopes:,} coefficients are too many for a matrix of covariances."
    return ""


def all_facts(
    model: LogisticRegression, result: Inference | None, X: Any, y: NDArray[Any], weight: Any
) -> dict[str, Any]:
    """All that fit tells, by the names of the attributes, as JSON can hold it."""
    coef = np.column_stack([model.intercept_, model.coef_])
    if len(coef) > 1 and result is not None and result.baseline is not None:
        coef = coef - coef[result.classes.index(result.baseline)]
    with np.errstate(over="ignore"):
        odds_ratio = np.exp(coef[0] if len(coef) == 1 else coef)
    attributes = ("classes_", "coef_", "intercept_", "n_iter_", "n_features_in_", "feature_names_in_", "aliased_")
    facts = {
        "C": float(model.C),
        "l1_ratio": float(model.l1_ratio),
        **{name: getattr(model, name) for name in attributes},
        "solution_": said(model.solution_),
        "names": ["(intercept)", *model.feature_names_in_],
        "odds_ratio": odds_ratio,
        **{name: getattr(result, name, None) for name in ("listed", "coef", "se", "z", "p_value", "conf_int")},
        "training": _training(model, X, y, weight),
    }
    found: dict[str, Any] = plain(facts)
    return found


def _training(model: LogisticRegression, X: Any, y: NDArray[Any], weight: Any) -> dict[str, Any]:
    """How good the fit is on its own rows; the AUC of more than two classes is the mean of each against the rest."""
    from sklearn.metrics import accuracy_score, roc_auc_score

    logs = model.predict_log_proba(X)
    of_class = np.column_stack([y == label for label in model.classes_])
    codes = of_class.argmax(axis=1)
    # Of two classes by the score, which still tells rows apart where the probability is 1 for both.
    scores = model.decision_function(X)[:, None] if of_class.shape[1] == 2 else logs
    rest = of_class[:, -scores.shape[1] :]
    areas = [roc_auc_score(own, score, sample_weight=weight) for own, score in zip(rest.T, scores.T, strict=True)]
    return {
        "rows": y.size,
        "rows_of_class": of_class.sum(axis=0),
        "accuracy": accuracy_score(codes, logs.argmax(axis=1), sample_weight=weight),
        "log_loss": np.average(-logs[np.arange(y.size), codes], weights=weight),
        "auc": np.mean(areas),
    }
