"""What a file format is to the readers, and what a format is given to read."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import IO, Any, Final, Literal

from cmtp.sources.document import Article
from cmtp.sources.encoding import decode, near_undecodable
from cmtp.sources.part import Part
from cmtp.sources.stream import CHUNK, Failure, Stream, open_url, read_up_to
from cmtp.text.clean import UNDECODABLE

MAX_DOCUMENT: Final = 64 << 20
"""Bytes of the largest file that is read as one document."""


class Certainty(IntEnum):
    """How far the first bytes of a file show its format. Formats with surer beginnings are asked first."""

    SIGNATURE = 0
    """Hardly anything else begins so. Believed even where the name ends in something that no format knows: ``page.php``
    that begins with ``<html`` is HTML."""

    GUESS = 1
    """Other files begin so too: Office files as a zip archive does, a Python file's comment as a Markdown heading.
    Believed only where the name has no ending, for an ending says that the file is something else."""


@dataclass(frozen=True)
class Beginning:
    """How a format is recognised by the first bytes of a file whose name does not say it.

    Attributes:
        fits: whether a file that begins with these bytes (at most 64 KiB, without compression) may be in the format.
        certainty: how far that is to be believed.
    """

    fits: Callable[[bytes], bool]
    certainty: Certainty


@dataclass(frozen=True)
class TableOptions:
    """What whoever reads a table of rows asks for; formats that hold documents ignore it.

    Attributes:
        names: field names that make a first row a header, besides those of the known layouts.
        choose: the columns to be read of all there are; None where they are of no known layout.
        explain: evidence for a record of such columns, which is rejected.
        only_tabs: whether tabs alone may separate fields, as the file's name says.
        every_row: for readers that must not lose a text: a row with more or fewer fields than the header is a row all
            the same, and the values beside the lists of a JSON object are records.
        every_list: whether of a JSON object all lists of objects are read, not one.
    """

    names: frozenset[str] = frozenset()
    choose: Callable[[list[str]], list[str] | None] = list
    explain: Callable[[dict[str, Any]], dict[str, Any]] = dict
    only_tabs: bool = False
    every_row: bool = False
    every_list: bool = False


@dataclass
class Content:
    """The bytes of one file, or of one member of an archive, for a format to read.

    Attributes:
        stream: the bytes, without their compression. They may end too soon: then `stream.failure` is set, and whoever
            opened the stream reports it. A format gives what is whole and says nothing of the rest.
        path: relative to the raw folder; of a member ``archive!member``.
        source: name of the source.
        encoding: of the text. Given to formats with `Format.text`; others set it where they know it.
        part: the file or range that `stream` was opened for; None for what is compressed or a member of an archive.
        table: what is asked of a table of rows.
    """

    stream: Stream
    path: str
    source: str = ""
    encoding: str | None = None
    part: Part | None = None
    table: TableOptions = field(default_factory=TableOptions)

    def origin(self, number: int) -> str:
        """The origin of a record."""
        return f"{self.path}#{number}"

    @contextmanager
    def seekable(self) -> Iterator[IO[bytes]]:
        """The content as a file that can be searched: the raw file, or a temporary copy of what is not a raw file."""
        if self.part is not None:
            with open_url(self.part.url) as file:
                yield file
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(self.stream, copy, CHUNK)
            copy.seek(0)
            yield copy

    def read_document(self) -> str | Failure | None:
        """All of the content as text, or why not; None where the stream ended too soon: half a document is none."""
        assert self.encoding is not None, "a format with `text` is given the encoding"
        data = read_up_to(self.stream, MAX_DOCUMENT)
        if self.stream.failure is not None:
            return None
        if len(data) > MAX_DOCUMENT:
            return Failure("unsupported_format", {"error": f"one document of more than {MAX_DOCUMENT} bytes"})
        text = decode(data, self.encoding)
        if UNDECODABLE in text:
            return Failure("undecodable", {"encoding": self.encoding, "near": near_undecodable(text)})
        return text


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside an archive.

    Attributes:
        name: as the archive has it; empty for the archive itself.
        file: its bytes, to be read before the next member is asked for, or why they are not read.
    """

    name: str
    file: IO[bytes] | Failure


FormatItem = tuple[int, Any]
"""What a format gives: the number of a record, from 1, and a Document, a JSON value (a record whose layout is still to
be recognised), a Failure, or a Member. Number 0 stands for the whole file."""


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: what it is called here.
        suffixes: endings of file names, with their dot, in lower case.
        aliases: further endings, which lists leave out.
        gives: ``records`` whose layout is recognised by their fields; ``documents``; ``files``, for an archive.
        about: what is read of it, for people; one line.
        read: the items of a content, in order, without holding more of it than a record.
        many_records: whether a file holds many records, so that its name may be a source's name.
        text: whether the content is text in an encoding that is to be detected before it is read.
        begins: how it is recognised where the name does not say; None: by its name alone.
        in_content: name of the format that content really is in, by its first bytes; None for no format. A ``.json``
            file with an object per line is JSONL.
        as_rows: the format that reads the content where rows are asked for: a ``.txt`` file of judgements is a table.
        split: parts of about `task_bytes` bytes of a large uncompressed file, of which `head` are the first bytes;
            None: the format cannot be read from the middle.
        kind_of: what files of these endings must be to be read (``MediaWiki dumps``), where the ending says too little.
    """

    name: str
    suffixes: tuple[str, ...]
    gives: Literal["records", "documents", "files"]
    about: str
    read: Callable[[Content], Iterator[FormatItem]]
    aliases: tuple[str, ...] = ()
    many_records: bool = True
    text: bool = False
    begins: Beginning | None = None
    in_content: Callable[[bytes], str | None] | None = None
    as_rows: str = ""
    split: Callable[[Part, int, bytes], list[Part]] | None = None
    kind_of: str = ""


def holds_nul(head: bytes) -> bool:
    """Whether a file that begins with these bytes is binary rather than text."""
    return b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff"))


def article_or_failure(article: Article, text: str) -> Article | Failure:
    """The article, or a Failure where it has no query with a passage: no title over text, no section with text.

    Args:
        article: as it was read.
        text: what it was read from; the Failure shows how it begins.
    """
    if (article.title and article.lead) or any(section.paragraphs for section in article.sections):
        return article
    evidence = {
        "title": article.title[:80],
        "headings": len(article.sections),
        "lead_chars": sum(map(len, article.lead)),
        "begins": text.strip()[:120],
    }
    return Failure("no_text", evidence)
