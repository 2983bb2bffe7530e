"""Scorers of scikit-learn in a cross-validation: each gives its answer, or one error of ours says why it has none."""

import warnings

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import f1_score, get_scorer_names, make_scorer, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from evenodds import EvenOddsError, LogisticRegression, LogisticRegressionCV

RNG = np.random.default_rng(0)
N = 60
X = RNG.normal(size=(N, 3))
TWO = (X[:, 0] + RNG.logistic(size=N) > 0).astype(int)
THREE = np.digitize(X[:, 0] + RNG.logistic(size=N), [-1, 1])
WEIGHT = np.where(RNG.random(N) < 0.2, 0.0, RNG.random(N))
LABELS = {
    "0 1": TWO,
    "1 2": TWO + 1,
    "0 2": 2 * TWO,
    "booleans": TWO == 1,
    "text": np.array(["no", "yes"])[TWO],
    "three texts": np.array(["a", "b", "c"])[THREE],
}


def lacking(y):
    """Two folds; of the rows that the second leaves out one class is missing."""
    rows = np.arange(N)
    out = (rows % 3 == 0) & (y != y[0])
    return [(rows[rows % 2 == 0], rows[rows % 2 == 1]), (rows[~out], rows[out])]


@pytest.mark.parametrize("labels", ["1 2", "text", "three texts"])
def test_every_scorer_gives_an_answer_or_our_error(labels):
    y, none = LABELS[labels], []
    for name in get_scorer_names():
        for cv, weight in ((2, None), (lacking(y), WEIGHT)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # scikit-learn's, of scores that are not defined
                try:
                    LogisticRegressionCV([1.0], cv=cv, scoring=name).fit(X, y, weight)
                except EvenOddsError:
                    none.append(name)
    assert not {"accuracy", "neg_brier_score", "d2_brier_score", "d2_log_loss_score", "f1_macro"} & {*none}
    if "three" not in labels:
        assert not {"f1", "precision", "recall", "jaccard", "average_precision", "roc_auc"} & {*none}


@pytest.mark.parametrize("labels", ["0 1", "text", "three texts"])
def test_a_class_that_a_fold_lacks_counts_with_its_probability(labels):
    y = LABELS[labels]
    (_, _), (train, test) = folds = lacking(y)
    one = LogisticRegression(0.5, 1.0, tol=1e-6).fit(X[train], y[train])
    P, own = one.predict_proba(X[test]), one.classes_ == y[test][:, None]
    share = own.mean(axis=0)
    brier = np.mean(np.sum((P - own) ** 2, axis=1)) / (2 if len(share) == 2 else 1)
    null = -np.mean(np.log(share[share > 0]) @ (own.sum(axis=0)[share > 0] / len(test)))
    loss = -np.mean(np.log(P[own]))
    found = {
        name: LogisticRegressionCV([0.5], cv=folds, scoring=name).fit(X, y).scores_[0, 0, 1]
        for name in ("neg_brier_score", "neg_log_loss")
    }
    assert found["neg_brier_score"] == pytest.approx(-brier, abs=1e-6)
    assert found["neg_log_loss"] == pytest.approx(-loss, abs=1e-6)
    if null > 0:
        d2 = LogisticRegressionCV([0.5], cv=folds, scoring="d2_log_loss_score").fit(X, y).scores_[0, 0, 1]
        assert d2 == pytest.approx(1 - loss / null, abs=1e-5)


@pytest.mark.parametrize("labels", ["booleans", "text", "0 2"])
@pytest.mark.parametrize("scoring", ["f1", "average_precision", make_scorer(f1_score)], ids=["f1", "AP", "made"])
def test_the_second_class_is_the_positive_one(labels, scoring):
    numbers = LogisticRegressionCV([0.1, 1.0], scoring=scoring).fit(X, TWO)
    other = LogisticRegressionCV([0.1, 1.0], scoring=scoring).fit(X, LABELS[labels])
    np.testing.assert_array_equal(other.scores_, numbers.scores_)


def test_a_positive_class_that_was_asked_for_stays():
    first = LogisticRegressionCV([1.0], scoring=make_scorer(f1_score, pos_label="no")).fit(X, LABELS["text"])
    turned = LogisticRegressionCV([1.0], scoring="f1").fit(X, 1 - TWO)
    np.testing.assert_allclose(first.scores_, turned.scores_, atol=1e-12)


def test_what_is_no_scorer_is_told():
    with pytest.raises(EvenOddsError, match="scoring is a name, a function"):
        LogisticRegressionCV([1.0], scoring=3).fit(X, TWO)
    with pytest.raises(EvenOddsError, match=r"scoring='f1' has no score for these 12 rows: .*multiclass"):
        LogisticRegressionCV([1.0], scoring="f1").fit(X, THREE)


@pytest.mark.parametrize("scoring", ["neg_brier_score", "roc_auc_ovr", "f1_macro", "d2_log_loss_score", "callable"])
@pytest.mark.parametrize("labels", ["text", "three texts"])
def test_offsets_of_the_rows_left_out_count_in_every_score(labels, scoring):
    y, cv = LABELS[labels], 3
    K = np.unique(y).size
    offset = RNG.normal(size=N if K == 2 else (N, K)) * 2
    scorer = (lambda model, A, b: model.predict_proba(A)[:, 1].sum()) if scoring == "callable" else scoring
    model = LogisticRegressionCV([0.5], [0.0], cv=cv, scoring=scorer, tol=1e-6).fit(X, y, offset=offset)
    for fold, (train, test) in enumerate(StratifiedKFold(cv).split(X, y)):
        one = LogisticRegression(0.5, tol=1e-9).fit(X[train], y[train], offset=offset[train])
        z = one.decision_function(X[test]) + offset[test]
        P = softmax(z if K > 2 else np.column_stack([0 * z, z]), axis=1)
        guess, own = one.classes_[P.argmax(axis=1)], one.classes_ == y[test][:, None]
        share = own.mean(axis=0)
        wanted = {
            "neg_brier_score": -np.mean(np.sum((P - own) ** 2, axis=1)) / (2 if K == 2 else 1),
            "roc_auc_ovr": np.mean([roc_auc_score(own[:, k], P[:, k]) for k in range(K)]),
            "f1_macro": f1_score(y[test], guess, average="macro"),
            "d2_log_loss_score": 1 - np.mean(np.log(P[own])) / (share @ np.log(share)),
            "callable": P[:, 1].sum(),
        }[scoring]
        assert abs(model.scores_[0, 0, fold] - wanted) < 1e-4


def test_a_scorer_that_asks_for_some_rows_cannot_have_offsets():
    def of_some(model, A, b):
        return model.predict_proba(A[:3])[0, 0]

    with pytest.raises(EvenOddsError, match="asks for predictions of 3 rows, and 30 are left out"):
        LogisticRegressionCV([1.0], cv=2, scoring=of_some).fit(X, TWO, offset=np.ones(N))


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_a_fold_whose_weight_is_of_one_class_is_certain_of_it(class_weight):
    """As that whose rows are, which is the same without the rows of weight 0."""
    folds = list(StratifiedKFold(2).split(X, TWO))
    weight = np.where((TWO == 1) & np.isin(np.arange(N), folds[0][0]), 0.0, 1.0)
    fits = []
    for rows in (np.arange(N), np.flatnonzero(weight)):
        at = np.searchsorted(rows, np.arange(N))
        cv = [[at[part[weight[part] > 0]] if len(rows) < N else part for part in fold] for fold in folds]
        fits.append(
            LogisticRegressionCV([0.1, 1.0], cv=cv, class_weight=class_weight).fit(X[rows], TWO[rows], weight[rows])
        )
    np.testing.assert_allclose(fits[0].scores_, fits[1].scores_, rtol=1e-5)
    np.testing.assert_allclose(fits[0].coef_, fits[1].coef_, rtol=1e-4)
