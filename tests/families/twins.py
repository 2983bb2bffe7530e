"""Columns that are nearly twins, or nearly a combination of others, with and without separation.

The gap is 1e-5 to 1e-15 of a column's size. A direction that rounding leaves of it is none that a coefficient goes to
infinity in; and one in which the gap tells the classes apart is. From 1e-6 up no column may be left out. The answer is
found in rational numbers, for the columns that a fit keeps.
"""

import time

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from evenodds import CollinearWarning, EvenOddsError, SeparationWarning, Status, find_separation, infer, path

from . import Family, Problem, quietly
from ._exact import separated, signs

_LONGEST = 3.0
_ROUGH = 1e-8  # of gaps, below which coefficients are so large that rounding keeps a fit from its end
_DIGITS = 1e-12  # of a gap: what is less may be taken for rounding, or for what it is
_KEPT = 1e-6  # from which gap on a column has a coefficient of its own


def draw(rng):
    """Some columns, and some more that are next to combinations of these; labels by chance, or told by a part."""
    K, p = 3 if rng.random() < 0.2 else 2, int(rng.integers(1, 4))
    n = int(rng.integers(8, 15 if K > 2 else 35))
    X = np.round(rng.normal(size=(n, p)) * 1024) / 1024 if rng.random() < 0.5 else rng.integers(-3, 4, (n, p)) * 1.0
    parts, ties = [X], []
    for _ in range(int(rng.integers(1, 3))):
        gap = 10.0 ** rng.uniform(-15, -5) if rng.random() < 0.5 else 10.0 ** rng.uniform(-6, -4)
        way = rng.integers(-1, 3, p) * (rng.random(p) < 0.7)
        constant = 1.0 * (rng.random() < 0.2 or not way.any())
        apart = rng.normal(size=n)
        if rng.random() < 0.4:  # rows that tie have to do so in floating point
            gap, apart = 2.0 ** np.round(np.log2(gap)), rng.integers(-2, 3, n) * 1.0
        column = X @ way + constant + gap * apart
        parts.append(column[:, None])
        ties.append((float(gap), [*np.flatnonzero(way).tolist(), p + len(ties)], apart))
    if rng.random() < 0.4:  # exactly a combination, beside
        parts.append(X[:, :1] * 2 if rng.random() < 0.5 else np.full((n, 1), 3.0))
        ties.append((1.0, [0] * int(np.ptp(parts[-1]) > 0) + [p + len(ties)], np.zeros(n)))
    if rng.random() < 0.6:  # a level
        parts.append((rng.random((n, 1)) < 0.3).astype(float))
    X = np.column_stack(parts)
    told = rng.choice(["nothing", "level", "gap", "column", "sum"])
    score = {
        "nothing": rng.normal(size=n) + X[:, 0] * rng.choice([0, 0.5]),
        "level": np.where(X[:, -1] > 0, 9.0, rng.normal(size=n)),
        "gap": ties[0][2] + rng.choice([0.0, 0.3]) * rng.normal(size=n) * (rng.random(n) < 0.3),
        "column": X[:, 0],
        "sum": X[:, 0] + ties[0][2],
    }[told]
    y = np.searchsorted(np.quantile(score, np.arange(1, K) / K), score, side="left")
    if rng.random() < 0.3:
        y = np.where(score == 0, rng.integers(0, K, n), y)
    y[rng.permutation(n)[:K]] = np.arange(K) if told == "nothing" else np.sort(y)[np.linspace(0, n - 1, K).astype(int)]
    y = np.unique(y, return_inverse=True)[1]
    if y.max() == 0:
        y[0] = 1
    order = rng.permutation(X.shape[1])
    place = np.argsort(order)
    X = X[:, order] * (2.0 ** rng.integers(-8, 9, X.shape[1]) if rng.random() < 0.4 else 1.0)
    form = str(rng.choice(["given", "given", "F", "csr", "pandas"]))
    facts = {"ties": [(gap, [int(place[j]) for j in columns]) for gap, columns, _ in ties], "told": str(told)}
    return Problem(X, y, settings={"fit_intercept": bool(rng.random() < 0.8)}, facts=facts, form=form)


