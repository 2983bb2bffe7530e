"""The compiled loops themselves, against numbers of 50 digits: scores of any size, odd shapes, all types."""

import itertools

import mpmath
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import logsumexp, softmax

from evenodds import class_kernels, kernels
from evenodds.compiled import moment_sums
from evenodds.data import Block
from evenodds.objective import compiled_sums, curvature_sums

EPS = np.finfo(float).eps
TINY = float(np.finfo(float).smallest_normal)
UPPER = 708.0  # beyond it e^-a is a subnormal number, and the kernels stop counting


def exact(z, y, weight=None):
    """Loss, and weighted residual, of each row in 50 digits."""
    with mpmath.workdps(50):
        losses, rs = [], []
        for k, (score, label) in enumerate(zip(z, y, strict=True)):
            s = mpmath.mpf(1 if weight is None else float(weight[k]))
            v = mpmath.mpf(float(score)) * (1 if label else -1)
            t = mpmath.exp(-abs(v))
            losses.append(s * (mpmath.log1p(t) + (-v if v < 0 else 0)))
            rs.append((-1 if label else 1) * s * (t if v >= 0 else 1) / (1 + t))
        return losses, rs


def one_row(z, label, weight=None):
    """The kernel's loss and residual of a single row, with the score as it is given."""
    r = np.empty(1)
    s = None if weight is None else np.array([weight])
    return kernels.residuals(np.array([float(z)]), np.array([label], np.uint8), s, 1, r), r[0]


def sums(order, X, y, weight, offset, center, coef, intercept, extra=0):
    """Loss, residual sum and gradient of a dense block whose leading dimension is `extra` more than it has to be."""
    m, p = X.shape
    inner, outer = (p, m) if order == "C" else (m, p)
    ld = inner + extra
    flat = np.full(outer * ld, np.nan, X.dtype)  # what lies between the rows must not be read
    np.lib.stride_tricks.as_strided(flat, (outer, inner), (ld * X.itemsize, X.itemsize))[:] = X if order == "C" else X.T
    flat.flags.writeable = False
    gradient = np.zeros(p)
    kernel = kernels.rows_c if order == "C" else kernels.rows_f
    loss, total = kernel(flat, ld, m, y, weight, offset, center, coef, intercept, gradient)
    return loss, total, gradient


# The exponential


@given(st.floats(0, UPPER))
def test_the_exponential_is_within_two_units_of_the_last_place(a):
    with mpmath.workdps(50):
        truth = mpmath.exp(-mpmath.mpf(a))
        assert abs(kernels.exp_minus(a) - truth) <= 2 * np.spacing(float(truth))


def test_the_exponential_at_the_seams_of_its_reduction():
    """Where the exponent steps, the argument of the series is at its largest: half of log 2."""
    worst = 0.0
    with mpmath.workdps(50):
        seams = [float((k + 0.5) * mpmath.log(2)) for k in range(1021)]
        for a in [x for s in seams for x in (np.nextafter(s, 0), s, np.nextafter(s, 1e3))] + [0.0, -0.0, 5e-324, UPPER]:
            truth = mpmath.exp(-mpmath.mpf(a))
            worst = max(worst, float(abs(kernels.exp_minus(a) - truth) / np.spacing(float(truth))))
    assert worst <= 2


def test_the_exponential_never_rises():
    a = np.sort(np.concatenate([np.linspace(0, 5, 20_000), np.linspace(0, UPPER, 20_000)]))
    e = np.array([kernels.exp_minus(x) for x in a])
    assert (np.diff(e) <= 2 * EPS * e[:-1]).all()
    assert e[0] == 1.0
    assert (e > 0).all()


# Scores of any size

EXTREMES = [0.0, 5e-324, 1e-300, 1e-17, 1e-8, 0.3, 1, 27.6, 36.7, 37.5, 100, 700, 707.9]
BEYOND = [708.1, 709.7, 709.9, 745, 746, 1000, 1e10, 1e154, 1e308, float(np.finfo(float).max)]


