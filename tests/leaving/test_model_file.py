"""The model file: old ones are read as they were meant, and hostile ones are one error."""

import contextlib
import copy
import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from evenodds import EvenOddsError, LogisticRegression, SeparationWarning, fit_table, infer, load, save

DATA = Path(__file__).parents[1] / "data"
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "model-schema.json").read_text(encoding="utf-8"))
GOLDEN = json.loads((DATA / "models.json").read_text(encoding="utf-8"))
FILES = {name: (DATA / name).read_bytes() for name in GOLDEN}


def rows_of(found):
    if isinstance(found[0], list):
        return np.array(found)
    frame = pd.DataFrame(found)
    return frame.assign(day=pd.to_datetime(frame["day"])) if "day" in frame else frame


@pytest.mark.parametrize("name", GOLDEN)
def test_a_file_of_each_version_predicts_what_it_did(name, tmp_path):
    model = load(DATA / name)
    rows, expected = rows_of(GOLDEN[name]["rows"]), GOLDEN[name]["probabilities"]
    np.testing.assert_allclose(model.predict_proba(rows), expected, rtol=1e-13)
    save(model, tmp_path / "again.json")
    np.testing.assert_array_equal(load(tmp_path / "again.json").predict_proba(rows), model.predict_proba(rows))


FRAME = pd.DataFrame({"x": np.random.default_rng(0).normal(size=90), "f": list("abc") * 30, "y": 0})
FRAME["y"] = np.random.default_rng(2).integers(0, 2, 90)
FRAME["z"] = (FRAME["f"] == "a").astype(int)  # separated: infinite coefficients
FRAME["k"] = np.random.default_rng(1).integers(0, 3, 90)


@pytest.mark.parametrize(
    ("formula", "parameters", "how"),
    [
        ("y ~ x + f", {}, {}),
        ("y ~ x", {"C": 1}, {"cov": "HC3"}),
        ("y ~ x + f", {"firth": True}, {"level": 0.9}),
        ("k ~ x + f", {}, {}),
        ("k ~ x - 1", {"C": 1}, {}),
        ("z ~ x + f", {}, {}),
    ],
)
def test_a_result_is_saved_with_its_table_covariance_and_certificate(formula, parameters, how, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeparationWarning)
        model = fit_table(formula, FRAME, **parameters)
        result = infer(model, FRAME, **how)
    save(result, tmp_path / "model.json")
    back = load(tmp_path / "model.json")
    np.testing.assert_array_equal(back.predict_proba(FRAME), model.predict_proba(FRAME))
    kept = back.inference_
    assert str(kept) == str(result)
    for name in ("coef", "se", "z", "p_value"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(result, name))
    np.testing.assert_array_equal(np.stack([kept.lower, kept.upper], axis=-1), result.conf_int)
    np.testing.assert_allclose(kept.covariance, result.covariance, rtol=1e-12, atol=1e-15)
    for name in ("names", "listed", "level", "cov", "weights", "n_obs", "log_likelihood"):
        assert getattr(kept, name) == getattr(result, name)
    if result.certificate is None:
        assert kept.certificate is None
    else:
        assert kept.certificate["error"] == result.certificate.error
    save(back, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "model.json").read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeparationWarning)
        assert not hasattr(back.fit(FRAME[["x"]], FRAME["y"]), "inference_")


def test_the_schema_is_one_and_finds_each_file_right(tmp_path):
    Draft202012Validator.check_schema(SCHEMA)
    plain = Draft202012Validator(SCHEMA)
    frame = pd.DataFrame({"x": range(20), "f": list("ab") * 10, "y": [0, 1, 1, 0, 1] * 4})
    save(fit_table("y ~ x*f + cr(x, df=3)", frame, C=1), tmp_path / "new.json")
    for path in (*(DATA / name for name in GOLDEN), tmp_path / "new.json"):
        plain.validate(json.loads(path.read_text(encoding="utf-8")))


def test_all_that_can_be_wrong_is_described_in_the_schema():
    """Messages are made of the descriptions."""

    def parts(schema):
        if isinstance(schema, dict) and "$ref" not in schema:
            yield schema
            for key in ("properties", "$defs"):
                for inner in schema.get(key, {}).values():
                    yield from parts(inner)
            for key in ("items", "additionalProperties", "not"):
                yield from parts(schema.get(key))
            for key in ("anyOf", "oneOf", "prefixItems"):
                for inner in schema.get(key, ()):
                    yield from parts(inner)

    undescribed = [part for part in parts(SCHEMA) if "description" not in part]
    # A way among several that says nothing of its own: the description is that of them all.
    ways = ({"type"}, {"enum"}, {"const"}, {"type", "enum"}, {"required"})
    assert all(set(part) in ways for part in undescribed)


def attempt(text, path):
    """Load a file: one error of ours, or a model that predicts."""
    path.write_bytes(text)
    start, message, model = time.process_time(), "", None
    try:
        model = load(path)
    except EvenOddsError as error:
        message = str(error)
    assert time.process_time() - start < 20  # not minutes
    if model is None:
        assert message.startswith(f"{path} is not a model")
        assert len(message) < len(str(path)) + 600
        return
    rows = np.zeros((2, model.n_features_in_))
    with contextlib.suppress(EvenOddsError):
        if not hasattr(model, "feature_names_in_"):
            model.predict_proba(rows)
        elif not hasattr(model, "design_"):
            model.predict_proba(pd.DataFrame(rows, columns=model.feature_names_in_))
        else:
            for found in GOLDEN.values():
                model.predict_proba(rows_of(found["rows"]))
        str(getattr(model, "inference_", ""))


