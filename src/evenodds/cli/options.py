"""Options that several commands have: how a file is written, and checks of numbers."""

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from ..data.budget import bytes_of
from ..delimited import Spelling
from ..exceptions import EvenOddsError
from ..files import STANDARD, Source, format_of

Command = TypeVar("Command", bound=Callable[..., Any])
DATA = "The file with the table, a folder or a pattern such as 'flights/*.parquet'; - is standard input."


def column_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The columns of the file that is named before, for completion in a shell."""
    data = context.params.get("data")
    for path in [data] if data is not None else map(Path, context.args):  # where an option still lacks its value
        try:
            if path.is_file():
                return [name for name in Source(path).names if name.startswith(incomplete)]
        except (EvenOddsError, OSError):
            continue
    return []


def data_argument(command: Command) -> Command:
    """The file with the table."""
    argument = click.argument("data", type=click.Path(path_type=Path, allow_dash=True), help=DATA)
    decorated: Command = argument(command)
    return decorated


def column_option(
    name: str, help: str, *, multiple: bool = False, required: bool = False
) -> Callable[[Command], Command]:
    """An option that names a column."""
    return click.option(
        name, metavar="NAME", shell_complete=column_names, help=help, multiple=multiple, required=required
    )


_SPELLING = (
    click.option("--encoding", metavar="NAME", help="Of text: utf-8, utf-16, cp1252, ... By default it is seen."),
    click.option("--separator", metavar="SIGN", help="Between the cells: , ; | tab or space. By default it is seen."),
    click.option("--decimal", type=click.Choice([".", ","]), metavar="SIGN", help=". or , as in 1.5 or 1,5."),
    click.option(
        "--dates",
        type=click.Choice(["dmy", "mdy", "ymd"]),
        metavar="ORDER",
        help="dmy, mdy or ymd: the order of day, month and year.",
    ),
    click.option(
        "--missing-text",
        multiple=True,
        metavar="TEXT",
        help="Stands for a missing value, as NA, ?, - and others do; may be repeated.",
    ),
    column_option(
        "--text", multiple=True, help="A column of text as it is: 01, NA and - are labels in it; may be repeated."
    ),
    click.option("--no-header", is_flag=True, help="The first line is a row; the columns are column_1, column_2, ..."),
)


def spelling_options(command: Command) -> Command:
    """Add the options that say how delimited text is written; the command is given `spelling`."""
    names = [field.name for field in fields(Spelling) if field.name not in ("levels", "habit")]

    @wraps(command)
    def given(*args: object, **options: Any) -> Any:
        said = {name: options.pop(name) for name in names}
        try:
            spelling = Spelling(**said)
        except EvenOddsError as error:
            raise click.UsageError(str(error)) from None
        return command(*args, spelling=spelling, **options)

    decorated: Any = given
    for option in reversed(_SPELLING):
        decorated = option(decorated)
    panel = click.option_panel("Text files", options=[f"--{name.replace('_', '-')}" for name in names])
    found: Command = panel(decorated)
    return found


def _budget(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """A number of bytes."""
    try:
        return bytes_of(value)
    except EvenOddsError as error:
        raise click.BadParameter(str(error)) from None


def memory_option(command: Command) -> Command:
    """Add the option that says how much memory a table may take."""
    decorated: Command = click.option(
        "--memory",
        default="1GB",
        metavar="SIZE",
        callback=_budget,
        show_default=True,
        help="Of a larger table, of folders and patterns, the rows are read again in the place of being kept.",
    )(command)
    return decorated


def share(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """A number from 0 to 1."""
    if not 0 <= value <= 1:  # NaN too
        raise click.BadParameter(f"{value:g} is not a number from 0 to 1.")
    return value


def level(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """A number between 0 and 1."""
    if not 0 < value < 1:
        raise click.BadParameter(f"{value:g} is not a number between 0 and 1, such as 0.95.")
    return value


def strength(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """A positive number."""
    if not value > 0:  # NaN too
        raise click.BadParameter(f"{value:g} is not a positive number.")
    return value


def pairs(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    """NAME=LEVEL, more than once; the name may hold a =, if the level holds none."""
    found = {}
    for text in value:
        name, sign, one = text.rpartition("=") if text.count("=") > 1 else text.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"{text!r} is not of the form NAME=LEVEL, such as carrier=AA.")
        found[name] = one
    return found


def writable(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """A file whose format can be written, or standard output."""
    if value is not None and value != STANDARD:
        try:
            format_of(value)
        except EvenOddsError as error:
            raise click.BadParameter(str(error)) from None
    return value
