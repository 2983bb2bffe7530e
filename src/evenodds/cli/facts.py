"""A fit with all that is told about it: warnings in one line each, standard errors, how good it is on its rows."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit

from .. import EvenOddsError, Inference, LogisticRegression, infer
from ..arrays import Array, Codes
from ..data import Block, Sums, is_coded
from ..data.scan import Scan
from ..design import Design
from ..design.columns import WORDS, Place, Table, counted
from ..export import plain, said
from ..inference.wide import in_matrices
from ..labels import labels_of, missing_labels, row_numbers
from ..naming import is_called, listed_labels
from ..objective.row_sums import coded_scores
from ..scores import linear_scores, log_probabilities
from .terminal import progress, say

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_INFERRED = 1000  # slopes, of which a covariance still fits onto any machine


@dataclass(frozen=True)
class Asked:
    """What is asked of the inference.

    baseline : the label, as text, of the class that the coefficients of others are against
    cov, level, groups : as for `infer`
    """

    baseline: str | None = None
    cov: str = "model"
    level: float = 0.95
    groups: Any = None


def fit_aloud(
    fit: Callable[[], LogisticRegression], table: object, asked: Asked
) -> tuple[LogisticRegression, Inference | None]:
    """Fit, ask for standard errors, and say the warnings without the line of code that they come from.

    fit : to be called for the model, which knows where its labels and weights are in the table
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")  # what is meant for programmers
        warnings.simplefilter("always", UserWarning)
        try:
            with progress("Fitting"):
                model = fit()
            result = _inference(model, table, asked)
        except ValueError as error:  # from scikit-learn's checks too
            raise EvenOddsError(str(error)) from error
    for warning in caught:
        say("Warning", str(warning.message), "yellow")
    return model, result


def _class_of(model: LogisticRegression, text: str) -> Any:
    """The label that is written so, or in another spelling of a number."""
    labels = model.classes_.tolist()
    found = [label for label in labels if is_called(label, text)]
    if not found:
        raise EvenOddsError(
            f"--baseline is one of the labels {listed_labels(list(map(str, labels)), 50)}, got {text!r}."
        )
    return found[0]


def _inference(model: LogisticRegression, table: object, asked: Asked) -> Inference | None:
    """Standard errors, where there are any."""
    baseline = None if asked.baseline is None else _class_of(model, asked.baseline)
    if without := without_errors(model):
        given = "--baseline" if baseline is not None else "--cluster" if asked.groups is not None else "--cov"
        if baseline is not None or asked.cov != "model":
            raise EvenOddsError(f"{given} is for tables with standard errors. {without}")
        return None
    try:
        with progress("Computing standard errors"):
            own: dict[str, Any] = {"cov": asked.cov, "groups": asked.groups, "level": asked.level}
            return infer(model, table, baseline=baseline, **own)
    except EvenOddsError as error:
        if asked.cov != "model":
            raise
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
    if in_matrices(model) > _MOST_INFERRED:
        slopes = model.coef_.shape[1] * (model.classes_.size - 1)
        return f"There are no standard errors: {slopes:,} coefficients are too many for a matrix of covariances."
    return ""


def all_facts(model: LogisticRegression, result: Inference | None, table: object) -> dict[str, Any]:
    """All that fit tells, by the names of the attributes, as JSON can hold it."""
    coef = np.column_stack([model.intercept_, model.coef_])
    if len(coef) > 1 and result is not None and result.baseline is not None:
        coef = coef - coef[result.classes.index(result.baseline)]
    with np.errstate(over="ignore"):
        odds_ratio = np.exp(coef[0] if len(coef) == 1 else coef)
    facts = {
        **_of_model(model),
        "odds_ratio": odds_ratio,
        **{name: getattr(result, name, None) for name in ("listed", "coef", "se", "z", "p_value", "conf_int", "level")},
        "training": _training(model, table),
    }
    found: dict[str, Any] = plain(facts)
    return found


def _of_model(model: LogisticRegression) -> dict[str, Any]:
    """What a model holds, with a design or without one."""
    attributes = ("classes_", "coef_", "intercept_", "n_iter_", "n_features_in_", "feature_names_in_", "aliased_")
    design, solution = getattr(model, "design_", None), getattr(model, "solution_", None)
    given = getattr(model, "feature_names_in_", None)
    columns = [f"column {k}" for k in range(model.n_features_in_)] if given is None else list(given)
    factors = [] if design is None else design.factors
    return {
        "C": float(model.C),
        "l1_ratio": float(model.l1_ratio),
        **{name: getattr(model, name, None) for name in attributes},
        "solution_": None if solution is None else said(solution),
        "names": ["(intercept)"] * bool(model.fit_intercept) + (columns if design is None else list(design.names)),
        "references": {factor.name: factor.label(factor.reference) for factor in factors},
        "references_before": {} if design is None else references_before(design),
    }


def references_before(design: Design) -> dict[str, str]:
    """The reference of each factor that stands alone in a term, by the name of its first coefficient."""
    found = {}
    for term, places in design.columns_of.items():
        reference = design.reference_of(term)
        if reference is not None and len(places):
            found[design.names[places[0]]] = reference
    return found


