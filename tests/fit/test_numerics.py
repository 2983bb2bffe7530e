"""What must hold whatever the data look like: order of the rows, threads, types, scales, weights, extremes."""

import itertools
import warnings

import mpmath
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from evenodds import EvenOddsError, LogisticRegression, SeparationWarning, Status, infer
from evenodds.coordinates import Coordinates
from evenodds.data import as_data
from evenodds.objective import Objective
from families import Problem
from families.limits import distance
from oracle import newton, quiet

SOLVERS = ["newton", "quasi-newton"]
COMPILED = 125_000  # rows of 9 columns: a little above the size where kernels are compiled
EPS = float(np.finfo(float).eps)


def draw(n, p=9, seed=0, shift=-0.5):
    """Correlated columns and labels that they explain in part."""
    rng = np.random.default_rng(seed)
    mix = np.linalg.cholesky(0.4 ** np.abs(np.subtract.outer(np.arange(p), np.arange(p))))
    X = rng.normal(size=(n, p)) @ mix.T
    w = rng.normal(size=p) / 2
    y = (rng.random(n) < 1 / (1 + np.exp(-(X @ w + shift)))).astype(np.uint8)
    return X, y


def fit(X, y, *, weight=None, offset=None, **kwargs):
    """A fit to more digits than a default `tol` asks for."""
    return LogisticRegression(**{"tol": 1e-8, "n_jobs": 1, **kwargs}).fit(X, y, sample_weight=weight, offset=offset)


def numbers(model):
    return np.array([*model.intercept_, *model.coef_[0]])


def errors(X, y, weight=None):
    """Standard errors, intercept first, at the optimum without a penalty."""
    truth = newton(X, y, weight=weight)
    return np.array([truth.se_intercept, *truth.se])


@pytest.fixture(scope="module")
def small():
    return draw(400, 5)


@pytest.fixture(scope="module")
def big():
    X, y = draw(COMPILED)
    return X, y


@pytest.fixture(scope="module")
def big_truth(big):
    truth = newton(*big)
    return np.array([truth.intercept, *truth.coef]), np.array([truth.se_intercept, *truth.se])


# Threads, order of rows, duplicates, types

HOMES = {
    "C": np.asarray,
    "F": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "int16": lambda X: np.rint(100 * X).astype(np.int16),
    "CSR": lambda X: sp.csr_array(np.tile(np.where(X > 0, X, 0), (3, 1))),
}


