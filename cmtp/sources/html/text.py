"""The bytes of a page as text, and the lines of a WET record."""

from __future__ import annotations

import codecs
import re
from typing import Final

from cmtp.sources.document import Article
from cmtp.sources.encoding import HEAD_BYTES, decode, detect, near_undecodable
from cmtp.sources.html import rules
from cmtp.sources.stream import Failure
from cmtp.text.clean import UNDECODABLE, paragraphs

_META: Final = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_SAME: Final = {"gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "big5": "big5hkscs", "x-sjis": "shift_jis"}
_FOREIGN: Final = frozenset({"shift_jis", "euc_jp", "iso2022_jp", "euc_kr", "cp949", "cp1251", "koi8-r"})
"""Encodings that are believed when a page declares them: its bytes alone may pass for GB18030."""
_LATIN: Final = "cp1252"

MAX_PAGE: Final = 16 << 20
"""Bytes of the largest page that is read, as sent and as decoded; a larger one is rejected."""
MAX_BROKEN: Final = 0.001
"""Share of characters that may be undecodable: pages hold stray bytes, which then leave a space."""
MIN_LINE: Final = 20
"""A line of a WET record with fewer characters and no sentence in it is navigation."""
_SENTENCE: Final = re.compile(r"[。！？；!?;…]|[.:：](?:\s|$)|，.*，")


def page_text(data: bytes, charset: str = "") -> tuple[str | Failure, str]:
    """A page's text (or why there is none), and the name of its encoding.

    A byte order mark decides, then the bytes themselves; what the server or the page says is asked where they do not
    (a head of ASCII alone, no Chinese encoding) or where it names one of another script.
    """
    head = data[:HEAD_BYTES]
    declared = _known(charset) or _known(_declared(head))
    found = detect(head)
    if found is None or (declared in _FOREIGN and found != "utf-8") or (head.isascii() and declared):
        found = declared or found
    if found is None:
        return Failure("undecodable", {"declared": charset, "head": head[:32].hex()}), ""
    text = decode(data, found)
    broken = text.count(UNDECODABLE)
    if broken > MAX_BROKEN * len(text):
        return Failure("undecodable", {"encoding": found, "near": near_undecodable(text), "bytes": broken}), found
    return (text.replace(UNDECODABLE, " ") if broken else text), found


def _declared(head: bytes) -> str:
    found = _META.search(head)
    return found[1].decode("ascii") if found else ""


def _known(name: str) -> str:
    """The codec a page means by a charset's name; empty where there is none."""
    if not name:
        return ""
    name = _SAME.get(name.lower(), name.lower())
    try:
        codec = codecs.lookup(name)
    except LookupError:
        return ""
    known = _SAME.get(codec.name, codec.name)
    return _LATIN if known in ("iso8859-1", "ascii") else known


def read_wet(text: str, origin: str, source: str) -> Article:
    """The article of a WET record, a page's text without its markup: the first line is the title.

    Short lines without a sentence are the page's navigation; they are left out.
    """
    lines = paragraphs(text)
    parts = [part for part in rules.SITE.split(lines[0]) if part.strip()] if lines else []
    title = max(parts, key=len, default="")
    kept = [line for line in lines[1:] if _is_text(line)]
    return Article(origin, source, title if len(title) <= rules.MAX_LINE else "", kept)


def _is_text(line: str) -> bool:
    return len(line) >= MIN_LINE and bool(_SENTENCE.search(line)) and not rules.is_boilerplate_line(line)
