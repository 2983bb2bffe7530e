"""Margins, rows, calibration and profiles: reference cases, statsmodels, and plain NumPy beside them."""

import dataclasses

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from draws import fitted
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.exceptions import ConvergenceWarning

from evenodds import EvenOddsError, LogisticRegression, SeparationWarning, fit_table, infer
from oracle import case, numbers, quiet


def draw(n=120, seed=0):
    """Two numeric columns and one of zeros and ones."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=n), rng.exponential(size=n), rng.random(n) < 0.4]).astype(float)
    y = (rng.random(n) < expit(0.8 * X[:, 0] - 0.5 * X[:, 1] + 0.6 * X[:, 2])).astype(int)
    return X, y, rng


@pytest.fixture(scope="module")
def spector():
    record, table = case("a01_spector")
    X = pd.DataFrame({name: table[name] for name in ("GPA", "TUCE", "PSI")})
    return record, X, table["y"], fitted(X, table["y"])


# Predictions


def slopes_by_differences(function, coef):
    """The derivatives of a vector by the coefficients (r, k), by central differences."""
    steps = 1e-6 * (1 + np.abs(coef))
    return np.stack([(function(coef + d) - function(coef - d)) / (2 * d.max()) for d in np.diag(steps)], axis=1)


@pytest.mark.parametrize("cov", ["model", "HC3"])
@pytest.mark.parametrize("intercept", [True, False])
def test_predict(cov, intercept):
    X, y, rng = draw()
    offset = rng.normal(size=len(y)) / 2
    result = fitted(X, y, offset=offset, cov=cov, level=0.8, model={"fit_intercept": intercept})
    new = rng.normal(size=(20, 3)) * 3
    shift = rng.normal(size=20)
    table = result.predict(new, offset=shift)
    D = np.column_stack([np.ones(20), new])[:, 1 - intercept :]

    def probability(coef):
        return expit(D @ coef + shift)

    J = slopes_by_differences(probability, result.coef)
    np.testing.assert_allclose(table["probability"], probability(result.coef), rtol=1e-12)
    np.testing.assert_allclose(table["se"], np.sqrt(np.diag(J @ result.covariance @ J.T)), rtol=1e-6)
    se = np.sqrt(np.diag(D @ result.covariance @ D.T))
    z = D @ result.coef + shift
    for name, side in (("lower", -1), ("upper", 1)):
        np.testing.assert_allclose(table[name], expit(z + side * stats.norm.ppf(0.9) * se), rtol=1e-9)
    np.testing.assert_array_equal(result.predict(new)["probability"], result.predict(new, offset=0.0)["probability"])


def test_predictions_at_the_ends_of_the_scale():
    X, y, _ = draw()
    table = fitted(X, y).predict(np.array([[1e4, 0, 0], [-1e4, 0, 0], [1e300, 0, 0]]))
    assert np.isfinite(table.to_numpy()).all()
    assert (table["lower"] <= table["probability"]).all()
    assert (table["probability"] <= table["upper"]).all()


FRAMES = {
    "pandas": (lambda X: pd.DataFrame(X, columns=list("abc")), pd.DataFrame),
    "polars": (lambda X: pl.DataFrame(X, schema=list("abc")), pl.DataFrame),
    "Arrow": (lambda X: pl.DataFrame(X, schema=list("abc")).to_arrow(), pa.Table),
    "sparse": (sp.csr_array, pd.DataFrame),
    "float32": (lambda X: X.astype(np.float32), pd.DataFrame),
    "list": (lambda X: X.tolist(), pd.DataFrame),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_tables_come_in_the_kind_that_was_given(kind):
    X, y, _ = draw()
    X = np.round(X * 8) / 8  # float32 holds them
    make, of = FRAMES[kind]
    data, plain = make(X), fitted(X, y)
    result = fitted(data, y)
    tables = [result.predict(data), result.margins(data), result.influence(data, y), result.calibration(data, y)]
    truths = [plain.predict(X), plain.margins(X), plain.influence(X, y), plain.calibration(X, y)]
    for table, truth in zip(tables, truths, strict=True):
        assert isinstance(table, of)
        columns = table.column_names if of is pa.Table else table.columns
        for name, same in zip(columns, truth.columns, strict=True):
            values = np.asarray(table[name])
            if same not in ("term",):
                np.testing.assert_allclose(values.astype(float), truth[same], rtol=1e-7, atol=1e-9)
    assert result.hosmer_lemeshow(data, y).statistic == pytest.approx(plain.hosmer_lemeshow(X, y).statistic, rel=1e-9)


def test_wrong_input_is_named():
    X, y, _ = draw()
    frame = pd.DataFrame(X, columns=list("abc"))
    result = fitted(frame, y)
    broken = frame.copy()
    broken.loc[5, "b"] = np.nan
    for call in (result.predict, result.margins, lambda X: result.influence(X, y), lambda X: result.calibration(X, y)):
        with pytest.raises(EvenOddsError, match=r"'b'.*row 5"):
            call(broken)
        with pytest.raises(EvenOddsError, match=r"(?i)feature names"):
            call(frame[["b", "a", "c"]])
    infinite = fitted(X, y)
    X = X.copy()  # the frame may be a view of it
    X[3, 1] = np.inf
    for call in (infinite.predict, infinite.margins, lambda X: infinite.hosmer_lemeshow(X, y)):
        with pytest.raises(EvenOddsError, match=r"X contains infinity.*column 1, row 3"):
            call(X)
    for n_groups in (2, 0, 2.5, "10", None):
        with pytest.raises(EvenOddsError, match="n_groups"):
            result.hosmer_lemeshow(frame, y, n_groups)
    with pytest.raises(EvenOddsError, match="sample_weight"):
        result.margins(frame, sample_weight=-np.ones(len(y)))
    with pytest.raises(EvenOddsError, match="not the rows"):
        result.influence(frame, 1 - y)
    with pytest.raises(EvenOddsError, match="not the rows"):
        result.influence(frame[:50], y[:50])


# Margins


def test_margins_of_spector(spector):
    record, X, _, result = spector
    truth, gretl = record["truth"], record["published"][0]["values"]
    slopes = result.margins(X, discrete=False)
    np.testing.assert_allclose(slopes["effect"], numbers(truth["average_marginal_effects_dydx"]), rtol=1e-10)
    np.testing.assert_allclose(slopes["effect"], gretl["margeff_nodummy_dydx"], rtol=3e-7)
    np.testing.assert_allclose(slopes["se"], gretl["margeff_nodummy_dydx_se"], atol=5e-7)
    changes = result.margins(X)
    np.testing.assert_allclose(changes["effect"], gretl["margeff_dummy_dydx"], rtol=3e-7)
    np.testing.assert_allclose(changes["se"], gretl["margeff_dummy_dydx_se"], atol=5e-7)
    mean = result.margins(X.mean().to_frame().T, discrete=False)
    np.testing.assert_allclose(mean["effect"], numbers(truth["marginal_effects_at_mean_dydx"]), rtol=1e-9)
    np.testing.assert_allclose(mean["se"], gretl["margeff_nodummy_dydxmean_se"], atol=5e-7)
    median = result.margins(X.median().to_frame().T, discrete=False)
    np.testing.assert_allclose(median["effect"], gretl["margeff_nodummy_dydxmedian"], rtol=1e-6)
    np.testing.assert_allclose(median["se"], gretl["margeff_nodummy_dydxmedian_se"], atol=5e-7)


@pytest.mark.parametrize("discrete", [True, False])
def test_margins_of_statsmodels(discrete):
    X, y, _ = draw()
    theirs = sm.Logit(y, sm.add_constant(X)).fit(disp=0, tol=1e-12).get_margeff(dummy=discrete)
    ours = fitted(X, y).margins(X, discrete=discrete)
    np.testing.assert_allclose(ours["effect"], theirs.margeff, rtol=1e-7)
    np.testing.assert_allclose(ours["se"], theirs.margeff_se, rtol=1e-6)
    np.testing.assert_allclose(ours[["lower", "upper"]], theirs.conf_int(), rtol=1e-6)
    np.testing.assert_allclose(ours["p_value"], theirs.pvalues, rtol=1e-5)


@pytest.mark.parametrize("cov", ["model", "HC0"])
@pytest.mark.parametrize("intercept", [True, False])
def test_margins_by_differences(cov, intercept):
    X, y, rng = draw()
    weight, offset = rng.uniform(0, 2, len(y)), rng.normal(size=len(y)) / 2
    result = fitted(X, y, weight, offset, cov=cov, level=0.9, model={"fit_intercept": intercept})
    table = result.margins(X, sample_weight=weight, offset=offset)

    def mean(X, coef):
        return np.average(
            expit(np.column_stack([np.ones(len(X)), X])[:, 1 - intercept :] @ coef + offset), weights=weight
        )

    def effects(coef):
        found = []
        for j in range(3):
            high, low = X.copy(), X.copy()
            high[:, j], low[:, j] = (1, 0) if j == 2 else (X[:, j] + 1e-4, X[:, j] - 1e-4)
            found.append((mean(high, coef) - mean(low, coef)) / (1 if j == 2 else 2e-4))
        return np.array(found)

    J = slopes_by_differences(effects, result.coef)
    se = np.sqrt(np.diag(J @ result.covariance @ J.T))
    np.testing.assert_allclose(table["effect"], effects(result.coef), rtol=1e-6)
    np.testing.assert_allclose(table["se"], se, rtol=1e-5)
    np.testing.assert_allclose(table["lower"], table["effect"] - stats.norm.ppf(0.95) * table["se"], rtol=1e-9)


@pytest.mark.parametrize("mean", [1e3, 1e6, 1e8, 1.7e9])
def test_margins_far_from_zero(mean):
    """Times in seconds since 1970 are 1.7e9."""
    X, y, _ = draw()
    X[:, :2] = np.round(X[:, :2] * 256) / 256 + mean  # exact in either place
    near = X - [mean, mean, 0]
    truth, result = fitted(near, y), fitted(X, y)
    one, two = truth.margins(near), result.margins(X)
    np.testing.assert_allclose(two["effect"], one["effect"], rtol=1e-6)
    np.testing.assert_allclose(two["se"], one["se"], rtol=1e-6)
    np.testing.assert_allclose(result.predict(X)["se"], truth.predict(near)["se"], rtol=1e-5)
    np.testing.assert_allclose(result.influence(X, y)["leverage"], truth.influence(near, y)["leverage"], rtol=1e-6)


def test_margins_over_few_rows_are_of_the_same_kind():
    """Whether a column is one of zeros and ones is a matter of the data, not of the rows that are averaged over."""
    X, y, _ = draw()
    result = fitted(X, y)
    rows = X[:, 2] == 0
    some = result.margins(X[rows])["effect"][2]
    high = X[rows].copy()
    high[:, 2] = 1
    change = (result.predict(high)["probability"] - result.predict(X[rows])["probability"]).mean()
    assert some == pytest.approx(change, rel=1e-9)


# Rows


def test_rows_of_spector(spector):
    record, X, y, result = spector
    truth = record["truth"]
    table = result.influence(X, y)
    np.testing.assert_allclose(table["leverage"], numbers(truth["hat_diag"]), rtol=1e-8)
    np.testing.assert_allclose(table["pearson"], numbers(truth["resid_pearson"]), rtol=1e-8)
    np.testing.assert_allclose(table["deviance"], numbers(truth["resid_deviance"]), rtol=1e-8)
    gretl = record["published"][0]["values"]
    np.testing.assert_allclose(table["pearson"], gretl["resid_pearson"], rtol=1e-5)
    np.testing.assert_allclose(table["deviance"], gretl["resid_dev"], rtol=1e-5)
    assert table["leverage"].sum() == pytest.approx(4, rel=1e-9)


def test_rows_of_statsmodels(spector):
    _, X, y, result = spector
    theirs = sm.GLM(y, sm.add_constant(X), sm.families.Binomial()).fit(tol=1e-14).get_influence()
    ours = result.influence(X, y)
    np.testing.assert_allclose(ours["leverage"], theirs.hat_matrix_diag, rtol=1e-6)
    np.testing.assert_allclose(ours["cooks_distance"], theirs.cooks_distance[0], rtol=1e-6)
    dfbeta = ours[[f"dfbeta_{name}" for name in result.names]]
    np.testing.assert_allclose(dfbeta, theirs.d_params, rtol=1e-5, atol=1e-7)  # one step from all rows


def test_rows_of_r():
    """rstudent, cooks.distance and hatvalues of glm(y ~ x1 + x2, binomial, weights = f), epsilon 1e-15."""
    k = np.arange(40)
    x1, x2 = np.cos(k * k), (k % 7) / 3
    y, f = ((k * 7) % 11 + 3 * x1 > 5).astype(int), 1 + k % 4
    X = np.column_stack([x1, x2])
    result = fitted(X, y, f)
    table = result.influence(X, y, sample_weight=f)
    for name, values in R_ROWS.items():
        np.testing.assert_allclose(table[name][:5], values, rtol=1e-7)
    np.testing.assert_allclose(result.vif()["vif"], R_VIF, rtol=1e-7)
    assert result.vif()["term"].tolist() == ["x0", "x1"]


R_ROWS = {
    "leverage": [0.0250183534334, 0.0413761536474, 0.118256226664, 0.171698547533, 0.0408525432845],
    "studentized": [-2.11552579172, 0.991037892205, -2.05118109004, 3.15758695732, -0.822875277892],
    "cooks_distance": [0.0658933218615, 0.00813030408785, 0.136641462459, 0.622626497836, 0.0057919130561],
}
R_VIF = [1.00778785154, 1.00778785154]


def test_dfbeta_by_formula():
    X, y, rng = draw()
    weight, offset = rng.uniform(0.3, 2, len(y)), rng.normal(size=len(y)) / 2
    D = np.column_stack([np.ones(len(y)), X])
    for model in ({}, {"C": 2.0}):
        result = fitted(X, y, weight, offset, model=model)
        p = expit(D @ result.coef + offset)
        A = D.T @ ((weight * p * (1 - p))[:, None] * D) + (np.diag([0, 0.5, 0.5, 0.5]) if model else 0)
        inverse = np.linalg.inv(A)
        h = weight * p * (1 - p) * np.einsum("ij,jk,ik->i", D, inverse, D)
        table = result.influence(X, y, sample_weight=weight, offset=offset)
        np.testing.assert_allclose(table["leverage"], h, rtol=1e-8)
        change = (weight * (y - p) / (1 - h))[:, None] * (D @ inverse)
        np.testing.assert_allclose(table[[f"dfbeta_{name}" for name in result.names]], change, rtol=1e-6, atol=1e-10)
        pearson = (y - p) * np.sqrt(weight / (p * (1 - p)))
        np.testing.assert_allclose(table["pearson"], pearson, rtol=1e-8)
        np.testing.assert_allclose(table["cooks_distance"], pearson**2 * h / ((1 - h) ** 2 * 4), rtol=1e-7)
        deviance = np.sign(y - 0.5) * np.sqrt(-2 * weight * np.log(np.where(y == 1, p, 1 - p)))
        studentized = np.sign(deviance) * np.sqrt(deviance**2 + h * pearson**2 / (1 - h))
        np.testing.assert_allclose(table["studentized"], studentized, rtol=1e-8)


def test_dfbeta_is_close_to_leaving_a_row_out():
    X, y, _ = draw(400)
    result = fitted(X, y)
    table = result.influence(X, y)[[f"dfbeta_{name}" for name in result.names]].to_numpy()
    for row in (0, 17, 399):
        left = np.delete(np.arange(400), row)
        change = result.coef - fitted(X[left], y[left]).coef
        np.testing.assert_allclose(table[row], change, rtol=0.1, atol=2e-4)


def test_rows_without_weight_are_not_there():
    X, y, rng = draw()
    weight = rng.integers(0, 3, len(y)).astype(float)
    table = fitted(X, y, weight).influence(X, y, sample_weight=weight)
    assert (table.isna().all(axis=1) == (weight == 0)).all()
    kept = weight > 0
    twin = fitted(X[kept], y[kept], weight[kept]).influence(X[kept], y[kept], sample_weight=weight[kept])
    np.testing.assert_allclose(table[kept], twin, rtol=1e-9)
    precise = fitted(X, y, 7 * weight, weights="precision")
    unit = fitted(X, y, weight * kept.sum() / weight.sum())
    one = precise.influence(X, y, sample_weight=7 * weight)
    two = unit.influence(X, y, sample_weight=weight * kept.sum() / weight.sum())
    np.testing.assert_allclose(one, two, rtol=1e-9)


def test_blocks_of_rows_are_in_order(monkeypatch):
    X, y, rng = draw(900)
    weight = rng.integers(0, 3, len(y)).astype(float)
    result = fitted(X, y, weight)
    whole = result.influence(X, y, sample_weight=weight), result.margins(X), result.predict(X)
    monkeypatch.setattr("evenodds.objective.tiles._TILE_ENTRIES", 100)
    monkeypatch.setattr("evenodds.inference.prediction.TILE_ENTRIES", 100)
    parts = result.influence(X, y, sample_weight=weight), result.margins(X), result.predict(X)
    for one, two in zip(whole, parts, strict=True):
        np.testing.assert_allclose(*(t.select_dtypes("number").to_numpy() for t in (one, two)), rtol=1e-9, atol=1e-12)


def test_inflation_is_a_matter_of_the_columns():
    """It compares information with and without the other columns, whatever covariance is shown."""
    X, y, _ = draw()
    model = LogisticRegression().fit(X, y)
    p = model.predict_proba(X)[:, 1]
    W = p * (1 - p)
    centred = X - W @ X / W.sum()
    truth = np.diag(np.linalg.inv(_correlation(centred, W)))
    for cov in ("model", "HC3"):
        np.testing.assert_allclose(infer(model, X, y, cov=cov).vif()["vif"], truth, rtol=1e-8)


def _correlation(X, weight):
    product = X.T @ (weight[:, None] * X)
    size = np.sqrt(np.diag(product))
    return product / np.outer(size, size)


# Calibration


def hosmer_lemeshow(p, y, weight, group):
    parts = []
    for k in np.unique(group):
        n, seen, due = (float((weight * v)[group == k].sum()) for v in (np.ones_like(p), y, p))
        parts.append((seen - due) ** 2 / (due * (1 - due / n)))
    return sum(parts)


def test_hosmer_lemeshow_of_stata(spector):
    """Stata's estat gof, group(5): a group ends at the row with which a fifth of all is reached."""
    record, X, y, result = spector
    stata = record["published"][2]["values"]
    p = result.predict(X)["probability"].to_numpy()
    group = np.empty(32)
    group[np.argsort(p)] = np.repeat(np.arange(5), stata["group_sizes_sorted_by_phat"])
    by_hand = hosmer_lemeshow(p, y, np.ones(32), group)
    assert by_hand == pytest.approx(stata["hosmer_lemeshow_chi2"], rel=1e-6)
    test = result.hosmer_lemeshow(X, y, 5)
    assert (test.statistic, test.df) == (pytest.approx(stata["hosmer_lemeshow_chi2"], rel=1e-6), 3)
    assert test.p_value == pytest.approx(stata["pvalue"], abs=5e-5)


