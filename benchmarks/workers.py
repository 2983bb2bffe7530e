"""Processes that own the data and fit on request, each under its own thread setting.

Thread pools read their environment when they are loaded, so a setting needs a process that starts with it.
A process also bounds the time of a peer: it can be ended in the middle of a fit, and the next request starts
a new one.

A peer that needs another NumPy has an environment of its own (`make .venv-peers/.installed`, or the folder that the
variable EVENODDS_PEERS names). There the same loop runs, `python -m benchmarks.workers`, and speaks through an
inherited socket; it imports NumPy, SciPy and the peer, nothing of ours but this package.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cast import CAST
from benchmarks.problems import Array, Problem, load

# On a machine that others use, the seconds of a process on its cores say more than those on the wall.
clock = time.process_time if os.environ.get("EVENODDS_CLOCK") == "cpu" else time.perf_counter
ROOT = Path(__file__).resolve().parents[1]
PEERS_PYTHON = Path(os.environ.get("EVENODDS_PEERS", ROOT / ".venv-peers")) / "bin" / "python"
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
    """A process with one data set under one thread setting; it starts with its first request.

    python : of another environment; None for this one
    """

    def __init__(self, folder: Path, setting: dict[str, str], python: Path | None = None) -> None:
        self.folder, self.setting, self.python = folder, setting, python
        self.process: Any = None

    def fit(self, solver: str, problem: Problem, tol: float, limit: float = inf, at_least: float = 0.0) -> Run:
        """Fit once, and again until `at_least` seconds have gone by; a fit may take `limit` seconds."""
        seconds, numbers, shape, passes = self._ask((solver, problem, tol, at_least), limit, at_least)
        return Run(seconds, np.frombuffer(numbers).reshape(shape), passes)

    def turn_to(self, folder: Path) -> None:
        """Go on with the data of another folder."""
        self.folder = folder
        if self.process is not None:
            self._ask(folder)

    def read(self) -> tuple[float, ...]:
        """Seconds of X.sum(), the yardstick: one read of X, by NumPy, on one core."""
        return self._ask("read")

    def close(self) -> None:
        if self.process is not None:
            end(self.process.pid)
            (self.process.join if self.python is None else self.process.wait)()
            self.connection.close()
            self.process = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _ask(self, request: Any, limit: float = inf, grace: float = 0.0) -> Any:
        if self.process is None:
            with environment(self.setting):
                starts = start(_serve, self.folder) if self.python is None else elsewhere(self.python, self.folder)
                self.process, self.connection = starts
            self._receive(inf, 0.0)  # the data are loaded
        self.connection.send(request)
        return self._receive(limit, grace)

    def _receive(self, limit: float, grace: float) -> Any:
        try:
            if not self.connection.poll(None if limit == inf else limit + grace):
                self.close()
                raise Failed(f"stopped after {limit:.3g} s")
            answer = self.connection.recv()
        except (EOFError, ConnectionError):
            self.close()
            raise Failed("the process died") from None
        if isinstance(answer, str):
            raise Failed(answer)
        return answer


def end(pid: int) -> None:
    """The worker and the processes that its peer has started."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (AttributeError, OSError):  # no groups on this system, or none yet
        with suppress(OSError):
            os.kill(pid, signal.SIGTERM)


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


def elsewhere(python: Path, folder: Path) -> tuple[Any, Connection]:
    """As `start`, in another environment."""
    here, there = multiprocessing.Pipe()
    socket = there.fileno()
    command = [str(python), "-m", "benchmarks.workers", str(folder), str(socket)]
    process = subprocess.Popen(command, cwd=ROOT, pass_fds=[socket], stdin=subprocess.DEVNULL)
    there.close()
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
    if hasattr(os, "setsid"):
        os.setsid()  # a group of its own, which `end` ends
    request: Any = folder
    while True:
        try:
            if isinstance(request, Path):
                layouts: dict[str, Any] = {}
                X, y = load(request)
                connection.send(True)
            else:
                connection.send(_reads(X) if request == "read" else _fits(X, y, layouts, *request))
        except Exception as error:
            connection.send(in_words(error))
        try:
            request = connection.recv()
        except EOFError:
            return


def _reads(X: Any) -> tuple[float, ...]:
    values = X if isinstance(X, np.ndarray) else X.data
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        values.sum()
        seconds.append(time.perf_counter() - begin)
    return tuple(seconds)


def _fits(X: Any, y: Array, layouts: dict[str, Any], name: str, problem: Problem, tol: float, at_least: float) -> Any:
    """What `Worker.fit` makes a Run of: bytes, because pickled arrays are bound to a version of NumPy."""
    solver = CAST[problem.kind][name]
    if name not in layouts:
        layouts[name] = solver.prepare(X)
    seconds: list[float] = []
    while not seconds or sum(seconds) < at_least:
        begin = clock()
        beta, passes = solver.fit(layouts[name], y, problem, tol)
        seconds.append(clock() - begin)
    numbers = np.ascontiguousarray(beta() if callable(beta) else beta, dtype=np.float64)
    return tuple(seconds), numbers.tobytes(), numbers.shape, passes


def in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[2])), Path(sys.argv[1]))
