"""The problems: seeded data sets, written once to a folder that every worker process loads from.

Dense columns are a Gaussian AR(1) chain: neighbours have a correlation of 0.5. Sparse rows look like text:
every row names 72 of the columns, the frequency of a column falls as the inverse of its rank, the values are
tf-idf weights and every row has length 1. Labels are drawn from a logistic model.

Wide columns are independent, 50 of them count. Images look like handwritten digits to a linear model: ten classes
with a few styles each, smooth strokes, four pixels in five are 0, the border nearly always, values in 255ths.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[Any]
CLASSES = 10


@dataclass(frozen=True)
class DataSet:
    """A named generator and its sizes; `raw_twin` says whether the scale contest has a copy on raw scales."""

    name: str
    rows: int
    columns: int
    make: Callable[[int, int, np.random.Generator], tuple[Any, Array]]
    sparse: bool = False
    raw_twin: bool = False
    fixed: bool = False

    def divided(self, scale: int) -> DataSet:
        """The same data with fewer rows, and with fewer columns where rows would no longer outnumber them."""
        if scale == 1 or self.name == "breast-cancer":
            return self
        rows = max(self.rows // scale, 500)
        if self.fixed:  # pictures keep their pixels
            return replace(self, rows=rows)
        many = self.sparse or self.columns > self.rows
        columns = max(self.columns // scale, 1_000) if many else min(self.columns, max(rows // 20, 10))
        return replace(self, rows=rows, columns=columns)


@dataclass(frozen=True)
class Problem:
    """What is minimised on a data set, how closely, and by whom (`solvers` empty: by everybody who can).

    kind : a row of `cast.CAST`
    grid : points of a path and the last strength over the first; strengths : what they are on the data
    patience : a peer is stopped after so many times the best peer so far; 0 for (1 + cores)
    bars : (peer, or empty for the best of all; what its time over ours is to be)
    at_defaults : everybody at its default tolerance, whatever that reaches
    """

    name: str
    data: str
    C: float
    target: float
    solvers: tuple[str, ...] = ()
    standardize: bool = False
    firth: bool = False
    kind: str = "smooth"
    l1_ratio: float = 0.0
    grid: tuple[int, float] = (0, 1.0)
    strengths: tuple[float, ...] = ()
    patience: float = 0.0
    bars: tuple[tuple[str, str], ...] = ()
    at_defaults: bool = False

    @property
    def part(self) -> str:
        """What --only calls it."""
        return "cv" if self.kind == "cv" else self.name

    def on(self, X: Any, y: Array) -> Problem:
        """With the strengths of its grid: they fall from the least that holds all coefficients at 0.

        A ridge has no such strength and takes scikit-learn's grid, C from 1e-4 to 1e4.
        """
        points, last = self.grid
        if points == 0:
            return self
        if self.l1_ratio == 0:
            found = 1 / (len(y) * np.logspace(-4, 4, points))
        else:
            largest = np.abs((y - y.mean()) @ X).max() / len(y) / self.l1_ratio
            found = largest * (np.geomspace(1.0, last, points) if points > 1 else np.array([last]))
        return replace(self, strengths=tuple(found.tolist()))


def dense(rows: int, columns: int, rng: np.random.Generator) -> tuple[Array, Array]:
    X = np.empty((rows, columns))
    y = np.empty(rows)
    w = rng.standard_normal(columns)
    distance = np.abs(np.subtract.outer(np.arange(columns), np.arange(columns)))
    w *= 1.5 / np.sqrt(w @ 0.5**distance @ w)  # the scores have standard deviation 1.5: Bayes accuracy about 0.77
    for start in range(0, rows, 10_000):
        block = X[start : start + 10_000]
        rng.standard_normal(out=block)
        for j in range(1, columns):
            block[:, j] = 0.5 * block[:, j - 1] + np.sqrt(0.75) * block[:, j]
        y[start : start + 10_000] = draw_labels(block @ w - 0.5, rng)
    return X, y


def factors(rows: int, columns: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Columns that share ten factors, as measurements of the same things do: worse conditioned than `dense`."""
    loadings = rng.standard_normal((10, columns)) / np.sqrt(10)
    X = rng.standard_normal((rows, columns)) + rng.standard_normal((rows, 10)) @ loadings
    scores = X @ rng.standard_normal(columns)
    return X, draw_labels(1.5 * (scores - scores.mean()) / scores.std() - 0.5, rng)


