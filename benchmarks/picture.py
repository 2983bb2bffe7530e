"""The performance profile of a sweep: for each solver, the share of shapes at which it is within a factor of the best.

One SVG for light pages and one for dark ones. Lines differ by colour (Okabe and Ito's) and by dashes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

MOST = 64.0  # times the best, at the right end
SOLVERS = {
    "evenodds": ("evenodds",),
    "lbfgs": ("lbfgs",),
    "newton-cg": ("newton-cg",),
    "newton-cholesky": ("newton-cholesky",),
    "glum": ("glum", "glum lbfgs"),
    "liblinear": ("liblinear primal", "liblinear dual"),
}
COLORS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", (0, (6, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (3, 1.5)), (0, (9, 3)))
INKED = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor")
PAGES = {"light": ("white", "#1f2328"), "dark": ("#0d1117", "#e6edf3")}


def factors(records: list[dict[str, Any]]) -> dict[str, NDArray[np.float64]]:
    """For each solver, its time over the best at each shape; infinite where it did not get there or took no part."""
    found: dict[str, list[float]] = {name: [] for name in SOLVERS}
    for record in records:
        times = {trial["solver"]: trial["seconds"] for trial in record["peers"]}
        if record["reached"]:
            times["evenodds"] = record["ours"]["seconds"]
        best = min(times.values(), default=1.0)
        for name, members in SOLVERS.items():
            found[name].append(min((times[m] for m in members if m in times), default=np.inf) / best)
    return {name: np.sort(np.array(values)) for name, values in found.items()}


def draw(records: list[dict[str, Any]], folder: Path) -> None:
    """Write speed-light.svg and speed-dark.svg, the same bytes for the same records."""
    settings = {"svg.hashsalt": "evenodds", "svg.fonttype": "path", "font.size": 10}
    for page, (ground, ink) in PAGES.items():
        colors = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), ink)
        with matplotlib.rc_context(settings | colors):
            figure, ax = plt.subplots(figsize=(7.2, 3.6), layout="constrained", facecolor=ground)
            _profile(ax, factors(records), ink, ground)
            figure.savefig(folder / f"speed-{page}.svg", metadata={"Date": None})
            plt.close(figure)


def _profile(ax: Any, found: dict[str, NDArray[np.float64]], ink: str, ground: str) -> None:
    for (name, values), color, dashes in zip(found.items(), COLORS, DASHES, strict=True):
        known = values[np.isfinite(values)]
        share = np.arange(1, known.size + 1) / values.size
        x, y = (
            np.concatenate([[1.0], known, [MOST]]),
            np.concatenate([[0.0], share, share[-1:] if known.size else [0.0]]),
        )
        ax.step(x, 100 * y, where="post", color=color, linestyle=dashes, linewidth=2.2, label=name)
    ticks = [1, 2, 4, 8, 16, 32, 64]
    ax.set(
        xscale="log", xlim=(1, MOST), ylim=(0, 101), xlabel="times the time of the fastest", ylabel="% of the shapes"
    )
    ax.set_xticks(ticks, [f"{t}x" for t in ticks])
    ax.set_xticks([], minor=True)
    ax.set_facecolor(ground)
    ax.grid(color=ink, alpha=0.15)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, labelcolor=ink, handlelength=3.5)
