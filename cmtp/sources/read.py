"""Reads one raw file, or a part of a large one, into Documents and Broken records."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import IO, Any, Final

from cmtp.recipe import SourceMapping
from cmtp.sources import archive, formats, records
from cmtp.sources.document import Article, Broken, Document
from cmtp.sources.encoding import HEAD, detect
from cmtp.sources.html.article import read_html
from cmtp.sources.html.text import page_text, read_wet
from cmtp.sources.layouts import columns_for, read_record
from cmtp.sources.markdown.article import read_markdown
from cmtp.sources.plain import read_plain, read_text
from cmtp.sources.separated import read_csv
from cmtp.sources.stream import CHUNK, Failure, Guarded, RawStream, Stream, open_url, read_up_to
from cmtp.sources.table import read_parquet
from cmtp.sources.warc import MAX_PAGE, read_warc
from cmtp.sources.wiki.article import no_article, read_wiki
from cmtp.sources.wiki.dump import WikiPage, read_dump

MAX_DOCUMENT: Final = 64 << 20
"""Bytes of the largest file that is read as one document."""


@dataclass(frozen=True)
class Part:
    """What a reader is given: a file, or a range of one.

    Attributes:
        url: local path or fsspec URL.
        path: relative to the raw folder; the origin's first half.
        source: name of the source.
        bytes: size of the file.
        mtime_ns: when the file was last changed; makes a task differ when its file does.
        start: first byte of the range.
        stop: byte after the range.
        newlines: newlines before `start` (JSONL).
        groups: first and last + 1 row group (Parquet); None for all.
        role: what the file is to a collection in several files; empty for one that stands alone.
    """

    url: str
    path: str
    source: str
    bytes: int
    mtime_ns: int
    start: int
    stop: int
    newlines: int = 0
    groups: tuple[int, int] | None = None
    role: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A record as it stands, of a file that is one of several of a collection."""

    origin: str
    values: dict[str, Any]


def find_mapping(path: str, mappings: list[SourceMapping]) -> SourceMapping | None:
    """The first of the recipe's mappings whose glob fits the path."""
    return next((mapping for mapping in mappings if fnmatch(path, mapping.files)), None)


