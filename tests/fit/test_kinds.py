"""X and what goes beside it, in every kind of value that frames, arrays and sparse matrices hold."""

import datetime
import decimal
import fractions
import itertools

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp

from evenodds import EvenOddsError, LogisticRegression, LogisticRegressionCV, find_separation, infer, path
from oracle import quiet

RNG = np.random.default_rng(0)
WHOLE = RNG.integers(0, 2, (40, 2)) + np.array([0, 3]) * RNG.integers(0, 2, (40, 1))  # 0, 1, 3, 4
WHOLE[:, 0] %= 2
Y = (WHOLE[:, 0] + RNG.logistic(size=40) > 0.5).astype(int)
TRUTH = LogisticRegression(C=1.0).fit(WHOLE.astype(float), Y)
READERS = {
    "fit": lambda X: LogisticRegression(C=1.0).fit(X, Y),
    "predict": TRUTH.predict,
    "score": lambda X: TRUTH.score(X, Y),
    "partial_fit": lambda X: LogisticRegression(C=1.0).partial_fit(X, Y),
    "path": lambda X: path(X, Y, n_C=2),
    "cv": lambda X: LogisticRegressionCV([1.0], cv=2).fit(X, Y),
    "find_separation": lambda X: find_separation(X, Y),
}


def frame(column):
    return {"a": column, "b": WHOLE[:, 1]}


def of_polars(dtype):
    return pl.DataFrame(frame(pl.Series(WHOLE[:, 0]).cast(dtype)))


def of_pandas(dtype):
    return pd.DataFrame(frame(pd.Series(WHOLE[:, 0]).astype(dtype)))


def of_arrow(dtype):
    return pa.table(frame(pa.array(WHOLE[:, 0]).cast(dtype)))


def of_objects(kind):
    return np.array([[kind(int(v)) for v in row] for row in WHOLE], dtype=object)


def indexed(form, dtype):
    X = form(WHOLE.astype(float))
    X.indices, X.indptr = X.indices.astype(dtype), X.indptr.astype(dtype)
    return X


WIDTHS = ("Int8", "Int16", "Int32", "Int64", "Int128", "UInt8", "UInt16", "UInt32", "UInt64", "UInt128")
POLARS = [getattr(pl, name) for name in (*WIDTHS, "Float16", "Float32", "Float64") if hasattr(pl, name)]
POLARS += [pl.Boolean, pl.Decimal(10, 2), pl.Decimal(38, 0)]
PANDAS = (
    "int8",
    "uint64",
    "float16",
    "longdouble",
    "Int8",
    "UInt64",
    "Float32",
    "Float64",
    "bool",
    "boolean",
    "object",
)
PANDAS += ("int64[pyarrow]", "double[pyarrow]", "bool[pyarrow]", "Sparse[float]", "Sparse[int]")
ARROW = (pa.int8(), pa.uint64(), pa.float32(), pa.float64(), pa.bool_(), pa.decimal128(30, 2), pa.decimal256(50, 2))
OBJECTS = (int, float, np.float32, np.longdouble, decimal.Decimal, fractions.Fraction, np.uint64, str)
SPARSE = ("csr", "csc", "coo", "lil", "dok", "bsr", "dia")
SAME = {
    **{f"polars {t}": lambda t=t: of_polars(t) for t in POLARS},
    "polars objects": lambda: pl.DataFrame(frame(pl.Series([*map(int, WHOLE[:, 0])], dtype=pl.Object))),
    **{f"pandas {t}": lambda t=t: of_pandas(t) for t in PANDAS},
    "pandas decimals": lambda: pd.DataFrame(frame([decimal.Decimal(int(v)) for v in WHOLE[:, 0]])),
    "pandas fractions": lambda: pd.DataFrame(frame([fractions.Fraction(int(v)) for v in WHOLE[:, 0]])),
    "pandas NumPy booleans": lambda: pd.DataFrame(frame(pd.Series([*(WHOLE[:, 0] > 0)], dtype=object))),
    **{f"Arrow {t}": lambda t=t: of_arrow(t) for t in ARROW},
    **{f"NumPy {t}": lambda t=t: WHOLE.astype(t) for t in ("f2", "g", "i1", "u8", ">f8", ">i4", "O")},
    **{f"objects {t.__name__}": lambda t=t: of_objects(t) for t in OBJECTS},
    **{f"list of {t.__name__}": lambda t=t: of_objects(t).tolist() for t in OBJECTS[:6]},
    **{
        f"{form} {kind} {t}": lambda form=form, kind=kind, t=t: getattr(sp, f"{form}_{kind}")(WHOLE.astype(t))
        for form, kind, t in itertools.product(SPARSE, ("array", "matrix"), ("f4", "f8", "i1", "u8", "g"))
    },
    **{
        f"{form.__name__} index {t}": lambda form=form, t=t: indexed(form, t)
        for form, t in itertools.product((sp.csr_array, sp.csc_matrix), ("i2", "i4", "i8", "u2", "u4", "u8"))
    },
}
TIME = datetime.datetime(2026, 1, 1)
NO_NUMBERS = {
    "pandas.NA": pd.NA,
    "None": None,
    "NaT": pd.NaT,
    "text": "a",
    "too large": 10**400,
    "complex": 1j,
    "a list": [1],
    "an array": np.array([1, 2]),
    "a dict": {},
    "a date": TIME.date(),
    "a time": TIME,
    "a duration": datetime.timedelta(1),
    "NumPy's date": np.datetime64("2026"),
    "NumPy's duration": np.timedelta64(1, "s"),
    "a timestamp": pd.Timestamp(TIME),
}


