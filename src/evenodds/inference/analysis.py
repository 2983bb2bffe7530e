"""`infer`: check what is asked, read the rows once at the fitted coefficients, and make the record."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.validation import check_is_fitted

from ..data import Data, require_finite
from ..data.elsewhere import brought, gathered
from ..data.memory import one_blas_thread
from ..data.scan import Scan
from ..exceptions import EvenOddsError, is_one_of, within_range
from ..labels import combine_weights, encode_labels, labels_of, row_numbers, row_offsets
from ..model import LogisticRegression
from ..naming import listed_labels
from ..penalised import penalty_of
from ..reading import unpacked
from ..scores import log_probabilities
from ..settings import Settings
from ..solvers import Status
from ..table import count_rows, is_convertible, is_frame, is_missing, require_same_order, values_of
from .covariance import KINDS, one_cluster
from .evidence import Evidence, gather
from .limit import limit_of
from .problem import Problem, names_of, pose
from .profile import HigherMaximum, peaks
from .record import Inference
from .tables import Asked, record

_FAR = 0.01  # standard errors from the optimum from which the table says so
_SAME_LOSS = 1e-7  # relative: of the same rows read in another way


def infer(
    model: LogisticRegression,
    X: object,
    y: object = None,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    *,
    cov: str = "model",
    groups: ArrayLike | None = None,
    level: float = 0.95,
    weights: str = "frequency",
    post_selection: str | None = None,
    baseline: object = None,
) -> Inference:
    """Standard errors, tests and intervals of a fitted model, from the rows that it was fitted on.

    Reads the rows once for the model's covariance, twice for a robust one.

    Parameters
    ----------
    model : LogisticRegression
        A fitted model.
    X, y, sample_weight, offset
        What it was fitted on.
    cov : {"model", "HC0", "HC1", "HC2", "HC3", "cluster"}, default="model"
        Covariance of the coefficients. "model" is the inverse information, right if the model is. The others are
        sandwiches, which hold for a wrong model as well: HC0 the plain one, HC1 times n/(n-k), HC2 and HC3
        corrected by leverage, "cluster" for rows that are independent only between `groups`, times G/(G-1).
        Of a ridge fit all are sandwiches; see the remarks of the result.
    groups : array-like of shape (n_samples,), optional
        The cluster of each row, for ``cov="cluster"``: any labels.
    level : float, default=0.95
        Of the intervals.
    weights : {"frequency", "sampling", "precision"}, default="frequency"
        What `sample_weight` means. "frequency": a row of weight s is s equal rows. "sampling": it stands for s of the
        population but is one observation; "model" then is the sandwich with n/(n-1), as survey packages take it.
        "precision": its information counts s times as much as that of a row of weight 1, only the ratios
        matter: weights are rescaled to a mean of 1.
    post_selection : {"split"}, optional
        For a fit with an L1 penalty, which chose its columns: "split" fits them anew, without a penalty, on these rows,
        which have to be others than those of the fit (Cox, Biometrika 62, 1975, on splitting data).
    baseline : label, optional
        Of more than two classes the one that the coefficients of all others are against: by default the first, or with
        a ridge none. Nothing is fitted anew: coefficients, covariance, tests, intervals and names are those of the same
        model, seen from this class; probabilities, and so predictions and margins, do not change.

    Returns
    -------
    Inference
        One frozen record; print it for the table.

    Raises
    ------
    EvenOddsError
        If the model is not fitted, these are not its rows, or what is asked does not exist.

    Warns
    -----
    ConvergenceWarning
        If the coefficients are far from the optimum.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from evenodds import LogisticRegression, infer
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> X = X[["mean radius", "mean texture"]]
    >>> result = infer(LogisticRegression().fit(X, y), X, y)
    >>> result.names
    ('(intercept)', 'mean radius', 'mean texture')
    >>> [f"{se:.4f}" for se in result.se]
    ['1.7739', '0.1015', '0.0371']
    """
    fit: Any = getattr(model, "estimator_", model)  # of a cross-validation, what it ended with
    model = fit
    _check_arguments(model, cov, groups, level, weights, post_selection)
    X, y, sample_weight, offset = gathered(X, y, sample_weight, offset, groups)
    given = groups
    if isinstance(X, Scan) and groups is not None:
        coded = hasattr(model, "design_")
        X, groups = X.grouped(groups, model.n_jobs, here=post_selection is not None, coded=coded)
    groups = brought(groups)
    require_same_order(X=X, groups=groups)
    baseline = _label(model, baseline)
    alike = partial(infer, cov=cov, level=level, weights=weights, baseline=baseline)
    if post_selection == "split":
        return _split(model, X, y, sample_weight, offset, partial(alike, groups=groups))
    with within_range():
        data, total, strength = _rows(model, X, y, sample_weight, offset, weights)
        problem = pose(model, data, strength, baseline)
        clusters = None if groups is None else _clusters(groups, count_rows(X), data)
        evidence = gather(problem)
        if not np.isfinite(evidence.log_likelihood + evidence.score.sum()):
            require_finite(data)
        _require_same_rows(model, problem, evidence, total)
        with one_blas_thread:  # more are no faster for matrices of this size
            limit = limit_of(problem) if _may_be_separated(model, problem) else None
        if limit is not None and limit.problem.full:
            problem = problem.in_full()
            evidence = gather(problem)
        try:
            result = record(model, problem, evidence, Asked(cov, clusters, float(level), weights), limit)
        except HigherMaximum as higher:
            better = _refitted(model, problem, higher, X, y, sample_weight, offset)
            return alike(better, X, y, sample_weight, offset, groups=given)
    _warn_of_distance(result)
    return replace(result, given=X)


def _refitted(
    model: LogisticRegression,
    problem: Problem,
    higher: HigherMaximum,
    X: object,
    y: object,
    sample_weight: object,
    offset: object,
) -> LogisticRegression:
    """The model fitted anew from a higher maximum of Firth's likelihood than its own."""
    warnings.warn(
        f"The model is fitted to a maximum of the penalised likelihood that is {higher.above:.3g} lower than another "
        "one. This table is of the higher one, so that its coefficients are not those of the model.",
        ConvergenceWarning,
        stacklevel=4,
    )
    better = copy.copy(model)
    better.intercept_, better.coef_ = problem.objective.to_coef(higher.theta)
    better.warm_start = True
    better._fit_rows(X, y, sample_weight, offset, getattr(model, "design_", None), model.classes_)
    better.warm_start = model.warm_start
    return better


