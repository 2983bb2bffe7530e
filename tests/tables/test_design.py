"""Designs: what is made of text, factors, dates and formulas, against dummies by hand and formulaic's matrices."""

import datetime
import itertools

import formulaic
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal

from evenodds import (
    CollinearWarning,
    EvenOddsError,
    LogisticRegression,
    LogisticRegressionCV,
    find_separation,
    fit_table,
    infer,
    path,
    plots,
    scan,
    write_report,
)
from evenodds.design import learn
from evenodds.export import load, save

ODD = [
    'quote"',
    "line\nbreak",
    "😀",
    "a'b",
    "[x]",
    "a:b",
    "1",
    " ",
    "",
    "<b>",
    "NaN",
    "None",
    "missing",
    "é",
    "T.a",
    "`",
]


def draw(seed, n=60):
    """A table of columns of many kinds, with odd names and levels, and its labels."""
    rng = np.random.default_rng(seed)
    makers = {
        "text": lambda: rng.choice(rng.choice(ODD, 4, replace=False), n),
        "objects": lambda: pd.Series(rng.choice(rng.choice(ODD, 3, replace=False), n), dtype=object),
        "categorical": lambda: pd.Categorical(rng.choice(["low", "mid", "high"], n), ["high", "low", "never", "mid"]),
        "ordered": lambda: pd.Categorical(rng.choice(["b", "a"], n), ["b", "a"], ordered=True),
        "numbers as categories": lambda: pd.Categorical(rng.choice([3, 1, 2], n)),
        "booleans": lambda: rng.random(n) < 0.4,
        "integers": lambda: rng.integers(-5, 5, n),
        "floats": lambda: rng.normal(1e6, 1, n),
        "float32": lambda: rng.normal(size=n).astype(np.float32),
        "nullable": lambda: pd.array(rng.integers(0, 9, n), dtype="Int64"),
    }
    kinds = rng.choice(list(makers), rng.integers(2, 7))
    names = [f"{odd}{k}" for k, odd in enumerate(rng.choice(ODD, kinds.size))]
    frame = pd.DataFrame({name: makers[kind]() for name, kind in zip(names, kinds, strict=True)})
    return frame, rng.choice(["no", "yes"], n)


def dummies(frame, references=None):
    """Names and columns of a treatment coding, as one would write it by hand."""
    found = {}
    for name in frame.columns:
        values = frame[name]
        if isinstance(values.dtype, pd.CategoricalDtype):
            levels = [level for level in values.cat.categories if (values == level).any()]
        elif pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            found[name] = values.to_numpy(dtype=float)
            continue
        else:
            levels = sorted(set(values.tolist()))
        reference = (references or {}).get(name, levels[0])
        for level in levels:
            if level != reference:
                found[f"{name}[{level}]"] = np.array([value == level for value in values.tolist()], dtype=float)
    return found


def dense(X):
    return X.toarray() if sp.issparse(X) else X


@pytest.mark.parametrize("seed", range(200))
def test_all_columns_are_coded_as_by_hand(seed):
    frame, _ = draw(seed)
    expected = dummies(frame)
    design = learn(frame)
    assert design.names == tuple(expected)
    assert_array_equal(dense(design.read(frame).matrix()), np.column_stack(list(expected.values())))


@pytest.mark.parametrize("seed", range(40))
def test_a_row_is_the_same_alone_shuffled_and_in_another_library(seed, tmp_path):
    frame, y = draw(seed, 40)
    rng = np.random.default_rng(seed)
    frame["text"] = rng.choice(["u", "v"], len(frame))
    model = LogisticRegression(C=1.0).fit(frame, y)
    frame = frame.assign(more="text") if seed % 2 else frame
    P = model.predict_proba(frame)
    for k in range(5):
        assert_array_equal(model.predict_proba(frame.iloc[[k]]), P[[k]])
    order = rng.permutation(len(frame))
    shuffled = frame.iloc[order][rng.permutation(frame.columns)]
    assert_array_equal(model.predict_proba(shuffled), P[order])
    table = pa.Table.from_pandas(frame, preserve_index=False)
    assert_array_equal(model.predict_proba(table), P)
    assert_array_equal(model.predict_proba(pl.from_arrow(table)), P)
    save(model, tmp_path / "model.json")
    back = load(tmp_path / "model.json")
    assert_array_equal(back.predict_proba(shuffled), P[order])
    assert back.design_ == model.design_
    assert_array_equal(back.predict(frame), model.predict(frame))


