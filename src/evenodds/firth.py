"""Firth's penalised likelihood: an estimate that is always finite, and nearly without bias in small samples.

    J_F(theta) = J(theta) - (1/2S) log det I(theta),      I = sum_i s_i p_i (1 - p_i) x_i x_i'

is the mean loss with Jeffreys' prior (Firth, Biometrika 80, 1993). I is Fisher's information, whose
determinant vanishes where probabilities go to 0 or 1, so that classes that are separated have a finite optimum as well
(Heinze and Schemper, Statistics in Medicine 21, 2002). The score is that of the likelihood and a pull
of each row towards p = 1/2, in proportion to its leverage:

    sum_i [s_i (y_i - p_i) + h_i (1/2 - p_i)] x_i,      h_i = s_i p_i (1 - p_i) x_i' I^-1 x_i

The pull moves the mean probability away from the share of the second class. `flic` and `flac` mend that
(Puhr, Heinze, Nold, Lusa and Geroldinger, Statistics in Medicine 36, 2017).

An evaluation costs two products of n k^2, so few are made: a fit starts from the optimum on a sample of the rows,
then follows the likelihood with the sample's pull, which costs a read an evaluation, and ends with two or three steps
in the metric I. Where rows are many a coefficient, I is nearly the Hessian of J_F: these are Newton's steps.
"""

import functools
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.special import expit

from .compiled import COMPILED_ENTRIES
from .coordinates import Coordinates
from .data import Array, Block, Data, Sums
from .data.memory import Memory, add_up
from .exceptions import EvenOddsError
from .objective import Objective, SignedRows, over_tiles
from .solvers import Metric, Report, Solution, Status, regimes
from .solvers.metrics import Cholesky
from .solvers.quasi_newton import Evaluate, State, minimize

_PART_ENTRIES = 1 << 17  # few, as new memory can cost more than the arithmetic in it
_EVEN = 1e-3  # a factor with such pivots has lost six digits at the most
_MOST_COEF = 3000  # beyond which a factorisation would cost too much
_LEAST_SAMPLE = 512
_SMALL = 2e6  # multiplications up to which a fit goes on to machine precision
_DIGITS = 1e-9  # in standard errors, what that is before the last step
_NEAR = 0.1  # the last step of the start, in standard errors: the sample's pull is not closer
_NEWTON = 1e-3  # the decrement of S J_F above which memory misleads, as I changes from step to step


@dataclass(frozen=True, slots=True)
class Point:
    """J_F at theta: its value, its gradient, I, and an inverse root of I: white @ white.T is I^-1."""

    theta: Array
    value: float
    gradient: Array
    information: Array
    white: Array

    def metric(self, objective: Objective) -> "Whitened":
        """The metric I / S."""
        return Whitened(self.white, objective.total_weight)


