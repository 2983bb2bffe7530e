"""Starts for the maxima of the penalised likelihood: see `search`.

Half of them are maxima of its terms. A term belongs to k rows, whose leverages are 1 in it, and is log-concave. They
are chosen by Gram and Schmidt's steps with pivots. Each row is drawn nearer or further at random, by nothing or by all
that is far about it, so that rows are chosen that are far, and others; half of the choices are those of a maximum that
is known, with one row exchanged. Of many columns too few terms can be tried: the other half of the starts are about
the highest maximum, hops from it of many standard errors and directions that know nothing of it.

All starts go on together, as rows of arrays, those of terms with their leverages held at first, until they settle: what
is left, and differs in its leverages, is worth a climb. They are only starts: digits may be lost where columns are
nearly dependent.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ..arrays import Array, dense
from ..kernels.algebra import eigen, gram, inverses, product, solutions
from ..objective.signed import SignedRows
from .leverages import safe_curvature
from .objective import FirthObjective

PRODUCTS = 5e6  # multiplications of an evaluation at all starts
_LEAST = 48  # starts that may take four times as many
_TYLER = 5  # steps
_HELD = 10  # steps at the most on terms
_TOGETHER = 24  # steps of all starts
_FIRST = 12  # of these, in which a start may gain as much in each as in the next
_FAR = 1.0  # of the penalised log-likelihood: after a step that was to gain so much, the next is safe far from maxima
_BETTER = 64  # starts that go on; after each step half of them do, until they are so few
_CLIMBS = 6  # of them are climbed from
_APART = 0.1  # the difference of a leverage from which starts are not the same
_SETTLED = 1e-4  # of the penalised log-likelihood: starts that have no more to gain
_GAINS = 4  # steps like the next one are what is left to a start, at the most
_SPREADS = (1.5, 3.0, 6.0, 9.0)  # of the margins of most rows, about those at the top
_HOPS = (1.5, 3.0, 6.0, 9.0, 13.0, 18.0)  # standard errors from the top: of many columns short ones come back
_LONGEST = 4.0  # times the step by the metric
_PAIRS = 1 << 23  # products of columns that are kept for all rows
_OF_USE = 6.0  # below the highest maximum, of the penalised log-likelihood, no other shows in a test or an interval
_SURE = 100.0  # so much longer is a row that is to be chosen, in logarithms
_NOTHING = 1e-300


@dataclass(frozen=True)
class Places:
    """Where starts are: phi (m, q), the penalised log-likelihood, its gradient, leverages (m, n), and the next steps.

    gain : half the product of step and gradient, as much as the next step is to gain
    """

    phi: Array
    value: Array
    gradient: Array
    leverages: Array
    step: Array
    gain: Array

    def take(self, k: NDArray[np.intp]) -> "Places":
        """Some of them."""
        return Places(*(getattr(self, one.name)[k] for one in fields(self)))

    def moved(self, new: "Places", where: NDArray[np.bool_]) -> "Places":
        """Those of `new` in some places."""
        both = ((getattr(new, one.name), getattr(self, one.name)) for one in fields(self))
        return Places(*(np.where(where.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in both))


class Together:
    """Many starts on few rows: theta = top + basis @ phi, so that `fixed` @ theta is what it is at the top.

    tops : the maxima that are known, the highest first
    """

    def __init__(self, objective: FirthObjective, tops: Sequence[Array], fixed: Array | None) -> None:
        block = objective.data.sample(objective.data.n_rows, 0)  # all of them: they are few
        rows = SignedRows.of(block, objective.coordinates)
        D = dense(rows.D)
        white = _even(D)
        self._inside = np.eye(len(white)) if fixed is None else scipy.linalg.qr((fixed @ white).T)[0][:, len(fixed) :]
        self._U = product(D, white, own=True)
        self._V = product(self._U, self._inside, own=True)
        self._s = np.ones(len(D)) if rows.weight is None else rows.weight
        self._top, self._basis, self._restricted = tops[0], product(white, self._inside), fixed is not None
        self._margin = rows.margins(self._top)
        n, k = self._U.shape
        self._pairs = None
        if n * k * k <= _PAIRS:
            self._upper = np.triu_indices(k)
            self._pairs = self._U[:, self._upper[0]] * self._U[:, self._upper[1]]
            self._twice = np.where(self._upper[0] == self._upper[1], 1.0, 2.0)
            self._whole = np.zeros((k, k), dtype=np.intp)
            self._whole[self._upper] = self._whole.T[self._upper] = np.arange(len(self._twice))
        self._known = [objective.leverages(objective.at(top))(block) for top in tops]

    def starts(self, rng: np.random.Generator, count: int) -> Iterator[Array]:
        """The best of some starts, that differ from each other and from what is known."""
        n, k = self._U.shape
        most = PRODUCTS / (n * k * k)
        count = min(count, max(int(most), min(int(4 * most), _LEAST), 2))
        phi = np.vstack([self._of_terms(self._rows_of_terms(rng, count - count // 2)), self._away(rng, count // 2)])
        here = self._look(phi, np.ones(len(phi), dtype=bool))
        length = np.ones(len(here.phi))
        top = float(self._look(np.zeros((1, here.phi.shape[1])), np.zeros(1, dtype=bool)).value[0])
        for j in range(_TOGETHER):
            here, length = self._risen(here, length)
            reach = max(_GAINS, _FIRST - j) * np.minimum(length, 1.0)
            going = self._differing(here, top - _OF_USE, reach, max(count >> j + 1, _BETTER))
            here, length = here.take(going), length[going]
            if not here.gain.max(initial=0.0) > _SETTLED:
                break
        for one in range(min(len(here.phi), _CLIMBS)):
            yield self._top + product(self._basis, here.phi[one])

    def _risen(self, here: Places, length: Array, held: Array | None = None) -> tuple[Places, Array]:
        """A step further, where that is higher, and the length of the next step."""
        there = self._look(here.phi + length[:, None] * here.step, here.gain > _FAR, held)
        rises = there.value > here.value
        return here.moved(there, rises), np.where(rises, _next_length(length, here, there), length / 4)

    def _differing(self, here: Places, least: float, steps: Array, most: int) -> NDArray[np.intp]:
        """The highest that differ from each other and from what is known, and can rise to `least` in so many steps."""
        left = np.argsort(-here.value, kind="stable")
        left = left[here.value[left] + (steps * here.gain)[left] > least]
        chosen: list[int] = []
        for known in self._known:
            left = left[np.abs(here.leverages[left] - known).max(axis=1, initial=0.0) > _APART]
        while left.size and len(chosen) < most:
            one = here.leverages[left[0]]
            chosen.append(int(left[0]))
            left = left[np.abs(here.leverages[left] - one).max(axis=1, initial=0.0) > _APART]
        return np.array(chosen, dtype=np.intp)

    def _away(self, rng: np.random.Generator, count: int) -> Array:
        """In any direction from the top, by I there (the hops) or by what most rows span."""
        q = self._V.shape[1]
        away = rng.normal(size=(count, q)) / math.sqrt(max(q, 1))
        t = np.exp(-np.abs(self._margin))
        values, vectors = eigen(gram(self._V, self._s * t / (1 + t) ** 2))
        loose = vectors / np.sqrt(np.maximum(values, 1e-12 * values.max(initial=_NOTHING)))
        hops = -(-count // 2)
        away[:hops] = product(away[:hops], loose.T, own=True) * rng.choice(_HOPS, (hops, 1))
        away[hops:] *= rng.choice(_SPREADS, (count - hops, 1))
        return np.asarray(away)

    def _of_terms(self, picked: NDArray[np.intp]) -> Array:
        """The maxima of the terms of these rows (m, q), nearly."""
        held = np.zeros((len(picked), len(self._s)))
        np.put_along_axis(held, picked, 1.0, axis=1)
        here = self._look(np.zeros(picked.shape), np.ones(len(picked), dtype=bool), held)
        length = np.ones(len(picked))
        for _ in range(_HELD):
            here, length = self._risen(here, length, held)
            if not here.gain.max(initial=0.0) > _SETTLED:
                break
        return here.phi

    def _rows_of_terms(self, rng: np.random.Generator, count: int) -> NDArray[np.intp]:
        """Rows of so many terms, (count, q), or fewer where some are the same."""
        n, q = self._V.shape
        far = 0.5 * np.log(np.maximum(self._s * np.square(self._U).sum(axis=1), _NOTHING))
        drawn = rng.choice([0.5, 1.0, 2.0, 4.0, 8.0], (count, 1)) * rng.normal(size=(count, n))
        drawn -= rng.random((count, 1)) * far
        share = count // 2 // len(self._known)
        for k, known in enumerate(self._known if share else ()):
            self._exchange(known, drawn[k * share : (k + 1) * share], rng)
        picked = np.sort(self._spanning(drawn), axis=1)
        return np.asarray(picked[np.unique(product(picked, rng.random(q)), return_index=True)[1]])

    def _exchange(self, leverages: Array, drawn: Array, rng: np.random.Generator) -> None:
        """Draw the rows that count most at a known maximum, each time with one of them left for another row."""
        (inner,) = self._spanning(np.log(leverages[None, :] + 1e-3))
        outer = np.delete(np.arange(leverages.size), inner)
        pairs = rng.permutation(inner.size * outer.size)[: len(drawn)]
        each = np.arange(pairs.size)
        drawn[: pairs.size, inner] = _SURE
        drawn[each, inner[pairs % inner.size]] = -_SURE
        drawn[each, outer[pairs // inner.size]] = _SURE

    def _spanning(self, drawn: Array) -> NDArray[np.intp]:
        """Rows that span much, by pivots; each row is as much longer as exp(drawn) says, (m, n)."""
        rows = np.sqrt(self._s)[:, None] * self._V
        m, q = len(drawn), rows.shape[1]
        left, longer = np.tile(np.square(rows).sum(axis=1), (m, 1)), np.exp(2 * drawn)
        floor = 1e-10 * left[0]
        basis, picked = np.zeros((m, q, q)), np.zeros((m, q), dtype=np.intp)
        for j in range(q):
            picked[:, j] = np.argmax(np.where(left > floor, left * longer, -np.inf), axis=1)
            new, known = rows[picked[:, j], None], basis[:, :j]
            for _ in range(2):
                new = new - np.einsum("maj,mjq->maq", np.einsum("maq,mjq->maj", new, known), known)
            basis[:, j] = (new / np.maximum(np.linalg.norm(new, axis=2, keepdims=True), _NOTHING))[:, 0]
            left -= np.square(product(basis[:, j], rows.T, own=True))
        return picked

    def _look(self, phi: Array, safe: NDArray[np.bool_], held: Array | None = None) -> Places:
        """All about some starts; steps as in a fit with pseudo-observations, see `FirthObjective.convex`.

        held : the leverages of terms, (m, n), which are then looked at, less constants
        """
        s = self._s
        with np.errstate(all="ignore"):
            z = self._margin + product(phi, self._V.T, own=True)
            size = np.abs(z)
            t = np.exp(-size)
            u = 1 / (1 + t)
            loss, c, wrong = np.log1p(t), t * u * u, np.where(z < 0, u, t * u)
            if held is None:
                inverse, log_det = _inverses(self._grams(s * c))
                h = np.clip(s * c * self._forms(inverse), 0.0, 1.0)
            else:
                h, log_det = held, -np.einsum("mn,mn->m", held, size + 2 * loss)
            value = product(np.minimum(z, 0.0) - loss, s) + 0.5 * log_det
            gradient = product(s * wrong + h * (wrong - 0.5), self._V, own=True)
            shape = (s + h) * c
            shape[safe] = safe_curvature(s, h[safe], z[safe])
            convex = self._grams(shape)
            if self._restricted:
                convex = self._inside.T @ convex @ self._inside
            step = _solved(convex, gradient)
            gain = 0.5 * np.einsum("mj,mj->m", step, gradient)
        bad = ~np.isfinite(value + gain)
        if bad.any():
            value[bad], step[bad], gain[bad] = -np.inf, 0.0, 0.0
            h = np.where(bad[:, None], 0.0, h)
        return Places(phi, value, gradient, h, step, gain)

    def _grams(self, w: Array) -> Array:
        """U' diag(w) U for each row of w."""
        if self._pairs is None:
            return np.array([gram(self._U, one) for one in w]).reshape(len(w), *2 * self._U.shape[1:])
        return np.asarray(product(w, self._pairs, own=True)[:, self._whole])

    def _forms(self, A: Array) -> Array:
        """u'Au for each row u of U and each symmetric A."""
        if self._pairs is None:
            each = (product(self._U, one, own=True) for one in A)
            return np.array([np.einsum("nk,nk->n", one, self._U) for one in each]).reshape(len(A), -1)
        return np.asarray(product(A[:, self._upper[0], self._upper[1]] * self._twice, self._pairs.T, own=True))


