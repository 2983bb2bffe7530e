"""Processes that own the data and fit on request, each under its own thread setting.

Thread pools read their environment when they are loaded, so a setting needs a process that starts with it.
A process also bounds the time of a peer: it can be ended in the middle of a fit, and the next request starts
a new one.
"""

from __future__ import annotations

import multiprocessing
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.problems import Array, Problem, load
from benchmarks.solvers import SOLVERS

SPAWN = multiprocessing.get_context("spawn")
OF_THREADS = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "MKL_NUM_THREADS",
)


class Failed(Exception):
    """A request that has no answer: out of time, out of memory, an error of the solver."""


@dataclass(frozen=True)
class Run:
    seconds: tuple[float, ...]
    beta: Array
    passes: int | None


class Worker:
    """A process with one data set under one thread setting; it starts with its first request."""

    def __init__(self, folder: Path, setting: dict[str, str]) -> None:
        self.folder, self.setting = folder, setting
        self.process: Any = None

    def fit(self, solver: str, problem: Problem, tol: float, limit: float = inf, at_least: float = 0.0) -> Run:
        """Fit once, and again until `at_least` seconds have gone by; a fit may take `limit` seconds."""
        return self._ask((solver, problem, tol, at_least), limit, at_least)

    def read(self) -> tuple[float, ...]:
        """Seconds of X.sum(), the yardstick: one read of X, by NumPy, on one core."""
        return self._ask("read")

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.connection.close()
            self.process = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _ask(self, request: Any, limit: float = inf, grace: float = 0.0) -> Any:
        if self.process is None:
            with environment(self.setting):
                self.process, self.connection = start(_serve, self.folder)
            self._receive(inf, 0.0)  # the data are loaded
        self.connection.send(request)
        return self._receive(limit, grace)

    def _receive(self, limit: float, grace: float) -> Any:
        try:
            if not self.connection.poll(None if limit == inf else limit + grace):
                self.close()
                raise Failed(f"stopped after {limit:.3g} s")
            answer = self.connection.recv()
        except EOFError:
            self.close()
            raise Failed("the process died") from None
        if isinstance(answer, str):
            raise Failed(answer)
        return answer


@contextmanager
def environment(setting: dict[str, str]) -> Iterator[None]:
    """What a new process inherits: this environment, but of the thread variables only those in `setting`."""
    before = dict(os.environ)
    for name in OF_THREADS:
        os.environ.pop(name, None)
    os.environ.update(setting)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def start(function: Callable[..., None], *args: Any) -> tuple[Any, Connection]:
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=function, args=(there, *args))
    process.start()
    there.close()  # so that the death of the process is seen as the end of the file
    return process, here


def in_new_process(function: Callable[..., Any], *args: Any) -> Any:
    """The function's result, from a process of its own under the default thread setting."""
    with environment({}):
        process, connection = start(_call, function, args)
    try:
        answer = connection.recv()
    except EOFError:
        raise Failed("the process died") from None
    finally:
        process.join()
        connection.close()
    if isinstance(answer, str):
        raise Failed(answer)
    return answer


def _call(connection: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    warnings.simplefilter("ignore")
    try:
        connection.send(function(*args))
    except Exception as error:
        connection.send(in_words(error))


def _serve(connection: Connection, folder: Path) -> None:
    warnings.simplefilter("ignore")  # a loose tolerance is meant to stop early
    X, y = load(folder)
    layouts: dict[str, Any] = {}
    connection.send(True)
    while True:
        try:
            request = connection.recv()
        except EOFError:
            return
        try:
            connection.send(_reads(X) if request == "read" else _fits(X, y, layouts, *request))
        except Exception as error:
            connection.send(in_words(error))


def _reads(X: Any) -> tuple[float, ...]:
    values = X if isinstance(X, np.ndarray) else X.data
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        values.sum()
        seconds.append(time.perf_counter() - begin)
    return tuple(seconds)


def _fits(X: Any, y: Array, layouts: dict[str, Any], name: str, problem: Problem, tol: float, at_least: float) -> Run:
    solver = SOLVERS[name]
    if name not in layouts:
        layouts[name] = solver.prepare(X)
    seconds: list[float] = []
    while not seconds or sum(seconds) < at_least:
        begin = time.perf_counter()
        beta, passes = solver.fit(layouts[name], y, problem, tol)
        seconds.append(time.perf_counter() - begin)
    return Run(tuple(seconds), beta, passes)


def in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
