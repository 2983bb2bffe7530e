"""The commands that look at a table with labels: fit and diagnose."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from .. import EvenOddsError, LogisticRegression, diagnosis, fit_table, write_report
from ..data.scan import Scan
from ..delimited import Habit, Spelling
from ..design import MISSING, UNSEEN, left_side
from ..export import plain, save
from ..files import STANDARD
from .facts import Asked, all_facts, fit_aloud
from .options import column_option, data_argument, level, memory_option, pairs, share, spelling_options, strength
from .report import show_fit
from .scans import is_large, scanned
from .tables import read
from .terminal import as_options, progress, say

if TYPE_CHECKING:
    import pyarrow as pa

_MANY = 20  # classes that nobody means
_ROBUST = ("model", "HC0", "HC1", "HC2", "HC3")


@click.command()
@data_argument
@column_option("--target", help="The column to explain: two labels or more.")
@click.option(
    "--formula",
    metavar="TEXT",
    help='What explains it, such as "distance + C(month) + poly(age, 2)"; by default all other columns.',
)
@column_option("--drop", multiple=True, help="Leave a column out; may be repeated.")
@click.option(
    "--positive",
    metavar="LABEL",
    help='The label whose log odds are modelled; of several, against the rest; of numbers also a bound: ">0".',
)
@click.option(
    "--reference",
    multiple=True,
    callback=pairs,
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
@column_option("--weight", help="Take a column as the weights of the rows.")
@column_option("--offset", help="Add a column to the log odds, with the coefficient 1, here and in predict.")
@click.option(
    "--C",
    "C",
    type=float,
    default=math.inf,
    callback=strength,
    metavar="NUMBER",
    show_default=True,
    help="Inverse strength of the penalty; inf is none: maximum likelihood.",
)
@click.option(
    "--l1-ratio",
    type=float,
    default=0.0,
    callback=share,
    metavar="NUMBER",
    show_default=True,
    help="Of the penalty: 0 is a ridge, 1 a lasso, which leaves columns out; between them, the elastic net.",
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
    "--level",
    type=float,
    default=0.95,
    callback=level,
    metavar="NUMBER",
    show_default=True,
    help="Of the confidence intervals.",
)
@click.option(
    "--cov",
    type=click.Choice(_ROBUST),
    default="model",
    metavar="NAME",
    show_default=True,
    help="Of the standard errors: model, or HC0, HC1, HC2, HC3, which are robust.",
)
@column_option("--cluster", help="Standard errors robust to rows that belong together: those alike in a column.")
@click.option(
    "--baseline",
    metavar="LABEL",
    help="Of more than two labels the one that the others are seen from; by default the first, or with --C none.",
)
@click.option(
    "--model",
    "model_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Save the model for predict, as JSON.",
)
@click.option(
    "--report", type=click.Path(path_type=Path), metavar="FILE", help="Write all that is known as one HTML page."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
@memory_option
@click.option_panel("Arguments")
@click.option_panel(
    "The table",
    options=[
        "--target",
        "--formula",
        "--drop",
        "--positive",
        "--reference",
        "--missing",
        "--unseen",
        "--weight",
        "--offset",
        "--memory",
    ],
)
@click.option_panel("The fit", options=["--C", "--l1-ratio", "--standardize", "--firth", "--solver"])
@click.option_panel(
    "What is told", options=["--level", "--cov", "--cluster", "--baseline", "--model", "--report", "--json"]
)
@spelling_options
def fit(
    data: Path,
    spelling: Spelling,
    target: str | None,
    formula: str | None,
    drop: tuple[str, ...],
    weight: str | None,
    offset: str | None,
    cluster: str | None,
    cov: str,
    level: float,
    baseline: str | None,
    model_path: Path | None,
    report: Path | None,
    as_json: bool,
    memory: int,
    **given: Any,
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
    evenodds fit 'flights/*.parquet' --target late --memory 2GB
    evenodds fit flights.csv --target late --C 0.1 --l1-ratio 1 --standardize --report report.html
    """
    formula, target = _question(formula, target)
    _check_apart(target=[target], weight=[weight], offset=[offset], cluster=[cluster], drop=drop)
    _check_together(given["C"], given["l1_ratio"], given["firth"], given["solver"])
    if cluster is not None and cov != "model":
        raise click.UsageError(f"--cluster is a covariance of its own: leave out --cov {cov}.")
    for name, path in {"--model": model_path, "--report": report}.items():
        if path == STANDARD:
            raise click.UsageError(f"{name} is a file: standard output has the coefficients.")
    beside = {"weight": weight, "offset": offset}
    table, habit, groups = _read(data, spelling, memory, target, cluster, drop=drop, formula=formula, **beside)
    asked = Asked(baseline, "cluster" if cluster is not None else cov, level, groups)
    if given["positive"] is None and not isinstance(table, Scan):
        _say_counts(table, target)
    model, result = fit_aloud(lambda: _fitted(formula or target, table, habit, given | beside), table, asked)
    with progress("Scoring the training data"):
        facts = all_facts(model, result, table)
    # Files first, as a pipe may close while the table is printed; what went wrong with them is told after it.
    known = model if result is None else result
    written = [
        _written("Model", model_path, lambda path: save(known, path)),
        _written("Report", report, lambda path: write_report(known, table, path)),
    ]
    if as_json:
        click.echo(json.dumps(facts, allow_nan=False))
    else:
        show_fit(model, result, facts)
    for tell in written:
        tell()


