"""What a record holds, and what follows from it: a table of coefficients, and the fit as a whole."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..model import LogisticRegression
from .certificate import Certificate
from .covariance import Inverse
from .factored import Factored
from .hypotheses import TestResult
from .limit import Limit
from .problem import Problem
from .wide import LowRank, RawMap, WideInverse


@dataclass(frozen=True, eq=False, repr=False)
class Estimates:
    """The numbers of an `Inference`, which says what they are."""

    names: tuple[str, ...]
    coef: Array
    se: Array
    z: Array
    p_value: Array
    conf_int: Array
    raw_covariance: Array | None
    level: float
    cov: str
    weights: str
    classes: tuple[Any, ...]
    listed: tuple[Any, ...]
    n_obs: float
    n_coef: int
    log_likelihood: float
    null_log_likelihood: float
    penalized_log_likelihood: float | None
    pseudo_r2: dict[str, float]
    likelihood_ratio: TestResult
    certificate: Certificate | None
    notes: dict[str, str]
    remarks: tuple[str, ...]
    limit: Limit | None
    model: LogisticRegression
    problem: Problem
    whole: Problem
    inverse: Inverse | WideInverse
    theta_covariance: Factored | LowRank
    given: Any = None

    def __post_init__(self) -> None:
        for values in (self.coef, self.se, self.z, self.p_value, self.conf_int, self.raw_covariance):
            if values is not None:
                values.flags.writeable = False

    @functools.cached_property
    def covariance(self) -> Array:
        """(k, k), of more than two classes (m k, m k): made when it is first asked for, where a factor is wide."""
        if self.raw_covariance is not None:
            return self.raw_covariance
        to_raw = self.problem.to_raw
        found = np.asarray(self.theta_covariance.seen(to_raw.entries if isinstance(to_raw, RawMap) else to_raw))
        lost = ~self.problem.estimated
        found[lost] = found[:, lost] = np.nan
        found.flags.writeable = False
        return found

    @property
    def baseline(self) -> Any:
        """The class that log odds are against; None where classes are symmetric."""
        return next((label for label in self.classes if label not in self.listed), None)

    @property
    def odds_ratio(self) -> Array:
        """exp(coef), in the shape of `coef`: the factor on the odds for one unit, against the baseline.

        Of more than two classes also called relative risk ratios. Without a baseline: the factor on the probability
        beside the geometric mean of those of all classes.
        """
        return _exp(self.coef)

    @property
    def odds_ratio_conf_int(self) -> Array:
        """Intervals of `odds_ratio`, in the shape of `conf_int`."""
        return _exp(self.conf_int)

    @property
    def deviance(self) -> float:
        """-2 log_likelihood."""
        return -2 * self.log_likelihood

    @property
    def null_deviance(self) -> float:
        """-2 null_log_likelihood."""
        return -2 * self.null_log_likelihood

    @property
    def aic(self) -> float:
        """Akaike's criterion, deviance + 2 n_coef."""
        return self.deviance + 2 * self.n_coef if self.has_likelihood else np.nan

    @property
    def bic(self) -> float:
        """Schwarz's criterion, deviance + log(n_obs) n_coef."""
        return self.deviance + np.log(self.n_obs) * self.n_coef if self.has_likelihood else np.nan

    @property
    def has_likelihood(self) -> bool:
        """Whether `log_likelihood` is one: not with sampling weights, and not the maximum with a penalty."""
        return self.weights != "sampling" and not self.problem.penalised


def _exp(values: NDArray[np.float64]) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(values))
