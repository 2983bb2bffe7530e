"""From scratch to the engine: the textbook's descent beside estimators that end at the optimum and prove it."""

import time
import warnings
from typing import Any

import numpy as np

from .. import LogisticRegression, SeparationWarning, scratch
from ..arrays import Values

_EPOCHS = 400


def compare(X: Values, y: Values, C: float) -> dict[str, Any]:
    """Compare ways to the optimum on the same data.

    Parameters
    ----------
    X : array of shape (m, n)
    y : array of shape (m,)
        Classes 0 and 1.
    C : float
        The inverse strength of a ridge, as scikit-learn has it.

    Returns
    -------
    dict
        `separated`; `optimum`, the certified loss, and `gap`, its distance to the truth at most; `curves`, for each
        method its name, the distance of the loss to the optimum after each pass and the seconds it took; `table`, names
        and coefficients (bias first) of the default of this library, of its ridge with C, of scikit-learn's default and
        of Firth's fit; `growth`, the length of the textbook's weights by epoch.
    """
    if not np.isfinite(X).all():
        raise ValueError("the data hold numbers that are not finite: switch the mistake off first")
    separated, best, seconds = _fit(LogisticRegression(), X, y)
    solution = best.solution_
    descent = _descent(X, y)
    optimum = 0.0 if separated else float(solution.loss)
    curves: list[dict[str, Any]] = [
        {"name": f"descent, lr = {lr:g}", "gap": losses - optimum, "seconds": spent} for lr, losses, _, spent in descent
    ]
    newton = np.asarray(solution.history, dtype=float) - optimum
    curves.append({"name": "Newton", "gap": newton, "seconds": seconds})
    return {
        "separated": separated,
        "optimum": optimum,
        "gap": float(solution.gap),
        "status": str(solution.status),
        "passes": int(solution.passes),
        "curves": [{**curve, "gap": np.maximum(curve["gap"], 1e-16).tolist()} for curve in curves],
        "table": _table(X, y, C, best, separated),
        "growth": descent[1][2].tolist(),
    }


def _fit(model: LogisticRegression, X: Values, y: Values) -> tuple[bool, Any, float]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        before = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - before
    return any(issubclass(warning.category, SeparationWarning) for warning in caught), model, seconds


def _descent(X: Values, y: Values) -> list[tuple[float, Values, Values, float]]:
    """The textbook with two learning rates, all rows in a batch: losses, lengths of w, and seconds."""
    runs = []
    for lr in (0.1, 1.0):
        before, losses, lengths = time.perf_counter(), [float(np.log(2.0))], [0.0]
        steps = scratch.epochs(X, y, bs=len(y), lr=lr)
        for _ in range(_EPOCHS):
            w, _, loss = next(steps)
            losses.append(loss)
            lengths.append(float(np.linalg.norm(w)))
        runs.append((lr, np.array(losses), np.array(lengths), time.perf_counter() - before))
    return runs


def _table(X: Values, y: Values, C: float, best: object, separated: bool) -> list[dict[str, Any]]:
    from sklearn.linear_model import LogisticRegression as Theirs

    rows = [
        ("evenodds, default: C = inf", best),
        (f"evenodds, C = {C:.3g}", _fit(LogisticRegression(C=C), X, y)[1]),
        ("scikit-learn, default: C = 1", Theirs(tol=1e-10, max_iter=1000).fit(X, y)),
        ("evenodds, firth=True", _fit(LogisticRegression(firth=True), X, y)[1]),
    ]
    return [
        {
            "name": name,
            "coefficients": [float(model.intercept_[0]), *map(float, model.coef_[0])],
            "endless": separated and model is best,
        }
        for name, model in rows
    ]
