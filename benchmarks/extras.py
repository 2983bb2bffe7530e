"""What a table of fits does not show: imports, the first fit, memory, and company on the same cores.

Each function returns rows of (what, measured, bar).
"""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.problems import Array, dense, draw_labels
from benchmarks.workers import Failed, environment, in_new_process

Row = tuple[str, str, str]

IMPORT = "import time; begin = time.perf_counter(); {}; print(time.perf_counter() - begin)"
FIRST_FIT = """
import time
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale
from evenodds import LogisticRegression
X, y = load_breast_cancer(return_X_y=True)
X = scale(X)
for _ in range(2):
    begin = time.perf_counter()
    LogisticRegression(C=1.0).fit(X, y)
    print(time.perf_counter() - begin)
"""


def python(code: str, setting: dict[str, str]) -> list[float]:
    with environment(setting):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        raise Failed(done.stderr.strip().splitlines()[-1])
    return [float(line) for line in done.stdout.split()]


def imports(scale: int) -> list[Row]:
    """The package alone and with its estimator, so that a lazy import does not hide what a user waits for."""
    ours = ("import evenodds", "from evenodds import LogisticRegression")
    theirs = "import sklearn.linear_model"
    turns = [[python(IMPORT.format(what), {})[0] for what in (*ours, theirs)] for _ in range(8)]
    *spent, peer = (median(times) for times in zip(*turns[1:], strict=True))  # the first fills the disk cache
    bar = f"no slower than {theirs}, {peer:.3f} s"
    return [(what, f"{seconds:.3f} s", bar) for what, seconds in zip(ours, spent, strict=True)]


def first_fit(scale: int) -> list[Row]:
    pairs = []
    for _ in range(5):
        pairs.append(python(FIRST_FIT, {}))
    first, second = (median(times) for times in zip(*pairs, strict=True))
    extra = median(a - b for a, b in pairs)
    what = f"first fit of breast cancer, new process: {first:.4f} s; second {second:.4f} s"
    return [(what, f"{extra:.4f} s more", "under 0.3 s more")]