N = 300
rng = np.random.default_rng(7)
FRAME = pd.DataFrame(
    {
        "y": rng.choice(["no", "yes"], N),
        "x1": rng.normal(size=N),
        "x2": rng.integers(0, 3, N),
        "x3": rng.normal(2000, 3, N),
        "x4": rng.lognormal(size=N),
        "f": rng.choice(list("abcd"), N),
        "g": rng.choice(["u", "v", "w"], N),
        "b": rng.random(N) < 0.4,
        "odd name\n😀": rng.normal(size=N),
    }
)
FORMULAS = [
    "C(x2) + poly(x4, 2) + bs(x1, df=4) + cr(x3, df=4) + x1:x2",
    "f * g",
    "f * g * b",
    "f:g",
    "f + f:g",
    "g:f + b",
    "x1:f",
    "x1 * f",
    "x1:f:g",
    "x1:f + g:x1",
    "f:poly(x3, 2)",
    "(x1 + f + g) ** 2",
    "f / x1",
    "0 + f",
    "0 + f + g",
    "0 + f:g",
    "0 + x1 + f:x1",
    "f*g - f",
    "log(x4) + exp(x1) + I(x1**2) + {x1 + x2 / 2}",
    "center(x3) + scale(x4)",
    "bs(x4, knots=[1, 2], degree=2)",
    "bs(log(x4), df=5)",
    "poly(x1, 3, raw=True)",
    'C(f, Treatment("c")) + C(x2, contr.treatment(2))',
    "`odd name\n😀` + x1",
    ". - f - y",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_formulas_span_what_those_of_formulaic_do(formula):
    left = "y ~ " + formula
    design = learn(FRAME, left)
    ours = dense(design.read(FRAME).matrix())
    ours = np.column_stack([np.ones(N), ours]) if design.intercept else ours
    theirs = np.asarray(formulaic.model_matrix(formula, FRAME.drop(columns="y") if "." in formula[:1] else FRAME))
    Q, R = np.linalg.qr(ours / np.linalg.norm(ours, axis=0))
    assert np.abs(np.diag(R)).min() > 1e-8, "no column is a combination of others"
    assert ours.shape[1] == np.linalg.matrix_rank(theirs / np.linalg.norm(theirs, axis=0), tol=1e-9)
    scaled = theirs / np.linalg.norm(theirs, axis=0)
    assert_allclose(Q @ (Q.T @ scaled), scaled, atol=1e-8)
    assert design.intercept == ("0 +" not in formula)


@pytest.mark.parametrize("formula", FORMULAS)
def test_formulas_are_remembered_row_by_row(formula, tmp_path):
    model = fit_table("y ~ " + formula, FRAME, C=1.0)
    P = model.predict_proba(FRAME)
    save(model, tmp_path / "model.json")
    back = load(tmp_path / "model.json")
    table = pa.Table.from_pandas(FRAME)
    for k in range(0, N, 29):
        assert_array_equal(model.predict_proba(FRAME.iloc[[k]]), P[[k]])
        assert_array_equal(back.predict_proba(table.slice(k, 1)), P[[k]])


def test_treatment_codings_have_the_columns_of_formulaic_in_its_order():
    for formula in ("f*g", "f:g", "x1*f", "x1:f", "0 + f", "f + f:g", "f*g*x1"):
        design = learn(FRAME, "y ~ " + formula)
        theirs = formulaic.model_matrix(formula, FRAME)
        names = [name.replace("[T.", "[") for name in theirs.columns if name != "Intercept"]
        assert list(design.names) == names
        assert_array_equal(dense(design.read(FRAME).matrix()), theirs.drop(columns="Intercept", errors="ignore"))


@pytest.mark.parametrize("name", ["fair", "anes96", "heart"])
def test_real_tables_fit_as_in_statsmodels(name):
    frame = getattr(sm.datasets, name).load_pandas().data
    formulas = {
        "fair": ("affair ~ C(rate_marriage) + age + yrs_married + C(religious) + C(occupation)", {}),
        "anes96": ("vote ~ C(educ) + logpopul + income * C(PID)", {}),
        "heart": ("censors ~ age + poly(survival, 2)", {}),
    }
    formula, _ = formulas[name]
    target = formula.split(" ~ ")[0]
    frame = frame.assign(affair=(frame["affairs"] > 0).astype(int)) if name == "fair" else frame
    model = fit_table(formula, frame)
    theirs = formulaic.model_matrix(formula.split(" ~ ")[1], frame)
    fit = sm.GLM(frame[target], theirs, family=sm.families.Binomial()).fit(tol=1e-12)
    result = infer(model, frame)
    assert_allclose(result.log_likelihood, fit.llf, rtol=1e-9)
    assert_allclose(result.coef, fit.params, rtol=1e-5, atol=1e-7)
    assert_allclose(result.se, fit.bse, rtol=1e-4)
    assert_allclose(result.predict(frame)["probability"], fit.fittedvalues, rtol=1e-6)


# Missing values and levels that are new


def holes(seed, n=200):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "y": rng.choice([0.0, 1.0], n),
            "age": rng.normal(50, 9, n),
            "n": pd.array(rng.integers(0, 9, n), dtype="Int64"),
            "f": rng.choice(list("abc"), n),
            "b": pd.array(rng.random(n) < 0.5, dtype="boolean"),
        }
    )
    for name in ("age", "n", "f", "b"):
        frame[name] = frame[name].mask(rng.random(n) < 0.1)
    return frame


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("convert", [lambda frame: frame, pl.from_pandas, pa.Table.from_pandas])
def test_dropped_rows_are_as_if_they_had_never_been_there(seed, convert):
    frame = holes(seed)
    frame.loc[[0, 7], "y"] = np.nan
    model = fit_table("y", convert(frame), missing="drop")
    whole = frame.dropna()
    same = fit_table("y", whole)
    assert_allclose(model.coef_, same.coef_, rtol=1e-9, atol=1e-12)
    features = frame[["age", "n", "f", "b"]]
    assert model.design_.dropped == frame.isna().any(axis=1).sum()
    assert model.design_.counts == features.isna().sum().to_dict()
    P = model.predict_proba(convert(frame))
    assert_array_equal(np.isnan(P).all(axis=1), features.isna().any(axis=1))
    assert_allclose(P[whole.index], same.predict_proba(whole), rtol=1e-9)
    labels = model.predict(convert(frame))
    assert_array_equal([label is None for label in labels], features.isna().any(axis=1))
    result, other = infer(model, convert(frame)), infer(same, whole)
    assert_allclose(result.covariance, other.covariance, rtol=1e-7, atol=1e-12)
    assert_allclose(result.log_likelihood, other.log_likelihood)