@pytest.mark.parametrize("C", [np.inf, 1e-3])
@pytest.mark.parametrize("home", HOMES)
def test_threads_do_not_change_a_bit(home, C, big):
    X = HOMES[home](big[0])
    y = np.tile(big[1], X.shape[0] // len(big[1]))
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    models = [LogisticRegression(C=C, n_jobs=n).fit(X, y, sample_weight=weight) for n in (1, 2, 7)]
    assert len(as_data(X, y)._bounds) > 2, "one block cannot be shared out"
    for model in models[1:]:
        np.testing.assert_array_equal(numbers(model), numbers(models[0]))
        np.testing.assert_array_equal(model.solution_.history, models[0].solution_.history)
        assert model.solution_.gap == models[0].solution_.gap


def test_threads_do_not_change_a_bit_of_an_exact_newton_fit(big):
    X, y = big
    models = [LogisticRegression(solver="newton", n_jobs=n).fit(X, y) for n in (1, 2, 7)]
    for model in models[1:]:
        np.testing.assert_array_equal(numbers(model), numbers(models[0]))


def test_the_same_seed_gives_the_same_bits_and_another_seed_the_same_answer(big, big_truth):
    X, y = big
    first, again, other = (LogisticRegression(random_state=seed, n_jobs=1).fit(X, y) for seed in (5, 5, 6))
    np.testing.assert_array_equal(numbers(first), numbers(again))
    assert (np.abs(numbers(first) - numbers(other)) <= 2e-4 * big_truth[1]).all()  # twice tol
    assert (numbers(first) != numbers(other)).any(), "a seed that does nothing"


def orders(y):
    rng = np.random.default_rng(1)
    shuffled = rng.permutation(len(y))
    return {"shuffled": shuffled, "zeros first": np.argsort(y, kind="stable"), "ones first": np.argsort(-y.astype(int))}


@pytest.mark.parametrize("order", ["shuffled", "zeros first", "ones first"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("C", [np.inf, 1.0])
def test_the_order_of_the_rows_does_not_matter(C, solver, order, small):
    X, y = small
    k = orders(y)[order]
    np.testing.assert_allclose(
        numbers(fit(X[k], y[k], C=C, solver=solver)), numbers(fit(X, y, C=C, solver=solver)), rtol=1e-10
    )


@pytest.mark.parametrize("order", ["shuffled", "zeros first", "ones first"])
def test_the_order_of_many_rows_does_not_matter(order, big, big_truth):
    """To 1e-10 of the coefficients: tol is set for that, as other rows are sampled."""
    X, y = big
    k = orders(y)[order]
    model = fit(X[k], y[k])
    np.testing.assert_allclose(numbers(model), big_truth[0], rtol=1e-10, atol=1e-10 * big_truth[1].min())
    default = LogisticRegression(n_jobs=1).fit(X[k], y[k])
    assert (np.abs(numbers(default) - big_truth[0]) <= 1e-4 * big_truth[1]).all()
    assert default.solution_.passes <= 10


def test_rows_sorted_by_a_column_do_not_mislead_the_sample(big, big_truth):
    X, y = big
    k = np.argsort(X[:, 0])
    default = LogisticRegression(n_jobs=1).fit(X[k], y[k])
    assert (np.abs(numbers(default) - big_truth[0]) <= 1e-4 * big_truth[1]).all()
    assert default.solution_.passes <= 10


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("C", [np.inf, 1.0, 1e-3])
def test_a_row_of_weight_two_is_two_rows(C, solver, small):
    X, y = small
    twice = np.random.default_rng(2).random(len(y)) < 0.4
    doubled = fit(np.concatenate([X, X[twice]]), np.concatenate([y, y[twice]]), C=C, solver=solver)
    weighted = fit(X, y, weight=1.0 + twice, C=C, solver=solver)
    np.testing.assert_allclose(numbers(doubled), numbers(weighted), rtol=1e-10)
    assert doubled.solution_.loss == pytest.approx(weighted.solution_.loss, rel=1e-13)


def test_a_row_of_weight_two_is_two_rows_among_many(big):
    X, y = big
    twice = np.random.default_rng(2).random(len(y)) < 0.4
    doubled = fit(np.concatenate([X, X[twice]]), np.concatenate([y, y[twice]]))
    weighted = fit(X, y, weight=1.0 + twice)
    # The samples differ, so the two stop at different points, each within 1e-8 standard errors (here 1e-10).
    se = errors(X, y, 1.0 + twice)
    np.testing.assert_allclose(numbers(doubled), numbers(weighted), rtol=1e-10, atol=1e-10 * se.min())


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_all_rows_many_times_change_only_the_standard_errors(copies, small):
    X, y = small
    model = fit(np.tile(X, (copies, 1)), np.tile(y, copies))
    np.testing.assert_allclose(numbers(model), numbers(fit(X, y)), rtol=1e-10)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("size", ["small", "big"])
@pytest.mark.parametrize("C", [np.inf, 1.0])
def test_float32_agrees_with_float64(C, size, order, request):
    X, y = request.getfixturevalue(size)
    exact, rounded = fit(X, y, C=C), fit(np.asarray(X, np.float32, order=order), y, C=C)
    np.testing.assert_allclose(numbers(rounded), numbers(exact), rtol=1e-5)
    # and of the same numbers, the type does not matter at all
    same = fit(X.astype(np.float32).astype(float), y, C=C)
    np.testing.assert_allclose(numbers(rounded), numbers(same), rtol=1e-10)
    np.testing.assert_allclose(rounded.predict_proba(X.astype(np.float32)), exact.predict_proba(X), atol=1e-5)


# Scales


def unlike(X):
    """The same columns, far from zero and of very different sizes; numbers that hold their digits."""
    p = X.shape[1]
    scale = np.logspace(-8, 8, p)
    shift = np.where(np.arange(p) % 2, 1e6, -3.0)
    D = np.round(X * 2**20) / 2**20  # so that adding 1e6 to a column does not round it
    scale = 2.0 ** np.round(np.log2(scale))
    return D, (D + shift) * scale, shift, scale


@pytest.mark.parametrize(
    ("n", "order", "solver"),
    [
        *itertools.product([400], ["C", "F"], SOLVERS),
        *itertools.product([COMPILED], ["C", "F"], ["quasi-newton"]),
        (COMPILED, "C", "newton"),
    ],
)
def test_columns_far_from_zero_and_of_any_size_agree_with_standardised_twins(n, order, solver):
    X, y = draw(n)
    D, raw, shift, scale = unlike(X)
    twin = fit(D, y)
    model = fit(np.asarray(raw, order=order), y, solver=solver)
    np.testing.assert_allclose(model.coef_[0] * scale, twin.coef_[0], rtol=1e-8)
    assert model.aliased_ == ()
    # The intercept is what is left of large numbers: it holds the digits of the largest of them.
    parts = np.abs(twin.coef_[0] * shift)
    assert abs(model.intercept_[0] + twin.coef_[0] @ shift - twin.intercept_[0]) <= 1e-8 * parts.max()
    np.testing.assert_allclose(model.predict_proba(raw), twin.predict_proba(D), rtol=1e-7, atol=1e-12)
    assert model.solution_.passes <= twin.solution_.passes + 6


@pytest.mark.parametrize("n", [400, COMPILED])
@pytest.mark.parametrize("home", ["C", "F", "CSR"])
def test_a_standardised_penalty_does_not_see_scales(n, home):
    X, y = draw(n)
    D, raw, _, scale = unlike(X)
    if home == "CSR":  # not moved away from zero: that would make it dense
        D = np.where(D > 0, D, 0)
        raw = D * scale
    make = {"C": np.asarray, "F": np.asfortranarray, "CSR": sp.csr_array}[home]
    z = (D - D.mean(axis=0)) / D.std(axis=0)
    twin = fit(z, y, C=0.01)
    model = fit(make(raw), y, C=0.01, standardize=True)
    np.testing.assert_allclose(model.coef_[0] * scale * D.std(axis=0), twin.coef_[0], rtol=1e-8)


@pytest.mark.parametrize("n", [400, COMPILED])
@pytest.mark.parametrize("penalty", [{}, {"C": 0.01, "standardize": True}, {"C": 0.5, "l1_ratio": 1.0}], ids=str)
def test_sparse_columns_far_from_zero_beside_empty_ones(penalty, n):
    X, y = draw(n)
    X = np.rint(X * 1024) / 1024
    X[:, 2:] *= np.abs(X[:, 2:]) > 1.5
    move = np.array([1e7, 1e4, *np.zeros(X.shape[1] - 2)])
    twin = fit(X, y, tol=1e-5, **penalty)
    model = fit(sp.csr_array(X + move), y, tol=1e-5, **penalty)
    assert model.solution_.status is twin.solution_.status is Status.CONVERGED
    np.testing.assert_allclose(model.coef_, twin.coef_, rtol=1e-7, atol=1e-10)
    assert model.intercept_[0] + model.coef_[0] @ move == pytest.approx(twin.intercept_[0], abs=1e-7)


def test_a_sparse_table_without_zeros_is_a_dense_one():
    rng = np.random.default_rng(0)
    X = rng.poisson(100.0, (8, 3)).astype(float)
    y = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    for penalty in ({}, {"C": 1.0, "standardize": True}):
        dense, told = quiet(LogisticRegression(**penalty).fit, X, y)
        sparse, told_sparse = quiet(LogisticRegression(**penalty).fit, sp.csr_array(X), y)
        assert sparse.coef_.tobytes() == dense.coef_.tobytes()
        assert [str(w.message) for w in told_sparse] == [str(w.message) for w in told]


@pytest.mark.parametrize("n", [400, COMPILED])
def test_a_penalty_on_raw_columns_of_any_size(n):
    X, y = draw(n, 5)
    scale = 2.0 ** np.array([-13, -3, 0, 3, 13])
    raw = X * scale + np.array([0, 1e3, -5, 0, 1e6])
    truth = newton(raw, y, ridge=1.0)
    model = fit(raw, y, C=1.0)
    np.testing.assert_allclose(model.coef_[0], truth.coef, rtol=1e-8)


@pytest.mark.parametrize("C", [np.inf, 1.0])
def test_a_column_of_plus_and_minus_1e300(C):
    X, y = draw(300, 3)
    X = np.sign(X)
    model = fit(X * [1, 1e300, 1], y, C=C, standardize=True)
    twin = fit(X, y, C=C, standardize=True)
    np.testing.assert_allclose(model.coef_[0] * [1, 1e300, 1], twin.coef_[0], rtol=1e-10)
    np.testing.assert_allclose(model.predict_proba(X * [1, 1e300, 1]), twin.predict_proba(X), rtol=1e-9)


def answer_or_error(X, y, **settings):
    """A fit and no text, or None and what the error says: where one is as welcome as the other."""
    try:
        return quiet(fit, X, y, **settings)[0], ""
    except EvenOddsError as error:
        return None, str(error)


@pytest.mark.parametrize("C", [np.inf, 1.0])
@pytest.mark.parametrize("size", [8e307, 1.7e308])
def test_a_column_as_large_as_numbers_go(size, C):
    """The difference of two such numbers overflows. Right, or a clear error; never NaN."""
    X = size * np.array([[1.0], [-1.0], [0.6], [0.0], [-0.3], [1.0]])
    y = [0, 1, 1, 0, 0, 1]
    model, error = answer_or_error(X, y, C=C, standardize=True)
    if model is None:
        assert "column 0" in error
        return
    twin = fit(X / size, y, C=C, standardize=True)
    np.testing.assert_allclose(model.coef_ * size, twin.coef_, rtol=1e-8)


# Scores


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("size", [1e4, 1e6])
def test_scores_beyond_a_thousand(size, solver):
    """Some rows are far out, on the right side: they are certain, and the others decide the fit."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = (X[:, 0] + rng.normal(size=300) > 0).astype(int)
    X[:30, 0] = np.where(y[:30] == 1, size, -size)
    truth = newton(X, y)
    model = fit(X, y, solver=solver)
    assert np.abs(model.decision_function(X)).max() > 1000
    np.testing.assert_allclose(model.coef_[0], truth.coef, rtol=1e-8)
    assert model.solution_.loss == pytest.approx(truth.objective, rel=1e-12)


@pytest.mark.parametrize("C", [np.inf, 1.0])
@pytest.mark.parametrize("size", [1e8, 1e9, 1e10, 1e11, 1e12, 1e15])
def test_rows_that_are_immensely_far_out_are_certain_or_the_fit_says_that_it_did_not_get_there(size, C):
    """A centre among such rows leaves few digits of the others. What is called converged must still be within tol.

    The optimum is that of the other rows: the far ones are certain as soon as the coefficient is above 1e-6.
    """
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = (X[:, 0] + rng.normal(size=300) > 0).astype(int)
    truth = newton(X[30:], y[30:], ridge=1 / C)
    X[:30, 0] = np.where(y[:30] == 1, size, -size)
    X[:30, 1:] = 0
    model, caught = quiet(LogisticRegression(C=C).fit, X, y)
    if model.solution_.status is Status.CONVERGED:
        assert (np.abs(model.coef_[0] - truth.coef) <= 1e-4 * truth.se).all(), model.solution_
    else:
        assert len(caught) == 1


def test_a_row_that_is_far_out_on_the_wrong_side():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = (X[:, 0] + rng.normal(size=300) > 0).astype(int)
    X[0], y[0] = [1e5, 0], 0
    truth = newton(X, y)
    np.testing.assert_allclose(numbers(fit(X, y)), [truth.intercept, *truth.coef], rtol=1e-8, atol=1e-12)


# Rare classes


@pytest.mark.parametrize("where", [0, 777_777, -1])
def test_one_positive_in_a_million(where):
    """Whole numbers, so that the oracle needs each different row only once."""
    rng = np.random.default_rng(0)
    n = 1_000_000
    X = rng.integers(-5, 6, (n, 3)).astype(float)
    X[where] = [2, -1, 1]
    y = np.zeros(n, np.uint8)
    y[where] = 1
    rows, counts = np.unique(np.column_stack([X, y]), axis=0, return_counts=True)
    truth = newton(rows[:, :3], rows[:, 3], weight=counts)
    model = LogisticRegression(n_jobs=1).fit(X, y)
    assert model.solution_.status is Status.CONVERGED
    distance = np.abs(numbers(model) - [truth.intercept, *truth.coef])
    assert (distance <= 1e-4 * np.array([truth.se_intercept, *truth.se])).all()
    assert model.predict_proba(X).mean(axis=0)[1] == pytest.approx(1e-6, rel=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_positive_among_few(solver):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 2))
    X[17] = 0.3, -0.2
    y = np.arange(3000) == 17
    truth = newton(X, y)
    np.testing.assert_allclose(numbers(fit(X, y, solver=solver)), [truth.intercept, *truth.coef], rtol=1e-9)


# Wide and sparse


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
@pytest.mark.parametrize("form", ["dense", "CSR"])
@pytest.mark.parametrize(("n", "p"), [(20, 50), (30, 1200), (3, 4)])
def test_more_columns_than_rows(n, p, form, solver):
    """With a ridge the optimum lies in the span of the rows: a small problem in a basis of it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.5)
    y = np.arange(n) % 2
    basis = np.linalg.qr(X.T)[0]
    truth = newton(X @ basis, y, ridge=1.0)
    model = fit(sp.csr_array(X) if form == "CSR" else X, y, C=1.0, solver=solver)
    np.testing.assert_allclose(model.coef_[0], basis @ truth.coef, rtol=1e-7, atol=1e-9)
    assert model.intercept_[0] == pytest.approx(truth.intercept, rel=1e-7)
    assert model.solution_.status is Status.CONVERGED


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
def test_empty_rows_and_columns_of_a_sparse_table(solver, index):
    rng = np.random.default_rng(0)
    D = rng.normal(size=(200, 8)) * (rng.random((200, 8)) < 0.3)
    D[[0, 1, 50, 198, 199]] = 0
    D[:, [0, 4, 7]] = 0
    y = (rng.random(200) < 0.5).astype(int)
    X = sp.csr_array(D)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    before = X.copy()
    truth = newton(D[:, [1, 2, 3, 5, 6]], y, ridge=1.0)
    model = fit(X, y, C=1.0, solver=solver)
    assert (model.coef_[0, [0, 4, 7]] == 0).all()
    np.testing.assert_allclose(model.coef_[0, [1, 2, 3, 5, 6]], truth.coef, rtol=1e-8)
    # Without a penalty the empty columns are constant, and said to be left out.
    model, caught = quiet(fit, X, y, solver=solver)
    assert model.aliased_ == (0, 4, 7)
    assert len(caught) == 1
    np.testing.assert_allclose(model.coef_[0, [1, 2, 3, 5, 6]], newton(D[:, [1, 2, 3, 5, 6]], y).coef, rtol=1e-8)
    assert X.indices.dtype == index
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(X, part), getattr(before, part))


def test_a_sparse_table_without_any_entry():
    y = [0, 1, 1, 1]
    model = fit(sp.csr_array((4, 3)), y, C=1.0)
    assert (model.coef_ == 0).all()
    assert model.intercept_[0] == pytest.approx(np.log(3), rel=1e-12)


@pytest.mark.parametrize("C", [np.inf, 1.0])
@pytest.mark.parametrize("standardize", [False, True])
def test_entries_given_twice_out_of_order_or_as_zero_are_what_they_add_up_to(standardize, C):
    rng = np.random.default_rng(0)
    some = rng.random((150, 4)) < 0.3
    D = rng.normal(size=(150, 4)) * (some & (rng.random((150, 4)) < 0.8))
    y = (D[:, 0] + rng.normal(size=150) > 0).astype(int)
    rows, columns = np.nonzero(some)
    part = rng.normal(size=rows.size)
    k = rng.permutation(2 * rows.size)
    where = np.tile(rows, 2)[k], np.tile(columns, 2)[k]
    order = np.argsort(where[0], kind="stable")
    data = np.concatenate([part, D[some] - part])[k][order]
    indptr = np.searchsorted(where[0][order], np.arange(151)).astype(np.int32)
    X = sp.csr_array((data, where[1][order].astype(np.int32), indptr), shape=D.shape)
    assert not X.has_canonical_format
    model = fit(X, y, C=C, standardize=standardize)
    twin = fit(D, y, C=C, standardize=standardize)
    np.testing.assert_allclose(numbers(model), numbers(twin), rtol=1e-8)
    assert X.nnz == 2 * rows.size, "what is given must not be changed"


@pytest.mark.parametrize("form", ["C", "F", "CSR"])
def test_read_only_arrays(form, small):
    X, y = small
    make = {"C": np.array, "F": np.asfortranarray, "CSR": sp.csr_array}[form]
    locked, weight, offset = make(X), np.full(len(y), 2.0), np.full(len(y), 0.1)
    labels = y.copy()
    arrays = [locked.data, locked.indices, locked.indptr] if form == "CSR" else [locked]
    for array in (*arrays, weight, offset, labels):
        array.flags.writeable = False
    model = fit(locked, labels, weight=weight, offset=offset)
    np.testing.assert_allclose(model.coef_, fit(X, y).coef_, rtol=1e-10)


# Weights


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e308])
@pytest.mark.parametrize("form", ["C", "F", "float32", "CSR"])
@pytest.mark.parametrize("C", [np.inf, 1.0])
def test_rows_of_weight_zero_are_not_read(C, form, bad, small):
    X, y = small
    rng = np.random.default_rng(0)
    weight = np.where(rng.random(len(y)) < 0.3, 0.0, rng.uniform(0.5, 2, len(y)))
    spoilt = X.copy()
    spoilt[weight == 0] = bad
    offset = rng.normal(size=len(y))
    with np.errstate(over="ignore"):
        make = {"C": np.array, "F": np.asfortranarray, "float32": lambda X: X.astype(np.float32), "CSR": sp.csr_array}
        given = make[form](spoilt)
    model = fit(given, y, weight=weight, offset=offset, C=C)
    kept = weight > 0
    twin = fit(make[form](X[kept]), y[kept], weight=weight[kept], offset=offset[kept], C=C)
    np.testing.assert_allclose(numbers(model), numbers(twin), rtol=1e-12)


