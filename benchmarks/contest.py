"""Time at equal suboptimality: who reaches the target first, and by how much.

1. Everybody climbs a ladder of tolerances, from loose to tight, until the judge sees the target reached;
   then half a rung back, so that nobody pays for accuracy that was not asked for.
2. A peer climbs under the first thread setting and repeats its tolerance under the others. A fit is stopped
   when it can no longer win: after (1 + cores) times the best peer so far, because threads cannot gain more
   than the number of cores; in any case after the budget.
3. Ours and the peers within 1.3 times of the best one run in turns, so that a slow minute of the machine is
   everybody's. These are the times in the table.

Every process has done a fit of the same problem before its times count.

Where a bar names a peer, its patience is longer and the peer takes part in the last rounds however slow it is.
"""

from __future__ import annotations

import importlib.util
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from math import inf, isfinite, sqrt
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.cast import CAST
from benchmarks.problems import Array, DataSet, Problem, folds, raw_scales
from benchmarks.proofs import FoldsJudge, PathJudge, SoftmaxJudge
from benchmarks.rscript import RWorker, glmnet_version
from benchmarks.score import FirthJudge, Judge
from benchmarks.solvers import CORES, DEFAULT_TOL, OURS, SETTINGS, Solver
from benchmarks.workers import PEERS_PYTHON, Failed, Worker

SHORTEST = 5.0  # seconds that any fit may take
Say = Callable[[str], None]
Record = dict[str, Any]


@dataclass
class Trial:
    """Fits of one solver at one tolerance: the median time and what it reached."""

    solver: str
    setting: str
    tol: float
    seconds: float
    suboptimality: float
    passes: int | None
    runs: int = 1

    def __str__(self) -> str:
        passes = "" if self.passes is None else f", {self.passes} passes"
        spent = f"{spell_time(self.seconds)}, {self.suboptimality:.1e}{passes}"
        return f"{self.solver}, {self.setting}, tol {self.tol:.1e}: {spent}"


@dataclass
class Lane:
    """One solver on one problem in one process. `at_home` takes coefficients to the judge's coordinates."""

    worker: Worker | RWorker
    solver: Solver
    setting: str
    problem: Problem
    judge: Any
    at_home: Callable[[Array], Array] | None = None

    def attempt(self, tol: float, limit: float = inf) -> Trial:
        run = self.worker.fit(self.solver.name, self.problem, tol, limit, at_least=0.1)
        beta = run.beta if self.at_home is None else self.at_home(run.beta)
        suboptimality = self.judge.suboptimality(self.judge.loss(beta))
        seconds = median(run.seconds)
        return Trial(self.solver.name, self.setting, tol, seconds, suboptimality, run.passes, len(run.seconds))

    def warm_up(self, limit: float = inf) -> None:
        self.attempt(self.solver.ladder(self.problem)[0], limit + self.solver.warm_up)

    def climb(self, limit: float, say: Say) -> tuple[list[Trial], str]:
        """All trials up the ladder, and why it ended before the target (empty when it did not)."""
        trials: list[Trial] = []
        try:
            self.warm_up(limit)
            for tol in self.solver.ladder(self.problem):
                trials.append(self.attempt(tol, limit))
                say(str(trials[-1]))
                if trials[-1].suboptimality <= self.problem.target:
                    break
            else:
                return trials, "its tightest tolerance falls short"
            if len(trials) > 1:
                trials.append(self.attempt(sqrt(trials[-1].tol * trials[-2].tol), limit))
                say(str(trials[-1]))
        except Failed as failure:
            return trials, "" if quickest(trials, self.problem.target) else str(failure)
        return trials, ""


