"""The demonstration: the textbook beside the estimator on three tables, a summary in words, and pictures.

1. Two clouds that a line separates: the textbook finds such a line, but none is the best, and the estimator
   says so.
2. Two moons that overlap: the textbook comes near the optimum, and the estimator reaches it and knows. But a
   straight line is the wrong shape, and spline features bend it.
3. Tumours, malignant or benign: a real table, judged on rows that the model has not seen.
"""

import copy
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import HashableList
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_breast_cancer, make_classification, make_moons
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer

from . import LogisticRegression, SeparationWarning, plots, scratch
from .arrays import Values

Mosaic = list[HashableList[str]]

# The pictures: where each panel goes, the size in inches and the dots per inch.
PICTURES: dict[str, tuple[Mosaic, tuple[float, float], int]] = {
    "overview": (
        [
            ["clouds_boundary", "moons_boundary", "tumours_coefficients"],
            ["loss_curves", "moons_splines", "tumours_coefficients"],
        ],
        (12.0, 7.4),
        100,
    ),
    "sigmoid": ([["sigmoid"]], (4.6, 3.7), 150),
    "clouds_data": ([["clouds_data"]], (4.6, 3.7), 150),
    "clouds_boundary": ([["clouds_boundary"]], (4.6, 3.7), 150),
    "moons_data": ([["moons_data"]], (4.6, 3.7), 150),
    "moons_boundary": ([["moons_boundary"]], (4.6, 3.7), 150),
    "moons_splines": ([["moons_boundary", "moons_splines"]], (9.2, 3.7), 150),
    "loss_curves": ([["loss_curves"]], (4.6, 3.7), 150),
    "tumours_coefficients": ([["tumours_coefficients"]], (5.2, 6.6), 150),
    "tumours_roc": ([["tumours_roc"]], (4.6, 3.7), 150),
    "tumours_calibration": ([["tumours_calibration"]], (4.6, 3.7), 150),
}


class Row(NamedTuple):
    """A line of the summary."""

    method: str
    accuracy: float
    loss: float
    happened: str


class Panel(NamedTuple):
    """A picture that is not drawn yet, and what it shows."""

    title: str
    draw: Callable[[Axes], object]


class Example(NamedTuple):
    """What an example gives: lines of the summary, and panels by name."""

    name: str
    rows: list[Row]
    panels: dict[str, Panel]


def run(out: Path, console: Console) -> None:
    """Train on the three examples, print a summary and save the pictures.

    Parameters
    ----------
    out : Path
        The folder for the pictures, made if it is not there; files of the same names are replaced.
    console : rich Console
        Where the summary goes.
    """
    examples = [clouds(), moons(), tumours()]
    console.print(_summary(examples))

    panels = {"sigmoid": Panel("Log-odds become a probability", plots.sigmoid)}
    for example in examples:
        panels |= example.panels
    out.mkdir(parents=True, exist_ok=True)
    for name, (mosaic, size, dpi) in PICTURES.items():
        _figure(panels, mosaic, size).savefig(out / f"{name}.png", dpi=dpi)
    console.print(f"\n{len(PICTURES)} pictures are in {out}: start with overview.png")


def clouds() -> Example:
    """Two clouds that a line separates: weights without end."""
    X, y = make_classification(n_features=2, n_redundant=0, n_informative=2, random_state=1, n_clusters_per_class=1)
    Xn = scratch.normalize(X)
    w, b, losses = scratch.train(Xn, y, bs=100, epochs=1000, lr=0.01)
    longer, _, _ = scratch.train(Xn, y, bs=100, epochs=2000, lr=0.01)
    model, separated = _fit(Xn, y)
    rows = [
        Row(
            "textbook",
            scratch.accuracy(y, scratch.predict(Xn, w, b)),
            losses[-1],
            f"the weights grow: {np.hypot(*w):.1f} after 1,000 epochs, {np.hypot(*longer):.1f} after 2,000",
        ),
        _estimator_row(model, Xn, y, separated),
    ]
    panels = {
        "clouds_data": Panel("Two clouds", lambda ax: plots.scatter(X, y, ax)),
        "clouds_boundary": Panel(
            "Separated: no line is the best",
            lambda ax: _both_boundaries(model, Xn, y, w, b, ax),
        ),
    }
    return Example("two clouds", rows, panels)


