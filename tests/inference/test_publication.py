"""Tables for papers: what a parser of each language reads is what the record holds, whatever names there are."""

import random
import re
import warnings
from html.parser import HTMLParser

import html5lib
import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

from evenodds import EvenOddsError, LogisticRegression, compare_table, fit_table, infer
from oracle import case
from signs import SIGNS

LETTERS = {
    "textbackslash": "\\",
    "textasciitilde": "~",
    "textasciicircum": "^",
    "textless": "<",
    "textgreater": ">",
    "textbar": "|",
    "textasciigrave": "`",
    "textquotedblright": '"',
    "ldots": "…",
}
MATHS = {"-": "-", "\\infty": "∞", "\\alpha": "α", "\\Omega": "Ω", "\\leq": "≤"}
RULES = r"\\(toprule|midrule|bottomrule|cmidrule\(lr\)\{[\d-]+\})"


def latex_rows(text):
    """The cells of a tabular, as TeX would read them: an error for a sign that it takes for something else."""
    body = re.search(r"\\begin\{tabular\}\{(?:p\{[\d.]+\\linewidth\})?(\w+)\}\n(.*)\\end\{tabular\}", text, re.DOTALL)
    width, source = body[1].count("rcr") * 3 + 1, re.sub(RULES, "", body[2])
    rows, cells, cell, more, at = [], [], "", 0, 0
    while at < len(source):
        letter = source[at]
        if source.startswith("\\\\", at):
            rows.append([*cells, cell.strip(), *[""] * more])
            cells, cell, more, at = [], "", 0, at + 2
            assert not source[at:].lstrip().startswith(("[", "*"))  # an argument of the end of the line
            continue
        if span := re.match(r"\\multicolumn\{(\d+)\}\{[lc]\}\{", source[at:]):
            more, at = int(span[1]) - 1, at + span.end()
            continue
        if command := re.match(r"\\([a-z]+)(\{\})?", source[at:]):
            cell += LETTERS.get(command[1], "")
            assert command[1] in LETTERS or command[1] in ("textbf", "footnotesize", "raggedright", "allowbreak")
            at += command.end()
            continue
        if letter == "\\":
            assert source[at + 1] in "&%$#_{}"
            cell, at = cell + source[at + 1], at + 2
            continue
        if math := re.match(r"\$(-|\\[a-zA-Z]+)\$", source[at:]):
            cell, at = cell + MATHS[math[1]], at + math.end()
            continue
        if source.startswith("---", at):
            cell, at = cell + "—", at + 3
            continue
        assert not source.startswith(("--", ",,", "''"), at)  # which TeX draws as one sign
        assert letter not in "%$#_~^"
        if letter == "&":
            cells, cell, more = [*cells, cell.strip(), *[""] * more], "", 0
        elif letter not in "{}":
            cell += letter
        at += 1
    assert not cell.strip()
    assert {len(row) for row in rows} == {width}
    return rows


def html_rows(text):
    page = f"<!DOCTYPE html><html><head><title>t</title></head><body>{text}</body></html>"
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    return [["".join(cell.itertext()) for cell in row if cell.tag in ("th", "td")] for row in tree.iter("tr")]


def markdown_rows(text):
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)

    class Rows(HTMLParser):
        rows, inside, tags = [], False, set()

        def handle_starttag(self, tag, attrs):
            self.tags.add(tag)
            if tag == "tr":
                self.rows.append([])
            if tag in ("th", "td"):
                self.rows[-1].append("")
            self.inside = tag in ("th", "td") or (self.inside and tag == "strong")

        def handle_endtag(self, tag):
            self.inside = self.inside and tag not in ("th", "td")

        def handle_data(self, data):
            if self.inside:
                self.rows[-1][-1] += data

    reader = Rows()
    reader.rows, reader.tags = [], set()
    reader.feed(html)
    assert reader.tags <= {"table", "thead", "tbody", "tr", "th", "td", "p", "strong"}
    return reader.rows


def drawn(seed, labels=2):
    """A table whose names, levels and labels are made of signs that mean something somewhere."""
    rng = random.Random(seed)

    def name():
        return "".join(rng.choices(SIGNS, k=rng.randint(1, 6)))

    names = [*{name(): 0 for _ in range(9)}][:3]
    levels = [*{name(): 0 for _ in range(9)}][:3]
    classes = [*{name(): 0 for _ in range(9)}][:labels]
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame({names[0]: draw.normal(size=120), names[1]: draw.choice(levels, 120)})
    frame[names[2]] = draw.choice(classes, 120)
    return frame, names[2]


def squeezed(rows):
    """Cells without what no table keeps: spaces at their ends, and several in a row."""
    return [[" ".join(cell.split()) for cell in row] for row in rows]