def _next_length(length: Array, here: Places, there: Places) -> Array:
    """Times a step, as the gradient has changed along the last one (Barzilai and Borwein, 1988): where J bends less
    than the metric says, which is safe, steps are too short.
    """
    with np.errstate(all="ignore"):
        left = np.einsum("mj,mj->m", here.step, there.gradient) / (2 * here.gain)  # of the slope
        return np.asarray(np.where(left < 1, np.clip(length / (1 - left), 0.25, _LONGEST), _LONGEST))


def _even(D: Array) -> Array:
    """A root of the inverse of Tyler's shape of the rows (Annals of Statistics 15, 1987): no few far ones make it.

    Times it, most rows are as long as each other in all directions.
    """
    k = D.shape[1]
    white = np.diag(1 / np.maximum(np.sqrt(np.square(D).mean(axis=0)), _NOTHING))
    for _ in range(_TYLER):
        U = product(D, white, own=True)
        length = np.square(U).sum(axis=1)
        U = U[length > 0] / np.sqrt(length[length > 0, None])
        values, vectors = eigen(k * gram(U) / len(U))
        white = product(white, vectors / np.sqrt(np.maximum(values, 1e-12 * values[-1])))
    return np.asarray(white)


def _inverses(grams: Array) -> tuple[Array, Array]:
    """The inverse of each of many symmetric matrices, and the logarithm of its determinant."""
    unit, size = _unit(grams)
    inverse, log_det = inverses(unit)
    return inverse / size[:, :, None] / size[:, None, :], log_det + 2 * np.log(size).sum(axis=1)


def _solved(grams: Array, right: Array) -> Array:
    """The solution for each of many symmetric matrices and its right side."""
    unit, size = _unit(grams)
    return np.asarray(solutions(unit, right / size) / size)


def _unit(grams: Array) -> tuple[Array, Array]:
    """Symmetric matrices with a diagonal of 1, not quite singular, and the roots of the diagonals that they had."""
    size = np.maximum(np.sqrt(np.einsum("mii->mi", grams)), 1e-150)
    unit = grams / size[:, :, None] / size[:, None, :]
    bad = ~np.isfinite(unit.sum(axis=(1, 2)))
    if bad.any():
        unit[bad] = 0.0
    np.einsum("mii->mi", unit)[:] += 1e-13
    return unit, size
