"""Marginal effects of the columns of a table, against differences of the probabilities of changed tables."""

import copy
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from test_terms import draw

from evenodds import EvenOddsError, LogisticRegression, fit_table, infer

RIGHTS = [
    "f*x + g",
    "f + poly(w, 2) + b",
    "f:x + bs(v, df=5) + b*g",
    "h*poly(w, 3) + I(x*z) + log(z)",
    "cr(v, df=4) + x:z + scale(z):f + g",
    "f*g*b + exp(x) + I(1/(z + w)) + I(x**2)",
    "center(x)*sqrt(v) + h + I(w ** x)",
    "C(k) + x:b + poly(z, 2, raw=True)",
]
LEVELS = {"f": "abc", "g": "uv", "h": "pqrs", "b": [False, True], "k": [1, 2, 3]}


def table(seed, labels=("no", "yes")):
    frame, *_ = draw(seed, labels)
    return frame.assign(k=np.random.default_rng(seed).integers(1, 4, len(frame)))


def differences(model, frame, kind, weight):
    """Effects by term (K,), from probabilities of tables in which one column is another."""

    def mean(changed):
        P = model.predict_proba(changed)
        return np.average(np.log(P) if kind[0] == "e" else P, axis=0, weights=weight)

    found, text = {}, model.design_.formula.split("~")[1]
    for name, levels in LEVELS.items():
        if any(name in factor.name for factor in model.design_.factors) and kind[2:] == "dx":
            base = mean(frame.assign(**{name: levels[0]}))
            found |= {f"{name}[{level}]": mean(frame.assign(**{name: level})) - base for level in levels[1:]}
    for name in ("x", "z", "v", "w"):
        if re.search(rf"\b{name}\b", text):
            h = 1e-5 * frame[name].std()
            inside = frame[name].clip(frame[name].min() + h, frame[name].max() - h)
            sides = [model.predict_proba(frame.assign(**{name: inside + side * h})) for side in (1, -1)]
            sides = [np.log(P) if kind[0] == "e" else P for P in sides]
            slope = (sides[0] - sides[1]) / (2 * h)
            slope = slope * frame[[name]].to_numpy() if kind[2:] == "ex" else slope
            found[name] = np.average(slope, axis=0, weights=weight)
    return found


@pytest.mark.parametrize("right", RIGHTS)
@pytest.mark.parametrize("seed", range(3))
def test_effects_are_differences_of_probabilities(right, seed):
    labels = ("no", "yes") if seed < 2 else ("a", "b", "c")
    frame = table(seed, labels)
    kind = ["dydx", "eydx", "eyex", "dyex"][(seed + len(right)) % 4]
    weight = np.random.default_rng(seed).integers(0, 4, len(frame))
    model = fit_table(f"y ~ {right}", frame)
    result = infer(model, frame)
    ours = result.margins(frame, kind=kind, sample_weight=weight)
    expected = differences(model, frame, kind, weight)
    terms = ours["term"].tolist()[: len(expected)]
    assert set(terms) == set(expected)
    effect = np.array([expected[term] for term in terms]).T
    got = ours["effect"].to_numpy().reshape(len(effect) if len(labels) > 2 else 1, -1)
    assert_allclose(got, effect if len(labels) > 2 else effect[1:], rtol=2e-5, atol=2e-6)
    if seed != 1:
        return
    # Standard errors by the delta method, with differences of the coefficients.
    columns = []
    for j in range(result.coef.size):
        h = 1e-4 * max(result.se[j], 1e-8)
        moved = []
        for side in (1, -1):
            other = copy.copy(model)
            step = np.zeros(result.coef.size)
            step[j] = side * h
            first = int(result.names[0] == "(intercept)")
            other.coef_ = model.coef_ + step[first:]
            other.intercept_ = model.intercept_ + (step[0] if first else 0.0)
            values = differences(other, frame, kind, weight)
            moved.append(np.array([values[term][1] for term in terms]))
        columns.append((moved[0] - moved[1]) / (2 * h))
    G = np.array(columns).T
    assert_allclose(ours["se"], np.sqrt(np.einsum("ij,jk,ik->i", G, result.covariance, G)), rtol=2e-3)


