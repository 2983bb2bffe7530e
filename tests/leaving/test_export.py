"""A saved model comes back the same, bit for bit; whatever else is in the file is an error that says what and where."""

import contextlib
import copy
import json
import os
import re
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evenodds import SGD, EvenOddsError, LogisticRegression, SeparationWarning, Status
from evenodds.export import load, plain, save
from machine import needs_posix

rng = np.random.default_rng(7)
X = pd.DataFrame({"age": rng.normal(40, 10, 60), "größe [m]": rng.normal(1.7, 0.1, 60), "": rng.normal(size=60)})
y = (X["age"] + 10 * rng.normal(size=60) > 40).to_numpy()

several = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.json"


def saved(model, path):
    save(model, path)
    return load(path)


def same_bits(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("frame", [True, False])
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        LogisticRegression(
            C=0.1, standardize=True, fit_intercept=False, tol=1e-6, max_iter=7, n_jobs=2, random_state=3
        ),
        LogisticRegression(np.float64(2), class_weight={False: 1, True: np.float32(2.5)}, solver="newton"),
        LogisticRegression(
            C=1, class_weight="balanced", solver=SGD(epochs=3, batch_size=np.int64(20)), warm_start=True
        ),
    ],
)
def test_a_model_comes_back_the_same(model, frame, path):
    data = X if frame else X.to_numpy()
    model = clone(model).fit(data, y)
    back = saved(model, path)
    for name in ("coef_", "intercept_", "n_iter_", "classes_"):
        same_bits(getattr(back, name), getattr(model, name))
    assert back.n_features_in_ == 3
    assert hasattr(back, "feature_names_in_") == frame
    if frame:
        assert back.feature_names_in_.tolist() == list(X)
    assert back.aliased_ == model.aliased_ == ()
    assert back.get_params() == model.get_params()
    for name in ("status", "solver", "loss", "passes", "iterations", "n_rows", "total_weight"):
        assert getattr(back.solution_, name) == getattr(model.solution_, name)
    np.testing.assert_equal([back.solution_.gap, back.solution_.error], [model.solution_.gap, model.solution_.error])
    same_bits(back.predict_proba(data), model.predict_proba(data))
    same_bits(back.predict(data), model.predict(data))


THREE = np.where(y, 2, np.where(X["größe [m]"] + 0.1 * rng.normal(size=60) > 1.7, 1, 0))


@pytest.mark.parametrize("frame", [True, False])
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        LogisticRegression(C=0.1, standardize=True, fit_intercept=False),
        LogisticRegression(C=1, class_weight={0: 1, 1: 2.5, 2: 1}, solver=SGD(epochs=3)),
    ],
)
@pytest.mark.parametrize("labels", [np.array([0, 1, 2]), np.array(["a", "b, c", "日"]), np.array([-1.0, 0.0, 1.0])])
def test_a_model_of_three_classes_comes_back_the_same(model, frame, labels, path):
    data = X if frame else X.to_numpy()
    if model.class_weight is not None:
        model = clone(model).set_params(class_weight=dict(zip(labels.tolist(), [1, 2.5, 1], strict=True)))
    model = clone(model).fit(data, labels[THREE])
    back = saved(model, path)
    for name in ("coef_", "intercept_", "n_iter_", "classes_"):
        same_bits(getattr(back, name), getattr(model, name))
    assert back.get_params() == model.get_params()
    assert back.solution_.status is model.solution_.status
    for method in ("predict_proba", "predict_log_proba", "decision_function", "predict"):
        same_bits(getattr(back, method)(data), getattr(model, method)(data))
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["version"] == 3
    assert record["intercept"] == model.intercept_.tolist()
    if frame:
        assert record["coef"] == {name: model.coef_[:, k].tolist() for k, name in enumerate(X)}
    else:
        assert record["coef"] == model.coef_.T.tolist()


@pytest.mark.parametrize(
    "parameters",
    [
        {"l1_ratio": 0.5},
        {"l1_ratio": np.float32(0.5), "penalty_factor": {"age": 0, "": np.float64(2)}, "upper": 0.5},
        {"penalty_factor": {0: 0.0, np.int64(2): 1}, "lower": {0: -np.inf}},
        {"penalty_factor": [1, 0, 2.5], "lower": [-np.inf, -1, 0], "upper": [np.inf, 1, np.inf]},
        {"penalty_factor": {}},
    ],
)
def test_penalties_and_bounds_come_back(parameters, path):
    model = LogisticRegression(C=1).fit(X, y).set_params(**parameters)
    back = saved(model, path)
    for name, value in parameters.items():
        assert getattr(back, name) == value
    assert clone(back).get_params() == back.get_params()
    save(model.set_params(lower=np.array([0.0, 1.0, -np.inf])), path)
    assert load(path).lower == [0.0, 1.0, -np.inf]


