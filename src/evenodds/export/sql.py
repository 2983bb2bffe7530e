"""A fitted model as a query: all columns of a table, and the probabilities.

The query is a tree of sqlglot's. Scores are used several times on the way to probabilities, so that they are columns of
a query within; how these stay out of the answer is the dialect's (`Dialect.nesting`).
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array
from ..design import Number, Part
from .dialects import Dialect, dialect_of, sqlglot_expressions, table_of
from .scorer import Scorer, by_level, offset_of, scorer_of, values_of
from .sql_factors import looked_up
from .sql_language import Sql

if TYPE_CHECKING:
    from sqlglot import exp

    E = exp.Expression
    Reference = Callable[[str], E]
    Layer = list[tuple[str, Callable[[Reference], E]]]

_FAR = 700.0  # a score whose probability is 0 or 1 to rounding, before the exponential leaves the range of numbers
_LARGE = 1e308
_CERTAIN = 1e300  # the score of a class that all rows, or none, belong to
_ROWS = "t"


def to_sql(
    model: object,
    table: str | Sequence[str] = "data",
    dialect: str = "duckdb",
    *,
    offset: str | None = None,
) -> str:
    """A SELECT of all columns of a table and the probabilities of a fitted model.

    The query needs nothing but the database: factors, policies, splines and polynomials are in it. Its probabilities
    are those of `predict_proba` to about 1e-15; what it refuses (a missing value where none may be, a level that the
    fit has not seen, infinity) is NULL.

    Parameters
    ----------
    model : LogisticRegression
        A fitted model. Of one that was fitted on an array, columns are ``x0``, ``x1``, ...
    table : str or sequence of str, default="data"
        The name of the table. A name of letters, digits, underscores and points is taken apart at the points, as
        "main.flights"; a sequence gives the parts as they are. All names are quoted, so that capitals count: Snowflake
        holds names that were not quoted in capitals.
    dialect : {"duckdb", "postgres", "sqlite", "bigquery", "snowflake"}, default="duckdb"
    offset : str, optional
        A column that is added to the score of two classes; by default the one that `fit_table` was given. Without one
        the probabilities are those of `predict_proba`, which has no offset.

    Returns
    -------
    str
        The query. It adds ``probability``, of ``classes_[1]``, or of more than two classes ``probability_<class>`` for
        each.

    Raises
    ------
    EvenOddsError
        If the model cannot be written in the dialect, for example because a name is longer than the 63 bytes of
        PostgreSQL; if it does not score a sample as `predict_proba` does; or without the package sqlglot
        (``pip install "evenodds[sql]"``).

    Notes
    -----
    Text is compared as text, numbers as doubles, booleans as 0 and 1. Parts of dates are those of the session's time
    zone, where the column has one. SQLite has to be built with its mathematical functions, as nearly all are.

    Examples
    --------
    >>> import pandas as pd
    >>> from evenodds import fit_table, to_sql
    >>> frame = pd.DataFrame({"late": [0, 1, 0, 1, 1, 0, 0, 1], "carrier": list("ABABBAAA")})
    >>> model = fit_table("late", frame, C=1)
    >>> print(to_sql(model, "flights"))
    SELECT
      * EXCLUDE ("evenodds score"),
      CASE
        ...
      END AS "probability"
    FROM (
      SELECT
        "t".*,
        ... + CASE CAST("t"."carrier" AS TEXT) WHEN 'A' THEN 0e0 ... END AS "evenodds score"
      FROM "flights" AS "t"
    ) AS "t"
    """
    scorer, spoken = scorer_of(model, "written as SQL"), dialect_of(dialect)
    text = query(scorer, table, spoken, offset_of(scorer, offset))
    from .self_test import require_same_in_sql

    require_same_in_sql(scorer, spoken)
    return text


def query(scorer: Scorer, table: object, dialect: Dialect, offset: str | None = None) -> str:
    """The text of the query."""
    exp = sqlglot_expressions()
    outputs = output_names(scorer.labels)
    taken = [*scorer.inputs, *([] if offset is None or offset in scorer.inputs else [offset])]
    dialect.require_names(taken, outputs)
    sql = Sql(dialect, scorer.design, _ROWS)
    scores = _scores(scorer, sql)
    if offset is not None:
        scores = [sql.added([scores[0], sql.plain(offset)])]
    hidden = _Hidden([*taken, *outputs])
    layers = _two(sql, scores[0], outputs[0], hidden) if scorer.binary else _several(sql, scores, outputs, hidden)
    source = table_of(table, dialect, _ROWS)
    tree = {"star": _by_star, "lateral": _by_lateral, "subquery": _by_subquery}[dialect.nesting](exp, source, layers)
    # Some versions of sqlglot put spaces into a name that goes over lines.
    pretty = not any("\n" in one.name for one in tree.find_all(exp.Identifier))
    found: str = tree.sql(dialect=dialect.name, pretty=pretty, copy=False)
    return found


def output_names(labels: Sequence[Any]) -> list[str]:
    """The columns that a query adds."""
    return ["probability"] if len(labels) == 2 else [f"probability_{label}" for label in labels]


class _Hidden:
    """Names of columns in between, which the table will hardly have and the model has not."""

    def __init__(self, taken: Sequence[str]) -> None:
        self._taken = {name.lower() for name in taken}

    def __call__(self, name: str) -> str:
        found = f"evenodds {name}"
        while found.lower() in self._taken:
            found += "_"
        return found


# Scores.


def _scores(scorer: Scorer, sql: Sql) -> "list[E]":
    """One score for two classes, else one a class."""
    design = scorer.design
    terms: list[list[E]] = [[] for _ in scorer.intercepts]
    if design is None:
        for name, weights in zip(scorer.inputs, scorer.coef, strict=True):
            for parts, weight in zip(terms, weights, strict=True):
                parts.append(sql.times(sql.plain(name), sql.number(float(weight))))
    else:
        first = 0
        for term in design.terms:
            for block in term.blocks:
                first = _add_block(scorer, sql, block, first, terms)
    intercepts = np.clip(scorer.intercepts, -_CERTAIN, _CERTAIN)
    return [
        sql.added([sql.number(float(b)), *parts] if b or not parts else parts)
        for b, parts in zip(intercepts, terms, strict=True)
    ]


def _add_block(scorer: Scorer, sql: Sql, block: Sequence[Part], first: int, terms: "list[list[E]]") -> int:
    """What the columns of a block add to each score; the number of the first column behind them."""
    numbers, factors, shape, count = scorer.taken_apart(block)
    weights = scorer.coef[first : first + count]
    if len(block) == 1 and numbers:
        for k, parts in enumerate(terms):
            parts.extend(_alone(sql, numbers[0], weights[:, k]))
        return first + count
    columns = _products(sql, numbers)
    for k, parts in enumerate(terms):
        own = weights[:, k].reshape(len(columns), int(np.prod(shape)))  # a factor with one level has no column
        for one, entries in zip(own, columns, strict=True):
            number = looked_up(sql, [factor for _, factor in factors], by_level(one, factors, shape))
            parts.append(number if entries is None else sql.times(entries.copy(), number))
    return first + count


def _alone(sql: Sql, number: Number, weights: Array) -> "list[E]":
    """The sum of an atom's columns times weights."""
    from .polynomials import BASES, polynomials_of
    from .scorer import written

    if number.expression.operation in BASES:  # a sum of polynomials is one
        found = polynomials_of(number).combined(weights)
        return sql.polynomials(found, written(number.expression.args[0], sql))
    return [sql.times(_value(sql, number)[0], sql.number(float(weights[0])))]


