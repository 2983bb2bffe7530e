"""Tables and arrays as users have them, in all that reads X: the estimator, `path` and `find_separation`."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from evenodds import EvenOddsError, LogisticRegression, find_separation, path

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
