"""Delimited text as people have it: a table is written in many ways, and has to be read back, or refused in one line.

The writer below shares nothing with the reader: it makes each cell's text from its value by a style drawn at random.
"""

import bz2
import codecs
import csv
import datetime
import gzip
import io
import lzma
import random
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evenodds.delimited import Delimited, NotRead, Spelling
from evenodds.exceptions import EvenOddsError
from evenodds.files import Source

WORDS = ["Zürich", "Genève", "a,b", "c;d", "e\tf", 'say "hi"', "two\nlines", "x|y", "# no comment", "it's", "yes", "no"]
MISSING = ["", "?", "NA", "N/A", "NULL", "nan", "-", ".", "NaN", "null"]
ENCODINGS = {
    "utf-8": b"",
    "utf-8 with a mark": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-16-le without a mark": b"",
    "utf-32-le": codecs.BOM_UTF32_LE,
    "cp1252": b"",
}
GROUPS = {".": [",", " ", "\u00a0", "'"], ",": [".", " ", "\u202f", "'"]}


class Style:
    """A way to write a table, drawn at random."""

    def __init__(self, seed):
        self.pick = random.Random(seed)
        choose = self.pick.choice
        self.separator = choose([",", ";", "\t", "|"])
        self.decimal = "." if self.separator == "," and self.pick.random() < 0.6 else choose([".", ","])
        self.group = choose(["", "", *GROUPS[self.decimal]])
        self.encoding = choose(list(ENCODINGS))
        self.end = choose(["\n", "\n", "\r\n", "\r"])
        self.comments = choose([0, 0, 1, 3])
        self.blank = self.pick.random() < 0.2
        self.trailing = choose(["", "", "", "header", "rows", "both"])
        self.spaces = self.pick.random() < 0.2
        self.quote_all = self.pick.random() < 0.2
        self.sep_line = self.pick.random() < 0.1
        self.missing = choose(MISSING)
        self.header = self.pick.random() < 0.85
        self.remarks = self.pick.random() < 0.2
        self.below = choose(["-{}", "-{}", "({})", "{}-"])
        self.day = choose(["%Y-%m-%d", "%d-%b-%Y", "%B %d, %Y", "%d %b %Y", "%d.%m.%Y"])
        if self.encoding == "cp1252" and self.group == "\u202f":
            self.group = "\u00a0"
        self.gaps = choose([0.0, 0.1])

    def number(self, value):
        whole = isinstance(value, int)
        text = f"{abs(value):,}" if whole else f"{abs(value):,.2f}"
        text = text.replace(",", "\0").replace(".", self.decimal).replace("\0", self.group)
        return self.below.format(text) if value < 0 else self.pick.choice(["", "", "", "+"]) + text

    def cell(self, value):
        if value is None:
            return self.missing
        if isinstance(value, bool):
            return self.pick.choice(["true", "True", "TRUE"] if value else ["false", "False", "FALSE"])
        if isinstance(value, datetime.date):
            return value.strftime(self.day)
        return value if isinstance(value, str) else self.number(value)

    def quoted(self, text):
        needs = any(sign in text for sign in (self.separator, '"', "\n", "\r"))
        if needs or self.quote_all:
            return '"' + text.replace('"', '""') + '"'
        return f" {text} " if self.spaces else text

    def write(self, names, rows):
        lines = ["# made by hand, 1;2"] * self.comments + [""] * self.blank
        lines = [f"sep={self.separator}"] * self.sep_line + lines
        end = {"header": ("", ""), "rows": ("", self.separator), "both": (self.separator,) * 2, "": ("", "")}
        header, row_end = end[self.trailing]
        if self.header:
            lines.append(self.separator.join(map(self.quoted, names)) + header)
        for row in rows:
            lines.append(self.separator.join(self.quoted(self.cell(value)) for value in row) + row_end)
            if self.blank and self.pick.random() < 0.2:
                lines.append("")
            if self.remarks and self.pick.random() < 0.2:
                lines.append(f"# a remark, one{self.separator}two")
        text = self.end.join(lines) + self.pick.choice(["", self.end])
        name = self.encoding.split(" ")[0]
        return ENCODINGS[self.encoding] + text.encode(name)


