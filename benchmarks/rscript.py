"""glmnet in R, for those who want it as a contestant: `RWorker` is asked as a `Worker` is, and speaks to glmnet.R."""

from __future__ import annotations

import selectors
import subprocess
from functools import cache
from math import inf
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np

from benchmarks.problems import Problem, load
from benchmarks.workers import Failed, Run, end, environment

SCRIPT = Path(__file__).with_name("glmnet.R")
HESSIANS = {"glmnet": "Newton", "glmnet, modified Newton": "modified.Newton"}


@cache
def glmnet_version() -> str:
    """Empty where there is no R, or no glmnet in it."""
    if which("Rscript") is None:
        return ""
    show = 'cat(as.character(packageVersion("glmnet")))'
    return subprocess.run(["Rscript", "-e", show], capture_output=True, text=True).stdout.strip()


class RWorker:
    """A process of R with one data set, in columns and in a file that R can read; it starts with its first request."""

    def __init__(self, folder: Path, setting: dict[str, str]) -> None:
        self.folder, self.setting = folder, setting
        self.process: Any = None

    def fit(self, solver: str, problem: Problem, tol: float, limit: float = inf, at_least: float = 0.0) -> Run:
        if self.process is None:
            self._start()
        numbers = (problem.l1_ratio, tol, at_least, *problem.strengths)
        request = [str(self.columns), HESSIANS[solver], *(f"{number:.17g}" for number in numbers)]
        self.process.stdin.write(" ".join(request) + "\n")
        self.process.stdin.flush()
        seconds = self._receive(limit + at_least)
        beta = np.fromfile(self.folder / "glmnet.bin").reshape(len(problem.strengths), -1)
        return Run(seconds, beta, None)

    def close(self) -> None:
        if self.process is not None:
            end(self.process.pid)
            self.process.communicate()
            self.process = None

    def __enter__(self) -> RWorker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _start(self) -> None:
        X, y = load(self.folder)
        self.columns = X.shape[1]
        if not (self.folder / "X.bin").exists():
            np.ascontiguousarray(X.T).tofile(self.folder / "X.bin")
            y.tofile(self.folder / "y.bin")
        pipe = subprocess.PIPE
        with environment(self.setting):
            self.process = subprocess.Popen(
                ["Rscript", str(SCRIPT), str(self.folder)], stdin=pipe, stdout=pipe, text=True, start_new_session=True
            )

    def _receive(self, limit: float) -> tuple[float, ...]:
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(None if limit == inf else limit):
                self.close()
                raise Failed(f"stopped after {limit:.3g} s")
        line = self.process.stdout.readline()
        if not line:
            self.close()
            raise Failed("the process died")
        if line.startswith("error"):
            raise Failed(line[6:].strip())
        return tuple(float(word) for word in line.split())
