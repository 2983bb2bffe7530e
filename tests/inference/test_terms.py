"""Terms of a model: joint tests and their table, against fits of the smaller models by statsmodels."""

import itertools
import warnings

import formulaic
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from scipy.stats import chi2

from evenodds import CollinearWarning, EvenOddsError, LogisticRegression, fit_table, infer
from evenodds.inference.curves import Ground
from oracle import DATA

POOL = ["f", "g", "x", "z", "f:g", "f:x", "x:z", "g:z", "poly(w, 2)", "bs(v, df=4)", "f:poly(w, 2)", "b", "h:x", "f:b"]


def draw(seed, labels=("no", "yes")):
    """A table, and the terms of a random formula on it."""
    rng = np.random.default_rng(seed)
    n = 400
    frame = pd.DataFrame(
        {
            "f": rng.choice(list("abc"), n),
            "g": rng.choice(list("uv"), n),
            "h": rng.choice(list("pqrs"), n),
            "b": rng.random(n) < 0.5,
            "x": rng.normal(size=n),
            "z": rng.normal(100, 2, n),
            "v": rng.random(n),
            "w": rng.random(n),
        }
    )
    score = 0.5 * frame["x"] + 0.4 * (frame["f"] == "b") - 0.3 * frame["b"] + rng.logistic(size=n)
    frame["y"] = np.array(labels)[np.digitize(score, np.quantile(score, np.arange(1, len(labels)) / len(labels)))]
    terms = rng.choice(POOL, rng.integers(2, 6), replace=False).tolist()
    return frame, sorted(terms, key=lambda term: term.count(":")), bool(rng.random() < 0.8)


def design(frame, terms, intercept):
    """formulaic's matrix, which codes what is left of a formula anew (and takes booleans for numbers)."""
    frame = frame.assign(b=frame["b"].astype(str))
    right = " + ".join(["1" if intercept else "0", *terms])
    return (
        formulaic.model_matrix(right, frame).to_numpy(dtype=float) if terms or intercept else np.zeros((len(frame), 0))
    )


@pytest.mark.parametrize("seed", range(7))
@pytest.mark.parametrize("labels", [("no", "yes"), ("a", "b", "c")])
def test_products_are_asked_for_in_any_order(seed, labels):
    frame, terms, intercept = draw(seed, labels)
    terms = [*terms, "z:f:x"] if seed % 3 == 0 else terms
    formula = f"y ~ {'1' if intercept else '0'} + {' + '.join(terms)}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollinearWarning)
        model = fit_table(formula, frame, C=np.inf)
        result = infer(model, frame)
    for name in [*model.design_.columns_of, *result.names]:
        for order in itertools.permutations(name.split(":")):
            other = ":".join(order)
            for asked in (other, f"`{other}` = 0"):
                try:
                    expected = result.test(name)
                except EvenOddsError:  # of a column that is aliased
                    continue
                found = result.test(asked)
                assert (found.statistic, found.df) == (expected.statistic, expected.df)
    for unknown in ("x:none", "none:f", "f:x:none"):
        with pytest.raises(EvenOddsError, match=f"no coefficient '{unknown}'"):
            result.test(f"{unknown} = 0")


def log_likelihood(X, y):
    if X.shape[1] == 0:
        return -len(y) * np.log(2)
    return sm.GLM(y, X, family=sm.families.Binomial()).fit(tol=1e-13, maxiter=200).llf


def variables(term):
    return frozenset(term.split(":"))


def of_this(terms, k, kind):
    """The terms that are beside a term in its test."""
    if kind == "sequential":
        return terms[:k]
    return [term for term in terms if not variables(term) >= variables(terms[k])]


@pytest.mark.parametrize("seed", range(25))
def test_the_table_of_terms_is_of_fits_without_them(seed):
    frame, terms, intercept = draw(seed)
    y = (frame["y"] == "yes").to_numpy(dtype=float)
    formula = "y ~ " + " + ".join(terms) + " - 1" * (not intercept)
    result = infer(fit_table(formula, frame), frame)
    large = design(frame, terms, intercept)
    fit = sm.GLM(y, large, family=sm.families.Binomial()).fit(tol=1e-13, maxiter=200)
    for kind in ("marginal", "sequential"):
        table = result.anova(kind)
        table = table[~table["term"].str.endswith("(non-linear)")]
        assert [variables(t.replace(" ", "")) for t in table["term"]] == [variables(t.replace(" ", "")) for t in terms]
        for k, row in enumerate(table.itertuples()):
            small = design(frame, of_this(terms, k, kind), intercept)
            middle = design(frame, [*of_this(terms, k, kind), terms[k]], intercept)
            df = _rank(middle) - _rank(small)
            assert row.df == df
            assert_allclose(row.lr, 2 * (log_likelihood(middle, y) - log_likelihood(small, y)), rtol=1e-6, atol=1e-6)
            assert_allclose(row.lr_p_value, chi2.sf(row.lr, df), rtol=1e-6)
            falls = [_distance(fit, large, part) for part in (small, middle)]
            assert_allclose(row.wald, falls[0] - falls[1], rtol=1e-4, atol=1e-4)


