"""Random models of random tables, and the rows to score: what exports to SQL and ONNX are tried on."""

import datetime
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from evenodds import EvenOddsError, LogisticRegression, fit_table
from evenodds.exceptions import CollinearWarning

N = 120
SCORED = 24
ODD = [
    'say "hi"',
    "it's",
    "two words",
    "line\nbreak",
    "tab\there",
    "select",
    "SELECT",
    "group",
    "naïve",
    "größe",
    "日本",
    "🎈",
    "a;drop table t;--",
    "/* x */",
    "back\\slash",
    "%s",
    "{x}",
    "$1",
    ":name",
    "?",
    "<b>",
    "x.y",
    "t",
    "1st",
    "user",
    "_",
    "-",
    "null",
    "'",
    '"',
    "\\'",
    " ",
]
PLAIN = [
    "one",
    "two",
    "t",
    "naïve",
    "日本",
    "two words",
    "select",
    "group",
    "user",
    "x1",
    "dash-ed",
    "per%cent",
    "ha#sh",
]
LEVELS = [
    "",
    "a",
    "A",
    "a ",
    "it's",
    'q"q',
    "\\",
    "\\n",
    "\n",
    "null",
    "NULL",
    "🎈",
    "日",
    "--",
    ";",
    "%",
    "{}",
    "1",
    "1.0",
    "nan",
]


@dataclass
class Member:
    """A fitted model, and rows to score.

    rows : columns by name, None for a missing value
    kinds : of columns: number, whole, boolean, text, date
    expected : (n, K) what predict_proba gives, NaN where it refuses a row
    """

    model: Any
    rows: dict[str, list[Any]]
    kinds: dict[str, str]
    expected: Any


def arrow(columns: dict[str, list[Any]], kinds: dict[str, str]) -> pa.Table:
    types = {"number": pa.float64(), "whole": pa.int64(), "boolean": pa.bool_(), "text": pa.string()}
    return pa.table({n: pa.array(v, type=types.get(kinds[n], pa.timestamp("us"))) for n, v in columns.items()})


def _values(kind: str, rng: Any, n: int, levels: list[Any]) -> list[Any]:
    if kind == "text":
        return [levels[k] for k in rng.integers(len(levels), size=n)]
    if kind == "boolean":
        return (rng.random(n) < 0.4).tolist()
    if kind == "whole":
        return [levels[k] for k in rng.integers(len(levels), size=n)]
    if kind == "date":
        start = datetime.datetime(1969, 11, 3)
        return [start + datetime.timedelta(minutes=int(m)) for m in rng.integers(60 * 24 * 365 * 90, size=n)]
    return (rng.gamma(3.0, 1.0, n) * levels[0] + levels[1]).tolist()


def _with_gaps(values: list[Any], rng: Any, share: float) -> list[Any]:
    return [None if gone else v for v, gone in zip(values, rng.random(len(values)) < share, strict=True)]


def _atoms(name: str, kind: str, rng: Any) -> list[str]:
    """What a formula can make of a column."""
    q = f"`{name}`"
    if kind == "number":
        df = int(rng.integers(4, 8))
        where = rng.choice(["clip", "zero", "na", "extend", "raise"])
        return [
            q,
            f"center({q})",
            f"scale({q})",
            f"I({q}**2)",
            f"log({q})",
            f"log1p({q})",
            f"log2(abs({q}) + 1)",
            f"log10({q})",
            f"sqrt({q})",
            f"exp(-{q}/50)",
            f"expm1({q}/1000)",
            f"exp2({q}/90)",
            f"I(1/{q})",
            f"I(({q} - 3)**-1)",
            f"I(abs({q})**0.5 + 2*{q} - {q}*{q}/7)",
            f"poly({q}, {int(rng.integers(1, 5))})",
            f"poly({q}, 2, raw=True)",
            f"bs({q}, df={df}, extrapolation='{where}')",
            f"bs({q}, df={df}, degree={int(rng.integers(0, 4))}, extrapolation='{where}')",
            f"cr({q}, df={df}, extrapolation='{where}')",
        ]
    if kind == "date":
        return [f"{part}({q})" for part in ("month", "weekday", "quarter", "hour", "year", "day", "minute")][:4]
    return [q] if kind != "whole" else [q, f"C({q})"]


