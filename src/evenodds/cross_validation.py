"""`LogisticRegressionCV`: the strength of a penalty by cross-validation along whole paths.

All folds fit the same grid of C, the one of the path on all rows. A path costs little more than its last fit, as
each fit starts from the one before, so the folds cost little more than as many fits.
"""

import copy
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_expit
from sklearn.metrics import get_scorer, get_scorer_names, roc_auc_score
from sklearn.model_selection import StratifiedKFold, check_cv

from .compiled import COMPILED_ENTRIES
from .data import Array
from .data.memory import count_threads, one_blas_thread
from .exceptions import EvenOddsError, within_range
from .labels import combine_weights, encode_labels, row_numbers, row_offsets
from .model import LogisticRegression
from .objective import linear_scores
from .paths import Path, path
from .per_column import bounds, check_l1_ratio, penalty_factors
from .progress import FoldLines
from .softmax import log_probabilities
from .table import require_same_order

_QUICK = ("neg_log_loss", "accuracy", "roc_auc")


class LogisticRegressionCV(LogisticRegression):
    """Logistic regression whose penalty is chosen by cross-validation.

    Parameters
    ----------
    Cs : int or array-like, default=100
        How many values of C, from the smallest at which all coefficients are 0, in equal ratios; or the values.
    l1_ratios : sequence of float, default=(1.0,)
        The mixtures to try, from 0 (ridge) to 1 (lasso); each has its own grid of C.
    cv : int, splitter or iterable of (train, test), default=5
        Folds: a number is stratified by class. Splitters of scikit-learn by group or by time are taken as they are.
    rule : {"min", "1se"}, default="min"
        "min" takes the best mean score. "1se" takes the strongest penalty whose mean score is within one
        standard error (over the folds) of the best: fewer columns for a score that cannot be told from the best.
    scoring : str, callable or None, default=None
        None is "neg_log_loss", the mean log loss of the rows left out (half their mean deviance) with its sign
        turned; any scorer of scikit-learn, larger is better ("roc_auc" is of two classes, "roc_auc_ovr" of more).
        A class that a fold lacks counts with its probability, and where no label is 1 the second is the positive one.
        Offsets count in log loss, accuracy and "roc_auc" only, as the methods that predict leave them out.
    min_ratio : float, default=1e-3
        The last strength of the penalty of the grid over the first.
    fit_intercept, standardize, class_weight, penalty_factor, lower, upper, tol, max_iter, n_jobs, random_state, verbose
        As for `LogisticRegression`. `n_jobs` is the number of folds at a time; None is all cores for small data, and
        one fold after another, each with all cores, for large.

    Attributes
    ----------
    C_, l1_ratio_ : float
        What was chosen.
    Cs_ : ndarray of shape (n_l1_ratios, n_Cs)
        The grids, increasing. Where a path ended early, NaN.
    scores_ : ndarray of shape (n_l1_ratios, n_Cs, n_folds)
        Scores of the rows left out, weighted by `sample_weight`; NaN where there is none.
    path_ : Path
        The path on all rows with the mixture that was chosen.
    estimator_ : LogisticRegression
        The fit on all rows with C_ and l1_ratio_: what `save` and `infer` take in the place of this.
    coef_, intercept_, classes_, solution_, ...
        Of `estimator_`; see `LogisticRegression`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from evenodds import LogisticRegressionCV
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = LogisticRegressionCV(Cs=30, rule="1se", standardize=True).fit(X, y)
    >>> bool(0.96 < model.score(X, y)), model.scores_.shape
    (True, (1, 30, 5))
    """

    C_: float
    l1_ratio_: float
    Cs_: Array
    scores_: Array
    path_: Path
    estimator_: LogisticRegression

    # What the fits of this class are not asked for.
    C, l1_ratio, firth, solver, warm_start = np.inf, 0.0, False, "auto", False

    def __init__(
        self,
        Cs: int | ArrayLike = 100,
        l1_ratios: Sequence[float] = (1.0,),
        *,
        cv: Any = 5,
        rule: str = "min",
        scoring: str | Callable[..., float] | None = None,
        min_ratio: float = 1e-3,
        fit_intercept: bool = True,
        standardize: bool = False,
        class_weight: Mapping[Any, float] | str | None = None,
        penalty_factor: ArrayLike | Mapping[Any, float] | None = None,
        lower: ArrayLike | Mapping[Any, float] | None = None,
        upper: ArrayLike | Mapping[Any, float] | None = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.cv = cv
        self.rule = rule
        self.scoring = scoring
        self.min_ratio = min_ratio
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.class_weight = class_weight
        self.penalty_factor = penalty_factor
        self.lower = lower
        self.upper = upper
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Choose the penalty, and fit all rows with it.

        Parameters
        ----------
        X, y, sample_weight, offset
            As for `LogisticRegression.fit`. Weights count in the scores as well.
        groups : array-like of shape (n_samples,), optional
            For splitters by group.

        Returns
        -------
        self
            The fitted model.

        Raises
        ------
        EvenOddsError
            If the data or a parameter is wrong, or a fold lacks a class.
        """
        ratios = self._check()
        require_same_order(X=X, groups=groups)
        final = self._one()
        rows = self._rows(final, X, y, sample_weight, offset)
        folds = self._folds(rows, groups)
        whole = [self._path(X, y, ratio, self.Cs, sample_weight, offset, verbose=self.verbose) for ratio in ratios]
        jobs = [(a, k) for a in range(len(ratios)) for k in range(len(folds))]
        lines = FoldLines(len(folds), ratios) if self.verbose else None

        @within_range()
        def job(a: int, k: int) -> Array:
            scores = self._score_fold(rows, folds[k], ratios[a], whole[a].Cs)
            if lines is not None:
                lines.after_fold(k + 1, ratios[a])
            return scores

        with one_blas_thread:
            parts = Parallel(n_jobs=self._folds_at_once(rows), prefer="threads")(delayed(job)(a, k) for a, k in jobs)
        m = max(one.Cs.size for one in whole)
        grids, scores = np.full((len(ratios), m), np.nan), np.full((len(ratios), m, len(folds)), np.nan)
        for a, one in enumerate(whole):
            grids[a, : one.Cs.size] = one.Cs
        for (a, k), part in zip(jobs, parts, strict=True):
            scores[a, : part.size, k] = part
        with within_range():
            a, c = _choose(scores, self.rule)
        C, ratio = float(grids[a, c]), ratios[a]
        if lines is not None:
            lines.end(f"C={C:.5g} and l1_ratio={ratio:g} are chosen")
        final.set_params(C=C, l1_ratio=ratio).fit(X, y, sample_weight, offset)
        found = {"C_": C, "l1_ratio_": ratio, "Cs_": grids, "scores_": scores, "path_": whole[a], "estimator_": final}
        self._become(final, **found)
        return self

    def partial_fit(self, *args: Any, **kwargs: Any) -> Any:
        """Not of this class: cross-validation needs all rows."""
        raise EvenOddsError("Cross-validation needs all rows at once: use fit.")

    def _one(self) -> LogisticRegression:
        """The estimator of a single fit."""
        shared = LogisticRegression().get_params(deep=False).keys() & self.get_params(deep=False).keys()
        return LogisticRegression(**{name: getattr(self, name) for name in shared})

    def _check(self) -> list[float]:
        if self.rule not in ("min", "1se"):
            raise EvenOddsError(f"rule is 'min' or '1se', got {self.rule!r}.")
        if isinstance(self.scoring, str) and self.scoring not in get_scorer_names():
            raise EvenOddsError(f"scoring is a scorer of scikit-learn, such as {_QUICK}, got {self.scoring!r}.")
        if not (self.scoring is None or isinstance(self.scoring, str) or callable(self.scoring)):
            raise EvenOddsError(f"scoring is a name, a function (model, X, y) -> number or None, got {self.scoring!r}.")
        ratios = list(self.l1_ratios) if np.iterable(self.l1_ratios) else [self.l1_ratios]
        if not ratios:
            raise EvenOddsError("l1_ratios is empty: give at least one number from 0 to 1.")
        return [check_l1_ratio(ratio) for ratio in ratios]

    def _rows(self, final: LogisticRegression, X: Any, y: Any, weight: Any, offset: Any) -> "_Rows":
        """All that is given, checked and as arrays, which folds take rows of."""
        final._read(X, y, weight, offset)
        if final.classes_.size > 2 and self.scoring == "roc_auc":
            raise EvenOddsError('scoring="roc_auc" is for two classes: take "roc_auc_ovr", the mean over classes.')
        array = final._array(X, reset=False)
        n, p = array.shape
        names = getattr(final, "feature_names_in_", None)
        return _Rows(
            array,
            encode_labels(y, n, final.classes_)[1],
            None if weight is None else row_numbers(weight, "sample_weight", n),
            None if offset is None else row_offsets(offset, n, final.classes_.size),
            final.classes_,
            penalty_factors(self.penalty_factor, p, names),
            *bounds(self.lower, self.upper, p, names),
        )

    def _folds(self, rows: "_Rows", groups: Any) -> list[tuple[Any, Any]]:
        """Train and test rows of each fold, each with all classes to learn from."""
        codes, n_classes = rows.codes, rows.classes.size
        counts = np.bincount(codes, minlength=n_classes)
        fewest = int(counts.min())
        try:
            splitter = check_cv(self.cv, codes, classifier=True)
            if isinstance(splitter, StratifiedKFold) and splitter.n_splits > fewest:
                rare = rows.classes.tolist()[counts.argmin()]
                raise ValueError(f"{splitter.n_splits} folds, and the rarest class, {rare!r}, has {fewest} of the rows")
            folds = list(splitter.split(rows.X, codes, groups))
        except (ValueError, TypeError) as error:
            raise EvenOddsError(f"cv does not fit the data: {str(error).rstrip('.')}.") from None
        if len(folds) < 2:
            raise EvenOddsError("cv has to have two folds or more.")
        for number, (train, _) in enumerate(folds, 1):
            missing = np.setdiff1d(np.arange(n_classes), codes[train])
            if missing.size:
                lost = rows.classes.tolist()[missing[0]]
                raise EvenOddsError(f"The training rows of fold {number} lack class {lost!r}: use stratified folds.")
        return folds

    def _folds_at_once(self, rows: "_Rows") -> int | None:
        """Of large data one fold has all cores to itself, as each fold is a copy of most rows."""
        entries = rows.X.nnz if sp.issparse(rows.X) else rows.X.size
        return count_threads(self.n_jobs) if entries < COMPILED_ENTRIES else self.n_jobs

    def _path(self, X: Any, y: Any, ratio: float, Cs: Any, weight: Any, offset: Any, **other: Any) -> Path:
        is_count = isinstance(Cs, int | np.integer) and not isinstance(Cs, bool)
        own = (
            "penalty_factor",
            "lower",
            "upper",
            "class_weight",
            "min_ratio",
            "fit_intercept",
            "standardize",
            "n_jobs",
        )
        settings: dict[str, Any] = {name: getattr(self, name) for name in own}
        settings |= {"n_C": int(Cs)} if is_count else {"Cs": Cs}
        return path(X, y, ratio, sample_weight=weight, offset=offset, **(settings | other))

    def _score_fold(self, rows: "_Rows", fold: tuple[Any, Any], ratio: float, Cs: Array) -> Array:
        """The score of each C on the rows that a fold leaves out."""
        train, test = rows.take(fold[0]), rows.take(fold[1])
        weight = combine_weights(train.weight, self.class_weight, train.codes, rows.classes)
        other = {"penalty_factor": rows.factor, "lower": rows.lower, "upper": rows.upper, "class_weight": None}
        fits = self._path(train.X, train.codes, ratio, Cs, weight, train.offset, **other)
        return _score(self.scoring, fits, test)


@dataclass(frozen=True)
class _Rows:
    """Rows and what belongs to columns, as arrays."""

    X: Any
    codes: NDArray[Any]
    weight: Array | None
    offset: Array | None
    classes: NDArray[Any]
    factor: Array | None
    lower: Array | None
    upper: Array | None

    def take(self, k: Any) -> "_Rows":
        """Some of the rows."""
        weight, offset = (None if values is None else values[k] for values in (self.weight, self.offset))
        return replace(self, X=self.X[k], codes=self.codes[k], weight=weight, offset=offset)


def _score(scoring: Any, fits: Path, test: _Rows) -> Array:
    """The score of each fit of a path on some rows, larger is better; NaN where it does not exist."""
    if test.weight is not None:
        test = test.take(np.flatnonzero(test.weight))  # a row of weight 0 is none
    if test.codes.size == 0:
        return np.full(fits.Cs.size, np.nan)
    if test.classes.size > 2:
        return _score_classes(scoring, fits, test)
    Z = linear_scores(test.X, fits.intercepts, fits.coefs.T)
    Z += 0.0 if test.offset is None else test.offset[:, None]
    weight = np.ones(len(Z)) if test.weight is None else test.weight
    if scoring in (None, "neg_log_loss"):
        return np.asarray(np.average(log_expit(np.where(test.codes[:, None] > 0, Z, -Z)), axis=0, weights=weight))
    if scoring == "accuracy":
        return np.asarray(np.average((Z > 0) == (test.codes[:, None] > 0), axis=0, weights=weight))
    if scoring == "roc_auc":
        if np.unique(test.codes).size < 2:
            return np.full(Z.shape[1], np.nan)
        return np.array([roc_auc_score(test.codes, z, sample_weight=test.weight) for z in Z.T])
    return _by_scorer(scoring, fits, test)


def _score_classes(scoring: Any, fits: Path, test: _Rows) -> Array:
    """The same for more than two classes."""
    lacks = np.unique(test.codes).size < test.classes.size
    if lacks and isinstance(scoring, str) and scoring.startswith("roc_auc"):
        return np.full(fits.Cs.size, np.nan)
    if scoring not in (None, "neg_log_loss", "accuracy"):
        return _by_scorer(scoring, fits, test)
    scores = []
    for intercept, coef in zip(fits.intercepts, fits.coefs, strict=True):
        Z = linear_scores(test.X, intercept, coef.T)
        Z += 0.0 if test.offset is None else test.offset
        if scoring == "accuracy":
            values = Z.argmax(axis=1) == test.codes
        else:
            values = log_probabilities(Z)[np.arange(len(Z)), test.codes]
        scores.append(float(np.average(values, weights=test.weight)))
    return np.array(scores)


def _by_scorer(scoring: Any, fits: Path, test: _Rows) -> Array:
    """By one of scikit-learn's scorers, or a function (model, X, y) -> number. They do not know offsets."""
    scorer = _told(get_scorer(scoring) if isinstance(scoring, str) else scoring, test.classes)
    labels = test.classes[test.codes]
    weight = {} if test.weight is None else {"sample_weight": test.weight}
    scores = []
    for intercept, coef in zip(fits.intercepts, fits.coefs, strict=True):
        model = LogisticRegression()
        model.classes_, model.n_features_in_ = test.classes, coef.shape[-1]
        model.coef_, model.intercept_ = np.atleast_2d(coef), np.atleast_1d(intercept)
        try:
            scores.append(float(scorer(model, test.X, labels, **weight)))
        except (ValueError, TypeError) as error:
            raise EvenOddsError(
                f"scoring={scoring!r} has no score for these data, {labels.size} rows of a fold: {error}"
            ) from error
    return np.array(scores)


def _told(scorer: Any, classes: NDArray[Any]) -> Any:
    """A scorer, told what it would guess from the labels that it sees: the classes, and which one is positive.

    A fold may lack a class, which counts in a score of probabilities all the same; and where no label is 1, the second
    class is the positive one, as in the coefficients.
    """
    known = getattr(scorer, "_kwargs", None)
    if known is None:
        return scorer  # a function of the user's
    takes, more = inspect.signature(scorer._score_func).parameters, {}
    if "labels" in takes and "labels" not in known and scorer._response_method != "predict":
        more["labels"] = classes
    of_two = classes.size == 2 and known.get("average", "binary") == "binary"
    if of_two and "pos_label" in takes and known.get("pos_label", takes["pos_label"].default) not in classes.tolist():
        more["pos_label"] = classes[1]
    told = copy.copy(scorer)
    told._kwargs = {**known, **more}
    return told


def _choose(scores: Array, rule: str) -> tuple[int, int]:
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
