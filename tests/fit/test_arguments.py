"""Anything in the place of any argument: there is an answer, or one error of ours, and no warning of another's."""

import datetime
import decimal
import fractions
import inspect
import re
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

import evenodds
from evenodds import SGD, EvenOddsError, LogisticRegression, LogisticRegressionCV, find_separation, infer, path, plots

N = 40
RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(N, 3)), columns=["a", "b", "c"])
TWO = (X["a"].to_numpy() + 2 * RNG.normal(size=N) > 0).astype(int)
THREE = np.arange(N) % 3
ROWS = {"X": X, "y": TWO}
VALUES = [
    *(None, True, 0, -1, 3, 10**400, -(10**400), 1e-320, 0.5, 1e308, np.nan, np.inf, 1j, "", "a", b"a", (), {}, set()),
    *([1], [None], ["a", "a"], [[1, 2, 3]], {"a": 1}, {None: "b"}, {"a": [1]}, range(N), slice(3), ..., object(), int),
    *(np.array(1.0), np.array([]), np.ones((3, 3)), np.ones((N, 1)), np.ones((N, 3)), -np.ones(N), np.zeros(N)),
    *(np.full(N, np.nan), np.full(N, 1e308), np.array([10**400] * N, dtype=object), np.array(["x"] * N), np.arange(N)),
    *(np.float32(0.5), np.int8(3), np.bool_(True), np.datetime64("2020"), decimal.Decimal("0.5"), pd.NA, pd.NaT),
    *(fractions.Fraction(1, 2), datetime.date(2020, 1, 1), lambda *given: 1.0, sp.csr_array(np.ones((N, 1)))),
    *(pd.Series(np.ones(N)), pl.Series(np.ones(N)), X, np.ma.array(np.ones(N), mask=np.arange(N) < 3)),
    *(np.random.default_rng(0), np.random.RandomState(0), SGD(epochs=2), "(intercept)", "a = b"),
]
FITS = ({"C": 1.0}, {"firth": True}, {"C": 1.0, "l1_ratio": 1.0}, {"C": 1.0, "solver": SGD(epochs=2)})


def numpys(text):
    """How NumPy writes values, which is not how their owner does."""
    return set(re.findall(r"np\.\w+\(|\barray\(|\bdtype\(", text))


def parameters(function):
    return [name for name in inspect.signature(function).parameters if name not in ("self", "metadata", "verbose")]


def calls():
    """Name of a call and of an argument, and the function that takes it."""
    for settings in FITS:
        for name in parameters(LogisticRegression):
            yield "fit", name, lambda v, s=settings, k=name: LogisticRegression(**{**s, k: v}).fit(X, TWO)
        for name in ("X", "y", "sample_weight", "offset"):
            yield "fit", name, lambda v, s=settings, k=name: LogisticRegression(**s).fit(**{**ROWS, k: v})
    for name in parameters(LogisticRegressionCV):
        base = {"Cs": 3, "cv": 3}
        yield "CV", name, lambda v, b=base, k=name: LogisticRegressionCV(**{**b, k: v}).fit(X, TWO)
    for name in parameters(LogisticRegressionCV.fit):
        yield "CV.fit", name, lambda v, k=name: LogisticRegressionCV(3, cv=3).fit(**{**ROWS, k: v})
    for name in parameters(LogisticRegression.partial_fit):
        given = {**ROWS, "classes": [0, 1]}
        yield "partial_fit", name, lambda v, g=given, k=name: LogisticRegression().partial_fit(**{**g, k: v})
    yield "verbose", "verbose", lambda v: LogisticRegression(verbose=v)
    models = [LogisticRegression(**s).fit(X, y) for s, y in (({}, TWO), ({}, THREE), ({"firth": True}, TWO))]
    functions = [(path, {**ROWS, "n_C": 3}), (find_separation, ROWS)]
    for model, y in zip(models, (TWO, THREE, TWO), strict=True):
        result = infer(model, X, y)
        functions += [(infer, {"model": model, "X": X, "y": y}), (model.score, {"X": X, "y": y})]
        functions += [(model.predict, {"X": X}), (result.predict, {"X": X}), (result.margins, {"X": X})]
        functions += [(result.test, {"restrictions": "a"}), (result.compare, {"smaller": result})]
        functions += [(result.anova, {}), (result.profile, {}), (result.to_frame, {})]
        functions += [(result.influence, {"X": X, "y": y})]
        if y is TWO:
            functions += [(result.hosmer_lemeshow, {"X": X, "y": y}), (result.calibration, {"X": X, "y": y})]
    for function, given in functions:
        for name in parameters(function):
            yield function.__name__, name, lambda v, f=function, g=given, k=name: f(**{**g, k: v})


TABLE = X.assign(g=[*"uvwx"] * 10, w=1.0, o=0.0, y=np.where(TWO == 1, "yes", "no"))