def _check_arguments(
    model: object, cov: object, groups: object, level: object, weights: object, post_selection: object
) -> None:
    if not isinstance(model, LogisticRegression):
        raise EvenOddsError(f"infer takes a fitted evenodds.LogisticRegression, got a {type(model).__name__}.")
    try:
        check_is_fitted(model)
    except NotFittedError:
        raise EvenOddsError("This LogisticRegression is not fitted: call fit before infer.") from None
    if not hasattr(model, "solution_"):
        raise EvenOddsError("partial_fit ends at no optimum, so there is nothing to infer: call fit on all rows.")
    if not is_one_of(post_selection, (None, "split")):
        raise EvenOddsError(f'post_selection is None or "split", got {post_selection!r}.')
    if post_selection == "split" and not model.l1_ratio > 0:
        raise EvenOddsError('post_selection="split" is for a fit with an L1 penalty: this one has chosen no columns.')
    if Settings.of(model).composite and post_selection is None:
        raise EvenOddsError(
            "Coefficients that an L1 penalty, factors or bounds have formed have no standard errors: a test on the "
            "rows that chose the columns finds what it was shown. Valid are: infer on rows that the fit has not seen, "
            'with post_selection="split"; a debiased lasso; or a fit without penalty on columns that were chosen '
            "beforehand."
        )
    if not is_one_of(cov, KINDS):
        raise EvenOddsError(f"cov is one of {', '.join(map(repr, KINDS))}, got {cov!r}.")
    if (cov == "cluster") != (groups is not None):
        raise EvenOddsError(
            'cov="cluster" needs groups=, the cluster of each row.'
            if groups is None
            else f'groups are only for cov="cluster", got cov={cov!r}.'
        )
    if not isinstance(level, float | int | np.number) or isinstance(level, bool) or not 0 < level < 1:
        raise EvenOddsError(f"level is a number between 0 and 1, such as 0.95, got {level!r}.")
    if not is_one_of(weights, ("frequency", "sampling", "precision")):
        raise EvenOddsError(f"weights is 'frequency', 'sampling' or 'precision', got {weights!r}.")


