"""What a reader is given: a raw file, or a range of a large one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A raw file, or a range of one.

    Attributes:
        url: local path or fsspec URL.
        path: relative to the raw folder; the first half of an origin.
        source: name of the source.
        bytes: size of the file.
        mtime_ns: when the file was last changed; makes a task differ when its file does.
        start: first byte of the range.
        stop: byte after the range.
        newlines: newlines before `start` (JSONL).
        groups: first and last + 1 row group (Parquet); None for all.
        role: what the file is to a collection in several files; empty for a file that stands alone.
    """

    url: str
    path: str
    source: str
    bytes: int
    mtime_ns: int
    start: int
    stop: int
    newlines: int = 0
    groups: tuple[int, int] | None = None
    role: str = ""
