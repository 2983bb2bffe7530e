"""`python -m families --minutes 30`: fresh members of all families in turn; what fails is made smaller and printed."""

import argparse
import secrets
import sys
import time
from itertools import cycle

import numpy as np

from . import Family, Problem, families
from ._shrink import failure, shrunk


def main() -> int:
    """Walk, and return 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m families", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--family", help="only families whose name contains this")
    parser.add_argument("--seed", type=int, help="one member of the family, again")
    asked = parser.parse_args()
    chosen = [family for family in families() if asked.family is None or asked.family in family.name]
    if asked.seed is not None:
        return int(sum(_failed(family, asked.seed) for family in chosen) > 0)
    counts = dict.fromkeys([family.name for family in chosen], 0)
    failed = 0
    end = time.monotonic() + 60 * asked.minutes
    for family in cycle(chosen):
        if time.monotonic() > end:
            break
        counts[family.name] += 1
        failed += _failed(family, secrets.randbits(32))
    for name, count in counts.items():
        print(f"{count:8,} of {name}")
    print(f"{sum(counts.values()):,} problems walked, {failed} failed")
    return int(failed > 0)


def _failed(family: Family, seed: int) -> bool:
    start = time.monotonic()
    problem = family.member(seed)
    words = failure(family, problem)
    if words is None:
        return False
    print(f"FAILED {family.name}, seed {seed}, {time.monotonic() - start:.1f} s: {words}", flush=True)
    print(_text(shrunk(family, problem)), flush=True)
    return True


def _text(problem: Problem) -> str:
    """A problem as it can be typed in again, if it is small."""
    X = problem.X.toarray() if hasattr(problem.X, "toarray") else np.asarray(problem.X)
    small = X.size <= 200
    with np.printoptions(threshold=1000, linewidth=10_000, floatmode="unique"):
        parts = {"X": X if small else X.shape, "y": np.asarray(problem.y) if small else len(problem.y)}
        for name in ("sample_weight", "offset"):
            value = getattr(problem, name)
            if value is not None:
                parts[name] = np.asarray(value) if small else "given"
        lines = [f"    {name} = {value!r}".replace("\n", "") for name, value in parts.items()]
    return "\n".join([*lines, f"    settings = {dict(problem.settings)!r}", f"    facts = {dict(problem.facts)!r}"])


if __name__ == "__main__":
    sys.exit(main())
