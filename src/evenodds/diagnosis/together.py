"""What columns show together, and with the target: in the rows that a fit with missing="drop" takes.

Questions of one class against all others are asked of each class, if there are more than two.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.stats import chi2, rankdata

from ..arrays import Array
from ..design import Design
from ..exceptions import EvenOddsError
from ..model import LogisticRegression
from ..naming import listed, listed_labels
from ..separation.finding import searched
from .record import Finding, in_formula

_LEAK = 0.99  # AUC of one column, from which it is asked how it can know the answer
_BINS = 20  # of numbers, whose shares tell the classes apart however they go up and down
_ROWS_A_BIN = 20
MOST_COEFFICIENTS = 1000  # of which `find_separation` decides
_MOST_TRIED = 50  # columns that separate, of which each is left out in turn
_PER_COEFFICIENT = 10  # events, below which estimates are biased away from 0 (Peduzzi et al. 1996)
_INFLATION = 10.0  # of a variance; of a factor by the root of its coefficients (Fox and Monette 1992)
_RATIO = 1e4  # of deviations, beyond which a penalty on both is none on one
_FAR = 1e8  # deviations from zero, beyond which doubles hold few digits of the differences
_BEND = 0.2  # log odds, root of the mean square, that a straight line misses
_CHANCE = 1e-4  # of any column being called bent by chance
_BENDABLE = 10  # different values, from which a column of numbers can be bent
MOST_LEVELS = 100  # of a factor that is looked at beside others
MOST_CLASSES = 20  # of which it is asked what tells one from the others
_MOST_ROWS = 50_000  # looked at for collinearity and bends; evenly spaced among all
_HOW = "Ask how it can know the answer: leave it out if it comes after it."
_FIRTH = "use Firth's fit, LogisticRegression(firth=True), or a ridge (C=1)."


@dataclass(frozen=True)
class Rows:
    """The rows that a fit takes.

    X : (n, k) as the design makes numbers of them, dense or CSR
    labels : (n,)
    """

    design: Design
    X: Any
    labels: NDArray[Any]

    def questions(self) -> list[tuple[str, NDArray[np.bool_]]]:
        """Each class, in words, and the rows that are of it; of two classes the second, of many the largest."""
        found, counts = np.unique(self.labels, return_counts=True)
        largest = np.sort(np.argsort(-counts, kind="stable")[:MOST_CLASSES])
        some = found[1:].tolist() if found.size == 2 else found[largest].tolist()
        return [(repr(label), self.labels == label) for label in some]

    def is_number(self, name: str) -> bool:
        """Whether a term is a column of numbers, not a factor."""
        return name not in {factor.name for factor in self.design.factors}

    def values(self, name: str) -> Array:
        """A column (n,): its numbers, or a number for each of its levels, 0 for the reference."""
        columns = list(self.design.columns_of[name])
        codes = np.ones(1) if self.is_number(name) else np.arange(1.0, len(columns) + 1)
        found: Array = self.X[:, columns] @ codes
        return found

    def dense(self, names: Sequence[str]) -> Array:
        """The columns of some terms, of the rows that are looked at, less their mean, in their deviation."""
        rows = np.linspace(0, self.labels.size - 1, min(self.labels.size, _MOST_ROWS)).astype(int)
        X = self.X[rows][:, [j for name in names for j in self.design.columns_of[name]]]
        X = np.asarray(X.toarray() if sp.issparse(X) else X, dtype=np.float64)
        X = X - X.mean(axis=0)
        scale = np.abs(X).max(axis=0, initial=0.0)
        X = X / np.where(scale > 0, scale, 1.0)
        spread = np.sqrt(np.mean(X**2, axis=0))
        scaled: Array = X / np.where(spread > 0, spread, 1.0)
        return scaled


# The answer in a column


def leaks(rows: Rows, name: str) -> float:
    """The AUC of one column alone, numbers or levels by their shares, the mean of all classes."""
    values, number = rows.values(name), rows.is_number(name)
    bins: NDArray[Any] = values
    if number:
        edges = np.unique(np.quantile(bins, np.linspace(0, 1, _BINS + 1)[1:-1]))
        bins = np.searchsorted(edges, bins, side="right")
    _, codes, sizes = np.unique(bins, return_inverse=True, return_counts=True)
    areas = []
    for _, own in rows.questions():
        shares = np.bincount(codes, weights=own) / sizes
        few = sizes.mean() < _ROWS_A_BIN  # whose shares follow the rows that they are of
        area = 0.0 if few else _area(shares[codes], own)
        areas.append(max(area, *([(by := _area(values, own)), 1 - by] if number else [0.0])))
    return float(np.mean(areas))


def _area(scores: Array, own: NDArray[np.bool_]) -> float:
    """The area under the ROC curve: how often a row of the class has the higher score."""
    count = int(np.count_nonzero(own))
    return float((rankdata(scores)[own].sum() - count * (count + 1) / 2) / (count * (own.size - count)))


def of_leakage(areas: Mapping[str, float]) -> Iterator[Finding]:
    """Columns that know the answer, or nearly, by the AUC of each."""
    for name, area in areas.items():
        if area >= _LEAK:
            what = f"{name!r} alone tells the classes apart: its AUC is {min(area, 0.9999) if area < 1 else 1:.4g}."
            yield Finding("leakage", (name,), what, _HOW)


def of_separation(rows: Rows, areas: Mapping[str, float], narrow: Sequence[str]) -> Iterator[Finding]:
    """Sets of columns that separate the classes, none of which could be left out.

    narrow : the columns without factors of many levels, which are left out where there are too many coefficients
    """
    names, wide = list(areas), [name for name in areas if name not in narrow]
    if rows.X.shape[1] > MOST_COEFFICIENTS and wide:
        what = f"It was not decided whether {listed(wide, 5)} separate{'s' * (len(wide) == 1)} the classes."
        yield Finding("undecided", tuple(wide), what, f"Put rare levels together. If a fit warns, {_FIRTH}")
        names = list(narrow)
    for label, own in rows.questions():
        left = names
        try:
            while left and (found := _judged(rows, left, own)) is not None:
                found = _least(rows, own, found, areas)
                yield _separating(rows, label, found)
                left = [name for name in left if name not in found.names]
        except EvenOddsError as error:
            what = f"It was not decided whether columns separate {label} from the rest: {error}"
            yield Finding("undecided", (), what, f"If a fit warns of separation, {_FIRTH}")


@dataclass(frozen=True)
class _Found:
    """A separation by some columns.

    names : the columns whose coefficients are infinite
    coefficients : these
    """

    names: list[str]
    coefficients: list[str]
    n_rows: int
    complete: bool


def _judged(rows: Rows, names: Sequence[str], own: NDArray[np.bool_]) -> _Found | None:
    """The separation of a class from others by some columns, if there is one."""
    columns = {j: name for name in names for j in rows.design.columns_of[name]}
    found, _ = searched(rows.X[:, list(columns)], own)
    if found.kind == "overlap":
        return None
    infinite = [j for j, name in zip(columns, found.names[1:], strict=True) if name in found.infinite]
    moved = list(dict.fromkeys(columns[j] for j in infinite))
    return _Found(moved, [rows.design.names[j] for j in infinite], found.rows.size, found.kind == "complete")


def _least(rows: Rows, own: NDArray[np.bool_], found: _Found, areas: Mapping[str, float]) -> _Found:
    """The separation by the columns that are left when all that can be are left out, the least telling first."""
    if len(found.names) <= _MOST_TRIED:
        for name in sorted(found.names, key=lambda name: areas[name]):
            fewer = [other for other in found.names if other != name]
            if name in found.names and fewer and (still := _judged(rows, fewer, own)) is not None:
                found = still
    return found


def _separating(rows: Rows, label: str, found: _Found) -> Finding:
    """The columns whose coefficients are infinite, in words."""
    levels = "" if found.coefficients == found.names else f" (by {listed_labels(found.coefficients, 3)})"
    some = f"all {rows.labels.size:,}" if found.complete else f"{found.n_rows:,} of {rows.labels.size:,}"
    together = ", taken together, tell" if len(found.names) > 1 else " tells"
    who = listed(found.names, 5)
    what = f"{who[0].upper()}{who[1:]}{together} {label} from the rest with certainty in {some} rows{levels}."
    advice = f"No best fit exists: {_FIRTH} Or ask how such columns can know the answer."
    return Finding("separation", tuple(found.names), what, advice)


# Columns that say the same


def of_copies(rows: Rows, names: Sequence[str]) -> Iterator[Finding]:
    """Columns with the values of an earlier one; levels may have other names."""
    seen: dict[bytes, str] = {}
    for name in names:
        values = rows.values(name)
        values = values + 0.0 if rows.is_number(name) else _in_order_of_appearance(values)
        first = seen.setdefault(values.tobytes(), name)
        if first != name:
            what = f"{name!r} holds in each row what {first!r} does."
            yield Finding("duplicate", (first, name), what, "Leave one of them out.")


def _in_order_of_appearance(codes: Array) -> Array:
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.float64)


def of_collinear(rows: Rows, names: Sequence[str]) -> Iterator[Finding]:
    """Columns that others add up to, and columns that others nearly tell."""
    free: list[str] = []
    for name in names:  # in the order of the table, as a fit leaves out the later one
        if others := _sum_of(rows, name, free):
            what = f"{name!r} follows from {listed(others)} in each row."
            yield Finding("collinear", (*others, name), what, "Leave one out: a fit gives it the coefficient 0.")
        else:
            free.append(name)
    inflated = _inflations(rows, free)
    links = {name: {one for one in others if one in inflated} or set(others) for name, (_, others) in inflated.items()}
    while links:  # a group of columns that tell one another
        group, new = set[str](), {next(iter(links))}
        while new:
            group |= new
            new = {
                name for name in free if any(name in links.get(one, ()) or one in links.get(name, ()) for one in new)
            }
            new -= group
        links = {name: others for name, others in links.items() if name not in group}
        worst = max(group & inflated.keys(), key=lambda name: inflated[name][0])
        told = [name for name in free if name in group and name != worst]
        times = f"{inflated[worst][0] ** 0.5:.3g}"
        what = f"{worst!r} is nearly told by {listed(told, 5)}: standard errors are up to {times} times larger."
        yield Finding("collinear", (worst, *told), what, "Leave some of them out, or add a ridge (C=1).")


def _sum_of(rows: Rows, name: str, free: Sequence[str]) -> list[str]:
    """The columns that add up to one, as far as it can be read off; empty if none do."""
    own, others = rows.dense([name]), rows.dense(free)
    solution = np.linalg.lstsq(others, own, rcond=None)[0] if others.size else np.zeros((0, own.shape[1]))
    left = np.sqrt(np.mean((own - others @ solution) ** 2, axis=0))
    exact = (left < 1e-7) & own.any(axis=0)
    return _partners(rows, free, np.abs(solution[:, exact]).max(axis=1, initial=0.0), 1e-6)


def _partners(rows: Rows, names: Sequence[str], weights: Array, least: float) -> list[str]:
    sizes = np.cumsum([0, *(len(rows.design.columns_of[name]) for name in names)])
    return [name for k, name in enumerate(names) if weights[sizes[k] : sizes[k + 1]].max(initial=0.0) > least]


def _inflations(rows: Rows, names: Sequence[str]) -> dict[str, tuple[float, list[str]]]:
    """Of each term whose variance others inflate: by how much, and which others."""
    X = rows.dense(names)
    if X.shape[1] < 2 or X.shape[0] <= X.shape[1]:
        return {}
    R = X.T @ X / X.shape[0]
    R[np.diag_indices_from(R)] = np.maximum(R.diagonal(), 1e-300)
    try:
        inverse = np.linalg.inv(R)
    except np.linalg.LinAlgError:
        return {}
    found, first = {}, 0
    for name in names:
        own = slice(first, first + len(rows.design.columns_of[name]))
        first = own.stop
        factor = float(np.exp(np.linalg.slogdet(R[own, own])[1] + np.linalg.slogdet(inverse[own, own])[1]))
        factor **= 1 / max(own.stop - own.start, 1)
        if factor >= _INFLATION:
            weights = np.abs(np.linalg.solve(inverse[own, own], inverse[own])).max(axis=0)
            weights[own] = 0.0
            found[name] = factor, _partners(rows, names, weights, 0.2)
    return found


# What is left of a fit


def of_bends(rows: Rows, names: Sequence[str]) -> Iterator[Finding]:
    """Columns along which the log odds are no straight line: Rao's test of three hinges beside all columns."""
    numeric = [name for name in names if rows.is_number(name) and np.unique(rows.values(name)).size >= _BENDABLE]
    X, chosen = rows.dense(names), np.linspace(0, rows.labels.size - 1, min(rows.labels.size, _MOST_ROWS)).astype(int)
    questions = [(label, own[chosen]) for label, own in rows.questions()]
    worst: dict[str, tuple[float, str]] = {}
    for label, own in questions:
        if not numeric or min(own.sum(), (~own).sum()) < 2 * X.shape[1]:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            p = LogisticRegression().fit(X, own).predict_proba(X)[:, 1]
        weight = p * (1 - p)
        design = np.column_stack([np.ones(own.size), X])
        for name in numeric:
            bend = _bend(rows.dense([name])[:, 0], own - p, weight, design, _CHANCE / len(numeric) / len(questions))
            if bend > worst.get(name, (_BEND, ""))[0]:
                worst[name] = bend, label
    for name, (bend, label) in worst.items():
        what = f"The log odds of {label} are no straight line along {name!r}: one misses them by {bend:.2g} on average."
        call = f"bs({in_formula(name)}, df=4)"
        yield Finding("non-linear", (name,), what, f"Take a spline of it, {call} in a formula, or its logarithm.")


