"""What belongs together: rows by place and index, columns by place and name. Where the two differ, an error says so."""

import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest

from evenodds import EvenOddsError, LogisticRegression, LogisticRegressionCV, find_separation, infer, path, plots

matplotlib.use("agg")
RNG = np.random.default_rng(0)
N = 60
LABELS = [f"row {k}" for k in range(N)]
X = pd.DataFrame(RNG.normal(size=(N, 3)), columns=["a", "b", "c"], index=LABELS)
Y = pd.Series((X["a"] + RNG.logistic(size=N) > 0).astype(int), index=LABELS)
THREE = pd.Series(RNG.integers(0, 3, N), index=LABELS)
NUMBERS = pd.Series(RNG.random(N) + 0.5, index=LABELS)
GROUPS = pd.Series(RNG.integers(0, 12, N), index=LABELS)
MODEL = LogisticRegression(C=1.0).fit(X, Y)
RESULT = infer(LogisticRegression().fit(X, Y), X, Y)

FITS = {
    "fit": LogisticRegression(C=1.0).fit,
    "lasso": LogisticRegression(C=1.0, l1_ratio=1.0).fit,
    "firth": LogisticRegression(firth=True).fit,
    "path": lambda X, y, w=None, o=None: path(X, y, n_C=3, sample_weight=w, offset=o),
    "cv": LogisticRegressionCV([1.0], cv=2).fit,
    "infer": lambda X, y, w=None, o=None: infer(LogisticRegression().fit(X, y, w, o), X, turned(y), w, o),
    "influence": lambda X, y, w=None, o=None: RESULT.influence(X, y, sample_weight=w, offset=o),
    "hosmer_lemeshow": lambda X, y, w=None, o=None: RESULT.hosmer_lemeshow(X, y, sample_weight=w, offset=o),
    "calibration": lambda X, y, w=None, o=None: RESULT.calibration(X, y, sample_weight=w, offset=o),
    "residuals": lambda X, y, w=None, o=None: plots.residuals(MODEL, X, y, sample_weight=w, offset=o),
}
OTHERS = {
    "weights of find_separation": lambda turn: find_separation(X, Y, turn(NUMBERS)),
    "labels of find_separation": lambda turn: find_separation(X, turn(Y)),
    "partial_fit": lambda turn: LogisticRegression(C=1.0).partial_fit(X, turn(Y)),
    "weights of partial_fit": lambda turn: LogisticRegression(C=1.0).partial_fit(X, Y, sample_weight=turn(NUMBERS)),
    "score": lambda turn: MODEL.score(X, turn(Y)),
    "weights of score": lambda turn: MODEL.score(X, Y, turn(NUMBERS)),
    "clusters": lambda turn: infer(LogisticRegression().fit(X, Y), X, Y, cov="cluster", groups=turn(GROUPS)),
    "groups of folds": lambda turn: LogisticRegressionCV([1.0], cv=2).fit(X, Y, groups=turn(GROUPS)),
    "offset of predict": lambda turn: RESULT.predict(X, turn(NUMBERS)),
    "weights of margins": lambda turn: RESULT.margins(X, sample_weight=turn(NUMBERS)),
    "offsets of classes": lambda turn: LogisticRegression(C=1.0).fit(
        X, THREE, offset=turn(pd.DataFrame({k: NUMBERS * k for k in range(3)}))
    ),
    "labels in a frame": lambda turn: MODEL.score(X, turn(Y.to_frame("y"))["y"]),
    "labels against weights": lambda turn: LogisticRegression(C=1.0).fit(X.to_numpy(), Y, turn(NUMBERS)),
    "roc": lambda turn: plots.roc(MODEL, X, turn(Y)),
    "boundary": lambda turn: plots.scatter(X[["a", "b"]], turn(Y)),
}


def turned(values):
    """The same rows in another order, each with its index."""
    return values.iloc[::-1]


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("which", ["y", "sample_weight", "offset"])
def test_rows_in_another_order_are_refused(name, which):
    given = {"y": (turned(Y),), "sample_weight": (Y, turned(NUMBERS)), "offset": (Y, NUMBERS, turned(NUMBERS))}[which]
    with pytest.raises(EvenOddsError, match=r"The index of \w+ has the rows of (X|y) in another order"):
        FITS[name](X, *given)


