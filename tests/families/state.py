"""A fitted model stays what it is through any call that raises, and through any that only reads it.

What it has learnt is compared value by value, what it answers bit by bit, and what it refuses is tried again. Calls are
spoilt in all the ways that a user, the data, a warning made an error, a callback or Ctrl-C at any moment can do it.
"""

import signal
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from evenodds import SGD, EvenOddsError, LogisticRegression, LogisticRegressionCV, infer
from oracle import quiet

from . import Family, Problem

METHODS = ("fit", "partial_fit", "cv")
FAULTS: dict[str, Callable[[Problem, np.random.Generator], Problem]] = {
    "NaN in X": lambda q, rng: replace(q, X=spoilt(q.X, np.nan, rng)),
    "infinity in X": lambda q, rng: replace(q, X=spoilt(q.X, -np.inf, rng)),
    "one class": lambda q, _: replace(q, y=np.full(len(q.y), "cat")),
    "labels too few": lambda q, _: replace(q, y=q.y[:-1]),
    "a label is missing": lambda q, _: replace(q, y=np.where(np.arange(len(q.y)) == 3, None, q.y)),
    "negative weight": lambda q, _: replace(q, sample_weight=-np.ones(len(q.y))),
    "no weight": lambda q, _: replace(q, sample_weight=np.zeros(len(q.y))),
    "weights of another length": lambda q, _: replace(q, sample_weight=np.ones(3)),
    "a vector": lambda q, _: replace(q, X=np.ones(len(q.y))),
    "C=-1": lambda q, _: replace(q, settings={**q.settings, "C": -1.0}),
    "unknown solver": lambda q, _: replace(q, settings={**q.settings, "solver": "best"}),
    "a warning is an error": lambda q, _: replace(q, X=np.where(q.y == q.y[0], -1.0, 1.0)[:, None]),
    "Ctrl-C": lambda q, _: q,
    "Ctrl-C in a callback": lambda q, _: q,
}
FITS = {"a warning is an error", "Ctrl-C in a callback"}  # what only `fit` can meet


def spoilt(X: Any, value: float, rng: np.random.Generator) -> Any:
    """X with a value that is not finite."""
    X = X.copy()
    X[rng.integers(X.shape[0]), rng.integers(X.shape[1])] = value
    return X


def table(rng: np.random.Generator, labels: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and labels that overlap."""
    n, p = int(rng.integers(40, 200)), int(rng.integers(2, 6))
    X = rng.normal(size=(n, p))
    scores = X @ rng.normal(size=(p, len(labels))) * 0.5 + rng.gumbel(size=(n, len(labels)))
    y = np.array(labels)[scores.argmax(axis=1)]
    y[: 5 * len(labels)] = labels * 5
    return X, y


def draw(rng: np.random.Generator) -> Problem:
    """A second call with other columns and labels, and what is wrong with it."""
    X, y = table(rng, ("cat", "dog") if rng.random() < 0.6 else ("cat", "cow", "dog"))
    method, fault = str(rng.choice(METHODS)), str(rng.choice(sorted(FAULTS)))
    settings = {"C": float(rng.choice([0.1, 1.0])), "l1_ratio": float(rng.choice([0.0, 0.5]))}
    if fault in FITS:
        method, settings = "fit", {"C": np.inf}
    if method == "partial_fit":
        settings = {"C": 1.0, "solver": SGD(epochs=3)}
    facts = {"method": method, "fault": fault, "seed": int(rng.integers(1 << 30))}
    return Problem(X, y, settings=settings, facts=facts)


def check_raises(problem: Problem) -> None:
    """After a call that raises, the model is as before; a call that gets through is no failure."""
    rng = np.random.default_rng(problem.facts["seed"])
    method, fault = problem.facts["method"], problem.facts["fault"]
    X, y = table(rng, ("sick", "well"))
    frame = pd.DataFrame(X, columns=list("abcde")[: X.shape[1]])
    if method == "cv":
        model: Any = LogisticRegressionCV(5, cv=2)
        quiet(model.fit, frame, y)
    else:
        model = LogisticRegression(C=1.0)
        quiet(model.partial_fit if method == "partial_fit" else model.fit, frame, y)
    before, answers = learnt(model), model.predict_proba(frame)
    bad = FAULTS[fault](problem, rng)
    if method == "cv":
        model.set_params(Cs=3, **({"cv": 1} if fault in ("C=-1", "unknown solver") else {}))
    elif method == "fit":
        model.set_params(**bad.settings)
    call = model.partial_fit if method == "partial_fit" else model.fit
    raised = outcome(call, bad, model, rng)
    if not raised:
        assert fault.startswith("Ctrl-C"), f"{method} took {fault}"
        return
    same(learnt(model), before)
    assert model.predict_proba(frame).tobytes() == answers.tobytes(), "other answers"
    try:
        model.predict(frame[frame.columns[::-1]])
    except EvenOddsError:
        return
    raise AssertionError("columns in another order are taken")


def outcome(call: Callable[..., Any], bad: Problem, model: Any, rng: np.random.Generator) -> bool:
    """Whether a call raises."""
    fault = bad.facts["fault"]
    weight = {} if bad.sample_weight is None else {"sample_weight": bad.sample_weight}
    if fault == "Ctrl-C in a callback" and hasattr(model, "set_callbacks"):
        model.set_callbacks(Interrupting(int(rng.integers(6))))
    try:
        with warnings.catch_warnings(), interrupted(rng.uniform(1e-4, 6e-3) if fault == "Ctrl-C" else 0.0):
            warnings.simplefilter("error" if fault == "a warning is an error" else "ignore")
            call(bad.X, bad.y, **weight)
    except (EvenOddsError, KeyboardInterrupt, Warning):
        return True
    finally:
        if hasattr(model, "set_callbacks"):
            model.set_callbacks()
    return False


@contextmanager
def interrupted(after: float) -> Any:
    """Ctrl-C after some seconds, if that is not 0 and there are timers."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    if not after or not hasattr(signal, "setitimer"):
        yield
        return
    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, after)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


