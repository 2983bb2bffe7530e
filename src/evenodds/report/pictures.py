"""The pictures of a report: Matplotlib's SVG, made part of a page.

Text stays text, in the page's own font. Colours are the page's variables, so that pictures follow it into the dark and
onto paper; what Matplotlib repeats or a page does not need is taken out.
"""

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..inference import Inference
from ..inference.curves import Curve, Ground
from ..inference.display import printable, shortened
from ..plots import coefficients, cross_validation, curves, effects
from ..plots.style import BLUE, COLORS, MARKERS, VERMILION, legend_above, shown
from .described import percent
from .estimates import Influential, most_telling
from .quality import Bin, Discrimination
from .rows import Model, Rows, fit_of

_SVG = "{http://www.w3.org/2000/svg}"
_GREYS = {"#000000": "currentColor", "#ffffff": "var(--paper)"}
_PALETTE = {color.lower(): f"var(--c{k})" for k, color in enumerate(COLORS) if color != "#000000"}
_UNWANTED = ("font-family", "font-style", "font-variant", "font-weight", "font-stretch")
_SMALL = (4.7, 3.5)  # inches, of 10-point text: readable in half a page and on a phone
_MOST_LINES = 40  # of a forest
_MOST_EFFECTS = 8
_MOST_CLASSES = 6
_MOST_DOTS = 600
_SIZES = 6  # of dots
_TOLD = 9  # values of a curve that are told in its table


@dataclass(frozen=True)
class Picture:
    """A picture with what it shows in words and numbers.

    title : a heading; svg : markup; told : in words; headings, rows : the numbers, where there is no other table
    """

    title: str
    svg: Markup
    told: str
    headings: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()


def forest(model: Model, result: Inference | None) -> Picture | None:
    """The coefficients, at most some: those that are furthest from 0."""
    if result is None:
        fit = fit_of(model)
        if fit.classes_.size > 2 or fit.coef_.shape[1] > _MOST_LINES:
            return None
        title = "Coefficients"
        return Picture(
            title, drawn(lambda ax: coefficients(fit, ax), "forest", title, _high(fit.coef_.shape[1])), "", ()
        )
    first = int(bool(result.model.fit_intercept))
    k = len(result.names)
    places = [j for j in range(result.coef.size) if j % k >= first]
    size = np.nan_to_num(np.abs(result.z.ravel()), nan=np.inf)
    if len(places) > _MOST_LINES:
        chosen = set(sorted(places, key=lambda j: -size[j])[:_MOST_LINES])
        places = [j for j in places if j in chosen]
    keys = [result.problem.keys[j] for j in places]
    if all(key in result.notes for key in keys):
        return None
    ratio = result.baseline is not None
    title = "Odds ratios" if ratio else "Coefficients"
    told = f"{title} with {100 * result.level:g}% intervals; the numbers are in the table."
    if len(places) < result.coef.size - first * len(result.listed):
        told = f"The {len(places)} of {result.coef.size - first:,} that are furthest from no effect. {told}"

    def draw(ax: Axes) -> Axes:
        return effects.forest(result, ax, odds_ratio=ratio, terms=keys)

    return Picture(title, drawn(draw, "forest", f"{title}. {told}", _high(len(places))), told)


def _high(count: int) -> tuple[float, float]:
    return 5.6, 1.2 + 0.24 * count


