"""Statutes: every 第…条 becomes a section of its chapter."""

from __future__ import annotations

import re
from typing import Final

from cmtp.sources.document import Article, Section

_NUMBER: Final = "[一二三四五六七八九十百千零〇○两0-9０-９]+"
_ARTICLE: Final = re.compile(rf"(第{_NUMBER}条(?:之{_NUMBER})?)(?:[\s：:、]+|(?=[【（(])|$)")
_DIVISION: Final = re.compile(rf"第{_NUMBER}(编|分编|篇|章|节)(?:\s.{{0,60}})?$")
# Levels below those of Markdown headings: files often set 章 and 节 on one level, or the wrong way round.
_LEVEL: Final = {"编": 11, "篇": 11, "分编": 12, "章": 13, "节": 14}
_ARTICLE_LEVEL: Final = 15

_UNNUMBERED: Final = re.compile(
    r"(?![（(]|第|附(?! ?则)|本|[一二三四五六七八九十]+、)[^。，；：！？…（）()，.,;:!?0-9０-９×]{2,20}"
)
"""A line that may be the title of a chapter whose number was lost: 法律责任."""
_SENTENCE_END: Final = tuple("。！？.!?）)")
"""No semicolon: what follows one is the next item of a list."""

_PASSED: Final = re.compile(
    r"[（(]?\s*\d{4}\s*年\s*\d{1,2}\s*月\s*\d{1,2}\s*日.*(?:通过|公布|修正|修订|批准|发布|施行|颁布)(?:的?决定)?\s*[）)]|"
    r"法释〔\d{4}〕\d+号"
)
MIN_ARTICLES: Final = 3
"""A text with fewer paragraphs that begin with 第…条 only quotes a statute."""
MIN_SHARE: Final = 0.1
"""… and so does one where fewer of the paragraphs do; an article has seldom more than ten paragraphs."""


def split_statute(article: Article) -> Article:
    """The article with a section per 第…条 (and per chapter line within the text) where it is a statute, else itself.

    It is recognised by its structure alone. The number is the section's heading and leaves the text.
    """
    texts = [article.lead, *(section.paragraphs for section in article.sections)]
    numbered = [paragraph for text in texts for paragraph in text if paragraph[0] == "第"]
    count = sum(map(bool, map(_ARTICLE.match, numbered)))
    if count < MIN_ARTICLES or count < MIN_SHARE * sum(map(len, texts)):
        return article
    lead, sections = _split(_without_notes(article.lead))
    for section in article.sections:
        own, inner = _split(section.paragraphs)
        division = _DIVISION.match(section.heading)
        sections.append(Section(_LEVEL[division[1]] if division else section.level, section.heading, own))
        sections.extend(inner)
    return Article(article.origin, article.source, article.title, lead, _without_contents(sections), article.summary)


def _without_notes(lead: list[str]) -> list[str]:
    """Without the notes below the title that say who passed the statute, and when."""
    return [paragraph for paragraph in lead if not _PASSED.fullmatch(paragraph)]


def _without_contents(sections: list[Section]) -> list[Section]:
    """Without the chapter lines of a table of contents: there again further on, with neither text nor article below."""
    last = {section.heading: index for index, section in enumerate(sections)}
    return [
        section
        for index, section in enumerate(sections)
        if section.paragraphs or last[section.heading] == index or is_statute_article(sections[index + 1])
    ]


def is_statute_article(section: Section) -> bool:
    """Whether a section is one that `split_statute` made of a 第…条."""
    return section.heading[0] == "第" and bool(_ARTICLE.fullmatch(section.heading))


def _split(paragraphs: list[str]) -> tuple[list[str], list[Section]]:
    """The paragraphs before the first 第…条 or chapter line, and the sections from there on."""
    before: list[str] = []
    sections: list[Section] = []
    for place, paragraph in enumerate(paragraphs):
        if paragraph[0] == "第":
            start = _ARTICLE.match(paragraph)
            if start:
                rest = paragraph[start.end() :].strip()
                sections.append(Section(_ARTICLE_LEVEL, start[1], [rest] if rest else []))
                continue
            division = _DIVISION.match(paragraph)
            if division:
                sections.append(Section(_LEVEL[division[1]], paragraph, []))
                continue
        elif _is_chapter_title(paragraphs, place):
            sections.append(Section(_LEVEL["章"], paragraph, []))
            continue
        (sections[-1].paragraphs if sections else before).append(paragraph)
    return before, sections


def _is_chapter_title(paragraphs: list[str], place: int) -> bool:
    """Whether a paragraph is a chapter's title without its number: a short line between a sentence and an article."""
    return (
        place + 1 < len(paragraphs)
        and bool(_UNNUMBERED.fullmatch(paragraphs[place]))
        and bool(_ARTICLE.match(paragraphs[place + 1]))
        and (place == 0 or paragraphs[place - 1].endswith(_SENTENCE_END))
    )
