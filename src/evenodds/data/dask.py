"""Frames and arrays of Dask: a task a partition and read, and a tree of sums in a fixed order.

The scheduler is Dask's. X and what stands beside it are put into one frame before they are lowered, as parts of a frame
that are lowered alone can be cut into other partitions.
"""

import functools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..arrays import Values
from ..exceptions import EvenOddsError
from .batches import Roles
from .budget import bytes_of
from .elsewhere import Predictor, is_dask
from .folding import FAN
from .partitions import name_of
from .scan import MEMORY, Scan
from .units import Source, Unit

if TYPE_CHECKING:
    import pandas as pd
    from dask.array import Array as DaskArray
    from dask.dataframe import DataFrame, Series
    from dask.delayed import Delayed
    from distributed import Client

T = TypeVar("T")
Parts = tuple[list[list[str]], list[tuple[Any, ...]]]  # names of columns, and for each partition what has these
_RETRIES = 3
_PATIENCE = 300.0  # seconds in which workers may come where there are none
_LOOK = 5.0  # seconds between two looks whether there are workers
_BESIDE = ("y", "sample_weight", "offset", "groups")


def compute(what: "Delayed") -> Any:
    """The value of a delayed object, by whatever scheduler is set; a worker that dies costs a retry."""
    from dask import base

    scheduler: Any = base.get_scheduler
    client = getattr(scheduler(collections=[what]), "__self__", None)  # of other schedulers there is none
    done, gone = threading.Event(), list[str]()
    try:
        if client is None:
            return what.compute()
        threading.Thread(target=_watch, args=(client, what.key, done, gone), daemon=True).start()
        return what.compute(retries=_RETRIES)
    except EvenOddsError:
        raise
    except CancelledError as error:
        text = gone[0] if gone else "it was cancelled, or the scheduler has gone"
        raise EvenOddsError(f"Dask could not compute the rows: {text}.") from error
    except Exception as error:  # whatever the user's own functions raise, or a worker that dies again and again
        text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise EvenOddsError(f"Dask could not compute the rows: {text}.") from error
    finally:
        done.set()


def _watch(client: "Client", key: str, done: threading.Event, gone: list[str]) -> None:
    """Cancel what is computed where there are no workers for long, and say so: Dask would wait for ever."""
    from distributed import Future

    since = time.monotonic()
    while not done.wait(_LOOK):
        try:
            workers = client.nthreads()
        except Exception:  # there is no scheduler either, which whoever waits is told
            return
        if workers:
            since = time.monotonic()
        elif time.monotonic() - since > _PATIENCE:
            gone.append(
                f"the cluster has had no worker for {_PATIENCE:.0f} seconds. Start some, and wait for them by "
                "client.wait_for_workers(1)"
            )
            client.cancel([Future(key, client)], force=True)
            return


class Workers:
    """Whatever scheduler is set; see `units.Cluster`. lowered : the partitions with some columns"""

    def __init__(self, lowered: Callable[[tuple[str, ...]], Parts]) -> None:
        self._lowered = functools.cache(lowered)

    def run(
        self,
        work: Callable[[int, Unit], T],
        columns: Sequence[str],
        add: Callable[[list[T]], T],
        numbers: Sequence[int] | None = None,
    ) -> T:
        """See `units.Cluster`."""
        from dask.delayed import delayed

        names, parts = self._lowered(tuple(columns))
        shipped, adding = (delayed(function, pure=False, traverse=False) for function in (work, add))
        call, total = delayed(_work, pure=False), delayed(_call, pure=False)
        tasks = [call(shipped, k, names, *parts[k]) for k in (range(len(parts)) if numbers is None else numbers)]
        while len(tasks) > 1:
            tasks = [total(adding, tasks[k : k + FAN]) for k in range(0, len(tasks), FAN)]
        found: T = compute(total(adding, tasks))
        return found

    def batches(self, columns: list[str], rows: int) -> Iterator[Any]:
        """All rows, brought here partition by partition."""
        from dask.delayed import delayed

        names, parts = self._lowered(tuple(columns))
        for k, part in enumerate(parts):
            yield from _unit(k, names, compute(delayed(part))).batches(columns, rows)


