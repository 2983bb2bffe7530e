"""Paths of lasso and elastic net: the grid, conditions of optimality in both regimes, what is given."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold
from test_penalty import plain, problem, violation

from evenodds import LogisticRegression, LogisticRegressionCV
from evenodds.exceptions import EvenOddsError
from evenodds.paths import path
from evenodds.solvers import wide


def conditions(p, X, y, **kwargs):
    """The largest violation over the path, beside the strength of the penalty."""
    S = kwargs.get("weight", np.ones(len(y))).sum()
    return max(
        violation(X, y, b, w, 1 / (C * S), p.l1_ratio, **kwargs) * C * S
        for C, w, b in zip(p.Cs, p.coefs, p.intercepts, strict=True)
    )


def rows_of(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    X[:, 1:] += 0.5 * X[:, :-1]
    z = X[:, : min(p, 8)] @ rng.standard_normal(min(p, 8)) * 0.5 - 0.4
    return X, (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int)


def test_the_grid():
    X, y = problem(100, 6)
    p = path(X, y, n_C=20, min_ratio=0.01, tol=1e-9)
    m = len(p.Cs)
    assert p.coefs.shape == (m, 6)
    assert p.intercepts.shape == p.deviance_ratio.shape == p.gaps.shape == (m,)
    largest = np.abs(X.T @ (y.mean() - y)).max()
    assert p.Cs[0] == pytest.approx(1 / largest, rel=1e-9)
    np.testing.assert_allclose(np.diff(np.log(p.Cs)), np.log(100) / 19)
    assert not p.coefs[0].any()
    assert p.coefs[1].any()
    assert p.deviance_ratio[0] == pytest.approx(0, abs=1e-12)
    assert (np.diff(p.deviance_ratio) > 0).all()
    null = -(y.mean() * np.log(y.mean()) + (1 - y.mean()) * np.log(1 - y.mean()))
    assert p.gaps.max() <= 1e-9 * null
    assert conditions(p, X, y) < 1e-5
    assert p.names == tuple(range(6))
    assert "lasso" in str(p)
    assert "6 columns" in str(p)


@pytest.mark.parametrize(
    ("n", "p", "form"),
    [
        (300, 12, "C"),
        (60, 400, "C"),
        (60, 400, "csr"),
        (60, 400, "F"),
        (30_000, 40, "C"),
        (30_000, 40, "F"),
        (30_000, 40, "float32"),
        (30_000, 40, "csr"),
        (1200, 1100, "C"),
    ],
)
@pytest.mark.parametrize("a", [1.0, 0.3])
def test_every_fit_is_optimal(n, p, form, a):
    X, y = rows_of(n, p)
    X = X.astype(np.float32).astype(float)
    if form == "csr":
        X[np.abs(X) < 0.7] = 0
    given = {"csr": sp.csr_array, "F": np.asfortranarray, "float32": np.float32}.get(form, np.asarray)(X)
    found = path(given, y, a, n_C=15, min_ratio=0.1, tol=1e-9)
    assert len(found.Cs) == 15
    assert conditions(found, X, y) < 1e-4
    assert found.gaps.max() <= 1e-9
    null = np.log(2)
    S = len(y)

    def J(k):
        z = X @ found.coefs[k] + found.intercepts[k]
        w = found.coefs[k]
        pen = (a * np.abs(w).sum() + (1 - a) / 2 * w @ w) / (found.Cs[k] * S)
        return np.mean(np.logaddexp(0, z) - y * z) + pen

    if p <= 40 and n <= 300:
        for k in (3, 14):
            _, w = plain(X, y, 1 / (found.Cs[k] * S), a)
            np.testing.assert_allclose(found.coefs[k], w, atol=1e-6)
            np.testing.assert_array_equal(found.coefs[k] == 0, w == 0)
    assert J(14) < null


@pytest.mark.parametrize("form", [np.ascontiguousarray, np.asfortranarray, np.float32])
def test_wide_data_are_read_a_few_times(form):
    X, y = rows_of(500, 2200)
    X = form(X.astype(np.float32).astype(float))
    found = path(X, y, n_C=40, min_ratio=0.1, tol=1e-8)
    assert len(found.Cs) == 40
    assert conditions(found, X.astype(float), y) < 1e-4
    assert found.gaps.max() <= 1e-8
    assert found.passes <= 10


@pytest.mark.parametrize("p", [6, 1200])
def test_twins_with_bounds_and_without_a_penalty(p):
    """At the optimum one of them may be at its bound with no slope: rounding must not count as one."""
    free = np.arange(p) < 3
    given = {"factor": np.where(free, 0.0, 1.0), "lower": np.where(free, 0.0, -np.inf)}
    for seed in range(3):
        X, y = rows_of(80, p, seed)
        X[:, 1], X[:, 2] = X[:, 0], -X[:, 0]
        for n_C in (6, 60):
            found = path(X, y, n_C=n_C, min_ratio=0.3, penalty_factor=given["factor"], lower=given["lower"])
            assert found.gaps.max() <= 1e-7
            assert conditions(found, X, y, **given) < 1e-2


@pytest.mark.parametrize("standardize", [True, False])
def test_a_column_of_wide_data_whose_squares_overflow(standardize):
    X, y = rows_of(60, 1200)
    scale = np.where(np.arange(1200) == 0, 1e200, 1.0)
    one, other = (path(f(X * scale), y, 1, 5, 0.2, standardize=standardize) for f in (np.asarray, sp.csr_array))
    np.testing.assert_allclose(one.Cs, other.Cs)
    assert other.coefs.any()
    assert len(one.Cs) == 5
    np.testing.assert_allclose(one.coefs * scale, other.coefs * scale, atol=1e-3)


@pytest.mark.parametrize("intercept", [True, False])
def test_wide_data_with_weights_offsets_factors_and_bounds(intercept):
    n, p = 500, 2200
    X, y = rows_of(n, p, 1)
    X[:, 5] += 1000 if intercept else 0
    rng = np.random.default_rng(0)
    weight, offset = rng.integers(1, 4, n) / 2, rng.standard_normal(n)
    factor = np.where(np.arange(p) == 1, 0.0, 1.0 + np.arange(p) % 2)
    lower, upper = np.full(p, -0.2), np.where(np.arange(p) % 2, np.inf, 0.1)
    given = {"weight": weight, "offset": offset, "factor": factor, "lower": lower, "upper": upper}
    for a in (1.0, 0.5):
        found = path(
            *(X, y, a),
            Cs=np.geomspace(0.01, 0.06, 8),
            fit_intercept=intercept,
            sample_weight=weight,
            offset=offset,
            penalty_factor=factor,
            lower=lower,
            upper=upper,
            tol=1e-10,
        )
        assert found.gaps.max() <= 1e-10
        assert conditions(found, X, y, intercept=intercept, **given) < 1e-4
        assert ((found.coefs >= lower) & (found.coefs <= upper)).all()
        assert 10 < np.count_nonzero(found.coefs[-1]) < 600


@pytest.mark.parametrize(("intercept", "factor"), [(True, 1.0), (False, 1.0), (True, 0.0)])
def test_sparse_columns_are_read_one_by_one(intercept, factor, monkeypatch):
    monkeypatch.setattr(wide, "_MOST_DENSE", 0)
    X, y = rows_of(150, 310)
    X[np.abs(X) < 1.5] = 0
    factors = np.where(np.arange(310) < 2, factor, 1.0)
    weight, offset = np.where(np.arange(150) % 2, 1.0, 2.0), np.linspace(-1, 1, 150)
    kwargs = {"fit_intercept": intercept, "penalty_factor": factors, "sample_weight": weight, "offset": offset}
    for a in (1.0, 0.5):
        found = path(sp.csr_array(X), y, a, 8, 0.1, tol=1e-11, **kwargs)
        assert len(found.Cs) == 8
        same = {"intercept": intercept, "factor": factors, "weight": weight, "offset": offset}
        assert conditions(found, X, y, **same) < 1e-5
        assert found.gaps.max() <= 1e-11


def test_entries_of_one_place_add_up():
    rng = np.random.default_rng(0)
    X = sp.random_array((900, 600), density=0.05, random_state=rng, format="csr")
    y = (X[:, :9].sum(axis=1) + 0.3 * rng.standard_normal(900) > 0.2).astype(int)
    twice = sp.csr_array((np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape)
    for C in (0.5, 5.0):
        one, other = (LogisticRegression(C, 1.0).fit(rows, y) for rows in (X, twice))
        np.testing.assert_allclose(other.coef_, one.coef_, atol=1e-9)
        assert one.solution_.passes < one.solution_.iterations  # steps read the columns of the set alone
    assert twice.nnz == 2 * X.nnz
    np.testing.assert_allclose(path(twice, y, n_C=5).coefs, path(X, y, n_C=5).coefs, atol=1e-9)


def test_values_of_single_precision_are_not_gone_back_to():
    rng = np.random.default_rng(2)
    n, p = 30_000, 40
    X = rng.standard_normal((n, p))
    X[:, 3] = 0
    X[rng.choice(n, 8, replace=False), 3] = 1
    y = (X[:, 0] + 6 * X[:, 3] + rng.standard_normal(n) > 0).astype(int)
    found = path(X, y, n_C=10, min_ratio=1e-5)  # it would warn that some fits did not come to their optimum
    assert found.gaps.max() <= 1e-7 * np.log(2)
    assert found.passes <= 30


@pytest.mark.parametrize("n", [200, 12_000])
def test_weights_offsets_factors_and_bounds(n):
    X, y = rows_of(n, 90 if n > 1000 else 8)
    rng = np.random.default_rng(0)
    p = X.shape[1]
    weight, offset = rng.integers(1, 4, n) / 2, rng.standard_normal(n)
    factor = np.where(np.arange(p) == 1, 0.0, 1.0 + np.arange(p) % 2)
    lower, upper = np.full(p, -0.2), np.where(np.arange(p) % 2, np.inf, 0.1)
    for a in (1.0, 0.5):
        found = path(
            *(X, y, a, 8, 0.1),
            sample_weight=weight,
            offset=offset,
            penalty_factor=factor,
            lower=lower,
            upper=upper,
            tol=1e-12,
        )
        kwargs = {"weight": weight, "offset": offset, "factor": factor, "lower": lower, "upper": upper}
        assert conditions(found, X, y, **kwargs) < 1e-5
        penalised = factor > 0
        assert not found.coefs[0][penalised].any()
        assert found.coefs[1][penalised].any()
        assert (found.coefs >= lower).all()
        assert (found.coefs <= upper).all()


def test_no_intercept_and_given_strengths():
    X, y = rows_of(500, 5)
    p = path(X, y, 0.7, Cs=[1.0, 0.01, 0.1], fit_intercept=False, tol=1e-9)
    np.testing.assert_allclose(p.Cs, [0.01, 0.1, 1.0])
    assert not p.intercepts.any()
    assert conditions(p, X, y, intercept=False) < 1e-5
    one = path(X, y, Cs=0.05)
    assert one.coefs.shape == (1, 5)


def test_a_ridge_goes_on_to_where_the_lasso_ends():
    """Its own first strengths hardly fit anything, so that cross-validation could only choose the last of them."""
    X, y = rows_of(300, 5)
    ridge, lasso = path(X, y, 0.0, min_ratio=0.01), path(X, y, 1.0, min_ratio=0.01)
    assert ridge.Cs[-1] == pytest.approx(100 * lasso.Cs[0], rel=1e-9)
    assert ridge.Cs[-1] == pytest.approx(1e5 * ridge.Cs[0], rel=1e-9)


def test_ridge_starts_where_glmnet_starts_it():
    X, y = rows_of(300, 5)
    p = path(X, y, 0.0, n_C=4)
    assert p.Cs[0] == pytest.approx(0.001 / np.abs(X.T @ (y.mean() - y)).max(), rel=1e-9)
    assert conditions(p, X, y) < 1e-3


def test_standardize_and_scales():
    X, y = rows_of(300, 6)
    scale = 10.0 ** np.arange(-3, 3)
    one = path(X, y, standardize=True, n_C=10, tol=1e-10)
    other = path(X * scale + 3 * scale, y, standardize=True, n_C=10, tol=1e-10)
    np.testing.assert_allclose(one.Cs, other.Cs, rtol=1e-9)
    np.testing.assert_allclose(one.coefs, other.coefs * scale, atol=1e-6)


def test_a_path_ends_when_all_is_explained():
    X, y = rows_of(40, 300)
    y = (X[:, 0] > 0).astype(int)
    p = path(X, y, n_C=100, min_ratio=1e-6)
    assert len(p.Cs) < 100
    assert p.deviance_ratio[-1] > 0.999
    assert (p.deviance_ratio[:-1] <= 0.999).all()
    X, y = rows_of(2000, 5)
    p = path(X, y, n_C=100, min_ratio=1e-6)
    assert len(p.Cs) < 100


def test_frames_names_and_labels():
    X, y = rows_of(200, 3)
    labels = np.array(["no", "yes"])[y]
    plain_path = path(X, y, n_C=5, penalty_factor=[1, 0, 1])
    for frame in (pd.DataFrame(X, columns=["a", "b", "c"]), pl.DataFrame(X, schema=["a", "b", "c"])):
        p = path(frame, labels, n_C=5, penalty_factor={"b": 0})
        assert p.names == ("a", "b", "c")
        assert p.classes.tolist() == ["no", "yes"]
        np.testing.assert_allclose(p.coefs, plain_path.coefs)


def test_class_weight_and_rows_of_weight_zero():
    X, y = rows_of(300, 4)
    p = path(X, y, n_C=5, class_weight={0: 1, 1: 2})
    q = path(X, y, n_C=5, sample_weight=np.where(y == 1, 2.0, 1.0))
    np.testing.assert_array_equal(p.coefs, q.coefs)
    keep = np.arange(300) % 3 > 0
    p, q = path(X, y, n_C=5, sample_weight=keep.astype(float)), path(X[keep], y[keep], n_C=5)
    np.testing.assert_allclose(p.coefs, q.coefs, atol=1e-9)


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from([1.0, 0.5]))
def test_a_row_twice_is_a_weight_of_two(seed, a):
    X, y = rows_of(50, 6, seed)
    if len(set(y.tolist())) < 2:
        return
    weight = np.where(np.arange(50) % 4 == 0, 2, 1)
    twice = np.repeat(np.arange(50), weight)
    p, q = path(X, y, a, 6, 0.05, sample_weight=weight, tol=1e-11), path(X[twice], y[twice], a, 6, 0.05, tol=1e-11)
    np.testing.assert_allclose(p.Cs, q.Cs, rtol=1e-8)
    np.testing.assert_allclose(p.coefs, q.coefs, atol=1e-6)


def test_the_number_of_threads_changes_nothing():
    X, y = rows_of(20_000, 60)
    p, q = path(X, y, n_C=8, n_jobs=1), path(X, y, n_C=8, n_jobs=2)
    np.testing.assert_array_equal(p.coefs, q.coefs)


# --- cross-validation


def test_folds_without_a_score():
    X, y = rows_of(60, 5)
    weight = np.where(np.arange(60) < 12, 0.0, 1.0)
    for scoring in (None, "accuracy", "average_precision"):
        model = LogisticRegressionCV(5, cv=KFold(5), scoring=scoring).fit(X, y, weight)
        np.testing.assert_array_equal(np.isnan(model.scores_[0, 0]), [True, False, False, False, False])
        assert np.isfinite(model.scores_[..., 1:]).all()
    mixed, alike = np.r_[np.flatnonzero(y == 1)[:6], np.flatnonzero(y == 0)[:8]], np.flatnonzero(y == 0)[:4]
    folds = [(np.setdiff1d(np.arange(60), test), test) for test in (mixed, alike)]
    best, simple = (
        LogisticRegressionCV(10, cv=folds, scoring="roc_auc", rule=rule).fit(X, y).C_ for rule in ("min", "1se")
    )
    assert simple == best  # a single score has no standard error


@pytest.mark.parametrize("ratios", ["lasso", None, (True,), (0.5, 1.5), np.nan])
def test_wrong_mixtures(ratios):
    with pytest.raises(EvenOddsError, match="l1_ratio is a number"):
        LogisticRegressionCV(3, ratios).fit(*rows_of(50, 4))
    one = np.float32(0.5)
    assert LogisticRegressionCV(3, one).fit(*rows_of(50, 4)).l1_ratio_ == 0.5


# --- what is given


def test_bounds_that_hold_every_column_at_0():
    """Every column lowers the odds, and none may: 0 is the optimum, however weak the penalty."""
    rng = np.random.default_rng(0)
    X = rng.random((200, 3))
    y = (X.sum(axis=1) + 0.3 * rng.normal(size=200) < 1.5).astype(int)
    found = path(X, y, lower=0)
    assert len(found.Cs) == 100
    assert not found.coefs.any()
    assert found.gaps.max() < 1e-12
    np.testing.assert_allclose(found.intercepts, np.log(y.mean() / (1 - y.mean())), rtol=1e-9)


BAD = [
    ({"l1_ratio": 1.5}, "l1_ratio"),
    ({"n_C": 0}, "n_C"),
    ({"n_C": 2.5}, "n_C"),
    ({"min_ratio": 0}, "min_ratio"),
    ({"tol": -1}, "tol"),
    ({"Cs": [1, -1]}, "Each C"),
    ({"Cs": [1, np.nan]}, "Each C"),
    ({"Cs": [1, np.inf]}, "Each C"),
    ({"Cs": []}, "Cs is a list"),
    ({"Cs": "many"}, "Cs is a list of numbers"),
    ({"penalty_factor": [1, 2]}, "penalty_factor has shape"),
    ({"penalty_factor": {"z": 1}}, "column numbers"),
    ({"penalty_factor": [0, 0, 0, 0]}, "nothing|anything to tell"),
    ({"lower": 1, "upper": 0}, "cross"),
    ({"lower": 0.5}, "Give Cs"),
    ({"sample_weight": -1.0}, "negative"),
]


@pytest.mark.parametrize(("kwargs", "match"), BAD, ids=[str(k) for k, _ in BAD])
def test_bad_input(kwargs, match):
    X, y = rows_of(50, 4)
    with pytest.raises(EvenOddsError, match=match):
        path(X, y, **kwargs)


def test_bad_data():
    X, y = rows_of(50, 4)
    bad = X.copy()
    bad[7, 2] = np.nan
    with pytest.raises(EvenOddsError, match="column 2, row 7"):
        path(bad, y)
    with pytest.raises(EvenOddsError, match="column 'c', row 7"):
        path(pd.DataFrame(bad, columns=list("abcd")).fillna(np.inf), y)
    wide = rows_of(30, 400)
    wide[0][3, 5] = np.inf
    with pytest.raises(EvenOddsError, match="column 5, row 3"):
        path(*wide)
    with pytest.raises(EvenOddsError, match="one class only"):
        path(X, np.zeros(50))


# A path on small data is one call of a loop in C, a fit alone is plain NumPy.
MANY = 22


def alone(X, y, a, Cs, **kwargs):
    """Coefficients, intercepts and deviance ratios of the path, each fit on its own."""
    parts = [path(X, y, a, Cs=[C], **kwargs) for C in Cs]
    return [
        np.concatenate([getattr(part, name) for part in parts]) for name in ("coefs", "intercepts", "deviance_ratio")
    ]


def constant(X):
    return np.column_stack([X, np.full(len(X), 3.0)])


LONG = {
    "plain": (200, 8, {}),
    "float32": (200, 8, {"form": np.float32}),
    "F": (200, 8, {"form": np.asfortranarray}),
    "csr": (200, 8, {"form": lambda X: sp.csr_array(np.where(np.abs(X) < 0.7, 0.0, X))}),
    "one column": (40, 1, {}),
    "more columns than rows": (25, 40, {}),
    "a constant column": (100, 5, {"form": constant}),
    "no intercept": (200, 8, {"fit_intercept": False}),
    "standardize": (200, 8, {"standardize": True, "form": lambda X: X * 10.0 ** np.arange(-3, 5)}),
    "weights and an offset": (
        *(150, 6),
        {"sample_weight": np.arange(150) % 4 / 2, "offset": np.linspace(-2, 2, 150)},
    ),
    "factors and bounds": (
        *(150, 6),
        {"penalty_factor": [0, 1, 2, 0, 1, 1], "lower": -0.3, "upper": [0.1, np.inf, 0.2, 0.1, np.inf, 0.0]},
    ),
    "separated": (60, 4, {"labels": lambda X: (X[:, 0] + X[:, 1] > 0).astype(int)}),
}


@pytest.mark.parametrize("case", LONG)
@pytest.mark.parametrize("a", [1.0, 0.4, 0.0])
def test_a_path_is_that_of_plain_numpy(case, a):
    n, p, kwargs = LONG[case]
    kwargs = dict(kwargs)
    X, y = rows_of(n, p)
    y = kwargs.pop("labels", lambda X: y)(X)
    given = kwargs.pop("form", np.asarray)(X)
    first = path(given, y, a, n_C=2, **kwargs).Cs[0]
    Cs = first * np.geomspace(1.0, 300.0, MANY)
    found = path(given, y, a, Cs=Cs, tol=1e-11, **kwargs)
    coefs, intercepts, ratios = alone(given, y, a, Cs, tol=1e-11, **kwargs)
    assert len(found.Cs) == MANY
    assert found.gaps.max() <= 1e-11
    scale = 1 + np.abs(coefs).max()
    np.testing.assert_allclose(found.coefs, coefs, atol=2e-4 * scale)
    np.testing.assert_allclose(found.intercepts, intercepts, atol=2e-4 * scale)
    np.testing.assert_allclose(found.deviance_ratio, ratios, atol=1e-5)  # the loss is not least, J is
    if a == 1:
        assert ((found.coefs != 0) == (coefs != 0)).mean() > 0.99  # but for what enters at one of the C


@pytest.mark.parametrize("a", [1.0, 0.4, 0.0])
def test_a_long_path_meets_the_conditions_of_optimality(a):
    X, y = rows_of(300, 12)
    weight, offset = np.arange(300) % 3 + 0.5, np.linspace(-1, 1, 300)
    factor, lower = np.where(np.arange(12) == 1, 0.0, 1.0), np.where(np.arange(12) % 2, -0.2, -np.inf)
    kwargs = {"factor": factor, "lower": lower, "weight": weight, "offset": offset}
    Cs = np.geomspace(0.003, 3, MANY)
    found = path(*(X, y, a), Cs=Cs, tol=1e-12, sample_weight=weight, offset=offset, penalty_factor=factor, lower=lower)
    assert conditions(found, X, y, **kwargs) < 1e-4
    assert (found.coefs >= lower).all()


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from([1.0, 0.5, 0.0]), st.booleans(), st.booleans())
def test_no_gap_of_a_long_path_is_too_small(seed, a, intercept, bounded):
    """J of a rough path is above the optimum by its gap at the most (of the intercept, to second order)."""
    X, y = rows_of(60, 5, seed)
    kwargs = {"fit_intercept": intercept, "lower": -0.1 if bounded else None, "upper": 2.0 if bounded else None}
    Cs = np.geomspace(0.01, 10, MANY)
    rough = path(X, y, a, Cs=Cs, tol=0.1, **kwargs)
    sharp = path(X, y, a, Cs=Cs, tol=1e-13, **kwargs)

    def J(p):
        z = X @ p.coefs.T + p.intercepts
        omega = (1 - a) / 2 * np.square(p.coefs).sum(axis=1) + a * np.abs(p.coefs).sum(axis=1)
        return np.mean(np.logaddexp(0, z) - y[:, None] * z, axis=0) + omega / (Cs * len(y))

    excess = J(rough) - J(sharp)
    assert (excess <= 1.01 * rough.gaps + 1e-13).all()
    assert (excess >= -1e-12).all()


def test_a_long_path_ends_when_all_is_explained():
    X, y = rows_of(60, 4)
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    p = path(X, y, n_C=80, min_ratio=1e-6)
    assert 5 < len(p.Cs) < 80
    assert p.deviance_ratio[-1] > 0.999
    assert (p.deviance_ratio[:-1] <= 0.999).all()
    short = path(X, y, Cs=p.Cs[-3:])
    np.testing.assert_allclose(p.coefs[-3:], short.coefs, rtol=1e-2)


def test_a_path_below_the_least_c_is_refused_with_the_way_out():
    X, y = problem()
    with pytest.raises(EvenOddsError, match="Multiply all weights by a power of ten"):
        path(X, y, 1.0, sample_weight=np.full(len(y), 1e303))
