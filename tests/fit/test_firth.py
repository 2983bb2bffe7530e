"""Firth's penalised likelihood: truths of 60 digits, a plain oracle, what must not matter, and FLIC and FLAC."""

import contextlib
import itertools
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning

from evenodds import SGD, CollinearWarning, EvenOddsError, LogisticRegression, Status
from evenodds.coordinates import choose_coordinates
from evenodds.data import as_data
from evenodds.export import load, save
from evenodds.firth import FirthObjective, sample_rows, solve
from evenodds.firth.leverages import inverse_root
from families import families
from homes import Blocks
from oracle import case, newton, numbers, quiet


def numbers_of(model):
    return np.array([*model.intercept_, *model.coef_[0]])


def oracle(X, y, weight=None, offset=None, intercept=True, starts=0):
    """Firth's estimate by the modified score, step by step and halved; leverages by a QR factorisation.

    From 0, and from so many starts drawn at random.

    Returns the coefficients, the penalised log-likelihood, the standard errors and the leverages.
    """
    n = len(y)
    D = np.column_stack([np.ones(n), X]) if intercept else np.asarray(X, float)
    s = np.ones(n) if weight is None else weight
    o = np.zeros(n) if offset is None else offset

    def look(b):
        z = D @ b + o
        p = 1 / (1 + np.exp(-z))
        w = s * np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))) ** 2
        Q, R = np.linalg.qr(np.sqrt(w)[:, None] * D)
        h = (Q * Q).sum(axis=1)
        plain = s @ (y * z - np.logaddexp(0, z))
        score = D.T @ (s * (y - p) + h * (0.5 - p))
        return plain + np.log(np.abs(np.diag(R))).sum(), score, R, h

    def climb(b):
        value, score, R, h = look(b)
        for _ in range(500):
            step = np.linalg.solve(R, np.linalg.solve(R.T, score))
            t = 1.0
            while t > 1e-10 and not (new := look(b + t * step))[0] >= value - 1e-13 * abs(value):
                t /= 2
            b = b + t * step
            value, score, R, h = new
            if np.linalg.norm(np.linalg.solve(R.T, score)) < 1e-13:
                break
        return value, b, R, h

    # A likelihood of few rows can have several maxima. Where a start is too far out, I is singular.
    found = [climb(np.zeros(D.shape[1]))]
    for k, way in enumerate(np.random.default_rng(0).normal(size=(starts, D.shape[1])) / np.abs(D).max(axis=0)):
        with np.errstate(all="ignore"), contextlib.suppress(np.linalg.LinAlgError):
            found.append(climb((1, 3, 10, 30)[k % 4] * way))
    value, b, R, h = max((one for one in found if np.isfinite(one[0])), key=lambda one: one[0])
    inverse = np.linalg.inv(R)
    return b, value, np.sqrt((inverse * inverse).sum(axis=1)), h


def objective_of(X, y, weight=None, offset=None, intercept=True):
    data = as_data(X, np.asarray(y).astype(np.uint8), weight, offset)
    sample = data.sample(data.n_rows, 0)
    coordinates = choose_coordinates(data, sample, intercept=intercept, standardize=False, strength=0.0)
    return FirthObjective(data, coordinates)


