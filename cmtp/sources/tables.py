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

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from cmtp.errors import UsageError
from cmtp.sources.encoding import HEAD, detect
from cmtp.sources.formats import sniff, sniff_compression, split_name
from cmtp.sources.records import read_json, read_jsonl
from cmtp.sources.separated import read_csv
from cmtp.sources.stream import CHUNK, Failure, Guarded, RawStream, Stream, open_url
from cmtp.sources.table import read_parquet

TABLES: Final = ".csv .tsv .txt .json .jsonl .parquet, each also with .gz .bz2 .xz .zst"
"""What a table of rows may be stored as."""

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
    head = stream.head(HEAD)
    compression = sniff_compression(url, head)
    guard = None
    if compression is not None:
        guard = Guarded(stream, compression)
        stream = Stream(guard, stream)
        head = stream.head(HEAD)
    if head:
        yield from _rows(stream, head, url, frozenset(names), every_row)
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


def _rows(
    stream: Stream, head: bytes, url: str, names: frozenset[str], every_row: bool
) -> Iterator[tuple[int, TableRow | Failure]]:
    kind = sniff(url, head)
    if kind == "parquet":
        with _seekable(stream, url) as file:
            if stream.failure is None:
                yield from read_parquet(file, lambda columns: columns)
        return
    if kind not in ("json", "jsonl", "csv", "text"):
        yield 0, Failure("unsupported_format", {"readable": TABLES})
        return
    encoding = detect(head)
    if encoding is None:
        yield 0, Failure("undecodable", {"head": head[:32].hex()})
    elif kind == "json":
        yield from map(_named, read_json(stream, encoding, every_list=True, every_value=every_row))
    elif kind == "jsonl":
        yield from map(_named, read_jsonl(stream, encoding))
    else:
        tabs = split_name(url)[1] == "text" or ".tsv" in url.rsplit("/", 1)[-1].lower()
        yield from read_csv(stream, encoding, tabs, names, every_row)


def _named(record: tuple[int, Any]) -> tuple[int, TableRow | Failure]:
    number, value = record
    return number, value if isinstance(value, dict | Failure) else {"value": value}


@contextmanager
def _seekable(stream: Stream, url: str) -> Iterator[IO[bytes]]:
    """The file itself, or a temporary copy of what is compressed."""
    if not isinstance(stream.raw, Guarded):
        with open_url(url) as file:
            yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy, CHUNK)
        copy.seek(0)
        yield copy
