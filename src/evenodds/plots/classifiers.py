"""Pictures of data, of what a classifier makes of them, and of how it was trained."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle, islice
from typing import Any

import narwhals as nw
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.calibration import CalibrationDisplay
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.metrics import PrecisionRecallDisplay, RocCurveDisplay

from ..data.elsewhere import Predictor
from ..exceptions import EvenOddsError, require_count, require_text
from ..labels import plain_labels, require_two
from ..table import is_frame, require_same_order
from .style import COLORS, MARKERS, SHADES, TINTS, VERMILION, classifier, legend, new_axes, shown


def sigmoid(ax: Axes | None = None) -> Axes:
    """Draw the curve that turns log-odds into a probability, with the point of even odds.

    Parameters
    ----------
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax)
    z = np.linspace(-6, 6, 241)
    ax.plot([-6, 0, 0], [0.5, 0.5, 0], color="0.6", linewidth=0.8, linestyle="--")
    ax.plot(z, expit(z), color=VERMILION, linewidth=2)
    ax.plot(0, 0.5, "o", color="black")
    ax.annotate("even odds: p = 0.5", (0, 0.5), xytext=(8, -3), textcoords="offset points", va="top")
    ax.set(xlim=(-6, 6), ylim=(0, 1), xlabel="log-odds z", ylabel="probability p = 1 / (1 + $e^{-z}$)")
    return ax