FORMULAS = [
    "y ~ age + n + f + b",
    "y ~ bs(age, df=4) + f:b + center(n)",
    "y ~ poly(age, 2) + cr(n, df=3) + C(n):age + f",
]


@pytest.mark.parametrize("seed", range(6))
def test_rows_that_are_left_out_teach_nothing(tmp_path, seed):
    """Levels and numbers that no other row has stand in rows without a label, or without a value in another column."""
    rng, frame = np.random.default_rng(seed), holes(seed)
    for lost in ("y", "n"):
        at = rng.choice(len(frame), 6, replace=False)
        frame.loc[at, lost] = None
        frame.loc[at[:2], "f"] = f"only here, {lost}"
        frame.loc[at[2:4], "age"] = rng.choice([-1e3, 1e3])
        if lost == "y":
            frame.loc[at[4:], "n"] = 77
    formula = FORMULAS[seed % 3]
    whole = frame.dropna(subset=["y", "age", "n", "f", *(["b"] if "b" in formula else [])])
    same = fit_table(formula, whole, C=1.0)
    frame.to_parquet(tmp_path / "rows.parquet")
    rows = frame if seed % 2 else pl.from_pandas(frame)
    model = fit_table(formula, rows, missing="drop", C=1.0)
    scanned = fit_table(formula, scan(tmp_path / "rows.parquet"), missing="drop", C=1.0)
    assert model.design_.names == scanned.design_.names == same.design_.names
    assert model.design_.dropped == scanned.design_.dropped == len(frame) - len(whole)
    for one in (model, scanned):
        assert_allclose(one.coef_, same.coef_, rtol=1e-6, atol=1e-9)
    result, other = infer(model, rows), infer(same, whole)
    assert_allclose(result.se, other.se, rtol=1e-6)
    assert_allclose(infer(scanned, scan(tmp_path / "rows.parquet")).se, other.se, rtol=1e-6)
    assert result.hosmer_lemeshow(rows).p_value == pytest.approx(other.hosmer_lemeshow(whole).p_value, rel=1e-5)
    lines = [plots.effect(one, "age", Figure().subplots()).lines[0].get_xydata() for one in (result, other)]
    assert_allclose(*lines, rtol=1e-5)
    write_report(model, rows, tmp_path / "report.html")
    with pytest.raises(EvenOddsError, match="only here, y"):  # which predictions do not know
        model.predict_proba(frame.loc[frame["f"] == "only here, y"].dropna(subset=["age", "n", "b"]))


def test_where_no_row_has_a_label_and_all_values_the_column_that_lacks_most_is_named():
    frame = pd.DataFrame({"y": [0, 1, None, None, None], "age": [None, None, 1.0, 2.0, 3.0]})
    with pytest.raises(EvenOddsError, match=r"3 of 5 in 'y'\. Check the target\."):
        fit_table("y", frame, missing="drop")
    with pytest.raises(EvenOddsError, match=r"4 of 5 in 'age'\. Leave such columns out\."):
        fit_table("y", frame.assign(age=[None, None, None, None, 3.0]), missing="drop")


@pytest.mark.parametrize("lost", ["f", "n", "b"])
@pytest.mark.parametrize("basis", ["bs(age, df=4)", "cr(age, df=4, extrapolation='raise')", "bs(n + age, df=5):f"])
def test_splines_do_not_judge_rows_that_are_dropped(basis, lost):
    frame = holes(2).dropna(subset="age").reset_index(drop=True)
    frame.loc[frame["age"].idxmax(), lost] = None  # beyond the bounds, which rows of the model make
    frame.loc[frame["age"].idxmin(), lost] = None
    model = fit_table(f"y ~ {basis} + f + n + b", frame, missing="drop", C=1.0)
    whole = frame.dropna()
    same = fit_table(f"y ~ {basis} + f + n + b", whole, C=1.0)
    assert_allclose(model.coef_, same.coef_, rtol=1e-8, atol=1e-12)
    there = frame.loc[frame[["f", "n", "b"]].notna().all(axis=1) & frame["y"].notna()]
    assert_array_equal(model.predict_proba(there), same.predict_proba(there))
    if lost != "y":
        assert np.isnan(model.predict_proba(frame.loc[[frame["age"].idxmax()]])).all()
        assert_allclose(infer(model, frame).margins(frame)["effect"], infer(same, whole).margins(whole)["effect"])


