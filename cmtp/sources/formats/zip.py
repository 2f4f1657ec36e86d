"""Zip archives: their members in the order of the archive's directory."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Final

from cmtp.sources.formats.archive import is_hidden, refused_member
from cmtp.sources.formats.format import Beginning, Certainty, Content, Format, FormatItem, Member
from cmtp.sources.stream import Failure, is_bomb

_ENCRYPTED: Final = 1
_UTF8_NAME: Final = 0x800
"""Bits of a zip member's flags."""


def zip_members(file: IO[bytes], size: int) -> Iterator[tuple[str, IO[bytes] | Failure]]:
    """Name and content of every file in a zip archive, in the order of its directory; failures as in a tar.

    No more than a member's declared size is ever read of it, so the declared sizes show a zip bomb before it is opened.

    Args:
        file: seekable.
        size: bytes of the archive.
    """
    seen = set[str]()
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if is_bomb(total, size):
                yield "", Failure("decompression_bomb", {"packed_bytes": size, "bytes": total, "members": len(members)})
                return
            for member in members:
                name = posixpath.normpath(_name(member))
                if member.is_dir() or (is_hidden(name) and not name.startswith("..")):
                    continue
                yield name, refused_member(name, seen) or _open(archive, member)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
        yield "", Failure("truncated_file", {"format": "zip", "error": str(error)[:200]})


def _open(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes] | Failure:
    if is_bomb(member.file_size, member.compress_size):
        return Failure("decompression_bomb", {"packed_bytes": member.compress_size, "bytes": member.file_size})
    if member.flag_bits & _ENCRYPTED:
        return Failure("unsupported_format", {"error": "the member is encrypted"})
    try:
        return archive.open(member)
    except (zipfile.BadZipFile, NotImplementedError, OSError, zlib.error) as error:
        return Failure("truncated_file", {"format": "zip", "error": str(error)[:200]})


def _name(member: zipfile.ZipInfo) -> str:
    """A member's name; names that are not marked as UTF-8 are, in Chinese archives, UTF-8 or GB18030 all the same."""
    if member.flag_bits & _UTF8_NAME or member.filename.isascii():
        return member.filename
    raw = member.filename.encode("cp437", "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return member.filename


def _read(content: Content) -> Iterator[FormatItem]:
    with content.seekable() as file:
        if content.stream.failure is None:
            for name, member in zip_members(file, file.seek(0, 2)):
                yield 0, Member(name, member)


FORMAT = Format(
    "zip",
    (".zip",),
    gives="files",
    about="any of these inside; archives in archives are not opened",
    read=_read,
    begins=Beginning(lambda head: head.startswith(b"PK\x03\x04"), Certainty.GUESS),
)
