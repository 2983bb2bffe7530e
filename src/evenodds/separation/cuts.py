"""Columns that tell classes apart by themselves, each by a cut: its values of some classes end where the others' begin.

Beside an intercept the cut may be anywhere, without one it is at 0.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, Mask
from ..data import Block, Sums
from ..objective.softmax import dense_design
from .sides import SignedHome


@dataclass(frozen=True)
class Cut:
    """Columns each of which tells the same classes from all others.

    classes : (K,) those that some rows certainly belong to
    signs : (p,) 1 where high values of a column belong to them and never to the others, -1 where low values do, else 0
    """

    classes: Mask
    signs: Array


@dataclass(frozen=True)
class _Cuts:
    """Of each the column (c,), the classes above it (c, K), and where these begin and the others end (c,).

    up, down : (c,) whether some rows of each class above, or of each below, are beyond all values of the others
    """

    column: NDArray[np.intp]
    above: Mask
    begin: Array
    end: Array
    up: Mask
    down: Mask

    @classmethod
    def between(cls, low: Array, high: Array, *, anywhere: bool) -> "_Cuts":
        """From where the values of each class begin and end (K, p)."""
        order = np.lexsort((high, low), axis=0)
        begin = np.take_along_axis(low, order, 0)[1:]
        end = np.maximum.accumulate(np.take_along_axis(high, order, 0), axis=0)[:-1]
        if anywhere:
            apart = end <= begin
        else:
            apart, begin, end = (end <= 0) & (begin >= 0), np.zeros_like(begin), np.zeros_like(end)
        below, column = np.nonzero(apart)
        above = below[:, None] < np.argsort(order, axis=0)[:, column].T
        begin, end = begin[below, column], end[below, column]
        up, down = (high.T[column] > end[:, None]) | ~above, (low.T[column] < begin[:, None]) | above
        return cls(column, above, begin, end, np.all(up, axis=1), np.all(down, axis=1))

    def only(self, kept: Mask) -> "_Cuts":
        """Some of them."""
        return _Cuts(*(getattr(self, one.name)[kept] for one in fields(self)))

    def grouped(self, columns: NDArray[np.intp], n_columns: int) -> list[Cut]:
        """Those by which some rows are told, by their classes, of columns (c,) that are some of all."""
        signs: dict[bytes, tuple[Mask, Array]] = {}
        for column, above, up, down in zip(self.column, self.above, self.up, self.down, strict=True):
            few = 2 * np.count_nonzero(above) + above[0] <= above.size
            high = up and (few or not down)
            classes = above if high else ~above
            _, of_cut = signs.setdefault(classes.tobytes(), (classes, np.zeros(n_columns)))
            of_cut[columns[column]] = 1.0 if high else -1.0
        return [Cut(*one) for one in signs.values()]

    def told(self, tile: Block, values: Array) -> Mask:
        """Which rows are told from which classes (m, K): no row of that side of a cut has their value."""
        above = self.above.T[tile.y.astype(np.intp)]
        up, down = above & (values > self.end), ~above & (values < self.begin)
        return np.asarray((up.astype(float) @ ~self.above + down.astype(float) @ self.above) > 0)


def cuts_of(signed: SignedHome, separated: Mask, bounds: Array) -> tuple[list[Cut], Mask]:
    """The cuts, and which rows are separated from which classes by columns together only.

    separated : (n, K - 1) which rows are, from classes other than their own
    bounds : (k,) of two classes, 1 where a coefficient cannot fall for ever, -1 where it cannot rise, else 0
    """
    coordinates, n_classes = signed.sides.coordinates, int(signed.data.class_weights.size)
    first, every = int(coordinates.intercept), np.arange(n_classes)

    def ends(tile: Block) -> Sums:
        X = dense_design(coordinates, tile)[:, first:]
        of_class = [X[tile.y == k] for k in every]
        low, high = (np.array([function(x) for x in of_class]) for function in (_least, _most))
        return [low], [high]

    lows, highs = signed.over_tiles(ends)
    cuts = _Cuts.between(np.min(lows, axis=0), np.max(highs, axis=0), anywhere=bool(first))
    cuts = cuts.only(cuts.up | cuts.down)
    if n_classes == 2:
        rises = np.where(cuts.above[:, 1], 1, -1)
        cuts = cuts.only(rises * bounds[first:][cuts.column] >= 0)

    def left(tile: Block) -> Sums:
        told = cuts.told(tile, dense_design(coordinates, tile)[:, first:][:, cuts.column])
        return ([~told[every != tile.y[:, None]].reshape(tile.n_rows, n_classes - 1)],)

    together = separated & np.concatenate(signed.over_tiles(left)[0])
    return cuts.grouped(coordinates.columns, signed.data.n_columns), together


def cuts_between(low: Array, high: Array, columns: NDArray[np.intp], n_columns: int) -> list[Cut]:
    """The cuts by some columns whose values of each class begin and end there (K, c)."""
    cuts = _Cuts.between(low, high, anywhere=True)
    return cuts.only(cuts.up | cuts.down).grouped(columns, n_columns)


def _least(x: Array) -> Array:
    return np.asarray(x.min(axis=0, initial=np.inf))


def _most(x: Array) -> Array:
    return np.asarray(x.max(axis=0, initial=-np.inf))
