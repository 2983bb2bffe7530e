"""The command line: tables from files into the estimator, and what it found onto the terminal or into files.

Results go to stdout and all the rest to stderr. The exit status is 0 for success, 1 for a problem in the data or
the model (one line says which), 2 for wrong usage and 130 after Ctrl-C. A table's format is its file's extension.
"""

import sys
from collections.abc import Sequence
from typing import NoReturn


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status.

    Parameters
    ----------
    args : sequence of str, optional
        The arguments; those of the process by default.
    """
    try:
        words = sys.argv[1:] if args is None else list(args)
        if words[:1] == ["learn"]:
            from .lesson import learn

            learn(words[1:], prog_name="evenodds learn")
        from .commands import run  # here, as what it loads takes a second, in which Ctrl-C may come

        run(args)
    except KeyboardInterrupt:
        end_of_interrupt()


def end_of_interrupt() -> NoReturn:
    """Say it in one line, and exit as a shell has it: 128 and the number of the signal."""
    print("Interrupted.", file=sys.stderr)
    sys.exit(130)


__all__ = ["main"]
