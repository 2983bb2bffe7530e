"""Tables of a record: as a frame, as text, and as HTML in `display_html.py`. All are functions of the same record."""

import itertools
import math
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .terms import terms_of

if TYPE_CHECKING:
    from rich.text import Text

    from .record import Inference

_WIDTH = 100  # of text that goes into a file or a pipe
_LEAST_NAME = 12
REFERENCE = "reference"  # what is said of the level that others are compared with
_Z, _SE, _RATIO = 2, 1, 6  # columns of a table
# Whether decimal points stand below each other, and which columns are left out: the first that has room is taken.
_LAYOUTS = ((True, ()), (True, (_RATIO,)), (False, (_RATIO,)), (False, (_Z, _RATIO)), (False, (_SE, _Z, _RATIO)))
COVARIANCES = {
    "model": "inverse information",
    "HC0": "HC0, the plain sandwich",
    "HC1": "HC1, the sandwich times n/(n-k)",
    "HC2": "HC2, the sandwich over 1 - leverage",
    "HC3": "HC3, the sandwich over (1 - leverage)^2",
    "cluster": "the sandwich of clusters times G/(G-1)",
}
_WEIGHTS = {
    "sampling": "sampling, a row of weight s stands for s of the population and is one observation",
    "precision": "precision, rescaled to a mean of 1",
}


# What a table says


@dataclass(frozen=True)
class Row:
    """One coefficient: its numbers, or the words that stand for them; or, with neither, a class that others follow."""

    name: str
    cells: tuple[str, ...] = ()
    note: str | None = None


@dataclass(frozen=True)
class Sheet:
    """All that the text and the HTML say, in the order in which they say it."""

    title: str
    facts: list[tuple[str, str]]
    lines: list[str]
    headings: tuple[str, ...]
    rows: list[Row]
    remarks: list[str]


def sheet(result: "Inference", chosen: Container[int] | None = None) -> Sheet:
    """The numbers of a record as text. chosen : as in `lines`"""
    level = f"{100 * result.level:.10g}%"
    z = "LR z" if result.penalized_log_likelihood is not None and result.cov == "model" else "z"
    remarks = list(result.remarks)
    ratio = () if result.baseline is None else ("odds ratio",)
    if result.certificate is not None:
        remarks.append(sentence(str(result.certificate)))
    return Sheet(
        title_of(result),
        _facts(result),
        list(_lines(result)),
        ("coef", "se", z, "p", f"{level} lower", f"{level} upper", *ratio),
        list(_rows(result, chosen)),
        remarks,
    )


def title_of(result: "Inference") -> str:
    """What the fit is of."""
    model, problem = result.model, result.problem
    kind = "Logistic regression"
    if problem.firth:
        variant = f" ({str(model.firth).upper()})" if isinstance(model.firth, str) else ""
        kind = f"Firth's logistic regression{variant}"
    elif problem.penalised:
        kind = f"Ridge logistic regression (C={model.C:g}{', standardized' * bool(model.standardize)})"
    if problem.several:
        against = "symmetric" if result.baseline is None else f"each against {printable(result.baseline)}"
        kind = kind.replace("Logistic", "Multinomial logistic").replace("Ridge ", "Ridge multinomial ")
        return f"{kind} of {len(result.classes)} classes, {against}"
    return f"{kind} of {printable(result.classes[1])} against {printable(result.classes[0])}"


def _facts(result: "Inference") -> list[tuple[str, str]]:
    """How the model fits as a whole, without what does not exist."""
    intercept = int(bool(result.model.fit_intercept))
    others = len(result.classes) - 1
    free = [others * intercept, result.n_coef]
    degrees = [others * result.n_obs - k if result.has_likelihood else math.nan for k in free]
    null, residual = (f" on {df:.10g} df" if df == df else "" for df in degrees)
    pseudo = "pseudo-" if result.weights == "sampling" else ""
    facts: list[tuple[str, float | None, str, str]] = [
        ("observations", result.n_obs, ".10g", ""),
        (f"{pseudo}log-likelihood", result.log_likelihood, ".3f", ""),
        ("penalised log-likelihood", result.penalized_log_likelihood, ".3f", ""),
        ("null deviance", result.null_deviance, ".3f", null),
        ("residual deviance", result.deviance, ".3f", residual),
        ("AIC", result.aic, ".3f", ""),
        ("BIC", result.bic, ".3f", ""),
        ("McFadden R2", result.pseudo_r2["mcfadden"], ".4f", ""),
        ("Cox-Snell R2", result.pseudo_r2["cox_snell"], ".4f", ""),
        ("Nagelkerke R2", result.pseudo_r2["nagelkerke"], ".4f", ""),
        ("Tjur R2", result.pseudo_r2["tjur"], ".4f", ""),
    ]
    return [
        (name, f"{value:z{form}}{after}")  # z: no -0.000
        for name, value, form, after in facts
        if value is not None and not math.isnan(value)
    ]


