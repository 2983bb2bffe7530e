"""Margins at places, of factors and as elasticities, and the classes of a table seen from another baseline."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from scipy.special import softmax

from evenodds import EvenOddsError, LogisticRegression, infer

RNG = np.random.default_rng(11)
X = RNG.normal(size=(300, 3)) + np.array([0, 2, 0])
X[:, 2] = RNG.random(300) < 0.4
Y2 = (RNG.random(300) < 1 / (1 + np.exp(1 - X @ [0.5, -0.4, 1.0]))).astype(int)
Y3 = np.array(list("abc"))[(X @ RNG.normal(size=(3, 3)) + RNG.gumbel(size=(300, 3))).argmax(axis=1)]
TWO = infer(LogisticRegression().fit(X, Y2), X, Y2)
THREE = infer(LogisticRegression().fit(X, Y3), X, Y3)
KINDS = ("dydx", "eyex", "dyex", "eydx")


def shares_by_level():
    level = np.repeat(np.arange(4), 100)
    y = np.concatenate([np.arange(100) < 100 * share for share in (0.62, 0.41, 0.25, 0.24)]).astype(int)
    return pd.DataFrame({f"level_{k}": (level == k).astype(float) for k in (1, 2, 3)}), y


@pytest.mark.parametrize("at", ["overall", "mean", "median"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("discrete", [False, True])
def test_statsmodels_agrees(at, kind, discrete):
    theirs = sm.Logit(Y2, sm.add_constant(X)).fit(disp=0, tol=1e-14, maxiter=100)
    dummy = discrete and kind in ("dydx", "eydx") and at != "median"  # it has no others
    ours = TWO.margins(X, at=at, kind=kind, discrete=dummy)
    theirs = theirs.get_margeff(at=at, method=kind, dummy=dummy)
    assert_allclose(ours["effect"], theirs.margeff, atol=1e-8, rtol=1e-8)
    assert_allclose(ours["se"], theirs.margeff_se, atol=1e-8, rtol=1e-8)


def scores(coef, rows):
    return np.column_stack([np.zeros(len(rows)), np.column_stack([np.ones(len(rows)), rows]) @ coef.T])


def averages(theta, rows, kind, weight):
    """The effects (K, p) by differences of the probabilities."""
    coef, h = theta.reshape(-1, rows.shape[1] + 1), 1e-5
    P, found = softmax(scores(coef, rows), axis=1), []
    for j in range(rows.shape[1]):
        step = np.zeros(rows.shape[1])
        step[j] = h
        up, down = (softmax(scores(coef, rows + s * step), axis=1) for s in (1, -1))
        slope = (up - down) / (2 * h)
        slope = slope * rows[:, [j]] if kind[2:] == "ex" else slope
        found.append(np.average(slope / P if kind[:2] == "ey" else slope, axis=0, weights=weight))
    return np.array(found).T


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", ["overall", "mean", {"x1": 1.5}])
def test_several_classes_agree_with_differences(kind, at):
    weight = np.random.default_rng(0).integers(0, 4, 300)
    rows, counts = X.copy(), weight
    if at == "mean":
        rows, counts = np.average(X, axis=0, weights=weight)[None, :], None
    elif at != "overall":
        rows[:, 1] = 1.5
    ours = THREE.margins(X, kind=kind, at=at, discrete=False, sample_weight=weight)
    theta, h = THREE.coef.ravel(), 1e-4
    assert_allclose(ours["effect"], averages(theta, rows, kind, counts).ravel(), atol=1e-8)
    slopes = [averages(theta + s, rows, kind, counts) - averages(theta - s, rows, kind, counts) for s in h * np.eye(8)]
    G = np.array(slopes).reshape(8, -1).T / (2 * h)
    assert_allclose(ours["se"], np.sqrt(np.einsum("ij,jk,ik->i", G, THREE.covariance, G)), rtol=1e-4)


def test_a_median_of_weights_is_that_of_repeated_rows():
    weight = np.random.default_rng(2).integers(0, 4, 300)
    one, two = TWO.margins(X, at="median", sample_weight=weight), TWO.margins(np.repeat(X, weight, axis=0), at="median")
    pd.testing.assert_frame_equal(one, two)


def test_levels_of_a_factor_exclude_each_other():
    frame, y = shares_by_level()
    result = infer(LogisticRegression().fit(frame, y), frame, y)
    columns = list(frame.columns)
    found = result.margins(frame, groups={"level": columns})
    assert_allclose(found["effect"], [-0.21, -0.37, -0.38], atol=1e-10)
    share = np.array([0.62, 0.41, 0.25, 0.24])
    variance = share * (1 - share) / 100
    assert_allclose(found["se"], np.sqrt(variance[1:] + variance[0]), rtol=1e-8)
    relative = result.margins(frame, groups={"level": columns}, kind="eydx")
    assert_allclose(relative["effect"], np.log(share[1:] / 0.62), rtol=1e-8)
    assert_allclose(result.margins(frame)["effect"], [-0.16678, -0.30127, -0.31021], atol=1e-5)
    mean = result.margins(frame, groups={"level": columns}, at="mean")
    pd.testing.assert_frame_equal(mean, found)  # there is nothing but the factor


@pytest.mark.parametrize("seed", range(6))
def test_random_factors_against_brute_force(seed):
    rng = np.random.default_rng(seed)
    sizes, n = rng.integers(2, 5, 2), 250
    codes = [rng.integers(0, size, n) for size in sizes]
    names = [[f"{factor}{k}" for k in range(1, size)] for factor, size in zip("fg", sizes, strict=True)]
    dummies = [(code[:, None] == np.arange(1, size)) for code, size in zip(codes, sizes, strict=True)]
    frame = pd.DataFrame(np.column_stack([*dummies, rng.normal(size=n)]), columns=[*names[0], *names[1], "age"])
    K = 2 + seed % 2
    noise = rng.gumbel(size=(n, K))
    y = (frame.to_numpy() @ rng.normal(size=(frame.shape[1], K)) + noise).argmax(axis=1)
    model = LogisticRegression(C=[np.inf, 5.0][seed // 3]).fit(frame, y)
    result = infer(model, frame, y)
    weight = rng.integers(0, 3, n)
    found = result.margins(frame, groups={"f": names[0], "g": names[1]}, at={"age": 0.5}, sample_weight=weight)
    found = found.assign(**{"class": found.get("class", 1)}).set_index(["class", "term"])["effect"]
    for factor in names:
        off = frame.assign(age=0.5, **dict.fromkeys(factor, 0.0))
        base = model.predict_proba(off)
        for name in factor:
            change = np.average(model.predict_proba(off.assign(**{name: 1.0})) - base, axis=0, weights=weight)
            for label in found.index.unique(0):
                assert found[label, name] == pytest.approx(change[label], abs=1e-12)


def test_what_margins_refuse():
    frame, y = shares_by_level()
    frame["age"] = np.random.default_rng(0).normal(size=400)
    frame["level_2:age"] = frame["level_2"] * frame["age"]
    result = infer(LogisticRegression().fit(frame, y), frame, y)
    levels = ["level_1", "level_2", "level_3"]
    refused = [
        ({"groups": {"level": levels}}, "'level_2:age' is 'level_2' times 'age', an interaction"),
        ({"groups": {"level": ["level_1", "age"]}}, "'age'.*other values than 0 and 1"),
        ({"groups": {"level": ["level_9"]}}, "'level_9'.*none of the columns.*'level_1'"),
        ({"groups": {"a": ["level_1"], "b": ["level_1"]}}, "'level_1' twice"),
        ({"groups": ["level_1"]}, "mapping of factors"),
        ({"groups": {"level": "level_1"}}, "mapping of factors"),
        ({"groups": {"level": ["level_1"]}, "kind": "eyex"}, "levels of a factor do not have"),
        ({"at": {"agee": 1.0}}, "'agee'.*none of the columns"),
        ({"at": {"age": np.nan}}, r"at\['age'\] is a number"),
        ({"at": "middle"}, '"overall", "mean", "median"'),
        ({"kind": "dx"}, "kind is one of"),
    ]
    for asked, words in refused:
        with pytest.raises(EvenOddsError, match=words):
            result.margins(frame, **asked)
    both = frame.assign(level_1=1.0)
    with pytest.raises(EvenOddsError, match="same row, first in row 200"):
        result.margins(both, groups={"level": levels})


# Another baseline


@pytest.mark.parametrize("C", [np.inf, 2.0])
@pytest.mark.parametrize("asked", [{}, {"cov": "HC3"}, {"cov": "cluster", "groups": np.arange(300) // 5}], ids=str)
def test_another_baseline_is_that_of_labels_in_another_order(C, asked):
    model = LogisticRegression(C=C).fit(X, Y3)
    found = infer(model, X, Y3, baseline="b", **asked)
    renamed = np.where(Y3 == "b", "0", Y3)
    other = infer(LogisticRegression(C=C).fit(X, renamed), X, renamed, baseline="0", **asked)
    assert (found.listed, found.baseline, found.names) == (("a", "c"), "b", other.names)
    for name in ("coef", "se", "z", "p_value", "conf_int", "covariance"):
        assert_allclose(getattr(found, name), getattr(other, name), rtol=1e-7, atol=1e-12)
    for restriction in ("x1 = 0", "x0[a] = x0[c]"):
        assert found.test(restriction).statistic == pytest.approx(other.test(restriction).statistic, rel=1e-7)
    if np.inf == C:
        pd.testing.assert_frame_equal(found.profile(), other.profile(), rtol=1e-7)
        assert infer(model, X, Y3, baseline="a", **asked).coef.tolist() == infer(model, X, Y3, **asked).coef.tolist()
    plain = infer(model, X, Y3, **asked)
    pd.testing.assert_frame_equal(found.margins(X), plain.margins(X))
    pd.testing.assert_frame_equal(found.predict(X), plain.predict(X))
    pd.testing.assert_frame_equal(found.vif(), plain.vif(), rtol=1e-9)
    assert "each against b" in str(found)


def test_an_unknown_baseline_lists_the_labels():
    with pytest.raises(EvenOddsError, match="'q' is none of the labels, which are 'a', 'b', 'c'"):
        infer(LogisticRegression().fit(X, Y3), X, Y3, baseline="q")
    model = LogisticRegression().fit(X, Y2)
    assert infer(model, X, Y2, baseline=0).coef.tolist() == TWO.coef.tolist()
    with pytest.raises(EvenOddsError, match="Of two classes the baseline is the first"):
        infer(model, X, Y2, baseline=1)


def test_a_baseline_of_separated_classes():
    rng = np.random.default_rng(3)
    cell = np.repeat([0.0, 1.0], [60, 40])[:, None]
    y = np.concatenate([rng.integers(0, 3, 60), rng.integers(0, 2, 40)])  # class 2 never where x0 is 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = infer(LogisticRegression().fit(cell, y), cell, y, baseline=1)
    assert (result.coef[1, 1], result.coef[0, 1]) == (-np.inf, pytest.approx(_log_odds(cell, y), rel=1e-8))
    assert result.profile("x0[2]")["lower"][0] == -np.inf


def _log_odds(cell, y):
    counts = np.array([[np.sum((cell[:, 0] == g) & (y == c)) for c in (0, 1)] for g in (0, 1)])
    return np.log(counts[1, 0] / counts[1, 1]) - np.log(counts[0, 0] / counts[0, 1])
