"""The compiled loops against plain NumPy and numbers of 50 digits: scores of any size, odd shapes, all types."""

import ctypes
import hashlib
import itertools
import re
from pathlib import Path

import mpmath
import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.special import logsumexp, softmax

from evenodds.kernels import descent, library
from evenodds.kernels.rows import (
    apart_sums,
    centres,
    dense_sums,
    moment_sums,
    second_order_sums,
    sparse_curvature,
    sparse_curved,
    sparse_sums,
    units,
)
from evenodds.kernels.softmax import softmax_second_sums, softmax_sums

EPS = np.finfo(float).eps
TINY = float(np.finfo(float).smallest_normal)


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
    """The loss and residual of a single row whose score is an offset."""
    s = None if weight is None else np.array([weight])
    y = np.array([label], np.uint8)
    return dense_sums(np.zeros((1, 1)), y, s, np.array([float(z)]), 0.0, np.zeros(1), np.zeros(1))[:2]


def sums(order, X, y, weight, offset, center, coef, intercept, extra=0, near=False):
    """Loss, residual sum and gradient of a dense block whose rows (or columns) are `extra` entries further apart."""
    m, p = X.shape
    room = np.full((m, p + extra) if order == "C" else (p, m + extra), np.nan, X.dtype)  # what lies between is not read
    room = room[:, :p] if order == "C" else room[:, :m].T
    room[:] = X
    room.flags.writeable = False
    return dense_sums(room, y, weight, offset, intercept, coef, center, near=near)


# The exponential and the logarithm


def test_residuals_at_the_seams_of_the_exponential():
    """Where the exponent steps, the argument of the series is at its largest: half of log 2."""
    with mpmath.workdps(50):
        seams = [float((k + 0.5) * mpmath.log(2)) for k in range(0, 1021, 7)]
        for a in [x for s in seams for x in (np.nextafter(s, 0), s, np.nextafter(s, 1e3))] + [0.0, -0.0, 5e-324, 708.0]:
            t = mpmath.exp(-mpmath.mpf(a))
            loss, r = one_row(a, 1)
            assert abs(-r - t / (1 + t)) <= 4 * np.spacing(float(t / (1 + t)))
            assert abs(loss - mpmath.log1p(t)) <= 4 * np.spacing(float(mpmath.log1p(t)))


def test_what_is_less_than_the_smallest_normal_number_is_exact_to_its_spacing():
    for a in (708.5, 710.0, 720.0, 740.0, 745.1, 746.0, 800.0):
        with mpmath.workdps(50):
            t = float(mpmath.exp(-mpmath.mpf(a)))
        for weight in (None, 1.0):
            assert_allclose(one_row(a, 1, weight), (t, -t), rtol=1e-15, atol=1e-323)


def test_losses_never_rise_with_the_margin():
    z = np.sort(np.concatenate([np.linspace(0, 5, 500), np.linspace(0, 750, 500)]))
    losses = np.array([one_row(x, 1)[0] for x in z])
    assert (np.diff(losses) <= 2 * EPS * losses[:-1]).all()
    assert losses[0] == np.log(2)


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
        S = sp.csr_array(np.nan_to_num(X, nan=7.0))
        S.data[S.data == 7.0] = np.nan
        loss, total, gradient = sparse_sums(S, y, weight, None, 0.0, np.array([1.0, 0.5, 0.25]))
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
        loss, found, gradient = sparse_sums(sp.csr_array(X), y, None, None, 0.0, coef)
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
            cases = [("C", 0, False), ("C", 5, False), ("C", 5, True), ("F", 0, False), ("F", 3, False)]
            found = [sums(order, X, y, weight, offset, center, coef, intercept, *case) for order, *case in cases]
            if not centred:
                found.append(sparse_sums(sp.csr_array(X), y, weight, offset, intercept, coef))
            for value, total, gradient in found:
                assert abs(value - loss) <= size
                assert abs(total - r.sum()) <= size
                np.testing.assert_allclose(gradient, (r @ D).astype(float), rtol=0, atol=size)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("m", "p"), [(0, 2), (1, 1), (7, 3), (64, 7), (65, 8), (130, 63), (130, 64), (97, 90)])
