"""The pages at the root of a checkout say what is so: one version, and tables of times that are in the results."""

import importlib
import json
import re
from pathlib import Path

import pytest

import evenodds

ROOT = Path(__file__).parents[2]


def text(name):
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"no {name} here")
    return path.read_text(encoding="utf-8")


def test_one_version():
    assert re.search(r"^version: (\S+)$", text("CITATION.cff"), re.MULTILINE)[1] == evenodds.__version__
    assert re.search(r'^version = "(\S+)"$', text("pyproject.toml"), re.MULTILINE)[1] == evenodds.__version__
    assert f"## {evenodds.__version__} (" in text("CHANGELOG.md")


def test_the_tables_of_times_are_those_of_the_results(monkeypatch):
    text("benchmarks/readme.py")
    monkeypatch.syspath_prepend(ROOT)
    readme = importlib.import_module("benchmarks.readme")
    made = readme.pages()
    for name, tables in made.items():
        page = text(name)
        assert readme.with_tables(page, tables) == page
    results = json.loads(readme.newest().read_text(encoding="utf-8"))
    rows = sum(table.count("\n") - 1 for table in readme.tables(results).values())
    assert rows == len(results["problems"])
    with pytest.raises(LookupError, match="0 tables"):
        readme.with_tables(page, {"nothing": ""})


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md"])
def test_what_the_pages_name_is_there(name):
    for path in re.findall(r"`((?:src|tests|benchmarks|docs)/[\w/.]+)`|\]\(([\w/.]+)\)", text(name)):
        assert (ROOT / (path[0] or path[1])).exists(), path
    targets = set(re.findall(r"^([\w.-]+):", text("Makefile"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", text(name))) <= targets
