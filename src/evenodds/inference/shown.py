"""How a record is shown: printed, in a notebook, in a console of rich, and in a paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from . import display, display_html
from .estimates import Estimates
from .publication import Style, published

if TYPE_CHECKING:
    from rich.console import ConsoleOptions

    from .record import Inference


@dataclass(frozen=True, eq=False, repr=False)
class Shown(Estimates):
    """The tables of an `Inference` for readers."""

    def to_latex(
        self,
        *,
        odds_ratio: bool = True,
        intercept: bool = True,
        stars: bool = False,
        digits: int = 2,
        caption: str | None = None,
        label: str | None = None,
    ) -> str:
        r"""The table for a paper in LaTeX, with the rules of booktabs (``\usepackage{booktabs}``).

        Odds ratios with their intervals and p-values, references of factors, and below them the number of
        observations, log-likelihood, AIC and McFadden's R2. `compare_table` puts several fits side by side.

        Parameters
        ----------
        odds_ratio : bool, default=True
            Odds ratios; False: coefficients.
        intercept : bool, default=True
            Whether the intercept has a row (its odds ratio is the odds where all columns are 0).
        stars : bool, default=False
            Mark estimates with p below 0.05, 0.01 and 0.001.
        digits : int, default=2
            Decimals of numbers below 10, at least; more where an interval is narrow.
        caption, label : str, optional
            With either the tabular stands in a table.

        Returns
        -------
        str
        """
        return published(self._record, Style(odds_ratio, intercept, stars, digits)).to_latex(
            caption=caption, label=label
        )

    def to_html(
        self,
        *,
        odds_ratio: bool = True,
        intercept: bool = True,
        stars: bool = False,
        digits: int = 2,
        caption: str | None = None,
    ) -> str:
        """The table for a paper in HTML, without a style of its own; parameters are those of `to_latex`.

        Returns
        -------
        str
        """
        return published(self._record, Style(odds_ratio, intercept, stars, digits)).to_html(caption=caption)

    def to_markdown(
        self, *, odds_ratio: bool = True, intercept: bool = True, stars: bool = False, digits: int = 2
    ) -> str:
        """The table for a paper in Markdown, as GitHub and pandoc read it; parameters are those of `to_latex`.

        Returns
        -------
        str
        """
        return published(self._record, Style(odds_ratio, intercept, stars, digits)).to_markdown()

    @property
    def _record(self) -> Inference:
        return cast("Inference", self)

    def __str__(self) -> str:
        return display.text(self._record)

    def __repr__(self) -> str:
        return display.text(self._record)

    def __rich_console__(self, console: object, options: ConsoleOptions) -> Any:
        return display.rich(self._record, options.max_width)

    def _repr_html_(self) -> str:
        return display_html.html(self._record)