def effects_of(result: Inference, rows: Rows) -> Iterator[Picture]:
    """The probability along the columns that tell most."""
    ground = Ground(result, rows.X)
    for k, name in enumerate(most_telling(result, ground.columns.names, _MOST_EFFECTS)):
        (curve,) = ground.curves(name)
        labels = (
            ["probability"]
            if len(result.classes) == 2
            else [f"P({shortened(printable(c), 20)})" for c in result.classes]
        )
        headings = (shortened(printable(name), 40), *labels)
        of = 1 if len(result.classes) == 2 else min(len(result.classes), _MOST_CLASSES)
        label = None if of == len(result.classes) or of == 1 else result.classes[-1]
        told = _in_words(curve, result, every=label is None)
        high = 3.5 if curve.is_number else min(1.5 + 0.26 * len(curve.values) * max(of / 2, 1), 11.0)

        def draw(ax: Axes, name: str = name, label: object = label) -> Axes:
            return curves.draw(ground, name, ax, label=label)

        alt = f"Probability along {headings[0]}. {told}"
        yield Picture(
            shortened(printable(name), 60),
            drawn(draw, f"effect{k}", alt, (4.7, high)),
            told,
            headings,
            list(_cells(curve)),
        )


def _in_words(curve: Curve, result: Inference, *, every: bool) -> str:
    """Where a probability is lowest and highest: of every class that which changes most, else the last's."""
    p, known = curve.probability, np.isfinite(curve.probability)
    least, most = np.where(known, p, np.inf), np.where(known, p, -np.inf)
    k = int(np.argmax(most.max(axis=0) - least.min(axis=0))) if every and len(result.classes) > 2 else -1
    low, high = int(least[:, k].argmin()), int(most[:, k].argmax())
    of, (lowest, highest) = f"The probability of {shortened(printable(result.classes[k]), 40)}", p[[low, high], k]
    if not known[:, k].any():
        return f"{of} is not determined."
    if f"{lowest:.3g}" == f"{highest:.3g}":
        return f"{of} is {lowest:.3g} all along."
    at, until = _value(curve.values[low]), _value(curve.values[high])
    return f"{of} is lowest, {lowest:.3g}, at {at} and highest, {highest:.3g}, at {until}."


def _cells(curve: Curve) -> Iterator[tuple[str, ...]]:
    count = len(curve.values)
    places = np.unique(np.linspace(0, count - 1, min(count, _TOLD)).round().astype(int)) if curve.is_number else None
    for j in range(min(count, _MOST_LINES)) if places is None else places.tolist():
        ends = zip(curve.probability[j], curve.lower[j], curve.upper[j], strict=True)
        yield _value(curve.values[j]), *(f"{p:.3g} ({low:.3g} to {high:.3g})" for p, low, high in ends)


