"""The estimator's parameters, checked: what is wrong, and what goes together."""

import functools
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from .exceptions import EvenOddsError
from .per_column import LEAST_C, check_l1_ratio
from .solvers.sgd import SGD

_SOLVERS = ("auto", "newton", "quasi-newton", "sgd")
_FIRTH = (False, True, "flic", "flac")


def check_parameters(model: Any) -> None:
    """Raise an error if a parameter of a `LogisticRegression` is not what it can be."""
    if not _is_real(model.C) or not model.C >= LEAST_C:
        raise EvenOddsError(f"C is a positive number ({LEAST_C:g} or more) or inf (no penalty), got {model.C!r}.")
    check_l1_ratio(model.l1_ratio)
    if not _is_real(model.tol) or not 0 < model.tol < np.inf:
        raise EvenOddsError(f"tol is a positive number, in standard errors, got {model.tol!r}.")
    if not isinstance(model.max_iter, Integral) or isinstance(model.max_iter, bool) or model.max_iter < 0:
        raise EvenOddsError(f"max_iter is an integer, 0 or more, got {model.max_iter!r}.")
    if model.n_jobs is not None and (not isinstance(model.n_jobs, Integral) or model.n_jobs == 0):
        raise EvenOddsError(f"n_jobs is an integer other than 0, or None for all cores, got {model.n_jobs!r}.")
    if not isinstance(model.solver, SGD) and model.solver not in _SOLVERS:
        raise EvenOddsError(f"solver is one of {', '.join(map(repr, _SOLVERS))} or an SGD(...), got {model.solver!r}.")
    for name in ("fit_intercept", "standardize", "warm_start"):
        if not isinstance(getattr(model, name), bool | np.bool_):
            raise EvenOddsError(f"{name} is True or False, got {getattr(model, name)!r}.")
    _check_firth(model)
    _check_composite(model)


def _check_composite(model: Any) -> None:
    """What an L1 part, penalty factors and bounds go with."""
    given = [name for name in ("penalty_factor", "lower", "upper") if getattr(model, name) is not None]
    if model.l1_ratio > 0:
        given.insert(0, f"l1_ratio={model.l1_ratio!r}")
    if not given:
        return
    if model.firth:
        raise EvenOddsError(f"firth={model.firth!r} is a penalty of its own and does not go with {given[0]}.")
    if isinstance(model.solver, SGD) or model.solver == "sgd":
        raise EvenOddsError(f'"sgd" does not know {given[0]}. Use solver="auto".')
    if np.isinf(model.C) and given[0] not in ("lower", "upper"):
        raise EvenOddsError(
            f"{given[0]} is a part of the penalty, and C=inf is none: give its strength, for example C=1."
        )


def _check_firth(model: Any) -> None:
    firth = model.firth
    if not isinstance(firth, bool | np.bool_ | str) or firth not in _FIRTH:
        raise EvenOddsError(f"firth is one of {', '.join(map(repr, _FIRTH))}, got {firth!r}.")
    if not firth:
        return
    given = f"firth={firth!r}"
    if np.isfinite(model.C):
        raise EvenOddsError(
            f"{given} is a penalty of its own and goes with C=inf, got C={model.C!r}: drop one of them."
        )
    if isinstance(model.solver, SGD) or model.solver == "sgd":
        raise EvenOddsError(f'{given} needs the leverages of all rows, which "sgd" never has. Use solver="auto".')
    if isinstance(firth, str) and not model.fit_intercept:
        raise EvenOddsError(f"{given} corrects the intercept, and fit_intercept=False leaves none. Use firth=True.")


def seed(random_state: Any) -> int:
    """A seed from what scikit-learn takes for one; None is 0."""
    if random_state is None or isinstance(random_state, Integral):
        return int(random_state or 0)
    try:
        return int(check_random_state(random_state).randint(2**31 - 1))
    except ValueError as error:
        raise EvenOddsError(f"random_state: {error}") from None


class _Missing(EvenOddsError, AttributeError):
    """A method that an estimator with these parameters does not have, so that `hasattr` says so."""


class WithoutFirth:
    """A method of the estimator that goes through the rows in parts, which `firth` cannot."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        wrapper: Any = self  # it is called by way of `__get__`
        functools.update_wrapper(wrapper, method)

    def __get__(self, model: Any, owner: type) -> Any:
        if model is not None and model.firth:
            name = self._method.__name__
            raise _Missing(f"firth={model.firth!r} needs all rows at once: use fit, not {name}.")
        return self._method.__get__(model, owner)


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