def _distance(fit, large, small):
    """How far the fit is from the smaller model, in the metric of its covariance (Wald's statistic)."""
    information = np.linalg.inv(np.asarray(fit.cov_params()))
    root = np.linalg.cholesky(information).T
    goal = root @ fit.params
    if small.shape[1] == 0:
        return goal @ goal
    inside = root @ np.linalg.lstsq(large, small, rcond=None)[0]
    return float(np.sum((goal - inside @ np.linalg.lstsq(inside, goal, rcond=None)[0]) ** 2))


CURVES = [
    "poly(w, 3)",
    "poly(w, 2, raw=True)",
    "bs(w, df=4)",
    "bs(w, df=6, degree=2)",
    "cr(w, df=4)",
    "bs(w, degree=1, df=3)",
]
CURVES += ["bs(w, knots=[0.2, 0.21, 0.9])", "bs(w, df=5, include_intercept=True)", "cr(w, df=6)", "poly(log(v + 1), 3)"]


@pytest.mark.parametrize(
    ("curve", "beside"), [(one, ("", " + f + x", " + f:x")[k % 3]) for k, one in enumerate(CURVES)]
)
def test_a_curve_is_tested_against_its_straight_line(curve, beside):
    frame, *_ = draw(len(curve))
    frame["w"] = 100 + 10 * frame["w"]
    curve = curve.replace("[0.2, 0.21, 0.9]", "[102.0, 102.1, 109.0]")
    frame["y"] = (frame["w"] - 105 + np.random.default_rng(5).logistic(scale=4, size=len(frame)) > 0).astype(int)
    inner = curve.partition("(")[2].partition(",")[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollinearWarning)  # of a basis with a constant in it
        result = infer(fit_table(f"y ~ {curve}{beside}", frame), frame)
    line = infer(fit_table(f"y ~ {inner}{beside}", frame), frame)
    name = f"{inner if inner == 'w' else result.anova()['term'][0]} (non-linear)"
    found, ratio = result.anova().set_index("term").loc[name], result.compare(line)
    assert found.df == ratio.df
    assert_allclose(found.lr, ratio.statistic, rtol=1e-6, atol=1e-6)
    assert_allclose(found.lr_p_value, ratio.p_value, rtol=1e-5)
    # Wald's of whatever basis of the same functions: here x, and columns that are free of 1 and x.
    explicit = np.column_stack([formulaic.model_matrix(f"{curve}{beside}", frame).to_numpy(dtype=float)])
    fit = sm.GLM(frame["y"], _full(explicit), family=sm.families.Binomial()).fit(tol=1e-13, maxiter=200)
    straight = formulaic.model_matrix(f"{inner}{beside}", frame).to_numpy(dtype=float)
    assert_allclose(found.wald, _distance(fit, _full(explicit), straight), rtol=1e-5, atol=1e-6)
    assert_allclose(result.test(name).statistic, found.wald, rtol=1e-6)
    assert result.test(f"`{name}` = 0").df == found.df
    with pytest.raises(EvenOddsError, match="stands for itself"):
        result.test(f"`{name}` = 1")


def _full(X):
    """The columns that no earlier ones span."""
    kept = [j for j in range(X.shape[1]) if _rank(X[:, : j + 1]) > _rank(X[:, :j])]
    return X[:, kept]


def _rank(X):
    return np.linalg.matrix_rank(X) if X.shape[1] else 0  # older NumPy finds none of no columns


def test_curves_that_have_no_straight_line_beside_them_have_no_row():
    frame, *_ = draw(8)
    result = infer(fit_table("y ~ poly(w, 1) + bs(v, degree=1, df=1) + f:poly(x, 2) + z", frame), frame)
    assert not any("non-linear" in term for term in result.anova()["term"])
    with pytest.raises(EvenOddsError, match="no coefficient"):
        result.test("w (non-linear)")


