"""L1, elastic net, factors and bounds of more than two classes: conditions of optimality, other systems, properties."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.linear_model import LogisticRegression as Theirs
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold

import oracle
from evenodds import EvenOddsError, LogisticRegression, LogisticRegressionCV, load, path, plots, save
from evenodds.coordinates import choose_coordinates
from evenodds.data.memory import Memory
from evenodds.exceptions import NonFiniteError
from evenodds.solvers import Status, class_pairs
from evenodds.solvers.class_penalty import for_classes, to_coefs
from evenodds.solvers.elastic_net import elastic_net
from evenodds.solvers.mean_loss import MeanLoss
from evenodds.solvers.penalty import Penalty
from homes import Blocks


def draw(n=120, p=5, K=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    X[:, 1:] += 0.5 * X[:, :-1]
    scores = X @ (rng.standard_normal((p, K)) * (rng.random((p, K)) < 0.6)) + 0.5 * rng.standard_normal(K)
    y = (scores + rng.gumbel(size=(n, K))).argmax(axis=1)
    y[:K] = np.arange(K)
    return X, y


X0, Y0 = draw()


@pytest.fixture(params=["full", "pairs"])
def method(request, monkeypatch):
    """Both ways to solve, on the same data."""
    monkeypatch.setattr(class_pairs, "takes_pairs", lambda loss: request.param == "pairs")
    for module in ("class_path", "elastic_net"):
        monkeypatch.setattr(f"evenodds.solvers.{module}.takes_pairs", class_pairs.takes_pairs)
    return request.param


# --- plain NumPy


def losses_of(X, y, b, W, offset=None):
    """The loss of each row, and the probabilities."""
    Z = X @ W.T + b + (0 if offset is None else offset)
    Z = Z - Z.max(axis=1, keepdims=True)
    P = np.exp(Z)
    P /= P.sum(axis=1, keepdims=True)
    return np.log(np.exp(Z).sum(axis=1)) - Z[np.arange(len(y)), y], P


def value(X, y, b, W, lam, a, *, weight=None, offset=None, factor=1.0, **_):
    s = np.ones(len(y)) if weight is None else weight
    pull = lam * np.broadcast_to(factor, W.shape[1])
    return s @ losses_of(X, y, b, W, offset)[0] / s.sum() + np.sum(pull * (a * np.abs(W) + (1 - a) / 2 * W**2))


def violation(X, y, b, W, lam, a, *, weight=None, offset=None, factor=1.0, lower=-np.inf, upper=np.inf, intercept=True):
    """The largest violation of the conditions of optimality, in the raw columns."""
    s = np.ones(len(y)) if weight is None else weight
    R = losses_of(X, y, b, W, offset)[1]
    R[np.arange(len(y)), y] -= 1
    R *= (s / s.sum())[:, None]
    pull = lam * np.broadcast_to(factor, W.shape[1])
    g, l1 = (X.T @ R).T + (1 - a) * pull * W, a * pull
    up, down = np.where(W >= 0, g + l1, g - l1), np.where(W > 0, g + l1, g - l1)
    rise = np.where(upper > W, np.maximum(-up, 0), 0)
    fall = np.where(lower < W, np.maximum(down, 0), 0)
    return max(rise.max(), fall.max(), np.abs(R.sum(axis=0)).max() if intercept else 0.0)


def brute(X, y, lam, a, K, **kwargs):
    """The least J, by a general solver over w = u - v with u, v >= 0."""
    p = X.shape[1]

    def parts(x):
        return x[:K], x[K : K + K * p].reshape(K, p) - x[K + K * p :].reshape(K, p)

    def J(x):
        b, W = parts(x)
        _, P = losses_of(X, y, b, W)
        R = P
        loss = np.mean(-np.log(P[np.arange(len(y)), y]))
        R[np.arange(len(y)), y] -= 1
        g = (R.T @ X) / len(y) + lam * (1 - a) * W
        grad = np.concatenate([R.mean(axis=0), (g + lam * a).ravel(), (-g + lam * a).ravel()])
        return loss + lam * (a * x[K:].sum() + (1 - a) / 2 * np.sum(W**2)), grad

    bounds = [(None, None)] * K + [(0, None)] * (2 * K * p)
    found = minimize(J, np.zeros(K + 2 * K * p), jac=True, bounds=bounds, method="L-BFGS-B", options=TIGHT)
    return found.fun


TIGHT = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-16, "gtol": 1e-10}


def fit(X, y, lam, a, *, weight=None, offset=None, intercept=True, factor=None, tol=1e-6, **kwargs):
    S = len(y) if weight is None else weight.sum()
    model = LogisticRegression(1 / (lam * S), a, fit_intercept=intercept, penalty_factor=factor, tol=tol, **kwargs)
    return model.fit(X, y, weight, offset)


# --- optimality

SETTINGS = [
    {},
    {"intercept": False},
    {"factor": np.array([0.0, 1.0, 3.0, 0.5, 1.0])},
    {"lower": 0.0},
    {"lower": -0.1, "upper": 0.25},
    {"lower": np.array([0.2, -np.inf, 0, 0, -1]), "upper": np.array([0.6, np.inf, 0, 0.1, -0.2])},
    {"weighted": True},
    {"shifted": True, "factor": np.array([0.0, 0.0, 1.0, 1.0, 1.0]), "weighted": True},
]


@pytest.mark.parametrize("a", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("setting", SETTINGS, ids=[",".join(setting) or "plain" for setting in SETTINGS])
def test_the_conditions_of_optimality_hold(setting, a, method):
    K = 3 if len(setting) < 2 else 4
    X, y = draw(K=K)
    X[np.abs(X) < 0.8] = 0
    setting = dict(setting)
    rng = np.random.default_rng(1)
    if setting.pop("weighted", False):
        setting["weight"] = rng.integers(1, 4, len(y)) * 0.5
    if setting.pop("shifted", False):
        setting["offset"] = rng.standard_normal((len(y), K))
    lower, upper = setting.get("lower", -np.inf), setting.get("upper", np.inf)
    for form in (X, sp.csr_array(X), X.astype(np.float32)):
        exact = np.asarray(form.toarray() if sp.issparse(form) else form, float)
        model = fit(form, y, 0.03, a, **setting)
        W, b = model.coef_, model.intercept_
        if a > 0 or setting.keys() & {"factor", "lower"}:
            assert model.solution_.solver == "proximal newton"
        assert model.solution_.status is Status.CONVERGED
        assert model.solution_.loss == pytest.approx(value(exact, y, b, W, 0.03, a, **setting), rel=1e-12)
        assert violation(exact, y, b, W, 0.03, a, **setting) < 1e-6
        assert b.sum() == pytest.approx(0, abs=1e-12)
        np.testing.assert_array_equal(W, np.clip(W, lower, upper))
        if a == 1 and "lower" not in setting:
            assert np.abs(np.median(W, axis=0)[2:]).max() < 1e-12
        if np.any(setting.get("factor", 1) == 0):
            assert np.abs(W[:, 0].sum()) < 1e-12
    assert (W == 0).any() or a < 1


@pytest.mark.parametrize("a", [1.0, 0.5])
@pytest.mark.parametrize("K", [3, 4])
def test_no_general_solver_finds_less(a, K, method):
    X, y = draw(80, 4, K, seed=3)
    model = fit(X, y, 0.05, a)
    least = brute(X, y, 0.05, a, K)
    assert value(X, y, model.intercept_, model.coef_, 0.05, a) <= least + 1e-12
    assert model.solution_.loss - model.solution_.gap <= least + 1e-15


@pytest.mark.parametrize(("data", "C", "a"), [(load_iris, 1.0, 1.0), (load_wine, 0.05, 1.0), (load_wine, 0.3, 0.5)])
def test_scikit_learn_agrees(data, C, a, method):
    X, y = data(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    theirs = Theirs(C=C, l1_ratio=a, solver="saga", tol=1e-12, max_iter=100_000).fit(X, y)
    ours = LogisticRegression(C, a, tol=1e-6).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_ - theirs.intercept_.mean(), atol=1e-6)
    np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)


def test_c03_ridge(method):
    record, table = oracle.case("c03_glmnet9_ridge")
    X = np.column_stack([table["a"], table["b"]])
    truth = np.array([oracle.numbers(row) for row in record["truth"]["multinomial"]["coef"]])
    ones = np.ones(2)  # factors of 1, which take the fit the way of lasso and elastic net
    model = LogisticRegression(1 / 9, tol=1e-8, penalty_factor=ones).fit(X, table["y3"])
    np.testing.assert_allclose(np.column_stack([model.intercept_, model.coef_]), truth, rtol=1e-9, atol=1e-8)


def test_of_two_classes_the_symmetric_form_is_the_binary_one_at_half_the_strength():
    """w = w_2 - w_1 costs lam |w_2 - w_1| for a lasso, and lam/4 w^2 for a ridge, if the two share it evenly."""
    X, y = draw(K=2)
    data = Memory(X, y.astype(np.uint8), present=np.array([True, True, False]))  # a third has no rows
    sample = data.sample(1000, 0)
    coordinates = choose_coordinates(data, sample, intercept=True, standardize=False, strength=1.0)
    for a in (1.0, 0.5, 0.0):
        lam = 0.02
        one = Penalty.of(coordinates, lam, a)
        loss = MeanLoss(data, coordinates, sample)
        theta = class_pairs.pairs_fit(loss, for_classes(one, 2), np.zeros(12), warm=False, target=1e-13, max_iter=100)
        (b,), (W,) = to_coefs(one, coordinates, theta.theta[None, :], None, None)
        # lam (1-a)/2 (w/2)^2 twice is (lam/2)(1-a)/2 w^2: half the curvature, and the same L1 part.
        strength = lam * a + lam * (1 - a) / 2
        binary = fit(X, y, strength, lam * a / strength, tol=1e-7)
        np.testing.assert_allclose(W[1] - W[0], binary.coef_[0], atol=1e-6)
        assert b[1] - b[0] == pytest.approx(binary.intercept_[0], abs=1e-6)


def test_the_gap_is_a_bound_wherever_it_is_taken():
    X, y = draw()
    data = Memory(X, y.astype(np.uint8), n_classes=3)
    sample = data.sample(1000, 0)
    coordinates = choose_coordinates(data, sample, intercept=False, standardize=False, strength=0.1)
    loss = MeanLoss(data, coordinates, sample)
    rng = np.random.default_rng(0)
    for a in (1.0, 0.5, 0.0):
        for lower in (None, np.full(5, -0.05)):
            penalty = for_classes(Penalty.of(coordinates, 0.05, a, lower=lower), 3)
            best = elastic_net(data, coordinates, penalty, sample, tol=1e-6)
            for size in (1e-8, 1e-4, 1e-2, 1.0, 100.0):
                theta = penalty.nearest(best.theta + size * rng.standard_normal(15))
                F, g, odds = (part[0] for part in loss.at(theta[None, :]))
                gap = penalty.gap(theta, F, g, lambda free: np.empty((15, 0)), odds, loss.reach)
                assert gap >= F + penalty.value(theta) - best.loss - 1e-15
                assert size > 1e-3 or gap < 1e-2


# --- properties


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.sampled_from([1.0, 0.5, 0.05]), st.integers(3, 5), st.sampled_from([0.003, 0.02, 0.1]))
def test_any_problem_is_solved(seed, a, K, lam):
    X, y = draw(30, 4, K, seed)
    model = fit(X, y, lam, a, tol=1e-5)
    assert violation(X, y, model.intercept_, model.coef_, lam, a) < 1e-6
    order = np.random.default_rng(seed).permutation(K)
    other = fit(X, order[y], lam, a, tol=1e-5)
    np.testing.assert_allclose(other.coef_[order], model.coef_, atol=1e-4)
    np.testing.assert_allclose(other.intercept_[order], model.intercept_, atol=1e-4)


@settings(max_examples=5)
@given(st.integers(0, 10**6), st.sampled_from([1.0, 0.5]))
def test_a_weight_of_two_is_a_row_twice(seed, a):
    X, y = draw(40, 4, 3, seed)
    weight = np.where(np.arange(40) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(40), weight.astype(int))
    one, other = fit(X, y, 0.02, a, weight=weight), fit(X[twice], y[twice], 0.02, a)
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-6)


def test_another_home_of_data():
    data = {}
    for home in (Memory, lambda *args, **kwargs: Blocks(*args, cuts=(7, 50), **kwargs)):
        rows = home(X0, Y0.astype(np.uint8), n_classes=3)
        sample = rows.sample(1000, 0)
        coordinates = choose_coordinates(rows, sample, intercept=True, standardize=False, strength=0.1)
        one = Penalty.of(coordinates, 0.03, 1.0)
        found = elastic_net(rows, coordinates, for_classes(one, 3), sample, tol=1e-6)
        assert found.status is Status.CONVERGED
        data[home] = to_coefs(one, coordinates, found.theta[None, :], None, None)[1][0]
    first, second = data.values()
    np.testing.assert_allclose(first, second, atol=1e-9)
    np.testing.assert_array_equal(first == 0, second == 0)


def test_many_rows_are_solved_from_a_sample(monkeypatch):
    monkeypatch.setattr(class_pairs, "_FEW", 1000)
    X, y = draw(60_000, 20, 3)
    model = fit(X, y, 0.02, 1.0, tol=1e-4)
    assert model.solution_.status is Status.CONVERGED
    assert violation(X, y, model.intercept_, model.coef_, 0.02, 1.0) < 1e-8
    rows = Blocks(X, y.astype(np.uint8), cuts=(9_000, 30_000), n_classes=3)
    sample = rows.sample(8192, 0)
    coordinates = choose_coordinates(rows, sample, intercept=True, standardize=False, strength=0.1)
    one = Penalty.of(coordinates, 0.02, 1.0)
    found = elastic_net(rows, coordinates, for_classes(one, 3), sample, tol=1e-4)
    np.testing.assert_allclose(
        to_coefs(one, coordinates, found.theta[None, :], None, None)[1][0], model.coef_, atol=1e-7
    )
    assert found.passes < 40


@pytest.mark.parametrize("form", ["dense", "csr"])
def test_more_columns_than_rows(form):
    X, y = draw(100, 700, 3, seed=5)
    X[np.abs(X) < 1] = 0
    given = sp.csr_array(X) if form == "csr" else X
    for a, kwargs in ((1.0, {}), (0.5, {"factor": np.where(np.arange(700) == 3, 0.0, 1.0), "lower": -0.02})):
        model = fit(given, y, 0.05, a, **kwargs)
        assert model.solution_.status is Status.CONVERGED
        assert violation(X, y, model.intercept_, model.coef_, 0.05, a, **kwargs) < 1e-7
        assert 0 < (model.coef_ != 0).sum() < 300
    rows = Blocks(X, y.astype(np.uint8), n_classes=3)
    sample = rows.sample(1000, 0)
    coordinates = choose_coordinates(rows, sample, intercept=True, standardize=False, strength=0.1)
    one = for_classes(Penalty.of(coordinates, 0.03, 1.0), 3)
    with pytest.raises(EvenOddsError, match="in memory"):
        elastic_net(rows, coordinates, one, sample, tol=1e-4)


def test_too_many_coefficients_for_a_hessian(monkeypatch):
    monkeypatch.setattr(class_pairs, "_MOST_PAIRS", 50)
    with pytest.raises(EvenOddsError, match="More than 50 coefficients"):
        fit(*draw(100, 60), 1e-4, 0.1)


def test_extremes():
    held = fit(X0, Y0, 1e250, 0.5)
    assert not held.coef_.any()
    shares = np.log(np.bincount(Y0) / len(Y0))
    np.testing.assert_allclose(held.intercept_, shares - shares.mean(), atol=1e-9)
    free = fit(X0, Y0, 1e-9, 1.0, tol=1e-4)
    plain = LogisticRegression().fit(X0, Y0)
    np.testing.assert_allclose(free.coef_ - free.coef_[0], plain.coef_, atol=1e-5)
    twin = np.column_stack([X0, X0[:, 0], np.ones(len(Y0))])
    model = fit(twin, Y0, 0.01, 1.0)
    assert violation(twin, Y0, model.intercept_, model.coef_, 0.01, 1.0) < 1e-8
    assert not model.coef_[:, -1].any()
    bounded = LogisticRegression(lower=-0.1, upper=0.1).fit(X0, Y0)
    assert np.abs(bounded.coef_).max() <= 0.1


@pytest.mark.parametrize("bound", [{"lower": 0.0}, {"upper": 0.3}])
@pytest.mark.parametrize("factor", [None, np.array([0.0, 0.0, 1.0, 1.0, 1.0])])
def test_bounds_on_one_side_without_a_penalty(bound, factor, method):
    """A column's coefficients can be shifted together until one is at its bound, where it has no slope."""
    C, a = (np.inf, 0.0) if factor is None else (2.0, 0.5)
    for seed in range(4):
        X, y = draw(seed=seed)
        model = LogisticRegression(C, a, penalty_factor=factor, **bound).fit(X, y)
        assert model.solution_.status is Status.CONVERGED
        b, W = model.intercept_, model.coef_
        factors = 1.0 if factor is None else factor
        assert violation(X, y, b, W, 1 / (C * len(y)), a, factor=factors, **bound) < 1e-6
    if factor is None:
        free = LogisticRegression().fit(X, y)
        np.testing.assert_allclose(W - W[0], free.coef_, atol=1e-4)


