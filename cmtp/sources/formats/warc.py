"""WARC and WET: the pages and texts of a web crawl, record by record."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import brotli

from cmtp.sources.formats.format import Beginning, Certainty, Content, Format, FormatItem, article_or_failure
from cmtp.sources.html.article import read_html
from cmtp.sources.html.text import MAX_PAGE, page_text, read_wet
from cmtp.sources.stream import CHUNK, Failure, Stream

_KINDS: Final = frozenset({"response", "resource", "conversion"})
"""Records that hold a page or a text; requests, metadata and revisits hold none."""

MAX_HEADER: Final = 1 << 16
"""Bytes of the longest line of a record's header."""
MAX_HEADERS: Final = 200

_HTML: Final = re.compile(r"text/html|application/xhtml\+xml", re.IGNORECASE)
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """The body of a record; `kind` is html or text, `charset` what the server said (empty where it did not)."""

    data: bytes
    kind: str
    charset: str


class _Unusable(Exception):
    """A record whose body is no page; carries the Failure."""

    def __init__(self, reason: str, **evidence: Any) -> None:
        super().__init__(reason)
        self.failure = Failure(reason, evidence)


def read_warc(stream: Stream) -> Iterator[tuple[int, Page | Failure]]:
    """The pages of a WARC or WET file; the record number counts records of every type.

    A response that is no success, of another type than HTML or text, cut short or over MAX_PAGE comes as a Failure.
    Bytes that are no WARC record come as one, too, and are passed over up to the next line that begins a record.
    """
    number = 0
    while (found := _next_record(stream)) is not None:
        passed, headers = found
        if passed:
            yield number, Failure("bad_record", {"bytes": passed, "after_record": number})
        if not headers:
            return
        number += 1
        length = headers.get("content-length", "")
        if not length.isdigit():
            yield number, Failure("bad_record", {"error": "no Content-Length", "uri": _uri(headers)})
            continue
        is_page = headers.get("warc-type", "") in _KINDS
        data = stream.read(min(int(length), MAX_PAGE + 1)) if is_page else b""
        rest = int(length) - len(data)
        while rest > 0 and (more := stream.read(min(rest, CHUNK))):
            rest -= len(more)
        if rest > 0:
            if stream.failure is None:
                yield number, Failure("truncated_file", {"missing": rest, "expected": int(length)})
            return
        if not is_page:
            continue
        try:
            yield number, _page(headers, data)
        except _Unusable as unusable:
            yield number, unusable.failure


def _next_record(stream: Stream) -> tuple[int, dict[str, str]] | None:
    """Bytes passed over before the next record, and its headers (in lower case; none at the end); None at the end."""
    passed = 0
    while not (line := stream.readline(MAX_HEADER)).startswith(b"WARC/"):
        if not line:
            return (passed, {}) if passed and stream.failure is None else None
        passed += len(line) if line.strip() else 0
    headers: dict[str, str] = {}
    while (line := stream.readline(MAX_HEADER)).strip() and len(headers) < MAX_HEADERS:
        name, _, value = line.decode("utf-8", "replace").partition(":")
        headers[name.strip().lower()] = value.strip()
    return passed, headers or {"warc-type": ""}


def _uri(headers: dict[str, str]) -> str:
    return headers.get("warc-target-uri", "").strip("<>")[:200]


def _page(record: dict[str, str], data: bytes) -> Page:
    uri, content_type = _uri(record), record.get("content-type", "")
    if len(data) > MAX_PAGE:
        raise _Unusable("too_long", uri=uri, bytes=int(record["content-length"]), longest=MAX_PAGE)
    if "application/http" in content_type or data.startswith(b"HTTP/"):
        status, headers, data = _http(data)
        if status != 200:
            raise _Unusable("http_status", uri=uri, status=status)
        content_type = headers.get("content-type", "")
        data = _decoded(data, headers, uri)
    charset = _CHARSET.search(content_type)
    if _HTML.match(content_type) or (not content_type and data[:512].lstrip()[:1] == b"<"):
        return Page(data, "html", charset[1] if charset else "")
    if content_type.startswith("text/plain"):
        return Page(data, "text", charset[1] if charset else "")
    raise _Unusable("unsupported_format", uri=uri, content_type=content_type[:100])


def _http(data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (in lower case) and body of an HTTP response."""
    end = re.search(rb"\r?\n\r?\n", data)
    head, body = (data[: end.start()], data[end.end() :]) if end else (data, b"")
    lines = head.decode("latin-1").splitlines()
    status = re.match(r"HTTP/[\d.]+ (\d{3})", lines[0]) if lines else None
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(status[1]) if status else 0, headers, body


def _decoded(data: bytes, headers: dict[str, str], uri: str) -> bytes:
    """The body without its transfer and content encodings. Crawls often store it decoded and keep the headers."""
    try:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            data = _unchunked(data)
        encoding = headers.get("content-encoding", "").lower()
        if encoding in ("gzip", "x-gzip") and data.startswith(b"\x1f\x8b"):
            data = _inflated(data, 31)
        elif encoding == "deflate" and not data.lstrip().startswith(b"<"):
            data = _inflated(data, 15 if data[:1] == b"\x78" else -15)
        elif encoding == "br" and not data.lstrip().startswith(b"<"):
            data = _unbrotli(data)
    except (zlib.error, brotli.error, ValueError, EOFError) as error:
        raise _Unusable("undecodable", uri=uri, error=str(error)[:200]) from error
    if len(data) > MAX_PAGE:
        raise _Unusable("too_long", uri=uri, longest=MAX_PAGE)
    return data


def _unchunked(data: bytes) -> bytes:
    if not re.match(rb"[0-9A-Fa-f]{1,8}[ \t]*(?:;[^\r\n]*)?\r\n", data):
        return data
    parts, at = list[bytes](), 0
    while True:
        end = data.find(b"\r\n", at)
        size = int(data[at:end].split(b";")[0], 16) if end > 0 else 0
        if size == 0:
            return b"".join(parts)
        if size < 0 or end + 2 + size > len(data):
            raise EOFError("the last chunk is cut short")
        parts.append(data[end + 2 : end + 2 + size])
        at = end + 2 + size + 2


def _inflated(data: bytes, bits: int) -> bytes:
    decoder = zlib.decompressobj(bits)
    found = decoder.decompress(data, MAX_PAGE + 1)
    if not decoder.eof and len(found) <= MAX_PAGE:
        raise EOFError("the compressed body is cut short")
    return found


def _unbrotli(data: bytes) -> bytes:
    decoder, parts, size = brotli.Decompressor(), list[bytes](), 0
    for start in range(0, len(data), 1 << 12):
        parts.append(decoder.process(data[start : start + (1 << 12)]))
        size += len(parts[-1])
        if size > MAX_PAGE:
            break
    return b"".join(parts)


def _read(content: Content) -> Iterator[FormatItem]:
    for number, page in read_warc(content.stream):
        if isinstance(page, Failure):
            yield number, page
            continue
        text, _ = page_text(page.data, page.charset)
        if isinstance(text, Failure):
            yield number, text
        else:
            read = read_html if page.kind == "html" else read_wet
            yield number, article_or_failure(read(text, content.origin(number), content.source), text)


FORMAT = Format(
    "warc",
    (".warc", ".wet"),
    gives="documents",
    about="a document per response of status 200 that is HTML or text; in .wet a document per text, its first line the "
    "title",
    read=_read,
    begins=Beginning(lambda head: head.startswith(b"WARC/"), Certainty.SIGNATURE),
)