@pytest.mark.parametrize("seed", range(5))
def test_indicators_are_columns_of_their_own_and_missing_is_a_level(seed):
    frame = holes(seed)
    model = fit_table("y", frame, missing="indicator", C=1.0)
    by_hand = {
        "age": frame["age"].fillna(frame["age"].mean()),
        "n": frame["n"].astype(float).fillna(frame["n"].astype(float).mean()),
        **{f"f[{level}]": (frame["f"] == level).fillna(False) for level in "bc"},
        "f[missing]": frame["f"].isna(),
        "b[True]": frame["b"].fillna(False),
        "b[missing]": frame["b"].isna(),
        "age[missing]": frame["age"].isna(),
        "n[missing]": frame["n"].isna(),
    }
    assert model.design_.names == tuple(by_hand)
    X = np.column_stack([np.asarray(column, dtype=float) for column in by_hand.values()])
    assert_allclose(model.coef_, LogisticRegression(C=1.0).fit(X, frame["y"]).coef_, rtol=1e-7, atol=1e-10)
    assert_array_equal(model.predict_proba(frame.iloc[[3]]), model.predict_proba(frame)[[3]])


def test_missing_values_are_an_error_that_names_column_row_and_count():
    frame = holes(0)
    with pytest.raises(
        EvenOddsError, match=r"Column 'age' has \d+ missing values, first in row \d+ .*missing=\"drop\""
    ):
        fit_table("y", frame)
    with pytest.raises(EvenOddsError, match="has a missing value, first in row 2 "):
        fit_table("y", pd.DataFrame({"y": [0, 1, 0], "f": ["a", "b", None]}))
    model = fit_table("y", frame.dropna(), missing="indicator")
    with pytest.raises(EvenOddsError, match="in the fit none was missing"):
        model.predict_proba(frame)


def test_new_levels_follow_the_policy():
    frame = FRAME[["y", "f", "x1"]]
    new = pd.DataFrame({"f": ["a", "z", "b"], "x1": [0.0, 0.0, 0.0]})
    with pytest.raises(EvenOddsError, match=r"'f' holds 'z', first in row 1 .* only 'a', 'b', 'c', 'd'"):
        fit_table("y", frame).predict_proba(new)
    P = fit_table("y", frame, unseen="reference").predict_proba(new)
    assert_array_equal(P[1], P[0])
    P = fit_table("y", frame, unseen="missing", missing="drop").predict_proba(new)
    assert np.isnan(P[1]).all()
    assert np.isfinite(P[[0, 2]]).all()
    with pytest.raises(EvenOddsError, match="which the fit has not seen and takes for missing"):
        fit_table("y", frame, unseen="missing").predict_proba(new)
    holed = frame.assign(f=frame["f"].mask(np.arange(N) % 7 == 0))
    model = fit_table("y", holed, missing="indicator", unseen="missing")
    assert_array_equal(model.predict_proba(new)[1], model.predict_proba(new.assign(f=None))[1])


# Kinds of columns


def test_references_by_value_by_label_and_wrong():
    frame = FRAME[["y", "f", "b", "x2"]]
    model = fit_table("y ~ f + b + C(x2)", frame, reference={"f": "c", "b": True, "x2": "1"})
    assert model.design_.names == ("f[a]", "f[b]", "f[d]", "b[False]", "x2[0]", "x2[2]")
    with pytest.raises(EvenOddsError, match=r"The reference 'C' is no level of 'f'. Did you mean 'c'"):
        fit_table("y", frame, reference={"f": "C"})
    with pytest.raises(EvenOddsError, match="There is no factor 'x2' to have a reference"):
        fit_table("y", frame, reference={"x2": 1})


