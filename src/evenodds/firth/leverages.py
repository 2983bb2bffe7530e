"""Rows at theta, scaled by the roots of their weights s p (1 - p): their Gram matrix I, and their leverages.

The leverages h are the diagonal of the projection on the scaled columns. With an inverse root W of I (W W' = I^-1)
they are the squared lengths of the rows of the scaled columns times W.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.special import expit

from ..data import Array
from ..objective import SignedRows

_EVEN = 1e-3  # a factor with such pivots has lost six digits at the most


@dataclass(frozen=True, slots=True)
class WeighedRows:
    """Rows at theta, for sums by plain NumPy.

    wrong : the probability of the class that a row does not have
    root : the root of s p (1 - p), by which the rows are scaled
    """

    rows: SignedRows
    loss: float
    wrong: Array
    root: Array

    @classmethod
    def at(cls, rows: SignedRows, theta: Array) -> "WeighedRows":
        """The rows at theta."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            loss, wrong, right = rows.losses(theta)
            h = wrong * right if rows.weight is None else rows.weight * wrong * right
            return cls(rows, loss, wrong, np.sqrt(h))

    def gram(self, white: Array | None = None) -> Array:
        """The products of the scaled columns, or of the combinations of them that `white` makes."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            scaled = self._scaled() if white is None else self._scaled() @ white
            product = scaled.T @ scaled
        return np.asarray(product.toarray() if sp.issparse(product) else product)

    def leverages(self, white: Array) -> Array:
        """The h_i: the diagonal of the projection on the scaled columns."""
        scaled = self._scaled()
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            if sp.issparse(scaled):
                Q = white.T @ scaled.T
            else:
                Q = np.matmul(white.T, scaled.T, out=room_for("whitened", scaled.shape).T)
            return np.asarray(np.einsum("ij,ij->j", Q, Q))

    def gradient(self, white: Array) -> Array:
        """The sum of the gradients of S J_F."""
        wrong, weight = self.wrong, self.rows.weight
        pull = self.leverages(white) * (wrong - 0.5)
        pull += wrong if weight is None else weight * wrong
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            return np.asarray(-(pull @ self.rows.D))

    def _scaled(self) -> Any:
        D = self.rows.D
        if sp.issparse(D):
            return sp.diags_array(self.root) @ D
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            return np.multiply(D, self.root[:, None], out=room_for("scaled", D.shape))


_rooms = threading.local()


def room_for(name: str, shape: tuple[int, ...]) -> Array:
    """Room for a few rows in F order that a thread keeps: new memory costs the system more than the arithmetic does."""
    m, k = shape
    held = getattr(_rooms, name, None)
    if held is None or held.size < m * k:
        held = np.empty(m * k)
        setattr(_rooms, name, held)
    return np.asarray(held[: m * k].reshape((m, k), order="F"))


def likelihood_score(rows: SignedRows, theta: Array) -> Array:
    """The gradient of S J, without J, which would take longer."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        wrong = expit(-rows.margins(theta))
        return np.asarray(-((wrong if rows.weight is None else rows.weight * wrong) @ rows.D))


def inverse_root(gram: Array, again: Callable[[Array], Array]) -> tuple[Array, float]:
    """A W with W W' = G^-1 for G = A'A, and log det G (-inf where G is singular).

    Where A'A has lost digits, A W is treated in the same way in its turn (shifted CholeskyQR: Fukaya, Kannan,
    Nakatsukasa, Yamamoto and Yanagisawa, SIAM J. Sci. Comput. 42, 2020).

    again : W -> (A W)'(A W)
    """
    k = len(gram)
    white, log_det = np.eye(k), 0.0
    for _ in range(5):
        size = np.sqrt(gram.diagonal())
        if not (np.isfinite(size).all() and (size > 0).all()):
            break
        unit = gram / size / size[:, None]
        factor, failed = scipy.linalg.lapack.dpotrf(unit, lower=1)
        if failed:
            factor, _ = scipy.linalg.lapack.dpotrf(unit + 1e-13 * k * np.eye(k), lower=1)
        inverse, _ = scipy.linalg.lapack.dtrtri(factor, lower=1)
        white = white @ (inverse.T / size[:, None])
        pivots = factor.diagonal()
        log_det += 2 * float(np.log(pivots).sum() + np.log(size).sum())
        if not failed and pivots.min() > _EVEN:
            return white, log_det
        gram = again(white)
    return white, -np.inf