@pytest.mark.parametrize("weight", [None, 1.0, 1e-12, 1e12, 3.7])
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("sign", [1, -1])
def test_one_row_is_right_at_any_score(sign, label, weight):
    for z in EXTREMES:
        loss, r = one_row(sign * z, label, weight)
        (true_loss,), (true_r,) = exact([sign * z], [label], None if weight is None else [weight])
        # relative, down to the smallest normal number
        assert abs(loss - true_loss) <= 4 * EPS * max(true_loss, TINY), z
        assert abs(r - true_r) <= 4 * EPS * max(abs(true_r), TINY), z
    s = 1.0 if weight is None else weight
    for z in BEYOND:
        loss, r = one_row(sign * z, label, weight)
        if (sign > 0) == bool(label):  # right and certain: nothing that a double can hold beside another row
            assert 0 <= loss <= max(s * 4e-308, TINY), z
            assert abs(r) <= max(s * 4e-308, TINY), z
        else:
            truth = s * float(z)  # Python's floats go to infinity silently
            assert loss == pytest.approx(truth, rel=2 * EPS, abs=0), z
            assert r == -s if label else r == s, z


@pytest.mark.parametrize("weight", [None, 2.0])
@pytest.mark.parametrize("label", [0, 1])
def test_infinite_scores(label, weight):
    s = 1.0 if weight is None else weight
    right, wrong = (np.inf, -np.inf) if label else (-np.inf, np.inf)
    loss, r = one_row(right, label, weight)
    assert loss == 0
    assert abs(r) <= 1e-307
    loss, r = one_row(wrong, label, weight)
    assert loss == np.inf
    assert r == (-s if label else s)


@pytest.mark.parametrize("weight", [None, 2.0])
@pytest.mark.parametrize("label", [0, 1])
def test_a_score_that_is_nan_stays_nan(label, weight):
    for z in (np.nan, -np.nan):
        loss, r = one_row(z, label, weight)
        assert np.isnan(loss)
        assert np.isnan(r)


@pytest.mark.parametrize("at", [0, 3, 63, 64, 99])
@pytest.mark.parametrize("others", [0.0, 30.0, -800.0])
@pytest.mark.parametrize("order", ["C", "F"])
def test_nan_in_one_row_of_many_is_not_lost(order, others, at):
    """Neither in a product of factors nor in a comparison."""
    X = np.full((100, 3), others)
    X[at, 1] = np.nan
    y = np.ones(100, np.uint8)
    for weight in (None, np.ones(100)):
        loss, total, gradient = sums(order, X, y, weight, None, np.zeros(3), np.array([1.0, 0.5, 0.25]), 0.0)
        assert np.isnan([loss, total, *gradient]).all()
        block = Block(sp.csr_array(np.nan_to_num(X, nan=7.0)), y, weight)
        block.X.data[block.X.data == 7.0] = np.nan
        loss, total, gradient = compiled_sums(block, 0.0, np.array([1.0, 0.5, 0.25]), np.zeros(3))
        assert np.isnan([loss, total]).all()
        assert np.isnan(gradient[1])


@pytest.mark.parametrize("weighted", [False, True])
def test_many_rows_at_extreme_scores(weighted):
    """Scores that an offset sets: the tile's one logarithm must not overflow, nor lose the small ones."""
    rng = np.random.default_rng(0)
    for m in (1, 63, 64, 65, 256, 257, 1000):
        for size in (1e-300, 1e-3, 1.0, 30.0, 500.0, 1e5, 1e150, 1e300):
            z = rng.normal(size=m) * size
            y = rng.integers(0, 2, m).astype(np.uint8)
            weight = rng.uniform(0.1, 10, m) if weighted else None
            losses, _ = exact(z, y, weight)
            truth = mpmath.fsum(losses)
            for order in ("C", "F"):
                loss, _, _ = sums(order, np.zeros((m, 2)), y, weight, z, np.zeros(2), np.ones(2), 0.0)
                # Each of up to 256 factors of a product is rounded; its logarithm is at least log 1.5.
                assert abs(loss - truth) <= 256 * EPS * truth + TINY, (m, size, order)