def test_parts_of_dates_are_factors_in_the_order_of_the_calendar():
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(days=9 * k) for k in range(60)]
    frame = pl.DataFrame(
        {"y": [0, 1, 1] * 20, "day": days, "time": [datetime.datetime(2024, 1, 1, k % 5) for k in range(60)]}
    )
    model = fit_table("y ~ weekday(day) + month(day) + year(day) + hour(time) + I(year(day) - 2000)", frame, C=1)
    names = model.design_.names
    assert names[:6] == tuple(
        f"weekday(day)[{d}]" for d in ("Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    )
    assert names[6:8] == ("month(day)[February]", "month(day)[March]")
    assert names[17:] == (
        "year(day)[2025]",
        "hour(time)[1]",
        "hour(time)[2]",
        "hour(time)[3]",
        "hour(time)[4]",
        "I(year(day) - 2000)",
    )
    X = model.design_.read(frame).matrix()
    assert_array_equal(X[:, 0], [day.weekday() == 1 for day in days])
    assert_array_equal(X[:, 6], [day.month == 2 for day in days])
    assert_array_equal(X[:, 22], [day.year - 2000 for day in days])
    assert_array_equal(X[:, 18], [k % 5 == 1 for k in range(60)])
    pandas = frame.to_pandas()
    assert_array_equal(model.predict_proba(pandas), model.predict_proba(frame))
    assert fit_table("y ~ C(month(day), Treatment('March'))", frame, C=1).design_.factors[0].reference == "March"
    with pytest.raises(
        EvenOddsError, match=r"'day' holds dates, of which a model takes parts: .*month\(day\) \+ weekday\(day\)"
    ):
        fit_table("y", frame)
    with pytest.raises(EvenOddsError, match=r"hour\(day\): dates of type date32"):
        fit_table("y ~ hour(day)", frame)


def test_types_are_remembered():
    model = fit_table("y", FRAME[["y", "f", "x1", "b"]])
    with pytest.raises(EvenOddsError, match="Column 'x1' held numbers in the fit, and holds text here, such as 'one'"):
        model.predict_proba(FRAME.assign(x1="one"))
    with pytest.raises(EvenOddsError, match="Column 'f' held text in the fit, and holds numbers here, such as 3"):
        model.predict_proba(FRAME.assign(f=3))
    with pytest.raises(
        EvenOddsError, match=r"The frame has no column 'f', which the model was fitted on. Did you mean 'F'"
    ):
        model.predict_proba(FRAME.rename(columns={"f": "F"}))
    with pytest.raises(EvenOddsError, match="fitted on a frame with 'f', 'x1', 'b': give a frame"):
        model.predict_proba(FRAME[["f", "x1", "b"]].to_numpy())
    assert_array_equal(model.predict_proba(FRAME.assign(b=FRAME["b"].astype(int))), model.predict_proba(FRAME))
    assert_array_equal(model.predict_proba(FRAME.assign(f=FRAME["f"].astype("category"))), model.predict_proba(FRAME))
    few = pl.DataFrame({"f": pl.Series(["b", "a"], dtype=pl.Enum(["b", "a"])), "x1": [1, 2], "b": [True, False]})
    assert_array_equal(model.predict_proba(few), model.predict_proba(few.with_columns(pl.col("f").cast(pl.String))))


def test_what_is_no_column_of_a_model_is_named():
    y = [0, 1, 0, 1] * 10
    for column, message in (
        ([1, "a"] * 20, "Column 'x' mixes 1, a int in row 0, with 'a', a str in row 1"),
        ([[1], [2]] * 20, "Column 'x' is of type list"),
        ([None] * 40, "Column 'x' has no value in any row"),
        ([f"name {k}" for k in range(40)], "Column 'x' has 40 different values in 40 rows, such as 'name 0'"),
        ([b"a", b"b"] * 20, "Column 'x' is of type binary"),
        ([0.0, np.inf] * 20, "Column 'x' holds infinity, first in row 1"),
        ([datetime.timedelta(1)] * 40, "Column 'x' is of type duration"),
    ):
        with pytest.raises(EvenOddsError, match=message.replace("(", r"\(")):
            fit_table("y", pd.DataFrame({"y": y, "x": column, "z": range(40)}))
    with pytest.warns(CollinearWarning, match="Column 'x' has one value only, 'a', in all rows"):
        model = fit_table("y", pd.DataFrame({"y": y, "x": "a", "z": range(40)}))
    assert model.design_.names == ("z",)


def test_names_that_would_be_the_same_are_an_error():
    frame = pd.DataFrame({"y": [0, 1] * 10, "f": ["a", "b"] * 10, "f[b]": range(20)})
    with pytest.raises(EvenOddsError, match=r"Two coefficients would have the name 'f\[b\]'"):
        fit_table("y", frame)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ x1 +", "cannot be read: Operator"),
        ("y ~", "has no right side"),
        ("y ~ x_1", "There is no column 'x_1'. Did you mean 'x1'"),
        ("z ~ x1", "There is no column 'z'"),
        ("y ~ bss(x1)", "There is no function 'bss' in formulas. Did you mean 'bs'"),
        ("y ~ C(f, Sum)", "factors are coded by treatment"),
        ("y ~ C(f, Treatment('z'))", "The reference 'z' is no level of 'f'"),
        ("y ~ log(f)", r"log\(f\) is computed from numbers, and 'f' holds text"),
        ("y ~ log(x1)", r"log\(x1\) is no finite number in row \d+ .*, where 'x1' is -"),
        ("y ~ bs(x1)", None),
        ("y ~ bs(x1, df=2)", r"bs\(x1\) cannot be made: Invalid value for `df`"),
        ("y ~ poly(x1, 2, 3, 4)", "has too many options"),
        ("y ~ poly(x1, deg=2)", "has no option 'deg'. Did you mean 'degree'"),
        ("y ~ 1", "No column is left to fit"),
        ("y ~ x1 | x4", "has several parts"),
        ("y + x1 ~ x4", "The left side of a formula is one column"),
        ("y ~ __import__('os').system('true')", "cannot be read"),
        ("y ~ {__import__('os').system('true')}", "There is no function"),
        ("y ~ {open('x')}", "There is no function 'open'"),
        ("y ~ {x1.values}", "is not among what formulas are made of"),
        ("y ~ {[k for k in x1]}", "is not among what formulas are made of"),
        ("y ~ np.load(x1)", "There is no function"),
        ("y ~ log(bs(x1))", "stands alone in a term"),
        ("y ~ scale(x1, 2)", "takes one column"),
        ("y ~ C(x1 + x4)", "C makes a factor of a column"),
        ("y ~ C(f) + C(f, Treatment('b'))", "Two coefficients would have the name"),
    ],
)
def test_a_wrong_formula_is_one_error(formula, message):
    if message is None:
        fit_table(formula, FRAME)
        return
    with pytest.raises(EvenOddsError, match=message):
        fit_table(formula, FRAME)