def scatter(X: object, y: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw rows with two features, each class by its colour and marker.

    Parameters
    ----------
    X : array or data frame of shape (m, 2)
        The rows. The columns of a frame name the axes.
    y : array of shape (m,)
        The class of each row, any labels.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
    """
    require_same_order(X=X, y=y)
    points, names = _two_features(X)
    labels = np.asarray(y).ravel()
    if len(labels) != len(points):
        raise EvenOddsError(f"X has {len(points)} rows but y has {len(labels)} labels: one label a row is needed.")
    ax = new_axes(ax)
    for label, color, marker in zip(np.unique(labels), cycle(COLORS), cycle(MARKERS), strict=False):
        rows = points[labels == label]
        ax.scatter(
            rows[:, 0],
            rows[:, 1],
            s=28,
            c=color,
            marker=marker,
            edgecolors="white",
            linewidths=0.5,
            label=f"class {label}",
        )
    ax.set(xlabel=names[0], ylabel=names[1])
    legend(ax, len(points))
    return ax


def decision_boundary(model: Predictor, X: object, y: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw the probability that a classifier gives to each place, the line of even odds, and the rows.

    The shade changes with each tenth of probability. The line is where the two most probable classes are
    equally probable; with two classes, where p = 0.5. A classifier without probabilities is shown by the
    class that it predicts.

    Parameters
    ----------
    model : fitted classifier or pipeline with two features
        Anything with scikit-learn's interface.
    X : array or data frame of shape (m, 2)
        The rows to show; they set the limits of the axes.
    y : array of shape (m,)
        The class of each row.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
    """
    require_same_order(X=X, y=y)
    points, names = _two_features(X)
    ax = new_axes(ax)
    n_classes = len(classifier(model).classes_)
    has_probabilities = hasattr(model, "predict_proba")
    style: dict[str, Any] = {"levels": np.linspace(0, 1, 11)} if has_probabilities else {}
    style |= {"cmap": SHADES} if n_classes == 2 else {"multiclass_colors": [*islice(cycle(TINTS), n_classes)]}
    display = DecisionBoundaryDisplay.from_estimator(
        model,
        _corners(X, points),
        eps=0,
        grid_resolution=200,
        response_method="predict_proba" if has_probabilities else "predict",
        ax=ax,
        zorder=0,
        **style,
    )
    drawn = [_even_odds(ax, display, margin) for margin in _margins(display.response, n_classes)]
    scatter(X, y, ax)
    if any(drawn):
        ax.plot([], [], color="black", label="even odds (p = 0.5)" if n_classes == 2 else "even odds")
        legend(ax, len(points))
    ax.set(xlim=display.xx0[0, [0, -1]], ylim=display.xx1[[0, -1], 0], xlabel=names[0], ylabel=names[1])
    return ax


def loss_curve(losses: object, ax: Axes | None = None, label: str | None = None) -> Axes:
    """Draw how the mean log loss went down (or did not) with each pass over the data.

    Parameters
    ----------
    losses : array of shape (passes,), object with a ``history``, or dict of name to either
        One mean loss a pass, in nats: as `scratch.train` returns and ``model.solution_.history`` keeps.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    label : str, optional
        The name of a single curve in the legend. The keys of a dict name its curves.

    Returns
    -------
    matplotlib Axes
    """
    require_text(label=label)
    curves = losses if isinstance(losses, Mapping) else {label: losses}
    arrays = [_numbers(getattr(curve, "history", curve), "A loss curve") for curve in curves.values()]
    for values in arrays:
        if values.ndim != 1 or values.size == 0:
            raise EvenOddsError(f"A loss curve needs one loss a pass, shape (passes,), not {values.shape}.")
    ax = new_axes(ax)
    styles = zip(cycle(COLORS), cycle(("-", "--", "-.", ":")), strict=False)
    for name, values, (color, dashes) in zip(curves, arrays, styles, strict=False):
        ax.plot(np.arange(1, values.size + 1), values, color=color, linestyle=dashes, label=name)
    ax.set(xlabel="passes over the data", ylabel="mean log loss (nats)")
    if any(name is not None for name in curves):
        legend(ax, max(values.size for values in arrays))
    return ax


def roc(model: Predictor, X: object, y: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw the ROC curve: the share of each class that is called positive, at every threshold.

    Parameters
    ----------
    model : fitted classifier with two classes
        Anything with scikit-learn's interface.
    X : array or data frame of shape (m, p)
        Rows that the model has not seen.
    y : array of shape (m,)
        Their classes.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
    """
    require_same_order(X=X, y=y)
    ax = new_axes(ax)
    display = RocCurveDisplay.from_predictions(
        *_seen(model, y, _scores(model, X)),
        name=type(model).__name__,
        ax=ax,
        curve_kwargs={"color": VERMILION, "linewidth": 2},
        plot_chance_level=True,
        chance_level_kw={"color": "0.6", "linewidth": 0.8, "label": "guessing (AUC = 0.5)"},
    )
    # Three digits, for with two an area of 0.996 is called 1.00. One curve may be kept as a list of one.
    (line,), (area,) = np.ravel(display.line_), np.ravel(display.roc_auc)
    line.set_label(f"{type(model).__name__} (AUC = {area:.3f})")
    first, second = map(shown, model.classes_)
    ax.set(xlabel=f"share of class {first} called {second}", ylabel=f"share of class {second} found")
    ax.legend(loc="lower right", framealpha=1, edgecolor="none")
    return ax


def precision_recall(model: Predictor, X: object, y: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw precision against recall: of the rows called positive, the share that is, at every threshold.

    Where one class is rare this says more than `roc`: a few wrong calls among many rows are many of all calls.

    Parameters
    ----------
    model : fitted classifier with two classes
        Anything with scikit-learn's interface.
    X : array or data frame of shape (m, p)
        Rows that the model has not seen.
    y : array of shape (m,)
        Their classes.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes
    """
    require_same_order(X=X, y=y)
    ax = new_axes(ax)
    display = PrecisionRecallDisplay.from_predictions(
        *_seen(model, y, _scores(model, X)),
        ax=ax,
        plot_chance_level=True,
        chance_level_kw={"color": "0.6", "linewidth": 0.8},
    )
    (line,), (area,), (chance,) = map(np.ravel, (display.line_, display.average_precision, display.chance_level_))
    line.set(color=VERMILION, linewidth=2, label=f"{type(model).__name__} (AP = {area:.3f})")
    chance.set_label(f"guessing (AP = {chance.get_ydata()[0]:.3f})")
    second = shown(model.classes_[1])
    ax.set(
        xlabel=f"recall: share of class {second} found",
        ylabel=f"precision: share of class {second}\namong those called {second}",
    )
    ax.legend(loc="lower left", framealpha=1, edgecolor="none")
    return ax


def calibration(model: Predictor, X: object, y: ArrayLike, ax: Axes | None = None, n_bins: int = 10) -> Axes:
    """Draw whether what was given a probability of 30% happens in 30% of the cases.

    The rows are sorted by their probability and cut into bins of equal number, a dot each: on the diagonal,
    probabilities mean what they say.

    Parameters
    ----------
    model : fitted classifier with two classes and probabilities
        Anything with scikit-learn's interface.
    X : array or data frame of shape (m, p)
        Rows that the model has not seen.
    y : array of shape (m,)
        Their classes.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.
    n_bins : int, default 10
        How many bins. A bin of few rows is at the mercy of chance.

    Returns
    -------
    matplotlib Axes
    """
    require_same_order(X=X, y=y)
    ax = new_axes(ax)
    require_count(1, n_bins=n_bins)
    seen, predicted = _seen(model, y, classifier(model).predict_proba(X)[:, 1])
    options = {"strategy": "quantile", "name": type(model).__name__, "color": VERMILION, "marker": "o"}
    CalibrationDisplay.from_predictions(seen, predicted, n_bins=min(n_bins, seen.size), ax=ax, **options)
    positive = shown(model.classes_[1])
    ax.set(
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        xlabel=f"predicted probability of class {positive} (mean of a bin)",
        ylabel=f"share of class {positive} in the bin",
    )
    ax.legend(loc="upper left", frameon=False)
    return ax


def _seen(model: Predictor, y: object, predicted: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Whether each row is of the second of two classes, as 0 or 1, and what is predicted of it.

    Labels may be what scikit-learn does not know.
    """
    require_two(classifier(model).classes_, "This picture")
    labels = plain_labels(y)
    known = np.isin(labels, model.classes_)
    if not known.all():
        raise EvenOddsError(f"y holds {labels[~known].tolist()[0]!r}, which is none of the classes of the model.")
    if labels.shape != predicted.shape:
        raise EvenOddsError(f"X has {predicted.size} rows but y has {labels.size} labels: one label a row is needed.")
    return np.asarray(labels == model.classes_[1:], dtype=np.intp), predicted


def _scores(model: Predictor, X: object) -> NDArray[np.float64]:
    """What rows are sorted by: log odds, which tell rows apart where probabilities are 0 or 1."""
    has_scores = hasattr(classifier(model), "decision_function")
    return np.asarray(model.decision_function(X) if has_scores else model.predict_proba(X)[:, 1])


def _two_features(X: object) -> tuple[NDArray[np.float64], tuple[str, str]]:
    """Return the rows as an array (m, 2), and the names of the two features."""
    frame = nw.from_native(X, eager_only=True) if is_frame(X) else None
    points = _numbers(X if frame is None else frame.to_numpy(), "This picture")
    if points.ndim != 2 or points.shape[1] != 2:
        raise EvenOddsError(f"This picture needs two features, X of shape (m, 2), not {points.shape}.")
    return points, ("feature 1", "feature 2") if frame is None else (frame.columns[0], frame.columns[1])


def _numbers(values: object, what: str) -> NDArray[np.float64]:
    """Values as an array of numbers."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise EvenOddsError(f"{what} is of numbers: {error}.") from None


def _corners(X: object, points: NDArray[np.float64]) -> Any:
    """Return two rows, the opposite corners of the picture, as a frame where X is one with known names."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.where(high > low, 0.06 * (high - low), 0.5)
    corners = np.array([low - margin, high + margin])
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame) and (frame.implementation.is_pandas() or frame.implementation.is_polars()):
        columns = dict(zip(frame.columns, corners.T, strict=True))
        return nw.from_dict(columns, backend=frame.implementation).to_native()
    return corners


def _margins(response: NDArray[np.float64], n_classes: int) -> list[NDArray[np.float64]]:
    """Return, for each class that has a border, how far its log-probability is above the best other's.

    The border is at zero. One could look for p = 0.5 instead, but where a model is sure the probability is a
    step, and a contour through steps is a staircase; log-odds are smooth.
    """
    if n_classes == 2:
        response = np.stack([1 - response, response], axis=-1)
    elif response.ndim == 2:  # predicted classes
        response = np.eye(n_classes)[response.astype(int)]
    log_p = np.log(np.clip(response, 1e-16, 1))
    borders = range(1, n_classes) if n_classes == 2 else range(n_classes)
    return [log_p[..., k] - np.delete(log_p, k, axis=-1).max(axis=-1) for k in borders]


def _even_odds(ax: Axes, display: DecisionBoundaryDisplay, margin: NDArray[np.float64]) -> bool:
    """Draw where the margin is zero, if it is anywhere in the picture."""
    crosses = bool(margin.min() < 0 < margin.max())
    if crosses:
        ax.contour(display.xx0, display.xx1, margin, levels=[0], colors="black", linewidths=1.6, zorder=1)
    return crosses
