"""`python -m benchmarks.sweep`: the usual shapes, warm, against scikit-learn's solvers and glum at their best setting.

A time is the least of the tolerances at which a solver comes within 1e-6 of the lowest loss that anyone found, relative
to it. First each peer climbs its ladder of tolerances with one BLAS thread; the two best then repeat it with as many as
they like. Ours, at that tolerance and at its default, and the best peers run in turns: medians of these are in the
record. A process lives through all shapes, so that every fit is a warm one.
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
from math import inf, isfinite, log
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from scipy import sparse

from benchmarks.cast import CAST
from benchmarks.contest import missing, spell_time
from benchmarks.problems import Array, Problem
from benchmarks.score import value
from benchmarks.shapes import Shape, between, usual
from benchmarks.solvers import DEFAULT_TOL, OURS, SETTINGS, Solver
from benchmarks.table import machine
from benchmarks.workers import Failed, Worker
from evenodds import __version__

RESULTS = Path(__file__).parent / "results"
TARGET = 1e-6
SHORT = 0.03  # seconds that a measurement takes at the least
PATIENCE = 3.0  # times the best peer so far, after which a peer cannot win and climbs no further
ENDED = 10.0  # the same, after which its process is ended
CLIMB = 3  # times the best peer so far, or the longest fit: what a climb may take
MOST_HESSIAN = 3000  # coefficients of whoever makes a Hessian
PEERS = ("lbfgs", "newton-cg", "newton-cholesky", "glum", "glum lbfgs", "liblinear primal", "liblinear dual")
OF_HESSIANS = ("newton-cholesky", "glum")
ALONE, FREE = "one BLAS thread", "default"
Record = dict[str, Any]


@dataclass
class Trial:
    """Fits of one solver at one tolerance."""

    solver: str
    setting: str
    tol: float
    seconds: float
    value: float
    passes: int | None

    def reaches(self, low: float) -> bool:
        return self.value <= low + TARGET * abs(low)


@dataclass
class Meeting:
    """All who fit one shape, and the lowest loss that anyone has found."""

    shape: Shape
    X: Any
    y: Array
    workers: dict[str, Worker]
    longest: float
    low: float = inf

    def __post_init__(self) -> None:
        self.kind = "smooth" if self.shape.classes == 2 else "classes"
        self.problem = Problem("sweep", "", self.shape.C, TARGET, kind=self.kind)

    def attempt(self, solver: Solver, setting: str, tol: float, limit: float = inf) -> Trial:
        """One measurement: fits until `SHORT` is over; the first of several is not counted."""
        run = self.workers[setting].fit(solver.name, self.problem, tol, limit, SHORT)
        beta = np.atleast_2d(run.beta)
        found = value(self.X, self.y, self.shape.C, beta[:, 0], beta[:, 1:])
        self.low = min(self.low, found)
        return Trial(solver.name, setting, tol, median(run.seconds[1:] or run.seconds), found, run.passes)

    def climb(self, solver: Solver, best: float) -> list[Trial]:
        """Up the ladder of tolerances until the target is reached, or the best peer is far ahead."""
        trials: list[Trial] = []
        limit = min(self.longest, max(2.0, ENDED * best))
        begin = time.monotonic()
        try:
            self.attempt(solver, ALONE, solver.tols[0], limit)
            for tol in solver.tols:
                trials.append(self.attempt(solver, ALONE, tol, limit))
                late = trials[-1].seconds > PATIENCE * best or time.monotonic() - begin > CLIMB * min(
                    self.longest, max(1.0, best)
                )
                if trials[-1].reaches(self.low) or late:
                    break
        except Failed:
            pass  # what it has shown so far counts
        return trials

    def quickest(self, trials: list[Trial]) -> Trial | None:
        return min((t for t in trials if t.reaches(self.low)), key=lambda t: t.seconds, default=None)

    def peers(self) -> list[Solver]:
        """Who takes part: whoever is installed, and of Hessians only where there are not too many coefficients."""
        wide = self.shape.columns * (1 if self.shape.classes == 2 else self.shape.classes) > MOST_HESSIAN
        cast = [solver for name in PEERS if (solver := CAST[self.kind].get(name))]
        cast = [s for s in cast if not missing(s.home, s.package) and not (wide and s.name in OF_HESSIANS)]
        penalised = isfinite(self.shape.C)  # liblinear does without a penalty only by a large C
        return [solver for solver in cast if penalised or not solver.name.startswith("liblinear")]

    def held(self) -> Record:
        """The record of the shape."""
        ours = CAST[self.kind][OURS.name]
        mine = [self.attempt(ours, FREE, tol) for tol in (1e-7, 1.0, 1e-1, 1e-2, DEFAULT_TOL)]
        theirs: dict[str, list[Trial]] = {}
        for peer in self.peers():
            best = self.quickest([t for trials in theirs.values() for t in trials])
            theirs[peer.name] = self.climb(peer, best.seconds if best else inf)
        ranked = sorted((t for found in theirs.values() if (t := self.quickest(found))), key=lambda t: t.seconds)
        for trial in ranked[:2]:
            try:
                peer = CAST[self.kind][trial.solver]
                found = [self.attempt(peer, FREE, trial.tol, PATIENCE * trial.seconds + 0.5) for _ in range(2)]
                theirs[trial.solver].append(found[-1])
            except Failed:
                continue
        own = self.quickest(mine)
        lanes = [(ours, FREE, own.tol if own else DEFAULT_TOL), (ours, FREE, DEFAULT_TOL)]
        fastest = [t for found in theirs.values() if (t := self.quickest(found))]
        close = sorted(fastest, key=lambda t: t.seconds)[:2]
        lanes += [(CAST[self.kind][t.solver], t.setting, t.tol) for t in close if t.seconds < 1.5 * close[0].seconds]
        first, default, *rivals = self.in_turns(lanes)
        others = [t for t in fastest if t.solver not in {rival.solver for rival in rivals}]
        return self.record(first, default, sorted([*rivals, *others], key=lambda t: t.seconds), bool(own))

    def in_turns(self, lanes: list[tuple[Solver, str, float]]) -> list[Trial]:
        """Medians of rounds in which everybody has a turn."""
        rounds = [[self.attempt(*lane) for lane in lanes]]
        spent = sum(max(t.seconds, SHORT) for t in rounds[0])
        rounds += [[self.attempt(*lane) for lane in lanes] for _ in range(min(8, max(2, int(2.0 / spent))))]
        turns = [list(turn) for turn in zip(*rounds, strict=True)]
        for turn in turns:
            turn[-1].seconds = median(t.seconds for t in turn)
        return [turn[-1] for turn in turns]

    def record(self, ours: Trial, default: Trial, peers: list[Trial], reached: bool) -> Record:
        best = peers[0] if peers else None
        ratio = best.seconds / ours.seconds if best and reached else None
        same: Record = {"shape": str(self.shape), "kind": self.shape.kind, "classes": self.shape.classes}
        same |= {"rows": self.shape.rows, "columns": self.shape.columns, "low": self.low, "reached": reached}
        return same | {"ours": vars(ours), "default": vars(default), "peers": [vars(t) for t in peers], "ratio": ratio}


def write(X: Any, y: Array, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    np.save(folder / "y.npy", y)
    if sparse.issparse(X):
        sparse.save_npz(folder / "X.npz", X, compressed=False)
    else:
        np.save(folder / "X.npy", X)


def line(r: Record) -> str:
    ours, default, best = r["ours"], r["default"], (r["peers"] or [None])[0]
    off = (default["value"] - r["low"]) / abs(r["low"])
    at_default = f"default {spell_time(default['seconds'])}, {off:.0e}, {default['passes']} reads"
    mine = f"{spell_time(ours['seconds'])} ({at_default})"
    theirs = f"{best['solver']}, {best['setting']} {spell_time(best['seconds'])}" if best else "no peer"
    return f"{r['shape']:45s} {mine:48s} {theirs:45s} {r['ratio'] or float('nan'):6.2f}"


def summary(records: list[Record]) -> str:
    """How many are at least as fast, the geometric mean, and which are not."""
    known = [r for r in records if r["ratio"]]
    ahead = sum(r["ratio"] >= 1 for r in known)
    mean = np.exp(sum(log(r["ratio"]) for r in known) / max(1, len(known)))
    slower = [f"{r['shape']} {r['ratio']:.2f}" for r in sorted(known, key=lambda r: r["ratio"]) if r["ratio"] < 1]
    dear = max((r["default"]["seconds"] / r["ours"]["seconds"] for r in known), default=0)
    said = (
        f"at least as fast at {ahead} of {len(records)} shapes, geometric mean of the ratios {mean:.2f}; the default "
    )
    said += f"tolerance takes at most {dear:.2f} times as long as our loosest"
    return said + ("; slower: " + "; ".join(slower) if slower else "")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--rows", type=float, default=1.0, metavar="TIMES", help="so many times the rows")
    parser.add_argument("--columns", type=float, default=1.0, metavar="TIMES", help="so many times the columns")
    parser.add_argument("--seed", type=int, default=0, help="other data")
    parser.add_argument("--between", action="store_true", help="other shapes, between the usual ones")
    parser.add_argument("--only", default=".", metavar="PATTERN", help="shapes whose name has this regular expression")
    parser.add_argument(
        "--longest",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="that a fit of a peer may take (default 10)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the results go")
    parser.add_argument("--keep", action="store_true", help="as results of this release, of which pages are made")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    sizes = options.rows, options.columns, options.seed
    walked = between() if options.between else usual()
    shapes = [s for shape in walked if re.search(options.only, str(s := shape.resized(*sizes)))]
    records: list[Record] = []
    root = Path(tempfile.mkdtemp(prefix="evenodds-sweep-"))
    try:
        with ExitStack() as stack:
            workers = {name: stack.enter_context(Worker(root, SETTINGS[name])) for name in (ALONE, FREE)}
            for number, shape in enumerate(shapes):
                X, y = shape.made()
                write(X, y, root / str(number))
                for worker in workers.values():
                    worker.turn_to(root / str(number))
                begin = time.monotonic()
                records.append(Meeting(shape, X, y, workers, options.longest).held())
                records[-1]["took"] = time.monotonic() - begin
                shutil.rmtree(root / str(number))
                print(line(records[-1]), flush=True)
    finally:
        shutil.rmtree(root)
    print(summary(records))
    results = {"machine": machine(), "sizes": sizes, "shapes": records}
    kept = [RESULTS / f"sweep-{__version__}.json"] if options.keep else []
    for path in [*kept, *([options.json] if options.json else [])]:
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
