"""JSON and JSONL.

Each yields (record number from 1, record); a record that could not be read comes as a Failure.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any, Final

import ijson
import msgspec

from cmtp.sources.encoding import Utf8Stream
from cmtp.sources.known import FIELD_NAMES
from cmtp.sources.stream import CHUNK, Failure, Stream, read_up_to
from cmtp.text.clean import UNDECODABLE

Record = tuple[int, Any]
"""Number and value: a dict, another JSON value, or a Failure."""

MAX_RECORD: Final = 32 << 20
"""Bytes of the longest line or table cell that is read; a longer one is rejected, so that memory stays bounded."""

MAX_JSON: Final = 64 << 20
"""Bytes of the largest JSON file that is parsed at once; a larger one is streamed, at a third of the speed."""

_MARK_BYTES: Final = UNDECODABLE.encode()


def lines(stream: Stream, stop: int | None = None) -> Iterator[bytes | None]:
    """The lines that begin before byte `stop` of the stream, without line ends; None for one over MAX_RECORD.

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
            if size > MAX_RECORD:
                yield None
            else:
                yield b"".join([*parts, piece]) if parts else piece
            at += size + 1
            parts, size = [], 0
        if pieces[-1]:
            size += len(pieces[-1])
            parts = [*parts, pieces[-1]] if size <= MAX_RECORD else []
    if size and stream.failure is None and (stop is None or at < stop):
        yield b"".join(parts) if size <= MAX_RECORD else None


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
            yield number, Failure("bad_json", {"error": f"the line is longer than {MAX_RECORD} bytes"})
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line or line.isspace():
            continue
        try:
            if utf8:
                yield number, parse(line)
            elif _MARK_BYTES in line:
                raise UnicodeError(encoding)
            elif encoding.startswith("utf-"):
                yield number, parse(line)
            else:
                yield number, parse(line.decode(encoding))
        except UnicodeError as error:
            yield number, _undecodable(encoding, line, error)
        except (msgspec.DecodeError, RecursionError) as error:
            yield number, _bad_json(error, line)


def _undecodable(encoding: str, data: bytes, error: UnicodeError) -> Failure:
    start = error.start if isinstance(error, UnicodeDecodeError) else 0
    shown = data[max(0, start - 20) : start + 20].decode("utf-8", "backslashreplace")
    return Failure("undecodable", {"encoding": encoding, "byte": start, "near": shown})


def _bad_json(error: Exception, data: bytes) -> Failure:
    near = re.search(r"\(byte (\d+)\)", str(error))
    at = int(near[1]) if near else len(data)
    shown = data[max(0, at - 40) : at + 40].decode("utf-8", "replace")
    return Failure("bad_json", {"error": str(error)[:200], "near": shown})


def read_json(stream: Stream, encoding: str, every_list: bool = False, every_value: bool = False) -> Iterator[Record]:
    """The elements of an array, or of an object's list ``data`` (else its first list of objects), or the object itself.

    Of a file that is not valid JSON, the elements before the fault are read.

    Args:
        stream: bytes of the file.
        encoding: of the bytes.
        every_list: an object with several lists of objects (``{"dev": [...], "test": [...]}``) gives the elements of
            all of them, not of one.
        every_value: and where an object has such a list, its other values come too, one record each.
    """
    utf8 = encoding in ("utf-8", "utf-8-sig")
    if not utf8:
        stream = Stream(Utf8Stream(stream, encoding), stream)
    data = read_up_to(stream, MAX_JSON)
    if len(data) > MAX_JSON:
        yield from _stream_json(_Joined(data, stream), stream)
        return
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        elements = _elements(data, every_list, every_value)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        yield from _stream_json(io.BytesIO(data), stream, _bad_json(error, data))
        return
    parse = msgspec.json.Decoder().decode
    for number, raw in enumerate(elements, 1):
        try:
            if not utf8 and _MARK_BYTES in bytes(raw):
                raise UnicodeError(encoding)
            yield number, parse(raw)
        except UnicodeError as error:
            yield number, _undecodable(encoding, bytes(raw), error)
        except (msgspec.DecodeError, RecursionError) as error:
            yield number, _bad_json(error, bytes(raw))


def _elements(data: bytes, every_list: bool, every_value: bool) -> list[msgspec.Raw]:
    """The elements of a JSON text, unparsed, so that a fault in one of them stays there."""
    if data.lstrip()[:1] == b"[":
        return msgspec.json.decode(data, type=list[msgspec.Raw])
    if data.lstrip()[:1] != b"{":
        raise msgspec.DecodeError("neither an array nor an object")
    fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    lists = [fields[name] for name in sorted(fields, key=lambda name: name != "data") if _is_list(fields[name])]
    if every_value and lists:
        rest = [value for value in fields.values() if not _is_list(value)]
        parts = [msgspec.json.decode(part, type=list[msgspec.Raw]) for part in lists]
        return [element for part in (*parts, rest) for element in part]
    if every_list and len(lists) > 1:
        return [element for part in lists for element in msgspec.json.decode(part, type=list[msgspec.Raw])]
    if not (FIELD_NAMES & fields.keys()):
        if lists:
            return msgspec.json.decode(lists[0], type=list[msgspec.Raw])
        if len(fields) > 1 and all(bytes(value)[:1] == b"{" for value in fields.values()):
            return list(fields.values())  # WebQA: records by their id
    return [msgspec.Raw(data)]


def _is_list(value: msgspec.Raw) -> bool:
    """Whether a JSON value is a list of objects."""
    start = bytes(value)[:64].lstrip()
    return start[:1] == b"[" and start[1:].lstrip()[:1] == b"{"


class _Joined:
    """Bytes already read, then the rest of their stream."""

    def __init__(self, head: bytes, rest: Stream) -> None:
        self._head, self._rest = io.BytesIO(head), rest

    def read(self, size: int = -1) -> bytes:
        return self._head.read(size) or self._rest.read(size)


def _stream_json(data: io.BytesIO | _Joined, stream: Stream, fault: Failure | None = None) -> Iterator[Record]:
    """The elements of an array or of the list ``data`` as they come, up to the first fault.

    A fault that comes of the stream's failure is not reported twice. `fault` is what parsing it at once said.
    """
    events = ijson.basic_parse(data, use_float=True, buf_size=CHUNK)
    number = 0
    try:
        kind, _ = next(events, (None, None))
        if kind == "start_map":
            kind = None
            for event, value in events:
                if event == "map_key" and value == "data":
                    kind, _ = next(events, (None, None))
                    break
        if kind != "start_array":
            found = "neither an array nor an object with a list named data"
            yield 1, fault or Failure("unknown_layout", {"found": found})
            return
        for event, value in events:
            if event == "end_array":
                return
            builder = ijson.ObjectBuilder()
            builder.event(event, value)
            depth = int(event in ("start_map", "start_array"))
            while depth:
                event, value = next(events)
                builder.event(event, value)
                depth += (event in ("start_map", "start_array")) - (event in ("end_map", "end_array"))
            number += 1
            yield number, builder.value
        raise ijson.IncompleteJSONError("the array is not closed")
    except (ijson.JSONError, StopIteration, UnicodeError, RecursionError) as error:
        if stream.failure is None:
            yield number + 1, Failure("bad_json", {"error": str(error)[:200], "elements_before": number})
