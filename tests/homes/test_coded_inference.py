"""What is asked of a fit beside a factor of many levels, which is eliminated: the numbers of the dense design."""

import numpy as np
import pytest
from coded_tables import classes_of_levels

from evenodds import SeparationWarning, fit_table, infer

pytest.importorskip("formulaic")
FORMULAS = ("y", "y ~ x + few*b + city", "y ~ few*x + city + b", "y ~ few:city + x")
MARGINS = ({}, {"kind": "eyex"}, {"kind": "eydx"}, {"at": {"x": 1e6, "few": "b"}}, {"at": "mean"})


def draw(seed):
    rng = np.random.default_rng(seed)
    K = int(rng.integers(2, 5))
    table = classes_of_levels(int(rng.integers(600, 1200)), int(rng.integers(3, 20)), K, seed)
    table["b"] = rng.integers(2, size=len(table)).astype(float)
    formula = FORMULAS[seed % len(FORMULAS)]
    table["x"] -= 1e6 * ("*x" in formula)  # products far from 0 have few digits
    mixed = table.groupby(["few", "city"] if ":" in formula else "city").y.transform("nunique") == K
    return table[mixed].reset_index(drop=True), formula, float(rng.choice([np.inf, 1.0, 100.0]))


def same(found, expected, rel):
    """Two tables: the same words, and numbers."""
    assert list(found.columns) == list(expected.columns)
    for name in expected.columns:
        one, other = found[name].to_numpy(), expected[name].to_numpy()
        if one.dtype.kind in "fi":
            size = np.nanmax(np.abs(other), initial=0.0)
            assert one == pytest.approx(other, rel=rel, abs=1e-9 * size, nan_ok=True), name
        else:
            assert (one == other).all()


@pytest.mark.parametrize("seed", range(12))
def test_predictions_margins_and_tests_are_those_of_the_dense_design(seed, held):
    table, formula, C = draw(seed)
    asked, found = MARGINS[seed % len(MARGINS)], []
    for how in ("dense", "wide"):
        held(how)
        result = infer(fit_table(formula, table, C=C, tol=1e-8), table, cov=("model", "HC1")[seed % 2])
        where = {} if formula != "y" and "few" in asked.get("at", {}) and ":" in formula else asked
        found.append((result.predict(table), result.margins(table, **where), result.anova()))
    for expected, other in zip(*found, strict=True):
        same(other, expected, 1e-6)


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("kind", ["dydx", "eydx"])
def test_margins_of_scores_that_are_far_apart_are_the_same(classes, kind, held, monkeypatch):
    """The exponentials of far scores have no product that is a number; of near ones both ways are open."""
    held("wide")
    table = classes_of_levels(600, 20, classes)
    table["x"] -= 1e6
    result = infer(fit_table("y", table, C=1.0), table)
    near = result.margins(table, kind=kind)
    monkeypatch.setattr("evenodds.inference.level_margins._FAR", 0.0)
    same(result.margins(table, kind=kind), near, 1e-10)


@pytest.mark.parametrize("classes", [2, 3])
def test_margins_of_thousands_of_levels_are_means_over_the_rows(classes):
    table = classes_of_levels(4000, 1500, classes)
    model = fit_table("y", table, C=1.0)
    result = infer(model, table)
    found = result.margins(table)
    rng = np.random.default_rng(0)
    for label in rng.choice(table.city.unique(), 5):
        if label == sorted(table.city)[0]:
            continue
        ends = [model.predict_proba(table.assign(city=level)) for level in (sorted(table.city)[0], label)]
        effect = (ends[1] - ends[0]).mean(axis=0)
        own = found[found.term == f"city[{label}]"]
        assert own.effect.to_numpy() == pytest.approx(
            effect[1:] if classes == 2 else effect, abs=1e-10
        )  # of x near 1e6
        assert (own.se > 0).all()


def test_the_table_of_terms_with_thousands_of_levels():
    table = classes_of_levels(20_000, 1200, 2)
    table = table[table.groupby("city").y.transform("nunique") == 2]
    result = infer(fit_table("y", table), table)
    terms = result.anova().set_index("term")
    smaller = infer(fit_table("y ~ x + few", table), table)
    assert terms.lr["city"] == pytest.approx(2 * (result.log_likelihood - smaller.log_likelihood), rel=1e-9)
    assert terms.df["city"] == result.n_coef - smaller.n_coef
    assert terms.wald["city"] == pytest.approx(result.test("city").statistic, rel=1e-9)
    without = infer(fit_table("y ~ few + city", table), table)
    assert terms.lr["x"] == pytest.approx(2 * (result.log_likelihood - without.log_likelihood), rel=1e-8)


@pytest.mark.parametrize("seed", [0, 1, 4])
def test_the_limit_of_separated_classes_is_that_of_the_dense_design(seed, held):
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(3, 5))
    table, found = classes_of_levels(int(rng.integers(80, 160)), int(rng.integers(5, 12)), classes, seed), []
    table.loc[table.city == table.city[0], "y"] = table.y[0]
    for how in ("wide", "dense"):
        held(how)
        with pytest.warns(SeparationWarning):
            model = fit_table("y ~ x + few + city", table)
        found.append(infer(model, table))
    wide, dense = found
    assert np.isinf(dense.coef).any() or np.isnan(dense.coef).any()
    assert wide.coef == pytest.approx(dense.coef, rel=1e-6, abs=1e-6, nan_ok=True)
    assert wide.se == pytest.approx(dense.se, rel=1e-6, nan_ok=True)
    assert wide.log_likelihood == pytest.approx(dense.log_likelihood, rel=1e-9)
    same(*(one.predict(table.head(20)).filter(like="probability") for one in found), 1e-6)