def test_hosmer_lemeshow_by_hand():
    X, y, _ = draw(1000)
    result = fitted(X, y)
    p = result.predict(X)["probability"].to_numpy()
    group = np.empty(1000, int)
    group[np.argsort(p)] = np.arange(1000) // 100  # no ties, and ten times a hundred
    test = result.hosmer_lemeshow(X, y)
    assert (test.statistic, test.df) == (pytest.approx(hosmer_lemeshow(p, y, np.ones(1000), group), rel=1e-9), 8)
    assert test.p_value == pytest.approx(stats.chi2.sf(test.statistic, 8), rel=1e-10)
    new, labels, _ = draw(500, seed=1)
    assert result.hosmer_lemeshow(new, labels).df == 10  # nothing was fitted to those
    assert result.hosmer_lemeshow(X, y, np.int64(7)).df == 5


@pytest.mark.parametrize("seed", range(4))
def test_a_row_of_weight_two_is_two_rows_of_a_group(seed):
    X, y, rng = draw(90, seed)
    count = rng.integers(1, 5, len(y))
    rows = np.repeat(np.arange(len(y)), count)
    result = fitted(X, y, count)
    one = result.hosmer_lemeshow(X, y, sample_weight=count)
    two = result.hosmer_lemeshow(X[rows], y[rows])
    assert (one.statistic, one.df) == (pytest.approx(two.statistic, rel=1e-9), two.df)


