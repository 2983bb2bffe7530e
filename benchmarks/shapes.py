"""Shapes that people fit: the usual ones (`usual`), and random ones from a seed (`some`), and some `between`.

A shape says how the columns are alike, how many rows, columns and classes there are, and how strong the penalty is;
`made` draws X and y. Scores have a standard deviation of `spread`, and labels are drawn from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn import datasets

Array = NDArray[Any]
_KINDS = ("neighbours", "neighbours", "raw", "factors", "text", "counts", "levels")
_SPARSE = ("text", "counts", "levels", "scattered")
_KNOWN: dict[str, Callable[..., Any]] = {
    "breast cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "digits from 5 on": datasets.load_digits,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
}


@dataclass(frozen=True)
class Shape:
    """One of them.

    kind : a data set of scikit-learn, or how columns are alike: "neighbours" are correlated by `alike`; "raw", which
        have scales of 1e-3 to 1e3 besides and means far from 0; "factors", few of which are behind all; words of a
        "text" as tf-idf weights of rows of length 1, and their "counts", with `per_row` of them; "levels" of
        categories; "scattered" entries, `per_row` of them, that tell nothing
    levels : of each category
    weighted : whether rows have weights
    """

    kind: str
    rows: int
    columns: int
    classes: int = 2
    C: float = 1.0
    seed: int = 0
    alike: float = 0.5
    per_row: int = 0
    levels: tuple[int, ...] = ()
    spread: float = 1.0
    weighted: bool = False

    def __str__(self) -> str:
        classes = "" if self.classes == 2 else f", {self.classes} classes"
        weights = ", weights" if self.weighted else ""
        return f"{self.kind} {self.rows:,} x {self.columns:,}{classes}{weights}, C={self.C:.2g}"

    @property
    def sparse(self) -> bool:
        return self.kind in _SPARSE

    def resized(self, rows: float, columns: float, seed: int) -> Shape:
        """With so many times the rows and columns, and other data; a data set stays what it is."""
        if self.kind in _KNOWN:
            return self
        levels = tuple(max(2, int(columns * m)) for m in self.levels)
        n, p = max(30, int(rows * self.rows)), sum(levels) or max(2, int(columns * self.columns))
        return replace(self, rows=n, columns=p, levels=levels, seed=self.seed + seed)

    def made(self) -> tuple[Any, Array]:
        """X, dense or CSR, and the labels from 0 on."""
        if self.kind in _KNOWN:
            X, y = _KNOWN[self.kind](return_X_y=True)
            return np.ascontiguousarray(X), (y >= 5).astype(int) if self.kind == "digits from 5 on" else y
        rng = np.random.default_rng(self.seed)
        X = (_sparse if self.sparse else _dense)(self, rng)
        slopes = rng.normal(size=(self.columns, 1 if self.classes == 2 else self.classes))
        scores = np.asarray(X @ slopes)
        scores *= self.spread / max(float(scores.std()), 1e-12)
        y = _labels(scores - scores.mean(axis=0), rng)
        y[: self.classes] = np.arange(self.classes)
        return (_unscaled(X, rng) if self.kind == "raw" else X), y

    def weights(self) -> Array | None:
        rng = np.random.default_rng(self.seed + 1)
        return rng.uniform(0.5, 3.0, self.rows) if self.weighted else None


def _dense(shape: Shape, rng: np.random.Generator) -> Array:
    n, p = shape.rows, shape.columns
    X = rng.normal(size=(n, p))
    if shape.kind == "factors":
        X = rng.normal(size=(n, 10)) @ rng.normal(size=(10, p)) + 0.5 * X
        return np.asarray((X - X.mean(axis=0)) / X.std(axis=0))
    if shape.alike:
        X[:, 1:] = shape.alike * X[:, :-1] + np.sqrt(1 - shape.alike**2) * X[:, 1:]
    return X


def _unscaled(X: Array, rng: np.random.Generator) -> Array:
    p = X.shape[1]
    return X * 10 ** rng.uniform(-3, 3, p) + 10 ** rng.uniform(-2, 3, p)


def _sparse(shape: Shape, rng: np.random.Generator) -> Any:
    """The frequent columns are far more frequent, but in "scattered"."""
    n, p = shape.rows, shape.columns
    if shape.kind == "levels":
        first = np.cumsum([0, *shape.levels[:-1]])
        columns = np.column_stack([at + _by_rank(rng, m, n) for at, m in zip(first, shape.levels, strict=True)]).ravel()
        rows = np.repeat(np.arange(n), len(shape.levels))
    else:
        length = np.maximum(1, rng.poisson(shape.per_row, n))
        rows = np.repeat(np.arange(n), length)
        columns = rng.integers(p, size=rows.size) if shape.kind == "scattered" else _by_rank(rng, p, rows.size)
    X = sparse.csr_array((np.ones(rows.size), (rows, columns)), shape=(n, p))
    X.sum_duplicates()
    if shape.kind == "scattered":
        X.data = rng.random(X.data.size)
    return _tf_idf(X) if shape.kind == "text" else X


def _by_rank(rng: np.random.Generator, p: int, size: int) -> Array:
    """So many of p columns, each as often as the inverse of its rank."""
    often = np.cumsum(1 / np.arange(1, p + 1) ** 1.1)
    return np.minimum(np.searchsorted(often / often[-1], rng.random(size)), p - 1)


def _tf_idf(X: Any) -> Any:
    n, p = X.shape
    rare = np.log((1 + n) / (1 + np.bincount(X.indices, minlength=p)))
    X.data = (1 + np.log(X.data)) * (0.01 + rare)[X.indices]
    lengths = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
    X.data /= np.repeat(np.maximum(lengths, 1e-12), np.diff(X.indptr))
    return X


def _labels(scores: Array, rng: np.random.Generator) -> Array:
    if scores.shape[1] == 1:
        return (rng.random(len(scores)) < 1 / (1 + np.exp(-scores[:, 0]))).astype(int)
    return (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


def usual() -> list[Shape]:
    """The shapes of the sweep: dense of few and of many rows, texts, categories, several classes."""
    inf = float("inf")
    few = [(200, 5), (600, 30), (1_000, 10), (100_000, 5), (50_000, 20)]
    dense = [Shape("neighbours", n, p, C=inf) for n, p in few] + [Shape("raw", 5_000, 20, C=inf)]
    dense += [Shape("breast cancer", 569, 30), Shape("digits from 5 on", 1_797, 64), Shape("raw", 50_000, 20)]
    more = [(100_000, 5, 1.0), (10_000, 100, 1.0), (10_000, 100, 1e-3), (20_000, 500, 1.0), (2_000, 500, 1.0)]
    more += [(2_000, 500, 1e-3), (5_000, 2_000, 1.0), (100, 1_000, 1.0), (500, 5_000, 1.0), (500, 5_000, 1e-3)]
    more += [(300, 20_000, 0.1), (3_000, 10_000, 1.0)]
    dense += [Shape("neighbours", n, p, C=C) for n, p, C in more] + [Shape("factors", 5_000, 2_000, C=100.0)]
    text = [(2_000, 30_000, 60, 1.0), (2_000, 30_000, 60, 100.0), (10_000, 100_000, 100, 1.0)]
    text += [(10_000, 100_000, 100, 100.0), (500, 200_000, 200, 1.0), (50_000, 20_000, 40, 10.0)]
    text += [(100_000, 300_000, 50, 1.0)]
    wide = [Shape("text", n, p, C=C, per_row=row, spread=5.0) for n, p, row, C in text]
    wide += [
        Shape("counts", 2_000, 30_000, per_row=60, spread=5.0),
        Shape("counts", 1_000, 1_000, per_row=10, spread=2.0),
    ]
    wide += [Shape("scattered", 2_000, 30_000, per_row=60, spread=0.0)]
    some_levels = [(100_000, (200,) * 5, 1.0), (100_000, (200,) * 5, 100.0), (300_000, (1_000, 10, 30_000), 1.0)]
    some_levels += [(20_000, (5_000,), 10.0)]
    wide += [Shape("levels", n, sum(m), C=C, levels=m, spread=1.5) for n, m, C in some_levels]
    return dense + wide + _of_classes(inf)


def _of_classes(inf: float) -> list[Shape]:
    digits = [Shape("digits", 1_797, 64, 10, C=C) for C in (1.0, 1e-2)]
    known = [Shape("iris", 150, 4, 3), Shape("wine", 178, 13, 3), *digits]
    dense = [(5_000, 20, 3, inf, 1.0), (100_000, 10, 3, 1.0, 1.0), (2_000, 2_000, 5, 1.0, 1.0)]
    dense += [(200, 2_000, 4, 1.0, 1.0), (10_000, 50, 100, 1.0, 3.0)]
    found = known + [Shape("neighbours", n, p, K, C=C, spread=s) for n, p, K, C, s in dense]
    text = [(5_000, 30_000, 20, 1.0), (5_000, 30_000, 20, 100.0), (20_000, 50_000, 3, 10.0)]
    found += [Shape("text", n, p, K, C=C, per_row=60, spread=5.0) for n, p, K, C in text]
    return [*found, Shape("levels", 50_000, 1_000, 3, levels=(200,) * 5, spread=1.5)]


def between() -> list[Shape]:
    """Shapes between the usual ones at which some method was once chosen badly."""
    dense = [(8_500, 1_400), (5_100, 7_000), (1_200, 750), (1_200, 5_000), (6_000, 1_200)]
    found = [Shape("neighbours", n, p) for n, p in dense]
    found += [Shape("factors", n, p) for n, p in ((6_000, 1_200), (4_000, 4_000))]
    of_classes = [(1_200, 3_000, 5), (800, 2_000, 10), (500, 1_100, 4), (80, 1_000, 4), (3_000, 1_500, 4)]
    found += [Shape("neighbours", n, p, K) for n, p, K in of_classes] + [Shape("factors", 1_200, 3_000, 5)]
    return [*found, Shape("text", 1_200, 45_000, per_row=60, spread=5.0)]


def some(count: int, seed: int, most: float = 2e7) -> list[Shape]:
    """So many random shapes: 50 to 50,000 rows, 3 to 5,000 columns, 2 to 6 classes (mostly 2), C from 1e-3 to 1e4,
    of other densities and correlations, one in four with weights; dense ones with at most so many entries.
    """
    rng = np.random.default_rng(seed)
    found: list[Shape] = []
    while len(found) < count:
        n, p = (int(10 ** rng.uniform(*np.log10(ends))) for ends in ((50, 50_000), (3, 5_000)))
        kind, K = str(rng.choice(_KINDS)), int(rng.choice([2, 2, 2, 3, 4, 6]))
        C, alike, spread = 10.0 ** float(rng.uniform(-3, 4)), float(rng.choice([0.0, 0.5, 0.9, 0.99])), 2.0
        parts, per_row = min(5, p // 3), max(1, min(p // 4, int(10 ** rng.uniform(0.3, 2))))
        levels = (p // parts,) * parts if kind == "levels" else ()
        drawn = Shape(kind, n, sum(levels) or p, K, C, int(rng.integers(2**31)), alike, per_row, levels, spread)
        drawn = replace(drawn, weighted=bool(rng.random() < 0.25))
        if n * p <= most or drawn.sparse:
            found.append(drawn)
    return found
