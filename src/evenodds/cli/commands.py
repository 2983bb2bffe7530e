"""The commands: their options, checked, and what each does."""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import rich_click as click

from .. import EvenOddsError, LogisticRegression, __version__, diagnosis, fit_table
from ..advice import listed
from ..design import MISSING, UNSEEN, left_side
from ..export import load, plain, save
from ..files import format_of, numbers, read_table, require_columns, require_named, with_labels, write_csv, write_table
from . import end_of_interrupt
from .facts import all_facts, fit_aloud
from .lesson import HELP, learn
from .report import show_fit
from .terminal import as_options, progress, say, stdout_console

_WEIGHT = "The weights of rows are numbers."


def run(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    try:
        cli(args, prog_name="evenodds")
    except EvenOddsError as error:
        problem = str(error)
    except OSError as error:
        problem = ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
    say("Error", problem, "red")
    sys.exit(1)


class _Commands(click.RichGroup):
    """The commands; click would make of an interrupt an exit status of 1 and a box that says "Aborted"."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            end_of_interrupt()


@click.group(cls=_Commands, context_settings={"rich_help_config": HELP})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Logistic regression, done completely.

    Tables are CSV (.csv, .csv.gz), Parquet (.parquet) or Arrow (.arrow, .feather) files.
    """


cli.add_command(learn)


@cli.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default="out",
    metavar="FOLDER",
    show_default=True,
    help="Where the pictures go.",
)
def demo(out: Path) -> None:
    """Train on the textbook's two examples and a real table; save pictures.

    The textbook's gradient descent and the estimator run side by side.
    """
    from ..demo import run

    click.echo("Training on three tables and drawing, for some seconds ...", err=True)
    run(out, stdout_console())