def test_equal_probabilities_stay_together():
    rng = np.random.default_rng(0)
    patterns = rng.normal(size=(12, 3)) / 3
    X = patterns[rng.integers(0, 12, 3000)]
    y = (rng.random(3000) < expit(X @ [1, 2, 3])).astype(int)
    result = fitted(X, y)
    order = rng.permutation(3000)
    one, two = result.hosmer_lemeshow(X, y), result.hosmer_lemeshow(X[order], y[order])
    assert (one.statistic, one.df) == (pytest.approx(two.statistic, rel=1e-9), two.df)
    constant = fitted(np.column_stack([X[:, 0] > 0]).astype(float), y)
    with pytest.raises(EvenOddsError, match="fewer than three"):
        constant.hosmer_lemeshow(np.column_stack([X[:, 0] > 0]).astype(float), y)


def test_calibration():
    X, y, rng = draw(300)
    result = fitted(X, y, level=0.9)
    perfect = result.calibration(X, y)
    np.testing.assert_allclose(perfect["estimate"], [0, 1], atol=1e-9)
    new, labels, _ = draw(200, seed=5)
    weight, offset = rng.integers(1, 4, 200), rng.normal(size=200) / 3
    z = logit(result.predict(new, offset=offset)["probability"])
    family = sm.families.Binomial()
    level = sm.GLM(labels, np.ones(200), family, offset=z, freq_weights=weight).fit(tol=1e-14)
    slope = sm.GLM(labels, sm.add_constant(np.asarray(z)), family, freq_weights=weight).fit(tol=1e-14)
    table = result.calibration(new, labels, sample_weight=weight, offset=offset)
    assert table["term"].tolist() == ["intercept", "slope"]
    np.testing.assert_allclose(table["estimate"], [level.params[0], slope.params[1]], rtol=1e-7)
    np.testing.assert_allclose(table["se"], [level.bse[0], slope.bse[1]], rtol=1e-6)
    reach = stats.norm.ppf(0.95) * table["se"]
    np.testing.assert_allclose(table["upper"], table["estimate"] + reach, rtol=1e-9)


