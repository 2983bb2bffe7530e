"""A sparse table is the dense one: columns far from zero beside columns of zeros, through every way into the library.

Columns that are full are moved by up to 1e7 of their deviations, which moves the intercept and nothing else. So there
are two oracles: the dense table, and the table with the columns moved back, where there is nothing to cancel. Values
are multiples of 2^-10 and moves are whole, so that a move is exact.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from evenodds import EvenOddsError, LogisticRegression, Status, find_separation, infer, path

from . import Family, Problem, quietly

CORNERS = {"l1_ratio", "lower", "upper", "penalty_factor"}  # whose fits stop at `tol`, the others at rounding
FORMS = ("csr", "csc", "twice")
PENALTIES: tuple[dict[str, Any], ...] = (
    *({}, {"solver": "newton"}, {"solver": "quasi-newton"}, {"firth": True}, {"firth": "flac"}),
    *({"C": 1.0}, {"C": 0.1, "standardize": True}, {"C": 1.0, "standardize": True, "solver": "quasi-newton"}),
    *({"C": 0.5, "l1_ratio": 1.0}, {"C": 0.5, "l1_ratio": 1.0, "standardize": True}, {"C": 1.0, "l1_ratio": 0.5}),
    *({"C": 1.0, "lower": 0.0}, {"C": 1.0, "l1_ratio": 1.0, "upper": 0.2}, {"C": 1.0, "penalty_factor": "some"}),
)


def columns_of(rng: np.random.Generator, n: int, p: int, far: float) -> np.ndarray:
    """Columns of several kinds; those that are full are moved by up to 10^far."""
    X = np.zeros((n, p))
    for j in range(p):
        kind = rng.choice(["normal", "counts", "rare", "indicator", "common", "missing", "constant"], p=WEIGHTS)
        move = np.rint(10.0 ** rng.uniform(0, far))
        x = np.rint(rng.normal(size=n) * 1024) / 1024
        if kind == "normal":
            X[:, j] = x + move
        elif kind == "counts":
            X[:, j] = rng.poisson(3.0, n) + move
        elif kind == "rare":
            X[:, j] = np.where(rng.random(n) < rng.uniform(0.02, 0.3), x, 0.0)
        elif kind in ("indicator", "common"):
            X[:, j] = rng.random(n) < (0.1 if kind == "indicator" else 0.97)
        elif kind == "missing":  # a full column with a few zeros in it
            X[:, j] = np.where(rng.random(n) < 1.5 / n, 0.0, x + 8.0)
        else:
            X[:, j] = 1.0 + move
    return X


WEIGHTS = np.array([3, 2, 4, 3, 1, 1, 0.3]) / 14.3


def draw(rng: np.random.Generator) -> Problem:
    """Any table, with any penalty."""
    n, p = int(rng.choice([40, 90, 300, 1500], p=[0.3, 0.3, 0.3, 0.1])), int(rng.integers(1, 9))
    K = int(rng.choice([2, 2, 3, 4]))
    X = columns_of(rng, n, p, far=7)
    D = moved_back(X)
    scores = (D - D.mean(axis=0)) @ rng.normal(size=(p, K)) * 0.6
    y = (scores + rng.gumbel(size=(n, K))).argmax(axis=1)
    y[:K] = np.arange(K)
    settings = dict(rng.choice(np.array(PENALTIES, dtype=object)))
    if "penalty_factor" in settings:
        settings["penalty_factor"] = rng.choice([0.5, 1.0, 3.0], size=p)
    if K > 2 and settings.get("firth"):
        settings = {"C": 1.0}
    weight = rng.uniform(0.2, 3.0, n) if rng.random() < 0.3 else None
    shape = n if K == 2 else (n, K)
    offset = rng.normal(size=shape) * 0.5 if rng.random() < 0.3 else None
    return Problem(
        X,
        y,
        weight,
        offset,
        {"tol": 1e-4 if settings.keys() & CORNERS else 1e-8, **settings},
        {"form": str(rng.choice(FORMS))},
    )


def draw_wide(rng: np.random.Generator) -> Problem:
    """Hundreds of columns, nearly all of them sparse: coordinate descent, working sets and metrics for these."""
    n, p, K = int(rng.choice([150, 700])), int(rng.integers(310, 420)), int(rng.choice([2, 2, 3]))
    full = columns_of(rng, n, 4, far=3)
    rare = np.where(rng.random((n, p)) < 0.04, np.rint(rng.normal(size=(n, p)) * 1024) / 1024, 0.0)
    X = np.column_stack([full, rare])[:, rng.permutation(p + 4)]
    D = moved_back(X)
    scores = (D - D.mean(axis=0)) @ (rng.normal(size=(p + 4, K)) * (rng.random((p + 4, K)) < 0.1))
    y = (scores + rng.gumbel(size=(n, K))).argmax(axis=1)
    y[:K] = np.arange(K)
    settings = [{"C": 1.0}, {"C": 0.3, "l1_ratio": 1.0}, {"C": 0.3, "l1_ratio": 0.5, "standardize": True}]
    return Problem(X, y, settings={"tol": 1e-4, **settings[rng.integers(3)]}, facts={"form": str(rng.choice(FORMS))})


def moved_back(X: np.ndarray) -> np.ndarray:
    """The table with what is full and far from zero less its first value."""
    far = (X != 0).all(axis=0) & (np.abs(X.mean(axis=0)) > 10 * X.std(axis=0))
    return X - np.where(far, np.rint(X[0]), 0.0)


def sparse_of(X: np.ndarray, form: str) -> Any:
    """The table as sparse; "twice": every entry in two parts, and some zeros that are stored."""
    if form == "csc":
        return sp.csc_array(X)
    stored = X != 0
    if form == "csr" or stored.mean() > 0.3:  # which, told twice, would take more room than a dense one
        return sp.csr_array(X)
    stored[::3] = True
    rows, columns = np.nonzero(stored)
    half = np.rint(X[rows, columns] * 512) / 1024
    entries = np.stack([half, X[rows, columns] - half], axis=1).ravel()
    pointers = 2 * np.concatenate([[0], stored.sum(axis=1).cumsum()])
    return sp.csr_array((entries, np.repeat(columns, 2), pointers), shape=X.shape)


def answer(problem: Problem) -> tuple[Any, list[str]]:
    """The model, or the error's first words, and the names of the warnings."""
    try:
        model, told = problem.fit()
    except EvenOddsError as error:
        return str(error)[:40], []
    return model, [category.__name__ for category in told]


