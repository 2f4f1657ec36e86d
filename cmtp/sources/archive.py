"""Tar and zip archives: their members one after the other, without unpacking the archive."""

from __future__ import annotations

import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Final

from cmtp.sources.stream import Failure, Stream, is_bomb

_ENCRYPTED: Final = 1
_UTF8_NAME: Final = 0x800
"""Bits of a zip member's flags."""


def is_hidden(path: str) -> bool:
    """Whether a file or a folder above it has a name that begins with a dot."""
    return any(part.startswith(".") for part in path.split("/"))


def _refused(name: str, seen: set[str]) -> Failure | None:
    """Why a member of this (normalised) name is not read: it leads out of the archive, or was there already."""
    if name.startswith(("/", "../")) or name == ".." or "\\" in name or ":" in name.split("/")[0]:
        return Failure("unsafe_archive_member", {"member": name[:200]})
    if name in seen:
        return Failure("unsafe_archive_member", {"member": name[:200], "error": "the name occurs twice"})
    seen.add(name)
    return None


def tar_members(stream: Stream) -> Iterator[tuple[str, IO[bytes] | Failure]]:
    """Name and content of every regular file in a tar stream; each must be read before the next is asked for.

    An absolute name, one that leads out of the archive, or one that was there already, comes as a Failure, and so does
    the archive itself (with an empty name) where it ends too soon. Folders, links, devices and hidden files are passed
    over.
    """
    seen = set[str]()
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                name = posixpath.normpath(member.name)
                if not member.isfile() or (is_hidden(name) and not name.startswith("..")):
                    continue
                refused = _refused(name, seen)
                if refused:
                    yield member.name, refused
                    continue
                content = archive.extractfile(member)
                assert content is not None, "a regular file has content"
                yield name, content
    except (tarfile.TarError, EOFError, OSError) as error:
        yield "", Failure("truncated_file", {"format": "tar", "error": str(error)[:200]})


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
                yield name, _refused(name, seen) or _open(archive, member)
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
