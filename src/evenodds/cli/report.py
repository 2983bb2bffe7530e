"""What `fit` prints: the coefficients, with standard errors where there are any, and how good they are."""

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from .. import Inference, LogisticRegression, Status
from .facts import without_errors
from .terminal import printable, stdout_console

_LEAST_NAME = 12
_TEXT_WIDTH = 100  # at the most


def show_fit(model: LogisticRegression, result: Inference | None, facts: dict[str, Any]) -> None:
    """Print the coefficients, and below them how good they are."""
    console = stdout_console()
    labels = [printable(label) for label in facts["classes_"]]
    design = model.design_
    name = printable(design.target)
    first = int(len(labels) > 2 and np.isinf(model.C))  # the first class with coefficients
    if len(labels) == 2:
        console.print(f"Log odds of {name} = {labels[1]} against {labels[0]}")
    elif first or (result is not None and result.baseline is not None):
        baseline = labels[0] if result is None else printable(result.baseline)
        console.print(f"Log odds of each {name} against {baseline}")
    else:
        console.print(f"Scores of {name}: the log odds of two labels are the difference of their scores")
    if result is None:
        console.print(_coefficient_table(model, facts, labels, first))
    else:
        console.print(_inference_table(model, result, console))
    for remark in filter(None, [without_errors(model)] if result is None else result.remarks):
        console.print(textwrap.indent(textwrap.fill(remark, min(console.width, _TEXT_WIDTH) - 2), "  ") + "\n")

    grid = Table.grid(padding=(0, 2))
    for name, text in chain(_table_summary(facts), _summary(model, facts["training"], labels)):
        grid.add_row(f"  {name}", text)
    if design.weight is not None:
        grid.add_row("  weight", printable(design.weight))
    console.print(grid)


def _table(columns: Sequence[Sequence[str]], names: Sequence[str], labels: Sequence[str]) -> Table:
    """A table of numbers; of several labels, long in them.

    columns : the heading and the numbers of each, as text of one width
    """
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in [*["label"] * bool(labels), "column"]:
        table.add_column(heading, overflow="fold", min_width=_LEAST_NAME)
    headings, *rows = zip(*columns, strict=True)
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for j, cells in enumerate(rows):
        a, t = divmod(j, len(names))
        if a and not t:
            table.add_row()
        table.add_row(*[labels[a] if t == 0 else ""] if labels else [], names[t], *cells)
    return table


def _coefficient_table(model: LogisticRegression, facts: dict[str, Any], labels: list[str], first: int) -> Table:
    """Without standard errors; of more than two classes long in the class, from the first that has coefficients.

    Odds ratios are shown where coefficients are against a baseline.
    """
    several, shown = len(labels) > 2, 2 if first or len(labels) == 2 else 1
    names = [printable(name) for name in facts["names"]]
    cells = [
        _plain_cells(float(coef), t == 0, name in model.aliased_)
        for row in np.column_stack([model.intercept_, model.coef_])[first:]
        for t, (name, coef) in enumerate(zip(facts["names"], row, strict=True))
    ]
    columns = [_aligned(*column) for column in zip(("coefficient", "odds ratio"), *cells, strict=True)][:shown]
    return _table(columns, names, labels[first:] if several else [])


def _plain_cells(coef: float, intercept: bool, aliased: bool) -> tuple[str, str]:
    """A coefficient and its odds ratio as text; 0 is where a penalty holds it."""
    if aliased:
        return "aliased", ""
    with np.errstate(over="ignore"):
        ratio = np.exp(coef)
    zero = coef == 0
    return "0" if zero else f"{coef:#.5g}", "" if intercept else "1" if zero else f"{ratio:#.5g}"


def _inference_table(model: LogisticRegression, result: Inference, console: Console) -> Table:
    """With standard errors, tests and intervals, as far as the console is wide enough; long in the class."""
    level = f"{100 * result.level:g}%"
    headings = ("coef", "se", "LR z" if model.firth else "z", "p", f"{level} lower", f"{level} upper", "odds ratio")
    columns = [_aligned(*column) for column in zip(headings, *_cells(result), strict=True)]
    names = [printable(name) for name in result.names]
    labels = [printable(label) for label in result.listed] if len(result.classes) > 2 else []
    least = _LEAST_NAME * (1 + bool(labels))
    room = console.width - 2 - max(_LEAST_NAME, *map(cell_len, names)) - max([0, *map(cell_len, labels)])
    sizes = [2 + len(column[0]) for column in columns]
    # Odds ratios go first (without a baseline there are none), then names are folded, then intervals go, then errors.
    most = 7 if sum(sizes) <= room and result.baseline is not None else 6
    room = max(room, console.width - 2 - least)
    most = next((few for few in (most, 4) if sum(sizes[:few]) <= room), 1)
    return _table(columns[:most], names, labels)


