"""Whether predicted probabilities mean what they say."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, ndtri

from ..arrays import Array
from ..exceptions import EvenOddsError, require_count
from ..labels import combine_weights, encode_kept, encode_labels, require_two
from ..model import LogisticRegression
from ..reading import unpacked
from ..table import count_rows, require_same_order
from .hypotheses import TestResult, chi_squared
from .prediction import log_odds

if TYPE_CHECKING:
    from .record import Inference


def _scored(
    result: "Inference", X: object, y: object, sample_weight: object, offset: ArrayLike | None
) -> tuple[Array, Array, Array]:
    """Log odds, class codes and weights of rows: of all that have a value in each column, and a label."""
    require_two(result.model.classes_, "Calibration of log odds, and the test of Hosmer and Lemeshow,")
    X, y, sample_weight, offset = unpacked(X, y, sample_weight, offset, "Calibration")
    design = getattr(result.model, "design_", None)
    if y is None and design is not None:
        y, sample_weight, offset = design.beside(X, sample_weight, offset)
    if y is None:
        raise EvenOddsError("The labels y are needed: the model knows no column that holds them.")
    require_same_order(X=X, y=y, sample_weight=sample_weight, offset=offset)
    z, rows = log_odds(result, X, offset, None if design is None else design.without_label(y))
    n = count_rows(X)
    if design is None or design.missing != "drop":
        _, codes = encode_labels(y, n, result.model.classes_)
    else:
        there = np.zeros(n, dtype=bool)
        there[rows] = True
        _, codes, kept = encode_kept(y, there, result.model.classes_)
        z, rows = (z, rows) if kept is None else (z[kept[rows]], np.flatnonzero(kept))
    weight = combine_weights(sample_weight, None, codes, result.model.classes_)
    weight = np.ones(n) if weight is None else weight
    return z, codes[rows].astype(np.float64), weight[rows]


def hosmer_lemeshow(
    result: "Inference", X: object, y: object, n_groups: int, sample_weight: object, offset: ArrayLike | None
) -> TestResult:
    """Observed and expected counts by group (Hosmer and Lemeshow, Communications in Statistics 9, 1980)."""
    require_count(3, n_groups=n_groups)
    z, y01, weight = _scored(result, X, y, sample_weight, offset)
    if n_groups > z.size:
        raise EvenOddsError(f"n_groups is {n_groups}, and there are {z.size} rows: give fewer groups than rows.")
    p = expit(z)
    group = _groups(p, weight, int(n_groups))
    total, observed, expected = (np.bincount(group, weights=weight * v) for v in (np.ones_like(p), y01, p))
    used = total > 0
    total, observed, expected = total[used], observed[used], expected[used]
    if used.sum() < 3:
        raise EvenOddsError("There are fewer than three different predicted probabilities: nothing to test.")
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = (observed - expected) ** 2 / (expected * (1 - expected / total))
    df = int(used.sum()) - (2 if _are_those_of_the_fit(result, z, y01, weight) else 0)
    return chi_squared(float(np.nansum(parts)), df, f"Hosmer-Lemeshow test in {used.sum()} groups")


def _groups(p: Array, weight: Array, n_groups: int) -> Any:
    """Groups of equal weight by probability; each ends with the value at which its share of the whole is reached.

    A value that takes several shares makes one group of them, as in Stata and R. Where fewer than three would be left
    the shares are those of what is left after each group, or each value is a group if there are so few.
    """
    values, place = np.unique(p[weight > 0], return_inverse=True)
    reached = np.cumsum(np.bincount(place, weights=weight[weight > 0]), dtype=np.float64)
    shares = reached[-1] * np.arange(1, n_groups) / n_groups
    last = np.unique(np.searchsorted(reached, shares * (1 - 1e-12)))
    if last.size + (last[-1] < values.size - 1) < 3:
        last = _by_what_is_left(reached, n_groups)
    return np.searchsorted(values[last], p, side="left")


def _by_what_is_left(reached: Array, n_groups: int) -> Any:
    """The last value of each group but one, each taking its share of what the groups before it have left."""
    last: list[int] = []
    for left in range(min(n_groups, reached.size), 1, -1):
        before, next_ = (reached[last[-1]], last[-1] + 1) if last else (0.0, 0)
        end = int(np.searchsorted(reached, before + (reached[-1] - before) / left * (1 - 1e-12)))
        last.append(min(max(end, next_), reached.size - left))  # so that each group after it has a value
    return np.array(last, dtype=np.intp)


def _are_those_of_the_fit(result: "Inference", z: Array, y01: Array, weight: Array) -> bool:
    """Whether rows have the weight and the log-likelihood of those that the model was fitted on."""
    log_likelihood = -float(weight @ np.logaddexp(0.0, np.where(y01 > 0, -z, z)))
    same = abs(log_likelihood - result.log_likelihood) <= 1e-6 * abs(result.log_likelihood)
    return bool(same and abs(weight.sum() - result.whole.objective.total_weight) <= 1e-9 * weight.sum())


def recalibrate(
    result: "Inference", X: object, y: object, sample_weight: object, offset: ArrayLike | None
) -> dict[str, Any]:
    """The table term, estimate, se, lower, upper."""
    from .analysis import infer  # which makes the records that call this

    z, codes, weight = _scored(result, X, y, sample_weight, offset)
    if np.isinf(z).any():
        raise EvenOddsError(
            f"The classes are separated, so that the log odds of row {int(np.isinf(z).argmax())} (counted from 0) are "
            "infinite, and no intercept or slope is fitted to them. Fit with LogisticRegression(firth=True)."
        )
    column = z[:, None]
    # The slope's fit also has an intercept, and the intercept's no column of its own: a constant one.
    slope = LogisticRegression().fit(column, codes, weight)
    level = LogisticRegression(fit_intercept=False).fit(np.ones_like(column), codes, weight, z)
    found = [
        infer(level, np.ones_like(column), codes, weight, z, weights=result.weights),
        infer(slope, column, codes, weight, weights=result.weights),
    ]
    estimate, se = (np.array([getattr(one, name)[-1] for one in found]) for name in ("coef", "se"))
    reach = ndtri(0.5 + result.level / 2) * se
    return {
        "term": ["intercept", "slope"],
        "estimate": estimate,
        "se": se,
        "lower": estimate - reach,
        "upper": estimate + reach,
    }
