"""Our own linear algebra against NumPy's: any shape and layout, and what has no answer."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from evenodds.kernels import algebra
from evenodds.kernels.newton import Limits, newton
from evenodds.kernels.rows import second_order_sums
from evenodds.kernels.softmax import softmax_second_sums


def layouts(rng, m, k):
    """A matrix (m, k) in C and F order, in steps, backwards, transposed, and as one column of a larger one."""
    A = rng.normal(size=(m, k))
    room = np.zeros((2 * m, 3 * k))
    room[::2, ::3] = A
    yield from (A, np.asfortranarray(A), room[::2, ::3], A[::-1].copy()[::-1], np.ascontiguousarray(A.T).T)
    yield np.broadcast_to(A[:1], (m, k)) if m else A


@pytest.mark.parametrize("seed", range(40))
def test_products(seed):
    rng = np.random.default_rng(seed)
    m, k, n = rng.integers(0, 40, 3)
    x, z = rng.normal(size=k), rng.normal(size=(2, m))[0]
    for A in layouts(rng, m, k):
        assert_allclose(algebra.product(A, x), A @ x, atol=1e-12)
        assert_allclose(algebra.product(z, A), z @ A, atol=1e-12)
        assert_allclose(algebra.gram(A), A.T @ A, atol=1e-12)
        assert_allclose(algebra.gram(A, z), A.T @ (z[:, None] * A), atol=1e-12)
        each = rng.normal(size=(3, m))
        assert_allclose(algebra.grams(A, each), [A.T @ (h[:, None] * A) for h in each], atol=1e-12)
        for B in layouts(rng, k, n):
            assert_allclose(algebra.product(A, B), A @ B, atol=1e-12)
    assert algebra.dot(x, x) == pytest.approx(x @ x, rel=1e-14)
    assert algebra.dot(x[::-1], x) == pytest.approx(x[::-1] @ x, abs=1e-13)


def test_products_of_other_types():
    rng = np.random.default_rng(0)
    A, x = rng.normal(size=(30, 7)), rng.normal(size=7)
    single, whole = A.astype(np.float32), rng.integers(0, 9, (30, 7))
    assert_allclose(algebra.product(single, x), single.astype(float) @ x, rtol=1e-14)
    assert_array_equal(algebra.product(whole, np.ones(7)), whole.sum(axis=1))
    assert algebra.product(single, single.T).dtype == np.float32
    assert_allclose(algebra.product(sp.csr_array(A), x), A @ x, rtol=1e-14)
    assert_allclose(algebra.product(A > 0, x), (A > 0) @ x, atol=1e-14)
    wide = rng.normal(size=(300, 250))  # by BLAS
    assert_allclose(algebra.product(wide, wide.T), wide @ wide.T, atol=1e-11)
    assert_allclose(algebra.gram(wide), wide.T @ wide, atol=1e-11)
    many, weights = rng.normal(size=(20, 150)), rng.normal(size=(30, 20))  # a few products at a time
    assert_allclose(algebra.grams(many, weights), [many.T @ (h[:, None] * many) for h in weights], atol=1e-11)
    assert algebra.grams(wide, wide[:1, :1].repeat(300, axis=1)).shape == (1, 250, 250)


@pytest.mark.parametrize(("a", "b"), [((3,), (4,)), ((2, 3), (4,)), ((2, 3), (2, 3)), ((3,), (4, 2))])
def test_shapes_without_a_product(a, b):
    with pytest.raises(ValueError, match="have no"):
        (algebra.dot if len(a) == len(b) == 1 else algebra.product)(np.zeros(a), np.zeros(b))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 33, 64, 129])
def test_cholesky(n):
    rng = np.random.default_rng(n)
    D = rng.normal(size=(2 * n + 1, n)) * 10.0 ** rng.uniform(-3, 3, n)
    H, x = D.T @ D, rng.normal(size=n)
    R = algebra.cholesky(H)
    assert_allclose(R[:, :n].T @ R[:, :n], H, rtol=1e-12, atol=1e-14 * np.abs(H).max(initial=0))
    assert_array_equal(np.tril(R, -1), 0)
    assert_allclose(algebra.solve(R, H @ x), x, rtol=1e-5)
    L, B = np.tril(rng.normal(size=(n, n))) + 3 * np.eye(n), rng.normal(size=(n, 4))
    assert_allclose(L @ algebra.solve_lower(L, B), B, atol=1e-9)
    assert_allclose(L.T @ algebra.solve_lower(L, B, transposed=True), B, atol=1e-9)
    W = algebra.inverse_root(R)
    assert_array_equal(np.tril(W, -1), 0)
    assert_allclose(W.T @ H @ W, np.eye(n), atol=1e-6)


def test_many_at_once():
    rng = np.random.default_rng(0)
    for n in (0, 1, 3, 8, 13):
        D = rng.normal(size=(20, 2 * n + 1, n))
        A, b = D.transpose(0, 2, 1) @ D, rng.normal(size=(20, n))
        inverse, log_det = algebra.inverses(A)
        assert_allclose(inverse @ A, np.broadcast_to(np.eye(n), A.shape), atol=1e-9)
        assert_allclose(log_det, np.linalg.slogdet(A)[1], atol=1e-10)
        assert_allclose(algebra.solutions(A, b), np.linalg.solve(A, b[:, :, None])[:, :, 0], rtol=1e-9)
    A[3] = -np.eye(n)
    inverse, log_det = algebra.inverses(A)
    at = np.arange(20) == 3
    assert_array_equal(np.isnan(inverse).all(axis=(1, 2)), at)
    assert_array_equal(np.isnan(log_det), at)
    assert_array_equal(np.isnan(algebra.solutions(A, b)).all(axis=1), at)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, 0.0])
def test_cholesky_of_what_is_not_positive_definite(bad):
    for at in (0, 3, 11):
        H = np.eye(12)
        H[at, at] = bad
        found = algebra.cholesky(H)
        assert found is None or not np.isfinite(found).all()
    assert algebra.cholesky(np.ones((3, 3))) is None


@pytest.mark.parametrize("seed", range(60))
def test_eigen(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 45))
    A = rng.normal(size=(n, n))
    A = [A + A.T, A[:, : n // 2] @ A[:, : n // 2].T, np.round(A + A.T), np.diag(A.diagonal())][seed % 4]
    A = A * 10.0 ** rng.integers(-140, 140)
    size = np.abs(A).max(initial=0)
    values, vectors = algebra.eigen(A)
    assert_allclose(vectors @ np.diag(values) @ vectors.T, A, atol=1e-13 * size * max(n, 1))
    assert_allclose(vectors.T @ vectors, np.eye(n), atol=1e-13 * max(n, 1))
    assert_allclose(values, np.linalg.eigvalsh(A), atol=1e-13 * size * max(n, 1))


def test_eigen_of_sizes_far_apart():
    """Entries over 600 powers of ten: what is known of each eigenvalue is known beside the largest entry."""
    rng = np.random.default_rng(3)
    for power in (-300, -150, 0, 150, 290):
        for _ in range(40):
            root = 10.0 ** rng.uniform(-300, 0, 6) * rng.normal(size=6)
            A = np.ldexp(np.outer(root, root) + np.diag(np.square(root)), int(power / 0.30103))
            values, vectors = algebra.eigen(A)
            assert_allclose(vectors @ np.diag(values) @ vectors.T, A, rtol=0, atol=1e-14 * np.abs(A).max())
            assert_allclose(vectors.T @ vectors, np.eye(6), atol=1e-14)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_eigen_of_what_is_not_finite(bad):
    for A in (np.full((4, 4), bad), np.diag([1.0, bad, 2.0])):
        with pytest.raises(np.linalg.LinAlgError):
            algebra.eigen(A)


def test_last_steps():
    """The recursion against the matrix that it stands for, before and after the ring is full."""
    rng = np.random.default_rng(1)
    k, most = 6, 5
    D = rng.normal(size=(9, k))
    curved, pairs, steps = D.T @ D, [], algebra.LastSteps(most)
    for count in range(12):
        change = rng.normal(size=k)
        pairs.append((change, curved @ change))
        steps.add(*pairs[-1], float(change @ pairs[-1][1]))
        assert len(steps) == min(count + 1, most)
        turn, curvature = steps.last
        assert_array_equal(turn, pairs[-1][1])
        assert curvature == change @ pairs[-1][1]
        inverse = 0.5 * np.eye(k)
        for s, t in pairs[-most:]:
            P = np.eye(k) - np.outer(s, t) / (s @ t)
            inverse = P @ inverse @ P.T + np.outer(s, s) / (s @ t)
        g = rng.normal(size=k)
        assert_allclose(steps.after_metric(0.5 * steps.before_metric(g)), inverse @ g, rtol=1e-8, atol=1e-8)
    steps.clear()
    assert len(steps) == 0
    assert_array_equal(steps.after_metric(steps.before_metric(g)), g)


# Newton's method in one call

EASY = Limits(polish=1e-6, target=1e-12, nothing=1e-24, far=1e-2, points=9)


def table(seed, order="C", dtype=float):
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(30, 400)), int(rng.integers(1, 25))
    X = np.asarray(rng.normal(size=(n, p)) * 3 + 2, dtype, order)
    y = (rng.random(n) < 1 / (1 + np.exp(-X[:, 0] / 3))).astype(np.uint8)
    weight = rng.random(n) if seed % 2 else None
    offset = rng.normal(size=n) if seed % 3 else None
    return X, y, weight, offset


@pytest.mark.parametrize(("order", "dtype"), [("C", float), ("F", float), ("C", np.float32), ("F", np.float32)])
@pytest.mark.parametrize("seed", range(8))
def test_newton_ends_where_the_gradient_is_0(seed, order, dtype):
    X, y, weight, offset = table(seed, order, dtype)
    n, p = X.shape
    first = seed % 4 > 0
    center, inverse, pull = X.mean(axis=0, dtype=float), np.ones(p), np.full(p + first, 0.01)
    total = n if weight is None else weight.sum()
    args = (X, y, weight, offset)
    found = newton(*args, np.zeros(p + first), center, inverse, pull, total, EASY)
    theta = found.thetas[-1]
    loss, gradient, _ = second_order_sums(*args, theta, center, inverse)
    assert found.values[-1] == pytest.approx(loss / total + 0.5 * pull @ theta**2, rel=1e-14)
    assert_allclose(found.gradient, gradient / total + pull * theta, atol=1e-16 * total)
    exact = second_order_sums(*args, found.thetas[found.exact], center, inverse)[2]
    assert_allclose(found.hessian, exact / total + np.diag(pull), rtol=1e-12, atol=1e-14)
    _, slope, _ = second_order_sums(*args, found.end, center, inverse)
    assert np.abs(slope / total + pull * found.end).max() < 1e-12
    assert (np.diff(found.values) <= 1e-15).all()
    assert len(found.thetas) <= EASY.points
    assert found.reads >= len(found.thetas)
    assert_allclose(found.end, theta - np.linalg.solve(found.hessian, found.gradient), rtol=1e-9, atol=1e-12)
    assert np.isnan(found.sure).all()  # each slope has a pull


def test_newton_says_what_is_sure_of_its_end():
    ended = 0
    for seed in range(40):
        X, y, weight, offset = table(seed)
        n, p = X.shape
        center, inverse = X.mean(axis=0), 1 / X.std(axis=0)
        total = n if weight is None else weight.sum()
        found = newton(X, y, weight, offset, np.zeros(p + 1), center, inverse, np.zeros(p + 1), total, EASY)
        if found.end is None:  # too far for nine steps
            continue
        ended += 1
        D, at = np.column_stack([np.ones(n), (X - center) * inverse]), found.thetas[found.exact]
        t = np.exp(-np.abs(D @ at + (0 if offset is None else offset)))
        assert_sure(found, D, t / (1 + t) ** 2 * (1 if weight is None else weight))
    assert ended > 30


def assert_sure(found, D, multipliers):
    least, multiplier, move = found.sure
    values, sets = np.linalg.eigvalsh(found.hessian), len(found.end) // D.shape[1]
    least *= found.hessian.diagonal().max()
    assert values[0] / len(values) * (1 - 1e-9) <= least <= values[0] * (1 + 1e-9)
    assert multiplier == pytest.approx(multipliers.min(), rel=1e-9)
    steps = (found.end - found.thetas[found.exact], found.end - found.thetas[-1])
    assert move == pytest.approx(max(np.abs(D @ step.reshape(sets, -1).T).max() for step in steps), rel=1e-6)


@pytest.mark.parametrize("baseline", [False, True])
def test_newton_of_several_classes_ends_where_the_gradient_is_0(baseline):
    ended = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n, p, K, first = int(rng.integers(100, 300)), int(rng.integers(1, 9)), int(rng.integers(3, 6)), seed % 4 > 0
        X = np.asarray(rng.normal(size=(n, p)) * 3 + 2, (float, np.float32)[seed % 2], "CF"[seed // 2 % 2])
        y = np.argmax(X[:, [0]] * rng.normal(size=K) / 3 + rng.gumbel(size=(n, K)), axis=1)
        weight, offset = rng.random(n) if seed % 3 else None, rng.normal(size=(n, K)) if seed % 5 else None
        center, inverse = X.mean(axis=0, dtype=float), 1 / X.std(axis=0, dtype=float)
        k, F, total = p + first, K - baseline, n if weight is None else weight.sum()
        pull = np.tile(np.where(np.arange(k) < first, 0.0, 0.0 if baseline else 0.01), F)
        given = (X, y, weight, offset)
        found = newton(*given, np.zeros((F, k)), center, inverse, pull, total, EASY, baseline)
        if found.end is None:
            continue
        ended += 1
        _, slope, _ = softmax_second_sums(*given, baseline, center, inverse, found.end.reshape(F, k))
        assert np.abs(slope.ravel() / total + pull * found.end).max() < 1e-12
        if not baseline:
            assert np.isnan(found.sure).all()
            continue
        D = ((X - center) * inverse) if not first else np.column_stack([np.ones(n), (X - center) * inverse])
        Z = np.column_stack([np.zeros(n), D @ found.thetas[found.exact].reshape(F, k).T])
        Z += 0 if offset is None else offset
        P = np.exp(Z - logsumexp(Z, axis=1, keepdims=True)) * (1 if weight is None else weight[:, None])
        assert_sure(found, D, P[np.arange(K) != y[:, None]])
    assert ended > 40


@pytest.mark.parametrize("K", [2, 4])
def test_what_was_in_the_memory_before_is_of_no_account(K, monkeypatch):
    rng, n, p, baseline = np.random.default_rng(K), 33, 3, None if K == 2 else False  # less than a tile
    X, y, weight = rng.normal(size=(n, p)), np.argmax(rng.gumbel(size=(n, K)), axis=1), rng.random(n)
    theta = np.zeros(p) if K == 2 else np.zeros((K, p))
    units = (X.mean(axis=0), np.ones(p), np.full(theta.size, 0.01), weight.sum())
    given = (X, y, weight, None, theta, *units, EASY, baseline)
    truth = newton(*given)
    for fill in (np.nan, 1e308, -1.0):
        with monkeypatch.context() as patch:
            patch.setattr(np, "empty", lambda shape, *dtype, fill=fill: np.full(shape, fill, *dtype))
            found = newton(*given)
        assert found.end.tobytes() == truth.end.tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_newton_gives_nothing_of_what_is_not_finite(bad):
    X, y, _, _ = table(2)
    X[3, 0] = bad
    p = X.shape[1]
    found = newton(X, y, None, None, np.zeros(p), np.zeros(p), np.ones(p), np.zeros(p), len(X), EASY)
    assert len(found.thetas) == 0


def test_newton_gives_up_where_the_hessian_is_singular():
    X = np.column_stack([np.arange(8.0), np.zeros(8)])
    y = np.arange(8) % 2
    found = newton(X, y, None, None, np.zeros(2), np.zeros(2), np.ones(2), np.zeros(2), 8.0, EASY)
    assert len(found.thetas) == 0
