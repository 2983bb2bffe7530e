"""Reference cases with solutions of 60 digits: coefficients to a relative 1e-10, and what other systems print."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from evenodds import CollinearWarning, EvenOddsError, LogisticRegression, SeparationWarning, Status
from evenodds.data import as_data
from oracle import DATA, case, columns, log_likelihood, numbers, quiet, separating

SOLVERS = ["auto", "newton", "quasi-newton"]


def fit(table, terms, *, weight=None, offset=None, **kwargs):
    """Fit a case as its terms say: `const` is the intercept. Returns the model and its coefficients in their order."""
    X = pd.DataFrame({term: table[term] for term in terms if term != "const"})
    model = LogisticRegression(fit_intercept="const" in terms, **kwargs)
    model.fit(X, table["y"], sample_weight=weight, offset=offset)
    by_name = dict(zip(X.columns, model.coef_[0], strict=True), const=model.intercept_[0])
    return model, np.array([by_name[term] for term in terms])


# Maximum likelihood

ML = {
    "spector": ("a01_spector", ()),
    "lbw": ("a02_lbw", ()),
    "admit": ("a06_admit", ("full",)),
    "admit without intercept": ("a06_admit", ("no_intercept",)),
    "infert 2": ("a12_infert", ("model2",)),
    "infert 1": ("a12_infert", ("model1",)),
    "formats": ("d16_formats", ("ml",)),
    "constant column left out": ("d05_constant_column", ("ml_identified",)),
    "collinear columns left out": ("d04_collinear", ("identified_model",)),
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", ML)
def test_maximum_likelihood_has_all_digits(name, solver):
    file, keys = ML[name]
    record, table = case(file)
    truth = record["truth"]
    for key in keys:
        truth = truth[key]
    # The default tol promises 1e-4 standard errors of the solver without Hessians; ask it for the digits.
    tol = 1e-10 if solver == "quasi-newton" else 1e-4
    model, coef = fit(table, truth["terms"], solver=solver, tol=tol)
    np.testing.assert_allclose(coef, numbers(truth["coef"]), rtol=1e-10)
    assert log_likelihood(model, table["y"].size) == pytest.approx(float(truth["loglik"]), rel=1e-13)
    assert model.solution_.status is Status.CONVERGED
    assert model.solution_.error <= tol


def test_spector_with_a_coefficient_held_by_an_offset():
    record, table = case("a01_spector")
    truth = record["truth"]["constraint_GPA_eq_2.8_as_offset"]
    model, coef = fit(table, truth["terms"], offset=2.8 * table["GPA"])
    np.testing.assert_allclose(coef, numbers(truth["coef"]), rtol=1e-10)
    assert log_likelihood(model, 32) == pytest.approx(float(truth["loglik"]), rel=1e-13)


def test_spector_with_two_equal_coefficients():
    record, table = case("a01_spector")
    truth = record["truth"]["constraint_GPA_eq_PSI"]
    table["GPA_plus_PSI"] = table["GPA"] + table["PSI"]
    model, coef = fit(table, truth["terms"])
    np.testing.assert_allclose(coef, numbers(truth["coef"]), rtol=1e-10)
    assert log_likelihood(model, 32) == pytest.approx(float(truth["loglik"]), rel=1e-13)


def test_spector_with_an_explicit_column_of_ones():
    record, table = case("a01_spector")
    terms = record["truth"]["terms"]
    X = np.column_stack([table[term] for term in terms])
    model = LogisticRegression(fit_intercept=False).fit(X, table["y"])
    np.testing.assert_allclose(model.coef_[0], numbers(record["truth"]["coef"]), rtol=1e-10)
    assert model.intercept_[0] == 0


def test_admissions_by_group_with_frequency_weights_and_as_rows():
    record, _ = case("a06_admit")
    truth = record["truth"]["grouped_freq_weights"]
    table = columns(DATA / "a06_admit_grouped.csv")
    model, coef = fit(table, truth["terms"], weight=table["weight"])
    np.testing.assert_allclose(coef, numbers(truth["coef"]), rtol=1e-10)
    assert log_likelihood(model, table["weight"].sum()) == pytest.approx(float(truth["loglik"]), rel=1e-13)
    rows = {name: np.repeat(values, table["weight"].astype(int)) for name, values in table.items()}
    expanded, coef = fit(rows, truth["terms"])
    np.testing.assert_allclose(coef, numbers(truth["coef"]), rtol=1e-10)
    assert expanded.solution_.loss == pytest.approx(model.solution_.loss, rel=1e-13)


PUBLISHED = [
    ("a01_spector", (), 0, "params", "llf"),
    ("a02_lbw", (), 0, "params", "llf"),
    ("a06_admit", ("full",), 0, "coef", "loglik"),
    ("a06_admit", ("no_intercept",), 2, "coef", "loglik"),
    ("a12_infert", ("model2",), 0, "model2_coef", None),
]


@pytest.mark.parametrize(("file", "keys", "which", "coef_key", "loglik_key"), PUBLISHED)
def test_published_numbers_to_their_own_agreement(file, keys, which, coef_key, loglik_key):
    record, table = case(file)
    truth, published = record["truth"], record["published"][which]
    for key in keys:
        truth = truth[key]
    model, coef = fit(table, truth["terms"])
    # 1% above, as the agreement is itself printed to three digits
    bound = 1.01 * published["agreement_coef"]["max_abs_diff"]
    assert np.abs(coef - published["values"][coef_key]).max() <= bound
    if loglik_key:
        printed = published["values"][loglik_key]
        assert log_likelihood(model, table["y"].size) == pytest.approx(printed, rel=1e-7)


# Ridge


def ridge_truth(name):
    record, table = case(name)
    truth = record["truth"]
    names = [term for term in table if term != "y"]
    if name == "c03_glmnet9_ridge":
        return table, 1 / 9, truth["binomial"]["terms"], truth["binomial"]["coef"]
    if name == "d04_collinear":
        found = truth["ridge_lambda1_sum_form"]
    elif name == "d09_p_gt_n":
        return table, 1.0, ["const", *names], truth["ridge_l2_1"]["coef"]
    elif name == "d16_formats":
        found = truth["ridge"]
    elif name == "d05_constant_column without intercept":
        found = truth["ridge_without_intercept"]
    return table, 1.0, found["terms"], found["coef"]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", ["c03_glmnet9_ridge", "d04_collinear", "d09_p_gt_n", "d16_formats"])
def test_ridge_has_all_digits(name, solver):
    table, C, terms, truth = ridge_truth(name)
    tol = 1e-10 if solver == "quasi-newton" else 1e-4
    model, coef = fit(table, terms, C=C, solver=solver, tol=tol)
    truth = numbers(truth)
    np.testing.assert_allclose(coef, truth, rtol=1e-10)
    assert (coef[truth == 0] == 0).all()
    assert model.aliased_ == ()


@pytest.mark.parametrize("solver", SOLVERS)
def test_ridge_gives_a_constant_column_nothing_beside_an_intercept(solver):
    record, table = case("d05_constant_column")
    truth = record["truth"]["ridge_with_intercept"]
    _, coef = fit(table, truth["terms"], C=1, solver=solver, tol=1e-10)
    np.testing.assert_allclose(coef, numbers(truth["coef"]), rtol=1e-10, atol=1e-17)
    truth = record["truth"]["ridge_without_intercept"]
    _, coef = fit(table, truth["terms"], C=1, solver=solver, tol=1e-10)
    np.testing.assert_allclose(coef, numbers(truth["coef"]), rtol=1e-10)


def test_ridge_objective_of_more_columns_than_rows():
    record, table = case("d09_p_gt_n")
    names = [term for term in table if term != "y"]
    model, _ = fit(table, ["const", *names], C=1)
    assert 20 * model.solution_.loss == pytest.approx(float(record["truth"]["ridge_l2_1"]["objective"]), rel=1e-13)


def test_ridge_objective_of_glmnet():
    record, table = case("c03_glmnet9_ridge")
    truth = record["truth"]["binomial"]
    model, coef = fit(table, truth["terms"], C=1 / 9)
    assert model.solution_.loss == pytest.approx(float(truth["objective_sum_form"]) / 9, rel=1e-13)
    printed = record["published"][0]
    assert np.abs(coef - printed["values"]["binomial"]).max() <= 1.01 * printed["agreement_binomial"]["max_abs_diff"]


# Columns without a coefficient of their own


@pytest.mark.parametrize("solver", SOLVERS)
def test_collinear_columns_are_aliased_by_name_and_predictions_are_those_of_the_rest(solver):
    record, table = case("d04_collinear")
    truth = record["truth"]["identified_model"]
    names = [term for term in table if term != "y"]
    with pytest.warns(CollinearWarning, match="'x_times_2', 'groupB'") as caught:
        model, coef = fit(table, names, solver=solver, tol=1e-10)
    assert [w.filename for w in caught] == [__file__]
    assert model.aliased_ == ("x_times_2", "groupB")
    by_name = dict(zip(names, coef, strict=True))
    assert by_name["x_times_2"] == by_name["groupB"] == 0
    np.testing.assert_allclose([by_name[t] for t in truth["terms"]], numbers(truth["coef"]), rtol=1e-10)
    assert log_likelihood(model, 24) == pytest.approx(float(truth["loglik"]), rel=1e-13)
    small, _ = fit(table, truth["terms"])
    X = pd.DataFrame({name: table[name] for name in names if name != "const"})
    scores = small.decision_function(X[["x", "z", "groupA"]])
    np.testing.assert_allclose(model.decision_function(X), scores, rtol=1e-9)


def test_collinear_columns_in_another_order_alias_the_later_ones():
    _, table = case("d04_collinear")
    order = ["groupB", "z", "x_times_2", "groupA", "x", "const"]
    (model, _), caught = quiet(fit, table, order)
    assert [w.category for w in caught] == [CollinearWarning]
    assert model.aliased_ == ("groupA", "x")


def test_a_constant_column_is_aliased_beside_an_intercept():
    record, table = case("d05_constant_column")
    truth = record["truth"]["ml_identified"]
    with pytest.warns(CollinearWarning, match="Column 'constant_feature' is constant"):
        model, coef = fit(table, ["const", "constant_feature", "x"])
    assert model.aliased_ == ("constant_feature",)
    np.testing.assert_allclose(coef[[0, 2]], numbers(truth["coef"]), rtol=1e-10)
    assert coef[1] == 0
    assert log_likelihood(model, 24) == pytest.approx(float(truth["loglik"]), rel=1e-13)


def test_a_constant_column_is_the_intercept_where_there_is_none():
    record, table = case("d05_constant_column")
    truth = record["truth"]["ml_identified"]
    model, coef = fit(table, ["constant_feature", "x"])
    np.testing.assert_allclose(coef, numbers(truth["coef"]) / [3.7, 1], rtol=1e-10)
    assert model.aliased_ == ()


# Separation

SETS = {item["name"]: item for item in case("b05_small_separation_sets")[0]["truth"]["sets"]}


def check_separation(model_and_coef, caught, terms, truth):
    """The kind of warning and the columns that it names, against a linear programme's truth table."""
    model, coef = model_and_coef
    assert np.isfinite(coef).all()
    told = [w for w in caught if w.category is SeparationWarning]
    if truth["separation"].startswith("none"):
        assert not caught
        assert model.solution_.status is Status.CONVERGED
        return
    assert len(told) == 1
    assert told[0].filename == __file__ or told[0].filename.endswith("oracle.py")
    assert model.solution_.status is Status.SEPARATED
    high, low = separating(str(told[0].message))
    directions = {t: d for t, d in zip(terms, truth["coef_direction"], strict=True) if t != "const"}
    determined = {d: {t for t in directions if directions[t] == d} for d in ("+inf", "-inf")}
    finite = {t for t in directions if directions[t] == "finite"}
    assert not (high | low) & finite
    assert determined["+inf"] <= high
    assert determined["-inf"] <= low


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", [name for name in SETS if name != "only_positive_class"])
def test_small_sets_with_known_separation(name, solver):
    item = SETS[name]
    terms, X = item["terms"], np.array(item["X"], dtype=float)
    table = dict(zip(terms, X.T, strict=True), y=np.array(item["y"]))
    found, caught = quiet(fit, table, terms, solver=solver)
    check_separation(found, caught, terms, item["lp"])
    others = {w.category for w in caught} - {SeparationWarning}
    assert others == ({CollinearWarning} if "const2" in terms else set())


