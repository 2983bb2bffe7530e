"""`LogisticRegressionCV`: the strength of a penalty by cross-validation along whole paths.

All folds fit the same grid of C, the one of the path on all rows. A path costs little more than its last fit, as
each fit starts from the one before, so the folds cost little more than as many fits.
"""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, MethodMapping, process_routing

from .arrays import Array, Which
from .classifier import Classifier
from .data.memory import count_threads, one_blas_thread
from .exceptions import EvenOddsError, is_one_of, within_range
from .fold_scores import Rows, certain, choose, score, score_of
from .labels import combine_weights, encode_labels, plain_labels, row_numbers, row_offsets
from .model import LogisticRegression
from .paths import Path, path
from .per_column import bounds, check_l1_ratio, penalty_factors
from .progress import FoldLines
from .reading import unpacked
from .settings import Settings
from .table import require_same_order

_TOL, _PATH_TOL, _LEAST_TOL = 1e-4, 1e-7, 1e-13  # of a fit and of a path, by default, and what rounding leaves
_SMALL = 1 << 20  # entries of which each thread may have a copy
_QUICK = ("neg_log_loss", "accuracy", "roc_auc")

_OF_PATHS = ["penalty_factor", "lower", "upper", "class_weight", "min_ratio", "fit_intercept", "standardize", "n_jobs"]


