"""A page's blocks: headings, paragraphs, list items, table rows, short code."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Final

from cmtp.sources.html import rules

HEADING, TEXT, ITEM, ROW, CODE = range(5)
"""Kinds of blocks."""

_RAW: Final = re.compile(
    r"<(script|style|noscript|svg|template|iframe|select|nav|footer)\b[^\">]*(?:\"[^\"]*\"[^\">]*)*>.*?</\1>|<!--.*?-->",
    re.DOTALL | re.IGNORECASE,
)
_EDIT: Final = re.compile(
    r'<span class="mw-editsection".*?\]</span></span>|<sup[^>]*>\s*\[[^\]<]*\]\s*</sup>', re.DOTALL
)
_NOTE: Final = re.compile(r"<sup\b[^>]*>(?:\s|<[^>]*>)*\[[^<\]]{1,8}\](?:\s|<[^>]*>)*?</sup>")
# LibreOffice's help names a menu for each system, and a script shows one of them: that of macOS goes.
_SWITCH: Final = re.compile(
    r'<span\b[^>]*\bclass="MAC"[^>]*>(?:[^<]|<span\b[^>]*>[^<]*</span>|<(?!/?span\b)[^>]*>)*</span>', re.DOTALL
)
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)([^\">]*(?:\"[^\"]*\"[^\">]*)*)>")
_SPACE: Final = re.compile(r"\s+")
_BREAK_IN_CHINESE: Final = re.compile(r"(?<=[\u2e80-\uffef])\s*\n\s*(?=[\u2e80-\uffef])")
_SENTENCE: Final = re.compile(r"[。！？；.!?;:：]")
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_VOID: Final = frozenset({"br", "embed", "hr", "img", "input"})

MAX_CELLS: Final = 24
"""Blocks in a table row beyond which it is a page's layout."""
MAX_LABEL_CHARS: Final = 30
"""Characters of the longest label beside a picture."""
MAX_CELL_CHARS: Final = 80
"""Characters of the longest cell of a row that is joined to a line."""


@dataclass(slots=True)
class HtmlBlock:
    """A block's text on one line, or several where a line break was set; `linked` of its characters are links."""

    kind: int
    text: str
    linked: int = 0
    level: int = 0


class _Walker:
    """Takes the tags and texts of a well-formed page one by one."""

    def __init__(self) -> None:
        self.blocks: list[HtmlBlock] = []
        self.level = 0
        self.preformatted = 0
        self.in_item = False
        self.links = 0
        self._parts: list[str] = []
        self._linked = 0
        self._rows: list[list[int]] = []

    def text(self, text: str) -> None:
        if not self._parts and not self.preformatted and (not text or text.isspace()):
            return  # the white space between two blocks
        self._parts.append(text)
        if self.links:
            self._linked += len(text)

    def flush(self) -> None:
        """End the block that is open."""
        if not self._parts:
            return
        raw, linked = "".join(self._parts), self._linked
        self._parts, self._linked = [], 0
        if self.preformatted:
            text = html.unescape(raw).strip("\n")
            if text.strip():
                self.blocks.append(HtmlBlock(CODE, text))
            return
        text = raw.strip()
        if not text:
            return
        if "\n" in text:
            text = _BREAK_IN_CHINESE.sub("", text)
        text = _SPACE.sub(" ", text)
        if "&" in text:
            text = html.unescape(text).strip()
        if text:
            kind = HEADING if self.level else ITEM if self.in_item else TEXT
            self.blocks.append(HtmlBlock(kind, text, min(linked, len(text)), self.level))

    def open(self, tag: str) -> None:
        self.flush()
        if tag in _HEADINGS:
            self.level = _HEADINGS[tag]
        elif tag == "pre":
            self.preformatted += 1
        elif tag in ("li", "dt", "dd"):
            self.in_item = True
        elif tag == "tr":
            self._rows.append([len(self.blocks), 0])
        elif tag in ("td", "th") and self._rows:
            self._rows[-1][1] += 1

    def close(self, tag: str) -> None:
        self.flush()
        if tag in _HEADINGS:
            self.level = 0
        elif tag == "pre":
            self.preformatted = max(0, self.preformatted - 1)
        elif tag in ("li", "dt", "dd", "ul", "ol", "dl"):
            self.in_item = False
        elif tag == "tr" and self._rows:
            self._end_row(*self._rows.pop())

    def _end_row(self, first: int, count: int) -> None:
        """Join the `count` cells of a row of data; drop one that is a label beside a picture (an icon and its name).

        A row that holds headings or long texts, or several blocks in one cell, is the page's layout.
        """
        if count > 1 and len(self.blocks) == first + 1 and self.blocks[-1].kind == TEXT:
            if len(self.blocks[-1].text) <= MAX_LABEL_CHARS and not _SENTENCE.search(self.blocks[-1].text):
                self.blocks.pop()
            return
        cells = self.blocks[first : first + MAX_CELLS + 1] if len(self.blocks) - first > 1 else []
        if not cells or len(cells) > min(count, MAX_CELLS) or any(c.kind in (HEADING, CODE) for c in cells):
            return
        if max(len(cell.text) for cell in cells) > MAX_CELL_CHARS:
            return
        text = " ".join(cell.text for cell in cells)
        self.blocks[first:] = [HtmlBlock(ROW, text, sum(cell.linked for cell in cells))]


def page_blocks(markup: str, by_class: bool = True) -> list[HtmlBlock]:
    """The blocks of a page, navigation and the like left out.

    Args:
        markup: the body as a parser writes it: every element closed, ``<`` in text escaped.
        by_class: whether all class names decide, too, or elements and the few classes that never hold text.
    """
    if "mw-editsection" in markup or "<sup" in markup:
        markup = _NOTE.sub("", _EDIT.sub("", markup))
    if 'class="switchinline"' in markup:
        markup = _SWITCH.sub("", markup)
    markup = rules.INLINE.sub("", _RAW.sub("", markup))
    left_out = rules.is_boilerplate if by_class else rules.is_index
    walker = _Walker()
    skipping, depth = "", 0
    parts = iter(_TAG.split(markup))  # text, then slash, tag, attributes and text over and over: faster than finditer
    walker.text(next(parts))
    for slash, tag, attributes, text in zip(parts, parts, parts, parts, strict=True):
        if skipping:
            if tag != skipping:
                continue
            depth += -1 if slash else 1
            if depth:
                continue
            skipping = ""
        elif tag == "a":
            if slash:
                walker.links = 0
            elif "href=" in attributes:
                walker.links = 1
        elif slash:
            if tag in rules.BLOCK_TAGS:
                walker.close(tag)
        elif tag in rules.SKIPPED_TAGS or (tag not in _NEVER and left_out(attributes)):
            if tag not in _VOID:
                skipping, depth = tag, 1
                continue
        elif tag == "br" and walker.preformatted:
            walker.text("\n")
        elif tag == "rt":
            walker.text("（")
        elif tag in rules.BLOCK_TAGS:
            walker.open(tag)
        if text:
            walker.text(text)
    walker.flush()
    return walker.blocks


_NEVER: Final = frozenset(
    ("html", "body", "main", "article", "h1", "h2", "h3", "h4", "h5", "h6", "a", "p", "tr", "li", "br")
)
"""Elements whose class is not asked: too much hangs on them, or too little."""
