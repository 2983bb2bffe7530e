"""Rows in memory: blocks are views of the arrays, mapped over a pool of threads.

The blocks depend on the data alone and their sums are added in order, so that a result has the
same bits for any number of threads. X is not copied (but see `sparse`). Only what the kernels cannot read where it
lies (integers, booleans, half precision, foreign byte order, odd strides) is converted, one block
at a time; CSC is turned into CSR once.
"""

import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from threadpoolctl import OpenBLASController, ThreadpoolController

from ..arrays import CSR, Array, Matrix
from ..exceptions import EvenOddsError
from . import FLOATS, Block, Data, Sums, csr_rows, is_coded
from .coded import Coded
from .groups import Groups

_BLOCK_ENTRIES = 1 << 20  # 8 MB of float64: small beside X, long beside the cost of a call
_SPARSE_ENTRIES = 1 << 19  # of which each brings its index along
_BLOCK_ROWS = 1 << 16
_CODED = 16  # rows a column, of which each block has a table
IN_MEMORY = 32.0  # what a read of an entry costs: it is bound by memory, a Hessian by arithmetic


class Memory:
    """An array or sparse matrix in memory, its labels, weights and offsets. See `Data`.

    n_classes : all of them have rows, or `present` tells which do and which are left out
    """

    def __init__(
        self,
        X: Matrix | Coded,
        codes: NDArray[np.integer[Any]],
        weight: Array | None = None,
        offset: Array | None = None,
        *,
        n_jobs: int | None = None,
        n_classes: int = 2,
        present: NDArray[np.bool_] | None = None,
        center: Array | None = None,
        names: Sequence[str] | None = None,
        kept: NDArray[np.intp] | None = None,
        groups: Groups | None = None,
    ) -> None:
        self.kept, self.names, self._groups = kept, names, groups
        self.layout = X.layout if is_coded(X) else None
        csr = type(X) is not np.ndarray and bool(sp.issparse(X))
        self.sparse = csr or self.layout is not None
        if csr:
            X = sp.csr_array(X)
            _require_sparse(X)
            if X.data.dtype not in FLOATS:
                X = X.astype(np.float64)
        self._X, self._y, self._weight, self._offset = X, codes, weight, offset
        self.n_rows, self.n_columns = X.shape
        self.center = np.zeros(self.n_columns) if center is None else center
        self.size = int(X.size)
        self.present = np.ones(n_classes, dtype=np.bool_) if present is None else present
        self.class_weights = _class_weights(codes, weight, n_classes if present is None else int(present.sum()))
        self._bounds = _sparse_bounds(X) if csr else _dense_bounds(self.n_rows, self.n_columns, self.class_weights.size)
        if self.layout is not None:
            rows = max(_BLOCK_ROWS, _CODED * self.n_columns)
            self._bounds = [*range(0, self.n_rows, rows), self.n_rows]
        self.n_jobs, self.read_cost = n_jobs, IN_MEMORY
        n_blocks = len(self._bounds) - 1
        self._n_threads = min(count_threads(n_jobs), n_blocks) if n_blocks > 1 else 1
        # SciPy takes as long to cut sparse rows as a tenth of a read of them.
        self._cut = [csr_rows(X, slice(*ends)) for ends in pairwise(self._bounds)] if csr and n_blocks > 1 else None

    def reduce(self, function: Callable[[Block], Sums]) -> Sums:
        """Sum `function(block)` over all rows, block by block, in order."""

        def one(k: int) -> Sums:
            return function(self._rows(k))

        with one_blas_thread:
            if len(self._bounds) == 2:
                with quiet():
                    return one(0)
            return add_up(self.map(one, range(len(self._bounds) - 1)))

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """The function of each item, in order, by the threads that share out the blocks."""
        return mapped(function, items, self._n_threads)

    def blocks(self) -> Iterator[Block]:
        """All rows as one block."""
        yield self.whole()

    def whole(self) -> Block:
        """All rows as one block."""
        return Block(_readable(self._X), self._y, self._weight, self._offset, 0, self._groups)

    def where(self, k: int) -> str:
        """The number of row `k` with the rows of weight zero counted."""
        return f"row {k if self.kept is None else int(self.kept[k])} (counted from 0)"

    def part(self, block: Block) -> "Memory":
        """See `Data`."""
        return part_of(self, block)

    def sample(self, n: int, rng: int | np.random.Generator) -> Block:
        """At most about `n` rows, evenly spread, a class rarer than one in ten sampled more densely."""
        if n >= self.n_rows:
            return self.whole()
        rows, weight = drawn(self._y, n, np.random.default_rng(rng))
        if self._weight is not None:
            weight *= self._weight[rows]
        offset = None if self._offset is None else self._offset[rows]
        X = self._X[rows]
        return Block(_readable(X), self._y[rows], weight, offset)

    def _rows(self, k: int) -> Block:
        """Block k."""
        if len(self._bounds) == 2:
            return self.whole()
        start, stop = self._bounds[k : k + 2]
        X = self._X[start:stop] if self._cut is None else self._cut[k]
        weight = None if self._weight is None else self._weight[start:stop]
        offset = None if self._offset is None else self._offset[start:stop]
        groups = None if self._groups is None else self._groups[start:stop]
        return Block(_readable(X), self._y[start:stop], weight, offset, start, groups)


