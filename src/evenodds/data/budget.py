"""What users say of a scan, checked: its columns, how much memory rows may take, and where they go beyond."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..exceptions import EvenOddsError, texts_of

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def bytes_of(memory: object) -> int:
    """A number of bytes, of text such as "500MB"."""
    if isinstance(memory, int | float | np.number) and not isinstance(memory, bool) and 0 < memory < np.inf:
        return max(1, int(memory))
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([A-Za-z]*)\s*", memory) if isinstance(memory, str) else None
    if found is None or found[2].upper() not in _UNITS or not float(found[1]) > 0:
        raise EvenOddsError(f'memory is a number of bytes, or a text such as "500MB" or "2GB", got {memory!r}.')
    return max(1, int(float(found[1]) * _UNITS[found[2].upper()]))


def said(size: float) -> str:
    """Bytes in words."""
    for unit in ("TB", "GB", "MB", "KB"):
        if size >= _UNITS[unit]:
            return f"{size / _UNITS[unit]:.3g} {unit}"
    return f"{size:.0f} B"


def folder_of(spill: object) -> bool | str:
    """Whether rows go to a file, or the folder for it."""
    if isinstance(spill, bool):
        return spill
    if not isinstance(spill, str | Path) or not Path(spill).is_dir():
        raise EvenOddsError(f"spill is False, True or a folder that exists, got {spill!r}.")
    return str(spill)


def names_of(columns: Sequence[str]) -> tuple[str, ...]:
    """Columns that are read, each once."""
    names = (columns,) if isinstance(columns, str) else tuple(texts_of("columns", columns))
    twice = [name for k, name in enumerate(names) if name in names[:k]]
    if twice:
        raise EvenOddsError(f"columns has {twice[0]!r} twice.")
    return names