def model_facts(model: LogisticRegression) -> dict[str, Any]:
    """All that a saved model tells, by the names of the attributes, as JSON can hold it."""
    design = getattr(model, "design_", None)
    facts = _of_model(model)
    with np.errstate(over="ignore"):
        ratio = np.exp(np.column_stack([model.intercept_, model.coef_]))
    takes: dict[str, list[str]] = {}
    for name, kind in ({} if design is None else design.kinds).items():
        takes.setdefault(WORDS[kind], []).append(name)
    policies = ("target", "positive", "formula", "missing", "unseen", "weight", "offset", "spelling")
    levels = {} if design is None else {factor.name: list(factor.levels) for factor in design.factors}
    found: dict[str, Any] = plain(
        {
            **facts,
            "odds_ratio": ratio[0] if len(ratio) == 1 else ratio,
            **{name: getattr(design, name, None) for name in policies},
            "takes": takes,
            "levels": levels,
            **_inferred(model),
        }
    )
    return found


def _inferred(model: LogisticRegression) -> dict[str, Any]:
    """What the file of a model keeps of its standard errors, and of the proof of its distance to the optimum."""
    kept = getattr(model, "inference_", None)
    if kept is None:
        return {}
    names = (
        "listed",
        "coef",
        "se",
        "z",
        "p_value",
        "covariance",
        "level",
        "cov",
        "n_obs",
        "log_likelihood",
        "certificate",
    )
    ends = np.stack([kept.lower, kept.upper], axis=-1)
    return {**{name: getattr(kept, name) for name in names}, "conf_int": ends}


def scores_of(
    model: LogisticRegression, table: "pa.Table", place: Place = counted, y: object = None
) -> NDArray[np.float64]:
    """The scores of rows, as `decision_function` has them, with the offset that the model takes from a column.

    place : what the user calls a row
    y : labels, if rows without one may be left out: they have the score NaN
    """
    design = getattr(model, "design_", None)
    if design is None:
        scores = model.decision_function(table)
    else:
        left_out = None if y is None else design.without_label(y)
        scores = model._design_scores(design.read(Table(table, place), left_out))
    if design is None or design.offset is None:
        return scores
    offset = row_numbers(table[design.offset], "offset", len(scores))
    return scores + offset if scores.ndim == 1 else scores + offset[:, None]


def _training(model: LogisticRegression, table: object) -> dict[str, Any]:
    """How good the fit is on its own rows; the AUC of more than two classes is the mean of each against the rest."""
    if isinstance(table, Scan):
        return _training_of_scan(model, table)
    y, weight, _ = model.design_.beside(table, None, None)
    labels, scores = labels_of(y), scores_of(model, table, y=y)
    logs = np.stack([log_expit(-scores), log_expit(scores)], axis=1) if scores.ndim == 1 else log_probabilities(scores)
    kept = ~(np.isnan(logs[:, 0]) | missing_labels(labels))
    labels, logs, scores = labels[kept], logs[kept], scores[kept]
    weight = None if weight is None else row_numbers(weight, "weight", kept.size)[kept]
    place = {label: k for k, label in enumerate(model.classes_.tolist())}  # in which a last NUL counts
    codes = np.array([place[label] for label in labels.tolist()])
    left_out = int(np.count_nonzero(~kept))
    return _quality(codes, logs, scores, weight) | {"rows_left_out": left_out, "missing": dict(model.design_.counts)}


def _training_of_scan(model: LogisticRegression, scan: Scan) -> dict[str, Any]:
    """The same of rows that are scanned, those with weight, from one read: 9 bytes a row and class are kept."""
    data = model._read(scan, None, None, None, classes=model.classes_, reset=False)
    coef, intercept = (
        (model._coef[0], model.intercept_[0]) if len(model.coef_) == 1 else (model._coef.T, model.intercept_)
    )
    shift = data.center @ coef + intercept

    def read(block: Block) -> Sums:
        rows = block.rows
        scores = coded_scores(rows, shift, coef) if is_coded(rows) else linear_scores(rows, shift, coef)
        return [block.y], [scores if block.offset is None else scores + block.offset], [block.weight]

    codes, scores, weights = data.reduce(read)
    weight = None if weights[0] is None else np.concatenate(weights)
    z = np.concatenate(scores)
    logs = np.stack([log_expit(-z), log_expit(z)], axis=1) if z.ndim == 1 else log_probabilities(z)
    left_out = {"rows_left_out": len(scan) - z.shape[0], "missing": dict(model.design_.counts)}
    return _quality(np.concatenate(codes), logs, z, weight) | left_out


def _quality(codes: Codes, logs: Array, scores: Array, weight: Array | None) -> dict[str, Any]:
    """How well rows are told apart, from their classes, log probabilities and scores."""
    from sklearn.metrics import accuracy_score, roc_auc_score

    of_class = codes[:, None] == np.arange(logs.shape[1])
    # Of two classes by the score, which still tells rows apart where the probability is 1 for both.
    scores = scores[:, None] if of_class.shape[1] == 2 else logs
    rest = of_class[:, -scores.shape[1] :]
    areas = [roc_auc_score(own, score, sample_weight=weight) for own, score in zip(rest.T, scores.T, strict=True)]
    return {
        "rows": codes.size,
        "rows_of_class": of_class.sum(axis=0),
        "accuracy": accuracy_score(codes, logs.argmax(axis=1), sample_weight=weight),
        "log_loss": np.average(-logs[np.arange(codes.size), codes], weights=weight),
        "auc": np.mean(areas),
    }
