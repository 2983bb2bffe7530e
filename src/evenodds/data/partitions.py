"""Rows in the partitions of a Dask frame or array: a read is one task a partition, summed as a tree in a fixed order.

Functions go to the rows, sums come back; the scheduler is Dask's. X and what stands beside it are joined before they
are lowered, as parts of one frame that are lowered alone can be cut into other partitions.
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import EvenOddsError
from . import Array, Block, Data, Sums
from .batches import most_rows
from .coded import Layout
from .lazy import compute, in_a_tree, is_dask
from .memory import Memory, add_up, one_blas_thread, part_of, quiet
from .sampling import drawn_of
from .streamed import Classes
from .telling import told

_SAMPLED = 1 << 22  # entries of the sample, 32 MB
_LEAST = 2048  # rows of each class that a partition gives for it, if it has them
_SEED = 0
_READ = 128.0  # what a read of an entry costs, see `Data`
_BESIDE = ("evenodds: y", "evenodds: weight", "evenodds: offset")


@dataclass(frozen=True)
class Part:
    """What a partition is, on the worker.

    number : its place
    names : of the columns of X in a frame; None for arrays
    beside : which of y, weight and offset there are
    """

    number: int
    names: tuple[Any, ...] | None
    beside: tuple[bool, bool, bool]

    def arrays(self, given: tuple[Any, ...]) -> tuple[Array, Any, Array | None, Array | None]:
        """X, y as it is, the weights and the offsets."""
        if self.names is None:
            X, rest = given[0], list(given[1:])
        else:
            X, rest = given[0][list(self.names)], [given[0][name] for name in _BESIDE if name in given[0].columns]
        y, weight, offset = (rest.pop(0) if there else None for there in self.beside)
        try:
            X = np.asarray(X.to_numpy() if hasattr(X, "to_numpy") else X)
            X = np.ascontiguousarray(X, dtype=np.float64)
            doubles = [None if v is None else np.asarray(v, dtype=np.float64) for v in (weight, offset)]
            return X, y, doubles[0], doubles[1]
        except (TypeError, ValueError) as error:
            raise EvenOddsError(f"Partition {self.number} holds what is no number: {error}.") from None

    def block(self, given: tuple[Any, ...], ids: dict[Any, int] | None = None) -> tuple[Block, list[Any]]:
        """The rows that have weight, y the numbers of their labels, and these labels: those given, if they are."""
        X, y, weight, offset = self.arrays(given)
        codes, labels = _factorized(y)
        self._require(codes >= 0, "the target is missing")
        for values, what in ((weight, "the weight"), (offset, "the offset")):
            if values is not None:
                self._require(np.isfinite(values), f"{what} is not a finite number")
        if weight is not None:
            self._require(weight >= 0, "the weight is negative")
        if ids is not None:
            unknown = [label for label in labels if label not in ids]
            if unknown:
                raise EvenOddsError(f"Partition {self.number} holds the label {unknown[0]!r}, which it did not before.")
            codes = np.array([ids[label] for label in labels], dtype=np.intp)[codes]
        block = Block(X, codes.astype(np.uint32), weight, offset)
        return (block if weight is None or weight.all() else block.take(weight > 0)), labels

    def _require(self, good: NDArray[np.bool_], what: str) -> None:
        if not good.all():
            row = int(np.argmin(good))
            raise EvenOddsError(f"In partition {self.number} {what}, first in row {row} (counted from 0).")


def _factorized(y: Any) -> tuple[NDArray[np.intp], list[Any]]:
    """The places of labels among their distinct values, -1 where they are missing, and these values."""
    if hasattr(y, "factorize"):
        codes, found = y.factorize()
        return np.asarray(codes), list(found.tolist())
    y = np.asarray(y)
    if y.dtype == object:  # which may not be sorted
        numbers: dict[Any, int] = {}
        values = y.tolist()
        places = [-1 if v is None or v != v else numbers.setdefault(v, len(numbers)) for v in values]
        return np.array(places, dtype=np.intp), list(numbers)
    found, codes = np.unique(y, return_inverse=True)
    missing = found != found
    return np.where(missing[codes], -1, codes), list(found.tolist())


@dataclass
class Seen:
    """What a survey finds in some partitions.

    rows, read : by partition, those with weight and all
    labels : of each the rows, the weight, the key from which on rows are left out, the keys of the others, and these
    """

    rows: list[int]
    read: list[int]
    labels: dict[Any, list[Any]]


def _survey(part: Part, most: int, *given: Any) -> Seen:
    """What one partition holds."""
    block, labels = part.block(given)
    keys = np.random.default_rng([_SEED, part.number]).random(block.n_rows)
    found: dict[Any, list[Any]] = {}
    for k, label in enumerate(labels):
        rows = np.flatnonzero(block.y == k)
        weight = float(rows.size if block.weight is None else block.weight[rows].sum())
        some = rows[np.argsort(keys[rows])[:most]]
        limit = keys[some[-1]] if some.size < rows.size else np.inf
        found[label] = [rows.size, weight, limit, [keys[some]], [block.take(some)]]
    return Seen([block.n_rows], [len(given[0])], found)


def _together(parts: list[Seen]) -> Seen:
    """Several surveys as one."""
    rows, read = ([*itertools.chain(*counts)] for counts in zip(*((p.rows, p.read) for p in parts), strict=True))
    total = Seen(rows, read, {})
    for part in parts:
        for label, (count, weight, limit, keys, blocks) in part.labels.items():
            old = total.labels.get(label, [0, 0.0, np.inf, [], []])
            new = [old[0] + count, old[1] + weight, min(old[2], limit), old[3] + keys, old[4] + blocks]
            total.labels[label] = new
    return total


def _apply(part: Part, ids: dict[Any, int], classes: Classes, first: int, function: Any, *given: Any) -> Sums | None:
    """The sums of one partition, a few rows after others; None of one without rows."""
    block = part.block(given, ids)[0]
    if block.n_rows == 0:
        return None
    block, step = classes.of(block, first), most_rows(block.X.shape[1])
    with one_blas_thread, quiet():
        return add_up(function(block.take(slice(k, k + step))) for k in range(0, block.n_rows, step))


def _with_weight(part: Part, *given: Any) -> list[NDArray[np.intp]]:
    """The numbers of the rows with weight in one partition, in a list."""
    X, _, weight, _ = part.arrays(given)
    return [np.arange(len(X)) if weight is None else np.flatnonzero(weight)]


def _listed(parts: list[list[Any]]) -> list[Any]:
    return [*itertools.chain(*parts)]


def _added(parts: list[Sums | None]) -> Sums | None:
    some = [part for part in parts if part is not None]
    return add_up(some) if some else None


class DaskRows:
    """X and what stands beside it, each partition as a few delayed objects; see `scan.Scan` for what it answers."""

    def __init__(self, X: Any, y: Any, sample_weight: Any, offset: Any) -> None:
        beside = (y, sample_weight, offset)
        there = tuple(value is not None for value in beside)
        self.names = None if X.ndim == 2 and hasattr(X, "chunks") else tuple(X.columns)
        try:
            self._given = _of_arrays(X, beside) if self.names is None else _of_frame(X, beside)
        except EvenOddsError:
            raise
        # What Dask raises of collections that do not fit together: other chunks, kinds, divisions or columns.
        except (ValueError, TypeError, NotImplementedError, KeyError) as error:
            raise EvenOddsError(f"y, weights and offsets cannot be put beside X, by partition: {error}") from None
        self.parts = [Part(k, self.names, (there[0], there[1], there[2])) for k in range(len(self._given))]
        self.n_columns, self.n_offsets = int(X.shape[1]), int(there[2])
        self._seen: Seen | None = None

    def survey(self) -> Seen:
        """The first read."""
        from dask.delayed import delayed

        if self._seen is None:
            most = max(_LEAST, 2 * _SAMPLED // self.n_columns // len(self.parts))
            tasks = [delayed(_survey)(part, most, *given) for part, given in zip(self.parts, self._given, strict=True)]
            with told(None, self.n_columns):
                self._seen = in_a_tree(tasks, _together)
            if not sum(self._seen.rows):
                raise EvenOddsError("There are no rows with a weight.")
        return self._seen

    def labels(self, n_jobs: int | None) -> tuple[Any, ...]:
        """The labels, in the order in which they come."""
        return tuple(self.survey().labels)

    def counts(self, n_jobs: int | None) -> tuple[NDArray[np.int64], Array]:
        """Of each label the rows with weight, and their weight."""
        found = self.survey().labels.values()
        return np.array([one[0] for one in found]), np.array([one[1] for one in found])

    def home(
        self, codes: NDArray[np.intp], n_classes: int, factors: Array | None, n_jobs: int | None, *, every: bool = True
    ) -> Data:
        """The home of the rows; see `scan.Scan.home`."""
        classes = Classes.of_labels(codes, self.counts(n_jobs)[0], n_classes, factors, every)
        return Partitions(self, classes, n_jobs)

    def tasks(self, ids: dict[Any, int], classes: Classes, firsts: Sequence[int], function: Any) -> list[Any]:
        """The sums of each partition, to be computed."""
        from dask.delayed import delayed

        shipped = delayed(function, pure=False, traverse=False)
        jobs = zip(self.parts, firsts, self._given, strict=True)
        return [delayed(_apply)(part, ids, classes, first, shipped, *given) for part, first, given in jobs]

    def with_weight(self) -> list[NDArray[np.intp]]:
        """The numbers of the rows with weight in each partition. One read."""
        from dask.delayed import delayed

        tasks = [delayed(_with_weight)(part, *one) for part, one in zip(self.parts, self._given, strict=True)]
        return list(in_a_tree(tasks, _listed))

    def bring(self, k: int, ids: dict[Any, int]) -> Block:
        """The rows of one partition, here."""
        return self.parts[k].block(tuple(compute(one) for one in self._given[k]), ids)[0]


def _of_frame(X: Any, beside: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """One frame a partition."""
    for value, name in zip(beside, ("y", "sample_weight", "offset"), strict=True):
        if value is not None and not is_dask(value):
            raise EvenOddsError(f"X is a Dask frame, so {name} has to be a Dask series of the same partitions.")
        if value is not None and not X.known_divisions and getattr(value, "npartitions", None) != X.npartitions:
            # Dask would match them by the index, which tells rows apart only where no value of it is twice.
            raise EvenOddsError(
                f"X has {X.npartitions} partitions and {name} {value.npartitions}, without known divisions: take both "
                "from one frame."
            )
    more = {name: value for name, value in zip(_BESIDE, beside, strict=True) if value is not None}
    other = [name for name, kind in X.dtypes.items() if getattr(kind, "kind", "O") not in "biuf"]
    if other:
        raise EvenOddsError(
            f"The column {other[0]!r} is not numeric, it holds {X.dtypes[other[0]]}: leave it out, or make it numbers "
            "first, for example with dask.dataframe.get_dummies."
        )
    return [(part,) for part in X.assign(**more).to_delayed()]


def _of_arrays(X: Any, beside: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Blocks of arrays, side by side."""
    import dask.array

    arrays: Any = dask.array
    if X.numblocks[1] > 1:
        X = X.rechunk({1: -1})
    known = not np.isnan(np.sum(X.chunks[0]))
    columns = [X]
    for value, name in zip(beside, ("y", "sample_weight", "offset"), strict=True):
        if value is None:
            continue
        if hasattr(value, "to_dask_array"):
            value = value.to_dask_array()
        elif not is_dask(value):
            if not known or len(value) != sum(X.chunks[0]):
                raise EvenOddsError(f"X is a Dask array, so {name} has to be one with the same chunks of rows.")
            value = arrays.from_array(np.asarray(value), chunks=(X.chunks[0],))
        if value.ndim != 1:
            raise EvenOddsError(f"{name} has {value.ndim} dimensions: of Dask arrays it has one number a row.")
        if known and not np.isnan(np.sum(value.chunks[0])):
            if sum(value.chunks[0]) != sum(X.chunks[0]):
                raise EvenOddsError(f"X has {sum(X.chunks[0])} rows, and {name} {sum(value.chunks[0])}.")
            value = value.rechunk((X.chunks[0],))
        if value.numblocks[0] != X.numblocks[0]:
            raise EvenOddsError(f"X has {X.numblocks[0]} chunks of rows, and {name} {value.numblocks[0]}.")
        columns.append(value)
    return list(zip(*(column.to_delayed().ravel() for column in columns), strict=True))


