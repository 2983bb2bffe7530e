"""Lassos and elastic nets by sets of columns: single fits and paths keep the conditions of optimality.

The oracle is NumPy on the dense X: no single coefficient can win more than the gap that is certified. Members are large
sparse data, and many dense rows of columns most of which the penalty holds; they differ in shape, density, alikeness of
columns, weights, offsets, factors and bounds.
"""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit

from evenodds import LogisticRegression, Status, path
from evenodds.kernels.csc import Csc
from evenodds.kernels.descent import row_sums

MEMBERS, TALL = 24, 12


def member(seed):
    """X, y and what else a fit is given."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(520, 900)), int(rng.integers(520, 1500))
    often = rng.uniform(0.3, 1.7) * 6 / (1 + np.arange(p)) ** rng.uniform(0.0, 1.0)
    per_row = 50 if seed % 4 == 2 else 5  # so many that products are bounded first, or so few that all are taken
    X = sp.csr_array(
        (rng.random((n, p)) < np.clip(often * per_row / often.sum(), 0, 0.6)) * rng.exponential(1.0, (n, p))
    )
    if seed % 3 == 0:  # each level of a factor, once a row
        X = sp.csr_array((np.ones(n), rng.integers(0, p, n), np.arange(n + 1)), shape=(n, p))
    return drawn(X, seed, rng)


def tall(seed):
    """The same of many dense rows; a row in 13 is far away, and columns are of any size."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(2_500, 7_000)), int(rng.integers(60, 200))
    X = rng.standard_normal((n, p)) + rng.standard_normal((n, 2)) @ rng.standard_normal((2, p)) * (seed % 2)
    X[::13] *= 3.0
    X = (X + rng.standard_normal(p)) * 10 ** rng.uniform(-0.2, 0.2, p)
    return drawn(np.asfortranarray(X) if seed % 3 == 1 else X, seed, rng)


def drawn(X, seed, rng):
    n, p = X.shape
    if seed % 4 == 1:
        X = X.astype(np.float32)
    z = X @ (rng.standard_normal(p) * (rng.random(p) < 0.2))
    y = (rng.random(n) < expit(2 * (z - z.mean()) / max(z.std(), 1e-9))).astype(int)
    weight = rng.uniform(0.2, 3.0, n) if seed % 5 == 0 else np.ones(n)
    offset = rng.standard_normal(n) if seed % 7 == 0 else np.zeros(n)
    return X, y, weight, offset, rng


def known_gap(X, y, weight, offset, b, w, l1, l2, low):
    """What J is above its minimum at the least: what one coefficient alone can win; X dense.

    The curvature by a coefficient is nowhere above L, so that a slope v wins v^2 / (2 L) where no bound is in the way.
    """
    share = weight / weight.sum()
    r = share * (expit(X @ w + b + offset) - y)
    g = X.T @ r + l2 * w
    up, down = np.where(w >= 0, g + l1, g - l1), np.where(w > 0, g + l1, g - l1)
    slope = np.maximum(np.maximum(-up, 0), np.where(w > low, np.maximum(down, 0), 0))
    L = 0.25 * share @ X**2 + l2
    slope, L = np.append(slope, abs(r.sum())), np.append(L, 0.25)
    length = np.minimum(slope / np.maximum(L, 1e-300), np.append(np.where(w == 0, np.inf, np.abs(w)), np.inf))
    length[:-1] = np.minimum(length[:-1], np.where(down > 0, w - low, np.inf))
    return float((slope * length - 0.5 * L * length**2).max())


@pytest.mark.parametrize("seed", range(MEMBERS + TALL))
def test_single_fits_keep_the_conditions(seed):
    X, y, weight, offset, rng = member(seed) if seed < MEMBERS else tall(seed)
    ratio, low = (1.0, 0.5, 0.1)[seed % 3], np.where(seed % 6 == 5, -0.1, -np.inf)
    factor = np.where(np.arange(X.shape[1]) == int((X != 0).sum(axis=0).argmax()), 0.0, 1.0) if seed % 8 == 2 else None
    share, D = weight / weight.sum(), (X.toarray() if sp.issparse(X) else X).astype(float)
    largest = np.abs(D.T @ (share * (y - share @ y))).max() / ratio
    lam = largest * 10 ** rng.uniform(-2.5 if seed < MEMBERS else -0.7, -0.1)
    model = LogisticRegression(
        C=1 / (lam * weight.sum()), l1_ratio=ratio, tol=1e-5, lower=float(low), penalty_factor=factor
    ).fit(X, y, sample_weight=weight, offset=offset)
    pull = lam * (np.ones(X.shape[1]) if factor is None else factor)
    w, b = model.coef_[0], float(model.intercept_[0])
    gap = model.solution_.gap
    assert gap <= 1e-10
    assert known_gap(D, y, weight, offset, b, w, ratio * pull, (1 - ratio) * pull, low) <= gap + 1e-15
    if factor is None:
        assert (w == 0).any()


