"""Separation of two classes beside a factor of thousands of levels, of which no judge of all columns is asked.

A level whose rows are all of one class is separated alone: its coefficient grows without end whatever else is in the
model, and its rows are certain. Without these rows other factors may have such levels in turn. Where the rows that are
left balance at their optimum (`balance`), nothing else separates: the directions are sums of those of the levels, each
by an amount of its own. Where they do not balance, it is not decided.
"""

import functools
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..coordinates import Coordinates, choose_coordinates
from ..data import Array, Block, Sums
from ..data.coded import Coded, Layout
from ..data.views import some_rows
from ..exceptions import EvenOddsError
from ..objective import Objective
from ..solvers import regimes
from ..solvers.costs import sample_rows
from .balance import balanced
from .recession import Recession
from .sides import SignedHome, TwoSides

_TOL = 1e-6  # standard errors, to which the rows that are left are fitted for the proof
_MOST = 100  # iterations of that fit
Mask = NDArray[np.bool_]


def levels_by_class(block: Block, left: Mask | None = None) -> Sums:
    """The rows at each place of a factors' table, of the first class and of the second; of columns of 1 alone.

    left : of all rows those that count
    """
    rows, found = block.rows, np.zeros((2, block.rows.layout.places.size))
    some = slice(None) if left is None else left[block.first : block.first + block.n_rows]
    y = block.y[some] > 0
    for f, (start, count) in enumerate(zip(rows.layout.starts, rows.layout.counts, strict=False)):
        if rows.entry(f) is None:
            codes = rows.codes[f][some] + 1
            for k in range(2):
                found[k, start : start + count + 1] = np.bincount(codes[y == bool(k)], minlength=count + 1)
    return found[0], found[1]


def signs_of_levels(first: Array, second: Array) -> Array:
    """1 at places whose rows are all of the second class, -1 of the first, else 0."""
    return np.where((first > 0) == (second > 0), 0.0, np.where(second > 0, 1.0, -1.0))


def in_places(rows: Coded, places: Mask) -> Mask:
    """Which rows are at some of the places of a factors' table."""
    found = np.zeros(rows.shape[0], dtype=bool)
    for f, start in enumerate(rows.layout.starts[:-1]):
        if rows.entry(f) is None:
            found |= places[start + 1 + rows.codes[f]]
    return found


def rays_of(layout: Layout, coordinates: Coordinates, sign: Array) -> Any:
    """The directions (rays, p + 1) of the levels at places with a sign, as raw coefficients, the intercept first, CSR.

    Rows without a level of a factor are those of its reference: where these are of one class, the intercept grows and
    all levels that have a column make up for it.
    """
    entries: list[tuple[int, int, float]] = []
    solved = np.append(np.isin(np.arange(layout.n_columns), coordinates.columns), False)
    count = 0
    for f, start in enumerate(layout.starts[:-1].tolist()):
        levels = layout.places[start + 1 : start + 1 + layout.counts[f]]
        for k in np.flatnonzero(sign[start + 1 : start + 1 + levels.size]).tolist():
            if solved[levels[k]]:
                entries.append((count, 1 + int(levels[k]), float(sign[start + 1 + k])))
                count += 1
        if sign[start] and coordinates.intercept and solved[levels].all():
            entries.append((count, 0, float(sign[start])))
            entries += [(count, 1 + int(level), -float(sign[start])) for level in levels]
            count += 1
    at = tuple(np.array([one[k] for one in entries], dtype=np.intp) for k in (0, 1))
    values = np.array([value for *_, value in entries])
    return sp.csr_array((values, at), shape=(count, layout.n_columns + 1))


def beside_wide(signed: SignedHome) -> Recession:
    """What separates the two classes; `null` of it are the rays in theta, CSR (q, rays), a column each."""
    coordinates, layout = signed.sides.coordinates, signed.data.layout
    if layout is None:
        raise AssertionError("only coded rows have levels")
    left, rounds = _rounds(signed, layout, coordinates)
    if left.any() and not _overlap(signed, left):
        raise EvenOddsError(
            f"Beside a factor of {layout.counts.max():,} levels it was not decided whether other columns separate the "
            "classes. Take fewer levels, or add a ridge (for example C=1), which needs no answer."
        )
    parts = [rays_of(layout, coordinates, sign) for sign in rounds]
    rays = sp.csr_array(sp.vstack([sp.csr_array((0, layout.n_columns + 1)), *parts]))
    up, down = (np.bincount(rays.indices, kind, rays.shape[1]) > 0 for kind in (rays.data > 0, rays.data < 0))
    infinite = np.where(up & down, np.nan, np.where(up, np.inf, np.where(down, -np.inf, 0.0)))
    direction = np.zeros(rays.shape[1])
    for part in parts:  # what is certain first has to make up for what comes after
        direction = direction * (1 + 2 * layout.counts.size) + np.asarray(part.sum(axis=0)).ravel()
    alone = np.zeros(layout.n_columns + 1)
    if rounds:
        alone[layout.places] = rounds[0]
    alone = np.concatenate([[0.0], alone[:-1]])
    solved = np.concatenate([np.arange(int(coordinates.intercept)), 1 + coordinates.columns])
    scale = np.concatenate([np.ones(int(coordinates.intercept)), coordinates.scale[coordinates.columns]])
    null = sp.csr_array((rays[:, solved] @ sp.diags_array(scale)).T)
    first_place = int(not coordinates.intercept)
    kind = "overlap" if not rounds else "quasi-complete" if left.any() else "complete"
    return Recession(
        kind, infinite[first_place:], direction[first_place:], ~left, null, alone[first_place:], len(rounds) > 1
    )


def _rounds(signed: SignedHome, layout: Layout, coordinates: Coordinates) -> tuple[Mask, list[Array]]:
    """The rows that no level separates, and the signs of the levels that do: of all rows, then of the others."""
    left, usable = np.ones(signed.data.n_rows, dtype=bool), _usable(layout, coordinates)
    rounds: list[Array] = []
    while left.any():
        sign = signs_of_levels(*signed.reduce(functools.partial(levels_by_class, left=left)))
        sign = np.where(usable, sign, 0.0)
        if not sign.any():
            break
        (gone,) = signed.reduce(functools.partial(_in_levels, places=sign != 0))
        left = left & ~np.concatenate(gone)
        rounds.append(sign)
    return left, rounds


def _in_levels(block: Block, places: Mask) -> Sums:
    return ([in_places(block.rows, places)],)


def _usable(layout: Layout, coordinates: Coordinates) -> Mask:
    """Which places of a factors' table have a direction of their own."""
    solved = np.append(np.isin(np.arange(layout.n_columns), coordinates.columns), False)
    found = solved[layout.places]
    for f, start in enumerate(layout.starts[:-1].tolist()):
        found[start] = coordinates.intercept and found[start + 1 : start + 1 + layout.counts[f]].all()
    return found


def _overlap(signed: SignedHome, left: Mask) -> bool:
    """Whether the rows that are left are proved to overlap, by their optimum."""
    data = signed.data if left.all() else some_rows(signed.data, np.flatnonzero(left))
    sample = data.sample(sample_rows(data), 0)
    intercept = signed.sides.coordinates.intercept
    coordinates = choose_coordinates(data, sample, intercept=intercept, standardize=False, strength=0.0)
    objective = Objective(data, coordinates, np.zeros(coordinates.columns.size))
    found = regimes.quasi_newton(objective, objective.start(sample), sample, tol=_TOL, max_iter=_MOST)
    home = SignedHome(data, data.reduce, TwoSides(coordinates))
    return balanced(home, np.zeros(objective.n_coef), objective.multipliers(found.theta))
