"""Separation of a hundred columns and more, where the judge takes products of rows: answers that are planted.

Twins with either label balance, so that no direction moves them. A column that is 0 on these, and on its side on all
others, separates these and nothing else does; mixed with other columns by whole numbers, it is none of them.
"""

import time

import numpy as np
import pytest

from evenodds import find_separation

_LONGEST = 3.0  # seconds of work


def columns(rng, n, p, how):
    X = rng.normal(size=(n, p))
    if how == "whole numbers":
        return rng.integers(-4, 5, (n, p)).astype(float)
    if how == "a chain":
        for j in range(1, p):
            X[:, j] = 0.9 * X[:, j - 1] + 0.2 * X[:, j]
    if how == "near twins":
        X[:, 1] = X[:, 2] + 1e-5 * X[:, 1]
    if how == "scales apart":
        X *= 10.0 ** rng.integers(-6, 7, p)
    return X


def twins(rng, X):
    """Labels, of which as many rows as their span needs are twins with either; and which these are."""
    n, p = X.shape
    half = int(rng.integers(p + 5, n // 2 - 5))
    X[half : 2 * half] = X[:half]
    y = rng.integers(0, 2, n)
    y[: 2 * half] = np.repeat([1, 0], half)
    return y, np.arange(n) < 2 * half


def planted(rng, how, answer):
    """Rows, labels and what is right: kind, rows and, if one column separates, the infinite coefficients."""
    p = int(rng.choice([100, 110, 150, 305]))
    n = int(p * rng.uniform(2.6, 6))
    X = columns(rng, n, p, how)
    if answer in ("complete", "by a hair"):
        b = rng.normal(size=p) / np.abs(X).max(axis=0)
        y = (X @ b > 0).astype(int)
        X += np.outer(np.where(y, 1, -1) * (0.1 if answer == "complete" else 1e-8), b / (b @ b))
        return X, y, "complete", np.arange(n), None
    y, balanced = twins(rng, X)
    if answer == "overlap":
        return X, y, "overlap", np.arange(0), {}
    X[balanced, 0] = 0
    X[~balanced, 0] = np.where(y[~balanced], 1, -1) * (1 + np.abs(X[~balanced, 0]))
    if answer == "mixed":
        X = np.round(X * 2**20 / np.abs(X).max(axis=0))  # the mixture of whole numbers is exact
        X[~balanced, 0] += np.where(y[~balanced], 1, -1)
        mixture = np.eye(p) + np.triu(rng.integers(-1, 2, (p, p)) * (rng.random((p, p)) < 3 / p), 1)
        return X @ mixture, y, "quasi-complete", np.flatnonzero(~balanced), None
    if answer == "shifted":
        X = np.round(X * 2**20 / np.abs(X).max(axis=0)) + 10.0 ** rng.integers(0, 9, p)
        return X, y, "quasi-complete", np.flatnonzero(~balanced), None
    return X, y, "quasi-complete", np.flatnonzero(~balanced), {"x0": np.inf}


HOW = ["normal", "whole numbers", "a chain", "near twins", "scales apart"]
ANSWERS = ["overlap", "complete", "by a hair", "one column", "mixed", "shifted"]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("how", HOW)
def test_planted(how, answer):
    rng = np.random.default_rng(HOW.index(how) * len(ANSWERS) + ANSWERS.index(answer))
    X, y, kind, rows, infinite = planted(rng, how, answer)
    start = time.process_time()
    found = find_separation(X, y)
    assert time.process_time() - start < _LONGEST
    assert found.kind == kind
    np.testing.assert_array_equal(found.rows, rows)
    if infinite is not None:
        assert found.infinite == infinite
    margins = np.where(y[rows], 1, -1) * (found.direction[0] + X[rows] @ found.direction[1:])
    assert (margins > 0).all()