def test_calibration_with_sampling_weights_has_their_errors():
    X, y, rng = draw(300)
    weight = rng.choice([1.0, 20.0], 300)
    result = fitted(X, y, weight, weights="sampling")
    new, labels, _ = draw(200, seed=5)
    weight = rng.choice([1.0, 20.0], 200)
    z = logit(result.predict(new)["probability"]).to_numpy()[:, None]
    slope = fitted(z, labels, weight, weights="sampling")
    table = result.calibration(new, labels, sample_weight=weight)
    assert table["se"][1] == pytest.approx(slope.se[1], rel=1e-8)


# Profiles


def fall(X, y, j, value, best):
    """Twice the fall of the likelihood where coefficient j is held at a value."""
    D = np.column_stack([np.ones(len(y)), np.delete(X, j, axis=1)])
    held, _ = quiet(LogisticRegression(fit_intercept=False, tol=1e-8).fit, D, y, offset=value * X[:, j])
    return 2 * (best + held.solution_.loss * len(y))


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(25, 60), st.sampled_from(["normal", "lognormal", "t2", "binary"]))
def test_profiles_end_where_the_likelihood_has_fallen_enough(seed, n, kind):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    X = {"normal": X, "lognormal": np.exp(2 * X), "t2": rng.standard_t(2, (n, 2)), "binary": (X > 0.8) * 1.0}[kind]
    y = (rng.random(n) < 0.5).astype(int)
    model, caught = quiet(LogisticRegression().fit, X, y)
    if caught:
        return  # separated, or a constant column
    result = infer(model, X, y, level=0.9)
    table = result.profile()
    ends = table[["lower", "upper"]].to_numpy()
    assert np.isfinite(ends).all()
    assert ((ends[:, 0] < result.coef) & (result.coef < ends[:, 1])).all()
    for j in range(2):
        for end in ends[j + 1]:
            assert fall(X, y, j, end, result.log_likelihood) == pytest.approx(stats.chi2.ppf(0.9, 1), abs=1e-5)


