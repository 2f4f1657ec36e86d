"""A Markdown file as an Article."""

from __future__ import annotations

import re
from typing import Final

from cmtp.sources.document import Article, Section
from cmtp.sources.markdown.blocks import CODE, HEADING, ROW, Scanner, front_matter
from cmtp.sources.markdown.boilerplate import is_navigation, strip
from cmtp.sources.markdown.inline import plain
from cmtp.text.clean import paragraphs as clean_lines

_ANCHOR: Final = re.compile(r"\s*\{#[^{}\s]*\}\s*$")
"""The name of a heading's link, as VuePress and Pandoc write it: 插槽 {#slots}."""
_SPACED: Final = re.compile(r"(?<!\S)([\u4e00-\u9fff])\s+([\u4e00-\u9fff])(?!\S)")


def read_markdown(text: str, origin: str, source: str) -> Article:
    """The article a Markdown text holds; title, lead and sections may each be empty.

    The title is the first heading where nothing but credits stands before it, joined with a heading of the top level
    that follows at once (a code of law and its book); else the front matter's. A table's cells are joined by spaces.
    """
    front_title, text = front_matter(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"))
    scanner = Scanner()
    scanner.scan(text)
    title, lead = "", list[str]()
    sections: list[Section] = []
    paragraphs = lead
    top = 1
    for block in strip(scanner.blocks):
        if block.kind == HEADING:
            heading = _heading(block.lines, scanner.references)
            if not heading:
                continue
            if not title and not lead and not sections:
                title, top = heading, block.level
            elif block.level == top and not lead and not sections:
                title = title if heading == title else f"{title} {heading}"
            else:
                paragraphs = []
                sections.append(Section(block.level, heading, paragraphs))
        elif block.kind == CODE:
            paragraphs.extend(clean_lines("\n".join(block.lines)))
        else:
            lines = [_cells(block.lines[0])] if block.kind == ROW else block.lines
            shown = plain(lines, scanner.references)
            if shown:
                paragraphs.extend(shown.split("\n"))
    sections = [section for section in sections if not is_navigation(section.heading)]
    return Article(origin, source, title or _heading([front_title], set()), lead, sections)


def _heading(lines: list[str], references: set[str]) -> str:
    """A heading's text on one line; characters spaced out for looks (总 则) are joined."""
    text = _ANCHOR.sub("", plain(lines, references))
    return _SPACED.sub(r"\1\2", text.replace("\n", " ")).strip() if " " in text or "\n" in text else text


def _cells(row: str) -> str:
    return " ".join(filter(None, (cell.strip() for cell in row.strip().strip("|").split("|"))))