class PartReader:
    """Iterating gives the part's Documents and Broken records; afterwards the attributes tell what was read.

    Attributes:
        encoding: of the file's text; None where it holds none, or its members tell for themselves (archives).
        records: documents and broken records given.
        digest: xxh3-128 of the part's bytes, in hex.
        bytes: number of those bytes.
    """

    def __init__(self, part: Part, mappings: list[SourceMapping], language: str = "zh") -> None:
        self.part = part
        self.encoding: str | None = None
        self.records = 0
        self.digest = ""
        self.bytes = 0
        self._mappings = mappings
        self._language = language

    def __iter__(self) -> Iterator[Document | Broken | Row]:
        part = self.part
        # A range's first line may have begun in the range before: the byte before it tells.
        raw = RawStream(part.url, part.start, part.stop, seek=max(0, part.start - 1) if part.groups is None else None)
        stream = Stream(raw)
        if part.start and part.groups is None:
            items = self._range(stream)
        elif not stream.head(1):  # nothing there, or nothing that can be read
            empty = self._broken(part.path, 0, Failure("empty_file", {"bytes": 0}))
            items = iter([empty] if raw.failure is None else [])
        else:
            items = self._content(stream, part.path)
        for item in items:
            self.records += 1
            yield item
        self.digest = raw.finish()
        self.bytes = raw.count
        if raw.failure is not None:
            self.records += 1
            yield self._broken(part.path, 0, raw.failure)

    def _range(self, stream: Stream) -> Iterator[Document | Broken | Row]:
        """A later range of a JSONL file; the encoding is judged by the head of the file, as in the first range."""
        part = self.part
        self.encoding = detect(Stream(RawStream(part.url)).head(HEAD)) or "utf-8"
        stop = part.stop - part.start + 1
        return self._documents(records.read_jsonl(stream, self.encoding, part.newlines, stop), part.path)

    def _content(self, stream: Stream, path: str, inside: bool = False) -> Iterator[Document | Broken | Row]:
        """The documents of a file, or of an archive's member."""
        head = stream.head(HEAD)
        compression = formats.sniff_compression(path, head)
        if compression is not None:
            guard = Guarded(stream, compression)
            stream = Stream(guard, stream)
            head = stream.head(HEAD)
            yield from self._plain_content(stream, head, path, inside)
            if guard.failure is not None:
                yield self._broken(path, 0, guard.failure)
        else:
            yield from self._plain_content(stream, head, path, inside)

    def _plain_content(self, stream: Stream, head: bytes, path: str, inside: bool) -> Iterator[Document | Broken | Row]:
        kind = formats.sniff(path, head)
        if self.part.role and kind == "text":
            kind = "csv"
        if not head:
            if stream.failure is None:
                yield self._broken(path, 0, Failure("empty_file", {"bytes": 0}))
        elif kind == "tar" and not inside:
            yield from self._members(archive.tar_members(stream), stream, path)
        elif kind == "zip" and not inside:
            with self._seekable(stream, path, inside) as file:
                if stream.failure is None:
                    size = file.seek(0, 2)
                    yield from self._members(archive.zip_members(file, size), stream, path)
        elif kind == "html":
            yield from self._page(read_up_to(stream, MAX_PAGE), stream, path)
        elif kind == "warc":
            yield from self._crawl(stream, path)
        elif kind == "mediawiki":
            yield from self._wiki(stream, path)
        elif kind == "parquet":
            yield from self._table(stream, path, inside)
        elif kind in ("json", "jsonl", "csv", "markdown", "text"):
            encoding = detect(head)
            if not inside:
                self.encoding = encoding
            if encoding is None:
                yield self._broken(path, 0, Failure("undecodable", {"head": head[:32].hex()}))
            elif kind in ("markdown", "text"):
                yield from self._document(stream, kind, encoding, path)
            else:
                yield from self._documents(self._read_records(stream, kind, encoding, path), path)
        else:
            yield self._broken(path, 0, Failure("unsupported_format", {"readable": formats.READABLE}))

    def _read_records(self, stream: Stream, kind: str, encoding: str, path: str) -> Iterator[records.Record]:
        if kind == "json":
            return records.read_json(stream, encoding)
        if kind == "jsonl":
            is_range = self.part.stop < self.part.bytes
            return records.read_jsonl(stream, encoding, stop=self.part.stop if is_range else None)
        mapping = find_mapping(path, self._mappings)
        names = (
            frozenset(filter(None, (mapping.query, mapping.passage, mapping.label))) if mapping else frozenset[str]()
        )
        return read_csv(stream, encoding, ".tsv" in path.rsplit("/", 1)[-1].lower(), names)

    def _document(self, stream: Stream, kind: str, encoding: str, path: str) -> Iterator[Document | Broken]:
        text = read_text(stream, encoding, MAX_DOCUMENT)
        if stream.failure is not None:
            return  # half a document is none; whoever opened the stream reports it
        if isinstance(text, Failure):
            yield self._broken(path, 1, text)
            return
        read = read_markdown if kind == "markdown" else read_plain
        yield self._article(read(text, f"{path}#1", self.part.source), text)

    def _article(self, article: Article, text: str) -> Document | Broken:
        if _has_text(article):
            return article
        path, _, number = article.origin.rpartition("#")
        return self._broken(path, int(number), _no_text(article, text))

    def _page(self, data: bytes, stream: Stream, path: str) -> Iterator[Document | Broken]:
        """A file that is an HTML page."""
        if stream.failure is not None:
            return  # half a page is none
        if len(data) > MAX_PAGE:
            yield self._broken(path, 1, Failure("too_long", {"longest": MAX_PAGE}))
            return
        text, self.encoding = page_text(data)
        if isinstance(text, Failure):
            yield self._broken(path, 1, text)
        else:
            yield self._article(read_html(text, f"{path}#1", self.part.source), text)

    def _crawl(self, stream: Stream, path: str) -> Iterator[Document | Broken]:
        for number, page in read_warc(stream):
            if isinstance(page, Failure):
                yield self._broken(path, number, page)
                continue
            text, _ = page_text(page.data, page.charset)
            if isinstance(text, Failure):
                yield self._broken(path, number, text)
            else:
                read = read_html if page.kind == "html" else read_wet
                yield self._article(read(text, f"{path}#{number}", self.part.source), text)

    def _wiki(self, stream: Stream, path: str) -> Iterator[Document | Broken]:
        for number, page in read_dump(stream):
            failure = page if isinstance(page, Failure) else no_article(page)
            if failure is not None:
                yield self._broken(path, number, failure)
            elif isinstance(page, WikiPage):
                article = read_wiki(page.title, page.text, f"{path}#{number}", self.part.source)
                yield self._article(article, page.text)

    def _members(
        self, members: Iterable[tuple[str, IO[bytes] | Failure]], stream: Stream, path: str
    ) -> Iterator[Document | Broken | Row]:
        for name, content in members:
            if isinstance(content, Failure):
                if name or stream.failure is None:
                    yield self._broken(f"{path}!{name}" if name else path, 0, content)
                continue
            guard = Guarded(content)
            yield from self._content(Stream(guard, stream), f"{path}!{name}", inside=True)
            if guard.failure is not None and stream.failure is None:
                yield self._broken(f"{path}!{name}", 0, guard.failure)

    def _table(self, stream: Stream, path: str, inside: bool) -> Iterator[Document | Broken | Row]:
        """Parquet needs a file it can seek in: the raw file itself, or a temporary copy of what is in an archive."""
        mapping = find_mapping(path, self._mappings)
        with self._seekable(stream, path, inside) as file:
            if stream.failure is None:
                rows = read_parquet(file, lambda names: columns_for(names, mapping), self.part.groups)
                yield from self._documents(rows, path)

    @contextmanager
    def _seekable(self, stream: Stream, path: str, inside: bool) -> Iterator[IO[bytes]]:
        """The raw file itself, or a temporary copy of what is compressed or in an archive."""
        if not inside and not isinstance(stream.raw, Guarded):
            with open_url(self.part.url) as file:
                yield file
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(stream, copy, CHUNK)
            copy.seek(0)
            yield copy

    def _documents(self, items: Iterable[tuple[int, Any]], path: str) -> Iterator[Document | Broken | Row]:
        mapping = find_mapping(path, self._mappings)
        for number, value in items:
            if isinstance(value, Failure):
                yield self._broken(path, number, value)
            elif self.part.role:
                yield Row(f"{path}#{number}", value if isinstance(value, dict) else {})
            else:
                yield read_record(value, f"{path}#{number}", self.part.source, mapping, self._language)

    def _broken(self, path: str, number: int, failure: Failure) -> Broken:
        return Broken(f"{path}#{number}", self.part.source, failure.reason, failure.evidence)


def _has_text(article: Article) -> bool:
    """Whether there is a query and a passage in it."""
    return bool(article.title and article.lead) or any(section.paragraphs for section in article.sections)


def _no_text(article: Article, text: str) -> Failure:
    evidence = {
        "title": article.title[:80],
        "headings": len(article.sections),
        "lead_chars": sum(map(len, article.lead)),
        "begins": text.strip()[:120],
    }
    return Failure("no_text", evidence)
