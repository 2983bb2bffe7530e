"""Starts for the maxima of the penalised likelihood, from its terms: see `search`.

A term belongs to k rows, and has its maximum near where these alone would be fitted best, the margin of a row of weight
s being log(1 + 2s): k equations. The rows are chosen by Gram and Schmidt's steps with pivots. Each row is drawn nearer
or further at random, by nothing or by all that is far about it, so that rows are chosen that are far, and others; half
of the choices are those of a maximum that is known, with one row exchanged.

All starts then take a few steps together, as rows of arrays: those that rise highest, and differ in their leverages,
are worth a climb. They are only starts: digits may be lost where columns are nearly dependent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from ..data import Array
from ..objective import SignedRows
from .leverages import safe_curvature
from .objective import FirthObjective

PRODUCTS = 5e6  # multiplications of an evaluation at all starts
_TYLER = 5  # steps
_TOGETHER = 12  # steps of all starts
_SAFE = 1  # of these, by a curvature that is safe far from maxima
_BETTER = 64  # starts that go on after the first
_CLIMBS = 6  # of them are climbed from
_APART = 0.1  # the difference of a leverage from which starts are not the same
_SETTLED = 1e-4  # of the penalised log-likelihood: starts that have no more to gain
_GAINS = 4  # steps like the next one are what is left to a start, at the most
_OF_USE = 6.0  # below the highest maximum, of the penalised log-likelihood, no other shows in a test or an interval
_SURE = 100.0  # so much longer is a row that is to be chosen, in logarithms
_NOTHING = 1e-300


@dataclass(frozen=True)
class Places:
    """Where starts are: phi (m, q), the penalised log-likelihood, leverages (m, n), the next steps and their gains."""

    phi: Array
    value: Array
    leverages: Array
    step: Array
    gain: Array

    def take(self, k: list[int]) -> "Places":
        """Some of them."""
        return Places(self.phi[k], self.value[k], self.leverages[k], self.step[k], self.gain[k])

    def moved(self, new: "Places", where: NDArray[np.bool_]) -> "Places":
        """Those of `new` in some places."""
        old = (self.phi, self.value, self.leverages, self.step, self.gain)
        both = zip((new.phi, new.value, new.leverages, new.step, new.gain), old, strict=True)
        return Places(*(np.where(where.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in both))


class Together:
    """Many starts on few rows: theta = top + basis @ phi, so that `fixed` @ theta is what it is at the top.

    tops : the maxima that are known, the highest first
    """

    def __init__(self, objective: FirthObjective, tops: Sequence[Array], fixed: Array | None) -> None:
        (block,) = objective.data.blocks()
        rows = SignedRows.of(block, objective.coordinates)
        D = np.asarray(rows.D.toarray() if sp.issparse(rows.D) else rows.D)
        white = _even(D)
        self._inside = np.eye(len(white)) if fixed is None else scipy.linalg.qr((fixed @ white).T)[0][:, len(fixed) :]
        self._U, self._V = D @ white, D @ white @ self._inside
        self._s = np.ones(len(D)) if rows.weight is None else rows.weight
        self._top, self._basis = tops[0], white @ self._inside
        self._margin = rows.margins(self._top)
        self._known = [objective.leverages(block, objective.at(top)) for top in tops]

    def starts(self, rng: np.random.Generator, count: int) -> Iterator[Array]:
        """The best of some starts, that differ from each other and from what is known."""
        n, k = self._U.shape
        here = self._look(self._of_rows(rng, min(count, max(int(PRODUCTS / (n * k * k)), 1))), True)
        length = np.ones(len(here.phi))
        for j in range(_TOGETHER):
            there = self._look(here.phi + length[:, None] * here.step, j < _SAFE)
            rises = there.value > here.value
            here = here.moved(there, rises)
            length = np.where(rises, np.minimum(2 * length, 1.0), length / 4)
            if j == 0:
                best = self._differing(here.value, here.leverages, _BETTER)
                here, length = here.take(best), length[best]
            if not here.gain.max(initial=0.0) > _SETTLED:
                break
        top = float(self._look(np.zeros((1, here.phi.shape[1])), False).value[0])
        hopeful = np.where(here.value + _GAINS * here.gain > top - _OF_USE, here.value, -np.inf)
        for one in self._differing(hopeful, here.leverages, _CLIMBS):
            yield self._top + self._basis @ here.phi[one]

    def _differing(self, value: Array, leverages: Array, most: int) -> list[int]:
        """The highest that differ from each other and from what is known."""
        value = value.copy()
        chosen: list[int] = []
        for known in self._known:
            value[np.abs(leverages - known).max(axis=1) <= _APART] = -np.inf
        while len(chosen) < most and value.max(initial=-np.inf) > -np.inf:
            chosen.append(int(np.argmax(value)))
            value[np.abs(leverages - leverages[chosen[-1]]).max(axis=1) <= _APART] = -np.inf
        return chosen

    def _of_rows(self, rng: np.random.Generator, count: int) -> Array:
        """Where as many rows as there are coefficients have the margins that they would have alone."""
        s, V, root = self._s, self._V, np.sqrt(self._s)
        n, q = V.shape
        far = 0.5 * np.log(np.maximum(s * np.square(self._U).sum(axis=1), _NOTHING))
        drawn = rng.choice([0.5, 1.0, 2.0, 4.0, 8.0], (count, 1)) * rng.normal(size=(count, n))
        drawn -= rng.random((count, 1)) * far
        share = count // 2 // len(self._known)
        for k, known in enumerate(self._known):
            self._exchange(known, drawn[k * share : (k + 1) * share], rng)
        picked = np.unique(np.sort(self._spanning(drawn), axis=1), axis=0)
        A = root[picked][:, :, None] * V[picked]
        A += 1e-14 * np.abs(A).max(axis=(1, 2), initial=_NOTHING)[:, None, None] * np.eye(q)
        wanted = root * (np.log1p(2 * s) - self._margin)
        return np.asarray(np.linalg.solve(A, wanted[picked][:, :, None])[:, :, 0])

    def _exchange(self, leverages: Array, drawn: Array, rng: np.random.Generator) -> None:
        """Draw the rows that count most at a known maximum, each time with one of them left for another row."""
        (inner,) = self._spanning(np.log(leverages[None, :] + 1e-3))
        outer = np.setdiff1d(np.arange(leverages.size), inner)
        pairs = rng.permutation(inner.size * outer.size)[: len(drawn)]
        each = np.arange(pairs.size)
        drawn[: pairs.size, inner] = _SURE
        drawn[each, inner[pairs % inner.size]] = -_SURE
        drawn[each, outer[pairs // inner.size]] = _SURE

    def _spanning(self, drawn: Array) -> NDArray[np.intp]:
        """Rows that span much, by pivots; each row is as much longer as exp(drawn) says, (m, n)."""
        s, V, root = self._s, self._V, np.sqrt(self._s)
        m, q = len(drawn), V.shape[1]
        left = np.tile(s * np.square(V).sum(axis=1), (m, 1))
        floor = 1e-10 * left[0]
        basis, picked = np.zeros((m, q, q)), np.zeros((m, q), dtype=np.intp)
        for j in range(q):
            size = np.log(np.maximum(left, _NOTHING)) + 2 * drawn
            picked[:, j] = np.argmax(np.where(left > floor, size, -np.inf), axis=1)
            new = root[picked[:, j], None] * V[picked[:, j]]
            for _ in range(2):
                new = new - np.einsum("mj,mji->mi", np.einsum("mji,mi->mj", basis, new), basis)
            basis[:, j] = new / np.maximum(np.linalg.norm(new, axis=1), _NOTHING)[:, None]
            left -= s * np.square(basis[:, j] @ V.T)
        return picked

    def _look(self, phi: Array, safe: bool) -> Places:
        """All about some starts; steps as in a fit with pseudo-observations, see `FirthObjective.convex`."""
        s = self._s
        with np.errstate(all="ignore"):
            z = self._margin + phi @ self._V.T
            t = np.exp(-np.abs(z))
            c, wrong = t / (1 + t) ** 2, np.where(z < 0, 1 / (1 + t), t / (1 + t))
            inverse, log_det = _inverses(self._grams(s * c))
            h = np.clip(s * c * np.einsum("mnk,nk->mn", self._U @ inverse, self._U), 0.0, 1.0)
            value = (np.minimum(z, 0.0) - np.log1p(t)) @ s + 0.5 * log_det
            gradient = (s * wrong + h * (wrong - 0.5)) @ self._V
            convex = self._grams(safe_curvature(s, h, z) if safe else (s + h) * c)
            step = np.einsum("mij,mj->mi", _inverses(self._inside.T @ convex @ self._inside)[0], gradient)
            gain = 0.5 * np.einsum("mj,mj->m", step, gradient)
        bad = ~np.isfinite(value + gain)
        value[bad], step[bad], h[bad], gain[bad] = -np.inf, 0.0, 0.0, 0.0
        return Places(phi, value, h, step, gain)

    def _grams(self, w: Array) -> Array:
        """U' diag(w) U for each row of w."""
        return np.asarray((self._U.T * w[:, None, :]) @ self._U)