def test_rows_of_weight_zero_are_not_read_among_many(big):
    X, y = big
    weight = (np.arange(len(y)) % 7 > 0).astype(float)
    spoilt = X.copy()
    spoilt[weight == 0] = np.nan
    kept = weight > 0
    np.testing.assert_allclose(numbers(fit(spoilt, y, weight=weight)), numbers(fit(X[kept], y[kept])), rtol=1e-10)


@pytest.mark.parametrize(
    ("size", "factor", "solver"),
    [
        *itertools.product(["small"], [1e-12, 1e-3, 1e5, 1e12], SOLVERS),
        *itertools.product(["big"], [1e-12, 1e-3, 1e5, 1e12], ["quasi-newton"]),
        *itertools.product(["big"], [1e-12, 1e12], ["newton"]),
    ],
)
def test_without_a_penalty_only_the_ratios_of_weights_count(size, factor, solver, request):
    X, y = request.getfixturevalue(size)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    tol = 1e-8 * np.sqrt(max(factor, 1.0))  # standard errors shrink with heavy weights: this asks for the same digits
    model = fit(X, y, weight=factor * weight, solver=solver, tol=tol)
    np.testing.assert_allclose(numbers(model), numbers(fit(X, y, weight=weight)), rtol=1e-9, atol=1e-12)


