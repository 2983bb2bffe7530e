"""The terminal: results on stdout, a word about what goes on, or went wrong, on stderr."""

import contextlib
import re
from collections.abc import Iterator
from threading import Timer

import rich_click as click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_PIPE_WIDTH = 100_000
_PATIENCE = 1.0  # seconds
_GIVEN = re.compile(r"""(?<![\w'"-])(missing|unseen|positive|baseline|cov|solver)=(?:"(\w+)"|(?=\S))""")
_OPTIONS = {
    "LogisticRegression(firth=True)": "--firth",
    "firth=True": "--firth",
    "C=1)": "--C 1)",
    "C=1.": "--C 1.",
    "standardize=True": "--standardize",
    "l1_ratio=": "--l1-ratio ",
    'positive="> 0" in fit_table': '--positive ">0"',
    "sample_weight is": "--weight is",
    "sum of sample_weight": "sum of --weight",
    "offset contains": "--offset contains",
    ", for example with sklearn.impute.SimpleImputer": "",
    " (for example with sklearn.preprocessing.OneHotEncoder)": "",
    "Drop the rows without a label.": "Leave rows without a label out with --missing drop.",
    ". Leave it out": ". Leave it out with --drop",
    ", or leave the column out": ", or leave the column out with --drop",
}


def stdout_console() -> Console:
    """The console of stdout. Where it is no terminal, nothing is cut or wrapped."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    return console


@contextlib.contextmanager
def progress(what: str) -> Iterator[None]:
    """Say on stderr what goes on: on a terminal a spinner and its time, else a line if it is more than a second.

    Nothing may be printed on stdout meanwhile.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (SpinnerColumn(), TextColumn("{task.description} ..."), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            bar.add_task(what, total=None)
            yield
        return
    late = Timer(_PATIENCE, click.echo, [f"{what} ..."], {"err": True})
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()


def say(kind: str, text: str, colour: str) -> None:
    """One line on stderr; what the library advises in terms of Python is put in terms of options."""
    line = re.sub(r"\s*\n\s*", " ", as_options(text).strip())
    click.echo(f"{click.style(kind + ':', fg=colour, bold=True)} {line}", err=True)


def as_options(text: str) -> str:
    """Advice in terms of Python in terms of options."""
    for python, option in _OPTIONS.items():
        text = text.replace(python, option)
    return _GIVEN.sub(r"--\1 \2", text)


def printable(value: object) -> str:
    """A name or label as text that cannot move the cursor."""
    text = str(value)
    return text if text.isprintable() else repr(text)
