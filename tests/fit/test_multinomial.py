"""More than two classes: fits, homes, separation and predictions, against other systems and plain NumPy."""

import itertools
import pickle
import warnings

import mpmath
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linprog
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression as Theirs
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evenodds import SGD, CollinearWarning, EvenOddsError, LogisticRegression, SeparationWarning, Status
from evenodds.coordinates import choose_coordinates
from evenodds.data import as_data
from evenodds.objective import TWO, Classes, Objective
from evenodds.objective.softmax import Softmax
from homes import Blocks, solve
from oracle import case, numbers, quiet

SOLVERS = ("newton", "quasi-newton")


def draw(n=300, p=4, K=3, seed=0, size=1.0):
    """Rows of which some of every class lie among those of the others."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    scores = X @ (size * rng.normal(size=(p, K))) + 0.5 * rng.normal(size=K)
    return X, (scores + rng.gumbel(size=(n, K))).argmax(axis=1)


X0, Y0 = draw()


def table(model):
    """Intercepts and coefficients, (K, p + 1)."""
    return np.column_stack([model.intercept_, model.coef_])


def fitted(X, y, *args, sample_weight=None, offset=None, **parameters):
    return LogisticRegression(*args, **parameters).fit(X, y, sample_weight, offset)


# Plain NumPy


def log_probabilities(scores):
    top = scores.max(axis=1, keepdims=True)
    return scores - top - np.log(np.exp(scores - top).sum(axis=1, keepdims=True))


def plain_objective(X, y, W, *, weight=None, offset=None, strength=0.0):
    """J at W (K, p + 1), intercepts first, from its definition, in extended precision."""
    s = np.ones(len(y)) if weight is None else weight
    W = W.astype(np.longdouble)
    scores = X.astype(np.longdouble) @ W[:, 1:].T + W[:, 0] + (0 if offset is None else offset)
    losses = -log_probabilities(scores)[np.arange(len(y)), y]
    return s @ losses / s.sum() + strength / 2 * np.sum(W[:, 1:] ** 2)


def information(X, y, W, weight=None, strength=0.0):
    """The Hessian of S J by W in one vector, class after class."""
    s = np.ones(len(y)) if weight is None else weight
    D = np.column_stack([np.ones(len(y)), X])
    P = np.exp(log_probabilities(D @ W.T))
    K, k = W.shape
    H = np.empty((K, k, K, k))
    for a, b in itertools.product(range(K), repeat=2):
        H[a, :, b] = D.T @ ((s * P[:, a] * ((a == b) - P[:, b]))[:, None] * D)
        H[a, :, b] += (a == b) * strength * s.sum() * np.diag([0] + [1] * (k - 1))
    return H.reshape(K * k, K * k)


def standard_errors(X, y, W, *, weight=None, strength=0.0):
    """(K, p + 1); of a baseline 0."""
    H = information(X, y, W, weight, strength)
    K, k = W.shape
    if strength == 0:
        V = np.zeros_like(H)
        V[k:, k:] = np.linalg.inv(H[k:, k:])
    else:
        together = np.zeros(K * k)
        together[::k] = 1.0
        V = np.linalg.inv(H + np.outer(together, together)) - np.outer(together, together) / K**2
    return np.sqrt(np.maximum(np.diag(V), 0)).reshape(K, k)


def objective_of(X, y, n_classes, *, ridge=0.0, baseline=True, weight=None, offset=None, classes=None):
    """Over rows in memory, in coordinates of their own, with a penalty of `ridge` on raw coefficients."""
    data = as_data(X, y, weight, offset, n_jobs=1, n_classes=n_classes)
    sample = data.sample(data.n_rows, 0)
    coordinates = choose_coordinates(data, sample, intercept=True, standardize=False, strength=ridge)
    pull = ridge / coordinates.scale**2
    several = Classes(n_classes - baseline, baseline, several=True, loss=Softmax)
    return Objective(data, coordinates, pull, classes or several)


@pytest.mark.parametrize("baseline", [True, False])
@pytest.mark.parametrize("given", ["plain", "weight", "offset", "far"])
def test_value_gradient_and_hessian(baseline, given):
    rng = np.random.default_rng(1)
    X, y = draw(60, 3, 4)
    X = X * [1.0, 30.0, 1e-3] + [0.0, 5.0, 1.0 if given == "far" else 0.0]
    weight = rng.uniform(0.1, 3, 60) if given == "weight" else None
    offset = rng.normal(size=(60, 4)) if given == "offset" else None
    objective = objective_of(X, y, 4, ridge=0.1, baseline=baseline, weight=weight, offset=offset)
    theta = rng.normal(size=objective.n_coef)

    def raw(theta):
        return np.column_stack(objective.to_coef(theta))

    value, gradient, hessian = objective.value_grad_hess(theta)
    truth = plain_objective(X, y, raw(theta), weight=weight, offset=offset, strength=0.1)
    assert_allclose(value, float(truth), rtol=1e-13)
    assert_allclose(objective.value_grad(theta)[0], value, rtol=1e-13)
    assert_allclose(objective.value_grad(theta)[1], gradient, rtol=1e-11, atol=1e-13)
    h = 1e-4
    for j, step in enumerate(h * np.eye(theta.size)):
        ends = [objective.value_grad(theta + sign * step) for sign in (1, -1)]
        truths = [
            plain_objective(X, y, raw(theta + sign * step), weight=weight, offset=offset, strength=0.1)
            for sign in (1, -1)
        ]
        assert gradient[j] == pytest.approx(float(truths[0] - truths[1]) / (2 * h), rel=1e-6, abs=1e-8)
        change = (ends[0][1] - ends[1][1]) / (2 * h)
        if not baseline:  # the curvature that the intercepts have been given along what changes nothing
            change[:: theta.size // 4] += (j % (theta.size // 4) == 0) / 4
        assert_allclose(hessian[j], change, rtol=1e-5, atol=1e-7)
    assert_allclose(hessian, hessian.T, rtol=1e-12)
    assert objective.from_coef(*objective.to_coef(theta)).shape == theta.shape
    assert_allclose(raw(objective.from_coef(*objective.to_coef(theta))), raw(theta), rtol=1e-10, atol=1e-12)


def test_two_classes_are_the_binary_objective():
    X, y = draw(80, 3, 2)
    rng = np.random.default_rng(0)
    weight, offset = rng.uniform(0.5, 2, 80), rng.normal(size=80)
    both = np.column_stack([rng.normal(size=80), np.zeros(80)])
    both[:, 1] = both[:, 0] + offset
    binary = objective_of(X, y, 2, ridge=0.2, weight=weight, offset=offset, classes=TWO)
    theta = rng.normal(size=4)
    value, gradient, hessian = binary.value_grad_hess(theta)
    softmax = objective_of(X, y, 2, ridge=0.2, weight=weight, offset=both)
    found = softmax.value_grad_hess(theta)
    assert_allclose(found[0], value, rtol=1e-14)
    assert_allclose(found[1], gradient, rtol=1e-13, atol=1e-15)
    assert_allclose(found[2], hessian, rtol=1e-13, atol=1e-15)
    # Half to each class, the squares of the coefficients sum to a half: twice the penalty is the same.
    data = (softmax.data, softmax.coordinates)
    symmetric = Objective(*data, 2 * binary.ridge, Classes(2, baseline=False, several=True, loss=Softmax))
    halves = np.concatenate([-theta / 2, theta / 2])
    assert_allclose(symmetric.value_grad(halves)[0], value, rtol=1e-14)
    assert_allclose(symmetric.value_grad(halves)[1], np.concatenate([-gradient, gradient]), rtol=1e-12, atol=1e-15)


# Known truths


@pytest.mark.parametrize("solver", SOLVERS)
def test_programme_choice(solver):
    record, columns = case("a08_hsbdemo")
    terms = ["ses_middle", "ses_high", "write"]
    X, y = np.column_stack([columns[term] for term in terms]), columns["prog"].astype(int)
    model = fitted(X, y, solver=solver, tol=1e-9)
    assert_array_equal(table(model)[0], 0)
    assert_allclose(table(model)[1:], [numbers(row) for row in record["truth"]["coef"]], rtol=1e-10)
    assert_allclose(-200 * model.solution_.loss, float(record["truth"]["loglik"]), rtol=1e-13)
    errors = standard_errors(X, y, table(model))[1:]
    assert_allclose(errors, [numbers(row) for row in record["truth"]["se"]], rtol=1e-8)
    published = record["published"][0]
    assert_allclose(
        table(model)[1:], published["values"]["coef"], rtol=1.01 * published["agreement_coef"]["max_rel_diff"]
    )
    # The intercept as a column of its own
    explicit = np.column_stack([columns["const"], X])
    bare = fitted(explicit, y, fit_intercept=False, solver=solver, tol=1e-9)
    assert_array_equal(bare.intercept_, 0)
    assert_allclose(bare.coef_, table(model), rtol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_nine_rows_with_a_ridge(solver):
    record, columns = case("c03_glmnet9_ridge")
    X, y = np.column_stack([columns["a"], columns["b"]]), columns["y3"].astype(int)
    model = fitted(X, y, 1 / 9, solver=solver, tol=1e-9)
    truth = record["truth"]["multinomial"]
    expected = np.array([numbers(row) for row in truth["coef"]])
    assert_allclose(table(model), expected, rtol=1e-10, atol=1e-11 * np.abs(expected).max())
    published, agreement = record["published"][0], record["published"][0]["agreement_multinomial"]
    assert_allclose(table(model), published["values"]["multinomial"], rtol=0, atol=1.01 * agreement["max_abs_diff"])
    assert_allclose(table(model).sum(axis=0), 0, atol=1e-14)


# Other systems


@pytest.mark.parametrize("C", [1.0, 0.01, 100.0])
@pytest.mark.parametrize("K", [3, 5])
@pytest.mark.parametrize("solver", SOLVERS)
def test_scikit_learn_finds_the_same(C, K, solver):
    X, y = draw(300, 4, K)
    theirs = Theirs(C=C, tol=1e-13, max_iter=10_000).fit(X, y)
    ours = fitted(X, y, C, solver=solver, tol=1e-8)
    assert_allclose(ours.coef_, theirs.coef_, atol=2e-6)
    assert_allclose(ours.intercept_, theirs.intercept_ - theirs.intercept_.mean(), atol=2e-6)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    assert_allclose(ours.predict_log_proba(X), np.log(ours.predict_proba(X)), rtol=1e-12)
    assert_array_equal(ours.predict(X), theirs.predict(X))
    assert_allclose(ours.coef_.sum(axis=0), 0, atol=1e-11)
    assert_allclose(ours.intercept_.sum(), 0, atol=1e-13)
    ours_value, theirs_value = (plain_objective(X, y, table(m), strength=1 / (300 * C)) for m in (ours, theirs))
    assert ours_value <= theirs_value
    assert_allclose(ours.solution_.loss, float(ours_value), rtol=1e-12)


@pytest.mark.parametrize("K", [3, 4])
def test_statsmodels_finds_the_same(K):
    X, y = draw(300, 3, K)
    theirs = sm.MNLogit(y, sm.add_constant(X)).fit(method="newton", tol=1e-14, disp=0)
    for solver in SOLVERS:
        model = fitted(X, y, solver=solver, tol=1e-8)
        assert_allclose(table(model)[1:], theirs.params.T, rtol=1e-8, atol=1e-9)
        assert_allclose(-300 * model.solution_.loss, theirs.llf, rtol=1e-12)
        assert_allclose(standard_errors(X, y, table(model))[1:], theirs.bse.T, rtol=1e-6)


# Both solvers, all homes and forms

FORMS = {
    "C": lambda X: np.ascontiguousarray(X, dtype=float),
    "F": lambda X: np.asfortranarray(X, dtype=float),
    "float32": lambda X: X.astype(np.float32),
    "float32 F": lambda X: np.asfortranarray(X, dtype=np.float32),
    "int8": lambda X: X.astype(np.int8),
    "every second": lambda X: np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2],
    "CSR": lambda X: sp.csr_array(X.astype(float)),
    "CSR float32": lambda X: sp.csr_array(X.astype(np.float32)),
    "CSC": lambda X: sp.csc_array(X.astype(float)),
    "frame": lambda X: pd.DataFrame(X, columns=list("abcd")),
}
WHOLE = np.rint(0.6 * X0)


@pytest.mark.parametrize("C", [np.inf, 1.0])
@pytest.mark.parametrize("solver", SOLVERS)
def test_every_form_gives_the_same(C, solver):
    truth = fitted(WHOLE, Y0, C, solver="newton")
    for name, make in FORMS.items():
        model = fitted(make(WHOLE), Y0, C, solver=solver, tol=1e-8)
        assert_allclose(table(model), table(truth), rtol=1e-9, atol=1e-10, err_msg=name)
        assert_allclose(model.predict_proba(make(WHOLE)), truth.predict_proba(WHOLE), atol=1e-9, err_msg=name)


@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, np.float32, sp.csr_array])
@pytest.mark.parametrize("C", [np.inf, 0.1])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_home_of_blocks(make, C, solver):
    rng = np.random.default_rng(0)
    weight, offset = rng.uniform(0.5, 2, 300), 0.3 * rng.normal(size=(300, 3))
    X = make(WHOLE.astype(float))
    b, w, solution = solve(Blocks(X, Y0, weight, offset, cuts=(7, 100, 163), n_classes=3), solver, C=C, tol=1e-8)
    truth = fitted(X, Y0, C, sample_weight=weight, offset=offset, tol=1e-8)
    assert solution.status is Status.CONVERGED
    assert_allclose(b, truth.intercept_, rtol=1e-8, atol=1e-9)
    assert_allclose(w, truth.coef_, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("C", [np.inf, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_solvers_agree(C, seed):
    X, y = draw(400, 5, 3 + seed, seed, size=1.5)
    a, b = (fitted(X, y, C, solver=solver, tol=1e-9) for solver in SOLVERS)
    assert (a.solution_.solver, b.solution_.solver) == SOLVERS
    assert a.solution_.status is b.solution_.status is Status.CONVERGED
    assert_allclose(table(b), table(a), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("make", [np.asarray, sp.csr_array])
def test_many_rows_in_several_blocks_and_any_number_of_threads(make):
    X, y = draw(40_000, 15, 4, size=0.3)
    X = X * (np.abs(X) > 0.5)
    found = [fitted(make(X), y, C, n_jobs=jobs) for C in (np.inf, 1.0) for jobs in (1, 2)]
    for one, two in (found[:2], found[2:]):
        assert one.coef_.tobytes() == two.coef_.tobytes()
        assert one.intercept_.tobytes() == two.intercept_.tobytes()
        assert one.solution_.status is Status.CONVERGED
    truth = fitted(X, y, solver="newton")
    far = np.abs(table(found[0]) - table(truth))[1:] / standard_errors(X, y, table(truth))[1:]
    assert far.max() < 1e-4


@pytest.mark.parametrize("C", [np.inf, 0.05])
@pytest.mark.parametrize("tol", [1e-1, 1e-2, 1e-4])
@pytest.mark.parametrize("solver", SOLVERS)
def test_what_tol_promises(tol, solver, C):
    """No coefficient is further from the optimum than tol of its standard error."""
    for seed in range(6):
        K = 3 + seed % 4
        X, y = draw(250 + 300 * (seed % 3), 2 + seed, K, seed, size=0.3 + 0.3 * (seed % 3))
        X = X @ np.random.default_rng(seed).normal(size=(X.shape[1],) * 2) + seed  # correlated
        truth = fitted(X, y, C, solver="newton", tol=1e-10)
        model = fitted(X, y, C, solver=solver, tol=tol)
        strength = 1 / (C * len(y))
        errors = standard_errors(X, y, table(truth), strength=strength)[int(strength == 0) :]
        far = np.abs(table(model) - table(truth))[int(strength == 0) :] / errors
        assert far.max() <= tol + 1e-7, seed
        assert model.solution_.error <= tol


# Weights, offsets, labels


@pytest.mark.parametrize("C", [np.inf, 1.0])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_weight_of_two_is_a_row_twice(C, solver):
    weight = 1.0 + (np.arange(300) % 3 == 0)
    weight[::7] = 0
    rows = np.repeat(np.arange(300), weight.astype(int))
    a = fitted(X0, Y0, C, sample_weight=weight, solver=solver, tol=1e-8)
    b = fitted(X0[rows], Y0[rows], C, solver=solver, tol=1e-8)
    assert_allclose(table(a), table(b), rtol=1e-9, atol=1e-11)
    assert_allclose(a.solution_.loss, b.solution_.loss, rtol=1e-12)


def test_class_weights_are_weights_of_rows():
    labels = np.array(["a", "b", "c"])[Y0]
    factors = {"a": 0.5, "b": 2.0, "c": 1.0}
    weight = np.array([0.5, 2.0, 1.0])[Y0]
    for C in (np.inf, 1.0):
        a = fitted(X0, labels, C, class_weight=factors)
        assert_allclose(table(a), table(fitted(X0, labels, C, sample_weight=weight)), rtol=1e-12)
    totals = np.bincount(Y0)
    a = fitted(X0, labels, 1.0, class_weight="balanced")
    b = fitted(X0, labels, 1.0, sample_weight=(300 / (3 * totals))[Y0])
    assert_allclose(table(a), table(b), rtol=1e-10)
    theirs = Theirs(C=1.0, class_weight="balanced", tol=1e-12, max_iter=5000).fit(X0, labels)
    assert_allclose(a.coef_, theirs.coef_, atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_offsets_are_parts_of_the_scores(solver):
    rng = np.random.default_rng(3)
    W, b = rng.normal(size=(3, 4)), rng.normal(size=3)
    W[0], b[0] = 0, 0
    offset = X0 @ W.T + b
    # A linear offset takes its part from the coefficients; the same number for all classes changes nothing.
    plain, shifted = fitted(X0, Y0, solver=solver, tol=1e-8), fitted(X0, Y0, offset=offset, solver=solver, tol=1e-8)
    assert_allclose(shifted.coef_ + W, plain.coef_, atol=1e-9)
    assert_allclose(shifted.intercept_ + b, plain.intercept_, atol=1e-9)
    for C in (np.inf, 1.0):
        a = fitted(X0, Y0, C, offset=offset, solver=solver, tol=1e-8)
        b = fitted(X0, Y0, C, offset=offset + rng.normal(size=(300, 1)), solver=solver, tol=1e-8)
        assert_allclose(table(a), table(b), atol=1e-9)
    gradient_at = plain_objective(X0, Y0, table(a), offset=offset, strength=1 / 300)
    for step in 1e-3 * rng.normal(size=(5, 3, 5)):
        assert plain_objective(X0, Y0, table(a) + step, offset=offset, strength=1 / 300) > gradient_at
    as_frame = fitted(X0, Y0, 1.0, offset=pd.DataFrame(offset), solver=solver, tol=1e-8)
    assert_array_equal(table(as_frame), table(a))


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        (np.zeros(300), r"\(300,\), expected \(300, 3\)"),
        (np.zeros((300, 2)), r"expected \(300, 3\)"),
        (np.full((300, 3), np.nan), "offset is not finite, first in row 0"),
        ([["a"] * 3] * 300, "not numeric"),
    ],
)
def test_wrong_offsets(offset, words):
    with pytest.raises(EvenOddsError, match=words):
        fitted(X0, Y0, offset=offset)


@pytest.mark.parametrize("C", [np.inf, 0.5])
@pytest.mark.parametrize("solver", SOLVERS)
def test_without_an_intercept(C, solver):
    model = fitted(X0, Y0, C, fit_intercept=False, solver=solver, tol=1e-8)
    assert_array_equal(model.intercept_, 0)
    if np.isfinite(C):
        theirs = Theirs(C=C, fit_intercept=False, tol=1e-12, max_iter=5000).fit(X0, Y0)
        assert_allclose(model.coef_, theirs.coef_, atol=1e-6)
    else:
        theirs = sm.MNLogit(Y0, X0).fit(method="newton", tol=1e-14, disp=0)
        assert_allclose(model.coef_[1:], theirs.params.T, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_penalty_in_standard_deviations(solver):
    X = X0 * [1.0, 100.0, 1e-3, 5.0] + [0, 3, 0, 7]
    weight = np.random.default_rng(0).uniform(0.2, 2, 300)
    model = fitted(X, Y0, 0.1, standardize=True, sample_weight=weight, solver=solver, tol=1e-8)
    mean = np.average(X, axis=0, weights=weight)
    scale = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    scaled = fitted((X - mean) / scale, Y0, 0.1, sample_weight=weight, solver=solver, tol=1e-8)
    assert_allclose(model.coef_, scaled.coef_ / scale, rtol=1e-8, atol=1e-12)
    assert_allclose(model.intercept_, scaled.intercept_ - model.coef_ @ mean, rtol=1e-8, atol=1e-9)
    a, b = (fitted(X, Y0, standardize=yes, solver=solver, tol=1e-8) for yes in (True, False))
    assert_allclose(table(a), table(b), rtol=1e-8, atol=1e-11)


LABELS = {
    "str": ["no", "maybe", "yes"],
    "int": [7, -3, 2**40],
    "float": [1.5, 2.0, -1.0],
    "bool-like objects": ["True", "False", "unknown"],
    "int8": np.array([-128, 0, 127], np.int8),
}


@pytest.mark.parametrize("kind", [k for k in LABELS if k != "float"])
@pytest.mark.parametrize("container", [np.asarray, list, pd.Series, lambda y: np.asarray(y, dtype=object)])
def test_labels(kind, container):
    labels = np.asarray(LABELS[kind])
    order = np.argsort(labels)
    y = labels[order][Y0]
    model = fitted(X0, container(y), 1.0)
    assert model.classes_.tolist() == sorted(LABELS[kind])
    assert_allclose(table(model), table(fitted(X0, Y0, 1.0)), rtol=1e-12)
    assert set(model.predict(X0).tolist()) <= set(LABELS[kind])
    assert model.score(X0, y) == np.mean(model.predict(X0) == y)


def test_other_numbers_for_the_classes_change_only_their_order():
    turned = np.array([2, 0, 1])
    for C in (np.inf, 1.0):
        a, b = fitted(X0, Y0, C), fitted(X0, turned[Y0], C)
        W = table(b)[turned]
        assert_allclose(W - W[0] * (np.isinf(C)), table(a), rtol=1e-9, atol=1e-11)


def test_two_kinds_of_zero_weight():
    weight = (Y0 != 1).astype(float)
    without = fitted(X0[Y0 != 1], Y0[Y0 != 1])
    ways = {"sample_weight": weight}, {"class_weight": {0: 1, 1: 0, 2: 1}}
    for way in ways:
        model = fitted(X0, Y0, **way)
        assert_allclose(model.predict_proba(X0)[:, [0, 2]], without.predict_proba(X0), rtol=1e-9)
        assert not model.predict_proba(X0)[:, 1].any()
    balanced = fitted(X0, Y0, sample_weight=weight, class_weight="balanced")
    without = fitted(X0[Y0 != 1], Y0[Y0 != 1], class_weight="balanced")
    assert_allclose(balanced.predict_proba(X0)[:, [0, 2]], without.predict_proba(X0), rtol=1e-9)
    with pytest.raises(EvenOddsError, match="class_weight"):
        fitted(X0, Y0, class_weight={0: 1, 9: 1})
    with pytest.raises(EvenOddsError, match=r"Firth's fit is for two classes, and y holds 3: 0, 1, 2\."):
        fitted(X0, Y0, firth=True)


# Degenerate columns, far means, many columns


@pytest.mark.parametrize("solver", SOLVERS)
def test_collinear_columns_are_aliased(solver):
    X = np.column_stack([X0, X0[:, 0] - X0[:, 1], np.ones(300)])
    with pytest.warns(CollinearWarning, match="Columns 4, 5 are"):
        model = fitted(X, Y0, solver=solver, tol=1e-8)
    assert model.aliased_ == (4, 5)
    assert_array_equal(model.coef_[:, 4:], 0)
    assert_allclose(model.coef_[:, :4], fitted(X0, Y0).coef_, rtol=1e-8, atol=1e-9)
    shared = fitted(X, Y0, 1.0, solver=solver, tol=1e-8)
    assert shared.aliased_ == ()
    theirs = Theirs(C=1.0, tol=1e-12, max_iter=5000).fit(X, Y0)
    assert_allclose(shared.coef_, theirs.coef_, atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray])
@pytest.mark.parametrize("C", [np.inf, 1.0])
def test_means_far_from_zero_cost_no_digits(solver, make, C):
    shift = np.array([1e6, -1e6, 1e3, 0.0])
    far = WHOLE + shift  # whole numbers, so that the shifted ones are exact
    a, b = (fitted(make(X), Y0, C, solver=solver, tol=1e-8) for X in (WHOLE, far))
    assert_allclose(b.coef_, a.coef_, rtol=1e-8, atol=1e-9)
    assert_allclose(b.intercept_ + b.coef_ @ shift, a.intercept_, atol=1e-8)
    assert_allclose(b.predict_proba(far), a.predict_proba(WHOLE), atol=1e-8)


@pytest.mark.parametrize("make", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("solver", SOLVERS)
def test_more_columns_than_rows(make, solver):
    X, y = draw(60, 100, 3)
    X = X * (np.abs(X) > 1)
    model = fitted(make(X), y, 1.0, solver=solver, tol=1e-8)
    theirs = Theirs(C=1.0, tol=1e-12, max_iter=10_000).fit(X, y)
    assert model.solution_.status is Status.CONVERGED
    assert_allclose(model.coef_, theirs.coef_, atol=2e-6)


@pytest.mark.parametrize("K", [3, 5, 8, 12])
def test_many_classes(K):
    X, y = draw(1500, 3, K, seed=K, size=0.5)
    for C in (np.inf, 1.0):
        found = [fitted(X, y, C, solver=solver, tol=1e-8) for solver in SOLVERS]
        assert found[0].coef_.shape == (K, 3)
        assert found[0].intercept_.shape == found[0].classes_.shape == (K,)
        assert_allclose(table(found[1]), table(found[0]), rtol=1e-7, atol=1e-8)
        P = found[0].predict_proba(X)
        assert_allclose(P.sum(axis=1), 1, rtol=1e-14)
        if np.isinf(C):  # with an intercept and no penalty, mean probabilities are the shares
            assert_allclose(P.sum(axis=0), np.bincount(y), rtol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_rare_classes(solver):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(20_000, 3))
    y = np.zeros(20_000, int)
    y[rng.choice(20_000, 8, replace=False)] = 1
    y[rng.choice(np.flatnonzero(y == 0), 9000, replace=False)] = 2
    for C in (np.inf, 1.0):
        a = fitted(X, y, C, solver="newton", tol=1e-8)
        b = fitted(X, y, C, solver=solver, tol=1e-8)
        assert a.solution_.status is b.solution_.status is Status.CONVERGED
        assert_allclose(table(b), table(a), rtol=1e-6, atol=1e-7)
    assert_allclose(fitted(X, y).predict_proba(X).sum(axis=0), np.bincount(y), rtol=1e-7)


# Starts, parts, mini-batches


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("C", [np.inf, 1.0])
def test_a_warm_start_takes_fewer_passes_to_the_same_answer(solver, C):
    model = LogisticRegression(C, solver=solver, warm_start=True, tol=1e-6).fit(X0, Y0)
    cold, passes = table(model), model.solution_.passes
    model.fit(X0, Y0)
    assert model.solution_.passes < passes
    assert_allclose(table(model), cold, rtol=1e-6, atol=1e-8)
    for far in (1e3, 1e200, 1e308, np.nan):
        model.coef_ = np.full_like(model.coef_, far)
        model.coef_[0] *= -1
        assert_allclose(table(model.fit(X0, Y0)), cold, rtol=1e-6, atol=1e-7)
    model.fit(X0, Y0 > 0)
    assert model.coef_.shape == (1, 4)
    model.fit(X0, Y0)
    assert_allclose(table(model), cold, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("C", [np.inf, 1.0])
@pytest.mark.parametrize("make", [np.asarray, sp.csr_array])
def test_mini_batches_approach_the_optimum(C, make):
    X = make(X0)
    model = fitted(X, Y0, C, solver=SGD(batch_size=30, epochs=100, learning_rate=0.1))
    history = model.solution_.history
    best = fitted(X, Y0, C)
    assert history.size == 100
    assert (np.diff(history[:8]) < 0).all()
    assert history[-1] < best.solution_.loss + 2e-3
    assert history[-1] >= best.solution_.loss
    assert_allclose(model.predict_proba(X), best.predict_proba(X), atol=0.05)
    assert model.solution_.status is Status.EPOCHS
    assert np.isfinite(model.solution_.gap)
    if np.isinf(C):
        assert_array_equal(table(model)[0], 0)
    again = fitted(X, Y0, C, solver=SGD(batch_size=30, epochs=100, learning_rate=0.1))
    assert_array_equal(table(again), table(model))


def test_partial_fit_learns_all_classes():
    X, y = draw(3000)
    labels = np.array(["a", "b", "c"])[y]
    model = LogisticRegression(solver=SGD(learning_rate=0.1, batch_size=20))
    first = labels[:100] != "c"
    model.partial_fit(X[:100][first], labels[:100][first], classes=["c", "a", "b"])
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.coef_.shape == (3, 4)
    for start in range(100, 3000, 100):
        model.partial_fit(X[start : start + 100], labels[start : start + 100])
    loss = -model.predict_log_proba(X)[np.arange(3000), y].mean()
    assert loss < fitted(X, y).solution_.loss + 0.04
    assert model.n_iter_[0] == 30
    with pytest.raises(EvenOddsError, match="differ from those of the first call"):
        model.partial_fit(X, labels, classes=["a", "b"])
    with pytest.raises(EvenOddsError, match=r"not in classes: \['d'\]"):
        model.partial_fit(X[:2], ["a", "d"])


def test_copies_searches_and_scores():
    labels = np.array(["a", "b", "c"])[Y0]
    model = LogisticRegression(1.0, class_weight={"a": 1, "b": 2, "c": 1}).fit(X0, labels)
    for other in (pickle.loads(pickle.dumps(model)), clone(model).fit(X0, labels)):
        assert_array_equal(other.predict_proba(X0), model.predict_proba(X0))
    weight = np.random.default_rng(0).uniform(0, 3, 300)
    right = model.predict(X0) == labels
    assert model.score(X0, labels, weight) == pytest.approx(weight @ right / weight.sum())
    search = GridSearchCV(LogisticRegression(), {"C": [1e-4, 1.0]}, scoring="neg_log_loss", cv=3).fit(X0, labels)
    assert search.best_params_ == {"C": 1.0}


@pytest.mark.parametrize("solver", [*SOLVERS, SGD(epochs=3)])
def test_warnings_point_at_the_line_that_called(solver):
    X = np.column_stack([X0, Y0 == 2])
    _, caught = quiet(lambda: make_pipeline(StandardScaler(), LogisticRegression(solver=solver)).fit(X, Y0))
    assert [(one.category, one.filename) for one in caught] == [(SeparationWarning, __file__)]


# Predictions


def with_coef(coef, intercept=0.0):
    model = fitted(np.vstack([np.eye(len(coef[0]))] * 3), np.arange(3).repeat(len(coef[0])), 1.0)
    model.coef_, model.intercept_ = np.array(coef, dtype=float), np.full(3, intercept)
    return model


@pytest.mark.parametrize("make", [np.array, sp.csr_array])
@pytest.mark.parametrize("z", [0.0, 1e-300, 1.0, 40.0, 746.0, 1e5, 1e300])
def test_probabilities_at_any_score(make, z):
    model = with_coef([[1.0], [-1.0], [0.0]])
    for x in (z, -z):
        X = make([[x]])
        scores = [mpmath.mpf(x), -mpmath.mpf(x), mpmath.mpf(0)]
        with mpmath.workdps(400):
            rest = [mpmath.exp(max(z - abs(x), -(10**4))) for z in scores]
            rest.remove(max(rest))
            truth = [z - abs(x) - mpmath.log1p(sum(rest)) for z in scores]
            odds = [mpmath.exp(max(z, -(10**4))) for z in truth]
        assert_allclose(model.predict_log_proba(X)[0], [float(z) for z in truth], rtol=1e-15, atol=1e-320)
        assert_allclose(model.predict_proba(X)[0], [float(p) for p in odds], rtol=1e-15, atol=1e-320)
        assert model.predict(X)[0] == (0 if x >= 0 else 1)


@pytest.mark.parametrize("form", ["dense", "float32", "CSR"])
def test_a_score_that_overflows_is_certain_and_never_nan(form):
    size = 3e38 if form == "float32" else 1e308
    make = {"dense": np.array, "float32": lambda X: np.array(X, np.float32), "CSR": sp.csr_array}[form]
    model = with_coef([[1e300, 1e300], [-1e300, -1e300], [0, 0]])
    X = make([[size, size], [-size, -size]])
    assert_array_equal(model.predict_proba(X), [[1, 0, 0], [0, 1, 0]])
    assert_array_equal(model.predict(X), [0, 1])
    assert np.isfinite(model.decision_function(X)).all()
    assert_array_equal(model.predict_log_proba(X)[[0, 1], [0, 1]], 0)
    wide = with_coef([[1e300] * 8, [-1e300] * 8, [1e300] * 8])
    rows = make([[size, -size] * 4, [size, -size / 2] * 4])
    for method in (wide.decision_function, wide.predict_proba, wide.predict_log_proba):
        assert not np.isnan(method(rows)).any()


def test_the_offset_is_no_part_of_a_prediction():
    model = fitted(X0, Y0, 1.0, offset=np.random.default_rng(0).normal(size=(300, 3)))
    assert_allclose(model.decision_function(X0), X0 @ model.coef_.T + model.intercept_, rtol=1e-12)


@pytest.mark.parametrize("solver", [*SOLVERS, SGD(epochs=2)])
@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, np.float32, sp.csr_array])
def test_values_that_are_not_finite_are_named(solver, make):
    spoilt = X0.copy()
    spoilt[7, 2] = np.nan
    for C in (np.inf, 1.0):
        with pytest.raises(EvenOddsError, match="column 2, row 7 "):
            fitted(make(spoilt), Y0, C, solver=solver)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_limit_of_iterations_is_never_silent(solver):
    model = LogisticRegression(1e4, solver=solver, max_iter=2, tol=1e-8)
    _, caught = quiet(model.fit, X0, Y0)
    assert [str(one.message) for one in caught if "max_iter (now 2)" in str(one.message)]
    assert model.solution_.status is Status.MAX_ITER
    assert model.n_iter_[0] == 2


# Separation


def warned(X, y, **parameters):
    """The separation warnings of a fit, and the model."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = fitted(X, y, **parameters)
    assert all(issubclass(one.category, SeparationWarning | CollinearWarning) for one in caught), caught
    return [str(one.message) for one in caught if issubclass(one.category, SeparationWarning)], model