@pytest.mark.parametrize("name", OTHERS)
def test_and_by_all_that_takes_rows(name):
    with pytest.raises(EvenOddsError, match=r"has the rows of (X|y) in another order.*to_numpy\(\)"):
        OTHERS[name](turned)


KINDS = {
    "ranges": lambda values: values.set_axis(range(N)),
    "times": lambda values: values.set_axis(pd.date_range("2020", periods=N)),
    "two levels": lambda values: values.set_axis(pd.MultiIndex.from_product([range(N // 2), ["u", "v"]])),
    "repeated": lambda values: values.set_axis(np.arange(N) // 2),
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_index(kind):
    rows, y = KINDS[kind](X), KINDS[kind](Y)
    LogisticRegression(C=1.0).fit(rows, y)
    with pytest.raises(EvenOddsError, match="in another order"):
        LogisticRegression(C=1.0).fit(rows, y.iloc[::-1])
    with pytest.raises(EvenOddsError, match="in another order"):
        LogisticRegression(C=1.0).fit(rows.iloc[::-1], y)


def test_an_index_of_other_rows_or_none_says_nothing():
    truth = LogisticRegression(C=1.0).fit(X, Y).coef_
    others = Y.reset_index(drop=True), Y.to_numpy(), list(Y), pl.Series(Y.tolist()), Y.set_axis(range(100, 100 + N))
    for y in others:
        np.testing.assert_array_equal(LogisticRegression(C=1.0).fit(X, y).coef_, truth)
    # Which order the entries of a frame have in memory is its own affair, and with it the last digit.
    for rows, y in ((X.to_numpy(), Y.to_numpy()), (pl.DataFrame(X.to_dict("list")), Y)):
        np.testing.assert_allclose(LogisticRegression(C=1.0).fit(rows, y).coef_, truth, rtol=1e-12)


def test_columns_named_by_numbers_are_known_again():
    numbers = X.set_axis([5, 7, 9], axis=1)
    model = LogisticRegression(C=1.0).fit(numbers, Y)
    truth = model.predict_proba(numbers)
    np.testing.assert_array_equal(model.predict_proba(numbers.to_numpy()), truth)
    np.testing.assert_array_equal(model.predict_proba(numbers.set_axis(range(3), axis=1)), truth)
    with pytest.raises(EvenOddsError, match=r"in another order: take X\[\[5, 7, 9\]\]"):
        model.predict(numbers[[9, 7, 5]])
    with pytest.raises(EvenOddsError, match=r"\[5, 7, 8\], and those of the fit were \[5, 7, 9\]"):
        model.score(numbers.set_axis([5, 7, 8], axis=1), Y)
    for again in (model.partial_fit, lambda X, y: infer(model, X, y)):
        with pytest.raises(EvenOddsError, match="in another order"):
            again(numbers[[7, 5, 9]], Y)
    plain = LogisticRegressionCV([1.0]).fit(X.set_axis(range(3), axis=1), Y)
    with pytest.raises(EvenOddsError, match="in another order"):
        plain.predict_proba(X.set_axis([2, 1, 0], axis=1))
    np.testing.assert_array_equal(model.fit(numbers[[9, 7, 5]], Y).predict(numbers[[9, 7, 5]]).shape, (N,))


@pytest.mark.parametrize("names", [["a", 1, "c"], [0, 1, "c"], ["a", ("b", "c"), "d"], ["a", None, "c"]])
def test_names_of_two_kinds_are_an_error(names):
    mixed = X.set_axis(pd.Index(names, dtype=object), axis=1)
    readers = LogisticRegression(C=1.0).fit, lambda X, y: path(X, y, n_C=3), find_separation, MODEL.score
    for read in readers:
        with pytest.raises(EvenOddsError, match="Names of columns are strings or none of them is"):
            read(mixed, Y)
