"""The textbook against mpmath, finite differences, SciPy's optimum and the slips that learners make."""

import inspect
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.datasets import make_classification, make_moons

from evenodds import scratch
from evenodds.scratch import (
    accuracy,
    gradients,
    loss,
    normalize,
    plot_decision_boundary,
    predict,
    sigmoid,
    train,
)

matplotlib.use("Agg")

MOONS = make_moons(n_samples=100, noise=0.24, random_state=44)
BLOBS = make_classification(n_features=2, n_redundant=0, n_informative=2, random_state=1, n_clusters_per_class=1)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def problem(seed, m=40, n=3):
    """Return X, y and probabilities with no structure at all."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, n)), rng.integers(0, 2, m), rng.uniform(0.01, 0.99, m)


# The sigmoid


@pytest.mark.parametrize("z", [0, 1e-300, 1e-17, 0.5, 1, 36.8, 37, 709.7, 709.9, 745, 746, 1000, 1e10, 1e308])
def test_sigmoid_is_exact_at_both_ends(z):
    with mpmath.workdps(60):
        for score in (z, -z):
            exact = float(1 / (1 + mpmath.exp(-mpmath.mpf(score))))
            assert sigmoid(score) == pytest.approx(exact, rel=4e-16, abs=5e-324)


def test_sigmoid_keeps_shape_infinities_and_nan():
    z = np.array([[-np.inf, 0.0], [np.inf, np.nan]])
    np.testing.assert_array_equal(sigmoid(z), [[0.0, 0.5], [1.0, np.nan]])
    assert sigmoid([1, 2, 3]).shape == (3,)
    assert sigmoid(0).shape == ()


@given(arrays(float, st.integers(1, 20), elements=st.floats(-1e308, 1e308)))
def test_sigmoid_is_symmetric_monotone_and_a_probability(z):
    p = sigmoid(np.sort(z))
    assert np.all((p >= 0) & (p <= 1))
    assert np.all(np.diff(p) >= 0)
    np.testing.assert_allclose(sigmoid(-z), 1 - sigmoid(z), atol=2e-16, rtol=0)


# The loss and its slopes


@pytest.mark.parametrize("seed", range(3))
def test_loss_is_the_formula_in_sixty_digits(seed):
    _, y, y_hat = problem(seed)
    y_hat[:4] = 1e-300, 1e-17, 1 - 1e-16, 0.5
    with mpmath.workdps(60):
        terms = [mpmath.log(p) if c else mpmath.log(1 - mpmath.mpf(p)) for c, p in zip(y, y_hat, strict=True)]
        exact = float(-mpmath.fsum(terms) / len(terms))
    assert loss(y, y_hat) == pytest.approx(exact, rel=1e-14)


def test_loss_at_the_landmarks():
    y = [0, 1, 1, 0]
    assert loss(y, [0.5] * 4) == pytest.approx(np.log(2), rel=1e-15)
    assert loss(y, y) == 0.0
    assert np.copysign(1, loss(y, y)) == 1  # and not -0.0
    assert loss(y, [1, 0, 0, 1]) == np.inf
    assert loss(y, [0, 1, 0.25, 0]) == pytest.approx(np.log(4) / 4, rel=1e-15)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 30))
def test_gradients_are_the_finite_differences_of_the_loss(seed, n, m):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(m, n)), rng.integers(0, 2, m)
    w, b, h = rng.normal(size=n), rng.normal(), 1e-5

    def at(parameters):
        return loss(y, sigmoid(X @ parameters[1:] + parameters[0]))

    point = np.r_[b, w]
    slopes = [(at(point + step) - at(point - step)) / (2 * h) for step in h * np.eye(n + 1)]
    dw, db = gradients(X, y, sigmoid(X @ w + b))
    assert dw.shape == (n,)
    np.testing.assert_allclose([db, *dw], slopes, atol=1e-8)


# A column is a vector: (m, 1) must never meet (m,) and make a table (m, m)


@pytest.mark.parametrize("column", [lambda v: v[:, None], lambda v: v[None, :], list])
def test_columns_rows_and_lists_count_as_vectors(column):
    X, y, y_hat = problem(0)
    assert loss(column(y), y_hat) == loss(y, column(y_hat)) == loss(y, y_hat)
    np.testing.assert_array_equal(gradients(X, column(y), y_hat)[0], gradients(X, y, column(y_hat))[0])
    assert accuracy(column(y), y) == accuracy(y, column(y)) == 1.0
    w, b, losses = train(X, y, epochs=3)
    w_column, b_column, losses_column = train(X, column(y), epochs=3)
    assert w_column.shape == (3,)
    np.testing.assert_array_equal(np.r_[w_column, b_column, losses_column], np.r_[w, b, losses])
    np.testing.assert_array_equal(predict(X, column(w), b), predict(X, w, b))


def test_booleans_are_labels():
    X, y, y_hat = problem(0)
    assert loss(y == 1, y_hat) == loss(y, y_hat)
    np.testing.assert_array_equal(train(X, y == 1, epochs=3)[0], train(X, y, epochs=3)[0])


X, Y, P = problem(1)
NOT_A_VECTOR = "expected 40 numbers"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: accuracy(X, Y), NOT_A_VECTOR),  # X in the place of y, as often published
        (lambda: accuracy(Y, P), "0 or 1"),  # probabilities in the place of classes
        (lambda: loss(Y, X @ np.ones(3) * 9), "from 0 to 1"),  # scores in the place of probabilities
        (lambda: loss(Y, np.full(40, np.nan)), "from 0 to 1"),
        (lambda: loss(2 * Y - 1, P), "0 or 1"),  # classes -1 and 1
        (lambda: loss(Y, P[:1]), NOT_A_VECTOR),  # would broadcast
        (lambda: loss(Y, np.tile(P, (2, 1))), NOT_A_VECTOR),
        (lambda: loss([], []), "expected 0 numbers"),
        (lambda: gradients(X, Y, X @ np.ones(3) * 9), "from 0 to 1"),
        (lambda: gradients(X, Y[:-1], P), NOT_A_VECTOR),
        (lambda: gradients(X[:, 0], Y, P), r"table \(m, n\)"),
        (lambda: train(X, Y + 1), "0 or 1"),
        (lambda: train(X, Y[:5]), NOT_A_VECTOR),
        (lambda: train(X, ["a"] * 40), "could not convert"),
        (lambda: train(np.where(X > 2, np.nan, X), Y), "finite"),
        (lambda: train(X * np.inf, Y), "finite"),
        (lambda: train(X, Y, bs=0), "bs"),
        (lambda: train(X, Y, bs=-5), "bs"),
        (lambda: train(np.empty((0, 2)), []), r"\(0, 2\)"),
        (lambda: predict(X[0], np.ones(3), 0.0), r"table \(m, n\)"),
        (lambda: normalize([1.0, 2.0]), r"table \(m, n\)"),
        (lambda: plot_decision_boundary(X, Y, np.ones(3), 0.0), "expected 2 numbers"),
    ],
)
def test_slips_get_an_error_and_not_a_number(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Normalising


@given(
    arrays(float, (12, 2), elements=st.floats(-1e3, 1e3)),
    st.sampled_from([-1e6, -1.0, 0.0, 1e6]),
    st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_normalize_forgets_shift_and_scale(table, shift, scale):
    table = table + np.arange(12)[:, None] * [10.0, -7.0] + np.eye(12)[:, :2] * 1e3  # no constant columns
    normal = normalize(table)
    np.testing.assert_allclose(normal.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(normal.std(axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(normalize(table * scale + shift), normal, atol=1e-6)


def test_normalize_new_data_with_the_statistics_of_the_old():
    old, new = np.array([[0.0, 1.0], [2.0, 5.0]]), np.array([[4.0, 3.0]])
    np.testing.assert_allclose(normalize(new, reference=old), [[3.0, 0.0]])
    np.testing.assert_array_equal(normalize(old, reference=old), normalize(old))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 + 0.1, -1e-8])
def test_a_constant_column_is_shifted_and_not_divided(value):
    table = np.c_[np.full(97, value), np.arange(97)]
    np.testing.assert_array_equal(normalize(table)[:, 0], 0)
    moved = normalize([[value + 3.0, 0.0]], reference=table)
    assert moved[0, 0] == pytest.approx(3.0, rel=1e-9)


def test_normalize_takes_integers_and_leaves_its_input_alone():
    table = np.array([[1, 2], [3, 6]])
    np.testing.assert_allclose(normalize(table), [[-1, -1], [1, 1]])
    np.testing.assert_array_equal(table, [[1, 2], [3, 6]])


# Training


def test_the_textbook_examples():
    X, y = BLOBS
    w, b, losses = train(normalize(X), y, bs=100, epochs=1000, lr=0.01)
    assert w.shape == (2,)
    assert isinstance(b, float)
    assert losses.shape == (1000,)
    assert accuracy(y, predict(normalize(X), w, b)) == 1.0

    X, y = MOONS
    w, b, losses = train(normalize(X), y, bs=100, epochs=1000, lr=0.01)
    assert accuracy(y, predict(normalize(X), w, b)) == 0.87
    assert np.all(np.diff(losses) < 0)  # one batch is the whole table: every step goes downhill
    assert losses[-1] == pytest.approx(loss(y, sigmoid(normalize(X) @ w + b)), rel=1e-12)


def test_the_first_step_by_hand():
    w, b, losses = train([[1.0], [3.0]], [0, 1], bs=2, epochs=1, lr=0.1)
    assert w == pytest.approx([0.1 * (0.5 * 3 - 0.5 * 1) / 2])  # from zero, every probability is 1/2
    assert b == 0.0
    assert losses == pytest.approx([(np.log1p(np.exp(w[0])) + np.log1p(np.exp(-3 * w[0]))) / 2])


def test_training_ends_at_the_optimum():
    X, y = normalize(MOONS[0]), MOONS[1]
    design = np.c_[np.ones(len(X)), X]
    optimum = minimize(
        lambda c: np.mean(np.logaddexp(0, design @ c) - y * (design @ c)),
        np.zeros(3),
        jac=lambda c: design.T @ (expit(design @ c) - y) / len(X),
        tol=1e-12,
    )
    w, b, losses = train(X, y, epochs=1500, lr=2.0)
    np.testing.assert_allclose([b, *w], optimum.x, rtol=1e-5)
    assert losses[-1] == pytest.approx(optimum.fun, rel=1e-12)


def test_batches_are_shuffled_and_the_seed_decides_how():
    X, y = MOONS
    first, again, other = (train(X, y, bs=7, epochs=3, lr=0.5, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[2], again[2])
    assert np.all(first[0] != other[0])
    # one batch of all rows: there is nothing to shuffle but the order of a sum
    whole, whole_other = (train(X, y, bs=1000, epochs=3, lr=0.5, seed=seed) for seed in (0, 1))
    np.testing.assert_allclose(whole[0], whole_other[0], rtol=1e-12)


def test_every_epoch_shows_every_row_once(monkeypatch):
    seen = []

    def spy(X, y, y_hat):
        seen.append(np.asarray(X)[:, 0])
        return gradients(X, y, y_hat)

    monkeypatch.setattr(scratch, "gradients", spy)
    train(np.arange(10.0)[:, None], np.arange(10) % 2, bs=4, epochs=2, lr=0.0)
    assert [len(rows) for rows in seen] == [4, 4, 2, 4, 4, 2]
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    np.testing.assert_array_equal(np.sort(first), np.arange(10))
    np.testing.assert_array_equal(np.sort(second), np.arange(10))
    assert not np.array_equal(first, second)


def test_on_separated_classes_the_weights_grow_for_ever():
    X, y = normalize(BLOBS[0]), BLOBS[1]
    norms = [np.linalg.norm(train(X, y, epochs=epochs, lr=5.0)[0]) for epochs in (100, 1000, 4000)]
    assert norms[0] * 1.2 < norms[1]
    assert norms[1] * 1.1 < norms[2]


def test_losses_stay_finite_when_the_sigmoid_saturates():
    X, y = np.array([[-1e5], [1e5], [2e5]]), np.array([0, 1, 0])  # the last row is certainly wrong
    w, b, losses = train(X, y, bs=1, epochs=20, lr=1.0)
    assert set(sigmoid(X @ w + b)) == {0.0, 1.0}
    assert np.isfinite(losses).all()
    assert losses.max() > 1e3
    assert losses[-1] == pytest.approx(np.mean(np.logaddexp(0, (1 - 2 * y) * (X @ w + b))), rel=1e-12)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_swapping_the_labels_turns_the_weights_round(seed, bs):
    X, y, _ = problem(seed, m=11, n=2)
    w, b, losses = train(X, y, bs=bs, epochs=4, lr=0.3, seed=seed)
    w_swapped, b_swapped, losses_swapped = train(X, 1 - y, bs=bs, epochs=4, lr=0.3, seed=seed)
    np.testing.assert_allclose(w_swapped, -w, atol=1e-12)
    assert b_swapped == pytest.approx(-b, abs=1e-12)
    np.testing.assert_allclose(losses_swapped, losses, rtol=1e-12)


# Predicting


def test_predict_follows_the_sigmoid_and_returns_integers():
    X = np.array([[-2.0], [0.0], [0.5], [3.0], [1e300]])
    classes = predict(X, [2.0], -1.0)  # the third score is 0: even odds are not yet class 1
    np.testing.assert_array_equal(classes, [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(classes, (sigmoid(X[:, 0] * 2 - 1) > 0.5).astype(int))
    assert classes.dtype.kind == "i"


def test_accuracy_counts():
    assert accuracy([0, 1, 1, 0], [0, 1, 0, 0]) == 0.75
    assert isinstance(accuracy([1], [1]), float)


# The picture


def line_of(ax):
    """Return the points where the drawn line passes, far on both sides."""
    (line,) = ax.lines
    return np.array([line.get_xy1(), line.get_xy2()])


@pytest.mark.parametrize(
    ("w", "b"),
    [
        ([1.0, 2.0], -0.5),
        ([1.0, 0.0], -0.5),
        ([0.0, 1e-9], 1e-10),
        ([1e-17, 2e-17], 1.0),
        ([-3e200, 1e200], 0.0),
    ],
)
def test_the_line_is_where_the_odds_are_even(w, b):
    X, y = MOONS
    ax = plot_decision_boundary(X, y, w, b)
    ax.figure.canvas.draw()  # the line is only computed when it is drawn
    on_line = line_of(ax)
    w = np.array(w)
    scale = np.abs(on_line).max() * np.abs(w).max() + abs(b)
    np.testing.assert_allclose((on_line @ w + b) / scale, 0, atol=1e-15)
    assert not np.array_equal(*on_line)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_axes_come_from_the_data(scale):
    X, y = MOONS[0] * scale + 3 * scale, MOONS[1]
    ax = plot_decision_boundary(X, y, [1.0, 1.0], 1e9)  # a line far out of view
    ax.figure.canvas.draw()
    for (low, high), values in zip((ax.get_xlim(), ax.get_ylim()), X.T, strict=True):
        assert low < values.min() < values.max() < high
        assert high - low < 1.3 * np.ptp(values)


def test_zero_weights_have_no_line_and_the_given_axes_are_used():
    _, ax = plt.subplots()
    assert plot_decision_boundary(*MOONS, np.zeros(2), 0.0, ax=ax) is ax
    assert len(ax.lines) == 0
    drawn = [len(collection.get_offsets()) for collection in ax.collections]
    assert drawn == [50, 50]
    ax.figure.canvas.draw()


# The showpiece stays readable


def test_it_is_short_and_in_the_order_of_the_textbook():
    source = Path(scratch.__file__).read_text(encoding="utf-8")
    assert len(source.splitlines()) < 200
    public = [name for name, value in vars(scratch).items() if inspect.isfunction(value) and not name.startswith("_")]
    order = ["sigmoid", "loss", "gradients", "normalize", "epochs", "train", "predict", "accuracy"]
    assert public == [*order, "plot_decision_boundary"]
    assert all(len(inspect.getsource(getattr(scratch, name)).splitlines()) < 45 for name in public)
