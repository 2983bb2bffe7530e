"""The whole path of a lasso or an elastic net: fits for a range of strengths, each certified by its duality gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .absent import completed
from .advice import warn_of_aliased
from .arrays import Array
from .data.memory import one_blas_thread
from .exceptions import EvenOddsError, require_flags, require_range, within_range
from .per_column import LEAST_C, bounds, check_l1_ratio, penalty_factors
from .progress import PathLines
from .reading import read
from .separation.verdict import Verdict
from .separation.words import tell
from .strengths import Strengths, until_explained


@dataclass(frozen=True)
class Path:
    """Fits from the strongest penalty to the weakest: what `path` returns.

    Attributes
    ----------
    Cs : ndarray of shape (m,)
        Inverse strengths of the penalty, increasing.
    coefs : ndarray of shape (m, p) or (m, K, p)
        Coefficients of the columns as given. What the penalty holds at 0 is exactly 0. Of K > 2 classes each has its
        own, as told at `LogisticRegression`.
    intercepts : ndarray of shape (m,) or (m, K)
    deviance_ratio : ndarray of shape (m,)
        The share of the null deviance that is explained; that of the intercept (and the offset) alone is 0.
    gaps : ndarray of shape (m,)
        How far the mean loss with its penalty can be above its minimum: duality gaps.
    names : tuple
        Of the columns; their numbers where they have no names; of a table with text or dates those of the coefficients,
        such as ``carrier[AA]``.
    classes : ndarray of shape (K,)
        Of two, scores are the log odds of the second.
    l1_ratio : float
    passes : int
        Full reads of the data.
    """

    Cs: Array
    coefs: Array = field(repr=False)
    intercepts: Array = field(repr=False)
    deviance_ratio: Array = field(repr=False)
    gaps: Array = field(repr=False)
    names: tuple[Any, ...] = field(repr=False)
    classes: NDArray[Any]
    l1_ratio: float
    passes: int

    def __str__(self) -> str:
        lines = [
            f"Path of {_kind(self.l1_ratio)}: {self.Cs.size} fits, {len(self.names)} columns",
            f"{'C':>12}  {'columns in':>10}  {'deviance ratio':>14}  {'gap':>8}",
        ]
        shown = np.unique(np.linspace(0, self.Cs.size - 1, min(self.Cs.size, 12)).round().astype(int))
        for k in shown:
            count = self.columns_in(int(k))
            ratio = round(float(self.deviance_ratio[k]), 4) + 0.0  # no -0
            lines.append(f"{self.Cs[k]:12.6g}  {count:10d}  {ratio:14.4f}  {self.gaps[k]:8.1e}")
        return "\n".join(lines)

    def columns_in(self, k: int) -> int:
        """How many columns have a coefficient other than 0 in fit `k`, for any class."""
        return int(np.count_nonzero(self.coefs[k].reshape(-1, len(self.names)).any(axis=0)))


def path(
    X: object,
    y: object = None,
    l1_ratio: float = 1.0,
    n_C: int = 100,
    min_ratio: float = 1e-3,
    *,
    Cs: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    class_weight: Mapping[Any, float] | str | None = None,
    penalty_factor: ArrayLike | Mapping[Any, float] | None = None,
    lower: ArrayLike | Mapping[Any, float] | None = None,
    upper: ArrayLike | Mapping[Any, float] | None = None,
    tol: float = 1e-7,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Path:
    """Fit lasso, elastic net or ridge for a range of strengths of the penalty.

    Each fit minimises the mean log loss plus

        1/(C S) sum_j penalty_factor_j [ (1 - l1_ratio)/2 w_j^2 + l1_ratio |w_j| ]

    with S the total weight of the rows, within ``lower <= w <= upper``. The intercept is never penalised. More than
    two classes are fitted together, by the softmax loss; each has coefficients, whose penalties are added up.

    Parameters
    ----------
    X, y, sample_weight, offset
        As for `LogisticRegression.fit`. Where columns outnumber rows, or are more than 1,000 (300 of a sparse X), or
        coefficients of more than two classes more than 1,500, the data have to be in memory.
    l1_ratio : float, default=1.0
        1 is the lasso, 0 the ridge.
    n_C : int, default=100
        Fits, in equal ratios of C from the smallest C at which all penalised coefficients are 0. (A ridge has no such
        C: its path starts where that with ``l1_ratio=0.001`` would, as in glmnet, and ends where a lasso's would,
        which is a thousand times weaker than glmnet's end. So does every path with an `l1_ratio` below 0.01.)
    min_ratio : float, default=1e-3
        The last strength of the penalty over the first.
    Cs : array-like, optional
        The values of C themselves, in place of the last two; the path has them in increasing order.
    fit_intercept, standardize, class_weight, n_jobs, verbose
        As for `LogisticRegression`.
    penalty_factor : array-like of shape (p,), dict by name or None, default=None
        Factors on the penalty of each column, 0 or more, never rescaled. 0 is a column without penalty.
    lower, upper : array-like of shape (p,), float, dict by name or None, default=None
        Bounds of the coefficients.
    tol : float, default=1e-7
        Each duality gap is at most `tol` times the mean loss of the intercept alone.

    Returns
    -------
    Path

    Notes
    -----
    Without `Cs` the path ends early, with fewer fits, once 99.9% of the deviance are explained, or a further fit
    explains less than 1e-5 of it more: from there the data are fitted perfectly, or there is no penalty to speak of.
    The grid and both rules are glmnet's [1]_.

    Raises
    ------
    EvenOddsError
        If the data or a parameter is wrong; the message says what, where and what to do.

    Warns
    -----
    SeparationWarning
        Columns without a penalty separate the classes, at every C. They then have a ridge of 1e-10, of columns of unit
        size, and the gaps are with it.
    CollinearWarning
        Columns without a penalty and bounds are combinations of earlier such ones, or constant: they stay at 0.
    ConvergenceWarning
        Some fits ended before their gap reached `tol`.

    References
    ----------
    .. [1] Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent",
       Journal of Statistical Software 33, 2010, section 2.5.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from evenodds import path
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> fits = path(X, y, n_C=5, min_ratio=0.01, standardize=True)
    >>> [int((coef != 0).sum()) for coef in fits.coefs]
    [0, 2, 5, 9, 13]
    """
    ratio = check_l1_ratio(l1_ratio)
    _check_grid(n_C, min_ratio, tol)
    require_flags(fit_intercept=fit_intercept, standardize=standardize)
    own: dict[str, Any] = {"intercept": bool(fit_intercept), "every": not fit_intercept, "n_jobs": n_jobs}
    data, classes = read(X, y, sample_weight, offset, caller="path", class_weight=class_weight, **own)
    p, names = data.n_columns, data.names
    factor = penalty_factors(penalty_factor, p, names)
    low, high = bounds(lower, upper, p, names)
    if data.class_weights.size == 1:
        left = classes[data.present].tolist()[0]
        raise EvenOddsError(f"All rows that have a weight are of class {left!r}: a path needs two classes.")
    problem = Strengths(data, ratio, bool(fit_intercept), bool(standardize), factor, low, high).in_used_columns()
    lines = PathLines(_kind(ratio), data.n_rows, p) if verbose else None
    with one_blas_thread, within_range():
        loss, start, null = problem.null(tol)
        verdict, problem, start = problem.judged(loss, start)
        given = None if Cs is None else _given(Cs)
        grid = problem.grid(loss, start, n_C, min_ratio) if given is None else 1 / (given * problem.S)
        stop = until_explained(null) if given is None else None
        stop = stop if lines is None else lines.telling(stop, 1 / (grid * problem.S), null)
        points = problem.solve(loss, grid, start, tol * null, stop, lines)
        coefs, intercepts = problem.raw(loss.coordinates, points)
        require_range(coefs, intercepts, np.array([point.loss for point in points]))
        intercepts, coefs = completed(data.present, intercepts, coefs, low, high)
        grid = 1 / (grid * problem.S) if given is None else given
    named: Sequence[Any] = range(p) if names is None else names
    _tell(verdict, problem.aliased(loss.coordinates), classes[data.present].tolist(), named)
    if lines is not None:
        lines.end(f"{len(points)} fits, {loss.objective.passes} reads of the data")
    return Path(
        Cs=grid[: len(points)],
        coefs=coefs,
        intercepts=intercepts,
        deviance_ratio=np.array([1 - point.loss / null for point in points]),
        gaps=np.array([point.gap for point in points]),
        names=tuple(named),
        classes=classes,
        l1_ratio=ratio,
        passes=loss.objective.passes,
    )


def _tell(verdict: Verdict, aliased: Sequence[int], classes: Sequence[Any], named: Sequence[Any]) -> None:
    """Warn of what columns without a penalty do."""
    tell(verdict, classes, lambda k: named[k])
    if aliased:
        warn_of_aliased([named[k] for k in aliased])


def _kind(l1_ratio: float) -> str:
    return {0.0: "a ridge", 1.0: "a lasso"}.get(l1_ratio, f"an elastic net, l1_ratio={l1_ratio:g}")


def _given(Cs: ArrayLike) -> Array:
    """Values of C, checked, rising."""
    try:
        values = np.sort(np.atleast_1d(np.asarray(Cs, dtype=np.float64)))
    except (TypeError, ValueError, OverflowError):
        raise EvenOddsError(f"Cs is a list of numbers, got {Cs!r}.") from None
    if values.ndim != 1 or values.size == 0:
        raise EvenOddsError(f"Cs is a list of numbers, got shape {values.shape}.")
    wrong = ~((values >= LEAST_C) & (values < np.inf))
    if wrong.any():
        raise EvenOddsError(f"Each C is a positive, finite number ({LEAST_C:g} or more), got {values[wrong][0]:g}.")
    return values


def _check_grid(n_C: object, min_ratio: object, tol: object) -> None:
    if isinstance(n_C, bool) or not isinstance(n_C, int | np.integer) or n_C < 1:
        raise EvenOddsError(f"n_C is a positive integer, got {n_C!r}.")
    for name, value in (("min_ratio", min_ratio), ("tol", tol)):
        if not isinstance(value, int | float | np.number) or not 0 < value < 1:
            raise EvenOddsError(f"{name} is a number between 0 and 1, got {value!r}.")