def test_one_class_is_an_error():
    item = SETS["only_positive_class"]
    with pytest.raises(EvenOddsError, match="one class only"):
        LogisticRegression().fit(np.array(item["X"], dtype=float), item["y"])


@pytest.mark.parametrize("solver", SOLVERS)
def test_endometrial_cancer_is_separated_by_nv(solver):
    record, table = case("b01_endometrial")
    terms = ["const", "NV", "PI", "EH"]
    found, caught = quiet(fit, table, terms, solver=solver)
    check_separation(found, caught, terms, record["truth"]["separation"])
    # The columns that do not separate are where the limit has them, as far as the fit went.
    limit = record["truth"]["limit_mle"]
    by_name = dict(zip(terms, found[1], strict=True))
    np.testing.assert_allclose([by_name[t] for t in limit["terms"]], numbers(limit["coef"]), rtol=1e-2)
    assert found[0].solution_.iterations < 50


@pytest.mark.parametrize("solver", SOLVERS)
def test_more_columns_than_rows_are_separated_without_a_penalty(solver):
    _, table = case("d09_p_gt_n")
    names = [term for term in table if term != "y"]
    (model, coef), caught = quiet(fit, table, ["const", *names], solver=solver)
    assert [w.category for w in caught if w.category is not CollinearWarning] == [SeparationWarning]
    assert np.isfinite(coef).all()
    assert model.solution_.status is Status.SEPARATED


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("k", range(3))
def test_nearly_separated_classes_are_fitted_without_a_warning(k, solver):
    item = case("d12_near_separation")[0]["truth"]["sets"][k]
    # Without Hessians to the end, the promise is tol in standard errors, and these are up to 63245 here.
    tol = 1e-10 if solver == "quasi-newton" else 0.0
    model = LogisticRegression(solver=solver, tol=tol or 1e-4).fit(np.array(item["x"])[:, None], item["y"])
    b, w = numbers(item["coef"])
    se_b, se_w = numbers(item["se"])
    assert model.coef_[0, 0] == pytest.approx(w, rel=1e-10, abs=tol * se_w)
    # The intercept is -2e-8 with a standard error of 1.4: its gradient is a sum of residuals near 0.5, each rounded
    # to 1e-16, over a curvature of 0.5. A few of these are all that doubles can say.
    assert model.intercept_[0] == pytest.approx(b, rel=1e-10, abs=2e-15 + tol * se_b)
    assert log_likelihood(model, 6) == pytest.approx(float(item["loglik"]), rel=1e-13)
    assert model.solution_.status is Status.CONVERGED


