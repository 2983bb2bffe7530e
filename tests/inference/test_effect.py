"""Curves along a column are what `predict` says of rows that are made by hand."""

import datetime
import itertools
import warnings

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from matplotlib.collections import LineCollection, PathCollection
from numpy.testing import assert_allclose
from scipy.special import logit
from sklearn.datasets import load_iris

from evenodds import EvenOddsError, LogisticRegression, fit_table, infer, plots

matplotlib.use("Agg")

FORMULAS = [
    "y ~ x + f",
    "y ~ poly(x, 3) + f + g",
    "y ~ bs(x, df=5)*f + z",
    "y ~ cr(x, df=4) + log(z) + f:z",
    "y ~ x:z + I(x**2) + f*g",
    "y ~ f:g + scale(x) + b",
    "y ~ x*z - 1",
    "y ~ x + C(k) + b:x",
    "y ~ k + C(k):x + center(z)",
    "y ~ month(day) + weekday(day) + x",
]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def table(seed, labels=("no", "yes")):
    rng = np.random.default_rng(seed)
    n = 300
    frame = pd.DataFrame(
        {
            "x": rng.normal(1000, 2, n),
            "z": rng.lognormal(1, 0.5, n),
            "f": rng.choice(["b", "a", "c<"], n),
            "g": rng.choice(["u", "v"], n),
            "b": rng.random(n) < 0.4,
            "k": rng.choice([1, 2, 5], n),
            "day": pd.to_datetime("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D"),
        }
    )
    score = (frame["x"] - 1000) * 0.4 + (frame["f"] == "b") + rng.logistic(size=n)
    frame["y"] = np.array(labels)[np.digitize(score, np.quantile(score, np.arange(1, len(labels)) / len(labels)))]
    return frame


def rows(frame, column, values, **held):
    """Rows made by hand: numbers at their means, factors at their first levels."""
    made = pd.DataFrame({name: [frame[name].mean()] * len(values) for name in ("x", "z")})
    made = made.assign(f="a", g="u", b=False, k=1, day=datetime.datetime(2024, 1, 1))  # a Monday
    return made.assign(**held).assign(**{column: values})


def drawn(ax):
    """Of each line the values, estimates and both ends."""
    found = []
    for line, band in zip(ax.lines, ax.collections, strict=False):
        x, p = line.get_data()
        edge = band.get_paths()[0].vertices
        ends = np.array([[(part := edge[np.isclose(edge[:, 0], at), 1]).min(), part.max()] for at in x])
        found.append((x, p, ends))
    return found


def points(ax):
    """Of each set of points the estimates, from the top, and both ends."""
    bars = [c for c in ax.collections if isinstance(c, LineCollection)]
    dots = [c for c in ax.collections if isinstance(c, PathCollection)]
    return [
        (np.asarray(dot.get_offsets())[:, 0], np.array([part[:, 0] for part in bar.get_segments()]))
        for dot, bar in zip(dots, bars, strict=True)
    ]


@pytest.mark.parametrize("formula", FORMULAS)
def test_curves_are_predictions_of_rows_made_by_hand(formula):
    frame = table(len(formula))
    result = infer(fit_table(formula, frame), frame)
    for column in [name for name in ("x", "z") if name in formula]:
        for scale, change in (("probability", lambda p: p), ("log odds", logit)):
            (x, p, ends), *_ = drawn(plots.effect(result, column, scale=scale))
            assert (x[0], x[-1]) == (frame[column].min(), frame[column].max())
            told = result.predict(rows(frame, column, x))
            assert_allclose(p, change(told["probability"]), rtol=1e-9, atol=1e-12)
            assert_allclose(ends, change(told[["lower", "upper"]]), rtol=1e-9, atol=1e-12)
    for column in [name for name in ("f", "g", "b", "k") if name in result.model.design_.kinds]:
        ax = plots.effect(result, column)
        labels = [text.get_text() for text in ax.get_yticklabels()]
        values = {"True": True, "False": False}
        asked = [values.get(text, int(text) if text.isdigit() else text) for text in labels]
        assert sorted(map(str, asked)) == sorted({str(value) for value in frame[column]})
        ((p, ends),) = points(ax)
        told = result.predict(rows(frame, column, asked))
        assert_allclose(p, told["probability"], rtol=1e-9)
        assert_allclose(ends, told[["lower", "upper"]], rtol=1e-9)


def test_parts_of_dates_are_set_one_by_one():
    frame = table(1)
    result = infer(fit_table(FORMULAS[-1], frame), frame)
    ((p, _),) = points(plots.effect(result, "month(day)"))
    mondays = {1: 1, 2: 5, 3: 4, 4: 1, 5: 6, 6: 3, 7: 1, 8: 5, 9: 2, 10: 7}  # of 2024
    days = [datetime.datetime(2024, month, day) for month, day in mondays.items()]
    assert_allclose(p, result.predict(rows(frame, "day", days))["probability"][: p.size], rtol=1e-9)
    ((p, _),) = points(plots.effect(result, "weekday(day)", at={"month(day)": "March"}))
    days = [datetime.datetime(2024, 3, 4 + k) for k in range(7)]
    assert_allclose(p, result.predict(rows(frame, "day", days))["probability"], rtol=1e-9)


