"""Rows at theta, scaled by the roots of their weights s p (1 - p): their Gram matrix I, and their leverages.

The leverages h are the diagonal of the projection on the scaled columns. With an inverse root W of I (W W' = I^-1)
they are the squared lengths of the rows of the scaled columns times W.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import expit

from ..arrays import Array
from ..kernels import algebra
from ..kernels.algebra import cholesky, dot, gram, product
from ..objective.signed import SignedRows

_COUNTS = 0.1  # the leverage from which a row holds a direction nearly alone
_LEEWAY = 3.0
_EVEN = 1e-3  # a factor with such pivots has lost six digits at the most


@dataclass(frozen=True, slots=True)
class WeighedRows:
    """Rows at theta, for sums by plain NumPy.

    wrong : the probability of the class that a row does not have
    root : the root of s p (1 - p), by which the rows are scaled
    """

    rows: SignedRows
    theta: Array
    loss: float
    wrong: Array
    root: Array

    @classmethod
    def at(cls, rows: SignedRows, theta: Array) -> "WeighedRows":
        """The rows at theta."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            loss, wrong, right = rows.losses(theta)
            h = wrong * right if rows.weight is None else rows.weight * wrong * right
            return cls(rows, theta, loss, wrong, np.sqrt(h))

    def gram(self, white: Array | None = None) -> Array:
        """The products of the scaled columns, or of the combinations of them that `white` makes."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            scaled = self._scaled() if white is None else product(self._scaled(), white)
            if not sp.issparse(scaled):
                return gram(scaled)
            return np.asarray((scaled.T @ scaled).toarray())

    def variances(self, white: Array) -> Array:
        """The v_i = x_i' I^-1 x_i, of the scores; the leverages h are root^2 v."""
        Q = self._whitened(white)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            return np.asarray(np.einsum("ij,ij->j", Q, Q))

    def leverages(self, white: Array) -> Array:
        """The h_i: the diagonal of the projection on the scaled columns."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            return np.asarray(self.root**2 * self.variances(white))

    def pulls(self, white: Array) -> tuple[Array, list[tuple[float, float, float]], float]:
        """The gradients of S J and of its penalty, what is largest (see `Point`), and the sum of s v / 4."""
        wrong, weight = self.wrong, self.rows.weight
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            v = self.variances(white)
            h = self.root**2 * v
            pulls = np.stack([wrong if weight is None else weight * wrong, h * (wrong - 0.5)])
            mass = float(v.sum() if weight is None else dot(weight, v)) / 4
            by_weight = h if weight is None else h / weight
            largest, stretch, loosest = (float(a.max(initial=0.0)) for a in (v, by_weight, v[h > _COUNTS]))
            return -product(self.rows.D.T, pulls.T).T, [(largest, stretch, loosest)], mass

    def curvature(self, white: Array, far: bool) -> Array:
        """X'diag((s + h) p (1 - p))X in the basis of `white`; if `far`, with the safe curvature."""
        Q, weight = self._whitened(white), self.rows.weight
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            h = self.root**2 * np.einsum("ij,ij->j", Q, Q)
            s = np.ones(1) if weight is None else weight
            by_row = safe_curvature(s, h, self.rows.margins(self.theta)) if far else self.root**2 * (1 + h / s)
            return gram(Q.T, by_row)

    def bend(self, white: Array) -> tuple[Array, Array]:
        """U' diag(v a^2/2) U and sum_i a_i q_i (u_i u_i'), (k, k^2), of `FirthObjective.hessian_of`."""
        Q = self._whitened(white)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            v, U = np.einsum("ij,ij->j", Q, Q), Q * self.root
            a = 2 * self.wrong - 1  # by the margin
            pairs = (U[:, None, :] * U[None, :, :]).reshape(-1, U.shape[1])
            return gram(U.T, 0.5 * v * a**2), product(Q * a, pairs.T)

    def _whitened(self, white: Array) -> Array:
        """The plain rows times `white`, (k, m)."""
        D = self.rows.D
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            if sp.issparse(D):
                return np.asarray(white.T @ D.T)
            return np.asarray(product(white.T, D.T, room_for("whitened", D.shape).T))

    def _scaled(self) -> Any:
        D = self.rows.D
        if sp.issparse(D):
            return sp.diags_array(self.root) @ D
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            return np.multiply(D, self.root[:, None], out=room_for("scaled", D.shape))


def safe_curvature(s: Array, h: Array, z: Array) -> Array:
    """Of rows with margins z and their pseudo-observations: such that no step goes beyond where it holds by much.

    tanh(z/2) / 2z is that of a parabola which touches log(1 + e^-z) at z and at -z and is nowhere below it (Jaakkola
    and Jordan, Statistics and Computing 10, 2000). It serves what is on the wrong side, whose curvature vanishes while
    its pull does not. What is on the right side has neither, and takes its own curvature `_LEEWAY` nearer to z = 0. A
    pair of pseudo-observations takes the parabola on both sides: its step ends at z = 0, where the pair's minimum is.
    """
    size = np.abs(z)
    with np.errstate(all="ignore"):
        wrong = np.where(size > 1e-3, np.tanh(size / 2) / (2 * size), 0.25)
        t = np.exp(-size)
        right = np.minimum(wrong, math.exp(_LEEWAY) * t / (1 + t) ** 2)
        return np.asarray(s * np.where(z < 0, wrong, right) + h * wrong)


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
        return np.asarray(-product(wrong if rows.weight is None else rows.weight * wrong, rows.D))


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
        sound = cholesky(unit)
        factor = cholesky(unit + 1e-13 * k * np.eye(k)) if sound is None else sound
        if factor is None:
            break
        white = product(white, algebra.inverse_root(factor) / size[:, None])
        pivots = factor.diagonal()
        log_det += 2 * float(np.log(pivots).sum() + np.log(size).sum())
        if sound is not None and pivots.min() > _EVEN:
            return white, log_det
        gram = again(white)
    return white, -np.inf
