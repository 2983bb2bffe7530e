"""The sweep, the cold run and the headline as tables of Markdown, for the README and docs/speed.md."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.contest import spell_time
from benchmarks.table import line

PICTURE = """<picture>
<source media="(prefers-color-scheme: dark)" srcset="docs/images/speed-dark.svg">
<img alt="Share of the shapes at which each solver is within a factor of the fastest" src="docs/images/speed-light.svg">
</picture>
"""
Results = dict[str, Any] | None
NOT_RUN = "Not run yet for this release."
SWEEP = ["shape", "evenodds", "at the default tol", "best peer", "its time", "ratio"]
COLD = ["shape", "evenodds", "scikit-learn", "its time", "behind"]
HEADLINE = [
    "problem",
    "evenodds",
    "best peer",
    "its time",
    "ratio",
    "goal",
    "reads",
    "memory",
    "flops",
    "times the limit",
]
GROUPS = ["shapes", "how many", "at least as fast", "geometric mean of the ratios", "least"]


def summary(swept: Results, started: Results) -> str:
    """The README's: groups of shapes, and what a new process costs."""
    if swept is None:
        return NOT_RUN
    known = [r for r in swept["shapes"] if r["ratio"]]
    groups = {
        "dense": [r for r in known if r["classes"] == 2 and not is_sparse(r)],
        "sparse": [r for r in known if r["classes"] == 2 and is_sparse(r)],
        "several classes": [r for r in known if r["classes"] > 2],
        "all": known,
    }
    rows = [[name, *_group([r["ratio"] for r in members])] for name, members in groups.items() if members]
    said = [PICTURE, markdown(GROUPS, rows), "", _where(swept) + "."]
    if started is not None:
        behind = max(r["ours"]["wall"] - r["peer"]["wall"] for r in started["shapes"])
        many = f"At {len(started['shapes'])} of the shapes, a new process that imports, fits once and ends takes"
        said += [f"{many} at {_more(behind)} than with the quickest of scikit-learn's solvers."]
    return "\n".join(said)


def is_sparse(r: dict[str, Any]) -> bool:
    return r["kind"] in ("text", "counts", "levels", "scattered")


def _group(ratios: list[float]) -> list[str]:
    mean = float(np.exp(np.mean(np.log(ratios))))
    ahead = sum(ratio >= 1 for ratio in ratios)
    return [str(len(ratios)), str(ahead), two_digits(mean), two_digits(min(ratios))]


def sweep(results: Results) -> str:
    """Each shape with our time and the best peer's."""
    if results is None:
        return NOT_RUN
    rows = []
    for r in results["shapes"]:
        best = (r["peers"] or [None])[0]
        theirs = [best["solver"], spell_time(best["seconds"])] if best else ["none", ""]
        mine = [
            spell_time(r["ours"]["seconds"]) if r["reached"] else "not reached",
            spell_time(r["default"]["seconds"]),
        ]
        rows.append([r["shape"], *mine, *theirs, two_digits(r["ratio"]) if r["ratio"] else ""])
    return f"{_where(results)}.\n\n{markdown(SWEEP, rows)}"


def cold(results: Results) -> str:
    """Each shape with the whole time of a process."""
    if results is None:
        return NOT_RUN
    rows = []
    for r in results["shapes"]:
        ours, peer = r["ours"]["wall"], r["peer"]["wall"]
        rows.append([r["shape"], spell_time(ours), r["peer"]["solver"], spell_time(peer), _milliseconds(ours - peer)])
    return f"{_where(results)}.\n\n{markdown(COLD, rows)}"


def headline(results: Results) -> str:
    """The largest claims, and how far they are from the limits of the machine."""
    if results is None:
        return NOT_RUN
    rows = []
    for r in results["problems"]:
        ours, peer, limit = r["ours"], r["peer"], r["limits"]
        if not ours or not peer:
            continue
        bound = (
            [spell_time(limit["memory"]), spell_time(limit["flops"]), f"{limit['times']:.1f}"] if limit else [""] * 3
        )
        theirs = [peer["solver"], spell_time(peer["seconds"]), two_digits(r["ratio"]), two_digits(r["bar"])]
        rows.append([r["problem"], spell_time(ours["seconds"]), *theirs, str(ours["passes"] or ""), *bound])
    rate = f"{results['flops_per_second'] / 1e9:.0f} thousand million flops a second in a product of matrices"
    return f"{_where(results)}; {rate}.\n\n{markdown(HEADLINE, rows)}"


def _where(results: dict[str, Any]) -> str:
    m = results["machine"]
    return f"{m['cpu']}, {m['cores']} threads, {m['date']}; Python {m['python']}, {m['packages']}"


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.0f} ms"


def _more(seconds: float) -> str:
    return f"most {_milliseconds(seconds)} more" if seconds > 0 else f"least {_milliseconds(-seconds)} less"


def two_digits(value: float) -> str:
    return f"{value:.2g}" if value < 99.5 else f"{value:.0f}"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table, as a page has it."""
    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)])