class Partitions:
    """Rows on the workers of Dask; see `Data`."""

    sparse = False
    layout: Layout | None = None
    read_cost = _READ

    def __init__(self, rows: DaskRows, classes: Classes, n_jobs: int | None) -> None:
        self._rows, self._classes = rows, classes
        seen, (counts, totals) = rows.survey(), rows.counts(n_jobs)
        self._ids = {label: k for k, label in enumerate(seen.labels)}
        self._counts = classes.by_class(counts)
        self.n_rows, self.n_columns = int(counts.sum()), rows.n_columns
        self.size, self.center = self.n_rows * self.n_columns, np.zeros(self.n_columns)
        self.names: Sequence[str] | None = None if rows.names is None else [str(name) for name in rows.names]
        self.present, self.n_jobs = classes.present, n_jobs
        self.class_weights = classes.weights(totals)
        self._firsts, self._starts = ([*itertools.accumulate(some, initial=0)][:-1] for some in (seen.rows, seen.read))

    @functools.cached_property
    def _sample(self) -> Block:
        """Of each class the rows with the smallest keys, in the order of these."""
        from .views import joined

        keys, blocks = [], []
        for k, (*_, limit, of_label, rows) in enumerate(self._rows.survey().labels.values()):
            if of_label:
                every, block = np.concatenate(of_label), joined(rows)
                some = every <= limit
                keys.append(every[some])
                blocks.append(replace(block.take(some), y=np.full(int(some.sum()), k, dtype=np.uint32)))
        return self._classes.of(joined(blocks).take(np.argsort(np.concatenate(keys), kind="stable")))

    @functools.cached_property
    def kept(self) -> NDArray[np.intp] | None:
        """See `Data`. One read, where some rows have no weight."""
        seen = self._rows.survey()
        if sum(seen.read) == self.n_rows:
            return None
        parts = self._rows.with_weight()
        return np.concatenate([first + part for first, part in zip(self._starts, parts, strict=True)])

    def reduce(self, function: Callable[[Block], Sums]) -> Sums:
        """Sum `function(block)` over all rows: a task a partition, and a tree of sums."""
        with told(self.n_rows, self.n_columns):
            total = in_a_tree(self._rows.tasks(self._ids, self._classes, self._firsts, function), _added)
        assert total is not None
        return tuple(total)

    def blocks(self) -> Iterator[Block]:
        """All rows, brought here partition by partition."""
        for k, first in enumerate(self._firsts):
            block = self._rows.bring(k, self._ids)
            if block.n_rows:
                yield self._classes.of(block, first)

    def whole(self) -> Block | None:
        """They are elsewhere."""
        return None

    def where(self, k: int) -> str:
        """The partition and the row in it."""
        k = k if self.kept is None else int(self.kept[k])
        part = int(np.searchsorted(self._starts, k, "right")) - 1
        return f"row {k - self._starts[part]} (counted from 0) of partition {part}"

    def sample(self, n: int, rng: int | np.random.Generator) -> Block:
        """The rows of the survey with the smallest keys, whatever the seed; all rows if they are few."""
        from .views import taken

        if n >= self.n_rows:
            return taken(self, np.arange(self.n_rows))
        rows, stands_for = drawn_of(self._sample.y, self._counts, n)
        some = self._sample.take(rows)
        return replace(some, weight=stands_for if some.weight is None else some.weight * stands_for)

    def part(self, block: Block) -> Memory:
        """See `Data`."""
        return part_of(self, block)
