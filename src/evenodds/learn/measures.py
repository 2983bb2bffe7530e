"""The numbers that tell how good a run is, and those by which the textbook tells each mistake.

All are taken with the functions that are shown: a mistake in `accuracy` is a mistake in the number.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Values
from .mistakes import BY_KEY
from .points import columns_of, more_points, points

if TYPE_CHECKING:
    from .engine import Session


class Axes:
    """A picture that only notes the line: what `plot_decision_boundary` asks of Matplotlib's axes."""

    def __init__(self) -> None:
        self.points = np.empty((0, 2))
        self.endless = False

    def scatter(self, *args: object, **options: object) -> None:
        """Nothing: the page draws the points."""

    def set(self, **options: object) -> None:
        """Nothing: the page has its own axes."""

    def legend(self) -> None:
        """Nothing."""

    def get_xlim(self) -> tuple[float, float]:
        """Return some limits."""
        return 0.0, 1.0

    get_ylim = get_xlim

    def axline(self, one: Values, two: Values, **options: object) -> None:
        """Note a line without ends."""
        self.points, self.endless = np.array([one, two], dtype=float), True

    def plot(self, x: Values, y: Values, **options: object) -> None:
        """Note a line with ends."""
        self.points, self.endless = np.c_[x, y], False


def line(session: "Session", w: Values, b: float) -> tuple[Values, Values]:
    """Return the boundary that the code draws, as its ends in the plane and 1 if it goes on, and all its points.

    A further column is constant: its part of the score counts as bias.
    """
    axes = Axes()
    with np.errstate(all="ignore"):
        if np.isfinite(w).all() and np.isfinite(b):
            rest = float(np.nan_to_num(session.grid[0, 2:]) @ w[2:])
            session.module.plot_decision_boundary(session.X[:, :2], session.y, w[:2], b + rest, ax=axes)
        if not len(axes.points) or not np.isfinite(axes.points).all():
            return np.full(5, np.nan), axes.points
        ends = axes.points[[0, -1]] * _scale(session) + _shift(session)
    return np.r_[ends.ravel(), float(axes.endless)], axes.points


def _scale(session: "Session") -> Values:
    """How the first two columns were moved, from two of their values."""
    low, high = session.raw[:, :2].argmin(axis=0), session.raw[:, :2].argmax(axis=0)
    pick = np.arange(2)
    width = session.X[high, pick] - session.X[low, pick]
    wide: Values = np.where(width > 0, session.raw[high, pick] - session.raw[low, pick], 1.0)
    return wide / np.where(width > 0, width, 1.0)


def _shift(session: "Session") -> Values:
    shift: Values = session.raw[0, :2] - session.X[0, :2] * _scale(session)
    return shift


def all_of(session: "Session", threshold: float) -> dict[str, Any]:
    """Measure a run; a number that the code refuses to give is the text of its error."""
    w, b = session.W[-1], float(session.B[-1])
    out: dict[str, Any] = {"train": _table(session, session.X, session.y, w, b, threshold)}
    new = more_points(session.data)
    if new is not None:
        columns = columns_of(new[0], session.features, session.raw)
        out["new"] = _table(session, session.moved(columns), new[1], w, b, threshold)
    out["symptoms"] = [
        {"key": key, "measure": BY_KEY[key].measure, "value": written(session, key)} for key in session.keys
    ]
    return out


def _table(session: "Session", X: Values, y: Values, w: Values, b: float, threshold: float) -> dict[str, Any]:
    module = session.module
    with np.errstate(all="ignore"):
        z = X @ w + b
        p = module.sigmoid(z)
        y_hat = (p > threshold).astype(int)
        try:
            accuracy: float | str = float(module.accuracy(y, y_hat))
        except ValueError as error:
            accuracy = str(error)
        loss = float(np.mean(np.logaddexp(0.0, np.where(y == 1, -z, z))))
    counts = [[int(np.sum((y == truth) & (y_hat == said))) for said in (0, 1)] for truth in (0, 1)]
    bins = np.clip((p * 5).astype(int), 0, 4) if np.isfinite(p).all() else np.zeros(len(y), int)
    calibration = [
        [float(p[bins == i].mean()), float(y[bins == i].mean()), int(np.sum(bins == i))]
        for i in range(5)
        if np.any(bins == i)
    ]
    return {"rows": len(y), "accuracy": accuracy, "loss": loss, "counts": counts, "calibration": calibration}


def written(session: "Session", key: str) -> str:
    """Return the number that tells a mistake, written as in the textbook; "refused" where the code raises an error."""
    mistake = BY_KEY[key]
    with np.errstate(all="ignore"):
        try:
            return format(float(_MEASURES[mistake.measure](session)), mistake.form)
        except ValueError:
            return "refused"


def _accuracy(session: "Session", w: Values, b: float) -> float:
    return float(session.module.accuracy(session.y, session.module.predict(session.X, w, b)))


def _class_1_alone(session: "Session") -> float:
    """The share that is recognised of the rows of class 1, taken alone as new data."""
    alone = session.columns[session.y == 1]
    X = session.module.normalize(alone, reference=session.columns)
    return float(np.mean(session.module.predict(X, session.W[-1], session.B[-1])))


def _second_model(session: "Session") -> float:
    """The accuracy of the first model after a second one was trained."""
    X, y = points("clouds")
    session.module.train(session.module.normalize(X), y)
    return _accuracy(session, session.W[-1], float(session.B[-1]))


def _column(session: "Session") -> float:
    """The accuracy of a column of integers in the place of labels."""
    column = np.random.default_rng(0).integers(0, 3, len(session.y))
    return float(session.module.accuracy(column[:, None], session.y))


_MEASURES: dict[str, Callable[["Session"], float]] = {
    "loss": lambda session: session.L[-1],
    "accuracy": lambda session: _accuracy(session, session.W[-1], session.B[-1]),
    "bias": lambda session: session.B[-1],
    "weight 1": lambda session: session.W[-1, 0],
    "length of w": lambda session: float(np.linalg.norm(session.W[-1])),
    "sigmoid(-710)": lambda session: float(session.module.sigmoid(-710.0)),
    "class 1 alone": _class_1_alone,
    "after a second model": _second_model,
    "points of the line": lambda session: float(
        np.isfinite(line(session, session.W[-1], session.B[-1])[1]).all(axis=1).sum()
    ),
    "accuracy of a column": _column,
}
