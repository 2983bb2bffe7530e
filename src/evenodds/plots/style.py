"""The look that the pictures share."""

from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import matplotlib.pyplot as plt
import narwhals as nw
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from narwhals.typing import IntoDataFrame

from ..exceptions import EvenOddsError
from ..inference import Inference
from ..inference.display import printable, shortened

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
MARKERS = (
    "o",
    "^",
    "s",
    "D",
    "v",
    "P",
    "X",
)  # seven, so that colour and marker together differ for 56 classes
BLUE, VERMILION = COLORS[:2]
TINTS = [tuple(1 - 0.4 * (1 - np.array(to_rgb(color)))) for color in COLORS]
SHADES = LinearSegmentedColormap.from_list("evenodds", [TINTS[0], "white", TINTS[1]])
_LONGEST = 32  # of names beside an axis
_SHORT = 24  # of names of which two fit beside each other in a legend
_LONGEST_CLASS = 13  # of the class of a coefficient in such a name


def new_axes(ax: Axes | None, height: float = 4.2) -> Axes:
    """The axes that were given, or those of a new figure."""
    if ax is None:
        _, ax = plt.subplots(figsize=(5.6, height), layout="constrained")
    if not isinstance(ax, Axes):
        raise EvenOddsError(f"ax is Matplotlib's Axes, not a {type(ax).__name__}.")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def require_inference(result: object) -> Inference:
    """What `infer` returns, or one error."""
    if not isinstance(result, Inference):
        raise EvenOddsError(f"This picture is of what infer returns, not of a {type(result).__name__}.")
    return result


def classifier(model: object) -> Any:
    """What has learnt classes, or one error."""
    if not hasattr(model, "classes_"):
        raise EvenOddsError(f"This picture is of a fitted classifier, not of a {type(model).__name__}.")
    return model


def legend(ax: Axes, n_points: int, **options: object) -> None:
    """A legend where there is room for it."""
    # Matplotlib's search for the emptiest corner is slow, and warns, when there are many points.
    ax.legend(loc="best" if n_points <= 5000 else "upper right", framealpha=0.85, edgecolor="none", **options)


def legend_above(ax: Axes, names: Sequence[str], title: str | None) -> None:
    """A legend above the axes, for curves that leave it no room: two names beside each other if they are short."""
    ncols = 1 + (max(map(len, names)) <= _SHORT)
    where: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1.02), "borderaxespad": 0, "alignment": "left"}
    ax.legend(ncols=ncols, frameon=False, fontsize="small", title_fontsize="small", title=title, **where)


def shown(name: object, width: int = _LONGEST) -> str:
    """A name or class as Matplotlib shows it: not too long, and dollar signs are no formulas."""
    return shortened(printable(name), width).replace("$", r"\$")


def shown_all(names: Sequence[Any], width: int = _LONGEST) -> list[str]:
    """Names beside each other. Where two would lose what tells them apart, they lose what they begin with in common."""
    short = [shown(name, width) for name in names]
    for one in [text for text, count in Counter(short).items() if count > 1]:
        alike = [k for k, text in enumerate(short) if text == one]
        words = [printable(names[k]).split(" ") for k in alike]
        shared = len(list(takewhile(lambda each: len(set(each)) == 1, zip(*words, strict=False))))
        for k, own in zip(alike, words, strict=True):
            short[k] = shown("…" * (shared > 0) + " ".join(own[shared:]), width)
    return short


def shown_pairs(names: Sequence[Any], classes: Sequence[Any]) -> list[str]:
    """The coefficients name[class] of all names in each class, one class after another."""
    labels, columns = shown_all(classes, _LONGEST_CLASS), shown_all(names, _LONGEST - _LONGEST_CLASS)
    return [f"{column}[{label}]" for label in labels for column in columns]


def columns(frame: IntoDataFrame) -> dict[str, Any]:
    """The columns of a frame of any kind as arrays."""
    table = nw.from_native(frame, eager_only=True)
    return {name: table[name].to_numpy() for name in table.columns}
