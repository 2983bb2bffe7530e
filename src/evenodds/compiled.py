"""Blocks as compiled kernels take them, and from what size compiled kernels pay."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .data import Array, Block, Sums

# Entries of X from which compiled kernels pay for the import of numba and the load of the compiled code.
COMPILED_ENTRIES = 1 << 20


def moment_sums(block: Block, center: Array, unit: Array) -> Sums:
    """The weight of a dense block, and the weighted sums of d and d^2, d = (x - center) / unit: one read of it."""
    from . import kernels

    X = block.X
    first, second = np.zeros_like(center), np.zeros_like(center)
    c_order = X.strides[1] == X.itemsize
    kernel = kernels.moments_c if c_order else kernels.moments_f
    entries, ld = flat(X if c_order else X.T)
    total = kernel(entries, ld, X.shape[0], block.weight, center, unit, first, second)
    return total, first, second


def flat(X: Any) -> tuple[Any, int]:
    """A 2-d array with contiguous rows as BLAS takes it: flat, and the leading dimension.

    Marked read-only, so that kernels are compiled for one kind of array.
    """
    ld = X.strides[0] // X.itemsize if X.shape[0] > 1 else X.shape[1]
    size = (X.shape[0] - 1) * ld + X.shape[1]
    return as_strided(X, shape=(size,), strides=(X.itemsize,), writeable=False), ld


def csr_parts(X: Any) -> tuple[Any, Any, Any]:
    """The arrays of CSR rows, with indices that need no test for negative ones."""
    data, indptr = X.data.view(), X.indptr.astype(np.int64)
    indices = X.indices.view(np.uint32 if X.indices.dtype == np.int32 else np.uint64)
    data.flags.writeable = indices.flags.writeable = False
    return data, indices, indptr
