"""A query gives the probabilities of `predict_proba`, in the databases at hand, whatever the names and values."""

import decimal
import sys

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sqlglot
from databases import TABLE, in_duckdb, in_postgres, in_sqlite, postgres, postgres_programs
from sqlglot import exp

import leaving
from evenodds import CollinearWarning, EvenOddsError, LogisticRegression, fit_table, to_sql
from leaving import LEVELS, ODD, PLAIN, draw

DIALECTS = ["duckdb", "postgres", "sqlite", "bigquery", "snowflake"]
rng = np.random.default_rng(3)


@pytest.fixture(scope="module")
def server():
    if postgres_programs() is None:
        pytest.skip("there is no PostgreSQL here: initdb is neither on the path nor in /usr/lib/postgresql")
    with postgres() as connection:
        yield connection


def require_same(member, dialect, run, query=None):
    query = to_sql(member.model, (TABLE,), dialect) if query is None else query
    count = 1 if member.model.classes_.size == 2 else member.model.classes_.size
    found = run(query, member.rows, member.kinds, count)
    np.testing.assert_allclose(found, member.expected[:, -count:], rtol=0, atol=1e-12)


def members(first, count, **how):
    return [member for seed in range(first, first + count) if (member := draw(seed, **how)) is not None]


@pytest.mark.parametrize("first", range(0, 20, 5))
def test_random_models_score_the_same_in_duckdb(first):
    for member in members(first, 5):
        require_same(member, "duckdb", in_duckdb)


@pytest.mark.parametrize("first", range(20, 35, 5))
def test_random_models_score_the_same_in_sqlite(first):
    for member in members(first, 5):
        require_same(member, "sqlite", in_sqlite)


def test_random_models_score_the_same_in_postgres(server):
    for member in members(35, 25):
        require_same(member, "postgres", lambda *args: in_postgres(server, *args))


@pytest.mark.parametrize("dialect", ["bigquery", "snowflake"])
def test_other_dialects_are_parsed_and_say_the_same(dialect):
    """Read back by sqlglot and run in DuckDB, but for weekdays, of which each has a part of its own."""
    for member in members(60, 10, names=PLAIN, dates=False):
        query = to_sql(member.model, "rows", dialect)
        (tree,) = sqlglot.parse(query, dialect=dialect)
        for table in tree.find_all(exp.Table):
            table.set("this", exp.to_identifier(TABLE, quoted=True))
        require_same(member, dialect, in_duckdb, tree.sql("duckdb"))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_names_and_texts_are_no_more_than_that(dialect):
    """What is read back is one SELECT, whose names and texts are those of the model."""
    frame = pd.DataFrame({name: rng.normal(size=60) for name in (PLAIN if dialect == "bigquery" else ODD)})
    frame = frame.loc[:, ~pd.Index([name.lower() for name in frame]).duplicated()]
    frame["level"] = np.resize(LEVELS, 60)
    frame["y"] = rng.integers(0, 2, 60)
    query = to_sql(fit_table("y", frame, C=1), "a; drop table b" if dialect != "bigquery" else "a b", dialect)
    (tree,) = sqlglot.parse(query, dialect=dialect)
    assert isinstance(tree, exp.Select)
    names = {column.name for column in tree.find_all(exp.Column)}
    assert set(frame.drop(columns="y")) <= names
    assert set(LEVELS) <= {literal.this for literal in tree.find_all(exp.Literal) if literal.is_string}
    assert all(identifier.quoted for identifier in tree.find_all(exp.Identifier))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_model_of_an_array_takes_x0_and_so_on(dialect):
    X = rng.normal(size=(60, 2))
    model = LogisticRegression(C=1).fit(X, rng.integers(0, 3, 60))
    query = to_sql(model, "main.rows", dialect)
    for name in ('"x0"', '"x1"', '"probability_0"', '"probability_2"', '"main"."rows"'):
        assert name.replace('"', "`" if dialect == "bigquery" else '"') in query