def drawn(style):
    """A table of every kind of column; its numbers show which decimal sign they are written with."""
    pick, n = style.pick, style.pick.randint(3, 30)
    columns = {
        "count": [pick.randint(-5000, 5_000_000) for _ in range(n)],
        "größe": [round(pick.uniform(-1e5, 1e5), 2) for _ in range(n)],
        "town": [pick.choice(WORDS) for _ in range(n)],
        "flag": [pick.random() < 0.5 for _ in range(n)],
        'a "name", or two': [round(pick.uniform(0, 1), 2) for _ in range(n)],
        "day": [datetime.date(2024, 1, 1) + datetime.timedelta(pick.randint(0, 900)) for _ in range(n)],
    }
    if style.spaces:
        columns["town"] = [word.strip() for word in columns["town"]]
    names = list(columns)
    pick.shuffle(names)
    rows = [[None if pick.random() < style.gaps else columns[name][i] for name in names] for i in range(n)]
    rows[0] = [columns[name][0] for name in names]
    if style.day == "%d.%m.%Y":  # which a day after the 12th decides
        rows[0][names.index("day")] = datetime.date(2024, 3, 31)
    if style.below != "-{}":  # which need others beside them
        rows[0] = [abs(value) if type(value) in (int, float) else value for value in rows[0]]
    return names, rows


def same(found, value):
    if value is None or found is None:
        return (found is None or found != found) and value is None
    if isinstance(value, float) or isinstance(found, float):
        return found == pytest.approx(value, rel=1e-12)
    return found == value and isinstance(found, bool) == isinstance(value, bool)


@pytest.mark.parametrize("block", range(10))
def test_a_table_is_read_back_however_it_is_written(block):
    for seed in range(block * 60, block * 60 + 60):
        style = Style(seed)
        names, rows = drawn(style)
        raw = style.write(names, rows)
        found = Delimited(raw, Spelling(no_header=not style.header))
        names = names if style.header else [f"column_{k + 1}" for k in range(len(names))]
        assert found.names == names, seed
        table = found.table(names)
        for name, column in zip(names, table.columns, strict=True):
            values = [row[names.index(name)] for row in rows]
            for found, value in zip(column.to_pylist(), values, strict=True):
                assert same(found, value), (seed, vars(style), name, found, value)


def table_of(content, **said):
    raw = content if isinstance(content, bytes) else content.encode()
    return Delimited(raw, Spelling(**said))


def read(content, **said):
    found = table_of(content, **said)
    return found.table(found.names).to_pydict()


def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("xl/workbook.xml", "<workbook/>")
    return buffer.getvalue()