def check(problem):
    """The fit, the path, `infer` and `find_separation` say what is true of the columns that are kept."""
    X, y, intercept = problem.dense(), np.asarray(problem.y), problem.settings.get("fit_intercept", True)
    if np.unique(y).size != y.max() + 1 or y.max() == 0 or not X.any():
        return  # made too small
    model, told = problem.fit()
    names = list(getattr(model, "feature_names_in_", range(X.shape[1])))
    out = np.isin(np.arange(X.shape[1]), [names.index(name) for name in model.aliased_])
    check_aliased(X, out, intercept)
    truth, status = separated(X[:, ~out], y, intercept=intercept), model.solution_.status
    start = time.process_time()
    gaps = [gap for gap, _ in problem.facts["ties"]]
    if min(gaps) < _DIGITS and truth != separated(without_digits(problem)[:, ~out], y, intercept=intercept):
        truth = status is Status.SEPARATED  # either is right, and then everywhere
    rough = np.prod(gaps) < _ROUGH
    if rough and status is Status.STALLED and {SeparationWarning, ConvergenceWarning} & set(told):
        return  # rounding is in the way, and that is said
    wanted = Status.SEPARATED if truth else Status.CONVERGED
    assert status is wanted, f"{'separated' if truth else 'overlap'}, and the fit says {status.name}"
    assert (SeparationWarning in told) == truth, f"the fit {'is silent' if truth else 'warns'}"
    table, _ = quietly(infer, model, problem.handed(), y)
    assert (table.limit is not None) == truth, f"infer {'knows no limit' if truth else 'speaks of one'}"
    if y.max() == 1:
        found, heard = quietly(find_separation, problem.handed(), y, fit_intercept=intercept)
        assert (CollinearWarning in heard) == (CollinearWarning in told), f"find_separation warns of {heard}"
        assert (found.kind != "overlap") == truth, f"find_separation says {found.kind}"
        check_signs(problem, out, found, truth)
        also = {} if table.limit is None else dict(zip(table.names, table.limit.recession.infinite, strict=True))
        assert {name for name, sign in also.items() if sign} == set(found.infinite), "infer sends others to infinity"
    free = {"Cs": [1.0], "penalty_factor": np.zeros(X.shape[1]), "fit_intercept": intercept}
    _, told = quietly(path, problem.handed(), y, **free)
    assert (SeparationWarning in told) == truth or rough, f"the path {'is silent' if truth else 'warns'}"
    assert time.process_time() - start < _LONGEST, "it took long"


def draw_balanced(rng):
    """Each row is there with both labels; some more have a level of which all are of one class. Up to 40,000 rows."""
    n, p = int(10 ** rng.uniform(1.5, 4.3)), int(rng.integers(1, 6))
    X, gaps = rng.normal(size=(n, p)) + rng.choice([0, 0, 5], p), 1.0
    for _ in range(int(rng.integers(1, 4))):
        near = X[:, :p] @ (rng.integers(-1, 3, p) * (rng.random(p) < 0.5)) + (rng.random() < 0.5)
        gap = 10.0 ** rng.uniform(-15 if np.std(near) else -9, -4)
        gaps *= gap
        X = np.column_stack([X, near + gap * (np.std(near) or 1.0) * rng.normal(size=n)])
    X *= 10.0 ** rng.integers(-4, 5, X.shape[1])
    y = rng.integers(0, 2, n)
    m = int(rng.integers(0, 20)) if rng.random() < 0.7 else 0
    level = np.repeat([0.0, 1.0], [2 * n, m])
    X = np.column_stack([np.vstack([X, X, X[rng.integers(0, n, m)]]), level] if m else [np.vstack([X, X])])
    y = np.concatenate([y, 1 - y, np.full(m, rng.integers(2))])
    order, place = rng.permutation(len(y)), rng.permutation(X.shape[1])
    level = int(np.flatnonzero(place == X.shape[1] - 1)[0]) if m else None
    facts = {"level": level, "rough": bool(gaps < _ROUGH)}
    form = str(rng.choice(["given", "F", "csr", "polars"]))
    return Problem(X[order][:, place], y[order], facts=facts, form=form)


def check_balanced(problem):
    """Nothing but the level grows without end."""
    X, y, level = problem.handed(), problem.y, problem.facts["level"]
    model, told = problem.fit()
    status = model.solution_.status
    try:
        found, _ = quietly(find_separation, X, y)
    except EvenOddsError:
        if not problem.facts["rough"] or (status is Status.STALLED) != (SeparationWarning in told):
            raise
        return  # what proves that the classes overlap is below rounding, and that is said
    wanted = {}
    if level is not None:
        wanted[found.names[1 + level]] = np.inf if y[problem.dense()[:, level] > 0].all() else -np.inf
    assert found.infinite == wanted, f"told {found.infinite}, it is {wanted}"
    assert status is (Status.SEPARATED if wanted else Status.CONVERGED), f"{wanted}, and the fit says {status.name}"
    assert (SeparationWarning in told) == bool(wanted)
    table, _ = quietly(infer, model, X, y)
    also = {} if table.limit is None else dict(zip(table.names, table.limit.recession.infinite, strict=True))
    assert {name for name, sign in also.items() if sign} == set(wanted), "infer sends others to infinity"


