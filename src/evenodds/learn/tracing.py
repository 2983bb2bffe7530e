"""One epoch of a session run again under X-ray.

It shows a batch operation by operation, or finds the first number that is not finite.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from . import source

if TYPE_CHECKING:
    from .engine import Session


class _Found(Exception):
    """What was looked for is found: there is no need to run on."""


def trace(session: "Session", epoch: int, batch: int) -> dict[str, Any]:
    """Run one batch again, from the weights and random numbers of its epoch.

    Parameters
    ----------
    session : Session
    epoch, batch : int
        Which one, from 0.

    Returns
    -------
    dict
        `events`, a list of (line, column, last line, last column, value) in the order of the run; `rows`, those of the
        batch; `w`, `b` after it, and its picture.
    """
    batches = -(-len(session.y) // int(session.settings["bs"]))
    batch = min(max(batch, 0), batches - 1)
    start = session.start_of(epoch)
    w, b = start["w"].copy(), start["b"]
    module, events = xray(session.text, batch, start)
    with np.errstate(all="ignore"):
        try:
            next(module.epochs(session.X, session.y, **session.settings), None)
        except _Found:
            pass
        except (ValueError, ArithmeticError) as error:
            events.append((0, 0, 0, 0, f"scratch refuses: {error}", None))
    lines = session.text.split("\n")
    rows = np.empty(0)
    for line, left, last, right, _, value in events:
        code = lines[line - 1].lstrip() if line else ""
        if code.startswith("w -="):
            w = value
        elif code.startswith("b -="):
            b = float(value)
        elif line and source.expression(session.text, (line, left, last, right)).startswith("order["):
            rows = value
    shown = [list(event[:5]) for event in events[_first_of_loop(session.text, events) if epoch else 0 :] if event[4]]
    picture = session.painted(np.array([w]), np.array([b]))
    return {"events": shown, "rows": rows, "w": w, "b": b, "batch": batch, "batches": batches, **picture}


def _first_of_loop(text: str, events: list[Any]) -> int:
    """Where the checks end, which are done before the first epoch only."""
    first, last = source.functions(text)["epochs"]
    lines = text.split("\n")
    loop = next(number for number in range(first, last + 1) if lines[number - 1].lstrip().startswith("while "))
    return next((i for i, event in enumerate(events) if loop <= event[0] <= last), 0)


def xray(text: str, batch: int | None = None, start: dict[str, Any] | None = None) -> tuple[Any, list[Any]]:
    """Load a text with probes that note its operations: those of one batch, or all.

    Returns
    -------
    module : module
    events : list of (line, column, last line, last column, value as text, value)
        Grows while the module runs.
    """
    events: list[Any] = []
    now = -1

    def next_batch() -> None:
        nonlocal now
        now += 1
        if batch is not None and now > batch:
            raise _Found

    def probe(value: ArrayLike, place: source.Place) -> Any:
        if batch is None or now == batch or (now < 0 and batch == 0):
            events.append((*place, short(value), value.copy() if isinstance(value, np.ndarray) else value))
        return value

    return source.xrayed(text, probe, next_batch, start), events


def look(session: "Session", epoch: int) -> dict[str, Any] | None:
    """Run an epoch (from 0; -1 is the normalising before the first) until a number is not finite.

    Returns
    -------
    dict or None
        `line`, `expression`, `place`, `value`, `count` of `of` numbers, `epoch` and `batch`, both from 1; 0 is before.
    """
    hit: dict[str, Any] = {}
    now = 0

    def next_batch() -> None:
        nonlocal now
        now += 1

    def probe(value: ArrayLike, place: source.Place) -> Any:
        if not _finite(value):
            bad = np.asarray(value)[~np.isfinite(value)]
            hit.update(line=place[0], expression=source.expression(session.text, place), place=list(place))
            hit.update(value=str(bad.flat[0]), count=int(bad.size), of=int(np.size(value)))
            hit.update(epoch=epoch + 1, batch=now)
            raise _Found
        return value

    start = session.start_of(epoch) if epoch >= 0 else None
    module = source.xrayed(session.text, probe, next_batch, start)
    with np.errstate(all="ignore"):
        try:
            if epoch < 0:
                module.normalize(session.columns)
            else:
                next(module.epochs(session.X, session.y, **session.settings), None)
        except (_Found, ValueError, ArithmeticError):
            pass
    return hit or None


def _finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, np.ndarray) or value.dtype.kind not in "fc" or bool(np.isfinite(value).all())


def short(value: object) -> str:
    """Write a value in a few characters: shape and first numbers; "" for what is no number."""
    if isinstance(value, tuple):
        parts = [short(part) for part in value]
        return f"({', '.join(parts)})" if all(parts) and parts else ""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}"
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        return ""
    if value.dtype.kind == "b" and value.ndim:
        return f"{int(value.sum())} of {value.size} true"
    head = ", ".join(f"{number:.4g}" for number in value.ravel()[:3])
    return f"{value.shape} [{head}{', …' if value.size > 3 else ''}]" if value.ndim else head
