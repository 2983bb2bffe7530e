"""The data of the page: sets of points in a plane, own points, and the columns that are learnt from.

The textbook's two examples are scikit-learn's `make_moons` and `make_classification`, kept in `classics.csv`: to load
scikit-learn takes longer than the page has.
"""

import csv
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Values

MOST = 10_000  # rows: the page draws each
KNOTS = 5  # splines of each feature


class Refused(ValueError):
    """What the page asks cannot be done; the message says why, in one sentence."""


def _classic(name: str) -> tuple[Values, Values]:
    with (Path(__file__).parent / "classics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == name]
    return np.array([[float(row["x1"]), float(row["x2"])] for row in rows]), np.array([int(row["y"]) for row in rows])


def _moons() -> tuple[Values, Values]:
    return _classic("moons")


def _clouds() -> tuple[Values, Values]:
    return _classic("clouds")


def _blobs(rng: np.random.Generator, m: int = 500) -> tuple[Values, Values]:
    y = np.arange(m) % 2
    return rng.normal(size=(m, 2)) + np.where(y[:, None] == 1, [1.2, 0.8], [-1.0, -0.6]), y


def _circles(rng: np.random.Generator, m: int = 300) -> tuple[Values, Values]:
    y = np.arange(m) % 2
    angle = rng.uniform(0, 2 * np.pi, m)
    radius = np.where(y == 1, 0.5, 1.1) + 0.16 * rng.normal(size=m)
    return np.c_[radius * np.cos(angle), radius * np.sin(angle)], y


def _xor(rng: np.random.Generator, m: int = 300) -> tuple[Values, Values]:
    X = rng.uniform(-1, 1, (m, 2))
    return X + 0.08 * rng.normal(size=(m, 2)), (X[:, 0] * X[:, 1] > 0).astype(int)


def _rare(rng: np.random.Generator, m: int = 500) -> tuple[Values, Values]:
    y = (np.arange(m) % 20 == 0).astype(int)
    return rng.normal(size=(m, 2)) + np.where(y[:, None] == 1, [1.6, 1.2], [0.0, 0.0]), y


def _thousandths() -> tuple[Values, Values]:
    X, y = _moons()
    return X * 1000 + 5000, y


def _sorted() -> tuple[Values, Values]:
    X, y = _moons()
    order = np.argsort(y, kind="stable")
    return X[order], y[order]


def _constant() -> tuple[Values, Values]:
    X, y = _moons()
    return np.c_[X, np.full(len(X), 3.0)], y


def _flat() -> tuple[Values, Values]:
    X, y = _moons()
    return np.c_[X[:, 0], np.full(len(X), 3.0)], y


_DRAWN: dict[str, Callable[[np.random.Generator], tuple[Values, Values]]] = {
    "blobs": _blobs,
    "circles": _circles,
    "xor": _xor,
    "rare": _rare,
}
_FIXED: dict[str, Callable[[], tuple[Values, Values]]] = {
    "moons": _moons,
    "clouds": _clouds,
    "thousandths": _thousandths,
    "sorted": _sorted,
    "constant": _constant,
    "flat": _flat,
}
NAMES = {
    "moons": "two moons (100)",
    "clouds": "two clouds, separated (100)",
    "blobs": "blobs (500)",
    "circles": "circles (300)",
    "xor": "XOR (300)",
    "rare": "imbalanced, 1 in 20 (500)",
    "thousandths": "moons × 1000 + 5000",
    "sorted": "moons, sorted by class",
    "constant": "moons and a column of 3s",
    "flat": "moons, feature 2 constant",
}


def points(name: str, seed: int = 0) -> tuple[Values, Values]:
    """Return a set of points by its name: X (m, 2), or (m, 3) with a third column, and the classes y (m,)."""
    if name in _FIXED:
        return _FIXED[name]()
    if name in _DRAWN:
        return _DRAWN[name](np.random.default_rng(seed))
    raise Refused(f"There is no set of points {name!r}; known are {', '.join(NAMES)}.")


def more_points(name: str) -> tuple[Values, Values] | None:
    """Return new rows of the same source, which no training has seen; None where the source is not known."""
    if name in _DRAWN:
        return _DRAWN[name](np.random.default_rng(10_000))
    if name not in ("moons", "sorted"):
        return None
    rng = np.random.default_rng(10_000)
    angle, y = np.pi * rng.random(1000), np.arange(1000) % 2
    upper, lower = np.c_[np.cos(angle), np.sin(angle)], np.c_[1 - np.cos(angle), 0.5 - np.sin(angle)]
    return np.where(y[:, None] == 1, lower, upper) + 0.24 * rng.normal(size=(1000, 2)), y


def own_points(rows: Sequence[Sequence[float]]) -> tuple[Values, Values]:
    """Check points that were set by hand: (x1, x2, class) of each."""
    try:
        table = np.array(rows, dtype=float)
    except (TypeError, ValueError):
        raise Refused("Each point is three numbers: x1, x2 and its class.") from None
    if table.ndim != 2 or table.shape[1] != 3 or len(table) < 2:
        raise Refused("At least two points are needed, each with x1, x2 and its class.")
    if len(table) > MOST:
        raise Refused(f"The page draws at most {MOST:,} points; these are {len(table):,}.")
    X, y = table[:, :2], table[:, 2]
    if not np.isfinite(X).all() or np.abs(X).max() > 1e12:
        raise Refused("Each coordinate must be a number, not larger than 1e12.")
    if not np.isin(y, (0, 1)).all():
        raise Refused("The class of a point is 0 or 1.")
    if y.min() == y.max():
        raise Refused("All points have the same class: add some of the other.")
    return X, y.astype(int)


def from_csv(text: str) -> dict[str, Any]:
    """Find two columns of numbers and a label with two values in a CSV table with a header.

    Returns
    -------
    dict
        `points`, the rows (x1, x2, class); `features`, two names; `label`, its name; `classes`, its two values, of
        which the second, the one that sorts last, is class 1.

    Raises
    ------
    Refused
        If there are none, a value is missing or not finite, or there are too many rows.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise Refused(f"This is not a CSV table: {error}.") from None
    if len(rows) < 3:
        raise Refused("The table needs a line with names and at least two rows.")
    header, body = [name.strip() or f"column {i + 1}" for i, name in enumerate(rows[0])], rows[1:]
    if len(body) > MOST:
        raise Refused(f"The page draws at most {MOST:,} rows; the table has {len(body):,}. Take a sample of them.")
    for number, row in enumerate(body, start=1):
        if len(row) != len(header):
            raise Refused(f"Row {number} has {len(row)} values, where the first line has {len(header)} names.")
    columns = [[row[i].strip() for row in body] for i in range(len(header))]
    two = [i for i, column in enumerate(columns) if len(set(column)) == 2 and "" not in column]
    if not two:
        raise Refused("No column has exactly two values, to be the label.")
    label = two[-1]
    numeric = [i for i, column in enumerate(columns) if i != label and sum(map(_is_number, column)) * 2 > len(column)]
    if len(numeric) < 2:
        raise Refused(f"Beside the label, {header[label]!r}, two columns of numbers are needed; {len(numeric)} found.")
    chosen = numeric[:2]
    for i in chosen:
        for number, value in enumerate(columns[i], start=1):
            if not _is_number(value) or not math.isfinite(float(value)):
                raise Refused(f"Row {number} of column {header[i]!r} is {value or 'empty'!r}, not a finite number.")
    classes = _in_order(set(columns[label]))
    table = [
        [float(a), float(b), float(classes.index(c))]
        for a, b, c in zip(columns[chosen[0]], columns[chosen[1]], columns[label], strict=True)
    ]
    own_points(table)
    return {"points": table, "features": [header[i] for i in chosen], "label": header[label], "classes": classes}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _in_order(values: set[str]) -> list[str]:
    return sorted(values, key=float) if all(map(_is_number, values)) else sorted(values)


def columns_of(X: Values, features: str, reference: Values) -> Values:
    """Return what is learnt from: the points as they are ("straight"), or splines of each feature and their products.

    The splines are cubic B-splines with equal distances over the range of the reference; outside of it they go on with
    their value at its end.
    """
    if features == "straight":
        return X
    if features != "spline":
        raise Refused(f"Features are 'straight' or 'spline', not {features!r}.")
    low, high = reference[:, :2].min(axis=0), reference[:, :2].max(axis=0)
    unit = np.clip((X[:, :2] - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    first, second = _splines(unit[:, 0]), _splines(unit[:, 1])
    products = (first[:, :, None] * second[:, None, :]).reshape(len(X), -1)
    columns: Values = np.c_[first[:, 1:], second[:, 1:], products]
    return columns


def _splines(unit: Values) -> Values:
    """Cubic B-splines on [0, 1] with equal distances, one a column (de Boor's recursion from the uniform case)."""
    t = unit[:, None] * (KNOTS - 3) - np.arange(-3, KNOTS - 3)  # each spline lives where its t is from 0 to 4
    pieces = (
        t**3 / 6,
        (-3 * t**3 + 12 * t**2 - 12 * t + 4) / 6,
        (3 * t**3 - 24 * t**2 + 60 * t - 44) / 6,
        (4 - t) ** 3 / 6,
    )
    splines: Values = np.select(
        [(t >= i) & (t < i + 1) if i < 3 else (t >= 3) & (t <= 4) for i in range(4)], pieces, 0.0
    )
    return splines
