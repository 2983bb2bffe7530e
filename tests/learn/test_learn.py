"""The interactive textbook's Python: the code shown is the code that runs, and what it says of mistakes is true."""

import http.client
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from serving import serving
from sklearn.datasets import make_classification, make_moons

from evenodds import scratch
from evenodds.learn import CHAPTERS, engine, measures, mistakes, points, server, source

MOONS = make_moons(n_samples=100, noise=0.24, random_state=44)
CLOUDS = make_classification(n_features=2, n_redundant=0, n_informative=2, random_state=1, n_clusters_per_class=1)
SETS = ("moons", "clouds", "blobs", "circles", "xor", "rare")


def run(session, **settings):
    """Begin and learn to the end; return the reply of `begin`."""
    first = session.begin(**settings)
    while not session.more(1000)["done"]:
        pass
    return first


def plain(X, y, bs, lr, n_epochs, seed=0):
    """The textbook's descent as it was before it became a generator, written here again."""
    rng = np.random.default_rng(seed)
    w, b, losses = np.zeros(X.shape[1]), 0.0, []
    for _ in range(n_epochs):
        order = rng.permutation(len(X))
        for start in range(0, len(X), bs):
            rows = order[start : start + bs]
            z = X[rows] @ w + b
            e = np.exp(-np.abs(z))
            error = np.where(z >= 0, 1.0, e) / (1.0 + e) - y[rows]
            w -= lr * (X[rows].T @ error / len(rows))
            b -= lr * float(np.mean(error))
        z = X @ w + b
        losses.append(np.mean(np.logaddexp(0.0, np.where(y == 1, -z, z))))
    return w, b, np.array(losses)


# The code shown is the code that runs


@pytest.mark.parametrize("bs", [1, 10, 100])
@pytest.mark.parametrize("name", SETS)
def test_all_ways_to_run_the_textbook_have_the_same_bits(name, bs):
    X, y = points.points(name)
    X = scratch.normalize(X)
    w, b, losses = scratch.train(X, y, bs=bs, epochs=6, lr=0.3)
    for other in (plain(X, y, bs, 0.3, 6), source.load(source.SOURCE).train(X, y, bs=bs, epochs=6, lr=0.3)):
        np.testing.assert_array_equal(np.r_[other[0], other[1], other[2]], np.r_[w, b, losses])
    seen = []
    module = source.xrayed(source.SOURCE, lambda value, place: seen.append(place) or value, lambda: None)
    other = module.train(X, y, bs=bs, epochs=6, lr=0.3)
    np.testing.assert_array_equal(np.r_[other[0], other[1], other[2]], np.r_[w, b, losses])
    assert seen
    session = engine.Session()
    run(session, data=name, bs=bs, lr=0.3, epochs=6)
    np.testing.assert_array_equal(session.W[-1], w)
    np.testing.assert_array_equal(session.L, losses)


def test_the_generator_gives_every_epoch_and_checks_as_train_does():
    X, y = scratch.normalize(MOONS[0]), MOONS[1]
    steps = scratch.epochs(X, y, bs=30, lr=0.5, seed=3)
    learnt = [next(steps) for _ in range(5)]  # kept: what was given must not change afterwards
    for i, (w, b, loss) in enumerate(learnt, start=1):
        w_train, b_train, losses = scratch.train(X, y, bs=30, epochs=i, lr=0.5, seed=3)
        np.testing.assert_array_equal(w, w_train)
        assert (b, loss) == (b_train, losses[-1])
    with pytest.raises(ValueError, match="bs"):
        next(scratch.epochs(X, y, bs=0))