def _work(work: Callable[[int, Unit], T], k: int, names: list[list[str]], *given: object) -> T:
    return work(k, _unit(k, names, given))


def _call(add: Callable[[list[T]], T], parts: list[T]) -> T:
    return add(parts)


def _unit(k: int, names: list[list[str]], given: tuple[Any, ...]) -> Unit:
    """A partition, on the worker: frames of pandas or arrays with columns of these names, side by side."""
    lengths = [len(one) for one in given]
    if len(set(lengths)) > 1:
        raise EvenOddsError(f"In {name_of(k)} X has {lengths[0]} rows, and what is beside it {lengths[1:]}.")
    place = {name: (i, j) for i, some in enumerate(names) for j, name in enumerate(some)}

    def opened(columns: list[str], rows: int) -> Iterator[Any]:
        arrays = [_arrow(given[place[name][0]], place[name][1]) for name in columns]
        yield pa.RecordBatch.from_arrays(arrays, names=columns)

    return Unit(name_of(k), 0, None, opened)


def _arrow(given: "pd.DataFrame | Values", j: int) -> Any:
    """Column j as Arrow has it. Of numbers NaN is one: it is not taken for a missing value."""
    column = given.iloc[:, j] if hasattr(given, "iloc") else given if given.ndim == 1 else given[:, j]
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biufU":
        return pa.array(np.asarray(column, dtype=column.dtype.newbyteorder("=")))
    found = pa.array(column, from_pandas=True)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


# What is given as what is scanned


def source_of_frame(frame: object) -> Source:
    """The columns of a frame, which have names."""
    if not _is_frame(frame) or frame.ndim != 2:
        raise EvenOddsError("scan takes a Dask frame: columns are told by their names. Arrays are for fit(X, y).")
    return _source(frame, [str(name) for name in frame.columns], None)


def _source(frame: "DataFrame", names: list[str], nameless: object) -> Source:
    from dask.dataframe.dispatch import meta_nonempty

    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise EvenOddsError(f"Two columns have the name {twice[0]!r}: rename one of them.")
    some = meta_nonempty(frame._meta)
    types = {name: _type_of(some, j) for j, name in enumerate(names)}
    own = dict(zip(names, frame.columns, strict=True))

    def lowered(columns: tuple[str, ...]) -> Parts:
        return [list(columns)], [(part,) for part in frame[[own[name] for name in columns]].to_delayed()]

    return _of_workers(Workers(lowered), types, nameless)


def _type_of(some: "pd.DataFrame", j: int) -> Any:
    """The type of column j in Arrow."""
    kind = some.dtypes.iloc[j]
    if isinstance(kind, np.dtype) and kind.kind == "O":  # text, as far as is known
        return pa.string()
    try:
        return _arrow(some, j).type
    except (pa.ArrowException, TypeError):  # of complex or long numbers; of what dask makes up for intervals
        return pa.struct([])  # no number either


def _of_workers(workers: Workers, types: dict[str, Any], nameless: object) -> Source:
    unit = Unit("the Dask collection", 0, None, workers.batches)
    return Source((unit,), types, cluster=workers, nameless=nameless)


def scan_of(X: object, y: object, sample_weight: object, offset: object, groups: object) -> Scan:
    """X and what is given beside it, of which any may be None, as what is scanned."""
    beside = (y, sample_weight, offset, groups)
    source, roles = _of_arrays(X, beside) if _is_array(X) else _of_frame(_required_frame(X), beside)
    if not roles.columns:
        raise EvenOddsError("No column is left for X.")
    return Scan(source, roles, bytes_of(MEMORY), False)


def _is_array(what: object) -> "TypeGuard[DaskArray]":
    return type(what).__module__.startswith("dask.array.")


def _is_frame(what: object) -> "TypeGuard[DataFrame]":
    """Whether it is a frame of Dask, or a part of one: a series, an index, a scalar."""
    return type(what).__module__.startswith("dask.dataframe.")


def _required_frame(X: object) -> "DataFrame":
    if not _is_frame(X):
        raise EvenOddsError(f"X is a {type(X).__name__} of Dask: give an array or a frame.")
    return X


