"""The contestants for lasso and elastic net: whole paths, and one fit, which is a path of one point.

All minimise mean(log(1 + exp(z)) - y z) + lam (l1_ratio |w|_1 + (1 - l1_ratio)/2 |w|^2) for the strengths lam of the
problem, in falling order, each from the solution before. What was chosen for the peers:

- adelie: columns in one piece (F order), never stopped early; with a thread a core, and with one.
- skglm: its prox-Newton solver called directly, so that X is not copied and checked again for each strength. Its
  tolerance, of the gradient, is a share of the strength: else a loose one may take the start for the optimum, nothing
  is compiled in the fit that is not timed, and the next is stopped as too slow.
- celer: no intercept of its own, so X gets a constant column of 3,000; the penalty on it raises J by about
  2 (lam/3000)^2, under 1e-8. Both of its solvers take part.
- liblinear (scikit-learn): an intercept scaling of 100 does the same for its single fits, where lam is smaller.
- glum: its search along the strengths, with the exact Hessian and with its approximate one.
- glmnet: in R, both of its Hessians, never stopped early; only glmnet() is timed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from benchmarks.problems import Array, Problem
from benchmarks.solvers import CORES, MANY, TENTHS, Fitted, Solver

CONSTANT = 3000.0  # of the column that stands for the intercept
ONE = ("one BLAS thread",)  # of peers that use one core however many they get
COMPILES = 90.0  # seconds that a first fit may take longer: it compiles, or R starts and reads the data


def evenodds_path(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
    from evenodds import path

    fits = path(X, y, problem.l1_ratio, Cs=1 / (np.array(problem.strengths) * len(y)), tol=tol)
    return np.column_stack([fits.intercepts, fits.coefs]), fits.passes


def evenodds_fit(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
    from evenodds import LogisticRegression

    model = LogisticRegression(C=1 / (problem.strengths[0] * len(y)), l1_ratio=problem.l1_ratio, tol=tol).fit(X, y)
    return np.append(model.intercept_, model.coef_)[None, :], int(model.solution_.passes)


def adelie(n_threads: int) -> Solver:
    def fit(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
        import adelie

        matrix = adelie.matrix.dense if isinstance(X, np.ndarray) else adelie.matrix.sparse
        state = adelie.grpnet(
            matrix(X, method="naive", n_threads=n_threads),
            adelie.glm.binomial(y),
            alpha=problem.l1_ratio,
            lmda_path=np.array(problem.strengths),
            tol=tol,
            irls_tol=tol,
            adev_tol=1.0,
            early_exit=False,
            n_threads=n_threads,
            progress_bar=False,
        )
        return lambda: np.column_stack([state.intercepts, state.betas.toarray()]), None

    name = "adelie" if n_threads > 1 else "adelie, one thread"
    return Solver(name, "adelie", fit, TENTHS[4:], by_columns, home="peers")


def skglm(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
    from skglm.datafits import Logistic
    from skglm.penalties import L1, L1_plus_L2
    from skglm.solvers import ProxNewton

    def penalty(strength: float) -> Any:
        return L1(strength) if problem.l1_ratio == 1 else L1_plus_L2(strength, problem.l1_ratio)

    solver = ProxNewton(max_iter=1000, fit_intercept=True, warm_start=True)
    coef, scores, signs = np.zeros(X.shape[1] + 1), np.zeros(X.shape[0]), 2 * y - 1
    found = []
    for strength in problem.strengths:
        solver.tol = tol * strength
        coef, _, _ = solver.solve(X, signs, Logistic(), penalty(strength), coef, scores, run_checks=False)  # in place
        found.append(np.roll(coef, 1))
    return np.array(found), None


def celer(newton: bool) -> Solver:
    def fit(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
        from celer import celer_path

        alphas = len(y) * np.array(problem.strengths)
        _, coefs, _ = celer_path(X, 2 * y - 1, "logreg", alphas=alphas, tol=tol, max_iter=500, use_PN=newton)
        return np.column_stack([CONSTANT * coefs[-1], coefs[:-1].T]), None

    return Solver(
        "celer, Newton" if newton else "celer", "celer", fit, TENTHS[2:], with_constant, home="peers", settings=ONE
    )


def liblinear(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(
        C=1 / (problem.strengths[0] * len(y)),
        l1_ratio=1.0,
        solver="liblinear",
        intercept_scaling=100.0,
        tol=tol,
        max_iter=MANY,
        random_state=0,
    ).fit(X, y)
    return np.append(model.intercept_, model.coef_)[None, :], None


def glum(hessian_approx: float) -> Solver:
    def fit(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
        from glum import GeneralizedLinearRegressor

        model = GeneralizedLinearRegressor(
            family="binomial",
            alpha_search=True,
            alphas=np.array(problem.strengths),
            l1_ratio=problem.l1_ratio,
            solver="irls-cd",
            gradient_tol=tol,
            hessian_approx=hessian_approx,
            max_iter=MANY,
            copy_X=False,
        ).fit(X, y)
        return np.column_stack([model.intercept_path_, model.coef_path_]), None

    name = "glum, approximate Hessian" if hessian_approx else "glum"
    return Solver(name, "glum", fit, TENTHS[3:], by_columns)


def glmnet(name: str) -> Solver:
    return Solver(name, "glmnet", None, TENTHS[5:], home="R", settings=("default",), warm_up=COMPILES)


def by_columns(X: Any) -> Any:
    """Of a sparse X the older class, with numbers of 32 bits, which all know."""
    return np.asfortranarray(X) if isinstance(X, np.ndarray) else with_short_indices(sparse.csc_matrix(X))


def by_rows(X: Any) -> Any:
    """As it is, but of a sparse X the same."""
    return X if isinstance(X, np.ndarray) else with_short_indices(sparse.csr_matrix(X))


def with_short_indices(X: Any) -> Any:
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return X


def as_we_like(X: Any) -> Any:
    """Ours takes any order; where columns are many it works by columns."""
    return by_columns(X) if isinstance(X, np.ndarray) and X.shape[1] > X.shape[0] else X


def with_constant(X: Any) -> Any:
    constant = np.full((X.shape[0], 1), CONSTANT)
    if isinstance(X, np.ndarray):
        return np.asfortranarray(np.hstack([X, constant]))
    return sparse.hstack([by_columns(X), sparse.csc_matrix(constant)], format="csc")


# In the order in which they usually finish.
PEERS = (
    adelie(CORES),
    adelie(1),
    Solver("skglm", "skglm", skglm, TENTHS[1:], by_columns, home="peers", settings=ONE, warm_up=COMPILES),
    celer(newton=True),
    celer(newton=False),
    Solver("liblinear", "sklearn", liblinear, TENTHS[1:], by_rows, settings=ONE),
    glmnet("glmnet"),
    glmnet("glmnet, modified Newton"),
    glum(0.0),
    glum(0.01),
)
OURS_PATH = Solver("evenodds", "evenodds", evenodds_path, TENTHS[2:], as_we_like, reference=1e-11)
OURS_FIT = Solver("evenodds", "evenodds", evenodds_fit, TENTHS[:12], as_we_like, reference=1e-5)
PATH = {solver.name: solver for solver in (OURS_PATH, *PEERS)}
LASSO = {solver.name: solver for solver in (OURS_FIT, *PEERS)}
