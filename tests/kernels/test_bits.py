"""The same bits for any number of threads, any level of vector instructions and any kernel of OpenBLAS."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import machine
from evenodds.kernels import library

SCRIPT = Path(__file__).with_name("same_bits.py")
KERNELS = {"Prescott": 2, "Haswell": 3, "SkylakeX": 4}  # and the level of vector instructions that each needs


def digests(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env=machine.environment(**environment),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def plain():
    return digests(1)


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_of_blas(plain, kernel):
    if KERNELS[kernel] > library.load()[1]:  # OpenBLAS takes the name at its word: NumPy alone dies of SIGILL
        pytest.skip(f"this processor lacks instructions of {kernel}")
    assert digests(1, OPENBLAS_CORETYPE=kernel) == plain


@pytest.mark.parametrize("threads", [2, 7])
def test_threads(plain, threads):
    assert digests(threads) == plain


@pytest.mark.parametrize("level", range(2, library.load()[1]))
def test_vector_instructions(plain, level):
    assert digests(1, level) == plain
