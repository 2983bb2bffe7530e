"""Sums over parts of a block, for what plain NumPy, BLAS and SciPy make of its rows."""

from collections.abc import Callable

import numpy as np

from ..data import Block, Sums, is_coded
from ..data.memory import add_up

_TILE_ENTRIES = 1 << 18
_TILE_WORK = 1_000_000  # rows * columns * classes of a tile
_TILE_SHARE = 8  # times as many entries as columns has a tile of sparse rows


def over_tiles(block: Block, function: Callable[[Block], Sums], rows: int = 0) -> Sums:
    """Sum over parts of a block, small enough for the copies that plain NumPy makes of them.

    rows : of a part; 0 for what suits a dense block (a sparse one is not parted)
    """
    if not rows:
        if block.sparse:
            return function(block)
        p = block.rows.shape[1]
        rows = max(_TILE_ENTRIES // p, 512 if p < 512 else 2048)
    if block.n_rows <= rows:
        return function(block)
    return add_up(function(block.take(slice(k, k + rows))) for k in range(0, max(block.n_rows, 1), rows))


def class_tiles(block: Block, n_free: int, function: Callable[[Block], Sums]) -> Sums:
    """Sum over parts of a block whose products by `n_free` classes stay in the cache."""
    coded = is_coded(block.rows)
    p = block.rows.shape[1]
    per_row = p if not block.sparse else (block.rows.size if coded else block.X.nnz) // max(block.n_rows, 1)
    rows = max(32, _TILE_WORK // (max(1, per_row) * (n_free + 1)))
    if block.sparse:  # each part has a table of all columns and classes
        rows = max(rows, block.rows.layout.places.size if coded else _TILE_SHARE * p // max(1, per_row))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):  # of each thread; J tells if it came to that
        return add_up(function(block.take(slice(k, k + rows))) for k in range(0, max(block.n_rows, 1), rows))
