"""What tests need of the machine, said once."""

import os

import pytest

# Windows has no SIGINT that one process can send to another, no limits of a process, no named pipes in a folder, and
# other permissions and links.
needs_posix = pytest.mark.skipif(os.name != "posix", reason="signals, limits, pipes and permissions are those of POSIX")


def environment(**more):
    """For a new process: threads of OpenBLAS as many as cores, which the tests' own processes share."""
    inherited = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    return inherited | more
