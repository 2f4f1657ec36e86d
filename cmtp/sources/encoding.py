"""Which encoding a file is in, and how its bytes become text."""

from __future__ import annotations

import codecs
import io
from typing import Any, Final

from cmtp.sources.stream import Stream
from cmtp.text import frequent
from cmtp.text.clean import UNDECODABLE

HEAD_BYTES: Final = 1 << 16
"""Bytes at the beginning of a file that decide its encoding; a split file is judged by its head alone in every part."""

MARK: Final = "cmtp-mark"
"""Error handler that puts `UNDECODABLE` for a byte that cannot be decoded, so that the record can be rejected."""

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_FREQUENT: Final = frozenset(frequent.SIMPLIFIED + frequent.TRADITIONAL + frequent.MARKS + "儿「」")
"""Bytes decoded in the wrong one of two multi-byte encodings give rare characters."""


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, max(error.start + 1, min(error.end, error.start + 1))


codecs.register_error(MARK, _mark)


def detect(head: bytes) -> str | None:
    """Name of the encoding of a file that begins with `head`; None where it is not text in a known one.

    A byte order mark decides; then UTF-8, as long as at most one in ten of its non-ASCII characters is broken; then
    GB18030 or Big5, whichever gives more of the characters Chinese uses most.
    """
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    if head.isascii():
        return "utf-8"
    text = _decode_head(head, "utf-8")
    broken = text.count(UNDECODABLE)
    if not broken or broken * 10 <= sum(not char.isascii() for char in text):
        return "utf-8"
    scores = {name: _plausible(_decode_head(head, name)) for name in ("gb18030", "big5hkscs")}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] >= 0.1 else None


def _decode_head(head: bytes, name: str) -> str:
    """Decode a head that may end in the middle of a character."""
    return codecs.getincrementaldecoder(name)(MARK).decode(head)


def _plausible(text: str) -> float:
    """Share of the non-ASCII characters that are frequent ones; 0 where one in twenty is broken."""
    foreign = [char for char in text if not char.isascii()]
    if not foreign or foreign.count(UNDECODABLE) * 20 > len(foreign):
        return 0.0
    return sum(char in _FREQUENT for char in foreign) / len(foreign)


def decode(data: bytes, encoding: str) -> str:
    """All of `data` as text, with `UNDECODABLE` where it could not be decoded."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return data.decode(encoding, MARK)


def text_stream(stream: Stream, encoding: str) -> io.TextIOWrapper:
    """The stream as text with its line ends as they are, with `UNDECODABLE` where it could not be decoded."""
    return io.TextIOWrapper(stream, encoding, MARK, newline="")


def near_undecodable(text: str) -> str:
    """The text around the first byte that could not be decoded, for messages."""
    at = text.index(UNDECODABLE)
    return text[max(0, at - 20) : at + 20].replace(UNDECODABLE, "\N{REPLACEMENT CHARACTER}")


class Utf8Stream(io.RawIOBase):
    """A stream in another encoding as UTF-8 bytes, with `UNDECODABLE` where it could not be decoded."""

    def __init__(self, stream: Stream, encoding: str) -> None:
        super().__init__()
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(MARK)
        self._ended = False
        self._data = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read up to the buffer's size; 0 at the end."""
        while not self._data and not self._ended:
            raw = self._stream.read(HEAD_BYTES)
            self._ended = not raw
            self._data = self._decoder.decode(raw, final=self._ended).encode("utf-8")
        size = min(len(buffer), len(self._data))
        buffer[:size] = self._data[:size]
        self._data = self._data[size:]
        return size