def mapped(function: Callable[[Any], Any], items: Iterable[Any], n_threads: int) -> Iterator[Any]:
    """The function of each item, in order, by so many threads."""
    silent = quiet()(function)
    return map(silent, items) if n_threads <= 1 else _pool(n_threads).map(silent, items)


def part_of(data: Data, block: Block) -> Memory:
    """A home of some rows of another one."""
    own: dict[str, Any] = {"n_jobs": data.n_jobs, "center": data.center, "names": data.names, "groups": block.groups}
    return Memory(block.rows, block.y, block.weight, block.offset, n_classes=data.class_weights.size, **own)


def _require_sparse(X: CSR) -> None:
    """An error if an entry of a CSR array lies outside it: the loops go where the indices say."""
    try:
        X.check_format(full_check=True)
    except ValueError as error:
        raise EvenOddsError(
            f"The sparse X of shape {X.shape} is broken: {error}. Build it anew, for example by tocoo().tocsr()."
        ) from error


def _class_weights(codes: NDArray[np.integer[Any]], weight: Array | None, n_classes: int) -> Array:
    if weight is not None or n_classes > 2:
        return np.bincount(codes, weights=weight, minlength=n_classes).astype(np.float64)
    ones = np.count_nonzero(codes)
    return np.array([codes.size - ones, ones], dtype=np.float64)


def count_threads(n_jobs: int | None) -> int:
    """How many threads `n_jobs` means here: joblib's rule, but None is all cores that are free.

    Within a joblib worker, None is the worker's share: what joblib has set for OpenMP in a process, 1 in a thread.
    """
    from joblib import cpu_count, effective_n_jobs
    from joblib.parallel import get_active_backend

    if n_jobs is not None:
        return int(effective_n_jobs(n_jobs))
    if get_active_backend()[0].nesting_level:
        in_process = threading.current_thread() is threading.main_thread()
        return max(1, int(os.environ.get("OMP_NUM_THREADS", "1"))) if in_process else 1
    return int(cpu_count())