def penalised(D, y, coef):
    z = D @ coef
    root = np.exp(-np.abs(z) / 2) / (1 + np.exp(-np.abs(z)))
    _, log_det = np.linalg.slogdet((root[:, None] * D).T @ (root[:, None] * D))
    return -np.logaddexp(0, np.where(y == 1, -z, z)).sum() + log_det / 2


def penalised_profile(D, y, j, value, coef):
    """The top of the penalised likelihood where coefficient j has a value, without derivatives, in steps from `coef`.

    It can have several tops, as for "separated, two columns": others are looked for from the value as it is.
    """
    options = {"xatol": 1e-9, "fatol": 1e-12, "maxfev": 4000, "maxiter": 4000}
    rest, tops = np.delete(coef, j), []

    def top(rest, at, **how):
        return minimize(lambda rest: -penalised(D, y, np.insert(rest, j, at)), rest, **how)

    for at in np.linspace(coef[j], value, 9)[1:]:
        rest = top(rest, at, method="Nelder-Mead", options=options).x
    for start in [rest, *(np.random.default_rng(0).normal(size=(12, len(rest))) * 4)]:
        found = top(start, value, method="BFGS") if start is not rest else top(rest, value, method="Nelder-Mead")
        tops.append((found.fun, tuple(found.x)))
    # once more, as a search that is started anew gets out of a corner
    return -top(np.array(min(tops)[1]), value, method="Nelder-Mead", options=options).fun


