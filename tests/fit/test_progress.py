"""What long runs tell on stderr while they run: paths and cross-validation. No test waits for the time."""

import re

import numpy as np
import pytest
import scipy.sparse as sp

from evenodds import EvenOddsError, LogisticRegressionCV, path

HEAD = r"evenodds: .+ rows, .+ columns, path of (a lasso|a ridge|an elastic net, l1_ratio=0\.5)"
FIT = r"  fit +(\d+) of (\d+)   C (\S+) +deviance ratio (\S+)   gap (\S+) +\d+\.\d\d s"
ROUND = r"  round +(\d+) on ([\d,]+) rows +(\d+) of (\d+) fits done   gaps to (\S+) +\d+\.\d\d s"
END = r"evenodds: (\d+) fits, (\d+) reads of the data, \d+\.\d\d s"
FOLDS = r"  folds done: (.+) \((\d+) of (\d+)\) +\d+\.\d\d s"


def rows_of(n, p, n_classes=2):
    rng = np.random.default_rng([n, p])
    X = rng.normal(size=(n, p))
    scores = X[:, :2] @ rng.normal(size=(2, n_classes))
    return X, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)


def sparse_rows():
    X = sp.random_array((3000, 1200), density=0.01, format="csr", random_state=np.random.default_rng(1))
    return X, (X @ np.ones(1200) + np.random.default_rng(2).logistic(size=3000) > 1).astype(int)


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes `clock.step` seconds on each time it is read."""

    class Clock:
        now, step = 0.0, 0.0

        def __call__(self):
            self.now += self.step
            return self.now

    clock = Clock()
    monkeypatch.setattr("evenodds.progress.perf_counter", clock)
    return clock


def lines_of(capsys):
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


ONE_BY_ONE = {
    "a few rows": (rows_of(60, 4), {}),
    "given Cs": (rows_of(60, 4), {"Cs": [1.0, 0.1, 0.2]}),
    "a ridge": (rows_of(60, 4), {"l1_ratio": 0.0}),
    "many": (rows_of(60, 4), {"n_C": 60, "l1_ratio": 0.5}),
    "columns": (rows_of(60, 1100), {}),
    "sparse columns": (sparse_rows(), {}),
    "classes": (rows_of(90, 4, 3), {}),
    "classes and columns": (rows_of(90, 60, 3), {}),
}


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_a_path_tells_each_fit_while_it_goes_on(name, clock, capsys):
    (X, y), options = ONE_BY_ONE[name]
    clock.step = 1.0
    told = path(X, y, **{"n_C": 5, **options}, verbose=1)
    first, *between, last = lines_of(capsys)
    assert re.fullmatch(HEAD, first)
    count, reads = re.fullmatch(END, last).groups()
    assert (int(count), int(reads)) == (told.Cs.size, told.passes)
    assert len(between) == told.Cs.size
    for k, line in enumerate(between):
        number, most, *values = re.fullmatch(FIT, line).groups()
        assert (int(number), int(most)) == (k + 1, len(options.get("Cs", range(options.get("n_C", 5)))))
        C, ratio, gap = map(float, values)
        np.testing.assert_allclose(C, told.Cs[k], rtol=1e-4)
        assert ratio == pytest.approx(told.deviance_ratio[k], abs=1e-4)
        assert gap == pytest.approx(told.gaps[k], rel=0.1)
    seconds = [float(line.split()[-2]) for line in between]
    assert seconds == sorted(set(seconds))


def test_a_path_on_many_rows_tells_its_rounds(clock, capsys):
    X, y = rows_of(60_000, 20)
    clock.step = 1.0
    told = path(X, y, n_C=8, Cs=np.geomspace(1e-4, 1, 8), verbose=1)
    first, *between, last = lines_of(capsys)
    assert first == "evenodds: 60,000 rows, 20 columns, path of a lasso"
    assert re.fullmatch(END, last)
    rounds = [re.fullmatch(ROUND, line).groups() for line in between]
    sampled = [row for row in rounds if row[1] != "60,000"]
    whole = rounds[len(sampled) :]
    assert sampled
    assert whole
    for part in (sampled, whole):
        assert [int(row[0]) for row in part] == list(range(1, len(part) + 1))
        assert len({row[1] for row in part}) == 1
        done = [int(row[2]) for row in part]
        assert done == sorted(done)
        assert done[-1] == 8 == int(part[-1][3])
    assert float(whole[-1][4]) == pytest.approx(told.gaps.max(), rel=0.1)


@pytest.mark.parametrize("data", [rows_of(60, 4), rows_of(60_000, 20)], ids=["one by one", "together"])
def test_what_takes_no_time_is_told_in_two_lines(data, clock, capsys):
    path(*data, n_C=40, verbose=1)
    first, last = lines_of(capsys)
    assert re.fullmatch(HEAD, first)
    assert re.fullmatch(END, last)


def test_a_line_a_second_at_the_most(clock, capsys):
    clock.step = 0.25
    told = path(*rows_of(60, 4), n_C=20, verbose=1)
    _, *between, _ = lines_of(capsys)
    assert [int(re.fullmatch(FIT, line)[1]) for line in between] == list(range(4, told.Cs.size + 1, 4))


@pytest.mark.parametrize("data", [rows_of(60, 4), rows_of(60_000, 20)], ids=["one by one", "together"])
def test_progress_changes_no_bit_of_the_result_nor_where_it_ends(data, capsys):
    quiet, told = (path(*data, n_C=40, min_ratio=1e-6, verbose=verbose) for verbose in (0, 1))
    assert quiet.Cs.size < 40, "this test needs a path that ends early"
    np.testing.assert_array_equal(quiet.coefs, told.coefs)
    assert quiet.passes == told.passes
    assert len(lines_of(capsys)) >= 2


def test_a_path_of_wrong_data_says_nothing_before_its_error(capsys):
    with pytest.raises(EvenOddsError, match="one class only"):
        path(np.ones((5, 2)), np.zeros(5), verbose=1)
    assert lines_of(capsys) == []


def folds_of(lines):
    return [match.groups() for line in lines if (match := re.fullmatch(FOLDS, line))]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_cross_validation_tells_which_folds_are_done(n_jobs, clock, capsys):
    clock.step = 1.0
    model = LogisticRegressionCV(5, cv=4, n_jobs=n_jobs, verbose=1).fit(*rows_of(120, 4))
    lines = lines_of(capsys)
    folds = folds_of(lines)
    assert sorted(int(names) for names, *_ in folds) == [1, 2, 3, 4]
    assert [(int(done), int(most)) for _, done, most in folds] == [(k, 4) for k in (1, 2, 3, 4)]
    assert sum(re.fullmatch(FIT, line) is not None for line in lines) == model.path_.Cs.size
    choice = next(k for k, line in enumerate(lines) if line.startswith(f"evenodds: C={model.C_:.5g} and l1_ratio=1 "))
    assert "evenodds: 4 folds" in lines[:choice]
    assert lines[choice + 1] == "evenodds: 120 rows, 4 columns, proximal newton"
    assert re.match(r"  iteration +\d+   loss ", lines[-1])


def test_folds_that_take_no_time_are_told_in_one_line(clock, capsys):
    X, y = rows_of(120, 4)
    LogisticRegressionCV(5, (0.5, 1.0), cv=3, n_jobs=1, verbose=1).fit(X, y)
    lines = lines_of(capsys)
    assert "evenodds: 3 folds for each of 2 values of l1_ratio" in lines
    assert folds_of(lines) == [("1, 2, 3 with l1_ratio 0.5; 1, 2, 3 with l1_ratio 1", "6", "6")]
    LogisticRegressionCV([0.1, 1.0], cv=30, n_jobs=1, verbose=1).fit(X, y)
    assert folds_of(lines_of(capsys)) == [("1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 20 more", "30", "30")]


def test_without_verbose_nothing_is_told(clock, capsys):
    clock.step = 1.0
    path(*rows_of(60, 4), n_C=5)
    LogisticRegressionCV(5, cv=3).fit(*rows_of(120, 4))
    assert lines_of(capsys) == []
