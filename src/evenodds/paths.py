"""The whole path of a lasso or an elastic net: fits for a range of strengths, each certified by its duality gap."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from .absent import completed
from .coordinates import Coordinates, choose_coordinates
from .data import Array, Block, Data, as_data
from .data.memory import Memory, one_blas_thread
from .exceptions import EvenOddsError, require_range, within_range
from .labels import combine_weights, encode_labels, row_offsets
from .per_column import LEAST_C, bounds, check_l1_ratio, penalty_factors
from .progress import PathLines, Stop
from .reading import any_numbers
from .separation import OVERLAP, Question, tell
from .solvers import Status
from .solvers.class_path import class_path
from .solvers.class_penalty import for_classes, to_coefs
from .solvers.columns import column_coordinates
from .solvers.cooling import is_far
from .solvers.elastic_net import elastic_net, is_large_sparse, is_wide, optimum
from .solvers.mean_loss import MeanLoss
from .solvers.penalty import Penalty
from .solvers.proximal_newton import Optimum
from .solvers.softmax_loss import SoftmaxLoss
from .solvers.sparse_wide import sparse_path
from .solvers.tall_path import tall_path
from .solvers.working_set import wide_path
from .table import require_same_order

_SAMPLE = 8192
_STEPS = 100
_LEAST_RATIO = 1e-3  # of the lasso, in the rule for where the path of a ridge starts
_RIDGE = 0.01  # below this l1_ratio a path goes on to where a lasso's would end: its own end is hardly a fit
_SATURATED = 0.999  # share of the null deviance that is explained, beyond which a path does not go on
_STILL = 1e-5  # relative change of that share from one fit to the next, below which it does not either
_LEAST_FITS = 5

Loss = MeanLoss | SoftmaxLoss


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
    X: Any,
    y: Any,
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
        Columns without a penalty separate the classes, at every C.
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
    require_same_order(X=X, y=y, sample_weight=sample_weight, offset=offset)
    array, names = any_numbers(X, "path", bool(fit_intercept))
    classes, codes = encode_labels(y, array.shape[0])
    weight = combine_weights(sample_weight, class_weight, codes, classes)
    shift = None if offset is None else row_offsets(offset, array.shape[0], classes.size)
    p = array.shape[1]
    factor = penalty_factors(penalty_factor, p, names)
    low, high = bounds(lower, upper, p, names)
    own: dict[str, Any] = {"intercept": bool(fit_intercept), "every": not fit_intercept, "names": names}
    data = as_data(array, codes, weight, shift, n_jobs=n_jobs, n_classes=classes.size, **own)
    if data.class_weights.size == 1:
        left = classes[data.present].tolist()[0]
        raise EvenOddsError(f"All rows that have a weight are of class {left!r}: a path needs two classes.")
    problem = _Problem(data, ratio, bool(fit_intercept), bool(standardize), factor, low, high)
    lines = PathLines(_kind(ratio), data.n_rows, p) if verbose else None
    with one_blas_thread, within_range():
        loss, start, null = problem.null(tol)
        given = None if Cs is None else _given(Cs)
        grid = problem.grid(loss, start, n_C, min_ratio) if given is None else 1 / (given * problem.S)
        stop = _stop(null) if given is None else None
        stop = stop if lines is None else lines.telling(stop, 1 / (grid * problem.S), null)
        points = problem.solve(loss, grid, start, tol * null, stop, lines)
        coefs, intercepts = problem.raw(loss.coordinates, points)
        require_range(coefs, intercepts)
        intercepts, coefs = completed(data.present, intercepts, coefs, low, high)
        question = Question.of(loss.objective, loss.sample, problem.of_one_class(loss.coordinates, 1.0))
        verdict = OVERLAP if question is None else question.verdict(points[-1].theta)
        grid = 1 / (grid * problem.S) if given is None else given
    tell(verdict, classes[data.present].tolist(), (lambda k: k) if names is None else (lambda k: names[k]))
    if lines is not None:
        lines.end(f"{len(points)} fits, {loss.objective.passes} reads of the data")
    return Path(
        Cs=grid[: len(points)],
        coefs=coefs,
        intercepts=intercepts,
        deviance_ratio=np.array([1 - point.loss / null for point in points]),
        gaps=np.array([point.gap for point in points]),
        names=tuple(range(p)) if names is None else tuple(names),
        classes=classes,
        l1_ratio=ratio,
        passes=loss.objective.passes,
    )


@dataclass(frozen=True)
class _Problem:
    """What is fitted, for any strength."""

    data: Data
    l1_ratio: float
    intercept: bool
    standardize: bool
    factor: Array | None
    lower: Array | None
    upper: Array | None

    @property
    def n_classes(self) -> int:
        """Classes that are not left out."""
        return int(self.data.class_weights.size)

    @property
    def binary(self) -> bool:
        """Whether one score tells the classes."""
        return bool(self.data.present.size == 2)

    @property
    def S(self) -> float:
        """The total weight."""
        return float(self.data.class_weights.sum())

    def null(self, tol: float) -> tuple[Loss, Array, float]:
        """F, the optimum without any penalised column, and the loss of the intercept alone."""
        sample = self.data.sample(_SAMPLE, 0)
        coordinates = self._coordinates(sample)
        loss = (MeanLoss if self.binary else SoftmaxLoss)(self.data, coordinates, sample)
        loss.objective.passes = coordinates.reads
        start = loss.objective.start(sample)
        if self.intercept and sample.offset is not None:
            start = self._without(loss, start, np.empty(0, np.intp))
        null = float(loss.at(start[None, :])[0][0])
        if self.factor is not None and not self.factor.all():
            start = self._without(loss, start, np.flatnonzero(self.factor == 0))
        return loss, start, null

    def _coordinates(self, sample: Block) -> Coordinates:
        if isinstance(self.data, Memory) and not self.data.sparse and is_wide(self.data):
            coordinates = column_coordinates(self.data, intercept=self.intercept, standardize=self.standardize)
            if (coordinates.scale > 1e-150).all() and np.isfinite(coordinates.scale).all():  # squares that are numbers
                return coordinates
        return choose_coordinates(
            self.data,
            sample,
            intercept=self.intercept,
            standardize=self.standardize,
            strength=0.0,
            exact_mean=True,
            every=True,
        )

    def _without(self, loss: Loss, start: Array, columns: NDArray[np.intp]) -> Array:
        """The optimum over the intercept and a few columns without penalty, within their bounds."""
        coordinates = replace(loss.coordinates, columns=columns)
        one = np.concatenate([np.arange(self.intercept), columns + self.intercept]).astype(np.intp)
        copies = 1 if self.binary else self.n_classes
        kept = (np.arange(copies)[:, None] * (loss.n_coef // copies) + one).ravel()
        zero = self._for_all(Penalty.of(coordinates, 0.0, 1.0, lower=self.lower, upper=self.upper))
        solution = elastic_net(self.data, coordinates, zero, loss.sample, tol=1e-6)
        theta = start.copy()
        theta[kept] = solution.theta
        loss.objective.passes += solution.passes
        return theta

    def penalty(self, coordinates: Coordinates, strength: float) -> Penalty:
        """Omega for one strength lam."""
        return self._for_all(self.of_one_class(coordinates, strength))

    def of_one_class(self, coordinates: Coordinates, strength: float) -> Penalty:
        """Omega of one class."""
        return Penalty.of(
            coordinates,
            strength,
            self.l1_ratio,
            standardize=self.standardize,
            factor=self.factor,
            lower=self.lower,
            upper=self.upper,
        )

    def _for_all(self, penalty: Penalty) -> Penalty:
        return penalty if self.binary else for_classes(penalty, self.n_classes)

    def grid(self, loss: Loss, start: Array, n_C: int, min_ratio: float) -> Array:
        """Strengths lam, falling from the least that holds all penalised coefficients at 0."""
        ratio = max(self.l1_ratio, _LEAST_RATIO)
        unit = replace(self, l1_ratio=ratio).penalty(loss.coordinates, 1.0)
        penalised = unit.l1 > 0
        if (np.clip(0.0, unit.lower, unit.upper)[penalised] != 0).any():
            raise EvenOddsError("A coefficient is kept from 0 by its bounds: such a path has no start. Give Cs.")
        _, gradient, _ = loss.at(start[None, :])
        g = gradient[0]
        open_ = np.where(g > 0, unit.lower < 0, unit.upper > 0) & penalised
        # Where bounds hold all at 0, that is the answer for any C, and the grid is as without them.
        slope = np.divide(np.abs(g), unit.l1, out=np.zeros_like(g), where=open_ if (g[open_] != 0).any() else penalised)
        largest = float(slope.max(initial=0.0)) * (1 + 1e-10)
        if not largest > 0:
            raise EvenOddsError("No penalised column has anything to tell: every coefficient is 0 for any C.")
        if not 1 / (largest * self.S) >= LEAST_C:
            raise EvenOddsError(
                f"The path would start at a C below {LEAST_C:g}, as the weights sum to {self.S:.3g}. Multiply all "
                "weights by a power of ten: that divides each C by it and changes no coefficient."
            )
        return largest * np.geomspace(1.0, min_ratio * (ratio if ratio < _RIDGE else 1.0), n_C)

    def solve(
        self, loss: Loss, grid: Array, start: Array, target: float, stop: Stop | None, lines: PathLines | None
    ) -> Sequence[Optimum]:
        """The optimum for each strength."""
        unit = self.penalty(loss.coordinates, 1.0)
        penalties = [unit.times(float(strength)) for strength in grid]
        far = is_far(loss.objective.reach(loss.objective.start(loss.sample), loss.sample))
        points = list(self._along(loss, penalties, start, target, None if far else stop, lines))
        if far:  # the path may jump there, so that the next fit is no start: then it needs one of its own
            for k, penalty in enumerate(penalties):
                if points[k].status is not Status.CONVERGED:
                    points[k] = optimum(loss, penalty, target=target, max_iter=_STEPS)
            ends = (k for k in range(1, len(points)) if stop is not None and stop(points[:k]))
            points = points[: next(ends, len(points))]
        missed = [point.gap for point in points if point.status is not Status.CONVERGED]
        if missed:
            worst = f"it is up to {max(missed):.1e}"
            text = f"{len(missed)} of {len(points)} fits ended before their gap reached tol: {worst}."
            warnings.warn(text, ConvergenceWarning, stacklevel=3)
        return points

    def _along(
        self, loss: Loss, penalties: Sequence[Penalty], start: Array, target: float, stop: Any, lines: PathLines | None
    ) -> Sequence[Optimum]:
        """The optima in one go, each near the one before it."""
        if isinstance(loss, SoftmaxLoss):
            return class_path(loss, penalties, start, target=target, max_iter=_STEPS, stop=stop)
        elif is_wide(self.data):
            wide = sparse_path if is_large_sparse(self.data) else wide_path
            return wide(loss, penalties, start, target=target, max_iter=_STEPS, stop=stop)
        look = None if lines is None else lines.after_round
        return tall_path(loss, penalties, start, target=target, max_iter=_STEPS, stop=stop, look=look)

    def raw(self, coordinates: Coordinates, points: Sequence[Optimum]) -> tuple[Array, Array]:
        """Coefficients and intercepts for the columns as given."""
        thetas = np.array([point.theta for point in points])
        one = self.of_one_class(coordinates, 1.0)
        if self.binary:
            intercepts, coefs = one.to_coefs(coordinates, thetas, self.lower, self.upper)
        else:
            intercepts, coefs = to_coefs(one, coordinates, thetas, self.lower, self.upper)
        return coefs, intercepts


def _kind(l1_ratio: float) -> str:
    return {0.0: "a ridge", 1.0: "a lasso"}.get(l1_ratio, f"an elastic net, l1_ratio={l1_ratio:g}")


def _stop(null: float) -> Stop:
    """Whether the last fit explains nearly all, or nearly what the one before it does."""

    def stop(points: Sequence[Optimum]) -> bool:
        ratio = 1 - points[-1].loss / null
        if ratio > _SATURATED:
            return True
        return len(points) >= _LEAST_FITS and ratio - (1 - points[-2].loss / null) < _STILL * ratio

    return stop


def _given(Cs: ArrayLike) -> Array:
    """Values of C, checked, rising."""
    try:
        values = np.sort(np.atleast_1d(np.asarray(Cs, dtype=np.float64)))
    except (TypeError, ValueError) as error:
        raise EvenOddsError(f"Cs is not numeric: {error}") from None
    if values.ndim != 1 or values.size == 0:
        raise EvenOddsError(f"Cs is a list of numbers, got shape {values.shape}.")
    wrong = ~((values >= LEAST_C) & (values < np.inf))
    if wrong.any():
        raise EvenOddsError(f"Each C is a positive, finite number ({LEAST_C:g} or more), got {values[wrong][0]!r}.")
    return values


def _check_grid(n_C: Any, min_ratio: Any, tol: Any) -> None:
    if isinstance(n_C, bool) or not isinstance(n_C, int | np.integer) or n_C < 1:
        raise EvenOddsError(f"n_C is a positive integer, got {n_C!r}.")
    for name, value in (("min_ratio", min_ratio), ("tol", tol)):
        if not isinstance(value, int | float | np.number) or not 0 < value < 1:
            raise EvenOddsError(f"{name} is a number between 0 and 1, got {value!r}.")
