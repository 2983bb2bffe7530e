"""What is short: a function fits a screen, and a file is read in one sitting."""

import ast
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[2] / "src").rglob("*.py"))
FUNCTION, FILE = 60, 400  # lines, without decorators and the docstring of a function


def lines_of(function):
    """From `def` to the end, without the docstring."""
    first, lines = function.body[0], function.end_lineno - function.lineno + 1
    documented = ast.get_docstring(function) is not None
    return lines - (first.end_lineno - first.lineno + 1) * documented


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[-2:]))
def test_functions_fit_a_screen_and_files_are_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= FILE
    functions = [one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {one.name: lines_of(one) for one in functions if lines_of(one) > FUNCTION} == {}


def test_the_measure_counts_what_is_read():
    (function,) = ast.parse('@one\n@two\ndef f(\n    a,\n):\n    """Say\n\n    it."""\n    return a\n').body
    assert lines_of(function) == 4
