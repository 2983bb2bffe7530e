"""The command that opens the textbook. It needs nothing of what the others load, which takes them a second."""

import sys

import rich_click as click

from .terminal import say

HELP = {"text_paragraph_linebreaks": "\n\n", "padding_helptext_first_line": (0, 0, 1, 0), "style_helptext": ""}


@click.command(context_settings={"rich_help_config": HELP})
@click.argument("chapter", required=False, default="sigmoid", help="Where to begin; see below.")
@click.option("--no-browser", is_flag=True, help="Only say the address.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="NUMBER", help="The port; a free one if not given."
)
def learn(chapter: str, no_browser: bool, port: int) -> None:
    """See it learn: the interactive textbook, in the browser.

    The page shows the code of scratch.py while it runs, with its values; nothing leaves this computer. Chapters:
    sigmoid, hypothesis, loss, descent, boundary, normalise, batches, measure, engine, own.

    \b
    evenodds learn
    evenodds learn descent
    """
    from ..learn import CHAPTERS, run

    if chapter not in CHAPTERS:
        raise click.UsageError(f"There is no chapter {chapter!r}. There are {', '.join(CHAPTERS)}.")
    try:
        run(chapter, port, not no_browser, lambda text: click.echo(text, err=True))
    except OSError as error:
        say("Error", str(error), "red")
        sys.exit(1)