def text(rows: int, columns: int, rng: np.random.Generator, per_row: int = 72) -> tuple[Any, Array]:
    frequency = 1.0 / np.arange(1.0, columns + 1.0)
    cumulative = np.cumsum(frequency / frequency.sum())
    indices = [distinct(rng, cumulative, min(2000, rows - start), per_row) for start in range(0, rows, 2000)]
    columns_of = np.concatenate(indices)
    shape, indptr = (rows, columns), np.arange(0, rows * per_row + 1, per_row)
    seen = np.maximum(np.bincount(columns_of.ravel(), minlength=columns), 1)
    values = (1.0 + rng.exponential(size=columns_of.shape)) * (1.0 + np.log(rows / seen))[columns_of]
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    X = sparse.csr_matrix((values.ravel(), columns_of.ravel().astype(np.int32), indptr.astype(np.int32)), shape)
    scores = X @ rng.standard_normal(columns)
    return X, draw_labels(3.0 * (scores - scores.mean()) / scores.std() - 0.5, rng)


def distinct(rng: np.random.Generator, cumulative: Array, rows: int, per_row: int) -> Array:
    """Columns of each row, sorted: the first `per_row` distinct ones among draws by frequency."""
    draws = np.searchsorted(cumulative, rng.random((rows, 4 * per_row))).clip(max=len(cumulative) - 1)
    order = np.argsort(draws, axis=1, kind="stable")
    in_order = np.take_along_axis(draws, order, axis=1)
    repeated = np.zeros(draws.shape, bool)
    again = np.diff(in_order, axis=1, prepend=-1) == 0
    np.put_along_axis(repeated, order, again, axis=1)
    first = np.argsort(repeated, axis=1, kind="stable")[:, :per_row]
    return np.sort(np.take_along_axis(draws, first, axis=1), axis=1)


def wide(rows: int, columns: int, rng: np.random.Generator) -> tuple[Array, Array]:
    X = rng.standard_normal((rows, columns))
    return X, draw_labels(0.5 * (X[:, :50] @ rng.standard_normal(50)), rng)


def of_classes(rows: int, columns: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """The columns of `dense`; scores of ten classes with standard deviation 1.5."""
    X, _ = dense(rows, columns, rng)
    scores = X @ rng.standard_normal((columns, CLASSES))
    scores *= 1.5 / scores.std(axis=0)
    return X, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1).astype(float)


def images(rows: int, columns: int, rng: np.random.Generator) -> tuple[Array, Array]:
    side, styles, waves = 28, 4, 120
    at = np.arange(side) - (side - 1) / 2
    blur = np.exp(-(np.subtract.outer(at, at) ** 2) / (2 * 2.0**2))
    blur /= np.linalg.norm(blur, axis=1, keepdims=True)  # smooth fields with variance 1
    fields = np.einsum("ia,kab,jb->kij", blur, rng.standard_normal((CLASSES * (1 + styles) + waves, side, side)), blur)
    window = np.exp(-((np.hypot(*np.meshgrid(at, at)) / 11.0) ** 6))
    common, own, basis = np.split(fields.reshape(-1, columns), [CLASSES, CLASSES * (1 + styles)])
    y = rng.integers(CLASSES, size=rows)
    style = y * styles + rng.integers(styles, size=rows)
    X = np.empty((rows, columns))
    for start in range(0, rows, 10_000):
        part = slice(start, min(start + 10_000, rows))
        noise = rng.standard_normal((part.stop - part.start, waves)) @ (basis / np.sqrt(waves))
        ink = 0.5 * common[y[part]] + 0.6 * own[style[part]] + 0.9 * noise - 0.7
        X[part] = np.round(255 * (1.2 * ink * window.ravel()).clip(0, 1)) / 255
    return X, y.astype(float)


