"""Which format a file is in: by its name first, by its first bytes where the name does not say."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import msgspec

from cmtp.sources.stream import COMPRESSIONS, compression_of

RECORD_FORMATS: Final = ("json", "jsonl", "csv", "parquet", "tar", "zip", "warc", "mediawiki")
"""Formats that hold many records in a file; the others hold one document."""

_BY_SUFFIX: Final = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".tar": "tar",
    ".zip": "zip",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".shtml": "html",
    ".warc": "warc",
    ".wet": "warc",
    ".xml": "mediawiki",
}
_TAR_SHORT: Final = (".tgz", ".tbz2", ".txz")
_SHARD: Final = re.compile(r"(?:[-_.](?:part|shard))?[-_.]\d+(?:-?of-?\d+)?$", re.IGNORECASE)

_HTML: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html\b)", re.I | re.S
)

READABLE: Final = (
    ".md .txt .html .json .jsonl .csv .tsv .parquet .warc .wet, MediaWiki dumps as .xml, .tar and .zip of them, "
    "each also with .gz .bz2 .xz .zst"
)
"""What a person is told when a file is in none of them."""


@lru_cache(maxsize=1024)  # asked several times on end for a file
def split_name(path: str) -> tuple[str, str | None, str | None]:
    """A file's name without its format's endings, its format, its compression; None where the name does not say."""
    name = path.rsplit("/", 1)[-1]
    lower = name.lower()
    compression = None
    for suffix, kind in COMPRESSIONS.items():
        if lower.endswith(suffix) and len(name) > len(suffix):
            name, compression = name[: -len(suffix)], kind
            if suffix in _TAR_SHORT:
                return name, "tar", compression
            break
    for suffix, kind in _BY_SUFFIX.items():
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)], kind, compression
    return name, None, compression


def stem(path: str) -> str:
    """A file's name without endings and shard numbers: news-00001-of-00010.jsonl.gz is news."""
    name = split_name(path)[0]
    return _SHARD.sub("", name) or name


def sniff_compression(path: str, head: bytes) -> str | None:
    """Compression of a file: what its first bytes say, where its name is silent."""
    _, kind, compression = split_name(path)
    return compression if compression or kind else compression_of(head)


def sniff(path: str, head: bytes) -> str | None:
    """Format of (decompressed) content that begins with `head`; None where it cannot be told.

    A .json file with one object per line is JSONL, a .jsonl file that begins with a bracket is a JSON array.
    """
    name, kind, _ = split_name(path)
    if kind in ("json", "jsonl"):
        return _json_kind(head) or kind
    if kind == "mediawiki" and b"<mediawiki" not in head:
        return "html" if _HTML.match(head) else None  # another kind of XML, or a page
    if kind == "text" and _is_labelled_table(head):
        return "csv"
    if kind is not None:
        return kind
    if head.startswith(b"PAR1"):
        return "parquet"
    if head[257:262] == b"ustar":
        return "tar"
    if head.startswith(b"WARC/"):
        return "warc"
    if _HTML.match(head):
        return "html"
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    if "." in name.strip(".") and not name.rsplit(".", 1)[1].isdigit():
        return None  # an ending we do not know: it says what the file is, only not to us
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if b"<mediawiki" in head[:4096]:
        return "mediawiki"
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        return _json_kind(head) or "json"
    return "markdown" if re.match(rb"(?:\xef\xbb\xbf)?\s*#{1,6} \S", head) else None


def _json_kind(head: bytes) -> str | None:
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


_LABELLED_ROW: Final = re.compile(
    rb"(?:[^\t]*\t){2,3}(?:-?\d(?:\.\d+)?|-|entailment|neutral|contradiction)\s*", re.IGNORECASE
)


def _is_labelled_table(head: bytes) -> bool:
    """Whether a .txt file holds rows of two texts and a label, tabs between them, as many labelled sets do."""
    lines = head.split(b"\n", 50)
    lines = [line for line in lines[:-1] if line.strip()] or lines
    return len(lines) >= 2 and all(_LABELLED_ROW.fullmatch(line) for line in lines)
