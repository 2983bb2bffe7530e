"""Standard errors, tests and intervals: reference cases to their digits, plain NumPy and statsmodels beside them."""

import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from draws import drawn, fitted, shapes
from hypothesis import given, settings
from scipy import stats
from scipy.special import expit

from evenodds import EvenOddsError, LogisticRegression, infer
from oracle import DATA, case, columns, newton, numbers, quiet

KINDS = ["HC0", "HC1", "HC2", "HC3"]
INTERCEPT = "(intercept)"


def frame_of(table, terms):
    return pd.DataFrame({term: table[term] for term in terms if term != "const"})


def infer_case(table, terms, weight=None, offset=None, *, model=None, **asked):
    """The inference of a case, and where in it each term is: `const` is the intercept."""
    model = {"fit_intercept": "const" in terms, **(model or {})}
    result = fitted(frame_of(table, terms), table["y"], weight, offset, model=model, **asked)
    place = [result.names.index(INTERCEPT if term == "const" else term) for term in terms]
    return result, np.array(place)


def design(X, intercept=True):
    X = np.asarray(X, dtype=float)
    return np.column_stack([np.ones(len(X)), X]) if intercept else X


def draw(n=150, p=3, seed=0, shift=0.2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.5 * rng.normal(size=(n, 1))
    X[:, -1] = X[:, -1] > 0.3
    y = (rng.random(n) < expit(0.8 * X[:, 0] - 0.4 * X[:, -1] - shift)).astype(int)
    return X, y, rng


# Reference cases

CASES = {
    "spector": ("a01_spector", ()),
    "lbw": ("a02_lbw", ()),
    "admit": ("a06_admit", ("full",)),
    "admit without intercept": ("a06_admit", ("no_intercept",)),
    "infert 2": ("a12_infert", ("model2",)),
    "infert 1": ("a12_infert", ("model1",)),
    "grouped": ("a06_admit", ("grouped_freq_weights",)),
}


def read(name):
    file, keys = CASES[name]
    record, table = case(file)
    truth = record["truth"]
    for key in keys:
        truth = truth[key]
    if name == "grouped":
        table = columns(DATA / "a06_admit_grouped.csv")
    return record, truth, table, table.get("weight")


def assert_truth(truth, result, place, n):
    """All that a case knows of a fit by maximum likelihood."""
    k, coef, se, loglik = len(place), numbers(truth["coef"]), numbers(truth["se"]), float(truth["loglik"])
    np.testing.assert_allclose(result.coef[place], coef, rtol=1e-10)
    np.testing.assert_allclose(result.se[place], se, rtol=1e-8)
    cov = np.array([numbers(row) for row in truth["cov"]])
    assert (np.abs(result.covariance[np.ix_(place, place)] - cov) <= 1e-8 * np.outer(se, se)).all()
    np.testing.assert_allclose(result.z[place], coef / se, rtol=1e-8)
    np.testing.assert_allclose(result.p_value[place], numbers(truth["wald_p"]), rtol=1e-7)
    reach = stats.norm.ppf(0.95) * se
    np.testing.assert_allclose(result.conf_int[place], np.stack([coef - reach, coef + reach], 1), rtol=1e-7)
    np.testing.assert_allclose(result.odds_ratio[place], np.exp(coef), rtol=1e-9)
    np.testing.assert_allclose(result.odds_ratio_conf_int, np.exp(result.conf_int), rtol=1e-14)
    null = float(truth["null_loglik"]) if INTERCEPT in result.names else -n * np.log(2)
    assert result.log_likelihood == pytest.approx(loglik, rel=1e-13)
    assert result.null_log_likelihood == pytest.approx(null, rel=1e-13)
    assert result.deviance == pytest.approx(float(truth["deviance"]), rel=1e-13)
    assert result.null_deviance == pytest.approx(-2 * null, rel=1e-13)
    assert result.aic == pytest.approx(-2 * loglik + 2 * k, rel=1e-13)
    assert result.bic == pytest.approx(-2 * loglik + k * np.log(n), rel=1e-13)
    ratio = result.likelihood_ratio
    df = k - (INTERCEPT in result.names)
    assert (ratio.df, ratio.statistic) == (df, pytest.approx(2 * (loglik - null), rel=1e-11))
    assert ratio.p_value == pytest.approx(stats.chi2.sf(2 * (loglik - null), df), rel=1e-9)
    cox_snell = 1 - np.exp(2 * (null - loglik) / n)
    assert result.pseudo_r2["mcfadden"] == pytest.approx(1 - loglik / null, rel=1e-11)
    assert result.pseudo_r2["cox_snell"] == pytest.approx(cox_snell, rel=1e-11)
    assert result.pseudo_r2["nagelkerke"] == pytest.approx(cox_snell / (1 - np.exp(2 * null / n)), rel=1e-11)
    assert (result.n_obs, result.n_coef, result.level) == (n, k, 0.9)


@pytest.mark.parametrize("name", CASES)
def test_truths(name):
    _, truth, table, weight = read(name)
    result, place = infer_case(table, truth["terms"], weight, level=0.9)
    assert_truth(truth, result, place, table["y"].size if weight is None else weight.sum())
    residuals = result.influence(frame_of(table, truth["terms"]), table["y"], sample_weight=weight)
    assert np.square(residuals["pearson"]).sum() == pytest.approx(float(truth["pearson_chi2"]), rel=1e-9)
    assert np.square(residuals["deviance"]).sum() == pytest.approx(float(truth["deviance"]), rel=1e-11)
    probability = result.predict(frame_of(table, truth["terms"]))["probability"].to_numpy()
    share = [np.average(probability[table["y"] == k], weights=_part(weight, table["y"] == k)) for k in (0, 1)]
    assert result.pseudo_r2["tjur"] == pytest.approx(share[1] - share[0], rel=1e-9)


def _part(weight, mask):
    return None if weight is None else weight[mask]


@pytest.mark.parametrize("name", ["spector", "infert 2"])
def test_a_column_of_ones_is_an_intercept_of_another_name(name):
    _, truth, table, _ = read(name)
    X = pd.DataFrame({term: table[term] for term in truth["terms"]})
    result = fitted(X, table["y"], model={"fit_intercept": False})
    assert result.names == tuple(truth["terms"])
    np.testing.assert_allclose(result.coef, numbers(truth["coef"]), rtol=1e-10)
    np.testing.assert_allclose(result.se, numbers(truth["se"]), rtol=1e-8)
    assert result.null_log_likelihood == pytest.approx(-table["y"].size * np.log(2), rel=1e-13)
    assert result.likelihood_ratio.df == len(truth["terms"])


def test_published_numbers_of_spector():
    record, truth, table, _ = read("spector")
    result, place = infer_case(table, truth["terms"])
    gretl, stata = record["published"][0]["values"], record["published"][1]["values"]
    assert np.abs(result.se[place] - gretl["bse"]).max() <= 1.01 * 4.15e-7
    np.testing.assert_allclose(result.covariance[np.ix_(place, place)], gretl["cov_params"], rtol=4e-7)
    np.testing.assert_allclose(result.z[place], gretl["z"], rtol=3e-7)
    np.testing.assert_allclose(result.p_value[place], gretl["pvalues"], rtol=1e-6)
    np.testing.assert_allclose(result.conf_int[place], gretl["conf_int"], rtol=1e-6)
    for value, key in [(result.log_likelihood, "llf"), (result.null_log_likelihood, "llnull"), (result.aic, "aic")]:
        assert value == pytest.approx(gretl[key], rel=1e-7)
    assert (result.bic, result.pseudo_r2["mcfadden"]) == pytest.approx((gretl["bic"], gretl["prsquared"]), rel=2e-7)
    ratio = result.likelihood_ratio
    assert (ratio.statistic, ratio.p_value) == pytest.approx((gretl["llr"], gretl["llr_pvalue"]), rel=1e-6)
    np.testing.assert_allclose(result.predict(frame_of(table, truth["terms"]))["probability"], gretl["phat"], rtol=1e-6)
    plain = np.array(stata["results_noconstraint"]["params_table"], dtype=float)
    np.testing.assert_allclose(result.conf_int[place], plain[:, [4, 5]], rtol=1e-6)


def test_robust_covariances_of_spector():
    record, truth, table, _ = read("spector")
    bread, place = infer_case(table, truth["terms"], cov="HC0")
    cov = np.array([numbers(row) for row in truth["cov_HC0"]])
    se = numbers(truth["se_HC0"])
    assert (np.abs(bread.covariance[np.ix_(place, place)] - cov) <= 1e-8 * np.outer(se, se)).all()
    np.testing.assert_allclose(bread.se[place], se, rtol=1e-8)
    hc1, _ = infer_case(table, truth["terms"], cov="HC1")
    np.testing.assert_allclose(hc1.se[place], numbers(truth["se_HC1_n_over_n_minus_k"]), rtol=1e-8)
    stata = record["published"][1]
    table_of = np.array(stata["values"]["results_noconstraint_robust"]["params_table"], dtype=float)
    rows, _ = infer_case(table, truth["terms"], cov="cluster", groups=np.arange(32))
    sampling, _ = infer_case(table, truth["terms"], np.ones(32), weights="sampling")
    for same in (rows, sampling):
        np.testing.assert_allclose(same.se[place], numbers(truth["se_HC0_times_sqrt_n_over_n_minus_1"]), rtol=1e-8)
        assert np.abs(same.se[place] - table_of[:, 1]).max() <= 1.01 * 6.81e-7
        np.testing.assert_allclose(same.p_value[place], table_of[:, 3], rtol=1e-6)


def test_clusters_of_infert():
    record, truth, table, _ = read("infert 2")
    result, place = infer_case(table, truth["terms"], cov="cluster", groups=table["stratum"])
    robust = truth["cluster_robust"]
    np.testing.assert_allclose(result.se[place], numbers(robust["se_times_sqrt_G_over_G_minus_1"]), rtol=1e-8)
    published = record["published"][1]
    assert np.abs(result.se[place] - published["values"]["cluster_se"]).max() <= 1.01 * 5.5e-10
    assert any("83 clusters" in remark for remark in result.remarks)


def test_printed_digits_of_r():
    record, truth, table, _ = read("infert 2")
    result, place = infer_case(table, truth["terms"])
    printed = record["published"][0]["values"]
    assert np.abs(result.se[place] - printed["model2_se"]).max() <= 1.01 * 9.34e-6
    np.testing.assert_allclose(result.p_value[place], printed["model2_p"], rtol=2e-3)
    assert (result.aic, result.null_deviance) == pytest.approx((271.8, 316.17), abs=5e-3)
    record, truth, table, _ = read("admit")
    result, place = infer_case(table, truth["terms"])
    ucla, julia = record["published"][1]["values"], record["published"][0]["values"]
    np.testing.assert_allclose(result.se[place], ucla["se"], atol=5.1e-7)
    np.testing.assert_allclose(result.p_value[place], ucla["p"], rtol=3e-2)
    assert (result.aic, result.bic) == pytest.approx((julia["aic"], julia["bic"]), rel=1e-12)
    record, truth, table, _ = read("admit without intercept")
    result, place = infer_case(table, truth["terms"])
    julia = record["published"][2]["values"]
    np.testing.assert_allclose(result.se[place], julia["se"], rtol=1e-6)
    assert result.null_deviance == pytest.approx(julia["null_deviance_without_intercept"], rel=1e-13)
    record, truth, table, _ = read("lbw")
    result, place = infer_case(table, truth["terms"])
    assert np.abs(result.se[place] - record["published"][0]["values"]["bse"]).max() <= 1.01 * 1.49e-5
    assert result.aic == pytest.approx(record["published"][0]["values"]["aic_R"], abs=1e-8)


def test_likelihood_ratios_of_constraints():
    _, truth, table, _ = read("spector")
    full, _ = infer_case(table, truth["terms"])
    table["GPA_plus_PSI"] = table["GPA"] + table["PSI"]
    equal = truth["constraint_GPA_eq_PSI"]
    smaller, place = infer_case(table, equal["terms"])
    np.testing.assert_allclose(smaller.se[place], numbers(equal["se"]), rtol=1e-8)
    test = full.compare(smaller)
    assert (test.df, test.statistic) == (1, pytest.approx(2 * (12.94414100444750887 - 12.88963422213141426), rel=1e-10))
    held = truth["constraint_GPA_eq_2.8_as_offset"]
    smaller, place = infer_case(table, held["terms"], offset=2.8 * table["GPA"])
    np.testing.assert_allclose(smaller.se[place], numbers(held["se"]), rtol=1e-8)
    np.testing.assert_allclose(smaller.p_value[place], numbers(held["wald_p"]), rtol=1e-7)


def test_a_coefficient_held_by_an_offset_is_nested():
    _, truth, table, _ = read("spector")
    full, _ = infer_case(table, truth["terms"])
    held = truth["constraint_GPA_eq_2.8_as_offset"]
    smaller, _ = infer_case(table, held["terms"], offset=2.8 * table["GPA"])
    test = full.compare(smaller)
    assert (test.df, test.statistic) == (1, pytest.approx(2 * (12.88984864330233699 - 12.88963422213141426), rel=1e-8))


@pytest.mark.parametrize("name", ["spector", "admit"])
def test_profile_intervals(name):
    record, truth, table, _ = read(name)
    result, _ = infer_case(table, truth["terms"])
    profile = result.profile().set_index("term")
    printed = next(p["values"] for p in record["published"] if "confint.glm" in str(p))
    for term, ends in truth["profile_likelihood_CI_95"].items():
        found = profile.loc[INTERCEPT if term == "const" else term, ["lower", "upper"]].to_numpy(float)
        np.testing.assert_allclose(found, numbers(ends), rtol=1e-7)
        np.testing.assert_allclose(found, printed[term], rtol=6e-4)  # R's are interpolated
    one = result.names[1]
    assert result.profile(one).to_numpy().tolist() == result.profile([one]).to_numpy().tolist()
    assert result.profile(one)["lower"][0] == profile.loc[one, "lower"]
    with pytest.raises(EvenOddsError, match="no coefficient 'gpas'"):
        result.profile(["gpas"])


# Firth and separation


@pytest.mark.parametrize("file", ["b01_endometrial", "b07_firth_sim"])
def test_firth(file):
    record, table = case(file)
    truth = record["truth"]["firth"]
    result, place = infer_case(table, truth["terms"], model={"firth": True})
    np.testing.assert_allclose(result.coef[place], numbers(truth["coef"]), rtol=1e-9)
    np.testing.assert_allclose(result.se[place], numbers(truth["se_inverse_fisher_information"]), rtol=1e-8)
    assert result.log_likelihood == pytest.approx(float(truth["loglik_at_estimate"]), rel=1e-10)
    assert result.penalized_log_likelihood == pytest.approx(float(truth["penalised_loglik"]), rel=1e-11)
    np.testing.assert_allclose(result.z[place] ** 2, numbers(truth["plr_chi2"]), rtol=1e-8)
    np.testing.assert_array_equal(np.sign(result.z), np.sign(result.coef))
    np.testing.assert_allclose(result.p_value[place], numbers(truth["plr_p"]), rtol=1e-7)
    ends = np.array([numbers(row) for row in truth["profile_penalised_CI_95"]])
    np.testing.assert_allclose(result.conf_int[place], ends, rtol=1e-7)
    np.testing.assert_allclose(result.profile()[["lower", "upper"]].to_numpy()[place], ends, rtol=1e-7)
    assert result.certificate is None


SETS = {item["name"]: item for item in case("b05_small_separation_sets")[0]["truth"]["sets"]}
FIRTH_SETS = [name for name, item in SETS.items() if "firth" in item]


@pytest.mark.parametrize("name", FIRTH_SETS)
def test_firth_of_small_sets(name):
    item, truth = SETS[name], SETS[name]["firth"]
    table = dict(zip(item["terms"], np.array(item["X"], dtype=float).T, strict=True), y=np.array(item["y"]))
    result, place = infer_case(table, truth["terms"], model={"firth": True})
    np.testing.assert_allclose(result.coef[place], numbers(truth["coef"]), rtol=1e-8)
    np.testing.assert_allclose(result.se[place], numbers(truth["se_inverse_fisher_information"]), rtol=1e-8)
    np.testing.assert_allclose(result.p_value[place], numbers(truth["plr_p"]), rtol=1e-6)
    ends = np.array([numbers(row) for row in truth.get("profile_penalised_CI_95", [])] or result.conf_int[place])
    np.testing.assert_allclose(result.conf_int[place], ends, rtol=1e-6)


def test_the_limit_of_a_separated_fit():
    record, table = case("b01_endometrial")
    truth = record["truth"]["limit_mle"]
    X = frame_of(table, ["NV", "PI", "EH"])
    model, _ = quiet(LogisticRegression().fit, X, table["y"])
    result = infer(model, X, table["y"])
    place = [result.names.index(name) for name in (INTERCEPT, "PI", "EH")]
    np.testing.assert_allclose(result.coef[place], numbers(truth["coef"]), rtol=1e-9)
    np.testing.assert_allclose(result.se[place], numbers(truth["se"]), rtol=1e-8)
    assert result.coef[1] == np.inf
    assert np.isnan([result.se[1], result.z[1], result.p_value[1], *result.conf_int[1]]).all()
    assert result.log_likelihood == pytest.approx(float(truth["sup_loglik"]), rel=1e-11)
    assert result.certificate is None
    assert "infinite (+)" in result.notes["NV"]
    lower, upper = result.profile("NV")[["lower", "upper"]].iloc[0]
    held = LogisticRegression().fit(X[["PI", "EH"]], table["y"], offset=lower * np.asarray(X["NV"]))
    fall = result.log_likelihood + 79 * held.solution_.loss
    assert (fall, upper) == (pytest.approx(stats.chi2.ppf(0.95, 1) / 2, abs=1e-7), np.inf)
    with pytest.raises(EvenOddsError, match="'NV' has no standard error"):
        result.test("NV = 0")


SIGNS = {"finite": 0.0, "+inf": np.inf, "-inf": -np.inf}


@pytest.mark.parametrize("name", [k for k in SETS if k not in ("only_positive_class", "sm659", "tiny_feature_1e-300")])
@pytest.mark.parametrize("cov", ["model", "HC3", "cluster"])
def test_infinite_coefficients_of_small_sets(name, cov):
    item = SETS[name]
    table = dict(zip(item["terms"], np.array(item["X"], dtype=float).T, strict=True), y=np.array(item["y"]))
    X = frame_of(table, item["terms"])
    model, _ = quiet(LogisticRegression(fit_intercept="const" in item["terms"]).fit, X, table["y"])
    groups = np.arange(len(X)) % 3 if cov == "cluster" else None
    result, caught = quiet(infer, model, X, table["y"], cov=cov, groups=groups)
    assert not caught
    for coef, term, word in zip(result.coef, item["terms"], item["lp"]["coef_direction"], strict=True):
        truth = SIGNS.get(word, np.nan)
        assert np.isfinite(coef) if truth == 0 else coef == truth or (np.isnan(coef) and np.isnan(truth)), term
    assert str(result)


# Weights and covariances against plain NumPy


def sandwich(X, y, result, *, kind="HC0", weight=None, repeats=False, groups=None, n=None, intercept=True, offset=0.0):
    """The covariance by its formula, at the result's coefficients."""
    D, w = design(X, intercept), np.ones(len(y)) if weight is None else np.asarray(weight, float)
    p = expit(D @ result.coef + offset)
    A = np.linalg.inv(D.T @ ((w * p * (1 - p))[:, None] * D))
    scores = ((y - p) * (1.0 if repeats else w))[:, None] * D
    count = w if repeats else np.ones(len(y))
    n, k = (w.sum() if repeats else (w > 0).sum()) if n is None else n, D.shape[1]
    if groups is not None:
        sums = np.stack([((w * (y - p))[:, None] * D)[groups == g].sum(axis=0) for g in np.unique(groups[w > 0])])
        return A @ (sums.T @ sums) @ A * len(sums) / (len(sums) - 1)
    h = p * (1 - p) * np.einsum("ij,jk,ik->i", D, A, D) * (1.0 if repeats else w)
    count = count / (1 - h) ** {"HC2": 1, "HC3": 2}.get(kind, 0)
    factor = {"HC1": n / (n - k), "model": n / (n - 1)}.get(kind, 1.0)
    return A @ (scores.T @ (count[:, None] * scores)) @ A * factor


@pytest.mark.parametrize("weights", ["frequency", "sampling", "precision"])
@pytest.mark.parametrize("kind", [*KINDS, "cluster"])
@pytest.mark.parametrize("intercept", [True, False])
def test_sandwiches(kind, weights, intercept):
    X, y, rng = draw()
    weight = rng.integers(0, 4, len(y)).astype(float) if weights == "frequency" else rng.uniform(0, 3, len(y))
    weight[:3] = 0
    groups = rng.integers(0, 20, len(y)) if kind == "cluster" else None
    offset = rng.normal(size=len(y))
    model = {"fit_intercept": intercept}
    result = fitted(X, y, weight, offset, model=model, cov=kind, groups=groups, weights=weights)
    repeats = weights == "frequency"
    shared = {"intercept": intercept, "offset": offset}
    truth = sandwich(X, y, result, kind=kind, weight=weight, repeats=repeats, groups=groups, **shared)
    np.testing.assert_allclose(result.covariance, truth, rtol=1e-8, atol=1e-12)


def test_sampling_weights_are_those_of_survey_packages():
    """Numbers of R: svyglm(y ~ x1 + x2, svydesign(ids = ~1 or ~g, weights = ~s), quasibinomial), epsilon 1e-15."""
    k = np.arange(40)
    x1, x2 = np.cos(k * k), (k % 7) / 3
    y, s, g = ((k * 7) % 11 + 3 * x1 > 5).astype(int), 1 + (k % 5) / 2, k % 9
    X = np.column_stack([x1, x2])
    rows = fitted(X, y, s, weights="sampling")
    np.testing.assert_allclose(rows.coef, SURVEY["coef"], rtol=1e-9)
    np.testing.assert_allclose(rows.se, SURVEY["rows"], rtol=1e-8)
    clusters = fitted(X, y, s, weights="sampling", cov="cluster", groups=g)
    np.testing.assert_allclose(clusters.se, SURVEY["clusters"], rtol=1e-8)
    for result in (rows, clusters):
        assert np.isnan([result.aic, result.bic, result.likelihood_ratio.statistic]).all()
        with pytest.raises(EvenOddsError, match=r"test\(\.\.\.\)"):
            result.compare(result)
        with pytest.raises(EvenOddsError, match=r"(?i)sampling weights"):
            result.profile()
    scaled = fitted(X, y, 1000 * s, weights="sampling")
    np.testing.assert_allclose(scaled.se, rows.se, rtol=1e-9)


SURVEY = {
    "coef": [0.554976943784617, 1.42648711907873, -0.457236560633154],
    "rows": [0.689010710739098, 0.590626431281344, 0.557595537378625],
    "clusters": [0.724839375510266, 0.36684734211564, 0.56196139072609],
}


def test_precision_weights_count_by_their_ratios():
    X, y, rng = draw()
    weight = rng.uniform(0.2, 3, len(y))
    unit = fitted(X, y, weight / weight.mean())
    for scale in (1e-6, 1.0, 1e6):
        for kind in ["model", *KINDS]:
            result = fitted(X, y, scale * weight, weights="precision", cov=kind)
            if kind == "model":
                np.testing.assert_allclose(result.covariance, unit.covariance, rtol=1e-8)
                assert result.log_likelihood == pytest.approx(unit.log_likelihood, rel=1e-9)
                np.testing.assert_allclose(result.profile()["upper"], unit.profile()["upper"], rtol=1e-7)
            else:
                truth = sandwich(X, y, result, kind=kind, weight=weight)
                np.testing.assert_allclose(result.covariance, truth, rtol=1e-8, atol=1e-14)
            assert result.n_obs == len(y)


@pytest.mark.parametrize("firth", [True, "flic", "flac"])
def test_precision_weights_of_firths_fit(firth):
    X, y, rng = draw(40)
    weight = rng.uniform(0.2, 3, len(y))
    weight /= weight.mean()
    model = {"firth": firth}
    unit = fitted(X, y, weight, model=model)
    np.testing.assert_allclose(fitted(X, y, weight, model=model, weights="precision").se, unit.se, rtol=1e-9)
    with pytest.raises(EvenOddsError, match=r"(?i)precision"):  # Firth's penalty depends on the scale of the weights
        fitted(X, y, 5 * weight, model=model, weights="precision")


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("standardize", [False, True])
def test_ridge(C, standardize):
    X, y, rng = draw()
    weight = rng.uniform(0.5, 2, len(y))
    result = fitted(X, y, weight, model={"C": C, "standardize": standardize})
    D, p = design(X), expit(design(X) @ result.coef)
    H = D.T @ ((weight * p * (1 - p))[:, None] * D)
    mean = weight @ X / weight.sum()
    scale = weight @ (X - mean) ** 2 / weight.sum() if standardize else np.ones(3)
    inverse = np.linalg.inv(H + np.diag([0, *scale / C]))
    np.testing.assert_allclose(result.covariance, inverse @ H @ inverse, rtol=1e-8, atol=1e-14)
    robust = fitted(X, y, weight, model={"C": C, "standardize": standardize}, cov="HC0")
    scores = (np.sqrt(weight) * (y - p))[:, None] * D
    np.testing.assert_allclose(robust.covariance, inverse @ scores.T @ scores @ inverse, rtol=1e-8, atol=1e-14)
    assert np.isnan([result.aic, result.bic, result.likelihood_ratio.statistic]).all()
    assert any("Ridge" in remark for remark in result.remarks)
    with pytest.raises(EvenOddsError, match="ridge"):
        result.profile()
    with pytest.raises(EvenOddsError, match="ridge"):
        result.compare(result)


def test_statsmodels_agrees():
    X, y, rng = draw()
    D, groups, offset = design(X), rng.integers(0, 25, len(y)), rng.normal(size=len(y)) / 2
    theirs = sm.Logit(y, D).fit(disp=0, tol=1e-12)
    ours = fitted(X, y)
    np.testing.assert_allclose(ours.covariance, theirs.cov_params(), rtol=1e-7)
    assert (ours.aic, ours.bic) == pytest.approx((theirs.aic, theirs.bic), rel=1e-12)
    assert ours.likelihood_ratio.p_value == pytest.approx(theirs.llr_pvalue, rel=1e-8)
    robust = sm.Logit(y, D).fit(disp=0, tol=1e-12, cov_type="HC0")
    np.testing.assert_allclose(fitted(X, y, cov="HC0").covariance, robust.cov_params(), rtol=1e-7)
    glm = sm.GLM(y, D, sm.families.Binomial(), offset=offset)
    keywords = {"groups": groups, "use_correction": False}
    robust = glm.fit(tol=1e-14, cov_type="cluster", cov_kwds=keywords)
    clusters, G = fitted(X, y, offset=offset, cov="cluster", groups=groups), np.unique(groups).size
    np.testing.assert_allclose(clusters.covariance, robust.cov_params() * G / (G - 1), rtol=1e-7)
    null = sm.GLM(y, np.ones(len(y)), sm.families.Binomial(), offset=offset).fit(tol=1e-14)
    assert clusters.null_log_likelihood == pytest.approx(null.llf, rel=1e-10)
    count = rng.integers(1, 5, len(y))
    weighted = sm.GLM(y, D, sm.families.Binomial(), freq_weights=count).fit(tol=1e-14)
    ours = fitted(X, y, count)
    np.testing.assert_allclose(ours.covariance, weighted.cov_params(), rtol=1e-7)
    assert (ours.log_likelihood, ours.deviance) == pytest.approx((weighted.llf, weighted.deviance), rel=1e-11)
    R = np.array([[0, 1, -1, 0], [0, 0, 2, 1]])
    joint = weighted.wald_test((R, np.array([0, 0.5])), scalar=True)
    test = ours.test("x0 = x1, 2*x1 + x2 = 0.5")
    assert (test.statistic, test.df) == (pytest.approx(float(joint.statistic), rel=1e-7), 2)
    assert test.p_value == pytest.approx(float(joint.pvalue), rel=1e-6)


# What must not matter


@settings(max_examples=15)
@given(shapes)
def test_columns_may_be_moved_and_scaled(shape):
    X, y, rng = drawn(shape)
    scale, shift = np.exp(rng.normal(size=X.shape[1]) * 3) * rng.choice([-1, 1], X.shape[1]), rng.normal() * 5
    one, two = fitted(X, y), fitted(X * scale + shift * scale, y)
    np.testing.assert_allclose(two.coef[1:] * scale, one.coef[1:], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(two.se[1:] * np.abs(scale), one.se[1:], rtol=1e-8)
    np.testing.assert_allclose(two.p_value[1:], one.p_value[1:], rtol=1e-6, atol=1e-12)
    for name in ("HC3", "HC0"):
        moved = fitted((X + shift) * scale, y, cov=name).z[1:] * np.sign(scale)
        np.testing.assert_allclose(moved, fitted(X, y, cov=name).z[1:], rtol=1e-6, atol=1e-9)
    T = np.eye(X.shape[1] + 1)
    T[0, 1:], T[1:, 1:] = shift, np.diag(scale)
    T[0, 1:] = shift * scale
    back = T @ two.covariance @ T.T
    np.testing.assert_allclose(back, one.covariance, rtol=1e-6, atol=1e-9)


@settings(max_examples=8)
@given(shapes)
def test_labels_may_be_swapped(shape):
    X, y, _ = drawn(shape)
    for model in ({}, {"firth": True}, {"C": 1.0}):
        one, two = fitted(X, y, model=model), fitted(X, 1 - y, model=model)
        np.testing.assert_allclose(two.coef, -one.coef, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(two.covariance, one.covariance, rtol=1e-7, atol=1e-12)
        np.testing.assert_allclose(two.conf_int, -one.conf_int[:, ::-1], rtol=1e-6, atol=1e-8)
        assert two.pseudo_r2 == pytest.approx(one.pseudo_r2, rel=1e-7, abs=1e-12)


@settings(max_examples=15)
@given(shapes)
def test_a_row_of_weight_two_is_two_rows(shape):
    X, y, rng = drawn(shape)
    count, groups = rng.integers(1, 4, len(y)), rng.integers(0, 12, len(y))
    rows = np.repeat(np.arange(len(y)), count)
    for kind in ["model", *KINDS, "cluster"]:
        known = {"cov": kind, "groups": groups} if kind == "cluster" else {"cov": kind}
        one = fitted(X, y, count, **known)
        known |= {"groups": groups[rows]} if kind == "cluster" else {}
        two = fitted(X[rows], y[rows], **known)
        np.testing.assert_allclose(one.covariance, two.covariance, rtol=1e-8, atol=1e-12)
    assert (one.aic, one.bic, one.n_obs) == pytest.approx((two.aic, two.bic, two.n_obs), rel=1e-12)
    assert one.pseudo_r2 == pytest.approx(two.pseudo_r2, rel=1e-9, abs=1e-12)
    assert one.null_log_likelihood == pytest.approx(two.null_log_likelihood, rel=1e-12)


@settings(max_examples=20)
@given(shapes)
def test_the_order_of_rows_does_not_matter(shape):
    X, y, rng = drawn(shape)
    weight, offset, groups = rng.uniform(0, 2, len(y)), rng.normal(size=len(y)), rng.integers(0, 9, len(y))
    weight[rng.random(len(y)) < 0.1] = 0
    k = rng.permutation(len(y))
    for known in ({"cov": "HC3"}, {"cov": "cluster", "groups": groups}, {"weights": "sampling"}):
        moved = known | {"groups": groups[k]} if "groups" in known else known
        one = fitted(X, y, weight, offset, **known)
        two = fitted(X[k], y[k], weight[k], offset[k], **moved)
        np.testing.assert_allclose(two.covariance, one.covariance, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("kind", ["model", *KINDS, "cluster"])
@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, sp.csr_array], ids=["C", "F", "CSR"])
def test_blocks_and_tiles_do_not_matter(kind, make, monkeypatch):
    X, y, rng = draw(3000, 6)
    X[np.abs(X) < 0.7] = 0
    weight, offset, groups = rng.uniform(0, 2, len(y)), rng.normal(size=len(y)) / 3, np.arange(len(y)) % 50
    weight[::7] = 0
    known = {"cov": kind, "groups": groups if kind == "cluster" else None}
    model = LogisticRegression(n_jobs=2).fit(X, y, weight, offset)
    one = infer(model, X, y, weight, offset, **known)
    monkeypatch.setattr("evenodds.objective.tiles._TILE_ENTRIES", 1)
    monkeypatch.setattr("evenodds.data.memory._BLOCK_ENTRIES", 700)
    two = infer(model, make(X), y, weight, offset, **known)
    np.testing.assert_allclose(two.covariance, one.covariance, rtol=1e-9, atol=1e-14)
    assert two.certificate.proved


def test_large_data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120_000, 9))
    y = (rng.random(len(X)) < expit(X[:, 0] / 2 - 1)).astype(np.uint8)
    groups = np.arange(len(X)) // 300
    model = LogisticRegression().fit(X, y)
    assert model.solution_.solver == "quasi-newton"
    truth = fitted(X, y, model={"solver": "newton", "tol": 1e-12})  # to machine precision
    result = infer(model, X, y)
    p = expit(design(X) @ result.coef)
    information = design(X).T @ ((p * (1 - p))[:, None] * design(X))
    np.testing.assert_allclose(result.covariance @ information, np.eye(10), atol=1e-10)
    np.testing.assert_allclose(result.se, truth.se, rtol=1e-6)
    assert (np.abs(result.coef - truth.coef) <= result.certificate.coef_error + 1e-13).all()
    assert result.certificate.error <= 1e-4
    assert result.log_likelihood == pytest.approx(np.log(np.where(y == 1, p, 1 - p)).sum(), rel=1e-12)
    for kind in ("HC3", "cluster"):
        result = infer(model, X, y, cov=kind, groups=groups if kind == "cluster" else None)
        known = {"groups": groups} if kind == "cluster" else {"kind": kind}
        np.testing.assert_allclose(result.covariance, sandwich(X, y, result, **known), rtol=1e-8, atol=1e-14)


