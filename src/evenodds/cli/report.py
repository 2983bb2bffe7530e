"""What `fit` and `show` print: the coefficients, as `print(infer(...))` has them, and how good the fit is."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from .. import Inference, LogisticRegression, Status
from ..inference.display import REFERENCE, Row, Sheet, printable, room_for, sheet, styled
from .facts import without_errors
from .terminal import as_options, stdout_console

_TEXT_WIDTH = 100  # of remarks


def show_fit(model: LogisticRegression, result: Inference | None, facts: dict[str, Any]) -> None:
    """Print the coefficients, and below them how good they are."""
    console = stdout_console()
    labels = [printable(label) for label in facts["classes_"]]
    if result is None:
        _print_page(console, coefficient_sheet(model, facts, _question(model, labels), without_errors(model)))
    else:
        baseline = None if result.baseline is None else printable(result.baseline)
        console.print(_question(model, labels, baseline))
        page = sheet(result)
        _print_page(console, replace(page, remarks=[as_options(remark) for remark in page.remarks]))
    console.print()
    _print_grid(console, chain(_table_summary(facts), _summary(model, facts["training"], labels)))


def show_model(model: LogisticRegression, facts: dict[str, Any]) -> None:
    """Print a model that was saved: its coefficients, what it takes, and how it was fitted."""
    console = stdout_console()
    labels = [printable(label) for label in facts["classes_"]]
    kept = getattr(model, "inference_", None)
    _print_page(console, coefficient_sheet(model, facts, _question(model, labels)) if kept is None else kept.table)
    console.print()
    _print_grid(console, chain(_memory(facts), _how_fitted(model)))


def _question(model: LogisticRegression, labels: Sequence[str], baseline: str | None = None) -> str:
    """What the numbers are about."""
    design = getattr(model, "design_", None)
    name = "the target" if design is None or design.target is None else printable(design.target)
    if len(labels) == 2:
        return f"Log odds of {name} = {labels[1]} against {labels[0]}"
    if baseline is None and np.isinf(model.C):
        baseline = labels[0]
    if baseline is not None:
        return f"Log odds of each {name} against {baseline}"
    return f"Scores of {name}: the log odds of two labels are the difference of their scores"


def coefficient_sheet(model: LogisticRegression, facts: dict[str, Any], title: str, remark: str = "") -> Sheet:
    """The coefficients of a model without standard errors; odds ratios where they are against a baseline.

    Of more than two classes long in the class, from the first that has coefficients.
    """
    several = len(facts["classes_"]) > 2
    first = int(several and np.isinf(model.C))
    ratios = bool(first) or not several
    references, rows = facts["references_before"], []
    for label, coefs in zip(facts["classes_"][first:], _of_classes(model)[first:], strict=False):
        if several:
            rows.append(Row(printable(label)))
        indent = "  " * several
        for name, coef in zip(facts["names"], coefs, strict=True):
            if name in references:
                rows.append(Row(indent + printable(references[name]), (), REFERENCE))
            rows.append(_coefficient(indent, name, float(coef), name in facts["aliased_"], ratios))
    headings = ("coefficient", "odds ratio") if ratios else ("coefficient",)
    return Sheet(title, [], [], headings, rows, [remark] if remark else [])


def _of_classes(model: LogisticRegression) -> Any:
    """Intercept and coefficients by class; of two classes those of the second alone."""
    intercepts = [model.intercept_] if model.fit_intercept else []
    return np.column_stack([*intercepts, np.asarray(model.coef_)])


def _coefficient(indent: str, name: str, coef: float, aliased: bool, ratios: bool) -> Row:
    """A coefficient and its odds ratio as text; 0 is where a penalty holds it."""
    shown = indent + printable(name)
    if aliased:
        return Row(shown, (), "aliased")
    with np.errstate(over="ignore"):
        ratio = float(np.exp(coef))
    odds = "" if name == "(intercept)" else "1" if coef == 0 else f"{ratio:#.5g}"
    cells = ("0" if coef == 0 else f"{coef:#.5g}", odds)
    return Row(shown, cells if ratios else cells[:1])


def _print_page(console: Console, page: Sheet) -> None:
    """A page as wide as the terminal; into a pipe nothing is cut, and remarks are wrapped."""
    width = console.width if console.is_terminal else max(_TEXT_WIDTH, room_for(page))
    for line in styled(page, width):
        console.print(line)


def _print_grid(console: Console, facts: Iterator[tuple[str, str]]) -> None:
    if not console.is_terminal:  # where nothing is wrapped, so that no line needs to be filled up
        lines = list(facts)
        width = max((len(name) for name, _ in lines), default=0)
        for name, text in lines:
            console.print(f"  {name:{width}}  {text}", soft_wrap=True)
        return
    grid = Table.grid(padding=(0, 2))
    for name, text in facts:
        grid.add_row(f"  {name}", text)
    console.print(grid)


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
        rows = training["rows_left_out"]
        yield "left out", f"{rows:,} row{'s' * (rows != 1)} with missing values ({', '.join(counts) or 'the label'})"
    elif training["missing"]:
        counts = [f"{printable(name)} {count:,}" for name, count in training["missing"].items()]
        yield "missing", f"{', '.join(counts)}: with a coefficient of their own"


def _summary(model: LogisticRegression, training: dict[str, Any], labels: list[str]) -> Iterator[tuple[str, str]]:
    binary, penalty = len(labels) == 2, _penalty(model)
    counts = [f"{label}: {count:,}" for label, count in zip(labels, training["rows_of_class"], strict=True)]
    counts = counts[::-1] if binary else counts
    more = f" and {len(counts) - 5} more labels" if len(counts) > 6 else ""
    yield "rows", f"{training['rows']:,} ({', '.join(counts[: 5 if more else None])}{more})"
    yield from _how_fitted(model)
    if penalty:
        yield "log loss", f"{training['log_loss']:.8g} on the training data"
    yield "accuracy", f"{training['accuracy']:.4f} on the training data"
    yield (
        "AUC",
        f"{training['auc']:.4f} on the training data{'' if binary else ', the mean of each label against the rest'}",
    )


def _how_fitted(model: LogisticRegression) -> Iterator[tuple[str, str]]:
    """The penalty, and what the fit said of itself."""
    solution, penalty, design = getattr(model, "solution_", None), _penalty(model), getattr(model, "design_", None)
    if penalty:
        yield "penalty", penalty
    if model.l1_ratio > 0:
        count, most = np.count_nonzero(model.coef_.any(axis=0)), model.coef_.shape[1]
        others = "; the others have the coefficient 0" if count < most else ""
        labels = ", of one label or more" * (model.classes_.size > 2)
        yield "columns", f"{count:,} of {most:,} are in{labels}{others}"
    if solution is not None:
        yield "fit", f"{solution.status}: {solution.iterations} iterations, {solution.passes} passes, {solution.solver}"
        yield "loss", f"{solution.loss:.8g}, the mean log loss{' with its penalty' * bool(penalty)}"
        proven = "at most" if model.l1_ratio > 0 else "about"  # a duality gap, or an estimate
        gap = f"{proven} {solution.gap:.1e} above the minimum ({solution.error:.1e} standard errors)"
        if solution.status is Status.SEPARATED:
            gap = "there is no minimum: the classes are separated"
        yield "gap", gap if np.isfinite(solution.gap) else "not known"
    for name in ("weight", "offset"):
        column = getattr(design, name, None)
        if column is not None:
            yield name, printable(column)


def _memory(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a saved model remembers of its table."""
    if facts["formula"] is not None:
        yield "formula", printable(facts["formula"])
    for kind, names in facts["takes"].items():
        yield kind, ", ".join(map(printable, names))
    if facts["references"]:
        yield "against", ", ".join(f"{printable(name)} {printable(one)}" for name, one in facts["references"].items())
    if facts["missing"] is not None:
        left = {"error": "an error", "drop": "their rows have no probability", "indicator": "with a coefficient"}
        new = {"error": "an error", "reference": "as the reference", "missing": "as missing values"}
        yield "missing", left[facts["missing"]]
        yield "unseen", f"levels that the fit has not seen are {new[facts['unseen']]}"
    if facts["spelling"] is not None:
        yield from _written(facts["spelling"])


def _written(spelling: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """How the text file of the fit was written, where it was not UTF-8 with commas and points."""
    between = {",": "", "\t": "tabs between cells", " ": "spaces between cells"}
    separator = spelling["separator"] or ","
    words = [
        spelling["encoding"] or "",
        between.get(separator, f"{printable(separator)} between cells"),
        "decimal commas" if spelling["decimal"] == "," else "",
        *(f"{printable(name)} {order}" for name, order in spelling["dates"].items()),
        *(f"{text!r} for a missing value" for text in spelling["missing_text"]),
    ]
    if any(words):
        yield "written", ", ".join(filter(None, words))