def test_the_text_is_the_file_and_a_diff_says_what_changed():
    assert source.SOURCE.encode() == Path(scratch.__file__).read_bytes()
    assert engine.Session().hello()["source"] == source.SOURCE
    assert source.SOURCE.isascii()  # so that a column is the same in Python and in the page
    for mistake in mistakes.MISTAKES:
        text = mistakes.text_of([mistake.key])
        rows = source.diff(text)
        assert "\n".join(line for mark, _, line in rows if mark != "-") == text
        assert "\n".join(line for mark, _, line in rows if mark != "+") == source.SOURCE
        assert [number for mark, number, _ in rows if mark != "-"] == list(range(1, text.count("\n") + 2))


@pytest.mark.parametrize("bs", [1, 30, 100])
def test_a_trace_goes_on_from_the_weights_before_and_ends_at_those_after(bs):
    session = engine.Session()
    run(session, data="moons", bs=bs, lr=0.5, epochs=4)
    last = session.trace(2, 10**6)
    np.testing.assert_array_equal(last["w"], session.W[2])
    assert last["b"] == session.B[2]
    assert last["batch"] == last["batches"] - 1
    seen = np.concatenate([session.trace(2, i)["rows"] for i in range(last["batches"])])
    np.testing.assert_array_equal(np.sort(seen), np.arange(100))
    first = session.trace(1, 0)["events"]
    assert source.expression(session.text, first[0][:4]) == "rng.permutation(m)"
    line, left, last_line, right, value = next(
        e for e in first if "sigmoid(X" in source.expression(session.text, e[:4])
    )
    assert (line, source.SOURCE.split("\n")[line - 1][left:right]) == (last_line, "sigmoid(X[batch] @ w + b)")
    assert value.startswith(f"({min(bs, 100)},)")


# The mistakes


@pytest.mark.parametrize("mistake", mistakes.MISTAKES, ids=lambda mistake: mistake.key)
def test_each_mistake_shows_as_the_textbook_says(mistake):
    section = " ".join(mistakes.sections()[mistake.title])
    changed = [row for row in source.diff(mistakes.text_of([mistake.key])) if row[0] != " "]
    assert 1 <= len(changed) <= 8
    text = source.SOURCE
    for old, new in mistake.patches:
        assert text.count(old) == 1
        text = text.replace(old, new)
    wrong, right = engine.Session(), engine.Session()
    settings = {"epochs": 1000, **mistake.settings}
    run(wrong, **settings, keys=[mistake.key])
    run(right, **settings | mistake.better)
    assert measures.written(wrong, mistake.key) == mistake.wrong
    assert measures.written(right, mistake.key) == mistake.right
    assert re.search(rf"(?<![\d.]){mistake.wrong}(?!\d)", section, re.IGNORECASE), section
    assert wrong.measure()["symptoms"] == [{"key": mistake.key, "measure": mistake.measure, "value": mistake.wrong}]


def test_the_mistakes_are_the_sections_of_the_textbook():
    assert [mistake.title for mistake in mistakes.MISTAKES] == list(mistakes.sections())
    assert len(mistakes.MISTAKES) == 14


def test_two_mistakes_at_once_where_they_fit():
    pairs = set(mistakes.conflicts())
    assert ("sign", "log0") in pairs
    assert ("exp", "shuffle") not in pairs
    both = mistakes.text_of(["exp", "shuffle"])
    assert "np.arange(m)" in both
    assert "np.exp(-z)" in both
    session = engine.Session()
    with pytest.raises(points.Refused, match="change the same line"):
        session.begin(keys=["sign", "log0"])
    with pytest.raises(points.Refused, match="no mistake 'nothing'"):
        session.begin(keys=["nothing"])