class LogisticRegressionCV(Classifier):
    """Logistic regression whose penalty is chosen by cross-validation.

    The folds fit the values of C of the grid: C itself is kept, as in scikit-learn, and not C times the number of rows,
    which glmnet keeps. So the penalty weighs a little more against the fewer rows of a fold than in the last fit.

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
        Offsets count in the predictions of the rows left out, whatever the scorer.
    min_ratio : float, default=1e-3
        The last strength of the penalty of the grid over the first.
    fit_intercept, standardize, class_weight, penalty_factor, lower, upper, tol, max_iter, n_jobs, random_state, verbose
        As for `LogisticRegression`; `tol` and `max_iter` are of the fit on all rows. Paths end by the default `tol` of
        `path`; where `tol` is below its default, by that times the square of the share. `n_jobs` is the number of
        folds at a time; None is all cores for small data, and one fold after another, each with all cores, for large.

    Attributes
    ----------
    C_, l1_ratio_ : float
        What was chosen.
    Cs_ : ndarray of shape (n_l1_ratios, n_Cs)
        The grids, increasing. Where a path ended early, NaN.
    scores_ : ndarray of shape (n_l1_ratios, n_Cs, n_folds)
        Scores of the rows left out, weighted by `sample_weight`; NaN where there is none.
    coefs_paths_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs, 1 or n_classes, n_features + fit_intercept)
        The coefficients of each fold, as in scikit-learn: the intercept last, one row for two classes.
    n_iter_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        How often the path of a fold has read its rows. All fits of a path share that number: they are found together.
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

    __metadata_request__fit: ClassVar = {"groups": UNUSED}  # they are the splitter's
    __metadata_request__score: ClassVar = {"sample_weight": UNUSED}  # it is the scorer's
    C_: float
    l1_ratio_: float
    Cs_: Array
    scores_: Array
    coefs_paths_: Array
    n_iter_: NDArray[np.int64]
    path_: Path
    estimator_: LogisticRegression

    def __init__(
        self,
        Cs: int | ArrayLike = 100,
        l1_ratios: Sequence[float] = (1.0,),
        *,
        cv: object = 5,
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
        random_state: object = None,
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
        X: object,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        **metadata: object,
    ) -> Self:
        """Choose the penalty, and fit all rows with it.

        Parameters
        ----------
        X, y, sample_weight, offset
            As for `LogisticRegression.fit`. Weights count in the scores as well.
        groups : array-like of shape (n_samples,), optional
            For splitters by group.
        **metadata
            What splitter and scorer ask for, with scikit-learn's metadata routing, which also tells whether a scorer
            is given `sample_weight`.

        Returns
        -------
        self
            The fitted model.

        Raises
        ------
        EvenOddsError
            If the data or a parameter is wrong, or the training rows of a fold have one class only.

        Warns
        -----
        UserWarning
            A class has fewer rows than there are folds, so that some folds lack it (from scikit-learn's splitter);
            where all have, there are as many folds as the largest class has rows.
        """
        ratios = self._check()
        X, y, sample_weight, offset = unpacked(X, y, sample_weight, offset, "A cross-validation")
        require_same_order(X=X, groups=groups)
        final = self._one().set_params(C=1.0)
        Settings.of(final)
        rows = self._rows(final, X, y, sample_weight, offset)
        to_splitter, to_scorer = self._routed(sample_weight, groups, metadata)
        folds = self._folds(rows, to_splitter)
        whole = [self._path(X, y, ratio, self.Cs, sample_weight, offset, verbose=self.verbose) for ratio in ratios]
        jobs = [(a, k) for a in range(len(ratios)) for k in range(len(folds))]
        lines = FoldLines(len(folds), ratios) if self.verbose else None

        @within_range()
        def job(a: int, k: int) -> tuple[Array, Array, int]:
            found = self._score_fold(rows, folds[k], whole[a], to_scorer)
            if lines is not None:
                lines.after_fold(k + 1, ratios[a])
            return found

        with one_blas_thread:
            parts = Parallel(n_jobs=self._folds_at_once(rows), prefer="threads")(delayed(job)(a, k) for a, k in jobs)
        grids, scores, coefs, reads = _tables([one.Cs for one in whole], parts)
        with within_range():
            a, c = choose(scores, self.rule)
        C, ratio = float(grids[a, c]), ratios[a]
        if lines is not None:
            lines.end(f"C={C:.5g} and l1_ratio={ratio:g} are chosen")
        final.set_params(C=C, l1_ratio=ratio).fit(X, y, sample_weight, offset)
        found = {"C_": C, "l1_ratio_": ratio, "Cs_": grids, "scores_": scores, "path_": whole[a]}
        self._become(final, **found, coefs_paths_=coefs, n_iter_=reads, estimator_=final)
        return self

    def score(self, X: object, y: object = None, sample_weight: ArrayLike | None = None, **metadata: object) -> float:
        """The score by `scoring`; accuracy if that is None.

        Parameters
        ----------
        X, y, sample_weight
            Rows, their labels and weights, as for `fit`.
        **metadata
            What the scorer asks for, with scikit-learn's metadata routing.

        Returns
        -------
        float
        """
        if self.scoring is None:
            self._require_routing("score", metadata)
            return super().score(X, y, sample_weight)
        X, y, sample_weight, _ = unpacked(X, y, sample_weight, None, "A scorer")
        given = metadata if sample_weight is None else {"sample_weight": sample_weight, **metadata}
        if get_config()["enable_metadata_routing"]:
            given = dict(process_routing(self, "score", **given).scorer.score)
        else:
            self._require_routing("score", metadata)
        require_same_order(X=X, y=y, sample_weight=sample_weight)
        return score_of(self, self.scoring, X, plain_labels(y), given)

    def _one(self) -> LogisticRegression:
        """The estimator of a single fit."""
        shared = LogisticRegression().get_params(deep=False).keys() & self.get_params(deep=False).keys()
        return LogisticRegression(**{name: getattr(self, name) for name in shared})

    def _check(self) -> list[float]:
        if not is_one_of(self.rule, ("min", "1se")):
            raise EvenOddsError(f"rule is 'min' or '1se', got {self.rule!r}.")
        if isinstance(self.scoring, str) and self.scoring not in get_scorer_names():
            raise EvenOddsError(f"scoring is a scorer of scikit-learn, such as {_QUICK}, got {self.scoring!r}.")
        if not (self.scoring is None or isinstance(self.scoring, str) or callable(self.scoring)):
            raise EvenOddsError(f"scoring is a name, a function (model, X, y) -> number or None, got {self.scoring!r}.")
        given = self.l1_ratios.tolist() if isinstance(self.l1_ratios, np.ndarray) else self.l1_ratios
        ratios = list(given) if np.iterable(given) else [given]
        if not ratios:
            raise EvenOddsError("l1_ratios is empty: give at least one number from 0 to 1.")
        return [check_l1_ratio(ratio) for ratio in ratios]

    def _rows(self, final: LogisticRegression, X: object, y: object, weight: object, offset: object) -> Rows:
        """All that is given, checked and as arrays, which folds take rows of."""
        final._read(X, y, weight, offset)
        if final.classes_.size > 2 and self.scoring == "roc_auc":
            raise EvenOddsError('scoring="roc_auc" is for two classes: take "roc_auc_ovr", the mean over classes.')
        array = final._array(X, reset=False)
        n, p = array.shape
        names = final._names
        return Rows(
            array,
            encode_labels(y, n, final.classes_)[1],
            None if weight is None else row_numbers(weight, "sample_weight", n),
            None if offset is None else row_offsets(offset, n, final.classes_.size),
            final.classes_,
            penalty_factors(self.penalty_factor, p, names),
            *bounds(self.lower, self.upper, p, names),
        )

    def _folds(self, rows: Rows, metadata: Mapping[str, Any]) -> list[tuple[Any, Any]]:
        """Train and test rows of each fold."""
        largest = int(np.bincount(rows.codes).max())
        count = int(self.cv) if isinstance(self.cv, numbers.Integral) else None
        if count is not None and count > largest > 1:
            text = f"No class has the {count} rows that cv={count} folds need: there are {largest} folds."
            warnings.warn(text, UserWarning, stacklevel=3)
        try:
            cv = self.cv if count is None else min(count, max(largest, 2))
            splitter = check_cv(cv, rows.codes, classifier=True)
            every, given = np.arange(rows.codes.size), splitter.split(rows.X, rows.codes, **metadata)
            folds = [(every[np.atleast_1d(train)], every[np.atleast_1d(test)]) for train, test in given]
        except (ValueError, TypeError, IndexError) as error:
            raise EvenOddsError(f"cv does not fit the data: {str(error).rstrip('.')}.") from None
        if len(folds) < 2:
            raise EvenOddsError("cv has to have two folds or more.")
        return folds

    def _folds_at_once(self, rows: Rows) -> int | None:
        """Of large data one fold has all cores to itself, as each fold is a copy of most rows."""
        entries = rows.X.nnz if sp.issparse(rows.X) else rows.X.size
        return count_threads(self.n_jobs) if entries < _SMALL else self.n_jobs

    def _path(
        self,
        X: object,
        y: object,
        ratio: float,
        Cs: int | ArrayLike,
        weight: ArrayLike | None,
        offset: ArrayLike | None,
        **other: object,
    ) -> Path:
        settings: dict[str, Any] = {name: getattr(self, name) for name in _OF_PATHS}
        settings["tol"] = max(_PATH_TOL * min(1.0, float(self.tol) / _TOL) ** 2, _LEAST_TOL)  # a gap, as a square is
        is_count = isinstance(Cs, int | np.integer) and not isinstance(Cs, bool)
        settings |= {"n_C" if is_count else "Cs": Cs}
        return path(X, y, ratio, sample_weight=weight, offset=offset, **(settings | other))

    def _score_fold(
        self, rows: Rows, fold: tuple[Any, Any], whole: Path, metadata: Mapping[str, Any]
    ) -> tuple[Array, Array, int]:
        """The score of each C on the rows that a fold leaves out, the coefficients, intercept last, and the reads."""
        train, test = rows.training(fold[0]), rows.take(fold[1])
        weight = combine_weights(train.weight, self.class_weight, train.codes, rows.classes)
        left = np.unique(train.codes if weight is None else train.codes[weight > 0])
        if left.size == 1 and self.fit_intercept:
            fits = certain(whole, int(left[0]))
        else:
            other = {"penalty_factor": rows.factor, "lower": rows.lower, "upper": rows.upper, "class_weight": None}
            fits = self._path(train.X, train.codes, whole.l1_ratio, whole.Cs, weight, train.offset, **other)
        shape = (fits.Cs.size, -1, rows.X.shape[1])
        columns = [fits.coefs.reshape(shape), fits.intercepts.reshape(*shape[:2], 1)]
        if "sample_weight" not in metadata:
            test = replace(test, weight=None)
        more = {name: value for name, value in metadata.items() if name != "sample_weight"}
        more = {name: _of_rows(value, fold[1], rows.codes.size) for name, value in more.items()}
        coefs = np.concatenate(columns[: 1 + bool(self.fit_intercept)], axis=2)
        return score(self.scoring, fits, test, more), coefs, fits.passes

    def get_metadata_routing(self) -> Any:
        """What of the arguments of `fit` and `score` goes to the splitter and to the scorer.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        scorer = get_scorer(self.scoring or "neg_log_loss")
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(splitter=check_cv(self.cv), method_mapping=MethodMapping().add(caller="fit", callee="split"))
        to_score = MethodMapping().add(caller="fit", callee="score").add(caller="score", callee="score")
        return router.add(scorer=scorer, method_mapping=to_score)

    @staticmethod
    def _require_routing(method: str, metadata: Mapping[str, Any]) -> None:
        if metadata:
            raise EvenOddsError(
                f"{method} takes {', '.join(metadata)} with metadata routing only, which is only supported if "
                "enable_metadata_routing=True: call sklearn.set_config(enable_metadata_routing=True)."
            )

    def _routed(self, weight: object, groups: object, more: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is for the splitter and what for the scorer."""
        given = {"sample_weight": weight, "groups": groups, **more}
        given = {name: value for name, value in given.items() if value is not None}
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", **given)
            return dict(routed.splitter.split), dict(routed.scorer.score)
        self._require_routing("fit", more)
        return {"groups": groups}, {} if weight is None else {"sample_weight": weight}


def _of_rows(value: ArrayLike, k: Which, n_rows: int) -> Any:
    """Some rows of what has one value a row, and anything else as it is."""
    return np.asarray(value)[k] if np.shape(value)[:1] == (n_rows,) else value


def _tables(
    grids: Sequence[Array], parts: Sequence[tuple[Array, Array, int]]
) -> tuple[Array, Array, Array, NDArray[np.int64]]:
    """The C of each ratio (R, m), and by fold the scores (R, m, F), the fits (F, R, m, ...) and the reads (F, R, m).

    NaN where the path of a ratio is shorter than m.

    parts : of the first ratio's folds, then of the next one's
    """
    m, n_ratios, n_folds = max(grid.size for grid in grids), len(grids), len(parts) // len(grids)
    found, scores = np.full((n_ratios, m), np.nan), np.full((n_ratios, m, n_folds), np.nan)
    coefs = np.full((n_folds, n_ratios, m, *parts[0][1].shape[1:]), np.nan)
    reads = np.empty((n_folds, n_ratios, m), dtype=np.int64)
    for a, grid in enumerate(grids):
        found[a, : grid.size] = grid
    for at, (part, fits, passes) in enumerate(parts):
        a, k = divmod(at, n_folds)
        scores[a, : part.size, k], coefs[k, a, : part.size], reads[k, a] = part, fits, passes
    return found, scores, coefs, reads
