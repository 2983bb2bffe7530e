"""Collections of Dask: how they are known, computed and predicted for. Dask is imported where one is given."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..exceptions import EvenOddsError

_FAN = 8  # sums that are added in one task
_RETRIES = 3


def is_dask(X: Any) -> bool:
    """Whether X is a collection of Dask, which is not imported for that."""
    return "dask" in sys.modules and type(X).__module__.split(".")[0] == "dask" and hasattr(X, "__dask_graph__")


def brought(what: Any) -> Any:
    """What a collection holds, here; anything else as it is."""
    return what.compute() if is_dask(what) else what


def compute(what: Any) -> Any:
    """The value of a delayed object, by whatever scheduler is set; a worker that dies costs a retry."""
    retries = {"retries": _RETRIES} if _has_client() else {}
    try:
        return what.compute(**retries)
    except EvenOddsError:
        raise
    except Exception as error:
        text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise EvenOddsError(f"Dask could not compute the rows: {text}.") from error


def _has_client() -> bool:
    distributed = sys.modules.get("distributed")
    try:
        return distributed is not None and distributed.default_client() is not None
    except ValueError:
        return False


def in_a_tree(tasks: list[Any], add: Callable[[list[Any]], Any]) -> Any:
    """The sum of delayed objects, a few in each task, in an order that is theirs."""
    from dask.delayed import delayed

    while len(tasks) > 1:
        tasks = [delayed(add)(tasks[k : k + _FAN]) for k in range(0, len(tasks), _FAN)]
    return compute(delayed(add)(tasks))


def lazily(model: Any, name: str, X: Any) -> Any:
    """What a method that predicts says of each partition, as a collection of Dask: of a frame one with its index."""
    K, one = model.classes_.size, name == "predict" or (name == "decision_function" and model.classes_.size == 2)
    dtype = model.classes_.dtype if name == "predict" else np.dtype(np.float64)
    if hasattr(X, "chunks"):
        X = X.rechunk({1: -1}) if X.numblocks[1] > 1 else X
        shape: dict[str, Any] = {"drop_axis": 1} if one else {"chunks": (X.chunks[0], (K,))}
        work = functools.partial(_predicted, model=model, method=name, dtype=dtype, one=one)
        return X.map_blocks(work, meta=np.empty((0,) if one else (0, 0), dtype=dtype), **shape)
    names = getattr(model, "feature_names_in_", None)
    X = X if names is None or not set(names) <= set(X.columns) else X[list(names)]
    meta = _in_frame(X._meta, np.empty((0,) if one else (0, K), dtype=dtype), model)
    return X.map_partitions(_predicted_in_frame, model, name, dtype, one, meta=meta)


def _predicted(block: Any, model: Any, method: str, dtype: Any, one: bool) -> Any:
    if len(block) == 0:
        return np.empty((0,) if one else (0, model.classes_.size), dtype=dtype)
    return getattr(model, method)(block)


def _predicted_in_frame(frame: Any, model: Any, method: str, dtype: Any, one: bool) -> Any:
    return _in_frame(frame, _predicted(frame, model, method, dtype, one), model)


def _in_frame(frame: Any, values: Any, model: Any) -> Any:
    """Values with the index of a frame: a series, or a frame of the same package with a column for each class."""
    if values.ndim == 1:
        return type(frame)({"value": values}, index=frame.index)["value"].rename(None)
    return type(frame)(values, index=frame.index, columns=model.classes_)