def breast_cancer(rows: int, columns: int, rng: np.random.Generator) -> tuple[Array, Array]:
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y.astype(float)


def folds() -> Any:
    """Of cross-validation, the same for everybody."""
    from sklearn.model_selection import StratifiedKFold

    return StratifiedKFold(5, shuffle=True, random_state=0)


def draw_labels(scores: Array, rng: np.random.Generator) -> Array:
    return (rng.random(len(scores)) * (1.0 + np.exp(-scores)) < 1.0).astype(float)


def raw_scales(columns: int) -> tuple[Array, Array]:
    """Scales from 1e-3 to 1e3 in random order; means 5 to 50 standard deviations from 0, of either sign."""
    rng = np.random.default_rng(7)
    scale = rng.permutation(np.logspace(-3, 3, columns))
    return scale, scale * rng.uniform(5, 50, columns) * rng.choice([-1.0, 1.0], columns)


DATA = (
    DataSet("1Mx50", 1_000_000, 50, dense, raw_twin=True),
    DataSet("3Mx10", 3_000_000, 10, dense, raw_twin=True),
    DataSet("200kx200", 200_000, 200, dense, raw_twin=True),
    DataSet("20kx1k", 20_000, 1_000, dense, raw_twin=True),
    DataSet("20kx1k-factors", 20_000, 1_000, factors),
    DataSet("sparse", 200_000, 50_000, text, sparse=True),
    DataSet("breast-cancer", 569, 30, breast_cancer),
    DataSet("10kx20", 10_000, 20, dense),
    DataSet("200kx50", 200_000, 50, dense),
    DataSet("1kx20k", 1_000, 20_000, wide),
    DataSet("200kx100", 200_000, 100, dense),
    DataSet("20kx200-classes", 20_000, 200, of_classes),
    DataSet("5kx20", 5_000, 20, dense),
    DataSet("2kx500", 2_000, 500, dense),
    DataSet("500x5k", 500, 5_000, wide),
    DataSet("300x20k", 300, 20_000, wide),
    DataSet("images", 60_000, 784, images, fixed=True),
)


def lasso(kind: str, grid: tuple[int, float], *bars: tuple[str, str], l1_ratio: float = 1.0) -> dict[str, Any]:
    return {"kind": kind, "grid": grid, "bars": bars, "l1_ratio": l1_ratio}


