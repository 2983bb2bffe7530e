"""What leaves the house: a fitted model as a small JSON file that people can read, and back.

The file holds what predictions need (classes, intercept, coefficients by column name), the parameters of the
estimator and what the fit said of itself. Of more than two classes, the intercept and each column's coefficient are
lists, a number a class. It holds no data and no code: nothing in it is evaluated, and every value is checked when it
is read. JSON has no infinity and no NaN: they are written as "inf" and null.
"""

import json
import math
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ..exceptions import EvenOddsError
from ..model import LogisticRegression
from ..solvers import Solution
from ..solvers.sgd import SGD
from .restoring import FORMAT, VERSION, restored

if TYPE_CHECKING:
    from ..design import Design
    from ..inference import Inference


def save(model: "LogisticRegression | Inference", path: str | os.PathLike[str]) -> None:
    """Write a fitted model to a JSON file.

    Parameters
    ----------
    model : LogisticRegression or Inference
        A fitted model; or what `infer` says of one, of which the file then keeps the table, the covariance and the
        certificate as well: ``load(path).inference_``.
    path : path-like
        The file. It is replaced if it is there, and only after the new one is complete.

    Raises
    ------
    EvenOddsError
        If `model` is not a fitted `LogisticRegression`, or has a label or a parameter that a JSON file
        cannot hold, such as a RandomState.

    Examples
    --------
    >>> import tempfile
    >>> from evenodds import LogisticRegression
    >>> from evenodds.export import load, save
    >>> model = LogisticRegression(C=1).fit([[0], [1], [2], [3]], ["no", "yes", "no", "yes"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, f"{folder}/model.json")
    ...     back = load(f"{folder}/model.json")
    >>> bool((back.predict_proba([[1.5]]) == model.predict_proba([[1.5]])).all())
    True
    """
    from ..inference import Inference  # here, as most programs that save have fitted, and nothing else

    result = model if isinstance(model, Inference) else None
    fit: Any = model if result is None else result.model
    fit = getattr(fit, "estimator_", fit)  # of a cross-validation, what it ended with
    model = fit
    if type(model) is not LogisticRegression:
        kind = type(model).__name__
        raise EvenOddsError(f"A {kind} cannot be saved, only a fitted evenodds.LogisticRegression.")
    try:
        check_is_fitted(model)
    except NotFittedError:
        raise EvenOddsError("This LogisticRegression is not fitted: call fit before you save it.") from None
    try:
        text = json.dumps(plain(_record(model, result)), indent=2, ensure_ascii=False, default=_refuse).encode() + b"\n"
        restored(text)  # what cannot be read back is not written
    except (EvenOddsError, UnicodeEncodeError) as error:
        raise EvenOddsError(f"This model cannot be saved: {error}") from None
    with replacing(path) as file:
        file.write(text)


def load(path: str | os.PathLike[str]) -> LogisticRegression:
    """Read a model that `save` wrote.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    LogisticRegression
        Fitted: it predicts the same bits as the model that was saved. ``solution_`` lacks ``theta`` and
        ``history`` (they are empty), and `partial_fit` starts anew. Of a file that was made of an `Inference`,
        ``inference_`` has its table, covariance and certificate.

    Raises
    ------
    EvenOddsError
        If the file is not a model, or a damaged one; the message says what is wrong and where.
    OSError
        If the file cannot be read.
    """
    text = Path(path).read_bytes()
    try:
        return restored(text)
    except EvenOddsError as error:
        raise EvenOddsError(f"{os.fspath(path)} is not a model that this evenodds can read: {error}") from None


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write that takes its place at `path` when it is complete, and is removed if it never is.

    Parameters
    ----------
    path : path-like
        Where the file shall be. A link is followed, and a file that is there keeps its permissions.

    Yields
    ------
    binary file
        A file in the same folder, because a rename is atomic only within a file system.

    Raises
    ------
    OSError
        If it cannot be written; ``filename`` is `path`.
    """
    target = Path(path).resolve()
    try:
        if target.exists() and not target.is_file():
            raise OSError(None, "Not a file that can be replaced")
        beside = target.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            with beside.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, beside)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        # The user knows the path that was asked for, not the file beside it.
        raise OSError(error.errno, error.strerror or str(error), os.fspath(path)) from error


def plain(value: object) -> Any:
    """`value` as JSON can hold it: arrays as lists, NaN as None, infinities as "inf" and "-inf"."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _record(model: LogisticRegression, result: "Inference | None") -> dict[str, Any]:
    from .. import __version__  # not at the top: the package itself may import this module

    names, design = model._names, getattr(model, "design_", None)
    solution, kind = getattr(model, "solution_", None), model.classes_.dtype
    binary = model.classes_.size == 2
    coef = (model._coef[0] if binary else model._coef.T).tolist()
    return {
        "format": FORMAT,
        "version": VERSION,
        "evenodds": __version__,
        "classes": {"dtype": "str" if kind.kind == "U" else str(kind), "labels": model.classes_},
        "intercept": model.intercept_[0] if binary else model.intercept_,
        "coef": coef if names is None else dict(zip(names, coef, strict=True)),
        "design": None if design is None else _recorded(design),
        "aliased": getattr(model, "aliased_", None),
        "parameters": {name: _parameter(name, value) for name, value in model.get_params(deep=False).items()},
        "n_iter": model.n_iter_[0],
        "fit": None if solution is None else said(solution),
        "inference": _inference(model, result),
    }


def _inference(model: LogisticRegression, result: "Inference | None") -> dict[str, Any] | None:
    """What is kept of the result of `infer`, or was kept by the file that the model is from."""
    if result is None and not hasattr(model, "inference_"):
        return None
    from ..inference.saved import recorded, saved

    return recorded(model.inference_ if result is None else saved(result))


def _recorded(design: "Design") -> dict[str, Any]:
    from ..design.record import recorded

    return recorded(design)


def said(solution: Solution) -> dict[str, Any]:
    """What a fit says of itself: a `Solution` without its arrays."""
    names = ("loss", "gap", "error", "passes", "iterations", "solver", "n_rows", "total_weight")
    lower = list(solution.lower_maxima)
    return {"status": str(solution.status), **{name: getattr(solution, name) for name in names}, "lower_maxima": lower}


def _parameter(name: str, value: object) -> Any:
    if isinstance(value, SGD):
        return asdict(value)
    if isinstance(value, Mapping):
        return list(value.items())  # pairs, because labels and columns need not be strings
    if name == "random_state" and isinstance(value, np.random.RandomState):
        raise EvenOddsError("random_state is a RandomState. Give it a number, as in model.set_params(random_state=0).")
    return value


def _refuse(value: object) -> Any:
    raise EvenOddsError(f"a JSON file cannot hold {value!r}, a {type(value).__name__}.")