@pytest.mark.parametrize("solver", ["auto", *SOLVERS, SGD(epochs=3)])
def test_flowers_of_which_one_kind_stands_apart(solver):
    """Setosa can be told from the others by petals alone; the two others cannot be told apart by anything."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    words, model = warned(X, y, solver=solver)
    assert len(words) == 1
    assert "petal length (cm)" in words[0]
    if not isinstance(solver, SGD):
        assert model.solution_.status is Status.SEPARATED
    assert np.isfinite(table(model)).all()
    assert not warned(X.to_numpy()[50:], np.where(np.arange(100) % 10, y[50:], 0))[0]
    assert fitted(X, y, 1.0).solution_.status is Status.CONVERGED


@pytest.mark.parametrize("solver", SOLVERS)
def test_one_column_that_knows_one_class_is_named(solver):
    X = np.column_stack([X0, np.where(Y0 == 2, 1.0, 0.0)])
    names = ["a", "b", "c", "d", "leak"]
    words, model = warned(pd.DataFrame(X, columns=names), Y0, solver=solver)
    assert len(words) == 1
    assert "high values of column 'leak' belong to class 2 and never to classes 0, 1" in words[0]
    assert model.solution_.status is Status.SEPARATED


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_baseline_standing_apart_moves_all_others(solver):
    X = np.column_stack([X0, np.where(Y0 == 0, 1.0, 0.0)])
    words, _ = warned(X, Y0, solver=solver)
    assert len(words) == 1
    assert "high values of column 4 belong to class 0 and never to classes 1, 2" in words[0]


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_pair_of_classes_that_is_separated_is_enough(solver):
    """Class 1 and 2 lie left and right of one another, both across all of class 0."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=300)
    y = np.where(rng.random(300) < 0.5, 0, np.where(x < 0, 1, 2))
    words, model = warned(np.column_stack([x, rng.normal(size=300)]), y, solver=solver)
    # Moving class 1 from 2 moves one of them from 0 as well, which has rows on both sides.
    assert words == []
    assert model.solution_.status is Status.CONVERGED


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
@pytest.mark.parametrize("K", [3, 4])
def test_complete_separation_of_many_rows(solver, K):
    X, _ = draw(50_000, 6, K)
    y = (X @ np.random.default_rng(1).normal(size=(6, K))).argmax(axis=1)
    words, model = warned(X, y, solver=solver)
    assert len(words) == 1
    assert model.solution_.status is Status.SEPARATED
    assert np.isfinite(table(model)).all()


