"""`LogisticRegressionCV` against plain loops over folds, and against scikit-learn's folds and scores."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score, f1_score, get_scorer, log_loss, roc_auc_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from evenodds import EvenOddsError, LogisticRegression, LogisticRegressionCV, infer, load, path, save

rng = np.random.default_rng(0)
N, P = 240, 6
X = rng.normal(size=(N, P))
Y = (rng.random(N) < 1 / (1 + np.exp(-(X @ [1.0, -1, 0.5, 0, 0, 0])))).astype(int)
WEIGHT = rng.integers(1, 4, N).astype(float)
CS = np.geomspace(0.02, 2, 6)


@pytest.mark.parametrize("scoring", [None, "accuracy", "roc_auc", "f1"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["no weights", "weights"])
def test_scores_are_those_of_a_plain_loop(scoring, weight):
    model = LogisticRegressionCV(CS, (0.5, 1.0), scoring=scoring).fit(X, Y, weight)
    assert model.scores_.shape == (2, 6, 5)
    np.testing.assert_allclose(model.Cs_, [CS, CS], rtol=1e-12)
    metric = {
        None: lambda y, p, w: -log_loss(y, p, sample_weight=w),
        "accuracy": lambda y, p, w: accuracy_score(y, p > 0.5, sample_weight=w),
        "roc_auc": lambda y, p, w: roc_auc_score(y, p, sample_weight=w),
        "f1": lambda y, p, w: f1_score(y, p > 0.5, sample_weight=w),
    }[scoring]
    for a, ratio in enumerate((0.5, 1.0)):
        for k, (train, test) in enumerate(StratifiedKFold(5).split(X, Y)):
            for c in (0, 3, 5):
                part = [None, None] if weight is None else [weight[train], weight[test]]
                one = LogisticRegression(CS[c], ratio, tol=1e-6).fit(X[train], Y[train], part[0])
                score = metric(Y[test], one.predict_proba(X[test])[:, 1], part[1])
                assert model.scores_[a, c, k] == pytest.approx(score, abs=1e-4)


def test_what_is_kept_is_the_fit_on_all_rows():
    model = LogisticRegressionCV(CS, (0.5, 1.0)).fit(X, Y)
    assert model.C_ in model.Cs_
    again = LogisticRegression(model.C_, model.l1_ratio_).fit(X, Y)
    np.testing.assert_array_equal(model.coef_, again.coef_)
    assert model.predict_proba(X).shape == (N, 2)
    assert model.score(X, Y) == again.score(X, Y)
    whole = path(X, Y, model.l1_ratio_, Cs=CS)
    np.testing.assert_allclose(model.path_.coefs, whole.coefs, rtol=1e-12)
    assert not hasattr(model, "partial_fit")


def test_the_rule_of_one_standard_error_takes_a_stronger_penalty():
    best, simple = (LogisticRegressionCV(40, rule=rule).fit(X, Y) for rule in ("min", "1se"))
    mean = best.scores_[0].mean(axis=1)
    error = best.scores_[0].std(axis=1, ddof=1) / np.sqrt(5)
    top = int(np.nanargmax(mean))
    assert best.Cs_[0, top] == best.C_
    within = np.flatnonzero(mean >= mean[top] - error[top])
    assert simple.C_ == simple.Cs_[0, within[0]] < best.C_
    assert (simple.coef_ != 0).sum() <= (best.coef_ != 0).sum()


def test_splitters_and_threads():
    groups = np.arange(N) % 12
    for cv in (3, KFold(4), GroupKFold(3), TimeSeriesSplit(3), list(KFold(3).split(X))):
        by = groups if isinstance(cv, GroupKFold) else None
        one = LogisticRegressionCV(CS, cv=cv, n_jobs=1).fit(X, Y, groups=by)
        two = LogisticRegressionCV(CS, cv=cv, n_jobs=2).fit(X, Y, groups=by)
        np.testing.assert_array_equal(one.scores_, two.scores_)
        np.testing.assert_array_equal(one.coef_, two.coef_)


def test_a_frame_with_names_and_labels():
    data, y = load_breast_cancer(return_X_y=True, as_frame=True)
    labels = np.where(y == 1, "benign", "malignant")
    model = LogisticRegressionCV(20, standardize=True, penalty_factor={"mean radius": 0.0}).fit(data, labels)
    assert model.classes_.tolist() == ["benign", "malignant"]
    assert model.coef_[0, 0] != 0
    assert model.feature_names_in_[0] == "mean radius"
    assert model.score(data, labels) > 0.95
    with pytest.raises(ValueError, match="feature names"):
        model.predict(data.rename(columns=str.upper))


def test_an_offset_counts_in_the_scores():
    shift = rng.normal(size=N)
    model = LogisticRegressionCV(CS[:2]).fit(X, Y, offset=shift)
    train, test = next(iter(StratifiedKFold(5).split(X, Y)))
    one = LogisticRegression(CS[1], 1.0, tol=1e-6).fit(X[train], Y[train], offset=shift[train])
    z = one.decision_function(X[test]) + shift[test]
    assert model.scores_[0, 1, 0] == pytest.approx(-log_loss(Y[test], 1 / (1 + np.exp(-z))), abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rule": "best"}, "rule is"),
        ({"scoring": "nonsense"}, "scoring is"),
        ({"l1_ratios": ()}, "l1_ratios is empty"),
        ({"l1_ratios": (1.5,)}, "l1_ratio is a number from 0"),
        ({"Cs": [-1.0]}, "positive, finite"),
        ({"Cs": 0}, "n_C"),
        ({"cv": 1}, "cv does not fit"),
        ({"lower": 1, "upper": 0}, "bounds cross"),
        ({"penalty_factor": -1}, "penalty_factor"),
        ({"tol": "small"}, "tol is a positive number"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(EvenOddsError, match=words):
        LogisticRegressionCV(**{"Cs": CS, **settings}).fit(X, Y)


@pytest.mark.parametrize("scoring", [None, "accuracy", "neg_brier_score"])
def test_a_class_that_is_rarer_than_the_folds_is_warned_of_and_fitted(scoring):
    y = np.where(np.arange(N) < 3, 2, Y)
    with pytest.warns(UserWarning, match="least populated class in y has only 3 members"):
        model = LogisticRegressionCV(CS, scoring=scoring).fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2]
    assert np.isfinite(model.scores_).all()


def test_of_rows_fewer_than_the_folds_in_every_class_there_are_fewer_folds():
    few = np.r_[np.flatnonzero(Y == 0)[:4], np.flatnonzero(Y == 1)[:3]]
    with (
        pytest.warns(UserWarning, match="No class has the 5 rows that cv=5 folds need: there are 4 folds"),
        pytest.warns(UserWarning, match="least populated class in y has only 3 members"),
    ):
        assert LogisticRegressionCV(CS).fit(X[few], Y[few]).scores_.shape == (1, len(CS), 4)
    with pytest.raises(EvenOddsError, match="cv does not fit the data"):
        LogisticRegressionCV(CS).fit(X[:2], [0, 1])


def test_a_fold_whose_training_rows_lack_a_class_gives_it_probability_0():
    y = np.repeat([0, 1, 2], N // 3)
    model = LogisticRegressionCV(CS, cv=KFold(3)).fit(X, y)
    np.testing.assert_allclose(model.scores_, np.log(np.finfo(float).eps))  # as log_loss of scikit-learn has it
    assert (LogisticRegressionCV(CS, cv=KFold(3), scoring="accuracy").fit(X, y).scores_ == 0).all()
    two = np.repeat([0, 1], [N - 50, 50])
    for labels in (two, 1 - two):
        model = LogisticRegressionCV(CS, cv=[(np.arange(N - 50), np.arange(N - 50, N))] * 2).fit(X, labels)
        np.testing.assert_allclose(model.scores_, np.log(np.finfo(float).eps))


def test_the_grid_is_the_one_that_is_given():
    model = LogisticRegressionCV([3, 0.7, 1e-3]).fit(X, Y)
    assert model.Cs_.tolist() == [[1e-3, 0.7, 3.0]]
    assert model.C_ in (1e-3, 0.7, 3.0)
    assert path(X, Y, Cs=[3]).Cs.tolist() == [3.0]


def test_the_coefficients_of_each_fold_are_kept():
    for y in (Y, np.arange(N) % 3):
        model = LogisticRegressionCV(CS, (0.5, 1.0)).fit(X, y)
        k = 1 if y is Y else 3
        assert model.coefs_paths_.shape == (5, 2, len(CS), k, X.shape[1] + 1)
        assert model.n_iter_.shape == (5, 2, len(CS))
        assert (model.n_iter_ > 0).all()
        train, _ = list(StratifiedKFold(5).split(X, y))[3]
        one = LogisticRegression(model.Cs_[1, 2], 1.0, tol=1e-7).fit(X[train], y[train])
        np.testing.assert_allclose(model.coefs_paths_[3, 1, 2, :, :-1], one.coef_, atol=1e-4)
        np.testing.assert_allclose(model.coefs_paths_[3, 1, 2, :, -1], one.intercept_, atol=1e-4)
        finer = LogisticRegressionCV(CS, (0.5, 1.0), tol=1e-7).fit(X, y)
        np.testing.assert_allclose(finer.coefs_paths_[3, 1, 2, :, :-1], one.coef_, atol=1e-6)


@pytest.mark.parametrize("asked", [False, True])
def test_metadata_are_routed_to_scorer_and_splitter(asked):
    weight = np.random.default_rng(3).uniform(0.1, 3, N)
    plain = LogisticRegressionCV(CS, scoring="neg_brier_score").fit(X, Y, weight)
    with config_context(enable_metadata_routing=True):
        scorer = get_scorer("neg_brier_score").set_score_request(sample_weight=asked)
        model = LogisticRegressionCV(CS, scoring=scorer).fit(X, Y, sample_weight=weight)
        grouped = LogisticRegressionCV(CS, scoring=scorer, cv=GroupKFold(3)).fit(X, Y, groups=np.arange(N) % 7)
    np.testing.assert_array_equal(model.coefs_paths_, plain.coefs_paths_)
    assert np.allclose(model.scores_, plain.scores_, rtol=1e-12) == asked
    assert grouped.scores_.shape[2] == 3
    with pytest.raises(EvenOddsError, match="metadata routing"):
        LogisticRegressionCV(CS).fit(X, Y, special=weight)


def test_it_is_an_estimator_with_its_own_parameters():
    model = LogisticRegressionCV(CS, (0.5,), rule="1se")
    assert "C" not in model.get_params()
    assert model.get_params()["rule"] == "1se"
    assert repr(model).startswith("LogisticRegressionCV(")
    frame = pd.DataFrame(X, columns=list("abcdef"))
    assert model.fit(frame, Y).feature_names_in_.tolist() == list("abcdef")


def test_what_it_ends_with_is_saved_and_inferred(tmp_path):
    model = LogisticRegressionCV(CS).fit(X, Y)
    save(model, tmp_path / "model.json")
    np.testing.assert_array_equal(load(tmp_path / "model.json").predict_proba(X), model.predict_proba(X))
    with pytest.raises(EvenOddsError, match="post_selection"):
        infer(model, X, Y)


def test_a_fold_whose_start_is_at_rest_but_for_rounding():
    """The intercept's gradient is about its rounding at the start of this fold's path."""
    data, y = load_breast_cancer(return_X_y=True)
    data = (data - data.mean(axis=0)) / data.std(axis=0)
    grid = path(data, y, n_C=60).Cs
    for train, _ in StratifiedKFold(5).split(data, y):
        assert path(data[train], y[train], Cs=grid).gaps.max() < 1e-6


@pytest.mark.parametrize("ratio", [1.0, 0.0])
def test_a_long_grid_has_the_scores_of_its_halves(ratio):
    grid = np.geomspace(0.01, 10, 52)
    whole = LogisticRegressionCV(grid, ratio).fit(X, Y, WEIGHT)
    again = LogisticRegressionCV(grid, ratio, n_jobs=1).fit(X, Y, WEIGHT)
    np.testing.assert_array_equal(whole.scores_, again.scores_)
    for k in (0, 1):
        half = LogisticRegressionCV(grid[k::2], ratio).fit(X, Y, WEIGHT)
        np.testing.assert_allclose(whole.scores_[:, k::2], half.scores_, atol=1e-4)


@pytest.mark.parametrize("scoring", ["roc_auc", "neg_log_loss", "f1", "accuracy", None])
@pytest.mark.parametrize("weighted", [False, True])
def test_score_is_by_what_chose(scoring, weighted):
    X, y = load_breast_cancer(return_X_y=True)
    labels = np.array(["no", "yes"])[y]
    weight = np.random.default_rng(0).integers(1, 4, y.size) if weighted else None
    model = LogisticRegressionCV([0.01, 1.0], cv=3, scoring=scoring, standardize=True).fit(X, labels)
    p, guess = model.predict_proba(X)[:, 1], model.predict(X) == "yes"
    more = {"sample_weight": weight}
    expected = {
        "roc_auc": lambda: roc_auc_score(y, p, **more),
        "neg_log_loss": lambda: -log_loss(y, p, **more),
        "f1": lambda: f1_score(y, guess, **more),
    }.get(scoring, lambda: accuracy_score(y, guess, **more))
    assert model.score(X, labels, weight) == pytest.approx(expected(), rel=1e-12)


def test_groups_are_routed_through_a_pipeline():
    groups = np.arange(N) % 7
    with config_context(enable_metadata_routing=True):
        model = LogisticRegressionCV(CS, cv=GroupKFold(3))
        outer = make_pipeline(FunctionTransformer(), model).fit(X, Y, groups=groups)
        inner = model.fit(X, Y, groups=groups)
    np.testing.assert_array_equal(outer[-1].coefs_paths_, inner.coefs_paths_)


def test_score_takes_metadata_by_routing_alone():
    X, y = load_breast_cancer(return_X_y=True)
    model = LogisticRegressionCV([0.01, 1.0], cv=3, standardize=True).fit(X, y)
    with pytest.raises(EvenOddsError, match="score takes extra with metadata routing only"):
        model.score(X, y, extra=1)