def test_it_can_be_cloned_refitted_and_saved_again(path, tmp_path):
    model = LogisticRegression(C=3).fit(X, y)
    back = saved(model, path)
    same_bits(clone(back).fit(X, y).coef_, model.coef_)
    save(back, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()
    same_bits(back.fit(X, y).coef_, model.coef_)


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1]),
        np.array([-128, 127], np.int8),
        np.array([0, 2**64 - 1], np.uint64),
        np.array([False, True]),
        np.array([0.0, 1.0]),
        np.array([0.0, 3.0], np.float32),
        np.array(["no", "yes, quoted \"'\n"]),
        np.array(["", "年"]),
        np.array(["no", "yes"], dtype=object),
    ],
    ids=repr,
)
def test_labels_keep_their_values_and_type(labels, path):
    model = LogisticRegression(C=1).fit(X, labels[y.astype(int)])
    back = saved(model, path)
    assert back.classes_.dtype == model.classes_.dtype
    assert back.classes_.tolist() == model.classes_.tolist() == labels.tolist()
    assert [type(label) for label in back.classes_] == [type(label) for label in model.classes_]
    np.testing.assert_array_equal(back.predict(X), model.predict(X))


def test_aliased_columns_come_back_by_name_and_by_number(path):
    constant = X.assign(one=1.0)
    for data, name in ((constant, "one"), (constant.to_numpy(), 3)):
        with pytest.warns(UserWarning, match="one|3"):
            model = LogisticRegression().fit(data, y)
        back = saved(model, path)
        assert back.aliased_ == model.aliased_ == (name,)
        same_bits(back.predict_proba(data), model.predict_proba(data))


def test_a_separated_fit_says_so_after_loading(path):
    with pytest.warns(SeparationWarning):
        model = LogisticRegression().fit(X, X["age"] > 40)
    back = saved(model, path)
    assert back.solution_.status is Status.SEPARATED
    same_bits(back.predict_proba(X), model.predict_proba(X))


def test_a_partial_fit_can_be_saved(path):
    model = LogisticRegression().partial_fit(X, y)
    back = saved(model, path)
    assert not hasattr(back, "solution_")
    assert getattr(back, "aliased_", None) == getattr(model, "aliased_", None)
    same_bits(back.predict_proba(X), model.predict_proba(X))


finite = st.floats(allow_nan=False, allow_infinity=False)


@several
@given(st.dictionaries(st.text(), finite, min_size=1, max_size=5), finite)
def test_any_names_and_any_finite_numbers_come_back(path, coef, intercept):
    model = LogisticRegression(C=1).fit(X, y)
    model.coef_, model.intercept_ = np.array([list(coef.values())]), np.array([intercept])
    model.feature_names_in_ = np.array(list(coef), dtype=object)
    model.n_features_in_ = len(coef)
    back = saved(model, path)
    same_bits(back.coef_, model.coef_)
    same_bits(back.intercept_, model.intercept_)
    assert back.feature_names_in_.tolist() == list(coef)


def test_the_file_is_json_that_people_read(path):
    save(LogisticRegression().fit(X, y), path)
    text = path.read_text(encoding="utf-8")
    record = json.loads(text, parse_constant=lambda token: pytest.fail(f"{token} is not JSON"))
    assert "größe [m]" in text
    assert list(record["coef"]) == list(X)
    assert record["classes"] == {"dtype": "bool", "labels": [False, True]}
    assert record["parameters"]["C"] == "inf"
    assert record["fit"]["status"] == "converged"
    assert len(text) < 2000


# What cannot be saved


def test_only_fitted_models_of_ours_are_saved(path):
    with pytest.raises(EvenOddsError, match="not fitted: call fit"):
        save(LogisticRegression(), path)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=1)).fit(X, y)
    with pytest.raises(EvenOddsError, match="A Pipeline cannot be saved"):
        save(pipeline, path)
    model = LogisticRegression(random_state=np.random.RandomState(0)).fit(X, y)
    with pytest.raises(EvenOddsError, match="random_state=0"):
        save(model, path)
    model = LogisticRegression(C=1).fit(X, y)
    model.coef_ = np.full((1, 3), np.nan)
    with pytest.raises(EvenOddsError, match=r'cannot be saved: "coef", .* is None'):
        save(model, path)
    model = LogisticRegression(C=1).fit(X, y)
    model.feature_names_in_ = np.array(["a", "b", "\ud800"], dtype=object)
    with pytest.raises(EvenOddsError, match="cannot be saved"):
        save(model, path)
    model = LogisticRegression(C=1).fit(X, y).set_params(C=-1)
    with pytest.raises(EvenOddsError, match="C is a positive number"):
        save(model, path)
    assert list(path.parent.iterdir()) == []