def test_scales_and_a_warm_start(method):
    scale, shift = 10.0 ** np.linspace(-4, 4, 5), np.linspace(-5, 5, 5)
    one = fit(X0, Y0, 0.02, 1.0, standardize=True)
    other = fit(X0 * scale + shift * scale, Y0, 0.02, 1.0, standardize=True)
    np.testing.assert_allclose(other.coef_ * scale, one.coef_, atol=1e-7)
    model = LogisticRegression(0.5, 1.0, warm_start=True).fit(X0, Y0)
    first = model.coef_
    assert model.fit(X0, Y0).n_iter_[0] <= 2
    np.testing.assert_allclose(model.coef_, first, atol=1e-8)


# --- paths


@pytest.mark.parametrize("a", [1.0, 0.5])
@pytest.mark.parametrize("K", [3, 4])
def test_a_path(a, K, method):
    X, y = draw(150, 6, K)
    found = path(X, y, a, 12, 0.02, tol=1e-12)
    m = len(found.Cs)
    assert found.coefs.shape == (m, K, 6)
    assert found.intercepts.shape == (m, K)
    shares = np.bincount(y) / len(y)
    largest = np.abs((np.eye(K)[y] - shares).T @ X).max() / a
    assert found.Cs[0] == pytest.approx(1 / largest, rel=1e-8)
    assert not found.coefs[0].any()
    assert found.coefs[1].any()
    null = -shares @ np.log(shares)
    assert found.gaps.max() <= 1e-12 * null
    assert found.deviance_ratio[0] == pytest.approx(0, abs=1e-10)
    for C, b, W, ratio in zip(found.Cs, found.intercepts, found.coefs, found.deviance_ratio, strict=True):
        assert violation(X, y, b, W, 1 / (C * len(y)), a) * C * len(y) < 1e-4
        assert 1 - losses_of(X, y, b, W)[0].mean() / null == pytest.approx(ratio, abs=1e-10)
    one = LogisticRegression(found.Cs[6], a, tol=1e-6).fit(X, y)
    np.testing.assert_allclose(found.coefs[6], one.coef_, atol=1e-4)
    np.testing.assert_array_equal(found.coefs[6] == 0, one.coef_ == 0)
    assert "6 columns" in str(found)


