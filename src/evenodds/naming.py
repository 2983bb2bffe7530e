"""Names in words: which are meant, and which there are."""

import difflib
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from .exceptions import EvenOddsError


def known_column(name: object, known: Sequence[str], where: str = "") -> str:
    """The name of a column that there is, or one error that says which could have been meant.

    where : what has the columns, such as " in the model"
    """
    if not isinstance(name, str):
        raise EvenOddsError(f"A column is meant by its name, a text, not by a {type(name).__name__}.")
    if name not in known:
        raise EvenOddsError(f"There is no column {name!r}{where}. {nearest(name, known)}")
    return name


def nearest(name: str, known: Sequence[str], otherwise: str = "There are") -> str:
    """Which of the known names could have been meant; all of them where none is close."""
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    if close:
        return f"Did you mean {by_lower[close[0]]!r}?"
    return f"{otherwise} {listed_labels(known, 10)}." if known else "There is none."


def is_called(label: object, text: object) -> bool:
    """Whether a text, as a command or a file has it, means a label: "1" is 1.0, and "TRUE" is True."""
    if not isinstance(text, str):
        return False
    if isinstance(label, str) or str(label) == text:
        return str(label) == text
    if isinstance(label, bool):
        return str(label).lower() == text.lower()
    try:
        return bool(Decimal(text) == label if isinstance(label, int) else float(text) == label)
    except (InvalidOperation, ValueError):
        return False


def listed_labels(labels: Sequence[Any], most: int = 5) -> str:
    """Labels in words."""
    return ", ".join(map(repr, labels[:most])) + (f" and {len(labels) - most} more" if len(labels) > most else "")


def listed(names: Sequence[Any], most: int = 10) -> str:
    """Names in words: "column 'a'" or "columns 'a', 'b' and 3 more"."""
    shown = ", ".join(map(repr, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")
    return f"{'column' if len(names) == 1 else 'columns'} {shown}"
