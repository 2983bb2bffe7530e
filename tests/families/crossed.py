"""All dimensions of a problem crossed, and what has to hold for every fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from evenodds import Status
from evenodds.exceptions import EvenOddsError, SeparationWarning

from . import Family, Problem, _draw, _oracle, quietly
from ._exact import separated
from ._relations import RELATIONS


@contextmanager
def unless_refused(problem: Problem) -> Iterator[None]:
    """What follows; or numbers beyond the range of doubles are refused in words: no answer, as a warning says."""
    try:
        yield
    except EvenOddsError as error:
        if ordinary(problem) or not isinstance(error.__cause__, OverflowError):
            raise


def check_optimum(problem: Problem) -> None:
    """What is called CONVERGED is within `tol`, and what is not comes with a warning."""
    with unless_refused(problem):
        require_optimum(problem)


def require_optimum(problem: Problem) -> None:
    """The same of a problem whose numbers are within the range of doubles."""
    model, told = problem.fit()
    check_finite(problem, model)
    status, tol = model.solution_.status, problem.settings.get("tol", 1e-4)
    assert status in (Status.CONVERGED, Status.MAX_ITER, Status.STALLED, Status.SEPARATED)
    words = {Status.CONVERGED: (False, False), Status.SEPARATED: (True, False)}.get(status)  # else one of them
    heard = SeparationWarning in told, ConvergenceWarning in told
    assert any(heard) if words is None else heard == words, f"{status}, warned of {told}"
    assert status in _DECIDED or not ordinary(problem), f"{status} on ordinary data"
    check_separation(problem, model)
    if status is Status.CONVERGED:
        error, rounding = _oracle.error(problem, model)
        assert error <= tol + rounding, f"CONVERGED far from the optimum: {error:.2g} standard errors, tol={tol:g}"


def check_separation(problem: Problem, model) -> None:
    """Of small data the status is the answer in rational numbers; columns that are left out are not in the question."""
    given, status = problem.settings, model.solution_.status
    n, p = problem.X.shape
    classes, y = np.unique(problem.y, return_inverse=True)
    if n * p * classes.size > 200 or given.get("firth") or model.aliased_ or not {status} & _DECIDED:
        return
    free = np.broadcast_to(np.isinf(given.get("C", np.inf)) | (np.asarray(given.get("penalty_factor", 1.0)) == 0), p)
    keep = np.ones(n, bool) if problem.sample_weight is None else problem.sample_weight > 0
    bounds = {name: given.get(name) for name in ("lower", "upper")}
    X = problem.X[keep].astype(float)
    truth = separated(X, y[keep], intercept=given.get("fit_intercept", True), free=free, **bounds)
    assert truth == (status is Status.SEPARATED), f"{'separated' if truth else 'overlap'}, and the fit says {status}"


_DECIDED = {Status.CONVERGED, Status.SEPARATED}


def ordinary(problem: Problem) -> bool:
    """Whether weights, offsets, columns and tol are such that rounding cannot keep a fit from its end."""
    s, o, tol = problem.sample_weight, problem.offset, problem.settings.get("tol", 1e-4)
    if tol < 1e-6 or (o is not None and np.abs(o).max() > 50):
        return False
    if s is not None and (s.max() > 1e6 * s[s > 0].min() or not 1e-6 < s.sum() < 1e8):
        return False
    D = _oracle.Question.of(problem).design().astype(float)
    values = np.linalg.svd(D, compute_uv=False) / np.sqrt(len(D))
    return bool(np.abs(D).max() < 100 and not ((values > 1e-13) & (values < 1e-4)).any())


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
    assert np.isfinite(s.loss), "the loss is not finite"
    assert s.gap >= 0, "the gap is NaN or negative"
    assert s.error >= 0, "the error is NaN or negative"
    assert (np.isin(quietly(model.predict, X)[0], model.classes_)).all()


def draw_related(rng: np.random.Generator) -> Problem:
    """A problem, and what will be done to it."""
    problem = _draw.crossed(rng, most_rows=1000)
    legal = [name for name, relation in RELATIONS.items() if relation(problem, np.random.default_rng(0)) is not None]
    return replace(problem, facts={"relation": str(rng.choice(legal)), "seed": int(rng.integers(2**32))})


def check_related(problem: Problem) -> None:
    """Two ways to say the same have the same answer: status, warnings, and the optimum."""
    with unless_refused(problem):
        require_relation(problem)


def require_relation(problem: Problem) -> None:
    """The same of a problem whose numbers are within the range of doubles, said either way."""
    related = RELATIONS[problem.facts["relation"]](problem, np.random.default_rng(problem.facts["seed"]))
    assert related is not None
    other, back = related
    (a, told), (b, told_there) = problem.fit(), other.fit()
    status, name = a.solution_.status, problem.facts["relation"]
    check_finite(other, b)
    both = {status, b.solution_.status}
    if not both & {Status.MAX_ITER, Status.STALLED} or (ordinary(problem) and ordinary(other)):
        assert len(both) == 1, f"{name}: {status} here and {b.solution_.status} there"
        assert set(told) == set(told_there), f"{name}: warned of {set(told)} here and of {set(told_there)} there"
    if both == {Status.CONVERGED} and len(a.aliased_) == len(b.aliased_) == 0:
        distance, rounding = _oracle.apart(problem, a, *back(b.intercept_.copy(), b.coef_.copy()))
        rounding += _oracle.error(other, b)[1]
        tol = problem.settings.get("tol", 1e-4)
        assert distance <= 2 * tol + rounding, f"{name}: the answers are {distance:.2g} standard errors apart"


def draw_shared(rng: np.random.Generator) -> Problem:
    """Classes whose penalty is slight, or nothing, beside columns of some size; near twins, and offsets to 30.

    Of what the slopes of all classes share, the penalty alone tells: with less of it than rounding a fit does not see
    how far it is.
    """
    K, n, p = int(rng.integers(2, 6)), int(rng.integers(20, 61)), int(rng.integers(1, 6))
    X = rng.normal(size=(n, p))
    if p > 1:
        X[:, -1] = X[:, 0] + X[:, -1] * 10.0 ** rng.uniform(-4, 0)
    offset = rng.uniform(-30, 30, n if K == 2 else (n, K)) * rng.choice([0, 0.1, 1])
    chosen = {"C": float(10.0 ** rng.uniform(0, rng.choice([4, 12]))), "tol": float(10.0 ** rng.uniform(-8, -4))}
    if rng.random() < 0.5:
        chosen["solver"] = str(rng.choice(["newton", "quasi-newton"]))
    return Problem(X * 10.0 ** rng.integers(-2, 8, p), rng.permutation(np.arange(n) % K), None, offset, chosen)


def draw_shared_in_other_words(rng: np.random.Generator) -> Problem:
    """The same, or a value that is far from all others, under a ridge that is said in factors: for another solver.

    Its gap is a proof by values of J, of which a tolerance below 1e-6 asks more digits than they have.
    """
    problem = draw_shared(rng)
    given = {name: value for name, value in problem.settings.items() if name != "solver"}
    X = problem.X.copy()
    if rng.random() < 0.5:
        X /= np.std(X, axis=0)
        X[rng.integers(len(X))] *= 10.0 ** rng.uniform(2, 8)
        given["C"] = float(10.0 ** rng.uniform(-2, 4))
    given["tol"] = float(10.0 ** rng.uniform(-6, -4))
    p = X.shape[1]
    return replace(problem, X=X, settings={**given, "C": 2 * given["C"], "penalty_factor": np.full(p, 2.0)})


def check_shared(problem: Problem) -> None:
    """It comes to its end, and that is within `tol`."""
    require_end(problem, rounding=0.0)


def check_shared_in_other_words(problem: Problem) -> None:
    """The same, or it says that it has come to what values of J tell, and is within the error that it says."""
    require_end(problem, rounding=1e-14)


def require_end(problem: Problem, rounding: float) -> None:
    """CONVERGED, or STALLED with a gap that is rounding beside J; and that is true."""
    model, _ = problem.fit()
    solution, tol = model.solution_, problem.settings["tol"]
    if solution.status is Status.STALLED and solution.gap <= rounding * max(1.0, solution.loss):
        tol = solution.error
    else:
        assert solution.status is Status.CONVERGED, solution.status
    error, of_oracle = _oracle.error(problem, model)
    assert error <= tol + of_oracle, f"{solution.status} far from the optimum: {error:.2g} standard errors, tol={tol:g}"


FAMILIES = [
    Family("crossed optimum", _draw.crossed, check_optimum, 80),
    Family("crossed relations", draw_related, check_related, 80),
    Family("classes under a slight penalty", draw_shared, check_shared, 60),
    Family("a slight penalty in other words", draw_shared_in_other_words, check_shared_in_other_words, 60),
]
