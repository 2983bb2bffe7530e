"""Several classes beside a factor of many levels, whose columns are eliminated: the numbers of the dense design."""

import warnings

import numpy as np
import pytest
from coded_tables import COVARIANCES, classes_of_levels, draw_classes
from sklearn.exceptions import ConvergenceWarning

import evenodds.data.coded
from evenodds import EvenOddsError, LogisticRegression, SeparationWarning, fit_table, infer
from evenodds.solvers import Status

pytest.importorskip("formulaic")


def fitted(table, formula, C, offset):
    """The fit, and what `infer` is given: a formula, or columns with an offset for each class."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeparationWarning)
        warnings.filterwarnings("ignore", "Aliased|.*combination")
        warnings.filterwarnings("ignore", category=UserWarning)
        if offset is None:
            return fit_table(formula, table, weight="w", C=C, tol=1e-9), (table,)
        rows = table[["x", "z", "a", "b"]], table.y, table.w, offset
        return LogisticRegression(C=C, tol=1e-9).fit(*rows), rows


def inferred(model, rows, asked):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of columns of 1e6 times others, which have few digits
        warnings.simplefilter("ignore", SeparationWarning)
        return infer(model, *rows, **asked)


@pytest.mark.parametrize("seeds", [range(0, 14), range(14, 28)], ids=["first", "second"])
def test_fits_and_standard_errors_are_those_of_the_dense_design(seeds, held):
    walked = 0
    for seed in seeds:
        table, formula, C = draw_classes(seed)
        rng = np.random.default_rng(seed)
        asked = {"cov": COVARIANCES[seed % 6], "weights": str(rng.choice(["frequency", "sampling", "precision"]))}
        asked["groups"] = rng.integers(8, size=len(table)) if asked["cov"] == "cluster" else None
        asked["baseline"] = None if rng.random() < 0.5 else 1
        K = table.y.nunique()
        offset = 0.5 * rng.normal(size=(len(table), K)) if rng.random() < 0.3 else None
        held("dense")
        try:
            model, rows = fitted(table, formula, C, offset)
            expected = inferred(model, rows, asked)
        except EvenOddsError:  # a factor that tells rows apart, or a covariance that is singular
            continue
        if model.solution_.status is not Status.CONVERGED:
            continue
        held("wide")
        coded, rows = fitted(table, formula, C, offset)
        walked += 1
        assert coded.solution_.status in (Status.CONVERGED, Status.STALLED)  # tol is about what rounding leaves
        assert coded.predict_proba(rows[0]) == pytest.approx(model.predict_proba(rows[0]), abs=1e-7), (seed, formula)
        result = inferred(coded, rows, asked)
        assert coded.aliased_ == model.aliased_, (seed, formula)
        assert result.notes == expected.notes
        known = np.isfinite(expected.se)
        assert (known == np.isfinite(result.se)).all()
        assert result.se[known] == pytest.approx(expected.se[known], rel=1e-8), (seed, formula, asked["cov"])
        known = known.ravel()
        size = np.outer(expected.se, expected.se)[known][:, known] + 1e-300
        apart = (result.covariance - expected.covariance)[known][:, known]
        assert np.abs(apart / size).max() < 1e-8
        assert result.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-10)
        assert result.certificate.proved == expected.certificate.proved
    assert walked >= len(seeds) // 2


def test_a_slight_penalty_does_not_hide_how_far_a_fit_is(held):
    """What the slopes of all classes share has no more curvature than the penalty's, which can be below rounding."""
    for seed in (159, 166, *range(4)):
        table, formula, _ = draw_classes(seed)
        C = float(10.0 ** np.random.default_rng(seed).uniform(3, 12))
        held("wide")
        solution = fit_table(formula, table, weight="w", C=C, tol=1e-8).solution_
        assert solution.status is Status.CONVERGED, (seed, formula, C)
        held("dense")
        dense = fit_table(formula, table, weight="w", C=C, tol=1e-8).solution_
        assert solution.loss == pytest.approx(dense.loss, rel=1e-12), (seed, formula, C)


@pytest.mark.parametrize("baseline", [None, 1])
def test_the_joint_test_of_many_levels_of_several_classes(baseline, held):
    table = classes_of_levels(1500, 40)
    found = []
    for how in ("dense", "wide"):
        held(how)
        result = infer(fit_table("y", table, C=1.0, tol=1e-9), table, baseline=baseline)
        found.append(result.test("city"))
    assert found[1].df == found[0].df == 78
    assert found[1].statistic == pytest.approx(found[0].statistic, rel=1e-8)


def test_no_matrix_is_made_of_a_factor_of_many_levels_of_several_classes(monkeypatch):
    made = []
    made_csr = evenodds.data.coded.Coded._as_csr
    monkeypatch.setattr(
        evenodds.data.coded.Coded, "_as_csr", lambda self: (made.append(self.shape[0]), made_csr(self))[1]
    )
    table = classes_of_levels(60_000)
    model = fit_table("y", table, C=1.0)
    result = infer(model, table)
    assert model.solution_.status is Status.CONVERGED
    assert max(made, default=0) < 20_000  # of samples alone
    assert result.raw_covariance is None
    assert result.certificate.proved
    assert str(result).count("\n") > 2000
