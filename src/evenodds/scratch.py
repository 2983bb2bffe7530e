"""The textbook: logistic regression from nothing but NumPy, to be read from top to bottom.

The data are m rows: X of shape (m, n) holds n features of each row, and y of shape (m,) its class, 0 or 1.
The model gives each feature a weight, w of shape (n,), and adds a bias b. The score of a row x,

    z = w . x + b        is the log of its odds:    log( P(y = 1) / P(y = 0) ) = z.

A score of 0 means even odds. The rows with even odds form a straight line (in n dimensions, a hyperplane):
the decision boundary. Learning means to find the w and b that make the classes we have seen most probable.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def sigmoid(z: ArrayLike) -> Vector:
    """Turn scores into probabilities: sigmoid(z) = 1 / (1 + e^-z), of the shape of z.

    e^-z overflows for z below -709. But 1 / (1 + e^-z) = e^z / (e^z + 1), so we take the exponential of
    -|z|, which is never above 1, and the form that goes with the sign of z. The result is right for any z.
    """
    z = np.asarray(z, dtype=float)
    e = np.exp(-np.abs(z))
    y_hat: Vector = np.where(z >= 0, 1.0, e) / (1.0 + e)
    return y_hat


def loss(y: ArrayLike, y_hat: ArrayLike) -> float:
    """Return the binary cross-entropy of labels y (m,) and probabilities y_hat (m,): how surprised we are.

        loss = -mean( y log(y_hat) + (1 - y) log(1 - y_hat) )

    In each row one of the two terms is multiplied by 0, so we only compute the other: the log of the
    likelihood, which is the probability that was given to the class that came. Then 0 log 0 is 0, not NaN.
    Knowing nothing (y_hat = 0.5) costs log 2 = 0.693; being certain and wrong costs infinity.
    """
    y = _labels(y, np.size(y))
    y_hat = _probabilities(y_hat, y.size)
    likelihood = np.where(y == 1, y_hat, 1.0 - y_hat)
    with np.errstate(divide="ignore"):  # log(0) = -inf is the truth here
        return float(np.mean(-np.log(likelihood)))


def gradients(X: ArrayLike, y: ArrayLike, y_hat: ArrayLike) -> tuple[Vector, float]:
    """Return the slope of the loss along each weight, dw of shape (n,), and along the bias, db.

        dw = X^T (y_hat - y) / m          db = mean( y_hat - y )

    The derivatives of the log and of the sigmoid cancel, and what is left is plain: each row pulls by its
    error y_hat - y, a number from -1 to 1, in the direction of its own features.
    """
    X = _matrix(X)
    m = len(X)
    error = _probabilities(y_hat, m) - _labels(y, m)
    return X.T @ error / m, float(np.mean(error))


def normalize(X: ArrayLike, reference: ArrayLike | None = None) -> Matrix:
    """Shift each column to mean 0 and scale it to standard deviation 1: one step size then fits all weights.

    New rows must be moved exactly as the training rows were: normalize(X_new, reference=X) takes the means
    and deviations from X. A column that is constant in the reference is only shifted: it has no scale.
    """
    X = _matrix(X)
    reference = X if reference is None else _matrix(reference)
    constant = np.ptp(reference, axis=0) == 0  # safer than std == 0: rounding can make the std 1e-17 here
    mean = np.where(constant, reference[0], reference.mean(axis=0))
    std = np.where(constant, 1.0, reference.std(axis=0))
    normalized: Matrix = (X - mean) / std
    return normalized


def epochs(
    X: ArrayLike, y: ArrayLike, bs: int = 100, lr: float = 0.01, seed: int = 0
) -> Iterator[tuple[Vector, float, float]]:
    """Learn by mini-batch gradient descent, for ever: after each epoch, give the weights (n,), bias and loss.

    An epoch shows every row once, in a new random order (the same for the same seed), in batches of bs rows.
    After each batch the parameters take one step downhill, of length lr times the slope. They start at 0,
    which is as good as any start: the loss is convex, a bowl with a single bottom.
    """
    X, y = _rows(X, y, bs)
    m, n = X.shape
    rng = np.random.default_rng(seed)
    w, b = np.zeros(n), 0.0
    while True:
        order = rng.permutation(m)
        for start in range(0, m, bs):
            batch = order[start : start + bs]
            y_hat = sigmoid(X[batch] @ w + b)
            dw, db = gradients(X[batch], y[batch], y_hat)
            w -= lr * dw
            b -= lr * db
        z = X @ w + b  # -log sigmoid(z) = log(e^0 + e^-z) stays finite where sigmoid(z) rounds to 0 or 1
        yield w.copy(), b, float(np.mean(np.logaddexp(0.0, np.where(y == 1, -z, z))))


_learn = epochs  # in train, whose promise is older, `epochs` is their number


def train(
    X: ArrayLike, y: ArrayLike, bs: int = 100, epochs: int = 1000, lr: float = 0.01, seed: int = 0
) -> tuple[Vector, float, Vector]:
    """Learn for a number of epochs: return the weights (n,), the bias and the losses (epochs,).

    If a line separates the classes there is no bottom: longer weights always fit better, so they grow for
    as long as we train. The loss goes to 0, but the weights do not converge.
    """
    X, y = _rows(X, y, bs)
    w, b, losses = np.zeros(X.shape[1]), 0.0, np.empty(epochs)
    for epoch, learnt in zip(range(epochs), _learn(X, y, bs, lr, seed), strict=False):
        w, b, losses[epoch] = learnt
    return w, b, losses


def predict(X: ArrayLike, w: ArrayLike, b: float) -> NDArray[np.int_]:
    """Return the more probable class of each row, 0 or 1, of shape (m,).

    The probability is above 1/2 exactly when the score is above 0, so no sigmoid is needed.
    """
    return (_matrix(X) @ _vector(w, np.size(w)) + b > 0).astype(int)


def accuracy(y: ArrayLike, y_hat: ArrayLike) -> float:
    """Return the share of rows whose predicted class y_hat (m,) is the true class y (m,)."""
    y_hat = _labels(y_hat, np.size(y_hat))
    return float(np.mean(_labels(y, y_hat.size) == y_hat))


def plot_decision_boundary(X: ArrayLike, y: ArrayLike, w: ArrayLike, b: float, ax: Any = None) -> Any:
    """Draw the rows of X (m, 2) by class, and the line of even odds; return the Matplotlib axes.

    The line is w . x + b = 0. Solving this for x2 divides by w2, which can be 0. Instead we start from the
    point of the line that is nearest to the origin, -b w / |w|^2, and go at right angles to w.
    """
    X, w = _matrix(X), _vector(w, 2)
    y = _labels(y, len(X))
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1]
    ax.scatter(*X[y == 0].T, marker="o", color="#0072B2", label="class 0")
    ax.scatter(*X[y == 1].T, marker="^", color="#D55E00", label="class 1")
    # Fixing the limits now keeps the view on the rows, wherever the line is.
    ax.set(xlabel="feature 1", ylabel="feature 2", xlim=ax.get_xlim(), ylim=ax.get_ylim())
    if w.any():  # without weights the odds are the same everywhere, and there is no line
        direction, distance = w / np.hypot(*w), -b / np.hypot(*w)
        nearest = distance * direction
        along = np.array([-direction[1], direction[0]]) * (1.0 + abs(distance))
        ax.axline(nearest, nearest + along, color="black", label="even odds")
    ax.legend()
    return ax


# The checks. Each stops a slip that NumPy would let pass and turn into a wrong number.


def _matrix(X: ArrayLike) -> Matrix:
    X = np.asarray(X, dtype=float)
    if X.ndim != 2 or X.size == 0 or not np.isfinite(X).all():
        raise ValueError(f"X must be a table (m, n) of finite numbers; its shape is {X.shape}")
    return X


def _vector(values: ArrayLike, m: int) -> Vector:
    """Return m numbers as (m,), also from a column (m, 1): (m, 1) minus (m,) would make a table (m, m)."""
    values = np.asarray(values, dtype=float)
    if max(values.shape, default=0) != m or values.size != m or m == 0:
        raise ValueError(f"expected {m} numbers, shape ({m},), but the shape is {values.shape}")
    return values.reshape(m)


def _rows(X: ArrayLike, y: ArrayLike, bs: int) -> tuple[Matrix, Vector]:
    X = _matrix(X)
    if bs < 1:
        raise ValueError(f"bs is the number of rows in a batch, at least 1, not {bs}")
    return X, _labels(y, len(X))


def _labels(y: ArrayLike, m: int) -> Vector:
    y = _vector(y, m)
    if not np.isin(y, (0, 1)).all():
        raise ValueError("classes must be 0 or 1")
    return y


def _probabilities(y_hat: ArrayLike, m: int) -> Vector:
    y_hat = _vector(y_hat, m)
    if not ((y_hat >= 0) & (y_hat <= 1)).all():
        raise ValueError("probabilities must be from 0 to 1; sigmoid makes them from scores")
    return y_hat