@pytest.mark.parametrize("seed", range(40))
def test_every_language_gives_back_the_names(seed):
    frame, target = drawn(seed, labels=2 + seed % 2)
    result = infer(fit_table(target, frame), frame)
    html, latex, markdown = (
        squeezed(read(text))
        for read, text in (
            (html_rows, result.to_html()),
            (latex_rows, result.to_latex()),
            (markdown_rows, result.to_markdown()),
        )
    )
    shown = [row for row in html if len(row) > 1 and any(row[1:])]
    assert [row for row in latex if any(row[1:])] == shown
    assert [row for row in markdown if any(row[1:])] == shown
    width = len(result.names) + 2  # the heading, the reference, the coefficients
    names = [row[0] for row in shown][1 : width * len(result.listed) + 1]
    for one in result.names:
        seen = one if one.isprintable() and one.strip() else repr(one)
        assert " ".join(seen.split()) in names


def test_the_numbers_are_those_of_the_record():
    columns = case("a06_admit")[1]
    y = columns.pop("y")
    frame = pd.DataFrame({key: value for key, value in columns.items() if key != "const"}).assign(y=y.astype(int))
    result = infer(fit_table("y", frame), frame)
    for odds_ratio in (True, False):
        rows = html_rows(result.to_html(odds_ratio=odds_ratio))[1:]
        values = result.odds_ratio if odds_ratio else result.coef
        ends = result.odds_ratio_conf_int if odds_ratio else result.conf_int
        for j, (name, value, interval, p) in enumerate(rows[: len(result.names)]):
            assert name == result.names[j]
            assert float(value) == pytest.approx(values[j], rel=0.05)
            shown = [float(end) for end in interval.split(" to ")]
            np.testing.assert_allclose(shown, ends[j], rtol=0.01, atol=0.03 * np.ptp(ends[j]))
            assert p == ("<0.001" if result.p_value[j] < 0.001 else f"{result.p_value[j]:.3f}")
        foot = dict(row[:2] for row in rows[len(result.names) :])
        assert foot["Observations"] == f"{result.n_obs:.0f}"
        assert float(foot["AIC"]) == pytest.approx(result.aic, abs=0.006)
        assert float(foot["Log-likelihood"]) == pytest.approx(result.log_likelihood, abs=0.006)
        assert float(foot["McFadden R2"]) == pytest.approx(result.pseudo_r2["mcfadden"], abs=6e-4)
    assert "*" not in result.to_html()
    starred = html_rows(result.to_html(stars=True))
    for row, p in zip(starred[1:], result.p_value, strict=False):
        assert row[1].count("*") == sum(bool(p < limit) for limit in (0.05, 0.01, 0.001))
    assert all(row[0] != "(intercept)" for row in html_rows(result.to_html(intercept=False)))
    assert len(html_rows(result.to_html(digits=4))[1][1].partition(".")[2]) >= 4
    with pytest.raises(EvenOddsError, match="digits is an integer from 0 to 7, got 9"):
        result.to_latex(digits=9)