# A loss that is small


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["C", "F", "CSR"])
@pytest.mark.parametrize("level", [1e-3, 1e-6, 1e-9, 1e-12, 1e-15, 1e-100, 1e-300])
def test_a_tiny_loss_keeps_its_digits(level, order, dtype):
    rng = np.random.default_rng(1)
    m, p = 517, 3
    y = rng.integers(0, 2, m).astype(np.uint8)
    X = np.zeros((m, p), dtype)
    X[:, 1] = np.where(y == 1, 1, -1) * -np.log(level) * rng.uniform(0.9, 1.1, m)
    coef = np.array([0.5, 1.0, -2.0])
    z = X.astype(float) @ coef
    losses, rs = exact(z, y)
    truth, total = mpmath.fsum(losses), mpmath.fsum(rs)
    by_column = mpmath.fsum(r * mpmath.mpf(float(x)) for r, x in zip(rs, X[:, 1], strict=True))
    if order == "CSR":
        loss, found, gradient = compiled_sums(Block(sp.csr_array(X), y), 0.0, coef, np.zeros(p))
    else:
        loss, found, gradient = sums(order, X, y, None, None, np.zeros(p), coef, 0.0)
    # A score of 690 is itself rounded to 1e-13, which is the relative error of e^-690. Here it is exact, as coef is 1.
    assert abs(loss - truth) <= 64 * EPS * truth
    assert abs(found - total) <= 64 * EPS * mpmath.fsum(map(abs, rs))
    assert abs(gradient[1] - by_column) <= 64 * EPS * abs(by_column)


def test_a_tile_with_large_and_tiny_losses_has_the_digits_of_its_sum():
    """The product of factors drops small ones only beside large ones."""
    for big in (0.1, 0.4, 0.5, 0.51, 1.0, 5.0):
        z = np.concatenate([[np.log(1 / big)], np.full(63, 30.0)])
        y = np.ones(64, np.uint8)
        truth = mpmath.fsum(exact(z, y)[0])
        loss, _, _ = sums("C", np.zeros((64, 1)), y, None, z, np.zeros(1), np.zeros(1), 0.0)
        assert abs(loss - truth) <= 64 * EPS * truth


# Shapes

ROWS = [1, 2, 3, 4, 5, 7, 63, 64, 65, 66, 127, 130, 255, 256, 257, 259, 511, 515]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("p", range(1, 10))
def test_all_orders_agree_with_long_double_sums(p, dtype):
    rng = np.random.default_rng(p)
    for m in ROWS:
        X = rng.normal(size=(m, p)).astype(dtype)
        X[rng.random((m, p)) < 0.3] = 0
        y = rng.integers(0, 2, m).astype(np.uint8)
        coef, intercept = rng.normal(size=p), float(rng.normal())
        for weighted, shifted, centred in itertools.product((False, True), repeat=3):
            weight = rng.uniform(0.1, 5, m) if weighted else None
            offset = rng.normal(size=m) if shifted else None
            center = rng.normal(size=p) if centred else np.zeros(p)
            D = X.astype(np.longdouble) - center
            z = D @ coef + intercept + (offset if shifted else 0)
            s = weight if weighted else np.ones(m)
            t = np.exp(-np.abs(z))
            loss = s @ (np.log1p(t) + np.maximum(np.where(y, -z, z), 0))
            r = s * (np.where(z >= 0, 1, t) / (1 + t) - y)
            # Sums of m terms, each right to a few units of the last place of the largest.
            size = 1e-14 * (1 + s.sum() * (1 + np.abs(D).max()) ** 2)
            cases = [("C", 0), ("C", 5), ("F", 0), ("F", 3)]
            found = [sums(order, X, y, weight, offset, center, coef, intercept, extra) for order, extra in cases]
            if not centred:
                found.append(compiled_sums(Block(sp.csr_array(X), y, weight, offset), intercept, coef, center))
            for value, total, gradient in found:
                assert abs(value - loss) <= size
                assert abs(total - r.sum()) <= size
                np.testing.assert_allclose(gradient, (r @ D).astype(float), rtol=0, atol=size)


