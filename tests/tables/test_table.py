"""Tables and arrays as users have them, in all that reads X: the estimator, `path` and `find_separation`."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from evenodds import EvenOddsError, LogisticRegression, find_separation, path
from evenodds.table import numeric_array

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
Y = (X @ [1.0, -1.0, 0.0] + RNG.logistic(size=60) > 0).astype(int)
NAMES = ["age", "dose", "weight"]
FRAMES = {
    "pandas": lambda: pd.DataFrame(X, columns=NAMES),
    "polars": lambda: pl.DataFrame(X, schema=NAMES),
    "arrow": lambda: pa.table(dict(zip(NAMES, X.T, strict=True))),
}
READERS = {
    "fit": lambda X: LogisticRegression(C=1.0).fit(X, Y),
    "path": lambda X: path(X, Y, n_C=3),
    "find_separation": lambda X: find_separation(X, Y),
}
readers = pytest.mark.parametrize("read", READERS.values(), ids=READERS)


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_names_of_columns_are_kept(frame):
    assert READERS["fit"](frame()).feature_names_in_.tolist() == NAMES
    assert READERS["path"](frame()).names == tuple(NAMES)
    assert READERS["find_separation"](frame()).names == ("(intercept)", *NAMES)


def test_numbers_as_names_are_none():
    frame = pd.DataFrame(X)
    assert not hasattr(READERS["fit"](frame), "feature_names_in_")
    assert READERS["path"](frame).names == (0, 1, 2)
    assert READERS["find_separation"](frame).names == ("(intercept)", "x0", "x1", "x2")


@readers
def test_masked_values_are_an_error(read):
    masked = np.ma.masked_array(X, mask=False)
    read(masked)
    masked[5, 2] = np.ma.masked
    with pytest.raises(EvenOddsError, match="masked values, first in column 2, row 5"):
        read(masked)


@readers
def test_dates_are_an_error(read):
    with pytest.raises(EvenOddsError, match="dates or durations"):
        read(np.full(X.shape, np.datetime64("2026-01-01")))


@readers
def test_a_missing_value_among_objects_is_named_by_its_row(read):
    frame = FRAMES["pandas"]().astype({"dose": object})
    read(frame)
    frame.loc[7, "dose"] = None
    with pytest.raises(EvenOddsError, match="column 'dose' has a missing value, first in row 7"):
        read(frame)


@readers
@pytest.mark.parametrize("shape", [(60, 0), (0, 3)])
def test_a_table_without_rows_or_columns_is_an_error(read, shape):
    with pytest.raises(EvenOddsError, match=r"0 (feature|sample)|at least one row and column"):
        read(np.empty(shape))


# Whole frames at once


PLAIN = ["bool", "float32", "float64", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))]
OTHER = ["decimal", "nullable", "object"]


def column(kind, rng, n):
    """Numbers as a frame of pandas and one of polars hold them, and what they are."""
    values = rng.integers(0, 2, n) if kind == "bool" else rng.integers(0, 100, n)
    dtype = kind if kind in PLAIN else "int64"
    held = values.astype(dtype)
    if kind == "decimal":
        some = [decimal.Decimal(int(value)) for value in values]
        return pd.Series(some), pl.Series(some, dtype=pl.Decimal(10, 2)), values
    if kind == "object":
        return pd.Series(held, dtype=object), pl.Series(list(map(int, values)), dtype=pl.Object), values
    return pd.Series(held, dtype="Int64" if kind == "nullable" else None), pl.Series(held), values


@pytest.mark.parametrize("seed", range(40))
def test_columns_of_any_kinds_are_the_numbers_that_they_hold(seed):
    rng = np.random.default_rng(seed)
    kinds = rng.choice(PLAIN if seed % 2 else PLAIN + OTHER, rng.integers(1, 6))
    n = int(rng.integers(1, 5))
    pandas, polars, values = zip(*(column(kind, rng, n) for kind in kinds), strict=True)
    names = [f"{kind} {k}" for k, kind in enumerate(kinds)]
    for frame in (
        pd.DataFrame(dict(zip(names, pandas, strict=True))),
        pl.DataFrame(dict(zip(names, polars, strict=True))),
    ):
        array, found = numeric_array(frame)
        assert found == names
        assert array.dtype.kind in "biuf"
        np.testing.assert_array_equal(array, np.column_stack(values))


@pytest.mark.parametrize("package", ["pandas", "polars"])
@pytest.mark.parametrize("seed", range(20))
def test_a_missing_value_is_named_by_column_and_row_whatever_the_kinds(package, seed):
    rng = np.random.default_rng(seed)
    kinds = rng.choice(PLAIN, rng.integers(1, 6))
    at, row = int(rng.integers(kinds.size)), int(rng.integers(30))
    columns = {f"c{k}": column(kind, rng, 30)[package == "polars"].to_list() for k, kind in enumerate(kinds)}
    columns[f"c{at}"][row] = None
    frame = (pd if package == "pandas" else pl).DataFrame(columns)
    with pytest.raises(EvenOddsError, match=f"column 'c{at}' has a missing value, first in row {row} "):
        numeric_array(frame)


def test_infinite_values_of_both_signs_are_no_missing_ones():
    X = np.array([[np.inf, 1.0], [-np.inf, 2.0]])
    np.testing.assert_array_equal(numeric_array(pd.DataFrame(X))[0], X)


@pytest.mark.parametrize("make", [pd.DataFrame, lambda columns: pl.DataFrame(columns)])
def test_dates_beside_numbers_are_named(make):
    frame = make(
        {"age": [1.0, 2.0], "born": [datetime.date(2000, 1, 1)] * 2, "at": [datetime.datetime(2000, 1, 1)] * 2}
    )
    with pytest.raises(EvenOddsError, match="Not numeric: columns 'born', 'at'"):
        numeric_array(frame)


@pytest.mark.parametrize("make", [pd.DataFrame, lambda columns: pl.DataFrame(columns)])
def test_a_model_takes_the_columns_of_its_fit_alone(make):
    columns = dict(zip(NAMES, X.T, strict=True))
    model = LogisticRegression(C=1.0).fit(make(columns), Y)
    expected = LogisticRegression(C=1.0).fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(make(columns)), expected, rtol=1e-12)
    for other in (NAMES[::-1], ["age", "dose", "height"], NAMES[:2]):
        with pytest.raises(EvenOddsError, match="feature names should match"):
            model.predict_proba(make(dict.fromkeys(other, X[:, 0])))
    with pytest.raises(EvenOddsError, match="at least one row"):
        model.predict_proba(make(dict.fromkeys(NAMES, X[:0, 0])))
