"""Markdown: one document per file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cmtp.sources.formats.format import (
    Beginning,
    Certainty,
    Content,
    Format,
    FormatItem,
    article_or_failure,
    holds_nul,
)
from cmtp.sources.markdown.article import read_markdown
from cmtp.sources.stream import Failure

_HEADING: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*#{1,6} \S")


def _read(content: Content) -> Iterator[FormatItem]:
    text = content.read_document()
    if isinstance(text, Failure):
        yield 1, text
    elif text is not None:
        yield 1, article_or_failure(read_markdown(text, content.origin(1), content.source), text)


def _fits(head: bytes) -> bool:
    return not holds_nul(head) and bool(_HEADING.match(head))


FORMAT = Format(
    "markdown",
    (".md",),
    gives="documents",
    about="one document: title, text before the first heading, a section per heading of any level",
    read=_read,
    aliases=(".markdown",),
    many_records=False,
    text=True,
    begins=Beginning(_fits, Certainty.GUESS),
)
