"""Every smooth solver on every home, penalty, type and kind of weight, against one table of oracles."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from sklearn.linear_model import LogisticRegression as Peer

from evenodds import LogisticRegression, Status
from evenodds.data import as_data
from evenodds.fitting import fit
from evenodds.settings import Settings
from evenodds.solvers.costs import sample_rows
from homes import Blocks, solve
from oracle import newton

SOLVERS = ["newton", "quasi-newton"]
PENALTIES = {
    "none": {},
    "C=1": {"C": 1.0},
    "C=0.01": {"C": 0.01},
    "C=1 standardized": {"C": 1.0, "standardize": True},
    "no intercept": {"fit_intercept": False},
    "C=1 no intercept": {"C": 1.0, "fit_intercept": False},
    "C=1 standardized, no intercept": {"C": 1.0, "fit_intercept": False, "standardize": True},
}
EXTRAS = ["plain", "weight", "offset", "class_weight", "all"]


def table(n=300, seed=0):
    """Whole numbers, so that each type holds the same; columns of several sizes, many zeros: fuller, CSR is dense."""
    rng = np.random.default_rng(seed)
    X = np.column_stack(
        [
            rng.poisson(2, n) * rng.binomial(1, 0.6, n),
            rng.integers(-50, 51, n) * rng.binomial(1, 0.5, n),
            rng.binomial(1, 0.3, n),
            rng.integers(0, 100, n) * rng.binomial(1, 0.5, n),
            (rng.poisson(1, n) + 20) * (np.arange(n) % 3 == 0),
        ]
    )
    z = 0.5 * X[:, 0] - 0.03 * X[:, 1] - X[:, 2] + 0.01 * X[:, 3] + 0.02 * (X[:, 4] - 7) - 0.7
    y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(np.uint8)
    return X, y, rng.uniform(0.2, 3, n), rng.normal(0, 0.7, n)


X0, Y0, WEIGHT, OFFSET = table()


def extra(kind):
    """Arguments of a fit, and the weights and offset that they come to."""
    weight = WEIGHT if kind in ("weight", "all") else None
    offset = OFFSET if kind in ("offset", "all") else None
    factors = {0: 0.5, 1: 3.0} if kind in ("class_weight", "all") else None
    effective = np.ones(len(Y0)) if weight is None else weight
    if factors:
        effective = effective * np.where(Y0 == 1, 3.0, 0.5)
    return weight, offset, factors, effective


_answers = {}


def answer(penalty, kind):
    """The oracle's coefficients: (intercept, slopes...), and the objective."""
    if (penalty, kind) not in _answers:
        setting = PENALTIES[penalty]
        _, offset, _, effective = extra(kind)
        intercept = setting.get("fit_intercept", True)
        ridge = 1 / setting["C"] if "C" in setting else 0.0
        if setting.get("standardize"):
            mean = effective @ X0 / effective.sum()
            ridge = ridge * (effective @ (X0 - mean) ** 2 / effective.sum())
        found = newton(X0, Y0, weight=effective, offset=offset, ridge=ridge, intercept=intercept)
        _answers[penalty, kind] = np.array([found.intercept, *found.coef]), found.objective
    return _answers[penalty, kind]


