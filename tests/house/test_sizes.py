"""What is short: a function fits a screen, a file is read in one sitting, and few parameters are of any type."""

import ast
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[2] / "src").rglob("*.py"))
FUNCTION, FILE = 60, 400  # lines, without decorators and the docstring of a function
ANY = 10  # parameters of which nothing is said


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


def any_parameters(tree):
    """The parameters, by line, whose type is `Any` or a union with it."""
    functions = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    given = [one for function in functions for one in ast.walk(function.args) if isinstance(one, ast.arg)]
    texts = {one: ast.unparse(one.annotation).strip("'\"") for one in given if one.annotation is not None}
    return [f"{one.lineno}: {one.arg}" for one, text in texts.items() if "Any" in text.split(" | ")]


def test_parameters_have_types_that_say_something():
    found = {str(path): any_parameters(ast.parse(path.read_text())) for path in SOURCES}
    assert sum(map(len, found.values())) <= ANY, {name: some for name, some in found.items() if some}


def test_the_measure_sees_every_kind_of_parameter():
    code = 'def f(a: Any, /, b: "Any | None", *c: Any, d: list[Any], e: int | Any = 1, **g: Any) -> Any: ...'
    assert sorted(any_parameters(ast.parse(code))) == [f"1: {name}" for name in "abceg"]
