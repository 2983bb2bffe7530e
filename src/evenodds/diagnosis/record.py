"""What was found in a table: findings, each with what to do, the most harmful first.

Most harmful is what makes an answer wrong without a word; then comes what a fit stops at, which nobody overlooks; then
what only makes answers weaker.
"""

import shutil
import textwrap
from dataclasses import dataclass
from itertools import groupby
from typing import Any

HARMS = {
    "Wrong answers without a word": (
        *("leakage", "separation", "sentinel", "spelling", "identifier", "number as text", "repeated rows"),
        "non-linear",
    ),
    "What a fit stops at": ("no label", "unreadable", "infinity", "missing", "date as text", "date", "undecided"),
    "What makes answers weaker": (*("rare class", "collinear", "duplicate", "high cardinality", "constant", "scale"),),
}
KINDS = tuple(kind for kinds in HARMS.values() for kind in kinds)  # in the order of harm
_WIDTH, _LEAST_WIDTH = 100, 50
_MARGIN = 2 + max(map(len, KINDS)) + 2


@dataclass(frozen=True)
class Finding:
    """One thing that will go wrong.

    Attributes
    ----------
    kind : str
        Such as "separation", "sentinel" or "non-linear".
    columns : tuple of str
        The columns that it is about; empty where it is about rows.
    what : str
        What was found, in words.
    advice : str
        What to do about it.
    """

    kind: str
    columns: tuple[str, ...]
    what: str
    advice: str


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found; ``print`` shows it.

    Attributes
    ----------
    target : str
    n_rows : int
    rows_of_class : dict
        The labels, and how many rows have each.
    findings : tuple of Finding
        The most harmful first; empty where nothing was found.
    """

    target: str
    n_rows: int
    rows_of_class: dict[Any, int]
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        width = max(_LEAST_WIDTH, min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns))
        counts = [f"{label!r} {count:,}" for label, count in self.rows_of_class.items()]
        if len(counts) > 6:
            counts[5:] = [f"{len(counts) - 5} more"]
        found = f"{len(self.findings) or 'No'} finding{'' if len(self.findings) == 1 else 's'}"
        lines = _wrapped(f"{found} in {self.n_rows:,} rows; target {self.target!r}: {', '.join(counts)}", 2, width)
        for title, kinds in HARMS.items():
            some = [one for one in self.findings if one.kind in kinds]
            lines += ["", title] * bool(some)
            for (kind, advice), alike in groupby(some, lambda one: (one.kind, one.advice)):
                for k, one in enumerate(alike):
                    lines += _wrapped(f"  {'' if k else kind}".ljust(_MARGIN) + one.what, _MARGIN, width)
                lines += _wrapped(" " * _MARGIN + "-> " + advice, _MARGIN + 3, width)
        return "\n".join(lines)


def _wrapped(text: str, indent: int, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=" " * indent, break_on_hyphens=False, break_long_words=False)


def in_formula(name: str) -> str:
    """A column as a formula has it, or as a message can show it."""
    if name.isidentifier():
        return name
    return f"`{name}`" if name.isprintable() and "`" not in name else "..."


def ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    """By harm; findings of one kind stay in the order in which they were found, that of the columns."""
    return tuple(sorted(findings, key=lambda one: KINDS.index(one.kind)))
