"""What each column shows by itself: values that mean something else than they say, or nothing.

A column whose finding says that it is no number and no factor as it stands takes no part in what columns show together.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..design import Column
from ..naming import listed_labels
from .record import Finding, in_formula

FEW = 20  # different values, of which a text column may have any number of rows
_PER_LEVEL = 20  # rows a level, below which a factor has many levels
_NEARLY_ALL = 0.95  # of the rows have another value; of as many draws from twice as many only 0.79 would
_MOSTLY = 0.9  # of the different values are of one form
_ABSENT = frozenset(
    ["", "?", "-", "--", ".", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "missing", "unknown", "not available"]
)
_NINES = re.compile(r"-?9{2,}(\.0)?|-?9+\.9+")
_DATE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})|\d{1,2}[- ][A-Za-z]{3}[- ]\d{2,4})"
    r"([T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?"
)
_NUMBER = re.compile(
    r"[-+]?[$€£]?\s?((\d+|\d{1,3}([., '\u00a0])\d{3}(\3\d{3})*)([.,]\d+)?|[.,]\d+)([eE][-+]?\d+)?\s?[%$€£]?"
)
_MEASURED = re.compile(rf"(?:{_NUMBER.pattern})(\s+[^\W\d_]{{1,12}}|[^\W\d_]{{2,12}})\.?")
_CODE = re.compile(r"0\d+")  # such as a postcode
_ID_NAME = re.compile(r"(^|[_ .-])(id|uuid|guid|key|index|rownumber|row|nr|no)$|[a-z](Id|ID)$", re.ASCII)
_UNTOLD = ' or fit with missing="drop" or missing="indicator".'


def is_factor(column: Column) -> bool:
    """Whether a model makes a factor of it."""
    return column.categorical or column.kind in ("text", "boolean")


def of_column(column: Column, n_rows: int) -> Iterator[Finding]:
    """The findings of one column."""
    name, there = column.name, ~column.missing
    count = int(np.count_nonzero(there))
    if count == 0:
        yield Finding("constant", (name,), f"{name!r} has no value in any row.", "Leave it out.")
        return
    if count < n_rows:
        yield _missing(name, n_rows - count, n_rows)
    if column.kind == "date":
        yield Finding(
            "date", (name,), f"{name!r} holds dates.", f"Name parts in a formula, {_parts(name)}, or leave it out."
        )
    elif is_factor(column):
        yield from _of_factor(column, count)
    else:
        yield from _of_numbers(name, column.numbers()[there])


def of_index(name: str) -> Finding:
    """Of a column that only says where rows stood."""
    what = f"{name!r} looks like the index of a data frame that was saved as a column."
    return Finding("identifier", (name,), what, "Leave it out, as fit does.")


def stays(column: Column, findings: Sequence[Finding]) -> bool:
    """Whether a column with these findings is a number or a factor as it stands."""
    gone = {"constant", "date", "date as text", "number as text", "identifier", "infinity"}
    mostly = np.count_nonzero(column.missing) > column.missing.size / 2
    return not mostly and not any(one.kind in gone for one in findings)


def _missing(name: str, count: int, n_rows: int) -> Finding:
    advice = "Leave it out, or" if count > n_rows / 2 else "Fill it in,"
    fit = ' fit with missing="indicator".' if count > n_rows / 2 else _UNTOLD
    what = f"{name!r} has no value in {count:,} of {n_rows:,} rows ({100 * count / n_rows:.2g}%)."
    return Finding("missing", (name,), what, advice + fit)


def _parts(name: str) -> str:
    return f"such as month({in_formula(name)}) + weekday({in_formula(name)})"


def _of_factor(column: Column, count: int) -> Iterator[Finding]:
    """Of text, categoricals and booleans, whose levels are few or say what they are."""
    name, levels = column.name, column.levels()
    words = [level for level in levels if isinstance(level, str)]
    absent = [word for word in words if word.strip().lower() in _ABSENT]
    if absent:
        rows = int(np.count_nonzero(column.codes(absent) >= 0))
        what = f"{name!r} holds {listed_labels(absent)} in {rows:,} rows, which may stand for a missing value."
        yield Finding("sentinel", (name,), what, "Make missing values of them, and" + _UNTOLD.removeprefix(" or"))
    forms = [word.strip() for word in words if word not in absent]
    yield from of_spellings(name, words, "level")
    if len(levels) == 1:
        yield Finding("constant", (name,), f"{name!r} is {levels[0]!r} in all rows.", "Leave it out.")
    elif forms and _share(_DATE, forms) >= _MOSTLY:
        advice = f"Read it as dates and name parts in a formula, {_parts(name)}, or leave it out."
        yield Finding("date as text", (name,), f"{name!r} holds dates as text, such as {forms[0]!r}.", advice)
    elif forms and _share(_NUMBER, forms) >= _MOSTLY and not any(_CODE.fullmatch(form) for form in forms):
        others = [form for form in forms if not _NUMBER.fullmatch(form)]
        but = f", but for {listed_labels(others)}" if others else ""
        what = f"{name!r} holds numbers as text, such as {forms[0]!r}{but}: each of {len(levels):,} would be a level."
        yield Finding("number as text", (name,), what, "Make numbers of it, unless they are codes of something.")
    elif forms and len(levels) > 2 and (unit := _unit_of(forms)):
        what = f"{name!r} holds numbers with a unit, such as {forms[0]!r}: each of {len(levels):,} would be a level."
        yield Finding("number as text", (name,), what, f"Make numbers of it, without {unit!r}.")
    elif len(levels) > max(FEW, count / 2):
        what = f"{name!r} has {len(levels):,} different values in {count:,} rows, such as {levels[0]!r}: it tells rows "
        yield Finding("identifier", (name,), what + "apart, as a name or a number of a case does.", "Leave it out.")
    elif len(levels) > max(FEW, count / _PER_LEVEL):
        what = f"{name!r} has {len(levels):,} levels, with {count / len(levels):.2g} rows each on average."
        yield Finding("high cardinality", (name,), what, "Put rare levels together, or add a ridge (C=1).")


def of_spellings(name: str, words: Sequence[str], what: str) -> Iterator[Finding]:
    """Of levels or labels that differ in capitals and spaces alone."""
    ways: dict[str, list[str]] = {}
    for word in words:
        ways.setdefault(" ".join(word.casefold().split()), []).append(word)
    several = [some for some in ways.values() if len(some) > 1]
    if several:
        same = f"{name!r} has {len(several):,} {what}{'s' * (len(several) > 1)} in more than one spelling, such as "
        yield Finding("spelling", (name,), same + f"{listed_labels(several[0])}.", "Make one of them, if they are one.")


def _unit_of(forms: Sequence[str]) -> str:
    """The unit that nearly all numbers have, if they have the same."""
    measured = [found for form in forms if (found := _MEASURED.fullmatch(form))]
    units = {found.groups()[-1].strip().casefold() for found in measured}
    return units.pop() if len(units) == 1 and len(measured) >= _MOSTLY * len(forms) else ""


def _share(form: re.Pattern[str], texts: Sequence[str]) -> float:
    return sum(form.fullmatch(text) is not None for text in texts) / len(texts)


def _of_numbers(name: str, values: NDArray[np.float64]) -> Iterator[Finding]:
    """Of the numbers that are there."""
    infinite = int(np.count_nonzero(np.isinf(values)))
    if infinite:
        what = f"{name!r} is infinite in {infinite:,} row{'s' * (infinite > 1)}."
        yield Finding("infinity", (name,), what, "Find where it was divided by zero, or leave such rows out.")
        return
    distinct, counts = np.unique(values, return_counts=True)
    if distinct.size == 1:
        yield Finding("constant", (name,), f"{name!r} is {distinct[0]:g} in all rows.", "Leave it out.")
        return
    codes = [k for k in (0, -1) if _stands_for_nothing(distinct, counts, k)]
    for k in codes:
        what = f"{name!r} is {distinct[k]:.15g} in {counts[k]:,} rows and far from it in all others: it may stand for "
        advice = "Make missing values of them, and" + _UNTOLD.removeprefix(" or")
        yield Finding("sentinel", (name,), what + "a missing value.", advice)
    if not codes and _tells_rows_apart(name, values, distinct):
        what = f"{name!r} is another whole number in each row, or nearly, as a number of a case is."
        yield Finding("identifier", (name,), what, "Leave it out.")


def _stands_for_nothing(distinct: NDArray[np.float64], counts: NDArray[np.intp], k: int) -> bool:
    """Whether the least or the largest value is all nines and apart from the rest."""
    value = distinct[k]
    rest = distinct[1:] if k == 0 else distinct[:-1]
    if not _NINES.fullmatch(f"{value:.15g}"):
        return False
    gap, spread = abs(value - rest[k]), rest[-1] - rest[0]
    if value < 0 <= rest[0]:
        return True
    return bool(gap > (3 if counts[k] == 1 else 0.5) * spread and (gap > 1 or rest.size > 1))


def _tells_rows_apart(name: str, values: NDArray[np.float64], distinct: NDArray[np.float64]) -> bool:
    """Whole numbers, hardly one twice, that are close together, sorted, or called so."""
    if distinct.size < max(FEW + 1, _NEARLY_ALL * values.size) or (distinct % 1).any():
        return False
    rising = bool((np.diff(values) > 0).all())
    return rising or bool(distinct[-1] - distinct[0] < 2 * values.size or _ID_NAME.search(name))