FIRTH_HARD = {
    "4 rows of 2 columns, 1 positive": ([[0, 0], [1, 0], [0, 1], [1, 1]], [0, 0, 0, 1]),
    "separated numbers": (np.linspace(-1, 1, 14)[:, None], [0] * 7 + [1] * 7),
    "separated numbers, few": ([[1.0], [2], [3], [4]], [0, 0, 1, 1]),
    "separated, two columns": (np.column_stack([np.linspace(-1, 1, 16), np.cos(np.arange(16))]), [0] * 8 + [1] * 8),
    "rare and skewed": (np.exp(2 * np.cos(np.arange(1, 37) ** 2))[:, None], [1] * 4 + [0] * 32),
    "rare and binary": ((np.arange(34)[:, None] % [5, 7] == 0) * 1.0, [1, 0, 0, 0, 0, 1] + [0] * 28),
    "many columns for the rows": (np.cos(np.outer(np.arange(1, 11), [1, 2, 3]) ** 2), [0, 1] * 5),
}


@pytest.mark.parametrize("name", FIRTH_HARD)
def test_firths_intervals_of_small_and_separated_data(name):
    """What Firth's fit is for; each end is finite, and where the penalised likelihood has fallen by 3.84 / 2."""
    X, y = (np.asarray(v, dtype=float) for v in FIRTH_HARD[name])
    result = fitted(X, y.astype(int), model={"firth": True})
    assert np.isfinite(result.conf_int).all()
    assert ((result.conf_int[:, 0] < result.coef) & (result.coef < result.conf_int[:, 1])).all()
    D = np.column_stack([np.ones(len(X)), X])
    top = penalised(D, y, result.coef)
    assert result.penalized_log_likelihood == pytest.approx(top, rel=1e-8)
    for j in range(D.shape[1]):
        null = penalised_profile(D, y, j, 0.0, result.coef)
        assert result.z[j] ** 2 == pytest.approx(2 * (top - null), abs=1e-6)
        for end in result.conf_int[j]:
            fallen = 2 * (top - penalised_profile(D, y, j, end, result.coef))
            assert fallen == pytest.approx(3.841458820694124, abs=1e-4), (j, end)


