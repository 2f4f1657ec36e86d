"""What tar and zip archives share: which of their members are read."""

from __future__ import annotations

from cmtp.sources.stream import Failure


def is_hidden(path: str) -> bool:
    """Whether a file or a folder above it has a name that begins with a dot."""
    return any(part.startswith(".") for part in path.split("/"))


def refused_member(name: str, seen: set[str]) -> Failure | None:
    """Why a member of this (normalised) name is not read: it leads out of the archive, or was there already."""
    if name.startswith(("/", "../")) or name == ".." or "\\" in name or ":" in name.split("/")[0]:
        return Failure("unsafe_archive_member", {"member": name[:200]})
    if name in seen:
        return Failure("unsafe_archive_member", {"member": name[:200], "error": "the name occurs twice"})
    seen.add(name)
    return None
