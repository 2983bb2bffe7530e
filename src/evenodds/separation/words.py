"""A verdict in words: which columns tell the classes apart, and what to do."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..advice import warn
from ..arrays import Array, Mask
from ..exceptions import SeparationWarning
from ..naming import listed, listed_labels
from .cuts import Cut
from .verdict import Verdict

_END = "The likelihood has no maximum: the coefficients grow without end, those reported are where the fit stopped. "
_MOST = 10  # columns of a side that are all named
_FEW = 3  # that are named of more
_MOST_CUTS = 4  # that are all told
_LEAK = "a ridge (for example C=1), or ask how such a column can know the answer."


def tell(verdict: Verdict, classes: Sequence[Any], name: Callable[[int], Any]) -> None:
    """Warn of classes that are separated, or of doubt.

    name : what the user calls a column, by number
    """
    if verdict.doubt:
        warn(
            f"It was not decided whether the fit has an optimum. {verdict.doubt} If the classes are separated, the "
            "coefficients grow without end, and those reported are only where the fit stopped.",
            SeparationWarning,
        )
    elif verdict.separating is not None:
        two = len(classes) == 2 and len(verdict.separating) == 1
        parts = _by_cuts(verdict.cuts, classes, name) + (_of_two if two else _of_more)(verdict, classes, name)
        cure = "Use Firth's fit, LogisticRegression(firth=True), or" if two else "Use"
        warn(f"The classes are separated: {'; '.join(parts)}. {_END}{cure} {_LEAK}", SeparationWarning)


def _by_cuts(cuts: Sequence[Cut], classes: Sequence[Any], name: Callable[[int], Any]) -> list[str]:
    """What columns tell by themselves."""
    parts: list[str] = []
    for cut in cuts[:_MOST_CUTS]:
        terms = {name(int(k)): float(cut.signs[k]) for k in np.flatnonzero(cut.signs)}
        some, others = ([classes[int(k)] for k in np.flatnonzero(side)] for side in (cut.classes, ~cut.classes))
        parts.append(f"{'also ' * bool(parts)}{_sides(terms)} {_belong(some, others)}")
    return parts + [f"also {len(cuts) - _MOST_CUTS} more of this kind"] * (len(cuts) > _MOST_CUTS)


def _of_two(verdict: Verdict, classes: Sequence[Any], name: Callable[[int], Any]) -> list[str]:
    """What columns tell together."""
    (direction,) = _slopes(verdict)
    if verdict.certain == (True, False):  # only of the first class is anything certain
        direction, classes = -direction, classes[::-1]
    terms = {name(int(k)): float(direction[k]) for k in np.flatnonzero((direction != 0) & ~_alone(verdict))}
    belong = _belong(classes[1:], classes[:1])
    if not terms:
        return [] if verdict.cuts else [f"rows {belong}, by the intercept alone"]
    at_once, way = (", taken together,", f", in the direction {_sum(terms)}") if len(terms) > 1 else ("", "")
    these = "of the rows that these leave, " * bool(verdict.cuts)
    sides = _sides(terms).removesuffix(",") if at_once else _sides(terms)
    return [f"{these}{sides}{at_once} {belong}{way}"]


def _of_more(verdict: Verdict, classes: Sequence[Any], name: Callable[[int], Any]) -> list[str]:
    """The same of more classes."""
    if verdict.apart is not None and not verdict.apart.any():
        return []
    moved = _slopes(verdict).any(axis=0)
    others = moved & ~_alone(verdict)
    columns = [name(int(k)) for k in np.flatnonzero(others if others.any() else moved)]
    together = ", taken together," * (1 < len(columns) <= _MOST)
    what = f"{_counted(columns) if columns else 'the intercepts'}{together}"
    told = _apart(verdict.apart, classes)
    also = "also " * bool(verdict.cuts)
    return [f"{also}{what} tell{'s' * (len(columns) == 1)} {told} on some rows with certainty"]


def _alone(verdict: Verdict) -> Any:
    """Which columns separate by themselves."""
    return np.any([cut.signs != 0 for cut in verdict.cuts], axis=0) if verdict.cuts else np.False_


def _belong(some: Sequence[Any], others: Sequence[Any]) -> str:
    sides = [f"class{'es' * (len(side) > 1)} {listed_labels(side)}" for side in (some, others)]
    return "belong to {} and never to {}".format(*sides)


def _apart(apart: Mask | None, classes: Sequence[Any]) -> str:
    """Which classes are told apart: one from others, all of some from each other, or some of these."""
    apart = ~np.eye(len(classes), dtype=bool) if apart is None else apart
    some = np.flatnonzero(apart.any(axis=0)).tolist()
    pairs = int(apart.sum()) // 2
    if pairs == len(some) - 1 and (apart.sum(axis=0) == pairs).any():
        one = int(np.flatnonzero(apart.sum(axis=0) == pairs)[-1])
        return f"class {classes[one]!r} from {listed_labels([classes[k] for k in some if k != one])}"
    of = "" if pairs == len(some) * (len(some) - 1) // 2 else "some of "
    return f"{of}the classes {listed_labels([classes[k] for k in some])} apart"


def _slopes(verdict: Verdict) -> Array:
    return np.zeros((1, 0)) if verdict.separating is None else verdict.separating


def _sides(direction: Mapping[Any, float]) -> str:
    """Which values of columns: "high values of columns 'a', 'b' and low values of column 'c'"."""
    sides = {"high": [k for k, v in direction.items() if v > 0], "low": [k for k, v in direction.items() if v < 0]}
    return " and ".join(f"{side} values of {_counted(names)}" for side, names in sides.items() if names)


def _counted(names: Sequence[Any]) -> str:
    """Names in words; of many, such as lone levels of a factor, how many there are and the first few."""
    return listed(names) if len(names) <= _MOST else f"{len(names):,} columns, such as {listed_labels(names[:_FEW])},"


def _sum(direction: Mapping[Any, float], most: int = 10) -> str:
    """A weighted sum of columns, the largest weight 1: "'a' - 0.5 'b'", and of columns without names "x0 - 0.5 x1"."""
    largest = max(abs(value) for value in direction.values())
    terms = [
        (value / largest, f"x{name}" if isinstance(name, int) else repr(name))
        for name, value in list(direction.items())[:most]
    ]
    words = "".join(f" {'-' if v < 0 else '+'} {f'{abs(v):.3g} '.removeprefix('1 ')}{name}" for v, name in terms)
    return words.removeprefix(" +").strip() + (" + ..." if len(direction) > most else "")
