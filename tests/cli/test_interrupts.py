"""Ctrl-C at many moments of each command: one line, and nothing left of what was not finished."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from machine import needs_posix

# What the commands load is loaded once, and each moment is a fork. It is a number of calls of the library's functions,
# so that it is the same each time. A generator is also called to be closed; what is raised there Python passes over.
WALK = """
import importlib, inspect, json, os, signal, sys, tempfile, traceback
from pathlib import Path
import evenodds.cli.commands

def status_of(words, stop, folder):
    calls = 0
    def count(frame, event, argument):
        nonlocal calls
        if event == "call" and f"{os.sep}evenodds{os.sep}" in frame.f_code.co_filename:
            calls += 1
            if calls >= stop > 0 and not frame.f_code.co_flags & inspect.CO_GENERATOR:
                sys.setprofile(None)
                signal.raise_signal(signal.SIGINT)
    sys.setprofile(count)
    try:
        evenodds.cli.main([word.replace("OUT", f"{folder}/out") for word in words])
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        status = 99
        traceback.print_exc()
    sys.setprofile(None)
    loaded = [name for name in sys.modules if name.startswith(("evenodds.", "pyarrow.", "sklearn.", "scipy."))]
    (folder / "said").write_text(json.dumps([calls, loaded]))
    return status

def run(words, stop, folder):
    for name in ("out", "temporary"):
        (folder / name).mkdir(parents=True)
    child = os.fork()
    if child == 0:
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), number)
        tempfile.tempdir = str(folder / "temporary")
        status = status_of(words, stop, folder)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    files = {path.name: path.stat().st_size for path in (folder / "out").iterdir()}
    calls, loaded = json.loads((folder / "said").read_text())
    for name in loaded:
        importlib.import_module(name)
    return status, (folder / "stderr").read_text(), files, os.listdir(folder / "temporary"), calls

moments, found = int(sys.argv[2]), []
for number, words in enumerate(json.loads(sys.argv[1])):
    run(words, 0, Path(f"{number}-loads").resolve())
    found.append([run(words, 0, Path(f"{number}-whole").resolve())])
    calls = found[-1][0][-1]
    for k in range(moments):
        found[-1].append(run(words, 1 + (2 * k + 1) * calls // (2 * moments), Path(f"{number}-{k}").resolve()))
print(json.dumps(found))
"""
COMMANDS = [
    ["fit", "rows.csv", "--target", "late", "--model", "OUT/model.json"],
    ["fit", "rows.csv.gz", "--target", "late", "--model", "OUT/model.json", "--memory", "10KB"],
    ["predict", "model.json", "rows.csv", "--out", "OUT/rows.csv"],
    ["predict", "model.json", "rows.parquet", "--memory", "1KB", "--out", "OUT/rows.parquet"],
]
MOMENTS = 4


@needs_posix
def test_ctrl_c_at_any_moment_leaves_nothing_half_done(run, tmp_path):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3000, 3))
    late = np.where(x[:, 0] + rng.logistic(size=3000) > 0, "yes", "no")
    table = pa.table({**{f"x{j}": x[:, j] for j in range(3)}, "town": rng.choice(["A", "B"], 3000), "late": late})
    csv.write_csv(table, tmp_path / "rows.csv")
    with pa.CompressedOutputStream(tmp_path / "rows.csv.gz", "gzip") as file:
        csv.write_csv(table, file)
    parquet.write_table(table, tmp_path / "rows.parquet", row_group_size=500)
    assert run("fit", "rows.csv", "--target", "late", "--model", "model.json")[0] == 0
    command = [sys.executable, "-c", WALK, json.dumps(COMMANDS), str(MOMENTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    for words, ((status, _, whole, left, _), *stopped) in zip(COMMANDS, json.loads(done.stdout), strict=True):
        assert (status, left, len(whole)) == (0, [], 1), words
        for status, err, files, left, calls in stopped:
            assert status == 130, (words, calls, err)
            assert err.splitlines()[-1] == "Interrupted.", (words, calls, err)
            assert "Traceback" not in err, (words, calls, err)
            assert left == [], (words, calls)
            assert files.items() <= whole.items(), (words, calls)  # what is there is all there
