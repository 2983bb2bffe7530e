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
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from . import EvenOddsError, Inference, LogisticRegression, Status, __version__, infer
from .advice import listed
from .export import load, plain, said, save
from .files import features, format_of, labels, numbers, read_table, require_columns, write_csv, write_table

_MOST_INFERRED = 1000  # slopes, of which a covariance still fits onto any machine
_PIPE_WIDTH = 100_000
_LEAST_NAME = 12
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
@click.option("--target", required=True, metavar="NAME", help="The column to explain: two labels or more.")
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
    Of two labels the one that sorts last is the one whose log odds are modelled: 1 of 0 and 1, yes of no and yes.
    Of more, each one's against the first, or with a ridge a score for each.

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
        result = _fit_aloud(model, X, y, rows_weight)
        facts = _facts(model, result, X, y, rows_weight)
    if as_json:
        click.echo(json.dumps(facts, allow_nan=False))
    else:
        _show(model, result, facts, target, weight)
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
    the likelier one. Of more than two labels there is a probability_LABEL for each. The model's columns are
    found by name; their order does not matter.

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
        added = _added(fitted)
        taken = [name for name in added if name in table.column_names]
        if taken:
            them = "it" if len(taken) == 1 else "them"
            raise EvenOddsError(f"{data} has {listed(taken)}, which predict would add. Rename {them} first.")
        chosen = read_table(data, names.tolist()) if verbatim else table.select(names.tolist())
        X = numbers(chosen, data, "The model was fitted to numbers.")
        probabilities = fitted.predict_proba(X)[:, 1:] if len(added) == 2 else fitted.predict_proba(X)
        for name, values in zip(added, (*probabilities.T, fitted.predict(X).tolist()), strict=True):
            table = table.append_column(name, [values])
        if out is not None:
            write_table(table, out)
    if out is None:
        write_csv(table, sys.stdout.buffer)
        sys.stdout.buffer.flush()  # here, where a full disk or a closed pipe is still handled
    else:
        _say("Table", f"of {table.num_rows:,} rows saved to {out}", "green")


def _added(model: LogisticRegression) -> list[str]:
    """The columns that predict adds."""
    labels = model.classes_.tolist()
    return [*(["probability"] if len(labels) == 2 else [f"probability_{label}" for label in labels]), "label"]


# Fitting, and saying what came out


