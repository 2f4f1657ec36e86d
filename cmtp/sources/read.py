"""Reads one raw file, or a part of a large one, into Documents and Broken records.

A file goes through these steps; the members of an archive go through 2 to 5 again:

1. `RawStream` opens it and hashes what is read.
2. `Guarded` undoes its compression.
3. `recognise` tells its format.
4. The format gives numbered items: records, documents, members of an archive, failures.
5. `layouts` makes documents of records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import partial
from typing import Any

from cmtp.sources.document import Broken, Document
from cmtp.sources.encoding import HEAD_BYTES, detect
from cmtp.sources.formats.format import Content, Format, Member, TableOptions
from cmtp.sources.layouts import columns_for, read_record, unknown_layout
from cmtp.sources.mapping import SourceMapping
from cmtp.sources.part import Part
from cmtp.sources.recognise import compression_in, format_of, readable
from cmtp.sources.stream import Failure, Guarded, RawStream, Stream


@dataclass(frozen=True, slots=True)
class Row:
    """A record as it stands, of a file that is one of several of a collection."""

    origin: str
    values: dict[str, Any]


Given = Document | Broken | Row
"""What a reader gives."""


def find_mapping(path: str, mappings: list[SourceMapping]) -> SourceMapping | None:
    """The first of the recipe's mappings whose glob fits the path."""
    return next((mapping for mapping in mappings if fnmatch(path, mapping.files)), None)


class PartReader:
    """Iterating gives the part's Documents and Broken records; afterwards the attributes tell what was read.

    Attributes:
        encoding: of the file's text; None where it holds none, or several (archives).
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

    def __iter__(self) -> Iterator[Given]:
        part = self.part
        # A range's first line may have begun in the range before: the byte before it tells.
        raw = RawStream(part.url, part.start, part.stop, seek=max(0, part.start - 1) if part.groups is None else None)
        for item in self._file(Stream(raw)):
            self.records += 1
            yield item
        self.digest = raw.finish()
        self.bytes = raw.count
        if raw.failure is not None:
            self.records += 1
            yield self._broken(part.path, 0, raw.failure)

    def _file(self, stream: Stream) -> Iterator[Given]:
        part = self.part
        if part.start and part.groups is None:
            # The file's head says which format and encoding a later range is in, as it did for the first.
            head = Stream(RawStream(part.url)).head(HEAD_BYTES)
            yield from self._items(Content(stream, part.path, part.source, part=part), head)
        elif stream.head(1):
            yield from self._unpacked(Content(stream, part.path, part.source, part=part))
        elif stream.failure is None:
            yield self._broken(part.path, 0, Failure("empty_file", {"bytes": 0}))

    def _unpacked(self, content: Content, inside: bool = False) -> Iterator[Given]:
        """What a file, or a member of an archive, holds under its compression."""
        head = content.stream.head(HEAD_BYTES)
        compression = compression_in(content.path, head)
        if compression is None:
            yield from self._items(content, head, inside)
            return
        guard = Guarded(content.stream, compression)
        unpacked = replace(content, stream=Stream(guard, content.stream), part=None)
        yield from self._items(unpacked, unpacked.stream.head(HEAD_BYTES), inside)
        if guard.failure is not None:
            yield self._broken(content.path, 0, guard.failure)

    def _items(self, content: Content, head: bytes, inside: bool = False) -> Iterator[Given]:
        """What a content that begins with `head` holds."""
        kind, failure = self._recognise(content, head, inside)
        if not inside:
            self.encoding = content.encoding
        if kind is None:
            if failure is not None:
                yield self._broken(content.path, 0, failure)
            return
        mapping = find_mapping(content.path, self._mappings)
        content.table = _table_options(mapping, content.path)
        for number, value in kind.read(content):
            if isinstance(value, Member):
                yield from self._member(content, value)
            else:
                yield self._given(value, f"{content.path}#{number}", mapping)
        if not inside:
            self.encoding = content.encoding

    def _recognise(self, content: Content, head: bytes, inside: bool) -> tuple[Format | None, Failure | None]:
        """The content's format, with the encoding set that it is to be read in; else why it cannot be read."""
        if not head:
            return None, Failure("empty_file", {"bytes": 0}) if content.stream.failure is None else None
        kind = format_of(content.path, head, rows=bool(self.part.role))
        if kind is None or (inside and kind.gives == "files"):
            return None, Failure("unsupported_format", {"readable": readable()})
        if kind.text:
            is_later_range = self.part.start > 0 and self.part.groups is None
            content.encoding = detect(head) or ("utf-8" if is_later_range else None)  # the first range reports it
            if content.encoding is None:
                return None, Failure("undecodable", {"head": head[:32].hex()})
        return kind, None

    def _given(self, value: Any, origin: str, mapping: SourceMapping | None) -> Given:
        if not isinstance(value, dict):  # most are
            if isinstance(value, Failure):
                return Broken(origin, self.part.source, value.reason, value.evidence)
            if isinstance(value, Document):
                return value
        if self.part.role:
            return Row(origin, value if isinstance(value, dict) else {})
        return read_record(value, origin, self.part.source, mapping, self._language)

    def _member(self, archive: Content, member: Member) -> Iterator[Given]:
        if isinstance(member.file, Failure):
            if member.name or archive.stream.failure is None:
                yield self._broken(f"{archive.path}!{member.name}" if member.name else archive.path, 0, member.file)
            return
        guard = Guarded(member.file)
        content = Content(Stream(guard, archive.stream), f"{archive.path}!{member.name}", self.part.source)
        yield from self._unpacked(content, inside=True)
        if guard.failure is not None and archive.stream.failure is None:
            yield self._broken(content.path, 0, guard.failure)

    def _broken(self, path: str, number: int, failure: Failure) -> Broken:
        return Broken(f"{path}#{number}", self.part.source, failure.reason, failure.evidence)


def _table_options(mapping: SourceMapping | None, path: str) -> TableOptions:
    fields = (mapping.query, mapping.passage, mapping.label) if mapping else ()
    return TableOptions(
        names=frozenset(filter(None, fields)),
        choose=partial(columns_for, mapping=mapping),
        explain=partial(unknown_layout, origin=f"{path}#1"),
    )
