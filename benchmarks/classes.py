"""The contestants for more than two classes: the softmax loss and a ridge, intercepts free.

scikit-learn gets its columns less their means, which leaves the optimum where it was and spares its solvers the
pull between intercepts and coefficients; the intercepts are taken back for the judge. Rows in C order served its
solvers as well as columns in one piece.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problems import Array, Problem
from benchmarks.solvers import MANY, TENTHS, Fitted, Solver


def evenodds(X: Any, y: Array, problem: Problem, tol: float) -> Fitted:
    from evenodds import LogisticRegression

    model = LogisticRegression(C=problem.C, tol=tol).fit(X, y)
    return np.column_stack([model.intercept_, model.coef_]), int(model.solution_.passes)


def sklearn(solver: str, tols: tuple[float, ...]) -> Solver:
    def fit(centred: Any, y: Array, problem: Problem, tol: float) -> Fitted:
        from sklearn.linear_model import LogisticRegression

        X, mean = centred
        model = LogisticRegression(C=problem.C, solver=solver, tol=tol, max_iter=MANY, random_state=0).fit(X, y)
        return np.column_stack([model.intercept_ - model.coef_ @ mean, model.coef_]), None

    return Solver(solver, "sklearn", fit, tols, less_means)


def less_means(X: Any) -> Any:
    """Of sparse data as it is: without its zeros it would be another contest."""
    mean = X.mean(axis=0) if isinstance(X, np.ndarray) else np.zeros(X.shape[1])
    return (X - mean if isinstance(X, np.ndarray) else X), mean


OURS = Solver("evenodds", "evenodds", evenodds, TENTHS[:9], reference=1e-6)
PEERS = (
    sklearn("lbfgs", TENTHS[2:11]),
    sklearn("newton-cg", TENTHS[2:11]),
    sklearn("newton-cholesky", TENTHS[2:11]),
    sklearn("saga", TENTHS[1:9]),
)
SOLVERS = {solver.name: solver for solver in (OURS, *PEERS)}