def test_a_path_with_all_that_can_be_given(method):
    X, y = draw(150, 6, 3)
    rng = np.random.default_rng(2)
    given = {
        "weight": rng.integers(1, 4, 150) / 2,
        "offset": rng.standard_normal((150, 3)),
        "factor": np.array([0.0, 1, 2, 1, 1, 1]),
        "lower": np.full(6, -0.2),
        "upper": np.full(6, 0.3),
    }
    names = {"weight": "sample_weight", "factor": "penalty_factor"}
    found = path(X, y, 0.7, 6, 0.1, tol=1e-10, **{names.get(key, key): v for key, v in given.items()})
    assert not found.coefs[0][:, 1:].any()
    assert found.coefs[0][:, 0].any()
    S = given["weight"].sum()
    for C, b, W in zip(found.Cs, found.intercepts, found.coefs, strict=True):
        assert violation(X, y, b, W, 1 / (C * S), 0.7, **given) * C * S < 1e-4
        assert ((W >= -0.2) & (W <= 0.3)).all()


def test_long_steps_on_wide_data():
    X, y = draw(60, 600, 3)
    found = path(X, y, 0.5, 3, 0.05, tol=1e-9)
    for C, b, W in zip(found.Cs, found.intercepts, found.coefs, strict=True):
        assert violation(X, y, b, W, 1 / (C * 60), 0.5) * C * 60 < 1e-3
    alone = path(X, y, 0.5, Cs=[found.Cs[-1]], tol=1e-9)
    np.testing.assert_allclose(alone.coefs[0], found.coefs[-1], atol=1e-4)


