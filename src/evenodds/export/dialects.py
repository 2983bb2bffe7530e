"""What tells the dialects of SQL apart beyond what sqlglot knows: names, and how columns in between are hidden."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ..exceptions import EvenOddsError
from ..naming import nearest

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True)
class Dialect:
    """A dialect.

    name : sqlglot's
    title : what people call it
    nesting : how the score, which is used several times, is named without being among the columns of the answer:
        "star" has SELECT * leave out columns, "lateral" joins a query of each row, "subquery" has one in each column
    longest : bytes that a name may have
    folds : whether names that differ in capitals alone are one
    empty : whether a name may be empty
    forbidden : characters that a name may not have
    quoted_numbers : whether numbers are written as text to keep all their digits
    nan : whether a double can be NaN
    """

    name: str
    title: str
    nesting: str
    longest: int | None = None
    folds: bool = False
    empty: bool = False
    forbidden: str = ""
    quoted_numbers: bool = False
    nan: bool = True

    def require_name(self, name: str, what: str = "a column") -> None:
        """An error for a name that the database cannot have."""
        why = ""
        try:
            size = len(name.encode())
        except UnicodeEncodeError:
            size, why = 0, "it is not valid Unicode"
        found = sorted(set(self.forbidden) & set(name))
        if "\0" in name:
            why = "it holds a NUL character"
        elif not name and not self.empty:
            why = "it is empty"
        elif found:
            why = f"it holds {found[0]!r}"
        elif self.longest is not None and size > self.longest:
            why = f"it has {size} bytes, and at most {self.longest} are allowed"
        if why:
            raise EvenOddsError(
                f"{self.title} cannot have {what} of the name {name[:80]!r}: {why}. Rename it before the fit."
            )

    def require_names(self, names: Sequence[str], added: Sequence[str]) -> None:
        """An error for columns that the database cannot have beside each other.

        added : those that the query adds
        """
        seen: dict[str, str] = {}
        for place, name in enumerate((*names, *added)):
            self.require_name(name, "a column")
            key = "".join(c.lower() if c.isascii() else c for c in name) if self.folds else name
            if key in seen and place >= len(names) and seen[key] in names:
                raise EvenOddsError(
                    f"The model takes a column {seen[key]!r}, and the query adds one of this name. Rename the column "
                    "before the fit."
                )
            if key in seen:
                raise EvenOddsError(
                    f"{self.title} does not tell the columns {seen[key]!r} and {name!r} apart. Rename one, or "
                    "the label that it is about, before the fit."
                )
            seen[key] = name


DIALECTS = {
    each.name: each
    for each in (
        Dialect("duckdb", "DuckDB", "star", folds=True),
        Dialect("postgres", "PostgreSQL", "lateral", longest=63),
        Dialect("sqlite", "SQLite", "subquery", folds=True, empty=True, nan=False),
        Dialect("bigquery", "BigQuery", "star", longest=300, folds=True, forbidden='!"$()*,./;?@[\\]^`{}~\n\r\t'),
        Dialect("snowflake", "Snowflake", "star", longest=255, quoted_numbers=True),
    )
}
_OTHER_NAMES = {"postgresql": "postgres", "sqlite3": "sqlite"}


def dialect_of(name: object) -> Dialect:
    """A dialect by its name."""
    key = name.lower() if isinstance(name, str) else ""
    key = _OTHER_NAMES.get(key, key)
    if key not in DIALECTS:
        raise EvenOddsError(f"There is no dialect {name!r}. {nearest(str(name), list(DIALECTS), 'There are')}")
    return DIALECTS[key]


def sqlglot_expressions() -> Any:
    """sqlglot's expressions, or an error that says how to get them."""
    try:
        return importlib.import_module("sqlglot").exp
    except ImportError:
        raise EvenOddsError('SQL is written by the package sqlglot: pip install "evenodds[sql]".') from None


def table_of(name: object, dialect: Dialect, alias: str) -> "exp.Table":
    """A table, by a name, one with its schema before it, or the parts of such a name.

    Names that are made of letters, digits, underscores and points are split at the points; any other is one name.
    """
    words_of: Any = sqlglot_expressions()
    if isinstance(name, str):
        parts = name.split(".")
        plain = all(part and part.replace("_", "").replace("-", "").isalnum() for part in parts)
        parts = parts if plain else [name]
    else:
        parts = list(name) if isinstance(name, list | tuple) else []
    if not 1 <= len(parts) <= 3 or not all(isinstance(part, str) for part in parts):
        raise EvenOddsError(
            f'table is the name of a table, such as "flights" or "main.flights", or a list of up to three parts, got '
            f"{name!r}."
        )
    for part in parts:
        dialect.require_name(part, "a table")
    words = [words_of.to_identifier(part, quoted=True) for part in parts]
    places = dict(zip(("this", "db", "catalog"), reversed(words), strict=False))
    return cast(
        "exp.Table",
        words_of.Table(**places, alias=words_of.TableAlias(this=words_of.to_identifier(alias, quoted=True))),
    )
