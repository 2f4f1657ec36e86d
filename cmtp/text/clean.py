"""Cleans the white space, line ends and control characters of every text that is read."""

from __future__ import annotations

import re
from typing import Final

UNDECODABLE: Final = "\uffff"
"""Stands for a byte that could not be decoded: a Unicode noncharacter, so no real text holds it."""

_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b\u200c\u200e\u200f\u202a-\u202e\u2060\ufeff]+"
)
_LINE_END: Final = re.compile("[\x0b\x0c\x85\u2028\u2029]")
_OTHER: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u1680\u200b\u200c\u200e\u200f\u2028-\u202e\u205f\u2060\ufeff]"
)
"""Characters for which `str.split` and cleaning differ: those that cleaning removes, those that end a line, and U+1680,
which Python counts as white space and cleaning keeps."""
_SPACE: Final = "\t\xa0\u2000-\u200a\u202f\u3000"
_SPACES: Final = re.compile(f" [ {_SPACE}]+|[{_SPACE}][ {_SPACE}]*")  # a single space stays as it is: most are single
_LEAD_IN: Final = re.compile(r"(?:^|(?<=[。！？；!?;]))[^。！？；!?;\n]{0,40}[：:][\s*_]*\Z", re.MULTILINE)


def without_lead_in(text: str) -> str:
    """Drop the last sentence of a text if it only introduces what was left out, like 运行命令： before code.

    The sentence has up to 40 characters and ends with a colon. It stays where dropping it would leave a bracket, a
    quotation or emphasis open.
    """
    if text.rstrip(" *_")[-1:] not in ("：", ":"):
        return text
    rest = _LEAD_IN.sub("", text).rstrip()
    whole = all(rest.count(left) == rest.count(right) for left, right in ("()", "[]", "（）", "“”"))
    return rest if whole and rest.count("`") % 2 == rest.count("**") % 2 == 0 else text


def clean(text: str) -> str:
    """The text with one kind of line end, one space for each run of white space, and no invisible characters.

    Nothing else changes. The zero-width joiner stays, because it holds emoji together.
    """
    if text.isprintable() and "  " not in text:
        return text
    return "\n".join(_lines(text))


def _lines(text: str) -> list[str]:
    """The lines of a text, each clean.

    Python counts all characters that cleaning changes as not printable, and cleaning also changes a second space. So a
    line without a double space is clean if `str.isprintable` holds, as it does for nearly all lines.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    while "  " in text:
        text = text.replace("  ", " ")
    lines = text.split("\n")
    if all(map(str.isprintable, lines)):
        return lines
    lines = [line if line.isprintable() else _clean_line(line) for line in lines]
    return "\n".join(lines).split("\n")  # a rarer line end may have become a newline


def _clean_line(line: str) -> str:
    if not _OTHER.search(line):  # then `str.split` and cleaning agree about white space
        words = line.split()
        if not words:
            return " " if line else ""
        return f"{' ' * (words[0][0] != line[0])}{' '.join(words)}{' ' * (words[-1][-1] != line[-1])}"
    return _SPACES.sub(" ", _INVISIBLE.sub("", _LINE_END.sub("\n", line)))


def paragraphs(text: str) -> list[str]:
    """The lines of a text that are not empty, cleaned and stripped."""
    if text.isprintable() and "  " not in text:
        text = text.strip()
        return [text] if text else []
    return list(filter(None, map(str.strip, _lines(text))))


def one_line(text: str) -> str:
    """The text cleaned and on one line."""
    return " ".join(paragraphs(text))