def _share(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if not 0 <= value <= 1:  # NaN too
        raise click.BadParameter(f"{value:g} is not a number from 0 to 1.")
    return value


def _strength(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if not value > 0:  # NaN too
        raise click.BadParameter(f"{value:g} is not a positive number.")
    return value


def _pairs(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in value:
        name, sign, level = text.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"{text!r} is not of the form NAME=LEVEL, such as carrier=AA.")
        pairs[name] = level
    return pairs


@cli.command()
@click.argument("data", type=click.Path(path_type=Path), help="The file with the table.")
@click.option("--target", metavar="NAME", help="The column to explain: two labels or more.")
@click.option(
    "--formula",
    metavar="TEXT",
    help='What explains it, such as "distance + C(month) + poly(age, 2)"; by default all other columns.',
)
@click.option("--drop", multiple=True, metavar="NAME", help="Leave a column out; may be repeated.")
@click.option(
    "--positive", metavar="LABEL", help="The label whose log odds are modelled; of several, against the rest."
)
@click.option(
    "--reference",
    multiple=True,
    callback=_pairs,
    metavar="NAME=LEVEL",
    help="The level that the others of a text column are compared with; may be repeated. By default the first.",
)
@click.option(
    "--missing",
    type=click.Choice(MISSING),
    default="error",
    metavar="WHAT",
    show_default=True,
    help="Of missing values: error, drop (leave their rows out) or indicator (give them a coefficient).",
)
@click.option(
    "--unseen",
    type=click.Choice(UNSEEN),
    default="error",
    metavar="WHAT",
    show_default=True,
    help="Of levels that predict meets and the fit has not seen: error, reference or missing.",
)
@click.option("--weight", metavar="NAME", help="Take a column as the weights of the rows.")
@click.option(
    "--C",
    "C",
    type=float,
    default=math.inf,
    callback=_strength,
    metavar="NUMBER",
    show_default=True,
    help="Inverse strength of the penalty; inf is none: maximum likelihood.",
)
@click.option(
    "--l1-ratio",
    type=float,
    default=0.0,
    callback=_share,
    metavar="NUMBER",
    show_default="0",
    help="Of the penalty: 0 is a ridge, 1 a lasso, which leaves columns out; between them, the elastic net.",
)
@click.option("--standardize", is_flag=True, help="Take the penalty in standard deviations of each column.")
@click.option(
    "--baseline",
    metavar="LABEL",
    help="Of more than two labels the one that the others are seen from; by default the first, or with --C none.",
)
@click.option("--firth", is_flag=True, help="Firth's penalty: finite, and little biased in small samples.")
@click.option(
    "--solver",
    type=click.Choice(["auto", "newton", "quasi-newton", "sgd"]),
    metavar="NAME",
    default="auto",
    show_default=True,
    help="auto, newton, quasi-newton or sgd (mini-batch gradient descent).",
)
@click.option(
    "--model",
    "model_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Save the model for predict, as JSON.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
def fit(
    data: Path,
    target: str | None,
    formula: str | None,
    drop: tuple[str, ...],
    positive: str | None,
    reference: dict[str, str],
    missing: str,
    unseen: str,
    weight: str | None,
    C: float,
    l1_ratio: float,
    standardize: bool,
    baseline: str | None,
    firth: bool,
    solver: str,
    model_path: Path | None,
    as_json: bool,
) -> None:
    """Fit a logistic regression to a table.

    Every column but the target is a feature; leave others out with --drop, or say what explains it with --formula.
    Text and booleans are factors: a coefficient for each level, carrier[AA], but the reference.
    Of two labels the one that sorts last is the one whose log odds are modelled: 1 of 0 and 1, yes of no and yes.
    Of more, each one's against the first, or with a penalty a score for each.

    \b
    evenodds fit flights.csv --target late
    evenodds fit flights.csv --target late --reference carrier=AA --model model.json
    evenodds fit flights.csv --target late --formula "bs(distance, df=4) + carrier" --missing drop
    evenodds fit flights.csv --target late --C 0.1 --l1-ratio 1 --standardize
    """
    formula, target = _question(formula, target)
    apart = [name for name in (target, weight, *drop) if name is not None]
    if len(set(apart)) < len(apart):
        raise click.UsageError("--target, --weight and --drop name the same column.")
    _check_together(C, l1_ratio, firth, solver)
    with progress("Reading the table"):
        table = read_table(data)
        require_columns(apart, table.column_names, data)
        table = with_labels(table.drop(list(drop)), data, target)
        if formula is None:
            require_named(table, data)
        if weight is not None:
            numbers(table.select([weight]), data, _WEIGHT)
    given: dict[str, Any] = {"missing": missing, "unseen": unseen, "positive": positive, "reference": reference}
    given |= {"weight": weight, "C": C, "l1_ratio": l1_ratio, "standardize": standardize, "firth": firth}
    model, result = fit_aloud(lambda: fit_table(formula or target, table, solver=solver, **given), table, baseline)
    with progress("Scoring the training data"):
        facts = all_facts(model, result, table)
    if as_json:
        click.echo(json.dumps(facts, allow_nan=False))
    else:
        show_fit(model, result, facts)
    if model_path is not None:
        save(model, model_path)
        say("Model", f"saved to {model_path}", "green")


def _question(formula: str | None, target: str | None) -> tuple[str | None, str]:
    """The formula, with its left side, and the target."""
    if formula is None:
        if target is None:
            raise click.UsageError("Missing option '--target': the column to explain.")
        return None, target
    left = left_side(formula)
    if left is None and target is None:
        raise click.UsageError("--formula has no left side: give --target, or write the target and ~ before it.")
    if left is not None and target is not None and left != target:
        raise click.UsageError(f"--formula is about {left!r}, and --target is {target!r}.")
    if left is not None:
        return formula, left
    return f"`{target}` ~ {formula.strip().removeprefix('~')}", str(target)


def _check_together(C: float, l1_ratio: float, firth: bool, solver: str) -> None:
    """Which options of fit exclude or need each other."""
    given = ["--C"] * math.isfinite(C) + ["--l1-ratio"] * (l1_ratio > 0)
    if firth and given:
        raise click.UsageError(f"--firth is a penalty of its own: leave out {' and '.join(given)}.")
    if firth and solver == "sgd":
        raise click.UsageError("--firth and --solver sgd do not go together.")
    if given == ["--l1-ratio"]:
        raise click.UsageError("--l1-ratio is a part of the penalty, and there is none: give its strength, --C, too.")
    if l1_ratio > 0 and solver == "sgd":
        raise click.UsageError("--l1-ratio and --solver sgd do not go together.")


@cli.command()
@click.argument("data", type=click.Path(path_type=Path), help="The file with the table.")
@click.option("--target", required=True, metavar="NAME", help="The column to explain: two labels or more.")
@click.option("--drop", multiple=True, metavar="NAME", help="Leave a column out; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
def diagnose(data: Path, target: str, drop: tuple[str, ...], as_json: bool) -> None:
    """Say what will go wrong in a fit of a table, and what to do.

    The most harmful comes first: columns that know the answer or separate the classes, values that stand for missing
    ones, identifiers, numbers and dates as text, repeated rows, curves that are no straight line, missing values, rare
    classes, collinear columns, constants, scales.

    \b
    evenodds diagnose flights.csv --target late
    """
    apart = [target, *drop]
    if len(set(apart)) < len(apart):
        raise click.UsageError("--target and --drop name the same column.")
    with progress("Reading the table"):
        table = read_table(data)
        require_columns(apart, table.column_names, data)
        table = with_labels(table.drop(list(drop)), data, target)
    with progress("Looking for what goes wrong"):
        found = diagnosis.diagnose(table, target)
    if as_json:
        facts = {**asdict(found), "rows_of_class": list(found.rows_of_class.values())}
        click.echo(json.dumps(plain({**facts, "classes": list(found.rows_of_class)}), allow_nan=False))
    else:
        click.echo(as_options(str(found)))


def _writable(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    if value is not None:
        try:
            format_of(value)
        except EvenOddsError as error:
            raise click.BadParameter(str(error)) from None
    return value


@cli.command()
@click.argument("model", type=click.Path(path_type=Path), help="The file that fit saved with --model.")
@click.argument("data", type=click.Path(path_type=Path), help="The file with the table of new rows.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    callback=_writable,
    metavar="FILE",
    help="The scored table, in the format of its extension. Without it, CSV on stdout.",
)
def predict(model: Path, data: Path, out: Path | None) -> None:
    """Score the rows of a table with a model that fit saved.

    All columns are kept, and two are added: probability, of the label that the model is about, and label,
    the likelier one. Of more than two labels there is a probability_LABEL for each. The model's columns are
    found by name; their order does not matter.

    \b
    evenodds predict model.json new.csv --out scored.csv
    """
    fitted = load(model)
    names = getattr(fitted, "feature_names_in_", None)
    if names is None:
        raise EvenOddsError(f"{model} was fitted without column names, so that columns cannot be found in a table.")
    with progress("Scoring"):
        # From CSV to CSV the kept columns stay as they were written: "007" does not become 7.
        verbatim = format_of(data) in (".csv", ".csv.gz") and (out is None or format_of(out) in (".csv", ".csv.gz"))
        table = read_table(data, verbatim=verbatim)
        require_columns(names.tolist(), table.column_names, data)
        added = _added(fitted)
        taken = [name for name in added if name in table.column_names]
        if taken:
            them = "it" if len(taken) == 1 else "them"
            raise EvenOddsError(f"{data} has {listed(taken)}, which predict would add. Rename {them} first.")
        design = getattr(fitted, "design_", None)
        text = [] if design is None else [name for name, kind in design.kinds.items() if kind == "text"]
        X = read_table(data, names.tolist(), text=text) if verbatim else table.select(names.tolist())
        if design is None:
            X = numbers(X, data, "The model was fitted to numbers.")
        probabilities = fitted.predict_proba(X)
        gone = int(np.isnan(probabilities[:, 0]).sum())
        probabilities = probabilities[:, 1:] if len(added) == 2 else probabilities
        for name, values in zip(added, (*probabilities.T, fitted.predict(X).tolist()), strict=True):
            table = table.append_column(name, [pa.array(values, from_pandas=True)])
        if out is not None:
            write_table(table, out)
    if gone:
        rows = "1 row has" if gone == 1 else f"{gone:,} rows have"
        say("Warning", f"{rows} a missing value, and so no probability and no label", "yellow")
    if out is None:
        write_csv(table, sys.stdout.buffer)
        sys.stdout.buffer.flush()  # here, where a full disk or a closed pipe is still handled
    else:
        say("Table", f"of {table.num_rows:,} rows saved to {out}", "green")


def _added(model: LogisticRegression) -> list[str]:
    """The columns that predict adds."""
    labels = model.classes_.tolist()
    return [*(["probability"] if len(labels) == 2 else [f"probability_{label}" for label in labels]), "label"]
