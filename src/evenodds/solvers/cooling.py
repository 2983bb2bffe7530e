"""A start where offsets, or bounds, put rows far from even odds.

There a row's loss is a straight line or flat: it has a gradient, or none, and no curvature that a step could be taken
by. So the loss is first taken at a higher temperature T, at which the kinks are round,

    T log(1 + e^(-v/T)),     v the margin of the row,

and then cooled down. With theta = T phi this is T times the loss of phi with offsets divided by T, so that every
solver can find its optimum; a ridge of phi is T times as strong, an L1 part as it was, and bounds are divided by T.
Each optimum is the start of the next, a few steps away, whatever the offsets are (the method of deterministic
annealing, Rose, Proceedings of the IEEE 86, 1998; as the problem stays convex, no optimum is missed).
"""

from collections.abc import Callable

import numpy as np

from ..arrays import Array

_FAR = 8.0  # a score whose curvature is too small for a start
_RATIO = 2.0  # of a temperature to the next: scores double, and no curvature is lost
_MOST = 60  # temperatures: beyond, scores have no digits


def is_far(reach: float) -> bool:
    """Whether scores reach too far for a plain start."""
    return reach > _FAR


def cooled(theta: Array, reach: float, solve: Callable[[float, Array], Array]) -> Array:
    """A start close to the optimum; theta itself where no row is far.

    reach : how far scores are at theta
    solve : the optimum, roughly, of phi at a temperature, from a start
    """
    if not is_far(reach):
        return theta
    steps = min(int(np.ceil(np.log(reach / _FAR) / np.log(_RATIO))), _MOST)
    for T in _RATIO ** np.arange(steps, -1.0, -1.0):
        theta = T * solve(float(T), theta / T)
    return theta