def test_several_maxima_have_one_table():
    """A table of the highest maximum, also where the model is at a lower one, as that of another program may be."""
    X = np.array([20, 1.36, 1.22, -0.51, -0.3, -0.53, 0.57, -0.06, 0.75, -1.85, 1.57, -0.1])[:, None]
    y = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0])
    result = fitted(X, y, model={"firth": True})
    assert result.p_value[1] == pytest.approx(0.0194, abs=5e-5)
    assert result.penalized_log_likelihood == pytest.approx(-2.1916, abs=5e-5)
    low, high = result.conf_int[1]
    assert 0 < low < 0.1314 < 3.28 < high  # the lower maximum is not rejected, so that it is in the interval
    D = np.column_stack([np.ones(12), X])
    for end in (low, high):
        fallen = 2 * (result.penalized_log_likelihood - penalised_profile(D, y, 1, end, result.coef))
        assert fallen == pytest.approx(3.841458820694124, abs=1e-4)
    assert "2 maxima" in " ".join(result.remarks)
    for firth in (True, "flic"):
        model = LogisticRegression(firth=firth).fit(X, y)
        top = infer(model, X, y)
        model.intercept_, model.coef_ = np.array([-0.97983253]), np.array([[0.13136837]])
        model.solution_ = dataclasses.replace(model.solution_, loss=3.772370108896 / 12)
        low, caught = quiet(infer, model, X, y)
        assert [w.category for w in caught] == [ConvergenceWarning]
        np.testing.assert_allclose(low.coef, top.coef, rtol=1e-8)
        np.testing.assert_allclose(low.p_value, top.p_value, rtol=1e-6)
        assert not low.model.warm_start


