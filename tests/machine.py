"""What tests need of the machine, said once."""

import os

import pytest

# Windows has no SIGINT that one process can send to another, no limits of a process, no named pipes in a folder, and
# other permissions and links.
needs_posix = pytest.mark.skipif(os.name != "posix", reason="signals, limits, pipes and permissions are those of POSIX")
