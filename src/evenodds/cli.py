"""The command line: tables from files into the estimator, and what it found onto the terminal or into files.

Results go to stdout and all the rest to stderr. The exit status is 0 for success, 1 for a problem in the data or
the model (one line says which) and 2 for wrong usage. A table's format is its file's extension.
"""

import contextlib
import json
import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rich_click as click
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from . import EvenOddsError, LogisticRegression, Solution, Status, __version__
from .advice import listed
from .export import load, plain, said, save
from .files import features, format_of, labels, numbers, read_table, require_columns, write_csv, write_table

_ADDED = ("probability", "label")
_WEIGHT = "The weights of rows are numbers."
_HELP = {"text_paragraph_linebreaks": "\n\n", "padding_helptext_first_line": (0, 0, 1, 0), "style_helptext": ""}


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status.

    Parameters
    ----------
    args : sequence of str, optional
        The arguments; those of the process by default.
    """
    try:
        cli(args, prog_name="evenodds")
    except EvenOddsError as error:
        problem = str(error)
    except OSError as error:
        problem = ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
    _say("Error", problem, "red")
    sys.exit(1)


@click.group(context_settings={"rich_help_config": _HELP})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Logistic regression, done completely.

    Tables are CSV (.csv, .csv.gz), Parquet (.parquet) or Arrow (.arrow, .feather) files.
    """


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
    from .demo import run

    click.echo("Training on three tables and drawing, for some seconds ...", err=True)
    run(out, _console())


def _strength(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if not value > 0:  # NaN too
        raise click.BadParameter(f"{value:g} is not a positive number.")
    return value


@cli.command()
@click.argument("data", type=click.Path(path_type=Path), help="The file with the table.")
@click.option("--target", required=True, metavar="NAME", help="The column to explain: two labels.")
@click.option("--drop", multiple=True, metavar="NAME", help="Leave a column out; may be repeated.")
@click.option("--weight", metavar="NAME", help="Take a column as the weights of the rows.")
@click.option(
    "--C",
    "C",
    type=float,
    default=math.inf,
    callback=_strength,
    metavar="NUMBER",
    show_default=True,
    help="Inverse strength of the ridge penalty; inf is none: maximum likelihood.",
)
@click.option("--standardize", is_flag=True, help="Take the penalty in standard deviations of each column.")
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
    target: str,
    drop: tuple[str, ...],
    weight: str | None,
    C: float,
    standardize: bool,
    firth: bool,
    solver: str,
    model_path: Path | None,
    as_json: bool,
) -> None:
    """Fit a logistic regression to a table.

    Every column but the target is a feature, and has to be numeric; leave the others out with --drop.
    The label that sorts last is the one whose log odds are modelled: 1 of 0 and 1, yes of no and yes.

    \b
    evenodds fit flights.csv --target late
    evenodds fit flights.csv --target late --drop carrier --model model.json
    """
    apart = [name for name in (target, weight, *drop) if name is not None]
    if len(set(apart)) < len(apart):
        raise click.UsageError("--target, --weight and --drop name the same column.")
    if firth and math.isfinite(C):
        raise click.UsageError("--firth is a penalty of its own: leave out --C.")
    if firth and solver == "sgd":
        raise click.UsageError("--firth and --solver sgd do not go together.")
    with _progress("Reading the table"):
        table = read_table(data)
        require_columns(apart, table.column_names, data)
        X = features(table.drop(apart), data)
        y = labels(table[target], data, target)
        rows_weight = None if weight is None else numbers(table.select([weight]), data, _WEIGHT)[weight].to_numpy()
    model = LogisticRegression(C, standardize=standardize, firth=firth, solver=solver)
    with _progress("Fitting"):
        _fit_aloud(model, X, y, rows_weight)
        facts = _facts(model, X, y, rows_weight)
    if as_json:
        click.echo(json.dumps(facts, allow_nan=False))
    else:
        _show(model, facts, target, weight)
    if model_path is not None:
        save(model, model_path)
        _say("Model", f"saved to {model_path}", "green")


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
    the likelier one. The model's columns are found by name; their order does not matter.

    \b
    evenodds predict model.json new.csv --out scored.csv
    """
    fitted = load(model)
    names = getattr(fitted, "feature_names_in_", None)
    if names is None:
        raise EvenOddsError(f"{model} was fitted without column names, so that columns cannot be found in a table.")
    with _progress("Scoring"):
        # From CSV to CSV the kept columns stay as they were written: "007" does not become 7.
        verbatim = format_of(data) in (".csv", ".csv.gz") and (out is None or format_of(out) in (".csv", ".csv.gz"))
        table = read_table(data, verbatim=verbatim)
        require_columns(names.tolist(), table.column_names, data)
        taken = [name for name in _ADDED if name in table.column_names]
        if taken:
            them = "it" if len(taken) == 1 else "them"
            raise EvenOddsError(f"{data} has {listed(taken)}, which predict would add. Rename {them} first.")
        chosen = read_table(data, names.tolist()) if verbatim else table.select(names.tolist())
        X = numbers(chosen, data, "The model was fitted to numbers.")
        probability = fitted.predict_proba(X)[:, 1]
        for name, values in zip(_ADDED, (probability, fitted.predict(X).tolist()), strict=True):
            table = table.append_column(name, [values])
        if out is not None:
            write_table(table, out)
    if out is None:
        write_csv(table, sys.stdout.buffer)
        sys.stdout.buffer.flush()  # here, where a full disk or a closed pipe is still handled
    else:
        _say("Table", f"of {table.num_rows:,} rows saved to {out}", "green")


# Fitting, and saying what came out


def _fit_aloud(model: LogisticRegression, X: Any, y: Any, weight: Any) -> None:
    """Fit, and say the warnings without the line of code that they come from."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")  # what is meant for programmers
        warnings.simplefilter("always", UserWarning)
        try:
            model.fit(X, y, weight)
        except ValueError as error:  # from scikit-learn's checks too
            raise EvenOddsError(str(error)) from error
    for warning in caught:
        _say("Warning", str(warning.message), "yellow")