def table_calls(folder):
    """The same of what takes tables and files, and of what leaves the house."""
    model = evenodds.fit_table("y ~ a + b + g", TABLE)
    result = infer(model, TABLE)
    TABLE.to_csv(folder / "rows.csv", index=False)
    evenodds.save(model, folder / "model.json")
    fitted = evenodds.fit_table
    for function, given in [
        (fitted, {"formula_or_target": "y", "frame": TABLE.drop(columns=["w", "o"])}),
        (fitted, {"formula_or_target": "y ~ a + C(g)", "frame": TABLE, "weight": "w", "offset": "o"}),
        (evenodds.diagnose, {"frame": TABLE, "target": "y"}),
        (evenodds.scan, {"path": folder / "rows.csv", "target": "y"}),
        (evenodds.to_sql, {"model": model, "table": "t"}),
        (evenodds.to_onnx, {"model": model, "path": folder / "model.onnx"}),
        (evenodds.save, {"model": model, "path": folder / "again.json"}),
        (evenodds.compare_table, {"results": [result, result]}),
        *[(function, {}) for function in (result.to_latex, result.to_html, result.to_markdown)],
        *[(function, {"X": TABLE}) for function in (model.predict, result.predict, result.margins, result.influence)],
        (result.test, {"restrictions": "g"}),
    ]:
        for name in set(parameters(function)) - {"path", "parameters"}:  # a path is what Python's open says
            yield function.__name__, name, lambda v, f=function, g=given, k=name: f(**{**g, k: v})


def picture_calls():
    """The same of the pictures."""
    model, result = LogisticRegression().fit(X[["a", "b"]], TWO), infer(LogisticRegression().fit(X, TWO), X, TWO)
    rows = {"X": X[["a", "b"]], "y": TWO}
    given = {"model": model, **rows, "losses": [1.0, 0.5], "result": result, "column": "a", "fits": path(**rows, n_C=3)}
    for name in set(plots.__all__) - {"cross_validation"}:
        function = getattr(plots, name)
        needs = {k for k, one in inspect.signature(function).parameters.items() if one.default is one.empty}
        base = {k: given[k] for k in needs} | ({"X": X} if "result" in needs and "X" in needs else {})
        for k in parameters(function):
            yield f"plots.{name}", k, lambda v, f=function, b=base, k=k: f(**{**b, k: v})


# What costs as much as is asked for: so many numbers, or so much time.
_AS_MUCH_AS_ASKED = {"n_C", "Cs", "epochs", "n_jobs", "max_iter"}


def wrong_of(asked, seed, n_values):
    """The calls that end in an error of another's, with some of the values each."""
    rng, wrong = np.random.default_rng(seed), []
    for where, name, call in asked:
        for k in rng.permutation(len(VALUES))[:n_values]:
            value = VALUES[k]
            if name in _AS_MUCH_AS_ASKED and isinstance(value, int) and abs(value) > 1000:
                continue
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of the library's own, and of scikit-learn's about labels
                    warnings.simplefilter("error", RuntimeWarning)
                    call(value)
            except EvenOddsError as error:
                theirs = "cv does not fit the data: " in str(error)  # scikit-learn's words are behind it
                if not theirs and numpys(str(error)) - numpys(repr(value)):
                    wrong.append(f"{where}({name}={value!r:.40}) shows what nobody wrote: {error!s:.100}")
            except Exception as error:  # whatever it is
                wrong.append(f"{where}({name}={value!r:.40}): {type(error).__name__}: {error!s:.100}")
            plt.close("all")
    return wrong


@pytest.mark.parametrize("seed", range(2))
def test_anything_in_the_place_of_an_argument(seed):
    assert not wrong_of(calls(), seed, 6)


def test_anything_in_the_place_of_an_argument_about_tables(tmp_path):
    assert not wrong_of(table_calls(tmp_path), 0, 15)


def test_anything_in_the_place_of_an_argument_of_a_picture():
    # Weights near the end of what numbers can be have no picture.
    assert not wrong_of((one for one in picture_calls() if one[1] != "sample_weight"), 0, 8)


@pytest.mark.parametrize(
    "call",
    [
        lambda: path(X, TWO, Cs=[1.0, -1.0]),
        lambda: LogisticRegressionCV(Cs=[-1.0]).fit(X, TWO),
        lambda: LogisticRegressionCV(l1_ratios=np.array([0.5, 2.0])).fit(X, TWO),
        lambda: LogisticRegression().partial_fit(X, TWO, classes=[0, 1]).partial_fit(X, TWO, classes=[0, 2]),
        lambda: LogisticRegression().fit(X, TWO).partial_fit(X, TWO, classes=["a", "b"]),
        lambda: LogisticRegression().fit(X[:1], ["a"]),
        lambda: LogisticRegression().fit(X, np.array(["a"] * N)),
    ],
)
def test_messages_show_values_as_their_owner_writes_them(call):
    with pytest.raises(EvenOddsError) as caught:
        call()
    assert not numpys(str(caught.value))
    assert "all 1 row" not in str(caught.value)
