"""Tables as frames of the package that the user has, or has given."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import narwhals as nw

from ..exceptions import EvenOddsError, is_one_of
from ..table import is_frame

_BACKENDS: dict[str, Any] = {
    "pandas": nw.Implementation.PANDAS,
    "polars": nw.Implementation.POLARS,
    "pyarrow": nw.Implementation.PYARROW,
}


def frame(columns: Mapping[str, Any], backend: str | None) -> Any:
    """Columns as a frame of the backend, by default the first one that is installed."""
    installed = (name for name in _BACKENDS if importlib.util.find_spec(name) is not None)
    name = next(installed) if backend is None else backend
    if not is_one_of(name, _BACKENDS):
        raise EvenOddsError(f"backend is one of {', '.join(map(repr, _BACKENDS))}, got {backend!r}.")
    if importlib.util.find_spec(name) is None:
        raise EvenOddsError(f"{name} is not installed: pip install {name}, or choose another backend.")
    return nw.from_dict(dict(columns), backend=_BACKENDS[name]).to_native()


def frame_like(X: object, columns: Mapping[str, Any], *, rows: bool = False) -> Any:
    """Columns as a frame of the kind that was given; with `rows`, one row for each of its own, under the same index."""
    if not is_frame(X):
        return frame(columns, None)
    given = nw.from_native(X, eager_only=True)
    name = given.implementation.value
    native = frame(columns, name if name in _BACKENDS else None)
    index = nw.maybe_get_index(given) if rows else None
    return native if index is None else native.set_axis(index)  # only pandas has one