def test_a_path_of_ridges(method):
    X, y = draw(150, 6, 3)
    found = path(X, y, 0.0, 5, 0.01, tol=1e-10)
    for C, W in zip(found.Cs, found.coefs, strict=True):
        np.testing.assert_allclose(W, LogisticRegression(C, tol=1e-8).fit(X, y).coef_, atol=1e-4)


def test_pictures():
    X, y = load_iris(return_X_y=True, as_frame=True)
    found = path(X, y.map(dict(enumerate("abc"))), n_C=6, min_ratio=0.05)
    texts = [text.get_text() for text in plots.path(found).texts]
    assert any(text.endswith("[c]") for text in texts)
    one = plots.path(found, label="b")
    assert one.get_title() == "class b"
    assert len(one.lines) <= 5
    with pytest.raises(EvenOddsError, match="label chooses"):
        plots.path(found, label="d")
    plt.close("all")


# --- cross-validation


@pytest.mark.parametrize("scoring", [None, "accuracy", "roc_auc_ovr"])
def test_cross_validation(scoring, tmp_path):
    weight = np.random.default_rng(0).integers(1, 4, len(Y0)).astype(float)
    Cs = [0.05, 0.5]
    model = LogisticRegressionCV(Cs, (0.5, 1.0), cv=3, scoring=scoring).fit(X0, Y0, weight)
    metric = {
        None: lambda y, P, w: -log_loss(y, P, sample_weight=w),
        "accuracy": lambda y, P, w: accuracy_score(y, P.argmax(axis=1), sample_weight=w),
        "roc_auc_ovr": lambda y, P, w: roc_auc_score(y, P, multi_class="ovr", sample_weight=w),
    }[scoring]
    for k, (train, test) in enumerate(StratifiedKFold(3).split(X0, Y0)):
        one = LogisticRegression(Cs[1], 1.0, tol=1e-6).fit(X0[train], Y0[train], weight[train])
        score = metric(Y0[test], one.predict_proba(X0[test]), weight[test])
        assert model.scores_[1, 1, k] == pytest.approx(score, abs=1e-5)
    assert model.coef_.shape == (3, 5)
    save(model, tmp_path / "model.json")
    np.testing.assert_array_equal(load(tmp_path / "model.json").predict_proba(X0), model.predict_proba(X0))
    if scoring is not None:
        return
    simple = LogisticRegressionCV([0.05, 0.2, 0.5], cv=3, rule="1se").fit(X0, Y0, weight)
    assert simple.C_ <= LogisticRegressionCV([0.05, 0.2, 0.5], cv=3).fit(X0, Y0, weight).C_


