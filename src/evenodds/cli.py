"""The command line: tables from files into the estimator, and what it found onto the terminal or into files.

Results go to stdout and all the rest to stderr. The exit status is 0 for success, 1 for a problem in the data or
the model (one line says which) and 2 for wrong usage. A table's format is its file's extension.
"""

import contextlib
import csv
import difflib
import io
import json
import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import rich_click as click
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from . import EvenOddsError, LogisticRegression, __version__
from .advice import listed
from .export import load, plain, replacing, said, save

FORMATS = (".csv", ".csv.gz", ".parquet", ".feather", ".arrow")
_ADDED = ("probability", "label")
_BLOCK = 8 << 20  # bytes of a CSV parsed at a time; a row must fit into it
_ROWS = 1 << 16  # rows of a CSV written at a time


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
        problem = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    _say("Error", problem, "red")
    sys.exit(1)


@click.group()
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Logistic regression, done completely: fit a table, read the coefficients, score new rows.

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

    with _progress("Training and drawing"):
        run(out, _console())


def _strength(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if not value > 0:  # NaN too
        raise click.BadParameter(f"{value:g} is not a positive number.")
    return value


@cli.command()
@click.argument("data", type=click.Path(path_type=Path))
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
    solver: str,
    model_path: Path | None,
    as_json: bool,
) -> None:
    """Fit a logistic regression to the table in the file DATA.

    Every column but the target is a feature, and has to be numeric; leave the others out with --drop.
    The label that sorts last is the one whose log odds are modelled: 1 of 0 and 1, yes of no and yes.

    \b
    evenodds fit flights.csv --target late
    evenodds fit flights.csv --target late --drop carrier --model model.json
    """
    apart = [name for name in (target, weight, *drop) if name is not None]
    if len(set(apart)) < len(apart):
        raise click.UsageError("--target, --weight and --drop name the same column.")
    with _progress("Reading the table"):
        table = _read(data)
        _require(apart, table.column_names, data)
        X = _features(table.drop(apart), data)
        y = _labels(table[target], data, target)
        rows_weight = None if weight is None else _features(table.select([weight]), data)[weight].to_numpy()
    model = LogisticRegression(C, standardize=standardize, solver=solver)
    with _progress("Fitting"):
        _fit_aloud(model, X, y, rows_weight)
        facts = _facts(model, X, y, rows_weight)
    if as_json:
        click.echo(json.dumps(facts, allow_nan=False))
    else:
        _show(model, facts, f"{target!r} in {data}", weight)
    if model_path is not None:
        save(model, model_path)
        _say("Model", f"saved to {model_path}", "green")


