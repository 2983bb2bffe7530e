"""Random rows for tests of inference, drawn by hypothesis, and a fit with its inference in one call."""

import numpy as np
from hypothesis import strategies as st
from scipy.special import expit

from evenodds import LogisticRegression, infer

shapes = st.tuples(st.integers(0, 10_000), st.integers(40, 120), st.integers(1, 4))


def drawn(shape):
    """Rows that overlap, so that the fit is far from separated."""
    seed, n, p = shape
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = (rng.random(n) < expit(X @ rng.normal(size=p) / 2)).astype(int)
    y[: n // 4] = np.arange(n // 4) % 2
    return X, y, rng


def fitted(X, y, weight=None, offset=None, *, model=None, **asked):
    """A fit and its inference."""
    return infer(LogisticRegression(**(model or {})).fit(X, y, weight, offset), X, y, weight, offset, **asked)
