"""What a user can say of a delimited file, and what is said where nobody has."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..exceptions import EvenOddsError

# What stands for a missing value; an empty cell always does.
MISSING_TEXTS = (
    *("NA", "N/A", "n/a", "na", "#N/A", "#NA", "<NA>", "NULL", "null", "Null", "NaN", "nan", "NAN", "-nan", "-NaN"),
    *("?", "-", "--", "–", "—", ".", "..", "\\N", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "1.#QNAN", "1.#IND"),
)
NO_HEADER = "If the first line is a row and not the names of the columns, say so with --no-header."
_NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


@dataclass(frozen=True)
class Habit:
    """How an earlier file of the same kind was written: it decides where a file does not by itself.

    encoding, separator, decimal : as in `Spelling`; the separator is a character
    dates : the order of day, month and year, by column
    missing_text, text, no_header : as they were given
    names : columns that a file of the kind has
    """

    encoding: str | None = None
    separator: str | None = None
    decimal: str | None = None
    dates: Mapping[str, str] = field(default_factory=dict)
    missing_text: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    no_header: bool = False
    names: frozenset[str] = frozenset()

    def record(self) -> dict[str, Any]:
        """What is kept in a model file: all but the names, which a model knows."""
        return {name: value for name, value in asdict(self).items() if name != "names"}

    @classmethod
    def of(cls, record: Mapping[str, Any], names: frozenset[str]) -> "Habit":
        """The habit of a record."""
        lists = {name: tuple(record[name]) for name in ("missing_text", "text")}
        return cls(**{**record, **lists}, names=names)


@dataclass(frozen=True)
class Spelling:
    """How a file is written, as far as its user says so.

    encoding : the name of its encoding
    separator : the character between cells, or its name
    decimal : "." or ",", the sign before decimals; the other one then groups thousands
    dates : the order of day, month and year: "dmy", "mdy" or "ymd"
    missing_text : texts that stand for missing values, beside the usual ones
    text : columns that are text as it is written: "01", "NA" and "-" are values in them
    no_header : whether the first line is a row, so that the columns get the names column_1, column_2, ...
    levels : values of text columns that are known to be none that stand for missing ones
    habit : of earlier files of the kind
    """

    encoding: str | None = None
    separator: str | None = None
    decimal: str | None = None
    dates: str | None = None
    missing_text: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    no_header: bool = False
    levels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    habit: Habit = field(default_factory=Habit)

    def __post_init__(self) -> None:
        if self.decimal not in (None, ".", ","):
            raise EvenOddsError(f"--decimal is . or , and not {self.decimal!r}.")
        if self.separator is not None and (len(self.character) != 1 or self.character in '"\r\n\0' or self.two_bytes):
            raise EvenOddsError(
                f"--separator is one character, such as ; or |, or one of {', '.join(_NAMED)}; not {self.separator!r}."
            )

    @property
    def character(self) -> str:
        """The separator; empty if none is given."""
        return "" if self.separator is None else _NAMED.get(self.separator, self.separator)

    @property
    def two_bytes(self) -> bool:
        """Whether the separator is a character that the parser cannot take."""
        return not self.character.isascii()

    @property
    def markers(self) -> tuple[str, ...]:
        """All texts that stand for missing values."""
        return ("", *MISSING_TEXTS, *self.absent)

    @property
    def absent(self) -> tuple[str, ...]:
        """Those of them that its user has named, now or before."""
        return tuple(dict.fromkeys((*self.missing_text, *self.habit.missing_text)))

    @property
    def as_written(self) -> tuple[str, ...]:
        """The columns that are text as it is written, now or before."""
        return tuple(dict.fromkeys((*self.text, *self.habit.text)))


def option(name: str, value: str) -> str:
    """An option as it is typed in a shell."""
    if value.isprintable():
        return f"{name} {shlex.quote(value)}"
    escaped = value.encode("unicode_escape").decode().replace("'", "\\'")
    return f"{name} $'{escaped}'"


def shown(text: str, most: int = 40) -> str:
    """A text that was found, quoted and not too long."""
    return repr(text if len(text) <= most else text[: most - 1] + "…")