def _value(value: float | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else printable(value)


def roc(found: Sequence[Discrimination]) -> Picture:
    """The ROC curves."""
    some = found[:_MOST_CLASSES]

    def draw(ax: Axes) -> Axes:
        ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
        _curves(ax, [one.roc for one in some], [f"{shown(one.label, 20)}: {one.auc:.3f}" for one in some])
        ax.set(xlabel="share of the others that is called", ylabel="share of the class that is found")
        ax.legend(loc="lower right", title="area", framealpha=0.85, edgecolor="none")
        return ax

    told = "; ".join(f"area {one.auc:.3f} for {one.label}" for one in some)
    return Picture("ROC", drawn(draw, "roc", f"ROC curve: {told}. Guessing has 0.5."), f"{told}. Guessing has 0.5.")


def precision_recall(found: Sequence[Discrimination]) -> Picture:
    """Precision against recall."""
    some = found[:_MOST_CLASSES]

    def draw(ax: Axes) -> Axes:
        names = [f"{shown(one.label, 20)}: {one.average_precision:.3f}" for one in some]
        _curves(ax, [one.precision_recall for one in some], names)
        if len(some) == 1:
            ax.axhline(some[0].share, color="0.6", linewidth=0.8)
        ax.set(
            xlabel="recall: share of the class that is found", ylabel="precision: share of the\ncalled that is right"
        )
        ax.set_ylim(0, 1.03)
        legend_above(ax, names, title="average")
        return ax

    told = "; ".join(
        f"average precision {one.average_precision:.3f} for {one.label}, of guessing {one.share:.3f}" for one in some
    )
    return Picture("Precision and recall", drawn(draw, "pr", f"Precision against recall: {told}."), f"{told}.")


def _curves(ax: Axes, lines: Sequence[tuple[np.ndarray, np.ndarray]], names: Sequence[str]) -> None:
    dashes = ("-", "--", "-.", ":")
    for k, ((x, y), name) in enumerate(zip(lines, names, strict=True)):
        color = VERMILION if len(names) == 1 else COLORS[k % len(COLORS)]
        ax.plot(x, y, color=color, linewidth=2, linestyle=dashes[k % len(dashes)], label=name)


def calibration(bins: Sequence[Sequence[Bin]], labels: Sequence[str]) -> Picture:
    """Whether what has a probability of 30% happens in 30% of the cases."""

    def draw(ax: Axes) -> Axes:
        ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
        for k, (each, label) in enumerate(zip(bins, labels, strict=True)):
            color = VERMILION if len(labels) == 1 else COLORS[k % len(COLORS)]
            x, y = [one.predicted for one in each], [one.observed for one in each]
            ax.plot(x, y, color=color, marker=MARKERS[k % len(MARKERS)], linewidth=1, label=shown(label, 20))
        ax.set(xlabel="mean probability of a tenth of the rows", ylabel="share of the class among them")
        if len(labels) > 1:
            ax.legend(loc="upper left", framealpha=0.85, edgecolor="none")
        return ax

    worst = max(abs(one.predicted - one.observed) for each in bins for one in each)
    told = (
        "Rows in tenths by their probability: on the diagonal, probabilities mean what they say. The furthest is "
        f"{percent(worst)} from it."
    )
    rows = [
        (*([label] if len(labels) > 1 else []), f"{one.rows:,}", f"{one.predicted:.3g}", f"{one.observed:.3g}")
        for each, label in zip(bins, labels, strict=True)
        for one in each
    ]
    headings = (*(["class"] if len(labels) > 1 else []), "rows", "mean probability", "share")
    return Picture("Calibration", drawn(draw, "calibration", f"Calibration. {told}"), told, headings, rows)


def influence(found: Influential, rows: Rows, result: Inference) -> Picture:
    """Leverage and residuals: of very many rows the most influential, and some of the others."""
    cook = np.nan_to_num(found.cook, nan=-1.0)
    known = np.flatnonzero(cook >= 0)
    top = known[np.argsort(-cook[known], kind="stable")[: _MOST_DOTS // 3]]
    rest = np.setdiff1d(known, top)
    if rest.size > _MOST_DOTS - top.size:
        rest = np.random.default_rng(0).choice(rest, _MOST_DOTS - top.size, replace=False)
    dots = np.concatenate([rest, top[::-1]])
    codes = np.zeros(cook.size, dtype=np.intp)
    codes[rows.kept] = rows.codes

    def draw(ax: Axes) -> Axes:
        ax.axhline(0, color="0.6", linewidth=0.8)
        # In few sizes, so that a dot is a copy of its like.
        size = np.ceil(_SIZES * cook[dots] / max(float(cook[dots].max()), np.finfo(float).tiny))
        for c, label in list(enumerate(result.classes))[:_MOST_CLASSES]:
            color = (BLUE, VERMILION)[c] if len(result.classes) == 2 else COLORS[c % len(COLORS)]
            look: dict[str, Any] = {"c": color, "marker": MARKERS[c % len(MARKERS)], "alpha": 0.6, "linewidths": 0}
            for one in np.unique(size):
                mine = (codes[dots] == c) & (size == one)
                ax.scatter(found.leverage[dots][mine], found.residual[dots][mine], s=8 + 150 * one / _SIZES, **look)
            ax.scatter([], [], s=30, label=shown(label, 20), **look)
        ax.set(xlabel="leverage", ylabel="studentized residual" if len(result.classes) == 2 else "deviance residual")
        ax.legend(framealpha=0.85, edgecolor="none", loc="upper right")
        return ax

    shown_rows = f"{dots.size:,} of {known.size:,} rows, all of the most influential among them. " * (
        dots.size < known.size
    )
    told = f"{shown_rows}The area of a dot is Cook's distance, how much the coefficients would move without the row."
    alt = f"Residuals against leverage. {told} The most influential rows are in the table."
    return Picture("Influence", drawn(draw, "influence", alt), told)


def chosen_penalty(model: Model) -> Picture:
    """The scores of a cross-validation."""
    told = f"Score of the rows left out against C; the chosen one is {model.C_:.4g}."

    def draw(ax: Axes) -> Axes:
        ax = cross_validation(model, ax)
        for line in ax.lines:
            line.set_label(str(line.get_label()).replace("$", ""))
        return ax

    return Picture("Cross-validation", drawn(draw, "cv", told, (5.6, 3.8)), told)


# From Matplotlib to the page


def drawn(draw: Callable[[Axes], Axes], key: str, alt: str, size: tuple[float, float] = _SMALL) -> Markup:
    """The SVG of what a function draws on axes. key : what its names begin with, in a page of several pictures"""
    with _quiet(), mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": key, "path.simplify": True}):
        figure = Figure(figsize=size, layout="constrained")
        ax = figure.subplots()
        ax.spines[["top", "right"]].set_visible(False)
        draw(ax)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True)
    return _inlined(text.getvalue(), key, alt)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of letters that Matplotlib's font has not: the page's font shows them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _inlined(text: str, key: str, alt: str) -> Markup:
    """An SVG document as an element of a page."""
    root = ET.fromstring(text[text.index("<svg") :])
    _without_rest(root)
    used = {
        name for element in root.iter() for value in element.attrib.values() for name in re.findall(r"#(\w+)", value)
    }
    for element in root.iter():
        element.tag = element.tag.replace(_SVG, "")
        for name, value in list(element.attrib.items()):
            del element.attrib[name]
            if name == "id" and value not in used:
                continue
            if name == "id":
                value = f"{key}-{value}"
            elif name.endswith("href") or name == "clip-path":
                value = value.replace("#", f"#{key}-")
            elif name == "style":
                value = _style(value)
            else:
                value = re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), value)
            element.attrib[name.partition("}")[2] or name] = value.strip()
    width, height = (float(part) for part in root.attrib["viewBox"].split()[2:])
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-label": alt,
        "style": f"max-width:{1.45 * width:.0f}px;aspect-ratio:{width:.0f}/{height:.0f}",
    }
    return Markup(ET.tostring(root, encoding="unicode"))


