"""A fitted logistic regression: what it takes for X, and what it predicts. How it is fitted is not known here."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeGuard, TypeVar, cast

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .arrays import Array, dense
from .data import FLOATS
from .data.elsewhere import gathered, is_dask, is_spark
from .data.scan import Scan
from .exceptions import EvenOddsError
from .labels import accuracy
from .reading import numbers_of, require_alone, require_finite_array, unpacked
from .scores import bounded_scores, linear_scores, log_probabilities, two_probabilities
from .table import (
    is_all_numeric,
    is_frame,
    numbered_columns,
    require_same_columns,
    require_same_order,
)

if TYPE_CHECKING:
    from .design import Design, DesignRows

_NO_NAMES = np.empty(0)


Method = TypeVar("Method", bound=Callable[..., Any])


def by_partition(method: Method) -> Method:
    """Have a method that predicts give a collection of Dask for one, and of a frame of Spark a column."""

    @functools.wraps(method)
    def either(self: Classifier, X: object) -> Any:
        if not (is_dask(X) or is_spark(X)):
            return method(self, X)
        check_is_fitted(self)
        scan = gathered(X, None, None, None)[0]
        # Whose columns are checked, but for those of a design, which checks its own.
        names = self.design_.kinds if hasattr(self, "design_") else self._scan_of(scan, reset=False).roles.columns
        if is_spark(X):
            from .data.spark import column_of

            return column_of(self, method.__name__, list(names))
        from .data.dask import lazily

        return lazily(self, method.__name__, X)

    return cast(Method, either)


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # bases are Any: scikit-learn has no types
    """What `LogisticRegression` and `LogisticRegressionCV` share: reading rows, predicting, and taking over a fit."""

    fit_intercept: bool
    lower: Any
    upper: Any
    coef_: Any
    intercept_: Array
    classes_: NDArray[Any]
    n_features_in_: int
    design_: Design

    @by_partition
    def decision_function(self, X: object) -> Array:
        """Scores: the log odds of ``classes_[1]``, 0 at even odds; of more classes one score each.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        check_is_fitted(self)
        if isinstance(X, Scan):
            return self._scores_of_scan(X)
        rows = self._design_rows(X, reset=False)
        return self._linear_scores(self._array(X, reset=False)) if rows is None else self._design_scores(rows)

    def _scores_of_scan(self, scan: Scan) -> Array:
        """Scores of rows that are scanned, batch by batch."""
        if not hasattr(self, "design_"):
            return np.concatenate(
                self._scan_of(scan, reset=False).each_block(lambda block: self._linear_scores(block.X))
            )
        from .design import of_tables  # here, as it needs pyarrow, and arrays do not

        design = self.design_
        scores = of_tables(scan, design, lambda table: self._design_scores(design.read(table)))
        return np.concatenate(scores) if scores else np.empty(0)

    def _design_scores(self, rows: DesignRows) -> Array:
        """Scores of rows by a design; NaN where one drops them."""
        coef, intercept = self._by_class
        scores = rows.scores(intercept, coef)
        kept = ~rows.gone
        return scores if np.isfinite(scores[kept]).all() else bounded_scores(rows.matrix(), intercept, coef, scores)

    def _linear_scores(self, array: object) -> Array:
        """Scores of checked rows without a design; an error where they are not finite numbers."""
        coef, intercept = self._by_class
        scores = linear_scores(array, intercept, coef)
        if not np.isfinite(scores).all():
            require_finite_array(array, self._names)
            scores = bounded_scores(array, intercept, coef, scores)
        return scores

    @by_partition
    def predict(self, X: object) -> NDArray[Any]:
        """The more likely class of each row.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        scores = self.decision_function(X)
        best = (scores > 0).astype(np.intp) if self._binary else scores.argmax(axis=1)
        labels = np.asarray(self.classes_[best])
        gone = np.isnan(scores if self._binary else scores[:, 0])  # only of a design that drops rows
        if gone.any():
            labels = labels.astype(object)
            labels[gone] = None
        return labels

    @by_partition
    def predict_proba(self, X: object) -> Array:
        """The probability of each class.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        scores = self.decision_function(X)
        if not self._binary:
            return np.asarray(np.exp(log_probabilities(scores)))
        return two_probabilities(scores)

    @by_partition
    def predict_log_proba(self, X: object) -> Array:
        """The logarithm of the probability of each class, exact where the probability is not.

        Parameters
        ----------
        X : array, frame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        scores = self.decision_function(X)
        if not self._binary:
            return log_probabilities(scores)
        return np.stack([log_expit(-scores), log_expit(scores)], axis=1)

    def score(self, X: object, y: object = None, sample_weight: ArrayLike | None = None) -> float:
        """The share of rows that are predicted right (accuracy).

        Parameters
        ----------
        X, y, sample_weight
            Rows, their labels and weights, as for `fit`.

        Returns
        -------
        float
        """
        X, y, sample_weight, _ = gathered(X, y, sample_weight, None)
        if isinstance(X, Scan):
            return self._score_scan(X, y, sample_weight)
        require_same_order(X=X, y=y, sample_weight=sample_weight)
        return accuracy(y, self.predict(X), sample_weight)

    def _score_scan(self, scan: Scan, y: object, sample_weight: object) -> float:
        """The same of rows that are scanned: labels and weights are among their columns."""
        require_alone(y, sample_weight, None)
        scan.require_target("score")
        predicted, (labels, weight) = self.predict(scan), scan.beside()
        return accuracy(labels, predicted, weight)

    def sparsify(self) -> Self:
        """Hold `coef_` as a sparse matrix, which is smaller where most coefficients are 0, as of a lasso.

        Returns
        -------
        self
            The model, whose predictions are the same.
        """
        check_is_fitted(self)
        self.coef_ = sp.csr_matrix(self.coef_)
        return self

    def densify(self) -> Self:
        """Hold `coef_` as an array again.

        Returns
        -------
        self
            The model.
        """
        check_is_fitted(self)
        self.coef_ = self._coef
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        # Scores that have to be 0 where X is, or coefficients that may not have every sign, do not fit all data.
        bounded = self.lower is not None or self.upper is not None
        tags.classifier_tags.poor_score = bounded or not self.fit_intercept
        return tags

    @property
    def _coef(self) -> Array:
        """The coefficients as an array, also of a model that is sparsified."""
        return dense(self.coef_)

    @property
    def _by_class(self) -> tuple[Array, Any]:
        """Coefficients and intercept that give one score for two classes, (p,) and a number, or (p, K) and (K,)."""
        return (self._coef[0], self.intercept_[0]) if self._binary else (self._coef.T, self.intercept_)

    @property
    def _binary(self) -> bool:
        return bool(self.classes_.size == 2)

    def _blank(self) -> Self:
        """The same parameters, and nothing learnt: a fit works on this, so that one that fails changes nothing."""
        new = object.__new__(type(self))
        new.__dict__ = _kept(vars(self), learnt=False)
        return new

    def _become(self, fitted: Classifier, **more: object) -> None:
        """Take over all that another model has learnt, and more, in the place of what this one has: at once."""
        self.__dict__ = _kept(vars(self), learnt=False) | _kept(vars(fitted), learnt=True) | more

    def _array(self, X: object, *, reset: bool) -> Any:
        """X as a checked 2-d array or CSR matrix. Whether it is finite shows in the first read."""
        X = self._unpacked(X, "What is asked for", reset=reset)
        rows = self._design_rows(X, reset=reset)
        if rows is not None:
            return rows.matrix()
        array, columns = numbers_of(X, partial(validate_data, self, reset=reset))
        if columns is not None and (reset or columns != getattr(self, "feature_names_in_", _NO_NAMES).tolist()):
            self._check_names(X, reset=reset)
        return array

    def _scan_of(self, scan: Scan, *, reset: bool) -> Scan:
        """Rows that are scanned, their columns learnt or those of the fit, found by name."""
        if hasattr(self, "design_") or (reset and not scan.is_numeric):
            from .design import encoded, learn_all  # here, as it needs pyarrow, and arrays do not

            if not hasattr(self, "design_"):
                self.design_ = learn_all(scan, self.n_jobs, bool(self.fit_intercept))
            if reset:
                self._keep_kinds()
            return encoded(scan, self.design_, self._multiplies)
        fitted = [] if reset else list(getattr(self, "feature_names_in_", []))
        if fitted and set(fitted) <= set(scan.known) and fitted != list(scan.roles.columns):
            scan = scan.with_columns(fitted)
        self._check_names(scan.names_alone(), reset=reset)
        return scan

    def _unpacked(self, X: object, what: str, *, reset: bool = False) -> Any:
        """Rows that are scanned in memory, the columns of the model if they fit; others as they are."""
        if isinstance(X, Scan):
            X = X.with_columns(list(self.design_.kinds)) if hasattr(self, "design_") else self._scan_of(X, reset=reset)
        return unpacked(X, None, None, None, what)[0]

    @property
    def _multiplies(self) -> bool:
        """Whether factors are columns of 0 and 1 for the fit, as it reads columns one by one, or rows one by one."""
        return False

    def _keep_kinds(self) -> None:
        """Learn the names of the columns from the design."""
        self.feature_names_in_ = np.array(list(self.design_.kinds), dtype=object)
        self.n_features_in_ = len(self.design_.kinds)

    def _check_names(self, X: object, *, reset: bool) -> None:
        """Learn the names of the columns of a frame of numbers, or compare them with those of the fit."""
        try:
            validate_data(self, X, reset=reset, skip_check_array=True)
        except (ValueError, TypeError) as error:
            raise EvenOddsError(str(error)) from None
        names = numbered_columns(X)
        if reset:
            self._columns_in_ = names
        else:
            require_same_columns(getattr(self, "_columns_in_", None), names)

    def _design_rows(self, X: object, *, reset: bool, y: object = None) -> DesignRows | None:
        """The rows of a frame by the design of the model, which a fit learns where columns are not all numbers.

        y : labels, if those without one may be left out
        """
        if not hasattr(self, "design_"):
            if not reset or is_plain(X) or not is_frame(X) or is_all_numeric(X):
                return None
            from .design import learn  # here, as it needs pyarrow, and arrays do not

            self.design_ = learn(X, intercept=bool(self.fit_intercept))
        if reset:
            self._keep_kinds()
        return self.design_.read(X, None if y is None else self.design_.without_label(y))

    @property
    def _names(self) -> list[str] | None:
        """The names of what has coefficients, None where the columns have none."""
        if hasattr(self, "design_"):
            return list(self.design_.names)
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else list(names)

    def _name(self, column: int) -> Any:
        names = self._names
        return int(column) if names is None else str(names[column])


def _kept(attributes: Mapping[str, Any], *, learnt: bool) -> dict[str, Any]:
    """What a fit has found of some attributes, or the others: names of the former end with an underscore."""
    return {name: value for name, value in attributes.items() if (name[-1] == "_" or name == "_seen") is learnt}


def is_plain(X: object) -> TypeGuard[NDArray[Any]]:
    """Whether X needs none of scikit-learn's checks: a 2-d array of floats, with rows and columns."""
    return type(X) is np.ndarray and X.ndim == 2 and X.dtype in FLOATS and X.size > 0