@pytest.mark.parametrize("solver", ["auto", "quasi-newton"])
def test_one_column_that_knows_one_class_of_many_rows(solver):
    X, y = draw(60_000, 40, 4, size=0.2)
    X[:, 7] = (y == 3) * np.random.default_rng(0).random(60_000)
    words, model = warned(X, y, solver=solver)
    assert len(words) == 1
    assert "high values of column 7 belong to class 3 and never to classes 0, 1, 2" in words[0]
    assert model.solution_.status is Status.SEPARATED


def is_separated(X, y):
    """Albert and Anderson's definition as a linear programme over a box."""
    D = np.column_stack([np.ones(len(y)), X])
    K = int(y.max()) + 1
    pairs = []
    for row, own in zip(D, y, strict=True):
        for other in set(range(K)) - {int(own)}:
            pair = np.zeros((K, D.shape[1]))
            pair[own], pair[other] = row, -row
            pairs.append(pair[1:].ravel())
    A = np.array(pairs)
    answer = linprog(-A.sum(axis=0), A_ub=-A, b_ub=np.zeros(len(A)), bounds=[(-1, 1)] * A.shape[1])
    return -answer.fun > 1e-7


def test_separation_is_what_a_linear_programme_says():
    found = []
    for seed in range(60):
        rng = np.random.default_rng(1000 + seed)
        K, p, n = rng.integers(3, 5), rng.integers(1, 4), rng.integers(10, 30)
        X = rng.integers(-2, 3, size=(n, p)).astype(float)
        y = (X @ rng.normal(size=(p, K)) * rng.choice([0.3, 1, 3]) + rng.gumbel(size=(n, K))).argmax(axis=1)
        y = np.unique(y, return_inverse=True)[1]
        if y.max() < 2:
            continue
        truth = is_separated(X, y)
        assert [bool(warned(X, y, solver=solver)[0]) for solver in SOLVERS] == [truth] * 2, seed
        found.append(truth)
    assert 10 < sum(found) < len(found) - 10


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_class_of_one_row_among_many_columns(solver):
    X, y = draw(200, 12, 6, size=0.5)
    y[y == 0] = 3
    y[np.argmin(X[:, 0])] = 0
    assert is_separated(X, y)
    words, model = warned(X, y, solver=solver)
    assert len(words) == 1
    assert model.solution_.status is Status.SEPARATED
    assert model.solution_.passes < 100


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("rare", "status"), [(1, Status.SEPARATED), (60, Status.CONVERGED)])
def test_classes_of_which_all_but_the_first_are_rare(rare, status, solver):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(3000, 6)), np.zeros(3000, dtype=int)
    y[:100], y[100 : 100 + rare] = 2, 1
    model, _ = quiet(LogisticRegression(solver=solver).fit, X, y)
    assert model.solution_.status is status