def _of_frame(X: "DataFrame", beside: tuple[Any, ...]) -> tuple[Source, Roles]:
    if X.ndim != 2:
        raise EvenOddsError("X is a Dask series: give a frame, such as ddf[['x']].")
    names = [str(name) for name in X.columns]
    more, parts = dict[str, Any](), list[list[str]]()
    for value, role in zip(beside, _BESIDE, strict=True):
        parts.append([])
        for column in _series(X, value, role):
            name = _unused(role if column.name is None else str(column.name), [*names, *more])
            more[name] = column
            parts[-1].append(name)
    nameless = None if all(isinstance(name, str) for name in X.columns) else X._meta
    return _source(X.assign(**more), [*names, *more], nameless), _roles(names, parts)


def _roles(names: Sequence[str], parts: list[list[str]]) -> Roles:
    target, weight, groups = (parts[k][0] if parts[k] else None for k in (0, 1, 3))
    return Roles(tuple(names), target, weight, tuple(parts[2]), groups)


def _unused(name: str, names: Sequence[str]) -> str:
    while name in names:
        name += "_"
    return name


def _series(X: "DataFrame", value: "Series | DataFrame | None", role: str) -> list[Any]:
    """The columns that are given beside a frame, each sure to have its rows: Dask would match others by their index."""
    from dask.dataframe import Index
    from dask.dataframe.dask_expr import _expr

    are_co_aligned: Any = _expr.are_co_aligned
    if value is None:
        return []
    if not _is_frame(value) or value.ndim == 0 or isinstance(value, Index):
        raise EvenOddsError(f"X is a Dask frame, so {role} has to be a Dask series of the same partitions.")
    if value.ndim > 1 and role != "offset" and len(value.columns) != 1:
        raise EvenOddsError(f"{role} has {len(value.columns)} columns: one is needed.")
    known = X.known_divisions and value.known_divisions
    if not known and not are_co_aligned(X.expr, value.expr):
        raise EvenOddsError(
            f"X has {X.npartitions} partitions and {role} {value.npartitions}, without known divisions and not of one "
            "frame, so that nothing tells which rows belong together: take both from one frame."
        )
    if known:
        _require_one_order(X, value, role)
    return [value] if value.ndim == 1 else [value[name] for name in value.columns]


def _require_one_order(X: "DataFrame", value: "Series | DataFrame", role: str) -> None:
    """An error where Dask, which sorts the divisions of both, could not compare them."""
    try:
        sorted([*X.divisions, *value.divisions])
    except TypeError as error:
        raise EvenOddsError(
            f"The index of X starts with {X.divisions[0]!r} and that of {role} with {value.divisions[0]!r}, so that "
            "nothing tells which rows belong together: take both from one frame."
        ) from error


def _of_arrays(X: "DaskArray", beside: tuple[Any, ...]) -> tuple[Source, Roles]:
    """Blocks of arrays, side by side."""
    if X.ndim != 2:
        raise EvenOddsError(f"X has {X.ndim} dimensions: a Dask array of two is needed.")
    if not _is_number(X.dtype):
        raise EvenOddsError(f"X is a Dask array of {X.dtype}, which is no number.")
    X = _whole_rows(X, "X")
    p = int(X.shape[1])
    arrays, names, types = [X], [[f"x{j}" for j in range(p)]], dict[str, Any]()
    types |= dict.fromkeys(names[0], pa.from_numpy_dtype(X.dtype))
    parts: list[list[str]] = []
    for value, role in zip(beside, _BESIDE, strict=True):
        parts.append([])
        if value is not None:
            array = _beside(X, value, role)
            parts[-1] = [role] if array.ndim == 1 else [f"{role} {j}" for j in range(array.shape[1])]
            arrays.append(array)
            names.append(parts[-1])
            kind = pa.from_numpy_dtype(array.dtype) if _is_number(array.dtype) else pa.string()
            types |= dict.fromkeys(parts[-1], kind)
    delayed = list(zip(*(array.to_delayed().ravel() for array in arrays), strict=True))
    workers = Workers(lambda columns: (names, delayed))
    return _of_workers(workers, types, np.empty((1, p))), _roles(names[0], parts)


