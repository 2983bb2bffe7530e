"""What is made of fits, on crossed problems: paths, cross-validation, inference, files, threads, and after errors."""

import pickle
import tempfile
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.special import ndtri
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression as Other

from evenodds import EvenOddsError, LogisticRegression, LogisticRegressionCV, Status, infer, load, path, save
from evenodds.exceptions import CollinearWarning, SeparationWarning

from . import Family, Problem, _draw, _oracle, quietly
from ._covariance import covariance
from .crossed import ordinary

wide = np.longdouble
_OF_A_PATH = ("fit_intercept", "standardize", "penalty_factor", "lower", "upper")


def _unless_empty(function, *args, **kwargs):
    """What `quietly` gives; None if there is no path: no column has anything to tell, or C is less than is allowed."""
    try:
        return quietly(function, *args, **kwargs)
    except EvenOddsError as error:
        if "No penalised column has anything to tell" in str(error):
            return None
        if "would start at a C below" in str(error) and kwargs["sample_weight"].max() > 1e250:
            return None
        raise


def draw_path(rng: np.random.Generator) -> Problem:
    """A penalised problem whose bounds allow 0."""
    while True:
        problem = _draw.crossed(rng, most_rows=600)
        if not problem.settings.get("firth") and "C" in problem.settings:
            settings = {k: v for k, v in problem.settings.items() if k not in ("tol", "solver", "C")}
            return replace(problem, settings=settings, facts={"steps": int(rng.choice([3, 8, 60]))})


