"""Each picture is checked by the numbers that it draws, and by what a reader must find on it."""

import subprocess
import sys
import warnings
from dataclasses import replace
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from matplotlib.collections import PathCollection
from matplotlib.contour import QuadContourSet
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_iris, make_moons
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import evenodds
from evenodds import plots
from evenodds.exceptions import EvenOddsError
from evenodds.inference import infer
from oracle import case

matplotlib.use("Agg")

X, Y = make_moons(n_samples=100, noise=0.24, random_state=44)
LINE = LogisticRegression(C=1e12).fit(X, Y)
FRAMES = [pd.DataFrame, pl.DataFrame, pa.table]


def inferred(table, y, weight=None, asked=None, **parameters):
    """What `infer` says, without the warnings of the fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = evenodds.LogisticRegression(**parameters).fit(table, y, weight)
    return infer(model, table, y, weight, **(asked or {}))


def reference(name):
    columns = case(name)[1]
    y = columns.pop("y").astype(int)
    return pd.DataFrame({key: values for key, values in columns.items() if key != "const"}), y


GRADES, GRADE = reference("a01_spector")
RESULT = inferred(GRADES, GRADE)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def even_odds(ax):
    """Return the points of the lines of even odds."""
    lines = [c for c in ax.collections if isinstance(c, QuadContourSet) and not c.filled]
    return [path.vertices for line in lines for path in line.get_paths()]


@pytest.mark.parametrize(
    "draw",
    [
        plots.sigmoid,
        lambda ax=None: plots.scatter(X, Y, ax=ax),
        lambda ax=None: plots.decision_boundary(LINE, X, Y, ax=ax),
        lambda ax=None: plots.loss_curve([0.7, 0.5], ax=ax),
        lambda ax=None: plots.coefficients(LINE, ax=ax),
        lambda ax=None: plots.coefficients(RESULT, ax=ax),
        lambda ax=None: plots.forest(RESULT, ax=ax),
        lambda ax=None: plots.forest(RESULT, ax=ax, odds_ratio=True),
        lambda ax=None: plots.margins(RESULT, GRADES, ax=ax),
        lambda ax=None: plots.influence(RESULT, GRADES, GRADE, ax=ax),
        lambda ax=None: plots.residuals(RESULT, GRADES, GRADE, ax=ax),
        lambda ax=None: plots.roc(LINE, X, Y, ax=ax),
        lambda ax=None: plots.precision_recall(LINE, X, Y, ax=ax),
        lambda ax=None: plots.calibration(LINE, X, Y, ax=ax),
    ],
)
def test_every_picture_takes_axes_or_makes_them_and_names_both(draw):
    ax = draw()
    assert ax.figure.number in plt.get_fignums()
    assert ax.get_xlabel()
    assert ax.get_ylabel() or ax.get_yticklabels()
    ax.figure.canvas.draw()
    _, given = plt.subplots()
    before = plt.get_fignums()
    assert draw(ax=given) is given
    assert plt.get_fignums() == before


def test_every_picture_is_named():
    assert sorted(plots.__all__) == plots.__all__
    assert all(callable(getattr(plots, name)) for name in plots.__all__)


def test_the_package_does_not_wait_for_matplotlib():
    code = "import sys, evenodds; sys.exit('matplotlib' in sys.modules or 'evenodds.plots' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_sigmoid_draws_the_sigmoid_and_even_odds():
    ax = plots.sigmoid()
    z, p = max((line.get_data() for line in ax.lines), key=lambda data: len(data[0]))
    np.testing.assert_array_equal(p, expit(z))
    assert ax.get_xlim() == (-6, 6)
    assert "even odds" in ax.texts[0].get_text()


# Scatter


def test_scatter_draws_each_class_in_its_own_colour_and_marker():
    labels = np.array(["b", "a", "c"])[np.arange(100) % 3]
    ax = plots.scatter(X, labels)
    assert texts(ax) == ["class a", "class b", "class c"]
    for points, label in zip(ax.collections, "abc", strict=True):
        np.testing.assert_array_equal(points.get_offsets(), X[labels == label])
    colors = {tuple(points.get_facecolor()[0]) for points in ax.collections}
    shapes = {len(points.get_paths()[0].vertices) for points in ax.collections}
    assert len(colors) == 3
    assert len(shapes) >= 2


def test_colours_and_markers_differ_for_more_classes_than_there_are_colours():
    labels = np.arange(100) % 20
    ax = plots.scatter(X, labels)
    looks = {(tuple(c.get_facecolor()[0]), c.get_paths()[0].vertices.tobytes()) for c in ax.collections}
    assert len(looks) == 20


@pytest.mark.parametrize("make", FRAMES)
def test_columns_name_the_axes(make):
    frame = make({"width (mm)": X[:, 0], "mass (g)": X[:, 1]})
    ax = plots.scatter(frame, Y == 1)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("width (mm)", "mass (g)")
    assert texts(ax) == ["class False", "class True"]
    np.testing.assert_array_equal(ax.collections[1].get_offsets(), X[Y == 1])


def test_labels_may_be_a_column_and_values_integers():
    ax = plots.scatter([[0, 1], [2, 3]], [[0], [1]])
    np.testing.assert_array_equal(ax.collections[1].get_offsets(), [[2, 3]])


def test_a_large_scatter_does_not_search_for_a_place_of_its_legend():
    ax = plots.scatter(np.zeros((6000, 2)), np.arange(6000) % 2)
    assert ax.get_legend()._get_loc() != 0  # 0 is "best"
    assert plots.scatter(X, Y).get_legend()._get_loc() == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.scatter(np.zeros((5, 3)), np.zeros(5)), r"two features.*\(5, 3\)"),
        (lambda: plots.scatter(np.zeros(5), np.zeros(5)), r"two features.*\(5,\)"),
        (lambda: plots.scatter(X, Y[:-1]), "100 rows but y has 99"),
        (lambda: plots.decision_boundary(LINE, X[:, :1], Y), "two features"),
        (lambda: plots.loss_curve([]), r"\(0,\)"),
        (lambda: plots.loss_curve({"a": np.ones((2, 2))}), r"\(2, 2\)"),
        (
            lambda: plots.coefficients(DecisionTreeClassifier().fit(X, Y)),
            "Tree.* has no coef_",
        ),
        (lambda: plots.coefficients(LINE, names=["a"]), "2 coefficients but 1 names"),
        (
            lambda: plots.coefficients(RidgeClassifier().fit(*load_iris(return_X_y=True))),
            r"two classes.*\(3, 4\)",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said(call, message):
    before = plt.get_fignums()  # of other tests in this process
    with pytest.raises(EvenOddsError, match=message):
        call()
    assert plt.get_fignums() == before  # and no empty figure stays behind


# Decision boundary


@pytest.mark.parametrize("scale", [[1.0, 1.0], [1e6, 1e-6], [1e-8, 1e8]])
def test_the_line_is_where_a_line_has_even_odds(scale):
    moved = X * scale + np.multiply(scale, 5)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e12)).fit(moved, Y)
    ax = plots.decision_boundary(model, moved, Y)
    (points,) = even_odds(ax)
    np.testing.assert_allclose(model.decision_function(points), 0, atol=1e-6)
    for (low, high), values, line in zip((ax.get_xlim(), ax.get_ylim()), moved.T, points.T, strict=True):
        assert low < values.min() < values.max() < high
        assert high - low < 1.2 * np.ptp(values)
        assert np.ptp(line) > 0.3 * (high - low)
    assert "even odds (p = 0.5)" in texts(ax)


def test_a_model_that_is_sure_has_a_straight_line_and_no_staircase():
    steep = LogisticRegression(C=1e12).fit(X, Y)
    steep.coef_, steep.intercept_ = steep.coef_ * 300, steep.intercept_ * 300
    (points,) = even_odds(plots.decision_boundary(steep, X, Y))
    distance = steep.decision_function(points) / np.linalg.norm(steep.coef_)
    np.testing.assert_allclose(distance, 0, atol=1e-6)  # a cell of the grid is 0.02 wide


def test_the_shade_is_the_probability():
    ax = plots.decision_boundary(LINE, X, Y)
    (shade,) = [c for c in ax.collections if isinstance(c, QuadContourSet) and c.filled]
    np.testing.assert_allclose(shade.levels, np.linspace(0, 1, 11))
    blue, white, vermilion = shade.cmap([0.0, 0.5, 1.0])[:, :3]
    assert blue[2] > blue[0]
    assert vermilion[0] > vermilion[2]
    np.testing.assert_allclose(white, 1, atol=0.01)
    middles = (shade.levels[:-1] + shade.levels[1:]) / 2
    probabilities = LINE.predict_proba(X)[:, 1]
    for path, middle in zip(shade.get_paths(), middles, strict=True):
        inside = path.contains_points(X)
        assert np.all(np.abs(probabilities[inside] - middle) < 0.06)


@pytest.mark.parametrize("make", FRAMES[:2])
def test_frames_reach_the_model_as_frames(make):
    frame = make({"a": X[:, 0], "b": X[:, 1]})
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, Y)  # warns if names get lost
    ax = plots.decision_boundary(model, frame, Y)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a", "b")
    assert len(even_odds(ax)) == 1


def test_a_curved_boundary():
    model = make_pipeline(
        SplineTransformer(n_knots=4),
        PolynomialFeatures(interaction_only=True),
        LogisticRegression(C=1, max_iter=1000),
    ).fit(X, Y)
    points = np.concatenate(even_odds(plots.decision_boundary(model, X, Y)))
    np.testing.assert_allclose(model.predict_proba(points)[:, 1], 0.5, atol=0.01)


@pytest.mark.parametrize(
    "kind", [LogisticRegression(max_iter=1000), evenodds.LogisticRegression(C=1), RidgeClassifier()]
)
def test_three_classes_with_and_without_probabilities(kind):
    iris = load_iris()
    flowers, species = iris.data[:, 2:], iris.target_names[iris.target]
    model = kind.fit(flowers, species)
    ax = plots.decision_boundary(model, flowers, species)
    assert texts(ax) == ["class setosa", "class versicolor", "class virginica", "even odds"]
    points = np.concatenate(even_odds(ax))
    scores = np.sort(model.decision_function(points), axis=1)
    np.testing.assert_allclose(scores[:, -1] - scores[:, -2], 0, atol=0.05)


def test_no_line_where_the_odds_are_never_even():
    certain = LogisticRegression(C=1e12).fit(X, Y)
    certain.intercept_ = certain.intercept_ + 100
    ax = plots.decision_boundary(certain, X, Y)
    assert even_odds(ax) == []
    assert texts(ax) == ["class 0", "class 1"]


def test_a_feature_without_spread_still_gets_a_picture():
    flat = X * [1.0, 0.0]
    ax = plots.decision_boundary(LogisticRegression().fit(flat, Y), flat, Y)
    assert ax.get_ylim() == (-0.5, 0.5)


# Loss curves


def test_loss_curves_of_arrays_solutions_and_dicts():
    ax = plots.loss_curve(np.array([0.7, 0.5, 0.4]))
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[1, 0.7], [2, 0.5], [3, 0.4]])
    assert ax.get_legend() is None

    solution = SimpleNamespace(history=(0.7, 0.3))
    ax = plots.loss_curve(solution, label="Newton")
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [0.7, 0.3])
    assert texts(ax) == ["Newton"]

    ax = plots.loss_curve({"slow": [0.7, 0.6], "fast": solution})
    assert texts(ax) == ["slow", "fast"]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    assert ax.lines[0].get_color() != ax.lines[1].get_color()


def test_an_infinite_loss_does_not_stop_the_picture():
    ax = plots.loss_curve([0.7, np.inf, 0.5])
    ax.figure.canvas.draw()
    assert ax.get_ylim()[1] < 1


# Coefficients


def test_coefficients_are_sorted_with_their_names_and_signs():
    model = SimpleNamespace(coef_=np.array([[0.5, -2.0, 0.0, 3.0]]), classes_=np.array(["no", "yes"]))
    ax = plots.coefficients(model, names=["age", "dose", "nil", "sex"])
    (dots,) = [c for c in ax.collections if len(c.get_offsets()) == 4 and c.get_facecolor().size]
    np.testing.assert_array_equal(dots.get_offsets(), [[-2, 0], [0, 1], [0.5, 2], [3, 3]])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["dose", "nil", "age", "sex"]
    assert list(ax.get_yticks()) == [0, 1, 2, 3]
    colors = dots.get_facecolor()
    assert tuple(colors[2]) == tuple(colors[3]) != tuple(colors[0])
    assert any(list(line.get_xdata()) == [0, 0] for line in ax.lines)
    assert "yes" in ax.get_xlabel()


def test_coefficients_take_names_from_the_model_or_number_them():
    frame = pd.DataFrame(X, columns=["a", "b"])
    named = plots.coefficients(LogisticRegression().fit(frame, Y))
    assert {label.get_text() for label in named.get_yticklabels()} == {"a", "b"}
    numbered = plots.coefficients(LINE)
    assert {label.get_text() for label in numbered.get_yticklabels()} == {"x0", "x1"}


# Coefficients and effects with their intervals


def dots(ax):
    """The dots of a forest by the names beside them."""
    names = dict(zip(ax.get_yticks(), (label.get_text() for label in ax.get_yticklabels()), strict=True))
    (points,) = [c for c in ax.collections if len(c.get_offsets()) and isinstance(c, PathCollection)]
    return {names[row]: x for x, row in points.get_offsets().data.tolist()}


def ends(ax):
    """The ends of the intervals, from the lowest line up."""
    (lines,) = [c for c in ax.collections if hasattr(c, "get_segments")]
    return np.array([segment[:, 0] for segment in lines.get_segments()])


def beside(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def test_coefficients_of_an_inference_have_their_intervals():
    ax = plots.coefficients(RESULT)
    assert beside(ax) == ["TUCE", "PSI", "GPA"]
    assert dots(ax) == pytest.approx(dict(zip(RESULT.names[1:], RESULT.coef[1:], strict=True)))
    np.testing.assert_allclose(ends(ax), RESULT.conf_int[[2, 3, 1]])
    assert "95% interval" in ax.get_xlabel()
    assert beside(plots.coefficients(RESULT, names=["a", "b", "c"])) == ["b", "c", "a"]


def test_a_forest_is_in_the_order_of_the_table():
    ax = plots.forest(RESULT, intercept=True)
    assert beside(ax)[::-1] == list(RESULT.names)
    np.testing.assert_allclose(ends(ax)[::-1], RESULT.conf_int)
    assert beside(plots.forest(RESULT))[::-1] == list(RESULT.names[1:])
    assert "90% interval" in plots.forest(replace(RESULT, level=0.9)).get_xlabel()


def test_odds_ratios_are_on_an_axis_in_logarithms():
    ax = plots.forest(RESULT, odds_ratio=True)
    assert ax.get_xscale() == "log"
    assert dots(ax) == pytest.approx(dict(zip(RESULT.names[1:], RESULT.odds_ratio[1:], strict=True)))
    np.testing.assert_allclose(ends(ax)[::-1], RESULT.odds_ratio_conf_int[1:])
    assert any(list(line.get_xdata()) == [1, 1] for line in ax.lines)
    ax.figure.canvas.draw()
    assert "10" in [label.get_text() for label in ax.get_xticklabels()]


@pytest.mark.parametrize("size", [1e-3, 0.2, 1.0, 3.0, 200.0])
def test_odds_ratios_of_any_size_have_some_ticks(size):
    coef = size * np.array([0.0, -1.0, 0.3, 1.0])
    ax = plots.forest(replace(RESULT, coef=coef, conf_int=coef[:, None] + [-size / 9, size / 9]), odds_ratio=True)
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    assert (
        2
        <= sum(
            low <= tick <= high and bool(label.get_text())
            for tick, label in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
        )
        <= 12
    )


def words(ax):
    """The words in the picture by the names beside them."""
    names = dict(zip(ax.get_yticks(), beside(ax), strict=True))
    return {names[text.get_position()[1]]: text for text in ax.texts}


@pytest.mark.parametrize("odds_ratio", [False, True])
def test_what_is_infinite_is_named_at_its_edge(odds_ratio):
    result = inferred(*reference("b01_endometrial"))
    ax = plots.forest(result, odds_ratio=odds_ratio)
    assert words(ax)["NV"].get_text() == "infinite (+): separated →"
    assert words(ax)["NV"].get_ha() == "right"
    assert set(dots(ax)) == {"PI", "EH"}
    below = replace(result, coef=np.where(np.isinf(result.coef), -np.inf, result.coef))
    below.notes["NV"] = "infinite (-): separated"
    ax = plots.forest(below, odds_ratio=odds_ratio)
    assert words(ax)["NV"].get_text() == "← infinite (-): separated"
    assert words(ax)["NV"].get_ha() == "left"
    assert beside(plots.coefficients(below))[0] == "NV"
    ax.figure.canvas.draw()


def test_aliased_coefficients_are_at_the_bottom_in_words():
    result = inferred(GRADES.assign(twice=2 * GRADES["GPA"]), GRADE)
    ax = plots.coefficients(result)
    assert beside(ax) == ["twice", "TUCE", "PSI", "GPA"]
    assert words(ax)["twice"].get_text().startswith("aliased")
    assert "twice" not in dots(ax)
    assert words(plots.margins(result, GRADES.assign(twice=2 * GRADES["GPA"])))["twice"].get_text()[:7] == "aliased"


@pytest.mark.parametrize("odds_ratio", [False, True])
def test_a_picture_of_words_alone_has_no_numbers(odds_ratio):
    table = pd.DataFrame({"dose": [1.0, 2, 3, 4, 5, 6], "age": [3.0, 1, 2, 2, 1, 3]})
    ax = plots.forest(inferred(table, [0, 0, 0, 1, 1, 1]), odds_ratio=odds_ratio, intercept=True)
    assert set(words(ax)) == {"(intercept)", "dose", "age"}
    ax.figure.canvas.draw()
    assert list(ax.get_xticks()) == []


@pytest.mark.parametrize("odds_ratio", [False, True])
def test_an_infinite_end_is_drawn_to_the_frame(odds_ratio):
    interval = RESULT.conf_int.copy()
    interval[3, 1] = np.inf
    ax = plots.forest(replace(RESULT, conf_int=interval), odds_ratio=odds_ratio)
    assert ends(ax)[0, 1] == pytest.approx(ax.get_xlim()[1])
    assert ax.get_xlim()[1] < 1000


def test_long_names_are_shortened_and_dollars_are_no_formula():
    name = "grade point average over the last four semesters"
    result = inferred(GRADES.rename(columns={"GPA": name, "PSI": "from $a$ to $b$"}), GRADE)
    ax = plots.forest(result)
    ax.figure.canvas.draw()
    box, page = ax.get_yticklabels()[2].get_window_extent(), ax.figure.bbox
    assert box.x0 >= 0
    assert "…" in beside(ax)[2]
    assert beside(ax)[0] == r"from \$a\$ to \$b\$"
    label = ax.xaxis.label.get_window_extent()
    assert page.x0 <= label.x0 < label.x1 <= page.x1


@pytest.mark.parametrize("make", FRAMES)
def test_margins_draw_their_table(make):
    frame = make({name: GRADES[name].to_numpy() for name in GRADES.columns})
    ax = plots.margins(RESULT, frame)
    table = RESULT.margins(GRADES)
    assert dots(ax) == pytest.approx(dict(zip(table["term"], table["effect"], strict=True)))
    np.testing.assert_allclose(ends(ax)[::-1], table[["lower", "upper"]])
    assert "from 0 to 1" in ax.get_xlabel()
    assert "from 0 to 1" not in plots.margins(RESULT, frame, discrete=False).get_xlabel()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"at": "mean"}, "change in the probability of class 1\n(per unit, of 0/1 columns from 0 to 1; at the means;"),
        (
            {"at": {"GPA": 3.5}},
            "average change in the probability of class 1\n(per unit, of 0/1 columns from 0 to 1; at GPA = 3.5;",
        ),
        (
            {"kind": "eyex"},
            "average change in the logarithm of the probability of class 1\n(per unit of the logarithm;",
        ),
        ({"groups": {"method": ["PSI"]}}, "from 0 to 1, of factors from their baseline;"),
    ],
)
def test_margins_are_drawn_as_they_are_asked(asked, words):
    ax, table = plots.margins(RESULT, GRADES, **asked), RESULT.margins(GRADES, **asked)
    assert dots(ax) == pytest.approx(dict(zip(table["term"], table["effect"], strict=True)))
    np.testing.assert_allclose(ends(ax)[::-1], table[["lower", "upper"]])
    assert words in ax.get_xlabel()


# Rows


def test_influence_draws_each_row_and_labels_the_largest():
    ax = plots.influence(RESULT, GRADES, GRADE, n_labels=3)
    table = RESULT.influence(GRADES, GRADE)
    drawn = np.concatenate([c.get_offsets() for c in ax.collections])
    order = np.lexsort(drawn.T)
    expected = table[["leverage", "studentized"]].to_numpy()
    np.testing.assert_allclose(drawn[order], expected[np.lexsort(expected.T)])
    largest = table["cooks_distance"].sort_values(ascending=False).index[:3]
    assert [text.get_text() for text in ax.texts] == [str(row) for row in largest]
    for text, row in zip(ax.texts, largest, strict=True):
        assert text.xy == pytest.approx(expected[row])
    area = np.concatenate([c.get_sizes() for c in ax.collections if len(c.get_offsets())])
    assert area.max() / area.min() > 20
    assert texts(ax) == ["class 0", "class 1"]


def test_labels_of_rows_do_not_cover_each_other():
    crowd = np.linspace(0, 1e-6, 6)
    table = pd.DataFrame({"a": [*range(30), *(60 + crowd)]})
    y = np.array([0, 1] * 15 + [0, 1, 0, 1, 0, 1])
    ax = plots.influence(inferred(table, y), table, y, n_labels=6)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == 6
    assert not any(one.overlaps(two) for k, one in enumerate(boxes) for two in boxes[:k])


def test_rows_of_weight_zero_are_not_drawn():
    weight = np.ones(32)
    weight[:4] = 0
    ax = plots.influence(inferred(GRADES, GRADE, weight), GRADES, GRADE, sample_weight=weight)
    assert sum(len(c.get_offsets()) for c in ax.collections) == 28
    ax.figure.canvas.draw()


def binned(ax):
    found = [c.get_offsets() for c in ax.collections if isinstance(c, PathCollection) and len(c.get_offsets())]
    points = np.concatenate(found)
    return points[np.argsort(points[:, 0])]


def test_residuals_are_means_of_bins_with_their_bands():
    ax = plots.residuals(RESULT, GRADES, GRADE, n_bins=4)
    p = RESULT.model.predict_proba(GRADES)[:, 1]
    bins = np.array_split(np.argsort(p), 4)
    expected = [(p[rows].mean(), (GRADE - p)[rows].mean()) for rows in bins]
    np.testing.assert_allclose(binned(ax), expected)
    band = [1.959963985 * np.sqrt((p * (1 - p))[rows].sum()) / len(rows) for rows in bins]
    corners = ax.collections[0].get_paths()[0].vertices
    for (center, _), half in zip(expected, band, strict=True):
        at = corners[np.isclose(corners[:, 0], center)][:, 1]
        np.testing.assert_allclose([at.min(), at.max()], [-half, half])
    assert "inside: 4 of 4 bins" in texts(ax)


def test_residuals_show_a_missing_term():
    random = np.random.default_rng(0)
    x = random.uniform(-2, 2, 4000)
    y = (random.random(4000) < expit(x + x**2 - 1)).astype(int)
    wrong, right = (np.column_stack(columns) for columns in ([x], [x, x**2]))
    outside = [int(texts(plots.residuals(inferred(z, y), z, y))[2].split()[1]) for z in (wrong, right)]
    assert outside[0] > 20
    assert outside[1] < 8


def test_residuals_of_equal_probability_stay_together_and_models_will_do():
    switch = np.repeat([0.0, 1.0], 50)[:, None]
    y = np.r_[np.arange(50) < 10, np.arange(50) < 30]
    ax = plots.residuals(LogisticRegression(C=1e12, tol=1e-10).fit(switch, y), switch, y)
    np.testing.assert_allclose(binned(ax), [[0.2, 0], [0.6, 0]], atol=1e-5)


def test_weights_of_residuals_are_rows():
    weight = 1 + np.arange(32) % 3
    result = inferred(GRADES, GRADE, weight)
    again = np.repeat(np.arange(32), weight)
    ax = plots.residuals(result, GRADES, GRADE, sample_weight=weight, n_bins=1)
    longer = plots.residuals(result, GRADES.iloc[again], GRADE[again], n_bins=1)
    np.testing.assert_allclose(binned(ax), binned(longer), atol=1e-12)
    for one, two in zip(*(a.collections[0].get_paths()[0].vertices.T for a in (ax, longer)), strict=True):
        np.testing.assert_allclose(one, two)


def test_residuals_know_an_offset():
    offset = np.linspace(-1, 1, 32)
    plain = plots.residuals(RESULT, GRADES, GRADE, n_bins=1)
    moved = plots.residuals(RESULT, GRADES, GRADE, offset=offset, n_bins=1)
    p = expit(RESULT.model.decision_function(GRADES) + offset)
    np.testing.assert_allclose(binned(moved), [[p.mean(), (GRADE - p).mean()]])
    assert not np.allclose(binned(plain), binned(moved))


# ROC, precision and calibration


def test_precision_and_recall_are_the_curve_with_its_area():
    labels = np.where(Y == 1, "yes", "no")
    model = LogisticRegression().fit(X, labels)
    ax = plots.precision_recall(model, X, labels)
    scores = model.decision_function(X)
    precision, recall, _ = precision_recall_curve(Y, scores)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), np.c_[recall, precision])
    area = average_precision_score(Y, scores)
    assert texts(ax) == [f"LogisticRegression (AP = {area:.3f})", f"guessing (AP = {Y.mean():.3f})"]
    assert "yes" in ax.get_xlabel()
    assert "yes" in ax.get_ylabel()


def test_roc_is_the_curve_with_its_area():
    labels = np.where(Y == 1, "yes", "no")
    model = LogisticRegression().fit(X, labels)
    ax = plots.roc(model, X, labels)
    fpr, tpr, _ = roc_curve(Y, model.decision_function(X))
    np.testing.assert_allclose(ax.lines[0].get_xydata(), np.c_[fpr, tpr])
    assert texts(ax)[0] == f"LogisticRegression (AUC = {roc_auc_score(Y, model.decision_function(X)):.3f})"
    assert "no called yes" in ax.get_xlabel()


@pytest.mark.parametrize("picture", [plots.roc, plots.precision_recall, plots.calibration])
def test_labels_of_any_kind_give_the_same_picture(picture):
    expected = picture(evenodds.LogisticRegression().fit(X, Y), X, Y).lines
    for pair in ((2**70, 2**70 + 1), ("a", "a\0"), (-1, 2**63), (False, True)):
        labels = [pair[k] for k in Y]
        model = evenodds.LogisticRegression().fit(X, labels)
        for line, same in zip(picture(model, X, labels).lines, expected, strict=True):
            np.testing.assert_array_equal(line.get_xydata(), same.get_xydata())
        with pytest.raises(EvenOddsError, match="none of the classes"):
            picture(model, X, [7, *labels[1:]] if isinstance(pair[0], int) else ["b", *labels[1:]])


def test_calibration_has_a_dot_for_each_bin_of_equal_number():
    ax = plots.calibration(LINE, X, Y, n_bins=5)
    share, predicted = calibration_curve(Y, LINE.predict_proba(X)[:, 1], n_bins=5, strategy="quantile")
    (dots,) = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots.get_xydata(), np.c_[predicted, share])
    assert len(predicted) == 5
    assert len(plots.calibration(LINE, X, Y).lines[-1].get_xdata()) == 10
