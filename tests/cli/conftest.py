"""The command line as its user sees it, run in a folder of its own."""

import io
import sys

import pytest

from evenodds.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch, capfdbinary):
    """Run the command line in an empty folder: the exit status, stdout and stderr."""
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
