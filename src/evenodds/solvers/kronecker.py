"""The metric for several classes: a Kronecker product of what classes share and what columns share.

The Hessian of the softmax loss is a mean over rows of (diag(p) - p p') (x) x x'. With the two factors averaged
on their own it is M (x) G, M (F, F) for the classes and G (k, k) for the columns less their means, and with the
penalty M (x) G + I (x) R. The eigenvectors of both factors make it diagonal, so that solving costs two small products.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..arrays import Array
from ..data import Block
from ..kernels.algebra import eigen, gram, product
from ..objective import Objective
from ..objective.softmax import Softmax
from . import Metric
from .conjugate import usual_sum

_SINGLE = 192  # columns from which G is computed in single precision
_FLOOR = 1e-10  # of the largest eigenvalue: what has no curvature and no penalty takes no long step


class Kronecker:
    """M (x) G + I (x) R on the slopes, M on the intercepts, which the means of the columns leave alone."""

    def __init__(self, M: Array, G: Array, ridge: Array, means: Array, intercept: bool) -> None:
        self._intercept, self._means = intercept, means
        m, self._classes = eigen(M)
        m = np.maximum(m, 0.0)
        # A class direction without curvature is that of all intercepts together, along which nothing changes.
        self._free = np.where(m > 1e-12 * m[-1], 1 / np.maximum(m, 1e-300), 0.0)
        if G.ndim == 1:
            self._columns: Any = None
            curvature = np.outer(m, G) + ridge
        else:
            # In columns of unit penalty the penalty is the identity, and the eigenvectors of G are those of the sum.
            size = 1 / np.sqrt(ridge) if (ridge > 0).all() else np.ones_like(ridge)
            g, vectors = eigen(G * size * size[:, None])
            self._columns = vectors * size[:, None]
            curvature = np.outer(m, np.maximum(g, 0.0)) + (1.0 if (ridge > 0).all() else 0.0)
        self._inverse = 1 / np.maximum(curvature, _FLOOR * curvature.max(initial=1e-300))

    def solve(self, g: Array) -> Array:
        """P^-1 g."""
        table, means = g.reshape(self._classes.shape[0], -1), self._means
        by_intercept = table[:, 0] if self._intercept else None
        slopes = table[:, 1:] - np.outer(table[:, 0], means) if self._intercept else table
        turned = product(self._classes.T, slopes)
        turned = turned if self._columns is None else product(turned, self._columns)
        turned *= self._inverse
        step = product(self._classes, turned if self._columns is None else product(turned, self._columns.T))
        if by_intercept is None:
            return np.asarray(step.ravel())
        level = product(self._classes, self._free * product(self._classes.T, by_intercept)) - product(step, means)
        return np.concatenate([level[:, None], step], axis=1).ravel()


def sample_probabilities(objective: Objective, theta: Array, sample: Block) -> Array:
    """P, the probabilities of the classes that are free, of the rows of a sample."""
    classes = objective.classes
    scores = Softmax(objective.coordinates, classes.table(theta), classes.baseline)
    return scores.probabilities(sample)[1][:, int(classes.baseline) :]


def curvature(P: Array, sample: Block) -> float:
    """The mean curvature of the rows, sum_k p_k (1 - p_k)."""
    return float(np.average(np.einsum("ij,ij->i", P, 1 - P), weights=sample.weight))


def kronecker(objective: Objective, P: Array, sample: Block, together: bool, *, alike: bool = False) -> Metric:
    """The metric where a sample of the rows has probabilities P: both factors from it, weighted by its curvature.

    together : whether columns are seen together, which takes the eigenvectors of G, or one by one
    alike : whether single columns have at least a row's curvature for each column: see `conjugate`
    """
    weight = np.ones(sample.n_rows) if sample.weight is None else sample.weight
    weight = weight / weight.sum()
    M = np.diag(product(weight, P)) - product((P * weight[:, None]).T, P)
    h = weight * np.einsum("ij,ij->i", P, 1 - P)
    h = h / h.sum() if h.sum() > 1e-12 else weight
    D = objective.coordinates.design(sample)
    means = np.asarray(product(h, D)).ravel() if objective.coordinates.intercept else np.zeros(D.shape[1])
    if not together:
        squares = D.multiply(D) if sp.issparse(D) else np.square(D)
        G = np.maximum(np.asarray(product(h, squares)).ravel() - means**2, 0.0)
    else:
        dtype = np.float32 if D.shape[1] >= _SINGLE else np.float64
        D = ((D - means) * np.sqrt(h)[:, None]).astype(dtype, copy=False)
        G = gram(D)
    ridge = objective.ridge
    if alike:
        ridge = ridge * (1 + usual_sum(float(np.trace(M)) / len(M) * G / ridge) / objective.data.n_rows)
    return Kronecker(M, G, ridge, means, objective.coordinates.intercept)
