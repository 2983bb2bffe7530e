"""The plain oracle: Newton's method on rows in memory, with sums in extended precision; and readers of the cases."""

import csv
import json
import re
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np

DATA = Path(__file__).parent / "data"
wide = np.longdouble


def newton(X, y, *, weight=None, offset=None, ridge=0.0, intercept=True, steps=200):
    """The minimiser of sum_i s_i loss_i + sum_j ridge_j w_j^2 / 2, its log-likelihood and standard errors.

    Gradients are sums of long doubles; the step, which only has to point the right way, is solved in double. Columns
    are centred (beside an intercept) and scaled, and the answer is given for the raw ones.
    """
    X = np.asarray(X, dtype=wide)
    n, p = X.shape
    s = np.ones(n, wide) if weight is None else np.asarray(weight, wide)
    o = np.zeros(n, wide) if offset is None else np.asarray(offset, wide)
    y = np.asarray(y, wide)
    ridge = np.broadcast_to(np.asarray(ridge, wide), p)
    center = s @ X / s.sum() if intercept else np.zeros(p, wide)
    scale = np.sqrt(s @ (X - center) ** 2 / s.sum())
    D = (X - center) / scale
    penalty = ridge / scale**2
    if intercept:
        D = np.column_stack([np.ones(n, wide), D])
        penalty = np.concatenate([[wide(0)], penalty])
    theta = np.zeros(D.shape[1], wide)

    def value(theta):
        z = D @ theta + o
        losses = np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0) - y * z
        return s @ losses, s @ losses + penalty @ theta**2 / 2, z

    loss, J, z = value(theta)
    for _ in range(steps):
        t = np.exp(-np.abs(z))
        prob = np.where(z >= 0, 1, t) / (1 + t)
        gradient = D.T @ (s * (prob - y)) + penalty * theta
        H = (D.T @ ((s * t / (1 + t) ** 2)[:, None] * D) + np.diag(penalty)).astype(float)
        size = np.sqrt(np.diag(H))
        step = np.linalg.solve(H / size / size[:, None], (gradient / size).astype(float)) / size
        t = wide(1)
        while t > 1e-12 and not (new := value(theta - t * step))[1] <= J + abs(J) * 1e-17:
            t /= 2
        if t <= 1e-12:
            break
        theta, (loss, J, z) = theta - t * step, new
        if gradient @ step < 1e-34 * (1 + abs(J)):
            break
    inverse = np.linalg.inv(H / size / size[:, None]) / size / size[:, None]
    slopes = theta[int(intercept) :] / scale
    b = theta[0] - slopes @ center if intercept else wide(0)
    to_raw = np.zeros((p + 1, theta.size), wide)
    to_raw[1:, int(intercept) :] = np.diag(1 / scale)
    if intercept:
        to_raw[0, 0] = 1
        to_raw[0, 1:] = -center / scale
    se = np.sqrt(np.diag(to_raw @ inverse @ to_raw.T))
    return SimpleNamespace(
        intercept=float(b),
        coef=slopes.astype(float),
        log_likelihood=float(-loss),
        objective=float(J / s.sum()),
        se=se[1:].astype(float),
        se_intercept=float(se[0]),
    )


def case(name):
    """A reference case: its description, and its data as columns by name."""
    with open(DATA / f"{name}.json", encoding="utf-8") as file:
        record = json.load(file)
    path = DATA / f"{name}.csv"
    return record, columns(path) if path.exists() else None


def columns(path):
    """The columns of a numeric CSV, each number the double that is nearest to what is written."""
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return {name: np.array([float(row[k]) for row in rows]) for k, name in enumerate(header)}


def numbers(strings):
    """Numbers that are written as strings."""
    return np.array([float(value) for value in strings])


def log_likelihood(model, total_weight):
    """From the mean loss; for a fit without a penalty."""
    return -model.solution_.loss * total_weight


def quiet(function, *args, **kwargs):
    """The result, and the warnings that were given."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*args, **kwargs)
    return result, caught


def separating(message):
    """The sets of columns of high and of low values in the words of a SeparationWarning."""
    found = []
    for side in ("high", "low"):
        said = re.findall(rf"{side} values of columns? (.+?)(?= and low values of |, taken| belong to class)", message)
        found.append({name for words in said for name in re.findall(r"'([^']*)'", words)})
    return found
