"""The command that scores the rows of a table with a model: predict."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import rich_click as click
from numpy.typing import NDArray
from scipy.special import expit

from .. import EvenOddsError, LogisticRegression
from ..advice import listed
from ..delimited import Habit, Spelling
from ..export import load
from ..files import STANDARD, Source, is_text, numbers, require_columns, write_csv, write_table
from ..scores import log_probabilities
from .facts import scores_of
from .options import data_argument, spelling_options, writable
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
@click.option("--replace", is_flag=True, help="Replace columns that have the names of those that are added.")
@click.option_panel("Arguments")
@click.option_panel("Options")
@spelling_options
def predict(model: Path, data: Path, out: Path | None, replace: bool, spelling: Spelling) -> None:
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
    with progress("Scoring"):
        source = Source(data, _known(spelling, fitted))
        table, X = _tables(source, fitted, names.tolist(), out is None or is_text(out))
        table = _without_added(table, source, _added(fitted), replace)
        scores = scores_of(fitted, X)
        probabilities = [expit(scores)] if scores.ndim == 1 else np.exp(log_probabilities(scores)).T
        gone = int(np.isnan(probabilities[0]).sum())
        for name, values in zip(_added(fitted), (*probabilities, _likelier(fitted, scores)), strict=True):
            table = table.append_column(name, [pa.array(values, from_pandas=True)])
        if out is not None:
            write_table(table, out)
    tell(source)
    if gone:
        rows = "1 row has" if gone == 1 else f"{gone:,} rows have"
        say("Warning", f"{rows} a missing value, and so no probability and no label", "yellow")
    if out is None:
        write_csv(table, sys.stdout.buffer)
        sys.stdout.buffer.flush()  # here, where a full disk or a closed pipe is still handled
    else:
        say("Table", f"of {table.num_rows:,} rows saved to {out}", "green")


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


def _without_added(table: Any, source: Source, added: list[str], replace: bool) -> Any:
    """The table without the columns that are to be added, if its user lets them go."""
    taken = [name for name in added if name in table.column_names]
    if taken and not replace:
        them = "it" if len(taken) == 1 else "them"
        raise EvenOddsError(
            f"{source.path} has {listed(taken)}, which predict would add. Rename {them}, or "
            f"replace {them} with --replace."
        )
    return table.drop_columns(taken)


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
