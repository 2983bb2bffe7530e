"""The tests of terms where one factor has most of many columns: see `terms`.

A model without a term has coefficients that are 0. Where each restriction is of one coefficient, it is a fit of the
other columns; what is left of the wide factor is eliminated there as well. Wald's statistic is that of a covariance by
its parts.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..arrays import CSR, Array, Numbers
from ..exceptions import EvenOddsError
from ..solvers import Status, costs, regimes
from ..solvers.running import Goal
from .profile import constrained_maximum, maxima
from .wide import MANY, LowRank

if TYPE_CHECKING:
    from .record import Inference

_TOL = 1e-5  # standard errors, to which models without a term are fitted: their deviance is right to its square


class WideFalls:
    """What the restrictions of models without some terms do: their number, W and D.

    bends : the tests that a term is a straight line, by name, as rows of restrictions of `names`
    """

    def __init__(self, result: "Inference", bends: dict[str, Array]) -> None:
        self._result, self._problem, self._bends = result, result.problem, bends
        self._known: dict[tuple[frozenset[str], str | None], tuple[int, float, float]]
        self._known = {(frozenset(), None): (0, 0.0, 0.0)}

    def of(self, dropped: list[str], bend: str | None = None) -> tuple[int, float, float]:
        """(df, W, D) without some terms, and with a straight line in the place of a bent one."""
        key = frozenset(dropped), bend
        if key not in self._known:
            L = self._restrictions(*key)
            self._known[key] = L.shape[0], self._wald(L), self._fall(L)
        return self._known[key]

    def _restrictions(self, dropped: frozenset[str], bend: str | None) -> Any:
        """Independent combinations of theta that are 0 then, CSR, of size 1."""
        problem: Any = self._problem
        first = int(bool(self._result.model.fit_intercept))
        found = self._result.model.design_.restrictions(dropped)
        R = sp.hstack([sp.csr_array((found.shape[0], first)), found], format="csr")
        if bend is not None:
            R = sp.vstack([R, sp.csr_array(self._bends[bend])], format="csr")
        k, m = R.shape[1], len(problem.listed)
        parts = [R @ problem.to_raw.entries[c * k : (c + 1) * k] for c in range(m)]
        if m == problem.data.class_weights.size:  # without a baseline all classes together say nothing
            parts = [part - parts[0] for part in parts[1:]]
        L = sp.csr_array(sp.vstack(parts))
        size = np.sqrt(np.asarray(L.power(2).sum(axis=1)).ravel())
        L = sp.csr_array(sp.diags_array(1 / size[size > 0]) @ L[np.flatnonzero(size)])
        return self._independent(L)

    def _independent(self, L: CSR) -> Any:
        """As many of the combinations as are independent: those that share no entry are."""
        used = np.bincount(L.indices, L.data != 0, L.shape[1])
        if used.max(initial=0) <= 1 or L.shape[0] == 0:
            return L
        if L.shape[0] > MANY:
            raise EvenOddsError(
                f"A test of {L.shape[0]:,} combinations that share coefficients takes a matrix that is not made: "
                "compare two fits by result.compare(smaller)."
            )
        columns = np.flatnonzero(used)
        from .terms import independent_rows  # which asks here for wide terms

        return L[independent_rows(L[:, columns].toarray())]

    def _wald(self, L: CSR) -> float:
        V = self._result.theta_covariance
        if not isinstance(V, LowRank):
            raise AssertionError("a wide factor goes with a covariance by its parts")
        if not L.shape[0]:
            return 0.0
        return V.seen(L).distance(L @ self._problem.theta)

    def _fall(self, L: CSR) -> float:
        result, problem = self._result, self._problem
        if not result.has_likelihood:
            return np.nan
        single = bool((np.diff(L.indptr) == 1).all())
        k = problem.theta.size // problem.n_free
        columns = np.unique(L.indices % k)
        if not single or L.shape[0] != columns.size * problem.n_free:
            fixed = L.toarray()
            best = maxima(problem)[0]
            return 2 * (best.value - constrained_maximum(problem, fixed, np.zeros(len(fixed)), best).value)
        return 2 * (result.log_likelihood + self._loss_without(columns))

    def _loss_without(self, places: Numbers) -> float:
        """The least loss without the columns at some places of theta's entries of a class."""
        problem, objective = self._problem, self._problem.objective
        coordinates, first = objective.coordinates, int(objective.coordinates.intercept)
        kept = np.delete(np.arange(first + coordinates.columns.size), places)
        slopes = kept[kept >= first] - first
        rest = replace(coordinates, columns=coordinates.columns[slopes])
        left = replace(objective, coordinates=rest, ridge=objective.ridge[slopes])
        sample = problem.data.sample(costs.sample_rows(problem.data), 0)
        if left.n_coef == 0:
            return left.total_weight * left.value_grad(np.empty(0))[0]
        start = left.start(sample)
        found = regimes.quasi_newton(left, start, sample, Goal(_TOL, max_iter=200))
        if found.status not in (Status.CONVERGED, Status.STALLED):
            return np.nan
        return float(left.total_weight * found.loss)
