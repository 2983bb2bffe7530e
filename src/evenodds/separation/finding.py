"""`find_separation`: which columns separate the classes, in words and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from ..advice import warn_of_aliased
from ..arrays import Array
from ..coordinates import choose_coordinates
from ..data import Block, Sums, require_finite
from ..data.memory import one_blas_thread
from ..exceptions import EvenOddsError, require_flags, within_range
from ..reading import read
from ..solvers.costs import sample_rows
from .recession import separation_of
from .sides import two_sided


@dataclass(frozen=True)
class Separation:
    """Whether the classes are separated, and what that does to a fit by maximum likelihood.

    Attributes
    ----------
    kind : {"overlap", "quasi-complete", "complete"}
        Complete: some direction has all rows of a class strictly on its side. Quasi-complete: some rows of both
        classes are on the boundary. Overlap: no direction separates, and all coefficients are finite.
    infinite : dict
        For the coefficients that are infinite, by name: inf, -inf, or nan where the data do not determine the sign
        (as for columns that repeat one another), and, where many coefficients (from 130 to 200) are free of one
        another, nan for all, as signs are not looked for.
    rows : ndarray of int
        The numbers, counted from 0, of the rows that are strictly on their side. Their fitted probability is 0 or 1.
    direction : ndarray of shape (k,)
        Coefficients, in the order of `names`, whose scores are zero on the boundary, and on `rows` positive for the
        second class, negative for the first.
    names : tuple of str
        "(intercept)", if there is one, and the columns.
    classes : ndarray of shape (2,)
    """

    kind: str
    infinite: dict[str, float]
    rows: NDArray[np.intp]
    direction: Array
    names: tuple[str, ...]
    classes: NDArray[Any]

    def __str__(self) -> str:
        if self.kind == "overlap":
            return "The classes overlap: the maximum-likelihood estimate is finite."
        first, second = map(repr, self.classes.tolist())
        rows = "all rows" if self.kind == "complete" else f"{len(self.rows)} row{'s' if len(self.rows) > 1 else ''}"
        lines = [f"The classes are separated, {self.kind}ly: the columns tell class {second} from {first} in {rows}."]
        for end, test in (
            ("+inf", np.isposinf),
            ("-inf", np.isneginf),
            ("infinity, the sign not determined", np.isnan),
        ):
            names = [name for name, sign in self.infinite.items() if test(sign)]
            if names:
                shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
                lines.append(f"Going to {end}: {shown}.")
        lines.append(
            "The maximum-likelihood estimate does not exist. Use Firth's fit, LogisticRegression(firth=True), or a "
            "ridge, for example C=1; or ask how such columns can know the answer."
        )
        return "\n".join(lines)


def find_separation(
    X: object, y: object = None, sample_weight: ArrayLike | None = None, *, fit_intercept: bool = True
) -> Separation:
    """Whether columns separate the classes, and which coefficients that makes infinite.

    Parameters
    ----------
    X : array, frame or sparse matrix of shape (n_samples, n_features)
        As for `LogisticRegression.fit`.
    y : array-like of shape (n_samples,)
        Labels with two different values.
    sample_weight : array-like of shape (n_samples,), optional
        Rows of weight 0 are left out; other weights change nothing.
    fit_intercept : bool, default=True
        Whether the scores have an intercept.

    Returns
    -------
    Separation

    Raises
    ------
    EvenOddsError
        If the data are wrong, or too wide or too close to rounding for a certain answer.

    Warns
    -----
    CollinearWarning
        Some columns are aliased: constant, or within 1e-7 of combinations of earlier ones. They are left out, as of a
        fit.

    Examples
    --------
    >>> from evenodds import find_separation
    >>> found = find_separation([[1, 3], [2, 0], [3, -1], [3, 4], [3, 1], [4, 0], [5, 2]], [0, 0, 0, 0, 1, 1, 1])
    >>> found.kind, found.infinite
    ('quasi-complete', {'(intercept)': -inf, 'x0': inf})
    """
    require_flags(fit_intercept=fit_intercept)
    found, aliased = searched(X, y, sample_weight, fit_intercept=bool(fit_intercept))
    if aliased:
        warn_of_aliased(aliased, searched=True)
    return found


def searched(
    X: object, y: object, sample_weight: ArrayLike | None = None, *, fit_intercept: bool = True
) -> tuple[Separation, list[Any]]:
    """What `find_separation` finds, and the names, or numbers, of the columns that are left out."""
    own: dict[str, Any] = {"caller": "find_separation", "two": "find_separation", "intercept": fit_intercept}
    data, classes = read(X, y, sample_weight, None, **own)
    if not data.class_weights.all():
        empty = classes.tolist()[int(np.argmin(data.class_weights))]
        raise EvenOddsError(f"All rows of class {empty!r} have weight 0: two classes are needed.")
    require_finite(data)
    if not fit_intercept and not data.reduce(_count_entries)[0]:
        raise EvenOddsError("No column is left to fit: without an intercept, all of X is zero.")
    with one_blas_thread, within_range():
        sample = data.sample(sample_rows(data), 0)
        coordinates = choose_coordinates(data, sample, intercept=fit_intercept, standardize=False, strength=0.0)
        found = separation_of(two_sided(data, coordinates))
    aliased = [column if data.names is None else data.names[column] for column in coordinates.aliased()]
    names = (*["(intercept)"] * fit_intercept, *(data.names or [f"x{k}" for k in range(data.n_columns)]))
    infinite = {name: float(sign) for name, sign in zip(names, found.infinite, strict=True) if sign != 0}
    rows = np.flatnonzero(found.separated)
    rows = rows if data.kept is None else data.kept[rows]
    return Separation(found.kind, infinite, rows, found.direction, names, classes), aliased


def _count_entries(block: Block) -> Sums:
    return (np.count_nonzero(block.X.data if sp.issparse(block.X) else block.X),)
