"""What all tests share: no windows, the same hypothesis examples each time, Ctrl-C, and the command line."""

import io
import signal
import sys
import threading

import hypothesis
import matplotlib
import pytest

matplotlib.use("Agg")
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
hypothesis.settings.load_profile("suite")

# A shell has what it starts in the background ignore Ctrl-C, and so would all that tests start.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