def moons() -> Example:
    """Two moons that overlap: one line is the best, and a curve is better."""
    X, y = make_moons(n_samples=100, noise=0.24, random_state=44)
    Xn = scratch.normalize(X)
    X_new, y_new = make_moons(n_samples=10_000, noise=0.24, random_state=1)
    X_new = scratch.normalize(X_new, reference=X)

    w, b, losses = scratch.train(Xn, y, bs=100, epochs=1000, lr=0.01)
    w_raw, b_raw, losses_raw = scratch.train(X, y, bs=100, epochs=1000, lr=0.01)
    _, _, losses_wild = scratch.train(Xn, y, bs=100, epochs=1000, lr=40.0)
    model, separated = _fit(Xn, y)
    curved = make_pipeline(
        SplineTransformer(n_knots=6, knots="quantile", include_bias=False),
        PolynomialFeatures(degree=2, interaction_only=True, include_bias=False),
        LogisticRegression(C=1.0),
    ).fit(Xn, y)
    straight_new, curved_new = model.score(X_new, y_new), curved.score(X_new, y_new)

    accuracy, accuracy_raw = (
        scratch.accuracy(y, scratch.predict(data, *line)) for data, line in ((Xn, (w, b)), (X, (w_raw, b_raw)))
    )
    rows = [
        Row(
            "textbook, raw",
            accuracy_raw,
            losses_raw[-1],
            "not normalised: 1,000 epochs are too few",
        ),
        Row("textbook", accuracy, losses[-1], "normalised: near the minimum after 1,000 epochs"),
        _estimator_row(model, Xn, y, separated),
        Row(
            "with splines",
            curved.score(Xn, y),
            scratch.loss(y, curved.predict_proba(Xn)[:, 1]),
            f"on 10,000 new rows: accuracy {curved_new:.2f}, where the line has {straight_new:.2f}",
        ),
    ]
    curves = {
        "normalised, lr = 0.01": losses,
        "not normalised, lr = 0.01": losses_raw,
        "normalised, lr = 40: too large": losses_wild,
    }
    panels = {
        "moons_data": Panel("Two moons", lambda ax: plots.scatter(X, y, ax)),
        "loss_curves": Panel("How long should a step be?", lambda ax: _curves(curves, model, ax)),
        "moons_boundary": Panel(
            f"A line: {straight_new:.0%} of new rows right",
            lambda ax: _both_boundaries(model, Xn, y, w, b, ax),
        ),
        "moons_splines": Panel(
            f"Splines: {curved_new:.0%} of new rows right",
            lambda ax: _splines(curved, Xn, y, ax),
        ),
    }
    return Example("two moons", rows, panels)


def tumours() -> Example:
    """Breast cancer: thirty measurements of 569 tumours, a quarter of them kept for the test."""
    data = load_breast_cancer()
    label = data.target_names[data.target]
    X, X_test, label, label_test = train_test_split(data.data, label, test_size=0.25, stratify=label, random_state=0)
    y, y_test = label == "malignant", label_test == "malignant"
    Xn, Xn_test = scratch.normalize(X), scratch.normalize(X_test, reference=X)
    w, b, _ = scratch.train(Xn, y, bs=100, epochs=1000, lr=0.01)
    model = LogisticRegression(C=1.0, standardize=True).fit(X, label)
    p_test = model.predict_proba(X_test)[:, 1]
    rows = [
        Row(
            "textbook",
            scratch.accuracy(y_test, scratch.predict(Xn_test, w, b)),
            scratch.loss(y_test, scratch.sigmoid(Xn_test @ w + b)),
            f"on {len(y_test)} test rows; stopping early shrinks the weights as a penalty does",
        ),
        Row(
            "LogisticRegression",
            model.score(X_test, label_test),
            scratch.loss(y_test, p_test),
            f"C=1, on the same rows: AUC {roc_auc_score(y_test, p_test):.3f}; {_ending(model)}",
        ),
    ]
    # In the picture one unit is one standard deviation of the feature, so that the dots can be compared.
    per_deviation = copy.copy(model)
    per_deviation.coef_ = model.coef_ * X.std(axis=0)
    names = [str(name) for name in data.feature_names]
    panels = {
        "tumours_coefficients": Panel(
            "Tumours: what speaks for malignant",
            lambda ax: plots.coefficients(per_deviation, ax, names).set_xlabel(
                "change in log-odds per standard deviation"
            ),
        ),
        "tumours_roc": Panel("Tumours: new rows, sorted", lambda ax: plots.roc(model, X_test, label_test, ax)),
        "tumours_calibration": Panel(
            "Tumours: are the probabilities right?",
            lambda ax: plots.calibration(model, X_test, label_test, ax, n_bins=8),
        ),
    }
    return Example("tumours", rows, panels)


