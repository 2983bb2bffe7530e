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
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from evenodds import LogisticRegression
from evenodds.exceptions import CollinearWarning, SeparationWarning

_TOLD = (CollinearWarning, ConvergenceWarning, SeparationWarning)
_BY_COLUMN = ("penalty_factor", "lower", "upper")


def _names(X: Any) -> list[str]:
    return [f"column {j}" for j in range(X.shape[1])]


FORMS: Mapping[str, Callable[[Any], Any]] = {
    "given": lambda X: X,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "backwards": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "read-only": lambda X: np.frombuffer(X.tobytes(), X.dtype).reshape(X.shape),
    "list": lambda X: X.tolist(),
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "coo matrix": sp.coo_matrix,
    "stored zeros": lambda X: _with_stored_zeros(X),
    "pandas": lambda X: pd.DataFrame(X, columns=_names(X)),
    "polars": lambda X: pl.DataFrame(np.asarray(X), schema=_names(X)),
    "arrow": lambda X: pa.table(dict(zip(_names(X), np.ascontiguousarray(X.T), strict=True))),
}


def _with_stored_zeros(X: Any) -> Any:
    """A CSR array in which every entry is stored, in falling order of columns, and each one as two halves."""
    n, p = X.shape
    entries = np.repeat(X[:, ::-1] / 2, 2, axis=1).ravel()
    columns = np.tile(np.repeat(np.arange(p)[::-1], 2), n)
    return sp.csr_array((entries, columns, np.arange(n + 1) * 2 * p), shape=(n, p))


@dataclass(frozen=True)
class Problem:
    """What a user could give: rows, and the parameters of a fit.

    X : (n, p) an array of any kind, or a sparse array; y : (n,) labels
    settings : parameters of `LogisticRegression`
    form : how X is handed over, one of `FORMS`: what is smaller stays of the same kind
    facts : what the generator knows of the member, for its check; it stays as it is when a member is made smaller
    """

    X: Any
    y: Any
    sample_weight: Any = None
    offset: Any = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    form: str = "given"

    def handed(self) -> Any:
        """X in its form."""
        return FORMS[self.form](self.X)

    def dense(self) -> Any:
        """The numbers of X as a plain array."""
        return self.X.toarray() if sp.issparse(self.X) else np.asarray(self.X)

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
        return quietly(model.fit, self.handed(), self.y, self.sample_weight, self.offset)


@dataclass(frozen=True)
class Family:
    """A kind of problem.

    members : how many of them the test walks: what together takes a few seconds; none of what only `make fuzz` does
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
