"""Few rows of several classes with many columns and a ridge: dense and sparse, from a strong penalty to hardly one.

The oracle shares no code with the library: in the basis of the rows, which a singular value decomposition gives, the
problem has as many columns as rows, and Newton's method with the full Hessian of all classes solves it.
"""

import numpy as np
import pytest
from few_rows import home, table

from evenodds import LogisticRegression
from evenodds.solvers import Status

wide = np.longdouble


def member(seed):
    """A problem of the family: X, its home, labels, weights, offsets, C and whether there is an intercept."""
    rng = np.random.default_rng(seed)
    n, K = int(rng.integers(10, 24)), int(rng.integers(3, 6))
    p = n * int(rng.integers(3, 16))
    kind = seed % 5
    X = table(rng, n, p, kind)
    y = (X @ rng.normal(size=(p, K)) / max(X.std(), 1e-3) / np.sqrt(p) + rng.gumbel(size=(n, K))).argmax(axis=1)
    y[:K] = np.arange(K)
    weight, offset = (rng.uniform(0.3, 3, n), rng.normal(size=(n, K))) if rng.random() < 0.5 else (None, None)
    return X, home(rng, X, kind), y, weight, offset, 10.0 ** rng.uniform(-4, 4.5), bool(rng.random() < 0.8)


def cost(X, y, weight, offset, C, intercept, coef):
    """J, by NumPy alone, in long double."""
    Z = X.astype(wide) @ coef.T + intercept + (0 if offset is None else offset)
    Z -= Z.max(axis=1, keepdims=True)
    losses = np.log(np.exp(Z).sum(axis=1)) - Z[np.arange(len(y)), y]
    s = np.ones(len(y)) if weight is None else weight
    return float((s @ losses + np.sum(coef.astype(wide) ** 2) / (2 * C)) / s.sum())


def optimum(X, y, weight, offset, C, has_intercept):
    """The least J: Newton's method on the few columns of X, all classes free."""
    n, K = len(y), y.max() + 1
    D = np.column_stack([np.ones(n), X]) if has_intercept else X
    s = np.ones(n) if weight is None else weight
    pull = np.full(D.shape[1], 1 / C)
    pull[: int(has_intercept)] = 0.0
    B, Y = np.zeros((K, D.shape[1]), wide), np.eye(K)[y]

    def value(B):
        first = int(has_intercept)
        return cost(X, y, weight, offset, C, B[:, 0] if first else 0.0, B[:, first:])

    J = value(B)
    for _ in range(100):
        Z = D @ B.T + (0 if offset is None else offset)
        P = np.exp(Z - Z.max(axis=1, keepdims=True))
        P /= P.sum(axis=1, keepdims=True)
        gradient = ((s[:, None] * (P - Y)).T @ D + pull * B).astype(float)
        W = (s[:, None, None] * (P[:, :, None] * (np.eye(K) - P[:, None, :]))).astype(float)
        H = np.einsum("ikl,ia,ib->kalb", W, D, D, optimize=True).reshape(gradient.size, -1)
        H += np.diag(np.tile(pull, K))
        size = np.sqrt(H.diagonal())
        step = (np.linalg.lstsq(H / size / size[:, None], gradient.ravel() / size, rcond=1e-14)[0] / size).reshape(
            B.shape
        )
        t = 1.0
        while t > 1e-10 and not (new := value(B - t * step)) < J:
            t /= 2
        if t <= 1e-10:
            break
        B, J = B - t * step, new
    return J


@pytest.mark.parametrize("start", range(0, 40, 10))
@pytest.mark.parametrize("dear", [False, True])
def test_the_ridge_of_few_rows_of_classes_is_that_of_the_basis_of_the_rows(start, dear, monkeypatch):
    if dear:  # as where rows are a thousand, and their factors cost many reads
        monkeypatch.setattr("evenodds.solvers.costs._DEAR_ROWS", 0)
    for seed in range(start, start + (4 if dear else 10)):
        X, data, y, weight, offset, C, intercept = member(seed)
        solver = "auto" if seed % 2 else "quasi-newton"
        model = LogisticRegression(C=C, fit_intercept=intercept, solver=solver).fit(data, y, weight, offset)
        assert model.solution_.status is Status.CONVERGED, seed
        basis = np.linalg.svd(X, full_matrices=False)[2].T
        best = optimum(X @ basis, y, weight, offset, C, intercept)
        found = cost(X, y, weight, offset, C, model.intercept_, model.coef_)
        assert found - best <= 1e-8 / len(y), seed  # tol^2 / (2 N) and no more
        assert model.solution_.loss == pytest.approx(found, abs=1e-8 / len(y)), seed


def normal(n, p, K, seed):
    """Columns that are correlated with the next one, and labels of a softmax."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    X[:, 1:] = 0.5 * X[:, :-1] + np.sqrt(0.75) * X[:, 1:]
    return X, (X @ rng.normal(size=(p, K)) / np.sqrt(p) + rng.gumbel(size=(n, K))).argmax(axis=1)


@pytest.mark.parametrize(("n", "p", "K", "C"), [(200, 2000, 4, 1.0), (100, 1000, 3, 1e-3), (100, 1000, 3, 1e4)])
def test_few_rows_of_classes_are_read_a_few_times(n, p, K, C):
    X, y = normal(n, p, K, 0)
    solution = LogisticRegression(C=C).fit(X, y).solution_
    assert solution.status is Status.CONVERGED
    assert solution.passes <= 8


def test_few_rows_of_classes_are_fitted_from_a_warm_start_and_in_single_precision():
    X, y = normal(80, 900, 3, 1)
    cold = LogisticRegression(C=10.0, tol=1e-6).fit(X, y)
    warm = LogisticRegression(C=1e3, tol=1e-6, warm_start=True).fit(X, y)
    warm.set_params(C=10.0).fit(X, y)
    single = LogisticRegression(C=10.0, tol=1e-6).fit(X.astype(np.float32).astype(float), y)
    same = LogisticRegression(C=10.0, tol=1e-6).fit(X.astype(np.float32), y)
    np.testing.assert_allclose(warm.coef_, cold.coef_, atol=1e-7)
    np.testing.assert_allclose(same.coef_, single.coef_, atol=1e-7)
    np.testing.assert_allclose(cold.coef_.sum(axis=0), 0.0, atol=1e-9)


@pytest.mark.parametrize("C", [1e-300, 1e-12, 1e8, 1e12, 1e16, 1e100])
def test_no_penalty_is_too_strong_or_too_weak_for_few_rows_of_classes(C):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 400)), rng.integers(0, 3, 60)
    solution = LogisticRegression(C=C, solver="quasi-newton").fit(X, y).solution_
    assert solution.status is Status.CONVERGED
    share = np.bincount(y) / len(y)
    assert 0 <= solution.loss <= -(share @ np.log(share)) + 1e-15


@pytest.mark.parametrize("size", [0.0, 1e-150, 1e12, 1e150])
def test_few_rows_of_classes_may_have_columns_of_any_size(size):
    rng = np.random.default_rng(1)
    X, y = size * rng.normal(size=(60, 400)), rng.integers(0, 3, 60)
    assert LogisticRegression(C=1.0, solver="quasi-newton").fit(X, y).solution_.status is Status.CONVERGED