def test_weights_so_light_that_their_squares_vanish(small):
    X, y = small
    model = fit(X, y, weight=np.full(len(y), 1e-300), solver="newton")
    np.testing.assert_allclose(numbers(model), numbers(fit(X, y)), rtol=1e-9)


@pytest.mark.parametrize("factor", [1e150, 1e300, 1e306, 1e308])
def test_weights_whose_sum_is_too_large_are_right_or_an_error(factor, small):
    X, y = small
    model, error = answer_or_error(X, y, weight=np.full(len(y), factor))
    if model is None:
        assert "sample_weight" in error
        return
    np.testing.assert_allclose(numbers(model), numbers(fit(X, y)), rtol=1e-8)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("C", [np.inf, 1.0])
def test_weights_from_1e_12_to_1e12(C, solver):
    """Many rows of each size: the light ones must not disturb, the heavy ones are the data."""
    X, y = draw(2000, 3)
    weight = 10.0 ** np.random.default_rng(0).uniform(-12, 12, len(y))
    truth = newton(X, y, weight=weight, ridge=1 / C)
    model = fit(X, y, weight=weight, C=C, solver=solver, tol=1e-4)
    np.testing.assert_allclose(numbers(model), [truth.intercept, *truth.coef], rtol=1e-8)


@pytest.mark.parametrize(
    ("size", "exponent", "solver"),
    [
        *itertools.product(["small"], range(-12, 13, 3), ["auto", *SOLVERS]),
        *itertools.product(["big"], range(-12, 13, 6), ["auto"]),
    ],
)
def test_penalties_from_1e_12_to_1e12(size, exponent, solver, request):
    X, y = request.getfixturevalue(size)
    C = 10.0**exponent
    truth = newton(X, y, ridge=1 / C)
    model = fit(X, y, C=C, solver=solver)
    np.testing.assert_allclose(numbers(model), [truth.intercept, *truth.coef], rtol=1e-8)
    assert model.solution_.status is Status.CONVERGED
    assert model.solution_.loss == pytest.approx(truth.objective, rel=1e-12)