def _lines(result: "Inference") -> Iterator[str]:
    if not math.isnan(result.likelihood_ratio.statistic):
        yield sentence(str(result.likelihood_ratio))
    elif result.problem.penalised:
        yield "AIC, BIC and a likelihood-ratio test do not exist for a ridge fit"
    yield f"Covariance: {_covariance(result)}"
    if result.weights in _WEIGHTS:
        yield f"Weights: {_WEIGHTS[result.weights]}"


def _covariance(result: "Inference") -> str:
    if result.cov == "model" and result.weights == "sampling":
        return "the sandwich times n/(n-1)"
    if result.cov == "model" and result.problem.penalised:
        return "the sandwich of the information by the penalised curvature"
    return COVARIANCES[result.cov]


@dataclass(frozen=True)
class Line:
    """A line of a table of coefficients. kind : "class", "reference" or "coef", of coefficient `place`"""

    name: str
    kind: str
    place: int = -1
    is_intercept: bool = False


def lines(result: "Inference", chosen: Container[int] | None = None) -> Iterator[Line]:
    """The coefficients, counted through all classes; of more than two classes under the name of each.

    chosen : the numbers of some, without the others
    """
    k, references = len(result.names), _references(result)
    for j in range(len(result.problem.keys)):
        if result.problem.several and j % k == 0:
            yield Line(printable(result.listed[j // k]), "class")
        if j % k in references:
            yield Line(printable(references[j % k]), "reference")
        if chosen is None or j in chosen:
            yield Line(printable(result.names[j % k]), "coef", j, j % k < int(bool(result.model.fit_intercept)))


def _rows(result: "Inference", chosen: Container[int] | None) -> Iterator[Row]:
    indent = "  " if result.problem.several else ""
    ratios = None if result.baseline is None else result.odds_ratio.ravel()
    for line in lines(result, chosen):
        if line.kind == "class":
            yield Row(line.name)
        elif line.kind == "reference":
            yield Row(indent + line.name, (), REFERENCE)
        else:
            ratio = [] if ratios is None else [float(ratios[line.place])]
            note = result.notes.get(result.problem.keys[line.place])
            yield _row(result, line.place, indent + line.name, note, ratio)


def _references(result: "Inference") -> dict[int, str]:
    """The reference of each factor that stands alone in a term, by the place of its first coefficient."""
    design = getattr(result.model, "design_", None)
    if design is None or len(result.names) != len(design.names) + bool(result.model.fit_intercept):
        return {}
    found = {}
    for name, places in terms_of(result).items():
        factor = design.reference_of(name)
        if factor is not None:
            found[places[0]] = factor
    return found


def _row(result: "Inference", j: int, name: str, note: str | None, ratio: list[float]) -> Row:
    """Coefficient j, counted through all classes. ratio : its odds ratio, if it has one"""
    coef, se = float(result.coef.flat[j]), float(result.se.flat[j])
    if note is not None:
        return Row(name, (), note)
    digits = digits_of(se if se > 0 else coef)
    if math.isnan(se):
        return Row(name, (), f"{number(coef, digits)}, without a standard error")
    cells = (
        number(coef, digits),
        number(se, digits),
        number(float(result.z.flat[j]), 3),
        p_cell(float(result.p_value.flat[j])),
        *(number(float(end), digits) for end in result.conf_int.reshape(-1, 2)[j]),
        *(number(factor, digits_of(factor)) for factor in ratio),
    )
    return Row(name, cells)


def sentence(words: str) -> str:
    """Words that begin with a capital."""
    return words[:1].upper() + words[1:]


# Numbers and names


def digits_of(size: float) -> int:
    """Decimals that show four significant digits of a number of this size."""
    if not math.isfinite(size) or size == 0:
        return 3
    return 3 - math.floor(math.log10(abs(size)))


def number(value: float, digits: int) -> str:
    """A number with so many decimals; with an exponent, where those would be too many."""
    if math.isnan(value):
        return ""
    if math.isfinite(value) and (digits > 7 or abs(value) >= 1e8):
        return f"{value:.3e}"
    return f"{value:.{max(digits, 0)}f}"


def p_cell(p: float) -> str:
    """A p-value with three significant digits."""
    if math.isnan(p):
        return ""
    return "<1e-16" if p < 1e-16 else f"{p:#.3g}"


def printable(value: object) -> str:
    """A name or label as text that cannot move the cursor, and is seen."""
    text = str(value)
    return text if text.isprintable() and text.strip() else repr(text)


def shortened(name: str, width: int) -> str:
    """A name that is too long loses its middle: the ends tell names apart."""
    if cells_of(name) <= width:
        return name
    head, tail = (width - 1) - (width - 1) // 2, (width - 1) // 2
    return f"{_prefix(name, head)}…{_prefix(name[::-1], tail)[::-1]}"


def cells_of(text: str) -> int:
    """The columns of a terminal that a text takes: a Chinese character two, a combining accent none."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def _prefix(text: str, width: int) -> str:
    while cells_of(text) > width:
        text = text[: min(width, len(text) - 1)]
    return text


# Text


def text(result: "Inference", width: int | None = None) -> str:
    """The table as plain text, at most `width` wide where that is possible."""
    return text_of(sheet(result), width)


def text_of(page: Sheet, width: int | None = None) -> str:
    """A table as plain text, at most `width` wide where that is possible."""
    return "\n".join(line for line, _ in _laid_out(page, width or _terminal_width()))


def rich(result: "Inference", width: int) -> "Iterator[Text]":
    """The lines of the text with their styles, for a console of rich."""
    return styled(sheet(result), width)


def styled(page: Sheet, width: int) -> "Iterator[Text]":
    """The lines of a page with their styles, for a console of rich."""
    from rich.text import Text

    for line, style in _laid_out(page, width):
        yield Text(line, style, overflow="fold")  # what has no room all the same is not cut off


def _terminal_width() -> int:
    terminal = sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns if terminal else _WIDTH


def _laid_out(page: Sheet, width: int) -> Iterator[tuple[str, str]]:
    """The lines, each with its style."""
    yield from ((line, "bold") for line in _wrapped(page.title, width))
    yield "", ""
    yield from ((line, "") for line in _in_two(page.facts, width))
    yield from ((line, "") for words in page.lines for line in _wrapped(words, width))
    if page.facts or page.lines:
        yield "", ""
    yield from _table(page, width)
    for remark in page.remarks:
        yield "", ""
        yield from ((line, "") for line in _wrapped(remark, width))


def _wrapped(words: str, width: int) -> list[str]:
    return textwrap.wrap(words, width, break_on_hyphens=False, break_long_words=False)


def _in_two(facts: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Facts in two columns, to be read down; in one where there is no room for two."""
    half = (len(facts) + 1) // 2
    left, right = _listed(facts[:half]), _listed(facts[half:])
    if not facts:
        return []
    room = max(map(len, left))
    both = [f"{one:{room}}    {two}".rstrip() for one, two in itertools.zip_longest(left, right, fillvalue="")]
    return both if max(map(len, both)) <= width else _listed(facts)


def _listed(facts: Sequence[tuple[str, str]]) -> list[str]:
    """Names and values, one below the other, the values by their decimal point."""
    whole = [re.split(r"[. ]", value)[0] for _, value in facts]
    room = max((len(name) for name, _ in facts), default=0)
    before = max(map(len, whole), default=0)
    return [
        f"{sentence(name):{room}}  {' ' * (before - len(digits))}{value}"
        for (name, value), digits in zip(facts, whole, strict=True)
    ]


def room_for(page: Sheet) -> int:
    """The width that the table of a page takes if nothing of it is left out."""
    return max((cells_of(row.name) for row in page.rows), default=0) + _total(_columns(page, True))


def _table(page: Sheet, width: int) -> Iterator[tuple[str, str]]:
    """The coefficients. Where there is little room, odds ratios go first, then names' middles and decimal points.

    Of what is left, z and at last se are the next that the other columns can spare.
    """
    need = max((cells_of(row.name) for row in page.rows if row.cells or row.note), default=0)
    for aligned, without in _LAYOUTS:
        columns = [column for k, column in enumerate(_columns(page, aligned)) if k not in without]
        if (min(need, _LEAST_NAME) if without else need) + _total(columns) <= width:
            break
    room = min(need, max(width - _total(columns), _LEAST_NAME))
    body = iter(zip(*(column[1:] for column in columns), strict=True))
    if columns:
        yield " " * room + "".join(f"  {column[0]}" for column in columns), "bold"
    for row in page.rows:
        name = shortened(row.name, room)
        name += " " * (room - cells_of(name))
        if row.cells:
            yield (name + "".join(f"  {cell}" for cell in next(body))).rstrip(), ""
        elif row.note is None:
            yield shortened(row.name, width), "bold"
        else:
            yield f"{name}  {row.note}", "dim" if row.note == REFERENCE else "yellow"


def _total(columns: Sequence[Sequence[str]]) -> int:
    return sum(2 + len(column[0]) for column in columns)


def _columns(page: Sheet, aligned: bool) -> list[list[str]]:
    """Headings with their numbers, padded so that decimal points stand below each other; none without numbers."""
    table = [row.cells for row in page.rows if row.cells]
    return [_column(heading, cells, aligned) for heading, *cells in zip(page.headings, *table, strict=True) if cells]


def _column(heading: str, cells: Sequence[str], aligned: bool) -> list[str]:
    after = max(len(decimals(cell)) for cell in cells) if aligned else 0
    cells = [cell + " " * (after - len(decimals(cell))) for cell in cells]
    room = max(map(len, [heading, *cells]))
    return [f"{cell:>{room}}" for cell in (heading, *cells)]


def decimals(cell: str) -> str:
    """The decimal point and what follows."""
    return cell[cell.index(".") :] if "." in cell else ""