def test_a_hessian_is_that_of_plain_numpy(m, p, dtype, order):
    rng = np.random.default_rng(m + p)
    X = np.asarray(rng.normal(size=(m, p)), dtype, order=order)
    y, center, inverse = rng.integers(0, 2, m).astype(np.uint8), rng.normal(size=p), rng.uniform(0.5, 2, p)
    inverse[0] = 0  # a column that is left out
    for first, given in itertools.product((0, 1), (False, True)):
        theta = rng.normal(size=first + p) / p
        weight, offset = (rng.uniform(0, 2, m), rng.normal(size=m)) if given else (None, None)
        D = np.column_stack([np.ones((m, first)), (X - center) * inverse])
        z = D @ theta + (offset if given else 0)
        s, q = weight if given else np.ones(m), 1 / (1 + np.exp(-z))
        loss, gradient, hessian = second_order_sums(X, y, weight, offset, theta, center, inverse)
        assert loss == pytest.approx(s @ np.logaddexp(0, np.where(y == 1, -z, z)), rel=1e-13)
        assert_allclose(gradient, D.T @ (s * (q - y)), rtol=1e-11, atol=1e-12)
        assert_allclose(hessian, D.T @ ((s * q * (1 - q))[:, None] * D), rtol=1e-11, atol=1e-12)
        assert_allclose(hessian, hessian.T, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_that_lie_apart_have_the_sums_of_those_in_one_piece(dtype):
    rng = np.random.default_rng(2)
    for m, p in ((1, 1), (255, 3), (1000, 9)):
        X = np.asfortranarray(rng.normal(size=(m, p)).astype(dtype))
        columns = [np.concatenate([x[:1], x])[1:] for x in X.T]
        given = (rng.random(m) < 0.4, rng.random(m), rng.normal(size=m), 0.3, rng.normal(size=p), rng.normal(size=p))
        for sums, others in zip(apart_sums(columns, *given), dense_sums(X, *given), strict=True):
            np.testing.assert_array_equal(sums, others)
    for wrong in ([columns[0][1:]], [columns[0].astype(np.float16)], [columns[0][::-1]]):
        with pytest.raises(ValueError, match="columns of one length"):
            apart_sums([*columns, *wrong], *given)


def test_no_rows_and_no_columns():
    y = np.zeros(0, np.uint8)
    for order in ("C", "F"):
        loss, total, gradient = dense_sums(np.zeros((0, 2), order=order), y, None, None, 1.0, np.ones(2), np.zeros(2))
        assert (loss, total, *gradient) == (0, 0, 0, 0)
        loss, total, gradient = dense_sums(np.zeros((3, 0), order=order), np.ones(3), None, None, 0.0, y, y)
        assert loss == pytest.approx(3 * np.log(2))
        assert (total, gradient.size) == (-1.5, 0)
    loss, total, gradient = sparse_sums(sp.csr_array((0, 2)), y, None, None, 1.0, np.ones(2))
    assert (loss, total, *gradient) == (0, 0, 0, 0)


@pytest.mark.parametrize("p", [40, 200, 513, 1030, 4100])
def test_long_rows(p):
    rng = np.random.default_rng(p)
    for m in (1, 8, 9, 31, 70):
        X, y = rng.normal(size=(m, p)), rng.integers(0, 2, m).astype(np.uint8)
        coef, center = rng.normal(size=p) / np.sqrt(p), rng.normal(size=p)
        D = X - center
        z = D @ coef
        r = 1 / (1 + np.exp(-z)) - y
        for order, near in (("C", False), ("C", True), ("F", False)):
            loss, total, gradient = sums(order, X, y, None, None, center, coef, 0.0, extra=3, near=near)
            assert loss == pytest.approx(np.logaddexp(0, np.where(y, -z, z)).sum(), rel=1e-12)
            assert total == pytest.approx(r.sum(), abs=1e-12)
            assert_allclose(gradient, r @ D, rtol=0, atol=1e-11)


def test_what_a_loop_cannot_read_is_refused_or_put_right():
    rng = np.random.default_rng(0)
    X, y, coef = rng.normal(size=(20, 4)), rng.integers(0, 2, 20).astype(np.uint8), rng.normal(size=4)
    zero = np.zeros(4)
    truth = dense_sums(X, y, None, np.arange(20.0), 0.0, coef, zero)
    spread, labels = np.repeat(np.arange(20.0), 2)[::2], y.astype(np.int64)  # strides and types that are put right
    for found in (
        dense_sums(X, y, None, spread, 0.0, coef, zero),
        dense_sums(X, labels, None, np.arange(20), 0.0, coef[::-1].copy()[::-1], zero),
    ):
        for a, b in zip(found, truth, strict=True):
            np.testing.assert_array_equal(a, b)
    for wrong in (X.astype(np.float16), X.astype(int), X[:, ::2], X[:, ::-1], X.astype(">f8")):
        k = wrong.shape[1]
        with pytest.raises(ValueError, match="cannot read"):
            dense_sums(wrong, y, None, None, 0.0, coef[:k], zero[:k])
    for rows in ((y[:19], None, None), (y, np.ones(19), None), (y, None, np.ones(21))):
        with pytest.raises(ValueError, match="was given"):
            dense_sums(X, *rows, 0.0, coef, zero)
    with pytest.raises(ValueError, match="was given 3"):
        dense_sums(X, y, None, None, 0.0, coef[:3], zero)
    with pytest.raises(ValueError, match="cannot write"):
        descent.descend(np.eye(4), zero, (zero, zero, zero, zero), np.zeros(8)[::2], 1e-8, 5)
    with pytest.raises(ValueError, match="codes from"):
        softmax_sums(X, np.full(20, 3), None, None, False, zero, np.zeros((3, 4)), np.zeros(3))
    with pytest.raises(ValueError, match="codes from"):
        softmax_second_sums(X, np.full(20, -1), None, None, True, zero, zero, np.zeros((3, 4)))
    with pytest.raises(ValueError, match="was given"):
        softmax_second_sums(X, y, None, np.zeros((20, 3)), True, zero, zero, np.zeros((3, 4)))


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
        bends = np.full(m + 1, 7.0)
        *first_order, total, first, second = sparse_curvature(X, y, weight, offset, intercept, coef, bends[:m])
        np.testing.assert_allclose(bends, np.append(h, 7).astype(float), rtol=1e-13, atol=1e-300)
        u = D @ coef - 0.4
        by_shift, curved = sparse_curved(X, bends[:m], -0.4, coef)
        assert by_shift == pytest.approx(float(h @ u), rel=1e-12, abs=1e-13)
        np.testing.assert_allclose(curved, ((h * u) @ D).astype(float), rtol=1e-12, atol=1e-13)
        assert total == pytest.approx(float(h.sum()), rel=1e-13)
        np.testing.assert_allclose(first, (h @ D).astype(float), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(second, (h @ D**2).astype(float), rtol=1e-12, atol=1e-15)
        for found, expected in zip(first_order, sparse_sums(X, y, weight, offset, intercept, coef), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)
        _, total, gradient = first_order
        assert total == pytest.approx(float(r.sum()), rel=1e-12, abs=1e-13)
        np.testing.assert_allclose(gradient, (r @ D).astype(float), rtol=1e-12, atol=1e-13)


def test_curvature_at_extreme_scores():
    X = sp.csr_array(np.ones((1, 1)))
    for z in (0.0, 30.0, -700.0, 800.0, -1e308, np.inf):
        with mpmath.workdps(50):
            t = mpmath.exp(-abs(mpmath.mpf(z)))
            truth = float(t / (1 + t) ** 2)
        *_, total, first, second = sparse_curvature(X, np.ones(1, np.uint8), None, np.array([z]), 0.0, np.zeros(1))
        assert total == first[0] == second[0] == pytest.approx(truth, rel=1e-14, abs=1e-320)
    assert np.isnan(sparse_curvature(X, np.ones(1, np.uint8), None, np.array([np.nan]), 0.0, np.zeros(1))[3])


def test_entries_in_any_order_given_twice_or_zero_add_up():
    rng = np.random.default_rng(6)
    D = np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0], [0.0, -3.0, 0.5]])
    data = np.array([2.0, 0.4, 0.6, 0.0, 0.5, -3.0])
    X = sp.csr_array((data, np.array([2, 0, 0, 1, 2, 1], np.int32), np.array([0, 4, 4, 6], np.int32)), shape=(3, 3))
    y, coef = np.array([1, 0, 1], np.uint8), rng.normal(size=3)
    found = sparse_sums(X, y, None, None, 0.1, coef)
    truth = dense_sums(D, y, None, None, 0.1, coef, np.zeros(3))
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
    total, first, second = moment_sums(X, weight, center, unit)
    w, d = np.ones(501) if weight is None else weight, (X - center) / unit
    assert total == pytest.approx(w.sum(), rel=1e-13)
    np.testing.assert_allclose(first, w @ d, rtol=1e-12)
    np.testing.assert_allclose(second, w @ d**2, rtol=1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_units_are_the_mean_and_the_deviation(seed):
    rng = np.random.default_rng(seed)
    m, p = int(rng.integers(2, 300)), int(rng.integers(1, 12))
    dtype, order = (np.float32, np.float64)[seed % 2], "CF"[seed // 2 % 2]
    X = np.asarray(rng.normal(size=(m, p)) * 10 ** rng.uniform(-3, 3, p) + 100 * rng.normal(size=p), dtype, order)
    weight = rng.uniform(0.1, 3, m) if seed % 3 else None
    mean, deviation, usual = units(X, weight, True)
    w = None if weight is None else weight / weight.sum()
    truth = np.average(X.astype(float), axis=0, weights=w)
    spread = np.sqrt(np.average((X - truth) ** 2, axis=0, weights=w))
    np.testing.assert_allclose(mean, truth, rtol=1e-12, atol=1e-12 * np.abs(X).max())
    np.testing.assert_allclose(deviation, spread, rtol=1e-10)
    assert usual
    around, size, _ = units(X, weight, False)
    assert not around.any()
    np.testing.assert_allclose(size, np.sqrt(np.average(X.astype(float) ** 2, axis=0, weights=w)), rtol=1e-12)


@pytest.mark.parametrize("odd", [[7.0, 7.0, 7.0], [0.0, 1e300, -1e300], [0.0, 1e-300, 0.0], [0.0, np.nan, 1.0]])
def test_units_say_where_squares_tell_nothing(odd):
    assert not units(np.column_stack([odd, [0.0, 1.0, 2.0]]), None, True)[2]


def test_no_rows_have_no_units():
    with pytest.raises(ValueError, match="no rows"):
        units(np.empty((0, 3)), None, True)
    with pytest.raises(ValueError, match="no rows"):
        centres(np.empty((0, 3)), np.zeros(3))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("m", [1, 2, 14, 15, 29, 30, 44, 45, 1000])
def test_a_centre_is_the_mean_where_that_is_amid_the_rows(order, m):
    rng = np.random.default_rng(m)
    X = np.asarray(rng.normal(size=(m, 5)), order=order)
    some = np.sort(X[:: max(1, m // 15)], axis=0)
    quarter = len(some) // 4
    low, high = some[quarter], some[-1 - quarter]
    apart = 100 * (high - low)
    beyond = high[2] + 1.01 * apart[2] + 1e-9
    mean = np.array([low[0], high[1] + 0.99 * apart[1], beyond, low[3] - 200 * apart[3] - 1, 0])
    mean[4] = (low[4] + high[4]) / 2
    given = mean.copy()
    truth = np.where([0, 0, 1, 1, 0], some[len(some) // 2], mean)
    np.testing.assert_array_equal(centres(X, mean), truth)
    np.testing.assert_array_equal(mean, given)


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
    loss, odds, by_intercept, by_coef = softmax_sums(
        X, y, weight, offset, bool(baseline), center, coef, intercept, dtype
    )
    accuracy = 1e-13 if dtype == np.float64 else 2e-6
    assert loss == pytest.approx(expected_loss, rel=accuracy)
    p_own = softmax(Z, axis=1)[np.arange(m), y]
    assert odds == pytest.approx(s @ ((1 - p_own) / p_own), rel=20 * accuracy)
    assert_allclose(by_intercept, R[:, baseline:].sum(axis=0), rtol=0, atol=accuracy * m)
    assert_allclose(by_coef, R[:, baseline:].T @ (X - center), rtol=0, atol=10 * accuracy * m)


@pytest.mark.parametrize("seed", range(60))
def test_the_second_derivatives_of_several_classes_are_those_of_plain_numpy(seed):
    rng = np.random.default_rng(seed)
    m, p, first, baseline, free = (int(rng.integers(*ends)) for ends in ((0, 150), (0, 130), (0, 2), (0, 2), (1, 6)))
    classes, k = free + baseline, max(p + first, 1)
    first = k - p
    X = np.asarray(rng.normal(size=(m, p)), rng.choice([np.float64, np.float32]), order=rng.choice(["C", "F"]))
    y, center, inverse = rng.integers(0, classes, m), rng.normal(size=p), rng.uniform(0.5, 2, p)
    weight = rng.random(m) if rng.random() < 0.5 else None
    offset = rng.normal(size=(m, classes)) if rng.random() < 0.5 else None
    theta = rng.normal(size=(free, k)) / np.sqrt(k)
    D = np.column_stack([np.ones((m, first)), (X - center) * inverse])
    Z = np.column_stack([np.zeros((m, baseline)), D @ theta.T]) + (0.0 if offset is None else offset)
    s, P = np.ones(m) if weight is None else weight, softmax(Z, axis=1)
    loss, gradient, hessian = softmax_second_sums(X, y, weight, offset, bool(baseline), center, inverse, theta)
    assert loss == pytest.approx(s @ (logsumexp(Z, axis=1) - Z[np.arange(m), y]), rel=1e-12)
    assert_allclose(gradient, (s[:, None] * (P - np.eye(classes)[y]))[:, baseline:].T @ D, rtol=0, atol=1e-11)
    P = P[:, baseline:]
    inner = s[:, None, None] * (P[:, :, None] * np.eye(free) - P[:, :, None] * P[:, None, :])
    expected = np.einsum("mab,mi,mj->aibj", inner, D, D, optimize=True).reshape(free * k, free * k)
    assert_allclose(hessian, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("gap", [1.0, 30.0, 100.0, 340.0])
@pytest.mark.parametrize("sure", range(3))
def test_the_curvature_of_a_class_that_is_nearly_certain_keeps_its_digits(gap, sure):
    X, y, scores = np.zeros((1, 0)), np.array([0]), np.where(np.arange(3) == sure, gap, 0.0)
    rows = (X, y, None, scores[None], False, np.zeros(0), np.zeros(0), np.zeros((3, 1)))
    hessian = softmax_second_sums(*rows)[2]
    with mpmath.workdps(700):
        total = sum(mpmath.exp(mpmath.mpf(z)) for z in scores)
        p = [mpmath.exp(mpmath.mpf(z)) / total for z in scores]
        for a, b in itertools.product(range(3), repeat=2):
            expected = p[a] * (1 - p[a]) if a == b else -p[a] * p[b]
            assert abs(hessian[a, b] - expected) <= 16 * EPS * abs(expected)


def one_softmax(scores, label):
    """The loss, the odds and the residuals of one row of three classes, whose scores are offsets."""
    X, y, zero = np.zeros((1, 1)), np.array([label], np.uint8), np.zeros(3)
    offset = np.array([scores], float)
    return softmax_sums(X, y, None, offset, False, np.zeros(1), np.zeros((3, 1)), zero)[:3]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_score_that_is_not_finite_shows_in_the_softmax(bad):
    for column in range(3):
        assert not np.isfinite(one_softmax(np.where(np.arange(3) == column, bad, 0.0), 0)[0])


def test_scores_far_apart_do_not_overflow_the_softmax():
    loss, odds, residuals = one_softmax([1e6, 0.0, -1e6], 2)
    assert loss == 2e6
    assert np.isfinite(odds)
    assert_allclose(residuals, [1.0, 0.0, -1.0], rtol=0, atol=1e-300)
    for column in range(3):  # a class that is impossible: no loss if it is another's row
        loss, odds, _ = one_softmax(np.where(np.arange(3) == column, -1e300, 0.0), (column + 1) % 3)
        assert odds == 1.0
        assert loss == pytest.approx(np.log(2))


@pytest.mark.parametrize("gap", [1.0, 30.0, 100.0, 700.0])
def test_a_tiny_softmax_loss_keeps_its_digits(gap):
    loss, odds, _ = one_softmax([0.0, gap, -gap], 1)
    with mpmath.workdps(50):
        others = mpmath.exp(-mpmath.mpf(gap)) + mpmath.exp(-2 * mpmath.mpf(gap))
        assert abs(loss - mpmath.log1p(others)) <= 8 * EPS * others
        assert abs(odds - others) <= 8 * EPS * others


# The elastic net


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n", [1, 5, 8, 67])
def test_products_with_columns_are_those_of_numpy(n, order, dtype):
    rng = np.random.default_rng(n)
    X, R = np.asarray(rng.normal(size=(n, 11)).astype(dtype), order=order), rng.normal(size=(3, n))
    assert_allclose(descent.all_products(X, R), R @ X, rtol=1e-12, atol=1e-13)
    some = np.array([7, 0, 7, 10])
    assert_allclose(descent.some_products(X, some, R[0]), R[0] @ X[:, some], rtol=1e-12, atol=1e-13)
    with pytest.raises(ValueError, match="of 11"):
        descent.some_products(X, np.array([11]), R[0])


@pytest.mark.parametrize("points", [1, 3, 8, 13])
@pytest.mark.parametrize("given", [False, True])
def test_rows_at_many_points_are_rows_at_each(points, given):
    rng = np.random.default_rng(points)
    m = 37
    Z, y = 10 * rng.normal(size=(m, points)), rng.integers(0, 2, m).astype(np.uint8)
    weight, offset = (rng.uniform(0.1, 2, m), rng.normal(size=m)) if given else (None, None)
    s, shift = (np.ones(m), np.zeros(m)) if weight is None else (weight, offset)
    sign = np.where(y, 1.0, -1.0)
    V = sign[:, None] * (Z + shift[:, None])
    losses, odds, found = np.zeros(points), np.zeros(points), Z.copy()
    descent.many_rows(found, y, weight, offset, losses, odds)
    assert_allclose(losses, s @ np.logaddexp(0, -V), rtol=1e-13)
    assert_allclose(odds, s @ np.exp(-V), rtol=1e-13)
    assert_allclose(found, -(s * sign)[:, None] / (1 + np.exp(V)), rtol=1e-13)
    loss, against, r, h = descent.row_sums(Z[:, 0] + shift, sign, s)
    assert_allclose([loss, against], [losses[0], odds[0]], rtol=1e-13)
    assert_allclose(r, found[:, 0], rtol=1e-13)
    assert_allclose(h, s / (2 + np.exp(V[:, 0]) + np.exp(-V[:, 0])), rtol=1e-13)


def test_columns_beyond_their_bounds():
    rng = np.random.default_rng(0)
    a, products, lengths = rng.normal(size=3), rng.normal(size=(3, 1100)), rng.random(1100)
    limit, skip = np.full(1100, 1.5), rng.random(1100) < 0.2
    truth = np.flatnonzero((np.abs(a @ products) + 0.3 * lengths > limit) & ~skip)
    np.testing.assert_array_equal(descent.beyond_bounds(a, products, 0.3, lengths, limit, skip), truth)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_coordinate_descent_comes_to_the_least_of_its_quadratic(dtype):
    rng = np.random.default_rng(1)
    k = 9
    B = rng.normal(size=(30, k))
    H = np.zeros((12, 12), dtype)
    H[:k, :k] = B.T @ B
    c = 20 * rng.normal(size=k)
    bounds = (rng.uniform(0, 10, k), rng.uniform(0, 1, k), np.full(k, -0.5), np.full(k, 1.0))
    x, q = np.zeros(k), c.copy()
    assert descent.descend(H, q, bounds, x, 1e-30, 500)
    slope = H[:k, :k].astype(float) @ x + c
    assert_allclose(q, slope, atol=1e-10)
    slope += bounds[1] * x
    inside = (x > -0.5) & (x < 1.0)
    assert (np.abs(slope[inside & (x == 0)]) <= bounds[0][inside & (x == 0)] + 1e-9).all()
    moving = inside & (x != 0)
    assert_allclose(slope[moving], -bounds[0][moving] * np.sign(x[moving]), atol=1e-6)


def alike(seed):
    """A quadratic of columns that are alike, on which descent alone is slow, a penalty and bounds."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 60))
    B = rng.normal(size=(2 * k, k)) + 10 ** rng.uniform(-0.3, 0.8) * rng.normal(size=(2 * k, 1))
    H = (B.T @ B / len(B)).astype((np.float64, np.float32)[seed % 2])
    low, high = (-0.3, 0.5) if seed % 3 == 0 else (-np.inf, np.inf)
    l1 = np.where(rng.random(k) < 0.2, 0.0, rng.uniform(0, 0.5, k))
    bounds = (l1, rng.uniform(0, 0.1, k) * (seed % 4 == 1), np.full(k, low), np.full(k, high))
    return H, rng.normal(size=k), bounds


def test_descent_goes_on_by_conjugate_gradients():
    """The conditions of the least value, by NumPy; 200 sweeps alone would be enough for 90 of the members."""
    rested = 0
    for seed in range(300):
        H, c, (l1, l2, low, high) = alike(seed)
        x, q = np.zeros(c.size), c.copy()
        rested += descent.descend(H, q, (l1, l2, low, high), x, 1e-12, 200)
        assert ((low <= x) & (x <= high)).all()
        assert_allclose(q, H.astype(float) @ x + c, atol=1e-9)
        if not descent.descend(H, q, (l1, l2, low, high), x, 1e-12, 5000):
            continue
        slope = q + l2 * x
        up, down = np.where(x >= 0, slope + l1, slope - l1), np.where(x > 0, slope + l1, slope - l1)
        assert np.maximum(-up, 0)[x < high].max(initial=0.0) < 1e-4
        assert np.maximum(down, 0)[x > low].max(initial=0.0) < 1e-4
    assert rested > 240


# The same bits


def all_sums(level, monkeypatch):
    """The bytes of all kinds of sums at a level of vector instructions, over odd shapes."""
    loops = library.load()[0]
    with monkeypatch.context() as patch:
        patch.setattr(library, "load", lambda: (loops, level))
        library.function.cache_clear()
        found = [np.asarray(x).tobytes() for shape in SHAPES for sums in some_sums(*shape) for x in sums]
    library.function.cache_clear()
    return found


SHAPES = list(itertools.product((1, 9, 300), (1, 5, 8, 21, 70)))
LONG = 512  # columns, beyond which rows are taken by four


def some_sums(m, p):
    rng = np.random.default_rng(m * p)
    X, y = rng.normal(size=(m, p)), rng.integers(0, 3, m)
    rows = (y > 1, rng.random(m), 30 * rng.normal(size=m))
    coef, center = rng.normal(size=p), rng.normal(size=p)
    classes = (coef * np.arange(1, 4)[:, None], np.arange(3.0))
    for form in [form for Y in (X, X.astype(np.float32)) for form in (Y, np.asfortranarray(Y))]:
        yield dense_sums(form, *rows, 0.3, coef, center)
        yield dense_sums(form, rows[0], None, None, 0.3, coef, center)
        yield dense_sums(form, *rows, 0.3, coef, center, near=True)
        yield dense_sums(np.tile(form, LONG // p + 1), *rows, 0.3, *np.tile([coef / LONG, center], LONG // p + 1))
        yield second_order_sums(form, *rows, np.r_[0.3, coef], center, np.arange(1.0, p + 1))
        yield moment_sums(form, rows[1], center, 1 + coef**2)
        yield (*units(form, rows[1], True), *units(form, None, False), centres(form, center))
        yield softmax_sums(form, y, rows[1], None, False, center, *classes)
        yield softmax_sums(form, y, None, None, False, center, *classes, np.float32)
        yield softmax_second_sums(form, y, rows[1], None, False, center, 1 + coef**2, classes[0])
        yield (descent.all_products(form, rows[1][None]), descent.some_products(form, np.array([p - 1]), rows[1]))
    yield sparse_curvature(sp.csr_array(X * (X > 0)), *rows, 0.3, coef)
    yield sparse_curved(sp.csr_array(X * (X > 0)), rows[1], 0.3, coef)
    yield descent.row_sums(rows[2], np.where(y > 1, 1.0, -1.0), rows[1])


def test_every_level_of_vector_instructions_gives_the_same_bits(monkeypatch):
    lowest = all_sums(2, monkeypatch)
    for level in range(3, library.load()[1] + 1):
        assert all_sums(level, monkeypatch) == lowest


def test_a_library_that_does_not_load_says_what_to_do(tmp_path):
    broken = tmp_path / library.PATH.name
    broken.write_text("not a library")
    for path in (broken, tmp_path / "none.so"):
        with pytest.raises(ImportError, match=r"cannot be loaded.*Install evenodds anew"):
            library.open_library(path)
    assert isinstance(library.open_library(library.PATH), ctypes.CDLL)


def test_a_library_of_other_c_files_is_not_called(tmp_path):
    """In a checkout only: beside the library of a wheel there are no sources."""
    library.load()[0].sources.restype = ctypes.c_char_p
    digest = library.load()[0].sources()
    compiled, changed = library.PATH.read_bytes(), bytes(reversed(digest))
    for name, stale in (
        ("other", compiled.replace(digest, changed)),
        ("old", compiled.replace(b"sources", b"no_name")),
    ):
        path = tmp_path / name / library.PATH.name
        path.parent.mkdir()
        path.write_bytes(stale)
        assert isinstance(library.open_library(path), ctypes.CDLL)
        path.with_name("sources.h").write_bytes(b'#define SOURCES "%b"\n' % digest)
        with pytest.raises(ImportError, match=r"cannot be loaded.*Install evenodds anew"):
            library.open_library(path)


def test_the_digest_is_of_the_c_files():
    folder = Path(__file__).parents[2] / "src" / "evenodds" / "kernels"
    files = sorted([*folder.glob("*.[ch]"), *folder.glob("*.inc")], key=lambda path: path.name)
    text = "".join(path.read_text("utf-8") for path in files if path.name != "sources.h")
    said = re.search('"(.*)"', (folder / "sources.h").read_text("utf-8"))[1]
    assert said == hashlib.sha256(text.encode()).hexdigest()[:16], "run 'make .venv/.test'"