def _writable(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    if value is not None:
        try:
            _format(value)
        except EvenOddsError as error:
            raise click.BadParameter(str(error)) from None
    return value


@cli.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    callback=_writable,
    metavar="FILE",
    help="The scored table, in the format of its extension. Without it, CSV on stdout.",
)
def predict(model: Path, data: Path, out: Path | None) -> None:
    """Score the rows of the table DATA with the MODEL that fit saved.

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
        verbatim = _format(data) in (".csv", ".csv.gz") and (out is None or _format(out) in (".csv", ".csv.gz"))
        table = _read(data, verbatim=verbatim)
        _require(names.tolist(), table.column_names, data)
        taken = [name for name in _ADDED if name in table.column_names]
        if taken:
            raise EvenOddsError(f"{data} has {listed(taken)} already, which predict would add. Rename it first.")
        numbers = _read(data, names.tolist()) if verbatim else table.select(names.tolist())
        X = _features(numbers, data)
        probability = fitted.predict_proba(X)[:, 1]
        for name, values in zip(_ADDED, (probability, fitted.predict(X).tolist()), strict=True):
            table = table.append_column(name, [values])
        _write(table, out)
    if out is not None:
        _say("Table", f"of {table.num_rows:,} rows saved to {out}", "green")


# Fitting, and saying what came out


def _fit_aloud(model: LogisticRegression, X: Any, y: Any, weight: Any) -> None:
    """Fit, and say the warnings without the line of code that they come from."""
    with warnings.catch_warnings(record=True) as caught:
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
    return {
        **{name: plain(getattr(model, name)) for name in attributes},
        "solution_": said(model.solution_),
        "names": ["(intercept)", *model.feature_names_in_],
        "odds_ratio": plain(odds_ratio),
        "training": {
            "rows": y.size,
            "rows_of_class": [int((~positive).sum()), int(positive.sum())],
            "accuracy": float(accuracy_score(positive, scores > 0, sample_weight=weight)),
            "auc": plain(float(roc_auc_score(positive, scores, sample_weight=weight))),
        },
    }


def _show(model: LogisticRegression, facts: dict[str, Any], what: str, weight: str | None) -> None:
    """Print the coefficients, and below them how good they are."""
    first, second = (_printable(label) for label in facts["classes_"])
    console = _console()
    console.print(f"Log odds of {second} against {first}: {what}")
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("column", overflow="fold")
    table.add_column("coefficient", justify="right", no_wrap=True)
    table.add_column("odds ratio", justify="right", no_wrap=True)
    table.add_row("(intercept)", f"{model.intercept_[0]:#.5g}")
    for name, coef, ratio in zip(facts["names"][1:], model.coef_[0], facts["odds_ratio"][1:], strict=True):
        cells = ("aliased", "") if name in model.aliased_ else (f"{coef:#.5g}", f"{float(ratio):#.5g}")
        table.add_row(_printable(name), *cells)
    console.print(table)

    solution, training = model.solution_, facts["training"]
    negative, positive = training["rows_of_class"]
    lines = {
        "rows": f"{training['rows']:,}: {positive:,} {second}, {negative:,} {first}"
        + (f"; weighted by {_printable(weight)}" if weight is not None else ""),
        "fit": f"{solution.status}, {solution.iterations} iterations, {solution.passes} passes, {solution.solver}",
        "loss": f"{solution.loss:.8g}, the mean log loss" + (" with its penalty" if np.isfinite(model.C) else ""),
        "gap": f"{solution.gap:.2g} above the minimum at the most; {solution.error:.2g} standard errors",
        "accuracy": f"{training['accuracy']:.4f} on the training data",
        "AUC": f"{training['auc']:.4f} on the training data",
    }
    grid = Table.grid(padding=(0, 2))
    for name, text in lines.items():
        grid.add_row(f"  {name}", text)
    console.print(grid)


# Tables


def _format(path: Path) -> str:
    """The extension, if it is one of `FORMATS`."""
    for suffix in FORMATS:
        if path.name.lower().endswith(suffix):
            return suffix
    raise EvenOddsError(f"{path}: the extension is not one of {', '.join(FORMATS)}.")


def _read(path: Path, columns: list[str] | None = None, *, verbatim: bool = False) -> Any:
    """A pyarrow table of a file. `verbatim` keeps each cell of a CSV as its text."""
    import pyarrow as pa

    suffix = _format(path)
    if not path.is_file():
        raise EvenOddsError(f"{path}: no such file.")
    try:
        if suffix == ".parquet":
            from pyarrow import parquet

            with parquet.ParquetFile(path) as file:
                table = file.read()
        elif suffix in (".feather", ".arrow"):
            with pa.memory_map(str(path)) as file:
                table = pa.ipc.open_file(file).read_all()
        else:
            table = _read_csv(path, columns, verbatim)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise EvenOddsError(f"{path} cannot be read: {error}") from error
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise EvenOddsError(f"{path} has {listed(twice)} more than once: give every column its own name.")
    if table.num_rows == 0:
        raise EvenOddsError(f"{path} has no rows.")
    return table


def _read_csv(path: Path, columns: list[str] | None, verbatim: bool) -> Any:
    import pyarrow as pa
    from pyarrow import csv as pa_csv

    read, parse = pa_csv.ReadOptions(block_size=_BLOCK), pa_csv.ParseOptions(newlines_in_values=True)
    if verbatim:
        with pa_csv.open_csv(path, read_options=read, parse_options=parse) as reader:
            types = dict.fromkeys(reader.schema.names, pa.string())
        convert = pa_csv.ConvertOptions(column_types=types)
    else:
        convert = pa_csv.ConvertOptions(include_columns=columns, strings_can_be_null=True)
    return pa_csv.read_csv(path, read_options=read, parse_options=parse, convert_options=convert)


def _require(names: Sequence[str], columns: Sequence[str], path: Path) -> None:
    """Every name is a column, or the error says which could have been meant."""
    missing = [name for name in names if name not in columns]
    if missing:
        by_lower = {name.lower(): name for name in columns}
        close = difflib.get_close_matches(missing[0].lower(), by_lower, n=1)
        hint = f"Did you mean {by_lower[close[0]]!r}?" if close else f"It has {listed(columns)}."
        if len(columns) == 1 and (";" in columns[0] or "\t" in columns[0]):
            hint += " The columns of a CSV file have to be separated by commas."
        raise EvenOddsError(f"{path} has no {listed(missing)}. {hint}")


def _features(table: Any, path: Path) -> Any:
    """The table, if its columns are numbers or booleans and have names."""
    import pyarrow as pa

    def numeric(kind: Any) -> bool:
        kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_null)
        return any(is_kind(kind) for is_kind in kinds)

    other = [field.name for field in table.schema if not numeric(field.type)]
    if other:
        raise EvenOddsError(
            f"{path}: {listed(other)} {'is' if len(other) == 1 else 'are'} not numeric. Numbers and booleans are "
            "needed: leave such columns out of the fit with --drop NAME, or make numbers of them first."
        )
    index = [name for name in table.column_names if name == "" or name.startswith("__index_level_")]
    if index:
        raise EvenOddsError(
            f"{path}: {listed(index)} looks like the index of a data frame that was saved as a column. "
            f'Leave it out with --drop "{index[0]}", or give it a name.'
        )
    if not table.column_names:
        raise EvenOddsError(f"{path}: no column is left for the features.")
    # A column without any value has no type either; as numbers it is a column of missing ones.
    types = [pa.float64() if pa.types.is_null(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, types, strict=True))))


def _labels(column: Any, path: Path, target: str) -> NDArray[Any]:
    """The target as an array of numbers, booleans or strings."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    elif pa.types.is_decimal(kind):
        kind = pa.float64()
    types = pa.types
    kinds = (types.is_integer, types.is_floating, types.is_boolean, types.is_string, types.is_large_string)
    if not any(is_kind(kind) for is_kind in kinds):
        raise EvenOddsError(f"{path}: the target {target!r} has type {kind}; labels are numbers, booleans or text.")
    labels: NDArray[Any] = column.cast(kind).to_numpy()
    return labels