def _bend(x: Array, residual: Array, weight: Array, design: Array, chance: float) -> float:
    """The log odds that a line misses, root of the mean square; 0 where it may be chance."""
    low, *knots, high = np.quantile(x, [0.01, 0.25, 0.5, 0.75, 0.99])
    hinges = np.maximum(np.clip(x, low, high)[:, None] - np.unique(knots), 0.0)
    root = np.sqrt(weight)[:, None]
    hinges = hinges - design @ np.linalg.lstsq(root * design, root * hinges, rcond=None)[0]
    score = hinges.T @ residual
    statistic = float(score @ np.linalg.lstsq(hinges.T @ (weight[:, None] * hinges), score, rcond=1e-8)[0])
    if chi2.sf(statistic, hinges.shape[1]) > chance:
        return 0.0
    return float(np.sqrt(max(statistic - hinges.shape[1], 0.0) / weight.sum()))


# What is weak


def of_rare(rows: Rows) -> Iterator[Finding]:
    """A class with few rows for the coefficients."""
    classes, counts = np.unique(rows.labels, return_counts=True)
    few, k = int(counts.min()), max(rows.X.shape[1], 1)
    if few < _PER_COEFFICIENT * k:
        label = classes.tolist()[int(counts.argmin())]
        have = f"{few:,} row{'s' * (few != 1)}, {few / k:.2g} for each of {k:,} coefficient{'s' * (k != 1)}"
        what = f"The rarest label, {label!r}, has {have}; {_PER_COEFFICIENT} are few."
        yield Finding("rare class", (), what, f"Take fewer columns; or {_FIRTH}")


def of_scales(rows: Rows, names: Sequence[str]) -> Iterator[Finding]:
    """Columns far from zero, or with deviations far from those of others."""
    spread = {}
    for name in names:
        if rows.is_number(name):
            values = rows.values(name)
            spread[name] = float(np.std(values))
            far = abs(float(np.mean(values)))
            if 0 < spread[name] * _FAR < far:
                what = f"{name!r} is {_rounded(far / spread[name])} deviations from zero: few digits are left."
                yield Finding("scale", (name,), what, "Subtract a number in their midst.")
    spread = {name: value for name, value in spread.items() if value > 0}
    if spread:
        small, large = min(spread, key=lambda n: spread[n]), max(spread, key=lambda n: spread[n])
        if spread[large] > _RATIO * spread[small]:
            what = f"A deviation of {large!r} is {_rounded(spread[large] / spread[small])} times that of {small!r}."
            yield Finding("scale", (small, large), what, "With a penalty use standardize=True; without, it is no harm.")


def _rounded(number: float) -> str:
    return f"{float(f'{number:.1g}'):,.0f}"
