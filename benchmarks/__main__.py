"""`python -m benchmarks`: run the contest, print the tables, write them down."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import cast, extras, table
from benchmarks.contest import Say, contest, scale_contest
from benchmarks.problems import DATA, PROBLEMS, DataSet, write, write_raw_twin

SCALES = {data.name + "-scales": data for data in DATA if data.raw_twin}
NAMES = [*dict.fromkeys(problem.part for problem in PROBLEMS), *SCALES, *extras.PARTS]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Logistic regression against its peers: time at equal suboptimality, memory, first use. "
        "Everything at full size takes an hour or more on two cores and 8 GB; a quick try is --scale 20. "
        "glmnet takes part where Rscript has it (Debian: r-cran-glmnet).",
        epilog="Parts: " + ", ".join(NAMES) + ". Solvers: " + "; ".join(cast.NAMES) + ".",
    )
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="PART", help="run these parts only")
    parser.add_argument("--scale", type=int, default=1, metavar="N", help="divide the sizes by N (default 1)")
    parser.add_argument(
        "--solvers",
        nargs="+",
        choices=cast.NAMES,
        default=cast.NAMES,
        metavar="SOLVER",
        help="enter these only",
    )
    parser.add_argument(
        "--budget",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="stop any single fit after this (default 120)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every record and trial as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown, for a README")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that workers are ended too
    begin = time.monotonic()
    progress = Console(stderr=True, highlight=False)

    def say(text: str) -> None:
        progress.print(f"{time.monotonic() - begin:7.1f} s  {text}", markup=False, soft_wrap=True)

    results: dict[str, Any] = {"machine": table.machine(), "scale": options.scale}
    results |= {"problems": [], "scales": [], "extras": []}
    for part in extras.PARTS:
        if part in options.only:
            say(part)
            results["extras"] += extras.run(part, options.scale)
    for data in DATA:
        on_data(data.divided(options.scale), options, results, say)
    order = [problem.name for problem in PROBLEMS]
    results["problems"].sort(key=lambda record: order.index(record["problem"]))
    save(results, options)
    table.show(results, Console(width=table.width()))


def on_data(data: DataSet, options: argparse.Namespace, results: dict[str, Any], say: Say) -> None:
    """Everything that uses one data set, so that it is made once and only one is on disk at a time."""
    problems = [p for p in PROBLEMS if p.data == data.name and p.part in options.only]
    on_scales = data.raw_twin and f"{data.name}-scales" in options.only
    if not (problems or on_scales):
        return
    root = Path(tempfile.mkdtemp(prefix="evenodds-bench-"))
    try:
        say(f"making {data.name}, {data.rows:,} x {data.columns:,}")
        X, y = write(data, root / "given")
        for problem in problems:
            say(f"--- {problem.name}")
            results["problems"].append(contest(data, problem, X, y, root / "given", options, say))
            save(results, options)  # nothing measured is lost when a later part fails
        if on_scales:
            say(f"--- {data.name}-scales")
            write_raw_twin(X, y, root / "raw")
            results["scales"] += scale_contest(data, X, y, root / "given", root / "raw", options.budget, say)
    finally:
        shutil.rmtree(root)


def save(results: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    if options.markdown:
        options.markdown.write_text(table.markdown(results))


if __name__ == "__main__":
    main()