# Half-written files


def test_a_disk_that_is_full_leaves_the_old_file_and_nothing_else(path):
    resource = pytest.importorskip("resource")
    path.write_text("the old one")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))
    try:
        with pytest.raises(OSError, match="too large") as caught:
            save(LogisticRegression(C=1).fit(X, y), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert caught.value.filename == str(path)
    assert path.read_text() == "the old one"
    assert list(path.parent.iterdir()) == [path]


def test_where_nothing_can_be_written_the_error_names_the_path_that_was_asked_for(tmp_path):
    model = LogisticRegression(C=1).fit(X, y)
    (tmp_path / "file").touch()
    for path in (tmp_path / "no" / "model.json", tmp_path / "file" / "model.json", tmp_path):
        with pytest.raises(OSError, match=re.escape(str(path))):
            save(model, path)
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


@needs_posix
def test_a_file_that_is_replaced_keeps_its_permissions_and_links(path, tmp_path):
    model = LogisticRegression(C=1).fit(X, y)
    old = os.umask(0o027)
    try:
        save(model, path)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o640
    path.chmod(0o600)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    save(LogisticRegression(C=2).fit(X, y), link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600
    assert load(path).C == 2


# Damaged files


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "model.json"
    save(LogisticRegression(C=1, class_weight={False: 1.0, True: 2.0}, solver=SGD(epochs=2)).fit(X, y), path)
    return json.loads(path.read_text(encoding="utf-8"))


def put(*steps):
    """A change: the last step is the value, those before it the way to its key."""

    def change(record):
        *way, key, value = steps
        for step in way:
            record = record[step]
        record[key] = value

    return change


def drop(key):
    return lambda record: record.pop(key)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("format"), 'no "format": "evenodds model"'),
        (put("format", "other"), 'no "format": "evenodds model"'),
        (drop("version"), '"version" is missing'),
        (put("version", 4), "version 4 of the format, and this evenodds reads version 3: upgrade"),
        (put("version", 0), '"version" is 0'),
        (put("version", True), '"version" is True, and should be a whole number'),
        (put("version", "1"), "\"version\" is '1', and should be a whole number"),
        *((drop(key), f'"{key}" is missing') for key in ("classes", "intercept", "coef", "aliased", "parameters")),
        *((drop(key), f'"{key}" is missing') for key in ("n_iter", "fit")),
        (put("coef", {}), '"coef" is empty'),
        (put("coef", []), '"coef" is empty'),
        (put("coef", 3), '"coef" is 3, and should be an object or a list'),
        (put("coef", {"a": None}), '"coef", "a" is None, and should be a finite number'),
        (put("coef", [1, "2"]), "\"coef\", number 1 is '2'"),
        (put("coef", [True]), '"coef", number 0 is True'),
        (put("coef", [10**400]), '"coef", number 0 is 1000'),
        (put("coef", [[1]]), r'"coef", number 0 is \[1\]'),
        (put("intercept", "many"), "\"intercept\" is 'many'"),
        (put("classes", [0, 1]), r'"classes" is \[0, 1\], and should be an object'),
        (put("classes", "dtype", "complex128"), '"classes", "dtype" is \'complex128\''),
        (put("classes", "dtype", "(9999999,9999999)i8"), '"dtype"'),
        (put("classes", "labels", [1]), "two different labels"),
        (put("classes", "labels", [1, 2, 3]), "not of dtype bool"),
        (put("classes", {"dtype": "int64", "labels": [1, 2, 1]}), "two different labels or more"),
        (put("classes", {"dtype": "int64", "labels": []}), '"labels" is empty'),
        (put("classes", {"dtype": "int64", "labels": [1, 2, 3]}), r'"coef", "age" is .* of 3 numbers, one a class'),
        (put("classes", "labels", ["a", "a"]), "two different labels"),
        (put("classes", "labels", [0, 1]), "not of dtype bool"),
        (put("classes", {"dtype": "int8", "labels": [0, 300]}), "not of dtype int8"),
        (put("classes", {"dtype": "int64", "labels": ["0", "1"]}), "not of dtype int64"),
        (put("classes", {"dtype": "int64", "labels": [0, 1.5]}), "not of dtype int64"),
        (put("classes", {"dtype": "int64", "labels": [False, True]}), "not of dtype int64"),
        (put("classes", {"dtype": "float64", "labels": [0.0, None]}), '"labels", number 1 is None'),
        (
            put("classes", {"dtype": "object", "labels": [{}, 1]}),
            '"labels", number 0 is {}, and should be a number, a bool',
        ),
        (put("classes", {"dtype": "str", "labels": ["a\0", "b"]}), "not of dtype str"),
        (put("aliased", ["nobody"]), "\"aliased\" has 'nobody'"),
        (put("aliased", [0]), '"aliased" has 0'),
        (put("n_iter", -1), '"n_iter" is -1'),
        (put("n_iter", 2**63), '"n_iter" is 9223372036854775808'),
        (put("parameters", "l2_ratio", 0.5), '"l2_ratio": this evenodds has no such parameter'),
        (put("parameters", "C", -1), "C is a positive number"),
        (put("parameters", "C", "1"), "\"C\" is '1'"),
        (put("parameters", "C", None), '"C" is None'),
        (put("parameters", "tol", 0), "tol is a positive number"),
        (put("parameters", "max_iter", 1.5), '"max_iter" is 1.5'),
        (put("parameters", "fit_intercept", "yes"), "\"fit_intercept\" is 'yes'"),
        (put("parameters", "random_state", "now"), "\"random_state\" is 'now'"),
        (put("parameters", "l1_ratio", "half"), "\"l1_ratio\" is 'half'"),
        (put("parameters", "l1_ratio", 2), "l1_ratio is a number from 0"),
        (put("parameters", "penalty_factor", "none"), "\"penalty_factor\" is 'none'"),
        (put("parameters", "penalty_factor", {"a": 1}), '"penalty_factor" is {'),
        (put("parameters", "lower", [1, None]), '"lower", number 1 is None'),
        (put("parameters", "upper", [["age", True]]), '"upper", number 0, number 1 is True'),
        (
            put("parameters", "upper", [[None, 1]]),
            r'"upper", number 0, number 0 is None, and should be the name of a column',
        ),
        (put("parameters", "solver", "magic"), '"solver" is .*, and should be "auto", "newton"'),
        (put("parameters", "firth", "flak"), '"firth" is .*, and should be false, true, "flic" or'),
        (put("parameters", "firth", 1), '"firth" is 1'),
        (put("parameters", "solver", {"epochs": 1}), '"batch_size" is missing'),
        (put("parameters", "solver", "epochs", 0), "SGD's epochs is a positive integer"),
        (put("parameters", "solver", "learning_rate", "fast"), "\"learning_rate\" is 'fast'"),
        (put("parameters", "class_weight", "even"), '"class_weight" is .*, and should be null, "balanced"'),
        (put("parameters", "class_weight", [[1]]), '"class_weight", number 0 is .*, and should be a pair'),
        (put("parameters", "class_weight", [[[1], 1]]), "number 0, number 0 is .*, and should be a number, a boolean"),
        (
            put("parameters", "class_weight", [[1, "x"]]),
            "\"class_weight\", number 0, number 1 is 'x', and should be a finite",
        ),
        (put("fit", "status", "fine"), "\"status\" is 'fine'"),
        (put("fit", "loss", "low"), "\"loss\" is 'low'"),
        (put("fit", "passes", 1.0), '"passes" is 1.0'),
        (put("fit", "solver", None), '"solver" is None'),
        (put("fit", "n_rows", 2.0), '"n_rows" is 2.0'),
        (put("fit", "total_weight", None), '"total_weight" is None, and should be a finite number'),
        (lambda record: record["fit"].pop("n_rows"), '"n_rows" is missing'),
    ],
)
def test_a_damaged_file_is_an_error_that_says_what_and_where(good, path, change, message):
    record = copy.deepcopy(good)
    change(record)
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(EvenOddsError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path} is not a model")
    assert len(str(caught.value)) < 400 + len(str(path))


