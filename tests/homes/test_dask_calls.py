"""Whatever Dask has, as X and beside it: the fit is that of its rows in memory, or there is one error."""

import warnings

import numpy as np
import pandas as pd
import pytest
from test_dask import NAMES, N, parted, rows

from evenodds import EvenOddsError, LogisticRegression

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")


def collections(frame):
    """Whatever Dask has of the rows: by its name, what could be X, and what could be given beside it."""
    lazy, X, y = parted(frame), frame[NAMES].to_numpy(), (frame["y"] == "yes").to_numpy()
    sorted_by_text = dd.from_pandas(frame.set_index(frame.index.map("{:05d}".format)), npartitions=3)
    sorted_by_number = dd.from_pandas(frame, npartitions=4)
    odd = frame.assign(i=pd.cut(frame["x0"], 3), z=frame["x0"] * 1j, long=frame["x0"].astype(np.longdouble))
    odd, swapped = parted(odd), parted(pd.DataFrame({"swapped": frame["x1"].astype(">f8")}))  # pandas 2.2 copies none
    matrix = da.from_array(X, chunks=(900, 5))
    unknown = lazy[NAMES].to_dask_array()
    tables = {
        "frame": lazy[NAMES], "by text": sorted_by_text[NAMES], "by number": sorted_by_number[NAMES],
        "series": lazy["x0"], "index": lazy.index, "scalar": lazy["x0"].sum(), "no column": lazy[[]],
        "interval": odd[["x0", "i"]], "complex": odd[["x0", "z"]], "long": odd[["x0", "long"]],
        "swapped": swapped, "array": matrix, "cut": matrix.rechunk((700, 2)), "unknown": unknown,
        "column": matrix[:, 0], "cube": matrix[:, :, None], "complex array": matrix * 1j,
        "long array": matrix.astype(np.longdouble), "swapped array": matrix.astype(">f8"),
        "unknown width": unknown[:, da.from_array(np.ones(5, dtype=bool))], "empty array": matrix[:, :0],
        "delayed": dask.delayed(X), "bag": pytest.importorskip("dask.bag").from_sequence([1, 2]),
    }  # fmt: skip
    beside = {
        "series": lazy["y"] == "yes", "by text": sorted_by_text["y"], "by number": sorted_by_number["y"] == "yes",
        "frame of one": lazy[["y"]], "frame": lazy[["w", "o"]], "index": (lazy.index % 2),
        "scalar": lazy["x0"].sum(), "array": da.from_array(y, chunks=900),
        "other chunks": da.from_array(y, chunks=1300), "shorter": da.from_array(y[:-1], chunks=900),
        "unknown": lazy["w"].to_dask_array(), "two": da.from_array(X[:, :2], chunks=(900, 1)),
        "zero": da.from_array(y, chunks=900).sum(),
        "here": y, "list": y.tolist(), "ragged": [[1], [1, 2]] * (N // 2), "pandas": frame["y"], "number": 1.0,
        "delayed": dask.delayed(y), "complex": da.from_array(y * 1j, chunks=900),
        "long": da.from_array(frame["w"].to_numpy(np.longdouble), chunks=900), "nothing": None,
    }  # fmt: skip
    return tables, beside


def outcome_of(X, y, more):
    """The fit, or the error that it must be."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Dask says about the collections themselves
        try:
            return LogisticRegression(tol=1e-9).fit(X, y, **more)
        except EvenOddsError as error:
            return str(error)


def here_of(what):
    return what.compute() if dask.is_dask_collection(what) else what


def cases_of(tables, beside):
    """X, y, and what is given as which role."""
    found = [(x, y, None, None) for x in tables for y in beside]
    for kind in (("frame", "series"), ("array", "array")):
        found += [(*kind, role, other) for role in ("sample_weight", "offset") for other in beside]
    return found


@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_given_is_the_fit_of_its_rows_or_one_error(seed):
    with dask.config.set(scheduler="synchronous"):
        require_fits_or_errors(*collections(rows()), np.random.default_rng(seed), 80)


def require_fits_or_errors(tables, beside, rng, walked):
    cases, fitted = cases_of(tables, beside), 0
    for k in rng.permutation(len(cases))[:walked]:
        x, y, role, other = cases[k]
        more = {} if role is None else {role: beside[other]}
        found = outcome_of(tables[x], beside[y], more)
        if not isinstance(found, str):
            fitted += 1
            mine = {name: here_of(one) for name, one in more.items()}
            here = outcome_of(here_of(tables[x]), here_of(beside[y]), mine)
            assert not isinstance(here, str), (cases[k], here)
            np.testing.assert_allclose(found.coef_, here.coef_, rtol=1e-9, atol=1e-12, err_msg=str(cases[k]))
    assert fitted > 0


if __name__ == "__main__":
    with dask.config.set(scheduler="synchronous"):
        require_fits_or_errors(*collections(rows()), np.random.default_rng(0), 600)
