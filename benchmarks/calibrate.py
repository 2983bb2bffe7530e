"""`python -m benchmarks.calibrate`: what `auto` chooses for each shape, and which of our own methods was the fastest.

Every method that a shape could be fitted by is forced, by answering for `solvers.costs` in `solvers.regimes` what leads
there; users have no switch for it. Time is that of the processor with one thread, the least of a few fits in turns. The
last column is the time of `auto` over that of the fastest: the bar is 1.5. The constants of `costs.py` are set so that
it holds on the usual shapes and on 200 random ones.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.contest import spell_time
from benchmarks.score import value
from benchmarks.shapes import Shape, between, some, usual
from benchmarks.table import machine
from evenodds import LogisticRegression, fitting
from evenodds.solvers import costs, regimes

TARGET = 1e-6
BAR = 1.5
SHORT = 0.03  # seconds of a measurement at the least, as the clock of the processor is coarse
REPEATS, SPENT = 4, 0.4  # fits of each method, and seconds after which it has no more turns
LONGEST = 6.0  # seconds of the processor that a fit may take
MOST_HESSIAN = 2500  # coefficients
MOST_ROWS = 3000  # whose products are made
FREE = {"starts_even": False, "eliminates": False, "has_few_rows": False, "takes_products": False}
METHODS: dict[str, dict[str, Any]] = {
    "newton": {},
    "even odds": FREE | {"starts_even": True},
    "even odds, rows": FREE | {"is_held": True, "has_few_rows": True},
    "sample": FREE | {"most_full": np.inf, "sample_spares": True},
    "Hessian": FREE | {"most_full": np.inf, "sample_spares": False, "rows_of_metric": 0},
    "Hessian of some": FREE | {"most_full": np.inf, "sample_spares": False},
    "head and diagonal": FREE | {"most_full": 0},
    "products": FREE | {"most_full": 0, "takes_products": True},
    "rows": FREE | {"is_held": False, "has_few_rows": True},
    "columns together": FREE | {"factor_is_dear": False},
    "columns one by one": FREE | {"factor_is_dear": True},
}
OF_CLASSES = ("newton", "rows", "columns together", "columns one by one")
OF_TWO = tuple(name for name in METHODS if not name.startswith("columns"))
MADE = {
    "even_odds": "even odds",
    "sample_optimum": "sample",
    "_hessian_metric": "Hessian",
    "_hessian_at_start": "Hessian at the start",
    "head_and_diagonal": "head and diagonal",
    "exact_metric": "factor eliminated",
    "newton_by_products": "products",
    "ByRows": "rows",
    "kronecker": "columns",
}


def applies(shape: Shape, method: str) -> bool:
    """Whether a method is defined for a shape and has a chance. (What eliminates a factor takes codes alone.)"""
    k = (shape.columns + 1) * (shape.classes if shape.classes > 2 else 1)
    few_rows = shape.rows <= min(MOST_ROWS, shape.columns // 2)
    if method not in (OF_TWO if shape.classes == 2 else OF_CLASSES):
        return False
    if method in ("newton", "Hessian", "Hessian of some", "sample"):
        return k <= MOST_HESSIAN and (method != "sample" or shape.rows >= 64 * k)
    if method in ("rows", "even odds, rows"):
        return few_rows and np.isfinite(shape.C) and not (shape.sparse and shape.rows > 1000)
    if method == "even odds":
        return not shape.sparse and bool(np.isfinite(shape.C))
    if method in ("head and diagonal", "products"):
        return shape.columns > 200 and (method == "head and diagonal" or shape.sparse)
    return True


@contextmanager
def forced(method: str, n_rows: int) -> Iterator[None]:
    """`regimes` led to a method, of fits with so many rows: those of a sample go their own way."""
    with ExitStack() as stack:
        for name, answer in METHODS[method].items():
            if hasattr(regimes, name):
                stack.enter_context(patch.object(regimes, name, _answering(getattr(regimes, name), answer, n_rows)))
        if method == "sample":
            stack.enter_context(patch.object(fitting, "_sample_rows", _some_rows))
        yield


def _some_rows(settings: Any, data: Any) -> int:
    """Those that the costs say, or few where they take all."""
    drawn = int(costs.sample_rows(data))
    return drawn if drawn < data.n_rows else min(data.n_rows // 6, max(64 * (data.n_columns + 1), 1500))


def _answering(asked: Callable[..., Any], answer: Any, n_rows: int) -> Callable[..., Any]:
    def answered(of: Any, *rest: Any) -> Any:
        return answer if getattr(of, "data", of).n_rows == n_rows else asked(of, *rest)

    return answered


@contextmanager
def watched(made: list[str], n_rows: int) -> Iterator[None]:
    """Write down which metrics `regimes` makes for fits with so many rows."""
    with ExitStack() as stack:
        for name, said in MADE.items():
            if hasattr(regimes, name):
                make = getattr(regimes, name)
                stack.enter_context(patch.object(regimes, name, _telling(make, said, made, n_rows)))
        yield


def _telling(make: Callable[..., Any], said: str, made: list[str], n_rows: int) -> Callable[..., Any]:
    def told(objective: Any, *rest: Any, **options: Any) -> Any:
        if (objective.data.n_rows == n_rows or said == "sample") and said not in made:
            made.append(said)
        return make(objective, *rest, **options)

    return told


def stop(number: int, frame: FrameType | None) -> None:
    raise TimeoutError


def timed(fit: Callable[[], Any], limit: float) -> tuple[float, Any]:
    """Seconds of the processor that a fit takes, and the model; infinity and None where it took longer than `limit`."""
    signal.setitimer(signal.ITIMER_PROF, limit)
    begin, count = time.process_time(), 0
    try:
        while (took := time.process_time() - begin) < SHORT or not count:
            model = fit()
            count += 1
        return took / count, model
    except TimeoutError:
        return np.inf, None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def compared(shape: Shape) -> dict[str, Any]:
    """The least time of `auto` and of every method that came to the optimum."""
    (X, y), weights = shape.made(), shape.weights()

    def fitted(method: str) -> Any:
        solver = method if method in ("auto", "newton") else "quasi-newton"
        model = LogisticRegression(C=shape.C, solver=solver, n_jobs=1)
        if method in ("auto", "newton"):
            return model.fit(X, y, weights)
        with forced(method, shape.rows):
            return model.fit(X, y, weights)

    methods = ["auto", *(method for method in METHODS if applies(shape, method))]
    times, models = dict.fromkeys(methods, np.inf), dict.fromkeys(methods)
    chosen: list[str] = []
    with watched(chosen, shape.rows):
        took, models["auto"] = timed(lambda: fitted("auto"), 10 * LONGEST)  # a warm-up as well
    solver = models["auto"].solution_.solver if models["auto"] else "none"
    spent = dict.fromkeys(methods, 0.0)
    for _ in range(REPEATS):
        for method in methods:
            if spent[method] <= SPENT:
                limit = min(LONGEST, max(0.5, 4 * min(times.values()))) if method != "auto" else 10 * LONGEST
                took, model = timed(lambda method=method: fitted(method), limit)
                times[method] = min(times[method], took)
                spent[method] += took
                models[method] = model or models[method]
    found = {m: value(X, y, shape.C, k.intercept_, k.coef_, weights) for m, k in models.items() if k is not None}
    low = min(found.values())
    times = {m: t for m, t in times.items() if m in found and found[m] <= low + TARGET * abs(low)}
    best = min((m for m in times if m != "auto"), key=lambda m: times[m], default="auto")
    ratio = times.get("auto", np.inf) / min(times[best], times.get("auto", np.inf))
    chose = solver if solver == "newton" else ", then ".join(chosen) or solver
    return {"shape": str(shape), "chosen": chose, "fastest": best, "ratio": ratio, "seconds": times}


def line(r: dict[str, Any]) -> str:
    auto, best = r["seconds"].get("auto", np.inf), r["seconds"].get(r["fastest"], np.inf)
    mine = f"{r['chosen']} {spell_time(auto)}"
    return f"{r['shape']:52s} {mine:42s} {r['fastest']:>20s} {spell_time(best):>8s} {r['ratio']:6.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibrate", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="random shapes beside the usual ones (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="other shapes (default 0)")
    parser.add_argument("--only", default="", help="shapes whose name has this in it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the results go")
    options = parser.parse_args()
    signal.signal(signal.SIGPROF, stop)
    records = []
    shapes = usual() + between() + some(options.count, options.seed)
    with warnings.catch_warnings(), threadpool_limits(1, "blas"):
        warnings.simplefilter("ignore")
        for shape in shapes:
            if options.only in str(shape):
                records.append(compared(shape))
                print(line(records[-1]), flush=True)
    over = sorted((r for r in records if r["ratio"] > BAR), key=lambda r: -r["ratio"])
    print(f"\n{len(records) - len(over)} of {len(records)} within {BAR} times of our fastest method; the others:")
    print("\n".join(line(r) for r in over))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "shapes": records}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
