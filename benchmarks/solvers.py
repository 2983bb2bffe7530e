"""The contestants. Each is a way to lay out X as it likes best (not timed) and a fit at a tolerance (timed).

The options are the ones that served each peer best. A peer that is not installed is skipped with a note.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from benchmarks.problems import Array, Problem

# (intercept, coefficients), or a function that makes them off the clock; full reads of X where the solver counts them
Fitted = tuple[Array | Callable[[], Array], int | None]
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
DEFAULT_TOL = 1e-4  # of evenodds and of scikit-learn
MANY = 100_000  # iterations: tolerances and the clock end a fit, never this
TENTHS = tuple(10.0**-k for k in range(13))


def as_given(X: Any) -> Any:
    return X


@dataclass(frozen=True)
class Solver:
    """`tols` runs from loose to tight; `wide` is False where a columns x columns Hessian is made.

    fit : None of what runs in R, see `rscript`
    home : the environment it lives in: "here", "peers" (see `workers`) or "R"
    settings : thread settings that make a difference; all if empty
    warm_up : seconds that its first fit may take longer, to import and to compile
    reference : ours, the tolerance whose fit the judge starts from
    """

    name: str
    package: str
    fit: Callable[[Any, Array, Problem, float], Fitted] | None
    tols: tuple[float, ...]
    prepare: Callable[[Any], Any] = as_given
    wide: bool = True
    only_unpenalised: bool = False
    only_firth: bool = False
    home: str = "here"
    settings: tuple[str, ...] = ()
    warm_up: float = 10.0
    reference: float = DEFAULT_TOL
    default_tol: float = DEFAULT_TOL

    def ladder(self, problem: Problem) -> tuple[float, ...]:
        return (self.default_tol,) if problem.at_defaults else self.tols

    def enters(self, problem: Problem, sparse: bool) -> bool:
        if (problem.solvers and self.name not in problem.solvers) or (self.only_firth and not problem.firth):
            return False
        return (self.wide or not sparse) and not (self.only_unpenalised and isfinite(problem.C))


def evenodds(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
    from evenodds import LogisticRegression

    model = LogisticRegression(C=problem.C, tol=tol, standardize=problem.standardize, firth=problem.firth).fit(X, y)
    return np.append(model.intercept_, model.coef_), int(model.solution_.passes)


def sklearn(solver: str, tols: tuple[float, ...], **options: Any) -> Solver:
    def fit(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=problem.C, solver=solver, tol=tol, max_iter=MANY, random_state=0, **options).fit(
            X, y
        )
        return np.append(model.intercept_, model.coef_), None

    return Solver(solver, "sklearn", fit, tols, wide=solver != "newton-cholesky")


def liblinear(dual: bool) -> Solver:
    """It penalises the intercept, which a large `intercept_scaling` undoes; on many sparse rows of length 1 a
    large one would stall the dual, and there the intercept's penalty moves J by less than 1e-9."""
    tols = TENTHS[1:7] if dual else TENTHS[2:11]
    on_sparse = sklearn("liblinear", tols, dual=dual)
    on_dense = sklearn("liblinear", tols, dual=dual, intercept_scaling=10 if dual else 100)

    def fit(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
        return (on_dense if isinstance(X, np.ndarray) else on_sparse).fit(X, y, problem, tol)

    return replace(on_sparse, name=f"liblinear {'dual' if dual else 'primal'}", fit=fit)


def glum(solver: str, tols: tuple[float, ...]) -> Solver:
    def fit(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
        from glum import GeneralizedLinearRegressor

        model = GeneralizedLinearRegressor(
            family="binomial",
            alpha=1 / (problem.C * len(y)),  # half the mean deviance is the mean log loss
            l1_ratio=0,
            solver=solver,
            gradient_tol=tol,
            max_iter=MANY,
            copy_X=False,
        ).fit(X, y)
        return np.append(model.intercept_, model.coef_), None

    def prepare(X: Any) -> Any:
        return np.asfortranarray(X) if isinstance(X, np.ndarray) else X.tocsc()

    name = "glum" if solver == "irls-ls" else f"glum {solver}"
    return Solver(name, "glum", fit, tols, prepare, wide=solver != "irls-ls")


def statsmodels(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
    from statsmodels.api import Logit

    model = Logit(y, X, check_rank=False)
    fitted = model.fit(method="newton", tol=tol, maxiter=100, disp=0, skip_hessian=True)
    return np.asarray(fitted.params), None


def firthmodels(backend: str) -> Solver:
    def fit(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
        from firthmodels import FirthLogisticRegression

        model = FirthLogisticRegression(backend=backend, gtol=tol, xtol=1.0, max_iter=MANY).fit(X, y)
        return np.append(model.intercept_, model.coef_), None

    tols = tuple(10.0**-k for k in range(-3, 9))  # of the sum of the rows' scores
    package = "numba" if backend == "numba" else "firthmodels"  # which firthmodels itself does not ask for
    return Solver(f"firthmodels {backend}", package, fit, tols, only_firth=True)


def with_constant(X: Any) -> Any:
    return np.column_stack([np.ones(len(X)), X])


OURS = Solver("evenodds", "evenodds", evenodds, TENTHS[:11])

# In the order in which they usually finish: the first sets the time after which the others cannot win.
PEERS = (
    glum("irls-ls", TENTHS[1:13]),
    glum("lbfgs", TENTHS[3:13]),
    sklearn("newton-cholesky", TENTHS[2:12]),
    sklearn("lbfgs", TENTHS[3:12]),
    sklearn("newton-cg", TENTHS[3:12]),
    liblinear(dual=False),
    liblinear(dual=True),
    Solver("statsmodels", "statsmodels", statsmodels, TENTHS[:11], with_constant, only_unpenalised=True),
    sklearn("saga", TENTHS[2:9]),
    firthmodels("numba"),
    firthmodels("numpy"),
)
SOLVERS = {solver.name: solver for solver in (OURS, *PEERS)}

# Two pools of threads that both spin can cost a peer ten times over, so each runs under all of these.
SETTINGS: dict[str, dict[str, str]] = {
    "one BLAS thread": {"OPENBLAS_NUM_THREADS": "1"},
    "passive OpenMP": {"OMP_WAIT_POLICY": "PASSIVE"},
    "default": {},
}