@pytest.mark.parametrize("seed", range(6))
def test_paths_keep_the_conditions(seed):
    X, y, weight, _, _ = member(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fits = path(X, y, (1.0, 0.5)[seed % 2], n_C=12, min_ratio=0.02, sample_weight=weight, tol=1e-9)
    D = X.toarray().astype(float)
    for C, b, w, gap in zip(fits.Cs, fits.intercepts, fits.coefs, fits.gaps, strict=True):
        assert gap <= 1e-9
        lam = 1 / (C * weight.sum())
        l1, l2 = lam * fits.l1_ratio, lam * (1 - fits.l1_ratio)
        assert known_gap(D, y, weight, 0.0, b, w, l1, l2, -np.inf) <= gap + 1e-15


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sums_over_some_columns(dtype, index):
    rng = np.random.default_rng(3)
    X = sp.csr_array(sp.random_array((90, 40), density=0.2, rng=rng, dtype=dtype))
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    D, columns, h = X.toarray().astype(float), np.array([3, 0, 39, 3]), rng.random(90)
    csc = Csc(X)
    np.testing.assert_allclose(csc.products(columns, h), D[:, columns].T @ h, rtol=1e-12)
    first, second = csc.moments(columns, h)
    np.testing.assert_allclose(first, D[:, columns].T @ h, rtol=1e-12)
    np.testing.assert_allclose(second, (D[:, columns] ** 2).T @ h, rtol=1e-12)
    z = np.ones(90)
    csc.scores(columns, np.arange(4.0), z)
    np.testing.assert_allclose(z, 1 + D[:, columns] @ np.arange(4.0), rtol=1e-12)
    with pytest.raises(ValueError, match="of 40"):
        csc.products(np.array([40]), h)
    every, twice = np.arange(40), sp.csr_array((2, 40), dtype=dtype)
    twice.data, twice.indices = np.arange(1, 5, dtype=dtype), np.array([7, 39, 7, 39], index)
    twice.indptr = np.array([0, 3, 4], index)
    first, second = Csc(twice).moments(every, np.ones(2))  # two entries in one place are their sum
    np.testing.assert_array_equal(first, twice.toarray().sum(axis=0))
    np.testing.assert_array_equal(second, (twice.toarray() ** 2).sum(axis=0))


class OnSomeColumns:
    """A lasso or elastic net on some columns, in units of their own, with an intercept or none; J by NumPy."""

    def __init__(self, seed, dtype, index):
        rng = np.random.default_rng(seed)
        n, p, self.first = int(rng.integers(60, 300)), int(rng.integers(1, 90)), seed % 2
        X = sp.csr_array(sp.random_array((n, p), density=0.2, rng=rng, dtype=dtype))
        X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
        self.csc, self.columns = Csc(X), rng.permutation(p)[: int(rng.integers(1, p + 1))]
        k = self.columns.size
        self.unit = rng.uniform(0.5, 2, k)
        self.D = X.toarray().astype(float)[:, self.columns] * self.unit
        self.y = (rng.random(n) < expit(self.D @ rng.normal(size=k))).astype(float)
        self.share, self.offset = rng.dirichlet(np.full(n, 5.0)), rng.normal(size=n) * (seed % 3 == 0)
        self.l1 = rng.uniform(0.5, 1.5, k) * 10 ** rng.uniform(-3.5, -1.5)
        self.l2 = self.l1 * rng.uniform(0, 1, k) * (seed % 4 > 1)
        self.start = rng.normal(size=self.first + k) * (rng.random(self.first + k) < 0.3)

    def scores(self, theta):
        return self.D @ theta[self.first :] + theta[: self.first].sum() + self.offset

    def J(self, theta):
        z, w = self.scores(theta), theta[self.first :]
        return self.share @ (np.logaddexp(0, z) - self.y * z) + self.l1 @ abs(w) + self.l2 @ w**2 / 2

    def slopes(self, theta):
        r = self.share * (expit(self.scores(theta)) - self.y)
        return r.sum(), self.D.T @ r + self.l2 * theta[self.first :]

    def newton(self, aim, rough=0.0, most=400):
        """Where it ends, after how many steps, and to which gap it went."""
        theta, ends = self.start.copy(), np.full(self.l1.size, np.inf)
        rows, bounds = (np.where(self.y > 0, 1.0, -1.0), self.share), (self.l1, self.l2, -ends, ends)
        scores = self.scores(theta)
        loss, odds, r, h = row_sums(scores, *rows)
        known = scores, r, h, np.array([loss, odds])
        steps, aim, kept = self.csc.newton(self.columns, self.unit, rows, bounds, theta, known, aim, rough, most)
        if kept:
            np.testing.assert_allclose(scores, self.scores(theta), rtol=1e-13, atol=1e-13)
            again = row_sums(scores, *rows)
            np.testing.assert_array_equal(known[3], again[:2])
            np.testing.assert_array_equal(np.stack([r, h]), np.stack(again[2:]))
        return theta, steps, aim


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_newton_on_some_columns(dtype, index):
    for seed in range(24):
        on = OnSomeColumns(seed, dtype, index)
        exact, steps, _ = on.newton(0.0)  # as far as rounding lets it: a step that only rounds is undone
        assert steps < 400
        least, (by_intercept, g) = on.J(exact), on.slopes(exact)
        w = exact[on.first :]
        np.testing.assert_allclose(g[w != 0], -(on.l1 * np.sign(w))[w != 0], atol=1e-7)
        assert (abs(g[w == 0]) <= on.l1[w == 0] + 1e-7).all()
        assert on.first == 0 or abs(by_intercept) < 1e-7
        theta, most, aim = on.newton(1e-10)
        assert aim == 1e-10
        assert on.J(theta) - least <= 1e-10 + 1e-15
        theta, steps, _ = on.newton(1e-10, most=1)
        assert steps == 1
        assert on.J(theta) < on.J(on.start)
        theta, steps, aim = on.newton(1e-10, rough=0.1)
        assert aim >= 0.1 * (on.J(on.start) - least)
        assert on.J(theta) - least <= aim + 1e-10
        assert steps <= most
        theta, steps, _ = on.newton(np.inf)
        assert steps == 0
        np.testing.assert_array_equal(theta, on.start)
    on.columns = on.columns + on.csc.shape[1]
    with pytest.raises(ValueError, match=f"of {on.csc.shape[1]}"):
        on.newton(1e-10)


@pytest.mark.parametrize("seed", range(8))
def test_levels_that_add_up_to_the_intercept_come_to_their_end_in_few_steps(seed):
    """A slight penalty on the levels of a few factors: descent alone moves them one against the other for ever."""
    rng = np.random.default_rng([31, seed])
    n, factors, levels = int(rng.integers(3_000, 8_000)), int(rng.integers(1, 5)), int(rng.integers(150, 400))
    often = 1 / np.arange(1, levels + 1) ** rng.uniform(0.0, 1.2)
    codes = rng.choice(levels, (n, factors), p=often / often.sum()) + levels * np.arange(factors)
    X = sp.csr_array(
        (np.ones(codes.size), codes.ravel(), np.arange(0, codes.size + 1, factors)), shape=(n, codes.max() + 1)
    )
    X, y, weight, offset, _ = drawn(X, seed, rng)
    C, ratio = 10 ** rng.uniform(1.5, 4), (1.0, 0.5)[seed % 2]
    model = LogisticRegression(C=C, l1_ratio=ratio).fit(X, y, sample_weight=weight, offset=offset)
    lam, solution = 1 / (C * weight.sum()), model.solution_
    assert solution.status is Status.CONVERGED
    assert solution.iterations < 200
    given = X.toarray().astype(float), y, weight, offset, float(model.intercept_[0]), model.coef_[0]
    assert known_gap(*given, ratio * lam, (1 - ratio) * lam, -np.inf) <= solution.gap + 1e-15