def _facts(model: LogisticRegression, X: Any, y: NDArray[Any], weight: Any) -> dict[str, Any]:
    """All that fit tells, by the names of the attributes, as JSON can hold it."""
    from sklearn.metrics import accuracy_score, roc_auc_score

    scores, positive = model.decision_function(X), y == model.classes_[1]
    coef = np.concatenate([model.intercept_, model.coef_[0]])
    with np.errstate(over="ignore"):
        odds_ratio = np.exp(coef)
    attributes = ("classes_", "coef_", "intercept_", "n_iter_", "n_features_in_", "feature_names_in_", "aliased_")
    facts = {
        **{name: getattr(model, name) for name in attributes},
        "solution_": said(model.solution_),
        "names": ["(intercept)", *model.feature_names_in_],
        "odds_ratio": odds_ratio,
        "training": {
            "rows": y.size,
            "rows_of_class": [np.sum(~positive), np.sum(positive)],
            "accuracy": accuracy_score(positive, scores > 0, sample_weight=weight),
            "auc": roc_auc_score(positive, scores, sample_weight=weight),
        },
    }
    found: dict[str, Any] = plain(facts)
    return found


def _show(model: LogisticRegression, facts: dict[str, Any], target: str, weight: str | None) -> None:
    """Print the coefficients, and below them how good they are."""
    first, second = (_printable(label) for label in facts["classes_"])
    console = _console()
    console.print(f"Log odds of {_printable(target)} = {second} against {first}")
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("column", overflow="fold")
    table.add_column("coefficient", justify="right", no_wrap=True)
    table.add_column("odds ratio", justify="right", no_wrap=True)
    table.add_row("(intercept)", f"{model.intercept_[0]:#.5g}")
    for name, coef, ratio in zip(facts["names"][1:], model.coef_[0], facts["odds_ratio"][1:], strict=True):
        cells = ("aliased", "") if name in model.aliased_ else (f"{coef:#.5g}", f"{float(ratio):#.5g}")
        table.add_row(_printable(name), *cells)
    console.print(table)

    grid = Table.grid(padding=(0, 2))
    for name, text in _summary(model.solution_, facts["training"], first, second, _penalty(model)):
        grid.add_row(f"  {name}", text)
    if weight is not None:
        grid.add_row("  weight", _printable(weight))
    console.print(grid)


def _penalty(model: LogisticRegression) -> str:
    if model.firth:
        return " with Firth's penalty"
    return " with its penalty" if np.isfinite(model.C) else ""


def _summary(
    solution: Solution, training: dict[str, Any], first: str, second: str, penalty: str
) -> Iterator[tuple[str, str]]:
    negative, positive = training["rows_of_class"]
    yield "rows", f"{training['rows']:,} ({second}: {positive:,}, {first}: {negative:,})"
    yield "fit", f"{solution.status}: {solution.iterations} iterations, {solution.passes} passes, {solution.solver}"
    yield "loss", f"{solution.loss:.8g}, the mean log loss{penalty}"
    gap = f"at most {solution.gap:.1e} above the minimum ({solution.error:.1e} standard errors)"
    if solution.status is Status.SEPARATED:
        gap = "there is no minimum: the classes are separated"
    yield "gap", gap if np.isfinite(solution.gap) else "not known"
    yield "accuracy", f"{training['accuracy']:.4f} on the training data"
    yield "AUC", f"{training['auc']:.4f} on the training data"


# The terminal


def _console() -> Console:
    """The console of stdout. Where it is no terminal, nothing is cut or wrapped."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 100_000
    return console


@contextlib.contextmanager
def _progress(what: str) -> Iterator[None]:
    """A spinner on stderr, if that is a terminal. Nothing may be printed on stdout meanwhile."""
    console = Console(stderr=True)
    with console.status(f"{what} ...") if console.is_terminal else contextlib.nullcontext():
        yield


def _say(kind: str, text: str, colour: str) -> None:
    """One line on stderr."""
    click.echo(f"{click.style(kind + ':', fg=colour, bold=True)} {' '.join(text.split())}", err=True)


def _printable(value: Any) -> str:
    """A name or label as text that cannot move the cursor."""
    text = str(value)
    return text if text.isprintable() else repr(text)