def memory(scale: int) -> list[Row]:
    rows = []
    for dtype in ("float32", "float64"):
        for order in ("C", "F"):
            share = in_new_process(extra_memory, 1_000_000 // scale, 50, dtype, order)
            what = f"peak extra memory of a warm fit, {1_000_000 // scale:,} x 50 {dtype}, {order} order"
            rows.append((what, f"{share:.1%} of X", "under 10% of X"))
    return rows


def extra_memory(rows: int, columns: int, dtype: str, order: str) -> float:
    """Peak resident memory during a warm fit less that before it, over the size of X.

    X is filled in place and the allocator's free pages go back to the system before the count starts: pages
    that were touched once and then freed would hide the peak. Linux keeps the peak and resets it on request.
    """
    from evenodds import LogisticRegression

    X, y = filled(rows, columns, dtype, order)
    LogisticRegression(C=1.0).fit(X, y)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    LogisticRegression(C=1.0).fit(X, y)
    return (status("VmHWM") - before) / X.nbytes


def filled(rows: int, columns: int, dtype: str, order: str) -> tuple[Array, Array]:
    rng = np.random.default_rng(1)
    X = np.empty((rows, columns), dtype, order=order)
    for column in X.T:
        for start in range(0, rows, 10_000):
            piece = column[start : start + 10_000]
            piece[:] = rng.standard_normal(len(piece))
    w = rng.standard_normal(columns) / np.sqrt(columns)
    y = np.empty(rows)
    for start in range(0, rows, 10_000):
        y[start : start + 10_000] = draw_labels(X[start : start + 10_000] @ w, rng)
    return X, y


def status(field: str) -> int:
    """A field of this process's status in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1])


def company(scale: int) -> list[Row]:
    return in_new_process(measure_company, scale)


def measure_company(scale: int) -> list[Row]:
    """A grid search by two processes and by two threads, and two fits at once, against the same work in line.

    In line every fit has all cores, so that a ratio of 1 is the fair share.
    """
    from evenodds import LogisticRegression

    X, y = dense(400_000 // scale, 50, np.random.default_rng(3))

    def fit(C: float) -> Array:
        return LogisticRegression(C=C).fit(X, y).coef_

    def at_once() -> list[Array]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(fit, (1.0, 1e-3)))

    rows = grid_searches(X, y)
    ratio, difference = against(lambda: [fit(C) for C in (1.0, 1e-3)], at_once)
    rows.append(("two fits at once in two threads", spell(ratio, difference), "about 1, same answer"))
    return rows


def grid_searches(X: Array, y: Array) -> list[Row]:
    from joblib import parallel_config
    from joblib.externals.loky import get_reusable_executor
    from sklearn.model_selection import GridSearchCV

    from evenodds import LogisticRegression

    def search(n_jobs: int) -> list[Array]:
        grid = GridSearchCV(LogisticRegression(), {"C": [1e-3, 1.0, 1e3]}, cv=4, n_jobs=n_jobs, scoring="neg_log_loss")
        grid.fit(X, y)
        return [grid.cv_results_["mean_test_score"], grid.best_estimator_.coef_]

    rows = []
    for backend, what in (("loky", "processes"), ("threading", "threads")):
        with parallel_config(backend=backend):
            ratio, difference = against(lambda: search(1), lambda: search(2))
        rows.append((f"GridSearchCV(n_jobs=2), {what}", spell(ratio, difference), "about 1, same answer"))
    get_reusable_executor().shutdown()  # its processes would idle for minutes, and this one wait for them
    return rows


def against(in_line: Callable[[], list[Array]], together: Callable[[], list[Array]]) -> tuple[float, float]:
    """Time of `together` over `in_line`, medians of five in turns, and the largest difference of results."""
    expected, found = in_line(), together()
    difference = max(float(np.max(np.abs(a - b))) for a, b in zip(expected, found, strict=True))
    turns = [(clock(in_line), clock(together)) for _ in range(5)]
    alone, beside = (median(times) for times in zip(*turns, strict=True))
    return beside / alone, difference


def clock(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def spell(ratio: float, difference: float) -> str:
    return f"{ratio:.2f} of the time in line; results differ by {difference:.0e}"


def inference(scale: int) -> list[Row]:
    """The coefficient table against statsmodels' and one pass with the exact Hessian; deciding separation."""
    import statsmodels.api as sm

    from evenodds import LogisticRegression, find_separation, infer
    from evenodds.inference.problem import pose

    X, y = dense(1_000_000 // scale, 50, np.random.default_rng(0))
    model = LogisticRegression().fit(X, y)
    infer(model, X, y)
    problem = pose(model, model._read(X, y, None, None), 0.0)
    turns = [
        (
            clock(lambda: model.fit(X, y)),
            clock(lambda: infer(model, X, y)),
            clock(lambda: problem.objective.value_grad_hess(problem.theta)),
        )
        for _ in range(5)
    ]
    fit, table, hessian = (median(times) for times in zip(*turns, strict=True))
    peer = clock(lambda: sm.Logit(y, sm.add_constant(X)).fit(disp=0).summary())
    part, labels = X[: len(X) // 10, :20].copy(), y[: len(X) // 10]
    LogisticRegression().fit(part, labels)
    pairs = [
        (clock(lambda: LogisticRegression().fit(part, labels)), clock(lambda: find_separation(part, labels)))
        for _ in range(9)
    ]
    fit_part, decision = (median(times) for times in zip(*pairs, strict=True))
    size = f"{len(X):,} x 50"
    return [
        (f"fit + infer, {size}", f"{fit + table:.3f} s, {peer / (fit + table):.1f}x", f"10x, statsmodels {peer:.2f} s"),
        ("infer, in passes with the exact Hessian", f"{table / hessian:.2f}", "under 1.5"),
        (
            f"find_separation, overlap, {len(part):,} x 20",
            f"{decision * 1e3:.1f} ms",
            f"a fit: {fit_part * 1e3:.1f} ms",
        ),
    ]


PARTS: dict[str, Callable[[int], list[Row]]] = {
    "import": imports,
    "first-fit": first_fit,
    "memory": memory,
    "company": company,
    "inference": inference,
}


def run(name: str, scale: int) -> list[Row]:
    if name == "memory" and not os.path.exists("/proc/self/clear_refs"):
        return [(name, "not measured: Linux only", "")]
    try:
        return PARTS[name](scale)
    except Failed as failure:
        return [(name, f"not measured: {failure}", "")]
