"""The bytes of a file as UTF-8, whatever encoding they are in, where that can be decided.

A byte-order mark decides, and so do zeros in every other byte. What is valid UTF-8 is UTF-8. Of the encodings of one
byte a character only Windows-1252 (of which Latin-1 is a part) is taken unasked, and only for text that looks like it:
letters with accents stand alone among others, and signs are not within words.
"""

import codecs
import mmap
import re
from typing import Any, TypeAlias

from ..exceptions import EvenOddsError

Bytes: TypeAlias = bytes | bytearray | memoryview | mmap.mmap

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark begins it
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SEVEN_BITS = ("utf-7", "hz", "iso2022")  # which all look like ASCII
_CHUNK = 1 << 20
_SAMPLE = 1 << 12
# What there is none of in text in Windows-1252: bytes that it has no character for; words in letters beyond ASCII; a
# sign, or a capital with an accent, between two letters; signs among signs and accents, but for quotes and dashes.
_NOT_1252 = re.compile(
    rb"[\x81\x8d\x8f\x90\x9d]|[\xc0-\xff]{3}|[\xa1-\xff]{4}|"
    rb"[A-Za-z][\x80\x82\x84\x86-\x89\x8b\x93-\x95\x98\x99\x9b\xa1-\xa9\xab\xac\xae-\xb6\xb8\xb9\xbb-\xbf\xd7\xf7][A-Za-z]|"
    rb"[A-Za-z][\x8a\x8c\x8e\x9f][a-z]|[a-z][\xc0-\xd6\xd8-\xde][a-z]|"
    rb"(?![\x85\x91-\x97]{3})[\x80-\x9f]{3}|(?!\x93.\x94|\x91.\x92)[\x80-\x9f][\xc0-\xff][\x80-\x9f]|"
    rb"[\x82\x83][\x40-\x7e\x80-\xfc][\x82\x83]"
)


class UndecidedEncoding(Exception):
    """Nobody knows what a byte means.

    place : of the byte
    why : in words
    """

    def __init__(self, place: int, why: str) -> None:
        super().__init__(why)
        self.place, self.why = place, why


def to_utf8(raw: Bytes, encoding: str | None = None, habit: str | None = None) -> tuple[Any, str]:
    """The text of `raw` in UTF-8, without a byte-order mark, and the encoding that it was in.

    raw : bytes, or a memory map
    encoding : its name, if somebody has said it
    habit : that of earlier files, for text that has no mark and is not UTF-8

    Raises
    ------
    UndecidedEncoding
        Where a byte cannot be read, or can be read in two ways.
    """
    mark, found = next(((bom, name) for bom, name in BOMS if raw[: len(bom)] == bom), (b"", None))
    name = _known(encoding) if encoding is not None else found or _by_zeros(bytes(raw[:_SAMPLE]))
    if name.startswith(("utf-16", "utf-32")) and found is not None and found.startswith(name):
        name = found  # of which "utf-16" does not say the order of its bytes
    first = len(mark) if found == name else 0
    if name == "utf-8":
        bad = _first_not_utf8(raw, first)
        usual = "" if habit is None or encoding is not None or found is not None else _known(habit)
        if bad is None and not usual.startswith(_SEVEN_BITS):
            return memoryview(raw)[first:], name
        if bad is not None and (encoding is not None or found is not None):
            raise UndecidedEncoding(bad, "is not UTF-8 there")
        name = usual if _extends_ascii(usual) else _of_one_byte(bytes(raw), bad or 0)
    try:
        return bytes(raw)[first:].decode(name).encode(), name
    except UnicodeDecodeError as error:
        raise UndecidedEncoding(first + error.start, f"is not {name} there") from None
    except UnicodeEncodeError:
        raise UndecidedEncoding(first, f"holds what is no text in {name}") from None


def _extends_ascii(name: str) -> bool:
    """Whether ASCII is the same in an encoding; UTF-16 would make signs of any other text."""
    try:
        return name not in ("", "utf-8") and b"a,1\n".decode(name) == "a,1\n"
    except UnicodeDecodeError:
        return False


def _known(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        b"".decode(name)
    except (LookupError, ValueError):
        raise EvenOddsError(
            f"There is no encoding {encoding!r}. There are utf-8, utf-16, cp1252, latin-1, cp1250, cp1251, gb18030, "
            "shift-jis and others."
        ) from None
    return {"utf-8-sig": "utf-8"}.get(name, name)


def _by_zeros(sample: bytes) -> str:
    """UTF-16 without a mark has a zero in every other byte, as most of its text is ASCII; UTF-8 has none."""
    half = len(sample) // 2
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if odd > 0.7 * half and even < 0.1 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 * half and odd < 0.1 * half else "utf-8"


def _first_not_utf8(raw: Bytes, first: int) -> int | None:
    """The place of the first byte that is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(first, len(raw), _CHUNK):
        end = min(start + _CHUNK, len(raw))
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(raw[start:end], final=end == len(raw))
        except UnicodeDecodeError as error:
            return start - pending + error.start
    return None


def _of_one_byte(raw: bytes, bad: int) -> str:
    """Windows-1252, where it cannot be another encoding."""
    text = raw.decode("utf-8", "surrogateescape")
    if any("\x7f" < letter < "\ud800" or letter > "\udfff" for letter in set(text)):
        raise UndecidedEncoding(bad, "is UTF-8 in other places, and not there")
    other = _NOT_1252.search(raw)
    if other is not None:
        raise UndecidedEncoding(other.start(), "is neither UTF-8 nor, by its look, Windows-1252 (cp1252)")
    return "cp1252"