def table(n=200, p=4, seed=0, shift=0.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    X = np.where(np.abs(X) < 0.7, 0, X) * np.logspace(0, 1, p) + shift
    w = rng.normal(size=p) / np.logspace(0, 1, p)
    y = (rng.random(n) < 1 / (1 + np.exp(-((X - shift) @ w - 0.5)))).astype(np.uint8)
    y[:2] = 0, 1
    return X, y, rng.uniform(0.3, 3, n), rng.normal(0, 0.7, n)


# Truths


def truths():
    for name in ("b01_endometrial", "b07_firth_sim"):
        record, data = case(name)
        truth = record["truth"]["firth"]
        (label,) = set(data) - set(truth["terms"])
        yield pytest.param(np.column_stack([data[t] for t in truth["terms"]]), data[label], truth, id=name)
    for one in (s for s in case("b05_small_separation_sets")[0]["truth"]["sets"] if "firth" in s):
        yield pytest.param(np.array(one["X"], float), np.array(one["y"]), one["firth"], id=one["name"])


@pytest.mark.parametrize(("X", "y", "truth"), list(truths()))
def test_truths_of_sixty_digits(X, y, truth):
    coef, error = numbers(truth["coef"]), numbers(truth["se_inverse_fisher_information"])
    close = {"rtol": 1e-9, "atol": 1e-12 * np.abs(error)}
    explicit = objective_of(X, y, intercept=False)
    if len(set(y)) == 2 and explicit.n_coef == len(coef):
        model = LogisticRegression(firth=True, fit_intercept=False).fit(X, y)
        assert model.solution_.status is Status.CONVERGED
        assert (np.abs(model.coef_[0] - coef) <= close["rtol"] * np.abs(coef) + close["atol"]).all()
        assert -model.solution_.loss * len(y) == pytest.approx(float(truth["penalised_loglik"]), rel=1e-12, abs=1e-11)
    if explicit.n_coef == len(coef):
        theta = explicit.coordinates.from_coef(0.0, coef)
        value, gradient, information = explicit.value_grad_hess(theta)
        assert explicit.penalized_log_likelihood(theta) == pytest.approx(float(truth["penalised_loglik"]), abs=1e-11)
        assert value * explicit.total_weight == -explicit.penalized_log_likelihood(theta)
        np.testing.assert_allclose(gradient, 0, atol=1e-12)
        inverse = np.linalg.inv(information * explicit.total_weight)
        np.testing.assert_allclose(np.sqrt(np.diag(inverse)) / explicit.coordinates.scale, error, rtol=1e-9)
    if "const" in truth["terms"]:
        at = truth["terms"].index("const")
        slopes = np.delete(X, at, axis=1)
        if slopes.shape[1] and len(set(y)) == 2 and objective_of(slopes, y).n_coef == len(coef):
            model = LogisticRegression(firth=True).fit(slopes, y)
            found = np.insert(model.coef_[0], at, model.intercept_[0])
            assert (np.abs(found - coef) <= close["rtol"] * np.abs(coef) + close["atol"]).all()


# The oracle


@pytest.mark.parametrize("kind", ["plain", "weight", "offset", "all"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("n", [12, 60, 200])
def test_the_plain_oracle_agrees(n, intercept, kind):
    X, y, weight, offset = table(n, 3, seed=n)
    weight = weight if kind in ("weight", "all") else None
    offset = offset if kind in ("offset", "all") else None
    truth, value, _, h = oracle(X, y, weight, offset, intercept, starts=100 if n < 50 else 0)
    for make in (np.asarray, np.asfortranarray, sp.csr_array, sp.csc_array):
        model = LogisticRegression(firth=True, fit_intercept=intercept)
        model.fit(make(X), y, sample_weight=weight, offset=offset)
        found = numbers_of(model)[0 if intercept else 1 :]
        np.testing.assert_allclose(found, truth, rtol=1e-9, atol=1e-11)
        total = n if weight is None else weight.sum()
        assert -model.solution_.loss * total == pytest.approx(value, rel=1e-12)
    objective = objective_of(X, y, weight, offset, intercept)
    theta = objective.coordinates.from_coef(found[0] if intercept else 0.0, found[-3:])
    (block,) = objective.data.blocks()
    leverages = objective.leverages(objective.at(theta))(block)
    np.testing.assert_allclose(leverages, h, rtol=1e-8, atol=1e-15)
    assert leverages.sum() == pytest.approx(objective.n_coef)


def test_float32_and_integers_are_read_as_they_are():
    X, y, weight, _ = table(150, 3, seed=5)
    for same in (X.astype(np.float32), np.round(3 * X).astype(np.int8)):
        truth = oracle(same.astype(float), y, weight)[0]
        model = LogisticRegression(firth=True).fit(same, y, sample_weight=weight)
        np.testing.assert_allclose(numbers_of(model), truth, rtol=1e-9)


def test_the_gradient_is_that_of_the_value():
    X, y, weight, offset = table(40, 3, seed=2)
    objective = objective_of(X, y, weight, offset)
    theta = np.array([0.3, -0.5, 0.8, 0.1])
    gradient = objective.value_grad(theta)[1]
    for j in range(4):
        step = 1e-5 * np.eye(4)[j]
        slope = (objective.value_grad(theta + step)[0] - objective.value_grad(theta - step)[0]) / 2e-5
        assert gradient[j] == pytest.approx(slope, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("cuts", [(), (1, 5, 8, 63, 127), (100, 100), tuple(range(15, 150, 15))])
@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, sp.csr_array, np.float32])
def test_a_home_of_blocks(make, cuts):
    X, y, weight, offset = table(150, 3, seed=7)
    X = np.float32(X).astype(float)
    data = Blocks(make(X), y, weight, offset, cuts)
    sample = data.sample(data.n_rows, 0)
    coordinates = choose_coordinates(data, sample, intercept=True, standardize=False, strength=0.0)
    objective = FirthObjective(data, coordinates)
    solution = solve(objective, np.zeros(4), sample, tol=1e-4, max_iter=100)
    intercept, coef = coordinates.to_coef(solution.theta)
    np.testing.assert_allclose([intercept, *coef], oracle(X, y, weight, offset)[0], rtol=1e-9)
    assert (solution.n_rows, solution.total_weight) == (150, pytest.approx(weight.sum()))


# Large data


def test_rows_that_are_not_kept_are_read_as_often_as_is_said():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(270_000, 3))
    y = (rng.random(len(X)) < 1 / (1 + np.exp(4 - X[:, 0]))).astype(np.uint8)
    data = Blocks(X, y, cuts=(100_000, 100_001))
    coordinates = choose_coordinates(data, data.sample(5000, 0), intercept=True, standardize=False, strength=0.0)
    data.reads = 0
    solution = solve(FirthObjective(data, coordinates), np.zeros(4), data.sample(5000, 0), tol=1e-6, max_iter=100)
    assert solution.passes == data.reads
    D = np.column_stack([np.ones(len(X)), X])
    intercept, coef = coordinates.to_coef(solution.theta)
    p = 1 / (1 + np.exp(-intercept - X @ coef))
    root = np.sqrt(p * (1 - p))[:, None] * D
    h = np.einsum("ij,ij->i", root @ np.linalg.inv(root.T @ root), root)
    score = D.T @ (y - p + h * (0.5 - p))  # Firth 1993, as Heinze and Schemper write it
    np.testing.assert_allclose(np.linalg.solve(root.T @ root, score), 0, atol=1e-9)


@pytest.fixture(scope="module")
def large():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(24_000, 8)) + 1
    X[X < 1] = 0
    y = (rng.random(24_000) < 1 / (1 + np.exp(-((X - 1) @ rng.normal(size=8) / 2 - 3)))).astype(np.uint8)
    weight, offset = rng.uniform(0.2, 3, 24_000), rng.normal(0, 0.5, 24_000)
    return X, y, weight, offset, oracle(X, y, weight, offset)