PLANTED = {
    "exp overflows": (["exp"], {"data": "thousandths", "normalise": False}, "np.exp(-z)", "inf"),
    "log of 0": (["log0"], {"data": "thousandths", "normalise": False}, "np.log(p)", "-inf"),
    "a constant column": (["constant"], {"data": "constant"}, "(X - mean) / std", "nan"),
    "a division by 0": ([("w -= lr * dw", "w -= lr * dw / np.zeros(n)")], {}, "lr * dw / np.zeros(n)", "-inf"),
    "a product overflows": ([("z = X @ w + b", "z = X @ w * 1e308 * 1e9 + b")], {}, "X @ w * 1e308 * 1e9", "-inf"),
    "a root": (
        [("sigmoid(X[batch] @ w + b)", "sigmoid(np.sqrt(X[batch] @ w) + b)")],
        {},
        "np.sqrt(X[batch] @ w)",
        "nan",
    ),
    "what the sigmoid hides": (
        [("sigmoid(X[batch] @ w + b)", "sigmoid(X[batch] @ w * 1e300 * 1e300 + b)")],
        {"bs": 30},
        "X[batch] @ w * 1e300 * 1e300",
        "inf",
    ),
    "a matrix product": (
        [("z = X @ w + b", "z = (X * 1e300) @ (w * 1e300) + b")],
        {},
        "(X * 1e300) @ (w * 1e300)",
        "-inf",
    ),
}
FINITE = [
    (" or not np.isfinite(X).all()", ""),
    ("if not ((y_hat >= 0) & (y_hat <= 1)).all():", "if ((y_hat < 0) | (y_hat > 1)).any():"),
]


@pytest.mark.parametrize("name", PLANTED)
def test_the_first_number_that_is_not_finite_is_found(name, monkeypatch):
    keys, settings, expression, value = PLANTED[name]
    if not isinstance(keys[0], str):
        patches = (*keys, *FINITE)
        planted = mistakes.Mistake("planted", "", patches, "", "loss", ".3f", "", "")
        monkeypatch.setitem(mistakes.BY_KEY, "planted", planted)
        keys = ["planted"]
    session = engine.Session()
    run(session, epochs=5, lr=0.5, keys=keys, **settings)
    found = session.culprit()["found"]
    assert (found["expression"], found["value"]) == (expression, value)
    lines = session.text.split("\n")
    assert lines[found["line"] - 1].count(expression) == 1
    X, y = points.points(settings.get("data", "moons"))
    expected = {  # (epoch, batch) from the reasoning of each case: weights are 0 in the first batch
        "exp overflows": (2, 1),
        "a constant column": (0, 0),
        "a root": (2, 1),
        "what the sigmoid hides": (1, 2),
    }.get(name, (1, 1))
    assert (found["epoch"], found["batch"]) == expected
    w, b, _ = (
        plain(X, y, 100, 0.5, 1) if settings.get("normalise") is False else plain(scratch.normalize(X), y, 100, 0.5, 1)
    )
    z = (X if settings.get("normalise") is False else scratch.normalize(X)) @ w + b
    product = z - b
    count, of = {
        "exp overflows": (np.sum(z < -709.78), 100),
        "log of 0": (np.sum(z < -745.14), 100),
        "a constant column": (100, 300),
        "a division by 0": (2, 2),
        "a product overflows": (np.sum(np.abs(product) > 1.7976931348623157e-9), 100),
        "a root": (np.sum(product < 0), 100),
        "what the sigmoid hides": (30, 30),
        "a matrix product": (100, 100),
    }[name]
    assert (found["count"], found["of"]) == (count, of)


def test_sound_runs_have_no_culprit():
    session = engine.Session()
    run(session, data="thousandths", normalise=False, epochs=50)
    assert session.culprit() == {"found": None}


# The data


def test_the_classic_sets_are_those_of_the_textbook():
    for name, (X, y) in {"moons": MOONS, "clouds": CLOUDS}.items():
        np.testing.assert_array_equal(points.points(name)[0], X)
        np.testing.assert_array_equal(points.points(name)[1], y)