# Formats: the same numbers from anything that holds them

FORMATS = columns(DATA / "d16_formats.csv")
NAMES = ["f0", "f1", "f2", "f3_empty", "f4"]
INTEGERS = np.column_stack([FORMATS[name] for name in NAMES]).astype(np.int64)
WIDE = np.zeros((80, 10), dtype=np.int64)
WIDE[::2, ::2] = INTEGERS


def unsorted_csr(X, dtype=float):
    """CSR with the columns of each row in falling order, an entry in two halves and an explicit zero."""
    data, indices, indptr = [], [], [0]
    for row in X:
        for j in reversed(np.flatnonzero(row)):
            halves = [row[j] - 1, 1] if row[j] > 1 else [row[j], 0]
            data += halves
            indices += [j, j]
        indptr.append(len(data))
    return sp.csr_array((np.array(data, dtype), np.array(indices), np.array(indptr)), shape=X.shape)


def record_part(beside):
    rows = np.zeros(40, dtype=[("b", beside), ("a", "f8", 5)])
    rows["a"] = INTEGERS
    return rows["a"]


def memory_map(tmp_path):
    np.save(tmp_path / "X.npy", INTEGERS.astype(float))
    return np.load(tmp_path / "X.npy", mmap_mode="r")


def wide_indices():
    X = sp.csr_array(INTEGERS.astype(float))
    return sp.csr_array((X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64)), shape=X.shape)


