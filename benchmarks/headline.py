"""`python -m benchmarks.headline`: the largest claims, each against its best peer, and how far we are from the limits.

The contests are those of `python -m benchmarks`. A fit has two limits: it reads X so often, and memory gives X in the
time of one X.sum(); and a read takes 4 n p K flops, half of them for the scores and half for the gradient, of which the
machine does so many a second in a product of matrices. "times the limit" is our time over the larger of the two.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import cast
from benchmarks.__main__ import on_data
from benchmarks.contest import spell_time
from benchmarks.problems import CLASSES, DATA, PROBLEMS
from benchmarks.sweep import RESULTS
from benchmarks.table import machine
from evenodds import __version__

BARS = {  # how many times the best peer's time ours goes into
    "1Mx50": 15.0,
    "sparse-C1": 6.0,
    "sparse-C100": 8.0,
    "20kx1k": 4.0,
    "breast-cancer": 3.0,
    "wide-path": 2.2,
    "multinomial-20kx200": 8.0,
}
# Who was the best peer, or near, in whole contests.
FIRST = ("evenodds", "glum", "glum lbfgs", "newton-cholesky", "lbfgs", "newton-cg", "adelie", "adelie, one thread")
PRODUCT = 1500  # rows and columns of the matrices by which flops are counted


def flops_per_second() -> float:
    """Of a product of matrices of doubles, with all threads: the best of some."""
    A = np.random.default_rng(0).normal(size=(PRODUCT, PRODUCT))
    seconds = []
    for _ in range(6):
        begin = time.perf_counter()
        A @ A
        seconds.append(time.perf_counter() - begin)
    return 2 * PRODUCT**3 / min(seconds)


def limits(record: dict[str, Any], rate: float) -> dict[str, float] | None:
    """Seconds that our reads take at the least, by memory and by flops."""
    ours, data = record["ours"], next(d for d in DATA if d.name == _problem(record["problem"]).data)
    if not ours or not ours["passes"] or not record["read_seconds"]:
        return None
    entries = 72 * record["rows"] if data.sparse else record["rows"] * record["columns"]
    classes = CLASSES if record["kind"] == "classes" else 1
    memory, flops = ours["passes"] * record["read_seconds"], ours["passes"] * 4 * entries * classes / rate
    return {"memory": memory, "flops": flops, "times": ours["seconds"] / max(memory, flops)}


def _problem(name: str) -> Any:
    return next(problem for problem in PROBLEMS if problem.name == name)


def line(r: dict[str, Any]) -> str:
    ours, peer, limit = r["ours"], r["peer"], r["limits"]
    if not ours or not peer:
        return f"{r['problem']:22s} nothing to compare: {r['outcomes']}"
    found = (
        f"{r['problem']:22s} {spell_time(ours['seconds']):>9s} {peer['solver']:>20s} {spell_time(peer['seconds']):>9s} "
    )
    found += f"{r['ratio']:6.2f} of {r['bar']:g}"
    if limit:
        both = f"memory {spell_time(limit['memory'])}, flops {spell_time(limit['flops'])}"
        found += f"; {ours['passes']} reads: {both}; {limit['times']:.1f} times the limit"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.headline", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=BARS, default=list(BARS), metavar="PROBLEM")
    parser.add_argument("--scale", type=int, default=1, metavar="N", help="divide the sizes by N (default 1)")
    parser.add_argument("--budget", type=float, default=60.0, metavar="SECONDS", help="for any single fit (default 60)")
    parser.add_argument("--all", action="store_true", help="all peers, not only those that were the best before")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the results go")
    parser.add_argument("--keep", action="store_true", help="as results of this release, of which pages are made")
    options = parser.parse_args()
    options.solvers, options.markdown = (cast.NAMES if options.all else FIRST), None
    to, options.json = options.json, None  # the contest would write its own there
    results: dict[str, Any] = {"problems": [], "scales": [], "extras": []}
    rate = median(flops_per_second() for _ in range(3))
    for data in DATA:
        if any(_problem(name).data == data.name for name in options.only):
            on_data(data.divided(options.scale), options, results, lambda text: print(f"    {text}", flush=True))
    order = list(BARS)
    found = sorted(results["problems"], key=lambda r: order.index(r["problem"]))
    for record in found:
        record |= {"bar": BARS[record["problem"]], "limits": limits(record, rate)}
        print(line(record))
    kept = [RESULTS / f"headline-{__version__}.json"] if options.keep else []
    for path in [*kept, *([to] if to else [])]:
        made = {"machine": machine(), "flops_per_second": rate, "problems": found}
        path.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