def test_two_curves_of_a_column_and_columns_with_the_name_of_a_test():
    frame, *_ = draw(9)
    frame["w (non-linear)"] = frame["z"]
    with pytest.warns(CollinearWarning):  # both hold the straight line
        model = fit_table("y ~ poly(w, 2) + bs(x, df=4) + poly(x, 6) + `w (non-linear)`", frame)
    result = infer(model, frame)
    terms = result.anova()["term"].tolist()
    assert terms.count("w (non-linear)") == 1
    assert {"poly(w, 2) (non-linear)", "x (non-linear)", "poly(x, 6) (non-linear)"} <= set(terms)
    assert result.test("w (non-linear)").df == 1
    assert_allclose(result.test("w (non-linear)").statistic, result.z[result.names.index("w (non-linear)")] ** 2)


def test_curves_of_several_classes_in_sequence():
    frame, *_ = draw(6, ("a", "b", "c"))
    result = infer(fit_table("y ~ x + bs(w, df=5) + f", frame), frame)
    table = result.anova("sequential").set_index("term")
    codes = pd.Categorical(frame["y"]).codes

    def fitted(right):
        X = formulaic.model_matrix(right, frame).to_numpy(dtype=float)
        return sm.MNLogit(codes, X).fit(disp=0, method="newton", maxiter=100).llf

    assert_allclose(
        table["lr"]["w (non-linear)"], 2 * (fitted("x + bs(w, df=5)") - fitted("x + w")), rtol=1e-6, atol=1e-6
    )
    assert table["df"]["w (non-linear)"] == 2 * 4
    assert result.test("w (non-linear)").df == 8


def test_a_term_by_its_name_is_the_test_of_all_its_coefficients():
    frame, *_ = draw(1)
    result = infer(fit_table("y ~ f*x + h + bs(v, df=4)", frame), frame)
    for term, names in {
        "f": ["f[b]", "f[c]"],
        "h": ["h[q]", "h[r]", "h[s]"],
        "f:x": ["f[b]:x", "f[c]:x"],
        "bs(v, df=4)": [f"bs(v, df=4)[{k}]" for k in range(1, 5)],
    }.items():
        places = [result.names.index(name) for name in names]
        beta, V = result.coef[places], result.covariance[np.ix_(places, places)]
        for text in (term, f"{term} = 0", f"`{term}`", ", ".join(f"`{name}` = 0" for name in names)):
            found = result.test(text)
            assert found.df == len(names)
            assert_allclose(found.statistic, beta @ np.linalg.solve(V, beta), rtol=1e-8)
    assert result.test("h, f, x = 0").df == 6
    with pytest.raises(EvenOddsError, match=r"'h' is a term of 3 coefficients, .* such as 'h\[q\]'"):
        result.test("h = 1")
    with pytest.raises(EvenOddsError, match="'h' is a term of 3 coefficients"):
        result.test("h = x")
    with pytest.raises(EvenOddsError, match="no coefficient 'hh' in the model"):
        result.test("hh")
    with pytest.raises(EvenOddsError, match="kind is one of 'marginal', 'sequential', got 'III'"):
        result.anova("III")


def test_levels_that_are_aliased_have_no_part_in_a_test():
    frame, *_ = draw(2)
    frame["h2"] = np.where(frame["h"] == "q", "only", frame["f"])
    with pytest.warns(match="linear combination"):
        model = fit_table("y ~ h + h2", frame[["y", "h", "h2"]])
    result = infer(model, frame)
    assert result.test("h2").df == 2
    assert result.anova()["df"].tolist() == [3, 2]


@pytest.mark.parametrize("seed", range(4))
def test_terms_of_several_classes(seed):
    frame, *_ = draw(seed, ("a", "b", "c"))
    result = infer(fit_table("y ~ f*x + g", frame), frame)
    table = result.anova().set_index("term")
    codes = pd.Categorical(frame["y"]).codes

    def fitted(right):
        return sm.MNLogit(codes, formulaic.model_matrix(right, frame).to_numpy(dtype=float)).fit(
            disp=0, method="newton", maxiter=100
        )

    for term, large, small in (
        ("f", "f + x + g", "x + g"),
        ("x", "f + x + g", "f + g"),
        ("g", "f*x + g", "f*x"),
        ("f:x", "f*x + g", "f + x + g"),
    ):
        assert_allclose(table["lr"][term], 2 * (fitted(large).llf - fitted(small).llf), rtol=1e-6)
        assert table["df"][term] == 2 * (2 if "f" in term else 1)
    assert result.test("f").df == 4
    ridge = infer(fit_table("y ~ f*x + g", frame, C=1.0), frame)
    assert ridge.anova()["df"].tolist() == table["df"].tolist()
    assert np.isnan(ridge.anova()["lr"]).all()
    assert_allclose(ridge.anova()["wald"][2], ridge.test("g").statistic, rtol=1e-8)