def _fit_aloud(model: LogisticRegression, X: Any, y: Any, weight: Any) -> Inference | None:
    """Fit, ask for standard errors, and say the warnings without the line of code that they come from."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")  # what is meant for programmers
        warnings.simplefilter("always", UserWarning)
        try:
            model.fit(X, y, weight)
            result = _inference(model, X, y, weight)
        except ValueError as error:  # from scikit-learn's checks too
            raise EvenOddsError(str(error)) from error
    for warning in caught:
        _say("Warning", str(warning.message), "yellow")
    return result


def _inference(model: LogisticRegression, X: Any, y: Any, weight: Any) -> Inference | None:
    """Standard errors at an optimum; None of too many coefficients for a covariance of them."""
    if model.solver == "sgd" or model.n_features_in_ * (model.classes_.size - 1) > _MOST_INFERRED:
        return None
    try:
        return infer(model, X, y, weight)
    except EvenOddsError as error:
        warnings.warn(f"There are no standard errors. {error}", UserWarning, stacklevel=2)
        return None


def _facts(model: LogisticRegression, result: Inference | None, X: Any, y: NDArray[Any], weight: Any) -> dict[str, Any]:
    """All that fit tells, by the names of the attributes, as JSON can hold it."""
    coef = np.column_stack([model.intercept_, model.coef_])
    with np.errstate(over="ignore"):
        odds_ratio = np.exp(coef[0] if len(coef) == 1 else coef)
    attributes = ("classes_", "coef_", "intercept_", "n_iter_", "n_features_in_", "feature_names_in_", "aliased_")
    facts = {
        **{name: getattr(model, name) for name in attributes},
        "solution_": said(model.solution_),
        "names": ["(intercept)", *model.feature_names_in_],
        "odds_ratio": odds_ratio,
        **{name: getattr(result, name, None) for name in ("listed", "coef", "se", "z", "p_value", "conf_int")},
        "training": _training(model, X, y, weight),
    }
    found: dict[str, Any] = plain(facts)
    return found


def _training(model: LogisticRegression, X: Any, y: NDArray[Any], weight: Any) -> dict[str, Any]:
    """How good the fit is on its own rows; the AUC of more than two classes is the mean of each against the rest."""
    from sklearn.metrics import accuracy_score, roc_auc_score

    logs = model.predict_log_proba(X)
    of_class = np.column_stack([y == label for label in model.classes_])
    codes = of_class.argmax(axis=1)
    # Of two classes by the score, which still tells rows apart where the probability is 1 for both.
    scores = model.decision_function(X)[:, None] if of_class.shape[1] == 2 else logs
    rest = of_class[:, -scores.shape[1] :]
    areas = [roc_auc_score(own, score, sample_weight=weight) for own, score in zip(rest.T, scores.T, strict=True)]
    return {
        "rows": y.size,
        "rows_of_class": of_class.sum(axis=0),
        "accuracy": accuracy_score(codes, logs.argmax(axis=1), sample_weight=weight),
        "log_loss": np.average(-logs[np.arange(y.size), codes], weights=weight),
        "auc": np.mean(areas),
    }


def _show(
    model: LogisticRegression, result: Inference | None, facts: dict[str, Any], target: str, weight: str | None
) -> None:
    """Print the coefficients, and below them how good they are."""
    console = _console()
    labels = [_printable(label) for label in facts["classes_"]]
    name = _printable(target)
    if len(labels) == 2:
        console.print(f"Log odds of {name} = {labels[1]} against {labels[0]}")
        console.print(_binary_table(model, facts) if result is None else _inference_table(model, result, console))
    else:
        first = 0 if model.coef_[0].any() or model.intercept_[0] else 1  # with coefficients
        scores = f"Scores of {name}: the log odds of two labels are the difference of their scores"
        console.print(f"Log odds of each {name} against {labels[0]}" if first else scores)
        plain_table = _classes_table(model, facts, labels, first)
        console.print(plain_table if result is None else _inference_table(model, result, console))
    for remark in () if result is None else result.remarks:
        console.print(f"  {remark}\n")

    grid = Table.grid(padding=(0, 2))
    for name, text in _summary(model, facts["training"], labels):
        grid.add_row(f"  {name}", text)
    if weight is not None:
        grid.add_row("  weight", _printable(weight))
    console.print(grid)


def _table(*headings: str, names: int = 1) -> Table:
    """A table of numbers, with names in its first columns."""
    table = Table(box=box.SIMPLE_HEAD)
    for heading in headings[:names]:
        table.add_column(heading, overflow="fold", min_width=_LEAST_NAME)
    for heading in headings[names:]:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _binary_table(model: LogisticRegression, facts: dict[str, Any]) -> Table:
    table = _table("column", "coefficient", "odds ratio")
    table.add_row("(intercept)", f"{model.intercept_[0]:#.5g}")
    for name, coef, ratio in zip(facts["names"][1:], model.coef_[0], facts["odds_ratio"][1:], strict=True):
        cells = ("aliased", "") if name in model.aliased_ else (f"{coef:#.5g}", f"{float(ratio):#.5g}")
        table.add_row(_printable(name), *cells)
    return table


def _classes_table(model: LogisticRegression, facts: dict[str, Any], labels: list[str], first: int) -> Table:
    """Long in the class, from the first that has coefficients on; odds ratios if they are against a baseline."""
    table = _table("label", "column", "coefficient", *["odds ratio"] * first, names=2)
    for k in range(first, len(labels)):
        coefs = [model.intercept_[k], *model.coef_[k]]
        for j, (name, coef, ratio) in enumerate(zip(facts["names"], coefs, facts["odds_ratio"][k], strict=True)):
            numbers = [f"{coef:#.5g}", *[f"{float(ratio):#.5g}"] * first] if name not in model.aliased_ else ["aliased"]
            table.add_row(
                labels[k] if j == 0 else "", _printable(name), *(numbers if j else numbers[:1]), end_section=False
            )
        if k < len(labels) - 1:
            table.add_row()
    return table


def _inference_table(model: LogisticRegression, result: Inference, console: Console) -> Table:
    """With standard errors, tests and intervals, as far as the console is wide enough; long in the class."""
    level = f"{100 * result.level:g}%"
    headings = ("coef", "se", "LR z" if model.firth else "z", "p", f"{level} lower", f"{level} upper", "odds ratio")
    columns = [_aligned(column) for column in zip(*_cells(result), strict=True)]
    names = [_printable(name) for name in result.names]
    labels = [_printable(label) for label in result.listed] if len(result.classes) > 2 else []
    least = _LEAST_NAME * (1 + bool(labels))
    room = console.width - 2 - max(_LEAST_NAME, *map(cell_len, names)) - max([0, *map(cell_len, labels)])
    sizes = [
        2 + max(map(len, (heading, *cells)))
        for heading, *cells in zip(headings, *zip(*columns, strict=True), strict=True)
    ]
    # Odds ratios go first (without a baseline there are none), then names are folded, then intervals go, then errors.
    most = 7 if sum(sizes) <= room and result.baseline is not None else 6
    room = max(room, console.width - 2 - least)
    most = next((few for few in (most, 4) if sum(sizes[:few]) <= room), 1)
    table = _table(*["label"] * bool(labels), "column", *headings[:most], names=1 + bool(labels))
    table.padding = (0, 1, 0, 0)
    for j, cells in enumerate(zip(*columns[:most], strict=True)):
        a, t = divmod(j, len(names))
        if a and not t:
            table.add_row()
        label = [labels[a] if t == 0 else ""] if labels else []
        table.add_row(*label, names[t], *cells)
    return table


def _cells(result: Inference) -> Iterator[tuple[str, ...]]:
    """The numbers of each coefficient as text, those that do not exist empty."""
    from .inference.display import digits_of, number, p_cell

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


def _aligned(cells: Sequence[str]) -> list[str]:
    """Cells to be set right, with their decimal points below each other."""
    after = [len(cell) - cell.index(".") if "." in cell and "e" not in cell else 0 for cell in cells]
    return [cell + " " * (max(after) - here) if here else cell for cell, here in zip(cells, after, strict=True)]


def _penalty(model: LogisticRegression) -> str:
    if model.firth:
        return " with Firth's penalty"
    return " with its penalty" if np.isfinite(model.C) else ""


def _summary(model: LogisticRegression, training: dict[str, Any], labels: list[str]) -> Iterator[tuple[str, str]]:
    solution, penalty = model.solution_, _penalty(model)
    binary = len(labels) == 2
    counts = [f"{label}: {count:,}" for label, count in zip(labels, training["rows_of_class"], strict=True)]
    counts = counts[::-1] if binary else counts
    more = f" and {len(counts) - 5} more labels" if len(counts) > 6 else ""
    yield "rows", f"{training['rows']:,} ({', '.join(counts[: 5 if more else None])}{more})"
    yield "fit", f"{solution.status}: {solution.iterations} iterations, {solution.passes} passes, {solution.solver}"
    yield "loss", f"{solution.loss:.8g}, the mean log loss{penalty}"
    gap = f"at most {solution.gap:.1e} above the minimum ({solution.error:.1e} standard errors)"
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


# The terminal


def _console() -> Console:
    """The console of stdout. Where it is no terminal, nothing is cut or wrapped."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
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
