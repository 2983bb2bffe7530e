"""The command that prints a model that was saved: show."""

import json
from pathlib import Path

import rich_click as click

from ..export import load
from .facts import model_facts
from .report import show_model


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