@pytest.fixture(scope="module")
def good_three(tmp_path_factory):
    path = tmp_path_factory.mktemp("three") / "model.json"
    save(LogisticRegression(C=1).fit(X, THREE), path)
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("intercept", 1.0), '"intercept" is 1.0, and should be a list of 3 numbers'),
        (put("intercept", [1.0, 2.0]), r'"intercept" is \[1.0, 2.0\], and should be a list of 3'),
        (put("intercept", [1, 2, None]), '"intercept", number 2 is None, and should be a number'),
        (put("intercept", {"a": 1, "b": 2, "c": 3}), '"intercept" is {.*should be a number, or a list'),
        (put("coef", "age", 1.0), '"coef", "age" is 1.0, and should be a list of 3 numbers, one a class'),
        (put("coef", "age", [1, 2]), r'"coef", "age" is \[1, 2\]'),
        (put("coef", "age", [1, "2", 3]), '"coef", "age", number 1 is \'2\', and should be a finite number'),
        (put("coef", "", [1, True, 3]), '"coef", "", number 1 is True'),
        (put("classes", "labels", [0, 1]), '"coef", "age" is .*finite number'),
        (put("classes", "labels", [0, 1, 2, 3]), "a list of 4 numbers"),
        (put("classes", "labels", [0, 1, 1]), "two different labels or more"),
    ],
)
def test_a_damaged_file_of_three_classes_is_an_error(good_three, path, change, message):
    record = copy.deepcopy(good_three)
    change(record)
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(EvenOddsError, match=message):
        load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not JSON"),
        (b"a,b\n1,2\n", "not JSON"),
        (b"\x80\x04\x95", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"format": "evenodds model", "version": 1, "coef": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[]", 'no "format"'),
        (b"null", 'no "format"'),
        (b'{"a": 1, "a": 2}', 'the key "a" is there twice'),
        (b'{"a": NaN}', "it holds NaN"),
        (b'{"a": -Infinity}', "it holds -Infinity"),
    ],
)
def test_a_file_that_is_something_else_is_an_error(path, text, message):
    path.write_bytes(text)
    with pytest.raises(EvenOddsError, match=message):
        load(path)