def test_what_is_held_and_what_has_a_curve_each():
    frame = table(2)
    result = infer(fit_table("y ~ bs(x, df=4)*f + z:x + b", frame), frame)
    lines = drawn(plots.effect(result, "x", at={"z": 7.5, "b": True}, by="f"))
    for (x, p, ends), level in zip(lines[:3], ["a", "b", "c<"], strict=True):
        told = result.predict(rows(frame, "x", x, z=7.5, b=True, f=level))
        assert_allclose(p, told["probability"], rtol=1e-9)
        assert_allclose(ends, told[["lower", "upper"]], rtol=1e-9)
    ax = plots.effect(result, "f", by="z")
    assert ax.get_legend().get_title().get_text() == "z"
    for (p, ends), quarter in zip(points(ax), (0.25, 0.5, 0.75), strict=True):
        told = result.predict(rows(frame, "f", ["a", "b", "c<"], z=frame["z"].quantile(quarter)))
        assert_allclose(p, told["probability"], rtol=1e-9)
        assert_allclose(ends, told[["lower", "upper"]], rtol=1e-9)
    same = drawn(plots.effect(result, "bs(x, df=4)"))  # a term of one column stands for it
    assert_allclose(same[0][1], drawn(plots.effect(result, "x"))[0][1])
    other = frame[frame["f"] == "a"]
    x, p, _ = drawn(plots.effect(result, "x", X=other))[0]
    assert (x[0], x[-1]) == (other["x"].min(), other["x"].max())
    assert_allclose(p, result.predict(rows(other, "x", x))["probability"], rtol=1e-9)


@pytest.mark.parametrize("parameters", [{}, {"C": 1.0}])
def test_several_classes(parameters):
    frame = table(3, ("lo", "mid", "hi"))
    result = infer(fit_table("y ~ poly(x, 2) + f", frame, **parameters), frame)
    ax = plots.effect(result, "x")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(result.classes)
    for (x, p, ends), label in zip(drawn(ax), result.classes, strict=False):
        told = result.predict(rows(frame, "x", x))
        assert_allclose(p, told[f"probability_{label}"], rtol=1e-9)
        assert_allclose(ends, told[[f"lower_{label}", f"upper_{label}"]], rtol=1e-9)
    one = drawn(plots.effect(result, "x", label="mid", by="f"))
    for (x, p, _), level in zip(one[:3], ["a", "b", "c<"], strict=True):
        assert_allclose(p, result.predict(rows(frame, "x", x, f=level))["probability_mid"], rtol=1e-9)
    with pytest.raises(EvenOddsError, match="by= is for one class: choose it with label="):
        plots.effect(result, "x", by="f")
    with pytest.raises(EvenOddsError, match="label is one of the classes"):
        plots.effect(result, "x", label="low")


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table, np.asarray, sp.csr_array, sp.csr_matrix])
def test_models_of_columns_of_numbers(kind):
    data = load_iris(as_frame=True)
    frame, y = data.data.assign(wide=(data.data.iloc[:, 1] > 3).astype(float)), data.target == 2
    X = kind(dict(frame)) if kind is pa.table else kind(frame)
    result = infer(LogisticRegression(C=1.0).fit(X, y), X, y)
    first, last = result.names[1], result.names[-1]
    means = frame.mean().to_numpy()
    x, p, ends = drawn(plots.effect(result, first, at={last: 1}))[0]
    made = np.tile(means, (x.size, 1))
    made[:, 0], made[:, -1] = x, 1
    given = pd.DataFrame(made, columns=frame.columns) if hasattr(result.model, "feature_names_in_") else made
    told = pd.DataFrame(result.predict(given))
    assert_allclose(p, told["probability"], rtol=1e-6)
    assert_allclose(ends, told[["lower", "upper"]], rtol=1e-6)
    ax = plots.effect(result, last)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["0", "1"]


def test_missing_values_have_a_level_or_are_left_out():
    frame = table(4)
    frame.loc[::7, "x"], frame.loc[::5, "f"] = np.nan, None
    result = infer(fit_table("y ~ x + f", frame, missing="indicator"), frame)
    x, p, _ = drawn(plots.effect(result, "x"))[0]
    assert_allclose(p, result.predict(rows(frame, "x", x))["probability"], rtol=1e-9)
    ax = plots.effect(result, "f")
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b", "c<", "missing"]
    assert_allclose(points(ax)[0][0][-1], result.predict(rows(frame, "f", [None]))["probability"], rtol=1e-9)
    dropped = infer(fit_table("y ~ x + f", frame, missing="drop"), frame)
    x, p, _ = drawn(plots.effect(dropped, "x"))[0]
    assert_allclose(p, dropped.predict(rows(frame, "x", x))["probability"], rtol=1e-9)