def array_member(scale):
    X = rng.normal(size=(60, 3)) * 10
    model = LogisticRegression(C=1).fit(X, rng.integers(0, 3, 60) if scale < 0 else X[:, 0] > 0)
    model.coef_ = model.coef_ * abs(scale)
    rows = {f"x{k}": column for k, column in enumerate(X.T.tolist())}
    return leaving.Member(model, rows, dict.fromkeys(rows, "number"), model.predict_proba(X))


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6, -1.0, -1e4])
def test_scores_of_any_size_have_a_probability(scale, server):
    member = array_member(scale)
    require_same(member, "duckdb", in_duckdb)
    require_same(member, "sqlite", in_sqlite)
    require_same(member, "postgres", lambda *args: in_postgres(server, *args))


def test_decimals_and_whole_numbers_are_computed_with_as_doubles(server):
    model = fit_table("y", pd.DataFrame({"x": rng.normal(size=50), "n": rng.integers(0, 9, 50), "y": [0, 1] * 25}), C=1)
    rows = [(decimal.Decimal("0.1"), 3), (decimal.Decimal("1234567.8901"), -7)]
    expected = model.predict_proba(pd.DataFrame(rows, columns=["x", "n"]).astype(float))[:, 1]
    with duckdb.connect() as base:
        base.execute("CREATE TABLE data (n SMALLINT, x DECIMAL(18, 4))")
        base.executemany("INSERT INTO data VALUES (?, ?)", [row[::-1] for row in rows])
        found = base.execute(to_sql(model)).fetchall()
    np.testing.assert_allclose([row[-1] for row in found], expected, rtol=0, atol=1e-12)
    with server.transaction(force_rollback=True):
        server.execute("CREATE TEMPORARY TABLE data (x numeric, n smallint)")
        server.cursor().executemany("INSERT INTO data VALUES (%s, %s)", rows)
        found = server.execute(to_sql(model, dialect="postgresql")).fetchall()
    np.testing.assert_allclose([row[-1] for row in found], expected, rtol=0, atol=1e-12)


def test_all_columns_are_there_and_the_probability_is_the_last():
    frame = pd.DataFrame({"x": rng.normal(size=50), "y": [0, 1] * 25})
    model = fit_table("y", frame, C=1)
    with duckdb.connect() as base:
        base.register("rows", pa.Table.from_pandas(frame.assign(other="kept")))
        answer = base.execute(to_sql(model, "rows"))
        assert [column[0] for column in answer.description] == ["x", "y", "other", "probability"]


@pytest.mark.parametrize("dialect", ["duckdb", "sqlite"])
def test_an_offset_is_added_to_the_score(dialect):
    frame = pd.DataFrame({"x": rng.normal(size=50), "y": [0, 1] * 25, "log hours": rng.normal(size=50)})
    model = fit_table("y", frame, C=1, offset="log hours")
    rows = {name: frame[name].tolist() for name in ("x", "log hours")}
    score = model.decision_function(frame) + frame["log hours"]
    run = {"duckdb": in_duckdb, "sqlite": in_sqlite}[dialect]
    assert to_sql(model, (TABLE,), dialect) == to_sql(model, (TABLE,), dialect, offset="log hours")
    found = run(to_sql(model, (TABLE,), dialect), rows, dict.fromkeys(rows, "number"), 1)
    np.testing.assert_allclose(found[:, 0], 1 / (1 + np.exp(-score)), rtol=0, atol=1e-12)


def test_thousands_of_levels_are_written():
    names = [f"level {k}" for k in range(3_000)]
    frame = pd.DataFrame({"f": names * 2, "y": [0, 1] * 3_000})
    model = fit_table("y ~ f", frame, C=1)
    rows = {"f": ["level 2999", "level 0", "new", None]}
    expected = np.append(model.predict_proba(pd.DataFrame({"f": rows["f"][:2]}))[:, 1], [np.nan, np.nan])
    found = in_duckdb(to_sql(model, (TABLE,)), rows, {"f": "text"}, 1)
    np.testing.assert_allclose(found[:, 0], expected, rtol=0, atol=1e-12)


