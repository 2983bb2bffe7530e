"""The records as tables: for a terminal by rich, for a page as Markdown. Both show the same cells."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.contest import spell_time
from benchmarks.rscript import glmnet_version
from benchmarks.solvers import CORES
from benchmarks.workers import PEERS_PYTHON

Cells = list[list[str]]


def machine() -> dict[str, str]:
    packages = ("evenodds", "numpy", "scipy", "numba", "scikit-learn", "glum", "statsmodels", "firthmodels")
    return {
        "cpu": cpu_model(),
        "cores": str(CORES),
        "python": platform.python_version(),
        "packages": ", ".join([*(f"{p} {v}" for p in packages if (v := installed(p))), *elsewhere()]),
        "date": datetime.now(UTC).date().isoformat(),
    }


def elsewhere() -> list[str]:
    """Names and versions of the peers in environments of their own."""
    found = []
    if PEERS_PYTHON.exists():
        show = "from importlib.metadata import version\nfor p in ('adelie', 'skglm', 'celer'): print(p, version(p))"
        done = subprocess.run([str(PEERS_PYTHON), "-c", show], capture_output=True, text=True)
        found = done.stdout.splitlines()
    return found + ([f"glmnet {v}"] if (v := glmnet_version()) else [])


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def problem_cells(records: list[dict[str, Any]]) -> Cells:
    head = [
        "problem",
        "rows x columns",
        "to",
        "evenodds",
        "reads of X",
        "passes",
        "best peer",
        "its time",
        "ratio",
    ]
    return [head, *([r["problem"], size(r), f"{r['target']:.0e}", *mine(r), *theirs(r)] for r in records)]


def penalty_cells(records: list[dict[str, Any]]) -> Cells:
    """A row for each bar: against the best of all, or against the peer that the bar names."""
    head = ["problem", "rows x columns", "to", "evenodds", "peer", "its time", "ratio", "bar"]
    rows = []
    for r in records:
        ours, to = r["ours"], "default tol" if r["target"] == "inf" else f"{r['target']:.0e}"
        for name, bar in r["bars"]:
            peer = next((t for t in r["rivals"] if name in ("", t["solver"])), None)
            ratio = peer["seconds"] / ours["seconds"] if ours and peer else None
            spent = [spell_time(ours["seconds"]) if ours else "-", *theirs({"peer": peer, "ratio": ratio})]
            if peer is None:
                spent[1] = f"{name or 'all'}: see below"
            rows.append([r["problem"], size(r), to, *spent, bar])
    return [head, *rows]


def mine(r: dict[str, Any]) -> list[str]:
    ours = r["ours"]
    if ours is None:
        return ["-", "-", "-"]
    passes = "-" if ours["passes"] is None else str(ours["passes"])
    if (default := r["ours_default"]) and default["passes"] is not None:
        passes += f" ({default['passes']} at the default tol)"
    return [spell_time(ours["seconds"]), f"{r['reads']:.1f}", passes]


def theirs(r: dict[str, Any]) -> list[str]:
    peer = r["peer"]
    if peer is None:
        return ["none", "-", "-"]
    return [f"{peer['solver']}, {peer['setting']}", spell_time(peer["seconds"]), times(r["ratio"])]


def peer_cells(records: list[dict[str, Any]]) -> Cells:
    rows = [[r["problem"], name, outcome] for r in records for name, outcome in r["outcomes"].items()]
    return [["problem", "solver", "least time to the target, or why not and what it got"], *rows]


def scale_cells(records: list[dict[str, Any]]) -> Cells:
    rows = [["data", "objective", "standardised", "raw", "ratio", "passes"]]
    for r in records:
        twin, raw = r["standardised"], r["raw"]
        if twin is None:
            rows.append([r["data"], r["objective"], "-", "; ".join(r["reasons"]), "-", "-"])
        else:
            spent = [spell_time(twin["seconds"]), spell_time(raw["seconds"]), times(r["ratio"])]
            rows.append([r["data"], r["objective"], *spent, f"{twin['passes']} and {raw['passes']}"])
    return rows


def extra_cells(rows: list[tuple[str, str, str]]) -> Cells:
    return [["what", "measured", "bar"], *map(list, rows)]


def sections(results: dict[str, Any]) -> list[tuple[str, Cells]]:
    smooth = [r for r in results["problems"] if r["kind"] == "smooth"]
    others = [r for r in results["problems"] if r["kind"] != "smooth"]
    made = [
        ("Time at equal suboptimality", problem_cells(smooth)),
        ("Paths, lasso, several classes, cross-validation", penalty_cells(others)),
        (
            "Columns on raw scales (1e-3 to 1e3, means far from 0) against standardised",
            scale_cells(results["scales"]),
        ),
        ("First use, memory, company", extra_cells(results["extras"])),
        ("Every solver", peer_cells(results["problems"])),
    ]
    return [(title, cells) for title, cells in made if len(cells) > 1]


def show(results: dict[str, Any], console: Console) -> None:
    console.print(caption(results))
    for title, (head, *rows) in sections(results):
        table = Table(*head, title=title, title_justify="left")
        for row in rows:
            table.add_row(*row)
        console.print(table)


def markdown(results: dict[str, Any]) -> str:
    lines = [caption(results)]
    for title, (head, *rows) in sections(results):
        lines += ["", f"### {title}", "", line(head), line(["---"] * len(head)), *map(line, rows)]
    return "\n".join(lines) + "\n"


def line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def caption(results: dict[str, Any]) -> str:
    m = results["machine"]
    divided = "" if results["scale"] == 1 else f" Sizes divided by {results['scale']}."
    return f"{m['cpu']}, {m['cores']} cores, {m['date']}; Python {m['python']}, {m['packages']}.{divided}"


def size(r: dict[str, Any]) -> str:
    return f"{r['rows']:,} x {r['columns']:,}"


def times(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}x" if value < 10 else f"{value:.0f}x"


def width() -> int | None:
    """A table in a file is not squeezed into 80 columns."""
    return None if os.isatty(1) else 160
