"""Families of problems: generators of members, each with a check by an oracle that shares no code with the library.

What a test names is a sample of a kind, and a library that is right at the samples is not yet right between them. So
a kind is written down as a `Family`: `draw` makes a member from a random generator, `check` raises an AssertionError
where the library is wrong about it. `test_families.py` walks fixed members of every family; `make fuzz MINUTES=30`
walks fresh ones and shrinks what fails. A new family is one entry of `FAMILIES` in a module of this folder.
"""

import importlib
import pkgutil
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from evenodds import LogisticRegression
from evenodds.exceptions import CollinearWarning, SeparationWarning

_TOLD = (CollinearWarning, ConvergenceWarning, SeparationWarning)
_BY_COLUMN = ("penalty_factor", "lower", "upper")


@dataclass(frozen=True)
class Problem:
    """What a user could give: rows, and the parameters of a fit.

    X : (n, p) an array of any kind, or a sparse array; y : (n,) labels
    settings : parameters of `LogisticRegression`
    facts : what the generator knows of the member, for its check; it stays as it is when a member is made smaller
    """

    X: Any
    y: Any
    sample_weight: Any = None
    offset: Any = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def rows(self, keep: Any) -> "Problem":
        """Some of the rows, by number or mask."""
        weight, offset = (None if a is None else a[keep] for a in (self.sample_weight, self.offset))
        return replace(self, X=self.X[keep], y=self.y[keep], sample_weight=weight, offset=offset)

    def columns(self, keep: Any) -> "Problem":
        """Some of the columns, by number or mask, with what is set for each."""
        by_column = {k: np.asarray(v)[keep] for k, v in self.settings.items() if k in _BY_COLUMN and np.ndim(v)}
        return replace(self, X=self.X[:, keep], settings={**self.settings, **by_column})

    def fit(self, **changes: Any) -> tuple[LogisticRegression, list[type[Warning]]]:
        """The fitted model and the categories of its warnings; others than the library's own are failures."""
        model = LogisticRegression(**{**self.settings, **changes})
        return quietly(model.fit, self.X, self.y, self.sample_weight, self.offset)


@dataclass(frozen=True)
class Family:
    """A kind of problem.

    members : how many of them the test walks: what together takes a few seconds
    """

    name: str
    draw: Callable[[np.random.Generator], Problem]
    check: Callable[[Problem], None]
    members: int

    def member(self, seed: int) -> Problem:
        """The member of a seed: the same on every machine."""
        return self.draw(np.random.default_rng([zlib.crc32(self.name.encode()), seed]))


def quietly(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, list[type[Warning]]]:
    """What a function returns, and the categories of the library's warnings; any other warning is a failure."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*args, **kwargs)
    stray = [w for w in caught if not issubclass(w.category, _TOLD)]
    assert not stray, f"a stray warning: {stray[0].category.__name__}: {stray[0].message}"
    return result, [w.category for w in caught]


def families() -> list[Family]:
    """All families of this folder."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [family for module in modules for family in getattr(module, "FAMILIES", [])]