def holed(value, form):
    X = WHOLE.astype(object)
    X[3, 1] = value
    return {"objects": lambda: X, "list": lambda: [list(row) for row in X], "pandas": lambda: pd.DataFrame(X)}[form]()


def broken(change):
    X = sp.csr_array(np.ones((40, 2)))
    X.indices, X.indptr = X.indices.copy(), X.indptr.copy()
    change(X)
    return X


def put(where, k, value):
    return lambda X: getattr(X, where).__setitem__(k, value)


RECORDS = np.zeros(40, dtype=[("a", float), ("b", int)])
WRONG = {
    **{
        f"{name} in {form}": lambda value=value, form=form: holed(value, form)
        for (name, value), form in itertools.product(NO_NUMBERS.items(), ("objects", "list", "pandas"))
    },
    **{f"polars {t}": lambda t=t: of_polars(t) for t in (pl.Duration, pl.Date, pl.Datetime)},
    "polars lists": lambda: pl.DataFrame(frame([[1, 2]] * 40)),
    "polars structs": lambda: pl.DataFrame(frame([{"a": 1}] * 40)),
    "polars nulls": lambda: pl.DataFrame(frame([None] * 40)),
    "polars null of 128 bits": lambda: pl.DataFrame(frame(pl.Series([None, *WHOLE[1:, 0]]).cast(pl.Int128))),
    **{f"pandas {t}": lambda t=t: of_pandas(t) for t in ("complex128", "timedelta64[ns]")},
    "pandas intervals": lambda: pd.DataFrame(frame(pd.interval_range(0, 40))),
    "pandas durations as objects": lambda: pd.DataFrame(frame(pd.Series([np.timedelta64(1, "s")] * 40, dtype=object))),
    **{f"Arrow {t}": lambda t=t: of_arrow(t) for t in (pa.duration("s"), pa.timestamp("s"))},
    "Arrow lists": lambda: pa.table(frame(pa.array([[1]] * 40))),
    "Arrow nulls": lambda: pa.table(frame(pa.nulls(40))),
    **{f"NumPy {t}": lambda t=t: WHOLE.astype(t) for t in ("c8", "c16", "G", "S3", "U3", "M8[s]", "m8[s]")},
    "voids": lambda: np.zeros((40, 2), "V4"),
    "records": lambda: RECORDS,
    "records in two columns": lambda: np.zeros((40, 2), RECORDS.dtype),
    "record array": lambda: np.rec.array(RECORDS),
    "masked objects": lambda: np.ma.array(WHOLE.astype(object), mask=np.eye(40, 2)),
    "masked complex": lambda: np.ma.array(WHOLE + 1j),
    "sparse complex": lambda: sp.csr_array(WHOLE + 1j),
    "sparse in one axis": lambda: sp.coo_array(WHOLE[:, 0]),
    "sparse in three axes": lambda: sp.coo_array(np.ones((40, 2, 2))),
    "a column beyond": lambda: broken(put("indices", 0, 9)),
    "a column below": lambda: broken(put("indices", 0, -1)),
    "a row that ends before it starts": lambda: broken(put("indptr", 1, 9)),
    "more entries than there are": lambda: broken(put("indptr", 40, 99)),
}


