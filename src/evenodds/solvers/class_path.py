"""A path of more than two classes where a Hessian of all coefficients is the model: one fit after another.

Each fit starts from the last two, extended along the path. Of large data the Hessians are those of a sample of the
rows; one is kept for as long as it serves, made right by what the steps do to the gradient.
"""

from collections.abc import Callable, Sequence

from ..arrays import Array
from .class_pairs import pairs_path, takes_pairs
from .class_penalty import centred
from .costs import takes_exact_steps
from .elastic_net import hessian_of, on_sample
from .mean_loss import MeanLoss
from .penalty import Penalty
from .proximal_newton import Models, Point, minimize_all
from .working_set import extrapolated


def class_path(
    loss: MeanLoss,
    penalties: Sequence[Penalty],
    theta: Array,
    *,
    target: float,
    max_iter: int,
    stop: Callable[[Sequence[Point]], bool] | None = None,
) -> list[Point]:
    """The optimum for each penalty, from the strongest to the weakest.

    stop : whether the path ends with the last of some points
    """
    if takes_pairs(loss):
        points = pairs_path(loss, penalties, theta, target=target, max_iter=max_iter, stop=stop)
    else:
        points = _full_path(loss, penalties, theta, target, max_iter, stop)
    for point in points:
        point.theta = centred(point.penalty, point.theta, loss.n_classes)
    return points


def _full_path(
    loss: MeanLoss,
    penalties: Sequence[Penalty],
    theta: Array,
    target: float,
    max_iter: int,
    stop: Callable[[Sequence[Point]], bool] | None,
) -> list[Point]:
    points: list[Point] = []
    cheap = takes_exact_steps(loss.objective)
    sampled = not cheap and loss.sample.n_rows < loss.data.n_rows
    part = on_sample(loss) if sampled else loss
    better = hessian_of(loss) if sampled else None
    models = Models(hessian_of(part), better=better, every=cheap, reach=loss.reach)
    for penalty in penalties:
        point = Point(penalty, extrapolated(points, penalty) if points else theta)
        if points:
            point.H = points[-1].H
        minimize_all(loss.at, [point], models, target=target, max_iter=max_iter)
        points.append(point)
        if stop is not None and stop(points):
            break
    return points
