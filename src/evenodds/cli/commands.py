"""The commands in one group, and how a problem in any of them is told."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rich_click as click

from .. import EvenOddsError, __version__
from . import end_of_interrupt
from .exporting import export, show
from .fitting import diagnose, fit
from .lesson import HELP, learn
from .scoring import predict
from .terminal import say, stdout_console

PROGRAM = "evenodds"


def run(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    try:
        cli(args, prog_name=PROGRAM)
    except EvenOddsError as error:
        problem = str(error)
    except OSError as error:
        problem = ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
    except MemoryError:
        problem = "There is not enough memory for this table."
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

    Tables are delimited text (.csv, .tsv, .txt, also .gz), Parquet (.parquet) or Arrow (.arrow, .feather) files; - is
    standard input or output.
    """


@click.command()
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


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="SHELL", help="bash, zsh or fish.")
def completion(shell: str) -> None:
    """Print what makes a shell complete commands, options, and names of columns.

    \b
    eval "$(evenodds completion bash)"             # in ~/.bashrc
    eval "$(evenodds completion zsh)"              # in ~/.zshrc
    evenodds completion fish | source              # in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    complete = found(cli, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE")
    click.echo(complete.source_template % complete.source_vars())


for command in (fit, predict, show, export, diagnose, learn, demo, completion):
    cli.add_command(command)