def test_means_are_by_the_weights_that_the_model_knows():
    frame = table(8).assign(w=lambda f: np.where(f["z"] > 3, 5.0, 1.0))
    result = infer(fit_table("y ~ x + z", frame, weight="w"), frame)
    x, p, _ = drawn(plots.effect(result, "x"))[0]
    mean = np.average(frame["z"], weights=frame["w"])
    assert_allclose(p, result.predict(rows(frame, "x", x, z=mean))["probability"], rtol=1e-9)


def test_very_many_levels_are_folded():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"f": rng.integers(0, 90, 3000).astype(str), "y": rng.integers(0, 2, 3000)})
    result = infer(fit_table("y ~ f", frame, C=1.0), frame)
    ax = plots.effect(result, "f")
    assert len(ax.get_yticklabels()) == 40
    assert "50 levels between not shown" in ax.get_xlabel()
    frame["x"] = rng.normal(size=3000)
    result = infer(fit_table("y ~ f + x", frame), frame)
    with pytest.raises(EvenOddsError, match="90 levels, too many to have a curve each"):
        plots.effect(result, "x", by="f")


def test_separated_classes_have_the_curve_of_their_limit():
    frame = pd.DataFrame({"x": [1.0, 2, 3, 4, 5, 6], "z": [3.0, 1, 2, 2, 1, 3], "y": [0, 0, 0, 1, 1, 1]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        result = infer(fit_table("y", frame), frame)
        ax = plots.effect(result, "x")
    p = ax.lines[0].get_ydata()
    assert (p[0], p[-1]) == (0, 1)


def test_what_cannot_be_drawn():
    frame = table(6)
    result = infer(fit_table("y ~ x + log(z) + f + month(day)", frame), frame)
    for asked, words in (
        (("w",), "There is no column 'w' in the model"),
        (("day",), "There is no column 'day' in the model"),
        (("x", {"at": {"x": 1}}), "leave it out"),
        (("x", {"at": {"f": "q"}}), "no level of it. The levels are 'a', 'b', 'c<'"),
        (("x", {"at": {"z": "much"}}), r"at\['z'\] is a number"),
        (("x", {"at": {"z": -1.0}}), "no finite numbers for 'x'"),
        (("x", {"at": {"q": 1}}), "There is no column 'q'"),
        (("x", {"by": "x"}), "by names 'x'"),
        (("x", {"by": "f", "at": {"f": "a"}}), "by names 'f'"),
        (("x", {"by": "month(day)"}), "levels, too many"),
        (("x", {"scale": "odds"}), "scale is one of 'probability', 'log odds'"),
        (("x", {"label": "no"}), "Of two classes the second is drawn, 'yes'"),
        (("x", {"X": np.zeros((3, 2))}), "Curves need the frame"),
    ):
        with pytest.raises(EvenOddsError, match=words):
            plots.effect(result, *asked[:1], **(asked[1] if len(asked) > 1 else {}))
    with pytest.raises(EvenOddsError, match="This picture is of what infer returns, not of a LogisticRegression"):
        plots.effect(result.model, "x")


@pytest.mark.parametrize("step", [1, 0.001, 1000, 250_000, 1e7])
def test_numbers_along_an_axis_do_not_run_into_each_other(step):
    """Years, prices, shares: the labels of the ticks have room, and those of whole numbers are whole."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"x": step * (2007 + rng.integers(0, 3, 200)), "y": rng.integers(0, 2, 200)})
    ax = plots.effect(infer(fit_table("y", frame), frame), "x")
    ax.figure.draw_without_rendering()
    low, high = ax.get_xlim()
    labels = [label for label in ax.get_xticklabels() if low <= label.get_position()[0] <= high]
    boxes = sorted((box.x0, box.x1) for box in (label.get_window_extent() for label in labels))
    assert len(boxes) > 1
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(boxes))
    if step == 1:
        assert [label.get_text() for label in labels] == ["2007", "2008", "2009"]


@pytest.mark.parametrize("labels", [("no", "yes"), ("no", "late", "yes")])
def test_curves_beside_a_factor_of_very_many_levels(labels):
    rng = np.random.default_rng(len(labels))
    frame = pd.concat([table(seed, labels) for seed in range(8)], ignore_index=True)
    frame["city"] = rng.integers(600, size=len(frame)) + 1000
    model = fit_table("y ~ x + f + C(city)", frame, C=1.0)
    result = infer(model, frame)
    (x, p, ends), *_ = drawn(plots.effect(result, "x", label=None if len(labels) == 2 else "yes"))
    made = pd.DataFrame({"x": x, "f": "a", "city": frame["city"].min()})
    assert_allclose(p, model.predict_proba(made)[:, -1], rtol=1e-9)
    if len(labels) == 2:  # at the references nothing but the intercept and x counts
        D = np.column_stack([np.ones(x.size), x])
        at = [0, result.names.index("x")]
        se = np.sqrt(np.einsum("ij,jk,ik->i", D, result.covariance[np.ix_(at, at)], D))
        assert_allclose(logit(ends), logit(p)[:, None] + 1.959963984540054 * se[:, None] * [-1, 1], rtol=1e-6)
    assert all(np.isfinite(ends).ravel())
