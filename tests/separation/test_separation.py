"""Separation in full, against the truth table of known cases and an oracle in exact arithmetic."""

import itertools
import re
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import expit

from evenodds import (
    CollinearWarning,
    EvenOddsError,
    LogisticRegression,
    Separation,
    SeparationWarning,
    Status,
    find_separation,
    fit_table,
    path,
)
from evenodds.coordinates import Coordinates, choose_coordinates
from evenodds.data import as_data
from evenodds.separation import cone, home, recession
from evenodds.separation.interior import Parts
from evenodds.separation.recession import separation_of
from evenodds.separation.sides import two_sided
from homes import Blocks
from oracle import case

# Many sets here have columns that are combinations of others, by chance or on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:.* left out of the search:evenodds.CollinearWarning")

SIGNS = {"+inf": np.inf, "-inf": -np.inf, "finite": 0.0, "+/-inf (sign not determined)": np.nan}


def signs(found):
    """What becomes of each coefficient, 0 for the finite ones."""
    assert set(found.infinite) <= set(found.names)
    return np.array([found.infinite.get(name, 0.0) for name in found.names])


def check_direction(found, X, y, weight=None):
    """The direction separates exactly the rows that are named, up to rounding in the scores."""
    X = np.asarray(X, dtype=float)
    D = np.column_stack([np.ones(len(X)), X]) if found.names[0] == "(intercept)" else X
    s = np.where(np.asarray(y) == found.classes[1], 1.0, -1.0)
    margins, size = s * (D @ found.direction), np.abs(D) @ np.abs(found.direction)
    separated = np.zeros(len(X), dtype=bool)
    separated[found.rows] = True
    assert (margins[separated] > 1e-13 * size[separated]).all()
    others = ~separated if weight is None else ~separated & (np.asarray(weight) > 0)
    assert (np.abs(margins[others]) <= 1e-13 * size[others] + 1e-13 * np.abs(found.direction).max()).all()
    assert (found.kind == "overlap") == (not separated.any()) == (not found.direction.any()) == (not found.infinite)


# The truth table

SETS = {item["name"]: item for item in case("b05_small_separation_sets")[0]["truth"]["sets"]}


def check_truth(found, truth, places, n_rows):
    assert truth["separation"].startswith("none" if found.kind == "overlap" else found.kind)
    assert len(found.rows) == truth["rows_strictly_separated"]
    assert (found.kind == "complete") == (len(found.rows) == n_rows)
    np.testing.assert_array_equal(signs(found), [SIGNS[truth["coef_direction"][k]] for k in places])


@pytest.mark.parametrize("name", [name for name in SETS if name != "only_positive_class"])
def test_small_sets(name):
    item = SETS[name]
    X, y, terms = np.array(item["X"], dtype=float), np.array(item["y"]), item["terms"]
    places = range(len(terms))
    found = find_separation(X, y, fit_intercept=False)
    assert found.names == tuple(f"x{k}" for k in places)
    check_truth(found, item["lp"], places, len(y))
    check_direction(found, X, y)
    if terms[0] == "const":
        found = find_separation(pd.DataFrame(X[:, 1:], columns=terms[1:]), y)
        assert found.names == ("(intercept)", *terms[1:])
        check_truth(found, item["lp"], places, len(y))
        check_direction(found, X[:, 1:], y)


def test_one_class_is_an_error():
    item = SETS["only_positive_class"]
    with pytest.raises(EvenOddsError, match="one class only"):
        find_separation(item["X"], item["y"])


@pytest.mark.parametrize(
    ("name", "terms"),
    [("b01_endometrial", ["const", "NV", "PI", "EH"]), ("b07_firth_sim", ["separator", "x1", "x2", "x3", "const"])],
)
def test_larger_sets(name, terms):
    record, table = case(name)
    columns = [term for term in terms if term != "const"]
    frame = pd.DataFrame({term: table[term] for term in columns})
    found = find_separation(frame, table["y"])
    places = [terms.index(term) for term in ["const", *columns]]
    check_truth(found, record["truth"]["separation"], places, len(frame))
    np.testing.assert_array_equal(found.rows, np.flatnonzero(frame[columns[0]]))
    check_direction(found, frame, table["y"])
    assert found.direction[1] > 0
    assert not np.delete(found.direction, 1).any()


@pytest.mark.parametrize("k", range(3))
def test_nearly_separated_sets_overlap(k):
    item = case("d12_near_separation")[0]["truth"]["sets"][k]
    assert find_separation(np.array(item["x"])[:, None], item["y"]).kind == "overlap"


@pytest.mark.parametrize("gap", [1e-1, 1e-3, 1e-6, 1e-8, 1e-10, 1e-12])
@pytest.mark.parametrize("shift", [0.0, 0.3])
@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e250])
def test_a_narrow_gap_is_separation_and_a_narrow_overlap_is_not(shift, gap, scale):
    x = scale * np.array([-1, -0.5, shift - gap, shift + gap, 0.7, 1.0])
    y = np.array([0, 0, 0, 1, 1, 1])
    found = find_separation(x[:, None], y)
    assert found.kind == "complete"
    assert found.infinite["x0"] == np.inf
    x[2:4] = x[3], x[2]
    assert find_separation(x[:, None], y).kind == "overlap"
    x[2:4] = scale * shift
    assert find_separation(x[:, None], y).kind == "quasi-complete"


