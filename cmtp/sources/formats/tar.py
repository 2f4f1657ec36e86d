"""Tar archives: their members one after the other, without unpacking the archive."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator
from typing import IO

from cmtp.sources.formats.archive import is_hidden, refused_member
from cmtp.sources.formats.format import Beginning, Certainty, Content, Format, FormatItem, Member
from cmtp.sources.stream import Failure, Stream


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
                refused = refused_member(name, seen)
                if refused:
                    yield member.name, refused
                    continue
                content = archive.extractfile(member)
                assert content is not None, "a regular file has content"
                yield name, content
    except (tarfile.TarError, EOFError, OSError) as error:
        yield "", Failure("truncated_file", {"format": "tar", "error": str(error)[:200]})


def _read(content: Content) -> Iterator[FormatItem]:
    for name, file in tar_members(content.stream):
        yield 0, Member(name, file)


FORMAT = Format(
    "tar",
    (".tar",),
    gives="files",
    about="any of these inside; archives in archives are not opened",
    read=_read,
    begins=Beginning(lambda head: head[257:262] == b"ustar", Certainty.SIGNATURE),
)