MAXIMUM_LIKELIHOOD = ("evenodds", "newton-cholesky", "lbfgs", "glum", "statsmodels")
FIRTH = ("evenodds", "firthmodels numba", "firthmodels numpy")
ADELIE, GLMNET = ("adelie", "adelie, one thread"), ("glmnet", "glmnet, modified Newton")
SPARSE_LASSO = ("evenodds", "liblinear", "skglm", "celer", "celer, Newton")
ONE_LASSO = ("evenodds", "adelie, one thread", "skglm", "celer, Newton", "liblinear")
WIDE_PATH = ("evenodds", *ADELIE, "skglm", "celer", "celer, Newton", *GLMNET)
TALL_PATH = ("evenodds", *ADELIE, *GLMNET, "glum", "glum, approximate Hessian")
CV_LASSO = ("evenodds", *(f"{solver}, n_jobs={k}" for solver in ("liblinear", "saga") for k in (1, 2)))
CV_RIDGE = (
    "evenodds",
    *(f"{solver}, n_jobs={k}" for solver in ("newton-cholesky", "lbfgs", "liblinear") for k in (1, 2)),
)
CV: dict[str, Any] = {"kind": "cv", "grid": (100, 1e-3), "bars": (("", "10x"),)}
PROBLEMS = (
    Problem("1Mx50", "1Mx50", 1.0, 1e-10),
    Problem("3Mx10", "3Mx10", 1.0, 1e-10),
    Problem("200kx200", "200kx200", 1.0, 1e-10),
    Problem("20kx1k", "20kx1k", 1.0, 1e-10),
    Problem("20kx1k-factors", "20kx1k-factors", 1.0, 1e-10),
    Problem("sparse-C1", "sparse", 1.0, 1e-8),
    Problem("sparse-C100", "sparse", 100.0, 1e-8),
    Problem("breast-cancer", "breast-cancer", 1.0, 1e-10),
    # statsmodels has no ridge, so it is compared here
    Problem("1Mx50-unpenalised", "1Mx50", inf, 1e-10, MAXIMUM_LIKELIHOOD),
    # Firth's penalised likelihood
    Problem("10kx20-firth", "10kx20", inf, 1e-10, FIRTH, firth=True),
    Problem("200kx50-firth", "200kx50", inf, 1e-10, FIRTH, firth=True),
    # lasso and elastic net; so much patience with the first, because its bars are about peers of different speed
    Problem(
        *("wide-path", "1kx20k", inf, 1e-7, WIDE_PATH),
        **lasso("path", (100, 0.05), ("adelie", "2.2x"), ("skglm", "8x")),
        patience=30.0,
    ),
    Problem("tall-path-lasso", "200kx100", inf, 1e-9, TALL_PATH, **lasso("path", (100, 0.01), ("", "2.5x"))),
    Problem(
        *("tall-path-enet", "200kx100", inf, 1e-9, TALL_PATH),
        **lasso("path", (100, 0.01), ("", "2.5x"), l1_ratio=0.5),
    ),
    Problem("sparse-lasso-0.1", "sparse", inf, 1e-7, SPARSE_LASSO, **lasso("lasso", (1, 0.1), ("", "2x"))),
    Problem("sparse-lasso-0.01", "sparse", inf, 1e-7, SPARSE_LASSO, **lasso("lasso", (1, 0.01), ("", "2x"))),
    *(
        Problem(f"lasso-{data}-{share}", data, inf, 1e-6, ONE_LASSO, **lasso("lasso", (1, share), ("", "1x")))
        for data in ("breast-cancer", "5kx20", "2kx500", "500x5k", "300x20k")
        for share in (0.3, 0.05, 0.01)
    ),
    # more than two classes
    Problem("multinomial-20kx200", "20kx200-classes", 1.0, 1e-7, kind="classes", bars=(("", "8x"),)),
    Problem("multinomial-60kx784", "images", 1.0, 1e-7, kind="classes", bars=(("", "15x"),)),
    # cross-validation
    Problem("cv-lasso", "breast-cancer", inf, 1e-6, CV_LASSO, **CV, l1_ratio=1.0),
    Problem("cv-ridge", "breast-cancer", inf, 1e-6, CV_RIDGE, **CV),
    Problem("cv-lasso-default-tol", "breast-cancer", inf, inf, CV_LASSO, **CV, l1_ratio=1.0, at_defaults=True),
    Problem("cv-ridge-default-tol", "breast-cancer", inf, inf, CV_RIDGE, **CV, at_defaults=True),
)


def write(data: DataSet, folder: Path) -> tuple[Any, Array]:
    X, y = data.make(data.rows, data.columns, np.random.default_rng(2024))
    folder.mkdir(parents=True)
    np.save(folder / "y.npy", y)
    if data.sparse:
        sparse.save_npz(folder / "X.npz", X, compressed=False)
    else:
        np.save(folder / "X.npy", X)
    return X, y


def write_raw_twin(X: Array, y: Array, folder: Path) -> None:
    scale, mean = raw_scales(X.shape[1])
    folder.mkdir(parents=True)
    np.save(folder / "y.npy", y)
    np.save(folder / "X.npy", X * scale + mean)


def load(folder: Path) -> tuple[Any, Array]:
    """X and y in this process's own memory: read-only or mapped arrays would be another contest."""
    dense_file = folder / "X.npy"
    X = np.load(dense_file) if dense_file.exists() else sparse.load_npz(folder / "X.npz")
    return X, np.load(folder / "y.npy")
