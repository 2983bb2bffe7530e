"""`partial_fit` of batches: without some classes, with rows of no weight, between batches that are refused.

The oracle is the same model told less: without the rows of no weight, without what was refused, in other units.
"""

from typing import Any

import numpy as np

from evenodds import EvenOddsError, LogisticRegression

from . import Family, Problem, quietly


def draw(rng: np.random.Generator) -> Problem:
    """Rows in batches of 1 to 60, sorted by label in part, so that most batches lack some class."""
    K, p = int(rng.integers(2, 5)), int(rng.integers(1, 5))
    ends = np.cumsum(rng.integers(1, 61, int(rng.integers(2, 9))))
    n = int(ends[-1]) + 2 * K
    X = rng.normal(size=(n, p)) + rng.choice([0, 5])
    X[rng.random(n) < rng.choice([0, 0.02])] *= 1e3
    y = rng.permutation(np.concatenate([np.arange(K), rng.integers(K, size=n - K)]))
    y = np.where(rng.random(n) < 0.5, np.sort(y), y)
    weight = np.exp(rng.normal(size=n)) * (rng.random(n) < rng.choice([0.5, 0.9]))
    settings: dict[str, Any] = {} if rng.random() < 0.5 else {"C": float(10.0 ** rng.uniform(-2, 2))}
    settings |= {"standardize": "C" in settings, "fit_intercept": bool(rng.random() < 0.8)}
    unit = 10.0 ** rng.uniform(-6, 6, p) * np.ones(p)
    facts = {"cuts": ends[:-1], "unit": unit, "classes": np.arange(K), "bad": int(rng.integers(4))}
    return Problem(X, y, weight, None, settings, facts)


def check(problem: Problem) -> None:
    """All that comes out is finite, and what says the same leaves the same."""
    unit, bad = problem.facts["unit"], problem.facts["bad"]
    batches = parts(problem)
    model = taught(problem, batches)
    P = model.predict_proba(problem.X)
    assert np.isfinite(model.coef_).all(), "coef_ is not finite"
    assert np.isfinite(P).all(), "predict_proba is not finite"
    assert np.abs(P.sum(axis=1) - 1).max() < 1e-12, "predict_proba does not sum to 1"
    assert (model.classes_ == problem.facts["classes"]).all()
    fewer = taught(problem, [(X[s > 0], y[s > 0], s[s > 0]) for X, y, s in batches])
    assert fewer.coef_.tobytes() == model.coef_.tobytes(), "rows of no weight are learnt from"
    between = taught(problem, batches, bad)
    assert between.coef_.tobytes() == model.coef_.tobytes(), "a batch that was refused is learnt from"
    assert between.n_iter_ == model.n_iter_
    elsewhere = taught(problem, [(X * unit, y, s) for X, y, s in batches])
    np.testing.assert_allclose(elsewhere.predict_proba(problem.X * unit), P, atol=1e-6, err_msg="in other units")


def parts(problem: Problem) -> list[tuple[Any, Any, Any]]:
    """The batches that have a row with a weight."""
    split = [np.split(values, problem.facts["cuts"]) for values in (problem.X, problem.y, problem.sample_weight)]
    return [batch for batch in zip(*split, strict=True) if batch[2].any()]


def taught(problem: Problem, batches: list[tuple[Any, Any, Any]], bad: int | None = None) -> LogisticRegression:
    """A model that has seen the batches in turn, and tried to see one that is to be refused after each."""
    model = LogisticRegression(**problem.settings)
    for X, y, s in batches:
        quietly(model.partial_fit, X, y, classes=problem.facts["classes"], sample_weight=s)
        if bad is not None:
            refused(model, *spoilt(X, y, s, bad))
    return model


def spoilt(X: Any, y: Any, s: Any, bad: int) -> tuple[Any, Any, Any]:
    """A batch that is none: a value is missing, no row has a weight, a label is new, a column is one more."""
    if bad == 0:
        return np.where(np.arange(len(X))[:, None] == np.argmax(s), np.nan, X), y, s
    if bad == 1:
        return X, y, np.zeros(len(y))
    return (X, np.full(len(y), 17), s) if bad == 2 else (np.column_stack([X, X]), y, s)


def refused(model: LogisticRegression, X: Any, y: Any, s: Any) -> None:
    """An error where the batch is taken."""
    try:
        model.partial_fit(X, y, sample_weight=s)
    except EvenOddsError:
        return
    raise AssertionError("a batch that is none is taken")


FAMILIES = [Family("partial_fit: batches", draw, check, 40)]