def draw(seed: int, names: list[str] = ODD, dates: bool = True) -> Member | None:
    """A member; None where the fit itself refuses what was drawn."""
    rng = np.random.default_rng(seed)
    every = ["number", "number", "text", "boolean", "whole", *(["date"] if dates else [])]
    kinds_drawn = rng.choice(every, int(rng.integers(1, 6)))
    chosen = _apart(names, len(kinds_drawn), rng)
    kinds = dict(zip(chosen, kinds_drawn.tolist(), strict=True))
    levels: dict[str, list[Any]] = {}
    for name, kind in kinds.items():
        if kind == "text":
            levels[name] = rng.choice(LEVELS, int(rng.integers(2, 6)), replace=False).tolist()
        elif kind == "whole":
            levels[name] = rng.choice([0, 1, 2, -3, 7, 10**6], int(rng.integers(2, 5)), replace=False).tolist()
        else:
            levels[name] = [10.0 ** int(rng.integers(-3, 4)), float(rng.choice([0.0, 0.0, 5.0, 1e4]))]
    missing, unseen = rng.choice(["error", "drop", "indicator"]), rng.choice(["error", "reference", "missing"])
    gaps = 0.0 if missing == "error" else 0.05
    table = {name: _with_gaps(_values(kind, rng, N, levels[name]), rng, gaps) for name, kind in kinds.items()}
    labels = [["no", "yes"], [0, 1], [False, True], ["a", "b's", "c"], [1, 2, 3, 4]][int(rng.integers(5))]
    frame = arrow(table, kinds).append_column(
        "the target", pa.array([labels[k] for k in rng.integers(len(labels), size=N)])
    )
    try:
        model = _fitted(frame, kinds, rng, missing, unseen)
    except EvenOddsError:
        return None
    rows = {}
    for name, kind in kinds.items():
        own = [*levels[name], {"text": "never seen", "whole": 99}[kind]] if kind in ("text", "whole") else levels[name]
        values = _with_gaps(_values(kind, rng, SCORED, own), rng, 0.08)
        if kind == "number":
            scale, shift = levels[name]
            values[0], values[1], values[2] = shift + 30 * scale, shift - scale, 0.0
            values[3] = float("inf") if rng.random() < 0.3 else values[3]
            values[4] = float("nan") if rng.random() < 0.3 else values[4]
        rows[name] = values
    return Member(model, rows, kinds, expected(model, rows, kinds))


def _apart(names: list[str], count: int, rng: Any) -> list[str]:
    """Names that are not the same without regard to capitals, and without backticks."""
    found: dict[str, str] = {}
    for name in rng.permutation(names).tolist():
        found.setdefault(name.lower(), name)
    return list(found.values())[:count]


def _fitted(frame: Any, kinds: dict[str, str], rng: Any, missing: str, unseen: str) -> Any:
    formula = "the target"
    if rng.random() < 0.85 or "date" in kinds.values():
        atoms = [str(rng.choice(_atoms(name, kind, rng))) for name, kind in kinds.items()]
        terms = list(atoms)
        for _ in range(int(rng.integers(0, 3))):
            terms.append(":".join(rng.choice(atoms, min(2, len(atoms)), replace=False)))
        formula = f"`the target` ~ {' + '.join(dict.fromkeys(terms))}{' - 1' if rng.random() < 0.2 else ''}"
    C = float(rng.choice([0.1, 1.0, 100.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (CollinearWarning))
        warnings.simplefilter("ignore")
        model = fit_table(formula, frame, missing=missing, unseen=unseen, C=C)
    if rng.random() < 0.2:  # scores far from 0
        model.coef_ = model.coef_ * 30
    return model


def expected(model: LogisticRegression, rows: dict[str, list[Any]], kinds: dict[str, str]) -> Any:
    table = arrow(rows, kinds)
    found = []
    for k in range(table.num_rows):
        try:
            found.append(model.predict_proba(table.slice(k, 1)))
        except EvenOddsError:
            found.append(np.full((1, model.classes_.size), np.nan))
    return np.vstack(found)
