"""A table for a paper in LaTeX, HTML and Markdown: names are text, whatever signs they hold."""

import re
from html import escape
from typing import TYPE_CHECKING
from unicodedata import lookup

if TYPE_CHECKING:
    from .publication import PublishedRow, PublishedTable

_SIGNS = ("leq", "geq", "neq", "approx", "-", "rightarrow", "leftarrow", "in", "sum", "surd", "partial")
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': r"\textquotedblright{}",  # the straight one is not in LaTeX's default encoding
    "∞": r"$\infty$",
    "—": "---",
    "…": r"\ldots{}",
    **{sign: rf"\{sign}" for sign in "&%$#_{}"},
}
_GREEK = (
    *(
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
    ),
    *("pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
)
_CAPITALS = ("gamma", "delta", "theta", "lambda", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega")
_LATEX |= {lookup(f"greek small letter {name.replace('lambda', 'lamda')}"): rf"$\{name}$" for name in _GREEK}
_LATEX |= {
    lookup(f"greek capital letter {name.replace('lambda', 'lamda')}"): rf"$\{name.capitalize()}$" for name in _CAPITALS
}
_LATEX |= dict(zip("≤≥≠≈−→←∈∑√∂", ("$-$" if name == "-" else rf"$\{name}$" for name in _SIGNS), strict=True))
_LIGATURE = re.compile(r"(?<=-)-|(?<=,),|(?<=')'")  # of two signs LaTeX would make one
_LONG, _UNBROKEN = 40, 25  # letters of a name that may need several lines, and of one without a place to break it
_MARKS = re.compile(r"[\\`*|~$]|<(?=[A-Za-z/!?])|&(?=#|[A-Za-z])|(?<![^\W_])_|_(?![^\W_])|\[(?=[^\]]*\][(\[:])")
_STARTS = re.compile(r"^([-+#=>]|\d+(?=[.)]))")  # what begins a heading, a list or a quotation
_FIRST = "term"


# LaTeX


def latex(table: "PublishedTable", caption: str | None, label: str | None) -> str:
    """The table as a tabular with the rules of booktabs."""
    fits = len(table.headings) // 3
    first = "l"
    if max((len(row.name) for row in table.rows if row.kind != "class"), default=0) > _LONG:
        first = rf"p{{{0.4 if fits == 1 else 0.25}\linewidth}}"
    layout = first + "rcr" * fits
    body = [
        rf"\begin{{tabular}}{{{layout}}}",
        r"\toprule",
        *_latex_groups(table),
        _latex_line([_FIRST, *table.headings]),
        r"\midrule",
        *(_latex_row(row, len(table.headings)) for row in table.rows),
        r"\midrule",
        *(_latex_row(row, len(table.headings)) for row in table.foot),
        r"\bottomrule",
        *(
            rf"\multicolumn{{{1 + len(table.headings)}}}{{l}}{{\footnotesize {_latex_text(note)}}} \\"
            for note in table.notes
        ),
        r"\end{tabular}",
    ]
    if caption is None and label is None:
        return "\n".join(body) + "\n"
    named = [rf"\caption{{{_latex_text(table.title if caption is None else caption)}}}"]
    named += [] if label is None else [rf"\label{{{_label(label)}}}"]
    return "\n".join([r"\begin{table}[htbp]", r"\centering", *named, *body, r"\end{table}"]) + "\n"


def _latex_groups(table: "PublishedTable") -> list[str]:
    """The names of the fits, each over its columns."""
    if not table.groups:
        return []
    cells, rules, first = [""], [], 2
    for name, count in table.groups:
        cells.append(rf"\multicolumn{{{count}}}{{c}}{{{_latex_text(name)}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{first + count - 1}}}")
        first += count
    return [" & ".join(cells) + r" \\", " ".join(rules)]


def _latex_row(row: "PublishedRow", count: int) -> str:
    if row.kind == "class":
        return rf"\multicolumn{{{count + 1}}}{{l}}{{\textbf{{{_latex_text(row.name)}}}}} \\"
    return _latex_line([row.name, *row.cells])


def _latex_line(cells: list[str]) -> str:
    name, *others = map(_latex_text, cells)
    if len(cells[0]) > _LONG:
        name = rf"\raggedright {_breaking(cells[0])}"
    # Behind the \\ of the line before, [ and * would be its arguments.
    return " & ".join([f"{{}}{name}" if name[:1] in ("[", "*") else name, *others]) + r" \\"


def _breaking(name: str) -> str:
    """A long name with places at which its line may break: behind signs, and in what has none."""
    pieces = re.findall(rf"[^\W_]{{1,{_UNBROKEN}}}|.", name, re.DOTALL)
    texts = map(_latex_text, pieces)
    return "".join(
        text if piece.isspace() else text + r"\allowbreak{}" for piece, text in zip(pieces, texts, strict=True)
    )


def _latex_text(text: str) -> str:
    text = re.sub(r"(?<![\w)])-(?=[\d∞])", "\0", text)  # the sign of a number
    text = _LIGATURE.sub(lambda sign: "\1" + sign[0], text)
    return "".join(_LATEX.get(letter, letter) for letter in text).replace("\0", "$-$").replace("\1", "{}")


def _label(label: str) -> str:
    """A label without the signs that would end it."""
    return re.sub(r"[^\w:.+/-]", "-", label)


# HTML


def html(table: "PublishedTable", caption: str | None) -> str:
    """The table, each heading with its scope."""
    count = len(table.headings)
    heads = "".join(f'<th scope="col">{escape(text)}</th>' for text in (_FIRST, *table.headings))
    groups = "".join(f'<th scope="colgroup" colspan="{n}">{escape(name)}</th>' for name, n in table.groups)
    notes = "".join(f'<tr><td colspan="{count + 1}">{escape(note)}</td></tr>\n' for note in table.notes)
    return "\n".join(
        [
            "<table>",
            f"<caption>{escape(table.title if caption is None else caption)}</caption>",
            "<thead>",
            *([f"<tr><td></td>{groups}</tr>"] if groups else []),
            f"<tr>{heads}</tr>",
            "</thead>",
            *_html_bodies(table, count),
            f"<tfoot>\n{_html_lines(table.foot)}\n{notes}</tfoot>" if table.foot or notes else "<tfoot></tfoot>",
            "</table>",
            "",
        ]
    )


def _html_bodies(table: "PublishedTable", count: int) -> list[str]:
    """A body for each class, with its name over it."""
    bodies: list[list[str]] = [[]]
    for row in table.rows:
        if row.kind == "class":
            head = f'<tr><th scope="rowgroup" colspan="{count + 1}">{escape(row.name)}</th></tr>'
            bodies.append([head])
        else:
            bodies[-1].append(_html_lines([row]))
    return ["<tbody>\n" + "\n".join(body) + "\n</tbody>" for body in bodies if body]


def _html_lines(rows: "list[PublishedRow] | tuple[PublishedRow, ...]") -> str:
    return "\n".join(
        f'<tr><th scope="row">{escape(row.name)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row.cells)
        + "</tr>"
        for row in rows
    )


# Markdown


def markdown(table: "PublishedTable") -> str:
    """The table, with the names of fits in the headings, as Markdown has no cells over several columns."""
    names = [name for name, count in table.groups for _ in range(count)] or [""] * len(table.headings)
    heads = [f"{name} {text}".strip() for name, text in zip(names, table.headings, strict=True)]
    rows = [[_marked(_FIRST), *map(_marked, heads)], ["---", *["--:", ":-:", "--:"] * (len(heads) // 3)]]
    for row in (*table.rows, *table.foot):
        name = f"**{_marked(row.name)}**" if row.kind == "class" else _marked(row.name)
        rows.append([name, *map(_marked, row.cells)])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    text = [
        "| " + " | ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    text[1] = "|" + "|".join(_rule(cell, width + 2) for cell, width in zip(rows[1], widths, strict=True)) + "|"
    notes = [f"\n{_paragraph(note)}" for note in table.notes]
    return "\n".join([_paragraph(table.title), "", *text, *notes]) + "\n"


def _rule(kind: str, width: int) -> str:
    return kind[0] + "-" * (width - 2) + kind[-1]


def _marked(text: str) -> str:
    """Text whose signs Markdown leaves alone."""
    return _MARKS.sub(lambda sign: "\\" + sign[0], text)


def _paragraph(text: str) -> str:
    marked = _marked(text)
    start = _STARTS.match(marked)
    if start is None:
        return marked
    # Of a number its end is marked, as a backslash before a digit is one.
    at = start.end() if start[0][0].isdigit() else 0
    return f"{marked[:at]}\\{marked[at:]}"
