"""MediaWiki dumps: a document per article."""

from __future__ import annotations

from collections.abc import Iterator

from cmtp.sources.formats.format import (
    Beginning,
    Certainty,
    Content,
    Format,
    FormatItem,
    article_or_failure,
    holds_nul,
)
from cmtp.sources.formats.html import begins_as_html
from cmtp.sources.stream import Failure
from cmtp.sources.wiki.article import no_article, read_wiki
from cmtp.sources.wiki.dump import read_dump


def _read(content: Content) -> Iterator[FormatItem]:
    for number, page in read_dump(content.stream):
        if isinstance(page, Failure):
            yield number, page
            continue
        failure = no_article(page)
        if failure is not None:
            yield number, failure
        else:
            article = read_wiki(page.title, page.text, content.origin(number), content.source)
            yield number, article_or_failure(article, page.text)


def _dump_or_page(head: bytes) -> str | None:
    """A .xml file is a dump, a page, or XML that is not read."""
    if b"<mediawiki" in head:
        return "mediawiki"
    return "html" if begins_as_html(head) else None


def _fits(head: bytes) -> bool:
    return not holds_nul(head) and b"<mediawiki" in head[:4096]


FORMAT = Format(
    "mediawiki",
    (".xml",),
    gives="documents",
    about="a document per article; templates, tables, references, files and categories are left out",
    read=_read,
    begins=Beginning(_fits, Certainty.GUESS),
    in_content=_dump_or_page,
    kind_of="MediaWiki dumps",
)