def test_splines_are_the_b_splines_of_scipy():
    from scipy.interpolate import BSpline

    x = np.linspace(0, 1, 101)
    X = np.c_[x, x[::-1]]
    knots = np.arange(-3, points.KNOTS + 1) / (points.KNOTS - 3)
    reference = BSpline.design_matrix(x, knots, 3).toarray()
    columns = points.columns_of(X, "spline", X)
    np.testing.assert_allclose(columns[:, : points.KNOTS - 1], reference[:, 1:], atol=1e-14)
    assert columns.shape[1] == 2 * (points.KNOTS - 1) + points.KNOTS**2


def test_a_csv_table():
    table = points.from_csv("name,height,weight,sick\nA,1.5,60,no\nB,1.7,80,yes\nC,1.6,70,yes\n")
    assert table["points"] == [[1.5, 60.0, 0.0], [1.7, 80.0, 1.0], [1.6, 70.0, 1.0]]
    assert (table["features"], table["label"], table["classes"]) == (["height", "weight"], "sick", ["no", "yes"])


ROWS = "\n".join(f"{i},{i * 2},{i % 2}" for i in range(1, 6))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line with names"),
        ("a\nb\nc", "two columns of numbers"),
        ("a,b,c\n" + ROWS + "\n7,nan,1", "Row 6 of column 'b' is 'nan'"),
        ("a,b,c\n" + ROWS + "\n7,,1", "Row 6 of column 'b' is 'empty'"),
        ("a,b,c\n" + ROWS + "\n7,inf,1", "Row 6 of column 'b' is 'inf'"),
        ("a,b,c\n" + ROWS + "\n7,8", "Row 6 has 2 values"),
        ("a,c\n1,0\n2,1\n3,1", "two columns of numbers"),
        ("a,b,c\n1,2,x\n2,3,y\n3,4,z", "exactly two values"),
        ("a,b,c\n" + "1,2,0\n2,3,1\n" * 5001, "at most 10,000 rows"),
        ("a,b,c\n" + ROWS + "\n1e300,8,1", "not larger"),
        ("words\nmore words\nand more", "two columns of numbers"),
    ],
)
def test_a_csv_table_that_does_not_fit_is_refused_in_one_sentence(text, message):
    with pytest.raises(points.Refused, match=re.escape(message)):
        points.from_csv(text)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [[0, 0, 0]],
        [[0, 0, 0], [1, 1, 0]],
        [[0, 0, 0], [1, 1, 2]],
        [[0, np.nan, 0], [1, 1, 1]],
        [[0, 0, 0], [1]],
        "ab",
    ],
)
def test_points_that_cannot_be_learnt_are_refused(rows):
    with pytest.raises(points.Refused):
        engine.Session().set_points(rows)


def test_ten_thousand_own_points():
    X = np.random.default_rng(0).normal(size=(10_000, 2))
    session = engine.Session()
    session.set_points(np.c_[X, X[:, 0] > 0].tolist())
    first = session.begin(data="own", epochs=3)
    assert first["X"].shape == (10_000, 2)
    assert session.surface()["rows"] < 10_000
    with pytest.raises(points.Refused, match="at most 10,000"):
        session.set_points([*np.c_[X, X[:, 0] > 0].tolist(), [0, 0, 1]])


# The pictures


def test_the_pictures_are_the_codes_own():
    session = engine.Session()
    run(session, data="blobs", lr=0.5, epochs=30)
    picture = session.paint(29, 30)
    X, y = points.points("blobs")
    w, b, _ = scratch.train(scratch.normalize(X), y, bs=100, epochs=30, lr=0.5)
    low0, low1, high0, high1 = session.box
    corner = scratch.normalize([[low0, high1], [high0, low1]], reference=X)
    p = scratch.sigmoid(corner @ w + b)
    np.testing.assert_allclose(picture["shade"][0][[0, -1], [0, -1]] / 254, p, atol=0.003)
    ends = picture["lines"][0, :4].reshape(2, 2)
    np.testing.assert_allclose(scratch.normalize(ends, reference=X) @ w + b, 0, atol=1e-9)
    bowl = session.surface()
    assert bowl["pair"] == [0, 1]
    axis = np.linspace(-bowl["reach"], bowl["reach"], engine.BOWL)
    for i, j in ((0, 0), (5, 20)):
        z = scratch.normalize(X) @ [axis[j], axis[::-1][i]] + b
        assert bowl["loss"][i, j] == pytest.approx(np.mean(np.logaddexp(0, (1 - 2 * y) * z)), rel=1e-10)


