"""What is certain beside a factor of many levels, of two classes: what the dense design says, infinities and ends too.

Levels of one class, levels of a small factor of one class, the references among them, and levels within others.
"""

import warnings

import numpy as np
import pandas as pd
import pytest

from evenodds import SeparationWarning, find_separation, fit_table, infer

pytest.importorskip("formulaic")


def draw(seed):
    """A table in which some levels have rows of one class only."""
    rng = np.random.default_rng(seed)
    n, levels = int(rng.integers(60, 250)), int(rng.integers(6, 30))
    city = [f"c{k:02d}" for k in rng.integers(0, levels, n)]
    table = pd.DataFrame({"x": rng.normal(size=n), "few": rng.choice(list("abc"), n), "city": city})
    table["y"] = (table.x * rng.normal() + rng.logistic(size=n) > 0).astype(int)
    lone = list(rng.choice(table.city.unique(), int(rng.integers(1, 4)), replace=False))
    for name in lone + [table.city.min()] * int(rng.random() < 0.4):
        table.loc[table.city == name, "y"] = int(rng.integers(2))
    if rng.random() < 0.4:  # a level of the small factor, whose rows may be all of a level of the large one
        name = rng.choice(list("abc"))
        table.loc[table.few == name, "y"] = int(rng.integers(2))
        if rng.random() < 0.5:
            table.loc[table.city == lone[0], "few"] = name
    return table


@pytest.mark.parametrize("seed", [*range(10), 61, 94])
def test_infinities_and_ends_are_those_of_the_dense_design(seed, held):
    table, found, told = draw(seed), [], []
    for how in ("wide", "dense"):
        held(how)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SeparationWarning)
            found.append(infer(fit_table("y ~ x + few + city", table), table))
            told.append(found[-1].predict(table.head(25)))
    wide, dense = found
    assert not np.isfinite(dense.coef).all()
    np.testing.assert_allclose(wide.coef, dense.coef, 1e-6, 1e-6)
    np.testing.assert_allclose(wide.se, dense.se, 1e-6)
    for name in told[1].columns:
        np.testing.assert_allclose(told[0][name], told[1][name], 1e-6, 1e-9, err_msg=name)


@pytest.mark.parametrize("seed", [0, 11, 34, 44, 68])
def test_an_intercept_that_no_direction_moves_is_finite(seed):
    """A trace of rounding in the directions of a dense design: sums of it are no more than it is."""
    rng = np.random.default_rng(seed)
    n, levels = int(rng.integers(100, 260)), int(rng.integers(7, 12))
    table = pd.DataFrame({"x": rng.normal(size=n), "few": rng.choice(list("abc"), n)})
    table["city"] = [f"c{k:02d}" for k in rng.integers(0, levels, n)]
    y = rng.integers(0, 2, n)
    y[table.city.isin(["c04", "c06"])] = 0
    y[table.few == "b"] = 1
    rest = y[((table.few != "b") & (table.city == "c00")).to_numpy()]
    assert 0 < rest.mean() < 1
    design = pd.get_dummies(table[["few", "city"]]).drop(columns=["few_a", "city_c00"]).astype(float)
    found = find_separation(pd.concat([table[["x"]], design], axis=1), y)
    assert found.infinite == {"few_b": np.inf, "city_c04": -np.inf, "city_c06": -np.inf}