READ = {
    "thousands that only a second cell explains": ('x,y\n"1,234",a\n"1,234.5",b\n', {"x": [1234, 1234.5]}),
    "thousands that another column explains": ("x;z\n1,234;0.5\n2,345;1.5\n", {"x": [1234, 2345]}),
    "decimals that another column explains": ("x;z\n1,234;0,5\n2,345;1,5\n", {"x": [1.234, 2.345]}),
    "points between thousands": ("x;z\n1.234.567;0,5\n2.345;1,5\n", {"x": [1234567, 2345]}),
    "lakhs": ('x\n"12,34,567"\n"1,00,000"\n', {"x": [1234567, 100000]}),
    "powers and signs": ("x,y\n1e5,+3\n-2.5E-3,-4\n", {"x": [1e5, -2.5e-3], "y": [3, -4]}),
    "a minus of typographers": ("x,y\n−5,1\n3,2\n", {"x": [-5, 3]}),
    "per cent": ("x,y\n12%,1\n13.5 %,2\n", {"x": [12.0, 13.5]}),
    "money": ('x,y\n"$1,200.50",1\n$3,2\n', {"x": [1200.5, 3.0]}),
    "money that is owed": ('x,y\n"$-1,200.50",1\n$3,2\n-$4,3\n$ +5,4\n', {"x": [-1200.5, 3.0, -4.0, 5.0]}),
    "a sign that is no missing value": ("x,y\n1,+\n2,-\n", {"y": ["+", "-"]}),
    "a header that is a comment": ("# x, y\n1,2\n3,4\n", {"x": [1, 3], "y": [2, 4]}),
    "spaces before quotes": ('x, y\n1, "a, b"\n2, "c"\n', {"y": ["a, b", "c"]}),
    "backslashes before quotes": ('x,y\n1,"a\\"b, c"\n2,"d"\n', {"y": ['a"b, c', "d"]}),
    "spaces between cells": ("x  y\n1   2\n10  20\n", {"x": [1, 10], "y": [2, 20]}),
    "some rows with separators at their end": ("x,y\n1,2,,\n3,4\n", {"x": [1, 3], "y": [2, 4]}),
    "lines of spaces": ("x,y\n1,2\n   \n3,4\n", {"x": [1, 3], "y": [2, 4]}),
    "names of rows without a name": ("x,y\na,1,2\nb,3,4\n", {"": ["a", "b"], "x": [1, 3]}),
    "a name without a column": ("x,y,\n1,2\n3,4\n", {"x": [1, 3], "y": [2, 4]}),
    "German dates": (
        "x,y\n1,3.2.2024\n2,14.12.2023\n",
        {"y": [datetime.date(2024, 2, 3), datetime.date(2023, 12, 14)]},
    ),
    "dates by their days": (
        "x,y\n1,02/13/2024\n2,03/04/2024\n",
        {"y": [datetime.date(2024, 2, 13), datetime.date(2024, 3, 4)]},
    ),
    "addresses and versions": ("x,y\n192.168.0.1,1.2.3\n10.0.0.1,1.10.0\n", {"x": ["192.168.0.1", "10.0.0.1"]}),
    "labels among numbers": ("x,y\n" + "1,a\n2,b\nA3,c\n" * 10, {"x": ["1", "2", "A3"] * 10}),
    "labels with zeros": ("x,y\n" + "".join(f"{k:03d},a\n" for k in range(50)) + "A3,a\n", {}),
    "codes among numbers": ("x,y\n" + "".join(f"{k if k % 3 else f'A/{k}'},1\n" for k in range(60)), {}),
    "the last row decides": ("x,y\n" + "1,2\n" * 30000 + "1,2.5\n", {"y": [2.0] * 30000 + [2.5]}),
    "the last row has thousands": ("x;y\n" + "1;2,5\n" * 30000 + "1;1.234,5\n", {"y": [2.5] * 30000 + [1234.5]}),
    "a null byte": ("x,y\na\0b,1\nc,2\n", {"x": ["a\0b", "c"]}),
    "a column without values": ("x,y\n1,\n2,NA\n", {"y": [None, None]}),
    "comments between rows": ("x,y\n1,a\n# b, c, d\n#\n2,b\n", {"x": [1, 2], "y": ["a", "b"]}),
    "a label that begins as comments do": ("y,x\n#1,1\n#2,2\n", {"y": ["#1", "#2"]}),
    "below zero in brackets": ('x,y\n"(1,200.50)",1\n3,2\n', {"x": [-1200.5, 3.0]}),
    "money below zero": ('x,y\n"($1,200.50)",1\n$3,2\n', {"x": [-1200.5, 3.0]}),
    "a minus at the end": ("x;y\n1.200,50-;1\n3,5;2\n", {"x": [-1200.5, 3.5]}),
    "brackets around all": ("x,y\n(1),1\n(2),2\n", {"x": ["(1)", "(2)"]}),
    "months in words": (
        "x,y\n3-Feb-2024,Mar 1 2023\n14-dec-2023,May 31 2023\n",
        {
            "x": [datetime.date(2024, 2, 3), datetime.date(2023, 12, 14)],
            "y": [datetime.date(2023, 3, 1), datetime.date(2023, 5, 31)],
        },
    ),
    "hours to twelve": ("x,y\n1,2/13/2024 3:45 PM\n", {"y": [datetime.datetime(2024, 2, 13, 15, 45)]}),
    "years of two digits": ("x,y\n1,2/13/24\n", {"y": ["2/13/24"]}),
    "one column": ("x\n1\n\n3\n", {"x": [1, 3]}),
}


@pytest.mark.parametrize("name", READ)
def test_what_can_be_decided_is_read(name):
    text, expected = READ[name]
    found = read(text)
    for column, values in expected.items():
        assert found[column] == values
    if name == "codes among numbers":
        assert found["x"][:2] == ["A/0", "1"]


