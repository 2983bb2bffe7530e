"""The contestants for cross-validation: the same folds, the same grid, the same score (log loss) for everybody.

The judge looks at the fits of all folds, (folds, strengths, intercept and coefficients). Ours keeps only their
scores, so its paths are fitted again for the judge, with the same call and off the clock. Two contests: every fit
within 1e-6 of its optimum, where a peer takes its loosest tolerance that does; and everybody at the default
tolerance. Iterations have no limit in either. liblinear penalises the intercept, which a large `intercept_scaling`
undoes. The table is small, so that a second BLAS thread only costs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problems import Array, Problem, folds
from benchmarks.solvers import MANY, TENTHS, Fitted, Solver


def evenodds(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
    from evenodds import LogisticRegressionCV, path

    Cs = 1 / (np.array(problem.strengths) * len(y))
    LogisticRegressionCV(Cs=Cs, l1_ratios=(problem.l1_ratio,), cv=folds()).fit(X, y)

    def fits() -> Array:
        parts = [path(X[train], y[train], problem.l1_ratio, Cs=Cs, tol=tol) for train, _ in folds().split(X, y)]
        return np.array([np.column_stack([part.intercepts, part.coefs]) for part in parts])

    return fits, None


def sklearn(solver: str, n_jobs: int) -> Solver:
    def fit(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
        from sklearn.linear_model import LogisticRegressionCV

        Cs = 1 / (np.array(problem.strengths) * len(y))
        model = LogisticRegressionCV(
            Cs=Cs,
            l1_ratios=(problem.l1_ratio,),
            cv=folds(),
            solver=solver,
            scoring="neg_log_loss",
            tol=tol,
            max_iter=MANY,
            n_jobs=n_jobs,
            intercept_scaling=3000.0,
            random_state=0,
            use_legacy_attributes=False,
        ).fit(X, y)
        return np.roll(model.coefs_paths_.reshape(-1, len(Cs), X.shape[1] + 1), 1, axis=2), None

    return Solver(f"{solver}, n_jobs={n_jobs}", "sklearn", fit, TENTHS[4:12], settings=("one BLAS thread",))


TOL = 1e-7  # of the paths that LogisticRegressionCV fits
OURS = Solver("evenodds", "evenodds", evenodds, (TOL,), reference=1e-12, default_tol=TOL)
# In the order in which they usually finish.
PEERS = tuple(
    sklearn(solver, n_jobs) for solver in ("newton-cholesky", "liblinear", "lbfgs", "saga") for n_jobs in (1, 2)
)
SOLVERS = {solver.name: solver for solver in (OURS, *PEERS)}
