"""JSONL: a JSON value per line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from cmtp.sources.encoding import Utf8Stream, detect
from cmtp.sources.formats import records
from cmtp.sources.formats.format import Content, Format, FormatItem
from cmtp.sources.formats.json import json_or_jsonl
from cmtp.sources.formats.records import MARK_BYTES, Record, bad_json, undecodable
from cmtp.sources.part import Part
from cmtp.sources.stream import CHUNK, Failure, Stream


def lines(stream: Stream, stop: int | None = None) -> Iterator[bytes | None]:
    """The lines that begin before byte `stop` of the stream, without line ends; None for one over records.MAX_RECORD.

    A last line without its end is left out where the stream ended by a failure: it is not whole.
    """
    parts: list[bytes] = []
    size = at = 0
    while chunk := stream.read(CHUNK):
        pieces = chunk.split(b"\n")
        for piece in pieces[:-1]:
            if stop is not None and at >= stop:
                return
            size += len(piece)
            if size > records.MAX_RECORD:
                yield None
            else:
                yield b"".join([*parts, piece]) if parts else piece
            at += size + 1
            parts, size = [], 0
        if pieces[-1]:
            size += len(pieces[-1])
            parts = [*parts, pieces[-1]] if size <= records.MAX_RECORD else []
    if size and stream.failure is None and (stop is None or at < stop):
        yield b"".join(parts) if size <= records.MAX_RECORD else None


def read_jsonl(stream: Stream, encoding: str, newlines: int | None = None, stop: int | None = None) -> Iterator[Record]:
    """One JSON value per line; the record number is the line number, blank lines counted but not read.

    Args:
        stream: the bytes; where `newlines` is given, from the byte before the range on: the line that holds this byte
            (or ends with it) belongs to the range before.
        encoding: of the bytes.
        newlines: number of newlines in the file before the range; None for a range at the file's beginning.
        stop: lines that begin at this byte of the stream or later are left to the next range.
    """
    utf8 = encoding in ("utf-8", "utf-8-sig")
    if encoding.startswith(("utf-16", "utf-32")):
        stream = Stream(Utf8Stream(stream, encoding), stream)
    parse = msgspec.json.Decoder().decode
    pieces, first = lines(stream, stop), 1
    if newlines is not None:
        first = newlines + (1 if next(pieces, None) == b"" else 2)
    for number, line in enumerate(pieces, first):
        if line is None:
            yield number, Failure("bad_json", {"error": f"the line is longer than {records.MAX_RECORD} bytes"})
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line or line.isspace():
            continue
        try:
            if utf8:
                yield number, parse(line)
            elif MARK_BYTES in line:
                raise UnicodeError(encoding)
            elif encoding.startswith("utf-"):
                yield number, parse(line)
            else:
                yield number, parse(line.decode(encoding))
        except UnicodeError as error:
            yield number, undecodable(encoding, line, error)
        except (msgspec.DecodeError, RecursionError) as error:
            yield number, bad_json(error, line)


def _read(content: Content) -> Iterator[FormatItem]:
    part = content.part
    assert content.encoding is not None
    if part is None or (part.stop == part.bytes and not part.start):
        return read_jsonl(content.stream, content.encoding)
    if not part.start:
        return read_jsonl(content.stream, content.encoding, stop=part.stop)
    # a later range: the stream begins a byte before it
    return read_jsonl(content.stream, content.encoding, part.newlines, part.stop - part.start + 1)


def _split(part: Part, task_bytes: int, head: bytes) -> list[Part]:
    if (detect(head) or "").startswith(("utf-16", "utf-32")):
        return [part]  # a newline's byte may be half of another character there
    starts = range(0, part.bytes, task_bytes)
    return [replace(part, start=start, stop=min(start + task_bytes, part.bytes)) for start in starts]


FORMAT = Format(
    "jsonl",
    (".jsonl",),
    gives="records",
    about="a record per line",
    read=_read,
    aliases=(".ndjson",),
    text=True,
    in_content=lambda head: json_or_jsonl(head) or "jsonl",
    split=_split,
)