def _value(sql: Sql, number: Number) -> "list[E]":
    """The columns of an atom; a plain column may be NaN in the place of NULL, as sums keep both."""
    expression = number.expression
    if expression.operation == "column" and sql.fill_of(expression.args[0]) is None:
        return [sql.plain(expression.args[0])]
    return values_of(number, sql)


def _products(sql: Sql, numbers: Sequence[Number]) -> "list[E | None]":
    """The products of the columns of numbers, the first changing fastest."""
    found: list[E | None] = [None]
    for number in numbers:
        columns = _value(sql, number)
        found = [
            one.copy() if rest is None else sql.times(rest.copy(), one.copy()) for one in columns for rest in found
        ]
    return found


# Probabilities.


def _two(sql: Sql, score: "E", output: str, hidden: _Hidden) -> "list[Layer]":
    name = hidden("score")

    def probability(at: "Reference") -> "E":
        one = sql.number(1.0)
        share = sql.over(one, sql.added([one.copy(), sql.call("EXP", sql.negative(at(name)))]))
        return sql.case(
            [
                (sql.between(at(name), -_FAR, _FAR), share),
                (sql.between(at(name), _FAR, _LARGE), sql.number(1.0)),
                (sql.between(at(name), -_LARGE, -_FAR), sql.number(0.0)),
            ]
        )

    return [[(name, lambda at: score)], [(output, probability)]]