def test_terms_of_other_fits():
    frame, *_ = draw(3)
    for parameters, cov in ({"firth": True}, "model"), ({"C": 1.0}, "model"), ({}, "HC1"):
        result = infer(fit_table("y ~ f + x + h", frame, **parameters), frame, cov=cov)
        table = result.anova().set_index("term")
        for term in ("f", "x", "h"):
            assert_allclose(table["wald"][term], result.test(term).statistic, rtol=1e-7)
            if parameters.get("firth"):
                smaller = " + ".join(one for one in ("f", "x", "h") if one != term)
                ratio = result.compare(infer(fit_table(f"y ~ {smaller}", frame, firth=True), frame))
                assert_allclose(table["lr"][term], ratio.statistic, rtol=1e-6)
            assert np.isnan(table["lr"][term]) == ("C" in parameters)
    X = frame[["x", "z", "v"]]
    model = LogisticRegression().fit(X, frame["y"])
    result = infer(model, X, frame["y"])
    table = result.anova()
    assert table["term"].tolist() == ["x", "z", "v"]
    assert_allclose(table["wald"], result.z[1:] ** 2, rtol=1e-8)
    for name, lr in itertools.islice(zip(table["term"], table["lr"], strict=True), 2):
        rest = X.drop(columns=name)
        smaller = infer(LogisticRegression().fit(rest, frame["y"]), rest, frame["y"])
        assert_allclose(lr, result.compare(smaller).statistic, rtol=1e-6)


def test_separated_classes_have_no_table_of_terms():
    frame, *_ = draw(4)
    frame["f"] = np.where(frame["y"] == "yes", frame["f"], "only no")
    with pytest.warns(match="separate"):
        model = fit_table("y ~ f + x", frame)
    with pytest.raises(EvenOddsError, match="firth=True"):
        infer(model, frame).anova()


def admissions():
    """UCLA's graduate admissions, with the rank as a factor."""
    frame = pd.read_csv(DATA / "a06_admit.csv")
    rank = 1 + frame["rank2"] + 2 * frame["rank3"] + 3 * frame["rank4"]
    return frame[["y", "gre", "gpa"]].assign(rank=rank.astype(int).astype(str))


def test_published_tests_of_a_factor():
    """UCLA OARC, "Logit regression | R data analysis examples": aod's wald.test, R's anova and predict."""
    frame = admissions()
    result = infer(fit_table("y ~ gre + gpa + rank", frame), frame)
    joint, pair = result.test("rank"), result.test("rank[2] = rank[3]")
    assert (round(joint.statistic, 1), joint.df, round(joint.p_value, 5)) == (20.9, 3, 0.00011)
    assert (round(pair.statistic, 1), pair.df, round(pair.p_value, 3)) == (5.5, 1, 0.019)
    assert_allclose(result.likelihood_ratio.statistic, 41.45903, atol=5e-6)
    assert_allclose(result.likelihood_ratio.p_value, 7.578194e-08, rtol=1e-6)
    # anova(test = "Chisq")
    table = result.anova("sequential")
    assert table["term"].tolist() == ["gre", "gpa", "rank"]
    assert_allclose(table["lr"], [13.9204, 5.7122, 21.8265], atol=5e-5)
    assert_allclose(table["lr_p_value"], [0.0001907, 0.0168478, 7.088e-05], rtol=5e-4)
    # predict(type = "response") at the means of gre and gpa
    (curve,) = Ground(result).curves("rank")
    assert curve.values == ("1", "2", "3", "4")
    assert_allclose(curve.probability[:, 0], [0.5166016, 0.3522846, 0.2186120, 0.1846684], atol=5e-8)


def test_published_probabilities_of_several_classes():
    """UCLA OARC, "Multinomial logistic regression | R data analysis examples": nnet's, which ends at 1e-5."""
    frame = pd.read_csv(DATA / "a08_hsbdemo.csv")
    ses = np.select([frame["ses_middle"] == 1, frame["ses_high"] == 1], ["middle", "high"], "low")
    frame = frame.assign(ses=ses, prog=frame["prog"].map(["academic", "general", "vocation"].__getitem__))
    result = infer(fit_table("prog ~ ses + write", frame, reference={"ses": "low"}), frame)
    (curve,) = Ground(result).curves("ses")
    told = dict(zip(curve.values, curve.probability, strict=True))
    assert_allclose(told["low"], [0.4396845, 0.3581917, 0.2021238], atol=2e-5)
    assert_allclose(told["middle"], [0.4777488, 0.2283353, 0.2939159], atol=2e-5)
    assert_allclose(told["high"], [0.7009007, 0.1784939, 0.1206054], atol=2e-5)
    # Stata's `test 2.ses 3.ses`
    joint = result.test("ses")
    assert (round(joint.statistic, 2), joint.df, round(joint.p_value, 4)) == (10.82, 4, 0.0287)
