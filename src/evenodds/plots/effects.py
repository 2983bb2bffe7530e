"""Pictures of coefficients and effects, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter
from numpy.typing import ArrayLike, NDArray

from ..arrays import Array, Numbers, dense
from ..exceptions import EvenOddsError, require_flags, texts_of
from ..inference import Inference
from ..naming import nearest
from .style import BLUE, VERMILION, columns, new_axes, require_inference, shown, shown_all, shown_pairs

if TYPE_CHECKING:
    from ..model import LogisticRegression

_FURTHEST, _LARGEST = 300.0, 1e150  # log odds on an axis of ratios, and on one of log odds


@dataclass(frozen=True)
class Forest:
    """Estimates with their intervals, a line each, the first one lowest.

    names : as they are shown
    ends : (k, 2), NaN where there is no interval
    notes : words for what cannot be drawn, or None
    """

    names: Sequence[str]
    values: Array
    ends: Array
    notes: Sequence[str | None]

    @classmethod
    def of(cls, result: Inference, first: int, terms: Sequence[str] | None = None) -> Forest:
        """The coefficients from number `first` on; of more than two classes those of each as name[class].

        terms : some of them, as in `Inference.profile`
        """
        k, keys = len(result.names), result.problem.keys
        chosen = [j for j in range(result.coef.size) if j % k >= first]
        if terms is not None:
            terms = texts_of("terms", terms)
            unknown = [term for term in terms if term not in keys and term not in result.names]
            if unknown:
                raise EvenOddsError(f"There is no coefficient {unknown[0]!r}. {nearest(str(unknown[0]), keys)}")
            asked = set(terms)
            chosen = [j for j in range(result.coef.size) if keys[j] in asked or result.names[j % k] in asked]
        notes = [result.notes.get(keys[j]) for j in chosen]
        names = shown_pairs(result.names, result.listed) if len(result.classes) > 2 else shown_all(keys)
        return cls(
            [names[j] for j in chosen], result.coef.ravel()[chosen], result.conf_int.reshape(-1, 2)[chosen], notes
        )

    def take(self, order: Numbers) -> Forest:
        """The lines in another order."""
        names, notes = ([column[j] for j in order] for column in (self.names, self.notes))
        return Forest(names, self.values[order], self.ends[order], notes)

    @property
    def drawn(self) -> NDArray[np.bool_]:
        """Which lines are no words."""
        return np.array([note is None for note in self.notes], dtype=bool)


def coefficients(model: LogisticRegression, ax: Axes | None = None, names: Sequence[str] | None = None) -> Axes:
    """Draw the coefficients of a fitted linear model with two classes, the largest on top.

    To the right of zero (vermilion) a feature speaks for the second class, to the left (blue) for the first.
    Dots can be compared with each other when their features have comparable units. What `infer` returns is drawn
    with its intervals, and of more than two classes as well: lines are name[class].

    Parameters
    ----------
    model : fitted linear classifier, or Inference
        Anything with ``coef_`` of shape (1, p); of a pipeline, its last step.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure, as high as it needs to be.
    names : sequence of p str, optional
        The features; by default ``model.feature_names_in_``, or x0, x1, ... where it has none.

    Returns
    -------
    matplotlib Axes
    """
    if isinstance(model, Inference):
        lines, what = Forest.of(model, int(bool(model.model.fit_intercept))), _log_odds(model)
    else:
        lines, what = _estimates(model), f"change in the log-odds of class {shown(model.classes_[1])}"
    if names is not None:
        names = texts_of("names", names)
        if len(names) != lines.values.size:
            raise EvenOddsError(f"There are {lines.values.size} coefficients but {len(names)} names.")
        lines = Forest(shown_all(names), lines.values, lines.ends, lines.notes)
    # What has no coefficient at all goes to the bottom, what is infinite to the top and the bottom by itself.
    known = lines.drawn | np.isinf(lines.values)
    lines = lines.take(np.lexsort((lines.values, known)))
    ax = new_axes(ax, height=_height(lines))
    if not isinstance(model, Inference):
        ax.hlines(np.arange(lines.values.size), 0, lines.values, color="0.8", linewidth=1)
    _draw(ax, lines, 0.0)
    interval = f"\n({100 * model.level:g}% interval)" if isinstance(model, Inference) else ""
    ax.set_xlabel(f"{what}, per unit{interval}", loc="right")
    return ax


def forest(
    result: Inference,
    ax: Axes | None = None,
    *,
    odds_ratio: bool = False,
    intercept: bool = False,
    terms: Sequence[str] | None = None,
) -> Axes:
    """Draw the coefficients with their intervals in the order of the table; of more than two classes, name[class].

    Coefficients that have no interval, because they are infinite or aliased, are named in words.

    Parameters
    ----------
    result : Inference
        What `infer` returned.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure, as high as it needs to be.
    odds_ratio : bool, default False
        Draw factors on the odds, on an axis in logarithms, and not changes of the log-odds.
    intercept : bool, default False
        Draw the intercept as well.
    terms : sequence of str, optional
        The coefficients to draw, by default all. Of more than two classes ``name[class]``, or a name alone for all
        classes.

    Returns
    -------
    matplotlib Axes
    """
    require_flags(odds_ratio=odds_ratio, intercept=intercept)
    require_inference(result)
    lines = Forest.of(result, 0 if intercept else int(bool(result.model.fit_intercept)), terms)
    lines = lines.take(np.arange(lines.values.size)[::-1])
    what = f"{100 * result.level:g}% interval"
    ax = new_axes(ax, height=_height(lines))
    if odds_ratio:
        values, ends = np.exp(_within(lines.values, _FURTHEST)), np.exp(_within(lines.ends, _FURTHEST))
        ax.set_xscale("log")
        _draw(ax, Forest(lines.names, values, ends, lines.notes), 1.0)
        _ticks_of_ratios(ax)
        ax.set_xlabel(f"{_odds(result)}, per unit\n({what})", loc="right")
    else:
        own = _within(lines.values, _LARGEST), _within(lines.ends, _LARGEST)
        _draw(ax, Forest(lines.names, *own, lines.notes), 0.0)
        ax.set_xlabel(f"{_log_odds(result)}, per unit\n({what})", loc="right")
    return ax


def _within(values: Array, most: float) -> Array:
    """Numbers that an axis has room for; those at infinity stay there, and are drawn to its frame."""
    return np.where(np.isfinite(values), np.clip(values, -most, most), values).astype(np.float64)


def _log_odds(result: Inference) -> str:
    """What a coefficient is."""
    if result.baseline is None:
        return "change in the log-probability of a class beside the mean of all"
    return f"change in the log-odds of {_against(result)}"


def _odds(result: Inference) -> str:
    """What the exponential of a coefficient is."""
    if result.baseline is None:
        return "factor on the probability of a class beside the mean of all"
    return f"factor on the odds of {_against(result)}"


def _against(result: Inference) -> str:
    if len(result.listed) == 1:
        return f"class {shown(result.listed[0])}"
    return f"a class against {shown(result.baseline)}"


def margins(
    result: Inference,
    X: object,
    ax: Axes | None = None,
    *,
    at: object = "overall",
    kind: str = "dydx",
    groups: Mapping[str, Sequence[str]] | None = None,
    discrete: bool = True,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
) -> Axes:
    """Draw the average marginal effects with their intervals: what one unit does to the probability.

    Parameters
    ----------
    result : Inference
        What `infer` returned.
    X : array, data frame or sparse matrix of shape (m, p)
        The rows to average over.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure, as high as it needs to be.
    at, kind, groups, discrete, sample_weight, offset
        See `Inference.margins`.

    Returns
    -------
    matplotlib Axes
    """
    require_inference(result)
    asked: dict[str, Any] = {"at": at, "kind": kind, "groups": groups, "discrete": discrete}
    table = columns(result.margins(X, **asked, sample_weight=sample_weight, offset=offset))
    terms = list(map(str, table["term"]))
    several = len(result.classes) > 2
    once, labels = list(dict.fromkeys(terms)), list(dict.fromkeys(table["class"])) if several else []
    pairs = dict(zip([(term, label) for label in labels for term in once], shown_pairs(once, labels), strict=True))
    names = [pairs[pair] for pair in zip(terms, table["class"], strict=True)] if several else shown_all(terms)
    ends = np.column_stack([table["lower"], table["upper"]])
    of_one = result.problem.keys[: len(result.names)]  # whether a column is aliased is the same in all classes
    notes = [result.notes.get(of_one[result.names.index(term)]) for term in terms]
    lines = Forest(names, table["effect"], ends, notes).take(np.arange(len(names))[::-1])
    ax = new_axes(ax, height=_height(lines))
    _draw(ax, lines, 0.0)
    ax.set_xlabel(f"{_change(result, **asked)}; {100 * result.level:g}% interval)", loc="right")
    return ax


def _change(result: Inference, at: object, kind: str, groups: object, discrete: bool) -> str:
    """What a margin is, up to the open bracket that tells of its unit and where it is taken."""
    of = "a class" if len(result.classes) > 2 else f"class {shown(result.classes[1])}"
    steps = discrete and kind[2:] == "dx"
    unit = {"dx": "per unit" + ", of 0/1 columns from 0 to 1" * steps, "ex": "per unit of the logarithm"}[kind[2:]]
    unit += ", of factors from their baseline" if groups else ""
    average = "average " if at == "overall" or isinstance(at, Mapping) else ""
    change = f"{average}change in the {'logarithm of the ' * (kind[:2] == 'ey')}probability of {of}"
    if isinstance(at, Mapping):
        where = "; at " + (
            ", ".join(f"{shown(name)} = {value:g}" for name, value in at.items()) if len(at) < 3 else "given values"
        )
    else:
        where = "" if at == "overall" else f"; at the {at}s"
    return f"{change}\n({unit}{where}"


def _estimates(model: object) -> Forest:
    """The coefficients of any linear model, which have no intervals."""
    if not hasattr(model, "coef_"):
        raise EvenOddsError(
            f"{type(model).__name__} has no coef_: pass a fitted linear model (of a pipeline, its last step)."
        )
    table = np.atleast_2d(dense(model.coef_))
    if len(table) != 1:
        raise EvenOddsError(f"coefficients draws a model with two classes; this coef_ has shape {table.shape}.")
    coef = table[0]
    design = getattr(model, "design_", None)
    known = getattr(model, "feature_names_in_", [f"x{j}" for j in range(coef.size)])
    names = list(known if design is None else design.names)
    return Forest(shown_all(names), coef, np.full((coef.size, 2), np.nan), [None] * coef.size)


def _height(lines: Forest) -> float:
    return 1.2 + 0.22 * lines.values.size


def _draw(ax: Axes, lines: Forest, even: float) -> None:
    """Dots and intervals, or words; `even` is where there is no effect."""
    rows, drawn = np.arange(lines.values.size), lines.drawn
    values, ends = lines.values[drawn], lines.ends[drawn]
    colors = np.where(values > even, VERMILION, BLUE)
    ax.axvline(even, color="0.4", linewidth=0.8)
    ax.scatter(values, rows[drawn], s=28, c=colors, zorder=3)
    low, high = _limits(ax, np.append(values, even), ends)
    if not drawn.any():
        ax.xaxis.set_major_locator(NullLocator())  # numbers would mean nothing
        ax.xaxis.set_minor_locator(NullLocator())
    # An end at infinity is drawn to the frame.
    ax.hlines(rows[drawn], np.clip(ends[:, 0], low, high), np.clip(ends[:, 1], low, high), color=colors, linewidth=1.6)
    ax.set(xlim=(low, high), ylim=(-0.7, rows.size - 0.3))
    ax.set_yticks(rows, lines.names)
    ax.tick_params(axis="y", length=0)
    for row, value, note in zip(rows, lines.values, lines.notes, strict=True):
        if note is not None:
            _say(ax, int(row), note, right=bool(value > even))


def _limits(ax: Axes, values: Array, ends: Array) -> tuple[float, float]:
    """Limits of the axis around all that is finite, with a margin."""
    seen = np.concatenate([values, ends[np.isfinite(ends)]])
    log = ax.get_xscale() == "log"
    seen = np.log(seen[(seen > 0) & np.isfinite(seen)]) if log else seen
    low, high = float(seen.min()), float(seen.max())
    margin = 0.04 * (high - low) if high > low else 1.0
    low, high = low - margin, high + margin
    return (float(np.exp(low)), float(np.exp(high))) if log else (low, high)


def _say(ax: Axes, row: int, note: str, right: bool) -> None:
    """Words in the place of a dot, at the edge on the side where the coefficient would be."""
    ax.text(
        0.99 if right else 0.01,
        row,
        f"{note} →" if right else f"← {note}" if note.startswith("infinite (-)") else note,
        transform=ax.get_yaxis_transform(),
        ha="right" if right else "left",
        va="center",
        fontsize="small",
        color="0.25",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        zorder=2,
    )


def _ticks_of_ratios(ax: Axes) -> None:
    """0.5, 1, 2 where they find room; powers of ten otherwise."""
    low, high = np.log10(ax.get_xlim())
    if high - low > 3.5 or isinstance(ax.xaxis.get_major_locator(), NullLocator):
        return
    few = LogLocator(subs=(1.0, 2.0, 5.0) if high - low < 2 else (1.0, 3.0))
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]) if high - low < 0.7 else few)
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