def test_kinds_of_data():
    X, y, _ = draw(200, 4)
    X[np.abs(X) < 0.4] = 0
    X = X.astype(np.float32)
    names = list("abcd")
    truth = fitted(pd.DataFrame(X.astype(float), columns=names), y, cov="HC3")
    for data in (
        pd.DataFrame(X, columns=names),
        pl.DataFrame(X, schema=names),
        pl.DataFrame(X, schema=names).to_arrow(),
        X,
        np.asfortranarray(X),
        sp.csr_array(X),
        sp.csc_matrix(X),
        X.astype(float).tolist(),
    ):
        result = fitted(data, y, cov="HC3")
        np.testing.assert_allclose(result.covariance, truth.covariance, rtol=1e-9)
        assert result.names[1:] in (tuple(names), ("x0", "x1", "x2", "x3"))
        groups = pl.Series(np.arange(200) % 40)
        np.testing.assert_allclose(
            fitted(data, y, cov="cluster", groups=groups).se,
            fitted(X, y, cov="cluster", groups=groups.to_list()).se,
            rtol=1e-9,
        )
    assert isinstance(truth.to_frame(), pd.DataFrame)
    assert isinstance(truth.to_frame("polars"), pl.DataFrame)
    assert truth.to_frame().columns.tolist() == ["term", "coef", "se", "z", "p_value", "lower", "upper"]