def test_by_hand_and_values():
    session = engine.Session()
    session.begin(data="moons")
    hand = session.by_hand([2.0, -3.0], 0.5, [0.3, 0.1])
    x = scratch.normalize([[0.3, 0.1]], reference=MOONS[0])[0]
    assert hand["z"] == pytest.approx(2 * x[0] - 3 * x[1] + 0.5)
    assert hand["p"] == pytest.approx(1 / (1 + np.exp(-hand["z"])))
    sigmoid = session.values("sigmoid", -710.0)
    assert sigmoid["value"] == pytest.approx(4.47628622567513e-309)
    assert {source.SOURCE.split("\n")[event[0] - 1].strip() for event in sigmoid["events"]} >= {
        "e = np.exp(-np.abs(z))"
    }
    assert session.values("loss", 0.25)["value"] == pytest.approx(np.log(4))


def test_the_comparison_reaches_the_optimum_and_agrees_with_scikit_learn():
    session = engine.Session()
    run(session, data="moons", epochs=1)
    told = session.compare(1.0)
    assert not told["separated"]
    newton = told["curves"][-1]
    assert newton["gap"][-1] < 1e-12
    assert told["curves"][0]["gap"][-1] > 1e-4
    _, ours, theirs, _ = (np.array(row["coefficients"]) for row in told["table"])
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    run(session, data="clouds", epochs=1)
    told = session.compare(1.0)
    assert told["separated"]
    assert [row["endless"] for row in told["table"]] == [True, False, False, False]
    assert told["growth"][400] > 1.2 * told["growth"][100]


# The server


@pytest.fixture
def served():
    with serving() as found:
        yield found


def request(serving, method="POST", path="/call", body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", serving.server_address[1], timeout=20)
    ours = {"Origin": serving.origin, "X-Token": serving.token} if method == "POST" else {}
    sent = {**ours, **{name.replace("_", "-"): value for name, value in headers.items()}}
    connection.request(method, path, body, {name: value for name, value in sent.items() if value is not None})
    reply = connection.getresponse()
    data = reply.read()
    connection.close()
    return reply.status, data


def call(method, page="one", **arguments):
    return json.dumps({"page": page, "method": method, "arguments": arguments})


def unpack(data):
    length = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + length])
    out = {}
    for name, entry in head.items():
        if "value" in entry:
            out[name] = entry["value"]
        else:
            values = np.frombuffer(data, entry["type"], int(np.prod(entry["shape"])), 8 + length + entry["at"])
            out[name] = values.reshape(entry["shape"])
    return out


def test_a_call_and_its_reply(served):
    status, data = request(served, body=call("begin", data="moons", epochs=5, ms=1000))
    reply = unpack(data)
    assert status == 200
    np.testing.assert_array_equal(reply["X"], MOONS[0])
    assert reply["done"]
    assert reply["loss"].shape == (5,)
    status, data = request(served, body=call("begin", data="constant", keys=["constant"], epochs=5, ms=1000))
    assert np.isnan(unpack(data)["w"]).all()


def test_two_pages_do_not_meet(served):
    request(served, body=call("begin", "one", data="moons", epochs=2, ms=1000))
    request(served, body=call("begin", "two", data="blobs", epochs=3, ms=1000))
    assert unpack(request(served, body=call("more", "one"))[1])["from"] == 2
    assert unpack(request(served, body=call("more", "two"))[1])["from"] == 3
    for i in range(20):
        request(served, body=call("hello", f"page {i}"))
    assert len(served.sessions) <= server.SESSIONS


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:80"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": None}, 403),
        ({"Origin": "null"}, 403),
        ({"X_Token": "guess"}, 403),
        ({"X_Token": None}, 403),
        ({"Content_Length": "99999999"}, 413),
        ({}, 200),
    ],
)
def test_only_its_own_page_is_answered(served, headers, status):
    assert request(served, body=call("hello"), **headers)[0] == status