class Interrupting:
    """A callback of scikit-learn that is interrupted when it has been told of so many tasks."""

    def __init__(self, left: int) -> None:
        self.left = left

    def setup(self, estimator: Any, context: Any) -> None:
        """Nothing."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Nothing."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        """The interrupt, when it is time; at the latest when the fit has ended."""
        self.left -= 1
        if self.left < 0 or context.task_name == "fit":
            raise KeyboardInterrupt
        return False

    def teardown(self, estimator: Any, context: Any) -> None:
        """Nothing."""


def learnt(model: Any) -> dict[str, Any]:
    """All that a model has beside its parameters, copied."""
    given = set(model.get_params(deep=False)) | {"_skl_callbacks"}
    return {
        name: np.copy(v) if isinstance(v, np.ndarray) else v for name, v in vars(model).items() if name not in given
    }


def same(now: dict[str, Any], before: dict[str, Any]) -> None:
    """An error where something learnt is another."""
    now = {name: value for name, value in now.items() if not name.startswith("_") or name == "_seen"}
    before = {name: value for name, value in before.items() if not name.startswith("_") or name == "_seen"}
    assert now.keys() == before.keys(), f"attributes {sorted(now.keys() ^ before.keys())}"
    for name, value in before.items():
        if isinstance(value, np.ndarray):
            assert now[name].dtype == value.dtype, f"the dtype of {name}"
            np.testing.assert_array_equal(now[name], value, err_msg=name)
        else:
            assert now[name] is value or now[name] == value, name


def draw_reader(rng: np.random.Generator) -> Problem:
    """A model with labels of some type."""
    X, y = table(rng, ("0", "1") if rng.random() < 0.6 else ("0", "1", "2"))
    kind = str(rng.choice(["int64", "float64", "int8", "object"]))
    return Problem(X, y.astype(np.int64).astype(kind), facts={"as": str(rng.choice(["float64", "int32", "object"]))})


def check_readers(problem: Problem) -> None:
    """What only reads a model changes nothing of it, whatever type the same labels have."""
    model, _ = quiet(LogisticRegression().fit, problem.X, problem.y)
    before = learnt(model)
    y = problem.y.astype(problem.facts["as"])
    result, _ = quiet(infer, model, problem.X, y)
    model.score(sp.csr_array(problem.X), y)
    if np.isfinite(result.coef).all():
        quiet(result.margins, problem.X)
        quiet(result.influence, problem.X, y)
        quiet(result.predict, problem.X)
    same(learnt(model), before)


FAMILIES = [
    Family("state: a call that raises changes nothing", draw, check_raises, 50),
    Family("state: a call that reads changes nothing", draw_reader, check_readers, 10),
]
