"""Room for the products of OpenBLAS, taken while there is some.

Each thread that multiplies needs a buffer of OpenBLAS. In a process that is held to so much memory OpenBLAS asks for it
for ever, or from 0.3.31 ends the process, where there should be an error. Buffers that it has it uses again.
"""

import functools
import threading
from contextlib import suppress

import numpy as np
from scipy.linalg import blas

from .memory import mapped, one_blas_thread
from .units import no_room

_BUFFER = 34 << 20  # bytes: 32 MB, and what they are aligned by
_SIDE = 512  # of matrices that are multiplied by way of a buffer, for some milliseconds


@functools.cache
def take_buffers(n_threads: int) -> None:
    """Have OpenBLAS take what so many threads need, and the one that calls; an error where there is no room.

    NumPy and SciPy bring an OpenBLAS each. SciPy's runs in one thread at a time, as its calls hold the interpreter.
    """
    matrix, together = np.ones((_SIDE, _SIDE)), threading.Barrier(n_threads)

    def multiply(_: int) -> None:
        with suppress(threading.BrokenBarrierError):  # where another fit has some of the threads
            together.wait(timeout=1)
        matrix @ matrix.T

    try:
        np.empty((n_threads + 1) * _BUFFER, dtype=np.uint8)
        with one_blas_thread:
            blas.dgemm(1.0, matrix, matrix)
            for _ in mapped(multiply, range(n_threads), n_threads):
                pass
    except (MemoryError, RuntimeError) as error:  # Python has no other error for a thread that cannot be started
        raise no_room(error) from error
