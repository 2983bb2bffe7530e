"""Tables for a paper: one fit, or several side by side, as one intermediate table that LaTeX, HTML and Markdown read.

Rows are those of the printed table (`display.lines`). Of several fits they are united by name: what a fit has that
those before it have not is put behind the row that it follows there, so that the levels of a factor stay together.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..exceptions import EvenOddsError, require_flags, require_text, texts_of
from . import writers
from .display import COVARIANCES, Line, lines, number, printable, sentence, title_of

if TYPE_CHECKING:
    from .record import Inference

NO_NUMBER = "—"
_MOST = 12  # decimals
_SMALL = 1e-4  # from which on numbers have an exponent
_STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
_STAR_NOTE = "* p < 0.05, ** p < 0.01, *** p < 0.001"
Key = tuple[str, str, int]  # the class, the name, and which of the rows with these it is


@dataclass(frozen=True)
class PublishedRow:
    """A line of the table. kind : "class" (a heading of those that follow), "coef" or "foot"; cells : (columns,)"""

    name: str
    cells: tuple[str, ...]
    kind: str = "coef"


@dataclass(frozen=True)
class PublishedTable:
    """A table as it is published, whatever it is written in.

    Attributes
    ----------
    title : str
    groups : tuple of (str, int)
        Of several fits the name of each, and how many columns it has; empty for one.
    headings : tuple of str
        Of the columns behind the first.
    rows, foot : tuple of PublishedRow
    notes : tuple of str
    """

    title: str
    groups: tuple[tuple[str, int], ...]
    headings: tuple[str, ...]
    rows: tuple[PublishedRow, ...]
    foot: tuple[PublishedRow, ...]
    notes: tuple[str, ...]

    def to_latex(self, *, caption: str | None = None, label: str | None = None) -> str:
        """The table in LaTeX, with the rules of the package booktabs.

        Names in Latin and Greek letters are for any LaTeX; others, and emoji, for LuaLaTeX with a font that has them.

        Parameters
        ----------
        caption, label : str, optional
            With either the tabular stands in a table. The caption is text: what LaTeX would read as commands is
            escaped.

        Returns
        -------
        str
        """
        require_text(caption=caption, label=label)
        return writers.latex(self, caption, label)

    def to_html(self, *, caption: str | None = None) -> str:
        """The table in HTML, without a style of its own.

        Parameters
        ----------
        caption : str, optional
            By default what the fit is of.

        Returns
        -------
        str
        """
        require_text(caption=caption)
        return writers.html(self, caption)

    def to_markdown(self) -> str:
        """The table in Markdown, as GitHub and pandoc read it.

        Returns
        -------
        str
        """
        return writers.markdown(self)

    def __str__(self) -> str:
        return self.to_markdown()

    def _repr_html_(self) -> str:
        return self.to_html()


@dataclass(frozen=True)
class Style:
    """How numbers are shown. digits : decimals of numbers below 10, at least"""

    odds_ratio: bool = True
    intercept: bool = True
    stars: bool = False
    digits: int = 2

    def __post_init__(self) -> None:
        require_flags(odds_ratio=self.odds_ratio, intercept=self.intercept, stars=self.stars)
        if isinstance(self.digits, bool) or not isinstance(self.digits, int) or not 0 <= self.digits <= 7:
            raise EvenOddsError(f"digits is an integer from 0 to 7, got {self.digits!r}.")


def compare_table(
    results: Sequence[Inference],
    names: Sequence[str] | None = None,
    *,
    odds_ratio: bool = True,
    intercept: bool = True,
    stars: bool = False,
    digits: int = 2,
) -> PublishedTable:
    """Several fits side by side, for a paper.

    Parameters
    ----------
    results : sequence of Inference
        What `infer` returned, of any rows and columns; those of one name share a row.
    names : sequence of str, optional
        Of the fits; by default (1), (2), ...
    odds_ratio : bool, default=True
        Odds ratios; False: coefficients.
    intercept : bool, default=True
        Whether the intercept has a row.
    stars : bool, default=False
        Mark estimates with p below 0.05, 0.01 and 0.001.
    digits : int, default=2
        Decimals of numbers below 10, at least; more where an interval is narrow.

    Returns
    -------
    PublishedTable
        With ``to_latex()``, ``to_html()`` and ``to_markdown()``; printed, it is Markdown.

    Raises
    ------
    EvenOddsError
        If these are no results of `infer`, or not as many names as results.

    Examples
    --------
    >>> import pandas as pd
    >>> from evenodds import compare_table, fit_table, infer
    >>> frame = pd.DataFrame({"late": [0, 1, 0, 1, 1, 0, 0, 1], "wind": [1, 3, 2, 2, 5, 1, 3, 4], "rain": [0, 1] * 4})
    >>> fits = [infer(fit_table(f"late ~ {right}", frame, firth=True), frame) for right in ("wind", "wind + rain")]
    >>> print(compare_table(fits, ["wind", "both"], intercept=False).to_latex())
    \\begin{tabular}{lrcrrcr}
    \\toprule
     & \\multicolumn{3}{c}{wind} & \\multicolumn{3}{c}{both} \\\\
    ...
    """
    from .record import Inference

    given: list[object] = [results]
    if isinstance(results, Iterable):
        with suppress(TypeError):  # an array without an axis says that it can be walked
            given = list(results)
    fits = [one for one in given if isinstance(one, Inference)]
    if not fits or len(fits) < len(given):
        wrong = next((type(one).__name__ for one in given if not isinstance(one, Inference)), "nothing")
        raise EvenOddsError(f"compare_table takes what infer returned, such as [infer(...), infer(...)]: got {wrong}.")
    shown = [f"({k + 1})" for k in range(len(fits))] if names is None else texts_of("names", names)
    if len(shown) != len(fits):
        raise EvenOddsError(f"There are {len(fits)} fits but {len(shown)} names.")
    return tabled(fits, [printable(name) for name in shown], Style(odds_ratio, intercept, stars, digits))


def published(result: Inference, style: Style) -> PublishedTable:
    """The table of one fit."""
    return tabled([result], [], style)


def tabled(fits: Sequence[Inference], names: Sequence[str], style: Style) -> PublishedTable:
    """The table of some fits; of one without a name."""
    columns = [Column(fit, style) for fit in fits]
    headings = [heading for column in columns for heading in column.headings]
    several = any(fit.problem.several for fit in fits)
    rows, section = [], ""
    for key in _united([list(column.cells) for column in columns]):
        if several and key[0] != section:
            section = key[0]
            rows.append(PublishedRow(section, ("",) * len(headings), "class"))
        rows.append(PublishedRow(key[1], tuple(cell for column in columns for cell in column.cells_of(key))))
    groups = tuple((name, len(column.headings)) for name, column in zip(names, columns, strict=bool(names)))
    titles = list(dict.fromkeys(title_of(fit) for fit in fits))
    notes = dict.fromkeys(note for column in columns for note in column.notes())
    title = titles[0] if len(titles) == 1 else "Logistic regressions"
    if len(titles) > 1:
        own = [f"{name}: {title_of(fit)}." for name, fit in zip(names, fits, strict=True)]
        notes = dict.fromkeys([*own, *notes])
    return PublishedTable(title, groups, tuple(headings), tuple(rows), tuple(_foot(columns)), tuple(notes))


def _united(orders: Sequence[Sequence[Key]]) -> list[Key]:
    """All keys in one order: each new one behind the one that it follows in its own; a class after another."""
    sections = list(dict.fromkeys(key[0] for order in orders for key in order))
    found: list[Key] = []
    for section in sections:
        mine: list[Key] = []
        for order in orders:
            at = 0
            for key in (key for key in order if key[0] == section):
                if key not in mine:
                    mine.insert(at, key)
                at = mine.index(key) + 1
        found += mine
    return found


class Column:
    """The columns of one fit. cells : by class and name of the row

    chosen : as in `lines` of a printed table
    """

    def __init__(self, result: Inference, style: Style, chosen: Container[int] | None = None) -> None:
        self._result, self._style, self._chosen = result, style, chosen
        self._ratio = style.odds_ratio
        what = "coef" if not self._ratio else "factor" if result.baseline is None else "odds ratio"
        self.headings = (what, f"{100 * result.level:.10g}% interval", "p")
        self.cells: dict[Key, tuple[str, ...]] = {}
        self._has_infinite = False
        section = printable(result.listed[-1])
        seen: Counter[tuple[str, str]] = Counter()
        for line, cells in self.lines():
            if line.kind == "class":
                section = line.name
            elif style.intercept or not line.is_intercept:
                self.cells[section, line.name, seen[section, line.name]] = cells
                seen[section, line.name] += 1

    def lines(self) -> Iterator[tuple[Line, tuple[str, ...]]]:
        """Each line of the printed table with its numbers."""
        for line in lines(self._result, self._chosen):
            yield line, self._reference() if line.kind == "reference" else self._of(line.place)

    def cells_of(self, key: Key) -> tuple[str, ...]:
        """The numbers in a row; nothing, where this fit has no such row."""
        return self.cells.get(key, ("",) * len(self.headings))

    def _reference(self) -> tuple[str, ...]:
        return ("1" if self._ratio else "0", "reference", "")

    def _of(self, j: int) -> tuple[str, ...]:
        if j < 0:
            return ()
        result = self._result
        coef, p = float(result.coef.flat[j]), float(result.p_value.flat[j])
        low, high = map(float, result.conf_int.reshape(-1, 2)[j])
        note = result.notes.get(result.problem.keys[j], "")
        if note.startswith("aliased"):
            return (NO_NUMBER, "aliased", "")
        value, low, high = (_exp(end) if self._ratio else end for end in (coef, low, high))
        if math.isinf(coef) or math.isnan(coef):
            self._has_infinite = True
            return (
                "∞" if coef == math.inf else NO_NUMBER if math.isnan(coef) else "0" if self._ratio else "-∞",
                "",
                "",
            )
        digits, reach = self._style.digits, [_needed(abs(end - value)) for end in (low, high)]
        own = [_needed(one) if self._ratio else 0 for one in (value, low, high)]  # of a ratio the size counts as well
        stars = next((sign for limit, sign in _STARS if p < limit), "") if self._style.stars else ""
        ends = [_number(end, digits, max(pair)) for end, *pair in zip((low, high), reach, own[1:], strict=True)]
        interval = " to ".join(ends) if all(ends) else ""
        return (_number(value, digits, max(*reach, own[0])) + stars, interval, _p(p))

    def foot(self) -> dict[str, str]:
        """What stands below the coefficients, without what does not exist."""
        result = self._result
        facts: list[tuple[str, float | None, str]] = [
            ("observations", result.n_obs, ",.10g"),
            ("log-likelihood" if result.weights != "sampling" else "", result.log_likelihood, ".2f"),
            ("penalised log-likelihood", result.penalized_log_likelihood, ".2f"),
            ("AIC", result.aic, ".2f"),
            ("McFadden R2", result.pseudo_r2["mcfadden"], ".3f"),
        ]
        return {
            name: f"{value:z{form}}"
            for name, value, form in facts
            if name and value is not None and not math.isnan(value)
        }

    def notes(self) -> list[str]:
        """What has to be said of the numbers."""
        result, found = self._result, []
        if result.baseline is None and self._ratio:
            found.append("Factors on the probability of a class, beside the mean of all.")
        if result.cov != "model":
            found.append(f"Standard errors: {COVARIANCES[result.cov]}.")
        elif result.problem.firth:
            found.append("Intervals by profile penalised likelihood, p by penalised likelihood ratio.")
        elif result.problem.penalised:
            found.append("Estimates are shrunk by a ridge; intervals are around the shrunken ones.")
        if self._has_infinite:
            found.append("Infinite estimates: the classes are separated, so that the likelihood has no maximum.")
        return [*found, _STAR_NOTE] if self._style.stars else found


def _foot(columns: Sequence[Column]) -> list[PublishedRow]:
    facts = [column.foot() for column in columns]
    names = dict.fromkeys(name for one in facts for name in one)
    return [
        PublishedRow(
            sentence(name),
            tuple(
                cell
                for one, column in zip(facts, columns, strict=True)
                for cell in (one.get(name, ""), *[""] * (len(column.headings) - 1))
            ),
            "foot",
        )
        for name in names
    ]


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _needed(size: float) -> int:
    """Decimals that show two digits of a number of this size, such as how far the end of an interval is."""
    return 1 - math.floor(math.log10(size)) if 0 < size < math.inf else 0


def _number(value: float, digits: int, need: int) -> str:
    """A number with so many decimals, fewer of numbers from 10 on, and as many as are needed."""
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if 0 < abs(value) < _SMALL:
        return f"{value:.1e}"
    before = math.floor(math.log10(abs(value))) if value else 0
    if before in (-1, 0) and need > 7:  # near 1, of which only the difference tells
        return f"{value:.{min(need, _MOST)}f}"
    return number(value, max(digits - max(before, 0), need, 0))


def _p(p: float) -> str:
    """A p-value as papers have it."""
    if math.isnan(p):
        return ""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


__all__ = ["Column", "PublishedRow", "PublishedTable", "Style", "compare_table", "published"]