def test_every_kind_of_number_is_the_same_number():
    for kind, make in SAME.items():
        X = make()
        model = LogisticRegression(C=1.0).fit(X, Y)
        np.testing.assert_allclose(model.coef_, TRUTH.coef_, rtol=1e-9, err_msg=kind)
        np.testing.assert_array_equal(model.predict(X), TRUTH.predict(WHOLE), err_msg=kind)
        for reader in ("path", "find_separation"):
            READERS[reader](X)


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_number_is_one_error(reader):
    for kind, make in WRONG.items():
        try:
            quiet(READERS[reader], make())
        except EvenOddsError:
            continue
        raise AssertionError(f"{reader} takes {kind}")


def test_text_is_a_factor_of_paths_and_of_the_judge():
    for make in (lambda: of_polars(pl.String), lambda: of_pandas("string"), lambda: of_pandas("category")):
        assert path(make(), Y, n_C=2).names == ("a[1]", "b")
        assert find_separation(make(), Y).names == ("(intercept)", "a[1]", "b")


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_its_place_is_named(name):
    with pytest.raises(EvenOddsError, match=r"column 1, row 3"):
        LogisticRegression(C=1.0).fit(holed(NO_NUMBERS[name], "objects"), Y)


WEIGHT = WHOLE[:, 0] + 1
BESIDE = {
    "list": list,
    "tuple": tuple,
    "objects": lambda v: v.astype(object),
    "decimals": lambda v: [decimal.Decimal(int(k)) for k in v],
    "long": lambda v: v.astype(np.longdouble),
    "pandas": pd.Series,
    "pandas nullable": lambda v: pd.Series(v, dtype="Int64"),
    "pandas Arrow": lambda v: pd.Series(v, dtype="int64[pyarrow]"),
    "polars": pl.Series,
    **{f"polars {t}": lambda v, t=t: pl.Series(v).cast(t) for t in POLARS if t not in (pl.Boolean,)},
    "Arrow": pa.array,
    "Arrow chunks": lambda v: pa.chunked_array([v[:10], v[10:]]),
    "Arrow decimals": lambda v: pa.array(v).cast(pa.decimal128(30, 2)),
}


@pytest.mark.parametrize("form", BESIDE)
def test_weights_offsets_and_clusters_of_any_kind(form):
    values = BESIDE[form](WEIGHT)
    truth = LogisticRegression(C=1.0).fit(WHOLE, Y, WEIGHT, WEIGHT)
    model = LogisticRegression(C=1.0).fit(WHOLE, Y, values, values)
    np.testing.assert_array_equal(model.coef_, truth.coef_)
    assert model.score(WHOLE, Y, values) == truth.score(WHOLE, Y, WEIGHT)
    se = infer(model, WHOLE, Y, values, values, cov="cluster", groups=values, weights="precision").se
    np.testing.assert_array_equal(
        se, infer(truth, WHOLE, Y, WEIGHT, WEIGHT, cov="cluster", groups=WEIGHT, weights="precision").se
    )


@pytest.mark.parametrize(
    "values",
    [
        WEIGHT + 1j,
        WEIGHT.astype("m8[s]"),
        pl.Series(WEIGHT).cast(pl.Duration),
        WEIGHT.astype(str),
        [10**400] * 40,
        pl.Series([[1.0]] * 40),
        pa.array([{"a": 1}] * 40),
        pd.Series([pd.NA] * 40),
        RECORDS,
        {"a": 1},
        object(),
    ],
    ids=lambda values: type(values).__name__ + str(getattr(values, "dtype", "")),
)
@pytest.mark.parametrize("name", ["sample_weight", "offset"])
def test_what_is_no_number_beside_x(name, values):
    for fit in (LogisticRegression(C=1.0).fit, lambda X, y, **rows: path(X, y, n_C=2, **rows)):
        with pytest.raises(EvenOddsError, match=name):
            fit(WHOLE, Y, **{name: values})