def _without_rest(root: ET.Element) -> None:
    """Take out the sheet of style, which would be the whole page's, what is said of the file, and empty lines."""
    for parent in list(root.iter()):
        for child in list(parent):
            kind = child.tag.replace(_SVG, "")
            is_sheet = kind == "defs" and child.find(f"{_SVG}style") is not None
            if is_sheet or kind == "metadata" or (kind == "path" and not child.get("d", "").strip()):
                parent.remove(child)


def _style(text: str) -> str:
    """Declarations without fonts, in the page's colours."""
    found = {}
    for part in text.split(";"):
        name, _, value = part.partition(":")
        name, value = name.strip(), value.strip()
        if name == "font":
            size = re.search(r"[\d.]+px", value)
            name, value = "font-size", size[0] if size else "10px"
        if name and name not in _UNWANTED:
            found[name] = re.sub(r"#[0-9a-f]{6}", lambda color: _color(color[0]), value)
    return ";".join(f"{name}:{value}" for name, value in found.items())


def _color(code: str) -> str:
    """A colour as the page has it: greys by how far they are from the paper."""
    if code in _GREYS or code in _PALETTE:
        return _GREYS.get(code) or _PALETTE[code]
    red, green, blue = (int(code[k : k + 2], 16) for k in (1, 3, 5))
    if red == green == blue:
        return "var(--faint)" if red > 0xB0 else "var(--mid)"
    return code
