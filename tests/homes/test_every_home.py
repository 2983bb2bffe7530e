"""Fits, inference, paths and separation say the same of rows in memory, in a list of uneven blocks, and elsewhere."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

import evenodds
from evenodds import LogisticRegression, find_separation, infer, path
from evenodds.data import as_data
from homes import SCANNED, Blocks, Remote, moved

HOMES = {"blocks": Blocks, "remote": Remote, "spilled": SCANNED["spilled"]}
FORMS = {"dense": np.asarray, "F": np.asfortranarray, "float32": np.float32, "sparse": sp.csr_array}
IN_FORMS = [(kind, form) for kind in HOMES for form in FORMS if kind != "spilled" or form == "dense"]


def rows(n_classes=2, n=900, separated=False, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)) * (rng.random((n, 4)) < 0.4)
    eta = X @ rng.normal(size=(4, n_classes)) * 0.7
    y = (eta + rng.gumbel(size=(n, n_classes))).argmax(axis=1)
    if separated:
        X[:, 0] = np.where(y == 1, 1.0, 0.0) * (rng.random(n) < 0.5)
    return np.float32(X).astype(float), y, rng.integers(1, 4, n).astype(float), rng.normal(0, 0.3, n)


@pytest.fixture
def at_home(monkeypatch):
    """What tells of rows, asked of those in memory and of those in another home: both answers."""

    def ask(kind, answer):
        here = answer()

        def elsewhere(*args, **kwargs):
            return moved(as_data(*args, **kwargs), HOMES[kind])

        monkeypatch.setattr("evenodds.reading.as_data", elsewhere)
        return here, answer()

    return ask


def compared(here, there, rtol=1e-5, atol=1e-6):
    for name in here:
        np.testing.assert_allclose(there[name], here[name], rtol=rtol, atol=atol, err_msg=name)


FITS = {
    "plain": {},
    "newton": {"solver": "newton"},
    "ridge": {"C": 1.0, "solver": "quasi-newton"},
    "standardized": {"C": 0.1, "standardize": True},
    "no intercept": {"fit_intercept": False},
    "lasso": {"C": 0.05, "l1_ratio": 1.0},
    "bounds": {"lower": -0.1, "upper": 0.2},
    "factors": {"C": 1.0, "penalty_factor": [0, 1, 2, 0]},
    "Firth": {"firth": True},
    "FLIC": {"firth": "flic"},
    "FLAC": {"firth": "flac"},
}


@pytest.mark.parametrize(("kind", "form"), IN_FORMS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_fits(at_home, kind, form, n_classes):
    X, y, weight, offset = rows(n_classes)
    offset = offset if n_classes == 2 else np.column_stack([0 * offset, offset, -offset])

    def answers():
        found = {}
        for name, settings in FITS.items():
            if n_classes == 2 or "firth" not in settings:
                model = LogisticRegression(**settings, tol=1e-6).fit(FORMS[form](X), y, weight, offset)
                found[name] = np.column_stack([model.intercept_, model.coef_])
        return found

    compared(*at_home(kind, answers))


@pytest.mark.parametrize(("kind", "form"), IN_FORMS)
@pytest.mark.parametrize(("n_classes", "l1_ratio"), [(2, 1.0), (2, 0.0), (3, 0.5)])
def test_paths(at_home, kind, form, n_classes, l1_ratio):
    X, y, weight, offset = rows(n_classes)
    offset = offset if n_classes == 2 else np.column_stack([0 * offset, offset, -offset])

    def answers():
        fits = path(FORMS[form](X), y, l1_ratio, 8, 0.01, sample_weight=weight, offset=offset, tol=1e-12)
        return {"coefs": fits.coefs, "intercepts": fits.intercepts, "ratio": fits.deviance_ratio}

    compared(*at_home(kind, answers), rtol=1e-4)


@pytest.mark.parametrize(("kind", "form"), IN_FORMS)
@pytest.mark.parametrize(("n", "separated"), [(900, True), (900, False), (9000, True)])
def test_separation(at_home, kind, form, n, separated):
    X, y, weight, _ = rows(n=n, separated=separated)
    weight[:20] = 0.0  # rows that are left out

    def answers():
        found = find_separation(FORMS[form](X), y, weight)
        infinite = np.array([found.infinite.get(name, 0.0) for name in found.names])
        return {"infinite": infinite, "rows": found.rows, "complete": found.kind == "complete"}

    here, there = at_home(kind, answers)
    compared(here, there)
    assert here["infinite"].any() == separated


COVARIANCES = ("model", "HC0", "HC1", "HC2", "HC3", "cluster")


def said(result):
    return {
        "coef": result.coef,
        "covariance": result.covariance,
        "ends": result.conf_int,
        "log-likelihoods": [result.log_likelihood, result.null_log_likelihood],
        "ratio": result.likelihood_ratio.p_value,
        "R2": list(result.pseudo_r2.values()),
    }


@pytest.mark.parametrize("kind", HOMES)
@pytest.mark.parametrize("cov", COVARIANCES)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_inference(at_home, kind, cov, n_classes):
    X, y, weight, offset = rows(n_classes)
    weight[[3, 50, 400]] = 0.0
    offset = offset if n_classes == 2 else np.column_stack([0 * offset, offset, -offset])
    groups = np.random.default_rng(1).integers(0, 50, len(y)) if cov == "cluster" else None
    settings = [{}, {"C": 1.0}, *([{"firth": True}] if n_classes == 2 else [])]
    for setting in settings:

        def answers(setting=setting):
            model = LogisticRegression(**setting, tol=1e-6).fit(X, y, weight, offset)
            result = infer(model, X, y, weight, offset, cov=cov, groups=groups)
            found = said(result)
            if n_classes == 2:
                found["influence"] = result.influence(X, y, sample_weight=weight, offset=offset).to_numpy()
            return found | {"margins": result.margins(X).select_dtypes("number").to_numpy()}

        compared(*at_home(kind, answers))


@pytest.mark.parametrize("kind", ["blocks", "remote"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_inference_where_classes_are_separated(at_home, kind, n_classes):
    X, y, weight, _ = rows(n_classes, separated=True)

    def answers():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", evenodds.SeparationWarning)
            result = infer(LogisticRegression().fit(X, y, weight), X, y, weight, cov="HC1")
            ends = result.profile()
            return said(result) | {"lower": ends["lower"], "upper": ends["upper"], "predicted": result.predict(X[:10])}

    here, there = at_home(kind, answers)
    assert np.isinf(here["coef"]).any()
    compared(here, there)


# A home that is far away, and large


def large(n_classes=2, separated=False):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(100_000, 12))
    y = (X @ rng.normal(size=(12, n_classes)) * 0.3 + rng.gumbel(size=(len(X), n_classes))).argmax(axis=1)
    if separated:
        X[:, 0] = (y == 1) & (rng.random(len(X)) < 0.01)
    return X, y.astype(np.uint8)


@pytest.fixture
def far(monkeypatch):
    """All homes are far away; they are listed."""
    made = []

    def elsewhere(*args, **kwargs):
        made.append(moved(as_data(*args, **kwargs), Remote))
        return made[-1]

    monkeypatch.setattr("evenodds.reading.as_data", elsewhere)
    return made


@pytest.mark.parametrize("setting", FITS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_fit_of_large_data_brings_only_samples_and_counts_its_reads(far, setting, n_classes):
    if n_classes > 2 and "firth" in FITS[setting]:
        pytest.skip("Firth's fit is of two classes")
    X, y = large(n_classes)
    factors = {"penalty_factor": [0, 1, 2] * 4} if setting == "factors" else {}
    model = LogisticRegression(**FITS[setting] | factors).fit(X, y)
    assert model.solution_.passes == far[0].reads


def with_a_sum(X):
    return np.column_stack([X, X[:, 0] + X[:, 1]])


def with_rare_entries(X):
    rare = np.zeros((len(X), 2))
    rare[77_777] = 1.0
    return np.column_stack([X, rare])


def of_few_entries(X):
    return sp.csr_array(np.where(np.abs(X) > 1.2, X, 0.0))


@pytest.mark.parametrize("table", [np.asarray, with_a_sum, with_rare_entries, of_few_entries])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_reads_that_find_the_columns_and_their_units_are_counted(far, table, n_classes):
    X, y = large(n_classes)
    X = table(X)
    settings = [{"C": 1.0, "standardize": True}, {"C": 0.01, "standardize": True, "l1_ratio": 0.5}, {}]
    for setting in settings:
        for intercept in (True, False):
            model = LogisticRegression(**setting, fit_intercept=intercept)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                model.fit(X, y)
            assert model.solution_.passes == far[-1].reads, (setting, intercept)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("cov", COVARIANCES)
def test_inference_on_large_data_reads_them_once_or_twice(far, cov, n_classes):
    X, y = large(n_classes)
    groups = np.arange(len(y)) % 1000 if cov == "cluster" else None
    infer(LogisticRegression().fit(X, y), X, y, cov=cov, groups=groups)
    assert far[1].reads == (1 if cov == "model" else 2)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_inference_where_large_data_are_separated_brings_no_table(far, n_classes):
    X, y = large(n_classes, separated=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", evenodds.SeparationWarning)
        result = infer(LogisticRegression().fit(X, y), X, y)
    assert np.isinf(result.coef).any()
    assert np.isfinite(result.se).any()


@pytest.mark.parametrize("separated", [True, False])
def test_the_search_for_separation_brings_no_table(far, separated):
    X, y = large(separated=separated)
    assert (find_separation(X, y).kind == "overlap") != separated


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(("n_classes", "l1_ratio"), [(2, 1.0), (2, 0.0), (3, 0.5)])
def test_a_path_of_few_columns_brings_no_table_and_counts_its_reads(far, n_classes, l1_ratio, standardize):
    X, y = large(n_classes)
    for intercept in (True, False):
        passes = path(X, y, l1_ratio, 8, standardize=standardize, fit_intercept=intercept).passes
        assert passes == far[-1].reads


def test_what_is_not_finite_is_named_wherever_it_is(far):
    X, y = large()
    X[70_000, 3] = np.nan
    for tell in (LogisticRegression().fit, path, find_separation):
        with pytest.raises(evenodds.EvenOddsError, match=r"NaN, first in column 3, row 70000 \(counted from 0\)"):
            tell(X, y)
