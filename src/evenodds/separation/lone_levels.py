"""Separation beside a factor of thousands of levels, of which no judge of all columns is asked.

A level of which some class has no row separates alone: a coefficient grows without end whatever else is in the model,
and of two classes its rows are certain. Without these rows other factors may have such levels in turn. Where the rows
that are left balance at their optimum (`balance`), nothing else separates: the directions are sums of those of the
levels, each by an amount of its own. Where they do not balance, it is not decided.
"""

import functools
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..arrays import Array, Mask
from ..coordinates import Coordinates, choose_coordinates
from ..data import Block, Sums
from ..data.coded import Coded, Layout
from ..data.views import some_rows
from ..exceptions import EvenOddsError
from ..objective import Objective
from ..solvers import regimes
from ..solvers.costs import sample_rows
from ..solvers.running import Goal
from .balance import balanced
from .cuts import cuts_between
from .rays import Rays
from .recession import Recession
from .sides import SignedHome, TwoSides
from .verdict import Verdict

_TOL = 1e-6  # standard errors, to which the rows that are left are fitted for the proof
_MOST = 100  # iterations of that fit


def lone_levels(objective: Objective, free: Coordinates) -> Verdict | None:
    """What levels tell by which some class has no row, and others have; None if there is none.

    The rows without a level of a factor count as one: of these it is known that another level separates.

    free : of the columns that nothing holds
    """
    layout, n_classes = objective.data.layout, objective.data.class_weights.size
    if layout is None:
        raise AssertionError("only coded rows have levels")
    (rows,) = objective.reduce(functools.partial(levels_by_class, n_classes=n_classes))
    there, usable = rows > 0, _usable(layout, free)
    sign = np.where(usable, signs_of_levels(rows), 0.0)
    if not sign.any():
        return None
    slopes = np.zeros((n_classes - 1, layout.n_columns + 1))
    slopes[:, layout.places] = sign
    slopes[:, -1] = 0.0
    starts, single = layout.starts[:-1], usable.copy()
    single[starts] = False
    for f, start in enumerate(starts.tolist()):
        levels = layout.places[start + 1 : start + 1 + layout.counts[f]]
        others = levels[~slopes[:, levels].any(axis=0)]
        slopes[:, others] = -sign[:, [start]]
    every = np.add.reduceat(rows, starts, axis=1).max(axis=1, keepdims=True)  # of each class
    low, high = (rows[:, single] == every).astype(float), there[:, single].astype(float)
    cuts = cuts_between(low, high, layout.places[single], layout.n_columns)
    together = sign[:, starts]
    apart = (there & usable)[:, starts].astype(float) @ (~there)[:, starts].T > 0
    certain = bool((together < 0).any()), bool((together > 0).any())
    return Verdict(slopes[:, :-1], tuple(cuts), certain, apart | apart.T)


def levels_by_class(block: Block, n_classes: int, left: Mask | None = None) -> Sums:
    """The rows of each class at each place of a factors' table (K, places); of columns of 1 alone.

    left : of all rows those that count
    """
    rows, found = block.rows, np.zeros((n_classes, block.rows.layout.places.size))
    some = slice(None) if left is None else left[block.first : block.first + block.n_rows]
    y = block.y[some].astype(np.intp)
    for f, (start, count) in enumerate(zip(rows.layout.starts, rows.layout.counts, strict=False)):
        if rows.entry(f) is None:
            each = y * (count + 1) + rows.codes[f][some] + 1
            found[:, start : start + count + 1] = np.bincount(each, minlength=n_classes * (count + 1)).reshape(
                n_classes, -1
            )
    return (found,)


def signs_of_levels(rows: Array) -> Array:
    """Where scores of the classes but the first certainly go, beside its own, at each place (K - 1, places).

    rows : see `levels_by_class`
    """
    there = (rows > 0).astype(float)
    return np.asarray(there[1:] - there[0])


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
    direction = np.zeros(rays.shape[1])
    for part in parts:  # what is certain first has to make up for what comes after
        direction = direction * (1 + 2 * layout.counts.size) + np.asarray(part.sum(axis=0)).ravel()
    solved = np.concatenate([np.arange(int(coordinates.intercept)), 1 + coordinates.columns])
    scale = np.concatenate([np.ones(int(coordinates.intercept)), coordinates.scale[coordinates.columns]])
    null = sp.csr_array((rays[:, solved] @ sp.diags_array(scale)).T)
    first_place = int(not coordinates.intercept)
    kind = "overlap" if not rounds else "quasi-complete" if left.any() else "complete"
    seen = Rays.of(signed, null, ~left)
    infinite = seen.signs(rays.T)
    return Recession(kind, infinite[first_place:], direction[first_place:], ~left, null, seen)


def _rounds(signed: SignedHome, layout: Layout, coordinates: Coordinates) -> tuple[Mask, list[Array]]:
    """The rows that no level separates, and the signs of the levels that do: of all rows, then of the others."""
    left, usable = np.ones(signed.data.n_rows, dtype=bool), _usable(layout, coordinates)
    rounds: list[Array] = []
    while left.any():
        (rows,) = signed.reduce(functools.partial(levels_by_class, n_classes=2, left=left))
        sign = np.where(usable, signs_of_levels(rows)[0], 0.0)
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
    found = regimes.quasi_newton(objective, objective.start(sample), sample, Goal(_TOL, _MOST))
    home = SignedHome(data, data.reduce, TwoSides(coordinates))
    return balanced(home, np.zeros(objective.n_coef), objective.multipliers(found.theta))
