"""Tables of few rows and many columns: sparse and dense, the same for two classes and for more."""

import numpy as np
import scipy.sparse as sp


def counts(rng, n, p):
    """Words of documents: a few are in most of them, most are in none or one."""
    often = 1 / np.arange(1, p + 1) ** 1.05
    words = rng.choice(p, (n, 40), p=often / often.sum())
    X = np.zeros((n, p))
    np.add.at(X, (np.arange(n)[:, None], words), 1.0)
    return X


def table(rng, n, p, kind):
    """X (n, p): counts, sparse and positive, far from 0, of few factors, or with rows that are there twice."""
    if kind == 0:
        return counts(rng, n, p)
    if kind == 1:
        return np.where(rng.random((n, p)) < 0.05, rng.lognormal(size=(n, p)), 0.0)
    if kind == 2:
        return rng.normal(size=(n, p)) + rng.normal(size=(n, 1)) + 30 * rng.normal(size=p)
    if kind == 3:
        return rng.normal(size=(n, 5)) @ rng.normal(size=(5, p)) + 0.3 * rng.normal(size=(n, p))
    X = rng.normal(size=(n, p))  # the products of such rows are not of full rank
    X[n // 2 :] = X[: n - n // 2]
    return X


def home(rng, X, kind):
    """Where it lives: CSR if it is sparse, else in C or F order."""
    return sp.csr_array(X) if kind < 2 else np.asfortranarray(X) if rng.random() < 0.3 else X