@pytest.mark.parametrize("gap", [1e-2, 1e-5, 1e-7, 1e-9])
def test_narrow_gaps_in_a_plane_between_columns(gap):
    """Four rows, two of each class, that are alike but for the gap, in two places of a plane that slants."""
    rng = np.random.default_rng(0)
    mix = np.array([[1.0, 0.4, -0.3], [0.2, 1.0, 0.5], [-0.6, 0.1, 1.0]])
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 3))
    X[:, 0] = np.where(y == 1, 1, -1) * (0.05 + np.abs(X[:, 0]))
    X[:4, 1:] = [[0, 0], [0, 0], [1, -1], [1, -1]]
    X[4:8, 1:] = [[2, 1], [2, 1], [-1, -2], [-1, -2]]
    for side, kind in ((1, "complete"), (-1, "overlap")):
        X[:8, 0] = np.where(y[:8] == 1, gap, -gap) * side
        assert find_separation(X @ mix + 0.7, y).kind == kind


# The oracle: exact arithmetic on small integers


def independent(columns):
    """The columns that are no combination of earlier ones; for each other one, the columns in its combination."""
    steps, kept, ties = [], [], []
    for j, column in enumerate(columns):
        rest, weights = [Fraction(int(value)) for value in column], {j: Fraction(1)}
        for pivot, vector, combination in steps:
            factor = rest[pivot] / vector[pivot]
            rest = [a - factor * b for a, b in zip(rest, vector, strict=True)]
            for k, weight in combination.items():
                weights[k] = weights.get(k, Fraction(0)) - factor * weight
        pivot = next((i for i, value in enumerate(rest) if value), None)
        if pivot is None:
            ties.append({k for k, weight in weights.items() if weight})
        else:
            steps.append((pivot, rest, weights))
            kept.append(j)
    return kept, ties


def extreme_rays(R):
    """All of the pointed cone {d : R d >= 0}: each is the null vector of k - 1 rows, by minors, which are integers."""
    n, k = R.shape
    if k == 1:
        found = np.array([[1.0], [-1.0]])
    else:
        chosen = R[np.array(list(itertools.combinations(range(n), k - 1)))]
        minors = [np.linalg.det(np.delete(chosen, j, axis=2)) * (-1) ** j for j in range(k)]
        vectors = np.rint(np.stack(minors, axis=1))
        found = np.concatenate([vectors, -vectors])
    return found[found.any(axis=1) & (found @ R.T >= 0).all(axis=1)]


def oracle(X, y, intercept):
    """The kind, the signs and the rows, from the rays. The sign of a coefficient is not determined if its column is in
    a combination of columns that is zero, unless none of these moves."""
    D = np.column_stack([np.ones(len(X), dtype=int), X]) if intercept else X
    kept, groups = independent(D.T)
    R = D[:, kept] * np.where(y, 1, -1)[:, None]
    rays = extreme_rays(R)
    separated = (rays @ R.T > 0).any(axis=0)
    infinite = np.zeros(D.shape[1])
    for j, values in zip(kept, rays.T, strict=True):
        both = (values > 0).any() and (values < 0).any()
        infinite[j] = np.nan if both else np.inf if (values > 0).any() else -np.inf if (values < 0).any() else 0.0
    while pair := next(((a, b) for a, b in itertools.combinations(groups, 2) if a & b), None):
        groups = [group for group in groups if group not in pair] + [pair[0] | pair[1]]
    for group in map(sorted, groups):
        infinite[group] = np.nan if infinite[group].any() else 0.0
    kind = "complete" if separated.all() else "quasi-complete" if separated.any() else "overlap"
    return kind, infinite, np.flatnonzero(separated)