def test_a_penalty_beyond_the_numbers_is_refused(small):
    with pytest.raises(EvenOddsError, match="C is a positive number"):
        fit(*small, C=1e-320)


@pytest.mark.parametrize("C", [1e-300, 1e300, 1e308])
def test_penalties_at_the_end_of_the_numbers(C, small):
    X, y = small
    model = fit(X, y, C=C)
    limit = numbers(fit(X, y)) if C > 1 else [np.log(y.mean() / (1 - y.mean())), *np.zeros(X.shape[1])]
    np.testing.assert_allclose(numbers(model), limit, rtol=1e-10, atol=1e-250)
    assert model.solution_.status is Status.CONVERGED


@pytest.mark.parametrize("size", [800.0, 1e5, 1e150])
@pytest.mark.parametrize("penalty", [{"C": 1.0, "l1_ratio": 1.0}, {"C": 1.0, "lower": 0.0}, {"C": 1.0}], ids=str)
def test_large_offsets_raise_no_warning_of_numpy(penalty, size):
    rng = np.random.default_rng(0)
    X, offset = rng.normal(size=(60, 3)), size * rng.normal(size=60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("error", RuntimeWarning)
        model = LogisticRegression(**penalty).fit(X, np.arange(60) % 2, offset=offset)
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("size", [1e-300, 1e-310, 1e300])
def test_inference_with_weights_at_the_end_of_the_numbers_is_right_or_an_error(size, small):
    X, y = small[:2]
    weight = np.full(len(y), size)
    try:
        model, _ = quiet(LogisticRegression().fit, X, y, weight)
        result, _ = quiet(infer, model, X, y, weight, weights="precision")
    except EvenOddsError:
        return
    truth = infer(LogisticRegression().fit(X, y), X, y)
    np.testing.assert_allclose(result.se, truth.se, rtol=1e-6)


def test_weights_and_class_weights_multiply(small):
    X, y = small
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    factors = {0: 0.25, 1: 3.0}
    a = fit(X, y, weight=weight, class_weight=factors, C=1.0)
    b = fit(X, y, weight=weight * np.where(y == 1, 3.0, 0.25), C=1.0)
    np.testing.assert_array_equal(numbers(a), numbers(b))


def test_balanced_classes_have_the_same_total_weight():
    X, y = draw(500, 3, shift=-3)
    model = fit(X, y, class_weight="balanced", C=1.0)
    totals = np.bincount(y)
    weight = (len(y) / (2 * totals))[y]
    np.testing.assert_allclose(numbers(model), numbers(fit(X, y, weight=weight, C=1.0)), rtol=1e-12)
    mean = np.array([model.predict_proba(X)[y == k, 1].sum() / totals[k] for k in (0, 1)])
    assert mean.sum() == pytest.approx(1, rel=1e-9)  # the intercept's equation, with balanced weights


# The objective's derivatives


def table(seed, m, p, given, sparse=False):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(m, p)) * 10.0 ** rng.uniform(-2, 2, p)
    if sparse:
        X *= rng.random((m, p)) < 0.5
    y = rng.integers(0, 2, m).astype(np.uint8)
    weight, offset = (rng.uniform(0.1, 3, m), rng.normal(size=m)) if given else (None, None)
    return rng, X, y, weight, offset


