"""The fits of a path: one problem at every strength of its penalty, from the null model on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from .arrays import Array, Mask
from .coordinates import Coordinates, choose_coordinates, without_repeats
from .data import Block, Data
from .data.used import Used
from .exceptions import EvenOddsError
from .objective import Classes
from .per_column import LEAST_C, all_at_zero, free_columns
from .progress import PathLines, Stop
from .separation.question import Question
from .separation.verdict import OVERLAP, Verdict
from .solvers import Status
from .solvers.class_path import class_path
from .solvers.class_penalty import for_classes, to_coefs
from .solvers.columns import column_coordinates
from .solvers.cooling import is_far
from .solvers.elastic_net import elastic_net, optimum, takes_sets
from .solvers.mean_loss import MeanLoss
from .solvers.penalty import Penalty
from .solvers.proximal_newton import Optimum
from .solvers.ridge_path import ridge_path, takes_ridges
from .solvers.tall_path import tall_path
from .solvers.wide import wide_path

_SAMPLE = 8192
_STEPS = 100
_FEW_ROWS = 20.0  # a dense column, up to which a path takes working sets: at 2,000 x 500 it takes 3 to 20 times less
_LEAST_RATIO = 1e-3  # of the lasso, in the rule for where the path of a ridge starts
_RIDGE = 0.01  # below this l1_ratio a path goes on to where a lasso's would end: its own end is hardly a fit
_SATURATED = 0.999  # share of the null deviance that is explained, beyond which a path does not go on
_STILL = 1e-5  # relative change of that share from one fit to the next, below which it does not either
_LEAST_FITS = 5


@dataclass(frozen=True)
class Strengths:
    """One problem at every strength of its penalty.

    separated : whether columns without a penalty separate the classes
    used : of the columns as given those that there are here; None if all are
    """

    data: Data
    l1_ratio: float
    intercept: bool
    standardize: bool
    factor: Array | None
    lower: Array | None
    upper: Array | None
    separated: bool = False
    used: Used | None = None

    def in_used_columns(self) -> Strengths:
        """The problem in the columns that have entries, if all others have a coefficient of 0 and they are many."""
        of_columns = self.factor, self.lower, self.upper
        used = Used.of(self.data) if all_at_zero(self.l1_ratio, *of_columns) else None
        if used is None:
            return self
        factor, low, high = (None if values is None else values[used.columns] for values in of_columns)
        return replace(self, data=used.data, factor=factor, lower=low, upper=high, used=used)

    @property
    def classes(self) -> Classes:
        """The classes, all of which have coefficients if there are more than two."""
        return Classes.of(self.data, baseline=False)

    @property
    def _takes_sets(self) -> bool:
        return takes_sets(self.data, _FEW_ROWS if not self.classes.several and self.l1_ratio > 0 else 0.0)

    @property
    def _free(self) -> Mask:
        return free_columns(self.data.n_columns, self.factor, self.lower, self.upper)

    def aliased(self, coordinates: Coordinates) -> list[int]:
        """The columns without a penalty and bounds that have no coefficient of their own."""
        return coordinates.told_nothing(self._free)

    @property
    def S(self) -> float:
        """The total weight."""
        return float(self.data.class_weights.sum())

    def null(self, tol: float) -> tuple[MeanLoss, Array, float]:
        """F, the optimum without any penalised column, and the loss of the intercept alone."""
        sample = self.data.sample(_SAMPLE, 0)
        coordinates = without_repeats(self.data, sample, self._coordinates(sample), self._free)
        loss = MeanLoss(self.data, coordinates, sample)
        loss.objective.passes = coordinates.reads
        start = loss.objective.start(sample)
        if self.intercept and sample.offset is not None:
            start = self._without(loss, start, np.empty(0, np.intp))
        null = float(loss.at(start[None, :])[0][0])
        if self.factor is not None and not self.factor.all():
            start = self._without_penalised(loss, start)
        return loss, start, null

    def judged(self, loss: MeanLoss, start: Array) -> tuple[Verdict, Strengths, Array]:
        """Whether columns without penalty separate the classes; if so, the problem that holds them, and its start."""
        question = Question.of(loss.objective, loss.sample, self.of_one_class(loss.coordinates, 1.0))
        verdict = OVERLAP if question is None else question.verdict(start)
        if verdict.separating is None:
            return verdict, self, start
        held = replace(self, separated=True)
        return verdict, held, held._without_penalised(loss, start)

    def _without_penalised(self, loss: MeanLoss, start: Array) -> Array:
        """The optimum over the intercept and the columns without penalty."""
        return self._without(loss, start, np.flatnonzero(np.asarray(self.factor) == 0))

    def _coordinates(self, sample: Block) -> Coordinates:
        if not self.data.sparse and self._takes_sets and self.data.whole() is not None:
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

    def _without(self, loss: MeanLoss, start: Array, columns: NDArray[np.intp]) -> Array:
        """The optimum over the intercept and a few columns without penalty, within their bounds."""
        coordinates = replace(loss.coordinates, columns=columns)
        one = np.concatenate([np.arange(self.intercept), columns + self.intercept]).astype(np.intp)
        kept = (np.arange(loss.n_classes)[:, None] * (loss.n_coef // loss.n_classes) + one).ravel()
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
        """Of all classes; where columns without penalty separate these, with what holds them."""
        one = penalty.held(int(self.intercept)) if self.separated else penalty
        return for_classes(one, self.classes.n_sets)

    def grid(self, loss: MeanLoss, start: Array, n_C: int, min_ratio: float) -> Array:
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
        self, loss: MeanLoss, grid: Array, start: Array, target: float, stop: Stop | None, lines: PathLines | None
    ) -> Sequence[Optimum]:
        """The optimum for each strength."""
        unit = self.of_one_class(loss.coordinates, 1.0)
        penalties = [self._for_all(unit.times(float(strength))) for strength in grid]
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
        self,
        loss: MeanLoss,
        penalties: Sequence[Penalty],
        start: Array,
        target: float,
        stop: Stop | None,
        lines: PathLines | None,
    ) -> Sequence[Optimum]:
        """The optima in one go, each near the one before it."""
        if loss.several:
            return class_path(loss, penalties, start, target=target, max_iter=_STEPS, stop=stop)
        elif takes_ridges(loss, penalties[0]):
            return ridge_path(loss, penalties, start, target=target, max_iter=_STEPS, stop=stop)
        elif self._takes_sets:
            return wide_path(loss, penalties, start, target=target, max_iter=_STEPS, stop=stop)
        look = None if lines is None else lines.after_round
        return tall_path(loss, penalties, start, target=target, max_iter=_STEPS, stop=stop, look=look)

    def raw(self, coordinates: Coordinates, points: Sequence[Optimum]) -> tuple[Array, Array]:
        """Coefficients and intercepts for the columns as given."""
        thetas = np.array([point.theta for point in points])
        one = self.of_one_class(coordinates, 1.0)
        intercepts, coefs = to_coefs(one, coordinates, thetas, self.lower, self.upper)
        coefs = coefs if self.used is None else self.used.outside(coefs)
        return (coefs, intercepts) if self.classes.several else (coefs[:, 0], intercepts[:, 0])


def until_explained(null: float) -> Stop:
    """Whether the last fit explains nearly all, or nearly what the one before it does."""

    def stop(points: Sequence[Optimum]) -> bool:
        ratio = 1 - points[-1].loss / null
        if ratio > _SATURATED:
            return True
        return len(points) >= _LEAST_FITS and ratio - (1 - points[-2].loss / null) < _STILL * ratio

    return stop
