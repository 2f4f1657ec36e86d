"""Finds the raw files under the roots a person names, and what source each belongs to."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import fsspec

from cmtp.errors import UsageError
from cmtp.sources.formats.archive import is_hidden
from cmtp.sources.mapping import SourceMapping
from cmtp.sources.read import find_mapping
from cmtp.sources.recognise import names_source, stem

_SAYS_NOTHING: Final = frozenset({"part", "data", "shard", "train", "test", "dev", "all"})
"""File names that do not name a source."""


@dataclass(frozen=True)
class RawFile:
    """A file to be read.

    Attributes:
        path: relative to its root, with slashes, spelled as on disk.
        url: absolute path, or the URL on a remote file system.
        source: name of the source it belongs to.
        bytes: its size.
        mtime_ns: when it was last changed, in ns since 1970; 0 where the file system does not say.
    """

    path: str
    url: str
    source: str
    bytes: int
    mtime_ns: int


class RawFiles(list[RawFile]):
    """The files found, sorted by path; `passed_over` holds the paths that are not read, sorted."""

    passed_over: list[str]


def discover(roots: list[str], mappings: list[SourceMapping]) -> RawFiles:
    """The raw files under the roots.

    Files and folders whose names begin with a dot (.git, .DS_Store), and what is neither file nor folder (a socket, a
    pipe), are passed over and listed in ``passed_over``. Links are followed, into folders too. A file's
    source is its mapping's name, else the first folder below the root, else for a file directly in the root: its name
    without endings and shard numbers where its format holds many records, the root's name where it is one document.

    Args:
        roots: folders or single files, as local paths or fsspec URLs.
        mappings: the recipe's sources.

    Raises:
        UsageError: a root that is not there or holds no file, or two files of the same relative path.
    """
    found, passed_over = dict[str, RawFile](), list[str]()
    for root in roots:
        count = 0
        for path, url, info, parent in _files(root):
            if is_hidden(path) or info["type"] == "other":
                passed_over.append(path)
                continue
            count += 1
            if path in found and found[path].url == url:
                raise UsageError(f"{url} is under two of the sources. Give each folder once.")
            if path in found:
                raise UsageError(
                    f"{url} and {found[path].url} have the same path below their roots ({path}), so their records "
                    "could not be told apart. Give the folder that holds both instead."
                )
            mapping = find_mapping(path, mappings)
            source = (mapping.name if mapping else None) or _source(path, parent)
            found[path] = RawFile(path, url, source, int(info["size"] or 0), _mtime_ns(info))
        if not count:
            aside = f" but {len(passed_over)} hidden ones" if passed_over else ""
            raise UsageError(f"{root}: there are no files in it{aside}. Give the folder that holds the raw files.")
    files = RawFiles(found[path] for path in sorted(found))
    files.passed_over = sorted(passed_over)
    return files


def _files(root: str) -> list[tuple[str, str, dict[str, Any], str]]:
    """(path below the root, URL, file information, name of the folder that is the root)."""
    if "://" in root:
        fs, top = fsspec.core.url_to_fs(root)
    else:
        fs = fsspec.filesystem("file")
        top = fs._strip_protocol(root)
    local = "://" not in root
    top = top.rstrip("/") or "/"
    if not fs.exists(top):
        raise UsageError(f"{root}: there is no such file or folder. Check the path given as --source.")
    folder = top if fs.isdir(top) else top.rpartition("/")[0]
    name = folder.rpartition("/")[2]
    if folder != top:
        entries = {top: _local_info(top) if local else fs.info(top)}
    else:
        entries = dict(_walk(folder)) if local else fs.find(folder, detail=True)
    return [
        (_readable(full[len(folder) :].lstrip("/")), full if local else fs.unstrip_protocol(full), info, name)
        for full, info in entries.items()
    ]


def _walk(folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Files below a local folder, links followed; a link back into a folder that was walked is not followed again.

    A folder below it that cannot be opened counts as a file: reading it says what is wrong.

    Raises:
        UsageError: the folder itself cannot be opened.
    """
    seen = set()
    closed: list[str] = []

    def note(error: OSError) -> None:
        if error.filename == folder:
            raise UsageError(f"{folder}: cannot be opened: {error.strerror}. Look at its permissions.") from error
        closed.append(error.filename)

    for at, folders, names in os.walk(folder, followlinks=True, onerror=note):
        real = os.path.realpath(at)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        for name in names:
            full = os.path.join(at, name)
            yield full, _local_info(full)
    for full in closed:
        yield full, {"size": 0, "type": "file"}


def _readable(path: str) -> str:
    """A path as text: bytes of a name that are no UTF-8, as old archives leave them, stand as backslash, x, hex."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _local_info(path: str) -> dict[str, Any]:
    """Size, time of change and type. A link that leads nowhere counts as a file: reading it says what is wrong."""
    try:
        found = os.stat(path)
    except OSError:
        return {"size": 0, "type": "file"}
    kind = "file" if stat.S_ISREG(found.st_mode) else "other"
    return {"size": found.st_size, "mtime": found.st_mtime, "type": kind}


def _source(path: str, root_name: str) -> str:
    folder, slash, _ = path.partition("/")
    if slash:
        return folder
    name = stem(path)
    if names_source(path) and name.lower() not in _SAYS_NOTHING:
        return name
    return root_name or name


def _mtime_ns(info: dict[str, Any]) -> int:
    changed = info.get("mtime") or info.get("LastModified") or info.get("created") or 0
    if hasattr(changed, "timestamp"):
        changed = changed.timestamp()
    return int(changed * 1_000_000_000) if isinstance(changed, (int, float)) else 0