def _dense_bounds(n_rows: int, n_columns: int, n_classes: int) -> list[int]:
    """Blocks of about `_BLOCK_ENTRIES`; of wide data more rows, as products of few rows are slow.

    All are of one size, and where there is enough to do they are four or a multiple of it: a thread that waits for
    another's last block has nothing to do.
    """
    rows = min(_BLOCK_ROWS, max(_BLOCK_ENTRIES // n_columns, min(2048, 4 * _BLOCK_ENTRIES // n_columns)))
    count = -(-n_rows // max(256, rows // 256 * 256)) or 1
    work = n_rows * n_columns * (n_classes if n_classes > 2 else 1)
    rows = -(-n_rows // max(count, min((count + 3) // 4 * 4, work // _BLOCK_ENTRIES)))
    rows = max(8, (rows + 7) // 8 * 8)
    return [*range(0, n_rows, rows), n_rows]


def _sparse_bounds(X: CSR) -> list[int]:
    """Rows split by non-zeros, in blocks that are long beside the dense vectors each one fills."""
    count = int(X.nnz) // max(_SPARSE_ENTRIES, 32 * X.shape[1])
    count = max(1, count - count % 8 if count > 8 else count)
    cuts = np.searchsorted(X.indptr, np.linspace(0, X.nnz, count + 1)[1:-1])
    return [int(cut) for cut in np.unique([0, *cuts, X.shape[0]])]


def _readable(X: Matrix | Coded) -> Matrix | Coded:
    """A block that the kernels can read: of an array native float32 or float64 with one contiguous axis."""
    if not isinstance(X, np.ndarray):
        return X
    if X.dtype not in FLOATS:
        X = X.astype(np.float64)
    if X.itemsize in X.strides and min(X.strides) > 0 and X.flags.aligned:
        return X
    return np.ascontiguousarray(X)


def drawn(y: NDArray[np.integer[Any]], n: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], Array]:
    """The numbers of about n rows, evenly spread, a rare class more densely, and how many rows each stands for."""
    n_rows = y.size
    ones = int(np.count_nonzero(y))  # of more than two classes, those that are not the first
    rare = 1 if 2 * ones <= n_rows else 0
    n_rare = min(ones, n_rows - ones)
    if 10 * n_rare >= n_rows:
        rows = _spread(n_rows, n, rng)
        return rows, np.full(rows.size, n_rows / rows.size)
    is_rare = (y != 0) == rare
    common, seldom = np.flatnonzero(~is_rare), np.flatnonzero(is_rare)
    common = common[_spread(common.size, n - min(n // 2, n_rare), rng)]
    seldom = seldom[_spread(n_rare, min(n // 2, n_rare), rng)]
    rates = (common.size / (n_rows - n_rare), seldom.size / max(n_rare, 1))
    weight = np.repeat([1 / rates[0], 1 / rates[1] if seldom.size else 0.0], [common.size, seldom.size])
    return np.concatenate([common, seldom]), weight


def _spread(n_rows: int, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """One random row in each of `n` equal stretches of the rows."""
    return ((np.arange(n) + rng.random(n)) * (n_rows / max(n, 1))).astype(np.intp)


def quiet() -> np.errstate:
    """What NumPy is to warn of is set for each thread; the checks of the caller look after the sums."""
    return np.errstate(all="ignore")


def add_up(results: Iterable[Sums]) -> Sums:
    """The sum of several, in their order."""
    rest = iter(results)
    total = list(next(rest))
    for result in rest:
        for k, value in enumerate(result):
            total[k] = total[k] + value
    return tuple(total)


@functools.cache
def _pool(n_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads, thread_name_prefix="evenodds")


# A forked child inherits the pool but not its threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)


class _OneBlasThread:
    """Keeps BLAS to one thread while our pools run; the last of several users at once gives it back.

    A product is rounded in another way by two threads than by one, so this has to work in every thread of the caller.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._libraries: Any = None
        self._before: list[tuple[Any, int]] = []  # libraries, and how many threads they had

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                if self._libraries is None:
                    self._libraries = ThreadpoolController().select(user_api="blas").lib_controllers
                self._before = [(library, library.num_threads) for library in self._libraries]
                _release()
                for library in self._libraries:
                    library.set_num_threads(1)
            self._users += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                _release()
                for library, count in self._before:
                    library.set_num_threads(count)
                _release()  # and leave it to whoever comes next


def _release() -> None:
    """Let threadpoolctl obey whichever thread is next to set OpenBLAS's threads: since 3.8 it is only the first one."""
    if hasattr(OpenBLASController, "clear_controlling_thread"):
        OpenBLASController.clear_controlling_thread(force=True)


one_blas_thread = _OneBlasThread()
