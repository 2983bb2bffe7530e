"""The estimator as scikit-learn, frames and people use it."""

import copy
import importlib.util
import inspect
import io
import pickle
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, redirect_stderr, redirect_stdout

import joblib
import mpmath
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_info, threadpool_limits

import evenodds
from evenodds import (
    SGD,
    CollinearWarning,
    EvenOddsError,
    LogisticRegression,
    LogisticRegressionCV,
    SeparationWarning,
    Status,
    scratch,
)
from evenodds.data.memory import _release
from machine import environment
from oracle import newton, quiet

HAS_CALLBACKS = importlib.util.find_spec("sklearn.callback") is not None
# The library allows scikit-learn 1.8, which has nothing to test here.
needs_callbacks = pytest.mark.skipif(not HAS_CALLBACKS, reason="scikit-learn has no callbacks before 1.9")


def draw(n=300, p=4, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = (X[:, 0] - 0.5 * X[:, 1] + noise * rng.normal(size=n) > 0.3).astype(int)
    return X, y


X0, Y0 = draw()
NAMES = ["alpha", "beta", "gamma", "delta"]
FRAMES = {
    "pandas": lambda X, names: pd.DataFrame(X, columns=names),
    "polars": lambda X, names: pl.DataFrame(X, schema=list(names)),
    "Arrow": lambda X, names: pa.table({name: X[:, k] for k, name in enumerate(names)}),
}


def numbers(model):
    return np.array([*model.intercept_, *model.coef_[0]])


# scikit-learn's own checks. Without a penalty some of its data are separated, which is said, and is right.


@pytest.mark.filterwarnings("ignore::evenodds.SeparationWarning", "ignore::evenodds.CollinearWarning")
@parametrize_with_checks(
    [LogisticRegression(C=C, solver=solver) for solver in ("auto", "newton", "quasi-newton") for C in (np.inf, 1.0)]
    + [
        LogisticRegression(C=1.0, solver=SGD(epochs=20)),
        *(LogisticRegression(firth=how) for how in (True, "flic", "flac")),
    ]
    + [LogisticRegression(C=1.0, lower=-5, upper=5), LogisticRegression(C=1.0, standardize=True)]
    + [LogisticRegression(fit_intercept=False), LogisticRegression(lower=0), LogisticRegression(C=1.0, lower=0)]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore::evenodds.SeparationWarning", "ignore::evenodds.CollinearWarning")
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "settings",
    [
        {"lower": 0},
        {"upper": 1},
        {"upper": 0.5, "fit_intercept": False},
        {"lower": -5, "upper": 5},
        {"lower": -10, "upper": 10},
        {"lower": -1, "upper": [1] * 15 + [np.inf] * 15},
        {"C": 1, "penalty_factor": 0.0},
        {"C": 1, "l1_ratio": 1, "penalty_factor": [0] * 20 + [1] * 10},
    ],
)
def test_weights_are_repeated_rows_also_where_rows_do_not_tell_all(settings, seed):
    """More columns than rows: the classes are separated, or next to it, and rows of weight 0 show what is left open."""
    rng = np.random.default_rng(seed)
    X, y, weight = rng.random((15, 30)), rng.integers(0, 3, 15), rng.integers(0, 5, 15)
    mixed = rng.permutation(15)
    weighted = LogisticRegression(**settings).fit(X[mixed], y[mixed], weight[mixed])
    repeated = LogisticRegression(**settings).fit(X.repeat(weight, axis=0), y.repeat(weight))
    expected = repeated.decision_function(X)
    np.testing.assert_allclose(weighted.decision_function(X), expected, rtol=1e-7, atol=1e-7)


LASSO = [LogisticRegression(C=1.0, l1_ratio=ratio) for ratio in (0.5, 1.0)]


@pytest.mark.filterwarnings("ignore:The least populated class:UserWarning")
@parametrize_with_checks([*LASSO, LogisticRegressionCV(Cs=5, cv=3), LogisticRegressionCV(Cs=5, cv=3, lower=0)])
def test_scikit_learn_checks_of_penalties_that_select(estimator, check):
    check(estimator)


# Copies


@pytest.mark.parametrize("solver", ["auto", "newton", "quasi-newton", SGD(epochs=3)])
def test_clone_copy_and_pickle(solver):
    model = LogisticRegression(C=2.0, solver=solver, tol=1e-6, class_weight={0: 1, 1: 2}, n_jobs=1).fit(X0, Y0)
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert not hasattr(twin, "coef_")
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(other.predict_proba(X0), model.predict_proba(X0))
        assert other.solution_.status is model.solution_.status
        assert other.get_params() == model.get_params()
        np.testing.assert_array_equal(numbers(other.fit(X0, Y0)), numbers(model))


def test_a_pickle_holds_no_training_data():
    X, y = draw(20_000)
    assert len(pickle.dumps(LogisticRegression(C=1).fit(X, y))) < 20_000
    assert len(pickle.dumps(LogisticRegression(C=1).partial_fit(X, y))) < 20_000


def test_set_params():
    model = LogisticRegression().set_params(C=3.0, solver=SGD(epochs=5), verbose=0)
    assert (model.C, model.solver) == (3.0, SGD(epochs=5))
    with pytest.raises(ValueError, match="Invalid parameter 'penalty'"):
        model.set_params(penalty="l2")
    nested = make_pipeline(StandardScaler(), LogisticRegression()).set_params(logisticregression__C=0.5)
    assert nested[-1].C == 0.5
    assert "C=0.5" in repr(nested)


def test_a_refit_forgets_the_last_fit():
    model = LogisticRegression(C=1.0)
    model.fit(pd.DataFrame(X0, columns=NAMES), np.where(Y0, "yes", "no"))
    model.fit(X0[:, :2], Y0)
    assert not hasattr(model, "feature_names_in_")
    assert model.n_features_in_ == 2
    np.testing.assert_array_equal(model.classes_, [0, 1])
    np.testing.assert_array_equal(numbers(model), numbers(LogisticRegression(C=1.0).fit(X0[:, :2], Y0)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_fit_that_fails_leaves_the_model_as_it_was(bad):
    frame = pd.DataFrame(X0, columns=NAMES)
    model = LogisticRegression(C=1.0).fit(frame, np.where(Y0, "sick", "well"))
    answers = model.predict(frame)
    spoilt = X0[:, :2].copy()
    spoilt[7, 1] = bad
    with pytest.raises(EvenOddsError, match="column 1, row 7"):
        model.fit(spoilt, np.where(Y0, "cat", "dog"))
    assert set(answers) == {"sick", "well"}
    np.testing.assert_array_equal(model.predict(frame), answers)
    with pytest.raises(EvenOddsError, match="order"):
        model.predict(frame[NAMES[::-1]])


# Searches and threads


GRID = {"C": [0.01, 1.0, np.inf], "solver": ["newton", "quasi-newton"]}


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_a_grid_search_in_parallel_finds_what_a_serial_one_does(backend):
    X, y = draw(2000, 5)
    serial = GridSearchCV(LogisticRegression(), GRID, cv=3, scoring="neg_log_loss").fit(X, y)
    with joblib.parallel_backend(backend):
        parallel = GridSearchCV(LogisticRegression(), GRID, cv=3, scoring="neg_log_loss", n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(parallel.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(numbers(parallel.best_estimator_), numbers(serial.best_estimator_))


def test_a_grid_search_in_threads_over_data_of_compiled_size():
    X, y = draw(140_000, 10)
    grid = {"C": [1e-4, 1.0]}
    serial = GridSearchCV(LogisticRegression(n_jobs=1), grid, cv=2).fit(X, y)
    with joblib.parallel_backend("threading"):
        parallel = GridSearchCV(LogisticRegression(), grid, cv=2, n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(parallel.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(numbers(parallel.best_estimator_), numbers(serial.best_estimator_))


@pytest.fixture
def two_blas_threads():
    """OpenBLAS has two, and nobody holds them: the tests' own processes may have one each."""
    with threadpool_limits(2):
        _release()
        yield


@pytest.mark.usefixtures("two_blas_threads")
@pytest.mark.parametrize("n", [300, 140_000])
def test_two_fits_at_once_in_two_threads_are_the_serial_ones(n):
    before = [pool["num_threads"] for pool in threadpool_info()]
    data = [draw(n, 9, seed) for seed in (1, 2)]
    serial = [LogisticRegression(n_jobs=2).fit(X, y) for X, y in data]
    found = [[], []]
    barrier = threading.Barrier(2, timeout=60)

    def work(k):
        barrier.wait()
        for _ in range(20 if n < 1000 else 2):
            found[k].append(numbers(LogisticRegression(n_jobs=2).fit(*data[k])))

    threads = [threading.Thread(target=work, args=(k,)) for k in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for k in (0, 1):
        assert len(found[k]) == (20 if n < 1000 else 2)
        for coefs in found[k]:
            np.testing.assert_array_equal(coefs, numbers(serial[k]))
    assert [pool["num_threads"] for pool in threadpool_info()] == before


@pytest.mark.usefixtures("two_blas_threads")
@pytest.mark.parametrize("held", [False, True], ids=["free", "held by the main thread"])
def test_a_fit_in_another_thread_has_the_same_bits(held):
    X, _ = draw(3000, 20, 3)
    y = np.random.default_rng(4).integers(0, 3, 3000)
    model = LogisticRegression(C=1.0).fit(X, y)
    with threadpool_limits(2) if held else nullcontext(), ThreadPoolExecutor(1) as pool:
        other = pool.submit(LogisticRegression(C=1.0).fit, X, y).result()
    assert other.coef_.tobytes() == model.coef_.tobytes()


@pytest.mark.usefixtures("two_blas_threads")
def test_threads_of_blas_are_given_back_after_an_error():
    before = [pool["num_threads"] for pool in threadpool_info()]
    spoilt = X0.copy()
    spoilt[3, 2] = np.nan
    with pytest.raises(EvenOddsError):
        LogisticRegression().fit(spoilt, Y0)
    assert [pool["num_threads"] for pool in threadpool_info()] == before


# Frames


@pytest.mark.parametrize("kind", FRAMES)
def test_names_of_columns_are_kept_and_checked(kind):
    make = FRAMES[kind]
    model = LogisticRegression(C=1.0).fit(make(X0, NAMES), Y0)
    np.testing.assert_array_equal(model.feature_names_in_, NAMES)
    twin = LogisticRegression(C=1.0).fit(X0, Y0)  # pandas holds columns in F order: sums differ in the last place
    np.testing.assert_allclose(numbers(model), numbers(twin), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(make(X0, NAMES)), twin.predict(X0))
    for method in (model.predict, model.predict_proba, model.decision_function, model.predict_log_proba):
        with pytest.raises(ValueError, match=r"(?s)feature names.*unseen at fit time.*epsilon"):
            method(make(X0, ["alpha", "beta", "gamma", "epsilon"]))
        with pytest.raises(ValueError, match=r"(?s)feature names.*same order"):
            method(make(X0[:, ::-1], NAMES[::-1]))
        with pytest.raises(ValueError, match=r"(?s)feature names.*missing.*delta"):
            method(make(X0[:, :3], NAMES[:3]))
        with pytest.raises(ValueError, match=r"(?s)feature names.*unseen at fit time.*more"):
            method(make(np.column_stack([X0, X0[:, 0]]), [*NAMES, "more"]))
    with pytest.raises(ValueError, match="feature names"):
        model.score(make(X0[:, ::-1], NAMES[::-1]), Y0)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X0)


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_after_a_fit_on_an_array_are_warned_of(kind):
    model = LogisticRegression(C=1.0).fit(X0, Y0)
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        found = model.predict(FRAMES[kind](X0, NAMES))
    np.testing.assert_array_equal(found, model.predict(X0))


@pytest.mark.parametrize("kind", FRAMES)
def test_columns_that_were_numbers_and_are_none_now_are_named(kind):
    good = FRAMES[kind](X0, NAMES)
    table = {"alpha": X0[:, 0], "colour": ["red", "blue"] * 150, "gamma": X0[:, 2], "city": ["a", "b"] * 150}
    bad = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "Arrow": pa.table}[kind](table)
    with pytest.raises(EvenOddsError, match=r"(?i)not numeric: columns 'colour', 'city'"):
        LogisticRegression(C=1.0).fit(good, Y0).predict(bad)


def test_dates_and_times_are_not_numbers():
    frame = pd.DataFrame(
        {"a": X0[:, 0], "when": pd.date_range("2020", periods=300), "long": pd.to_timedelta(range(300))}
    )
    with pytest.raises(EvenOddsError, match=r"'long' is of type duration"):
        LogisticRegression(C=1).fit(frame, Y0)
    with pytest.raises(EvenOddsError, match=r"'when'"):
        LogisticRegression(C=1).fit(pl.DataFrame({"a": X0[:, 0], "when": frame["when"].to_numpy()}), Y0)


@pytest.mark.parametrize("kind", FRAMES)
def test_missing_values_are_named_by_column_and_row(kind):
    values = X0.copy()
    values[7, 2] = values[9, 1] = np.nan
    model = LogisticRegression(C=1.0)
    with pytest.raises(EvenOddsError, match=r"column '(gamma|beta)'.*row (7|9) "):
        model.fit(FRAMES[kind](values, NAMES), Y0)
    with pytest.raises(EvenOddsError, match=r"column '(gamma|beta)'.*row (7|9) "):
        model.partial_fit(FRAMES[kind](values, NAMES), Y0)
    with pytest.raises(EvenOddsError, match=r"column '(gamma|beta)'.*row (7|9) "):
        model.fit(FRAMES[kind](X0, NAMES), Y0).predict(FRAMES[kind](values, NAMES))


def test_frames_of_several_types_are_one_table():
    rng = np.random.default_rng(0)
    parts = {
        "flag": rng.random(300) < 0.5,
        "count": rng.integers(0, 9, 300).astype(np.int8),
        "big": rng.integers(0, 2**40, 300),
        "half": rng.normal(size=300).astype(np.float32),
        "full": rng.normal(size=300),
    }
    X = np.column_stack([v.astype(float) for v in parts.values()])
    truth = numbers(LogisticRegression(C=1.0, standardize=True).fit(X, Y0))
    for make in (pd.DataFrame, pl.DataFrame, pa.table):
        model = LogisticRegression(C=1.0, standardize=True).fit(make(parts), Y0)
        np.testing.assert_allclose(numbers(model), truth, rtol=1e-10)


def test_names_that_are_not_strings():
    model = LogisticRegression(C=1).fit(pd.DataFrame(X0), Y0)
    assert not hasattr(model, "feature_names_in_")
    with pytest.raises(TypeError, match="strings"):
        LogisticRegression(C=1).fit(pd.DataFrame(X0, columns=["a", "b", 3, 4]), Y0)


def test_labels_in_a_series_of_another_index_are_taken_in_order():
    model = LogisticRegression(C=1).fit(pd.DataFrame(X0), pd.Series(Y0, index=np.arange(300)[::-1] + 1000))
    np.testing.assert_allclose(numbers(model), numbers(LogisticRegression(C=1).fit(X0, Y0)), rtol=1e-12)


# warm_start


@pytest.mark.parametrize("solver", ["newton", "quasi-newton"])
@pytest.mark.parametrize("n", [300, 140_000])
@pytest.mark.parametrize("C", [np.inf, 1.0])
def test_a_warm_start_takes_fewer_passes_to_the_same_answer(C, n, solver):
    X, y = draw(n, 9)
    model = LogisticRegression(C=C, solver=solver, warm_start=True, tol=1e-6, n_jobs=1).fit(X, y)
    cold = model.solution_
    first = numbers(model)
    model.fit(X, y)
    assert model.solution_.passes < cold.passes
    assert model.solution_.status is Status.CONVERGED
    np.testing.assert_allclose(numbers(model), first, rtol=1e-6)


@pytest.mark.parametrize("solver", ["auto", "quasi-newton"])
@pytest.mark.parametrize("far", [10.0, 1e3, 1e10, 1e200, 1e308, np.nan])
def test_a_warm_start_from_far_away_arrives(far, solver):
    """As after a fit of other data, with other units: at worst it is as good as a cold start."""
    cold = LogisticRegression(solver=solver, tol=1e-8).fit(X0, Y0)
    model = LogisticRegression(solver=solver, tol=1e-8, warm_start=True).fit(X0, Y0)
    model.coef_ = np.full_like(model.coef_, far)
    model.fit(X0, Y0)
    np.testing.assert_allclose(numbers(model), numbers(cold), rtol=1e-8)


def test_a_warm_start_from_data_in_other_units_arrives():
    model = LogisticRegression(C=1.0, standardize=True, warm_start=True)
    model.fit(X0 * 1e-4, Y0)
    model.fit(X0, Y0)
    cold = LogisticRegression(C=1.0, standardize=True).fit(X0, Y0)
    np.testing.assert_allclose(numbers(model), numbers(cold), rtol=1e-8)


def test_a_warm_start_with_other_columns_starts_anew():
    model = LogisticRegression(C=1.0, warm_start=True).fit(X0, Y0)
    model.fit(X0[:, :2], Y0)
    np.testing.assert_allclose(numbers(model), numbers(LogisticRegression(C=1.0).fit(X0[:, :2], Y0)), rtol=1e-9)


def test_a_warm_start_of_sgd_goes_on():
    once = LogisticRegression(C=1.0, solver=SGD(epochs=20), warm_start=True).fit(X0, Y0)
    loss = once.solution_.loss
    once.fit(X0, Y0)
    assert once.solution_.loss < loss


# partial_fit


def test_partial_fit_learns():
    X, y = draw(4000, 4)
    model = LogisticRegression(C=np.inf, solver=SGD(learning_rate=0.1, batch_size=20))
    losses = []
    for k in range(0, 4000, 200):
        model.partial_fit(X[k : k + 200], y[k : k + 200])
        losses.append(-model.predict_log_proba(X)[np.arange(4000), y].mean())
    best = LogisticRegression().fit(X, y).solution_.loss
    assert losses[-1] < best + 0.01
    assert losses[-1] < losses[0]
    assert model.n_iter_[0] == 20


def test_partial_fit_of_all_rows_over_and_over_approaches_the_optimum():
    model = LogisticRegression(C=1.0, solver=SGD(learning_rate=0.05))
    for _ in range(400):
        model.partial_fit(X0, Y0)
    best = LogisticRegression(C=1.0).fit(X0, Y0)
    np.testing.assert_allclose(numbers(model), numbers(best), atol=0.05)


def test_partial_fit_knows_its_classes():
    model = LogisticRegression(C=1.0)
    labels = np.where(Y0, "yes", "no")
    one = labels == "yes"
    with pytest.raises(EvenOddsError, match="one class only"):
        clone(model).partial_fit(X0[one], labels[one])
    model.partial_fit(X0[one], labels[one], classes=["yes", "no"])
    np.testing.assert_array_equal(model.classes_, ["no", "yes"])
    model.partial_fit(X0[~one], labels[~one])
    model.partial_fit(X0, labels, classes=np.array(["no", "yes"]))
    np.testing.assert_array_equal(model.classes_, ["no", "yes"])
    turned = LogisticRegression(C=1.0).partial_fit(X0[one], labels[one], classes=["no", "yes"])
    turned.partial_fit(X0[~one], labels[~one]).partial_fit(X0, labels)
    np.testing.assert_array_equal(numbers(turned), numbers(model))
    with pytest.raises(EvenOddsError, match="differ from those of the first call"):
        model.partial_fit(X0, labels, classes=["no", "maybe"])
    with pytest.raises(EvenOddsError, match="not in classes"):
        model.partial_fit(X0[:2], ["no", "maybe"])


@pytest.mark.parametrize("mean", [0.0, 1e6, -1e12])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6, 1e100])
def test_partial_fit_cannot_overflow(scale, mean):
    X, y = draw(2000, 3)
    X = (X + mean) * scale
    model = LogisticRegression(solver=SGD(learning_rate=0.1, batch_size=20))
    for _ in range(3):
        for k in range(0, 2000, 100):
            model.partial_fit(X[k : k + 100], y[k : k + 100])
    assert np.isfinite(numbers(model)).all()
    # -1e12 leaves each number 4 digits
    assert model.score(X, y) > LogisticRegression().fit(draw(2000, 3)[0], y).score(draw(2000, 3)[0], y) - 0.03


def test_partial_fit_wants_the_same_columns():
    model = LogisticRegression(C=1.0).partial_fit(X0, Y0)
    with pytest.raises(ValueError, match=r"3 features.*expecting 4"):
        model.partial_fit(X0[:, :3], Y0)
    with pytest.raises(ValueError, match=r"5 features.*expecting 4"):
        model.partial_fit(np.column_stack([X0, X0[:, 0]]), Y0)
    named = LogisticRegression(C=1.0).partial_fit(pd.DataFrame(X0, columns=NAMES), Y0)
    with pytest.raises(ValueError, match="feature names"):
        named.partial_fit(pd.DataFrame(X0[:, ::-1], columns=NAMES[::-1]), Y0)


def test_partial_fit_takes_sparse_rows_weights_and_a_single_row():
    model = LogisticRegression(C=1.0).partial_fit(sp.csr_array(X0), Y0)
    assert np.isfinite(numbers(model)).all()
    model.partial_fit(X0[:1], Y0[:1])
    assert np.isfinite(numbers(model)).all()
    weight = (np.arange(300) < 150).astype(float)
    a = LogisticRegression(C=1.0).partial_fit(X0, Y0, sample_weight=weight)
    b = LogisticRegression(C=1.0).partial_fit(X0[:150], Y0[:150])
    np.testing.assert_allclose(numbers(a), numbers(b), rtol=1e-12)


def test_partial_fit_of_a_single_first_row():
    model = LogisticRegression(C=1.0).partial_fit(X0[:1], Y0[:1], classes=[0, 1])
    assert np.isfinite(numbers(model)).all()
    for k in range(1, 300):
        model.partial_fit(X0[k : k + 1], Y0[k : k + 1])
    assert np.isfinite(numbers(model)).all()
    assert model.score(X0, Y0) > 0.7


# SGD is the textbook's


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("bs", [1, 32, 100, 1000])
def test_sgd_is_the_textbook_on_normalised_columns(bs, seed):
    X = X0 * [1, 1e3, 1e-3, 1] + [0, 5e3, 0, 1]
    w, b, losses = scratch.train(scratch.normalize(X), Y0, bs=bs, epochs=8, lr=0.1, seed=seed)
    solver = SGD(batch_size=bs, epochs=8, learning_rate=0.1)
    model, caught = quiet(LogisticRegression(solver=solver, random_state=seed).fit, X, Y0)
    assert not caught
    np.testing.assert_allclose(model.solution_.history, losses, rtol=1e-12)
    np.testing.assert_allclose(model.coef_[0] * X.std(axis=0), w, rtol=1e-12)
    assert model.intercept_[0] + model.coef_[0] @ X.mean(axis=0) == pytest.approx(b, rel=1e-10)
    assert (model.solution_.status, model.solution_.iterations, model.n_iter_[0]) == (Status.EPOCHS, 8, 8)


def test_sgd_is_the_textbook_on_data_of_compiled_size():
    X, y = draw(120_000, 9)
    Xn = scratch.normalize(X)
    w, _, losses = scratch.train(Xn, y, bs=1000, epochs=2, lr=0.5, seed=0)
    # Columns that are normalised already: the scale of a large fit comes from a sample of the rows.
    config = SGD(batch_size=1000, epochs=2, learning_rate=0.5)
    model = LogisticRegression(solver=config, standardize=True, C=1e300, n_jobs=1).fit(X, y)
    np.testing.assert_allclose(model.solution_.history, losses, rtol=1e-10)
    np.testing.assert_allclose(model.coef_[0] * X.std(axis=0), w, rtol=1e-10)


def test_sgd_shuffles_rows_that_are_sorted():
    k = np.argsort(Y0, kind="stable")
    solver = SGD(epochs=300, learning_rate=0.05, batch_size=30)
    best = LogisticRegression(C=1.0).fit(X0, Y0)
    model = LogisticRegression(C=1.0, solver=solver).fit(X0[k], Y0[k])
    np.testing.assert_allclose(numbers(model), numbers(best), atol=0.1)
    assert model.solution_.loss - best.solution_.loss == pytest.approx(model.solution_.gap, rel=0.2)


def test_sgd_of_large_sorted_data_learns():
    X, y = draw(140_000, 9)
    k = np.argsort(y, kind="stable")
    solver = SGD(epochs=3, learning_rate=0.1)
    model = LogisticRegression(C=1.0, solver=solver, n_jobs=1).fit(X[k] * 1e5 + 1e6, y[k])
    best = LogisticRegression(C=1.0, n_jobs=1).fit(X, y)
    assert model.solution_.loss < best.solution_.loss + 0.002


@pytest.mark.parametrize("C", [1e-9, 1e-3, 1.0])
def test_sgd_approaches_the_ridge_of_any_strength(C):
    solver = SGD(epochs=600, learning_rate=1.0, batch_size=300)  # all rows in a batch: it converges
    model = LogisticRegression(C=C, solver=solver).fit(X0, Y0)
    np.testing.assert_allclose(numbers(model), numbers(LogisticRegression(C=C).fit(X0, Y0)), rtol=1e-8, atol=1e-12)
    assert model.solution_.error < 1e-8


def test_sgd_without_an_intercept_and_with_weights_and_offsets():
    weight, offset = np.random.default_rng(0).uniform(0.5, 2, 300), np.random.default_rng(1).normal(size=300)
    solver = SGD(epochs=800, learning_rate=1.0, batch_size=300)
    for intercept in (False, True):
        model = LogisticRegression(C=1.0, solver=solver, fit_intercept=intercept).fit(X0, Y0, weight, offset)
        best = LogisticRegression(C=1.0, fit_intercept=intercept).fit(X0, Y0, weight, offset)
        np.testing.assert_allclose(numbers(model), numbers(best), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"batch_size": 1.5},
        {"epochs": 0},
        {"epochs": True},
        {"learning_rate": 0},
        {"learning_rate": -1},
    ],
)
def test_wrong_settings_of_sgd_are_named(wrong):
    with pytest.raises(EvenOddsError, match=next(iter(wrong))):
        SGD(**wrong)


# What is printed and reported


@pytest.mark.parametrize("solver", ["newton", "quasi-newton", SGD(epochs=3)])
@pytest.mark.parametrize("verbose", [0, 1])
def test_verbose_prints_on_stderr_only(verbose, solver, capfd):
    LogisticRegression(C=1.0, solver=solver, verbose=verbose).fit(X0, Y0)
    out, err = capfd.readouterr()
    assert out == ""
    assert (err != "") == bool(verbose)
    if verbose:
        assert "300 rows, 4 columns" in err
        assert "loss" in err


class Recorder:
    """A callback that keeps what it is told and, if asked to, stops the fit."""

    def __init__(self, stop_after=None):
        self.calls, self.losses, self.stop_after = [], [], stop_after

    def setup(self, estimator, context):
        self.calls.append("setup")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.calls.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.calls.append(("end", context.task_name, context.task_id))
        if context.task_name == "iteration" and fitted_estimator is not None:
            p = fitted_estimator.predict_proba(X)[np.arange(len(y)), y]
            self.losses.append(-np.log(p).mean())
        return self.stop_after is not None and len(self.losses) >= self.stop_after

    def teardown(self, estimator, context):
        self.calls.append("teardown")


@needs_callbacks
@pytest.mark.parametrize("solver", ["newton", "quasi-newton", SGD(epochs=4)])
def test_a_callback_is_told_of_each_iteration(solver):
    recorder = Recorder()
    model = LogisticRegression(solver=solver).set_callbacks(recorder).fit(X0, Y0)
    plain = LogisticRegression(solver=solver).fit(X0, Y0)
    np.testing.assert_array_equal(numbers(model), numbers(plain))
    assert recorder.calls[0] == "setup"
    assert recorder.calls[-1] == "teardown"
    assert recorder.calls[1] == ("begin", "fit", 0)
    assert recorder.calls[-2] == ("end", "fit", 0)
    inner = recorder.calls[2:-2]
    assert [kind for kind, *_ in inner] == ["begin", "end"] * (len(inner) // 2)
    assert [task for _, _, task in inner[::2]] == list(range(len(inner) // 2))
    assert len(recorder.losses) >= plain.solution_.iterations > 1
    assert recorder.losses[-1] < recorder.losses[0]
    assert recorder.losses[-1] == pytest.approx(plain.solution_.loss, rel=1e-3)


@needs_callbacks
@pytest.mark.parametrize("solver", ["newton", "quasi-newton", SGD(epochs=50)])
def test_a_callback_can_stop_the_fit(solver):
    recorder = Recorder(stop_after=2)
    model = LogisticRegression(solver=solver, tol=1e-12).set_callbacks(recorder).fit(X0, Y0)
    assert model.solution_.status is Status.STOPPED
    assert len(recorder.losses) == 2
    assert np.isfinite(numbers(model)).all()
    loss = -np.log(model.predict_proba(X0)[np.arange(300), Y0]).mean()
    assert loss == pytest.approx(recorder.losses[-1], rel=1e-12)
    assert recorder.calls[-1] == "teardown"


@needs_callbacks
def test_callbacks_are_taken_down_after_an_error():
    recorder = Recorder()
    spoilt = X0.copy()
    spoilt[3, 2] = np.inf
    model = LogisticRegression(C=1.0).set_callbacks(recorder)
    with pytest.raises(EvenOddsError):
        model.fit(spoilt, Y0)
    assert recorder.calls.count("setup") == recorder.calls.count("teardown")
    model.fit(X0, Y0)
    assert recorder.calls[-1] == "teardown"
    pickle.dumps(model.set_callbacks())


@needs_callbacks
def test_a_callback_sees_the_model_in_the_making():
    recorder = Recorder()
    model = LogisticRegression(C=1.0).fit(pd.DataFrame(X0, columns=NAMES), Y0)
    model.set_callbacks(recorder).fit(X0[:, :2], Y0)
    assert recorder.losses[-1] == pytest.approx(
        -model.predict_log_proba(X0[:, :2])[np.arange(300), Y0].mean(), rel=1e-6
    )


@needs_callbacks
def test_the_progress_bar_of_scikit_learn():
    from sklearn.callback import ProgressBar

    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        model = LogisticRegression(C=1.0).set_callbacks(ProgressBar()).fit(X0, Y0)
    assert "LogisticRegression" in out.getvalue() + err.getvalue()
    np.testing.assert_array_equal(numbers(model), numbers(LogisticRegression(C=1.0).fit(X0, Y0)))


@needs_callbacks
def test_the_progress_bar_reaches_into_a_grid_search():
    from sklearn.callback import ProgressBar

    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2)
    if not hasattr(search, "set_callbacks"):
        pytest.skip("searches have no callbacks in this version")
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X0, Y0)
    assert search.best_score_ > 0.7


# Warnings


SEPARATED = np.column_stack([X0[:, 0], np.where(Y0 == 1, 1.0, -1.0)])
COLLINEAR = np.column_stack([X0, X0[:, 0] + X0[:, 1]])
WARNED = {
    "limit": (LogisticRegression(C=1.0, max_iter=1), X0, ConvergenceWarning, "max_iter"),
    "separated": (LogisticRegression(), SEPARATED, SeparationWarning, "column 1"),
    "collinear": (LogisticRegression(), COLLINEAR, CollinearWarning, "Column 4"),
    "separated sgd": (LogisticRegression(solver=SGD(epochs=3)), SEPARATED, SeparationWarning, "column 1"),
}


@pytest.mark.parametrize("name", WARNED)
def test_warnings_point_at_the_line_that_called(name):
    model, X, category, words = WARNED[name]
    ways = {
        "fit": lambda: model.fit(X, Y0),
        "pipeline": lambda: make_pipeline("passthrough", model).fit(X, Y0),
        "scaled": lambda: make_pipeline(StandardScaler(), model).fit(X, Y0),
        "grid": lambda: GridSearchCV(model, {"fit_intercept": [True]}, cv=2, error_score="raise").fit(X, Y0),
        "validation": lambda: cross_val_score(model, X, Y0, cv=2),
    }
    for way, call in ways.items():
        _, caught = quiet(call)
        assert caught, way
        for warning in caught:
            assert warning.category is category, way
            assert warning.filename == __file__, (way, warning.filename)
            assert words in str(warning.message), way


def test_warnings_can_be_made_errors_and_silenced_by_category():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SeparationWarning):
            LogisticRegression().fit(SEPARATED, Y0)
        warnings.simplefilter("ignore", SeparationWarning)
        LogisticRegression().fit(SEPARATED, Y0)


@pytest.mark.parametrize("solver", ["newton", "quasi-newton"])
@pytest.mark.parametrize("max_iter", [0, 1, 2])
def test_a_fit_that_runs_out_of_iterations_says_so(max_iter, solver):
    """Data on which the start is bad for any metric; with a pinch of rows far out."""
    X, y = draw(300, 4, noise=0.05)
    model = LogisticRegression(C=1e4, solver=solver, max_iter=max_iter, tol=1e-8)
    with pytest.warns(ConvergenceWarning, match=rf"max_iter \(now {max_iter}\)"):
        model.fit(X, y)
    assert model.solution_.status is Status.MAX_ITER
    assert model.n_iter_[0] == model.solution_.iterations == max_iter
    assert model.solution_.error > 1e-8
    assert np.isfinite(numbers(model)).all()


# In a new process


def run(code, **env):
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=100,
        env=environment(**env),
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_fork_after_a_threaded_fit_does_not_hang():
    code = """
import os, warnings, numpy as np
from evenodds import LogisticRegression
rng = np.random.default_rng(0)
X = rng.normal(size=(150_000, 8)); y = (X[:, 0] + rng.normal(size=150_000) > 0).astype(int)
a = LogisticRegression(n_jobs=2).fit(X, y)
warnings.simplefilter("ignore")
child = os.fork()
if child == 0:
    b = LogisticRegression(n_jobs=2).fit(X, y)
    os._exit(0 if (a.coef_ == b.coef_).all() else 1)
import time
for _ in range(300):
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        break
    time.sleep(0.1)
else:
    os.kill(child, 9)
    status = "hung"
print(status)
"""
    if not hasattr(__import__("os"), "fork"):
        pytest.skip("no fork here")
    assert run(code).strip() == "0"


# Weights


def test_class_weight_is_a_weight_of_rows():
    labels = np.where(Y0, "b", "a")
    factors = {"a": 0.3, "b": 2.5}
    weight = np.where(Y0 == 1, 2.5, 0.3)
    for solver in ("newton", "quasi-newton", SGD(epochs=5)):
        a = LogisticRegression(C=1.0, solver=solver, class_weight=factors).fit(X0, labels)
        b = LogisticRegression(C=1.0, solver=solver).fit(X0, labels, sample_weight=weight)
        np.testing.assert_allclose(numbers(a), numbers(b), rtol=1e-12)
    a = LogisticRegression(C=1.0, class_weight=factors).partial_fit(X0, labels)
    b = LogisticRegression(C=1.0).partial_fit(X0, labels, sample_weight=weight)
    np.testing.assert_allclose(numbers(a), numbers(b), rtol=1e-12)


def test_balanced_is_taken_after_sample_weight():
    weight = np.random.default_rng(0).uniform(0, 3, 300)
    totals = np.bincount(Y0, weights=weight)
    model = LogisticRegression(C=1.0, class_weight="balanced").fit(X0, Y0, sample_weight=weight)
    twin = LogisticRegression(C=1.0).fit(X0, Y0, sample_weight=weight * (totals.sum() / (2 * totals))[Y0])
    np.testing.assert_allclose(numbers(model), numbers(twin), rtol=1e-12)


def test_one_weight_stands_for_all_rows_and_score_is_weighted():
    weight = np.random.default_rng(0).uniform(0, 3, 300)
    model = LogisticRegression(C=1.0).fit(X0, Y0, sample_weight=2.0)
    np.testing.assert_allclose(
        numbers(model), numbers(LogisticRegression(C=1.0).fit(X0, Y0, sample_weight=np.full(300, 2.0))), rtol=1e-12
    )
    right = model.predict(X0) == Y0
    assert model.score(X0, Y0) == pytest.approx(right.mean())
    assert model.score(X0, Y0, sample_weight=weight) == pytest.approx(weight @ right / weight.sum())


# Scores


def with_coef(*coef, intercept=0.0):
    model = LogisticRegression(C=1.0).fit(np.eye(len(coef) + 1)[:, : len(coef)], [0, 1] + [0] * (len(coef) - 1))
    model.coef_, model.intercept_ = np.array([coef], dtype=float), np.array([float(intercept)])
    return model


@pytest.mark.parametrize("z", [0.0, 1e-300, 1e-8, 1.0, 36.0, 40.0, 700.0, 746.0, 1e5, 1e300])
@pytest.mark.parametrize("sign", [1, -1])
def test_probabilities_are_exact_at_any_score(z, sign):
    z *= sign
    model = with_coef(1.0)
    with mpmath.workdps(400):
        odds = [1 / (1 + mpmath.exp(s * mpmath.mpf(z))) if abs(z) < 1e6 else mpmath.mpf(s * z < 0) for s in (1, -1)]
        logs = [-mpmath.log1p(mpmath.exp(s * mpmath.mpf(z))) if s * z < 1e4 else -s * mpmath.mpf(z) for s in (1, -1)]
    for form in (np.array([[z]]), sp.csr_array([[z]])):
        assert model.decision_function(form)[0] == z
        np.testing.assert_allclose(model.predict_proba(form)[0], [float(p) for p in odds], rtol=4e-16, atol=1e-320)
        np.testing.assert_allclose(model.predict_log_proba(form)[0], [float(p) for p in logs], rtol=4e-16, atol=1e-320)
        assert model.predict(form)[0] == int(z > 0)


@pytest.mark.parametrize("form", ["dense", "float32", "CSR"])
def test_a_score_that_overflows_is_certain_and_never_nan(form):
    size = 3e38 if form == "float32" else 1e308
    make = {"dense": np.array, "float32": lambda X: np.array(X, np.float32), "CSR": sp.csr_array}[form]
    model = with_coef(1e300, 1e300)
    p = model.predict_proba(make([[size, size], [-size, -size]]))
    np.testing.assert_array_equal(p, [[0, 1], [1, 0]])
    # Two infinite parts of opposite sign: the true score is 0, or the sign of the larger.
    wide = with_coef(*[1e300] * 8)
    row = np.array([[size, -size] * 4, [size, -size / 2] * 4])
    for method in (wide.decision_function, wide.predict_proba, wide.predict_log_proba):
        assert not np.isnan(method(make(row))).any(), method.__name__


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, np.float32, sp.csr_array])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_refused_where_the_coefficient_is_0(form, bad):
    X, y = draw(200, 30)
    model = LogisticRegression(C=0.05, l1_ratio=1.0).fit(X, y)
    assert 0 < np.count_nonzero(model.coef_) < 3
    away = int(np.flatnonzero(model.coef_[0] == 0)[-1])
    X[17, away] = bad
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(EvenOddsError, match=f"column {away}, row 17"):
            getattr(model, name)(form(X))