@pytest.mark.parametrize("home", ["C", "F", "float32", "CSR", "blocks"])
def test_large_data(home, large):
    X, y, weight, offset, (truth, _, errors, _) = large
    make = {"F": np.asfortranarray, "float32": np.float32, "CSR": sp.csr_array}.get(home, np.asarray)
    if home == "blocks":
        data = Blocks(make(X), y, weight, offset, (1, 3, 10_000, 10_257))
    else:
        data = as_data(make(X), y, weight, offset)
    sample = data.sample(sample_rows(data), 0)
    assert sample.n_rows < data.n_rows
    coordinates = choose_coordinates(data, sample, intercept=True, standardize=False, strength=0.0)
    objective = FirthObjective(data, coordinates)
    solution = solve(objective, np.zeros(9), sample, tol=1e-6, max_iter=100)
    intercept, coef = coordinates.to_coef(solution.theta)
    tol = 1e-6 if home != "float32" else 1e-4  # another problem, by rounding
    assert (np.abs([intercept, *coef] - truth) <= tol * errors).all()
    assert solution.status is Status.CONVERGED
    assert solution.error <= 1e-6
    assert len(solution.history) <= 4


def test_the_estimator_on_large_data_keeps_its_promise(large):
    X, y, weight, offset, (truth, _, errors, _) = large
    one = LogisticRegression(firth=True, n_jobs=1).fit(X, y, sample_weight=weight, offset=offset)
    two = LogisticRegression(firth=True, n_jobs=2).fit(X, y, sample_weight=weight, offset=offset)
    np.testing.assert_array_equal(numbers_of(one), numbers_of(two))
    assert (np.abs(numbers_of(one) - truth) <= 1e-4 * errors).all()
    warm = LogisticRegression(firth=True, warm_start=True).fit(X, y, sample_weight=weight, offset=offset)
    warm.fit(X, y, sample_weight=weight, offset=offset)
    assert warm.solution_.iterations <= 1
    assert (np.abs(numbers_of(warm) - truth) <= 1e-4 * errors).all()


