"""From an estimate and its covariance to the record: standard errors, tests, intervals and the fit as a whole."""

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtr, ndtri

from ..arrays import Array
from ..arrow import Arrow
from ..coordinates import Coordinates
from ..data.memory import one_blas_thread
from ..exceptions import EvenOddsError
from ..model import LogisticRegression
from ..objective import Classes, Objective
from ..solvers import regimes
from ..solvers.running import Goal
from .certificate import certify
from .covariance import Weighting, cluster_scores, covariance, inverse_of, one_cluster
from .evidence import Evidence
from .factored import Factored
from .hypotheses import TestResult, chi_squared
from .limit import Limit
from .problem import Problem
from .profile import Point, constrained_maximum, interval, maxima, require_lower
from .record import Inference
from .wide import LowRank, RawMap

_FEW_CLUSTERS = 40
ALIASED = "aliased: a combination of earlier columns"


@dataclass(frozen=True)
class Asked:
    """What the user asked for; see `infer`.

    clusters : the number of that of each row; None without, and where blocks of rows know their groups
    """

    cov: str
    clusters: NDArray[np.intp] | None
    level: float
    weights: str


@dataclass(frozen=True)
class Table:
    """The statistics of each coefficient, (m k,) and (m k, 2)."""

    se: Array
    z: Array
    p_value: Array
    conf_int: Array


def record(
    model: LogisticRegression, problem: Problem, evidence: Evidence, asked: Asked, limit: Limit | None = None
) -> Inference:
    """The record of a fit; of a separated one, by what is known of its limit.

    Firth's fit has its own tests and intervals, unless a robust covariance is asked for.
    """
    where, told = (problem, evidence) if limit is None else (limit.problem, limit.evidence)
    infinite = np.zeros(len(problem.keys)) if limit is None else limit.recession.infinite
    inverse = inverse_of(where, _curvature(where, told))
    by = Weighting(asked.weights, _n_obs(where, asked))
    if limit is not None and asked.clusters is not None:
        asked = replace(asked, clusters=asked.clusters[limit.rows])
    clusters, scores = (
        cluster_scores(where, asked.clusters) if asked.cov == "cluster" and where.theta.size else ([], None)
    )
    if limit is None and len(clusters) == 1:
        raise one_cluster(clusters[0])
    with one_blas_thread:
        V = covariance(where, told, inverse, asked.cov, by, scores)
    coef = np.where(infinite == 0, _coef(model, problem) if limit is None else where.coef, infinite)
    variances, raw, notes = _raw_covariance(where, V, infinite)
    table = wald_table(coef, np.sqrt(variances), asked.level)
    null = null_log_likelihood(problem, bool(model.fit_intercept))
    ratio = _likelihood_ratio(problem, told, null, asked)
    penalized = None
    if problem.firth and model.firth != "flac":
        tops = maxima(problem)
        penalized = tops[0].value
        if asked.cov == "model":
            table = firth_table(problem, tops, table, asked.level, skip_intercept=model.firth == "flic")
            ratio = _penalised_ratio(problem, tops)
    shape = problem.shape
    return Inference(
        names=problem.names,
        coef=coef.reshape(shape),
        se=table.se.reshape(shape),
        z=table.z.reshape(shape),
        p_value=table.p_value.reshape(shape),
        conf_int=table.conf_int.reshape(*shape, 2),
        raw_covariance=raw,
        level=float(asked.level),
        cov=asked.cov,
        weights=asked.weights,
        classes=tuple(model.classes_.tolist()),
        n_obs=_n_obs(problem, asked),
        listed=problem.listed,
        n_coef=problem.n_coef,
        log_likelihood=told.log_likelihood,
        null_log_likelihood=null,
        penalized_log_likelihood=penalized,
        pseudo_r2=pseudo_r2(problem, told, null),
        likelihood_ratio=ratio,
        certificate=certify(problem, evidence, inverse, table.se) if limit is None and not problem.firth else None,
        notes=notes,
        remarks=(*_remarks(model, problem, asked, evidence, limit, len(clusters)), *_ends_not_found(problem, table)),
        model=copy.copy(model),  # another fit of it does not change the record
        limit=limit,
        problem=where,
        whole=problem,
        inverse=inverse,
        theta_covariance=V,
    )


