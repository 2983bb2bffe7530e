"""A process that is held to so much memory: whatever the limit, a scan has the same fit or one error, and ends."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from homes import to_parquet

N, P = 200_000, 20
# The limits are those of children of one process, which has all that is imported and no buffer of OpenBLAS.
WALK = """
import os, resource, signal, sys
import numpy as np
from pyarrow import parquet
from evenodds import EvenOddsError, LogisticRegression, scan

len(scan(sys.argv[1], "y", memory=1))
start = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData")) * 1024
for more in map(float, sys.argv[2:]):
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # of CPU or not: the end of an endless loop
        if more < np.inf:
            resource.setrlimit(resource.RLIMIT_DATA, (start + int(more * 2**20),) * 2)
        try:
            model = LogisticRegression(n_jobs=2).fit(scan(sys.argv[1], "y", memory=1))
            said = model.coef_.tobytes().hex()
        except (EvenOddsError, MemoryError) as error:
            said = "error " + str(error)
        print(said, flush=True)
        os._exit(0)
    end = os.waitpid(child, 0)[1]
    if end:
        print("died of", end, flush=True)
"""


def outcomes(folder, limits):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(N, P))
    y = (X[:, 0] + rng.logistic(size=N) > 1).astype(np.int64)
    table = pa.table({f"x{j}": X[:, j] for j in range(P)} | {"y": y})
    to_parquet(table, folder / "rows.parquet", [*range(20_000, N, 20_000)])
    call = [sys.executable, "-c", WALK, str(folder / "rows.parquet"), *map(str, limits)]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    found = done.stdout.splitlines()
    assert len(found) == len(limits), done.stderr
    return dict(zip(limits, found, strict=True))


# The limit of what Linux calls data is one that others have not, or do not keep.
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA as of Linux")
def test_a_fit_in_a_process_that_is_held_ends(tmp_path):
    found = outcomes(tmp_path, [np.inf, 10, 47, 600])
    right = found.pop(np.inf)
    assert found[600] == right
    assert found[10].startswith("error")
    for limit, said in found.items():
        assert said == right or said.startswith("error"), (limit, said)


if __name__ == "__main__":
    import collections
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as name:
        found = outcomes(Path(name), [np.inf, *map(float, np.linspace(2, 500, int(sys.argv[1])))])
        right = found.pop(np.inf)
        for limit, said in found.items():
            print(limit, "right" if said == right else said[:130])
        print(collections.Counter("right" if said == right else said[:40] for said in found.values()))
