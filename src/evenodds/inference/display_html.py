"""The table of a record as HTML, which takes the colours of the page, be they dark or light."""

import itertools
from collections.abc import Sequence
from html import escape as _safe
from typing import TYPE_CHECKING

from .display import Row, Sheet, decimals, sentence, sheet

if TYPE_CHECKING:
    from .record import Inference

_TABLE = (
    "border-collapse: collapse; border: 0; margin: 0.8em 0; color: inherit; font-size: inherit; "
    "font-variant-numeric: tabular-nums"
)
_LEFT = "text-align: left; padding: 0.2em 0.8em 0.2em 0; border: 0; background: transparent"
_RIGHT = "text-align: right; padding: 0.2em 0 0.2em 1.2em; border: 0; background: transparent; white-space: nowrap"
_RULE = "; border-bottom: 1px solid currentColor; font-weight: 600"
_PLAIN = "; font-weight: normal"


def html(result: "Inference") -> str:
    """The table for a notebook: it takes the colours of the page, be they dark or light."""
    page = sheet(result)
    half = (len(page.facts) + 1) // 2
    pairs = itertools.zip_longest(page.facts[:half], page.facts[half:], fillvalue=("", ""))
    facts = "\n".join(f"<tr>{_fact(*one)}{_fact(*two)}</tr>" for one, two in pairs)
    paragraphs = [f'<p style="margin: 0.3em 0; max-width: 50em">{_safe(line)}</p>' for line in page.lines]
    remarks = [f'<p style="margin: 0.6em 0; max-width: 50em">{_safe(remark)}</p>' for remark in page.remarks]
    return "\n".join(
        [
            '<div style="overflow-x: auto">',
            f'<p style="margin: 0.3em 0; font-weight: 600">{_safe(page.title)}</p>',
            f'<table style="{_TABLE}"><tbody>\n{facts}\n</tbody></table>',
            *paragraphs,
            _html_table(page),
            *remarks,
            "</div>",
        ]
    )


def _fact(name: str, value: str) -> str:
    if not name:
        return ""
    head = f'<th scope="row" style="{_LEFT}{_PLAIN}">{_safe(sentence(name))}</th>'
    return f'{head}<td style="{_LEFT}; padding-right: 2.4em">{_safe(value)}</td>'


def _html_table(page: Sheet) -> str:
    after = [
        max((len(decimals(row.cells[k])) for row in page.rows if row.cells), default=0)
        for k in range(len(page.headings))
    ]
    heads = "".join(f'<th scope="col" style="{_RIGHT}{_RULE}">{_safe(name)}</th>' for name in page.headings)
    first = f'<th scope="col" style="{_LEFT}{_RULE}">term</th>'
    body = "\n".join(f"<tr>{_html_row(row, after)}</tr>" for row in page.rows)
    return f'<table style="{_TABLE}">\n<thead><tr>{first}{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table>'


def _html_row(row: Row, after: Sequence[int]) -> str:
    style = f"{_LEFT}{_PLAIN}; max-width: 24em; overflow-wrap: anywhere"
    if row.note is None and not row.cells:
        span = f'scope="rowgroup" colspan="{len(after) + 1}"'
        return f'<th {span} style="{_LEFT}; font-weight: 600">{_safe(row.name)}</th>'
    name = f'<th scope="row" style="{style}">{_safe(row.name)}</th>'
    if row.note is not None:
        words = f"<em>{_safe(row.note)}</em>"
        return f'{name}<td colspan="{len(after)}" style="{_LEFT}; padding-left: 1.2em">{words}</td>'
    cells = zip(row.cells, after, strict=True)
    return name + "".join(f'<td style="{_RIGHT}">{_safe(cell)}{_hidden(cell, most)}</td>' for cell, most in cells)


def _hidden(cell: str, most: int) -> str:
    """Room for the missing decimals, which is neither copied nor read aloud."""
    missing = (".000000000000000" if "." not in cell else "0" * most)[: most - len(decimals(cell))]
    return f'<span style="visibility: hidden">{missing}</span>' if missing else ""
