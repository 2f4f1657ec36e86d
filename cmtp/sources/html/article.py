"""An HTML page as an Article."""

from __future__ import annotations

import re
from typing import Final

from resiliparse.parse.html import HTMLTree

from cmtp.sources.document import Article, Section
from cmtp.sources.html import rules
from cmtp.sources.html.blocks import CODE, HEADING, ITEM, HtmlBlock, page_blocks
from cmtp.sources.markdown.boilerplate import MAX_CODE_CHARS, MAX_CODE_LINES, is_navigation
from cmtp.text.clean import one_line, paragraphs, without_lead_in

_TITLE: Final = re.compile(r"<title\b[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_XHTML: Final = re.compile(
    r"<((?!(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)\b)[a-zA-Z]\w*)((?:\s[^<>]*)?)/>"
)
_SENTENCE: Final = re.compile(r"[。！？；!?;…]|[.:：](?:\s|$)")
_BARE: Final = re.compile(r"[\W_]+")

MIN_CONTENT: Final = 200
"""Characters below which what the class names called navigation is looked at again."""
RECOVERED: Final = 4
"""How many times as much text there must then be for it to be taken."""
LINKED: Final = 0.7
"""Share of a block's characters in links from which it is a list of links, unless it holds a sentence."""
MAX_TITLE: Final = 150
"""Characters of the longest title."""


def read_html(text: str, origin: str, source: str) -> Article:
    """The article a page holds; title, lead and sections may each be empty.

    The title is the heading that the page's ``<title>`` names, else the first ``<h1>``, else a heading with no text
    before it, else ``<title>`` without the site's name. What stands before the title's heading is no text of the
    article. Navigation, forms, footers, captions, code of more than two lines and lists of links are left out.
    """
    if text[:200].lstrip("\ufeff \r\n\t").startswith("<?xml"):
        text = _XHTML.sub(r"<\1\2></\1>", text)
    tree = HTMLTree.parse(text)
    body = tree.body
    markup = body.html if body is not None else ""
    blocks = _content(page_blocks(markup))
    if _size(blocks) < MIN_CONTENT:
        all_blocks = _content(page_blocks(markup, by_class=False))
        if _size(all_blocks) >= RECOVERED * max(_size(blocks), 1):
            blocks = all_blocks
    title, rest = _title(one_line(tree.title or ""), blocks)
    lead: list[str] = []
    sections: list[Section] = []
    into = lead
    for block in rest:
        if block.kind == HEADING:
            heading = rules.NUMBER.sub("", one_line(block.text)).rstrip(":：")
            if heading:
                into = []
                sections.append(Section(block.level, heading, into))
        else:
            into.extend(paragraphs(block.text))
    sections = [section for section in sections if not is_navigation(section.heading)]
    return Article(origin, source, title, lead, sections)


def _size(blocks: list[HtmlBlock]) -> int:
    return sum(len(block.text) for block in blocks if block.kind != HEADING)


def _content(blocks: list[HtmlBlock]) -> list[HtmlBlock]:
    """Without lists of links, lines of credits and long code, nor the words that only lead to them."""
    kept: list[HtmlBlock] = []
    for block in blocks:
        if block.kind == HEADING or not _is_navigation(block):
            kept.append(block)
        elif kept and kept[-1].kind != HEADING:
            kept[-1].text = without_lead_in(kept[-1].text)
            if not kept[-1].text:
                kept.pop()
    return kept


def _is_navigation(block: HtmlBlock) -> bool:
    text = block.text
    if block.kind == CODE:
        lines = [line for line in text.split("\n") if line.strip()]
        chinese = sum(char >= "\u2e80" for char in text)
        return 4 * chinese <= len(text) and (len(lines) > MAX_CODE_LINES or len(text) > MAX_CODE_CHARS)
    if rules.is_boilerplate_line(text):
        return True
    return block.linked >= LINKED * len(text) and not (_SENTENCE.search(text) and block.kind != ITEM)


def _bare(text: str) -> str:
    return _BARE.sub("", text).lower()


def _title(page_title: str, blocks: list[HtmlBlock]) -> tuple[str, list[HtmlBlock]]:
    """The title, and the blocks after it."""
    found = _title_at(page_title, blocks)
    parts = [part for part in rules.SITE.split(page_title) if part.strip()]
    if found is None:
        title = max(parts, key=len, default="")
        return rules.NUMBER.sub("", title)[:MAX_TITLE], blocks
    return rules.NUMBER.sub("", one_line(blocks[found].text))[:MAX_TITLE], blocks[found + 1 :]


def _title_at(page_title: str, blocks: list[HtmlBlock]) -> int | None:
    """Where the title's heading is; None where no heading is it."""
    headings = [(index, block) for index, block in enumerate(blocks) if block.kind == HEADING][:20]
    parts = {_bare(part) for part in rules.SITE.split(page_title)}
    longest = max(map(len, parts), default=0)
    names = (parts | {_bare(page_title)}) - {""}
    named = [(len(block.text), -index) for index, block in headings if _bare(block.text) in names]
    if named and 2 * max(named)[0] >= longest:
        return -max(named)[1]
    top = [index for index, block in headings if block.level == 1]
    if top:
        return top[0]
    if headings and not any(len(block.text) > rules.MAX_LINE for block in blocks[: headings[0][0]]):
        return headings[0][0]
    return None
