"""Single fits with L1, elastic net, factors and bounds: against a plain oracle, reference cases and properties."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import oracle
from evenodds import LogisticRegression, infer
from evenodds.coordinates import choose_coordinates
from evenodds.data.memory import Memory
from evenodds.exceptions import EvenOddsError
from evenodds.per_column import bounds, check_l1_ratio, penalty_factors
from evenodds.solvers import Status, elastic_net, wide, working_set
from evenodds.solvers.mean_loss import MeanLoss
from evenodds.solvers.penalty import Penalty
from evenodds.solvers.quadratic import minimize_quadratic
from homes import Blocks


def spread(value, p):
    return np.broadcast_to(np.asarray(value, float), p).copy()


def shrink(u, l1):
    return np.sign(u) * np.maximum(np.abs(u) - l1, 0)


def plain(X, y, lam, a, *, weight=None, offset=None, intercept=True, factor=1.0, lower=-np.inf, upper=np.inf):
    """The optimum by proximal Newton with coordinate descent, in plain loops: intercept, coefficients."""
    n, p = X.shape
    D = np.column_stack([np.ones(n), X]) if intercept else np.asarray(X, float)
    first = int(intercept)
    s = np.ones(n) if weight is None else weight
    s = s / s.sum()
    o = np.zeros(n) if offset is None else offset
    l1 = np.concatenate([np.zeros(first), lam * a * spread(factor, p)])
    l2 = np.concatenate([np.zeros(first), lam * (1 - a) * spread(factor, p)])
    low = np.concatenate([np.full(first, -np.inf), spread(lower, p)])
    high = np.concatenate([np.full(first, np.inf), spread(upper, p)])
    x = np.clip(np.zeros(D.shape[1]), low, high)

    def value(x):
        z = D @ x + o
        return s @ (np.logaddexp(0, z) - y * z) + l1 @ np.abs(x) + l2 @ x**2 / 2

    for _ in range(200):
        prob = 1 / (1 + np.exp(-(D @ x + o)))
        g = D.T @ (s * (prob - y))
        if kkt(x, g, l1, l2, low, high).max() < 1e-12:
            break
        H = D.T @ ((s * prob * (1 - prob))[:, None] * D)
        new, q = x.copy(), g.copy()
        for _ in range(20000):
            largest = 0.0
            for j in np.flatnonzero(np.diag(H) > 0):
                best = shrink(H[j, j] * new[j] - q[j], l1[j]) / (H[j, j] + l2[j])
                best = min(max(best, low[j]), high[j])
                change = best - new[j]
                if change:
                    q += change * H[j]
                    new[j] = best
                    largest = max(largest, abs(change) * H[j, j])
            if largest < 1e-15:
                break
        t = 1.0
        while value(x + t * (new - x)) > value(x) + 1e-16 and t > 1e-10:
            t /= 2
        x = x + t * (new - x) if t < 1 else new
    return (x[0] if intercept else 0.0), x[first:]


def kkt(x, g, l1, l2, low, high):
    """How far each coefficient is from its condition of optimality."""
    g = g + l2 * x
    up, down = np.where(x >= 0, g + l1, g - l1), np.where(x > 0, g + l1, g - l1)
    rise = np.where(x < high, np.maximum(-up, 0), 0)
    return np.maximum(rise, np.where(x > low, np.maximum(down, 0), 0))


def violation(X, y, b, w, lam, a, *, weight=None, offset=None, intercept=True, factor=1.0, lower=-np.inf, upper=np.inf):
    """The largest violation of the conditions in the raw columns."""
    n, p = X.shape
    s = np.full(n, 1 / n) if weight is None else weight / weight.sum()
    z = X @ w + b + (0 if offset is None else offset)
    r = s * (1 / (1 + np.exp(-z)) - y)
    factor = spread(factor, p)
    parts = kkt(w, X.T @ r, lam * a * factor, lam * (1 - a) * factor, spread(lower, p), spread(upper, p))
    return max(parts.max(), abs(r.sum()) if intercept else 0.0)


def fit(X, y, lam, a, *, home=Memory, weight=None, offset=None, intercept=True, standardize=False, tol=1e-4, **kwargs):
    """The fit as the estimator makes it, from a home of data: intercept, coefficients, solution."""
    data = home(X, np.asarray(y).astype(np.uint8), weight, offset)
    p = X.shape[1]
    sample = data.sample(kwargs.pop("sample", 8192), 0)
    coordinates = choose_coordinates(
        data, sample, intercept=intercept, standardize=standardize, strength=max(lam, 1e-300)
    )
    given = {key: spread(kwargs.pop(key), p) for key in ("factor", "lower", "upper") if key in kwargs}
    penalty = Penalty.of(coordinates, lam, a, standardize=standardize, **given)
    solution = elastic_net.elastic_net(data, coordinates, penalty, sample, tol=tol, **kwargs)
    (b,), (w,) = penalty.to_coefs(coordinates, solution.theta[None, :], given.get("lower"), given.get("upper"))
    return b, w, solution


def problem(n=60, p=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    X[:, 1] = X[:, 0] * 0.7 + 0.5 * X[:, 1]
    z = X @ rng.standard_normal(p) * 0.7 + 0.3
    y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(float)
    y[:2] = 0, 1
    return X, y


# --- the quadratic


@given(st.integers(0, 10**6), st.integers(1, 12), st.booleans(), st.booleans())
def test_the_quadratic_is_solved(seed, k, singular, many):
    rng = np.random.default_rng(seed)
    k = k + 60 if many else k
    A = rng.standard_normal((max(k // 2, 1) if singular else k + 3, k))
    H = A.T @ A
    c = A.T @ rng.standard_normal(len(A))
    l1 = rng.choice([0.0, 0.3, 2.0, np.inf], k)
    penalty = Penalty(l1, rng.choice([0.0, 0.5], k), rng.choice([-np.inf, -0.4, 0.1], k), rng.choice([np.inf, 0.4], k))
    start = penalty.nearest(rng.standard_normal(k))
    x = minimize_quadratic(H, c, penalty, start, accuracy=1e-24)
    assert (x >= penalty.lower).all()
    assert (x <= penalty.upper).all()
    size = np.abs(c).max() + np.abs(H).max() * (1 + np.abs(x).max())
    assert penalty.violation(x, H @ x + c).max() <= 1e-10 * size * k


# --- against the oracle

SETTINGS = [
    {},
    {"intercept": False},
    {"factor": [0.0, 1.0, 3.0, 0.5, 1.0, 1.0]},
    {"lower": 0.0},
    {"lower": -0.1, "upper": 0.25},
    {"lower": [0.2, -np.inf, 0, 0, -1, -0.1], "upper": [0.6, np.inf, 0, 0.1, -0.2, 5]},
    {"weighted": True},
    {"shifted": True, "factor": [0.0, 0.0, 1.0, 1.0, 1.0, 1.0], "weighted": True},
]


@pytest.mark.parametrize("home", ["memory", "blocks", "csr", "float32", "F"])
@pytest.mark.parametrize("setting", SETTINGS, ids=[",".join(setting) or "plain" for setting in SETTINGS])
@pytest.mark.parametrize("a", [1.0, 0.4])
def test_the_oracle_agrees(setting, a, home):
    X, y = problem()
    setting = dict(setting)
    rng = np.random.default_rng(1)
    if setting.pop("weighted", False):
        setting["weight"] = rng.integers(1, 4, len(y)) * 0.5
    if setting.pop("shifted", False):
        setting["offset"] = rng.standard_normal(len(y))
    lam = 0.03
    X = X.astype(np.float32).astype(np.float64)
    forms = {"csr": sp.csr_array, "float32": np.float32, "F": np.asfortranarray}
    form = forms.get(home, np.asarray)(X)
    cut = (lambda *args: Blocks(*args, cuts=(7, 20))) if home == "blocks" else Memory
    b, w, solution = fit(form, y, lam, a, home=cut, **setting)
    expected = plain(X, y, lam, a, **setting)
    assert solution.status is Status.CONVERGED
    assert solution.gap <= 1e-8 / 2 / (setting.get("weight", np.ones(60)).sum())
    np.testing.assert_allclose(np.append(b, w), np.append(*expected), atol=1e-8)
    np.testing.assert_array_equal(w == 0, expected[1] == 0)
    assert violation(X, y, b, w, lam, a, **setting) < 1e-10


@pytest.mark.parametrize("a", [1.0, 0.5, 0.1])
@pytest.mark.parametrize("form", ["dense", "csr", "large csr"])
def test_more_columns_than_rows(a, form, monkeypatch):
    if form == "large csr":
        monkeypatch.setattr(wide, "_MOST_DENSE", 0)
    X, y = problem(80, 400, seed=4)
    lam = 0.05
    kwargs = {"factor": np.where(np.arange(400) == 3, 0.0, 1.0), "lower": np.where(np.arange(400) % 2, -0.02, -np.inf)}
    b, w, solution = fit(X if form == "dense" else sp.csr_array(X), y, lam, a, tol=1e-6, **kwargs)
    assert solution.status is Status.CONVERGED
    assert violation(X, y, b, w, lam, a, **kwargs) < 1e-8
    expected = plain(X, y, lam, a, **kwargs)
    np.testing.assert_allclose(np.append(b, w), np.append(*expected), atol=1e-6)
    np.testing.assert_array_equal(w == 0, expected[1] == 0)


def test_few_of_many_columns_are_held(monkeypatch):
    X, y = problem(80, 2000)
    held = []
    check = working_set.WorkingSet.check
    monkeypatch.setattr(
        working_set.WorkingSet, "check", lambda self, *rest: held.append(self.numbers.size) or check(self, *rest)
    )
    for lam in (0.05, 0.01):
        b, w, solution = fit(X, y, lam, 1.0)
        assert solution.status is Status.CONVERGED
        assert violation(X, y, b, w, lam, 1.0) < 1e-4 * lam
    assert 10 < max(held) < 1000


@pytest.mark.parametrize("form", [sp.csr_array, np.asarray])
def test_a_warm_start_with_a_column_that_is_now_constant(form):
    rng = np.random.default_rng(0)
    X = np.where(rng.random((600, 700)) < 0.1, rng.standard_normal((600, 700)), 0.0)
    y = (3 * X[:, 0] + rng.standard_normal(600) > 0).astype(int)
    model = LogisticRegression(1.0, 1.0, warm_start=True).fit(form(X), y)
    assert model.coef_[0, 0] != 0
    X[:, 0] = 0
    model.fit(form(X), y)
    assert model.solution_.status is Status.CONVERGED
    assert model.coef_[0, 0] == 0


def test_many_rows_are_solved_from_a_sample():
    X, y = problem(60_000, 20, seed=2)
    full = fit(X, y, 0.02, 1.0)
    assert full[2].status is Status.CONVERGED
    assert full[2].passes <= 12
    for form, home in ((np.asfortranarray(X), Memory), (X, lambda *a: Blocks(*a, cuts=(9_000, 30_000)))):
        b, w, _ = fit(form, y, 0.02, 1.0, home=home)
        np.testing.assert_allclose(np.append(b, w), np.append(full[0], full[1]), atol=1e-9)
    assert violation(X, y, full[0], full[1], 0.02, 1.0) < 1e-9


def test_columns_beyond_memory_are_refused():
    X, y = problem(40, 1200)
    with pytest.raises(EvenOddsError, match="in memory"):
        fit(X, y, 0.1, 1.0, home=Blocks)


def test_the_gap_is_a_bound_wherever_it_is_taken():
    X, y = problem()
    data = Memory(X, y.astype(np.uint8))
    sample = data.sample(100, 0)
    coordinates = choose_coordinates(data, sample, intercept=False, standardize=False, strength=0.1)
    rng = np.random.default_rng(0)
    for a in (1.0, 0.5, 0.0):
        penalty = Penalty.of(coordinates, 0.05, a)
        best = elastic_net.elastic_net(data, coordinates, penalty, sample, tol=1e-6)
        loss = MeanLoss(data, coordinates, sample)
        for size in (1e-8, 1e-4, 1e-2, 1.0, 100.0):
            theta = best.theta + size * rng.standard_normal(6)
            F, g, odds = (part[0] for part in loss.at(theta[None, :]))
            H = loss.hessian(theta)
            for every in (False, True):
                gap = penalty.gap(theta, F, g, lambda free, H=H: H[:, free], odds, loss.reach, every=every)
                assert gap >= F + penalty.value(theta) - best.loss - 1e-15


@pytest.mark.parametrize("a", [1.0, 0.5, 1e-6])
def test_the_gap_of_a_step_falls_as_the_square_of_the_distance(a):
    X, y = problem()
    data = Memory(X, y.astype(np.uint8))
    sample = data.sample(data.n_rows, 0)
    coordinates = choose_coordinates(data, sample, intercept=True, standardize=False, strength=1e-8)
    penalty = Penalty.of(coordinates, 1e-8, a, lower=np.full(6, -0.4))
    best = elastic_net.elastic_net(data, coordinates, penalty, sample, tol=1e-8)
    loss = MeanLoss(data, coordinates, sample)
    inside = penalty.inside(best.theta)
    assert 1 < inside.sum() < inside.size
    for size in (1e-3, 1e-5, 1e-7):
        theta = best.theta + size * np.where(inside, best.theta, 0.0)
        F, g, odds = (part[0] for part in loss.at(theta[None, :]))
        H = loss.hessian(theta)
        gap = penalty.gap(theta, F, g, lambda free, H=H: H[:, free], odds, loss.reach, every=True)
        away = theta - best.theta
        assert gap == pytest.approx(0.5 * away @ (H @ away + penalty.l2 * away), rel=max(30 * size, 1e-6), abs=1e-22)


# --- reference cases


def test_c04_elastic_net():
    record, table = oracle.case("c04_enet_binomial")
    X = np.column_stack([table[f"x{k}"] for k in range(1, 6)])
    for truth in record["truth"]:
        _, w, solution = fit(X, table["y"], truth["lam"], truth["alpha"], intercept=False)
        expected = oracle.numbers(truth["coef"])
        np.testing.assert_allclose(w, expected, rtol=1e-9, atol=1e-15)
        np.testing.assert_array_equal(w == 0, expected == 0)
        assert solution.loss * 199 == pytest.approx(float(truth["objective_sum_form"]), rel=1e-12)
    for point, (a, lam, *coef) in zip(record["truth"], record["published"][0]["values"].values(), strict=True):
        assert (point["alpha"], point["lam"]) == (a, lam)
        np.testing.assert_allclose(oracle.numbers(point["coef"]), coef, atol=3e-5)


def test_c03_ridge():
    record, table = oracle.case("c03_glmnet9_ridge")
    X = np.column_stack([table["a"], table["b"]])
    b, w, _ = fit(X, table["y"], 1.0, 0.0)
    np.testing.assert_allclose(np.append(b, w), oracle.numbers(record["truth"]["binomial"]["coef"]), rtol=1e-9)


@pytest.mark.parametrize(("name", "a"), [("ridge_l2_1", 0.0), ("lasso_l1_1", 1.0), ("enet_half_half", 0.5)])
def test_d09_more_columns_than_rows(name, a):
    record, table = oracle.case("d09_p_gt_n")
    X = np.column_stack([values for key, values in table.items() if key not in ("y", "const")])
    truth = oracle.numbers(record["truth"][name]["coef"])
    b, w, _ = fit(X, table["y"], 1 / 20, a)
    np.testing.assert_allclose(np.append(b, w), truth, atol=1e-9)
    np.testing.assert_array_equal(w == 0, truth[1:] == 0)


# --- properties


@st.composite
def problems(draw):
    n, p = draw(st.integers(8, 40)), draw(st.integers(1, 8))
    X, y = problem(n, max(p, 2), draw(st.integers(0, 10**6)))
    lam = draw(st.sampled_from([0.003, 0.02, 0.1]))
    return X, y, lam, draw(st.sampled_from([1.0, 0.5, 0.05]))


@given(problems(), st.integers(0, 3))
def test_conditions_and_bounds_hold(case, kind):
    X, y, lam, a = case
    p = X.shape[1]
    alternate = np.arange(p) % 2
    kwargs = [
        {},
        {"factor": 1.0 + 2.0 * alternate},
        {"lower": 0.0},
        {"lower": -0.3 - alternate, "upper": np.where(alternate, 0.1, np.inf)},
    ][kind]
    b, w, solution = fit(X, y, lam, a, **kwargs)
    assert solution.gap <= 1e-8 / 2 / len(y)
    assert violation(X, y, b, w, lam, a, **kwargs) < 1e-8
    assert (w >= kwargs.get("lower", -np.inf) - 1e-15).all()
    assert (w <= kwargs.get("upper", np.inf) + 1e-15).all()


@given(problems())
def test_a_weight_of_two_is_a_row_twice(case):
    X, y, lam, a = case
    weight = np.where(np.arange(len(y)) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(len(y)), weight.astype(int))
    one, other = fit(X, y, lam, a, weight=weight), fit(X[twice], y[twice], lam, a)
    np.testing.assert_allclose(np.append(one[0], one[1]), np.append(other[0], other[1]), atol=1e-7)


@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_columns_and_the_names_of_labels_do_not_matter(case, random):
    X, y, lam, a = case
    order = list(range(X.shape[1]))
    random.shuffle(order)
    b, w, _ = fit(X, y, lam, a)
    c, v, _ = fit(X[:, order], 1 - y, lam, a)
    np.testing.assert_allclose(np.append(c, v), -np.append(b, w[order]), atol=1e-7)


@given(problems())
def test_standardize_does_not_see_scales(case):
    X, y, lam, a = case
    scale, shift = 10.0 ** np.linspace(-4, 4, X.shape[1]), np.linspace(-5, 5, X.shape[1])
    _, w, _ = fit(X, y, lam, a, standardize=True)
    _, v, _ = fit(X * scale + shift * scale, y, lam, a, standardize=True)
    np.testing.assert_allclose(v * scale, w, atol=1e-7)
    _, u, _ = fit((X - X.mean(axis=0)) / X.std(axis=0), y, lam, a)
    np.testing.assert_allclose(u, w * X.std(axis=0), atol=1e-7)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_infer_knows_the_rows_of_a_standardized_lasso(form):
    X, y = problem(200, 4)
    X = form(np.where(X > 0, X + 3, 0))
    model = LogisticRegression(1.0, 0.5, standardize=True).fit(X, y)
    with pytest.raises(EvenOddsError, match="look like the rows"):
        infer(model, X, y, post_selection="split")


@given(st.integers(0, 100))
def test_a_factor_of_zero_is_no_penalty(seed):
    X, y = problem(200, 4, seed)
    factor = [0.0, 1.0, 0.0, 1.0]
    _, w, _ = fit(X, y, 10.0, 1.0, factor=factor)
    assert w[1] == w[3] == 0
    free = oracle.newton(X[:, [0, 2]], y)
    np.testing.assert_allclose(w[[0, 2]], free.coef, rtol=1e-6)


def test_extremes():
    X, y = problem()
    _, w, _ = fit(X, y, 1e-12, 1.0)
    np.testing.assert_allclose(w, oracle.newton(X, y).coef, rtol=1e-7)
    b, w, _ = fit(X, y, 1e250, 0.5)
    assert not w.any()
    assert b == pytest.approx(np.log(y.sum() / (len(y) - y.sum())))
    constant = np.column_stack([X, np.ones(len(y))])
    assert fit(constant, y, 0.01, 1.0)[1][-1] == 0
    twin = np.column_stack([X, X[:, 0]])
    assert violation(twin, y, *fit(twin, y, 0.01, 1.0)[:2], 0.01, 1.0) < 1e-9


@pytest.mark.parametrize("shape", [(300, 8), (2_000, 60)])
def test_report_and_limit(shape):
    X, y = problem(*shape)
    seen = []
    _, _, solution = fit(X, y, 0.01, 1.0, report=lambda k, loss, error, theta: seen.append((k, loss, error)))
    assert len(seen) == len(solution.history)
    assert seen[-1][1] == solution.loss
    small = shape[0] * shape[1] ** 2 < 6e6  # where the loop is not asked to stop
    stopped = fit(X, y, 0.01, 1.0, report=lambda *a: True)[2]
    assert stopped.status is (Status.CONVERGED if small else Status.STOPPED)
    assert fit(X, y, 0.01, 1.0, max_iter=1)[2].status is Status.MAX_ITER


def test_the_check_of_all_columns_finds_what_the_bounds_leave():
    X, y = problem(50, 300)
    data = Memory(X, y.astype(np.uint8))
    sample = data.sample(100, 0)
    coordinates = choose_coordinates(data, sample, intercept=True, standardize=False, strength=0.1)
    columns = working_set.Columns(elastic_net.MeanLoss(data, coordinates, sample))
    D = np.column_stack([np.ones(50), coordinates.design(sample)])
    rng = np.random.default_rng(0)
    base = rng.standard_normal(50)
    limit, skip = np.full(301, 15.0), np.arange(301) % 7 == 0
    for size in (1.0, 1e-3, 1e-6):
        r = base + size * rng.standard_normal(50)
        exact = D.T @ r
        numbers, products = columns.beyond(r, limit, skip, lambda: base)
        np.testing.assert_array_equal(numbers, np.flatnonzero((np.abs(exact) > 15) & ~skip))
        np.testing.assert_allclose(products, exact[numbers], atol=1e-10)
    assert columns.full == 1  # all else is known from r and what was to come
    np.testing.assert_array_equal(np.sort(columns.likely(r, limit, skip)), numbers)


# --- what is given


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, "lasso", None, True])
def test_wrong_ratios(value):
    with pytest.raises(EvenOddsError, match="l1_ratio"):
        check_l1_ratio(value)


def test_numbers_a_column():
    np.testing.assert_array_equal(penalty_factors({"b": 0}, 3, ["a", "b", "c"]), [1, 0, 1])
    np.testing.assert_array_equal(penalty_factors({1: 0}, 3, None), [1, 0, 1])
    low, high = bounds(0, {"c": 2}, 3, ["a", "b", "c"])
    np.testing.assert_array_equal(low, [0, 0, 0])
    np.testing.assert_array_equal(high, [np.inf, np.inf, 2])
    assert bounds(None, None, 3, None) == (None, None)
    names = ["a", "b", "c"]
    for values, match in (
        ([1, 2], "shape"),
        ({"d": 1}, "'d'"),
        ([1, -1, 1], "'b'"),
        ([1, 1, np.nan], "'c'"),
        (["x", "y", "z"], "numeric"),
        ([1, np.inf, 1], "finite"),
    ):
        with pytest.raises(EvenOddsError, match=match):
            penalty_factors(values, 3, names)
    for low, high, match in (([0, 2, 0], 1, "cross for column 'b'"), (np.inf, None, "lower"), (None, -np.inf, "upper")):
        with pytest.raises(EvenOddsError, match=match):
            bounds(low, high, 3, names)
    with pytest.raises(EvenOddsError, match="column numbers"):
        bounds({"a": 1}, None, 3, None)


def test_a_sparse_table_with_many_columns_in_play_comes_to_its_optimum():
    """However few its entries are: a working set of thousands of columns is not for plain NumPy."""
    rng = np.random.default_rng(3)
    n, p = 3000, 2500
    X = sp.random_array((n, p), density=0.02, random_state=rng, format="csr")
    y = (rng.random(n) < 1 / (1 + np.exp(-(X @ rng.normal(0, 3, p))))).astype(int)
    fit = LogisticRegression(C=3.0, l1_ratio=1.0).fit(X, y)
    assert np.count_nonzero(fit.coef_) > 500
    assert fit.solution_.status is Status.CONVERGED
    residual = fit.predict_proba(X)[:, 1] - y
    slope = X.T @ residual * 3.0
    assert abs(residual.sum()) < 1e-2
    assert np.abs(slope).max() < 1 + 1e-3
    away = fit.coef_[0] != 0
    assert_allclose(slope[away], -np.sign(fit.coef_[0][away]), atol=1e-3)
