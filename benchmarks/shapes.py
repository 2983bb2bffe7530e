"""Random shapes that people fit: rows, columns, classes, sparsity and strength of the penalty, from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[Any]
_MOST_ENTRIES = 2e7
_KINDS = ("neighbours", "neighbours", "factors", "text", "text", "levels")


@dataclass(frozen=True)
class Shape:
    """One of them; `kind` is how columns are alike: neighbours, few factors, words of texts, levels of categories."""

    kind: str
    rows: int
    columns: int
    classes: int
    C: float
    seed: int

    def __str__(self) -> str:
        return f"{self.kind:10s} {self.rows:6d} x {self.columns:5d}, {self.classes} classes, C = {self.C:7.1e}"

    def made(self) -> tuple[Any, Array]:
        """X, dense or CSR, and the labels."""
        rng = np.random.default_rng(self.seed)
        n, p = self.rows, self.columns
        if self.kind == "neighbours":
            X = rng.normal(size=(n, p))
            X[:, 1:] = 0.5 * X[:, :-1] + np.sqrt(0.75) * X[:, 1:]
        elif self.kind == "factors":
            X = rng.normal(size=(n, 8)) @ rng.normal(size=(8, p)) + 0.5 * rng.normal(size=(n, p))
        else:
            X = _sparse(rng, n, p, words=self.kind == "text")
        scores = np.asarray(X @ rng.normal(size=(p, self.classes)))
        scores *= 2 / max(float(scores.std()), 1e-12)
        y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
        y[: self.classes] = np.arange(self.classes)
        return X, y


def _sparse(rng: np.random.Generator, n: int, p: int, words: bool) -> Any:
    """Counts of words, or one of the levels of each of five categories; the frequent ones are far more frequent."""
    often = np.cumsum(1 / np.arange(1, p + 1) ** 1.1)
    per_row = max(1, min(60, p // 4)) if words else 5
    columns = np.searchsorted(often / often[-1], rng.random((n, per_row)))
    entries = np.ones(n * per_row), (np.repeat(np.arange(n), per_row), np.minimum(columns, p - 1).ravel())
    X = sparse.csr_array(entries, shape=(n, p))
    X.sum_duplicates()
    return X


def some(count: int, seed: int) -> list[Shape]:
    """So many shapes: 50 to 50,000 rows, 3 to 5,000 columns, 2 to 6 classes (mostly 2), C from 1e-3 to 1e4."""
    rng = np.random.default_rng(seed)
    found: list[Shape] = []
    while len(found) < count:
        n, p = (int(10 ** rng.uniform(*np.log10(ends))) for ends in ((50, 50_000), (3, 5_000)))
        kind, K = str(rng.choice(_KINDS)), int(rng.choice([2, 2, 2, 3, 4, 6]))
        C = 10.0 ** float(rng.uniform(-3, 4))
        if n * p <= _MOST_ENTRIES or kind in ("text", "levels"):
            found.append(Shape(kind, n, p, K, C, int(rng.integers(2**31))))
    return found