@dataclass
class FirthObjective(Objective):
    """J_F, with the I of the raw columns, in the contract of `Objective`.

    Its "Hessian" is I / S, the expected one of J: positive definite everywhere, and close to that of J_F where rows
    are many a coefficient.
    """

    ridge: Array = field(init=False)
    _point: Point | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        columns = self.coordinates.columns
        self.ridge = np.zeros(columns.size)
        self._log_scales = float(np.log(self.coordinates.scale[columns]).sum())
        self._part_rows = max(_PART_ENTRIES // max(self.n_coef, 1), 256)
        self._prepared = not self.compiled and self.data.n_rows * self.n_coef <= COMPILED_ENTRIES
        if self.n_coef > _MOST_COEF:
            raise EvenOddsError(
                f"firth=True is for {_MOST_COEF:,} coefficients at the most, and here are {self.n_coef:,}: "
                "it needs a square matrix of that size. Use a ridge (for example C=1)."
            )

    def on(self, block: Block) -> "FirthObjective":
        """The same objective over a sample of the rows."""
        rows = Memory(block.X, block.y, block.weight, block.offset, n_jobs=self.data.n_jobs)
        return FirthObjective(rows, self.coordinates, self.least)

    def score(self, theta: Array) -> Array:
        """The gradient of J, without the penalty: a cheap read."""
        if not self._prepared:
            return super().value_grad(theta)[1]
        self.passes += 1
        return np.asarray(sum(_score(rows, theta) for rows in self._parts) / self.total_weight)

    def value_grad(self, theta: Array) -> tuple[float, Array, None]:
        """J_F and its gradient (no Hessian)."""
        point = self.at(theta)
        return point.value, point.gradient, None

    def value_grad_hess(self, theta: Array) -> tuple[float, Array, Array]:
        """J_F, its gradient and I / S."""
        point = self.at(theta)
        return point.value, point.gradient, point.information / self.total_weight

    def hessian(self, theta: Array, dtype: Any = np.float64) -> Array:
        """I / S."""
        return self.at(theta).information / self.total_weight

    def penalized_log_likelihood(self, theta: Array) -> float:
        """The log-likelihood plus half of log det I, I that of the raw columns."""
        return -self.total_weight * self.at(theta).value

    @property
    def latest(self) -> Point:
        """All about J_F where it was asked for last."""
        if self._point is None:
            raise AssertionError("J_F has not been asked for yet")
        return self._point

    def at(self, theta: Array) -> Point:
        """All about J_F at theta. Asked again for the same theta, it does not read the data again."""
        if self._point is None or not np.array_equal(self._point.theta, theta):
            self._point = self._look(theta.copy())
        return self._point

    def _look(self, theta: Array) -> Point:
        sums = self._weighed(theta)
        loss, information = sums(lambda rows: (rows.loss, rows.gram()))
        white, log_det = inverse_root(information, lambda white: sums(lambda rows: (rows.gram(white),))[0])
        (gradient,) = sums(lambda rows: (rows.gradient(white),))
        value, gradient = self._finish(theta, loss - 0.5 * log_det - self._log_scales, gradient)
        return Point(theta, value, gradient, information, white)

    def _weighed(self, theta: Array) -> Callable[[Callable[["WeighedRows"], Sums]], Sums]:
        """What sums a function over the rows at theta; small data are weighed once for all functions."""
        if not self._prepared:
            return lambda function: self.reduce(self._tiled(theta, function))
        self.passes += 1
        weighed = [WeighedRows.at(rows, theta) for rows in self._parts]
        return lambda function: add_up(map(function, weighed))

    def _tiled(self, theta: Array, function: Callable[["WeighedRows"], Sums]) -> Callable[[Block], Sums]:
        def tile(block: Block) -> Sums:
            room = None if self.data.sparse else _room("rows", (block.n_rows, self.n_coef))
            return function(WeighedRows.at(SignedRows.of(block, self.coordinates, room), theta))

        return lambda block: over_tiles(block, tile, self._part_rows)

    @functools.cached_property
    def _parts(self) -> list[SignedRows]:
        """All rows of small data, prepared once, in parts that leave room for work beside them in the cache."""
        block, m = self.data.sample(self.data.n_rows, 0), self._part_rows
        parts = [block.take(slice(k, k + m)) for k in range(0, block.n_rows, m)]
        shapes = [(part.n_rows, self.n_coef) for part in parts]
        rooms = [None if self.data.sparse else np.empty(shape, order="F") for shape in shapes]
        return [SignedRows.of(part, self.coordinates, room) for part, room in zip(parts, rooms, strict=True)]

    def leverages(self, block: Block, point: Point) -> Array:
        """The h_i of a block's rows."""
        (parts,) = self._tiled(point.theta, lambda rows: ([rows.leverages(point.white)],))(block)
        return np.concatenate(parts)


def _score(rows: SignedRows, theta: Array) -> Array:
    """The gradient of S J, without J, which would take longer."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        wrong = expit(-rows.margins(theta))
        return np.asarray(-((wrong if rows.weight is None else rows.weight * wrong) @ rows.D))


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
                Q = np.matmul(white.T, scaled.T, out=_room("whitened", scaled.shape).T)
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
            return np.multiply(D, self.root[:, None], out=_room("scaled", D.shape))


_rooms = threading.local()


def _room(name: str, shape: tuple[int, ...]) -> Array:
    """Room for a few rows in F order that a thread keeps: new memory costs the system more than the arithmetic does."""
    m, k = shape
    held = getattr(_rooms, name, None)
    if held is None or held.size < m * k:
        held = np.empty(m * k)
        setattr(_rooms, name, held)
    return np.asarray(held[: m * k].reshape((m, k), order="F"))


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


class Whitened:
    """The metric I / S, by an inverse root of I."""

    def __init__(self, white: Array, total_weight: float) -> None:
        self._white, self._total = white, total_weight

    def solve(self, g: Array) -> Array:
        """(I / S)^-1 g."""
        return np.asarray(self._total * (self._white @ (g @ self._white)))


class Latest:
    """The metric I / S where J_F was asked for last."""

    def __init__(self, objective: FirthObjective) -> None:
        self._objective = objective

    def solve(self, g: Array) -> Array:
        """(I / S)^-1 g."""
        return self._objective.latest.metric(self._objective).solve(g)


# Fits


def sample_rows(data: Data) -> int:
    """Rows of the sample that coordinates and start are taken from; all of them, if a sample would not pay."""
    m = max(_LEAST_SAMPLE, 32 * (data.n_columns + 1), data.n_rows // 16)
    return m if 4 * m <= data.n_rows else data.n_rows


def solve(
    objective: FirthObjective,
    theta: Array,
    sample: Block,
    *,
    warm: bool = False,
    tol: float,
    max_iter: int,
    report: Report | None = None,
) -> Solution:
    """The minimiser of J_F. A start gives way to what the sample tells if not `warm`."""
    if sample.n_rows < objective.data.n_rows and not warm:
        theta = _start(objective, theta, sample)
    small = objective.data.n_rows * objective.n_coef**2 <= _SMALL
    history: list[float] = []
    latest = Latest(objective)

    def evaluate(theta: Array) -> tuple[float, Array, None]:
        result = objective.value_grad(theta)
        history.append(result[0])
        return result

    def watch(state: State) -> Status | None:
        stop = report is not None and report(
            state.iteration, state.value, regimes.error(objective, state.gap), state.theta
        )
        return Status.STOPPED if stop else None

    def remake(state: State) -> Metric | None:
        newton = objective.total_weight * state.decrement > _NEWTON and state.slow < 2
        return latest if newton else None

    state = _descend(
        objective, evaluate, theta, latest, min(tol, _DIGITS) if small else tol, max_iter, watch=watch, remake=remake
    )
    solution = regimes.record("fisher-scoring", objective, state, history)
    ended = solution.status in (Status.MAX_ITER, Status.STALLED)
    return replace(solution, status=Status.CONVERGED) if ended and solution.error <= tol else solution


def _descend(
    objective: Objective, evaluate: Evaluate, theta: Array, metric: Metric, tol: float, max_iter: int, **more: Any
) -> State:
    """The smooth loop, for a gap of `tol` standard errors.

    No step is too long for its decrement to be believed: in the metric I a small decrement means that no score moves
    of a row that counts.
    """
    return minimize(
        evaluate,
        theta,
        metric,
        target=tol**2 / (2 * objective.total_weight),
        max_iter=max_iter,
        from_hessian=Cholesky,
        polish=evaluate,
        still_moves=lambda state: False,
        size=1.0,
        **more,
    )


def _start(objective: FirthObjective, theta: Array, sample: Block) -> Array:
    """Near the minimiser of J with the pull that a sample has near its own optimum; theta if the sample is no help."""
    part = objective.on(sample)
    guess = regimes.sample_optimum(Objective(part.data, part.coordinates, part.ridge + 1 / part.total_weight))
    point = part.at(guess)
    if not math.isfinite(point.value):  # a column that is constant in the sample
        return theta
    pull = part.score(guess) - point.gradient
    metric = point.metric(part)
    theta, last = guess, math.inf
    for _ in range(10):
        tilted = objective.score(guess) - pull
        step = metric.solve(tilted)
        distance = math.sqrt(objective.total_weight * float(tilted @ step))  # in standard errors
        if not distance < 0.7 * last:
            break
        theta, last, guess = guess, distance, guess - step
        if distance < _NEAR:
            return guess
    return theta


# The mean probability


def corrected(
    objective: FirthObjective, solution: Solution, kind: bool | str, *, tol: float, max_iter: int
) -> tuple[Array, Solution]:
    """Theta as "flic" or "flac" has it (for True as it is), and Firth's solution with the reads counted on.

    Where a further fit does not reach its optimum, its status is that of the whole.
    """
    theta = solution.theta
    if kind == "flic":
        theta = flic(objective, theta)
    elif kind == "flac":
        final = flac(objective, theta, tol=tol, max_iter=max_iter)
        theta = final.theta[:-1]
        if final.status is not Status.CONVERGED:
            solution = replace(solution, status=final.status, error=final.error)
    return theta, replace(solution, passes=objective.passes)


def flic(objective: FirthObjective, theta: Array) -> Array:
    """Theta with the intercept of maximum likelihood beside these slopes."""
    point = objective.at(theta)
    white = np.full((1, 1), 1 / math.sqrt(point.information[0, 0]))
    likelihood = Objective(objective.data, objective.coordinates, objective.ridge)

    def shifted(shift: Array) -> tuple[float, Array, None]:
        value, gradient, _ = likelihood.value_grad(np.concatenate([theta[:1] + shift, theta[1:]]))
        return value, gradient[:1], None

    state = _descend(objective, shifted, np.zeros(1), Whitened(white, objective.total_weight), _DIGITS, 50)
    objective.passes += likelihood.passes
    return np.concatenate([theta[:1] + state.theta, theta[1:]])


def flac(objective: FirthObjective, theta: Array, *, tol: float, max_iter: int) -> Solution:
    """The fit of maximum likelihood to the rows and their pseudo-observations (see `PseudoRows`).

    Its theta has one coefficient more, of the column that tells them apart.
    """
    data = PseudoRows(objective, objective.at(theta))
    known = objective.coordinates
    coordinates = Coordinates(
        np.append(known.center, 0.0), np.append(known.scale, 1.0), np.append(known.columns, known.center.size), True
    )
    augmented = Objective(data, coordinates, np.zeros(theta.size))
    method = regimes.newton if regimes.choose(augmented) == "newton" else regimes.quasi_newton
    sample = data.sample(regimes.sample_rows(data), 0)
    solution = method(augmented, np.append(theta, 0.0), sample, warm=True, tol=tol, max_iter=max_iter)
    objective.passes += solution.passes
    return solution


class PseudoRows:
    """A home of rows and two pseudo-observations for each, of either class, weighted by half its leverage.

    Firth's fit is one of maximum likelihood to such rows. Here a last column is 1 for pseudo-observations and 0 for
    rows, so that the intercept is that of the rows.
    """

    def __init__(self, objective: FirthObjective, point: Point) -> None:
        self._objective, self._point = objective, point
        data = objective.data
        self.n_rows, self.n_columns = 3 * data.n_rows, data.n_columns + 1
        self.sparse, self.n_jobs = data.sparse, data.n_jobs
        self.size = 3 * data.size + 2 * data.n_rows if data.sparse else self.n_rows * self.n_columns
        self.class_weights = data.class_weights + objective.n_coef / 2  # the leverages' sum

    def reduce(self, function: Callable[[Block], Sums]) -> Sums:
        """Sum `function(block)` over all rows, each block with its pseudo-observations."""
        return self._objective.data.reduce(lambda block: function(self._augmented(block)))

    def blocks(self) -> Iterator[Block]:
        """All rows."""
        yield from map(self._augmented, self._objective.data.blocks())

    def original_row(self, k: int) -> int:
        """The number of row `k` in what the user gave, as long as that is one block."""
        return self._objective.data.original_row(k % self._objective.data.n_rows)

    def sample(self, n: int, rng: int | np.random.Generator) -> Block:
        """A sample of the rows, with their pseudo-observations."""
        return self._augmented(self._objective.data.sample(-(-n // 3), rng))

    def _augmented(self, block: Block) -> Block:
        m = block.n_rows
        half = self._objective.leverages(block, self._point) / 2
        flag = np.repeat(np.array([0, 1, 1], block.X.dtype), m)[:, None]
        X = [block.X] * 3
        return Block(
            sp.hstack([sp.vstack(X), flag], format="csr") if self.sparse else np.hstack([np.vstack(X), flag]),
            np.concatenate([block.y, np.ones_like(block.y), np.zeros_like(block.y)]),
            np.concatenate([np.ones(m) if block.weight is None else block.weight, half, half]),
            None if block.offset is None else np.tile(block.offset, 3),
        )