def _write(table: Any, path: Path | None) -> None:
    """Write in the format of the extension; without a path, CSV to stdout."""
    import pyarrow as pa

    if path is None:
        _write_csv(table, click.get_binary_stream("stdout"))
        return
    suffix = _format(path)
    try:
        with replacing(path) as file:
            if suffix == ".parquet":
                from pyarrow import parquet

                parquet.write_table(table, file)
            elif suffix in (".feather", ".arrow"):
                with pa.ipc.new_file(file, table.schema) as writer:
                    writer.write_table(table)
            elif suffix == ".csv.gz":
                with pa.CompressedOutputStream(file, "gzip") as packed:
                    _write_csv(table, packed)
            else:
                _write_csv(table, file)
    except pa.ArrowException as error:
        raise EvenOddsError(f"{path} cannot be written: {error}") from error


def _write_csv(table: Any, file: BinaryIO) -> None:
    """Write CSV with quotes only in the blocks of rows that need them."""
    import pyarrow as pa
    from pyarrow import csv as pa_csv

    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(table.column_names)
    file.write(header.getvalue().encode())
    for batch in table.to_batches(max_chunksize=_ROWS):
        for quoting in ("none", "needed"):
            rows = io.BytesIO()
            try:
                pa_csv.write_csv(batch, rows, pa_csv.WriteOptions(include_header=False, quoting_style=quoting))
                break
            except pa.ArrowInvalid:
                if quoting == "needed":
                    raise
        file.write(rows.getvalue())


# The terminal


def _console() -> Console:
    """The console of stdout. Where it is no terminal, nothing is cut or wrapped."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 100_000
    return console


@contextlib.contextmanager
def _progress(what: str) -> Iterator[None]:
    """A spinner on stderr, if that is a terminal."""
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