def read_only(X):
    X.flags.writeable = False
    return X


DENSE = {dtype: (lambda _, dtype=dtype: INTEGERS.astype(dtype)) for dtype in ("i1", "u1", "i2", "i4", "i8", "u8")}
DENSE |= {dtype: (lambda _, dtype=dtype: INTEGERS.astype(dtype)) for dtype in ("f2", "f4", "f8", "g", "O")}
DENSE |= {dtype: (lambda _, dtype=dtype: INTEGERS.astype(dtype)) for dtype in (">f4", ">f8", ">i4", "<f8")}
DENSE |= {
    "F order": lambda _: np.asfortranarray(INTEGERS, dtype=float),
    "F order float32": lambda _: np.asfortranarray(INTEGERS, dtype=np.float32),
    "every second row and column": lambda _: WIDE.astype(float)[::2, ::2],
    "every second row": lambda _: np.repeat(INTEGERS.astype(float), 2, axis=0)[::2],
    "every second row of float32": lambda _: np.repeat(INTEGERS.astype(np.float32), 2, axis=0)[::2],
    "rows backwards": lambda _: INTEGERS[::-1].astype(float).copy()[::-1],
    "columns backwards": lambda _: INTEGERS[:, ::-1].astype(float).copy()[:, ::-1],
    "both backwards in F order": lambda _: np.asfortranarray(INTEGERS[::-1, ::-1].astype(float))[::-1, ::-1],
    "columns of a wider F array": lambda _: np.asfortranarray(WIDE[::2].astype(float))[:, ::2],
    "part of a record": lambda _: record_part("i4"),
    "unaligned part of a record": lambda _: record_part("i1"),
    "read-only": lambda _: read_only(INTEGERS.astype(float)),
    "memory map": memory_map,
    "list of lists": lambda _: INTEGERS.tolist(),
    "list of arrays": lambda _: list(INTEGERS.astype(float)),
    "pandas": lambda _: pd.DataFrame(INTEGERS, columns=NAMES),
    "pandas mixed": lambda _: pd.DataFrame(INTEGERS, columns=NAMES).astype(
        {"f0": "float32", "f1": "int8", "f2": "float64", "f3_empty": "bool", "f4": "uint16"}
    ),
    "pandas nullable": lambda _: pd.DataFrame(INTEGERS, columns=NAMES).astype(
        {"f0": "Int64", "f1": "Float32", "f2": "UInt8", "f3_empty": "boolean", "f4": "Float64"}
    ),
    "pandas of Arrow": lambda _: pd.DataFrame(INTEGERS, columns=NAMES).astype("int64[pyarrow]"),
    "pandas object": lambda _: pd.DataFrame(INTEGERS, columns=NAMES).astype(object),
    "pandas sparse": lambda _: pd.DataFrame(INTEGERS, columns=NAMES).astype(pd.SparseDtype("float64", 0.0)),
    "pandas with an odd index": lambda _: pd.DataFrame(INTEGERS, columns=NAMES, index=np.arange(40)[::-1] % 7),
    "polars": lambda _: pl.DataFrame(INTEGERS, schema=NAMES),
    "polars mixed": lambda _: pl.DataFrame(INTEGERS, schema=NAMES).cast(
        {"f0": pl.Float32, "f1": pl.Int8, "f3_empty": pl.Boolean, "f4": pl.UInt16}
    ),
    "Arrow": lambda _: pa.table({name: INTEGERS[:, k] for k, name in enumerate(NAMES)}),
    "Arrow chunked": lambda _: pa.concat_tables(
        [pa.table({n: INTEGERS[a:b, k] for k, n in enumerate(NAMES)}) for a, b in ((0, 7), (7, 40))]
    ),
}
SPARSE = {
    f"{kind} {holder} {dtype}": (
        lambda _, kind=kind, holder=holder, dtype=dtype: getattr(sp, f"{kind}_{holder}")(INTEGERS.astype(dtype))
    )
    for kind in ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")
    for holder in ("array", "matrix")
    for dtype in ("f8", "f4", "i8")
    if (holder, dtype) in {("array", "f8"), ("array", "i8"), ("matrix", "f4")}
}
SPARSE |= {
    "unsorted, duplicate and explicit zeros": lambda _: unsorted_csr(INTEGERS),
    "unsorted, duplicate and explicit zeros float32": lambda _: unsorted_csr(INTEGERS, np.float32),
    "CSC of those": lambda _: unsorted_csr(INTEGERS.T.copy()).T,
    "int64 indices": lambda _: wide_indices(),
    "int8 entries": lambda _: sp.csr_array(INTEGERS.astype("i1")),
    "rows of a longer one": lambda _: sp.vstack([sp.csr_array(INTEGERS.astype(float))] * 2, format="csr")[40:],
}