def test_an_offset_counts_in_the_scores():
    shift = np.random.default_rng(3).standard_normal((len(Y0), 3))
    model = LogisticRegressionCV([0.5], cv=3).fit(X0, Y0, offset=shift)
    train, test = next(iter(StratifiedKFold(3).split(X0, Y0)))
    one = LogisticRegression(0.5, 1.0, tol=1e-6).fit(X0[train], Y0[train], offset=shift[train])
    losses, _ = losses_of(X0[test], Y0[test], one.intercept_, one.coef_, shift[test])
    assert model.scores_[0, 0, 0] == pytest.approx(-losses.mean(), abs=1e-6)


def test_classes_that_are_too_rare():
    y = Y0.copy()
    y[y == 2] = 1
    y[0] = 2
    with pytest.warns(UserWarning, match="least populated class in y has only 1 members"):
        rare = LogisticRegressionCV([0.1, 1.0]).fit(X0, y)
    folds = LogisticRegressionCV([0.1, 1.0], cv=KFold(3)).fit(X0, y)  # the first learns without class 2
    for model in (rare, folds):
        assert np.isfinite(model.scores_).all()
        assert model.estimator_.classes_.tolist() == [0, 1, 2]
    train, test = next(KFold(3).split(X0))
    two = LogisticRegression(C=1.0, l1_ratio=1.0).fit(X0[train], y[train])
    own = two.predict_log_proba(X0[test][1:])[np.arange(len(test) - 1), y[test][1:]]
    least = np.log(np.finfo(float).eps)  # as scikit-learn counts a probability of 0
    assert folds.scores_[0, 1, 0] == pytest.approx((own.sum() + least) / len(test), rel=1e-3)
    with pytest.raises(EvenOddsError, match="roc_auc_ovr"):
        LogisticRegressionCV([0.1, 1.0], scoring="roc_auc").fit(X0, Y0)


