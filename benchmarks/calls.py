"""`python -m benchmarks.calls`: the time of every public call at the usual shapes; those over a second are named last.

Each call is timed once, by the processor, of a process that has fitted before; one that takes longer than `LONGEST` is
ended. Of each that takes more than a second the question is whether it should.
"""

from __future__ import annotations

import argparse
import re
import signal
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.calibrate import stop, timed
from benchmarks.contest import spell_time
from benchmarks.shapes import Array, Shape, usual
from evenodds import EvenOddsError, LogisticRegression, LogisticRegressionCV, find_separation, infer, path

LONGEST = 20  # seconds
MOST_TABLE = 3000  # coefficients of which a table of standard errors is made
LARGE = 1_000_000  # rows of a large prediction, of few columns
Call = Callable[[Any, Array, Any], Any]


def fitted(**options: Any) -> Call:
    return lambda X, y, model: LogisticRegression(**options).fit(X, y)


def weighted(X: Any, y: Array, model: Any) -> Any:
    weight = np.random.default_rng(0).uniform(0.5, 3.0, len(y))
    return LogisticRegression(C=1.0).fit(X, y, sample_weight=weight)


def with_offset(X: Any, y: Array, model: Any) -> Any:
    return LogisticRegression(C=1.0).fit(X, y, offset=np.random.default_rng(0).normal(size=len(y)))


def in_single(X: Any, y: Array, model: Any) -> Any:
    return LogisticRegression(C=1.0).fit(X.astype(np.float32), y)


def by_columns(X: Any, y: Array, model: Any) -> Any:
    return LogisticRegression(C=1.0).fit(np.asfortranarray(X) if isinstance(X, np.ndarray) else X.tocsc(), y)


def in_parts(X: Any, y: Array, model: Any) -> Any:
    learner, classes = LogisticRegression(C=1.0, solver="sgd"), np.unique(y)
    for start in range(0, len(y), max(1, len(y) // 4)):
        learner.partial_fit(X[start : start + len(y) // 4], y[start : start + len(y) // 4], classes)
    return learner


def many_rows(X: Any, y: Array, model: Any) -> Any:
    return model.predict_proba(np.resize(X, (LARGE, X.shape[1]))) if X.shape[1] <= 50 else None


def of_a_frame(X: Any, y: Array, model: Any) -> Any:
    import pandas as pd

    frame = pd.DataFrame(X[:100_000], columns=[f"x{k}" for k in range(X.shape[1])])
    return LogisticRegression(C=1.0).fit(frame, y[:100_000]).predict_proba(frame.head(1))


CALLS: dict[str, Call] = {
    "fit C=1": fitted(C=1.0),
    "fit C=inf": fitted(),
    "fit C=1e4": fitted(C=1e4),
    "weights": weighted,
    "offset": with_offset,
    "float32": in_single,
    "by columns": by_columns,
    "lasso": lambda X, y, model: LogisticRegression(C=_some_lasso(X, y), l1_ratio=1.0).fit(X, y),
    "elastic net": lambda X, y, model: LogisticRegression(C=2 * _some_lasso(X, y), l1_ratio=0.5).fit(X, y),
    "path": lambda X, y, model: path(X, y, n_C=50, min_ratio=0.05),
    "ridge path": lambda X, y, model: path(X, y, l1_ratio=0.0, Cs=np.logspace(-4, 4, 10)),
    "CV, lasso": lambda X, y, model: LogisticRegressionCV(Cs=20, l1_ratios=(1.0,), cv=3).fit(X, y),
    "Firth": fitted(firth=True),
    "partial_fit": in_parts,
    "infer": lambda X, y, model: infer(model, X, y),
    "HC3": lambda X, y, model: infer(model, X, y, cov="HC3"),
    "profile": lambda X, y, model: infer(LogisticRegression().fit(X, y), X, y).profile(),
    "margins": lambda X, y, model: infer(model, X, y).margins(X),
    "influence": lambda X, y, model: infer(model, X, y).influence(X, y),
    "find_separation": lambda X, y, model: find_separation(X, y),
    "predict a row": lambda X, y, model: model.predict_proba(X[:1]),
    "predict all": lambda X, y, model: model.predict_proba(X),
    "predict a million": many_rows,
    "of a frame": of_a_frame,
}
OF_TWO = ("Firth", "find_separation", "profile")
OF_DENSE = ("of a frame", "predict a million")
OF_TABLES = ("infer", "HC3", "profile", "margins", "influence", "Firth")


def _some_lasso(X: Any, y: Array) -> float:
    """The C of a tenth of the penalty that holds all coefficients at zero."""
    first = (y == y[0]).astype(float)
    return 10.0 / float(np.abs((first - first.mean()) @ X).max())


def sensible(shape: Shape, call: str) -> bool:
    """Whether anybody would: no tables of thousands of coefficients, no wide frames."""
    k = shape.columns * (shape.classes if shape.classes > 2 else 1)
    if shape.classes > 2 if call in OF_TWO else call in OF_DENSE and (shape.sparse or shape.columns > 2000):
        return False
    return call not in OF_TABLES or (k <= MOST_TABLE and shape.rows > 2 * shape.columns)


def measured(call: Callable[[], Any]) -> tuple[float, str]:
    """Seconds, and what was wrong."""
    try:
        seconds, _ = timed(call, LONGEST)
    except EvenOddsError as error:
        return 0.0, str(error)[:70]
    return (seconds, "") if np.isfinite(seconds) else (LONGEST, f"ended after {LONGEST} s")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls", description=__doc__)
    parser.add_argument("--shapes", default=".", metavar="PATTERN", help="usual shapes whose name has this")
    parser.add_argument("--calls", default=".", metavar="PATTERN", help="calls whose name has this")
    parser.add_argument("--seed", type=int, default=0, help="other data")
    options = parser.parse_args()
    signal.signal(signal.SIGPROF, stop)
    slow = []
    warnings.simplefilter("ignore")
    for shape in (shape.resized(1.0, 1.0, options.seed) for shape in usual()):
        if not re.search(options.shapes, str(shape)):
            continue
        X, y = shape.made()
        model = LogisticRegression(C=1.0).fit(X, y)
        print(f"{shape}, seconds of the processor", flush=True)
        for name, call in CALLS.items():
            if re.search(options.calls, name) and sensible(shape, name):
                seconds, said = measured(partial(call, X, y, model))
                print(f"    {name:18s} {spell_time(seconds):>9s} {said}", flush=True)
                slow += [(seconds, f"{shape}, {name}: {spell_time(seconds)} {said}")] if seconds > 1 else []
    print("\nover a second:\n" + "\n".join(said for _, said in sorted(slow, reverse=True)))


if __name__ == "__main__":
    main()