@pytest.mark.parametrize("form", DENSE | SPARSE)
def test_the_same_numbers_come_from_every_format(form, tmp_path):
    record, _ = case("d16_formats")
    X = (DENSE | SPARSE)[form](tmp_path)
    y = FORMATS["y"].astype(int)
    ridge = record["truth"]["ridge"]
    model = LogisticRegression(C=1).fit(X, y)
    np.testing.assert_allclose([*model.intercept_, *model.coef_[0]], numbers(ridge["coef"]), rtol=1e-10)
    assert model.coef_[0, 3] == 0
    ml = record["truth"]["ml"]
    with pytest.warns(CollinearWarning, match="f3_empty|Column 3"):
        model = LogisticRegression().fit(X, y)
    found = [*model.intercept_, *np.delete(model.coef_[0], 3)]
    np.testing.assert_allclose(found, numbers(ml["coef"]), rtol=1e-10)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1].sum(), y.sum(), rtol=1e-10)


def test_booleans():
    y = FORMATS["y"].astype(int)
    for X in (INTEGERS > 1, sp.csr_array(INTEGERS > 1), pd.DataFrame(INTEGERS > 1, columns=NAMES)):
        a = LogisticRegression(C=1).fit(X, y)
        b = LogisticRegression(C=1).fit((INTEGERS > 1).astype(float), y)
        np.testing.assert_allclose(a.coef_, b.coef_, rtol=1e-12)