def _is_number(kind: np.dtype[Any]) -> bool:
    """Whether Arrow has these numbers; it has no long doubles."""
    return kind.kind in "biuf" and kind.itemsize <= 8


def _whole_rows(array: "DaskArray", role: str) -> Any:
    """An array of two dimensions in chunks of whole rows."""
    if np.isnan(array.shape[1]):
        raise EvenOddsError(f"The number of columns of {role} is unknown: call its compute_chunk_sizes().")
    return array.rechunk({1: -1}) if array.numblocks[1] > 1 else array


def _beside(X: "DaskArray", value: object, role: str) -> "DaskArray":
    """What is given beside an array, in its chunks of rows."""
    import dask.array

    arrays: Any = dask.array
    known = not np.isnan(np.sum(X.chunks[0]))
    if _is_frame(value) and value.ndim:
        found = value.to_dask_array()
    elif _is_array(value):
        found = value
    else:
        own = None if is_dask(value) else _array(value, role)
        if own is None or not known or own.shape[:1] != (sum(X.chunks[0]),):
            raise EvenOddsError(f"X is a Dask array, so {role} has to be one with the same chunks of rows.")
        found = arrays.from_array(own, chunks=(X.chunks[0], *own.shape[1:]))
    if not 1 <= found.ndim <= 1 + (role == "offset"):
        raise EvenOddsError(f"{role} has {found.ndim} dimensions: of Dask arrays it has one number a row.")
    found = _whole_rows(found, role) if found.ndim > 1 else found
    if known and not np.isnan(np.sum(found.chunks[0])):
        if sum(found.chunks[0]) != sum(X.chunks[0]):
            raise EvenOddsError(f"X has {sum(X.chunks[0])} rows, and {role} {sum(found.chunks[0])}.")
        found = found.rechunk({0: X.chunks[0]})
    if found.numblocks[0] != X.numblocks[0]:
        raise EvenOddsError(f"X has {X.numblocks[0]} chunks of rows, and {role} {found.numblocks[0]}.")
    return found


def _array(value: object, role: str) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise EvenOddsError(f"{role} holds lists of different lengths: give one number or label a row.") from error


# What predicts


def lazily(model: Predictor, name: str, X: object) -> Any:
    """What a method that predicts says of each partition, as a collection of Dask: of a frame one with its index."""
    K, one = model.classes_.size, name == "predict" or (name == "decision_function" and model.classes_.size == 2)
    dtype = model.classes_.dtype if name == "predict" else np.dtype(np.float64)
    if _is_array(X):
        whole = _whole_rows(X, "X")
        shape: dict[str, Any] = {"drop_axis": 1} if one else {"chunks": (whole.chunks[0], (K,))}
        work = functools.partial(_predicted, model=model, method=name, dtype=dtype, one=one)
        return whole.map_blocks(work, meta=np.empty((0,) if one else (0, 0), dtype=dtype), **shape)
    names = getattr(model, "feature_names_in_", None)
    frame = _required_frame(X)
    frame = frame if names is None or not set(names) <= set(frame.columns) else frame[list(names)]
    meta = _in_frame(frame._meta, np.empty((0,) if one else (0, K), dtype=dtype), model)
    return frame.map_partitions(_predicted_in_frame, model, name, dtype, one, meta=meta)


def _predicted(
    block: "pd.DataFrame | NDArray[Any]", model: Predictor, method: str, dtype: np.dtype[Any], one: bool
) -> Any:
    if len(block) == 0:
        return np.empty((0,) if one else (0, model.classes_.size), dtype=dtype)
    return getattr(model, method)(block)


def _predicted_in_frame(frame: "pd.DataFrame", model: Predictor, method: str, dtype: np.dtype[Any], one: bool) -> Any:
    return _in_frame(frame, _predicted(frame, model, method, dtype, one), model)


def _in_frame(frame: "pd.DataFrame", values: Values, model: Predictor) -> Any:
    """Values with the index of a frame: a series, or a frame of the same package with a column for each class."""
    if values.ndim == 1:
        return type(frame)({"value": values}, index=frame.index)["value"].rename(None)
    return type(frame)(values, index=frame.index, columns=model.classes_)