def test_a_gradient_is_added_to_what_is_there():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(70, 3)), rng.integers(0, 2, 70).astype(np.uint8)
    alone = sums("C", X, y, None, None, np.zeros(3), np.ones(3), 0.5)[2]
    for kernel, flat, ld in ((kernels.rows_c, X.ravel(), 3), (kernels.rows_f, X.T.ravel(), 70)):
        gradient = np.array([10.0, -20.0, 0.0])
        kernel(flat, ld, 70, y, None, None, np.zeros(3), np.ones(3), 0.5, gradient)
        np.testing.assert_allclose(gradient, alone + np.array([10, -20, 0]), rtol=1e-13)


def test_no_rows_give_zero():
    empty, y = np.zeros(0), np.zeros(0, np.uint8)
    for kernel in (kernels.rows_c, kernels.rows_f):
        gradient = np.zeros(2)
        assert kernel(empty, 2, 0, y, None, None, np.zeros(2), np.ones(2), 1.0, gradient) == (0, 0)
        assert (gradient == 0).all()
    loss, total, gradient = compiled_sums(Block(sp.csr_array((0, 2)), y), 1.0, np.ones(2), np.zeros(2))
    assert (loss, total) == (0, 0)
    assert (gradient == 0).all()


def test_a_column_far_from_zero_is_centred_before_it_is_multiplied():
    rng = np.random.default_rng(0)
    m = 300
    X = np.column_stack([1e9 + rng.normal(size=m), rng.normal(size=m)])
    y = rng.integers(0, 2, m).astype(np.uint8)
    center, coef = np.array([1e9, 0.0]), np.array([0.7, -0.3])
    D = X.astype(np.longdouble) - center
    z = D @ coef
    gradient = (1 / (1 + np.exp(-z)) - y) @ D
    for order in ("C", "F"):
        found = sums(order, X, y, None, None, center, coef, 0.0)[2]
        np.testing.assert_allclose(found, gradient.astype(float), rtol=1e-12)


# Sparse rows


