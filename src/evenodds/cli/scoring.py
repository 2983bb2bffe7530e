"""The command that scores the rows of a table with a model: predict."""

import dataclasses
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import rich_click as click
from numpy.typing import NDArray
from scipy.special import expit

from .. import EvenOddsError, LogisticRegression
from ..data.folding import tables_of
from ..delimited import Habit, Spelling
from ..design.columns import Place, counted
from ..export import load
from ..files import (
    STANDARD,
    Source,
    is_text,
    numbers,
    require_columns,
    write_csv,
    write_csvs,
    write_table,
    write_tables,
)
from ..naming import listed
from ..scores import log_probabilities
from .facts import scores_of
from .options import data_argument, memory_option, spelling_options, writable
from .scans import is_large, plain, scanned_all
from .tables import tell
from .terminal import progress, say


@click.command()
@click.argument("model", type=click.Path(path_type=Path), help="The file that fit saved with --model.")
@data_argument
@click.option(
    "--out",
    type=click.Path(path_type=Path, allow_dash=True),
    callback=writable,
    metavar="FILE",
    help="The scored table, in the format of its extension. Without it, or with -, CSV on standard output.",
)
@memory_option
@click.option("--replace", is_flag=True, help="Replace columns that have the names of those that are added.")
@click.option_panel("Arguments")
@click.option_panel("Options")
@spelling_options
def predict(model: Path, data: Path, out: Path | None, replace: bool, memory: int, spelling: Spelling) -> None:
    """Score the rows of a table with a model that fit saved.

    All columns are kept, and two are added: probability, of the label that the model is about, and label,
    the likelier one. Of more than two labels there is a probability_LABEL for each. The model's columns are
    found by name; their order does not matter. What is written as CSV is UTF-8, with commas and decimal points.

    \b
    evenodds predict model.json new.csv --out scored.csv
    """
    out = None if out == STANDARD else out
    fitted = load(model)
    names = getattr(fitted, "feature_names_in_", None)
    if names is None:
        raise EvenOddsError(f"{model} was fitted without column names, so that columns cannot be found in a table.")
    if is_large(data, memory):
        _predict_batches(data, fitted, names.tolist(), out, replace, _known(spelling, fitted), memory)
        return
    with progress("Scoring"):
        source = Source(data, _known(spelling, fitted))
        table, X = _tables(source, fitted, names.tolist(), out is None or is_text(out))
        table = _without_added(table, source.path, _added(fitted), replace)
        table, gone = _scored(fitted, table, X)
        if out is not None:
            write_table(table, out)
    tell(source)
    _say_gone(gone)
    if out is None:
        write_csv(table, sys.stdout.buffer)
        sys.stdout.buffer.flush()  # here, where a full disk or a closed pipe is still handled
    else:
        say("Table", f"of {table.num_rows:,} rows saved to {out}", "green")


def _scored(model: LogisticRegression, table: pa.Table, X: pa.Table, place: Place = counted) -> tuple[Any, int]:
    """A table with its probabilities and labels, and how many rows have none. place : what the user calls a row."""
    scores = scores_of(model, X, place)
    probabilities = [expit(scores)] if scores.ndim == 1 else np.exp(log_probabilities(scores)).T
    for name, values in zip(_added(model), probabilities, strict=False):
        table = table.append_column(name, [pa.array(values, from_pandas=True)])
    labels = pa.array(_likelier(model, scores), pa.array(model.classes_.tolist()).type, from_pandas=True)
    return table.append_column("label", [labels]), int(np.isnan(probabilities[0]).sum())


def _say_gone(gone: int) -> None:
    if gone:
        rows = "1 row has" if gone == 1 else f"{gone:,} rows have"
        say("Warning", f"{rows} a missing value, and so no probability and no label", "yellow")