def test_an_offset_is_not_part_of_a_prediction():
    offset = np.random.default_rng(0).normal(size=300)
    model = LogisticRegression(C=1.0).fit(X0, Y0, offset=offset)
    np.testing.assert_allclose(model.decision_function(X0), X0 @ model.coef_[0] + model.intercept_[0], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int16, bool])
def test_predictions_of_other_types_are_those_of_float64(dtype):
    model = LogisticRegression(C=1.0).fit(X0, Y0)
    X = (10 * X0).astype(dtype)
    for form in (X, np.asfortranarray(X), X[::-1][::-1]):
        np.testing.assert_allclose(model.decision_function(form), model.decision_function(X.astype(float)), rtol=1e-12)


def test_the_solution_is_measured_in_the_units_that_it_says():
    """`error` bounds the distance in standard errors, and `gap` the loss, at points that are not the optimum."""
    truth = newton(X0, Y0)
    for max_iter in (1, 2, 3):
        model, _ = quiet(LogisticRegression(solver="newton", max_iter=max_iter, tol=1e-12).fit, X0, Y0)
        far = np.abs(model.coef_[0] - truth.coef) / truth.se
        assert far.max() <= 1.2 * model.solution_.error + 1e-9
        assert model.solution_.error == pytest.approx(np.sqrt(2 * 300 * model.solution_.gap), rel=1e-12)
        assert model.solution_.loss == pytest.approx(model.solution_.history.min(), rel=1e-12)
        assert model.solution_.history.size <= model.solution_.passes  # the judge of separation reads too