def test_a_factor_with_one_level_adds_nothing_but_knows_it():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=40), "g": "only", "y": rng.integers(0, 2, 40)})
    with pytest.warns(CollinearWarning):
        model = fit_table("y ~ x + g + g:x", frame)
    rows = {"x": [0.3, 0.3], "g": ["only", "new"]}
    expected = [model.predict_proba(pd.DataFrame({"x": [0.3], "g": "only"}))[0, 1], np.nan]
    found = in_duckdb(to_sql(model, (TABLE,)), rows, {"x": "number", "g": "text"}, 1)
    np.testing.assert_allclose(found[:, 0], expected, rtol=0, atol=1e-12)


def model_of(*names, labels=("no", "yes")):
    frame = pd.DataFrame({name: rng.normal(size=40) for name in names})
    return fit_table("the y", frame.assign(**{"the y": np.resize(labels, 40)}), C=1)


@pytest.mark.parametrize(
    ("names", "labels", "dialect", "message"),
    [
        (["n" * 64], ["a", "b"], "postgres", "64 bytes, and at most 63"),
        (["ü" * 32], ["a", "b"], "postgres", "64 bytes"),
        (["x"], ["a", "b", "c" * 60], "postgres", "PostgreSQL cannot have a column of the name 'probability_c"),
        ([""], ["a", "b"], "duckdb", "DuckDB cannot have a column of the name '': it is empty"),
        (["a\0"], ["a", "b"], "sqlite", "a NUL character"),
        (["x", "X"], ["a", "b"], "sqlite", "SQLite does not tell the columns 'x' and 'X' apart"),
        (["a.b"], ["a", "b"], "bigquery", "BigQuery cannot have .* it holds '.'"),
        (["Probability"], ["a", "b"], "duckdb", "the query adds one of this name"),
        (["probability"], ["a", "b"], "postgres", "the query adds one of this name"),
        (["probability_a"], ["a", "b", "c"], "duckdb", "the query adds one of this name"),
        (["x"], ["a", "A", "b"], "duckdb", "columns 'probability_A' and 'probability_a' apart. Rename .* the label"),
    ],
)
def test_names_that_a_database_cannot_have_are_an_error(names, labels, dialect, message):
    with pytest.raises(EvenOddsError, match=message):
        to_sql(model_of(*names, labels=labels), "rows", dialect)


@pytest.mark.parametrize(
    ("model", "more", "message"),
    [
        (LogisticRegression(), {}, "not fitted"),
        ("a model", {}, "A str cannot be written as SQL"),
        (None, {"dialect": "mysql"}, "There is no dialect 'mysql'.*duckdb"),
        (None, {"dialect": None}, "There is no dialect None"),
        (None, {"table": 3}, "table is the name of a table"),
        (None, {"table": ""}, "cannot have a table of the name ''"),
        (None, {"table": ["a", "b", "c", "d"]}, "up to three parts"),
    ],
)
def test_what_cannot_be_written_is_an_error(model, more, message):
    with pytest.raises(EvenOddsError, match=message):
        to_sql(model_of("x") if model is None else model, **more)


def test_without_sqlglot_the_error_says_what_to_install(monkeypatch):
    model = model_of("x")
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    with pytest.raises(EvenOddsError, match=r'pip install "evenodds\[sql\]"'):
        to_sql(model)


def test_a_query_that_says_something_else_is_not_given_away(monkeypatch):
    """The sample would show it."""
    model = model_of("x")
    monkeypatch.setattr("evenodds.export.sql._CERTAIN", 1e-3)  # a bound that cuts the intercept off
    model.intercept_ = model.intercept_ + 1
    with pytest.raises(EvenOddsError, match=r"cannot be exported: on a sample the query, in DuckDB, gives"):
        to_sql(model)
