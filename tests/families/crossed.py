"""All dimensions of a problem crossed, and what has to hold for every fit."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from evenodds import Status
from evenodds.exceptions import SeparationWarning

from . import Family, Problem, _draw, _oracle, quietly


def check_optimum(problem: Problem) -> None:
    """What is called CONVERGED is within `tol`, and what is not comes with a warning."""
    model, told = problem.fit()
    check_finite(problem, model)
    status, tol = model.solution_.status, problem.settings.get("tol", 1e-4)
    assert status in (Status.CONVERGED, Status.MAX_ITER, Status.STALLED, Status.SEPARATED)
    assert (status is Status.SEPARATED) == (SeparationWarning in told), f"{status}, warned of {told}"
    assert (status in (Status.MAX_ITER, Status.STALLED)) == (ConvergenceWarning in told), f"{status}, warned of {told}"
    if status is Status.CONVERGED:
        if problem.settings.get("firth"):
            return
        error, rounding = _oracle.error(problem, model)
        assert error <= tol + rounding, f"CONVERGED far from the optimum: {error:.2g} standard errors, tol={tol:g}"


def check_finite(problem: Problem, model) -> None:
    """Everything that comes out of a finite X is finite; probabilities sum to 1, over as many classes as labels."""
    X, K = problem.handed(), np.unique(problem.y).size
    assert np.isfinite(model.coef_).all(), "coef_ is not finite"
    assert np.isfinite(model.intercept_).all(), "intercept_ is not finite"
    assert model.classes_.size == K
    assert model.coef_.shape == (K if K > 2 else 1, problem.X.shape[1])
    P, told = quietly(model.predict_proba, X)
    assert not told
    assert P.shape == (problem.X.shape[0], K)
    assert ((P >= 0) & (P <= 1)).all(), "predict_proba is not finite"
    assert np.abs(P.sum(axis=1) - 1).max() < 1e-12, "predict_proba does not sum to 1"
    assert np.isfinite(quietly(model.decision_function, X)[0]).all(), "decision_function is not finite"
    assert not np.isnan(quietly(model.predict_log_proba, X)[0]).any(), "predict_log_proba is NaN"
    s = model.solution_
    assert np.isfinite([s.loss, s.gap, s.error]).all(), "solution_ is not finite"
    assert (np.isin(quietly(model.predict, X)[0], model.classes_)).all()


FAMILIES = [Family("crossed optimum", _draw.crossed, check_optimum, 200)]