def test_a_sample_that_misses_a_rare_column_is_no_harm():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(20_000, 3))
    X[:, 2] = 0
    X[17_000:17_003, 2] = 1  # separates
    y = (rng.random(20_000) < 1 / (1 + np.exp(2 - X[:, 0]))).astype(np.uint8)
    y[17_000:17_003] = 1
    for matrix in (X, sp.csr_array(X)):
        model = LogisticRegression(firth=True).fit(matrix, y)
        truth, _, errors, _ = oracle(X, y)
        assert (np.abs(numbers_of(model) - truth) <= 1e-4 * errors).all()


# What must not matter


@st.composite
def small_tables(draw):
    n, p = draw(st.integers(4, 25)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    X = rng.normal(size=(n, p)) if draw(st.booleans()) else rng.integers(0, 3, (n, p)).astype(float)
    if draw(st.booleans()):
        y = (X[:, 0] > np.median(X[:, 0])).astype(np.uint8)  # separated, or all but a few ties
    else:
        y = rng.integers(0, 2, n).astype(np.uint8)
    y[:2] = 0, 1
    return X, y, rng


def fit(X, y, **kwargs):
    model = LogisticRegression(firth=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollinearWarning)
        model.fit(X, y, **kwargs)
    assert model.solution_.status is Status.CONVERGED
    assert np.isfinite(numbers_of(model)).all()
    return model


def same(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-8)


@settings(max_examples=30, deadline=None)
@given(small_tables())
def test_what_must_not_matter(drawn):
    X, y, rng = drawn
    model = fit(X, y)
    scores = model.decision_function(X)
    same(fit(X, 1 - y).decision_function(X), -scores)
    order = rng.permutation(len(y))
    same(fit(X[order], y[order]).decision_function(X), scores)
    scale, shift = np.exp(rng.normal(0, 3, X.shape[1])), rng.normal(0, 10, X.shape[1])
    same(fit(X * scale + shift, y).decision_function(X * scale + shift), scores)
    if not model.aliased_:
        mix = np.eye(X.shape[1]) + np.triu(rng.normal(size=(X.shape[1],) * 2), 1)
        same(fit(X @ mix, y).decision_function(X @ mix), scores)
    times = rng.integers(0, 3, len(y))
    times[:2] = 1
    weighted, repeated = fit(X, y, sample_weight=times), fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    assert weighted.aliased_ == repeated.aliased_
    same(numbers_of(weighted), numbers_of(repeated))
    same(weighted.solution_.loss, repeated.solution_.loss)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1e-12, 1e-3, 1.0, 1e5, 1e12]), st.sampled_from([3, 5, 8, 30]))
def test_finite_on_whatever_data(seed, spread, n):
    rng = np.random.default_rng(seed)
    X = rng.standard_cauchy((n, 2)) * spread + rng.choice([0, 1, 1e6 * spread])
    y = (X[:, 0] > np.median(X[:, 0])).astype(np.uint8)
    y[X[:, 0].argmin()], y[X[:, 0].argmax()] = 0, 1
    weight = np.exp(rng.normal(0, 4, n))
    for setting in ({}, {"sample_weight": weight}, {"offset": rng.normal(0, 5, n)}):
        fit(X, y, **setting)


def test_two_rows():
    model = LogisticRegression(firth=True).fit([[0.0], [1.0]], [0, 1])
    same(model.predict_proba([[0.0], [1.0]])[:, 1], [0.25, 0.75])  # a saturated model: (y + 1/2) / 2


