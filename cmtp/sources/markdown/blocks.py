"""Markdown text to blocks: headings, paragraphs, list items, table rows, code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

HEADING, TEXT, ITEM, ROW, CODE, RULE = range(6)
"""Kinds of blocks."""

MAX_OPEN_FENCES: Final = 16
"""Code fences without an end that are looked after in one file."""

INFO_END: Final = "INFO END"
"""The comment that ends the metadata of a law in the LawRefBook collection: text lines before it are no text."""


@dataclass(slots=True)
class MarkdownBlock:
    """A block with its raw lines; `level` is a heading's."""

    kind: int
    lines: list[str]
    level: int = 0
    quoted: bool = False


_PLAIN: Final = re.compile(r"[^\s#>\-*+=`~|<\[!_:\\\d]")
"""First character of a line that can only be paragraph text."""
_ATX: Final = re.compile(r" {0,3}(#{1,6})(?:[ \t\u3000]+(.*)|([^\s#!].*))?$")
_ATX_TIGHT: Final = re.compile(r"[\u2e80-\U0003ffff]")
_CLOSING: Final = re.compile(r"[ \t]*#+[ \t]*$")
_SETEXT: Final = re.compile(r" {0,3}(=+|-{3,})[ \t]*$")
_RULE: Final = re.compile(r" {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$")
_FENCE: Final = re.compile(r"[ \t]*(`{3,}|~{3,})([^`]*)$")
_LIST: Final = re.compile(r"[ \t]*(?:[-*+•]|(\d{1,9}[.)、]))(?:[ \t]+(?:\[[ xX]\][ \t]+)?(.*)|$)")
_ITEM_STARTS: Final = frozenset("-*+•")
_CJK: Final = re.compile(r"[\u2e80-\U0003ffff]")
_QUOTE: Final = re.compile(r" {0,3}(?:>[ \t]?)+")
_TABLE: Final = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_REFERENCE: Final = re.compile(r" {0,3}\[([^\]]+)\]:[ \t]*(.*)$")
_DESTINATION: Final = re.compile(
    r"(?:$|<|https?:|ftp:|mailto:|//|www\.|[./#]|\(|[^\s\u2e80-\U0003ffff]+(?:\s+[\"'(].*)?$)"
)
_HTML_HEADING: Final = re.compile(r"<h([1-6])\b[^>]*>(.*?)</h\1>", re.IGNORECASE)
_RAW_OPEN: Final = re.compile(r"\s*<(script|style|pre|svg|iframe|video|audio|object)\b", re.IGNORECASE)
_FRONT: Final = re.compile(r"\s*---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_FRONT_LINE: Final = re.compile(r"^[\w.-]+[ \t]*:", re.MULTILINE)
_FRONT_TITLE: Final = re.compile(r"^title[ \t]*:[ \t]*[\"']?(.*?)[\"']?[ \t]*$", re.MULTILINE | re.IGNORECASE)


def front_matter(text: str) -> tuple[str, str]:
    """The title that a YAML front matter gives (empty where there is none), and the text after it."""
    match = _FRONT.match(text) if text[:64].lstrip().startswith("---") else None
    if match is None or not _FRONT_LINE.search(match[1]):
        return "", text
    title = _FRONT_TITLE.search(match[1])
    return (title[1] if title else ""), text[match.end() :]


class Scanner:
    """Cuts a Markdown text into blocks, line by line.

    Attributes:
        blocks: in reading order.
        references: labels of the link reference definitions, in lower case.
    """

    def __init__(self) -> None:
        self.blocks: list[MarkdownBlock] = []
        self.references: set[str] = set()
        self._open: MarkdownBlock | None = None
        self._in_list = False
        self._in_table = False
        self._until: re.Pattern[str] | str | None = None
        self._code: list[str] | None = None

    def scan(self, text: str) -> None:
        """Read a whole text; its lines end with a newline alone.

        A code fence that is never closed would swallow the rest: it is taken to end at the next line that looks like a
        fence of another length, else at the next empty line.
        """
        lines = text.split("\n")
        self._scan(lines)
        for _ in range(MAX_OPEN_FENCES):
            if self._code is None:
                break
            rest, self._code, self._until = self._code, None, None
            end = next((i for i, line in enumerate(rest) if _FENCE.match(line)), None)
            if end is None:
                end = next((i for i, line in enumerate(rest) if not line.strip()), len(rest))
            self.blocks.append(MarkdownBlock(CODE, rest[:end]))
            self._scan(rest[end + 1 :])
        if self._code is not None:
            self.blocks.append(MarkdownBlock(CODE, self._code))

    def _scan(self, lines: list[str]) -> None:
        blank = True
        for line in lines:
            if self._code is not None or self._until is not None:
                self._inside(line)
                continue
            if not line or line.isspace():
                self._open, self._in_table, blank = None, False, True
                continue
            if _PLAIN.match(line) and not self._in_table and "<!--" not in line:
                self._in_list = self._in_list and not blank
                self._text(line)
            else:
                self._special(line, blank)
            blank = False

    def _inside(self, line: str) -> None:
        """A line within a fenced code block, a comment or a raw HTML element."""
        assert self._until is not None
        if isinstance(self._until, re.Pattern):
            end = bool(line) and line.lstrip(" \t>")[:1] in "`~" and bool(self._until.match(line))
        else:
            end = self._until in line.lower()
        if self._code is not None:
            if end:
                self.blocks.append(MarkdownBlock(CODE, self._code))
            else:
                self._code.append(line)
        if end:
            if self._until == "-->" and INFO_END in line:
                self._drop_metadata()
            self._code = self._until = None

    def _drop_metadata(self) -> None:
        self._open = None
        self.blocks = [block for block in self.blocks if block.kind == HEADING]

    def _text(self, line: str, quoted: bool = False) -> None:
        if self._open is None:
            self._open = MarkdownBlock(TEXT, [], quoted=quoted)
            self.blocks.append(self._open)
        self._open.lines.append(line)

    def _start(self, block: MarkdownBlock) -> None:
        self.blocks.append(block)
        self._open = None

    def _special(self, line: str, blank: bool) -> None:
        if "<!--" in line:
            marker = INFO_END in line
            line = re.sub(r"<!--.*?-->", "", line)
            if marker:
                self._drop_metadata()
            line, opened, _ = line.partition("<!--")
            if opened:
                self._until = "-->"
            if not line.strip():
                return
        quoted = False
        if line.lstrip()[:1] == ">" and (quote := _QUOTE.match(line)):
            if self._open is not None and not self._open.quoted and self._open.kind == TEXT:
                self._open = None
            line, quoted = line[quote.end() :], True
            if not line.strip():
                self._open = None
                return
        first = line.lstrip()[:1]  # decides which patterns are tried at all
        may_be_item = first in _ITEM_STARTS or first.isdigit()
        if line.startswith(("    ", "\t")) and not (first in "`~" and _FENCE.match(line)):
            if self._indented(line, blank):
                return
        elif self._open is None and self._in_list and not (may_be_item and _LIST.match(line)):
            self._in_list = False
        if not quoted and (first in "#=-<" or "<h" in line or "<H" in line) and self._heading(line):
            return
        if first in "`~" and self._fence(line):
            return
        if first in "-*_" and self._rule(line):
            return
        if self._table(line) or (first == "<" and self._raw_html(line)):
            return
        reference = _REFERENCE.match(line) if first == "[" else None
        if reference and (reference[1] == "#" or _DESTINATION.match(reference[2])):
            self.references.add(reference[1].lower())
            self._open = None
            return
        item = _LIST.match(line) if may_be_item else None
        if item and not (item[1] and self._open is not None and self._open.kind == TEXT and item[1] != "1."):
            number = f"{item[1]} " if item[1] else ""
            self._open = MarkdownBlock(ITEM, [number + (item[2] or "")], quoted=quoted)
            self.blocks.append(self._open)
            self._in_list = True
            return
        self._text(line, quoted)

    def _indented(self, line: str, blank: bool) -> bool:
        """Code, where nothing before it makes the line a continuation; whether it was taken.

        An indented line of Chinese is text that was indented, unless it begins like a comment or a command.
        """
        if self._in_list or self._open is not None:
            return False
        bare = line.strip()
        if bare[0] not in "#$/;%'\"<{" and 4 * len(_CJK.findall(bare)) > len(bare):
            return False
        last = self.blocks[-1] if self.blocks else None
        if last is not None and last.kind == CODE and last.level == 1:
            last.lines.append(line.strip())
        else:
            self.blocks.append(MarkdownBlock(CODE, [line.strip()], level=1))
        return True

    def _heading(self, line: str) -> bool:
        atx = _ATX.match(line)
        if atx and (atx[3] is None or len(atx[1]) > 1 or _ATX_TIGHT.match(atx[3]) or not self.blocks):
            text = atx[2] or atx[3] or ""
            if "#" in text:
                text = _CLOSING.sub("", text)
            self._start(MarkdownBlock(HEADING, [text], level=len(atx[1])))
            return True
        html = _HTML_HEADING.search(line) if "<" in line else None
        if html:
            self._start(MarkdownBlock(HEADING, [html[2]], level=int(html[1])))
            return True
        if self._open is None or self._open.kind != TEXT or self._in_table:
            return False
        under = _SETEXT.match(line)
        if not under:
            return False
        heading = self._open.lines[-1].strip()
        if under[1][0] == "-" and (len(self._open.lines) > 1 or len(heading) > 80 or heading[-1] in "。！；：，;:,"):
            self._start(MarkdownBlock(RULE, []))
            return True
        self._open.lines.pop()
        if not self._open.lines:
            self.blocks.pop()
        self._start(MarkdownBlock(HEADING, [heading], level=1 if under[1][0] == "=" else 2))
        return True

    def _fence(self, line: str) -> bool:
        fence = _FENCE.match(line)
        if not fence:
            return False
        self._open, self._code = None, []
        self._until = re.compile(rf"[ \t>]*{re.escape(fence[1][0])}{{{len(fence[1])},}}[ \t]*$")
        return True

    def _rule(self, line: str) -> bool:
        if not _RULE.match(line):
            return False
        self._start(MarkdownBlock(RULE, []))
        return True

    def _table(self, line: str) -> bool:
        if self._in_table:
            if "|" in line:
                self.blocks.append(MarkdownBlock(ROW, [line]))
                return True
            self._in_table = False
        if "|" in line and self._open is not None and "|" in self._open.lines[-1] and _TABLE.match(line):
            self.blocks.append(MarkdownBlock(ROW, [self._open.lines.pop()]))
            if not self._open.lines:
                del self.blocks[-2]
            self._open, self._in_table = None, True
            return True
        return False

    def _raw_html(self, line: str) -> bool:
        raw = _RAW_OPEN.match(line)
        if not raw:
            return False
        self._open = None
        closing = f"</{raw[1].lower()}"
        if closing not in line.lower() and not line.rstrip().endswith("/>"):
            self._until = closing
        return True
