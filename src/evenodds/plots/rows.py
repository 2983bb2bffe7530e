"""Pictures of how single rows, and bins of rows, fit."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox
from numpy.typing import ArrayLike
from scipy.special import expit, ndtri

from ..arrays import Array, Numbers
from ..data.elsewhere import Predictor
from ..exceptions import require_count
from ..inference import Inference
from ..labels import encode_labels, require_two, row_numbers
from ..table import require_same_order
from .style import BLUE, VERMILION, classifier, columns, legend, new_axes, require_inference, shown

_MOST_BINS = 100
_LARGEST = 300.0  # area of the largest bubble, in square points
_PLACES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))  # of a label beside its bubble


def influence(
    result: Inference,
    X: object,
    y: object,
    ax: Axes | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    n_labels: int = 5,
) -> Axes:
    """Draw which rows the fit hangs on: how badly each fits (up and down) against how far out it lies (right).

    The area of a bubble is Cook's distance, how much the coefficients would move without the row; the largest are
    labelled by row number, counted from 0. Rows of the second class are above zero, those of the first below. The
    upright line is at twice the mean leverage, beyond which rows are commonly looked at.

    Parameters
    ----------
    result : Inference
        What `infer` returned.
    X, y, sample_weight, offset
        What the model was fitted on.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    n_labels : int, default 5
        How many rows to label.

    Returns
    -------
    matplotlib Axes
    """
    require_count(0, n_labels=n_labels)
    require_two(require_inference(result).model.classes_, "This picture")
    table = columns(result.influence(X, y, sample_weight=sample_weight, offset=offset))
    leverage, residual, cook = (table[name] for name in ("leverage", "studentized", "cooks_distance"))
    rows = np.flatnonzero(np.isfinite(cook))
    area = 5 + _LARGEST * cook / max(float(cook[rows].max()), np.finfo(float).tiny)
    ax = new_axes(ax)
    ax.axhline(0, color="0.4", linewidth=0.8)
    usual = 2 * float(leverage[rows].mean())
    ax.axvline(usual, color="0.6", linewidth=0.8, linestyle="--")
    for second, color, marker in ((False, BLUE, "o"), (True, VERMILION, "^")):
        mine = rows[(residual[rows] > 0) == second]
        ax.scatter(
            leverage[mine],
            residual[mine],
            s=area[mine],
            c=color,
            marker=marker,
            alpha=0.6,
            edgecolors="white",
            linewidths=0.4,
        )
        ax.scatter([], [], s=30, c=color, marker=marker, label=f"class {shown(result.classes[int(second)])}")
    ax.set(xlabel="leverage (1: the row alone decides its fit)", ylabel="studentized deviance residual")
    ax.margins(0.08)
    ax.set_xlim(left=0)
    legend(ax, rows.size, title="area: Cook's distance", title_fontsize="small", fontsize="small")
    largest = rows[np.argsort(-cook[rows], kind="stable")[:n_labels]]
    _label_rows(ax, largest, leverage, residual, np.sqrt(area) / 2)
    return ax


def _label_rows(ax: Axes, rows: Numbers, x: Array, y: Array, radius: Array) -> None:
    """Numbers beside bubbles, each at the first place where it is inside and covers no other number or its bubble."""
    figure = ax.figure.canvas.figure
    figure.draw_without_rendering()  # lays the axes out, so that places are known
    centers = ax.transData.transform(np.column_stack([x[rows], y[rows]]))
    reach = radius[rows, None] * figure.dpi / 72
    taken = [Bbox([low, high]) for low, high in zip(centers - reach, centers + reach, strict=True)]
    for row in rows:
        for right, up in _PLACES:
            words = _beside(ax, str(row), (x[row], y[row]), radius[row] + 2, right, up)
            box = words.get_window_extent()
            if ax.bbox.contains(*box.min) and ax.bbox.contains(*box.max) and not box.count_overlaps(taken):
                break
            words.remove()
        else:
            words = _beside(ax, str(row), (x[row], y[row]), radius[row] + 2, *_PLACES[0])
        taken.append(words.get_window_extent())


def _beside(ax: Axes, words: str, at: tuple[float, float], distance: float, right: int, up: int) -> Annotation:
    return ax.annotate(
        words,
        at,
        xytext=(distance * right, distance * up),
        textcoords="offset points",
        ha={1: "left", 0: "center", -1: "right"}[right],
        va={1: "bottom", 0: "center", -1: "top"}[up],
        fontsize="small",
    )


def residuals(
    result: Inference | Predictor,
    X: object,
    y: object,
    ax: Axes | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    n_bins: int | None = None,
) -> Axes:
    """Draw mean residuals of bins of rows against their fitted probability, with 95% bands.

    A residual of a single row says nothing, for an outcome is 0 or 1 and its residual on one of two curves, whatever
    the model. Means of rows with about the same probability do: if the model is right, 19 of 20 lie in the band
    (Gelman and Hill, Data Analysis Using Regression, 2007, section 5.6), roughly so where a bin expects fewer than 5
    rows of either class. A bend shows a missing term.

    Parameters
    ----------
    result : Inference, or fitted classifier with two classes and probabilities
        The model.
    X, y, sample_weight, offset
        Rows: those of the fit or others.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    n_bins : int, optional
        Bins of about equal number; by default the square root of the number of rows, at most 100. Rows of equal
        probability stay together.

    Returns
    -------
    matplotlib Axes
    """
    require_same_order(X=X, y=y, sample_weight=sample_weight, offset=offset)
    require_count(1, n_bins=1 if n_bins is None else n_bins)
    model = result.model if isinstance(result, Inference) else result
    require_two(classifier(model).classes_, "This picture")
    p = model.predict_proba(X)[:, 1] if offset is None else _shifted(model, X, offset)
    _, codes = encode_labels(y, p.size, model.classes_)
    weight = np.ones(p.size) if sample_weight is None else row_numbers(sample_weight, "sample_weight", p.size)
    spread = weight**2 if getattr(result, "weights", "frequency") == "sampling" else weight
    count = min(max(round(p.size**0.5), 2), _MOST_BINS) if n_bins is None else min(n_bins, p.size)
    edges = np.unique(np.quantile(p, np.linspace(0, 1, count + 1)[1:-1]))
    group = np.searchsorted(edges, p, side="left")
    total, center, rest, variance = (
        np.asarray(np.bincount(group, weights=values, minlength=edges.size + 1), dtype=np.float64)
        for values in (weight, weight * p, weight * (codes - p), spread * p * (1 - p))
    )
    used = total > 0
    at, mean = center[used] / total[used], rest[used] / total[used]
    band = float(ndtri(0.975)) * np.sqrt(variance[used]) / total[used]
    ax = new_axes(ax)
    ax.fill_between(at, -band, band, color="0.9", linewidth=0, label="95% band")
    ax.axhline(0, color="0.4", linewidth=0.8)
    out = np.abs(mean) > band
    ax.scatter(at[~out], mean[~out], s=24, c=BLUE, label=f"inside: {np.sum(~out)} of {out.size} bins")
    ax.scatter(at[out], mean[out], s=30, c=VERMILION, marker="^", label=f"outside: {np.sum(out)}")
    second = shown(model.classes_[1])
    ax.set_xlabel(f"fitted probability of class {second} (mean of a bin)")
    ax.set_ylabel("mean residual (share less probability)")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.15 * (high - low))  # room for the legend
    ax.legend(loc="upper center", ncols=3, fontsize="small", frameon=False, columnspacing=1.2)
    return ax


def _shifted(model: Predictor, X: object, offset: ArrayLike) -> Array:
    z = model.decision_function(X)
    shifted: Array = expit(z + row_numbers(offset, "offset", z.size))
    return shifted
