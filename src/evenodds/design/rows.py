"""Rows as a design makes numbers of them: as a matrix for a fit, or as scores."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..arrays import Array
from ..data.coded import Coded, Layout
from .terms import Piece

_FEW = 64  # columns that are held dense, however many are 0
_LARGE = 1 << 22  # entries, from which a fit keeps codes
_TILE = 4096  # rows that stay near while their columns are laid side by side
_SPARSE = 4  # columns a number that a row has


@dataclass(frozen=True)
class DesignRows:
    """Some rows as a design makes numbers of them.

    pieces : the columns, in order
    gone : (n,) the rows that have no numbers, because a value is missing
    drops : whether a fit leaves out rows with missing values
    """

    n_rows: int
    n_columns: int
    pieces: list[Piece]
    gone: NDArray[np.bool_]
    drops: bool

    def for_fit(self) -> Any:
        """The columns as a fit reads them: factors stay codes where a matrix would be large or mostly 0."""
        many = self.n_columns > max(_FEW, _SPARSE * len(self.pieces)) or self.n_rows * self.n_columns > _LARGE
        return self.coded() if many and any(piece.codes is not None for piece in self.pieces) else self.matrix()

    def for_stream(self) -> Any:
        """The same, whatever the number of rows: a batch of them."""
        return self.coded() if any(piece.codes is not None for piece in self.pieces) else self.matrix()

    def coded(self) -> Coded:
        """Numbers side by side, and codes below one another. Rows that are gone have NaN and no code."""
        plain = [piece for piece in self.pieces if piece.codes is None]
        factors = [piece for piece in self.pieces if piece.codes is not None]
        values = list({id(piece.values): piece.values for piece in factors if piece.values is not None}.values())
        place = {id(each): k for k, each in enumerate(values)}
        numbers = np.empty((self.n_rows, len(plain)))
        for start in range(0, self.n_rows, _TILE):
            rows = slice(start, start + _TILE)
            for j, piece in enumerate(plain):
                numbers[rows, j] = 1.0 if piece.values is None else piece.values[rows]
        numbers[self.gone] = np.nan
        layout = Layout(
            self.n_columns,
            np.array([piece.first for piece in plain], dtype=np.intp),
            np.array([piece.first for piece in factors], dtype=np.intp),
            np.array([piece.count for piece in factors], dtype=np.intp),
            np.array([place.get(id(piece.values), -1) for piece in factors], dtype=np.int32),
        )
        codes = np.stack([piece.codes for piece in factors if piece.codes is not None])
        codes[:, self.gone] = -1
        entries = np.stack(values) if values else np.empty((0, self.n_rows))
        return Coded(layout, numbers, codes, entries, np.zeros(len(plain)))

    def matrix(self) -> Any:
        """The columns (n, k): an array, or CSR where most entries are 0. Rows that are gone are NaN."""
        if self.n_columns > max(_FEW, _SPARSE * len(self.pieces)):
            return self._sparse()
        X = np.zeros((self.n_rows, self.n_columns))
        for piece in self.pieces:
            if piece.codes is None:
                X[:, piece.first] = 1.0 if piece.values is None else piece.values
            else:
                rows = np.flatnonzero(piece.codes >= 0)
                X[rows, piece.first + piece.codes[rows]] = 1.0 if piece.values is None else piece.values[rows]
        X[self.gone] = np.nan
        return X

    def _sparse(self) -> Any:
        shape = (self.n_rows, len(self.pieces))
        columns, entries = np.empty(shape, dtype=np.int32), np.empty(shape)
        there = np.ones(shape, dtype=bool)
        for j, piece in enumerate(self.pieces):
            columns[:, j] = piece.first if piece.codes is None else piece.first + piece.codes
            entries[:, j] = 1.0 if piece.values is None else piece.values
            if piece.codes is not None:
                there[:, j] = piece.codes >= 0
        columns[self.gone] = [piece.first for piece in self.pieces]
        entries[self.gone], there[self.gone] = np.nan, True
        ends = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
        return sp.csr_array((entries[there], columns[there], ends), shape=(self.n_rows, self.n_columns))

    def scores(self, intercept: float | Array, coef: Array) -> Array:
        """b + x w of each row, w (k,) or (k, K); NaN for rows that are gone. They can overflow."""
        if coef.ndim == 2:
            return np.column_stack([self.scores(b, w) for b, w in zip(np.atleast_1d(intercept), coef.T, strict=True)])
        scores = np.full(self.n_rows, float(intercept))
        with np.errstate(over="ignore", invalid="ignore"):
            for piece in self.pieces:
                w = coef[piece.first : piece.first + piece.count]
                if piece.codes is None:
                    scores += w[0] if piece.values is None else piece.values * w[0]
                else:
                    own = np.append(w, 0.0)[piece.codes]
                    scores += own if piece.values is None else piece.values * own
        scores[self.gone] = np.nan
        return scores