@dataclass
class Arena:
    """One problem, its judge, and all that the peers have shown on it."""

    problem: Problem
    judge: Any
    folder: Path
    budget: float
    say: Say

    def __post_init__(self) -> None:
        self.trials: list[Trial] = []

    def lane(self, worker: Worker | RWorker, solver: Solver, setting: str) -> Lane:
        return Lane(worker, solver, setting, self.problem, self.judge)

    def try_peer(self, peer: Solver) -> str:
        """The peer under every thread setting that may still win; what became of it, in words."""
        mine: list[Trial] = []
        for setting in peer.settings or SETTINGS:
            best, own = (quickest(trials, self.problem.target) for trials in (self.trials, mine))
            limit = (self.problem.patience or 1 + CORES) * best.seconds if best else inf
            if own and own.seconds > limit:
                break
            limit = min(max(limit, SHORTEST), self.budget)
            with hire(peer, self.folder, setting) as worker:
                lane = self.lane(worker, peer, setting)
                if own:
                    trials = self._repeat(lane, own.tol, limit)
                else:
                    trials, reason = lane.climb(limit, self.say)
                    if reason:
                        self.trials += trials
                        return f"{reason}; {closest(trials)}"
            self.trials += trials
            mine += trials
        won = quickest(mine, self.problem.target)
        if won is None:
            return closest(mine)
        return f"{spell_time(won.seconds)}, {won.setting}" + self._reached(won)

    def _reached(self, trial: Trial) -> str:
        """Of a contest without a target, what was got for the time."""
        return "" if isfinite(self.problem.target) else f", got {trial.suboptimality:.0e}"

    def _repeat(self, lane: Lane, tol: float, limit: float) -> list[Trial]:
        try:
            lane.warm_up(limit)
            trial = lane.attempt(tol, limit)
        except Failed as failure:
            self.say(f"{lane.solver.name}, {lane.setting}: {failure}")
            return []
        self.say(str(trial))
        return [trial]

    def rivals(self) -> list[Trial]:
        """Peers that bars name, and at most three within 1.3 times of the best, each under its fastest setting."""
        fastest: dict[tuple[str, str], Trial] = {}
        for trial in sorted(reached(self.trials, self.problem.target), key=lambda t: t.seconds):
            fastest.setdefault((trial.solver, trial.setting), trial)
        ranked = list(fastest.values())
        close = [t for t in ranked if t.seconds <= 1.3 * ranked[0].seconds][:3]
        named = [next((t for t in ranked if t.solver == name), None) for name, _ in self.problem.bars if name]
        return close + [t for t in named if t is not None and t not in close]

    def finish(self, ours: Sequence[tuple[Lane, float]]) -> list[Trial]:
        """The last rounds: one Trial for each of `ours`, then one for each rival."""
        rivals = self.rivals()
        slowest = max((rival.seconds for rival in rivals), default=0.1)
        with ExitStack() as stack:
            lanes = list(ours)
            for rival in rivals:
                solver = CAST[self.problem.kind][rival.solver]
                worker = stack.enter_context(hire(solver, self.folder, rival.setting))
                lanes.append((self.lane(worker, solver, rival.setting), rival.tol))
            return take_turns(lanes, min(9, max(3, int(40 / slowest))), self.say)


def contest(data: DataSet, problem: Problem, X: Any, y: Array, folder: Path, options: Any, say: Say) -> Record:
    """The record of one problem: ours, the best peer, their ratio, and what became of every peer."""
    problem = problem.on(X, y)
    entered, outcomes = entrants(options.solvers, problem, data)
    ours = CAST[problem.kind][OURS.name]
    with Worker(folder, {}) as worker:
        judge, reason = appoint(problem, X, y, worker, ours, ours in entered, options.budget)
        if reason:
            outcomes[ours.name] = reason
            entered = [solver for solver in entered if solver is not ours]
        if judge is None:
            return {**shape(problem, X), **summary(None, [], None), "outcomes": outcomes, "trials": []}
        arena = Arena(problem, judge, folder, options.budget, say)
        own: list[tuple[Lane, float]] = []
        best = None
        if ours in entered:
            lane = arena.lane(worker, ours, "default")
            trials, reason = lane.climb(options.budget, say)
            best = quickest(trials, problem.target)
            outcomes[ours.name] = reason or f"{spell_time(best.seconds) if best else closest(trials)}"
            own = [(lane, tol) for tol in shown(problem, best)]
        for peer in entered:
            if peer is not ours:
                outcomes[peer.name] = arena.try_peer(peer)
        final = arena.finish(own)
        read = median(worker.read()) if own else None
    mine, peers = final[: len(own)], sorted(final[len(own) :], key=lambda t: t.seconds)
    record = summary(mine[0] if best else None, peers, read)
    if problem.kind != "smooth":
        record["unproven"] = judge.unproven()
        say(f"the optimum of the judge is the minimum to {record['unproven']:.0e}")
    elif mine:
        record["ours_default"] = vars(mine[-1])
    return {**shape(problem, X), **record, "outcomes": outcomes, "trials": [vars(t) for t in arena.trials]}