def check_fit(problem: Problem) -> None:
    """Status, coefficients and warnings of the sparse table are those of the dense one; so is what is inferred."""
    dense, told = answer(problem)
    sparse, told_sparse = answer(given := replace(problem, X=sparse_of(problem.X, problem.facts["form"])))
    assert told_sparse == told, f"warnings {told_sparse}, of the dense table {told}"
    if isinstance(dense, str) or isinstance(sparse, str):
        assert dense == sparse, f"{sparse!r}, of the dense table {dense!r}"
        return
    assert sparse.solution_.status is dense.solution_.status, f"{sparse.solution_.status}, {dense.solution_.status}"
    assert sparse.aliased_ == dense.aliased_, f"aliased {sparse.aliased_}, of the dense table {dense.aliased_}"
    if dense.solution_.status is not Status.CONVERGED:
        return
    near(sparse, dense, problem.X, "of the dense table")
    back = moved_back(problem.X)
    plain, _ = answer(replace(problem, X=back))
    if not isinstance(plain, str) and plain.solution_.status is Status.CONVERGED and plain.aliased_ == dense.aliased_:
        near(sparse, plain, back, "of the table moved back")
    if problem.X.shape[1] < 20 and not problem.settings.keys() & CORNERS:
        one, two = (
            quietly(infer, m, q.X, q.y, q.sample_weight, q.offset)[0] for m, q in ((dense, problem), (sparse, given))
        )
        np.testing.assert_allclose(np.ravel(two.se)[1:], np.ravel(one.se)[1:], rtol=1e-5, err_msg="standard errors")


def near(model: LogisticRegression, truth: LogisticRegression, X: np.ndarray, whose: str) -> None:
    """An error where coefficients, in deviations of the columns, are not those of the truth."""
    sd = np.maximum(X.std(axis=0), 1e-3)
    found, right = model.coef_ * sd, truth.coef_ * sd
    far = np.abs(found - right) / (1 + np.abs(right))
    assert far.max() < 2 * max(model.tol, 1e-7), f"{far.max():.1e} away: {found.ravel()}, {whose} {right.ravel()}"


def check_others(problem: Problem) -> None:
    """`find_separation` and `path` of the sparse table say what they say of the dense one."""
    given = sparse_of(problem.X, problem.facts["form"])
    if len(np.unique(problem.y)) == 2:
        one, two = (said(partial(find_separation, X, problem.y)) for X in (problem.X, given))
        assert one[0] == two[0], f"{two}, of the dense table {one}"
    ask = {"n_C": 6, "min_ratio": 0.05, "tol": 1e-10, "sample_weight": problem.sample_weight, "offset": problem.offset}
    ask["standardize"] = problem.settings.get("standardize", False)
    one, two = (said(partial(path, X, problem.y, 1.0, **ask)) for X in (problem.X, given))
    if isinstance(one[0], str):
        assert one == two, f"{two}, of the dense table {one}"
        return
    m = min(len(one[1]), len(two[1]))  # where the path ends is a matter of a threshold
    assert abs(len(one[1]) - len(two[1])) <= 1
    np.testing.assert_allclose(two[0][:m], one[0][:m], rtol=1e-8)
    far = np.abs(two[1][:m] - one[1][:m]) * problem.X.std(axis=0)
    assert far.max(initial=0.0) < 1e-4, f"{far.max():.1e} away on the path"


def said(function: Any) -> tuple[Any, Any]:
    """The answer of a function as what can be compared, or its error."""
    try:
        found, _ = quietly(function)
    except EvenOddsError as error:
        return str(error)[:40], None
    if hasattr(found, "kind"):
        return found.kind, None
    # Of constant columns alone all that the path sees is rounding.
    return (found.Cs, found.coefs) if found.Cs[0] < 1e12 else ("nothing to tell", None)


FAMILIES = [
    Family("sparse equals dense: fit", draw, check_fit, 30),
    Family("sparse equals dense: separation and paths", draw, check_others, 15),
    Family("sparse equals dense: wide", draw_wide, check_fit, 3),
]
