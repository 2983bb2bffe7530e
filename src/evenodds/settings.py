"""The estimator's parameters, checked: what is wrong, and what goes together."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from .data import Data, total_weight
from .exceptions import EvenOddsError, is_one_of, require_flags
from .per_column import LEAST_C, check_l1_ratio
from .solvers.sgd import SGD

_SOLVERS = ("auto", "newton", "quasi-newton", "sgd")
_BOOLEAN = (bool, np.bool_)
_FIRTH = (False, True, "flic", "flac")
_PLAIN = (
    ("C", float),
    ("l1_ratio", float),
    ("tol", float),
    ("max_iter", int),
    ("fit_intercept", bool),
    ("standardize", bool),
)


PerColumn = ArrayLike | Mapping[Any, float] | None


@dataclass(frozen=True)
class Settings:
    """The parameters of a `LogisticRegression` that a fit goes by, checked; each as it is told there."""

    C: float
    l1_ratio: float
    fit_intercept: bool
    standardize: bool
    firth: bool | str
    penalty_factor: PerColumn
    lower: PerColumn
    upper: PerColumn
    solver: str | SGD
    tol: float
    max_iter: int
    n_jobs: int | None
    random_state: Any

    @classmethod
    def of(cls, model: object) -> "Settings":
        """Those of an estimator; an error if one is not what it can be, or does not go with another."""
        settings = object.__new__(cls)  # a small fit waits for what a frozen class does with each field
        found = vars(settings)
        for name in cls.__dataclass_fields__:
            found[name] = getattr(model, name)
        settings._check()
        warm: object = getattr(model, "warm_start", False)
        require_flags(fit_intercept=settings.fit_intercept, standardize=settings.standardize, warm_start=warm)
        verbose: object = getattr(model, "verbose", 0)
        if not _is_whole(verbose) and not isinstance(verbose, _BOOLEAN):
            raise EvenOddsError(f"verbose is an integer, 0 for no lines, got {verbose!r}.")
        for name, kind in _PLAIN:
            found[name] = kind(found[name])
        if settings.firth:
            settings._check_firth()
        settings._check_composite()
        return settings

    @property
    def has_l1(self) -> bool:
        """Whether there is a penalty with an L1 part."""
        return self.l1_ratio > 0 and np.isfinite(self.C)

    @property
    def composite(self) -> bool:
        """Whether the penalty is more than a ridge."""
        return self.has_l1 or not self.penalty_factor is self.lower is self.upper is None

    @property
    def sgd(self) -> SGD | None:
        """The mini-batch gradient descent that is asked for, if it is."""
        return self.solver if isinstance(self.solver, SGD) else SGD() if self.solver == "sgd" else None

    @property
    def seed(self) -> int:
        """A seed from what scikit-learn takes for a random state; None is 0."""
        if self.random_state is None or isinstance(self.random_state, Integral):
            return int(self.random_state or 0)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def strength(self, data: Data) -> float:
        """The penalty's lam, 1 / (C S)."""
        return 1 / (self.C * total_weight(data))

    def _check(self) -> None:
        """Raise an error if a parameter by itself is not what it can be."""
        if not _is_real(self.C) or not self.C >= LEAST_C:
            raise EvenOddsError(f"C is a positive number ({LEAST_C:g} or more) or inf (no penalty), got {self.C!r}.")
        check_l1_ratio(self.l1_ratio)
        if not _is_real(self.tol) or not 0 < self.tol < np.inf:
            raise EvenOddsError(f"tol is a positive number, in standard errors, got {self.tol!r}.")
        if not _is_whole(self.max_iter) or self.max_iter < 0:
            raise EvenOddsError(f"max_iter is an integer, 0 or more, got {self.max_iter!r}.")
        if self.n_jobs is not None and (not isinstance(self.n_jobs, Integral) or self.n_jobs == 0):
            raise EvenOddsError(f"n_jobs is an integer other than 0, or None for all cores, got {self.n_jobs!r}.")
        if not isinstance(self.solver, SGD) and not is_one_of(self.solver, _SOLVERS):
            names = ", ".join(map(repr, _SOLVERS))
            raise EvenOddsError(f"solver is one of {names} or an SGD(...), got {self.solver!r}.")
        if not _is_random_state(self.random_state):
            kinds = "None, an integer, 0 or more, or a numpy.random.RandomState"
            raise EvenOddsError(f"random_state is {kinds}, got {self.random_state!r}.")
        if not isinstance(self.firth, (*_BOOLEAN, str)) or self.firth not in _FIRTH:
            raise EvenOddsError(f"firth is one of {', '.join(map(repr, _FIRTH))}, got {self.firth!r}.")

    def _check_composite(self) -> None:
        """What an L1 part, penalty factors and bounds go with."""
        if not (self.l1_ratio > 0 or self.composite):
            return
        given = [name for name in ("penalty_factor", "lower", "upper") if getattr(self, name) is not None]
        if self.l1_ratio > 0:
            given.insert(0, f"l1_ratio={self.l1_ratio!r}")
        if self.firth:
            raise EvenOddsError(f"firth={self.firth!r} is a penalty of its own and does not go with {given[0]}.")
        if self.sgd is not None:
            raise EvenOddsError(f'"sgd" does not know {given[0]}. Use solver="auto".')
        if np.isinf(self.C) and given[0] not in ("lower", "upper"):
            raise EvenOddsError(
                f"{given[0]} is a part of the penalty, and C=inf is none: give its strength, for example C=1."
            )

    def _check_firth(self) -> None:
        """What Firth's penalty goes with."""
        given = f"firth={self.firth!r}"
        if np.isfinite(self.C):
            raise EvenOddsError(
                f"{given} is a penalty of its own and goes with C=inf, got C={self.C!r}: drop one of them."
            )
        if self.sgd is not None:
            raise EvenOddsError(f'{given} needs the leverages of all rows, which "sgd" never has. Use solver="auto".')
        if isinstance(self.firth, str) and not self.fit_intercept:
            raise EvenOddsError(f"{given} corrects the intercept, and fit_intercept=False leaves none. Use firth=True.")


class _Missing(EvenOddsError, AttributeError):
    """A method that an estimator with these parameters does not have, so that `hasattr` says so."""


class WithoutFirth:
    """A method of the estimator that goes through the rows in parts, which `firth` cannot."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        wrapper: Any = self  # it is called by way of `__get__`
        functools.update_wrapper(wrapper, method)

    def __get__(self, model: object, owner: type) -> Any:
        if firth := getattr(model, "firth", False):
            name = self._method.__name__
            raise _Missing(f"firth={firth!r} needs all rows at once: use fit, not {name}.")
        return self._method.__get__(model, owner)


def _is_real(value: object) -> bool:
    """Whether a value is a number, and one that doubles hold: Python's integers go further."""
    if type(value) is float:  # what follows takes longer
        return True
    too_large = isinstance(value, int) and abs(value) >= 2**1023
    return isinstance(value, Real) and not isinstance(value, bool) and not too_large


def _is_random_state(value: object) -> bool:
    """Whether scikit-learn takes it for one."""
    if value is None or value is np.random or isinstance(value, np.random.RandomState):
        return True
    return isinstance(value, Integral) and int(value) >= 0


def _is_whole(value: object) -> bool:
    return type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool))