def shown(problem: Problem, best: Trial | None) -> list[float]:
    """Our tolerances in the last rounds: the quickest that reached the target and, of smooth problems, the default."""
    found = [best.tol] if best else []
    return found if problem.kind != "smooth" else [*(found or [DEFAULT_TOL]), DEFAULT_TOL]


def appoint(
    problem: Problem, X: Any, y: Array, worker: Worker, ours: Solver, enters: bool, budget: float
) -> tuple[Any, str]:
    """The judge, who starts from a fit of ours, and what is wrong. None where a judge cannot prove its optimum."""
    smooth = problem.kind == "smooth"
    start = None
    if enters or not smooth:
        whole = replace(problem, kind="path") if problem.kind == "lasso" else problem
        try:
            start = worker.fit(ours.name, whole, CAST[whole.kind][ours.name].reference, 10 * budget).beta
        except Failed as failure:
            return judge_of(problem, X, y, None) if smooth else None, str(failure)
    judge = judge_of(problem, X, y, start)
    if not smooth and isfinite(problem.target) and (doubt := judge.unproven()) > 0.1 * problem.target:
        return None, f"no contest: the optimum of the judge is the minimum to {doubt:.0e} only"
    return judge, ""


def shape(problem: Problem, X: Any) -> Record:
    C, target = (value if isfinite(value) else "inf" for value in (problem.C, problem.target))  # JSON has no infinity
    same = {"problem": problem.name, "kind": problem.kind, "bars": problem.bars}
    return {**same, "rows": X.shape[0], "columns": X.shape[1], "target": target, "C": C}


def judge_of(problem: Problem, X: Any, y: Array, start: Array | None) -> Any:
    if problem.kind == "smooth":
        kind = FirthJudge if problem.firth else Judge
        return kind(X, y, np.full(X.shape[1], 1 / (problem.C * len(y))), start)
    assert start is not None
    if problem.kind == "classes":
        return SoftmaxJudge(X, y, 1 / (problem.C * len(y)), start)
    if problem.kind == "cv":
        return FoldsJudge(X, y, list(folds().split(X, y)), problem.strengths, problem.l1_ratio, start)
    return PathJudge(X, y, problem.strengths, problem.l1_ratio, start)


def entrants(names: Sequence[str], problem: Problem, data: DataSet) -> tuple[list[Solver], dict[str, str]]:
    """Who takes part, ours first, and a note for those who are not installed."""
    willing = [s for s in CAST[problem.kind].values() if s.name in names and s.enters(problem, data.sparse)]
    notes = {s.name: note for s in willing if (note := missing(s.home, s.package))}
    return [s for s in willing if s.name not in notes], notes


@cache
def missing(home: str, package: str) -> str:
    """Why a peer cannot take part; empty where it can."""
    if home == "R":
        return "" if glmnet_version() else "skipped: no Rscript with glmnet"
    if home == "here":
        return "" if importlib.util.find_spec(package) else f"skipped: {package} is not installed"
    if not PEERS_PYTHON.exists():
        return f"skipped: {package} needs the environment of `make .venv-peers/.installed`"
    found = subprocess.run([str(PEERS_PYTHON), "-c", f"import {package}"], capture_output=True)
    return f"skipped: {package} is not installed in its environment" if found.returncode else ""


def hire(solver: Solver, folder: Path, setting: str) -> Worker | RWorker:
    """A process of the environment that the solver lives in."""
    if solver.home == "R":
        return RWorker(folder, SETTINGS[setting])
    return Worker(folder, SETTINGS[setting], PEERS_PYTHON if solver.home == "peers" else None)