def test_values_beyond_a_spline_are_an_error_that_says_how_to_clip():
    model = fit_table("y ~ bs(x4, df=4)", FRAME)
    beyond = FRAME.assign(x4=FRAME["x4"] * 100)
    with pytest.raises(EvenOddsError, match=r"extend beyond .*extrapolation='clip'"):
        model.predict_proba(beyond)
    clipped = fit_table("y ~ bs(x4, df=4, extrapolation='clip')", FRAME)
    ends = FRAME.assign(x4=np.clip(beyond["x4"], FRAME["x4"].min(), FRAME["x4"].max()))
    assert_array_equal(clipped.predict_proba(beyond), clipped.predict_proba(ends))


# Labels, weights, sizes


@pytest.mark.parametrize("labels", [["a", "b"], [0, 1], [False, True]])
def test_positive_turns_the_sign(labels):
    frame = FRAME.assign(y=np.array(labels)[(FRAME["x1"] + FRAME["x3"] > 2000).astype(int)])[["y", "f", "x4"]]
    model, turned = fit_table("y", frame), fit_table("y", frame, positive=labels[0])
    assert turned.classes_.tolist() == labels[::-1]
    assert_allclose(turned.coef_, -model.coef_, rtol=1e-6, atol=1e-9)
    assert_array_equal(turned.predict(frame), model.predict(frame))
    assert_allclose(infer(turned, frame).coef[1:], turned.coef_[0])
    assert fit_table("y", frame, positive=str(labels[0])).classes_.tolist() == labels[::-1]
    with pytest.raises(EvenOddsError, match="positive='nobody' is no label of 'y'"):
        fit_table("y", frame, positive="nobody")


def test_positive_of_several_labels_is_against_the_rest(tmp_path):
    frame = FRAME[["g", "f", "x1"]]
    model = fit_table("g", frame, positive="v")
    assert model.classes_.tolist() == ["not v", "v"]
    same = fit_table("g", frame.assign(g=np.where(frame["g"] == "v", 1, 0)))
    assert_allclose(model.coef_, same.coef_, rtol=1e-9)
    assert_allclose(
        infer(model, frame).se, infer(same, frame.assign(g=np.where(frame["g"] == "v", 1, 0))).se, rtol=1e-6
    )
    save(model, tmp_path / "model.json")
    assert_array_equal(load(tmp_path / "model.json").predict(frame), model.predict(frame))
    several = fit_table("g", frame)
    assert several.classes_.tolist() == ["u", "v", "w"]
    assert_array_equal(several.predict_proba(frame.iloc[[5]]), several.predict_proba(frame)[[5]])


def test_weights_and_offsets_are_columns_that_explain_nothing():
    rng = np.random.default_rng(3)
    frame = FRAME[["y", "f", "x1"]].assign(w=rng.integers(1, 4, N), o=rng.normal(size=N))
    model = fit_table("y", frame, weight="w", offset="o")
    same = LogisticRegression().fit(frame[["f", "x1"]], frame["y"], frame["w"], frame["o"])
    assert model.design_.names == same.design_.names
    assert_array_equal(model.coef_, same.coef_)
    assert_allclose(infer(model, frame).se, infer(same, frame[["f", "x1"]], frame["y"], frame["w"], frame["o"]).se)


def test_many_levels_are_held_sparse_and_scored_by_code():
    rng = np.random.default_rng(5)
    n, m = 3000, 400
    frame = pl.DataFrame(
        {"y": rng.integers(0, 2, n), "f": [f"s{k}" for k in rng.integers(0, m, n)], "x": rng.normal(size=n)}
    )
    model = fit_table("y", frame, C=1.0)
    X = model.design_.read(frame).matrix()
    assert sp.issparse(X)
    assert X.nnz <= 2 * n
    by_hand = pd.get_dummies(frame["f"].to_pandas(), drop_first=True).to_numpy(dtype=float)
    assert_array_equal(X.toarray(), np.column_stack([by_hand, frame["x"]]))
    assert_allclose(model.decision_function(frame), X @ model.coef_[0] + model.intercept_, rtol=1e-12, atol=1e-12)


