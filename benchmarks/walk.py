"""`python -m benchmarks.walk`: random shapes against scikit-learn's solvers, with the slowest at the end.

With `--l1-ratio` the penalty is a lasso or an elastic net, and the peers are saga and, for a lasso of two classes,
liblinear, whose intercept is all but free.

Time is that of the processor, of one thread on either side, the least of a few fits in turns: it hardly depends on what
else the machine does. A time counts where the loss is within 1e-6 of the lowest that anyone found; shapes in which no
peer's is are listed apart, by our time, and so are those in which ours is not.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression as Theirs
from threadpoolctl import threadpool_limits

from benchmarks.score import value
from benchmarks.shapes import Shape, some
from evenodds import LogisticRegression, Status

_TARGET = 1e-6
_SPENT = 1.5  # seconds on each entry, at the most


def least(fits: list[Callable[[], Any]], repeats: int = 5) -> list[tuple[float, Any]]:
    """The least time of each fit, in turns, and its model."""
    best, models, spent = [np.inf] * len(fits), [None] * len(fits), [0.0] * len(fits)
    for turn in range(repeats):
        for k, fit in enumerate(fits):
            if turn and spent[k] > _SPENT:
                continue
            begin = time.process_time()
            models[k] = fit()
            took = time.process_time() - begin
            best[k], spent[k] = min(best[k], took), spent[k] + took
    return list(zip(best, models, strict=True))


@dataclass(frozen=True)
class Walked:
    """A shape, with its line as text.

    ours, peer : seconds; infinite where nobody's loss is low enough
    converged : whether we say so, of each fit
    """

    said: str
    ours: float
    peer: float
    converged: bool


def peers(shape: Shape, l1_ratio: float) -> list[tuple[str, Any]]:
    """scikit-learn's solvers for the shape and the penalty, each with a loose and a tight tolerance."""
    common: dict[str, Any] = {"C": shape.C, "l1_ratio": l1_ratio, "random_state": 0}
    if l1_ratio == 0:
        solvers = ["lbfgs", "newton-cg"] + (["newton-cholesky"] if shape.columns * shape.classes <= 500 else [])
    else:
        solvers = ["saga"] + (["liblinear"] if l1_ratio == 1 and shape.classes == 2 else [])
    found = []
    for solver in solvers:
        own: dict[str, Any] = {"intercept_scaling": 100.0} if solver == "liblinear" else {}
        most = 500 if solver == "saga" else 2000
        found += [(solver, Theirs(solver=solver, tol=tol, max_iter=most, **own, **common)) for tol in (1e-4, 1e-6)]
    return found


def walked(shape: Shape, l1_ratio: float) -> Walked:
    """The least time of ours and of scikit-learn's best."""
    (X, y), weights = shape.made(), shape.weights()
    if shape.sparse:  # liblinear takes no other indices
        X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    own = {"C": shape.C, "l1_ratio": l1_ratio, "n_jobs": 1}
    models = [*(("ours", LogisticRegression(tol=tol, **own)) for tol in (1e-4, 1e-2)), *peers(shape, l1_ratio)]
    found = least([partial(model.fit, X, y, weights) for _, model in models])
    fits = [(name, *fit) for (name, _), fit in zip(models, found, strict=True)]
    losses = [value(X, y, shape.C, model.intercept_, model.coef_, weights, l1_ratio) for _, _, model in fits]
    good = [fit for fit, low in zip(fits, losses, strict=True) if low <= min(losses) * (1 + _TARGET)]
    ours = min((took for name, took, _ in good if name == "ours"), default=np.inf)
    peer, best = min(((n, took) for n, took, _ in good if n != "ours"), key=lambda x: x[1], default=("none", np.inf))
    solutions = [model.solution_ for name, _, model in fits if name == "ours"]
    said = f"{shape}  ours {1e3 * ours:8.2f} ms ({solutions[0].passes} reads, {solutions[0].solver}), {peer}"
    by = f"{best / ours:6.2f}" if np.isfinite(best) and np.isfinite(ours) else "     -"
    return Walked(
        f"{said} {1e3 * best:8.2f} ms  {by}", ours, best, all(s.status is Status.CONVERGED for s in solutions)
    )


def summary(every: list[Walked]) -> Iterator[str]:
    """Where both got there, where we alone did, and where we did not."""
    both = sorted((one for one in every if np.isfinite(one.peer + one.ours)), key=lambda one: one.ours / one.peer)
    ratios = np.array([one.peer / one.ours for one in both])
    mean = f"; geometric mean {np.exp(np.log(ratios).mean()):.2f}" if both else ""
    yield f"\nat least as fast in {(ratios >= 1).sum()} of {len(both)} with a peer{mean}; the slowest:"
    yield from (one.said for one in both[-15:])
    alone = sorted((one for one in every if one.ours < one.peer == np.inf), key=lambda one: one.ours)
    yield f"\n{len(alone)} in which no peer got as low; the longest:"
    yield from (one.said for one in alone[-15:])
    lost = [one for one in every if one.ours == np.inf or not one.converged]
    yield f"\n{len(lost)} in which ours did not get there, or did not say CONVERGED:"
    yield from (one.said for one in lost)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.walk", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="how many shapes (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="other shapes (default 0)")
    parser.add_argument("--l1-ratio", type=float, default=0.0, help="of the penalty (default 0, a ridge)")
    parser.add_argument("--most", type=float, default=2e7, help="entries of X, of a dense one (default 2e7)")
    options = parser.parse_args()
    every = []
    with warnings.catch_warnings(), threadpool_limits(1, "blas"):
        warnings.simplefilter("ignore")
        for shape in some(options.count, options.seed, options.most):
            every.append(walked(shape, options.l1_ratio))
            print(every[-1].said, flush=True)
    print("\n".join(summary(every)))


if __name__ == "__main__":
    main()
