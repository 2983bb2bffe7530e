"""`evenodds learn`: the interactive textbook. A page in the browser, and Python that learns with the code it shows."""

import webbrowser
from collections.abc import Callable

from .server import open_port

CHAPTERS = (
    *("sigmoid", "hypothesis", "loss", "descent", "boundary", "normalise", "batches", "measure"),
    *("engine", "own"),
)


def run(chapter: str, port: int, browser: bool, say: Callable[[str], object]) -> None:
    """Serve the page until Ctrl-C.

    Parameters
    ----------
    chapter : str
        One of `CHAPTERS`, which is opened.
    port : int
        0 takes a free one.
    browser : bool
        Open the page in the browser.
    say : callable (str)
        Where the address and the end are told.

    Raises
    ------
    OSError
        If the port cannot be used.
    """
    with open_port(port) as server:
        address = f"{server.origin}/#chapter={chapter}&token={server.token}"
        say(f"The textbook is at {address}")
        say("Stop with Ctrl-C.")
        if browser and not webbrowser.open(address):
            say("No browser could be opened: copy the address into one on this computer.")
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            say("Stopped.")


__all__ = ["CHAPTERS", "run"]
