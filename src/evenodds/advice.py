"""What a fit tells its user in words: warnings that say what, where and what to do."""

import math
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from .exceptions import CollinearWarning
from .naming import listed
from .solvers import Solution, Status


def warn_of_aliased(names: Sequence[Any], *, searched: bool = False) -> None:
    """Some columns have no coefficient of their own.

    searched : by a search for separation, which is no fit
    """
    what = "is constant or a linear combination" if len(names) == 1 else "are constant or linear combinations"
    out = (
        "left out of the search, as of a fit without a penalty. Drop such columns to know to which infinity others go."
        if searched
        else "left out of the fit: coefficient 0, which changes no prediction. Drop such columns, or share the effect "
        "out with a ridge (for example C=1)."
    )
    warn(f"{listed(names)} {what} of earlier columns and {out}", CollinearWarning)


def warn_of_distance(solution: Solution, tol: float, max_iter: int, firth: object) -> None:
    """The fit ended before the optimum."""
    why = solution.status.value
    cures = [f"raise max_iter (now {max_iter})"] * (solution.status is Status.MAX_ITER) + [f"raise tol (now {tol:g})"]
    cures += [] if firth else ["add a ridge (for example C=1)"]
    warn(
        f"{why[0].upper() + why[1:]}. After {solution.iterations} iterations a coefficient can be "
        f"{solution.error:.1e} standard errors from the optimum. To mend it, {' or '.join(cures)}.",
        ConvergenceWarning,
    )


def warn_of_growing_losses(solution: Solution, n_classes: int) -> None:
    """Gradient descent has ended far above the loss that it began with, which is that of guessing."""
    guess, last = math.log(n_classes), float(solution.history[-1])
    if last > 2 * guess:
        warn(
            f"Gradient descent has gone astray: the mean loss is {last:.3g} after the last epoch, and guessing costs "
            f"{guess:.3g}. The steps are too long: give SGD a smaller learning_rate.",
            ConvergenceWarning,
        )


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line that called the library, however deep in it, or in scikit-learn, the reason was found."""
    level = 1
    frame = sys._getframe()
    inside = ("evenodds", "sklearn", "joblib")
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in inside:
        frame, level = frame.f_back, level + 1
    warnings.warn(message[0].upper() + message[1:], category, stacklevel=level)