def test_penalties_and_bounds_go_by_the_names_of_coefficients():
    frame = FRAME[["y", "f", "x1"]]
    model = LogisticRegression(lower={"f[b]": 0.0}, upper={"f[c]": 0.0, "x1": 0.0}).fit(frame[["f", "x1"]], frame["y"])
    coef = dict(zip(model.design_.names, model.coef_[0], strict=True))
    assert coef["f[b]"] >= 0
    assert coef["f[c]"] <= 0
    with pytest.raises(EvenOddsError, match="names 'f'"):
        LogisticRegression(lower={"f": 0.0}).fit(frame[["f", "x1"]], frame["y"])


def test_frames_of_numbers_are_fitted_as_before():
    X = FRAME[["x1", "x3", "b"]]
    model = LogisticRegression().fit(X, FRAME["y"])
    assert not hasattr(model, "design_")
    assert model.feature_names_in_.tolist() == ["x1", "x3", "b"]


def test_a_fit_that_fails_leaves_the_model_as_it_was():
    model = LogisticRegression().fit(FRAME[["f", "x1"]], FRAME["y"])
    before = model.design_
    with pytest.raises(EvenOddsError):
        model.fit(FRAME[["g", "x1"]].assign(g=None), FRAME["y"])
    assert model.design_ is before
    model.fit(FRAME[["x1", "x3"]], FRAME["y"])
    assert not hasattr(model, "design_")


def test_references_and_levels_given_in_formulas():
    design = learn(FRAME, "y ~ C(f, levels=['d', 'c', 'b', 'a'])")
    assert design.names == ("f[c]", "f[b]", "f[a]")
    with pytest.raises(EvenOddsError, match="holds 'd', which is not among its levels"):
        learn(FRAME, "y ~ C(f, levels=['a', 'b', 'c'])")


def test_every_damage_of_a_saved_design_is_one_error(tmp_path):
    import json

    model = fit_table("y ~ f*x1 + bs(x4, df=4) + scale(x3)", FRAME)
    save(model, tmp_path / "model.json")
    good = json.loads((tmp_path / "model.json").read_text())

    def places(value, path=()):
        yield path
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, one in items:
            yield from places(one, (*path, key))

    count = 0
    for place in itertools.islice(places(good["design"]), 1, None):
        for wrong in (None, -1, "zz", [], {}, 1e999, True):
            record = json.loads(json.dumps(good))
            inner = record["design"]
            for key in place[:-1]:
                inner = inner[key]
            if inner[place[-1]] == wrong:
                continue
            inner[place[-1]] = wrong
            (tmp_path / "bad.json").write_text(json.dumps(record).replace("Infinity", '"inf"'))
            try:
                load(tmp_path / "bad.json").predict_proba(FRAME)
            except EvenOddsError:
                count += 1
    assert count > 300


def test_paths_folds_and_separation_take_tables():
    frame = FRAME[["y", "f", "x1", "b"]]
    X, y = frame.drop(columns="y"), frame["y"]
    columns = dummies(X)
    D = pd.DataFrame(columns)
    ours, theirs = path(X, y, Cs=[0.01, 0.1, 1.0]), path(D, y, Cs=[0.01, 0.1, 1.0])
    assert ours.names == tuple(columns)
    assert_allclose(ours.coefs, theirs.coefs, rtol=1e-9, atol=1e-12)
    chosen, other = (LogisticRegressionCV(Cs=[0.01, 0.1, 1.0], cv=3).fit(one, y) for one in (X, D))
    assert chosen.C_ == other.C_
    assert_allclose(chosen.scores_, other.scores_, rtol=1e-9)
    assert_allclose(chosen.predict_proba(X), other.predict_proba(D), rtol=1e-10)
    assert_array_equal(chosen.predict_proba(X.iloc[[3]]), chosen.predict_proba(X)[[3]])
    separating = X.assign(f=np.where(y.to_numpy() == y.iloc[0], X["f"], "only"))
    found = find_separation(separating, y)
    assert set(found.infinite) >= {"f[only]"}
    without = find_separation(separating, y, fit_intercept=False)
    assert "f[a]" in without.names
    with pytest.raises(EvenOddsError, match=r"Column 'f' has .* missing=.drop."):
        path(X.assign(f=np.where(X["f"] == "a", None, X["f"])), y)


@pytest.mark.parametrize(
    ("bound", "above"),
    [("> 0", lambda y: y > 0), (">=1", lambda y: y >= 1), ("< .5", lambda y: y < 0.5), ("<= 1e0", lambda y: y <= 1)],
)
def test_a_number_is_a_target_by_a_bound(bound, above, tmp_path):
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"x": rng.normal(size=80), "y": rng.choice([0, 0.5, 1, 2.25], 80)})
    model = fit_table("y", frame, positive=bound)
    alike = fit_table("late", frame[["x"]].assign(late=above(frame["y"])))
    assert model.classes_.tolist() == [f"not {bound}", bound]
    np.testing.assert_allclose(model.coef_, alike.coef_, rtol=1e-12)
    save(model, tmp_path / "m.json")
    back = load(tmp_path / "m.json")
    assert infer(back, frame).log_likelihood == pytest.approx(
        infer(alike, frame.assign(late=above(frame["y"]))).log_likelihood
    )
    with pytest.raises(EvenOddsError, match="true of 'y' in all rows"):
        fit_table("y", frame, positive="> -1")
    with pytest.raises(EvenOddsError, match="is no label of 'y'"):
        fit_table("y", frame, positive="> 99")
    with pytest.raises(EvenOddsError, match="It is numbers with decimals, of 4 different values"):
        fit_table("y", frame)


