"""Columns of every type that pandas, polars and Arrow have: each is in the model, or one error says what to do."""

import datetime
import decimal
import enum
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from evenodds import EvenOddsError, LogisticRegression, diagnose, fit_table, infer
from evenodds.export import load, save

N = 60
RNG = np.random.default_rng(0)
Y, TWO, THREE, Z = RNG.integers(0, 2, N), RNG.integers(0, 2, N), RNG.integers(0, 3, N), RNG.normal(size=N)
DAYS = [datetime.date(2020, 1, 1), datetime.date(2020, 2, 1), datetime.date(2021, 1, 1)]


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def of(*values):
    return [values[k] for k in (TWO if len(values) == 2 else THREE)]


def codes(*values):
    return pa.DictionaryArray.from_arrays(pa.array(THREE.astype(np.int32)), pa.array(list(values)))


COLUMNS = {
    "intervals": pd.cut(Z, 3),
    "intervals that are missing": pd.cut(np.where(THREE == 0, np.nan, Z), 3),
    "categories that are dates": pd.Categorical(of(*DAYS)),
    "categories that are times": pd.Categorical(pd.to_datetime(of(*DAYS))),
    "categories that are decimals": pd.Categorical(of(decimal.Decimal("0.5"), decimal.Decimal("1"))),
    "categories of two kinds": pd.Categorical(of("a", 1)),
    "categories that are tuples": pd.Categorical(of(("a", 1), ("b", 2))),
    "categories that are durations": pd.Categorical(pd.to_timedelta(THREE, unit="D")),
    "categories of Arrow": pd.array(of("b", "a"), dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
    "periods": pd.PeriodIndex(of("2020-01", "2020-02"), freq="M"),
    "time zones": pd.to_datetime(of(*DAYS)).tz_localize("Europe/Paris"),
    "enumeration": of(Colour.RED, Colour.BLUE),
    "identifiers": of(uuid.UUID(int=1), uuid.UUID(int=2)),
    "bytes": of(b"a", b"b"),
    "lists": of([1], [2]),
    "complex numbers": Z + 1j,
    "sparse numbers": pd.arrays.SparseArray(THREE.astype(float)),
    "infinity": np.where(THREE == 0, np.inf, THREE),
    "nothing": [None] * N,
    "no numbers": np.full(N, np.nan),
    "no times": [pd.NaT] * N,
    "dictionary with a null": codes("a", "b", None),
    "dictionary that repeats itself": codes("a", "b", "a"),
    "dictionary of dates": codes(*DAYS),
    "clock": pa.array(of(datetime.time(1), datetime.time(2))),
    "durations": pl.Series(of(datetime.timedelta(1), datetime.timedelta(2))),
    "enum of polars": pl.Series(of("b", "a"), dtype=pl.Enum(["b", "a"])),
    "records": pl.Series(of({"a": 1}, {"a": 2})),
}


def frame_of(column):
    if isinstance(column, pa.Array):
        return pa.table({"y": Y, "x": column, "z": Z})
    kind = pl.DataFrame if isinstance(column, pl.Series) else pd.DataFrame
    return kind({"y": Y, "x": column, "z": Z})


def some(frame, start, count):
    return frame.iloc[start : start + count] if isinstance(frame, pd.DataFrame) else frame.slice(start, count)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_any_type_is_taken_or_told(name, tmp_path):
    frame = frame_of(COLUMNS[name])
    str(diagnose(frame, target="y"))
    for formula in ("y", "y ~ x:z", "y ~ C(x) + z", "y ~ poly(x, 2) + z", "y ~ scale(x)", "y ~ month(x)", "x ~ z"):
        try:
            model = fit_table(formula, frame, missing="indicator" if formula[0] == "y" else "drop", C=1.0)
        except EvenOddsError:
            continue
        P = model.predict_proba(frame)
        for start in range(5):
            assert_array_equal(model.predict_proba(some(frame, start, 1)), P[start : start + 1])
        save(model, tmp_path / "model.json")
        assert_array_equal(load(tmp_path / "model.json").predict_proba(frame), P)
        assert len(str(infer(model, frame))) > 100


def test_intervals_are_levels_in_their_order():
    ages = RNG.uniform(0, 120, 200)
    bands = pd.cut(ages, [0, 5, 18, 65, 120])  # as text, "(18, 65]" sorts before "(5, 18]"
    frame = pd.DataFrame({"band": bands, "y": RNG.integers(0, 2, 200)})
    model = fit_table("y", frame)
    assert model.design_.names == ("band[(5, 18]]", "band[(18, 65]]", "band[(65, 120]]")
    expected = LogisticRegression().fit(pd.get_dummies(bands.codes, drop_first=True).to_numpy(dtype=float), frame["y"])
    assert_array_equal(model.predict_proba(frame), model.predict_proba(frame.astype({"band": str})))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)