@pytest.mark.parametrize("given", [{"l1_ratio": 1.0}, {"penalty_factor": [1, 2, 3]}])
def test_a_part_of_the_penalty_needs_its_strength(given):
    with pytest.raises(EvenOddsError, match=r"is a part of the penalty, and C=inf is none: give its strength"):
        LogisticRegression(**given).fit(X0, Y0)


@pytest.mark.parametrize("name", ["fit_intercept", "standardize", "warm_start"])
def test_what_is_true_or_false_is_nothing_else(name):
    with pytest.raises(EvenOddsError, match=f"{name} is True or False, got 'no'"):
        LogisticRegression(**{name: "no"}).fit(X0, Y0)


def test_gradient_descent_that_goes_astray_says_so():
    with pytest.warns(ConvergenceWarning, match="The steps are too long: give SGD a smaller learning_rate"):
        LogisticRegression(solver=SGD(learning_rate=1e4, epochs=5)).fit(X0, Y0)
    LogisticRegression(solver=SGD(learning_rate=0.1, epochs=5)).fit(X0, Y0)


def test_sparse_coefficients_predict_the_same(tmp_path):
    model = LogisticRegression(C=0.05, l1_ratio=1.0, warm_start=True).fit(X0, Y0)
    dense, expected = model.coef_, model.predict_proba(X0)
    assert sp.issparse(model.sparsify().coef_)
    np.testing.assert_array_equal(model.predict_proba(X0), expected)
    np.testing.assert_array_equal(model.densify().coef_, dense)
    np.testing.assert_allclose(model.sparsify().fit(X0, Y0).coef_, dense, atol=1e-6)


@needs_callbacks
def test_an_iteration_begins_with_the_model_before_it_and_the_last_task_is_empty():
    class Seen:
        begins, ends = [], []

        def setup(self, estimator, context): ...

        def teardown(self, estimator, context): ...

        def on_fit_task_begin(self, estimator, context, *, fitted_estimator=None):
            self.begins += [fitted_estimator] * (context.task_name == "iteration")

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            self.ends += [fitted_estimator] * (context.task_name == "iteration")

    model = LogisticRegression(C=1.0, solver="newton").set_callbacks(Seen()).fit(X0, Y0)
    assert len(Seen.begins) == len(Seen.ends) == model.n_iter_[0] + 1
    assert Seen.ends[-1] is None
    for before, after in zip(Seen.ends, Seen.begins[1:], strict=False):
        np.testing.assert_array_equal(before.coef_, after.coef_)


@pytest.mark.parametrize("what", [LogisticRegression, LogisticRegressionCV, evenodds.infer, evenodds.path])
def test_signatures_are_readable(what):
    assert "numpy." not in str(inspect.signature(what))