def _label(model: LogisticRegression, baseline: object) -> Any:
    """The class of this label; None for None."""
    if baseline is None:
        return None
    labels = model.classes_.tolist()
    many = np.iterable(baseline) and not isinstance(baseline, str | bytes)  # as an array, which equals no label
    known = [] if many or is_missing(baseline) else labels
    found = [label for label in known if isinstance(baseline, str) == isinstance(label, str) and baseline == label]
    if not found:
        raise EvenOddsError(f"baseline={baseline!r} is none of the labels, which are {listed_labels(labels, 50)}.")
    if len(labels) == 2 and found[0] != labels[0]:
        raise EvenOddsError(
            f"Of two classes the baseline is the first, {labels[0]!r}: seen from {baseline!r} all signs turn, and "
            "nothing else. To have it so, fit labels that sort in the other order."
        )
    return found[0]


def _split(
    model: LogisticRegression,
    X: object,
    y: object,
    sample_weight: ArrayLike | None,
    offset: ArrayLike | None,
    alike: Callable[..., Inference],
) -> Inference:
    """Maximum likelihood of the columns that an L1 penalty has chosen, on rows that it has not seen, inferred alike."""
    X, y, sample_weight, offset = unpacked(X, y, sample_weight, offset, "post_selection")
    data = model._read(X, y, sample_weight, offset, classes=model.classes_, reset=False)
    chosen = np.flatnonzero(model._coef.any(axis=0))
    if chosen.size == 0:
        raise EvenOddsError("The L1 penalty has chosen no column, so there is nothing to infer: fit with a larger C.")
    if data.n_rows == model.solution_.n_rows:
        z = model.decision_function(X)
        z += 0.0 if offset is None else row_offsets(offset, len(z), model.classes_.size)
        z = z if z.ndim == 2 else np.column_stack([np.zeros(len(z)), z])
        codes = encode_labels(y, len(z), model.classes_)[1]
        weight = combine_weights(sample_weight, model.class_weight, codes, model.classes_)
        losses = -log_probabilities(z)[np.arange(len(z)), codes]
        loss = float(np.average(losses, weights=weight)) + penalty_of(Settings.of(model), data, model._coef)
        if abs(loss - model.solution_.loss) <= _SAME_LOSS * (1 + abs(loss)) + model.solution_.gap:
            raise EvenOddsError("These look like the rows that chose the columns: split the data before the fit.")
    names = names_of(model)
    part = _columns(model, X, chosen)
    plain = LogisticRegression(fit_intercept=model.fit_intercept, class_weight=model.class_weight, n_jobs=model.n_jobs)
    result = alike(plain.fit(part, y, sample_weight, offset), part, y, sample_weight, offset)
    first = int(bool(model.fit_intercept))
    names = (*names[:first], *(names[first + j] for j in chosen))
    remark = f"{chosen.size} columns, chosen by an L1 penalty on other rows, fitted without a penalty on these."
    problem = replace(result.problem, names=names)
    renamed = dict(zip(result.problem.keys, problem.keys, strict=True))
    return replace(
        result,
        names=names,
        notes={renamed[key]: note for key, note in result.notes.items()},
        problem=problem,
        whole=replace(result.whole, names=names),
        remarks=(remark, *result.remarks),
    )


def _columns(model: LogisticRegression, X: object, chosen: NDArray[np.intp]) -> Any:
    """Some of the columns, of a frame by name."""
    if hasattr(model, "feature_names_in_") and not hasattr(model, "design_") and is_frame(X):
        return nw.from_native(X, eager_only=True).select(model.feature_names_in_[chosen].tolist()).to_native()
    array = model._array(X, reset=False)
    return array[:, chosen]


def _rows(
    model: LogisticRegression, X: object, y: object, sample_weight: object, offset: object, weights: str
) -> tuple[Data, float, float]:
    """The home of the rows, their weight and the penalty's lam, which precision weights leave as they were."""
    data = model._read(X, y, sample_weight, offset, classes=model.classes_, reset=False)
    if not data.class_weights.all():
        missing = model.classes_.tolist()[int(np.argmin(data.class_weights))]
        if not isinstance(X, Scan) and missing in labels_of(y).tolist():
            raise EvenOddsError(
                f"All rows of class {missing!r} have weight 0: its coefficients have no standard errors. Fit "
                "the rows of the other classes."
            )
        few = "one class only" if np.count_nonzero(data.class_weights) == 1 else f"no row of class {missing!r}"
        raise EvenOddsError(f"These rows hold {few}, so they are not those that the model was fitted on.")
    total, strength = float(data.class_weights.sum()), Settings.of(model).strength(data)
    if weights == "precision":
        factor = data.n_rows / total
        if model.firth and abs(factor - 1) > 1e-9:
            raise EvenOddsError(
                "Firth's penalty depends on the scale of the weights: for precision weights give the fit weights with "
                f"a mean of 1 (these have {1 / factor:.6g})."
            )
        if isinstance(X, Scan):
            return model._read(X.times(factor), None, None, None, classes=model.classes_, reset=False), total, strength
        if y is None and hasattr(model, "design_"):
            y, sample_weight, offset = model.design_.beside(X, sample_weight, offset)
        weight = factor * (1.0 if sample_weight is None else row_numbers(sample_weight, "sample_weight", count_rows(X)))
        data = model._read(X, y, weight, offset, classes=model.classes_, reset=False)
    return data, total, strength


