"""Classes whose rows all have weight 0: the fit is what one with ever smaller weights tends to.

As the total weight e of a class goes to 0, its intercept goes to -infinity like log e and takes the class's
probability to 0 on every row. Then nothing but the penalty is left of its coefficients: they go to 0, or to the bound
next to it. The other classes tend to the fit without these rows. So that fit is made, with a score for each class that
is left, and the class gets what it tends to: an intercept of -infinity. Where one class is left, its probability is 1.

Without an intercept nothing goes to infinity, nor in Firth's fit, whose penalty keeps every class, nor in the few
epochs of gradient descent: these are fits as any other.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from . import fitting
from .arrays import Array, Mask
from .data import Data, require_finite
from .per_column import bounds
from .settings import Settings
from .solvers import Solution, Status


def is_as_any(settings: Settings) -> bool:
    """Whether the fit that is asked for takes such classes as it takes others."""
    return not settings.fit_intercept or bool(settings.firth) or settings.sgd is not None


def fit(settings: Settings, data: Data, *, last: fitting.Coefs | None, reporter: fitting.Reporter) -> fitting.Fit:
    """What `fitting.fit` finds, of all classes: those that the data have left out among them."""
    present = data.present
    if data.class_weights.size == present.size:
        usable = last is not None and np.isfinite(last[0]).all()
        return fitting.fit(settings, data, last=last if usable else None, reporter=reporter)
    low, high = bounds(settings.lower, settings.upper, data.n_columns, data.names)
    if data.class_weights.size == 1:
        return _certain(settings, data, low, high)
    if last is not None:
        last = (last[0][present], last[1][present])
        last = last if np.isfinite(last[0]).all() else None

    def report(solver: str, most: int, to_coefs: fitting.ToCoefs | None) -> Any:
        every = None if to_coefs is None else lambda theta: completed(present, *to_coefs(theta), low, high)
        return reporter and reporter(solver, most, every)

    found = fitting.fit(settings, data, last=last, reporter=reporter and report)
    return replace(found, coefs=completed(present, *found.coefs, low, high))


def completed(
    present: Mask, intercepts: Array, coefs: Array, lower: Array | None, upper: Array | None
) -> fitting.Coefs:
    """The coefficients (..., K, p) of all classes from those that are present."""
    if present.all():
        return intercepts, coefs
    *more, _, p = coefs.shape
    level = np.full((*more, present.size), -np.inf)
    every = np.broadcast_to(_least(p, lower, upper), (*more, present.size, p)).copy()
    level[..., present], every[..., present, :] = intercepts, coefs
    return level, every


def _least(n_columns: int, lower: Array | None, upper: Array | None) -> Array:
    """The coefficients (p,) that a penalty alone would have within the bounds."""
    low, high = (-np.inf if lower is None else lower), (np.inf if upper is None else upper)
    return np.asarray(np.clip(np.zeros(n_columns), low, high))


def _certain(settings: Settings, data: Data, lower: Array | None, upper: Array | None) -> fitting.Fit:
    """The fit where one class is left."""
    require_finite(data)
    rest = _least(data.n_columns, lower, upper)[None, :]
    if data.present.size == 2:
        coefs = np.array([np.inf if data.present[1] else -np.inf]), rest
    else:
        coefs = completed(data.present, np.zeros(1), rest, lower, upper)
    loss = 0.0
    if rest.any():
        from .penalised import penalty_of  # here, as smooth fits need none of it

        loss = penalty_of(settings, data, coefs[1])
    solution = Solution(
        theta=np.empty(0),
        loss=loss,
        gap=0.0,
        error=0.0,
        passes=0,
        iterations=0,
        status=Status.CONVERGED,
        history=np.array([loss]),
        solver="none",
        n_rows=data.n_rows,
        total_weight=float(data.class_weights.sum()),
    )
    return fitting.Fit(coefs, solution)
