"""Factorisations of matrices of long doubles, which LAPACK does not know."""

import numpy as np

wide = np.longdouble


def orthogonal(A):
    """Q of A = Q R and the diagonal of R, by Gram and Schmidt, twice."""
    Q, diagonal = A.copy(), np.zeros(A.shape[1], wide)
    for j in range(A.shape[1]):
        for _ in range(2):
            Q[:, j] -= Q[:, :j] @ (Q[:, :j].T @ Q[:, j])
        diagonal[j] = max(np.sqrt(Q[:, j] @ Q[:, j]), np.finfo(wide).tiny)
        Q[:, j] /= diagonal[j]
    return Q, diagonal


def cholesky(A):
    """The factor of a positive definite matrix of long doubles, else None."""
    L = np.zeros_like(A)
    for j in range(len(A)):
        column = A[j:, j] - L[j:, :j] @ L[j, :j]
        if not column[0] > 0:
            return None
        L[j:, j] = column / np.sqrt(column[0])
    return L


def substitute(L, b):
    """The x of L L' x = b, b a vector or a matrix."""
    x = np.array(b, wide)
    for i in range(len(L)):
        x[i] = (x[i] - L[i, :i] @ x[:i]) / L[i, i]
    for i in reversed(range(len(L))):
        x[i] = (x[i] - L[i + 1 :, i] @ x[i + 1 :]) / L[i, i]
    return x