def _clusters(groups: object, n_rows: int, data: Data) -> NDArray[np.intp]:
    """Clusters numbered from 0, of the rows that have weight."""
    if is_convertible(groups):
        groups = values_of(groups)
    elif not hasattr(groups, "__array__"):
        # A list of several kinds would become one of strings: 1 and "1" are two clusters.
        groups = np.array(list(groups) if isinstance(groups, Iterable) else groups, dtype=object)
    values = np.asarray(groups)
    if values.ndim != 1 or values.shape[0] != n_rows:
        raise EvenOddsError(f"groups has shape {values.shape}, and X has {n_rows} rows: one cluster a row.")
    missing = np.array([is_missing(value) for value in values.tolist()], dtype=bool)
    if missing.any():
        raise EvenOddsError(f"groups has a missing value, first in row {int(missing.argmax())} (counted from 0).")
    if data.kept is not None:
        values = values[data.kept]
    numbers: dict[Any, int] = {}
    codes = np.array([numbers.setdefault(value, len(numbers)) for value in values.tolist()], dtype=np.intp)
    if len(numbers) < 2:
        raise one_cluster(next(iter(numbers)))
    return codes


def _require_same_rows(model: LogisticRegression, problem: Problem, evidence: Evidence, total: float) -> None:
    """The model keeps no rows, but their number, their weight and the loss on them."""
    solution = model.solution_
    loss = _loss(problem, evidence)
    allowed = _SAME_LOSS * (1 + abs(solution.loss)) + 2 * max(solution.gap, 0.0) + _rounded(model, problem)
    same_weight = abs(total - solution.total_weight) <= 1e-9 * solution.total_weight
    if problem.data.n_rows == solution.n_rows and same_weight and abs(loss - solution.loss) <= allowed:
        return
    raise EvenOddsError(
        f"These are not the rows that the model was fitted on: it saw {solution.n_rows} rows with a log-likelihood of "
        f"{-solution.total_weight * solution.loss:.10g}, and these are {problem.data.n_rows} with "
        f"{-total * loss:.10g}. Pass the X, y, sample_weight and offset of the fit."
    )


def _rounded(model: LogisticRegression, problem: Problem) -> float:
    """What the last digits of the raw coefficients may move a score by, and so a loss.

    Of a column that is far from 0 beside its spread they are large, and cancel against the intercept.
    """
    center = np.abs(problem.objective.coordinates.center)
    return 4 * float(np.finfo(float).eps * np.max(np.abs(model.intercept_) + np.abs(model.coef_) @ center))


def _loss(problem: Problem, evidence: Evidence) -> float:
    """The objective's value."""
    objective = problem.objective
    if problem.firth:  # of Firth's own fit, from which "flic" and "flac" have moved on
        return peaks(problem, search=False)[0].value / -objective.total_weight
    return -evidence.log_likelihood / objective.total_weight + 0.5 * float(objective.pull @ problem.theta**2)


def _may_be_separated(model: LogisticRegression, problem: Problem) -> bool:
    return not problem.firth and not problem.penalised and model.solution_.status is not Status.CONVERGED


def _warn_of_distance(result: Inference) -> None:
    """The table is of the coefficients as they are; say so where they are not at the optimum."""
    certificate = result.certificate
    if certificate is None or certificate.error <= _FAR:
        return
    far = f"up to {certificate.error:.2g} standard errors" if certificate.proved else "an unknown distance"
    cure = 'solver="auto"' if result.model.solution_.solver == "sgd" else "a smaller tol or a larger max_iter"
    warnings.warn(
        f"The coefficients are {far} from the optimum, where standard errors and tests do not hold: fit with {cure} "
        "before infer.",
        ConvergenceWarning,
        stacklevel=3,
    )