def _several(sql: Sql, scores: "Sequence[E]", outputs: Sequence[str], hidden: _Hidden) -> "list[Layer]":
    names = [hidden(f"score {k}") for k in range(len(scores))]
    shares, top = [hidden(f"share {k}") for k in range(len(scores))], hidden("largest")

    def share(name: str) -> "Callable[[Reference], E]":
        def made(at: "Reference") -> "E":
            below = sql.minus(at(name), at(top))
            return sql.case(
                [
                    (sql.between(below, -_FAR, 0.0), sql.call("EXP", below.copy())),
                    (sql.between(below.copy(), -_LARGE, -_FAR), sql.number(0.0)),
                ]
            )

        return made

    def probability(name: str) -> "Callable[[Reference], E]":
        return lambda at: sql.over(at(name), sql.added([at(each) for each in shares]))

    def scored(score: "E") -> "Callable[[Reference], E]":
        return lambda at: score

    return [
        [(name, scored(score)) for name, score in zip(names, scores, strict=True)],
        [(top, lambda at: sql.greatest([at(name) for name in names]))],
        [(made, share(name)) for made, name in zip(shares, names, strict=True)],
        [(output, probability(made)) for output, made in zip(outputs, shares, strict=True)],
    ]


# Queries in queries.


def _selected(exp: ModuleType, layer: "Layer", at: "Reference") -> "list[E]":
    return [exp.alias_(made(at), exp.to_identifier(name, quoted=True), copy=False) for name, made in layer]


def _rows(exp: ModuleType, alias: str, leave_out: Sequence[str] = ()) -> Any:
    """All columns of a query, but some."""
    if not leave_out:
        return exp.Column(this=exp.Star(), table=exp.to_identifier(alias, quoted=True))
    return exp.Star(except_=[exp.to_identifier(name, quoted=True) for name in leave_out])


def _aliased(exp: ModuleType, tree: "E", alias: str) -> Any:
    return exp.Subquery(this=tree, alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))


def _place(exp: ModuleType, alias: str) -> "Reference":
    """References to columns of a query."""
    table = exp.to_identifier(alias, quoted=True)
    return lambda name: exp.Column(this=exp.to_identifier(name, quoted=True), table=table.copy())


def _by_star(exp: ModuleType, source: object, layers: "list[Layer]") -> Any:
    """A query around another, the last of which leaves out what was in between."""
    tree = None
    for k, layer in enumerate(layers):
        last = k == len(layers) - 1
        hidden = [name for each in layers[:-1] for name, _ in each] if last else []
        inner = source if tree is None else _aliased(exp, tree, _ROWS)
        tree = exp.Select(expressions=[_rows(exp, _ROWS, hidden), *_selected(exp, layer, _place(exp, _ROWS))]).from_(
            inner, copy=False
        )
    return tree


def _by_lateral(exp: ModuleType, source: "E", layers: "list[Layer]") -> Any:
    """Each layer a query of the row, joined to it."""
    homes: dict[str, str] = {}

    def at(name: str) -> Any:
        return _place(exp, homes[name])(name)

    joins = []
    for k, layer in enumerate(layers):
        # Without an offset PostgreSQL would put each query into those that use it, several times over.
        inner = exp.Select(expressions=_selected(exp, layer, at)).offset(0, copy=False)
        alias = exp.TableAlias(this=exp.to_identifier(f"e{k}", quoted=True))
        joins.append(exp.Join(this=exp.Lateral(this=exp.Subquery(this=inner), alias=alias), kind="CROSS"))
        homes.update(dict.fromkeys((name for name, _ in layer), f"e{k}"))
    outputs = [at(name) for name, _ in layers[-1]]
    tree = exp.Select(expressions=[_rows(exp, _ROWS), *outputs]).from_(source, copy=False)
    for join in joins:
        tree = tree.join(join, copy=False)
    return tree


def _by_subquery(exp: ModuleType, source: "E", layers: "list[Layer]") -> Any:
    """Each probability a query of its own, of queries without a table."""
    tree: Any = None
    for k, layer in enumerate(layers[:-1]):
        alias = f"e{k - 1}"
        more: list[E] = [] if tree is None else [_rows(exp, alias)]
        inner = exp.Select(expressions=[*more, *_selected(exp, layer, _place(exp, alias))])
        tree = inner if tree is None else inner.from_(_aliased(exp, tree, alias), copy=False)
    alias = f"e{len(layers) - 2}"
    outputs = []
    for name, made in layers[-1]:
        one = exp.Select(expressions=[made(_place(exp, alias))]).from_(_aliased(exp, tree.copy(), alias), copy=False)
        outputs.append(exp.alias_(exp.Subquery(this=one), exp.to_identifier(name, quoted=True), copy=False))
    return exp.Select(expressions=[_rows(exp, _ROWS), *outputs]).from_(source, copy=False)
