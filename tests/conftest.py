"""What tests share: no windows, the same hypothesis examples each time, Ctrl-C, the command line, codes of factors."""

import gc
import io
import os
import signal
import sys
import threading

import pytest

# Processes that share the cores share OpenBLAS's threads: it counts them when NumPy is loaded, and those that are too
# many spin. What is tested of several threads sets them itself.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    share = max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", str(share))

import hypothesis
import matplotlib

matplotlib.use("Agg")
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
hypothesis.settings.load_profile("suite")

# A shell has what it starts in the background ignore Ctrl-C, and so would all that tests start.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Modules and tests stay to the end: Python need not look for what may be freed among them again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture
def run(tmp_path, monkeypatch, capfdbinary):
    """Run the command line in an empty folder: the exit status, stdout and stderr."""
    from evenodds.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*args, stdin=b""):
        capfdbinary.readouterr()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as stop:
            main([str(arg) for arg in args])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return stop.value.code or 0, out.decode(), err.decode()

    return call


@pytest.fixture
def held(monkeypatch):
    """Says how factors are held: multiplied out, as codes, or as codes of which the widest factor is eliminated."""
    import evenodds.arrow
    import evenodds.design.rows

    def hold(how):
        monkeypatch.setattr(evenodds.design.rows, "_FEW", 10**9 if how == "dense" else -1)
        monkeypatch.setattr(evenodds.design.rows, "_SPARSE", -1)
        monkeypatch.setattr(evenodds.arrow, "WIDE", -1 if how == "wide" else 500)

    return hold
