"""Wald tests from text and likelihood ratios of nested fits: right where given, refused where there are none."""

import ast
import inspect
import signal
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from draws import fitted
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evenodds import EvenOddsError, LogisticRegression, infer
from evenodds.inference import hypotheses
from oracle import quiet

INTERCEPT = "(intercept)"
NAMES = ["C(x)[T.a]", "a-b", "a", "a b", "1", "b", "x.1", "x", "w,v", "tick`s", "log(x) * 2", "ß", "2x", "1e3"]
N = 240
rng = np.random.default_rng(0)
X = rng.normal(size=(N, len(NAMES))) + 0.3 * rng.normal(size=(N, 1))
Y = (rng.random(N) < 1 / (1 + np.exp(-(X[:, 2] - 0.5 * X[:, 5] + 0.2)))).astype(int)
FRAME = pd.DataFrame(X, columns=NAMES)


@pytest.fixture(scope="module")
def result():
    return fitted(FRAME, Y)


@contextmanager
def within(seconds):
    """An error where a call does not come back."""

    def stop(*_):
        raise AssertionError(f"no answer within {seconds} s")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def wald(result, rows, values):
    """The statistic of R coef = q, from R as dicts by name."""
    R = np.zeros((len(rows), len(result.names)))
    for k, row in enumerate(rows):
        for name, factor in row.items():
            R[k, result.names.index(name)] += factor
    rest = R @ result.coef - values
    return float(rest @ np.linalg.solve(R @ result.covariance @ R.T, rest))


READ = {
    "C(x)[T.a] = 0": ([{"C(x)[T.a]": 1}], [0]),
    "`C(x)[T.a]`": ([{"C(x)[T.a]": 1}], [0]),
    "C(x)[T.a]=1, a=1": ([{"C(x)[T.a]": 1}, {"a": 1}], [1, 1]),
    "a - b = 0": ([{"a": 1, "b": -1}], [0]),
    "`a`-`b`": ([{"a": 1, "b": -1}], [0]),
    "`a-b` = 0": ([{"a-b": 1}], [0]),
    "a-b = 0": ([{"a-b": 1}], [0]),
    "a b = 0.5": ([{"a b": 1}], [0.5]),
    "`a b`": ([{"a b": 1}], [0]),
    "`1` = 1": ([{"1": 1}], [1]),
    "`1` = `1e3`": ([{"1": 1, "1e3": -1}], [0]),
    "a = 1e3*b": ([{"a": 1, "b": -1000}], [0]),
    "2*`2x` = 1": ([{"2x": 2}], [1]),
    "x.1 = x": ([{"x.1": 1, "x": -1}], [0]),
    "x=.1": ([{"x": 1}], [0.1]),
    "w,v = 1, a": ([{"w,v": 1}, {"a": 1}], [1, 0]),
    "tick`s = 1": ([{"tick`s": 1}], [1]),
    "log(x) * 2 = 3": ([{"log(x) * 2": 1}], [3]),
    "ß=x": ([{"ß": 1, "x": -1}], [0]),
    "(intercept) + 2*a = 1": ([{INTERCEPT: 1, "a": 2}], [1]),
    "a = b = x": ([{"a": 1, "b": -1}, {"b": 1, "x": -1}], [0, 0]),
    "a = b = x = 0": ([{"a": 1}, {"b": 1}, {"x": 1}], [0, 0, 0]),
    "a, b, x": ([{"a": 1}, {"b": 1}, {"x": 1}], [0, 0, 0]),
    "2*a*3 - b/2 + 1 = -x + 0.25": ([{"a": 6, "b": -0.5, "x": 1}], [-0.75]),
    "- -a + +b = --1": ([{"a": 1, "b": 1}], [1]),
    "-a = -1": ([{"a": 1}], [1]),
    "1 = a": ([{"a": 1}], [1]),
    "0 = a + b": ([{"a": 1, "b": 1}], [0]),
    "1/4*a = 1e-1/2": ([{"a": 1}], [0.2]),
    "a = 1.5e+0": ([{"a": 1}], [1.5]),
    "a + a + b - b = 1": ([{"a": 2}], [1]),
    " a \n=\t 0 ": ([{"a": 1}], [0]),
    "a = 0, a = 0": ([{"a": 1}], [0]),
    "a = 0, 3*a = 0, -a = 0": ([{"a": 1}], [0]),
    "a = b, b = x, a = x": ([{"a": 1, "b": -1}, {"b": 1, "x": -1}], [0, 0]),
    "a + b = 1, a - b = 1, a = 1": ([{"a": 1}, {"b": 1}], [1, 0]),
    "0.1*a = 0.3, a = 3": ([{"a": 1}], [3]),
}