def _predict_batches(
    data: Path,
    model: LogisticRegression,
    names: list[str],
    out: Path | None,
    replace: bool,
    spelling: Spelling,
    memory: int,
) -> None:
    """Score a table that is scanned, and write it batch by batch; columns of text that the model does not use stay."""
    design = getattr(model, "design_", None)
    needed = [*names, *([design.offset] if design is not None and design.offset is not None else [])]
    with progress("Scoring"):
        found = scanned_all(data, spelling, memory, needed)
        kept = [name for name in found.known if name not in _added(model)] if replace else list(found.known)
        _require_free(found.known, data, _added(model), replace)
        gone = rows = 0

        def tables() -> Iterator[Any]:
            nonlocal gone, rows
            for table, where in tables_of(found.source, [*kept, *needed]):
                X = table.select(needed)
                X = X if design is not None else numbers(X, where.name, "The model was fitted to numbers.")
                try:
                    scored, missing = _scored(model, plain(table.select(kept)), X, where.row)
                except EvenOddsError as error:
                    if design is not None:
                        raise
                    raise EvenOddsError(f"{where.name}, in what follows row {where.first}: {error}") from error
                gone, rows = gone + missing, rows + scored.num_rows
                yield scored

        if out is None:
            write_csvs(tables(), sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            write_tables(tables(), out)
    _say_gone(gone)
    if out is not None:
        say("Table", f"of {rows:,} rows saved to {out}", "green")


def _known(spelling: Spelling, model: LogisticRegression) -> Spelling:
    """What the user says of the file, and what the model knows: which columns are text, their values, its habit."""
    design = getattr(model, "design_", None)
    if design is None:
        return spelling
    if design.spelling is not None:
        names = frozenset(filter(None, (*design.kinds, design.offset)))
        spelling = dataclasses.replace(spelling, habit=Habit.of(design.spelling, names))
    levels = {
        factor.source: frozenset(map(str, factor.levels)) - {"None"}
        for factor in design.factors
        if design.kinds[factor.source] == "text"
    }
    return dataclasses.replace(spelling, levels=levels)


def _tables(source: Source, model: LogisticRegression, names: list[str], to_text: bool) -> tuple[Any, Any]:
    """The table to keep, and the columns of the model.

    From text to text the kept columns stay as they were written: "007" does not become 7.
    """
    design = getattr(model, "design_", None)
    needed = [*names, *([design.offset] if design is not None and design.offset is not None else [])]
    require_columns(needed, source.names, source.path)
    if source.text and to_text:
        table, X = source.verbatim(), source.table(needed)
    else:
        table = source.table(needed=needed)
        X = table.select(needed)
    return table, X if design is not None else numbers(X, source.path, "The model was fitted to numbers.")


def _without_added(table: pa.Table, path: Path | str, added: list[str], replace: bool) -> Any:
    """The table without the columns that are to be added, if its user lets them go."""
    _require_free(table.column_names, path, added, replace)
    return table.drop_columns([name for name in added if name in table.column_names])


def _require_free(names: Collection[str], path: Path | str, added: list[str], replace: bool) -> None:
    taken = [name for name in added if name in names]
    if taken and not replace:
        them = "it" if len(taken) == 1 else "them"
        raise EvenOddsError(
            f"{path} has {listed(taken)}, which predict would add. Rename {them}, or replace {them} with --replace."
        )


def _added(model: LogisticRegression) -> list[str]:
    """The columns that predict adds."""
    labels = model.classes_.tolist()
    return [*(["probability"] if len(labels) == 2 else [f"probability_{label}" for label in labels]), "label"]


def _likelier(model: LogisticRegression, scores: NDArray[np.float64]) -> list[Any]:
    """The likelier label of each row; None where a score is missing."""
    several = scores.ndim == 2
    best = scores.argmax(axis=1) if several else (scores > 0).astype(np.intp)
    gone = np.isnan(scores[:, 0] if several else scores)
    labels = model.classes_[best].tolist()
    return [None if is_gone else label for label, is_gone in zip(labels, gone, strict=True)]
