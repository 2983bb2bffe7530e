"""An export is tried on a sample of rows before it is given away.

A model keeps no rows, but its design remembers levels, knots and means: the sample is made of them, with missing values
and levels that the fit has not seen among it. What the model refuses has to be NULL, or NaN, in the export.
"""

import datetime
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array
from ..exceptions import EvenOddsError
from .dialects import DIALECTS, Dialect, sqlglot_expressions
from .scorer import Scorer

if TYPE_CHECKING:
    from ..design import Design

_ROWS = 24
_MOST_INPUTS = 500  # of which a query is tried
_SAME = 1e-9
_TABLE = "evenodds sample"


def sample_of(scorer: Scorer) -> dict[str, list[Any]]:
    """Columns of a sample by name, with None for missing values."""
    rng = np.random.default_rng(0)
    if scorer.design is None:
        return {name: rng.normal(0, 2, _ROWS).tolist() for name in scorer.inputs}
    return {name: _column(scorer.design, name, rng) for name in scorer.inputs}


def _column(design: "Design", name: str, rng: np.random.Generator) -> list[Any]:
    kind = design.kinds[name]
    gone = (rng.random(_ROWS) < 0.1).tolist()
    if kind == "date":
        start, days = datetime.datetime(1999, 12, 28), rng.uniform(0, 12_000, _ROWS)
        values: list[Any] = [start + datetime.timedelta(days=float(day)) for day in days.round(3)]
    elif kind == "boolean":
        values = (rng.random(_ROWS) < 0.5).tolist()
    else:
        levels = [level for f in design.factors if f.source == name and not f.is_part for level in f.levels]
        levels = list(dict.fromkeys(level for level in levels if level is not None))
        if kind == "text":
            levels.append("a text that no level is")
        values = rng.choice(np.array(levels, dtype=object), _ROWS).tolist() if levels else _numbers(design, name, rng)
    return [None if is_gone else value for value, is_gone in zip(values, gone, strict=True)]


def _numbers(design: "Design", name: str, rng: np.random.Generator) -> list[float]:
    """Numbers of about the size that the fit has seen, as far as the design tells."""
    low, high = 0.05, 3.0
    for atom in design.atoms:
        expressions = [atom.expression]
        while expressions:
            one = expressions.pop()
            expressions += [arg for arg in one.args if not isinstance(arg, str | int | float)]
            if name not in one.columns():
                continue
            if "lower_bound" in one.state:
                low, high = one.state["lower_bound"], one.state["upper_bound"]
            elif "norms2" in one.state:
                reach = 2 * float(np.sqrt(one.state["norms2"][1] / one.state["norms2"][0]))
                low, high = one.state["alpha"][0] - reach, one.state["alpha"][0] + reach
            elif "mean" in one.state:
                reach = 2 * one.state.get("deviation", 1.0)
                low, high = one.state["mean"] - reach, one.state["mean"] + reach
    values = rng.uniform(low, high, _ROWS)
    values[0], values[1], values[2] = high + (high - low) / 8, low - (high - low) / 8, high
    found: list[float] = values.tolist()
    return found


def expected_of(scorer: Scorer, sample: dict[str, list[Any]]) -> Array:
    """The probabilities (n, K) of `predict_proba`, NaN for the rows that it refuses."""
    if scorer.design is None:
        found: Array = scorer.model.predict_proba(_plain_rows(scorer, sample))
        return found
    import pyarrow as pa  # as designs need it

    types = {"number": pa.float64(), "boolean": pa.bool_(), "text": pa.string(), "date": pa.timestamp("us")}
    table = pa.table({name: pa.array(values, type=types[scorer.design.kinds[name]]) for name, values in sample.items()})
    predict: Callable[[Any], Array] = scorer.model.predict_proba
    try:
        return predict(table)
    except EvenOddsError:
        rows = [_row(predict, table.slice(k, 1), len(scorer.labels)) for k in range(table.num_rows)]
        return np.vstack(rows)


def _plain_rows(scorer: Scorer, sample: dict[str, list[Any]]) -> Any:
    X = np.column_stack([np.array(values, dtype=np.float64) for values in sample.values()])
    if not hasattr(scorer.model, "feature_names_in_"):
        return X
    import narwhals as nw
    import pyarrow as pa

    return nw.from_dict(dict(zip(sample, X.T, strict=True)), backend=pa).to_native()


def _row(predict: Callable[[Any], Array], row: object, n_classes: int) -> Array:
    try:
        return predict(row)
    except EvenOddsError:
        return np.full((1, n_classes), np.nan)


def require_same(scorer: Scorer, found: Array, expected: Array, what: str) -> None:
    """An error where an export gives other probabilities than the model."""
    same = np.abs(found - expected) <= _SAME
    wrong = ~(same | (np.isnan(found) & np.isnan(expected))).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise EvenOddsError(
            f"This model cannot be exported: on a sample {what} gives the probabilities {found[row].tolist()} where "
            f"the model gives {expected[row].tolist()}. Please report it."
        )


def require_same_in_sql(scorer: Scorer, dialect: Dialect) -> None:
    """An error where the query gives other numbers than the model: in SQLite, or in DuckDB if that is installed."""
    if len(scorer.inputs) > _MOST_INPUTS:
        return
    tried = DIALECTS["sqlite" if dialect.name == "sqlite" else "duckdb"]
    run = _in_sqlite if dialect.name == "sqlite" else _duckdb()
    if run is None:
        return
    from .sql import query

    try:
        text = query(scorer, (_TABLE,), tried)
    except EvenOddsError:  # of names that only the other dialect can have
        return
    sample = sample_of(scorer)
    rows = run(text, sample, scorer)
    if rows is None:
        return
    n = 1 if scorer.binary else len(scorer.labels)
    found = np.array([[np.nan if one is None else one for one in row[-n:]] for row in rows], dtype=np.float64)
    if scorer.binary:
        found = np.column_stack([1 - found[:, 0], found[:, 0]])
    require_same(scorer, found, expected_of(scorer, sample), f"the query, in {tried.title},")


def _in_sqlite(text: str, sample: dict[str, list[Any]], scorer: Scorer) -> list[Any] | None:
    exp = sqlglot_expressions()
    names = [exp.to_identifier(name, quoted=True).sql("sqlite") for name in sample]
    table = exp.to_identifier(_TABLE, quoted=True).sql("sqlite")
    base = sqlite3.connect(":memory:")
    try:
        base.execute(f"CREATE TABLE {table} ({', '.join(names)})")
        columns = [[str(v) if isinstance(v, datetime.datetime) else v for v in values] for values in sample.values()]
        base.executemany(
            f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", list(zip(*columns, strict=True))
        )
        return base.execute(text).fetchall()
    except sqlite3.OperationalError as error:
        if "no such function" in str(error):  # of a build without mathematical functions
            return None
        raise
    finally:
        base.close()


def _duckdb() -> Callable[[str, dict[str, list[Any]], Scorer], list[Any] | None] | None:
    try:
        import duckdb
    except ImportError:
        return None

    def run(text: str, sample: dict[str, list[Any]], scorer: Scorer) -> list[Any]:
        import pyarrow as pa

        kinds = {} if scorer.design is None else scorer.design.kinds
        types = {"text": pa.string(), "boolean": pa.bool_(), "date": pa.timestamp("us")}
        columns = {n: pa.array(v, type=types.get(kinds.get(n, ""), pa.float64())) for n, v in sample.items()}
        with duckdb.connect() as base:
            base.register(_TABLE, pa.table(columns))
            found: list[Any] = base.execute(text).fetchall()
            return found

    return run
