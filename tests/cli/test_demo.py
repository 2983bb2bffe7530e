"""The demonstration says what the textbook's numbers are, names the separation and leaves pictures behind."""

import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console

from evenodds import LogisticRegression, demo

EXPECTED = {
    "overview",
    "sigmoid",
    "clouds_data",
    "moons_data",
    "clouds_boundary",
    "moons_boundary",
    "moons_splines",
    "loss_curves",
    "tumours_coefficients",
    "tumours_roc",
    "tumours_calibration",
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Run the demonstration once: the folder of the pictures, and the text."""
    out = tmp_path_factory.mktemp("demo") / "made" / "here"
    text = io.StringIO()
    before = plt.get_fignums()  # of other tests in this process
    demo.run(out, Console(file=text, width=130, color_system=None))
    assert plt.get_fignums() == before, "a figure stays open"
    return out, text.getvalue()


def line(text, *words):
    """Return the one line that has all the words."""
    (found,) = [row for row in text.splitlines() if all(word in row for word in words)]
    return found


def test_all_pictures_are_there_and_show_something(shown):
    out, text = shown
    assert {path.stem for path in out.iterdir()} == EXPECTED
    assert {path.suffix for path in out.iterdir()} == {".png"}
    assert f"{len(EXPECTED)} pictures" in text
    for path in out.iterdir():
        pixels = imread(path)[:, :, :3]
        assert min(pixels.shape[:2]) >= 400
        ink = np.mean(np.any(pixels < 0.9, axis=2))
        assert 0.01 < ink < 0.95, path.name
        colours = np.unique(pixels[::3, ::3].reshape(-1, 3), axis=0)
        assert len(colours) > 20, path.name


def test_the_overview_is_as_wide_as_a_page_of_the_readme(shown):
    assert imread(shown[0] / "overview.png").shape[1] == 1200


def test_the_table_has_the_numbers_of_the_textbook(shown):
    _, text = shown
    assert re.search(r"textbook +1\.00 +0\.133", line(text, "two clouds"))
    assert re.search(r"textbook, raw +0\.82 +0\.383", line(text, "two moons"))
    assert re.search(r"textbook +0\.87 +0\.315", line(text, "normalised: near the minimum"))
    (moons,) = re.findall(r"LogisticRegression +0\.87 +0\.271 +(converged in \d+ passes)", text)
    assert moons
    assert re.search(r"0\.9\d+, where the line has 0\.86", line(text, "with splines"))


def test_the_estimator_says_that_the_clouds_are_separated(shown):
    _, text = shown
    assert re.search(r"LogisticRegression +1\.00", line(text, "SeparationWarning", "separates"))
    assert "the weights grow" in line(text, "two clouds")


def test_the_tumours_are_judged_on_rows_that_were_not_fitted(shown):
    _, text = shown
    tumours = text[text.index("tumours") :]
    assert "143 test rows" in tumours
    accuracies = [float(value) for value in re.findall(r"(?:textbook|LogisticRegression) +(\d\.\d\d)", tumours)]
    assert len(accuracies) == 2
    assert min(accuracies) >= 0.95
    assert float(re.search(r"AUC (\d\.\d+)", tumours)[1]) > 0.99


def test_it_fits_a_narrow_terminal():
    text = io.StringIO()
    console = Console(file=text, width=80, color_system=None)
    row = demo.Row("LogisticRegression", 0.5, 0.25, "word " * 30)
    console.print(demo._summary([demo.Example("two moons", [row, row], {})]))
    assert max(len(row) for row in text.getvalue().splitlines()) <= 80
    assert "LogisticRegression      0.50     0.250  word" in text.getvalue()
    assert text.getvalue().count("two moons") == 1  # an example is named once


def test_without_separation_the_estimator_reports_how_it_ended():
    X = np.arange(8.0)[:, None]
    y = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    model, separated = demo._fit(X, y)
    assert isinstance(model, LogisticRegression)
    assert separated is False
    assert "converged" in demo._estimator_row(model, X, y, separated).happened
    _, separated = demo._fit(X, X[:, 0] > 3)
    assert separated is True
