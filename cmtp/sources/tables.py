"""Reads a table of rows from one file, whatever its encoding, its compression and its header.

Evaluation files, labelled texts and judgements come through here. A build reads whole folders and recognises layouts:
that is `read`.

Example::

    >>> for number, row in read_rows("dev.tsv.gz"):
    ...     print(number, row)
    1 {'sentence1': '花呗怎么还款', 'sentence2': '花呗如何还款', 'label': '1'}
    2 Failure(reason='bad_row', evidence={'fields': 1, 'expected': 3, 'row': '花呗'})
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from cmtp.errors import UsageError
from cmtp.sources.encoding import HEAD_BYTES, detect
from cmtp.sources.formats import FORMATS
from cmtp.sources.formats.format import Content, TableOptions
from cmtp.sources.part import Part
from cmtp.sources.recognise import compression_in, compressions, format_of, split_name
from cmtp.sources.stream import Failure, Guarded, RawStream, Stream

TableRow = dict[str, Any]
"""Values by field name. Separated values are strings; JSON and Parquet keep their types."""


def read_rows(
    url: str, names: Iterable[str] = (), *, every_row: bool = False
) -> Iterator[tuple[int, TableRow | Failure]]:
    """The rows of a table, one after the other.

    The file's name says the format; where it has no ending, the first bytes do. Encoding, compression and delimiter are
    found. A .txt file is a table whose fields tabs separate. Its first row is a header where it holds one of `names` or
    of the field names that `cmtp sources` lists, or nothing but words in Latin letters. Without a header the fields are
    called ``1``, ``2``, ``3`` …; two texts with a column of labels are called ``sentence1``, ``sentence2`` and
    ``label`` (``score`` for grades).

    JSON gives the elements of an array, or of all lists of objects in an object. A value that is not an object is the
    field ``value``.

    Args:
        url: local path or fsspec URL.
        names: further field names that make the first row a header.
        every_row: for readers that must not lose a text. A row with more or fewer fields than the header is a row with
            the fields ``1``, ``2``, ``3`` … instead of a failure, and one word alone is not taken for a header. What
            stands beside the lists of a JSON object is read too.

    Yields:
        Record number and row, or a Failure for a record that cannot be read. JSONL is numbered by lines; anything else
        by records, the header not counted. Number 0 stands for the file: it cannot be opened, is in another format, is
        empty, or ends too soon. Rows before such a failure are given.
    """
    raw = RawStream(url)
    stream = Stream(raw)
    compression = compression_in(url, stream.head(HEAD_BYTES))
    part = None
    if compression is None:
        part = Part(url, url, "", bytes=0, mtime_ns=0, start=0, stop=0)
    else:
        stream = Stream(Guarded(stream, compression), stream)
    head = stream.head(HEAD_BYTES)
    if head:
        named = split_name(url).format
        only_tabs = named is not None and bool(FORMATS.get(named).as_rows)
        options = TableOptions(frozenset(names), only_tabs=only_tabs, every_row=every_row, every_list=True)
        yield from _rows(Content(stream, url, part=part, table=options), head)
    elif stream.failure is None:
        yield 0, Failure("empty_file", {"bytes": 0})
    if stream.failure is not None:
        yield 0, stream.failure
    raw.finish()


def rows_or_error(
    url: str, names: Iterable[str] = (), *, every_row: bool = False, error: Callable[[str], Exception] = UsageError
) -> Iterator[tuple[int, TableRow]]:
    """The rows of a table that must be whole; arguments as in `read_rows`.

    Args:
        url: local path or fsspec URL.
        names: as in `read_rows`.
        every_row: as in `read_rows`.
        error: makes the exception of the message.

    Raises:
        Exception: `error`, at the first record that cannot be read: ``dev.csv: row 3: bad_row (fields: 2, …)``.
    """
    for number, row in read_rows(url, names, every_row=every_row):
        if isinstance(row, Failure):
            raise error(f"{url}: row {number}: {row}" if number else f"{url}: cannot be read: {row}")
        yield number, row


def _rows(content: Content, head: bytes) -> Iterator[tuple[int, TableRow | Failure]]:
    kind = format_of(content.path, head, rows=True)
    if kind is None or kind.gives != "records":
        yield 0, Failure("unsupported_format", {"readable": table_endings()})
        return
    if kind.text:
        content.encoding = detect(head)
        if content.encoding is None:
            yield 0, Failure("undecodable", {"head": head[:32].hex()})
            return
    for number, value in kind.read(content):
        yield number, value if isinstance(value, dict | Failure) else {"value": value}


@lru_cache(maxsize=1)
def table_endings() -> str:
    """What a table of rows may be stored as, for messages."""
    endings = [suffix for kind in FORMATS if kind.gives == "records" or kind.as_rows for suffix in kind.suffixes]
    return f"{' '.join(endings)}, each also with {compressions()}"
