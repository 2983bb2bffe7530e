"""Problems with all dimensions crossed: rows, columns, classes, scales, weights, offsets, penalties, forms of X."""

import numpy as np
from scipy.special import softmax

from . import FORMS, Problem

_LABELS = (
    lambda K: np.arange(K),
    lambda K: np.array([f"label {k}" for k in range(K)]),
    lambda K: np.arange(K) * 2.0 - 2,
    lambda K: np.array([-1, 1]) if K == 2 else 10 * np.arange(K),
)


def crossed(rng: np.random.Generator, *, most_rows: int = 3000, classes: bool = True, forms: bool = True) -> Problem:
    """Any legal problem; some are separated, some nearly so, some far from both."""
    n = int(np.exp(rng.uniform(np.log(8), np.log(rng.choice([60, 400, most_rows], p=[0.55, 0.35, 0.1])))))
    p = int(rng.choice([1, 2, 3, 4, 6, 10, 20, 40], p=[0.2, 0.2, 0.2, 0.15, 0.1, 0.08, 0.05, 0.02]))
    K = int(rng.choice([2, 3, 4, 6], p=[0.65, 0.2, 0.1, 0.05])) if classes else 2
    X = columns(rng, n, p)
    y = labels(rng, X, K)
    weight, offset = weights(rng, y), offsets(rng, n, K)
    X = units(rng, X)
    kind = rng.choice(["float64", "float32", "int", "bool"], p=[0.8, 0.08, 0.08, 0.04])
    if kind != "float64":
        X = np.greater(X, np.median(X, axis=0)) if kind == "bool" else np.clip(X, -1e8, 1e8).astype(kind)
        if not np.any(X[:1] != X):
            X[0, 0] = not X[0, 0]
    form = (
        str(rng.choice([f for f in FORMS if f != "stored zeros" or kind == "float64"]))
        if forms and rng.random() < 0.5
        else "given"
    )
    names = _LABELS[rng.integers(len(_LABELS))](K)
    chosen = settings(rng, p, K)
    if X.dtype != float or not np.any(X if weight is None else X[weight > 0]):
        chosen.pop("fit_intercept", None)  # rows with a weight could be all zero
    return Problem(X, names[y], weight, offset, chosen, form=form)


def columns(rng, n, p):
    """Columns of many kinds, in natural units."""
    X = rng.normal(size=(n, p))
    for j in range(p):
        kind = rng.integers(14)
        if kind == 0:
            X[:, j] = rng.integers(-2, 4, n)
        elif kind == 1:
            X[:, j] = rng.random(n) < rng.choice([0.5, 0.1, 2 / n])
        elif kind == 2:
            X[:, j] = np.exp(rng.normal(size=n) * rng.choice([1, 2.5]))
        elif kind == 3:
            X[rng.integers(n), j] = 10.0 ** rng.integers(1, 9)
        elif kind == 4:
            X[:, j] *= rng.random(n) < 0.2
        elif kind == 5:
            X[:, j] = rng.poisson(3, n)
        elif kind == 6 and p > 1:
            X[:, j] = rng.normal()
        elif kind == 7 and j:
            X[:, j] = X[:, rng.integers(j)] * rng.choice([1, -2, 1e-3])
        elif kind == 8 and j:
            X[:, j] = X[:, rng.integers(j)] + X[:, j] * 10.0 ** rng.integers(-6, -1)
        elif kind == 9 and j > 1:
            X[:, j] = X[:, j - 1] - X[:, rng.integers(j - 1)]
    X[0] += 0 if np.ptp(X, axis=0).any() else 1  # some column varies
    return X


def units(rng, X):
    """The columns in other units, and with other origins."""
    p = X.shape[1]
    if rng.random() < 0.3:
        X = X + np.round(10.0 ** rng.uniform(-1, 5, p)) * (rng.random(p) < 0.5)
    if rng.random() < 0.3:
        X = X * 10.0 ** rng.integers(-8, 9, p)
    return X


