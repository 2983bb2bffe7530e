"""Rows in the partitions of Dask: the same answers as in memory, and collections of Dask in return."""

import os
import signal
import warnings

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
from evenodds.data.dask import Workers
from homes import counted_reads, to_parquet

dask = pytest.importorskip("dask")
dd = pytest.importorskip("dask.dataframe")
da = pytest.importorskip("dask.array")

N, NAMES = 4000, [f"x{j}" for j in range(5)]
LABELS = {"text": np.array(["no", "yes"]), "booleans": np.array([False, True]), "three": np.array([3, 1, 7])}


def rows(kind="text", n=N, seed=0):
    rng = np.random.default_rng(seed)
    labels = LABELS[kind]
    X = rng.normal(size=(n, 5)) * [1, 100, 0.01, 1, 1] + [0, 3, 0, 0, -2]
    eta = X / [1, 100, 0.01, 1, 1] @ rng.normal(size=(5, labels.size)) * 0.5
    y = labels[(eta + rng.gumbel(size=eta.shape)).argmax(axis=1)]
    return pd.DataFrame(X, columns=NAMES).assign(y=y, w=rng.integers(0, 3, n) / 2, o=rng.normal(0, 0.3, n))


def parted(frame, cuts=(0, 3, 3, 900, 3000)):
    """A Dask frame with uneven partitions, one of them empty."""
    parts = [frame.iloc[a:b] for a, b in zip(cuts, [*cuts[1:], len(frame)], strict=True)]
    return dd.from_map(lambda part: part, parts, meta=frame.iloc[:0])


@pytest.fixture(autouse=True)
def scheduler():
    with dask.config.set(scheduler="synchronous"):
        yield