def cost(theta, X, y, weight, offset, coordinates, ridge):
    """J as the module states it, for complex theta as well: a tiny imaginary step gives derivatives without error."""
    first = int(coordinates.intercept)
    D = ((X - coordinates.center) / coordinates.scale)[:, coordinates.columns]
    z = D @ theta[first:] + (theta[0] if first else 0) + (0 if offset is None else offset)
    v = np.where(y == 1, z, -z)
    t = np.exp(-np.where(v.real >= 0, v, -v))
    loss = np.log(1 + t) + np.where(v.real >= 0, 0, -v)  # log1p of a complex number is not good enough
    s = np.ones(len(y)) if weight is None else weight
    return (s @ loss) / s.sum() + 0.5 * (ridge * theta[first:]) @ theta[first:]


def slope(theta, *args):
    """The gradient of `cost`, for complex theta: derived by hand, and checked by complex steps of `cost`."""
    X, y, weight, offset, coordinates, ridge = args
    first = int(coordinates.intercept)
    D = ((X - coordinates.center) / coordinates.scale)[:, coordinates.columns]
    D = np.column_stack([np.ones(len(y)), D]) if first else D
    z = D @ theta + (0 if offset is None else offset)
    t = np.exp(-np.where(z.real >= 0, z, -z))
    s = np.ones(len(y)) if weight is None else weight
    r = s * (np.where(z.real >= 0, 1, t) / (1 + t) - y) / s.sum()
    g = r @ D
    g[first:] = g[first:] + ridge * theta[first:]
    return g


