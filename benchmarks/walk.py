"""`python -m benchmarks.walk`: random shapes against scikit-learn's solvers, the worst ratio last.

With `--l1-ratio` the penalty is a lasso or an elastic net, and the peers are saga and, for a lasso of two classes,
liblinear, whose intercept is all but free.

Time is that of the processor, of one thread on either side, the least of a few fits in turns: it hardly depends on what
else the machine does. A time counts where the loss is within 1e-6 of the lowest that anyone found.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression as Theirs
from threadpoolctl import threadpool_limits

from benchmarks.score import value
from benchmarks.shapes import Shape, some
from evenodds import LogisticRegression

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


def peers(shape: Shape, l1_ratio: float) -> list[tuple[str, Any]]:
    """scikit-learn's solvers for the shape and the penalty, each with a loose and a tight tolerance."""
    found = []
    if l1_ratio == 0:
        solvers = ["lbfgs", "newton-cg"] + (["newton-cholesky"] if shape.columns * shape.classes <= 500 else [])
        found = [(solver, Theirs(C=shape.C, solver=solver, max_iter=2000)) for solver in solvers]
    else:
        found.append(("saga", Theirs(C=shape.C, solver="saga", l1_ratio=l1_ratio, max_iter=500, random_state=0)))
        if l1_ratio == 1 and shape.classes == 2:
            free = {"intercept_scaling": 100.0, "random_state": 0, "max_iter": 2000}
            found.append(("liblinear", Theirs(C=shape.C, solver="liblinear", l1_ratio=1, **free)))
    return [(name, clone(model).set_params(tol=tol)) for name, model in found for tol in (1e-4, 1e-6)]


def ratio(shape: Shape, l1_ratio: float) -> tuple[float, str]:
    """The time of scikit-learn's best over ours, and both in words."""
    (X, y), weights = shape.made(), shape.weights()
    if shape.sparse:  # liblinear takes no other indices
        X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    entries: list[tuple[str, Callable[[], Any]]] = []
    for tol in (1e-4, 1e-2):
        model = LogisticRegression(C=shape.C, l1_ratio=l1_ratio, tol=tol, n_jobs=1)
        entries.append(("ours", partial(model.fit, X, y, weights)))
    entries += [(name, partial(model.fit, X, y, weights)) for name, model in peers(shape, l1_ratio)]
    fits = [(name, *found) for (name, _), found in zip(entries, least([fit for _, fit in entries]), strict=True)]
    losses = [value(X, y, shape.C, model.intercept_, model.coef_, weights, l1_ratio) for _, _, model in fits]
    good = [fit for fit, low in zip(fits, losses, strict=True) if low <= min(losses) * (1 + _TARGET)]
    ours = min((took for name, took, _ in good if name == "ours"), default=np.inf)
    peer, best = min(((n, took) for n, took, _ in good if n != "ours"), key=lambda x: x[1], default=("none", np.inf))
    passes = fits[0][2].solution_.passes
    said = f"ours {1e3 * ours:8.2f} ms ({passes} reads, {fits[0][2].solution_.solver}), {peer} {1e3 * best:8.2f} ms"
    return best / ours, said


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.walk", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="how many shapes (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="other shapes (default 0)")
    parser.add_argument("--l1-ratio", type=float, default=0.0, help="of the penalty (default 0, a ridge)")
    parser.add_argument("--most", type=float, default=2e7, help="entries of X, of a dense one (default 2e7)")
    options = parser.parse_args()
    found = []
    with warnings.catch_warnings(), threadpool_limits(1, "blas"):
        warnings.simplefilter("ignore")
        for shape in some(options.count, options.seed, options.most):
            by, said = ratio(shape, options.l1_ratio)
            found.append((by, f"{shape}  {said}  {by:6.2f}"))
            print(found[-1][1], flush=True)
    found.sort(reverse=True)
    known = np.log([by for by, _ in found if np.isfinite(by) and by > 0])
    ahead = sum(by >= 1 for by, _ in found)
    print(f"\nat least as fast in {ahead} of {len(found)}; geometric mean {np.exp(known.mean()):.2f}; the slowest:")
    print("\n".join(said for _, said in found[-15:]))


if __name__ == "__main__":
    main()
