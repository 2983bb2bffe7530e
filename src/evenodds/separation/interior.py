"""The two parts of rows by an interior point: what a direction makes positive, and what balances.

There are d and lambda >= 0 with rows d >= 0 and lambda' rows = 0 such that of s_i = rows_i d and lambda_i just one is
zero for each i (Goldman and Tucker, 1956). The self-dual path

    s = rows d + theta,    lambda' rows = theta 1' rows,    sum(lambda) + 1' rows d = m,    s_i lambda_i = theta

from s = lambda = theta = 1 ends there, at theta = 0 (Ye, Todd and Mizuno, Math. Oper. Res. 19, 1994), and is followed
by Mehrotra's steps. A linear programme ends at a corner instead, which shows a few rows at a time, and takes seconds
where rows are far apart.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from ..arrays import Array, Mask
from ..solvers.metrics import Cholesky

_STEPS = 80
_APART = 1e6  # of s and lambda, from which there is no doubt which is zero
_SEEN = 2.0  # the ratio from which a path that hardly goes on is not followed further
_SLOW = 2  # steps that do not halve what is left
_SHORT = 0.99  # of the way to the nearest zero
_ROUNDED = 2.0  # the ratio of theta and the mean of s_i lambda_i, from which they are rounding
_POOR = 1e-13  # a least eigenvalue of products from which their rounding counts


@dataclass(frozen=True, slots=True)
class Parts:
    """What was seen where s and lambda were the furthest apart.

    direction : (k,) nearly in the cone
    weight : (m,) positive; those of the second part nearly balance it
    near : (m,) the second part
    """

    direction: Array
    weight: Array
    near: Mask


def parts_of(rows: Array) -> Parts:
    """The parts of rows (m, k) of full column rank, as far as rounding lets them be told."""
    m = len(rows)
    slack, weight, d, theta = np.ones(m), np.ones(m), np.zeros(rows.shape[1]), 1.0
    best, clearest, slow = Parts(d, weight, np.ones(m, dtype=bool)), 1.0, 0
    with np.errstate(all="ignore"):
        for _ in range(_STEPS):
            towards = _steps(rows, slack, weight, d, theta)
            _, faster, lighter, _ = towards(0.0, 0.0)
            length = min(1.0, _room(slack, faster), _room(weight, lighter))
            before = float(slack @ weight) / m
            share = float((slack + length * faster) @ (weight + length * lighter)) / (m * before)
            turn, faster, lighter, less = towards(share**3 * before, faster * lighter)
            length = min(1.0, _SHORT * min(_room(slack, faster), _room(weight, lighter)))
            d, theta = d + length * turn, theta + length * less
            slack, weight = slack + length * faster, weight + length * lighter
            mean = float(slack @ weight) / m
            if not (min(slack.min(), weight.min()) > 0 and mean / _ROUNDED < theta < _ROUNDED * mean):
                break
            apart = np.maximum(slack / weight, weight / slack).min()
            if apart > clearest:
                best, clearest = Parts(d, weight, slack < weight), apart
            slow = slow + 1 if mean > before / 2 else 0
            if clearest > _APART or (clearest > _SEEN and slow == _SLOW):
                break
    return best


def _steps(
    rows: Array, slack: Array, weight: Array, d: Array, theta: float
) -> Callable[[float, Array | float], tuple[Array, Array, Array, float]]:
    """Newton's steps of d, s, lambda and theta towards s_i lambda_i of a mean less what the step itself will add."""
    total, curve = rows.sum(axis=0), weight / slack
    solve = _inverse(rows, curve)
    off, seen = rows @ d + theta - slack, curve @ rows
    pull, short = theta * total - weight @ rows, len(rows) - weight.sum() - total @ d
    along, turned = solve(total + seen), total - seen

    def towards(mean: float, beyond: Array | float) -> tuple[Array, Array, Array, float]:
        left = (mean - beyond) / slack - weight - curve * off
        first = solve(left @ rows - pull)
        less = (left.sum() + turned @ first - short) / (curve.sum() + turned @ along)
        turn = first - less * along
        onward = rows @ turn + less
        return turn, onward + off, left - curve * onward, float(less)

    return towards


def _inverse(rows: Array, curve: Array) -> Callable[[Array], Array]:
    """v -> (rows' curve rows)^-1 v: by a Cholesky factor, where that is poor by a triangle of the rows."""
    weighted = rows * np.sqrt(curve)[:, None]
    factor = Cholesky(weighted.T @ weighted)
    if factor.least() > _POOR:
        return factor.solve
    size = np.linalg.norm(weighted, axis=0)
    largest_first = np.argsort(-curve, kind="stable")  # so that small rows keep their digits
    R = scipy.linalg.qr(weighted[largest_first] / size, mode="r", check_finite=False)[0][: size.size]

    def solve(v: Array) -> Array:
        half = scipy.linalg.solve_triangular(R, v / size, trans=1, check_finite=False)
        return np.asarray(scipy.linalg.solve_triangular(R, half, check_finite=False) / size)

    return solve


def _room(value: Array, move: Array) -> float:
    """The length of a move that brings the first of some positive values to zero."""
    return float((value / np.maximum(-move, 1e-300)).min())