@pytest.mark.parametrize("mean", [0.0, 1e3, 1e6])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_columns_far_from_zero_and_of_many_scales(mean, scale):
    X, y, _ = draw(300)
    X = (X + mean) * np.array([scale, 1.0, 1 / scale])
    truth, result = newton(X, y), fitted(X, y)
    np.testing.assert_allclose(result.se, [truth.se_intercept, *truth.se], rtol=1e-8)
    np.testing.assert_allclose(result.z[1:], truth.coef / truth.se, rtol=1e-8)


def test_wald_tests_far_from_zero():
    """At its mean a column that is far from zero has the intercept's test of a centred one."""
    X, y, _ = draw(300)
    for mean in (1e3, 1e6, 1e8):
        far = X + mean
        near = fitted(far - mean, y)
        result = fitted(far, y)
        at_mean = result.test(f"(intercept) + {mean}*x0 + {mean}*x1 + {mean}*x2 = 0")
        assert at_mean.statistic == pytest.approx(near.test("(intercept) = 0").statistic, rel=1e-5)
        joint = "(intercept) = 0, x0 = 0, x1 = 0, x2 = 0"
        if mean < 1e8:  # beyond, the four are the same to rounding
            assert result.test(joint).statistic == pytest.approx(near.test(joint).statistic, rel=1e-3)


@pytest.mark.parametrize("cov", ["HC1", "HC3"])
def test_what_is_kept_of_the_rows_does_not_grow_with_them(cov):
    """Sums over parts of the rows are of squares of the coefficients: 0.3 MB each here, of 4 parts and of 16."""
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(20_000, 200)), rng.integers(0, 2, 20_000)
    peaks = []
    for n in (5_000, 20_000):
        model = LogisticRegression(C=np.inf, n_jobs=1).fit(X[:n], y[:n])
        tracemalloc.start()
        try:
            infer(model, X[:n], y[:n], cov=cov)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] - peaks[0] < 1e6