# --- what is given


def test_bad_input(method):
    bad = X0.copy()
    bad[7, 2] = np.nan
    with pytest.raises(NonFiniteError, match="column 2, row 7"):
        fit(bad, Y0, 0.1, 1.0)
    with pytest.raises(NonFiniteError, match="column 2, row 7"):
        path(bad, Y0)
    with pytest.raises(EvenOddsError, match="offset has shape"):
        path(X0, Y0, offset=np.zeros(len(Y0)))
    with pytest.raises(EvenOddsError, match="cross"):
        fit(X0, Y0, 0.1, 1.0, lower=1, upper=0)
    with pytest.raises(EvenOddsError, match="All rows that have a weight are of class 1"):
        path(X0, Y0, sample_weight=(Y0 == 1).astype(float))
    with pytest.raises(EvenOddsError, match="anything to tell"):
        path(X0, Y0, penalty_factor=np.zeros(5))


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("width", [3, 60])  # a Hessian of all coefficients, or a working set
def test_free_columns_that_are_nearly_collinear_are_told_apart(l1_ratio, width):
    """A column and one that is 1e-6 beside it, both without penalty, can do what the column and the difference can."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, width))
    y = (X[:, 1] + X[:, 2] + 3 * rng.normal(size=80) > 0).astype(int) + (rng.random(80) < 0.4)
    near = X.copy()
    near[:, 2] = X[:, 1] + 1e-6 * X[:, 2]
    factor = np.r_[1.0, 0.0, 0.0, np.ones(width - 3)]
    model = LogisticRegression(C=0.2, l1_ratio=l1_ratio, penalty_factor=factor)
    apart, collinear = (clone(model).fit(D, y) for D in (X, near))
    for model in (apart, collinear):
        assert model.solution_.status is Status.CONVERGED
        assert model.solution_.iterations < 100
    assert abs(collinear.solution_.loss - apart.solution_.loss) < 1e-9


def test_wide_columns_far_from_zero_keep_their_digits():
    """A lasso of many columns is the same wherever these have their means: 1e7 deviations leave 9 digits of them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 300))
    y = np.argmax(X[:, :3] + rng.gumbel(size=(80, 3)), axis=1)
    near, far = (LogisticRegression(C=0.1, l1_ratio=1.0).fit(D, y) for D in (X, X + 1e7))
    assert far.solution_.status is Status.CONVERGED
    np.testing.assert_allclose(far.coef_, near.coef_, atol=1e-8)
