"""Plain text: one document per file, or a table of labelled texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cmtp.sources.document import Article
from cmtp.sources.formats.format import Content, Format, FormatItem, article_or_failure
from cmtp.sources.stream import Failure
from cmtp.text.clean import paragraphs

MAX_PLAIN_TITLE: Final = 60
"""Characters of the longest first line that is taken for a title."""

_LABELLED_ROW: Final = re.compile(
    rb"(?:[^\t]*\t){2,3}(?:-?\d(?:\.\d+)?|-|entailment|neutral|contradiction)\s*", re.IGNORECASE
)


def read_plain(text: str, origin: str, source: str) -> Article:
    """The article of a plain text file.

    The first line is the title when it is short and does not end like a sentence; otherwise there is no title: a file's
    name is not a query.
    """
    lines = paragraphs(text.removeprefix("\ufeff"))
    if lines and len(lines[0]) <= MAX_PLAIN_TITLE and lines[0][-1] not in "。！，；：,;:.":
        return Article(origin, source, lines[0], lines[1:])
    return Article(origin, source, "", lines)


def _read(content: Content) -> Iterator[FormatItem]:
    text = content.read_document()
    if isinstance(text, Failure):
        yield 1, text
    elif text is not None:
        yield 1, article_or_failure(read_plain(text, content.origin(1), content.source), text)


def _text_or_table(head: bytes) -> str:
    """Csv for rows of two texts and a label with tabs between them, as many labelled sets are published; else text."""
    lines = head.split(b"\n", 50)
    lines = [line for line in lines[:-1] if line.strip()] or lines
    return "csv" if len(lines) >= 2 and all(_LABELLED_ROW.fullmatch(line) for line in lines) else "text"


FORMAT = Format(
    "text",
    (".txt",),
    gives="documents",
    about="one document, its first line the title if it is short and not a sentence; "
    "rows of two texts and a label are read as a table",
    read=_read,
    many_records=False,
    text=True,
    in_content=_text_or_table,
    as_rows="csv",
)
