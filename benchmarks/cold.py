"""`python -m benchmarks.cold`: a new process that imports, fits once and ends; ours against scikit-learn's.

Whole-process time of `python`, with the data in files. The peer is the scikit-learn solver that was the quickest in a
first round, at its default tolerance; ours takes its default tolerance too. Then they run in turns, and the least time
of each is in the record: what is more is what else the machine did. Processor time stands beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.contest import spell_time
from benchmarks.shapes import Shape, usual
from benchmarks.solvers import OURS
from benchmarks.sweep import RESULTS, write
from benchmarks.table import machine
from benchmarks.workers import Failed, environment
from evenodds import __version__

PROGRAM = """
import numpy as np
from math import inf
from {package} import LogisticRegression
y = np.load(r"{folder}/y.npy")
X = {read}
LogisticRegression(C={C!r}{options}).fit(X, y)
"""
DENSE = 'np.load(r"{folder}/X.npy")'
SPARSE = '__import__("scipy.sparse").sparse.load_npz(r"{folder}/X.npz")'
SOLVERS = ("lbfgs", "newton-cholesky", "newton-cg")
MOST_HESSIAN = 1000  # columns times classes, beyond which newton-cholesky does not win
SKIPPED = ("100 classes", "300,000", "10,000 x 100,000", "3,000 x 10,000", "50,000 x 20,000", "20 classes", "digits")
COUNT = 20


@dataclass(frozen=True)
class Spent:
    """Seconds of one process: on the clock, and of the processor with its children's."""

    wall: float
    processor: float


def some_shapes() -> list[Shape]:
    """Twenty of the usual shapes: of each kind, without the largest, of which a fit takes far longer than an import."""
    found = [shape for shape in usual() if not any(word in str(shape) for word in SKIPPED)]
    return [found[k * len(found) // COUNT] for k in range(COUNT)]


def program(shape: Shape, folder: Path, solver: str) -> str:
    read = (SPARSE if shape.sparse else DENSE).format(folder=folder)
    package, options = "evenodds", ""
    if solver != OURS.name:
        package, options = "sklearn.linear_model", f", solver={solver!r}, max_iter=10000"
    return PROGRAM.format(package=package, folder=folder, read=read, C=shape.C, options=options)


def run(code: str, setting: dict[str, str]) -> Spent:
    with environment(setting):
        before, begin = os.times(), time.perf_counter()
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
        wall, after = time.perf_counter() - begin, os.times()
    if done.returncode:
        raise Failed(done.stderr.strip().splitlines()[-1])
    children = [after.children_user - before.children_user, after.children_system - before.children_system]
    return Spent(wall, sum(children))


def least(spent: list[Spent]) -> dict[str, float]:
    return {"wall": min(s.wall for s in spent), "processor": min(s.processor for s in spent)}


def record(shape: Shape, folder: Path, rounds: int) -> dict[str, Any]:
    solvers = [s for s in SOLVERS if s != "newton-cholesky" or shape.columns * shape.classes <= MOST_HESSIAN]
    one = {"OPENBLAS_NUM_THREADS": "1"}  # which served scikit-learn best
    fits = {OURS.name: partial(run, program(shape, folder, OURS.name), {})}
    fits |= {solver: partial(run, program(shape, folder, solver), one) for solver in solvers}
    spent = {name: [fit()] for name, fit in fits.items()}
    best = min(solvers, key=lambda name: spent[name][0].wall)
    for _ in range(rounds):
        for name in (OURS.name, best):
            spent[name].append(fits[name]())
    return {"shape": str(shape), "ours": least(spent[OURS.name]), "peer": {"solver": best} | least(spent[best])}


def line(r: dict[str, Any]) -> str:
    ours, peer = r["ours"], r["peer"]
    wall, processor = (1e3 * (ours[clock] - peer[clock]) for clock in ("wall", "processor"))
    theirs = f"{peer['solver']:>16s} {spell_time(peer['wall']):>9s}"
    return f"{r['shape']:45s} {spell_time(ours['wall']):>9s} {theirs} {wall:+7.0f} ms ({processor:+7.0f} ms)"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="in turns (default 3)")
    parser.add_argument("--only", default="", help="shapes whose name has this in it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the results go")
    parser.add_argument("--keep", action="store_true", help="as results of this release, of which pages are made")
    options = parser.parse_args()
    records = []
    root = Path(tempfile.mkdtemp(prefix="evenodds-cold-"))
    print("the clock; beside the difference that of processor time")
    try:
        for shape in some_shapes():
            if options.only in str(shape):
                write(*shape.made(), root)
                records.append(record(shape, root, options.rounds))
                print(line(records[-1]), flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    worst = max(r["ours"]["wall"] - r["peer"]["wall"] for r in records)
    print(f"at most {1e3 * worst:.0f} ms behind scikit-learn (ahead, if this is negative), {len(records)} shapes")
    kept = [RESULTS / f"cold-{__version__}.json"] if options.keep else []
    for path in [*kept, *([options.json] if options.json else [])]:
        path.write_text(json.dumps({"machine": machine(), "shapes": records}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