@pytest.mark.parametrize("size", [1e-9, 1e-4, 1.0, 1e3, 1e9])
def test_narrow_intervals_keep_their_digits(size):
    """A column in small units has a ratio near 1, in large ones a huge or tiny one: neither becomes 1.00 or 0.00."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    y = (x + rng.logistic(size=400) > 0).astype(int)
    X = pd.DataFrame({"x": x / size})
    result = infer(LogisticRegression().fit(X, y), X, y)
    value, interval = html_rows(result.to_html(odds_ratio=False))[2][1:3]
    ends = [float(end) for end in interval.split(" to ")]
    assert float(value) == pytest.approx(result.coef[1], rel=0.1)
    np.testing.assert_allclose(ends, result.conf_int[1], rtol=0.1)
    assert ends[0] < float(value) < ends[1]


def test_fits_side_by_side_share_rows_in_one_order():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({name: rng.normal(size=300) for name in ("a", "b", "c")})
    frame["f"] = rng.choice(["u", "v", "w"], 300)
    frame["y"] = rng.choice(["no", "yes"], 300)
    formulas = ["y ~ a + c", "y ~ a + b + f + c", "y ~ f + b"]
    fits = [infer(fit_table(formula, frame), frame) for formula in formulas[:2]]
    fits.append(infer(fit_table(formulas[2], frame, reference={"f": "v"}), frame))
    table = compare_table(fits, ["one", "t & wo", "<three>"])
    rows = html_rows(table.to_html())
    assert rows[0] == ["", "one", "t & wo", "<three>"]
    names = [row[0] for row in rows[2:-4]]
    assert names == ["(intercept)", "a", "b", "f[u]", "f[v]", "f[w]", "c"]
    cells = {row[0]: row[1:] for row in rows[2:-4]}
    assert cells["f[u]"][:6] == ["", "", "", "1", "reference", ""]
    assert cells["f[v]"][6:8] == ["1", "reference"]
    for fit, first in zip(fits, (0, 3, 6), strict=True):
        for name, ratio in zip(fit.names, fit.odds_ratio, strict=True):
            assert float(cells[name][first]) == pytest.approx(ratio, rel=0.02)
        assert sum(bool(row[first]) for row in cells.values()) == len(fit.names) + ("f[w]" in fit.names)
    assert [row[0] for row in latex_rows(table.to_latex())][:1] == [""]
    assert "(1)" in compare_table(fits).to_markdown()
    assert str(table) == table.to_markdown()
    assert table._repr_html_() == table.to_html()


def test_fits_side_by_side_of_several_classes_and_of_two():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"x": rng.normal(size=300), "z": rng.normal(size=300), "y": rng.choice(list("abc"), 300)})
    three = infer(fit_table("y ~ x", frame), frame)
    two = infer(fit_table("y ~ x + z", frame, positive="c"), frame)
    rows = markdown_rows(compare_table([three, two]).to_markdown())
    assert [row[0] for row in rows[1:-4]] == ["b", "(intercept)", "x", "c", "(intercept)", "x", "z"]
    assert rows[3][4:] == ["", "", ""]


def test_what_does_not_exist_is_said():
    frame = pd.DataFrame({"x": [1.0, 2, 3, 4, 5, 6], "z": [3.0, 1, 2, 2, 1, 3], "y": [0, 0, 0, 1, 1, 1]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        result = infer(fit_table("y", frame), frame)
        twice = frame.assign(y=[0, 1, 0, 1, 0, 1], w=2 * frame["x"])
        aliased = infer(fit_table("y", twice), twice)
    rows = {row[0]: row[1:] for row in html_rows(result.to_html()) if len(row) == 4}
    assert rows["x"] == ["∞", "", ""]
    assert "Infinite estimates" in result.to_markdown()
    assert r"$\infty$" in result.to_latex()
    assert ["w", "—", "aliased", ""] in html_rows(aliased.to_html())
    ridge = infer(fit_table("y", frame, C=1.0), frame)
    assert not any(row[0] == "AIC" for row in html_rows(ridge.to_html()))
    assert "shrunk by a ridge" in ridge.to_latex()
    firth = infer(fit_table("y", frame, firth=True), frame)
    assert "penalised likelihood ratio" in firth.to_html()
    assert "Penalised log-likelihood" in firth.to_html()
    robust = infer(fit_table("y", frame, C=1.0), frame, cov="HC0")
    assert "the plain sandwich" in robust.to_markdown()


def test_captions_and_labels_are_text():
    frame, target = drawn(3)
    result = infer(fit_table(target, frame), frame)
    text = result.to_latex(caption=r"100% of $x & \y{", label="tab:a b}")
    assert r"\caption{100\% of \$x \& \textbackslash{}y\{}" in text
    assert r"\label{tab:a-b-}" in text
    assert text.startswith(r"\begin{table}")
    assert "<caption>&lt;i&gt;</caption>" in result.to_html(caption="<i>")


def test_what_cannot_be_compared():
    with pytest.raises(EvenOddsError, match=r"takes what infer returned, .* got nothing"):
        compare_table([])
    with pytest.raises(EvenOddsError, match="got LogisticRegression"):
        compare_table([LogisticRegression()])
    frame, target = drawn(4)
    result = infer(fit_table(target, frame), frame)
    with pytest.raises(EvenOddsError, match="1 fits but 2 names"):
        compare_table([result], ["a", "b"])


NAMES = {
    "50% of_all": r"50\% of\_all",
    'say "q"': r"say \textquotedblright{}q\textquotedblright{}",  # the straight quote is in no default font
    "a--b---c,,d''e": "a-{}-b-{}-{}-c,{},d'{}'e",  # no ligatures
    "α ≤ Ω": r"$\alpha$ $\leq$ $\Omega$",
    "\\input{x}": r"\textbackslash{}input\{x\}",
    "[x] * y": "{}[x] * y",
}


def test_names_in_latex_need_no_package():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({name: rng.normal(size=80) for name in NAMES}).assign(y=rng.integers(0, 2, 80))
    text = infer(fit_table("y", frame), frame).to_latex()
    rows = [line.split(" & ")[0] for line in text.splitlines() if line.count(" & ") == 3]
    assert rows[2 : 2 + len(NAMES)] == list(NAMES.values())
    assert r"\begin{tabular}{lrcr}" in text


@pytest.mark.parametrize(
    "name", ["x" * 90, "how often did you buy_or_sell (in the last 12 months), in EUR/kg?", "Ω" * 60]
)
def test_a_long_name_is_broken_into_lines(name):
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({name: rng.normal(size=80), "y": rng.integers(0, 2, 80)})
    text = infer(fit_table("y", frame), frame).to_latex()
    (row,) = (line for line in text.splitlines() if r"\raggedright" in line)
    assert max(len(part) for part in row.replace(r"$\Omega$", "Ω").split(r"\allowbreak{}")) < 60
    assert r"\begin{tabular}{p{0.4\linewidth}rcr}" in text
