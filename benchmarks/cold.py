"""`python -m benchmarks.cold`: a new process that imports, fits once and ends; ours against scikit-learn's.

Whole-process time of `python`, with the data in files. The peer is the scikit-learn solver that was the quickest in a
first round, at its default tolerance; ours takes its default tolerance too. Each has the threads of BLAS, all or one,
with which it was quicker there. Then they run in turns, and the least time of each is in the record: what is more is
what else the machine did. Processor time stands beside it, and the peer's time at a tolerance of 1e-6: at its own it
ends as far as 2% above the lowest loss, which at large shapes is the most of what it is ahead.

Both have their bytecode, as installed packages have; a checkout whose Python is told to write none is parsed by each
new process.
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
THREADS = {"all": {}, "one": {"OPENBLAS_NUM_THREADS": "1"}}
CLOSE = 1e-6  # a tolerance of scikit-learn's


@dataclass(frozen=True)
class Spent:
    """Seconds of one process: on the clock, and of the processor with its children's."""

    wall: float
    processor: float


def some_shapes() -> list[Shape]:
    """Twenty of the usual shapes: of each kind, without the largest, of which a fit takes far longer than an import."""
    found = [shape for shape in usual() if not any(word in str(shape) for word in SKIPPED)]
    return [found[k * len(found) // COUNT] for k in range(COUNT)]


def program(shape: Shape, folder: Path, solver: str, tol: float | None = None) -> str:
    read = (SPARSE if shape.sparse else DENSE).format(folder=folder)
    package, options = "evenodds", ""
    if solver != OURS.name:
        package, options = "sklearn.linear_model", f", solver={solver!r}, max_iter=10000"
        options += "" if tol is None else f", tol={tol!r}"
    return PROGRAM.format(package=package, folder=folder, read=read, C=shape.C, options=options)


def run(code: str, bytecode: Path, setting: dict[str, str]) -> Spent:
    written = {"PYTHONPYCACHEPREFIX": str(bytecode), "PYTHONDONTWRITEBYTECODE": ""}
    with environment(setting | written):
        before, begin = os.times(), time.perf_counter()
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
        wall, after = time.perf_counter() - begin, os.times()
    if done.returncode:
        raise Failed(done.stderr.strip().splitlines()[-1])
    children = [after.children_user - before.children_user, after.children_system - before.children_system]
    return Spent(wall, sum(children))


def least(spent: list[Spent]) -> dict[str, float]:
    return {"wall": min(s.wall for s in spent), "processor": min(s.processor for s in spent)}


def record(shape: Shape, folder: Path, bytecode: Path, rounds: int) -> dict[str, Any]:
    def once(solver: str, threads: str, tol: float | None = None) -> Spent:
        return run(program(shape, folder, solver, tol), bytecode, THREADS[threads])

    solvers = [s for s in SOLVERS if s != "newton-cholesky" or shape.columns * shape.classes <= MOST_HESSIAN]
    first = {(name, threads): once(name, threads).wall for name in (OURS.name, *solvers) for threads in THREADS}
    ours = min((key for key in first if key[0] == OURS.name), key=first.__getitem__)
    peer = min((key for key in first if key[0] != OURS.name), key=first.__getitem__)
    turns = {"ours": partial(once, *ours), "peer": partial(once, *peer), "close": partial(once, *peer, CLOSE)}
    spent: dict[str, list[Spent]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, fit in turns.items():
            spent[name].append(fit())
    found: dict[str, Any] = {name: least(several) for name, several in spent.items()}
    found["ours"] |= {"threads": ours[1]}
    found["peer"] |= {"solver": peer[0], "threads": peer[1]}
    return {"shape": str(shape)} | found


def line(r: dict[str, Any]) -> str:
    ours, peer = r["ours"], r["peer"]
    wall, processor = (1e3 * (ours[clock] - peer[clock]) for clock in ("wall", "processor"))
    theirs = f"{peer['solver']:>16s} {spell_time(peer['wall']):>9s}"
    clocks = f"{wall:+7.0f} ms ({processor:+7.0f} ms)"
    return f"{r['shape']:45s} {spell_time(ours['wall']):>9s} {theirs} {clocks} {spell_time(r['close']['wall']):>9s}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="in turns (default 3)")
    parser.add_argument("--only", default="", help="shapes whose name has this in it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the results go")
    parser.add_argument("--keep", action="store_true", help="as results of this release, of which pages are made")
    options = parser.parse_args()
    records = []
    root = Path(tempfile.mkdtemp(prefix="evenodds-cold-"))
    bytecode = root / "bytecode"
    for package in ("evenodds", "sklearn.linear_model"):
        run(f"from {package} import LogisticRegression", bytecode, {})  # which writes it
    print("the clock; beside the difference that of processor time, and the peer's time at a tolerance of 1e-6")
    try:
        for shape in some_shapes():
            if options.only in str(shape):
                write(*shape.made(), root)
                records.append(record(shape, root, bytecode, options.rounds))
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