def _read(
    data: Path,
    spelling: Spelling,
    memory: int,
    target: str,
    cluster: str | None,
    *,
    drop: tuple[str, ...],
    formula: str | None,
    weight: str | None,
    offset: str | None,
) -> tuple[Any, Habit | None, Any]:
    """The table, how its file is written, and the clusters: a column, or of a scan its name."""
    more = [] if cluster is None else [cluster]
    if is_large(data, memory):
        own: dict[str, Any] = {"drop": drop, "formula": formula, "weight": weight, "offset": offset}
        scan = scanned(data, spelling, memory, target, more=more, **own)
        return scan, next((unit.habit for unit in scan.source.units), None), cluster
    beside = [name for name in (weight, offset) if name is not None]
    table, habit = read(data, spelling, target, drop=drop, formula=formula, beside=beside, more=more)
    if cluster is None:
        return table, habit, None
    return table if formula is not None else table.drop_columns(more), habit, table[cluster]


def _say_counts(table: "pa.Table", target: str) -> None:
    """Say that numbers, of which there are many, are taken for classes, which takes long and is seldom meant."""
    import pyarrow as pa

    if target in table.column_names and pa.types.is_integer(table[target].type):
        found = sorted(label for label in table[target].unique().to_pylist() if label is not None)
        if len(found) > _MANY:
            text = f"{target!r} has {len(found)} different numbers, {found[0]} to {found[-1]}, and each is a class."
            say("Note", f'{text} If it counts something, --positive ">0" makes two classes of it.', "cyan")


def _fitted(question: str, table: object, habit: Habit | None, given: dict[str, Any]) -> LogisticRegression:
    """The model, which remembers how its file is written."""
    model = fit_table(question, table, **given)
    if habit is not None:
        model.design_ = replace(model.design_, spelling=habit.record())
    return model


def _written(what: str, path: Path | None, write: Callable[[Path], Any]) -> Callable[[], None]:
    """Write a file that is asked for; what is returned tells of it, or raises what went wrong."""
    problem: Exception | None = None
    if path is not None:
        try:
            with progress(f"Writing the {what.lower()}"):
                write(path)
        except (EvenOddsError, OSError) as error:
            problem = error

    def tell() -> None:
        if problem is not None:
            raise problem
        if path is not None:
            say(what, f"saved to {path}", "green")

    return tell


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


def _check_apart(**given: Sequence[str | None]) -> None:
    """No column is named by two options."""
    named = [name for names in given.values() for name in names if name is not None]
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        options = [f"--{option}" for option, names in given.items() for name in names if name == twice]
        raise click.UsageError(f"{' and '.join(options)} name the same column: {twice!r}.")


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


@click.command()
@data_argument
@column_option("--target", required=True, help="The column to explain: two labels or more.")
@column_option("--drop", multiple=True, help="Leave a column out; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
@click.option_panel("Arguments")
@click.option_panel("Options")
@spelling_options
def diagnose(data: Path, target: str, drop: tuple[str, ...], as_json: bool, spelling: Spelling) -> None:
    """Say what will go wrong in a fit of a table, and what to do.

    The most harmful comes first: columns that know the answer or separate the classes, values that stand for missing
    ones, identifiers, numbers and dates as text, repeated rows, curves that are no straight line, missing values, rare
    classes, collinear columns, constants, scales.

    \b
    evenodds diagnose flights.csv --target late
    """
    _check_apart(target=[target], drop=drop)
    table, _ = read(data, spelling, target, drop=drop)
    with progress("Looking for what goes wrong"):
        found = diagnosis.diagnose(table, target)
    if as_json:
        facts = {**asdict(found), "rows_of_class": list(found.rows_of_class.values())}
        click.echo(json.dumps(plain({**facts, "classes": list(found.rows_of_class)}), allow_nan=False))
    else:
        click.echo(as_options(str(found)))
