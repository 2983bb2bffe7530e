"""Twenty-eight fits of at most 128 columns, and a digest of the bits of each: run as a script, it prints them as JSON.

    python same_bits.py THREADS [LEVEL]

LEVEL is that of the vector instructions, if not the machine's best.
"""

import hashlib
import json
import sys
import warnings

import numpy as np
import scipy.sparse as sp

from evenodds import LogisticRegression, LogisticRegressionCV, path
from evenodds.kernels import library


def rows(n, p, *, classes=2, seed=0, share=1.0):
    """Numbers that are the same on every machine: integers and powers of two, and labels by their order."""
    rng = np.random.default_rng([n, p, seed])
    X = rng.integers(-1000, 1000, (n, p)) / 256 + rng.integers(0, 3, p)
    if share < 1:
        X = np.where(rng.integers(0, 1000, (n, p)) < 1000 * share, X, 0.0)
    weights = rng.integers(-8, 8, (p, classes)) / 8
    noise = rng.integers(0, 1000, (n, classes)) / 1000
    score = (X * weights.T[:, None, :]).sum(axis=2).T / 4 + 4 * noise * np.sqrt(p)
    return X, score.argmax(axis=1)


def fits(threads):
    """Names and functions that give coefficients."""
    found = {}

    def add(name, table, *, kind=np.asarray, weight=None, offset=None, **settings):
        X, y = table
        model = LogisticRegression(n_jobs=threads, **settings)
        found[name] = lambda: (lambda m: (m.coef_, m.intercept_))(model.fit(kind(X), y, weight, offset))

    def add_path(name, table, kind=np.asarray, **settings):
        X, y = table
        found[name] = lambda: (lambda p: (p.coefs, p.intercepts))(path(kind(X), y, n_jobs=threads, **settings))

    add("200 x 5", rows(200, 5))
    add("569 x 30, a ridge", rows(569, 30), C=1)
    add("569 x 30, weights and offsets", rows(569, 30), weight=np.arange(569) % 5 + 1.0, offset=np.arange(569) % 7 / 8)
    add("5,000 x 20, standardised", rows(5000, 20), C=1, standardize=True)
    add("3,000 x 128", rows(3000, 128), C=10)
    add("5,000 x 100, a strong ridge", rows(5000, 100), C=1e-3)
    add("60,000 x 20", rows(60_000, 20))
    add("60 x 120", rows(60, 120), C=1)
    add("F order, single", rows(2000, 40), kind=lambda X: np.asfortranarray(X, np.float32), C=1)
    sparse = rows(4000, 80, share=0.1)
    add("sparse", sparse, kind=sp.csr_array, C=1)
    add("sparse, no penalty", sparse, kind=sp.csr_array)
    add("three classes", rows(1000, 10, classes=3))
    add("ten classes", rows(1500, 64, classes=10), C=1)
    add("four classes, few rows", rows(60, 120, classes=4), C=1)
    add("three sparse classes", rows(3000, 60, classes=3, share=0.1), kind=sp.csr_array, C=1)
    add("lasso", rows(800, 40), C=0.05, l1_ratio=1.0)
    add("elastic net", rows(800, 40), C=0.05, l1_ratio=0.5)
    add("bounds", rows(800, 40), C=1, lower=0.0)
    add("factors", rows(800, 40), C=1, penalty_factor=np.arange(40) % 3)
    add("lasso of three classes", rows(500, 30, classes=3), C=0.1, l1_ratio=1.0)
    add("Firth", rows(300, 6), firth=True)
    add("Firth, few rows", rows(40, 12), firth=True)
    add("flac", rows(300, 6), firth="flac")
    many = rows(4000, 400, share=0.03)
    add("lasso of many sparse columns", many, kind=sp.csr_array, C=0.02, l1_ratio=1.0)
    add_path("a path of many sparse columns", many, kind=sp.csr_array, l1_ratio=0.7, n_C=10, min_ratio=0.1)
    add_path("a lasso's path", rows(400, 20), l1_ratio=1.0)
    add_path("a path of many rows", rows(20_000, 30), l1_ratio=1.0)
    add_path("a ridge's path", rows(400, 20), l1_ratio=0.0)
    add_path("a path of three classes", rows(400, 15, classes=3), l1_ratio=1.0)
    X, y = rows(400, 20)
    crossed = LogisticRegressionCV(Cs=5, cv=3, n_jobs=threads)
    found["cross-validation"] = lambda: (lambda m: (m.coef_, m.intercept_))(crossed.fit(X, y))
    return found


def digest(arrays):
    """The first digits of a hash of some arrays."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(one).tobytes() for one in arrays)).hexdigest()[:12]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    threads, *level = map(int, sys.argv[1:])
    if level:
        best = library.load()
        library.load = lambda: (best[0], level[0])
    print(json.dumps({name: digest(fit()) for name, fit in fits(threads).items()}))