def labels(rng, X, K):
    """Numbers of classes, each there at least once: chance, a model, nearly or wholly separated, or rare classes."""
    n = len(X)
    D = (X - np.median(X, axis=0)) / (np.abs(X - np.median(X, axis=0)).mean(axis=0) + 1e-300)
    D = np.clip(D, -20, 20)
    B = rng.normal(size=(X.shape[1], K)) / np.sqrt(X.shape[1])
    size = rng.choice([0, 0.5, 1.5, 6, 40, np.inf], p=[0.15, 0.3, 0.3, 0.1, 0.05, 0.1])
    z = D @ B
    if np.isinf(size):
        plane = np.round(z, 1)
        y = plane.argmax(axis=1)
        if rng.random() < 0.5:  # quasi-separated: the rows of a tie are of any class
            tied = (plane == plane.max(axis=1)[:, None]).sum(axis=1) > 1
            y = np.where(tied, rng.integers(0, K, n), y)
    else:
        z = size * z + rng.choice([0, 3]) * rng.normal(size=K)
        y = (softmax(z, axis=1).cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1).clip(0, K - 1)
    missing = np.setdiff1d(np.arange(K), y)
    y[rng.permutation(n)[: missing.size]] = missing
    while (missing := np.setdiff1d(np.arange(K), y)).size:
        y[rng.integers(n)] = missing[0]
    return y


def weights(rng, y):
    """None, or weights of many kinds; each class has some."""
    n = len(y)
    kind = rng.integers(14)
    if kind > 7:
        return None
    s = (
        lambda: rng.integers(0, 4, n).astype(float),
        lambda: rng.exponential(size=n),
        lambda: np.exp(rng.normal(size=n) * 3),
        lambda: rng.exponential(size=n) * 10.0 ** -rng.integers(1, 13),
        lambda: rng.exponential(size=n) * 10.0 ** rng.integers(2, 12),
        lambda: rng.exponential(size=n) * 10.0 ** rng.choice([-300, 200, 298]),
        lambda: np.full(n, rng.choice([0.1, 2.0, 1e-5])),
        lambda: (rng.random(n) < 0.5) * 10.0 ** rng.integers(-20, 20, n),
    )[kind]()
    for k in np.unique(y):
        if not s[y == k].any():
            s[np.flatnonzero(y == k)[0]] = 1.0 if not s.any() else s[s > 0].mean()
    return s


def offsets(rng, n, K):
    """None, or offsets of many kinds; of more than two classes one a class."""
    kind = rng.integers(12)
    if kind > 5:
        return None
    shape = n if K == 2 else (n, K)
    group = rng.integers(0, 3, n)
    o = (
        lambda: rng.normal(size=shape),
        lambda: 10 * rng.normal(size=shape),
        lambda: rng.normal(size=shape) * 100,
        lambda: np.full(shape, 30.0),
        lambda: (rng.normal(size=(3, *np.shape(np.empty(shape))[1:])) * 150)[group],
        lambda: rng.integers(-1, 2, shape) * rng.choice([1.0, 300.0]),
    )[kind]()
    return np.asarray(o, float)


def settings(rng, p, K):
    """Parameters that go together."""
    chosen = {}
    kind = rng.choice(["likelihood", "ridge", "l1", "box", "firth"], p=[0.35, 0.25, 0.22, 0.1, 0.08])
    if kind == "firth" and K == 2:
        chosen["firth"] = True
    elif kind == "box":
        chosen["lower"] = rng.choice([0.0, -1.0, -np.inf], p)
        if rng.random() < 0.5:
            chosen["upper"] = rng.choice([0.0, 0.5, np.inf], p)
        if rng.random() < 0.6:
            chosen["C"] = float(10.0 ** rng.uniform(-3, 6))
    elif kind in ("ridge", "l1"):
        chosen["C"] = float(10.0 ** rng.uniform(*((-2, 2) if rng.random() < 0.6 else (-12, 8))))
        if kind == "l1":
            chosen["l1_ratio"] = float(rng.choice([1.0, 0.5, 0.01, 0.99], p=[0.5, 0.3, 0.1, 0.1]))
        if rng.random() < 0.25:
            chosen["penalty_factor"] = rng.choice([0.0, 1.0, 1.0, 3.0], p)
        if rng.random() < 0.1:
            chosen["lower"] = 0.0
        if rng.random() < 0.3:
            chosen["standardize"] = True
    if rng.random() < 0.15 and chosen.get("firth") is None:
        chosen["fit_intercept"] = False
    if rng.random() < 0.3 and not {"l1_ratio", "penalty_factor", "lower", "firth"} & set(chosen):
        chosen["solver"] = str(rng.choice(["newton", "quasi-newton"]))
    if rng.random() < 0.2:
        chosen["tol"] = float(rng.choice([1e-8, 1e-6, 1e-2]))
    return chosen
