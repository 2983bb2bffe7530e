"""Inference of more than two classes: published tables, plain NumPy, statsmodels, closed forms, finite differences."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.linalg
import scipy.sparse as sp
import statsmodels.api as sm
from draws import fitted
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, stats
from scipy.special import log_softmax, logsumexp, softmax

import evenodds.fitting
from evenodds import EvenOddsError, LogisticRegression, SeparationWarning, infer, plots
from evenodds.objective import Classes
from evenodds.objective.softmax import Softmax
from oracle import case, numbers

KINDS = ("HC0", "HC1", "HC2", "HC3")


def draw(n=250, p=3, K=3, seed=0, size=0.7):
    """Classes that overlap; the last column is of zeros and ones."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    X[:, -1] = X[:, -1] > 0.2
    y = (X @ (size * rng.normal(size=(p, K))) + 0.3 * rng.normal(size=K) + rng.gumbel(size=(n, K))).argmax(axis=1)
    return X, np.array(list("abcdef"))[y], rng


X0, Y0, RNG = draw()
W0 = RNG.integers(1, 4, len(Y0)).astype(float)
GROUPS = RNG.integers(0, 45, len(Y0))
OFFSET = 0.5 * RNG.normal(size=(len(Y0), 3))


RESULT = fitted(X0, Y0)
RIDGE = fitted(X0, Y0, model={"C": 0.8})


