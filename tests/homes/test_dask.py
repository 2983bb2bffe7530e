"""Rows in the partitions of Dask: the same answers as in memory, and collections of Dask in return."""

import warnings

import numpy as np
import pandas as pd
import pytest

from evenodds import EvenOddsError, LogisticRegression, LogisticRegressionCV, find_separation, infer, path

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
    its = infer(model, X, y, cov="cluster", groups=parted(frame.assign(g=groups))["g"])
    np.testing.assert_allclose(its.se, infer(model, *mine, cov="cluster", groups=groups).se, rtol=1e-8)
    assert np.isfinite(LogisticRegression().partial_fit(X, y).coef_).all()
    for call in (its.margins, its.predict, lambda X: its.influence(X, y), lambda X: its.calibration(X, y)):
        with pytest.raises(EvenOddsError, match=r"needs all rows in memory: give it X\.compute\(\)"):
            call(X)
    with pytest.raises(EvenOddsError, match=r"cross-validation needs all rows in memory"):
        LogisticRegressionCV(Cs=3, cv=3).fit(X, y)


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
    labels_missing: r"In partition 3 the target is missing, first in row 5 \(counted from 0\)",
    negative: r"In partition 3 the weight is negative, first in row 5 \(counted from 0\)",
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
        "y is None": lambda: LogisticRegression().fit(X),
        "'y' is not numeric": lambda: LogisticRegression().fit(lazy[["x0", "y"]], y),
        "same chunks of rows": lambda: LogisticRegression().fit(of_arrays(frame)[0], frame["y"].to_numpy()),
        "X has 4000 rows, and y 3999": lambda: LogisticRegression().fit(known[0], known[1][0][:-1]),
        "one class only": lambda: LogisticRegression().fit(X, y.map(lambda _: "a", meta=("y", object))),
        "feature names": lambda: LogisticRegression().fit(X, y).predict(lazy[["x0", "w"]]),
        "X has 5 partitions and y 2": lambda: LogisticRegression().fit(X, parted(frame, (0, 7))["y"]),
    }
    for message, call in wrong.items():
        with pytest.raises(EvenOddsError, match=message):
            call()


def fitted(X, y):
    model = LogisticRegression().fit(X, y)
    return model.coef_.tobytes(), model.intercept_.tobytes(), model.solution_.passes


def test_no_scheduler_changes_the_bits():
    distributed = pytest.importorskip("distributed")
    X, (y, *_) = of_frame(rows())
    here = fitted(X, y)
    with dask.config.set(scheduler="threads", num_workers=3):
        assert fitted(X, y) == here
    own = {"processes": False, "n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
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