@pytest.mark.parametrize("text", READ)
def test_restrictions_are_read(result, text):
    rows, values = READ[text]
    test = result.test(text)
    assert test.df == len(rows)
    assert test.statistic == pytest.approx(wald(result, rows, values), rel=1e-8)
    assert test.p_value == pytest.approx(stats.chi2.sf(test.statistic, test.df), rel=1e-10)
    assert f"on {test.df} df" in str(test)


REFUSED = {
    "": "Restrictions are text",
    " ": "Restrictions are text",
    ",": "empty side",
    "=": "empty side",
    "a =": "empty side",
    "= a": "empty side",
    "a == b": "empty side",
    "a,": "empty side",
    "a,,b": "empty side",
    "a = , b": "empty side",
    "1 = 0": "without coefficients",
    "1 = 1": "without coefficients",
    "a = a": "without coefficients",
    "a - a": "without coefficients",
    "0*a = 0": "without coefficients",
    "a = 0, a = 1": "contradict",
    "a = b, b = x, a = x + 1e-6": "contradict",
    "a*b": "not linear",
    "a/b = 1": "not linear",
    "1/a = 1": "not linear",
    "a*a = 1": "not linear",
    "a/0 = 1": "not linear|zero",
    "a b b": "lacks a sign|no coefficient",
    "2 a": "lacks a sign",
    "a `b`": "lacks a sign",
    "a +": "sign with nothing behind",
    "a * = 1": "sign with nothing behind",
    "* a": "sign with nothing behind",
    "a ** 2 = 1": "sign with nothing behind",
    "alpha": "no coefficient 'alpha'",
    "`alpha`": "no coefficient 'alpha'",
    "A": "no coefficient 'A'",
    "C(x)[T.b]": r"no coefficient 'C\(x\)\[T.b\]'.*Did you mean 'C\(x\)\[T.a\]'",
    "intercept": r"no coefficient 'intercept'.*Did you mean '\(intercept\)'",
    "x.2": "no coefficient 'x.2'.*Did you mean 'x.1'",
    "`a": "no coefficient '`a'",
    "``": "no coefficient ''",
    "a = nan": "no coefficient 'nan'",
    "a = inf": "no coefficient 'inf'",
    "a = 1_000": "no coefficient '1_000'",
    "a > 0": "no coefficient '>|lacks a sign",
    "a; b": "no coefficient ';'",
    "__import__('os').system('true')": "no coefficient",
    "a = 1e999": "(?i)number|finite|large",
    "a = 1e308*1e308": "(?i)number|finite|large",
}


@pytest.mark.parametrize("text", REFUSED)
def test_restrictions_are_refused(result, text):
    with pytest.raises(EvenOddsError, match=f"(?s){REFUSED[text]}"):
        result.test(text)


@pytest.mark.parametrize("value", [None, 0, ["a = 0"], b"a = 0", {"a": 0}, np.array([1.0])])
def test_restrictions_are_text(result, value):
    with pytest.raises(EvenOddsError, match="Restrictions are text"):
        result.test(value)


def test_nothing_is_evaluated():
    tree = ast.parse(inspect.getsource(hypotheses))
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"eval", "exec", "compile", "__import__", "getattr", "globals"}


def test_long_restrictions(result):
    with within(10):
        assert result.test(", ".join(["a = b"] * 500)).df == 1
        assert result.test("a" + " + a" * 5000 + " = 0").statistic == pytest.approx(result.test("a").statistic)
        with pytest.raises(EvenOddsError):
            result.test("(" * 5000)
        with pytest.raises(EvenOddsError):
            result.test("`" * 5001)


