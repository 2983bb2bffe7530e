"""Levels of one class beside a factor of many levels: what the exact judge says of the dense design, without it."""

import warnings

import numpy as np
import pytest
from coded_tables import classes_of_levels

from evenodds import SeparationWarning, find_separation, fit_table, infer
from evenodds.solvers import Status

pytest.importorskip("formulaic")


def draw(seed):
    rng = np.random.default_rng(seed)
    table = classes_of_levels(int(rng.integers(60, 300)), int(rng.integers(8, 30)), 2, seed)
    table["x"] -= 1e6
    return table


def quiet(function, *given, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeparationWarning)
        return function(*given, **more)


@pytest.mark.parametrize("seed", [0, 4, 6, 10, 14, 21, 23, 27])
def test_what_separates_and_what_is_left_are_those_of_the_dense_design(seed, held):
    table, found = draw(seed), []
    for how in ("dense", "wide"):
        held(how)
        model = quiet(fit_table, "y", table, tol=1e-8)
        told = find_separation(table.drop(columns="y"), table.y)
        result = quiet(infer, model, table)
        found.append((model.solution_.status, told, result, quiet(result.predict, table), quiet(result.margins, table)))
    (status, judge, expected, p, effects), (own_status, own, result, own_p, own_effects) = found
    assert own_status is status
    assert (own.kind, own.rows.tolist()) == (judge.kind, judge.rows.tolist())
    assert own.infinite == pytest.approx(judge.infinite, nan_ok=True)
    assert result.notes == expected.notes
    assert result.se == pytest.approx(expected.se, rel=1e-8, nan_ok=True)
    for name in ("probability", "se"):
        assert own_p[name].to_numpy() == pytest.approx(p[name].to_numpy(), abs=1e-9, nan_ok=True)
    for name in ("effect", "se"):
        assert own_effects[name].to_numpy() == pytest.approx(effects[name].to_numpy(), abs=1e-9, nan_ok=True)


def test_a_fit_its_inference_and_the_search_agree_about_thousands_of_levels():
    table = classes_of_levels(6000, 1500, 2)
    table["x"] -= 1e6
    with pytest.warns(SeparationWarning):
        model = fit_table("y", table)
    assert model.solution_.status is Status.SEPARATED
    lone = table.groupby("city").y.mean()
    told = find_separation(table.drop(columns="y"), table.y)
    reference = sorted(table.city)[0]
    expected = {f"city[{name}]": np.inf if mean else -np.inf for name, mean in lone.items() if mean in (0, 1)}
    assert reference not in expected
    assert told.infinite == expected
    assert told.rows.tolist() == np.flatnonzero(lone[table.city].isin([0, 1]).to_numpy()).tolist()
    result = quiet(infer, model, table)
    assert {name for name, note in result.notes.items() if note.startswith("infinite")} == set(expected)
    rest = table[~table.city.map(lone).isin([0, 1])]
    alone = infer(fit_table("y", rest, tol=1e-8), rest)
    assert result.coef[1] == pytest.approx(alone.coef[1], rel=1e-6)
    assert result.se[1] == pytest.approx(alone.se[1], rel=1e-6)
