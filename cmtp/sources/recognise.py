"""Which format a file is in: its name says so, else its first bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

from cmtp.errors import UsageError
from cmtp.sources.formats import FORMATS
from cmtp.sources.formats.format import Certainty, Format
from cmtp.sources.stream import COMPRESSIONS, compression_of

_T = TypeVar("_T")

_SHORT: Final = {".tgz": ".tar.gz", ".tbz2": ".tar.bz2", ".txz": ".tar.xz"}
"""Endings that stand for two."""

_SHARD: Final = re.compile(r"(?:[-_.](?:part|shard))?[-_.]\d+(?:-?of-?\d+)?$", re.IGNORECASE)


class NameParts(NamedTuple):
    """What a file's name says.

    Attributes:
        stem: the name without the endings of format and compression.
        format: name of the format; None where no ending says it.
        compression: gzip, bzip2, xz or zstd; None for none.
    """

    stem: str
    format: str | None
    compression: str | None


@lru_cache(maxsize=1)
def _formats_by_suffix() -> dict[str, Format]:
    formats: dict[str, Format] = {}
    for kind in FORMATS:
        for suffix in (*kind.suffixes, *kind.aliases):
            if suffix in formats:
                raise UsageError(
                    f"the formats {formats[suffix].name} and {kind.name} both read files ending in {suffix}: "
                    "uninstall one of their packages"
                )
            formats[suffix] = kind
    return formats


@lru_cache(maxsize=1024)  # asked several times in a row for a file
def split_name(path: str) -> NameParts:
    """The parts of a file's name.

    >>> split_name("wiki/zh-00001.jsonl.gz")
    NameParts(stem='zh-00001', format='jsonl', compression='gzip')
    """
    name = path.rsplit("/", 1)[-1]
    for short, endings in _SHORT.items():
        if name.lower().endswith(short) and len(name) > len(short):
            name = name[: -len(short)] + endings
    name, compression = _without_ending(name, COMPRESSIONS)
    name, kind = _without_ending(name, _formats_by_suffix())
    return NameParts(name, kind.name if kind is not None else None, compression)


def _without_ending(name: str, endings: Mapping[str, _T]) -> tuple[str, _T | None]:
    for ending, meaning in endings.items():
        if name.lower().endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)], meaning
    return name, None


def stem(path: str) -> str:
    """A file's name without endings and shard numbers: news-00001-of-00010.jsonl.gz is news."""
    name = split_name(path).stem
    return _SHARD.sub("", name) or name


def names_source(path: str) -> bool:
    """Whether a file's name may be a source's name: its format holds many records."""
    kind = split_name(path).format
    return kind is not None and FORMATS.get(kind).many_records


def compression_in(path: str, head: bytes) -> str | None:
    """Compression of a file: by its name; by its first bytes where the name says neither that nor a format."""
    name = split_name(path)
    return name.compression if name.compression or name.format else compression_of(head)


def format_of(path: str, head: bytes, rows: bool = False) -> Format | None:
    """The format of a file; None where it cannot be told or is not read.

    1. The ending of its name names a format. Without one that is known, the formats are asked whether the content
       begins like theirs: first those with signatures, then, where the name has no ending at all, the others.
    2. The format may say that the content is really in another: a ``.json`` file with an object per line is JSONL.
    3. Where rows are asked for, plain text is read as a table.

    Args:
        path: of the file or the member.
        head: its first bytes, without compression.
        rows: whether a table of rows is asked for.
    """
    name = split_name(path)
    kind = FORMATS.get(name.format) if name.format else _by_beginning(name.stem, head)
    if kind is not None and kind.in_content is not None:
        inner = kind.in_content(head)
        kind = FORMATS.get(inner) if inner else None
    if rows and kind is not None and kind.as_rows:
        kind = FORMATS.get(kind.as_rows)
    return kind


def _by_beginning(name: str, head: bytes) -> Format | None:
    has_ending = "." in name.strip(".") and not name.rsplit(".", 1)[1].isdigit()
    for certainty in [Certainty.SIGNATURE] if has_ending else Certainty:
        for kind in FORMATS:
            if kind.begins is not None and kind.begins.certainty is certainty and kind.begins.fits(head):
                return kind
    return None


@lru_cache(maxsize=1)
def readable() -> str:
    """What a person is told when a file is in no format that is read: the endings of those that are."""
    endings = " ".join(
        suffix for kind in FORMATS if kind.gives != "files" and not kind.kind_of for suffix in kind.suffixes
    )
    special = [f"{kind.kind_of} as {' '.join(kind.suffixes)}" for kind in FORMATS if kind.kind_of]
    archives = " and ".join(suffix for kind in FORMATS if kind.gives == "files" for suffix in kind.suffixes)
    return ", ".join([endings, *special, f"{archives} of them", f"each also with {compressions()}"])


def compressions() -> str:
    """The endings of compressed files, one for each compression."""
    first = {compression: ending for ending, compression in reversed(COMPRESSIONS.items())}
    return " ".join(reversed(first.values()))