@pytest.mark.parametrize("form", ["dense", "float32 F", "CSR"])
@given(
    seed=st.integers(0, 10_000),
    m=st.integers(1, 90),
    p=st.integers(1, 7),
    intercept=st.booleans(),
    extras=st.booleans(),
    log_size=st.floats(-3, 2),
)
def test_gradient_and_hessian_are_the_derivatives_of_the_loss(form, seed, m, p, intercept, extras, log_size):
    rng, X, y, weight, offset = table(seed, m, p, extras, sparse=form == "CSR")
    X = X.astype(np.float32).astype(float) if form == "float32 F" else X
    columns = np.flatnonzero(rng.random(p) < 0.8) if p > 1 else np.arange(p)
    assume(columns.size)
    center = np.zeros(p) if form == "CSR" or not intercept else rng.normal(size=p)
    coordinates = Coordinates(center, 10.0 ** rng.uniform(-2, 2, p), columns, intercept)
    ridge = rng.uniform(0, 1, columns.size)
    home = {"dense": np.array, "float32 F": lambda X: np.asfortranarray(X, dtype=np.float32), "CSR": sp.csr_array}
    objective = Objective(as_data(home[form](X), y, weight, offset, n_jobs=1), coordinates, ridge)
    unit = np.abs((X - center) / coordinates.scale).max() + 1
    theta = rng.normal(size=objective.n_coef) * 10**log_size / unit
    args = (X, y, weight, offset, coordinates, ridge)
    value, gradient, _ = objective.value_grad(theta)
    again, gradient2, hessian = objective.value_grad_hess(theta)
    assert value == pytest.approx(cost(theta, *args).real, rel=1e-13)
    assert again == pytest.approx(value, rel=1e-13)
    h = 1e-100
    steps = 1j * h * np.eye(theta.size)
    # Relative to the sizes of the terms that are added up, which may cancel.
    size = 1e-13 * unit * (1 + np.abs(theta).max())
    by_cost = np.array([cost(theta + step, *args).imag / h for step in steps])
    np.testing.assert_allclose(gradient, by_cost, rtol=1e-12, atol=size)
    np.testing.assert_allclose(gradient2, by_cost, rtol=1e-12, atol=size)
    by_slope = np.array([slope(theta + step, *args).imag / h for step in steps])
    np.testing.assert_allclose(hessian, by_slope, rtol=1e-11, atol=size * unit)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-14, atol=1e-15 * np.abs(hessian).max())
    np.testing.assert_allclose(objective.hessian(theta), hessian, rtol=1e-13, atol=1e-14 * np.abs(hessian).max())


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), log_size=st.floats(0, 300))
def test_the_loss_is_right_where_scores_are_huge(seed, log_size):
    """Against sums of 400 digits: at such scores a row counts all or nothing."""
    rng, X, y, weight, _ = table(seed, 20, 3, True)
    coordinates = Coordinates(np.zeros(3), np.ones(3), np.arange(3), True)
    theta = rng.normal(size=4) * 10**log_size
    objective = Objective(as_data(X, y, weight, n_jobs=1), coordinates, np.zeros(3))
    value, gradient, _ = objective.value_grad(theta)
    with mpmath.workdps(400):
        loss = mpmath.mpf(0)
        slope = [mpmath.mpf(0)] * 4
        for i in range(20):
            row = [mpmath.mpf(1), *map(mpmath.mpf, X[i])]
            z = sum(a * mpmath.mpf(b) for a, b in zip(row, theta, strict=True))
            s = mpmath.mpf(weight[i])
            t = mpmath.exp(-abs(z))
            loss += s * (mpmath.log1p(t) + max(-z if y[i] else z, 0))
            r = s * ((1 if z >= 0 else t) / (1 + t) - int(y[i]))
            slope = [a + r * x for a, x in zip(slope, row, strict=True)]
        total = mpmath.fsum(map(mpmath.mpf, weight))
        assert abs(value - loss / total) <= 1e-12 * abs(loss / total)
        far = max(abs(a / total - b) for a, b in zip(slope, gradient, strict=True))
    # A score near 0 that is left over from huge ones has no digits: then its row may count as either.
    scores = np.abs(X @ theta[1:] + theta[0])
    if scores.min() > 1e-3 * scores.max():
        assert far <= 1e-11 * np.abs(X).max() * max(1.0, min(scores.max(), 1e3))


# What a change of the data does to the answer


def spread(seed, n=120, p=4):
    X, y = draw(n, p, seed)
    assume(10 < y.sum() < n - 10)
    model, caught = quiet(fit, X, y)
    assume(not caught)
    return np.random.default_rng(seed), X, y, model