def test_near_collinear_columns_keep_their_digits():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    X[:, 2] = X[:, 1] + 1e-5 * X[:, 2]
    y = (rng.random(60) < 0.4).astype(np.uint8)
    model = LogisticRegression(firth=True).fit(X, y)
    apart = np.column_stack([X[:, :2], (X[:, 2] - X[:, 1]) * 1e5])
    truth, value, _, _ = oracle(apart, y)
    np.testing.assert_allclose(model.decision_function(X), truth[0] + apart @ truth[1:], atol=1e-6)
    assert -60 * model.solution_.loss == pytest.approx(value - 5 * np.log(10), rel=1e-9)


def test_the_root_of_what_a_product_cannot_hold():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(50, 4)) * [1, 1e-3, 1, 1]
    A[:, 3] = A[:, 2] + 1e-10 * A[:, 3]
    white, log_det = inverse_root(A.T @ A, lambda white: (A @ white).T @ (A @ white))
    np.testing.assert_allclose((A @ white).T @ (A @ white), np.eye(4), atol=1e-5)
    assert log_det == pytest.approx(2 * np.log(np.abs(np.diag(np.linalg.qr(A, mode="r")))).sum(), abs=1e-5)
    assert inverse_root(np.zeros((2, 2)), None)[1] == -np.inf


def test_an_aliased_column_changes_nothing():
    X, y, _, _ = table(50, 3, seed=4)
    more = np.column_stack([X[:, 0], np.full(50, 7.0), X[:, 1:], X[:, 0] - X[:, 1]])
    model, caught = quiet(LogisticRegression(firth=True).fit, more, y)
    assert [w.category for w in caught] == [CollinearWarning]
    assert model.aliased_ == (1, 4)
    truth, value, _, _ = oracle(X, y)
    np.testing.assert_allclose(np.delete(numbers_of(model), [2, 5]), truth, rtol=1e-9)
    assert -50 * model.solution_.loss == pytest.approx(value)


# Several maxima


ONE_FAR = [20, 1.36, 1.22, -0.51, -0.3, -0.53, 0.57, -0.06, 0.75, -1.85, 1.57, -0.1]
ONE_FAR_Y = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0])


@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, sp.csr_array])
def test_the_highest_of_several_maxima(make):
    """One far row: the maximum near 0 is 1.58 lower than that where the row is predicted with certainty."""
    X = np.array(ONE_FAR)[:, None]
    model = fit(make(X), ONE_FAR_Y)
    np.testing.assert_allclose(numbers_of(model), [-3.03602582, 3.28247886], atol=1e-7)
    assert -12 * model.solution_.loss == pytest.approx(-2.19156500, abs=1e-7)
    lower = oracle(X, ONE_FAR_Y)
    np.testing.assert_allclose(lower[0], [-0.9798, 0.1314], atol=1e-4)
    assert model.solution_.lower_maxima == (pytest.approx(-2.19156500 - lower[1], abs=1e-7),)
    warm = LogisticRegression(firth=True, warm_start=True)
    warm.intercept_, warm.coef_, warm.classes_ = lower[0][:1], lower[0][None, 1:], np.array([0, 1])
    same(numbers_of(warm.fit(make(X), ONE_FAR_Y)), numbers_of(model))


def test_the_highest_maximum_of_many_columns():
    """Of these separated classes no higher one was found from 48 random starts in plain NumPy."""
    X, y = load_breast_cancer(return_X_y=True)
    model = fit((X - X.mean(axis=0)) / X.std(axis=0), y)
    assert -569 * model.solution_.loss > -24.92183
    assert len(model.solution_.lower_maxima) > 0


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("several maxima of Firth's likelihood of many columns", 1490745302),
        ("several maxima of Firth's likelihood: far rows, twins, weights and offsets", 1016969809),
        ("tests and intervals of several maxima", 78951601),
    ],
)
def test_members_of_which_a_lower_maximum_was_taken(name, seed):
    """By 0.11, by 0.09 and, at an interval's end, by 0.30; what the families' oracle finds is the highest known."""
    (family,) = (one for one in families() if one.name == name)
    family.check(family.member(seed))


