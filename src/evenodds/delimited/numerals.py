"""Numbers as they are written: decimal points or commas, groups of thousands, units; which of them, by all cells.

A column of text is a column of numbers if all of its cells are numbers in one way of writing. Where they are in both,
as "1,234" is, the other columns of the file decide, or else its user.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..arrays import Mask

_SIGN, _POWER = r"[+-]?", r"([eE][+-]?\d+)?"
_SPACES = " \u00a0\u202f\u2009"  # a space, and those at which no line breaks
_UNITS = "%€$£¥"
# What accountants write for numbers below zero.
_BELOW = (
    (rf"^([{_UNITS}]?)[(]([{_UNITS}]?[ ]?[\d.,][^()]*)[)]$", r"-\1\2"),
    (rf"^([\d.,][\d.,'’{_SPACES}]*)-$", r"-\1"),
)


def _pattern(decimal: str, group: str) -> str:
    """A number with this decimal sign, and these signs between groups of thousands."""
    plain = rf"(\d+{decimal}?\d*|{decimal}\d+){_POWER}"
    parts = "|".join(rf"[1-9]\d{{0,2}}({sign}\d{{3}})+" for sign in (group, f"[{_SPACES}]", "['’]"))
    lakhs = rf"[1-9]\d?({group}\d{{2}})+{group}\d{{3}}"
    return rf"^{_SIGN}({plain}|({parts}|{lakhs})({decimal}\d*)?|(?i:inf|infinity))$"


PATTERNS = {".": _pattern(r"\.", ","), ",": _pattern(",", r"\.")}


@dataclass(frozen=True)
class Written:
    """Distinct texts of a column, and how each of them can be read as a number.

    texts : without spaces around them, and without the unit that all of them have
    unit : this unit, or ""
    below : whether some are below zero as accountants write them, (1,200) or 1,200-
    readable : by each decimal sign, which of the texts are numbers
    """

    texts: Any
    unit: str
    below: bool
    readable: dict[str, Mask]

    @property
    def by_either(self) -> Mask:
        """Which of the texts are numbers, in one way or the other."""
        return self.readable["."] | self.readable[","]

    def ways(self) -> list[str]:
        """The decimal signs by which all texts are numbers; one alone, where both read the same."""
        ways = [sign for sign, mask in self.readable.items() if mask.all()]
        if len(ways) == 2 and not _any(pc.match_substring_regex(self.texts, r"[.,]")):
            return [""]
        return ways

    def plain(self, decimal: str) -> Any:
        """The texts with decimal points and nothing between thousands; "1e+5" loses its plus, which changes nothing."""
        group = "." if decimal == "," else ","
        return pc.replace_substring(pc.replace_substring_regex(self.texts, rf"[{_SPACES}'’+{group}]", ""), ",", ".")

    def numbers(self, decimal: str) -> Any:
        """The texts as numbers of Arrow: whole ones, where all are."""
        texts = self.plain(decimal)
        try:
            return pc.cast(texts, pa.int64())
        except pa.ArrowInvalid:
            return pc.cast(texts, pa.float64())


def written(texts: pa.Array) -> Written:
    """How distinct texts, without spaces around them, can be read."""
    texts = pc.replace_substring(texts, "−", "-")
    below = False
    for pattern, usual in _BELOW:
        found = pc.match_substring_regex(texts, pattern)
        if _any(found) and not pc.all(found).as_py():  # "(1)" in all rows is a label
            texts, below = pc.replace_substring_regex(texts, pattern, usual), True
    unit = ""
    for sign in _UNITS:
        quoted = f"[{sign}]"
        after, before = rf"\d[{_SPACES}]?{quoted}$", rf"^[+-]?{quoted}[{_SPACES}]?[+-]?[\d.,]"
        for pattern, cut in ((after, rf"[{_SPACES}]?{quoted}$"), (before, rf"{quoted}[{_SPACES}]?")):
            if len(texts) and not unit and pc.all(pc.match_substring_regex(texts, pattern)).as_py():
                texts, unit = pc.replace_substring_regex(texts, cut, ""), sign
    readable = {sign: _mask(pc.match_substring_regex(texts, pattern)) for sign, pattern in PATTERNS.items()}
    return Written(texts, unit, below, readable)


def _mask(array: pa.Array) -> Mask:
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=bool)


def _any(array: object) -> bool:
    return bool(pc.any(array).as_py())