@pytest.mark.parametrize("solver", SOLVERS)
@given(seed=st.integers(0, 1000), spread_of=st.floats(0, 3))
def test_an_affine_change_of_the_columns_changes_the_coefficients_alone(solver, seed, spread_of):
    rng, X, y, model = spread(seed)
    A = np.linalg.qr(rng.normal(size=(4, 4)))[0] * 10.0 ** rng.uniform(-spread_of, spread_of, 4)
    c = rng.normal(size=4) * 10
    changed = fit(X @ A + c, y, solver=solver)
    # Rounding of X @ A is enlarged by the condition of A, at most 1e6.
    np.testing.assert_allclose(A @ changed.coef_[0], model.coef_[0], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(changed.decision_function(X @ A + c), model.decision_function(X), rtol=1e-8, atol=1e-8)
    assert changed.solution_.loss == pytest.approx(model.solution_.loss, rel=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("C", [np.inf, 1.0])
@given(seed=st.integers(0, 1000))
def test_swapping_the_labels_turns_the_coefficients_round(solver, C, seed):
    _, X, y, _ = spread(seed)
    offset = np.random.default_rng(seed).normal(size=len(y))
    a = fit(X, y, offset=offset, C=C, solver=solver)
    b = fit(X, 1 - y, offset=-offset, C=C, solver=solver)
    np.testing.assert_allclose(numbers(a), -numbers(b), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("C", [np.inf, 1.0])
@given(seed=st.integers(0, 1000))
def test_the_order_of_the_columns_is_the_order_of_the_coefficients(solver, C, seed):
    rng, X, y, _ = spread(seed)
    k = rng.permutation(4)
    a, b = fit(X, y, C=C, solver=solver), fit(X[:, k], y, C=C, solver=solver)
    np.testing.assert_allclose(a.coef_[0, k], b.coef_[0], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(a.intercept_, b.intercept_, rtol=1e-10, atol=1e-13)


@given(seed=st.integers(0, 1000), factor=st.floats(-3, 3))
def test_an_offset_along_a_column_is_taken_off_its_coefficient(seed, factor):
    _, X, y, model = spread(seed)
    moved = fit(X, y, offset=factor * X[:, 1])
    np.testing.assert_allclose(moved.coef_[0], model.coef_[0] - [0, factor, 0, 0], rtol=1e-9, atol=1e-10)
    assert moved.solution_.loss == pytest.approx(model.solution_.loss, rel=1e-12)


def test_an_offset_that_is_the_answer_leaves_nothing(big):
    X, y = big
    model = fit(X, y)
    rest = fit(X, y, offset=model.decision_function(X))
    assert np.abs(numbers(rest)).max() <= 1e-10
    assert rest.solution_.loss == pytest.approx(model.solution_.loss, rel=1e-12)


@given(seed=st.integers(0, 1000), log_factor=st.floats(-6, 6))
def test_scaling_weights_and_penalty_together_changes_nothing(seed, log_factor):
    rng, X, y, _ = spread(seed)
    weight, factor = rng.uniform(0.2, 2, len(y)), 10.0**log_factor
    a, b = fit(X, y, weight=weight, C=1.0), fit(X, y, weight=factor * weight, C=1.0 / factor)
    np.testing.assert_allclose(numbers(a), numbers(b), rtol=1e-10, atol=1e-13)


def test_a_column_given_twice_shares_its_penalised_coefficient(small):
    X, y = small
    model = fit(np.column_stack([X, X[:, 0]]), y, C=1.0)
    assert model.coef_[0, 0] == pytest.approx(model.coef_[0, -1], rel=1e-10)
    single = newton(X, y, ridge=np.array([0.5, 1, 1, 1, 1]))
    assert 2 * model.coef_[0, 0] == pytest.approx(single.coef[0], rel=1e-9)


def test_separation_is_seen_whatever_the_order_scale_and_size():
    rng = np.random.default_rng(0)
    for n in (40, 150_000):
        X = rng.normal(size=(n, 8))
        y = (X[:, 2] > 0.1).astype(int)
        for change in (1.0, 1e8, 1e-8):
            with pytest.warns(SeparationWarning, match="column 2"):
                model = LogisticRegression(n_jobs=1).fit(X * change, y)
            assert np.isfinite(numbers(model)).all()
            # The fit stops where separation is proved, which may be before the last row is on its side.
            assert model.score(X * change, y) > 0.999


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("C", [1e2, 1e5, 1e8])
def test_converged_is_within_tol_near_separation(solver, C):
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = (rng.random((15, 3)) < 0.5).astype(float)
        y = (X[:, 0] + (rng.random(15) < 0.3) > 0.5).astype(int)
        model = fit(X, y, C=C, solver=solver, tol=1e-4)
        assert model.solution_.status is Status.CONVERGED
        best = newton(X, y, ridge=1 / C)
        w, b = model.coef_[0], model.intercept_[0]
        J = np.logaddexp(0, -np.where(y > 0, 1, -1) * (X @ w + b)).mean() + w @ w / (2 * C * 15)
        assert np.sqrt(30 * max(J - best.objective, 0)) <= 1e-4, (seed, model.solution_)


@pytest.mark.parametrize("total", [1e-3, 1e-9, 1e-30])
@pytest.mark.parametrize("settings", [{}, {"solver": "quasi-newton"}, {"l1_ratio": 1.0}, {"l1_ratio": 0.5, "lower": 0}])
def test_a_small_total_weight_is_no_laxer(total, settings):
    X, y = draw(60_000, p=4)
    usual = fit(X, y, C=1.0, tol=1e-4, **settings)
    weight = np.full(len(y), total / len(y))
    small = fit(X, y, C=len(y) / total, weight=weight, tol=1e-4, **settings)
    assert small.solution_.status is usual.solution_.status is Status.CONVERGED
    assert small.solution_.error <= 1e-4
    np.testing.assert_allclose(numbers(small), numbers(usual), rtol=0, atol=1e-6 * np.abs(numbers(usual)).max())


@pytest.mark.parametrize(("K", "n", "p"), [(2, 4000, 300), (3, 3000, 40), (10, 4000, 40)])
def test_a_tolerance_below_rounding_ends_where_rounding_is_reached(K, n, p):
    rng = np.random.default_rng(K)
    X = rng.normal(size=(n, p))
    y = (X @ rng.normal(size=(p, K)) / np.sqrt(p) + rng.gumbel(size=(n, K))).argmax(axis=1)
    usual = fit(X, y, C=1.0, tol=1e-8)
    model, caught = quiet(fit, X, y, C=1.0, tol=1e-13)
    assert model.solution_.passes <= 2 * usual.solution_.passes
    assert model.solution_.status in (Status.CONVERGED, Status.STALLED)
    assert model.solution_.error <= 1e-8
    assert len(caught) == (model.solution_.status is Status.STALLED)
    assert all("rounding errors" in str(one.message).lower() for one in caught)


@pytest.mark.parametrize(("n", "p", "C"), [(1000, 800, 1e2), (600, 500, 1e4), (300, 900, 1e6), (700, 3300, 1e2)])
def test_default_fits_of_wide_tables_converge(n, p, C):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, p))
    y = (rng.random(n) < 1 / (1 + np.exp(-X @ rng.normal(size=p) / np.sqrt(p)))).astype(int)
    model = LogisticRegression(C=C).fit(X, y)
    assert model.solution_.status is Status.CONVERGED
    assert distance(Problem(X, y), model) <= 1.05e-4


def test_probabilities_of_two_classes_have_all_their_digits():
    """Each beside long double, of any number of rows: those near 0 as well, which 1 less the other has not."""
    model = LogisticRegression(C=1).fit([[0.0], [1.0]], [0, 1])
    model.coef_, model.intercept_ = np.ones((1, 1)), np.zeros(1)
    rng = np.random.default_rng(3)
    for draw in range(300):
        z = rng.normal(size=1 + draw % 41) * 10 ** rng.uniform(-5, 3)
        z[: draw % 3] = rng.choice([0.0, -0.0, 700.0, -700.0, 1e308, -1e308], draw % 3)[: z.size]
        P = model.predict_proba(z[:, None])
        with np.errstate(over="ignore"):
            exact = 1 / (1 + np.exp(np.stack([z, -z], axis=1).astype(np.longdouble)))
        usual = exact > 1e-307
        assert (np.abs(P / np.where(usual, exact, 1) - 1)[usual] < 4 * EPS).all()
        assert (P[~usual] < 1e-306).all()
        assert (np.abs(P.sum(axis=1) - 1) <= EPS).all()