def draw_far(rng):
    """Twins by 1e-7 to 3e-6, beside a column far from zero, whose last digits are as large as what tells these apart.

    They mean what they say: the answer is that of the numbers as they stand.
    """
    n, gap, far = int(rng.integers(8, 40)), 10.0 ** rng.uniform(-7, -5.5), 10.0 ** rng.uniform(4.5, 9)
    one, apart, beside = rng.normal(size=(3, n))
    columns = [one, one * rng.choice([1, -2]) + gap * apart, far + beside]
    columns += [rng.normal(size=n)] * (rng.random() < 0.3) + [(rng.random(n) < 0.3) * 1.0] * (rng.random() < 0.3)
    told, noise = rng.choice(["nothing", "gap", "far", "last"]), rng.normal(size=n)
    some = noise * (rng.random(n) < 0.15)
    score = {"nothing": noise, "gap": apart + some, "far": beside + some, "last": 9 * columns[-1] + noise}[str(told)]
    y = (score > np.median(score)).astype(int)
    X = np.column_stack(columns)[:, rng.permutation(len(columns))]
    return Problem(X, y, form=str(rng.choice(["given", "F", "csr", "pandas"])), facts={"told": str(told)})


def check_far(problem):
    """The fit, `infer` and `find_separation` say what is true in rational numbers."""
    X, y = problem.dense(), np.asarray(problem.y)
    if np.unique(y).size < 2:
        return  # made too small
    model, told = problem.fit()
    names = list(getattr(model, "feature_names_in_", range(X.shape[1])))
    out = np.isin(np.arange(X.shape[1]), [names.index(name) for name in model.aliased_])
    truth, status = separated(X[:, ~out], y), model.solution_.status
    found, _ = quietly(find_separation, problem.handed(), y)
    assert (found.kind != "overlap") == truth, f"find_separation says {found.kind}"
    if status is Status.STALLED and not truth and ConvergenceWarning in told:
        return  # rounding keeps the fit from its end, and that is said
    assert status is (Status.SEPARATED if truth else Status.CONVERGED), f"separated: {truth}, and the fit says {status}"
    assert (SeparationWarning in told) == truth
    table, _ = quietly(infer, model, problem.handed(), y)
    assert (table.limit is not None) == truth, f"infer {'knows no limit' if truth else 'speaks of one'}"


def without_digits(problem):
    """The columns without gaps that may be rounding; all else in them is a multiple of 2^-18."""
    X = np.array(problem.dense())
    for gap, columns in problem.facts["ties"]:
        if gap < _DIGITS:
            X[:, columns[-1]] = np.round(X[:, columns[-1]] * 2**20) / 2**20
    return X


def check_aliased(X, out, intercept):
    """Columns are left out if they are within 1e-6 of a combination of the others."""
    D = np.column_stack([X, np.ones(len(X))]) if intercept else X
    kept = D[:, np.concatenate([~out, np.ones(int(intercept), bool)])]
    kept = kept / np.linalg.norm(kept, axis=0).clip(1e-300)
    for column in X[:, out].T:
        size = np.linalg.norm(column - column.mean() * intercept)
        rest = column - kept @ np.linalg.lstsq(kept, column, rcond=1e-14)[0]
        assert np.linalg.norm(rest) <= _KEPT * size + 1e-11 * np.linalg.norm(column), (
            "a column with something of its own is left out"
        )


def check_signs(problem, out, found, truth):
    """To which infinity the columns go that are no part of a tie with one that is left out.

    A gap that may be rounding may be taken for what it is or for nothing, but for all coefficients alike.
    """
    y, intercept = problem.y, problem.settings["fit_intercept"]
    digits = min(gap for gap, _ in problem.facts["ties"]) < _DIGITS
    readings = [problem.dense(), *([without_digits(problem)] if digits else [])]
    readings = [X for X in readings if separated(X[:, ~out], y, intercept=intercept) == truth]
    wrong = [_wrong_sign(problem, X, out, found, truth) for X in readings]
    assert None in wrong, wrong[0]


def _wrong_sign(problem, X, out, found, truth):
    """What is said wrongly of one coefficient, if these are the numbers."""
    y, intercept = problem.y, problem.settings["fit_intercept"]
    tied = np.zeros(X.shape[1] + 1, dtype=bool)
    for _, columns in problem.facts["ties"]:
        if out[columns].any():
            tied[[1 + j for j in columns]] = True
    tied[0] = tied.any()
    right = signs(X[:, ~out], y, intercept=intercept) if truth else np.zeros(np.count_nonzero(~out) + intercept)
    if right is None:
        return None  # a column that is left in is a combination of others
    places = np.concatenate([[0] * intercept, 1 + np.flatnonzero(~out)]).astype(int)
    names = ["(intercept)", *found.names[int(intercept) :]]
    for place, sign in zip(places, right, strict=True):
        said = found.infinite.get(names[place], 0.0)
        either = np.isnan(said) and sign != 0
        if not (tied[place] or either or np.array_equal(said, sign, equal_nan=True)):
            return f"{names[place]}: told {said}, it is {sign}"
    return None


FAMILIES = [
    Family("near twins", draw, check, 60),
    Family("near twins, on rows that balance", draw_balanced, check_balanced, 20),
    Family("near twins, beside a column far from zero", draw_far, check_far, 40),
]
