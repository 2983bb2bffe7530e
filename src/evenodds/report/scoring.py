"""How to score other rows with the model of a report: in Python, on the command line, in a database."""

import json
from dataclasses import dataclass

import numpy as np

from ..exceptions import EvenOddsError
from ..export.sql import to_sql
from ..inference.display import printable, shortened
from .rows import Model, fit_of

_MOST = 30
_LONGEST = 20_000  # letters of a query
_LEAST = 10  # letters that a coefficient takes in it


@dataclass(frozen=True)
class Way:
    """One way: its name, what it needs in words, and code; query : what the code gives, where that is short enough"""

    name: str
    told: str
    code: str
    query: str = ""


def ways(model: Model) -> list[Way]:
    """The ways to score."""
    fit = fit_of(model)
    design = getattr(fit, "design_", None)
    names = list(design.kinds) if design is not None else list(map(str, getattr(fit, "feature_names_in_", [])))
    shown = [shortened(printable(name), 60) for name in names[:_MOST]]
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    needs = f"A table with the columns {', '.join(shown)}{more}, in any order and among others." if names else ""
    if design is not None and design.offset is not None:
        needs += (
            f" predict_proba leaves out the offset: add {shortened(printable(design.offset), 60)} to decision_function."
        )
    array = f"An array with {fit.n_features_in_:,} columns, in the order of the fit."
    python = (
        "from evenodds import load, save\n\n"
        'save(model, "model.json")  # where the model is at hand: a small file, without data and without code\n'
        'model = load("model.json")\n'
        "model.predict_proba(new)  # one column a class: " + json.dumps(_labels(fit), ensure_ascii=False)
    )
    found = [Way("Python", needs or array, python)]
    if names:
        found += [
            Way("Command line", "The same file, for tables in CSV, Parquet or Arrow.", _COMMAND),
            Way("SQL", "A query that gives the same probabilities in a database.", _SQL, _query(fit)),
        ]
    return found


_COMMAND = "evenodds predict model.json new.csv --out scored.csv"
_SQL = "evenodds export model.json --to sql"


def _query(fit: Model) -> str:
    """The query for DuckDB; none without sqlglot, of a model that has none, or of one whose query is for no reader."""
    if np.count_nonzero(fit.coef_) > _LONGEST / _LEAST:
        return ""
    try:
        query = to_sql(fit)
    except EvenOddsError:
        return ""
    return query if len(query) <= _LONGEST and all(map(_is_seen, query)) else ""


def _is_seen(letter: str) -> bool:
    return letter.isprintable() or letter in "\n\t"


def _labels(fit: Model) -> list[str]:
    labels = [shortened(printable(label), 40) for label in fit.classes_.tolist()]
    return labels if len(labels) <= _MOST else [*labels[:_MOST], "..."]
