"""What the page asks of Python: to learn with the code that it shows, and to look into it.

A `Session` is one page. `begin` loads scratch.py, patched if mistakes are on, and starts its `epochs`; `more` goes on
for some milliseconds and returns what is new; `paint` gives the pictures of epochs; `trace` runs one batch again under
X-ray; `culprit` finds the operation that first gave a number that is not finite. The page only draws.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ..arrays import Values
from . import measures, mistakes, source, tracing
from .points import NAMES, Refused, columns_of, from_csv, own_points, points

GRID = 48  # cells of the picture in each direction
BOWL = 28  # cells of the loss surface
SAMPLE = 500  # rows of which the surface takes the loss
NOT_A_NUMBER = 255  # a shade


class Session:
    """One page: its data, its run and what was learnt so far."""

    data: str
    features: str
    normalise: bool
    settings: dict[str, Any]
    epochs: int
    keys: tuple[str, ...]
    raw: Values  # (m, 2) points of the plane, or (m, 3)
    y: Values
    module: ModuleType
    columns: Values  # what is learnt from, before it is normalised
    X: Values  # and after
    grid: Values  # the picture's cells as such rows
    W: Values  # (epochs, n), B and L (epochs,): weights, biases and losses so far
    B: Values
    L: Values
    steps: Iterator[tuple[Values, float, float]]
    suspects: list[int]  # epochs, -1 for what comes before them
    found: dict[str, Any] | None
    stopped: str

    def __init__(self) -> None:
        self.own: list[list[float]] = []
        self.module = source.load(source.SOURCE)
        self.text = source.SOURCE

    def hello(self) -> dict[str, Any]:
        """Say what there is: the source, the mistakes and the sets of points."""
        sections = mistakes.sections()
        return {
            "source": source.SOURCE,
            "functions": source.functions(source.SOURCE),
            "python": sys.version.split()[0],
            "numpy": np.__version__,
            "data": NAMES,
            "conflicts": mistakes.conflicts(),
            "mistakes": [
                {
                    **{name: getattr(each, name) for name in ("key", "title", "look", "measure", "wrong", "right")},
                    "settings": each.settings,
                    "section": sections[each.title],
                }
                for each in mistakes.MISTAKES
            ],
        }

    def set_points(self, rows: Sequence[Sequence[float]]) -> dict[str, Any]:
        """Take points that were set by hand: they are the data "own"."""
        own_points(rows)
        self.own = [list(row) for row in rows]
        return {"count": len(rows)}

    def csv(self, text: str) -> dict[str, Any]:
        """Take the points of a CSV table: they are the data "own"."""
        table = from_csv(text)
        self.own = table["points"]
        return table

    def points(self, data: str, seed: int = 0) -> tuple[Values, Values]:
        """Return a set of points, also the own ones."""
        return own_points(self.own) if data == "own" else points(data, seed)

    def begin(
        self,
        data: str = "moons",
        features: str = "straight",
        normalise: bool = True,
        lr: float = 0.01,
        bs: int = 100,
        epochs: int = 200,
        seed: int = 0,
        keys: Sequence[str] = (),
        ms: float = 6.0,
    ) -> dict[str, Any]:
        """Start to learn; return the data and the first epochs, as `more` does."""
        if not (np.isfinite(lr) and 0 < lr <= 1e6 and 1 <= bs <= 100_000 and 1 <= epochs <= 5000 and 0 <= seed < 2**31):
            raise Refused("A learning rate is above 0, a batch has at least 1 row, and there are 1 to 5,000 epochs.")
        try:
            self.text = mistakes.text_of(keys)
        except ValueError as error:
            raise Refused(str(error)) from None
        self.data, self.features, self.normalise = data, features, normalise
        self.settings = {"bs": bs, "lr": lr, "seed": seed}
        self.epochs, self.keys = epochs, tuple(keys)
        self.module = source.load(self.text)
        self.raw, self.y = self.points(data, seed)
        self.columns = columns_of(self.raw, features, self.raw)
        self.W, self.B, self.L = np.empty((0, self.columns.shape[1])), np.empty(0), np.empty(0)
        self.suspects = []
        self.found = None
        self.stopped = ""
        self._orders: tuple[int, np.random.Generator] = (0, np.random.default_rng(seed))
        with np.errstate(all="call", under="ignore", call=self._flag):
            self._flagged = False
            self.X = self.module.normalize(self.columns) if normalise else self.columns
        if self._flagged or not np.isfinite(self.X).all():
            self.suspects.append(-1)
        self.steps = self.module.epochs(self.X, self.y, **self.settings)
        self._make_grid()
        rows = source.diff(self.text) if keys else []
        first = self.more(ms)
        if not len(self.W):
            raise Refused(self.stopped)
        return {
            **first,
            "X": self.raw[:, :2],
            "y": self.y,
            "box": self.box,
            "diff": rows,
            "functions": source.functions(self.text),
            "batches": -(-len(self.y) // bs),
            "weights": self.columns.shape[1],
            **self.paint(0, min(len(self.W), 8)),
        }

    def _flag(self, kind: str, flag: int) -> None:
        self._flagged = True

    def _make_grid(self) -> None:
        """The points of the picture, moved as the data were: with the normalize that is shown."""
        low, high = self.raw[:, :2].min(axis=0), self.raw[:, :2].max(axis=0)
        wide = np.where(high > low, high - low, 2.0)
        low, high = low - 0.08 * wide, high + 0.08 * wide
        self.box = np.r_[low, high]
        across, down = np.linspace(low[0], high[0], GRID), np.linspace(high[1], low[1], GRID)
        grid = np.c_[np.tile(across, GRID), np.repeat(down, GRID)]
        if self.raw.shape[1] > 2:
            grid = np.c_[grid, np.tile(self.raw[0, 2:], (len(grid), 1))]
        self.grid = self.moved(columns_of(grid, self.features, self.raw))

    def moved(self, columns: Values) -> Values:
        """Move new rows as the training rows were."""
        if not self.normalise:
            return columns
        with np.errstate(all="ignore"):
            new: Values = self.module.normalize(columns, reference=self.columns)
        return new

    def more(self, ms: float = 25.0) -> dict[str, Any]:
        """Go on learning for some milliseconds; return the new weights, biases and losses."""
        end, at = time.perf_counter() + min(ms, 1000.0) / 1e3, len(self.L)
        w: list[Values] = []
        b: list[float] = []
        losses: list[float] = []
        with np.errstate(all="call", under="ignore", call=self._flag):
            while at + len(losses) < self.epochs and not self.stopped:
                self._flagged = False
                try:
                    step = next(self.steps)
                except StopIteration:
                    self.stopped = f"The training stopped by itself after {at + len(losses)} epochs."
                    break
                except (ValueError, ArithmeticError) as error:
                    self.stopped = f"scratch refuses: {error}."
                    if at + len(losses) not in self.suspects:
                        self.suspects.append(at + len(losses))
                    break
                w.append(step[0])
                b.append(float(step[1]))
                losses.append(float(step[2]))
                if self._flagged or not np.isfinite(losses[-1]) or not np.isfinite(step[0]).all():
                    self.suspects.append(at + len(losses) - 1)
                if time.perf_counter() > end:
                    break
        new = np.array(w).reshape(-1, self.W.shape[1])
        self.W, self.B, self.L = np.r_[self.W, new], np.r_[self.B, b], np.r_[self.L, losses]
        return {
            "from": at,
            "w": new,
            "b": np.array(b),
            "loss": np.array(losses),
            "done": len(self.L) == self.epochs or bool(self.stopped),
            "stopped": self.stopped,
            "suspect": bool(self.suspects) and self.found is None,
        }

    def paint(self, start: int, stop: int) -> dict[str, Any]:
        """Return the pictures of some epochs: shades (k, GRID, GRID), 0 to 254 for probabilities 0 to 1, and lines."""
        start, stop = max(0, start), min(stop, len(self.W), start + 50)
        return self.painted(self.W[start:stop], self.B[start:stop])

    def painted(self, W: Values, B: Values) -> dict[str, Any]:
        """Return the pictures of given weights (k, n) and biases (k,)."""
        with np.errstate(all="ignore"):
            shade = np.nan_to_num(self.module.sigmoid(self.grid @ W.T + B).T * 254, nan=NOT_A_NUMBER)
        lines = np.full((len(W), 5), np.nan)
        if self.features == "straight":
            for i, (w, b) in enumerate(zip(W, B, strict=True)):
                lines[i] = measures.line(self, w, b)[0]
        return {"shade": np.round(shade).astype(np.uint8).reshape(-1, GRID, GRID), "lines": lines}

    def by_hand(self, w: Sequence[float], b: float, x: Sequence[float]) -> dict[str, Any]:
        """Paint the hypothesis of given weights on the data of the run, and follow one point (2,) through it."""
        point = self.moved(columns_of(np.array([x], dtype=float), "straight", self.raw))[0]
        W, B = np.array([w], dtype=float), np.array([b], dtype=float)
        z = float(point @ W[0] + b)
        right = self.module.accuracy(self.y, self.module.predict(self.X, W[0], b))
        p = float(self.module.sigmoid(z))
        asked = {"w": list(w), "b": b, "x": list(x)}
        return {**self.painted(W, B), **asked, "point": point, "z": z, "p": p, "accuracy": right}

    def guess(self, ends: Sequence[Sequence[float]]) -> dict[str, Any]:
        """Tell how many points a line through two points of the plane has on the right side, and the learnt one.

        Which side of a drawn line is class 1 is not said: the better one counts.
        """
        (x0, y0), (x1, y1) = self.moved(np.array(ends, dtype=float))
        w = np.array([y1 - y0, x0 - x1])
        b = -float(w @ [x0, y0])
        sides = [self.module.predict(self.X, sign * w, sign * b) for sign in (1, -1)]
        yours = max(float(self.module.accuracy(self.y, side)) for side in sides)
        best = float(self.module.accuracy(self.y, self.module.predict(self.X, self.W[-1], self.B[-1])))
        return {"yours": yours, "best": best}

    def values(self, name: str, at: float) -> dict[str, Any]:
        """Evaluate `sigmoid` for scores, or `loss` for probabilities of both classes: a curve, and one value traced."""
        module, events = tracing.xray(self.text)
        with np.errstate(all="ignore"):
            if name == "sigmoid":
                x = np.linspace(-10, 10, 201)
                curves = [self.module.sigmoid(x)]
                value = float(module.sigmoid(at))
            else:
                x = np.linspace(0.005, 0.995, 199)
                curves = [[self.module.loss([c], [p]) for p in x] for c in (0, 1)]
                value = float(module.loss([1], [at]))
        return {
            "at": at,
            "x": x,
            "curves": np.array(curves),
            "value": value,
            "events": [event[:5] for event in events if event[4]],
        }

    def surface(self) -> dict[str, Any]:
        """Return the loss over the two weights that moved most, the others and the bias at their last values."""
        last = np.nan_to_num(self.W[-1]) if len(self.W) else np.zeros(self.columns.shape[1])
        moved = np.nan_to_num(np.ptp(self.W, axis=0)) if len(self.W) else last
        i, j = sorted(np.argsort(-moved, kind="stable")[:2].tolist()) if len(moved) > 1 else (0, 0)
        track = np.nan_to_num(self.W[:, [i, j]]) if len(self.W) else np.zeros((1, 2))
        reach = min(max(1.0, float(np.abs(track).max()) * 1.25), 1e9)
        axis = np.linspace(-reach, reach, BOWL)
        rows = np.random.default_rng(0).permutation(len(self.y))[:SAMPLE]
        X, sign = np.nan_to_num(self.X[rows]), np.where(self.y[rows] == 1, -1.0, 1.0)
        others = X @ np.where(np.isin(np.arange(len(last)), (i, j)), 0.0, last)
        across = np.outer(X[:, i], axis) + (others + (np.nan_to_num(self.B[-1]) if len(self.B) else 0.0))[:, None]
        across, up = sign[:, None] * across, sign * X[:, j] * (i != j)
        loss = np.empty((BOWL, BOWL))
        for row, weight in enumerate(axis[::-1]):
            scores = across + (weight * up)[:, None]
            # log(e^0 + e^z) without an overflow, and some times faster than logaddexp
            loss[row] = (np.maximum(scores, 0.0) + np.log(1.0 + np.exp(-np.abs(scores)))).mean(axis=0)
        return {"reach": reach, "loss": loss, "pair": [i, j], "rows": len(rows)}

    def trace(self, epoch: int, batch: int) -> dict[str, Any]:
        """Run one batch again under X-ray, with its operations in order; both are counted from 0."""
        if not 0 <= epoch < len(self.W) + bool(self.stopped):
            raise Refused(f"Epoch {epoch + 1} is not learnt yet.")
        return tracing.trace(self, epoch, batch)

    def culprit(self) -> dict[str, Any]:
        """Find the first operation that gave a number that is not finite, from operands that were.

        The epochs that may hold one are known from the processor's flags, which the run has kept; they are run again.
        """
        while self.suspects and self.found is None:
            self.found = tracing.look(self, self.suspects.pop(0))
        return {"found": self.found}

    def start_of(self, epoch: int) -> dict[str, Any]:
        """Return the weights, the bias and the random numbers as they are before an epoch, each of which draws once."""
        at, rng = self._orders
        if at > epoch:
            at, rng = 0, np.random.default_rng(int(self.settings["seed"]))
        for _ in range(at, epoch):
            rng.permutation(len(self.y))
        self._orders = (epoch, rng)
        copy = np.random.default_rng()
        copy.bit_generator.state = rng.bit_generator.state
        if epoch == 0:
            return {"w": np.zeros(self.W.shape[1]), "b": 0.0, "rng": copy}
        return {"w": self.W[epoch - 1].copy(), "b": float(self.B[epoch - 1]), "rng": copy}

    def measure(self, threshold: float = 0.5) -> dict[str, Any]:
        """Measure what was learnt, on the rows of the training and on new ones, and the numbers that tell mistakes."""
        return {"threshold": threshold, **measures.all_of(self, threshold)}

    def compare(self, C: float = 1.0) -> dict[str, Any]:
        """Compare gradient descent, Newton and the estimators of this library and of scikit-learn on these data."""
        from .versus import compare  # what it loads takes seconds

        if not (np.isfinite(C) and 0 < C <= 1e10):
            raise Refused("C is a number above 0.")
        return {"C": C, **compare(self.X, self.y, C)}