def quietly(*args, **kwargs):
    """The inference of a separated fit, without its warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeparationWarning)
        return fitted(*args, **kwargs)


# Published tables and other systems


def test_hsbdemo_has_all_digits():
    record, table = case("a08_hsbdemo")
    truth = record["truth"]
    X = pd.DataFrame({name: table[name] for name in truth["terms"] if name != "const"})
    result = fitted(X, table["prog"])
    coef, se, p = (np.array([numbers(row) for row in truth[name]]) for name in ("coef", "se", "wald_p"))
    assert_allclose(result.coef, coef, rtol=1e-10)
    assert_allclose(result.se, se, rtol=1e-8)
    assert_allclose(result.p_value, p, rtol=1e-7)
    assert result.log_likelihood == pytest.approx(float(truth["loglik"]), rel=1e-13)
    published = record["published"][0]["values"]
    for name, ours in (("coef", result.coef), ("se", result.se), ("p", result.p_value)):
        assert_allclose(ours, published[name], rtol=2e-4)
    assert result.deviance == pytest.approx(published["residual_deviance"], abs=5e-5)
    assert result.aic == pytest.approx(published["aic"], abs=5e-5)
    assert (result.listed, result.baseline, result.n_coef) == ((1.0, 2.0), 0.0, 8)
    assert (result.coef.shape, result.conf_int.shape, result.covariance.shape) == ((2, 4), (2, 4, 2), (8, 8))


def test_the_symmetric_ridge_case_has_all_digits():
    record, table = case("c03_glmnet9_ridge")
    X, y = np.column_stack([table["a"], table["b"]]), table[next(name for name in table if name.endswith("3"))]
    result = fitted(X, y, model={"C": 1 / 9})
    coef = np.array([numbers(row) for row in record["truth"]["multinomial"]["coef"]])
    assert_allclose(result.coef, coef, rtol=1e-9, atol=1e-13)
    assert (result.listed, result.baseline, result.n_coef) == (result.classes, None, 6)
    assert_allclose(result.coef.sum(axis=0), 0, atol=1e-13)


def statsmodels(X, codes, **kwargs):
    return sm.MNLogit(codes, sm.add_constant(X)).fit(disp=0, method="newton", tol=1e-14, maxiter=100, **kwargs)


def test_statsmodels_agrees():
    codes = np.searchsorted(RESULT.classes, Y0)
    theirs = statsmodels(X0, codes)
    assert_allclose(RESULT.coef, theirs.params.T, rtol=1e-9)
    assert_allclose(RESULT.covariance, theirs.cov_params(), rtol=1e-9, atol=1e-14)
    assert_allclose(RESULT.p_value, theirs.pvalues.T, rtol=1e-8)
    assert_allclose(RESULT.conf_int, np.asarray(theirs.conf_int()).reshape(2, 4, 2), rtol=1e-8)
    for name in ("aic", "bic"):
        assert getattr(RESULT, name) == pytest.approx(getattr(theirs, name), rel=1e-12)
    assert RESULT.likelihood_ratio.df == 6
    assert RESULT.likelihood_ratio.statistic == pytest.approx(theirs.llr, rel=1e-7)
    assert RESULT.pseudo_r2["mcfadden"] == pytest.approx(theirs.prsquared, rel=1e-7)
    assert np.isnan(RESULT.pseudo_r2["tjur"])
    margins, mine = theirs.get_margeff(), RESULT.margins(X0, discrete=False)
    assert mine["class"].tolist() == list("aaabbbccc")
    assert_allclose(mine["effect"], margins.margeff.T.ravel(), rtol=1e-8)
    assert_allclose(mine["se"], margins.margeff_se.T.ravel(), rtol=1e-7)


def test_statsmodels_agrees_on_sandwiches():
    codes = np.searchsorted(RESULT.classes, Y0)
    theirs = statsmodels(X0, codes, cov_type="HC0")
    assert_allclose(fitted(X0, Y0, cov="HC0").covariance, theirs.cov_params(), rtol=1e-8, atol=1e-13)
    kwds = {"groups": GROUPS, "use_correction": False}
    theirs = statsmodels(X0, codes, cov_type="cluster", cov_kwds=kwds).cov_params()
    count = len(np.unique(GROUPS))
    ours = fitted(X0, Y0, cov="cluster", groups=GROUPS).covariance
    assert_allclose(ours, count / (count - 1) * theirs, rtol=1e-8, atol=1e-13)


# Plain NumPy: every class has coefficients, and a basis says which of their changes there are


def basis_of(result):
    """Columns: changes of all coefficients (K k) that the parametrisation has."""
    K, k = len(result.classes), len(result.names)
    if result.baseline is None:
        return np.kron(scipy.linalg.null_space(np.ones((1, K))), np.eye(k)), np.eye(K * k)
    return np.eye(K * k)[:, k:], np.eye(K * k)[k:]


def plain_covariance(result, X, y, kind, weight=None, offset=None, groups=None, penalty=0.0, meaning="frequency"):
    K, n = len(result.classes), len(X)
    D = np.column_stack([np.ones(n), X])
    s = np.ones(n) if weight is None else weight * (n / weight.sum() if meaning == "precision" else 1)
    coef = result.coef if result.baseline is None else np.vstack([np.zeros(D.shape[1]), result.coef])
    P = softmax(D @ coef.T + (0 if offset is None else offset), axis=1)
    R = (y[:, None] == np.array(result.classes)) - P
    T, listed = basis_of(result)
    rows = [np.kron(np.eye(K), D[i][None, :]) @ T for i in range(n)]  # (K, q) scores by the free parameters
    V = [np.diag(p) - np.outer(p, p) for p in P]
    H = sum(s[i] * rows[i].T @ V[i] @ rows[i] for i in range(n))
    A = H + T.T @ np.diag(np.tile(np.append(0, np.broadcast_to(penalty, D.shape[1] - 1)), K)) @ T
    inverse = np.linalg.inv(A)
    repeats = meaning == "frequency"
    if kind == "model":
        M = H
    else:
        U = []
        for i in range(n):
            r, lever = R[i], (1 if repeats else s[i]) * V[i] @ rows[i] @ inverse @ rows[i].T
            if kind in ("HC2", "HC3"):
                power = {"HC2": -0.5, "HC3": -1.0}[kind]
                values, vectors = np.linalg.eig(np.eye(K) - lever)
                r = (vectors @ np.diag(values**power) @ np.linalg.inv(vectors)).real @ r
            U.append(rows[i].T @ r)
        U = np.array(U) * (np.sqrt(s) if repeats and kind != "cluster" else s)[:, None]
        if kind == "cluster":
            U = np.array([U[groups == g].sum(axis=0) for g in np.unique(groups)])
            U *= np.sqrt(len(U) / (len(U) - 1))
        M = U.T @ U
        N = s.sum() if repeats else n
        M = M * (N / (N - result.n_coef) if kind == "HC1" else N / (N - 1) if kind == "sampling" else 1)
    return listed @ T @ inverse @ M @ inverse @ T.T @ listed.T


@pytest.mark.parametrize("penalty", ["none", "ridge", "standardized"])
@pytest.mark.parametrize("kind", ["model", *KINDS, "cluster"])
def test_covariances_are_those_of_plain_numpy(kind, penalty):
    X, y, w, o, g = X0[:90], Y0[:90], W0[:90], OFFSET[:90], GROUPS[:90]
    C, curvature = (np.inf, 0.0) if penalty == "none" else (0.7, 1 / 0.7)
    if penalty == "standardized":
        mean = w @ X / w.sum()
        curvature = curvature * (w @ (X - mean) ** 2 / w.sum())
    model = {"C": C, "standardize": penalty == "standardized"}
    result = fitted(X, y, w, o, model=model, cov=kind, groups=g if kind == "cluster" else None)
    expected = plain_covariance(result, X, y, kind, w, o, g, curvature)
    size = np.sqrt(np.diag(expected))
    assert (np.abs(result.covariance - expected) <= 1e-9 * np.outer(size, size)).all()
    assert_allclose(result.se.ravel(), size, rtol=1e-9)
    assert_allclose(result.z, result.coef / result.se)
    assert_allclose(result.p_value, 2 * stats.norm.sf(np.abs(result.z)), rtol=1e-10)


@pytest.mark.parametrize(("meaning", "kind"), [("sampling", "model"), ("sampling", "HC3"), ("precision", "HC2")])
def test_weights_that_are_not_counts(meaning, kind):
    X, y, w = X0[:90], Y0[:90], W0[:90]
    result = fitted(X, y, w, weights=meaning, cov=kind)
    wanted = "sampling" if (meaning, kind) == ("sampling", "model") else kind
    assert_allclose(
        result.covariance, plain_covariance(result, X, y, wanted, w, meaning=meaning), rtol=1e-8, atol=1e-12
    )
    scaled = fitted(X, y, 7 * w, weights=meaning, cov=kind)
    assert_allclose(scaled.covariance, result.covariance, rtol=1e-9, atol=1e-14)


def test_frequencies_are_rows():
    rows = np.repeat(np.arange(len(Y0)), W0.astype(int))
    for kind in ("model", *KINDS):
        one, many = fitted(X0, Y0, W0, cov=kind), fitted(X0[rows], Y0[rows], cov=kind)
        assert_allclose(one.covariance, many.covariance, rtol=1e-9, atol=1e-14)
    assert one.n_obs == many.n_obs
    assert one.bic == pytest.approx(many.bic, rel=1e-12)


def test_the_information_is_the_second_derivative():
    def loss(coef):
        Z = np.column_stack([np.zeros(len(X0)), np.column_stack([np.ones(len(X0)), X0]) @ coef.reshape(2, 4).T])
        return -log_softmax(Z, axis=1)[np.arange(len(Y0)), np.searchsorted(RESULT.classes, Y0)].sum()

    coef, h = RESULT.coef.ravel(), 1e-4 * np.eye(8)
    H = [
        [(loss(coef + a + b) - loss(coef + a - b) - loss(coef - a + b) + loss(coef - a - b)) / 4e-8 for a in h]
        for b in h
    ]
    assert_allclose(np.linalg.inv(RESULT.covariance), H, rtol=1e-5, atol=1e-4)
    assert -RESULT.log_likelihood == pytest.approx(loss(coef), rel=1e-13)


class _TwoAsMany(Classes):
    """Two classes in the way of many."""

    @classmethod
    def of(cls, data, *, baseline):
        return cls(1, True, several=True, loss=Softmax)

    def parts(self, intercept, coef):
        return intercept, coef


@pytest.mark.parametrize("C", [np.inf, 2.0])
@pytest.mark.parametrize(
    "asked", [{}, *({"cov": kind} for kind in KINDS), {"cov": "cluster", "groups": GROUPS}], ids=str
)
def test_two_classes_in_the_way_of_many(monkeypatch, C, asked):
    y = np.where(Y0 == "b", "b", "not b")
    model = LogisticRegression(C=C).fit(X0, y, W0)
    known = infer(model, X0, y, W0, **asked)
    monkeypatch.setattr(evenodds.fitting, "Classes", _TwoAsMany)
    found = infer(model, X0, y, W0, **asked)
    for name in ("se", "z", "p_value", "conf_int", "covariance"):
        assert getattr(found, name).shape == getattr(known, name).shape
        assert_allclose(getattr(found, name), getattr(known, name), rtol=1e-10, atol=1e-15)
    assert found.log_likelihood == pytest.approx(known.log_likelihood, rel=1e-14)
    frames = [
        (result.predict(X0), result.margins(X0), result.influence(X0, y, sample_weight=W0), result.vif())
        for result in (found, known)
    ]
    for one, two in zip(*frames, strict=True):
        pd.testing.assert_frame_equal(one, two, rtol=1e-9)
    if np.isinf(C):
        pd.testing.assert_frame_equal(found.profile(), known.profile(), rtol=1e-8)
    assert found.certificate.proved


# Closed forms

COUNTS = np.array([[10, 20, 30], [5, 12, 8], [7, 9, 15]])  # groups, classes


def cells(counts):
    """A row for each cell that is not empty: group indicators, class, count."""
    group, label = np.nonzero(counts)
    X = (group[:, None] == np.arange(1, len(counts))).astype(float)
    return X, label, counts[group, label].astype(float)


def test_a_table_of_counts_has_closed_forms():
    X, y, count = cells(COUNTS)
    result = fitted(X, y, count)
    log_ratio = np.log(COUNTS[:, 1:] / COUNTS[:, :1]).T
    expected = np.column_stack([log_ratio[:, 0], log_ratio[:, 1:] - log_ratio[:, :1]])
    assert_allclose(result.coef, expected, rtol=1e-9)
    variance = (1 / COUNTS[:, 1:] + 1 / COUNTS[:, :1]).T
    assert_allclose(result.se, np.sqrt(np.column_stack([variance[:, 0], variance[:, 1:] + variance[:, :1]])), rtol=1e-9)
    total = COUNTS.sum(axis=0)
    assert result.null_log_likelihood == pytest.approx(total @ np.log(total / total.sum()), rel=1e-13)
    assert result.log_likelihood == pytest.approx((COUNTS * np.log(COUNTS / COUNTS.sum(1)[:, None])).sum(), rel=1e-12)
    g = stats.chi2_contingency(COUNTS, lambda_="log-likelihood")
    assert (result.likelihood_ratio.statistic, result.likelihood_ratio.df) == (pytest.approx(g.statistic), g.dof)
    shares = COUNTS[0] / COUNTS[0].sum()
    found = result.predict(np.zeros((1, 2)))
    for c, share in enumerate(shares):
        se = np.sqrt(share * (1 - share) / COUNTS[0].sum())
        assert_allclose(found[[f"probability_{c}", f"se_{c}"]].iloc[0], [share, se], rtol=1e-9)
        reach = stats.norm.ppf(0.975) / np.sqrt(COUNTS[0].sum() * share * (1 - share))
        ends = 1 / (1 + np.exp(-(np.log(share / (1 - share)) + np.array([-reach, reach]))))
        assert_allclose(found[[f"lower_{c}", f"upper_{c}"]].iloc[0], ends, rtol=1e-9)


def test_null_likelihood_with_an_offset():
    result = fitted(X0, Y0, W0, OFFSET)
    own = np.searchsorted(RESULT.classes, Y0)

    def loss(b):
        return -(W0 * log_softmax(OFFSET + np.append(0, b), axis=1)[np.arange(len(own)), own]).sum()

    assert result.null_log_likelihood == pytest.approx(-optimize.minimize(loss, np.zeros(2), tol=1e-12).fun, rel=1e-9)
    plain = fitted(X0, Y0, model={"fit_intercept": False})
    assert plain.null_log_likelihood == pytest.approx(-len(Y0) * np.log(3), rel=1e-14)
    assert (plain.likelihood_ratio.df, plain.n_coef, plain.names) == (6, 6, ("x0", "x1", "x2"))
    both = fitted(X0, Y0, None, OFFSET, model={"fit_intercept": False})
    assert both.null_log_likelihood == pytest.approx(log_softmax(OFFSET, axis=1)[np.arange(len(own)), own].sum())


# The baseline is a matter of words


@settings(max_examples=8, deadline=None)
@given(st.permutations([0, 1, 2, 3]), st.integers(0, 1000))
def test_another_baseline_says_the_same(order, seed):
    X, y, _ = draw(200, 2, 4, seed, 0.4)
    codes = np.searchsorted(list("abcd"), y)
    if len(np.unique(codes)) < 4 or np.bincount(codes).min() < 12:
        return
    moved = np.asarray(order)[codes]
    for kind in ("model", "HC3"):
        one, two = fitted(X, codes, cov=kind), fitted(X, moved, cov=kind)
        full = np.vstack([np.zeros(3), two.coef])[order]
        assert_allclose(one.coef, full[1:] - full[0], rtol=1e-7, atol=1e-9)
        V = np.zeros((4, 3, 4, 3))
        V[1:, :, 1:] = two.covariance.reshape(3, 3, 3, 3)
        V = V[np.asarray(order)][:, :, np.asarray(order)]
        V = V[1:, :, 1:] - V[1:, :, :1] - V[:1, :, 1:] + V[:1, :, :1]
        assert_allclose(one.covariance, V.reshape(9, 9), rtol=1e-6, atol=1e-10)
        assert one.test("x0 = 0").statistic == pytest.approx(two.test("x0 = 0").statistic, rel=1e-7)
        for c in range(4):
            names = [f"{name}_{{}}" for name in ("probability", "se", "lower", "upper")]
            ours, theirs = (
                result.predict(X)[[name.format(k) for name in names]] for result, k in ((one, c), (two, order[c]))
            )
            assert_allclose(ours, theirs, rtol=1e-7)
        ours, theirs = (result.margins(X).set_index(["class", "term"]) for result in (one, two))
        theirs = theirs.reindex([(order[c], term) for c, term in ours.index])
        assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
    ours, theirs = one.influence(X, codes), two.influence(X, moved)
    for name in ("leverage", "pearson", "deviance", "studentized", "cooks_distance"):
        assert_allclose(ours[name], theirs[name], rtol=1e-7)
    assert_allclose(one.vif()["vif"], two.vif()["vif"], rtol=1e-7)


# Derivatives by brute force


def probabilities(result, coef, D):
    coef = coef.reshape(result.coef.shape)
    coef = coef if result.baseline is None else np.vstack([np.zeros(coef.shape[1]), coef])
    return softmax(D @ coef.T, axis=1)


def by_delta_method(function, result):
    """The value and standard errors of a function of the coefficients."""
    coef = result.coef.ravel()
    steps = 1e-5 * np.eye(coef.size)
    J = np.array([(function(coef + h) - function(coef - h)) / 2e-5 for h in steps])
    return function(coef), np.sqrt(np.einsum("a...,ab,b...->...", J, result.covariance, J))


@pytest.mark.parametrize("result", [RESULT, RIDGE], ids=["baseline", "symmetric"])
def test_predictions_by_finite_differences(result):
    D = np.column_stack([np.ones(20), X0[:20]])
    found = result.predict(X0[:20])
    p, se = by_delta_method(lambda coef: probabilities(result, coef, D), result)

    def log_odds(coef):
        P = probabilities(result, coef, D)
        return np.log(P / (1 - P))

    z, z_se = by_delta_method(log_odds, result)
    reach = stats.norm.ppf(0.975) * z_se
    for c, label in enumerate(result.classes):
        assert_allclose(found[f"probability_{label}"], p[:, c], rtol=1e-12)
        assert_allclose(found[f"se_{label}"], se[:, c], rtol=1e-7)
        assert_allclose(found[f"lower_{label}"], 1 / (1 + np.exp(-(z - reach)[:, c])), rtol=1e-6)
        assert_allclose(found[f"upper_{label}"], 1 / (1 + np.exp(-(z + reach)[:, c])), rtol=1e-6)
    assert_allclose(found.filter(like="probability").sum(axis=1), 1, rtol=1e-14)


@pytest.mark.parametrize("result", [RESULT, RIDGE], ids=["baseline", "symmetric"])
def test_margins_by_finite_differences(result):
    D = np.column_stack([np.ones(len(X0)), X0])

    def effects(coef):
        def mean(j, value=None, shift=0.0):
            E = D.copy()
            E[:, j] = E[:, j] + shift if value is None else value
            return np.average(probabilities(result, coef, E), axis=0, weights=W0)

        slopes = [(mean(j, shift=1e-4) - mean(j, shift=-1e-4)) / 2e-4 for j in (1, 2)]
        return np.array([*slopes, mean(3, 1.0) - mean(3, 0.0)]).T

    effect, se = by_delta_method(effects, result)
    found = result.margins(X0, sample_weight=W0)
    assert_allclose(found["effect"], effect.ravel(), rtol=1e-6, atol=1e-9)
    assert_allclose(found["se"], se.ravel(), rtol=1e-4)
    assert found["class"].tolist() == list("aaabbbccc")
    assert_allclose(found.groupby("term")["effect"].sum(), 0, atol=1e-14)


def test_an_offset_moves_predictions_and_margins():
    shift = np.tile([0.3, -0.5, 0.1], (len(Y0), 1))
    moved = fitted(X0, Y0, None, shift)
    assert_allclose(moved.predict(X0, shift), RESULT.predict(X0), rtol=1e-9)
    pd.testing.assert_frame_equal(moved.margins(X0, offset=shift), RESULT.margins(X0), rtol=1e-8)
    with pytest.raises(EvenOddsError, match=r"offset has shape"):
        RESULT.predict(X0, np.zeros(len(X0)))


# Hypotheses and profiles


def test_restrictions_by_name_and_class():
    b, V = RESULT.coef.ravel(), RESULT.covariance
    one = RESULT.test("x0[b] = x0[c]")
    contrast = np.eye(8)[1] - np.eye(8)[5]
    assert (one.df, one.statistic) == (1, pytest.approx((contrast @ b) ** 2 / (contrast @ V @ contrast), rel=1e-10))
    both = RESULT.test("x0 = 0")
    place = [1, 5]
    assert both.df == 2
    assert both.statistic == pytest.approx(b[place] @ np.linalg.solve(V[np.ix_(place, place)], b[place]), rel=1e-10)
    assert RESULT.test("x0[b] = 0, x0[c] = 0").statistic == pytest.approx(both.statistic, rel=1e-12)
    assert RESULT.test("`x0[b]`").statistic == pytest.approx(RESULT.z[0, 1] ** 2, rel=1e-10)
    assert RESULT.test("x0 = x1").df == 2
    assert RESULT.test("2*x0[b] - x1 = 1").df == 2  # x1 of b, then of c
    assert RESULT.test("(intercept)[c]").statistic == pytest.approx(RESULT.z[1, 0] ** 2, rel=1e-10)


def test_restrictions_without_a_baseline():
    assert RIDGE.test("x0 = 0").df == 2
    all_but_one = RIDGE.test("x0[a] = 0, x0[b] = 0")
    assert RIDGE.test("x0").statistic == pytest.approx(all_but_one.statistic, rel=1e-9)
    assert RIDGE.test("x0[a] = x0[b]").df == 1
    with pytest.raises(EvenOddsError, match="contradict"):
        RIDGE.test("x0 = 1")
    with pytest.raises(EvenOddsError, match="without coefficients"):
        RIDGE.test("x0[a] + x0[b] + x0[c] = 0")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x0[d] = 0", r"no coefficient 'x0\[d\]'"),
        ("x0[a] = 0", r"no coefficient 'x0\[a\]': a is the baseline"),
        ("x0[b] = `x1[a]`", r"no coefficient 'x1\[a\]': a is the baseline"),
        ("x0[B] = 0", r"no coefficient 'x0\[B\]'.*Did you mean"),
        ("x9", "no coefficient 'x9'"),
        ("x0[b] = 1, x0 = 0", "contradict"),
        ("x0[b] * x0[c]", "not linear"),
    ],
)
def test_restrictions_that_mean_nothing(text, words):
    with pytest.raises(EvenOddsError, match=words):
        RESULT.test(text)


def test_a_name_that_reads_as_another_ones_class():
    X = pd.DataFrame(X0, columns=["x", "x[b]", "w"])
    result = fitted(X, Y0)
    for ask in (lambda: result.test("x[b] = 0"), lambda: result.test("`x[b]` = w"), lambda: result.profile("x[b]")):
        with pytest.raises(EvenOddsError, match="rename it"):
            ask()
    assert (result.test("w = 0").df, result.test("x[c] = x[b][c]").df) == (2, 1)
    with pytest.raises(EvenOddsError, match=r"the name 'x\[b\]\[c\]': rename"):
        fitted(X, np.where(Y0 == "b", "b][c", Y0))


def test_nested_models_compare():
    X = pd.DataFrame(X0, columns=["u", "v", "w"])
    larger, smaller = fitted(X, Y0), fitted(X[["u", "w"]], Y0)
    test = larger.compare(smaller)
    assert (test.df, test.statistic) == (2, pytest.approx(2 * (larger.log_likelihood - smaller.log_likelihood)))
    with pytest.raises(EvenOddsError, match="larger one"):
        smaller.compare(larger)
    with pytest.raises(EvenOddsError, match="not nested"):
        larger.compare(fitted(X[["u"]].assign(q=RNG.normal(size=len(X))), Y0))
    with pytest.raises(EvenOddsError, match="not nested"):
        larger.compare(fitted(X[["u"]], Y0, None, OFFSET))
    with pytest.raises(EvenOddsError, match="ridge"):
        RIDGE.compare(smaller)


def test_profiles_end_where_the_likelihood_has_fallen():
    own = np.searchsorted(RESULT.classes, Y0)
    D = np.column_stack([np.ones(len(X0)), X0])

    def profile(j, value):
        def loss(free):
            Z = D @ np.vstack([np.zeros(4), np.insert(free, j, value).reshape(2, 4)]).T
            P = softmax(Z, axis=1)
            P[np.arange(len(own)), own] -= 1
            gradient = np.delete((P[:, 1:].T @ D).ravel(), j)
            return -log_softmax(Z, axis=1)[np.arange(len(own)), own].sum(), gradient

        return -optimize.minimize(loss, np.delete(RESULT.coef.ravel(), j), jac=True, tol=1e-10).fun

    found = RESULT.profile(["x1", "(intercept)[c]"])
    assert found[["class", "term"]].to_numpy().tolist() == [["b", "x1"], ["c", "x1"], ["c", "(intercept)"]]
    for j, ends in zip((2, 6, 4), found[["lower", "upper"]].to_numpy(), strict=True):
        for end in ends:
            assert 2 * (RESULT.log_likelihood - profile(j, end)) == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-5)
    assert len(RESULT.profile()) == 8
    with pytest.raises(EvenOddsError, match="ridge"):
        RIDGE.profile()
    with pytest.raises(EvenOddsError, match="no coefficient 'x7'"):
        RESULT.profile("x7")


# Rows


def test_influence_is_a_step_without_the_row():
    X, y, w = X0[:120], Y0[:120], W0[:120]
    result = fitted(X, y, w)
    found = result.influence(X, y, sample_weight=w)
    D = np.column_stack([np.ones(120), X])
    P = probabilities(result, result.coef.ravel(), D)[:, 1:]
    R = (y[:, None] == np.array(result.listed)) - P
    blocks = [w[i] * np.kron(np.diag(P[i]) - np.outer(P[i], P[i]), np.outer(D[i], D[i])) for i in range(120)]
    H = sum(blocks)
    assert_allclose(found["leverage"].sum(), result.n_coef)
    for i in (0, 17, 63):
        step = np.linalg.solve(H - blocks[i], w[i] * np.kron(R[i], D[i]))
        dfbeta = found.iloc[i][[f"dfbeta_{name}[{c}]" for c in "bc" for name in result.names]]
        assert_allclose(dfbeta, step, rtol=1e-9)
        assert found["cooks_distance"][i] == pytest.approx(step @ H @ step / 8, rel=1e-9)
        assert found["leverage"][i] == pytest.approx(np.trace(np.linalg.solve(H, blocks[i])), rel=1e-9)
        own = P[i][R[i] > 0][0] if y[i] != "a" else 1 - P[i].sum()
        assert found["pearson"][i] ** 2 == pytest.approx(w[i] * (1 - own) / own, rel=1e-10)
        assert found["deviance"][i] ** 2 == pytest.approx(-2 * w[i] * np.log(own), rel=1e-10)
        gain = w[i] * np.kron(R[i], D[i]) @ step
        assert found["studentized"][i] ** 2 == pytest.approx(found["deviance"][i] ** 2 + gain, rel=1e-9)
    assert np.square(found["deviance"]).sum() == pytest.approx(result.deviance, rel=1e-12)


def test_rows_of_weight_zero_have_no_influence():
    weight = W0.copy()
    weight[[3, 200]] = 0
    result = fitted(X0, Y0, weight)
    found = result.influence(X0, Y0, sample_weight=weight)
    assert_array_equal(np.flatnonzero(found["leverage"].isna()), [3, 200])
    kept = weight > 0
    assert_allclose(found[kept], result.influence(X0[kept], Y0[kept], sample_weight=weight[kept]), rtol=1e-12)
    with pytest.raises(EvenOddsError, match="not the rows"):
        result.influence(X0, np.roll(Y0, 1), sample_weight=weight)


def test_variance_inflation_is_a_ratio_of_determinants():
    V = RESULT.covariance
    R = V / np.sqrt(np.outer(np.diag(V), np.diag(V)))
    slopes = [1, 2, 3, 5, 6, 7]
    for t, vif in enumerate(RESULT.vif()["vif"]):
        own = [1 + t, 5 + t]
        rest = [j for j in slopes if j not in own]
        parts = [np.linalg.det(R[np.ix_(part, part)]) for part in (own, rest, slopes)]
        assert vif == pytest.approx(np.sqrt(parts[0] * parts[1] / parts[2]), rel=1e-9)


def test_variance_inflation_where_no_slope_is_left():
    with pytest.warns(UserWarning, match="constant"):
        result = fitted(np.ones((len(Y0), 1)), Y0)
    assert result.vif()["vif"].isna().all()


def test_a_vanishing_ridge_is_no_ridge():
    for C in (1e7, 1e10):
        for kind in ("model", "HC3"):
            nearly, exact = fitted(X0, Y0, model={"C": C}, cov=kind), fitted(X0, Y0, cov=kind)
            V = nearly.covariance.reshape(3, 4, 3, 4)
            V = V[1:, :, 1:] - V[1:, :, :1] - V[:1, :, 1:] + V[:1, :, :1]
            size = np.sqrt(np.diag(exact.covariance))
            assert (np.abs(V.reshape(8, 8) - exact.covariance) <= 1e-5 * np.outer(size, size)).all()
            assert_allclose(nearly.vif()["vif"], exact.vif()["vif"], rtol=1e-5)
            assert_allclose(nearly.predict(X0), exact.predict(X0), rtol=1e-5)
            assert nearly.test("x0").statistic == pytest.approx(exact.test("x0").statistic, rel=1e-5)


# The certificate


@pytest.mark.parametrize("C", [np.inf, 1.0])
@pytest.mark.parametrize("K", [3, 5])
def test_what_is_certified_is_true(C, K):
    X, y, rng = draw(400, 4, K, 3, 0.5)
    exact = LogisticRegression(C=C).fit(X, y)
    optimum = infer(exact, X, y)
    proved = 0
    for size in (1e-6, 1e-3, 1e-2, 0.05, 3.0):
        near = LogisticRegression(C=C).fit(X, y)
        moved = size * rng.normal(size=near.coef_.shape)
        near.coef_ = near.coef_ + (moved - moved[0] if np.isinf(C) else moved - moved.mean(axis=0))
        D = near.decision_function(X)
        loss = -log_softmax(D, axis=1)[np.arange(400), np.searchsorted(near.classes_, y)].mean()
        loss += np.square(near.coef_).sum() / (2 * C * 400)
        near.solution_ = type(near.solution_)(**{**vars_of(near.solution_), "loss": loss, "gap": 1.0})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = infer(near, X, y)
        certificate = found.certificate
        assert certificate.coef_error.shape == found.coef.shape
        if not certificate.proved:
            assert np.isinf(certificate.gap)
            continue
        proved += 1
        assert loss - exact.solution_.loss <= certificate.gap * (1 + 1e-9) + 1e-15
        distance = np.abs(found.coef - optimum.coef)
        assert (distance <= certificate.coef_error + 1e-13).all()
        assert certificate.error < 1000 * (distance / found.se).max() + 1e-9  # and not empty
    assert 2 <= proved < 5
    assert optimum.certificate.error < 1e-9


def vars_of(solution):
    return {name: getattr(solution, name) for name in solution.__dataclass_fields__}


# Classes that are separated: only what has a finite limit is a number


def test_empty_cells_of_a_table_are_infinite_and_the_others_exact():
    counts = COUNTS.copy()
    counts[1, 1] = counts[2, 2] = 0
    X, y, count = cells(counts)
    result = quietly(X, y, count)
    assert_array_equal(result.coef == -np.inf, [[False, True, False], [False, False, True]])
    finite = np.isfinite(result.coef)
    with np.errstate(divide="ignore"):
        log_ratio = np.log(counts[:, 1:] / counts[:, :1]).T
        variance = (1 / counts[:, 1:] + 1 / counts[:, :1]).T
    expected = np.column_stack([log_ratio[:, 0], log_ratio[:, 1:] - log_ratio[:, :1]])
    assert_allclose(result.coef[finite], expected[finite], rtol=1e-9)
    se = np.sqrt(np.column_stack([variance[:, 0], variance[:, 1:] + variance[:, :1]]))
    assert_allclose(result.se[finite], se[finite], rtol=1e-9)
    for values in (result.se, result.z, result.p_value, result.conf_int[..., 0]):
        assert_array_equal(np.isnan(values), ~finite)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = counts * np.log(counts / counts.sum(axis=1)[:, None])
    assert result.log_likelihood == pytest.approx(np.nansum(logs), rel=1e-12)
    assert result.notes == {"x0[1]": "infinite (-): separated", "x1[2]": "infinite (-): separated"}
    assert result.certificate is None
    assert "infinite (-): separated" in str(result)
    profile = result.profile()
    assert_array_equal(np.isneginf(profile["lower"]), ~finite.ravel())
    assert np.isfinite(profile["upper"]).all()
    # The group with an empty cell is one of two classes, as if the third did not exist.
    group, two = X[:, 1] == 0, y != 1
    binary = fitted(X[group & two][:, :1], y[group & two], count[group & two])
    row = profile[(profile["class"] == 2) & (profile["term"] == "x0")]
    assert_allclose(row[["lower", "upper"]], binary.profile(["x0"])[["lower", "upper"]], rtol=1e-6)
    with pytest.raises(EvenOddsError, match="has no standard error"):
        result.test("x0 = 0")
    assert result.test("x1[1] = x0[2]").df == 1
    found = result.predict(X)
    shares = counts / counts.sum(axis=1)[:, None]
    place = np.where(X.any(axis=1), X @ [1, 2], 0).astype(int)
    assert_allclose(found[[f"probability_{c}" for c in range(3)]], shares[place], atol=1e-10)
    spread = np.sqrt(shares * (1 - shares) / counts.sum(axis=1)[:, None])
    assert_allclose(found[[f"se_{c}" for c in range(3)]], np.where(shares > 0, spread, np.nan)[place], rtol=1e-8)
    effects = result.margins(X, groups={"group": ["x0", "x1"]})
    assert_allclose(effects["effect"].to_numpy().reshape(3, 2), (shares[1:] - shares[0]).T, atol=1e-10)
    assert_allclose(effects["se"].to_numpy().reshape(3, 2), np.sqrt(spread[1:] ** 2 + spread[0] ** 2).T, rtol=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_ends_of_certain_probabilities_of_a_table_have_closed_forms(seed):
    """Of n rows of a group none is of a class: p has fallen too far where n log(1 - p) has."""
    rng = np.random.default_rng(seed)
    groups, K = int(rng.integers(3, 7)), int(rng.integers(3, 6))
    counts = rng.integers(1, 30, size=(groups, K)).astype(float)
    counts[0] += 1
    counts[rng.integers(1, groups, size=K), np.arange(K)] = 0
    counts[1, 1:] = 0
    counts[1, 0] = rng.integers(1, 30)
    result = quietly(*cells(counts))
    found = result.predict(np.eye(groups)[:, 1:])
    least = np.exp(-stats.chi2.ppf(0.95, 1) / 2 / counts.sum(axis=1))
    for c in range(K):
        for g in np.flatnonzero(counts[:, c] == 0):
            assert (found[f"probability_{c}"][g], found[f"lower_{c}"][g]) == (0, 0)
            assert found[f"upper_{c}"][g] == pytest.approx(1 - least[g], rel=1e-8)
    assert (found["probability_0"][1], found["upper_0"][1]) == (1, 1)
    assert found["lower_0"][1] == pytest.approx(least[1], rel=1e-7)


@pytest.mark.parametrize("seed", [6, 7, 10, 13, 23])
def test_the_least_of_a_certain_probability_beside_numbers(seed):
    """A group has rows of one class: the least is where log odds are least, of a likelihood that is not rejected."""
    rng = np.random.default_rng(seed)
    groups, K, n = int(rng.integers(2, 4)), int(rng.integers(3, 5)), 60
    group, x, weight = rng.integers(0, groups, n), rng.normal(size=n), rng.integers(1, 4, n).astype(float)
    Z = rng.normal(size=(groups, K))[group] + x[:, None] * rng.normal(size=K)
    Z[group == 0, 1:] = -np.inf
    y = (Z + rng.gumbel(size=Z.shape)).argmax(axis=1)
    y[np.flatnonzero(group == 1)[:K]] = np.arange(K)  # no class is without rows
    D = np.column_stack([np.eye(groups)[group], x])
    result = quietly(D[:, 1:], y, weight)
    row = D[group == 0][0]
    fall, size = stats.chi2.ppf(0.95, 1) / 2, (groups + 1, K - 1)

    def odds(t):
        z = row @ np.pad(t.reshape(size), ((0, 0), (1, 0)))
        return -logsumexp(z[1:]), np.outer(row, -softmax(z[1:])).ravel()

    def room(t):
        logs = log_softmax(D @ np.pad(t.reshape(size), ((0, 0), (1, 0))), axis=1)
        slope = (D.T @ (weight[:, None] * (np.eye(K)[y] - np.exp(logs))))[:, 1:]
        return weight @ logs[np.arange(n), y] - result.log_likelihood + fall, slope.ravel()

    limit = {"type": "ineq", "fun": lambda t: room(t)[0], "jac": lambda t: room(t)[1]}
    found = []
    for k in range(1, K):  # from where one other class has most of what is left
        t = np.zeros(size)
        t[0] = -8.0
        t[0, k - 1] = -3.0
        asked = {"method": "SLSQP", "bounds": [(-50, 50)] * t.size, "constraints": limit, "options": {"ftol": 1e-13}}
        end = optimize.minimize(odds, t.ravel(), jac=True, **asked)
        found.append(end.fun if room(end.x)[0] > -1e-8 else np.inf)
    assert result.predict(row[None, 1:])["lower_0"][0] == pytest.approx(1 / (1 + np.exp(-min(found))), rel=1e-6)


@pytest.mark.parametrize("asked", [{}, {"cov": "HC1"}, {"cov": "HC3"}, {"cov": "cluster"}], ids=str)
def test_a_class_apart_leaves_the_fit_of_the_others(asked):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(200, 2)) + np.array([0, 1e4])
    y = np.where(X[:, 0] > 0.7, "c", np.where(X[:, 0] / 2 + rng.logistic(size=200) > 0, "b", "a"))
    groups, rest = np.arange(200) // 4, y != "c"
    both = [asked | ({"groups": g} if asked.get("cov") == "cluster" else {}) for g in (groups, groups[rest])]
    result, binary = quietly(X, y, **both[0]), fitted(X[rest], y[rest], **both[1])
    assert_allclose(result.coef[0], binary.coef, rtol=1e-7)
    assert_allclose(result.se[0], binary.se, rtol=1e-7)
    assert_allclose(result.covariance[:3, :3], binary.covariance, rtol=1e-6)
    assert_array_equal(result.coef[1, 1:], [np.inf, np.nan])
    assert np.isnan(result.se[1]).all()
    assert result.notes["x1[c]"] == "infinite, of a sign that is not determined"
    assert result.log_likelihood == pytest.approx(binary.log_likelihood, rel=1e-10)


@pytest.mark.parametrize("far", [10.0, 1e3, -1e3, 1e5])
def test_how_far_the_rows_lie_that_a_class_is_apart_from_is_nothing(far):
    rng = np.random.default_rng(1)
    level = np.arange(60) < 8
    x = np.where(level, far, rng.normal(size=60))
    y = np.argmax(rng.normal(size=(60, 3)) + np.outer(x * ~level, [0.0, -1.0, -1.5]), axis=1)
    y[level] = [1, 1, 1, 2, 2, 1, 2, 2]
    result = quietly(np.column_stack([x, level]), y)
    rest = fitted(x[~level, None], y[~level])  # the level has a coefficient of its own, also between its two classes
    assert_allclose(result.coef[:, :2], rest.coef, rtol=1e-9)
    assert_allclose(result.se[:, :2], rest.se, rtol=1e-4)
    assert result.log_likelihood == pytest.approx(rest.log_likelihood - 8 * np.log(2), rel=1e-12)


@pytest.mark.parametrize(("size", "weight", "seed"), [(30, 1.0, 0), (300, 1e10, 0), (300, 1e10, 1), (1000, 1.0, 1)])
def test_a_class_apart_beside_large_offsets(size, weight, seed):
    rng = np.random.default_rng(seed)
    level, x, weights = np.arange(80) < 8, rng.normal(size=80), np.full(80, weight)
    offset = size * rng.normal(size=(80, 3))
    y = np.argmax(offset + size * rng.gumbel(size=(80, 3)) + np.outer(x, [0, 1, 2]), axis=1)
    x[level], y[level], offset[level] = 1.0, 1 + np.arange(8) % 2, offset[0]
    result = quietly(np.column_stack([x, level]), y, weights, offset)
    rest = fitted(x[~level, None], y[~level], weights[~level], offset[~level])
    assert_allclose(result.coef[:, :2], rest.coef, rtol=1e-8, atol=1e-8 * np.abs(rest.coef).max())
    assert_allclose(result.se[:, :2], rest.se, rtol=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_the_limit_is_that_of_a_vanishing_ridge(seed):
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.arange(40) % 4 == 0, rng.normal(size=40)]).astype(float)
    y = (X @ rng.normal(size=(2, 3)) + rng.gumbel(size=(40, 3))).argmax(axis=1)
    y[::4] = rng.permutation(10) % 2  # in whose place there is never the third class
    result = quietly(X, y)
    ridge = LogisticRegression(C=1e8, max_iter=1000).fit(X, y)
    near = np.column_stack([ridge.intercept_, ridge.coef_])
    near = near[1:] - near[0]
    finite = np.isfinite(result.coef)
    assert not finite.all()
    assert np.isfinite(result.se[finite]).all()
    assert (np.abs(result.coef - near)[finite] <= 1e-3 * result.se[finite]).all()
    endless = np.isinf(result.coef)
    assert_array_equal(np.sign(near[endless]), np.sign(result.coef[endless]))
    assert (np.abs(near[endless]) > 3).all()


def test_classes_that_are_all_apart_leave_nothing():
    X = np.arange(30.0)[:, None] + [[0.0, 1.0]] * np.random.default_rng(0).random((30, 1))
    result = quietly(X, np.repeat([0, 1, 2], 10))
    assert not np.isfinite(result.coef).any()
    assert np.isnan(result.se).all()
    assert result.log_likelihood == 0
    assert "every row is predicted with certainty" in str(result)
    assert result.coef.shape == (2, 3)


# Homes, columns and numbers


def test_the_home_of_the_rows_changes_nothing():
    for kind in ("model", "HC3"):
        known = fitted(X0, Y0, cov=kind)
        for X in (sp.csr_array(X0), np.asfortranarray(X0), pd.DataFrame(X0), pl.DataFrame(X0)):
            found = fitted(X, Y0, cov=kind)
            assert_allclose(found.se, known.se, rtol=1e-9)
            assert_allclose(np.asarray(found.predict(X)), np.asarray(known.predict(X0)), rtol=1e-8)
    assert isinstance(found.predict(X), pl.DataFrame)
    assert isinstance(found.margins(X), pl.DataFrame)
    index = pd.DataFrame(X0, index=np.arange(len(X0)) + 5)
    assert_array_equal(fitted(index, Y0).predict(index).index, index.index)
    single = fitted(X0.astype(np.float32), Y0)
    assert_allclose(single.se, RESULT.se, rtol=1e-6)


def test_columns_far_from_zero():
    far = X0 + np.array([1e6, -1e7, 0])
    for kind in ("model", "HC2", "cluster"):
        groups = GROUPS if kind == "cluster" else None
        near, found = fitted(X0, Y0, cov=kind, groups=groups), fitted(far, Y0, cov=kind, groups=groups)
        assert_allclose(found.se[:, 1:], near.se[:, 1:], rtol=1e-7)
        assert found.test("x0 = x1").statistic == pytest.approx(near.test("x0 = x1").statistic, rel=1e-6)
        assert_allclose(found.margins(far)["se"], near.margins(X0)["se"], rtol=1e-6)
        assert_allclose(found.predict(far), near.predict(X0), rtol=1e-6)


def test_aliased_columns_have_no_statistics():
    X = pd.DataFrame(X0, columns=["u", "v", "w"]).assign(sum=lambda d: d["u"] + d["w"])
    with pytest.warns(UserWarning, match="'sum'"):
        result = fitted(X, Y0)
    assert_allclose(result.se[:, :4], RESULT.se, rtol=1e-9)
    assert np.isnan(result.se[:, 4]).all()
    assert not result.coef[:, 4].any()
    assert set(result.notes) == {"sum[b]", "sum[c]"}
    assert result.n_coef == 8
    margins = result.margins(X)
    assert margins[margins["term"] == "sum"]["se"].isna().all()
    assert_allclose(margins[margins["term"] != "sum"]["effect"], RESULT.margins(X0)["effect"], rtol=1e-8)
    with pytest.raises(EvenOddsError, match="aliased"):
        result.test("sum[b]")


def test_a_constant_column_beside_a_ridge_is_no_finding():
    X = np.column_stack([X0, np.full(len(X0), 3.0)])
    result = fitted(X, Y0, model={"C": 0.8})
    assert np.isnan(result.z[:, 4]).all()
    assert np.isnan(result.p_value[:, 4]).all()
    margins = result.margins(X)
    assert_array_equal(margins[["se", "z", "p_value"]].isna().all(axis=1), margins["term"] == "x3")
    assert_allclose(result.se[:, :4], RIDGE.se, rtol=1e-9)


def test_large_data_are_read_by_the_tile():
    X, y, _ = draw(40_000, 20, 3, 1, 0.2)
    result = fitted(X, y)
    D = np.column_stack([np.ones(len(X)), X])
    P = probabilities(result, result.coef.ravel(), D)[:, 1:]
    H = np.block([[D.T @ (D * (P[:, a] * ((a == b) - P[:, b]))[:, None]) for b in (0, 1)] for a in (0, 1)])
    assert_allclose(result.covariance, np.linalg.inv(H), rtol=1e-8, atol=1e-14)
    assert result.certificate.proved


def test_columns_that_a_lasso_chose_are_inferred_on_fresh_rows():
    X, y, rng = draw(600, 4, 3, 7, 0.8)
    X = pd.DataFrame(np.column_stack([X, rng.normal(size=(600, 3))]), columns=list("abcdefg"))
    lasso = LogisticRegression(C=0.06, l1_ratio=1.0).fit(X[:300], y[:300])
    chosen = X.columns[lasso.coef_.any(axis=0)]
    assert 1 <= len(chosen) < 7
    with pytest.raises(EvenOddsError, match="L1 penalty"):
        infer(lasso, X[:300], y[:300])
    with pytest.raises(EvenOddsError, match="split the data"):
        infer(lasso, X[:300], y[:300], post_selection="split")
    result, known = infer(lasso, X[300:], y[300:], post_selection="split"), fitted(X.loc[300:, chosen], y[300:])
    assert result.names == ("(intercept)", *chosen)
    assert_allclose(result.se, known.se, rtol=1e-9)
    assert result.test(f"{chosen[0]} = 0").df == 2


# Tables, words and refusals


def test_frames_are_long_with_the_class_first():
    frame = RESULT.to_frame()
    assert list(frame) == ["class", "term", "coef", "se", "z", "p_value", "lower", "upper"]
    assert frame["class"].tolist() == ["b"] * 4 + ["c"] * 4
    assert frame["term"].tolist() == 2 * list(RESULT.names)
    assert_array_equal(frame["coef"], RESULT.coef.ravel())
    assert_array_equal(frame[["lower", "upper"]], RESULT.conf_int.reshape(8, 2))
    assert RIDGE.to_frame("polars")["class"].to_list() == ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    assert_allclose(RESULT.odds_ratio, np.exp(RESULT.coef))


def test_the_table_names_the_baseline_and_groups_by_class():
    text = str(RESULT)
    assert text.startswith("Multinomial logistic regression of 3 classes, each against a\n")
    lines = text.splitlines()
    at = lines.index("b")
    assert lines[at + 1].startswith("  (intercept) ")
    assert lines[at + 5] == "c"
    assert lines[at - 1].endswith("odds ratio")
    for words in ("The baseline is a:", "Proved", f"{RESULT.null_deviance:.3f} on 498 df", "on 492 df"):
        assert words in text
    assert "Tjur" not in text
    narrow = "\n".join(line.plain for line in RESULT.__rich_console__(None, type("O", (), {"max_width": 70})))
    assert "odds ratio" not in narrow
    assert max(map(len, narrow.splitlines())) <= 70
    symmetric = str(RIDGE)
    assert symmetric.startswith("Ridge multinomial logistic regression (C=0.8) of 3 classes, symmetric\n")
    assert "odds ratio" not in symmetric
    assert "95% upper" in symmetric
    assert "sum to 0 over the classes" in symmetric


def test_the_html_table_escapes_labels():
    result = fitted(X0, np.char.add("<", Y0))
    page = result._repr_html_()
    assert page.count('scope="rowgroup"') == 2
    assert "&lt;b</th>" in page
    assert "<b<" not in page


def test_forests_have_a_line_for_each_class():
    ax = plots.forest(RESULT)
    names = [label.get_text() for label in ax.get_yticklabels()][::-1]
    assert names == [f"x{j}[{c}]" for c in "bc" for j in range(3)]
    assert "a class against a" in ax.get_xlabel()
    assert "beside the mean of all" in plots.coefficients(RIDGE).get_xlabel()
    assert "factor on the odds of a class against a" in plots.forest(RESULT, odds_ratio=True).get_xlabel()
    margins = [label.get_text() for label in plots.margins(RESULT, X0).get_yticklabels()]
    assert margins[::-1] == [f"x{j}[{c}]" for c in "abc" for j in range(3)]
    for draw_rows in (plots.influence, plots.residuals):
        with pytest.raises(EvenOddsError, match="for two classes"):
            draw_rows(RESULT, X0, Y0)


REFUSED = {
    "other rows": (lambda m: infer(m, X0 + 1, Y0), "not the rows"),
    "no row of a class": (lambda m: infer(m, X0, np.where(Y0 == "c", "a", Y0)), "no row of class 'c'"),
    "an unknown class": (lambda m: infer(m, X0, np.where(Y0 == "c", "z", Y0)), "not in classes"),
    "an offset a row": (lambda m: infer(m, X0, Y0, None, np.zeros(len(X0))), "offset has shape"),
    "calibration": (lambda m: infer(m, X0, Y0).calibration(X0, Y0), "for two classes"),
    "hosmer_lemeshow": (lambda m: infer(m, X0, Y0).hosmer_lemeshow(X0, Y0), "for two classes"),
    "one cluster": (lambda m: infer(m, X0, Y0, cov="cluster", groups=np.zeros(len(X0))), "one cluster"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    ask, words = REFUSED[name]
    with pytest.raises(EvenOddsError, match=words):
        ask(LogisticRegression().fit(X0, Y0))