def test_what_is_given_is_not_changed():
    y = FORMATS["y"].astype(int)
    for make in (lambda: unsorted_csr(INTEGERS), lambda: sp.csc_array(INTEGERS.astype(float))):
        X, before = make(), make()
        LogisticRegression(C=1, standardize=True).fit(X, y).predict(X)
        for a, b in ((X.data, before.data), (X.indices, before.indices), (X.indptr, before.indptr)):
            np.testing.assert_array_equal(a, b)


LABELS = [
    ([0, 1], 1),
    ([-1, 1], 1),
    ([False, True], 1),
    (["no", "yes"], 1),
    (["b", "a"], -1),
    ([1.0, 2.0], 1),
    ([10, 2], -1),
    ([np.uint8(200), np.uint8(7)], -1),
    ([2**62, 2**62 + 1], 1),
]


@pytest.mark.parametrize("container", ["array", "list", "object", "pandas", "categorical", "polars"])
@pytest.mark.parametrize(("labels", "sign"), LABELS, ids=lambda v: str(v))
def test_labels(labels, sign, container):
    record, _ = case("d16_formats")
    codes = FORMATS["y"].astype(int)
    y = np.array(labels)[codes]
    if container == "list":
        y = [labels[k] for k in codes]
    elif container == "object":
        y = y.astype(object)
    elif container == "pandas":
        y = pd.Series(y)
    elif container == "categorical":
        y = pd.Series(pd.Categorical(y, categories=labels[::-1]))
    elif container == "polars":
        y = pl.Series(y)
    X = INTEGERS.astype(float)
    model = LogisticRegression(C=1).fit(X, y)
    found = np.array([*model.intercept_, *model.coef_[0]])
    np.testing.assert_allclose(sign * found, numbers(record["truth"]["ridge"]["coef"]), rtol=1e-10)
    assert model.classes_.tolist() == sorted(labels)
    predicted = model.predict(X)
    assert set(predicted.tolist()) == set(labels)
    assert type(model.classes_.tolist()[0]) is type(np.array(labels).tolist()[0])
    assert model.score(X, np.asarray(y)) == np.mean(predicted == np.array(labels)[codes])


@pytest.mark.parametrize("y", ["Int64", "boolean", "string"])
def test_nullable_labels_keep_their_kind(y):
    codes = FORMATS["y"].astype(int)
    values = {"Int64": codes, "boolean": codes.astype(bool), "string": np.where(codes, "yes", "no")}[y]
    model = LogisticRegression(C=1).fit(INTEGERS, pd.Series(values, dtype=y))
    assert model.classes_.tolist() == np.unique(values).tolist()
    assert type(model.predict(INTEGERS).tolist()[0]) is type(values.tolist()[0])
    missing = pd.Series(values, dtype=y)
    missing[4] = pd.NA
    with pytest.raises(EvenOddsError, match=r"y contains NaN.*row 4"):
        LogisticRegression(C=1).fit(INTEGERS, missing)