MEMORY = {
    "C": lambda: np.ascontiguousarray(X0, dtype=float),
    "F": lambda: np.asfortranarray(X0, dtype=float),
    "float32": lambda: X0.astype(np.float32),
    "float32 F": lambda: np.asfortranarray(X0, dtype=np.float32),
    "int64": lambda: X0,
    "int8": lambda: X0.astype(np.int8),
    "CSR": lambda: sp.csr_array(X0.astype(float)),
    "CSR float32": lambda: sp.csr_matrix(X0.astype(np.float32)),
    "CSC": lambda: sp.csc_array(X0.astype(float)),
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("home", MEMORY)
def test_rows_in_memory(home, solver):
    X = MEMORY[home]()
    for penalty, kind in itertools.product(PENALTIES, EXTRAS):
        weight, offset, factors, _ = extra(kind)
        model = LogisticRegression(**PENALTIES[penalty], class_weight=factors, solver=solver, tol=1e-10)
        model.fit(X, Y0, sample_weight=weight, offset=offset)
        truth, objective = answer(penalty, kind)
        found = np.array([*model.intercept_, *model.coef_[0]])
        np.testing.assert_allclose(found, truth, rtol=1e-10, atol=1e-12, err_msg=f"{penalty}, {kind}")
        assert model.solution_.loss == pytest.approx(objective, rel=1e-13)
        assert model.solution_.status is Status.CONVERGED


BLOCKS = {
    "one": (),
    "uneven": (1, 5, 8, 63, 127, 192, 255, 299),
    "single rows": tuple(range(1, 300)),
    "with an empty one": (0, 100, 100, 300),
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    ("kind", "cuts"),  # blocks of single rows are slow to make
    [pair for pair in itertools.product(["dense", "float32", "F", "CSR"], BLOCKS) if pair[1] != "single rows"]
    + [("dense", "single rows"), ("F", "single rows")],
)
def test_a_list_of_blocks(kind, cuts, solver):
    make = {
        "dense": lambda: X0.astype(float),
        "float32": lambda: X0.astype(np.float32),
        "F": lambda: np.asfortranarray(X0, dtype=float),
        "CSR": lambda: sp.csr_array(X0.astype(float)),
    }[kind]
    penalties = PENALTIES if cuts != "single rows" else ["none", "C=1 standardized"]
    for penalty, extras in itertools.product(penalties, ["plain", "all"]):
        _, offset, _, effective = extra(extras)
        weight = None if extras == "plain" else effective
        data = Blocks(make(), Y0, weight, offset, BLOCKS[cuts])
        setting = dict(PENALTIES[penalty])
        intercept = setting.pop("fit_intercept", True)
        b, w, solution = solve(data, solver, intercept=intercept, tol=1e-10, **setting)
        truth, objective = answer(penalty, extras)
        np.testing.assert_allclose([b, *w], truth, rtol=1e-10, atol=1e-12, err_msg=f"{penalty}, {extras}")
        assert solution.loss == pytest.approx(objective, rel=1e-13)
        assert solution.status is Status.CONVERGED


# Peers


def test_scikit_learn_agrees():
    for kind in ("plain", "weight", "class_weight"):
        weight, _, factors, _ = extra(kind)
        peer = Peer(C=1.0, class_weight=factors, solver="newton-cholesky", tol=1e-12, max_iter=1000)
        peer.fit(X0, Y0, sample_weight=weight)
        truth, _ = answer("C=1", kind)
        np.testing.assert_allclose([*peer.intercept_, *peer.coef_[0]], truth, rtol=1e-7)
        model = LogisticRegression(C=1.0, class_weight=factors).fit(X0, Y0, sample_weight=weight)
        np.testing.assert_allclose(model.predict_proba(X0), peer.predict_proba(X0), atol=1e-8)


def test_statsmodels_agrees():
    design = sm.add_constant(X0.astype(float))
    peer = sm.GLM(Y0, design, family=sm.families.Binomial(), offset=OFFSET, freq_weights=WEIGHT).fit(tol=1e-14)
    model = LogisticRegression().fit(X0, Y0, sample_weight=WEIGHT, offset=OFFSET)
    np.testing.assert_allclose([*model.intercept_, *model.coef_[0]], peer.params, rtol=1e-8)
    assert -model.solution_.loss * WEIGHT.sum() == pytest.approx(peer.llf, rel=1e-12)


# Odd shapes for compiled kernels


def odd_views(m, p):
    """Views of the same m x p numbers that lie in memory in different ways."""
    rng = np.random.default_rng(m * 10 + p)
    base = rng.normal(size=(m, p)) * (rng.random((m, p)) < 0.4)
    base[-1, -1] = 1.5
    wide = np.zeros((2 * m, p + 3))
    wide[::2, 2 : p + 2] = base
    tall = np.asfortranarray(np.concatenate([np.ones((5, p)), base, np.ones((4, p))]))
    twice = np.asfortranarray(np.repeat(base, 2, axis=0))
    many = np.zeros((m, 3 * p))
    many[:, ::3] = base
    locked = base.copy()
    locked.flags.writeable = False
    return base, {
        "C": base.copy(),
        "F": np.asfortranarray(base),
        "rows and columns of a wider array": wide[::2, 2 : p + 2],
        "rows of a taller F array": tall[5 : m + 5],
        "every second row of an F array": twice[::2],
        "every third column": many[:, ::3],
        "backwards": base[::-1].copy()[::-1],
        "columns backwards": base[:, ::-1].copy()[:, ::-1],
        "read-only": locked,
        "big-endian": base.astype(">f8"),
        "longdouble": base.astype(np.longdouble),
        "CSR": sp.csr_array(base),
        "CSC": sp.csc_array(base),
    }


@pytest.mark.parametrize("p", range(1, 10))
@pytest.mark.parametrize("m", [1, 2, 3, 4, 63, 64, 65, 130, 255, 257, 514])
def test_kernels_and_plain_numpy_give_the_same_sums_on_odd_shapes(m, p):
    from evenodds.coordinates import Coordinates
    from evenodds.objective import Objective

    rng = np.random.default_rng(p)
    y = rng.integers(0, 2, m).astype(np.uint8)
    theta = rng.normal(size=p + 1)
    base, views = odd_views(m, p)
    scale = rng.uniform(0.5, 2, p)
    for given in (False, True):
        weight, offset = (rng.uniform(0.5, 2, m), rng.normal(size=m)) if given else (None, None)
        for name, X in views.items():
            center = np.zeros(p) if sp.issparse(X) else rng.normal(size=p)
            coordinates = Coordinates(center, scale, np.arange(p), True)
            z = (base - center) / scale @ theta[1:] + theta[0] + (offset if given else 0)
            s = weight if given else np.ones(m)
            loss = s @ np.logaddexp(0, np.where(y == 1, -z, z)) / s.sum()
            r = s * (1 / (1 + np.exp(-z)) - y) / s.sum()
            gradient = np.array([r.sum(), *(r @ ((base - center) / scale))])
            objective = Objective(as_data(X, y, weight, offset), coordinates, np.zeros(p))
            value, g, _ = objective.value_grad(theta)
            assert value == pytest.approx(loss, rel=1e-13), name
            np.testing.assert_allclose(g, gradient, rtol=1e-12, atol=1e-14, err_msg=name)
            value, g, H = objective.value_grad_hess(theta)
            assert value == pytest.approx(loss, rel=1e-13), name
            np.testing.assert_allclose(g, gradient, rtol=1e-12, atol=1e-14, err_msg=name)
            D = np.column_stack([np.ones(m), (base - center) / scale])
            h = s * np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))) ** 2 / s.sum()
            np.testing.assert_allclose(H, D.T @ (h[:, None] * D), rtol=1e-12, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("m", [13, 65, 257])
def test_a_float32_view_is_read_where_it_lies(m):
    rng = np.random.default_rng(m)
    base = rng.integers(-4, 5, (m, 3)).astype(np.float32)
    y = (rng.random(m) < 0.5).astype(np.uint8)
    truth = newton(base, y, ridge=1.0)
    wide = np.zeros((2 * m, 7), np.float32)
    wide[::2, 2:5] = base
    for X in (base, np.asfortranarray(base), wide[::2, 2:5], np.asfortranarray(wide)[:, 2:5][::2], base.astype(">f4")):
        model = LogisticRegression(C=1, solver="quasi-newton", tol=1e-10).fit(X, y)
        np.testing.assert_allclose([*model.intercept_, *model.coef_[0]], [truth.intercept, *truth.coef], rtol=1e-9)


# Large enough for compiled kernels and sampled metrics


def large(n=120_000, p=10, seed=3):
    rng = np.random.default_rng(seed)
    mix = np.linalg.cholesky(0.5 ** np.abs(np.subtract.outer(np.arange(p), np.arange(p))))
    X = rng.normal(size=(n, p)) @ mix.T
    X[np.abs(X) < 0.7] = 0  # fuller, a sparse table would be read as a dense one
    w = rng.normal(size=p) / 2
    y = (rng.random(n) < 1 / (1 + np.exp(-(X @ w - 1)))).astype(np.uint8)
    return X, y


@pytest.fixture(scope="module")
def big():
    X, y = large()
    rng = np.random.default_rng(4)
    weight = rng.uniform(0.2, 3, len(y))
    offset = rng.normal(0, 0.5, len(y))
    truth = {}
    for kind, C in itertools.product(("plain", "all"), (np.inf, 1e-4)):
        extras = {} if kind == "plain" else {"weight": weight, "offset": offset}
        truth[kind, C] = newton(X, y, ridge=1 / C, **extras)
    return X, y, weight, offset, truth


@pytest.mark.xdist_group("large data")  # one process has the truths
@pytest.mark.parametrize("home", ["C", "F", "float32", "CSR", "blocks", "CSR blocks"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("C", [np.inf, 1e-4])
@pytest.mark.parametrize("kind", ["plain", "all"])
def test_large_data(home, solver, C, kind, big):
    X, y, weight, offset, truths = big
    truth = truths[kind, C]
    weight, offset = (weight, offset) if kind == "all" else (None, None)
    make = {
        "F": lambda: np.asfortranarray(X),
        "float32": lambda: X.astype(np.float32),
        "CSR": lambda: sp.csr_array(X),
        "CSR blocks": lambda: sp.csr_array(X),
    }.get(home, lambda: X)
    if home.endswith("blocks"):
        data = Blocks(make(), y, weight, offset, (1, 3, 40_000, 40_257, 100_001))
        b, w, solution = solve(data, solver, C=C, tol=1e-6)
    else:
        model = LogisticRegression(C=C, solver=solver, tol=1e-6, n_jobs=1)
        model.fit(make(), y, sample_weight=weight, offset=offset)
        b, w, solution = model.intercept_[0], model.coef_[0], model.solution_
    tol = 1e-6 if home != "float32" else 1e-4  # rounding X to float32 is another problem: 1e-5, in standard errors
    assert abs(b - truth.intercept) <= tol * truth.se_intercept
    assert (np.abs(w - truth.coef) <= tol * truth.se).all()
    assert solution.status is Status.CONVERGED
    assert solution.passes <= (25 if solver == "newton" else 15)  # three of which look for separation at the end


def test_passes_are_the_reads_of_the_data():
    X, y = large(30_000, 4)
    for solver, standardize in itertools.product(SOLVERS, (False, True)):
        data = Blocks(X, y, cuts=(10_000, 10_001))
        _, _, solution = solve(data, solver, C=1.0, standardize=standardize)
        assert solution.passes == data.reads


@pytest.mark.parametrize(
    "settings", [{}, {"solver": "quasi-newton"}, {"lower": 0.0}, {"C": 1, "penalty_factor": [0, 1, 0, 2]}]
)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("separated", [False, True])
def test_the_judge_of_separation_reads_the_data_too(settings, n_classes, separated):
    X, y = large(30_000, 4)
    y = y + (n_classes > 2) * (X[:, 1] > 1)
    if separated:
        X = X.copy()
        X[:, 2] = np.where(y > 0, np.abs(X[:, 2]), -np.abs(X[:, 2]))
    data = Blocks(X, y, cuts=(10_000, 10_001), n_classes=n_classes)
    found = fit(Settings.of(LogisticRegression(**settings)), data, last=None, reporter=lambda *_: None)
    assert (found.solution.status is Status.SEPARATED) == separated
    assert found.solution.passes == data.reads


def test_a_start_that_offsets_make_hard_reads_the_data_too():
    X, y = large(500, 3)
    model = LogisticRegression(C=1.0).fit(X, y)
    far = LogisticRegression(C=1.0).fit(X, y, offset=np.where(np.arange(len(y)) % 2, 300.0, -300.0))
    assert far.solution_.status is Status.CONVERGED
    assert far.solution_.passes > model.solution_.passes + 6  # five temperatures or more, and at least a read for each


@pytest.mark.parametrize("read_cost", [32.0, 256.0, 5000.0])
@pytest.mark.parametrize(("n", "p"), [(10**10, 100), (10**10, 3), (10**9, 1000)])
def test_the_sample_of_any_rows_fits_memory(n, p, read_cost):
    """However dear reads are: of 10 billion rows and 100 columns the cost model alone would take 59 GB."""
    home = SimpleNamespace(n_rows=n, n_columns=p, size=n * p, sparse=False, layout=None, read_cost=read_cost)
    home.class_weights = np.full(2, n / 2)
    assert 4096 <= sample_rows(home) <= 300e6 / (8 * p)


def test_a_wide_sparse_table_uses_head_and_diagonal():
    rng = np.random.default_rng(0)
    n, p = 4000, 800
    popular = 1 / (1 + np.arange(p))
    X = sp.csr_array((rng.random((n, p)) < 0.5 * popular) * rng.normal(1, 0.3, (n, p)))
    w = rng.normal(size=p)
    y = (rng.random(n) < 1 / (1 + np.exp(-(X @ w)))).astype(np.uint8)
    for C in (1.0, 100.0):
        peer = LogisticRegression(C=C, solver="newton").fit(X, y)
        for cuts in ((), (7, 1500, 1501)):
            data = Blocks(X, y, cuts=cuts)
            b, w, solution = solve(data, "quasi-newton", C=C, tol=1e-8)
            assert solution.status is Status.CONVERGED
            np.testing.assert_allclose([b, *w], [*peer.intercept_, *peer.coef_[0]], rtol=1e-6, atol=1e-7)