def require_equal(here, there):
    (model, result), (other, its) = here, there
    assert model.classes_.tolist() == other.classes_.tolist()
    np.testing.assert_allclose(other.coef_, model.coef_, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(other.intercept_, model.intercept_, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(its.se, result.se, rtol=1e-10)


def of_frame(frame):
    lazy = parted(frame)
    return lazy[NAMES], [lazy[name] for name in ("y", "w", "o")]


def of_arrays(frame):
    """Arrays whose chunks have unknown sizes."""
    lazy = parted(frame)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # text becomes objects
        return lazy[NAMES].to_dask_array(), [lazy[name].to_dask_array() for name in ("y", "w", "o")]


def of_known(frame):
    """Arrays of known sizes, X cut by columns too, y in other chunks."""
    X = da.from_array(frame[NAMES].to_numpy(), chunks=(700, 2))
    return X, [da.from_array(frame[name].to_numpy(), chunks=1100) for name in ("y", "w", "o")]


FORMS = [of_frame, of_arrays, of_known]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("beside", ["", "w", "wo"])
def test_fits_and_inference(form, kind, beside):
    if kind == "three" and "o" in beside:
        return
    frame = rows(kind)
    X, (y, w, o) = form(frame)
    own = {"sample_weight": w} if "w" in beside else {}
    own |= {"offset": o} if "o" in beside else {}
    names = {"sample_weight": "w", "offset": "o"}
    mine = {name: frame[names[name]] for name in own}
    here = LogisticRegression(tol=1e-9).fit(frame[NAMES], frame["y"], **mine)
    there = LogisticRegression(tol=1e-9).fit(X, y, **own)
    if form is of_frame:
        assert there.feature_names_in_.tolist() == NAMES
    result = infer(here, frame[NAMES], frame["y"], **mine, cov="HC1")
    require_equal((here, result), (there, infer(there, X, y, **own, cov="HC1")))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", LABELS)
def test_what_predicts_gives_collections(form, kind):
    frame = rows(kind)
    X, (y, *_) = form(frame)
    here, there = LogisticRegression().fit(frame[NAMES], frame["y"]), LogisticRegression().fit(X, y)
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        lazy, now = getattr(there, name)(X), getattr(here, name)(frame[NAMES])
        assert dask.is_dask_collection(lazy)
        found = lazy.compute()
        if form is of_frame:
            assert found.index.equals(frame.index)
            assert lazy._meta.shape[1:] == now.shape[1:]
        if name == "predict":
            assert np.asarray(found).tolist() == now.tolist()
        else:
            np.testing.assert_allclose(np.asarray(found), now, rtol=1e-4, atol=1e-5)
    assert there.score(X, y) == pytest.approx(here.score(frame[NAMES], frame["y"]), abs=1e-3)


def test_all_else():
    frame = rows()
    X, (y, *_) = of_frame(frame)
    mine = frame[NAMES], frame["y"]
    np.testing.assert_allclose(path(X, y, n_C=4, tol=1e-10).coefs, path(*mine, n_C=4, tol=1e-10).coefs, atol=1e-6)
    assert find_separation(X, y).kind == "overlap"
    firths = [LogisticRegression(firth=True, tol=1e-9).fit(*given).coef_ for given in ((X, y), mine)]
    np.testing.assert_allclose(*firths, rtol=1e-8)
    model = LogisticRegression(tol=1e-9).fit(X, y)
    groups = pd.Series(np.arange(N) % 50, name="g")
    lazy = parted(frame.assign(g=groups))
    its = infer(model, lazy[NAMES], lazy["y"], cov="cluster", groups=lazy["g"])
    np.testing.assert_allclose(its.se, infer(model, *mine, cov="cluster", groups=groups).se, rtol=1e-8)
    assert np.isfinite(LogisticRegression().partial_fit(X, y).coef_).all()
    ours = infer(LogisticRegression(tol=1e-9).fit(*mine), *mine)
    its = infer(model, X, y)
    for name in ("margins", "predict"):
        there, here = (getattr(*of)(rows) for of, rows in (((its, name), X), ((ours, name), mine[0])))
        numbers = here.select_dtypes("number")
        np.testing.assert_allclose(there[list(numbers)], numbers, rtol=1e-7)
    np.testing.assert_allclose(its.influence(X, y), ours.influence(*mine), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(its.hosmer_lemeshow(X, y).statistic, ours.hosmer_lemeshow(*mine).statistic, rtol=1e-6)
    chosen = [LogisticRegressionCV(Cs=3, cv=3).fit(*rows).scores_ for rows in ((X, y), mine)]
    np.testing.assert_allclose(*chosen, rtol=1e-12)  # in memory rows may lie otherwise, and round otherwise


def test_text_offsets_of_classes_and_formulas():
    frame = rows("three").assign(carrier=np.array(["AA", "B6", "UA"])[np.arange(N) % 3])
    frame.loc[[3, 2000], "carrier"] = None
    frame["x0"] = frame["x0"].astype(np.float32)
    lazy, shifts = parted(frame), [f"o{k}" for k in range(3)]
    frame[shifts] = np.random.default_rng(5).normal(size=(N, 3))
    lazy = parted(frame)
    here = LogisticRegression(tol=1e-9).fit(frame[NAMES], frame["y"], frame["w"], frame[shifts].to_numpy())
    there = LogisticRegression(tol=1e-9).fit(lazy[NAMES], lazy["y"], lazy["w"], lazy[shifts])
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-9, atol=1e-12)
    of_scan = scan(lazy, "y", NAMES, "w", shifts)
    assert LogisticRegression(tol=1e-9).fit(of_scan).coef_.tobytes() == there.coef_.tobytes()
    own = {"missing": "drop", "weight": "w", "tol": 1e-9, "positive": 3}
    text = "y ~ x0 + C(carrier) + poly(x1, 2) + x3:carrier"
    here, there = fit_table(text, frame, **own), fit_table(text, scan(lazy), **own)
    assert there.design_.names == here.design_.names
    require_equal((here, infer(here, frame)), (there, infer(there, lazy)))
    np.testing.assert_allclose(there.predict_proba(lazy).compute(), here.predict_proba(frame), rtol=1e-6)
    with_text = lazy[["x0", "x1", "carrier"]].dropna()
    own = frame[["x0", "x1", "carrier", "y"]].dropna()
    there, here = (
        LogisticRegression().fit(with_text, lazy.dropna()["y"]),
        LogisticRegression().fit(own.iloc[:, :3], own["y"]),
    )
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-3, atol=1e-5)


def test_rows_without_weight_keep_their_numbers():
    frame = rows()
    frame["x0"] = np.where(frame["y"] == "yes", 1.0, 0.0) * (np.arange(N) % 50 == 7)
    X, (y, w, _) = of_frame(frame)
    here, there = find_separation(frame[NAMES], frame["y"], frame["w"]), find_separation(X, y, w)
    assert here.infinite == there.infinite
    assert here.rows.tolist() == there.rows.tolist() != []


def test_large_partitions_bring_samples_and_orders_take_few_reads_more():
    rng = np.random.default_rng(2)
    n, p = 60_000, 80
    X = rng.normal(size=(n, p))
    y = (X @ rng.normal(size=p) * 0.2 + rng.logistic(size=n) > 3).astype(int)
    passes = []
    for order in (np.arange(n), np.argsort(y, kind="stable"), np.argsort(X[:, 0])):
        model = LogisticRegression().fit(da.from_array(X[order], chunks=(6000, p)), y[order])
        assert str(model.solution_.status) == "converged"
        passes.append(model.solution_.passes)
    assert max(passes) <= passes[0] + 2


def nothing_missing(frame):
    frame.loc[905, "x1"] = np.nan


def labels_missing(frame):
    frame.loc[905, "y"] = None


def negative(frame):
    frame.loc[905, "w"] = -1.0


FAULTS = {
    nothing_missing: r"NaN, first in column 'x1', row 5 \(counted from 0\) of partition 3",
    labels_missing: r"The column 'y' has a missing value, first in row 5 \(counted from 0\) of partition 3",
    negative: r"The weight 'w' is negative, -1, first in row 5 \(counted from 0\) of partition 3",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_told_with_their_partition(fault):
    frame = rows().assign(w=(np.arange(N) % 4 > 0) * 1.0)
    frame["y"] = frame["y"].astype(object)
    fault(frame)
    X, (y, w, _) = of_frame(frame)
    with pytest.raises(EvenOddsError, match=FAULTS[fault]):
        LogisticRegression().fit(X, y, w)


def test_wrong_calls():
    frame = rows()
    X, (y, *_) = of_frame(frame)
    lazy = parted(frame)
    known = of_known(frame)
    wrong = {
        "has to be a Dask series": lambda: LogisticRegression().fit(X, frame["y"]),
        "requires y to be passed": lambda: LogisticRegression().fit(X),
        "same chunks of rows": lambda: LogisticRegression().fit(of_arrays(frame)[0], frame["y"].to_numpy()),
        "X has 4000 rows, and y 3999": lambda: LogisticRegression().fit(known[0], known[1][0][:-1]),
        "one class only": lambda: LogisticRegression().fit(X, y.map(lambda _: "a", meta=("y", object))),
        "feature names": lambda: LogisticRegression().fit(X, y).predict(lazy[["x0", "w"]]),
        "X has 5 partitions and y 2": lambda: LogisticRegression().fit(X, parted(frame, (0, 7))["y"]),
        "take both from one frame": lambda: LogisticRegression().fit(X, lazy.sort_values("x0")["y"]),
        "X has 5 partitions and groups 2": lambda: infer(
            LogisticRegression().fit(X, y), X, y, cov="cluster", groups=parted(frame, (0, 7))["w"]
        ),
    }
    for message, call in wrong.items():
        with pytest.raises(EvenOddsError, match=message):
            call()


BITS = {
    "plain": {},
    "lasso": {"C": 0.05, "l1_ratio": 1.0},
    "ridge": {"C": 1.0, "standardize": True},
    "Firth": {"firth": True},
}


@pytest.mark.parametrize("kind", ["text", "three"])
def test_the_same_units_give_the_same_bits_as_a_scan(kind, tmp_path):
    frame = rows(kind)
    cuts = [0, *range(100, N, 170)]  # more than are added up at once, twice
    to_parquet(pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "rows.parquet", cuts[1:])
    lazy, file = parted(frame, cuts), scan(tmp_path / "rows.parquet", "y", NAMES, "w", memory=1)

    def said(rows, settings):
        model = LogisticRegression(**settings, tol=1e-9).fit(rows)
        found = [model.coef_, model.intercept_]
        return found if "l1_ratio" in settings else [*found, infer(model, rows, cov="HC1").covariance]

    for name, settings in BITS.items():
        if kind == "text" or name != "Firth":
            both = (said(rows, settings) for rows in (file, scan(lazy, "y", NAMES, "w")))
            assert all(ours.tobytes() == theirs.tobytes() for ours, theirs in zip(*both, strict=True)), name


@pytest.mark.parametrize("setting", BITS)
def test_reads_are_counted_and_small_functions_go_to_the_rows(monkeypatch, setting):
    reads, lazy = counted_reads(monkeypatch, Workers), parted(rows())
    given = scan(lazy, "y", NAMES)
    model = LogisticRegression(**BITS[setting]).fit(given)
    if setting != "Firth":  # which finds all of so few rows in the sample
        assert model.solution_.passes == len(reads) - 1  # and the survey
    if setting != "lasso":
        for cov in ("model", "HC0", "HC3"):
            reads.clear()
            infer(model, given, cov=cov)
            # The survey is shared; Firth's table has fits of its own.
            assert len(reads) == (1 if cov == "model" else 2) or setting == "Firth"
        infer(model, given).margins(given)
    path(given, n_C=4)
    find_separation(given)
    model.predict_proba(given)


def fitted(X, y):
    model = LogisticRegression().fit(X, y)
    return model.coef_.tobytes(), model.intercept_.tobytes(), model.solution_.passes


def test_no_scheduler_changes_the_bits():
    distributed = pytest.importorskip("distributed")
    X, (y, *_) = of_frame(rows())
    here = fitted(X, y)
    with dask.config.set(scheduler="threads", num_workers=3):
        assert fitted(X, y) == here
    own = {"processes": False, "n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        dask.config.set(scheduler=None),
        distributed.LocalCluster(**own, worker_dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        assert fitted(X, y) == here


def test_a_task_that_fails_is_said():
    frame = rows()

    def broken(part):
        raise OSError("the disk is gone")

    lazy = parted(frame).map_partitions(broken, meta=frame.iloc[:0])
    with pytest.raises(EvenOddsError, match="Dask could not compute the rows: the disk is gone"):
        LogisticRegression().fit(lazy[NAMES], lazy["y"])


def test_a_cluster_without_workers_is_said(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("evenodds.data.dask._LOOK", 0.05)
    monkeypatch.setattr("evenodds.data.dask._PATIENCE", 0.5)
    X, (y, *_) = of_frame(rows())
    own = {"processes": False, "dashboard_address": ":0", "worker_dashboard_address": None}
    with (
        dask.config.set(scheduler=None),
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, **own) as cluster,
        distributed.Client(cluster) as client,
    ):
        here = fitted(X, y)
        cluster.scale(0)
        while client.nthreads():
            pass
        with pytest.raises(EvenOddsError, match=r"has had no worker for 0 seconds.*wait_for_workers"):
            LogisticRegression().fit(X, y)
        cluster.scale(1)
        client.wait_for_workers(1, timeout=120)
        assert fitted(X, y) == here


def test_a_worker_that_is_killed_costs_no_bit(monkeypatch):
    distributed = pytest.importorskip("distributed")
    X, (y, *_) = of_frame(rows())
    here, run = fitted(X, y), Workers.run
    own = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "worker_dashboard_address": None}
    with (
        dask.config.set({"scheduler": None, "distributed.logging.distributed": "critical"}),
        distributed.LocalCluster(**own) as cluster,
        distributed.Client(cluster) as client,
    ):
        for last in (1, 2, here[-1] + 1):  # the survey, a read of the fit, and its last one
            reads = []

            def deadly(self, *args, reads=reads, last=last):
                reads.append(args)
                if len(reads) == last:
                    os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)
                return run(self, *args)

            monkeypatch.setattr(Workers, "run", deadly)
            assert fitted(X, y) == here
            assert len(reads) >= last
            client.wait_for_workers(2, timeout=120)