REFUSED = {
    "thousands or decimals": ("x;y\na;1,234\nb;2,345\n", ["column 'y' '1,234'", "row 0", "line 2", "--decimal"]),
    "points or thousands": (
        "x;y\na;1.234\nb;2.345\n",
        ["column 'y' '1.234'", "1234 with a decimal comma", "--decimal"],
    ),
    "some cells with commas": ("x;y\n1;1.5\n2;2.5\n3;3,5\n", ["column 'y' '3,5'", "row 2", "line 4", "--text y"]),
    "a text among numbers": (
        "x,y\n1,2\n\n2,unknown\n3,4\n5,6\n",
        ["column 'y' 'unknown'", "row 1", "line 4", "3 other rows", "--missing-text unknown", "--text y"],
    ),
    "a text among many numbers": (
        "x,y\n" + "".join(f"1,{k if k % 3 else 'none of them'}\n" for k in range(1, 60)),
        ["column 'y' 'none of them'", "row 2", "--missing-text 'none of them'"],
    ),
    "a text with a space": ("x,a b\n1,2\n2,not known\n3,4\n", ["--missing-text 'not known'", "--text 'a b'"]),
    "a title": ("Report of 2024\n\nx,y\n1,2\n", ["line 3", "begin it with #"]),
    "two separators": ("a,b;c\n1,2;3\n", ["';'", "','", "--separator"]),
    "too many cells": ("x,y\n1,2\n\n1,2,3\n", ["row 1", "line 4", "3 cells", "'3' comes after", "'y'", "--separator"]),
    "too few cells": ("x,y\n1,2\n3\n4,5\n", ["row 1", "line 3", "1 cell,", "column 'y'"]),
    "a footer": ("x,y\n1,2\nSource: us\n", ["row 1", "line 3", "'Source: us'", "begin it with #"]),
    "units": ("x,y\nkg,\n1,2\n3,4\n5,6\n", ["'kg'", "row 0", "line 2", "one of units", "take it out"]),
    "an open quote": ('x,y\n1,"2\n3,4\n', ["row 0", "line 2", "column 'y'", "never closed"]),
    "UTF-8 and not": ("x,y\nZü,1\n".encode() + b"K\xf6,2\n", ["column 'x'", "row 1", "line 3", "'Kö,2'", "--encoding"]),
    "Cyrillic": ("x,y\nПривет,1\n".encode("cp1251"), ["line 2", "--encoding"]),
    "Polish": ("x,y\nStanisław,1\n".encode("cp1250"), ["column 'x'", "line 2", "--encoding"]),
    "a text in the last row": ("x,y\n" + "1,2\n" * 30000 + "1,b\n", ["'b'", "row 30000", "--missing-text b"]),
    "empty": ("", ["is empty"]),
    "only comments": ("# a\n\n", ["is empty"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_decided_is_an_error_that_says_where_and_what_to_do(name):
    text, words = REFUSED[name]
    with pytest.raises(NotRead) as caught:
        read(text)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said", "expected"),
    [
        ("x;y\na;1,234\nb;2,345\n", {"decimal": "."}, {"y": [1234, 2345]}),
        ("x;y\na;1,234\nb;2,345\n", {"decimal": ","}, {"y": [1.234, 2.345]}),
        ('x,y\na,"1,5"\nb,"2,5"\n', {"decimal": ","}, {"y": [1.5, 2.5]}),
        ("x,y\n1,2\n2,unknown\n3,4\n", {"missing_text": ("unknown",)}, {"y": [2, None, 4]}),
        ("x,y\n1,NA\n2,-\n3,4\n", {"text": ("y",)}, {"y": ["NA", "-", "4"]}),
        ("x,y\n1,01\n2,\n", {"text": ("y",)}, {"y": ["01", None]}),
        ("a,b;c\n1,2;3\n", {"separator": ";"}, {"a,b": [1.2], "c": [3]}),
        ("a~b\n1~2\n", {"separator": "~"}, {"a": [1], "b": [2]}),
        ("a\tb\n1\t2\n", {"separator": "tab"}, {"a": [1], "b": [2]}),
        ("x,y\nПривет,1\n".encode("cp1251"), {"encoding": "cp1251"}, {"x": ["Привет"]}),
        ("x,y\n1,1/2/2024\n", {"dates": "mdy"}, {"y": [datetime.date(2024, 1, 2)]}),
        ("x,y\n1,1/2/2024\n", {"dates": "dmy"}, {"y": [datetime.date(2024, 2, 1)]}),
    ],
)
def test_what_the_user_says_decides(text, said, expected):
    found = read(text, **said)
    for name, values in expected.items():
        assert found[name] == values


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"encoding": "klingon"}, "no encoding 'klingon'"),
        ({"separator": ""}, "one character"),
        ({"separator": "::"}, "one character"),
        ({"separator": '"'}, "one character"),
        ({"decimal": "x"}, "--decimal"),
    ],
)
def test_what_the_user_says_is_checked(said, message):
    with pytest.raises(EvenOddsError, match=message):
        table_of("x,y\n1,2\n", **said)


