"""Rows in the partitions of Spark: the answers of memory, the bits of a scan, and columns of Spark in return."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from evenodds import (
    EvenOddsError,
    LogisticRegression,
    LogisticRegressionCV,
    find_separation,
    fit_table,
    infer,
    path,
    scan,
)
from evenodds.data.spark import Executors
from homes import counted_reads, to_parquet

pytest.importorskip("pyspark", reason="the extra 'spark' is not installed")
if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
    pytest.skip("Spark needs Java, and there is none here", allow_module_level=True)

pytestmark = pytest.mark.xdist_group("spark")  # one process has the session
N, NAMES = 2400, [f"x{j}" for j in range(4)]
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.python.daemon.module": "warm_daemon",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "500",
    # Most of the time of a job on so few rows goes to plan it and to compile it, twice: as Java and as machine code.
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


@pytest.fixture(scope="module")
def session():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.master("local[2]")
        for name, value in SETTINGS.items():
            builder = builder.config(name, value)
        found = builder.getOrCreate()
        found.sparkContext.setLogLevel("OFF")
        yield found
        found.stop()


def rows(n_classes):
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(N, 4)) * [1, 100, 0.01, 1] + [0, 3, 0, -2]
    eta = X / [1, 100, 0.01, 1] @ rng.normal(size=(4, n_classes)) * 0.5
    y = (eta + rng.gumbel(size=eta.shape)).argmax(axis=1)
    beside = {"w": rng.integers(0, 3, N) / 2, "g": np.arange(N) % 40, "carrier": rng.choice(["AA", "B6", "UA"], N)}
    frame = pd.DataFrame(X, columns=NAMES).assign(y=y, **beside)
    return frame.assign(**{f"o{k}": rng.normal(0, 0.3, N) for k in range(n_classes)})


@pytest.fixture(scope="module")
def tables(session):
    """Rows of two and of three classes, here and there: in two partitions, after one that is empty."""

    def there(frame):
        lazy = session.createDataFrame(pa.Table.from_pandas(frame, preserve_index=False)).cache()
        return lazy.where("x0 > 1e9").coalesce(1).union(lazy)

    return {k: (frame, there(frame)) for k, frame in {2: rows(2), 3: rows(3)}.items()}


def said(model, result):
    return {"coef": model.coef_, "intercept": model.intercept_, "covariance": result.covariance}


@pytest.mark.parametrize("n_classes", [2, 3])
def test_answers_are_those_of_memory_and_bits_those_of_a_scan(tables, tmp_path, n_classes):
    frame, lazy = tables[n_classes]
    to_parquet(pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "rows.parquet", [N // 2])
    shifts = ["o1"] if n_classes == 2 else ["o0", "o1", "o2"]
    roles, own = ("y", NAMES, "w", shifts), {"cov": "cluster"}
    found = []
    for given in (scan(lazy, *roles), scan(tmp_path / "rows.parquet", *roles, memory=1)):
        model = LogisticRegression(tol=1e-9).fit(given)
        found.append(said(model, infer(model, given, groups="g", **own)))
    mine = (frame[NAMES], frame["y"], frame["w"], frame[shifts].to_numpy().squeeze())
    model = LogisticRegression(tol=1e-9).fit(*mine)
    here = said(model, infer(model, *mine, groups=frame["g"], **own))
    for name, values in here.items():
        assert found[0][name].tobytes() == found[1][name].tobytes(), name
        np.testing.assert_allclose(found[0][name], values, rtol=1e-10, atol=1e-13, err_msg=name)


def test_all_else(tables):
    frame, lazy = tables[2]
    lazy = lazy.select(*NAMES, "y")
    mine, given = (frame[NAMES], frame["y"]), (lazy, "y")
    np.testing.assert_allclose(path(*given, n_C=4, tol=1e-10).coefs, path(*mine, n_C=4, tol=1e-10).coefs, atol=1e-6)
    assert find_separation(*given).kind == "overlap"
    firths = [LogisticRegression(firth=True, tol=1e-9).fit(*both).coef_ for both in (given, mine)]
    np.testing.assert_allclose(*firths, rtol=1e-8)
    chosen = [LogisticRegressionCV(Cs=3, cv=3).fit(*both).scores_ for both in (given, mine)]
    np.testing.assert_allclose(*chosen, rtol=1e-12)
    moved = [LogisticRegression().partial_fit(*both).coef_ for both in (given, mine)]
    np.testing.assert_allclose(*moved, rtol=0.2)  # batches are other ones
    there, here = (infer(LogisticRegression(tol=1e-9).fit(*both), *both) for both in (given, mine))
    numbers = here.margins(mine[0]).select_dtypes("number")
    np.testing.assert_allclose(there.margins(lazy)[list(numbers)], numbers, rtol=1e-7)
    np.testing.assert_allclose(there.influence(*given), here.influence(*mine), rtol=1e-6, atol=1e-9)
    assert there.model.score(*given) == here.model.score(*mine)


def test_what_predicts_gives_columns(tables):
    for n_classes, (frame, lazy) in tables.items():
        labels = {2: [False, True], 3: ["a", "b", "c"]}[n_classes]
        model = LogisticRegression().fit(frame[NAMES], np.array(labels)[frame["y"]])
        methods = ("predict", "predict_proba", "decision_function", "predict_log_proba")
        found = lazy.select(*(getattr(model, name)(lazy).alias(name) for name in methods)).collect()
        for k, name in enumerate(methods):
            values, now = [row[k] for row in found], getattr(model, name)(frame[NAMES])
            if name == "predict":
                assert values == now.tolist()
            else:
                np.testing.assert_allclose(values, now, rtol=1e-12)


def test_text_and_formulas(tables):
    frame, lazy = tables[2]
    own = {"tol": 1e-9, "weight": "w"}
    text = "y ~ x0 + carrier + poly(x1, 2) + x3:carrier"
    here, there = fit_table(text, frame, **own), fit_table(text, scan(lazy), **own)
    assert there.design_.names == here.design_.names
    ours, theirs = infer(here, frame), infer(there, lazy)
    np.testing.assert_allclose(theirs.se, ours.se, rtol=1e-9)
    numbers = ours.margins(frame).select_dtypes("number")
    np.testing.assert_allclose(theirs.margins(lazy)[list(numbers)], numbers, rtol=1e-6)
    proba = [row[0] for row in lazy.select(there.predict_proba(lazy)).collect()]
    np.testing.assert_allclose(proba, here.predict_proba(frame), rtol=1e-7)
    few, fit = lazy.select("x0", "carrier", "y"), LogisticRegression().fit
    there, here = fit(few, few["y"]), fit(frame[["x0", "carrier"]], frame["y"])
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-3, atol=1e-5)


def test_reads_are_counted_and_small_functions_go_to_the_rows(tables, monkeypatch):
    reads = counted_reads(monkeypatch, Executors)
    given = scan(tables[2][1], "y", NAMES)
    model = LogisticRegression().fit(given)
    assert model.solution_.passes == len(reads) - 1  # and the survey
    reads.clear()
    infer(model, given, cov="HC3")
    assert len(reads) == 2


def test_wrong_calls(tables):
    frame, lazy = tables[2]
    numbers = lazy.select(*NAMES, "y")
    fit = LogisticRegression().fit
    wrong = {
        "have no order by which": lambda: fit(lazy.select(*NAMES), lazy.select("y")),
        "y is no column of the Spark frame": lambda: fit(lazy.select(*NAMES), lazy["y"]),
        "and y a Series": lambda: fit(numbers, frame["y"]),
        "no column 'late'": lambda: fit(numbers, "late"),
        "requires y to be passed": lambda: fit(numbers),
        r"'x1' has a missing value, first in row 5 \(counted from 0\) of partition 1": lambda: fit(
            numbers.selectExpr("x0", "if(x0 = {!r}, null, x1) as x1".format(float(frame["x0"][5])), "y"), "y"
        ),
        "one class only": lambda: fit(numbers.selectExpr("x0", "1 as y"), "y"),
        "Spark could not compute the rows: .*DIVIDE_BY_ZERO": lambda: fit(
            numbers.selectExpr("x0 / (y - y) as x0", "y"), "y"
        ),
        "of type struct": lambda: fit(numbers.selectExpr("named_struct('a', x0) as x0", "y"), "y"),
        "feature names": lambda: fit(numbers, "y").predict(numbers.select("x0", "x1")),
    }
    for message, call in wrong.items():
        with pytest.raises(EvenOddsError, match=message):
            call()
