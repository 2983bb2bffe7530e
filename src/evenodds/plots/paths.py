"""Pictures of a penalty from strong to weak: the coefficients on the way, and the score of rows left out."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ..arrays import Array, Numbers
from ..cross_validation import LogisticRegressionCV
from ..exceptions import EvenOddsError, require_count
from ..labels import is_label
from ..paths import Path
from .style import BLUE, COLORS, VERMILION, new_axes, shown, shown_all, shown_pairs

_APART = 0.035  # of the height of the picture: the least distance of two labels


def path(fits: object, ax: Axes | None = None, n_labels: int = 8, label: object = None) -> Axes:
    """Draw the coefficients of a path, from the strongest penalty (left) to the weakest.

    The lines that end furthest from 0 are named; the numbers on top count the columns that are in.

    Parameters
    ----------
    fits : Path or LogisticRegressionCV
        What `evenodds.path` returns, or a fitted `LogisticRegressionCV`, whose choice is drawn as well.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    n_labels : int, default 8
        How many lines to name.
    label : optional
        Of more than two classes, the one to draw. By default all of them, as column[class].

    Returns
    -------
    matplotlib Axes
    """
    require_count(0, n_labels=n_labels)
    found = fits.path_ if isinstance(fits, LogisticRegressionCV) else fits
    if not isinstance(found, Path):
        raise EvenOddsError(f"path draws what evenodds.path returns, got a {type(fits).__name__}.")
    lines, names = _lines(found, label)
    ax = new_axes(ax)
    order = np.argsort(-np.abs(lines[-1]), kind="stable")
    chosen = [int(j) for j in order[:n_labels] if lines[-1, j] != 0]
    ax.axhline(0, color="0.4", linewidth=0.8)
    grey = [j for j in range(len(names)) if j not in chosen and lines[:, j].any()]
    ax.plot(found.Cs, lines[:, grey], color="0.8", linewidth=0.8, zorder=1)
    for rank, j in enumerate(chosen):
        ax.plot(found.Cs, lines[:, j], color=COLORS[rank % 6], linewidth=1.5, zorder=2)
    _label_ends(ax, [float(lines[-1, j]) for j in chosen], [names[j] for j in chosen])
    what = "log odds" if found.classes.size == 2 else "score"
    ax.set(xscale="log", xlabel="C (weaker penalty to the right)", ylabel=f"coefficient ({what} per unit)")
    if label is not None:
        ax.set_title(f"class {shown(label)}", pad=18)
    _count_columns(ax, found.Cs, lines.reshape(found.Cs.size, -1, len(found.names)).any(axis=1).sum(axis=1))
    if isinstance(fits, LogisticRegressionCV):
        ax.axvline(fits.C_, color="0.3", linestyle="--", linewidth=1)
    return ax


def _lines(found: Path, label: object) -> tuple[Any, list[str]]:
    """The coefficients to draw, a column each, and their names."""
    classes = found.classes.tolist()
    if label is not None and (not is_label(label) or label not in classes or len(classes) == 2):
        known = ", ".join(map(repr, classes))
        raise EvenOddsError(f"label chooses one of more than two classes, got {label!r}; the path is of {known}.")
    if len(classes) == 2:
        return found.coefs, shown_all(found.names)
    if label is not None:
        return found.coefs[:, classes.index(label)], shown_all(found.names)
    return found.coefs.reshape(found.Cs.size, -1), shown_pairs(found.names, classes)


def _label_ends(ax: Axes, ends: list[float], names: list[str]) -> None:
    """Names beside the ends of lines, moved apart where they would overlap."""
    low, high = ax.get_ylim()
    least = _APART * (high - low)
    places: list[float] = []
    for rank in np.argsort(ends, kind="stable"):
        place = max(ends[rank], places[-1] + least if places else -np.inf)
        places.append(place)
        ax.annotate(
            names[rank],
            (1.01, place),
            xycoords=("axes fraction", "data"),
            color=COLORS[rank % 6],
            fontsize="small",
            va="center",
            annotation_clip=False,
        )


def _count_columns(ax: Axes, Cs: Array, counts: Numbers) -> None:
    """How many columns are in, along the top."""
    at = np.unique(np.linspace(0, Cs.size - 1, 6).round().astype(int))
    for k in at:
        ax.annotate(
            str(counts[k]),
            (float(Cs[k]), 1.01),
            xycoords=("data", "axes fraction"),
            ha="center",
            fontsize="small",
            color="0.4",
        )


def cross_validation(model: LogisticRegressionCV, ax: Axes | None = None) -> Axes:
    """Draw the score of the rows left out against C, with its standard error over the folds.

    Parameters
    ----------
    model : LogisticRegressionCV
        Fitted. Each mixture has a curve; the band is that of the one that was chosen.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
    """
    if not hasattr(model, "scores_"):
        raise EvenOddsError("cross_validation draws a fitted LogisticRegressionCV.")
    ax = new_axes(ax)
    ratios = [model.l1_ratios] if isinstance(model.l1_ratios, int | float) else list(model.l1_ratios)
    mean = model.scores_.mean(axis=2)
    error = model.scores_.std(axis=2, ddof=1) / np.sqrt(model.scores_.shape[2])
    for a, ratio in enumerate(ratios):
        chosen = ratio == model.l1_ratio_
        color = VERMILION if chosen else COLORS[(a + 2) % len(COLORS)]
        ax.plot(model.Cs_[a], mean[a], color=color, linewidth=2 if chosen else 1, label=f"l1_ratio = {ratio:g}")
        if chosen:
            low, high = mean[a] - error[a], mean[a] + error[a]
            ax.fill_between(model.Cs_[a], low, high, color=color, alpha=0.2, linewidth=0, label="± one standard error")
    ax.axvline(model.C_, color=BLUE, linestyle="--", linewidth=1, label=f"chosen ({model.rule}): C = {model.C_:.3g}")
    what = "mean log loss, sign turned" if model.scoring is None else str(model.scoring)
    ax.set(xscale="log", xlabel="C (weaker penalty to the right)", ylabel=f"score of the rows left out ({what})")
    ax.legend(loc="lower right", framealpha=0.85, edgecolor="none", fontsize="small")
    return ax


__all__ = ["cross_validation", "path"]
