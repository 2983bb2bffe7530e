"""The plugin of pytest: exchange the classes before a test is imported, and mark what is expected to fail.

scikit-learn repeats many tests for each of its solvers. Where several of its names stand for one solver of ours, a test
is run once. An expected failure is run once too, with the first parameters it is meant for: its reason is the same for
all of them.
"""

from typing import Any

import pytest
import sklearn.linear_model

from . import classes
from .expected import EXPECTED

for name in ("LogisticRegression", "LogisticRegressionCV"):
    setattr(sklearn.linear_model, name, getattr(classes, name))


class _Gone(pytest.Item):
    """An expected failure that is of no test, which is a failure."""

    def runtest(self) -> None:
        raise LookupError(f"No test is meant by {self.name}.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept, left_out, seen = [], [], set()
    for item in items:
        expected = _expected(item)
        once = expected or _with_our_solver(item)
        if once in seen:
            left_out.append(item)
            continue
        seen.add(once)
        if expected is not None:
            item.add_marker(pytest.mark.xfail(reason=EXPECTED[expected], strict=True))
        kept.append(item)
    modules = {item.path.stem for item in items}
    gone = [key for key in EXPECTED if key.partition("::")[0] in modules and key not in seen]
    if not config.option.keyword:
        kept += [_Gone.from_parent(items[0].session, name=key) for key in gone]
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)


def _expected(item: Any) -> str | None:
    """The entry of the table that a test belongs to."""
    test = f"{item.path.stem}::{item.originalname}"
    for key in EXPECTED:
        function, _, parameters = key.rstrip("]").partition("[")
        if function == test and any(text in item.name for text in parameters.split("|")):
            return key
    return None


def _with_our_solver(item: Any) -> tuple[Any, ...]:
    """What a test is run with, the solver by our name."""
    given = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    solver = given.get("solver")
    if not isinstance(solver, str):
        return item.path, item.name
    given["solver"] = classes.SOLVERS[solver]
    return item.path, item.originalname, repr(given)
