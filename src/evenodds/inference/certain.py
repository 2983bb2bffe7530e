"""What is certain in the limit of separated classes.

A function l of theta (a coefficient, the log odds of a row) has a limit if the separating directions d do not move it.
Where l d >= 0 for all of them and > 0 for some it grows without end, and a probability that it belongs to is 1; where
both signs occur there is no limit, as it depends on the direction in which one goes.

Its profile likelihood is that of the rows which no direction with l d = 0 separates: these directions are free at any
value of l, and make their rows certain. On what is left the likelihood has a maximum for each value of l, which rises
to the supremum as l grows: values below a finite end are rejected, those above are not. Where l has both signs all
separated rows are certain at any value of it, so that none is rejected.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..advice import warn
from ..arrays import Array, Matrix, Numbers
from ..data import Block
from ..data.coded import Coded
from ..exceptions import SeparationWarning
from ..objective.softmax import dense_design, sparse_design
from ..separation.recession import separation_of
from ..separation.sides import sides_of
from .problem import Problem

if TYPE_CHECKING:
    from .record import Inference

_TILE_ENTRIES = 1 << 21
_EXACT = 1e-10  # the share of a sum that is rounding
_DIGITS = 9  # to which ways of moving are the same


def signs_of(result: "Inference", functionals: Array) -> Array:
    """inf, -inf or NaN for functions of theta (m, q) that have no limit, else 0.

    The judge is asked once about functions that differ by what no separating direction moves.
    """
    if result.limit is None:
        return np.zeros(len(functionals))
    objective, null, rays = result.whole.objective, result.limit.recession.null, result.limit.recession.rays
    if rays is not None:
        return rays.signs(functionals @ null)
    null = np.where(np.abs(null) > _EXACT * np.abs(null).max(axis=0, initial=0.0), null, 0.0)
    moves = functionals @ null
    moves[np.abs(moves) <= _EXACT * (np.abs(functionals) @ np.abs(null))] = 0.0
    size = np.abs(moves).max(axis=1, initial=0.0)
    moved = np.flatnonzero(size)
    found = np.zeros(len(functionals))
    if moved.size:
        ways = np.round(moves[moved] / size[moved, None], _DIGITS) + 0.0  # no -0
        _, first, places = np.unique(ways, axis=0, return_index=True, return_inverse=True)
        asked = functionals[moved[first]]
        signed = sides_of(objective, objective.coordinates, bounded=False)
        found[moved] = separation_of(signed, asked).infinite[places.ravel()]
    return found


def design_of(problem: Problem, X: Array | Coded) -> Any:
    """The columns of theta of one class, the intercept's first, of dense rows or, as CSR, of coded ones."""
    design = sparse_design if isinstance(X, Coded) else dense_design
    return design(problem.objective.coordinates, _block(X))


def limit_scores(result: "Inference", X: Array | Coded, shift: Array) -> tuple[Any, Array]:
    """The design of some dense or coded rows (n, k), and the scores of all classes (n, K) with their offsets.

    Of separated classes in the limit: -inf for a class that a row is certainly not of, NaN for one whose probability
    has no limit.
    """
    D = design_of(result.problem, X)
    theta = result.problem.theta.reshape(result.problem.n_free, -1)
    K = len(result.classes)
    Z = np.pad(D @ theta.T, ((0, 0), (K - len(theta), 0))) + shift
    if result.limit is None:
        return D, Z
    signs = _row_signs(result, X)
    never = np.asarray(np.isneginf(signs).any(axis=2))
    among = ~never[:, :, None] & ~never[:, None, :]
    without_limit = np.asarray((np.isnan(signs) & among).any(axis=(1, 2)))[:, None] & ~never
    return D, np.where(never, -np.inf, np.where(without_limit, np.nan, Z))


def functionals_of(whole: Problem, X: Array) -> Array:
    """The scores of the rows as functions of theta (n, K, q), that of a baseline 0."""
    D, m = dense_design(whole.objective.coordinates, _block(X)), whole.n_free
    K = whole.data.class_weights.size
    units = np.eye(K, m, m - K)
    return np.asarray((units[None, :, :, None] * D[:, None, None, :]).reshape(len(D), K, m * D.shape[1]))


def _of_two(second: Array) -> Array:
    """`_pair_signs` of two classes from the signs of the second one's scores (n,)."""
    signs = np.zeros((second.size, 2, 2))
    signs[:, 1, 0], signs[:, 0, 1] = second, -second
    return signs


def _row_signs(result: "Inference", X: Array | Coded) -> Array:
    """Where the score of a class goes, beside that of another, for each row (n, K, K)."""
    found = None if result.limit is None else result.limit.recession
    if found is not None and found.rays is not None:
        return _of_two(found.rays.signs(design_of(result.whole, X) @ found.null))
    assert not isinstance(X, Coded)  # beside a wide factor there are rays
    rows = max(1, _TILE_ENTRIES // (len(result.classes) ** 2 * result.whole.theta.size))
    tiles = (functionals_of(result.whole, X[k : k + rows]) for k in range(0, len(X), rows))
    return np.concatenate([_pair_signs(result, tile) for tile in tiles])


def class_signs(result: "Inference", columns: Numbers) -> Array:
    """Where the slopes of a class go, beside those of another, for each of some columns (K, K, p)."""
    K = len(result.classes)
    if result.limit is None:
        return np.zeros((K, K, len(columns)))
    first, p = int(bool(result.model.fit_intercept)), result.whole.data.n_columns
    found = result.limit.recession
    if found.rays is not None:
        signs = np.zeros(p)
        signs[result.whole.objective.coordinates.columns] = found.rays.signs(found.null[first:])
        return np.moveaxis(_of_two(signs[columns]), 0, 2)
    zero = np.zeros((1, p))
    # Of rows less that of zeros: their scores differ by a slope.
    slopes = functionals_of(result.whole, np.eye(p)[columns]) - functionals_of(result.whole, zero) * first
    return np.moveaxis(_pair_signs(result, slopes), 0, 2)


def _pair_signs(result: "Inference", functionals: Array) -> Array:
    """`signs_of` the differences of functions of the classes (n, K, q), as (n, K, K)."""
    n, K, q = functionals.shape
    c, k = np.triu_indices(K, 1)
    between = signs_of(result, (functionals[:, c] - functionals[:, k]).reshape(-1, q)).reshape(n, c.size)
    signs = np.zeros((n, K, K))
    signs[:, c, k], signs[:, k, c] = between, -between
    return signs


def _block(X: Matrix | Coded) -> Block:
    return Block(X, np.zeros(X.shape[0], dtype=np.uint8))


def warn_of_open(names: Sequence[Any], what: str, why: str) -> None:
    """Say what is NaN, and why."""
    if names:
        shown = ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        warn(f"The classes are separated: {what} {shown} {why}. A NaN is in its place.", SeparationWarning)