def test_wrong_calls_get_one_sentence(served):
    for body, status, words in (
        ("no json", 400, "Expecting value"),
        ("[]", 400, ""),
        (call("own"), 404, "no such call"),
        (call("__init__"), 404, "no such call"),
        (call("begin", nonsense=1), 400, "nonsense"),
        (call("more"), 400, ""),
    ):
        found, data = request(served, body=body)
        assert found == status, body
        assert words in json.loads(data)["error"]
    assert request(served, path="/other", body=call("hello"))[0] == 404
    request(served, body=call("begin", epochs=2, ms=1000))
    for body, words in (
        (call("begin", data="nothing"), "no set of points"),
        (call("begin", lr=-1.0), "learning rate"),
        (call("trace", epoch=9, batch=0), "not learnt yet"),
        (call("csv", text="a"), "line with names"),
    ):
        status, data = request(served, body=body)
        assert status == 200
        assert words in unpack(data)["refused"]


@pytest.mark.parametrize(
    "path",
    [
        "/../server.py",
        "/server.py",
        "/%2e%2e/server.py",
        "/web/index.html",
        "//etc/passwd",
        "/classics.csv",
        "/.",
        "/tapes/",
    ],
)
def test_a_path_outside_of_the_page_is_not_there(served, path):
    assert request(served, "GET", path)[0] == 404


def test_the_pages_own_files_are_served_small_and_readable(served):
    scripts = 0
    for name, path in server.FILES.items():
        status, data = request(served, "GET", name)
        assert (status, data) == (200, path.read_bytes())
        lines = data.decode().splitlines()
        assert len(lines) <= 400, name
        assert max(map(len, lines)) <= 180, name
        scripts += len(lines) if path.suffix == ".mjs" else 0
    assert request(served, "GET", "/")[1] == server.FILES["/index.html"].read_bytes()
    assert request(served, "GET", "/", Host="evil.example")[0] == 403
    assert scripts < 1500
    assert sum(path.stat().st_size for path in server.FILES.values()) < 150_000


def test_the_page_asks_for_nothing_elsewhere():
    for path in server.FILES.values():
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"(?:src|href|url|import|fetch)\W{0,3}https?:", text), path.name
    page = server.FILES["/index.html"].read_text(encoding="utf-8")
    assert re.findall(r'<article id="(\w+)"', page) == list(CHAPTERS)


# The command


def test_the_command_says_where_it_is_and_stops_on_ctrl_c():
    code = (
        "import _thread, threading, webbrowser\n"
        "from evenodds.cli import main\n"
        "def opened(address):\n"
        "    print('opened', address)\n"
        "    threading.Timer(0.5, _thread.interrupt_main).start()\n"
        "    return True\n"
        "webbrowser.open = opened\n"
        "main(['learn', 'descent'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    address = re.search(r"http://127\.0\.0\.1:\d+/#chapter=descent&token=\S+", done.stderr)
    assert address, done.stderr
    assert done.stdout.strip() == f"opened {address[0]}"
    assert done.stderr.endswith("Stopped.\n")


def test_the_command_says_what_is_wrong():
    with server.open_port(0) as taken:
        port = str(taken.server_address[1])
        code = f"from evenodds.cli import main; main(['learn', '--no-browser', '--port', '{port}'])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: port {port} cannot be used: another program has it")
    code = "from evenodds.cli import main; main(['learn', 'nothing'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "no chapter" in done.stderr
    assert "descent" in done.stderr