def test_another_sign_than_the_user_says_is_an_error():
    with pytest.raises(NotRead, match=r"'1\.5', first in row 0 .* no number with --decimal ,"):
        read("x;y\n1.5;a\n2.5;b\n", decimal=",")


WRITTEN = {
    "cp1252": "Zürich Genève Köln naïve coöperate “quoted” it’s a–b 5 € señor Ångström Škoda",
    "latin-1": "Zürich Genève Köln naïve señor Ångström ß çà",
    "cp1250": "Stanisław Wałęsa Łódź żółć Gdańsk",
    "cp1251": "Привет Москва Россия",
    "koi8-r": "Привет Москва Россия",
    "cp850": "Zürich Köln Genève Malmö",
    "mac-roman": "Zürich Genève Café São",
    "shift-jis": "日本 東京 ひらがな カタカナ 京都",
    "gb18030": "北京 上海 你好",
    "euc-kr": "서울 부산 한국어",
    "big5": "台北 高雄 您好",
    "iso8859-7": "Αθήνα Ελλάδα",
    "cp1253": "Αθήνα Ελλάδα",
    "cp1256": "مرحبا القاهرة",
    "cp1255": "שלום ירושלים",
}


@pytest.mark.parametrize("encoding", WRITTEN)
def test_no_encoding_is_taken_for_another_one(encoding):
    """Words of a language in its encodings: read right, or refused; and read right where the encoding is said."""
    words = WRITTEN[encoding].split(" ")
    raw = ("word,x\n" + "".join(f"{word},{k}\n" for k, word in enumerate(words))).encode(encoding)
    assert read(raw, encoding=encoding)["word"] == words
    if encoding in ("cp1252", "latin-1"):
        assert read(raw)["word"] == words
    else:
        with pytest.raises(NotRead, match="--encoding"):
            read(raw)


def test_what_was_decided_is_said():
    found = table_of("x;y;z;d\n1,5;NA;007;1.2.2024\n2,5;b;010;2.3.2024\n".encode("utf-16"))
    found.table(found.names)
    said = "\n".join(found.notes)
    assert "utf-16" in said
    assert "; between cells" in said
    assert "decimal commas" in said
    assert "In column 'y' 'NA' is read as a missing value; --text y keeps it as a label." in said
    assert "Column 'z' is read as numbers, 007 as 7; --text z keeps it as text." in said
    assert "Column 'd' is read as dates, the day first." in said
    found = table_of("x,y,z,u\n(3),20240229,2/3/24,1\n# a, note\n2,20240301,2/13/24,2\n")
    found.table(found.names)
    said = "\n".join(found.notes)
    assert "Column 'x' is read as numbers: what is in (), or has a - at its end, is below zero." in said
    assert "Column 'y' is read as numbers. If it holds dates, write them like 2024-02-29." in said
    assert "Column 'z' is read as text. If it holds dates, write their years with four digits." in said
    assert "Lines that begin with # and have not as many cells as others are left out." in said
    assert "look like values" not in said
    first_row = table_of("e,1,b\nf,2,b\ne,1,c\n")
    first_row.table(first_row.names)
    assert [note for note in first_row.notes if "'e', '1', 'b'" in note and "--no-header" in note]
    plain = table_of("x,y\n1,a\n2,b\n")
    plain.table(plain.names)
    assert plain.notes == []


def test_numbers_are_read_as_the_whole_file_has_them():
    """The decimal sign shows after more rows than are looked at first."""
    rows = [f"{1 + k % 900}.{k % 900:03d};{k}" for k in range(20_000)]
    late = [*rows, "0,5;1"]
    found = read("x;y\n" + "\n".join(late) + "\n")
    assert found["x"][:2] == [1000, 2001]
    assert found["x"][-1] == 0.5
    found = read("x;y\n" + "\n".join([*rows, "0.5;1"]) + "\n")
    assert found["x"][:2] == [1.0, 2.001]


