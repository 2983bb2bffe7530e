"""Paths and lassos of a few hundred dense columns beside few rows: the conditions of an optimum, by NumPy alone."""

import numpy as np
import pytest

from evenodds import LogisticRegression, path

# rows, columns, l1_ratio, the correlation of neighbours, the last strength over the first
MEMBERS = [
    (600, 300, 1.0, 0.5, 1e-2),
    (320, 260, 0.5, 0.9, 1e-2),
    (2_000, 251, 1.0, 0.0, 1e-3),
    (500, 270, 0.9, 0.5, 3e-2),
]
MEMBERS += [(700, 280, 0.0, 0.5, 1e-2), (100, 400, 0.0, 0.9, 1e-3)]  # ridges


def drawn(n, p, alike, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * 10 ** rng.uniform(-1, 1, p)
    X[:, 1:] += alike * X[:, :-1]
    scores = X[:, :10] @ rng.normal(size=10)
    return X, (rng.random(n) < 1 / (1 + np.exp(-scores / scores.std()))).astype(int)


def off_the_optimum(X, y, lam, l1_ratio, b, w):
    """How far the subgradient of J nearest to zero is from it, in units of the largest slope at zero."""
    r = 1 / (1 + np.exp(-(X @ w + b))) - y
    slope = r @ X / len(y) + lam * (1 - l1_ratio) * w
    pull = np.where(w == 0, np.maximum(np.abs(slope) - lam * l1_ratio, 0), np.abs(slope + lam * l1_ratio * np.sign(w)))
    return max(pull.max(), abs(r.mean())) / np.abs((y - y.mean()) @ X / len(y)).max()


@pytest.mark.parametrize("member", range(len(MEMBERS)))
def test_every_point_of_a_path_is_an_optimum(member):
    n, p, l1_ratio, alike, last = MEMBERS[member]
    X, y = drawn(n, p, alike, member)
    found = path(X, y, l1_ratio, n_C=8, min_ratio=last, tol=1e-10)
    assert (found.gaps <= 1e-9).all()
    for C, b, w in zip(found.Cs, found.intercepts, found.coefs, strict=True):
        assert off_the_optimum(X, y, 1 / (C * n), l1_ratio, b, w) < 1e-4
    C = float(found.Cs[4])
    alone = LogisticRegression(C=C, l1_ratio=l1_ratio, tol=1e-5).fit(X, y)
    assert off_the_optimum(X, y, 1 / (C * n), l1_ratio, alone.intercept_[0], alone.coef_[0]) < 1e-4
    np.testing.assert_allclose(alone.coef_[0] * X.std(axis=0), found.coefs[4] * X.std(axis=0), atol=1e-4)
