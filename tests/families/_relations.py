"""Ways to say the same: each takes a problem to another one, and the other's coefficients back to those of the first.

A relation is a function (problem, rng) -> (problem, back) or None where it does not apply; back(intercepts, coefs)
gives the coefficients that the first problem should have.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from . import FORMS, Problem

Related = tuple[Problem, Callable[[Any, Any], tuple[Any, Any]]] | None


def _same(intercepts, coefs):
    return intercepts, coefs


def in_another_form(problem: Problem, rng) -> Related:
    """Sparse, strided, a frame, ..."""
    names = [name for name in FORMS if name != problem.form and (name != "stored zeros" or problem.X.dtype == float)]
    return replace(problem, form=str(rng.choice(names))), _same


def in_doubles(problem: Problem, rng) -> Related:
    """Numbers of another kind as doubles."""
    return None if problem.X.dtype == float else (replace(problem, X=problem.X.astype(float)), _same)


def repeated(problem: Problem, rng) -> Related:
    """A row of weight k is k rows."""
    s = problem.sample_weight
    if s is None or (s != np.round(s)).any() or s.max() > 20:
        return None
    other = problem.rows(np.repeat(np.arange(len(s)), s.astype(int)))
    return replace(other, sample_weight=None), _same


def with_weightless_rows(problem: Problem, rng) -> Related:
    """A row of weight 0 is none, wherever it lies."""
    n, p = problem.X.shape
    if problem.X.dtype != float:
        return None
    more = int(rng.integers(1, 6))
    again = problem.rows(np.concatenate([np.arange(n), rng.integers(0, n, more)]))
    s = np.ones(n) if problem.sample_weight is None else problem.sample_weight
    wild = rng.normal(size=(more, p)) * 10.0 ** rng.integers(-5, 12, (more, p))
    order = rng.permutation(n + more)
    other = replace(
        again, X=np.vstack([problem.X, wild]), sample_weight=np.concatenate([s, np.zeros(more)]), form=problem.form
    )
    return other.rows(order), _same


def reordered(problem: Problem, rng) -> Related:
    """Rows in another order."""
    return problem.rows(rng.permutation(len(problem.y))), _same


def offset_by_a_constant(problem: Problem, rng) -> Related:
    """A constant in the offset moves the intercept."""
    if not problem.settings.get("fit_intercept", True):
        return None
    K = np.unique(problem.y).size
    shift = rng.normal(size=1 if K == 2 else K) * rng.choice([1, 30, 300])
    offset = 0 if problem.offset is None else problem.offset
    offset = offset + np.broadcast_to(shift[0] if K == 2 else shift, (len(problem.y), K)[: 1 + (K > 2)])
    return replace(problem, offset=offset), lambda b, W: (b + shift, W)


def labelled_otherwise(problem: Problem, rng) -> Related:
    """Classes in another order; of two this turns signs."""
    classes, y = np.unique(problem.y, return_inverse=True)
    K, given = classes.size, dict(problem.settings)
    order = np.array([1, 0]) if K == 2 else rng.permutation(K)  # class k becomes class order[k]
    offset = problem.offset
    if K == 2:
        ends = given.pop("lower", None), given.pop("upper", None)
        given |= {name: -np.asarray(end) for name, end in zip(("upper", "lower"), ends, strict=True) if end is not None}
        offset = None if offset is None else -offset
        return replace(problem, y=classes[order[y]], offset=offset, settings=given), lambda b, W: (-b, -W)
    offset = None if offset is None else offset[:, np.argsort(order)]
    return replace(problem, y=classes[order[y]], offset=offset), lambda b, W: (b[order], W[order])


def in_other_units(problem: Problem, rng) -> Related:
    """A column times u has its coefficient divided by u, unless a penalty knows the unit."""
    given = problem.settings
    if problem.X.dtype != float or not (np.isinf(given.get("C", np.inf)) or given.get("standardize")):
        return None
    unit = 10.0 ** rng.integers(-6, 7, problem.X.shape[1])
    box = {name: np.asarray(given[name]) / unit for name in ("lower", "upper") if name in given}
    return replace(problem, X=problem.X * unit, settings={**given, **box}), lambda b, W: (b, W * unit)


def from_another_origin(problem: Problem, rng) -> Related:
    """Columns moved by a constant move the intercept."""
    if not problem.settings.get("fit_intercept", True) or problem.X.dtype != float:
        return None
    X = problem.X
    shift = np.std(X, axis=0) * np.round(10.0 ** rng.uniform(-1, 5)) * rng.normal(size=X.shape[1])
    return replace(problem, X=X + shift), lambda b, W: (b + W @ shift, W)


def in_other_weights(problem: Problem, rng) -> Related:
    """Weights of a small total times a constant, and C divided by it."""
    if problem.settings.get("firth"):
        return None
    s = np.ones(len(problem.y)) if problem.sample_weight is None else problem.sample_weight
    unit = 10.0 ** -int(rng.integers(1, 12))
    if not 1e-200 < s.sum() <= (s > 0).sum():
        return None
    given = dict(problem.settings)
    if "C" in given:
        given["C"] = given["C"] / unit
    return replace(problem, sample_weight=s * unit, settings=given), _same


def penalised_in_other_words(problem: Problem, rng) -> Related:
    """A ridge as one with factors and bounds that say nothing, which another solver takes."""
    given = problem.settings
    if "C" not in given or {"penalty_factor", "l1_ratio", "lower", "upper"} & set(given):
        return None
    p = problem.X.shape[1]
    other = {k: v for k, v in given.items() if k != "solver"} | {"C": 2 * given["C"], "penalty_factor": np.full(p, 2.0)}
    return replace(problem, settings=other), _same


def solved_otherwise(problem: Problem, rng) -> Related:
    """By another solver."""
    if {"penalty_factor", "l1_ratio", "lower", "upper", "firth"} & set(problem.settings):
        return None
    kinds = [kind for kind in ("auto", "newton", "quasi-newton") if kind != problem.settings.get("solver", "auto")]
    return replace(problem, settings={**problem.settings, "solver": str(rng.choice(kinds))}), _same


RELATIONS: Mapping[str, Callable[[Problem, Any], Related]] = {
    relation.__name__.replace("_", " "): relation
    for relation in (
        in_another_form,
        in_doubles,
        repeated,
        with_weightless_rows,
        reordered,
        offset_by_a_constant,
        labelled_otherwise,
        in_other_units,
        from_another_origin,
        in_other_weights,
        penalised_in_other_words,
        solved_otherwise,
    )
}