def test_files_and_pipes(tmp_path):
    text = b"x;y\n1,5;a\n2,5;b\n"
    for name, raw in {
        "t.csv": text,
        "t.txt": text,
        "t.tsv.gz": gzip.compress(text),
        "t.csv.gz": gzip.compress(text),
    }.items():
        (tmp_path / name).write_bytes(raw)
        assert Source(tmp_path / name).table().to_pydict() == {"x": [1.5, 2.5], "y": ["a", "b"]}
    (tmp_path / "t.csv").write_bytes(gzip.compress(text))  # by another name
    assert Source(tmp_path / "t.csv").table().num_rows == 2
    with pytest.raises(EvenOddsError, match="is a folder"):
        Source(tmp_path)
    with pytest.raises(EvenOddsError, match="Save the sheet as CSV"):
        Source(tmp_path / "t.xlsx")


OTHERS = {
    "a spreadsheet or a ZIP archive": zipped(),
    "a spreadsheet or a document of Office": bytes.fromhex("d0cf11e0a1b11ae1") + bytes(100),
    "a PDF": b"%PDF-1.7\n1 0 obj",
    "a database of SQLite": b"SQLite format 3\0" + bytes(100),
    "a page of HTML": b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n",
    "packed by bzip2": bz2.compress(b"x,y\n1,2\n"),
    "packed by xz": lzma.compress(b"x,y\n1,2\n"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_text_is_told_by_what_it_is(what, packed, tmp_path):
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    path.write_bytes(gzip.compress(OTHERS[what]) if packed else OTHERS[what])
    with pytest.raises(EvenOddsError, match=f"is {what}, and no table in text. Save its table as CSV"):
        Source(path)


any_text = st.text(st.sampled_from(list("ab1290.,;\t|\"\n\r #-+?%eE\\'éß\u20ac\U0001f600\0")), max_size=60)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(any_text.map(str.encode) | any_text.map(lambda text: text.encode("utf-16")) | st.binary(max_size=40))
def test_any_bytes_are_a_table_or_one_error(raw):
    try:
        found = Delimited(raw)
        table = found.table(found.names)
        kept = found.verbatim()
    except EvenOddsError:
        return
    assert table.num_rows == kept.num_rows
    assert kept.schema.types == [pa.string()] * len(found.names)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), min_size=3, max_size=3),
        min_size=1,
        max_size=6,
    )
)
def test_kept_cells_are_those_that_were_written(rows):
    """Python's own writer, with a quote around each cell, is the oracle."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["x", "y", "z"], *rows])
    kept = Delimited(text.getvalue().encode(), Spelling(separator=",")).verbatim()
    assert np.array(kept.to_pandas(), dtype=object).tolist() == rows


TITLES = ["Report of 2024{}", "Report of 2024", "{}Report", "Report{}\n{}", "Report\n\nTaken at noon", "\nReport\n\n"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_title_above_three_names_is_left_out(separator, title, end):
    """As spreadsheets save it, with cells to its right or without; by the same table that has none."""
    rng = random.Random(separator + title)
    many = rng.randint(3, 6)
    empty = separator * (many - 1)
    rows = [[f"name{k}" for k in range(many)], *([f"{rng.random():.3f}" for _ in range(many)] for _ in range(20))]
    for row in rows[1:]:
        row[1] = rng.choice(["Genève", "two\nlines", f"a{separator}b", "no"])
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator=end).writerows(rows)
    table = out.getvalue()
    above = title.format(empty, empty).replace("\n", end) + end
    plain, titled = Delimited(table.encode()), Delimited((above + table).encode())
    assert titled.names == plain.names == rows[0]
    assert titled.table(titled.names).equals(plain.table(plain.names))
    assert any("is taken for a title" in note for note in titled.notes)
    assert not any("title" in note for note in plain.notes)


@pytest.mark.parametrize(
    "text",
    [
        "text\nhello, my, friend\nyes, it, is\n",  # one column, of text that holds commas
        "x\n1,2,3\n4,5,6\n",  # numbers are no names
        "x,,\na,b,c\nd,e,f\n",  # names are missing, and no row has a number
        "Report\na,b,c\n1,2\n3,4,5\n",  # rows are not alike
        "Report\nx,y\n1,2\n3,4\n",  # two names may be two rows of one column
    ],
)
def test_what_may_be_a_table_of_its_own_has_no_title(text):
    try:
        found = Delimited(text.encode())
        found.table(found.names)
    except NotRead:
        return
    assert not any("title" in note for note in found.notes)
    assert found.names[0] in text.splitlines()[0]
