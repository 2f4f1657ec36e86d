"""Bytes of a raw file as a stream: opened through fsspec, hashed, decompressed; a failure ends it instead of raising.

What could be read before a failure is still read; the reader asks `failure` at the end of the stream.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, Final

import fsspec
import xxhash
import zstandard

CHUNK: Final = 1 << 18
"""Bytes read at a time."""


@dataclass(frozen=True)
class Failure:
    """Why a record, or the rest of a stream, could not be read; see document.Broken."""

    reason: str
    evidence: dict[str, Any]

    def __str__(self) -> str:
        """The reason with what was seen, for messages: ``bad_row (fields: 3, expected: 2)``."""
        seen = ", ".join(f"{name}: {value}" for name, value in self.evidence.items())
        return f"{self.reason} ({seen})" if seen else self.reason


def open_url(url: str) -> IO[bytes]:
    """Open a local path or any fsspec URL for reading; raises OSError."""
    if "://" not in url:
        return open(url, "rb", buffering=0)
    fs, path = fsspec.core.url_to_fs(url)
    return fs.open(path, "rb")  # type: ignore[no-any-return]


class RawStream(io.RawIOBase):
    """A file's bytes from `seek` on, hashing those in [start, stop); an I/O error ends it.

    Attributes:
        failure: set when the file could not be opened or read to its end.
        count: bytes hashed.
    """

    def __init__(self, url: str, start: int = 0, stop: int | None = None, seek: int | None = None) -> None:
        super().__init__()
        self.failure: Failure | None = None
        self.count = 0
        self._hash = xxhash.xxh3_128()
        self._start, self._stop = start, stop
        self._at = start if seek is None else seek
        self._file: IO[bytes] | None = None
        try:
            self._file = open_url(url)
            if self._at:
                self._file.seek(self._at)
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.failure = Failure("unreadable_file", {"error": f"{type(error).__name__}: {error.strerror or error}"})

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read up to the buffer's size; 0 at the end or after a failure."""
        if self._file is None or self.failure is not None:
            return 0
        try:
            size: int = self._file.readinto(buffer)  # type: ignore[attr-defined]
        except OSError as error:
            self._fail(error)
            return 0
        first = max(0, self._start - self._at)
        last = size if self._stop is None else min(size, max(0, self._stop - self._at))
        if last > first:
            self._hash.update(memoryview(buffer)[first:last])
            self.count += last - first
        self._at += size
        return size

    def finish(self) -> str:
        """Read what the reader left, up to the stop, and give the hash of the bytes in [start, stop), in hex."""
        buffer = bytearray(1)  # most often there is nothing left
        while (self._stop is None or self._at < self._stop) and self.readinto(buffer):
            if len(buffer) < CHUNK:
                buffer = bytearray(CHUNK)
        if self._file is not None:
            self._file.close()
        return self._hash.hexdigest()


class Stream(io.BufferedReader):
    """A buffered stream that knows whether the one below ended because of a failure."""

    def __init__(self, raw: Any, below: Stream | None = None) -> None:
        super().__init__(raw, CHUNK)
        self._source = raw
        self._below = below

    @property
    def failure(self) -> Failure | None:
        """Why the stream ended before its end; None while it has not."""
        return getattr(self._source, "failure", None) or (self._below.failure if self._below is not None else None)

    def head(self, size: int) -> bytes:
        """The next bytes, without taking them: `size` of them where there are that many."""
        return self.peek(size)[:size]


class _ZstdReader(io.RawIOBase):
    """zstandard's own stream reader takes a file cut short for a whole one; this one does not."""

    def __init__(self, source: IO[bytes]) -> None:
        super().__init__()
        self._source = source
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._fed = False
        self._data = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._data:
            # A small piece at a time: a frame may expand ten-thousandfold.
            raw = self._frame.unused_data if self._frame.eof else b""
            raw = raw or self._source.read(1 << 14)
            if not raw:
                if self._fed and not self._frame.eof:
                    raise EOFError("the zstd frame is cut short")
                return 0
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._data = memoryview(self._frame.decompress(raw))
            self._fed = True
        size = min(len(buffer), len(self._data))
        buffer[:size] = self._data[:size]
        self._data = self._data[size:]
        return size


MAX_RATIO: Final = 200
"""Bytes that a compressed byte may become; text gives 3 to 20."""
FREE_BYTES: Final = 64 << 20
"""Bytes that any file may become, whatever its size."""


class _Counted:
    """A stream that counts the bytes read from it."""

    def __init__(self, source: IO[bytes]) -> None:
        self.count = 0
        self._source = source

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self.count += len(data)
        return data

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


class Guarded(io.RawIOBase):
    """Another stream's bytes, decompressed where it is asked.

    Data cut short or corrupt end it with `failure` set, and so do data that grow beyond MAX_RATIO.
    """

    def __init__(self, source: IO[bytes], compression: str = "none") -> None:
        super().__init__()
        self.failure: Failure | None = None
        self._compression = compression
        self._packed = _Counted(source)
        self._size = 0
        inner = _OPENERS[compression](source if compression == "none" else self._packed)
        # read1, because read loses what it has gathered when the data end in the middle
        self._read: Callable[[int], bytes] = getattr(inner, "read1", inner.read)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there are bytes; 0 at the end or after a failure."""
        size = 0
        while size < len(buffer) and self.failure is None:
            try:
                data = self._read(len(buffer) - size)
            except _ERRORS as error:
                self.failure = Failure("truncated_file", {"compression": self._compression, "error": str(error)})
                break
            if not data:
                break
            buffer[size : size + len(data)] = data
            size += len(data)
        self._size += size
        if self._compression != "none" and is_bomb(self._size, self._packed.count):
            evidence = {"compression": self._compression, "packed_bytes": self._packed.count, "bytes": self._size}
            self.failure = Failure("decompression_bomb", evidence | {"max_ratio": MAX_RATIO})
            return 0
        return size


def is_bomb(size: int, packed: int) -> bool:
    """Whether `packed` bytes that become `size` were made to exhaust the reader."""
    return size > FREE_BYTES and size > MAX_RATIO * packed


_ERRORS: Final = (
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
    zstandard.ZstdError,
    tarfile.TarError,
    zipfile.BadZipFile,
)

_OPENERS: Final[dict[str, Callable[[Any], Any]]] = {
    "none": lambda source: source,
    "gzip": lambda source: gzip.GzipFile(fileobj=source, mode="rb"),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "zstd": _ZstdReader,
}

COMPRESSIONS: Final = {
    ".gz": "gzip",
    ".bz2": "bzip2",
    ".xz": "xz",
    ".zst": "zstd",
    ".zstd": "zstd",
}
"""Compression by the end of a file's name."""

_MAGIC: Final = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


def compression_of(head: bytes) -> str | None:
    """Compression by a file's first bytes."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def read_up_to(stream: Stream, limit: int) -> bytes:
    """The stream's bytes, at most `limit` + 1 of them: one more than allowed shows that there are too many."""
    parts, size = [], 0
    while size <= limit:
        data = stream.read1(min(CHUNK, limit + 1 - size))  # what is buffered: many files are small
        if not data:
            break
        parts.append(data)
        size += len(data)
    return b"".join(parts)