# Wrong inputs

GOOD = np.array(INTEGERS, dtype=float)
TARGET = FORMATS["y"].astype(int)


def broken(value, row=7, column=2):
    X = GOOD.copy()
    X[row, column] = value
    return X


@pytest.mark.parametrize("C", [np.inf, 1.0])
@pytest.mark.parametrize("solver", [*SOLVERS, "sgd"])
@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
@pytest.mark.parametrize("home", ["dense", "float32", "F", "CSR", "pandas", "polars", "Arrow"])
def test_an_x_that_is_not_finite(home, value, word, solver, C):
    X = broken(value)
    make = {
        "float32": lambda: X.astype(np.float32),
        "F": lambda: np.asfortranarray(X),
        "CSR": lambda: sp.csr_array(X),
        "pandas": lambda: pd.DataFrame(X, columns=NAMES),
        "polars": lambda: pl.DataFrame(X, schema=NAMES),
        "Arrow": lambda: pa.table({name: X[:, k] for k, name in enumerate(NAMES)}),
    }.get(home, lambda: X)
    named = home in ("pandas", "polars", "Arrow")
    column = "column 'f2'" if named else "column 2"
    word = "NaN|missing" if word == "NaN" else word
    with pytest.raises(EvenOddsError, match=rf"(?s)X contains ({word}).*{column}.*row 7"):
        LogisticRegression(C=C, solver=solver).fit(make(), TARGET)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [(0, 0), (39, 4)])
def test_an_x_that_is_not_finite_in_a_corner(value, where):
    with pytest.raises(EvenOddsError, match=rf"column {where[1]}, row {where[0]} "):
        LogisticRegression().fit(broken(value, *where), TARGET)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_column_that_is_nowhere_finite(value):
    X = GOOD.copy()
    X[:, 1] = value
    with pytest.raises(EvenOddsError, match="column 1, row 0 "):
        LogisticRegression().fit(X, TARGET)


def test_the_row_is_counted_in_the_data_that_were_given():
    weight = np.ones(40)
    weight[:5] = 0
    with pytest.raises(EvenOddsError, match="column 2, row 7 "):
        LogisticRegression().fit(broken(np.nan), TARGET, sample_weight=weight)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
@pytest.mark.parametrize("frame", [False, True])
def test_an_x_that_is_not_finite_at_predict(value, method, frame):
    make = (lambda X: pl.DataFrame(X, schema=NAMES)) if frame else np.asarray
    model = LogisticRegression(C=1).fit(make(GOOD), TARGET)
    where = "column 'f2', row 7" if frame else "column 2, row 7"
    with pytest.raises(EvenOddsError, match=where):
        getattr(model, method)(make(broken(value)))


def _labels(value, dtype=float):
    y = TARGET.astype(dtype)
    y[3] = value
    return y


def _weights(value):
    w = np.ones(40)
    w[3] = value
    return w


