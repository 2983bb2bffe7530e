"""How good probabilities are on some rows: areas, calibration, and what a threshold would call."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from ..arrays import Array
from ..exceptions import EvenOddsError
from ..inference.display import printable, shortened
from .described import percent
from .rows import Model, Rows

_BINS = 10
_POINTS = 200
_MOST_CLASSES = 12
_THRESHOLDS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9)
Points = tuple[Array, Array]


@dataclass(frozen=True)
class Discrimination:
    """How well one class is told from the others.

    roc, precision_recall : the points of the curves, thinned out
    """

    label: str
    share: float
    auc: float
    average_precision: float
    roc: Points
    precision_recall: Points


@dataclass(frozen=True)
class Bin:
    """Rows with about the same probability of a class: how many, the mean probability and the share of the class."""

    rows: int
    predicted: float
    observed: float


@dataclass(frozen=True)
class Called:
    """What is called at a threshold of the probability of the second class, as shares of the weight of all rows."""

    threshold: float
    true_positive: float
    false_positive: float
    true_negative: float
    false_negative: float
    cost: float

    @property
    def cells(self) -> tuple[str, ...]:
        """The threshold and what follows from it, as text."""
        positive, negative = self.true_positive + self.false_negative, self.true_negative + self.false_positive
        called = self.true_positive + self.false_positive
        return (
            f"{self.threshold:.3g}",
            percent(called),
            _share(self.true_positive, positive),
            _share(self.true_negative, negative),
            _share(self.true_positive, called),
            percent(self.true_positive + self.true_negative),
            f"{self.cost:.4g}",
        )


def _share(part: float, whole: float) -> str:
    return percent(part / whole) if whole > 0 else "none"


def discriminations(model: Model, rows: Rows) -> list[Discrimination]:
    """Of two classes the second, of more each against the rest; only of classes that some rows have, and some not."""
    labels = model.classes_.tolist()
    several = len(labels) > 2
    found = []
    for c in range(0 if several else 1, len(labels)):
        own = rows.codes == c
        if own.all() or not own.any():
            continue
        # Scores tell rows apart where probabilities are 1 for both.
        score = rows.P[:, c] if several else rows.scores
        false, true, _ = roc_curve(own, score, sample_weight=rows.weight)
        precision, recall, _ = precision_recall_curve(own, score, sample_weight=rows.weight)
        found.append(
            Discrimination(
                shortened(printable(labels[c]), 40),
                float(rows.weight[own].sum() / rows.weight.sum()),
                float(roc_auc_score(own, score, sample_weight=rows.weight)),
                float(average_precision_score(own, score, sample_weight=rows.weight)),
                thinned(false, true),
                thinned(recall[::-1], precision[::-1]),
            )
        )
    return found


def thinned(x: Array, y: Array, most: int = _POINTS) -> Points:
    """At most so many of the points of a line, about as far from each other along it."""
    if x.size <= most:
        return x, y
    way = np.append(0.0, np.cumsum(np.hypot(np.diff(x), np.diff(y))))
    at = np.unique(np.searchsorted(way, np.linspace(0, way[-1], most)))
    return x[at], y[at]


def log_loss(rows: Rows) -> float:
    """The mean of minus the logarithm of the probability of a row's own class."""
    tiny = np.finfo(np.float64).tiny
    own = np.maximum(rows.P[np.arange(rows.codes.size), rows.codes], tiny)
    return float(np.average(-np.log(own), weights=rows.weight))


def brier(rows: Rows) -> float:
    """The mean squared distance of probabilities from 0 and 1; of two classes of one of them."""
    own = np.eye(rows.P.shape[1])[rows.codes]
    square = np.square(rows.P - own).sum(axis=1) / (2 if rows.P.shape[1] == 2 else 1)
    return float(np.average(square, weights=rows.weight))


def correct(rows: Rows) -> float:
    """The share of rows whose most probable class is their own."""
    return float(np.average(rows.P.argmax(axis=1) == rows.codes, weights=rows.weight))


def calibrated(rows: Rows, c: int) -> list[Bin]:
    """Tenths of the rows by their probability of class c; rows of equal probability stay together."""
    p, own = rows.P[:, c], rows.codes == c
    edges = np.unique(np.quantile(p, np.linspace(0, 1, _BINS + 1)[1:-1]))
    place = np.searchsorted(edges, p, side="left")
    total, predicted, observed = (
        np.bincount(place, weights=rows.weight * values, minlength=edges.size + 1)
        for values in (np.ones(p.size), p, own)
    )
    counts = np.bincount(place, minlength=edges.size + 1)
    return [
        Bin(int(counts[k]), float(predicted[k] / total[k]), float(observed[k] / total[k]))
        for k in np.flatnonzero(total > 0)
    ]


def checked_cost(cost: Iterable[SupportsFloat], n_classes: int) -> tuple[float, float]:
    """The costs of a false positive and of a false negative."""
    try:
        first, second = (float(value) for value in cost)
    except (TypeError, ValueError):
        first = second = np.nan
    if not (0 < first < np.inf and 0 < second < np.inf):
        raise EvenOddsError(
            f"cost is a pair of positive numbers, of a false positive and of a false negative, got {cost!r}."
        )
    if n_classes > 2 and first != second:
        raise EvenOddsError("cost is of two classes: of more the most probable class is called, as if all cost alike.")
    return first, second


def called(rows: Rows, cost: tuple[float, float]) -> tuple[Called, list[Called]]:
    """What is called at the threshold that costs least if probabilities are right, and at others.

    A row is called positive where that costs less: where (1 - p) times the cost of a false positive is below p times
    that of a false negative.
    """
    best = cost[0] / (cost[0] + cost[1])
    thresholds = sorted({best, *_THRESHOLDS})
    every = [_called(rows, threshold, cost) for threshold in thresholds]
    return every[thresholds.index(best)], every


def _called(rows: Rows, threshold: float, cost: tuple[float, float]) -> Called:
    positive, own = rows.P[:, 1] >= threshold, rows.of_second
    total = rows.weight.sum()
    kinds = (positive & own, positive & ~own, ~positive & ~own, ~positive & own)
    hit, false, left, lost = (float(rows.weight[kind].sum() / total) for kind in kinds)
    return Called(threshold, hit, false, left, lost, false * cost[0] + lost * cost[1])


def confusion(model: Model, rows: Rows) -> tuple[list[str], NDArray[np.float64]]:
    """The weight of rows by class and by most probable class; of many classes the rarest are one."""
    labels, K = [shortened(printable(label), 24) for label in model.classes_.tolist()], model.classes_.size
    place = np.arange(K)
    if K > _MOST_CLASSES:
        counts = np.bincount(rows.codes, minlength=K)
        kept = np.sort(np.argsort(-counts, kind="stable")[: _MOST_CLASSES - 1])
        place = np.full(K, kept.size)
        place[kept] = np.arange(kept.size)
        labels = [*(labels[k] for k in kept), f"{K - kept.size:,} others"]
    table = np.zeros((len(labels), len(labels)))
    np.add.at(table, (place[rows.codes], place[rows.P.argmax(axis=1)]), rows.weight)
    return labels, table


def counted(values: Sequence[float]) -> list[str]:
    """Weights as text: whole numbers where they are."""
    return [f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}" for value in values]