@pytest.mark.parametrize(("formula", "name"), [("x:z", "x:z"), ("x:z:w + w", "x:z:w"), ("f + x:z:f", r"x:z:f\[a\]")])
def test_a_product_that_overflows_is_one_error(formula, name):
    """Also where it is then multiplied by 0, which is no number in floating point."""
    frame = pd.DataFrame({"x": [0.0, 1, 2, 3] * 20, "z": [1.0, 2, 3, 4, 5] * 16, "f": ["a", "b"] * 40, "w": 1.0})
    frame = frame.assign(w=np.arange(80) % 7, y=np.random.default_rng(0).integers(0, 2, 80))
    bad = frame.assign(x=frame["x"].mask(np.arange(80) == 7, 1e200), z=frame["z"].mask(np.arange(80) == 7, 1e200))
    words = rf"The product {name} is no finite number in row 7 \(counted from 0\)"
    model = fit_table(f"y ~ {formula}", frame)
    with pytest.raises(EvenOddsError, match=words):
        model.predict_proba(bad)
    with pytest.raises(EvenOddsError, match=words):
        fit_table(f"y ~ {formula}", bad)


def test_a_name_with_a_nul_is_a_name_in_every_package():
    frame = pd.DataFrame({"a\0b": [1.0, 2, 3, 4] * 10, "f\0": ["a", "b", "c", "c", "a"] * 8})
    frame["y"] = [0, 1, 1, 0, 1, 1, 0, 0] * 5
    model = fit_table("y", frame)
    for other in (pl.from_dict(frame.to_dict("list")), pa.table(frame.to_dict("list"))):
        assert_array_equal(model.predict_proba(other), model.predict_proba(frame))
        assert_array_equal(fit_table("y", other).coef_, model.coef_)


PARTS_OF_TYPES = {
    pa.date32(): ("year", "quarter", "month", "weekday", "day"),
    pa.date64(): ("year", "quarter", "month", "weekday", "day"),
    pa.timestamp("s"): ("year", "quarter", "month", "weekday", "day", "hour", "minute"),
    pa.timestamp("ns", "UTC"): ("year", "quarter", "month", "weekday", "day", "hour", "minute"),
    pa.timestamp("ms", "Mars/Olympus"): (),
}


@pytest.mark.parametrize("kind", PARTS_OF_TYPES, ids=str)
@pytest.mark.parametrize("part", ["year", "quarter", "month", "weekday", "day", "hour", "minute"])
def test_a_part_of_dates_is_there_or_one_error(kind, part):
    rng = np.random.default_rng(1)
    days = pa.array(rng.integers(0, 20_000, 60), pa.int32()).cast(pa.date32())
    seconds = pa.array(rng.integers(0, 10**9, 60)).cast(pa.timestamp("s"))
    values = days.cast(kind) if pa.types.is_date(kind) else seconds.cast(pa.timestamp(kind.unit)).cast(kind)
    table = pa.table({"y": rng.integers(0, 2, 60), "when": values})
    if part in PARTS_OF_TYPES[kind]:
        model = fit_table(f"y ~ {part}(when)", table, C=1.0)
        assert all(name.startswith(f"{part}(when)[") for name in model.design_.names)
    else:
        wrong = "have no such part" if PARTS_OF_TYPES[kind] else "Mars/Olympus"
        with pytest.raises(EvenOddsError, match=wrong):
            fit_table(f"y ~ {part}(when)", table, C=1.0)


NAMES = ["kind", "names", "read", "columns", "values", "index", "T", "shape", "dtype", "model", "schema", "target"]
NAMES += ["C", "log", "class", "lambda", "None", "0", "1", "2", "1.5", "(intercept)", "y~x", "a b", "a:b", "-1", "."]


@pytest.mark.parametrize("frame_of", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "Arrow"])
def test_no_name_of_a_column_means_anything_else(frame_of):
    """A pandas frame has its columns as attributes, and 1 is the intercept in a formula."""
    rng = np.random.default_rng(0)
    numbers, others, letters = rng.normal(size=60), rng.normal(size=60), rng.choice(["u", "v"], 60)
    y = rng.choice(["no", "yes"], 60)

    def fits(name):
        frame = frame_of({name: numbers, "other": others, "letter": letters, "outcome": y})
        formulas = [f"`{name}` + C(letter)", "." if name != "." else "`.` + other + letter", f"`{name}`:other - 1"]
        models = [fit_table("outcome", frame), *(fit_table(f"outcome ~ {right}", frame) for right in formulas)]
        return [(model.intercept_, model.coef_, model.predict_proba(frame)) for model in models]

    usual = fits("usual")
    for name in NAMES:
        for found, expected in zip(fits(name), usual, strict=True):
            for one, other in zip(found, expected, strict=True):
                assert_array_equal(one, other, err_msg=name)
