"""A proof of how far the fitted coefficients can be from the optimum.

J is the mean log loss (with a ridge). With g and H its gradient and Hessian at theta, let

    decrement  d = sqrt(g' H^-1 g)        reach  R >= max_i sqrt(x_i' H^-1 x_i)

The loss of a row, f(z) = log(1 + e^z) - y z, has |f'''| <= f'', so along a line from theta by delta, with
r = max_i |x_i delta|, the Hessian H(t) obeys e^-r H <= H(t) <= e^r H (Bach, Electronic Journal of Statistics 4,
2010, proposition 1; Sun and Tran-Dinh, Mathematical Programming 178, 2019, proposition 8). Let delta lead
to the optimum and |delta| be its length in the norm of H, so that r <= R |delta|. Integrating the Hessian along the
line gives -g'delta >= |delta|^2 (1 - e^-r) / r, and -g'delta <= d |delta|, hence, if R d < 1, an optimum exists and

    |delta|            <= -log(1 - R d) / R
    J(theta) - min J   <= [R d + (1 - R d) log(1 - R d)] / R^2          (d^2 / 2 as d goes to 0)
    |delta_j - step_j| <= sqrt((H^-1)_jj) |delta| (e^r - 1 - r) / r     step = -H^-1 g, Newton's

Of more than two classes the loss of a row is f(z) = log sum_k e^z_k - z_y, and the direction gives it the scores u_k.
Its third derivative along u, v, v is E (u - Eu)(v - Ev)^2 with the row's probabilities, at most max u - min u times
the second, E (v - Ev)^2. So all holds with r = max_i (max_k u_ik - min_k u_ik), which is at most sqrt(2) times
max |x_i| |delta|, as e_k - e_l has length sqrt(2); |delta| here is that of all classes together. With a ridge J is
taken with half the square of what all classes share: that is 0 at the optimum, and so moves it nowhere.

The last line bounds each coefficient by itself. All this is proved for exact arithmetic: the gradient is a sum of
rounded numbers, so bounds below about 1e-12 standard errors say "as exact as these numbers can be".
"""

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import Array
from .covariance import Inverse
from .evidence import Evidence
from .problem import Problem
from .wide import LowRank, RawMap, WideInverse


@dataclass(frozen=True, eq=False)
class Certificate:
    """A proved bound on the distance to the optimum.

    decrement : Newton's decrement d of the mean loss
    reach : the R of the theorem
    proved : whether R d < 1; else the bounds are infinite
    gap : the mean loss is at most this much above its minimum
    error : no coefficient is further from the optimum than this many of its standard errors
    coef_error : (k,), of more than two classes (m, k), bound on the distance of each coefficient, in its own units; NaN
        where it is aliased
    """

    decrement: float
    reach: float
    proved: bool
    gap: float
    error: float
    coef_error: Array

    def __str__(self) -> str:
        if not self.proved:
            return "nothing is proved of the distance to the optimum: the coefficients are too far from it"
        return (
            f"proved: the mean loss is within {self.gap:.1e} of its minimum, "
            f"and no coefficient further than {self.error:.1e} standard errors from the optimum"
        )


def certify(problem: Problem, evidence: Evidence, inverse: Inverse | WideInverse, se: Array) -> Certificate:
    """The bounds, from what one read of the rows has told.

    inverse : of the total curvature S H, with which R is bounded through its smallest eigenvalue
    se : (m k,) standard errors of the table, which `error` is in units of
    """
    S, gauge, theta = problem.objective.total_weight, problem.gauge, problem.theta
    gradient = S * (problem.objective.pull * theta + gauge @ (gauge.T @ theta)) - evidence.score
    step = -(inverse.full @ gradient)
    decrement = math.sqrt(max(float(-step @ gradient), 0.0) / S)
    full = inverse.full
    largest = full.largest() if isinstance(full, LowRank) else float(np.linalg.eigvalsh(full)[-1])
    reach = evidence.reach * math.sqrt(S * largest * (1 + problem.several))
    u = reach * decrement
    if not u < 1:
        return Certificate(decrement, reach, False, math.inf, math.inf, np.full(problem.shape, math.inf))
    distance = -math.log1p(-u) / reach
    r = reach * distance
    if isinstance(inverse, WideInverse):
        assert isinstance(problem.to_raw, RawMap)
        spread = np.sqrt(inverse.full.variances(problem.to_raw.entries))
    else:
        rows = problem.to_raw @ inverse.half.T
        size = np.abs(rows).max(axis=1, initial=np.finfo(float).tiny)  # whose squares may leave the numbers
        spread = size * np.sqrt(np.square(rows / size[:, None]).sum(axis=1))
    rest = distance * math.sqrt(S) * ((math.expm1(r) - r) / r if r > 1e-4 else r)
    bound = np.minimum(np.abs(problem.to_raw @ step) + spread * rest, spread * distance * math.sqrt(S))
    bound[~problem.estimated] = np.nan
    known = np.isfinite(se) & (se > 0)
    error = float(np.max(bound[known] / se[known], initial=0.0))
    return Certificate(decrement, reach, True, _gap(u, reach, decrement), error, bound.reshape(problem.shape))


def _gap(u: float, reach: float, decrement: float) -> float:
    """[u + (1 - u) log(1 - u)] / R^2, by its series where that cancels: d^2 (1/2 + u/6 + u^2/12 + ...)."""
    if u > 1e-3:
        return (u + (1 - u) * math.log1p(-u)) / reach**2
    return decrement**2 * (0.5 + u / 6 + u**2 / 12 + u**3 / 19)
