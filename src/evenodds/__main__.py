"""`python -m evenodds` is the command `evenodds`."""

from .cli import main

main()