def _cells(result: Inference) -> Iterator[tuple[str, ...]]:
    """The numbers of each coefficient as text, those that do not exist empty."""
    from ..inference.display import digits_of, number, p_cell

    keys = result.problem.keys
    flat = [values.ravel() for values in (result.coef, result.se, result.z, result.p_value, result.odds_ratio)]
    for j, (key, coef, se, z, p, ratio) in enumerate(zip(keys, *flat, strict=True)):
        note = result.notes.get(key)
        if note is not None:
            yield "aliased" if note.startswith("aliased") else "±inf" if math.isnan(coef) else f"{coef:+}", *[""] * 6
            continue
        digits = digits_of(se if se > 0 else coef)
        odds = "" if result.names[j % len(result.names)] == "(intercept)" else number(ratio, digits_of(ratio))
        ends = (number(end, digits) for end in result.conf_int.reshape(-1, 2)[j])
        yield number(coef, digits), number(se, digits), number(z, 3), p_cell(p), *ends, odds


def _aligned(heading: str, *cells: str) -> list[str]:
    """A column as text of one width, with decimal points below each other; what has none is at the right."""
    numbers = [re.fullmatch(r"-?\d+(\.\d*)?", cell) for cell in cells]
    after = [len(number[1] or "") if number else 0 for number in numbers]
    most = max(after)
    padded = [
        cell + " " * (most - here) if number else cell for cell, here, number in zip(cells, after, numbers, strict=True)
    ]
    width = max(map(len, (heading, *padded)))
    return [text.rjust(width) for text in (heading, *padded)]


def _penalty(model: LogisticRegression) -> str:
    """The penalty by name."""
    if model.firth:
        return "Firth's"
    if np.isinf(model.C):
        return ""
    kind = {0.0: "ridge", 1.0: "lasso"}.get(model.l1_ratio, f"elastic net, l1_ratio={model.l1_ratio:g}")
    return f"{kind}, C={model.C:g}{', in standard deviations of the columns' * model.standardize}"


def _table_summary(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the table has made necessary: references of factors, rows left out."""
    references, training = facts["references"], facts["training"]
    if references:
        shown = [f"{printable(name)} {printable(level)}" for name, level in references.items()]
        yield "against", ", ".join(shown)
    if training["rows_left_out"]:
        counts = [f"{printable(name)} {count:,}" for name, count in training["missing"].items()]
        yield "left out", f"{training['rows_left_out']:,} rows with missing values ({', '.join(counts) or 'the label'})"
    elif training["missing"]:
        counts = [f"{printable(name)} {count:,}" for name, count in training["missing"].items()]
        yield "missing", f"{', '.join(counts)}: with a coefficient of their own"


def _summary(model: LogisticRegression, training: dict[str, Any], labels: list[str]) -> Iterator[tuple[str, str]]:
    solution, penalty = model.solution_, _penalty(model)
    binary = len(labels) == 2
    counts = [f"{label}: {count:,}" for label, count in zip(labels, training["rows_of_class"], strict=True)]
    counts = counts[::-1] if binary else counts
    more = f" and {len(counts) - 5} more labels" if len(counts) > 6 else ""
    yield "rows", f"{training['rows']:,} ({', '.join(counts[: 5 if more else None])}{more})"
    if penalty:
        yield "penalty", penalty
    if model.l1_ratio > 0:
        count, most = np.count_nonzero(model.coef_.any(axis=0)), model.coef_.shape[1]
        others = "; the others have the coefficient 0" if count < most else ""
        yield "columns", f"{count:,} of {most:,} are in{', of one label or more' * (not binary)}{others}"
    yield "fit", f"{solution.status}: {solution.iterations} iterations, {solution.passes} passes, {solution.solver}"
    yield "loss", f"{solution.loss:.8g}, the mean log loss{' with its penalty' * bool(penalty)}"
    proven = "at most" if model.l1_ratio > 0 else "about"  # a duality gap, or an estimate
    gap = f"{proven} {solution.gap:.1e} above the minimum ({solution.error:.1e} standard errors)"
    if solution.status is Status.SEPARATED:
        gap = "there is no minimum: the classes are separated"
    yield "gap", gap if np.isfinite(solution.gap) else "not known"
    if penalty:
        yield "log loss", f"{training['log_loss']:.8g} on the training data"
    yield "accuracy", f"{training['accuracy']:.4f} on the training data"
    yield (
        "AUC",
        f"{training['auc']:.4f} on the training data{'' if binary else ', the mean of each label against the rest'}",
    )