def _curvature(problem: Problem, evidence: Evidence) -> Any:
    """The information with the ridge's curvature."""
    if isinstance(evidence.information, Arrow):
        return problem.curved(evidence.information.plus(problem.objective.total_weight * problem.objective.pull))
    A = evidence.information.copy()
    np.einsum("ii->i", A)[:] += problem.objective.total_weight * problem.objective.pull
    return problem.curved(A)


def _n_obs(problem: Problem, asked: Asked) -> float:
    return problem.objective.total_weight if asked.weights == "frequency" else float(problem.data.n_rows)


def _coef(model: LogisticRegression, problem: Problem) -> Array:
    """The coefficients of the classes that are listed, one class after another, less those of a baseline."""
    intercepts = model.intercept_[:, None][:, : int(bool(model.fit_intercept))]
    table = np.column_stack([intercepts, model._coef])
    if not problem.several:
        return table.ravel()
    kept = np.isin(np.arange(len(table)), [model.classes_.tolist().index(label) for label in problem.listed])
    return np.asarray((table[kept] - table[~kept].sum(axis=0)).ravel())


def _raw_covariance(
    problem: Problem, V: Factored | LowRank, infinite: Array
) -> tuple[Array, Array | None, dict[str, str]]:
    """The variances of the raw coefficients, NaN where there are none, and why; and their covariance, if small."""
    if isinstance(problem.to_raw, RawMap):
        assert isinstance(V, LowRank)
        notes, variances = _notes(problem, infinite, problem.estimated), V.variances(problem.to_raw.entries)
        variances[[j for j, key in enumerate(problem.keys) if key in notes]] = np.nan
        return variances, None, notes
    size = np.abs(problem.to_raw).max(axis=1, initial=0.0)
    unit = np.where(size > 0, size, 1.0)
    rows = problem.to_raw / unit[:, None]
    similar = np.asarray(V.seen(rows))
    with np.errstate(over="ignore", under="ignore"):
        raw = similar * unit * unit[:, None]
    held = np.isfinite(raw.diagonal()) & (raw.diagonal() >= np.finfo(float).tiny)
    lost = np.flatnonzero((similar.diagonal() > 0) & ~held & (infinite == 0))
    if lost.size:
        j = int(lost[0])
        raise EvenOddsError(
            f"The variance of the coefficient of {problem.keys[j]!r} is of size {unit[j]:.0e} squared, which no number "
            f"holds: divide the column by {1 / unit[j]:.0e}."
        )
    notes = _notes(problem, infinite, np.asarray(problem.to_raw.any(axis=1)))
    for j, name in enumerate(problem.keys):
        if name in notes:
            raw[j] = raw[:, j] = np.nan
    return raw.diagonal(), raw, notes


def _notes(problem: Problem, infinite: Array, estimated: NDArray[np.bool_]) -> dict[str, str]:
    """Why coefficients have no standard error, by name."""
    notes = {}
    for j, name in enumerate(problem.keys):
        if infinite[j] != 0:
            sign = {1.0: "+", -1.0: "-"}.get(np.sign(infinite[j]))
            notes[name] = (
                "infinite, of a sign that is not determined" if sign is None else f"infinite ({sign}): separated"
            )
        elif not estimated[j]:
            notes[name] = ALIASED
    return notes


