"""Models through the loaders of others: pickle, cloudpickle, joblib and skops (MLflow's default)."""

import io
import pickle

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_iris

from evenodds import SGD, LogisticRegression, LogisticRegressionCV

X, Y = load_iris(return_X_y=True)
OF_TWO = Y > 0
MODELS = {
    "likelihood": lambda: LogisticRegression().fit(X[OF_TWO], Y[OF_TWO]),
    "ridge": lambda: LogisticRegression(C=1.0).fit(X, Y),
    "lasso": lambda: LogisticRegression(C=1.0, l1_ratio=1.0).fit(X, Y).sparsify(),
    "firth": lambda: LogisticRegression(firth="flac").fit(X[OF_TWO], Y[OF_TWO]),
    "sgd": lambda: LogisticRegression(C=1.0, solver=SGD(epochs=2)).fit(X, Y),
    "partial fit": lambda: LogisticRegression(C=1.0).partial_fit(X, Y),
    "labels": lambda: LogisticRegression(C=1.0, class_weight={"a": 1.0, "b": 2.0}).fit(
        X[:100], np.repeat(["a", "b"], 50)
    ),
    "cross-validation": lambda: LogisticRegressionCV(Cs=5).fit(X, Y),
}


def by_pickle(model):
    return pickle.loads(pickle.dumps(model))


def by_cloudpickle(model):
    return pickle.loads(pytest.importorskip("cloudpickle").dumps(model))


def by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


def by_skops(model):
    """As MLflow does it: what is not trusted is looked at, and is of evenodds (and of SciPy, if sparse)."""
    skops = pytest.importorskip("skops.io")
    data = skops.dumps(model)
    trusted = skops.get_untrusted_types(data=data)
    assert all(name.startswith(("evenodds.", "scipy.sparse.")) for name in trusted)
    return skops.loads(data, trusted=trusted)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("trip", [by_pickle, by_cloudpickle, by_joblib, by_skops])
def test_a_model_comes_back_as_it_was(name, trip):
    model = MODELS[name]()
    again = trip(model)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert repr(again) == repr(model)
    if hasattr(model, "solution_"):
        assert again.solution_.status is model.solution_.status
