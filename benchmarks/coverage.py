"""`python -m benchmarks.coverage`: do intervals cover, does Firth's fit remove bias? 2,000 simulated data sets.

Intervals: n rows of three columns (normal, skewed, a dummy), labels from a known model; for each data set, whether the
95% interval of each coefficient holds the true value: Wald's and by profile likelihood at n = 200; by Firth's profile
penalised likelihood at n = 50; the HC3 sandwich at n = 500; cluster-robust with 100 clusters that share a column.

Bias: at n = 50, the mean of the estimates less the truth, over the data sets whose classes overlap (elsewhere maximum
likelihood is infinite, which no mean shows; Firth's bias over all data sets stands beside it).
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.problems import Array
from evenodds import Inference, LogisticRegression, infer

TRUTH = np.array([-0.4, 0.9, -0.6, 0.8])  # the intercept first
BAND = (0.935, 0.965)


@dataclass
class Cell:
    """One way to make intervals, at one n: coverage of each coefficient."""

    name: str
    n: int
    covered: list[Array]

    def shares(self) -> Array:
        return np.mean(self.covered, axis=0)


def draw(n: int, rng: np.random.Generator, clusters: int = 0) -> tuple[Array, Array, Array]:
    """Columns, labels and clusters."""
    X = np.column_stack([rng.normal(size=n), rng.gamma(2.0, size=n) - 2.0, rng.random(n) < 0.4]).astype(float)
    groups = np.arange(n) % clusters if clusters else np.arange(n)
    if clusters:
        X[:, 0] = rng.normal(size=clusters)[groups]
    y = rng.random(n) < 1 / (1 + np.exp(-(TRUTH[0] + X @ TRUTH[1:])))
    return X, y.astype(int), groups


def holds(lower: Array, upper: Array) -> Array:
    return (np.asarray(lower) <= TRUTH) & (np.asarray(upper) >= TRUTH)


def fitted(X: Array, y: Array, firth: bool = False, **options: Any) -> Inference | None:
    """None where there is nothing to fit: one class only, or separated classes."""
    if len(set(y.tolist())) < 2:
        return None
    model = LogisticRegression(firth=firth).fit(X, y)
    result = infer(model, X, y, **options)
    return result if np.isfinite(result.coef).all() else None


def coverage(n_data: int, rng: np.random.Generator) -> list[Cell]:
    cells = [
        Cell("Wald", 200, []),
        Cell("profile likelihood", 200, []),
        Cell("Firth, profile penalised", 50, []),
        Cell("HC3", 500, []),
        Cell("cluster, G = 100", 500, []),
    ]
    for _ in range(n_data):
        X, y, _ = draw(200, rng)
        result = fitted(X, y)
        if result is not None:
            cells[0].covered.append(holds(*result.conf_int.T))
            profile = result.profile()
            cells[1].covered.append(holds(profile["lower"], profile["upper"]))
        X, y, _ = draw(50, rng)
        result = fitted(X, y, firth=True)
        if result is not None:
            cells[2].covered.append(holds(*result.conf_int.T))
        X, y, _ = draw(500, rng)
        result = fitted(X, y, cov="HC3")
        if result is not None:
            cells[3].covered.append(holds(*result.conf_int.T))
        X, y, groups = draw(500, rng, clusters=100)
        result = fitted(X, y, cov="cluster", groups=groups)
        if result is not None:
            cells[4].covered.append(holds(*result.conf_int.T))
    return cells


def bias(n_data: int, rng: np.random.Generator, n: int = 50) -> dict[str, Array]:
    """Mean error of each coefficient."""
    errors: dict[str, list[Array]] = {"maximum likelihood": [], "Firth": [], "Firth, all data sets": []}
    for _ in range(n_data):
        X, y, _ = draw(n, rng)
        reduced = fitted(X, y, firth=True)
        if reduced is None:
            continue
        errors["Firth, all data sets"].append(reduced.coef - TRUTH)
        plain = fitted(X, y)
        if plain is not None:
            errors["maximum likelihood"].append(plain.coef - TRUTH)
            errors["Firth"].append(reduced.coef - TRUTH)
    return {f"{name} ({len(found)})": np.mean(found, axis=0) for name, found in errors.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--replications", type=int, default=2000, metavar="N", help="data sets (default 2000)")
    parser.add_argument("--seed", type=int, default=0, metavar="SEED", help="of the simulation (default 0)")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # separated data sets are counted, not reported one by one
    rng = np.random.default_rng(options.seed)
    console = Console(width=110)
    names = ["(intercept)", "x0", "x1", "x2"]
    table = Table("95% intervals", "n", "data sets", *names, title=f"coverage; to hold: {BAND[0]:.1%} to {BAND[1]:.1%}")
    for cell in coverage(options.replications, rng):
        shares = [f"{share:.1%}{'' if BAND[0] <= share <= BAND[1] else ' !'}" for share in cell.shares()]
        table.add_row(cell.name, str(cell.n), str(len(cell.covered)), *shares)
    console.print(table)
    table = Table("estimate (data sets)", *names, title="bias at n = 50")
    for name, mean in bias(options.replications, rng).items():
        table.add_row(name, *(f"{value:+.3f}" for value in mean))
    console.print(table)


if __name__ == "__main__":
    main()
