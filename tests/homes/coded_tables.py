"""Random tables with factors, and what is known of their fits without the library: long doubles on a dense design."""

import numpy as np
import pandas as pd

FORMULAS = (
    "x + a",
    "a",
    "x + a + b",
    "x + z + a + z:a",
    "a + b + a:b",
    "z*a + b",
    "a:b",
    "x + a:b + z:a",
    "a + b + c",
    "x:z + z:a + c - 1",
    "a + b - 1",
    "x + nested + a",
    "a + nested",
)
COVARIANCES = ("model", "HC0", "HC1", "HC2", "HC3", "cluster")
LONG = np.longdouble


def draw(seed):
    """A table, its formula and a strength: means of 1e6, rare and constant factors, nested ones, weights, offsets."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(40, 250))
    table = {"x": rng.normal(size=n) * 10.0 ** rng.integers(-1, 4) + rng.choice([0, 1e6, -50])}
    table["z"] = rng.normal(size=n)
    for name in "abc":
        levels = int(rng.integers(1, 50)) if rng.random() < 0.3 else int(rng.integers(2, 6))
        share = 1 / np.arange(1, levels + 1) ** rng.choice([0, 1, 2])
        labels = np.array([f"level {k}" for k in rng.permutation(levels)])
        table[name] = labels[rng.choice(levels, n, p=share / share.sum())]
    table["nested"] = [f"{a}.{k}" for a, k in zip(table["a"], rng.integers(3, size=n), strict=True)]
    score = 0.5 * table["z"] + np.array([len(set(a)) % 3 for a in table["a"]]) * 0.4 - 0.5
    table["y"] = (rng.random(n) < 1 / (1 + np.exp(-score))).astype(int)
    table["y"][:2] = [0, 1]
    table["w"] = rng.choice([0.0, 1.0, 2.0, 0.5], n) if rng.random() < 0.3 else np.ones(n)
    table["w"][:2] = 1.0
    table["o"] = rng.normal(size=n) * (rng.random() < 0.3)
    return (
        pd.DataFrame(table),
        "y ~ " + FORMULAS[rng.integers(len(FORMULAS))],
        float(rng.choice([np.inf, 1, 100, 0.01])),
    )


def draw_classes(seed):
    """The same with 3 to 5 classes."""
    table, formula, C = draw(seed)
    rng = np.random.default_rng(seed + 10_000)
    K = int(rng.integers(3, 6))
    scores = np.outer(table["z"], rng.normal(size=K)) + rng.gumbel(size=(len(table), K))
    table["y"] = scores.argmax(axis=1)
    table.loc[table.index[:K], "y"] = np.arange(K)
    table.loc[table.index[:K], "w"] = 1.0
    return table, formula, C


def classes_of_levels(n=8000, levels=700, classes=3, seed=3):
    """Rows of several classes beside a factor of many levels, and a number far from 0."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"x": rng.normal(size=n) + 1e6, "few": rng.choice(list("abc"), n)})
    city = rng.integers(levels, size=n)
    table["city"] = city.astype(str)
    scores = 0.3 * rng.normal(size=(levels, classes))[city] + np.outer(table.x - 1e6, np.arange(classes) / classes)
    table["y"] = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    return table


def optimum(X, y, weight, offset, strength, held):
    """The least J, and the scores there, by Newton's method in long doubles. held : (k,) 1 for columns with a ridge."""
    X = X.astype(LONG)
    X = X - X.mean(axis=0) * held if not held.all() else X  # of which an intercept makes up for
    size = np.sqrt(np.square(X).mean(axis=0))
    X = X / np.where(size == 0, 1, size)
    ridge = strength * held / np.where(size == 0, 1, size) ** 2
    theta, total, near = np.zeros(X.shape[1], LONG), weight.sum(), X.astype(float)

    def value(theta):
        z = X @ theta + offset
        return (weight * (np.logaddexp(LONG(0), z) - y * z)).sum() / total + (ridge * theta * theta).sum() / 2

    for k in range(60):
        p = 1 / (1 + np.exp(-(X @ theta + offset)))
        gradient = X.T @ (weight * (p - y)) / total + ridge * theta
        bend = (weight * p * (1 - p)).astype(float)
        H = (near * bend[:, None]).T @ near / total + np.diag(ridge.astype(float))
        step = np.linalg.lstsq(H, gradient.astype(float), rcond=1e-13)[0].astype(LONG)
        length = LONG(1)
        while value(theta - length * step) > value(theta) and length > 1e-6:
            length /= 2
        theta = theta - length * step
        if k > 3 and abs(gradient @ step) < 1e-20:
            break
    return float(value(theta)), (X @ theta + offset).astype(float)
