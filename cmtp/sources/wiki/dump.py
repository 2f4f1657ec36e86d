"""The pages of a MediaWiki XML dump, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

from cmtp.sources.stream import CHUNK, Failure, Stream

MAX_TEXT: Final = 16 << 20
"""Characters of the longest page that is read."""

_FIELDS: Final = frozenset({"title", "ns", "text"})


@dataclass(slots=True)
class WikiPage:
    """A page: its namespace (0 holds the articles), title, wikitext and what it redirects to."""

    namespace: str = ""
    title: str = ""
    text: str = ""
    redirect: str | None = None
    too_long: bool = False


class _Pages:
    """Handlers of the XML parser; finished pages gather in `done`."""

    def __init__(self) -> None:
        self.done: list[WikiPage] = []
        self._page: WikiPage | None = None
        self._field = ""
        self._parts: list[str] = []
        self._size = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "page":
            self._page = WikiPage()
        elif self._page is not None:
            if name == "redirect":
                self._page.redirect = attributes.get("title", "")
            elif name in _FIELDS:
                self._field, self._parts, self._size = name, [], 0

    def data(self, text: str) -> None:
        if self._field:
            self._size += len(text)
            if self._size <= MAX_TEXT:
                self._parts.append(text)

    def end(self, name: str) -> None:
        if self._page is None:
            return
        if name == "page":
            self.done.append(self._page)
            self._page = None
        elif name == self._field:
            value = "".join(self._parts)
            if name == "title":
                self._page.title = value
            elif name == "ns":
                self._page.namespace = value.strip()
            else:
                self._page.text, self._page.too_long = value, self._size > MAX_TEXT
            self._field = ""

    def refuse(self, *_: object) -> None:
        raise ValueError("a dump declares no entities")


def read_dump(stream: Stream) -> Iterator[tuple[int, WikiPage | Failure]]:
    """The pages of a dump, numbered from 1 whatever their namespace; a fault in the XML ends it with a Failure."""
    pages = _Pages()
    parser = expat.ParserCreate()
    parser.buffer_text, parser.buffer_size = True, CHUNK
    parser.StartElementHandler, parser.EndElementHandler = pages.start, pages.end
    parser.CharacterDataHandler, parser.EntityDeclHandler = pages.data, pages.refuse
    number, failure, ended = 0, None, False
    while not ended and failure is None:
        data = stream.read(CHUNK)
        ended = not data
        if ended and stream.failure is not None:
            break  # whoever opened the stream reports it
        try:
            parser.Parse(data, ended)
        except (expat.ExpatError, ValueError) as error:
            failure = Failure("bad_xml", {"error": str(error)[:200], "pages_before": number + len(pages.done)})
        for page in pages.done:
            number += 1
            yield number, page
        pages.done.clear()
    if failure is not None:
        yield number + 1, failure
