"""Pictures of a fit along one column, the others held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy.special import logit

from ..arrays import Array
from ..exceptions import EvenOddsError, is_one_of
from ..inference import Inference
from ..inference.curves import Curve, Ground
from ..labels import is_label
from .style import COLORS, MARKERS, VERMILION, legend_above, new_axes, require_inference, shown, shown_all

_MOST = 40  # levels that are drawn
_DASHES = ("-", "--", "-.", ":")
_SCALES = ("probability", "log odds")
_HIGH = 0.22  # inches a level


def effect(
    result: Inference,
    column: str,
    ax: Axes | None = None,
    *,
    X: object = None,
    at: Mapping[str, Any] | None = None,
    by: str | None = None,
    scale: str = "probability",
    label: object = None,
) -> Axes:
    """Draw the probability along a column, with its interval, where the other columns are held.

    Numbers are held at their means (by the weights that `fit_table` was given the column of) and factors at their
    references, if `at` does not hold them elsewhere. All terms
    that are made of the column move along: polynomials, splines and products. A number is a line with its band over the
    range that it has in the rows; a factor, or a number with two values, is a point with a bar for each.

    Parameters
    ----------
    result : Inference
        What `infer` returned.
    column : str
        The name of a column of the table, or of a part of dates, such as ``"month(day)"``.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    X : frame, array or sparse matrix, optional
        Rows that set the ranges and means; by default those of the fit.
    at : mapping of str to number or level, optional
        What other columns are held at, such as ``{"age": 40, "carrier": "AA"}``.
    by : str, optional
        Another column that has a curve for each of its levels, or of a number for its quartiles. Of two classes, or
        with `label`.
    scale : {"probability", "log odds"}, default="probability"
        Of more than two classes log odds are those of a class against all others.
    label : label, optional
        Of more than two classes the one to draw; by default all.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    EvenOddsError
        If a column, a level or a class is unknown.
    """
    require_inference(result)
    if not is_one_of(scale, _SCALES):
        raise EvenOddsError(f"scale is one of {', '.join(map(repr, _SCALES))}, got {scale!r}.")
    classes = _classes(result, label)
    if by is not None and len(classes) > 1:
        raise EvenOddsError(f"by= is for one class: choose it with label=, one of {list(result.classes)}.")
    return draw(Ground(result, X), column, new_axes(ax), at=at, by=by, scale=scale, label=label)


def draw(
    ground: Ground,
    column: str,
    ax: Axes | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    by: str | None = None,
    scale: str = "probability",
    label: object = None,
) -> Axes:
    """What `effect` draws, of a result whose rows have been read."""
    result, classes = ground.result, _classes(ground.result, label)
    curves = ground.curves(column, at, by)
    lines = list(_lines(curves, result, classes, scale))
    is_number = curves[0].is_number
    ax = new_axes(ax, 4.2 if is_number else 1.4 + _HIGH * min(len(curves[0].values), _MOST) * max(len(lines) / 2, 1))
    what = "probability" if scale == "probability" else "log odds"
    of = f"class {shown(result.classes[classes[0]])}" if len(classes) == 1 else "each class"
    held = "others at means and references" if not at else f"others held, {_words(at)}"
    interval = f"({100 * result.level:g}% interval; {held})"
    if is_number:
        _draw_lines(ax, lines)
        ax.set(xlabel=f"{shown(column)}\n{interval}", ylabel=f"{what} of {of}")
        _mark_rows(ax, ground, column)
    else:
        left_out = _draw_points(ax, lines)
        more = f"; {left_out} levels between not shown" if left_out else ""
        ax.set_xlabel(f"{what} of {of}\n{interval[:-1]}{more})", loc="right")
        ax.set_ylabel(shown(column))
    if len(lines) > 1:
        legend_above(ax, [line.name for line in lines], title=None if by is None else shown(by))
    return ax


@dataclass(frozen=True)
class _Line:
    """One curve of one class: (n,) values, its estimates and ends, and how it looks."""

    name: str
    values: Sequence[Any]
    estimate: Array
    low: Array
    high: Array
    color: str
    dashes: str
    marker: str


def _classes(result: Inference, label: object) -> list[int]:
    """The numbers of the classes to draw: of two the second."""
    labels = list(result.classes)
    if label is None:
        return [1] if len(labels) == 2 else list(range(len(labels)))
    if not is_label(label) or label not in labels:
        raise EvenOddsError(f"label is one of the classes {', '.join(map(repr, labels))}, got {label!r}.")
    if len(labels) == 2 and label != labels[1]:
        raise EvenOddsError(f"Of two classes the second is drawn, {labels[1]!r}; got label={label!r}.")
    return [labels.index(label)]


def _lines(curves: Sequence[Curve], result: Inference, classes: Sequence[int], scale: str) -> Iterator[_Line]:
    by = [curve.by for curve in curves]
    names = shown_all([_valued(pair[1]) for pair in by if pair is not None]) or shown_all(
        [result.classes[c] for c in classes]
    )
    alone = len(curves) * len(classes) == 1
    colors = cycle((VERMILION,) if alone else COLORS)
    looks = zip(names, colors, cycle(_DASHES), cycle(MARKERS), strict=False)
    for curve in curves:
        for c in classes:
            place = 0 if len(result.classes) == 2 else c
            name, color, dashes, marker = next(looks)
            ends = [values[:, place] for values in (curve.probability, curve.lower, curve.upper)]
            with np.errstate(divide="ignore"):
                estimate, low, high = (logit(p) for p in ends) if scale == "log odds" else ends
            yield _Line(name, curve.values, estimate, low, high, color, dashes, marker)


def _valued(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _words(at: Mapping[str, Any]) -> str:
    """What is held, if it is little enough to be said."""
    said = ", ".join(f"{shown(name)} = {shown(_valued(value))}" for name, value in at.items())
    return said if len(at) < 3 else f"{len(at)} as asked for"


def _draw_lines(ax: Axes, lines: Sequence[_Line]) -> None:
    for line in lines:
        ax.fill_between(line.values, line.low, line.high, color=line.color, alpha=0.2, linewidth=0)
        ax.plot(line.values, line.estimate, color=line.color, linestyle=line.dashes, linewidth=2, label=line.name)
    ax.margins(x=0.02)


def _mark_rows(ax: Axes, ground: Ground, column: str) -> None:
    """Ticks along the bottom, a tenth of the rows between two of them; of whole numbers the axis names whole ones."""
    values = ground.columns.numbers(ground.columns.named(column))
    at = np.quantile(values, np.linspace(0, 1, 11))
    # Matplotlib would let long numbers run into each other.
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10], integer=bool((values % 1 == 0).all())))
    ax.plot(at, np.full(at.size, 0.01), "|", color="0.4", markersize=7, transform=ax.get_xaxis_transform(), zorder=3)


def _draw_points(ax: Axes, lines: Sequence[_Line]) -> int:
    """A line for each level, the first on top; of very many the lowest and the highest. How many are left out."""
    count = len(lines[0].values)
    order = np.arange(count)
    if count > _MOST:
        ranked = np.argsort(lines[0].estimate, kind="stable")
        order = ranked[np.r_[: _MOST // 2, count - _MOST // 2 : count]]
    rows = np.arange(order.size)[::-1]
    for k, line in enumerate(lines):
        at = rows + 0.5 * ((len(lines) - 1) / 2 - k) / max(len(lines), 2)
        ax.hlines(at, line.low[order], line.high[order], color=line.color, linewidth=1.6)
        ax.scatter(line.estimate[order], at, s=28, c=line.color, marker=line.marker, zorder=3, label=line.name)
    ax.set_yticks(rows, shown_all([_valued(lines[0].values[j]) for j in order.tolist()]))
    ax.set_ylim(-0.7, order.size - 0.3)
    ax.tick_params(axis="y", length=0)
    return count - order.size
