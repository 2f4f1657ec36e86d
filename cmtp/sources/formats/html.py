"""HTML: one document per page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cmtp.sources.formats.format import Beginning, Certainty, Content, Format, FormatItem, article_or_failure
from cmtp.sources.html.article import read_html
from cmtp.sources.html.text import MAX_PAGE, page_text
from cmtp.sources.stream import Failure, read_up_to

_START: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html\b)", re.IGNORECASE | re.DOTALL
)


def begins_as_html(head: bytes) -> bool:
    """Whether content that begins with these bytes is a page."""
    return bool(_START.match(head))


def _read(content: Content) -> Iterator[FormatItem]:
    data = read_up_to(content.stream, MAX_PAGE)
    if content.stream.failure is not None:
        return  # half a page is none
    if len(data) > MAX_PAGE:
        yield 1, Failure("too_long", {"longest": MAX_PAGE})
        return
    text, content.encoding = page_text(data)
    if isinstance(text, Failure):
        yield 1, text
    else:
        yield 1, article_or_failure(read_html(text, content.origin(1), content.source), text)


FORMAT = Format(
    "html",
    (".html",),
    gives="documents",
    about="one document, as Markdown; navigation, forms, footers, captions, lists of links and code over two lines are "
    "left out",
    read=_read,
    aliases=(".htm", ".xhtml", ".shtml"),
    many_records=False,
    begins=Beginning(begins_as_html, Certainty.SIGNATURE),
)