def summary(ours: Trial | None, peers: Sequence[Trial], read: float | None) -> Record:
    """`peers` from the quickest."""
    return {
        "ours": ours and vars(ours),
        "ours_default": None,
        "peer": vars(peers[0]) if peers else None,
        "rivals": [vars(peer) for peer in peers],
        "ratio": peers[0].seconds / ours.seconds if ours and peers else None,
        "read_seconds": read,
        "reads": ours.seconds / read if ours and read else None,
    }


def take_turns(lanes: Sequence[tuple[Lane, float]], rounds: int, say: Say) -> list[Trial]:
    """One Trial a lane: the median time of all rounds, the worst suboptimality."""
    for lane, tol in lanes:
        lane.attempt(tol)  # a process of its own, which has done no fit yet
    turns: list[list[Trial]] = [[] for _ in lanes]
    for _ in range(rounds):
        for mine, (lane, tol) in zip(turns, lanes, strict=True):
            time.sleep(0.05)  # until the idle threads of the one before have stopped spinning
            mine.append(lane.attempt(tol))
    trials = []
    for (lane, tol), mine in zip(lanes, turns, strict=True):
        seconds, worst = median(t.seconds for t in mine), max(t.suboptimality for t in mine)
        runs = sum(t.runs for t in mine)
        trials.append(Trial(lane.solver.name, lane.setting, tol, seconds, worst, mine[-1].passes, runs))
        say(f"{trials[-1]}, median of {runs}")
    return trials


def scale_contest(data: DataSet, X: Array, y: Array, folder: Path, raw: Path, budget: float, say: Say) -> list[Record]:
    """Ours on raw columns against ours on standardised ones.

    With C=1 the two are different problems. So the fair pairs are C=inf, which does not see scales, and
    `standardize=True`, which puts the penalty where the standardised columns have it. Plain C=1 on raw
    columns is shown too, each fit against its own optimum.
    """
    scale, mean = raw_scales(X.shape[1])

    def at_home(beta: Array) -> Array:
        return np.append(beta[0] + mean @ beta[1:], beta[1:] * scale)

    plain, free, inside = (
        Problem(f"{data.name}-scales", data.name, C, 1e-10, standardize=standardize)
        for C, standardize in ((1.0, False), (inf, False), (1.0, True))
    )
    ridge = np.full(X.shape[1], 1 / len(y))
    records = []
    with Worker(folder, {}) as twin_worker, Worker(raw, {}) as raw_worker:
        for name, on_twin, on_raw, twin_ridge, raw_ridge in (
            ("C=inf", free, free, 0 * ridge, 0 * ridge),
            ("C=1, standardize=True", plain, inside, ridge, ridge * X.var(axis=0)),
            ("C=1, penalty on the raw scale", plain, plain, ridge, ridge / scale**2),
        ):
            twin = Lane(twin_worker, OURS, "standardised", on_twin, Judge(X, y, twin_ridge))
            other = Lane(raw_worker, OURS, "raw", on_raw, Judge(X, y, raw_ridge), at_home)
            say(name)
            records.append({"data": data.name, "objective": name, **duel(twin, other, budget, say)})
    return records


def duel(twin: Lane, raw: Lane, budget: float, say: Say) -> Record:
    lanes, reasons = [], []
    for lane in (twin, raw):
        trials, reason = lane.climb(budget, say)
        if best := quickest(trials, lane.problem.target):
            lanes.append((lane, best.tol))
        else:
            reasons.append(f"{lane.setting}: {reason}; {closest(trials)}")
    if reasons:
        return {"standardised": None, "raw": None, "ratio": None, "reasons": reasons}
    a, b = take_turns(lanes, 9, say)
    return {"standardised": vars(a), "raw": vars(b), "ratio": b.seconds / a.seconds, "reasons": []}


def reached(trials: Sequence[Trial], target: float) -> list[Trial]:
    return [trial for trial in trials if trial.suboptimality <= target]


def quickest(trials: Sequence[Trial], target: float) -> Trial | None:
    return min(reached(trials, target), key=lambda t: t.seconds, default=None)


def closest(trials: Sequence[Trial]) -> str:
    if not trials:
        return "no fit finished"
    best = min(trials, key=lambda t: t.suboptimality)
    return f"got {best.suboptimality:.0e} in {spell_time(best.seconds)}"


def spell_time(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