@pytest.mark.parametrize("rows", [400, 40_000])
def test_far_rows_among_many(rows):
    """Of so many rows a search looks at a part, which the far ones are in."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(rows, 3))
    y = (rng.random(rows) < 1 / (1 + np.exp(1 - 2 * X[:, 0]))).astype(int)
    X[rows // 2, 0], y[rows // 2] = 1e6, 1
    model = fit(X, y)
    X[rows // 2, 0] = 40  # as certain as at 1e6
    assert model.coef_[0, 0] > 1
    near = fit(X, y)
    np.testing.assert_allclose(model.coef_, near.coef_, rtol=1e-4)


@pytest.mark.parametrize(
    ("seed", "n", "p"), [(s, n, p) for s in range(6) for n, p in [(8, 1), (8, 2), (8, 3), (30, 3)]]
)
def test_weights_that_are_far_apart(seed, n, p):
    """The leverages of rows of small weight are no smaller for it."""
    rng = np.random.default_rng(seed)
    X, y, weight = rng.normal(size=(n, p)), rng.integers(0, 2, n), np.exp(rng.normal(0, 4, n))
    y[:2] = 0, 1
    model = fit(X, y, sample_weight=weight)
    assert model.solution_.error < 1e-8
    assert model.solution_.iterations < 40
    z = model.decision_function(X)
    D, v = np.column_stack([np.ones(n), X]), np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))) ** 2
    Q = np.linalg.qr(np.sqrt(weight * v)[:, None] * D)[0]
    here = (Q * Q).sum(axis=1)
    score = D.T @ (weight * (y - 1 / (1 + np.exp(-z))) + here * (0.5 - 1 / (1 + np.exp(-z))))
    size = np.sqrt((D**2).T @ ((weight + here) * v))
    np.testing.assert_allclose(score / size, 0, atol=1e-6)


def test_rows_of_one_maximum_are_proved_to_have_it():
    """No search then: as many evaluations as before."""
    X, y, _, _ = table(2000, 4)
    assert fit(X, y).solution_.lower_maxima == ()
    assert len(fit(X, y).solution_.history) < 12


# FLIC and FLAC


def flac_oracle(X, y, weight=None, offset=None):
    """Maximum likelihood on the rows and their pseudo-observations, with the column that tells them apart."""
    h = oracle(X, y, weight, offset)[3]
    s = np.ones(len(y)) if weight is None else weight
    three = np.column_stack([np.vstack([X] * 3), np.repeat([0.0, 1.0, 1.0], len(y))])
    offset = None if offset is None else np.tile(offset, 3)
    found = newton(three, np.concatenate([y, y, 1 - y]), weight=np.concatenate([s, h / 2, h / 2]), offset=offset)
    return np.array([found.intercept, *found.coef[:-1]])


@pytest.mark.parametrize("kind", ["plain", "all"])
@pytest.mark.parametrize("make", [np.asarray, sp.csr_array, np.float32])
def test_flic_and_flac(make, kind):
    X, y, weight, offset = table(80, 3, seed=11)
    X = np.float32(X).astype(float)
    extra = {
        "sample_weight": weight if kind in ("weight", "all") else None,
        "offset": offset if kind in ("offset", "all") else None,
    }
    firth, flic, flac = (LogisticRegression(firth=f, tol=1e-9).fit(make(X), y, **extra) for f in (True, "flic", "flac"))
    np.testing.assert_array_equal(flic.coef_, firth.coef_)
    np.testing.assert_allclose(numbers_of(flac), flac_oracle(X, y, *extra.values()), rtol=1e-7)
    for model in (flic, flac):
        z = model.decision_function(X) + (0 if extra["offset"] is None else offset)
        p = 1 / (1 + np.exp(-z))
        assert np.average(p, weights=extra["sample_weight"]) == pytest.approx(
            np.average(y, weights=extra["sample_weight"]), abs=1e-10
        )
        assert model.solution_.loss == firth.solution_.loss
        assert model.solution_.passes > firth.solution_.passes


def test_flic_and_flac_of_separated_and_of_large_data(large):
    _, data = case("b01_endometrial")
    X = np.column_stack([data[name] for name in ("NV", "PI", "EH")])
    (label,) = set(data) - {"const", "NV", "PI", "EH"}
    flac = LogisticRegression(firth="flac").fit(X, data[label])
    np.testing.assert_allclose(numbers_of(flac), flac_oracle(X, data[label]), rtol=1e-9)
    X, y, weight, offset, _ = large
    for kind in ("flic", "flac"):
        model = LogisticRegression(firth=kind).fit(X, y, sample_weight=weight, offset=offset)
        p = 1 / (1 + np.exp(-model.decision_function(X) - offset))
        assert np.average(p, weights=weight) == pytest.approx(np.average(y, weights=weight), rel=1e-6)


def test_class_weights_are_weights():
    X, y, weight, _ = table(60, 3, seed=13)
    for kind in (True, "flic", "flac"):
        a = LogisticRegression(firth=kind, class_weight={0: 1.0, 1: 3.0}).fit(X, y, sample_weight=weight)
        b = LogisticRegression(firth=kind).fit(X, y, sample_weight=weight * np.where(y == 1, 3.0, 1.0))
        np.testing.assert_allclose(numbers_of(a), numbers_of(b), rtol=1e-12)


# The estimator


@pytest.mark.parametrize("kind", [True, "flic", "flac"])
def test_a_model_is_saved_and_comes_back(kind, tmp_path):
    X, y, _, _ = table()
    model = LogisticRegression(firth=kind).fit(X, y)
    save(model, tmp_path / "model.json")
    back = load(tmp_path / "model.json")
    assert back.firth == kind
    assert type(back.firth) is type(kind)
    np.testing.assert_array_equal(back.predict_proba(X), model.predict_proba(X))
    assert back.solution_.solver == "fisher-scoring"
    far = LogisticRegression(firth=kind).fit(np.array(ONE_FAR)[:, None], ONE_FAR_Y)
    save(far, tmp_path / "far.json")
    assert load(tmp_path / "far.json").solution_.lower_maxima == far.solution_.lower_maxima != ()


def test_limits_are_kept_and_said():
    X, y, _, _ = table()
    for most in (0, 1):
        model, caught = quiet(LogisticRegression(firth=True, max_iter=most).fit, X, y)
        assert [w.category for w in caught] == [ConvergenceWarning]
        assert "ridge" not in str(caught[0].message)
        assert model.solution_.status is Status.MAX_ITER
        assert model.n_iter_[0] == most
    loose = LogisticRegression(firth=True, tol=0.5, max_iter=6).fit(X, y)  # all the digits are asked for, not needed
    assert loose.solution_.status is Status.CONVERGED


def test_progress_is_shown(capsys):
    X, y, _, _ = table()
    LogisticRegression(firth=True, verbose=1).fit(X, y)
    err = capsys.readouterr().err
    assert "firth" in err
    assert "iteration    1" in err


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"firth": "flak"}, "firth is one of False, True, 'flic', 'flac', got 'flak'"),
        ({"firth": 1}, "firth is one of"),
        ({"firth": None}, "firth is one of"),
        ({"firth": True, "C": 1.0}, "goes with C=inf, got C=1.0"),
        ({"firth": "flac", "solver": "sgd"}, "needs the leverages of all rows"),
        ({"firth": True, "solver": SGD(epochs=3)}, "needs the leverages of all rows"),
        ({"firth": "flic", "fit_intercept": False}, "corrects the intercept"),
        ({"firth": "flac", "fit_intercept": False}, "corrects the intercept"),
    ],
)
def test_what_does_not_go_together(parameters, message):
    X, y, _, _ = table()
    with pytest.raises(EvenOddsError, match=message):
        LogisticRegression(**parameters).fit(X, y)


def test_rows_in_parts_are_refused():
    X, y, _, _ = table()
    model = LogisticRegression(firth=True)
    assert not hasattr(model, "partial_fit")
    assert hasattr(LogisticRegression(), "partial_fit")
    with pytest.raises(EvenOddsError, match="firth=True needs all rows at once: use fit, not partial_fit"):
        model.partial_fit(X, y)


def test_too_many_columns_are_refused():
    with pytest.raises(EvenOddsError, match=r"3,000 coefficients at the most, and here are 3,0\d\d"):
        LogisticRegression(firth=True).fit(
            sp.random_array((4000, 3010), density=0.01, random_state=np.random.default_rng(0)), np.arange(4000) % 2
        )


def test_missing_values_are_named():
    X, y, _, _ = table()
    for n, kind in itertools.product((200, 20_000), (True, "flac")):
        bad, labels = np.resize(X, (n, 4)), np.resize(y, n)
        bad[n - 3, 1] = np.nan
        with pytest.raises(EvenOddsError, match=f"row {n - 3}"):
            LogisticRegression(firth=kind).fit(bad, labels)
