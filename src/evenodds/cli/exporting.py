"""The commands about a model that was saved: show and export."""

import json
import sys
from pathlib import Path

import rich_click as click

from .. import to_onnx, to_sql
from ..export import load, replacing
from ..files import STANDARD
from .facts import model_facts
from .report import show_model
from .terminal import progress, say

_DIALECTS = ("duckdb", "postgres", "sqlite", "bigquery", "snowflake")


@click.command()
@click.argument("model", type=click.Path(path_type=Path), help="The file that fit saved with --model.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
def show(model: Path, as_json: bool) -> None:
    """Print a model that was saved: its coefficients, the columns that it takes, and how it was fitted.

    \b
    evenodds show model.json
    """
    fitted = load(model)
    facts = model_facts(fitted)
    if as_json:
        click.echo(json.dumps(facts, allow_nan=False))
    else:
        show_model(fitted, facts)


@click.command()
@click.argument("model", type=click.Path(path_type=Path), help="The file that fit saved with --model.")
@click.option("--to", "kind", type=click.Choice(["sql", "onnx"]), required=True, metavar="KIND", help="sql or onnx.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="The file; without it, or with -, SQL goes to standard output.",
)
@click.option("--table", metavar="NAME", default="data", show_default=True, help="SQL: the table to score.")
@click.option(
    "--dialect",
    type=click.Choice(_DIALECTS),
    default="duckdb",
    metavar="NAME",
    show_default=True,
    help=f"SQL: {', '.join(_DIALECTS[:-1])} or {_DIALECTS[-1]}.",
)
def export(model: Path, kind: str, out: Path | None, table: str, dialect: str) -> None:
    """Write a model as a query of SQL, or as an ONNX file.

    The query selects all columns of a table, and the probability. Both are tried on a sample before they are written.

    \b
    evenodds export model.json --to sql --table flights --dialect postgres
    evenodds export model.json --to onnx --out model.onnx
    """
    out = None if out == STANDARD else out
    if kind == "onnx" and out is None:
        raise click.UsageError("Missing option '--out': ONNX is no text, and needs a file.")
    fitted = load(model)
    with progress("Writing the model and trying it"):
        if out is not None and kind == "onnx":
            to_onnx(fitted, out)
        else:
            text = to_sql(fitted, table, dialect)
    if out is None:
        # A pipe takes it to the sign; for a terminal, escapes in names could be commands.
        click.echo(text, color=not sys.stdout.isatty())
        return
    if kind == "sql":
        with replacing(out) as file:
            file.write(f"{text}\n".encode())
    say("Model", f"saved to {out}", "green")