def sparse_table(m, p, rng, dtype=np.float64, index=np.int32):
    X = sp.random_array((m, p), density=0.3, random_state=rng, format="csr", dtype=np.float64).astype(dtype)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    return X


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("given", [False, True])
def test_sparse_sums_and_curvature_agree_with_dense_ones(given, index, dtype):
    rng = np.random.default_rng(3)
    for m, p in ((1, 1), (1, 9), (3, 2), (64, 5), (65, 9), (257, 8), (300, 40)):
        X = sparse_table(m, p, rng, dtype, index)
        X.data -= 0.5  # both signs
        y = rng.integers(0, 2, m).astype(np.uint8)
        weight, offset = (rng.uniform(0.1, 5, m), rng.normal(size=m)) if given else (None, None)
        coef, intercept = 3 * rng.normal(size=p), 0.3
        D = X.toarray().astype(np.longdouble)
        z = D @ coef + intercept + (offset if given else 0)
        t = np.exp(-np.abs(z))
        s = weight if given else np.ones(m)
        h = s * t / (1 + t) ** 2
        r = s * (np.where(z >= 0, 1, t) / (1 + t) - y)
        block = Block(X, y, weight, offset)
        *first_order, total, first, second = curvature_sums(block, intercept, coef, np.zeros(p))
        assert total == pytest.approx(float(h.sum()), rel=1e-13)
        np.testing.assert_allclose(first, (h @ D).astype(float), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(second, (h @ D**2).astype(float), rtol=1e-12, atol=1e-15)
        for found, expected in zip(first_order, compiled_sums(block, intercept, coef, np.zeros(p)), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)
        _, total, gradient = first_order
        assert total == pytest.approx(float(r.sum()), rel=1e-12, abs=1e-13)
        np.testing.assert_allclose(gradient, (r @ D).astype(float), rtol=1e-12, atol=1e-13)


def test_dense_curvature_sums_agree_with_the_sparse_ones():
    rng = np.random.default_rng(4)
    X = sparse_table(200, 7, rng)
    y = rng.integers(0, 2, 200).astype(np.uint8)
    weight, offset, coef = rng.uniform(0.1, 5, 200), rng.normal(size=200), rng.normal(size=7)
    sparse = curvature_sums(Block(X, y, weight, offset), 0.2, coef, np.zeros(7))
    dense = curvature_sums(Block(X.toarray(), y, weight, offset), 0.2, coef, np.zeros(7))
    for a, b in zip(sparse, dense, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_curvature_at_extreme_scores():
    X = sp.csr_array(np.ones((1, 1)))
    for z in (0.0, 30.0, -700.0, 800.0, -1e308, np.inf):
        with mpmath.workdps(50):
            t = mpmath.exp(-abs(mpmath.mpf(z)))
            truth = float(t / (1 + t) ** 2)
        block = Block(X, np.ones(1, np.uint8), None, np.array([z]))
        *_, total, first, second = curvature_sums(block, 0.0, np.zeros(1), np.zeros(1))
        assert total == first[0] == second[0] == pytest.approx(truth, rel=1e-14, abs=1e-320)
    block = Block(X, np.ones(1, np.uint8), None, np.array([np.nan]))
    assert np.isnan(curvature_sums(block, 0.0, np.zeros(1), np.zeros(1))[3])


def test_rows_that_start_anywhere_in_the_entries_of_a_sparse_table():
    rng = np.random.default_rng(5)
    X = sparse_table(150, 6, rng)
    y = rng.integers(0, 2, 150).astype(np.uint8)
    coef = rng.normal(size=6)
    for a, b in ((0, 0), (0, 150), (1, 1), (1, 77), (80, 81), (64, 150), (149, 150)):
        part = sp.csr_array(X[a:b])
        truth = compiled_sums(Block(part, y[a:b]), 0.1, coef, np.zeros(6))
        low, high = X.indptr[a], X.indptr[b]
        data, indices = X.data[low:high], X.indices[low:high].view(np.uint32)
        pairs = np.stack([coef, np.zeros(6)], axis=1)
        loss, total = kernels.rows_csr(
            data, indices, X.indptr[a : b + 1].astype(np.int64), y[a:b], None, None, pairs, 0.1
        )
        assert (loss, total) == truth[:2]
        np.testing.assert_array_equal(pairs[:, 1], truth[2])
        np.testing.assert_array_equal(pairs[:, 0], coef)
        table = np.zeros((6, 4))
        table[:, 0] = coef
        indptr = X.indptr[a : b + 1].astype(np.int64)
        loss, residual, total = kernels.curvature_csr(data, indices, indptr, y[a:b], None, None, table, 0.1)
        expected = curvature_sums(Block(part, y[a:b]), 0.1, coef, np.zeros(6))
        assert (loss, residual, total) == (expected[0], expected[1], expected[3])
        np.testing.assert_array_equal(table.T, [coef, expected[2], *expected[4:]])


def test_entries_in_any_order_given_twice_or_zero_add_up():
    rng = np.random.default_rng(6)
    D = np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0], [0.0, -3.0, 0.5]])
    data = np.array([2.0, 0.4, 0.6, 0.0, 0.5, -3.0])
    X = sp.csr_array((data, np.array([2, 0, 0, 1, 2, 1], np.int32), np.array([0, 4, 4, 6], np.int32)), shape=(3, 3))
    y, coef = np.array([1, 0, 1], np.uint8), rng.normal(size=3)
    found = compiled_sums(Block(X, y), 0.1, coef, np.zeros(3))
    truth = compiled_sums(Block(D, y), 0.1, coef, np.zeros(3))
    for a, b in zip(found, truth, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_are_those_of_numpy(order, dtype, weighted):
    rng = np.random.default_rng(5)
    X = np.asarray(rng.normal(1e3, 2, (501, 5)), dtype=dtype, order=order)
    weight = rng.uniform(0.1, 3, 501) if weighted else None
    center, unit = X[0].astype(float), np.array([1.0, 2, 0.5, 1e-3, 1e3])
    total, first, second = moment_sums(Block(X, np.zeros(501, np.uint8), weight), center, unit)
    w, d = np.ones(501) if weight is None else weight, (X - center) / unit
    assert total == pytest.approx(w.sum(), rel=1e-13)
    np.testing.assert_allclose(first, w @ d, rtol=1e-12)
    np.testing.assert_allclose(second, w @ d**2, rtol=1e-12)


# Several classes


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("m", "classes", "baseline", "p"), [(1, 3, False, 7), (67, 3, True, 7), (130, 4, True, 1100), (600, 5, False, 513)]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_softmax_of_a_block_is_that_of_plain_numpy(order, dtype, m, classes, baseline, p, weighted):
    rng = np.random.default_rng(m)
    free = classes - baseline
    X = np.asarray(rng.standard_normal((m, p)) + 3.0, order=order)
    y = rng.integers(0, classes, m).astype(np.uint8)
    weight = rng.uniform(0.5, 2.0, m) if weighted else None
    offset = rng.standard_normal((m, classes)) if weighted else None
    center, coef, intercept = (
        rng.standard_normal(p),
        rng.standard_normal((free, p)) / np.sqrt(p),
        rng.standard_normal(free),
    )
    Z = np.zeros((m, classes))
    Z[:, baseline:] = (X - center) @ coef.T + intercept
    Z += 0.0 if offset is None else offset
    s = np.ones(m) if weight is None else weight
    expected_loss = s @ (logsumexp(Z, axis=1) - Z[np.arange(m), y])
    R = s[:, None] * (softmax(Z, axis=1) - np.eye(classes)[y])
    by_intercept, by_coef = np.zeros(free), np.zeros((free, p))
    flat, ld = (X.ravel(), p) if order == "C" else (X.T.ravel(), m)
    flat.flags.writeable = False
    loss, odds = class_kernels.softmax_rows(
        flat,
        ld,
        order == "C",
        m,
        y,
        weight,
        offset,
        bool(baseline),
        center,
        coef.astype(dtype),
        intercept,
        by_intercept,
        by_coef,
    )
    accuracy = 1e-13 if dtype == np.float64 else 2e-6
    assert loss == pytest.approx(expected_loss, rel=accuracy)
    p_own = softmax(Z, axis=1)[np.arange(m), y]
    assert odds == pytest.approx(s @ ((1 - p_own) / p_own), rel=20 * accuracy)
    assert_allclose(by_intercept, R[:, baseline:].sum(axis=0), rtol=0, atol=accuracy * m)
    assert_allclose(by_coef, R[:, baseline:].T @ (X - center), rtol=0, atol=10 * accuracy * m)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_shows_in_the_softmax(bad):
    for column in range(3):
        Z = np.zeros((3, 1))
        Z[column, 0] = bad
        if bad == -np.inf:  # a class that is impossible: no loss if it is another's row
            Z[column, 0] = -1e300
            loss, odds = class_kernels.softmax_residuals(Z, 1, np.array([(column + 1) % 3], np.uint8), None, False)
            assert odds == 1.0
            assert loss == pytest.approx(np.log(2))
        else:
            assert not np.isfinite(class_kernels.softmax_residuals(Z, 1, np.array([0], np.uint8), None, False)[0])


def test_scores_far_apart_do_not_overflow_the_softmax():
    Z = np.array([[1e6], [0.0], [-1e6]])
    assert class_kernels.softmax_residuals(Z, 1, np.array([2], np.uint8), None, False)[0] == 2e6
    assert_allclose(Z, [[1.0], [0.0], [-1.0]], rtol=0, atol=1e-300)