def check_path(problem: Problem) -> None:
    """The points of a path are the fits of their C, and as near to the optimum as is promised."""
    given = problem.settings
    asked = {name: given[name] for name in _OF_A_PATH if name in given}
    ratio, rows = given.get("l1_ratio", 0.0), (problem.handed(), problem.y)
    weights = {"sample_weight": problem.sample_weight, "offset": problem.offset}
    answer = _unless_empty(path, *rows, ratio, problem.facts["steps"], **asked, **weights)
    if answer is None:
        return
    fits, told = answer
    assert np.isfinite(fits.coefs).all(), "a coefficient of a path is not finite"
    assert np.isfinite(fits.intercepts).all(), "an intercept of a path is not finite"
    assert np.isfinite([fits.gaps, fits.deviance_ratio]).all(), "a gap or a deviance of a path is not finite"
    alone = problem.columns(np.arange(0))
    null = _oracle.least(replace(alone, settings={k: v for k, v in alone.settings.items() if k == "fit_intercept"}))
    facts = {**problem.facts, "held": 1e-10 if SeparationWarning in told else 0}
    kept = kept_of_path(problem, fits, told)
    for k in {0, len(fits.Cs) // 2, len(fits.Cs) - 1}:
        one = replace(problem, settings={**given, "C": float(fits.Cs[k])}, facts=facts)
        excess, rounding = _oracle.excess(one.columns(kept), fits.intercepts[k], fits.coefs[k][..., kept])
        assert excess <= max(1e-7 * null, fits.gaps[k] if told else 0) * 1.01 + rounding, (
            f"a point of a path is {excess / null:.1e} of the null loss from its optimum"
        )
    model, told = quietly(LogisticRegression(**one.settings, tol=1e-6).fit, *rows, *weights.values())
    assert len(model.aliased_) == problem.X.shape[1] - len(kept), "a single fit has other columns than the path"
    if model.solution_.status is Status.CONVERGED:
        excess, _ = _oracle.excess(one.columns(kept), model.intercept_, model.coef_[:, kept])
        assert excess <= 1e-10, "a single fit differs from the path"


def kept_of_path(problem: Problem, fits, told) -> np.ndarray:
    """The columns, by number, that a path has not left out as combinations of others."""
    every = np.arange(problem.X.shape[1])
    if CollinearWarning not in told:
        return every
    free = np.broadcast_to(np.asarray(problem.settings.get("penalty_factor", 1.0)) == 0, every.size)
    left_out = free & ~fits.coefs.reshape(-1, every.size).any(axis=0)
    assert left_out.any(), "a path warns of columns that it has not left out"
    _oracle.require_combinations(problem, left_out)
    return every[~left_out]


def draw_cv(rng: np.random.Generator) -> Problem:
    """A problem with ten rows of each class."""
    while True:
        problem = draw_path(rng)
        counts = np.unique(problem.y, return_counts=True)[1]
        if counts.min() >= 10 and problem.sample_weight is None:
            return problem


def check_cv(problem: Problem) -> None:
    """A cross-validation holds the path of all rows and the fit of its choice."""
    given = dict(problem.settings)
    ratio, rows = given.pop("l1_ratio", 0.0), (problem.handed(), problem.y)
    weights = {"sample_weight": problem.sample_weight, "offset": problem.offset}
    answer = _unless_empty(LogisticRegressionCV(6, [ratio], cv=3, **given).fit, *rows, **weights)
    if answer is None:
        return
    model, _ = answer
    fits, _ = quietly(path, *rows, ratio, 6, **given, **weights)
    for name in ("Cs", "coefs", "intercepts"):
        assert np.array_equal(getattr(fits, name), getattr(model.path_, name)), f"{name} differ from those of a path"
    one, _ = quietly(LogisticRegression(C=model.C_, l1_ratio=ratio, **given).fit, *rows, **weights)
    assert np.array_equal(one.coef_, model.coef_), "the chosen fit differs from a single one"
    assert np.isfinite(model.scores_[~np.isnan(model.Cs_)]).any(), "no score is finite"


def draw_inference(rng: np.random.Generator) -> Problem:
    """A fit without an L1 part or bounds, with what will be asked."""
    while True:
        problem = _draw.crossed(rng, most_rows=1000)
        if not {"l1_ratio", "penalty_factor", "lower", "upper", "firth"} & set(problem.settings):
            facts = {"cov": str(rng.choice(["model", "HC0", "cluster"])), "seed": int(rng.integers(2**32))}
            return replace(problem, facts=facts)


def check_inference(problem: Problem) -> None:
    """Covariance, tests and likelihood by their formulas, in long double."""
    model, told = problem.fit()
    if model.solution_.status is not Status.CONVERGED or CollinearWarning in told:
        return
    kind = problem.facts["cov"]
    groups = np.random.default_rng(problem.facts["seed"]).integers(0, 6, len(problem.y)) if kind == "cluster" else None
    if kind == "cluster" and np.unique(groups[: len(problem.y)]).size < 6:
        return
    rows = (problem.handed(), problem.y, problem.sample_weight, problem.offset)
    try:
        result, _ = quietly(infer, model, *rows, cov=kind, groups=groups)
    except EvenOddsError:
        assert not ordinary(problem), "infer refuses ordinary data"
        return
    objective = _oracle.Objective(_oracle.Question.of(problem))
    theta = objective.q.theta(model.intercept_, model.coef_)
    right = covariance(objective, theta, kind, groups, problem.sample_weight)
    loss = float(objective.losses(theta)[0] @ objective.raw_weights())
    assert abs(result.log_likelihood + loss) <= 1e-9 * (1 + abs(loss)), "the log-likelihood is another"
    assert np.isfinite(result.covariance).all(), "a covariance is not finite"
    if right is None or not ordinary(problem):
        return
    V, doubt = right
    if doubt > 0.01:  # the formula has lost its digits too
        return
    size = np.sqrt(np.diag(V))
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.where(result.covariance == V, 0, np.abs(result.covariance - V) / np.outer(size, size))
    assert off.max() <= 1e-7 + doubt, f"the covariance ({kind}) is off by {off.max():.1e}"
    coef = np.concatenate([model.intercept_[:, None], model.coef_], axis=1)[-len(objective.q.free) :]
    coef = coef.ravel() if objective.q.intercept else coef[:, 1:].ravel()
    se = np.sqrt(np.diag(result.covariance))
    kept = se > 0
    z, p = result.z.ravel()[kept], result.p_value.ravel()[kept]
    assert np.allclose(z, coef[kept] / se[kept], rtol=1e-9), "z is not coef / se"
    assert np.allclose(p, 2 * norm.sf(np.abs(z)), rtol=1e-6, atol=1e-300), "p is another"
    ends = coef[:, None] + np.outer(se, [-1, 1]) * ndtri(0.975)
    assert np.allclose(result.conf_int.reshape(-1, 2), ends, rtol=1e-9, atol=1e-9 * se[:, None]), (
        "the interval is another"
    )


def check_files(problem: Problem) -> None:
    """A model comes back from a file, and from pickle, and predicts the same bits."""
    model, _ = problem.fit()
    with tempfile.TemporaryDirectory() as folder:
        save(model, Path(folder) / "model.json")
        back = load(Path(folder) / "model.json")
    X = problem.handed()
    for other in (back, pickle.loads(pickle.dumps(model))):
        assert other.coef_.tobytes() == model.coef_.tobytes(), "coef_ has other bits"
        assert quietly(other.predict_proba, X)[0].tobytes() == quietly(model.predict_proba, X)[0].tobytes()
        assert np.array_equal(quietly(other.predict, X)[0], quietly(model.predict, X)[0])
        assert other.classes_.dtype == model.classes_.dtype


def check_names(problem: Problem) -> None:
    """Columns in another order are matched by name or refused, by every method."""
    framed = replace(problem, form="pandas")
    model, _ = framed.fit()
    frame = framed.handed()
    order = np.random.default_rng(0).permutation(frame.shape[1])
    right = quietly(model.predict_proba, frame)[0]
    for other in (frame.iloc[:, order], frame.rename(columns={frame.columns[0]: "another"})):
        if list(other.columns) == list(frame.columns):
            continue
        try:
            answer = quietly(model.predict_proba, other)[0]
        except EvenOddsError:
            continue
        assert set(other.columns) == set(frame.columns), "another name is taken for one of the fit"
        assert np.allclose(answer, right), "columns are taken by their place, whatever their name"


def draw_error(rng: np.random.Generator) -> Problem:
    """A problem, and in what way the second fit will be wrong."""
    return replace(_draw.crossed(rng, most_rows=200), facts={"wrong": str(rng.choice(list(_WRONG)))})


_WRONG = {
    "NaN in X": lambda p: replace(p, X=_with(p, np.nan)),
    "infinity in X": lambda p: replace(p, X=_with(p, np.inf)),
    "one class": lambda p: replace(p, y=np.full(len(p.y), "cat")),
    "other classes, NaN in X": lambda p: replace(
        p, X=_with(p, np.nan), y=np.array(["cat", "dog"])[np.arange(len(p.y)) % 2]
    ),
    "y too short": lambda p: replace(p, y=p.y[1:]),
    "negative weight": lambda p: replace(p, sample_weight=-np.ones(len(p.y))),
    "weight of 0": lambda p: replace(p, sample_weight=np.zeros(len(p.y))),
    "weights NaN": lambda p: replace(p, sample_weight=np.full(len(p.y), np.nan)),
    "weights too large": lambda p: replace(p, sample_weight=np.full(len(p.y), 1e308)),
    "labels of two kinds": lambda p: replace(p, y=np.array([1, "a"] * len(p.y), dtype=object)[: len(p.y)]),
    "offset NaN": lambda p: replace(
        p, offset=np.full(np.shape(np.zeros((len(p.y), 3))) if np.unique(p.y).size > 2 else len(p.y), np.nan)
    ),
    "bad C": lambda p: replace(p, settings={"C": -1.0}),
    "bad bounds": lambda p: replace(p, settings={"C": 1.0, "lower": 1.0, "upper": 0.0}),
    "factors of another length": lambda p: replace(p, settings={"C": 1.0, "penalty_factor": np.ones(p.X.shape[1] + 1)}),
    "no columns": lambda p: replace(p, X=p.X[:, :0], form="given"),
    "no rows": lambda p: replace(p, X=p.X[:0], y=p.y[:0], sample_weight=None, offset=None, form="given"),
    "words": lambda p: replace(p, X=np.full(p.X.shape, "word"), form="given"),
    "three axes": lambda p: replace(p, X=p.X[:, :, None], form="given"),
    "zeros without intercept": lambda p: replace(p, X=0 * p.X, settings={"fit_intercept": False}),
}


def _with(problem, value):
    """X with a value in a row that has weight: others are none."""
    X = problem.X.astype(float)
    X[-1 if problem.sample_weight is None else problem.sample_weight.argmax(), 0] = value
    return X


def check_error(problem: Problem) -> None:
    """What is wrong is told by an EvenOddsError, and the model is as it was before."""
    model, _ = problem.fit()
    before = pickle.dumps({k: v for k, v in vars(model).items() if k.endswith("_") or k.startswith("_")})
    wrong = _WRONG[problem.facts["wrong"]](problem)
    fitted = {k: v for k, v in vars(model).items() if k.endswith("_")}
    model.set_params(**wrong.settings)
    if "bad" not in problem.facts["wrong"] and "factors" not in problem.facts["wrong"]:
        model.set_params(
            C=np.inf, l1_ratio=0.0, penalty_factor=None, lower=None, upper=None, firth=False, solver="auto"
        )
    try:
        quietly(model.fit, wrong.handed(), wrong.y, wrong.sample_weight, wrong.offset)
    except EvenOddsError:
        after = {k: v for k, v in vars(model).items() if k.endswith("_") or k.startswith("_")}
        assert set(fitted) == {k for k in after if k.endswith("_")}, "attributes come or go with a fit that failed"
        assert pickle.dumps(after) == before, "a fit that failed has changed the model"
        quietly(model.predict_proba, problem.handed())
        return
    raise AssertionError("wrong data are taken")


def draw_bits(rng: np.random.Generator) -> Problem:
    """A problem of any size."""
    return _draw.crossed(rng, most_rows=int(rng.choice([3000, 100_000], p=[0.95, 0.05])))


def check_bits(problem: Problem) -> None:
    """The same bits for one thread and two, in the main thread and in others, and again."""
    found = {"one thread": problem.fit(n_jobs=1)[0], "two threads": problem.fit(n_jobs=2)[0]}

    def work(name):
        model = LogisticRegression(**problem.settings, n_jobs=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found[name] = model.fit(problem.handed(), problem.y, problem.sample_weight, problem.offset)

    workers = [threading.Thread(target=work, args=(f"worker {k}",)) for k in range(1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    first = found.pop("one thread")
    for name, model in found.items():
        for what in ("coef_", "intercept_"):
            same = getattr(model, what).tobytes() == getattr(first, what).tobytes()
            assert same, f"{what} of {name} has other bits than that of one thread"


def draw_cost(rng: np.random.Generator) -> Problem:
    """A ridge or no penalty, as scikit-learn knows it."""
    while True:
        problem = _draw.crossed(rng, most_rows=100_000, forms=False)
        if set(problem.settings) <= {"C", "fit_intercept"} and problem.offset is None and problem.X.size > 2000:
            return problem


def check_cost(problem: Problem) -> None:
    """At most 20 times the time of scikit-learn, or a millisecond."""
    C, intercept = problem.settings.get("C", np.inf), problem.settings.get("fit_intercept", True)
    X = np.asarray(problem.X, float)

    def seconds(function):
        times = []
        while len(times) < 3 and sum(times) < 5:
            start = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                function()
            times.append(time.perf_counter() - start)
        return float(np.median(times))

    ours = seconds(lambda: LogisticRegression(**problem.settings).fit(X, problem.y, problem.sample_weight))
    theirs = seconds(lambda: Other(C=C, fit_intercept=intercept).fit(X, problem.y, problem.sample_weight))
    assert ours <= max(20 * theirs, 2e-2), f"a fit takes {ours:.3f} s, scikit-learn's {theirs:.3f}"


def draw_any(rng: np.random.Generator) -> Problem:
    """Not many rows."""
    return _draw.crossed(rng, most_rows=300)


FAMILIES = [
    Family("results path", draw_path, check_path, 12),
    Family("results cross-validation", draw_cv, check_cv, 6),
    Family("results inference", draw_inference, check_inference, 30),
    Family("results files", draw_any, check_files, 16),
    Family("results names", draw_any, check_names, 16),
    Family("results errors", draw_error, check_error, 40),
    Family("results bits", draw_bits, check_bits, 20),
    Family("results cost", draw_cost, check_cost, 0),
]
