"""Files that are one document each: their text, and the article of a plain text file."""

from __future__ import annotations

from typing import Final

from cmtp.sources.document import Article
from cmtp.sources.encoding import decode, near_undecodable
from cmtp.sources.stream import Failure, Stream, read_up_to
from cmtp.text.clean import UNDECODABLE, paragraphs

MAX_TITLE: Final = 60
"""Characters of the longest first line that is taken for a title."""


def read_plain(text: str, origin: str, source: str) -> Article:
    """The article of a plain text file.

    The first line is the title when it is short and does not end like a sentence; otherwise there is none: a file name
    is no query.
    """
    lines = paragraphs(text.removeprefix("\ufeff"))
    if lines and len(lines[0]) <= MAX_TITLE and lines[0][-1] not in "。！，；：,;:.":
        return Article(origin, source, lines[0], lines[1:])
    return Article(origin, source, "", lines)


def read_text(stream: Stream, encoding: str, longest: int) -> str | Failure:
    """A whole file as text, or why not."""
    data = read_up_to(stream, longest)
    if len(data) > longest:
        return Failure("unsupported_format", {"error": f"one document of more than {longest} bytes"})
    text = decode(data, encoding)
    if UNDECODABLE in text:
        return Failure("undecodable", {"encoding": encoding, "near": near_undecodable(text)})
    return text