def wald_table(coef: Array, se: Array, level: float) -> Table:
    """z = coef / se against the normal distribution."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # A constant column beside a ridge has an error of 0, and rounding for a coefficient.
        z = coef / np.where(se > 0, se, np.nan)
        reach = ndtri(0.5 + level / 2) * se
        return Table(se, z, 2 * ndtr(-np.abs(z)), np.stack([coef - reach, coef + reach], axis=1))


def firth_table(problem: Problem, tops: list[Point], wald: Table, level: float, skip_intercept: bool) -> Table:
    """Penalised likelihood ratios, and intervals by profile penalised likelihood (Heinze and Schemper 2002)."""
    best = tops[0]
    z, p, ends = wald.z.copy(), wald.p_value.copy(), wald.conf_int.copy()
    for j in range(len(problem.names)):
        if not np.isfinite(wald.se[j]) or (skip_intercept and j < int(problem.objective.coordinates.intercept)):
            continue
        row = problem.to_raw[j]
        null = constrained_maximum(problem, row[None, :], np.zeros(1), best, tops)
        require_lower(problem, best, null)
        fall = 2 * (best.value - null.value)
        z[j] = np.sign(row @ best.theta) * np.sqrt(max(fall, 0.0))
        p[j] = chdtrc(1, max(fall, 0.0))
        ends[j] = interval(problem, row, level, tops)
    return Table(wald.se, z, p, ends)


def null_log_likelihood(problem: Problem, intercept: bool) -> float:
    """Of the intercepts alone; of even odds, without them. An offset stays in both."""
    data = problem.data
    sample = data.sample(4096, 0)
    weights = data.class_weights
    if sample.offset is None:
        equal = -np.log(weights.size) * float(weights.sum())
        return float(weights @ np.log(weights / weights.sum())) if intercept else float(equal)
    old = problem.objective.coordinates
    coordinates = Coordinates(old.center, old.scale, np.empty(0, dtype=np.intp), intercept)
    nothing = np.empty(0)
    alone = Objective(data, coordinates, nothing, Classes.of(data, baseline=True))
    if not intercept:
        return -alone.total_weight * alone.value_grad(nothing)[0]
    start = regimes.cooled(alone, alone.start(sample), sample)
    return -alone.total_weight * regimes.newton(alone, start, sample, Goal(1e-6, max_iter=100)).loss


def pseudo_r2(problem: Problem, told: Evidence, null: float) -> dict[str, float]:
    """McFadden 1974; Cox and Snell 1989; Nagelkerke, Biometrika 78, 1991; Tjur, The American Statistician 63, 2009.

    Tjur's is of two classes.
    """
    S = problem.objective.total_weight
    cox_snell = -np.expm1(2 * (null - told.log_likelihood) / S)
    return {
        "mcfadden": 1 - told.log_likelihood / null,
        "cox_snell": float(cox_snell),
        "nagelkerke": float(cox_snell / -np.expm1(2 * null / S)),
        "tjur": np.nan if problem.several else 1 - float((told.wrong / problem.data.class_weights).sum()),
    }


def _likelihood_ratio(problem: Problem, told: Evidence, null: float, asked: Asked) -> TestResult:
    """All slopes against the intercept alone."""
    first = int(problem.objective.coordinates.intercept)
    exists = not problem.penalised and asked.weights != "sampling"
    statistic = max(2 * (told.log_likelihood - null), 0.0) if exists else np.nan
    words = "likelihood-ratio test against " + (f"the intercept{'s' * problem.several} alone" if first else "even odds")
    return chi_squared(statistic, problem.n_coef - first * (problem.data.class_weights.size - 1), words)


def _penalised_ratio(problem: Problem, tops: list[Point]) -> TestResult:
    first, best = int(problem.objective.coordinates.intercept), tops[0]
    slopes = np.eye(problem.theta.size)[first:]
    null = constrained_maximum(problem, slopes, np.zeros(len(slopes)), best, tops)
    require_lower(problem, best, null)
    return chi_squared(
        max(2 * (best.value - null.value), 0.0),
        len(slopes),
        "penalised likelihood-ratio test against the intercept alone",
    )


def _remarks(
    model: LogisticRegression, problem: Problem, asked: Asked, evidence: Evidence, limit: Limit | None, n_clusters: int
) -> tuple[str, ...]:
    """What has to be known to read the table right."""
    found = _of_classes(model, problem) if problem.several else []
    if problem.penalised:
        found.append(
            f"Ridge fit, C={model.C:g}: the coefficients are shrunken towards 0. Standard errors are those of the "
            "shrunken estimates, given C; they do not count the bias, so that intervals need not cover the true "
            "coefficients at their level, nor p-values hold theirs."
        )
    if limit is not None:
        rest = (
            "every row is predicted with certainty, and no coefficient can be estimated"
            if limit.rows.size == 0
            else "infinite coefficients are named, the others are estimated from the "
            f"{limit.rows.size} rows that are not predicted with certainty"
        )
        finite = "Firth's fit is finite: LogisticRegression(firth=True)"
        finite = "A ridge is finite: C=1" if problem.several else finite
        one_sided = "" if asked.weights == "sampling" else " Infinite ones have one-sided intervals, by profile()."
        found.append(f"The classes are separated: {rest}.{one_sided} {finite}.")
    if problem.firth and asked.cov == "model" and model.firth != "flac":
        but = " (of the intercept: Wald's)" if model.firth == "flic" else ""
        found.append(
            f"Firth's fit: p-values by penalised likelihood ratio, intervals by profile penalised likelihood{but}."
        )
    if lower := model.solution_.lower_maxima:
        found.append(
            f"The penalised likelihood has several maxima, as it may where some rows are far from the others: "
            f"{1 + len(lower)} maxima were found, of which this is the highest, by {lower[0]:.3g} in the logarithm."
        )
    if model.class_weight is not None and asked.weights == "frequency":
        found.append(
            "The factors of class_weight count as numbers of rows in these standard errors. If rows are single "
            'observations all the same, weights="sampling" is right.'
        )
    elif asked.weights == "frequency" and evidence.fractions:
        found.append(
            'Some weights are not whole numbers, but count as numbers of rows. Is it weights="sampling" or "precision"?'
        )
    where = problem if limit is None else limit.problem
    if asked.cov == "HC1" and 0 < _n_obs(where, asked) <= where.n_coef:
        found.append(
            f"HC1 does not exist: n/(n-k) has no meaning for {_n_obs(where, asked):.10g} observations and "
            f"{where.n_coef} coefficients."
        )
    if asked.cov != "model" and asked.weights != "sampling" and not problem.penalised:
        found.append("Likelihood-ratio tests, AIC and BIC hold if the model does, whatever the covariance.")
    if asked.weights == "sampling":
        found.append(
            "Sampling weights: log-likelihoods are pseudo-likelihoods, so that likelihood-ratio tests, AIC and BIC do "
            "not exist."
        )
    if n_clusters:
        found.append(_of_clusters(n_clusters))
    return tuple(found)


def _ends_not_found(problem: Problem, table: Table) -> list[str]:
    missing = np.isfinite(table.se) & np.isnan(table.conf_int).any(axis=1)
    names = ", ".join(key for key, lacks in zip(problem.keys, missing, strict=True) if lacks)
    why = "the penalised likelihood hardly falls, or has another peak, as it may with an offset"
    return [f"An end of the interval was not found for {names}: {why}."] if names else []


def _of_clusters(count: int) -> str:
    if count == 1:
        return "The rows that are not predicted with certainty are of one cluster, which has no covariance."
    few = ", too few to trust the normal distribution" if count < _FEW_CLUSTERS else ""
    return f"{count} clusters{few}; covariance times {count}/{count - 1}."


def _of_classes(model: LogisticRegression, problem: Problem) -> list[str]:
    """Which parametrisation, and what a coefficient is in it."""
    baseline = next((label for label in model.classes_.tolist() if label not in problem.listed), None)
    if baseline is not None:
        return [
            f"The baseline is {baseline}: a coefficient is the change, for one unit, in the log odds of its class "
            f"against {baseline}. Log odds of two other classes change by the difference of their coefficients."
        ]
    return [
        "Symmetric, without a baseline: the coefficients of a column sum to 0 over the classes. Each is the change, "
        "for one unit, in the logarithm of the probability of its class, beside the mean of the logarithms of all. Log "
        "odds of two classes change by the difference of their coefficients."
    ]
