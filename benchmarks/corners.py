"""`python -m benchmarks.corners`: lassos and elastic nets over shapes and strengths, single fits and paths, warm.

As in the sweep of smooth fits, a time is the least of the tolerances at which a solver comes within 1e-6 of the optimum
at every strength, relative to the loss of the intercept alone. The optimum is ours at a tight tolerance, which the
judge proves by a dual point of its own, or what anybody finds below it. Everybody climbs a ladder of tolerances; ours
and the peers within 1.5 times of the best then run in turns, peers with one thread, but for adelie, which has both.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.cast import CAST
from benchmarks.contest import missing, spell_time
from benchmarks.problems import Array, Problem
from benchmarks.proofs import PathJudge
from benchmarks.shapes import Shape
from benchmarks.solvers import OURS, SETTINGS, Solver
from benchmarks.sweep import CLIMB, PATIENCE, SHORT, summary, write
from benchmarks.table import machine
from benchmarks.workers import PEERS_PYTHON, Failed, Worker

TARGET = 1e-6
SHARES = (0.5, 0.1, 0.01, 0.001)  # of the strength that holds all coefficients at 0
RATIOS = (1.0, 0.5)
PATH = (50, 0.01)
PEERS = ("skglm", "celer, Newton", "celer", "adelie, one thread", "adelie", "liblinear")
OF_LASSOS = ("celer", "celer, Newton", "liblinear")
ONE, FREE = "one BLAS thread", "default"
Record = dict[str, Any]


def usual() -> list[Shape]:
    """Tall, square and wide, alike and not, texts and categories."""
    dense = [(20_000, 100, 0.5), (50_000, 20, 0.5), (10_000, 500, 0.5), (2_000, 500, 0.9), (2_000, 2_000, 0.5)]
    dense += [(500, 5_000, 0.5), (1_000, 20_000, 0.0), (300, 20_000, 0.9)]
    found = [Shape("neighbours", n, p, alike=alike) for n, p, alike in dense]
    found += [Shape("breast cancer", 569, 30), Shape("factors", 2_000, 3_000)]
    found += [
        Shape("text", n, p, per_row=row, spread=5.0) for n, p, row in ((2_000, 30_000, 60), (10_000, 100_000, 100))
    ]
    found += [Shape("counts", 2_000, 30_000, per_row=60, spread=5.0)]
    return found + [
        Shape("levels", n, sum(m), levels=m, spread=1.5) for n, m in ((20_000, (5_000,)), (50_000, (200,) * 5))
    ]


def made(shape: Shape) -> tuple[Any, Array]:
    """X and labels of 0.0 and 1.0; the columns of a data set as they usually are fitted, standardised."""
    X, y = shape.made()
    if shape.kind == "breast cancer":
        X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X, y.astype(np.float64)


@dataclass
class Meeting:
    """All who fit one problem on one shape."""

    problem: Problem
    judge: PathJudge
    workers: dict[tuple[str, str], Worker]
    longest: float

    def attempt(self, solver: Solver, setting: str, tol: float, limit: float = inf) -> Record:
        """One measurement: fits until `SHORT` is over; the first of several is not counted."""
        worker = self.workers[solver.home, setting]
        run = worker.fit(solver.name, self.problem, tol, limit, SHORT)
        off = self.judge.suboptimality(self.judge.loss(run.beta))
        seconds = median(run.seconds[1:] or run.seconds)
        return {
            "solver": solver.name,
            "setting": setting,
            "tol": tol,
            "seconds": seconds,
            "off": off,
            "passes": run.passes,
        }

    def climb(self, solver: Solver, setting: str, best: float) -> list[Record]:
        """Up the ladder of tolerances to the target, unless the best peer is far ahead; says what keeps it off."""
        trials: list[Record] = []
        limit = min(self.longest, max(2.0, 10 * best))
        begin = time.monotonic()
        try:
            self.attempt(solver, setting, solver.tols[0], limit + solver.warm_up)
            for tol in solver.tols:
                trials.append(self.attempt(solver, setting, tol, limit))
                late = time.monotonic() - begin > CLIMB * min(self.longest, max(1.0, best))
                if trials[-1]["off"] <= TARGET or trials[-1]["seconds"] > PATIENCE * best or late:
                    break
            why = "too slow or not close enough"
        except Failed as failure:  # what it has shown so far counts
            why = str(failure)
        if quickest(trials) is None:
            shown = [f"{t['off']:.0e} in {spell_time(t['seconds'])} at {t['tol']:.0e}" for t in trials[-1:]]
            print(f"    {solver.name}: {'; '.join([why, *shown])}", flush=True)
        return trials

    def held(self, peers: list[Solver]) -> tuple[Record, list[Record]]:
        """Ours, and the peers that reached the target, the fastest first."""
        ours = CAST[self.problem.kind][OURS.name]
        mine = quickest(self.climb(ours, FREE, inf))
        if mine is None:
            raise Failed(f"ours did not reach the target: {self.problem}")
        theirs: list[Record] = []
        for peer in peers:
            for setting in (FREE,) if peer.name == "adelie" else (ONE,):
                best = min((t["seconds"] for t in theirs), default=inf)
                found = quickest(self.climb(peer, setting, best))
                theirs += [] if found is None else [found]
        theirs.sort(key=lambda t: t["seconds"])
        close = [t for t in theirs if t["seconds"] < 1.5 * theirs[0]["seconds"]][:2]
        lanes = [mine, *close]
        spent = sum(max(t["seconds"], SHORT) for t in lanes)
        for lane in lanes:
            lane["turns"] = []
        for _ in range(min(9, max(3, int(2.0 / spent)))):
            for lane in lanes:
                solver = CAST[self.problem.kind][lane["solver"]]
                lane["turns"].append(self.attempt(solver, lane["setting"], lane["tol"])["seconds"])
        for lane in lanes:
            lane["seconds"] = median(lane.pop("turns"))
        return mine, sorted(theirs, key=lambda t: t["seconds"])


def quickest(trials: list[Record]) -> Record | None:
    return min((t for t in trials if t["off"] <= TARGET), key=lambda t: t["seconds"], default=None)


def problems(single: bool, paths: bool) -> list[Problem]:
    """Of each shape; for the strengths see `Problem.on`."""
    found = []
    for ratio in RATIOS:
        one = [(1, share) for share in SHARES] if single else []
        for grid in [*one, *([PATH] if paths else [])]:
            name = f"{'lasso' if ratio == 1 else 'net'} {f'{grid[1]:g}' if grid[0] == 1 else f'path of {grid[0]}'}"
            kind = "lasso" if grid[0] == 1 else "path"
            found.append(Problem(name, "", inf, TARGET, kind=kind, l1_ratio=ratio, grid=grid))
    return found


def reference(problem: Problem, X: Any, y: Array, worker: Worker) -> PathJudge:
    ours = CAST[problem.kind][OURS.name]
    start = worker.fit(ours.name, problem, ours.reference).beta
    return PathJudge(X, y, problem.strengths, problem.l1_ratio, start)


def on_shape(shape: Shape, folder: Path, workers: dict[tuple[str, str], Worker], options: Any) -> list[Record]:
    X, y = made(shape)
    write(X, y, folder)
    for worker in workers.values():
        worker.turn_to(folder)
    records = []
    for problem in problems(not options.paths_only, not options.fits_only):
        if not re.search(options.what, problem.name):
            continue
        problem = problem.on(X, y)
        judge = reference(problem, X, y, workers["here", FREE])
        peers = [CAST[problem.kind][name] for name in PEERS if name in options.peers]
        peers = [
            p for p in peers if not missing(p.home, p.package) and (problem.l1_ratio == 1 or p.name not in OF_LASSOS)
        ]
        peers = [p for p in peers if not (p.name == "liblinear" and problem.kind == "path")]
        mine, theirs = Meeting(problem, judge, workers, options.longest).held(peers)
        ratio = theirs[0]["seconds"] / mine["seconds"] if theirs else None
        name = f"{shape.kind} {shape.rows:,} x {shape.columns:,}, {problem.name}"
        records.append({"shape": name, "ours": mine, "default": mine, "peers": theirs, "ratio": ratio})
        records[-1]["unproven"] = judge.unproven()
        print(line(records[-1]), flush=True)
    shutil.rmtree(folder)
    return records


def line(r: Record) -> str:
    ours = r["ours"]
    said = [f"{t['solver']} {spell_time(t['seconds'])}" for t in r["peers"][:2]]
    mine = f"{spell_time(ours['seconds'])}, {ours['passes']} reads, tol {ours['tol']:.0e}"
    proof = "" if r["unproven"] < TARGET / 3 else f" (proven to {r['unproven']:.0e})"
    return f"{r['shape']:48s} {mine:32s} {'; '.join(said):52s} {r['ratio'] or float('nan'):6.2f}{proof}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corners", description=__doc__)
    parser.add_argument("--only", default=".", metavar="PATTERN", help="shapes whose name has this regular expression")
    parser.add_argument("--what", default=".", metavar="PATTERN", help="problems, such as 'lasso 0.1', 'net' or 'path'")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS, metavar="SOLVER", help="these only")
    parser.add_argument("--fits-only", action="store_true", help="no paths")
    parser.add_argument("--paths-only", action="store_true", help="paths alone")
    parser.add_argument(
        "--longest", type=float, default=10.0, metavar="SECONDS", help="that a fit of a peer may take (default 10)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the results go")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    records: list[Record] = []
    root = Path(tempfile.mkdtemp(prefix="evenodds-corners-"))
    try:
        with ExitStack() as stack:
            homes = {"here": None, "peers": PEERS_PYTHON}
            workers = {
                (home, setting): stack.enter_context(Worker(root, SETTINGS[setting], python))
                for home, python in homes.items()
                for setting in (ONE, FREE)
            }
            for shape in usual():
                if re.search(options.only, str(shape)):
                    records += on_shape(shape, root / "data", workers, options)
    finally:
        shutil.rmtree(root)
    print(summary(records))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "problems": records}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