def _fit(X: Values, y: Values) -> tuple[Any, bool]:
    """Return the unpenalised fit, and whether it warned that the classes are separated."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SeparationWarning)
        model = LogisticRegression().fit(X, y)
    return model, any(issubclass(warning.category, SeparationWarning) for warning in caught)


def _estimator_row(model: LogisticRegression, X: Values, y: Values, separated: bool) -> Row:
    says = "SeparationWarning: a line separates the classes, so no finite weights are best"
    loss = scratch.loss(y, model.predict_proba(X)[:, 1])
    return Row("LogisticRegression", model.score(X, y), loss, says if separated else _ending(model))


def _ending(model: LogisticRegression) -> str:
    solution = model.solution_
    gap = max(solution.gap, np.finfo(float).eps)  # the loss itself is not known better than this
    return f"{solution.status} in {solution.passes} passes, within {gap:.0e} of the minimum"


def _summary(examples: Sequence[Example]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("example", no_wrap=True)
    table.add_column("method", no_wrap=True)
    table.add_column("accuracy", justify="right")
    table.add_column("log loss", justify="right")
    table.add_column("what happened")
    for example in examples:
        if example is not examples[0]:
            table.add_row()
        for number, row in enumerate(example.rows):
            name = "" if number else example.name
            table.add_row(name, row.method, f"{row.accuracy:.2f}", f"{row.loss:.3f}", row.happened)
    return table


def _figure(panels: dict[str, Panel], mosaic: Mosaic, size: tuple[float, float]) -> Figure:
    """Draw panels in their places. A bare Figure, without pyplot, needs no display and no closing."""
    figure = Figure(figsize=size, layout="constrained")
    for name, ax in figure.subplot_mosaic(mosaic).items():
        panels[name].draw(ax)
        ax.set_title(panels[name].title, loc="left", fontsize="medium", fontweight="bold")
    return figure


def _both_boundaries(model: LogisticRegression, X: Values, y: Values, w: Values, b: float, ax: Axes) -> None:
    """Draw what the estimator learned, with the line of the textbook on top."""
    plots.decision_boundary(model, X, y, ax)
    x1, x2 = np.meshgrid(ax.get_xlim(), ax.get_ylim())
    ax.contour(x1, x2, w[0] * x1 + w[1] * x2 + b, levels=[0], colors="black", linestyles="dotted", linewidths=1.6)
    ax.plot([], [], color="black", linestyle="dotted", label="textbook, 1,000 epochs")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2, frameon=False, fontsize="small")
    _standardised(ax)


def _splines(model: LogisticRegression, X: Values, y: Values, ax: Axes) -> None:
    """Draw the boundary without a legend: the picture is beside one that has it."""
    plots.decision_boundary(model, X, y, ax)
    _standardised(ax)
    if (legend := ax.get_legend()) is not None:
        legend.remove()


def _standardised(ax: Axes) -> None:
    ax.set(xlabel="feature 1 (standard deviations)", ylabel="feature 2 (standard deviations)")


def _curves(curves: dict[str, Values], model: LogisticRegression, ax: Axes) -> None:
    """Draw the losses on a logarithmic axis, for the first passes matter as much as the last."""
    plots.loss_curve(curves, ax)
    ax.axhline(model.solution_.loss, color="black", linewidth=0.8, label="minimum (LogisticRegression)")
    ax.set(xscale="log", ylim=(0.2, 1.3))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.legend(loc="upper left", frameon=False, fontsize="small")