def places(record, way=()):
    yield way
    items = record.items() if isinstance(record, dict) else enumerate(record) if isinstance(record, list) else ()
    for key, value in items:
        yield from places(value, (*way, key))


WAYS = {name: [way for way in places(json.loads(text)) if way] for name, text in FILES.items()}
odd = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        -1,
        1,
        2,
        0.5,
        1e300,
        -1e-300,
        10**30,
        10**400,
        "",
        "inf",
        "x",
        "\ud800",
        "a\0",
        [],
        [[]],
        {},
    ]
)
values = odd | st.lists(odd, max_size=3) | st.dictionaries(st.text(max_size=3), odd, max_size=2)


@settings(max_examples=300)
@given(data=st.data())
def test_changed_entries_are_one_error_or_a_model(data, tmp_path_factory):
    name = data.draw(st.sampled_from(sorted(FILES)))
    record = json.loads(FILES[name])
    for way in data.draw(st.lists(st.sampled_from(WAYS[name]), min_size=1, max_size=3)):
        inner = record
        try:
            for key in way[:-1]:
                inner = inner[key]
            if data.draw(st.booleans()):
                inner[way[-1]] = data.draw(values | st.just(copy.deepcopy(inner)))
            elif data.draw(st.booleans()) and isinstance(inner, dict):
                inner[data.draw(st.sampled_from(["", "zz", "version", "__class__"]))] = inner.pop(way[-1])
            else:
                del inner[way[-1]]
        except (LookupError, TypeError):  # an earlier change took it away
            continue
    attempt(json.dumps(record).encode(), tmp_path_factory.getbasetemp() / "changed.json")


@settings(max_examples=200)
@given(data=st.data())
def test_changed_bytes_are_one_error_or_a_model(data, tmp_path_factory):
    text = bytearray(FILES[data.draw(st.sampled_from(sorted(FILES)))])
    for _ in range(data.draw(st.integers(1, 4))):
        k = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 20))
        text[k : k + cut] = data.draw(
            st.binary(max_size=8) | st.sampled_from([b"9" * 40, b"[", b"{", b'"', b"\xff", b"e99"])
        )
    attempt(bytes(text), tmp_path_factory.getbasetemp() / "bytes.json")


def nested(depth):
    record = json.loads(FILES["model_v2_table.json"])
    inner = {"operation": "column", "args": ["age"]}
    for _ in range(depth):
        inner = {"operation": "neg", "args": [inner]}
    record["design"]["atoms"][0]["expression"] = inner
    return json.dumps(record)


def wide(key, value, **more):
    record = json.loads(FILES["model_v2_table.json"])
    record["design"][key] = value
    return json.dumps(record | more)


HOSTILE = {
    "nested expressions": lambda: nested(40),
    "deeply nested expressions": lambda: nested(250),
    "a product of many atoms": lambda: wide("terms", [{"name": "t", "blocks": [[[0, False]] * 2000]}]),
    "a million levels in a column's place": lambda: wide("atoms", list(range(1_000_000))),
    "a million names": lambda: wide("fills", {str(k): "x" for k in range(300_000)}),
    "a long text": lambda: wide("formula", "x" * 5_000_000),
    "coefficients by the million": lambda: wide("dropped", 0, coef=[0.5] * 1_000_000),
    "a text among a million coefficients": lambda: wide("dropped", 0, coef=[0.5] * 300_000 + ["x"]),
    "the same key twice, within": lambda: FILES["model_v1_two.json"].decode().replace('"age"', '"größe [m]"', 1),
    "UTF-16": lambda: FILES["model_v1_two.json"].decode().encode("utf-16"),
    "another encoding": lambda: FILES["model_v1_two.json"].decode().encode("latin-1"),
    "a picture": lambda: b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "an SGD of 1e18 rows": lambda: FILES["model_v1_two.json"].replace(
        b'"solver": "auto"', b'"solver": {"batch_size": 0}'
    ),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_are_one_error_or_a_model(make, tmp_path):
    text = make()
    attempt(text if isinstance(text, bytes) else text.encode(), tmp_path / "model.json")


def test_a_large_model_is_read_in_seconds(tmp_path):
    model = LogisticRegression(C=1).fit(np.eye(4)[[0, 1, 2, 3, 0, 1]], [0, 1, 2, 3, 0, 1])
    model.classes_, model.intercept_ = np.arange(20_000), np.zeros(20_000)
    model.coef_ = np.random.default_rng(0).normal(size=(20_000, 10))
    model.n_features_in_ = 10
    save(model, tmp_path / "large.json")
    start = time.process_time()
    np.testing.assert_array_equal(load(tmp_path / "large.json").coef_, model.coef_)
    assert time.process_time() - start < 15


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_half_a_character_is_an_error_and_a_whole_one_is_none(encoding, tmp_path):
    for text, is_whole in ((r"\ud83c\udf88", True), (r"\ud83c", False), (r"\uDF88\uD83C", False)):
        changed = FILES["model_v1_two.json"].decode().replace('"age"', f'"{text}"')
        (tmp_path / "model.json").write_bytes(changed.encode(encoding))
        if is_whole:
            assert "🎈" in load(tmp_path / "model.json").feature_names_in_
        else:
            with pytest.raises(EvenOddsError, match="half of a character"):
                load(tmp_path / "model.json")