@pytest.mark.parametrize("text", ["q = 0", "`` = 0", "q - `` = 1"])
def test_a_column_without_a_name(text):
    frame = FRAME[["a", "b"]].set_axis(["", "q"], axis=1)
    unnamed = fitted(frame, Y)
    rows = {"q = 0": ([{"q": 1}], [0]), "`` = 0": ([{"": 1}], [0]), "q - `` = 1": ([{"q": 1, "": -1}], [1])}[text]
    with within(1):
        statistic = unnamed.test(text).statistic
    assert statistic == pytest.approx(wald(unnamed, *rows), rel=1e-9)


@pytest.mark.parametrize("names", [" a/a", "`a`/a", "1/2", "-/a = b", "a/a ", "\ta/a\t", "0.5/a,b", "1e5/`"])
def test_a_name_stands_for_its_coefficient_whatever_it_looks_like(names):
    names = names.split("/")
    odd = fitted(FRAME[["a", "b"]].set_axis(names, axis=1), Y)
    for name in names:
        assert odd.test(name).statistic == pytest.approx(wald(odd, [{name: 1}], [0]), rel=1e-9)
    if "a " in names:  # blanks are no part of a name in a longer text
        assert odd.test("a = 0").statistic == odd.test("a").statistic


def test_names_of_arrays():
    plain = fitted(X[:, :3], Y)
    assert plain.test("x0 = x1").statistic == pytest.approx(wald(plain, [{"x0": 1, "x1": -1}], [0]), rel=1e-9)
    with pytest.raises(EvenOddsError, match="no coefficient 'x3'"):
        plain.test("x3")


def test_a_test_of_more_than_the_clusters_can_tell():
    few = fitted(FRAME[["a", "b", "x"]], Y, cov="cluster", groups=np.arange(N) % 3)
    assert few.test("a = 0").df == 1
    with pytest.raises(EvenOddsError, match=r"singular.*clusters"):
        few.test("a = 0, b = 0, x = 0")


words = st.lists(
    st.sampled_from(["a", "b", "x", "2", "0.5", "+", "-", "*", "/", "=", ",", "`a b`", " ", "("]), max_size=9
)


@given(words)
def test_any_text_is_read_or_refused(result, words):
    try:
        test = result.test("".join(words))
    except EvenOddsError:
        return
    assert test.df >= 1
    assert 0 <= test.p_value <= 1


# Nested fits


def test_nested_by_names_and_by_span(result):
    smaller = fitted(FRAME[["a", "b", "x"]], Y)
    test = result.compare(smaller)
    statistic = 2 * (result.log_likelihood - smaller.log_likelihood)
    assert (test.df, test.statistic) == (11, pytest.approx(statistic, rel=1e-12))
    assert test.p_value == pytest.approx(stats.chi2.sf(statistic, 11), rel=1e-10)
    assert "11 restrictions" in str(test)
    sums = pd.DataFrame({"a and b": FRAME["a"] + 2 * FRAME["b"] + 3, "x": FRAME["x"] * 1e6})
    assert result.compare(fitted(sums, Y)).df == 12
    assert result.compare(fitted(np.ones((N, 1)), Y, model={"fit_intercept": False})).df == 14
    assert result.compare(fitted(FRAME, Y, model={"fit_intercept": False})).df == 1
    ratio = smaller.compare(fitted(np.ones((N, 1)), Y, model={"fit_intercept": False}))
    assert ratio.statistic == pytest.approx(smaller.likelihood_ratio.statistic, rel=1e-10)
    with_weights = [fitted(FRAME[names], Y, np.ones(N)) for names in (["a", "b", "x"], ["a"])]
    assert with_weights[0].compare(with_weights[1]).df == 2
    assert smaller.compare(with_weights[1]).df == 2  # weights of 1 are none


def test_nested_fits_of_firth():
    larger, smaller = (fitted(FRAME[names], Y, model={"firth": True}) for names in (["a", "b"], ["a"]))
    test = larger.compare(smaller)
    assert (test.df, test.statistic) == (1, pytest.approx(larger.z[2] ** 2, rel=1e-8))
    both = larger.compare(fitted(FRAME[["b"]], Y, model={"firth": True}))
    assert both.p_value == pytest.approx(larger.p_value[1], rel=1e-7)
    with pytest.raises(EvenOddsError, match="firth"):
        larger.compare(fitted(FRAME[["a"]], Y))


