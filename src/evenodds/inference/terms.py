"""Terms: the coefficients that belong together, as those of a factor's levels, and the table of their tests.

A term is tested against the model that is left without it: by Wald's statistic W of the restrictions that this puts on
the coefficients, and by twice the fall D of the log-likelihood under them. What is left has none of the terms that
contain it either (Nelder, JRSS A 140, 1977, on marginality), so that its statistic is the difference of two: with and
without the term, after these; in sequence, after all that follow.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg

from ..arrays import Array
from ..design import other_orders
from ..exceptions import EvenOddsError, is_one_of
from .factored import distance
from .problem import Problem
from .profile import constrained_maximum, maxima, require_lower
from .wide import RawMap
from .wide_terms import WideFalls

if TYPE_CHECKING:
    from .record import Inference

_KINDS = ("marginal", "sequential")
_RANK = 1e-9  # of the largest, below which a singular value is rounding


def terms_of(result: "Inference") -> dict[str, list[int]]:
    """The places of each term's coefficients among `names`; without a design each column is a term."""
    first = int(bool(result.model.fit_intercept))
    design = getattr(result.model, "design_", None)
    if design is None:
        return {name: [first + j] for j, name in enumerate(result.names[first:])}
    return {name: [first + j for j in columns] for name, columns in design.columns_of.items()}


def products_of(result: "Inference", text: str) -> dict[str, str]:
    """The products that a text may ask for, by what they are called in other orders than the model's; see there."""
    design = getattr(result.model, "design_", None)
    return {} if design is None else other_orders(design.terms, design.atoms, text)


def bends_of(result: "Inference") -> dict[str, tuple[str, Array]]:
    """The tests that a polynomial or a spline is a straight line: the term, and what of `names` is 0 then (r, k)."""
    design = getattr(result.model, "design_", None)
    if design is None:
        return {}
    first = int(bool(result.model.fit_intercept))
    return {name: (term, np.pad(rows, ((0, 0), (first, 0)))) for name, (term, rows) in design.bends.items()}


def anova(result: "Inference", kind: str) -> dict[str, Any]:
    """The columns of the table."""
    if not is_one_of(kind, _KINDS):
        raise EvenOddsError(f"kind is one of {', '.join(map(repr, _KINDS))}, got {kind!r}.")
    if result.limit is not None:
        raise EvenOddsError(
            "The classes are separated, so that terms with infinite coefficients have no Wald test: fit with "
            "LogisticRegression(firth=True), or compare two fits by result.compare(smaller)."
        )
    terms, design = list(terms_of(result)), getattr(result.model, "design_", None)
    wide = isinstance(result.problem.to_raw, RawMap)
    falls = WideFalls(result, {name: rows for name, (_, rows) in bends_of(result).items()}) if wide else _Falls(result)
    rows, names = [], []
    for k, name in enumerate(terms):
        later = terms[k + 1 :] if kind == "sequential" else [] if design is None else design.containing(name)
        with_it, without = falls.of(later), falls.of([name, *later])
        names.append(name)
        rows.append(np.subtract(without, with_it))
        for bend in (bend for bend, (term, _) in bends_of(result).items() if term == name):
            names.append(bend)
            rows.append(np.subtract(falls.of(later, bend), with_it))
    df, wald, ratio = np.array(rows).T
    from .hypotheses import chi_squared  # which asks here for terms

    tests = [
        [chi_squared(max(x, 0.0) if x == x else x, int(n), "") for x, n in zip(s, df, strict=True)]
        for s in (wald, ratio)
    ]
    return {
        "term": names,
        "df": df.astype(int),
        "wald": np.array([test.statistic for test in tests[0]]),
        "wald_p_value": np.array([test.p_value for test in tests[0]]),
        "lr": np.array([test.statistic for test in tests[1]]),
        "lr_p_value": np.array([test.p_value for test in tests[1]]),
    }


class _Falls:
    """What the restrictions of models without some terms do: their number, W and D."""

    def __init__(self, result: "Inference") -> None:
        self._result, self._problem = result, result.problem
        self._known: dict[tuple[frozenset[str], str | None], tuple[int, float, float]]
        self._known = {(frozenset(), None): (0, 0.0, 0.0)}
        self._has_likelihood = result.has_likelihood
        self._tops = maxima(self._problem) if self._has_likelihood else []

    def of(self, dropped: list[str], bend: str | None = None) -> tuple[int, float, float]:
        """(df, W, D) without some terms, and with a straight line in the place of a bent one."""
        key = frozenset(dropped), bend
        if key not in self._known:
            L = _independent(self._restrictions(*key), self._problem)
            self._known[key] = len(L), self._wald(L), self._fall(L)
        return self._known[key]

    def _restrictions(self, dropped: frozenset[str], bend: str | None) -> Array:
        """Combinations of theta that are 0 then."""
        result, problem = self._result, self._problem
        first, design = int(bool(result.model.fit_intercept)), getattr(result.model, "design_", None)
        if design is None:
            R = np.eye(len(result.names))[[j for name, (j,) in terms_of(result).items() if name in dropped]]
        else:
            R = np.pad(design.restrictions(dropped).toarray(), ((0, 0), (first, 0)))
        if bend is not None:
            R = np.concatenate([R, bends_of(result)[bend][1]])
        return np.kron(np.eye(len(problem.listed)), R) @ problem.to_raw

    def _wald(self, L: Array) -> float:
        return distance(self._result.theta_covariance, L, L @ self._problem.theta)

    def _fall(self, L: Array) -> float:
        if not self._tops:
            return np.nan
        best = self._tops[0]
        point = constrained_maximum(self._problem, L, np.zeros(len(L)), best, self._tops)
        require_lower(self._problem, best, point)
        return 2 * (best.value - point.value)


def _independent(L: Array, problem: Problem) -> Array:
    """As many of the combinations as are independent; those of aliased columns alone say nothing."""
    # In units in which columns are alike, as theta's are; without a baseline what is alike in all classes is nothing.
    L = L - L @ problem.gauge @ problem.gauge.T
    size = np.abs(L).max(axis=1, initial=0.0)
    L = L[size > 0] / size[size > 0, None]
    return L[independent_rows(L)] if len(L) else L


def independent_rows(L: Array) -> Any:
    """The numbers of as many rows, of size 1, as are independent."""
    _, R, order = scipy.linalg.qr(L.T, mode="economic", pivoting=True)
    rank = int(np.count_nonzero(np.abs(np.diag(R)) > _RANK * abs(R[0, 0])))
    return np.sort(order[:rank])