def test_a_number_beyond_float64_is_no_coefficient(good, path):
    path.write_text(json.dumps({**good, "coef": [1.25]}).replace("1.25", "1e999"), encoding="utf-8")
    with pytest.raises(EvenOddsError, match="it holds 1e999, which is larger than any double"):
        load(path)


def test_every_truncated_file_is_an_error(good, path):
    text = json.dumps(good)
    for length in range(0, len(text), 7):
        path.write_text(text[:length], encoding="utf-8")
        with pytest.raises(EvenOddsError, match="not JSON"):
            load(path)


def test_a_file_that_an_older_version_wrote_takes_defaults_for_new_parameters(good, path):
    record = copy.deepcopy(good)
    del record["parameters"]["standardize"]
    path.write_text(json.dumps(record), encoding="utf-8")
    assert load(path).standardize is False


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(["inf", "bool"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=4,
)


def ways(record, way=()):
    """The ways to all values of a record."""
    if way:
        yield way
    items = record.items() if isinstance(record, dict) else enumerate(record) if isinstance(record, list) else ()
    for key, value in items:
        yield from ways(value, (*way, key))


@settings(several, max_examples=300)
@given(st.data())
def test_a_changed_value_is_an_error_or_a_model_that_works(good, good_three, path, data):
    record = copy.deepcopy(data.draw(st.sampled_from([good, good_three])))
    way = data.draw(st.sampled_from(list(ways(record))))
    put(*way, data.draw(values))(record)
    path.write_text(json.dumps(record), encoding="utf-8")
    try:
        model = load(path)
    except EvenOddsError:
        return
    zeros = np.zeros((2, model.n_features_in_))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        assert np.isfinite(model.predict_proba(zeros)).all()
        assert model.predict(zeros)[0] in model.classes_.tolist()
    clone(model)
    with contextlib.suppress(EvenOddsError):
        save(model, path)
        assert load(path).get_params() == model.get_params()


def test_many_classes_and_columns_take_time_in_proportion(path):
    """20,000 of each, of which comparing all with all takes minutes."""
    model = LogisticRegression(C=1).fit(X.to_numpy(), np.arange(60) % 3)
    model.classes_, model.intercept_ = np.arange(20_000), np.zeros(20_000)
    model.coef_ = np.ones((20_000, 3))
    start = time.perf_counter()
    same_bits(saved(model, path).classes_, model.classes_)
    model = LogisticRegression().fit(X, y)
    model.feature_names_in_ = np.array([f"c{k}" for k in range(20_000)], dtype=object)
    model.coef_, model.n_features_in_ = np.ones((1, 20_000)), 20_000
    model.aliased_ = tuple(model.feature_names_in_[10_000:])
    assert saved(model, path).aliased_ == model.aliased_
    assert time.perf_counter() - start < 15


def test_plain_makes_values_that_json_can_hold():
    value = {"a": np.array([1.5, np.nan]), "b": (np.int64(1), np.bool_(True)), "c": [-np.inf, "x", None]}
    assert plain(value) == {"a": [1.5, None], "b": [1, True], "c": ["-inf", "x", None]}
    json.dumps(plain(value), allow_nan=False)