def _even(D: Array) -> Array:
    """A root of the inverse of Tyler's shape of the rows (Annals of Statistics 15, 1987): no few far ones make it.

    Times it, most rows are as long as each other in all directions.
    """
    k = D.shape[1]
    white = np.diag(1 / np.maximum(np.sqrt(np.square(D).mean(axis=0)), _NOTHING))
    for _ in range(_TYLER):
        U = D @ white
        length = np.square(U).sum(axis=1)
        U = U[length > 0] / np.sqrt(length[length > 0, None])
        values, vectors = np.linalg.eigh(k * (U.T @ U) / len(U))
        white = white @ (vectors / np.sqrt(np.maximum(values, 1e-12 * values[-1])))
    return np.asarray(white)


def _inverses(grams: Array) -> tuple[Array, Array]:
    """The inverse of each of many symmetric matrices, and the logarithm of its determinant."""
    size = np.maximum(np.sqrt(np.einsum("mii->mi", grams)), 1e-150)
    unit = grams / size[:, :, None] / size[:, None, :]
    unit[~np.isfinite(unit).all(axis=(1, 2))] = 0.0
    unit += 1e-13 * np.eye(grams.shape[1])
    log_det = np.linalg.slogdet(unit)[1] + 2 * np.log(size).sum(axis=1)
    return np.linalg.inv(unit) / size[:, :, None] / size[:, None, :], log_det
