"""The penalty of lasso and elastic net, and its box, for any number of classes.

    J = F + sum_k Omega(theta_k),     F the mean softmax loss, Omega the same penalty and box for each class

with coefficients for every class: the symmetric parametrisation of Friedman, Hastie and Tibshirani (J. Stat. Softw. 33,
2010, section 4). Theta is one vector, the classes one after another, so that the penalty of all is `Penalty` again and
its gap is Fenchel's as for two classes: residuals are probabilities less the indicator of the label, and these remain
so when they are shrunk towards 0. (The bound on what shrinking costs is the same, with p the probability of the label.)

Adding one number to the coefficients of all classes in a column changes no probability. Where the penalty leaves it
open, the one taken is theirs (section 4.1): without a penalty, as under a ridge, the coefficients of a column sum to 0;
those of a lasso have a median of 0, the middle of what is possible if the classes are even in number.
"""

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..coordinates import Coordinates
from ..kernels.algebra import product
from .penalty import Penalty

_SLIGHT_PENALTY = 1e-6  # beside the curvature of columns of unit size
_SLIGHT = 1e-10  # of the curvature of a column, for a shift within bounds


def for_classes(penalty: Penalty, n_classes: int) -> Penalty:
    """The penalty of one class, for each."""
    fields = (penalty.l1, penalty.l2, penalty.lower, penalty.upper)
    return Penalty(*(np.tile(values, n_classes) for values in fields))


def anchored(H: Array, penalty: Penalty, columns: NDArray[np.intp]) -> Array:
    """A Hessian by coefficients of these columns, with curvature where what all classes share changes nothing.

    Any will do where there is neither penalty nor bounds, and under a ridge for a theta that is `centred`: one that is
    slight beside rounding would not tell how far a theta is. A bound makes of a shift more than that: little is given,
    since with none all classes go as far as rounding takes them, and scores lose their digits.
    """
    slight = _unbounded(penalty) & (penalty.l1 == 0) & (penalty.l2 <= _SLIGHT_PENALTY)
    free = np.flatnonzero(penalty.bare | slight)
    shared = columns[free][:, None] == columns[free]
    share = np.where(_unbounded(penalty)[free], 1.0, _SLIGHT)
    H[np.ix_(free, free)] += shared * (share * product(shared, H.diagonal()[free]) / shared.sum(axis=1) ** 2)
    return H


def centred(penalty: Penalty, theta: Array, n_classes: int) -> Array:
    """Theta with the shift of each column that the penalty leaves open chosen as told above, within the bounds."""
    W = theta.reshape(n_classes, -1)
    l1, l2, lower, upper = (
        values.reshape(n_classes, -1)[0] for values in (penalty.l1, penalty.l2, penalty.lower, penalty.upper)
    )
    ridge = (l1 == 0) & np.isinf(lower) & np.isinf(upper)
    shift = np.where(l1 > 0, np.median(W, axis=0), W.mean(axis=0))
    shift = np.where((l2 > 0) & ~ridge | np.isinf(l1), 0.0, shift)
    shift = np.clip(shift, (W - upper).max(axis=0), (W - lower).min(axis=0))
    return np.clip(W - shift, lower, upper).ravel()


def _unbounded(penalty: Penalty) -> NDArray[np.bool_]:
    return np.asarray(np.isinf(penalty.lower) & np.isinf(penalty.upper))


def to_coefs(
    penalty: Penalty, coordinates: Coordinates, thetas: Array, lower: Array | None, upper: Array | None
) -> tuple[Array, Array]:
    """The intercepts (m, K), which sum to 0, and the coefficients (m, K, p) of the raw columns; of two classes K is 1.

    penalty : of one class
    thetas : (m, K k)
    """
    k = penalty.l1.size
    intercepts, coefs = penalty.to_coefs(coordinates, thetas.reshape(-1, k), lower, upper)
    intercepts = intercepts.reshape(len(thetas), -1)
    shift = intercepts.mean(axis=1, keepdims=True) if intercepts.shape[1] > 1 else 0.0
    return intercepts - shift, coefs.reshape(*intercepts.shape, -1)
