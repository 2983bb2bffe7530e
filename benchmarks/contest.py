"""Time at equal suboptimality: who reaches the target first, and by how much.

1. Everybody climbs a ladder of tolerances, from loose to tight, until the judge sees the target reached;
   then half a rung back, so that nobody pays for accuracy that was not asked for.
2. A peer climbs under the first thread setting and repeats its tolerance under the others. A fit is stopped
   when it can no longer win: after (1 + cores) times the best peer so far, because threads cannot gain more
   than the number of cores; in any case after the budget.
3. Ours and the peers within 1.3 times of the best one run in turns, so that a slow minute of the machine is
   everybody's. These are the times in the table.

Every process has done a fit of the same problem before its times count.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.problems import Array, DataSet, Problem, raw_scales
from benchmarks.score import FirthJudge, Judge
from benchmarks.solvers import DEFAULT_TOL, OURS, PEERS, SETTINGS, SOLVERS, Solver
from benchmarks.workers import Failed, Worker

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
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

    worker: Worker
    solver: Solver
    setting: str
    problem: Problem
    judge: Judge
    at_home: Callable[[Array], Array] | None = None

    def attempt(self, tol: float, limit: float = inf) -> Trial:
        run = self.worker.fit(self.solver.name, self.problem, tol, limit, at_least=0.1)
        beta = run.beta if self.at_home is None else self.at_home(run.beta)
        suboptimality = self.judge.suboptimality(self.judge.loss(beta))
        seconds = median(run.seconds)
        return Trial(self.solver.name, self.setting, tol, seconds, suboptimality, run.passes, len(run.seconds))

    def climb(self, limit: float, say: Say) -> tuple[list[Trial], str]:
        """All trials up the ladder, and why it ended before the target (empty when it did not)."""
        trials: list[Trial] = []
        try:
            self.attempt(self.solver.tols[0], limit)  # to warm up
            for tol in self.solver.tols:
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
    judge: Judge
    folder: Path
    budget: float
    say: Say

    def __post_init__(self) -> None:
        self.trials: list[Trial] = []

    def lane(self, worker: Worker, solver: Solver, setting: str) -> Lane:
        return Lane(worker, solver, setting, self.problem, self.judge)

    def try_peer(self, peer: Solver) -> str:
        """The peer under every thread setting that may still win; what became of it, in words."""
        mine: list[Trial] = []
        for setting, variables in SETTINGS.items():
            best, own = (quickest(trials, self.problem.target) for trials in (self.trials, mine))
            limit = (1 + CORES) * best.seconds if best else inf
            if own and own.seconds > limit:
                break
            limit = min(max(limit, SHORTEST), self.budget)
            with Worker(self.folder, variables) as worker:
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
        return f"{spell_time(won.seconds)}, {won.setting}" if won else closest(mine)

    def _repeat(self, lane: Lane, tol: float, limit: float) -> list[Trial]:
        try:
            lane.attempt(lane.solver.tols[0], limit)  # to warm up
            trial = lane.attempt(tol, limit)
        except Failed as failure:
            self.say(f"{lane.solver.name}, {lane.setting}: {failure}")
            return []
        self.say(str(trial))
        return [trial]

    def rivals(self) -> list[Trial]:
        """At most three peers with their settings, each at its fastest, within 1.3 times of the best."""
        fastest: dict[tuple[str, str], Trial] = {}
        for trial in sorted(reached(self.trials, self.problem.target), key=lambda t: t.seconds):
            fastest.setdefault((trial.solver, trial.setting), trial)
        ranked = list(fastest.values())
        return [t for t in ranked if t.seconds <= 1.3 * ranked[0].seconds][:3]

    def finish(self, ours: Sequence[tuple[Lane, float]]) -> list[Trial]:
        """The last rounds: one Trial for each of `ours`, then one for each rival."""
        rivals = self.rivals()
        slowest = max((rival.seconds for rival in rivals), default=0.1)
        with ExitStack() as stack:
            lanes = list(ours)
            for rival in rivals:
                worker = stack.enter_context(Worker(self.folder, SETTINGS[rival.setting]))
                lanes.append((self.lane(worker, SOLVERS[rival.solver], rival.setting), rival.tol))
            return take_turns(lanes, min(9, max(3, int(40 / slowest))), self.say)


def contest(data: DataSet, problem: Problem, X: Any, y: Array, folder: Path, options: Any, say: Say) -> Record:
    """The record of one problem: ours, the best peer, their ratio, and what became of every peer."""
    entered, outcomes = entrants(options.solvers, problem, data)
    with Worker(folder, {}) as worker:
        start = None
        if OURS in entered:
            try:
                start = worker.fit(OURS.name, problem, DEFAULT_TOL, options.budget).beta
            except Failed as failure:
                outcomes[OURS.name] = str(failure)
                entered.remove(OURS)
        kind = FirthJudge if problem.firth else Judge
        judge = kind(X, y, np.full(X.shape[1], 1 / (problem.C * len(y))), start)
        arena = Arena(problem, judge, folder, options.budget, say)
        own: list[tuple[Lane, float]] = []
        best = None
        if OURS in entered:
            lane = arena.lane(worker, OURS, "default")
            trials, reason = lane.climb(options.budget, say)
            best = quickest(trials, problem.target)
            outcomes[OURS.name] = reason or f"{spell_time(best.seconds) if best else closest(trials)}"
            own = [(lane, tol) for tol in (best.tol if best else DEFAULT_TOL, DEFAULT_TOL)]
        for peer in entered:
            if peer is not OURS:
                outcomes[peer.name] = arena.try_peer(peer)
        final = arena.finish(own)
        read = median(worker.read()) if own else None
    mine, peers = final[: len(own)], sorted(final[len(own) :], key=lambda t: t.seconds)
    record = summary(mine[0] if best else None, mine[-1] if mine else None, peers[0] if peers else None, read)
    shape = {"problem": problem.name, "rows": X.shape[0], "columns": X.shape[1], "target": problem.target}
    C = problem.C if isfinite(problem.C) else "inf"  # JSON has no infinity
    return {**shape, "C": C, **record, "outcomes": outcomes, "trials": [vars(t) for t in arena.trials]}


def entrants(solvers: Sequence[Solver], problem: Problem, data: DataSet) -> tuple[list[Solver], dict[str, str]]:
    """Who takes part, in the order of PEERS, and a note for those who are not installed."""
    willing = [s for s in (OURS, *PEERS) if s in solvers and s.enters(problem, data.sparse)]
    missing = [s for s in willing if importlib.util.find_spec(s.package) is None]
    notes = {s.name: f"skipped: {s.package} is not installed" for s in missing}
    return [s for s in willing if s not in missing], notes


def summary(ours: Trial | None, default: Trial | None, peer: Trial | None, read: float | None) -> Record:
    return {
        "ours": ours and vars(ours),
        "ours_default": default and vars(default),
        "peer": peer and vars(peer),
        "ratio": peer.seconds / ours.seconds if ours and peer else None,
        "read_seconds": read,
        "reads": ours.seconds / read if ours and read else None,
    }


def take_turns(lanes: Sequence[tuple[Lane, float]], rounds: int, say: Say) -> list[Trial]:
    """One Trial a lane: the median time of all rounds, the worst suboptimality."""
    for lane, tol in lanes:
        lane.attempt(tol)  # to warm up
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
