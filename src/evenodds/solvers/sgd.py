"""The textbook's mini-batch gradient descent, made safe.

It is `scratch.train` with the same names: batches of shuffled rows, a fixed learning rate, zeros as a start.
It works in standardised coordinates, which are an affine change of the coefficients, so that unscaled
columns cannot make it overflow; and the ridge is applied as a proximal step, w / (1 + learning_rate * ridge),
which no strength of the penalty can make unstable.

It sees rows, not sums over them: it iterates blocks.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Array
from ..exceptions import EvenOddsError
from ..kernels.algebra import dot
from . import Report, Solution, Status
from .metrics import Cholesky

if TYPE_CHECKING:
    from ..objective import Objective

_MOST_CERTIFIED = 3000  # coefficients up to which the gap at the end is measured with the exact Hessian


@dataclass(frozen=True)
class SGD:
    """Mini-batch gradient descent, for `LogisticRegression(solver=SGD(...))`.

    Parameters
    ----------
    batch_size : int, default 100
        Rows in a mini-batch.
    epochs : int, default 1000
        How many times all rows are seen; all of them are run.
    learning_rate : float, default 0.01
        The step, in units of standardised columns.
    """

    batch_size: int = 100
    epochs: int = 1000
    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise EvenOddsError(f"SGD's {name} is a positive integer, got {value!r}.")
        if not isinstance(self.learning_rate, int | float | np.number) or not 0 < self.learning_rate < np.inf:
            raise EvenOddsError(f"SGD's learning_rate is a positive number, got {self.learning_rate!r}.")


def sgd(
    objective: "Objective", theta: Array, config: SGD, rng: np.random.Generator, *, report: Report | None = None
) -> Solution:
    """Run the epochs of `config`. `history` has the loss after each epoch."""
    history: list[float] = []
    status = Status.EPOCHS
    if report is not None:
        report(0, objective.value_grad(theta)[0], np.nan, theta)
    for epoch in range(1, config.epochs + 1):
        theta = one_epoch(objective, theta, config, rng)
        objective.passes += 1
        value = objective.value_grad(theta)[0]
        history.append(value)
        if report is not None and report(epoch, value, np.nan, theta):
            status = Status.STOPPED
            break
    gap = np.nan
    if objective.n_coef <= _MOST_CERTIFIED:
        _, gradient, hessian = objective.value_grad_hess(theta)
        gap = 0.5 * dot(gradient, Cholesky(hessian).solve(gradient))
    return Solution(
        theta=theta,
        loss=value,
        gap=gap,
        error=float(np.sqrt(2 * objective.observations * gap)),
        passes=objective.passes,
        iterations=epoch,
        status=status,
        history=np.array(history),
        solver="sgd",
        n_rows=objective.data.n_rows,
        total_weight=objective.total_weight,
    )


def one_epoch(objective: "Objective", theta: Array, config: SGD, rng: np.random.Generator) -> Array:
    """Theta after one pass over all rows, shuffled within each block."""
    shrink = 1 / (1 + config.learning_rate * objective.pull)
    mean_weight = objective.total_weight / objective.data.n_rows
    for n_rows, gradient_of in objective.parts():
        order = rng.permutation(n_rows)
        for start in range(0, n_rows, config.batch_size):
            batch = order[start : start + config.batch_size]
            gradient = gradient_of(np.sort(batch), theta) / (batch.size * mean_weight)
            theta = (theta - config.learning_rate * gradient) * shrink
    return theta
