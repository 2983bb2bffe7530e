"""NaN and infinity are refused, with their place, by all that reads rows, wherever they are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from evenodds import EvenOddsError, LogisticRegression, LogisticRegressionCV, find_separation, infer, path
from oracle import quiet

from . import Family, Problem

FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "C": np.asarray,
    "F": np.asfortranarray,
    "float32": np.float32,
    "every second": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "full CSR": sp.csr_array,
    "CSR": lambda X: sp.csr_array(np.where(np.abs(X) < 0.8, 0.0, X)),
    "CSC": lambda X: sp.csc_array(np.where(np.abs(X) < 0.8, 0.0, X)),
    "frame": lambda X: pd.DataFrame(X, columns=[str(j) for j in range(X.shape[1])]),
}
FITS: dict[str, dict[str, Any]] = {
    "ridge": {"C": 1.0},
    "standardized": {"C": 1.0, "standardize": True},
    "free": {},
    "lasso": {"C": 0.1, "l1_ratio": 1.0},
    "bounds": {"C": 1.0, "lower": 0.0},
    "sgd": {"C": 1.0, "solver": "sgd"},
    "firth": {"firth": True},
}
READERS = ("predict", "predict_proba", "predict_log_proba", "decision_function")
INFERRED = ("infer", "margins", "influence", "prediction", "post-selection")
OTHERS = ("path", "cv", "separation", "partial_fit", "score")


def draw(rng: np.random.Generator) -> Problem:
    """Rows with a value that is not finite, and who is to read them."""
    n, p, K = int(rng.choice([30, 300])), int(rng.integers(2, 40)), int(rng.choice([2, 2, 3]))
    X = rng.normal(size=(n, p))
    y = (X[:, :1] * np.arange(K) + 2 * rng.gumbel(size=(n, K))).argmax(axis=1)
    y[: 2 * K] = [*range(K)] * 2
    X[rng.integers(n), rng.integers(p)] = rng.choice([np.nan, np.inf, -np.inf])
    called = str(rng.choice([*FITS, *READERS, *READERS, *INFERRED, *OTHERS]))
    return Problem(X, y, facts={"called": called, "form": str(rng.choice([*FORMS]))})


def check(problem: Problem) -> None:
    """An error that names row and column."""
    row, column = np.argwhere(~np.isfinite(problem.X))[0]
    called, y = problem.facts["called"], problem.y
    sound = np.where(np.isfinite(problem.X), problem.X, 0.0)
    make = FORMS[problem.facts["form"]]
    if len(np.unique(y)) > 2 and called in ("firth", "separation"):
        return
    try:
        quiet(call_of(called, make(sound), y), make(problem.X))
    except EvenOddsError as error:
        words = str(error).replace("column 'x", "column ").replace("'", "")
        assert f"column {column}" in words, words
        assert f"row {row}" in words, words
        return
    raise AssertionError(f"{called} takes {problem.X[row, column]} in column {column}")


def call_of(called: str, X: Any, y: np.ndarray) -> Callable[[Any], Any]:
    """A function of the rows."""
    if called in FITS:
        return lambda bad: LogisticRegression(**FITS[called]).fit(bad, y)
    if called in INFERRED:
        settings = FITS["lasso"] if called == "post-selection" else {"C": 10.0}
        model, _ = quiet(LogisticRegression(**settings).fit, X, y)
        if called == "post-selection":
            model.coef_[:, 0] = 1.0  # at least one column is chosen
            return lambda bad: infer(model, bad, y, post_selection="split")
        if called == "infer":
            return lambda bad: infer(model, bad, y)
        result, _ = quiet(infer, model, X, y)
        return {
            "margins": result.margins,
            "influence": lambda bad: result.influence(bad, y),
            "prediction": result.predict,
        }[called]
    lasso, _ = quiet(LogisticRegression(**FITS["lasso"]).fit, X, y)
    others: dict[str, Callable[[Any], Any]] = {
        "path": lambda bad: path(bad, y, n_C=4),
        "cv": lambda bad: LogisticRegressionCV(3, cv=2).fit(bad, y),
        "separation": lambda bad: find_separation(bad, y),
        "partial_fit": lambda bad: LogisticRegression(C=1.0).partial_fit(bad, y),
        "score": lambda bad: lasso.score(bad, y),
    }
    return others[called] if called in others else getattr(lasso, called)


FAMILIES = [Family("finite: NaN and infinity are refused by all", draw, check, 60)]