@st.composite
def small_integers(draw, least=2, most=12):
    """X, y and whether there is an intercept: rows repeat, columns are collinear, classes separated or not."""
    n, k, intercept = draw(st.integers(least, most)), draw(st.integers(1, 4)), draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    size = draw(st.sampled_from([1, 2, 3]))
    X = rng.integers(-size, size + 1, size=(n, k))
    if draw(st.booleans()):
        X *= rng.random((n, k)) < 0.5
    if draw(st.booleans()):
        X[:, -1] = X[:, 0] + draw(st.sampled_from([0, 1])) * X[:, k // 2]
    if draw(st.booleans()):
        X[n // 2 :] = X[: n - n // 2]
    y = rng.random(n) < 0.5
    if draw(st.booleans()):
        z = X @ rng.integers(-2, 3, size=k) + draw(st.sampled_from([-1, 0, 1])) * intercept
        y = np.where(z == 0, y, z > 0)
    y[rng.permutation(n)[:2]] = [False, True]
    X[0, 0] = X[0, 0] or 1
    return X, y, intercept


def check_oracle(X, y, intercept, found):
    kind, infinite, rows = oracle(X, y, intercept)
    assert found.kind == kind
    np.testing.assert_array_equal(signs(found), infinite)
    np.testing.assert_array_equal(found.rows, rows)


@settings(max_examples=300)
@given(small_integers())
def test_small_integers_against_the_oracle(drawn):
    X, y, intercept = drawn
    found = find_separation(X, y, fit_intercept=intercept)
    check_oracle(X, y, intercept, found)
    check_direction(found, X, y)


@settings(max_examples=60)
@given(small_integers(20, 50))
def test_cutting_planes_against_the_oracle(drawn):
    """As for many rows, but with few: only a few of them are at hand at a time."""
    X, y, intercept = drawn
    with pytest.MonkeyPatch.context() as patch:
        few = {"home._FEW_ROWS": 0, "home._SAMPLE_ROWS": 5, "home._SAMPLE_ENTRIES": 25}
        few |= {"recession._MOST_CUTS": 2, "signs._MOST_CUTS": 2, "signs._FEW_CUTS": 2}
        for name, value in few.items():
            patch.setattr(f"evenodds.separation.{name}", value)
        found = find_separation(X, y, fit_intercept=intercept)
    check_oracle(X, y, intercept, found)
    check_direction(found, X, y)


# Invariances


@settings(max_examples=40)
@given(small_integers(), st.integers(0, 2**32))
def test_the_answer_does_not_depend_on_order_units_origin_or_labels(drawn, seed):
    X, y, intercept = drawn
    rng = np.random.default_rng(seed)
    kind, infinite, rows = oracle(X, y, intercept)

    order = rng.permutation(len(y))
    found = find_separation(X[order], y[order], fit_intercept=intercept)
    assert found.kind == kind
    np.testing.assert_array_equal(signs(found), infinite)
    np.testing.assert_array_equal(np.sort(order[found.rows]), rows)

    scaled = X * 10.0 ** rng.uniform(-8, 8, size=X.shape[1])
    found = find_separation(scaled, y, fit_intercept=intercept)
    assert found.kind == kind
    np.testing.assert_array_equal(signs(found), infinite)
    np.testing.assert_array_equal(found.rows, rows)

    found = find_separation(X, np.where(y, "no", "yes"), fit_intercept=intercept)
    assert found.kind == kind
    np.testing.assert_array_equal(signs(found), -infinite)
    np.testing.assert_array_equal(found.rows, rows)

    shifted = X + rng.integers(-1000, 1000, size=X.shape[1])
    kind, infinite, rows = oracle(shifted, y, True)
    found = find_separation(shifted, y)
    assert found.kind == kind
    np.testing.assert_array_equal(found.rows, rows)
    if not independent(np.column_stack([np.ones(len(y)), shifted]).T)[1]:
        np.testing.assert_array_equal(signs(found), infinite)
        np.testing.assert_array_equal(signs(find_separation(X, y))[1:], infinite[1:])


@settings(max_examples=40)
@given(small_integers(), st.integers(0, 2**32))
def test_weights_leave_out_the_rows_of_weight_zero_and_change_nothing_else(drawn, seed):
    X, y, intercept = drawn
    weight = np.random.default_rng(seed).choice([0.0, 0.5, 7.0, 1e-25], size=len(y))
    kept = np.flatnonzero(weight)
    if np.unique(y[kept]).size < 2 or not X[kept].any():
        return
    found = find_separation(X, y, weight, fit_intercept=intercept)
    kind, infinite, rows = oracle(X[kept], y[kept], intercept)
    assert found.kind == kind
    np.testing.assert_array_equal(signs(found), infinite)
    np.testing.assert_array_equal(found.rows, kept[rows])
    check_direction(found, X, y, weight)


# Collinear columns


def test_collinear_columns_do_not_separate_and_share_what_they_do():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = X[:, 0] + rng.normal(size=80) > 0
    X = np.column_stack([X, X[:, 1] - 2 * X[:, 2], np.full(80, 3.0)])
    assert find_separation(X, y).kind == "overlap"
    dummy = (np.arange(80) < 5).astype(float)
    y[:5] = True
    found = find_separation(np.column_stack([X, dummy]), y)
    assert found.infinite == {"x5": np.inf}
    np.testing.assert_array_equal(found.rows, range(5))
    found = find_separation(np.column_stack([X, dummy, 2 * dummy - X[:, 0]]), y)
    assert found.kind == "quasi-complete"
    np.testing.assert_equal(found.infinite, dict.fromkeys(["x0", "x5", "x6"], np.nan))


def test_a_full_set_of_dummies_beside_the_intercept():
    level = np.arange(60) % 3
    X = np.eye(3)[level]
    y = (np.arange(60) % 2 == 0) | (level == 1)
    with pytest.warns(CollinearWarning, match="Column 2 is constant or a linear combination"):
        found = find_separation(X, y)
    np.testing.assert_equal(found.infinite, dict.fromkeys(["(intercept)", "x0", "x1", "x2"], np.nan))
    assert find_separation(X, y, fit_intercept=False).infinite == {"x1": np.inf}
    assert find_separation(X[:, 1:], y).infinite == {"x0": np.inf}


def test_words_hashed_to_thousands_of_columns():
    """Three columns, one of them twice, among 50,000 that are zero: each of these is tied to nothing."""
    rng = np.random.default_rng(0)
    few = rng.integers(0, 2, (40, 3)).astype(float)
    few = np.column_stack([few, few[:, 1]])
    y = (few[:, 0] > 0) | (rng.random(40) < 0.5)
    places = [17, 4000, 30001, 49999]
    wide = sp.csr_array((few[few > 0], (np.nonzero(few)[0], np.take(places, np.nonzero(few)[1]))), (40, 50_000))
    infinite = find_separation(wide, y).infinite
    assert infinite == {"x17": np.inf}
    names = ["x17", "x4000", "x30001", "x49999"]  # where all rows are apart, each can grow either way
    found = find_separation(wide, few[:, 1] > 0).infinite
    np.testing.assert_equal(found, {"(intercept)": -np.inf} | dict.fromkeys(names, np.nan))


@pytest.mark.parametrize("make", [np.asarray, sp.csr_array, lambda X: pd.DataFrame(X, columns=list("abc"))])
def test_columns_that_are_left_out_are_told_as_a_fit_tells_them(make):
    """Within 1e-8 of a combination, and told apart by what is left: fit and search leave it out, and both say so."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), np.arange(40) % 2
    X = np.column_stack([X, X @ [1, -2] + 1e-8 * (y - 0.5)])
    name = "'c'" if hasattr(make(X), "columns") else "2"
    with pytest.warns(CollinearWarning, match=f"^Column {name} is .* and left out of the fit"):
        model = LogisticRegression().fit(make(X), y)
    with pytest.warns(CollinearWarning, match=f"^Column {name} is .* and left out of the search"):
        found = find_separation(make(X), y)
    assert (model.solution_.status, found.kind) == (Status.CONVERGED, "overlap")


# Many rows


def planted(n, k, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, k))
    return rng, X, X @ rng.normal(size=k) * 0.5 + rng.logistic(size=n) > 0


@pytest.mark.parametrize("make", [np.asarray, sp.csr_array, np.asfortranarray], ids=["C", "CSR", "F"])
@pytest.mark.parametrize("n", [1500, 60_000])
def test_rare_dummies_among_many_rows(n, make):
    _, X, y = planted(n, 6)
    X[:, [1, 3, 4]] = 0
    X[n - 4 :, 1], y[n - 4 :] = 1, True
    X[5:8, 3], y[5:8] = 1, False
    X[[5, 8, 9], 4], y[[8, 9]] = 1, False
    found = find_separation(make(X), y)
    assert found.kind == "quasi-complete"
    assert found.infinite == {"x1": np.inf, "x3": -np.inf, "x4": -np.inf}
    np.testing.assert_array_equal(found.rows, [5, 6, 7, 8, 9, *range(n - 4, n)])
    check_direction(found, X, y)
    X[100, 1], y[100] = 1, False
    assert find_separation(make(X), y).infinite == {"x3": -np.inf, "x4": -np.inf}


@pytest.mark.parametrize("n", [1500, 20_000])
def test_a_wedge_between_two_columns(n):
    """Few rows hold a and b: a + b and 2a - b can only grow, so that a does, and b may go either way."""
    _, X, y = planted(n, 3)
    X = np.column_stack([X, np.zeros((n, 2))])
    X[:2, 3:], y[:2] = [1, 1], True
    X[2:4, 3:], y[2:4] = [-2, 1], False
    found = find_separation(X, y)
    assert found.kind == "quasi-complete"
    np.testing.assert_equal(found.infinite, {"x3": np.inf, "x4": np.nan})
    np.testing.assert_array_equal(found.rows, range(4))
    X[4, 3:], y[4] = [0, 1], True
    np.testing.assert_equal(find_separation(X, y).infinite, {"x3": np.inf, "x4": np.inf})
    X[5, 3:], y[5] = [0, 1], False
    assert find_separation(X, y).infinite == {"x3": np.inf}
    X[6, 3:], y[6] = [1, 0], False
    assert find_separation(X, y).kind == "overlap"


@pytest.mark.parametrize("n", [1500, 40_000])
def test_a_column_that_separates_but_for_ties(n):
    _, X, y = planted(n, 5)
    X[:, 2] = np.round(X[:, 2])
    y = np.where(X[:, 2] == 0, y, X[:, 2] > 0)
    found = find_separation(X, y)
    assert found.infinite == {"x2": np.inf}
    np.testing.assert_array_equal(found.rows, np.flatnonzero(X[:, 2]))
    X[:, 2] += 4
    assert find_separation(X, y).infinite == {"(intercept)": -np.inf, "x2": np.inf}


@pytest.mark.parametrize("n", [300, 30_000])
def test_complete_separation(n):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, 4))
    y = X @ [1.0, -2.0, 0.0, 1.0] + 0.2 > 0
    found = find_separation(X, y)
    assert found.kind == "complete"
    np.testing.assert_array_equal(found.rows, np.arange(n))
    got = signs(found)
    np.testing.assert_array_equal(got[[1, 2, 4]], [np.inf, -np.inf, np.inf])
    assert np.isnan(got[3])
    check_direction(found, X, y)


def test_overlap_of_many_rows_and_more_columns():
    for n, k in ((30_000, 20), (4000, 60), (1800, 150)):
        _, X, y = planted(n, k)
        assert find_separation(X, y).kind == "overlap"


def test_more_columns_than_rows():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 50)), np.arange(30) % 2
    found = find_separation(X, y)
    assert found.kind == "complete"
    assert np.isnan(signs(found)).all()


def test_where_there_are_too_many_coefficients_it_is_said(monkeypatch):
    rng = np.random.default_rng(0)
    with pytest.raises(EvenOddsError, match="up to 1000 coefficients, here there are 39"):
        find_separation(sp.random_array((5000, 4000), density=0.001, random_state=rng), np.arange(5000) % 2)
    monkeypatch.setattr(recession, "_MOST_COEF", 30)
    X, y = rng.normal(size=(300, 40)), np.arange(300) % 2
    assert find_separation(X, y).kind == "overlap"  # which is proved cheaply
    with pytest.raises(EvenOddsError, match="up to 30 coefficients, here there are 41"):
        find_separation(X, X[:, 0] > 0)


def test_signs_are_not_looked_for_in_many_dimensions():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 220))
    found = find_separation(X, X[:, 0] > 0)
    assert found.kind == "complete"
    assert np.isnan(signs(found)).all()


# Homes: the answer for a home is given in its own rows and in the user's


@pytest.mark.parametrize("few", [True, False])
def test_a_home_is_seen_through_its_contract(monkeypatch, few):
    if not few:
        monkeypatch.setattr(home, "_FEW_ROWS", 0)
    _, X, y = planted(900, 4)
    X[:, 1] = 0
    X[[3, 500, 899], 1], y[[3, 500, 899]] = 1, False
    codes = y.astype(np.uint8)
    for data in (Blocks(X, codes, cuts=(1, 400)), as_data(X, codes), Blocks(sp.csr_array(X), codes, cuts=(450,))):
        coordinates = choose_coordinates(data, data.sample(900, 0), intercept=True, standardize=False, strength=0.0)
        found = separation_of(two_sided(data, coordinates))
        assert found.kind == "quasi-complete"
        np.testing.assert_array_equal(found.infinite, [0, 0, -np.inf, 0, 0])
        np.testing.assert_array_equal(np.flatnonzero(found.separated), [3, 500, 899])


def test_rows_are_numbered_in_the_home_and_as_the_user_does():
    X, y = np.array([[0.0], [1], [1], [2], [3]]), np.array([0, 1, 0, 1, 1], dtype=np.uint8)
    weights = np.array([0.0, 1, 1, 1, 1])
    data = as_data(X, y, weights)
    coordinates = choose_coordinates(data, data.sample(9, 0), intercept=True, standardize=False, strength=0.0)
    found = separation_of(two_sided(data, coordinates))
    np.testing.assert_array_equal(found.separated, [False, False, True, True])
    np.testing.assert_array_equal(find_separation(X, y, weights).rows, [3, 4])


@pytest.mark.parametrize("n", [9, 3000])
def test_a_home_without_a_column_overlaps(n):
    data = as_data(np.zeros((n, 1)), np.arange(n, dtype=np.uint8) % 2)
    for intercept in (True, False):
        nothing = Coordinates(np.zeros(1), np.ones(1), np.empty(0, dtype=int), intercept)
        assert separation_of(two_sided(data, nothing)).kind == "overlap"


# What can be given

X0 = np.array([[1, 0], [2, 1], [3, 0], [3, 1], [3, 1], [4, 1], [5, 0]])
Y0 = np.array([0, 0, 0, 1, 0, 1, 1])
WAYS = {
    "integers": lambda X: X,
    "lists": lambda X: X.tolist(),
    "float32": lambda X: X.astype(np.float32),
    "Fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
    "CSR": sp.csr_array,
    "CSC": sp.csc_matrix,
    "COO": sp.coo_array,
    "pandas": lambda X: pd.DataFrame(X, columns=["dose", "old"]),
    "pandas, numbers for names": pd.DataFrame,
    "polars": lambda X: pl.DataFrame({"dose": X[:, 0], "old": X[:, 1].astype(bool)}),
    "Arrow": lambda X: pa.table({"dose": X[:, 0], "old": X[:, 1]}),
}


@pytest.mark.parametrize("way", WAYS)
def test_data_as_people_have_them(way):
    found = find_separation(WAYS[way](X0), Y0)
    named = way in ("pandas", "polars", "Arrow")
    assert found.names == ("(intercept)", "dose", "old") if named else ("(intercept)", "x0", "x1")
    check_oracle(X0, Y0 == 1, True, found)
    assert all(type(value) is float for value in found.infinite.values())


@pytest.mark.parametrize("labels", [["ham", "spam"], [False, True], [-1, 1], [2.0, 5.0], ["0", "1"]])
def test_labels_as_people_have_them(labels):
    found = find_separation(X0, np.array(labels)[Y0])
    assert found.classes.tolist() == labels
    check_oracle(X0, Y0 == 1, True, found)


BAD = {
    "NaN": (np.where(X0 == 5, np.nan, X0), Y0, None),
    "infinity": (np.where(X0 == 5, np.inf, X0), Y0, None),
    "sparse NaN": (sp.csr_array(np.where(X0 == 5, np.nan, X0)), Y0, None),
    "named NaN": (pd.DataFrame({"dose": np.where(X0[:, 0] == 5, np.nan, 1.0)}), Y0, None),
    "missing": (pl.DataFrame({"dose": [1, 2, None, 4, 5, 6, 7]}), Y0, None),
    "mixed": (pd.DataFrame({"dose": [*"abcdef", 7]}), Y0, None),
    "no y": (X0, None, None),
    "lengths": (X0, Y0[:-1], None),
    "one class": (X0, Y0 * 0, None),
    "y NaN": (X0, np.where(Y0, np.nan, 0.0), None),
    "one dimension": (X0[:, 0], Y0, None),
    "no columns": (X0[:, :0], Y0, None),
    "weights": (X0, Y0, np.ones(3)),
    "negative weight": (X0, Y0, -np.ones(7)),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_as_a_fit_says_it(name):
    X, y, weight = BAD[name]
    with pytest.raises(EvenOddsError) as fitted:
        LogisticRegression().fit(X, y, sample_weight=weight)
    with pytest.raises(EvenOddsError) as found:
        find_separation(X, y, weight)
    said = str(fitted.value).replace("LogisticRegression", "find_separation")
    first = re.split(r"[.:] ", str(found.value))[0]
    assert first in said


def test_a_class_without_weight_is_an_error():
    with pytest.raises(EvenOddsError, match="All rows of class 1 have weight 0: two classes are needed"):
        find_separation(X0, Y0, 1.0 - Y0)


def test_more_than_two_classes_are_an_error():
    with pytest.raises(EvenOddsError, match="find_separation is for two classes, and y holds 3: 0, 1, 2"):
        find_separation(X0, np.arange(7) % 3)


def test_nothing_to_fit():
    with pytest.raises(EvenOddsError, match="No column is left"):
        find_separation(X0 * 0, Y0, fit_intercept=False)
    assert find_separation(X0 * 0, Y0).kind == "overlap"


# In words


def test_in_words():
    found = find_separation(pd.DataFrame(X0, columns=["dose", "old"]), np.array(["ham", "spam"])[Y0])
    assert isinstance(found, Separation)
    text = str(found)
    assert "quasi-completely" in text
    assert "'spam' from 'ham' in " in text
    assert "Going to +inf: dose" in text
    assert "Going to -inf: (intercept)" in text
    assert "LogisticRegression(firth=True)" in text
    assert "C=1" in text
    assert "overlap" in str(find_separation(X0, [0, 1, 1, 1, 0, 1, 0]))
    wide = find_separation(np.random.default_rng(0).normal(size=(20, 30)), np.arange(20) % 2)
    assert "completely" in str(wide)
    assert "in all rows" in str(wide)
    assert re.search(r"sign not determined: \(intercept\), x0, .* and \d+ more\.", str(wide))


# The cone


def test_rows_too_close_to_call_are_an_error_not_an_answer(monkeypatch):
    monkeypatch.setattr(cone, "_ATTEMPTS", 0)
    with pytest.raises(EvenOddsError, match="cannot be told"):
        find_separation(X0, Y0)


@pytest.mark.parametrize("near", [True, False])
def test_a_path_that_goes_astray_is_not_believed(monkeypatch, near):
    """The fit and the proofs do without it where the cone is not narrow."""

    def astray(rows):
        m, k = rows.shape
        return Parts(np.zeros(k), np.ones(m), np.full(m, near))

    monkeypatch.setattr(cone, "parts_of", astray)
    found = find_separation(X0, Y0)
    check_oracle(X0, Y0 == 1, True, found)


# What a fit says of it

RNG = np.random.default_rng(0)
AGE, TREATED = RNG.normal(50, 10, 200), (np.arange(200) % 2).astype(float)
SICK = (RNG.random(200) < 0.4) & (TREATED == 0)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("times", [1, 300])  # of the rows: small data, and such as cutting planes answer for
def test_the_warning_says_what_is_certain_and_not_its_opposite(sign, flipped, times):
    """Nobody who was treated is sick; of the others some are."""
    frame = pd.DataFrame({"age": np.tile(AGE, times), "treated": sign * np.tile(TREATED, times)})
    y = np.where(np.tile(SICK, times) != flipped, "sick", "well")
    side, label = "high" if sign > 0 else "low", "sick" if flipped else "well"
    with pytest.warns(
        SeparationWarning, match=f"{side} values of column 'treated' belong to class '{label}' and never"
    ):
        LogisticRegression().fit(frame, y)


FREE = {
    "bounds": {"lower": 0},
    "a ridge on the others": {"C": 1.0, "penalty_factor": [0, 1, 1]},
    "a lasso on the others": {"C": 1.0, "l1_ratio": 1.0, "penalty_factor": [0, 1, 1]},
}


@pytest.mark.parametrize("parameters", FREE.values(), ids=FREE)
def test_columns_without_a_penalty_that_separate_are_named(parameters):
    X = np.random.default_rng(0).normal(size=(200, 3))
    y = (X[:, 0] > 0).astype(int)
    with pytest.warns(SeparationWarning, match="high values of column 0 belong to class 1"):
        model = LogisticRegression(**parameters).fit(X, y)
    assert model.solution_.status is Status.SEPARATED


@pytest.mark.parametrize(
    "parameters",
    [{"upper": 0}, {"lower": 0, "upper": [5, np.inf, np.inf]}, {"C": 1.0, "penalty_factor": [1, 0, 1]}, {"C": 1.0}],
)
def test_what_bounds_or_a_penalty_hold_separates_nothing(parameters):
    X = np.random.default_rng(0).normal(size=(200, 3))
    model = LogisticRegression(**parameters).fit(X, (X[:, 0] > 0).astype(int))
    assert model.solution_.status is Status.CONVERGED


@pytest.mark.parametrize("kind", ["numbers", "half of them 0 or 1"])
@pytest.mark.parametrize("rows_a_column", [1.5, 1.8, 2.0, 2.2, 2.5, 3.0, 5.0])
def test_many_columns_are_told_apart_or_overlap(rows_a_column, kind):
    """Few rows a column can be told apart completely, many overlap: Newton's steps show either.

    What they show is checked without them: the direction found, or the optimum by which the classes overlap.
    """
    rng = np.random.default_rng(int(10 * rows_a_column))
    p = 60
    X = rng.normal(size=(int(rows_a_column * p), p))
    if kind != "numbers":
        X[:, : p // 2] = X[:, : p // 2] > 0.5
    y = (rng.random(len(X)) < expit(X[:, -1])).astype(int)
    found = find_separation(X, y)
    if found.kind == "overlap":
        model = LogisticRegression(tol=1e-9).fit(X, y)
        residual = y - model.predict_proba(X)[:, 1]
        assert model.solution_.status is Status.CONVERGED
        assert_allclose(np.column_stack([np.ones(len(X)), X]).T @ residual, 0, atol=1e-6)
    else:
        assert rows_a_column < 3
        margins = np.where(y == 1, 1, -1) * (np.column_stack([np.ones(len(X)), X]) @ found.direction)
        assert (margins[found.rows] > 0).all()
        assert margins.min() > -1e-9 * np.abs(found.direction).max()
        with pytest.warns(SeparationWarning):
            assert LogisticRegression().fit(X, y).solution_.status is Status.SEPARATED


def test_an_ordinary_fit_of_many_classes_never_asks_the_judge(monkeypatch):
    monkeypatch.setattr(recession, "separation_of", None)
    rng = np.random.default_rng(1)
    X = rng.normal(size=(800, 5))
    y = (X @ rng.normal(size=(5, 40)) + rng.gumbel(size=(800, 40))).argmax(axis=1)
    assert LogisticRegression().fit(X, y).solution_.status is Status.CONVERGED


# One judge: whoever fits without a penalty on some column asks it


@pytest.mark.parametrize(("n", "p", "zeros"), [(500, 5, 20), (2000, 12, 50), (20_000, 12, 500), (50_000, 20, 200)])
def test_a_column_that_separates_where_it_is_not_zero(n, p, zeros):
    """12 of 27 such fits ended CONVERGED, with coefficients of 40 to 270."""
    rng = np.random.default_rng(zeros)
    X = rng.normal(size=(n, p))
    y = (rng.random(n) < expit(X @ rng.normal(size=p) * 0.5)).astype(int)
    X[:, 0] = np.where(y == 1, np.abs(X[:, 0]) + 1, -np.abs(X[:, 0]) - 1)
    X[:zeros, 0] = 0
    with pytest.warns(SeparationWarning, match="separated: high values of column 0 belong to class 1 and never"):
        model = LogisticRegression().fit(X, y)
    assert model.solution_.status is Status.SEPARATED
    assert find_separation(X, y).infinite == {"x0": np.inf}


@pytest.mark.parametrize("sd", [1, 10, 100])
def test_offsets_do_not_hide_a_column_without_events(sd):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = np.column_stack([np.arange(40) % 4 == 0, rng.normal(size=40)]).astype(float)
        offset = sd * rng.normal(size=40)
        y = ((rng.random(40) < expit(offset + X[:, 1])) & (X[:, 0] == 0)).astype(int)
        with pytest.warns(SeparationWarning, match="low values of column 0 belong to class 1|high values of column 0"):
            model = LogisticRegression().fit(X, y, offset=offset)
        assert model.solution_.status is Status.SEPARATED


@pytest.mark.parametrize(
    "parameters",
    [{"C": 1.0, "penalty_factor": [0, 1, 1]}, {"upper": [np.inf, 5, np.inf]}, {"lower": 0}, {"lower": [-9, 0, 0]}],
    ids=["factor", "upper", "lower", "all bounded"],
)
def test_factors_and_bounds_of_three_classes(parameters):
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(60, 3)), rng.integers(0, 3, 60)
    X[:, 0] = np.where(y == 2, 1, -1) * np.abs(X[:, 0])
    with pytest.warns(
        SeparationWarning, match="high values of column 0 belong to class 2 and never to classes 0, 1"
    ) as told:
        model = LogisticRegression(**parameters).fit(X, y)
    assert len(told) == 1
    assert model.solution_.status is Status.SEPARATED
    mixed = rng.permutation(y)
    assert LogisticRegression(**parameters).fit(X, mixed).solution_.status is Status.CONVERGED


def test_a_bound_beside_a_multiple_of_the_column_that_is_free():
    """A direction that the bound forbids was found, and taken for overlap."""
    x = np.random.default_rng(0).normal(size=200)
    X = np.column_stack([x, 3 * x])
    with pytest.warns(SeparationWarning, match="high values of column 1 belong to class 1"):
        model = LogisticRegression(upper=[0.1, np.inf]).fit(X, (x > 0).astype(int))
    assert model.solution_.status is Status.SEPARATED
    y = (np.random.default_rng(1).random(200) < expit(x)).astype(int)
    model = LogisticRegression(upper=[0.1, np.inf]).fit(X, y)
    assert model.solution_.status is Status.CONVERGED
    plain = LogisticRegression().fit(x[:, None], y).coef_[0, 0]
    assert model.coef_[0] @ [1, 3] == pytest.approx(plain, rel=1e-6)


def test_a_path_says_it_too():
    X = np.random.default_rng(0).normal(size=(200, 3))
    y = (X[:, 0] > 0).astype(int)
    with pytest.warns(SeparationWarning, match="high values of column 0 belong to class 1"):
        path(X, y, penalty_factor=[0, 1, 1], Cs=[0.1, 1])
    with pytest.warns(SeparationWarning, match="high values of column 'a' belong to class 'yes'"):
        path(pd.DataFrame(X, columns=list("abc")), np.where(y, "yes", "no"), penalty_factor={"a": 0}, n_C=5)
    assert path(X, y, Cs=[0.1, 1]).Cs.size == 2


def test_what_is_not_decided_is_not_taken_for_overlap(monkeypatch):
    monkeypatch.setattr(cone, "_ATTEMPTS", 0)
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = (X[:, 0] > 0).astype(int)
    X[:12, 0], y[:12] = 0, np.arange(12) % 2
    with pytest.warns(SeparationWarning, match="It was not decided whether the fit has an optimum"):
        model = LogisticRegression(max_iter=1000).fit(X, y)
    assert model.solution_.status is not Status.CONVERGED


def test_columns_that_separate_only_together_are_told_so_with_their_direction():
    rng = np.random.default_rng(1)
    X = rng.integers(-4, 5, (200, 20)).astype(float)
    w = np.r_[2.0, -1, rng.normal(size=18)]
    with pytest.warns(SeparationWarning, match=r"taken together, belong to class 1 and never to class 0, in the dir"):
        LogisticRegression().fit(X, (X @ w > 0).astype(int))
    X = X[:, :2]
    with pytest.warns(SeparationWarning) as told:
        LogisticRegression().fit(X, (X @ [2, -1] > 0).astype(int))
    words = "high values of column 0 and low values of column 1, taken together, belong to class 1 and never to class 0"
    assert words in str(told[0].message)


def test_columns_that_separate_alone_are_told_beside_those_that_do_so_together():
    rng = np.random.default_rng(2)
    n = 400
    y = rng.integers(0, 2, n)
    X = np.zeros((n, 3))
    X[: n // 2, 0] = np.where(y[: n // 2] == 1, 1, -1)
    X[n // 2 :, 1:] = rng.integers(-3, 4, (n - n // 2, 2))
    y[n // 2 :] = X[n // 2 :, 1] - 2 * X[n // 2 :, 2] > 0
    with pytest.warns(SeparationWarning) as told:
        LogisticRegression().fit(np.vstack([X, np.zeros((2, 3))]), np.r_[y, 0, 1])
    message = str(told[0].message)
    assert (
        "high values of column 0 belong to class 1 and never to class 0; of the rows that these leave, high" in message
    )
    assert "leave, high values of column 1 and low values of column 2, taken together, belong" in message


@pytest.mark.parametrize("exponent", range(2, 15))
def test_a_far_value_does_not_hide_a_column_that_separates(exponent):
    """The classes overlap in the first column where the second is 0; rows where it is 100 are all of one class.

    From 1e9 on the differences in the first column are next to rounding beside the far value: doubt is right too.
    """
    clear = 8
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X = np.column_stack([rng.normal(0, 12, 14), np.zeros(14)])
        y = np.ones(14, dtype=int)
        y[np.argsort(X[:, 0])[6]] = 0
        at = rng.choice(np.flatnonzero(y), 3, replace=False)
        X[at[:2], 1], y[at[:2]] = 100.0, 0
        X[at[2], 0] = 10.0**exponent
        with pytest.warns(SeparationWarning):
            status = LogisticRegression().fit(X, y).solution_.status
        try:
            found = find_separation(X, y)
        except EvenOddsError:
            assert exponent > clear
            assert status in (Status.SEPARATED, Status.STALLED)
            continue
        assert status is Status.SEPARATED
        assert found.kind == "quasi-complete"
        assert found.infinite == {"x1": -np.inf}
        assert sorted(found.rows) == sorted(at[:2])


@pytest.mark.parametrize("labels", [("no", "yes"), ("no", "late", "yes")])
@pytest.mark.parametrize(("n_high", "n_low"), [(1, 0), (3, 10), (10, 11), (11, 0), (40, 25), (300, 4)])
def test_many_lone_levels_are_counted_and_few_of_them_named(labels, n_high, n_low):
    rng = np.random.default_rng(n_high)
    common, n_lone = 5, n_high + n_low
    level = np.concatenate([np.repeat(np.arange(common), 60), common + np.repeat(np.arange(n_lone), 3)])
    y = np.array(labels)[rng.integers(len(labels), size=level.size)]
    y[level >= common] = labels[-1]
    y[level >= common + n_high] = labels[0]
    frame = pd.DataFrame({"f": [f"l{k:03d}" for k in level], "y": y})
    with pytest.warns(SeparationWarning) as told:
        fit_table("y", frame)
    words = str(told[0].message)
    names = [f"'f[l{k:03d}]'" for k in range(common, common + n_lone)]
    for some in (names[:n_high], names[n_high:]):
        counted = f"{len(some)} columns, such as {', '.join(some[:3])},"
        assert (counted in words) == (len(some) > 10)
        assert [name in words for name in some] == [k < 3 or len(some) <= 10 for k in range(len(some))]