def test_more_columns_than_rows_separate():
    words, model = warned(*draw(60, 100, 3))
    assert len(words) == 1
    assert model.solution_.status is Status.SEPARATED


def test_nearly_separated_classes_overlap():
    X, y = draw(400, 2, 3, size=8.0)
    for solver in SOLVERS:
        words, model = warned(X, y, solver=solver)
        assert words == []
        assert model.solution_.status is Status.CONVERGED


# Large data, whose first steps are in single precision


@pytest.mark.parametrize("spread", ["far from 0", "beyond single precision"])
def test_large_data_end_at_the_optimum_in_double_precision(spread):
    rng = np.random.default_rng(5)
    n, p, K = 60_000, 20, 4
    X = rng.standard_normal((n, p))
    W = rng.standard_normal((K, p)) / 3
    y = (X @ W.T + rng.gumbel(size=(n, K))).argmax(axis=1)
    center, scale = np.zeros(p), np.ones(p)
    if spread == "far from 0":
        center[:] = 1e5
    else:
        scale[0] = 1e60
    fits = [LogisticRegression(C=np.inf).fit(X, y), LogisticRegression(C=np.inf).fit(X * scale + center, y)]
    gradient = (softmax(fits[0].decision_function(X), axis=1) - np.eye(K)[y]).T @ X / n
    assert np.abs(gradient).max() < 1e-6  # a standard error is a gradient of about 0.002
    assert_allclose(fits[1].coef_ * scale, fits[0].coef_, rtol=0, atol=2e-6)
    for fit in fits:
        assert fit.solution_.error <= fit.tol
        assert_allclose(fit.solution_.loss, -fits[0].predict_log_proba(X)[np.arange(n), y].mean(), rtol=1e-10)


@pytest.mark.parametrize("C", [1e12, 1e16])
def test_rows_that_are_all_but_certain_keep_their_digits(C):
    """What is left of a probability near 1 is the sum of the others: a fit ends, however certain its rows are."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(30, 2))
        y = np.argmax(X @ rng.normal(size=(2, 3)), axis=1)
        solution = LogisticRegression(C=C).fit(X, y).solution_
        assert solution.status is Status.CONVERGED
        assert solution.iterations < 100
