"""`python -m benchmarks.factors`: a table with factors of 10, 100 and 10,000 levels, against glum's categorical matrix.

Each fit runs in a process of its own, ours and glum's in turns, from the frame to the coefficients. Glum gets tabmat's
SplitMatrix, which holds factors as codes, and each of its solvers; the time that counts is that of the fastest to reach
the same gap. Memory is the peak of the process, frame and libraries within it. `--inference` adds our standard errors.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

LEVELS = (10, 100, 10_000)
NUMBERS = 20
SOLVERS = ("evenodds", "glum lbfgs", "glum irls-ls")
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7)  # of glum's gradient


def main() -> None:
    """Write the table, run all in turns, print what they took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.factors", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--C", type=float, default=1.0, help="of the ridge (default 1); inf for none")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--gap", type=float, default=1e-9, help="above the best loss, relative (default 1e-9)")
    parser.add_argument("--solvers", nargs="+", choices=SOLVERS, default=SOLVERS[:2])
    parser.add_argument("--inference", action="store_true")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(_child(*given.child, given)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        _write(path, given.rows)
        trials = [
            (solver, tolerance, _run(path, solver, tolerance, given))
            for _ in range(given.turns)
            for solver in given.solvers
            for tolerance in ((0.0,) if solver == "evenodds" else TOLERANCES)
        ]
    best = min(result["loss"] for _, _, result in trials)
    for solver in given.solvers:
        for tolerance in sorted({t for s, t, _ in trials if s == solver}, reverse=True):
            some = [result for s, t, result in trials if (s, t) == (solver, tolerance)]
            gap = max(result["loss"] for result in some) / best - 1
            reached = "" if gap <= given.gap else "  (not at the gap)"
            middle = {key: statistics.median(result[key] for result in some) for key in some[0]}
            print(
                f"{solver:14} {tolerance or '':>7}  {middle['seconds']:6.2f} s  {middle['cpu']:6.2f} s of CPU  "
                f"{middle['megabytes']:6.0f} MB  gap {gap:.1e}{reached}"
                + (f"  with standard errors {middle['inferred']:.2f} s" if middle.get("inferred") else "")
            )


def _write(path: Path, rows: int) -> None:
    import pandas as pd

    rng = np.random.default_rng(0)
    table, score = {}, np.full(rows, -0.3)
    for j in range(NUMBERS):
        x = rng.normal(size=rows)
        score += 0.15 * rng.normal() * x
        table[f"x{j}"] = (x * (3 if j % 2 else 1) + (1e6 if j == 3 else 0.5 * j)).astype(np.float64)
    for levels in LEVELS:
        codes = rng.integers(levels, size=rows)
        score += 0.4 * rng.normal(size=levels)[codes]
        table[f"f{levels}"] = pd.Categorical.from_codes(codes, [f"level {k}" for k in range(levels)])
    table["y"] = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(np.int8)
    pd.DataFrame(table).to_parquet(path)


def _run(path: Path, solver: str, tolerance: float, given: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.factors", "--C", str(given.C), "--child", str(path)]
    more = ["--inference"] if given.inference else []
    done = subprocess.run([*command, f"{solver}|{tolerance}", *more], stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _child(path: str, what: str, given: argparse.Namespace) -> dict[str, float]:
    import pandas as pd

    solver, tolerance = what.split("|")
    frame = pd.read_parquet(path)
    fit = _ours if solver == "evenodds" else _glum
    small = frame.head(3000).drop(columns=f"f{LEVELS[-1]}")
    fit(small, solver, 1e-3, given)  # imports, and what is done once
    begun, cpu = time.perf_counter(), time.process_time()
    scores, coef, inferred = fit(frame, solver, float(tolerance), given)
    result = {"seconds": time.perf_counter() - begun - inferred, "cpu": time.process_time() - cpu}
    result |= {"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, "inferred": inferred}
    z = np.where(frame.y > 0, scores(), -scores())
    n = len(frame)
    return result | {"loss": float(np.logaddexp(0, -z).mean() + 0.5 / (given.C * n) * coef @ coef)}


def _ours(frame, solver, tolerance, given):
    from evenodds import fit_table, infer

    model = fit_table("y", frame, C=given.C if len(frame) > 3000 else 1.0)
    begun = time.perf_counter()
    if given.inference and len(frame) > 3000:
        infer(model, frame)
    inferred = time.perf_counter() - begun if given.inference else 0.0
    return lambda: model.decision_function(frame), model.coef_[0], inferred


def _glum(frame, solver, tolerance, given):
    import glum
    import tabmat

    y = frame["y"].to_numpy().astype(float)
    X = tabmat.from_df(frame.drop(columns="y"), drop_first=True)
    model = glum.GeneralizedLinearRegressor(
        family="binomial",
        alpha=1 / (given.C * len(y)) if np.isfinite(given.C) else 0.0,
        l1_ratio=0,
        solver=solver.split()[1],
        gradient_tol=tolerance,
        max_iter=1000,
    ).fit(X, y)
    return lambda: model.linear_predictor(X), model.coef_, 0.0


if __name__ == "__main__":
    main()
