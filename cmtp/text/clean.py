"""White space and control characters: the one cleaning every text gets when it is read."""

from __future__ import annotations

import re
from typing import Final

UNDECODABLE: Final = "\uffff"
"""Stands for a byte that could not be decoded: a Unicode noncharacter, so no real text holds it."""

_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b\u200c\u200e\u200f\u202a-\u202e\u2060\ufeff]+"
)
_LINE_END: Final = re.compile("[\x0b\x0c\x85\u2028\u2029]")
_SPACE: Final = "\t\xa0\u2000-\u200a\u202f\u3000"
_SPACES: Final = re.compile(f" [ {_SPACE}]+|[{_SPACE}][ {_SPACE}]*")  # a single space is not touched: most are single
_LEAD_IN: Final = re.compile(r"(?:^|(?<=[。！？；!?;]))[^。！？；!?;\n]{0,40}[：:][\s*_]*\Z", re.MULTILINE)


def without_lead_in(text: str) -> str:
    """Without the short sentence at its end that leads to code, an image or a list that is left out (运行命令：)."""
    if text.rstrip(" *_")[-1:] not in ("：", ":"):
        return text
    rest = _LEAD_IN.sub("", text).rstrip()
    whole = all(rest.count(left) == rest.count(right) for left, right in ("()", "[]", "（）", "“”"))
    return rest if whole and rest.count("`") % 2 == rest.count("**") % 2 == 0 else text


def clean(text: str) -> str:
    """One kind of line end, one space for a run of white space, no invisible characters; nothing else is changed.

    The zero-width joiner stays: it holds emoji together.
    """
    if text.isprintable() and "  " not in text:
        return text
    return "\n".join(_lines(text))


def _lines(text: str) -> list[str]:
    """The lines of a text, each clean. Nearly all are so already, which Python's own test sees at once: whatever is to
    be changed is not printable, but for a second space.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return [line if line.isprintable() and "  " not in line else _clean_line(line) for line in text.split("\n")]


def _clean_line(line: str) -> str:
    return _SPACES.sub(" ", _INVISIBLE.sub("", _LINE_END.sub("\n", line)))


def paragraphs(text: str) -> list[str]:
    """The lines of a text, cleaned and stripped, without the empty ones."""
    lines = clean(text).split("\n")
    return [stripped for line in lines if (stripped := line.strip())]


def one_line(text: str) -> str:
    """The text cleaned and on one line."""
    return " ".join(paragraphs(text))
