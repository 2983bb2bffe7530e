"""`python -m benchmarks.readme`: the pages' tables of times, and the picture, from the results of the newest release.

`benchmarks/results/` has one file for each release, as `python -m benchmarks --json` writes it, and one for each of the
sweep, the cold run and the headline, as their `--keep` does. A table stands in a page between two comments, and
nothing else of the page is touched. `tests/house/test_documents.py` compares the two.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sklearn.utils.fixes import parse_version

from benchmarks import speed
from benchmarks.cast import CAST
from benchmarks.contest import spell_time
from benchmarks.picture import draw
from benchmarks.speed import markdown, two_digits

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
IMAGES = ROOT / "docs" / "images"
TITLES = {
    "1Mx50": "1,000,000 x 50",
    "3Mx10": "3,000,000 x 10",
    "200kx200": "200,000 x 200",
    "20kx1k-factors": "20,000 x 1,000, ten common factors",
    "20kx1k": "20,000 x 1,000, weakly correlated",
    "sparse-C1": "CSR 200,000 x 50,000, C=1",
    "sparse-C100": "CSR 200,000 x 50,000, C=100",
    "breast-cancer": "569 x 30 (breast cancer)",
    "tall-path-lasso": "lasso path of 100, 200,000 x 100, down to 0.01",
    "wide-path": "lasso path of 100, 1,000 x 20,000, down to 0.05",
    "sparse-lasso-0.1": "one lasso, CSR 200,000 x 50,000, 0.1 of the largest penalty",
    "cv-lasso": "cross-validation, 5 folds x 100 lassos, breast cancer",
    "cv-ridge": "cross-validation, 5 folds x 100 ridges, breast cancer",
    "multinomial-20kx200": "ten classes, 20,000 x 200, C=1",
    "multinomial-60kx784": "ten classes, images of 60,000 x 784, C=1",
}
SMOOTH = ["rows x columns", "to", "evenodds", "reads", "passes (at the default tol)", "best peer", "its time", "ratio"]
OTHERS = ["problem", "to", "evenodds", "peer", "its time", "ratio"]
SHOWN = 3  # peers of one problem


def newest() -> Path:
    """The results of the newest release."""
    return max(RESULTS.glob("[0-9]*.json"), key=lambda path: parse_version(path.stem))


def tables(results: dict[str, Any]) -> dict[str, str]:
    """Each table of the README as Markdown, by its name there: the problems that were run, in the order of `TITLES`."""
    records = {record["problem"]: record for record in results["problems"] if record["ours"] and record["peer"]}
    shown = [records[problem] for problem in TITLES if problem in records]
    smooth = [row(r) for r in shown if r["kind"] == "smooth"]
    others = [other_row(r) for r in shown if r["kind"] != "smooth"]
    return {"times": markdown(SMOOTH, smooth), "penalties and classes": markdown(OTHERS, others)}


def row(r: dict[str, Any]) -> list[str]:
    """A line of the first table."""
    ours, peer = r["ours"], r["peer"]
    reads = "" if r["reads"] is None else two_digits(r["reads"])
    passes = f"{ours['passes']} ({r['ours_default']['passes']})"
    found = [reads, passes, name(r, peer["solver"]), spell_time(peer["seconds"]), two_digits(r["ratio"])]
    return [TITLES[r["problem"]], power(r["target"]), spell_time(ours["seconds"]), *found]


def other_row(r: dict[str, Any]) -> list[str]:
    """A line of the second table: the best peer, then the next ones, then those who did not get there."""
    best, *rivals = r["rivals"][:SHOWN]
    beside = [f"{rival['solver']} {spell_time(rival['seconds'])}" for rival in rivals]
    beside += [f"{solver} {outcome}" for solver, outcome in r["outcomes"].items() if outcome.startswith("not within")]
    peer = name(r, best["solver"]) + (f" ({', '.join(beside)})" if beside else "")
    ratio = two_digits(r["ratio"]) + (f" (again: {two_digits(r['again'])})" if "again" in r else "")
    times = [spell_time(r["ours"]["seconds"]), peer, spell_time(best["seconds"]), ratio]
    return [TITLES[r["problem"]], power(r["target"]), *times]


def name(r: dict[str, Any], solver: str) -> str:
    """A solver with the package that it is of, where its own name does not say it."""
    return f"scikit-learn {solver}" if CAST[r["kind"]][solver].package == "sklearn" else solver


def power(value: float) -> str:
    return f"{value:.0e}".replace("e-0", "e-")


def with_tables(page: str, made: dict[str, str]) -> str:
    """The page with its tables made anew."""
    for name, table in made.items():
        between = re.compile(rf"(<!-- {name} -->\n\n).*?(\n\n<!-- end -->)", re.DOTALL)
        page, count = between.subn(lambda at, table=table: at[1] + table + at[2], page)
        if count != 1:
            raise LookupError(f"The page has {count} tables between <!-- {name} --> and <!-- end -->.")
    return page


def pages() -> dict[str, dict[str, str]]:
    """Each page with all of its tables."""
    found = {part: of_release(part) for part in ("sweep", "cold", "headline")}
    readme = tables(json.loads(newest().read_text(encoding="utf-8"))) | {
        "shapes": speed.summary(found["sweep"], found["cold"])
    }
    full = {"sweep": speed.sweep(found["sweep"]), "cold": speed.cold(found["cold"])}
    return {"README.md": readme, "docs/speed.md": full | {"headline": speed.headline(found["headline"])}}


def of_release(part: str) -> dict[str, Any] | None:
    """What was kept of a run for the newest release; None where it was not run."""
    path = RESULTS / f"{part}-{newest().stem}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def main() -> None:
    """Write the tables into the pages, and the picture beside them."""
    for name, made in pages().items():
        page = ROOT / name
        page.write_text(with_tables(page.read_text(encoding="utf-8"), made), encoding="utf-8")
    if swept := of_release("sweep"):
        draw(swept["shapes"], IMAGES)


if __name__ == "__main__":
    main()