@pytest.mark.parametrize("seed", range(12))
def test_firths_table_is_whole_where_a_column_separates(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(16, 2))
    result = fitted(X, (X[:, 0] > 0).astype(int), model={"firth": True})
    assert np.isfinite([result.se, result.p_value, *result.conf_int.T]).all()
    assert (result.conf_int[1, 0] > 0) == (result.p_value[1] < 0.05)


def test_firths_restricted_fits_of_many_rows_stay_where_they_are_held():
    """Of so many rows steps are made from differences of gradients, which are large across the restriction."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 10))
    y = (rng.random(1000) < expit(X @ rng.normal(size=10) / 2)).astype(int)
    result = fitted(X, y, model={"firth": True})
    wald = result.coef[:, None] + stats.norm.ppf(0.975) * np.array([-1, 1]) * result.se[:, None]
    np.testing.assert_allclose(result.conf_int, wald, atol=0.05 * result.se.max())
    D = np.column_stack([np.ones(1000), X])
    for j in (0, 5):
        rest = np.delete(result.coef, j)
        held = minimize(lambda rest, j=j: -penalised(D, y, np.insert(rest, j, 0.0)), rest, method="BFGS").fun
        assert result.z[j] ** 2 == pytest.approx(2 * (result.penalized_log_likelihood + held), abs=1e-5)


def test_a_table_of_numbers_finds_its_labels_beside_them():
    """Names of coefficients that are names of columns too do not take the column of the labels away."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=80), "b": rng.normal(size=80), "other": 1.0})
    frame["y"] = (frame["a"] + rng.logistic(size=80) > 0).astype(int)
    of_table = infer(fit_table("y ~ a + b", frame), frame).influence(frame)
    X = frame[["a", "b"]]
    of_columns = infer(LogisticRegression().fit(X, frame["y"]), X, frame["y"]).influence(X, frame["y"])
    np.testing.assert_allclose(of_table, of_columns, rtol=1e-6, atol=1e-9)


def test_rows_that_are_all_certain_of_several_classes_move_nothing():
    frame = pd.DataFrame({"x": np.repeat([1.0, 2, 3], 4) + np.tile([0, 0.1], 6), "y": np.repeat(["a", "b", "c"], 4)})
    with pytest.warns(SeparationWarning):
        model = fit_table("y", frame)
    found = infer(model, frame).influence(frame)
    assert (found[["leverage", "pearson", "deviance", "studentized"]] == 0).all(axis=None)
    assert found.drop(columns=["leverage", "pearson", "deviance", "studentized"]).isna().all(axis=None)