@pytest.mark.parametrize(
    ("right", "names"),
    [
        ("C(f) + b:f", ["f[b]", "f[c]", "b[True]"]),
        ("f + C(f, Treatment('b')):x", ["f[b]", "f[c]", "x"]),
        ("C(f, Treatment('c')):x + f", ["f[b]", "f[c]", "x"]),
        ("C(k) + k:z", ["C(k)[2]", "C(k)[3]", "z"]),
        ("C(k, Treatment(2)):x + I(k * z)", ["k[1]", "k[3]", "x", "z"]),
        ("b*x + I(b * z)", ["b[True]", "x", "z"]),
        ("I(b * z) + log(w) + b", ["z", "w", "b[True]"]),
    ],
)
def test_a_column_moves_in_all_that_a_formula_makes_of_it(right, names):
    """In one factor and another, and as a number beside; errors by differences along the coefficients."""
    frame = table(5)
    model = fit_table(f"y ~ {right}", frame)
    result = infer(model, frame)
    found = result.margins(frame).set_index("term")
    assert sorted(found.index) == sorted(names)

    def effect(model, source, start, end):
        return np.diff([model.predict_proba(frame.assign(**{source: level}))[:, 1].mean() for level in (start, end)])[0]

    def moved(j, step):
        other = copy.deepcopy(model)
        whole = np.append(other.intercept_, other.coef_[0])
        whole[j] += step
        other.intercept_, other.coef_ = whole[:1], whole[None, 1:]
        return other

    for name in names:
        factor = next((one for one in model.design_.factors if name.startswith(f"{one.name}[")), None)
        if factor is None:
            continue
        level = next(one for one in factor.levels if name == f"{factor.name}[{one}]")
        asked = factor.source, factor.reference, level
        assert_allclose(found.loc[name, "effect"], effect(model, *asked), rtol=1e-9, atol=1e-12)
        steps = 1e-4 * result.se
        by = [(effect(moved(j, h), *asked) - effect(moved(j, -h), *asked)) / (2 * h) for j, h in enumerate(steps)]
        assert_allclose(found.loc[name, "se"], np.sqrt(np.array(by) @ result.covariance @ by), rtol=1e-6)


def test_published_shares_of_a_factor():
    level = np.repeat(np.arange(4), 100)
    y = np.concatenate([np.arange(100) < 100 * share for share in (0.62, 0.41, 0.25, 0.24)]).astype(int)
    frame = pd.DataFrame({"y": y, "level": np.array(["one", "two", "three", "zero"])[(level + 3) % 4]})
    model = fit_table("y", frame, reference={"level": "zero"})
    ours = infer(model, frame).margins(frame).set_index("term")
    assert_allclose(ours["effect"]["level[one]"], -0.21, atol=1e-9)
    assert_allclose(ours["effect"]["level[two]"], -0.37, atol=1e-9)
    assert_allclose(ours["effect"]["level[three]"], -0.38, atol=1e-9)


@pytest.mark.parametrize("kind", ["dydx", "eydx", "dyex", "eyex"])
@pytest.mark.parametrize("discrete", [False, True])
def test_without_products_a_table_is_its_columns_in_groups(kind, discrete):
    frame = table(5).assign(d=np.random.default_rng(5).integers(0, 2, 400))
    model = fit_table("y ~ f + x + d + h", frame)
    ours = infer(model, frame).margins(frame, kind=kind, discrete=discrete)
    X = pd.get_dummies(frame[["f", "x", "d", "h"]], drop_first=True).astype(float)
    names = {f"f_{level}": f"f[{level}]" for level in "bc"} | {f"h_{level}": f"h[{level}]" for level in "qrs"}
    X = X.rename(columns=names)[list(model.design_.names)]
    groups = {name: [one for one in X if one.startswith(f"{name}[")] for name in "fh"} if kind[2:] == "dx" else None
    by_column = infer(LogisticRegression().fit(X, frame["y"]), X, frame["y"]).margins(
        X, kind=kind, discrete=discrete, groups=groups
    )
    by_column = by_column[by_column["term"].isin(ours["term"])].reset_index(drop=True)
    assert ours["term"].tolist() == (["x", "d"] if groups is None else list(model.design_.names))
    pd.testing.assert_frame_equal(ours, by_column, rtol=1e-9)