def test_an_offset_may_hold_a_coefficient():
    larger = fitted(FRAME[["a", "b"]], Y)
    held = fitted(FRAME[["b"]], Y, offset=0.8 * FRAME["a"])
    test = larger.compare(held)
    assert (test.df, test.statistic) == (1, pytest.approx(2 * (larger.log_likelihood - held.log_likelihood), rel=1e-9))
    with pytest.raises(EvenOddsError, match="not nested"):
        larger.compare(fitted(FRAME[["b"]], Y, offset=0.8 * FRAME["x"]))
    shared = [fitted(FRAME[names], Y, offset=0.3 * FRAME["x"]) for names in (["a", "b"], ["a"])]
    assert shared[0].compare(shared[1]).df == 1


def test_what_is_not_nested():
    larger = fitted(FRAME[["a", "b", "x"]], Y)
    squared = FRAME[["a"]] ** 2
    for smaller in (
        squared.set_axis(["other"], axis=1),
        squared,  # of the same name
        FRAME[["ß"]],
        FRAME[["a", "ß"]],
        pd.DataFrame({"a": rng.normal(size=N), "b": FRAME["b"]}),
    ):
        with pytest.raises(EvenOddsError, match="not nested"):
            larger.compare(fitted(smaller, Y))
    with pytest.raises(EvenOddsError, match="not nested"):  # x0 of one array is not x0 of another
        fitted(X[:, :3], Y).compare(fitted(X[:, 3:5], Y))
    assert fitted(X[:, :3], Y).compare(fitted(X[:, 1:3], Y)).df == 1
    without = fitted(FRAME[["a", "b", "x"]], Y, model={"fit_intercept": False})
    with pytest.raises(EvenOddsError, match="not nested"):
        without.compare(fitted(FRAME[["a"]], Y))


def test_what_does_not_compare():
    larger, smaller = fitted(FRAME[["a", "b"]], Y), fitted(FRAME[["a"]], Y)
    with pytest.raises(EvenOddsError, match="the other way round"):
        smaller.compare(larger)
    k = rng.permutation(N)
    weight = rng.uniform(0.5, 2, N)
    flipped = Y.copy()
    flipped[[0, 1]] = 1 - flipped[[0, 1]]
    one = FRAME[["a"]]
    for other in (
        fitted(one[1:], Y[1:]),
        fitted(one.iloc[k], Y[k]),
        fitted(one, 1 - Y),
        fitted(one, flipped),
        fitted(one, Y, weight),
        fitted(one, Y, np.arange(N) > 3),
    ):
        with pytest.raises(EvenOddsError, match=r"different (rows|labels|weights)"):
            larger.compare(other)
    ridge = fitted(one, Y, model={"C": 1.0})
    for pair in ((larger, ridge), (fitted(FRAME[["a", "b"]], Y, model={"C": 1.0}), smaller)):
        with pytest.raises(EvenOddsError, match="ridge"):
            pair[0].compare(pair[1])
    for other in ("a = 0", None, larger.model):
        with pytest.raises(EvenOddsError, match="takes the Inference"):
            larger.compare(other)


def test_separated_fits_compare_by_their_limits():
    frame = FRAME[["a", "b"]].assign(rare=(np.arange(N) < 5) * 1.0)
    y = np.where(np.arange(N) < 5, 1, Y)
    results = []
    for names in (["a", "b", "rare"], ["a", "rare"], ["a", "b"]):
        model, _ = quiet(LogisticRegression().fit, frame[names], y)
        results.append(infer(model, frame[names], y))
    full, without_b, overlap = results
    assert full.compare(without_b).df == 1
    test = full.compare(overlap)
    assert (test.df, test.statistic) == (
        1,
        pytest.approx(2 * (full.log_likelihood - overlap.log_likelihood), rel=1e-10),
    )
    moved = frame.assign(sum=frame["a"] + frame["b"])[["sum"]]
    assert full.compare(fitted(moved, y)).df == 2  # by span, though rows have dropped out of the larger one
