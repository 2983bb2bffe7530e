"""The command line: tables from files into the estimator, and what it found onto the terminal or into files.

Results go to stdout and all the rest to stderr. The exit status is 0 for success, 1 for a problem in the data or
the model (one line says which) and 2 for wrong usage. A table's format is its file's extension.
"""

from .commands import main

__all__ = ["main"]