@pytest.mark.parametrize(
    ("column", "formula", "message"),
    [
        ("categories that are dates", "y ~ x", r"month\(x\) \+ weekday\(x\)"),
        ("time zones", "y ~ scale(x)", r"month\(x\) \+ weekday\(x\)"),
        ("no numbers", "y", r"'x' has no value in any row\. Leave it out"),
        ("no numbers", "y ~ C(x)", r"'x' has no value in any row\. Leave it out"),
        ("no times", "y ~ month(x)", r"'x' has no value in any row\. Leave it out"),
        ("infinity", "y ~ C(x)", r"'x' holds infinity"),
        ("enumeration", "y", r"Make numbers or text of them, or leave it out"),
        ("dictionary of dates", "x ~ z", r"make them numbers, strings or booleans"),
    ],
)
def test_what_is_told(column, formula, message):
    with pytest.raises(EvenOddsError, match=message):
        fit_table(formula, frame_of(COLUMNS[column]), missing="indicator" if formula[0] == "y" else "drop")


@pytest.mark.parametrize("missing", ["error", "indicator"])
@pytest.mark.parametrize("term", ["x", "scale(x)", "center(x)", "poly(x, 2)", "bs(x, df=4)", "scale(log(z))"])
def test_what_is_no_finite_number_is_told_by_its_row(term, missing):
    frame = pd.DataFrame({"y": Y, "x": np.where(THREE == 0, -np.inf, Z), "z": Z})
    with pytest.raises(EvenOddsError, match=r"infinity, first in row|is no finite number in row"):
        fit_table(f"y ~ {term}", frame, missing=missing)


def test_numbers_too_large_to_be_squared_have_no_scale():
    with pytest.raises(EvenOddsError, match=r"scale\(z\) is no finite number in row 0"):
        fit_table("y ~ scale(z)", pd.DataFrame({"y": Y, "z": Z * 1e200}))


EMPTY = {
    "NaN": lambda n: pd.Series(np.full(n, np.nan)),
    "NaT": lambda n: pd.Series([pd.NaT] * n),
    "None": lambda n: pd.Series([None] * n, dtype=object),
    "integers": lambda n: pd.Series([pd.NA] * n, dtype="Int64"),
    "booleans": lambda n: pd.Series([pd.NA] * n, dtype="boolean"),
    "strings": lambda n: pd.Series([pd.NA] * n, dtype="string"),
    "categories": lambda n: pd.Series(pd.Categorical([None] * n, categories=["other"])),
    "categories that are numbers": lambda n: pd.Series(pd.Categorical([None] * n, categories=[1.5])),
    "no categories": lambda n: pd.Series(pd.Categorical([None] * n)),
}


@pytest.mark.parametrize("column", ["z", "a", "b", "c", "d"])
@pytest.mark.parametrize("missing", ["drop", "indicator"])
@pytest.mark.parametrize("empty", EMPTY)
def test_rows_without_any_value_in_a_column_are_as_in_their_table(column, missing, empty):
    frame = pd.DataFrame({"y": Y, "z": Z, "a": pd.Series(of("u", "v")), "b": pd.Series(THREE == 0).astype("boolean")})
    frame["c"] = pd.Categorical(of("p", "q"))
    frame["d"] = pd.to_datetime(pd.Series(of(*DAYS)))
    frame.loc[frame.index % 7 == 3, column] = None
    model = fit_table("y ~ z + a + b + c + month(d)", frame, missing=missing, C=1.0)
    lost = frame.index[frame[column].isna()]
    alone = frame.loc[lost].reset_index(drop=True).assign(**{column: EMPTY[empty](len(lost))})
    assert_array_equal(model.predict_proba(alone), model.predict_proba(frame)[lost])


@pytest.mark.parametrize("term", ["month(x)", "bs(hour(x), df=4)", "I(2 * hour(x))"])
def test_parts_of_dates_are_missing_where_no_row_has_a_date(term):
    times = pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 10**7, N), unit="s")
    model = fit_table(f"y ~ {term}", pd.DataFrame({"y": Y, "x": times}), missing="drop", C=1.0)
    for nothing in (pd.DataFrame({"x": [np.nan]}), pl.DataFrame({"x": [None]}), pd.DataFrame({"x": [pd.NaT]})):
        assert np.isnan(model.predict_proba(nothing)).all()
