"""Rows as a design makes numbers of them: as a matrix for a fit, or as scores."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .expressions import Array
from .terms import Piece

_FEW = 64  # columns that are held dense, however many are 0
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

    def scores(self, intercept: Any, coef: Array) -> Array:
        """b + x w of each row, w (k,) or (k, K); NaN for rows that are gone. They can overflow."""
        if coef.ndim == 2:
            return np.column_stack([self.scores(b, w) for b, w in zip(intercept, coef.T, strict=True)])
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