def test_places():
    frame = table(6)
    model = fit_table("y ~ f*x + month(d) + poly(z, 2)", frame.assign(d=pd.date_range("2024-01-01", periods=400)))
    frame["d"] = pd.date_range("2024-01-01", periods=400)
    result = infer(model, frame)
    held = frame.assign(f="b", x=2.0)
    assert_allclose(
        result.margins(frame, at={"f": "b", "x": 2})["effect"], result.margins(held)["effect"], rtol=1e-10, atol=1e-14
    )
    may = frame.assign(d=pd.Timestamp("2024-05-05"))
    assert_allclose(
        result.margins(frame, at={"month(d)": "May"})["effect"], result.margins(may)["effect"], rtol=1e-10, atol=1e-14
    )
    one = pd.DataFrame({"f": [frame["f"].mode()[0]], "x": [frame["x"].mean()], "z": [frame["z"].mean()]})
    one["d"] = pd.Timestamp("2024-01-05")  # January has the most days here
    assert_allclose(result.margins(frame, at="mean")["effect"], result.margins(one)["effect"], rtol=1e-8, atol=1e-12)
    same = result.margins(pl.from_pandas(frame), at="median")
    assert isinstance(same, pl.DataFrame)
    assert_array_equal(same["effect"], result.margins(frame, at="median")["effect"])
    for wrong, message in (
        ({"at": {"ff": "a"}}, "at has 'ff', which the model does not have. Did you mean 'f'"),
        ({"at": {"f": "z"}}, r"at\['f'\] is 'z', which is no level of it. The levels are 'a', 'b', 'c'"),
        ({"at": {"x": "a"}}, r"at\['x'\] is a number"),
        ({"at": {"d": 3}}, "at has 'd', which the model does not have"),
        ({"at": "everywhere"}, 'at is "overall"'),
        ({"groups": {"f": ["f[b]"]}}, "knows its factors"),
        ({"sample_weight": np.zeros(400)}, "not 0 in all rows"),
    ):
        with pytest.raises(EvenOddsError, match=message):
            result.margins(frame, **wrong)
    with pytest.raises(EvenOddsError, match="factors only"):
        infer(fit_table("y ~ f", frame), frame).margins(frame, kind="eyex")


def test_rows_with_missing_values_have_no_part():
    frame = table(7)
    frame.loc[::7, "x"], frame.loc[3::11, "f"], frame.loc[[5, 6], "y"] = np.nan, None, None
    whole = frame.dropna(subset=["x", "f", "y"])
    model = fit_table("y ~ f + x", frame, missing="drop")
    result, other = infer(model, frame), infer(fit_table("y ~ f + x", whole), whole)
    there = frame.dropna(subset=["x", "f"])
    assert_allclose(result.margins(frame)["effect"], other.margins(there)["effect"], rtol=1e-7)
    predicted = result.predict(frame)
    assert_array_equal(predicted["probability"].isna(), frame[["x", "f"]].isna().any(axis=1))
    assert_allclose(predicted.loc[there.index], other.predict(there), rtol=1e-6)
    assert result.predict(frame.iloc[[0]]).isna().all(axis=None)
    assert_allclose(result.hosmer_lemeshow(frame).statistic, other.hosmer_lemeshow(whole).statistic, rtol=1e-6)
    assert_allclose(result.calibration(frame)["se"], other.calibration(whole)["se"], rtol=1e-6)
    ours = result.influence(frame)
    assert_allclose(ours.loc[whole.index], other.influence(whole), rtol=1e-5, atol=1e-8)
    assert ours["leverage"].isna().sum() == len(frame) - len(whole)


def test_weights_and_offsets_are_those_of_the_table():
    frame = table(8)
    rng = np.random.default_rng(8)
    frame = frame[["y", "f", "x"]].assign(w=rng.integers(1, 4, len(frame)), o=rng.normal(size=len(frame)))
    result = infer(fit_table("y", frame, weight="w", offset="o"), frame)
    same = result.margins(frame, sample_weight=frame["w"], offset=frame["o"])
    pd.testing.assert_frame_equal(result.margins(frame), same)
    X = pd.get_dummies(frame[["f", "x"]], drop_first=True).astype(float)
    plain = infer(
        LogisticRegression().fit(X, frame["y"], frame["w"], frame["o"]), X, frame["y"], frame["w"], frame["o"]
    )
    other = plain.margins(X, groups={"f": ["f_b", "f_c"]}, sample_weight=frame["w"], offset=frame["o"])
    assert_allclose(same.set_index("term")["effect"]["x"], other.set_index("term")["effect"]["x"], rtol=1e-9)


def test_levels_that_separate_have_their_limit():
    frame = table(9)
    frame["f"] = np.where((frame["y"] == "yes") & (frame["x"] > 0), "only yes", frame["f"])
    with pytest.warns(match="separate"):
        model = fit_table("y ~ f + x", frame)
    result = infer(model, frame)
    ours = result.margins(frame).set_index("term")
    P = result.predict(frame.assign(f="a"))["probability"]
    assert_allclose(ours["effect"]["f[only yes]"], 1 - P.mean(), rtol=1e-9)
    assert np.isfinite(ours["effect"]).all()


@pytest.mark.parametrize("given", [np.ones((3, 2)), [[1.0, 2.0]], 5])
def test_what_is_no_frame_is_told_so(given):
    frame = table(0)
    result = infer(fit_table("y ~ f + x", frame, C=1.0), frame)
    with pytest.raises(EvenOddsError, match=rf"give a frame with these columns, not a {type(given).__name__}\."):
        result.margins(given)
