"""Covariances of coefficients by their formulas, in long double."""

from dataclasses import replace

import numpy as np

from ._long_double import cholesky, substitute, wide
from ._oracle import Objective

_NOTHING = 1e-30  # of what a variance would be if each score were as large as it can be


def covariance(objective, theta, kind, groups, weight):
    """The covariance of the coefficients of raw columns, classes one after another; and what doubles may lose of it.

    None where classes share a direction that changes no probability.
    """
    q, there = objective.q, objective.part.there
    if len(q.free) == q.offset.shape[1]:
        return None
    bare = Objective(replace(q, l2=0 * q.l2))
    information = bare.derivatives(theta)[1] / q.unit
    K, k = objective.shape
    kept = np.flatnonzero(np.tile(there, K))
    meat = information[np.ix_(kept, kept)]
    A = meat + np.diag(np.tile(objective.part.l2, K)[kept] / q.unit)
    if kind != "model":
        meat = _sandwiched(objective, theta, kept, groups, weight)
    size = np.sqrt(np.diag(A))
    L = cholesky(A / size / size[:, None])
    if L is None:
        return None
    inverse = substitute(L, np.eye(len(A), dtype=wide)) / size / size[:, None]
    V = inverse @ meat @ inverse
    one = np.zeros((1 + len(q.scale), k), wide)
    one[0, 0], one[0, 1:], one[1:, 1:] = q.intercept, -q.center / q.scale, np.diag(1 / q.scale)
    raw = np.kron(np.eye(K, dtype=wide), one[there])[:, kept]
    worst = np.linalg.cond((A / size / size[:, None]).astype(float))
    terms = (np.abs(objective.D) @ np.abs(theta).T).max()
    V, inverse = (np.asarray(raw @ a @ raw.T, float) for a in (V, inverse))
    nothing = np.diag(V) <= _NOTHING * np.diag(inverse)  # not to be known in long doubles, which made some negative
    V[nothing] = V[:, nothing] = 0
    shares = np.diag(inverse)[np.diag(V) > 0] / np.diag(V)[np.diag(V) > 0]
    return V, 1e-15 * float(worst) * (1 + float(terms)) * float(shares.max(initial=1))


def _sandwiched(objective, theta, kept, groups, weight):
    """The sum of squares of the scores of rows (of weight s: s rows), or of clusters of them times G / (G - 1)."""
    q, s = objective.q, objective.raw_weights()
    _, P = objective.losses(theta)
    residual = (P - (np.arange(P.shape[1]) == q.y[:, None]))[:, q.free]
    u = (residual[:, :, None] * objective.D[:, None, :]).reshape(len(s), -1)[:, kept]
    if groups is None:
        return (u * s[:, None]).T @ u
    mine = np.asarray(groups) if weight is None else np.asarray(groups)[np.asarray(weight) > 0]
    U = np.stack([(u * s[:, None])[mine == g].sum(axis=0) for g in np.unique(mine)])
    return U.T @ U * (len(U) / wide(len(U) - 1))