WRONG = {
    "NaN in y": (GOOD, _labels(np.nan), {}, r"y contains NaN.*row 3"),
    "infinity in y": (GOOD, _labels(np.inf), {}, r"y contains infinity.*row 3"),
    "None in y": (GOOD, _labels(None, object), {}, r"y contains NaN.*row 3"),
    "None among strings": (GOOD, np.where(np.arange(40) == 3, None, "ab"), {}, r"y contains NaN.*row 3"),
    "NaN in weights": (GOOD, TARGET, {"sample_weight": _weights(np.nan)}, r"sample_weight contains NaN.*row 3"),
    "infinite weight": (GOOD, TARGET, {"sample_weight": _weights(np.inf)}, r"sample_weight contains infinity.*row 3"),
    "negative weight": (GOOD, TARGET, {"sample_weight": _weights(-1)}, r"sample_weight is negative, -1 in row 3"),
    "all weights zero": (GOOD, TARGET, {"sample_weight": np.zeros(40)}, r"all rows have weight 0"),
    "weights of another length": (GOOD, TARGET, {"sample_weight": np.ones(39)}, r"sample_weight.*39.*40"),
    "weights of strings": (GOOD, TARGET, {"sample_weight": ["a"] * 40}, r"sample_weight is not numeric"),
    "NaN in the offset": (GOOD, TARGET, {"offset": _weights(np.nan)}, r"offset contains NaN.*row 3"),
    "offset of another length": (GOOD, TARGET, {"offset": np.ones(41)}, r"offset.*41.*40"),
    "offset with two columns": (GOOD, TARGET, {"offset": np.ones((40, 2))}, r"offset must be 1D"),
    "no rows": (GOOD[:0], TARGET[:0], {}, r"0 sample"),
    "no columns": (GOOD[:, :0], TARGET, {}, r"0 feature"),
    "1-d": (GOOD[:, 0], TARGET, {}, r"Reshape your data"),
    "3-d": (GOOD[:, :, None], TARGET, {}, r"dim 3"),
    "another length": (GOOD, TARGET[:39], {}, r"X has 40 rows, y 39"),
    "continuous y": (GOOD, np.where(TARGET, 0.2, 0.7), {}, r"Unknown label type"),
    "one class": (GOOD, np.ones(40), {}, r"one class only"),
    "complex": (GOOD + 1j, TARGET, {}, r"Complex data"),
    "strings": (GOOD.astype(str).astype(object) + "a", TARGET, {}, r"could not convert string"),
    "no y": (GOOD, None, {}, r"requires y"),
    "y in two columns": (GOOD, np.stack([TARGET, TARGET], axis=1), {}, r"1d array"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_named(name):
    X, y, given, words = WRONG[name]
    with pytest.raises(ValueError, match=f"(?s){words}"):
        LogisticRegression().fit(X, y, **given)


def test_wrong_input_of_other_kinds():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        matrix = np.asmatrix(GOOD)
    with pytest.raises(TypeError, match=r"np\.matrix"):
        LogisticRegression().fit(matrix, TARGET)
    with pytest.raises(NotFittedError):
        LogisticRegression().predict(GOOD)
    with pytest.raises(ValueError, match=r"3 features.*expecting 5"):
        LogisticRegression(C=1).fit(GOOD, TARGET).predict(GOOD[:, :3])


def test_duplicate_names_of_columns():
    frame = pd.DataFrame(GOOD, columns=["a", "b", "a", "c", "d"])
    with pytest.raises(EvenOddsError, match=r"(?i)(duplicate|twice|unique)[\s\S]*'a'"):
        LogisticRegression(C=1).fit(frame, TARGET)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("C", 0),
        ("C", -1),
        ("C", np.nan),
        ("C", "1"),
        ("C", None),
        ("tol", 0),
        ("tol", -1e-4),
        ("tol", np.nan),
        ("tol", np.inf),
        ("max_iter", -1),
        ("max_iter", 1.5),
        ("solver", "lbfgs"),
        ("solver", None),
        ("solver", 3),
        ("class_weight", "even"),
        ("class_weight", {0: -1, 1: 1}),
        ("class_weight", {0: np.inf, 1: 1}),
        ("class_weight", {0: 1, 5: 1}),
        ("class_weight", [1, 2]),
        ("n_jobs", 0),
        ("n_jobs", "all"),
    ],
)
def test_wrong_parameters_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        LogisticRegression(**{"C": 1, name: value}).fit(GOOD, TARGET)


def test_the_limit_of_iterations_is_never_silent():
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        model = LogisticRegression(C=1, max_iter=1).fit(GOOD, TARGET)
    assert model.solution_.status is Status.MAX_ITER
    assert model.n_iter_[0] == 1


def test_sparse_indices_beyond_31_bits():
    columns = 2**31 + 5
    X = sp.csr_array(
        (np.ones(4), np.array([0, 2**31 + 1, 0, 3], np.int64), np.array([0, 1, 2, 3, 4], np.int64)), shape=(4, columns)
    )
    # Coefficients of that many columns take 16 GB each: the home can hold it, and that is what is promised.
    assert as_data(X[:, :10].astype(float), np.array([0, 1, 0, 1])).n_columns == 10
    assert as_data(X, np.array([0, 1, 0, 1])).size == 4
