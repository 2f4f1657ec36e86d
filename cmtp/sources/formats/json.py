"""JSON: an array of records, an object that holds them, or one record."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

import ijson
import msgspec

from cmtp.sources.encoding import Utf8Stream
from cmtp.sources.formats.format import Beginning, Certainty, Content, Format, FormatItem, holds_nul
from cmtp.sources.formats.records import MARK_BYTES, Record, bad_json, undecodable
from cmtp.sources.layouts_data import FIELD_NAMES
from cmtp.sources.stream import CHUNK, Failure, Stream, read_up_to

MAX_JSON: Final = 64 << 20
"""Bytes of the largest JSON file that is parsed at once; a larger one is streamed, at a third of the speed."""


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
        yield from _stream_json(io.BytesIO(data), stream, bad_json(error, data))
        return
    parse = msgspec.json.Decoder().decode
    for number, raw in enumerate(elements, 1):
        try:
            if not utf8 and MARK_BYTES in bytes(raw):
                raise UnicodeError(encoding)
            yield number, parse(raw)
        except UnicodeError as error:
            yield number, undecodable(encoding, bytes(raw), error)
        except (msgspec.DecodeError, RecursionError) as error:
            yield number, bad_json(error, bytes(raw))


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


def json_or_jsonl(head: bytes) -> str | None:
    """What content that begins with a bracket is: jsonl where the first line is a value and more follows, else json.

    None where the head does not show it: no bracket, or an object whose first line goes on.
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:1] not in (b"[", b"{"):
        return None
    line, newline, rest = start.partition(b"\n")
    otherwise = "json" if start[:1] == b"[" else None
    if not newline:
        return otherwise
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # not JSON by itself: an object over several lines, or a broken first line of JSONL
        return "jsonl" if rest.lstrip()[:1] == b"{" and line.rstrip()[-1:] == b"}" else otherwise
    return "jsonl" if rest.strip() else "json"


def _read(content: Content) -> Iterator[FormatItem]:
    assert content.encoding is not None
    return read_json(content.stream, content.encoding, content.table.every_list, content.table.every_row)


def _fits(head: bytes) -> bool:
    return not holds_nul(head) and head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


FORMAT = Format(
    "json",
    (".json",),
    gives="records",
    about="an array of records, an object with a list `data` (or another list of objects), an object of objects, one "
    "record; or a record per line",
    read=_read,
    text=True,
    begins=Beginning(_fits, Certainty.GUESS),
    in_content=lambda head: json_or_jsonl(head) or "json",
)
